#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# tests/run and make test what was requested, or report why not.

bats_require_minimum_version 1.5.0

source=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
build=$(cd "${GUARDMAPS_BUILD:-$source/build}" && pwd)

# refuses MESSAGE COMMAND...: exit 2, and the message is the last line.
refuses() {
	local message=$1
	shift
	run -2 "$@"
	echo "$output"
	[[ ${lines[-1]} == *"$message" ]]
}

# A folder in which what is named was built: PATH...
built() {
	local file
	for file; do
		mkdir -p "$BATS_TEST_TMPDIR/built/${file%/*}"
		printf '#!/bin/sh\n%s\n' "${program-exit 77}" \
			>"$BATS_TEST_TMPDIR/built/$file"
		chmod +x "$BATS_TEST_TMPDIR/built/$file"
	done
}

@test "an unknown suite is refused, and the known ones are listed" {
	refuses "unknown suite: libary (known: $("$source/tests/run" --help |
		sed -n '/^  /p' | xargs))" "$source/tests/run" "$build" libary
}

@test "it is refused before another suite is run" {
	run -2 "$source/tests/run" "$build" documents libary
	[ "${#lines[@]}" -eq 1 ]
}

@test "a pattern that no program matches is refused" {
	refuses "the suite library has no program nope" \
		"$source/tests/run" "$build" library/nope
	refuses "the suite command has no program nope*" \
		"$source/tests/run" "$build" 'command/nope*'
	refuses "the suite documents has no programs" \
		"$source/tests/run" "$build" documents/nope
}

@test "a pattern selects programs of a suite" {
	program='echo ok 1' built tests/library/errors
	run -0 "$source/tests/run" "$BATS_TEST_TMPDIR/built" 'library/err*'
	[ "${lines[-1]}" = "1 passed, 0 failed, 0 skipped" ]
	[ "${#lines[@]}" -eq 2 ]
}

@test "tests that were not built are a failure" {
	mkdir "$BATS_TEST_TMPDIR/built"
	refuses "tests/library/errors is not built (make tests builds it)" \
		"$source/tests/run" "$BATS_TEST_TMPDIR/built" library/errors
	refuses "built/guardmaps is not built (make tests builds it)" \
		"$source/tests/run" "$BATS_TEST_TMPDIR/built" command
}

@test "a run that skipped everything is a failure" {
	built tests/library/errors
	refuses "nothing was tested" "$source/tests/run" \
		"$BATS_TEST_TMPDIR/built" library/errors
}

@test "a program that fails, dies or prints no tests is a failure" {
	local program
	for program in 'echo not ok 1; exit 1' 'echo ok 1; exit 1' 'exit 0'; do
		built tests/library/errors
		run -1 "$source/tests/run" "$BATS_TEST_TMPDIR/built" library/errors
		[[ ${lines[-1]} == *" 1 failed, 0 skipped" ]]
	done
}

@test "words select statements of a program of the library suite" {
	run -0 "$build/tests/library/errors" descriptor
	[ "$output" = "ok 1 - no descriptor is left open
1..1" ]
	refuses "no statement has any of these words" \
		"$build/tests/library/errors" nope
	run -0 "$build/tests/library/errors" --help
	[[ $output == Usage:* ]]
	run -2 "$build/tests/library/errors" --nope
}

@test "make refuses to build into a folder with a space in its name" {
	refuses "make cannot build into a folder with a space in its name.  Stop." \
		make --no-print-directory -C "$source" B="$BATS_TEST_TMPDIR/a b"
}

# copy_checkout FOLDER
copy_checkout() {
	mkdir "$1"
	tar -C "$source" --exclude ./.git --exclude ./build -c . |
		tar -C "$1" --no-same-owner -x
}

@test "a changed header is noticed, even if B was an absolute path before" {
	local folder=$BATS_TEST_TMPDIR/copy object=build/obj/libguardmaps/base/error.o
	copy_checkout "$folder"
	make -s -C "$folder" B="$folder/build" "$object"
	make -q -C "$folder" "$object"
	touch "$folder/src/libguardmaps/base/error.h"
	run -1 make -q -C "$folder" "$object"
}

@test "a checkout may have a space in its path" {
	copy_checkout "$BATS_TEST_TMPDIR/a b"
	make -s -j2 -C "$BATS_TEST_TMPDIR/a b" all "build/tests/library/errors" \
		build/tests/target
	run -0 "$BATS_TEST_TMPDIR/a b/tests/run" \
		"$BATS_TEST_TMPDIR/a b/build" library/errors command/traces
	make -s -C "$BATS_TEST_TMPDIR/a b" install \
		DESTDIR="$BATS_TEST_TMPDIR/a b/to"
}
