# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Shared by the scripts that let calls fail. Each prints TAP, with a test for each
# failure.
#
# FAULTS_SHARE is N to choose one in N failures, by a number made of the failure
# and FAULTS_SEED. FAULTS_ONLY is a regular expression for failures.

share=${FAULTS_SHARE:-1}
only=${FAULTS_ONLY:-.}
seed=${FAULTS_SEED:-1}

# How long a command may take, and processes that it leaves may.
patience=60

# read_log FILE WORD: what the shim wrote after this word in each line.
read_log() {
	tail -c +5 "$1" | tr -d '\0' | sed -n "s/^$2 //p"
}

# choose_faults NAME: from standard input.
choose_faults() {
	grep -E "$only" | awk -v name="$1" -v seed="$seed" -v share="$share" '
		BEGIN {
			for (i = 1; i < 256; i++)
				code[sprintf("%c", i)] = i
		}
		{
			text = name " " $0
			hash = seed
			for (i = 1; i <= length(text); i++)
				hash = (hash * 31 + code[substr(text, i, 1)]) % 2147483647
			if (hash % share == 0)
				print
		}'
}

# has_ended PID
has_ended() {
	local state

	{ read -r state <"/proc/$1/stat"; } 2>/dev/null || return 0
	state=${state##*) }
	[[ $state == [ZX]* ]]
}

# all_ended LOG: the processes in the log have ended, or do so soon.
all_ended() {
	local pid deadline=$((SECONDS + patience))

	for pid in $(read_log "$1" pid); do
		until has_ended "$pid"; do
			if [ "$SECONDS" -gt "$deadline" ]; then
				why "process $pid was left: $(tr '\0' ' ' <"/proc/$pid/cmdline") $(<"/proc/$pid/comm")"
				return 1
			fi
			sleep 0.01
		done
	done
}

# The first reason counts.
why() {
	[ "$reason" ] || reason=$*
}

# verdict NAME: of the test that has just been made.
verdict() {
	if [ ! "$reason" ]; then
		echo "ok - $1"
		return
	fi
	echo "not ok - $1"
	echo "# $reason"
	failures=$((failures + 1))
}

# wanted NAME: whether it has one of the words.
wanted() {
	local word

	[ "${#words[@]}" -gt 0 ] || return 0
	for word in "${words[@]}"; do
		[[ $1 == *$word* ]] && return
	done
	return 1
}
