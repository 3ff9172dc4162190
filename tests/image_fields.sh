#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# guardmaps-image(5) lists each field of guardmaps.proto by its number, name and
# type, and no others. The same holds for the sources.
#
# Prints TAP.
#
# Usage: image_fields.sh

set -u

cd "$(dirname "$0")/.." || exit 2
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT

# A line for each field: message, number, name, type.
proto_fields() {
	awk '
	$1 == "message" || $1 == "enum" { message = $2 }
	$1 == "//" { next }
	$1 == "repeated" { $1 = ""; $0 = $0 }
	message == "Source" && $2 == "=" { print message, $3 + 0, $1, "-" }
	$3 == "=" { print message, $4 + 0, $2, $1 }' proto/guardmaps.proto
}

# The same from the page. A heading or a sentence names the message; its fields
# are written as "*1 name* (type)" or are rows of a table.
page_fields() {
	awk '
	/^## / { message = $2 }
	/^An? \*[A-Z]/ || /^\*[A-Z][a-z]*\* is one of/ {
		match($0, /\*[A-Za-z]*\*/)
		message = substr($0, RSTART + 1, RLENGTH - 2)
	}
	/^\*[0-9]+ [a-z_]+\*/ {
		type = $0
		sub(/^.*\((repeated |enum )?/, "", type)
		sub(/[,)].*$/, "", type)
		while (match($0, /\*[0-9]+ [a-z_]+\*/)) {
			print message, substr($0, RSTART + 1, RLENGTH - 2), type
			$0 = substr($0, RSTART + RLENGTH)
		}
	}
	/^[0-9]  [a-z]+ +[A-Z]/ { print message, $1, $2, $3 }
	/^[0-9]  SOURCE_/ { print message, $1, $2, "-" }' man/guardmaps-image.5.scd
}

# 0 is not a source.
proto_fields | grep -v ' SOURCE_UNKNOWN ' | sort >"$scratch/proto"
page_fields | sort >"$scratch/page"
for message in $(cut -d ' ' -f 1 "$scratch/proto" "$scratch/page" | sort -u); do
	for side in proto page; do
		grep "^$message " "$scratch/$side" >"$scratch/$side.one"
	done
	diff "$scratch/proto.one" "$scratch/page.one" | sed -n 's/^[<>]/# &/p' |
		grep . && printf 'not '
	echo "ok - guardmaps-image(5) lists what $message is in guardmaps.proto"
done
