# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The guide builds, explains each message of the driver's log, and names tests that exist; its command lines work.

A block of shell commands in the pages of Documentation/gpu is a line for QEMU, which
boots a guest, or has a comment above it: which test runs it, or why no test does:

  .. run by: test_MODULE.test_FUNCTION
  .. not run: REASON

The sessions (code-block:: console) after a line for QEMU are typed into that guest, "# "
before each command; what comes out has to be what the guide shows, where "..." stands
for anything. A line with a device that renders gets a display with OpenGL, one with Venus
also a QEMU that has it.
"""

import dataclasses
import fnmatch
import re
import shutil

import pytest
from vgputest import BUILD, DRIVER, TESTING, TOP, guests

GUIDE = TOP / "Documentation/gpu"
PAGE = GUIDE / "virtio-gpu.rst"
TROUBLESHOOTING = GUIDE / "virtio-gpu/troubleshooting.rst"


def test_builds(call, doc_tools, kernel_source):
    """sphinx prints no warnings."""
    shutil.rmtree(BUILD / "doc", ignore_errors=True)
    assert not re.findall(r".*(?:WARNING|ERROR).*", call("make", "-s", "doc"))


CALL = re.compile(r'\b(?:drm|dev|pr)_(?:err|warn|notice|info)(?:_once|_ratelimited)?\(((?:[^";]|"(?:[^"\\]|\\.)*")*?)\);', re.S)
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def messages():
    """The format of each message."""
    for source in sorted(DRIVER.glob("*.c")):
        for arguments in CALL.findall(source.read_text()):
            # Strings that follow each other directly are one; others are arguments.
            strings = re.search(r'"(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*', arguments)
            yield "".join(STRING.findall(strings.group(0))).replace("\\n", "")


MESSAGES = list(dict.fromkeys(messages()))
EXPLAINED = set(re.findall(r"^``(.+)``$", TROUBLESHOOTING.read_text(), re.M))


def explanations(message):
    pattern = "".join(".+" if part.startswith("%") else re.escape(part) for part in re.split(r"(%[-+ #0-9.]*[hlz]*[a-zA-Z])", message))
    return {term for term in EXPLAINED if re.fullmatch(pattern, term)}


@pytest.mark.parametrize("message", MESSAGES)
def test_message(message):
    """The troubleshooting page has it."""
    assert explanations(message), f"not in {TROUBLESHOOTING.relative_to(TOP)}"


def test_no_other_message():
    """The page has no message that the driver does not print."""
    others = EXPLAINED.difference(*map(explanations, MESSAGES))
    assert not others, "\n".join(sorted(others))


def existing_tests():
    """KUnit's SUITE.CASE; MODULE, MODULE.FUNCTION, and MODULE.GROUP of cases in C, of the tests here."""
    for source in DRIVER.glob("tests/virtgpu_*_kunit.c"):
        text = source.read_text()
        suite = re.search(r'struct kunit_suite .*?\.name = "(\w+)"', text, re.S)
        for case in re.findall(r"\bKUNIT_CASE\w*\((\w+)", text) if suite else ():
            yield f"{suite.group(1)}.{case}"
    for source in TESTING.glob("test_*.py"):
        yield source.stem
        yield from (f"{source.stem}.{function}" for function in re.findall(r"^def (test_\w+)", source.read_text(), re.M))
    for program in ("uapi", "stress"):
        yield from (f"test_{program}.{case.split('/')[0]}" for case in guests.cases_of(program))


TESTS = set(existing_tests())


def guarantees():
    """(event, tests) of each row of the table."""
    section = re.search(r"^Robustness and test coverage\n=+\n(.*?)\n\n(?=[^\n]+\n[-=]+\n)", PAGE.read_text(), re.M | re.S).group(1)
    for row in section.split("   * - ")[2:]:
        event, _, tests = (" ".join(cell.split()) for cell in re.split(r"^     - ", row, flags=re.M))
        yield pytest.param(re.findall(r"``([\w.-]+)``", tests), id=event)


@pytest.mark.parametrize("tests", guarantees())
def test_guarantee(tests, record_property):
    """The tests exist that cover it."""
    record_property("figure", f"{len(tests)} tests")
    missing = [test for test in tests if test not in TESTS]
    assert tests and not missing, f"no {', no '.join(missing)}" if tests else "no test is named"


MARK = re.compile(r"^\.\. (run by|not run): (.*)$")
BLOCK = re.compile(r"^\.\. code-block:: (sh|console|xorg\.conf)$")


@dataclasses.dataclass(eq=False)
class Line:
    """A line for QEMU, and what is typed into its guest."""
    name: str
    text: str
    session: list = dataclasses.field(default_factory=list)     # (command, lines of output)

    kernel = "lts"

    @property
    def options(self):
        """Those of the fixture vm."""
        renders = {"gl": True} if re.search(r"-device virtio-\w+-gl\b", self.text) else {}
        return renders | ({"host": "3d"} if "venus=on" in self.text else {})

    @property
    def needs(self):
        return ["host-3d"] if "host" in self.options else []

    def param(self, *values, name=""):
        return pytest.param(self, *values, id=self.name + name, marks=[pytest.mark.needs_3d, pytest.mark.full] if "gl" in self.options else [])


def blocks(page):
    """(kind, mark, reason, text) of each block of commands."""
    lines = page.read_text().splitlines()
    mark = reason = ""
    for i, line in enumerate(lines):
        marked, begins = MARK.match(line), BLOCK.match(line)
        if marked:
            mark, reason = marked.groups()
        elif begins:
            text = []
            for inside in lines[i + 1:]:
                if inside and not inside.startswith("   "):
                    break
                text.append(inside[3:])
            yield begins.group(1), mark, reason, "\n".join(text).strip("\n")
            mark = reason = ""


def read_guide():
    """(the lines for QEMU, {other command: the test that runs it})"""
    machines, others = [], {}
    for page in sorted(GUIDE.rglob("*.rst")):
        machine, number = None, 0
        for kind, mark, reason, text in blocks(page):
            if kind == "console":
                for line in text.splitlines() if machine else ():
                    if line.startswith("# "):
                        machine.session.append((line[2:], []))
                    else:
                        machine.session[-1][1].append(line)
                continue
            machine = None
            if not mark and text.startswith("qemu-system-x86_64 "):
                number += 1
                machine = Line(f"{page.stem} {number}", text.replace("\\\n", " "))
                machines.append(machine)
            elif mark != "not run":
                others[f"{page.stem}: " + text.split("\n")[0]] = reason
    return machines, others


LINES, OTHERS = read_guide()


@pytest.mark.parametrize("test", OTHERS.values(), ids=OTHERS)
def test_command_elsewhere(test):
    """A command that is no line for QEMU has the mark "run by", with a test that exists."""
    assert test in TESTS, f"no {test}" if test else "no test runs it"


@pytest.fixture(scope="module")
def run(request, vm):
    """The run of a guest in which all commands of a Line were typed."""
    line = request.param
    return vm("guide-" + line.name.replace(" ", "-"), kernel=line.kernel, script=TESTING / "guide/type",
              args=[command for command, _ in line.session], line=line.text, timeout=240, **line.options)


@pytest.mark.parametrize("run", [line.param() for line in LINES], indirect=True)
def test_line(run):
    """A guest boots and ends well."""
    run.check_end()


@pytest.mark.parametrize("run, number", [line.param(number, name=f": {command}") for line in LINES
                                         for number, (command, _) in enumerate(line.session)], indirect=["run"], scope="module")
def test_command(request, run, number):
    """Its output is what the guide shows."""
    shown = request.node.callspec.params["run"].session[number][1]
    outputs = re.split(r"^@@\n", run.output, flags=re.M)[1:]
    assert number < len(outputs), f"it was not typed: {run.reason}"
    output = outputs[number].splitlines()
    assert len(output) == len(shown) and all(fnmatch.fnmatchcase(*pair) for pair in zip(
        output, (re.sub(r"([\[*?])", r"[\1]", line).replace("...", "*") for line in shown))), \
        "output:\n" + "\n".join(output) + "\nin the guide:\n" + "\n".join(shown)
