// SPDX-License-Identifier: LGPL-2.1-or-later
/* Whether guards and pages are as they should be. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include "subject.h"

/* ---- Faults ------------------------------------------------------------ */

/* Of each thread. */
static __thread sigjmp_buf after_fault;
static __thread volatile sig_atomic_t expects_fault;
static __thread volatile int fault_code;
static __thread void *volatile fault_address;

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
	(void)context;
	if (!expects_fault) {
		/* The faulting instruction runs again, and ends the process. */
		signal(signal_number, SIG_DFL);
		return;
	}
	fault_code = info->si_code;
	fault_address = info->si_addr;
	siglongjmp(after_fault, 1);
}

void catch_faults(void)
{
	struct sigaction action = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGSEGV, &action, NULL);
}

/* Returns true if accessing an address raised SIGSEGV. */
static bool faults(void *address, bool writes)
{
	expects_fault = 1;
	if (sigsetjmp(after_fault, 0) != 0) {
		expects_fault = 0;
		return true;
	}
	if (writes)
		*(volatile char *)address = 1;
	else
		(void)*(const volatile char *)address;
	expects_fault = 0;
	return false;
}

/* ---- Verdict ----------------------------------------------------------- */

/* Only the first thing that is wrong counts. */
static void __attribute__((format(printf, 1, 2)))
complain(const char *format, ...)
{
	va_list args;

	if (self.verdict[0] != '\0')
		return;
	va_start(args, format);
	vsnprintf(self.verdict, sizeof(self.verdict), format, args);
	va_end(args);
}

/* The address is one inside a guard page, not the start of it. */
static void check_guard(const char *name, char *address, bool any_fault)
{
	if (!faults(address, false))
		complain("%s: guard at %p could be read\n", name, address);
	else if (!any_fault && fault_code != SEGV_MAPERR)
		complain("%s: guard at %p faults with si_code %d\n", name,
			 address, fault_code);
	else if (fault_address != address)
		complain("%s: guard at %p faults with si_addr %p\n", name,
			 address, fault_address);
}

static void check_contents(const struct area *area, size_t page)
{
	const uint64_t *words = (const uint64_t *)page_of(area, page);
	bool filled = area->states[page] == PAGE_FILLED;

	for (size_t i = 0; i < self.page_size / sizeof(*words); i++)
		if (words[i] != (filled ? pattern_at(&words[i]) : 0))
			complain("%s: wrong contents at %p\n", area->name,
				 &words[i]);
}

static void check_page(const struct area *area, size_t page, bool any_fault)
{
	char *start = page_of(area, page);
	size_t inside = page * 8 % self.page_size;

	if (area->states[page] == PAGE_GUARDED)
		check_guard(area->name, start + inside, any_fault);
	else if (faults(start, false))
		complain("%s: page at %p faults with si_code %d\n", area->name,
			 start, fault_code);
	else
		check_contents(area, page);
	/* Write the same value, so that writing is tried as well. */
	if (area->states[page] == PAGE_FILLED &&
	    (area->protection & PROT_WRITE))
		*(volatile uint64_t *)start = pattern_at(start);
}

/* Guards must not be writable; they may be readable when criu was killed. */
void watch_page(struct area *area, size_t page)
{
	if (area->states[page] != PAGE_GUARDED)
		check_page(area, page, true);
	else if (!faults(page_of(area, page), true))
		complain("%s: guard at %p could be written\n", area->name,
			 page_of(area, page));
}

/* Without access to an area, its guards cannot be checked. */
static void check_area(struct area *area, bool any_fault)
{
	bool hidden = area->protection == PROT_NONE;

	if (hidden && !faults(page_of(area, 1), false))
		complain("%s: can be read\n", area->name);
	if (hidden && !any_fault)
		protect(area, READ_WRITE);
	for (size_t page = 0; page < area->count; page++)
		if (!hidden || !any_fault)
			check_page(area, page, any_fault);
	if (hidden && !any_fault)
		protect(area, PROT_NONE);
}

static void check_stack(const struct stack *stack, bool any_fault)
{
	for (char *page = stack->guard; page < stack->start;
	     page += self.page_size)
		check_guard("stack", page + 8, any_fault);
	if (faults(stack->start, false))
		complain("stack: %p faults\n", stack->start);
}

void give_verdict(bool any_fault)
{
	self.verdict[0] = '\0';
	for (size_t i = 0; i < self.area_count; i++)
		check_area(&self.areas[i], any_fault);
	for (size_t i = 0; i < self.stack_count; i++)
		check_stack(&self.stacks[i], any_fault);

	const char *problem = self.check_main_work ? self.check_main_work()
						   : NULL;

	if (problem)
		complain("%s\n", problem);
	make_file("verdict", self.verdict[0] != '\0' ? self.verdict : "ok\n");
}
