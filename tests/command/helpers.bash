# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Shared by the tests of the command. A test starts targets, runs the command as
# a user would, and compares its output with what the targets report.
#
# GUARDMAPS_BUILD is the directory that holds guardmaps and tests/target,
# GUARDMAPS_PATIENCE how many seconds to wait, for slow machines.

bats_require_minimum_version 1.5.0

build=$(cd "${GUARDMAPS_BUILD:-$BATS_TEST_DIRNAME/../../build}" && pwd)
PATH=$build:$PATH

# Owner of processes of another user.
nobody=65534

# Timeout in seconds for anything that should be quick.
patience=${GUARDMAPS_PATIENCE:-60}

setup() {
	started=()
	started_groups=()
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	stop_targets
}

# ---- Targets ---------------------------------------------------------------

# start_target LAYOUT [OPTION...]: start a target and wait until it is ready. Sets
# TARGET_PID, and TARGET_GUARDS to a file with a line START END for each of its
# guard regions.
start_target() {
	start_target_by "" "$@"
}

# The same as another user.
start_target_as_nobody() {
	start_target_by as_nobody "$@"
}

start_target_by() {
	local runner=$1 layout=$2
	local name=$BATS_TEST_TMPDIR/target-${#started[@]}
	local channel ready count

	mkfifo "$name.fifo"
	$runner "$build/tests/target" --guards "${@:3}" "$layout" \
		>"$name.fifo" 2>"$name.errors" 3>&- &
	TARGET_PARENT=$!
	started+=("$TARGET_PARENT")
	exec {channel}<"$name.fifo"
	rm "$name.fifo"
	if ! read -r -t "$patience" -u "$channel" ready TARGET_PID count; then
		exec {channel}<&-
		give_up_target "$name"
		return
	fi
	started+=("$TARGET_PID")
	TARGET_GUARDS=$name.guards
	head -n "$count" <&"$channel" >"$TARGET_GUARDS"
	exec {channel}<&-
	[ "$ready" = ready ]
	await_state S
}

# await_state STATE: wait until the first thread of the target is in this state.
# After it has printed what it has, a target is still on its way to sleep.
await_state() {
	local deadline=$((SECONDS + patience))

	until is_in_state "$TARGET_PID" "$1"; do
		if [ "$SECONDS" -gt "$deadline" ]; then
			echo "process $TARGET_PID does not reach state $1" >&2
			return 1
		fi
	done
}

# A target exits with 77 if the kernel lacks a feature that it needs.
give_up_target() {
	local status=0

	wait "$TARGET_PARENT" || status=$?
	if [ "$status" -eq 77 ]; then
		skip "$(<"$1.errors")"
	fi
	cat "$1.errors" >&2
	return 1
}

# Stop a target before the test ends.
stop_target() {
	kill -KILL "$1"
	wait "$1" || true
}

# is_in_state PID STATE: of these letters, as in proc_pid_stat(5).
is_in_state() {
	local state=""

	# To its end: its name may have lines.
	{ read -r -d "" state <"/proc/$1/stat"; } 2>/dev/null || true
	[ -n "$state" ] || return
	state=${state##*) }
	[[ $state == [$2]* ]]
}

is_alive() {
	is_in_state "$1" '!ZX'
}

# A killed process is normally gone long before SECONDS changes.
wait_until_gone() {
	local deadline=$((SECONDS + patience))

	while is_alive "$1"; do
		if [ "$SECONDS" -gt "$deadline" ]; then
			echo "process $1 did not end" >&2
			return 1
		fi
	done
}

# start_group COMMAND...: start a command in the background, in a session of its
# own that is stopped as a whole.
start_group() {
	setsid "$@" >/dev/null 2>&1 3>&- &
	started_groups+=("$!")
}

stop_group() {
	local deadline=$((SECONDS + patience))

	kill -KILL "$1" "-$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
	while ps --no-headers -s "$1" -o stat= | grep -qv '^Z'; do
		if [ "$SECONDS" -gt "$deadline" ]; then
			echo "processes of session $1 did not end" >&2
			return 1
		fi
	done
}

stop_targets() {
	local pid

	for pid in "${started_groups[@]}"; do
		stop_group "$pid" || return
	done
	started_groups=()
	for pid in "${started[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	for pid in "${started[@]}"; do
		wait "$pid" 2>/dev/null || true
		wait_until_gone "$pid" || return
	done
	started=()
}

# The id of a process that has ended.
dead_pid() {
	sh -c 'echo $$'
}

# ---- Processes without memory ----------------------------------------------

# Set ZOMBIE to the id of a process that has ended and is not waited for.
start_zombie() {
	local channel

	# The child ends when its parent has become a program that does not wait for it.
	mkfifo zombie.fifo
	sh -c 'sh -c "until grep -qx sleep /proc/\$PPID/comm; do
			[ -e /proc/\$PPID ] || exit
		done" &
		echo $!
		exec sleep infinity' >zombie.fifo 2>/dev/null 3>&- &
	started+=("$!")
	exec {channel}<zombie.fifo
	read -r -t "$patience" -u "$channel" ZOMBIE
	exec {channel}<&-
	wait_until_gone "$ZOMBIE"
	[ -e "/proc/$ZOMBIE" ]
}

# Set KERNEL_THREAD. Process 2 is kthreadd, except in a container.
find_kernel_thread() {
	KERNEL_THREAD=2
	[[ $(cat /proc/2/comm 2>/dev/null) == kthreadd ]] ||
		skip "kernel threads are not visible here"
}

# ---- Users and mounts ------------------------------------------------------

as_nobody() {
	setpriv --reuid="$nobody" --regid="$nobody" --clear-groups "$@"
}

needs_root() {
	[ "$(id -u)" -eq 0 ] || skip "needs root"
}

needs_two_users() {
	needs_root
	as_nobody test -x "$build/guardmaps" ||
		skip "another user cannot reach $build"
}

needs_mounts() {
	unshare --mount --propagation private mount -t tmpfs none /mnt ||
		skip "needs a mount namespace"
}

in_mount_namespace() {
	unshare --mount --propagation private "$@"
}

# ---- Running ---------------------------------------------------------------

# Run a command and set $status, $output and $stderr. It may start with as_nobody
# or in_mount_namespace.
try() {
	local runner=""

	if [ "$(type -t "$1")" = function ]; then
		runner=$1
		shift
	fi
	run --separate-stderr $runner timeout "$patience" "$@"
}

# refuses MESSAGE COMMAND...: exit 2, no output, and the message in the first line
# of standard error. Only a reference to --help may follow it.
refuses() {
	local message=$1

	shift
	try "$@"
	same "$status" 2
	same "$output" ""
	same "${stderr_lines[0]}" "guardmaps: $message"
	[ "${#stderr_lines[@]}" -eq 1 ] ||
		same "${stderr_lines[*]:1}" \
			"Try 'guardmaps --help' for more information."
}

# same ACTUAL EXPECTED: fail and show the difference unless they are equal.
same() {
	[ "$1" = "$2" ] || {
		diff -u --label actual --label expected \
			<(printf '%s\n' "$1") <(printf '%s\n' "$2") >&2
		return 1
	}
}

# matches TEXT PATTERN: all of the text must match an extended regular expression.
matches() {
	[[ $1 =~ ^($2)$ ]] || {
		printf 'actual: %s\nexpected: %s\n' "$1" "$2" >&2
		return 1
	}
}

# Extract fields from the JSON output.
json() {
	jq -r "$@" <<<"$output"
}

# JSON must be UTF-8, which jq does not check.
is_json() {
	iconv -f UTF-8 -t UTF-8 "$1" >/dev/null && jq -e . "$1" >/dev/null
}

# The sources that work on this machine.
known_sources() {
	guardmaps check -J | jq -r '.checks[]
		| select(.status == "yes") | .item
		| select(startswith("source ")) | ltrimstr("source ")'
}

# has_guards_of_target: list shows all guards of the target, and no others.
has_guards_of_target() {
	diff -u "$TARGET_GUARDS" \
		<(guardmaps --noheadings --raw --output START,END \
			${1:+--source "$1"} "$TARGET_PID") >&2
}

# ---- Crashes ---------------------------------------------------------------

# Its holder alone may change where core files go.
core_pattern_lock=/run/lock/guardmaps-core-pattern

# with_core_pattern COMMAND...: run it in this process while core_pattern is "core".
# The lock is released when it has been dumped.
with_core_pattern() {
	local lock

	# Root can always lock it then.
	[ "$(id -u)" -ne 0 ] || : 2>/dev/null >>"$core_pattern_lock" || true
	if [ -r "$core_pattern_lock" ]; then
		exec {lock}<"$core_pattern_lock"
		flock -s "$lock" || exit
	fi
	[ "$(</proc/sys/kernel/core_pattern)" = core ] || exit 77
	ulimit -c unlimited || exit
	exec "$@"
}

# crash KIND [PROGRAM]: crash in that way, which leaves a file core. Sets PROCESS,
# THREAD, ADDRESS and ENTERED to what the program has said before.
crash() {
	needs_codes
	rm -f core core.*
	(with_core_pattern "${2-$build/tests/crash}" "$1") >facts 2>errors ||
		[ $? -ne 77 ] || skip_core_pattern
	find_core
}

# innermost_child PID: the last child of its last child, and so on.
innermost_child() {
	local pid=$1 children

	while children=$(<"/proc/$pid/task/$pid/children") &&
		[ -n "$children" ]; do
		pid=$(xargs -n 1 <<<"$children" | tail -n 1)
	done
	echo "$pid"
}

# crash_saved KIND [PROGRAM]: the same, with an image that was saved before.
crash_saved() {
	local hold

	needs_codes
	rm -f core core.*
	mkfifo go
	exec {hold}<>go
	(with_core_pattern "${2-$build/tests/crash}" "$1" wait) >facts 2>errors <go 3>&- &
	started+=("$!")
	until grep -q ^ready facts; do
		is_alive "$!" || skip_core_pattern
	done
	guardmaps save "$(innermost_child "$!")" image
	echo >&"$hold"
	wait "$!" || true
	exec {hold}>&-
	find_core
}

# arch/um/kernel/trap.c
needs_codes() {
	! grep -q "User Mode Linux" /proc/cpuinfo ||
		skip "User-Mode Linux reports other codes for the same accesses"
}

skip_core_pattern() {
	skip "core_pattern is not core: $(</proc/sys/kernel/core_pattern)"
}

find_core() {
	local name value

	ADDRESS="" ENTERED=""
	while IFS== read -r name value; do
		case $name in
		pid) PROCESS=$value ;;
		thread) THREAD=$value ;;
		address) ADDRESS=$value ;;
		entered) ENTERED=$value ;;
		esac
	done <facts
	# core_uses_pid
	[ -e core ] || mv "core.$PROCESS" core
}

# What guards the stacks of this C library's threads: a guard or PROT_NONE.
stack_guard() {
	start_target glibc-threads:1
	if [ -s "$TARGET_GUARDS" ]; then
		echo guard
	else
		echo PROT_NONE
	fi
}

# ---- Recorded trees --------------------------------------------------------

# record PID FILE: copy standard input to a file of a process in the tree "tree".
record() {
	mkdir -p "$(dirname "tree/proc/$1/$2")"
	cat >"tree/proc/$1/$2"
}

# The minimal files of a process.
record_process() {
	echo "$2" | record "$1" comm
	record_thread "$1" "$1" "$2"
}

record_thread() {
	echo "$3" | record "$1" "task/$2/comm"
}

# Entries of pagemap as root sees them, in hexadecimal.
readonly pagemap_present=8100000000000001
readonly pagemap_guard=440000000000009f
readonly pagemap_guard_hidden=4400000000000000
readonly pagemap_old_guard=400000000000009f
readonly pagemap_uffd_wp=420000000000003f
readonly pagemap_poison=400000000000005f

# record_page PID ADDRESS ENTRY: set an entry of a recorded pagemap.
record_page() {
	local entry=$3 bytes="" i

	for ((i = 14; i >= 0; i -= 2)); do
		bytes+="\\x${entry:i:2}"
	done
	mkdir -p "tree/proc/$1"
	printf '%b' "$bytes" | dd of="tree/proc/$1/pagemap" bs=8 \
		seek=$(($2 / 4096)) conv=notrunc status=none
}

# record_pagemap_end PID ADDRESS: extend a recorded pagemap to this address.
record_pagemap_end() {
	mkdir -p "tree/proc/$1"
	truncate --size=$(($2 / 4096 * 8)) "tree/proc/$1/pagemap"
}
