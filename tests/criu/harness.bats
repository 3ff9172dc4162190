#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The tests notice what they should notice. This needs no plugin.

load helpers

# bats test_tags=not:old
@test "criu alone keeps guards in memory that is not locked" {
	plugin=()
	keeps threads:3 anonymous shared-file children
}

# Otherwise these tests would not be needed.
# bats test_tags=not:old
@test "criu alone loses a process with guards in locked memory" {
	plugin=()
	start_subject threads:3 anonymous mlock
	dump
	try_restore
	[ "$status" -ne 0 ]
	grep -q "MADV_GUARD_INSTALL) failed" restore.log
}

# is_noticed SED_SCRIPT: same_state fails if the noted state was different.
is_noticed() {
	sed -i "$1" before.0
	run ! same_memory 0
}

@test "an additional or missing guard is noticed" {
	start_subject anonymous
	note_state
	same_memory 0
	is_noticed '0,/^guard/{/^guard/d}'
	is_noticed '$aguard 1000-2000'
}

@test "different locks, permissions and contents are noticed" {
	start_subject anonymous mlock-onfault
	note_state
	cp before.0 noted
	is_noticed 's/^lock \(.*\) lf$/lock \1/'
	cp noted before.0
	is_noticed '0,/^permissions/{/^permissions/s/r--p/---p/}'
	cp noted before.0
	is_noticed '/^contents/s/$/0/'
	cp noted before.0
	same_state
}

@test "a readable page in place of a guard is noticed" {
	start_subject anonymous prober lost-guard
	run ! verdicts_are_ok
	[[ $output == *"could be read"* ]]
	wait_for "the prober finds it" test -e unguarded.0
	run ! never_writable
}

@test "a PROT_NONE page in place of a guard is noticed where it matters" {
	start_subject anonymous replaced-guard
	run ! verdicts_are_ok
	[[ $output == *"si_code 2"* ]]
	verdicts_are_ok USR2
}
