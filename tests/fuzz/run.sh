#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# run.sh BUILD_DIR SECONDS
#
# Run the fuzzers in BUILD_DIR/fuzz for SECONDS each, from the seeds in corpus/,
# which stay as they are. Prints TAP. Exits with 1 if an input broke something,
# and keeps that input in BUILD_DIR/fuzz/failures.
set -eu

if [ $# -ne 2 ]; then
	echo "Usage: $0 BUILD_DIR SECONDS" >&2
	exit 2
fi
build=$1
seconds=$2
corpus=$(dirname "$0")/corpus
failures=$build/fuzz/failures

# In memory, if there is such a place: the fuzzers write files all the time.
parent=${TMPDIR:-/tmp}
if [ -d /dev/shm ] && [ -w /dev/shm ]; then
	parent=/dev/shm
fi
scratch=$(mktemp -d "$parent/guardmaps-fuzz-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 2' HUP INT TERM

# Where the fuzzers put what they make.
export TMPDIR="$scratch"
export ASAN_OPTIONS="detect_leaks=1:${ASAN_OPTIONS-}"
export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1:${UBSAN_OPTIONS-}"

# Print the figure that libFuzzer gives under a name.
figure() {
	sed -n "s/^stat::$2: *//p" "$1"
}

# Say what libFuzzer found, and where the input is that it kept.
explain() {
	grep -E 'ERROR:|SUMMARY:|runtime error:|does not hold:|not sound:' "$1" |
		sed 's/^/#   /'
	sed -n 's/.*Test unit written to /#   input: /p' "$1"
}

# fuzz NUMBER NAME MAX_LEN
fuzz() {
	log=$scratch/$2.log
	cp -r "$corpus/$2" "$scratch/$2"
	if "$build/fuzz/$2" -max_total_time="$seconds" -max_len="$3" \
		-rss_limit_mb=2048 -timeout=60 -print_final_stats=1 \
		-artifact_prefix="$failures/$2-" "$scratch/$2" \
		>"$log" 2>&1; then
		echo "ok $1 - fuzz $2: $(figure "$log" number_of_executed_units)" \
			"inputs, $(figure "$log" average_exec_per_sec) a second"
		return
	fi
	echo "not ok $1 - fuzz $2"
	explain "$log"
	cp "$log" "$failures/$2.log"
	echo "#   log: $failures/$2.log"
	status=1
}

# arguments NUMBER: the command itself, with random arguments.
arguments() {
	command=$build/sanitizers/guardmaps
	[ -x "$command" ] || command=$build/guardmaps
	if "$(dirname "$0")/arguments.pl" "$command" "$seconds" \
		>"$scratch/arguments.log" 2>&1; then
		echo "ok $1 - fuzz arguments: $(cat "$scratch/arguments.log")"
		return
	fi
	echo "not ok $1 - fuzz arguments"
	sed 's/^/#   /' "$scratch/arguments.log"
	status=1
}

status=0
mkdir -p "$failures"
echo 1..6
fuzz 1 image 4096
fuzz 2 maps 16384
fuzz 3 guards 4096
fuzz 4 process 4096
fuzz 5 core 8192
arguments 6
exit $status
