# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Running kvmtrace, and reporting: what the lanes that need no emulated host share."""
import os
import subprocess
import sys

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
KVMTRACE = os.path.join(BUILD, "kvmtrace")
GUESTS = os.path.join(BUILD, "tests", "guest")
LIMIT = 20


def run(*args, **keys):
    """A finished kvmtrace: returncode, stdout, stderr."""
    keys = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
            "timeout": LIMIT, **keys}
    done = subprocess.run([KVMTRACE, *args], check=False, **keys)
    done.out = (done.stdout or b"").decode(errors="replace")
    done.err = (done.stderr or b"").decode(errors="replace")
    return done


def one_line(err, words=""):
    """An error is one sentence on standard error."""
    lines = err.splitlines()
    if len(lines) != 1 or not err.endswith("\n"):
        yield f"{len(lines)} lines on standard error: {err!r}"
    elif not err.startswith("kvmtrace: error: ") or words.lower() not in err.lower():
        yield f"says {err!r}, without {words!r}"


def report(lane, name, test):
    """Runs a test: a function that yields what is wrong."""
    try:
        reasons = list(test())
    except (OSError, ValueError, KeyError, IndexError, TypeError,
            subprocess.SubprocessError) as error:
        reasons = [f"{type(error).__name__}: {error}"]
    notes = [r for r in reasons if r.startswith("note: ")]
    reasons = [r for r in reasons if not r.startswith("note: ")]
    print("not ok" if reasons else "ok", lane, name)
    for reason in notes + reasons[:10]:
        print("  " + reason.encode("unicode_escape").decode()[:600])
    sys.stdout.flush()


def main(lane, tests):
    for name, test in tests.items():
        report(lane, name, test)
