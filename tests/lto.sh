#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds with link-time optimization and debugging information, with gcc and
# with clang, and installs the result.
#
# Prints TAP.
#
# Usage: lto.sh

set -u

here=$(dirname "$0")
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
flags="-O2 -g -flto"

# can_link COMPILER: whether it can link such a program. clang needs a plugin
# for the linker, or its own linker.
can_link() {
	echo 'int main(void) { return 0; }' >"$scratch/probe.c"
	# shellcheck disable=SC2086 # split into words
	$1 $flags -o "$scratch/probe" "$scratch/probe.c" 2>/dev/null
}

# builds COMPILER
builds() {
	make -s -C "$here/.." B="$scratch/$1" CC="$1" CFLAGS="$flags" all &&
		"$here/install.sh" "$scratch/$1"
} >"$scratch/output" 2>&1

for compiler in gcc clang; do
	name="builds with $compiler $flags, and can be installed"
	if ! can_link "$compiler"; then
		echo "ok - $name # SKIP $compiler cannot link such a program here"
	elif builds "$compiler"; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		sed 's/^/# /' "$scratch/output"
	fi
done
