# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The newest kernel of each Debian suite from 6.12 on: the module builds without warnings, as that suite builds it, and loads."""

import dataclasses
import functools
import os
import shutil

import pytest
from test_build import PLACE, check_quiet
from test_package import CHROOT, OURS
from vgputest import BUILD, TESTING, TOP

SUITES = ("trixie", "trixie-backports", "forky", "sid", "experimental")
FLAVOURS = ("amd64", "rt-amd64")
# They have the same Debian below them.
DKMS = SUITES[:2]
CASES = ("card", "output", "console", "unload", "load-again")
# Programs of the headers need that suite's libraries.
MAKE = """mount --rbind /dev "$0/dev" && mount --rbind /proc "$0/proc" && mount -t tmpfs tmpfs "$0/mnt" && mkdir "$0/mnt/top" &&
    mount --bind . "$0/mnt/top" && exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin make -C /mnt/top "$@" """


@dataclasses.dataclass(frozen=True)
class Kernel:
    suite: str
    flavour: str

    @property
    def needs(self):
        return (f"debian-kernels {self.suite}",)

    @property
    def modules(self):
        return BUILD / f"modules/debian-{self}"

    def __str__(self):
        return f"{self.suite}-{self.flavour}"


KERNELS = [Kernel(suite, flavour) for suite in SUITES for flavour in FLAVOURS]
CLOUD = [Kernel(suite, "cloud-amd64") for suite in SUITES]
pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def suite_folder(pytestconfig):
    """suite_folder(SUITE): the result of its setup."""
    def suite_folder(suite):
        pytestconfig.virtgpu.setups.require(f"debian-kernels {suite}")
        folder = (BUILD / f"debian-kernels-{suite}").resolve()
        if (folder / "lack").exists():
            pytest.skip((folder / "lack").read_text().strip())
        return folder
    return suite_folder


@pytest.fixture(scope="module")
def built(call, suite_folder):
    """built(KERNEL): its folder, and what the build prints in the root folder of its suite."""
    @functools.cache
    def built(kernel):
        folder = suite_folder(kernel.suite)
        shutil.rmtree(kernel.modules, ignore_errors=True)
        release = (folder / kernel.flavour / "release").read_text().strip()
        return folder / kernel.flavour, call(
            "unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c", MAKE, folder / "root", "modules",
            f"KDIR=/usr/src/linux-headers-{release}", f"MODULES={kernel.modules.relative_to(TOP)}", "W=1", check=False)
    return built


@pytest.mark.parametrize("debian", KERNELS, ids=str)
def test_build(built, debian, record_property):
    """It builds with W=1 and without warnings."""
    folder, output = built(debian)
    record_property("figure", (folder / "release").read_text().strip())
    check_quiet(output, r"warning:|WARNING:|error:|ERROR:|\*\*\*|^probe:")
    assert (debian.modules / PLACE / "virtio_gpu.ko").exists(), output[-2000:]


@pytest.mark.parametrize("debian", CLOUD, ids=str)
def test_cloud(built, debian, record_property):
    """A cloud kernel, which has no DRM, is named as that before anything is compiled."""
    folder, output = built(debian)
    record_property("figure", (folder / "release").read_text().strip())
    assert "has no CONFIG_DRM, as Debian's cloud kernels" in output and " CC " not in output, output[-2000:]


@pytest.fixture(scope="module")
def run(request, built, vm):
    debian = request.param
    folder, _ = built(debian)
    return vm(f"kernels-{debian}", kernel=str(folder), module=str(debian.modules / PLACE / "virtio_gpu.ko"), gpu=["virtio-gpu-pci,blob=true"],
              script=TESTING / "guest/smoke", append="console=tty0", timeout=240)


@pytest.mark.parametrize("run, case", [pytest.param(kernel, case, id=f"{kernel}-{case}") for kernel in KERNELS for case in CASES],
                         indirect=["run"], scope="module")
def test_load(run, case, record_property):
    """It loads, shows the console, goes and comes back."""
    record_property("figure", run.check(case))


@pytest.mark.parametrize("run", KERNELS, ids=str, indirect=True, scope="module")
def test_guest(run):
    """The guest ends well."""
    run.check_end(CASES)


@pytest.fixture(scope="module")
def dkms(call, suite_folder, packaging_tools):
    """A command in a root folder with the headers of two suites, in which the package was installed."""
    older, newer = (suite_folder(suite) / "root" for suite in DKMS)
    sudo, work, deb = [] if os.geteuid() == 0 else ["sudo"], BUILD / "kernels-dkms", TOP / call("tools/package", "deb").splitlines()[-1]

    def inside(*command):
        return call(*sudo, "unshare", "--mount", "sh", "-c", CHROOT, work, *command)

    call(*sudo, "rm", "-rf", work)
    call(*sudo, "cp", "-a", "--reflink=auto", newer, work)
    headers = [path.relative_to(older) for pattern in ("src/linux-*", "lib/linux-kbuild-*", "lib/modules/*") for path in older.glob(f"usr/{pattern}")]
    call(*sudo, "cp", "-a", "--parents", *headers, work, cwd=older)
    call(*sudo, "rm", "-rf", *work.glob("usr/lib/modules/*-rt-amd64"))
    call(*sudo, "cp", deb, work / "srv")
    # Only vgpu-report needs Python.
    inside.version, inside.output = deb.name.split("_")[1], inside("dpkg", "--force-depends", "-i", f"/srv/{deb.name}")
    yield inside
    call(*sudo, "rm", "-rf", work)


@pytest.mark.needs(*(f"debian-kernels {suite}" for suite in DKMS))
def test_dkms(dkms, suite_folder, record_property):
    """DKMS builds the module for the kernels of both suites and not for cloud kernels."""
    kernels = [(suite_folder(suite) / "amd64/release").read_text().strip() for suite in DKMS]
    record_property("figure", " ".join(kernels))
    found = sorted(line.split(" (")[0] for line in dkms("dkms", "status", "-m", "virtio-gpu").splitlines())
    assert found == sorted(f"virtio-gpu/{dkms.version}, {kernel}, x86_64: installed" for kernel in kernels), dkms.output[-3000:]
    for kernel in kernels:
        # No image is installed, so that depmod lists nothing.
        assert dkms("sh", "-c", f"modinfo -F vermagic /lib/modules/{kernel}/{OURS}*").split()[0] == kernel
