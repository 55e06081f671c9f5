# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The driver and its unit tests compile for other machines."""

import functools
import os
import re

import pytest
from test_build import SPARSE, WARNING, check_quiet, forget_objects
from vgputest import BUILD, DRIVER, TOP

PLACE = DRIVER.relative_to(TOP)
TREE = BUILD / "tree-source-cross"
FILES = {str(path.relative_to(DRIVER)) for path in (*DRIVER.glob("*.c"), *DRIVER.glob("tests/*.c"))}


def config(name, *marks):
    return pytest.param(name, marks=[pytest.mark.needs(f"cross {name}"), *marks])


MACHINES = [config(name) for name in ("arm64", "armhf", "i386", "riscv64", "s390x")]


@pytest.fixture(scope="module")
def compiled(call):
    """compiled(NAME): what gcc and sparse print for a configuration of tools/setup cross."""
    @functools.cache
    def compiled(name):
        call("tools/setup", "cross", name)
        forget_objects(TREE / name)
        arguments = (TREE / name / "arguments").read_text().split()
        return call("make", "-k", f"-j{os.cpu_count()}", "-C", TREE, f"O={name}", *arguments, "W=1", "C=1", SPARSE, f"{PLACE}/", check=False)
    return compiled


@pytest.mark.parametrize("name", MACHINES)
def test_warnings(compiled, name):
    """Every file compiles with W=1 without warnings."""
    output = compiled(name)
    check_quiet(output, rf"{WARNING}|\*\*\*")
    assert FILES == {f"{name}.c" for name in re.findall(rf" CC .*{PLACE}/(\S+)\.o$", output, re.M)}


@pytest.mark.parametrize("name", MACHINES)
def test_sparse(compiled, name):
    """Sparse looks at every file and reports nothing."""
    output = compiled(name)
    check_quiet(output, rf"^[^ ]*{PLACE}/[^ ]*:[0-9]|not available")
    assert FILES == set(re.findall(rf"CHECK .*{PLACE}/(\S+)$", output, re.M))
