# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Test suites of OpenGL and Vulkan on a host that renders: nothing comes to less than with the in-tree driver.

What each test came to is the matter of Mesa and the host too; so only the difference counts.
"""

import collections
import json
import os
import re

import pytest
from vgputest import BUILD, TESTING

FOLDER = TESTING / "conformance"
# Groups of piglit's tests, those where data goes between the program's memory and the host's.
SAMPLE = ("security", *(f"spec@{group}" for group in ("arb_buffer_storage", "arb_copy_buffer", "arb_map_buffer_range",
                                                      "arb_pixel_buffer_object", "arb_sync", "ext_image_dma_buf_import")))
# "make conformance" runs these, too.
MORE = tuple(f"spec@{group}" for group in (
    "!opengl 1.1", "!opengl 3.0", "arb_clear_buffer_object", "arb_clear_texture", "arb_copy_image", "arb_draw_indirect",
    "arb_framebuffer_object", "arb_get_texture_sub_image", "arb_shader_storage_buffer_object", "arb_texture_buffer_object",
    "arb_uniform_buffer_object", "arb_vertex_buffer_object", "egl 1.4"))
PIGLIT = SAMPLE + (MORE if os.environ.get("VIRTGPU_CONFORMANCE") == "all" else ())
DRIVERS = ("ours", "baseline")
HOST = {"host": "3d", "gl": True}
# The suites, and what the guest has.
SETS = {
    "virgl": (("glmark2", "piglit"), {"gpu": ["virtio-gpu-gl-pci,blob=on,hostmem=256M"]}),
    "venus": (("vulkan",), {"gpu": ["virtio-gpu-gl-pci,blob=on,venus=on,hostmem=256M"]}),
}
# From the best to the worst; a test without a result has "none".
OUTCOMES = ("pass", "success", "offered", "warn", "unknown", "skip", "fail", "failure", "crash", "timeout", "none")
SCENE = re.compile(r"^(\[[\w-]+\] \S+): .*?Validation: (\w+)", re.M)
EXTENSION = re.compile(r"^\s+(VK_\w+)\s*: extension revision", re.M)

pytestmark = [pytest.mark.full, pytest.mark.needs_3d, pytest.mark.needs("host-3d"), pytest.mark.needs("conformance"),
              pytest.mark.timeout(12 * 3600)]


@pytest.fixture(scope="module")
def runs(request, vm, make, kernel):
    """{driver: its vgputest.guests.Run} of a set."""
    (suites, options), programs = SETS[request.param], BUILD / "programs/vulkan"
    make("testing/vulkan", f"O={programs}")
    options = {**HOST, **options, "disk": str(BUILD / "conformance/disk.img"), "env": {"VIRTGPU_PIGLIT": f"^({'|'.join(PIGLIT)})@"},
               "files": [TESTING / "guest/lib-3d.sh", programs / "virtgpu-vulkan"]}
    modules = {"ours": {}, "baseline": {"module": "baseline"}}
    return {driver: vm(f"conformance-{kernel}-{request.param}-{driver}", kernel=kernel, script=FOLDER / "guest-conformance", args=suites,
                       timeout=6 * 3600, **options, **modules[driver]) for driver in DRIVERS}


@pytest.fixture(scope="module", params=("lts", "7.3"))
def kernel(request):
    return request.param


@pytest.fixture(scope="session")
def table():
    """Rows that go to a file in the end."""
    rows = ["| kernel | suite | ours | in-tree |", "| --- | --- | --- | --- |"]
    yield rows
    (BUILD / "results/conformance.md").write_text("\n".join(rows) + "\n")


def outcomes(run, suite):
    """{test: what it came to}."""
    if suite == "piglit":
        return {name: result["result"] for name, result in json.loads(run.file("piglit/results.json").read_text())["tests"].items()}
    text = run.file(f"{suite}.log").read_text()
    if suite == "vulkan":
        return {name: "offered" for name in EXTENSION.findall(text)}
    return {name: word.lower() for name, word in SCENE.findall(text)}


@pytest.mark.parametrize("runs, suite", [pytest.param(name, suite, id=f"{name}-{suite}")
                                         for name, (suites, _) in SETS.items() for suite in suites], indirect=["runs"], scope="module")
def test_suite(runs, suite, kernel, table, record_property):
    """No test comes to less than with the in-tree driver."""
    for driver in DRIVERS:
        runs[driver].check(suite)
    ours, theirs = (outcomes(runs[driver], suite) for driver in DRIVERS)
    figures = [", ".join(f"{number} {outcome}" for outcome, number in sorted(collections.Counter(found.values()).items()))
               for found in (ours, theirs)]
    record_property("figure", "; in-tree: ".join(figures))
    table.append(f"| {kernel} | {suite} | {' | '.join(figures)} |")
    worse = [f"{name}: {ours.get(name, 'none')}, in-tree {outcome}" for name, outcome in sorted(theirs.items())
             if OUTCOMES.index(ours.get(name, "none")) > OUTCOMES.index(outcome)]
    assert not worse, f"{suite}: {len(worse)} of {len(theirs)} tests come to less than with the in-tree driver:\n" + "\n".join(worse)
    assert any(outcome in OUTCOMES[:3] for outcome in ours.values()), f"{suite}: no test passes"


@pytest.mark.parametrize("runs", SETS, indirect=True, scope="module")
def test_guest(runs):
    runs["ours"].check_end()
