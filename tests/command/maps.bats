#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# guardmaps maps PID: /proc/PID/maps with a line for each guard region.

load helpers

# A line of proc_pid_maps(5).
maps_line='^[0-9a-f]{8,16}-[0-9a-f]{8,16} [r-][w-][x-][ps] [0-9a-f]{8,} [0-9a-f]{2,}:[0-9a-f]{2,} [0-9]+ ( *[^ ].*)?$'

# start_with_maps LAYOUT: a target, its maps in "before", ours in "shown".
start_with_maps() {
	start_target "$@"
	cat "/proc/$TARGET_PID/maps" >before
	guardmaps maps "$TARGET_PID" >shown
}

# Each line of "before" is printed in one or more pieces without gaps.
check_coverage() {
	awk -F '[- ]' '
		NR == FNR { start[$1] = $2; next }
		$1 in start { if (end != "") exit 1; end = start[$1]; next_start = $1 }
		$1 != next_start { exit 1 }
		{ next_start = $2 }
		$2 == end { end = ""; pieces++ }
		END { exit !(end == "" && pieces == length(start)) }
	' before shown
}

# The lines of guards: other PROT_NONE mappings were there before.
guard_rows() {
	grep -E '^[^ ]+ ---[ps]' shown | grep -vxFf before
}

check_guard_rows() {
	guard_rows | sed 's/^/0x/; s/-/ 0x/; s/ ---.*//' |
		diff -u "$TARGET_GUARDS" - >&2
}

check_shown() {
	same "$(grep -Ev "$maps_line" shown)" ""
	awk -F - '{ printf("%16s\n", $1) }' shown | LC_ALL=C sort -c -u
	check_coverage
	check_guard_rows
}

# ---- Without guards --------------------------------------------------------

@test "maps of a process without guards is /proc/PID/maps, byte for byte" {
	start_with_maps none
	cmp before shown
}

@test "maps of a process without guards prints nothing on standard error" {
	start_target none
	try guardmaps maps "$TARGET_PID"
	same "$status $stderr" "0 "
}

# ---- With guards -----------------------------------------------------------

@test "a guard region is a line of its own, ---p, that splits the line of its mapping" {
	start_with_maps run:2
	check_shown
	local start end
	read -r start end <"$TARGET_GUARDS"
	grep -qx "${start#0x}-${end#0x} ---p 00000000 00:00 0 " shown
	grep -q "^[0-9a-f]*-${start#0x} rw-p 00000000 00:00 0 $" shown
	grep -q "^${end#0x}-[0-9a-f]* rw-p 00000000 00:00 0 $" shown
	same "$(wc -l <shown)" "$(($(wc -l <before) + 2))"
}

@test "the lines are valid and ascending, and cover the same memory as maps" {
	for layout in alternate:600 boundary big mappings:100 threads:3 fork; do
		start_with_maps "$layout"
		check_shown
	done
}

@test "5000 guard regions are 5000 lines" {
	start_with_maps alternate:5000
	check_shown
	same "$(wc -l <shown)" "$(($(wc -l <before) + 9999))"
}

@test "a guard in a private file is ---p, in a shared file or a memfd ---s" {
	start_with_maps files
	check_shown
	same "$(guard_rows | grep -o -- '---[ps]' | sort | uniq -c | xargs)" \
		"1 ---p 3 ---s"
	start_with_maps memfd
	check_shown
	same "$(guard_rows | grep -o -- '---[ps]' | uniq -c | xargs)" "3 ---s"
}

@test "the pieces of a mapped file have its device, inode, name and increasing offsets" {
	start_with_maps files
	local range perm offset rest last_end="" last_rest="" last_offset=0 carried=0
	while read -r range perm offset rest; do
		if [ "${range%-*}" = "$last_end" ] && [ "$rest" = "$last_rest" ] &&
			[[ $rest == *guardmaps-target* ]]; then
			same "$((16#$offset))" "$last_offset"
			((++carried))
		fi
		last_end=${range#*-}
		last_rest=$rest
		last_offset=$((16#$offset + 16#${range#*-} - 16#${range%-*}))
	done <shown
	# One region in the middle of each of two mappings, two at edges of a third.
	same "$carried" 6
}

@test "guards in [heap] and [stack] have its name and no offset" {
	start_with_maps kinds
	check_shown
	grep -Eq -- '^[0-9a-f-]+ ---p 00000000 00:00 0 +\[heap\]$' shown
	grep -Eq -- '^[0-9a-f-]+ ---p 00000000 00:00 0 +\[stack\]$' shown
}

@test "names of guard lines begin in the same column as in maps" {
	start_with_maps files
	same "$(grep guardmaps-target shown | awk '{ print index($0, $6) }' | sort -u)" \
		"$(grep guardmaps-target before | awk '{ print index($0, $6) }' | sort -u)"
	start_with_maps kinds
	same "$(awk 'NF > 5 { print index($0, $6) }' shown | sort -u)" 74
}

@test "all sources report the same lines" {
	start_target files
	local first
	first=$(guardmaps maps "$TARGET_PID")
	for source in $(known_sources); do
		same "$(guardmaps maps --source "$source" "$TARGET_PID")" "$first"
	done
}

# ---- Recorded trees --------------------------------------------------------

@test "maps of a recorded process is split at its guards" {
	record_process 100 recorded
	record 100 maps <<-'END'
		00400000-00404000 r-xp 00002000 08:01 1234                               /usr/bin/prog
		7f0000000000-7f0000004000 rw-p 00000000 00:00 0 
		7f0000010000-7f0000014000 rw-s 00001000 00:01 77                         /memfd:x y (deleted)
	END
	record 100 guards <<-'END'
		00401000-00402000 ---p 00000000 08:01 1234
		7f0000000000-7f0000001000 ---p 00000000 00:00 0
		7f0000013000-7f0000014000 ---s 00000000 00:01 77
	END
	try guardmaps --sysroot tree maps 100
	same "$status $stderr" "0 "
	same "$output" "\
00400000-00401000 r-xp 00002000 08:01 1234                               /usr/bin/prog
00401000-00402000 ---p 00003000 08:01 1234                               /usr/bin/prog
00402000-00404000 r-xp 00004000 08:01 1234                               /usr/bin/prog
7f0000000000-7f0000001000 ---p 00000000 00:00 0 
7f0000001000-7f0000004000 rw-p 00000000 00:00 0 
7f0000010000-7f0000013000 rw-s 00001000 00:01 77                         /memfd:x y (deleted)
7f0000013000-7f0000014000 ---s 00004000 00:01 77                         /memfd:x y (deleted)"
}

@test "maps of a recorded process without guards is its maps file, byte for byte" {
	record_process 100 recorded
	{
		printf '%-72s %s\n' \
			"00400000-00404000 r-xp 00002000 08:01 1234" /usr/bin/prog \
			"00600000-00601000 rw-p 00000000 103:0a 18446744073709551615" \
			'/a\012b (deleted)' \
			"7f0000000000-7f0000004000 rw-p 123456789ab000 fd:12 9999999999" "/x y"
		printf '%s\n' "7f0000010000-7f0000014000 ---p 00000000 00:00 0 "
		printf '%-72s %s\n' \
			"7ffe00000000-7ffe00021000 rwxp 00000000 00:00 0" "[stack]" \
			"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0" "[vsyscall]"
	} | record 100 maps
	record 100 guards </dev/null
	guardmaps --sysroot tree maps 100 >shown
	cmp tree/proc/100/maps shown
}

# ---- Without memory, and what it refuses -----------------------------------

@test "maps of a kernel thread or a zombie prints only a note on standard error" {
	start_zombie
	try guardmaps maps "$ZOMBIE"
	same "$status" 0
	same "$output" ""
	matches "$stderr" "$ZOMBIE \(.+\): a zombie has no memory"
	find_kernel_thread
	try guardmaps maps "$KERNEL_THREAD"
	same "$status" 0
	same "$output" ""
	same "$stderr" "2 (kthreadd): a kernel thread has no memory of its own"
}

@test "a name with control characters is printed in octal, as the kernel prints a newline" {
	record_process 100 recorded
	printf '10000000-10004000 rw-s 00000000 08:01 77                                 /%b\n' \
		'a\033b\177c\xc2\x9bd\x9be\xc3\xa4f\xe9g' | record 100 maps
	record 100 guards </dev/null
	printf '10000000-10004000 rw-s 00000000 08:01 77                                 /%b\n' \
		'a\\033b\\177c\\302\\233d\\233e\xc3\xa4f\xe9g' >expected
	guardmaps --sysroot tree maps 100 | cmp - expected
}

@test "maps of a process that does not exist is an error" {
	local gone
	gone=$(dead_pid)
	refuses "no process $gone (no /proc/$gone)" guardmaps maps "$gone"
}

@test "--help of maps contains no control bytes" {
	guardmaps maps --help >help
	same "$(LC_ALL=C tr -d '\n\040-\176' <help | od -An -tx1)" ""
	same "$(grep -c '^Print /proc/PID/maps ' help)" 1
}

@test "maps requires one process" {
	refuses "maps requires PID" guardmaps maps
	refuses "too many arguments for maps" guardmaps maps 1 2
	refuses "no process is named 'self'" guardmaps maps self
}

@test "maps has only one format" {
	for option in --json --raw --pairs --noheadings --output=START; do
		refuses "${option%=*} cannot be used with maps" \
			guardmaps maps "$option" 1
	done
	refuses "--bytes cannot be used with maps" guardmaps maps -b 1
	refuses "--markers cannot be used with maps" guardmaps maps --markers 1
}
