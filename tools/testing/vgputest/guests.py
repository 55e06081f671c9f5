# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Guests: what is run in them, and what came of it."""

import dataclasses
import fnmatch
import os
import pathlib
import re

import pytest
from tap.parser import Parser
from vgpuvm import machine

from . import BUILD, TESTING, TOP, last_lines, screenshots

# A guest whose devices are behind an IOMMU.
IOMMU = {"qemu": ["-device intel-iommu"], "append": "intel_iommu=on"}
# An entry of a table of cases in C.
CASE = re.compile(r'^\t\{ "([\w./-]+)",', re.M)


def cases_of(program):
    """The cases of virtgpu-uapi or virtgpu-stress, as their sources list them."""
    return [case for source in sorted((TESTING / program).glob("*.c")) for case in CASE.findall(source.read_text())]


@dataclasses.dataclass(frozen=True)
class Guest:
    """A guest, and which cases of a program run in it. As a parameter its ID is KERNEL-NAME."""
    kernel: str
    name: str
    options: dict = dataclasses.field(hash=False)       # of the fixture vm
    cases: tuple
    program: tuple      # its name, and arguments before the cases
    files: tuple = ()   # other programs that it starts
    variables: tuple = dataclasses.field(default=({}, {}), hash=False)     # by default, with --full
    full: bool = False

    def settings(self, full):
        """The options of the fixture vm; variables of the caller's environment count more."""
        values = dict(self.variables[full])
        timeout = values.pop("timeout", 900)
        names = {f"VIRTGPU_{name}": value for name, value in values.items()}
        return {"timeout": timeout, **self.options, "env": {name: os.environ.get(name, value) for name, value in names.items()}}

    @property
    def needs(self):
        return ("host-3d",) if self.options.get("host") == "3d" else ()

    def __str__(self):
        return f"{self.kernel}-{self.name}"

    def marks(self):
        marks = [pytest.mark.full] if self.full else []
        return marks + ([pytest.mark.needs_3d] if self.options.get("gl") else [])


def chosen(patterns, cases):
    """The cases that match a string of patterns, in their order."""
    return tuple(case for case in cases if any(fnmatch.fnmatchcase(case, pattern) for pattern in patterns.split()))


def parametrize(metafunc, guests, without=()):
    """Give a test the argument "run", and "case" with each case of each guest, but some, if it has that."""
    if {"run", "case"} <= set(metafunc.fixturenames):
        params = [pytest.param(guest, case, id=f"{guest}-{case}", marks=guest.marks())
                  for guest in guests for case in guest.cases if case not in without]
        metafunc.parametrize("run, case", params, indirect=["run"], scope="module")
    elif "run" in metafunc.fixturenames:
        params = [pytest.param(guest, id=str(guest), marks=guest.marks()) for guest in guests]
        metafunc.parametrize("run", params, indirect=True, scope="module")


def of(item):
    """The guest of a test, its parameter "run"."""
    return item.callspec.params.get("run") if hasattr(item, "callspec") else None


def selected_cases(request, guest=None):
    """The cases of this session's tests in a guest, by default the request's; all of the guest's if only that itself is tested."""
    guest = guest or request.param
    cases = [item.callspec.params["case"] for item in request.session.items
             if of(item) is guest and "case" in item.callspec.params]
    return list(dict.fromkeys(cases)) or list(guest.cases)


@dataclasses.dataclass
class Case:
    """A line of KTAP."""
    ok: bool
    skip: bool
    note: str           # a figure or a reason
    lines: list         # what was printed before it


def read_ktap(text, indent=""):
    """({name: Case}, the rest of the lines), of the results that are indented so."""
    parser, cases, lines = Parser(), {}, []
    for text_line in text.splitlines():
        line = parser.parse_line(text_line.removeprefix(indent).rstrip())
        if line.category == "test":
            name = re.sub(r"^- ", "", line.description)
            cases[name] = Case(line.ok, line.skip, re.sub(r"^SKIP\s*", "", line.directive.text), lines)
            lines = []
        else:
            lines = [*lines, text_line]
    return cases, lines


class Run:
    """What came of one run of a guest."""

    def __init__(self, name, result):
        self.name, self.folder = name, result.out
        self.status, self.reason, self.kernel_warnings = result.status, result.reason, result.kernel_warnings
        self.output = result.output
        self.cases, self.rest = read_ktap(self.output)

    def file(self, name):
        return self.folder / name

    def check(self, name):
        """Pass, fail or skip as a case did. Return its note."""
        case = self.cases.get(name)
        if not case:
            pytest.fail(f"{name}: the guest {self.name} ended before this result: {self.reason or 'no line of KTAP has it'}\n" +
                        "\n".join(self.rest[-20:]), pytrace=False)
        if case.skip:
            pytest.skip(case.note)
        if not case.ok:
            pytest.fail("\n".join([f"{name}: {case.note}", *case.lines[-30:]]), pytrace=False)
        wrong = [text for line in case.lines if (text := screenshots.check_line(line, self.folder))]
        if wrong:
            pytest.fail("\n".join([f"{name}: wrong picture", *wrong]), pytrace=False)
        return case.note

    def outcome(self, name):
        """What check() says of a case: pass, fail or skip, or none without a result."""
        try:
            self.check(name)
        except pytest.skip.Exception:
            return "skip"
        except pytest.fail.Exception:
            return "fail" if name in self.cases else "none"
        return "pass"

    def explain(self, name):
        """One line about what a case came to."""
        case = self.cases.get(name)
        return " / ".join(filter(None, [case.note, *case.lines[-1:]])) if case else self.reason

    def check_end(self, results=None):
        """The guest came to its end, without a warning of its kernel or a result that no test looks at."""
        if self.status not in (0, 1, machine.KERNEL_WARNED) or (self.status == 1 and all(case.ok for case in self.cases.values())):
            pytest.fail("\n".join([f"{self.name}: {self.reason}", *self.rest[-20:]]), pytrace=False)
        assert not self.kernel_warnings, f"{self.name}: the guest's kernel printed {len(self.kernel_warnings)} warnings"
        if results is not None:
            unknown = set(self.cases) - set(results)
            assert not unknown, f"{self.name}: results that no test has: {', '.join(sorted(unknown))}"

    def sections(self):
        """For the report of a failed test."""
        log = self.folder / "dmesg.log"
        yield "end of the guest's kernel log", "\n".join([*self.kernel_warnings[:5], "...", last_lines(log)])
        pictures = sorted(path.name for path in self.folder.glob("*.png"))
        yield "files", f"{self.folder.relative_to(TOP)}/: script.log, dmesg.log, console.log, qemu.txt, trace.log" + (
            f"; {len(pictures)} pictures: {' '.join(pictures[:6])}" if pictures else "")


def boot(name, config, **options):
    """Boot a guest, run its program, return the Run."""
    out, keep, say = pathlib.Path(options.pop("out", BUILD / "vm" / name)), config.getoption("keep"), config.virtgpu.say
    say(f"guest {name} boots; {out.relative_to(TOP)}/script.log")
    try:
        result = machine.run(out=str(out), keep=keep, **options)
    except machine.Problem as problem:
        pytest.fail(f"{name}: {problem}", pytrace=False)
    if keep:
        place = os.path.relpath(out)
        say(f"guest {name} is left: shell: socat -,raw,echo=0 {place}/shell (exit ends it); gdb: target remote {place}/gdb")
    return Run(name, result)
