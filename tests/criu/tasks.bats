#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Guards are kept across dump and restore whatever the processes are doing, and
# they continue with it.

load helpers

@test "the guards of each process of a tree are kept" {
	keeps anonymous shared private-file shared-file read-only prot-none \
		wipe-on-fork dont-fork children threads:2
}

@test "the guards of each process of a tree are kept, each with its own locks" {
	keeps anonymous mlock shared children threads:2 in:1 mlockall \
		in:2 anonymous mlock-onfault in:3 mlockall-future
}

@test "guards of the first process of a pid namespace are kept" {
	start_subject_by "unshare -p -f setsid" threads:2 anonymous mlock
	note_state
	dump
	[ -e images/guardmaps-1.img ]
	restore
	is_as_before
}

@test "guards of a tree in a pid namespace are kept" {
	start_subject_by "unshare -p -f setsid" anonymous children threads:2 \
		anonymous mlock
	note_state
	dump
	restore
	is_as_before
}

@test "a seccomp filter that kills on madvise does not interfere" {
	keeps threads:2 anonymous anonymous mlock seccomp
}

@test "seccomp filters of a tree do not interfere" {
	keeps anonymous children anonymous mlock in:2 seccomp
}

# The file that it runs has no name then: another file has it.
@test "guards are kept when the program was replaced on disk" {
	cp "$programs/subject" subject.new
	cp "$programs/subject" subject
	programs=$PWD start_subject threads:2 anonymous mlock
	mv subject.new subject
	note_state
	dump
	restore
	is_as_before
}

@test "guards are kept when the program was deleted" {
	cp "$programs/subject" subject
	programs=$PWD start_subject threads:2 anonymous mlock
	rm subject
	note_state
	dump
	restore
	is_as_before
}

# keeps_stopped WORD...: it does not run before it gets SIGCONT.
keeps_stopped() {
	start_subject "$@" stopped
	note_state
	grep -q "^thread .* stopped" before.0
	dump
	restore
	same_state
	pkill -CONT -x "subject-."
	verdicts_are_ok
}

@test "a stopped process is restored stopped" {
	keeps_stopped threads:2 anonymous anonymous mlock
}

@test "a stopped process without locked memory is restored stopped" {
	keeps_stopped threads:2 anonymous
}

@test "a stopped tree is restored stopped" {
	keeps_stopped anonymous children threads:2 anonymous mlock
}

@test "a process in nanosleep() continues" {
	keeps anonymous anonymous mlock in-nanosleep
}

@test "a process in poll() continues" {
	keeps anonymous anonymous mlock in-poll
}

@test "a process in read() continues" {
	keeps anonymous anonymous mlock in-read
}

@test "a process in a restartable sequence is still in one" {
	keeps anonymous anonymous mlock in-rseq
}

@test "processes can be dumped and restored repeatedly" {
	start_subject anonymous mlock shared-file children threads:2
	note_state
	for _ in 1 2 3; do
		dump
		restore
	done
	is_as_before
}
