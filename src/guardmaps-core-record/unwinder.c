// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backtrace.h"
#include "unwinder.h"

/* In place of root, whose rights no file of a crashed process may get. */
#define NOBODY 65534

/* What is found, as it is passed on. */
struct found {
	uint64_t frames;
	uint64_t cycles;
	char cycle[sizeof(((struct crash *)0)->cycle)];
	char place[sizeof(((struct crash *)0)->place)];
};

/* ---- In the other process ---------------------------------------------- */

/* Returns false if any right is left. */
static bool drop_rights(pid_t pid)
{
	struct stat owner;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (stat(path, &owner) < 0)
		return false;
	uid_t user = owner.st_uid ? owner.st_uid : NOBODY;
	gid_t group = owner.st_uid ? owner.st_gid : NOBODY;
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	return chroot(path) == 0 && chdir("/") == 0 &&
	       setgroups(0, NULL) == 0 && setresgid(group, group, group) == 0 &&
	       setresuid(user, user, user) == 0 &&
	       prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
}

/* The recursion begins anywhere in it. Begin with the name that sorts first. */
static void rotate(char *cycle)
{
	char best[sizeof(((struct found *)0)->cycle)];
	char turned[sizeof(best)];

	snprintf(best, sizeof(best), "%s", cycle);
	for (const char *slash = strchr(cycle, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		snprintf(turned, sizeof(turned), "%s/%.*s", slash + 1,
			 (int)(slash - cycle), cycle);
		if (strcmp(turned, best) < 0)
			strcpy(best, turned);
	}
	strcpy(cycle, best);
}

static void name_place(const struct guardmaps_backtrace *backtrace,
		       struct found *ret)
{
	struct guardmaps_frame frame;

	guardmaps_backtrace_frame(backtrace, 0, &frame);
	if (*frame.function)
		snprintf(ret->place, sizeof(ret->place), "%s+0x%" PRIx64,
			 frame.function, frame.offset);
}

static void find(const struct guardmaps_core *core, struct found *ret)
{
	struct guardmaps_backtrace *backtrace;
	struct guardmaps_frame_run cycle;

	if (guardmaps_core_backtrace(core, NULL, false, &backtrace))
		return;
	ret->frames = guardmaps_backtrace_count(backtrace);
	if (ret->frames > 0)
		name_place(backtrace, ret);
	if (!backtrace_find_cycle(backtrace, &cycle))
		return;
	ret->cycles = cycle.times;
	backtrace_name_cycle(backtrace, &cycle, ret->cycle, sizeof(ret->cycle));
	rotate(ret->cycle);
}

static void __attribute__((noreturn))
run_child(const struct guardmaps_core *core, pid_t pid, int to)
{
	struct found found = {};

	if (!drop_rights(pid))
		_exit(1);
	find(core, &found);
	_exit(write(to, &found, sizeof(found)) != sizeof(found));
}

/* ---- In this one ----------------------------------------------------------- */

static bool receive(int from, int milliseconds, struct found *ret)
{
	struct pollfd end = { .fd = from, .events = POLLIN };

	if (poll(&end, 1, milliseconds) != 1 ||
	    read(from, ret, sizeof(*ret)) != sizeof(*ret))
		return false;
	/* It may be anyone's who has taken over the other process. */
	ret->cycle[sizeof(ret->cycle) - 1] = '\0';
	ret->place[sizeof(ret->place) - 1] = '\0';
	return true;
}

void unwinder_run(const struct guardmaps_core *core, pid_t pid,
		  int milliseconds, struct crash *ret)
{
	struct found found;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	pid_t child = fork();
	if (child == 0)
		run_child(core, pid, ends[1]);
	close(ends[1]);
	if (child > 0 && receive(ends[0], milliseconds, &found)) {
		ret->frames = found.frames;
		ret->cycles = found.cycles;
		strcpy(ret->cycle, found.cycle);
		if (*found.place)
			strcpy(ret->place, found.place);
	}
	close(ends[0]);
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
}
