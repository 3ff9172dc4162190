#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# guardmaps stacks PID..., or -a: a row for each thread.

load helpers

kib=1024

# The row of a thread, by its name, in the JSON output.
thread() {
	json -c --arg name "$1" ".threads[] | select(.name == \$name) | $2"
}

@test "a thread whose name cannot be read is a row with a note" {
	record_process 100 recorded
	record_thread 100 101 other
	mkdir -p tree/proc/100/task/102 tree/proc/100/task/103/comm
	echo '7fc000000000-7fc000010000 rw-p 00000000 00:00 0' | record 100 maps
	record 100 guards </dev/null
	same "$(guardmaps --sysroot tree stacks -n -r -o TID,NAME,NOTE 100)" "\
100 recorded no\\x20thread\\x20descriptor,\\x20no\\x20stack\\x20pointer
101 other no\\x20thread\\x20descriptor,\\x20no\\x20stack\\x20pointer
102  no\\x20thread\\x20descriptor,\\x20no\\x20stack\\x20pointer,\\x20no\\x20name
103  no\\x20thread\\x20descriptor,\\x20no\\x20stack\\x20pointer,\\x20no\\x20name"
}

# ---- What it shows ---------------------------------------------------------

@test "a row for each thread shows its stack, how much of it was used, and its guard" {
	start_target threads:2
	try guardmaps stacks "$TARGET_PID"
	same "$status $stderr" "0 "
	matches "${lines[0]}" " *TID NAME +STACK +SIZE +USED +PEAK +HEADROOM GUARD +NOTE"
	same "${#lines[@]}" 4
	matches "${lines[2]}" \
		" *[0-9]+ worker-1 0x[0-9a-f]+ +252K +[0-9.]+K +32K +220K marker *"
}

@test "all threads of the process are listed, the first thread first" {
	start_target threads:5
	try guardmaps stacks -n -r -o TID,NAME "$TARGET_PID"
	same "${lines[0]}" "$TARGET_PID target"
	local tid expected=""
	# Process ids may have started again from the lowest meanwhile.
	for tid in "$TARGET_PID" $(ls "/proc/$TARGET_PID/task" |
		grep -vx "$TARGET_PID" | sort -n); do
		expected+="$tid $(<"/proc/$TARGET_PID/task/$tid/comm")"$'\n'
	done
	same "$output" "${expected%$'\n'}"
}

@test "the id of a thread stands for its process" {
	start_target threads:2
	local tid
	tid=$(guardmaps stacks -n -r -o TID "$TARGET_PID" | tail -n 1)
	same "$(guardmaps stacks -o TID,NAME,STACK,SIZE "$tid")" \
		"$(guardmaps stacks -o TID,NAME,STACK,SIZE "$TARGET_PID")"
}

@test "-J prints one object with one array, threads" {
	start_target threads:2
	try guardmaps stacks -J "$TARGET_PID"
	same "$(json -c keys)" '["threads"]'
	same "$(json -c '.threads | map(keys_unsorted) | unique[]')" \
		'["tid","name","stack","size","used","peak","headroom","guard","note"]'
	same "$(thread worker-1 '[.tid, .size, .used, .peak, .headroom] | map(type) | unique')" \
		'["number"]'
	matches "$(thread worker-1 .stack)" "0x[0-9a-f]+"
}

@test "several processes are one table that begins with PID and COMMAND" {
	start_target threads:1 -n one
	local first=$TARGET_PID
	start_target threads:1 -n two
	try guardmaps stacks "$first" "$TARGET_PID"
	matches "${lines[0]}" " *PID COMMAND +TID .*"
	same "$(awk 'NR > 1 { print $1, $2 }' <<<"$output" | xargs)" \
		"$first one $first one $TARGET_PID two $TARGET_PID two"
}

# ---- All processes ---------------------------------------------------------

# There may be other processes on the machine that cannot be read.
try_all() {
	try "$@"
	[ "$status" -eq 0 ] ||
		matches "$status $stderr" "1 guardmaps: [0-9]+ process(es)? could not be read: Permission denied.*"
}

# record_crew: three processes, of which 20 has two threads.
record_crew() {
	local pid
	for pid in 100 20 300; do
		record_process "$pid" "process-$pid"
		record_limited_stack "$pid"
	done
	record_thread 20 21 other
}

# A process with a [stack] that may grow to 64 KiB.
record_limited_stack() {
	echo '1000f000-10010000 rw-p 00000000 00:00 0                                  [stack]' |
		record "$1" maps
	record "$1" guards </dev/null
	echo 'Max stack size 65536 unlimited bytes' | record "$1" limits
}

@test "-a lists the threads of all processes, in the order of process ids" {
	record_crew
	try guardmaps --sysroot tree stacks -a -o +SIZE
	same "$status$stderr" 0
	matches "${lines[0]}" "PID COMMAND +TID NAME +STACK .*"
	same "$(guardmaps --sysroot tree stacks --all -n -r -o PID,COMMAND,TID,NAME,SIZE)" "\
20 process-20 20 process-20 64K
20 process-20 21 other 
100 process-100 100 process-100 64K
300 process-300 300 process-300 64K"
	same "$(guardmaps --sysroot tree -a stacks -o +SIZE)" "$output"
}

@test "-a shows of each process what its id does" {
	start_target threads:2 -n first
	local first=$TARGET_PID
	start_target unguarded-threads:2
	for pid in "$first" "$TARGET_PID"; do
		try_all guardmaps stacks -a -J
		json --argjson pid "$pid" '.threads[] | select(.pid == $pid)' >of_all
		guardmaps stacks -J -o PID,COMMAND,TID,NAME,STACK,SIZE,USED,PEAK,HEADROOM,GUARD,NOTE \
			"$pid" | jq '.threads[]' >of_one
		cmp of_all of_one
		same "$(jq -s length of_one)" 3
	done
}

@test "-a does not list guardmaps itself" {
	local name=n$$-self
	cp "$build/guardmaps" "$name"
	start_target run:1
	try "./$name" stacks -a -n -r -o COMMAND,PID
	[ "$status" -le 1 ]
	grep -qx "target $TARGET_PID" <<<"$output"
	same "$(grep -c "^$name " <<<"$output")" 0
}

@test "-a silently leaves out processes without memory" {
	start_target run:1
	start_zombie
	try_all guardmaps stacks -a -n -r -o PID
	grep -qx "$TARGET_PID" <<<"$output"
	same "$(grep -cx "$ZOMBIE" <<<"$output")" 0
	[[ $stderr != *memory* ]]
}

@test "-a reports the number of processes it may not read in one last line, exit 1" {
	needs_two_users
	start_target threads:3
	local of_root=$TARGET_PID
	start_target_as_nobody threads:1 -n mine
	try as_nobody guardmaps stacks -a -n -r -o PID,COMMAND,NAME
	same "$status" 1
	same "$(grep -c "^$of_root " <<<"$output")" 0
	grep -qx "$TARGET_PID mine worker-1" <<<"$output"
	same "${#stderr_lines[@]}" 1
	matches "$stderr" "guardmaps: [0-9]+ process(es)? could not be read: Permission denied \(of other users, or not dumpable: needs CAP_SYS_PTRACE\)"
}

@test "-a with a source that does not work reports the reason once, exit 2" {
	record_crew
	try guardmaps --sysroot tree stacks -a --source scan
	same "$status" 2
	same "$output" ""
	matches "$stderr" "guardmaps: 20 \(process-20\): cannot use source scan: .*"
	same "${#stderr_lines[@]}" 1
}

@test "-a reports a damaged recorded process and lists the others, exit 1" {
	record_crew
	echo 'no line of maps' | record 20 maps
	try guardmaps --sysroot tree stacks -a -n -r -o TID
	same "$status" 1
	same "$output" $'100\n300'
	same "$stderr" "guardmaps: tree/proc/20/maps: malformed line 1"
}

@test "-a silently skips processes that come and go while it reads" {
	start_target run:1
	# Each lives a moment; they stop with this shell if the test does not.
	start_group bash -c 'while [ -e "/proc/$2" ]; do
		"$1" threads:2 &
		sh -c :
		kill -KILL "$!"
	done' bash "$build/tests/target" "$$"
	for i in {1..10}; do
		try_all guardmaps stacks -a -n -r -o PID,TID
		grep -qx "$TARGET_PID $TARGET_PID" <<<"$output"
	done
	is_alive "${started_groups[0]}"
}

@test "-a cannot be used together with a process" {
	refuses "--all cannot be used with a process" guardmaps stacks -a 1
	refuses "--all cannot be used with a process" guardmaps -a stacks some /name/
}

# ---- Guards ----------------------------------------------------------------

@test "GUARD is marker where a guard region ends at the stack's start" {
	start_target threads:3
	try guardmaps stacks -J -o NAME,STACK,GUARD,GUARDSTART,GUARDSIZE,NOTE "$TARGET_PID"
	local start end number=0
	while read -r start end; do
		((++number))
		same "$(thread "worker-$number" '[.stack, .guard, .guardstart, .guardsize, .note]')" \
			"[\"$end\",\"marker\",\"$start\",$((end - start)),null]"
	done < <(guardmaps -n -r -o OWNER,START,END "$TARGET_PID" | sort |
		cut -d ' ' -f 2,3)
	same "$number" 3
}

@test "a stack without a guard has GUARD none and the note unguarded" {
	start_target unguarded-threads:2
	try guardmaps stacks -J "$TARGET_PID"
	for name in worker-1 worker-2; do
		same "$(thread "$name" '[.size, .guard, .note]')" \
			"[$((256 * kib)),\"none\",\"unguarded\"]"
	done
}

@test "a stack from the C library has GUARD PROT_NONE, or marker since glibc 2.42" {
	start_target glibc-threads:2
	local expected=PROT_NONE
	if [ -s "$TARGET_GUARDS" ]; then
		expected=marker
	fi
	try guardmaps stacks -J "$TARGET_PID"
	same "$(thread worker-1 .guard) $(thread worker-2 .guard)" \
		"$expected $expected"
}

@test "the first thread's stack has GUARD gap, and its SIZE is what its limit lets it grow to" {
	start_by_limit() {
		prlimit --stack="$((2048 * kib))" "$@"
	}
	start_target_by start_by_limit none -n first
	try guardmaps stacks -J -o +STACKEND "$TARGET_PID"
	same "$(thread first '[.guard, .size]')" "[\"gap\",$((2048 * kib))]"
	same "$(thread first .stackend)" \
		"0x$(sed -n 's/^[0-9a-f]*-\([0-9a-f]*\) .*\[stack\]$/\1/p' \
			"/proc/$TARGET_PID/maps")"
}

@test "a guard region in the first thread's stack is its GUARD" {
	start_target kinds -n first
	try guardmaps stacks -J "$TARGET_PID"
	same "$(thread first .guard)" marker
	same "$(thread first .stack)" \
		"$(tail -n 1 "$TARGET_GUARDS" | cut -d ' ' -f 2)"
}

# ---- How much of a stack was used ------------------------------------------

@test "PEAK is the greatest depth that was touched, HEADROOM the rest of the stack" {
	start_target threads:8
	try guardmaps stacks -J "$TARGET_PID"
	local number depth
	for number in {1..8}; do
		depth=$(((1 + (number - 1) % 7) * 32 * kib))
		same "$(thread "worker-$number" '[.size, .peak, .headroom]')" \
			"[$((252 * kib)),$depth,$((252 * kib - depth))]"
	done
}

@test "PEAK is also known without a guard" {
	start_target unguarded-threads:3
	try guardmaps stacks -J "$TARGET_PID"
	for number in 1 2 3; do
		same "$(thread "worker-$number" .peak)" "$((number * 32 * kib))"
	done
}

@test "USED extends from the stack pointer to the end of the stack, and is at most PEAK" {
	start_target threads:3
	try guardmaps stacks -J -o STACK,STACKEND,SP,USED,PEAK,SIZE "$TARGET_PID"
	local start end pointer used peak size rows=0
	while read -r start end pointer used peak size; do
		same "$((end - start))" "$size"
		same "$((end - pointer))" "$used"
		((used > 0 && used <= peak && peak <= size))
		((++rows))
	done < <(json '.threads[] | "\(.stack) \(.stackend) \(.sp) \(.used) \(.peak) \(.size)"')
	same "$rows" 4
}

@test "a running thread has the note running and a PEAK, but no USED" {
	start_target spinning
	try guardmaps stacks -J "$TARGET_PID"
	same "$(thread worker-1 '[.used, .peak, .headroom, .guard, .note]')" \
		"[null,$((32 * kib)),$((220 * kib)),\"marker\",\"running\"]"
}

@test "a stack with less than a tenth left has the note low headroom" {
	start_target kinds -n deep
	try guardmaps stacks -J "$TARGET_PID"
	same "$(thread deep '[.headroom, .note]')" '[0,"low headroom"]'
}

@test "sizes have a unit, and with -b are in bytes" {
	start_target threads:1
	same "$(guardmaps stacks -n -r -o SIZE,PEAK "$TARGET_PID" | tail -n 1)" \
		"252K 32K"
	same "$(guardmaps stacks -b -n -r -o SIZE,PEAK "$TARGET_PID" | tail -n 1)" \
		"$((252 * kib)) $((32 * kib))"
}

# ---- Recorded trees --------------------------------------------------------

# A first thread with a [stack] of 64 KiB and a guard of 4 KiB at its low end. Its
# stack pointer is at 0x10010000 - $1, and it has touched the page at
# 0x10010000 - $2.
record_stack() {
	record_process 100 recorded
	echo '10000000-10010000 rw-p 00000000 00:00 0                                  [stack]' |
		record 100 maps
	echo '10000000-10001000 ---p 00000000 00:00 0' | record 100 guards
	printf '35 0x1 0x2 0x3 0x4 0x5 0x6 0x%x 0x7f0000001234\n' \
		"$((0x10010000 - $1))" | record 100 task/100/syscall
	record_pagemap_end 100 0x10010000
	local page
	for ((page = 0x10010000 - $2; page < 0x10010000; page += 4096)); do
		record_page 100 "$page" "$pagemap_present"
	done
}

@test "USED, PEAK and HEADROOM are known for a recorded stack as for a live one" {
	record_stack 0x1800 0x4000
	try guardmaps --sysroot tree stacks -J 100
	same "$(json -c '.threads[]')" '{"tid":100,"name":"recorded","stack":"0x10001000","size":61440,"used":6144,"peak":16384,"headroom":45056,"guard":"marker","note":null}'
}

@test "low headroom begins where less than a tenth is left" {
	# A tenth of 60 KiB is 6 KiB: one page is less, two are not.
	record_stack 0x1800 0xe000
	try guardmaps --sysroot tree stacks -J -o HEADROOM,NOTE 100
	same "$(json -c '.threads[]')" '{"headroom":4096,"note":"low headroom"}'
	rm -r tree
	record_stack 0x1800 0xd000
	try guardmaps --sysroot tree stacks -J -o HEADROOM,NOTE 100
	same "$(json -c '.threads[]')" '{"headroom":8192,"note":null}'
}

@test "a first thread whose stack pointer is outside [stack] has an unknown stack" {
	# After fork() from another thread, it would be on that one's stack.
	record_stack -0x5000 0x4000
	try guardmaps --sysroot tree stacks -J -o STACK,SP,USED,PEAK,GUARD,NOTE 100
	same "$(json -c '.threads[]')" \
		'{"stack":null,"sp":"0x10015000","used":null,"peak":null,"guard":"unknown","note":"not on [stack]"}'
}

@test "without the file limits, a [stack] that grows has an unknown size" {
	record_stack 0x1800 0x4000
	record 100 guards </dev/null
	try guardmaps --sysroot tree stacks -J -o SIZE,GUARD,NOTE 100
	same "$(json -c '.threads[]')" \
		'{"size":null,"guard":"unknown","note":"no stack limit"}'
	echo "Max stack size             8388608              unlimited            bytes" |
		record 100 limits
	try guardmaps --sysroot tree stacks -J -o SIZE,GUARD,NOTE 100
	same "$(json -c '.threads[]')" '{"size":8388608,"guard":"gap","note":null}'
}

@test "HEADROOM and PEAK are unknown if pages were touched for other reasons than depth" {
	local page
	# At the end of the stack, and above its middle.
	for page in 0x10001000 0x10009000; do
		rm -rf tree
		record_stack 0x1800 0x4000
		record_page 100 "$page" "$pagemap_present"
		try guardmaps --sysroot tree stacks -J -o USED,PEAK,HEADROOM,NOTE 100
		same "$(json -c '.threads[]')" \
			'{"used":6144,"peak":null,"headroom":null,"note":"peak unknown"}'
	done
}

@test "a stack pointer in the guard of its stack is noted as overflowed" {
	record_stack 0xf100 0xf000
	try guardmaps --sysroot tree stacks -J -o SIZE,USED,HEADROOM,GUARD,NOTE 100
	same "$(json -c '.threads[]')" \
		'{"size":61440,"used":61696,"headroom":0,"guard":"marker","note":"overflowed"}'
}

# record_pair POINTER: thread 102 with a stack of 60K and a guard above those of
# thread 101, and this stack pointer.
record_pair() {
	record_process 100 recorded
	record_thread 100 101 lower
	record_thread 100 102 upper
	printf 'NSpid:\t100\n' | record 100 status
	record 100 maps <<-'END'
		10000000-10001000 ---p 00000000 00:00 0 [anon: glibc: pthread stack: 101]
		10001000-10010000 rw-p 00000000 00:00 0 [anon: glibc: pthread stack: 101]
		10010000-10011000 ---p 00000000 00:00 0 [anon: glibc: pthread stack: 102]
		10011000-10020000 rw-p 00000000 00:00 0 [anon: glibc: pthread stack: 102]
	END
	record 100 guards </dev/null
	echo "35 0x1 0x2 0x3 0x4 0x5 0x6 $1 0x7f0000001234" |
		record 100 task/102/syscall
}

# note_of_upper POINTER: NOTE of thread 102.
note_of_upper() {
	rm -rf tree
	record_pair "$1"
	guardmaps --sysroot tree stacks -J -o TID,NOTE 100 |
		jq -r '.threads[] | select(.tid == 102) | .note'
}

@test "a stack pointer that has jumped over its guard into another stack is noted" {
	same "$(note_of_upper 0x10001000)" \
		"peak unknown, below its guard, on the stack of thread 101"
	same "$(note_of_upper 0x1000fff8)" \
		"peak unknown, below its guard, on the stack of thread 101"
	same "$(note_of_upper 0x10010000)" "peak unknown, overflowed"
	same "$(note_of_upper 0x10000ff8)" "peak unknown, on another stack"
	same "$(note_of_upper 0x1001f000)" "peak unknown"
}

@test "a stack pointer above its stack, in that of another thread, is noted" {
	record_pair 0x10012000
	mv tree/proc/100/task/102/syscall tree/proc/100/task/101
	try guardmaps --sysroot tree stacks -r -n -o TID,NOTE 100
	[[ $output == *$'\n'101\ *on\\x20the\\x20stack\\x20of\\x20thread\\x20102$'\n'* ]]
	[[ $output != *below* ]]
}

@test "EVIDENCE is what a stack is known from" {
	start_target threads:1 -n first
	try guardmaps stacks -J -o +EVIDENCE "$TARGET_PID"
	same "$(thread first .evidence) $(thread worker-1 .evidence)" "kernel descriptor"
}

@test "cells that a recorded tree has no data for are empty" {
	record_process 100 recorded
	record_thread 100 101 other
	echo '10000000-10010000 rw-p 00000000 00:00 0' | record 100 maps
	record 100 guards </dev/null
	try guardmaps --sysroot tree stacks 100
	same "$status $stderr" "0 "
	same "$(tail -n 1 <<<"$output" | xargs)" \
		"101 other unknown no thread descriptor, no stack pointer"
}

# ---- What is in memory -------------------------------------------------------

@test "RSS is how much of a stack is in memory, HUGE how much of that is in huge pages" {
	start_target threads:3
	try guardmaps stacks -J -o NAME,RSS,HUGE,PEAK "$TARGET_PID"
	for number in 1 2 3; do
		same "$(thread "worker-$number" '.rss > 0 and .rss <= .peak')" true
		same "$(thread "worker-$number" .huge)" 0
	done
	same "$(json '.threads[0].rss')" \
		"$(($(sed -n '/\[stack\]$/,/^Rss/s/^Rss: *\([0-9]*\) kB/\1/p' \
			"/proc/$TARGET_PID/smaps") * kib))"
}

@test "of a recorded stack, RSS is what its pagemap shows, and HUGE is unknown" {
	record_stack 0x1800 0x4000
	record_page 100 0x10003000 "$pagemap_present"
	try guardmaps --sysroot tree stacks -J -o RSS,HUGE 100
	same "$(json -c '.threads[]')" '{"rss":20480,"huge":null}'
	rm tree/proc/100/pagemap
	try guardmaps --sysroot tree stacks -J -o RSS,HUGE 100
	same "$status$(json -c '.threads[]')" '0{"rss":null,"huge":null}'
}

@test "RSS and HUGE are read only if they are used" {
	command -v strace >/dev/null || skip "no strace"
	[[ $build != */sanitizers ]] || skip "sanitizers trace themselves"
	start_target threads:50
	local calls=() options
	for options in "-o TID" "-o HUGE" "--output-all" "--sort RSS"; do
		calls+=("$(strace -f -e trace=ioctl guardmaps stacks --source pagemap \
			$options "$TARGET_PID" 2>&1 >/dev/null | grep -c ioctl)")
	done
	((calls[1] >= calls[0] + 51))
	((calls[2] >= calls[0] + 51))
	((calls[3] >= calls[0] + 51))
}

# ---- The bar -----------------------------------------------------------------

needs_utf8() {
	locale -a | grep -qix 'c.utf-\?8' || skip "no UTF-8 locale"
}

# on_terminal COLUMNS OPTION...: what stacks prints on a terminal of this width.
on_terminal() {
	SHELL=/bin/sh script --quiet --return --command "stty cols $1
		guardmaps --sysroot tree stacks ${*:2} 100" /dev/null </dev/null |
		tr -d '\r'
}

@test "BAR shows how much of a stack is in use, ever was, and never was" {
	record_stack 0x1800 0x4000
	same "$(LC_ALL=C guardmaps --sysroot tree stacks -n -o BAR 100)" \
		"##++++.............."
	needs_utf8
	same "$(LC_ALL=C.UTF-8 guardmaps --sysroot tree stacks -n -o BAR 100)" \
		"██▒▒▒▒░░░░░░░░░░░░░░"
}

@test "BAR is ASCII in formats that programs read" {
	needs_utf8
	record_stack 0x1800 0x4000
	export LC_ALL=C.UTF-8
	local bar="##++++.............."
	same "$(guardmaps --sysroot tree stacks -n -r -o BAR 100)" "$bar"
	same "$(guardmaps --sysroot tree stacks -P -o BAR 100)" "BAR=\"$bar\""
	same "$(guardmaps --sysroot tree stacks -J -o BAR 100 | jq -r '.threads[].bar')" "$bar"
}

@test "BAR is full only if all of the stack was used, and empty only if none was" {
	export LC_ALL=C
	record_stack 0x10 0x1000
	same "$(guardmaps --sysroot tree stacks -n -o BAR 100)" "#+.................."
	rm -r tree
	record_stack 0x1800 0xe000
	same "$(guardmaps --sysroot tree stacks -n -o BAR 100)" "##+++++++++++++++++."
	rm -r tree
	record_stack 0xe100 0xf000
	same "$(guardmaps --sysroot tree stacks -n -o BAR 100)" "###################+"
	rm -r tree
	record_stack 0xf100 0xf000
	same "$(guardmaps --sysroot tree stacks -n -o BAR 100)" "####################"
}

@test "BAR shows what is unknown" {
	export LC_ALL=C
	record_stack 0x1800 0x4000
	rm tree/proc/100/task/100/syscall
	same "$(guardmaps --sysroot tree stacks -n -o BAR 100)" "++++++.............."
	rm -r tree
	record_stack 0x1800 0x4000
	record_page 100 0x10001000 "$pagemap_present"
	same "$(guardmaps --sysroot tree stacks -n -o BAR 100)" "##??????????????????"
	rm tree/proc/100/guards
	record 100 guards </dev/null
	same "$(guardmaps --sysroot tree stacks -J -o BAR 100 | jq -c '.threads[]')" \
		'{"bar":null}'
}

@test "on a terminal that is wide enough, BAR is printed by default" {
	record_stack 0x1800 0x4000
	local wide narrow columns
	wide=$(LC_ALL=C on_terminal 200)
	matches "$(head -n 1 <<<"$wide")" "TID .* HEADROOM BAR +GUARD .*"
	[[ $wide == *" ##++++.............. marker"* ]]
	narrow=$(LC_ALL=C on_terminal 50)
	same "$(grep -c BAR <<<"$narrow")" 0
	same "$(sed 's/ *$//' <<<"$narrow")" \
		"$(guardmaps --sysroot tree stacks 100 | sed 's/ *$//')"
	# The table without it is 65 wide or so.
	local bars=0
	for columns in {65..100..5}; do
		narrow=$(LC_ALL=C on_terminal "$columns")
		same "$(awk -v width="$columns" 'length > width' <<<"$narrow")" ""
		((bars += $(grep -c BAR <<<"$narrow"))) || true
	done
	((bars > 0 && bars < 8))
}

@test "BAR is not added in other formats, to columns that -o names, or in a pipe" {
	record_stack 0x1800 0x4000
	for options in -r -J -P "-o TID,NAME"; do
		same "$(on_terminal 200 $options)" \
			"$(guardmaps --sysroot tree stacks $options 100)"
	done
	same "$(guardmaps --sysroot tree stacks 100 | grep -c BAR)" 0
	[[ $(on_terminal 200 -o +SP) == *BAR*SP* ]]
	same "$(on_terminal 200 -o TID,BAR,NAME | head -n 1 | xargs)" "TID BAR NAME"
	same "$(on_terminal 200 -o +BAR | grep -o BAR)" BAR
}

# ---- Only some stacks --------------------------------------------------------

# Process 100 has a [stack] of 60 KiB above its guard. 48 KiB of it were used, so
# 12 KiB, a fifth, are left.
record_depth() {
	record_stack 0x1800 0xc000
}

# shows STATUS NAMES OPTION...: the threads that stacks shows of the tree.
shows() {
	try guardmaps --sysroot tree stacks -n -r -o NAME "${@:3}"
	same "$status $(xargs <<<"$output")" "$1 $2"
}

@test "--below shows the threads with less headroom than a share of their stacks" {
	record_depth
	shows 0 "" --below 20% 100
	shows 1 recorded --below 21% 100
	shows 1 recorded --below 100% 100
	shows 0 "" --below 1% 100
	same "$stderr" ""
}

@test "--below shows the threads with less headroom than a size" {
	record_depth
	for size in 12288 12K 101 1K; do
		shows 0 "" --below "$size" 100
	done
	for size in 12289 13K 1M 8G; do
		shows 1 recorded --below "$size" 100
	done
	same "$stderr" ""
}

@test "of several limits, the last one counts" {
	record_depth
	shows 0 "" --below 13K --below 20% 100
	shows 0 "" --below 21% --below 12K 100
}

@test "a stack that has overflowed is below every limit" {
	record_stack 0xf100 0xf000
	shows 1 recorded --below 101 100
	shows 1 recorded --below 1% 100
}

@test "--below and --unguarded together show what either shows" {
	start_target kinds -n deep
	local deep=$TARGET_PID
	start_target unguarded-threads:2 -n open
	local open=$TARGET_PID
	start_target threads:2 -n guarded
	for options in "--below 10%" "--unguarded" "--unguarded --below 10%"; do
		try guardmaps stacks -n -r -o NAME $options "$deep" "$open" "$TARGET_PID"
		same "$status" 1
		case $options in
		--below*) same "$(xargs <<<"$output")" "deep" ;;
		--unguarded) same "$(xargs <<<"$output")" "worker-1 worker-2" ;;
		*) same "$(xargs <<<"$output")" "deep worker-1 worker-2" ;;
		esac
	done
	try guardmaps stacks --unguarded --below 10% "$TARGET_PID"
	same "$status$output" 0
}

@test "if no stack is shown, nothing is printed, in JSON an empty array" {
	record_depth
	for format in "" -r -P; do
		try guardmaps --sysroot tree stacks $format --unguarded 100
		same "$status$output$stderr" 0
	done
	try guardmaps --sysroot tree stacks -J --unguarded 100
	same "$status$(json -c .)" '0{"threads":[]}'
}

@test "stacks whose headroom or guard is unknown are not shown, but counted" {
	record_depth
	record_thread 100 101 other
	record_thread 100 102 third
	shows 1 recorded --below 21% 100
	same "$stderr" "2 stacks may match, but HEADROOM is unknown"
	shows 0 "" --unguarded 100
	same "$stderr" "2 stacks may match, but GUARD is unknown"
	rm -r tree/proc/100/task/102
	shows 0 "" --unguarded --below 1K 100
	same "$stderr" "1 stack may match, but HEADROOM or GUARD is unknown"
}

@test "if PEAK is unknown, the stack pointer can show that less is left, not that more is" {
	record_stack 0xd000 0x4000
	record_page 100 0x10001000 "$pagemap_present"
	try guardmaps --sysroot tree stacks -n -r -o NOTE 100
	same "$output" 'peak\x20unknown'
	shows 1 recorded --below 9K 100
	same "$stderr" ""
	shows 0 "" --below 8K 100
	same "$stderr" "1 stack may match, but HEADROOM is unknown"
}

@test "a thread that has ended has no stack that may match" {
	record_depth
	record_thread 100 101 other
	echo '101 (other) Z 1 100 100 0 -1 4 0 0 0 0 0 0 0 0 20 0 2 0 5 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0' |
		record 100 task/101/stat
	same "$(guardmaps --sysroot tree stacks -n -r -o TID,NOTE 100 | tail -n 1)" \
		"101 ended"
	shows 0 "" --unguarded --below 1K 100
	same "$stderr" ""
}

@test "with --below or --unguarded, the exit status is 0, 1, 2 or 3" {
	record_depth
	record_process 101 unguarded
	record_process 102 damaged
	echo 'no line of maps' | record 102 maps
	local damaged="guardmaps: tree/proc/102/maps: malformed line 1"
	# All were read: there are none, or some.
	shows 0 "" --below 1K 100
	shows 1 recorded --below 21% 100
	# Nothing could be read.
	shows 2 "" --below 21% 102
	same "$stderr" "$damaged"
	# Some could not be read: there are none in the others, or some.
	for processes in "100 102" "102 100"; do
		shows 3 "" --below 1K $processes
		same "$stderr" "$damaged"
		shows 1 recorded --below 21% $processes
		same "$stderr" "$damaged"
	done
	rm -r tree/proc/101
	shows 3 "" --below 1K -a
	shows 1 recorded --below 21% -a
	same "$stderr" "$damaged"
	# Without them, nothing has changed.
	shows 1 recorded -a
}

@test "with processes that may not be read, none found is 3, and some found is 1" {
	needs_two_users
	start_target_as_nobody unguarded-threads:1 -n mine
	try as_nobody guardmaps stacks -a --unguarded -n -r -o PID,NAME
	same "$status" 1
	grep -qx "$TARGET_PID worker-1" <<<"$output"
	[[ $stderr == *"could not be read: Permission denied"* ]]
	local mine=$TARGET_PID
	start_target unguarded-threads:1 -n secret
	try as_nobody guardmaps stacks --below 101 "$mine" "$TARGET_PID"
	same "$status$output" 3
	matches "$stderr" "guardmaps: $TARGET_PID \(secret\): .*Permission denied.*"
	try as_nobody guardmaps stacks --below 101 "$TARGET_PID"
	same "$status$output" 2
}

@test "a limit that is ambiguous, invalid or that no stack can be below is refused" {
	for limit in "" x 10x 10%% 10%x -1 -1% +5K 1.5M 1e3 "1 K" 99999999999999999999; do
		refuses "invalid size: '$limit'" guardmaps stacks --below "$limit" 1
	done
	for limit in % 0% 101% 00% 99999999999999999999999%; do
		refuses "invalid percentage: '$limit' (1% to 100%)" \
			guardmaps stacks --below "$limit" 1
	done
	for limit in 0 10 100 0K; do
		refuses "invalid size: '$limit' (at least 101 bytes; add % for a percentage)" \
			guardmaps stacks --below "$limit" 1
	done
	for verb in list maps explain save show diff check; do
		refuses "--below cannot be used with $verb" \
			guardmaps "$verb" --below 10% 1
		refuses "--unguarded cannot be used with $verb" \
			guardmaps "$verb" --unguarded 1
	done
}

# ---- Without memory, and what it refuses -----------------------------------

@test "a kernel thread or a zombie is reported as having no memory, exit 0" {
	start_zombie
	try guardmaps stacks "$ZOMBIE"
	same "$status" 0
	same "${#lines[@]}" 1
	matches "$stderr" "$ZOMBIE \(.+\): a zombie has no memory"
	find_kernel_thread
	try guardmaps stacks "$KERNEL_THREAD"
	same "$status" 0
	same "$stderr" "2 (kthreadd): a kernel thread has no memory of its own"
}

@test "a process that does not exist is reported, the others are listed, exit 1" {
	start_target threads:1
	local gone
	gone=$(dead_pid)
	try guardmaps stacks -n -o TID "$gone" "$TARGET_PID"
	same "$status" 1
	same "${#lines[@]}" 2
	same "$stderr" "guardmaps: no process $gone (no /proc/$gone)"
}

@test "an unknown column is refused, and the known ones are listed" {
	refuses "unknown column: NOPE (known: PID COMMAND TID NAME STACK STACKEND SIZE SP USED PEAK HEADROOM BAR RSS HUGE GUARD GUARDSTART GUARDSIZE EVIDENCE NOTE)" \
		guardmaps stacks -o NOPE 1
}

@test "stacks requires a process" {
	refuses "stacks requires PID..." guardmaps stacks
	refuses "no process is named 'x'" guardmaps stacks x
	refuses "--markers cannot be used with stacks" guardmaps stacks --markers 1
}
