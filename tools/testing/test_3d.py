# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""A host that renders: Mesa by virgl against this machine's QEMU, by Venus against QEMU 11, another GPU's
buffers between what virgl renders, a program that reads the screen, and IGT's tests of the ioctls against
both. See also virgl and venus in test_uapi.py."""

import dataclasses

import pytest
from vgputest import BUILD, TESTING, guests, screenshots

IGT = tuple(f"drm-virtgpu-{name}" for name in (
    "3d-transfer-from-host", "3d-transfer-to-host", "3d-wait", "context-init", "execbuffer", "get-caps", "getparam", "map",
    "resource-create", "resource-create-blob", "resource-info"))
# The results of the scripts in guest/.
CASES = {
    "render": ("egl", "off-screen", "kmscube", "kmscube--atomic", "weston", "nothing-is-left"),
    "capture": ("weston", "capture/screen", "weston-ends"),
    "two-gpus": ("weston", "before", "import/desktop-bochs", "import/desktop-vgem", "import/desktop-udmabuf", "foreign", "after",
                 "weston-ends", "nothing-is-left"),
    "igt-3d": IGT,
    "venus": ("vulkan", "picture", "host-visible", "nothing-is-left"),
}

VIRGL = {"gpu": ["virtio-gpu-gl-pci"]}
# What IGT needs too, contexts and blobs, this machine's virglrenderer may be too old for.
BOUNCE = {"append": "swiotlb=force", "gpu": ["virtio-gpu-gl-pci,iommu_platform=on"]}
BLOB = {"host": "3d", "gpu": ["virtio-gpu-gl-pci,blob=on,hostmem=256M"]}
VENUS = {"host": "3d", "gpu": ["virtio-gpu-gl-pci,blob=on,venus=on,hostmem=256M"]}
# The second GPU has no window: it lacks a ROM, and no program sets a mode on it.
SECOND = {"udev": True, "qemu": ["-device bochs-display,romfile="], "append": "drm_kms_helper.fbdev_emulation=0"}
# Name, script, what the guest has.
SETS = (
    ("virgl", "render", {"udev": True, **VIRGL}),
    ("igt-venus", "igt-3d", VENUS),
    ("two-gpus", "two-gpus", {**SECOND, **BLOB}),
    ("igt-virgl", "igt-3d", BLOB),
    ("venus", "venus", VENUS),
    ("capture", "capture", VIRGL),
    ("capture-blob", "capture", BLOB),
    ("capture-baseline", "capture", {"module": "baseline", **VIRGL}),
    ("capture-blob-baseline", "capture", {"module": "baseline", **BLOB}),
)


FULL = ("igt-3d", "capture")


def guest(kernel, name, script, options):
    return guests.Guest(kernel, name, {"gl": True, **options}, CASES[script], (script,), full=kernel != "lts" or script in FULL)


GUESTS = [guest(kernel, *row) for kernel in ("lts", "7.3") for row in SETS]
GUESTS.append(dataclasses.replace(guest("lts", "virgl-bounce", "render", {"udev": True, **BOUNCE}), full=True))
GUESTS.append(guest("7.3", "two-gpus-without-blobs", "two-gpus", {**SECOND, **VIRGL}))


def pytest_generate_tests(metafunc):
    scripts = {test_frames: "render", test_capture: "capture"}
    script = scripts.get(metafunc.function)
    guests.parametrize(metafunc, [guest for guest in GUESTS if script in (None, *guest.program)])


@pytest.fixture(scope="module")
def run(request, vm, programs, make):
    guest, out, (script,) = request.param, BUILD / "programs/vulkan", request.param.program
    make("testing/vulkan", f"O={out}")
    return vm(f"3d-{guest}", kernel=guest.kernel, script=TESTING / "guest" / script, timeout=1500 if script == "capture" else 900,
              files=[TESTING / "guest/lib-3d.sh", programs / "virtgpu-uapi", out / "virtgpu-vulkan"], **guest.options)


def test_case(run, case, record_property):
    record_property("figure", run.check(case))


def test_guest(run, request):
    run.check_end(guests.of(request.node).cases)


def test_frames(run, record_property):
    """The host renders what the guest's own processor does."""
    record_property("figure", screenshots.compare(run.file("screenshots/virgl"), run.file("screenshots/reference")))


def test_capture(run, record_property):
    """A program of the guest reads what the host shows."""
    difference = screenshots.distance(run.file("captured.ppm"), run.file("screenshots/virgl/weston.png"))
    record_property("figure", f"{difference:.2f} steps apart")
    assert difference <= 1
