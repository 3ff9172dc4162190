/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guards that are taken out of a stopped process, and put in again: afterwards
 * it is as guarded, as locked and as mapped as it was.
 *
 * Every subject is a child that builds mappings with guards and sleeps. The test
 * holds it, and has it change what a case is about by system calls of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/aio_abi.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "error.h"
#include "guard_map.h"
#include "guard_maps.h"
#include "guards.h"
#include "kernel_abi.h"
#include "layout.h"
#include "mapping_flags.h"
#include "needs.h"
#include "pid.h"
#include "reinstate.h"
#include "remote.h"
#include "seize.h"

#define ALL_ACCESS (GUARDMAPS_READ | GUARDMAPS_WRITE | GUARDMAPS_EXECUTE)
#define ALL_LOCKS (GUARDMAPS_LOCKED | GUARDMAPS_LOCKED_ON_FAULT)

enum {
	/* Of each mapping: guards on pages 2, 6 and 7, contents on others. */
	PAGES = 16,
	GUARDS_PER_PIECE = 2,
	/* As many regions as lose their permissions. */
	MAXIMUM_PROTECTED = 1024,
	MAXIMUM_GUARDS = 10000,
	MAXIMUM_WRITTEN = 1000,
	/* Processes that are killed at moments nobody has chosen. */
	RANDOM_DEATHS = 25,
	LONGEST_LIFE_MICROSECONDS = 40000,
};

/* ---- Subjects ----------------------------------------------------------- */

/* What a test and its subject share. */
struct subject {
	void (*build)(struct subject *subject, struct layout *layout);
	/* What it does when it is told to; NULL: nothing. */
	void (*act)(struct subject *subject);
	/* A number that @build understands. */
	size_t number;
	/* The start of each mapping, and a file of its own. */
	uint64_t starts[16];
	int fd;
	struct range guards[MAXIMUM_GUARDS];
	size_t guard_count;
	uint64_t written[MAXIMUM_WRITTEN];
	size_t written_count;
};

static void run_subject(int line, void *argument)
{
	struct subject *subject = argument;
	struct layout layout = { 0 };

	subject->build(subject, &layout);
	check_setup(layout.guard_count <= MAXIMUM_GUARDS);
	memcpy(subject->guards, layout.guards,
	       layout.guard_count * sizeof(*layout.guards));
	subject->guard_count = layout.guard_count;
	tell(line);
	await(line);
	if (subject->act)
		subject->act(subject);
	tell(line);
	for (;;)
		pause();
}

/* A stopped subject, and the guard map that it had at first. */
struct trial {
	struct subject *subject;
	struct child child;
	struct guardmaps_process *process;
	struct seized_process *seized;
	struct guardmaps_map *wanted;
	uint8_t *contents;
	/* As each call of the library is to be given. */
	struct remote_journal *journal;
};

static struct guardmaps_error *look(struct trial *trial,
				    struct guardmaps_map **ret)
{
	struct guardmaps_error *error =
		guardmaps_scan(trial->process, GUARDMAPS_SOURCE_AUTO, ret);

	return error ? error : mapping_flags_read(trial->process, *ret);
}

/* Through /proc/PID/mem, which shows what has no permissions as well. */
static uint8_t *read_contents(const struct trial *trial)
{
	char *path = format_string("/proc/%d/mem", trial->child.pid);
	size_t page = page_size(), count = trial->subject->written_count;
	uint8_t *bytes = malloc(count * page + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	check_setup(bytes != NULL && fd >= 0);
	for (size_t i = 0; i < count; i++)
		check_setup(pread(fd, bytes + i * page, page,
				  trial->subject->written[i]) ==
			    (ssize_t)page);
	close(fd);
	free(path);
	return bytes;
}

static void hold(struct trial *trial)
{
	check_setup(!seize(trial->process, &trial->seized));
}

static void let_go(struct trial *trial)
{
	release(trial->seized);
	trial->seized = NULL;
}

static void trial_begin(struct trial *trial,
			void (*build)(struct subject *, struct layout *),
			size_t number, void (*act)(struct subject *))
{
	*trial = (struct trial){ .subject = shared_memory(sizeof(struct subject)) };
	trial->subject->build = build;
	trial->subject->number = number;
	trial->subject->act = act;
	child_start(&trial->child, run_subject, trial->subject);
	await(trial->child.line);
	check_setup(!guardmaps_process_open(trial->child.pid, NULL,
					    &trial->process));
	hold(trial);
	check_setup(!look(trial, &trial->wanted));
	check_setup(!guardmaps_find_owners(trial->process, trial->wanted));
	trial->contents = read_contents(trial);
}

static void trial_end(struct trial *trial)
{
	let_go(trial);
	remote_journal_destroy(trial->journal);
	free(trial->contents);
	guardmaps_map_destroy(trial->wanted);
	guardmaps_process_close(trial->process);
	child_stop(&trial->child);
	munmap(trial->subject, sizeof(*trial->subject));
}

/* Let it do what it does when it is told to. */
static void let_act(struct trial *trial)
{
	let_go(trial);
	tell(trial->child.line);
	await(trial->child.line);
	hold(trial);
}

/* ---- Kinds of mappings -------------------------------------------------- */

enum piece {
	ANONYMOUS, LOCKED, ON_FAULT, READ_ONLY, SHARED, MEMFD, PRIVATE_FILE,
	NO_ACCESS, GROWS_DOWN, EXECUTABLE, PIECES,
};

static const struct {
	int flags;
	/* After its pages were written. */
	int protection;
	uint8_t locks;
	/* Its guards lose their permissions while they are out. */
	bool is_protectable;
} pieces[PIECES] = {
	[ANONYMOUS] = { MAP_PRIVATE | MAP_ANONYMOUS, PROT_READ | PROT_WRITE, 0,
			true },
	[LOCKED] = { MAP_PRIVATE | MAP_ANONYMOUS, PROT_READ | PROT_WRITE,
		     GUARDMAPS_LOCKED, true },
	[ON_FAULT] = { MAP_PRIVATE | MAP_ANONYMOUS, PROT_READ | PROT_WRITE,
		       GUARDMAPS_LOCKED | GUARDMAPS_LOCKED_ON_FAULT, true },
	[READ_ONLY] = { MAP_PRIVATE | MAP_ANONYMOUS, PROT_READ, 0, true },
	[SHARED] = { MAP_SHARED | MAP_ANONYMOUS, PROT_READ | PROT_WRITE, 0,
		     true },
	[MEMFD] = { MAP_SHARED, PROT_READ | PROT_WRITE, 0, true },
	[PRIVATE_FILE] = { MAP_PRIVATE, PROT_READ | PROT_WRITE, 0, true },
	[NO_ACCESS] = { MAP_PRIVATE | MAP_ANONYMOUS, PROT_NONE, 0, false },
	[GROWS_DOWN] = { MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN,
			 PROT_READ | PROT_WRITE, 0, false },
	[EXECUTABLE] = { MAP_PRIVATE | MAP_ANONYMOUS, PROT_READ | PROT_EXEC, 0,
			 false },
};

/* Called without the C library: AddressSanitizer makes its functions nothing. */
static void lock_pages(void *memory, size_t size, uint8_t locks)
{
	/* Guards make it say ENOMEM; it locks all the same. */
	if (locks)
		syscall(SYS_mlock2, memory, size,
			locks & GUARDMAPS_LOCKED_ON_FAULT ? MLOCK_ONFAULT : 0);
}

static int open_piece(struct subject *subject, enum piece piece, size_t size)
{
	char path[] = "/tmp/guardmaps-reinstate-XXXXXX";
	int fd = -1;

	if (piece == MEMFD)
		fd = subject->fd = memfd_create("guardmaps", MFD_CLOEXEC);
	else if (piece == PRIVATE_FILE)
		fd = mkostemp(path, O_CLOEXEC);
	if (piece == PRIVATE_FILE)
		unlink(path);
	check_setup(fd < 0 || ftruncate(fd, 2 * size) == 0);
	return fd;
}

static void write_page(struct subject *subject, char *page)
{
	memset(page, 1 + subject->written_count % 251, page_size());
	if (subject->written_count < MAXIMUM_WRITTEN)
		subject->written[subject->written_count++] = (uintptr_t)page;
}

/* Nothing lies beside it that it could become one with. */
static char *map_piece(struct subject *subject, enum piece piece)
{
	size_t page = page_size(), size = PAGES * page;
	char *area = map_memory(size + 2 * page, PROT_NONE);
	int fd = open_piece(subject, piece, size);
	char *memory = mmap(area + page, size, PROT_READ | PROT_WRITE,
			    pieces[piece].flags | MAP_FIXED, fd, 0);

	check_setup(memory != MAP_FAILED);
	return memory;
}

static void build_piece(struct subject *subject, struct layout *layout,
			enum piece piece)
{
	char *memory = map_piece(subject, piece);
	size_t page = page_size();

	subject->starts[piece] = (uintptr_t)memory;
	write_page(subject, memory + page);
	write_page(subject, memory + 5 * page);
	write_page(subject, memory + 8 * page);
	install_guard(layout, memory + 2 * page, page);
	install_guard(layout, memory + 6 * page, 2 * page);
	check_setup(mprotect(memory, PAGES * page, pieces[piece].protection) ==
		    0);
	lock_pages(memory, PAGES * page, pieces[piece].locks);
}

static void build_pieces(struct subject *subject, struct layout *layout)
{
	for (enum piece piece = 0; piece < PIECES; piece++)
		build_piece(subject, layout, piece);
}

/* So many guards on alternate pages, and those of a locked mapping. */
static void build_many(struct subject *subject, struct layout *layout)
{
	size_t page = page_size();
	size_t count = subject->number - GUARDS_PER_PIECE;
	char *memory = map_memory((2 * count + 1) * page,
				  PROT_READ | PROT_WRITE);

	for (size_t i = 0; i < count; i++)
		install_guard(layout, memory + (2 * i + 1) * page, page);
	for (size_t i = 0; i < count; i += 1 + count / 100)
		write_page(subject, memory + 2 * i * page);
	build_piece(subject, layout, LOCKED);
}

/* ---- What a subject is like --------------------------------------------- */

/* Locks, and what else is known of the mappings. */
static char *flags_fault(const struct guardmaps_map *before,
			 const struct guardmaps_map *after)
{
	for (size_t i = 0; i < before->mapping_count; i++)
		if (before->mappings[i].flags != after->mappings[i].flags)
			return format_string("flags of mapping %zu are %x, not %x",
					     i, after->mappings[i].flags,
					     before->mappings[i].flags);
	return NULL;
}

/* Its mappings and its regions are those, and its pages hold what they held. */
static char *change_fault(struct trial *trial,
			  const struct guardmaps_map *before)
{
	uint8_t *contents = read_contents(trial);
	struct guardmaps_map *now;
	char *fault;

	check_setup(!look(trial, &now));
	check_setup(!guardmaps_find_owners(trial->process, now));
	fault = maps_fault(before, now);
	if (!fault)
		fault = flags_fault(before, now);
	if (!fault && memcmp(contents, trial->contents,
			     trial->subject->written_count * page_size()) != 0)
		fault = format_string("its pages hold something else");
	guardmaps_map_destroy(now);
	free(contents);
	return fault;
}

static void is_as_wanted(struct trial *trial, const char *what)
{
	check_no_fault(change_fault(trial, trial->wanted),
		       "%s: guards, mappings, locks and contents are as they were",
		       what);
}

static struct guardmaps_map *look_now(struct trial *trial)
{
	struct guardmaps_map *now;

	check_setup(!look(trial, &now));
	check_setup(!guardmaps_find_owners(trial->process, now));
	return now;
}

/* ---- Changing a subject ------------------------------------------------- */

static struct remote_task *take_over(struct trial *trial)
{
	struct remote_task *task;

	check_setup(!remote_begin(trial->process, trial->wanted,
				  trial->child.pid, trial->journal, &task));
	return task;
}

/* Have it make a system call; what that returned. */
static int64_t run_call(struct trial *trial, long number,
			const uint64_t arguments[6])
{
	struct remote_task *task = take_over(trial);
	int64_t result;

	check_setup(!remote_call(task, number, arguments, &result));
	check_setup(!remote_end(task));
	return result;
}

static void relock(struct trial *trial, uint64_t start, uint64_t size,
		   uint8_t locks)
{
	const uint64_t arguments[6] = {
		start, size,
		locks & GUARDMAPS_LOCKED_ON_FAULT ? MLOCK_ONFAULT : 0,
	};
	int64_t result = run_call(trial, locks ? SYS_mlock2 : SYS_munlock,
				  arguments);

	check_setup(result == 0 || result == -ENOMEM);
}

static void remove_guards(struct trial *trial)
{
	for (size_t i = 0; i < trial->subject->guard_count; i++) {
		const struct range *guard = &trial->subject->guards[i];
		const uint64_t arguments[6] = {
			guard->start, guard->end - guard->start,
			MADV_GUARD_REMOVE,
		};

		check_setup(run_call(trial, SYS_madvise, arguments) == 0);
	}
}

static struct guards_taken take(struct trial *trial, uint8_t locks,
				const char *what)
{
	struct remote_task *task = take_over(trial);
	struct guards_taken taken = { 4242, 4242 };

	check_success(guards_take(task, trial->wanted, locks, &taken),
		      "%s: guards can be taken out", what);
	check_success(remote_end(task), "%s: it can be given back", what);
	return taken;
}

static struct guardmaps_error *try(struct trial *trial, unsigned int flags,
				   struct reinstated *ret)
{
	return reinstate(trial->process, trial->child.pid, trial->journal,
			 trial->wanted, flags, ret);
}

/* It succeeds, and tells what it has done. */
static void reinstates(struct trial *trial, unsigned int flags, size_t gaps,
		       size_t locks, const char *what)
{
	struct reinstated done = { 4242, 4242 };

	if (!check_success(try(trial, flags, &done),
			   "%s: it can be reinstated", what))
		return;
	check_number(done.gaps, gaps, "%s: it is told how many were missing",
		     what);
	check_number(done.locks, locks,
		     "%s: it is told how many ranges were locked otherwise",
		     what);
}

/* ---- Taking out, and putting in ----------------------------------------- */

static bool is_selected(enum piece piece, uint8_t locks)
{
	return (pieces[piece].locks & locks) == locks;
}

/* Permissions of a piece, as its guards are to have them. */
static uint32_t permissions_of(const struct trial *trial, enum piece piece)
{
	const struct guardmaps_map *map = trial->wanted;
	uint32_t i = guardmaps_map_find_mapping(map,
						trial->subject->starts[piece]);

	return map->mappings[i].permissions;
}

/* What is wrong with a page of a process with guards taken out. */
static char *page_fault(const struct guardmaps_map *now, uint64_t address,
			bool is_guarded, uint32_t permissions, uint8_t locks)
{
	uint32_t mapping = guardmaps_map_find_mapping(now, address);
	uint32_t region = guardmaps_map_find_region(now, address);
	bool is_found = region != GUARDMAPS_NONE &&
			address < now->regions[region].end;

	if (mapping == GUARDMAPS_NONE || address >= now->mappings[mapping].end)
		return format_string("%#" PRIx64 " is not mapped", address);
	if (is_found != is_guarded)
		return format_string("%#" PRIx64 " is %sguarded", address,
				     is_guarded ? "not " : "");
	if (now->mappings[mapping].permissions != permissions)
		return format_string("%#" PRIx64 " has permissions %x, not %x",
				     address,
				     now->mappings[mapping].permissions,
				     permissions);
	if ((now->mappings[mapping].flags & ALL_LOCKS) != locks)
		return format_string("%#" PRIx64 " is locked otherwise",
				     address);
	return NULL;
}

static bool is_guard_page(size_t page)
{
	return page == 2 || page == 6 || page == 7;
}

/* Of one mapping, with its guards out or not. */
static char *piece_fault(const struct trial *trial,
			 const struct guardmaps_map *now, enum piece piece,
			 bool is_out, bool is_protected)
{
	uint32_t permissions = permissions_of(trial, piece);
	char *fault = NULL;

	for (size_t i = 0; i < PAGES && !fault; i++) {
		bool is_changed = is_out && is_guard_page(i);

		fault = page_fault(now, trial->subject->starts[piece] +
						i * page_size(),
				   is_guard_page(i) && !is_changed,
				   is_changed && is_protected
					   ? permissions & ~ALL_ACCESS
					   : permissions,
				   pieces[piece].locks);
	}
	return fault;
}

/* Guards are out of the pieces that they are to be out of, and of no other. */
static char *taken_fault(struct trial *trial, uint8_t locks)
{
	struct guardmaps_map *now = look_now(trial);
	uint8_t *contents = read_contents(trial);
	char *fault = NULL;

	for (enum piece piece = 0; piece < PIECES && !fault; piece++)
		fault = piece_fault(trial, now, piece,
				    is_selected(piece, locks),
				    pieces[piece].is_protectable);
	if (!fault && memcmp(contents, trial->contents,
			     trial->subject->written_count * page_size()) != 0)
		fault = format_string("its pages hold something else");
	free(contents);
	guardmaps_map_destroy(now);
	return fault;
}

static void taken_and_reinstated(uint8_t locks, bool with_journal,
				 const char *what)
{
	size_t regions = 0, protected = 0;
	struct guards_taken taken;
	struct trial trial;

	trial_begin(&trial, build_pieces, 0, NULL);
	if (with_journal)
		trial.journal = remote_journal_create();
	for (enum piece piece = 0; piece < PIECES; piece++) {
		if (!is_selected(piece, locks))
			continue;
		regions += GUARDS_PER_PIECE;
		protected += GUARDS_PER_PIECE * pieces[piece].is_protectable;
	}
	taken = take(&trial, locks, what);
	check_number(taken.regions, regions, "%s: it is told how many", what);
	check_number(taken.protected, protected,
		     "%s: it is told how many have no permissions", what);
	check_no_fault(taken_fault(&trial, locks),
		       "%s: they are out, and nothing else is changed", what);
	reinstates(&trial, 0, regions, 0, what);
	is_as_wanted(&trial, what);
	reinstates(&trial, REINSTATE_EXACTLY, 0, 0, what);
	is_as_wanted(&trial, what);
	trial_end(&trial);
}

static void taking_and_reinstating(void)
{
	taken_and_reinstated(0, false, "all guards");
	taken_and_reinstated(0, true, "all guards, with a journal");
	taken_and_reinstated(GUARDMAPS_LOCKED, true,
			     "guards of locked mappings");
	taken_and_reinstated(GUARDMAPS_LOCKED | GUARDMAPS_LOCKED_ON_FAULT, true,
			     "guards of mappings that are locked on fault");
}

static void taking_nothing(void)
{
	const char *what = "a process without guards";
	struct trial trial;

	trial_begin(&trial, build_pieces, 0, NULL);
	remove_guards(&trial);
	guardmaps_map_destroy(trial.wanted);
	trial.wanted = look_now(&trial);
	check_number(take(&trial, 0, what).regions, 0,
		     "%s: none are taken out", what);
	reinstates(&trial, REINSTATE_EXACTLY, 0, 0, what);
	is_as_wanted(&trial, what);
	trial_end(&trial);
}

static void many_guards(size_t count, uint8_t locks, size_t regions,
			size_t protected)
{
	char *what = format_string("%zu of %zu guards", regions, count);
	struct guards_taken taken;
	struct trial trial;

	trial_begin(&trial, build_many, count, NULL);
	trial.journal = remote_journal_create();
	taken = take(&trial, locks, what);
	check_number(taken.regions, regions, "%s: all are taken out", what);
	check_number(taken.protected, protected,
		     "%s: so many have no permissions", what);
	reinstates(&trial, REINSTATE_EXACTLY, regions, 0, what);
	is_as_wanted(&trial, what);
	reinstates(&trial, REINSTATE_EXACTLY, 0, 0, what);
	trial_end(&trial);
	free(what);
}

/* ---- Permissions -------------------------------------------------------- */

static void protect_guards(struct trial *trial, enum piece piece,
			   int protection)
{
	for (size_t i = 0; i < PAGES; i++) {
		const uint64_t arguments[6] = {
			trial->subject->starts[piece] + i * page_size(),
			page_size(), protection,
		};

		if (is_guard_page(i))
			check_setup(run_call(trial, SYS_mprotect,
					     arguments) == 0);
	}
}

/* As a process that was killed while it took guards out has left them. */
static void guards_without_permissions(void)
{
	const char *what = "guards that are there, without permissions";
	struct trial trial;

	trial_begin(&trial, build_pieces, 0, NULL);
	protect_guards(&trial, ANONYMOUS, PROT_NONE);
	protect_guards(&trial, LOCKED, PROT_NONE);
	protect_guards(&trial, MEMFD, PROT_NONE);
	reinstates(&trial, REINSTATE_EXACTLY, 3 * GUARDS_PER_PIECE, 0, what);
	is_as_wanted(&trial, what);
	trial_end(&trial);
}

/* As criu leaves them, which reads all memory, if it is killed then. */
static void pages_with_other_permissions(void)
{
	const char *what = "pages that guards were on, with other permissions";
	struct trial trial;

	trial_begin(&trial, build_pieces, 0, NULL);
	take(&trial, 0, what);
	protect_guards(&trial, ANONYMOUS, PROT_READ);
	protect_guards(&trial, ON_FAULT, PROT_READ);
	reinstates(&trial, REINSTATE_EXACTLY, PIECES * GUARDS_PER_PIECE, 0,
		   what);
	is_as_wanted(&trial, what);
	trial_end(&trial);
}

/* ---- Locks -------------------------------------------------------------- */

static const struct lock_change {
	const char *name;
	enum piece piece;
	uint8_t locks;
} lock_changes[] = {
	{ "MLOCK_ONFAULT in place of no lock", ANONYMOUS, ALL_LOCKS },
	{ "a lock in place of none", ANONYMOUS, GUARDMAPS_LOCKED },
	{ "MLOCK_ONFAULT in place of a lock", LOCKED, ALL_LOCKS },
	{ "no lock in place of one", LOCKED, 0 },
	{ "a lock in place of MLOCK_ONFAULT", ON_FAULT, GUARDMAPS_LOCKED },
	{ "no lock in place of MLOCK_ONFAULT", ON_FAULT, 0 },
};

/* @pages: of the mapping, from its middle on. */
static void change_lock(struct trial *trial, const struct lock_change *change,
			size_t pages)
{
	relock(trial, trial->subject->starts[change->piece] +
			      (PAGES - pages) * page_size(),
	       pages * page_size(), change->locks);
}

static void changed_lock(const struct lock_change *change, size_t pages)
{
	char *what = format_string("%s on %zu pages", change->name, pages);
	struct guardmaps_map *now;
	struct trial trial;

	trial_begin(&trial, build_pieces, 0, NULL);
	change_lock(&trial, change, pages);
	now = look_now(&trial);
	reinstates(&trial, 0, 0, 0, what);
	check_no_fault(change_fault(&trial, now),
		       "%s: locks are left where they are not asked for", what);
	reinstates(&trial, REINSTATE_EXACTLY | REINSTATE_ONLY_CHECK, 0, 0, what);
	check_no_fault(change_fault(&trial, now),
		       "%s: locks are left where it is only checked", what);
	reinstates(&trial, REINSTATE_EXACTLY, 0, 1, what);
	is_as_wanted(&trial, what);
	guardmaps_map_destroy(now);
	trial_end(&trial);
	free(what);
}

static void changed_locks_without_guards(void)
{
	const char *what = "locks of all kinds, and guards";
	struct trial trial;

	trial_begin(&trial, build_pieces, 0, NULL);
	take(&trial, 0, what);
	change_lock(&trial, &lock_changes[1], PAGES);
	change_lock(&trial, &lock_changes[2], PAGES / 4);
	change_lock(&trial, &lock_changes[5], PAGES / 4);
	/* The first in five parts, for its guards have no permissions. */
	reinstates(&trial, REINSTATE_EXACTLY, PIECES * GUARDS_PER_PIECE, 5 + 2,
		   what);
	is_as_wanted(&trial, what);
	trial_end(&trial);
}

static void changed_locks(void)
{
	for (size_t i = 0; i < LENGTH(lock_changes); i++) {
		changed_lock(&lock_changes[i], PAGES);
		changed_lock(&lock_changes[i], PAGES / 4);
	}
	changed_locks_without_guards();
}

/* ---- Only checking, and a kernel without guards ------------------------- */

static void only_checking(void)
{
	const char *what = "a process that is only checked";
	struct guardmaps_map *now;
	struct trial trial;

	trial_begin(&trial, build_pieces, 0, NULL);
	trial.journal = remote_journal_create();
	take(&trial, 0, what);
	now = look_now(&trial);
	reinstates(&trial, REINSTATE_ONLY_CHECK, PIECES * GUARDS_PER_PIECE, 0,
		   what);
	check_no_fault(change_fault(&trial, now), "%s: nothing is changed",
		       what);
	guardmaps_map_destroy(now);
	trial_end(&trial);
}

/* As where there are no guards: they are out, and none are to be found. */
static char *replaced_fault(struct trial *trial)
{
	struct guardmaps_map *now = look_now(trial);
	char *fault = NULL;

	for (enum piece piece = 0; piece < PIECES && !fault; piece++)
		fault = piece_fault(trial, now, piece, true, true);
	guardmaps_map_destroy(now);
	return fault;
}

static void replacing(void)
{
	const char *what = "PROT_NONE in place of guards";
	struct trial trial;

	trial_begin(&trial, build_pieces, 0, NULL);
	remove_guards(&trial);
	reinstates(&trial, REINSTATE_PROT_NONE, PIECES * GUARDS_PER_PIECE, 0,
		   what);
	check_no_fault(replaced_fault(&trial),
		       "%s: it is where they were, and nowhere else", what);
	change_lock(&trial, &lock_changes[4], PAGES);
	reinstates(&trial, REINSTATE_PROT_NONE | REINSTATE_EXACTLY,
		   PIECES * GUARDS_PER_PIECE, 5, what);
	check_no_fault(replaced_fault(&trial),
		       "%s: it can be done again", what);
	trial_end(&trial);
}

/* ---- What is refused ---------------------------------------------------- */

/* Refused however it is asked for, and nothing is changed. */
static void is_refused(struct trial *trial, const char *fragment,
		       const char *what)
{
	static const unsigned int flags[] = {
		0, REINSTATE_EXACTLY, REINSTATE_ONLY_CHECK,
	};
	struct guardmaps_map *now = look_now(trial);
	struct reinstated done;

	for (size_t i = 0; i < LENGTH(flags); i++)
		check_error(try(trial, flags[i], &done),
			    GUARDMAPS_ERROR_INVALID, fragment,
			    "%s is refused (%u)", what, flags[i]);
	check_no_fault(change_fault(trial, now), "%s: nothing is changed",
		       what);
	guardmaps_map_destroy(now);
}

static void other_program(void)
{
	struct trial trial;

	trial_begin(&trial, build_pieces, 0, NULL);
	free(trial.wanted->executable);
	trial.wanted->executable = strdup("/bin/other");
	is_refused(&trial, "another program: /bin/other",
		   "the guard map of another program");
	trial_end(&trial);
}

static void other_page_size(void)
{
	struct trial trial;

	trial_begin(&trial, build_pieces, 0, NULL);
	trial.wanted->page_size *= 2;
	is_refused(&trial, "pages of",
		   "the guard map of a machine with other pages");
	trial_end(&trial);
}

static void move_mapping(struct trial *trial, uint64_t start)
{
	const uint64_t size = PAGES * page_size();
	const uint64_t arguments[6] = {
		start, size, 2 * size, MREMAP_MAYMOVE,
	};
	int64_t moved = run_call(trial, SYS_mremap, arguments);

	check_setup(moved > 0 && moved != (int64_t)start);
}

static void unmap_page(struct trial *trial, uint64_t start)
{
	const uint64_t arguments[6] = { start + 9 * page_size(), page_size() };

	check_setup(run_call(trial, SYS_munmap, arguments) == 0);
}

static void remap(struct trial *trial, uint64_t start, int flags, int fd,
		  uint64_t offset)
{
	const uint64_t arguments[6] = {
		start, PAGES * page_size(), PROT_READ | PROT_WRITE,
		flags | MAP_FIXED, fd, offset,
	};

	check_setup(run_call(trial, SYS_mmap, arguments) == (int64_t)start);
}

static void become_moved(struct trial *trial, const uint64_t *starts)
{
	move_mapping(trial, starts[ANONYMOUS]);
}

static void become_unmapped(struct trial *trial, const uint64_t *starts)
{
	unmap_page(trial, starts[ANONYMOUS]);
}

static void become_shared(struct trial *trial, const uint64_t *starts)
{
	remap(trial, starts[ANONYMOUS], MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void become_private(struct trial *trial, const uint64_t *starts)
{
	remap(trial, starts[MEMFD], MAP_PRIVATE, trial->subject->fd, 0);
}

static void become_another_part(struct trial *trial, const uint64_t *starts)
{
	remap(trial, starts[MEMFD], MAP_SHARED, trial->subject->fd,
	      PAGES * page_size());
}

static void become_memory(struct trial *trial, const uint64_t *starts)
{
	remap(trial, starts[PRIVATE_FILE], MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void become_a_file(struct trial *trial, const uint64_t *starts)
{
	remap(trial, starts[ANONYMOUS], MAP_PRIVATE, trial->subject->fd, 0);
}

static void changed_mappings(void)
{
	static const struct {
		const char *name;
		void (*become)(struct trial *trial, const uint64_t *starts);
	} changes[] = {
		{ "a mapping that has moved", become_moved },
		{ "a mapping with a hole", become_unmapped },
		{ "a shared mapping in place of a private", become_shared },
		{ "a private mapping in place of a shared", become_private },
		{ "another part of the same file", become_another_part },
		{ "memory in place of a file", become_memory },
		{ "a file in place of memory", become_a_file },
	};

	for (size_t i = 0; i < LENGTH(changes); i++) {
		struct trial trial;

		trial_begin(&trial, build_pieces, 0, NULL);
		remove_guards(&trial);
		/* What was in there is lost with it. */
		trial.subject->written_count = 0;
		changes[i].become(&trial, trial.subject->starts);
		is_refused(&trial, "is not mapped as it was", changes[i].name);
		trial_end(&trial);
	}
}

/* The guard map of a process with one guard more, on one page. */
static struct guardmaps_map *add_guard(const struct guardmaps_map *map,
				       uint64_t address)
{
	struct guardmaps_map *ret;
	bool is_added = false;

	check_setup(!guard_map_create(map->pid, map->process_name,
				      map->executable, map->page_size, &ret));
	ret->source = map->source;
	for (size_t i = 0; i < map->mapping_count; i++)
		check_setup(guard_map_add_mapping(ret, &map->mappings[i]));
	for (size_t i = 0; i <= map->region_count; i++) {
		bool is_last = i == map->region_count;

		if (!is_added &&
		    (is_last || map->regions[i].start > address)) {
			is_added = true;
			check_setup(guard_map_add_markers(
				ret, address, address + map->page_size,
				GUARDMAPS_MARKER_GUARD));
		}
		check_setup(is_last ||
			    guard_map_add_markers(ret, map->regions[i].start,
						  map->regions[i].end,
						  GUARDMAPS_MARKER_GUARD));
	}
	return ret;
}

static void is_refused_at(struct trial *trial, uint64_t address,
			  const char *what)
{
	struct guardmaps_map *wanted =
		add_guard(trial->wanted, address);

	check_setup(wanted->region_count == trial->wanted->region_count + 1);
	guardmaps_map_destroy(trial->wanted);
	trial->wanted = wanted;
	is_refused(trial, "that kind of mapping takes no guards", what);
}

static uint64_t find_mapping(const struct guardmaps_map *map, const char *name)
{
	for (size_t i = 0; i < map->mapping_count; i++)
		if (strcmp(map->mappings[i].name, name) == 0)
			return map->mappings[i].start;
	return 0;
}

/* A ring that the kernel maps: VM_DONTEXPAND. */
static void build_with_ring(struct subject *subject, struct layout *layout)
{
	aio_context_t ring = 0;

	build_pieces(subject, layout);
	if (syscall(SYS_io_setup, 1, &ring) == 0)
		subject->starts[PIECES] = ring;
}

static void mappings_without_guards(void)
{
	const char *what = "a mapping that takes no guards";
	struct trial trial;
	uint64_t address;

	trial_begin(&trial, build_with_ring, 0, NULL);
	take(&trial, 0, what);
	address = find_mapping(trial.wanted, "[vvar]");
	if (address)
		is_refused_at(&trial, address, "a guard among the clocks");
	else
		check_skip("there is no [vvar]", "%s is refused", what);
	trial_end(&trial);

	trial_begin(&trial, build_with_ring, 0, NULL);
	take(&trial, 0, what);
	address = trial.subject->starts[PIECES];
	if (address)
		is_refused_at(&trial, address, "a guard in a ring of aio");
	else
		check_skip("this kernel has no aio", "%s is refused", what);
	trial_end(&trial);
}

/* ---- A limit ------------------------------------------------------------ */

/* One guard, in the middle of a mapping. */
static void build_one(struct subject *subject, struct layout *layout)
{
	size_t page = page_size();
	char *memory = map_memory(PAGES * page, PROT_READ | PROT_WRITE);

	subject->starts[0] = (uintptr_t)memory;
	install_guard(layout, memory + 6 * page, 4 * page);
}

/* Then the guard lies in two mappings, of which the second is locked. */
static void lock_upper_half(struct subject *subject)
{
	size_t page = page_size();
	char *memory = (char *)(uintptr_t)subject->starts[0];
	const struct rlimit limit = { page, page };

	/* No page more: valgrind 3.27 dies where there is no guard. */
	check_setup(madvise(memory + 6 * page, 4 * page, MADV_GUARD_REMOVE) ==
		    0);
	check_setup(syscall(SYS_mlock, memory + 8 * page, 8 * page) == 0);
	check_setup(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	if (getuid() == 0)
		become_nobody();
	/* Set again, for the death of the parent was forgotten. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Without CAP_SYS_RESOURCE nobody can raise a limit. */
static void set_resource_capability(bool is_on)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	check_setup(syscall(SYS_capget, &header, data) == 0);
	if (is_on)
		data[0].effective |= data[0].permitted &
				     1 << CAP_SYS_RESOURCE;
	else
		data[0].effective &= ~(1 << CAP_SYS_RESOURCE);
	check_setup(syscall(SYS_capset, &header, data) == 0);
}

static void locked_over_limit(void)
{
	const char *what = "a mapping that could not be locked again";
	struct trial trial;

	trial_begin(&trial, build_one, 0, lock_upper_half);
	let_act(&trial);
	set_resource_capability(false);
	is_refused(&trial, "RLIMIT_MEMLOCK", what);
	set_resource_capability(true);
	if (!under_valgrind())
		reinstates(&trial, REINSTATE_PROT_NONE, 2, 0,
			   "a mapping that need not be unlocked");
	trial_end(&trial);
}

/* ---- A process that is killed ------------------------------------------- */

static void killed_before(void)
{
	struct guards_taken taken;
	struct remote_task *task;
	struct reinstated done;
	struct trial trial;

	trial_begin(&trial, build_pieces, 0, NULL);
	task = take_over(&trial);
	kill(trial.child.pid, SIGKILL);
	check_setup(pid_reaches(trial.child.pid, 'Z'));
	check_error(guards_take(task, trial.wanted, 0, &taken),
		    GUARDMAPS_ERROR_ENDED, NULL,
		    "guards cannot be taken out of a process that was killed");
	check_number(taken.regions, 0, "none were");
	check_error(remote_end(task), GUARDMAPS_ERROR_ENDED, NULL,
		    "nor can it be given back");
	check_error(try(&trial, 0, &done), GUARDMAPS_ERROR_ENDED, NULL,
		    "nor reinstated");
	trial_end(&trial);
}

/* Kill a process some time after being told to. */
struct killer {
	pid_t pid;
	uint64_t delay;
};

static void kill_at_some_time(int line, void *argument)
{
	const struct killer *killer = argument;

	await(line);
	double end = now_seconds() + killer->delay / 1e6;
	while (now_seconds() < end)
		continue;
	kill(killer->pid, SIGKILL);
}

/* Anything but success, or that it has ended? */
static char *death_fault(struct guardmaps_error *error)
{
	char *fault = NULL;

	if (error && guardmaps_error_code(error) != GUARDMAPS_ERROR_ENDED)
		fault = format_string("%s",
				      guardmaps_error_message(error));
	guardmaps_error_destroy(error);
	return fault;
}

static char *killed_at(uint64_t delay, bool *ret_in_time)
{
	struct killer *killer = shared_memory(sizeof(*killer));
	struct guards_taken taken;
	struct remote_task *task;
	struct reinstated done;
	struct trial trial;
	struct child child;
	struct guardmaps_error *error;

	trial_begin(&trial, build_many, 1000, NULL);
	*killer = (struct killer){ trial.child.pid, delay };
	child_start(&child, kill_at_some_time, killer);
	task = take_over(&trial);
	tell(child.line);
	error = guards_take(task, trial.wanted, 0, &taken);
	error = error_first(error, remote_end(task));
	if (!error)
		error = try(&trial, REINSTATE_EXACTLY, &done);
	*ret_in_time = error != NULL;
	child_stop(&child);
	trial_end(&trial);
	munmap(killer, sizeof(*killer));
	return death_fault(error);
}

static void killed_at_some_time(void)
{
	uint32_t random = 12345;
	size_t in_time = 0;
	char *fault = NULL;

	for (size_t i = 0; i < RANDOM_DEATHS && !fault; i++) {
		bool is_in_time;

		random = random * 1664525 + 1013904223;
		fault = killed_at((random >> 8) % LONGEST_LIFE_MICROSECONDS,
				  &is_in_time);
		in_time += is_in_time;
	}
	check_note("%zu of %d were killed in time", in_time, RANDOM_DEATHS);
	check_no_fault(fault, "a process that is killed at any time has ended, and no more");
}

/* ---- All ---------------------------------------------------------------- */

int main(void)
{
	check_begin();
#if !defined(__x86_64__) && !defined(__aarch64__)
	check_skip_all("system calls are run on x86-64 and aarch64 only");
#endif
	if (source_missing(GUARDMAPS_SOURCE_AUTO))
		check_skip_all(source_missing(GUARDMAPS_SOURCE_AUTO));
	other_program();
	other_page_size();
	locked_over_limit();
	if (under_valgrind()) {
		check_skip("valgrind hides the vDSO from its programs",
			   "guards can be taken out");
		return check_finish();
	}
	taking_and_reinstating();
	taking_nothing();
	many_guards(3, 0, 3, 3);
	many_guards(MAXIMUM_PROTECTED, 0, MAXIMUM_PROTECTED, MAXIMUM_PROTECTED);
	many_guards(MAXIMUM_PROTECTED + 1, 0, MAXIMUM_PROTECTED + 1, 0);
	many_guards(MAXIMUM_PROTECTED + 1, GUARDMAPS_LOCKED, GUARDS_PER_PIECE,
		    GUARDS_PER_PIECE);
	many_guards(MAXIMUM_GUARDS, 0, MAXIMUM_GUARDS, 0);
	guards_without_permissions();
	pages_with_other_permissions();
	changed_locks();
	only_checking();
	replacing();
	changed_mappings();
	mappings_without_guards();
	killed_before();
	killed_at_some_time();
	return check_finish();
}
