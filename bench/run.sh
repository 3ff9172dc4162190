#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Compares guardmaps with minimal programs that get the same information from
# the kernel, on processes made for this purpose. Times of commands are those
# that they spend on a processor, because others may use the machine. No figure
# makes the run fail; only a benchmark that could not be run does.
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

# print_peak ALLOWED: of the command that was compared last, in MiB
print_peak() {
	mib=$(awk -v kib="$peak_kib" 'BEGIN { printf "%.1f", kib / 1024 }')
	print_row '  its peak memory, MiB' - - - "$mib" "$1"
}

# print_least WORK ALLOWED COMMAND...: what it takes on its own
print_least() {
	work=$1
	allowed=$2
	shift 2
	if times=$("$measure" "$@" -- true); then
		peak_kib=${times##* }
		print_row "$work, ms" - - - "${times%% *}" "$allowed"
	else
		fail "$work"
	fi
}

bench_list() {
	start_target alternate:1000000 || return
	compare '-r -n -o START,END, 1,000,000 guards' 'bare list' 4 \
		"$guardmaps" -r -n -o START,END "$pid" -- \
		"$bare" list "$pid" &&
		print_peak 96
	compare '-r, 1,000,000 guards' 'bare list' 3 \
		"$guardmaps" -r "$pid" -- "$bare" list "$pid"
	compare '-J, 1,000,000 guards' 'bare list' 5 \
		"$guardmaps" -J "$pid" -- "$bare" list "$pid"
	compare 'maps, 1,000,000 guards' 'bare list' 2.5 \
		"$guardmaps" maps "$pid" -- "$bare" list "$pid"
	stop_target
}

bench_owners() {
	start_target threads:10000:8192 || return
	compare '10,000 threads, 8 MiB stacks, a guard each' 'bare owners' 1.5 \
		"$guardmaps" "$pid" -- "$bare" owners "$pid"
	compare 'stacks, the same' 'bare stacks' 1.15 \
		"$guardmaps" stacks "$pid" -- \
		"$bare" stacks "$pid" $((8192 * 1024 - 4096))
	stop_target
	start_target threads:10000:64 || return
	compare '10,000 threads, 64 KiB stacks, a guard each' 'bare owners' \
		1.5 "$guardmaps" "$pid" -- "$bare" owners "$pid"
	stop_target
	start_target prot-none-threads:10000 || return
	print_least '10,000 threads with PROT_NONE guards, one other guard' \
		48.5 "$guardmaps" "$pid"
	stop_target
}

# The copies of a target and the target itself.
many_pids() {
	cat "/proc/$job/task/$job/children"
	echo "$job"
}

# What should be linear is compared with a quarter of the same.
bench_many() {
	start_target -c 3999 alternate:10 || return
	# shellcheck disable=SC2046 # one line
	many=$(echo $(many_pids))
	few=$(echo "$many" | cut -d ' ' -f -1000)
	# shellcheck disable=SC2086 # split into words
	compare 'PID..., 4,000 processes with 10 guards each' '1,000' 4.5 \
		"$guardmaps" $many -- "$guardmaps" $few &&
		print_peak 32
	stop_target
}

# record_names COUNT: a tree with a process whose stacks glibc has named
record_names() {
	directory=$scratch/names-$1/proc/1
	mkdir -p "$directory/task"
	seq 1 "$1" | (cd "$directory/task" && xargs mkdir)
	echo named >"$directory/comm"
	printf 'NSpid:\t1\n' >"$directory/status"
	# Below 2 GiB, as far as each awk can print.
	awk -v count="$1" -v maps="$directory/maps" \
		-v guards="$directory/guards" 'BEGIN {
		for (i = 1; i <= count; i++) {
			start = i * 65536
			printf "%08x-%08x rw-p 00000000 00:00 0 %s%d]\n",
				start, start + 65536,
				"[anon: glibc: pthread stack: ", i >maps
			printf "%08x-%08x ---p 00000000 00:00 0\n",
				start, start + 4096 >guards
		}
	}'
}

bench_names() {
	work='--sysroot, 32,000 stacks named by glibc'
	if ! record_names 32000 || ! record_names 8000; then
		fail "$work"
		return
	fi
	compare "$work" '8,000' 4.5 \
		"$guardmaps" --sysroot "$scratch/names-32000" 1 -- \
		"$guardmaps" --sysroot "$scratch/names-8000" 1
}

bench_explain() {
	work='explain, 1,000 addresses, us each'
	start_target alternate:1000 || return
	# Half of them are guarded.
	addresses=$("$guardmaps" -r -n -o START,END "$pid" | head -n 500)
	# shellcheck disable=SC2086 # split into words
	if times=$("$measure" "$guardmaps" explain "$pid" $addresses -- \
		"$guardmaps" explain "$pid" "${addresses%% *}"); then
		print_row "$work" - - - "$(echo "$times" |
			awk '{ printf "%.2f", ($1 - $2) / 999 * 1000 }')" 4
	else
		fail "$work"
	fi
	stop_target
}

# crash KIND: leaves the core file of a crash. Others may change core_pattern.
crash() (
	lock=/run/lock/guardmaps-core-pattern
	[ ! -r "$lock" ] || { exec 9<"$lock" && flock -s 9; }
	mkdir "$scratch/crash" && cd "$scratch/crash" && ulimit -c unlimited &&
		"$crash" "$1" >/dev/null 2>&1
	[ -e core ] || mv core.* core 2>/dev/null
)

bench_core() {
	if ! crash deep; then
		printf '%-58s skipped: core_pattern is not core\n' 'explain --core'
		return
	fi
	core=$scratch/crash/core
	frames=$("$guardmaps" explain --core "$core" -n -r -o FRAMES)
	print_least "explain --core, $frames frames" 2000 \
		"$guardmaps" explain --core "$core"
	print_peak 96
	rm "$core"
}

# Once, because it is not the time that is looked at.
bench_memory() {
	start_target alternate:10000000 || return
	# 1: processes that may not be read
	compare '-a, 10,000,000 guards' 'bare scan' - -n 1 -e 1 \
		"$guardmaps" -a -- "$bare" scan "$pid" && print_peak 32
	compare 'diff, 10,000,000 guards' 'bare scan' - -n 1 \
		"$guardmaps" diff "$pid" "$pid" -- "$bare" scan "$pid" &&
		print_peak 32
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
	start_target -c 999 none || return
	compare '-a, 1,000 processes without guards' 'bare scan-all' 1.25 \
		-e 1 "$guardmaps" -a -- "$bare" scan-all
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

bench_catch() {
	program='BEGIN { for (i = 0; i < 10000000; i++) sum += i }'
	compare 'catch, a program that computes' 'without' 1.01 \
		"$guardmaps" catch awk "$program" -- awk "$program"
}

bench_companion() {
	work='guardmaps-core, a core of 1 GiB'
	"$(dirname "$0")/companion.sh" "$build" >"$scratch/companion" 2>&1
	status=$?
	case $status in
	0) ;;
	77)
		printf '%-58s skipped\n' "$work"
		return
		;;
	*)
		cat "$scratch/companion" >&2
		fail "$work"
		return
		;;
	esac
	while read -r word a b; do
		case $word in
		core) print_row "$work" "$a" 'bare' "$b" "$(divide "$a" "$b")" 1.05 ;;
		store) print_row "  store after $a crashes, MiB" - - - "$b" 256 ;;
		esac
	done <"$scratch/companion"
}

print_heading
bench_list
bench_owners
bench_resident
bench_sparse
bench_mappings
bench_all
bench_many
bench_names
bench_explain
bench_core
bench_catch
bench_memory
bench_image
bench_install
bench_threads
bench_companion
bench_criu
[ "$failures" -eq 0 ]
