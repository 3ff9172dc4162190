#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# guardmaps -a: a row for each process that has guard regions.

load helpers

# There may be other processes on the machine that cannot be read: try_all
# accepts that as success, but nothing else.
try_all() {
	try "$@"
	[ "$status" -eq 0 ] ||
		matches "$status $stderr" "1 guardmaps: [0-9]+ process(es)? could not be read: Permission denied.*"
}

# totals_of PID: its row in the JSON output.
totals_of() {
	json --argjson pid "$1" '.processes[] | select(.pid == $pid)
		| "\(.command) \(.regions) \(.size) \(.mappings) \(.saved)"'
}

# ---- What it shows ---------------------------------------------------------

@test "without processes in a recorded tree, -a fails" {
	mkdir -p empty/proc
	refuses "no processes in empty/proc" guardmaps --sysroot empty -a
}

@test "without processes in /proc, -a fails" {
	needs_mounts
	[[ $build != */sanitizers ]] || skip "sanitizers need /proc themselves"
	refuses "no processes in /proc (it may not be mounted)" \
		in_mount_namespace sh -c 'mount -t tmpfs none /proc && exec guardmaps -a'
}

@test "-a shows each process that has guards: regions, their size and mappings" {
	local page
	page=$(getconf PAGESIZE)
	start_target run:100 -n one-region
	local one=$TARGET_PID
	start_target files -n in-files
	local files=$TARGET_PID
	start_target threads:3 -n with-threads
	local threads=$TARGET_PID
	try_all guardmaps -a -J
	same "$(totals_of "$one")" "one-region 1 $((100 * page)) 1 2"
	same "$(totals_of "$files")" "in-files 4 $((5 * page)) 3 6"
	same "$(totals_of "$threads")" "with-threads 3 $((3 * page)) 1 5"
	same "$(guardmaps --all --json 2>/dev/null | jq -c --argjson pid "$one" \
		'.processes[] | select(.pid == $pid)')" \
		"$(json -c --argjson pid "$one" '.processes[] | select(.pid == $pid)')"
}

# Three adjacent stacks are one mapping. With PROT_NONE guards, they would be
# six: three guards and three stacks.
@test "SAVED is the number of extra mappings that PROT_NONE guards would need" {
	start_target threads:3
	local threads=$TARGET_PID
	start_target alternate:100
	local alternate=$TARGET_PID
	start_target boundary
	local boundary=$TARGET_PID
	try_all guardmaps -a -J
	same "$(totals_of "$threads" | cut -d ' ' -f 5)" 5
	same "$(totals_of "$alternate" | cut -d ' ' -f 5)" 199
	same "$(totals_of "$boundary" | cut -d ' ' -f 5)" 2
}

@test "-a leaves out processes without guards" {
	start_target none
	try_all guardmaps -a -J
	same "$(totals_of "$TARGET_PID")" ""
}

@test "-a prints a table, in the order of process ids" {
	start_target run:1
	start_target run:1
	try_all guardmaps -a
	matches "${lines[0]}" " *PID COMMAND +REGIONS +SIZE MAPPINGS +SAVED MAPS%"
	awk 'NR > 1 && $1 != "total" { print $1 }' <<<"$output" >pids
	sort -n -c pids
}

@test "-a -J is an object with one array, processes" {
	start_target run:1
	try_all guardmaps -a -J
	same "$(json -c keys)" '["processes"]'
	same "$(json -c '.processes | map(keys_unsorted) | unique[]')" \
		'["pid","command","regions","size","mappings","saved","maps%"]'
	same "$(json -c '[.processes[] | .pid, .regions, .size, .mappings, .saved
		| type] | unique')" '["number"]'
}

@test "-a accepts -o, -n, -r, -P and -b" {
	start_target run:2 -n chosen
	local size=$((2 * $(getconf PAGESIZE)))
	try_all guardmaps -a -n -r -b -o PID,COMMAND,SIZE
	grep -qx "$TARGET_PID chosen $size" <<<"$output"
	try_all guardmaps -a -P -o COMMAND,PID
	grep -qx "COMMAND=\"chosen\" PID=\"$TARGET_PID\"" <<<"$output"
	try_all guardmaps -a -n -r -o +SOURCE
	grep -Eqx "$TARGET_PID chosen 1 8K 1 2 [0-9.]+ $(known_sources | head -n 1)" \
		<<<"$output"
}

@test "all sources report the same totals" {
	start_target files
	local expected
	try_all guardmaps -a -J
	expected=$(totals_of "$TARGET_PID")
	for source in $(known_sources); do
		try_all guardmaps -a -J --source "$source"
		same "$(totals_of "$TARGET_PID")" "$expected"
	done
}

@test "-a lists the processes of a recorded tree" {
	record_process 100 with
	echo '10000000-10010000 rw-p 00000000 00:00 0' | record 100 maps
	echo '10001000-10003000 ---p 00000000 00:00 0' | record 100 guards
	record_process 9 without
	echo '10000000-10010000 rw-p 00000000 00:00 0' | record 9 maps
	record 9 guards </dev/null
	echo 'not a process' | record self-made note
	try guardmaps -a --sysroot tree
	same "$status" 0
	same "$stderr" ""
	same "$output" "\
PID COMMAND REGIONS SIZE MAPPINGS SAVED MAPS%
100 with          1   8K        1     2      "
}

@test "-a of a tree without guards prints only the heading, in JSON an empty array" {
	record_process 9 without
	echo '10000000-10010000 rw-p 00000000 00:00 0' | record 9 maps
	record 9 guards </dev/null
	try guardmaps -a --sysroot tree
	same "$status $stderr" "0 "
	same "$output" "PID COMMAND REGIONS SIZE MAPPINGS SAVED MAPS%"
	try guardmaps -a -J --sysroot tree
	same "$(json -c .)" '{"processes":[]}'
}

# ---- Mappings --------------------------------------------------------------

@test "MAPS is the number of all mappings, MAPS% their share of vm.max_map_count" {
	start_target alternate:100
	try_all guardmaps -a -n -r -o PID,MAPS,MAXMAPS,MAPS%
	local limit maps
	limit=$(</proc/sys/vm/max_map_count)
	maps=$(grep -cv vsyscall "/proc/$TARGET_PID/maps")
	grep -qx "$TARGET_PID $maps $limit [0-9]*\.[0-9]" <<<"$output"
}

# record_guarded PID NAME MAPPINGS: a process with a guard in the first of them.
record_guarded() {
	record_process "$1" "$2"
	for ((i = 0; i < $3; i++)); do
		printf '%x-%x rw-p 00000000 00:00 0\n' $(((i * 2 + 1) << 20)) \
			$(((i * 2 + 2) << 20))
	done | record "$1" maps
	echo '00100000-00102000 ---p 00000000 00:00 0' | record "$1" guards
}

record_limit() {
	mkdir -p tree/proc/sys/vm
	echo "$1" >tree/proc/sys/vm/max_map_count
}

@test "in a recorded tree, MAXMAPS is the recorded limit" {
	record_guarded 100 some 3
	record_guarded 101 more 30
	echo 'ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]' \
		>>tree/proc/101/maps
	record_limit 200
	try guardmaps --sysroot tree -a -n -r -o PID,MAPS,MAXMAPS,MAPS%
	same "$output$stderr" $'100 3 200 1.5\n101 30 200 15.0'
	try guardmaps --sysroot tree -a -J -o MAPS%,MAXMAPS
	same "$(json -c '.processes[0]')" '{"maps%":1.5,"maxmaps":200}'
}

@test "MAXMAPS and MAPS% are empty if the limit cannot be read" {
	record_guarded 100 some 3
	for limit in missing '' x link fifo; do
		rm -rf tree/proc/sys
		case $limit in
		missing) ;;
		link)
			mkdir -p tree/proc/sys/vm
			ln -s /proc/sys/vm/max_map_count tree/proc/sys/vm/
			;;
		fifo)
			mkdir -p tree/proc/sys/vm
			mkfifo tree/proc/sys/vm/max_map_count
			;;
		*) record_limit "$limit" ;;
		esac
		try guardmaps --sysroot tree -a -J -o MAPS,MAXMAPS,MAPS%
		same "$status$stderr" 0
		same "$(json -c '.processes[]')" \
			'{"maps":3,"maxmaps":null,"maps%":null}'
	done
}

# ---- Control groups --------------------------------------------------------

# cgroup_of FILE: CGROUP, UNIT and UUNIT of a process with this cgroup file.
cgroup_of() {
	[ -e tree/proc/100/maps ] || record_guarded 100 some 1
	echo "$1" | record 100 cgroup
	guardmaps --sysroot tree -a -J -o CGROUP,UNIT,UUNIT |
		jq -r '.processes[] | "\(.cgroup) \(.unit) \(.uunit)"'
}

@test "CGROUP is the path in version 2, or of systemd in version 1" {
	same "$(cgroup_of '0::/a/b')" "/a/b null null"
	same "$(cgroup_of $'12:pids:/p\n1:name=systemd:/s\n0::/v2')" "/s null null"
	same "$(cgroup_of $'12:pids:/p\n0::/v2\n3:cpu,cpuacct:/c')" "/v2 null null"
	same "$(cgroup_of '0::/a b:c/d')" "/a b:c/d null null"
	same "$(cgroup_of '0::/')" "/ null null"
	for none in '' '12:pids:/p' 'nonsense' '1:name=openrc:/x' ':'; do
		same "$(cgroup_of "$none")" "null null null"
	done
}

@test "UNIT is the first component that is not a slice, if it is a unit" {
	while read -r path unit user_unit; do
		same "$(cgroup_of "0::$path")" "$path $unit $user_unit"
	done <<-'END'
		/system.slice/cron.service cron.service null
		/system.slice/system-getty.slice/getty@tty1.service getty@tty1.service null
		/init.scope init.scope null
		/system.slice/a.service/b.service/worker a.service null
		/user.slice/user-1000.slice/session-2.scope session-2.scope null
		/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope/y user@1000.service app-x.scope
		/user.slice/user-1000.slice/user@1000.service/init.scope user@1000.service init.scope
		/user.slice/user-1000.slice/user@1000.service user@1000.service null
		/system.slice/_cgroup.service cgroup.service null
		/system.slice/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef-and-a-name-that-is-longer-than-it-should-be.scope docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef-and-a-name-that-is-longer-than-it-should-be.scope null
		/user.slice null null
		/docker/0123 null null
		/.slice/.service null null
		/service null null
		/../../system.slice/a.service null null
	END
	same "$(cgroup_of '0::/system.slice/gone.service (deleted)')" \
		"/system.slice/gone.service (deleted) gone.service null"
}

@test "CGROUP and UNIT of a live process are those in /proc/PID/cgroup" {
	start_target run:1
	local path
	path=$(sed -n 's/^[0-9]*:name=systemd://p' "/proc/$TARGET_PID/cgroup")
	[ -n "$path" ] ||
		path=$(sed -n 's/^0:://p' "/proc/$TARGET_PID/cgroup")
	[ -n "$path" ] || skip "no cgroups of version 2"
	try_all guardmaps -a -J -o PID,CGROUP
	same "$(json --argjson pid "$TARGET_PID" '.processes[]
		| select(.pid == $pid) | .cgroup')" "$path"
}

@test "a cgroup file that leads out of the tree is reported" {
	record_guarded 100 some 1
	ln -s /proc/self/cgroup tree/proc/100/cgroup
	try guardmaps --sysroot tree -a -n -r -o PID,CGROUP
	same "$status" 1
	same "$output" "100 "
	same "$stderr" "guardmaps: 100 (some): cannot read tree/proc/100/cgroup: it is a link out of the recorded tree"
	try guardmaps --sysroot tree -a -n -r -o PID
	same "$status $stderr" "0 "
}

# ---- The total -------------------------------------------------------------

@test "a table of several processes ends with their total" {
	record_guarded 100 some 3
	record_guarded 101 more 30
	record_limit 65530
	try guardmaps --sysroot tree -a -o +MAPS,SOURCE
	same "$status$stderr" 0
	same "$output" "\
PID COMMAND REGIONS SIZE MAPPINGS SAVED MAPS% MAPS SOURCE
100 some          1   8K        1     1   0.0    3 guards
101 more          1   8K        1     1   0.0   30 guards
    total         2  16K        2     2         33 "
}

@test "the total is only in tables that have headings and a column to name it" {
	record_guarded 100 some 3
	record_guarded 101 more 30
	for options in -n -r -J -P "-o PID,SIZE" "-n -o COMMAND"; do
		try guardmaps --sysroot tree -a $options
		[[ $output != *total* ]]
		[[ $output != *16* ]]
	done
	rm -r tree/proc/101
	try guardmaps --sysroot tree -a
	same "${#lines[@]}" 2
}

# ---- What it cannot read ---------------------------------------------------

@test "-a reports the number of processes it may not read in one last line, exit 1" {
	needs_two_users
	start_target threads:3
	local of_root=$TARGET_PID
	start_target_as_nobody run:1 -n mine
	try as_nobody guardmaps -a -J
	same "$status" 1
	same "$(totals_of "$of_root")" ""
	matches "$(totals_of "$TARGET_PID")" "mine 1 .*"
	same "${#stderr_lines[@]}" 1
	matches "$stderr" "guardmaps: [0-9]+ process(es)? could not be read: Permission denied \(of other users, or not dumpable: needs CAP_SYS_PTRACE\)"
}

# Kernel threads have no exe, and zombies have none either.
count_programs() {
	find /proc -mindepth 2 -maxdepth 2 -path '/proc/[0-9]*/exe' \
		-exec readlink -q {} + 2>/dev/null | wc -l
}

@test "-a does not count kernel threads and zombies as processes it may not read" {
	needs_two_users
	find_kernel_thread
	start_zombie
	local before after threads
	before=$(count_programs)
	try as_nobody guardmaps -a
	after=$(count_programs)
	threads=$(ps --no-headers --ppid 2 | wc -l)
	matches "$stderr" "guardmaps: ([0-9]+) processes could not be read.*"
	# Other programs come and go meanwhile; the kernel's threads are dozens.
	((BASH_REMATCH[2] <= (before > after ? before : after) + threads / 2))
}

@test "-a with a source that does not work reports the reason once, exit 2" {
	local source
	for source in guards scan pagemap markers; do
		if known_sources | grep -qx "$source"; then
			continue
		fi
		try guardmaps -a --source "$source"
		same "$status" 2
		same "$output" ""
		same "$(grep -c "cannot use source $source" <<<"$stderr")" 1
	done
}

@test "-a --source markers without CAP_SYS_ADMIN reports that it needs it" {
	needs_two_users
	start_target_as_nobody run:1
	try as_nobody guardmaps -a --source markers
	same "$status" 2
	[[ $stderr == *CAP_SYS_ADMIN* ]]
}

@test "-a reports a damaged recorded process and lists the others" {
	record_process 100 good
	echo '10000000-10010000 rw-p 00000000 00:00 0' | record 100 maps
	echo '10001000-10003000 ---p 00000000 00:00 0' | record 100 guards
	record_process 101 bad
	echo 'no line of maps' | record 101 maps
	record 101 guards </dev/null
	try guardmaps -a -n -r -o PID --sysroot tree
	same "$status" 1
	same "$output" 100
	same "$stderr" "guardmaps: tree/proc/101/maps: malformed line 1"
}

@test "-a of a tree that does not exist is an error" {
	refuses "cannot read nowhere/proc: No such file or directory" \
		guardmaps -a --sysroot nowhere
}

# ---- What it survives ------------------------------------------------------

@test "-a silently skips processes that come and go while it reads" {
	start_target run:1
	# Each lives a moment; they stop with this shell if the test does not.
	start_group bash -c 'while [ -e "/proc/$2" ]; do
		"$1" threads:2 &
		sh -c :
		kill -KILL "$!"
	done' bash "$build/tests/target" "$$"
	for i in {1..30}; do
		try_all guardmaps -a -n -r -o PID,REGIONS
		grep -qx "$TARGET_PID 1" <<<"$output"
	done
	is_alive "${started_groups[0]}"
}

# ---- What it refuses -------------------------------------------------------

@test "all is the same as -a" {
	# A tree, because live processes come and go.
	record_process 100 recorded
	echo '10000000-10010000 rw-p 00000000 00:00 0' | record 100 maps
	echo '10001000-10003000 ---p 00000000 00:00 0' | record 100 guards
	try guardmaps all --sysroot tree
	same "$status" 0
	same "${#lines[@]}" 2
	same "$(guardmaps -a --sysroot tree)" "$output"
	same "$(guardmaps -a all --sysroot tree)" "$output"
	refuses "too many arguments for all" guardmaps all 100 --sysroot tree
}

@test "-a cannot be used with a process" {
	refuses "--all cannot be used with a process" guardmaps -a 1
	refuses "--all cannot be used with a process" guardmaps 1 --all
}

@test "-a cannot be used with other commands" {
	for verb in list maps explain save show diff check; do
		refuses "--all cannot be used with $verb" guardmaps -a "$verb"
	done
}

@test "an unknown column of -a is refused, and the known ones are listed" {
	refuses "unknown column: START (known: PID COMMAND REGIONS SIZE MAPPINGS SAVED MAPS MAXMAPS MAPS% CGROUP UNIT UUNIT SOURCE)" \
		guardmaps -a -o START
}
