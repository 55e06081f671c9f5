# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The source tarball, the package virtio-gpu-dkms, and the package on clean Debians.

There it is installed, used after a reboot, upgraded, used with a newer kernel, removed.
Modules are built in a chroot, on the host's processor; only reboots need a virtual machine.
"""

import os
import re

import pytest
from vgputest import BUILD, TESTING, TOP

CHROOT = """mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc" &&
    exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@" """
IN_MODULES = re.compile(r"^(?:file: )?.*lib/modules/[^/]*/(.*virtio.gpu\.ko).*$", re.M)
OURS, THEIRS = "updates/dkms/virtio_gpu.ko", "kernel/drivers/gpu/drm/virtio/virtio-gpu.ko"
REBOOT = ("kernel", "version", "place", "display")
# What is looked at after each step.
STEPS = {
    "installed": ("dkms", "module", "initramfs", *REBOOT),
    "upgraded": ("dkms",),
    "updated": ("dkms", *REBOOT),
    "removed": ("left", "module", "initramfs", *REBOOT),
}
REBOOTS = [step for step, facts in STEPS.items() if "display" in facts]
# With --full only.
LATER = ("upgraded", "updated")


@pytest.fixture(scope="module")
def package(call, packaging_tools):
    """package(ARGUMENT...): what tools/package makes."""
    return lambda *args: TOP / call("tools/package", *args).splitlines()[-1]


@pytest.mark.parametrize("what", ("dist", "deb"))
def test_reproducible(package, what, record_property):
    """The same source gives the same tarball and the same package."""
    first, second = (package(what).read_bytes() for _ in range(2))
    record_property("figure", f"{len(second)} bytes")
    assert first == second, f"{len(first)} bytes and {len(second)} differ"


def test_lintian(call, package):
    """lintian has nothing to say."""
    changes = str(package("deb")).replace("-dkms", "").replace("_all.deb", f"_{call('dpkg', '--print-architecture').strip()}.changes")
    assert not re.findall("^[EWIX]: .*", call("lintian", "--allow-root", "--display-info", changes), re.M)


class Debian:
    """A clean Debian on which each step is done once, after those before it."""

    def __init__(self, call, vm, release, steps, *packages):
        self.call, self.vm, self.release, self.chosen, self.packages = call, vm, release, steps, packages
        self.base, self.work = BUILD / f"debian-{release}", BUILD / f"package-{release}"
        self.root, self.steps, self.found = self.work / "root", self.take_steps(), {}

    def as_root(self, *command):
        return self.call(*([] if os.geteuid() == 0 else ["sudo"]), *command)

    def inside(self, *command):
        """As root of that Debian."""
        return self.as_root("unshare", "--mount", "sh", "-c", CHROOT, self.root, *command)

    def after(self, step):
        """(the run of the guest, {fact: (what was found, what is right)})"""
        while step not in self.found:
            name, *found = next(self.steps, ("",))
            assert name, "an earlier step has failed"
            self.found[name] = found
        return self.found[step]

    def take_steps(self):
        self.as_root("rm", "-rf", self.work)
        self.work.mkdir()
        self.as_root("cp", "-a", "--reflink=auto", self.base.resolve() / "root", self.root)
        self.as_root("mkdir", "-p", self.root / "mnt/out")
        self.as_root("cp", *self.packages, self.root / "srv")
        # An initramfs with the driver, as a boot splash would ask for, and with nothing else.
        self.inside("sh", "-c", "sed -i 's/^MODULES=.*/MODULES=list/' /etc/initramfs-tools/initramfs.conf; "
                    "echo virtio_gpu >>/etc/initramfs-tools/modules")
        old, new = ((self.base / name).read_text().strip() for name in ("kernel", "kernel-update"))
        first, second = (path.name for path in self.packages)
        version, upgrade = (name.split("_")[1] for name in (first, second))
        yield "installed", *self.take("installed", ("dpkg", "-i", f"/srv/{first}"), old, [old], version, OURS)
        kernel = old
        if not self.chosen.isdisjoint(LATER):
            yield "upgraded", *self.take("upgraded", ("dpkg", "-i", f"/srv/{second}"), old, [old], upgrade, OURS)
            yield "updated", *self.take("updated", ("sh", "-c", "dpkg -i /srv/update/*.deb"), new, [old, new], upgrade, OURS)
            kernel = new
        yield "removed", *self.take("removed", ("dpkg", "--purge", "virtio-gpu-dkms"), kernel, [], "none", THEIRS)

    def take(self, step, command, kernel, built, version, place):
        self.inside(*command)
        dkms = self.inside("sh", "-c", "dkms status -m virtio-gpu 2>/dev/null").splitlines()
        facts = {
            "dkms": (sorted(line.split(" (")[0] for line in dkms), [f"virtio-gpu/{version}, {each}, x86_64: installed" for each in built]),
            # What modprobe takes for the older kernel, and what the newest one's initramfs has.
            "module": (IN_MODULES.findall(self.inside("modinfo", "-k", (self.base / "kernel").read_text().strip(), "-n", "virtio_gpu")), [place]),
            "initramfs": (IN_MODULES.findall(self.inside("lsinitramfs", f"/boot/initrd.img-{kernel}")), [place]),
        }
        if step == "removed":
            facts["left"] = (self.inside("find", "/usr/src", "/var/lib/dkms", "/lib/modules", "-name", "virtio?gpu*", "-not", "-path",
                                         "*/kernel/drivers/*", "-not", "-path", "*/linux-headers-*"), "")
        if step not in REBOOTS:
            return None, facts
        folder = self.work / f"kernel-{step}"
        folder.mkdir()
        (folder / "vmlinuz").symlink_to(self.root / f"boot/vmlinuz-{kernel}")
        (folder / "lib").symlink_to(self.root / "lib")
        (folder / "release").write_text(kernel)
        # The in-tree driver warns of its own shutdown now and then.
        run = self.vm(f"package-{self.release}-{step}", kernel=str(folder), module="none", root=str(self.root), udev=True,
                      gpu=["virtio-gpu-pci"], timeout=240, script=TESTING / "package/boot",
                      accept=[r"WARNING: .*\[virtio_gpu\]"] if place == THEIRS else [])
        shown = dict(re.findall(r"^(\w+): (.*)$", IN_MODULES.sub(r"place: \1", run.output), re.M))
        wanted = {"kernel": kernel, "version": version, "place": place, "display": "connected"}
        return run, facts | {fact: (shown.get(fact, run.reason), right) for fact, right in wanted.items()}


@pytest.fixture(scope="module", params=[
    pytest.param("12", marks=pytest.mark.needs("debian 12")),
    pytest.param("13", marks=[pytest.mark.needs("debian 13"), pytest.mark.full])])
def debian(request, call, vm, package):
    steps = {item.callspec.params["step"] for item in request.session.items if "debian" in item.fixturenames}
    debian = Debian(call, vm, request.param, steps, package("deb"), package("deb", f"{package('deb').name.split('_')[1]}+upgrade"))
    yield debian
    debian.as_root("rm", "-rf", debian.work)


def chosen(step, *more):
    return pytest.param(step, *more, marks=[pytest.mark.full] if step in LATER else [])


@pytest.mark.parametrize("step", map(chosen, STEPS))
def test_step(debian, step):
    """dpkg succeeds, with the package, the upgrade, the newer kernel, the removal."""
    debian.after(step)


@pytest.mark.parametrize("step, fact", [chosen(step, fact) for step, facts in STEPS.items() for fact in facts])
def test_fact(debian, step, fact, record_property):
    """DKMS has built the newest version alone for all kernels; it is used everywhere, and nothing of it after its removal."""
    found, right = debian.after(step)[1][fact]
    record_property("figure", found)
    assert found == right


@pytest.mark.parametrize("step", map(chosen, REBOOTS))
def test_reboot(debian, step):
    """The guest ends well."""
    debian.after(step)[0].check_end()
