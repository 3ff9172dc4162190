#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# More processes than may have files open at the same time.

load helpers

tasks=130

# Criu alone needs about 100 for a restore, however many tasks there are.
limit=128

# start_crowd [locked]
start_crowd() {
	mkfifo line
	(detached "$programs/crowd" "$tasks" "$@" >line 2>/dev/null) &
	started=$!
	read -r _ SUBJECT <line
	rm line
}

no_crowd() {
	! pgrep -x crowd >/dev/null
}

# How many processes have how many guards: "150 2".
guards_of_each() {
	"$build/guardmaps" -r -n -o PID crowd | uniq -c | awk '{ print $1 }' |
		uniq -c | xargs
}

# The same of all of them.
locked_memory() {
	pgrep -x crowd | sed 's|.*|/proc/&/status|' | xargs cat |
		grep VmLck | sort | uniq -c
}

teardown() {
	pkill -KILL -x crowd || true
	end_processes
	[ "${BATS_TEST_COMPLETED-}" = 1 ] || show_logs
}

survives_dump_and_restore() {
	wrapper=(prlimit "--nofile=$limit:$limit")
	try_dump
	same "dump $status" "dump 0"
	reap_subject
	wait_for "the dumped processes are gone" no_crowd
	try_restore
	same "restore $status" "restore 0"
	same "$(pgrep -c -x crowd) processes" "$tasks processes"
}

# bats test_tags=not:old
@test "criu alone dumps and restores more processes than it may open files" {
	plugin=()
	start_crowd
	survives_dump_and_restore
}

@test "guards in more locked processes than criu may open files are kept" {
	start_crowd locked
	locked=$(locked_memory)
	same "$(guards_of_each)" "$tasks 2"
	survives_dump_and_restore
	same "$(guards_of_each)" "$tasks 2"
	same "$(locked_memory)" "$locked"
}
