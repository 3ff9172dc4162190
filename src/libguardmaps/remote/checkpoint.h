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
struct keeper;

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

/** NULL is allowed. What is out is left to the keeper. */
void checkpoint_destroy(struct checkpoint *checkpoint);

/**
 * Close the files of the process until they are needed again, so that there can
 * be more checkpoints than open files. checkpoint_save(), checkpoint_take_out()
 * and checkpoint_put_back() do so.
 */
void checkpoint_close_files(struct checkpoint *checkpoint);

/* ---- What it holds ------------------------------------------------------ */

/** As guardmaps_process_pid() and guardmaps_process_name(). */
pid_t checkpoint_pid(const struct checkpoint *checkpoint);
const char *checkpoint_name(const struct checkpoint *checkpoint);

const struct guardmaps_map *checkpoint_map(const struct checkpoint *checkpoint);

/** Read the guard map of the process as it is now. */
struct guardmaps_error *checkpoint_read(struct checkpoint *checkpoint,
					enum guardmaps_source source,
					struct guardmaps_map **ret);

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
struct guardmaps_error *checkpoint_save(struct checkpoint *checkpoint,
					int dirfd);

/** Whether a file has the name of such an image. */
bool checkpoint_is_image_name(const char *name);

/* ---- Out and back ------------------------------------------------------- */

/**
 * Take guards out: all, or those in locked memory. If this process ends before
 * it has put them back, the keeper does.
 *
 * @keeper: one for all checkpoints; created here if it is NULL. To be given to
 *	checkpoint_leave() at the end.
 * @ret_regions: how many; @ret_protected: how many of them are PROT_NONE until
 *	they are put back.
 *
 * Errors: as remote_begin(); INVALID if locked memory could not be locked
 * again. Guards may be gone in part then: put them back.
 */
struct guardmaps_error *checkpoint_take_out(struct checkpoint *checkpoint,
					    struct keeper **keeper,
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
	 * Regions that were missing, and mappings that were locked differently.
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

/** End the keeper, or leave to it what is still out. NULL is allowed. */
void checkpoint_leave(struct keeper *keeper);

#endif /* GUARDMAPS_CHECKPOINT_H */
