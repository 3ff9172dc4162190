// SPDX-License-Identifier: LGPL-2.1-or-later
/* Words for a process that changes, and checks itself, all the time. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "subject.h"
#include "userfaultfd.h"

#define ALARM_MICROSECONDS 3000
#define TURN_NANOSECONDS 20000000
#define LENT_PAGES 16
/* No area that is not spare has more. */
#define MOST_PAGES 32

/* What the first thread has done so far. */
static atomic_ulong turns, alarms;
/* The first thing that is wrong with it, or NULL. */
static const char *_Atomic odd;

/* ---- Signals ----------------------------------------------------------- */

/* As they were in the beginning, by number. */
static struct sigaction actions[NSIG];
static sigset_t mask;

static void on_alarm(int number)
{
	(void)number;
	alarms++;
}

static void note_signals(void)
{
	signal(SIGALRM, on_alarm);
	for (int i = 1; i < NSIG; i++)
		sigaction(i, NULL, &actions[i]);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
}

static void check_signals(void)
{
	struct sigaction now;
	sigset_t blocked;

	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	for (int i = 1; i < NSIG; i++) {
		if (sigismember(&blocked, i) != sigismember(&mask, i))
			odd = "a signal mask has changed";
		if (sigaction(i, NULL, &now) == 0 &&
		    (now.sa_handler != actions[i].sa_handler ||
		     now.sa_flags != actions[i].sa_flags))
			odd = "a signal handler has changed";
	}
}

/* ---- What the first thread does ---------------------------------------- */

/* One of each area. */
static void watch_pages(size_t page)
{
	for (size_t i = 0; i < self.area_count; i++)
		if (!self.areas[i].is_spare)
			watch_page(&self.areas[i], page % self.areas[i].count);
}

/* In a child: whether it has what its parent has. */
static void __attribute__((noreturn)) end_checked(void)
{
	self.verdict[0] = '\0';
	for (size_t page = 0; page < MOST_PAGES; page++)
		watch_pages(page);
	_exit(self.verdict[0] == '\0' && !odd ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void do_exit(size_t number)
{
	(void)number;
	end_checked();
}

static void have_child(bool execs)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		die("cannot fork");
	if (child == 0) {
		prctl(PR_SET_NAME, "subject-c");
		if (execs)
			execl("/proc/self/exe", "subject", "anonymous", "exit",
			      NULL);
		end_checked();
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			die("cannot wait for a child");
	if (status != 0)
		odd = execs ? "a child that executes a program has failed"
			    : "a child has failed";
}

static void *check_and_end(void *unused)
{
	check_signals();
	return unused;
}

static void have_thread(void)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, check_and_end, NULL);
	if (errno || pthread_join(thread, NULL) != 0)
		die("cannot have a thread");
}

static void change_for_ever(void)
{
	const struct itimerval often = { { 0, ALARM_MICROSECONDS },
					 { 0, ALARM_MICROSECONDS } };
	const struct timespec pause = { 0, TURN_NANOSECONDS };

	setitimer(ITIMER_REAL, &often, NULL);
	for (;;) {
		check_signals();
		have_child(turns % 2);
		have_thread();
		nanosleep(&pause, NULL);
		turns++;
	}
}

static const char *check_changes(void)
{
	if (!goes_on(&turns))
		return "the first thread does not go on";
	return goes_on(&alarms) ? odd : "there are no signals any more";
}

static void do_churn(size_t number)
{
	(void)number;
	note_signals();
	self.main_work = change_for_ever;
	self.check_main_work = check_changes;
}

/* ---- Memory that another thread provides ------------------------------- */

static char *lent;
static uint64_t *lent_contents;
static int lender;

static void *lend(void *unused)
{
	struct uffd_msg message;

	settled++;
	for (;;) {
		if (read(lender, &message, sizeof(message)) != sizeof(message))
			continue;
		struct uffdio_copy copy = {
			.dst = message.arg.pagefault.address &
			       ~(self.page_size - 1),
			.src = (uintptr_t)lent_contents,
			.len = self.page_size,
		};
		if (ioctl(lender, UFFDIO_COPY, &copy) != 0 && errno != EEXIST)
			odd = "cannot provide a page";
	}
	return unused;
}

static void do_userfaultfd(size_t number)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	(void)number;
	lender = syscall(SYS_userfaultfd, O_CLOEXEC);
	lent = map_memory(LENT_PAGES, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1);
	lent_contents =
		map_memory(1, READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	lent_contents[0] = pattern_at(lent_contents);
	area.range.start = (uintptr_t)lent;
	area.range.len = LENT_PAGES * self.page_size;
	if (ioctl(lender, UFFDIO_API, &api) != 0 ||
	    ioctl(lender, UFFDIO_REGISTER, &area) != 0)
		die("cannot register memory");
	start_thread(lend);
}

static void check_lent(size_t page)
{
	char *start = lent + page % LENT_PAGES * self.page_size;

	if (*(volatile uint64_t *)start != lent_contents[0])
		odd = "a page that was provided is wrong";
	madvise(start, self.page_size, MADV_DONTNEED);
}

/* ---- Checking all the time --------------------------------------------- */

static void watch(void)
{
	static size_t page;

	self.verdict[0] = '\0';
	watch_pages(page);
	if (lent)
		check_lent(page);
	page++;
	if (self.verdict[0] != '\0')
		make_file("changed", self.verdict);
}

static void do_watch(size_t number)
{
	(void)number;
	self.watch = watch;
}

/* ---- Guards that are taken out on SIGHUP ------------------------------- */

/* By the next verdict they must be back. */
void open_spare_areas(void)
{
	for (size_t i = 0; i < self.area_count; i++)
		if (self.areas[i].is_spare &&
		    madvise(self.areas[i].start,
			    self.areas[i].count * self.page_size,
			    MADV_GUARD_REMOVE) != 0)
			die("cannot remove guards");
	make_file("opened", "");
}

static void do_spare(size_t number)
{
	(void)number;
	last_area()->is_spare = true;
}

const struct word churn_words[] = {
	{ "churn", do_churn },
	{ "exit", do_exit },
	{ "userfaultfd", do_userfaultfd },
	{ "watch", do_watch },
	{ "spare", do_spare },
	{},
};
