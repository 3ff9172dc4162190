# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Lists tests that failed, each with the first lines of what it printed, for the
# end of a log. Reads TAP, and lists that it printed before. Each line of a list
# starts with "failed: ".
#
# Variables: name, a prefix for the names of tests, such as "library: "; limit,
# the number of lines. If they do not suffice, names are more important.

function add(line, is_detail) {
	lines[++count] = substr(line, 1, 240)
	detail[count] = is_detail
	names += !is_detail
}

function add_detail(line) {
	add("failed:     " line, 1)
}

BEGIN {
	if (!limit)
		limit = 40
}

/^failed:     / {
	add($0, 1)
	next
}

/^failed: / {
	add("failed: " name substr($0, 9), 0)
	next
}

/^not ok/ {
	add("failed: " name $0, 0)
	# Notes that came before the statement.
	for (i = notes > 4 ? notes - 3 : 1; i <= notes; i++)
		add_detail(note[i])
	notes = 0
	missing = 12
	next
}

/^ok/ || /^1\.\./ {
	notes = missing = 0
	next
}

missing > 0 {
	add_detail($0)
	missing--
	next
}

/^#/ {
	note[++notes] = $0
}

END {
	room = limit - names
	for (i = 1; i <= count && printed < limit; i++)
		if (!detail[i] || room-- > 0) {
			print lines[i]
			printed++
			left -= !detail[i]
		}
	left += names
	if (left > 0)
		print "failed: and " left " more"
}
