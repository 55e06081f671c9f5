# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Compares screenshots with what the programs of the guest noted, and with each other.

A program prints "# screenshot NAME size=WxH quadrants=RRGGBB,RRGGBB,RRGGBB,RRGGBB
[stamp=COLOUR:MOVES]", or "gradient=ID" for the quadrants; DIR holds NAME.png. Every
pixel is looked at: the quadrants, the stamp of the test exporter, and no poison (memory
that a buffer was moved away from). See virtgpu_exporter_uapi.h.
"""

import re

from PIL import Image, ImageChops, ImageStat

POISON = (0xff, 0x00, 0xff)
STAMPS = {"white": "ffffff", "green": "00ff00", "blue": "0000ff"}
LINE = re.compile(r"^# screenshot (\S+) size=(\d+)x(\d+) (?:gradient=([\da-f]{2})|"
                  r"quadrants=([\da-f]{6}(?:,[\da-f]{6}){3})(?: stamp=(\w+):(\d+))?)$")


def gradient(width, height, number):
    picture = Image.new("RGB", (width, height))
    picture.putdata([(x * 255 // width, y * 255 // height, number) for y in range(height) for x in range(width)])
    return picture


def quadrants(width, height, colours, stamp, moves):
    """What test programs and exporter draw."""
    picture = Image.new("RGB", (width, height))
    middle_x, middle_y = width // 2, height // 2
    boxes = [(0, 0, middle_x, middle_y), (middle_x, 0, width, middle_y),
             (0, middle_y, middle_x, height), (middle_x, middle_y, width, height)]
    boxes = list(zip(boxes, colours))
    if stamp:
        boxes.append(((16, 16, 80, 80), STAMPS[stamp]))
        boxes += [((16 + 16 * bit, 96, 32 + 16 * bit, 112), "ffffff" if moves >> bit & 1 else "000000") for bit in range(16)]
    for box, colour in boxes:
        picture.paste(f"#{colour}", box)
    return picture


def check_line(line, folder):
    """What is wrong with the screenshot that a line announces, or None."""
    match = LINE.match(line.strip())
    if not match:
        return "a line that is not understood: " + line if line.startswith("# screenshot ") else None
    name, width, height, number, colours, stamp, moves = match.groups()
    size = int(width), int(height)
    try:
        picture = Image.open(folder / f"{name}.png").convert("RGB")
    except OSError as error:
        return f"{name}.png: {error}"
    if picture.size != size:
        return f"{name}.png is {picture.width}x{picture.height}, not {width}x{height}"
    wanted = gradient(*size, int(number, 16)) if number else quadrants(*size, colours.split(","), stamp, int(moves or 0))
    box = ImageChops.difference(picture, wanted).getbbox()
    if not box:
        return None
    # A pixel of the box's upper edge differs.
    x, y = next((x, box[1]) for x in range(box[0], box[2]) if picture.getpixel((x, box[1])) != wanted.getpixel((x, box[1])))
    found = picture.getpixel((x, y))
    poison = " (poison: memory that was moved away from)" if found == POISON else ""
    return f"{name}.png: pixel {x},{y} is %02x%02x%02x{poison}, not %02x%02x%02x" % (*found, *wanted.getpixel((x, y)))


def distance(picture, reference):
    """How many steps of 255 two pictures are apart, on the average."""
    a, b = (Image.open(path).convert("RGB") for path in (picture, reference))
    assert not b.getcolors(2), f"{reference.name} shows nothing"
    assert a.size == b.size, picture.name
    return max(ImageStat.Stat(ImageChops.difference(a, b)).mean)


def compare(folder, reference, tolerance=1):
    """Assert that two folders have the same names and nearly the same pixels. Return a figure."""
    names = sorted(path.name for path in reference.glob("*.png"))
    assert names and names == sorted(path.name for path in folder.glob("*.png")), "not the same screenshots"
    worst = max(distance(folder / name, reference / name) for name in names)
    assert worst <= tolerance, f"{len(names)} screenshots, {worst:.2f} steps of 255 apart on the average"
    return f"{len(names)} screenshots, at most {worst:.2f} steps apart"
