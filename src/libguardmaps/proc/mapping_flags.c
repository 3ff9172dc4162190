// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "lines.h"
#include "mapping_flags.h"
#include "maps_line.h"
#include "memory.h"

static uint8_t flag_of_word(const char *word)
{
	static const char *const no_guards[] = { "io", "pf", "mm", "de", "ht" };
	static const char *const userfaultfd[] = { "um", "uw", "ui" };

	if (strcmp(word, "lo") == 0)
		return GUARDMAPS_LOCKED;
	if (strcmp(word, "lf") == 0)
		return GUARDMAPS_LOCKED_ON_FAULT;
	if (strcmp(word, "gd") == 0)
		return MAPPING_GROWS_DOWN;
	if (strcmp(word, "sl") == 0)
		return MAPPING_SEALED;
	for (size_t i = 0; i < sizeof(no_guards) / sizeof(*no_guards); i++)
		if (strcmp(word, no_guards[i]) == 0)
			return MAPPING_TAKES_NO_GUARDS;
	for (size_t i = 0; i < sizeof(userfaultfd) / sizeof(*userfaultfd); i++)
		if (strcmp(word, userfaultfd[i]) == 0)
			return MAPPING_USERFAULTFD;
	return 0;
}

static uint8_t parse_flags(char *words)
{
	uint8_t flags = 0;
	char *position;

	for (char *word = strtok_r(words, " ", &position); word;
	     word = strtok_r(NULL, " ", &position))
		flags |= flag_of_word(word);
	return flags;
}

/*
 * A line in the format of maps names the mapping that the next lines describe.
 * Returns whether this line holds the flags of one.
 */
static bool take_line(char *line, const struct guardmaps_map *map,
		      uint32_t *mapping, uint8_t *ret)
{
	static const char key[] = "VmFlags:";
	struct guardmaps_mapping parsed;

	if (strncmp(line, key, sizeof(key) - 1) == 0) {
		if (*mapping == GUARDMAPS_NONE)
			return false;
		ret[*mapping] = parse_flags(line + sizeof(key) - 1);
		return true;
	}
	if (maps_line_parse(line, map->page_size, &parsed))
		*mapping = guardmaps_map_find_mapping(map, parsed.start);
	return false;
}

struct guardmaps_error *mapping_flags_read_into(struct process_memory *memory,
						const struct guardmaps_map *map,
						uint8_t *ret)
{
	uint32_t mapping = GUARDMAPS_NONE;
	struct line_reader reader;
	size_t length, count = 0;
	char *line;
	int got;

	struct guardmaps_error *error = memory_open(memory, MEMORY_SMAPS);
	if (error)
		return error;
	line_reader_init(&reader, memory->fds[MEMORY_SMAPS]);
	while ((got = line_reader_next(&reader, &line, &length)) > 0)
		count += take_line(line, map, &mapping, ret);
	line_reader_deinit(&reader);
	if (got < 0)
		return memory_error(memory, MEMORY_SMAPS, -got);
	return count < map->mapping_count
		       ? memory_error(memory, MEMORY_SMAPS, ESRCH)
		       : NULL;
}

static struct guardmaps_error *read_into_map(struct process_memory *memory,
					     struct guardmaps_map *map)
{
	_cleanup_free_ uint8_t *flags = calloc(map->mapping_count + 1, 1);
	if (!flags)
		return &error_no_memory;
	struct guardmaps_error *error =
		mapping_flags_read_into(memory, map, flags);
	for (size_t i = 0; i < map->mapping_count; i++)
		map->mappings[i].flags = flags[i];
	return error;
}

struct guardmaps_error *mapping_flags_read(struct guardmaps_process *process,
					   struct guardmaps_map *map)
{
	struct process_memory memory;

	memory_init(&memory, process);
	struct guardmaps_error *error = read_into_map(&memory, map);
	memory_deinit(&memory);
	return error;
}
