// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps explain --core FILE: why a process crashed. */
#include "core.h"
#include "fault.h"
#include "verb.h"

static enum exit_status run_fault(const struct command *command)
{
	struct guardmaps_backtrace *backtrace;
	struct guardmaps_threads *threads;
	struct guardmaps_core *core;
	struct fault_report report;

	struct guardmaps_error *error = open_core(command, &core);
	if (!error)
		error = guardmaps_core_threads(core, &threads);
	if (!error)
		error = guardmaps_core_backtrace(
			core, command->exe, command->debuginfod, &backtrace);
	if (error)
		fail(error);
	report = (struct fault_report){
		.map = guardmaps_core_map(core),
		.thread = guardmaps_threads_get(threads, 0),
		.backtrace = backtrace,
	};
	guardmaps_core_fault(core, &report.fault);
	fault_print(&command->output, &report);
	guardmaps_backtrace_destroy(backtrace);
	guardmaps_threads_destroy(threads);
	guardmaps_core_close(core);
	return EXIT_DONE;
}

const struct verb fault_verb = {
	.name = "explain --core",
	.arguments = "",
	.summary = "explain why a process crashed",
	.does = VERB_READS_CORES | VERB_READS_IMAGES | VERB_UNWINDS |
		VERB_READS_STORE | VERB_PRINTS_TABLE,
	.table = &fault_table,
	.run = run_fault,
};
