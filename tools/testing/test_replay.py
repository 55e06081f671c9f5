# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The same calls with the in-tree driver and with ours: what differs is listed in replay/, with its reason."""

import concurrent.futures
import os

import pytest
from vgputest import TOP, differences, replay

KERNEL = "7.3"
DRIVERS = ("ours", "baseline")
SETS = {
    "surface": {"gpu": ["virtio-gpu-pci"]},
    "blob": {"gpu": ["virtio-gpu-pci,blob=true"]},
    "virgl": {"gl": True, "gpu": ["virtio-gpu-gl-pci"]},
    "venus": {"host": "3d", "gl": True, "gpu": ["virtio-gpu-gl-pci,blob=on,venus=on,hostmem=256M"]},
}
# By default that is one or two minutes of an emulated guest; rendering takes longer.
CALLS = {"surface": 25_000, "blob": 25_000, "virgl": 10_000, "venus": 10_000}
FULL_CALLS = 2_500_000
# The console's cursor would be drawn, and time goes by instructions: a run does not depend on the machine's load.
ALIKE = {"kernel": KERNEL, "accel": "tcg", "smp": 1, "udmabuf": "fake", "append": "vt.global_cursor_default=0",
         "qemu": ["-icount shift=1,sleep=off"]}
MARKS = {"virgl": [pytest.mark.needs_3d], "venus": [pytest.mark.needs_3d, pytest.mark.needs("host-3d")]}
PARAMS = [pytest.param(name, marks=MARKS.get(name, ())) for name in SETS]
ENTRIES = differences.read_list(replay.LIST)


def settings(name, full):
    """The variables of the guest's program."""
    return {"VIRTGPU_SEED": 1, "VIRTGPU_EPISODE": 0, "VIRTGPU_CALLS": FULL_CALLS if full else CALLS[name]}


@pytest.fixture(scope="module")
def boot_both(vm, module, exporter, programs):
    """boot_both(SET, VARIABLES, TIMEOUT): {driver: guests.Run}."""
    modules = {"ours": str(module(KERNEL)), "baseline": "baseline"}

    def boot_both(name, env, timeout):
        def boot(driver):
            return vm(f"replay-{name}-{driver}", module=modules[driver], script=programs / "stress/virtgpu-stress", args=["replay/calls"],
                      files=[exporter(KERNEL)], modules=["virtgpu_exporter"], env=env, timeout=timeout, **ALIKE, **SETS[name])
        # A host that renders takes a processor of its own.
        with concurrent.futures.ThreadPoolExecutor(1 if SETS[name].get("gl") else 2) as pool:
            return dict(zip(DRIVERS, pool.map(boot, DRIVERS)))
    return boot_both


@pytest.fixture(scope="session")
def seen():
    """The sets that were run in full."""
    return set()


@pytest.mark.timeout(12 * 3600)
@pytest.mark.needs(f"kernel {KERNEL}")
@pytest.mark.parametrize("name", PARAMS)
def test_calls(name, boot_both, seen, full, record_property):
    """Each call comes to the same with both drivers, but for what is listed."""
    env = {variable: int(os.environ.get(variable, value)) for variable, value in settings(name, full).items()}
    runs = boot_both(name, env, 6 * 3600 if full else 1500)
    for driver in DRIVERS:
        runs[driver].check("replay/calls")
    runs["ours"].check_end()
    theirs, ours = ({line for line in runs[driver].output.splitlines() if line.startswith("# property")} for driver in ("baseline", "ours"))
    assert theirs <= ours, f"properties that only the in-tree driver has: {', '.join(sorted(theirs - ours))}"

    with open(runs["baseline"].file("replay.log")) as theirs, open(runs["ours"].file("replay.log")) as ours:
        found, calls, compared = replay.compare(theirs, ours, name, ENTRIES)
    record_property("figure", f"{calls} calls, {compared} before an episode's end that differs")
    assert compared * 3 > calls, f"{name}: only {compared} of {calls} calls can be compared"
    if env == settings(name, full):
        seen.add(name)
    first = "" if not found else (f"to repeat an episode: VIRTGPU_SEED={env['VIRTGPU_SEED']} VIRTGPU_CALLS=1 "
                                  f"VIRTGPU_EPISODE={next(iter(found.values())).theirs.episode} pytest-3 'tools/testing/test_replay.py::test_calls[{name}]'")
    assert not found, "\n".join([f"{name}: {len(found)} classes of differences that {replay.LIST.relative_to(TOP)} has not; "
                                 "an ioctl, the in-tree driver's result, ours:", *map(str, found.values()), first])


def test_list(seen, full):
    """Each listed difference was seen, if all of its sets were run."""
    stale = [str(entry) for entry in ENTRIES if not entry.seen and entry.names(SETS) <= seen and (full or not entry.seldom)]
    assert not stale, f"{replay.LIST.relative_to(TOP)} has differences that were not seen:\n" + "\n".join(stale)
