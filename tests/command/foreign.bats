#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Programs of another C library, or with another word size, than guardmaps.

load helpers

# start_foreign NAME: start this build of foreign/threads.c, and wait until all its
# threads sleep. Sets TARGET_PID.
start_foreign() {
	local program=$build/tests/threads-$1 deadline=$((SECONDS + patience)) status=0

	[ -x "$program" ] || skip "no compiler here for $1 programs"
	"$program" >facts 2>errors 3>&- &
	TARGET_PID=$!
	started+=("$TARGET_PID")
	until grep -q ^ready facts; do
		if ! is_alive "$TARGET_PID"; then
			wait "$TARGET_PID" || status=$?
			[ "$status" -ne 77 ] || skip "no guard regions in this kernel"
			[ "$status" -lt 126 ] || skip "$1 programs do not run here"
			return 1
		fi
		[ "$SECONDS" -lt "$deadline" ]
	done
	until all_sleep; do
		[ "$SECONDS" -lt "$deadline" ]
	done
}

all_sleep() {
	! grep -L '^State:[[:space:]]*S' "/proc/$TARGET_PID"/task/*/status |
		grep -q .
}

# fact NAME FIELD: of a line of facts: 3 is the id, 4 the start, 5 the end.
fact() {
	awk -v name="$1" -v field="$2" '$2 == name { print $field }' facts
}

# All that holds of both.
threads_are_known() {
	local start end guard
	start_foreign "$1"
	try guardmaps stacks -J -o +STACKEND,EVIDENCE,GUARDSTART "$TARGET_PID"
	same "$status $stderr" "0 "
	same "$(json -c '.threads[] | select(.name == "given") |
		[.tid, .stack, .guard, .evidence]')" \
		"[$(fact given 3),\"$(fact given 4)\",\"marker\",\"descriptor\"]"
	# musl puts its own data at the end of the memory.
	end=$(json -r '.threads[] | select(.name == "given") | .stackend')
	((end <= $(fact given 5) && end > $(fact given 5) - 4096))
	# What is in use lies in the stack, and the C library's guard below it.
	read -r start end guard < <(json -r '.threads[] | select(.name == "own") |
		"\(.stack) \(.stackend) \(.guard)"')
	((start < $(fact own 4) && $(fact own 5) <= end))
	matches "$guard" "PROT_NONE|marker"
	same "$(json -r '.threads[] | select(.tid == '"$TARGET_PID"') | .guard')" gap
	# Its region belongs to the thread.
	guard=$(printf '0x%x' "$(($(fact given 4) - $(getconf PAGESIZE)))")
	try guardmaps -r -n -o START,KIND,TID "$TARGET_PID"
	[[ $'\n'$output$'\n' == *$'\n'"$guard stack $(fact given 3)"$'\n'* ]]
	try guardmaps explain "$TARGET_PID" "$guard"
	[[ $output == *"  owner    thread given ($(fact given 3)): "* ]]
	# So does that of the C library, of either kind.
	start=$(printf '0x%x' "$((start - 1))")
	try guardmaps explain -r -n -o OWNER "$TARGET_PID" "$start"
	same "$output" "own\\x20($(fact own 3))"
}

@test "the stacks and guards of a 32-bit program are known" {
	threads_are_known 32bit
}

@test "the stacks and guards of a program with musl are known" {
	threads_are_known musl
}

# ---- Another pid namespace ---------------------------------------------------

# Where /proc shows numbers of another namespace than the command's.
in_pid_namespace() {
	# timeout 9.10 does not run as the first process of a namespace.
	unshare --pid --fork --kill-child sh -c '"$@"; exit' sh "$@"
}

@test "in another pid namespace than that of /proc, what is read is right or unknown" {
	in_pid_namespace true 2>/dev/null || skip "needs a pid namespace"
	start_target threads:2
	same "$(in_pid_namespace guardmaps -r -n -o START,END "$TARGET_PID")" \
		"$(<"$TARGET_GUARDS")"
	guardmaps stacks -r -n -o TID,STACK,GUARD "$TARGET_PID" >true_rows
	try in_pid_namespace guardmaps stacks -r -n -o TID,STACK,GUARD "$TARGET_PID"
	same "$status $stderr" "0 "
	local row
	for row in "${lines[@]}"; do
		grep -qFx "$row" true_rows || matches "$row" "[0-9]+  unknown"
	done
}

@test "in another pid namespace than that of /proc, no process is changed" {
	in_pid_namespace true 2>/dev/null || skip "needs a pid namespace"
	start_target threads:2
	guardmaps save "$TARGET_PID" image
	try in_pid_namespace guardmaps install image "$TARGET_PID"
	same "$status" 2
	matches "$stderr" "guardmaps: .*another pid namespace.*"
	same "$(guardmaps -r -n -o START,END "$TARGET_PID")" "$(<"$TARGET_GUARDS")"
}
