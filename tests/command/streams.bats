#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Where the output goes: pipes that close, disks that are full.

load helpers

# closes COMMAND...: into a pipe that nobody reads. Sets status and stderr.
closes() {
	status=0
	{ timeout "$patience" "$@" 2>errors || echo "$?" >status; } | true
	[ ! -e status ] || status=$(<status)
	stderr=$(<errors)
	rm -f status errors
}

# Each prints more than a pipe holds.
huge_calls() {
	start_target alternate:20000
	calls=("$TARGET_PID" "-J $TARGET_PID" "-r $TARGET_PID" "-P $TARGET_PID"
		"maps $TARGET_PID")
}

# ---- Pipes -----------------------------------------------------------------

@test "a reader that leaves ends the command by SIGPIPE, without a word" {
	huge_calls
	for call in "${calls[@]}"; do
		closes env --default-signal=PIPE guardmaps $call
		same "$status" "$((128 + 13))"
		same "$stderr" ""
	done
}

@test "where SIGPIPE is ignored, a reader that leaves is told, exit 2" {
	huge_calls
	for call in "${calls[@]}"; do
		closes env --ignore-signal=PIPE guardmaps $call
		same "$status" 2
		same "$stderr" \
			"guardmaps: cannot write to standard output: Broken pipe"
	done
}

@test "what a reader took before it left is the beginning of the whole" {
	huge_calls
	for call in "${calls[@]}"; do
		guardmaps $call >whole
		guardmaps $call | head -n 500 >part
		head -n 500 whole | cmp - part
	done
}

# ---- Full disks ------------------------------------------------------------

# to_full COMMAND...: exit 2, and nothing but that message.
to_full() {
	local status=0

	timeout "$patience" "$@" >/dev/full 2>errors || status=$?
	same "$status $(grep -v 'no guard regions' errors)" \
		"2 guardmaps: cannot write to standard output: No space left on device"
}

@test "a full disk is told by every command that prints, exit 2" {
	huge_calls
	for call in "${calls[@]}"; do
		to_full guardmaps $call
	done
	start_target none
	guardmaps save "$TARGET_PID" image
	to_full guardmaps "$TARGET_PID"
	to_full guardmaps -J "$TARGET_PID"
	to_full guardmaps maps "$TARGET_PID"
	to_full guardmaps stacks "$TARGET_PID"
	to_full guardmaps explain "$TARGET_PID" 0
	to_full guardmaps show image
	to_full guardmaps diff -J image image
	to_full guardmaps check
	to_full guardmaps --help
	to_full guardmaps stacks --help
}

@test "a full disk is told by -a, exit 2" {
	status=0
	guardmaps -a >/dev/full 2>errors || status=$?
	same "$status" 2
	same "$(tail -n 1 errors)" \
		"guardmaps: cannot write to standard output: No space left on device"
}

@test "a full disk is told by --version, exit 2" {
	to_full guardmaps --version
}

@test "a differing diff that could not be printed is trouble, not a difference" {
	start_target none
	guardmaps save "$TARGET_PID" image
	start_target run:1
	to_full guardmaps diff image "$TARGET_PID"
}

@test "a disk that is full from some point on is told, exit 2" {
	needs_mounts
	start_target alternate:20000
	in_mount_namespace sh -c 'mount -t tmpfs -o size=64k none /mnt
		guardmaps "$1" >/mnt/list 2>errors
		test $? -eq 2' sh "$TARGET_PID"
	same "$(<errors)" \
		"guardmaps: cannot write to standard output: No space left on device"
}

# ---- Closed from the start -------------------------------------------------

@test "a closed standard output is told, exit 2" {
	start_target run:1
	for call in "$TARGET_PID" "-J $TARGET_PID" "maps $TARGET_PID" "check" "-a"; do
		status=0
		guardmaps $call >&- 2>errors || status=$?
		same "$status" 2
		same "$(tail -n 1 errors)" \
			"guardmaps: cannot write to standard output: Bad file descriptor"
	done
}

@test "what needs no standard output does not miss it" {
	start_target run:1
	guardmaps save "$TARGET_PID" image >&-
	guardmaps diff image "$TARGET_PID" >&-
	same "$(guardmaps show -n -r -o PAGES image)" 1
}

@test "an image is whole though all standard streams were closed" {
	start_target none
	guardmaps save "$TARGET_PID" image <&- >&- 2>&- || true
	try guardmaps show image
	same "$status" 0
	same "$stderr" "$TARGET_PID (target): no guard regions"
}

# ---- Errors ----------------------------------------------------------------

@test "errors go to standard error, one line each, after the name of the command" {
	start_target run:1
	local gone
	gone=$(dead_pid)
	try guardmaps "$gone" "$TARGET_PID" "$gone"
	same "$status" 1
	same "$stderr" "\
guardmaps: no process $gone (no /proc/$gone)
guardmaps: no process $gone (no /proc/$gone)"
	[[ $output != *"no process"* ]]
}

@test "there is no progress to see but on a terminal" {
	try guardmaps -a
	[[ $stderr != *"#"* && $stderr != *$'\r'* ]]
}
