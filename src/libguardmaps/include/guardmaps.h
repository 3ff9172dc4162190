/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libguardmaps: the guard regions of a Linux process.
 *
 * A guard marker is a page-table entry, set by madvise(MADV_GUARD_INSTALL)
 * (Linux 6.13), that makes every access to its page raise SIGSEGV. A mapping is
 * one VMA, one line of /proc/PID/maps. A guard region is the longest run of
 * guard markers in one mapping. A guard map is the mappings of a process and
 * the guard regions in them.
 *
 * Conventions:
 *
 * - Addresses and sizes are in bytes. Ranges are half open, [start, end), and
 *   both ends are multiples of the page size.
 * - A function that can fail returns NULL on success and otherwise a struct
 *   guardmaps_error, which the caller frees with guardmaps_error_destroy(). The
 *   result is stored through the last parameter, `ret`, which is unchanged on
 *   failure.
 * - Pointers that are returned from a guard map, a process or a list of threads
 *   belong to it and are valid as long as it exists, unless stated otherwise.
 * - There is no global state, and nothing is printed. Two threads may use the
 *   library at the same time on different objects.
 */
#ifndef GUARDMAPS_H
#define GUARDMAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Everything else in the library is hidden. */
#pragma GCC visibility push(default)

/* ---- Errors ----------------------------------------------------------- */

enum guardmaps_error_code {
	/** Out of memory. */
	GUARDMAPS_ERROR_NO_MEMORY = 1,
	/** A system call failed; see guardmaps_error_errno(). */
	GUARDMAPS_ERROR_OS,
	/** The caller passed an invalid argument. */
	GUARDMAPS_ERROR_INVALID,
	/** Permission denied (EACCES, EPERM): more privileges would help. */
	GUARDMAPS_ERROR_PERMISSION,
	/** The process does not exist. */
	GUARDMAPS_ERROR_NO_PROCESS,
	/** The process ended while being read. */
	GUARDMAPS_ERROR_ENDED,
	/** A kernel thread or a zombie, which has no memory. */
	GUARDMAPS_ERROR_NO_ADDRESS_SPACE,
	/** The source cannot be used here (kernel too old, recorded tree). */
	GUARDMAPS_ERROR_UNSUPPORTED,
	/** A file is malformed, damaged or truncated. */
	GUARDMAPS_ERROR_FORMAT,
};

/** Describes a failure. */
struct guardmaps_error;

/** The kind of failure. */
enum guardmaps_error_code
guardmaps_error_code(const struct guardmaps_error *error);

/** The errno value that caused the failure, or 0 if there was none. */
int guardmaps_error_errno(const struct guardmaps_error *error);

/**
 * One line to print, without a full stop or newline: what was being done, to
 * what, and why it failed. Control characters in names are replaced by "?".
 * Belongs to @error.
 */
const char *guardmaps_error_message(const struct guardmaps_error *error);

/** Free an error. NULL is allowed. */
void guardmaps_error_destroy(struct guardmaps_error *error);

/* ---- Sources ---------------------------------------------------------- */

/** The kernel interface that a guard map was read from. */
enum guardmaps_source {
	/** Use the first source that can be used. */
	GUARDMAPS_SOURCE_AUTO = 0,
	/** /proc/PID/guards (a kernel with the guardmaps series). */
	GUARDMAPS_SOURCE_GUARDS = 1,
	/** ioctl(PAGEMAP_SCAN) with PAGE_IS_GUARD (Linux 6.16). */
	GUARDMAPS_SOURCE_SCAN = 2,
	/** Bit 58 of /proc/PID/pagemap (Linux 6.15). */
	GUARDMAPS_SOURCE_PAGEMAP = 3,
	/**
	 * Swap type and offset in /proc/PID/pagemap (Linux 6.13). Needs
	 * CAP_SYS_ADMIN. The only source that also shows other markers.
	 */
	GUARDMAPS_SOURCE_MARKERS = 4,
};

/** The sources other than AUTO, in the order in which AUTO tries them. */
size_t guardmaps_source_count(void);
enum guardmaps_source guardmaps_source_at(size_t i);

/** The name of a source, such as "scan" or "auto". Static. */
const char *guardmaps_source_name(enum guardmaps_source source);

/** What a source reads, such as "bit 58 of /proc/PID/pagemap". Static. */
const char *guardmaps_source_description(enum guardmaps_source source);

/** What a source needs, such as "Linux 6.15"; "" for AUTO. Static. */
const char *guardmaps_source_needs(enum guardmaps_source source);

/**
 * Find a source by its name.
 * Errors: INVALID. The message lists the names.
 */
struct guardmaps_error *guardmaps_source_from_name(const char *name,
						   enum guardmaps_source *ret);

/* ---- Processes -------------------------------------------------------- */

/** An open process under /proc, never mistaken for one that reuses its pid. */
struct guardmaps_process;

/**
 * Open a process.
 *
 * @pid: process or thread id, in the pid namespace of the /proc that is read.
 * @sysroot: NULL for the live /proc. Otherwise, a directory: the recorded tree
 *	@sysroot/proc/PID is read, and no system call refers to a live process.
 *
 * Kernel threads and zombies can be opened.
 *
 * Errors: NO_PROCESS, PERMISSION, FORMAT, OS, NO_MEMORY.
 */
struct guardmaps_error *guardmaps_process_open(pid_t pid, const char *sysroot,
					       struct guardmaps_process **ret);

/** Close a process. NULL is allowed. */
void guardmaps_process_close(struct guardmaps_process *process);

/** The id that was passed to guardmaps_process_open(). */
pid_t guardmaps_process_pid(const struct guardmaps_process *process);

/** The name of the process (proc_pid_comm(5)), usually at most 15 bytes. */
const char *guardmaps_process_name(const struct guardmaps_process *process);

/**
 * Read the cgroup of the process, as a path below the root of the hierarchy of
 * version 2 or, with version 1, that of systemd (cgroups(7)).
 *
 * @ret: "" if it is unknown because the kernel has no such hierarchy, or it was
 *	not recorded. The caller frees it with free().
 *
 * Errors: ENDED, FORMAT, OS, NO_MEMORY.
 */
struct guardmaps_error *
guardmaps_process_cgroup(const struct guardmaps_process *process, char **ret);

/**
 * Read the most mappings that the system lets a process have (vm.max_map_count).
 *
 * @ret: 0 if it is unknown because it may not be read or was not recorded.
 *
 * Errors: OS, NO_MEMORY.
 */
struct guardmaps_error *
guardmaps_process_mapping_limit(const struct guardmaps_process *process,
				uint64_t *ret);

/* ---- Guard maps ------------------------------------------------------- */

enum guardmaps_permission {
	GUARDMAPS_READ = 1 << 0,
	GUARDMAPS_WRITE = 1 << 1,
	GUARDMAPS_EXECUTE = 1 << 2,
	GUARDMAPS_SHARED = 1 << 3,
};

/** How a mapping is locked into memory (mlock2(2), mlockall(2)). */
enum guardmaps_lock {
	/** No guard can be installed until the mapping is unlocked. */
	GUARDMAPS_LOCKED = 1 << 0,
	/** Pages are locked when touched: MLOCK_ONFAULT, MCL_ONFAULT. */
	GUARDMAPS_LOCKED_ON_FAULT = 1 << 1,
};

/** One mapping: the fields of one line of /proc/PID/maps. */
struct guardmaps_mapping {
	uint64_t start;
	uint64_t end;
	/** Offset of @start in the file, in bytes. */
	uint64_t offset;
	uint64_t inode;
	/**
	 * The name as printed by the kernel: a path (with newlines as \012, and
	 * possibly followed by " (deleted)"), a name in brackets, or "". Never
	 * NULL.
	 */
	const char *name;
	uint32_t dev_major;
	uint32_t dev_minor;
	/** Bits of enum guardmaps_permission. */
	uint32_t permissions;
	/** The mapping, or one of the same file next to it, is executable. */
	bool is_program;
	/**
	 * Bits of enum guardmaps_lock, and others that the library uses itself.
	 * 0 after guardmaps_map_read(), which does not read them. They are
	 * recorded in images that the CRIU plugin has written.
	 */
	uint8_t flags;
};

/**
 * The offset in bytes of an address in the mapped file. If no file is mapped,
 * the offset of the mapping.
 */
uint64_t guardmaps_mapping_offset(const struct guardmaps_mapping *mapping,
				  uint64_t address);

/** An index that stands for no mapping, no region or no owner. */
#define GUARDMAPS_NONE UINT32_MAX

/** One guard region. */
struct guardmaps_region {
	uint64_t start;
	uint64_t end;
	/** Index of the mapping that contains it. */
	uint32_t mapping;
	/** Index of the owner whose stack it guards, or GUARDMAPS_NONE. */
	uint32_t owner;
};

/** A thread whose stack is guarded. */
struct guardmaps_owner {
	pid_t tid;
	/** Index of the guard region. */
	uint32_t region;
	/** Name of the thread, or "" if it is unknown. */
	const char *name;
};

/** The purpose of a page-table marker (include/linux/swapops.h). */
enum guardmaps_marker {
	GUARDMAPS_MARKER_NONE,
	GUARDMAPS_MARKER_GUARD,
	/** userfaultfd write protection of a page that is not present. */
	GUARDMAPS_MARKER_UFFD_WP,
	/** UFFDIO_POISON, or memory lost to an uncorrected error. */
	GUARDMAPS_MARKER_POISON,
	/** A marker that is unknown to this library. */
	GUARDMAPS_MARKER_OTHER,
};

/** "none", "guard", "uffd-wp", "poison" or "other". Static. */
const char *guardmaps_marker_name(enum guardmaps_marker marker);

/** A run of equal markers in one mapping, other than guard markers. */
struct guardmaps_marker_run {
	uint64_t start;
	uint64_t end;
	uint32_t mapping;
	enum guardmaps_marker marker;
};

/** What a guard region protects, as far as that is certain. */
enum guardmaps_kind {
	/** Anonymous memory of unknown purpose. */
	GUARDMAPS_KIND_ANON,
	/** The stack of a thread. */
	GUARDMAPS_KIND_STACK,
	/** The stack of the first thread, `[stack]`, created by the kernel. */
	GUARDMAPS_KIND_MAIN_STACK,
	/** The brk heap, `[heap]`. */
	GUARDMAPS_KIND_HEAP,
	/** A mapped file. */
	GUARDMAPS_KIND_FILE,
	/** Shared memory without a file of its own: memfd, /dev/zero, SysV. */
	GUARDMAPS_KIND_SHMEM,
	/** A program or library: see is_program in struct guardmaps_mapping. */
	GUARDMAPS_KIND_ELF,
};

/** "anon", "stack", "main-stack", "heap", "file", "shmem", "elf". Static. */
const char *guardmaps_kind_name(enum guardmaps_kind kind);

/** Mappings and the guard regions in them, both ascending by address. */
struct guardmaps_map;

/** Free a guard map. NULL is allowed. */
void guardmaps_map_destroy(struct guardmaps_map *map);

/** Id and name of the process that the guard map was read from. */
pid_t guardmaps_map_pid(const struct guardmaps_map *map);
const char *guardmaps_map_process_name(const struct guardmaps_map *map);

/**
 * Target of /proc/PID/exe, or "" if it could not be read or
 * guardmaps_find_owners() has not been called.
 */
const char *guardmaps_map_executable(const struct guardmaps_map *map);

/** The source that the guard map was read from. Never AUTO. */
enum guardmaps_source guardmaps_map_source(const struct guardmaps_map *map);

/** Page size in bytes of the machine that the guard map was read on. */
uint64_t guardmaps_map_page_size(const struct guardmaps_map *map);

/** Mappings, in ascending order. They do not overlap. */
size_t guardmaps_map_mapping_count(const struct guardmaps_map *map);
const struct guardmaps_mapping *
guardmaps_map_mapping(const struct guardmaps_map *map, size_t i);

/**
 * Guard regions, in ascending order, each in one mapping. They are stored in one
 * or two bytes each: guardmaps_next_region() is faster than this for many.
 */
size_t guardmaps_map_region_count(const struct guardmaps_map *map);
struct guardmaps_region guardmaps_map_region(const struct guardmaps_map *map,
					     size_t i);

/** Other markers. There are none unless the source is MARKERS. */
size_t guardmaps_map_marker_run_count(const struct guardmaps_map *map);
struct guardmaps_marker_run
guardmaps_map_marker_run(const struct guardmaps_map *map, size_t i);

/** A walk over the guard regions or marker runs of a guard map. */
struct guardmaps_cursor {
	const struct guardmaps_map *map;
	/* The rest is for the library alone. */
	size_t index;
	size_t offset;
	uint64_t address;
	uint32_t mapping;
	uint32_t owner;
};

/** Begin a walk at the guard region with index @i. */
struct guardmaps_cursor guardmaps_map_regions(const struct guardmaps_map *map,
					      size_t i);

/** The next guard region. Returns false after the last one. */
bool guardmaps_next_region(struct guardmaps_cursor *cursor,
			   struct guardmaps_region *ret);

/** The same for marker runs. */
struct guardmaps_cursor
guardmaps_map_marker_runs(const struct guardmaps_map *map, size_t i);
bool guardmaps_next_marker_run(struct guardmaps_cursor *cursor,
			       struct guardmaps_marker_run *ret);

/**
 * Owners, indexed by region.owner, in ascending order by region: see
 * guardmaps_find_owners().
 */
size_t guardmaps_map_owner_count(const struct guardmaps_map *map);
const struct guardmaps_owner *
guardmaps_map_owner(const struct guardmaps_map *map, size_t i);

/** What a guard region of @map protects. */
enum guardmaps_kind
guardmaps_region_kind(const struct guardmaps_map *map,
		      const struct guardmaps_region *region);

/** Index of the mapping that holds @address, or GUARDMAPS_NONE. */
uint32_t guardmaps_map_find_mapping(const struct guardmaps_map *map,
				    uint64_t address);

/** Index of the guard region that holds @address, or GUARDMAPS_NONE. */
uint32_t guardmaps_map_find_region(const struct guardmaps_map *map,
				   uint64_t address);

/** Totals of the guard regions of one process. */
struct guardmaps_totals {
	/** Number of guard regions, and number of bytes in them. */
	uint64_t regions;
	uint64_t bytes;
	/** Mappings that hold at least one guard region. */
	uint64_t mappings;
	/** Extra mappings that PROT_NONE guards would need. */
	uint64_t mappings_saved;
};

void guardmaps_map_totals(const struct guardmaps_map *map,
			  struct guardmaps_totals *ret);

/**
 * Read the guard map of a process.
 *
 * The process is not stopped. If it changes while being read, each part of the
 * guard map was true at some moment during the call. Regions do not have owners
 * yet.
 *
 * @source: the source to use, or GUARDMAPS_SOURCE_AUTO.
 *
 * Needs PTRACE_MODE_READ access to the process (ptrace(2)).
 *
 * Errors: ENDED, NO_ADDRESS_SPACE, PERMISSION, UNSUPPORTED (the source, or with
 * AUTO no source, can be used; the message says why), INVALID (no such source),
 * FORMAT, OS, NO_MEMORY. If a source cannot be used, the result is an error,
 * never an empty guard map.
 */
struct guardmaps_error *guardmaps_map_read(struct guardmaps_process *process,
					   enum guardmaps_source source,
					   struct guardmaps_map **ret);

/**
 * Find out whether a live process may have guard regions. Most have none, and
 * need not be read then: this takes much less time than guardmaps_map_read().
 *
 * Returns false only if the process certainly has none: its memory was scanned
 * (GUARDMAPS_SOURCE_SCAN). Returns true if that cannot be done, for whatever
 * reason; guardmaps_map_read() reports it.
 */
bool guardmaps_may_have_guards(pid_t pid);

/**
 * Find out whether a source can be used for a process.
 *
 * Returns NULL if it can, otherwise the reason why it cannot. Errors are as for
 * guardmaps_map_read(), but the message of UNSUPPORTED and PERMISSION names
 * neither the process nor the source.
 */
struct guardmaps_error *guardmaps_probe(struct guardmaps_process *process,
					enum guardmaps_source source);

/**
 * Read the marker of one page of a process, or NONE if it has none.
 *
 * Needs PTRACE_MODE_READ access and CAP_SYS_ADMIN (Linux 6.13).
 * Errors: as guardmaps_map_read() with GUARDMAPS_SOURCE_MARKERS.
 */
struct guardmaps_error *guardmaps_read_marker(struct guardmaps_process *process,
					      uint64_t address,
					      enum guardmaps_marker *ret);

/**
 * The same for several pages, which costs much less than one call for each.
 *
 * @ret: @count markers. If some cannot be read, they are unchanged, and the
 *	others are set all the same. The error is that of the first.
 */
struct guardmaps_error *
guardmaps_read_markers(struct guardmaps_process *process,
		       const uint64_t *addresses, size_t count,
		       enum guardmaps_marker *ret);

/* ---- Threads ---------------------------------------------------------- */

/** What is below a stack to keep it from overflowing into other memory. */
enum guardmaps_stack_guard {
	/** Nothing: an overflow reaches whatever lies below. */
	GUARDMAPS_STACK_GUARD_NONE,
	/** A guard region. */
	GUARDMAPS_STACK_GUARD_MARKER,
	/** A PROT_NONE mapping. */
	GUARDMAPS_STACK_GUARD_PROT_NONE,
	/** The gap that the kernel keeps free below `[stack]`. */
	GUARDMAPS_STACK_GUARD_GAP,
	/** Unknown because the stack is. */
	GUARDMAPS_STACK_GUARD_UNKNOWN,
};

/** "none", "marker", "PROT_NONE", "gap" or "unknown". Static. */
const char *guardmaps_stack_guard_name(enum guardmaps_stack_guard guard);

/** Whether a stack pointer is known, or why not. */
enum guardmaps_stack_pointer_state {
	/** It is known. */
	GUARDMAPS_STACK_POINTER_KNOWN,
	/** The thread was running, so there is no saved stack pointer. */
	GUARDMAPS_STACK_POINTER_RUNNING,
	/** No PTRACE_MODE_ATTACH access to the thread. */
	GUARDMAPS_STACK_POINTER_DENIED,
	/**
	 * It points outside the stack: to a signal stack, for example. If it
	 * points into the stack of another thread, guardmaps_threads_find_stack()
	 * finds that. A frame larger than the guard may have jumped over it.
	 */
	GUARDMAPS_STACK_POINTER_ELSEWHERE,
	/** The kernel or the recorded tree does not show it. */
	GUARDMAPS_STACK_POINTER_UNSUPPORTED,
	/** It points into the guard of the stack, which has overflowed. */
	GUARDMAPS_STACK_POINTER_OVERFLOWED,
};

/** What a stack is known from, or why it is not known. */
enum guardmaps_stack_evidence {
	/** The C library's descriptor of the thread, and the mappings. */
	GUARDMAPS_STACK_BY_DESCRIPTOR,
	/** The name that glibc has given to the memory, and the mappings. */
	GUARDMAPS_STACK_BY_NAME,
	/** The kernel: it is the first thread, and `[stack]` its stack. */
	GUARDMAPS_STACK_BY_KERNEL,
	/** Unknown: neither a descriptor nor a name was found. */
	GUARDMAPS_STACK_NO_DESCRIPTOR,
	/** Unknown: that, and the first thread is not on `[stack]`. */
	GUARDMAPS_STACK_ELSEWHERE,
	/** Unknown: no access to the memory, where the descriptor is. */
	GUARDMAPS_STACK_DENIED,
	/** Unknown: the descriptor and the mappings contradict each other. */
	GUARDMAPS_STACK_CONFLICT,
	/** Unknown: the descriptor of another thread claims it, too. */
	GUARDMAPS_STACK_SHARED,
	/** Unknown: the stack grows, and its limit was not recorded. */
	GUARDMAPS_STACK_NO_LIMIT,
	/** The thread has ended, but the process has others. */
	GUARDMAPS_STACK_ENDED,
	/** A thread of the kernel in the process: io_uring, vhost. */
	GUARDMAPS_STACK_NEVER,
};

/**
 * "descriptor", "name", "kernel", or in a few words why the stack is unknown.
 * Static.
 */
const char *
guardmaps_stack_evidence_name(enum guardmaps_stack_evidence evidence);

/** One thread and its stack. */
struct guardmaps_thread {
	pid_t tid;
	/** "" if it has none, or it could not be read. */
	char name[64];
	/**
	 * The stack without its guard, or 0 if it is unknown. They need not be
	 * multiples of the page size if the program provided the memory. A stack
	 * that grows, as that of the first thread, starts at the lowest address
	 * that RLIMIT_STACK and the next mapping let it grow to.
	 */
	uint64_t stack_start;
	uint64_t stack_end;
	/** Valid only if stack_pointer_state is KNOWN, ELSEWHERE, OVERFLOWED. */
	uint64_t stack_pointer;
	enum guardmaps_stack_pointer_state stack_pointer_state;
	/**
	 * Start of the lowest page of the stack that has ever been touched
	 * (is present or swapped out), or 0 if it could not be read. A huge
	 * page counts as a whole. Also 0 if that does not prove that the stack
	 * was used so far: pages above it were not touched, or it holds only
	 * zeros or one value that fills it, or it cannot be read and is locked,
	 * or the stack pointer has jumped over the guard.
	 */
	uint64_t deepest_touched;
	/** What guards the stack, and where: 0 unless MARKER or PROT_NONE. */
	enum guardmaps_stack_guard guard;
	uint64_t guard_start;
	uint64_t guard_end;
};

/** The threads of one process at one point in time. */
struct guardmaps_threads;

/**
 * Find the threads of a process and their stacks. The threads are not stopped.
 *
 * Which memory is a stack is read from the C library's descriptor of its thread
 * (glibc, musl), and believed as far as the mappings bear it out. The descriptor
 * is found through the robust list of the thread (get_robust_list(2)), or if
 * there is none, through the stack pointer.
 *
 * @map: a guard map of the same process that has just been read.
 *
 * Needs PTRACE_MODE_READ access, and PTRACE_MODE_ATTACH access for the stack
 * pointers and descriptors. Errors: ENDED, PERMISSION, OS, NO_MEMORY.
 */
struct guardmaps_error *
guardmaps_threads_create(struct guardmaps_process *process,
			 const struct guardmaps_map *map,
			 struct guardmaps_threads **ret);

/** What else to find out about each stack, which takes time. */
enum guardmaps_detail {
	/** How much of it is in memory. */
	GUARDMAPS_DETAIL_RESIDENCE = 1 << 0,
};

/**
 * The same, with details.
 *
 * @details: bits of enum guardmaps_detail. Others are ignored.
 */
struct guardmaps_error *guardmaps_threads_create_detailed(
	struct guardmaps_process *process, const struct guardmaps_map *map,
	unsigned int details, struct guardmaps_threads **ret);

/** Free a list of threads. NULL is allowed. */
void guardmaps_threads_destroy(struct guardmaps_threads *threads);

/** The first thread of the process, then the others in order of their ids. */
size_t guardmaps_threads_count(const struct guardmaps_threads *threads);
const struct guardmaps_thread *
guardmaps_threads_get(const struct guardmaps_threads *threads, size_t i);

/** What the stack of thread @i is known from, or why it is not known. */
enum guardmaps_stack_evidence
guardmaps_threads_evidence(const struct guardmaps_threads *threads, size_t i);

/** The thread whose stack, without its guard, holds an address, or NULL. */
const struct guardmaps_thread *
guardmaps_threads_find_stack(const struct guardmaps_threads *threads,
			     uint64_t address);

/**
 * How many bytes of the stack of thread @i are in memory, and how many of these are
 * in huge pages that are mapped as a whole. Pages that were read but never written
 * do not count, as in proc_pid_smaps(5).
 *
 * Both return false if that is unknown: without GUARDMAPS_DETAIL_RESIDENCE, if the
 * stack is unknown, or if the pagemap could not be read. A recorded tree does not
 * show huge pages, and there pages that were only read do count.
 */
bool guardmaps_threads_resident(const struct guardmaps_threads *threads,
				size_t i, uint64_t *ret);
bool guardmaps_threads_huge(const struct guardmaps_threads *threads, size_t i,
			    uint64_t *ret);

/**
 * Find the threads whose stacks the guard regions of @map protect, and add them
 * to @map, together with the executable of the process. An owner is found
 * through the stack of the thread, or by the name that glibc has given to the
 * mapping (glibc.mem.decorate_maps).
 *
 * Errors: as guardmaps_threads_create().
 */
struct guardmaps_error *guardmaps_find_owners(struct guardmaps_process *process,
					      struct guardmaps_map *map);

/* ---- Images ----------------------------------------------------------- */

/**
 * Write a guard map to a file, in the format of guardmaps.proto.
 *
 * The file has mode 0600, and @path is never an incomplete image. The image is
 * written to a file without a name in the same directory (O_TMPFILE), flushed to
 * the disk, and only then renamed to @path. Anything but a regular file, such as
 * a symbolic link, is neither replaced nor written through.
 *
 * @dirfd: directory in which a relative @path is looked up, or AT_FDCWD.
 * @path: NULL to write to the open file @dirfd, which may be a pipe.
 *
 * Errors: OS (disk full, for example), PERMISSION, INVALID (not a regular file,
 * or a guard map that could not be read again), NO_MEMORY.
 */
struct guardmaps_error *guardmaps_image_write(const struct guardmaps_map *map,
					      int dirfd, const char *path);

/** The most memory that guardmaps_image_read() uses, in bytes. */
#define GUARDMAPS_IMAGE_MEMORY (UINT64_C(1) << 30)

/**
 * Read a guard map from a file. If anything in the file is wrong, the result is
 * an error, and nothing in the file is used. Only regular files are read, so
 * this never waits for another process.
 *
 * Errors: FORMAT, OS, PERMISSION, NO_MEMORY (also if it needs more than
 * GUARDMAPS_IMAGE_MEMORY).
 */
struct guardmaps_error *guardmaps_image_read(int dirfd, const char *path,
					     struct guardmaps_map **ret);

/**
 * The same with another limit.
 *
 * Reading takes at most four times the size of the image, and
 * sizeof(struct guardmaps_mapping) for each mapping in it.
 *
 * @path: NULL to read the open file @dirfd, which may be a pipe.
 * @limit: the most memory that the guard map may take, and the most bytes of
 *	the image to read. Another 5 MiB may be needed for a short time.
 */
struct guardmaps_error *
guardmaps_image_read_limited(int dirfd, const char *path, uint64_t limit,
			     struct guardmaps_map **ret);

/* ---- Comparing -------------------------------------------------------- */

enum guardmaps_change {
	/** Guarded in the first guard map, not in the second. */
	GUARDMAPS_MISSING,
	/** Guarded in the second guard map, not in the first. */
	GUARDMAPS_EXTRA,
};

/** A run of pages that is guarded in only one of two guard maps. */
struct guardmaps_difference {
	uint64_t start;
	uint64_t end;
	/** Its region, in the guard map that has the region. */
	struct guardmaps_region region;
	enum guardmaps_change change;
};

/** A comparison of two guard maps. */
struct guardmaps_comparison {
	/* All is for the library alone. By enum guardmaps_change: */
	struct guardmaps_cursor cursors[2];
	struct guardmaps_region regions[2];
	/* Start of what is left of each region, or UINT64_MAX. */
	uint64_t starts[2];
};

/**
 * Begin to compare the guarded pages of two guard maps, which must exist until
 * the comparison is over. No memory is needed, however many differences there
 * are, and nothing need be freed.
 *
 * Errors: INVALID (page sizes differ).
 */
struct guardmaps_error *guardmaps_diff(const struct guardmaps_map *first,
				       const struct guardmaps_map *second,
				       struct guardmaps_comparison *ret);

/**
 * The next difference, in ascending order. Returns false if there is none.
 */
bool guardmaps_next_difference(struct guardmaps_comparison *comparison,
			       struct guardmaps_difference *ret);

/* ---- Installing ------------------------------------------------------- */

/**
 * Install the guard regions of a guard map that a running process lacks. Guard
 * regions that only the process has are left alone.
 *
 * All threads of the process are stopped during the call. Locked mappings are
 * unlocked and then locked again as they were. Pages of a region that have no
 * permissions at all get those of the guard map once they are guarded, if the
 * mapping next to them, which they were split off, still has them. The
 * result is read back and verified.
 *
 * A child process does it, so that nothing can happen to the process: if the
 * caller is killed, the child finishes what it has begun; if the child is
 * killed, another one restores the process and installs what is left. In a
 * program with threads, the child's end sends SIGCHLD. No wait is without a
 * limit: if a system call that the process was made to run does not return, the
 * child stays, gives the process back as soon as it can, and the error says so.
 *
 * @map: a guard map of this process at another time, such as one read from an
 *	image. The executable and the mappings that contain the regions must be
 *	the same.
 * @only_check: change nothing.
 * @ret_missing: the number of runs of pages that were missing. They are guarded
 *	now, unless @only_check. On error it is set only if some of them were
 *	installed, to their number.
 *
 * Needs PTRACE_MODE_ATTACH access, and CAP_SYS_ADMIN if seccomp filters the
 * system calls of the process. The process must not be traced already.
 *
 * Errors: INVALID (another process, a mapping that cannot hold guard regions, or
 * /proc of another pid namespace), UNSUPPORTED (a 32-bit process, an unusable
 * vDSO, or an architecture other than x86-64 and aarch64), PERMISSION, ENDED,
 * NO_ADDRESS_SPACE, OS (ETIMEDOUT: a thread does not stop, or a call does not
 * return), NO_MEMORY.
 */
struct guardmaps_error *guardmaps_install(struct guardmaps_process *process,
					  const struct guardmaps_map *map,
					  bool only_check, size_t *ret_missing);

/**
 * The same, ended early as soon as a descriptor is readable: a signalfd(2), an
 * eventfd(2), a pipe. The process is given back as it was; guard regions that
 * were installed by then stay.
 *
 * @cancel_fd: -1 for none. Nothing is read from it.
 *
 * Errors: also OS with ECANCELED.
 */
struct guardmaps_error *
guardmaps_install_cancellable(struct guardmaps_process *process,
			      const struct guardmaps_map *map, bool only_check,
			      int cancel_fd, size_t *ret_missing);

/* ---- Explaining ------------------------------------------------------- */

/** What is at an address. */
enum guardmaps_verdict {
	/**
	 * A guard region: every access raises SIGSEGV, with SEGV_MAPERR if the
	 * permissions of the mapping allow it, otherwise with SEGV_ACCERR.
	 */
	GUARDMAPS_VERDICT_GUARD,
	/** A mapping without permissions: SEGV_ACCERR. */
	GUARDMAPS_VERDICT_PROT_NONE,
	/** A mapping that lacks a permission: SEGV_ACCERR for some accesses. */
	GUARDMAPS_VERDICT_NO_PERMISSION,
	/** A mapping that permits reading and writing. */
	GUARDMAPS_VERDICT_ACCESSIBLE,
	/** Nothing is mapped: SEGV_MAPERR, unless a stack grows down to it. */
	GUARDMAPS_VERDICT_UNMAPPED,
	/** Nothing is mapped, so close to 0 that it was a null pointer. */
	GUARDMAPS_VERDICT_NULL_PAGE,
	/** Write protection by userfaultfd: writes wait for the handler. */
	GUARDMAPS_VERDICT_UFFD_WP,
	/** A poison marker: every access raises SIGBUS. */
	GUARDMAPS_VERDICT_POISON,
	/**
	 * x86-64: not an address at all. An access raises SIGSEGV, or SIGBUS
	 * through the stack pointer, with SI_KERNEL and address 0.
	 */
	GUARDMAPS_VERDICT_NON_CANONICAL,
	/** Past the last page of the mapped file: SIGBUS with BUS_ADRERR. */
	GUARDMAPS_VERDICT_FILE_END,

	/* Only of a fault: see guardmaps_core_fault(). */

	/**
	 * The stack pointer is past a guard, in the stack of another thread or
	 * where nothing is mapped.
	 */
	GUARDMAPS_VERDICT_JUMPED_GUARD,
	/** The stack of the first thread could not grow (RLIMIT_STACK). */
	GUARDMAPS_VERDICT_MAIN_STACK_LIMIT,
	/** The kernel did not report the address. It is not 0. */
	GUARDMAPS_VERDICT_UNKNOWN_ADDRESS,
	/** Sent by a process, as by kill(2), abort(3) or raise(3). */
	GUARDMAPS_VERDICT_SENT,
	/** Sent by the process to itself, as if the kernel had sent it. */
	GUARDMAPS_VERDICT_FORGED,
	/** Not because of a guard or the mappings. */
	GUARDMAPS_VERDICT_OTHER,
};

/**
 * "guard", "PROT_NONE", "no-permission", "accessible", "unmapped",
 * "null-page", "uffd-wp", "poison", "non-canonical", "file-end", "jumped-guard",
 * "main-stack-limit", "unknown-address", "sent", "forged", "other". Static.
 */
const char *guardmaps_verdict_name(enum guardmaps_verdict verdict);

/** The verdict on one address. Indexes may be GUARDMAPS_NONE. */
struct guardmaps_explanation {
	/** On aarch64, without the tag in its top byte. */
	uint64_t address;
	enum guardmaps_verdict verdict;
	/** The mapping and the guard region that hold the address. */
	uint32_t mapping;
	uint32_t region;
	/**
	 * The nearest mappings entirely below and above the address, except
	 * x86's [vsyscall].
	 */
	uint32_t mapping_below;
	uint32_t mapping_above;
};

/**
 * Find out what is at an address.
 *
 * @map: read from a process or an image. Its marker runs are considered.
 * @marker: the result of guardmaps_read_marker() for the page, or
 *	GUARDMAPS_MARKER_NONE if that could not be read.
 */
void guardmaps_explain(const struct guardmaps_map *map, uint64_t address,
		       enum guardmaps_marker marker,
		       struct guardmaps_explanation *ret);

/**
 * Look at the size of the file that is mapped at the address of an explanation.
 * If the address is past its last page, the verdict becomes FILE_END.
 *
 * @process: the one that the guard map was read from.
 * @ret_is_known: false if there is a file, but its size is not known: it is found
 *	only with CAP_CHECKPOINT_RESTORE, or if it still has its name. No file
 *	server is asked. Set to true if there is no file.
 *
 * Errors: OS, NO_MEMORY.
 */
struct guardmaps_error *
guardmaps_explain_file(const struct guardmaps_process *process,
		       const struct guardmaps_map *map,
		       struct guardmaps_explanation *explanation,
		       bool *ret_is_known);

/* ---- Core files ------------------------------------------------------- */

/** A core file (core(5)) of an x86-64 or aarch64 process. */
struct guardmaps_core;

/**
 * Read a core file, written by the kernel or by gdb's gcore. It may be cut off:
 * registers and mappings come first. It may be of another architecture than that
 * of this machine. If it is compressed with zstd(1), it is decompressed into a file
 * without a name in TMPDIR or /var/tmp, up to 32 GiB.
 *
 * The memory needed is bounded by the size of the file. Only regular files are
 * read, so this never waits for another process.
 *
 * @image: a guard map of the same process, whose guard regions are used, or NULL.
 *
 * Errors: FORMAT (not a core file, or cut off before the registers), UNSUPPORTED
 * (another architecture, or compressed in another way), INVALID (the image is of another process), PERMISSION,
 * OS, NO_MEMORY.
 */
struct guardmaps_error *guardmaps_core_open(const char *path,
					    const struct guardmaps_map *image,
					    struct guardmaps_core **ret);

/**
 * Trace all threads of a process (PTRACE_SEIZE, ptrace(2)), which run on.
 *
 * @options: PTRACE_O_TRACECLONE is added to these.
 *
 * A thread is missed if another one was in the middle of starting it (the kernel
 * looks at the tracer before it makes the thread): call this again a little later.
 *
 * The calling thread becomes the tracer. On error some threads may be traced: they
 * are until it ends. PTRACE_SEIZE waits while the process is in execve(2), and an
 * execve(2) waits for traced threads to be waited for: a caller that must not wait
 * for ever needs a timer.
 *
 * Needs PTRACE_MODE_ATTACH access. Errors: PERMISSION (the message says which
 * process traces it already), NO_ADDRESS_SPACE, ENDED, INVALID (/proc of another
 * pid namespace), OS, NO_MEMORY.
 */
struct guardmaps_error *guardmaps_trace(struct guardmaps_process *process,
					unsigned long options);

/**
 * Read a process that lives as if it were a core file: what its memory, its threads
 * and its mappings are now. Guard regions are read, so they are all known.
 *
 * @tid: a thread of the process that the caller traces and that has stopped before a signal
 *	is delivered. As long as it stands, so does what is read of it. Other threads
 *	may run.
 *
 * Errors: as guardmaps_map_read(), and UNSUPPORTED (a 32-bit process, or another
 * architecture than x86-64 and aarch64).
 */
struct guardmaps_error *
guardmaps_core_of_tracee(struct guardmaps_process *process, pid_t tid,
			 enum guardmaps_source source,
			 struct guardmaps_core **ret);

/** Close a core file. NULL is allowed. */
void guardmaps_core_close(struct guardmaps_core *core);

/**
 * The mappings, and the guard regions that are known: those in the image, and
 * guards of thread stacks according to the C library's thread descriptors (glibc,
 * musl) in the core file. A core file by itself does not say where other guard
 * regions are. Belongs to @core.
 */
const struct guardmaps_map *
guardmaps_core_map(const struct guardmaps_core *core);

/** Whether the file ends before what its headers promise. */
bool guardmaps_core_is_cut(const struct guardmaps_core *core);

/**
 * The threads and their stacks: the one that got the signal, then the others. The
 * stack of the first thread is unknown, because the core file does not have its
 * limit. Names are those of owners in the image. The deepest page touched is the
 * lowest that holds anything but zeros. The caller frees the list.
 *
 * Errors: OS, NO_MEMORY.
 */
struct guardmaps_error *
guardmaps_core_threads(const struct guardmaps_core *core,
		       struct guardmaps_threads **ret);

/** How sure a verdict is. */
enum guardmaps_certainty {
	/** There is no address to judge, or the mappings contradict the signal. */
	GUARDMAPS_CERTAINTY_NONE,
	/**
	 * By the signal and the mappings at the time of the dump. Another thread
	 * may have changed them after the fault.
	 */
	GUARDMAPS_CERTAINTY_MAPPINGS,
	/** By the image, or by the thread descriptor of the owner. */
	GUARDMAPS_CERTAINTY_CERTAIN,
};

/** "none", "mappings" or "certain". Static. */
const char *guardmaps_certainty_name(enum guardmaps_certainty certainty);

/** A crash. */
struct guardmaps_fault {
	/** The thread that got the signal. */
	pid_t tid;
	/** Its name, or "" if it is unknown. Belongs to the core. */
	const char *name;
	int signal;
	/** si_code (sigaction(2)). */
	int code;
	/**
	 * 0, or the signal that ended the process in a handler of its own, which
	 * was called for @signal. @code is then SEGV_MAPERR or SEGV_ACCERR by the
	 * mappings if the handler did not ask for it (SA_SIGINFO).
	 */
	int ended_by;
	uint64_t instruction_pointer;
	uint64_t stack_pointer;
	enum guardmaps_verdict verdict;
	enum guardmaps_certainty certainty;
	/**
	 * The address and what is there. All indexes are GUARDMAPS_NONE unless
	 * the kernel reported an address.
	 */
	struct guardmaps_explanation explanation;
	/** The instruction at the address was to be executed. */
	bool is_jump;
	/** The thread whose stack guard holds the address, or 0, and the guard. */
	pid_t owner;
	const char *owner_name;
	uint64_t guard_start;
	uint64_t guard_end;
	/** The thread whose stack was entered past a guard, or 0. */
	pid_t entered;
	const char *entered_name;
};

/**
 * Find out why the process got its signal.
 *
 * A guard raises SIGSEGV with SEGV_MAPERR inside a mapping; so do few other
 * things. In a mapping that does not permit the access, it raises SEGV_ACCERR as
 * if there were no guard.
 */
void guardmaps_core_fault(const struct guardmaps_core *core,
			  struct guardmaps_fault *ret);

/** The backtrace of the thread that crashed. */
struct guardmaps_backtrace;

/**
 * Unwind the stack of the thread that crashed, from the fault, with libdw. The
 * programs and libraries are opened where they were, if they are regular files and
 * have the build ID that is in the core file.
 *
 * @exe: the file of the program, or NULL for where it was.
 * @asks_servers: let libdw ask the servers in DEBUGINFOD_URLS for debugging
 *	information. They may never answer.
 *
 * What cannot be unwound ends the backtrace: that is no error. A backtrace must be
 * destroyed before its core. Errors: NO_MEMORY.
 */
struct guardmaps_error *
guardmaps_core_backtrace(const struct guardmaps_core *core, const char *exe,
			 bool asks_servers, struct guardmaps_backtrace **ret);

/** Free a backtrace. NULL is allowed. */
void guardmaps_backtrace_destroy(struct guardmaps_backtrace *backtrace);

/** Number of frames. The innermost is frame 0. */
size_t guardmaps_backtrace_count(const struct guardmaps_backtrace *backtrace);

/**
 * The name of a program or library that was not used, because the file that has
 * this name now has another build ID; or NULL. Belongs to the core.
 */
const char *
guardmaps_backtrace_changed(const struct guardmaps_backtrace *backtrace);

/** Frames [first, first + period), which come @times times in a row: recursion. */
struct guardmaps_frame_run {
	size_t first;
	size_t period;
	size_t times;
};

/** All frames, in order, as runs. Most come once. */
size_t
guardmaps_backtrace_run_count(const struct guardmaps_backtrace *backtrace);
struct guardmaps_frame_run
guardmaps_backtrace_run(const struct guardmaps_backtrace *backtrace, size_t i);

struct guardmaps_frame {
	/** In the calling instruction, except in the innermost frame. */
	uint64_t address;
	/** Name of the function, or "", and the offset of the address in it. */
	const char *function;
	uint64_t offset;
	/** The program or library, or "". Strings belong to the backtrace. */
	const char *file;
};

/** The frame with index @i. */
void guardmaps_backtrace_frame(const struct guardmaps_backtrace *backtrace,
			       size_t i, struct guardmaps_frame *ret);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* GUARDMAPS_H */
