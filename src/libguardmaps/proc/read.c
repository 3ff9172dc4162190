// SPDX-License-Identifier: LGPL-2.1-or-later
/* Read guard maps: choose a source, and retry if the process has changed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "mapping.h"
#include "memory.h"
#include "proc_source.h"
#include "source.h"

/*
 * A process is read again if it calls execve() while being read, or if its
 * first thread has ended and the thread that it was read through ends too. The
 * reader gives up after this many attempts.
 */
#define MAXIMUM_ATTEMPTS 256

/* ---- The sources ------------------------------------------------------ */

struct known_source {
	enum guardmaps_source id;
	const struct guard_source *source;
};

#define DECLARATION(name, ...) extern const struct guard_source source_##name;
#define ROW(name, ID, ...) { GUARDMAPS_SOURCE_##ID, &source_##name },
GUARD_SOURCES(DECLARATION)
static const struct known_source known_sources[] = { GUARD_SOURCES(ROW) };
#undef ROW
#undef DECLARATION

#define SOURCE_COUNT (sizeof(known_sources) / sizeof(*known_sources))

/* @ret: NULL for AUTO. Errors: INVALID. */
static struct guardmaps_error *find_source(enum guardmaps_source id,
					   const struct known_source **ret)
{
	*ret = NULL;
	for (size_t i = 0; i < SOURCE_COUNT; i++)
		if (known_sources[i].id == id)
			*ret = &known_sources[i];
	if (*ret || id == GUARDMAPS_SOURCE_AUTO)
		return NULL;
	return error_create(GUARDMAPS_ERROR_INVALID, "unknown source: %d", id);
}

/*
 * Open the file of the source, or without one, the file of the first source for
 * which that is possible. All files are opened before any is read, because the
 * thread that they are opened through may end. pagemap has mode 0400 and the
 * others 0444, so a process may be able to open only the others.
 *
 * @named: NULL for the first source that can be used.
 */
static struct guardmaps_error *open_files(struct process_memory *memory,
					  const struct known_source *named)
{
	struct guardmaps_error *error = memory_open(memory, MEMORY_MAPS);

	if (error || named)
		return error ? error : memory_open(memory, named->source->file);
	for (size_t i = 0; i < SOURCE_COUNT && !error; i++) {
		error = memory_open(memory, known_sources[i].source->file);
		if (memory->fds[known_sources[i].source->file] >= 0)
			break;
	}
	return error;
}

static struct guardmaps_error *
check_recorded(const struct process_memory *memory,
	       const struct guard_source *source, bool is_named)
{
	const char *directory = memory->process->directory;

	if (!memory->process->recorded || !source->recorded_refusal)
		return NULL;
	if (memory->fds[source->file] < 0)
		return error_create(GUARDMAPS_ERROR_UNSUPPORTED,
				    "%s/pagemap does not exist", directory);
	if (is_named && source->recorded_if_named)
		return NULL;
	return error_create(GUARDMAPS_ERROR_UNSUPPORTED,
			    "%s/pagemap is recorded: %s", directory,
			    source->recorded_refusal);
}

/*
 * Read a source, or only probe it if @map is NULL. Its file is opened if
 * open_files() has not done that.
 */
static struct guardmaps_error *ask(struct process_memory *memory,
				   const struct guard_source *source,
				   bool is_named, struct guardmaps_map *map)
{
	struct guardmaps_error *error = memory_open(memory, source->file);

	if (!error)
		error = check_recorded(memory, source, is_named);
	if (error)
		return error;
	return map ? source->read(memory, map) : source->probe(memory);
}

static bool cannot_be_used(const struct guardmaps_error *error)
{
	enum guardmaps_error_code code = guardmaps_error_code(error);

	return code == GUARDMAPS_ERROR_UNSUPPORTED ||
	       code == GUARDMAPS_ERROR_PERMISSION;
}

/* ---- Reading ---------------------------------------------------------- */

/* Put "name: reason" after what is in @reasons. */
static bool add_reason(char **reasons, enum guardmaps_source source,
		       const struct guardmaps_error *error)
{
	char *joined;

	if (asprintf(&joined, "%s%s%s: %s", *reasons ? *reasons : "",
		     *reasons ? "; " : "", guardmaps_source_name(source),
		     guardmaps_error_message(error)) < 0)
		return false;
	free(*reasons);
	*reasons = joined;
	return true;
}

static struct guardmaps_error *read_first(struct process_memory *memory,
					  struct guardmaps_map *map)
{
	_cleanup_free_ char *reasons = NULL;

	for (size_t i = 0; i < SOURCE_COUNT; i++) {
		struct guardmaps_error *error =
			ask(memory, known_sources[i].source, false, map);
		if (!error)
			map->source = known_sources[i].id;
		if (!error || !cannot_be_used(error))
			return error;
		bool added = add_reason(&reasons, known_sources[i].id, error);
		guardmaps_error_destroy(error);
		if (!added)
			return &error_no_memory;
	}
	return error_create(GUARDMAPS_ERROR_UNSUPPORTED,
			    "%d (%s): no source shows guard regions: %s",
			    map->pid, map->process_name, reasons);
}

static struct guardmaps_error *read_named(struct process_memory *memory,
					  const struct known_source *named,
					  struct guardmaps_map *map)
{
	struct guardmaps_error *error = ask(memory, named->source, true, map);

	map->source = named->id;
	if (!error || !cannot_be_used(error))
		return error;
	struct guardmaps_error *wrapped = error_create(
		guardmaps_error_code(error),
		"%d (%s): cannot use source %s: %s", map->pid,
		map->process_name, guardmaps_source_name(named->id),
		guardmaps_error_message(error));
	guardmaps_error_destroy(error);
	return wrapped;
}

/*
 * @named: NULL for the first source that can be used.
 * @ret: what was read, also on error; NULL if nothing was.
 */
static struct guardmaps_error *read_files(struct process_memory *memory,
					  const struct known_source *named,
					  struct guardmaps_map **ret)
{
	const struct guardmaps_process *process = memory->process;

	*ret = NULL;
	struct guardmaps_error *error = open_files(memory, named);
	if (!error)
		error = guard_map_create(process->pid, process->name, "",
					 sysconf(_SC_PAGESIZE), ret);
	if (!error)
		error = mappings_read(process, memory->fds[MEMORY_MAPS], *ret);
	if (error)
		return error;
	return named ? read_named(memory, named, *ret)
		     : read_first(memory, *ret);
}

/* By which a core file names the process. It need not be known. */
static void note_innermost_pid(const struct guardmaps_process *process,
			       struct guardmaps_map *map)
{
	pid_t pid = process_innermost_pid(process);

	map->innermost_pid = pid > 0 ? pid : 0;
}

/* @ret_state: there is no guard map if it is not ALIVE. */
static struct guardmaps_error *read_once(struct guardmaps_process *process,
					 const struct known_source *named,
					 struct guardmaps_map **ret,
					 enum memory_state *ret_state)
{
	struct process_memory memory;
	struct guardmaps_map *map;

	memory_init(&memory, process);
	struct guardmaps_error *failure = read_files(&memory, named, &map);
	struct guardmaps_error *error =
		memory_check(&memory, map, failure, ret_state);
	memory_deinit(&memory);
	if (!failure && *ret_state == MEMORY_ALIVE) {
		note_innermost_pid(process, map);
		*ret = map;
		return NULL;
	}
	guardmaps_map_destroy(map);
	if (*ret_state == MEMORY_ALIVE)
		return failure;
	guardmaps_error_destroy(failure);
	return error;
}

struct guardmaps_error *guardmaps_map_read(struct guardmaps_process *process,
					   enum guardmaps_source source,
					   struct guardmaps_map **ret)
{
	const struct known_source *named;
	enum memory_state state;

	struct guardmaps_error *error = find_source(source, &named);
	if (!error)
		error = process_check_memory(process);
	for (int i = 0; i < MAXIMUM_ATTEMPTS && !error; i++) {
		error = read_once(process, named, ret, &state);
		if (!error && state == MEMORY_ALIVE)
			return NULL;
		if (!error && state == MEMORY_ENDED)
			error = process_file_error(process, ESRCH, "maps");
	}
	return error ? error
		     : error_errno(EAGAIN,
				   "%d (%s): kept changing while being read",
				   process->pid, process->name);
}

/* ---- Probing ---------------------------------------------------------- */

static struct guardmaps_error *probe_first(struct process_memory *memory)
{
	struct guardmaps_error *error = NULL;

	for (size_t i = 0; i < SOURCE_COUNT; i++) {
		guardmaps_error_destroy(error);
		error = ask(memory, known_sources[i].source, false, NULL);
		if (!error || !cannot_be_used(error))
			break;
	}
	return error;
}

struct guardmaps_error *guardmaps_probe(struct guardmaps_process *process,
					enum guardmaps_source source)
{
	const struct known_source *named;
	struct process_memory memory;

	struct guardmaps_error *error = process_check_memory(process);
	if (!error)
		error = find_source(source, &named);
	if (error)
		return error;
	memory_init(&memory, process);
	error = open_files(&memory, named);
	if (!error)
		error = named ? ask(&memory, named->source, true, NULL)
			      : probe_first(&memory);
	memory_deinit(&memory);
	return error;
}
