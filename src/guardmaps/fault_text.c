// SPDX-License-Identifier: LGPL-2.1-or-later
/* A fault as text. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "backtrace.h"
#include "describe.h"
#include "fault.h"
#include "text.h"

static void print_thread(const char *word, pid_t tid, const char *name)
{
	printf("%s ", word);
	text_print(stdout, name);
	printf(*name ? " (%d)" : "%d", tid);
}

/* " after 23818 levels of parse_expression/parse_term" */
static void print_levels(const struct fault_report *report)
{
	struct guardmaps_frame_run cycle;
	char names[192];

	if (!fault_find_cycle(report, &cycle))
		return;
	backtrace_name_cycle(report->backtrace, &cycle, names, sizeof(names));
	printf(" after %zu levels of ", cycle.times);
	text_print(stdout, names);
}

static void print_owner(const struct fault_report *report)
{
	if (report->fault.owner == report->fault.tid) {
		printf(" overflowed its stack: it accessed the guard of its stack at 0x%" PRIx64,
		       report->fault.explanation.address);
		print_levels(report);
		puts(".");
	} else {
		printf(" accessed 0x%" PRIx64 ", in the guard of the stack of ",
		       report->fault.explanation.address);
		print_thread("thread", report->fault.owner,
			     report->fault.owner_name);
		puts(".");
	}
}

static void print_jumped(const struct fault_report *report)
{
	const struct guardmaps_fault *fault = &report->fault;

	printf(" overflowed its stack, past the guard, ");
	if (fault->entered) {
		printf("into the stack of ");
		print_thread("thread", fault->entered, fault->entered_name);
	} else {
		printf("to 0x%" PRIx64 ", where nothing is mapped",
		       fault->explanation.address);
	}
	puts(": it had a frame that is larger than the guard.");
}

/* " VERB ADDRESSREST" */
static void print_access(const struct fault_report *report, const char *rest)
{
	printf(" %s 0x%" PRIx64 "%s\n",
	       report->fault.is_jump ? "jumped to" : "accessed",
	       report->fault.explanation.address, rest);
}

static void print_signal(const struct fault_report *report, const char *rest)
{
	printf(" got SIG%s%s\n", fault_signal_name(report->fault.signal), rest);
}

static void print_verdict(const struct fault_report *report)
{
	switch (report->fault.verdict) {
	case GUARDMAPS_VERDICT_GUARD:
		print_access(report, ", in a guard region.");
		break;
	case GUARDMAPS_VERDICT_PROT_NONE:
		print_access(report, ", in a PROT_NONE mapping.");
		break;
	case GUARDMAPS_VERDICT_NO_PERMISSION:
		print_access(report, ", in a mapping that does not permit it.");
		break;
	case GUARDMAPS_VERDICT_ACCESSIBLE:
		print_access(
			report,
			", in a mapping that permits it now: it was changed after the access.");
		break;
	case GUARDMAPS_VERDICT_UNMAPPED:
		print_access(report, ", where nothing is mapped.");
		break;
	case GUARDMAPS_VERDICT_NULL_PAGE:
		print_access(report,
			     ": a null pointer, or an offset from one.");
		break;
	case GUARDMAPS_VERDICT_MAIN_STACK_LIMIT:
		printf(" overflowed its stack: it has reached its limit (RLIMIT_STACK), and cannot grow to 0x%" PRIx64,
		       report->fault.explanation.address);
		print_levels(report);
		puts(".");
		break;
	case GUARDMAPS_VERDICT_FILE_END:
		print_access(
			report,
			", in a mapped file, where there is no data: after its end, or it could not be read.");
		break;
	case GUARDMAPS_VERDICT_POISON:
		print_access(report, ", in memory that is broken or poisoned.");
		break;
	case GUARDMAPS_VERDICT_JUMPED_GUARD:
		print_jumped(report);
		break;
	case GUARDMAPS_VERDICT_UNKNOWN_ADDRESS:
		print_signal(
			report,
			" for an address that is not known, which need not be 0.");
		break;
	case GUARDMAPS_VERDICT_SENT:
		print_signal(
			report,
			", which a process sent: kill(2), abort(3), raise(3). It did not access memory.");
		break;
	case GUARDMAPS_VERDICT_FORGED:
		print_signal(
			report,
			" in a system call, as if it had accessed memory: the process sent it to itself.");
		break;
	default:
		print_signal(
			report,
			", which has nothing to do with guards and mappings.");
	}
}

static const char *find_witness(const struct fault_report *report)
{
	bool has_region = fault_has_region(report);

	if (report->fault.verdict == GUARDMAPS_VERDICT_JUMPED_GUARD ||
	    (report->fault.owner && !(report->is_live && has_region)))
		return "thread descriptor of the C library";
	return report->is_live ? "guard map at the time of the fault" : "image";
}

/* What the sentence before is known from, and what else may be. */
static void print_certainty(const struct fault_report *report)
{
	const struct guardmaps_fault *fault = &report->fault;
	bool may_be_guard = fault->verdict == GUARDMAPS_VERDICT_PROT_NONE ||
			    fault->verdict == GUARDMAPS_VERDICT_NO_PERMISSION;

	if (fault->certainty == GUARDMAPS_CERTAINTY_CERTAIN)
		printf("  known    by the %s\n", find_witness(report));
	else if (fault->certainty == GUARDMAPS_CERTAINTY_MAPPINGS)
		printf("  known    by the signal and the mappings at the time of the %s\n",
		       report->is_live ? "fault" : "dump");
	if (fault->certainty != GUARDMAPS_CERTAINTY_CERTAIN && may_be_guard &&
	    !fault->is_jump)
		puts("  There may be a guard region, too: without an image (--image), a core file does not say.");
}

static const char *code_name(const struct guardmaps_fault *fault)
{
	static const struct {
		int signal;
		int code;
		const char *name;
	} names[] = {
		{ SIGSEGV, SEGV_MAPERR, "SEGV_MAPERR" },
		{ SIGSEGV, SEGV_ACCERR, "SEGV_ACCERR" },
		{ SIGSEGV, SEGV_BNDERR, "SEGV_BNDERR" },
		{ SIGSEGV, SEGV_PKUERR, "SEGV_PKUERR" },
		{ SIGBUS, BUS_ADRALN, "BUS_ADRALN" },
		{ SIGBUS, BUS_ADRERR, "BUS_ADRERR" },
		{ SIGBUS, BUS_MCEERR_AR, "BUS_MCEERR_AR" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].signal == fault->signal &&
		    names[i].code == fault->code)
			return names[i].name;
	return fault->code == SI_KERNEL ? "SI_KERNEL" : NULL;
}

static void print_code(const struct guardmaps_fault *fault)
{
	printf("  signal   SIG%s, code ", fault_signal_name(fault->signal));
	if (code_name(fault))
		puts(code_name(fault));
	else
		printf("%d\n", fault->code);
}

static void print_handler(const struct guardmaps_fault *fault)
{
	if (fault->ended_by)
		printf("  handler  of the program, which ended with SIG%s in it\n",
		       fault_signal_name(fault->ended_by));
}

static void print_process(const struct fault_report *report)
{
	printf("  process  ");
	text_print(stdout, guardmaps_map_process_name(report->map));
	printf(" (%d)\n", guardmaps_map_pid(report->map));
}

static void print_stack(const struct fault_report *report)
{
	if (!report->thread || !report->thread->stack_end)
		return;
	describe_range("stack", report->thread->stack_start,
		       report->thread->stack_end);
	putchar('\n');
}

static void print_guard(const struct fault_report *report)
{
	uint64_t address = report->fault.explanation.address, start, end;

	if ((!report->fault.owner && !fault_has_region(report)) ||
	    !fault_find_range(report, &start, &end))
		return;
	describe_range("guard", start, end);
	putchar('\n');
	describe_distance(address - start, "above its start");
	describe_distance(end - address, "below its end");
}

static void print_place(const struct fault_report *report)
{
	const struct guardmaps_fault *fault = &report->fault;

	print_guard(report);
	if (fault_mapping(report))
		describe_mapping("mapping", fault_mapping(report));
	else if (fault->verdict == GUARDMAPS_VERDICT_UNMAPPED ||
		 fault->verdict == GUARDMAPS_VERDICT_JUMPED_GUARD ||
		 fault->verdict == GUARDMAPS_VERDICT_MAIN_STACK_LIMIT)
		describe_neighbours(report->map, &fault->explanation);
}

void fault_print_words(const struct fault_report *report)
{
	const struct guardmaps_fault *fault = &report->fault;

	print_thread("Thread", fault->tid, fault->name);
	if (fault->owner && fault->certainty == GUARDMAPS_CERTAINTY_CERTAIN &&
	    !fault->entered)
		print_owner(report);
	else
		print_verdict(report);
	print_certainty(report);
	print_code(fault);
	print_handler(fault);
	print_process(report);
	print_stack(report);
	if (fault_has_address(report))
		print_place(report);
	if (report->backtrace)
		backtrace_print(report->backtrace);
}
