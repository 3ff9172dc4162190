// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * guardmaps-core-record PID TID: stores what is known of a process that is being dumped
 * to the pipe on descriptor 0. guardmaps-core runs it and kills it if it takes long, so
 * what matters is done first, and what is not complete has a name that says so.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "crash_store.h"
#include "excerpt.h"
#include "guardmaps.h"
#include "log.h"
#include "stream.h"
#include "unwinder.h"

/* Memory that this program may use, and the most that it copies, in bytes. */
#define MEMORY_MAXIMUM (UINT64_C(1) << 30)
#define COPY_MAXIMUM (UINT64_C(24) << 20)
/* How long backtraces may take, in ms. */
#define UNWIND_TIME 150

struct recorder {
	pid_t pid;
	pid_t tid;
	const char *store_path;
	int store;
	/* The directory of the crash, and its names until it is complete and after. */
	int directory;
	char temporary[sizeof(((struct crash_entry *)0)->name)];
	char name[sizeof(((struct crash_entry *)0)->name)];
	/* What could not be read is NULL. */
	struct guardmaps_map *map;
	struct guardmaps_threads *threads;
	struct stream stream;
	int core_file;
	struct guardmaps_core *core;
	struct crash crash;
};

/* ---- This process --------------------------------------------------------- */

/* The kernel has left 1 and 2 closed. 3 is a pidfd if the next program wants one. */
static void prepare_descriptors(void)
{
	int fd;

	close(STDERR_FILENO + 1);
	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static void limit_memory(void)
{
	const struct rlimit limit = { MEMORY_MAXIMUM, MEMORY_MAXIMUM };

	setrlimit(RLIMIT_AS, &limit);
}

/* ---- The process that crashed --------------------------------------------- */

/* Field 22 of proc_pid_stat(5): clock ticks since the boot; 0 if it is gone. */
static uint64_t read_start_time(pid_t pid)
{
	char path[64], text[1024];
	unsigned long long time = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (length <= 0)
		return 0;
	text[length] = '\0';
	/* The name may hold anything. */
	const char *fields = strrchr(text, ')');
	return fields && sscanf(fields,
				") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u"
				" %*u %*u %*d %*d %*d %*d %*d %*d %llu",
				&time) == 1
		       ? time
		       : 0;
}

static void read_boot(char *ret, size_t size)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t length = read(fd, ret, size - 1);

	if (fd >= 0)
		close(fd);
	ret[length < 0 ? 0 : length] = '\0';
	ret[strcspn(ret, "\n-")] = '\0';
}

/* A process without guards, or a kernel without them, has a core all the same. */
static void read_process(struct recorder *recorder)
{
	struct guardmaps_process *process;
	struct guardmaps_error *error =
		guardmaps_process_open(recorder->pid, NULL, &process);

	if (error) {
		guardmaps_error_destroy(error);
		return;
	}
	snprintf(recorder->crash.command, sizeof(recorder->crash.command), "%s",
		 guardmaps_process_name(process));
	error = guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO,
				   &recorder->map);
	if (!error)
		error = guardmaps_find_owners(process, recorder->map);
	guardmaps_error_destroy(error);
	if (recorder->map)
		guardmaps_error_destroy(guardmaps_threads_create(
			process, recorder->map, &recorder->threads));
	guardmaps_process_close(process);
}

/* ---- The directory of the crash ------------------------------------------ */

static void make_directories(const char *path)
{
	char part[4096];

	for (const char *slash = strchr(path + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		mkdir(part, 0755);
	}
	mkdir(path, 0700);
}

static int open_directory(int at, const char *path)
{
	return openat(at, path,
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool create_directory(struct recorder *recorder)
{
	char boot[64];

	make_directories(recorder->store_path);
	recorder->store = open_directory(AT_FDCWD, recorder->store_path);
	if (recorder->store < 0)
		return false;
	read_boot(boot, sizeof(boot));
	snprintf(recorder->name, sizeof(recorder->name), "%s-%d-%" PRIu64, boot,
		 recorder->pid, read_start_time(recorder->pid));
	snprintf(recorder->temporary, sizeof(recorder->temporary), ".%d",
		 getpid());
	crash_remove(recorder->store, recorder->temporary);
	if (mkdirat(recorder->store, recorder->temporary, 0700) < 0)
		return false;
	recorder->directory =
		open_directory(recorder->store, recorder->temporary);
	return recorder->directory >= 0;
}

static int create_file(const struct recorder *recorder, const char *name)
{
	return openat(recorder->directory, name,
		      O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

/* Without waiting for the disk, unlike guardmaps_image_write() to a path. */
static void write_image(const struct recorder *recorder)
{
	int fd = recorder->map ? create_file(recorder, CRASH_IMAGE) : -1;

	if (fd < 0)
		return;
	struct guardmaps_error *error =
		guardmaps_image_write(recorder->map, fd, NULL);
	close(fd);
	if (error)
		unlinkat(recorder->directory, CRASH_IMAGE, 0);
	guardmaps_error_destroy(error);
}

/* A crash of the same process cannot be there, unless it is a leftover. */
static bool complete(const struct recorder *recorder)
{
	crash_remove(recorder->store, recorder->name);
	return renameat(recorder->store, recorder->temporary, recorder->store,
			recorder->name) == 0;
}

/* ---- The excerpt of the core ---------------------------------------------- */

/* If the image does not fit the core, the pid is another process's by now. */
static void open_core(struct recorder *recorder)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", recorder->core_file);
	guardmaps_core_close(recorder->core);
	recorder->core = NULL;
	struct guardmaps_error *error =
		guardmaps_core_open(path, recorder->map, &recorder->core);
	if (error && guardmaps_error_code(error) == GUARDMAPS_ERROR_INVALID) {
		unlinkat(recorder->directory, CRASH_IMAGE, 0);
		guardmaps_error_destroy(error);
		error = guardmaps_core_open(path, NULL, &recorder->core);
	}
	guardmaps_error_destroy(error);
}

static void add_memory(struct recorder *recorder, struct excerpt *excerpt)
{
	struct guardmaps_fault fault;

	excerpt_add_programs(excerpt);
	if (recorder->threads)
		excerpt_add_descriptors(excerpt, recorder->threads,
					recorder->tid);
	if (!recorder->core)
		return;
	guardmaps_core_fault(recorder->core, &fault);
	uint64_t stack_pointer = fault.stack_pointer;
	excerpt_add_stack(excerpt, stack_pointer);
	open_core(recorder);
	if (!recorder->core)
		return;
	/* In a handler on another stack, the access was made on this one. */
	guardmaps_core_fault(recorder->core, &fault);
	if (fault.stack_pointer != stack_pointer) {
		excerpt_add_stack(excerpt, fault.stack_pointer);
		open_core(recorder);
	}
}

static void write_core(struct recorder *recorder)
{
	char path[64];
	struct excerpt excerpt = {
		.file = create_file(recorder, CRASH_CORE),
		.stream = &recorder->stream,
		.left = COPY_MAXIMUM,
	};

	recorder->core_file = excerpt.file;
	if (excerpt.file < 0 || !excerpt_begin(&excerpt))
		return;
	open_core(recorder);
	snprintf(path, sizeof(path), "/proc/%d/mem", recorder->pid);
	excerpt.memory = open(path, O_RDONLY | O_CLOEXEC);
	if (excerpt.memory < 0 || recorder->stream.is_whole)
		return;
	add_memory(recorder, &excerpt);
	close(excerpt.memory);
}

/* ---- The summary ----------------------------------------------------------- */

/* Addresses differ from one process to the next, places in files do not. */
static void name_place(const struct guardmaps_map *map, uint64_t address,
		       struct crash *ret)
{
	uint32_t i = guardmaps_map_find_mapping(map, address);

	if (i == GUARDMAPS_NONE || !*guardmaps_map_mapping(map, i)->name) {
		snprintf(ret->place, sizeof(ret->place), "0x%" PRIx64, address);
		return;
	}
	const struct guardmaps_mapping *mapping = guardmaps_map_mapping(map, i);
	const char *slash = strrchr(mapping->name, '/');
	snprintf(ret->place, sizeof(ret->place), "%s+0x%" PRIx64,
		 slash ? slash + 1 : mapping->name,
		 guardmaps_mapping_offset(mapping, address));
}

/* The core file has the names of owners only. */
static const char *find_thread_name(const struct recorder *recorder,
				    const struct guardmaps_fault *fault)
{
	size_t count = recorder->threads
			       ? guardmaps_threads_count(recorder->threads)
			       : 0;

	for (size_t i = 0; i < count; i++)
		if (guardmaps_threads_get(recorder->threads, i)->tid ==
		    recorder->tid)
			return guardmaps_threads_get(recorder->threads, i)->name;
	return fault->name;
}

static void summarize(struct recorder *recorder)
{
	struct crash *crash = &recorder->crash;
	struct guardmaps_fault fault;

	if (!recorder->core)
		return;
	const struct guardmaps_map *map = guardmaps_core_map(recorder->core);
	guardmaps_core_fault(recorder->core, &fault);
	crash->tid = fault.tid;
	crash->signal = fault.signal;
	crash->code = fault.code;
	if (!*crash->command)
		snprintf(crash->command, sizeof(crash->command), "%s",
			 guardmaps_map_process_name(map));
	snprintf(crash->thread, sizeof(crash->thread), "%s",
		 find_thread_name(recorder, &fault));
	snprintf(crash->verdict, sizeof(crash->verdict), "%s",
		 guardmaps_verdict_name(fault.verdict));
	snprintf(crash->certainty, sizeof(crash->certainty), "%s",
		 guardmaps_certainty_name(fault.certainty));
	name_place(map, fault.instruction_pointer, crash);
}

static void log_crash(const struct crash *crash)
{
	if (crash->cycles > 0)
		log_line("process %d (%s) crashed: signal %d, %s (%s), %" PRIu64
			 " levels of %s",
			 crash->pid, crash->command, crash->signal,
			 crash->verdict, crash->certainty, crash->cycles,
			 crash->cycle);
	else
		log_line("process %d (%s) crashed: signal %d, %s (%s), at %s",
			 crash->pid, crash->command, crash->signal,
			 crash->verdict, crash->certainty, crash->place);
}

/* ---- All of it ------------------------------------------------------------ */

static bool store(struct recorder *recorder)
{
	if (!create_directory(recorder))
		return false;
	write_image(recorder);
	write_core(recorder);
	/* The process may end from now on. */
	summarize(recorder);
	int err = crash_write(recorder->directory, &recorder->crash);
	if (!err && complete(recorder))
		return true;
	crash_remove(recorder->store, recorder->temporary);
	errno = err ? -err : errno;
	return false;
}

static void record(struct recorder *recorder)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	recorder->crash = (struct crash){
		.time = now.tv_sec * INT64_C(1000000000) + now.tv_nsec,
		.pid = recorder->pid,
		.tid = recorder->tid,
	};
	read_process(recorder);
	stream_copy(&recorder->stream);
	/* While it is open here, the kernel does not see that nobody reads it. */
	close(STDIN_FILENO);
	bool stored = store(recorder);
	int err = errno;
	if (recorder->core)
		unwinder_run(recorder->core, recorder->pid, UNWIND_TIME,
			     &recorder->crash);
	if (stored && recorder->crash.frames > 0)
		crash_write(recorder->directory, &recorder->crash);
	log_crash(&recorder->crash);
	if (!stored)
		log_line("process %d (%s): cannot store the crash in %s: %s",
			 recorder->pid, recorder->crash.command,
			 recorder->store_path, strerror(err));
	if (recorder->store >= 0)
		crash_store_trim(recorder->store);
}

int main(int argc, char **argv)
{
	struct recorder recorder = {
		.store_path = CRASH_STORE,
		.store = -1,
		.directory = -1,
		.core_file = -1,
	};

	prepare_descriptors();
	if (argc == 5 && strcmp(argv[1], "--store") == 0) {
		recorder.store_path = argv[2];
		argv += 2;
	} else if (argc != 3) {
		return 2;
	}
	recorder.pid = strtol(argv[1], NULL, 10);
	recorder.tid = strtol(argv[2], NULL, 10);
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	limit_memory();
	record(&recorder);
	return 0;
}
