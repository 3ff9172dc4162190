# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Tests, fuzzers and benchmarks. SUITES selects suites of tests/run; by default,
# all of them are run.

SUITES ?=
FUZZ_SECONDS ?= 5
SOAK_SECONDS ?= 1200
SOAK_SEED ?=
ZDTM ?= sid h
FAULTS_CRIU ?= sid

# Tests may include headers of every wing.
test_flags := $(CPPFLAGS) $(call include_wings,$(wings)) -iquote tests/support \
	-I$(B)
# Programs whose guards are read are never instrumented, because that would
# change their memory.
plain_flags := $(filter-out -fsanitize% -fno-sanitize%,$(CFLAGS))
test_headers := $(wildcard tests/support/*.h src/libguardmaps/*/*.h)
library_tests := $(patsubst tests/library/%.c,$(B)/tests/library/%, \
	$(wildcard tests/library/*.c))
criu_programs := $(patsubst tests/criu/programs/%.c,$(B)/tests/criu/%, \
	$(filter-out $(addprefix tests/criu/programs/,greedy.c failing.c), \
	$(wildcard tests/criu/programs/*.c)))
criu_subject := $(wildcard tests/criu/programs/subject/*.[ch])
test_programs := $(patsubst tests/programs/%.c,$(B)/tests/%, \
	$(filter-out tests/programs/failing.c,$(wildcard tests/programs/*.c)))
# Builds of a program for another word size and another C library, where this
# machine has what that takes.
foreign_programs := \
	$(and $(filter /%,$(shell $(CC) -print-file-name=libc.a 2>/dev/null)), \
		$(B)/tests/crash-static) \
	$(and $(wildcard $(shell $(CC) -m32 -print-libgcc-file-name 2>/dev/null)), \
		$(filter /%,$(shell $(CC) -m32 -print-file-name=crt1.o 2>/dev/null)), \
		$(B)/tests/threads-32bit) \
	$(if $(shell command -v musl-gcc),$(B)/tests/threads-musl \
		$(B)/tests/crash-musl)
foreign_flags := -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Werror -pthread
demo_programs := $(patsubst demo/%.c,$(B)/demo/%,$(wildcard demo/*.c))
bench_support := $(wildcard bench/support/*.[ch])
bench_programs := $(patsubst bench/%.c,$(B)/bench/%,$(wildcard bench/*.c))
fuzzers := $(patsubst tests/fuzz/fuzz_%.c,$(B)/fuzz/%, \
	$(wildcard tests/fuzz/fuzz_*.c))
# The objects of tests/support: each program links those that it uses. The ones
# that build layouts are compiled again for programs whose guards are read.
test_support := $(B)/tests/support.a
layout_support := $(B)/tests/layouts.a
support_objects := $(patsubst tests/%.c,$(B)/obj/tests/%.o, \
	$(wildcard tests/support/*.c))
layout_objects := $(patsubst %,$(B)/obj/tests/layouts/%.o, \
	builder layout layout_threads pid target)

tests: $(library_tests) $(test_programs) $(foreign_programs) $(criu_programs) \
	$(B)/tests/failing.so $(B)/tests/faults.so $(B)/tests/criu/subject \
	$(B)/tests/criu/greedy.so $(B)/tests/criu/failing.so $(demo_programs)

$(B)/obj/tests/support/%.o: tests/support/%.c Makefile tests/tests.mk
	@mkdir -p $(@D)
	$(CC) $(test_flags) $(CFLAGS) -MMD -c -o $@ $<

$(B)/obj/tests/layouts/%.o: tests/support/%.c Makefile tests/tests.mk
	@mkdir -p $(@D)
	$(CC) $(test_flags) $(plain_flags) -MMD -c -o $@ $<

$(test_support): $(support_objects)
$(layout_support): $(layout_objects)
$(test_support) $(layout_support):
	@mkdir -p $(@D)
	rm -f $@
	$(AR) rcs $@ $^

# Linked with the objects because some tests use private headers. The tests for
# aarch64 are not among this machine's tests.
$(library_tests) $(B)/tests/aarch64/calls $(B)/tests/aarch64/cores: $(B)/tests/%: tests/%.c $(test_headers) \
		$(test_support) $(library_objects) Makefile tests/tests.mk
	@mkdir -p $(@D)
	$(CC) $(test_flags) $(CFLAGS) $(LDFLAGS) -o $@ $< $(test_support) \
		$(library_objects) $(library_libs) -lpthread

$(test_programs): $(B)/tests/%: tests/programs/%.c $(test_headers) \
		$(layout_support) Makefile tests/tests.mk
	@mkdir -p $(@D)
	$(CC) $(test_flags) $(plain_flags) $(LDFLAGS) -o $@ $< \
		$(layout_support) -lpthread

$(criu_programs): $(B)/tests/criu/%: tests/criu/programs/%.c $(test_headers) \
		tests/tests.mk
	@mkdir -p $(@D)
	$(CC) $(test_flags) $(plain_flags) $(LDFLAGS) -o $@ $< -lpthread

$(B)/tests/criu/subject: $(criu_subject) $(test_headers) tests/tests.mk
	@mkdir -p $(@D)
	$(CC) $(test_flags) $(plain_flags) $(LDFLAGS) -o $@ \
		$(filter %.c,$(criu_subject)) -lpthread

$(B)/tests/threads-32bit: tests/programs/foreign/threads.c tests/tests.mk
	@mkdir -p $(@D)
	$(CC) -m32 $(foreign_flags) \
		-idirafter /usr/include/$(shell $(CC) -print-multiarch) -o $@ $<

$(B)/tests/threads-musl: tests/programs/foreign/threads.c tests/tests.mk
	@mkdir -p $(@D)
	musl-gcc $(foreign_flags) -o $@ $<

$(B)/tests/crash-static: tests/programs/crash.c $(test_headers) tests/tests.mk
	@mkdir -p $(@D)
	$(CC) -static $(foreign_flags) $(call include_wings,base) -o $@ $<

# It has no headers of the kernel.
$(B)/tests/crash-musl: tests/programs/crash.c $(test_headers) tests/tests.mk
	@mkdir -p $(@D)
	musl-gcc $(foreign_flags) $(call include_wings,base) \
		-idirafter /usr/include \
		-idirafter /usr/include/$(shell $(CC) -print-multiarch) -o $@ $<

# To be preloaded.
$(B)/tests/failing.so: tests/programs/failing.c tests/tests.mk
	@mkdir -p $(@D)
	$(CC) $(test_flags) $(plain_flags) -fPIC -shared $(LDFLAGS) -o $@ $<

$(B)/tests/faults.so: $(wildcard tests/faults/*.[ch]) tests/tests.mk
	@mkdir -p $(@D)
	$(CC) $(test_flags) $(plain_flags) -fPIC -shared $(LDFLAGS) -o $@ \
		$(filter %.c,$^)

# Another plugin for criu, which claims all tasks for itself, and a library to
# preload.
$(B)/tests/criu/%.so: tests/criu/programs/%.c tests/tests.mk
	@mkdir -p $(@D)
	$(CC) $(test_flags) $(plain_flags) -fPIC -shared $(LDFLAGS) -o $@ $<

$(bench_programs): $(B)/bench/%: bench/%.c $(bench_support) $(library_objects) \
		Makefile tests/tests.mk
	@mkdir -p $(@D)
	$(CC) $(test_flags) $(CFLAGS) $(LDFLAGS) -o $@ $< $(filter %.c,$(bench_support)) \
		$(library_objects) $(library_libs) -lm

fuzz_support := $(patsubst %,tests/support/%.c,check files guard_maps recorded)

# libFuzzer is part of clang, and needs the library's own objects instrumented.
$(fuzzers): $(B)/fuzz/%: tests/fuzz/fuzz_%.c $(wildcard tests/fuzz/*.h) \
		tests/fuzz/fuzz.c $(fuzz_support) \
		$(wildcard src/libguardmaps/*/*.[ch]) \
		$(B)/guardmaps.pb-c.c
	@mkdir -p $(@D)
	clang -g -O1 -std=gnu11 $(test_flags) -Itests/fuzz \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-o $@ $< tests/fuzz/fuzz.c $(fuzz_support) \
		$(wildcard src/libguardmaps/*/*.c) \
		$(B)/guardmaps.pb-c.c $(library_libs) -lpthread

# Builds what can be built without the libraries of that architecture: the
# objects, and the plugin, which finds the libraries in criu's process.
cross:
	$(MAKE) --no-print-directory B=$(B)/aarch64 CC=aarch64-linux-gnu-gcc \
		CPPFLAGS="-idirafter /usr/include" CFLAGS="-O2 -Werror" \
		plugin_libs= $(B)/aarch64/criu-plugin/guardmaps.so

# The command and the tests with AddressSanitizer and UBSan, in a directory of
# their own.
sanitizers:
	$(MAKE) --no-print-directory B=$(B)/sanitizers \
		CFLAGS="-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all" \
		$(B)/sanitizers/guardmaps tests

install-build-packages:
	@scripts/install-packages build

install-check-packages:
	@scripts/install-packages check

# Runs as any user, with the tools that are installed.
test:
	@$(MAKE) --no-print-directory all tests
	@tests/run $(B) library command documents install runner

check: install-check-packages
	@$(MAKE) --no-print-directory all tests fuzzers sanitizers
	@tests/run $(B) $(SUITES)

# Every system call and every allocation fails once; an hour or so. FAULTS_CRIU
# selects the criu for those of the plugin.
faults: install-check-packages
	@$(MAKE) --no-print-directory all tests
	@FAULTS_SHARE=1 FAULTS_CRIU=$(FAULTS_CRIU) tests/run $(B) faults

# The kernel series, built and booted in User-Mode Linux and qemu.
check-kernel:
	@scripts/install-packages kernel
	@$(MAKE) --no-print-directory all tests
	@tests/kernel/run all $(B)

# The same tests on a kernel with its debugging checks enabled; slow.
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

# Kills at random moments, for that long; with the order of an earlier run, if its
# seed is given.
soak: install-check-packages
	@$(MAKE) --no-print-directory all tests
	@SOAK_SECONDS=$(SOAK_SECONDS) SOAK_SEED=$(SOAK_SEED) tests/run $(B) soak

# CRIU's own tests with the plugin; those that fail, without it too. ZDTM selects
# the version of criu, and more.
zdtm: install-check-packages
	@$(MAKE) --no-print-directory $(plugin)
	@tests/zdtm/run $(B) $(ZDTM)

bench:
	@scripts/install-packages bench
	@$(MAKE) --no-print-directory all tests $(bench_programs)
	@bench/run.sh $(B)

demo: install-build-packages
	@$(MAKE) --no-print-directory --silent all $(demo_programs)
	@demo/run $(B)

$(demo_programs): $(B)/demo/%: demo/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(call include_wings,base) $(CFLAGS) $(LDFLAGS) -o $@ $< -lpthread

.PHONY: tests test check faults check-kernel check-kernel-debug cross fuzz fuzzers soak \
	zdtm bench bench-kernel demo sanitizers install-build-packages \
	install-check-packages
