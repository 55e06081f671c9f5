# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The kernels that a guest may run, and the initramfs that gets one to its disk."""

import lzma
import pathlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

from . import BUILD, GUEST, Problem

# What it takes to mount the disk and the shared folders, where it is not built in.
BOOT_MODULES = ("virtio_iommu", "virtio_pci", "virtio_mmio", "virtio_blk", "ext4", "9pnet_virtio", "9p", "virtio_console")


@dataclass
class Kernel:
    name: str
    image: pathlib.Path
    release: str
    root: pathlib.Path      # holds lib/modules/<release>
    machine: str            # QEMU's name of the processor

    @property
    def modules(self):
        return self.root / "lib/modules"


def find(name):
    """lts, 7.3, 7.3-debug, or a folder with vmlinuz, release, lib/modules, and machine if that is not x86_64."""
    known = BUILD / ("lts" if name == "lts" else f"kernel-{name}")
    root = known if known.exists() else pathlib.Path(name)
    if not (root / "vmlinuz").exists():
        what = "lts" if name == "lts" else f"kernel {name}"
        raise Problem(f"no kernel {name}: run tools/setup {what}, or give a folder with vmlinuz, release and lib/modules")
    root = root.resolve()
    machine = (root / "machine").read_text().strip() if (root / "machine").exists() else "x86_64"
    return Kernel(name, root / "vmlinuz", (root / "release").read_text().strip(), root, machine)


def _boot_modules(kernel, names):
    """The files to load, in order."""
    files = []
    for module in names:
        shown = subprocess.run(
            ["modprobe", "-d", kernel.root, "-S", kernel.release, "--show-depends", module],
            capture_output=True, text=True, env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"})
        for line in shown.stdout.splitlines():
            verb, _, path = line.strip().partition(" ")
            if verb == "insmod" and path.split()[0] not in files:
                files.append(path.split()[0])
    return [pathlib.Path(file) for file in files]


def copy_modules(kernel, folder, names):
    """Modules and those that they depend on, named in the order in which to load them."""
    for number, path in enumerate(_boot_modules(kernel, names)):
        data = path.read_bytes()
        stem = path.name.split(".")[0]
        if path.suffix == ".xz":
            data = lzma.decompress(data)
        elif path.suffix == ".zst":
            data = subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout
        (folder / f"{number:02}-{stem}.ko").write_bytes(data)


def pack(root, target):
    """A folder as an initramfs."""
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    with open(target, "wb") as out:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=root, stdout=out,
                       input="\n".join(names).encode(), check=True)


def make_initramfs(kernel, target, image):
    busybox = image / "usr/bin/busybox"
    if not busybox.exists():
        raise Problem("no guest image: run tools/setup image")
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name in ("bin", "modules", "dev", "proc", "sys", "newroot"):
            (root / name).mkdir()
        shutil.copy(busybox, root / "bin/busybox")
        shutil.copy(GUEST / "initramfs", root / "init")
        (root / "init").chmod(0o755)
        copy_modules(kernel, root / "modules", BOOT_MODULES)
        pack(root, target)
