# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Count what things cost, ours against the in-tree driver, in one run.

Both drivers do the same (tools/testing/uapi/bench.c) in the same guest on the 7.3
kernel. Commands, notifications and interrupts are counted in QEMU's trace, guest
instructions by a TCG plugin (insn-plugin.c), the host's copies and scatter lists by a
preloaded library (qemu-preload.c). QEMU runs with -icount, so that the guest's time goes by
instructions too and has nothing to do with this machine's. Leaves table.md,
counts.json, plot.svg and a CSV file for each table in build/bench.

Fails where ours costs more than the in-tree driver, or misses a goal.
"""

import argparse
import bisect
import collections
import json
import os
import pathlib
import re
import subprocess
import sys

import report
from vgpuvm import logs

TOP = pathlib.Path(__file__).resolve().parents[2]
OUT = TOP / "build/bench"
GUIDE = TOP / "Documentation/gpu/virtio-gpu/bench"
QEMU_PRELOAD, INSN_PLUGIN = OUT / "qemu-preload.so", OUT / "insn-plugin.so"
KERNEL = "7.3"
# Guests whose QEMU takes plugins of another kind, and whose resources are the host's memory:
# only its trace is of use.
TRACED = ("venus",)

# Guests (sets of tools/testing/uapi/run-selftests), and what is counted in each.
COMMON = "flip-1 flip-2 flip-4 dirty-64 cursor-moves cursor-images cursor-storm dumb-1080 dumb-2160 shown-1080 shown-2160 clients-16"
VSYNC = [f"vsync-{period}-{outputs}" for period in (0, 6.94, 13.3, 16.67, 16.68, 33.3, 40) for outputs in (1, 4)]
CASES = {
    "surface": COMMON,
    "blob": " ".join((COMMON, "held-0-1 held-8-1 held-40-1 held-0-4 held-8-4 held-40-4 idle", *VSYNC)),
    "count": " ".join(("flip-1-imported flip-2-imported flip-4-imported flip-1080-imported flip-2160-imported "
                       "import-1080 import-2160 moves", *(case + "-imported" for case in VSYNC))),
    "fragmented": "dumb-1080 dumb-2160 shown-1080 shown-2160",
    "virgl": "exec-empty exec-64 exec-wait",
    "venus": "blob-maps blob-unused blob-used",
}
# Enough to notice a change for the worse, in two minutes.
BRIEF = {
    "blob": "flip-1 flip-4 held-40-4 idle vsync-16.68-1 vsync-40-4 dumb-2160 shown-2160",
    "count": "flip-4-imported vsync-13.3-1-imported moves",
    "virgl": "exec-64 exec-wait",
}
PREFIX = {"fragmented": "-f "}
# The console's blinking cursor is redrawn, and keeps vblanks of its own going.
QUIET = "vt.global_cursor_default=0"
# The import cases have a page in each entry, which is more than udmabuf takes by default.
ENVIRONMENT = {"count": {"VIRTGPU_UDMABUF_LIST_LIMIT": "16384"}}


def build():
    subprocess.run(["make", "-s", "-C", TOP / "tools/bench", f"O={OUT}", f"PLUGIN={TOP / 'build/plugin'}"], check=True)


def pinned(live, name, args):
    """Follow what memory the guest has given to the host: bytes by resource."""
    field = dict(re.findall(r"(\w+) (\w+)", args))
    resource = field.get("res")
    if name == "virtio_gpu_cmd_res_create_blob":
        live[resource] = int(field["size"])
    elif name == "virtio_gpu_cmd_res_create_2d":
        live[resource] = -int(field["w"]) * int(field["h"]) * 4     # once it is attached
    elif name == "virtio_gpu_cmd_res_back_attach" and resource in live:
        live[resource] = abs(live[resource])
    elif name in ("virtio_gpu_cmd_res_unref", "virtio_gpu_cmd_res_back_detach"):
        live.pop(resource, None)
    return sum(size for size in live.values() if size > 0)


def read_trace(path):
    """{case: {figure: total}} of what QEMU wrote down between the marks of each case."""
    with open(path, errors="replace") as lines:
        trace = list(logs.events(lines))
    devices, live, now, found, inside = logs.gpu_devices(trace), {}, 0, {}, None
    # "vdev DEVICE n NUMBER vq QUEUE"; what is answered on them are commands, whatever they are.
    queues = {args.split()[5] for name, args in trace
              if name == "virtio_queue_notify" and args.split()[1] in devices}
    for name, args in trace:
        if name.startswith("virtio_gpu_cmd_res"):
            now = pinned(live, name, args)
        mark = re.fullmatch(re.escape(logs.MARK) + r"bench-(.*)-(start|end)", name)
        if mark:
            inside = None
            if mark[2] == "start":
                inside = found[mark[1]] = dict.fromkeys(report.FIGURES, 0)
                inside["pinned"] = now // report.PAGE
            continue
        if inside is None:
            continue
        inside["pinned"] = max(inside["pinned"], now // report.PAGE)
        if name in ("virtio_queue_notify", "virtio_notify"):
            if args.split()[1] in devices:
                inside["notifications" if name == "virtio_queue_notify" else "interrupts"] += 1
        elif name == "virtqueue_fill":
            inside["commands"] += args.split()[1] in queues
        elif name == "bench_entries":
            inside["entries"] += int(args)
        elif name == "bench_copied":
            inside["copied"] += int(args)
        elif name == "bench_insns":
            inside["instructions"] = int(args)
    return found


def read_notes(text):
    """{case: {name: number}} of the guest's "bench" lines; only cases that passed."""
    found, notes = {}, {}
    for line in text.splitlines():
        note = re.match(r"# bench (.*)", line)
        result = re.match(r"(not ok|ok) \d+ - \w+: bench/(\S+)(.*)", line)
        if note:
            notes |= {name: float(value) if "." in value else int(value)
                      for name, value in re.findall(r"(\w+)=([\d.]+)", note[1])}
        elif result:
            if result[1] == "ok" and "times" in notes:
                found[result[2]] = notes
            notes = {}
    return found


def functions(folder):
    """[(function, instructions)] of a profile, most instructions first."""
    names = []
    for line in (folder / "kallsyms").read_text().splitlines():
        address, kind, *name = line.split()
        if kind in "tTwW":
            names.append((int(address, 16), " ".join(name)))
    names.sort()
    starts, spent = [address for address, _ in names], collections.Counter()
    for line in (folder / "profile").read_text().splitlines():
        address, times, instructions = line.split()
        at = bisect.bisect(starts, int(address, 16)) - 1
        spent[names[at][1] if at >= 0 else report.USER] += int(times) * int(instructions)
    return spent.most_common()


def measure(driver, module, name, cases, profile=False):
    """{case: {figure: for each time}} of a guest; cases that did not pass are missing."""
    vm = TOP / f"build/vm/uapi-{KERNEL}-{name}"
    plugin = "" if name in TRACED else f"-plugin {INSN_PLUGIN}" + (f",profile={vm / 'profile'}" if profile else "")
    patterns = PREFIX.get(name, "") + " ".join(f"bench/{case}" for case in cases.split())
    done = subprocess.run(
        [TOP / "tools/testing/uapi/run-selftests", KERNEL, "--module", module, "--set", name, f"--cases={patterns}",
         "--vm=--accel=tcg", "--vm=--smp=1", "--vm=--trace=gpu", "--vm=--trace=virtqueue_fill", "--vm=--udmabuf=fake", f"--vm=--preload={QEMU_PRELOAD}",
         f"--vm=--qemu={plugin} -d guest_errors,plugin -icount shift=1,sleep=off",
         f"--vm=--append={QUIET}{' virtgpu_profile' if profile else ''}"],
        env=os.environ | ENVIRONMENT.get(name, {}), stdout=subprocess.PIPE, text=True)
    (OUT / f"{name}-{driver}.tap").write_text(done.stdout)
    notes, found = read_notes(done.stdout), {}
    for case, counts in read_trace(vm / "trace.log").items():
        if case not in notes:
            continue
        times = notes[case].pop("times")
        found[case] = {figure: total if figure in report.NOT_EACH else total / times
                       for figure, total in counts.items() if name not in TRACED or figure in report.TRACED} | notes[case]
        if "worker" in found[case]:
            found[case]["longest"] = max(found[case]["ioctl"], found[case]["worker"])
            found[case]["rate"] = 1e6 / found[case]["frame"]
        if profile:
            found[case]["profile"] = {function: spent / times for function, spent in functions(vm)}
    return found


def profiles(drivers, name, case):
    """{driver: {function: instructions}} of one case."""
    return {driver: measure(driver, module, name, case, True)[case]["profile"] for driver, module in drivers.items()}


def main():
    ap = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                 epilog="example: tools/bench/bench --module build/tree-7.3/drivers/gpu/drm/virtio/virtio_gpu.ko --brief")
    ap.error = lambda message: ap.exit(2, f"{ap.prog}: {message}\n")
    ap.add_argument("--module", required=True, help="our virtio_gpu.ko for the 7.3 kernel")
    ap.add_argument("--brief", action="store_true", help="a few cases")
    ap.add_argument("--set", choices=CASES, help="the cases of this guest")
    ap.add_argument("--cases", help="of this guest only these")
    ap.add_argument("--profile", action="store_true", help="where one case of one guest spends its instructions; nothing else")
    ap.add_argument("--document", action="store_true", help="put the tables and the plot into the guide")
    args = ap.parse_args()
    drivers = {"ours": args.module, "baseline": "baseline"}
    plan = {args.set: args.cases or CASES[args.set]} if args.set else BRIEF if args.brief else CASES

    build()
    if args.profile:
        if not args.cases or len(args.cases.split()) != 1:
            ap.error("--profile takes one case")
        print("\n".join(report.profile(**profiles(drivers, args.set, args.cases))))
        return 0

    counts, missing = {driver: {} for driver in drivers}, False
    for name, cases in plan.items():
        for driver, module in drivers.items():
            found = measure(driver, module, name, cases)
            counts[driver] |= {f"{name}: {case}": figures for case, figures in found.items()}
            for case in set(cases.split()) - set(found):
                missing = True
                print(f"not ok - {name}: {case}: counted # not with {driver}: see {OUT / f'{name}-{driver}.tap'}")
    for each in report.PROFILED if plan is CASES else ():
        for driver, functions in profiles(drivers, *each.split(": ")).items():
            counts[driver][each]["parts"] = report.parts(functions)
    (OUT / "counts.json").write_text(json.dumps(counts, indent=1) + "\n")
    (OUT / "table.md").write_text("\n".join(report.markdown(**counts)) + "\n")
    report.write(OUT, **counts)
    if args.document:
        report.write(GUIDE, **counts)
    return not report.judge(**counts) or missing


sys.exit(main())
