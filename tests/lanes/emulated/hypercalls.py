# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The hypercalls of g_hypercall: the first argument counts them from 1, the others follow from it."""
MASK = (1 << 64) - 1


def splitmix(value):
    value = (value + 0x9e3779b97f4a7c15) & MASK
    value = ((value ^ value >> 30) * 0xbf58476d1ce4e5b9) & MASK
    value = ((value ^ value >> 27) * 0x94d049bb133111eb) & MASK
    return value ^ value >> 31


def right(e):
    """Are all arguments of a recorded one what they must be?"""
    a1 = splitmix(e["a0"])
    a2 = splitmix(a1)
    return (e["nr"], e["a1"], e["a2"], e["a3"]) == (1, a1, a2, splitmix(a2))


def of(capture):
    return [e for e in capture.events({"hypercall"}) if e["kind"] == "hypercall"]


def numbers(calls):
    return [e["a0"] for e in calls]
