#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# guardmaps check reports what works on this machine, and what is missing.

load helpers

# item ITEM: its status and detail, of what was printed as JSON.
item() {
	json --arg item "$1" '.checks[] | select(.item == $item)
		| "\(.status): \(.detail)"'
}

# Only what a test puts there is found as criu.
hide_criu() {
	mkdir bin
	for directory in /usr/local/sbin /usr/sbin; do
		[ ! -e "$directory/criu" ] || skip "criu is installed in $directory"
	done
}

# try_check DIRECTORY: with that directory as the whole PATH.
try_check() {
	try env PATH="$1" "$build/guardmaps" check -J
}

# ---- What it tells ---------------------------------------------------------

@test "check has a row for each source, capability, thread stacks and criu" {
	try guardmaps check
	matches "$status" "0|1"
	matches "${lines[0]}" "ITEM +STATUS DETAIL"
	mkdir plugins
	same "$(CRIU_LIBS_DIR=$PWD/plugins guardmaps check -n -r -o ITEM)" "\
source\\x20guards
source\\x20scan
source\\x20pagemap
source\\x20markers
CAP_SYS_PTRACE
CAP_DAC_READ_SEARCH
CAP_SYS_ADMIN
file\\x20capabilities
thread\\x20stacks
criu
criu\\x20plugin"
}

@test "-J prints one object with one array, checks" {
	try guardmaps check -J
	same "$(json -c keys)" '["checks"]'
	same "$(json -c '.checks | map(keys_unsorted) | unique[]')" \
		'["item","status","detail"]'
	same "$(json '[.checks[] | select(.status | IN("yes", "no", "partly") | not)]
		| length')" 0
	same "$(json '[.checks[] | select(.detail == null or .detail == "")]
		| length')" 0
}

@test "check exits 0 if a source works; otherwise it says so and exits 1" {
	try guardmaps check
	if [ -n "$(known_sources)" ]; then
		same "$status$stderr" 0
	else
		same "$status" 1
		same "$stderr" \
			"guardmaps: no source shows guard regions on this machine"
	fi
}

@test "sources with the status yes work, sources with the status no do not" {
	start_target run:1
	for source in guards scan pagemap markers; do
		try guardmaps check -J
		case $(item "source $source") in
		yes:*)
			has_guards_of_target "$source"
			;;
		no:*)
			try guardmaps --source "$source" "$TARGET_PID"
			same "$status" 2
			;;
		*)
			false
			;;
		esac
	done
}

@test "a source that cannot answer says what it needs" {
	try guardmaps check -J
	if [ ! -e /proc/self/guards ]; then
		matches "$(item "source guards")" "no: .*/guards does not exist \(needs a kernel with the guardmaps series\)"
	else
		matches "$(item "source guards")" "yes: .*"
	fi
}

@test "thread stacks reports how the C library guards them" {
	local version expected
	version=$(getconf GNU_LIBC_VERSION)
	version=${version#glibc }
	expected="no: glibc $version guards them with PROT_NONE mappings.*"
	start_target glibc-threads:1
	if [ -s "$TARGET_GUARDS" ]; then
		expected="yes: glibc $version guards them with guard markers"
	fi
	# Each time: the answer must not depend on which thread is faster.
	for i in {1..10}; do
		try guardmaps check -J
		matches "$(item "thread stacks")" "$expected"
	done
}

# ---- Capabilities ----------------------------------------------------------

@test "root has the capabilities" {
	needs_root
	try guardmaps check -J
	matches "$(item CAP_SYS_PTRACE)" "yes: processes of other users.*"
	matches "$(item CAP_DAC_READ_SEARCH)" "yes: .*"
	matches "$(item CAP_SYS_ADMIN)" "yes: .*"
}

@test "missing capabilities are reported, and what they are for" {
	needs_two_users
	try as_nobody guardmaps check -J
	matches "$(item CAP_SYS_PTRACE)" "no: processes of other users.*"
	matches "$(item CAP_DAC_READ_SEARCH)" "no: .*"
	matches "$(item CAP_SYS_ADMIN)" "no: source markers; .*"
}

# reads_others CAPABILITIES: whether they are enough to list a process of root.
reads_others() {
	try setpriv --reuid="$nobody" --regid="$nobody" --clear-groups \
		--inh-caps="-all,$1" --ambient-caps="-all,$1" \
		guardmaps "$TARGET_PID"
	[ "$status" -eq 0 ]
}

@test "the capabilities that check says other users' processes need are enough" {
	needs_two_users
	start_target run:1
	try guardmaps check -J
	same "$(item CAP_SYS_PTRACE)" \
		"yes: processes of other users; alone, by source guards only"
	same "$(item CAP_DAC_READ_SEARCH)" \
		"yes: with CAP_SYS_PTRACE: processes of other users by any source"
	reads_others +sys_ptrace,+dac_read_search
	! reads_others +dac_read_search
	if known_sources | grep -qx guards; then
		reads_others +sys_ptrace
	else
		! reads_others +sys_ptrace
	fi
}

@test "without CAP_SYS_ADMIN the source markers says why not" {
	needs_two_users
	try as_nobody guardmaps check -J
	matches "$(item "source markers")" \
		"no: (swap entries in pagemap are hidden \(needs CAP_SYS_ADMIN\)|this kernel has no guard regions .*)"
	try setpriv --bounding-set -sys_admin guardmaps check -J
	matches "$(item "source markers")" \
		"no: (swap entries in pagemap are hidden \(needs CAP_SYS_ADMIN\)|this kernel has no guard regions .*)"
}

# ---- criu ------------------------------------------------------------------

@test "without criu, check says that it is not installed" {
	hide_criu
	try_check "$PWD/bin"
	same "$(item criu)" "no: not installed"
	try_check ""
	same "$(item criu)" "no: not installed"
}

@test "criu is found in PATH, and a file that cannot be run is not criu" {
	hide_criu
	mkdir first
	echo "text" >first/criu
	printf '#!/bin/sh\necho Version: 3.17.1\n' >bin/criu
	chmod +x bin/criu
	try_check "$PWD/first:$PWD/missing::$PWD/bin"
	same "$(item criu)" "no: $PWD/bin/criu 3.17.1 does not support guards, and does not load the plugin: needs criu 4.1"
	printf '#!/bin/sh\necho Version: 4.1.1\n' >bin/criu
	try_check "$PWD/bin"
	same "$(item criu)" "no: $PWD/bin/criu 4.1.1 does not support guards: a process that has some needs the plugin"
}

@test "a criu whose version cannot be read is reported as well" {
	hide_criu
	printf '#!/bin/sh\necho nothing; echo garbage >&2; exit 1\n' >bin/criu
	chmod +x bin/criu
	try_check "$PWD/bin"
	same "$stderr" ""
	matches "$(item criu)" "no: $PWD/bin/criu of unknown version does not support guards: .*"
	printf '#!/nonexistent/interpreter\n' >bin/criu
	try_check "$PWD/bin"
	matches "$(item criu)" "no: $PWD/bin/criu of unknown version does not support guards: .*"
}

@test "a criu that exports collect_madv_guards is known to keep most guards" {
	hide_criu
	command -v cc >/dev/null || skip "no C compiler"
	cat >criu.c <<-'END'
		#include <stdio.h>
		int collect_madv_guards(void);
		int collect_madv_guards(void) { return 0; }
		int main(void) { puts("Version: 4.2.1"); return collect_madv_guards(); }
	END
	cc -rdynamic -o bin/criu criu.c
	try_check "$PWD/bin"
	if known_sources | grep -qx scan; then
		same "$(item criu)" "partly: $PWD/bin/criu 4.2.1 keeps guards; a process with guards in locked mappings needs the plugin"
	else
		matches "$(item criu)" "no: $PWD/bin/criu 4.2.1 needs PAGE_IS_GUARD .*"
	fi
}

# ---- The plugin ------------------------------------------------------------

# install_criu VERSION: the only one.
install_criu() {
	hide_criu
	printf '#!/bin/sh\necho Version: %s\n' "$1" >bin/criu
	chmod +x bin/criu
	PATH=$PWD/bin:$PATH
}

# use_plugins: criu would look into the folder plugins.
use_plugins() {
	[ ! -e /etc/criu/default.conf ] || skip "criu is configured here"
	mkdir plugins
	export CRIU_LIBS_DIR=$PWD/plugins
}

@test "check reports a missing directory for plugins, and the consequences" {
	use_plugins
	install_criu 4.1.1
	rmdir plugins
	try guardmaps check -J
	matches "$(item "criu plugin")" "no: no directory $PWD/plugins: .*guards are lost"
}

@test "check does not suggest installing the plugin if no criu can load it" {
	use_plugins
	hide_criu
	rmdir plugins
	for folder in "" plugins; do
		[ -z "$folder" ] || mkdir plugins
		rm -f bin/criu
		try guardmaps check -J
		same "$(item "criu plugin")" \
			"no: not installed; there is no criu to load it"
		printf '#!/bin/sh\necho Version: 3.17.1\n' >bin/criu
		chmod +x bin/criu
		PATH=$PWD/bin:$PATH try guardmaps check -J
		same "$(item "criu plugin")" \
			"no: not installed; do not install it for criu 3.17.1, which would refuse it and fail: needs criu 4.1"
	done
}

@test "check says that the plugin is not in its folder, and which others are" {
	use_plugins
	install_criu 4.1.1
	touch plugins/a.so plugins/b.so.1 plugins/text
	try guardmaps check -J
	same "$(item "criu plugin")" "no: no guardmaps.so in $PWD/plugins"
	same "$(item "other plugins")" "partly: a.so; one that handles all tasks may hide others"
}

@test "check finds the plugin, and says what it would do" {
	use_plugins
	hide_criu
	# There is none with sanitizers: what loads it would need them too.
	cp "${build%/sanitizers}/criu-plugin/guardmaps.so" plugins
	touch plugins/a.so
	try guardmaps check -J
	same "$(item "criu plugin")" "yes: $PWD/plugins/guardmaps.so: there is no criu to load it"
	same "$(item "other plugins")" "yes: a.so; guardmaps.so is called before them"
	printf '#!/bin/sh\necho Version: 4.1.1\n' >bin/criu
	chmod +x bin/criu
	PATH=$PWD/bin:$PATH try guardmaps check -J
	same "$(item "criu plugin")" "yes: $PWD/plugins/guardmaps.so: keeps all guards"
	printf '#!/bin/sh\necho Version: 3.17.1\n' >bin/criu
	PATH=$PWD/bin:$PATH try guardmaps check -J
	matches "$(item "criu plugin")" "no: .*: criu 3.17.1 does not load it, and fails: needs criu 4.1"
}

@test "check says why a plugin cannot be loaded" {
	use_plugins
	echo text >plugins/guardmaps.so
	try guardmaps check -J
	matches "$(item "criu plugin")" "no: $PWD/plugins/guardmaps.so: cannot be loaded: not an ELF file"
	rm plugins/guardmaps.so
	mkfifo plugins/guardmaps.so
	try guardmaps check -J
	matches "$(item "criu plugin")" "no: $PWD/plugins/guardmaps.so: cannot be loaded: not an ELF file"
	rm plugins/guardmaps.so
	cp "$build/tests/target" plugins/guardmaps.so
	try guardmaps check -J
	matches "$(item "criu plugin")" "no: $PWD/plugins/guardmaps.so: cannot be loaded: it is not a plugin"
}

# ---- What it refuses -------------------------------------------------------

@test "check refuses arguments, and options that apply to processes" {
	refuses "too many arguments for check" guardmaps check 1
	refuses "--source cannot be used with check" guardmaps check --source scan
	refuses "--sysroot cannot be used with check" guardmaps check --sysroot tree
	refuses "--bytes cannot be used with check" guardmaps check -b
}

@test "an unknown column is refused, and the known ones are listed" {
	refuses "unknown column: PID (known: ITEM STATUS DETAIL)" \
		guardmaps check -o PID
}
