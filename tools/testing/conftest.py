# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Fixtures and options of all tests, see README.md."""

import fcntl
import functools
import os
import re
import subprocess
import sys
import threading
import time

import pytest

try:
    from vgputest import BUILD, DRIVER, TESTING, TOP, guests, last_lines, locked, setups
except ImportError as error:
    raise pytest.UsageError(f"{error}: run tools/setup packages qmp") from None

# What needs no guest comes first: the setups of the guests run meanwhile. Then comes what takes longest: the processes
# that run the tests shall end at the same time.
ORDER = [*((name, False) for name in ("test_build", "test_cross", "test_style", "test_syzkaller", "test_guide", "test_kunit")),
         *((name, True) for name in ("test_stress", "test_igt", "test_uapi", "test_package", "test_bench", "test_3d", "test_replay"))]


def pytest_addoption(parser):
    group = parser.getgroup("virtio-gpu")
    group.addoption("--full", action="store_true", default=bool(os.environ.get("FULL")),
                    help="with the tests marked full, and all iterations; also by FULL=1")
    group.addoption("--keep", action="store_true", help="leave the guests running, for a shell or gdb")
    group.addoption("--coverage", action="store_true", default=bool(os.environ.get("COVERAGE")),
                    help="how much of the driver the unit tests in user mode Linux execute")
    group.addoption("--document", action="store_true", default=bool(os.environ.get("DOCUMENT")),
                    help="bench: put the tables and the plot into the guide; also by DOCUMENT=1")
    group.addoption("--profile", action="store_true", help="bench: where each chosen case spends its instructions")
    group.addoption("--baseline", action="store_true", default=bool(os.environ.get("BASELINE")),
                    help="IGT: run the in-tree driver too, instead of reading its results from the lists")
    group.addoption("--hostile-seconds", type=int, default=0, help="hostile host: fuzz for so long, instead of two minutes or an hour")
    group.addoption("--hostile-input", default="", help="hostile host: the file of inputs that test_hostile.py::test_input runs")
    group.addoption("--device", default=os.environ.get("DEVICE", ""), help="IGT: the whole list on this device: blob, 2d or virgl")
    group.addoption("--outputs", type=int, default=int(os.environ.get("OUTPUTS") or 1), help="IGT: with so many outputs")


class Session:
    """Progress, allowed skips (patterns of IDs) and setups of a session."""

    def __init__(self, config):
        self.config = config
        self.began = time.monotonic()
        self.running, self.broken = "", True
        # The output itself, as pytest captures that of the tests; pytest-xdist's processes have none.
        with config.pluginmanager.get_plugin("capturemanager").global_and_fixture_disabled():
            self.output = os.dup(2 if hasattr(config, "workerinput") else 1)
        self.setups = setups.Setups(self.say)
        self.skips = re.findall("^[^#\n].*", (TESTING / "skips.txt").read_text(), re.M)
        threading.Thread(target=self.beat, daemon=True).start()

    def say(self, text):
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        os.write(self.output, f"\n[{minutes:3}:{seconds:02}] {text}".encode())

    def beat(self):
        """A line every minute that one test takes."""
        last, since = "", time.monotonic()
        while True:
            time.sleep(5)
            if self.running != last:
                last, since = self.running, time.monotonic()
            elif last and time.monotonic() - since >= 60:
                since = time.monotonic()
                logs = [path for path in (*BUILD.glob("vm/*/script.log"), *BUILD.glob("log/*")) if path.is_file()]
                newest = max(logs, key=lambda path: path.stat().st_mtime, default=None)
                self.say(f"{last}: " + (f"{newest.relative_to(TOP)}: {last_lines(newest, 1)[:100]}" if newest else "runs"))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    if not config.getoption("collectonly"):
        # Those of a make that called pytest are not for the makes of the tests.
        for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
            os.environ.pop(name, None)
        # With W=1 a kernel's build starts Python for each file; a version manager's python3 needs a second for its own start.
        os.environ["PATH"] = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
        config.option.xmlpath = config.option.xmlpath or BUILD / "results/junit.xml"
        config.virtgpu = Session(config)


def is_named(config, item):
    """Whether the command line has the test's ID, or its function's."""
    return any(arg.endswith((item.nodeid, item.nodeid.split("[")[0])) for arg in config.args)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """All tests of a guest are in a row: pytest groups parameters by their index, not by their value."""
    places = {}
    for item in items:
        place = (item.path.stem, "vm" in item.fixturenames)
        first = ORDER.index(place) if place in ORDER else len(ORDER)
        item.place = first, places.setdefault(item.path, len(places)), places.setdefault((item.path, guests.of(item)), len(places))
    items.sort(key=lambda item: item.place)
    without = [name for name in ("full", "coverage") if not config.getoption(name)]
    left = {item for item in items if any(map(item.get_closest_marker, without)) and not is_named(config, item)}
    config.hook.pytest_deselected(items=list(left))
    items[:] = [item for item in items if item not in left]


def pytest_collection_finish(session):
    if hasattr(session.config, "virtgpu"):
        for item in session.items:
            for need in setups.needs(item):
                session.config.virtgpu.setups.start(need)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    """Setups are waited for before the test's time begins."""
    ours = item.config.virtgpu
    ours.running = item.nodeid
    for need in setups.needs(item):
        ours.setups.wait(need)
    if "vm" in item.fixturenames:
        # A guest beside compilers is starved of processors.
        ours.setups.wait_all()
    with locked("tests", fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH):
        yield
    ours.running = ""


def again(item):
    full = " --full" if item.get_closest_marker("full") or item.config.getoption("full") else ""
    return f"pytest-3{full} 'tools/testing/{item.nodeid}'"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(re.search(pattern, item.nodeid) for pattern in item.config.virtgpu.skips):
            report.outcome, report.longrepr = "failed", f"unexpected skip, not in tools/testing/skips.txt: {reason}"
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            # A run of a guest, or what a test has made of one.
            run = getattr(value, "run", value)
            if isinstance(run, guests.Run):
                report.sections += run.sections()
        report.sections.append(("run it again", again(item)))


def pytest_sessionfinish(session, exitstatus):
    if hasattr(session.config, "virtgpu"):
        session.config.virtgpu.setups.close()
        session.config.virtgpu.broken = exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)


def pytest_unconfigure(config):
    """The last line counts what all of it came to."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter and hasattr(config, "virtgpu"):
        def count(*kinds):
            return sum(len(reporter.stats.get(kind, ())) for kind in kinds)
        failed = count("failed", "error") or int(config.virtgpu.broken)
        reporter.write_line(f"{count('passed')} passed, {failed} failed, {count('skipped', 'xfailed')} skipped")


# ---- what the tests need ------------------------------------------------------------


def from_setup(fixture, path):
    @pytest.fixture(scope="session", name=fixture)
    def prepared(pytestconfig):
        pytestconfig.virtgpu.setups.require(setups.NEEDS[fixture])
        return BUILD / path
    prepared.__doc__ = f"{path}, of tools/setup {setups.NEEDS[fixture]}"
    return prepared


lts_kernel = from_setup("lts_kernel", "lts")
kernel_source = from_setup("kernel_source", "source")
guest_image = from_setup("guest_image", "image")
host_3d = from_setup("host_3d", "host-3d")
l1_host = from_setup("l1_host", "l1")
qemu_plugin = from_setup("qemu_plugin", "plugin")
uml_kernel = from_setup("uml_kernel", "kernel-uml")
doc_tools = from_setup("doc_tools", "doc")
packaging_tools = from_setup("packaging_tools", "dist")


@pytest.fixture(scope="session")
def full(pytestconfig):
    """Whether all iterations are wanted."""
    return pytestconfig.getoption("full")


@pytest.fixture(scope="session")
def call():
    """Run a command in the repository's folder; its output, or a failure that shows it."""
    def call(*command, check=True, **options):
        done = subprocess.run(list(map(str, command)), cwd=options.pop("cwd", TOP), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", check=False, **options)
        if check and done.returncode:
            pytest.fail(f"{' '.join(map(str, command))[:300]}: status {done.returncode}\n" + "\n".join(done.stdout.splitlines()[-40:]), pytrace=False)
        return done.stdout
    return call


@pytest.fixture(scope="session")
def tree(call):
    """tree(NAME): a kernel tree with the driver, see tools/setup; build/tree-NAME."""
    @functools.cache
    def tree(name):
        call("tools/setup", "tree", name)
        return BUILD / f"tree-{name.replace(':', '-')}"
    return tree


@pytest.fixture(scope="session")
def module(call, pytestconfig):
    """module(KERNEL): the driver built for lts, 7.3 or 7.3-debug."""
    @functools.cache
    def module(kernel):
        pytestconfig.virtgpu.setups.require(setups.kernel_need(kernel))
        if kernel != "lts":
            return TOP / call("tools/setup", "module", kernel).splitlines()[-1]
        with locked("modules"):
            call("make", "-s", "modules", "KDIR=build/lts/kdir")
        return BUILD / f"modules/lts/{DRIVER.relative_to(TOP)}/virtio_gpu.ko"
    return module


@pytest.fixture(scope="session")
def exporter(call):
    """exporter(KERNEL): the module that exports dma-bufs."""
    @functools.cache
    def exporter(kernel):
        kdir = "build/lts/kdir" if kernel == "lts" else f"build/kernel-{kernel}/tree"
        call("tools/build-module", "tools/testing/exporter", kdir, f"build/modules/exporter-{kernel}")
        return BUILD / f"modules/exporter-{kernel}/virtgpu_exporter.ko"
    return exporter


@pytest.fixture(scope="session")
def make(call):
    """make(FOLDER, ARGUMENT...): build the programs of a folder below tools/."""
    def make(folder, *arguments):
        with locked("programs"):
            call("make", "-s", "-C", TOP / "tools" / folder, *arguments)
    return make


@pytest.fixture(scope="session")
def programs(make, guest_image):
    """The folder of the C programs that run in the guest."""
    out, root = BUILD / "programs", guest_image / "root"
    make("testing/uapi", f"O={out}", f"SYSROOT={root}")
    make("testing/stress", f"O={out}/stress", f"UAPI={out}", f"SYSROOT={root}")
    return out


@pytest.fixture(scope="session")
def vm(pytestconfig, guest_image, module):
    """vm(NAME, kernel=..., ...): boot a guest, see vgpuvm.machine.Options; a vgputest.guests.Run.

    The driver is the one built here unless module= says otherwise ("baseline": the in-tree one).
    A kernel may also be a folder.
    """
    def vm(name, *, kernel="lts", **options):
        needs = ([] if "/" in kernel else [setups.kernel_need(kernel)]) + (["host-3d"] if options.get("host") == "3d" else [])
        for need in needs:
            pytestconfig.virtgpu.setups.require(need)
        if "module" not in options:
            options["module"] = str(module(kernel))
        return guests.boot(name, pytestconfig, kernel=kernel, **options)
    return vm


@pytest.fixture(scope="module")
def boot(request, vm, exporter, programs):
    """boot(GUEST, CASES, NAME, OPTION=...): a run of a vgputest.guests.Guest, with these cases."""
    def boot(guest, cases, name, **options):
        program, *args = guest.program
        return vm(name, kernel=guest.kernel, script=programs / program, args=[*args, *cases],
                  files=[programs / file for file in guest.files] + [exporter(guest.kernel)], modules=["vgem", "virtgpu_exporter"],
                  **guest.settings(request.config.getoption("full")), **options)
    return boot


@pytest.fixture(scope="module")
def run(request, boot):
    """The run of a vgputest.guests.Guest, with the cases of this session's tests."""
    guest, name = request.param, request.module.__name__.removeprefix("test_")
    return boot(guest, guests.selected_cases(request), f"{name}-{guest}")
