# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Build the stress tests, run a set of them in a guest, print TAP."""

import argparse
import pathlib
import shutil
import sys

from vgputest import guests
from vgputest.guests import BUILD, IOMMU

HERE = pathlib.Path(__file__).resolve().parent

TWO = "virtio-gpu-pci,max_outputs=2"
BLOB = TWO + ",blob=true"
ON_PORTS = ["--ports", "--mem", "3G"]
# Firmware that can sleep, and a disk to hibernate to.
SLEEPS = ["--serial", "--qemu=-global ICH9-LPC.disable_s3=0", "--trace", "gpu", "--ivshmem", "64M",
          "--qemu=-drive if=none,id=swap,snapshot=on,format=raw,file.driver=null-co,file.size=1G,file.read-zeroes=on "
          "-device virtio-blk-pci,drive=swap"]
KMEMLEAK = ["--append", "kmemleak=on"]

# What a guest has, and what is run in it.
SETS = {
    "unplug": ([*KMEMLEAK, "--gpu", BLOB], "guest-stress unplug/notices-* unplug/unbind unplug/pci-remove"),
    "unplug-surface": ([*KMEMLEAK, "--gpu", TWO], "guest-stress unplug/unbind"),
    "unplug-platform": ([*IOMMU, "--gpu", BLOB + ",iommu_platform=on"], "guest-stress unplug/unbind unplug/pci-remove"),
    "unplug-ports": ([*KMEMLEAK, *ON_PORTS, *["--gpu", BLOB] * 10], "guest-stress unplug/eject"),
    "unplug-weston": (["--udev", "--vga", "bochs", "--gpu", BLOB], "guest-weston"),
    "suspend": ([*SLEEPS, "--gpu", BLOB], "guest-stress -a suspend/s3-dumb suspend/s3-ram suspend/s3-busy"),
    "suspend-more": ([*SLEEPS, "--gpu", BLOB], "guest-stress -a suspend/devices-* suspend/platform-* suspend/s3-static suspend/s3-vram "
                                               "suspend/s3-unseen"),
    "suspend-surface": ([*SLEEPS, "--gpu", TWO], "guest-stress -a suspend/s3-dumb suspend/s3-busy"),
    "suspend-3d": ([*SLEEPS, "--gl", "--gpu", "virtio-gpu-gl-pci"], "guest-stress -a suspend/s3-context"),
    "hibernate": ([*SLEEPS, "--gpu", BLOB], "guest-stress -a suspend/s4-ram suspend/s4-busy"),
    "hibernate-more": ([*SLEEPS, "--gpu", BLOB], "guest-stress -a suspend/s4-dumb"),
    "hibernate-surface": ([*SLEEPS, "--gpu", TWO], "guest-stress -a suspend/s4-dumb"),
    # The folders that are shared with the host cannot be saved.
    "clock": (["--serial", "--gpu", BLOB], "guest-stress -a clock/*"),
    "clock-surface": (["--serial", "--gpu", TWO], "guest-stress -a clock/*"),
    "fuzz": (["--gpu", BLOB], "guest-stress fuzz/*"),
    "faults": ([*KMEMLEAK, "--gpu", BLOB], "guest-stress faults/*"),
    "faults-surface": ([*KMEMLEAK, "--gpu", TWO], "guest-stress faults/*"),
}


def build(kernel):
    """A folder with all that the guest needs."""
    share = BUILD / f"stress/{kernel}"
    share.mkdir(parents=True, exist_ok=True)
    files = guests.build_programs(kernel)
    guests.make(["make", "-s", "-C", HERE, f"O={BUILD / 'stress'}", f"UAPI={BUILD / 'uapi'}",
                 f"SYSROOT={BUILD / 'image/root'}"])
    for file in (*files, BUILD / "stress/virtgpu-stress", HERE / "guest-stress", HERE / "guest-weston"):
        shutil.copy2(file, share)
    return share


def run_set(tap, name, options, share):
    vm_options, command = SETS[name]
    command, *cases = command.split()
    if options.cases:
        cases = [word for word in cases if word.startswith("-")] + [options.cases]
    script = share / f"run-{name}"
    settings = "".join(f"export {setting}\n" for setting in options.env)
    # From memory: the shared folders may be taken away.
    script.write_text(f"#!/bin/sh\nset -f\n{settings}cp $VM_SHARE/{command} /run/vm/stress\ncd /\n"
                      f"exec /run/vm/stress {' '.join(cases)}\n")
    guests.run_guest(tap, name, [script, "--kernel", options.kernel, "--module", options.module, "--share", share,
                                 "--timeout", options.timeout, *vm_options, *options.vm],
                     BUILD / f"vm/stress-{options.kernel}-{name}")


def main():
    top = argparse.ArgumentParser(prog="run-stress", description=__doc__,
                                  epilog="example: tools/testing/stress/run-stress lts --set unplug --env VIRTGPU_ITERATIONS=2")
    top.error = lambda message: top.exit(2, f"{top.prog}: {message}\n")
    top.add_argument("kernel", choices=("lts", "7.3", "7.3-debug"))
    top.add_argument("--module", help="virtio_gpu.ko, or baseline; default: what was built")
    top.add_argument("--set", action="append", choices=list(SETS), help="default: all; may be repeated")
    top.add_argument("--cases", help="patterns instead of the set's own")
    top.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="for the cases: VIRTGPU_ITERATIONS, ...")
    top.add_argument("--timeout", default="900", help="of each guest, in seconds")
    top.add_argument("--vm", action="append", default=[], metavar="ARG", help="for vm run (--vm=--verbose)")
    options = top.parse_args()
    options.module = options.module or guests.driver(options.kernel)

    tap = guests.Tap()
    share = build(options.kernel)
    for name in options.set or SETS:
        run_set(tap, name, options, share)
    print(f"1..{tap.number}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
