#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Help, refusals and exit statuses of guardmaps.

load helpers

verbs="list all maps stacks explain catch crashes save show diff install check"

# ---- Process ids -----------------------------------------------------------

@test "without an argument, the command fails and refers to --help" {
	refuses "no process given" guardmaps
	refuses "no process given" guardmaps -J
}

@test "a word that is neither a process nor a command is refused and named" {
	for word in abc 12x -- -5 "" " 5" +5 0x10 5. 1,2; do
		[ "$word" != -- ] || continue
		refuses "'$word' is neither a process nor a command (see guardmaps --help)" \
			guardmaps -- "$word"
	done
}

@test "a process id out of range is refused" {
	for id in 0 000 2147483648 99999999999 99999999999999999999999; do
		refuses "process id out of range: $id" guardmaps "$id"
	done
}

@test "a process that does not exist is reported, exit 2" {
	refuses "no process 2147483647 (no /proc/2147483647)" guardmaps 2147483647
	local gone
	gone=$(dead_pid)
	refuses "no process $gone (no /proc/$gone)" guardmaps "$gone"
}

@test "leading zeros of a process id are ignored" {
	start_target run:1
	same "$(guardmaps -n -r -o PID "000$TARGET_PID")" "$TARGET_PID"
}

@test "a process may be given twice" {
	start_target run:1
	same "$(guardmaps -n -r -o PID "$TARGET_PID" "$TARGET_PID" | xargs)" \
		"$TARGET_PID $TARGET_PID"
}

# ---- Permission ------------------------------------------------------------

@test "for another user's process, its name and the missing permission are reported, exit 2" {
	needs_two_users
	start_target run:1 -n secret
	local message="$TARGET_PID (secret): cannot read /proc/$TARGET_PID/maps: Permission denied (needs the same user, or CAP_SYS_PTRACE)"
	refuses "$message" as_nobody guardmaps "$TARGET_PID"
	refuses "$message" as_nobody guardmaps maps "$TARGET_PID"
	refuses "$message" as_nobody guardmaps stacks "$TARGET_PID"
	refuses "$message" as_nobody guardmaps explain "$TARGET_PID" 0
	refuses "$message" as_nobody guardmaps save "$TARGET_PID" image
}

# with_proc OPTION COMMAND...: as another user, where /proc has this option.
with_proc() {
	# shellcheck disable=SC2016 # expanded by sh
	in_mount_namespace sh -c 'mount -t proc -o "$1" proc /proc && shift &&
		exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"' sh "$@"
}

where_others_are_hidden() {
	with_proc hidepid=2 "$@"
}

where_others_are_closed() {
	with_proc hidepid=1 "$@"
}

@test "a process that hidepid hides is not taken for one that does not exist" {
	needs_two_users
	needs_mounts
	where_others_are_hidden true || skip "needs a /proc with hidepid"
	start_target run:1
	refuses "process $TARGET_PID is hidden (by the option hidepid of /proc)" \
		where_others_are_hidden guardmaps "$TARGET_PID"
	refuses "cannot open /proc/$TARGET_PID: Operation not permitted (by the option hidepid of /proc)" \
		where_others_are_closed guardmaps "$TARGET_PID"
	local gone
	gone=$(dead_pid)
	refuses "no process $gone (no /proc/$gone)" \
		where_others_are_hidden guardmaps "$gone"
}

# denied_reason: why nobody may not read the target.
denied_reason() {
	try as_nobody guardmaps "$TARGET_PID"
	same "$status" 2
	matches "$stderr" "guardmaps: .*Permission denied \(.*\)"
	reason=${stderr##*Permission denied }
}

@test "for a process of the same user that is not dumpable, that is the reason" {
	needs_two_users
	local place reason
	place=$(mktemp -d -p "${TMPDIR:-/tmp}")
	chmod 755 "$place"
	# A program that its user may not read is not dumpable.
	cp "$build/tests/target" "$place/unreadable"
	chmod 711 "$place/unreadable"
	as_unreadable() {
		# setpriv may read all until it is replaced.
		# shellcheck disable=SC2016 # expanded by sh
		as_nobody sh -c 'shift && exec "$0" "$@"' "$place/unreadable" "$@"
	}
	start_target_by as_unreadable none
	rm -r "$place"
	denied_reason
	same "$reason" "(of the same user, but not dumpable: needs CAP_SYS_PTRACE)"
}

@test "for a process of the same user but another group, the group is the reason" {
	needs_two_users
	local reason
	as_other_group() {
		setpriv --reuid="$nobody" --regid=65533 --clear-groups "$@"
	}
	start_target_by as_other_group run:1
	denied_reason
	same "$reason" "(needs the same group, or CAP_SYS_PTRACE)"
}

@test "another user's process is reported, the user's own are listed, exit 1" {
	needs_two_users
	start_target run:1 -n secret
	local of_root=$TARGET_PID
	start_target_as_nobody run:1
	try as_nobody guardmaps -n -o PID "$of_root" "$TARGET_PID"
	same "$status" 1
	same "$output" "$TARGET_PID"
	matches "$stderr" "guardmaps: $of_root \(secret\): .*Permission denied.*"
}

@test "a kernel thread is reported as such to every user" {
	needs_two_users
	find_kernel_thread
	try as_nobody guardmaps "$KERNEL_THREAD"
	same "$status" 0
	same "$stderr" "2 (kthreadd): a kernel thread has no memory of its own"
}

# ---- Commands and options --------------------------------------------------

@test "an unknown command is refused" {
	refuses "'frob' is neither a process nor a command (see guardmaps --help)" \
		guardmaps frob
	refuses "'List' is neither a process nor a command (see guardmaps --help)" \
		guardmaps List 1
}

@test "an unknown option is refused" {
	refuses "unrecognized option '--frob'" guardmaps --frob 1
	refuses "invalid option -- 'x'" guardmaps -x 1
	refuses "unrecognized option '--frob'" guardmaps maps 1 --frob
}

@test "an option without its argument is refused" {
	refuses "option requires an argument -- 'o'" guardmaps 1 -o
	refuses "option '--source' requires an argument" guardmaps 1 --source
	refuses "option '--sysroot' requires an argument" guardmaps 1 --sysroot
}

@test "options may come before, between and after the arguments" {
	start_target run:1
	local expected
	expected=$(guardmaps -n -o PAGES,KIND "$TARGET_PID")
	same "$(guardmaps "$TARGET_PID" -n -o PAGES,KIND)" "$expected"
	same "$(guardmaps -n "$TARGET_PID" --output PAGES,KIND)" "$expected"
	same "$(guardmaps -n stacks -r "$TARGET_PID" -o NAME)" target
}

@test "an unknown source is refused, and the known ones are listed" {
	for source in nope "" Scan SCAN scan,guards; do
		refuses "unknown source: $source (known: auto, guards, scan, pagemap, markers)" \
			guardmaps --source "$source" 1
	done
}

@test "--help names every source that is known" {
	local help known
	help=$(guardmaps --help | grep -- --source)
	try guardmaps --source nope 1
	known=${stderr#*(known: }
	known=${known%)*}
	[[ $known == *auto* ]]
	for source in ${known//,/}; do
		[[ $help == *" $source"* ]]
	done
}

@test "--markers can be used only with the source markers" {
	for source in guards scan pagemap; do
		refuses "--markers cannot be used with --source $source" \
			guardmaps --markers --source "$source" 1
	done
}

@test "list is the default command for process ids" {
	start_target threads:3
	same "$(guardmaps list "$TARGET_PID")" "$(guardmaps "$TARGET_PID")"
	same "$(guardmaps list -J -o +PAGES "$TARGET_PID" "$TARGET_PID")" \
		"$(guardmaps -J -o +PAGES "$TARGET_PID" "$TARGET_PID")"
	refuses "no process given" guardmaps list
	refuses "no process is named 'abc'" guardmaps list abc
	refuses "--all cannot be used with list" guardmaps -a list 1
}

# ---- Help and version ------------------------------------------------------

@test "--help shows the usage on standard output, exit 0" {
	for verb in "" -a $verbs; do
		try guardmaps $verb --help
		same "$status$stderr" 0
		same "${lines[0]}" "Usage:"
		matches "${lines[1]}" " guardmaps \[options\].*"
		try guardmaps -h $verb
		same "$status$stderr" 0
	done
	same "$(guardmaps maps --help)" "$(guardmaps -h maps)"
}

@test "--help lists all commands" {
	try guardmaps --help
	for verb in $verbs; do
		grep -q "^ $verb " <<<"$output"
	done
}

@test "--help of -a is the help of all" {
	try guardmaps -a --help
	same "${lines[1]}" " guardmaps [options] all"
	same "$(guardmaps all --help)" "$output"
}

@test "--help of stacks shows that it can be used with -a" {
	try guardmaps stacks --help
	same "${lines[2]}" " guardmaps [options] stacks -a"
}

@test "--help of a command shows its usage" {
	for verb in $verbs; do
		try guardmaps "$verb" --help
		matches "${lines[1]}" " guardmaps \[options\] $verb.*"
	done
}

@test "--help lists the columns, and marks those that are printed by default" {
	for call in "1" "list 1" "-a" "all" "stacks 1" "explain 1 0" "crashes" "show file" "diff 1 2" "check"; do
		try guardmaps $call -o NOPE
		local columns=${stderr#*(known: }
		columns=${columns%)*}
		[[ $columns == *[A-Z]* ]]
		try guardmaps $call --help
		for column in $columns; do
			grep -Eq "^ [ *]$column +[^ ]" <<<"$output"
		done
		same "$(grep -Ec '^ [ *][A-Z]' <<<"$output")" "$(wc -w <<<"$columns")"
	done
	start_target run:1
	try guardmaps --help
	same "$(sed -n 's/^ \*\([A-Z]*\) .*/\1/p' <<<"$output" | xargs)" \
		"$(guardmaps "$TARGET_PID" | head -n 1 | xargs)"
}

@test "--help fits a terminal of 80 columns" {
	for verb in "" -a $verbs; do
		same "$(guardmaps $verb --help | awk 'length > 80')" ""
	done
}

@test "no line of --help ends in a blank" {
	for verb in "" -a $verbs; do
		same "$(guardmaps $verb --help | grep ' $')" ""
	done
}

@test "--help lists only the options that the command accepts" {
	for verb in maps save; do
		try guardmaps "$verb" --help
		same "$(grep -E -- '--(json|raw|pairs|output|bytes|all|markers)' <<<"$output")" ""
		grep -q -- --source <<<"$output"
	done
	try guardmaps show --help
	same "$(grep -E -- '--(source|sysroot)' <<<"$output")" ""
	grep -q -- --json <<<"$output"
}

@test "-V prints the name and the version" {
	try guardmaps -V
	same "$status$stderr" 0
	matches "$output" "guardmaps [0-9]+\.[0-9]+(\.[0-9]+)?"
	same "$(guardmaps --version)" "$output"
}

# ---- Options that a command does not take ----------------------------------

@test "each command refuses the options that do not apply to it before it does anything" {
	refuses "--noheadings cannot be used with maps" guardmaps maps -n 1
	refuses "--pairs cannot be used with save" guardmaps save -P 1 new
	refuses "--bytes cannot be used with explain" guardmaps -b explain 1 0
	refuses "--bytes cannot be used with maps" guardmaps -b maps 1
	refuses "--source cannot be used with show" guardmaps --source scan show new
	refuses "--sysroot cannot be used with show" guardmaps --sysroot tree show new
	refuses "--source cannot be used with check" guardmaps --source scan check
	refuses "--core cannot be used with crashes" guardmaps crashes --core 1
	refuses "--exe cannot be used with crashes" guardmaps crashes --exe 1
	refuses "--markers cannot be used with all" guardmaps --markers -a
	for verb in maps stacks explain save show diff install check; do
		refuses "--markers cannot be used with $verb" guardmaps --markers "$verb" 1 2
	done
	[ ! -e new ]
}
