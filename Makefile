# SPDX-License-Identifier: LGPL-2.1-or-later
#
# make            the library, the command and the CRIU plugin, in build/
# make install    install them under DESTDIR and prefix, the plugin in plugindir,
#                 the commands for gdb in gdbinitdir
# make demo       install missing packages, build, show the guards of a process
#                 and why another one crashed
# make test       build, run the tests that need no privileges; for packagers
# make check      install missing packages, build, run all tests
# make check-kernel        the same for the kernel series, in virtual machines
# make check-kernel-debug  the same on a kernel with KASAN, lockdep, DEBUG_VM
# make bench      install missing packages, build, print the figures
# make bench-kernel        the same for the kernel series
# make fuzz       fuzz the readers for FUZZ_SECONDS each
#
# Plain make, make test and make install never install packages.

# No other file states the version.
version := 0.1.0
# Raise this when programs linked with an earlier library would no longer run:
# see tests/abi.sh.
soversion := 1

prefix ?= /usr/local
bindir ?= $(prefix)/bin
libdir ?= $(prefix)/lib
libexecdir ?= $(prefix)/libexec
includedir ?= $(prefix)/include
mandir ?= $(prefix)/share/man
# By default, criu looks only in /usr/lib/criu: see guardmaps-criu(7).
plugindir ?= $(libdir)/criu
# Debian's gdb loads what is in /etc/gdb/gdbinit.d: see guardmaps-gdb(7).
sysconfdir ?= $(if $(filter /usr /usr/local,$(prefix)),/etc,$(prefix)/etc)
gdbinitdir ?= $(sysconfdir)/gdb/gdbinit.d

B ?= build
# The same whether it is given as a relative or an absolute path, because the files
# of dependencies name their targets by it.
override B := $(subst $(CURDIR)/,,$(B))
ifneq ($(words $(B)),1)
$(error B=$(B): make cannot build into a folder with a space in its name)
endif
CC ?= cc
OBJCOPY ?= objcopy
CFLAGS ?= -O2 -g
warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Werror=switch
override CFLAGS += -std=gnu11 $(warnings) -fvisibility=hidden
override CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	-Isrc/libguardmaps/include -DGUARDMAPS_VERSION='"$(version)"'
plugin_libs := -lprotobuf-c -lz
library_libs := $(plugin_libs) -lzstd -ldw -lelf
command_libs := -lcap -lelf

# The library's wings, and which of them each may include. An include of a wing
# that is not listed does not compile.
wings := base map stack proc remote core unwind live
base_uses := base
map_uses := base map
stack_uses := base map stack
proc_uses := base map stack proc
remote_uses := base map proc remote
core_uses := base map stack core
unwind_uses := base map stack core unwind
live_uses := base map stack proc core live
plugin_uses := base remote
# The wings linked into the plugin. criu loads every library that they need.
plugin_wings := base map stack proc remote
include_wings = $(addprefix -iquote src/libguardmaps/,$1)
wing_objects = $(patsubst src/%.c,$(B)/obj/%.o, \
	$(wildcard $(addsuffix /*.c,$(addprefix src/libguardmaps/,$1)))) \
	$(B)/obj/guardmaps.pb-c.o

library_objects := $(call wing_objects,$(wings))
objects_in = $(patsubst src/%.c,$(B)/obj/%.o,$(wildcard src/$1/*.c))
store_objects := $(call objects_in,store)
command_objects := $(call objects_in,guardmaps) $(store_objects)
helper_objects := $(call objects_in,guardmaps-core)
# It names a recursion as the command does.
recorder_objects := $(call objects_in,guardmaps-core-record) $(store_objects) \
	$(B)/obj/guardmaps/backtrace.o $(B)/obj/guardmaps/text.o
plugin_objects := $(patsubst %.c,$(B)/obj/%.o,$(wildcard criu-plugin/*.c)) \
	$(call wing_objects,$(plugin_wings))
plugin := $(B)/criu-plugin/guardmaps.so
soname := libguardmaps.so.$(soversion)
man_pages := $(patsubst man/%.scd,$(B)/man/%,$(wildcard man/*.scd))

all: $(B)/guardmaps $(B)/guardmaps-core $(B)/guardmaps-core-record $(B)/libguardmaps.a $(B)/$(soname) $(plugin) man

include tests/tests.mk

$(B)/guardmaps.pb-c.c $(B)/guardmaps.pb-c.h &: proto/guardmaps.proto
	@mkdir -p $(B)
	protoc-c --proto_path=proto --c_out=$(B) guardmaps.proto

# Without link-time optimization: with it, the linker does not read the object's
# own symbol table, in which names are made local for libguardmaps.a.
library_cflags = $(CFLAGS) -fPIC -fno-lto

# $(*D) is the wing: base for base/error.c.
$(B)/obj/libguardmaps/%.o: src/libguardmaps/%.c Makefile | $(B)/guardmaps.pb-c.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(call include_wings,$($(*D)_uses)) $(library_cflags) \
		-MMD -MP -c -o $@ $<

$(B)/obj/libguardmaps/map/image_%code.o: override CPPFLAGS += -I$(B)

$(B)/obj/guardmaps.pb-c.o: $(B)/guardmaps.pb-c.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(library_cflags) -c -o $@ $<

# The programs. What they share is in store/.
$(B)/obj/guardmaps/%.o: override CPPFLAGS += -iquote src/store
$(B)/obj/guardmaps-core-record/%.o: override CPPFLAGS += -iquote src/store \
	-iquote src/guardmaps

$(B)/obj/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# One object in which only the names in guardmaps.h are global, because a
# program that links with the static library may have an error_create() of its
# own.
$(B)/libguardmaps.a: $(library_objects)
	$(CC) -r -nostdlib -o $(B)/libguardmaps.o $^
	$(OBJCOPY) --localize-hidden $(B)/libguardmaps.o
	rm -f $@
	$(AR) rcs $@ $(B)/libguardmaps.o

# Named after the soversion, so that it is made again when that changes.
version_script := $(B)/libguardmaps-$(soversion).map

$(version_script): src/libguardmaps/libguardmaps.map.in
	@mkdir -p $(@D)
	sed 's|@node@|GUARDMAPS_$(soversion)|' $< > $@

$(B)/$(soname): $(library_objects) $(version_script)
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,$(soname) -Wl,-z,defs \
		-Wl,--version-script,$(version_script) \
		-o $@ $(library_objects) $(library_libs)

$(B)/guardmaps: $(command_objects) $(B)/libguardmaps.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(command_libs) $(library_libs)

# What must not fail needs no library.
$(B)/guardmaps-core: $(helper_objects)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(B)/guardmaps-core-record: $(recorder_objects) $(B)/libguardmaps.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(library_libs)

$(B)/obj/criu-plugin/%.o: criu-plugin/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(call include_wings,$(plugin_uses)) $(CFLAGS) -fPIC \
		-MMD -MP -c -o $@ $<

# Contains the wings that it needs, and exports only its descriptor, because
# criu has some two thousand names of its own. The functions of criu that it
# calls are resolved when criu loads it.
$(plugin): $(plugin_objects)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-Bsymbolic \
		-Wl,--exclude-libs,ALL -Wl,--version-script,criu-plugin/plugin.map \
		-o $@ $^ $(plugin_libs)

man: $(man_pages)

$(B)/man/%: man/%.scd
	@mkdir -p $(@D)
	scdoc < $< > $@

# The columns and options come from the command's sources.
$(B)/man/guardmaps.1: $(B)/guardmaps.1.scd
	@mkdir -p $(@D)
	scdoc < $< > $@

$(B)/guardmaps.1.scd: man/guardmaps.1.scd scripts/manual.awk \
		$(wildcard src/guardmaps/*.c)
	@mkdir -p $(@D)
	LC_ALL=C awk -f scripts/manual.awk $(filter %.c,$^) $< > $@

install: all
	install -d "$(DESTDIR)$(bindir)" "$(DESTDIR)$(libdir)/pkgconfig" \
		"$(DESTDIR)$(libexecdir)" \
		"$(DESTDIR)$(plugindir)" "$(DESTDIR)$(includedir)" \
		"$(DESTDIR)$(gdbinitdir)" \
		"$(DESTDIR)$(mandir)"/man1 "$(DESTDIR)$(mandir)"/man3 \
		"$(DESTDIR)$(mandir)"/man5 "$(DESTDIR)$(mandir)"/man7 \
		"$(DESTDIR)$(mandir)"/man8
	install -m 755 $(B)/guardmaps "$(DESTDIR)$(bindir)"
	install -m 755 $(B)/guardmaps-core $(B)/guardmaps-core-record \
		"$(DESTDIR)$(libexecdir)"
	install -m 755 $(B)/$(soname) "$(DESTDIR)$(libdir)"
	ln -sf $(soname) "$(DESTDIR)$(libdir)/libguardmaps.so"
	install -m 644 $(B)/libguardmaps.a "$(DESTDIR)$(libdir)"
	install -m 755 $(plugin) "$(DESTDIR)$(plugindir)"
	sed -e 's|@prefix@|$(prefix)|; s|@libdir@|$(libdir)|' \
		-e 's|@includedir@|$(includedir)|; s|@version@|$(version)|' \
		src/libguardmaps/guardmaps.pc.in \
		> "$(DESTDIR)$(libdir)/pkgconfig/guardmaps.pc"
	chmod 644 "$(DESTDIR)$(libdir)/pkgconfig/guardmaps.pc"
	sed 's|^GUARDMAPS_COMMAND = .*|GUARDMAPS_COMMAND = "$(bindir)/guardmaps"|' \
		gdb/guardmaps.py > "$(DESTDIR)$(gdbinitdir)/guardmaps.py"
	chmod 644 "$(DESTDIR)$(gdbinitdir)/guardmaps.py"
	install -m 644 src/libguardmaps/include/guardmaps.h \
		"$(DESTDIR)$(includedir)"
	for page in $(man_pages); do \
		install -m 644 $$page "$(DESTDIR)$(mandir)/man$${page##*.}"; \
	done

clean:
	rm -rf $(B)

.PHONY: all man install clean
.DELETE_ON_ERROR:

-include $(wildcard $(B)/obj/*/*.d $(B)/obj/*/*/*.d)
