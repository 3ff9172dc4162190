/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Installing: the guards that a guard map has and a process lacks are put back
 * into it, and nothing else of the process is changed.
 *
 * Every subject is a child that builds guards, waits until its guard map has
 * been read, takes the guards out again and then does what its case is about,
 * in its first thread: that is the one that system calls are run in.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "files.h"
#include "guard_maps.h"
#include "kernel_abi.h"
#include "layout.h"
#include "needs.h"
#include "pid.h"
#include "recorded.h"
#include "target.h"

#define UNTOUCHED 4242

enum {
	MAXIMUM_GUARDS = 100000,
	/* Pages that are written, so many at most. */
	MAXIMUM_WRITTEN = 2000,
};

/* What a case and its child share. */
struct subject {
	/* Map memory and install guards in it; by the child. */
	void (*build)(struct subject *subject, struct layout *layout);
	/* What the child does once the guards are out; NULL: nothing. */
	void (*act)(struct subject *subject);
	/* Number that @build understands. */
	size_t number;
	/* Guards that are not taken out again: the first so many. */
	size_t kept;
	int line;
	/* Results and flags of @act. */
	volatile int go, result, error;
	volatile uint64_t elapsed, count, counts[4];
	int ends[2];
	uint64_t address;
	size_t guard_count, written_count;
	uint64_t written[MAXIMUM_WRITTEN];
	struct range guards[MAXIMUM_GUARDS];
};

/* ---- Subjects ----------------------------------------------------------- */

static void write_page(struct subject *subject, char *page)
{
	memset(page, 1 + subject->written_count % 251, page_size());
	if (subject->written_count < MAXIMUM_WRITTEN)
		subject->written[subject->written_count++] = (uintptr_t)page;
}

/* Guards on alternate pages of memory, contents between some of them. */
static void guard_alternate(struct subject *subject, struct layout *layout,
			    char *memory, size_t count, bool write)
{
	size_t page = page_size();

	for (size_t i = 0; i < count; i++)
		install_guard(layout, memory + 2 * i * page, page);
	for (size_t i = 0; write && i < count;
	     i += 1 + count / MAXIMUM_WRITTEN)
		write_page(subject, memory + (2 * i + 1) * page);
}

static void build_anonymous(struct subject *subject, struct layout *layout)
{
	size_t size = 2 * subject->number * page_size();
	char *memory = map_memory(size, PROT_READ | PROT_WRITE);

	madvise(memory, size, MADV_NOHUGEPAGE);
	guard_alternate(subject, layout, memory, subject->number, true);
}

static void remove_guards(struct subject *subject)
{
	for (size_t i = subject->kept; i < subject->guard_count; i++)
		check_setup(madvise((void *)(uintptr_t)subject->guards[i].start,
				    subject->guards[i].end -
					    subject->guards[i].start,
				    MADV_GUARD_REMOVE) == 0);
}

static void run_subject(int line, void *argument)
{
	struct subject *subject = argument;
	struct layout layout = { 0 };

	subject->line = line;
	subject->build(subject, &layout);
	check_setup(layout.guard_count <= MAXIMUM_GUARDS);
	memcpy(subject->guards, layout.guards,
	       layout.guard_count * sizeof(*layout.guards));
	subject->guard_count = layout.guard_count;
	tell(line);
	await(line);
	remove_guards(subject);
	tell(line);
	if (subject->act) {
		subject->act(subject);
		tell(line);
	}
	for (;;)
		pause();
}

/* A subject, and the guard map of the time when it had its guards. */
struct trial {
	struct subject *subject;
	struct child child;
	struct guardmaps_map *wanted;
};

static void trial_create(struct trial *trial,
			 void (*build)(struct subject *, struct layout *),
			 size_t number, void (*act)(struct subject *))
{
	trial->subject = shared_memory(sizeof(*trial->subject));
	trial->subject->build = build;
	trial->subject->number = number;
	trial->subject->act = act;
}

static void trial_start(struct trial *trial)
{
	check_setup(pipe2(trial->subject->ends, O_CLOEXEC) == 0);
	child_start(&trial->child, run_subject, trial->subject);
	await(trial->child.line);
	check_setup(!scan_pid(trial->child.pid, GUARDMAPS_SOURCE_AUTO,
			      &trial->wanted));
	tell(trial->child.line);
	await(trial->child.line);
}

static void trial_begin(struct trial *trial,
			void (*build)(struct subject *, struct layout *),
			size_t number, void (*act)(struct subject *))
{
	trial_create(trial, build, number, act);
	trial_start(trial);
}

static void trial_end(struct trial *trial)
{
	guardmaps_map_destroy(trial->wanted);
	child_stop(&trial->child);
	close(trial->subject->ends[0]);
	close(trial->subject->ends[1]);
	munmap(trial->subject, sizeof(*trial->subject));
}

static struct guardmaps_error *install_map(pid_t pid,
					   const struct guardmaps_map *map,
					   bool only_check, size_t *ret)
{
	struct guardmaps_process *process;
	struct guardmaps_error *error;

	error = guardmaps_process_open(pid, NULL, &process);
	if (error)
		return error;
	error = guardmaps_install(process, map, only_check, ret);
	guardmaps_process_close(process);
	return error;
}

/* ---- Looking at a process ----------------------------------------------- */

static void guards_are(struct trial *trial, const struct range *guards,
		       size_t count, const char *what)
{
	struct guardmaps_map *map;

	if (!check_success(scan_pid(trial->child.pid, GUARDMAPS_SOURCE_AUTO,
				    &map),
			   "%s: the process can be scanned", what))
		return;
	check_no_fault(truth_fault(map, guards, count),
		       "%s: it has the guards that it should have", what);
	guardmaps_map_destroy(map);
}

static void guards_are_back(struct trial *trial, const char *what)
{
	guards_are(trial, trial->subject->guards, trial->subject->guard_count,
		   what);
}

static void guards_are_still_out(struct trial *trial, const char *what)
{
	guards_are(trial, trial->subject->guards, trial->subject->kept, what);
}

static bool puts_back(struct trial *trial, const char *what)
{
	size_t missing = UNTOUCHED;

	if (!check_success(install_map(trial->child.pid, trial->wanted, false,
				       &missing),
			   "%s: its guards can be put back", what))
		return false;
	return check_number(missing, trial->subject->guard_count -
				     trial->subject->kept,
			    "%s: it is told how many were put back", what);
}

/* What the pages that were written hold. */
static uint8_t *read_written(const struct trial *trial)
{
	size_t page = page_size(), count = trial->subject->written_count;
	uint8_t *bytes = malloc(count * page + 1);

	check_setup(bytes != NULL);
	for (size_t i = 0; i < count; i++) {
		struct iovec local = { bytes + i * page, page };
		struct iovec remote = {
			(void *)(uintptr_t)trial->subject->written[i], page
		};

		check_setup(process_vm_readv(trial->child.pid, &local, 1,
					     &remote, 1, 0) == (ssize_t)page);
	}
	return bytes;
}

/* A line of /proc/PID/status, or of the mapping that holds @address in smaps. */
static char *copy_line(const char *text, const char *key)
{
	const char *line = strstr(text, key);

	check_setup(line != NULL);
	return strndup(line, strcspn(line, "\n"));
}

static char *status_line(pid_t pid, const char *key)
{
	char *text = pid_read(pid, "status");
	char *line = copy_line(text, key);

	free(text);
	return line;
}

static char *mapping_line(pid_t pid, uint64_t address, const char *key)
{
	char *text = pid_read(pid, "smaps");
	char *position = text, *found = NULL;
	uint64_t start, end;

	while (position && !found) {
		if (sscanf(position, "%" SCNx64 "-%" SCNx64 " ", &start,
			   &end) == 2 && address >= start && address < end)
			found = copy_line(position, key);
		position = strchr(position, '\n');
		if (position)
			position++;
	}
	check_setup(found != NULL);
	free(text);
	return found;
}

/* Traced by nobody, and not stopped by us. */
static void is_released(const struct trial *trial, const char *what)
{
	char *line = status_line(trial->child.pid, "TracerPid:");

	check_string(line, "TracerPid:\t0", "%s: nobody traces it", what);
	free(line);
	check(pid_state(trial->child.pid) != 't', "%s: it is not stopped",
	      what);
}

/* ---- Guards, and what lies between them --------------------------------- */

/* Ends by the signal that it should end by? */
static int signal_of_access(uint64_t address)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		*(volatile char *)(uintptr_t)address;
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* In the child: what a guard does, and what the page behind one does. */
static void try_guards(struct subject *subject)
{
	size_t last = subject->guard_count - 1;

	await(subject->line);
	subject->counts[0] = signal_of_access(subject->guards[0].start);
	subject->counts[1] = signal_of_access(subject->guards[last].start);
	subject->counts[2] = signal_of_access(subject->guards[last].end);
}

static void guards_fault(struct trial *trial, const char *what)
{
	tell(trial->child.line);
	if (!check(tells_in_time(&trial->child), "%s: the process goes on",
		   what))
		return;
	check_number(trial->subject->counts[0], SIGSEGV,
		     "%s: the first guard is a fault", what);
	check_number(trial->subject->counts[1], SIGSEGV,
		     "%s: the last guard is a fault", what);
}

static void counted_guards(size_t count)
{
	char *what = format_string("%zu guards", count);
	struct trial trial;
	uint8_t *before, *after;
	size_t would = UNTOUCHED;

	trial_begin(&trial, build_anonymous, count, try_guards);
	guards_are_still_out(&trial, what);
	before = read_written(&trial);
	check_success(install_map(trial.child.pid, trial.wanted, true, &would),
		      "%s: it can be checked without a change", what);
	check_number(would, count, "%s: what would be done is told", what);
	guards_are_still_out(&trial, what);
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	is_released(&trial, what);
	guards_fault(&trial, what);
	after = read_written(&trial);
	check(memcmp(before, after,
		     trial.subject->written_count * page_size()) == 0,
	      "%s: %zu pages between them hold what they held", what,
	      trial.subject->written_count);
	check_success(install_map(trial.child.pid, trial.wanted, false,
				  &would),
		      "%s: they can be put back again", what);
	check_number(would, 0, "%s: then nothing is left to do", what);
	free(after);
	free(before);
	trial_end(&trial);
	free(what);
}

static void some_are_missing(void)
{
	const char *what = "a process that lacks some";
	struct trial trial;

	trial_create(&trial, build_anonymous, 10, NULL);
	trial.subject->kept = 6;
	trial_start(&trial);
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	trial_end(&trial);
}

static void take_out_and_add(struct subject *subject)
{
	size_t page = page_size();
	uint64_t extra = subject->guards[3].end;

	/* Between the fourth and the fifth: the two and it become one. */
	subject->result = madvise((void *)(uintptr_t)extra, page,
				  MADV_GUARD_INSTALL);
	subject->address = extra;
}

static void extra_guards_stay(void)
{
	const char *what = "a process with one more guard";
	struct range expected[9];
	struct trial trial;

	trial_begin(&trial, build_anonymous, 10, take_out_and_add);
	check_setup(tells_in_time(&trial.child) && trial.subject->result == 0);
	puts_back(&trial, what);
	memcpy(expected, trial.subject->guards, 4 * sizeof(*expected));
	expected[3].end = trial.subject->guards[4].end;
	memcpy(expected + 4, trial.subject->guards + 5, 5 * sizeof(*expected));
	guards_are(&trial, expected, 9, what);
	trial_end(&trial);
}

static void through_an_image(void)
{
	const char *what = "a guard map from an image";
	char *path = format_string("%s/image", scratch_directory());
	struct guardmaps_process *process;
	struct guardmaps_map *read;
	struct trial trial;

	trial_begin(&trial, build_anonymous, 3, NULL);
	check_setup(!guardmaps_process_open(trial.child.pid, NULL, &process));
	check_setup(!guardmaps_find_owners(process, trial.wanted));
	guardmaps_process_close(process);
	check_setup(!guardmaps_image_write(trial.wanted, AT_FDCWD, path));
	check_setup(!guardmaps_image_read(AT_FDCWD, path, &read));
	guardmaps_map_destroy(trial.wanted);
	trial.wanted = read;
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	trial_end(&trial);
	unlink(path);
	free(path);
}

/* ---- Kinds of mappings -------------------------------------------------- */

enum kind_of_mapping {
	PRIVATE_FILE, SHARED_FILE, READ_ONLY_FILE, MEMFD, SHARED_ANONYMOUS,
	PROT_NONE_MEMORY, READ_ONLY_MEMORY, TOUCHING,
};

static const char *const kind_names[] = {
	"a private file", "a shared file", "a read-only file", "a memfd",
	"shared anonymous memory", "PROT_NONE memory", "read-only memory",
	"mappings that touch",
};

static int open_file(size_t size)
{
	char path[] = "/tmp/guardmaps-install-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	check_setup(fd >= 0 && unlink(path) == 0 && ftruncate(fd, size) == 0);
	return fd;
}

static char *map_kind(enum kind_of_mapping kind, size_t size)
{
	static const int flags[] = {
		MAP_PRIVATE, MAP_SHARED, MAP_SHARED, MAP_SHARED,
		MAP_SHARED | MAP_ANONYMOUS, MAP_PRIVATE | MAP_ANONYMOUS,
		MAP_PRIVATE | MAP_ANONYMOUS, MAP_PRIVATE | MAP_ANONYMOUS,
	};
	char *memory;
	int fd = -1;

	if (kind <= READ_ONLY_FILE)
		fd = open_file(size);
	else if (kind == MEMFD)
		fd = memfd_create("guardmaps-install", MFD_CLOEXEC);
	check_setup(kind != MEMFD || ftruncate(fd, size) == 0);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags[kind], fd, 0);
	check_setup(memory != MAP_FAILED);
	if (fd >= 0)
		close(fd);
	return memory;
}

static void protect_kind(enum kind_of_mapping kind, char *memory, size_t size)
{
	int protection = PROT_READ;

	if (kind == PROT_NONE_MEMORY)
		protection = PROT_NONE;
	else if (kind == TOUCHING)
		size /= 2;
	else if (kind != READ_ONLY_FILE && kind != READ_ONLY_MEMORY)
		return;
	check_setup(mprotect(memory, size, protection) == 0);
}

static void build_kind(struct subject *subject, struct layout *layout)
{
	size_t size = 32 * page_size();
	char *memory = map_kind(subject->number, size);

	/* Written before they are protected: PROT_NONE cannot be read back. */
	for (size_t i = 0; subject->number != PROT_NONE_MEMORY && i < 16; i++)
		write_page(subject, memory + (2 * i + 1) * page_size());
	protect_kind(subject->number, memory, size);
	guard_alternate(subject, layout, memory, 16, false);
}

static void kinds_of_mappings(void)
{
	for (size_t i = 0; i < LENGTH(kind_names); i++) {
		uint8_t *before, *after;
		struct trial trial;

		trial_begin(&trial, build_kind, i, try_guards);
		before = read_written(&trial);
		puts_back(&trial, kind_names[i]);
		guards_are_back(&trial, kind_names[i]);
		guards_fault(&trial, kind_names[i]);
		after = read_written(&trial);
		check(memcmp(before, after, trial.subject->written_count *
					    page_size()) == 0,
		      "%s: pages between them hold what they held",
		      kind_names[i]);
		free(after);
		free(before);
		trial_end(&trial);
	}
}

/* ---- Locked mappings ---------------------------------------------------- */

enum kind_of_lock {
	LOCK, LOCK_ON_FAULT, LOCK_ALL, LOCK_ALL_AND_FUTURE, LOCK_PART,
	LOCK_PROT_NONE, LOCK_UNDER_LIMIT,
};

static const char *const lock_names[] = {
	"mlock()", "mlock2(MLOCK_ONFAULT)", "mlockall(MCL_CURRENT)",
	"mlockall(MCL_CURRENT | MCL_FUTURE)", "a mapping that is locked in part",
	"a PROT_NONE mapping that is locked",
	"a mapping locked before RLIMIT_MEMLOCK was lowered",
};

enum { LOCKED_PAGES = 64 };

static void lock_memory(enum kind_of_lock kind, char *memory, size_t size)
{
	/*
	 * Guards make these say ENOMEM; they lock all the same. Called without
	 * the C library: AddressSanitizer makes its functions do nothing.
	 */
	switch (kind) {
	case LOCK_ON_FAULT:
		syscall(SYS_mlock2, memory, size, 1);
		break;
	case LOCK_ALL:
		check_setup(syscall(SYS_mlockall, MCL_CURRENT) == 0);
		break;
	case LOCK_ALL_AND_FUTURE:
		check_setup(syscall(SYS_mlockall, MCL_CURRENT | MCL_FUTURE) ==
			    0);
		break;
	case LOCK_PART:
		syscall(SYS_mlock, memory + 4 * page_size(), size / 2);
		break;
	default:
		syscall(SYS_mlock, memory, size);
	}
}

static void lower_limit(void)
{
	const struct rlimit limit = { 2 * page_size(), 2 * page_size() };

	check_setup(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	become_nobody();
	/* Set again, for the death of the parent was forgotten. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void build_locked(struct subject *subject, struct layout *layout)
{
	size_t size = LOCKED_PAGES * page_size();
	char *memory = map_memory(size, PROT_READ | PROT_WRITE);

	guard_alternate(subject, layout, memory, LOCKED_PAGES / 2, true);
	if (subject->number == LOCK_PROT_NONE)
		check_setup(mprotect(memory, size, PROT_NONE) == 0);
	if (subject->number == LOCK_PROT_NONE)
		subject->written_count = 0;
	lock_memory(subject->number, memory, size);
	if (subject->number == LOCK_UNDER_LIMIT)
		lower_limit();
}

/* Flags of the mappings at the start, in the middle and at the end. */
static char *lock_state(const struct trial *trial)
{
	pid_t pid = trial->child.pid;
	char *locked = status_line(pid, "VmLck:");
	char *first = mapping_line(pid, trial->subject->guards[0].start,
				   "VmFlags:");
	char *middle = mapping_line(pid, trial->subject->guards[16].start,
				    "VmFlags:");
	char *last = mapping_line(pid, trial->subject->guards[31].start,
				  "VmFlags:");
	char *ret = format_string("%s; %s; %s; %s", locked, first, middle,
				  last);

	free(last);
	free(middle);
	free(first);
	free(locked);
	return ret;
}

/* Put back with its locks, or refused with its locks: never without. */
static void locked_under_limit(struct trial *trial, const char *what)
{
	size_t missing = UNTOUCHED;
	struct guardmaps_error *error = install_map(trial->child.pid,
						    trial->wanted, false,
						    &missing);

	if (error)
		check_note("%s", guardmaps_error_message(error));
	guardmaps_error_destroy(error);
	if (missing == UNTOUCHED)
		guards_are_still_out(trial, what);
	else
		guards_are_back(trial, what);
}

/* Whether RLIMIT_MEMLOCK allows what a subject does; this process is as big. */
static bool can_lock(enum kind_of_lock kind)
{
	size_t size = LOCKED_PAGES * page_size();
	void *memory = map_memory(size, PROT_READ | PROT_WRITE);
	bool is_locked = kind == LOCK_ALL || kind == LOCK_ALL_AND_FUTURE ?
				 syscall(SYS_mlockall, MCL_CURRENT) == 0 :
				 syscall(SYS_mlock, memory, size) == 0;

	if (is_locked)
		syscall(SYS_munlockall);
	munmap(memory, size);
	return is_locked;
}

/* Why a kind of lock cannot be tried here, or NULL. */
static const char *lock_missing(enum kind_of_lock kind)
{
#ifdef __SANITIZE_ADDRESS__
	if (kind == LOCK_ALL || kind == LOCK_ALL_AND_FUTURE)
		return "AddressSanitizer has terabytes to lock";
#endif
	if (kind == LOCK_UNDER_LIMIT && getuid() != 0)
		return "needs root";
	return can_lock(kind) ? NULL : "RLIMIT_MEMLOCK is too low";
}

static void locked_mappings(void)
{
	for (size_t i = 0; i < LENGTH(lock_names); i++) {
		char *before, *after;
		struct trial trial;

		if (lock_missing(i)) {
			check_skip(lock_missing(i), "%s: locked as it was",
				   lock_names[i]);
			continue;
		}
		trial_begin(&trial, build_locked, i, NULL);
		before = lock_state(&trial);
		check_setup(strstr(before, " lo"));
		if (i == LOCK_UNDER_LIMIT) {
			locked_under_limit(&trial, lock_names[i]);
		} else {
			puts_back(&trial, lock_names[i]);
			guards_are_back(&trial, lock_names[i]);
		}
		after = lock_state(&trial);
		check_string(after, before, "%s: locked as it was",
			     lock_names[i]);
		free(after);
		free(before);
		trial_end(&trial);
	}
}

/* ---- Registers ---------------------------------------------------------- */

#if defined(__x86_64__)

/*
 * spin_with_registers(stop, count, out): fill all registers, spin until *stop,
 * then write them to out: 13 general ones (rbx, rcx, rdx, rbp, rdi, r8 to r15)
 * and 16 of 16 bytes. rsi is count, rax is stop, out is on the stack.
 */
void spin_with_registers(volatile int *stop, volatile uint64_t *count,
			 uint64_t *out);
__asm__(
	".text\n"
	".globl spin_with_registers\n"
	".type spin_with_registers, @function\n"
	"spin_with_registers:\n"
	"	push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n"
	"	push %r15\n push %rdx\n"
	"	mov %rdi, %rax\n"
	"	mov $0x1111111111111101, %rbx\n"
	"	mov $0x1111111111111102, %rcx\n"
	"	mov $0x1111111111111103, %rdx\n"
	"	mov $0x1111111111111104, %rbp\n"
	"	mov $0x1111111111111105, %rdi\n"
	"	mov $0x1111111111111106, %r8\n"
	"	mov $0x1111111111111107, %r9\n"
	"	mov $0x1111111111111108, %r10\n"
	"	mov $0x1111111111111109, %r11\n"
	"	mov $0x111111111111110a, %r12\n"
	"	mov $0x111111111111110b, %r13\n"
	"	mov $0x111111111111110c, %r14\n"
	"	mov $0x111111111111110d, %r15\n"
	"	movq %rbx, %xmm0\n movq %rcx, %xmm1\n movq %rdx, %xmm2\n"
	"	movq %rbp, %xmm3\n movq %rdi, %xmm4\n movq %r8, %xmm5\n"
	"	movq %r9, %xmm6\n movq %r10, %xmm7\n movq %r11, %xmm8\n"
	"	movq %r12, %xmm9\n movq %r13, %xmm10\n movq %r14, %xmm11\n"
	"	movq %r15, %xmm12\n movq %rbx, %xmm13\n movq %rcx, %xmm14\n"
	"	movq %rdx, %xmm15\n"
	"1:	incq (%rsi)\n"
	"	cmpl $0, (%rax)\n"
	"	je 1b\n"
	"	mov (%rsp), %rax\n"
	"	mov %rbx, 0(%rax)\n mov %rcx, 8(%rax)\n mov %rdx, 16(%rax)\n"
	"	mov %rbp, 24(%rax)\n mov %rdi, 32(%rax)\n mov %r8, 40(%rax)\n"
	"	mov %r9, 48(%rax)\n mov %r10, 56(%rax)\n mov %r11, 64(%rax)\n"
	"	mov %r12, 72(%rax)\n mov %r13, 80(%rax)\n"
	"	mov %r14, 88(%rax)\n mov %r15, 96(%rax)\n"
	"	movq %xmm0, 104(%rax)\n movq %xmm1, 112(%rax)\n"
	"	movq %xmm2, 120(%rax)\n movq %xmm3, 128(%rax)\n"
	"	movq %xmm4, 136(%rax)\n movq %xmm5, 144(%rax)\n"
	"	movq %xmm6, 152(%rax)\n movq %xmm7, 160(%rax)\n"
	"	movq %xmm8, 168(%rax)\n movq %xmm9, 176(%rax)\n"
	"	movq %xmm10, 184(%rax)\n movq %xmm11, 192(%rax)\n"
	"	movq %xmm12, 200(%rax)\n movq %xmm13, 208(%rax)\n"
	"	movq %xmm14, 216(%rax)\n movq %xmm15, 224(%rax)\n"
	"	pop %rdx\n"
	"	pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n"
	".size spin_with_registers, . - spin_with_registers\n");

enum { GENERAL_REGISTERS = 13, VECTOR_REGISTERS = 16 };

static void hold_registers(struct subject *subject)
{
	uint64_t out[GENERAL_REGISTERS + VECTOR_REGISTERS] = { 0 };

	spin_with_registers(&subject->go, &subject->count, out);
	for (size_t i = 0; i < LENGTH(out); i++) {
		size_t number = i < GENERAL_REGISTERS
					? i : (i - GENERAL_REGISTERS) % 13;

		subject->result += out[i] !=
				   UINT64_C(0x1111111111111101) + number;
	}
	subject->error = 1;
}

static void registers_are_kept(void)
{
	const char *what = "a thread that spins";
	struct trial trial;

	trial_begin(&trial, build_anonymous, 1500, hold_registers);
	check_setup(number_changes(&trial.subject->count));
	puts_back(&trial, what);
	check(number_changes(&trial.subject->count), "%s: it spins on", what);
	trial.subject->go = 1;
	check(becomes_set(&trial.subject->error), "%s: it goes on", what);
	check_number(trial.subject->result, 0,
		     "%s: its registers hold what they held", what);
	guards_are_back(&trial, what);
	trial_end(&trial);
}

/* ---- A restartable sequence --------------------------------------------- */

/*
 * spin_in_sequence(stop, counts, rseq_cs): a critical section that counts in
 * counts[0] and, where it is aborted, counts in counts[1] and starts anew.
 */
void spin_in_sequence(volatile int *stop, volatile uint64_t *counts,
		      volatile uint64_t *rseq_cs);
__asm__(
	".pushsection .data.rel.ro.guardmaps_rseq, \"aw\"\n"
	".balign 32\n"
	"guardmaps_sequence:\n"
	"	.long 0, 0\n"
	"	.quad guardmaps_sequence_start\n"
	"	.quad guardmaps_sequence_end - guardmaps_sequence_start\n"
	"	.quad guardmaps_sequence_abort\n"
	".popsection\n"
	".text\n"
	".globl spin_in_sequence\n"
	".type spin_in_sequence, @function\n"
	"spin_in_sequence:\n"
	"	lea guardmaps_sequence(%rip), %rax\n"
	"	mov %rax, (%rdx)\n"
	"guardmaps_sequence_start:\n"
	"	incq (%rsi)\n"
	"	cmpl $0, (%rdi)\n"
	"	je guardmaps_sequence_start\n"
	"guardmaps_sequence_end:\n"
	"	movq $0, (%rdx)\n"
	"	ret\n"
	"	.byte 0x0f, 0xb9, 0x3d\n"
	"	.long 0x53053053\n"
	"guardmaps_sequence_abort:\n"
	"	incq 8(%rsi)\n"
	"	cmpl $0, (%rdi)\n"
	"	je spin_in_sequence\n"
	"	ret\n"
	".size spin_in_sequence, . - spin_in_sequence\n");

static struct subject *handled;

static void count_signal(int number)
{
	(void)number;
	handled->counts[2]++;
}

static void run_sequence(struct subject *subject)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;
	struct rseq *rseq = (struct rseq *)area;

	handled = subject;
	signal(SIGUSR1, count_signal);
	spin_in_sequence(&subject->go, subject->counts,
			 (volatile uint64_t *)&rseq->rseq_cs);
	subject->error = 1;
}

/* An abort that comes with a signal must still find the sequence. */
static bool is_aborted_by_signal(struct trial *trial)
{
	volatile uint64_t *counts = trial->subject->counts;
	uint64_t aborts = counts[1];

	kill(trial->child.pid, SIGUSR1);
	return number_changes(&counts[2]) && number_changes(&counts[0]) && counts[1] > aborts;
}

static void sequence_is_kept(void)
{
	const char *what = "a thread in a restartable sequence";
	struct trial trial;

	if (__rseq_size == 0) {
		check_skip("the C library has registered no rseq",
			   "%s stays in it", what);
		return;
	}
	trial_begin(&trial, build_anonymous, 3, run_sequence);
	check_setup(number_changes(&trial.subject->counts[0]));
	check_setup(is_aborted_by_signal(&trial));
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	check(number_changes(&trial.subject->counts[0]), "%s: it goes on", what);
	check(is_aborted_by_signal(&trial),
	      "%s: the kernel still knows of the sequence", what);
	trial.subject->go = 1;
	check(becomes_set(&trial.subject->error), "%s: it gets out of it",
	      what);
	trial_end(&trial);
}

#else

static void registers_are_kept(void)
{
	check_skip("written for x86-64 only", "registers are kept");
}

static void sequence_is_kept(void)
{
	check_skip("written for x86-64 only", "restartable sequences are kept");
}

#endif

/* ---- Blocked in a system call ------------------------------------------- */

#define SLEEP_SECONDS 1.0

static const struct timespec sleep_time = { 1, 0 };

static void note_result(struct subject *subject, double start, int result)
{
	subject->error = result < 0 ? errno : 0;
	subject->result = result;
	subject->elapsed = (now_seconds() - start) * 1e6;
}

static void do_nanosleep(struct subject *subject)
{
	double start = now_seconds();

	note_result(subject, start, syscall(SYS_nanosleep, &sleep_time, NULL));
}

static void do_clock_nanosleep(struct subject *subject)
{
	double start = now_seconds();

	note_result(subject, start, syscall(SYS_clock_nanosleep,
					    CLOCK_MONOTONIC, 0, &sleep_time,
					    NULL));
}

static void do_sleep_until(struct subject *subject)
{
	double start = now_seconds();
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	note_result(subject, start, syscall(SYS_clock_nanosleep,
					    CLOCK_MONOTONIC, TIMER_ABSTIME,
					    &until, NULL));
}

#ifdef SYS_poll
static void do_poll(struct subject *subject)
{
	struct pollfd end = { .fd = subject->ends[0], .events = POLLIN };
	double start = now_seconds();

	note_result(subject, start, syscall(SYS_poll, &end, 1, 1000));
}
#endif

static void do_ppoll(struct subject *subject)
{
	struct pollfd end = { .fd = subject->ends[0], .events = POLLIN };
	struct timespec timeout = sleep_time;
	double start = now_seconds();
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	note_result(subject, start, syscall(SYS_ppoll, &end, 1, &timeout,
					    &mask, 8));
}

#ifdef SYS_select
static void do_select(struct subject *subject)
{
	struct timeval timeout = { 1, 0 };
	double start = now_seconds();

	note_result(subject, start, syscall(SYS_select, 0, NULL, NULL, NULL,
					    &timeout));
}
#endif

static void do_futex_timeout(struct subject *subject)
{
	double start = now_seconds();
	int result = syscall(SYS_futex, &subject->go, FUTEX_WAIT, 0,
			     &sleep_time, NULL, 0);

	note_result(subject, start, result);
	if (result < 0 && subject->error == ETIMEDOUT)
		subject->result = 0;
}

static void do_futex(struct subject *subject)
{
	double start = now_seconds();

	note_result(subject, start, syscall(SYS_futex, &subject->go, FUTEX_WAIT,
					    0, NULL, NULL, 0));
}

static void do_read(struct subject *subject)
{
	double start = now_seconds();
	char bytes[4];
	int result = syscall(SYS_read, subject->ends[0], bytes, sizeof(bytes));

	note_result(subject, start, result == 4 ? 0 : -1);
}

static void ignore_signal(int number)
{
	(void)number;
}

static void do_sigsuspend(struct subject *subject)
{
	double start = now_seconds();
	sigset_t mask, old;

	signal(SIGUSR1, ignore_signal);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	sigemptyset(&mask);
	sigsuspend(&mask);
	note_result(subject, start, 0);
	/* The mask of before is back. */
	sigprocmask(SIG_SETMASK, NULL, &old);
	subject->result = sigismember(&old, SIGUSR1) ? 0 : -1;
}

static void wake_nothing(struct trial *trial)
{
	(void)trial;
}

static void wake_futex(struct trial *trial)
{
	trial->subject->go = 1;
	syscall(SYS_futex, &trial->subject->go, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void wake_reader(struct trial *trial)
{
	check_setup(write(trial->subject->ends[1], "four", 4) == 4);
}

static void wake_by_signal(struct trial *trial)
{
	kill(trial->child.pid, SIGUSR1);
}

static const struct wait {
	const char *name;
	long number;
	void (*act)(struct subject *subject);
	void (*wake)(struct trial *trial);
} waits[] = {
	{ "nanosleep()", SYS_nanosleep, do_nanosleep, wake_nothing },
	{ "clock_nanosleep()", SYS_clock_nanosleep, do_clock_nanosleep,
	  wake_nothing },
	{ "clock_nanosleep(TIMER_ABSTIME)", SYS_clock_nanosleep, do_sleep_until,
	  wake_nothing },
#ifdef SYS_poll
	{ "poll() with a timeout", SYS_poll, do_poll, wake_nothing },
#endif
	{ "ppoll() with a mask", SYS_ppoll, do_ppoll, wake_nothing },
#ifdef SYS_select
	{ "select() with a timeout", SYS_select, do_select, wake_nothing },
#endif
	{ "futex() with a timeout", SYS_futex, do_futex_timeout, wake_nothing },
	{ "futex()", SYS_futex, do_futex, wake_futex },
	{ "read()", SYS_read, do_read, wake_reader },
	{ "sigsuspend()", SYS_rt_sigsuspend, do_sigsuspend, wake_by_signal },
};

static void wait_goes_on(const struct wait *wait)
{
	struct trial trial;

	trial_begin(&trial, build_anonymous, 5, wait->act);
	check_setup(pid_sleeps_in(trial.child.pid, wait->number));
	puts_back(&trial, wait->name);
	guards_are_back(&trial, wait->name);
	if (wait->wake != wake_nothing)
		check_setup(pid_sleeps_in(trial.child.pid, wait->number));
	wait->wake(&trial);
	if (check(tells_in_time(&trial.child), "%s: it ends", wait->name)) {
		check_note("result %d, errno %d, %" PRIu64 " us",
			   trial.subject->result, trial.subject->error,
			   trial.subject->elapsed);
		check_number(trial.subject->result, 0,
			     "%s: it ends as if nothing had been", wait->name);
		if (wait->wake == wake_nothing)
			check(trial.subject->elapsed >= SLEEP_SECONDS * 1e6 &&
			      trial.subject->elapsed < 5e6,
			      "%s: it lasts as long as it was asked for",
			      wait->name);
	}
	trial_end(&trial);
}

static void waits_go_on(void)
{
	for (size_t i = 0; i < LENGTH(waits); i++)
		wait_goes_on(&waits[i]);
}

/* ---- Signals ------------------------------------------------------------ */

/* Not SigQ: it counts the signals of all processes of the user. */
static char *signal_state(pid_t pid)
{
	static const char *const keys[] = {
		"SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:",
	};
	char *ret = format_string("%s", "");

	for (size_t i = 0; i < LENGTH(keys); i++) {
		char *line = status_line(pid, keys[i]);
		char *longer = format_string("%s%s; ", ret, line);

		free(line);
		free(ret);
		ret = longer;
	}
	return ret;
}

static struct subject *counting;

static void count_of_signal(int number)
{
	counting->counts[number == SIGUSR1 ? 0 : number == SIGTRAP ? 1 : 2]++;
}

static void block_signal(int number)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, number);
	sigprocmask(SIG_BLOCK, &mask, NULL);
}

/* Then as many signals come as were sent, no more and no fewer. */
static void wait_with_pending(struct subject *subject)
{
	sigset_t mask;

	counting = subject;
	signal(SIGUSR1, count_of_signal);
	signal(SIGRTMIN + 3, count_of_signal);
	signal(SIGHUP, SIG_IGN);
	block_signal(SIGUSR1);
	block_signal(SIGRTMIN + 3);
	raise(SIGUSR1);
	kill(getpid(), SIGRTMIN + 3);
	kill(getpid(), SIGRTMIN + 3);
	raise(SIGRTMIN + 3);
	subject->go = 1;
	await(subject->line);
	sigemptyset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

static void pending_signals_stay(void)
{
	const char *what = "a process with pending signals";
	char *before, *after;
	struct trial trial;

	trial_begin(&trial, build_anonymous, 5, wait_with_pending);
	check_setup(becomes_set(&trial.subject->go));
	check_setup(pid_reaches(trial.child.pid, 'S'));
	before = signal_state(trial.child.pid);
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	after = signal_state(trial.child.pid);
	check_string(after, before,
		     "%s: pending, blocked and handled are what they were",
		     what);
	tell(trial.child.line);
	check(tells_in_time(&trial.child), "%s: it goes on", what);
	check_number(trial.subject->counts[0], 1, "%s: each is delivered once",
		     what);
	check_number(trial.subject->counts[2], 3,
		     "%s: each that queues is delivered", what);
	free(after);
	free(before);
	trial_end(&trial);
}

enum kind_of_trap { HANDLED, IGNORED, BLOCKED, PENDING };

static const char *const trap_names[] = {
	"a process that handles SIGTRAP", "a process that ignores SIGTRAP",
	"a process that handles SIGTRAP, but blocks it",
	"a process with a SIGTRAP that is pending",
};

static void wait_with_trap(struct subject *subject)
{
	counting = subject;
	signal(SIGTRAP, subject->counts[3] == IGNORED ? SIG_IGN
						      : count_of_signal);
	if (subject->counts[3] >= BLOCKED)
		block_signal(SIGTRAP);
	if (subject->counts[3] == PENDING)
		raise(SIGTRAP);
	subject->go = 1;
	await(subject->line);
}

/* A step over an instruction is told by SIGTRAP: whose? */
static void trap_is_kept(enum kind_of_trap kind)
{
	const char *what = trap_names[kind];
	char *before, *after;
	struct trial trial;

	trial_create(&trial, build_anonymous, 5, wait_with_trap);
	trial.subject->counts[3] = kind;
	trial_start(&trial);
	check_setup(becomes_set(&trial.subject->go));
	check_setup(pid_reaches(trial.child.pid, 'S'));
	before = signal_state(trial.child.pid);
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	after = signal_state(trial.child.pid);
	check_string(after, before, "%s: so it does afterwards", what);
	free(after);
	free(before);
	trial_end(&trial);
}

static void traps_are_kept(void)
{
	trap_is_kept(HANDLED);
	trap_is_kept(IGNORED);
	trap_is_kept(BLOCKED);
	trap_is_kept(PENDING);
}

static void count_alarm(int number)
{
	(void)number;
	counting->count++;
}

/* Signals come all the time, with handlers that run, until told to go on. */
static void live_with_alarms(struct subject *subject)
{
	const struct itimerval often = { { 0, 300 }, { 0, 300 } };
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = {
		.sa_handler = count_alarm, .sa_flags = SA_RESTART,
	};

	counting = subject;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (!subject->go) {
		if (subject->result) {
			remove_guards(subject);
			subject->result = 0;
		}
	}
	setitimer(ITIMER_REAL, &never, NULL);
}

static void await_removal(struct subject *subject)
{
	double end = now_seconds() + PATIENCE_SECONDS;

	subject->result = 1;
	while (subject->result)
		check_setup(now_seconds() < end);
}

static void signals_come_meanwhile(void)
{
	const char *what = "a process that gets signals all the time";
	size_t failed = 0, missing;
	struct trial trial;

	trial_begin(&trial, build_anonymous, 2000, live_with_alarms);
	for (size_t i = 0; i < 20 && !failed; i++) {
		if (i > 0)
			await_removal(trial.subject);
		missing = UNTOUCHED;
		struct guardmaps_error *error = install_map(
			trial.child.pid, trial.wanted, false, &missing);
		if (error)
			check_note("%s", guardmaps_error_message(error));
		failed += error != NULL || missing != 2000;
		guardmaps_error_destroy(error);
	}
	check_number(failed, 0, "%s: its guards can be put back 20 times",
		     what);
	guards_are_back(&trial, what);
	check(number_changes(&trial.subject->count), "%s: they go on coming", what);
	trial.subject->go = 1;
	check(tells_in_time(&trial.child), "%s: it goes on", what);
	trial_end(&trial);
}

/* ---- Stopped processes -------------------------------------------------- */

static void stopped_stays_stopped(void)
{
	const char *what = "a stopped process";
	struct trial trial;

	trial_begin(&trial, build_anonymous, 5, try_guards);
	kill(trial.child.pid, SIGSTOP);
	check_setup(pid_reaches(trial.child.pid, 'T'));
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	check(pid_reaches(trial.child.pid, 'T'), "%s: it is stopped", what);
	tell(trial.child.line);
	check_number(pid_state(trial.child.pid), 'T',
		     "%s: it stays stopped whatever it is told", what);
	kill(trial.child.pid, SIGCONT);
	check(tells_in_time(&trial.child), "%s: SIGCONT continues it", what);
	check_number(trial.subject->counts[0], SIGSEGV,
		     "%s: its guards are faults", what);
	trial_end(&trial);
}

/* Send SIGSTOP some microseconds after being told to. */
struct stopper {
	pid_t pid;
	volatile int go;
	volatile uint64_t delay;
};

static void stop_at_some_time(int line, void *argument)
{
	struct stopper *stopper = argument;

	(void)line;
	for (;;) {
		while (!stopper->go)
			sched_yield();
		double end = now_seconds() + stopper->delay / 1e6;
		while (now_seconds() < end)
			continue;
		kill(stopper->pid, SIGSTOP);
		stopper->go = 0;
	}
}

static bool stop_round(struct trial *trial, struct stopper *stopper,
		       uint64_t delay)
{
	size_t missing = UNTOUCHED;

	stopper->delay = delay;
	stopper->go = 1;
	struct guardmaps_error *error =
		install_map(trial->child.pid, trial->wanted, false, &missing);
	bool failed = error || missing != trial->subject->guard_count;
	if (error)
		check_note("%s", guardmaps_error_message(error));
	guardmaps_error_destroy(error);
	while (stopper->go)
		sched_yield();
	if (!pid_reaches(trial->child.pid, 'T'))
		failed = true;
	kill(trial->child.pid, SIGCONT);
	return !failed;
}

static void stop_that_comes_meanwhile(void)
{
	const char *what = "a process that SIGSTOP is sent meanwhile";
	struct stopper *stopper = shared_memory(sizeof(*stopper));
	struct child child;
	struct trial trial;
	size_t failed = 0;

	trial_begin(&trial, build_anonymous, 3000, live_with_alarms);
	stopper->pid = trial.child.pid;
	child_start(&child, stop_at_some_time, stopper);
	for (size_t i = 0; i < 60 && !failed; i++) {
		if (i > 0)
			await_removal(trial.subject);
		failed += !stop_round(&trial, stopper, i * 250);
	}
	check_number(failed, 0, "%s: it has its guards and stops, 60 times",
		     what);
	guards_are_back(&trial, what);
	trial.subject->go = 1;
	check(tells_in_time(&trial.child), "%s: it goes on", what);
	child_stop(&child);
	trial_end(&trial);
	munmap(stopper, sizeof(*stopper));
}

/* ---- Seccomp, syscall user dispatch ------------------------------------- */

#define KILL_ON(number)							\
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),		\
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

static void filter_calls(void)
{
	static struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		KILL_ON(SYS_madvise),
		KILL_ON(SYS_process_madvise),
		KILL_ON(SYS_mmap),
		KILL_ON(SYS_munmap),
		KILL_ON(SYS_munlock),
		KILL_ON(SYS_mlock2),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { LENGTH(filter), filter };

	check_setup(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	check_setup(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void live_under_filter(struct subject *subject)
{
	int status;
	pid_t pid;

	filter_calls();
	subject->go = 1;
	await(subject->line);
	pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		syscall(SYS_madvise, 0, 0, 0);
		_exit(0);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
		subject->result = WTERMSIG(status);
}

static void filtered_process(void)
{
	const char *what = "a process with a seccomp filter";
	struct trial trial;

	if (!has_capability(CAPABILITY_SYS_ADMIN)) {
		check_skip("needs CAP_SYS_ADMIN", "%s: gets its guards", what);
		return;
	}
	trial_begin(&trial, build_locked, LOCK, live_under_filter);
	check_setup(becomes_set(&trial.subject->go));
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	tell(trial.child.line);
	check(tells_in_time(&trial.child), "%s: it goes on", what);
	check_number(trial.subject->result, SIGSYS,
		     "%s: the filter is there as before", what);
	trial_end(&trial);
}

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

static volatile char dispatch_selector;

static void allow_again(int number)
{
	(void)number;
	dispatch_selector = 0;
	counting->counts[0]++;
}

static void live_with_dispatch(struct subject *subject)
{
	counting = subject;
	signal(SIGSYS, allow_again);
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, &dispatch_selector)) {
		subject->error = 1;
		subject->count = 1;
		return;
	}
	dispatch_selector = 1;
	/* No system call until told: each would be a SIGSYS. */
	while (!subject->go)
		subject->count++;
	subject->counts[1] = subject->counts[0];
	syscall(SYS_getppid);
	subject->counts[2] = subject->counts[0];
}

static void dispatching_process(void)
{
	const char *what = "a process with syscall user dispatch";
	struct trial trial;

	trial_begin(&trial, build_anonymous, 3, live_with_dispatch);
	check_setup(number_changes(&trial.subject->count) || trial.subject->error);
	if (trial.subject->error) {
		check_skip("this kernel has none", "%s: gets its guards", what);
	} else {
		puts_back(&trial, what);
		check(number_changes(&trial.subject->count), "%s: it runs on", what);
		trial.subject->go = 1;
		check(tells_in_time(&trial.child), "%s: it goes on", what);
		check_number(trial.subject->counts[1], 0,
			     "%s: it has seen none of our system calls", what);
		check_number(trial.subject->counts[2], 1,
			     "%s: dispatch is on as before", what);
		guards_are_back(&trial, what);
	}
	trial_end(&trial);
}

/* ---- Threads ------------------------------------------------------------ */

static void *pause_thread(void *argument)
{
	(void)argument;
	for (;;)
		pause();
	return NULL;
}

static void *end_at_once(void *argument)
{
	struct subject *subject = argument;

	__atomic_add_fetch((uint64_t *)&subject->count, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* Start threads that end at once, and begin anew. */
static void *start_and_end(void *argument)
{
	struct subject *subject = argument;
	pthread_t thread;

	while (!subject->go) {
		if (pthread_create(&thread, NULL, end_at_once, subject) == 0)
			pthread_join(thread, NULL);
	}
	return NULL;
}

/* Its stack has no guard: that of glibc 2.42 and later would be one more. */
static void start_small_thread(void *(*run)(void *), void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 128 * 1024);
	pthread_attr_setguardsize(&attributes, 0);
	check_setup(pthread_create(&thread, &attributes, run, argument) == 0);
	pthread_attr_destroy(&attributes);
}

static void live_with_threads(struct subject *subject)
{
	for (size_t i = 0; i < 50; i++)
		start_small_thread(pause_thread, NULL);
	for (size_t i = 0; i < 2; i++)
		start_small_thread(start_and_end, subject);
	while (!subject->go) {
		if (subject->result) {
			remove_guards(subject);
			subject->result = 0;
		}
		usleep(100);
	}
}

/* Guards as the process had them when the image was saved, no matter which
 * stacks have come and gone since. */
static bool has_all_guards(const struct trial *trial)
{
	struct guardmaps_map *map;
	bool all = true;

	check_setup(!scan_pid(trial->child.pid, GUARDMAPS_SOURCE_AUTO, &map));
	for (size_t i = 0; i < trial->subject->guard_count; i++) {
		uint64_t address = trial->subject->guards[i].start;
		uint32_t region = guardmaps_map_find_region(map, address);

		all &= region != GUARDMAPS_NONE &&
		       guardmaps_map_region(map, region)->end > address;
	}
	guardmaps_map_destroy(map);
	return all;
}

static void threads_come_and_go(void)
{
	const char *what = "a process with threads that come and go";
	size_t failed = 0, rounds = 0;
	struct trial trial;
	double end;

	trial_begin(&trial, build_anonymous, 200, live_with_threads);
	check_setup(number_changes(&trial.subject->count));
	end = now_seconds() + 4;
	for (; rounds < 100 && now_seconds() < end; rounds++) {
		size_t missing = UNTOUCHED;

		if (rounds > 0)
			await_removal(trial.subject);
		struct guardmaps_error *error = install_map(
			trial.child.pid, trial.wanted, false, &missing);
		if (error && failed < 3)
			check_note("%s", guardmaps_error_message(error));
		failed += error || missing != 200 || !has_all_guards(&trial);
		guardmaps_error_destroy(error);
	}
	check_number(failed, 0, "%s: its guards are put back each of %zu times",
		     what, rounds);
	check(number_changes(&trial.subject->count), "%s: they go on", what);
	trial.subject->go = 1;
	check(tells_in_time(&trial.child), "%s: it goes on", what);
	trial_end(&trial);
}

static void *count_on(void *argument)
{
	struct subject *subject = argument;

	for (;;) {
		subject->count++;
		usleep(100);
	}
	return NULL;
}

static void end_first_thread(struct subject *subject)
{
	start_small_thread(count_on, subject);
	pthread_exit(NULL);
}

static void first_thread_has_ended(void)
{
	const char *what = "a process whose first thread has ended";
	struct trial trial;

	trial_begin(&trial, build_anonymous, 5, end_first_thread);
	check_setup(pid_reaches(trial.child.pid, 'Z'));
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	check(number_changes(&trial.subject->count), "%s: the others go on", what);
	trial_end(&trial);
}

/* ---- What is refused ---------------------------------------------------- */

static void is_refused(struct trial *trial, enum guardmaps_error_code code,
		       const char *fragment, const char *what)
{
	size_t missing = UNTOUCHED;

	check_error(install_map(trial->child.pid, trial->wanted, false,
				&missing),
		    code, fragment, "%s is refused", what);
	check_number(missing, UNTOUCHED, "%s: no count is made", what);
	check_error(install_map(trial->child.pid, trial->wanted, true,
				&missing),
		    code, fragment, "%s is refused as well if only checked",
		    what);
	guards_are_still_out(trial, what);
	is_released(trial, what);
}

enum kind_of_change {
	UNMAPPED, UNMAPPED_HALF, OTHER_FILE, OTHER_OFFSET,
	OTHER_SHARING,
};

static const char *const change_names[] = {
	"a mapping that is gone", "a mapping that is gone in part",
	"memory in the place of a file",
	"another part of the same file", "a private mapping in place of a shared",
};

static int change_fd;

static void build_changing(struct subject *subject, struct layout *layout)
{
	size_t size = 32 * page_size();
	char *memory;

	change_fd = memfd_create("guardmaps-change", MFD_CLOEXEC);
	check_setup(change_fd >= 0 && ftruncate(change_fd, 2 * size) == 0);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, change_fd,
		      0);
	check_setup(memory != MAP_FAILED);
	subject->address = (uintptr_t)memory;
	guard_alternate(subject, layout, memory, 16, false);
}

static void change_mapping(struct subject *subject)
{
	char *memory = (char *)(uintptr_t)subject->address;
	size_t size = 32 * page_size();
	int flags = MAP_FIXED | MAP_SHARED, fd = change_fd, offset = 0;

	switch (subject->number) {
	case UNMAPPED:
		munmap(memory, size);
		return;
	case UNMAPPED_HALF:
		munmap(memory + size / 2, size / 2);
		return;
	case OTHER_FILE:
		flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS;
		fd = -1;
		break;
	case OTHER_OFFSET:
		offset = size;
		break;
	case OTHER_SHARING:
		flags = MAP_FIXED | MAP_PRIVATE;
		break;
	}
	check_setup(mmap(memory, size, PROT_READ | PROT_WRITE, flags, fd,
			 offset) == memory);
}

static void changed_mappings_are_refused(void)
{
	for (size_t i = 0; i < LENGTH(change_names); i++) {
		struct trial trial;

		trial_begin(&trial, build_changing, i, change_mapping);
		check_setup(tells_in_time(&trial.child));
		is_refused(&trial, GUARDMAPS_ERROR_INVALID, NULL,
			   change_names[i]);
		trial_end(&trial);
	}
}

static void await_name(pid_t pid, const char *name)
{
	double end = now_seconds() + PATIENCE_SECONDS;
	bool is_it = false;

	while (!is_it) {
		char *text = pid_read(pid, "comm");

		is_it = strcmp(text, name) == 0;
		free(text);
		check_setup(now_seconds() < end);
	}
}

static void other_program_is_refused(void)
{
	static char *const arguments[] = { "sleep", "infinity", NULL };
	size_t missing = UNTOUCHED;
	struct guardmaps_process *process;
	struct trial trial;
	pid_t pid;

	trial_begin(&trial, build_anonymous, 3, NULL);
	check_setup(!guardmaps_process_open(trial.child.pid, NULL, &process));
	check_setup(!guardmaps_find_owners(process, trial.wanted));
	guardmaps_process_close(process);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(arguments[0], arguments);
		_exit(1);
	}
	check_setup(pid > 0);
	await_name(pid, "sleep\n");
	check_error(install_map(pid, trial.wanted, false, &missing),
		    GUARDMAPS_ERROR_INVALID, "another program",
		    "a process of another program is refused");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	trial_end(&trial);
}

static void no_guards_is_nothing_to_do(void)
{
	const char *what = "a guard map without guards";
	struct guardmaps_map *empty;
	struct target target;
	struct trial trial;
	size_t missing = UNTOUCHED;

	trial_begin(&trial, build_anonymous, 1, NULL);
	target_start(&target, "none");
	check_setup(!scan_pid(target.pid, GUARDMAPS_SOURCE_AUTO, &empty));
	check_success(install_map(trial.child.pid, empty, false, &missing),
		      "%s can be put back", what);
	check_number(missing, 0, "%s: nothing is to be done", what);
	guardmaps_map_destroy(empty);
	target_stop(&target);
	trial_end(&trial);
}

/* Traced by a child of this test, which says when. */
struct tracing {
	pid_t pid;
	int result;
};

static void trace(int line, void *argument)
{
	struct tracing *tracing = argument;

	tracing->result = ptrace(PTRACE_SEIZE, tracing->pid, NULL, 0);
	tell(line);
	for (;;)
		pause();
}

static void traced_is_refused(void)
{
	const char *what = "a process that another one traces";
	struct tracing *tracing = shared_memory(sizeof(*tracing));
	size_t missing = UNTOUCHED;
	struct child tracer;
	struct trial trial;

	trial_begin(&trial, build_anonymous, 3, NULL);
	tracing->pid = trial.child.pid;
	child_start(&tracer, trace, tracing);
	await(tracer.line);
	check_setup(tracing->result == 0);
	check_error(install_map(trial.child.pid, trial.wanted, false,
				&missing),
		    GUARDMAPS_ERROR_PERMISSION, "tracer", "%s is refused",
		    what);
	guards_are_still_out(&trial, what);
	child_stop(&tracer);
	/* The kernel lets go of it when its tracer has ended. */
	puts_back(&trial, "when it is traced no more");
	guards_are_back(&trial, "when it is traced no more");
	trial_end(&trial);
	munmap(tracing, sizeof(*tracing));
}

struct stranger {
	pid_t pid;
	const struct guardmaps_map *map;
	enum guardmaps_error_code code;
};

static void install_as_nobody(int line, void *argument)
{
	struct stranger *stranger = argument;
	size_t missing;

	(void)line;
	become_nobody();
	struct guardmaps_error *error = install_map(stranger->pid, stranger->map,
						    false, &missing);
	stranger->code = error ? guardmaps_error_code(error) : 0;
	guardmaps_error_destroy(error);
}

static void other_user_is_refused(void)
{
	struct stranger *stranger = shared_memory(sizeof(*stranger));
	struct trial trial;

	if (getuid() != 0) {
		check_skip("needs root", "another user's process is refused");
		munmap(stranger, sizeof(*stranger));
		return;
	}
	trial_begin(&trial, build_anonymous, 3, NULL);
	*stranger = (struct stranger){ trial.child.pid, trial.wanted, 0 };
	child_run(install_as_nobody, stranger);
	check_string(error_code_name(stranger->code), "PERMISSION",
		     "another user's process is refused");
	guards_are_still_out(&trial, "another user's process");
	is_released(&trial, "another user's process");
	trial_end(&trial);
	munmap(stranger, sizeof(*stranger));
}

static void no_memory_is_refused(void)
{
	struct guardmaps_map *map = recorded_map(
		"10000000-10010000 rw-p 00000000 00:00 0 \n",
		"10000000-10001000 ---p 00000000 00:00 0 \n");
	struct guardmaps_process *process;
	size_t missing = UNTOUCHED;
	struct recorded tree;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	check_setup(pid > 0 && pid_reaches(pid, 'Z'));
	check_error(install_map(pid, map, false, &missing),
		    GUARDMAPS_ERROR_NO_ADDRESS_SPACE, "zombie",
		    "a zombie is refused");
	waitpid(pid, NULL, 0);
	check_error(install_map(pid, map, false, &missing),
		    GUARDMAPS_ERROR_NO_PROCESS, NULL,
		    "a process that has ended is refused");
	recorded_create(&tree, 4242, "recorded");
	check_setup(!guardmaps_process_open(4242, tree.root, &process));
	check_error(guardmaps_install(process, map, false, &missing),
		    GUARDMAPS_ERROR_INVALID, "recorded",
		    "a recorded process is refused");
	check_number(missing, UNTOUCHED, "no count is made");
	guardmaps_process_close(process);
	recorded_destroy(&tree);
	guardmaps_map_destroy(map);
}

int main(void)
{
	check_begin();
	if (!kernel_has_guards())
		check_skip_all("this kernel has no guard regions");
	if (source_missing(GUARDMAPS_SOURCE_AUTO))
		check_skip_all(source_missing(GUARDMAPS_SOURCE_AUTO));
	if (under_valgrind())
		check_skip_all("valgrind hides the vDSO from its programs");
	counted_guards(1);
	counted_guards(3);
	counted_guards(5000);
	counted_guards(MAXIMUM_GUARDS);
	some_are_missing();
	extra_guards_stay();
	through_an_image();
	kinds_of_mappings();
	if (sysconf(_SC_PAGESIZE) == 4096)
		no_memory_is_refused();
	no_guards_is_nothing_to_do();
	other_program_is_refused();
	changed_mappings_are_refused();
	traced_is_refused();
	other_user_is_refused();
	stopped_stays_stopped();
	pending_signals_stay();
	if (under_valgrind()) {
		check_skip("valgrind runs programs in its own way",
			   "threads are as they were");
		return check_finish();
	}
	locked_mappings();
	waits_go_on();
	traps_are_kept();
	registers_are_kept();
	sequence_is_kept();
	filtered_process();
	dispatching_process();
	first_thread_has_ended();
	threads_come_and_go();
	signals_come_meanwhile();
	stop_that_comes_meanwhile();
	return check_finish();
}
