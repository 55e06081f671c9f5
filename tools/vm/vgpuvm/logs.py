# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Reads what a guest left behind: the kernel's warnings, and QEMU's trace."""

import json
import re
from collections import Counter

_KERNEL_WARNINGS = re.compile("|".join((
    r"\bWARNING: ", r"\bBUG: ", r"\bBUG at ", r"\bOops\b", r"Kernel panic", r"general protection fault",
    r"[Uu]nable to handle", r"\bKASAN\b.*: ", r"\bUBSAN: ", r"\bODEBUG: ", r"\bDMA-API: ", r"\bkmemleak: [1-9]",
    r"\*ERROR\*", r"refcount_t: ", r"list_(add|del) corruption", r"sleeping function called", r"scheduling while atomic",
    r"suspicious RCU", r"possible (circular|recursive) locking", r"inconsistent lock state", r"INFO: task .* blocked",
    r"soft lockup", r"hard LOCKUP", r"rcu.*(stall|INFO)", r"response 0x12", r"wait timed out",
    r"Unknown symbol", r"disagrees about version", r"page allocation failure", r"Out of memory",
)))

# Said at every boot of a kernel with these checks.
_HARMLESS = re.compile(r"DMA-API: (preallocated|debugging enabled)|kasan: KernelAddressSanitizer initialized")


# The console's worker gives a vblank a second, real time. A guest in emulation, on a host that
# is busy with others, may have one processor stand still for as long while the other runs.
STARVED = (r"vblank wait timed out on crtc", r"WARNING: .*\bdrm_(crtc_)?wait_one_vblank\b")


def kernel_warnings(text, ignore=()):
    """The lines of a kernel log in which the kernel reports something wrong.

    ignore: regular expressions of lines that are known and accepted.
    """
    accepted = [re.compile(pattern) for pattern in ignore]
    return [line for line in text.splitlines()
            if _KERNEL_WARNINGS.search(line) and not _HARMLESS.search(line)
            and not any(pattern.search(line) for pattern in accepted)]


# ---- the trace: one event a line, "[pid@]seconds.micros:event args" -------------

MARK = "mark:"
_EVENT = re.compile(r"^(?:\d+@)?(?:[\dT:.+-]+Z? ?:?)?\s*([a-z]\w*) (.*)$")


def events(lines):
    """(event, arguments) of each line of a trace; a mark is the event "mark:TEXT"."""
    for line in lines:
        match = _EVENT.match(line)
        if not match:
            continue
        name, args = match.groups()
        if name == "handle_qmp_command":
            marked = re.search(r'"property": "' + MARK + r'((?:[^"\\]|\\.)*)"', args)
            if not marked:
                continue
            name, args = MARK + json.loads(f'"{marked.group(1)}"'), ""
        yield name, args


def gpu_devices(trace):
    """The virtio devices (QEMU's pointers, in order) whose driver was loaded by load-gpu."""
    devices, inside = [], False
    for name, args in trace:
        if name in (MARK + "vm:load", MARK + "vm:loaded"):
            inside = name.endswith(":load")
        elif inside and name == "virtio_set_status":
            device = args.split()[1]
            if device not in devices:
                devices.append(device)
    return devices


def counts(path, start=None, end=None):
    """How often each event happened between two marks (or from the beginning, to the end).

    Of the events that every virtio device has, only the gpu's are counted:
    "virtio_queue_notify" with the queue's number (0 control, 1 cursor), and
    "virtio_notify". With several gpus the later ones have ".1", ".2" behind.
    """
    with open(path, errors="replace") as lines:
        trace = list(events(lines))
    devices = gpu_devices(trace)
    total, inside = Counter(), start is None
    for name, args in trace:
        if name.startswith(MARK):
            if name == MARK + str(start):
                inside, total = True, Counter()
            elif inside and name == MARK + str(end):
                return dict(total)
            continue
        if not inside:
            continue
        if name in ("virtio_queue_notify", "virtio_notify"):
            words = args.split()
            if words[1] not in devices:
                continue
            number = devices.index(words[1])
            name += (" " + words[3] if name == "virtio_queue_notify" else "") + (f".{number}" if number else "")
        total[name] += 1
    if start is not None and not inside:
        raise ValueError(f"no mark {start!r} in the trace")
    if end is not None:
        raise ValueError(f"no mark {end!r} in the trace after {start!r}")
    return dict(total)
