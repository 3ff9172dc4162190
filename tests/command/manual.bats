#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# guardmaps(1) agrees with --help.

load helpers

verbs=$(guardmaps --help | sed -n '/^Commands/,/^$/s/^ \([a-z]*\) .*/\1/p')

setup() {
	# The sanitizers have no pages of their own.
	local page=${build%/sanitizers}/man/guardmaps.1
	[ -e "$page" ] || skip "the manual page was not built"
	# As it was typed, without the escapes, fonts and paragraphs of roff.
	sed '/^\.\(P\|RE\)$/d; s/\\f.//g; s/\\&//g; s/\\-/-/g; s/\\e/\\/g' \
		"$page" >"$BATS_TEST_TMPDIR/page"
}

# All lines of standard input as one, with single blanks.
squeeze() {
	tr -s ' \t\n' ' '
}

# page_has TEXT: the page has it, whatever its lines.
page_has() {
	[[ $(squeeze <"$BATS_TEST_TMPDIR/page") == *"$1"* ]] || {
		printf 'not in the page: %s\n' "$1" >&2
		return 1
	}
}

# help_section VERB NAME: the lines of a section of --help.
help_section() {
	guardmaps "$1" --help | sed -n "/^$2/,/^\$/p" | sed '1d; /^$/d'
}

@test "the manual has each command with the usage of --help" {
	[ -n "$verbs" ]
	for verb in $verbs; do
		local call
		call=$(guardmaps "$verb" --help |
			sed -n '2s/^ guardmaps \[options\] //p')
		case $verb in
		list)
			page_has "guardmaps [options] [list] PID... ."
			page_has " list PID..., or just PID... .RS 4 "
			;;
		all)
			page_has "guardmaps [options] all|-a ."
			page_has " all, or just -a .RS 4 "
			;;
		*)
			page_has "guardmaps [options] $call ."
			page_has " $call .RS 4 "
			;;
		esac
	done
}

@test "the manual has the columns of each command, in the words of --help" {
	local tables=0
	for verb in $verbs; do
		local columns
		columns=$(help_section "$verb" Columns | sed 's/^ \*/* /' | squeeze)
		if [ -n "$columns" ]; then
			page_has ".nf .RS 4 ${columns# }.fi "
			((++tables))
		fi
	done
	same "$tables" 8
}

@test "the manual has each option, in the words of --help" {
	for verb in $verbs; do
		local options
		mapfile -t options < <(help_section "$verb" Options)
		[ "${#options[@]}" -ge 2 ]
		for option in "${options[@]}"; do
			local call help=${option:23}
			call=$(sed 's/^ *//; s/   *.*//' <<<"${option:0:23} ")
			page_has " ${call% } .RS 4 ${help^}."
		done
	done
}
