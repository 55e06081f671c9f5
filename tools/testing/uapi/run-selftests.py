# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Build the user-space tests and the exporter, run them in guests, print TAP.

The screenshots that the tests take and the guest's log are checked on the host.
"""

import argparse
import pathlib
import shutil
import sys

from vgputest import guests
from vgputest.guests import BUILD, IOMMU

HERE = pathlib.Path(__file__).resolve().parent

# What a guest has, and which cases are run in it.
FOUR = "virtio-gpu-pci,max_outputs=4"
BLOB = FOUR + ",blob=true"
SETS = {
    "surface": (["--gpu", FOUR, "--trace", "gpu"],
                "dumb/* fdinfo/keys fdinfo/dumb addfb/* flip/* cursor/* output/*-one-commit count/flip-one count/flip-two count/flip-four count/cursor*"),
    "blob": (["--vga", "bochs", "--gpu", BLOB, "--trace", "gpu"],
             "dumb/* fdinfo/keys fdinfo/dumb fdinfo/meminfo fdinfo/charged addfb/* flip/* cursor/* output/*-one-commit count/flip-one count/flip-two count/flip-four count/cursor* entries/fresh"),
    "import": (["--vga", "bochs", "--gpu", BLOB, "--ivshmem", "64M"],
               "import/vgem import/bochs import/udmabuf import/dma-heap import/e* import/g* import/m* import/scatter import/self import/sizes "
               "import/again import/w* import/f* release/* fence/* fdinfo/imported-*"),
    "second": (["--gpu", BLOB, "--gpu", "virtio-gpu-pci"], "import/second-virtio-gpu"),
    "move": (["--gpu", BLOB, "--ivshmem", "64M"], "move/*"),
    "count": (["--gpu", BLOB, "--ivshmem", "64M", "--trace", "gpu"], "count/*-imported count/*-vram count/moves-*"),
    "hotplug": (["--dbus", "--gpu", BLOB], "output/hotplug"),
    "fragmented": (["--gpu", BLOB], "-f entries/fragmented"),
    "virgl": (["--gl", "--gpu", "virtio-gpu-gl-pci"], "render/* fdinfo/texture fdinfo/charged-submit dumb/sizes flip/events flip/dirty cursor/sizes"),
}

# The same driver on other devices and rings; not part of the default.
SHORT = "dumb/sizes flip/events flip/busy flip/dirty cursor/sizes cursor/storm import/exporter-static count/flip-one"
VARIANTS = {
    "packed": (["--gpu", BLOB + ",packed=on", "--trace", "gpu"], SHORT),
    "direct": (["--gpu", BLOB + ",indirect_desc=off,event_idx=off", "--trace", "gpu"], SHORT + " count/flip-four"),
    "platform": (IOMMU + ["--gpu", BLOB + ",iommu_platform=on", "--trace", "gpu"], SHORT + " import/vgem"),
    "platform-surface": (IOMMU + ["--gpu", FOUR + ",iommu_platform=on", "--trace", "gpu"], SHORT),
    "bypass": (IOMMU + ["--gpu", BLOB], "flip/events import/bypass"),
    "refused": (["--gpu", BLOB, "--udmabuf", "refuse", "--trace", "gpu"], SHORT + " import/vgem import/exporter-ram"),
    "heads": (["--gpu", "virtio-gpu-pci,blob=true,max_outputs=16", "--trace", "gpu"], SHORT),
    "virgl-platform": (IOMMU + ["--gl", "--gpu", "virtio-gpu-gl-pci,iommu_platform=on"], "render/* flip/events"),
    "venus": (["--host", "3d", "--gl", "--gpu", "virtio-gpu-gl-pci,blob=on,venus=on,hostmem=256M"],
              "render/* window/* fdinfo/host flip/events flip/dirty import/vgem import/udmabuf import/exporter-static import/exporter-ram"),
    "vga": (["--vga", "virtio-vga,blob=true", "--gpu", "none", "--trace", "gpu"], "flip/events flip/dirty cursor/storm"),
}


def build(kernel):
    """A folder with all that the guest needs."""
    share = BUILD / f"uapi/{kernel}"
    files = guests.build_programs(kernel)
    share.mkdir(parents=True, exist_ok=True)
    for file in (*files, HERE / "guest-selftests"):
        shutil.copy2(file, share)
    return share


def run_set(tap, name, options, share):
    vm_options, cases = {**SETS, **VARIANTS}[name]
    script = share / f"run-{name}"
    script.write_text(f"#!/bin/sh\nset -f\nexport VIRTGPU_MOVES={options.moves}\n"
                      f"exec $VM_SHARE/guest-selftests {options.cases or cases}\n")
    guests.run_guest(tap, name, [script, "--kernel", options.kernel, "--module", options.module, "--share", share,
                                 "--timeout", "900", *vm_options, *options.vm],
                     BUILD / f"vm/uapi-{options.kernel}-{name}")


def main():
    top = argparse.ArgumentParser(prog="run-selftests", description=__doc__,
                                  epilog='example: tools/testing/uapi/run-selftests lts --set blob --cases "flip/* cursor/*"')
    top.error = lambda message: top.exit(2, f"{top.prog}: {message}\n")
    top.add_argument("kernel", choices=("lts", "7.3", "7.3-debug"))
    top.add_argument("--module", help="virtio_gpu.ko, or baseline; default: what was built")
    top.add_argument("--set", action="append", choices=[*SETS, *VARIANTS],
                     help="default: all but the variants; may be repeated")
    top.add_argument("--variants", action="store_true", help="other rings, transports and hosts")
    top.add_argument("--cases", help="patterns instead of the set's own")
    top.add_argument("--moves", type=int, default=1000, metavar="N", help="length of the storms of moves")
    top.add_argument("--vm", action="append", default=[], metavar="ARG", help="for vm run (--vm=--verbose)")
    options = top.parse_args()
    options.module = options.module or guests.driver(options.kernel)

    tap = guests.Tap()
    share = build(options.kernel)
    for name in options.set or (VARIANTS if options.variants else SETS):
        run_set(tap, name, options, share)
    print(f"1..{tap.number}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
