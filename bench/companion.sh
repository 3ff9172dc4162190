#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Measures guardmaps-core for bench/run.sh, with cores of this machine's kernel. Prints
# lines of a word and numbers:
#
#   core WITH WITHOUT    ms from the start of a process to the end of its dump, of a
#                        core of 1 GiB that the next program throws away: the best of
#                        several pairs
#   store CRASHES MIB    what is stored of 100 crashes after a deep recursion
#
# Exits with 77 if this user may not do that.
#
# Usage: companion.sh BUILD_DIR

set -eu

PAIRS=5
CRASHES=100

build=$1
pattern=/proc/sys/kernel/core_pattern
# As in tests/command/helpers.bash.
lock=/run/lock/guardmaps-core-pattern
[ -w "$pattern" ] || exit 77

folder=$(mktemp -d /tmp/gm.XXXXXX)
chmod 755 "$folder"
cd "$folder"
exec 9>>"$lock"
flock -x 9
[ -s "$lock" ] || cat "$pattern" >"$lock"

clean_up() {
	cat "$lock" >"$pattern"
	: >"$lock"
	rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

cp "$build/guardmaps-core" "$build/tests/dump" "$build/tests/crash" .
cat >guardmaps-core-record <<END
#!/bin/sh
exec $build/guardmaps-core-record --store $folder/store "\$@"
END
cat >next <<END
#!/bin/sh
exec cat >/dev/null
END
chmod 755 guardmaps-core-record next

# crash_time PATTERN: of a core of 1 GiB, in us
crash_time() {
	local start
	echo "$1" >"$pattern"
	start=${EPOCHREALTIME/./}
	./dump 0 0 $((1 << 30)) 2>/dev/null || true
	echo $((${EPOCHREALTIME/./} - start))
}

bare="|$folder/next"
ours="|$folder/guardmaps-core %P %I -- |$folder/next"
for ((i = 0; i < PAIRS; i++)); do
	crash_time "$ours"
	crash_time "$bare"
done 2>/dev/null | awk '
	{ side = NR % 2; if (!best[side] || $1 < best[side]) best[side] = $1 }
	END { printf "core %.1f %.1f\n", best[1] / 1000, best[0] / 1000 }'

echo "$ours" >"$pattern"
for ((i = 0; i < CRASHES; i++)); do
	./crash main-stack >/dev/null 2>&1 || true
done 2>/dev/null
echo "store $(ls store | wc -l) $(du -s -B 1M store | cut -f 1)"
