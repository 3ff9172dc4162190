#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# The formats of all tables: -J, -P, -r, -n, -b.

load helpers

# ---- JSON ------------------------------------------------------------------

@test "-J prints one object with one array, and keys are column names in lower case" {
	start_target threads:3
	try guardmaps -J "$TARGET_PID"
	same "$status" 0
	same "$(json -c 'keys')" '["guards"]'
	same "$(json '.guards | length')" 3
	same "$(json -c '.guards | map(keys_unsorted) | unique[]')" \
		'["start","end","size","kind","owner","perm","mapping"]'
	same "$(guardmaps --json "$TARGET_PID")" "$output"
}

@test "-J prints addresses as hexadecimal strings, and sizes, counts and ids as numbers" {
	start_target threads:1
	try guardmaps -J -o START,END,MAPSTART,MAPEND,OFFSET,SIZE,PAGES,PID,TID,INODE \
		"$TARGET_PID"
	same "$(json -c '.guards[0] | [.start, .end, .mapstart, .mapend, .offset]
		| map(test("^0x[0-9a-f]+$")) | unique')" '[true]'
	same "$(json -c '.guards[0] | [.size, .pages, .pid, .tid, .inode]
		| map(type) | unique')" '["number"]'
	same "$(json '.guards[0].size')" "$(getconf PAGESIZE)"
}

@test "-J prints null for empty cells" {
	start_target run:1
	try guardmaps -J -o OWNER,TID,MAPPING "$TARGET_PID"
	same "$(json -c '.guards[0]')" '{"owner":null,"tid":null,"mapping":null}'
}

@test "-J prints an empty array for a process without guards" {
	start_target none
	try guardmaps -J "$TARGET_PID"
	same "$status" 0
	same "$(json -c .)" '{"guards":[]}'
}

# A table is printed in parts of 4096 rows.
@test "-J prints one array even if a table is printed in parts" {
	for count in 4096 4097 8193; do
		start_target "alternate:$count"
		guardmaps -J "$TARGET_PID" >output.json
		same "$(jq '.guards | length' output.json)" "$count"
		same "$(jq -r '.guards[] | "\(.start) \(.end)"' output.json)" \
			"$(<"$TARGET_GUARDS")"
	done
}

@test "-J is valid for any name of a process" {
	for name in 'a b' $'x\ny' ') S (' 'q"uo\te' '[]{},:' '%s%n' 'größe' $'\e[31m'; do
		start_target run:1 -n "$name"
		guardmaps -J -o COMMAND "$TARGET_PID" >output.json
		is_json output.json
	done
	same "$(jq -r '.guards[0].command' output.json)" '?[31m'
}

@test "-J is valid if a name is not UTF-8" {
	start_target run:1 -n $'\xff\xfe'
	guardmaps -J -o COMMAND "$TARGET_PID" >output.json
	is_json output.json
}

# ---- Pairs and raw ---------------------------------------------------------

@test "-P prints a line of KEY=\"value\" pairs for each region, without a heading" {
	start_target threads:2
	try guardmaps -P "$TARGET_PID"
	same "$status" 0
	same "${#lines[@]}" 2
	matches "${lines[0]}" \
		'START="0x[0-9a-f]+" END="0x[0-9a-f]+" SIZE="4K" KIND="stack" OWNER="worker-1 \([0-9]+\)" PERM="rw-p" MAPPING=""'
	same "$(guardmaps --pairs "$TARGET_PID")" "$output"
}

@test "-P prints nothing for a process without guards" {
	start_target none
	try guardmaps -P "$TARGET_PID"
	same "$status" 0
	same "$output" ""
}

@test "-P escapes quotes and newlines in names" {
	start_target run:1 -n $'a"\nb'
	try guardmaps -P -o COMMAND,KIND "$TARGET_PID"
	same "$output" 'COMMAND="a\x22?b" KIND="anon"'
}

@test "-r separates columns with one blank, and has none in cells" {
	start_target threads:2
	try guardmaps -r "$TARGET_PID"
	same "$status" 0
	same "${lines[0]}" "START END SIZE KIND OWNER PERM MAPPING"
	for line in "${lines[@]}"; do
		same "$(tr -dc ' ' <<<"$line" | wc -c)" 6
	done
	matches "${lines[1]}" '0x[0-9a-f]+ 0x[0-9a-f]+ 4K stack worker-1\\x20\([0-9]+\) rw-p '
	same "$(guardmaps --raw "$TARGET_PID")" "$output"
}

# ---- Headings and sizes ----------------------------------------------------

@test "-n prints no heading" {
	start_target threads:2
	try guardmaps "$TARGET_PID"
	same "$(guardmaps -n "$TARGET_PID" | xargs -n 7)" \
		"$(tail -n +2 <<<"$output" | xargs -n 7)"
	same "$(guardmaps --noheadings "$TARGET_PID")" "$(guardmaps -n "$TARGET_PID")"
	same "$(guardmaps -n -r "$TARGET_PID")" \
		"$(guardmaps -r "$TARGET_PID" | tail -n +2)"
}

@test "-n prints nothing for a process without guards" {
	start_target none
	try guardmaps -n "$TARGET_PID"
	same "$status" 0
	same "$output" ""
}

@test "sizes have a unit, and with -b are in bytes" {
	local page
	page=$(getconf PAGESIZE)
	for pages in 1 3 256 384 524288; do
		start_target "run:$pages"
		same "$(guardmaps -n -r -b -o SIZE "$TARGET_PID")" "$((pages * page))"
		same "$(guardmaps -n -r --bytes -o SIZE "$TARGET_PID")" \
			"$((pages * page))"
		same "$(guardmaps -n -r -o SIZE "$TARGET_PID")" \
			"$(numfmt --to=iec "$((pages * page))" | sed 's/\.0//')"
	done
}

@test "columns are aligned, numbers to the right" {
	start_target run:1
	local small=$TARGET_PID
	start_target run:5000
	try guardmaps -b -o SIZE,KIND "$small" "$TARGET_PID"
	same "$output" $'    SIZE KIND\n    4096 anon\n20480000 anon'
}

@test "columns are aligned if a table is printed in parts" {
	start_target alternate:5000
	guardmaps "$TARGET_PID" >table
	same "$(awk '{ print match($0, /PERM|rw-p/) }' table | uniq | wc -l)" 1
}

# many_mappings NAME: record 5000 mappings with a guard in each, the third with
# that name.
many_mappings() {
	record_process 7 many
	awk -v name="$1" 'BEGIN {
		for (i = 0; i < 5000; i++)
			printf("%08x-%08x rw-p 00000000 08:01 7 /a/%s\n",
			       i * 8192, i * 8192 + 8192, i == 2 ? name : "")
	}' | record 7 maps
	awk 'BEGIN {
		for (i = 0; i < 5000; i++)
			printf("%08x-%08x ---p 00000000 08:01 7 /a/\n",
			       i * 8192, i * 8192 + 4096)
	}' | record 7 guards
}

@test "columns are aligned if one name is longer than all others" {
	many_mappings long-name
	guardmaps --sysroot tree -o MAPPING,START 7 >table
	same "$(wc -l <table)" 5001
	same "$(awk '{ print match($0, /START|0x/) }' table | uniq)" 14
}

@test "columns are aligned if a name has multibyte characters" {
	locale -a | grep -qix 'c.utf-\?8' || skip "no UTF-8 locale"
	many_mappings größe
	LC_ALL=C.UTF-8 guardmaps --sysroot tree -o MAPPING,START 7 >table
	same "$(wc -l <table)" 5001
	same "$(sed -n '4s/größe/......./p' table | awk '{ print index($0, "0x") }')" \
		"$(awk 'NR != 4 { print match($0, /START|0x/) + 2 }' table | uniq)"
}

@test "columns are aligned if a name has bytes that must be escaped" {
	many_mappings größe
	LC_ALL=C guardmaps --sysroot tree -o MAPPING,START 7 >table
	same "$(wc -l <table)" 5001
	same "$(awk '{ print match($0, /START|0x/) }' table | uniq | wc -l)" 1
}

@test "a table of 257 rows looks like a table of 256" {
	start_target alternate:257
	local long=$TARGET_PID
	start_target alternate:256
	guardmaps -o PAGES,KIND,OWNER,PERM,MAPPING,SIZE "$long" | head -n 257 >long
	guardmaps -o PAGES,KIND,OWNER,PERM,MAPPING,SIZE "$TARGET_PID" >short
	cmp long short
}

@test "a name with control characters cannot change what a terminal shows" {
	start_target run:1 -n $'\e[2J\r\b'
	for format in "" -r -P -J; do
		guardmaps $format -o COMMAND "$TARGET_PID" >output.text
		same "$(tr -d '\n' <output.text | tr -dc '[:cntrl:]' | wc -c)" 0
	done
}

# ---- Colours ---------------------------------------------------------------

@test "colours are used only on terminals" {
	start_target unguarded-threads:1
	guardmaps stacks "$TARGET_PID" >plain
	same "$(tr -dc '\033' <plain | wc -c)" 0
	SHELL=/bin/sh script --quiet --return --command "guardmaps stacks $TARGET_PID" \
		/dev/null </dev/null >shown
	[ "$(tr -dc '\033' <shown | wc -c)" -gt 0 ]
}

# ---- What excludes each other ----------------------------------------------

@test "two formats cannot be used together, but the same one can be given twice" {
	start_target run:1
	refuses "--json and --raw cannot be used together" \
		guardmaps -J -r "$TARGET_PID"
	refuses "--raw and --pairs cannot be used together" \
		guardmaps -r -P "$TARGET_PID"
	refuses "--pairs and --json cannot be used together" \
		guardmaps --pairs --json "$TARGET_PID"
	same "$(guardmaps -r -r "$TARGET_PID")" "$(guardmaps -r "$TARGET_PID")"
}
