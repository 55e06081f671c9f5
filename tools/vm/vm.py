# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Boot a guest, run a script in it, collect logs, results and screenshots."""

import argparse
import pathlib
import sys

from vgpuvm import Problem, logs

EPILOG = """\
In the guest the script runs as root in $VM_OUT, which is --out on the host;
--share is $VM_SHARE. Its helpers: "host" (screenshots, marks, counts, outputs:
see "host --help") and "load-gpu" (the driver under test, if --no-load was given).

--out holds afterwards: script.log, console.log and dmesg.log (the guest's kernel),
trace.log (QEMU's events and its messages about the guest), qemu.log, qemu.txt
(the command line), result.json, and what the script wrote.

The exit status is the script's, or 123: it passed, but the kernel printed a warning;
124: timeout; 125: the guest died; 126: the host cannot run it.

example: tools/vm/vm run --kernel lts --module baseline --gpu virtio-gpu-pci -v tools/testing/guest/smoke
"""


def parser():
    top = argparse.ArgumentParser(prog="vm", description=__doc__,
                                  epilog="example: tools/vm/vm run --kernel lts --module baseline --gpu virtio-gpu-pci -v tools/testing/guest/smoke")
    top.error = lambda message: top.exit(2, f"{top.prog}: {message}\n")
    commands = top.add_subparsers(dest="command", required=True)

    run = commands.add_parser("run", help="boot a guest and run a script in it", epilog=EPILOG,
                              formatter_class=argparse.RawDescriptionHelpFormatter)
    run.add_argument("script", nargs="?", default="", metavar="SCRIPT", help="runs as root in the guest")
    run.add_argument("--kernel", default="lts", metavar="lts|7.3|7.3-debug|DIR", help="default: lts")
    run.add_argument("--module", default="none", metavar="FILE|baseline|none", help="virtio_gpu.ko, or the kernel's own driver")
    run.add_argument("--params", default="", help="module parameters")
    run.add_argument("--no-load", dest="load", action="store_false", help="the script loads the module (load-gpu)")
    run.add_argument("--root", default="", metavar="DIR",
                     help="a folder of the host as the guest's root, read only, instead of the image; it has its own modules")
    run.add_argument("--line", default="", metavar="TEXT",
                     help="a command line for QEMU to start with (its disk, display and accelerator become those of here)")
    run.add_argument("--host", default="own", choices=("own", "3d"),
                     help="3d: QEMU 11 with Vulkan, from tools/setup host-3d; default: this machine's QEMU")
    run.add_argument("--machine", default="q35", help="q35, or microvm: virtio devices on MMIO (give -device devices)")
    run.add_argument("--vga", default="none", help="first graphics card: none, bochs, or a QEMU device such as virtio-vga")
    run.add_argument("--gpu", action="append", default=[], metavar="DEVICE",
                     help="such as virtio-gpu-pci,blob=true,max_outputs=2; may be repeated")
    run.add_argument("--ports", action="store_true", help="each of them on a PCIe port of its own, where the guest can eject it")
    run.add_argument("--serial", action="store_true",
                     help="talk to the guest over serial lines: Linux 7.3 loses virtio's ports when it sleeps")
    run.add_argument("--ivshmem", default="", metavar="SIZE", help="a PCI device with a memory BAR")
    run.add_argument("--udmabuf", default="host", choices=("host", "fake", "refuse"),
                     help="host: its device, or the fake one if the host has none; fake: always the fake one; refuse: a fake one that makes no buffer")
    run.add_argument("--preload", action="append", default=[], metavar="FILE",
                     help="a library to preload into QEMU; may be repeated")
    run.add_argument("--dbus", action="store_true", help="display over D-Bus: outputs can be plugged")
    run.add_argument("--gl", action="store_true",
                     help="display with OpenGL, which virtio-gpu-gl-pci and virtio-vga-gl need; on an X server without a screen")
    run.add_argument("--display", default="", help="any other QEMU display")
    run.add_argument("--mem", default="2G")
    run.add_argument("--smp", type=int, default=2)
    run.add_argument("--append", default="", metavar="ARGS", help="for the kernel's command line")
    run.add_argument("--qemu", action="append", default=[], metavar="ARGS", help="for QEMU's (--qemu='-x y'); may be repeated")
    run.add_argument("--accel", default="", help="default: kvm if it runs a guest here, else emulation")
    run.add_argument("--trace", action="append", default=[], metavar="EVENT",
                     help="QEMU trace events; gpu: those that host counts needs; may be repeated")
    run.add_argument("--timeout", type=float, default=300, metavar="S", help="default: 300")
    run.add_argument("--out", default="", metavar="DIR", help="emptied first; default: build/vm/last")
    run.add_argument("--share", default="", metavar="DIR", help="a folder of the host for the guest")
    run.add_argument("--udev", action="store_true", help="run udev in the guest")
    run.add_argument("--accept", action="append", default=[], metavar="REGEX", help="kernel warnings to accept")
    run.add_argument("--interactive", action="store_true", help="a shell on the serial console (leave: exit)")
    run.add_argument("-v", "--verbose", action="store_true", help="show the script's output as it comes")

    count = commands.add_parser("counts", help="events in a trace between two marks")
    count.add_argument("trace")
    count.add_argument("start", nargs="?")
    count.add_argument("end", nargs="?")

    check = commands.add_parser("kernel-warnings", help="the warnings in a kernel log; the exit status is 1 if there are any")
    check.add_argument("log")
    for each in (run, count, check):
        each.error = top.error
    return top


def run(options):
    from vgpuvm import machine
    del options.command
    result = machine.run(**vars(options))
    for line in result.kernel_warnings[:20]:
        print(f"vm: kernel: {line}", file=sys.stderr)
    if result.status:
        print(f"vm: {result.reason} (after {result.seconds} s; see {result.out})", file=sys.stderr)
    return result.status


def main():
    options = parser().parse_args()
    if options.command == "counts":
        for event, number in sorted(logs.counts(options.trace, options.start, options.end).items()):
            print(number, event)
        return 0
    if options.command == "kernel-warnings":
        found = logs.kernel_warnings(pathlib.Path(options.log).read_text(errors="replace"))
        print("\n".join(found))
        return 1 if found else 0
    return run(options)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Problem, ValueError, OSError) as problem:
        print(f"vm: {problem}", file=sys.stderr)
        sys.exit(126)
    except KeyboardInterrupt:
        sys.exit(130)
