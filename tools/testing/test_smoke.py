# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The driver loads, shows a text console, goes and comes back, on each kernel and on several devices."""

import pytest
from vgputest import TESTING, guests

CASES = ("card", "output", "console", "unload", "load-again")
GPUS = {
    "pci": {"gpu": ["virtio-gpu-pci"]},
    "blob": {"gpu": ["virtio-gpu-pci,blob=true"]},
    "vga": {"gpu": ["virtio-vga"]},
    "mmio": {"machine": "microvm", "gpu": ["virtio-gpu-device"]},
}
DEFAULT = (("lts", "pci"), ("7.3", "blob"), ("7.3", "mmio"))
FULL = (("lts", "blob"), ("lts", "vga"), ("7.3", "pci"), ("7.3", "vga"), ("7.3-debug", "blob"), ("7.3-debug", "pci"))
GUESTS = [guests.Guest(kernel, gpu, GPUS[gpu], CASES, (), full=(kernel, gpu) in FULL) for kernel, gpu in DEFAULT + FULL]


def pytest_generate_tests(metafunc):
    guests.parametrize(metafunc, GUESTS)


@pytest.fixture(scope="module")
def run(request, vm):
    guest = request.param
    return vm(f"smoke-{guest}", kernel=guest.kernel, script=TESTING / "guest/smoke", append="console=tty0", timeout=240, **guest.options)


def test_case(run, case, record_property):
    record_property("figure", run.check(case))


def test_guest(run):
    run.check_end(CASES)
