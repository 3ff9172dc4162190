/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A process that outlives the one that takes guards out: if that one exits,
 * even by SIGKILL, before it has put them back, the keeper does. One keeper is
 * enough for any number of processes.
 *
 * What it has to know lies in memory that it shares with its owner, and is
 * complete before a process is changed. Owner and keeper never wait for each
 * other: while the owner lives, the keeper does nothing.
 */
#ifndef GUARDMAPS_KEEPER_H
#define GUARDMAPS_KEEPER_H

#include "guardmaps.h"
#include "journal.h"

struct keeper;

/** Returns NULL, with errno set, on failure. It runs from the first charge on. */
struct keeper *keeper_create(void);

/**
 * Entrust a process to the keeper, before it is changed.
 *
 * @map: the guards and locks that it should have.
 * @ret: its number.
 *
 * Errors: OS, if the keeper cannot be started, or has ended and cannot be
 * started again; NO_MEMORY.
 */
struct guardmaps_error *keeper_entrust(struct keeper *keeper,
				       const struct guardmaps_process *process,
				       const struct guardmaps_map *map,
				       size_t *ret);

/**
 * Map the journal for system calls in a process that was entrusted to it.
 * Returns NULL, with errno set, on failure.
 */
struct remote_journal *keeper_map_journal(struct keeper *keeper, size_t number);

/** NULL is allowed. */
void keeper_unmap_journal(struct keeper *keeper, size_t number,
			  struct remote_journal *journal);

/** The process is as it should be, or has ended. */
void keeper_discharge(struct keeper *keeper, size_t number);

/**
 * The keeper ends if all processes were discharged; the others are left to it,
 * and it acts when this process has ended. NULL is allowed.
 */
void keeper_leave(struct keeper *keeper);

#endif /* GUARDMAPS_KEEPER_H */
