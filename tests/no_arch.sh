#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# In a copy of the sources that knows none of the architectures of remote/arch.h,
# the library and the plugin still build: arch_none.h meets the same contract.
#
# Usage: no_arch.sh

set -eu

cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r Makefile proto src criu-plugin "$copy"
mkdir "$copy/tests"
cp tests/tests.mk "$copy/tests"
cd "$copy"
sed -i 's/defined(__[a-z0-9_]*__)/0/' src/libguardmaps/remote/arch.h
make --no-print-directory -s B=build CFLAGS='-O1 -Werror' \
	build/criu-plugin/guardmaps.so
strings -a build/criu-plugin/guardmaps.so | grep -q 'architecture is not supported'
