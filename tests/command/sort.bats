#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The rows and columns of all tables: --sort and --output-all.

load helpers

# Two processes with regions of different sizes, kinds and lengths of address.
record_two() {
	record_process 100 second
	record_process 20 first
	record 100 maps <<-'END'
		00400000-00410000 rw-p 00000000 08:01 9 /usr/bin/prog
		00500000-00520000 rw-p 00000000 00:00 0 [heap]
		7f0000000000-7f0000100000 rw-p 00000000 00:00 0
		7f0000200000-7f0000300000 rw-p 00000000 08:01 18446744073709551615 /usr/share/file
	END
	record 100 guards <<-'END'
		00400000-00408000 ---p 00000000 08:01 9 /usr/bin/prog
		00500000-0050a000 ---p 00000000 00:00 0 [heap]
		7f0000001000-7f0000002000 ---p 00000000 00:00 0
		7f0000200000-7f0000201000 ---p 00000000 08:01 18446744073709551615 /usr/share/file
	END
	echo '10000000-10100000 rw-p 00000000 00:00 0' | record 20 maps
	echo '10000000-10100000 ---p 00000000 00:00 0' | record 20 guards
}

# sorted_by COLUMN[:desc] [OPTION...]: the column of the sorted list.
sorted_by() {
	guardmaps --sysroot tree --sort "$1" -n -r -o "${1%:*}" "${@:2}" 100 20 |
		xargs
}

# ---- Order -----------------------------------------------------------------

@test "numbers and sizes are sorted as numbers" {
	record_two
	same "$(sorted_by SIZE)" "4K 4K 32K 40K 1M"
	same "$(sorted_by SIZE:desc)" "1M 40K 32K 4K 4K"
	same "$(sorted_by PAGES)" "1 1 8 10 256"
	same "$(sorted_by PID)" "20 100 100 100 100"
	same "$(sorted_by INODE)" "0 0 0 9 18446744073709551615"
}

@test "addresses are sorted as numbers" {
	record_two
	same "$(sorted_by START)" \
		"0x400000 0x500000 0x10000000 0x7f0000001000 0x7f0000200000"
	same "$(sorted_by END:desc)" \
		"0x7f0000201000 0x7f0000002000 0x10100000 0x50a000 0x408000"
}

@test "other columns are sorted byte by byte, with empty cells first" {
	record_two
	same "$(sorted_by KIND)" "anon anon file file heap"
	local mappings='[.guards[].mapping]'
	same "$(guardmaps --sysroot tree --sort MAPPING -J 100 20 | jq -c "$mappings")" \
		'[null,null,"/usr/bin/prog","/usr/share/file","[heap]"]'
	same "$(guardmaps --sysroot tree --sort mapping:desc -J 100 20 | jq -c "$mappings")" \
		'["[heap]","/usr/share/file","/usr/bin/prog",null,null]'
}

@test "percentages are sorted as numbers" {
	for count in 3 100 20; do
		record_process "$count" some
		for ((i = 0; i < count; i++)); do
			printf '%x-%x rw-p 00000000 00:00 0\n' \
				$(((i * 2 + 1) << 20)) $(((i * 2 + 2) << 20))
		done | record "$count" maps
		echo '00100000-00102000 ---p 00000000 00:00 0' |
			record "$count" guards
	done
	mkdir -p tree/proc/sys/vm
	echo 1000 >tree/proc/sys/vm/max_map_count
	same "$(guardmaps --sysroot tree -a --sort MAPS% -n -o MAPS% | xargs)" \
		"0.3 2.0 10.0"
	same "$(guardmaps --sysroot tree -a --sort MAPS%:desc -n -o PID | xargs)" \
		"100 20 3"
}

@test "equal rows keep their order, in descending order too" {
	record_two
	for order in PERM PERM:desc; do
		same "$(guardmaps --sysroot tree --sort "$order" 100 20 100)" \
			"$(guardmaps --sysroot tree 100 20 100)"
	done
	same "$(guardmaps --sysroot tree --sort SIZE:desc -n -r -o START 100 20 |
		tail -n 2 | xargs)" "0x7f0000001000 0x7f0000200000"
}

@test "sorting changes the order of the rows and nothing else" {
	start_target threads:40
	local threads=$TARGET_PID
	start_target alternate:5000
	local many=$TARGET_PID
	start_target files
	for format in "" -r -P; do
		guardmaps -o +KIND,PID,OFFSET,SOURCE $format "$threads" "$TARGET_PID" \
			"$many" | sort >plain
		guardmaps -o +KIND,PID,OFFSET,SOURCE $format --sort OWNER "$threads" \
			"$TARGET_PID" "$many" | sort | cmp plain -
	done
	guardmaps -J --sort END:desc "$many" >json
	is_json json
	same "$(jq -r '.guards[] | "\(.start) \(.end)"' json)" \
		"$(tac "$BATS_TEST_TMPDIR/target-2.guards")"
}

@test "rows can be sorted by a column that is not printed" {
	record_two
	same "$(guardmaps --sysroot tree --sort SIZE -n -o PERM,KIND 20)" "rw-p anon"
	same "$(guardmaps --sysroot tree -a --sort size:desc -n -o PID | xargs)" \
		"20 100"
	echo '0::/b.service' | record 20 cgroup
	echo '0::/a.service' | record 100 cgroup
	same "$(guardmaps --sysroot tree -a --sort UNIT -n -o PID | xargs)" "100 20"
}

@test "the total stays last" {
	record_two
	for order in COMMAND COMMAND:desc SIZE SIZE:desc; do
		try guardmaps --sysroot tree -a --sort "$order"
		matches "${lines[3]}" " +total .*"
	done
}

@test "every table can be sorted" {
	record_two
	guardmaps --sysroot tree save 20 image
	same "$(guardmaps show --sort START image)" "$(guardmaps show image)"
	same "$(guardmaps --sysroot tree diff --sort SIZE -n -r -o START image 100 | xargs)" \
		"0x7f0000001000 0x7f0000200000 0x400000 0x500000 0x10000000"
	same "$(guardmaps --sysroot tree explain --sort ADDRESS:desc -n -o ADDRESS 100 \
		8 400000 90000 | xargs)" "0x400000 0x90000 0x8"
	record_thread 100 101 a-thread
	same "$(guardmaps --sysroot tree stacks --sort NAME -n -o NAME 100 | xargs)" \
		"a-thread second"
	guardmaps check -n -r -o STATUS --sort STATUS | LC_ALL=C sort -c
}

@test "with --sort, explain prints a table" {
	record_two
	same "$(guardmaps --sysroot tree explain --sort ADDRESS 100 8)" \
		"$(guardmaps --sysroot tree explain -o ADDRESS,VERDICT,START,END,KIND,OWNER,PERM,MAPPING 100 8)"
}

@test "a table without rows can be sorted" {
	start_target none
	try guardmaps --sort SIZE "$TARGET_PID"
	same "$status $output" "0 START END SIZE KIND OWNER PERM MAPPING"
}

# ---- All columns -----------------------------------------------------------

@test "--output-all prints all columns that are known, once" {
	record_two
	guardmaps --sysroot tree save 20 image
	for call in "100 20" "-a" "stacks 100 20" "explain 100 0" "show image" \
		"diff image 100" check; do
		try guardmaps --sysroot tree $call -o NOPE
		[[ $stderr == *"known: "* ]] || try guardmaps $call -o NOPE
		local known=${stderr#*(known: }
		try guardmaps --sysroot tree $call --output-all -r
		[ -n "$output" ] || try guardmaps $call --output-all -r
		same "${lines[0]}" "${known%)}"
	done
}

# ---- What it refuses -------------------------------------------------------

@test "an unknown column to sort by is refused, and the known ones are listed" {
	for column in NOPE "" :desc NOPE:desc "START,END"; do
		refuses "unknown column: ${column%:desc} (known: CHANGE START END SIZE KIND MAPPING)" \
			guardmaps diff --sort "$column" 1 2
	done
}

@test "an unknown order is refused" {
	for order in :asc : :DESC :desc: :descending; do
		refuses "invalid order: '$order' (known: :desc)" \
			guardmaps --sort "SIZE$order" 1
	done
}

@test "--output and --output-all cannot be used together" {
	refuses "--output and --output-all cannot be used together" \
		guardmaps -o PID --output-all 1
	refuses "--output and --output-all cannot be used together" \
		guardmaps --output-all -o +PID 1
}

@test "commands that print no table cannot sort" {
	refuses "--sort cannot be used with maps" guardmaps maps --sort START 1
	refuses "--output-all cannot be used with save" \
		guardmaps save --output-all 1 image
}
