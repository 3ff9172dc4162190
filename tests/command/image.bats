#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# guardmaps save PID FILE, guardmaps show FILE: a guard map in a file.

load helpers

# ---- Round trip ------------------------------------------------------------

@test "show prints what list printed when the image was saved" {
	local columns=+PID,COMMAND,PAGES,TID,MARKER,SOURCE,OFFSET,DEV,INODE,MAPSTART,MAPEND
	for layout in threads:3 files memfd boundary kinds big; do
		start_target "$layout"
		guardmaps -o "$columns" "$TARGET_PID" >listed
		try guardmaps save "$TARGET_PID" image
		same "$status$output$stderr" 0
		stop_target "$TARGET_PID"
		guardmaps show -o "$columns" image >shown
		cmp listed shown
	done
}

@test "show prints every format that list prints" {
	start_target threads:3
	guardmaps save "$TARGET_PID" image
	for options in "" -J -r -P -n -b "-r -n -o START,END" "-o +PID"; do
		same "$(guardmaps show $options image)" \
			"$(guardmaps $options "$TARGET_PID")"
	done
}

@test "an image of 20000 regions is complete, and takes less than 3 bytes for each" {
	start_target alternate:20000
	guardmaps save "$TARGET_PID" image
	guardmaps show -n -r -o START,END image | cmp - "$TARGET_GUARDS"
	[ "$(stat --format=%s image)" -lt 60000 ]
}

@test "images from all sources are equal except for the name of the source" {
	start_target files
	for source in $(known_sources); do
		guardmaps save --source "$source" "$TARGET_PID" image
		same "$(guardmaps show -n -r -o SOURCE image | sort -u)" "$source"
		same "$(guardmaps show image)" "$(guardmaps "$TARGET_PID")"
	done
}

@test "a process without guards can be saved, and show reports that it has none" {
	start_target none
	try guardmaps save "$TARGET_PID" image
	same "$status" 0
	same "$stderr" "$TARGET_PID (target): no guard regions"
	try guardmaps show image
	same "$status" 0
	same "$output" "START END SIZE KIND OWNER PERM MAPPING"
	same "$stderr" "$TARGET_PID (target): no guard regions"
}

@test "a recorded process can be saved" {
	record_process 100 recorded
	echo '10000000-10010000 rw-p 00000000 00:00 0' | record 100 maps
	echo '10001000-10003000 ---p 00000000 00:00 0' | record 100 guards
	guardmaps --sysroot tree save 100 image
	same "$(guardmaps show -n -r -o PID,COMMAND,START,END,SOURCE image)" \
		"100 recorded 0x10001000 0x10003000 guards"
}

# ---- The file --------------------------------------------------------------

@test "an image is readable only by its owner, whatever the umask" {
	start_target run:1
	(umask 0 && guardmaps save "$TARGET_PID" image)
	same "$(stat --format=%a image)" 600
}

@test "save replaces a file and leaves no other file" {
	start_target run:1
	echo old >image
	chmod 644 image
	guardmaps save "$TARGET_PID" image
	guardmaps save "$TARGET_PID" image
	same "$(guardmaps show -n -r -o PAGES image)" 1
	same "$(stat --format=%a image)" 600
	same "$(echo *image*)" image
}

@test "save accepts a path" {
	start_target run:1
	mkdir directory
	guardmaps save "$TARGET_PID" directory/image
	guardmaps save "$TARGET_PID" "$PWD/directory/image two"
	same "$(guardmaps show "directory/image two")" \
		"$(guardmaps show "$PWD/directory/image")"
	same "$(ls -A directory)" $'image\nimage two'
}

@test "a file name may be as long as the file system allows" {
	start_target run:1
	local name
	name=$(printf '%0255d' 7)
	guardmaps save "$TARGET_PID" "$name"
	guardmaps save "$TARGET_PID" "$name"
	same "$(guardmaps show -n -r -o PAGES "$name")" 1
	try guardmaps save "$TARGET_PID" "${name}x"
	same "$status" 2
	same "$stderr" "guardmaps: cannot write ${name}x: File name too long"
}

@test "an image can be written to standard output, and read from standard input" {
	start_target threads:3
	same "$(guardmaps save "$TARGET_PID" - | guardmaps show -)" \
		"$(guardmaps "$TARGET_PID")"
	guardmaps save "$TARGET_PID" - | guardmaps diff - "$TARGET_PID"
	guardmaps save "$TARGET_PID" - | guardmaps install --dry-run - "$TARGET_PID"
}

@test "save neither follows nor replaces a symbolic link" {
	start_target run:1
	echo old >file
	ln -s file link
	ln -s missing dangling
	for name in link dangling; do
		refuses "cannot write $name: it is a symbolic link" \
			guardmaps save "$TARGET_PID" "$name"
	done
	[ -L link ]
	[ ! -e missing ]
	same "$(<file)" old
}

@test "save writes to no FIFO and no device, and does not wait for one" {
	start_target run:1
	mkfifo fifo
	for name in fifo /dev/null; do
		refuses "cannot write $name: not a regular file" \
			guardmaps save "$TARGET_PID" "$name"
	done
}

@test "a FIFO or a device in the place of an image is refused without waiting" {
	start_target run:1
	mkfifo image
	ln -s /dev/zero zero
	for name in image zero; do
		local message="cannot read $name: not a regular file"
		refuses "$message" guardmaps show "$name"
		refuses "$message" guardmaps diff "$name" "$TARGET_PID"
		refuses "$message" guardmaps install "$name" "$TARGET_PID"
	done
	# Nor does one with a writer that writes nothing hold it up.
	exec {writer}<>image
	refuses "cannot read image: not a regular file" guardmaps show image
	exec {writer}>&-
}

@test "a limit of the size of files is reported, and keeps an existing image" {
	start_target run:1
	guardmaps save "$TARGET_PID" image
	cp image before
	start_target alternate:20000
	refuses "cannot write image: File too large" \
		sh -c 'ulimit -f 8 && exec guardmaps save "$1" image' sh "$TARGET_PID"
	cmp image before
	same "$(ls -A | grep -cF .tmp)" 0
}

@test "a signal in the middle of save leaves the old image, and no other file" {
	start_target alternate:100000
	echo old >image
	for i in {1..40}; do
		guardmaps save "$TARGET_PID" image 2>/dev/null &
		sleep "0.0$((i % 10))$((i % 7))"
		kill -"$([ $((i % 2)) = 0 ] && echo TERM || echo INT)" "$!" || true
		wait "$!" || true
		[ "$(<image)" = old ] || guardmaps show image >shown
		same "$(find . -name '.guardmaps-*')" ""
	done 2>/dev/null
}

@test "an image that needs more memory than --image-limit is refused" {
	start_target alternate:20000
	guardmaps save "$TARGET_PID" image
	for size in 10000 10K 0; do
		try guardmaps show --image-limit "$size" image
		same "$status$output" 2
		matches "$stderr" "guardmaps: cannot read image: it needs more than [0-9]+ bytes of memory"
	done
	guardmaps show --image-limit 1M -n image | cmp - <(guardmaps show -n image)
	guardmaps diff --image-limit=1G image "$TARGET_PID"
	for size in "" 1T K -1 "1 K" 1KK 99999999999G; do
		refuses "invalid size: '$size'" guardmaps show --image-limit "$size" image
	done
	refuses "--image-limit cannot be used with save" \
		guardmaps save --image-limit 1 1 image
}

# ---- What is no image ------------------------------------------------------

@test "a file that is not an image is refused" {
	echo "hello, world" >file
	refuses "cannot read file: not a guardmaps image" guardmaps show file
	: >empty
	refuses "cannot read empty: not a guardmaps image" guardmaps show empty
	refuses "cannot read $build/guardmaps: not a guardmaps image" \
		guardmaps show "$build/guardmaps"
	refuses "cannot read $PWD: Is a directory" guardmaps show "$PWD"
	refuses "cannot open missing: No such file or directory" \
		guardmaps show missing
}

@test "an image that is truncated anywhere is refused" {
	start_target threads:3
	guardmaps save "$TARGET_PID" image
	local size
	size=$(stat --format=%s image)
	for length in 1 8 11 12 13 20 100 $((size / 2)) $((size - 4)) $((size - 1)); do
		head -c "$length" image >cut
		try guardmaps show cut
		same "$status" 2
		same "$output" ""
		matches "$stderr" "guardmaps: cannot read cut: .+"
	done
}

@test "an image with trailing data is refused" {
	start_target run:1
	guardmaps save "$TARGET_PID" image
	cat image image >twice
	refuses "cannot read twice: checksum mismatch (damaged or truncated)" \
		guardmaps show twice
}

@test "an image with one byte changed anywhere is refused" {
	start_target threads:3
	guardmaps save "$TARGET_PID" image
	local size byte
	size=$(stat --format=%s image)
	for ((at = 0; at < size; at += size / 20 + 1)); do
		cp image changed
		byte=$(od -An -tu1 -j "$at" -N 1 image)
		printf '%b' "\\x$(printf '%02x' "$((byte ^ 1))")" |
			dd of=changed bs=1 seek="$at" conv=notrunc status=none
		try guardmaps show changed
		same "$status" 2
		same "$output" ""
		matches "$stderr" "guardmaps: cannot read changed: .+"
	done
}

@test "an image of a later format version is refused, and the version reported" {
	start_target run:1
	guardmaps save "$TARGET_PID" image
	printf '\x02' | dd of=image bs=1 seek=8 conv=notrunc status=none
	refuses "cannot read image: unsupported format version 2 (only version 1 is supported)" \
		guardmaps show image
}

@test "a file that never ends is refused" {
	refuses "cannot read standard input: not a guardmaps image" \
		sh -c 'exec guardmaps show - </dev/zero'
	refuses "cannot read standard input: it needs more than 1000000 bytes of memory" \
		sh -c '{ printf "GUARDMAP\\001\\000\\000\\000"; cat /dev/zero; } |
			guardmaps show --image-limit 1000000 -'
}

# ---- What cannot be saved --------------------------------------------------

@test "saving a process that does not exist fails and keeps an existing image" {
	start_target run:1
	guardmaps save "$TARGET_PID" image
	cp image before
	local gone
	gone=$(dead_pid)
	refuses "no process $gone (no /proc/$gone)" guardmaps save "$gone" image
	cmp image before
	refuses "no process $gone (no /proc/$gone)" guardmaps save "$gone" new
	[ ! -e new ]
}

@test "saving a process without memory fails" {
	find_kernel_thread
	refuses "2 (kthreadd): a kernel thread has no memory of its own" \
		guardmaps save "$KERNEL_THREAD" new
	[ ! -e new ]
}

@test "a directory that does not exist is reported" {
	start_target run:1
	refuses "cannot write missing/image: No such file or directory" \
		guardmaps save "$TARGET_PID" missing/image
	refuses "cannot write $PWD: Is a directory" \
		guardmaps save "$TARGET_PID" "$PWD"
}

@test "a directory that is not writable is reported, and nothing is left in it" {
	needs_two_users
	start_target_as_nobody run:1
	mkdir -m 755 closed
	cd closed
	refuses "cannot write image: Permission denied" \
		as_nobody guardmaps save "$TARGET_PID" image
	same "$(ls -A)" ""
}

@test "another user's image is neither read nor replaced" {
	needs_two_users
	start_target_as_nobody run:1
	mkdir -m 755 closed
	guardmaps save "$TARGET_PID" closed/image
	cp closed/image before
	cd closed
	refuses "cannot open image: Permission denied" as_nobody guardmaps show image
	refuses "cannot write image: Permission denied" \
		as_nobody guardmaps save "$TARGET_PID" image
	cmp image ../before
	same "$(ls -A)" image
}

@test "a full device is reported" {
	start_target run:1
	refuses "cannot write to standard output: No space left on device" \
		sh -c 'exec guardmaps save "$1" - >/dev/full' sh "$TARGET_PID"
}

@test "a full disk is reported, an existing image is kept, and no other file is left" {
	needs_mounts
	start_target run:1
	local small=$TARGET_PID
	start_target alternate:100000
	in_mount_namespace sh -e -c '
		mount -t tmpfs -o size=64k none /mnt
		guardmaps save "$1" /mnt/image
		cp /mnt/image before
		status=0
		guardmaps save "$2" /mnt/image 2>errors || status=$?
		test "$status" -eq 2
		guardmaps save "$2" /mnt/new 2>>errors || status=$?
		test "$status" -eq 2
		cmp /mnt/image before
		test "$(ls -A /mnt)" = image' sh "$small" "$TARGET_PID"
	same "$(<errors)" "\
guardmaps: cannot write /mnt/image: No space left on device
guardmaps: cannot write /mnt/new: No space left on device"
}

@test "a save that is killed leaves no image" {
	start_target alternate:100000
	for i in {1..10}; do
		guardmaps save "$TARGET_PID" image &
		kill -KILL "$!" 2>/dev/null || true
		wait "$!" || true
		[ ! -e image ] || guardmaps show -n -r -o START,END image |
			cmp - "$TARGET_GUARDS"
		rm -f image*
	done
}

# ---- Usage -----------------------------------------------------------------

@test "save requires a process and a file, show a file" {
	refuses "save requires PID FILE" guardmaps save
	refuses "save requires PID FILE" guardmaps save 1
	refuses "too many arguments for save" guardmaps save 1 a b
	refuses "no process is named 'no-such'" guardmaps save no-such 1
	refuses "show requires FILE" guardmaps show
	refuses "too many arguments for show" guardmaps show a b
}

@test "show cannot be used with options for processes, nor save with options for tables" {
	refuses "--source cannot be used with show" guardmaps show --source scan image
	refuses "--sysroot cannot be used with show" guardmaps show --sysroot tree image
	refuses "--json cannot be used with save" \
		guardmaps save -J 1 image
	refuses "--bytes cannot be used with save" guardmaps save -b 1 image
}
