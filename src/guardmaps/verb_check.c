// SPDX-License-Identifier: LGPL-2.1-or-later
/* guardmaps check: what works on this machine, and what is missing. */
#include <gnu/libc-version.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include "criu.h"
#include "criu_plugin.h"
#include "privileges.h"
#include "verb.h"

/* A finding. */
struct row {
	char item[32];
	const char *status;
	char detail[PATH_MAX + 512];
};

struct check {
	struct row *findings;
	size_t count;
	/* This process, to try the sources on. */
	struct guardmaps_process *self;
	bool has_source;
	bool has_scan;
};

static void add(struct check *check, const char *item, const char *status,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

static void add(struct check *check, const char *item, const char *status,
		const char *format, ...)
{
	va_list arguments;

	check->findings = allocate(check->findings, check->count + 1,
				   sizeof(*check->findings));
	struct row *finding = &check->findings[check->count++];
	snprintf(finding->item, sizeof(finding->item), "%s", item);
	finding->status = status;
	va_start(arguments, format);
	vsnprintf(finding->detail, sizeof(finding->detail), format, arguments);
	va_end(arguments);
}

/* ---- Sources ---------------------------------------------------------- */

static void check_source(struct check *check, enum guardmaps_source source)
{
	char item[32];

	snprintf(item, sizeof(item), "source %s",
		 guardmaps_source_name(source));
	struct guardmaps_error *error = guardmaps_probe(check->self, source);
	if (error) {
		add(check, item, "no", "%s", guardmaps_error_message(error));
		guardmaps_error_destroy(error);
		return;
	}
	add(check, item, "yes", "%s", guardmaps_source_description(source));
	check->has_source = true;
	check->has_scan |= source == GUARDMAPS_SOURCE_SCAN;
}

static void check_sources(struct check *check)
{
	struct guardmaps_error *error =
		guardmaps_process_open(getpid(), NULL, &check->self);
	if (error)
		fail(error);
	for (size_t i = 0; i < guardmaps_source_count(); i++)
		check_source(check, guardmaps_source_at(i));
}

/* ---- Capabilities ----------------------------------------------------- */

static void check_capability(struct check *check, cap_value_t capability,
			     const char *name, const char *use)
{
	cap_flag_value_t value = CAP_CLEAR;
	cap_t capabilities = cap_get_proc();

	if (capabilities)
		cap_get_flag(capabilities, capability, CAP_EFFECTIVE, &value);
	cap_free(capabilities);
	add(check, name, value == CAP_SET ? "yes" : "no", "%s", use);
}

static bool has_more_than(cap_t found, cap_t allowed)
{
	static const cap_flag_t sets[] = { CAP_PERMITTED, CAP_INHERITABLE };
	cap_flag_value_t value, limit;

	for (cap_value_t one = 0; one <= CAP_LAST_CAP; one++)
		for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
			if (!cap_get_flag(found, one, sets[i], &value) &&
			    !cap_get_flag(allowed, one, CAP_PERMITTED,
					  &limit) &&
			    value == CAP_SET && limit == CAP_CLEAR)
				return true;
	return false;
}

static void check_capabilities(struct check *check)
{
	check_capability(
		check, CAP_SYS_PTRACE, "CAP_SYS_PTRACE",
		"processes of other users; alone, by source guards only");
	check_capability(
		check, CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH",
		"with CAP_SYS_PTRACE: processes of other users by any source");
	check_capability(check, CAP_SYS_ADMIN, "CAP_SYS_ADMIN",
			 "source markers; uffd-wp and poison in explain");
}

/* Whether the program file has privileges, and no more than it needs. */
static void check_file_privileges(struct check *check)
{
	static const char item[] = "file capabilities";
	struct stat status = {};
	cap_t needed = cap_from_text("cap_sys_ptrace,cap_dac_read_search=p");
	cap_t found = cap_get_file("/proc/self/exe");
	char *text = found ? cap_to_text(found, NULL) : NULL;

	if (!needed)
		fail_out_of_memory();
	bool is_setuid = !stat("/proc/self/exe", &status) &&
			 status.st_mode & (S_ISUID | S_ISGID);
	if (is_setuid)
		add(check, item, "partly",
		    "guardmaps is set-user-ID or set-group-ID, which is more than it needs: only CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH are safe");
	else if (!text)
		add(check, item, "no",
		    "guardmaps has none: it reads what its user may read");
	else if (has_more_than(found, needed))
		add(check, item, "partly",
		    "%s is more than guardmaps needs: only CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH are safe",
		    text);
	else
		add(check, item, "yes",
		    "%s is safe: all users who can run guardmaps see the mappings and stacks of all processes",
		    text);
	cap_free(text);
	cap_free(found);
	cap_free(needed);
}

/* ---- The C library ---------------------------------------------------- */

/* A thread that runs until it is asked to end. */
struct sleeper {
	/* Waited for at its start, when its stack is set up, and its end. */
	pthread_barrier_t barrier;
	pthread_t thread;
};

static void *sleep_until_told(void *argument)
{
	struct sleeper *sleeper = argument;

	pthread_barrier_wait(&sleeper->barrier);
	pthread_barrier_wait(&sleeper->barrier);
	return NULL;
}

/* What guards the stack of a thread of ours. */
static enum guardmaps_stack_guard look_at_threads(struct check *check)
{
	enum guardmaps_stack_guard guard = GUARDMAPS_STACK_GUARD_UNKNOWN;
	struct guardmaps_threads *threads = NULL;
	struct guardmaps_map *map = NULL;

	struct guardmaps_error *error =
		guardmaps_map_read(check->self, GUARDMAPS_SOURCE_AUTO, &map);
	if (!error)
		error = guardmaps_threads_create(check->self, map, &threads);
	if (!error && guardmaps_threads_count(threads) > 1)
		guard = guardmaps_threads_get(threads, 1)->guard;
	guardmaps_error_destroy(error);
	guardmaps_threads_destroy(threads);
	guardmaps_map_destroy(map);
	return guard;
}

static enum guardmaps_stack_guard try_thread_stack(struct check *check)
{
	enum guardmaps_stack_guard guard = GUARDMAPS_STACK_GUARD_UNKNOWN;
	struct sleeper sleeper;

	pthread_barrier_init(&sleeper.barrier, NULL, 2);
	if (!pthread_create(&sleeper.thread, NULL, sleep_until_told,
			    &sleeper)) {
		pthread_barrier_wait(&sleeper.barrier);
		guard = look_at_threads(check);
		pthread_barrier_wait(&sleeper.barrier);
		pthread_join(sleeper.thread, NULL);
	}
	pthread_barrier_destroy(&sleeper.barrier);
	return guard;
}

static void check_c_library(struct check *check)
{
	const char *version = gnu_get_libc_version();

	switch (try_thread_stack(check)) {
	case GUARDMAPS_STACK_GUARD_MARKER:
		add(check, "thread stacks", "yes",
		    "glibc %s guards them with guard markers", version);
		break;
	case GUARDMAPS_STACK_GUARD_PROT_NONE:
		add(check, "thread stacks", "no",
		    "glibc %s guards them with PROT_NONE mappings (2.42 and later with guard markers)",
		    version);
		break;
	default:
		add(check, "thread stacks", "no",
		    "unknown how glibc %s guards them", version);
	}
}

/* ---- criu ------------------------------------------------------------- */

static const char *version_of(const struct criu *criu)
{
	return *criu->version ? criu->version : "of unknown version";
}

/* criu 3 has fewer hooks, refuses the plugin, and with it every dump. */
static bool is_too_old(const struct criu *criu)
{
	return *criu->version && strtol(criu->version, NULL, 10) < 4;
}

static void check_criu(struct check *check, const struct criu *criu)
{
	if (!*criu->path)
		add(check, "criu", "no", "not installed");
	else if (is_too_old(criu))
		add(check, "criu", "no",
		    "%s %s does not support guards, and does not load the plugin: needs criu 4.1",
		    criu->path, criu->version);
	else if (!criu->knows_guards)
		add(check, "criu", "no",
		    "%s %s does not support guards: a process that has some needs the plugin",
		    criu->path, version_of(criu));
	else if (!check->has_scan)
		add(check, "criu", "no",
		    "%s %s needs PAGE_IS_GUARD (Linux 6.16): a process with guards needs the plugin",
		    criu->path, version_of(criu));
	else
		add(check, "criu", "partly",
		    "%s %s keeps guards; a process with guards in locked mappings needs the plugin",
		    criu->path, version_of(criu));
}

static const char *work_of_plugin(const struct check *check,
				  const struct criu *criu)
{
	if (!*criu->path)
		return "there is no criu to load it";
	if (criu->knows_guards && check->has_scan)
		return "keeps guards in locked mappings, checks the others after a restore";
	return "keeps all guards";
}

static const char plugin_item[] = "criu plugin";

/* Where it is not installed, and whether it should be. */
static void check_absent_plugin(struct check *check, const struct criu *criu,
				const struct plugin *plugin)
{
	if (!*criu->path)
		add(check, plugin_item, "no",
		    "not installed; there is no criu to load it");
	else if (is_too_old(criu))
		add(check, plugin_item, "no",
		    "not installed; do not install it for criu %s, which would refuse it and fail: needs criu 4.1",
		    criu->version);
	else if (!plugin->has_directory)
		add(check, plugin_item, "no",
		    "no directory %s: without one, and without -L, a restore will not notice that the plugin is missing, and guards are lost",
		    plugin->directory);
	else
		add(check, plugin_item, "no", "no guardmaps.so in %s",
		    plugin->directory);
}

static void check_plugin(struct check *check, const struct criu *criu)
{
	struct plugin plugin;

	plugin_find(&plugin);
	if (!plugin.is_there)
		check_absent_plugin(check, criu, &plugin);
	else if (plugin.problem)
		add(check, plugin_item, "no",
		    "%s/guardmaps.so: cannot be loaded: %s", plugin.directory,
		    plugin.problem);
	else if (is_too_old(criu))
		add(check, plugin_item, "no",
		    "%s/guardmaps.so: criu %s does not load it, and fails: needs criu 4.1",
		    plugin.directory, criu->version);
	else
		add(check, plugin_item, "yes", "%s/guardmaps.so: %s",
		    plugin.directory, work_of_plugin(check, criu));
	if (*plugin.others)
		add(check, "other plugins", plugin.is_there ? "yes" : "partly",
		    "%s; %s", plugin.others,
		    plugin.is_there
			    ? "guardmaps.so is called before them"
			    : "one that handles all tasks may hide others");
}

/* ---- The command ------------------------------------------------------ */

static void fill_item(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, row->item);
}

static void fill_status(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, row->status);
}

static void fill_detail(const struct row *row, struct cell *ret)
{
	cell_set_text(ret, row->detail);
}

static const struct column columns[] = {
	COLUMN("ITEM", TEXT, DEFAULT, "what was checked", fill_item),
	COLUMN("STATUS", TEXT, DEFAULT, "yes, no or partly", fill_status),
	COLUMN("DETAIL", TEXT, DEFAULT, "why not, or what it is for",
	       fill_detail),
};

static const struct row *find_row(void *context, size_t number)
{
	const struct check *check = context;

	return &check->findings[number];
}

static const struct table table = {
	.name = "checks",
	TABLE_COLUMNS(columns),
	.find = find_row,
};

static enum exit_status run_check(const struct command *command)
{
	struct check check = {};
	struct criu criu;

	check_sources(&check);
	check_capabilities(&check);
	check_file_privileges(&check);
	check_c_library(&check);
	/* The rest reads files, in directories that need not be trusted. */
	privileges_drop();
	criu_find(&criu);
	check_criu(&check, &criu);
	check_plugin(&check, &criu);
	guardmaps_process_close(check.self);

	output_print(&command->output, &check, check.count);
	free(check.findings);
	if (check.has_source)
		return EXIT_DONE;
	report_problem("no source shows guard regions on this machine");
	return EXIT_PARTLY;
}

const struct verb check_verb = {
	.name = "check",
	.arguments = "",
	.summary = "report what works on this machine",
	.does = VERB_PRINTS_TABLE | VERB_CHECKS,
	.table = &table,
	.run = run_check,
};
