#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What commands do no more often, and need no more memory for, than they must. No
# time is measured here: see bench/.

load helpers

needs_strace() {
	type -P strace >/dev/null || skip "needs strace"
	[[ $build != */sanitizers ]] || skip "LeakSanitizer cannot be traced"
}

# trace COMMAND...: the files that it opens are in "calls".
trace() {
	strace -o calls -e trace=open,openat "$@" >/dev/null 2>&1 ||
		[ "$?" -eq 1 ]
}

# With little more memory than the guard map needs, whose guards take two bytes.
with_little_memory() {
	(ulimit -d 8192 && exec "$@")
}

@test "-a opens one file of a process without guards, if scan works" {
	needs_strace
	[[ $(uname -m) == x86_64 && $(known_sources) == *scan* ]] ||
		skip "needs x86-64 and the source scan"
	! grep -q "User Mode Linux" /proc/cpuinfo ||
		skip "address spaces of User-Mode Linux end elsewhere"
	start_target none
	trace guardmaps -a
	same "$(grep -c "\"/proc/$TARGET_PID[\"/]" calls)" 1
	grep -q "\"/proc/$TARGET_PID/pagemap\"" calls
	trace guardmaps -a --source pagemap
	! grep -q "\"/proc/$TARGET_PID/pagemap\"" calls
}

# calls_for LAYOUT COMMAND...: prints how many system calls the command makes. It
# ends with the process id.
calls_for() {
	start_target "$1"
	strace -f -o calls "${@:2}" "$TARGET_PID" >/dev/null
	wc -l <calls
}

# Of each thread: the address of the descriptor, whether it may be read, the
# descriptor, and the name. For stacks also the stack pointer, the lowest page, and
# whether it and those above it were used.
@test "each thread costs 6 system calls, and stacks 13" {
	needs_strace
	[[ $(known_sources) == *scan* ]] || skip "needs the source scan"
	local few many
	few=$(calls_for threads:10 guardmaps -r)
	many=$(calls_for threads:110 guardmaps -r)
	[ $((many - few)) -le $((6 * 100 + 30)) ]
	few=$(calls_for threads:10 guardmaps stacks -r)
	many=$(calls_for threads:110 guardmaps stacks -r)
	[ $((many - few)) -le $((13 * 100 + 30)) ]
}

# Only the address of each descriptor is asked for.
@test "threads that no guard region can guard cost one system call each" {
	needs_strace
	[[ $(known_sources) == *scan* ]] || skip "needs the source scan"
	local few many
	few=$(calls_for prot-none-threads:10 guardmaps -r)
	many=$(calls_for prot-none-threads:110 guardmaps -r)
	[ $((many - few)) -le $((100 + 30)) ]
}

@test "a million guards take -a, diff and save little memory" {
	[[ $build != */sanitizers ]] || skip "sanitizers need much memory"
	start_target alternate:1000000
	with_little_memory guardmaps save "$TARGET_PID" image
	try with_little_memory guardmaps -a
	[ "$status" -le 1 ]
	[[ $output == *"$TARGET_PID target "*1000000* ]]
	with_little_memory guardmaps diff image "$TARGET_PID"
	with_little_memory guardmaps -r -n "$TARGET_PID" | sed -n '$=' >lines
	same "$(<lines)" 1000000
}
