# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The panic screen takes the place of a program's picture: copied by the host, in place, or another device's buffer."""

import pytest
from PIL import Image
from vgputest import TESTING

SURFACE = {"gpu": ["virtio-gpu-pci"]}
BLOB = {"gpu": ["virtio-gpu-pci,blob=true"]}
VIRGL = {"gl": True, "gpu": ["virtio-gpu-gl-pci"]}
# What is on the screen: how many colours it has at least, and the size of the panic screen.
SHOWN = {"own": (8, (1024, 768)), "import": (4, (800, 600))}
# What a guest has, and what is on its screen.
GUESTS = {
    "surface": (SURFACE, "own"),
    "blob": (BLOB, "own"),
    "import": (BLOB, "import"),
    "import-surface": (SURFACE, "import"),
    "import-virgl": (VIRGL, "import"),
}
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
PARAMS = [pytest.param(name, marks=pytest.mark.full if name.startswith("import-") else ()) for name in GUESTS]

pytestmark = [pytest.mark.needs("kernel 7.3"), pytest.mark.parametrize("run", PARAMS, indirect=True, scope="module")]


@pytest.fixture(scope="module")
def run(request, vm, programs):
    options, shown = GUESTS[request.param]
    run = vm(f"panic-{request.param}", kernel="7.3", script=TESTING / "guest/panic", args=[shown], files=[programs / "virtgpu-uapi"],
             timeout=120, accept=["Kernel panic - not syncing: sysrq triggered crash"], **options)
    run.colours, run.size = SHOWN[shown]
    return run


def picture(run, name):
    """A screenshot's size, and {colour: number of pixels}."""
    image = Image.open(run.file(name)).convert("RGB")
    return image.size, {colour: number for number, colour in image.getcolors(1 << 24)}


def test_panics(run):
    """The machine panics, and nothing else is wrong."""
    run.check_end()


def test_screen(run, record_property):
    """The picture's colours before, then the two of the panic screen and nothing else."""
    assert len(picture(run, "before.png")[1]) >= run.colours
    size, after = picture(run, "after.png")
    record_property("figure", f"{after.get(WHITE, 0)} of {sum(after.values())} pixels are text")
    assert set(after) == {BLACK, WHITE}
    assert size == run.size
    assert 1000 < after[WHITE] < sum(after.values()) / 2
