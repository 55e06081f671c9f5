# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""A hostile host: fuzzing of the driver on the mock device, guided by coverage, in user mode Linux with KASAN."""

import os
import re
import struct
import subprocess
import time

import pytest
from vgputest import BUILD, DRIVER, TESTING, TOP

PLACE = DRIVER.relative_to(TOP)
OUT = BUILD / "hostile"
SOURCES = TESTING / "hostile"
CORPUS = SOURCES / "corpus"
# Where tracepoints are made there is nothing to find.
FILES = sorted(file.stem for file in DRIVER.glob("virtgpu_*.c") if file.stem != "virtgpu_trace")
SECONDS, FULL_SECONDS = 120, 3600
# Without a new input for so long, the kernel hangs.
PATIENCE = 120
COVERAGE_WANTED = 70
REPORT = re.compile(r"^(BUG: |WARNING: |Kernel panic|\s*# \w+: EXPECTATION FAILED|\s*# \w+: ASSERTION FAILED|\s*# hostile_inputs: spec)")

# struct state of hostile/fuzzer.c: its numbers, its inputs, and then bytes for each input and each block.
HEAD, INPUT, CORPUS_MAX, COUNTERS = struct.Struct("=6Q"), struct.Struct("=I508s"), 8192, 1 << 20
SIZE = HEAD.size + INPUT.size * (1 + CORPUS_MAX) + CORPUS_MAX + 2 * COUNTERS


class State:
    """What the fuzzer and this process share; it outlives the kernel."""

    def __init__(self, path):
        self.path = path

    def create(self, seed, seconds, inputs):
        with open(self.path, "wb") as file:
            file.write(HEAD.pack(seed, seconds, len(inputs), len(inputs), 0, 0) + INPUT.pack(0, b""))
            file.write(b"".join(INPUT.pack(len(each), each) for each in inputs))
            file.truncate(SIZE)

    def read(self):
        data = self.path.read_bytes()
        _, _, _, count, self.executions, _ = HEAD.unpack_from(data)
        inputs = [INPUT.unpack_from(data, HEAD.size + number * INPUT.size) for number in range(1 + count)]
        self.current, *self.corpus = (content[:size] for size, content in inputs)
        flags = data[HEAD.size + INPUT.size * (1 + CORPUS_MAX):]
        self.kept = [each for each, keep in zip(self.corpus, flags) if keep]
        self.blocks = {number for number, bits in enumerate(flags[CORPUS_MAX:CORPUS_MAX + COUNTERS]) if bits}

    def progress(self):
        with open(self.path, "rb") as file:
            return HEAD.unpack(file.read(HEAD.size))[4]


@pytest.fixture(scope="module")
def kernel(tree, call):
    """User mode Linux with the fuzzer, and a driver that reports each block that it executes."""
    OUT.mkdir(exist_ok=True)
    folder = tree("uml:hostile")
    call("gcc", "-O2", "-Wall", "-Wextra", "-fno-stack-protector", "-c", SOURCES / "fuzzer.c", "-o", OUT / "fuzzer.o")
    # Or make does not link a fuzzer that has changed.
    for image in folder.glob("vmlinux*"):
        if image.name in ("vmlinux", "vmlinux.unstripped"):
            image.unlink()
    call("tools/testing/kunit/kunit.py", "build", "--arch=um", "--build_dir=.", f"--jobs={os.cpu_count()}",
         f"--kunitconfig={PLACE}/tests", f"--kunitconfig={TESTING}/configs/uml.config",
         f"--make_options=LD_FLAGS_CMDLINE=-Wl,-m,elf_x86_64 {OUT}/fuzzer.o",
         # The small code model has a relocation for each call, which can be counted.
         *(f"--make_options=CFLAGS_{file}.o=-fsanitize-coverage=trace-pc -mcmodel=small" for file in FILES), cwd=folder)
    return folder


def coverage(folder, state, call):
    """Blocks of each file of the driver: how many were executed, and how many there are."""
    functions = [line.split() for line in call("nm", "-n", folder / "vmlinux").splitlines()]
    functions = [(int(words[0], 16), words[2]) for words in functions if len(words) == 3 and words[1] in "tT"]
    ends = {name: (start, end) for (start, name), (end, _) in zip(functions, functions[1:]) if name.startswith("virtgpu_")}
    table = {}
    for file in FILES:
        place = folder / PLACE / f"{file}.o"
        names = [line.split()[-1] for line in call("nm", "--defined-only", place).splitlines()]
        reached = sum(pc % COUNTERS in state.blocks for name in names if name in ends for pc in range(*ends[name]))
        table[file] = (reached, len(re.findall(r" __sanitizer_cov_trace_pc", call("objdump", "-r", place))))
    return table


def run_kernel(folder, state, log):
    """Until the fuzzer ends, or the kernel does; whether it hung."""
    command = ["./linux", "mem=1G", "console=tty", "kunit.enable=1", "kunit.filter_glob=virtio_gpu_hostile.*",
               "kunit_shutdown=halt", "kunit.timeout=1000000000", "time-travel=inf-cpu", "panic_on_warn=1", "kasan.fault=panic"]
    with open(log, "w") as output:
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                   env={**os.environ, "VIRTGPU_HOSTILE": str(state.path)}, start_new_session=True)
    last, since = 0, time.monotonic()
    try:
        while process.poll() is None:
            time.sleep(0.5)
            if state.progress() != last:
                last, since = state.progress(), time.monotonic()
            elif time.monotonic() > since + PATIENCE:
                return True
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()
    return False


def fuzz(folder, seed, seconds, inputs):
    """Run inputs, then make more for so many seconds. A fault fails the test, with the input that it took."""
    log, state = OUT / "kernel.log", State(OUT / "state")
    state.create(seed, seconds, inputs)
    hung = run_kernel(folder, state, log)
    state.read()
    lines = log.read_text(errors="replace").splitlines()
    found = next((number for number, line in enumerate(lines) if REPORT.match(line)), None)
    passed = any(re.match(r"\s*ok \d+ hostile_inputs", line) for line in lines)
    if hung or found is not None or not passed:
        (OUT / "input").write_text(state.current.hex() + "\n")
        what = lines[found:found + 40] if found is not None else lines[-40:]
        pytest.fail("\n".join([
            f"{'the kernel hangs' if hung else 'a fault'} after {state.executions} executions; the kernel's output is {log.relative_to(TOP)},",
            f"run its input again: pytest-3 tools/testing/test_hostile.py -k input --hostile-input {(OUT / 'input').relative_to(TOP)}",
            *what]), pytrace=False)
    return state


def read_corpus(path):
    return [bytes.fromhex(line) for line in path.read_text().splitlines() if line and not line.startswith("#")]


@pytest.fixture
def seconds(request, pytestconfig):
    return pytestconfig.getoption("hostile_seconds") or request.param


@pytest.mark.timeout(2 * FULL_SECONDS)
@pytest.mark.parametrize("seconds", [
    pytest.param(SECONDS, id="short"), pytest.param(FULL_SECONDS, id="long", marks=pytest.mark.full)], indirect=True)
def test_fuzz(kernel, seconds, call, pytestconfig, record_property):
    """No response, used ring or configuration space does harm; the corpus comes first, then what changes it."""
    state = fuzz(kernel, 1, seconds, read_corpus(CORPUS))
    table = coverage(kernel, state, call)
    reached, blocks = (sum(numbers) for numbers in zip(*table.values()))
    (OUT / "coverage.txt").write_text("".join(
        f"{100 * some / max(every, 1):5.1f} % of {every:5} blocks  {file}.c\n" for file, (some, every) in table.items()))
    (OUT / "corpus").write_text("".join(f"{each.hex()}\n" for each in state.kept))
    figure = (f"{state.executions} executions, {len(state.kept)} inputs in the corpus, "
              f"{reached} of {blocks} blocks ({100 * reached / blocks:.1f} %)")
    record_property("figure", figure)
    pytestconfig.virtgpu.say(f"hostile host: {figure}; {(OUT / 'coverage.txt').relative_to(TOP)}")
    assert 100 * reached >= COVERAGE_WANTED * blocks, f"{figure}, {COVERAGE_WANTED} % wanted"


def test_input(kernel, pytestconfig):
    """One input, or a file of them; without --hostile-input that of a device without tampering."""
    path = pytestconfig.getoption("hostile_input")
    fuzz(kernel, 1, 0, read_corpus(TOP / path) if path else [bytes(12 + 8)])
