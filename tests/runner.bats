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

# ---- The list of failures at the end ----------------------------------------

# lists LINE...: these lines start with "failed: " and come last, with the totals.
lists() {
	echo "$output"
	[ "$(tail -n $(($# + 1)) <<<"$output" | head -n $#)" = \
		"$(printf 'failed: %s\n' "$@")" ]
}

# copy_runner FOLDER: tests/run, with nothing to run.
copy_runner() {
	mkdir -p "$1/tests/bed" "$1/tests/library" "$1/built"
	cp "$source/tests/run" "$source/tests/failures.awk" "$1/tests"
}

@test "tests that failed are listed again with what they printed" {
	local program='echo ok 1 - one; echo "# a note"; echo "not ok 2 - two"
		echo "#   two.c:1: no"; echo ok 3 - three; exit 1'
	built tests/library/errors
	run -1 "$source/tests/run" "$BATS_TEST_TMPDIR/built" library/errors
	lists "library errors: not ok 2 - two" "    # a note" "    #   two.c:1: no"
	[ "$(grep -c '^failed: ' <<<"$output")" -eq 3 ]
}

@test "a program that dies is listed with the last lines that it printed" {
	local program='echo ok 1 - one; echo Bail out; exit 3'
	built tests/library/errors
	run -1 "$source/tests/run" "$BATS_TEST_TMPDIR/built" library/errors
	lists "library errors: not ok - ended with status 3" \
		"    # ok 1 - one" "    # Bail out"
}

@test "if nothing failed, nothing is listed" {
	local program='echo ok 1 - one'
	built tests/library/errors
	run -0 "$source/tests/run" "$BATS_TEST_TMPDIR/built" library/errors
	[[ $output != *failed:* ]]
}

@test "a long list keeps the names of the tests that failed" {
	run -0 awk -v limit=4 -f "$source/tests/failures.awk" <<-END
		not ok 1 - one
		# a
		# b
		# c
		not ok 2 - two
		# d
	END
	[ "$output" = "failed: not ok 1 - one
failed:     # a
failed:     # b
failed: not ok 2 - two" ]
	run -0 awk -v limit=2 -f "$source/tests/failures.awk" < <(
		printf 'not ok %d\n# why\n' 1 2 3 4)
	[ "$output" = "failed: not ok 1
failed: not ok 2
failed: and 2 more" ]
}

@test "tests that failed in other runs are listed with the name of the run" {
	local copy=$BATS_TEST_TMPDIR/copy
	copy_runner "$copy"
	touch "$copy/tests/library/errors.c"
	program='echo "not ok 1 - one"; echo "# why"; exit 1' built tests/library/errors
	cat >"$copy/tests/bed/suites" <<-END
		#!/bin/sh
		[ \$1 != trixie ] || exit 77
		[ \$1 != sid ] || { echo cannot; exit 2; }
		tests/run '$BATS_TEST_TMPDIR/built' library
	END
	chmod +x "$copy/tests/bed/suites"
	run -1 "$copy/tests/run" "$copy/built" debian
	lists "debian machine: library errors: not ok 1 - one" "    # why" \
		"debian sid: not ok - ended with status 2" "    # cannot"
	[ "${lines[-1]}" = "0 passed, 2 failed, 1 skipped" ]
}

# Its needs are stubs: a machine runs one program, which fails.
@test "tests that failed in a machine are listed" {
	local copy=$BATS_TEST_TMPDIR/copy name
	mkdir -p "$copy/tests/kernel" "$copy/tests/machine" "$copy/tree"
	touch "$copy/tree/guard-regions"
	cp "$source/tests/kernel/run" "$copy/tests/kernel"
	cp "$source/tests/failures.awk" "$copy/tests"
	cp "$source/tests/machine"/{test,tap.awk} "$copy/tests/machine"
	for name in tree selftests build; do
		printf '#!/bin/sh\necho "%s"\n' "$copy/tree" >"$copy/tests/kernel/$name"
	done
	cat >"$copy/tests/machine/boot" <<-'END'
		#!/bin/bash
		[[ $3 != */uml-plain ]] || exit 0
		cat >"$3/output" <<-TAP
			## begin guards
			# before
			ok 1 - one
			# it says
			not ok 2 - two
			# after
			ok 3 - three
			# nothing
			## end 1
		TAP
	END
	chmod +x "$copy"/tests/kernel/* "$copy/tests/machine/boot"
	run -1 "$copy/tests/kernel/run" gate "$copy/tree"
	lists "not ok - uml: guards: two" "    #     it says" "    #     after" \
		"not ok - uml, library: guards: two" "    #     it says" "    #     after"
	[ "${lines[-1]}" = "7 passed, 2 failed, 0 skipped" ]
}

@test "what CI runs lists the failures of all its targets at the end" {
	local copy=$BATS_TEST_TMPDIR/copy
	mkdir -p "$copy/.ci" "$copy/tests"
	cp "$source/.ci/run" "$copy/.ci"
	cp "$source/tests/failures.awk" "$copy/tests"
	cat >"$copy/Makefile" <<-'END'
		check: ; @printf '%s\n' 'failed: one: not ok 1' 'failed:     # why' \
			'1 passed, 1 failed, 1 skipped' && exit 1
		check-kernel: ; @echo cannot build && exit 1
	END
	unset MAKEFLAGS MAKELEVEL
	run -1 "$copy/.ci/run"
	echo "$output"
	[[ ${lines[-2]} == "failed:     # make"*"check-kernel] Error 1" ]]
	output=$(sed '/Error 1$/d' <<<"$output")
	lists "one: not ok 1" "    # why" \
		"not ok - make check-kernel ended before it counted its tests" \
		"    # cannot build"
	[ "${lines[-1]}" = "1 passed, 2 failed, 1 skipped" ]
}

# ---- Debian roots -----------------------------------------------------------

@test "a new root replaces older ones, except one that is in use" {
	local cache=$BATS_TEST_TMPDIR/guardmaps old=0123456789abcdef
	[ "$(id -u)" -eq 0 ] || skip "needs root"
	command -v debootstrap >/dev/null || skip "needs debootstrap"
	mkdir -p "$BATS_TEST_TMPDIR/bin" "$cache/root-trixie-$old/usr" \
		"$cache/root-trixie-${old^^}/usr" "$cache/root-sid-$old"
	printf '#!/bin/bash\nmkdir -p "${@: -2:1}/new"\n' \
		>"$BATS_TEST_TMPDIR/bin/debootstrap"
	chmod +x "$BATS_TEST_TMPDIR/bin/debootstrap"
	exec 7<"$cache/root-trixie-${old^^}"
	flock -s 7
	PATH=$BATS_TEST_TMPDIR/bin:$PATH XDG_CACHE_HOME=$BATS_TEST_TMPDIR \
		run -0 --separate-stderr "$source/tests/bed/root" trixie
	echo "$output$stderr"
	[ -d "$output/new" ]
	[ "$(cd "$cache" && printf '%s\n' root-* | sort)" = "$(printf '%s\n' \
		"${output##*/}" "root-sid-$old" "root-trixie-${old^^}" \
		root-trixie.lock | sort)" ]
}
