#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Output to pipes that are closed and disks that are full.

load helpers

# closes COMMAND...: print to a pipe that nobody reads. Sets status and stderr.
closes() {
	status=0
	{ timeout "$patience" "$@" 2>errors || echo "$?" >status; } | true
	[ ! -e status ] || status=$(<status)
	stderr=$(<errors)
	rm -f status errors
}

# Each prints more than fits into a pipe.
huge_calls() {
	start_target alternate:20000
	calls=("$TARGET_PID" "-J $TARGET_PID" "-r $TARGET_PID" "-P $TARGET_PID"
		"maps $TARGET_PID")
}

# ---- Pipes -----------------------------------------------------------------

@test "a reader that closes the pipe ends the command silently with SIGPIPE" {
	huge_calls
	for call in "${calls[@]}"; do
		closes env --default-signal=PIPE guardmaps $call
		same "$status" "$((128 + 13))"
		same "$stderr" ""
	done
}

@test "if SIGPIPE is ignored, a closed pipe is reported, exit 2" {
	huge_calls
	for call in "${calls[@]}"; do
		closes env --ignore-signal=PIPE guardmaps $call
		same "$status" 2
		same "$stderr" \
			"guardmaps: cannot write to standard output: Broken pipe"
	done
}

@test "a reader that closes the pipe early has read the beginning of the output" {
	huge_calls
	for call in "${calls[@]}"; do
		guardmaps $call >whole
		guardmaps $call | head -n 500 >part
		head -n 500 whole | cmp - part
	done
}

# ---- Full disks ------------------------------------------------------------

# to_full COMMAND...: exit 2, with only that message.
to_full() {
	local status=0

	timeout "$patience" "$@" >/dev/full 2>errors || status=$?
	same "$status $(grep -v 'no guard regions' errors)" \
		"2 guardmaps: cannot write to standard output: No space left on device"
}

@test "every command that prints reports a full disk, exit 2" {
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

@test "-a reports a full disk, exit 2" {
	status=0
	guardmaps -a >/dev/full 2>errors || status=$?
	same "$status" 2
	same "$(tail -n 1 errors)" \
		"guardmaps: cannot write to standard output: No space left on device"
}

@test "--version reports a full disk, exit 2" {
	to_full guardmaps --version
}

@test "a diff that could not be printed is an error, not a difference" {
	start_target none
	guardmaps save "$TARGET_PID" image
	start_target run:1
	to_full guardmaps diff image "$TARGET_PID"
}

@test "a disk that becomes full is reported, exit 2" {
	needs_mounts
	start_target alternate:20000
	in_mount_namespace sh -c 'mount -t tmpfs -o size=64k none /mnt
		guardmaps "$1" >/mnt/list 2>errors
		test $? -eq 2' sh "$TARGET_PID"
	same "$(<errors)" \
		"guardmaps: cannot write to standard output: No space left on device"
}

# ---- Closed from the start -------------------------------------------------

@test "a closed standard output is reported, exit 2" {
	start_target run:1
	for call in "$TARGET_PID" "-J $TARGET_PID" "maps $TARGET_PID" "check" "-a"; do
		status=0
		guardmaps $call >&- 2>errors || status=$?
		same "$status" 2
		same "$(tail -n 1 errors)" \
			"guardmaps: cannot write to standard output: Bad file descriptor"
	done
}

@test "commands that print nothing work without standard output" {
	start_target run:1
	guardmaps save "$TARGET_PID" image >&-
	guardmaps diff image "$TARGET_PID" >&-
	same "$(guardmaps show -n -r -o PAGES image)" 1
}

@test "an image is complete even if all standard streams are closed" {
	start_target none
	guardmaps save "$TARGET_PID" image <&- >&- 2>&- || true
	try guardmaps show image
	same "$status" 0
	same "$stderr" "$TARGET_PID (target): no guard regions"
}

# ---- Errors ----------------------------------------------------------------

@test "each error is a line on standard error that starts with the name of the command" {
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

@test "progress is shown only on a terminal" {
	try guardmaps -a
	[[ $stderr != *"#"* && $stderr != *$'\r'* ]]
}
