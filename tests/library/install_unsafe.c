/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Installing is refused, before anything is changed, where it would kill the
 * process, hang it or change another one. What is done in part is reported.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basics.h"
#include "check.h"
#include "child.h"
#include "kernel_abi.h"
#include "layout.h"
#include "needs.h"
#include "pid.h"
#include "pid_lines.h"
#include "sequence.h"
#include "trial.h"
#include "userfaultfd.h"

static void is_refused(struct trial *trial, enum guardmaps_error_code code,
		       const char *fragment, const char *what)
{
	size_t missing = UNTOUCHED_COUNT;

	check_error(install_map(trial->child.pid, trial->wanted, false,
				&missing),
		    code, fragment, "%s is refused", what);
	check_number(missing, UNTOUCHED_COUNT, "%s: nothing is counted", what);
	guards_are_still_out(trial, what);
	is_released(trial, what);
}

/* ---- userfaultfd -------------------------------------------------------- */

static void build_mapping(struct subject *subject, struct layout *layout)
{
	char *memory = map_memory(16 * page_size(), PROT_READ | PROT_WRITE);

	subject->address = (uintptr_t)memory;
	guard_alternate(subject, layout, memory, 8, false);
}

/* From now on nobody supplies pages that are missing in this memory. */
static void register_missing(struct subject *subject, const void *memory,
			     size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (uintptr_t)memory, size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	subject->fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (subject->fd < 0 || ioctl(subject->fd, UFFDIO_API, &api) ||
	    ioctl(subject->fd, UFFDIO_REGISTER, &range))
		subject->error = errno;
}

/* With missing pages, which a lock would fill; registered after the lock. */
static void lock_and_register(struct subject *subject)
{
	void *memory = (void *)(uintptr_t)subject->address;
	size_t size = 16 * page_size();

	lock_memory(memory, size, 0);
	register_missing(subject, memory, size);
}

static void userfaultfd_is_refused(void)
{
	const char *what = "a locked mapping registered with userfaultfd";
	struct trial trial;

	trial_begin(&trial, build_mapping, 0, lock_and_register);
	check_setup(notifies_in_time(&trial.child));
	if (trial.subject->error)
		check_skip("userfaultfd cannot be used", "%s is refused", what);
	else
		is_refused(&trial, GUARDMAPS_ERROR_INVALID,
			   "locked and registered with userfaultfd", what);
	trial_end(&trial);
}

/* ---- Write protection -------------------------------------------------- */

enum {
	PROTECTABLE = 16,
};

static const struct protection {
	const char *name;
	int flags;
	bool is_populated;
	/* Pages from the first one on that are not protected. */
	size_t free;
	bool is_refused;
} protections[] = {
	{ "shared memory that userfaultfd write-protects", MAP_SHARED, true, 0,
	  true },
	{ "the same without pages", MAP_SHARED, false, 0, true },
	{ "the same, the last two pages only", MAP_SHARED, true,
	  PROTECTABLE - 2, true },
	{ "shared memory that it does not write-protect yet", MAP_SHARED, true,
	  PROTECTABLE, false },
	{ "private memory that it write-protects", MAP_PRIVATE, true, 0,
	  false },
};

static void build_protectable(struct subject *subject, struct layout *layout)
{
	char *memory =
		mmap(NULL, PROTECTABLE * page_size(), PROT_READ | PROT_WRITE,
		     protections[subject->number].flags | MAP_ANONYMOUS, -1, 0);

	check_setup(memory != MAP_FAILED);
	subject->address = (uintptr_t)memory;
	guard_alternate(subject, layout, memory, PROTECTABLE / 2, false);
}

static bool write_protect(int fd, uint64_t start, uint64_t end)
{
	struct uffdio_writeprotect range = {
		.range = { start, end - start },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	return start == end || ioctl(fd, UFFDIO_WRITEPROTECT, &range) == 0;
}

static void register_and_protect(struct subject *subject)
{
	const struct protection *protection = &protections[subject->number];
	uint64_t start = subject->address, size = PROTECTABLE * page_size();
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP |
			    UFFD_FEATURE_WP_HUGETLBFS_SHMEM,
	};
	struct uffdio_register range = {
		.range = { start, size },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};

	if (protection->is_populated)
		memset((void *)(uintptr_t)start, 1, size);
	subject->fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (subject->fd < 0 || ioctl(subject->fd, UFFDIO_API, &api) ||
	    ioctl(subject->fd, UFFDIO_REGISTER, &range) ||
	    !write_protect(subject->fd, start + protection->free * page_size(),
			   start + size))
		subject->error = errno;
}

static void write_protection(size_t i)
{
	const char *what = protections[i].name;
	struct trial trial;

	trial_begin(&trial, build_protectable, i, register_and_protect);
	check_setup(notifies_in_time(&trial.child));
	if (trial.subject->error) {
		check_skip("userfaultfd cannot write-protect", "%s", what);
	} else if (protections[i].is_refused) {
		is_refused(&trial, GUARDMAPS_ERROR_INVALID,
			   "userfaultfd write-protects it", what);
	} else {
		puts_back(&trial, what);
		guards_are_back(&trial, what);
		is_released(&trial, what);
	}
	trial_end(&trial);
}

/* ---- rseq --------------------------------------------------------------- */

/* Once the first thread is asleep, and the kernel writes to its area no more. */
static void *lose_page(void *argument)
{
	struct subject *subject = argument;

	check_setup(pid_sleeps_in(getpid(), SYS_ppoll));
	if (madvise((void *)(uintptr_t)subject->address, page_size(),
		    MADV_DONTNEED))
		subject->error = errno;
	subject->go = 1;
	return NULL;
}

/* Without a guard: glibc 2.42 and later would install an additional one. */
static void start_thread(void *(*run)(void *), void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setguardsize(&attributes, 0);
	check_setup(pthread_create(&thread, &attributes, run, argument) == 0);
	pthread_attr_destroy(&attributes);
}

static void lose_rseq(struct subject *subject)
{
	void *page = map_memory(page_size(), PROT_READ | PROT_WRITE);

	subject->address = (uintptr_t)page;
	if (move_rseq(page))
		register_missing(subject, page, page_size());
	else
		subject->error = errno;
	if (subject->error)
		subject->go = 1;
	else
		start_thread(lose_page, subject);
	for (;;)
		syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
}

/* Reading its rseq area would wait for the page. */
static void lost_rseq_is_refused(void)
{
	const char *what = "a process whose rseq area userfaultfd holds back";
	struct trial trial;

	trial_begin(&trial, build_mapping, 0, lose_rseq);
	check_setup(becomes_set(&trial.subject->go));
	if (trial.subject->error)
		check_skip("rseq or userfaultfd cannot be used",
			   "%s is refused", what);
	else
		is_refused(&trial, GUARDMAPS_ERROR_UNSUPPORTED,
			   "its rseq area is not in memory", what);
	trial_end(&trial);
}

/* ---- seccomp ------------------------------------------------------------ */

static void filter_calls(struct subject *subject)
{
	static struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { LENGTH(filter), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		subject->error = errno;
}

/* As an ordinary user, in a child. It ends the child if something is wrong. */
static void install_under_filter(int line, void *argument)
{
	size_t missing = UNTOUCHED_COUNT;
	struct trial trial;

	(void)line;
	(void)argument;
	if (getuid() == 0)
		become_nobody();
	trial_begin(&trial, build_mapping, 0, filter_calls);
	check_setup(notifies_in_time(&trial.child));
	check_setup(trial.subject->error == 0);
	struct guardmaps_error *error =
		install_map(trial.child.pid, trial.wanted, false, &missing);
	check_setup(error != NULL &&
		    guardmaps_error_code(error) == GUARDMAPS_ERROR_PERMISSION);
	guardmaps_error_destroy(error);
	check_setup(missing == UNTOUCHED_COUNT);
	char *state = pid_status_line(trial.child.pid, "TracerPid:");
	check_setup(state != NULL);
	free(state);
	trial_end(&trial);
}

static void filters_are_refused(void)
{
	check(child_succeeds(install_under_filter, NULL),
	      "a process with a seccomp filter that an ordinary user cannot suspend is refused and lives on");
}

/* ---- The vDSO ----------------------------------------------------------- */

/* As a whole: it cannot be split. */
static int protect_mapping(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	int result = -1;
	char line[512];

	check_setup(maps != NULL);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, name) &&
		    sscanf(line, "%lx-%lx", &start, &end) == 2)
			result =
				mprotect((void *)start, end - start, PROT_READ);
	fclose(maps);
	return result;
}

static void protect_vdso(struct subject *subject)
{
	signal(SIGSEGV, exit);
	if (protect_mapping("[vdso]"))
		subject->error = errno;
}

static void vdso_is_refused(void)
{
	const char *what = "a process whose vDSO is not executable";
	struct trial trial;

	trial_begin(&trial, build_mapping, 0, protect_vdso);
	check_setup(notifies_in_time(&trial.child));
	check_setup(trial.subject->error == 0);
	char *before = pid_status_line(trial.child.pid, "SigCgt:");
	is_refused(&trial, GUARDMAPS_ERROR_UNSUPPORTED,
		   "its vDSO is not executable", what);
	char *after = pid_status_line(trial.child.pid, "SigCgt:");
	check_string(after, before, "%s: it keeps its handlers", what);
	free(before);
	free(after);
	trial_end(&trial);
}

/* ---- Another pid namespace ---------------------------------------------- */

struct stranger {
	pid_t pid;
	const struct guardmaps_map *map;
	volatile enum guardmaps_error_code code;
	volatile bool names_it;
};

static void install_from_inside(struct stranger *stranger)
{
	size_t missing;

	struct guardmaps_error *error =
		install_map(stranger->pid, stranger->map, false, &missing);
	if (!error)
		return;
	stranger->code = guardmaps_error_code(error);
	stranger->names_it = strstr(guardmaps_error_message(error),
				    "another pid namespace") != NULL;
	guardmaps_error_destroy(error);
}

static void install_from_namespace(int line, void *argument)
{
	(void)line;
	check_setup(unshare(CLONE_NEWPID) == 0);
	/* Not a child of the usual form, which looks for its parent by pid. */
	pid_t pid = fork();
	if (pid == 0) {
		install_from_inside(argument);
		_exit(0);
	}
	check_setup(pid > 0 && waitpid(pid, NULL, 0) == pid);
}

static void namespace_is_refused(void)
{
	const char *what =
		"a process that /proc shows of another pid namespace";
	struct stranger *stranger = shared_memory(sizeof(*stranger));
	struct trial trial;

	if (!has_capability(CAPABILITY_SYS_ADMIN)) {
		check_skip("needs CAP_SYS_ADMIN", "%s is refused", what);
		munmap(stranger, sizeof(*stranger));
		return;
	}
	trial_begin(&trial, build_mapping, 0, NULL);
	*stranger = (struct stranger){ .pid = trial.child.pid,
				       .map = trial.wanted };
	child_run(install_from_namespace, stranger);
	check_string(error_code_name(stranger->code), "INVALID",
		     "%s is refused", what);
	check(stranger->names_it, "%s: the message says so", what);
	guards_are_still_out(&trial, what);
	trial_end(&trial);
	munmap(stranger, sizeof(*stranger));
}

/* ---- Permissions -------------------------------------------------------- */

static void shut_mapping(struct subject *subject)
{
	if (mprotect((void *)(uintptr_t)subject->address, 16 * page_size(),
		     PROT_NONE))
		subject->error = errno;
}

/* Whatever the guard map says, which may be from an image. */
static void permissions_are_kept(void)
{
	const char *what = "a mapping that has become PROT_NONE";
	struct trial trial;

	trial_begin(&trial, build_mapping, 0, shut_mapping);
	check_setup(notifies_in_time(&trial.child));
	check_setup(trial.subject->error == 0);
	puts_back(&trial, what);
	guards_are_back(&trial, what);
	char *maps = pid_read(trial.child.pid, "maps");
	char *line = format_string(
		"\n%jx-%jx ---p ", (uintmax_t)trial.subject->address,
		(uintmax_t)trial.subject->address + 16 * page_size());
	check(maps && strstr(maps, line), "%s: its permissions are unchanged",
	      what);
	free(line);
	free(maps);
	trial_end(&trial);
}

/* ---- A part ------------------------------------------------------------- */

static void build_two(struct subject *subject, struct layout *layout)
{
	size_t page = page_size();
	char *memory = map_memory(5 * page, PROT_READ | PROT_WRITE);

	(void)subject;
	munmap(memory + 2 * page, page);
	install_guard(layout, memory, page);
	install_guard(layout, memory + 3 * page, page);
}

/* How many guards are installed until one fails; 0 for no failure. */
static unsigned int guards_left;

/* Whether registers have the arguments of a call that installs one. */
static bool installs_guard(const struct iovec *registers)
{
	const uint64_t *values = registers->iov_base;

	for (size_t i = 0; i < registers->iov_len / sizeof(*values); i++)
		if (values[i] == MADV_GUARD_INSTALL)
			return true;
	return false;
}

/* Replaces the C library's, also in the library that is tested. */
long ptrace(enum __ptrace_request request, ...)
{
	va_list arguments;

	va_start(arguments, request);
	pid_t tid = va_arg(arguments, pid_t);
	void *address = va_arg(arguments, void *);
	void *data = va_arg(arguments, void *);
	va_end(arguments);
	if (request == PTRACE_SETREGSET && guards_left > 0 &&
	    installs_guard(data) && --guards_left == 0) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_ptrace, request, tid, address, data);
}

/* The same for calls that are made together: the last becomes another one. */
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	const uint64_t install = (uint64_t)SYS_madvise << 32 |
				 MADV_GUARD_INSTALL;
	uint64_t words[512];

	if (size > sizeof(words))
		return syscall(SYS_pwrite64, fd, bytes, size, offset);
	memcpy(words, bytes, size);
	for (size_t i = 0; i < size / sizeof(*words); i++)
		if (words[i] == install && guards_left > 0 &&
		    --guards_left == 0)
			words[i] = (uint64_t)SYS_madvise << 32 | 0xffff;
	return syscall(SYS_pwrite64, fd, words, size, offset);
}

static void part_is_counted(void)
{
	const char *what = "a process that takes only one of two guards";
	size_t count = UNTOUCHED_COUNT;
	struct trial trial;

	trial_begin(&trial, build_two, 0, NULL);
	guards_left = 2;
	check_error(install_map(trial.child.pid, trial.wanted, false, &count),
		    GUARDMAPS_ERROR_OS, "(1 of 2 guard regions were installed)",
		    "%s: the message counts them", what);
	guards_left = 0;
	check_number(count, 1, "%s: so does the result", what);
	guards_are(&trial, trial.subject->guards, 1, what);
	is_released(&trial, what);
	trial_end(&trial);
}

int main(void)
{
	check_begin();
	needs_vdso();
	userfaultfd_is_refused();
	for (size_t i = 0; i < LENGTH(protections); i++)
		write_protection(i);
	lost_rseq_is_refused();
	filters_are_refused();
	vdso_is_refused();
	namespace_is_refused();
	permissions_are_kept();
	part_is_counted();
	return check_finish();
}
