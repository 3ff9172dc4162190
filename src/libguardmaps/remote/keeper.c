// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "background.h"
#include "charge.h"
#include "cleanup.h"
#include "clock.h"
#include "error.h"
#include "image.h"
#include "keeper.h"
#include "task.h"

#define NAME "guardmaps-keep"

/* criu's parasite takes some milliseconds to exit. */
#define PARASITE_MILLISECONDS 500

/* After this, a process that could not be put right is reported. */
#define PATIENCE_MILLISECONDS 60000

/* Between two tries: the longer it takes, the less often. */
#define SHORTEST_NAP_MILLISECONDS 5
#define LONGEST_NAP_MILLISECONDS 1000
#define NAPS_PER_TIME 20

/* How long one try may take, and how many are made at the same time. */
#define TRY_MILLISECONDS 20000
#define MAXIMUM_TRIES 16

/* How long the owner waits for the keeper to end, which it does by itself. */
#define LEAVE_MILLISECONDS 1000

struct keeper {
	/* A memfd with the records. */
	int memory_fd;
	/* Connected to the keeper: a byte means that it is not needed. */
	int socket;
	/* Where each record begins, and where the last one ends. */
	uint64_t *offsets;
	size_t count, capacity;
	uint64_t end;
	size_t out_count;
};

/* ---- The keeper's side: trying ------------------------------------------ */

/* A process that is to be put right. */
struct patient {
	uint64_t offset;
	/* The child that tries it, or 0, and since when. */
	pid_t child;
	double tried_at;
	bool is_reported;
	bool is_done;
};

struct ward {
	int memory_fd;
	struct patient *patients;
	size_t count, capacity;
	size_t running;
	/* When the owner ended. */
	double start;
};

/*
 * In a child, whose end lets go of all threads that it has stopped, whatever it
 * waits for.
 */
static void start_try(struct ward *ward, struct patient *patient)
{
	double waited = clock_milliseconds() - ward->start;
	bool report = waited > PATIENCE_MILLISECONDS && !patient->is_reported;
	pid_t child = fork();

	if (child == 0)
		_exit(charge_put_right(ward->memory_fd, patient->offset,
				       waited < PARASITE_MILLISECONDS, report));
	if (child < 0)
		return;
	patient->tried_at = clock_milliseconds();
	patient->is_reported |= report;
	patient->child = child;
	ward->running++;
}

static void look_after(struct ward *ward, struct patient *patient)
{
	int status;

	if (clock_milliseconds() - patient->tried_at > TRY_MILLISECONDS)
		kill(patient->child, SIGKILL);
	if (waitpid(patient->child, &status, WNOHANG) == 0)
		return;
	patient->child = 0;
	patient->is_done = WIFEXITED(status) &&
			   WEXITSTATUS(status) != CHARGE_AGAIN;
	ward->running--;
}

static bool is_due(const struct ward *ward, const struct patient *patient)
{
	double now = clock_milliseconds();
	double nap = (now - ward->start) / NAPS_PER_TIME;

	if (nap < SHORTEST_NAP_MILLISECONDS)
		nap = SHORTEST_NAP_MILLISECONDS;
	if (nap > LONGEST_NAP_MILLISECONDS)
		nap = LONGEST_NAP_MILLISECONDS;
	return !patient->is_done && !patient->child &&
	       ward->running < MAXIMUM_TRIES && now - patient->tried_at >= nap;
}

static void do_round(struct ward *ward, size_t *ret_left)
{
	*ret_left = 0;
	for (size_t i = 0; i < ward->count; i++) {
		struct patient *patient = &ward->patients[i];
		if (patient->child)
			look_after(ward, patient);
		if (is_due(ward, patient))
			start_try(ward, patient);
		*ret_left += !patient->is_done;
	}
}

/* As long as there are processes to put right: what hinders it may pass. */
static void put_all_right(struct ward *ward)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	size_t left;

	for (;;) {
		do_round(ward, &left);
		if (left == 0)
			return;
		nanosleep(&nap, NULL);
	}
}

/* Records that were not completed belong to processes that were not changed. */
static void admit_all(struct ward *ward)
{
	struct charge charge;

	for (uint64_t offset = 0; charge_read(ward->memory_fd, offset, &charge);
	     offset += charge.size) {
		struct patient patient = { .offset = offset };
		if (charge.is_out)
			while (!array_append(ward->patients, ward->count,
					     ward->capacity, patient))
				sleep(1);
	}
}

/* ---- The keeper's side: waiting ----------------------------------------- */

/* What the keeper needs. */
struct post {
	int memory_fd;
	int socket;
	/* A pidfd: readable when the owner has exited and no longer traces. */
	int owner_fd;
};

/* Wait for the owner. Whether it exited without saying that all is well. */
static bool is_left_alone(const struct post *post)
{
	struct pollfd fds[] = {
		{ .fd = post->owner_fd, .events = POLLIN },
		{ .fd = post->socket, .events = POLLIN },
	};
	char byte;

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents) {
			if (read(post->socket, &byte, 1) == 1)
				return false;
			/* Closed: from now on there is only its end. */
			fds[1].fd = -1;
		}
		if (fds[0].revents)
			return true;
	}
}

static _Noreturn void keep(const struct post *post)
{
	const int kept[] = { post->memory_fd, post->socket, post->owner_fd };
	struct ward ward = { .memory_fd = post->memory_fd };

	signal(SIGCHLD, SIG_DFL);
	background_settle(NAME, kept, sizeof(kept) / sizeof(*kept));
	if (is_left_alone(post)) {
		ward.start = clock_milliseconds();
		admit_all(&ward);
		put_all_right(&ward);
	}
	_exit(0);
}

/* ---- The owner's side: the keeper --------------------------------------- */

struct keeper *keeper_create(void)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));

	if (!keeper)
		return NULL;
	keeper->socket = -1;
	keeper->memory_fd = memfd_create(NAME, MFD_CLOEXEC);
	if (keeper->memory_fd >= 0)
		return keeper;
	free(keeper);
	return NULL;
}

/*
 * Forked twice, so that it is no child of the owner: criu waits until it has
 * none. Returns 0 or a negative errno.
 */
static int fork_keeper(const struct post *post)
{
	int status = 0;
	pid_t child = background_fork();

	if (child < 0)
		return -errno;
	if (child == 0) {
		prctl(PR_SET_NAME, NAME);
		pid_t keeper = fork();
		if (keeper == 0)
			keep(post);
		_exit(keeper < 0 ? errno : 0);
	}
	/* It does nothing but fork. A handler of the owner may wait for it. */
	while (waitpid(child, &status, __WALL) < 0)
		if (errno != EINTR)
			return 0;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

/* It may have been killed. */
static bool is_running(struct keeper *keeper)
{
	struct pollfd fd = { .fd = keeper->socket };

	if (keeper->socket >= 0 && poll(&fd, 1, 0) == 0)
		return true;
	cleanup_close(&keeper->socket);
	keeper->socket = -1;
	return false;
}

static int start(struct keeper *keeper)
{
	int sockets[2];

	_cleanup_close_ int owner_fd = syscall(SYS_pidfd_open, getpid(), 0);
	if (owner_fd < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	const struct post post = {
		.memory_fd = keeper->memory_fd,
		.socket = sockets[1],
		.owner_fd = owner_fd,
	};
	int failed = fork_keeper(&post);
	close(sockets[1]);
	keeper->socket = sockets[0];
	return is_running(keeper) ? 0 : failed ? failed : -EAGAIN;
}

/* It ends by itself, but those who look for it should not find it. */
static void dismiss(struct keeper *keeper)
{
	struct pollfd fd = { .fd = keeper->socket };

	if (keeper->socket >= 0 &&
	    send(keeper->socket, "", 1, MSG_NOSIGNAL) == 1)
		poll(&fd, 1, LEAVE_MILLISECONDS);
}

void keeper_leave(struct keeper *keeper)
{
	if (!keeper)
		return;
	if (keeper->out_count == 0)
		dismiss(keeper);
	cleanup_close(&keeper->socket);
	close(keeper->memory_fd);
	free(keeper->offsets);
	free(keeper);
}

/* ---- The owner's side: charges ------------------------------------------ */

/* Returns 0 or a negative errno. */
static int write_record(struct keeper *keeper, const struct charge *charge,
			const struct byte_buffer *image)
{
	const struct iovec parts[] = {
		{ (void *)charge, sizeof(*charge) },
		{ image->bytes, image->size },
	};
	ssize_t size = sizeof(*charge) + image->size;

	if (ftruncate(keeper->memory_fd, keeper->end + charge->size))
		return -errno;
	return pwritev(keeper->memory_fd, parts, 2, keeper->end) == size
		       ? 0
		       : -ENOSPC;
}

static int set_out(struct keeper *keeper, uint64_t offset, bool is_out)
{
	const atomic_bool value = is_out;

	return pwrite(keeper->memory_fd, &value, sizeof(value),
		      offset + offsetof(struct charge, is_out)) == sizeof(value)
		       ? 0
		       : -errno;
}

static uint64_t whole_pages(uint64_t size)
{
	uint64_t page_size = sysconf(_SC_PAGESIZE);

	return (size + page_size - 1) / page_size * page_size;
}

static int add_record(struct keeper *keeper,
		      const struct guardmaps_process *process,
		      const struct byte_buffer *image)
{
	uint64_t journal_offset =
		whole_pages(sizeof(struct charge) + image->size);
	const struct charge charge = {
		.size = journal_offset +
			whole_pages(sizeof(struct remote_journal)),
		.image_size = image->size,
		.journal_offset = journal_offset,
		.pid = process->pid,
		.start_time = process->stat.start_time,
		.stack_address = process->stat.stack_address,
	};

	int failed = write_record(keeper, &charge, image);
	if (!failed && !array_append(keeper->offsets, keeper->count,
				     keeper->capacity, keeper->end))
		failed = -ENOMEM;
	if (!failed)
		failed = set_out(keeper, keeper->end, true);
	if (failed)
		return failed;
	keeper->end += charge.size;
	keeper->out_count++;
	return 0;
}

struct guardmaps_error *keeper_entrust(struct keeper *keeper,
				       const struct guardmaps_process *process,
				       const struct guardmaps_map *map,
				       size_t *ret)
{
	struct byte_buffer image;

	struct guardmaps_error *error = image_encode(map, "its image", &image);
	if (error)
		return error;
	*ret = keeper->count;
	int failed = is_running(keeper) ? 0 : start(keeper);
	if (!failed)
		failed = add_record(keeper, process, &image);
	free(image.bytes);
	return failed ? error_errno(
				-failed,
				"%d (%s): cannot start the keeper of its guard regions",
				process->pid, process->name)
		      : NULL;
}

struct remote_journal *keeper_map_journal(struct keeper *keeper, size_t number)
{
	return charge_map_journal(keeper->memory_fd, keeper->offsets[number]);
}

void keeper_unmap_journal(struct keeper *keeper, size_t number,
			  struct remote_journal *journal)
{
	if (journal)
		charge_unmap_journal(keeper->memory_fd, keeper->offsets[number],
				     journal);
}

void keeper_discharge(struct keeper *keeper, size_t number)
{
	set_out(keeper, keeper->offsets[number], false);
	keeper->out_count--;
}
