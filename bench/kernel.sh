#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Compares /proc/PID/guards, and guardmaps with it, with PAGEMAP_SCAN. Runs on a
# kernel with the series, as booted by tests/kernel/run. No figure makes the run
# fail; only a benchmark that could not be run does.
#
# Usage: kernel.sh BUILD_DIR

set -u

if [ $# -ne 1 ] || [ ! -d "$1" ]; then
	echo "Usage: $0 BUILD_DIR" >&2
	exit 2
fi

build=$1
. "$(dirname "$0")/table.sh"

# bench LAYOUT REGIONS ALLOWED WORK
bench() {
	start_target "$1" || return
	if times=$("$build/bench/guards" "$pid" "$2"); then
		read -r file scan files library <<-END
			$times
		END
		print_row "$4" "$file" 'scan' "$scan" \
			"$(divide "$file" "$scan")" "$3"
		print_row '  with stat and maps' "$files" 'scan' "$scan" \
			"$(divide "$files" "$scan")" -
		print_row '  by libguardmaps' "$library" 'scan' "$scan" \
			"$(divide "$library" "$scan")" "$3"
	else
		fail "$4"
	fi
	compare '  guardmaps PID' 'from scan' - -n 3 \
		"$guardmaps" "$pid" -- "$guardmaps" --source scan "$pid"
	stop_target
}

print_heading
bench beside:1024 1 0.05 '1 GiB resident in 4 KiB pages, a guard elsewhere'
bench sparse:1024:1000 1000 0.5 '1 TiB sparse, 1,000 scattered guards'
bench run:100000 1 0.25 'one region of 100,000 pages'
bench alternate:100000 100000 8 '100,000 guards on alternate pages'
[ "$failures" -eq 0 ]
