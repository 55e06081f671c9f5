# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The panic screen takes the place of a program's picture, copied by the host and in place."""

import pytest
from PIL import Image
from vgputest import TESTING

GPUS = {"surface": "virtio-gpu-pci", "blob": "virtio-gpu-pci,blob=true"}
BLACK, WHITE = (0, 0, 0), (255, 255, 255)

pytestmark = [pytest.mark.needs("kernel 7.3"), pytest.mark.parametrize("run", GPUS, indirect=True, scope="module")]


@pytest.fixture(scope="module")
def run(request, vm):
    return vm(f"panic-{request.param}", kernel="7.3", gpu=[GPUS[request.param]], script=TESTING / "guest/panic", timeout=120,
              accept=["Kernel panic - not syncing: sysrq triggered crash"])


def colours(run, name):
    """{colour: number of pixels} of a screenshot."""
    return {colour: number for number, colour in Image.open(run.file(name)).convert("RGB").getcolors(1 << 24)}


def test_panics(run):
    """The machine panics, and nothing else is wrong."""
    run.check_end()


def test_screen(run, record_property):
    """Many colours before, then the two of the panic screen and nothing else."""
    assert len(colours(run, "before.png")) >= 8
    after = colours(run, "after.png")
    record_property("figure", f"{after.get(WHITE, 0)} of {sum(after.values())} pixels are text")
    assert set(after) == {BLACK, WHITE}
    assert 1000 < after[WHITE] < sum(after.values()) / 2
