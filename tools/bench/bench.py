# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What is counted of which cases, and where the counts come from; the test is test_bench.py.

Both drivers do the same (tools/testing/uapi/bench.c) in the same guest on the 7.3
kernel. Commands, notifications and interrupts are counted in QEMU's trace, guest
instructions by a TCG plugin (insn-plugin.c), the host's copies and scatter lists by a
preloaded library (qemu-preload.c). QEMU runs with -icount, so that the guest's time goes by
instructions too and has nothing to do with this machine's.
"""

import bisect
import collections
import re

import report
from vgpuvm import logs

KERNEL = "7.3"
# Guests (of test_uapi.py), and what is counted in each.
COMMON = "flip-1 flip-2 flip-4 dirty-64 cursor-moves cursor-images cursor-storm dumb-1080 dumb-2160 shown-1080 shown-2160 clients-16"
VSYNC = [f"vsync-{period}-{outputs}" for period in (0, 6.94, 13.3, 16.67, 16.68, 33.3, 40) for outputs in (1, 4)]
CASES = {
    "surface": COMMON + " flip-clip flip-clips",
    "blob": " ".join((COMMON, "held-0-1 held-8-1 held-40-1 held-0-4 held-8-4 held-40-4 idle", *VSYNC)),
    "count": " ".join(("flip-1-imported flip-2-imported flip-4-imported flip-1080-imported flip-2160-imported "
                       "flip-1080-reimported flip-2160-reimported "
                       "import-1080 import-2160 moves", *(case + "-imported" for case in VSYNC))),
    "fragmented": "dumb-1080 dumb-2160 shown-1080 shown-2160",
    "virgl": "exec-empty exec-64 exec-wait",
    "venus": "blob-maps blob-unused blob-used",
}
# Enough to notice a change for the worse, in two minutes.
BRIEF = {
    "surface": "flip-clip flip-clips",
    "blob": "flip-1 flip-4 held-40-4 idle vsync-16.68-1 vsync-40-4 dumb-2160 shown-2160",
    "count": "flip-4-imported flip-1080-reimported vsync-13.3-1-imported",
    "virgl": "exec-64 exec-wait",
}


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
        if mark := re.fullmatch(re.escape(logs.MARK) + r"bench-(.*)-(start|end)", name):
            inside = found.setdefault(mark[1], dict.fromkeys(report.FIGURES, 0)) if mark[2] == "start" else None
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


def read_notes(lines):
    """{name: number} of a case's "bench" lines."""
    return {name: float(value) if "." in value else int(value) for line in lines if line.startswith("# bench ")
            for name, value in re.findall(r"(\w+)=([\d.]+)", line)}


def count(guest, run):
    """{case: {figure: for each time}} of a run of a guest; only cases that passed."""
    found = {}
    for name, totals in read_trace(run.file("trace.log")).items():
        case, result = f"{guest}: {name}", run.cases.get(f"bench/{name}")
        notes = read_notes(result.lines) if result and result.ok else {}
        if "times" not in notes:
            continue
        times = notes.pop("times")
        found[case] = {figure: total if figure in report.NOT_EACH else total / times
                       for figure, total in totals.items() if figure in report.figures(case)} | notes
        if "worker" in notes:
            found[case] |= {"longest": max(notes["ioctl"], notes["worker"]), "rate": 1e6 / notes["frame"]}
    return found


def functions(run, case):
    """{function: instructions, each time} of the profile of a run of one case, most instructions first."""
    names = []
    for line in run.file("kallsyms").read_text().splitlines():
        address, kind, *name = line.split()
        if kind in "tTwW":
            names.append((int(address, 16), " ".join(name)))
    names.sort()
    starts, spent = [address for address, _ in names], collections.Counter()
    for line in run.file("profile").read_text().splitlines():
        address, times, instructions = line.split()
        at = bisect.bisect(starts, int(address, 16)) - 1
        spent[names[at][1] if at >= 0 else report.USER] += int(times) * int(instructions)
    times = read_notes(run.cases[f"bench/{case}"].lines)["times"]
    return {function: instructions / times for function, instructions in spent.most_common()}
