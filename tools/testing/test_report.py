# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""tools/vgpu-report names what is wrong with guests and hosts, and nothing else."""

import contextlib
import json
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import pytest
from vgputest import BUILD, TESTING, TOP, guests

BLOB = {"gpu": ["virtio-gpu-pci,blob=true"]}
IMPORT = {**BLOB, "modules": ["vgem", "virtgpu_exporter"]}
# Set up by SeaBIOS, in RAM; the kernel gets it by vga=, and has a driver for it.
RAMFB = {**BLOB, "kernel": "7.3", "qemu": ["-device ramfb"], "append": "vga=0x344"}
SILENT = {"gpu": ["vhost-user-gpu-pci,chardev=gpu"], "accept": ["device is not responding"]}
# What a guest has, what is done in it, and what is to be found.
GUESTS = {
    "healthy": ({**BLOB, "vga": "bochs"}, [], []),
    "no udmabuf on the host": ({**BLOB, "udmabuf": "refuse"}, ["flip/dirty"], ["blob-rejected", "fallback"]),
    "silent": (SILENT, ["silent"], ["blob-off", "wedged"]),
    "no blobs": ({"gpu": ["virtio-gpu-pci"]}, [], ["blob-off"]),
    "buffer in small pieces": (IMPORT, ["import/scatter"], ["fallback", "list-too-long"]),
    "firmware framebuffer": (RAMFB, [], ["firmware-framebuffer"]),
    "removed firmware framebuffer": ({**RAMFB, "params": "remove_firmware_fb=Y"}, [], []),
    "bypassed IOMMU": ({**IMPORT, **guests.IOMMU}, ["import/unreachable"], ["bypass"]),
    "host without peer-to-peer": ({**IMPORT, "ivshmem": "64M", "udmabuf": "ram"}, ["peer/rejected"], ["peer-rejected"]),
}
DEFAULT = ("healthy", "no udmabuf on the host", "silent")

# Files as the driver has them.
OUTPUTS = """\
output: id=0 connector=Virtual-1 enabled=1 edid=1 position=0,0 size=1280x800 resource=3 rect=0,0+1280x800 held_ms={}
output: id=1 connector=Virtual-2 enabled=1 edid=1 position=1280,0 size=1280x800 resource=4 rect=0,0+1280x800 held_ms={}
"""
TOTALS = "output: id={} frames={} missed={} replaced={} held={} held_ms={} pacing=host"
QUICK = {"queue": (595, 5), "response": (60, 60, 120, 240, 120), "event": (600,)}
STEPS = [f"lt_{2 ** power}ms" for power in range(8)] + ["more"]


def histogram(ident, **steps):
    for step, counts in (QUICK | steps).items():
        counts = list(counts) + [0] * (len(STEPS) - len(counts))
        yield f"output: id={ident} step={step} " + " ".join(f"{name}={count}" for name, count in zip(STEPS, counts))


def frames(ident, missed=0, replaced=0, held=0, held_ms=0, total=600, **steps):
    return "\n".join((TOTALS.format(ident, total, missed, replaced, held, held_ms), *histogram(ident, **steps)))


LATE = (10, 10, 10, 10, 60, 300, 200)
# What is the case, held_ms of both outputs, the file "virtio-gpu-frames", what is to be found, words of it.
STUTTER = (
    ("nothing", (0, 16), [frames(0), frames(1)], [], ""),
    ("a driver without the file", (0, 0), [], [], ""),
    ("a few missed vblanks", (0, 0), [frames(0, missed=15, response=LATE)], [], ""),
    ("few in a long time", (0, 0), [frames(0, total=100000, missed=900, response=LATE)], [], ""),
    ("a display that is not quick", (999, 0), [frames(0, held=1)], [], ""),
    ("a hidden window", (83000, 0), [frames(0, replaced=790, held=1), frames(1)],
     ["held"], "output 0 holds a frame for 83 s"),
    ("a hidden window, another output that waits for fences", (0, 5000),
     [frames(0, missed=200, queue=LATE), frames(1, held=1)], ["fences", "held"], "output 0 stutters"),
    ("a window that was hidden", (0, 0), [frames(0, replaced=790, held=3, held_ms=83000)], [], ""),
    ("a device that does not respond", (83000, 0), [frames(0, held=1), frames(1)], ["wedged"], ""),
    ("a slow viewer", (0, 400), [frames(0), frames(1, replaced=190, held=90, held_ms=40000)],
     ["slow-viewer"], "output 1 stutters, the host's viewer is slow, its display held 90 of 600 frames, 40 s"),
    ("rendering", (0, 0), [frames(0, missed=300, queue=LATE)], ["fences"], "300 vblanks were missed in 600 frames"),
    ("a slow host", (0, 0), [frames(0, missed=300, response=LATE)], ["slow-host"], "the host responds late"),
    ("a slow host, and some rendering", (0, 0), [frames(0, missed=300, response=LATE, queue=(500, 0, 0, 0, 0, 100))],
     ["slow-host"], "the host responds late"),
    ("a busy guest", (0, 0), [frames(0, missed=300, event=LATE)], ["late-events"], "after the response of the host"),
    ("a second output", (0, 0), [frames(0), frames(1, missed=300, response=LATE)], ["slow-host"], "output 1 stutters"),
    ("no step", (0, 0), [frames(0, missed=300)], ["missed"], "in time"),
)


def names(report):
    return sorted({each["name"] for each in report["findings"]})


@pytest.fixture
def found_in(call, tmp_path):
    """found_in(REPORT): the findings and the text of vgpu-report on a report in JSON."""
    def found_in(report):
        file = tmp_path / "report.json"
        file.write_text(json.dumps(report))
        text = call("tools/vgpu-report", "--from", file, check=False)
        return names(json.loads(call("tools/vgpu-report", "--from", file, "--json", check=False))), text
    return found_in


def report_of(counters, held=(0, 0), text=()):
    """A report of one device."""
    device = {
        "card": "card0", "device": "virtio1", "parent": "0000:00:02.0", "connectors": {"Virtual-1": "connected"},
        "features": {"blob_resources": 1, "scanouts": 2}, "resources": [], "contexts": [], "host_visible": {},
        "counters": {"control_kicks": 600, **counters}, "largest_blob": {"size": 0, "entries": 0},
        "outputs": OUTPUTS.format(*held), "frames": "\n".join(text) + "\n",
    }
    return {"kernel": "7.3", "module": {"version": "0"}, "devices": [device], "others": [], "log": []}


@pytest.mark.parametrize("name, held, text, expected, words", STUTTER, ids=[row[0] for row in STUTTER])
def test_stutter(found_in, name, held, text, expected, words):
    """The cause of stutter, from frames files of debugfs."""
    found, shown = found_in(report_of({"control_wedged": 1} if expected == ["wedged"] else {}, held, text))
    assert found == expected
    assert words in shown


@pytest.mark.parametrize("counter, expected, words", [
    ("moves_to_ram", "peer-rejected", "their drivers have moved 3 buffers"),
    ("copied_imports", "copied", "the CPU copies 3 buffers"),
])
def test_counter(found_in, counter, expected, words):
    """What the host cannot access, from the counters of debugfs; no driver that QEMU has keeps its memory in place."""
    assert found_in(report_of({counter: 0}))[0] == []
    found, shown = found_in(report_of({counter: 3}))
    assert found == [expected]
    assert words in shown


@contextlib.contextmanager
def silent_host(folder):
    """A device in a process of its own, which is stopped from when the guest is ready until it has its report."""
    def stop():
        for file, number in (("ready", signal.SIGSTOP), ("done", signal.SIGCONT)):
            while not (folder / file).exists() and backend.poll() is None:
                time.sleep(0.2)
            backend.send_signal(number)
            (folder / "stopped").touch()

    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as place, \
            subprocess.Popen(["/usr/lib/qemu/vhost-user-gpu", "-s", f"{place}/socket"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as backend:
        thread = threading.Thread(target=stop)
        thread.start()
        try:
            yield [f"-chardev socket,id=gpu,path={place}/socket"]
        finally:
            backend.kill()
            thread.join()


@pytest.fixture(scope="module")
def run(request, vm, programs, exporter):
    name = f"report-{request.param.replace(' ', '-')}"
    options, args, _ = GUESTS[request.param]
    options = {**options, "append": f"console=tty0 {options.get('append', '')}"}
    with silent_host(BUILD / "vm" / name) if args == ["silent"] else contextlib.nullcontext([]) as qemu:
        return vm(name, script=TESTING / "report/guest-report", args=args, timeout=240,
                  files=[TOP / "tools/vgpu-report", programs / "virtgpu-uapi", exporter("lts")],
                  **{**options, "qemu": options.get("qemu", []) + qemu})


def marks(name):
    kernel = GUESTS[name][0].get("kernel")
    return ([] if name in DEFAULT else [pytest.mark.full]) + ([pytest.mark.needs(f"kernel {kernel}")] if kernel else [])


GUEST = pytest.mark.parametrize("run, expected", [pytest.param(name, expected, id=name, marks=marks(name))
                                                  for name, (_, _, expected) in GUESTS.items()], indirect=["run"], scope="module")
HEALTHY = pytest.mark.parametrize("run", ["healthy"], indirect=True, scope="module")


@GUEST
def test_guest(run, expected, lts_kernel, record_property):
    run.check_end()
    found = names(json.loads(run.file("report.json").read_text()))
    record_property("figure", " ".join(found) or "nothing wrong")
    # This host may be a slow one at times.
    assert [name for name in found if name not in ("slow-host", "late-events")] == expected, run.file("report.txt").read_text()


@HEALTHY
def test_modifiers(run):
    """The layouts of virtio-gpu itself: LINEAR and nothing else."""
    assert json.loads(run.file("report.json").read_text())["devices"][0]["modifiers"] == ["0x0"]


@HEALTHY
def test_gpu_without_linear(run, found_in):
    """No GPU that QEMU has lacks it: a report of the healthy guest, whose other GPU is said to."""
    report = json.loads(run.file("report.json").read_text())
    report["others"][0].update(linear=False, modifiers=["0x100000000000001"])
    found, text = found_in(report)
    assert found == ["no-linear"], text
