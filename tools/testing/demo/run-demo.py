# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The main job: Weston across two GPUs, shown by virtio-gpu without a copy.

Boots a guest with QEMU's VGA (bochs: renders) and virtio-gpu (shows), runs Weston on
both, and leaves a screenshot of the virtio-gpu head and a report in --out. Fails unless the
report has: buffers imported and shown in place, no transfer of any of them, flips, a
desktop in the screenshot, no kernel warning.
"""

import argparse
import pathlib
import re
import subprocess
import sys
from collections import Counter

from PIL import Image

from vgpuvm import logs

TOP = pathlib.Path(__file__).resolve().parents[3]
HERE = pathlib.Path(__file__).resolve().parent


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

    def __init__(self, out):
        self.out = out
        self.commands, self.shown, self.transfers = Counter(), Counter(), Counter()
        with open(out / "trace.log", errors="replace") as lines:
            trace = list(logs.events(lines))
        for name, args in between_marks(trace, "weston", "shown"):
            if name.startswith(("virtio_gpu_cmd_", "virtio_gpu_update_cursor", "virtio_gpu_move_cursor")):
                self.commands[name.removeprefix("virtio_gpu_").removeprefix("cmd_")] += 1
            if name == "virtio_gpu_cmd_set_scanout_blob":
                self.shown[number(args, "res")] += 1
            if name == "virtio_gpu_cmd_res_xfer_toh_2d":
                self.transfers[number(args, "res")] += 1
        self.shown.pop(0, None)
        self.state = (out / "state").read_text()
        self.resources = {}
        for line in (out / "resources").read_text().splitlines():
            fields = dict(re.findall(r"(\w+)=(\S+)", line))
            if "id" in fields:
                self.resources[int(fields["id"])] = fields
        self.counters = dict(re.findall(r"^(\w+): (\d+)$", (out / "counters").read_text(), re.M))
        self.features = dict(re.findall(r"^(\w[\w ]*?) *: (.+)$", (out / "features").read_text(), re.M))

    def imported(self):
        return "memory=imported" in self.state and "imported=yes" in self.state

    def moved_bytes(self):
        """Bytes that TRANSFER commands moved for the buffers shown, an upper bound."""
        return sum(count * int(self.resources.get(res, {}).get("size", 0))
                   for res, count in self.transfers.items() if res in self.shown)

    def picture(self):
        image = Image.open(self.out / "virtio-gpu.png").convert("RGB")
        return image.size, len(set(image.resize((160, 100), Image.NEAREST).getdata()))

    def checks(self):
        size, colours = self.picture()
        flushes = self.commands["res_flush"]
        yield "the buffers shown are imported", self.imported(), "memory=imported"
        yield "they are shown in place", bool(self.shown), f"{len(self.shown)} blobs on the scanout"
        yield "no transfer of them", self.moved_bytes() == 0 and not set(self.transfers) & set(self.shown), \
            f"{self.moved_bytes()} bytes"
        yield "frames were shown", flushes >= 10, f"{flushes} flushes"
        yield "the host refused nothing", self.counters["blob_fallbacks"] == "0" and \
            self.counters["control_errors"] == "0", "0 errors, 0 fallbacks"
        yield "there is a desktop in the picture", colours >= 20, f"{size[0]}x{size[1]}, {colours} colours in a sample"

    def text(self, kernel):
        size, _ = self.picture()
        lines = ["# Weston across two GPUs", "",
                 f"- guest kernel: {(self.out / 'kernel').read_text().strip()} ({kernel}), our virtio_gpu",
                 "- renders: bochs (card of QEMU's VGA), llvmpipe; shows: virtio-gpu",
                 f"- imported={'yes' if self.imported() else 'no'}",
                 f"- bytes moved by TRANSFER commands for the imported buffers: {self.moved_bytes()}",
                 f"- flips shown (SET_SCANOUT_BLOB): {sum(self.shown.values())}, "
                 f"frames flushed: {self.commands['res_flush']}",
                 f"- notifications of the control queue: {self.counters['control_kicks']}, "
                 f"interrupts: {self.counters['control_interrupts']}",
                 f"- picture: virtio-gpu.png, {size[0]}x{size[1]}", "",
                 "| buffer on the head | entries | bytes | flips |", "|---|---|---|---|"]
        for res, flips in sorted(self.shown.items()):
            fields = self.resources.get(res, {})
            lines.append(f"| blob {res} | {fields.get('entries', 'gone')} | {fields.get('size', 'gone')} | {flips} |")
        lines += ["", "| command, as QEMU saw it | times |", "|---|---|"]
        lines += [f"| {name} | {count} |" for name, count in sorted(self.commands.items())]
        lines += ["", "Negotiated: " + ", ".join(f"{name}={value}" for name, value in self.features.items()), ""]
        return "\n".join(lines)


def main():
    ap = argparse.ArgumentParser(prog="run-demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                 epilog="example: tools/testing/demo/run-demo --module build/modules/lts/drivers/gpu/drm/virtio/virtio_gpu.ko")
    ap.error = lambda message: ap.exit(2, f"{ap.prog}: {message}\n")
    ap.add_argument("--kernel", default="lts", help="guest kernel, see tools/vm/vm (default: lts)")
    ap.add_argument("--module", required=True, help="virtio_gpu.ko for it")
    ap.add_argument("--out", type=pathlib.Path, default=TOP / "build/demo", help="default: build/demo")
    args = ap.parse_args()

    status = subprocess.run(
        [TOP / "tools/vm/vm", "run", "--kernel", args.kernel, "--module", args.module, "--udev", "--vga", "bochs",
         "--gpu", "virtio-gpu-pci,blob=true", "--trace", "gpu", "--timeout", "600", "--out", args.out,
         "-v", HERE / "guest-demo"]).returncode
    if status:
        print(f"not ok - the guest ran # status {status}, see {args.out}")
        return 1
    print("ok - the guest ran without a kernel warning")

    report = Report(args.out)
    (args.out / "report.md").write_text(report.text(args.kernel))
    failed = False
    for name, good, figure in report.checks():
        print(f"{'ok' if good else 'not ok'} - {name} # {figure}")
        failed |= not good
    print("#")
    for line in report.text(args.kernel).splitlines():
        print(f"# {line}")
    return failed


sys.exit(main())
