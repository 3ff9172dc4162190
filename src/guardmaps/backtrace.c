// SPDX-License-Identifier: LGPL-2.1-or-later
#include <inttypes.h>
#include <stdio.h>

#include "backtrace.h"
#include "text.h"

/* More lines than these are left out in the middle. */
#define LINES_MAXIMUM 64

static void print_frame(const struct guardmaps_backtrace *backtrace, size_t i)
{
	struct guardmaps_frame frame;

	guardmaps_backtrace_frame(backtrace, i, &frame);
	if (!*frame.function) {
		printf("0x%" PRIx64, frame.address);
	} else {
		text_print(stdout, frame.function);
		printf("+0x%" PRIx64, frame.offset);
	}
}

static void print_file(const struct guardmaps_backtrace *backtrace, size_t i)
{
	struct guardmaps_frame frame;

	guardmaps_backtrace_frame(backtrace, i, &frame);
	if (*frame.file)
		printf(" in ");
	text_print(stdout, frame.file);
}

static void print_run(const struct guardmaps_backtrace *backtrace,
		      const struct guardmaps_frame_run *run)
{
	printf("  #%-7zu ", run->first);
	if (run->times > 1)
		printf("%zu times: ", run->times);
	for (size_t i = 0; i < run->period; i++) {
		printf("%s", i ? ", " : "");
		print_frame(backtrace, run->first + i);
	}
	print_file(backtrace, run->first);
	putchar('\n');
}

void backtrace_print(const struct guardmaps_backtrace *backtrace)
{
	size_t count = guardmaps_backtrace_run_count(backtrace);
	const char *changed = guardmaps_backtrace_changed(backtrace);

	if (changed) {
		printf("  changed  ");
		text_print(stdout, changed);
		puts(": another file has this name now (--exe)");
	}
	for (size_t i = 0; i < count; i++) {
		struct guardmaps_frame_run run =
			guardmaps_backtrace_run(backtrace, i);
		if (i == LINES_MAXIMUM / 2 && count > LINES_MAXIMUM) {
			i = count - LINES_MAXIMUM / 2;
			puts("  ...");
		}
		print_run(backtrace, &run);
	}
}

bool backtrace_find_cycle(const struct guardmaps_backtrace *backtrace,
			  struct guardmaps_frame_run *ret)
{
	size_t count = guardmaps_backtrace_run_count(backtrace);

	*ret = (struct guardmaps_frame_run){};
	for (size_t i = 0; i < count; i++) {
		struct guardmaps_frame_run run =
			guardmaps_backtrace_run(backtrace, i);
		if (run.times > 1 &&
		    run.times * run.period > ret->times * ret->period)
			*ret = run;
	}
	return ret->times > 1;
}

static const char *function_name(const struct guardmaps_backtrace *backtrace,
				 size_t frame)
{
	struct guardmaps_frame found;

	guardmaps_backtrace_frame(backtrace, frame, &found);
	return *found.function ? found.function : "?";
}

void backtrace_name_cycle(const struct guardmaps_backtrace *backtrace,
			  const struct guardmaps_frame_run *cycle, char *ret,
			  size_t size)
{
	size_t length = 0;

	*ret = '\0';
	for (size_t i = cycle->period; i-- > 0 && length < size;)
		length += snprintf(ret + length, size - length, "%s%s",
				   length ? "/" : "",
				   function_name(backtrace, cycle->first + i));
}
