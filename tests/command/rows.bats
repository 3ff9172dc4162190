#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Mistakes in the rows of columns that the compiler finds.

load helpers

source=$BATS_TEST_DIRNAME/../..

# compiles COLUMN: whether a table with this column does.
compiles() {
	printf '#include "output.h"\n%s\nconst struct column columns[] = { %s };\n' \
		'void fill(const struct row *row, struct cell *ret);' "$1" |
		LC_ALL=C cc -std=gnu11 -fsyntax-only -I"$source/src/libguardmaps/include" \
			-I"$source/src/guardmaps" -x c -
}

@test "a column without a function does not compile" {
	command -v cc >/dev/null || skip "no compiler"
	compiles 'COLUMN("NEW", TEXT, DEFAULT, "help", fill)'
	run compiles 'COLUMN("NEW", TEXT, DEFAULT, "help")'
	[ "$status" -ne 0 ]
	matches "$output" '.*COLUMN.* requires 5 arguments.*|.*too few arguments.*'
}
