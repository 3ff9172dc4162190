#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Guards are kept across dump and restore in every kind of memory.

load helpers

@test "guards of thread stacks are kept" {
	keeps threads:3
}

@test "guards of thread stacks are kept when all memory is locked" {
	keeps threads:3 anonymous mlockall
}

@test "guards of thread stacks are kept when future memory is locked too" {
	keeps threads:3 anonymous mlockall-future
}

resident_kib() {
	awk '$1 == "VmRSS:" { print $2 }' "/proc/$SUBJECT/status"
}

# mlockall() fills no memory after a guard, and most of a stack is there.
@test "locked stacks take no more memory than before" {
	start_subject threads:16 mlockall
	before=$(resident_kib)
	dump
	restore
	after=$(resident_kib)
	[ "$after" -lt $((before + 1024)) ] || fail "$before KiB before, $after KiB after"
}

@test "guards in locked memory are kept" {
	keeps threads:3 anonymous mlock
}

@test "guards in memory that is locked on fault are kept" {
	keeps threads:3 anonymous mlock-onfault
}

@test "guards in partly locked memory are kept" {
	keeps anonymous mlock-part anonymous anonymous mlock-onfault read-only mlock
}

@test "guards in a private mapping of a file are kept" {
	keeps private-file private-file mlock
}

@test "guards in a shared mapping of a file are kept" {
	keeps shared-file
}

@test "guards in a locked shared mapping of a file are kept" {
	keeps shared-file mlock
}

@test "guards in a memfd are kept" {
	keeps memfd memfd mlock
}

@test "guards in anonymous shared memory are kept" {
	keeps shared shared mlock
}

@test "guards in a mapping of a deleted file are kept" {
	keeps deleted-file
}

@test "guards in a locked mapping of a deleted file are kept" {
	keeps deleted-file mlock
}

@test "guards in PROT_NONE memory are kept" {
	keeps prot-none prot-none mlock
}

@test "guards in read-only memory are kept" {
	keeps read-only read-only mlock
}

@test "guards in MADV_WIPEONFORK memory are kept" {
	keeps wipe-on-fork wipe-on-fork mlock
}

@test "guards in MADV_DONTFORK memory are kept" {
	keeps dont-fork dont-fork mlock
}

@test "guards in a mapping that grows down are kept" {
	keeps grows-down
}

@test "guards in a locked mapping that grows down are kept" {
	keeps grows-down mlock
}

@test "a guard inside a huge page is kept" {
	keeps huge
}

@test "a guard inside a locked huge page is kept" {
	keeps huge mlock
}

@test "10,000 guards are kept" {
	keeps alternate:10000
}

@test "10,000 guards in locked memory are kept" {
	keeps alternate:10000 mlock
}

@test "100,000 guards are kept" {
	keeps alternate:100000
}

@test "100,000 guards in memory that is locked on fault are kept" {
	keeps alternate:100000 mlock-onfault
}
