# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""syzkaller/dev_virtio_gpu.txt against <drm/virtgpu_drm.h>, without a syzkaller.

Sizes and offsets of what is described become assertions that a compiler checks.
"""

import re
import subprocess

import pytest
from vgputest import TESTING

TEXT = re.sub(r"^#.*\n", "", (TESTING / "syzkaller/dev_virtio_gpu.txt").read_text(), flags=re.M)
# From dev_dri.txt and syzkaller itself.
SIZES = {"fd": 4, "drm_gem_handle": 4, "drm_syncobj": 4, "fd_dri": 4}
# Combinations of others, and what no program passes in.
NO_VALUE = re.compile(r"_(FLAGS|H)$|_EVENT_")


@pytest.fixture(scope="module")
def header(kernel_source):
    return (kernel_source / "include/uapi/drm/virtgpu_drm.h").read_text()


def size(kind):
    """Bytes of a type, which is aligned to its size unless it is a struct."""
    name, _, arguments = kind.partition("[")
    if name == "ptr64":
        return 8
    if found := re.fullmatch(r"int(\d+)", name):
        return int(found.group(1)) // 8
    if name in ("const", "flags", "len", "bytesize"):
        return size(arguments.rstrip("]").rpartition(",")[2].strip())
    if name in SIZES:
        return SIZES[name]
    if resource := re.search(rf"^resource {name}\[(\w+)\]", TEXT, re.M):
        return size(resource.group(1))
    if union := re.search(rf"^{name} \[\n(.*?)^\]", TEXT, re.M | re.S):
        return max(size(field) for _, field in fields(union.group(1)))
    struct = re.search(rf"^{re.escape(name)} {{\n(.*?)^}}", TEXT, re.M | re.S)
    return sum(size(field) for _, field in fields(struct.group(1)))


def fields(body):
    return [(line.split()[0], re.sub(r"\s*\((in|out|inout)\)$", "", line.split(None, 1)[1])) for line in body.splitlines()]


def assertions():
    for name, body in re.findall(r"^(drm_[\w$]+) {\n(.*?)^}", TEXT, re.M | re.S):
        struct = "struct " + name.partition("$")[0]
        offset = 0
        for field, kind in fields(body):
            yield f"{struct}: {field}", f"offsetof({struct}, {field}) == {offset}"
            yield f"{struct}: {field}", f"sizeof((({struct} *)0)->{field}) == {size(kind)}"
            offset += size(kind)
        yield struct, f"sizeof({struct}) == {offset}"
    for command, struct in re.findall(r"const\[(DRM_IOCTL_\w+)\], arg ptr\[\w+, ([\w$]+)\]", TEXT):
        yield command, f"_IOC_SIZE({command}) == {size(struct)}"
    for constant in set(re.findall(r"\b(?:DRM_)?VIRTGPU_[A-Z]+_\w+", TEXT)) - set(re.findall(r"\bioctl\$(\w+)", TEXT)):
        yield constant, f"({constant}) >= 0"


def test_names(header, record_property):
    """All ioctls, structs and constants of the header are described."""
    names = set(re.findall(r"^#define ((?:DRM_IOCTL_|DRM_(?=VIRTGPU_BLOB))?VIRTGPU_\w+)", header, re.M))
    names |= set(re.findall(r"^struct (drm_virtgpu_\w+)", header, re.M))
    names = {name for name in names if not NO_VALUE.search(name)}
    record_property("figure", f"{len(names)} names")
    lacking = [name for name in sorted(names) if not re.search(rf"\b{name}\b", TEXT)]
    assert names and not lacking, f"not described: {' '.join(lacking)}"


def test_sizes(header, guest_image, record_property):
    """Sizes and offsets are those of the header."""
    checks = list(assertions())
    record_property("figure", f"{len(checks)} compared")
    program = "#include <stddef.h>\n#include <sys/ioctl.h>\n" + header + "".join(
        f'_Static_assert({condition}, "{what}");\n' for what, condition in checks)
    done = subprocess.run(["gcc", f"-I{guest_image}/root/usr/include/libdrm", "-fsyntax-only", "-xc", "-"], input=program, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert not done.returncode, done.stdout
