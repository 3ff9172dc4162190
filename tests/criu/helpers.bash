# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Shared by the tests of the CRIU plugin. A test starts a subject, notes its state,
# dumps and restores it, and compares. To be run by the script "run": the tests
# mount file systems and kill processes by name, so they need a root and a pid
# namespace of their own.
#
# CRIU is the criu to test, GUARDMAPS_BUILD the build directory.

bats_require_minimum_version 1.5.0

build=${GUARDMAPS_BUILD:?}
programs=$build/tests/criu
: "${CRIU:?}"

# How long short operations may take, in seconds.
patience=60

# How long criu may take, in seconds.
criu_patience=120

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir images
	criu=$CRIU
	# How criu is called: its plugins, variables, and a wrapper.
	plugin=(-L "$build/criu-plugin")
	settings=()
	wrapper=()
	mounts=()
	subjects=0
	started=""
}

teardown() {
	[ "${BATS_TEST_COMPLETED-}" = 1 ] || show_logs
	end_processes
	unmount_all
}

# ---- Waiting ---------------------------------------------------------------

milliseconds() {
	local now=${EPOCHREALTIME//[.,]/}

	echo $((now / 1000))
}

# poll MILLISECONDS WHAT COMMAND...: until the command succeeds. On failure, show
# its last output.
poll() {
	local deadline=$(($(milliseconds) + $1)) what=$2

	shift 2
	until "$@" &>said; do
		if [ "$(milliseconds)" -gt "$deadline" ]; then
			head -n 12 said >&2
			echo "not in time: $what" >&2
			return 1
		fi
		sleep 0.01
	done
}

# stays MILLISECONDS WHAT COMMAND...: the command succeeds all the time.
stays() {
	local deadline=$(($(milliseconds) + $1)) what=$2

	shift 2
	while [ "$(milliseconds)" -lt "$deadline" ]; do
		if ! "$@" &>said; then
			head -n 12 said >&2
			echo "no longer: $what" >&2
			return 1
		fi
	done
}

# wait_for WHAT COMMAND...
wait_for() {
	poll $((patience * 1000)) "$@"
}

# ---- Processes -------------------------------------------------------------

# Run in a session of its own, without the open files of the test runner: a child
# of a test must not hold the runner's pipes, and CRIU cannot dump them.
detached() {
	local path

	for path in /proc/self/fd/*; do
		[ "${path##*/}" -le 2 ] || eval "exec ${path##*/}>&-"
	done
	exec setsid "$@" </dev/null
}

# start_subject WORD...: start it and wait until it is ready. Sets subjects, the
# number of its processes, and SUBJECT, the pid of the first.
start_subject() {
	start_subject_by "" "$@"
}

start_subject_by() {
	local runner=$1

	shift
	subjects=1
	[[ " $* " != *" children "* ]] || subjects=4
	rm -f ready.* layout.* verdict.* readable.* unguarded.* failed
	# shellcheck disable=SC2086 # several words
	(detached $runner "$programs/subject" "$@") >/dev/null 2>&1 &
	started=$!
	wait_for "the subject is ready" is_ready "$@" || return
	[ ! -e failed ] || fail "$(<failed)" || return
	SUBJECT=$(pid_of 0)
}

is_ready() {
	local i

	[ ! -e failed ] || return 0
	for ((i = 0; i < subjects; i++)); do
		[ -e "ready.$i" ] || return
	done
	[[ " $* " != *" stopped "* ]] || is_stopped
}

# pid_of NUMBER: of one process of the subject. Fails if that has exited.
pid_of() {
	pgrep -x -r R,S,D,T,t "subject-$1"
}

count_living() {
	pgrep -c -x -r R,S,D,T,t "subject-." || true
}

is_stopped() {
	[ "$(pgrep -c -x -r T "subject-.")" -eq "$subjects" ]
}

is_gone() {
	! pgrep -x "subject-." >/dev/null
}

# A dumped or killed subject is still this shell's child.
reap_subject() {
	wait "$started" 2>/dev/null || true
}

wait_until_gone() {
	reap_subject
	wait_for "the dumped processes are gone" is_gone
}

no_keeper() {
	! pgrep -x "guardmaps.*" >/dev/null
}

# Only the tests run in this pid namespace.
end_processes() {
	wait_for "all processes end" kill_processes
}

kill_processes() {
	local pids

	pids=$(pgrep -x "subject-.|criu|unshare|guardmaps.*") || return 0
	# shellcheck disable=SC2086 # one word each
	kill -KILL $pids 2>/dev/null || true
	reap_subject
	return 1
}

# ---- Mounts ----------------------------------------------------------------

# mount_here DIR ARGUMENT...
mount_here() {
	local dir=$1

	shift
	mkdir -p "$dir"
	mount "$@" "$dir"
	mounts+=("$dir")
}

unmount_all() {
	local dir

	for dir in "${mounts[@]}"; do
		umount -l "$dir"
	done
	mounts=()
}

# ---- CRIU ------------------------------------------------------------------

# call_criu LOG ARGUMENT...: sets status. The log is LOG.log. setup() has variables
# by which a test can change the call.
call_criu() {
	local log=$1

	shift
	status=0
	(detached timeout -k 5 "$criu_patience" env "${settings[@]}" \
		"${wrapper[@]}" "$criu" "$@" "${plugin[@]}" -D images -W . \
		-v4 -o "$log.log") >"$log.out" 2>&1 || status=$?
}

# start_criu LOG ARGUMENT...: in the background. Sets CRIU_PID.
start_criu() {
	local log=$1

	shift
	(detached env "${settings[@]}" "$criu" "$@" "${plugin[@]}" -D images \
		-W . -v4 -o "$log.log") >"$log.out" 2>&1 &
	CRIU_PID=$!
}

# try_dump OPTION...: sets status.
try_dump() {
	call_criu dump dump -t "$SUBJECT" "$@"
}

try_restore() {
	rm -f pid
	call_criu restore restore -d --pidfile "$PWD/pid" "$@"
	[ ! -s pid ] || SUBJECT=$(<pid)
}

# Dump the subject, and wait until it is gone.
dump() {
	try_dump "$@"
	same "dump $status" "dump 0"
	wait_until_gone
	check_images
}

# Dump the subject, and leave it running.
dump_running() {
	try_dump --leave-running "$@"
	same "dump $status" "dump 0"
	check_images
}

# One for each process.
check_images() {
	local count

	[ "${#plugin[@]}" -gt 0 ] || return 0
	count=$(find images -name 'guardmaps-*.img' | wc -l)
	same "$count images" "$subjects images"
}

has_no_images() {
	! compgen -G "images/guardmaps-*.img"
}

# Dump a subject that has no guards.
dump_without_images() {
	try_dump "$@"
	same "dump $status" "dump 0"
	wait_until_gone
	has_no_images
}

restore() {
	try_restore "$@"
	same "restore $status" "restore 0"
}

# refuses_to_restore REASON OPTION...: the log has the reason, and nothing is left.
refuses_to_restore() {
	local reason=$1

	shift
	try_restore "$@"
	[ "$status" -ne 0 ] || fail "restored, rc 0"
	logs restore "$reason"
	wait_for "what was restored is killed" is_gone
}

# logs LOG PATTERN: criu's log has such a line of the plugin.
logs() {
	grep -Eiq "guardmaps.*$2" "$1.log" ||
		fail "no line of guardmaps in $1.log with: $2"
}

show_logs() {
	local log

	for log in *.out *.log; do
		[ -s "$log" ] || continue
		echo "---- $log"
		grep -Ei "error|warn|guardmaps|greedy" "$log" |
			grep -Ev "rlimit|mnt_id" | tail -n 40
	done >&2
	cat failed verdict.* readable.* unguarded.* 2>/dev/null >&2 || true
}

# ---- What must be the same -------------------------------------------------

# Note the state of each process.
note_state() {
	local i

	for ((i = 0; i < subjects; i++)); do
		"$programs/state" "$(pid_of "$i")" "layout.$i" >"before.$i"
	done
	grep -q '^guard' before.*
}

# Memory must be the same at once; threads may take a moment to settle.
same_state() {
	local i

	for ((i = 0; i < subjects; i++)); do
		same_memory "$i" || return
		poll 5000 "threads of process $i are as they were" \
			same_threads "$i" || return
	done
}

same_memory() {
	"$programs/state" "$(pid_of "$1")" "layout.$1" >"after.$1" || return
	diff -u <(grep -v '^thread' "before.$1") \
		<(grep -v '^thread' "after.$1") | head -n 40 >&2
	[ "${PIPESTATUS[0]}" -eq 0 ] || fail "the memory of process $1 is different"
}

same_threads() {
	diff -u <(grep '^thread' "before.$1") \
		<("$programs/state" "$(pid_of "$1")" | grep '^thread')
}

# verdicts_are_ok [SIGNAL]: each process finds its guards and pages as expected.
verdicts_are_ok() {
	local i

	for ((i = 0; i < subjects; i++)); do
		rm -f "verdict.$i"
		kill -"${1:-USR1}" "$(pid_of "$i")" || return
		wait_for "process $i gives a verdict" test -e "verdict.$i" ||
			return
		same "$(<"verdict.$i")" ok || return
	done
}

# With the word "prober".
never_writable() {
	! compgen -G "unguarded.*" >/dev/null || fail "$(cat unguarded.*)"
}

never_unguarded() {
	never_writable || return
	! compgen -G "readable.*" >/dev/null || fail "$(cat readable.*)"
}

is_as_before() {
	same_state && verdicts_are_ok && never_unguarded
}

# keeps WORD...: a subject is the same after a dump and a restore.
keeps() {
	start_subject "$@"
	note_state
	dump
	restore
	is_as_before
}

# ---- Saying ----------------------------------------------------------------

fail() {
	echo "$*" >&2
	return 1
}

# same ACTUAL EXPECTED: shows what differs.
same() {
	[ "$1" = "$2" ] || {
		diff -u --label actual --label expected \
			<(printf '%s\n' "$1") <(printf '%s\n' "$2") >&2
		return 1
	}
}
