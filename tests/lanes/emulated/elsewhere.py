# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Captures that came home are read on this machine, by the same program, as a user who may do nothing."""
import contextlib
import os
import shutil
import subprocess
import tempfile

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
LIMIT = 60
NOBODY = 65534


@contextlib.contextmanager
def place():
    """A folder that everybody may look into, with the program."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        shutil.copy(os.path.join(BUILD, "kvmtrace"), folder)
        yield folder


def take(folder, path):
    """A copy of a capture there; its name."""
    name = os.path.basename(path)
    shutil.copy(path, os.path.join(folder, name))
    os.chmod(os.path.join(folder, name), 0o644)
    return name


def report(folder, capture, *args):
    """A finished report: returncode, stdout, stderr."""
    keys = {}
    if os.geteuid() == 0:
        keys = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    return subprocess.run([os.path.join(folder, "kvmtrace"), "report", capture, *args], env={},
                          cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=LIMIT, check=False, **keys)


def lines(job_folder, name):
    """Of the job's own readings: status, checksum, view, arguments."""
    with open(os.path.join(job_folder, name + ".sums"), encoding="utf-8") as file:
        for line in file:
            status, checksum, view, *args = line.split()
            yield int(status), checksum, view, args


def read_all(job_folder):
    """Each capture NAME of which the job left NAME.sums: NAME_VIEW.out, .err and .status."""
    names = [f[:-len(".sums")] for f in os.listdir(job_folder) if f.endswith(".sums")]
    with place() as folder:
        for name in names:
            path = os.path.join(job_folder, name)
            capture = take(folder, path + ".kvmtrace")
            for _, _, view, args in lines(job_folder, name):
                done = report(folder, capture, *args, "-f", "json")
                for end, what in (("out", done.stdout), ("err", done.stderr),
                                  ("status", b"%d\n" % done.returncode)):
                    with open(f"{path}_{view}.{end}", "wb") as file:
                        file.write(what)
            os.remove(os.path.join(folder, capture))
