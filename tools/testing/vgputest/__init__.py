# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What the tests share. conftest.py makes fixtures of it."""

import contextlib
import fcntl
import pathlib

TOP = pathlib.Path(__file__).resolve().parents[3]
BUILD = TOP / "build"
TESTING = TOP / "tools/testing"
DRIVER = TOP / "drivers/gpu/drm/virtio"


def last_lines(path, number=15):
    """The end of a log."""
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return "\n".join(lines[-number:]) or f"({path} is empty)"


@contextlib.contextmanager
def locked(name, operation=fcntl.LOCK_EX):
    """Against the other processes of pytest-xdist."""
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, operation)
        yield
