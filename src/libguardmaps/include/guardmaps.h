/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libguardmaps: the guard regions of a Linux process.
 *
 * A guard marker is a page-table entry, set by madvise(MADV_GUARD_INSTALL)
 * (Linux 6.13), that makes every access to its page a SIGSEGV. A guard region
 * is the longest run of guard markers inside one mapping. A mapping is one
 * VMA, one line of /proc/PID/maps. A guard map is a process's mappings and the
 * guard regions in them.
 *
 * Conventions:
 *
 * - Addresses and sizes are in bytes. Ranges are half open, [start, end), and
 *   both ends are multiples of the page size.
 * - A function that can fail returns a struct guardmaps_error that the caller
 *   frees with guardmaps_error_destroy(), or NULL for success. What it makes
 *   comes out through its last parameter, `ret`, which is left alone on
 *   failure.
 * - Pointers that a guard map, a process or a list of threads hands out belong
 *   to it and live as long as it does, unless it says otherwise.
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

/* The library is built with all else hidden. */
#pragma GCC visibility push(default)

/* ---- Errors ----------------------------------------------------------- */

enum guardmaps_error_code {
	/** Out of memory. */
	GUARDMAPS_ERROR_NO_MEMORY = 1,
	/** A system call failed; see guardmaps_error_errno(). */
	GUARDMAPS_ERROR_OS,
	/** The caller passed something that makes no sense. */
	GUARDMAPS_ERROR_INVALID,
	/** Not permitted (EACCES, EPERM): more privileges would help. */
	GUARDMAPS_ERROR_PERMISSION,
	/** There is no such process. */
	GUARDMAPS_ERROR_NO_PROCESS,
	/** The process ended while it was read. */
	GUARDMAPS_ERROR_ENDED,
	/** A kernel thread or a zombie: it has no memory to look at. */
	GUARDMAPS_ERROR_NO_ADDRESS_SPACE,
	/** This source cannot answer here (kernel too old, recorded tree). */
	GUARDMAPS_ERROR_UNSUPPORTED,
	/** A file does not hold what it should: wrong, damaged or cut short. */
	GUARDMAPS_ERROR_FORMAT,
};

/** Why something failed. */
struct guardmaps_error;

/** What kind of failure this is. */
enum guardmaps_error_code
guardmaps_error_code(const struct guardmaps_error *error);

/** The errno value behind it, or 0 where there was none. */
int guardmaps_error_errno(const struct guardmaps_error *error);

/**
 * One line for a person, without a full stop or newline: what was being done,
 * to what, and why it failed. Belongs to @error.
 */
const char *guardmaps_error_message(const struct guardmaps_error *error);

/** Free an error. NULL is allowed. */
void guardmaps_error_destroy(struct guardmaps_error *error);

/* ---- Sources ---------------------------------------------------------- */

/** The kernel interface that a guard map was read from. */
enum guardmaps_source {
	/** Take the first source that can answer. */
	GUARDMAPS_SOURCE_AUTO = 0,
	/** /proc/PID/guards (a kernel with the guardmaps series). */
	GUARDMAPS_SOURCE_GUARDS = 1,
	/** ioctl(PAGEMAP_SCAN) with PAGE_IS_GUARD (Linux 6.16). */
	GUARDMAPS_SOURCE_SCAN = 2,
	/** Bit 58 of /proc/PID/pagemap (Linux 6.15). */
	GUARDMAPS_SOURCE_PAGEMAP = 3,
	/**
	 * Swap type and offset in /proc/PID/pagemap (Linux 6.13). Needs
	 * CAP_SYS_ADMIN. The only source that shows other markers as well.
	 */
	GUARDMAPS_SOURCE_MARKERS = 4,
};

/** Sources besides AUTO, in the order in which AUTO tries them. */
size_t guardmaps_source_count(void);
enum guardmaps_source guardmaps_source_at(size_t i);

/** "auto", "guards", "scan", "pagemap" or "markers". Static. */
const char *guardmaps_source_name(enum guardmaps_source source);

/** What it reads: "bit 58 of /proc/PID/pagemap", for example. Static. */
const char *guardmaps_source_description(enum guardmaps_source source);

/** What it needs: "Linux 6.15", for example; "" for AUTO. Static. */
const char *guardmaps_source_needs(enum guardmaps_source source);

/**
 * Find a source by its name.
 * Errors: INVALID; the message lists the names.
 */
struct guardmaps_error *guardmaps_source_from_name(const char *name,
						   enum guardmaps_source *ret);

/* ---- Processes -------------------------------------------------------- */

/** One process under /proc. Holds it open: a reused pid is never mixed in. */
struct guardmaps_process;

/**
 * Open a process.
 *
 * @pid: process or thread id, in the pid namespace of the /proc that is read.
 * @sysroot: NULL for the live /proc; otherwise the tree DIR/proc/PID is read
 *	as it was recorded, and no system call asks about a live process.
 *
 * Errors: NO_PROCESS, ENDED, PERMISSION, FORMAT, OS, NO_MEMORY. A kernel thread
 * or a zombie can be opened.
 */
struct guardmaps_error *guardmaps_process_open(pid_t pid, const char *sysroot,
					       struct guardmaps_process **ret);

/** Close a process. NULL is allowed. */
void guardmaps_process_close(struct guardmaps_process *process);

/** The id it was opened by. */
pid_t guardmaps_process_pid(const struct guardmaps_process *process);

/** Its name: the `comm` of proc_pid_comm(5), at most 15 bytes or so. */
const char *guardmaps_process_name(const struct guardmaps_process *process);

/* ---- Guard maps ------------------------------------------------------- */

enum guardmaps_permission {
	GUARDMAPS_READ = 1 << 0,
	GUARDMAPS_WRITE = 1 << 1,
	GUARDMAPS_EXECUTE = 1 << 2,
	GUARDMAPS_SHARED = 1 << 3,
};

/** How a mapping is locked into memory (mlock2(2), mlockall(2)). */
enum guardmaps_lock {
	/** It takes no guards until it is unlocked. */
	GUARDMAPS_LOCKED = 1 << 0,
	/** Each page once it is touched: MLOCK_ONFAULT, MCL_ONFAULT. */
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
	 * The name as the kernel prints it: a path (newlines as \012, perhaps
	 * followed by " (deleted)"), a name in brackets, or "". Never NULL.
	 */
	const char *name;
	uint32_t dev_major;
	uint32_t dev_minor;
	/** Bits of enum guardmaps_permission. */
	uint32_t permissions;
	/** It, or a mapping of the same file beside it, may be executed. */
	bool is_program;
	/**
	 * Bits of enum guardmaps_lock, and others of the library's own; 0 after
	 * guardmaps_map_read(), which does not ask. Images that the CRIU plugin has
	 * written tell.
	 */
	uint8_t flags;
};

/**
 * The offset, in bytes, of an address of a mapping in the file it shows; that of
 * the mapping itself where it shows none.
 */
uint64_t guardmaps_mapping_offset(const struct guardmaps_mapping *mapping,
				  uint64_t address);

/** No mapping, or no owner, at this index. */
#define GUARDMAPS_NONE UINT32_MAX

/** One guard region. */
struct guardmaps_region {
	uint64_t start;
	uint64_t end;
	/** Index of the mapping it lies in. */
	uint32_t mapping;
	/** Index of the owner whose stack it guards, or GUARDMAPS_NONE. */
	uint32_t owner;
};

/** A thread whose stack is guarded. */
struct guardmaps_owner {
	pid_t tid;
	/** Name of the thread, or "" where it is not known. */
	const char *name;
};

/** What a page-table marker is for (include/linux/swapops.h). */
enum guardmaps_marker {
	GUARDMAPS_MARKER_NONE,
	GUARDMAPS_MARKER_GUARD,
	/** userfaultfd write protection of a page that is not there. */
	GUARDMAPS_MARKER_UFFD_WP,
	/** UFFDIO_POISON, or memory lost to an uncorrected error. */
	GUARDMAPS_MARKER_POISON,
	/** A marker that this library does not know. */
	GUARDMAPS_MARKER_OTHER,
};

/** "none", "guard", "uffd-wp", "poison" or "other". Static. */
const char *guardmaps_marker_name(enum guardmaps_marker marker);

/** A run of equal markers, none of them a guard, inside one mapping. */
struct guardmaps_marker_run {
	uint64_t start;
	uint64_t end;
	uint32_t mapping;
	enum guardmaps_marker marker;
};

/** What a guard region protects. Only what can be known is said. */
enum guardmaps_kind {
	/** Anonymous memory about which no more is known. */
	GUARDMAPS_KIND_ANON,
	/** The stack of a thread. */
	GUARDMAPS_KIND_STACK,
	/** The stack that the kernel gave the first thread, `[stack]`. */
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

/** Process id and name that it was read from. */
pid_t guardmaps_map_pid(const struct guardmaps_map *map);
const char *guardmaps_map_process_name(const struct guardmaps_map *map);

/**
 * Target of /proc/PID/exe, or "" where it could not be read or
 * guardmaps_find_owners() was not called.
 */
const char *guardmaps_map_executable(const struct guardmaps_map *map);

/** The source it was read from: never GUARDMAPS_SOURCE_AUTO. */
enum guardmaps_source guardmaps_map_source(const struct guardmaps_map *map);

/** Bytes in a page of that machine. */
uint64_t guardmaps_map_page_size(const struct guardmaps_map *map);

/** Mappings, ascending, not overlapping. */
size_t guardmaps_map_mapping_count(const struct guardmaps_map *map);
const struct guardmaps_mapping *
guardmaps_map_mapping(const struct guardmaps_map *map, size_t i);

/** Guard regions, ascending, not overlapping, each inside one mapping. */
size_t guardmaps_map_region_count(const struct guardmaps_map *map);
const struct guardmaps_region *
guardmaps_map_region(const struct guardmaps_map *map, size_t i);

/** Other markers: empty unless the source is GUARDMAPS_SOURCE_MARKERS. */
size_t guardmaps_map_marker_run_count(const struct guardmaps_map *map);
const struct guardmaps_marker_run *
guardmaps_map_marker_run(const struct guardmaps_map *map, size_t i);

/** Owners, as region.owner numbers them: see guardmaps_find_owners(). */
size_t guardmaps_map_owner_count(const struct guardmaps_map *map);
const struct guardmaps_owner *
guardmaps_map_owner(const struct guardmaps_map *map, size_t i);

/** What region @i protects. */
enum guardmaps_kind guardmaps_map_region_kind(const struct guardmaps_map *map,
					      size_t i);

/** Index of the mapping that holds @address, or GUARDMAPS_NONE. */
uint32_t guardmaps_map_find_mapping(const struct guardmaps_map *map,
				    uint64_t address);

/** Index of the guard region that holds @address, or GUARDMAPS_NONE. */
uint32_t guardmaps_map_find_region(const struct guardmaps_map *map,
				   uint64_t address);

/** What the guard regions of one process come to. */
struct guardmaps_totals {
	/** Guard regions, and the bytes in them. */
	uint64_t regions;
	uint64_t bytes;
	/** Mappings that hold at least one guard region. */
	uint64_t mappings;
	/** Mappings more that PROT_NONE guards would have taken. */
	uint64_t mappings_saved;
};

void guardmaps_map_totals(const struct guardmaps_map *map,
			  struct guardmaps_totals *ret);

/**
 * Read the guard map of a process.
 *
 * The process runs on. If it changes meanwhile, each part of the guard map is
 * right for some moment of that part. Regions have no owners yet.
 *
 * @source: where to read from, or GUARDMAPS_SOURCE_AUTO.
 *
 * Needs PTRACE_MODE_READ access to the process (ptrace(2)).
 * Errors: ENDED, NO_ADDRESS_SPACE, PERMISSION, UNSUPPORTED (the source, or with
 * AUTO every source, cannot answer; the message says why), INVALID (there is no
 * such source), FORMAT, OS, NO_MEMORY. A source that cannot answer is never an empty guard map.
 */
struct guardmaps_error *guardmaps_map_read(struct guardmaps_process *process,
					   enum guardmaps_source source,
					   struct guardmaps_map **ret);

/**
 * Find out whether a source can answer for a process, without a guard map.
 * Returns NULL if it can, or the reason why not: as for guardmaps_map_read(), but
 * the message of UNSUPPORTED and PERMISSION leaves out process and source.
 */
struct guardmaps_error *guardmaps_probe(struct guardmaps_process *process,
					enum guardmaps_source source);

/**
 * Read what marker, if any, one page of a process has.
 *
 * Needs PTRACE_MODE_READ access and CAP_SYS_ADMIN (Linux 6.13).
 * Errors: as guardmaps_map_read() with GUARDMAPS_SOURCE_MARKERS.
 */
struct guardmaps_error *guardmaps_read_marker(struct guardmaps_process *process,
					      uint64_t address,
					      enum guardmaps_marker *ret);

/* ---- Threads ---------------------------------------------------------- */

/** What stands below a stack and stops it from running into other memory. */
enum guardmaps_stack_guard {
	/** Nothing: an overflow goes on into whatever lies below. */
	GUARDMAPS_STACK_GUARD_NONE,
	/** A guard region. */
	GUARDMAPS_STACK_GUARD_MARKER,
	/** A PROT_NONE mapping. */
	GUARDMAPS_STACK_GUARD_PROT_NONE,
	/** The gap that the kernel keeps below `[stack]`. */
	GUARDMAPS_STACK_GUARD_GAP,
	/** The stack was not found, so this could not be told. */
	GUARDMAPS_STACK_GUARD_UNKNOWN,
};

/** "none", "marker", "PROT_NONE", "gap" or "unknown". Static. */
const char *guardmaps_stack_guard_name(enum guardmaps_stack_guard guard);

/** Why a stack pointer is not known. */
enum guardmaps_stack_pointer_state {
	/** It is known. */
	GUARDMAPS_STACK_POINTER_KNOWN,
	/** The thread was running: it has no saved stack pointer. */
	GUARDMAPS_STACK_POINTER_RUNNING,
	/** No PTRACE_MODE_ATTACH access to the thread. */
	GUARDMAPS_STACK_POINTER_DENIED,
	/** It points outside the thread's stack: a signal stack, say. */
	GUARDMAPS_STACK_POINTER_ELSEWHERE,
	/** The kernel or the recorded tree does not tell. */
	GUARDMAPS_STACK_POINTER_UNSUPPORTED,
};

/** One thread and its stack. */
struct guardmaps_thread {
	pid_t tid;
	char name[64];
	/**
	 * The stack, without its guard; both 0 where it was not found. For the
	 * first thread it reaches down to where RLIMIT_STACK or the next
	 * mapping ends its growth.
	 */
	uint64_t stack_start;
	uint64_t stack_end;
	/** Stack pointer: only if its state is KNOWN or ELSEWHERE. */
	uint64_t stack_pointer;
	enum guardmaps_stack_pointer_state stack_pointer_state;
	/**
	 * Start of the lowest page of the stack that has ever been touched
	 * (present or swapped out); 0 where it could not be read. A huge page
	 * counts whole.
	 */
	uint64_t deepest_touched;
	/** What guards it, and where; both 0 without a marker or PROT_NONE. */
	enum guardmaps_stack_guard guard;
	uint64_t guard_start;
	uint64_t guard_end;
};

/** The threads of one process at one time. */
struct guardmaps_threads;

/**
 * Find the threads of a process and their stacks, without stopping them.
 *
 * A stack is found by the thread's robust list (get_robust_list(2)), which the
 * C libraries keep in the thread descriptor at the top of the stack, or by its
 * stack pointer where the thread sleeps (proc_pid_syscall(5)).
 *
 * @map: a guard map of the same process, just read.
 *
 * Needs PTRACE_MODE_READ access, and PTRACE_MODE_ATTACH access for the stack
 * pointers. Errors: ENDED, PERMISSION, OS, NO_MEMORY.
 */
struct guardmaps_error *guardmaps_threads_create(
	struct guardmaps_process *process, const struct guardmaps_map *map,
	struct guardmaps_threads **ret);

/** Free a list of threads. NULL is allowed. */
void guardmaps_threads_destroy(struct guardmaps_threads *threads);

/** Threads, ascending by id, the first thread of the process first. */
size_t guardmaps_threads_count(const struct guardmaps_threads *threads);
const struct guardmaps_thread *
guardmaps_threads_get(const struct guardmaps_threads *threads, size_t i);

/**
 * Find the threads whose stacks the guard regions of @map protect, and note
 * them in it, with the executable of the process. Besides the threads, a name
 * that glibc gave the mapping (glibc.mem.decorate_maps) tells an owner.
 *
 * Errors: as guardmaps_threads_create().
 */
struct guardmaps_error *guardmaps_find_owners(struct guardmaps_process *process,
					      struct guardmaps_map *map);

/* ---- Images ----------------------------------------------------------- */

/**
 * Write a guard map to a file, in the format of guardmaps.proto.
 *
 * The file is written beside its name, flushed to the disk and renamed: it is
 * there whole or not at all, with mode 0600. Where the name is something other
 * than a regular file (a pipe, a device, a symbolic link), that is written to.
 *
 * @dirfd: directory that a relative @path starts from, or AT_FDCWD.
 *
 * Errors: OS (a full disk, say), PERMISSION, NO_MEMORY.
 */
struct guardmaps_error *guardmaps_image_write(const struct guardmaps_map *map,
					      int dirfd, const char *path);

/**
 * Read a guard map from a file. Whatever is wrong with it is an error, and
 * nothing is taken from it.
 *
 * Errors: FORMAT, OS, PERMISSION, NO_MEMORY.
 */
struct guardmaps_error *guardmaps_image_read(int dirfd, const char *path,
					     struct guardmaps_map **ret);

/* ---- Comparing -------------------------------------------------------- */

enum guardmaps_change {
	/** Guarded in the first guard map, not in the second. */
	GUARDMAPS_MISSING,
	/** Guarded in the second guard map, not in the first. */
	GUARDMAPS_EXTRA,
};

/** A run of pages that one guard map guards and the other does not. */
struct guardmaps_difference {
	uint64_t start;
	uint64_t end;
	/** Region it is part of, in the guard map that has it. */
	uint32_t region;
	enum guardmaps_change change;
};

/**
 * Compare the guarded pages of two guard maps.
 *
 * @ret: an array, ascending by address, that the caller frees with free();
 *	NULL where there is no difference.
 * @ret_count: its length.
 *
 * Errors: INVALID (page sizes differ), NO_MEMORY.
 */
struct guardmaps_error *guardmaps_diff(const struct guardmaps_map *first,
				       const struct guardmaps_map *second,
				       struct guardmaps_difference **ret,
				       size_t *ret_count);

/* ---- Installing ------------------------------------------------------- */

/**
 * Put the guard regions of a guard map into a running process: those that it
 * does not have. Those that only it has are left alone.
 *
 * All its threads are stopped meanwhile. Locked mappings are unlocked for the
 * moment, and locked again as they were. Pages of a region that have no
 * permissions at all get those of the guard map, once guarded. What is then
 * there is read back.
 *
 * @map: of this process at another time, from an image for example. The
 *	executable, and the mappings that hold the regions, must be the same.
 * @only_check: change nothing.
 * @ret_missing: how many runs of pages were missing, and now are there.
 *
 * Needs PTRACE_MODE_ATTACH access, and that no other tracer has the process.
 * Errors: INVALID (another process, or a mapping that takes no guards),
 * UNSUPPORTED (a 32-bit process, or an architecture other than x86-64 and
 * aarch64), PERMISSION, ENDED, NO_ADDRESS_SPACE, OS, NO_MEMORY.
 */
struct guardmaps_error *guardmaps_install(struct guardmaps_process *process,
					  const struct guardmaps_map *map,
					  bool only_check, size_t *ret_missing);

/* ---- Explaining ------------------------------------------------------- */

/** What an address is. */
enum guardmaps_verdict {
	/** A guard region: every access is a SIGSEGV with SEGV_MAPERR. */
	GUARDMAPS_VERDICT_GUARD,
	/** A mapping without any permission: SEGV_ACCERR. */
	GUARDMAPS_VERDICT_PROT_NONE,
	/** A mapping that lacks a permission: some accesses SEGV_ACCERR. */
	GUARDMAPS_VERDICT_NO_PERMISSION,
	/** A mapping that may be read and written. */
	GUARDMAPS_VERDICT_ACCESSIBLE,
	/** Nothing is mapped there: SEGV_MAPERR. */
	GUARDMAPS_VERDICT_UNMAPPED,
	/** Nothing is mapped there, so low that it was a null pointer. */
	GUARDMAPS_VERDICT_NULL_PAGE,
	/** userfaultfd write protection: a write waits for the handler. */
	GUARDMAPS_VERDICT_UFFD_WP,
	/** A poison marker: every access is a SIGBUS. */
	GUARDMAPS_VERDICT_POISON,
};

/**
 * "guard", "PROT_NONE", "no-permission", "accessible", "unmapped",
 * "null-page", "uffd-wp", "poison". Static.
 */
const char *guardmaps_verdict_name(enum guardmaps_verdict verdict);

/** The verdict on one address; indexes are GUARDMAPS_NONE where not so. */
struct guardmaps_explanation {
	uint64_t address;
	enum guardmaps_verdict verdict;
	/** Mapping and guard region that hold the address. */
	uint32_t mapping;
	uint32_t region;
	/**
	 * Nearest mappings wholly below and wholly above the address; x86's
	 * [vsyscall] is none.
	 */
	uint32_t mapping_below;
	uint32_t mapping_above;
};

/**
 * Say what an address is.
 *
 * @map: live, or read from an image. Marker runs in it count.
 * @marker: what guardmaps_read_marker() said of the page, or
 *	GUARDMAPS_MARKER_NONE where that could not be asked.
 */
void guardmaps_explain(const struct guardmaps_map *map, uint64_t address,
		       enum guardmaps_marker marker,
		       struct guardmaps_explanation *ret);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif /* GUARDMAPS_H */
