// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps-core: the program in kernel.core_pattern. */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core_pattern.h"
#include "relay.h"

static int print_help(void)
{
	puts("Usage:\n"
	     " guardmaps-core --enable\n"
	     " guardmaps-core --disable\n"
	     " guardmaps-core --status\n"
	     "\n"
	     "Record every crash of this machine (guardmaps crashes), then pass the core on to\n"
	     "what kernel.core_pattern named before.\n"
	     "\n"
	     "Options:\n"
	     "     --enable          put this program in front of the present core_pattern\n"
	     "     --disable         restore the core_pattern that it was put in front of\n"
	     "     --status          show core_pattern; exit with 1 if it is not enabled\n"
	     " -h, --help            display this help\n"
	     " -V, --version         display the version\n"
	     "\n"
	     "For more details see guardmaps-core(8).");
	return 0;
}

static int print_version(void)
{
	puts("guardmaps-core " GUARDMAPS_VERSION);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
} options[] = {
	{ "--enable", core_pattern_enable },
	{ "--disable", core_pattern_disable },
	{ "--status", core_pattern_status },
	{ "--help", print_help },
	{ "-h", print_help },
	{ "--version", print_version },
	{ "-V", print_version },
};

static int run_option(const char *name)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		if (strcmp(options[i].name, name) == 0)
			return options[i].run();
	errx(2, "unknown option: '%s' (see --help)", name);
}

/* An item that the kernel does not know is an empty argument. */
static bool parse_call(int count, char **arguments, struct crash_call *ret)
{
	int end = 1;

	while (end < count && strcmp(arguments[end], CORE_PATTERN_REST) != 0)
		end++;
	if (end == count || end < 3)
		return false;
	*ret = (struct crash_call){
		.pid = arguments[1],
		.tid = arguments[2],
		.next = arguments + end + 1,
	};
	if (end == 7) {
		ret->limit = arguments[3];
		ret->dumpable = arguments[4];
		ret->user = arguments[5];
		ret->group = arguments[6];
	}
	return true;
}

int main(int argc, char **argv)
{
	struct crash_call call;

	if (argc == 2)
		return run_option(argv[1]);
	if (!parse_call(argc, argv, &call))
		errx(2,
		     "requires --enable, --disable or --status (see --help)");
	relay(&call);
	return 1;
}
