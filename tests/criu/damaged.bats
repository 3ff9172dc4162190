#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Without the plugin, or with damaged images, no process is restored without its
# guards.

load helpers

start_and_dump() {
	start_subject "$@"
	note_state
	dump
	image=images/guardmaps-$SUBJECT.img
	[ -e "$image" ]
}

@test "nothing is restored if the plugin directory lacks this plugin" {
	start_and_dump threads:2 anonymous mlock children
	mkdir empty
	plugin=(-L "$PWD/empty")
	try_restore
	[ "$status" -ne 0 ]
	grep -q "Missing required plugin.*guardmaps" restore.log
	wait_for "nothing is left" is_gone
}

@test "without a plugin directory, restored processes still fault at their guards" {
	start_and_dump threads:2 anonymous mlock alternate:500 mlock \
		shared-file mlock children
	plugin=()
	restore
	verdicts_are_ok USR2
	run ! verdicts_are_ok USR1
}

@test "GUARDMAPS_CRIU=off refuses to restore if guards were taken out" {
	start_and_dump threads:2 anonymous mlock
	settings=(GUARDMAPS_CRIU=off)
	refuses_to_restore "off"
}

@test "a missing image is refused" {
	start_and_dump anonymous mlock children anonymous
	rm "$image"
	refuses_to_restore "guardmaps-$SUBJECT.img.*No such file"
}

@test "a restore is refused if all images are missing" {
	start_and_dump anonymous mlock
	rm "$image"
	refuses_to_restore "missing"
}

@test "a truncated image is refused" {
	start_and_dump anonymous mlock
	local size length
	size=$(stat -c %s "$image")
	for length in 0 7 12 $((size / 2)) $((size - 1)); do
		truncate -s "$length" "$image"
		refuses_to_restore "guardmaps-$SUBJECT.img"
	done
}

# flip_bit OFFSET
flip_bit() {
	local byte

	byte=$(od -An -tu1 -j "$1" -N 1 "$image")
	printf '%b' "\\x$(printf %x $((byte ^ 4)))" |
		dd of="$image" bs=1 seek="$1" conv=notrunc status=none
}

@test "an image with a flipped bit is refused" {
	start_and_dump anonymous mlock
	local size offset
	size=$(stat -c %s "$image")
	for offset in 0 9 13 $((size / 3)) $((size / 2)) $((size - 1)); do
		flip_bit "$offset"
		refuses_to_restore "guardmaps-$SUBJECT.img"
		flip_bit "$offset"
	done
	restore
	is_as_before
}

# The checksum is the one that gzip writes before the size.
write_checksum() {
	truncate -s -4 "$image"
	gzip -c "$image" | tail -c 8 | head -c 4 >checksum
	cat checksum >>"$image"
}

@test "an image with an unknown version is refused" {
	start_and_dump anonymous mlock
	write_checksum
	printf '\x07' | dd of="$image" bs=1 seek=8 conv=notrunc status=none
	write_checksum
	refuses_to_restore "version 7"
}

@test "swapped images are refused" {
	start_and_dump anonymous mlock children anonymous mlock
	local images=(images/guardmaps-*.img)
	mv "${images[1]}" other
	mv "${images[2]}" "${images[1]}"
	mv other "${images[2]}"
	refuses_to_restore "another process"
}

@test "an image of another process with the same pid is refused" {
	start_and_dump threads:2 anonymous mlock
	cp "$image" other
	rm -r images
	mkdir images
	start_and_dump memfd mlock children
	cp other "$image"
	refuses_to_restore "another process"
}
