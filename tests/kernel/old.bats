#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# On a kernel without guards no source answers, and what was dumped with guards
# (by criu.bats, on another kernel) is restored with something in their place or
# not at all. To be run in qemu, by the script "run".

load ../criu/helpers

# Everything is slower here.
patience=90
criu_patience=120

fetch_images() {
	rm -rf /tmp/moved
	cp -a /mnt/moved /tmp/moved
	cd /tmp/moved
	subjects=4
	check_images
}

@test "this kernel has no guards" {
	run "$build/guardmaps" $$
	same "$status" 2
	[[ $output == *"no source shows guard regions: "* ]]
	[[ $output == *"this kernel does not support guard regions (needs Linux 6.13)"* ]]
}

@test "images with guards are refused, and stay" {
	fetch_images
	refuses_to_restore "kernel has no guard"
	same "$(cd images && cksum -- *)" "$(cd /mnt/moved/images && cksum -- *)"
}

@test "prot-none puts mappings without access where guards were" {
	fetch_images
	settings=(GUARDMAPS_CRIU=prot-none)
	restore
	verdicts_are_ok USR2
}

@test "processes without guards are dumped and restored" {
	start_subject children
	dump_without_images
	logs dump "no guard regions"
	restore
	verdicts_are_ok
}
