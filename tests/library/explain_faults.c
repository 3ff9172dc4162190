/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an access to an address really raises, and whether its verdict says so.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "files.h"
#include "kernel_abi.h"
#include "layout.h"
#include "needs.h"

/* What the handler was told. */
struct fault {
	int signal;
	int code;
	uint64_t address;
};

static struct fault *fault;

static void note_fault(int signal_number, siginfo_t *info, void *context)
{
	(void)context;
	*fault = (struct fault){
		.signal = signal_number,
		.code = info->si_code,
		.address = (uintptr_t)info->si_addr,
	};
	_exit(0);
}

/* Sanitizers would report the access before it is made. */
static void __attribute__((no_sanitize("address", "undefined")))
touch(uint64_t address, bool write)
{
	volatile char *byte = (char *)(uintptr_t)address;
	struct sigaction action = {
		.sa_sigaction = note_fault,
		.sa_flags = SA_SIGINFO,
	};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	if (write)
		*byte = 1;
	else
		(void)*byte;
	_exit(0);
}

/* A fault of a child, which a debugger or a sanitizer does not see. */
static void provoke(uint64_t address, bool write)
{
	*fault = (struct fault){};
	pid_t child = fork();
	check_setup(child >= 0);
	if (child == 0)
		touch(address, write);
	check_setup(waitpid(child, NULL, 0) == child);
}

/* ---- Addresses ---------------------------------------------------------- */

struct trial {
	const char *what;
	uint64_t address;
	bool write;
	enum guardmaps_verdict verdict;
	int signal;
	int code;
};

/* A mapping of three pages of a file that has one page and a byte more. */
static uint64_t map_short(int fd, int protection, int flags)
{
	check_setup(fd >= 0 && ftruncate(fd, page_size() + 1) == 0);
	char *memory = mmap(NULL, 3 * page_size(), protection, flags, fd, 0);
	check_setup(memory != MAP_FAILED);
	close(fd);
	return (uintptr_t)memory;
}

static uint64_t map_memfd(void)
{
	return map_short(syscall(SYS_memfd_create, "short", 0),
			 PROT_READ | PROT_WRITE, MAP_SHARED);
}

/* The file keeps its name, so that it is found without capabilities. */
static uint64_t map_named(int protection, int flags)
{
	char *path = scratch_path("short");

	write_file(path, "", 0);
	uint64_t start = map_short(open(path, O_RDWR), protection, flags);
	free(path);
	return start;
}

static uint64_t map_guard(int protection)
{
	void *memory = map_memory(page_size(), PROT_READ | PROT_WRITE);

	check_setup(madvise(memory, page_size(), MADV_GUARD_INSTALL) == 0);
	check_setup(mprotect(memory, page_size(), protection) == 0);
	return (uintptr_t)memory;
}

static uint64_t map_hole(void)
{
	void *memory = map_memory(3 * page_size(), PROT_READ);

	munmap((char *)memory + page_size(), page_size());
	return (uintptr_t)memory + page_size();
}

static void verdict_is_what_happens(struct guardmaps_process *self,
				    const struct guardmaps_map *map,
				    const struct trial *trial)
{
	struct guardmaps_explanation explanation;
	bool is_known;

	guardmaps_explain(map, trial->address, GUARDMAPS_MARKER_NONE,
			  &explanation);
	check_success(guardmaps_explain_file(self, map, &explanation,
					     &is_known),
		      "%s: the mapped file can be looked for", trial->what);
	if (!is_known) {
		check_skip("needs CAP_CHECKPOINT_RESTORE", "%s: its verdict",
			   trial->what);
		return;
	}
	check_string(guardmaps_verdict_name(explanation.verdict),
		     guardmaps_verdict_name(trial->verdict), "%s: its verdict",
		     trial->what);
	provoke(trial->address, trial->write);
	check_number(fault->signal, trial->signal, "%s: the signal",
		     trial->what);
	check_number(fault->code, trial->code, "%s: the code of the signal",
		     trial->what);
	if (trial->signal)
		check_number(fault->address,
			     trial->code == SI_KERNEL ? 0 : trial->address,
			     "%s: the address that the signal has",
			     trial->what);
}

static void verdicts_are_what_happens(void)
{
	const uint64_t shared = map_memfd(), page = page_size();
	const uint64_t named = map_named(PROT_READ, MAP_PRIVATE);
	const uint64_t protected_file = map_named(PROT_NONE, MAP_SHARED);
	const struct trial trials[] = {
		{ "the last page of a memfd", shared + 2 * page - 1, true,
		  GUARDMAPS_VERDICT_ACCESSIBLE, 0, 0 },
		{ "past the end of a memfd", shared + 2 * page, true,
		  GUARDMAPS_VERDICT_FILE_END, SIGBUS, BUS_ADRERR },
		{ "the last page of a file", named + page, false,
		  GUARDMAPS_VERDICT_NO_PERMISSION, 0, 0 },
		{ "past the end of a file", named + 3 * page - 1, false,
		  GUARDMAPS_VERDICT_FILE_END, SIGBUS, BUS_ADRERR },
		{ "a PROT_NONE mapping, past the end of a file",
		  protected_file + 2 * page, false, GUARDMAPS_VERDICT_PROT_NONE,
		  SIGSEGV, SEGV_ACCERR },
		{ "a guard", map_guard(PROT_READ | PROT_WRITE), true,
		  GUARDMAPS_VERDICT_GUARD, SIGSEGV, SEGV_MAPERR },
		{ "a guard that is read, in a mapping for reading",
		  map_guard(PROT_READ), false, GUARDMAPS_VERDICT_GUARD, SIGSEGV,
		  SEGV_MAPERR },
		{ "a guard that is written, in a mapping for reading",
		  map_guard(PROT_READ), true, GUARDMAPS_VERDICT_GUARD, SIGSEGV,
		  SEGV_ACCERR },
		{ "a guard in a PROT_NONE mapping", map_guard(PROT_NONE), false,
		  GUARDMAPS_VERDICT_GUARD, SIGSEGV, SEGV_ACCERR },
		{ "a hole", map_hole(), false, GUARDMAPS_VERDICT_UNMAPPED,
		  SIGSEGV, SEGV_MAPERR },
		{ "a null pointer", 0, false, GUARDMAPS_VERDICT_NULL_PAGE,
		  SIGSEGV, SEGV_MAPERR },
#ifdef __x86_64__
		{ "a non-canonical address", UINT64_C(0xdeadbeefdeadbeef),
		  false, GUARDMAPS_VERDICT_NON_CANONICAL, SIGSEGV, SI_KERNEL },
		{ "an address of the kernel", UINT64_C(0xffff888000000000),
		  false, GUARDMAPS_VERDICT_UNMAPPED, SIGSEGV, SEGV_MAPERR },
#endif
	};
	struct guardmaps_process *self;
	struct guardmaps_map *map;

	check_setup(!guardmaps_process_open(getpid(), NULL, &self));
	check_setup(!guardmaps_map_read(self, GUARDMAPS_SOURCE_AUTO, &map));
	for (size_t i = 0; i < LENGTH(trials); i++)
		verdict_is_what_happens(self, map, &trials[i]);
	guardmaps_map_destroy(map);
	guardmaps_process_close(self);
}

int main(void)
{
	check_begin();
	needs_guards();
	needs_source();
	if (under_valgrind())
		check_skip_all("valgrind has faults of its own");
	fault = shared_memory(sizeof(*fault));
	verdicts_are_what_happens();
	return check_finish();
}
