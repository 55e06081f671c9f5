# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The panic screen takes the place of a program's picture: copied by the host, in place, or another device's buffer."""

import pytest
from PIL import Image
from vgputest import TESTING

SURFACE = {"gpu": ["virtio-gpu-pci"]}
BLOB = {"gpu": ["virtio-gpu-pci,blob=true"]}
VIRGL = {"gl": True, "gpu": ["virtio-gpu-gl-pci"]}
# What a guest has, what is on its screen, and the size of the panic screen.
GUESTS = {
    "surface": (SURFACE, "own", (1024, 768)),
    "blob": (BLOB, "own", (1024, 768)),
    "import": (BLOB, "import", (800, 600)),
    "import-surface": (SURFACE, "import", (800, 600)),
    "import-virgl": (VIRGL, "import", (800, 600)),
}
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
PARAMS = [pytest.param(name, marks=pytest.mark.full if name.startswith("import-") else ()) for name in GUESTS]

pytestmark = [pytest.mark.needs("kernel 7.3"), pytest.mark.parametrize("run", PARAMS, indirect=True, scope="module")]


@pytest.fixture(scope="module")
def run(request, vm, programs):
    options, shown, size = GUESTS[request.param]
    run = vm(f"panic-{request.param}", kernel="7.3", script=TESTING / "guest/panic", args=[shown], files=[programs / "virtgpu-uapi"],
             timeout=120, accept=["Kernel panic - not syncing: sysrq triggered crash"], **options)
    run.size = size
    return run


def picture(run, name):
    """A screenshot's size, and {colour: number of pixels}."""
    image = Image.open(run.file(name)).convert("RGB")
    return image.size, {colour: number for number, colour in image.getcolors(1 << 24)}


def test_panics(run):
    """The machine panics, and nothing else is wrong."""
    run.check_end()


def test_screen(run, record_property):
    """Some colours before, then the two of the panic screen and nothing else."""
    assert len(picture(run, "before.png")[1]) >= 4
    size, after = picture(run, "after.png")
    record_property("figure", f"{after.get(WHITE, 0)} of {sum(after.values())} pixels are text")
    assert set(after) == {BLACK, WHITE}
    assert size == run.size
    assert 1000 < after[WHITE] < sum(after.values()) / 2
