# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The ioctls, KMS, imports from the test exporter, and rendering: virtgpu-uapi in guests, with this driver and with the in-tree one."""

import re

import pytest
from vgputest import TESTING, TOP, differences, guests

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


COMPARED = [guest for guest in GUESTS if guest.kernel == "lts" and guest.name in SETS and guest.name not in ("fragmented", "virgl")]
LIST = TESTING / "uapi/differences.txt"
ENTRIES = differences.read_list(LIST)


def pytest_generate_tests(metafunc):
    chosen = {test_viewer: [guest for guest in GUESTS if guest.name == "viewer"], test_baseline: COMPARED}
    guests.parametrize(metafunc, chosen.get(metafunc.function, GUESTS))


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


def viewed(run, name):
    """What a viewer has of the cursor after a step of the case cursor/viewer, or "" if there was none."""
    found = re.search(rf"^# viewer {name} (.*)$", run.output, re.M)
    return found[1] if found else ""


@pytest.mark.parametrize("name", VIEWED)
def test_viewer(run, name, record_property):
    found = viewed(run, name)
    assert found, f"the case did not come to {name}"
    record_property("figure", found)
    assert found.startswith(VIEWED[name])


@pytest.fixture(scope="session")
def compared():
    """The guests that were compared whole."""
    return set()


def results(run, cases):
    """{case: what it came to}; of the viewer's steps too."""
    found = {case: run.outcome(case) for case in cases}
    if "cursor/viewer" in cases:
        found |= {f"viewer/{name}": "pass" if viewed(run, name).startswith(VIEWED[name]) else "fail" for name in VIEWED}
    return found


@pytest.mark.full
@pytest.mark.timeout(5400)
def test_baseline(run, request, boot, compared, record_property):
    """Each case comes to the same with the in-tree driver, in the same guest, but for what is listed."""
    guest = guests.of(request.node)
    cases = guests.selected_cases(request, guest)
    baseline = boot(guest, cases, f"{run.name}-baseline", module="baseline")
    assert run.cases, f"the guest had no result: {run.reason}"
    theirs, ours = results(baseline, cases), results(run, cases)
    unlisted = differences.compare(theirs, ours, str(guest), ENTRIES)
    if set(cases) == set(guest.cases):
        compared.add(str(guest))
    record_property("figure", f"{len(ours)} cases, {sum(theirs[case] != ours[case] for case in ours)} differ")
    assert not unlisted, "\n".join([f"{guest}: differences that {LIST.relative_to(TOP)} has not; a case, the in-tree driver's result, ours:"] +
                                   [f"{case} {theirs[case]} {ours[case]}: {baseline.explain(case)}" for case in unlisted])


@pytest.mark.full
def test_list(compared):
    """Each listed difference was seen, if all of its guests were compared."""
    stale = differences.stale(ENTRIES, map(str, COMPARED), compared)
    assert not stale, f"{LIST.relative_to(TOP)} has differences that were not seen:\n" + "\n".join(stale)
