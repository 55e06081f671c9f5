# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""A real host: QEMU emulates a machine with SVM and an IOMMU, in it Debian with its own KVM, udmabuf and vfio-pci runs the
guest with the driver. The other tests have a stand-in for each of these."""

import dataclasses
import re
import shutil
import subprocess

import pytest
from vgputest import BUILD, TESTING
from vgpuvm import GUEST, kernel, logs

pytestmark = [pytest.mark.full, pytest.mark.needs("lts"), pytest.mark.timeout(2400)]

HOST = TESTING / "host"
# The emulated processor's KVM needs nested paging; x2APIC is of no use there.
PROCESSOR = "EPYC-v4,+svm,+npt,+nrip-save,+vgif,+invtsc,-x2apic,+tsc-deadline"
# On PCIe ports of their own, and so in IOMMU groups of their own.
DEVICES = ["-device intel-iommu", "-device pcie-root-port,id=port1,chassis=1,slot=1 -device bochs-display,vgamem=64M,bus=port1",
           "-device pcie-root-port,id=port2,chassis=2,slot=2 -object memory-backend-memfd,id=vram,size=64M,share=on "
           "-device ivshmem-plain,memdev=vram,bus=port2"]
GPU = "-device virtio-gpu-pci,id=gpu0,blob=true"


@dataclasses.dataclass(frozen=True, eq=False)
class Inner:
    """A guest of the host's: what its script has to find."""
    name: str
    script: str         # of the folder "host"
    seconds: int
    line: str           # for QEMU; $IVSHMEM, $BOCHS: what vfio-pci has
    cases: dict         # and the start of their figures

    def __str__(self):
        return self.name


NONE = f"-display none {GPU}"
# The window fills the monitor of the host, which has 640x480 pixels. Weston ends QEMU if a full-screen window is higher,
# as one of 480 lines is until GTK has removed its title.
WINDOW = f"-display gtk,gl=on,full-screen=on,show-menubar=off {GPU},xres=640,yres=400"
INNERS = (
    Inner("vfio", "uapi", 900, f"{NONE} -device vfio-pci,host=$IVSHMEM -device vfio-pci,host=$BOCHS",
          {"peer/rejected": "", "peer/copied": "", "import/bochs": "", "import/exporter-ram": ""}),
    Inner("udmabuf", "uapi", 900, NONE,
          {"large/own-1080p": "in place", "large/own-4k": "in place", "large/own-8k": "copied",
           "large/heap-1080p": "in place", "large/heap-4k": "in place", "large/heap-8k": "copied",
           "large/scattered-1080p": "copied"}),
    Inner("monitor", "uapi", 1200, f"{WINDOW} -device vfio-pci,host=$IVSHMEM",
          {"peer/rejected": "", "peer/copied": ""}),
    Inner("dbus", "uapi", 900, f"-display dbus,gl=on {GPU}", {"held/0": "", "held/16": "", "held/100": "", "held/400": ""}),
)


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("inner, case", [pytest.param(inner, case, id=f"{inner}-{case}") for inner in INNERS for case in (*inner.cases, "end")])
    elif "inner" in metafunc.fixturenames:
        metafunc.parametrize("inner", INNERS, ids=str)


def copy_program(program, image, root):
    """A program of the image or of this tree, and the libraries that it needs."""
    shutil.copy(program, root / "bin")
    for name in needed(program):
        target = root / ("lib64" if name.startswith("ld-") else "usr/lib/x86_64-linux-gnu") / name
        if not target.exists():
            copy_program(image / "usr/lib/x86_64-linux-gnu" / name, image, root)
            (root / "bin" / name).rename(target)


def needed(program):
    shown = subprocess.run(["objdump", "-p", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^ +NEEDED +(\S+)", shown, re.M)


@pytest.fixture(scope="session")
def inner_guest(guest_image, lts_kernel, module, exporter, programs):
    """The folder that is shared with the host: kernel and initramfs of the inner guest."""
    share, root, image = BUILD / "host", BUILD / "host/root", guest_image / "root"
    shutil.rmtree(share, ignore_errors=True)
    for name in ("bin", "dev", "proc", "sys", "tmp", "modules", "run/vm", "lib64", "usr/lib/x86_64-linux-gnu"):
        (root / name).mkdir(parents=True)
    lts = kernel.find("lts")
    shutil.copy(lts.image, share / "vmlinuz")
    kernel.copy_modules(lts, root / "modules", ("virtio_console", "vgem", "bochs", "virtio_dma_buf"))
    shutil.copy(module("lts"), root / "modules/90-virtio_gpu.ko")
    shutil.copy(exporter("lts"), root / "modules/91-virtgpu_exporter.ko")
    shutil.copy(image / "usr/bin/busybox", root / "bin")
    for name in subprocess.run([root / "bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split():
        (root / "bin" / name).exists() or (root / "bin" / name).symlink_to("busybox")
    copy_program(programs / "virtgpu-uapi", image, root)
    for path in (GUEST / "host", GUEST / "ktap.sh", HOST / "init", *{HOST / inner.script for inner in INNERS}):
        (root / "run/vm" / path.name).write_bytes(path.read_bytes())
        (root / "run/vm" / path.name).chmod(0o755)
    # Its requests come one after the other.
    (root / "bin/flock").write_text("#!/bin/sh\n")
    (root / "bin/flock").chmod(0o755)
    (root / "init").symlink_to("run/vm/init")
    kernel.pack(root, share / "initramfs")
    return share


def inner_args(inner):
    """What guest-host takes to run it."""
    return f"{inner} {inner.seconds} 'virtgpu_script={inner.script} virtgpu_cases={':'.join(inner.cases)}' {inner.line}"


@pytest.fixture(scope="module")
def run(request, vm, l1_host, inner_guest):
    chosen = [item.callspec.params["inner"] for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    inners = list(dict.fromkeys(chosen)) or INNERS
    return vm("host", kernel=str(l1_host), disk=str(l1_host / "disk.img"), module="none", script=HOST / "guest-host",
              files=[HOST / "run-inner", HOST / "listener"], share=str(inner_guest), args=list(map(inner_args, inners)),
              accel="tcg,thread=multi,tb-size=1024", mem="3G", vga="VGA,xres=640,yres=480", qemu=[f"-cpu {PROCESSOR}", *DEVICES],
              append="quiet intel_iommu=on iommu=nopt mitigations=off tsc=reliable no_timer_check", timeout=2200)


def test_host(run):
    """Debian has found its KVM, udmabuf, and devices for vfio-pci."""
    run.check("host")


def test_compositor(run):
    """The host has a compositor on its monitor for QEMU's window."""
    run.check("compositor")


def test_case(run, inner, case, record_property):
    """What an inner guest has found, and the pictures of it."""
    note = run.check(f"{inner}-{case}")
    record_property("figure", note)
    assert note.startswith(inner.cases.get(case, ""))


def test_kernel(run, inner):
    """The inner guest's kernel has no warning."""
    assert not logs.kernel_warnings(run.file(f"{inner}-dmesg.log").read_text(errors="replace"), logs.STARVED)


def test_guest(run):
    run.check_end(["host", "compositor", *(f"{inner}-{case}" for inner in INNERS for case in (*inner.cases, "end"))])
