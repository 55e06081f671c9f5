# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Boots a guest, runs a script in it and collects what came of it."""

import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[3]
BUILD = TOP / "build"
GUEST = TOP / "tools/vm/guest"
sys.path.append(str(BUILD / "qmp/python"))


class Problem(Exception):
    """Something on the host is not as it should be; the text is for the user."""
