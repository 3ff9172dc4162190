#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# A newer criu can restore images of an older one.

load helpers

# criu 4.1.1 is the oldest, so there is nothing older to restore with it.
@test "images of this criu keep their guards" {
	keeps_from "$CRIU"
}

usual=(threads:3 anonymous anonymous mlock shared-file read-only mlock children
	threads:2)

# keeps_from OLDER_CRIU
keeps_from() {
	start_subject "${usual[@]}"
	note_state
	criu=$1
	dump
	criu=$CRIU
	restore
	is_as_before
}

# bats test_tags=not:old
@test "images of criu 4.1.1 keep their guards" {
	keeps_from /opt/criu-4.1.1/criu
}

# bats test_tags=only:new
@test "images of criu 4.2 keep their guards" {
	keeps_from /usr/sbin/criu
}
