#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Names that others have chosen are printed as text: in every table and in every
# message, no byte in them controls a terminal.

load helpers

# C0, DEL, C1 in UTF-8 and as a byte, and what is no UTF-8.
evil=$'a\e[2J\r\b\x7f\xc2\x9b2J\x9b31m\xff\xc3'

# Fails if a file holds anything that a terminal could obey, in any encoding.
is_text() {
	local found
	found=$(LC_ALL=C tr -d '\n' <"$1" | LC_ALL=C grep -c '[[:cntrl:]]' || true)
	same "$found" 0
	# No C1 control in UTF-8, and nothing that is not UTF-8.
	iconv -f UTF-8 -t UCS-4BE "$1" >wide || return
	od -An -v -tx4 -w4 --endian=big wide |
		grep -E '^ 000000[89]' && return 1
	return 0
}

record_evil() {
	record_process 100 "$evil"
	printf '0::/%s.service' "$evil" | record 100 cgroup
	record_thread 100 101 "$evil"
	printf '%s\n' \
		"7fc000000000-7fc000010000 rw-p 00000000 08:01 77 /$evil" \
		"7fc000010000-7fc000020000 rw-p 00000000 00:00 0 [anon: glibc: pthread stack: 101]" |
		record 100 maps
	printf '%s\n' "7fc000000000-7fc000001000 ---p 00000000 08:01 77 /$evil" \
		"7fc000010000-7fc000011000 ---p 00000000 00:00 0" | record 100 guards
}

@test "every table is text in every format and locale" {
	record_evil
	guardmaps --sysroot tree save 100 image
	for locale in C C.UTF-8; do
		export LC_ALL=$locale
		for format in "" -J -r -P; do
			guardmaps --sysroot tree $format -o +COMMAND 100 >printed
			is_text printed
			guardmaps --sysroot tree $format -a -o +UNIT,CGROUP >printed
			is_text printed
			guardmaps --sysroot tree stacks $format 100 >printed
			is_text printed
			guardmaps show $format -o +COMMAND image >printed
			is_text printed
			guardmaps --sysroot tree explain $format 100 7fc000000000 7fc000011000 >printed
			is_text printed
		done
		guardmaps --sysroot tree -J -o +COMMAND 100 >json
		is_json json
	done
}

@test "every message is text" {
	start_target run:1 -n "$evil"
	local image=$PWD/image
	guardmaps save "$TARGET_PID" image
	record_evil
	record_process 200 "$evil"
	for locale in C C.UTF-8; do
		export LC_ALL=$locale
		for call in "$evil" "--sysroot tree /a/" "--sysroot tree maps /a/" "$TARGET_PID $evil" "show $evil" "save $TARGET_PID no/$evil" \
			"--source=$evil 1" "--sysroot=$evil 1" "-o $evil 1" "explain 1 $evil" \
			"--sysroot tree --source pagemap 100" "--sysroot=$evil -a" \
			"install --dry-run image $TARGET_PID" "show --image-limit $evil image"; do
			guardmaps $call >/dev/null 2>printed || true
			[ -s printed ]
			is_text printed
		done
	done
}

@test "an image of another program is refused in text" {
	cp "$build/tests/target" "$evil"
	mkfifo ready
	"./$evil" --guards run:1 >ready 2>/dev/null 3>&- &
	started+=("$!")
	local word pid
	read -r -t "$patience" word pid _ <ready
	started+=("$pid")
	start_target run:1
	guardmaps save "$TARGET_PID" image
	try guardmaps install image "$pid"
	same "$status" 2
	printf '%s\n' "$stderr" >printed
	is_text printed
	guardmaps save "$pid" image
	try guardmaps install image "$TARGET_PID"
	same "$status" 2
	printf '%s\n' "$stderr" >printed
	is_text printed
}
