// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "lines.h"
#include "mapping_flags.h"
#include "maps_line.h"
#include "proc.h"

static uint8_t flag_of_word(const char *word)
{
	static const char *const no_guards[] = { "io", "pf", "mm", "de", "ht" };

	if (strcmp(word, "lo") == 0)
		return MAPPING_LOCKED;
	if (strcmp(word, "lf") == 0)
		return MAPPING_LOCKED_ONFAULT;
	for (size_t i = 0; i < sizeof(no_guards) / sizeof(*no_guards); i++)
		if (strcmp(word, no_guards[i]) == 0)
			return MAPPING_TAKES_NO_GUARDS;
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

/* A line of maps says which mapping the lines after it are about. */
static void take_line(char *line, const struct guardmaps_map *map,
		      uint8_t *flags, uint32_t *mapping)
{
	static const char key[] = "VmFlags:";
	struct guardmaps_mapping parsed;

	if (strncmp(line, key, sizeof(key) - 1) == 0) {
		if (*mapping != GUARDMAPS_NONE)
			flags[*mapping] = parse_flags(line + sizeof(key) - 1);
	} else if (maps_line_parse(line, map->page_size, &parsed)) {
		*mapping = guardmaps_map_find_mapping(map, parsed.start);
	}
}

static struct guardmaps_error *read_flags(const struct guardmaps_process *process,
					  const struct guardmaps_map *map,
					  int fd, uint8_t *flags)
{
	struct line_reader reader;
	uint32_t mapping = GUARDMAPS_NONE;
	char *line;
	size_t length;
	int got;

	line_reader_init(&reader, fd);
	while ((got = line_reader_next(&reader, &line, &length)) > 0)
		take_line(line, map, flags, &mapping);
	line_reader_deinit(&reader);
	return got < 0 ? process_file_error(process, -got, "smaps") : NULL;
}

struct guardmaps_error *mapping_flags_read(const struct guardmaps_process *process,
					   const struct guardmaps_map *map,
					   uint8_t **ret)
{
	_cleanup_close_ int fd = process_open_memory_file(process, "smaps");
	if (fd < 0)
		return process_file_error(process, -fd, "smaps");
	uint8_t *flags = calloc(map->mapping_count + 1, sizeof(*flags));
	if (!flags)
		return &error_no_memory;
	struct guardmaps_error *error = read_flags(process, map, fd, flags);
	if (error)
		free(flags);
	else
		*ret = flags;
	return error;
}
