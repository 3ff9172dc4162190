#!/usr/bin/env bats
# SPDX-License-Identifier: LGPL-2.1-or-later
# Targets live on unchanged, with their guards, whatever is done to them, and
# whoever is killed at whatever moment.
#
# A target is a "subject" that forks, executes programs, and handles signals all
# the time, and checks its guards, data and signals itself. In each round,
# guardmaps or criu works on it. Meanwhile the target may be frozen or stopped, and
# one party may be killed. Before the next round, everything must have ended.

load ../criu/helpers

patience=60

versions=(/usr/sbin/criu /opt/criu-4.1.1/criu /opt/criu-4.3/criu)

targets=(
	"threads:2 anonymous shared-file alternate:1000 spare"
	"threads:2 anonymous mlock private-file alternate:1000 mlock spare"
	"threads:2 anonymous alternate:1000 spare mlockall"
	"threads:1 anonymous mlock alternate:1000 mlock spare userfaultfd"
)

operations=(install install install dump dump dump-running)
# Not every kernel can find out what was written.
! "$CRIU" check --feature mem_dirty_track &>/dev/null ||
	operations+=(pre-dump)

groups=(--manage-cgroups=ignore)

# Who can be killed.
declare -gA parties=(
	[install]="command worker target"
	[dump]="criu keeper target"
	[dump-running]="criu keeper target"
	[pre-dump]="criu target"
	[restore]="criu"
)

# How long each operation took when it was not disturbed, in milliseconds.
declare -gA duration=(
	[install]=50 [dump]=500 [dump-running]=500 [pre-dump]=100 [restore]=500
)

# Of what, for the report.
declare -gA count=()

# ---- Chance ----------------------------------------------------------------

# Everything is drawn in this shell, before a round begins: a subshell would draw
# numbers of its own.
#
# pick NAME WORD...: sets a variable to one of the words.
pick() {
	local variable=$1

	shift
	shift $((RANDOM % $#))
	printf -v "$variable" %s "$1"
}

# pick_time NAME MILLISECONDS: sets a variable to at most that, for sleep.
pick_time() {
	local milliseconds=$((RANDOM * ($2 + 1) / 32768))

	printf -v "$1" "%d.%03d" $((milliseconds / 1000)) $((milliseconds % 1000))
}

# The report is sorted: what was done, and what became of it.
tally() {
	count[$1]=$((${count["$1"]-0} + 1))
}

# ---- The target ------------------------------------------------------------

make_cgroup() {
	mount_here cgroup -t cgroup2 none
	cgroup=$(mktemp -d "$PWD/cgroup/guardmaps-soak-XXXXXX")
	[ -e "$cgroup/cgroup.freeze" ]
}

# Fails if one is left in the group.
remove_cgroup() {
	echo 0 >"$cgroup/cgroup.freeze"
	end_processes
	wait_for "the cgroup is empty" rmdir "$cgroup"
	unmount_all
}

show_state() {
	ps -e -o pid,ppid,stat,comm,wchan:24 | grep -E "subject|criu|guardmaps"
	tail -n 20 dump.log restore.log install.out
} >&2

teardown() {
	[ "${BATS_TEST_COMPLETED-}" = 1 ] || show_state || true
	[ ! -d "${cgroup-}" ] || remove_cgroup
}

run_in_cgroup() {
	echo "$BASHPID" >"$cgroup/cgroup.procs"
	detached "$@"
}

start_target() {
	local words

	subjects=1
	pick criu "${versions[@]}"
	pick words "${targets[@]}"
	rm -f ready.* changed.* readable.* unguarded.*
	# shellcheck disable=SC2086 # several words
	(run_in_cgroup "$programs/subject" $words prober watch churn) \
		>/dev/null 2>&1 &
	SUBJECT=$!
	wait_for "the target is ready" is_ready || return
	[ ! -e failed ] || fail "$(<failed)" || return
	target="$words, $criu"
}

is_alive() {
	kill -0 "$SUBJECT" 2>/dev/null
}

# It finds everything as it should be. Guards may be readable for a moment after criu
# died.
is_well() {
	is_alive || fail "the target is lost" || return
	rm -f verdict.0
	kill -USR1 "$SUBJECT"
	wait_for "the target gives a verdict" test -e verdict.0 || return
	same "$(<verdict.0)" ok || return
	[ ! -e changed.0 ] || fail "$(<changed.0)" || return
	[ "$status" -ne 0 ] || never_unguarded || return
	never_writable || return
	rm -f readable.0
}

# ---- What criu does by itself ----------------------------------------------

# It waits for ever for a first thread that was killed, if it traces others of that
# process. The plugin never sleeps in wait4().
end_hanging_criu() {
	[ "$killed" = target ] && grep -q do_wait "/proc/$CRIU_PID/wchan" || return
	kill -KILL "$CRIU_PID"
	tally "criu did not end after the target was killed during $1"
}

# It exits at once when a process that it has stopped gets SIGSTOP or SIGCONT, or
# leaves its parasite there.
has_died() {
	[ "$killed" = criu ] ||
		grep -qE "stopped by .* unexpectedly|Can't cure" dump.log
}

# A process that runs criu's parasite, or is about to, may not survive the death of
# criu, or keep criu's signal mask. It has guards all the same.
is_spoilt_by_criu() {
	has_died && grep -qE "parasite blob|Parasite syscall_ip" dump.log &&
		! grep -q "post-dump scripts" dump.log &&
		! grep -qs guard verdict.0 changed.0 unguarded.0 || return
	tally "target spoilt because criu was killed halfway"
	end_target
}

# ---- One operation ---------------------------------------------------------

# Sets WORK, its pid. criu must not mount control groups here, because nobody would
# unmount them when it is killed.
start_work() {
	case $1 in
	install)
		(detached "$build/guardmaps" install image "$SUBJECT") \
			>install.out 2>&1 &
		WORK=$!
		return
		;;
	dump) start_criu dump dump -t "$SUBJECT" "${groups[@]}" ;;
	dump-running) start_criu dump dump -t "$SUBJECT" --leave-running "${groups[@]}" ;;
	pre-dump) start_criu dump pre-dump -t "$SUBJECT" "${groups[@]}" ;;
	restore) start_criu restore restore -d --pidfile "$PWD/pid" "${groups[@]}" ;;
	esac
	WORK=$CRIU_PID
}

kill_party() {
	case $1 in
	command | criu) kill -KILL "$WORK" ;;
	worker) pkill -KILL -x guardmaps-work ;;
	keeper) pkill -KILL -x guardmaps-keep ;;
	target) kill -KILL "$SUBJECT" ;;
	esac 2>/dev/null
}

disturb() {
	sleep "$2"
	case $1 in
	freeze)
		echo 1 >"$cgroup/cgroup.freeze"
		sleep "$3"
		echo 0 >"$cgroup/cgroup.freeze"
		;;
	stop)
		kill -STOP "$SUBJECT"
		sleep "$3"
		kill -CONT "$SUBJECT"
		;;
	esac 2>/dev/null
}

has_ended() {
	! kill -0 "$1"
}

nobody_works() {
	! pgrep -x "guardmaps.*|criu"
}

# work OPERATION VICTIM DISTURBANCE: sets status, and killed if it was met.
work() {
	local start moment begin lasting disturber

	pick_time moment "${duration[$1]}"
	pick_time begin "${duration[$1]}"
	pick_time lasting 200
	what="$1, $3, $2 killed after $moment s"
	start=$(milliseconds)
	start_work "$1"
	disturb "$3" "$begin" "$lasting" &
	disturber=$!
	killed=""
	if [ "$2" != nobody ]; then
		sleep "$moment"
		! kill_party "$2" || killed=$2
	fi
	wait_for "it ends" has_ended "$WORK" || end_hanging_criu "$1" || return
	status=0
	wait "$WORK" || status=$?
	[ "$2$3" != nobodycalm ] || [ "$status" -ne 0 ] ||
		duration[$1]=$(($(milliseconds) - start))
	wait "$disturber" || true
	# Or it is stopped as soon as it is restored.
	kill -CONT "$SUBJECT" 2>/dev/null || true
	tally "$1"
	[ ! "$killed" ] || tally "$killed killed during $1"
}

# ---- One round -------------------------------------------------------------

# What was not installed because the command was killed, or the target was frozen, is
# installed by another command.
do_install() {
	rm -f opened.0
	"$build/guardmaps" save "$SUBJECT" image || return
	kill -HUP "$SUBJECT"
	wait_for "the target takes out guards" test -e opened.0 || return
	work install "$1" "$2" || return
	wait_for "the worker ends" nobody_works || return
	[ "$1" != target ] || return 0
	[ "$status" -ne 0 ] || return 0
	[ "$1" = command ] || [ "$2" = freeze ] ||
		fail "install failed: $(<install.out)" || return
	tally "install again"
	"$build/guardmaps" install image "$SUBJECT"
}

# criu kills the target at the end of a dump, and may be killed before it says so.
is_complete() {
	grep -qs "Dumping finished successfully" dump.log ||
		{ grep -qs "Unfreezing tasks into 2" dump.log && ! is_alive; }
}

do_dump() {
	rm -rf images dump.log
	mkdir images
	work "$@" || return
	# Children that it has left.
	[ "$killed" != criu ] || pkill -KILL -x criu || true
	wait_for "criu and the keeper end" nobody_works || return
	[ "$2" != target ] || return 0
	if [ "$1" = dump ] && is_complete; then
		wait_for "the target is dumped" has_ended "$SUBJECT" || return
		do_restore
	elif [ "$status" -ne 0 ] && [ "$killed" != criu ]; then
		[ "$3" != calm ] || ! grep "Error (guardmaps" dump.log || return
		tally "$1 refused"
	fi
}

# An id is in use as long as somebody is in its session or process group: a child that
# has outlived the target, and has another name once it executes a program.
nobody_has_its_id() {
	! ps -e -o pid=,pgid=,sid= | grep -qw "$SUBJECT" && return
	pkill -KILL -s "$SUBJECT"
	return 1
}

do_restore() {
	local victim

	pick victim nobody criu
	for i in {1..5}; do
		wait_for "nobody has the id of the target" nobody_has_its_id || return
		rm -f pid restore.log
		work restore "$victim" calm || return
		[ "$status" -ne 0 ] || break
		end_processes || return
		[ "$killed" ] || grep -qs "File exists" restore.log ||
			fail "not restored" || return
		tally "restore again"
		victim=nobody
	done
	[ "$status" -eq 0 ] || fail "not restored" || return
	SUBJECT=$(<pid)
	echo "$SUBJECT" >"$cgroup/cgroup.procs"
}

do_round() {
	local operation victim disturbance

	pick operation "${operations[@]}"
	# shellcheck disable=SC2086 # several words
	pick victim nobody nobody ${parties[$operation]}
	pick disturbance calm calm freeze stop
	# So that criu is not gone as well: see has_died().
	[ "$victim$disturbance" != keeperstop ] || disturbance=freeze
	if [ "$operation" = install ]; then
		do_install "$victim" "$disturbance" || return
	else
		do_dump "$operation" "$victim" "$disturbance" || return
	fi
	[ "$victim" = target ] || is_well || is_spoilt_by_criu
}

# ---- All of them -----------------------------------------------------------

end_target() {
	kill -KILL "$SUBJECT" 2>/dev/null || true
	wait_for "the target ends" is_gone || return
	start_target
}

list_everything() {
	ps -e -o comm=
	cat /proc/self/mounts
	find /tmp /run /dev/shm -path "$BATS_RUN_TMPDIR" -prune -o \
		! -name criu.kdat -print
}

@test "no target is lost or changed, and nothing is left" {
	local seed=${SOAK_SEED:-$SRANDOM} rounds=0 end before
	end=$(($(milliseconds) + SOAK_SECONDS * 1000))
	echo "# seed $seed" >&3
	RANDOM=$((seed % 32768))
	before=$(list_everything)
	make_cgroup
	start_target
	while [ "$(milliseconds)" -lt "$end" ]; do
		rounds=$((rounds + 1))
		[ $((rounds % 20)) -ne 0 ] || end_target
		do_round 2>errors || {
			grep -v Killed errors >&2
			fail "seed $seed, round $rounds: $what ($target)"
		}
		is_alive || start_target
	done
	kill -KILL "$SUBJECT"
	remove_cgroup
	for what in "${!count[@]}"; do
		echo "# $what: ${count[$what]}"
	done | sort >&3
	same "$(list_everything)" "$before"
}
