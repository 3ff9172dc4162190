/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guards in recorded trees. Some do not fit the mappings, because a process may
 * change between the reading of the two files.
 */

#include "basics.h"
#include "check.h"
#include "needs.h"
#include "recorded.h"

static void guards_are_found(void)
{
	static const struct expected regions[] = {
		{ .start = 0x10001000, .end = 0x10002000, .mapping = 0 },
		{ .start = 0x20004000, .end = 0x20006000, .mapping = 2 },
		{ .start = 0x7ff000000000, .end = 0x7ff000001000, .mapping = 3 },
	};

	regions_are(
		"guards in private and shared mappings", plain_maps,
		"10001000-10002000 ---p 00000000 00:00 0 \n"
		"20004000-20006000 ---s 00007000 08:01 77             /f\n"
		"7ff000000000-7ff000001000 ---p 00000000 00:00 0  [stack]\n",
		regions, LENGTH(regions));
	regions_are("an empty guards file means no guards", plain_maps, "",
		    NULL, 0);
}

static void stray_guards(void)
{
	static const struct expected inside[] = {
		{ .start = 0x10001000, .end = 0x10002000, .mapping = 0 },
	};
	static const struct expected clipped[] = {
		{ .start = 0x10000000, .end = 0x10001000, .mapping = 0 },
		{ .start = 0x1001f000, .end = 0x10020000, .mapping = 1 },
	};
	static const struct expected split[] = {
		{ .start = 0x1000f000, .end = 0x10010000, .mapping = 0 },
		{ .start = 0x10010000, .end = 0x10011000, .mapping = 1 },
	};
	static const struct expected over_all[] = {
		{ .start = 0x10000000, .end = 0x10010000, .mapping = 0 },
		{ .start = 0x10010000, .end = 0x10020000, .mapping = 1 },
		{ .start = 0x20000000, .end = 0x20010000, .mapping = 2 },
	};

	regions_are("guards outside any mapping are dropped", plain_maps,
		    "00010000-00011000 ---p 00000000 00:00 0 \n"
		    "10001000-10002000 ---p 00000000 00:00 0 \n"
		    "18000000-18001000 ---p 00000000 00:00 0 \n"
		    "7fff00000000-7fff00001000 ---p 00000000 00:00 0 \n",
		    inside, LENGTH(inside));
	regions_are("guards that stick out of a mapping are clipped",
		    plain_maps,
		    "0fff0000-10001000 ---p 00000000 00:00 0 \n"
		    "1001f000-10030000 ---p 00000000 00:00 0 \n",
		    clipped, LENGTH(clipped));
	regions_are("guards across a boundary of mappings are split",
		    plain_maps, "1000f000-10011000 ---p 00000000 00:00 0 \n",
		    split, LENGTH(split));
	regions_are("guards across a hole between mappings are split",
		    plain_maps, "0f000000-30000000 ---p 00000000 00:00 0 \n",
		    over_all, LENGTH(over_all));
}

static void overlapping_guards(void)
{
	static const struct expected joined[] = {
		{ .start = 0x10001000, .end = 0x10003000, .mapping = 0 },
	};

	regions_are("guards that touch are one region", plain_maps,
		    "10001000-10002000 ---p 00000000 00:00 0 \n"
		    "10002000-10003000 ---p 00000000 00:00 0 \n",
		    joined, LENGTH(joined));
	regions_are("guards that overlap are one region", plain_maps,
		    "10001000-10003000 ---p 00000000 00:00 0 \n"
		    "10002000-10003000 ---p 00000000 00:00 0 \n",
		    joined, LENGTH(joined));
	regions_are("guards that are listed twice are one region", plain_maps,
		    "10001000-10003000 ---p 00000000 00:00 0 \n"
		    "10001000-10003000 ---p 00000000 00:00 0 \n",
		    joined, LENGTH(joined));
}

/* The kernel prints a mapping that grew during the read from its new start. */
static void overlapping_mappings(void)
{
	static const struct expected regions[] = {
		{ .start = 0x10001000, .end = 0x10002000, .mapping = 0 },
		{ .start = 0x10014000, .end = 0x10015000, .mapping = 1 },
	};
	static const char guards[] =
		"10001000-10002000 ---p 00000000 00:00 0 \n"
		"10014000-10015000 ---p 00000000 00:00 0 \n";

	regions_are("mappings that overlap still show their guards",
		    "10000000-10010000 rw-p 00000000 00:00 0 \n"
		    "10008000-10020000 rw-p 00000000 00:00 0 \n",
		    guards, regions, LENGTH(regions));
	regions_are("a mapping that grew at both ends still shows its guards",
		    "10000000-10010000 rw-p 00000000 00:00 0 \n"
		    "0f000000-10020000 rw-p 00000000 00:00 0 \n",
		    guards, regions, LENGTH(regions));
	regions_are("a mapping inside the one before it is left out",
		    "10000000-10010000 rw-p 00000000 00:00 0 \n"
		    "10004000-10008000 rw-p 00000000 00:00 0 \n"
		    "10010000-10020000 r--p 00000000 00:00 0 \n",
		    guards, regions, LENGTH(regions));
}

static void without_last_newline(void)
{
	static const struct expected regions[] = {
		{ .start = 0x10001000, .end = 0x10002000, .mapping = 0 },
	};

	regions_are("files without a newline at their end are read completely",
		    "10000000-10010000 rw-p 00000000 00:00 0",
		    "10001000-10002000 ---p 00000000 00:00 0", regions,
		    LENGTH(regions));
}

int main(void)
{
	check_begin();
	needs_small_pages();
	guards_are_found();
	stray_guards();
	overlapping_guards();
	overlapping_mappings();
	without_last_newline();
	return check_finish();
}
