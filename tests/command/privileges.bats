#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# guardmaps with file capabilities or the set-user-ID bit: its user gains the sight
# of other users' mappings, and nothing else.

load helpers

# A copy of guardmaps, "capable", with capabilities and for everyone to run.
setup() {
	started=()
	started_groups=()
	needs_two_users
	place=$(mktemp -d -p "${TMPDIR:-/tmp}")
	chmod 755 "$place"
	cd "$place"
	cp "$build/guardmaps" capable
	chmod 755 capable
	setcap cap_sys_ptrace,cap_dac_read_search+ep capable 2>/dev/null ||
		skip "needs file capabilities"
	as_nobody ./capable --version >/dev/null || skip "needs file capabilities"
	mkdir own
	chown "$nobody" own
	echo secret-text >secret
	chmod 600 secret
}

teardown() {
	stop_targets
	[ -z "${place-}" ] || rm -rf "$place"
}

# item ITEM: its status and detail, of what was printed as JSON.
item() {
	json --arg item "$1" '.checks[] | select(.item == $item)
		| "\(.status): \(.detail)"'
}

@test "with file capabilities a user sees the guards of others" {
	start_target threads:3
	same "$(as_nobody ./capable -n -r -o START,END "$TARGET_PID")" \
		"$(<"$TARGET_GUARDS")"
	as_nobody ./capable maps "$TARGET_PID" | grep -q -e ---p
	as_nobody ./capable stacks "$TARGET_PID" | grep -q worker-1
	cd own
	as_nobody ../capable save "$TARGET_PID" image
	same "$(as_nobody ../capable show -n -r -o START,END image)" \
		"$(<"$TARGET_GUARDS")"
	as_nobody ../capable diff image "$TARGET_PID"
	same "$(stat -c %u image)" "$nobody"
}

@test "with file capabilities a user changes no process of others" {
	start_target threads:3
	cd own
	as_nobody ../capable save "$TARGET_PID" image
	try as_nobody ../capable install image "$TARGET_PID"
	same "$status" 2
	matches "$stderr" "guardmaps|capable: .*Permission denied.*|.*not permitted.*"
}

@test "with file capabilities a user reads no other file" {
	start_target threads:3
	cd own
	refuses_as_capable "cannot open ../secret: Permission denied" show ../secret
	refuses_as_capable "cannot open ../secret: Permission denied" \
		diff ../secret "$TARGET_PID"
	refuses_as_capable "cannot open ../secret: Permission denied" \
		install ../secret "$TARGET_PID"
	refuses_as_capable "cannot write ../image: Permission denied" \
		save "$TARGET_PID" ../image
}

refuses_as_capable() {
	local message=$1
	shift
	try as_nobody ../capable "$@"
	same "$status$output" 2
	same "$stderr" "capable: $message"
}

@test "with file capabilities a recorded tree is read as its user could" {
	cd own
	record_process 100 recorded
	echo '10000000-10010000 rw-p 00000000 00:00 0' | record 100 maps
	echo '10001000-10002000 ---p 00000000 00:00 0' | record 100 guards
	same "$(as_nobody ../capable --sysroot tree -n -r -o START 100)" 0x10001000
	chmod 600 tree/proc/100/guards
	try as_nobody ../capable --sysroot tree 100
	same "$status$output" 2
	matches "$stderr" ".*Permission denied.*"
}

@test "with file capabilities check runs nothing of the user's choice" {
	cd own
	mkdir plugins bin
	cat >library.c <<-'END'
		#include <stdlib.h>
		const char *CR_PLUGIN_DESC[4] = { "guardmaps" };
		__attribute__((constructor)) static void run(void) { abort(); }
	END
	cc -shared -fPIC -o plugins/guardmaps.so library.c ||
		skip "needs a compiler"
	printf '#!/bin/sh\ntouch "%s/ran"\necho Version: 9.9\n' "$PWD" >bin/criu
	chmod -R a+rX,u+w . bin
	chmod a+x bin/criu
	chmod 777 .
	try as_nobody env PATH="$PWD/bin:$PATH" CRIU_LIBS_DIR="$PWD/plugins" \
		../capable check -J
	matches "$status" "0|1"
	[ ! -e ran ]
	! grep -F "$PWD" <<<"$output"
	# Without privileges it is found, and read rather than run.
	try env CRIU_LIBS_DIR="$PWD/plugins" guardmaps check -J
	matches "$(item "criu plugin")" "yes: $PWD/plugins/guardmaps.so: .*"
}

@test "check says whether the capabilities of guardmaps are safe" {
	try as_nobody ./capable check -J
	matches "$(item "file capabilities")" "yes: cap_dac_read_search,cap_sys_ptrace=ep is safe: .*"
	setcap cap_sys_ptrace,cap_dac_read_search,cap_sys_admin+ep capable
	try as_nobody ./capable check -J
	matches "$(item "file capabilities")" "partly: .*cap_sys_admin.* is more than guardmaps needs: .*"
	setcap -r capable
	try as_nobody ./capable check -J
	matches "$(item "file capabilities")" "no: guardmaps has none: .*"
	chmod u+s capable
	try as_nobody ./capable check -J
	matches "$(item "file capabilities")" "partly: guardmaps is set-user-ID .*"
}

@test "with the set-user-ID bit a user gains no more than that" {
	start_target threads:3
	setcap -r capable
	chmod u+s capable
	same "$(as_nobody ./capable -n -r -o START,END "$TARGET_PID")" \
		"$(<"$TARGET_GUARDS")"
	cd own
	as_nobody ../capable save "$TARGET_PID" image
	same "$(stat -c %u image)" "$nobody"
	refuses_as_capable "cannot open ../secret: Permission denied" show ../secret
	refuses_as_capable "cannot open ../secret: Permission denied" \
		diff ../secret "$TARGET_PID"
	try as_nobody ../capable install image "$TARGET_PID"
	same "$status" 2
}
