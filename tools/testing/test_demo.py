# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The main job: Weston across two GPUs, shown by virtio-gpu without a copy.

The guest has QEMU's VGA (bochs: renders) and virtio-gpu (shows). Leaves virtio-gpu.png and report.md
in build/demo, or build/demo-7.3, and prints the report.
"""

import re
from collections import Counter

import pytest
from PIL import Image
from vgpuvm import logs
from vgputest import BUILD, TESTING

OUTS = {"lts": BUILD / "demo", "7.3": BUILD / "demo-7.3"}

pytestmark = pytest.mark.parametrize("kernel", ["lts", pytest.param("7.3", marks=pytest.mark.full)], scope="module")


@pytest.fixture(scope="module")
def run(kernel, vm):
    return vm(f"demo-{kernel}", kernel=kernel, out=OUTS[kernel], script=TESTING / "demo/guest-demo", udev=True, vga="bochs",
              gpu=["virtio-gpu-pci,blob=true"], trace=["gpu"], timeout=600)


@pytest.fixture(scope="module")
def report(run, kernel, pytestconfig):
    run.check_end()
    report = Report(run)
    text = report.text(kernel)
    run.file("report.md").write_text(text)
    pytestconfig.virtgpu.say(f"{run.folder}/report.md, virtio-gpu.png:\n\n{text}")
    return report


def between_marks(trace, first, last):
    inside = False
    for name, args in trace:
        if name == logs.MARK + last:
            return
        if inside:
            yield name, args
        if name == logs.MARK + first:
            inside = True


def number(args, key):
    match = re.search(rf"\b{key} (0x[0-9a-f]+|\d+)", args)
    return int(match.group(1), 0) if match else None


class Report:
    """The commands in QEMU's trace and the state in the guest's debugfs."""

    def __init__(self, run):
        self.run = run
        self.commands, self.shown, self.transfers = Counter(), Counter(), Counter()
        with open(run.file("trace.log"), errors="replace") as lines:
            trace = list(logs.events(lines))
        for name, args in between_marks(trace, "weston", "shown"):
            if name.startswith(("virtio_gpu_cmd_", "virtio_gpu_update_cursor", "virtio_gpu_move_cursor")):
                self.commands[name.removeprefix("virtio_gpu_").removeprefix("cmd_")] += 1
            if name == "virtio_gpu_cmd_set_scanout_blob":
                self.shown[number(args, "res")] += 1
            if name == "virtio_gpu_cmd_res_xfer_toh_2d":
                self.transfers[number(args, "res")] += 1
        self.shown.pop(0, None)
        resources = [dict(re.findall(r"(\w+)=(\S+)", line)) for line in run.file("resources").read_text().splitlines()]
        self.resources = {int(fields["id"]): fields for fields in resources if "id" in fields}
        self.counters = dict(re.findall(r"^(\w+): (\d+)$", run.file("counters").read_text(), re.M))
        self.features = dict(re.findall(r"^(\w[\w ]*?) *: (.+)$", run.file("features").read_text(), re.M))
        state = run.file("state").read_text()
        self.imported = "memory=imported" in state and "imported=yes" in state
        # Bytes that TRANSFER commands moved for the buffers shown, an upper bound.
        self.moved = sum(count * int(self.resources.get(res, {}).get("size", 0))
                         for res, count in self.transfers.items() if res in self.shown)
        self.picture = Image.open(run.file("virtio-gpu.png")).convert("RGB")
        self.size = "%dx%d" % self.picture.size

    def text(self, kernel):
        lines = ["# Weston across two GPUs", "",
                 f"- guest kernel: {self.run.file('kernel').read_text().strip()} ({kernel}), our virtio_gpu",
                 "- renders: bochs (card of QEMU's VGA), llvmpipe; shows: virtio-gpu",
                 f"- imported={'yes' if self.imported else 'no'}",
                 f"- bytes moved by TRANSFER commands for the imported buffers: {self.moved}",
                 f"- flips shown (SET_SCANOUT_BLOB): {sum(self.shown.values())}, frames flushed: {self.commands['res_flush']}",
                 f"- notifications of the control queue: {self.counters['control_kicks']}, "
                 f"interrupts: {self.counters['control_interrupts']}",
                 f"- picture: virtio-gpu.png, {self.size}", "",
                 "| buffer on the head | entries | bytes | flips |", "|---|---|---|---|"]
        for res, flips in sorted(self.shown.items()):
            fields = self.resources.get(res, {})
            lines.append(f"| blob {res} | {fields.get('entries', 'gone')} | {fields.get('size', 'gone')} | {flips} |")
        lines += ["", "| command, as QEMU saw it | times |", "|---|---|"]
        lines += [f"| {name} | {count} |" for name, count in sorted(self.commands.items())]
        lines += ["", "Negotiated: " + ", ".join(f"{name}={value}" for name, value in self.features.items()), ""]
        return "\n".join(lines)


def test_guest(run):
    run.check_end()


def test_imported(report):
    assert report.imported, "no resource with memory=imported on a framebuffer with imported=yes"


def test_shown_in_place(report, record_property):
    record_property("figure", f"{len(report.shown)} blobs on the scanout")
    assert report.shown


def test_no_transfer(report, record_property):
    record_property("figure", f"{report.moved} bytes")
    assert report.moved == 0
    assert not set(report.transfers) & set(report.shown)


def test_frames(report, record_property):
    flushes = report.commands["res_flush"]
    record_property("figure", f"{flushes} flushes")
    assert flushes >= 10


@pytest.mark.parametrize("counter", ["blob_fallbacks", "control_errors"])
def test_host_rejects_nothing(report, counter):
    assert report.counters[counter] == "0"


def test_picture(report, record_property):
    """There is a desktop in the picture."""
    colours = len(set(report.picture.resize((160, 100), Image.NEAREST).getdata()))
    record_property("figure", f"{report.size}, {colours} colours in a sample")
    assert colours >= 20
