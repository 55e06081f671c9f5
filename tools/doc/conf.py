# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Sphinx's configuration: the guide alone, with the kernel's directive for DOC comments."""

import os
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
KERNEL = TOP / "build/source"

# Where the directive finds its parser; the comments are in our own tree. "make doc" puts
# the folder of the directive itself into PYTHONPATH.
os.environ["srctree"] = str(KERNEL)
sys.dont_write_bytecode = True

project = "virtio-gpu"
extensions = ["kerneldoc"]
kerneldoc_srctree = str(TOP)
root_doc = "virtio-gpu/index"
html_theme = "alabaster"
html_theme_options = {"nosidebar": True, "page_width": "60em"}
html_copy_source = False
