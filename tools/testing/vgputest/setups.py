# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""Runs of tools/setup in the background."""

import concurrent.futures
import os
import subprocess

import pytest

from . import BUILD, TOP, last_lines

# What the session fixtures of conftest.py take from tools/setup.
NEEDS = {
    "lts_kernel": "lts",
    "kernel_source": "source",
    "guest_image": "image",
    "host_3d": "host-3d",
    "l1_host": "l1",
    "qemu_plugin": "plugin",
    "uml_kernel": "kernel uml",
    "doc_tools": "doc",
    "packaging_tools": "packaging",
}


def kernel_need(name):
    return "lts" if name == "lts" else f"kernel {name}"


def needs(item):
    """The arguments of tools/setup that a test's fixtures ask for."""
    found = [NEEDS[fixture] for fixture in item.fixturenames if fixture in NEEDS]
    params = item.callspec.params if hasattr(item, "callspec") else {}
    for param in params.values():
        # A kernel, or a guest that runs one.
        kernel = getattr(param, "kernel", None)
        found += [kernel_need(kernel)] if kernel else []
        found += getattr(param, "needs", ())
    found += [kernel_need(params["kernel"])] if "kernel" in params else []
    for marker in item.iter_markers("needs"):
        found += marker.args
    return list(dict.fromkeys(found))


class Setups:
    """Each command runs once a session, as many at a time as there are processors."""

    def __init__(self, say):
        self.say = say
        self.pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
        self.runs, self.processes = {}, set()

    def start(self, need):
        if need not in self.runs:
            self.runs[need] = self.pool.submit(self.run, need)

    def run(self, need):
        """Return the end of the output of a command that failed, "" of one that did not."""
        log = BUILD / f"log/setup-{need.replace(' ', '-')}.session"
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "w") as output:
            process = subprocess.Popen([TOP / "tools/setup", *need.split()], stdin=subprocess.DEVNULL,
                                       stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
            self.processes.add(process)
            status = process.wait()
            self.processes.discard(process)
        return last_lines(log, 40) if status else ""

    def wait(self, need):
        """For a command, with a line about it every half minute; never raises."""
        self.start(need)
        while not concurrent.futures.wait([self.runs[need]], 30).done:
            self.say(f"waiting for tools/setup {need}: " + last_lines(BUILD / f"log/setup-{need.replace(' ', '-')}.session", 1))

    def wait_all(self):
        for need in list(self.runs):
            self.wait(need)

    def require(self, need):
        self.wait(need)
        if failure := self.runs[need].result():
            pytest.fail(f"tools/setup {need} failed:\n{failure}", pytrace=False)

    def close(self):
        self.pool.shutdown(wait=False, cancel_futures=True)
        for process in list(self.processes):
            os.killpg(process.pid, 15)
