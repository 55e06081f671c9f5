# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Devices that use DMA addresses: with bounce buffers, as in confidential guests, and behind a vIOMMU."""

import pytest
from vgputest import TESTING, guests

CASES = guests.cases_of("uapi")
DESKTOP = ("mode", "console", "weston", "console-again")

# A pool of 2 MiB, a quarter of one 1080p buffer.
BOUNCE = {"append": "console=tty0 swiotlb=1024,force"}
INTEL = {"qemu": ["-device intel-iommu,device-iotlb=on"], "append": "intel_iommu=on"}
VIRTIO = {"qemu": ["-device virtio-iommu-pci"]}

DUMB = "dumb/sizes dumb/many flip/events flip/busy flip/dirty cursor/sizes cursor/storm flip/pan"
REFUSED = DUMB + " import/unreachable import/self"
IMPORTS = "dumb/sizes flip/dirty cursor/sizes import/vgem import/udmabuf import/exporter-* import/scatter import/self move/shown-* move/hidden-*"
VIRGL = ("render/[pt]* render/context-late render/submit-[bfpt]* render/s[ht]* render/number flip/events flip/dirty cursor/sizes "
         "import/unreachable")
PLATFORM = ",iommu_platform=on"
FOUR = "virtio-gpu-pci,max_outputs=4"
BLOB = FOUR + ",blob=true"
RINGS = {"": "", "-packed": ",packed=on"}
# Linux 6.12 does not accept the feature.
IN_ORDER = {"-in-order": ",in_order=on", "-packed-in-order": ",packed=on,in_order=on"}
DEFAULT = ("bounce", "virtio-iommu")


def guest(kernel, name, options, patterns, gpu, **more):
    return guests.Guest(kernel, name, {**options, "gpu": [gpu + PLATFORM], **more}, guests.chosen(patterns, CASES), ("virtgpu-uapi",),
                        full=kernel != "lts" or name not in DEFAULT)


GUESTS = [guest(kernel, f"bounce{name}", BOUNCE, REFUSED, BLOB + ring)
          for kernel, rings in (("lts", RINGS), ("7.3-debug", RINGS | IN_ORDER)) for name, ring in rings.items()]
GUESTS += [guest("lts", "bounce-surface", BOUNCE, REFUSED, FOUR),
           guest("lts", "bounce-virgl", BOUNCE, VIRGL, "virtio-gpu-gl-pci", gl=True)]
GUESTS += [guest("lts", f"{name}{ring}", {**options, "ivshmem": "64M"}, IMPORTS, BLOB + more + RINGS[ring])
           for name, options, more in (("intel-iommu", INTEL, ",ats=on"), ("virtio-iommu", VIRTIO, "")) for ring in RINGS]
GUESTS += [guests.Guest("lts", "desktop", {**BOUNCE, "gpu": ["virtio-gpu-pci,blob=true" + PLATFORM]}, DESKTOP, ())]


def pytest_generate_tests(metafunc):
    guests.parametrize(metafunc, GUESTS)


@pytest.fixture(scope="module")
def run(request, vm, exporter, programs):
    guest = request.param
    if guest.cases == DESKTOP:
        return vm(f"bounce-{guest}", script=TESTING / "guest/bounce", udev=True, files=[TESTING / "guest/lib-3d.sh"],
                  timeout=300, **guest.options)
    return vm(f"bounce-{guest}", kernel=guest.kernel, script=programs / "virtgpu-uapi", args=guests.selected_cases(request),
              files=[exporter(guest.kernel)], modules=["vgem", "virtgpu_exporter"], **guest.settings(request.config.getoption("full")))


def test_case(run, case, record_property):
    record_property("figure", run.check(case))


def test_guest(run):
    """The guest ends well, and its kernel warns of nothing."""
    run.check_end()
