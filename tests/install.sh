#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Installs into a scratch directory, as a package would, and builds a program
# with the shared library, found by pkg-config, and with the static one.
#
# Usage: install.sh BUILD_DIR

set -eu

build=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

make --no-print-directory install B="$build" DESTDIR="$root" prefix=/opt/guardmaps
for file in bin/guardmaps lib/libguardmaps.so lib/libguardmaps.a \
	lib/pkgconfig/guardmaps.pc include/guardmaps.h \
	share/man/man1/guardmaps.1 share/man/man3/libguardmaps.3 \
	share/man/man5/guardmaps-image.5 share/man/man5/guardmaps_proc.5 \
	share/man/man7/guardmaps-criu.7 share/man/man7/guardmaps-gdb.7 \
	share/man/man8/guardmaps-core.8 libexec/guardmaps-core \
	libexec/guardmaps-core-record \
	lib/criu/guardmaps.so etc/gdb/gdbinit.d/guardmaps.py; do
	test -s "$root/opt/guardmaps/$file"
done
# gdb runs the command that was installed.
grep -qxF 'GUARDMAPS_COMMAND = "/opt/guardmaps/bin/guardmaps"' \
	"$root/opt/guardmaps/etc/gdb/gdbinit.d/guardmaps.py"

# Where Debian's gdb looks.
make --no-print-directory -n install B="$build" DESTDIR="$root" prefix=/usr |
	grep -qF " > \"$root/etc/gdb/gdbinit.d/guardmaps.py\""

# The same in a directory with a space in its name.
make --no-print-directory install B="$build" DESTDIR="$root/with a space" \
	prefix=/opt/guardmaps
diff -r "$root/opt" "$root/with a space/opt"

cat >"$root/program.c" <<'END'
#include <guardmaps.h>
#include <stdio.h>
#include <unistd.h>

/* A name that the library uses inside: it must not be taken over. */
int error_create(void);
int error_create(void)
{
	return 0;
}

int main(void)
{
	struct guardmaps_process *process;
	struct guardmaps_map *map;

	if (guardmaps_process_open(getpid(), NULL, &process) ||
	    guardmaps_map_read(process, GUARDMAPS_SOURCE_AUTO, &map))
		return 1;
	printf("%zu\n", guardmaps_map_region_count(map));
	guardmaps_map_destroy(map);
	guardmaps_process_close(process);
	return error_create();
}
END
export PKG_CONFIG_PATH="$root/opt/guardmaps/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root"
# shellcheck disable=SC2046 # split into words
cc -o "$root/shared" "$root/program.c" $(pkg-config --cflags --libs guardmaps)
LD_LIBRARY_PATH="$root/opt/guardmaps/lib" "$root/shared"
# shellcheck disable=SC2046 # split into words
cc -o "$root/static" "$root/program.c" -I"$root/opt/guardmaps/include" \
	"$root/opt/guardmaps/lib/libguardmaps.a" \
	$(pkg-config --static --libs-only-l guardmaps | sed 's/-lguardmaps//')
"$root/static"
# Only public names are exported.
test -z "$(nm -D --defined-only "$root/opt/guardmaps/lib/libguardmaps.so" |
	awk '$3 !~ /^(guardmaps_|GUARDMAPS_)/')"
test "$(nm -D --defined-only "$root/opt/guardmaps/lib/criu/guardmaps.so" |
	awk '{ print $3 }')" = CR_PLUGIN_DESC
# What the kernel runs at a crash needs no library but the C library.
test "$(readelf -d "$root/opt/guardmaps/libexec/guardmaps-core" |
	sed -n 's/.*(NEEDED).*\[\(.*\)\.so.*/\1/p')" = libc
# criu loads every library that the plugin is linked with.
test "$(readelf -d "$root/opt/guardmaps/lib/criu/guardmaps.so" |
	sed -n 's/.*(NEEDED).*\[\(.*\)\.so.*/\1/p' | sort | xargs)" = \
	"libc libprotobuf-c libz"

# The programs under EXAMPLES in libguardmaps(3). scdoc needs each backslash twice.
awk -v folder="$root" '
	/^# EXAMPLES/ { in_examples = 1 }
	!in_examples { next }
	/^```/ { in_code = !in_code; number += in_code; next }
	in_code { gsub(/\\\\/, "\\"); print >(folder "/example" number ".c") }
' man/libguardmaps.3.scd
for number in 1 2; do
	# shellcheck disable=SC2046 # split into words
	cc -Wall -Wextra -Werror -o "$root/example" "$root/example$number.c" \
		$(pkg-config --cflags --libs guardmaps)
	LD_LIBRARY_PATH="$root/opt/guardmaps/lib" "$root/example" >"$root/said$number"
done
diff - "$root/said2" <<'END'
page 0: 0
page 1: 0
page 2: 1
page 3: 0
END
