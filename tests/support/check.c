/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "kernel_abi.h"

#define PAGEMAP_GUARD_BIT (UINT64_C(1) << 58)
#define PAGEMAP_MARKER_BITS UINT64_C(0x400000000000009f)
/* Bits 55 to 58 tell of the page: that it is soft-dirty, say. */
#define PAGEMAP_PAGE_BITS (UINT64_C(15) << 55)

#define CAPABILITY_SYS_ADMIN 21

enum { HANG_SECONDS = 600, NOBODY = 65534 };

static unsigned int statements;
static unsigned int failures;
static char *scratch;
static pid_t scratch_owner;
static size_t descriptors_at_begin;

/* ---- Statements --------------------------------------------------------- */

static void say_hang(int signal_number)
{
	static const char message[] = "Bail out! The test hangs\n";

	(void)signal_number;
	if (write(STDOUT_FILENO, message, sizeof(message) - 1) < 0)
		_exit(2);
	_exit(1);
}

static size_t count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	check_setup(directory != NULL);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

void check_begin(void)
{
	/* Whole lines, so that nothing is printed twice after a fork. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, say_hang);
	alarm(HANG_SECONDS);
	descriptors_at_begin = count_descriptors();
}

int check_finish(void)
{
	check_number(count_descriptors(), descriptors_at_begin,
		     "no descriptor is left open");
	printf("1..%u\n", statements);
	return failures ? 1 : 0;
}

static bool report(bool holds, const char *sentence, va_list arguments)
{
	statements++;
	if (!holds)
		failures++;
	printf("%s %u - ", holds ? "ok" : "not ok", statements);
	vprintf(sentence, arguments);
	printf("\n");
	return holds;
}

bool check_at(const char *file, int line, const char *condition, bool holds,
	      const char *sentence, ...)
{
	va_list arguments;

	va_start(arguments, sentence);
	report(holds, sentence, arguments);
	va_end(arguments);
	if (!holds)
		printf("#   %s:%d: expected %s, got the opposite\n", file, line,
		       condition);
	return holds;
}

bool check_number_at(const char *file, int line, uint64_t got,
		     uint64_t expected, const char *sentence, ...)
{
	va_list arguments;
	bool holds = got == expected;

	va_start(arguments, sentence);
	report(holds, sentence, arguments);
	va_end(arguments);
	if (!holds)
		printf("#   %s:%d: expected %" PRIu64 " (%#" PRIx64
		       "), got %" PRIu64 " (%#" PRIx64 ")\n",
		       file, line, expected, expected, got, got);
	return holds;
}

bool check_string_at(const char *file, int line, const char *got,
		     const char *expected, const char *sentence, ...)
{
	va_list arguments;
	bool holds = got && strcmp(got, expected) == 0;

	va_start(arguments, sentence);
	report(holds, sentence, arguments);
	va_end(arguments);
	if (!holds)
		printf("#   %s:%d: expected \"%s\", got \"%s\"\n", file, line,
		       expected, got ? got : "(NULL)");
	return holds;
}

bool check_no_fault_at(const char *file, int line, char *got,
		       const char *sentence, ...)
{
	va_list arguments;
	bool holds = !got;

	va_start(arguments, sentence);
	report(holds, sentence, arguments);
	va_end(arguments);
	if (!holds)
		printf("#   %s:%d: expected no fault, got: %s\n", file, line,
		       got);
	free(got);
	return holds;
}

const char *error_code_name(enum guardmaps_error_code code)
{
	static const char *const names[] = {
		[GUARDMAPS_ERROR_NO_MEMORY] = "NO_MEMORY",
		[GUARDMAPS_ERROR_OS] = "OS",
		[GUARDMAPS_ERROR_INVALID] = "INVALID",
		[GUARDMAPS_ERROR_PERMISSION] = "PERMISSION",
		[GUARDMAPS_ERROR_NO_PROCESS] = "NO_PROCESS",
		[GUARDMAPS_ERROR_ENDED] = "ENDED",
		[GUARDMAPS_ERROR_NO_ADDRESS_SPACE] = "NO_ADDRESS_SPACE",
		[GUARDMAPS_ERROR_UNSUPPORTED] = "UNSUPPORTED",
		[GUARDMAPS_ERROR_FORMAT] = "FORMAT",
	};
	const char *name = NULL;

	if (code < sizeof(names) / sizeof(names[0]))
		name = names[code];
	return name ? name : "no code at all";
}

bool check_success_at(const char *file, int line,
		      struct guardmaps_error *error, const char *sentence, ...)
{
	va_list arguments;
	bool holds = !error;

	va_start(arguments, sentence);
	report(holds, sentence, arguments);
	va_end(arguments);
	if (!holds)
		printf("#   %s:%d: expected success, got %s: %s\n", file, line,
		       error_code_name(guardmaps_error_code(error)),
		       guardmaps_error_message(error));
	guardmaps_error_destroy(error);
	return holds;
}

/* guardmaps.h: one line, without a full stop or newline. */
static bool is_one_line(const char *message)
{
	size_t length = message ? strlen(message) : 0;

	return length && !strchr(message, '\n') && message[length - 1] != '.';
}

bool check_error_at(const char *file, int line, struct guardmaps_error *error,
		    enum guardmaps_error_code code, const char *fragment,
		    const char *sentence, ...)
{
	enum guardmaps_error_code got = error ? guardmaps_error_code(error) : 0;
	const char *message = error ? guardmaps_error_message(error) : "";
	bool holds = got == code && is_one_line(message) &&
		     (!fragment || strstr(message, fragment));
	va_list arguments;

	va_start(arguments, sentence);
	report(holds, sentence, arguments);
	va_end(arguments);
	if (!holds)
		printf("#   %s:%d: expected %s and \"%s\", got %s: %s\n",
		       file, line, error_code_name(code),
		       fragment ? fragment : "", error_code_name(got),
		       error ? message : "success");
	guardmaps_error_destroy(error);
	return holds;
}

void check_skip(const char *reason, const char *sentence, ...)
{
	va_list arguments;

	printf("ok %u - ", ++statements);
	va_start(arguments, sentence);
	vprintf(sentence, arguments);
	va_end(arguments);
	printf(" # SKIP %s\n", reason);
}

void check_skip_all(const char *reason)
{
	printf("1..0 # SKIP %s\n", reason);
	exit(77);
}

void check_note(const char *format, ...)
{
	va_list arguments;

	printf("# ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
}

void check_setup_at(const char *file, int line, const char *condition,
		    bool holds)
{
	if (holds)
		return;
	printf("Bail out! %s:%d: needs %s (%s)\n", file, line, condition,
	       strerror(errno));
	exit(1);
}

char *format_string(const char *format, ...)
{
	va_list arguments;
	char *string;

	va_start(arguments, format);
	check_setup(vasprintf(&string, format, arguments) >= 0);
	va_end(arguments);
	return string;
}

/* ---- Guard maps --------------------------------------------------------- */

static bool is_page_aligned(const struct guardmaps_map *map, uint64_t address)
{
	return address % guardmaps_map_page_size(map) == 0;
}

static char *mapping_fault(const struct guardmaps_map *map, size_t i)
{
	const struct guardmaps_mapping *mapping =
		guardmaps_map_mapping(map, i);

	if (!is_page_aligned(map, mapping->start) ||
	    !is_page_aligned(map, mapping->end))
		return format_string("mapping %zu is no whole pages", i);
	if (mapping->start >= mapping->end)
		return format_string("mapping %zu is empty", i);
	if (!mapping->name)
		return format_string("mapping %zu has no name", i);
	if (i && guardmaps_map_mapping(map, i - 1)->end > mapping->start)
		return format_string("mapping %zu at %#" PRIx64
				     " is not above the one before it", i,
				     mapping->start);
	return NULL;
}

static bool is_one_run(const struct guardmaps_region *first,
		       const struct guardmaps_region *second)
{
	return first->end == second->start && first->mapping == second->mapping;
}

static char *neighbour_fault(const struct guardmaps_map *map, size_t i)
{
	const struct guardmaps_region *region = guardmaps_map_region(map, i);
	const struct guardmaps_region *before;

	if (!i)
		return NULL;
	before = guardmaps_map_region(map, i - 1);
	if (before->end > region->start)
		return format_string("region %zu at %#" PRIx64
				     " is not above the one before it", i,
				     region->start);
	if (is_one_run(before, region))
		return format_string("regions %zu and %zu are one", i - 1, i);
	return NULL;
}

static char *region_fault(const struct guardmaps_map *map, size_t i)
{
	const struct guardmaps_region *region = guardmaps_map_region(map, i);
	const struct guardmaps_mapping *mapping;

	if (!is_page_aligned(map, region->start) ||
	    !is_page_aligned(map, region->end))
		return format_string("region %zu is no whole pages", i);
	if (region->start >= region->end)
		return format_string("region %zu is empty", i);
	if (region->mapping >= guardmaps_map_mapping_count(map))
		return format_string("region %zu is in no mapping", i);
	mapping = guardmaps_map_mapping(map, region->mapping);
	if (region->start < mapping->start || region->end > mapping->end)
		return format_string("region %zu at %#" PRIx64
				     " is not inside its mapping", i,
				     region->start);
	if (region->owner != GUARDMAPS_NONE &&
	    region->owner >= guardmaps_map_owner_count(map))
		return format_string("region %zu has no such owner", i);
	return neighbour_fault(map, i);
}

char *map_fault(const struct guardmaps_map *map)
{
	size_t mappings = guardmaps_map_mapping_count(map);
	size_t regions = guardmaps_map_region_count(map);
	char *fault = NULL;

	for (size_t i = 0; i < mappings && !fault; i++)
		fault = mapping_fault(map, i);
	for (size_t i = 0; i < regions && !fault; i++)
		fault = region_fault(map, i);
	return fault;
}

/* Whether find_region() says that a page is guarded. */
static bool is_guarded(const struct guardmaps_map *map, uint64_t address)
{
	return guardmaps_map_find_region(map, address) != GUARDMAPS_NONE;
}

static char *range_fault(const struct guardmaps_map *map, size_t i,
			 const struct range *guards, size_t guard_count)
{
	const struct guardmaps_region *region = guardmaps_map_region(map, i);
	const struct range *guard = &guards[i];
	uint64_t page_size = guardmaps_map_page_size(map);
	bool more = i + 1 < guard_count;

	if (region->start != guard->start || region->end != guard->end)
		return format_string(
			"region %zu is %#" PRIx64 "-%#" PRIx64
			", in truth %#" PRIx64 "-%#" PRIx64, i,
			region->start, region->end, guard->start, guard->end);
	for (uint64_t at = guard->start; at < guard->end; at += page_size)
		if (!is_guarded(map, at))
			return format_string("%#" PRIx64 " is not found", at);
	if (is_guarded(map, guard->end) &&
	    !(more && guards[i + 1].start == guard->end))
		return format_string("%#" PRIx64 " is no guard", guard->end);
	return NULL;
}

char *truth_fault(const struct guardmaps_map *map, const struct range *guards,
		  size_t guard_count)
{
	size_t count = guardmaps_map_region_count(map);
	char *fault = map_fault(map);

	for (size_t i = 0; i < count && i < guard_count && !fault; i++)
		fault = range_fault(map, i, guards, guard_count);
	if (!fault && count != guard_count)
		fault = format_string("%zu regions, in truth %zu", count,
				      guard_count);
	return fault;
}

static bool is_same_mapping(const struct guardmaps_mapping *first,
			    const struct guardmaps_mapping *second)
{
	return first->start == second->start && first->end == second->end &&
	       first->offset == second->offset &&
	       first->inode == second->inode &&
	       first->dev_major == second->dev_major &&
	       first->dev_minor == second->dev_minor &&
	       first->permissions == second->permissions &&
	       first->is_program == second->is_program &&
	       strcmp(first->name, second->name) == 0;
}

static bool is_same_region(const struct guardmaps_region *first,
			   const struct guardmaps_region *second)
{
	return first->start == second->start && first->end == second->end &&
	       first->mapping == second->mapping &&
	       first->owner == second->owner;
}

static bool is_same_owner(const struct guardmaps_owner *first,
			  const struct guardmaps_owner *second)
{
	return first->tid == second->tid &&
	       strcmp(first->name, second->name) == 0;
}

static bool is_same_marker_run(const struct guardmaps_marker_run *first,
			       const struct guardmaps_marker_run *second)
{
	return first->start == second->start && first->end == second->end &&
	       first->mapping == second->mapping &&
	       first->marker == second->marker;
}

static bool is_same_process(const struct guardmaps_map *first,
			    const struct guardmaps_map *second)
{
	return guardmaps_map_pid(first) == guardmaps_map_pid(second) &&
	       guardmaps_map_source(first) == guardmaps_map_source(second) &&
	       guardmaps_map_page_size(first) ==
		       guardmaps_map_page_size(second) &&
	       strcmp(guardmaps_map_process_name(first),
		      guardmaps_map_process_name(second)) == 0 &&
	       strcmp(guardmaps_map_executable(first),
		      guardmaps_map_executable(second)) == 0;
}

/* Compare one list of two guard maps; `thing` is mapping, region, ... */
#define LIST_FAULT(thing, first, second)				\
({									\
	size_t _count = guardmaps_map_##thing##_count(first);		\
	size_t _other = guardmaps_map_##thing##_count(second);		\
	char *_fault = NULL;						\
									\
	if (_count != _other)						\
		_fault = format_string("%zu against %zu " #thing "s",	\
				       _count, _other);			\
	for (size_t _i = 0; _i < _count && !_fault; _i++)		\
		if (!is_same_##thing(guardmaps_map_##thing(first, _i),	\
				     guardmaps_map_##thing(second, _i)))\
			_fault = format_string(#thing " %zu differs",	\
					       _i);			\
	_fault;								\
})

char *maps_fault(const struct guardmaps_map *first,
		 const struct guardmaps_map *second)
{
	char *fault = NULL;

	if (!is_same_process(first, second))
		return format_string("process, source or page size differ");
	fault = LIST_FAULT(mapping, first, second);
	if (!fault)
		fault = LIST_FAULT(region, first, second);
	if (!fault)
		fault = LIST_FAULT(owner, first, second);
	if (!fault)
		fault = LIST_FAULT(marker_run, first, second);
	return fault;
}

struct guardmaps_error *scan_pid(pid_t pid, enum guardmaps_source source,
				 struct guardmaps_map **ret)
{
	struct guardmaps_process *process;
	struct guardmaps_error *error;

	error = guardmaps_process_open(pid, NULL, &process);
	if (error)
		return error;
	error = guardmaps_scan(process, source, ret);
	guardmaps_process_close(process);
	return error;
}

/* ---- What this kernel can do -------------------------------------------- */

static uint64_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static int open_own_pagemap(void)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	check_setup(fd >= 0);
	return fd;
}

static uint64_t read_own_entry(void *page)
{
	int fd = open_own_pagemap();
	off_t offset = (uintptr_t)page / page_size() * sizeof(uint64_t);
	uint64_t entry = 0;

	check_setup(pread(fd, &entry, sizeof(entry), offset) == sizeof(entry));
	close(fd);
	return entry;
}

static int count_own_guards(void *page)
{
	struct page_region region = { 0 };
	struct pm_scan_arg arguments = {
		.size = sizeof(arguments),
		.start = (uintptr_t)page,
		.end = (uintptr_t)page + page_size(),
		.vec = (uintptr_t)&region,
		.vec_len = 1,
		.category_mask = PAGE_IS_GUARD,
		.return_mask = PAGE_IS_GUARD,
	};
	int fd = open_own_pagemap();
	int count = ioctl(fd, PAGEMAP_SCAN, &arguments);

	close(fd);
	return count;
}

/* What the kernel shows of a page of this process with a guard marker. */
struct own_guard {
	bool is_there;
	bool is_scanned;
	uint64_t entry;
};

static struct own_guard look_at_own_guard(void)
{
	void *page = map_memory(page_size(), PROT_READ | PROT_WRITE);
	struct own_guard guard = { 0 };

	guard.is_there = madvise(page, page_size(), MADV_GUARD_INSTALL) == 0;
	if (guard.is_there) {
		guard.is_scanned = count_own_guards(page) == 1;
		guard.entry = read_own_entry(page);
	}
	munmap(page, page_size());
	return guard;
}

bool kernel_has_guards(void)
{
	return look_at_own_guard().is_there;
}

static const char *markers_missing(uint64_t entry)
{
	if (!has_capability(CAPABILITY_SYS_ADMIN))
		return "needs CAP_SYS_ADMIN";
	return (entry & ~PAGEMAP_PAGE_BITS) == PAGEMAP_MARKER_BITS ?
		NULL : "pagemap does not show markers";
}

static const char *every_source_missing(void)
{
	static const enum guardmaps_source sources[] = {
		GUARDMAPS_SOURCE_GUARDS, GUARDMAPS_SOURCE_SCAN,
		GUARDMAPS_SOURCE_PAGEMAP, GUARDMAPS_SOURCE_MARKERS,
	};

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		if (!source_missing(sources[i]))
			return NULL;
	return "this kernel shows no guard regions";
}

const char *source_missing(enum guardmaps_source source)
{
	struct own_guard guard = look_at_own_guard();

	if (!guard.is_there)
		return "this kernel has no guard regions";
	switch (source) {
	case GUARDMAPS_SOURCE_AUTO:
		return every_source_missing();
	case GUARDMAPS_SOURCE_GUARDS:
		return access("/proc/self/guards", F_OK) == 0 ?
			NULL : "this kernel has no /proc/PID/guards";
	case GUARDMAPS_SOURCE_SCAN:
		return guard.is_scanned ?
			NULL : "this kernel has no PAGE_IS_GUARD";
	case GUARDMAPS_SOURCE_PAGEMAP:
		return guard.entry & PAGEMAP_GUARD_BIT ?
			NULL : "this kernel has no bit 58 in pagemap";
	case GUARDMAPS_SOURCE_MARKERS:
		return markers_missing(guard.entry);
	}
	return "there is no such source";
}

bool has_capability(int capability)
{
	FILE *status = fopen("/proc/self/status", "re");
	uint64_t effective = 0;
	char line[256];

	check_setup(status != NULL);
	while (fgets(line, sizeof(line), status))
		if (sscanf(line, "CapEff: %" SCNx64, &effective) == 1)
			break;
	fclose(status);
	return effective >> capability & 1;
}

bool under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

void become_nobody(void)
{
	check_setup(setgroups(0, NULL) == 0);
	check_setup(setgid(NOBODY) == 0);
	check_setup(setuid(NOBODY) == 0);
	/* Otherwise its own files in /proc belong to root. */
	check_setup(prctl(PR_SET_DUMPABLE, 1) == 0);
}

/* ---- Layouts ------------------------------------------------------------ */

static void build_layout(int line, void *argument)
{
	struct layout layout;

	layout_build(argument, &layout);
	tell(line);
	await(line);
}

/* Whether the other end tells before it ends. */
static bool tells(int line)
{
	char byte;

	return recv(line, &byte, 1, 0) == 1;
}

const char *layout_missing(const char *layout)
{
	struct child child;
	bool is_built;
	int status = 0;

	if (under_valgrind() && strncmp(layout, "sparse:", 7) == 0)
		return "valgrind has no room for it";
	child_start(&child, build_layout, (void *)layout);
	is_built = tells(child.line);
	if (!is_built) {
		check_setup(waitpid(child.pid, &status, 0) == child.pid);
		child.pid = -1;
	}
	child_stop(&child);
	check_setup(is_built || (WIFEXITED(status) &&
				 WEXITSTATUS(status) == 77));
	return is_built ? NULL : "this kernel lacks what it needs";
}

/* ---- Files -------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *status, int type,
			struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

void remove_tree(const char *path)
{
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void remove_scratch(void)
{
	/* Children that call exit() come here too. */
	if (getpid() != scratch_owner)
		return;
	remove_tree(scratch);
	free(scratch);
	scratch = NULL;
}

const char *scratch_directory(void)
{
	const char *parent = getenv("TMPDIR");

	if (scratch)
		return scratch;
	scratch = format_string("%s/guardmaps-test-XXXXXX",
				parent && *parent ? parent : "/tmp");
	check_setup(mkdtemp(scratch) != NULL);
	scratch_owner = getpid();
	atexit(remove_scratch);
	return scratch;
}

void write_file(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "we");

	check_setup(file != NULL);
	check_setup(fwrite(bytes, 1, size, file) == size);
	check_setup(fclose(file) == 0);
}

/* Files in /proc tell no size: read until the end. */
void *read_file(const char *path, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *bytes = NULL;
	size_t size = 0, room = 0;
	ssize_t got;

	check_setup(fd >= 0);
	do {
		if (room - size < 4096) {
			room = room * 2 + 8192;
			bytes = realloc(bytes, room);
			check_setup(bytes != NULL);
		}
		got = read(fd, bytes + size, room - size - 1);
		check_setup(got >= 0);
		size += got;
	} while (got > 0);
	close(fd);
	bytes[size] = '\0';
	*ret_size = size;
	return bytes;
}

/* ---- Children ----------------------------------------------------------- */

void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	check_setup(memory != MAP_FAILED);
	return memory;
}

static void run_child(int line, void (*body)(int line, void *argument),
		      void *argument, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It may have ended before that was set. */
	if (getppid() != parent)
		_exit(1);
	body(line, argument);
	_exit(0);
}

void child_start(struct child *child, void (*body)(int line, void *argument),
		 void *argument)
{
	pid_t parent = getpid();
	int ends[2];

	check_setup(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) ==
		    0);
	fflush(stdout);
	child->pid = fork();
	check_setup(child->pid >= 0);
	if (child->pid == 0) {
		close(ends[0]);
		run_child(ends[1], body, argument, parent);
	}
	close(ends[1]);
	child->line = ends[0];
}

void child_stop(struct child *child)
{
	if (child->pid > 0) {
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
	}
	if (child->line >= 0)
		close(child->line);
	child->pid = -1;
	child->line = -1;
}

void child_run(void (*body)(int line, void *argument), void *argument)
{
	struct child child;
	int status;

	child_start(&child, body, argument);
	check_setup(waitpid(child.pid, &status, 0) == child.pid);
	check_setup(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	child.pid = -1;
	child_stop(&child);
}

void tell(int line)
{
	check_setup(send(line, "", 1, MSG_NOSIGNAL) == 1);
}

void await(int line)
{
	char byte;

	check_setup(recv(line, &byte, 1, 0) == 1);
}
