#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# On a kernel with /proc/PID/guards, guards are kept over dump and restore, and
# that file and PAGEMAP_SCAN agree on it. To be run in qemu, by the script "run".

load ../criu/helpers

# Everything is slower here.
patience=90
criu_patience=120

# The many short commands of these tests are quicker on one CPU. What is tested
# has both.
both_cpus="taskset -c 0,1"
taskset -cp 0 $$ >/dev/null

# note_guards WHEN: records what guardmaps finds with each source, without the
# mappings, whose ends may change.
note_guards() {
	local source

	for source in guards scan; do
		"$build/guardmaps" -rn --source "$source" \
			-o START,END,KIND,OWNER,PERM "$(pid_of 0)" \
			>"$source.$1" || return
	done
	[ -s "guards.$1" ] || fail "no guards" || return
	same "$(<"guards.$1")" "$(<"scan.$1")"
}

# keeps_by_each_source WORD...
keeps_by_each_source() {
	read -ra wrapper <<<"$both_cpus"
	start_subject_by "$both_cpus" "$@"
	note_state
	note_guards before
	dump
	restore
	is_as_before
	note_guards after
	same "$(<guards.after)" "$(<guards.before)"
}

@test "guards of a threaded program are kept" {
	keeps_by_each_source threads:3 anonymous
}

@test "guards of a threaded program with all its memory locked are kept" {
	keeps_by_each_source threads:3 anonymous mlockall
}

# For old.bats, where it must be in the same folder.
@test "a threaded program with children is dumped for a kernel without guards" {
	mkdir -p /tmp/moved/images
	cd /tmp/moved
	criu=/opt/criu-4.1.1/criu
	start_subject threads:2 anonymous mlock shared-file alternate:500 children
	note_state
	dump
	cp -a . /mnt/moved
}
