# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The driver builds without warnings: out of tree, in kernel trees, and patch by patch."""

import functools
import os
import re
import shutil

import pytest
from vgputest import BUILD, DRIVER, TESTING, TOP

PLACE = DRIVER.relative_to(TOP)
WARNING = rf"{PLACE}/.*(warning|error):|WARNING:.*virtio_gpu"
NEEDS_73 = pytest.mark.needs("kernel 7.3")
MAKE = ("make", f"-j{os.cpu_count()}")
# Words that sparse 0.6.4, the one in Debian 12 and 13, lacks; 7.3 would not run it for them.
SPARSE = "CF=-D__typeof_unqual__=__typeof__ '-D__builtin_strlen(x)=(sizeof(x)-1)'"


def check_quiet(output, pattern=WARNING):
    found = list(filter(re.compile(pattern).search, output.splitlines()))
    assert not found, f"{len(found)} lines:\n" + "\n".join(found[:20])


def forget_objects(tree):
    """What is built already warns no more."""
    for path in (tree / PLACE).rglob("*.o"):
        path.unlink()


def add_unit_tests(call, tree, *args):
    call("scripts/config", "--module", "KUNIT", "--module", "DRM_VIRTIO_GPU_KUNIT_TEST", cwd=tree)
    call("make", "-s", *args, "olddefconfig", cwd=tree)


@pytest.fixture(scope="module")
def lts_build(call, lts_kernel):
    """What the build prints, in a folder of its own: guests take the other one's module."""
    shutil.rmtree(BUILD / "modules/warnings", ignore_errors=True)
    return call("make", "modules", "KDIR=build/lts/kdir", "MODULES=build/modules/warnings")


def test_lts(lts_build):
    """The module builds without warnings."""
    check_quiet(lts_build, "warning:|WARNING:")


def test_lts_release(call, lts_build, lts_kernel, record_property):
    """It is a module for that kernel."""
    module = BUILD / f"modules/warnings/{PLACE}/virtio_gpu.ko"
    record_property("figure", f"{module.stat().st_size} bytes")
    assert call("modinfo", "-F", "vermagic", module).split()[0] == (lts_kernel / "release").read_text().strip()


@pytest.mark.parametrize("missing", ["DRM", "DRM_KMS_HELPER", "VIRTIO_DMA_SHARED_BUFFER"])
def test_probe_config(call, tmp_path, missing):
    """A kernel without what the driver needs is named as that, before anything is compiled."""
    config = tmp_path / "include/config/auto.conf"
    config.parent.mkdir(parents=True)
    config.write_text("".join(f"CONFIG_{name}=m\n" for name in ("DRM", "DRM_KMS_HELPER", "VIRTIO", "VIRTIO_DMA_SHARED_BUFFER") if name != missing))
    output = call("make", "-s", "modules", f"KDIR={tmp_path}", check=False)
    assert f"probe: the kernel of {tmp_path} has no CONFIG_{missing}," in output and "modpost" not in output, output


def test_copied_folder(call, lts_kernel, tmp_path):
    """A copy of a folder with a built module builds its own source, not that of the folder it was copied from."""
    def build(folder):
        call("tools/build-module", folder / "source", "build/lts/kdir", folder / "out")
        return call("modinfo", "-F", "place", folder / "out/virtgpu_exporter.ko").strip()

    shutil.copytree(TESTING / "exporter", tmp_path / "old/source")
    main = tmp_path / "old/source/main.c"
    main.write_text(main.read_text() + 'MODULE_INFO(place, "old");\n')
    assert build(tmp_path / "old") == "old"
    call("cp", "-a", tmp_path / "old", tmp_path / "new")
    main = tmp_path / "new/source/main.c"
    main.write_text(main.read_text().replace('"old"', '"new"'))
    assert build(tmp_path / "new") == "new"


@pytest.fixture(scope="module")
def built(call, tree):
    """built(OPTION...): a 7.3 tree with these options for scripts/config, and what a plain make prints there."""
    @functools.lru_cache(1)
    def built(*options):
        folder = tree("7.3:plain")
        call("scripts/config", *options, cwd=folder)
        call("make", "-s", "olddefconfig", cwd=folder)
        forget_objects(folder)
        return folder, call(*MAKE, "-C", folder)
    return built


HEADLESS = ("--module", "DRM_VIRTIO_GPU", "--disable", "DRM_VIRTIO_GPU_KMS")
MODULE = ("--module", "DRM_VIRTIO_GPU", "--enable", "DRM_VIRTIO_GPU_KMS")
BUILTIN = ("--enable", "DRM_VIRTIO_GPU", "--enable", "DRM_VIRTIO_GPU_KMS")


@NEEDS_73
def test_tree_headless(built):
    """It builds in a kernel tree without KMS."""
    check_quiet(built(*HEADLESS)[1])


@pytest.mark.full
@NEEDS_73
def test_tree_module(built):
    """It builds there as a module."""
    check_quiet(built(*MODULE)[1])


@pytest.mark.full
@NEEDS_73
def test_tree_name(call, built):
    """The module is called virtio_gpu."""
    assert call("modinfo", "-F", "name", built(*MODULE)[0] / PLACE / "virtio_gpu.ko") == "virtio_gpu\n"


@pytest.mark.full
@NEEDS_73
def test_tree_install_again(call, built):
    """Nothing is built again after the driver was installed again."""
    folder, _ = built(*MODULE)
    call("tools/install-to-tree", folder)
    check_quiet(call(*MAKE, "-C", folder), " (CC|LD) ")


@pytest.mark.full
@NEEDS_73
def test_tree_builtin(built):
    """It builds there as part of the kernel."""
    check_quiet(built(*BUILTIN)[1])


@pytest.mark.full
@NEEDS_73
def test_tree_vmlinux(call, built, record_property):
    """Then it is in vmlinux."""
    symbols = call("nm", built(*BUILTIN)[0] / "vmlinux").count(" virtgpu_")
    record_property("figure", f"{symbols} symbols")
    assert symbols > 100


@pytest.mark.parametrize("compiler, args", [
    pytest.param("gcc", (), id="gcc", marks=pytest.mark.full), pytest.param("clang", ("LLVM=-19",), id="clang")])
def test_warnings(call, tree, kernel_source, compiler, args):
    """No warnings with W=1."""
    folder = tree(f"source:{compiler}")
    call("tools/setup", "configure", folder, *args)
    add_unit_tests(call, folder, *args)
    forget_objects(folder)
    check_quiet(call(*MAKE, "-C", folder, *args, "W=1", f"{PLACE}/"))


@pytest.fixture(scope="module")
def sparse(call, tree, kernel_source):
    """What sparse prints."""
    folder = tree("source:gcc")
    call("tools/setup", "configure", folder)
    add_unit_tests(call, folder)
    return call(*MAKE, "-C", folder, "C=2", SPARSE, f"{PLACE}/")


def test_sparse(sparse):
    """No reports of sparse."""
    check_quiet(sparse, rf"^[^ ]*{PLACE}/[^ ]*:[0-9]|not available")


def test_sparse_files(sparse, record_property):
    """It looks at every file."""
    checked = set(re.findall(rf"CHECK .*{PLACE}/(\S+)", sparse))
    record_property("figure", f"{len(checked)} files")
    assert checked == {str(path.relative_to(DRIVER)) for path in (*DRIVER.glob("*.c"), *DRIVER.glob("tests/*.c"))}


# Without the cover letter.
PATCHES = sorted(path.name for path in (TOP / "tools/patches").glob("[0-9][0-9]-*"))[1:]
AUTHOR = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
          for what, value in (("NAME", "Someone"), ("EMAIL", "someone@example.org"))}


@pytest.fixture(scope="module")
def series(call, kernel_source):
    """What tools/patch-series prints; reports of checkpatch are test_series's."""
    output = call("tools/patch-series", kernel_source, check=False, env=os.environ | AUTHOR)
    assert output.endswith(f"{len(PATCHES) + 1} patches: build/patch-series\n"), output[-2000:]
    return output


@pytest.mark.full
def test_series(series):
    """No reports of checkpatch."""
    check_quiet(series, "(ERROR|WARNING|CHECK):")


@pytest.mark.full
def test_series_recipients(series, record_property):
    """get_maintainer lists recipients."""
    recipients = (BUILD / "patch-series/recipients").read_text().count("@")
    record_property("figure", recipients)
    assert recipients > 0


@pytest.fixture(scope="module")
def series_tree(call, tree, series):
    """(a 7.3 tree with the in-tree driver, the patches to come)"""
    folder = tree("7.3:series")
    # What install-to-tree has put there.
    for place in (PLACE, "Documentation/gpu", "MAINTAINERS"):
        call("rm", "-rf", folder / place)
        call("cp", "-a", BUILD / "source" / place, folder / place)
    return folder, zip(PATCHES, sorted((BUILD / "patch-series").glob("*.patch"))[1:])


@pytest.mark.full
@NEEDS_73
@pytest.mark.parametrize("patch", PATCHES)
def test_patch(call, series_tree, patch):
    """A patch fits without an offset, and after it the tree builds and passes sparse; in the end with the unit tests."""
    folder, left = series_tree
    for name, file in left:
        check_quiet(call("patch", "-d", folder, "-p1", "--no-backup-if-mismatch", "-i", file), "FAILED|fuzz|offset")
        if name == patch:
            break
    else:
        pytest.fail("an earlier patch did not apply, or a later one was chosen before it")
    add_unit_tests(call, folder)
    # Sparse looks at what is compiled; the in-tree driver in old/ has its own.
    check_quiet(call(*MAKE, "-C", folder, "-s", "C=1", SPARSE, "vmlinux", "modules"),
                rf"{PLACE}/(virtgpu|tests/).*(warning|error):|WARNING:.*virtio")
    assert patch != PATCHES[-1] or (folder / PLACE / "tests/virtio_gpu_kunit.ko").exists(), "the unit tests are not built"
