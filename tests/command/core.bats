#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# guardmaps explain --core FILE: why a process crashed.

load helpers

# is_explained VERDICT CERTAINTY [SIGNAL]: of the file core.
is_explained() {
	try guardmaps explain --core core -J
	same "$status $stderr" "0 "
	same "$(json '.fault | .verdict, .certainty, .signal, .tid' | xargs)" \
		"$1 $2 ${3-SIGSEGV} $THREAD"
}

# ---- Overflows -------------------------------------------------------------

@test "the overflow of a thread's stack is certain, and whose it is" {
	local guard
	guard=$(stack_guard)
	crash worker
	is_explained "$guard" certain
	same "$(json '.fault.owner')" "$THREAD"
	same "$(json '.fault.kind')" stack
	try guardmaps explain --core core
	same "$status $stderr" "0 "
	matches "${lines[0]}" "Thread $THREAD overflowed its stack: it accessed the guard of its stack at 0x[0-9a-f]+ after .*"
	matches "${lines[1]}" "  known    by the thread descriptor of the C library"
}

@test "a frame that is larger than the guard is found in the stack of another thread" {
	crash jump
	is_explained jumped-guard certain
	try guardmaps explain --core core
	same "${lines[0]}" "Thread $THREAD overflowed its stack, past the guard, into the stack of thread $ENTERED: it had a frame that is larger than the guard."
	try guardmaps explain --core core -n -r -o ENTERED
	same "$output" "$ENTERED"
}

@test "a frame that ends in the guard is an overflow without recursion" {
	local guard
	guard=$(stack_guard)
	crash large-frame
	is_explained "$guard" certain
	same "$(json .fault.owner)" "$THREAD"
	try guardmaps explain --core core
	matches "${lines[0]}" "Thread $THREAD overflowed its stack: it accessed the guard of its stack at 0x[0-9a-f]+\."
}

@test "a frame that is larger than the guard is found where nothing is mapped" {
	crash jump-nowhere
	is_explained jumped-guard certain
	same "$(json .fault.owner)" null
	try guardmaps explain --core core
	matches "${lines[0]}" "Thread $THREAD overflowed its stack, past the guard, to 0x[0-9a-f]+, where nothing is mapped: it had a frame that is larger than the guard\."
	same "${lines[1]}" "  known    by the thread descriptor of the C library"
	[[ $output == *"  above    "*"  below    "* ]]
}

@test "the thread is found among a thousand" {
	local guard
	guard=$(stack_guard)
	crash crowd
	is_explained "$guard" certain
	same "$(json .fault.owner)" "$THREAD"
	try guardmaps stacks --core core -n -r -o TID
	same "$(sort -u <<<"$output" | wc -l)" 1001
}

@test "the limit of the first thread's stack is distinguished from a wild pointer" {
	crash main-stack
	is_explained main-stack-limit mappings
	try guardmaps explain --core core
	matches "${lines[0]}" "Thread crash \($THREAD\) overflowed its stack: it has reached its limit \(RLIMIT_STACK\), and cannot grow to 0x[0-9a-f]+ after .*"
}

# ---- Stacks ----------------------------------------------------------------

@test "the stacks of all threads are listed, with their guards and how deep they were" {
	local guard
	guard=$(stack_guard)
	crash jump
	try guardmaps stacks --core core -n -r -b -o TID,SIZE,GUARD,EVIDENCE
	same "$status $stderr" "0 "
	same "${lines[0]}" "$THREAD 262144 ${guard/guard/marker} descriptor"
	matches "$(sort -n <<<"$output" | tail -n 1)" \
		"$ENTERED 262144 ${guard/guard/marker} descriptor"
	same "${#lines[@]}" 3
	crash worker
	# The whole of it was used.
	try guardmaps stacks --core core -n -r -b -o TID,SIZE,PEAK
	same "${lines[0]}" "$THREAD 262144 262144"
	try guardmaps stacks --core core -n -r -o TID --below 10%
	same "$status" 1
	same "$output" "$THREAD"
	try guardmaps stacks --core core -n -r -o NAME,NOTE
	matches "${lines[1]}" "crash .*no.*stack.*limit.*"
}

# ---- Backtraces ------------------------------------------------------------

@test "recursion is folded, and counted" {
	crash worker
	try guardmaps explain --core core -J
	[ "$(json .fault.frames)" -gt 100 ]
	[ "$(json .fault.cycles)" -gt 50 ]
	matches "$(json .fault.cycle)" "parse_(term/parse_expression|expression/parse_term)"
	[ "$(($(json .fault.cycles) * 2))" -le "$(json .fault.frames)" ]
	try guardmaps explain --core core
	matches "${lines[0]}" "Thread $THREAD overflowed its stack: .* after [0-9]+ levels of parse_.*/parse_.*\."
	[[ $output =~ [0-9]+" times: parse_" ]]
	[[ $output == *" overflow+0x"* ]]
	# The whole of it fits a screen.
	[ "${#lines[@]}" -lt 24 ]
}

@test "a backtrace goes on past a jump to nowhere" {
	crash bad-jump
	try guardmaps explain --core core
	matches "$(grep '#0' <<<"$output")" "  #0 +$ADDRESS"
	[[ $output =~ "#1"\ +(crash_bad_jump|main)\+0x ]]
	# To its very end.
	[[ ${lines[-1]} == *" _start+0x"* ]]
}

@test "a program that has been replaced is not asked, and that is said" {
	cp "$build/tests/crash" program
	cp "$build/tests/crash" kept
	crash worker ./program
	try guardmaps explain --core core
	[[ $output == *parse_term* ]]
	# Another program, another file, nothing at all.
	cp --remove-destination "$build/guardmaps" program
	try guardmaps explain --core core
	same "$status $stderr" "0 "
	[[ $output == *"  changed  $PWD/program: another file has this name now (--exe)"* ]]
	[[ $output != *parse_term* ]]
	rm program
	mkfifo program
	try guardmaps explain --core core
	same "$status $stderr" "0 "
	[[ $output != *parse_term* ]]
	rm program
	try guardmaps explain --core core --exe kept
	same "$status $stderr" "0 "
	[[ $output == *parse_term* ]]
}

@test "the stack of a stripped program is unwound all the same" {
	cp "$build/tests/crash" program
	strip program
	crash worker ./program
	try guardmaps explain --core core -J
	[ "$(json .fault.cycles)" -gt 50 ]
}

# ---- Other programs ---------------------------------------------------------

# needs_program NAME: a program that is built where this machine can.
needs_program() {
	[ -x "$build/tests/$1" ] || skip "$1 cannot be built here"
}

@test "a program that is linked statically is explained" {
	local guard
	needs_program crash-static
	guard=$(stack_guard)
	crash worker "$build/tests/crash-static"
	is_explained "$guard" certain
	same "$(json .fault.owner)" "$THREAD"
	[ "$(json .fault.cycles)" -gt 50 ]
}

@test "a program with musl is explained" {
	needs_program crash-musl
	crash worker "$build/tests/crash-musl"
	is_explained PROT_NONE certain
	same "$(json .fault.owner)" "$THREAD"
	[ "$(json .fault.cycles)" -gt 50 ]
	crash jump "$build/tests/crash-musl"
	is_explained jumped-guard certain
}

# A program that runs another one in namespaces of its own, where it is process 2.
make_container() {
	unshare -mpf --mount-proc true 2>/dev/null ||
		skip "cannot make namespaces"
	cat >contained <<-END
		#!/bin/sh
		exec unshare -mpf --mount-proc sh -c '"\$@"; exit 0' sh "$build/tests/crash" "\$@"
	END
	chmod 755 contained
}

@test "a program in a container is explained, with the ids that it has there" {
	local guard
	make_container
	guard=$(stack_guard)
	crash worker ./contained
	same "$PROCESS" 2
	is_explained "$guard" certain
	same "$(json .fault.owner)" "$THREAD"
	try guardmaps explain --core core -n -r -o PID,COMMAND
	same "$output" "2 crash"
}

@test "an image from outside a container is taken for a core file from inside" {
	needs_guards
	make_container
	crash_saved guard-read-only ./contained
	same "$PROCESS" 2
	try guardmaps explain --core core --image image -J
	same "$status $stderr" "0 "
	same "$(json '.fault | .verdict, .certainty' | xargs)" "guard certain"
}

# ---- Guards elsewhere ------------------------------------------------------

needs_guards() {
	start_target run:1
}

@test "a guard in memory that can be written is known by the mappings" {
	needs_guards
	crash guard
	is_explained guard mappings
	same "$(json .fault.address)" "$ADDRESS"
	try guardmaps explain --core core
	same "${lines[0]}" "Thread crash ($THREAD) accessed $ADDRESS, in a guard region."
	same "${lines[1]}" "  known    by the signal and the mappings at the time of the dump"
}

@test "a guard in read-only memory looks like any write to it, and that is said" {
	needs_guards
	crash guard-read-only
	is_explained no-permission mappings
	try guardmaps explain --core core
	[[ $output == *"There may be a guard region, too: without an image (--image), a core file does not say."* ]]
}

@test "an image makes a guard in read-only memory certain" {
	needs_guards
	crash_saved guard-read-only
	is_explained no-permission mappings
	try guardmaps explain --core core --image image -J
	same "$status $stderr" "0 "
	same "$(json '.fault | .verdict, .certainty' | xargs)" "guard certain"
	try guardmaps explain --core core --image image
	same "${lines[1]}" "  known    by the image"
}

@test "a block of the heap with a guard is known by the mappings, or an image" {
	needs_guards
	crash_saved heap-block
	is_explained guard mappings
	same "$(json .fault.address)" "$ADDRESS"
	try guardmaps explain --core core --image image -J
	same "$(json '.fault | .verdict, .certainty, .start' | xargs)" \
		"guard certain $ADDRESS"
}

@test "the image of another process is refused" {
	start_target run:1
	guardmaps save "$TARGET_PID" image
	crash unmapped
	refuses "core: a core file of process $PROCESS (crash), but the image is of process $TARGET_PID (target)" \
		guardmaps explain --core core --image image
}

# ---- Handlers of the program -------------------------------------------------

# crash_of COMMAND...: of another program, which says nothing.
crash_of() {
	needs_codes
	rm -f core core.*
	(with_core_pattern "$@") >facts 2>errors ||
		[ $? -ne 77 ] || skip_core_pattern
	[ -e core ] || mv core.* core
}

# is_reported VERDICT CERTAINTY ENDEDBY: of the file core.
is_reported() {
	try guardmaps explain --core core -n -r -o VERDICT,CERTAINTY,SIGNAL,ENDEDBY
	same "$status $stderr" "0 "
	same "$output" "$1 $2 SIGSEGV $3"
}

@test "a crash that Rust reports is explained by the overflow" {
	command -v rustc >/dev/null || skip "rustc is not installed"
	local guard
	guard=$(stack_guard)
	cat >parser.rs <<-'END'
		fn parse(depth: u64) -> u64 {
		    let frame = [depth; 16];
		    std::hint::black_box(&frame);
		    if depth == u64::MAX { 0 } else { parse(depth + 1) + frame[3] }
		}
		fn main() {
		    let builder = std::thread::Builder::new().stack_size(256 * 1024);
		    println!("{}", builder.spawn(|| parse(0)).unwrap().join().unwrap());
		}
	END
	rustc -O -g parser.rs
	crash_of ./parser
	is_reported "$guard" certain SIGABRT
	try guardmaps explain --core core
	matches "${lines[0]}" "Thread .* overflowed its stack: .* after [0-9]+ levels of .*parse.*"
}

@test "a crash that Python reports is explained by the access" {
	python3 -c "import ctypes, faulthandler" 2>/dev/null ||
		skip "python3 is not installed"
	crash_of python3 -X faulthandler -c "import ctypes; ctypes.string_at(24)"
	grep -q "Fatal Python error" errors
	is_reported null-page mappings SIGSEGV
	try guardmaps explain --core core -n -r -o ADDRESS
	same "$output" 0x18
}

@test "a crash that a sanitizer reports is explained by the access" {
	cat >access.c <<-END
		int main(int count, char **words)
		{
			return *(volatile int *)(0x18L + !words);
		}
	END
	"${CC-cc}" -g -fsanitize=address -o access access.c 2>/dev/null ||
		skip "no AddressSanitizer"
	crash_of env ASAN_OPTIONS=abort_on_error=1:disable_coredump=0 ./access
	grep -q AddressSanitizer errors
	is_reported null-page mappings SIGABRT
}

@test "a crash that the program reports itself is explained by what its handler was called for" {
	needs_guards
	local guard
	guard=$(stack_guard)
	crash handled-worker
	is_explained "$guard" certain
	same "$(json .fault.owner)" "$THREAD"
	for kind in handled handled-briefly; do
		crash "$kind"
		is_explained guard mappings
		same "$(json .fault.address)" "$ADDRESS"
		try guardmaps explain --core core -n -r -o SIGNAL,ENDEDBY
		same "$output" "SIGSEGV SIGABRT"
	done
	try guardmaps explain --core core
	[[ $output == *"  handler  of the program, which ended with SIGABRT in it"* ]]
}

# ---- Other crashes ---------------------------------------------------------

@test "memory without permission, unmapped memory and null pointers are distinguished" {
	crash read-only
	is_explained no-permission mappings
	crash prot-none
	is_explained PROT_NONE mappings
	crash unmapped
	is_explained unmapped mappings
	same "$(json .fault.address)" "$ADDRESS"
	crash null
	is_explained null-page mappings
	crash near-null
	is_explained null-page mappings
	same "$(json .fault.address)" 0x18
}

@test "a jump to data is called a jump" {
	crash bad-jump
	is_explained no-permission mappings
	try guardmaps explain --core core
	same "${lines[0]}" "Thread crash ($THREAD) jumped to $ADDRESS, in a mapping that does not permit it."
}

@test "the end of a mapped file is not a guard" {
	crash file-end
	is_explained file-end mappings SIGBUS
}

@test "an address that the kernel does not report is not taken for null" {
	[ "$(uname -m)" = x86_64 ] || skip "x86-64 has such addresses"
	crash non-canonical
	is_explained unknown-address none
	same "$(json .fault.address)" null
	try guardmaps explain --core core
	same "${lines[0]}" "Thread crash ($THREAD) got SIGSEGV for an address that is not known, which need not be 0."
}

@test "a signal that was sent is no fault, whatever it claims" {
	crash abort
	is_explained sent none SIGABRT
	crash raise
	is_explained sent none
	crash kill
	is_explained sent none
	crash forge
	is_explained forged none
	crash trap
	is_explained other none SIGILL
}

@test "the demonstration ends with a crash and why it came" {
	[[ $build != */sanitizers ]] || skip "AddressSanitizer reports the crash itself"
	needs_codes
	try with_core_pattern "$BATS_TEST_DIRNAME/../../demo/run" "$build"
	[ "$status" -ne 77 ] || skip "no guards, or core_pattern is not core"
	matches "$(grep "^Thread" <<<"$output")" "Thread [0-9]+ overflowed its stack: .* after [0-9]+ levels of parse_.*"
}

# ---- Core files that are not as they should be ------------------------------

@test "a core file that is cut off after 4 KiB still gives the verdict" {
	crash unmapped
	head -c 4096 core >cut
	try guardmaps explain --core cut -n -r -o VERDICT,SIGNAL,TID
	same "$status $stderr" "0 "
	same "$output" "unmapped SIGSEGV $THREAD"
	[ "$(stat -c %s core)" -gt 4096 ]
	head -c 200 core >cut
	refuses "cut: cut off before the registers of a thread" \
		guardmaps explain --core cut
}

@test "a core file of gcore is read" {
	command -v gdb >/dev/null || skip "gdb is not installed"
	start_target threads:2
	gdb -batch -nx -p "$TARGET_PID" -ex "generate-core-file gcore" \
		>gdb.log 2>&1
	try guardmaps explain --core gcore -n -r -o PID,COMMAND
	same "$status $stderr" "0 "
	same "$output" "$TARGET_PID target"
}

@test "a core file that is compressed as by systemd-coredump is read" {
	command -v zstd >/dev/null || skip "zstd is not installed"
	crash worker
	try guardmaps explain --core core
	echo "$output" >plain
	zstd -q core -o core.zst
	# /var/tmp may be read-only. Nothing is left behind.
	mkdir empty
	export TMPDIR=$PWD/empty
	try guardmaps explain --core core.zst
	same "$status $stderr" "0 "
	same "$output" "$(<plain)"
	same "$(ls -A empty)" ""
	head -c 1000 core.zst >cut.zst
	refuses "cut.zst: cannot be decompressed: its end is missing" \
		guardmaps explain --core cut.zst
}

@test "what is not a core file is refused" {
	echo text >text
	refuses "text: not a core file" guardmaps explain --core text
	refuses "$build/guardmaps: an ELF file, but not a core file" \
		guardmaps explain --core "$build/guardmaps"
	mkfifo fifo
	refuses "fifo: not a regular file" guardmaps explain --core fifo
	refuses "nowhere: No such file or directory" \
		guardmaps explain --core nowhere
	refuses "too many arguments for explain --core" \
		guardmaps explain --core text 1 2
	refuses "--core cannot be used with save" guardmaps save --core text 1 2
	refuses "text: not a core file" guardmaps stacks --core text
	refuses "--exe cannot be used with stacks" guardmaps stacks --exe text 1
	refuses "--image requires --core" guardmaps explain --image text 1 2
	refuses "--source cannot be used with explain --core" \
		guardmaps explain --core text --source scan
}
