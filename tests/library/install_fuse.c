/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Installing into a process whose memory map is locked by a file system that
 * does not answer: it ends in time, says why, and leaves the process as it was.
 *
 * A mapping of a file has a page to write back when it is replaced. That waits
 * for the file system, with the lock of the memory map.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "needs.h"
#include "pid.h"
#include "pid_lines.h"
#include "trial.h"

enum {
	FILE_SIZE = 65536,
	FILE_NODE = 2,
	BUFFER_SIZE = 1 << 17,
};

/* ---- A file system with one file, which cannot be written to ------------- */

struct server {
	int fd;
	/* Somebody waits for an answer. */
	volatile int is_asked;
};

struct answer {
	struct fuse_out_header header;
	union {
		struct fuse_init_out init;
		struct fuse_attr_out attributes;
		struct fuse_entry_out entry;
		struct fuse_open_out open;
		char page[4096];
	};
};

static struct fuse_attr attributes(uint64_t node)
{
	return (struct fuse_attr){
		.ino = node,
		.size = FILE_SIZE,
		.mode = node == FILE_NODE ? S_IFREG | 0666 : S_IFDIR | 0777,
		.nlink = 1,
	};
}

/* Sets what comes after the header. Returns its size, or a negative errno. */
static int fill_answer(const struct fuse_in_header *request,
		       struct answer *answer)
{
	switch (request->opcode) {
	case FUSE_INIT:
		answer->init = (struct fuse_init_out){
			.major = FUSE_KERNEL_VERSION,
			.minor = 31,
			.max_write = FILE_SIZE,
		};
		return sizeof(answer->init);
	case FUSE_GETATTR:
		answer->attributes.attr = attributes(request->nodeid);
		return sizeof(answer->attributes);
	case FUSE_LOOKUP:
		answer->entry.nodeid = FILE_NODE;
		answer->entry.attr = attributes(FILE_NODE);
		return sizeof(answer->entry);
	case FUSE_OPEN:
		return sizeof(answer->open);
	case FUSE_READ:
		return sizeof(answer->page);
	default:
		return -ENOSYS;
	}
}

static void answer_request(const struct server *server,
			   const struct fuse_in_header *request)
{
	struct answer answer = {};
	int size = fill_answer(request, &answer);

	answer.header = (struct fuse_out_header){
		.len = sizeof(answer.header) + (size > 0 ? size : 0),
		.error = size < 0 ? size : 0,
		.unique = request->unique,
	};
	/* One that was interrupted meanwhile takes no answer. */
	ssize_t ignored __attribute__((unused)) =
		write(server->fd, &answer, answer.header.len);
}

static void serve(int line, void *argument)
{
	static char buffer[BUFFER_SIZE] __attribute__((aligned(8)));
	const struct fuse_in_header *request = (const void *)buffer;
	struct server *server = argument;

	(void)line;
	while (read(server->fd, buffer, sizeof(buffer)) > 0)
		if (request->opcode == FUSE_WRITE)
			server->is_asked = 1;
		else if (request->opcode != FUSE_FORGET)
			answer_request(server, request);
}

/* Where it is mounted, for the subjects. */
static char directory[] = "/tmp/guardmaps-XXXXXX";

struct system {
	struct server *server;
	struct child child;
};

/*
 * Nobody but the server has the descriptor, so that all waits end when it is
 * killed. False if there is no FUSE here.
 */
static bool system_start(struct system *system)
{
	char options[128];

	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	bool is_mounted = mount("guardmaps", directory, "fuse",
				MS_NOSUID | MS_NODEV, options) == 0;
	if (is_mounted) {
		system->server = shared_memory(sizeof(*system->server));
		system->server->fd = fd;
		child_start(&system->child, serve, system->server);
	}
	close(fd);
	return is_mounted;
}

static void system_stop(struct system *system)
{
	umount2(directory, MNT_DETACH);
	munmap(system->server, sizeof(*system->server));
}

/* ---- Subjects ----------------------------------------------------------- */

/* Returns when the server is killed. */
static void hold_memory_map(struct subject *subject)
{
	char *path = format_string("%s/file", directory);
	int fd = open(path, O_RDWR | O_CLOEXEC);

	check_setup(fd >= 0);
	char *page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED,
			  fd, 0);
	check_setup(page != MAP_FAILED);
	*page = 1;
	mmap(page, page_size(), PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	subject->go = 1;
	close(fd);
	free(path);
}

static int hold_as_other(void *argument)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	hold_memory_map(argument);
	_exit(0);
}

/* The threads of the process itself can be stopped. */
static void hold_by_other(struct subject *subject)
{
	static char stack[65536] __attribute__((aligned(16)));

	check_setup(clone(hold_as_other, stack + sizeof(stack),
			  CLONE_VM | SIGCHLD, subject) > 0);
	while (!subject->go)
		subject->count++;
}

/* ---- Trials ------------------------------------------------------------- */

struct trial_of_lock {
	struct trial trial;
	struct system system;
	struct guardmaps_process *process;
};

static void lock_begin(struct trial_of_lock *lock,
		       void (*act)(struct subject *subject))
{
	if (!system_start(&lock->system)) {
		rmdir(directory);
		check_skip_all("FUSE cannot be used");
	}
	trial_begin(&lock->trial, build_anonymous, 3, act);
	check_setup(!guardmaps_process_open(lock->trial.child.pid, NULL,
					    &lock->process));
	check_setup(becomes_set(&lock->system.server->is_asked));
}

static void lock_end(struct trial_of_lock *lock, const char *what)
{
	struct trial *trial = &lock->trial;

	is_released(trial, what);
	child_stop(&lock->system.child);
	check(becomes_set(&trial->subject->go) &&
		      notifies_in_time(&trial->child),
	      "%s: it continues", what);
	guards_are_still_out(trial, what);
	guardmaps_process_close(lock->process);
	trial_end(trial);
	system_stop(&lock->system);
}

static struct guardmaps_error *try_install(const struct trial_of_lock *lock,
					   int cancel_fd, const char *what)
{
	size_t count = UNTOUCHED_COUNT;
	double start = now_seconds();

	struct guardmaps_error *error = guardmaps_install_cancellable(
		lock->process, lock->trial.wanted, false, cancel_fd, &count);
	check(now_seconds() - start < PATIENCE_SECONDS, "%s: it ends in time",
	      what);
	check_number(count, UNTOUCHED_COUNT, "%s: nothing is installed", what);
	return error;
}

static void waiting_is_refused(void)
{
	const char *what = "a process that waits for a file system";
	struct trial_of_lock lock;

	lock_begin(&lock, hold_memory_map);
	check_error(try_install(&lock, -1, what), GUARDMAPS_ERROR_OS,
		    "cannot stop thread", "%s is refused", what);
	lock_end(&lock, what);
}

static pid_t tracer_of(pid_t pid)
{
	char *line = pid_status_line(pid, "TracerPid:");
	pid_t tracer = strtol(line + strcspn(line, "\t"), NULL, 10);

	free(line);
	return tracer;
}

/* Other waits are shorter. */
static bool waits_for_memory_map(pid_t pid)
{
	for (int i = 0; i < 20; i++) {
		if (pid == 0 || pid_state(pid) != 'D')
			return false;
		usleep(10000);
	}
	return true;
}

struct canceller {
	pid_t pid;
	int fd;
};

static void cancel_when_it_waits(int line, void *argument)
{
	const struct canceller *canceller = argument;
	const uint64_t one = 1;

	while (!waits_for_memory_map(tracer_of(canceller->pid)))
		usleep(1000);
	check_setup(write(canceller->fd, &one, sizeof(one)) == sizeof(one));
	await(line);
}

/* Otherwise it ends later, because the memory does not answer. */
static void looking_is_interrupted(void)
{
	const char *what = "a process whose memory map another one has locked";
	int cancel_fd = eventfd(0, EFD_CLOEXEC);
	struct trial_of_lock lock;
	struct child child;

	check_setup(cancel_fd >= 0);
	lock_begin(&lock, hold_by_other);
	struct canceller canceller = { lock.trial.child.pid, cancel_fd };
	child_start(&child, cancel_when_it_waits, &canceller);
	check_error(try_install(&lock, cancel_fd, what), GUARDMAPS_ERROR_OS,
		    "interrupted", "%s: an installation can be interrupted",
		    what);
	child_stop(&child);
	lock_end(&lock, what);
	close(cancel_fd);
}

int main(void)
{
	check_begin();
	needs_vdso();
	if (unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		check_skip_all("needs CAP_SYS_ADMIN");
	check_setup(mkdtemp(directory) != NULL);
	waiting_is_refused();
	looking_is_interrupted();
	check_setup(rmdir(directory) == 0);
	return check_finish();
}
