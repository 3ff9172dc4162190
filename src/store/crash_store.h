/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The store of crashes: a directory that only root may read, with a directory for
 * each crash, named BOOT-PID-START, which holds
 *
 *   summary   what is known of the crash, in lines NAME=VALUE
 *   core      the start of the core file, and the parts of memory that the verdict
 *             and the backtrace need
 *   image     the guard map (guardmaps-image(5)); missing if it could not be read
 *
 * A directory whose name begins with a dot is not complete yet.
 */
#ifndef CRASH_STORE_H
#define CRASH_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CRASH_STORE "/var/lib/guardmaps/crashes"

/** If there are more crashes or bytes, the oldest are removed. */
#define CRASH_STORE_CRASHES 1000
#define CRASH_STORE_BYTES (UINT64_C(256) << 20)

#define CRASH_SUMMARY "summary"
#define CRASH_CORE "core"
#define CRASH_IMAGE "image"

/** The summary of a crash. Texts that do not fit are cut off. */
struct crash {
	/** Nanoseconds since 1970. */
	int64_t time;
	/** In the first pid namespace. */
	pid_t pid;
	pid_t tid;
	char command[64];
	char thread[64];
	int signal;
	int code;
	/** As guardmaps_verdict_name() and guardmaps_certainty_name() have them. */
	char verdict[32];
	char certainty[16];
	/** The backtrace: frames, functions of the recursion and how often. */
	uint64_t frames;
	uint64_t cycles;
	char cycle[192];
	/** Where the thread was: a function, or a place in a file. */
	char place[192];
};

/** Write a summary into the directory of a crash. Returns 0 or a negative errno. */
int crash_write(int directory, const struct crash *crash);

/** Read one. Returns 0 or a negative errno: -EBADMSG if it is damaged. */
int crash_read(int directory, struct crash *ret);

/** The crashes of a store. */
struct crash_entry {
	char name[96];
	/** Nanoseconds since 1970. */
	int64_t time;
	/** On the disk, in bytes. */
	uint64_t size;
};

struct crash_list {
	struct crash_entry *entries;
	size_t count, capacity;
};

/** List what is in a store, the newest first. Returns 0 or a negative errno. */
int crash_list_read(int store, struct crash_list *ret);
void crash_list_free(struct crash_list *list);

/** Remove the directory of a crash. */
void crash_remove(int store, const char *name);

/** Remove the oldest until the store is within its bounds. */
void crash_store_trim(int store);

#endif /* CRASH_STORE_H */
