// SPDX-License-Identifier: LGPL-2.1-or-later
#include <string.h>

#include "backtrace.h"
#include "fault.h"

const struct guardmaps_mapping *fault_mapping(const struct fault_report *report)
{
	uint32_t i = report->fault.explanation.mapping;

	return i == GUARDMAPS_NONE ? NULL
				   : guardmaps_map_mapping(report->map, i);
}

bool fault_has_region(const struct fault_report *report)
{
	return report->fault.explanation.region != GUARDMAPS_NONE;
}

bool fault_has_address(const struct fault_report *report)
{
	switch (report->fault.verdict) {
	case GUARDMAPS_VERDICT_UNKNOWN_ADDRESS:
	case GUARDMAPS_VERDICT_SENT:
	case GUARDMAPS_VERDICT_FORGED:
	case GUARDMAPS_VERDICT_OTHER:
		return false;
	default:
		return true;
	}
}

bool fault_find_range(const struct fault_report *report, uint64_t *ret_start,
		      uint64_t *ret_end)
{
	const struct guardmaps_fault *fault = &report->fault;
	const struct guardmaps_mapping *mapping = fault_mapping(report);

	if (fault->owner) {
		*ret_start = fault->guard_start;
		*ret_end = fault->guard_end;
	} else if (fault_has_region(report)) {
		struct guardmaps_region region = guardmaps_map_region(
			report->map, fault->explanation.region);
		*ret_start = region.start;
		*ret_end = region.end;
	} else if (mapping) {
		*ret_start = mapping->start;
		*ret_end = mapping->end;
	} else {
		return false;
	}
	return true;
}

/* "SEGV", as kill -l has it. */
const char *fault_signal_name(int number)
{
	const char *name = sigabbrev_np(number);

	return name ? name : "?";
}

bool fault_find_cycle(const struct fault_report *report,
		      struct guardmaps_frame_run *ret)
{
	return report->backtrace &&
	       backtrace_find_cycle(report->backtrace, ret);
}

void fault_print(const struct output *output, const struct fault_report *report)
{
	const struct output_options *options = &output->options;

	if (options->format == OUTPUT_TABLE && !options->columns &&
	    !options->all_columns && !options->sort)
		fault_print_words(report);
	else
		output_print(output, (void *)report, 1);
}
