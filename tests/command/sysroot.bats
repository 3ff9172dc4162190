#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# --sysroot DIR: recorded files of a process instead of the live /proc.

load helpers

# A program with a mapping of every kind, a thread, and a guard in each of them.
record_kinds() {
	record_process 100 recorded
	record_thread 100 101 other
	record 100 maps <<-'END'
		00400000-00401000 r--p 00000000 08:01 1234                               /usr/bin/prog
		00401000-00403000 r-xp 00001000 08:01 1234                               /usr/bin/prog
		00500000-00520000 rw-p 00000000 00:00 0                                  [heap]
		7f0000000000-7f0000010000 rw-p 00000000 00:00 0 
		7f0000020000-7f0000030000 rw-s 00003000 00:01 77                         /memfd:x (deleted)
		7f0000030000-7f0000040000 r--p 00005000 08:01 99                         /usr/share/file
		7f0000040000-7f0000050000 rw-p 00000000 00:00 0                          [anon: glibc: pthread stack: 101]
		7ffe00000000-7ffe00021000 rw-p 00000000 00:00 0                          [stack]
		ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
	END
	record 100 guards <<-'END'
		00400000-00401000 ---p 00000000 08:01 1234                               /usr/bin/prog
		00501000-00502000 ---p 00000000 00:00 0                                  [heap]
		7f0000001000-7f0000004000 ---p 00000000 00:00 0
		7f0000021000-7f0000022000 ---s 00004000 00:01 77                         /memfd:x (deleted)
		7f0000030000-7f0000031000 ---p 00005000 08:01 99                         /usr/share/file
		7f0000040000-7f0000041000 ---p 00000000 00:00 0                          [anon: glibc: pthread stack: 101]
		7ffe00001000-7ffe00002000 ---p 00000000 00:00 0                          [stack]
	END
}

# record_two_mappings: two adjacent mappings, with a hole after them.
record_two_mappings() {
	record_process 100 recorded
	record 100 maps <<-'END'
		10000000-10010000 rw-p 00000000 00:00 0
		10010000-10020000 r--p 00000000 00:00 0
		10030000-10040000 rw-p 00000000 00:00 0
	END
}

# ---- What it shows ---------------------------------------------------------

@test "every kind of guard is derived from its mapping" {
	record_kinds
	try guardmaps --sysroot tree 100
	same "$status$stderr" 0
	same "$(sed 's/ *$//' <<<"$output")" "\
START          END            SIZE KIND       OWNER          PERM MAPPING
0x400000       0x401000         4K elf                       r--p /usr/bin/prog
0x501000       0x502000         4K heap                      rw-p [heap]
0x7f0000001000 0x7f0000004000  12K anon                      rw-p
0x7f0000021000 0x7f0000022000   4K shmem                     rw-s /memfd:x (deleted)
0x7f0000030000 0x7f0000031000   4K file                      r--p /usr/share/file
0x7f0000040000 0x7f0000041000   4K stack      other (101)    rw-p [anon: glibc: pthread stack: 101]
0x7ffe00001000 0x7ffe00002000   4K main-stack recorded (100) rw-p [stack]"
}

@test "the columns show the id, name, mappings and source of the recorded process" {
	record_kinds
	try guardmaps --sysroot tree -n -r \
		-o PID,COMMAND,OFFSET,DEV,INODE,MAPSTART,MAPEND,SOURCE 100
	same "${lines[0]}" \
		"100 recorded 0x0 08:01 1234 0x400000 0x401000 guards"
	same "${lines[3]}" \
		"100 recorded 0x4000 00:01 77 0x7f0000020000 0x7f0000030000 guards"
}

@test "a guard that spans two mappings is a row in each" {
	record_two_mappings
	echo '1000f000-10012000 ---p 00000000 00:00 0' | record 100 guards
	same "$(guardmaps --sysroot tree -n -r -o START,END,PERM 100)" "\
0x1000f000 0x10010000 rw-p
0x10010000 0x10012000 r--p"
}

@test "guards outside the mappings are ignored" {
	record_two_mappings
	record 100 guards <<-'END'
		0fff0000-0fff1000 ---p 00000000 00:00 0
		0ffff000-10001000 ---p 00000000 00:00 0
		1001f000-10031000 ---p 00000000 00:00 0
		10050000-10060000 ---p 00000000 00:00 0
	END
	same "$(guardmaps --sysroot tree -n -r -o START,END 100)" "\
0x10000000 0x10001000
0x1001f000 0x10020000
0x10030000 0x10031000"
}

@test "adjacent or overlapping guards are one row" {
	record_two_mappings
	record 100 guards <<-'END'
		10001000-10003000 ---p 00000000 00:00 0
		10002000-10004000 ---p 00000000 00:00 0
		10004000-10005000 ---p 00000000 00:00 0
	END
	same "$(guardmaps --sysroot tree -n -r -o START,END 100)" \
		"0x10001000 0x10005000"
}

@test "a file without a newline at its end is read completely" {
	record_process 100 recorded
	printf '10000000-10010000 rw-p 00000000 00:00 0' | record 100 maps
	printf '10001000-10002000 ---p 00000000 00:00 0' | record 100 guards
	same "$(guardmaps --sysroot tree -n -r -o START,END 100)" \
		"0x10001000 0x10002000"
}

@test "a recorded live process is shown as it was" {
	start_target files -n alive
	for file in maps comm stat; do
		record "$TARGET_PID" "$file" <"/proc/$TARGET_PID/$file"
	done
	record_thread "$TARGET_PID" "$TARGET_PID" alive
	sed 's/0x//g; s/ /-/; s/$/ ---p 00000000 00:00 0/' "$TARGET_GUARDS" |
		record "$TARGET_PID" guards
	guardmaps -o +PID,COMMAND,OFFSET "$TARGET_PID" >live
	stop_target "$TARGET_PID"
	guardmaps --sysroot tree -o +PID,COMMAND,OFFSET "$TARGET_PID" | cmp live -
}

@test "a tree with only maps and guards is sufficient" {
	mkdir -p tree/proc/100
	echo '10000000-10010000 rw-p 00000000 00:00 0' >tree/proc/100/maps
	echo '10001000-10002000 ---p 00000000 00:00 0' >tree/proc/100/guards
	try guardmaps --sysroot tree maps 100
	same "$status$stderr" 0
	same "${#lines[@]}" 3
	try guardmaps --sysroot tree -n -r -o START,END 100
	same "$status$stderr" 0
	same "$output" "0x10001000 0x10002000"
}

@test "a recorded process without guards is reported as such" {
	record_two_mappings
	record 100 guards </dev/null
	try guardmaps --sysroot tree 100
	same "$status" 0
	same "$output" "START END SIZE KIND OWNER PERM MAPPING"
	same "$stderr" "100 (recorded): no guard regions"
}

@test "the kernel is not asked about a recorded process, even if it is running" {
	start_target threads:3
	record_process "$TARGET_PID" recorded
	echo '10000000-10010000 rw-p 00000000 00:00 0' | record "$TARGET_PID" maps
	echo '10001000-10002000 ---p 00000000 00:00 0' | record "$TARGET_PID" guards
	same "$(guardmaps --sysroot tree -n -r -o COMMAND,START,KIND "$TARGET_PID")" \
		"recorded 0x10001000 anon"
}

# ---- A recorded pagemap ----------------------------------------------------

record_pagemap() {
	record_two_mappings
	record_pagemap_end 100 0x10040000
}

@test "a recorded pagemap is read by the source that matches its kernel" {
	record_pagemap
	record_page 100 0x1000f000 "$pagemap_guard"
	record_page 100 0x10010000 "$pagemap_guard"
	record_page 100 0x10012000 "$pagemap_present"
	for source in pagemap markers; do
		same "$(guardmaps --sysroot tree --source "$source" -n -r -o START,END,SOURCE 100)" "\
0x1000f000 0x10010000 $source
0x10010000 0x10011000 $source"
	done
}

@test "in a pagemap recorded without CAP_SYS_ADMIN, only the source pagemap finds guards" {
	record_pagemap
	record_page 100 0x10001000 "$pagemap_guard_hidden"
	same "$(guardmaps --sysroot tree --source pagemap -n -r -o START 100)" 0x10001000
	same "$(guardmaps --sysroot tree --source markers -n -r -o START 100 2>&1)" \
		"100 (recorded): no guard regions"
}

@test "in a pagemap recorded before Linux 6.15, only the source markers finds guards" {
	record_pagemap
	record_page 100 0x10001000 "$pagemap_old_guard"
	same "$(guardmaps --sysroot tree --source markers -n -r -o START 100)" 0x10001000
	same "$(guardmaps --sysroot tree --source pagemap -n -r -o START 100 2>&1)" \
		"100 (recorded): no guard regions"
}

@test "--markers also lists uffd-wp and poison markers, in order, with a column MARKER" {
	record_pagemap
	record_page 100 0x10001000 "$pagemap_uffd_wp"
	record_page 100 0x10002000 "$pagemap_uffd_wp"
	record_page 100 0x10003000 "$pagemap_guard"
	record_page 100 0x10004000 "$pagemap_poison"
	record_page 100 0x10011000 "$pagemap_poison"
	try guardmaps --sysroot tree --markers 100
	same "$status$stderr" 0
	matches "${lines[0]}" "START .* MAPPING MARKER"
	same "$(guardmaps --sysroot tree --markers -n -r -o START,END,KIND,MARKER 100)" "\
0x10001000 0x10003000  uffd-wp
0x10003000 0x10004000 anon guard
0x10004000 0x10005000  poison
0x10011000 0x10012000  poison"
	same "$(guardmaps --sysroot tree --source markers -n -r -o START 100)" \
		0x10003000
}

@test "a pagemap that ends before the mappings is refused" {
	record_pagemap
	truncate --size=-8 tree/proc/100/pagemap
	refuses "tree/proc/100/pagemap ends before the mappings do" \
		guardmaps --sysroot tree --source pagemap 100
}

@test "for a recorded pagemap, the message asks for its source" {
	record_pagemap
	record_page 100 0x10001000 "$pagemap_guard"
	try guardmaps --sysroot tree 100
	same "$status" 2
	same "$output" ""
	[[ $stderr == "guardmaps: 100 (recorded): no source shows guard regions: guards: tree/proc/100/guards does not exist"* ]]
	[[ $stderr == *"pagemap: tree/proc/100/pagemap is recorded: specify the source that matches the kernel it was recorded on"* ]]
	[[ $stderr == *"markers: tree/proc/100/pagemap is recorded: specify the source that matches the kernel it was recorded on"* ]]
	try guardmaps --sysroot tree --source scan 100
	same "$status" 2
	matches "$stderr" "guardmaps: 100 \(recorded\): cannot use source scan: .*"
}

@test "only a thread of the process owns the mapping that is named after it" {
	for tid in -5 0 1 102 2147483648 4294967397 99999999999999 '101 ' 101x; do
		record_process 100 recorded
		record_thread 100 101 other
		echo "7fc000000000-7fc000010000 rw-p 00000000 00:00 0 [anon: glibc: pthread stack: $tid]" |
			record 100 maps
		echo '7fc000000000-7fc000001000 ---p 00000000 00:00 0' |
			record 100 guards
		same "$(guardmaps --sysroot tree -n -r -o KIND,OWNER 100)" "anon "
		guardmaps --sysroot tree save 100 image
		same "$(guardmaps show -n -r -o KIND,OWNER image)" "anon "
	done
}

# leads_out FILE: a link in the place of a file of process 100 is refused.
leads_out() {
	for target in "$PWD/secret" ../../../secret /proc/self/comm; do
		rm -rf tree
		record_two_mappings
		record 100 guards </dev/null
		ln -sf "$target" "tree/proc/100/$1"
		refuses "$2 tree/proc/100/$1: it is a link out of the recorded tree" \
			guardmaps --sysroot tree 100
	done
}

@test "no link leads out of the tree" {
	echo secret >secret
	leads_out maps "100 (recorded): cannot read"
	leads_out guards "100 (recorded): cannot read"
	leads_out stat "100 (?): cannot read"
	rm tree/proc/100/stat
	ln -sf "$PWD/secret" tree/proc/100/comm
	same "$(guardmaps --sysroot tree -n -r -o COMMAND 100 2>&1)" \
		"100 (?): no guard regions"
	for target in "$PWD/tree/proc/100" ../../outside /proc/self; do
		ln -sfn "$target" tree/proc/101
		refuses "cannot open tree/proc/101: it is a link out of the recorded tree" \
			guardmaps --sysroot tree 101
	done
}

@test "links inside the tree are followed" {
	record_two_mappings
	echo '10001000-10002000 ---p 00000000 00:00 0' | record 100 guards
	ln -s 100 tree/proc/101
	record_process 102 other
	ln -s ../100/maps tree/proc/102/maps
	ln -s ../100/guards tree/proc/102/guards
	same "$(guardmaps --sysroot tree -n -r -o PID,COMMAND,START 101 102)" "\
101 recorded 0x10001000
102 other 0x10001000"
}

@test "a FIFO in the tree holds nothing up" {
	record_two_mappings
	mkfifo tree/proc/100/guards
	try guardmaps --sysroot tree 100
	same "$status" 0
	rm tree/proc/100/comm
	mkfifo tree/proc/100/comm
	try guardmaps --sysroot tree 100
	same "$status" 0
}

# ---- What is missing or damaged --------------------------------------------

@test "for a tree without guards and pagemap, every source reports that they are missing" {
	record_two_mappings
	for source in guards scan pagemap markers; do
		try guardmaps --sysroot tree --source "$source" 100
		same "$status" 2
		same "$output" ""
		matches "$stderr" "guardmaps: 100 \(recorded\): cannot use source $source: tree/proc/100/(guards|pagemap) does not exist.*"
	done
	try guardmaps --sysroot tree 100
	same "$status" 2
	same "$output" ""
	[[ $stderr == *"tree/proc/100/guards does not exist"* ]]
}

@test "an invalid line of maps is reported with its file and number" {
	local good='10000000-10010000 rw-p 00000000 00:00 0' bad
	for bad in 'hello' '' '10000000 rw-p 00000000 00:00 0' \
		'20000000-20010000 rw-p 00000000 00:00' \
		'20000000-20010000 rwxz 00000000 00:00 0' \
		'20010000-20000000 rw-p 00000000 00:00 0' \
		'20000000-20000000 rw-p 00000000 00:00 0' \
		'20000001-20010000 rw-p 00000000 00:00 0' \
		'20000000-20010000 rw-p 00000000 00:00 0x1' \
		'20000000-2001G000 rw-p 00000000 00:00 0' \
		'200000000000000000-20010000 rw-p 00000000 00:00 0'; do
		record_process 100 recorded
		printf '%s\n' "$good" "$bad" | record 100 maps
		record 100 guards </dev/null
		refuses "tree/proc/100/maps: malformed line 2" \
			guardmaps --sysroot tree 100
		echo "$good" | record 100 maps
		printf '%s\n' "$bad" | record 100 guards
		refuses "tree/proc/100/guards: malformed line 1" \
			guardmaps --sysroot tree 100
	done
}

@test "a missing process and a missing tree are reported" {
	record_two_mappings
	refuses "no process 101 (no tree/proc/101)" guardmaps --sysroot tree 101
	refuses "no process 100 (no nowhere/proc/100)" \
		guardmaps --sysroot nowhere 100
}

@test "a process without a maps file is reported" {
	record_process 100 recorded
	record 100 guards </dev/null
	refuses "100 (recorded): cannot read tree/proc/100/maps: No such file or directory" \
		guardmaps --sysroot tree 100
}

@test "an invalid recorded stat is reported" {
	record_two_mappings
	record 100 guards </dev/null
	echo "no stat" | record 100 stat
	refuses "tree/proc/100/stat is malformed" guardmaps --sysroot tree 100
}

# ---- Commands --------------------------------------------------------------

@test "every command that reads a process reads a recorded one" {
	record_kinds
	same "$(guardmaps --sysroot tree maps 100 | grep -c -e ---p -e ---s)" 7
	same "$(guardmaps --sysroot tree stacks -n -r -o TID,NAME 100)" \
		$'100 recorded\n101 other'
	same "$(guardmaps --sysroot tree explain -n -r -o VERDICT,KIND 100 501000)" \
		"guard heap"
	guardmaps --sysroot tree save 100 image
	same "$(guardmaps show image)" "$(guardmaps --sysroot tree 100)"
	try guardmaps --sysroot tree diff image 100
	same "$status$output$stderr" 0
	same "$(guardmaps --sysroot tree -a -n -r)" "100 recorded 7 36K 7 10 "
}

@test "the tree may be given by any path" {
	record_kinds
	mkdir elsewhere
	local expected
	expected=$(guardmaps --sysroot tree 100)
	same "$(guardmaps --sysroot ./tree/ 100)" "$expected"
	same "$(guardmaps --sysroot "$PWD/tree" 100)" "$expected"
	same "$(cd elsewhere && guardmaps --sysroot=../tree 100)" "$expected"
}

@test "ids that no process has are not taken for errors" {
	record_process 100 recorded
	echo '10000000-10004000 rw-p 00000000 00:00 0' | record 100 maps
	echo '10001000-10002000 ---p 00000000 00:00 0' | record 100 guards
	for id in -5 -12 0 99999999999; do
		printf 'Tgid:\t%s\nNSpid:\t%s\n' "$id" "$id" | record 100 status
		try guardmaps --sysroot tree stacks -n -r -o TID 100
		same "$status $stderr $output" "0  100"
		try guardmaps --sysroot tree save 100 image
		same "$status $stderr" "0 "
	done
}
