#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Dumps and restores a program with three threads with one criu, inside a root
# that tests/bed/enter entered, and prints what happened: a smoke test of the
# bed. criu 4.1.1 cannot dump such a program; 4.2.1 and 4.3 can.
#
# Exit status: 0 dumped and restored; 3 the dump failed, but the target is as it
# was; anything else: another failure.
#
# Usage: try.sh CRIU

set -eu

if [ $# -ne 1 ]; then
	echo "Usage: $0 CRIU" >&2
	exit 2
fi
criu=$1
source=$(realpath "$(dirname "$0")")
seconds=60
work=$(mktemp -d)
target=

clean_up() {
	[ -z "$target" ] || kill -KILL "$target" 2>/dev/null || true
	cd /
	rm -rf "$work"
}

die() {
	echo "$0: $*" >&2
	exit 1
}

# wait_for WHAT COMMAND...: until the command succeeds.
wait_for() {
	what=$1
	shift
	tries=100
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || die "$what: not within 10 seconds"
		sleep 0.1
	done
}

build() {
	for name in threads guard_pages; do
		gcc -O2 -pthread -o "$name" "$source/$name.c" ||
			die "cannot compile $name.c"
	done
}

start_target() {
	setsid ./threads </dev/null >/dev/null 2>&1 &
	target=$!
	wait_for "the target's threads start" test -e ready
	guards=$(./guard_pages "$target") || die "cannot count guard pages"
	[ "$guards" -eq 3 ] ||
		die "the target has $guards guard pages, not one a thread"
}

# run_criu LOG ARGUMENT...
run_criu() {
	log=$1
	shift
	timeout -k 5 "$seconds" "$criu" "$@" -D image -v4 -o "$log" \
		</dev/null >/dev/null 2>&1
}

report_failure() {
	echo "$1: failed, status $2"
	grep Error "image/$1.log" | sed 's/^/    /' || true
}

# Each of its threads has to run for that.
check_target() {
	now=$(./guard_pages "$target") || die "$1 is gone"
	echo "$1: $(find "/proc/$target/task" -mindepth 1 -maxdepth 1 | wc -l)" \
		"threads, $now guard pages"
	[ "$now" -eq "$guards" ] || die "$1: had $guards guard pages before"
	kill -USR1 "$target"
	wait_for "$1: its threads end" test -e "done"
	# Only where it is this shell's child, not a restored one.
	wait "$target" 2>/dev/null || true
	wait_for "$1: it ends" test ! -e "/proc/$target"
	target=
}

dump() {
	status=0
	run_criu dump.log dump -t "$target" || status=$?
	if [ "$status" -ne 0 ]; then
		report_failure dump "$status"
		check_target "the target after the failed dump"
		exit 3
	fi
	# Or restore finds its pid taken.
	wait "$target" || true
	wait_for "the dumped target leaves" test ! -e "/proc/$target"
	echo "dump: done, $(du -sk image | cut -f 1) KiB"
}

restore() {
	status=0
	run_criu restore.log restore -d || status=$?
	if [ "$status" -ne 0 ]; then
		report_failure restore "$status"
		exit 1
	fi
	echo "restore: done"
	check_target "the restored target"
}

trap clean_up EXIT
trap 'exit 2' HUP INT TERM
cd "$work"
mkdir image
echo "$criu: $("$criu" --version | head -n 1), $(getconf GNU_LIBC_VERSION)," \
	"kernel $(uname -r)"
build
start_target
dump
restore
