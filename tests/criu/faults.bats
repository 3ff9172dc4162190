#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# criu fails where it can be made to, for tests of its own (CRIU_FAULT): no guard
# is lost, and nothing is left mapped in the processes.

load helpers

usual=(threads:2 anonymous mlock alternate:20 mlock)

# Numbers in criu/include/fault-injection.h, up to criu 4.3. Those that criu does
# not know, or does not come to, change nothing.
faults=({1..8} {127..138})

# The gaps between mappings, without those that a criu that fails leaves there.
list_mapped() {
	awk '!/CRIUMFD/ { print $1 }' "/proc/$SUBJECT/maps" | tr - ' ' |
		while read -r start end; do
			[ "$start" = "${last-}" ] || echo "${last-} $start"
			last=$end
		done
}

# criu maps its own vDSO with fault 127, and changes nothing else.
same_guards() {
	"$programs/state" "$SUBJECT" layout.0 >after.0
	diff -u <(grep -E '^(guard|lock)' before.0) \
		<(grep -E '^(guard|lock)' after.0)
}

dump_with_fault() {
	local mapped

	start_subject "${usual[@]}" || return
	note_state || return
	mapped=$(list_mapped)
	settings=("CRIU_FAULT=$1")
	try_dump --leave-running
	[ "$status" -ne 124 ] || fail "criu hangs" || return
	[ "$status" -eq 0 ] || failed="$failed $1"
	wait_for "the keeper ends" no_keeper || return
	same "$(list_mapped)" "$mapped" || return
	same_guards && verdicts_are_ok && end_processes
}

# If that fails, a restore without the fault must succeed.
restore_with_fault() {
	settings=("CRIU_FAULT=$1")
	try_restore
	settings=()
	if [ "$status" -ne 0 ]; then
		failed="$failed $1"
		wait_for "what was restored is killed" is_gone && restore ||
			return
	fi
	same_guards && verdicts_are_ok || return
	kill_processes || true
	wait_for "all processes end" is_gone
}

@test "no guard is lost when a dump fails where criu can be made to fail" {
	local fault failed=""
	for fault in "${faults[@]}"; do
		dump_with_fault "$fault" || fail "fault $fault"
		rm -rf images dump.log
		mkdir images
	done
	echo "# dumps failed:$failed" >&3
	# Or there were no faults.
	[ "$failed" ]
}

@test "no guard is lost when a restore fails where criu can be made to fail" {
	local fault failed=""
	start_subject "${usual[@]}"
	note_state
	dump
	for fault in "${faults[@]}"; do
		restore_with_fault "$fault" || fail "fault $fault"
	done
	echo "# restores failed:$failed" >&3
	[ "$failed" ]
}
