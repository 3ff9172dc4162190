#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# guardmaps catch: a process that crashes is explained where it stands.

load helpers

setup() {
	# As helpers.bash does.
	started=()
	started_groups=()
	cd "$BATS_TEST_TMPDIR" || return
	needs_codes
	guardmaps catch -- true || skip "nothing can be traced here"
}

needs_guards() {
	start_target run:1
}

# read_facts FILE: what the program has said before it crashed.
read_facts() {
	local name value

	ADDRESS="" ENTERED="" CHILD="" PROCESS="" THREAD=""
	while IFS== read -r name value; do
		case $name in
		pid) PROCESS=$value ;;
		thread) THREAD=$value ;;
		address) ADDRESS=$value ;;
		entered) ENTERED=$value ;;
		child) CHILD=$value ;;
		esac
	done <"$1"
}

# catches KIND VERDICT CERTAINTY [STATUS [SIGNAL]]: of a command, in JSON on standard
# error.
catches() {
	try guardmaps catch -J -- "$build/tests/crash" "$1"
	same "$status" "${4-139}"
	read_facts <(echo "$output")
	output=$stderr
	same "$(json '.fault | .verdict, .certainty, .signal, .tid' | xargs)" \
		"$2 $3 ${5-SIGSEGV} $THREAD"
}

# in_words KIND: the first line of what is said of it.
in_words() {
	try guardmaps catch -- "$build/tests/crash" "$1"
	read_facts <(echo "$output")
	FIRST=${stderr_lines[0]}
}

# run_crash KIND: start it, so that it waits until proceed. Sets PROCESS.
run_crash() {
	mkfifo go
	exec {go}<>go
	"$build/tests/crash" "$1" wait >facts 2>/dev/null <go 3>&- &
	started+=("$!")
	await_text facts ready
	read_facts facts
}

proceed() {
	echo >&"$go"
}

# attach OPTION...: catch what runs. Sets CATCHER.
attach() {
	rm -f caught
	# In the background, the shell has it ignore SIGINT.
	env --default-signal=INT guardmaps catch -p "$PROCESS" "$@" \
		>caught 2>&1 3>&- &
	CATCHER=$!
	started+=("$CATCHER")
	await_text caught "$PROCESS: waiting for a fault"
}

# await_text FILE TEXT: wait until there is such a line.
await_text() {
	local deadline=$((SECONDS + patience))

	until grep -qsF "$2" "$1"; do
		[ "$SECONDS" -lt "$deadline" ] || {
			cat "$1" >&2
			return 1
		}
	done
}

# traced_by TID: the tracer, or 0.
traced_by() {
	sed -n 's/^TracerPid:\t//p' "/proc/$1/status"
}

# state_is PID STATES: wait until it is in one of them.
state_is() {
	TARGET_PID=$1 await_state "$2"
}

# ---- Overflows -------------------------------------------------------------

@test "the overflow of a thread's stack is explained as it happens" {
	local guard
	guard=$(stack_guard)
	catches worker "$guard" certain
	same "$(json '.fault.owner')" "crash ($THREAD)"
	same "$(json '.fault.kind')" stack
	[ "$(json .fault.cycles)" -gt 50 ]
	in_words worker
	matches "$FIRST" "Thread crash \($THREAD\) overflowed its stack: it accessed the guard of its stack at 0x[0-9a-f]+ after .*"
}

@test "stacks of threads are guarded by markers, too, and so may be that of the first thread" {
	needs_guards
	for kind in marked-worker marked-main; do
		catches "$kind" guard certain
		same "$(json '.fault.owner')" "crash ($THREAD)"
		in_words "$kind"
		matches "$FIRST" "Thread crash \($THREAD\) overflowed its stack: it accessed the guard of its stack at 0x[0-9a-f]+ after .*"
		same "${stderr_lines[1]}" "  known    by the guard map at the time of the fault"
	done
}

@test "the limit of the first thread's stack is distinguished from a wild pointer" {
	catches main-stack main-stack-limit mappings
	in_words main-stack
	matches "$FIRST" "Thread crash \($THREAD\) overflowed its stack: it has reached its limit .*"
	[[ $stderr == *"  stack    0x"*", 1M"* ]]
}

@test "a frame that is larger than the guard is found in the stack of another thread" {
	catches jump jumped-guard certain
	in_words jump
	same "$FIRST" "Thread crash ($THREAD) overflowed its stack, past the guard, into the stack of thread crash ($ENTERED): it had a frame that is larger than the guard."
}

@test "a handler without room on the stack does not hide the overflow" {
	local guard
	guard=$(stack_guard)
	catches handled-without-stack "$guard" certain
	same "$(json '.fault.owner')" "crash ($THREAD)"
	in_words handled-without-stack
	[[ $stderr != *"handled by the program"* ]]
}

# ---- Other faults ----------------------------------------------------------

@test "whether there is a guard is certain, whatever the permissions" {
	needs_guards
	catches guard guard certain
	same "$(json .fault.address)" "$ADDRESS"
	catches guard-read-only guard certain
	same "$(json .fault.address)" "$ADDRESS"
	catches read-only no-permission certain
	in_words read-only
	[[ $stderr != *"There may be a guard"* ]]
	in_words guard
	same "$FIRST" "Thread crash ($THREAD) accessed $ADDRESS, in a guard region."
	same "${stderr_lines[1]}" "  known    by the guard map at the time of the fault"
}

@test "other faults have the verdicts of explain --core" {
	catches prot-none PROT_NONE certain
	catches unmapped unmapped certain
	catches null null-page certain
	catches bad-jump no-permission certain
	catches file-end file-end mappings 135 SIGBUS
	[ "$(uname -m)" != x86_64 ] || catches non-canonical unknown-address none
}

@test "a signal that was sent is no fault, whatever it claims" {
	catches raise sent none
	catches kill sent none
	needs_guards
	catches forge forged none
}

@test "a signal that the program ignores is no crash" {
	try guardmaps catch -o image -- sh -c "trap '' SEGV; kill -SEGV \$\$; exit 4"
	same "$status $stderr" "4 "
	[ ! -e image ]
}

@test "a program that ends itself without a fault is not explained" {
	try guardmaps catch -- "$build/tests/crash" abort
	same "$status $stderr" "134 "
	try guardmaps catch -- "$build/tests/crash" trap
	same "$status $stderr" "132 "
}

# ---- Handlers --------------------------------------------------------------

@test "faults that the program handles are counted, and nothing else is said of them" {
	try guardmaps catch -- "$build/tests/crash" not
	same "$status" 7
	same "$stderr" "6 faults handled by the program"
	try guardmaps catch -J -- "$build/tests/crash" not
	same "$status $stderr" "7 "
}

@test "a program that ends itself in a handler has died of the fault" {
	needs_guards
	for kind in handled handled-briefly; do
		catches "$kind" guard certain 134
		same "$(json .fault.address)" "$ADDRESS"
		in_words "$kind"
		[[ $stderr == *"  handler  of the program, which ended with SIGABRT in it"* ]]
		[[ $stderr != *"handled by the program"* ]]
	done
}

# ---- The command is as it would be without ------------------------------------

@test "the exit status and the streams of the command are its own" {
	try guardmaps catch -- sh -c "cat; echo error >&2; exit 42" <<<input
	same "$status $output $stderr" "42 input error"
	try guardmaps catch -- sh -c "trap : INT; kill -INT \$\$; exit 3"
	same "$status $stderr" "3 "
	try guardmaps catch true
	same "$status $output $stderr" "0  "
}

# how_it_ends COMMAND...: what waitpid() says.
how_it_ends() {
	perl -e '$ENV{X} = 1; system { $ARGV[0] } @ARGV; printf "%d %d\n", $? >> 8, $? & 127' \
		"$@" 2>/dev/null
}

@test "whoever waits sees the signal of the command" {
	for number in 1 2 3 9 10 11 13 15; do
		same "$(how_it_ends guardmaps catch -- sh -c "kill -$number \$\$")" \
			"0 $number"
	done
}

@test "the core file is that of the command, and says the same" {
	needs_guards
	# AddressSanitizer switches core files off, for its children, too.
	export ASAN_OPTIONS=${ASAN_OPTIONS-}:disable_coredump=0
	(with_core_pattern guardmaps catch -o image -- "$build/tests/crash" guard) \
		>facts 2>/dev/null || [ $? -ne 77 ] || skip_core_pattern
	find_core
	try guardmaps explain --core core --image image -n -r -o PID,VERDICT,CERTAINTY,ADDRESS
	same "$output" "$PROCESS guard certain $ADDRESS"
}

@test "signals of the terminal and of the session reach the command as ever" {
	mkfifo ready
	exec {channel}<>ready
	# A process group of its own, as a job of a shell.
	setsid env --default-signal=INT guardmaps catch -- \
		bash -c 'trap "exit 9" INT; echo $$ >ready; while :; do sleep 0.1; done' \
		>/dev/null 2>&1 3>&- &
	started_groups+=("$!")
	read -r -t "$patience" -u "$channel" _
	kill -INT "-$!"
	local result=0
	wait "$!" || result=$?
	same "$result" 9
	# SIGTERM for the catcher alone is passed on.
	guardmaps catch -- bash -c 'trap "exit 8" TERM; echo $$ >ready; while :; do sleep 0.1; done' \
		3>&- &
	started+=("$!")
	read -r -t "$patience" -u "$channel" _
	kill -TERM "$!"
	result=0
	wait "$!" || result=$?
	same "$result" 8
}

@test "a command that cannot be executed is reported like a shell does" {
	local result=0
	guardmaps catch -- nowhere 2>errors || result=$?
	same "$result" 127
	same "$(<errors)" "guardmaps: cannot execute nowhere: No such file or directory"
	try guardmaps catch -- /etc/passwd
	same "$status" 126
	same "$stderr" "guardmaps: cannot execute /etc/passwd: Permission denied"
}

@test "a command can be stopped and goes on" {
	"$build/guardmaps" catch -- sh -c 'echo $$ >pid; while [ ! -e done ]; do sleep 0.1; done; exit 6' 3>&- &
	started+=("$!")
	local catcher=$! pid result=0
	await_text pid ""
	pid=$(<pid)
	kill -STOP "$pid"
	# In a group-stop, as PTRACE_LISTEN leaves it.
	state_is "$pid" tT
	: >done
	state_is "$pid" tT
	kill -CONT "$pid"
	wait "$catcher" || result=$?
	same "$result" 6
}

# ---- Threads and processes ----------------------------------------------------

@test "threads may come and go, and the first one may end before the others" {
	local guard
	guard=$(stack_guard)
	catches after-threads "$guard" certain
	catches without-first "$guard" certain
	same "$(json '.fault.owner')" "crash ($THREAD)"
}

@test "a program that another thread executes is caught" {
	catches again null-page certain
	same "$THREAD" "$PROCESS"
}

@test "children are caught with -f, and only then" {
	needs_guards
	try guardmaps catch -J -- "$build/tests/crash" child
	same "$status $stderr" "3 "
	try guardmaps catch -f -J -- "$build/tests/crash" child
	same "$status" 3
	read_facts <(echo "$output")
	output=$stderr
	same "$(json '.fault | .verdict, .tid' | xargs)" "guard $CHILD"
	# vfork()
	try guardmaps catch --follow -J -- env "$build/tests/crash" null
	same "$status" 139
	try guardmaps catch -f -- perl -e 'system "$ARGV[0] null; true"; exit 5' \
		"$build/tests/crash"
	same "$status" 5
	matches "${stderr_lines[0]}" "Thread crash .* a null pointer.*"
}

# ---- A process that runs ------------------------------------------------------

@test "a process that runs is caught, with threads that it has and will have" {
	local guard
	guard=$(stack_guard)
	run_crash without-first
	attach
	proceed
	wait "$CATCHER"
	read_facts facts
	matches "$(sed -n 2p caught)" "Thread crash \($THREAD\) overflowed its stack: .*"
	wait_until_gone "$PROCESS"
}

# untraced PID: how many of its threads nobody traces, of those that live.
untraced() {
	cat "/proc/$1/task"/*/status 2>/dev/null | awk '
		/^State:/ { lives = $2 !~ /[ZX]/ }
		/^TracerPid:/ && $2 == 0 && lives { count++ }
		END { print count + 0 }'
}

await_traced() {
	local deadline=$((SECONDS + patience))

	until [ "$(untraced "$1")" -eq 0 ]; do
		[ "$SECONDS" -lt "$deadline" ]
	done
}

@test "threads that are started while a process is seized are traced, too" {
	run_crash never-with-threads
	for ((i = 0; i < 40; i++)); do
		attach
		await_traced "$PROCESS"
		kill -INT "$CATCHER"
		wait "$CATCHER"
	done
	proceed
	local result=0
	wait "${started[0]}" || result=$?
	same "$result" 5
}

@test "SIGINT gives a process back as it was" {
	run_crash never
	attach
	same "$(traced_by "$PROCESS")" "$CATCHER"
	same "$(traced_by "$ENTERED")" "$CATCHER"
	kill -INT "$CATCHER"
	wait "$CATCHER"
	same "$(traced_by "$PROCESS") $(traced_by "$ENTERED")" "0 0"
	proceed
	local result=0
	wait "${started[0]}" || result=$?
	same "$result" 5
}

@test "a process that is stopped stays stopped, and goes on later" {
	run_crash never
	kill -STOP "$PROCESS"
	state_is "$PROCESS" T
	attach
	state_is "$PROCESS" tT
	kill -TERM "$CATCHER"
	wait_until_gone "$CATCHER"
	state_is "$PROCESS" T
	proceed
	kill -CONT "$PROCESS"
	local result=0
	wait "${started[0]}" || result=$?
	same "$result" 5
}

@test "a process and a command outlive a catcher that is killed" {
	run_crash never
	attach
	kill -KILL "$CATCHER"
	wait "$CATCHER" || true
	same "$(traced_by "$PROCESS")" 0
	proceed
	local result=0
	wait "${started[0]}" || result=$?
	same "$result" 5

	guardmaps catch -- sh -c 'echo $$ >pid; while [ ! -e done ]; do sleep 0.1; done; echo >after' 3>&- &
	CATCHER=$!
	started+=("$CATCHER")
	await_text pid ""
	started+=("$(<pid)")
	kill -KILL "$CATCHER"
	wait "$CATCHER" || true
	same "$(traced_by "$(<pid)")" 0
	: >done
	wait_until_gone "$(<pid)"
	[ -e after ]
}

# ---- Leaving it stopped ---------------------------------------------------------

# is_for_debuggers PID: it is stopped, and no thread is traced.
is_for_debuggers() {
	local task

	state_is "$1" T
	for task in "/proc/$1/task"/*; do
		same "$(traced_by "${task##*/}")" 0
	done
}

@test "with --stop, a process is left where it faulted" {
	needs_guards
	run_crash guard
	attach --stop
	proceed
	# While a child is stopped, bash would not wait but turn in circles.
	wait_until_gone "$CATCHER"
	same "$(tail -n 1 caught)" "$PROCESS is stopped at the fault: attach to it with gdb -p $PROCESS, or let it go on with kill -CONT $PROCESS"
	read_facts facts
	matches "$(sed -n 2p caught)" "Thread crash \($PROCESS\) accessed $ADDRESS, in a guard region\."
	is_for_debuggers "$PROCESS"
	# The same access again.
	attach
	kill -CONT "$PROCESS"
	wait "$CATCHER"
	matches "$(sed -n 2p caught)" "Thread crash \($PROCESS\) accessed $ADDRESS, in a guard region\."
	local result=0
	wait "$PROCESS" || result=$?
	same "$result" 139
}

@test "with --stop, a command with threads can be debugged" {
	command -v gdb >/dev/null || skip "gdb is not installed"
	guardmaps catch --stop -- "$build/tests/crash" jump >facts 2>caught 3>&- &
	CATCHER=$!
	started+=("$CATCHER")
	await_text caught "is stopped at the fault"
	read_facts facts
	started+=("$PROCESS")
	is_for_debuggers "$PROCESS"
	gdb -batch -nx -p "$PROCESS" -ex "thread apply all backtrace" >log 2>&1
	grep -q use_large_frame log
	state_is "$PROCESS" T
	kill -KILL "$PROCESS"
	local result=0
	wait "$CATCHER" || result=$?
	same "$result" 137
}

# ---- Images -------------------------------------------------------------------

@test "the guard map at the time of the fault is saved" {
	needs_guards
	try guardmaps catch -o image -- "$build/tests/crash" guard
	read_facts <(echo "$output")
	local start
	start=$(printf '0x%x' $((ADDRESS & -4096)))
	same "$(guardmaps show -n -r -o PID,START image | grep -c "$PROCESS $start")" 1
	same "$(stat -c %a image)" 600
	# What is handled saves nothing.
	rm image
	try guardmaps catch --save image -- "$build/tests/crash" not
	same "$status" 7
	[ ! -e image ]
	try guardmaps catch -o nowhere/image -- "$build/tests/crash" guard
	same "$status" 139
	same "${stderr_lines[0]}" "guardmaps: cannot write nowhere/image: No such file or directory"
}

# ---- Refusals -----------------------------------------------------------------

@test "what cannot be traced is refused, and why" {
	refuses "no process 2147483647 (no /proc/2147483647)" \
		guardmaps catch -p 2147483647
	start_zombie
	try guardmaps catch -p "$ZOMBIE"
	same "$status" 2
	matches "$stderr" "guardmaps: $ZOMBIE \(.*\): a zombie.*"
	run_crash never
	attach
	refuses "$PROCESS (crash): cannot trace it: Operation not permitted (already being traced by $CATCHER)" \
		guardmaps catch -p "$PROCESS"
	find_kernel_thread
	refuses "2 (kthreadd): a kernel thread has no memory of its own" \
		guardmaps catch -p 2
}

@test "a process of another user is refused" {
	needs_two_users
	start_target run:1 -n secret
	refuses "$TARGET_PID (secret): cannot read /proc/$TARGET_PID/maps: Permission denied (needs the same user, or CAP_SYS_PTRACE)" \
		as_nobody guardmaps catch -p "$TARGET_PID"
	try as_nobody guardmaps catch -J -- "$build/tests/crash" null
	same "$status" 139
	output=$stderr
	same "$(json '.fault | .verdict, .certainty' | xargs)" "null-page certain"
}

@test "the id of any thread stands for its process" {
	run_crash never
	guardmaps catch -p "$ENTERED" >caught 2>&1 3>&- &
	started+=("$!")
	await_text caught "$PROCESS: waiting for a fault"
	same "$(traced_by "$PROCESS")" "$!"
}

@test "wrong usage is refused" {
	refuses "catch requires COMMAND..." guardmaps catch
	refuses "--pid cannot be used with a command" guardmaps catch -p 1 true
	refuses "invalid process id: 'x'" guardmaps catch -p x
	refuses "--exe cannot be used with catch" guardmaps catch --exe x -- true
	refuses "--stop cannot be used with maps" guardmaps maps --stop 1
	refuses "--save cannot be used with maps" guardmaps maps --save x 1
	refuses "--noheadings cannot be used with catch" \
		guardmaps catch -n -- true
}
