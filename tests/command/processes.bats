#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What stands for a process: an id, a name, or /REGEX/.

load helpers

# record_guarded PID NAME: a process with one guard, at an address of its own.
record_guarded() {
	record_process "$1" "$2"
	printf '%x-%x rw-p 00000000 00:00 0\n' $(($1 << 20)) $((($1 + 1) << 20)) |
		record "$1" maps
	printf '%x-%x ---p 00000000 00:00 0\n' $(($1 << 20)) $((($1 << 20) + 4096)) |
		record "$1" guards
}

record_crew() {
	record_guarded 100 alpha
	record_guarded 20 beta
	record_guarded 300 beta-2
}

# list OPTION... WORD: the ids of the processes that it lists.
list() {
	guardmaps --sysroot tree -n -r -o PID "$@" 2>/dev/null | xargs
}

# ---- What it finds ---------------------------------------------------------

@test "a name stands for the process with exactly this name" {
	record_crew
	same "$(list beta)" 20
	same "$(list alpha)" 100
	refuses "no process is named 'bet'" guardmaps --sysroot tree list bet
	refuses "no process is named 'Beta'" guardmaps --sysroot tree list Beta
	refuses "no process is named 'b.ta'" guardmaps --sysroot tree list b.ta
}

@test "/REGEX/ stands for all processes with a name that it matches" {
	record_crew
	same "$(list /eta/)" "20 300"
	same "$(list '/^beta$/')" 20
	same "$(list '/^(alpha|beta-[0-9]+)$/')" "100 300"
	same "$(list '/a{2}|^.{6}$/')" 300
	same "$(list /./)" "20 100 300"
	refuses "no process has a name that matches /gamma/" \
		guardmaps --sysroot tree /gamma/
}

@test "every command that reads a process finds it by name" {
	record_crew
	for call in "list %" "maps %" "stacks %" "explain % 6400000"; do
		for name in alpha /lph/; do
			same "$(guardmaps --sysroot tree -o +PID,COMMAND ${call/\%/$name} 2>&1)" \
				"$(guardmaps --sysroot tree -o +PID,COMMAND ${call/\%/100} 2>&1)" ||
				same "$(guardmaps --sysroot tree ${call/\%/$name})" \
					"$(guardmaps --sysroot tree ${call/\%/100})"
		done
	done
	guardmaps --sysroot tree save alpha by-name
	guardmaps --sysroot tree save 100 by-id
	cmp by-name by-id
	guardmaps --sysroot tree diff /alpha/ by-id
	try guardmaps --sysroot tree diff by-id /beta-/
	same "$status" 1
}

@test "a live process is found by its name" {
	local name=n$$-live
	start_target threads:2 -n "$name"
	same "$(guardmaps "$name" -n -r -o PID | sort -u)" "$TARGET_PID"
	same "$(guardmaps stacks "/^$name\$/" -n -r -o PID | sort -u)" "$TARGET_PID"
	guardmaps save "$name" image
	try guardmaps install image "$name"
	same "$status" 0
	same "$stderr" "$TARGET_PID ($name): 0 guard regions installed"
}

@test "a number is an id, even if a process has this name" {
	record_crew
	record_guarded 400 100
	same "$(list 100)" 100
	same "$(list '/^100$/')" 400
}

@test "a word that is a command is a name after the command" {
	record_guarded 100 check
	same "$(list list check)" 100
	same "$(list /^check$/)" 100
}

@test "ids, names and expressions may be mixed" {
	record_crew
	same "$(list beta 100 /a-/ 20)" "20 100 300 20"
}

@test "in diff, a word is the name of an image" {
	record_crew
	guardmaps --sysroot tree save beta alpha
	guardmaps --sysroot tree diff alpha /^beta$/
	refuses "cannot open beta: No such file or directory" \
		guardmaps --sysroot tree diff alpha beta
}

# ---- Several ---------------------------------------------------------------

@test "the processes that a name matches are printed on standard error if there are several" {
	record_crew
	record_guarded 101 alpha
	try guardmaps --sysroot tree -n -o START alpha
	same "$status" 0
	same "$stderr" "alpha matches 2 processes: 100, 101"
	same "$output" $'0x6400000\n0x6500000'
	try guardmaps --sysroot tree -n -o START /a-/ /^b/
	same "$stderr" "/^b/ matches 2 processes: 20 (beta), 300 (beta-2)"
}

@test "with a name, the column PID is printed, however many processes it matches" {
	record_crew
	for name in beta /eta/; do
		matches "$(guardmaps --sysroot tree "$name" 2>/dev/null | head -n 1)" \
			" *PID START .*"
		matches "$(guardmaps --sysroot tree stacks "$name" 2>/dev/null | head -n 1)" \
			" *PID COMMAND +TID .*"
	done
	matches "$(guardmaps --sysroot tree 20 | head -n 1)" "START .*"
}

@test "commands that use one process refuse a name of several" {
	record_crew
	guardmaps --sysroot tree save beta image
	local found="/eta/ matches 2 processes, but only one can be used: 20 (beta), 300 (beta-2)"
	for call in "maps /eta/" "explain /eta/ 0" "save /eta/ new" \
		"diff /eta/ image" "diff image /eta/"; do
		refuses "$found" guardmaps --sysroot tree $call
	done
	[ ! -e new ]
	local name=n$$-two
	start_target run:1 -n "$name"
	local first=$TARGET_PID
	start_target run:1 -n "$name"
	try guardmaps install image "$name"
	same "$status" 2
	matches "$stderr" "guardmaps: $name matches 2 processes, but only one can be used: ($first, $TARGET_PID|$TARGET_PID, $first)"
}

# ---- What it refuses -------------------------------------------------------

@test "a name that no process has is reported, the others are listed, exit 1" {
	record_crew
	try guardmaps --sysroot tree -n -o PID alpha gamma /x/ beta
	same "$status" 1
	same "$(xargs <<<"$output")" "100 20"
	same "$stderr" "\
guardmaps: no process is named 'gamma'
guardmaps: no process has a name that matches /x/"
}

@test "a name longer than the kernel keeps is reported as that" {
	record_crew
	refuses "no process is named 'chromium-browser' (names have at most 15 bytes)" \
		guardmaps --sysroot tree list chromium-browser
}

@test "an invalid regular expression is refused before any process is read" {
	record_crew
	for expression in '/(/' '/[/' '/a{2,1}/'; do
		try guardmaps --sysroot tree alpha "$expression"
		same "$status$output" 2
		[[ $stderr == "guardmaps: invalid regular expression: $expression: "* ]]
	done
	refuses "regular expression longer than 255 bytes" \
		guardmaps --sysroot tree "/$(printf '(%.0s' {1..256})/"
	[ "$(list "/$(printf 'a?%.0s' {1..127})/")" = "20 100 300" ]
}

@test "guardmaps does not find itself" {
	local name=n$$-self
	cp "$build/guardmaps" "$name"
	try "./$name" list "$name"
	same "$status $output$stderr" "2 $name: no process is named '$name'"
	try "./$name" "/^$name/"
	same "$status $output$stderr" \
		"2 $name: no process has a name that matches /^$name/"
}

@test "a recorded process may have the id of guardmaps" {
	record_crew
	try sh -c 'mv tree/proc/100 tree/proc/$$; echo $$ >own
		exec guardmaps --sysroot tree -n -o PID alpha'
	same "$output$stderr" "$(<own)"
}

@test "without processes, a name is not looked for" {
	mkdir -p empty/proc
	refuses "no processes in empty/proc" guardmaps --sysroot empty alpha
	refuses "cannot read nowhere/proc: No such file or directory" \
		guardmaps --sysroot nowhere alpha
}

# ---- What it survives ------------------------------------------------------

@test "processes without a readable name are left out" {
	record_crew
	echo 'no stat' | record 100 stat
	mkdir -p tree/proc/999
	same "$(list /a/)" "20 300"
}

@test "a process that ends after it was found is reported" {
	local name=n$$-brief
	start_target run:1 -n "$name"
	start_group bash -c 'while [ -e "/proc/$2" ]; do
		"$1" -n "$3" run:1 &
		sh -c :
		kill -KILL "$!"
	done' bash "$build/tests/target" "$$" "$name"
	for i in {1..20}; do
		try guardmaps -n -r -o PID "$name"
		[ "$status" -le 1 ]
		grep -qx "$TARGET_PID" <<<"$output"
		same "$(grep -Ev "^($name matches .*|(guardmaps: )?(no process [0-9]+ .*|[0-9]+ \(.*\): (ended while being read|a zombie has no memory|no guard regions)))\$" <<<"$stderr")" ""
	done
	is_alive "${started_groups[0]}"
}
