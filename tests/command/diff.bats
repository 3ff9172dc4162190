#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# guardmaps diff A B: pages that only one of two guard maps guards.

load helpers

# Recorded process 1 with 64 pages, in two trees, before and after.
record_two() {
	for pid in 1 2; do
		record_process "$pid" recorded
		echo '10000000-10040000 rw-p 00000000 00:00 0' | record "$pid" maps
	done
	record 1 guards <<-'END'
		10000000-10001000 ---p 00000000 00:00 0
		10004000-10008000 ---p 00000000 00:00 0
		10010000-10011000 ---p 00000000 00:00 0
	END
	record 2 guards <<-'END'
		10005000-10006000 ---p 00000000 00:00 0
		10010000-10012000 ---p 00000000 00:00 0
		10020000-10021000 ---p 00000000 00:00 0
	END
}

# ---- The same --------------------------------------------------------------

@test "for two guard maps with the same guarded pages, nothing is printed, exit 0" {
	start_target files
	guardmaps save "$TARGET_PID" image
	cp image other
	for pair in "$TARGET_PID $TARGET_PID" "image other" "image $TARGET_PID" \
		"$TARGET_PID image"; do
		try guardmaps diff $pair
		same "$status$output$stderr" 0
	done
}

@test "a child has the guards of its parent until it changes them" {
	start_target fork
	try guardmaps diff "$TARGET_PARENT" "$TARGET_PID"
	same "$status" 1
	local base
	base=$(guardmaps -n -r -o MAPSTART "$TARGET_PID" | head -n 1)
	same "$(guardmaps diff -n -r -b -o CHANGE,START,SIZE \
			"$TARGET_PARENT" "$TARGET_PID" |
		while read -r change start size; do
			echo "$change $(((start - base) / 4096)) $((size / 4096))"
		done)" "\
missing 0 1
extra 3 1
missing 6 1
missing 22 2
extra 28 2"
}

# ---- Different -------------------------------------------------------------

@test "pages that only A guards are missing, pages that only B guards are extra, exit 1" {
	record_two
	try guardmaps --sysroot tree diff 1 2
	same "$status" 1
	same "$stderr" ""
	same "$(sed 's/ *$//' <<<"$output")" "\
CHANGE  START      END        SIZE KIND MAPPING
missing 0x10000000 0x10001000   4K anon
missing 0x10004000 0x10005000   4K anon
missing 0x10006000 0x10008000   8K anon
extra   0x10011000 0x10012000   4K anon
extra   0x10020000 0x10021000   4K anon"
}

@test "with A and B swapped, missing and extra are swapped" {
	record_two
	try guardmaps --sysroot tree diff -n -r -o CHANGE,START,END 2 1
	same "$status" 1
	same "$output" "$(guardmaps --sysroot tree diff -n -r -o CHANGE,START,END 1 2 |
		sed 's/^missing/x/; s/^extra/missing/; s/^x/extra/')"
}

@test "an image and its process differ by what changed since it was saved" {
	record_two
	guardmaps --sysroot tree save 1 image
	same "$(guardmaps --sysroot tree diff image 2 || true)" \
		"$(guardmaps --sysroot tree diff 1 2 || true)"
}

@test "a process with guards and one without differ by all guards" {
	start_target none
	local without=$TARGET_PID
	start_target alternate:600
	try guardmaps diff -n -r -o CHANGE,START,END "$without" "$TARGET_PID"
	same "$status" 1
	same "$output" "$(sed 's/^/extra /' "$TARGET_GUARDS")"
	guardmaps diff -n -r -o CHANGE,START,END "$TARGET_PID" "$without" >missing ||
		same "$?" 1
	same "$(<missing)" "$(sed 's/^/missing /' "$TARGET_GUARDS")"
}

@test "KIND and MAPPING are those of the guard map that has the guard" {
	start_target none
	local without=$TARGET_PID
	start_target memfd
	try guardmaps diff -n -r -o KIND,MAPPING "$TARGET_PID" "$without"
	same "$(sort -u <<<"$output")" "\
shmem /dev/zero\\x20(deleted)
shmem /memfd:guardmaps-target\\x20(deleted)"
}

@test "-J prints one object with one array, differences, even if there are none" {
	record_two
	try guardmaps --sysroot tree diff -J 1 2
	same "$status" 1
	same "$(json -c keys)" '["differences"]'
	same "$(json -c '.differences[3]')" \
		'{"change":"extra","start":"0x10011000","end":"0x10012000","size":4096,"kind":"anon","mapping":null}'
	try guardmaps --sysroot tree diff -J 1 1
	same "$status" 0
	same "$(json -c .)" '{"differences":[]}'
}

@test "diff accepts -o, -n, -r, -P and -b" {
	record_two
	try guardmaps --sysroot tree diff -n -r -b -o SIZE,CHANGE 1 2
	same "${lines[2]}" "8192 missing"
	try guardmaps --sysroot tree diff -P -o SIZE,CHANGE 1 2
	same "${lines[2]}" 'SIZE="8K" CHANGE="missing"'
}

# ---- Processes and files ---------------------------------------------------

@test "a number is a process, and with ./ in front a file" {
	start_target run:1
	guardmaps save "$TARGET_PID" "$TARGET_PID"
	try guardmaps diff "$TARGET_PID" "./$TARGET_PID"
	same "$status$output$stderr" 0
	stop_target "$TARGET_PID"
	refuses "no process $TARGET_PID (no /proc/$TARGET_PID)" \
		guardmaps diff "./$TARGET_PID" "$TARGET_PID"
}

# ---- Trouble ---------------------------------------------------------------

@test "a missing file, or one that is not an image, is an error, exit 2" {
	start_target run:1
	guardmaps save "$TARGET_PID" image
	echo "no image" >text
	for pair in "image missing" "missing image" "$TARGET_PID missing"; do
		refuses "cannot open missing: No such file or directory" \
			guardmaps diff $pair
	done
	refuses "cannot read text: not a guardmaps image" \
		guardmaps diff image text
	refuses "cannot read text: not a guardmaps image" \
		guardmaps diff text "$TARGET_PID"
}

@test "a process that does not exist or has no memory is an error, exit 2" {
	start_target run:1
	guardmaps save "$TARGET_PID" image
	local gone
	gone=$(dead_pid)
	refuses "no process $gone (no /proc/$gone)" guardmaps diff image "$gone"
	refuses "no process $gone (no /proc/$gone)" guardmaps diff "$gone" image
	start_zombie
	try guardmaps diff image "$ZOMBIE"
	same "$status" 2
	matches "$stderr" "guardmaps: $ZOMBIE \(.+\): a zombie has no memory"
}

@test "another user's process is an error, exit 2" {
	needs_two_users
	start_target run:1
	refuses "$TARGET_PID (target): cannot read /proc/$TARGET_PID/maps: Permission denied (needs the same user, or CAP_SYS_PTRACE)" \
		as_nobody guardmaps diff "$TARGET_PID" "$TARGET_PID"
}

@test "diff requires two guard maps" {
	refuses "diff requires A B" guardmaps diff
	refuses "diff requires A B" guardmaps diff 1
	refuses "too many arguments for diff" guardmaps diff 1 2 3
	refuses "--markers cannot be used with diff" guardmaps diff --markers 1 2
}

@test "an unknown column is refused, and the known ones are listed" {
	refuses "unknown column: PID (known: CHANGE START END SIZE KIND MAPPING)" \
		guardmaps diff -o PID 1 2
}
