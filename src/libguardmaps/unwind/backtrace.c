// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "fold.h"
#include "modules.h"
#include "unwind.h"

struct guardmaps_backtrace {
	Dwfl *dwfl;
	const char *changed;
	struct frame_list frames;
	struct guardmaps_frame_run *runs;
	size_t run_count, run_capacity;
};

/* ---- Debugging information ---------------------------------------------- */

/* Where distributions install it (gdb, "Debugging Information in Separate Files"). */
static int find_debuginfo(Dwfl_Module *module, void **userdata,
			  const char *modname, Dwarf_Addr base,
			  const char *file_name, const char *debuglink_file,
			  GElf_Word debuglink_crc, char **debuginfo_file_name)
{
	const unsigned char *id;
	GElf_Addr address;
	char path[256];

	(void)userdata;
	(void)modname;
	(void)base;
	(void)file_name;
	(void)debuglink_file;
	(void)debuglink_crc;
	int size = dwfl_module_build_id(module, &id, &address);
	if (size < 2 || size > 64)
		return -1;
	int length = snprintf(path, sizeof(path),
			      "/usr/lib/debug/.build-id/%02x/", id[0]);
	for (int i = 1; i < size; i++)
		length += snprintf(path + length, sizeof(path) - length, "%02x",
				   id[i]);
	snprintf(path + length, sizeof(path) - length, ".debug");
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0)
		*debuginfo_file_name = strdup(path);
	return fd;
}

/* Files are reported by name, so none is looked for. */
static int find_elf(Dwfl_Module *module, void **userdata, const char *modname,
		    Dwarf_Addr base, char **file_name, Elf **elf)
{
	(void)module;
	(void)userdata;
	(void)modname;
	(void)base;
	(void)file_name;
	(void)elf;
	return -1;
}

/* libdw asks servers that the environment names (DEBUGINFOD_URLS). */
static const Dwfl_Callbacks local = {
	.find_elf = find_elf,
	.find_debuginfo = find_debuginfo,
};

static const Dwfl_Callbacks with_servers = {
	.find_elf = find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
};

/* ---- Making one ----------------------------------------------------------- */

static bool fold(struct guardmaps_backtrace *backtrace)
{
	const struct frame_list *frames = &backtrace->frames;
	struct fold_run run;

	for (size_t i = 0; i < frames->count; i += run.period * run.times) {
		fold_next(frames->addresses, frames->count, i, &run);
		struct guardmaps_frame_run added = { run.first, run.period,
						     run.times };
		if (!array_append(backtrace->runs, backtrace->run_count,
				  backtrace->run_capacity, added))
			return false;
	}
	return true;
}

static struct guardmaps_error *fill(const struct guardmaps_core *core,
				    const char *exe, bool asks_servers,
				    struct guardmaps_backtrace *backtrace)
{
	backtrace->dwfl = dwfl_begin(asks_servers ? &with_servers : &local);
	if (!backtrace->dwfl)
		return &error_no_memory;
	modules_report(core, backtrace->dwfl, exe, &backtrace->changed);
	struct guardmaps_error *error =
		unwind(core, backtrace->dwfl, &backtrace->frames);
	if (!error && !fold(backtrace))
		error = &error_no_memory;
	return error;
}

struct guardmaps_error *
guardmaps_core_backtrace(const struct guardmaps_core *core, const char *exe,
			 bool asks_servers, struct guardmaps_backtrace **ret)
{
	struct guardmaps_backtrace *backtrace = calloc(1, sizeof(*backtrace));
	if (!backtrace)
		return &error_no_memory;

	struct guardmaps_error *error =
		fill(core, exe, asks_servers, backtrace);
	if (error)
		guardmaps_backtrace_destroy(backtrace);
	else
		*ret = backtrace;
	return error;
}

void guardmaps_backtrace_destroy(struct guardmaps_backtrace *backtrace)
{
	if (!backtrace)
		return;
	if (backtrace->dwfl)
		dwfl_end(backtrace->dwfl);
	free(backtrace->frames.addresses);
	free(backtrace->runs);
	free(backtrace);
}

/* ---- Reading one ---------------------------------------------------------- */

size_t guardmaps_backtrace_count(const struct guardmaps_backtrace *backtrace)
{
	return backtrace->frames.count;
}

const char *
guardmaps_backtrace_changed(const struct guardmaps_backtrace *backtrace)
{
	return backtrace->changed;
}

size_t
guardmaps_backtrace_run_count(const struct guardmaps_backtrace *backtrace)
{
	return backtrace->run_count;
}

struct guardmaps_frame_run
guardmaps_backtrace_run(const struct guardmaps_backtrace *backtrace, size_t i)
{
	return backtrace->runs[i];
}

void guardmaps_backtrace_frame(const struct guardmaps_backtrace *backtrace,
			       size_t i, struct guardmaps_frame *ret)
{
	Dwarf_Addr address = backtrace->frames.addresses[i];
	Dwfl_Module *module = dwfl_addrmodule(backtrace->dwfl, address);
	const char *function = NULL, *file = NULL;
	GElf_Off offset = 0;
	GElf_Sym symbol;

	if (module) {
		function = dwfl_module_addrinfo(module, address, &offset,
						&symbol, NULL, NULL, NULL);
		file = dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL,
					NULL, NULL);
	}
	*ret = (struct guardmaps_frame){
		.address = address,
		.function = function ? function : "",
		.offset = function ? offset : 0,
		.file = file ? file : "",
	};
}
