# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Unplug, suspend, hibernation, stopped clocks, fuzzing, failing allocations: virtgpu-stress in guests."""

import pytest
from vgputest import TESTING, guests

CASES = guests.cases_of("stress")

TWO = {"gpu": ["virtio-gpu-pci,max_outputs=2"]}
BLOB = {"gpu": ["virtio-gpu-pci,max_outputs=2,blob=true"]}
PLATFORM = {**guests.IOMMU, "gpu": ["virtio-gpu-pci,max_outputs=2,blob=true,iommu_platform=on"]}
BOUNCE = {"append": "swiotlb=1024,force", "gpu": PLATFORM["gpu"]}
TEN_PORTS = {"ports": True, "mem": "3G", "gpu": BLOB["gpu"] * 10}
KMEMLEAK = {"append": "kmemleak=on"}
# Over serial lines: Linux 7.3 loses virtio's ports when it sleeps. And the folders that are
# shared with the host can neither be suspended nor be saved.
SERIAL = {"serial": True, "alone": True}
# Firmware that can sleep, and a disk to hibernate to.
SLEEPS = {**SERIAL, "trace": ["gpu"], "ivshmem": "64M",
          "qemu": ["-global ICH9-LPC.disable_s3=0",
                   "-drive if=none,id=swap,snapshot=on,format=raw,file.driver=null-co,file.size=1G,file.read-zeroes=on",
                   "-device virtio-blk-pci,drive=swap"]}

UNPLUG = "unplug/notices-* unplug/unbind unplug/pci-remove"
MORE = "suspend/devices-* suspend/platform-* suspend/s3-static suspend/s3-vram suspend/s3-unseen"
# Kernel, name, what the guest has, cases, variables of virtgpu-stress (VIRTGPU_...) by default and
# with --full, and the guest's time-out. Without the former it runs only with --full.
SETS = (
    ("lts", "unplug", {**KMEMLEAK, **BLOB}, UNPLUG, {"ITERATIONS": 8}, {"ITERATIONS": 100, "timeout": 2400}),
    ("lts", "unplug-surface", {**KMEMLEAK, **TWO}, "unplug/unbind", None, {"ITERATIONS": 10}),
    ("lts", "unplug-ports", {**KMEMLEAK, **TEN_PORTS}, "unplug/eject", None, {"ITERATIONS": 10}),
    ("7.3-debug", "unplug", {**KMEMLEAK, **BLOB}, UNPLUG, None, {"ITERATIONS": 20, "timeout": 1800}),
    # No ejection from ports there: 7.3's pciehp takes its own locks in two orders, which lockdep
    # reports.
    ("7.3-debug", "unplug-surface", {**KMEMLEAK, **TWO}, "unplug/unbind", None, {"ITERATIONS": 8}),
    ("7.3-debug", "unplug-platform", PLATFORM, "unplug/unbind unplug/pci-remove", None, {"ITERATIONS": 8}),
    ("lts", "suspend", {**SLEEPS, **BLOB}, "suspend/s3-dumb suspend/s3-ram suspend/s3-busy", {}, {}),
    ("lts", "suspend-3d", {**SLEEPS, "gl": True, "gpu": ["virtio-gpu-gl-pci"]}, "suspend/s3-context", {}, {}),
    # Half a minute each time.
    ("lts", "hibernate", {**SLEEPS, **BLOB}, "suspend/s4-ram suspend/s4-busy", None, {"SUSPEND_CYCLES": 3}),
    ("lts", "suspend-more", {**SLEEPS, **BLOB}, MORE, None, {}),
    ("lts", "suspend-bounce", {**SLEEPS, **BOUNCE}, "suspend/s3-dumb", None, {}),
    ("lts", "suspend-surface", {**SLEEPS, **TWO}, "suspend/s3-dumb suspend/s3-busy", None, {}),
    ("lts", "hibernate-more", {**SLEEPS, **BLOB}, "suspend/s4-dumb", None, {}),
    ("lts", "hibernate-surface", {**SLEEPS, **TWO}, "suspend/s4-dumb", None, {}),
    ("7.3-debug", "suspend", {**SLEEPS, **BLOB}, "suspend/s3-dumb suspend/s3-ram suspend/s3-busy", None, {}),
    ("7.3-debug", "suspend-more", {**SLEEPS, **BLOB}, MORE, None, {}),
    ("7.3-debug", "suspend-surface", {**SLEEPS, **TWO}, "suspend/s3-dumb suspend/s3-busy", None, {}),
    ("lts", "clock", {**SERIAL, **BLOB}, "clock/*", {}, {"PAUSE": 90}),
    ("lts", "clock-surface", {**SERIAL, **TWO}, "clock/*", None, {"PAUSE": 90}),
    ("7.3-debug", "clock", {**SERIAL, **BLOB}, "clock/*", None, {}),
    ("lts", "fuzz", BLOB, "fuzz/*", None, {"SECONDS": 300}),
    ("7.3-debug", "fuzz", BLOB, "fuzz/*", {"SECONDS": 10}, {"SECONDS": 300}),
    ("7.3-debug", "faults", {**KMEMLEAK, **BLOB}, "faults/*", None, {}),
    ("7.3-debug", "faults-surface", {**KMEMLEAK, **TWO}, "faults/*", None, {}),
)


def guest(kernel, name, options, patterns, brief, full):
    return guests.Guest(kernel, name, options, guests.chosen(patterns, CASES), ("stress/virtgpu-stress",),
                        variables=(brief, full), full=brief is None)


GUESTS = [guest(*row) for row in SETS]
ROUNDS = 10


def pytest_generate_tests(metafunc):
    guests.parametrize(metafunc, GUESTS)


@pytest.mark.timeout(3600)
def test_case(run, case, record_property):
    """What a case of virtgpu-stress found, and the pictures that it has taken."""
    record_property("figure", run.check(case))


@pytest.mark.timeout(3600)
def test_guest(run):
    """The guest ends well, its modules can be unloaded, and its kernel warns of nothing."""
    run.check_end()


@pytest.fixture(scope="module")
def weston(vm):
    """Weston, whose GPU is taken away and comes back ROUNDS times."""
    return vm("stress-lts-unplug-weston", script=TESTING / "stress/guest-weston", udev=True, vga="bochs", timeout=900,
              env={"VIRTGPU_ITERATIONS": ROUNDS}, **BLOB)


@pytest.mark.full
@pytest.mark.parametrize("case", [f"weston/round-{number}" for number in range(1, ROUNDS + 1)] + ["weston/rmmod"])
def test_unplug_weston(weston, case, record_property):
    """Weston ends or goes on, and nothing hangs, when its GPU is taken away."""
    record_property("figure", weston.check(case))


@pytest.mark.full
def test_unplug_weston_guest(weston):
    """Its guest ends well."""
    weston.check_end()
