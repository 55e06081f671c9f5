# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Logs of stress/replay.c with two drivers, and the differences that are listed."""

import collections
import dataclasses
import itertools
import re

from . import TESTING

LIST = TESTING / "replay/differences.txt"
BEFORE = 10
# Calls after which two programs have the same at hand, though not the same result.
HARMLESS = re.compile(r"GET|MAP|OBJ_GET|WAIT|mmap|RESOURCE_INFO|CRTC_GET|LIST_|TRANSFER")


@dataclasses.dataclass(frozen=True)
class Call:
    """A line: EPISODE.NUMBER IOCTL WORD=VALUE... > ok WORD=VALUE..., or an errno in place of ok."""
    line: str

    @property
    def episode(self):
        return int(self.line.split(".")[0])

    @property
    def number(self):
        return int(self.line.split()[0].split(".")[1])

    @property
    def made(self):
        return self.line.partition(" > ")[0]

    @property
    def ioctl(self):
        return self.line.split(" ", 2)[1]

    @property
    def result(self):
        return self.line.rpartition(" > ")[2]

    @property
    def failed(self):
        return not self.result.startswith("ok")


MISSING = Call("0.0 none > none")


def kind_of(theirs, ours):
    """The class of a difference: (ioctl, the in-tree driver's result, ours)."""
    if theirs.made != ours.made:
        return theirs.ioctl, "calls", "differ"
    if theirs.failed or ours.failed:
        return theirs.ioctl, theirs.result.split()[0], ours.result.split()[0]
    words = [dict(word.split("=") for word in call.result.split()[1:]) for call in (theirs, ours)]
    return theirs.ioctl, "ok", "ok:" + ",".join(sorted(name for name in words[0].keys() | words[1].keys()
                                                       if words[0].get(name) != words[1].get(name)))


@dataclasses.dataclass
class Difference:
    """A class of differences: how often it was seen, and the first time."""
    kind: tuple
    theirs: Call
    ours: Call
    before: list
    count: int = 0

    def __str__(self):
        return "\n".join([f"{' '.join(self.kind)}: {self.count} times, the first:", *(f"      {call.line}" for call in self.before),
                          f"      {self.theirs.made}", f"      in-tree: {self.theirs.result}", f"      ours:    {self.ours.result}"])


def episodes(log):
    """The calls of each episode, {number: Call}."""
    for _, lines in itertools.groupby(log, lambda line: line.split(".", 1)[0]):
        yield {call.number: call for call in map(Call, map(str.rstrip, lines))}


def compare(theirs, ours, name, entries):
    """({class: Difference} that no entry has, calls, those compared) of two logs of a set."""
    found, calls, compared = {}, 0, 0
    for their_calls, our_calls in itertools.zip_longest(episodes(theirs), episodes(ours), fillvalue={}):
        before = collections.deque(maxlen=BEFORE)
        calls += len(their_calls)
        for number in sorted(their_calls.keys() | our_calls.keys()):
            their_call, our_call = their_calls.get(number, MISSING), our_calls.get(number, MISSING)
            compared += 1
            if their_call != our_call:
                kind = kind_of(their_call, our_call)
                matching = [entry for entry in entries if entry.matches(name, kind, their_call.made + " ")]
                for entry in matching:
                    entry.seen += 1
                if not matching:
                    found.setdefault(kind, Difference(kind, their_call, our_call, list(before))).count += 1
                # The two no longer have the same at hand.
                if not (their_call.failed and our_call.failed) and not HARMLESS.match(their_call.ioctl):
                    break
            before.append(our_call)
    return found, calls, compared
