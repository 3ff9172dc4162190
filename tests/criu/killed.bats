#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# When criu is killed during a dump, guards are soon back in all processes.

load helpers

usual=(threads:3 anonymous alternate:250 alternate:250 mlock children threads:1
	prober)
kills=50

# A task that criu left half dumped may have died; it needs no guards. Memory that
# criu mapped may still be there.
guards_are_back() {
	local i pid

	for ((i = 0; i < subjects; i++)); do
		pid=$(pid_of "$i") || continue
		"$programs/state" -w "before.$i" "$pid" >"after.$i" ||
			! kill -0 "$pid" || return
		diff -u <(grep -Ev "^(thread|contents)" "before.$i") \
			<(grep -v "^thread" "after.$i") || return
	done
}

show_processes() {
	ps -e -o pid,ppid,stat,comm,wchan | grep -E "subject|criu|guardmaps" >&2
}

# criu's parasite makes PROT_NONE memory readable to dump it, and then undoes that
# (mprotect_vmas() in criu/pie/parasite.c), even when criu is already gone. So if
# criu is killed there, a guard page may be readable for a moment, but never
# writable.
#
# Guards are back soon, and stay.
mends() {
	wait_for "all guards are back" guards_are_back || {
		show_processes
		return 1
	}
	wait_for "the keepers end" no_keeper || return
	stays 100 "all guards are back" guards_are_back || return
	never_writable
}

# Sets duration: of a dump, in milliseconds.
measure_dump() {
	local start

	start_subject "${usual[@]}"
	start=$(milliseconds)
	dump_running
	duration=$(($(milliseconds) - start))
	end_processes
}

# kill_criu SIGNAL
kill_criu() {
	kill -"$1" "$CRIU_PID" 2>/dev/null || true
	wait "$CRIU_PID" 2>/dev/null || true
}

# kill_at MILLISECONDS OPTION...: during a dump of a new subject.
kill_at() {
	local moment=$1

	shift
	start_subject "${usual[@]}" || return
	note_state || return
	start_criu dump dump -t "$SUBJECT" "$@"
	sleep "$(printf '%d.%03d' $((moment / 1000)) $((moment % 1000)))"
	kill_criu KILL
	mends
}

# A dump takes as long as the machine is busy: the next kill comes earlier if this
# one was too late, and later if it was too early.
count_moment() {
	if grep -q "put back" dump.log; then
		back=$((back + 1))
		duration=$((duration * 9 / 10))
	elif grep -q "taken out" dump.log; then
		between=$((between + 1))
	else
		duration=$((duration * 11 / 10 + 1))
	fi
	lived=$((lived + $(count_living)))
}

@test "guards are back when criu is killed at any moment of a dump" {
	local i moment between=0 back=0 lived=0
	local -a way=() ways=("" --leave-running)
	measure_dump
	for ((i = 0; i < kills; i++)); do
		moment=$((RANDOM % (duration + 1)))
		way=(${ways[i % 2]})
		kill_at "$moment" "${way[@]}" ||
			fail "killed after $moment of $duration ms ${way[*]}"
		count_moment
		end_processes
		rm -rf images dump.log
		mkdir images
	done
	echo "# $kills kills: $between when guards were out, $back when they had" \
		"been put back; $lived of $((kills * subjects)) processes lived on" >&3
	# Or it was not what this test is for.
	[ "$between" -gt 0 ]
}

# ---- In the middle of the plugin's work --------------------------------

# It has criu wait at the end of a dump until the file "waits" is removed. Guards are
# certainly out then.
write_script() {
	cat >script <<-'END'
		#!/bin/sh
		[ "$CRTOOLS_SCRIPT_ACTION" = post-dump ] || exit 0
		touch waits
		for i in $(seq 60000); do
			[ -e waits ] || exit 0
			sleep 0.01
		done
	END
	chmod +x script
}

# Each of 1,000 guards is made PROT_NONE, or a guard again, by itself: this takes
# long enough to kill criu halfway.
#
# start_slow_dump OPTION...
start_slow_dump() {
	start_subject threads:2 anonymous mlock alternate:1000 mlock prober
	note_state
	hidden_before=$(count_mappings ---p)
	readable_before=$(count_mappings r--p)
	start_criu dump dump -t "$SUBJECT" "$@"
}

count_mappings() {
	grep -c " $1 " "/proc/$SUBJECT/maps" 2>/dev/null || true
}

# How many guard pages are PROT_NONE, or readable, at the moment.
look_at_pages() {
	hidden=$(($(count_mappings ---p) - hidden_before))
	readable=$(($(count_mappings r--p) - readable_before))
}

# kill_when PATTERN CONDITION: kill criu when it has logged such a line and the
# condition on hidden and readable holds. Until then criu runs in small steps,
# because looking takes longer than what it does. Fails if it never holds.
kill_when() {
	until grep -qs "$1" dump.log; do
		kill -0 "$CRIU_PID" || return
	done
	while kill -STOP "$CRIU_PID" && look_at_pages; ! (($2)); do
		kill -CONT "$CRIU_PID" || return
	done
	kill_criu KILL
}

# Both fail if it was too late: the plugin has logged that it is done.
kill_while_taken_out() {
	start_slow_dump
	kill_when "hook 11" "hidden > $1"
	! grep -q "taken out" dump.log
}

kill_while_put_back() {
	write_script
	start_slow_dump --action-script "$PWD/script"
	wait_for "the dump comes to its end" test -e waits
	rm waits
	kill_when "post-dump scripts" "hidden < $1"
	! grep -q "put back" dump.log
}

kill_while_read() {
	start_slow_dump
	kill_when "daemon mode" "readable > $1"
}

# mends_after HOW NUMBER
mends_after() {
	local try

	for try in {1..10}; do
		if "$1" "$2"; then
			mends || return
			lives_well
			return
		fi
		end_processes
		rm -f dump.log
	done
	fail "criu was not to be met there in $try tries"
}

# Unless a process died because it was half dumped.
lives_well() {
	[ "$(count_living)" -lt "$subjects" ] || verdicts_are_ok
}

@test "guards are back when criu is killed while they are taken out" {
	local number
	for number in 1 400 900; do
		mends_after kill_while_taken_out "$number"
		same "$(count_living)" "$subjects"
		end_processes
	done
}

@test "guards are back when criu is killed while they are put back" {
	local number
	for number in 950 500 100; do
		mends_after kill_while_put_back "$number"
		same "$(count_living)" "$subjects"
		end_processes
	done
}

@test "guards are back when criu is killed while it reads their pages" {
	local number
	for number in 1 100 900; do
		mends_after kill_while_read "$number"
		end_processes
	done
}

# ---- At the end of a dump ----------------------------------------------

start_dump_that_waits() {
	write_script
	start_subject "${usual[@]}"
	note_state
	start_criu dump dump -t "$SUBJECT" --action-script "$PWD/script"
	wait_for "the dump comes to its end" test -e waits
	! guards_are_back >/dev/null
}

# No task is half dumped then: all run on unchanged.
is_mended() {
	mends
	same "$(count_living)" "$subjects"
	verdicts_are_ok
}

@test "guards are back when criu is killed at the end of a dump" {
	start_dump_that_waits
	kill_criu KILL
	is_mended
}

@test "guards are back when criu is terminated by SIGTERM" {
	start_dump_that_waits
	kill_criu TERM
	is_mended
}

@test "guards are back when criu's process group is terminated by SIGHUP" {
	start_dump_that_waits
	kill -HUP -- "-$CRIU_PID"
	kill_criu HUP
	is_mended
}

@test "guards are back in a stopped process, which stays stopped" {
	usual+=(stopped)
	start_dump_that_waits
	kill_criu KILL
	mends
	wait_for "the processes are stopped" is_stopped
}

@test "a process that is killed with criu does not delay the others" {
	start_dump_that_waits
	kill -KILL "$(pid_of 3)"
	kill_criu KILL
	mends
	same "$(count_living)" $((subjects - 1))
}
