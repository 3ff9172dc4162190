#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The process that puts guards back when criu does not.

load helpers

usual=(threads:2 anonymous mlock children threads:1 prober)

# criu's script: the last moment of a dump before guards are put back.
at_the_end() {
	printf '%s\n' '#!/bin/sh' \
		'[ "$CRTOOLS_SCRIPT_ACTION" = post-dump ] || exit 0' "$@" >script
	chmod +x script
}

start_dump_that_waits() {
	at_the_end 'touch waits' 'exec sleep 600'
	start_criu dump dump -t "$SUBJECT" --action-script "$PWD/script"
	wait_for "the dump comes to its end" test -e waits
}

guards_are_back() {
	local i

	for ((i = 0; i < subjects; i++)); do
		"$programs/state" -w "before.$i" "$(pid_of "$i")" >"after.$i" ||
			return
		diff -u <(grep -Ev "^(thread|contents)" "before.$i") \
			<(grep -v "^thread" "after.$i") || return
	done
}

has_keeper() {
	pgrep -x "guardmaps-keep" >/dev/null
}

has_no_criu() {
	! pgrep -x criu >/dev/null
}

# Files of the subject that criu has open.
list_open_files() {
	local i

	for ((i = 0; i < subjects; i++)); do
		find "/proc/$CRIU_PID/fd" -lname "/proc/$(pid_of "$i")*"
	done
}

is_mended() {
	wait_for "all guards are back" guards_are_back
	wait_for "the keeper ends" no_keeper
	verdicts_are_ok
	never_writable
}

# ---- When criu cannot put them back --------------------------------------

# Of the plugin no allocation succeeds then, neither in criu nor in the keeper.
dump_without_memory() {
	at_the_end "touch $PWD/fail-memory"
	settings+=(LD_PRELOAD="$programs/failing.so" FAIL_DIRECTORY="$PWD")
	start_subject "${usual[@]}"
	note_state
	try_dump --action-script "$PWD/script" "$@"
	[ "$status" -le 1 ] || fail "criu was killed: $status"
	logs dump "will be put back after criu exits"
}

@test "criu and the keeper do not wait for each other when tasks run on" {
	dump_without_memory --leave-running
	has_keeper
	rm fail-memory
	is_mended
}

@test "criu and the keeper do not wait for each other when tasks are killed" {
	dump_without_memory
	wait_until_gone
	rm fail-memory
	wait_for "the keeper ends" no_keeper
	settings=()
	restore
	same_state
	verdicts_are_ok
}

# ---- One for all ---------------------------------------------------------

@test "one keeper serves all tasks of a dump" {
	start_subject anonymous mlock children anonymous mlock in:1 mlockall \
		in:2 mlockall in:3 mlockall
	note_state
	start_dump_that_waits
	same "$(grep -c "taken out" dump.log) tasks" "4 tasks"
	same "$(pgrep -c -x "guardmaps.*") keepers" "1 keepers"
	kill -KILL "$CRIU_PID"
	is_mended
}

@test "no files of tasks stay open during a dump" {
	start_subject anonymous mlock children mlockall
	note_state
	start_dump_that_waits
	same "$(list_open_files)" ""
	kill -KILL "$CRIU_PID"
	is_mended
}

@test "a keeper that was killed is replaced when it is needed, and missed by nobody" {
	start_subject "${usual[@]}"
	note_state
	at_the_end 'pkill -KILL guardmaps-keep'
	dump_running --action-script "$PWD/script"
	is_mended
}

# ---- Control groups ------------------------------------------------------

make_cgroup() {
	mount_here cgroup -t cgroup2 none
	cgroup=$(mktemp -d "$PWD/cgroup/guardmaps-test-XXXXXX")
	[ -e "$cgroup/cgroup.freeze" ]
}

# make_old_cgroup CONTROLLER: of version 1, which freezes processes in another way.
make_old_cgroup() {
	mkdir cgroup
	mount -t cgroup -o "$1" none cgroup || skip "no control groups of version 1"
	mounts+=(cgroup)
	cgroup=$(mktemp -d "$PWD/cgroup/guardmaps-test-XXXXXX")
}

thaw() {
	case $(echo "$cgroup"/*freez*) in
	*cgroup.freeze*) echo 0 >"$cgroup/cgroup.freeze" ;;
	*freezer.state*) echo THAWED >"$cgroup/freezer.state" ;;
	esac
}

is_frozen() {
	grep -qx "frozen 1" "$cgroup/cgroup.events"
}

# Whether a try of the keeper has ended: the field cminflt of its stat counts for
# children that it has waited for.
has_tried() {
	local keeper

	keeper=$(pgrep -o -x guardmaps-keep) || return
	[ "$(cut -d " " -f 11 "/proc/$keeper/stat")" -gt 0 ]
}

teardown() {
	[ -z "${cgroup-}" ] || thaw
	end_processes
	[ -z "${cgroup-}" ] || wait_for "the cgroup is empty" rmdir "$cgroup"
	[ "${BATS_TEST_COMPLETED-}" = 1 ] || show_logs
	unmount_all
}

# bats test_tags=only:new
@test "guards are back when a frozen process is thawed after criu was killed" {
	make_cgroup
	start_subject "${usual[@]}"
	note_state
	start_dump_that_waits
	pgrep -x "subject-." >pids
	while read -r pid; do
		echo "$pid" >"$cgroup/cgroup.procs"
	done <pids
	echo 1 >"$cgroup/cgroup.freeze"
	wait_for "the process is frozen" is_frozen
	kill -KILL "$CRIU_PID"
	wait_for "the keeper has tried in vain" has_tried
	has_keeper
	thaw
	is_mended
}

# bats test_tags=only:new
@test "criu does not wait for a frozen keeper, which ends when it is thawed" {
	make_old_cgroup freezer
	start_subject "${usual[@]}"
	note_state
	at_the_end "pgrep -x guardmaps-keep >$cgroup/cgroup.procs" \
		"echo FROZEN >$cgroup/freezer.state"
	dump_running --action-script "$PWD/script"
	has_keeper
	guards_are_back
	thaw
	is_mended
}

# bats test_tags=only:new
@test "guards are back when a frozen keeper is thawed after criu was killed" {
	make_old_cgroup freezer
	start_subject "${usual[@]}"
	note_state
	start_dump_that_waits
	pgrep -x guardmaps-keep >"$cgroup/cgroup.procs"
	echo FROZEN >"$cgroup/freezer.state"
	kill -KILL "$CRIU_PID"
	wait_for "criu ends" has_no_criu
	has_keeper
	! guards_are_back >/dev/null
	thaw
	is_mended
}

# bats test_tags=only:new
@test "a dump fails and changes nothing if the keeper cannot be started" {
	make_old_cgroup pids
	start_subject "${usual[@]}"
	note_state
	printf '%s\n' '#!/bin/sh' \
		'[ "$CRTOOLS_SCRIPT_ACTION" = pre-dump ] || exit 0' \
		"pgrep -o -x criu >$cgroup/cgroup.procs" \
		"echo 1 >$cgroup/pids.max" >script
	chmod +x script
	try_dump --leave-running --action-script "$PWD/script"
	[ "$status" -ne 0 ]
	logs dump "cannot start the keeper of its guard regions"
	no_keeper
	same_state
	verdicts_are_ok
	never_unguarded
}
