# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Makes one TAP stream from the output of several programs, each of which is
# between the lines "## begin NAME" and "## end STATUS". Tests are prefixed with
# the name of their program, and a program that printed no TAP is one test. After a
# test that failed is what its program printed since the test before, and up to
# the next one.
#
# Variables: label, a prefix for all names; known, a file with names of tests
# (without the label) that fail for other reasons: they count as skipped.

function result(word, name, note) {
	if (word == "not ok" && name in fails) {
		word = "ok"
		note = note " # SKIP fails without the series, too"
	}
	print word " - " label ": " name note
	tests++
	follows = word == "not ok"
	if (follows) {
		failed++
		printf "%s", said
	}
	said = ""
}

function start(name) {
	program = name
	tests = failed = follows = 0
	said = ""
}

# The kernel's selftests exit with 4 if they test nothing, ours with 77.
function skips(status) {
	return status == 4 || status == 77
}

function finish(status) {
	if (status != 0 && !skips(status) && !failed)
		result("not ok", program ": ended with status " status)
	else if (!tests)
		result("ok", program, skips(status) ? " # SKIP" : "")
	program = ""
}

BEGIN {
	while (known && (getline line < known) > 0)
		fails[line]
}

/^## begin / {
	start($3)
	next
}

/^## end / {
	finish($3)
	next
}

# What a program gives to the host: see tests/aarch64/cores.c.
/^## (core|fact) / {
	next
}

/^(not )?ok/ {
	word = /^ok/ ? "ok" : "not ok"
	name = $0
	sub(/^(not )?ok *[0-9]* *(- )?/, "", name)
	note = ""
	if (match(name, / *# SKIP.*/) || match(name, / *# skip.*/)) {
		note = substr(name, RSTART)
		name = substr(name, 1, RSTART - 1)
	}
	result(word, program ": " name, note)
	next
}

/^1\.\.0 # SKIP/ {
	result("ok", program, " " substr($0, 6))
	next
}

{
	sub(/^# */, "")
	said = said "#     " $0 "\n"
	if (follows) {
		printf "%s", said
		said = ""
	}
}

END {
	if (program != "")
		result("not ok", program ": did not end")
}
