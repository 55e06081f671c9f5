# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The driver and its unit tests compile for other machines and configurations, and the driver shows the right pixels there."""

import functools
import os
import re
import struct

import pytest
from PIL import Image, ImageChops
from test_build import SPARSE, WARNING, check_quiet, forget_objects
from vgputest import BUILD, DRIVER, TESTING, TOP, screenshots

PLACE = DRIVER.relative_to(TOP)
TREE = BUILD / "tree-source-cross"
FILES = {str(path.relative_to(DRIVER)) for path in (*DRIVER.glob("*.c"), *DRIVER.glob("tests/*.c"))}


def config(name, *marks):
    return pytest.param(name, marks=[pytest.mark.needs(f"cross {name}"), *marks])


MACHINES = ("arm64", "armhf", "i386", "riscv64", "s390x")
# Of 32 bit and of big endian. With --full sparse looks at all.
SPARSE_MACHINES = ("i386", "s390x")
CONFIGURATIONS = [config(name, pytest.mark.full) for name in (
    "builtin", "no-kms", "no-fbdev", "no-debugfs", "no-panic", "no-sleep", "no-tracing", "preempt-rt", "ubsan", "cfi",
    "arm64-16k", "arm64-64k", *(f"random-{seed}" for seed in range(1, 6)))]


@pytest.fixture(scope="module")
def compiled(request, call):
    """compiled(NAME): what gcc, and sparse where a test asks, print for a configuration of tools/setup cross."""
    checked = {item.callspec.params["name"] for item in request.session.items
               if item.path == request.path and item.originalname in ("test_sparse", "test_configuration")}

    @functools.cache
    def compiled(name):
        call("tools/setup", "cross", name)
        forget_objects(TREE / name)
        arguments = (TREE / name / "arguments").read_text().split()
        if name == "riscv64":
            arguments.append(f"CHECK=sh {TESTING}/riscv-sparse")
        # A setup of another configuration installs the driver in the same tree.
        return call("flock", f"{TREE}.lock", "make", "-k", f"-j{os.cpu_count()}", "-C", TREE, f"O={name}", *arguments, "W=1",
                    *(("C=1", SPARSE) if name in checked else ()), f"{PLACE}/", check=False)
    return compiled


def files_of(name):
    """The files that the configuration compiles."""
    options = re.findall("^(CONFIG_.*)=[ym]$", (TREE / name / ".config").read_text(), re.M)
    without = set() if "CONFIG_DRM_PANIC" in options else {"virtgpu_panic.c", "tests/virtgpu_panic_kunit.c"}
    for folder in ("", "tests/"):
        for option, objects in re.findall(r"-\$\((\w+)\) \+= (.*)", (DRIVER / folder / "Makefile").read_text().replace("\\\n", "")):
            if option not in options:
                without |= {f"{folder}{file}.c" for file in re.findall(r"(\w+)\.o", objects)}
    return {file for file in FILES - without if "CONFIG_DRM_VIRTIO_GPU_KUNIT_TEST" in options or not file.startswith("tests/")}


def check_warnings(name, output):
    check_quiet(output, rf"{WARNING}|\*\*\*")
    assert files_of(name) == {f"{file}.c" for file in re.findall(rf" CC .*{PLACE}/(\S+)\.o$", output, re.M)}


def check_sparse(name, output):
    check_quiet(output, rf"^[^ ]*{PLACE}/[^ ]*:[0-9]|not available")
    assert files_of(name) == set(re.findall(rf"CHECK .*{PLACE}/(\S+)$", output, re.M))


@pytest.mark.parametrize("name", map(config, MACHINES))
def test_warnings(compiled, name):
    """Every file compiles with W=1 without warnings."""
    check_warnings(name, compiled(name))


@pytest.mark.parametrize("name", [config(name, *([] if name in SPARSE_MACHINES else [pytest.mark.full])) for name in MACHINES])
def test_sparse(compiled, name):
    """Sparse looks at every file and reports nothing."""
    check_sparse(name, compiled(name))


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_configuration(compiled, name, record_property):
    """Both, for every file that the configuration has."""
    output = compiled(name)
    check_warnings(name, output)
    check_sparse(name, output)
    record_property("figure", f"{len(files_of(name))} files")


# Debian's 6.12 kernels, in emulation: the device, options of the fixture vm. All are little endian.
GUESTS = {
    "arm64-pci": ("virtio-gpu-pci", {}),
    "arm64-mmio": ("virtio-gpu-device", {"qemu": ["-global virtio-mmio.force-legacy=false"]}),
    "ppc64el-pci": ("virtio-gpu-pci", {}),
}
SIZE = WIDTH, HEIGHT = 1280, 800
COLOURS = ("000000", "aa0000", "00aa00", "aa5500", "0000aa", "aa00aa", "00aaaa", "aaaaaa")


@pytest.fixture(scope="module")
def guest(request, call, vm, tmp_path_factory):
    """The run of a guest of another machine, and the picture that it shows in its frame buffer."""
    machine = request.param.split("-")[0]
    device, options = GUESTS[request.param]
    kernel, release = BUILD / f"foreign-{machine}", (BUILD / f"foreign-{machine}/release").read_text().strip()
    check_quiet(call("make", "modules", f"KDIR={kernel}/kdir"), "warning:|WARNING:")
    picture = screenshots.gradient(*SIZE, 0x5a)
    file = tmp_path_factory.mktemp(machine) / "picture"
    file.write_bytes(struct.pack(f"<{WIDTH * HEIGHT}I", *(red << 16 | green << 8 | blue for red, green, blue in picture.getdata())))
    run = vm(f"cross-{request.param}", kernel=str(kernel), root=str(kernel), module=str(BUILD / f"modules/{release}/{PLACE}/virtio_gpu.ko"),
             gpu=[device], script=TESTING / "guest/picture", files=[file], timeout=600, **options)
    return run, picture


def check_picture(path, wanted):
    found = Image.open(path).convert("RGB")
    assert found.size == wanted.size
    box = ImageChops.difference(found, wanted).getbbox()
    assert not box, f"{path.name}: wrong in {box}, such as %02x%02x%02x instead of %02x%02x%02x at its lower right" % (
        *found.getpixel((box[2] - 1, box[3] - 1)), *wanted.getpixel((box[2] - 1, box[3] - 1)))


def foreign(names):
    return [pytest.param(name, marks=[pytest.mark.full, pytest.mark.needs(f"foreign {name.split('-')[0]}")]) for name in names]


@pytest.mark.parametrize("guest", foreign(GUESTS), indirect=True)
class TestGuest:
    def test_console(self, guest, record_property):
        """A line of each colour on the console, with a font of 16 pixels."""
        run, _ = guest
        record_property("figure", run.check("console"))
        wanted = Image.new("RGB", SIZE)
        for line, colour in enumerate(COLOURS):
            wanted.paste(f"#{colour}", (0, 16 * line, WIDTH, 16 * line + 16))
        check_picture(run.file("console.png"), wanted)

    def test_picture(self, guest, record_property):
        """A picture in the frame buffer of the console."""
        run, picture = guest
        record_property("figure", run.check("framebuffer"))
        check_picture(run.file("framebuffer.png"), picture)

    def test_end(self, guest):
        guest[0].check_end(("console", "framebuffer"))
