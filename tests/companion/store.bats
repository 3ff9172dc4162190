#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The store of guardmaps-core, guardmaps crashes, and the image that explain --core finds.

load helpers

# records KIND...: let the program crash in these ways. Sets PROCESSES, and leaves their
# cores.
records() {
	local kind

	PROCESSES=()
	through_helper "|$folder/next %P"
	for kind; do
		dies_recorded ./crash "$kind"
		PROCESSES+=("$PROCESS")
		await_file "core.$PROCESS"
	done
	give_back_pattern
}

# row_of PID COLUMNS: of a crash in the store; others' crashes may be there, too.
row_of() {
	guardmaps crashes --store "$store" -n -r -o "PID,$2" | sed -n "s/^$1 //p"
}

# number_of PID
number_of() {
	row_of "$1" N
}

# make_entry NAME PID: one that was stored, a day ago.
make_entry() {
	mkdir -p "$store/$1"
	cat >"$store/$1/summary" <<-END
		guardmaps crash 1
		time=1700000000000000000
		pid=$2
		tid=$2
		command=made
		thread=made
		signal=11
		code=1
		verdict=guard
		certainty=certain
		frames=3
		cycles=0
		cycle=
		place=here+0x1
		end
	END
	touch -d yesterday "$store/$1"
}

# ---- What is stored ---------------------------------------------------------

@test "the verdict of a stored crash is that of its core" {
	local kind at=0
	local kinds=(worker main-stack jump guard read-only prot-none null bad-jump
		non-canonical handled-worker abort)
	start_target run:1
	records "${kinds[@]}"
	for kind in "${kinds[@]}"; do
		try guardmaps explain --core "core.${PROCESSES[at]}" \
			--store "$store" -n -r -o VERDICT,CERTAINTY,SIGNAL,TID
		same "$status $stderr" "0 "
		same "$(row_of "${PROCESSES[at]}" VERDICT,CERTAINTY,SIGNAL,TID)" "$output"
		# And so is all else, with the backtrace.
		guardmaps explain --core "core.${PROCESSES[at]}" --store "$store" >whole
		guardmaps crashes "$(number_of "${PROCESSES[at]}")" --store "$store" >stored
		diff -u whole stored
		at=$((at + 1))
	done
}

@test "a guard in read-only memory is certain, because its image was stored" {
	start_target run:1
	records guard-read-only
	same "$(row_of "$PROCESS" VERDICT,CERTAINTY)" "guard certain"
	try guardmaps explain --core "core.$PROCESS" -n -r -o VERDICT --store none
	same "$output" no-permission
	try guardmaps explain --core "core.$PROCESS" --store "$store"
	same "$status $stderr" "0 "
	same "${lines[1]}" "  known    by the image"
	# A part of the core is enough, but not of any core.
	head -c 8000 "core.$PROCESS" >cut
	try guardmaps explain --core cut -n -r -o VERDICT --store "$store"
	same "$output" guard
	printf x | dd of=cut bs=1 seek=2000 conv=notrunc status=none
	try guardmaps explain --core cut -n -r -o VERDICT --store "$store"
	same "$output" no-permission
}

@test "the functions of a recursion are found, with the rights of the crashed process" {
	records worker main-stack
	for PROCESS in "${PROCESSES[@]}"; do
		same "$(row_of "$PROCESS" PLACE)" parse_expression/parse_term
		[ "$(row_of "$PROCESS" CYCLES)" -gt 50 ]
	done
	# Only root could read the program.
	chmod 700 crash
	records worker
	matches "$(row_of "$PROCESS" PLACE)" "crash\+0x.*"
}

@test "only root may read the store" {
	needs_two_users
	records null
	same "$(stat -c '%u %a' "$store")" "0 700"
	same "$(find "$store" -mindepth 2 ! -perm 600)" ""
	refuses "cannot read $store: Permission denied" \
		as_nobody guardmaps crashes --store "$store"
	# It is not asked for.
	chmod 644 "core.$PROCESS"
	try as_nobody guardmaps explain --core "core.$PROCESS" --store "$store" -n -r -o VERDICT
	same "$status $stderr $output" "0  null-page"
}

@test "memory that is not to be dumped is not stored" {
	through_helper "|$folder/next %P"
	dies ./dump 0 0 0 headers
	await_file "core.$PROCESS"
	dies ./dump
	await_file "core.$PROCESS"
	give_back_pattern
	# Smaller than the core, which has all libraries' data.
	[ "$(du -B 1 "$(entry_of "$PROCESS")/core" | cut -f 1)" -lt \
		"$(stat -c %s "core.$PROCESS")" ]
}

@test "a line is logged to the journal, or to syslog" {
	local channel
	mkdir run
	for channel in run/systemd/journal/socket dev/log; do
		start_target run:1
		mkdir -p run/systemd/journal
		rm -f heard
		head -c 100 core.any 2>/dev/null || true
		unshare -m --propagation private sh -e -c '
			mount --bind run /run
			mount -t tmpfs none /dev -o mode=755
			mknod /dev/null c 1 3
			perl -MSocket -e "
				socket(my \$s, AF_UNIX, SOCK_DGRAM, 0) or die;
				bind(\$s, pack_sockaddr_un(\"/$1\")) or die;
				open my \$ready, q(>), q(ready) or die;
				close \$ready;
				alarm 60;
				recv(\$s, my \$line, 4096, 0);
				open my \$to, q(>), q(heard);
				print \$to \$line;" &
			until [ -e ready ]; do :; done
			rm ready
			head -c 1000 /proc/self/exe | '"$build"'/guardmaps-core-record --store '"$store"' "$2" "$2"
			wait' sh "$channel" "$TARGET_PID"
		grep -q "process $TARGET_PID (target) crashed" heard
		rm -rf run/systemd
	done
	# The last was syslog's.
	matches "$(<heard)" "<11>guardmaps-core: process .*"
}

# ---- Bounds and damage --------------------------------------------------------

@test "the oldest crashes are removed if there are more than 1000" {
	local i
	make_entry base 1
	for ((i = 0; i < 1005; i++)); do
		cp -r "$store/base" "$store/many-$i-1"
		touch -d "2024-01-01 + $i minutes" "$store/many-$i-1"
	done
	touch -d 2023-01-01 "$store/base"
	mkdir "$store/.1" "$store/.2"
	touch -d yesterday "$store/.1"
	records null
	[ -n "$(entry_of "$PROCESS")" ]
	same "$(ls "$store" | wc -l)" 1000
	[ ! -e "$store/base" ]
	[ ! -e "$store/many-0-1" ]
	[ -e "$store/many-1004-1" ]
	# What a recorder has left that was killed, and what one writes now.
	[ ! -e "$store/.1" ]
	[ -e "$store/.2" ]
}

@test "the oldest crashes are removed if they have more than 256 MiB" {
	local i
	for i in 1 2 3; do
		make_entry "large-$i-1" "$i"
		fallocate -l 100M "$store/large-$i-1/core"
		touch -d "2024-01-0$i" "$store/large-$i-1"
	done
	records null
	[ -n "$(entry_of "$PROCESS")" ]
	[ ! -e "$store/large-1-1" ]
	[ -e "$store/large-2-1" ]
	[ "$(du -s -B 1M "$store" | cut -f 1)" -le 256 ]
}

@test "a damaged crash is reported, and left out" {
	local name
	make_entry boot-1-1 101
	for name in boot-2-1 boot-3-1 boot-4-1 boot-5-1; do
		make_entry "$name" 102
	done
	sed -i '$d' "$store/boot-2-1/summary"
	sed -i s/signal=11/signal=x/ "$store/boot-3-1/summary"
	rm "$store/boot-4-1/summary"
	rm "$store/boot-5-1/summary"
	mkfifo "$store/boot-5-1/summary"
	touch -d "2 days ago" "$store"/boot-[2-5]-1
	try guardmaps crashes --store "$store" -n -r -o N,PID
	same "$status" 1
	same "$output" "1 101"
	same "$(sort <<<"$stderr")" "guardmaps: $store/boot-2-1: damaged
guardmaps: $store/boot-3-1: damaged
guardmaps: $store/boot-4-1: No such file or directory
guardmaps: $store/boot-5-1: damaged"
	rm -r "$store"/boot-[2-5]-1
	# Its files are read as any core file and image are.
	try guardmaps crashes --store "$store" 1
	same "$status" 2
	same "$stderr" "guardmaps: $store/boot-1-1/core: No such file or directory"
}

# ---- guardmaps crashes --------------------------------------------------------

@test "crashes lists the newest first, and how often the same came" {
	records worker null worker
	try guardmaps crashes --store "$store" -n -r -o PID,SAME
	same "$status $stderr" "0 "
	same "$(grep -E "^(${PROCESSES[0]}|${PROCESSES[1]}|${PROCESSES[2]}) " <<<"$output")" \
		"${PROCESSES[2]} 2
${PROCESSES[1]} 1
${PROCESSES[0]} 2"
	try guardmaps crashes --store "$store" -J
	same "$(json '.crashes[0] | .n, .pid, .command, .verdict' | xargs)" \
		"1 ${PROCESSES[2]} crash $(row_of "${PROCESSES[2]}" VERDICT)"
	try guardmaps crashes --store "$store" --output-all
	same "$status $stderr" "0 "
}

@test "crashes N refuses a number that is none" {
	make_entry boot-1-1 1
	refuses "no crash 2 is stored: there are 1" guardmaps crashes --store "$store" 2
	refuses "no crash 0 is stored: there are 1" guardmaps crashes --store "$store" 0
	refuses "invalid number of a crash: 'x'" guardmaps crashes --store "$store" x
	refuses "too many arguments for crashes" guardmaps crashes --store "$store" 1 2
}

@test "without a store, no crash is listed" {
	try guardmaps crashes --store "$store"
	same "$status $output" "0 "
	same "$stderr" "no crash is stored in $store (guardmaps-core --enable)"
	try guardmaps crashes --store "$store" -J
	same "$(json '.crashes | length')" 0
}

@test "names of others' choice do not reach the terminal" {
	make_entry boot-1-1 1
	sed -i $'s/command=made/command=\033[31mred/' "$store/boot-1-1/summary"
	try guardmaps crashes --store "$store" -n -r -o COMMAND
	same "$output" '\x1b[31mred'
}
