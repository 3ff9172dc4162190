#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# guardmaps [list] PID...: a row for each guard region.

load helpers

# ---- What it shows ---------------------------------------------------------

@test "a row for each guard region shows where it is, what it protects and its owner" {
	start_target threads:3
	try guardmaps "$TARGET_PID"
	same "$status" 0
	same "$stderr" ""
	matches "${lines[0]}" "START +END +SIZE KIND +OWNER +PERM MAPPING"
	same "${#lines[@]}" 4
	matches "${lines[1]}" \
		"0x[0-9a-f]+ 0x[0-9a-f]+ +4K stack worker-1 \([0-9]+\) +rw-p ?"
}

@test "one region is found" {
	start_target run:1
	has_guards_of_target
}

@test "600 regions are found, each once" {
	start_target alternate:600
	has_guards_of_target
}

@test "5000 regions are found, each once" {
	start_target alternate:5000
	has_guards_of_target
}

@test "a region of 5000 pages is one row" {
	start_target run:5000
	try guardmaps -o PAGES,SIZE --bytes --noheadings --raw "$TARGET_PID"
	same "$output" "5000 $((5000 * $(getconf PAGESIZE)))"
}

@test "adjacent regions in two mappings are two rows" {
	start_target boundary
	same "$(wc -l <"$TARGET_GUARDS")" 2
	has_guards_of_target
}

@test "regions that cross a page table are one row each" {
	start_target big
	has_guards_of_target
}

@test "regions in 100 adjacent mappings are found" {
	start_target mappings:100
	has_guards_of_target
}

@test "regions in 64 GiB of reserved memory are found" {
	start_target sparse:64:100
	has_guards_of_target
}

@test "regions in huge pages are found" {
	start_target thp
	has_guards_of_target
}

@test "regions in locked memory are found" {
	start_target mlocked
	has_guards_of_target
}

@test "regions in a PROT_NONE mapping are found" {
	start_target prot-none
	has_guards_of_target
}

@test "regions in files and in shared memory are found" {
	start_target files
	has_guards_of_target
	start_target memfd
	has_guards_of_target
}

@test "regions in the heap, the first stack and a program's file are found" {
	start_target kinds
	has_guards_of_target
}

@test "regions that the C library installed below its stacks are found" {
	start_target glibc-threads:3
	has_guards_of_target
}

@test "a child has the regions it inherited, except those it removed since" {
	start_target fork
	has_guards_of_target
}

@test "a stopped process is read like any other" {
	start_target threads:3
	kill -STOP "$TARGET_PID"
	has_guards_of_target
}

@test "the id of a thread stands for its process" {
	start_target threads:2
	local tid
	tid=$(guardmaps -n -r -o TID "$TARGET_PID" | tail -n 1)
	[ "$tid" -ne "$TARGET_PID" ]
	same "$(guardmaps "$tid")" "$(guardmaps "$TARGET_PID")"
}

# ---- Sources ---------------------------------------------------------------

@test "all sources report the same rows" {
	start_target big
	for source in $(known_sources); do
		has_guards_of_target "$source"
	done
	start_target files
	for source in $(known_sources); do
		has_guards_of_target "$source"
	done
	start_target alternate:600
	for source in $(known_sources); do
		has_guards_of_target "$source"
	done
}

@test "SOURCE names the source that was asked for" {
	start_target run:1
	for source in $(known_sources); do
		same "$(guardmaps --source "$source" -n -r -o SOURCE "$TARGET_PID")" \
			"$source"
	done
}

@test "SOURCE names the source that was chosen, the first one that works" {
	start_target run:1
	local first
	first=$(known_sources | head -n 1)
	[ -n "$first" ]
	same "$(guardmaps -n -r -o SOURCE "$TARGET_PID")" "$first"
	same "$(guardmaps --source auto -n -r -o SOURCE "$TARGET_PID")" "$first"
}

@test "a source that does not work is an error with a reason, not an empty list" {
	start_target run:1
	for source in guards scan pagemap markers; do
		if known_sources | grep -qx "$source"; then
			continue
		fi
		try guardmaps --source "$source" "$TARGET_PID"
		same "$status" 2
		same "$output" ""
		matches "$stderr" "guardmaps: $TARGET_PID \(target\): cannot use source $source: .+"
	done
}

@test "without CAP_SYS_ADMIN, the source markers reports that it needs it" {
	needs_two_users
	start_target_as_nobody run:1
	refuses "$TARGET_PID (target): cannot use source markers: swap entries in pagemap are hidden (needs CAP_SYS_ADMIN)" \
		as_nobody guardmaps --source markers "$TARGET_PID"
}

@test "users can read the guards of their own processes without capabilities" {
	needs_two_users
	start_target_as_nobody threads:3
	same "$(as_nobody guardmaps "$TARGET_PID")" "$(guardmaps "$TARGET_PID")"
}

@test "CAP_SYS_PTRACE suffices for the guards file, and an error names what pagemap needs" {
	needs_two_users
	start_target run:3
	tracer() {
		as_nobody --inh-caps=+sys_ptrace --ambient-caps=+sys_ptrace "$@"
	}
	if [ -e /proc/self/guards ]; then
		same "$(tracer guardmaps "$TARGET_PID")" "$(guardmaps "$TARGET_PID")"
	fi
	refuses "$TARGET_PID (target): cannot read /proc/$TARGET_PID/pagemap: Permission denied (needs CAP_DAC_READ_SEARCH)" \
		tracer guardmaps --source scan "$TARGET_PID"
}

# ---- Columns ---------------------------------------------------------------

# Compare the cells about the mapping with its line in /proc/PID/maps.
check_mappings() {
	local start mapstart mapend perm offset dev inode mapping
	local line range line_perm line_offset line_dev line_inode line_name
	local expected_offset rows=0

	while IFS=$'\t' read -r start mapstart mapend perm offset dev inode mapping; do
		line=$(grep "^${mapstart#0x}-${mapend#0x} " "/proc/$TARGET_PID/maps")
		read -r range line_perm line_offset line_dev line_inode line_name <<<"$line"
		same "$range $perm" "${mapstart#0x}-${mapend#0x} $line_perm"
		same "$dev $inode" "$line_dev $line_inode"
		same "$mapping" "$line_name"
		expected_offset=$((16#$line_offset))
		if [ "$inode" -ne 0 ]; then
			((expected_offset += start - mapstart)) || true
		fi
		same "$((offset))" "$expected_offset"
		((++rows))
	done < <(guardmaps -J -o START,MAPSTART,MAPEND,PERM,OFFSET,DEV,INODE,MAPPING \
		"$TARGET_PID" | jq -r '.guards[] | map_values(. // "") | [.start,
			.mapstart, .mapend, .perm, .offset, .dev, .inode, .mapping]
			| @tsv')
	same "$rows" "$(wc -l <"$TARGET_GUARDS")"
}

@test "PERM, MAPPING, OFFSET, DEV, INODE, MAPSTART and MAPEND agree with /proc/PID/maps" {
	for layout in files memfd boundary kinds prot-none threads:2; do
		start_target "$layout"
		check_mappings
	done
}

@test "KIND of a region below a thread's stack is stack, and OWNER names the thread" {
	start_target threads:3
	local tid expected=""
	for tid in $(ls "/proc/$TARGET_PID/task" | sort -n); do
		if [ "$tid" -ne "$TARGET_PID" ]; then
			expected+="stack|$(<"/proc/$TARGET_PID/task/$tid/comm") ($tid)|$tid"$'\n'
		fi
	done
	try guardmaps -J -o KIND,OWNER,TID "$TARGET_PID"
	same "$(json '.guards[] | "\(.kind)|\(.owner)|\(.tid)"' | sort)" \
		"$(sort <<<"${expected%$'\n'}")"
	same "$(json '.guards[0].owner | sub(" .*"; "")')" "worker-1"
}

@test "KIND of a region in anonymous memory is anon, and it has no OWNER" {
	start_target run:1
	try guardmaps -J -o KIND,OWNER,TID "$TARGET_PID"
	same "$(json -c '.guards[]')" '{"kind":"anon","owner":null,"tid":null}'
}

@test "KIND of a region in a mapped file is file" {
	start_target files
	same "$(guardmaps -n -r -o KIND "$TARGET_PID" | uniq -c | xargs)" "4 file"
}

@test "KIND of a region in a memfd or in shared anonymous memory is shmem" {
	start_target memfd
	same "$(guardmaps -n -r -o KIND "$TARGET_PID" | uniq -c | xargs)" "3 shmem"
}

@test "KIND of a region in [heap] is heap, in [stack] main-stack" {
	start_target kinds
	same "$(guardmaps -n -r -o MAPPING,KIND "$TARGET_PID" | grep '^\[')" \
		$'[heap] heap\n[stack] main-stack'
}

@test "a region in the first thread's stack is owned by the first thread" {
	start_target kinds -n first
	same "$(guardmaps -n -r -o KIND,TID "$TARGET_PID" | grep main-stack)" \
		"main-stack $TARGET_PID"
}

@test "COMMAND is the name of the process, MARKER is guard" {
	start_target run:1 -n "my name"
	try guardmaps -n -o PID,COMMAND,MARKER "$TARGET_PID"
	same "$output" "$TARGET_PID my name guard"
}

@test "-o chooses columns and their order, in upper or lower case" {
	start_target run:1
	try guardmaps -o KIND,pages,Perm "$TARGET_PID"
	same "$output" $'KIND PAGES PERM\nanon     1 rw-p'
	try guardmaps --output=KIND,pages,Perm "$TARGET_PID"
	same "$output" $'KIND PAGES PERM\nanon     1 rw-p'
}

@test "-o +COLUMNS adds to the columns that are printed by default" {
	start_target run:1
	try guardmaps -o +PAGES,SOURCE "$TARGET_PID"
	same "$status" 0
	same "$(xargs <<<"${lines[0]}")" \
		"START END SIZE KIND OWNER PERM MAPPING PAGES SOURCE"
}

@test "a column may be named twice" {
	start_target run:1
	try guardmaps -r -o KIND,KIND "$TARGET_PID"
	same "$output" $'KIND KIND\nanon anon'
}

# In that locale, i is not the lower case of I.
@test "columns have the same names in a Turkish locale" {
	localedef -i tr_TR -f UTF-8 ./tr_TR.UTF-8 2>/dev/null ||
		skip "no Turkish locale (package locales)"
	start_target run:1
	local -x LOCPATH=$PWD LC_ALL=tr_TR.UTF-8
	same "$(guardmaps -n -r -o pid "$TARGET_PID")" "$TARGET_PID"
	try guardmaps -J -o PID "$TARGET_PID"
	same "$(json '.guards[].pid')" "$TARGET_PID"
}

@test "an unknown column is refused, and the known ones are listed" {
	local known="PID COMMAND START END SIZE PAGES KIND OWNER TID MARKER SOURCE PERM OFFSET DEV INODE MAPSTART MAPEND MAPPING"
	start_target run:1
	for columns in NOPE START,NOPE +NOPE NOPE,START; do
		refuses "unknown column: NOPE (known: $known)" \
			guardmaps -o "$columns" "$TARGET_PID"
	done
	refuses "unknown column: STAR (known: $known)" \
		guardmaps -o STAR "$TARGET_PID"
	refuses "unknown column:  (known: $known)" guardmaps -o "" "$TARGET_PID"
}

@test "an unknown column is refused before anything is read" {
	try guardmaps -o NOPE "$(dead_pid)"
	same "$status" 2
	matches "$stderr" "guardmaps: unknown column: NOPE .*"
}

# ---- Several processes -----------------------------------------------------

@test "several processes are one table, with PID as its first column" {
	start_target threads:2
	local first=$TARGET_PID
	start_target run:1
	try guardmaps "$first" "$TARGET_PID"
	same "$status" 0
	matches "${lines[0]}" " *PID START .*"
	same "$(awk 'NR > 1 { print $1 }' <<<"$output" | xargs)" \
		"$first $first $TARGET_PID"
}

@test "several processes have no column PID if -o names the columns" {
	start_target run:1
	try guardmaps -n -o KIND "$TARGET_PID" "$TARGET_PID"
	same "$output" $'anon\nanon'
}

@test "a process that does not exist is reported, the others are listed, exit 1" {
	start_target run:1
	local gone
	gone=$(dead_pid)
	try guardmaps -n -o PID "$gone" "$TARGET_PID"
	same "$status" 1
	same "$output" "$TARGET_PID"
	same "$stderr" "guardmaps: no process $gone (no /proc/$gone)"
}

@test "5000 regions of one process and 3 of another are one table" {
	start_target alternate:5000
	local first=$TARGET_PID
	start_target threads:3
	guardmaps "$first" "$TARGET_PID" >table
	same "$(wc -l <table)" 5004
	same "$(grep -c PID table)" 1
	same "$(tail -n 3 table | awk '{ print $1 }' | uniq)" "$TARGET_PID"
}

# ---- Processes without guards ----------------------------------------------

@test "for a process without guards, only the heading and a note are printed, exit 0" {
	start_target none
	try guardmaps "$TARGET_PID"
	same "$status" 0
	same "$output" "START END SIZE KIND OWNER PERM MAPPING"
	same "$stderr" "$TARGET_PID (target): no guard regions"
}

@test "the note about a process without guards names it" {
	start_target none -n lazy
	local without=$TARGET_PID
	start_target run:1
	try guardmaps -n -o PID "$without" "$TARGET_PID"
	same "$status" 0
	same "$output" "$TARGET_PID"
	same "$stderr" "$without (lazy): no guard regions"
}

@test "a kernel thread is reported as such, exit 0" {
	find_kernel_thread
	try guardmaps "$KERNEL_THREAD"
	same "$status" 0
	same "$stderr" "2 (kthreadd): a kernel thread has no memory of its own"
}

@test "a zombie is reported as such, exit 0" {
	start_zombie
	try guardmaps "$ZOMBIE"
	same "$status" 0
	matches "$stderr" "$ZOMBIE \(.+\): a zombie has no memory"
}

@test "a process that ends while being read is reported, and never shown in part" {
	for i in {1..20}; do
		start_target alternate:600
		kill -KILL "$TARGET_PID" &
		try guardmaps -n -r -o START,END "$TARGET_PID"
		case $status in
		0)
			[[ -n $output ]] || matches "$stderr" "$TARGET_PID .*: a zombie has no memory"
			[[ -z $output ]] || same "$output" "$(<"$TARGET_GUARDS")"
			;;
		2)
			same "$output" ""
			matches "$stderr" "guardmaps: ($TARGET_PID \(target\): ended while being read|no process $TARGET_PID .*)"
			;;
		*)
			false
			;;
		esac
		wait "$!" "$TARGET_PARENT" || true
	done
}

# While its memory is being freed, it has none, but is not yet a zombie.
@test "a process whose memory is being freed is reported as ended" {
	for i in 1 2 3; do
		start_target resident:512
		kill -KILL "$TARGET_PID"
		try guardmaps "$TARGET_PID"
		[[ $stderr == "$TARGET_PID (target): no guard regions" ]] ||
			matches "$stderr" "(guardmaps: )?($TARGET_PID \(target\): (ended while being read|a zombie has no memory)|no process $TARGET_PID .*)"
		stop_targets
	done
}
