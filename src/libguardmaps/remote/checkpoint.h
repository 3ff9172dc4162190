/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guards of a stopped process over checkpoint and restore: record them,
 * take them out, put them back. Besides guardmaps.h, this is all of the
 * library that the CRIU plugin uses.
 *
 * The caller must trace the process, and all of its threads must be stopped.
 */
#ifndef GUARDMAPS_CHECKPOINT_H
#define GUARDMAPS_CHECKPOINT_H

#include <stdbool.h>

#include "guardmaps.h"

struct checkpoint;

/* ---- Where it comes from ------------------------------------------------ */

/**
 * Record the guards of a process and the locks of its memory.
 *
 * The source is PAGEMAP_SCAN where the kernel reports guards by it.
 *
 * Errors: as guardmaps_process_open() and guardmaps_map_read().
 */
struct guardmaps_error *checkpoint_record(pid_t pid, struct checkpoint **ret);

/**
 * Read the image that checkpoint_save() wrote before the process was restored.
 *
 * Errors: as guardmaps_image_read(); INVALID if it is of another process.
 */
struct guardmaps_error *checkpoint_load(pid_t pid, int dirfd,
					struct checkpoint **ret);

/** NULL is allowed. A keeper that is still needed goes on. */
void checkpoint_destroy(struct checkpoint *checkpoint);

/* ---- What it holds ------------------------------------------------------ */

struct guardmaps_process *
checkpoint_process(const struct checkpoint *checkpoint);

const struct guardmaps_map *checkpoint_map(const struct checkpoint *checkpoint);

/** The innermost pid, by which images are named; not positive if unknown. */
pid_t checkpoint_innermost_pid(const struct checkpoint *checkpoint);

/** Count its guard regions: all, or those in locked memory. */
size_t checkpoint_region_count(const struct checkpoint *checkpoint,
			       bool only_locked);

/* ---- Images ------------------------------------------------------------- */

/**
 * Write an image into a directory, without waiting for the disk.
 *
 * Errors: as guardmaps_image_write().
 */
struct guardmaps_error *checkpoint_save(const struct checkpoint *checkpoint,
					int dirfd);

/** Whether a file has the name of such an image. */
bool checkpoint_is_image_name(const char *name);

/* ---- Out and back ------------------------------------------------------- */

/**
 * Take guards out: all, or those in locked memory. A keeper is started first,
 * which puts them back if this process ends before it does.
 *
 * @ret_regions: how many; @ret_protected: how many of them are PROT_NONE until
 *	they are put back.
 *
 * Errors: as remote_begin(); INVALID if locked memory could not be locked
 * again. Guards may be gone in part then: put them back.
 */
struct guardmaps_error *checkpoint_take_out(struct checkpoint *checkpoint,
					    bool only_locked,
					    size_t *ret_regions,
					    size_t *ret_protected);

/** Whether guards are out, or may be. */
bool checkpoint_is_out(const struct checkpoint *checkpoint);

/** What checkpoint_put_back() did. */
struct checkpoint_result {
	/** The process has ended: there was nothing to do. */
	bool has_ended;
	/**
	 * Regions that were missing, and ranges that were locked differently.
	 */
	size_t regions;
	size_t locks;
	/** Since checkpoint_take_out() was called, or 0. */
	double milliseconds;
};

/**
 * Put back the guards that are missing, lock memory as it was, and verify both.
 *
 * @as_prot_none: for a kernel without guard regions.
 *
 * Errors: as guardmaps_install(). Guards that were taken out are then left to
 * the keeper, which tries again when this process has ended.
 */
struct guardmaps_error *checkpoint_put_back(struct checkpoint *checkpoint,
					    bool as_prot_none,
					    struct checkpoint_result *ret);

#endif /* GUARDMAPS_CHECKPOINT_H */
