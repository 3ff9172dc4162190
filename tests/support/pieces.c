/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "guard_map.h"
#include "guard_maps.h"
#include "layout.h"
#include "pieces.h"
#include "subject.h"
#include "tracee.h"

#define ALL_ACCESS (GUARDMAPS_READ | GUARDMAPS_WRITE | GUARDMAPS_EXECUTE)
#define ALL_LOCKS (GUARDMAPS_LOCKED | GUARDMAPS_LOCKED_ON_FAULT)

const struct piece_kind pieces[PIECES] = {
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

static unsigned int mlock_flags(uint8_t locks)
{
	return locks & GUARDMAPS_LOCKED_ON_FAULT ? MLOCK_ONFAULT : 0;
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

/* There is nothing next to it that it could merge with. */
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

void build_piece(struct subject *subject, struct layout *layout,
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
	if (pieces[piece].locks)
		lock_memory(memory, PAGES * page,
			    mlock_flags(pieces[piece].locks));
}

void build_pieces(struct subject *subject, struct layout *layout)
{
	for (enum piece piece = 0; piece < PIECES; piece++)
		build_piece(subject, layout, piece);
}

/* The permissions that the guards of a piece should have. */
static uint32_t permissions_of(const struct tracee *tracee, enum piece piece)
{
	const struct guardmaps_map *map = tracee->wanted;
	uint32_t i =
		guardmaps_map_find_mapping(map, tracee->subject->starts[piece]);

	return map->mappings[i].permissions;
}

/* What is wrong with a page of a process with guards taken out. */
static char *page_fault(const struct guardmaps_map *now, uint64_t address,
			bool is_guarded, uint32_t permissions, uint8_t locks)
{
	uint32_t mapping = guardmaps_map_find_mapping(now, address);

	if (mapping == GUARDMAPS_NONE)
		return format_string("%#" PRIx64 " is not mapped", address);
	if (map_has_guard(now, address) != is_guarded)
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

char *piece_fault(const struct tracee *tracee, const struct guardmaps_map *now,
		  enum piece piece, bool is_out, bool is_protected,
		  bool is_unlocked)
{
	uint32_t permissions = permissions_of(tracee, piece);
	char *fault = NULL;

	for (size_t i = 0; i < PAGES && !fault; i++) {
		bool is_changed = is_out && is_guard_page(i);

		fault = page_fault(
			now, tracee->subject->starts[piece] + i * page_size(),
			is_guard_page(i) && !is_changed,
			is_changed && is_protected ? permissions & ~ALL_ACCESS
						   : permissions,
			is_unlocked ? 0 : pieces[piece].locks);
	}
	return fault;
}

void relock_piece(struct tracee *tracee, enum piece piece, size_t pages,
		  uint8_t locks)
{
	const uint64_t arguments[6] = {
		tracee->subject->starts[piece] + (PAGES - pages) * page_size(),
		pages * page_size(),
		mlock_flags(locks),
	};
	int64_t result = tracee_call(tracee, locks ? SYS_mlock2 : SYS_munlock,
				     arguments);

	check_setup(result == 0 || result == -ENOMEM);
}

void protect_guards(struct tracee *tracee, enum piece piece, int protection)
{
	for (size_t i = 0; i < PAGES; i++) {
		const uint64_t arguments[6] = {
			tracee->subject->starts[piece] + i * page_size(),
			page_size(),
			protection,
		};

		if (is_guard_page(i))
			check_setup(tracee_call(tracee, SYS_mprotect,
						arguments) == 0);
	}
}
