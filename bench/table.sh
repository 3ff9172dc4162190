# SPDX-License-Identifier: LGPL-2.1-or-later
#
# To be sourced by benchmarks, with $build set: processes to measure, and a
# table of figures. No figure makes the run fail; only benchmarks that could not
# be run do, which $failures counts.

guardmaps=$build/guardmaps
target=$build/tests/target
crash=$build/tests/crash
bare=$build/bench/bare
measure=$build/bench/measure

failures=0
job=
pid=
scratch=$(mktemp -d) || exit 1

stop_target() {
	[ -n "$job" ] || return 0
	kill "$job" 2>/dev/null
	wait "$job" 2>/dev/null
	job=
}

clean_up() {
	stop_target
	rm -rf "$scratch"
}

trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# A named pipe, so that the target is a child of this shell and dies with it.
mkfifo "$scratch/ready" || exit 1

# start_target ARGUMENT...: sets pid, or fails with a row that says so
start_target() {
	"$target" "$@" >"$scratch/ready" &
	job=$!
	read -r word pid _ <"$scratch/ready" && [ "$word" = ready ] && return
	wait "$job"
	status=$?
	job=
	if [ "$status" -eq 77 ]; then
		printf '%-58s skipped\n' "target $*"
	else
		fail "target $*"
	fi
	return 1
}

fail() {
	printf '%-58s failed\n' "$1"
	failures=$((failures + 1))
}

# verdict REACHED ALLOWED: prints nothing if there is no limit.
verdict() {
	[ "$2" != - ] || return 0
	awk -v reached="$1" -v allowed="$2" \
		'BEGIN { print reached <= allowed ? "ok" : "OVER" }'
}

print_heading() {
	printf '%-58s %9s %-10s %9s %9s %8s\n' \
		WORK MS AGAINST MS REACHED ALLOWED
}

# print_row WORK MS AGAINST MS REACHED ALLOWED
print_row() {
	printf '%-58s %9s %-10s %9s %9s %8s %s\n' "$@" "$(verdict "$5" "$6")"
}

# compare WORK AGAINST ALLOWED [-e STATUS] COMMAND... -- COMMAND...: sets
# peak_kib too
compare() {
	work=$1
	against=$2
	allowed=$3
	shift 3
	# Hints on standard error would appear in the table.
	if ! times=$("$measure" "$@" 2>"$scratch/errors"); then
		cat "$scratch/errors" >&2
		fail "$work"
		return 1
	fi
	read -r first second ratio peak_kib <<-END
		$times
	END
	print_row "$work" "$first" "$against" "$second" "$ratio" "$allowed"
}

# divide A B: with three digits after the decimal point
divide() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'
}
