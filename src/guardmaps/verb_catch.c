// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * guardmaps catch: wait for a process to crash, and explain it.
 *
 * What is traced stops when it starts a thread and when a signal is delivered, and
 * at nothing else. When the tracer ends, however that happens, the kernel lets all
 * that it traced go on, and delivers the signals that they have stopped before.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "caught.h"
#include "fault.h"
#include "launch.h"
#include "verb.h"

/*
 * When a process is seized again, in milliseconds. A thread that was being started
 * is not traced: the kernel looks for a tracer first, and then makes the thread.
 */
static const long retrace_times[] = { 20, 200, 1000 };
#define RETRACE_COUNT (sizeof(retrace_times) / sizeof(*retrace_times))

/* PTRACE_SEIZE may wait for an execve() that waits for us. In seconds. */
#define TRACE_PATIENCE 10

struct catch
{
	const struct command *command;
	struct caught caught;
	/* That of the command or of --pid. */
	pid_t process;
	bool has_ended;
	/* Of waitpid(), once it has ended. */
	int status;
	/* That of --pid, or NULL; when it was seized, and how often again. */
	struct guardmaps_process *attached;
	long attached_at;
	size_t retrace_count;
	/* What sigwaitinfo() waits for. */
	sigset_t signals;
	/* The process that is left stopped, and how many threads we still trace. */
	pid_t left;
	unsigned long left_threads;
};

static bool is_thread_of(pid_t process, pid_t thread)
{
	return tgkill(process, thread, 0) == 0;
}

static pid_t process_of(const struct catch *catch, pid_t thread)
{
	char text[32];

	return catch->command->follow &&
			       read_status(thread, "Tgid", text, sizeof(text))
		       ? atoi(text)
		       : catch->process;
}

/* ---- Leaving a process stopped ------------------------------------------ */

/* A debugger can attach to it only when no thread of it is traced. */
static void count_left(struct catch *catch)
{
	if (catch->left_threads == 0 || --catch->left_threads > 0)
		return;
	note("%d is stopped at the fault: attach to it with gdb -p %d, or let it go on with kill -CONT %d",
	     catch->left, catch->left, catch->left);
	/* Its job may be ended from the terminal. */
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
}

static bool is_left(const struct catch *catch, pid_t thread)
{
	return catch->left && is_thread_of(catch->left, thread);
}

/* An access that is made again faults again. */
static void release(struct catch *catch, pid_t thread, int number)
{
	bool is_repeated = number == SIGSEGV || number == SIGBUS;

	if (!ptrace(PTRACE_DETACH, thread, NULL, is_repeated ? 0 : number))
		count_left(catch);
}

/*
 * The signal is not delivered, but the access will be made again. One that was sent
 * has to be sent again.
 */
static void leave_stopped(struct catch *catch, pid_t process, pid_t thread,
			  int number)
{
	char text[32] = "1";
	siginfo_t info;

	caught_print(&catch->caught, process);
	if (!ptrace(PTRACE_GETSIGINFO, thread, NULL, &info) &&
	    info.si_code <= 0)
		tgkill(process, thread, number);
	read_status(thread, "Threads", text, sizeof(text));
	catch->left = process;
	catch->left_threads = strtoul(text, NULL, 10);
	release(catch, thread, SIGSTOP);
}

/* ---- Stops -------------------------------------------------------------- */

static void let_go_on(pid_t thread, int number)
{
	ptrace(PTRACE_CONT, thread, NULL, number);
}

static void handle_signal(struct catch *catch, pid_t thread, int number)
{
	pid_t process = process_of(catch, thread);

	if (caught_signal(&catch->caught, process, thread, number) &&
	    catch->command->stop && !catch->left)
		leave_stopped(catch, process, thread, number);
	else
		let_go_on(thread, number);
}

/* execve() in another thread than the first gives that one's number to it. */
static void handle_exec(struct catch *catch, pid_t thread)
{
	unsigned long former = thread;

	ptrace(PTRACE_GETEVENTMSG, thread, NULL, &former);
	caught_forget(&catch->caught, former);
	caught_forget(&catch->caught, thread);
	let_go_on(thread, 0);
}

/* A new thread; one that stops, or no longer does, with its process. */
static void handle_stop_event(struct catch *catch, pid_t thread, int number)
{
	/* clone() can also make a process without a signal at its end. */
	if (!catch->command->follow && !is_thread_of(catch->process, thread))
		ptrace(PTRACE_DETACH, thread, NULL, 0);
	else if (number == SIGTRAP)
		let_go_on(thread, 0);
	else
		ptrace(PTRACE_LISTEN, thread, NULL, 0);
}

static void handle_stop(struct catch *catch, pid_t thread, int number,
			int event)
{
	if (is_left(catch, thread))
		release(catch, thread, event ? 0 : number);
	else if (event == PTRACE_EVENT_STOP)
		handle_stop_event(catch, thread, number);
	else if (event == PTRACE_EVENT_EXEC)
		handle_exec(catch, thread);
	else if (event)
		let_go_on(thread, 0);
	else
		handle_signal(catch, thread, number);
}

/* The first thread of a process ends when all others have. */
static void handle_end(struct catch *catch, pid_t thread, int status)
{
	caught_end(&catch->caught, thread, status);
	if (catch->left && !catch->command->follow)
		count_left(catch);
	if (thread != catch->process)
		return;
	catch->has_ended = true;
	catch->status = status;
}

/* ---- Waiting ------------------------------------------------------------ */

/* Nothing is left to wait for. */
static bool is_over(const struct catch *catch)
{
	bool is_released = catch->left && catch->left_threads == 0;

	return !catch->command->follow &&
	       (catch->has_ended || (is_released && catch->command->pid));
}

/* Handle all that has happened. Returns false if nothing can happen any more. */
static bool handle_events(struct catch *catch)
{
	int status;
	pid_t thread = 0;

	while (!is_over(catch) &&
	       (thread = waitpid(-1, &status, __WALL | WNOHANG)) > 0)
		if (WIFSTOPPED(status))
			handle_stop(catch, thread, WSTOPSIG(status),
				    status >> 16);
		else
			handle_end(catch, thread, status);
	return !is_over(catch) && thread == 0;
}

static unsigned long choose_options(const struct command *command)
{
	unsigned long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;

	if (command->follow)
		options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
	return options;
}

static long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* If it has ended, that will be seen anyway. */
static void retrace(struct catch *catch)
{
	catch->retrace_count++;
	if (catch->left)
		return;
	alarm(TRACE_PATIENCE);
	guardmaps_error_destroy(guardmaps_trace(
		catch->attached, choose_options(catch->command)));
	alarm(0);
}

/* Returns the number of a signal, if there was one. */
static int wait_for_signal(struct catch *catch)
{
	if (!catch->attached || catch->retrace_count == RETRACE_COUNT)
		return sigwaitinfo(&catch->signals, NULL);
	long left = catch->attached_at + retrace_times[catch->retrace_count] -
		    now();
	if (left <= 0) {
		retrace(catch);
		return 0;
	}
	const struct timespec time = { left / 1000, left % 1000 * 1000000 };
	return sigtimedwait(&catch->signals, NULL, &time);
}

/*
 * Until all has ended, or this process is to end: then a process goes on, and a
 * command gets the signal, too.
 */
static void wait_for_faults(struct catch *catch)
{
	while (handle_events(catch)) {
		int number = wait_for_signal(catch);
		if (number <= 0 || number == SIGCHLD)
			continue;
		if (catch->command->pid)
			return;
		kill(catch->process, number);
	}
}

/* ---- Starting ----------------------------------------------------------- */

static void give_up(int number)
{
	static const char message[] =
		"guardmaps: cannot trace the process: it does not finish execve(2), or starts threads too fast\n";

	(void)number;
	if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0)
		_exit(EXIT_TROUBLE);
	_exit(EXIT_TROUBLE);
}

static void add_unless_ignored(sigset_t *signals, int number)
{
	struct sigaction action;

	if (!sigaction(number, NULL, &action) && action.sa_handler != SIG_IGN)
		sigaddset(signals, number);
}

/*
 * A signal from the terminal reaches a command by itself. What is blocked waits
 * until it is asked for.
 */
static void take_signals(struct catch *catch, struct signal_state *ret)
{
	const struct sigaction by_default = { .sa_handler = SIG_DFL };

	sigemptyset(&catch->signals);
	sigaddset(&catch->signals, SIGCHLD);
	add_unless_ignored(&catch->signals, SIGHUP);
	add_unless_ignored(&catch->signals, SIGTERM);
	if (catch->command->pid) {
		add_unless_ignored(&catch->signals, SIGINT);
		add_unless_ignored(&catch->signals, SIGQUIT);
	}
	sigaction(SIGCHLD, &by_default, &ret->child);
	sigprocmask(SIG_BLOCK, &catch->signals, &ret->mask);
}

/* Where guards cannot be read, there is no use in waiting for a fault. */
static void check_source(const struct command *command, pid_t pid)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map;

	struct guardmaps_error *error =
		open_process(&command->read, pid, &process, &map);
	if (error)
		fail(error);
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
}

static void attach(struct catch *catch, unsigned long options)
{
	char text[32];

	check_source(catch->command, catch->command->pid);
	struct guardmaps_error *error = guardmaps_process_open(
		catch->command->pid, NULL, &catch->attached);
	if (!error)
		error = guardmaps_trace(catch->attached, options);
	if (error)
		fail(error);
	catch->attached_at = now();
	catch->process = catch->command->pid;
	/* It may be the id of any thread. */
	if (read_status(catch->process, "Tgid", text, sizeof(text)))
		catch->process = atoi(text);
	if (catch->caught.output.options.format != OUTPUT_JSON)
		note("%d: waiting for a fault", catch->process);
}

static void start(struct catch *catch, unsigned long options,
		  const struct signal_state *signals, struct launch *ret)
{
	check_source(catch->command, getpid());
	launch_start(catch->command->arguments, options, signals, ret);
	catch->process = ret->pid;
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
}

static enum exit_status run_catch(const struct command *command)
{
	struct catch catch = {
		.command = command,
		.caught = { .read = command->read,
			    .output = command->output,
			    .image = command->save },
	};
	struct signal_state signals;
	struct launch launch = { .pid = 0 };

	output_init(&catch.caught.output, &fault_table);
	take_signals(&catch, &signals);
	signal(SIGALRM, give_up);
	alarm(TRACE_PATIENCE);
	if (command->pid)
		attach(&catch, choose_options(command));
	else
		start(&catch, choose_options(command), &signals, &launch);
	alarm(0);
	wait_for_faults(&catch);
	guardmaps_process_close(catch.attached);
	caught_finish(&catch.caught);
	if (command->pid)
		return EXIT_DONE;
	launch_report(&launch, command->arguments[0]);
	end_like(catch.status);
}

const struct verb catch_verb = {
	.name = "catch",
	.arguments = "COMMAND...",
	.summary = "run a command, and explain its crash",
	.does = VERB_TRACES,
	.run = run_catch,
};
