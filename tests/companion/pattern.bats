#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# guardmaps-core --enable, --disable, --status.

load helpers

# fails MESSAGE OPTION: exit 2, the message, and the pattern is as before.
fails() {
	local before
	before=$(<"$core_pattern")
	try ./guardmaps-core "$2"
	same "$status" 2
	same "$stderr" "guardmaps-core: $1"
	same "$(<"$core_pattern")" "$before"
}

@test "--enable and --disable put the helper in front of a program, and take it away" {
	take_pattern "|/bin/false %P %e"
	try ./guardmaps-core --status
	same "$status $output" "1 disabled: |/bin/false %P %e"
	try ./guardmaps-core --enable
	same "$status" 0
	same "$(<"$core_pattern")" "|$folder/guardmaps-core %P %I -- |/bin/false %P %e"
	try ./guardmaps-core --status
	same "$status" 0
	same "${lines[1]}" "before: |/bin/false %P %e"
	try ./guardmaps-core --disable
	same "$status" 0
	same "$(<"$core_pattern")" "|/bin/false %P %e"
}

@test "the same with the name of a file, and with no pattern at all" {
	take_pattern "/var/%e.%p"
	./guardmaps-core --enable
	same "$(<"$core_pattern")" \
		"|$folder/guardmaps-core %P %I %c %d %u %g -- /var/%e.%p"
	./guardmaps-core --disable
	same "$(<"$core_pattern")" "/var/%e.%p"
	echo >"$core_pattern"
	./guardmaps-core --enable
	./guardmaps-core --disable
	same "$(<"$core_pattern")" ""
}

@test "--enable nests neither itself nor another copy" {
	local other
	take_pattern "|/bin/false %P"
	./guardmaps-core --enable
	./guardmaps-core --enable
	same "$(<"$core_pattern")" "|$folder/guardmaps-core %P %I -- |/bin/false %P"
	mkdir other
	other=$folder/other/guardmaps-core
	cp guardmaps-core other
	"$other" --enable
	same "$(<"$core_pattern")" "|$other %P %I -- |/bin/false %P"
	./guardmaps-core --disable
	same "$(<"$core_pattern")" "|/bin/false %P"
}

@test "--disable leaves alone what others have set since" {
	take_pattern "|/bin/false %P"
	./guardmaps-core --enable
	echo "|/bin/true %P" >"$core_pattern"
	try ./guardmaps-core --disable
	same "$status $output" "0 not enabled, nothing changed: |/bin/true %P"
	same "$(<"$core_pattern")" "|/bin/true %P"
	# A program that has been put in front of ours.
	echo "|/bin/true -- |$folder/guardmaps-core %P %I -- core" >"$core_pattern"
	./guardmaps-core --disable
	same "$(<"$core_pattern")" \
		"|/bin/true -- |$folder/guardmaps-core %P %I -- core"
}

@test "--enable refuses what the kernel would cut off" {
	local front="|$folder/guardmaps-core %P %I -- " name
	name=$(printf '%*s' $((127 - ${#front} - 5)) "" | tr ' ' x)
	take_pattern "|/bin$name"
	./guardmaps-core --enable
	same "$(wc -c <"$core_pattern")" 128
	./guardmaps-core --disable
	echo "|/bin${name}y" >"$core_pattern"
	fails "core_pattern would be '$front|/bin${name}y', 128 bytes: the kernel takes 127" --enable
}

@test "--enable refuses names with a blank, and a helper that others can write to" {
	take_pattern "my core"
	fails "core_pattern is 'my core': names of files with a blank are not supported" --enable
	echo core >"$core_pattern"
	chmod 775 guardmaps-core
	fails "$folder/guardmaps-core: others than root can write to it" --enable
	chmod 755 guardmaps-core
	mkdir "a b"
	cp guardmaps-core "a b"
	try "a b/guardmaps-core" --enable
	same "$status $stderr" \
		"2 guardmaps-core: $folder/a b/guardmaps-core: core_pattern cannot have a path with a blank or a %"
}

@test "a socket is refused, and systemd's replaced by its program until --disable" {
	grep -qs socket /proc/sys/kernel/core_modes || skip "the kernel has no sockets for cores"
	take_pattern "@/run/other"
	fails "core_pattern is the socket @/run/other, whose server cannot follow this program" --enable
	echo "@@/run/systemd/coredumpd/kernel" >"$core_pattern"
	[ -x /usr/lib/systemd/systemd-coredump ] ||
		fails "core_pattern is the socket @@/run/systemd/coredumpd/kernel, and /usr/lib/systemd/systemd-coredump, which would take its place, cannot be run: No such file or directory" --enable
	mkdir systemd
	cp /bin/true systemd/systemd-coredump
	# The kernel takes a socket in its own mount namespace only.
	unshare -m --propagation private sh -e -c '
		mkdir -p /usr/lib/systemd
		mount --bind systemd /usr/lib/systemd
		./guardmaps-core --enable' >said
	cat "$core_pattern" >>said
	./guardmaps-core --disable
	same "$(sed -n 3p said)" \
		"|$folder/guardmaps-core %P %I -- |/usr/lib/systemd/systemd-coredump %P %u %g %s %t %c %h %d %F %I"
	grep -q "^The socket @@/run/systemd/coredumpd/kernel is replaced by |/usr/lib/systemd/systemd-coredump" said
	same "$(<"$core_pattern")" "@@/run/systemd/coredumpd/kernel"
}

@test "core_pipe_limit is not changed" {
	local before
	before=$(</proc/sys/kernel/core_pipe_limit)
	through_helper "|/bin/false"
	same "$(</proc/sys/kernel/core_pipe_limit)" "$before"
}

@test "another user can read the status, and change nothing" {
	take_pattern core
	cp guardmaps-core "$folder/copy"
	try as_nobody ./guardmaps-core --status
	same "$status $output" "1 disabled: core"
	try as_nobody ./guardmaps-core --enable
	same "$status $stderr" "2 guardmaps-core: cannot write /proc/sys/kernel/core_pattern: Permission denied"
}

@test "--help fits a screen, and other words are refused" {
	try ./guardmaps-core --help
	same "$status $stderr" "0 "
	same "$(awk 'length > 88' <<<"$output")" ""
	try ./guardmaps-core --version
	matches "$output" "guardmaps-core [0-9.]+"
	try ./guardmaps-core --nope
	same "$status $stderr" "2 guardmaps-core: unknown option: '--nope' (see --help)"
	try ./guardmaps-core
	same "$status" 2
}
