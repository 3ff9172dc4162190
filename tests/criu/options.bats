#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# GUARDMAPS_CRIU, kernels without guards, and other plugins.

load helpers

# ---- Nothing to do -----------------------------------------------------

@test "the log says that there is nothing to do if there are no guards" {
	start_subject children
	dump_without_images
	logs dump "nothing to do"
	restore
	logs restore "nothing to do"
	verdicts_are_ok
}

@test "images of an earlier dump are not used" {
	start_subject anonymous mlock
	dump_running
	end_processes
	start_subject
	dump_without_images
	restore
	verdicts_are_ok
}

# ---- off ---------------------------------------------------------------

@test "off leaves processes without guards to criu" {
	settings=(GUARDMAPS_CRIU=off)
	start_subject children
	dump_without_images
	logs dump "off"
	restore
	verdicts_are_ok
}

# bats test_tags=not:old
@test "off leaves guards to a criu that supports them" {
	settings=(GUARDMAPS_CRIU=off)
	start_subject threads:2 anonymous
	note_state
	dump_without_images
	logs dump "off"
	restore
	is_as_before
}

# bats test_tags=only:old
@test "off leaves guards in place if the dump by criu alone fails" {
	settings=(GUARDMAPS_CRIU=off)
	start_subject threads:2 anonymous
	note_state
	try_dump
	[ "$status" -ne 0 ]
	is_as_before
}

# ---- Words -------------------------------------------------------------

@test "a dump refuses an unknown option and names it" {
	start_subject anonymous
	note_state
	settings=("GUARDMAPS_CRIU=strict,nonsense")
	try_dump
	[ "$status" -ne 0 ]
	logs dump "nonsense"
	is_as_before
}

@test "a restore refuses an unknown option" {
	start_subject anonymous mlock
	dump
	settings=(GUARDMAPS_CRIU=nonsense)
	refuses_to_restore "nonsense"
}

@test "strict keeps guards" {
	settings=(GUARDMAPS_CRIU=strict)
	keeps threads:2 anonymous anonymous mlock
}

@test "strict refuses to dump markers that are not preserved, and names them" {
	settings=(GUARDMAPS_CRIU=strict)
	start_subject anonymous poison
	note_state
	try_dump
	[ "$status" -ne 0 ]
	logs dump "poison"
	is_as_before
}

# bats test_tags=only:new
@test "--plugin-option has the same effect as the environment" {
	start_subject anonymous children
	note_state
	plugin+=(--plugin-option guardmaps.off)
	dump_without_images
	logs dump "off"
	restore
	is_as_before
}

# bats test_tags=only:new
@test "an unknown --plugin-option is refused" {
	start_subject anonymous
	plugin+=(--plugin-option guardmaps.nonsense)
	try_dump
	[ "$status" -ne 0 ]
	logs dump "nonsense"
}

# ---- Kernels without guards --------------------------------------------

# Only images of a criu that does not support guards can be restored there.
dump_with_4_1() {
	criu=/opt/criu-4.1.1/criu
	start_subject threads:2 anonymous mlock shared-file alternate:500 children
	note_state
	dump
	criu=$CRIU
	wrapper=("$programs/without_guards")
}

@test "a kernel without guards refuses images with guards" {
	dump_with_4_1
	refuses_to_restore "kernel has no guard"
}

@test "prot-none replaces guards by PROT_NONE mappings" {
	dump_with_4_1
	settings=(GUARDMAPS_CRIU=prot-none)
	restore
	verdicts_are_ok USR2
	same "$("$programs/state" "$SUBJECT" | grep -c '^guard')" 0
	diff <(grep '^lock' before.0) <("$programs/state" "$SUBJECT" | grep '^lock')
}

@test "prot-none changes nothing on a kernel with guards" {
	settings=(GUARDMAPS_CRIU=prot-none)
	keeps threads:2 anonymous anonymous mlock
}

@test "processes without guards are kept on a kernel without guards" {
	wrapper=("$programs/without_guards")
	start_subject children
	dump_without_images
	logs dump "no guard regions"
	restore
	verdicts_are_ok
}

# ---- Other plugins -----------------------------------------------------

# both_plugins FIRST: copy both into one directory, so that readdir() returns
# FIRST first. Which order of copying does that depends on the file system.
both_plugins() {
	local order name

	for order in "greedy guardmaps" "guardmaps greedy"; do
		rm -rf plugins
		mkdir plugins
		for name in $order; do
			cp "$(path_of "$name")" plugins
		done
		[ "$(ls -U plugins | head -n 1)" != "$1.so" ] || break
	done
	same "$(ls -U plugins | head -n 1)" "$1.so"
	plugin=(-L "$PWD/plugins")
}

path_of() {
	if [ "$1" = greedy ]; then
		echo "$programs/greedy.so"
	else
		echo "$build/criu-plugin/guardmaps.so"
	fi
}

# loaded_first LOG NAME: according to the log.
loaded_first() {
	grep -Eo 'Plugin "(greedy|guardmaps)"' "$1.log" | head -n 1 | grep -q "$2"
}

@test "guards are kept if a plugin that is loaded earlier claims all hooks" {
	both_plugins greedy
	keeps threads:2 anonymous anonymous mlock children threads:2
	loaded_first dump greedy
	loaded_first restore greedy
}

@test "guards are kept if a plugin that is loaded later claims all hooks" {
	both_plugins guardmaps
	keeps threads:2 anonymous anonymous mlock children threads:2
	loaded_first dump guardmaps
	loaded_first restore guardmaps
}
