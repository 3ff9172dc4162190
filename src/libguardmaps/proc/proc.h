/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One process under /proc, live or recorded. Everything is opened through one
 * descriptor of its directory, so that a reused pid cannot mix two processes.
 */
#ifndef GUARDMAPS_PROC_H
#define GUARDMAPS_PROC_H

#include "guardmaps.h"
#include "stat.h"

/** What has become of the memory of a process. */
enum memory_state {
	MEMORY_ALIVE,
	/** execve() has put another address space in its place. */
	MEMORY_REPLACED,
	/** The thread that it was read through has ended, others live. */
	MEMORY_THREAD_ENDED,
	/** The process has ended, or is about to. */
	MEMORY_ENDED,
	/** A kernel thread never had any. */
	MEMORY_NEVER,
};

struct guardmaps_process {
	pid_t pid;
	/* Of /proc/PID, and of its stat file; -1 where a recorded tree has none. */
	int dirfd;
	int stat_fd;
	/* "/proc/PID" with the sysroot before it, for messages. */
	char *directory;
	/* Below a sysroot: no system call may ask about a live process. */
	bool recorded;

	/* The rest is as of process_refresh(). */
	char name[PROCESS_NAME_SIZE];
	struct task_stat stat;
	/* ALIVE, ENDED or NEVER. */
	enum memory_state memory;
	/*
	 * Where the files of its memory are: "", or "task/TID/" of a thread
	 * that lives when the first one has ended.
	 */
	char memory_directory[32];
};

/* ---- The process (proc.c) --------------------------------------------- */

/**
 * Read again what may change: name, memory, and where that is found.
 *
 * Errors: ENDED, FORMAT, OS. A process without memory is no error.
 */
struct guardmaps_error *process_refresh(struct guardmaps_process *process);

/**
 * Refresh it and find out what has become of its memory: ALIVE, ENDED or NEVER.
 * A process that is no longer there is no error.
 *
 * Errors: FORMAT, OS.
 */
struct guardmaps_error *process_refresh_memory(struct guardmaps_process *process,
					       enum memory_state *ret);

/** Refresh it; whether it is known to have ended. */
bool process_has_ended(struct guardmaps_process *process);

/** NO_ADDRESS_SPACE for a kernel thread or a zombie, else NULL. */
struct guardmaps_error *
process_check_memory(const struct guardmaps_process *process);

/** The id of the first thread, by whatever thread the process was opened. */
pid_t process_first_thread(const struct guardmaps_process *process);

/**
 * Its pid in the innermost pid namespace that it is in, which outlives its
 * restore from a checkpoint (NSpid, proc_pid_status(5), Linux 4.1).
 * Returns a negative errno on failure.
 */
pid_t process_innermost_pid(const struct guardmaps_process *process);

/* ---- Its files (files.c) ---------------------------------------------- */

/**
 * Open a file of the process for reading, or with @flags (O_DIRECTORY).
 * Returns a descriptor or a negative errno.
 */
int process_open_file(const struct guardmaps_process *process,
		      const char *file, int flags);

/**
 * Read a small file whole from its start, with a zero byte after it. Returns its
 * length, at most @size - 1, or a negative errno.
 */
ssize_t read_small_file(int fd, char *ret, size_t size);

/** The same by name. */
ssize_t process_read_file(const struct guardmaps_process *process,
			  const char *file, char *ret, size_t size);

/**
 * Read what follows the name of a line in /proc/PID/status, cut off where @ret
 * is too short. Returns 0, or a negative errno; -ENODATA if there is none.
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
 * Read the name of a task from its comm file.
 *
 * @directory: of the task, with a slash, below that of the process; or "".
 * @ret: of PROCESS_NAME_SIZE bytes.
 *
 * Returns 0 or a negative errno.
 */
int process_read_name(const struct guardmaps_process *process,
		      const char *directory, char *ret);

/**
 * Read where a symbolic link points to, with a zero byte after it.
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

/* ---- Its threads (tasks.c) -------------------------------------------- */

/**
 * The thread ids of the process, ascending. The caller frees the array.
 * Errors: ENDED, OS, PERMISSION, NO_MEMORY.
 */
struct guardmaps_error *
process_list_threads(const struct guardmaps_process *process, pid_t **ret,
		     size_t *ret_count);

/** Whether a thread of the process is there and not about to end. */
bool process_has_living_thread(const struct guardmaps_process *process,
			       pid_t tid);

/** The same by its directory, with a slash, below that of the process. */
bool process_is_living_thread(const struct guardmaps_process *process,
			      const char *directory);

#endif /* GUARDMAPS_PROC_H */
