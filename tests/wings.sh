#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The wings of the library have an order, and the command may include
# guardmaps.h only. Adds each include that violates this to a file of its own in
# a copy of the sources, and checks that the file does not compile.
#
# Prints TAP.
#
# Usage: wings.sh

set -u

cd "$(dirname "$0")/.." || exit 2
copy=$(mktemp -d) || exit 2
trap 'rm -rf "$copy"' EXIT
cp -r Makefile proto src criu-plugin "$copy"
mkdir "$copy/tests"
cp tests/tests.mk "$copy/tests"
library=src/libguardmaps

# compiles FOLDER: whether its probe.c compiles. If so, probe.d lists its
# includes.
compiles() {
	objects=$copy/build/obj/${1#src/}
	rm -f "$objects"/probe.*
	make -s -C "$copy" "${objects#"$copy/"}/probe.o" >/dev/null 2>&1
}

# refuses FOLDER WING: no header of WING can be included from FOLDER. The system
# may have a header of the same name (error.h).
refuses() {
	local header word=ok
	printf '' >"$copy/$1/probe.c"
	compiles "$1" || word='not ok'
	for header in "$copy/$library/$2"/*.h; do
		echo "#include \"${header##*/}\"" >"$copy/$1/probe.c"
		if compiles "$1" &&
			grep -q "$library/$2/${header##*/}" "$objects/probe.d"; then
			word='not ok'
			echo "# $1 can include $2/${header##*/}"
		fi
	done
	rm "$copy/$1/probe.c"
	echo "$word - $1 cannot include headers of $2/"
}

for wing in map stack proc remote core unwind live; do
	refuses "$library/base" "$wing"
	refuses src/guardmaps "$wing"
done
refuses src/guardmaps base
refuses "$library/map" stack
refuses "$library/map" proc
refuses "$library/map" remote
refuses "$library/stack" proc
refuses "$library/stack" remote
refuses "$library/proc" remote
refuses "$library/proc" core
refuses "$library/core" proc
refuses "$library/core" remote
refuses "$library/core" unwind
refuses "$library/unwind" proc
refuses "$library/unwind" remote
for wing in map stack proc remote core unwind; do
	refuses "$library/$wing" live
done
refuses "$library/live" remote
refuses "$library/live" unwind
refuses criu-plugin map
refuses criu-plugin stack
refuses criu-plugin proc
refuses criu-plugin core
refuses criu-plugin unwind
refuses criu-plugin live

# The compiler would let the plugin include all headers of remote/.
if grep -hoE '#include "[a-z_]+\.h"' criu-plugin/*.[ch] | sort -u |
	sed 's/.*"\(.*\)"/\1/' | while read -r header; do
		[ "$header" = checkpoint.h ] || [ ! -e "$library/remote/$header" ] ||
			echo "# it includes remote/$header"
	done | grep .; then
	printf 'not '
fi
echo 'ok - the plugin includes no header of remote/ but checkpoint.h'

# The compiler does not refuse such a path.
if grep -rn '#include "\.\./' src criu-plugin | sed 's/^/# /' | grep .; then
	printf 'not '
fi
echo 'ok - no include steps out of its folder'
