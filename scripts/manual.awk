# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Fills in a manual page from the rows COLUMN(...) and OPTION(...) of the
# command's sources. In the page,
#
#   @columns NAME    is replaced by the columns in NAME.c or verb_NAME.c,
#   @option NAME     by an option and its help, which the page may continue.
#
# Fails if the page asks for a row that does not exist, or leaves one out.
#
# Usage: awk -f manual.awk SOURCE.c... PAGE.scd

FNR == 1 {
	is_page = FILENAME ~ /\.scd$/
	table = FILENAME
	sub(/.*\//, "", table)
	sub(/^verb_/, "", table)
	sub(/\.c$/, "", table)
}

!is_page && /^\t(COLUMN|OPTION)\(/ {
	row = ""
	in_row = 1
}

in_row {
	row = row $0
	if (/\),$/) {
		in_row = 0
		gsub(/"[ \t]+"/, "", row)
		if (row ~ /^\tCOLUMN/)
			add_column()
		else
			add_option()
	}
}

is_page && $1 == "@columns" {
	if (!($2 in columns))
		fail("no columns: " $2)
	printf("```\n%s```\n", columns[$2])
	delete columns[$2]
	next
}

is_page && $1 == "@option" {
	if (!($2 in options))
		fail("no option: " $2)
	printf("%s", options[$2])
	delete options[$2]
	next
}

is_page

END {
	for (name in columns)
		fail("columns that the page leaves out: " name)
	for (name in options)
		fail("an option that the page leaves out: " name)
	exit status
}

function fail(message) {
	print FILENAME ": " message >"/dev/stderr"
	status = 1
}

# Return the next string in the row, and remove everything up to its end.
function take_string(    text) {
	if (!match(row, /"([^"\\]|\\.)*"/))
		fail("no string in " row)
	text = substr(row, RSTART + 1, RLENGTH - 2)
	row = substr(row, RSTART + RLENGTH)
	gsub(/\\"/, "\"", text)
	return text
}

# Break a text into lines of at most this width. All but the first are indented.
function wrap(text, width, indent,    words, count, i, line, ret) {
	count = split(text, words, " ")
	for (i = 1; i <= count; i++) {
		if (line != "" && length(line " " words[i]) > width) {
			ret = ret line "\n" indent
			line = words[i]
		} else
			line = line (line == "" ? "" : " ") words[i]
	}
	return ret line "\n"
}

function add_column(    name, mark) {
	name = take_string()
	mark = row ~ /^,[ \t]*[A-Z]+,[ \t]*DEFAULT,/ ? "*" : " "
	columns[table] = columns[table] sprintf("%s %-11s ", mark, name) \
		wrap(take_string(), 54, sprintf("%14s", ""))
}

function add_option(    letter, name, argument, help) {
	if (match(row, /\('.'/))
		letter = substr(row, RSTART + 2, 1)
	name = take_string()
	argument = row ~ /^,[ \t]*NULL,/ ? "" : take_string()
	help = take_string()
	gsub(/[\\_*]/, "\\\\&", help)
	options[name] = (letter == "" ? "" : "*-" letter "*, ") "*--" name "*" \
		(argument == "" ? "" : " _" argument "_") "\n\t" \
		wrap(toupper(substr(help, 1, 1)) substr(help, 2) ".", 70, "\t")
}
