// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "charge.h"
#include "cleanup.h"
#include "error.h"
#include "guard_map.h"
#include "image.h"
#include "recovery.h"
#include "reinstate.h"
#include "seize.h"
#include "task.h"

bool charge_read(int fd, uint64_t offset, struct charge *ret)
{
	return pread(fd, ret, sizeof(*ret), offset) == sizeof(*ret) &&
	       ret->size > 0;
}

struct remote_journal *charge_map_journal(int fd, uint64_t offset)
{
	struct charge charge;

	if (!charge_read(fd, offset, &charge)) {
		errno = ENODATA;
		return NULL;
	}
	void *memory = mmap(NULL, sizeof(struct remote_journal),
			    PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			    offset + charge.journal_offset);
	return memory == MAP_FAILED ? NULL : memory;
}

void charge_unmap_journal(int fd, uint64_t offset,
			  struct remote_journal *journal)
{
	bool is_needed = recovery_is_due(journal);
	struct charge charge;

	munmap(journal, sizeof(*journal));
	if (!is_needed && charge_read(fd, offset, &charge))
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  offset + charge.journal_offset,
			  charge.size - charge.journal_offset);
}

static bool is_of_criu(const struct guardmaps_map *map, uint64_t address)
{
	static const char name[] = "/memfd:CRIUMFD";
	uint32_t i = guardmaps_map_find_mapping(map, address);

	return i != GUARDMAPS_NONE &&
	       strncmp(map->mappings[i].name, name, strlen(name)) == 0;
}

/*
 * Whether a thread runs criu's parasite. The parasite runs on for a moment
 * after criu was killed, and resets the permissions of memory to what criu
 * found.
 */
static struct guardmaps_error *
look_for_parasite(struct guardmaps_process *process,
		  const struct seized_process *seized, bool *ret)
{
	struct guardmaps_map *map;
	size_t count;
	const pid_t *tids = seized_threads(seized, &count);

	struct guardmaps_error *error =
		guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &map);
	if (error)
		return error;
	for (size_t i = 0; i < count; i++)
		*ret |= is_of_criu(map, remote_program_counter(tids[i]));
	guardmaps_map_destroy(map);
	return NULL;
}

/* To put a process right. */
struct attempt {
	struct guardmaps_process *process;
	struct guardmaps_map *map;
	struct charge charge;
	struct remote_journal *journal;
	bool has_parasite;
};

static struct guardmaps_error *
put_right_seized(struct attempt *attempt, const struct seized_process *seized,
		 bool is_patient)
{
	struct remote_journal *journal = attempt->journal;
	struct guardmaps_error *error = NULL;
	struct reinstated done;

	if (remote_journal_thread(journal))
		error = remote_recover(attempt->process, journal);
	if (!error && is_patient)
		error = look_for_parasite(attempt->process, seized,
					  &attempt->has_parasite);
	if (error || attempt->has_parasite)
		return error;
	/* All locks are compared, not only those that were suspended. */
	atomic_store(&journal->unlocked_count, 0);
	return reinstate(attempt->process, seized_thread(seized), journal,
			 attempt->map, REINSTATE_EXACTLY, &done);
}

static struct guardmaps_error *put_right(struct attempt *attempt,
					 bool is_patient)
{
	struct seized_process *seized;

	struct guardmaps_error *error = seize(attempt->process, NULL, &seized);
	if (error)
		return error;
	error = put_right_seized(attempt, seized, is_patient);
	release(seized);
	return error;
}

/* execve() may have replaced its memory. */
static bool has_other_memory(const struct attempt *attempt)
{
	uint64_t now = attempt->process->stat.stack_address;
	uint64_t then = attempt->charge.stack_address;

	return now && then && now != then;
}

static struct guardmaps_error *open_process(struct attempt *attempt)
{
	struct guardmaps_error *error = process_open_again(
		attempt->charge.pid, attempt->charge.start_time,
		&attempt->process);

	if (error || !has_other_memory(attempt))
		return error;
	guardmaps_process_close(attempt->process);
	attempt->process = NULL;
	return error_create(GUARDMAPS_ERROR_ENDED, "%d: has called execve()",
			    attempt->charge.pid);
}

static struct guardmaps_error *read_map(struct attempt *attempt, int fd,
					uint64_t offset)
{
	size_t size = attempt->charge.image_size;
	_cleanup_free_ uint8_t *image = malloc(size);

	if (!image)
		return &error_no_memory;
	if (pread(fd, image, size, offset + sizeof(struct charge)) !=
	    (ssize_t)size)
		return error_errno(errno, "cannot read the guard map of %d",
				   attempt->charge.pid);
	return image_decode(image, size, "its image", UINT64_MAX,
			    &attempt->map);
}

static bool has_ended(const struct attempt *attempt,
		      const struct guardmaps_error *error)
{
	return attempt->process
		       ? process_has_ended(attempt->process)
		       : guardmaps_error_code(error) == GUARDMAPS_ERROR_ENDED;
}

/* Most errors may pass: an exiting thread, another tracer, a frozen cgroup. */
static enum charge_result judge(const struct attempt *attempt,
				const struct guardmaps_error *error,
				bool report)
{
	if (!error)
		return attempt->has_parasite ? CHARGE_AGAIN : CHARGE_DONE;
	if (has_ended(attempt, error))
		return CHARGE_DONE;
	if (report)
		syslog(LOG_CRIT,
		       "criu was killed and guard regions of a process are missing: %s",
		       guardmaps_error_message(error));
	return report && guardmaps_error_code(error) == GUARDMAPS_ERROR_INVALID
		       ? CHARGE_LOST
		       : CHARGE_AGAIN;
}

enum charge_result charge_put_right(int fd, uint64_t offset, bool is_patient,
				    bool report)
{
	struct attempt attempt = {
		.journal = charge_map_journal(fd, offset),
	};

	if (!attempt.journal || !charge_read(fd, offset, &attempt.charge))
		return CHARGE_AGAIN;
	struct guardmaps_error *error = open_process(&attempt);
	if (!error)
		error = read_map(&attempt, fd, offset);
	if (!error)
		error = put_right(&attempt, is_patient);
	return judge(&attempt, error, report);
}
