#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# guardmaps install FILE PID: restore the guards of an image in a process.

load helpers

# start_remover LAYOUT: a process that removes its guards on request. Sets
# TARGET_PID, TARGET_GUARDS, and ANSWERS, a descriptor.
start_remover() {
	local name=$BATS_TEST_TMPDIR/remover-${#started[@]} ready count

	mkfifo "$name.fifo"
	"$build/tests/remover" "$1" >"$name.fifo" 2>"$name.errors" 3>&- &
	TARGET_PARENT=$!
	started+=("$TARGET_PARENT")
	exec {ANSWERS}<"$name.fifo"
	rm "$name.fifo"
	if ! read -r -t "$patience" -u "$ANSWERS" ready TARGET_PID count; then
		give_up_target "$name"
		return
	fi
	TARGET_GUARDS=$name.guards
	# It says no more until it is asked: none of its answers can be among it.
	head -n "$count" <&"$ANSWERS" >"$TARGET_GUARDS"
	[ "$ready" = ready ]
}

# asks SIGNAL ANSWER
asks() {
	local answer

	kill "-$1" "$TARGET_PID"
	read -r -t "$patience" -u "$ANSWERS" answer
	same "$answer" "$2"
}

# A process without the guards that "image" has.
start_unguarded() {
	start_remover "$1"
	guardmaps save "$TARGET_PID" image
	asks USR1 removed
	has_no_guards
}

has_no_guards() {
	same "$(guardmaps -n -r -o START "$TARGET_PID" 2>/dev/null)" ""
}

# installs COUNT: reports it, prints nothing else, and the guards are there.
installs() {
	local regions="regions"

	[ "$1" -ne 1 ] || regions=region
	try guardmaps install image "$TARGET_PID"
	same "$status" 0
	same "$output" ""
	same "$stderr" "$TARGET_PID (remover): $1 guard $regions installed"
	has_guards_of_target
}

# ---- What it does ----------------------------------------------------------

@test "the guards of an image are restored, and raise SIGSEGV again" {
	for count in 1 3 5000; do
		start_unguarded "alternate:$count"
		asks USR2 "faults 0"
		installs "$count"
		asks USR2 "faults $count"
		stop_target "$TARGET_PID"
	done
}

@test "a restored process does not differ from the image" {
	start_unguarded files
	guardmaps diff image "$TARGET_PID" >/dev/null && return 1
	installs 4
	guardmaps diff image "$TARGET_PID"
}

@test "guards of threads, in files, in a memfd and in PROT_NONE memory are restored" {
	for layout in threads:3 files memfd prot-none boundary big kinds; do
		start_unguarded "$layout"
		installs "$(wc -l <"$TARGET_GUARDS")"
		stop_target "$TARGET_PID"
	done
}

@test "guards in locked mappings are restored, and the locks are kept" {
	start_unguarded mlocked
	local before
	before=$(grep -E '^(VmLck|VmFlags)' "/proc/$TARGET_PID/status" \
		"/proc/$TARGET_PID/smaps")
	[[ $before == *" lo"* ]]
	installs "$(wc -l <"$TARGET_GUARDS")"
	same "$(grep -E '^(VmLck|VmFlags)' "/proc/$TARGET_PID/status" \
		"/proc/$TARGET_PID/smaps")" "$before"
}

@test "if no guard is missing, none is installed" {
	start_remover alternate:7
	guardmaps save "$TARGET_PID" image
	installs 0
}

@test "an image without guards installs none" {
	start_remover none
	guardmaps save "$TARGET_PID" image 2>/dev/null
	try guardmaps install image "$TARGET_PID"
	same "$status" 0
	same "$output" ""
	same "$stderr" "$TARGET_PID (remover): 0 guard regions installed"
}

@test "the id of a thread stands for its process" {
	start_unguarded threads:3
	local tid
	tid=$(ls "/proc/$TARGET_PID/task" | tail -n 1)
	[ "$tid" != "$TARGET_PID" ]
	try guardmaps install image "$tid"
	same "$status" 0
	has_guards_of_target
}

@test "a stopped process stays stopped" {
	start_unguarded alternate:5
	kill -STOP "$TARGET_PID"
	await_state T
	installs 5
	await_state T
	kill -CONT "$TARGET_PID"
	asks USR2 "faults 5"
}

# ---- --dry-run -------------------------------------------------------------

@test "--dry-run reports what would be done and changes nothing" {
	for layout in alternate:1 alternate:100 files; do
		start_unguarded "$layout"
		local count regions=regions
		count=$(wc -l <"$TARGET_GUARDS")
		[ "$count" -ne 1 ] || regions=region
		try guardmaps install --dry-run image "$TARGET_PID"
		same "$status" 0
		same "$output" ""
		same "$stderr" "$TARGET_PID (remover): $count guard $regions would be installed"
		has_no_guards
		asks USR2 "faults 0"
		installs "$count"
		try guardmaps install --dry-run image "$TARGET_PID"
		same "$stderr" "$TARGET_PID (remover): 0 guard regions would be installed"
		stop_target "$TARGET_PID"
	done
}

# ---- What ends it ----------------------------------------------------------

@test "a signal that ends install does not end the process" {
	start_unguarded alternate:50000
	local began duration until
	began=$EPOCHREALTIME
	installs 50000
	duration=$((${EPOCHREALTIME/[.,]/} - ${began/[.,]/}))
	for i in {1..40}; do
		asks USR1 removed
		guardmaps install image "$TARGET_PID" 2>/dev/null 3>&- &
		local install=$!
		# At another moment of it each time.
		until=$((${EPOCHREALTIME/[.,]/} + duration * i / 40))
		while [ "${EPOCHREALTIME/[.,]/}" -lt "$until" ]; do :; done
		case $((i % 3)) in
		0) kill -INT "$install" 2>/dev/null || true ;;
		1) kill -TERM "$install" 2>/dev/null || true ;;
		2) kill -HUP "$install" 2>/dev/null || true ;;
		esac
		wait "$install" || true
		# It answers: it runs, and has its signal mask.
		asks USR2 "$(faults_now)"
		same "$(awk '/TracerPid/ { print $2 }' "/proc/$TARGET_PID/status")" 0
	done
	asks USR1 removed
	installs 50000
}

@test "SIGTERM ends an install that waits for a thread, after it has given the process back" {
	cat >program.c <<-'END'
		#include <pthread.h>
		#include <signal.h>
		#include <sys/mman.h>
		#include <unistd.h>
		static char *pages;
		static void *wait(void *argument)
		{
			if (vfork() == 0) {
				write(1, "removed\n", 8);
				for (;;)
					pause();
			}
			return argument;
		}
		int main(void)
		{
			pthread_t thread;
			pages = mmap(0, 8192, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			madvise(pages, 4096, 102);
			write(1, "ready\n", 6);
			read(0, pages + 4096, 1);
			madvise(pages, 4096, 103);
			pthread_create(&thread, 0, wait, 0);
			for (;;)
				pause();
		}
	END
	start_program -lpthread
	guardmaps install image "$TARGET_PID" 2>errors 3>&- &
	local install=$! status=0
	# It has stopped the other thread, and waits for the one in vfork().
	await_tracer
	kill -TERM "$install"
	wait "$install" || status=$?
	same "$status" 143
	same "$(cat errors)" "guardmaps: $TARGET_PID (program): interrupted"
	same "$(awk '/TracerPid/ { print $2 }' "/proc/$TARGET_PID/status")" 0
	pkill -KILL -P "$TARGET_PID"
}

await_tracer() {
	local deadline=$((SECONDS + patience))

	until grep -q '^TracerPid:[^0-9]*[1-9]' "/proc/$TARGET_PID/status"; do
		[ "$SECONDS" -le "$deadline" ] || return
	done
}

# Starts program.c, saves its image and lets it remove its guards.
start_program() {
	mkfifo in out
	gcc -w -D_GNU_SOURCE -o program program.c "$@" ||
		skip "needs gcc"
	local line to from
	./program <in >out 2>/dev/null 3>&- &
	TARGET_PID=$!
	started+=("$TARGET_PID")
	exec {to}>in {from}<out
	read -r -t "$patience" -u "$from" line
	same "$line" ready
	guardmaps save "$TARGET_PID" image
	echo >&"$to"
	read -r -t "$patience" -u "$from" line
	same "$line" removed
}

@test "if only some of the guards can be installed, the exit status is 1" {
	[[ $build != */sanitizers ]] || skip "AddressSanitizer must be loaded first"
	# To be preloaded: the second call that installs a guard cannot be made.
	cat >second.c <<-'END'
		#include <errno.h>
		#include <stdarg.h>
		#include <stdint.h>
		#include <sys/ptrace.h>
		#include <sys/syscall.h>
		#include <sys/uio.h>
		#include <unistd.h>
		long ptrace(enum __ptrace_request request, ...)
		{
			static int installed;
			va_list all;
			va_start(all, request);
			long pid = va_arg(all, long);
			void *address = va_arg(all, void *);
			struct iovec *data = va_arg(all, void *);
			va_end(all);
			if (request == PTRACE_SETREGSET)
				for (size_t i = 0; i < data->iov_len / 8; i++)
					if (((uint64_t *)data->iov_base)[i] == 102 &&
					    ++installed == 2)
						return errno = EIO, -1;
			return syscall(SYS_ptrace, request, pid, address, data);
		}
		/* Of calls that are made together it becomes another one. */
		ssize_t pwrite64(int fd, const void *bytes, size_t size, off_t offset)
		{
			static int installed;
			uint64_t *words = (uint64_t *)bytes;
			for (size_t i = 0; i < size / 8; i++)
				if (words[i] == ((uint64_t)SYS_madvise << 32 | 102) &&
				    ++installed == 2)
					words[i] |= 0xffff;
			return syscall(SYS_pwrite64, fd, bytes, size, offset);
		}
		ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
		{
			return pwrite64(fd, bytes, size, offset);
		}
	END
	gcc -w -D_GNU_SOURCE -fPIC -shared -o second.so second.c || skip "needs gcc"
	start_unguarded alternate:3
	LD_PRELOAD=$PWD/second.so try guardmaps install image "$TARGET_PID"
	same "$status" 1
	matches "$stderr" "guardmaps: $TARGET_PID \(remover\): .*(Input/output error|Invalid argument) \(1 of 3 guard regions were installed\)"
	same "$(guardmaps -n -r -o START "$TARGET_PID" | wc -l)" 1
}

# Some of the guards may be installed, but no others.
faults_now() {
	echo "faults $(guardmaps -n -r -o START "$TARGET_PID" 2>/dev/null | wc -l)"
}

# ---- What it refuses -------------------------------------------------------

@test "another program is refused" {
	start_remover alternate:3
	guardmaps save "$TARGET_PID" image
	start_target alternate:3
	refuses "$TARGET_PID (target): the guard map is of another program: $build/tests/remover, not $build/tests/target" \
		guardmaps install image "$TARGET_PID"
	has_guards_of_target
}

@test "another process of the same program is refused" {
	start_remover alternate:300
	guardmaps save "$TARGET_PID" image
	start_remover none
	try guardmaps install image "$TARGET_PID"
	same "$status" 2
	matches "$stderr" "guardmaps: $TARGET_PID \(remover\): the guard map is of another process or outdated: the mapping of 0x[0-9a-f]+-0x[0-9a-f]+ is different"
	has_no_guards
}

@test "another user's process is refused" {
	needs_two_users
	start_unguarded alternate:3
	chmod 644 image
	chmod 755 .
	try as_nobody guardmaps install "$PWD/image" "$TARGET_PID"
	same "$status" 2
	matches "$stderr" "guardmaps: .*(Operation not permitted|Permission denied).*"
	has_no_guards
}

@test "a process that is gone, a zombie and a kernel thread are refused" {
	start_unguarded alternate:3
	local gone
	gone=$(dead_pid)
	refuses "no process $gone (no /proc/$gone)" guardmaps install image "$gone"
	start_zombie
	try guardmaps install image "$ZOMBIE"
	same "$status" 2
	matches "$stderr" "guardmaps: $ZOMBIE \(.+\): a zombie has no memory"
	find_kernel_thread
	refuses "2 (kthreadd): a kernel thread has no memory of its own" \
		guardmaps install image "$KERNEL_THREAD"
}

@test "a process with a tracer is refused" {
	type -P strace >/dev/null || skip "needs strace"
	start_unguarded alternate:3
	start_group strace -o /dev/null -p "$TARGET_PID"
	await_tracer
	try guardmaps install image "$TARGET_PID"
	same "$status" 2
	matches "$stderr" "guardmaps: $TARGET_PID \(remover\): .*already being traced by [0-9]+\)"
	has_no_guards
}

# It has only the memory of its file, so that no 32-bit C library is needed.
build_32_bit_program() {
	cat >program.c <<-'END'
		static char block[8 * 4096] __attribute__((aligned(4096)));
		static long call(long number, long a, long b, long c)
		{
			long ret;
			__asm__ volatile("int $0x80" : "=a"(ret)
				: "0"(number), "b"(a), "c"(b), "d"(c) : "memory");
			return ret;
		}
		void _start(void)
		{
			block[0] = 1;
			if (call(219, (long)(block + 4096), 4096, 102))
				call(1, 1, 0, 0);
			call(4, 1, (long)"ready\n", 6);
			call(3, 0, (long)block, 1);
			call(219, (long)(block + 4096), 4096, 103);
			call(4, 1, (long)"removed\n", 8);
			for (;;)
				call(29, 0, 0, 0);
		}
	END
	gcc -m32 -nostdlib -static -ffreestanding -fno-pic -no-pie \
		-fno-stack-protector -O1 -o program program.c 2>errors ||
		skip "gcc -m32 does not work here"
}

@test "a 32-bit process is refused" {
	[ "$(uname -m)" = x86_64 ] || skip "written for x86-64"
	mkfifo in out
	build_32_bit_program
	local line to from
	./program <in >out 2>/dev/null 3>&- &
	TARGET_PID=$!
	started+=("$TARGET_PID")
	exec {to}>in {from}<out
	# A kernel without emulation cannot run it.
	read -r -t "$patience" -u "$from" line ||
		skip "32-bit programs do not run here"
	guardmaps save "$TARGET_PID" image
	same "$(guardmaps show -n -r -o PAGES image)" 1
	echo >&"$to"
	read -r -t "$patience" -u "$from" line
	same "$line" removed
	refuses "$TARGET_PID (program): cannot run system calls in it: 32-bit tasks are not supported" \
		guardmaps install image "$TARGET_PID"
	has_no_guards
	is_alive "$TARGET_PID"
}

@test "a file that is not an image is refused" {
	start_remover alternate:3
	echo "hello, world" >file
	refuses "cannot read file: not a guardmaps image" \
		guardmaps install file "$TARGET_PID"
	refuses "cannot open missing: No such file or directory" \
		guardmaps install missing "$TARGET_PID"
	has_guards_of_target
}

# ---- Usage -----------------------------------------------------------------

@test "install requires an image and a process, and refuses other options" {
	refuses "install requires FILE PID" guardmaps install
	refuses "install requires FILE PID" guardmaps install image
	refuses "too many arguments for install" guardmaps install image 1 2
	refuses "no process is named 'x'" guardmaps install image x
	refuses "--sysroot cannot be used with install" \
		guardmaps install --sysroot tree image 1
	refuses "--source cannot be used with install" \
		guardmaps install --source scan image 1
	refuses "--json cannot be used with install" \
		guardmaps install -J image 1
	refuses "--dry-run cannot be used with show" guardmaps show --dry-run image
}

@test "--help of install lists --dry-run" {
	try guardmaps install --help
	same "$status$stderr" 0
	matches "${lines[1]}" " guardmaps \[options\] install FILE PID"
	grep -q -- --dry-run <<<"$output"
}

# ---- An image by a stranger -------------------------------------------------

# forge PID SED GUARDS: an image of a process whose mappings are changed by a
# script of sed, and that has these guards.
forge() {
	rm -rf tree image
	record_process "$1" forged
	sed -E "$2" "/proc/$1/maps" | record "$1" maps
	printf '%s\n' "$3" | record "$1" guards
	guardmaps --sysroot tree save "$1" image
}

# permissions PID ADDRESS: those of the mapping that holds it.
permissions() {
	guardmaps explain -n -r -o PERM "$1" "$2"
}

@test "no image gives memory permissions that it did not have" {
	start_target prot-none
	local start end
	read -r start end <"$TARGET_GUARDS"
	same "$(permissions "$TARGET_PID" "$start")" ---p
	local mapping
	mapping=$(guardmaps -n -r -o MAPSTART,MAPEND "$TARGET_PID" | head -n 1)
	mapping=${mapping//0x/}
	cp "/proc/$TARGET_PID/maps" before
	forge "$TARGET_PID" "s/^(${mapping/ /-}) ---p/\1 rwxp/" \
		"${mapping/ /-} ---p 00000000 00:00 0"
	guardmaps install image "$TARGET_PID"
	cmp before "/proc/$TARGET_PID/maps"
	same "$(guardmaps -n -r -o START,END "$TARGET_PID" | head -n 1)" \
		"0x${mapping/ / 0x}"
}

@test "a PROT_NONE page gets the permissions of the mapping that it was split off" {
	start_target glibc-threads:1
	[ ! -s "$TARGET_GUARDS" ] || skip "the C library uses guard markers"
	local guard stack
	guard=$(guardmaps stacks -n -r -o GUARDSTART,STACK,STACKEND "$TARGET_PID" |
		sed -n '2{s/0x//g;p}')
	read -r start stack end <<<"$guard"
	for wanted in rwx rw-; do
		forge "$TARGET_PID" "/^$start-/d; s/^$stack-([0-9a-f]+) rw-p/$start-\1 ${wanted}p/" \
			"$start-$stack ---p 00000000 00:00 0"
		guardmaps install image "$TARGET_PID"
		same "$(guardmaps -n -r -o START,END "$TARGET_PID")" "0x$start 0x$stack"
		[ "$wanted" = rw- ] || same "$(permissions "$TARGET_PID" "$start")" ---p
		! grep -q rwx "/proc/$TARGET_PID/maps"
	done
	same "$(permissions "$TARGET_PID" "$start")" rw-p
}
