/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Recorded files with a line that no kernel prints are refused.
 */
#include <stdlib.h>
#include <string.h>

#include "basics.h"
#include "check.h"
#include "needs.h"
#include "recorded.h"

static void endless_line_is_refused(void)
{
	size_t length = 4 * 1024 * 1024;
	struct guardmaps_map *map = UNTOUCHED;
	struct guardmaps_error *error;
	char *line = malloc(length + 1);
	struct recorded tree;

	check_setup(line != NULL);
	memset(line, '0', length);
	line[length] = '\0';
	recorded_create(&tree, RECORDED_PID, "recorded");
	recorded_write(&tree, "maps", line);
	recorded_write(&tree, "guards", "");
	error = recorded_scan(&tree, GUARDMAPS_SOURCE_GUARDS, &map);
	check(error && map == UNTOUCHED, "a line without an end is refused");
	check(error && strstr(guardmaps_error_message(error), tree.directory),
	      "and the file is named");
	guardmaps_error_destroy(error);
	recorded_destroy(&tree);
	free(line);
}

static const char *const broken_lines[] = {
	"",
	" ",
	"garbage",
	"10020000",
	"10020000-",
	"10020000-10030000",
	"10020000-10030000 ",
	"10020000-10030000 rw-",
	"10020000-10030000 rw-p",
	"10020000-10030000 rw-p 00000000",
	"10020000-10030000 rw-p 00000000 00:00",
	"10020000-10030000 rw-p 00000000 00:00 ",
	"10020000-10030000 rw-p 00000000 00 0",
	"10020000-10030000 rw-p 00000000 :00 0",
	"10020000-10030000 rw-p 00000000 00: 0",
	"10020000-10030000 rw-p 00000000 00:00 x",
	"10020000-10030000 rw-p 00000000 00:00 0x",
	"10020000-10030000 rw-p 00000000 00:00 -1",
	"10020000-10030000 rw-p 00000000 00:00 18446744073709551616",
	"10020000-10030000 rw-p 00000000 100000000:00 0",
	"10020000-10030000 rw-p 10000000000000000 00:00 0",
	"10020000-10030000 rwxq 00000000 00:00 0",
	"10020000-10030000 wr-p 00000000 00:00 0",
	"10020000-10030000 rw-pp 00000000 00:00 0",
	"10020000-10020000 rw-p 00000000 00:00 0",
	"10030000-10020000 rw-p 00000000 00:00 0",
	"10020001-10030000 rw-p 00000000 00:00 0",
	"10020000-10030fff rw-p 00000000 00:00 0",
	"110020000000000000-110030000000000000 rw-p 00000000 00:00 0",
	"-10020000-10030000 rw-p 00000000 00:00 0",
	"0x10020000-0x10030000 rw-p 00000000 00:00 0",
	" 10020000-10030000 rw-p 00000000 00:00 0",
	"10020000 10030000 rw-p 00000000 00:00 0",
};

static void line_is_refused(const char *file, const char *line)
{
	struct guardmaps_map *map = UNTOUCHED;
	struct guardmaps_error *error;
	struct recorded tree;
	char *text, *path;

	recorded_create(&tree, RECORDED_PID, "recorded");
	text = format_string("10000000-10010000 rw-p 00000000 00:00 0 \n"
			     "%s\n"
			     "20000000-20010000 rw-p 00000000 00:00 0 \n",
			     line);
	path = format_string("%s/%s", tree.directory, file);
	recorded_write(&tree, "maps", plain_maps);
	recorded_write(&tree, "guards", "");
	recorded_write(&tree, file, text);
	error = recorded_scan(&tree, GUARDMAPS_SOURCE_GUARDS, &map);
	check(error && strstr(guardmaps_error_message(error), "line 2"),
	      "%s: the error names the broken line", file);
	check_error(error, GUARDMAPS_ERROR_FORMAT, path,
		    "%s: the line \"%s\" is refused", file, line);
	check(map == UNTOUCHED, "%s: and no guard map is returned", file);
	free(path);
	free(text);
	recorded_destroy(&tree);
}

static void broken_lines_are_refused(void)
{
	for (size_t i = 0; i < LENGTH(broken_lines); i++) {
		line_is_refused("maps", broken_lines[i]);
		line_is_refused("guards", broken_lines[i]);
	}
}

int main(void)
{
	check_begin();
	needs_small_pages();
	endless_line_is_refused();
	broken_lines_are_refused();
	return check_finish();
}
