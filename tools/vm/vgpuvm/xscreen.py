# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""An X server without a screen, for a QEMU that draws with OpenGL."""

import asyncio
import os
import struct
import subprocess

from PIL import Image, ImageChops

from . import Problem

# QEMU's window comes up in the middle, small, and grows to the right and downwards.
SIZE = "3840x2400"

# The words of the file's header that count, by their place: see X11/XWDFile.h.
HEADER_SIZE, WIDTH, HEIGHT, BYTES_PER_LINE, NCOLORS, WORDS = 0, 4, 5, 12, 19, 25
COLOR_SIZE = 12


class Screen:
    def __init__(self, folder):
        self.folder = folder        # the server keeps its screen in a file there
        self.name = None

    async def start(self, *wrapper):
        """Start the server, and wait until it is ready."""
        read, write = os.pipe()
        self.process = subprocess.Popen(
            [*wrapper, "Xvfb", "-displayfd", str(write), "-screen", "0", f"{SIZE}x24", "-fbdir", self.folder,
             "-retro", "-nocursor", "-nolisten", "tcp"], pass_fds=[write], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as line:
            number = (await asyncio.to_thread(line.readline)).strip()
        if not number:
            raise Problem("no X server for QEMU to draw on: run tools/setup packages")
        self.name = f":{number}"
        self.empty = self.picture()

    def picture(self):
        data = (self.folder / "Xvfb_screen0").read_bytes()
        head = struct.unpack_from(f">{WORDS}I", data)
        pixels = data[head[HEADER_SIZE] + head[NCOLORS] * COLOR_SIZE:]
        return Image.frombuffer("RGB", (head[WIDTH], head[HEIGHT]), pixels, "raw", "BGRX", head[BYTES_PER_LINE], 1)

    def save(self, path):
        """The window: where the screen is not the empty one's pattern."""
        now = self.picture()
        window = ImageChops.difference(now, self.empty).getbbox()
        if not window:
            raise ValueError("the screen is empty")
        now.crop(window).save(path)
