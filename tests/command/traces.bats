#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# guardmaps leaves no trace: no file, no process, no change in what it reads.

load helpers

# Every usage that reads $1, a process with guards.
every_call() {
	guardmaps "$1" &&
		guardmaps -J "$1" &&
		guardmaps maps "$1" &&
		guardmaps stacks "$1" &&
		guardmaps explain "$1" 0 1000 &&
		guardmaps check &&
		guardmaps --help &&
		for source in $sources; do
			guardmaps --source "$source" "$1" || return
		done
	guardmaps -a || [ "$?" -eq 1 ]
}

@test "all commands except save work on a read-only file system" {
	needs_mounts
	start_target threads:3
	sources=$(known_sources)
	export -f every_call
	export sources
	in_mount_namespace bash -e -c '
		while read -r device directory type rest; do
			case $directory in
			/proc* | /sys* | /dev) ;;
			*) mount -o remount,bind,ro "$directory" || true ;;
			esac
		done </proc/mounts
		! touch file /tmp/file /dev/shm/file || exit
		every_call "$1"' bash "$TARGET_PID" >output 2>errors
	grep -q worker-3 output
	same "$(grep -ci "read-only" errors)" 3
}

@test "save writes only its image" {
	start_target threads:3
	mkdir empty
	cd empty
	TMPDIR=$PWD HOME=$PWD guardmaps save "$TARGET_PID" image
	same "$(ls -A)" image
}

@test "no process is left running" {
	start_target threads:3
	sources=$(known_sources)
	# Whatever is left by a session's leader is still of that session.
	setsid bash -c "$(declare -f every_call)
		sources='$sources'
		echo \$\$ >session
		every_call $TARGET_PID >/dev/null 2>&1"
	same "$(ps -s "$(<session)" -o pid=,args=)" ""
}

@test "the process that is read is neither stopped nor traced" {
	start_target spinning
	for i in {1..20}; do
		guardmaps "$TARGET_PID" >/dev/null
		guardmaps stacks "$TARGET_PID" >/dev/null
		same "$(grep -E '^(TracerPid|State)' "/proc/$TARGET_PID/status" | xargs)" \
			"State: S (sleeping) TracerPid: 0"
		same "$(sed 's/.*) //; s/ .*//' "/proc/$TARGET_PID"/task/*/stat | xargs)" \
			"S R"
	done
}

# Rss and Pss depend on what others do with the same files.
memory_of() {
	grep -E '^([0-9a-f]+-|Anonymous|Swap|Locked|VmFlags)' "/proc/$1/smaps"
}

@test "reading a process changes neither its mappings nor its guards" {
	start_target files
	memory_of "$TARGET_PID" >before
	sources=$(known_sources)
	every_call "$TARGET_PID" >/dev/null 2>&1
	memory_of "$TARGET_PID" | cmp before -
	has_guards_of_target
}
