/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One process under /proc, live or recorded. All files are opened relative to
 * one descriptor of its directory, so that two processes with the same pid are
 * never mixed.
 */
#ifndef GUARDMAPS_PROC_H
#define GUARDMAPS_PROC_H

#include "guardmaps.h"
#include "stat.h"

/** Whether the memory of a process still exists, or why it does not. */
enum memory_state {
	MEMORY_ALIVE,
	/** execve() has replaced the address space. */
	MEMORY_REPLACED,
	/** The thread that it was read through has ended. Others live on. */
	MEMORY_THREAD_ENDED,
	/** The process has ended or is about to. */
	MEMORY_ENDED,
	/** It is a kernel thread, which never had any. */
	MEMORY_NEVER,
};

struct guardmaps_process {
	pid_t pid;
	/* Of /proc/PID and of its stat file. -1 if a recorded tree has none. */
	int dirfd;
	int stat_fd;
	/* "/proc/PID" with the sysroot before it, for messages. */
	char *directory;
	/* The sysroot, which no link may lead out of, or -1. */
	int tree_fd;
	/* Below a sysroot: no system call may refer to a live process. */
	bool recorded;

	/* The rest is set by process_refresh(). */
	char name[PROCESS_NAME_SIZE];
	struct task_stat stat;
	/* ALIVE, ENDED or NEVER. */
	enum memory_state memory;
	/*
	 * Directory of the files that show its memory: "", or "task/TID/" of
	 * a live thread if the first one has ended.
	 */
	char memory_directory[32];
};

/* ---- The process (proc.c) --------------------------------------------- */

/**
 * Open a process that was open before.
 *
 * @start_time: of its struct task_stat, then.
 *
 * Errors: as guardmaps_process_open(), and ENDED if there is no such process or
 * another one has the pid.
 */
struct guardmaps_error *process_open_again(pid_t pid, uint64_t start_time,
					   struct guardmaps_process **ret);

/**
 * Read again what may change: name, state of the memory, memory directory.
 *
 * Errors: ENDED, FORMAT, OS. A process without memory is no error.
 */
struct guardmaps_error *process_refresh(struct guardmaps_process *process);

/**
 * Refresh it and get the state of its memory: ALIVE, ENDED or NEVER. It is not
 * an error if the process no longer exists.
 *
 * Errors: FORMAT, OS.
 */
struct guardmaps_error *
process_refresh_memory(struct guardmaps_process *process,
		       enum memory_state *ret);

/** Refresh it and return whether it is known to have ended. */
bool process_has_ended(struct guardmaps_process *process);

/**
 * Whether the numbers of processes in /proc are those that system calls take:
 * it may have been mounted in another pid namespace than ours. Returns 1, 0, or a
 * negative errno if an accident (errno_is_accident()) hides it.
 */
int process_numbers_are_ours(void);

/** Returns NO_ADDRESS_SPACE for a kernel thread or a zombie, otherwise NULL. */
struct guardmaps_error *
process_check_memory(const struct guardmaps_process *process);

/**
 * The id of the first thread. Any thread may have been opened. Returns a negative
 * errno if an accident (errno_is_accident()) hides it.
 */
pid_t process_first_thread(const struct guardmaps_process *process);

/**
 * Its pid in its innermost pid namespace, which stays the same when it is
 * restored from a checkpoint (NSpid, proc_pid_status(5), Linux 4.1).
 * Returns a negative errno on failure.
 */
pid_t process_innermost_pid(const struct guardmaps_process *process);

/* ---- Its files (files.c) ---------------------------------------------- */

/**
 * Open a file of the process for reading, or with @flags (O_DIRECTORY).
 * Returns a descriptor or a negative errno.
 */
int process_open_file(const struct guardmaps_process *process, const char *file,
		      int flags);

/**
 * Read a small file as a whole from its start, and append a zero byte. Returns
 * its length, at most @size - 1, or a negative errno.
 */
ssize_t read_small_file(int fd, char *ret, size_t size);

/** The same by name. */
ssize_t process_read_file(const struct guardmaps_process *process,
			  const char *file, char *ret, size_t size);

/**
 * Read the value of a line in /proc/PID/status, truncated if @ret is too short.
 * Returns 0 or a negative errno: -ENODATA if there is no such line.
 */
int process_read_status(const struct guardmaps_process *process,
			const char *name, char *ret, size_t size);

/**
 * Get a soft resource limit of the process by its name in /proc/PID/limits.
 *
 * @ret: UINT64_MAX if it is unlimited.
 *
 * Returns 0 or a negative errno: -ENODATA if there is no such line.
 */
int process_read_limit(const struct guardmaps_process *process,
		       const char *name, uint64_t *ret);

/**
 * Read the name of a task from its comm file.
 *
 * @directory: directory of the task, relative to that of the process, with a
 *	slash at its end; or "".
 * @ret: PROCESS_NAME_SIZE bytes.
 *
 * Returns 0 or a negative errno.
 */
int process_read_name(const struct guardmaps_process *process,
		      const char *directory, char *ret);

/**
 * Read the target of a symbolic link, and append a zero byte.
 * Returns its length, at most @size - 1, or a negative errno.
 */
ssize_t process_read_link(const struct guardmaps_process *process,
			  const char *link, char *ret, size_t size);

/**
 * Make the error for a file of the process that failed with @errnum. The code
 * is ENDED if @errnum means that the process no longer exists.
 */
struct guardmaps_error *
process_file_error(const struct guardmaps_process *process, int errnum,
		   const char *file);

/* ---- Its threads (tasks.c) -------------------------------------------- */

/**
 * List the thread ids of the process, ascending. The caller frees the array.
 * Errors: ENDED, OS, PERMISSION, NO_MEMORY.
 */
struct guardmaps_error *
process_list_threads(const struct guardmaps_process *process, pid_t **ret,
		     size_t *ret_count);

/** Whether a thread of the process exists and is not about to end. */
bool process_has_living_thread(const struct guardmaps_process *process,
			       pid_t tid);

/** The same by its directory, as in process_read_name(). */
bool process_is_living_thread(const struct guardmaps_process *process,
			      const char *directory);

#endif /* GUARDMAPS_PROC_H */
