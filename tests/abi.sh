#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Compares the ABI of the library with the record in tests/abi: the exported
# functions, the layout of the public structures and the values of the
# enumerators. Also checks that libguardmaps(3) names each function, source and
# error.
#
# Prints TAP. With --record, records the present ABI instead.
#
# Usage: abi.sh BUILD_DIR [--record]

set -u

build=$(realpath "$1") || exit 2
cd "$(dirname "$0")/.." || exit 2
header=src/libguardmaps/include/guardmaps.h
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT

functions() {
	nm -D --defined-only "$build"/libguardmaps.so.* |
		awk '$2 == "T" { print "function", $3 }' | sort
}

# Prints a program that prints the size of each structure, the offset and size
# of each member, and the value of each enumerator, in the order of guardmaps.h.
printer() {
	printf '#include <guardmaps.h>\n#include <stdio.h>\nint main(void)\n{\n'
	cc -E -P "$header" | awk '
	/^struct guardmaps_[a-z_]+ \{/ {
		type = "struct " $2
		printf "printf(\"%s %%zu\\n\", sizeof(%s));\n", type, type
	}
	/^enum guardmaps_[a-z_]+ \{/ {
		while (!/\}/ && (getline more) > 0)
			$0 = $0 " " more
		sub(/^[^{]*\{/, "")
		sub(/\}.*/, "")
		count = split($0, names, ",")
		for (i = 1; i <= count; i++)
			if (match(names[i], /GUARDMAPS_[A-Z_]+/)) {
				name = substr(names[i], RSTART, RLENGTH)
				printf "printf(\"%s %%d\\n\", %s);\n", name, name
			}
	}
	/^ .*;/ && type {
		sub(/(\[.*)?;.*/, "")
		match($0, /[a-z_]+$/)
		name = substr($0, RSTART)
		printf "printf(\"%s.%s %%zu %%zu\\n\",", type, name
		printf "offsetof(%s, %s), ", type, name
		printf "sizeof(((%s *)0)->%s));\n", type, name
	}
	/^\}/ { type = "" }'
	printf '}\n'
}

printer >"$scratch/printer.c"
cc -Isrc/libguardmaps/include -o "$scratch/printer" "$scratch/printer.c" || exit 1
functions >"$scratch/functions"
"$scratch/printer" >"$scratch/types"
if [ "${2-}" = --record ]; then
	mkdir -p tests/abi
	cp "$scratch/functions" "$scratch/types" tests/abi
	exit
fi

# same RECORD SENTENCE: a record matches the present ABI.
same() {
	diff "tests/abi/$1" "$scratch/$1" | sed -n 's/^[<>]/# &/p' | grep . &&
		printf 'not '
	echo "ok - $2"
}

same functions 'the library exports the recorded functions and no others'
same types 'structures and enumerators of guardmaps.h are as recorded'

for name in $(sed 's/^function \(.*\)@@.*/\1/' "$scratch/functions") \
	$(grep -oE '^GUARDMAPS_(ERROR|SOURCE)_[A-Z_]+' "$scratch/types"); do
	grep -qw "$name" man/libguardmaps.3.scd || echo "# $name"
done | grep . && printf 'not '
echo 'ok - libguardmaps(3) names each function, source and error'
