# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""IGT in guests: the lists of subtests, what is expected of them, and the results of igt_runner."""

import collections
import dataclasses
import fnmatch
import json
import re
import shutil

from vgpuvm import machine

from . import BUILD, TESTING

LISTS = TESTING / "igt"
# Guests for a list, as one ends early where it dies or its kernel warns.
BOOTS = 12
# A clock that counts instructions does not depend on how busy the host is.
COUNTED = {"accel": "tcg,thread=single", "qemu": ["-icount shift=2,sleep=off"]}
DEVICES = {
    "blob": {"gpu": "virtio-gpu-pci,blob=true"},
    "2d": {"gpu": "virtio-gpu-pci"},
    # The host draws without a GPU: fewer pixels let it keep up.
    "virgl": {"gpu": "virtio-gpu-gl-pci,blob=on,hostmem=256M,xres=640,yres=480", "host": "3d", "gl": True},
}
# The results of igt_runner that a line of a list of failures stands for.
FAILURES = {"Fail": ("fail", "dmesg-fail"), "Crash": ("crash",), "Timeout": ("timeout",), "Incomplete": ("incomplete",)}


@dataclasses.dataclass(frozen=True)
class Variant:
    """A guest, as a parameter KERNEL-DEVICE-OUTPUTS, and its subtests."""
    kernel: str
    device: str
    outputs: int
    cases: tuple        # with --full
    brief: tuple = ()   # by default

    def __str__(self):
        return f"{self.kernel}-{self.device}-{self.outputs}"

    def options(self):
        """Of the fixture vm."""
        device = DEVICES[self.device]
        # The clocks of a guest's processors differ on a busy host, and the kernel warns of it. Under KASAN a
        # console that is drawn anew after each test takes too long.
        append = "tsc=reliable" + (" drm_kms_helper.fbdev_emulation=0" if self.kernel == "7.3-debug" else "")
        return {**device, "kernel": self.kernel, "append": append, "udev": True, "timeout": 5400,
                "gpu": [f"{device['gpu']},max_outputs={max(2, self.outputs)}"], "dbus": self.outputs > 1,
                "env": {"VIRTGPU_OUTPUTS": self.outputs}}


# ---- lists ------------------------------------------------------------------------


def rows(name):
    return [line for line in (LISTS / name).read_text().splitlines() if line and not line.startswith("#")]


def subtest(name):
    """Without the dynamic part, which cannot be run alone."""
    return "@".join(name.split("@")[:2])


def read_baseline(name="baseline.csv"):
    """{name: result} of the in-tree driver."""
    return dict(row.rsplit(",", 1) for row in rows(name if (LISTS / name).exists() else "baseline.csv"))


# All subtests.
CASES = tuple(dict.fromkeys(map(subtest, read_baseline())))


def listed(name):
    """The subtests of a list of +PATTERN and -PATTERN, of which the last that fits counts."""
    chosen = {}
    for row in rows(name):
        chosen.update(dict.fromkeys(fnmatch.filter(CASES, row[1:]), row[0] == "+"))
    return tuple(case for case in CASES if chosen.get(case))


@dataclasses.dataclass
class Line:
    """A line of virtio_gpu-*.txt."""
    test: str           # regular expressions
    message: str
    results: tuple      # none: any
    reason: str         # the comment above
    kernel: bool        # whether it is for one kernel

    def covers(self, name, result):
        return (re.fullmatch(self.test, name) and (not self.results or result.result in self.results)
                and re.search(self.message, result.why))


def read_lines(kind, variant):
    """Of the files for all variants, and for this one's device, outputs and kernel."""
    outputs = f"{variant.outputs}-output{'s' if variant.outputs > 1 else ''}"
    for config in ("", f"-{variant.device}", f"-{outputs}", f"-{variant.kernel}"):
        path = LISTS / f"virtio_gpu{config}-{kind}.txt"
        for paragraph in path.read_text().split("\n\n") if path.exists() else ():
            reason = " ".join(line[1:].strip() for line in paragraph.splitlines() if line.startswith("#"))
            for line in (line for line in paragraph.splitlines() if not line.startswith("#")):
                assert reason, f"{path.name}: {line}: no comment above with the reason"
                if kind == "fails":
                    test, result = line.rsplit(",", 1)
                    test, message, results = f"{re.escape(test)}(@.*)?", "", FAILURES[result]
                else:
                    test, _, message = line.partition(": ")
                    results = ("skip",) if kind == "skips" else ()
                yield Line(test, message, results, reason, config == f"-{variant.kernel}")


# ---- results ----------------------------------------------------------------------


class Result:
    """Of a subtest or a dynamic subtest."""

    def __init__(self, test):
        self.result, self.out = test["result"], test.get("out", "")
        self.seconds = test.get("time", {}).get("end", 0) - test.get("time", {}).get("start", 0)
        self.kernel = [line for line in test.get("dmesg", "").splitlines()
                       if re.match(r"<[0-4]>", line) and "[IGT]" not in line]
        self.why = self.skipped() if self.result == "skip" else self.failed(test.get("err", ""))
        self.excuse = None      # the Line that covers it
        self.tries = []         # what the tries before came to

    def skipped(self):
        """The requirement, or the last line."""
        # What follows concerns the binary's other subtests.
        text = re.split(r"^(?:Dynamic s|S)ubtest \S+: SKIP", self.out, maxsplit=1, flags=re.M)[0]
        found = re.findall(r"^Test requirement: (.*)\n(.*)$", text, re.M)
        if found:
            return " / ".join(part for part in found[-1]
                              if part and not re.match(r"Last errno|Subtest|Dynamic|Starting", part))
        lines = [line for line in text.splitlines() if not re.match(r"Using IGT|Opened|Starting|IGT-Version|$", line)]
        return lines[-1] if lines else ""

    def failed(self, err):
        if self.result == "pass":
            return ""
        if self.result.startswith("dmesg") and self.kernel:
            return self.kernel[0]
        found = re.search(r"Failed assertion: (.*)|(Received signal .*)|(Timeout.*)|WARNING: (.*)", self.out + err)
        return next(part for part in found.groups() if part) if found else ""

    def __str__(self):
        return f"{self.result}: {self.why}".removesuffix(": ")

    def details(self):
        return "".join(f"\n  {line}" for line in (*self.tries, *self.out.splitlines()[-15:], *self.kernel[:8]))


def run_list(vm, name, cases, **options):
    """Run subtests in as many guests as it takes: ({name: Result}, [the guests' Run])."""
    work = BUILD / "igt" / name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "list").write_text("".join(f"igt@{case}\n" for case in cases))
    runs, size = [], 0
    for number in range(1, BOOTS + 1):
        runs.append(vm(f"igt-{name}-{number}", script=LISTS / "guest-igt", share=str(work), **options))
        # It grows with every test that prints something.
        before, size = size, sum(path.stat().st_size for path in work.glob("results/*/*"))
        # In which test the kernel warned is among the results.
        if runs[-1].status in (0, machine.KERNEL_WARNED) or size == before:
            break
        for leftover in ("aborted.txt", "endtime.txt"):
            (work / "results" / leftover).unlink(missing_ok=True)
    path = work / "results/results.json"
    tests = json.loads(path.read_text())["tests"] if path.exists() else {}
    # A guest that dies between two subtests leaves an entry without a result.
    results = {name: Result(test) for name, test in tests.items() if "result" in test}
    return {name.removeprefix("igt@").lower(): result for name, result in results.items()}, runs


def save_csv(name, results):
    """In the form of baseline.csv."""
    (BUILD / f"igt/{name}.csv").write_text("".join(f"{test},{result.result}\n" for test, result in results.items()))


class Outcome:
    """The results of a variant's subtests beside what is expected of them."""

    def __init__(self, variant, results, runs, baseline):
        self.variant, self.results, self.run, self.baseline = variant, results, runs[-1], baseline
        self.ends = "".join(f"\n  guest {run.name}: {run.reason}" for run in runs if run.reason)
        self.fails, self.skips, self.flakes = (list(read_lines(kind, variant)) for kind in ("fails", "skips", "flakes"))
        for name, result in results.items():
            self.as_expected(name, result)

    def as_expected(self, name, result):
        """Whether it is a pass, or a line excuses it, which the result then has."""
        lines = self.skips if result.result == "skip" else () if result.result == "pass" else self.fails
        # The baseline's results are of 7.3, another kernel can lack something.
        result.excuse = next((line for line in lines if line.covers(name, result)
                              and (line.kernel or self.baseline.get(name) != "pass")), None)
        return result.excuse or result.result == "pass"

    def flaky(self):
        """The subtests that another try may be given."""
        found = [subtest(name) for name, result in self.results.items() if not self.as_expected(name, result)
                 and any(line.covers(subtest(name), result) for line in self.flakes)]
        return list(dict.fromkeys(found))

    def add_try(self, number, results):
        """Take the results of another try for what was not as expected."""
        for name, result in results.items():
            before = self.results.get(name)
            if not before or not self.as_expected(name, before):
                result.tries = [*(before.tries if before else ()), f"before try {number}: {before or 'no result'}"]
                self.results[name] = result
                self.as_expected(name, result)

    def members(self, case):
        """The results of a subtest and its dynamic subtests."""
        return {name: result for name, result in self.results.items() if subtest(name) == case}

    def wrong(self, case):
        """What is not as expected among them, and what is missing."""
        members = self.members(case)
        passes = [name for name, result in self.baseline.items() if subtest(name) == case and result == "pass"]
        found = [f"{name}: {result}{' (the baseline passes)' if name in passes else ''}{result.details()}"
                 for name, result in members.items() if not self.as_expected(name, result)]
        found += [f"{name}: no result" for name in dict.fromkeys([case, *passes]) if name not in members]
        return found + [self.ends.strip("\n")] if found and self.ends else found

    def stale(self):
        """Known failures, those with the same reason together, of which all passed."""
        for reason in dict.fromkeys(line.reason for line in self.fails):
            found = {result.result for name, result in self.results.items()
                     for line in self.fails if line.reason == reason and re.fullmatch(line.test, name)}
            if found == {"pass"}:
                yield reason

    def report(self):
        """The tables of results.md and variants.md: beside the baseline, and why subtests skip or fail."""
        families, excused = collections.defaultdict(list), collections.defaultdict(list)
        for name, result in self.results.items():
            families[name.split("@")[0]].append(name)
            if result.excuse:
                excused[result.result, result.excuse.reason].append(name)
        lines = [f"# IGT, {self.variant}", "",
                 "| tests | pass | warn | fail | skip | baseline: pass | warn | fail | skip |", "|---" * 9 + "|"]
        for family, names in {**families, "all": list(self.results)}.items():
            numbers = count(self.results[name].result for name in names)
            numbers += count(self.baseline[name] for name in names if name in self.baseline)
            lines.append(f"| {family} | {' | '.join(map(str, numbers))} |")
        excused = sorted(excused.items(), key=lambda item: -len(item[1]))
        lines += ["", "As expected, but no pass:", "", "| result | reason | subtests |", "|---|---|---|"]
        lines += [f"| {result} | {reason} | {len(names)} |" for (result, reason), names in excused]
        for (result, reason), names in excused:
            lines += ["", f"{result}: {reason}", ""]
            for family, members in families.items():
                found = dict.fromkeys(subtest(name).partition("@")[2] for name in members if name in names)
                lines += [f"- {family}: {', '.join(found)}".removesuffix(": ")] if found else []
        return "\n".join([*lines, ""])


def count(results):
    """pass, warn (a pass about which the kernel had something to print), fail, skip"""
    numbers = collections.Counter({"pass": 0, "dmesg-warn": 1, "skip": 3}.get(result, 2) for result in results)
    return [numbers[kind] for kind in range(4)]
