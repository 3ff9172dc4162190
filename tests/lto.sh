#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds with link-time optimization and debugging information, by gcc and by
# clang, and installs that.
#
# Prints TAP.
#
# Usage: lto.sh

set -u

here=$(dirname "$0")
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT
flags="-O2 -g -flto"

# can_link COMPILER: clang needs a plugin of the linker's, or a linker of its own.
can_link() {
	echo 'int main(void) { return 0; }' >"$scratch/probe.c"
	# shellcheck disable=SC2086 # words apart
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
		echo "ok - $name # SKIP $compiler links no such program here"
	elif builds "$compiler"; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		sed 's/^/# /' "$scratch/output"
	fi
done
