#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each allocation of each command fails once: the command then says so, or prints
# what it prints otherwise. It never crashes, and leaves nothing out in silence.

load helpers

# with_failing [VARIABLE=VALUE...] COMMAND...: it may need no memory of its own.
with_failing() {
	env LD_PRELOAD="$build/tests/failing.so" "$@"
}

needs_preload() {
	[[ $build != */sanitizers ]] || skip "sanitizers have their own malloc()"
	[ -e "$build/tests/failing.so" ] || skip "failing.so is not built"
}

record_threads() {
	record_process 100 recorded
	record_thread 100 101 other
	echo 0 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffd00020000 0x1234 |
		record 100 task/100/syscall
	record 100 maps <<-'END'
		00400000-00401000 r-xp 00000000 08:01 1234 /usr/bin/prog
		7f0000040000-7f0000050000 rw-p 00000000 00:00 0 [anon: glibc: pthread stack: 101]
		7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0 [stack]
	END
	record 100 guards <<-'END'
		00400000-00401000 ---p 00000000 08:01 1234 /usr/bin/prog
		7f0000040000-7f0000041000 ---p 00000000 00:00 0
		7ffd00001000-7ffd00002000 ---p 00000000 00:00 0
	END
	cp -r tree/proc/100 tree/proc/102
	record_process 102 copy
}

# survives COMMAND...: the command prints the same, or fails with a message.
survives() {
	local status=0 all

	guardmaps "$@" >expected 2>/dev/null || status=$?
	local expected=$status
	FAIL_COUNT=count with_failing guardmaps "$@" >/dev/null 2>&1 || true
	all=$(<count)
	[ "$all" -gt 3 ]
	for ((at = 1; at <= all; at++)); do
		status=0
		FAIL_AT=$at with_failing guardmaps "$@" >printed 2>errors || status=$?
		if [ "$status" -eq "$expected" ] && [ ! -s errors ]; then
			cmp printed expected && continue
		elif [ "$status" -eq "$expected" ] && grep -q 'no guard regions' errors; then
			cmp printed expected && continue
		elif [ "$status" -eq 1 ] || [ "$status" -eq 2 ]; then
			grep -qi 'memory' errors && continue
		fi
		echo "$*: allocation $at of $all failed: status $status" >&2
		cat errors printed >&2
		return 1
	done
	# And where there is none at all any more.
	for ((at = 1; at <= all; at += all / 10 + 1)); do
		status=0
		FAIL_AT=$at FAIL_ALL=1 with_failing guardmaps "$@" >printed 2>errors ||
			status=$?
		[ "$status" -le 2 ] && { [ -s errors ] || cmp printed expected; } ||
			return
	done
}

@test "commands that read processes survive the failure of each allocation" {
	needs_preload
	record_threads
	survives --sysroot tree 100 102
	survives --sysroot tree recorded
	survives --sysroot tree maps '/^(rec)/'
	survives --sysroot tree -J -o +COMMAND,TID 100
	survives --sysroot tree -r 100
	survives --sysroot tree --sort SIZE:desc 100 102
	survives --sysroot tree -a --sort COMMAND
	survives --sysroot tree -P 100
	survives --sysroot tree -a
	echo '0::/user.slice/user@1.service/a.service' | record 100 cgroup
	survives --sysroot tree -a -o +UUNIT,CGROUP
	survives --sysroot tree maps 100
	survives --sysroot tree stacks 100 102
	survives --sysroot tree stacks -J 100
	survives --sysroot tree explain 100 400000 1 7f0000040000
	survives --sysroot tree explain -J 100 400000
}

@test "commands that read live processes survive the failure of each allocation" {
	needs_preload
	start_target threads:3
	survives "$TARGET_PID"
	survives -J "$TARGET_PID"
	survives maps "$TARGET_PID"
	survives stacks -o TID,NAME,STACK,SIZE,GUARD "$TARGET_PID"
	for source in $(known_sources); do
		survives --source "$source" "$TARGET_PID"
	done
}

@test "commands that read images survive the failure of each allocation" {
	needs_preload
	record_threads
	guardmaps --sysroot tree save 100 image
	echo '00400000-00401000 ---p 00000000 08:01 1234 /usr/bin/prog' |
		record 102 guards
	survives show image
	survives show -J image
	survives --sysroot tree diff image 102
	survives --sysroot tree save 100 -
}

@test "save keeps the old image whatever allocation fails" {
	needs_preload
	record_threads
	guardmaps --sysroot tree save 100 new
	FAIL_COUNT=count with_failing guardmaps --sysroot tree save 100 image
	for ((at = 1; at <= $(<count); at++)); do
		echo old >image
		if FAIL_AT=$at with_failing guardmaps --sysroot tree save 100 image 2>errors; then
			cmp image new
		else
			same "$(<image)" old
			grep -qi memory errors
		fi
	done
	same "$(find . -name '.guardmaps-*')" ""
}

@test "check survives the failure of each allocation" {
	needs_preload
	FAIL_COUNT=count with_failing guardmaps check >/dev/null || true
	for ((at = 1; at <= $(<count); at++)); do
		local status=0
		FAIL_AT=$at with_failing guardmaps check -J >json 2>errors || status=$?
		[ "$status" -le 2 ]
		[ "$status" -eq 2 ] || is_json json
		[ "$status" -ne 2 ] || [ -s errors ]
	done
}

# Set TARGET_PID to a process that removes its guards when it gets SIGUSR1.
start_unguarded() {
	local ready

	mkfifo remover.fifo
	"$build/tests/remover" alternate:10 >remover.fifo 2>/dev/null 3>&- &
	started+=("$!")
	exec {answers}<remover.fifo
	rm remover.fifo
	read -r -t "$patience" -u "$answers" ready TARGET_PID count
	started+=("$TARGET_PID")
	head -n "$count" <&"$answers" >guards
	guardmaps save "$TARGET_PID" image
	remove_guards
}

remove_guards() {
	local answer

	kill -USR1 "$TARGET_PID"
	read -r -t "$patience" -u "$answers" answer
	same "$answer" removed
}

@test "install survives the failure of each allocation, and so does the process" {
	needs_preload
	start_unguarded
	FAIL_COUNT=count with_failing guardmaps install image "$TARGET_PID"
	for ((at = 1; at <= $(<count); at++)); do
		local status=0
		remove_guards
		timeout "$patience" env LD_PRELOAD="$build/tests/failing.so" FAIL_AT=$at \
			guardmaps install image "$TARGET_PID" 2>errors || status=$?
		[ "$status" -le 2 ] && [ -s errors ]
		is_alive "$TARGET_PID"
		same "$(sed -n 's/^TracerPid:\t//p' "/proc/$TARGET_PID/status")" 0
		[ "$status" -ne 0 ] ||
			guardmaps -n -r -o START,END "$TARGET_PID" | cmp - guards
		[ "$status" -eq 0 ] || grep -qi memory errors || {
			echo "allocation $at failed: status $status" >&2
			cat errors >&2
			return 1
		}
	done
}
