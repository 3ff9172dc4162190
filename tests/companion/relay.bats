#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# guardmaps-core at a crash: the core is what it would be without it.

load helpers

bytes=3000000

# crash_twice PATTERN: the same crash with and without the helper. The process has the
# same id in a pid namespace of its own, and the same addresses.
crash_twice() {
	local side

	for side in bare ours; do
		if [ "$side" = bare ]; then
			take_pattern "${1//SIDE/bare}"
		else
			through_helper "${1//SIDE/ours}"
		fi
		dies setarch -R unshare -pf ./dump 0 0 $bytes
		# unshare dies of the same signal.
		await_count 2 "core.$side-*[a-z]"
		give_back_pattern
	done
}

# same_cores: but for canaries, AT_RANDOM and times, which are less than this.
same_cores() {
	same "$(stat -c %s "$1")" "$(stat -c %s "$2")"
	[ "$(cmp -l "$1" "$2" | wc -l)" -lt 200 ]
}

# ---- The next program ------------------------------------------------------

@test "the next program gets the core that it gets without the helper, byte for byte" {
	crash_twice "|$folder/next SIDE-%e"
	same_cores core.bare-dump core.ours-dump
	has_all_words $bytes core.ours-dump
	has_all_words $bytes core.bare-dump
	# One that was changed is found.
	printf x | dd of=core.ours-dump bs=1 seek=1000000 conv=notrunc status=none
	! has_all_words $bytes core.ours-dump
}

@test "the next program has the arguments, environment and descriptors that the kernel gives it" {
	write_program next '{
			tr "\0" "\n" </proc/$$/cmdline | sed 1d
			ls /proc/$$/fd
			cat /proc/$$/environ
			readlink /proc/$$/cwd /proc/$$/exe
			grep -E "^(SigBlk|SigIgn|Uid|Gid|Cap|NoNew)" /proc/self/status
			cat /proc/$$/limits /proc/$$/oom_score_adj
		} >said.$1
		cat >/dev/null
		: >core.$1'
	crash_twice "|$folder/next SIDE-%e %s %F a %c"
	diff -u <(sed s/bare/ours/ said.bare-dump) said.ours-dump
	grep -qx 11 said.ours-dump
	# A pidfd on 3 only if it is asked for.
	rm core.*
	crash_twice "|$folder/next SIDE-%e %s"
	diff -u <(sed s/bare/ours/ said.bare-dump) said.ours-dump
}

@test "whatever the recorder does, the next program gets the whole core" {
	local recorder
	mkdir "$store"
	mount -t tmpfs -o size=16k none "$store"
	for recorder in \
		'exec "$real" --store "$store" "$@" # the disk is full' \
		'kill -SEGV $$' \
		'trap "" TERM INT; while :; do :; done' \
		'kill -STOP $$' \
		'ulimit -v 3000; exec "$real" --store "$store" "$@"' \
		'ulimit -v 30000; exec "$real" --store "$store" "$@"' \
		'exec "$real" --store /proc/none "$@"' \
		'exec "$real"' \
		'exec </dev/null; exit 1'; do
		use_recorder "$recorder"
		through_helper "|$folder/next %P"
		dies ./dump 0 0 $bytes
		await_file "core.$PROCESS"
		give_back_pattern
		has_all_words $bytes "core.$PROCESS"
	done
	rm guardmaps-core-record
	through_helper "|$folder/next %P"
	dies ./dump 0 0 $bytes
	await_file "core.$PROCESS"
	has_all_words $bytes "core.$PROCESS"
}

@test "a recorder that hangs is killed, with what it has started" {
	use_recorder 'sleep 1000 <&0 & echo $! >child; echo $$ >parent; sleep 1000'
	through_helper "|$folder/next %P"
	dies ./dump
	await_file "core.$PROCESS"
	give_back_pattern
	wait_until_gone "$(<child)"
	wait_until_gone "$(<parent)"
}

@test "if the next program is missing, the process ends, and the crash is stored" {
	through_helper "|$folder/missing %P"
	dies_recorded ./dump
	guardmaps crashes --store "$store" -n -r -o VERDICT >said
	same "$(<said)" null-page
}

# ---- Many -----------------------------------------------------------------

@test "of 60 crashes at once no core is lost, and none is stored in part" {
	local i pids=()
	through_helper "|$folder/next %P"
	for ((i = 0; i < 60; i++)); do
		./dump 0 0 $bytes 2>/dev/null 3>&- &
		pids+=("$!")
	done
	wait "${pids[@]}" || true
	for i in "${pids[@]}"; do
		await_file "core.$i"
	done
	give_back_pattern
	for i in "${pids[@]}"; do
		same "$(stat -c %s "core.$i")" "$(stat -c %s "core.${pids[0]}")"
	done
	has_all_words $bytes "core.${pids[59]}"
	try guardmaps crashes --store "$store" -n -r -o PID
	same "$status $stderr" "0 "
}

@test "a process with 2,000 threads and one with 20,000 mappings are stored, and their cores whole" {
	through_helper "|$folder/next %P"
	dies ./dump 2000 0 $bytes
	await_file "core.$PROCESS"
	has_all_words $bytes "core.$PROCESS"
	dies ./dump 0 20000 $bytes
	await_file "core.$PROCESS"
	give_back_pattern
	has_all_words $bytes "core.$PROCESS"
}

@test "the notes of a process with 20,000 mappings are found far from the start of its core" {
	through_helper "|$folder/next %P"
	dies_recorded ./dump 0 20000 $bytes
	give_back_pattern
	try guardmaps crashes --store "$store" -n -r -o PID,VERDICT
	[[ $output == *"$PROCESS null-page"* ]]
}

@test "a core that fits the pipe is passed on, and stored as a whole" {
	through_helper "|$folder/next %P"
	dies ./dump 0 0 0 headers
	await_file "core.$PROCESS"
	give_back_pattern
	[ "$(stat -c %s "core.$PROCESS")" -lt 65536 ]
	cmp "core.$PROCESS" "$(entry_of "$PROCESS")/core"
}

# ---- Namespaces -------------------------------------------------------------

@test "a crash in pid and mount namespaces is recorded like any other" {
	local outside deadline=$((SECONDS + patience))
	cp crash inside-crash
	# Again if the time of the recorder was over: the machine may be busy.
	until [ -n "${outside-}" ]; do
		[ "$SECONDS" -lt "$deadline" ]
		through_helper "|$folder/next %P"
		dies unshare -mpf --mount-proc --propagation private sh -c \
			"mount -t tmpfs none /mnt; cp $folder/inside-crash /mnt; cd /mnt; exec ./inside-crash worker"
		# unshare dies of the same signal.
		await_count 2 "core.*[0-9]"
		give_back_pattern
		outside=$(guardmaps crashes --store "$store" -n -r -o COMMAND,PID,PLACE |
			sed -n "s/^inside-crash \([0-9]*\) parse_expression.parse_term$/\1/p" |
			head -n 1)
	done
	# The core has another id of the process. The image is found all the same.
	[ "$(guardmaps explain --core "core.$outside" -n -r -o PID)" -ne "$outside" ]
	try guardmaps explain --store "$store" --core "core.$outside" -n -r -o CERTAINTY
	same "$output" certain
}

# ---- Files ------------------------------------------------------------------

as_nobody_in_open() {
	mkdir -p open
	chmod 777 open
	cd open || return
	dies setarch -R unshare -pf setpriv --reuid="$nobody" --regid="$nobody" \
		--clear-groups ../dump 0 0 $bytes
	cd ..
}

@test "a file is written as the kernel writes it: place, owner, mode, size, holes" {
	take_pattern "core.bare.%e"
	as_nobody_in_open
	give_back_pattern
	through_helper "core.ours.%e"
	as_nobody_in_open
	await_size open/core.ours.dump "$(stat -c %s open/core.bare.dump)"
	give_back_pattern
	same "$(stat -c '%a %u %g %s %h' open/core.ours.dump)" \
		"$(stat -c '%a %u %g %s %h' open/core.bare.dump)"
	same_cores open/core.bare.dump open/core.ours.dump
	has_all_words $bytes open/core.ours.dump
	[ "$(stat -c %b open/core.ours.dump)" -le "$(stat -c %b open/core.bare.dump)" ]
}

@test "a file that is there already is removed, and a link is not followed" {
	echo kept >target
	ln -s target core.dump
	through_helper "core.%e"
	dies ./dump
	# The file is written after the crash is stored.
	await_count 1 "$store/*-$PROCESS-*"
	dies_recorded ./dump
	give_back_pattern
	same "$(<target)" kept
	[ ! -L core.dump ]
	[ -s core.dump ]
}

@test "a file ends at the limit, and there is none below the smallest core" {
	through_helper "core.%p"
	(ulimit -c 100 && exec ./dump 0 0 $bytes) 2>/dev/null 3>&- &
	wait "$!" || true
	local cut=$! none
	(ulimit -c 1 && exec ./dump 0 0 $bytes) 2>/dev/null 3>&- &
	wait "$!" || true
	none=$!
	dies ./dump 0 0 $bytes
	await_file "core.$PROCESS"
	await_file "core.$cut"
	give_back_pattern
	[ ! -e "core.$none" ]
	try guardmaps explain --core "core.$cut" -n -r -o VERDICT
	same "$output" null-page
	[ "$(du -B 1 "core.$cut" | cut -f 1)" -le 110592 ]
	[ "$(du -B 1 "core.$cut" | cut -f 1)" -ge 90112 ]
}

@test "a file is written where the process sees that name" {
	through_helper "|$folder/next %e"
	dies setarch -R ./dump 0 0 $bytes
	await_file core.dump
	mkdir inside
	echo "$folder/inside/core.%e" >"$core_pattern"
	./guardmaps-core --enable >enabled
	# Its end is written last.
	timeout "$patience" unshare -m --propagation private sh -c "
		mount -t tmpfs none inside
		setarch -R $folder/dump 0 0 $bytes
		until [ \"\$(stat -c %s inside/core.dump)\" = $(stat -c %s core.dump) ]; do
			sleep 0.02
		done
		cp inside/core.dump core.inside" 2>/dev/null
	give_back_pattern
	has_all_words $bytes core.inside
	[ ! -e inside/core.dump ]
}

@test "core_uses_pid adds the id that the process has in its pid namespace" {
	local before
	through_helper "core.%e"
	before=$(</proc/sys/kernel/core_uses_pid)
	echo 1 >/proc/sys/kernel/core_uses_pid
	dies unshare -pf --mount-proc ./dump || true
	await_count 1 "core.dump*" || true
	echo "$before" >/proc/sys/kernel/core_uses_pid
	give_back_pattern
	[ -e core.dump.1 ]
}

@test "the core of a process that is gone is in the store" {
	through_helper "core.%e"
	dies ./dump 0 0 0 headers
	await_count 1 "$store/*-$PROCESS-*"
	give_back_pattern
	if [ -e core.dump ]; then
		cmp core.dump "$(entry_of "$PROCESS")/core"
	fi
	same "$(guardmaps explain --core "$(entry_of "$PROCESS")/core" -n -r -o VERDICT)" \
		null-page
}

# by_hand NAME DUMPABLE: as if the kernel ran the helper for a process that runs.
by_hand() {
	start_target run:1
	head -c 100000 /dev/urandom >bytes
	cat bytes | ./guardmaps-core "$TARGET_PID" "$TARGET_PID" 18446744073709551615 "$2" \
		"$nobody" "$nobody" -- "$1" || true
}

@test "with suid_dumpable 2, root's file has an absolute name and replaces none" {
	by_hand "$folder/core.safe" 2
	cmp bytes core.safe
	same "$(stat -c '%u %a' core.safe)" "0 600"
	cp bytes before
	by_hand "$folder/core.safe" 2
	cmp before core.safe
	by_hand core.relative 2
	[ ! -e core.relative ]
	[ ! -e "/proc/$TARGET_PID/cwd/core.relative" ]
	by_hand core.relative 1
	cmp bytes "/proc/$TARGET_PID/cwd/core.relative"
}
