#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Has what kvmtrace adds to an event grown? tests/bench/README.md, "The gate".
exec tests/bench/gate.sh
