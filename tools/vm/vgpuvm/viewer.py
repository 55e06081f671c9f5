# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What a viewer gets of the cursor and of the size of the display, over RFB (RFC 6143), QEMU's VNC."""

import asyncio
import struct

RAW, RICH_CURSOR, DESKTOP_SIZE = 0, -239, -223
# 32 bits a pixel, little endian, blue in the lowest byte.
PIXEL_FORMAT = struct.pack("<BBBB", 32, 24, 0, 1) + struct.pack(">HHH", 255, 255, 255) + bytes((16, 8, 0, 0, 0, 0))


class Viewer:
    """A client that keeps the newest cursor; it looks at no pixel of the display."""

    def __init__(self, path):
        self.path = path
        self.size, self.hot, self.visible, self.changes = (0, 0), (0, 0), 0, 0

    async def follow(self):
        """Connect, and go on until QEMU ends."""
        self.reader, self.writer = await asyncio.open_unix_connection(self.path)
        await self.read(12)
        self.writer.write(b"RFB 003.008\n")
        await self.read((await self.read(1))[0])
        self.writer.write(b"\x01")      # no authentication
        await self.read(4)
        self.writer.write(b"\x01")      # shared
        *self.size, _, length = struct.unpack(">HH16sI", await self.read(24))
        await self.read(length)
        self.writer.write(b"\0\0\0\0" + PIXEL_FORMAT + struct.pack(">BxHiii", 2, 3, RAW, RICH_CURSOR, DESKTOP_SIZE))
        while True:
            self.writer.write(struct.pack(">BBHHHH", 3, 1, 0, 0, *self.size))
            await self.message()

    async def read(self, number):
        return await self.reader.readexactly(number)

    async def message(self):
        kind = (await self.read(1))[0]
        if kind == 0:       # FramebufferUpdate
            for _ in range(struct.unpack(">xH", await self.read(3))[0]):
                await self.rectangle(*struct.unpack(">HHHHi", await self.read(12)))
        elif kind == 3:     # ServerCutText
            await self.read(struct.unpack(">3xI", await self.read(7))[0])
        elif kind != 2:     # Bell
            raise ValueError(f"RFB message {kind}")

    async def rectangle(self, x, y, width, height, encoding):
        if encoding == RAW:
            await self.read(width * height * 4)
        elif encoding == DESKTOP_SIZE:
            self.size = width, height
        elif encoding == RICH_CURSOR:
            await self.read(width * height * 4)
            mask = await self.read((width + 7) // 8 * height)
            self.hot, self.visible, self.changes = (x, y), sum(byte.bit_count() for byte in mask), self.changes + 1

    def __str__(self):
        return "visible=%d hot=%d,%d size=%dx%d" % (self.visible, *self.hot, *self.size)
