# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Compositors that users have, Xorg and players, alone and across two GPUs, in sessions of systemd-logind.

Across two GPUs Mesa renders in software, a frame in a second or two.
"""

import re
import textwrap

import pytest
from PIL import Image
from vgputest import BUILD, TESTING, TOP, guests, screenshots

PAGE = TOP / "Documentation/gpu/virtio-gpu/second-gpu.rst"
BLOB = {"gpu": ["virtio-gpu-pci,blob=true"]}
COPIED = {"gpu": ["virtio-gpu-pci"]}
TWO = {**BLOB, "vga": "bochs"}
WAYLAND = ("weston", "sway", "labwc", "cage", "mutter", "kwin")
# Draws nothing by itself.
XORG = ("xorg/started", "xorg/switched", "xorg/resizes", "xorg/restarted")
STEPS = ("started", "frames", "switched", "resizes", "restarted")
# Those that take the size that the host asks for.
RESIZED = ("mutter", "kwin")
# Those that show the buffers of the first GPU as they are. The others copy what Mesa rendered in software.
IN_PLACE = ("weston", "mutter", "xorg")
# Those that draw on the screen without a compositor, each for as long as it runs.
PROGRAMS = ("kmssink", "mpv", "plymouth")
PROGRAM_STEPS = ("started", "frames", "ended", "killed", "restarted")
# What all of them show (guest-programs).
COLOURS = ("cc9933", "336699", "993366", "339966")
FILES = ("lib-clients.sh", "quadrants.plymouth", "quadrants.script")
MADE = ("held-client", "quadrants.png", "spot.png", "xorg.conf", "xrandr.sh")
# See test_stress.py; also for the reason of "serial" and "alone".
SLEEPS = {**BLOB, "serial": True, "alone": True, "qemu": ["-global ICH9-LPC.disable_s3=0"]}

CASES = (*(f"{client}/{step}" for client in WAYLAND for step in STEPS), *(f"{client}/resized" for client in RESIZED), *XORG)
# On four heads. Weston 16 aborts there, in weston_output_get_supported_color_formats().
# Mutter handles the events of a round, about fifty, one at a time, and draws nothing until the last.
TOGGLED = ("sway", "mutter")
PROGRAM_CASES = tuple(f"{program}/{step}" for program in PROGRAMS for step in PROGRAM_STEPS)
SLEEP_CASES = tuple(f"{client}/{step}" for client in ("weston", "mutter") for step in ("started", "slept", "goes-on"))
PRIME_CASES = ("xorg/without-file", "xorg/started", "xorg/in-place", "xorg/frames")

pytestmark = pytest.mark.needs("clients")


def guide_lines(language):
    """The first block of that language on Xorg's part of the guide's page."""
    part = PAGE.read_text().split("\nXorg\n====\n")[1]
    block = re.search(rf"^\.\. code-block:: {re.escape(language)}\n\n((?:   .*\n|\n)+)", part, re.M).group(1)
    return textwrap.dedent(block)


def guest(name, options, cases=CASES, script="guest-clients"):
    # The splash screen of the guest's own start stays away.
    options = {**options, "disk": str(BUILD / "clients/disk.img"), "systemd": True, "append": "plymouth.enable=0", "dbus": True,
               "trace": ["gpu"], "timeout": 7200}
    return guests.Guest("lts", name, options, cases, (script,), full=True)


GUESTS = (guest("alone", BLOB), guest("copied", COPIED), guest("two", TWO),
          guest("heads", {"gpu": ["virtio-gpu-pci,blob=true,max_outputs=4"]},
                tuple(f"{client}/{step}" for client in TOGGLED for step in ("started", "toggled"))),
          guest("programs", BLOB, PROGRAM_CASES, "guest-programs"),
          guest("sleep", SLEEPS, SLEEP_CASES, "guest-sleep"), guest("prime", TWO, PRIME_CASES, "guest-prime"))


def pytest_generate_tests(metafunc):
    guests.parametrize(metafunc, GUESTS)


@pytest.fixture(scope="module")
def run(request, vm, make):
    guest, programs, folder = request.param, BUILD / "programs/held", TESTING / "clients"
    make("testing/held", f"O={programs}")
    screenshots.quadrants(1024, 768, COLOURS, None, 0).save(programs / "quadrants.png")
    Image.new("RGB", (32, 32), f"#{COLOURS[0]}").save(programs / "spot.png")
    (programs / "xorg.conf").write_text(guide_lines("xorg.conf"))
    (programs / "xrandr.sh").write_text(guide_lines("sh"))
    clients = dict.fromkeys(case.split("/")[0] for case in guests.selected_cases(request))
    run = vm(f"clients-{guest}", kernel=guest.kernel, script=folder / guest.program[0], args=list(clients),
              files=[folder / name for name in FILES] + [programs / name for name in MADE], **guest.options)
    run.two = "vga" in guest.options
    return run


@pytest.mark.timeout(9000)
def test_client(run, case, record_property):
    """It shows what it shall, also after other sizes, another VT and its sudden end; a frame costs no more than a flip."""
    figure = run.check(case)
    record_property("figure", figure)
    client, step = case.split("/")
    if step == "frames":
        _, commands, notifications, transfers = map(float, re.findall(r"[\d.]+", figure))
        if not run.two:
            assert commands <= 3.2 and notifications <= 1.2
        elif client in IN_PLACE:
            assert not transfers


@pytest.mark.timeout(9000)
def test_guest(run):
    run.check_end()
