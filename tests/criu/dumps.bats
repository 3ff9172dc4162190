#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Ways to dump and to restore. Processes that keep running after a dump, because
# they should or because it failed, have all their guards.

load helpers

# A bit of everything. The prober accesses guard pages all the time.
usual=(threads:2 anonymous anonymous mlock shared-file mlock children threads:2
	alternate:500 mlock prober)

# Guards were taken out and put back.
is_mended() {
	logs dump "[1-9][0-9]* guard regions taken out"
	is_as_before
	wait_for "the keepers end" no_keeper
}

# ---- Processes that live on ------------------------------------------------

@test "--leave-running leaves all guards in place" {
	start_subject "${usual[@]}"
	note_state
	dump_running
	is_mended
}

@test "--leave-running leaves 100,000 guards in place" {
	start_subject alternate:100000 mlock-onfault prober
	note_state
	dump_running
	is_mended
}

@test "--leave-running leaves a stopped process stopped" {
	start_subject "${usual[@]}" stopped
	note_state
	dump_running
	same_state
	pkill -CONT -x "subject-."
	verdicts_are_ok
}

@test "--leave-running does not disturb a process in a system call" {
	local call
	for call in in-nanosleep in-poll in-read; do
		start_subject anonymous mlock "$call"
		note_state
		dump_running
		is_mended
		end_processes
	done
}

@test "--leave-running does not disturb a process in a restartable sequence" {
	start_subject anonymous mlock in-rseq
	note_state
	dump_running
	is_mended
}

@test "--leave-stopped leaves all guards in place" {
	start_subject anonymous mlock threads:2 children threads:2 prober
	note_state
	try_dump --leave-stopped
	same "dump $status" "dump 0"
	same_memory 0
	same_memory 3
	pkill -CONT -x "subject-."
	is_mended
}

@test "a dump with --leave-running can be restored" {
	start_subject threads:2 anonymous mlock
	note_state
	dump_running
	kill -KILL "$SUBJECT"
	wait_until_gone
	restore
	is_as_before
}

# fails_to_dump OPTION...: a dump fails, and the processes are as before.
fails_to_dump() {
	note_state
	try_dump "$@"
	[ "$status" -ne 0 ] || fail "dumped, rc 0"
}

@test "a dump that fails on a descriptor leaves all guards in place" {
	start_subject "${usual[@]}" in:3 undumpable
	fails_to_dump
	is_mended
}

@test "a dump that fails in a post-dump script leaves all guards in place" {
	printf '#!/bin/sh\n[ "$CRTOOLS_SCRIPT_ACTION" != post-dump ]\n' >script
	chmod +x script
	start_subject "${usual[@]}"
	fails_to_dump --action-script "$PWD/script"
	is_mended
}

@test "a dump that runs out of space leaves all guards in place" {
	mount_here images -t tmpfs -o size=512k none
	start_subject "${usual[@]}" in:0 huge
	fails_to_dump
	is_mended
}

@test "a dump that has no space for the plugin's image leaves all guards in place" {
	mount_here images -t tmpfs -o size=64k none
	start_subject alternate:60000 mlock-onfault threads:2
	fails_to_dump
	logs dump "No space left on device"
	is_as_before
	wait_for "the keepers end" no_keeper
}

# ---- Ways --------------------------------------------------------------

needs_freezer() {
	mount_here freezer -t cgroup2 none || skip "no cgroup v2 here"
	cgroup=freezer/guardmaps-$$
	mkdir "$cgroup" || skip "cannot make a cgroup here"
	[ -e "$cgroup/cgroup.freeze" ] || skip "no freezer here"
}

# It can be removed when its last process is gone.
remove_cgroup() {
	end_processes
	wait_for "the cgroup is empty" rmdir "$cgroup"
}

@test "processes in a frozen cgroup keep their guards" {
	needs_freezer
	start_subject "${usual[@]}"
	local pid
	for pid in $(pgrep -x "subject-."); do
		echo "$pid" >"$cgroup/cgroup.procs"
	done
	note_state
	dump_running --freeze-cgroup "$PWD/$cgroup"
	is_mended
	dump --freeze-cgroup "$PWD/$cgroup"
	restore
	is_as_before
	remove_cgroup
}

@test "guards are kept by a lazy restore" {
	start_subject threads:2 anonymous anonymous mlock children threads:2 \
		alternate:500 mlock-onfault
	note_state
	dump
	start_criu lazy-pages lazy-pages
	wait_for "the daemon listens" test -S lazy-pages.socket
	restore --lazy-pages
	is_as_before
	wait "$CRIU_PID"
}

# start_page_server: on a free port. Sets port.
start_page_server() {
	local try

	for try in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 10000))
		start_criu page-server page-server --address 127.0.0.1 \
			--port "$port"
		wait_for "the page server listens" grep -qs \
			"Running status-ready\|Can't bind" page-server.log
		grep -q "Can't bind" page-server.log || return 0
	done
	return 1
}

@test "guards are kept by a dump to a page server" {
	start_subject threads:2 anonymous anonymous mlock children threads:2
	note_state
	start_page_server
	dump --page-server --address 127.0.0.1 --port "$port"
	wait "$CRIU_PID"
	restore
	is_as_before
}
