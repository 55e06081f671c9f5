# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""checkpatch and kernel-doc, and what they do not check: names, words, columns of comments, calls, --help."""

import collections
import fnmatch
import graphlib
import os
import re
import subprocess

from vgputest import BUILD, DRIVER, TESTING, TOP

WORDS = TESTING / "style/words.txt"
SHORT = 5

# What checkpatch is not to report, by the first pattern that a file has.
IGNORE = {
    # Shims drop arguments and add declarations; tracepoints have a style of their own.
    "include/compat/*": "COMPLEX_MACRO,MACRO_ARG_UNUSED,MACRO_ARG_REUSE,MULTISTATEMENT_MACRO_USE_DO_WHILE",
    "*_trace.h": "OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT",
    # libdrm's and Vulkan's names; what processes and signals share is volatile.
    **{f"tools/testing/{folder}/*": "CAMELCASE,VOLATILE" for folder in ("uapi", "stress", "held", "vulkan")},
    "tools/testing/fake-udmabuf/*": "MACRO_WITH_FLOW_CONTROL,MACRO_ARG_REUSE,MACRO_ARG_PRECEDENCE",
    # The errno that user space gets from the ioctls of 3D without 3D.
    **{f"*/virtgpu_{name}.c": "ENOSYS" for name in ("ioctl_3d", "submit", "uapi_kunit")},
    # A list that is expanded into an enum, a union and a table.
    "*_wire.h": "COMPLEX_MACRO,MACRO_ARG_REUSE,TRAILING_SEMICOLON",
    "*": "NONE",
}

# What functions begin with beside the name of their file: one for each struct that it implements.
ALSO = {"backing": "pages", "capset": "capsets", "file": "ctx_attachment", "frame": "frames", "host_visible": "host_mapping",
        "ioctl_3d": "ioctl", "kms": "display_query", "msg": "client", "output": "crtc connector",
        "plane": "primary_plane cursor_plane", "prime": "import export", "resource": "resources"}

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
STATIC = re.compile(r"^static (?!const struct|struct \w+ \w+ ?[=;\[])[\w \t*\n]*?\b(\w+)\(", re.M)


def check_none(found):
    found = sorted(found)
    assert not found, f"{len(found)} found:\n" + "\n".join(found[:40])


def c_files(*folders):
    return [path for folder in folders for path in sorted((TOP / folder).rglob("*.[ch]")) if not path.name.endswith(".mod.c")]


def tracked(call, *patterns):
    names = call("git", "ls-files", "-z", *patterns).split("\0")
    return [TOP / name for name in names if name and (TOP / name).is_file()]


def test_checkpatch(call, kernel_source, record_property):
    """checkpatch --strict reports nothing."""
    groups = collections.defaultdict(list)
    for path in (files := c_files("drivers", "include", "tools/testing")):
        groups[next(ignore for pattern, ignore in IGNORE.items() if fnmatch.fnmatchcase(str(path.relative_to(TOP)), pattern))].append(path)
    record_property("figure", f"{len(files)} files")
    # From elsewhere: in a git tree it leaves a list of names behind.
    check_none(line for ignore, paths in groups.items() for line in call(
        kernel_source / "scripts/checkpatch.pl", f"--root={kernel_source}", "--strict", "--terse", "--no-summary", "--show-types",
        "--max-line-length=100", "--ignore", ignore, "-f", *paths, cwd=BUILD / "log").splitlines())


def test_kernel_doc(call, kernel_source):
    """kernel-doc warns of nothing."""
    program = next(path for path in (kernel_source / "scripts/kernel-doc", kernel_source / "tools/docs/kernel-doc") if path.exists())
    # -Wall would also ask for each member of structs that no one else sees.
    call("python3", program, "-none", "-Werror", *c_files("drivers"))


def static_functions(text):
    """(name, line, lines of the body) of each static function that is defined."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    code = STRING.sub(blank, COMMENT.sub(blank, text))
    for match in STATIC.finditer(code):
        rest = re.match(r"[^;{]*\{", code[match.end():])
        if rest:
            body = code[match.end() + rest.end():].split("\n}", 1)[0]
            yield match.group(1), code.count("\n", 0, match.start(1)) + 1, body.count("\n")


def test_prefixes():
    """Static functions of the driver carry the prefix of their file."""
    def found():
        for path in sorted(DRIVER.glob("*.[ch]")):
            own = ("virtgpu_",) if path.stem == "virtgpu_drv" else (f"{path.stem}_", *(
                f"virtgpu_{each}_" for each in ALSO.get(path.stem.removeprefix("virtgpu_"), "").split()))
            for name, line, lines in static_functions(path.read_text()):
                # container_of() by another name, and short helpers of headers.
                helper = "to_virtgpu" in name or path.suffix == ".h" and lines <= SHORT
                if not helper and not name.startswith(own):
                    yield f"{path.relative_to(TOP)}:{line}: {name}() without {path.stem}_"
    check_none(found())


def test_words(call):
    """No words that have a standard one, which words.txt lists."""
    def found():
        for scope, pattern, standard in re.findall(r"^([^#\t\n]+)\t+([^\t\n]+)\t+(.+)$", WORDS.read_text(), re.M):
            regex = re.compile(rf"\b(?:{pattern})\b", re.I)
            for path in set(tracked(call, *scope.split())) - {WORDS}:
                for number, text in enumerate(path.read_text(errors="replace").splitlines(), 1):
                    for match in regex.finditer(text):
                        yield f"{path.relative_to(TOP)}:{number}: \"{match.group()}\": {standard}"
    check_none(found())


def test_columns(call):
    """Comments end at column 80."""
    def found():
        for path in tracked(call, "*.c", "*.h"):
            text = path.read_text()
            lines = text.splitlines()
            for match in COMMENT.finditer(STRING.sub(lambda m: re.sub("[/*]", "x", m.group()), text)):
                first = text.count("\n", 0, match.start())
                for number in range(first, first + match.group().count("\n") + 1):
                    # What follows code is the code's line.
                    alone = number > first or lines[number].lstrip().startswith(("/*", "//"))
                    if alone and (width := len(lines[number].expandtabs(8))) > 80:
                        yield f"{path.relative_to(TOP)}:{number + 1}: column {width}"
    check_none(found())


def symbols(call, path):
    """(defined, used) symbols of an object file."""
    kinds = [line.split()[-2:] for line in call("nm", path).splitlines()]
    return {name for kind, name in kinds if kind in "TDRBVW"}, {name for kind, name in kinds if kind == "U"}


def circles(graph):
    """The circles of {caller: {callee: function}}, one for each call that closes one."""
    while True:
        try:
            graphlib.TopologicalSorter(graph).prepare()
            return
        except graphlib.CycleError as error:
            # In the order of "is called by".
            circle = error.args[1][::-1]
        steps = list(zip(circle, circle[1:]))
        yield ", ".join(f"{caller} calls {graph[caller][callee]}() of {callee}" for caller, callee in steps)
        # The next circle is another one without the call that has the fewest like it.
        caller, callee = min(steps, key=lambda step: sum(step[1] in callees for callees in graph.values()))
        del graph[caller][callee]


def test_calls(call, lts_kernel, module, record_property):
    """No circle of calls between the driver's object files."""
    # What tracepoints expand to belongs to no layer.
    found = {path.stem: symbols(call, path) for path in sorted(module("lts").parent.glob("virtgpu_*.o"))
             if path.stem != "virtgpu_trace" and (DRIVER / f"{path.stem}.c").exists()}
    record_property("figure", f"{len(found)} object files")
    assert found
    where = {name: stem for stem, (defined, _) in found.items() for name in defined}
    check_none(circles({stem: {where[name]: name for name in sorted(used) if name in where} for stem, (_, used) in found.items()}))


def test_help(record_property):
    """Each program below tools/ has --help."""
    programs = [path for path in sorted((TOP / "tools").rglob("*")) if path.is_file() and os.access(path, os.X_OK)]
    record_property("figure", f"{len(programs)} programs")

    def helps(program):
        done = subprocess.run([program, "--help"], cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=30)
        return not done.returncode and "usage:" in done.stdout
    check_none(str(program.relative_to(TOP)) for program in programs if not helps(program))
