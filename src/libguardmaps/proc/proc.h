/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One process under /proc, live or recorded. Everything is opened through one
 * descriptor of its directory, so that a reused pid cannot mix two processes.
 */
#ifndef GUARDMAPS_PROC_H
#define GUARDMAPS_PROC_H

#include "guardmaps.h"

/* The kernel's names of kernel threads are the longest. */
#define PROCESS_NAME_SIZE 64

struct guardmaps_process {
	pid_t pid;
	/* Of /proc/PID, and of its stat file; -1 where a recorded tree has none. */
	int dirfd;
	int stat_fd;
	/* "/proc/PID" with the sysroot before it, for messages. */
	char *directory;
	/* Below a sysroot: no system call may ask about a live process. */
	bool recorded;
	char name[PROCESS_NAME_SIZE];
	/* From /proc/PID/stat, as of process_refresh(). */
	char state;
	unsigned int flags;
	unsigned int thread_count;
	/* Changes with execve(): tells one address space from the next. */
	uint64_t stack_address;
	/*
	 * Where the files of its memory are: "", or "task/TID/" of a thread
	 * that lives when the first one has ended.
	 */
	char memory_directory[32];
};

/** Copy a task's name, with a question mark for each control character. */
void process_copy_name(char *ret, const char *name, size_t length);

/**
 * Open a file of the process for reading, or with @flags (O_DIRECTORY).
 * Returns a descriptor or a negative errno.
 */
int process_open_file(const struct guardmaps_process *process,
		      const char *file, int flags);

/** Open a file that tells of its memory: maps, pagemap, guards. */
int process_open_memory_file(const struct guardmaps_process *process,
			     const char *file);

/**
 * Read a small file whole, with a zero byte behind it.
 * Returns its length, at most @size - 1, or a negative errno.
 */
ssize_t process_read_file(const struct guardmaps_process *process,
			  const char *file, char *ret, size_t size);

/**
 * Read what stands behind the name of a line in /proc/PID/status, cut off where
 * @ret is too short. Returns 0, or a negative errno; -ENODATA if there is none.
 */
int process_read_status(const struct guardmaps_process *process,
			const char *name, char *ret, size_t size);

/**
 * A soft resource limit of the process, by its name in /proc/PID/limits; its
 * greatest value if it is unlimited or cannot be read.
 */
uint64_t process_read_limit(const struct guardmaps_process *process,
			    const char *name);

/**
 * Read where a symbolic link points to, with a zero byte behind it.
 * Returns its length, at most @size - 1, or a negative errno.
 */
ssize_t process_read_link(const struct guardmaps_process *process,
			  const char *link, char *ret, size_t size);

/**
 * Make the error for a file of the process that failed with @errnum.
 * ENDED if that says that the process has gone.
 */
struct guardmaps_error *
process_file_error(const struct guardmaps_process *process, int errnum,
		   const char *file);

/**
 * Read again what may change: name, state, address space.
 *
 * Errors: ENDED, OS. Does not say that there is no address space.
 */
struct guardmaps_error *process_refresh(struct guardmaps_process *process);

/** Whether it called execve() since process_refresh(), or has ended. */
bool process_has_changed(const struct guardmaps_process *process);

/** The id of the first thread, by whatever thread the process was opened. */
pid_t process_first_thread(const struct guardmaps_process *process);

/**
 * Its pid in the innermost pid namespace that it is in, which outlives its
 * restore from a checkpoint (NSpid, proc_pid_status(5), Linux 4.1).
 * Returns a negative errno on failure.
 */
pid_t process_innermost_pid(const struct guardmaps_process *process);

/** Whether a thread of the process is there and not about to end. */
bool process_has_living_thread(const struct guardmaps_process *process,
			       pid_t tid);

/**
 * Whether the thread that its memory was to be read through has ended since
 * process_refresh(). The process may live on in others.
 */
bool process_memory_is_gone(const struct guardmaps_process *process);

/** A zombie, or about to be one, whose other threads have ended too. */
bool process_has_ended(const struct guardmaps_process *process);

/** Whether it is gone, whatever another call made of that. Asks the kernel. */
bool process_is_gone(struct guardmaps_process *process);

/** NO_ADDRESS_SPACE for a kernel thread or a zombie, else NULL. */
struct guardmaps_error *
process_check_memory(const struct guardmaps_process *process);

/**
 * The thread ids of the process, ascending. The caller frees the array.
 * Errors: ENDED, OS, PERMISSION, NO_MEMORY.
 */
struct guardmaps_error *
process_list_threads(const struct guardmaps_process *process, pid_t **ret,
		     size_t *ret_count);

#endif /* GUARDMAPS_PROC_H */
