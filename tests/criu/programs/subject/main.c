// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * subject WORD...: a process, or four, with guard markers, to dump and restore.
 *
 * Does what each word says, in order, and then waits. The words are in tables
 * at the ends of the other source files. All files are created in the current
 * directory. N is the number of the process, 0 for the first one, and its name
 * is subject-N.
 *
 * layout.N      a line START-END for each range whose contents matter
 * ready.N       created when everything is in place
 * verdict.N     created on SIGUSR1: "ok", or the first thing that is wrong
 * opened.N      created on SIGHUP, when guards of spare areas are taken out
 * changed.N     created by the word "watch" if anything was wrong at any time
 * readable.N    created by the word "prober" if it could ever read a guard page
 * unguarded.N   created by the word "prober" if it could ever write to one
 *
 * For the verdict the process accesses every guard page and all other pages. A
 * guard marker faults with SEGV_MAPERR; on SIGUSR2 any SIGSEGV will do.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "subject.h"

/* How often to check if nothing is asked for. */
#define TICK_NANOSECONDS 2000000

struct subject self;

/* ---- Failing ----------------------------------------------------------- */

/* Standard error is /dev/null when tests run. */
void __attribute__((noreturn)) die(const char *what)
{
	FILE *file = fopen("failed", "w");

	if (file)
		fprintf(file, "subject-%zu: %s: %s\n", self.number, what,
			strerror(errno));
	perror(what);
	fflush(NULL);
	_exit(EXIT_FAILURE);
}

void make_file(const char *name, const char *text)
{
	char numbered[64], temporary[sizeof(numbered) + 4];

	snprintf(numbered, sizeof(numbered), "%s.%zu", name, self.number);
	snprintf(temporary, sizeof(temporary), "%s.new", numbered);

	FILE *file = fopen(temporary, "we");

	if (!file || fputs(text, file) < 0 || fclose(file) != 0 ||
	    rename(temporary, numbered) != 0)
		die(numbered);
}

/* ---- Words ------------------------------------------------------------- */

static const struct word *const tables[] = {
	memory_words, lock_words, process_words,  obstacle_words,
	prober_words, call_words, sequence_words, churn_words,
};

static const struct word *find_word(const char *name, size_t length)
{
	for (size_t i = 0; i < LENGTH(tables); i++)
		for (const struct word *word = tables[i]; word->name; word++)
			if (strlen(word->name) == length &&
			    memcmp(word->name, name, length) == 0)
				return word;
	return NULL;
}

static void do_word(const char *text)
{
	size_t length = strcspn(text, ":");
	const struct word *word = find_word(text, length);

	if (!word) {
		errno = EINVAL;
		die(text);
	}
	word->act(text[length] == ':' ? strtoul(text + length + 1, NULL, 10)
				      : 0);
}

/* ---- Serving ----------------------------------------------------------- */

static void write_layout(void)
{
	char name[64];

	snprintf(name, sizeof(name), "layout.%zu", self.number);

	FILE *file = fopen(name, "we");

	if (!file)
		die(name);
	for (size_t i = 0; i < self.area_count; i++) {
		const struct area *area = &self.areas[i];

		fprintf(file, "%jx-%jx\n", (uintmax_t)(uintptr_t)area->start,
			(uintmax_t)(uintptr_t)page_of(area, area->count));
	}
	if (fclose(file) != 0)
		die(name);
}

static sigset_t served_signals(void)
{
	sigset_t served;

	sigemptyset(&served);
	sigaddset(&served, SIGUSR1);
	sigaddset(&served, SIGUSR2);
	sigaddset(&served, SIGHUP);
	return served;
}

static void __attribute__((noreturn)) serve(void)
{
	const struct timespec tick = { .tv_nsec = TICK_NANOSECONDS };
	const sigset_t wanted = served_signals();

	for (;;) {
		int number =
			sigtimedwait(&wanted, NULL, self.watch ? &tick : NULL);

		if (number == SIGHUP)
			open_spare_areas();
		else if (number > 0)
			give_verdict(number == SIGUSR2);
		else if (self.watch)
			self.watch();
	}
}

static void *serve_as_thread(void *unused)
{
	(void)unused;
	settled++;
	serve();
	return NULL;
}

static void block_signals(void)
{
	const sigset_t blocked = served_signals();

	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
}

/* After the last word, in each process. */
static void __attribute__((noreturn)) be_ready(void)
{
	if (self.has_prober)
		start_thread(probe_forever);
	if (self.main_work)
		start_thread(serve_as_thread);
	write_layout();
	make_file("ready", "");
	if (self.stops)
		kill(getpid(), SIGSTOP);
	if (self.main_work)
		self.main_work();
	serve();
}

int main(int argc, char **argv)
{
	/* CRIU could not dump what a test runner has left open. */
	close_range(3, ~0U, 0);
	self.page_size = sysconf(_SC_PAGESIZE);
	name_process();
	block_signals();
	catch_faults();
	for (int i = 1; i < argc; i++)
		if (only_process == SIZE_MAX || only_process == self.number ||
		    strncmp(argv[i], "in:", 3) == 0)
			do_word(argv[i]);
	be_ready();
}
