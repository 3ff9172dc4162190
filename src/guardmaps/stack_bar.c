// SPDX-License-Identifier: LGPL-2.1-or-later
#include <langinfo.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "stack.h"
#include "stack_bar.h"

#define WIDTH 20
#define SMALLEST_WIDTH 8

/* Of a terminal that does not report it. */
#define TERMINAL_WIDTH 80

enum part {
	PART_USED,
	PART_PEAK,
	PART_UNUSED,
	PART_UNKNOWN,
};

static const char *const blocks[] = {
	[PART_USED] = "\u2588",
	[PART_PEAK] = "\u2592",
	[PART_UNUSED] = "\u2591",
	[PART_UNKNOWN] = "?",
};

static const char *const letters[] = {
	[PART_USED] = "#",
	[PART_PEAK] = "+",
	[PART_UNUSED] = ".",
	[PART_UNKNOWN] = "?",
};

/* The other formats escape what is not ASCII, or are read by programs. */
struct stack_bar stack_bar_choose(const struct output_options *options)
{
	return (struct stack_bar){
		.width = WIDTH,
		.has_blocks = options->format == OUTPUT_TABLE &&
			      strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
	};
}

bool stack_bar_fit(struct stack_bar *bar, size_t table_width)
{
	struct winsize size = {};

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	size_t width = size.ws_col ? size.ws_col : TERMINAL_WIDTH;
	/* There is a blank next to it. */
	if (width < table_width + 1 + SMALLEST_WIDTH)
		return false;
	width -= table_width + 1;
	bar->width = width < WIDTH ? width : WIDTH;
	return true;
}

/* Not all of the bar is full, nor empty, unless all of the stack is. */
static unsigned int scale(const struct stack_bar *bar,
			  const struct guardmaps_thread *thread, uint64_t bytes)
{
	uint64_t size = stack_size(thread);

	if (bytes >= size)
		return bar->width;
	unsigned int cells = (bytes * bar->width + size - 1) / size;
	return cells < bar->width ? cells : bar->width - 1;
}

void stack_bar_draw(const struct stack_bar *bar,
		    const struct guardmaps_thread *thread, struct cell *ret)
{
	const char *const *parts = bar->has_blocks ? blocks : letters;
	bool has_used = stack_has_used(thread);
	bool has_peak = stack_has_peak(thread);
	unsigned int used = 0, peak = 0;
	char *end = ret->buffer;

	if (has_used)
		used = scale(bar, thread, stack_used(thread));
	if (has_peak)
		peak = scale(bar, thread, stack_peak(thread));
	if (!has_used && !has_peak)
		return;
	for (unsigned int i = 0; i < bar->width; i++) {
		enum part part = i < used   ? PART_USED
				 : i < peak ? PART_PEAK
				 : has_peak ? PART_UNUSED
					    : PART_UNKNOWN;
		end = stpcpy(end, parts[part]);
	}
	cell_set_text(ret, ret->buffer);
}
