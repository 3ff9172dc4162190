#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# guardmaps explain PID ADDRESS...: what is at an address.

load helpers

# ---- Verdicts on a live process --------------------------------------------

@test "an address in a guard below a stack is explained with its owner and what an access does" {
	start_target threads:1
	local start end tid range
	read -r start end <"$TARGET_GUARDS"
	tid=$(guardmaps -n -r -o TID "$TARGET_PID")
	range=$(guardmaps -n -r -o MAPSTART,MAPEND "$TARGET_PID" | tr ' ' -)
	for address in "$start" "$(printf '0x%x' "$((end - 1))")"; do
		try guardmaps explain "$TARGET_PID" "$address"
		same "$status $stderr" "0 "
		same "$output" "\
$address is in a guard region: every access raises SIGSEGV (SEGV_MAPERR).
  region   $start-$end, 4K, found by $(known_sources | head -n 1)
  kind     stack
  owner    thread worker-1 ($tid): an access from above means that its stack overflowed
  mapping  $range rw-p"
	done
}

@test "the pages next to a guard are not guarded" {
	start_target run:1
	local start end
	read -r start end <"$TARGET_GUARDS"
	try guardmaps explain -r -n -o VERDICT "$TARGET_PID" \
		"$(printf '%x' "$((start - 1))")" "$start" "$end"
	same "$output" $'accessible\nguard\naccessible'
	try guardmaps explain "$TARGET_PID" "$end"
	same "${lines[0]}" \
		"$end is in a mapping that permits reading and writing, and is not guarded."
}

@test "control bytes in the name of a mapping are escaped" {
	record_process 100 recorded
	printf '10000000-10004000 rw-s 00000000 08:01 77 /a\033[31mb\tc\177d\n' |
		record 100 maps
	printf '10001000-10002000 ---s 00001000 08:01 77 /a\033[31mb\tc\177d\n' |
		record 100 guards
	for address in 0x10001000 0x10000000 0x10004000; do
		try guardmaps --sysroot tree explain 100 "$address"
		same "$status $stderr" "0 "
		[[ $output == *'/a\x1b[31mb\x09c\x7fd'* ]]
		same "$(LC_ALL=C tr -d '\n\040-\176' <<<"$output")" ""
	done
}

@test "a PROT_NONE mapping is distinguished from a guard in it" {
	start_target prot-none
	local start end
	read -r start end <"$TARGET_GUARDS"
	try guardmaps explain -r -n -o VERDICT,PERM "$TARGET_PID" "$start" "$end"
	same "$output" $'guard ---p\nPROT_NONE ---p'
	try guardmaps explain "$TARGET_PID" "$end"
	same "${lines[0]}" \
		"$end is in a PROT_NONE mapping: every access raises SIGSEGV (SEGV_ACCERR)."
}

@test "a mapping that lacks a permission is reported with its permissions" {
	start_target boundary
	local start end address
	# The last page of the upper mapping, which may only be read.
	read -r start end < <(guardmaps -n -r -o MAPSTART,MAPEND "$TARGET_PID" |
		tail -n 1)
	address=$(printf '0x%x' "$((end - 1))")
	try guardmaps explain "$TARGET_PID" "$address"
	same "$status" 0
	matches "${lines[0]}" "$address is in a mapping that permits only some accesses: .*\(SEGV_ACCERR\)\."
	same "${lines[1]}" "  mapping  $start-$end r--p"
	same "$(guardmaps explain -r -n -o VERDICT "$TARGET_PID" "$address")" \
		no-permission
}

@test "for an unmapped address, the mappings above and below are shown, and how far they are" {
	record_process 100 recorded
	echo '10000000-10001000 rw-p 00000000 00:00 0' | record 100 maps
	echo '20000000-20001000 r--p 00000000 08:01 7 /file' >>tree/proc/100/maps
	record 100 guards </dev/null
	try guardmaps --sysroot tree explain 100 10002000
	same "$output" "\
0x10002000 is not mapped: every access raises SIGSEGV (SEGV_MAPERR).
  above    0x20000000-0x20001000 r--p /file
           256M above the address
  below    0x10000000-0x10001000 rw-p
           4K below the address"
	try guardmaps --sysroot tree explain -J -o +BELOW,ABOVE 100 10002000
	same "$(json -c '.addresses[] | [.verdict, .below, .above, .start, .mapping]')" \
		'["unmapped","0x10001000","0x20000000",null,null]'
}

@test "an address below or above all mappings has only one neighbour" {
	record_process 100 recorded
	echo '10000000-10001000 rw-p 00000000 00:00 0' | record 100 maps
	record 100 guards </dev/null
	try guardmaps --sysroot tree explain -J -o VERDICT,BELOW,ABOVE 100 \
		fffffff 10001000
	same "$(json -c '.addresses[]')" \
		$'{"verdict":"unmapped","below":null,"above":"0x10000000"}\n{"verdict":"unmapped","below":"0x10001000","above":null}'
}

@test "a null pointer, and an offset from one, is reported as such" {
	start_target none
	try guardmaps explain "$TARGET_PID" 0 0x10 0xfff
	same "$(grep -v '^  ' <<<"$output")" "\
0x0 is a null pointer, or an offset from one: nothing is mapped this low.
0x10 is a null pointer, or an offset from one: nothing is mapped this low.
0xfff is a null pointer, or an offset from one: nothing is mapped this low."
	same "$(guardmaps explain -r -n -o VERDICT "$TARGET_PID" 8)" null-page
}

@test "on x86-64, address 0 may stand for an address that the kernel does not know" {
	[ "$(uname -m)" = x86_64 ] || skip "not x86-64"
	start_target none
	try guardmaps explain "$TARGET_PID" 0
	same "${lines[1]}" "  The kernel reports address 0 also if it does not know the address (SI_KERNEL): it was not canonical, for example."
	try guardmaps explain "$TARGET_PID" 1
	same "${#lines[@]}" 1
}

@test "on x86-64, a non-canonical address raises a signal without an address" {
	[ "$(uname -m)" = x86_64 ] || skip "not x86-64"
	start_target none
	try guardmaps explain "$TARGET_PID" deadbeefdeadbeef
	same "$output" "0xdeadbeefdeadbeef is not canonical: every access raises SIGSEGV, through the stack pointer SIGBUS, with SI_KERNEL and address 0."
	try guardmaps explain -r -n -o VERDICT,START "$TARGET_PID" deadbeefdeadbeef
	same "$output" "non-canonical "
}

# stack_fact NUMBER: a number of the first thread's stack, of STACK,STACKEND.
stack_fact() {
	guardmaps stacks -r -n -o STACK,STACKEND "$TARGET_PID" | head -n 1 |
		cut -d " " -f "$1"
}

@test "an address between [stack] and its limit makes the stack grow" {
	start_target none -n first
	local top below
	top=$(sed -n 's/^\([0-9a-f]*\)-.*\[stack\]$/\1/p' "/proc/$TARGET_PID/maps")
	for below in "$((16#$top - 8))" "$(stack_fact 1)"; do
		try guardmaps explain "$TARGET_PID" "$(printf '%x' "$below")"
		matches "${lines[0]}" "0x[0-9a-f]+ is not mapped, but a stack can grow to it\."
		matches "${lines[1]}" "  above    0x$top-0x[0-9a-f]+ rw-p \[stack\]"
		[[ $output == *"  owner    thread first ($TARGET_PID): its stack can grow to the address, and does so when it is accessed" ]]
	done
}

@test "an address below the limit of [stack] is a stack overflow if it was accessed from there" {
	start_target none -n first
	try guardmaps explain "$TARGET_PID" "$(printf '%x' "$(($(stack_fact 1) - 1))")"
	matches "${lines[0]}" "0x[0-9a-f]+ is not mapped: every access raises SIGSEGV \(SEGV_MAPERR\)\."
	[[ $output == *"  owner    thread first ($TARGET_PID): its stack cannot grow to the address: an access from the stack means that it overflowed" ]]
}

@test "where the limit of [stack] is unknown, an address just below may be a stack overflow" {
	record_process 100 recorded
	echo '7ff000000000-7ff000021000 rw-p 00000000 00:00 0 [stack]' |
		record 100 maps
	record 100 guards </dev/null
	try guardmaps --sysroot tree explain 100 7fefffffff00
	same "${lines[-1]}" "  The stack of the first thread grows down to here: if it has reached its limit, this is a stack overflow."
}

@test "a PROT_NONE guard is explained with the thread whose stack it guards" {
	start_target glibc-threads:1
	[ ! -s "$TARGET_GUARDS" ] || skip "glibc has guard markers here"
	local start end tid last
	read -r tid start end < <(guardmaps stacks -r -n \
		-o TID,GUARDSTART,STACK "$TARGET_PID" | tail -n 1)
	last=$(printf '0x%x' "$((end - 1))")
	for address in "$start" "$last"; do
		try guardmaps explain "$TARGET_PID" "$address"
		matches "$output" "\
$address is in a PROT_NONE mapping: every access raises SIGSEGV \(SEGV_ACCERR\)\.
  guard    $start-$end, [0-9]+K
  owner    thread worker-1 \($tid\): an access from above means that its stack overflowed
  mapping  0x[0-9a-f]+-$end ---p"
	done
	try guardmaps explain -r -n -o VERDICT,START,END,KIND,OWNER "$TARGET_PID" "$last"
	same "$output" "PROT_NONE $start $end stack worker-1\x20($tid)"
}

@test "a guard in a mapping without a permission is explained with the other code" {
	record_process 100 recorded
	echo '10000000-10010000 r--p 00000000 00:00 0' | record 100 maps
	echo '20000000-20010000 ---p 00000000 00:00 0' >>tree/proc/100/maps
	printf '%s ---p 00000000 00:00 0\n' 10001000-10002000 20001000-20002000 |
		record 100 guards
	try guardmaps --sysroot tree explain 100 10001000 20001000
	same "$(grep '^0x' <<<"$output")" "\
0x10001000 is in a guard region: every access raises SIGSEGV (SEGV_MAPERR, but a write SEGV_ACCERR).
0x20001000 is in a guard region: every access raises SIGSEGV (SEGV_ACCERR, because its mapping is PROT_NONE)."
}

@test "past the end of a mapped file, an access raises SIGBUS" {
	start_target memfd
	local start end file
	read -r start end < <(sed -n 's|^\([0-9a-f]*\)-\([0-9a-f]*\) .*memfd:guardmaps-target.*|\1 \2|p' \
		"/proc/$TARGET_PID/maps")
	file=/proc/$TARGET_PID/map_files/$start-$end
	[ -e "$file" ] || skip "needs CAP_CHECKPOINT_RESTORE"
	truncate -s 1 "$file"
	start=$(printf '%x' "$((16#$start + $(getconf PAGESIZE)))")
	try guardmaps explain -r -n -o VERDICT "$TARGET_PID" "$start"
	same "$output" file-end
	try guardmaps explain "$TARGET_PID" "$start"
	same "${lines[0]}" "0x$start is past the end of the mapped file: every permitted access raises SIGBUS (BUS_ADRERR)."
}

@test "in a recorded tree, where a mapped file ends is not known" {
	record_process 100 recorded
	echo '10000000-10010000 rw-s 00000000 08:01 77 /file' | record 100 maps
	record 100 guards </dev/null
	try guardmaps --sysroot tree explain 100 10001000
	same "${lines[1]}" "  Where the file ends is not known: past its end, every permitted access raises SIGBUS."
}

# ---- Other markers ---------------------------------------------------------

@test "pages with uffd-wp and poison markers are reported if the source shows them" {
	record_process 100 recorded
	echo '10000000-10010000 rw-p 00000000 00:00 0' | record 100 maps
	record_pagemap_end 100 0x10010000
	record_page 100 0x10001000 "$pagemap_uffd_wp"
	record_page 100 0x10003000 "$pagemap_poison"
	record_page 100 0x10005000 "$pagemap_guard"
	try guardmaps --sysroot tree --source markers explain 100 \
		10001000 10003000 10005000
	same "$status $stderr" "0 "
	same "$(grep '^0x' <<<"$output")" "\
0x10001000 is write-protected by userfaultfd: a write waits for the userfaultfd handler, or raises SIGBUS (UFFD_FEATURE_SIGBUS).
0x10003000 is poisoned (UFFDIO_POISON, or a memory error): every access raises SIGBUS.
0x10005000 is in a guard region: every access raises SIGSEGV (SEGV_MAPERR)."
	try guardmaps --sysroot tree --source markers explain -r -n -o VERDICT 100 \
		10000fff 10001000 10003000 10005000 10006000
	same "$(xargs <<<"$output")" "accessible uffd-wp poison guard accessible"
}

# ---- Addresses -------------------------------------------------------------

@test "addresses are hexadecimal, with or without 0x, in upper or lower case" {
	record_process 100 recorded
	echo '10000000-100f0000 rw-p 00000000 00:00 0' | record 100 maps
	record 100 guards </dev/null
	try guardmaps --sysroot tree explain -r -n -o ADDRESS,VERDICT 100 \
		100abcde 0x100abcde 0X100ABCDE 00000000100ABcdE
	same "$(sort -u <<<"$output")" "0x100abcde accessible"
	same "${#lines[@]}" 4
}

@test "several addresses are explained in the order they are given" {
	start_target run:1
	local start end
	read -r start end <"$TARGET_GUARDS"
	try guardmaps explain -J "$TARGET_PID" "$end" 0 "$start"
	same "$status" 0
	same "$(json -c keys)" '["addresses"]'
	same "$(json -c '.addresses[] | [.address, .verdict]')" "\
[\"$end\",\"accessible\"]
[\"0x0\",\"null-page\"]
[\"$start\",\"guard\"]"
	same "$(json -c '.addresses | map(keys_unsorted) | unique[]')" \
		'["address","verdict","start","end","kind","owner","perm","mapping"]'
}

@test "the highest possible address is not mapped" {
	start_target none
	try guardmaps explain -r -n -o ADDRESS,VERDICT "$TARGET_PID" \
		ffffffffffffffff
	same "$output" "0xffffffffffffffff unmapped"
}

@test "START, END, KIND and OWNER are those of the guard region, or else of the mapping" {
	start_target threads:1
	local start end mapping
	read -r start end <"$TARGET_GUARDS"
	mapping=$(guardmaps -n -r -o MAPSTART,MAPEND "$TARGET_PID")
	try guardmaps explain -J "$TARGET_PID" "$start" "$end"
	same "$(json '.addresses[0] | "\(.start) \(.end) \(.kind)"')" \
		"$start $end stack"
	matches "$(json '.addresses[0].owner')" "worker-1 \([0-9]+\)"
	same "$(json '.addresses[1] | "\(.start) \(.end) \(.kind) \(.owner)"')" \
		"$mapping null null"
}

# ---- What it refuses -------------------------------------------------------

@test "an invalid address is refused and named" {
	refuses "not a hexadecimal address: 'xyz'" guardmaps explain 1 xyz
	refuses "not a hexadecimal address: '0x'" guardmaps explain 1 0x
	refuses "not a hexadecimal address: ''" guardmaps explain 1 ""
	refuses "not a hexadecimal address: ' 10'" guardmaps explain 1 " 10"
	refuses "not a hexadecimal address: '+10'" guardmaps explain 1 +10
	refuses "not a hexadecimal address: '10h'" guardmaps explain 1 10h
	refuses "address longer than 64 bits: '10000000000000000'" \
		guardmaps explain 1 10000000000000000
}

@test "an invalid address is refused before any other is explained" {
	start_target none
	refuses "not a hexadecimal address: 'zz'" \
		guardmaps explain "$TARGET_PID" 0 zz
}

@test "explain requires a process and an address" {
	refuses "explain requires PID ADDRESS..." guardmaps explain
	refuses "explain requires PID ADDRESS..." guardmaps explain 1
	refuses "no process is named 'x'" guardmaps explain x 0
}

@test "a process that does not exist or has no memory is an error" {
	local gone
	gone=$(dead_pid)
	refuses "no process $gone (no /proc/$gone)" guardmaps explain "$gone" 0
	find_kernel_thread
	refuses "2 (kthreadd): a kernel thread has no memory of its own" \
		guardmaps explain "$KERNEL_THREAD" 0
}

@test "explain prints no sizes, so -b is refused" {
	refuses "--bytes cannot be used with explain" guardmaps explain -b 1 0
}

@test "an unknown column is refused, and the known ones are listed" {
	refuses "unknown column: SIZE (known: ADDRESS VERDICT START END KIND OWNER PERM MAPPING BELOW ABOVE)" \
		guardmaps explain -o SIZE 1 0
}
