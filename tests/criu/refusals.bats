#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# What cannot work is refused, with a reason, before a process is touched.

load helpers

# ---- pre-dump --------------------------------------------------------------

# criu 4.2 itself leaves guards out of a pre-dump.
# bats test_tags=only:old
@test "a pre-dump of guards is refused if criu cannot leave them out" {
	start_subject threads:2 anonymous children
	note_state
	call_criu pre-dump pre-dump -t "$SUBJECT"
	[ "$status" -ne 0 ]
	logs pre-dump "cannot pre-dump"
	same_state
	verdicts_are_ok
}

# ---- --stream --------------------------------------------------------------

# Not a real image streamer: a refused dump sends it no images.
start_streamer() {
	(detached perl -MSocket -e '
		socket(my $server, PF_UNIX, SOCK_STREAM, 0) or die;
		bind($server, sockaddr_un("images/streamer-capture.sock")) or die;
		listen($server, 1) or die;
		accept(my $client, $server) or die;
		sleep 600;') &
	streamer=$!
	wait_for "the streamer listens" test -S images/streamer-capture.sock
}

stop_streamer() {
	kill "$streamer" 2>/dev/null || true
	wait "$streamer" 2>/dev/null || true
}

# refuses_stream WORD...: for a subject with these words
refuses_stream() {
	start_subject "$@"
	note_state
	start_streamer
	try_dump --stream
	stop_streamer
	[ "$status" -ne 0 ] || fail "dumped, rc 0"
	logs dump "cannot keep its .* guard regions with --stream"
	! grep "taken out" dump.log || return
	same_state
	verdicts_are_ok
}

@test "--stream is refused if guards would have to be taken out" {
	refuses_stream anonymous mlock children
}

# bats test_tags=not:old
@test "strict refuses --stream if guards would not be recorded" {
	settings=(GUARDMAPS_CRIU=strict)
	refuses_stream anonymous
}

@test "a leftover socket of a streamer is ignored" {
	start_streamer
	stop_streamer
	start_subject anonymous mlock
	note_state
	dump
	restore
	is_as_before
}

# ---- check -----------------------------------------------------------------

# check ITEM: status and detail
check() {
	PATH=$(dirname "$CRIU"):$PATH CRIU_LIBS_DIR=$build/criu-plugin \
		"$build/guardmaps" check -n -r -o ITEM,STATUS,DETAIL |
		sed 's/\\x20/ /g' | sed -n "s/^$1 //p"
}

# Only sid's criu is a binary that can be examined; the others are scripts.
@test "guardmaps check shows what the plugin would do with this criu" {
	[[ "$(check "criu plugin")" == "yes $build/criu-plugin/guardmaps.so: keeps "* ]]
}
