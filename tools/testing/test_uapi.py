# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The ioctls, KMS, imports from the test exporter, and rendering: virtgpu-uapi in guests."""

import re

import pytest
from vgputest import guests

PROGRAM = "virtgpu-uapi"
CASES = guests.cases_of("uapi")

FOUR = "virtio-gpu-pci,max_outputs=4"
BLOB = FOUR + ",blob=true"
TRACE = ["gpu"]
# What a guest has, and which cases run in it.
SETS = {
    "surface": ({"gpu": [FOUR], "trace": TRACE},
                "dumb/* fdinfo/keys fdinfo/dumb addfb/* flip/* cursor/[sc]* output/*-one-commit count/flip-one count/flip-two count/flip-four count/cursor*"),
    "blob": ({"vga": "bochs", "gpu": [BLOB], "trace": TRACE},
             "dumb/* fdinfo/keys fdinfo/dumb fdinfo/meminfo fdinfo/charged addfb/* flip/* cursor/[sc]* output/*-one-commit "
             "count/flip-one count/flip-two count/flip-four count/cursor* entries/fresh"),
    "import": ({"vga": "bochs", "gpu": [BLOB], "ivshmem": "64M"},
               "import/vgem import/bochs import/udmabuf import/dma-heap import/e* import/g* import/m* import/scatter import/self import/sizes "
               "import/again import/w* import/f* release/* fence/* fdinfo/imported-*"),
    "viewer": ({"gpu": [FOUR], "vnc": True}, "cursor/viewer cursor/plane-hidden"),
    "no-hotspot": ({"gpu": [FOUR], "params": "hotspot=N"}, "cursor/plane-exposed cursor/[sc]*"),
    "second": ({"gpu": [BLOB, "virtio-gpu-pci"]}, "import/second-virtio-gpu"),
    "move": ({"gpu": [BLOB], "ivshmem": "64M"}, "move/*"),
    "no-peer": ({"gpu": [BLOB], "ivshmem": "64M", "udmabuf": "ram"}, "peer/*"),
    "count": ({"gpu": [BLOB], "ivshmem": "64M", "trace": TRACE}, "count/*-imported count/*-vram count/moves-*"),
    "hotplug": ({"dbus": True, "gpu": [BLOB]}, "output/hotplug"),
    "fragmented": ({"gpu": [BLOB]}, "entries/fragmented"),
    "virgl": ({"gl": True, "gpu": ["virtio-gpu-gl-pci"]},
              "render/* fdinfo/texture fdinfo/charged-submit dumb/sizes flip/events flip/dirty cursor/sizes"),
}

# The same driver on other devices and rings.
SHORT = "dumb/sizes flip/events flip/busy flip/dirty cursor/sizes cursor/storm import/exporter-static count/flip-one"
VARIANTS = {
    "packed": ({"gpu": [BLOB + ",packed=on"], "trace": TRACE}, SHORT),
    "direct": ({"gpu": [BLOB + ",indirect_desc=off,event_idx=off"], "trace": TRACE}, SHORT + " count/flip-four"),
    "platform": ({**guests.IOMMU, "gpu": [BLOB + ",iommu_platform=on"], "trace": TRACE}, SHORT + " import/vgem"),
    "platform-surface": ({**guests.IOMMU, "gpu": [FOUR + ",iommu_platform=on"], "trace": TRACE}, SHORT),
    "bypass": ({**guests.IOMMU, "gpu": [BLOB]}, "flip/events import/unreachable"),
    "refused": ({"gpu": [BLOB], "udmabuf": "refuse", "trace": TRACE}, SHORT + " import/vgem import/exporter-ram"),
    "heads": ({"gpu": ["virtio-gpu-pci,blob=true,max_outputs=16"], "trace": TRACE}, SHORT),
    "virgl-platform": ({**guests.IOMMU, "gl": True, "gpu": ["virtio-gpu-gl-pci,iommu_platform=on"]}, "render/* flip/events"),
    "vga": ({"vga": "virtio-vga,blob=true", "gpu": ["none"], "trace": TRACE}, "flip/events flip/dirty cursor/storm"),
}
VENUS = ({"host": "3d", "gl": True, "gpu": ["virtio-gpu-gl-pci,blob=on,venus=on,hostmem=256M"]},
         "render/* window/* fdinfo/host flip/events flip/dirty import/vgem import/udmabuf import/exporter-static import/exporter-ram")

DEFAULT = ("blob", "import", "move", "viewer", "venus")


def guest(kernel, name, options, patterns):
    program, files = (PROGRAM,), ()
    if name == "fragmented":
        program, files = ("virtgpu-fragment", PROGRAM), (PROGRAM,)
    # Under KASAN and lockdep each move takes much longer.
    moves = {"MOVES": 100 if kernel == "7.3-debug" else 1000}
    return guests.Guest(kernel, name, options, guests.chosen(patterns, CASES), program, files, variables=(moves, moves),
                        full=kernel != "lts" or name not in DEFAULT)


GUESTS = [guest(kernel, name, *what) for kernel in ("lts", "7.3", "7.3-debug") for name, what in SETS.items()]
GUESTS += [guest("lts", name, *what) for name, what in VARIANTS.items()]
GUESTS += [guest(kernel, "venus", *VENUS) for kernel in ("lts", "7.3")]


def pytest_generate_tests(metafunc):
    guests.parametrize(metafunc, [guest for guest in GUESTS if guest.name == "viewer" or metafunc.function is not test_viewer])


def test_case(run, case, record_property):
    """What a case of virtgpu-uapi found, and the pictures that it has taken."""
    record_property("figure", run.check(case))


def test_guest(run):
    """The guest ends well, and its kernel warns of nothing."""
    run.check_end()


VIEWED = {
    "shown": "visible=4096 hot=3,5",
    "hotspot": "visible=4096 hot=9,8",
    "clamped": "visible=4096 hot=63,0",
    "hidden": "visible=0",
    "again": "visible=4096 hot=3,5",
    "off": "visible=0",
}


@pytest.mark.parametrize("name", VIEWED)
def test_viewer(run, name, record_property):
    """What a viewer has of the cursor after each step of the case cursor/viewer."""
    found = re.search(rf"^# viewer {name} (.*)$", run.output, re.M)
    assert found, f"the case did not come to {name}"
    record_property("figure", found[1])
    assert found[1].startswith(VIEWED[name])
