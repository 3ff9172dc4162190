# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Tests, fuzzers and benchmarks. SUITES names those of tests/run to run; all
# without it.

SUITES ?=
FUZZ_SECONDS ?= 5

# Tests may look into every wing.
test_flags := $(CPPFLAGS) $(call include_wings,$(wings)) -I$(B) -Itests/support
test_support := $(wildcard tests/support/*.c)
library_tests := $(patsubst tests/library/%.c,$(B)/tests/library/%, \
	$(wildcard tests/library/*.c))
criu_programs := $(patsubst tests/criu/programs/%.c,$(B)/tests/criu/%, \
	$(filter-out tests/criu/programs/greedy.c, \
	$(wildcard tests/criu/programs/*.c)))
test_programs := $(patsubst tests/programs/%.c,$(B)/tests/%, \
	$(wildcard tests/programs/*.c))
bench_support := $(wildcard bench/support/*.[ch])
bench_programs := $(patsubst bench/%.c,$(B)/bench/%,$(wildcard bench/*.c))
fuzzers := $(patsubst tests/fuzz/fuzz_%.c,$(B)/fuzz/%, \
	$(wildcard tests/fuzz/fuzz_*.c))
test_dependencies := $(test_support) $(wildcard tests/support/*.h) \
	$(B)/libguardmaps.a Makefile tests/tests.mk

tests: $(library_tests) $(test_programs) $(criu_programs) \
	$(B)/tests/criu/greedy.so $(B)/demo/threads

# With the objects, for some look behind guardmaps.h.
$(library_tests): $(B)/tests/library/%: tests/library/%.c $(test_dependencies)
	@mkdir -p $(@D)
	$(CC) $(test_flags) $(CFLAGS) $(LDFLAGS) -o $@ $< $(test_support) \
		$(library_objects) $(library_libs) -lpthread

# What is looked at is never instrumented: that would change its memory.
$(test_programs): $(B)/tests/%: tests/programs/%.c $(test_dependencies)
	@mkdir -p $(@D)
	$(CC) $(test_flags) $(filter-out -fsanitize% -fno-sanitize%,$(CFLAGS)) \
		$(LDFLAGS) -o $@ $< tests/support/target.c -lpthread

$(criu_programs): $(B)/tests/criu/%: tests/criu/programs/%.c \
		src/libguardmaps/base/kernel_abi.h tests/tests.mk
	@mkdir -p $(@D)
	$(CC) $(test_flags) $(filter-out -fsanitize% -fno-sanitize%,$(CFLAGS)) \
		$(LDFLAGS) -o $@ $< -lpthread

# Another plugin of criu's, that wants all tasks for itself.
$(B)/tests/criu/greedy.so: tests/criu/programs/greedy.c tests/tests.mk
	@mkdir -p $(@D)
	$(CC) $(test_flags) $(filter-out -fsanitize% -fno-sanitize%,$(CFLAGS)) \
		-fPIC -shared $(LDFLAGS) -o $@ $<

$(bench_programs): $(B)/bench/%: bench/%.c $(bench_support) $(test_dependencies)
	@mkdir -p $(@D)
	$(CC) $(test_flags) $(CFLAGS) $(LDFLAGS) -o $@ $< $(filter %.c,$(bench_support)) \
		$(library_objects) $(library_libs) -lm

# libFuzzer is clang's, and wants the library's own objects instrumented.
$(fuzzers): $(B)/fuzz/%: tests/fuzz/fuzz_%.c $(wildcard tests/fuzz/*.h) \
		tests/fuzz/fuzz.c $(wildcard src/libguardmaps/*/*.[ch]) \
		$(B)/guardmaps.pb-c.c
	@mkdir -p $(@D)
	clang -g -O1 -std=gnu11 $(test_flags) -Itests/fuzz \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-o $@ $< tests/fuzz/fuzz.c $(test_support) \
		$(wildcard src/libguardmaps/*/*.c) \
		$(B)/guardmaps.pb-c.c $(library_libs) -lpthread

# As far as it goes without the libraries of that architecture: to objects, and
# to the plugin, which finds them in criu's process.
cross:
	$(MAKE) --no-print-directory B=$(B)/aarch64 CC=aarch64-linux-gnu-gcc \
		CPPFLAGS="-idirafter /usr/include" CFLAGS="-O2 -Werror" \
		library_libs= $(B)/aarch64/criu-plugin/guardmaps.so

# The same again with AddressSanitizer and UBSan, in a directory of its own.
sanitizers:
	$(MAKE) --no-print-directory B=$(B)/sanitizers \
		CFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all" \
		$(B)/sanitizers/guardmaps tests

install-build-packages:
	@scripts/install-packages build

install-check-packages:
	@scripts/install-packages check

check: install-check-packages
	@$(MAKE) --no-print-directory all tests fuzzers sanitizers
	@tests/run $(B) $(SUITES)

# The kernel series, built and booted in User-Mode Linux and qemu.
check-kernel:
	@scripts/install-packages kernel
	@$(MAKE) --no-print-directory all tests
	@tests/kernel/run all $(B)

# The same tests on a kernel that checks itself; slow.
check-kernel-debug:
	@scripts/install-packages kernel
	@$(MAKE) --no-print-directory all tests
	@tests/kernel/run debug $(B)

bench-kernel:
	@scripts/install-packages kernel
	@$(MAKE) --no-print-directory all tests $(bench_programs)
	@tests/kernel/run bench $(B)

fuzzers: $(fuzzers)

fuzz: install-check-packages
	@$(MAKE) --no-print-directory fuzzers
	tests/fuzz/run.sh $(B) $(FUZZ_SECONDS)

bench:
	@scripts/install-packages bench
	@$(MAKE) --no-print-directory all tests $(bench_programs)
	@bench/run.sh $(B)

demo: install-build-packages
	@$(MAKE) --no-print-directory --silent all $(B)/demo/threads
	@demo/run $(B)

$(B)/demo/threads: demo/threads.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(call include_wings,base) $(CFLAGS) $(LDFLAGS) -o $@ $< -lpthread

.PHONY: tests check check-kernel check-kernel-debug cross fuzz fuzzers bench \
	bench-kernel demo sanitizers install-build-packages \
	install-check-packages
