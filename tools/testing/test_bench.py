# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""What things cost, ours against the in-tree driver; build/bench/table.md, see tools/bench."""

import concurrent.futures
import dataclasses
import json

import bench
import pytest
import report
from test_uapi import PROGRAM, SETS, VENUS
from vgpuvm import machine
from vgputest import BUILD, TOP, guests

OUT = BUILD / "bench"
GUIDE = TOP / "Documentation/gpu/virtio-gpu/bench"
DRIVERS = ("ours", "baseline")
# The console's blinking cursor is redrawn, and keeps vblanks of its own going.
QUIET = "vt.global_cursor_default=0"


def guest(name):
    options, _ = VENUS if name == "venus" else SETS[name]
    options = {**options, "accel": "tcg", "smp": 1, "trace": ["gpu", "virtqueue_fill"], "udmabuf": "fake"}
    program, files = (("virtgpu-fragment", PROGRAM), (PROGRAM,)) if name == "fragmented" else ((PROGRAM,), ())
    return guests.Guest(bench.KERNEL, name, options, tuple(bench.CASES[name].split()), program, files)


GUESTS = [guest(name) for name in bench.CASES]


def alone(guest):
    """A host that renders takes a processor, and the guest sleeps more often while another test has that."""
    return [pytest.mark.alone] if guest.options.get("gl") else []


def pytest_generate_tests(metafunc):
    metafunc.parametrize("run, case, figure", [
        pytest.param(guest, case, figure, id=f"{guest.name}-{case}-{figure}",
                     marks=guest.marks() + alone(guest) + ([] if case in bench.BRIEF.get(guest.name, "").split() else [pytest.mark.full]))
        for guest in GUESTS for case in guest.cases for figure in report.judged(f"{guest.name}: {case}")], indirect=["run"], scope="module")


@dataclasses.dataclass
class Counted:
    """A guest's runs with both drivers, {driver: ...}."""
    guest: str
    runs: dict
    counts: dict

    @property
    def run(self):
        return self.runs["ours"]


@pytest.fixture(scope="module")
def results(pytestconfig):
    """{driver: {"GUEST: CASE": {figure: value}}}, of which the tables are made in the end."""
    counts = {driver: {} for driver in DRIVERS}
    yield counts
    (OUT / "counts.json").write_text(json.dumps(counts, indent=1) + "\n")
    (OUT / "table.md").write_text("\n".join(report.markdown(**counts)) + "\n")
    report.write(OUT, **counts)
    if pytestconfig.getoption("document"):
        missing = [f"{guest.name}: {case}" for guest in GUESTS for case in guest.cases if f"{guest.name}: {case}" not in counts["ours"]]
        assert not missing, f"the guide is left as it is, {len(missing)} cases were not counted: {', '.join(missing[:5])}"
        report.write(GUIDE, **counts)


@pytest.fixture(scope="module")
def measure(vm, make, module, exporter, programs, qemu_plugin):
    """measure(GUEST, CASES): {driver: guests.Run}."""
    make("bench", f"O={OUT}", f"PLUGIN={qemu_plugin}")
    modules = {"ours": str(module(bench.KERNEL)), "baseline": "baseline"}
    # Made here once, as two guests boot at a time.
    exporter(bench.KERNEL)
    machine.fake_udmabuf_library()

    def measure(guest, cases, profile=False):
        script, *args = guest.program

        def boot(driver):
            name = f"bench-{guest.name}-{driver}" + ("-profile" if profile else "")
            plugin = "" if f"{guest.name}: " in report.TRACED_GUESTS else f"-plugin {OUT}/insn-plugin.so"
            plugin += f",profile={BUILD}/vm/{name}/profile" if profile else ""
            return vm(name, kernel=bench.KERNEL, module=modules[driver], script=programs / script,
                      args=[*args, *(f"bench/{case}" for case in cases)],
                      files=[exporter(bench.KERNEL), *(programs / file for file in guest.files)], modules=["vgem", "virtgpu_exporter"],
                      append=QUIET + (" virtgpu_profile" if profile else ""), preload=[OUT / "qemu-preload.so"],
                      qemu=[f"{plugin} -d guest_errors,plugin -icount shift=1,sleep=off"], **guest.settings(True))

        # Both at once: each uses one processor, and no count depends on the machine's load. Only a
        # host that renders takes more, and then the guest sleeps more often.
        workers = 1 if guest.options.get("gl") else 2
        with concurrent.futures.ThreadPoolExecutor(workers) as pool, pytest.MonkeyPatch.context() as patch:
            if guest.name == "count":
                # The import cases have a page in each entry, which is more than udmabuf takes by default.
                patch.setenv("VIRTGPU_UDMABUF_LIST_LIMIT", "16384")
            return dict(zip(DRIVERS, pool.map(boot, DRIVERS)))
    return measure


@pytest.fixture(scope="module")
def run(request, measure, results, full):
    """The chosen cases of a guest, with both drivers."""
    guest, cases = request.param, guests.selected_cases(request)
    runs = measure(guest, cases)
    counts = {driver: bench.count(guest.name, run) for driver, run in runs.items()}
    wanted = request.config.getoption("profile")
    for name, case in ((f"{guest.name}: {case}", case) for case in cases):
        if all(name in each for each in counts.values()) and (wanted or full and name in report.PROFILED):
            profiles = {driver: bench.functions(run, case) for driver, run in measure(guest, [case], profile=True).items()}
            for driver in DRIVERS:
                counts[driver][name]["parts"] = report.parts(profiles[driver])
            if wanted:
                table = OUT / f"profile-{guest.name}-{case}.md"
                table.write_text("\n".join(report.profile(**profiles)) + "\n")
                request.config.virtgpu.say(f"{table.relative_to(TOP)} has where {name} spends its instructions")
    for driver in DRIVERS:
        results[driver] |= counts[driver]
    return Counted(guest.name, runs, counts)


def test_figure(run, case, figure, record_property):
    """A figure against the in-tree driver's and against its goal."""
    name = f"{run.guest}: {case}"
    for driver in DRIVERS:
        run.runs[driver].check(f"bench/{case}")
        assert name in run.counts[driver], f"{name}: no count with {driver}: {run.runs[driver].folder.relative_to(TOP)}/trace.log"
    good, text = report.verdict(name, figure, *(run.counts[driver][name] for driver in DRIVERS))
    record_property("figure", text)
    assert good, f"{name}: {figure}: ours / in-tree: {text}"
