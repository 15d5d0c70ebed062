# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# kvmtrace. "make help" lists the targets. Everything made goes to build/.

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build

CC      ?= gcc
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
V       ?= 0
Q       := $(if $(filter 1,$V),,@)
say      = $(if $(filter 1,$V),,@printf '  %-8s %s\n' '$1' '$(patsubst $(CURDIR)/%,%,$2)';)

WARN    := -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wstrict-prototypes
CFLAGS  ?= -O2 -g
CPPFLAGS_ALL := -D_GNU_SOURCE -DKVMTRACE_VERSION='"$(VERSION)"' -I$(BUILD)/gen $(CPPFLAGS)
CFLAGS_ALL   := -std=gnu11 $(WARN) $(CFLAGS)
# Of the libraries that a machine may lack which only reads captures, the static ones.
LIBS    := -l:libbpf.a -l:libjansson.a -lelf -lzstd -lz -lm
# Unused parameters are the rule in tracepoint programs: their prototypes are the kernel's.
BPF_CFLAGS := -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -O2 -g -Wall -Wextra -Werror \
	-Wno-unused-parameter -Ivmlinux/x86 -Ibpf

# What of user/live does without libbpf, for unit tests.
PURE_LIVE := $(addprefix user/live/,facts.c programs.c plan.c items.c kvm_watch.c tracefs.c)
CORE_SRC := $(sort $(wildcard user/lib/*.c user/decode/*.c user/event/*.c user/agg/*.c user/sink/*.c \
	user/store/*.c user/replay/*.c user/export/*.c)) \
	$(PURE_LIVE)
CORE_OBJ := $(CORE_SRC:%.c=$(BUILD)/%.o)
MAIN_SRC := $(sort $(wildcard user/cmd/*.c) $(filter-out $(PURE_LIVE),$(wildcard user/live/*.c))) \
	user/main.c
MAIN_OBJ := $(MAIN_SRC:%.c=$(BUILD)/%.o)
UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
GUEST_LIB := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/guest/lib/*.c)))
GUESTS   := $(patsubst tests/guest/%.c,$(BUILD)/tests/guest/%,$(sort $(wildcard tests/guest/g_*.c)))

# The compilers whose objects have to pass the verifier, of those that are here.
VERIFIER := $(BUILD)/tests/verifier
VERIFIER_CLANGS := $(notdir $(shell for v in 14 19; do command -v clang-$$v; done))

.PHONY: all demo test lint install uninstall clean help deps guests unit verifier bench bench-programs \
	export-programs always
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/kvmtrace

help:
	@echo 'make              builds $(BUILD)/kvmtrace'
	@echo 'make demo         installs what is missing, builds, and shows a misbehaving guest'
	@echo 'make test         installs what is missing, builds, and runs all tests'
	@echo '                  (LANE=lint|unit|golden|cli|export|host|verifier|bench|amd-5.10|amd-6.1|amd-6.12|'
	@echo '                  amd-7.2|intel-6.1|intel-7.2: that one)'
	@echo 'make bench        measures what kvmtrace and its peers cost: tests/bench/RESULTS.md'
	@echo '                  (PART="6.1 7.2 growth-6.1 growth-7.2 format captures host": some of it)'
	@echo 'make lint         checks the style and structure of the sources'
	@echo 'make install      to $$(DESTDIR)$$(PREFIX), which is $(DESTDIR)$(PREFIX)'
	@echo 'make deps         installs what building needs (Debian)'
	@echo 'make clean        removes $(BUILD)/'

$(BUILD)/kvmtrace: $(MAIN_OBJ) $(BUILD)/libkt-core.a
	$(call say,LINK,$@)$(CC) $(CFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(LIBS)

# The Makefile says which members it has.
$(BUILD)/libkt-core.a: $(CORE_OBJ) Makefile
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $(CORE_OBJ)

$(BUILD)/user/%.o: user/%.c
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# What is done for each event of a capture, in loops that gain by it.
$(patsubst %,$(BUILD)/user/store/%.o,gather pack): CFLAGS_ALL += -O3 -funroll-loops

# Only these know the skeletons.
$(patsubst %,$(BUILD)/user/live/%.o,session session_load session_maps): \
	$(BUILD)/gen/kvmtrace.skel.h $(BUILD)/gen/kvmtrace_cast.skel.h

# One object: bpf/kvmtrace.bpf.c takes in the other parts. And one for kernels that have
# bpf_rdonly_cast(): others, 5.13 to 5.15, refuse what only mentions it.
$(BUILD)/gen/kvmtrace.bpf.o $(BUILD)/gen/kvmtrace_cast.bpf.o: bpf/kvmtrace.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$@)$(CLANG) $(BPF_CFLAGS) $(if $(findstring cast,$@),-DKT_CAST) -MMD -MP -c -o $@ $<

$(BUILD)/gen/%.skel.h: $(BUILD)/gen/%.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

# And what the lane "cli" has reports of.
unit: $(UNIT) $(BUILD)/tests/report/capture
$(BUILD)/tests/unit/%: tests/unit/%.c $(BUILD)/libkt-core.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -o $@ $< \
		$(BUILD)/libkt-core.a -lcmocka -l:libjansson.a -lelf -lzstd -lz -lm

guests: $(GUESTS)
$(BUILD)/tests/guest/lib/%.o: tests/guest/lib/%.c
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<
$(BUILD)/tests/guest/g_%: tests/guest/g_%.c $(GUEST_LIB)
	@mkdir -p $(@D)
	$(call say,GUEST,$@)$(CC) $(CFLAGS_ALL) -MMD -MP -o $@ $< $(GUEST_LIB) -lpthread

# Each object is the one that a build with that clang has, which alone knows what it is made of.
verifier: $(VERIFIER)/verify $(VERIFIER)/selftest.bpf.o \
	$(VERIFIER_CLANGS:%=$(VERIFIER)/%.bpf.o) $(VERIFIER_CLANGS:%=$(VERIFIER)/%-cast.bpf.o)
$(VERIFIER)/verify: tests/verifier/verify.c
	@mkdir -p $(@D)
	$(call say,TEST,$@)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -o $@ $< $(LIBS)
$(VERIFIER)/selftest.bpf.o: tests/verifier/selftest.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$@)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<
$(VERIFIER)/%-cast.bpf.o: always
	$(call verifier_object,$*,kvmtrace_cast)
$(VERIFIER)/%.bpf.o: always
	$(call verifier_object,$*,kvmtrace)
# CLANG, OBJECT
define verifier_object
$(Q)$(MAKE) --no-print-directory $(if $(Q),-s) BUILD=$(VERIFIER)/$1 CLANG=$1 \
		$(VERIFIER)/$1/gen/$2.bpf.o
	@cmp -s $(VERIFIER)/$1/gen/$2.bpf.o $@ || cp $(VERIFIER)/$1/gen/$2.bpf.o $@
endef

# What runs inside the measured host is static, the smaller for it.
bench-programs: $(patsubst %,$(BUILD)/tests/bench/%,cost format store)
$(BUILD)/tests/bench/cost: $(patsubst %,tests/bench/%,cost.c host.c perfdata.c cost.h)
	@mkdir -p $(@D)
	$(call say,BENCH,$@)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -static -o $@ $(filter %.c,$^)
$(BUILD)/tests/bench/format $(BUILD)/tests/bench/store: $(BUILD)/tests/bench/%: tests/bench/%.c \
		$(BUILD)/libkt-core.a
	@mkdir -p $(@D)
	$(call say,BENCH,$@)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -o $@ $< \
		$(BUILD)/libkt-core.a -l:libjansson.a -lelf -lzstd -lz -lm

# Writes a capture that tests keep: see there.
$(BUILD)/tests/store/small $(BUILD)/tests/report/capture: $(BUILD)/tests/%: tests/%.c \
		$(BUILD)/libkt-core.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -o $@ $< \
		$(BUILD)/libkt-core.a -lzstd -lz -lm

# What the lane "export" has exported: a capture made by hand, and big ones.
export-programs: $(BUILD)/tests/export/capture $(BUILD)/tests/bench/store
$(BUILD)/tests/export/capture: tests/export/capture.c $(BUILD)/libkt-core.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -o $@ $< \
		$(BUILD)/libkt-core.a -lzstd -lz -lm

deps:
	tools/deps.sh build

demo:
	tools/demo.sh

test:
	tests/run.sh $(LANE)

bench:
	tools/deps.sh bench
	$(Q)$(MAKE) --no-print-directory all guests bench-programs
	python3 -B tests/bench/bench.py $(PART)

lint:
	tools/lint.sh

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 \
		$(DESTDIR)$(PREFIX)/share/man/man5
	install -m 755 $(BUILD)/kvmtrace $(DESTDIR)$(PREFIX)/bin/kvmtrace
	install -m 644 user/man/kvmtrace.1 $(DESTDIR)$(PREFIX)/share/man/man1/kvmtrace.1
	install -m 644 user/man/kvmtrace-capture.5 $(DESTDIR)$(PREFIX)/share/man/man5/kvmtrace-capture.5

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/kvmtrace $(DESTDIR)$(PREFIX)/share/man/man1/kvmtrace.1 \
		$(DESTDIR)$(PREFIX)/share/man/man5/kvmtrace-capture.5

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
