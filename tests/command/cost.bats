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
	start_target none
	trace guardmaps -a
	same "$(grep -c "\"/proc/$TARGET_PID[\"/]" calls)" 1
	grep -q "\"/proc/$TARGET_PID/pagemap\"" calls
	trace guardmaps -a --source pagemap
	! grep -q "\"/proc/$TARGET_PID/pagemap\"" calls
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
