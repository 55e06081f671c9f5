# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Up to four outputs, plugged, resized and unplugged by the host while Weston runs."""

import pytest
from vgputest import TESTING

STEPS = ("one", "second-plugged", "four-plugged-at-once", "second-prefers-another-size", "first-unplugged",
         "first-plugged-with-another-size", "three-unplugged", "weston-runs")


@pytest.fixture(scope="module")
def run(vm, lts_kernel):
    return vm("outputs", script=TESTING / "guest/outputs", udev=True, dbus=True,
              gpu=["virtio-gpu-pci,blob=true,max_outputs=4"], timeout=600)


@pytest.mark.parametrize("step", STEPS)
def test_step(run, step, record_property):
    """The outputs show what the host asked for, and each one a desktop."""
    record_property("figure", run.check(step))


def test_guest(run):
    run.check_end(STEPS)
