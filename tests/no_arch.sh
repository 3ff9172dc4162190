#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Builds the library and the plugin from a copy of the sources without any of
# the architectures in remote/arch.h: arch_none.h must meet the same contract.
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
