#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Measures the CRIU plugin for bench/run.sh. Runs inside tests/bed/enter. Prints
# lines of a word and numbers:
#
#   overhead WITH WITHOUT    ms of dump and restore, no guards; the best of each
#   image BYTES GROWTH       100,000 guards: size of the plugin's image, and
#                            growth of criu's own mm image, in bytes
#   window MS                100,000 locked guards: time from taking out the
#                            first to putting back the last
#   dump LOCKED UNLOCKED     ms of a dump of 1,000 processes with three threads:
#                            locked with the plugin, and unlocked without; the
#                            best of each
#   restore LOCKED UNLOCKED  the same for their restore
#   keeper KIB               memory of all keepers at the end of the dump
#
# Usage: criu.sh BUILD_DIR

set -eu

ROUNDS=40
PROCESSES=1000
TREE_ROUNDS=3

build=$1
plugin=$build/criu-plugin
work=$(mktemp -d)
target=
mkdir "$work/none"
mkfifo "$work/ready"
cd "$work"

clean_up() {
	[ -z "$target" ] || kill -KILL "$target" 2>/dev/null || true
	rm -rf "$work"
}
trap clean_up EXIT

# start_resident MIB: sets target
start_resident() {
	setsid "$build/bench/resident" "$1" </dev/null >ready 2>/dev/null &
	disown
	read -r _ target <ready
}

# start_subject WORD...: sets target
start_subject() {
	rm -f ready.0
	setsid "$build/tests/criu/subject" "$@" </dev/null >/dev/null 2>&1 &
	disown
	until [ -e ready.0 ]; do
		sleep 0.01
	done
	target=$(pgrep -x subject-0)
}

# It no longer belongs to this shell by then, so there is no report when it
# ends.
wait_for_end() {
	while [ -e "/proc/$target" ]; do
		sleep 0.01
	done
}

now() {
	date +%s%N
}

# criu DIRECTORY ARGUMENT...: with the plugins in a directory
run_criu() {
	local directory=$1
	shift
	timeout 600 criu "$@" -D images -L "$directory" -v3 -o log </dev/null >/dev/null 2>&1 || {
		tail -n 5 images/log >&2
		exit 1
	}
}

# round DIRECTORY: prints the microseconds of a dump and a restore
round() {
	local start spent
	rm -rf images
	mkdir images
	start=$(now)
	run_criu "$1" dump -t "$target"
	spent=$(($(now) - start))
	wait_for_end
	start=$(now)
	run_criu "$1" restore -d
	spent=$((spent + $(now) - start))
	echo $((spent / 1000))
}

# In turn, so that other load on the machine affects both.
overhead() {
	start_resident 64
	for _ in $(seq "$ROUNDS"); do
		round "$plugin" >>with
		round "$work/none" >>without
	done
	kill -KILL "$target"
	wait_for_end
	echo overhead "$(best with)" "$(best without)"
}

# best FILE: prints the lowest of its numbers, in milliseconds
best() {
	sort -n "$1" | awk 'NR == 1 { printf "%.1f", $1 / 1000 }'
}

# dump_once ARGUMENT...: the target lives on
dump_once() {
	rm -rf images
	mkdir images
	start_subject "$@"
	run_criu "$plugin" dump -t "$target" -R
	kill -KILL "$target"
	wait_for_end
}

size() {
	stat -c %s images/"$1"-*.img
}

image() {
	local bare
	dump_once alternate:1
	bare=$(size mm)
	dump_once alternate:100000
	echo image "$(size guardmaps)" $(($(size mm) - bare))
}

window() {
	dump_once alternate:100000 mlockall
	sed -n 's/.*put back, \([0-9.]*\) ms after.*/window \1/p' images/log
}

start_crowd() {
	setsid "$build/tests/criu/crowd" "$PROCESSES" "$@" </dev/null >ready 2>/dev/null &
	disown
	read -r _ target <ready
}

crowd_is_gone() {
	! pgrep -x crowd >/dev/null
}

# timed NAME COMMAND...: adds its microseconds to a file
timed() {
	local start name=$1
	shift
	start=$(now)
	"$@"
	echo $((($(now) - start) / 1000)) >>"$name"
}

# round_tree NAME DIRECTORY WORD...: adds times to NAME.dump and NAME.restore
round_tree() {
	local name=$1 directory=$2
	shift 2
	rm -rf images
	mkdir images
	start_crowd "$@"
	timed "$name.dump" run_criu "$directory" dump -t "$target" \
		--action-script "$work/script"
	until crowd_is_gone; do
		sleep 0.1
	done
	timed "$name.restore" run_criu "$directory" restore -d
	pkill -KILL -x crowd
	until crowd_is_gone; do
		sleep 0.1
	done
}

# At the end of a dump all guards are out.
tree() {
	cat >script <<-END
		#!/bin/sh
		[ "\$CRTOOLS_SCRIPT_ACTION" = post-dump ] || exit 0
		for pid in \$(pgrep -x guardmaps-keep); do
			cat "/proc/\$pid/smaps_rollup"
		done | awk '/^Pss:/ { sum += \$2 } END { print sum + 0 }' >>$work/keeper
	END
	chmod +x script
	for _ in $(seq "$TREE_ROUNDS"); do
		round_tree locked "$plugin" locked
		round_tree unlocked "$work/none"
	done
	echo dump "$(best locked.dump)" "$(best unlocked.dump)"
	echo restore "$(best locked.restore)" "$(best unlocked.restore)"
	echo keeper "$(sort -n keeper | tail -n 1)"
}

overhead
image
window
tree
