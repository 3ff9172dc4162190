# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For tests of guardmaps-core with cores of this machine's kernel. A test copies the
# helper into a folder that the kernel can see, "$folder", with a recorder of its own
# next to it, and sets core_pattern for a moment.

load ../command/helpers

setup() {
	started=()
	started_groups=()
	needs_root
	grep -q "User Mode Linux" /proc/cpuinfo &&
		skip "the kernel of User-Mode Linux runs helpers on its host"
	# Not below a folder that only root can enter; short, for the pattern.
	folder=$(mktemp -d /tmp/gm.XXXXXX)
	chmod 755 "$folder"
	cd "$folder" || return
	store=$folder/store
	cp "$build/guardmaps-core" "$build/tests/crash" "$build/tests/dump" .
	use_recorder 'exec "$real" --store "$store" "$@"'
	write_program next 'cat >core.$1.tmp && mv core.$1.tmp core.$1'
	LOCK=""
	ulimit -c unlimited
}

teardown() {
	[ -z "$LOCK" ] || give_back_pattern
	stop_targets
	cd / || return
	! mountpoint -q "$store" || umount "$store"
	rm -rf "$folder"
}

# write_program NAME LINE: a shell script. What the kernel runs has no environment.
write_program() {
	cat >"$1.new" <<-END
		#!/bin/sh
		PATH=/usr/sbin:/usr/bin:/sbin:/bin
		folder=$folder store=$store real=$build/guardmaps-core-record
		cd $folder
		$2
	END
	chmod 755 "$1.new"
	mv "$1.new" "$1"
}

use_recorder() {
	write_program guardmaps-core-record "$1"
}

# core_pattern is the machine's. While it is changed, the file of its lock has what is to
# be restored: a test that is killed leaves it to the next one.
core_pattern=/proc/sys/kernel/core_pattern

# take_pattern PATTERN: set core_pattern, alone on this machine.
take_pattern() {
	exec {LOCK}>>"$core_pattern_lock"
	flock -x -w "$((10 * patience))" "$LOCK"
	[ -s "$core_pattern_lock" ] || cat "$core_pattern" >"$core_pattern_lock"
	printf '%s\n' "$1" >"$core_pattern"
}

give_back_pattern() {
	cat "$core_pattern_lock" >"$core_pattern"
	: >"$core_pattern_lock"
	flock -u "$LOCK"
	exec {LOCK}>&-
	LOCK=""
}

# through_helper PATTERN: the same with guardmaps-core in front of it.
through_helper() {
	take_pattern "$1"
	"$folder/guardmaps-core" --enable >"$folder/enabled"
}

# dies COMMAND...: run a command, which crashes. Sets PROCESS. The first line that it
# prints may be pid=PID.
dies() {
	"$@" >facts 2>errors 3>&- &
	PROCESS=$!
	! wait "$PROCESS"
}

# dies_recorded COMMAND...: the same until the crash is stored, because the time of the
# recorder may be over on a busy machine.
dies_recorded() {
	local deadline=$((SECONDS + patience)) tries

	while [ "$SECONDS" -lt "$deadline" ]; do
		dies "$@"
		for tries in {1..40}; do
			! grep -qs "^frames=[1-9]" "$(entry_of "$PROCESS")/summary" || return 0
			sleep 0.05
		done
	done
	echo "no crash is stored" >&2
	return 1
}

# await_file FILE: until a helper has written it.
await_file() {
	local deadline=$((SECONDS + patience))

	until [ -e "$1" ]; do
		if [ "$SECONDS" -gt "$deadline" ]; then
			echo "$1 is not written" >&2
			return 1
		fi
		sleep 0.02
	done
}

# await_count COUNT PATTERN: until so many files match.
await_count() {
	local deadline=$((SECONDS + patience))

	until [ "$(compgen -G "$2" | wc -l)" -ge "$1" ]; do
		if [ "$SECONDS" -gt "$deadline" ]; then
			echo "$(compgen -G "$2" | wc -l) of $1: $2" >&2
			return 1
		fi
		sleep 0.05
	done
}

# await_size FILE SIZE: until it is written to its end, which comes last.
await_size() {
	local deadline=$((SECONDS + patience))

	await_file "$1"
	until [ "$(stat -c %s "$1")" -eq "$2" ]; do
		if [ "$SECONDS" -gt "$deadline" ]; then
			echo "$1 has $(stat -c %s "$1") of $2 bytes" >&2
			return 1
		fi
		sleep 0.02
	done
}

# entry_of PID: its directory in the store.
entry_of() {
	compgen -G "$store/*-$1-*"
}

# Whether a file is a complete core with the words of "dump 0 0 BYTES" in it.
has_all_words() {
	local size=$1

	perl -e 'my $n = shift() / 4;
		print pack "L*", map { ($_ * 2654435761 + 1) & 0xffffffff } 0 .. $n - 1' \
		"$size" >words
	perl -0777 -e 'my ($core, $words) = map { open my $f, "<:raw", $_ or die; <$f> } @ARGV;
		exit(index($core, $words) < 0)' "$2" words || return
	# Nothing is cut off.
	same "$(readelf -lW "$2" 2>&1 >/dev/null)" "" || return
	same "$(guardmaps explain --core "$2" -n -r -o VERDICT)" null-page
}
