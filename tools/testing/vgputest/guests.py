# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Runs tests in guests: builds what the guests need, boots them, and prints their TAP."""

import json
import pathlib
import re
import shlex
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[3]
BUILD = TOP / "build"
UAPI = TOP / "tools/testing/uapi"
PROGRAM = pathlib.Path(sys.argv[0]).stem
CASE = re.compile(r"^(not ok|ok) \d+ - (\S+)(.*)$")

# A guest whose devices are behind an IOMMU.
IOMMU = ["--qemu=-device intel-iommu", "--append", "intel_iommu=on"]


class Tap:
    """Prints results with their numbers, and counts those that failed."""

    def __init__(self):
        self.number = 0
        self.failed = 0

    def result(self, good, what, rest=""):
        self.number += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.number} - {what}{rest}", flush=True)

    def remark(self, text):
        print(f"# {text}", flush=True)


def driver(kernel):
    place = BUILD / ("modules/lts" if kernel == "lts" else f"tree-{kernel}") / "drivers/gpu/drm/virtio"
    found = sorted(place.glob("virtio[-_]gpu.ko"))
    if not found:
        sys.exit(f"{PROGRAM}: no module in {place.relative_to(TOP)}: build it, or give --module")
    return str(found[0])


def build_programs(kernel):
    kdir = BUILD / ("lts/kdir" if kernel == "lts" else f"kernel-{kernel}/tree")
    module = BUILD / f"modules/exporter-{kernel}"
    make(["make", "-s", "-C", UAPI, f"O={BUILD / 'uapi'}", f"SYSROOT={BUILD / 'image/root'}"])
    make([TOP / "tools/build-module", TOP / "tools/testing/exporter", kdir, module])
    return BUILD / "uapi/virtgpu-uapi", BUILD / "uapi/virtgpu-fragment", module / "virtgpu_exporter.ko"


def make(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}{PROGRAM}: {shlex.join(map(str, command))} failed")


def run_guest(tap, name, vm_options, out):
    """Boot a guest whose script prints TAP; what it printed goes to tap, with the name in front."""
    command = [TOP / "tools/vm/vm", "run", *vm_options, "--out", out]
    vm = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log = out / "script.log"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    planned, seen, screenshots = 0, 0, False
    for line in lines:
        case = CASE.match(line)
        if case:
            seen += 1
            tap.result(case.group(1) == "ok", f"{name}: {case.group(2)}", case.group(3))
        elif line.startswith("1.."):
            planned = int(line[3:])
        elif not line.startswith("TAP "):
            screenshots = screenshots or line.startswith("# screenshot ")
            tap.remark(line.removeprefix("# "))
    if not planned or seen != planned:
        tap.remark(f"see {out.relative_to(TOP)}: {vm.stdout.strip()}")
        tap.result(False, f"{name}: {seen} of {planned} cases ended")
    elif vm.returncode not in (0, 1, 123):
        tap.remark(vm.stdout.strip())
        tap.result(False, f"{name}: guest ended with status {vm.returncode}")
    if screenshots:
        check_screenshots(tap, name, log, out)
    report = out / "result.json"
    warnings = json.loads(report.read_text())["kernel_warnings"] if report.exists() else ["no report"]
    for line in warnings[:20]:
        tap.remark(line)
    tap.result(not warnings, f"{name}: no kernel warnings")


def check_screenshots(tap, name, log, out):
    check = subprocess.run([TOP / "tools/testing/check-screenshots", log, out], stdout=subprocess.PIPE, text=True)
    bad = [line for line in check.stdout.splitlines() if not line.startswith(("ok ", "1.."))]
    for line in bad:
        tap.remark(line.removeprefix("# "))
    count = sum(1 for line in check.stdout.splitlines() if line.startswith("ok "))
    tap.result(check.returncode == 0, f"{name}: screenshots", f" # {count} are right")
