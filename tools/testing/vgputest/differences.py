# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Results of two drivers in the same guest, and the differences that are listed."""

import dataclasses
import fnmatch
import re


@dataclasses.dataclass
class Entry:
    """A line of a list: guests, what it is about, the result with the in-tree driver, with ours; patterns as in a shell.
    Then, if it is not about all of that, a regular expression."""
    guests: str
    what: str
    theirs: str
    ours: str
    condition: str = ""
    seen: int = 0

    @property
    def seldom(self):
        return self.guests.startswith("seldom:")

    def names(self, guests):
        patterns = self.guests.removeprefix("seldom:").split(",")
        return {guest for guest in guests if any(fnmatch.fnmatchcase(guest, pattern) for pattern in patterns)}

    def matches(self, guest, words, text=""):
        return (self.names([guest]) and
                all(fnmatch.fnmatchcase(word, pattern) for word, pattern in zip(words, (self.what, self.theirs, self.ours))) and
                re.search(self.condition, text))

    def __str__(self):
        return " ".join((self.guests, self.what, self.theirs, self.ours, self.condition)).rstrip()


def read_list(path):
    return [Entry(*line.split(None, 4)) for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]


def compare(theirs, ours, guest, entries):
    """The cases whose results differ without an entry."""
    unlisted = []
    for case in ours:
        if theirs[case] == ours[case]:
            continue
        matching = [entry for entry in entries if entry.matches(guest, (case, theirs[case], ours[case]))]
        for entry in matching:
            entry.seen += 1
        if not matching:
            unlisted.append(case)
    return unlisted


def stale(entries, guests, compared):
    """The entries that were not seen, though all of their guests were compared and they are not seldom."""
    guests = list(guests)
    return [str(entry) for entry in entries if not entry.seen and not entry.seldom and entry.names(guests) <= compared]
