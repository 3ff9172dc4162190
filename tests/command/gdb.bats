#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# gdb/guardmaps.py: info guards, explain-fault, and the line that comes unasked.

load helpers

source=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)

setup() {
	started=()
	started_groups=()
	cd "$BATS_TEST_TMPDIR" || return
	gdb -nx -batch -ex "python pass" >/dev/null 2>&1 ||
		skip "needs gdb with Python"
	use_command "$build/guardmaps" "$patience"
}

# use_command COMMAND [TIMEOUT]: gdb is to run this for guardmaps.
use_command() {
	cat >load.gdb <<-END
		set width 0
		set pagination off
		set confirm off
		set style enabled off
		source $source/gdb/guardmaps.py
		set guardmaps command $1
		set guardmaps timeout ${2-$patience}
	END
}

# gdb_with ARGUMENT...: gdb with these commands, without what the user has.
gdb_with() {
	try env -u DEBUGINFOD_URLS HOME="$BATS_TEST_TMPDIR" \
		gdb -q -nx -x load.gdb "$@"
}

# live KIND [COMMAND...]: let a program crash in gdb, and then run the commands.
# Sets THREAD, ADDRESS and ENTERED.
live() {
	local kind=$1 commands=() one

	shift
	for one; do
		commands+=(-ex "$one")
	done
	gdb_with -batch -ex run "${commands[@]}" --args "$build/tests/crash" "$kind" \
		</dev/null
	THREAD=$(said thread)
	ADDRESS=$(said address)
	ENTERED=$(said entered)
}

said() {
	sed -n "s/^$1=//p" <<<"$output" | tail -n 1
}

# on_core COMMAND...: run these in gdb on the file core.
on_core() {
	local commands=() one

	for one; do
		commands+=(-ex "$one")
	done
	gdb_with -batch "${commands[@]}" "$build/tests/crash" -c core </dev/null
}

# interactive TEXT ARGUMENT...: gdb with this as what its user enters.
interactive() {
	printf '%s\n' "$1" >entered
	shift
	gdb_with "$@" <entered
}

# has_line PATTERN: one of the lines of the output matches.
has_line() {
	grep -qxE -- "$1" <<<"$output" || {
		printf 'no line matches: %s\nin: %s\n' "$1" "$output" >&2
		return 1
	}
}

# says_plainly MESSAGE: this is the last line of standard error, and it has no
# traceback of Python.
says_plainly() {
	same "$(tail -n 1 <<<"$stderr")" "guardmaps: $1"
	[[ $stderr != *Traceback* && $stderr != *"Python Exception"* ]]
}

needs_guards() {
	start_target run:1
}

# ---- The same, live and from a core file ----------------------------------------

@test "the overflow of a thread's stack is explained when gdb stops on it" {
	local guard sentence
	guard=$(stack_guard)
	live worker "info guards" explain-fault
	sentence="Thread crash \($THREAD\) overflowed its stack: it accessed the guard of its stack at (0x[0-9a-f]+)\."
	has_line "guardmaps: $sentence"
	has_line "$sentence"
	has_line "  stack    0x[0-9a-f]+-0x[0-9a-f]+, 25[26]K, 25[26](\.[0-9])?K used, guard ${guard/guard/marker}, (overflowed|low headroom)"
	has_line "0x[0-9a-f]+ 0x[0-9a-f]+ +4K stack ${guard/guard/marker} +crash \($THREAD\).*"
}

@test "the overflow of a thread's stack is explained from a core file" {
	local guard
	guard=$(stack_guard)
	crash worker
	on_core "info guards" explain-fault
	same "$status" 0
	has_line "0x[0-9a-f]+ 0x[0-9a-f]+ +4K stack ${guard/guard/marker} +$THREAD"
	has_line "A core file has the guards of thread stacks only: for others, set guardmaps image FILE\."
	has_line "Thread $THREAD overflowed its stack: it accessed the guard of its stack at 0x[0-9a-f]+ after [0-9]+ levels of parse_.*"
	diff -u <(guardmaps explain --core core) <(tail -n "$(guardmaps explain --core core | wc -l)" <<<"$output")
}

# verdicts KIND LIVE [FROM_CORE]: both say why the program has crashed.
verdicts() {
	live "$1" explain-fault
	has_line "guardmaps: Thread crash \($THREAD\) $2"
	has_line "Thread crash \($THREAD\) $2"
	crash "$1"
	on_core explain-fault
	has_line "Thread (crash \($THREAD\)|$THREAD) ${3-$2}"
	same "$(grep -c '^Thread .* ' <<<"$output")" 1
}

@test "accesses to guards have the same verdict live and from a core file" {
	needs_guards
	verdicts guard "got SIGSEGV\. 0x.* is in a guard region: .*" \
		"accessed 0x.*, in a guard region\."
	verdicts prot-none "got SIGSEGV\. 0x.* is in a PROT_NONE mapping: .*" \
		"accessed 0x.*, in a PROT_NONE mapping\."
}

@test "other crashes have the same verdict live and from a core file" {
	verdicts null "got SIGSEGV\. 0x0 is a null pointer, .*" \
		"accessed 0x0: a null pointer.*"
	verdicts unmapped "got SIGSEGV\. 0x.* is not mapped: .*" \
		"accessed 0x.*, where nothing is mapped\."
	verdicts file-end "accessed 0x.*, where there is no data: after the end of a mapped file, .*" \
		"accessed 0x.*, in a mapped file, where there is no data: .*"
	verdicts raise "got SIGSEGV, which a process sent.*"
}

@test "a limit that is reached and a guard that is jumped over have the same verdict" {
	verdicts main-stack "overflowed its stack: it has reached its limit \(RLIMIT_STACK\), and cannot grow to 0x.*"
	verdicts jump "overflowed its stack, past the guard, into the stack of thread .*: it had a frame that is larger than the guard\."
	[ -n "$ENTERED" ]
}

@test "an address that the kernel does not report is not taken for null" {
	needs_codes
	[ "$(uname -m)" = x86_64 ] || skip "x86-64 has such addresses"
	verdicts non-canonical "got SIGSEGV for an address that is not known, which need not be 0\."
}

@test "a guard that only an image has is listed and explained" {
	needs_guards
	crash_saved guard-read-only
	on_core explain-fault
	[[ $output != *"known    by the image"* ]]
	on_core "set guardmaps image image" "info guards" explain-fault
	has_line "0x[0-9a-f]+ 0x[0-9a-f]+ +4K anon +marker +r--p"
	has_line "  known    by the image"
	[[ $output != *"set guardmaps image FILE"* ]]
}

@test "a process without guards has none" {
	start_target none
	gdb_with -batch -p "$TARGET_PID" -ex "info guards" </dev/null
	has_line "No guards\."
}

# ---- The line that comes unasked -------------------------------------------------

# How many there are.
lines_unasked() {
	grep -c '^guardmaps: Thread ' <<<"$output"
}

@test "a core file is explained once, before the first prompt" {
	crash null
	local line="guardmaps: Thread crash \($THREAD\) accessed 0x0: a null pointer.*"
	interactive $'echo first\nshow version\n' "$build/tests/crash" -c core
	has_line "$line"
	same "$(lines_unasked)" 1
	# What is before the first prompt.
	output=${output%%"(gdb)"*}
	has_line "$line"
	# Another one.
	interactive "core-file core" "$build/tests/crash" -c core
	same "$(lines_unasked)" 2
	# In batch mode there is no prompt.
	on_core "echo batch"
	same "$(lines_unasked)" 0
}

@test "a core file is explained on a terminal" {
	crash null
	run timeout "$patience" script -qec \
		"gdb -q -nx -x load.gdb $build/tests/crash -c core" /dev/null \
		< <(echo quit)
	[[ $output == *"guardmaps: Thread crash ($THREAD) accessed 0x0: a null pointer"*"(gdb)"* ]]
}

@test "a fault is explained each time that gdb stops on one, if that is wanted" {
	interactive $'run\nrun\nset guardmaps auto off\nrun' \
		--args "$build/tests/crash" null
	same "$(lines_unasked)" 2
	interactive $'run' --args "$build/tests/crash" trap
	same "$(lines_unasked)" 0
	[[ $stderr != *guardmaps* ]]
}

@test "in non-stop mode it is the thread that has got the signal" {
	gdb_with -batch -ex "set non-stop on" -ex run --args \
		"$build/tests/crash" worker </dev/null
	has_line "guardmaps: Thread crash \($(said thread)\) overflowed its stack: .*"
}

# ---- What does not work ----------------------------------------------------------

# script_says LINE...: gdb runs a script with these lines for guardmaps.
script_says() {
	printf '%s\n' "#!/bin/sh" "$@" >script
	chmod +x script
	use_command "$PWD/script" "${seconds-$patience}"
}

@test "a command that is missing or fails is reported in a sentence" {
	crash null
	use_command /nowhere/guardmaps
	on_core explain-fault "echo goes on"
	says_plainly "cannot run /nowhere/guardmaps: No such file or directory (set guardmaps command)"
	[[ $output == *"goes on" ]]
	on_core "info guards"
	says_plainly "cannot run /nowhere/guardmaps: No such file or directory (set guardmaps command)"
	script_says "exit 3"
	on_core explain-fault
	says_plainly "$PWD/script failed with status 3"
	script_says "kill -9 \$\$"
	on_core explain-fault
	says_plainly "$PWD/script was killed by signal 9"
	script_says "echo 'guardmaps: is too tired' >&2; exit 2"
	on_core explain-fault
	says_plainly "is too tired"
}

@test "a command that is not guardmaps is reported in a sentence" {
	local text
	crash null
	for text in "echo what" ":" "echo '{}'" "echo '[]'" "printf '%0100000d' 0 | tr 0 ["; do
		script_says "$text"
		on_core explain-fault
		says_plainly "$PWD/script does not print what guardmaps prints: is it another program, or another version?"
	done
	script_says "echo '{\"threads\": [{}]}'"
	on_core "info guards"
	says_plainly "unexpected KeyError: 'pid'"
	script_says "exec yes"
	on_core explain-fault
	says_plainly "$PWD/script prints too much"
}

@test "a command that hangs is given up, with its children" {
	local pid
	crash null
	# Its output stays open, or is closed.
	for text in "sleep infinity & echo \$! >child; wait" \
		"exec >&- 2>&-; sleep infinity & echo \$! >child; wait" \
		"sleep infinity & echo \$! >child"; do
		seconds=1 script_says "$text"
		on_core explain-fault
		says_plainly "$PWD/script did not end within 1 s (set guardmaps timeout)"
		pid=$(<child)
		wait_until_gone "$pid"
	done
}

@test "what fails unasked is reported once" {
	use_command /nowhere/guardmaps
	interactive $'run\nrun\nshow guardmaps auto\nset guardmaps command '"$build/guardmaps"$'\nset guardmaps auto on\nrun' \
		--args "$build/tests/crash" null
	same "$(grep -c '^guardmaps: cannot run' <<<"$stderr")" 1
	has_line '.*"guardmaps auto" is "off"\.|.*is "off"\.'
	same "$(lines_unasked)" 1
}

@test "where there is no process, or no fault, that is reported" {
	gdb_with -batch -ex "info guards" </dev/null
	says_plainly "there is no process, and no core file"
	gdb_with -batch -ex explain-fault "$build/tests/crash" </dev/null
	says_plainly "there is no process, and no core file"
	gdb_with -batch -ex starti -ex explain-fault "$build/tests/crash" </dev/null
	says_plainly "the thread has not stopped on SIGSEGV or SIGBUS"
	gdb_with -batch -ex "info guards here" </dev/null
	says_plainly "this command does not support arguments"
}

# As much of gdb's remote protocol as it takes to have a process.
write_remote() {
	cat >remote <<-'END'
		#!/bin/bash
		LC_ALL=C
		while read -r -d '#' packet; do
			read -r -N 2
			case ${packet##*$} in
			'?') reply=S0b ;;
			qC) reply=QC1 ;;
			qAttached*) reply=1 ;;
			# Integer registers of x86-64.
			g) reply=$(printf '%0328d' 0) ;;
			H* | T* | D*) reply=OK ;;
			qfThreadInfo) reply=m1 ;;
			qsThreadInfo) reply=l ;;
			*) reply= ;;
			esac
			sum=0
			for ((i = 0; i < ${#reply}; i++)); do
				printf -v code %d "'${reply:i:1}"
				((sum += code))
			done
			printf '+$%s#%02x' "$reply" $((sum & 255))
		done
	END
	chmod +x remote
}

@test "a process on another machine cannot be seen" {
	[ "$(uname -m)" = x86_64 ] || skip "the remote machine is an x86-64 one"
	write_remote
	gdb_with -batch -ex "target remote | ./remote" -ex "info guards" \
		"$build/tests/crash" </dev/null
	says_plainly "cannot see a process on a target of type remote: run guardmaps where the process is"
	[[ $stderr != *"no longer explained"* ]]
}

@test "a process in a pid namespace without its own /proc cannot be found" {
	needs_root
	unshare --pid --fork true || skip "needs a pid namespace"
	try unshare --pid --fork --kill-child gdb -q -nx -x load.gdb -batch \
		-ex "python GuardmapsProcess()" </dev/null
	[[ $stderr == *"guardmaps: /proc belongs to another pid namespace, in which the process has another id"* ]]
}

@test "a core file is found after another directory was entered" {
	crash null
	on_core "cd /" explain-fault
	has_line "Thread crash \($THREAD\) accessed 0x0: .*"
	gdb_with -batch -ex "cd /" -ex "cd $PWD" -ex "core-file core" -ex "cd /" \
		-ex explain-fault "$build/tests/crash" </dev/null
	has_line "Thread crash \($THREAD\) accessed 0x0: .*"
}

@test "a core file that was removed or replaced is not taken for the one in gdb" {
	local first
	crash null
	on_core "shell mv core other" explain-fault
	says_plainly "$PWD/core: No such file or directory"
	first=$PROCESS
	crash unmapped
	on_core "shell mv other core" explain-fault
	says_plainly "$PWD/core is now a core file of process $first, not $PROCESS"
}

@test "gdb starts although the commands cannot be loaded" {
	cat >broken.gdb <<-END
		python import gdb; del gdb.events.before_prompt
		source $source/gdb/guardmaps.py
		echo goes on
	END
	try gdb -q -nx -batch -x broken.gdb
	same "$status" 0
	[[ $output == *"goes on" ]]
	[[ $stderr == "guardmaps cannot be used in this gdb: "*before_prompt* ]]
	same "${#stderr_lines[@]}" 1
}
