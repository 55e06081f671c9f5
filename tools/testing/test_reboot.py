# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Reboot, power-off, kexec and kdump while Weston runs, also while the host's display holds a frame: the driver
ends at once, the device does nothing more, and the next kernel shows its console.

Times are those of the guest's kernel log.
"""

import itertools
import re

import pytest
from PIL import Image, ImageChops
from vgputest import BUILD, TESTING, guests
from vgpuvm import kernel, logs

# The last one does not come back.
WAYS = ("kexec", "kdump", "reboot", "poweroff")
# What the driver's .shutdown may take, in s, and all from the call to its end, on a busy host, too: a wait
# for the host would take longer.
SHUTDOWN, CALL = 1, 3
# For how long a display holds a frame, in ms.
HOLD = 20000
LINE = re.compile(r"^\[ *(\d+\.\d+)\] (.*?)\r?$", re.M)


def guest(kernel, name, ways, gpu, full=True):
    return guests.Guest(kernel, name, {"gpu": [gpu]}, ways, (), full=full)


COPIED, BLOB = "virtio-gpu-pci", "virtio-gpu-pci,blob=true"
GUESTS = (
    guest("lts", "short", ("reboot",), BLOB, full=False),
    # Its configuration has neither kexec nor crash dumps.
    guest("7.3", "short", ("reboot", "poweroff"), BLOB),
    guest("lts", "blob", WAYS, BLOB),
    guest("lts", "copied", WAYS, COPIED),
    guest("lts", "held", WAYS, BLOB),
)


def pytest_generate_tests(metafunc):
    without = {test_arrives: ("poweroff",), test_picture: ("poweroff",), test_device_rests: ("kdump",)}
    guests.parametrize(metafunc, GUESTS, without=without.get(metafunc.function, ()))


@pytest.fixture(scope="module")
def run(request, vm, make, programs, qemu_plugin):
    guest = request.param
    held = guest.name == "held"
    files, options = [kernel.find(guest.kernel).image, programs / "stress/virtgpu-kexec"], {}
    if held:
        bench, mark = BUILD / "bench", BUILD / "programs/held"
        make("bench", f"O={bench}", f"PLUGIN={qemu_plugin}")
        make("testing/held", f"O={mark}")
        files.append(mark / "mark")
        options = {"accel": "tcg", "smp": 1, "preload": [bench / "qemu-preload.so"],
                   "qemu": [f"-plugin {bench / 'insn-plugin.so'} -d guest_errors,plugin -icount shift=1,sleep=off"]}
    cases = guests.selected_cases(request)
    return vm(f"reboot-{guest}", kernel=guest.kernel, script=TESTING / "stress/guest-reboot", args=[str(HOLD if held else 0), *cases],
              files=files, udev=True, mem="3G", append="crashkernel=512M", trace=["gpu"], timeout=120 + 240 * len(cases),
              accept=["Kernel panic - not syncing: sysrq triggered crash"], **guest.options, **options)


class Left:
    """How the guest was left: the lines of the kernel's log since then, and the time of each."""

    def __init__(self, run, way):
        lines = [(float(time), text) for time, text in LINE.findall(run.file("console.log").read_text(errors="replace"))]
        starts = [number for number, (_, text) in enumerate(lines) if text == f"virtgpu-test: {way}"]
        if not starts:
            pytest.fail(f"{way}: the guest came not so far: {run.reason}\n" + "\n".join(run.rest[-20:]), pytrace=False)
        self.began = lines[starts[0]][0]
        # The clock of the next kernel starts anew.
        self.lines = list(itertools.takewhile(lambda line: line[0] >= self.began, lines[starts[0]:]))

    def shutdown(self):
        """When the driver's .shutdown was called, and when the next line was logged, that of another device."""
        for (time, text), (end, _) in zip(self.lines, self.lines[1:]):
            if re.fullmatch(r"virtio_gpu virtio\d+: shutdown", text):
                return time, end
        pytest.fail("the driver's .shutdown was not called, or nothing came after it:\n" +
                    "\n".join(text for _, text in self.lines[-20:]), pytrace=False)


@pytest.fixture
def left(run, case):
    return Left(run, case)


def test_arrives(run, case, record_property):
    """The next kernel loads the driver, and the host refuses it nothing."""
    record_property("figure", run.check(case))


def test_delay(left, case, record_property):
    """From the call to the end of the driver's part."""
    if case == "kdump":
        # No .shutdown is called.
        start = end = left.lines[-1][0]
        record_property("figure", f"{end - left.began:.3f} s")
    else:
        start, end = left.shutdown()
        record_property("figure", f"{end - left.began:.3f} s, .shutdown {end - start:.3f} s")
    assert end - start < SHUTDOWN
    assert end - left.began < CALL


def test_device_rests(run, case):
    """The device does nothing after its reset until the next driver comes."""
    trace = list(logs.events(run.file("trace.log").read_text(errors="replace").splitlines()))
    device, = logs.gpu_devices(trace)
    after = itertools.dropwhile(lambda event: event != (f"{logs.MARK}leave-{case}", ""), trace)
    after = list(itertools.takewhile(lambda event: event[0] != f"{logs.MARK}vm:load", after))
    assert ("virtio_set_status", f"vdev {device} val 0") in after
    rest = after[after.index(("virtio_set_status", f"vdev {device} val 0")):]
    assert not [event for event in rest if event[0].startswith(("virtio_gpu_cmd_", "virtio_gpu_fence_")) or
                event[0] in ("virtio_notify", "virtio_queue_notify") and device in event[1]]


def test_picture(run, case):
    """The console is that of the first kernel."""
    first, now = (Image.open(run.file(f"console-{name}.png")).convert("RGB") for name in ("first", case))
    assert len(first.getcolors()) >= 3
    assert not ImageChops.difference(first, now).getbbox()


def test_host_errors(run):
    """The host never found a command wrong."""
    assert not re.findall(r"^virtio_gpu\w*: .*", run.file("trace.log").read_text(errors="replace"), re.M)


def test_guest(run):
    run.check_end(run.cases)
