#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Compares guardmaps with minimal programs that get the same information from
# the kernel, on processes made for this purpose. No figure makes the run fail;
# only a benchmark that could not be run does.
#
# Usage: run.sh BUILD_DIR

set -u

if [ $# -ne 1 ] || [ ! -d "$1" ]; then
	echo "Usage: $0 BUILD_DIR" >&2
	exit 2
fi

build=$1
image=$build/bench/image
. "$(dirname "$0")/table.sh"

bench_list() {
	start_target alternate:1000000 || return
	if compare '-r -n -o START,END, 1,000,000 guards' 'bare list' 4 \
		"$guardmaps" -r -n -o START,END "$pid" -- \
		"$bare" list "$pid"; then
		mib=$(awk -v kib="$peak_kib" \
			'BEGIN { printf "%.1f", kib / 1024 }')
		print_row '  its peak memory, MiB' - - - "$mib" 96
	fi
	compare 'maps, 1,000,000 guards' 'bare list' 2.5 \
		"$guardmaps" maps "$pid" -- "$bare" list "$pid"
	stop_target
}

bench_resident() {
	work='4 GiB resident in 4 KiB pages, no guards'
	available=$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' \
		/proc/meminfo)
	if [ "$available" -lt 6144 ]; then
		printf '%-58s skipped: %s MiB available, needs 6144\n' \
			"$work" "$available"
		return
	fi
	start_target resident:4096 || return
	compare "$work" 'bare scan' 1.5 \
		"$guardmaps" "$pid" -- "$bare" scan "$pid"
	stop_target
}

bench_sparse() {
	start_target sparse:1024:1000 || return
	compare '1 TiB sparse mapping, 1,000 scattered guards' 'bare scan' 1.5 \
		"$guardmaps" "$pid" -- "$bare" scan "$pid"
	stop_target
}

bench_mappings() {
	start_target mappings:30000 || return
	compare '30,000 mappings, a guard in each' 'bare maps' 3 \
		"$guardmaps" "$pid" -- "$bare" maps "$pid"
	stop_target
}

bench_all() {
	start_target -c 999 alternate:10 || return
	# 1: processes that may not be read, which bare skips too
	compare '-a, 1,000 processes' 'bare all' 1.5 -e 1 \
		"$guardmaps" -a -- "$bare" all
	stop_target
}

bench_image() {
	work='image of 100,000 guards, write and read'
	start_target alternate:100000 || return
	if figures=$("$image" "$pid" "$scratch") &&
		times=$("$measure" "$bare" list "$pid" -- true); then
		read -r spent bytes <<-END
			$figures
		END
		read -r listing _ <<-END
			$times
		END
		ratio=$(awk -v spent="$spent" -v listing="$listing" \
			'BEGIN { printf "%.2f", spent / listing }')
		print_row "$work" "$spent" 'bare list' "$listing" "$ratio" 1
		kb=$(awk -v bytes="$bytes" \
			'BEGIN { printf "%.1f", bytes / 1000 }')
		print_row '  its size, KB' - - - "$kb" 300
	else
		fail "$work"
	fi
	stop_target
}

bench_install() {
	work='100,000 guards put into a process'
	start_target alternate:100000 || return
	if times=$("$build/bench/install" "$pid"); then
		read -r batches single <<-END
			$times
		END
		print_row "$work" "$batches" 'one by one' "$single" \
			"$(divide "$batches" "$single")" 0.1
	else
		fail "$work"
	fi
	stop_target
}

bench_threads() {
	work='10,000 threads stopped and continued, ms'
	start_target threads:10000 || return
	if time=$("$build/bench/threads" "$pid"); then
		print_row "$work" - - - "$time" 300
	else
		fail "$work"
	fi
	stop_target
}

bench_criu() {
	work='criu with the plugin'
	if [ "$(id -u)" -ne 0 ]; then
		printf '%-58s skipped: needs root\n' "$work"
		return
	fi
	source=$(realpath "$(dirname "$0")/..")
	if ! root=$("$source/tests/bed/root") ||
		! "$source/tests/bed/enter" "$root" -r "$source:/mnt/source" \
			-r "$(realpath "$build"):/mnt/build" -- \
			/mnt/source/bench/criu.sh /mnt/build >"$scratch/criu"; then
		fail "$work"
		return
	fi
	while read -r word first second; do
		print_criu_row "$word" "$first" "$second"
	done <"$scratch/criu"
}

print_criu_row() {
	case $1 in
	overhead)
		print_row 'criu dump and restore, 64 MiB, no guards' "$2" \
			'no plugin' "$3" "$(divide "$2" "$3")" 1.02
		;;
	image)
		print_row "100,000 guards: plugin's image, bytes" "$2" \
			"criu's" "$3" "$(divide "$2" "$3")" 0.1
		;;
	dump | restore)
		print_row "1,000 locked processes: criu $1" "$2" \
			'unlocked' "$3" "$(divide "$2" "$3")" 1.3
		;;
	keeper)
		print_row '  memory of all keepers, KiB' - - - "$2" 20480
		;;
	window)
		printf '%-58s %9s\n' '100,000 locked guards: out for' "$2"
		;;
	esac
}

print_heading
bench_list
bench_resident
bench_sparse
bench_mappings
bench_all
bench_image
bench_install
bench_threads
bench_criu
[ "$failures" -eq 0 ]
