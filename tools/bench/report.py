# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""The bench's figures as tables and a plot, and what they have to be."""

import csv
import re

PAGE = 4096

# What is counted, for each time that a case does its thing.
FIGURES = {
    "notifications": "notifications",
    "interrupts": "interrupts",
    "commands": "commands",
    "entries": "entries",
    "copied": "bytes copied",
    "instructions": "instructions",
    "pinned": "pages pinned",
}
# Those that QEMU's trace is enough for, and the guests that have no others: their QEMU takes
# plugins of another kind, and their resources are the host's memory.
TRACED = ("notifications", "interrupts", "commands")
TRACED_GUESTS = ("venus: ",)
# The most at a time instead.
NOT_EACH = ("pinned",)
# Of a host that is slow to consume frames, in the guest's time.
SLOW = {"ioctl": "longest in the commit ioctl, us", "worker": "longest in its worker, us", "rate": "frames a second"}

# Of a host with a vsync of its own, over eight phases of it.
VSYNC = {"slowest": "frames a second, the slowest 20 frames", "fastest": "at the best phase", "late": "longest from vsync to event, us",
         "skew": "most between vsync and the event's timestamp, us"}
# Timer interrupts a second.
IDLE = {"off": "nothing shown", "shown": "a picture shown", "drawn": "drawn to once a second"}

# By how many a second the guest's other timers differ between two periods of 20 seconds.
IDLE_NOISE = 0.5

# Frames a second of the modes of the bench.
MODE_RATE = 60
# What each driver is measured by alone: names of cases, and what the figures have to be.
# PERIOD is that of the host's vsync in ms, or how long it holds a frame; 0 if it answers at once.
PERIOD = r"([\d.]+)"
# The responses of a faster host may come before their vblank.
NOT_FASTER = r"vsync-(16\.67|16\.68|33\.3|40)-.*"
LIMITS = (
    (f"vsync-{PERIOD}-.*", "slowest", "at least", lambda period, counts: 0.98 * min(MODE_RATE, 1000 / (period or 1))),
    (f"held-{PERIOD}-1", "rate", "at least", lambda delay, counts: 0.98 * min(MODE_RATE, 1000 / (delay or 1))),
    (f"vsync-{PERIOD}-.*", "fastest", "at most", lambda period, counts: 1.005 * MODE_RATE),
    (NOT_FASTER, "late", "at most", lambda period, counts: 500),
    (NOT_FASTER, "skew", "at most", lambda period, counts: 1000),
    # Two more than the flip of a buffer that the host has.
    (r"flip-(\d+)-reimported", "commands", "at most", lambda _, counts: 4),
    # The guest's other timers are not the driver's.
    ("(idle)", "shown", "at most", lambda _, counts: counts["off"] + IDLE_NOISE),
    ("(idle)", "drawn", "at most", lambda _, counts: counts["shown"] + 2 + IDLE_NOISE),
)

# Case, figure, goal: at most so much of the in-tree driver's; and where that is out of
# reach, what is held instead.
GOALS = (
    ("blob: flip-4", "notifications", 0.25, None),
    ("count: flip-4-imported", "notifications", 0.25, None),
    ("surface: flip-1", "instructions", 0.6, 0.8),
    ("surface: flip-clip", "copied", 0.01, None),
    ("surface: flip-clips", "copied", 0.01, None),
    ("blob: flip-1", "instructions", 0.6, 0.7),
    ("count: flip-1-imported", "instructions", 0.6, 0.7),
    ("count: flip-1080-reimported", "instructions", 0.05, 0.06),
    ("count: flip-2160-reimported", "instructions", 0.05, None),
    ("blob: held-40-4", "longest", 0.1, None),
    ("blob: shown-2160", "entries", 0.02, None),
    ("blob: dumb-2160", "instructions", 0.7, None),
    ("count: moves", "notify_sleeps", 0, None),
    ("virgl: exec-wait", "instructions", 0.7, None),
    ("virgl: exec-empty", "instructions", 0.7, 1.1),
)

# Where ours may cost more: the ratio, what comes on top of it each time, and why.
REFUSED = "a host refuses a blob in too many pieces: ours shows a copy then, the in-tree driver nothing"
TRIED = "memory is put in order for large pages, a few entries instead of thousands; where that fails the tries are lost"
MORE = {
    ("surface: flip-clips", "commands"): (1, 1, "a transfer for each rectangle, instead of all of the screen"),
    ("blob: cursor-images", "copied"):
        (1, 64 * 64 * 4, "the image is a surface: hosts do not say when they cannot use a blob for it"),
    ("count: moves", "commands"):
        (1, 1, "a new blob for the new memory: QEMU goes on showing the old memory of an old one"),
    ("count: moves", "entries"):
        (1, 640 * 480 * 4 / PAGE, "the same"),
    ("count: moves", "instructions"):
        (1.05, 0, "each move's memory is described anew, which in some boots is in hundreds of pieces"),
    ("fragmented: shown-2160", "commands"): (2, 0, REFUSED),
    ("fragmented: shown-2160", "copied"): (1, 3840 * 2160 * 4, REFUSED),
    ("fragmented: shown-2160", "entries"): (2, 0, TRIED),
    ("fragmented: shown-2160", "instructions"): (5, 0, TRIED),
}

# Things done without waiting for the host: how often it has to be called, and calls, is a
# matter of how fast it is.
HURRIED = ("exec-empty", "exec-64", "cursor-storm", "shown-", "clients-", "blob-")

# What the guest's own timers, its console, and where in a frame a case begins make of the
# count from run to run: a ratio, and for each time.
NOISE = dict.fromkeys(("notifications", "interrupts", "commands"), (1.03, 0.05))
NOISE |= dict.fromkeys(("instructions", "copied", "frame"), (1.03, 0))
# What every case may have more of: the transparent image, which takes the place of a hidden cursor in viewers that keep
# the last one.
KEPT = {"pinned": (1, 64 * 64 * 4 / PAGE)}

# What a goal need not go below: 3840x2160 pixels are 32 MB, the largest block of memory is 4 MB.
FEWEST = {"entries": 8}

# The cases whose instructions are split by part, and the tables of the parts.
PROFILED = {"blob: flip-1": "flip", "virgl: exec-empty": "submission"}
# Parts of a profile, by the names of functions.
USER = "(user space)"
PARTS = {
    "user space": re.escape(USER),
    "the driver": r"\[virtio_gpu\]",
    "DRM and fences": r"^(__)?(drm|dma_fence|dma_resv|sync_file)|vblank",
    "virtio": r"^(__)?(virtqueue|vring|virtio|vp_|vm_|detach_buf)",
    "memory": r"^(__)?(mem(set|cpy|move)|k[mvz]*(alloc|free)|kmem_|slab|kvfree|krealloc|alloc_pages|clear_page|free_)",
}
OTHER = "scheduler, timers, interrupts, system calls"

COLOURS = {"notifications": "#4a7ab5", "instructions": "#c98a2b"}


def _number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}".rstrip("0").rstrip(".")


def _cell(ours, baseline):
    if ours is None or baseline is None:
        return ""
    if ours == baseline == 0:
        return "-"
    return f"{_number(ours)} / {_number(baseline)}" + (f" = {ours / baseline:.2f}" if baseline else "")


def _markdown(head, rows):
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


def parts(functions):
    """{part: instructions} of {function: instructions}."""
    sums = dict.fromkeys((*PARTS, OTHER), 0)
    for function, spent in functions.items():
        sums[next((part for part, pattern in PARTS.items() if re.search(pattern, function)), OTHER)] += spent
    return sums


def _parts(ours, baseline):
    rows = [(part, ours[part], baseline[part]) for part in ours]
    rows.append(("all", sum(ours.values()), sum(baseline.values())))
    return ("part", "ours", "in-tree"), [[part, f"{mine:,.0f}", f"{theirs:,.0f}"] for part, mine, theirs in rows]


def profile(ours, baseline):
    """Two {function: instructions} as tables: by what they are part of, and those that cost most."""
    yield from _markdown(*_parts(parts(ours), parts(baseline)))
    yield ""
    most = sorted({*ours, *baseline}, key=lambda function: -max(ours.get(function, 0), baseline.get(function, 0)))
    yield from _markdown(("function", "ours", "in-tree"), (
        [function, *(f"{each.get(function, 0):,.0f}" for each in (ours, baseline))] for function in most[:60]))


def _tables(ours, baseline):
    """(name, head, rows) of each table."""
    def cell(case, figure):
        return _cell(ours[case].get(figure), baseline[case].get(figure))
    both = [case for case in ours if case in baseline]
    yield "goals", ("case", "figure", "goal", "ours / in-tree = ratio"), [
        [case, figure.replace("_", " "), f"{goal:g}", cell(case, figure)] for case, figure, goal, _ in GOALS if case in both]
    yield "more", ("case", "figure", "ours / in-tree = ratio", "why"), [
        [case, FIGURES[figure], cell(case, figure), why] for (case, figure), (_, _, why) in MORE.items() if case in both]
    for name, figures in (("counts", FIGURES), ("slow", SLOW), ("vsync", VSYNC), ("idle", IDLE)):
        yield name, ("case", *figures.values()), [
            [case, *(cell(case, figure) for figure in figures)] for case in both if any(figure in ours[case] for figure in figures)]
    for case, name in PROFILED.items():
        if "parts" in ours.get(case, {}):
            yield name, *_parts(ours[case]["parts"], baseline[case]["parts"])


def _plot(ours, baseline):
    """Bars of the ratios."""
    rows = [case for case in ours if case in baseline]
    left, unit, step, top = 190, 400, 26, 40
    width, height = left + unit + 60, top + step * len(rows) + 10
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">'
    yield f'<rect width="{width}" height="{height}" fill="white"/>'
    yield f'<text x="{left + 240}" y="17">in-tree driver = 1</text>'
    for tick in range(5):
        x = left + unit * tick / 4
        yield f'<line x1="{x}" y1="{top - 5}" x2="{x}" y2="{height - 5}" stroke="{"black" if tick == 4 else "#ddd"}"/>'
        yield f'<text x="{x}" y="{top - 8}" text-anchor="middle" fill="#666">{tick / 4:g}</text>'
    for row, case in enumerate(rows):
        yield f'<text x="{left - 6}" y="{top + step * row + 14}" text-anchor="end">{case}</text>'
    for number, (figure, colour) in enumerate(COLOURS.items()):
        yield f'<rect x="{left + number * 120}" y="8" width="10" height="10" fill="{colour}"/>'
        yield f'<text x="{left + number * 120 + 15}" y="17">{figure}</text>'
        ratios = [ours[case][figure] / baseline[case][figure] if baseline[case].get(figure) else None for case in rows]
        for y, ratio in ((top + step * row + 2 + 9 * number, ratio) for row, ratio in enumerate(ratios) if ratio is not None):
            yield f'<rect x="{left}" y="{y}" width="{unit * min(ratio, 1.1):.1f}" height="8" fill="{colour}"><title>{ratio:.3f}</title></rect>'
    yield "</svg>"


def markdown(ours, baseline):
    """The tables."""
    yield "Ours / the in-tree driver's = ratio, for each time; pages pinned: the most at a time."
    for _, head, rows in _tables(ours, baseline):
        yield ""
        yield from _markdown(head, rows)


def write(folder, ours, baseline):
    """A CSV file for each table, and plot.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, head, rows in _tables(ours, baseline):
        with open(folder / f"{name}.csv", "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([head, *rows])
    (folder / "plot.svg").write_text("\n".join(_plot(ours, baseline)) + "\n")


def figures(case):
    """What is counted of a case."""
    if case.startswith(TRACED_GUESTS):
        return TRACED
    return (*FIGURES, "longest", "frame") if ": held-" in case else tuple(FIGURES)


def _limit(case, figure):
    """("at least" or "at most", limit(counts)) of what our driver has to reach by itself, or None."""
    for pattern, limited, kind, limit in LIMITS:
        if figure == limited and (match := re.fullmatch(r"\w+: " + pattern, case)):
            return kind, lambda counts: limit(0 if match[1] == "idle" else float(match[1]), counts)
    return None


def judged(case):
    """The figures of a case that are judged."""
    found = [figure for name, figure, *_ in GOALS if name == case]
    found += [figure for _, figure, *_ in LIMITS if _limit(case, figure)]
    hurried = ("notifications", "interrupts") if any(name in case for name in HURRIED) else ()
    return list(dict.fromkeys(found + [figure for figure in figures(case) if figure in found or figure not in hurried]))


def verdict(case, figure, ours, baseline):
    """Whether a figure is as it should be; the figure, and what it should be."""
    mine, theirs = ours[figure], baseline.get(figure)
    ratio, more, *why = MORE.get((case, figure)) or KEPT.get(figure) or NOISE.get(figure, (1, 0))
    goals = [goal if held is None else held for name, of, goal, held in GOALS if (name, of) == (case, figure)]
    if goals:
        fewest = FEWEST.get(figure, 0)
        good = mine <= max(goals[0] * theirs * ratio, fewest)
        wanted = f"at most {goals[0]:g} of the in-tree driver's" + (f", or {fewest}" if fewest else "")
    elif limit := _limit(case, figure):
        kind, value = limit[0], limit[1](ours)
        good, wanted = mine >= value if kind == "at least" else mine <= value, f"{kind} {value:g}"
    else:
        good = mine <= ratio * theirs + more
        wanted = "not above the in-tree driver's" + (" by more than is known" if why else "")
    return good, f"{_cell(mine, theirs)}; {wanted}"
