# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""A host's display holds one frame for a while, as that of a hidden window does, while a compositor runs in
the guest: no error, no line in the log, little work; the newest frame is shown when the display goes on.

The display is tools/bench/slow-host.c and tools/bench/insn-plugin.c counts instructions.
The guest's time goes by them (-icount), so that the load of this machine makes no difference.
"""

import json
import re

import pytest
from PIL import Image
from vgputest import BUILD, TESTING, TOP, guests

ONE = "virtio-gpu-pci,blob=true,xres=640,yres=480"
TWO = {"dbus": True, "gpu": ["virtio-gpu-pci,blob=true,max_outputs=2"]}
# Renders with the host, which does nothing for it while its display holds a frame.
ON_HOST = "weston-gl"
PIXMAN = ("weston-pixman", "sway")


# Which compositors run in each guest, one after the other.
GUESTS = (
    guests.Guest("lts", "two", TWO, PIXMAN, ()),
    guests.Guest("lts", "one", {"gpu": [ONE]}, PIXMAN, (), full=True),
    guests.Guest("lts", "copied", {"gpu": [ONE.replace("blob=true,", "")]}, PIXMAN[:1], (), full=True),
    guests.Guest("lts", "virgl", {"gl": True, "gpu": ["virtio-gpu-gl-pci,xres=640,yres=480"]}, (ON_HOST, *PIXMAN[:1]), (), full=True),
    guests.Guest("7.3", "two", TWO, PIXMAN, (), full=True),
)

ERRORS = re.compile(r"repaint-flush failed|atomic.*fail|fail.*(commit|flip)|page.?flip.*fail|Input/output error|timed out|"
                    r"\[ERROR\]", re.I)
WHITE = (255, 255, 255)
# How much older than its capture a screenshot may be, in s: the driver completes commits at 10 Hz
# while a frame is held, and client and compositor have a frame of their own on the way.
LAG = 0.45
# Frames a second of each output while another is held, at least.
LEAST_RATE = 4
# A busy display's instructions over those of a hidden one, at least.
REST = 4


def pytest_generate_tests(metafunc):
    no_frames = metafunc.function in (test_rate, test_captures, test_last_frame_captured)
    guests.parametrize(metafunc, GUESTS, without=(ON_HOST,) if no_frames else ())


@pytest.fixture(scope="module")
def run(request, vm, make, qemu_plugin, full):
    guest, bench, programs = request.param, BUILD / "bench", BUILD / "programs/held"
    make("bench", f"O={bench}", f"PLUGIN={qemu_plugin}")
    make("testing/held", f"O={programs}")
    outputs = 2 if "dbus" in guest.options else 1
    seconds = 90 if full and guest.kernel == "lts" else 15
    compositors = guests.selected_cases(request)
    run = vm(f"held-{guest}", kernel=guest.kernel, script=TESTING / "held/guest-held", args=[str(outputs), str(seconds), *compositors],
             files=[programs / "held-client", programs / "mark", TOP / "tools/vgpu-report"], udev=True, accel="tcg", smp=1,
             preload=[bench / "qemu-preload.so"], timeout=200 + len(compositors) * (seconds + 120),
             qemu=[f"-plugin {bench / 'insn-plugin.so'} -d guest_errors,plugin -icount shift=1,sleep=off"], **guest.options)
    run.outputs, run.seconds, run.compositors = outputs, seconds, compositors
    return run


class Notes:
    """What the guest has written down about a compositor, and its screenshots."""

    def __init__(self, run, compositor):
        self.run, self.compositor, self.folder = run, compositor, run.folder / compositor
        self.outputs, self.seconds = run.outputs, run.seconds
        self.lines = [line.split() for line in self.text("notes").splitlines()]
        if not self.all("alive"):
            pytest.fail(f"{compositor}: the guest came not to its end: {run.reason}\n" + "\n".join(run.rest[-20:]), pytrace=False)
        # Of what was measured: {name: (frames, instructions) a second}.
        counts = re.findall(r"^bench_insns (\d+)$", run.file("trace.log").read_text(errors="replace"), re.M)
        self.frames, self.instructions = {}, {}
        for (name, began, ended, frames), count in zip(self.all("measured"), counts[run.compositors.index(compositor) * 3:]):
            seconds = float(ended) - float(began)
            self.frames[name], self.instructions[name] = int(frames) / seconds, int(count) / seconds

    def all(self, kind):
        return [line[1:] for line in self.lines if line[0] == kind]

    def one(self, kind, name=None):
        return next(line for line in self.all(kind) if name is None or line[0] == name)

    def text(self, name):
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    def new_lines(self, name, column):
        """Of a log, from before the hold until after it."""
        before, after = (int(self.one("logged", when)[column]) for when in ("before", "after"))
        return self.text(name).splitlines()[before:after]

    def fill(self, name):
        """The colour of most of a picture, or None."""
        if not (self.folder / f"{name}.png").exists():
            return None
        image = Image.open(self.folder / f"{name}.png").convert("RGB")
        count, most = max(image.getcolors(image.width * image.height))
        return most if count > 0.8 * image.width * image.height else None

    def heads(self, name):
        """What each head of the host shows."""
        return [self.fill(f"{name}-{head}") for head in range(self.outputs)]

    def age(self, name):
        """"" if a capture has the newest frame, or else what is wrong."""
        _, began, ended = self.one("captured", name)
        got = self.fill(name)
        if got is None:
            return f"{name}: no picture, or not of one colour"
        if got in map(colour, range(int(float(began) - LAG), int(float(ended)) + 1)):
            return ""
        age = next((age for age in range(-16, 48) if colour(int(float(began)) - age) == got), None)
        return f"{name}: " + (f"colour {got}" if age is None else f"drawn {age} s before")

    def findings(self, when):
        """The names of what vgpu-report has found."""
        return sorted({each["name"] for each in json.loads(self.text(f"report-{when}.json"))["findings"]})


def colour(second):
    """What the client fills the screen with (client.c)."""
    number = int(second) % 64
    return tuple((number >> shift & 3) * 0x50 for shift in (0, 2, 4))


@pytest.fixture
def notes(run, case):
    return Notes(run, case)


def test_guest(run):
    run.check_end()


def test_compositor_errors(notes):
    assert not [line for line in notes.new_lines("compositor.log", 2) if ERRORS.search(line)]


def test_kernel_log(notes):
    assert not [line for line in notes.new_lines("dmesg", 1) if re.search(r"virtio_?gpu|\[drm|drm_|Virtual-", line)]


def test_wedged_events(notes):
    events = notes.text("uevents").upper()
    assert "KERNEL" in events and "WEDGED=" not in events


def test_instructions(notes, record_property):
    """A hidden display costs a part of what a busy one does."""
    busy, idle = notes.instructions["shown"], notes.instructions["hidden"]
    record_property("figure", f"{idle / 1e6:.0f} of {busy / 1e6:.0f} million a second, "
                              f"{notes.frames['hidden']:.1f} of {notes.frames['shown']:.1f} frames")
    assert idle * REST <= busy
    assert notes.frames["shown"] > 10


def test_rate(notes, record_property):
    """Frames go on while one is held."""
    rate = notes.frames["hidden"] / notes.outputs
    record_property("figure", f"{rate:.1f}")
    assert rate >= LEAST_RATE


def test_captures(notes, record_property):
    """Captures in the guest have the newest frame each time."""
    captures = [capture for capture, *_ in notes.all("captured") if capture.startswith("hidden-")]
    record_property("figure", f"{len(captures)} captures")
    # One takes a second or two, and a second passes between them.
    assert len(captures) >= max(2, notes.seconds / 8)
    assert not [wrong for capture in captures if (wrong := notes.age(capture))]


def test_last_frame_captured(notes, record_property):
    """The last frame was drawn, and captured, while another was held."""
    held, stopped, seen = (float(notes.one(kind)[0]) for kind in ("held", "stopped", "seen"))
    record_property("figure", f"after {stopped - held:.1f} to {seen - held:.1f} s of {notes.seconds}")
    assert seen < held + notes.seconds
    assert notes.fill("last") == WHITE


def test_last_frame_shown(notes):
    assert notes.heads("last") == [WHITE] * notes.outputs


def test_goes_on(notes, record_property):
    """Frames go on as before."""
    shown, again = notes.frames["shown"], notes.frames["again"]
    record_property("figure", f"{again:.1f} and {shown:.1f} a second")
    assert again >= 0.7 * shown


def test_pictures_change(notes):
    assert not notes.age("again")
    heads = notes.heads("again")
    assert WHITE not in heads and None not in heads


def test_programs_run(notes):
    assert notes.all("alive") == [["compositor", "1"], ["client", "1"]]


def test_report(notes, record_property):
    """vgpu-report names the held frame, and only then."""
    record_property("figure", " ".join(notes.findings("hidden")) or "nothing")
    # virglrenderer answers a flush before the display has taken it; what is held then is rendering.
    if notes.compositor != ON_HOST:
        assert "held" in notes.findings("hidden")
    assert "held" not in notes.findings("again")
