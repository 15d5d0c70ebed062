# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=dash
# Run (or sourced by another job) by busybox's shell as root inside an emulated host, in /w, where
# verify and the objects are. Leaves what check.py and selftest.py judge outside.
verify clang-*.bpf.o >/out/verifier.txt 2>/out/verifier.err
verify selftest.bpf.o >/out/selftest.txt 2>>/out/verifier.err || :
