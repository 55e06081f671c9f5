# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The unit tests of the driver, by kunit.py in user mode Linux and on x86_64 in QEMU."""

import dataclasses
import json
import os
import re
import shutil
import subprocess

import pytest
from vgputest import BUILD, DRIVER, TESTING, TOP, guests, last_lines

PLACE = DRIVER.relative_to(TOP)
OUT = BUILD / "kunit"
# Kernel warnings that no case provokes, other than a result or a diagnostic of one.
REPORT = re.compile(r"^(?!\s*((not )?ok |#)).*(\b(BUG|WARNING|KASAN|UBSAN|DMA-API|INFO|ODEBUG): |refcount_t: |Kernel panic|Oops: |"
                    r"possible (recursive|circular) locking|sleeping function called|blocked for more than)")
LOCKDEP_OFF = "Disabling lock debugging"
COVERAGE_WANTED = 85
# All files but the one that only makes the tracepoints.
FILES = sorted(file.name for file in DRIVER.glob("virtgpu_*.c") if file.stem != "virtgpu_trace")


def cases_of(source):
    """SUITE.FUNCTION of each test function that a source lists."""
    text = source.read_text()
    suite = re.search(r'\.name = "(virtio_gpu_\w+)"', text)[1]
    return [f"{suite}.{case}" for case in re.findall(r"^\tKUNIT_CASE\w*\(\s*(\w+)", text, re.M)]


CASES = [case for source in sorted((DRIVER / "tests").glob("*_kunit.c")) for case in cases_of(source)]


@dataclasses.dataclass(frozen=True)
class Machine:
    """A kernel, as the parameter of the fixture run."""
    name: str
    tree: str
    needs: tuple
    checks: tuple = ()      # what it has in addition to tests/.kunitconfig
    cases = CASES

    def __str__(self):
        return self.name

    def marks(self):
        return [pytest.mark.full, pytest.mark.timeout(3600)] if self.checks else []


# With KASAN. Time passes only while all threads sleep: no wait costs any, and no load changes one.
UML = Machine("uml", "uml", ("kernel uml",))
# Two processors at once, which user mode Linux has not.
DEBUG = Machine("debug", "source:kunit", ("source",), (
    "SMP=y", "PROVE_LOCKING=y", "DEBUG_ATOMIC_SLEEP=y", "DEBUG_WW_MUTEX_SLOWPATH=y", "DEBUG_OBJECTS=y",
    "DEBUG_OBJECTS_FREE=y", "DEBUG_OBJECTS_TIMERS=y", "DEBUG_OBJECTS_WORK=y", "DMA_API_DEBUG=y", "UBSAN=y"))
KCSAN = Machine("kcsan", "source:kunit", ("source",), ("SMP=y", "KASAN=n", "KCSAN=y"))


def pytest_generate_tests(metafunc):
    only = {"test_lockdep": [DEBUG], "test_coverage": [UML], "test_total_coverage": [UML]}
    guests.parametrize(metafunc, only.get(metafunc.function.__name__, [UML, DEBUG, KCSAN]))


class Run(guests.Run):
    """What came of one run of kunit.py."""

    def __init__(self, machine, chosen, log):
        self.name, self.folder, self.chosen, self.log, self.rest = str(machine), OUT, chosen, log, []
        # What the kernel reports before the tests is not theirs.
        before, _, text = log.read_text(errors="replace").partition("KTAP version")
        self.cases, self.number = {}, 0
        for suite, part in re.findall(r"^    # Subtest: (\S+)\n(.*?)(?=^(?:not )?ok |\Z)", text, re.M | re.S):
            for name, case in guests.read_ktap(part, indent=" " * 4)[0].items():
                self.cases[f"{suite}.{name}"] = case
                self.number += self.name_parameters(case)
        # The first warning with what the kernel prints next.
        lines = text.splitlines()
        self.kernel_warnings = next((lines[number:number + 25] for number, line in enumerate(lines) if REPORT.match(line)), [])
        self.reason = "".join(self.kernel_warnings[:1])
        self.lockdep_off = LOCKDEP_OFF in before + text

    @staticmethod
    def name_parameters(case):
        """Put a case's parameters into its note, those that failed with their lines; how many it has, or 1."""
        parameters, _ = guests.read_ktap("\n".join(case.lines), indent=" " * 8)
        bad = {name: each.lines for name, each in parameters.items() if not each.ok}
        if bad:
            case.note = f"{len(bad)} of {len(parameters)}: {', '.join(bad)}"
            case.lines = [line for name, lines in bad.items() for line in [f"    {name}:", *lines]]
        elif parameters:
            case.note = case.note or f"{len(parameters)} cases"
        return max(len(parameters), 1)

    def sections(self):
        yield "files", f"{self.log.relative_to(TOP)}: the kernel's output"


def executed_lines(file, objects):
    """Each line that has code: was it executed?"""
    done = subprocess.run(["gcov", "--json-format", "--stdout", f"{file.removesuffix('.c')}.gcda"],
                          cwd=objects, capture_output=True, text=True, check=False)
    lines = {}
    for entry in json.loads(done.stdout or "{}").get("files", ()):
        for line in entry["lines"] if os.path.basename(entry["file"]) == file else ():
            lines[line["line_number"]] = lines.get(line["line_number"], False) or line["count"] > 0
    return lines


@pytest.fixture(scope="module")
def run(request, tree, call, pytestconfig):
    """The driver is built with its tests, which kunit.py runs on a machine."""
    machine, chosen = request.param, guests.selected_cases(request)
    # KUnit takes one pattern: it may match more than what was chosen.
    pattern = os.path.commonprefix(chosen) + ("*" if len(chosen) > 1 else "")
    covered = machine is UML and any(item.get_closest_marker("coverage") for item in request.session.items)
    folder = tree("uml:coverage" if covered else machine.tree)
    build = folder if machine is UML else OUT / str(machine)
    OUT.mkdir(exist_ok=True)
    build.mkdir(exist_ok=True)
    log, output = OUT / f"{machine}.log", BUILD / f"log/kunit-{machine}"
    for old in (log, output, folder / "test.log", *(folder / PLACE).glob("*.gcda")):
        old.unlink(missing_ok=True)
    pytestconfig.virtgpu.say(f"kunit.py: {pattern} on {machine}; {output.relative_to(TOP)}")

    def kunit(command, *arguments):
        """Whether kunit.py does it."""
        with open(output, "w") as file:
            return not subprocess.run(
                ["tools/testing/kunit/kunit.py", command, f"--jobs={os.cpu_count()}", f"--build_dir={os.path.relpath(build, folder)}",
                 f"--kunitconfig={PLACE}/tests", *arguments],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, check=False).returncode

    if machine is UML:
        options = []
        if covered:
            writer = OUT / "uml-gcov.o"
            call("gcc", "-O2", "-Wall", "-c", TESTING / "uml-gcov.c", "-o", writer)
            options = [f"--make_options=LD_FLAGS_CMDLINE=-Wl,-m,elf_x86_64 {writer} --coverage",
                       *(f"--make_options=CFLAGS_{file.removesuffix('.c')}.o=--coverage" for file in FILES)]
        kunit("run", "--arch=um", f"--kunitconfig={TESTING}/configs/uml.config", "--kernel_args=time-travel=inf-cpu",
              "--timeout=600", *options, pattern)
        if (folder / "test.log").exists():
            shutil.copy(folder / "test.log", log)
    elif kunit("build", "--arch=x86_64", *(f"--kconfig_add=CONFIG_{symbol}" for symbol in machine.checks)):
        # kunit.py would take KVM wherever there is a /dev/kvm, also one that runs nothing.
        call("timeout", 1800, "qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-smp", 2, "-m", "1G", "-nodefaults",
             "-display", "none", "-no-reboot", "-serial", f"file:{log}", "-kernel", build / "arch/x86/boot/bzImage",
             "-append", f"console=ttyS0 kunit.enable=1 kunit_shutdown=reboot kunit.filter_glob={pattern}", check=False)
    if not log.exists():
        errors = [line for line in output.read_text().splitlines() if re.search(r"\berror\b|^ERROR|undefined", line)]
        pytest.fail(f"no kernel has run, see {output.relative_to(TOP)}\n" + ("\n".join(errors[:5]) or last_lines(output)), pytrace=False)
    found = Run(machine, chosen, log)
    if covered:
        found.coverage = {file: executed_lines(file, folder / PLACE) for file in FILES}
        (OUT / "coverage.txt").write_text("".join(
            f"{file}:{number}: {text}\n" for file, lines in found.coverage.items()
            for number, text in enumerate((DRIVER / file).read_text().splitlines(), 1) if not lines.get(number, True)))
    return found


def test_case(run, case, record_property):
    """What the cases of a test function found."""
    record_property("figure", run.check(case))


def test_kernel_warnings(run):
    """The kernel reports nothing while the tests run."""
    if run.kernel_warnings:
        pytest.fail("\n".join([f"{run.name}: the kernel reports", *run.kernel_warnings]), pytrace=False)


def test_lockdep(run):
    """Lockdep does not end before the tests."""
    assert not run.lockdep_off, f"{run.name}: {LOCKDEP_OFF}"


def test_all_cases(run, record_property):
    """Each case that the sources list was run, and no other."""
    skipped = sum(case.skip for case in run.cases.values())
    record_property("figure", f"{run.number} cases of {len(run.cases)} functions, {skipped} functions skipped")
    missing, unknown = set(run.chosen) - set(run.cases), set(run.cases) - set(CASES)
    assert not missing, f"{run.name}: {len(missing)} of {len(run.chosen)} did not run: {', '.join(sorted(missing)[:5])}"
    assert not unknown, f"{run.name}: results that no test has: {', '.join(sorted(unknown))}"


def share(lines):
    done = 100 * sum(lines) / max(len(lines), 1)
    return done, f"{done:.1f} % of {len(lines)} lines"


@pytest.mark.coverage
@pytest.mark.parametrize("file", FILES)
def test_coverage(run, file, record_property):
    """How much of a file is executed; tools/testing/coverage has the reasons why not all."""
    lines = run.coverage[file].values()
    reason = re.search(rf"^{file}\t(.*)$", (TESTING / "coverage").read_text(), re.M)
    assert lines, f"gcov has nothing of {file}"
    record_property("figure", share(lines)[1] + ("" if all(lines) else f"; not: {reason[1] if reason else 'no reason is given'}"))


@pytest.mark.coverage
def test_total_coverage(run, record_property):
    """And of the driver."""
    done, figure = share([line for file in run.coverage.values() for line in file.values()])
    record_property("figure", figure)
    assert done >= COVERAGE_WANTED, f"{figure}, {COVERAGE_WANTED} % wanted"
