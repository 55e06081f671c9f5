# SPDX-License-Identifier: GPL-2.0-only OR MIT
"""One run of one guest: QEMU's command line, the guest's requests, the result."""

import asyncio
import contextlib
import json
import os
import pathlib
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field

from PIL import Image

from . import BUILD, GUEST, TOP, Problem, kernel, logs, viewer, xscreen

try:
    import dbus
    from qemu.qmp import ExecuteError, QMPClient, QMPError
except ImportError as error:
    raise Problem(f"{error}: run tools/setup packages qmp") from None

# "--trace gpu": what it takes to count commands, notifications and interrupts.
TRACE_GPU = ("virtio_gpu_*", "virtio_queue_notify", "virtio_notify")
TRACE_ALWAYS = ("virtio_set_status", "handle_qmp_command")

TIMEOUT, KERNEL_WARNED, DIED, HOST = 124, 123, 125, 126

# By the kernel's machine: QEMU's, and the console of its serial line.
MACHINES = {
    "x86_64": ("q35", "ttyS0"),
    "aarch64": ("virt", "ttyAMA0"),
    "ppc64": ("pseries", "hvc0"),
}

# Windows that a user drags have such sizes on the way.
ODD_SIZES = ("17x17", "1366x767", "8192x200")

# A process with this prefix ends when the program that started it ends.
WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")


def option(default, text, metavar=None):
    """A field with the help text of its option of tools/vm/vm."""
    metadata = {"help": text, "metavar": metavar}
    return field(default_factory=type(default), metadata=metadata) if isinstance(default, (list, dict)) else field(default=default, metadata=metadata)


@dataclass
class Options:
    """What to boot. tools/vm/vm has an option for each field."""
    script: str = option("", "a program that runs as root in the guest, in $VM_OUT", "FILE")
    args: list = option([], "an argument of it", "ARG")
    files: list = option([], "a file that is copied into the guest's PATH", "FILE")
    modules: list = option([], "a module to load before the program: of the kernel, or NAME.ko of --files, which is unloaded again", "NAME")
    env: dict = option({}, "a variable of the program's environment", "NAME=VALUE")
    alone: bool = option(False, "without the shared folders, which neither suspend nor a snapshot survives; swap on the second disk")
    keep: bool = option(False, "leave the guest running, with a shell and gdb's stub on sockets in --out")
    kernel: str = option("lts", "the guest's kernel", "lts|7.3|7.3-debug|DIR")
    module: str = option("none", "virtio_gpu.ko, or the kernel's own driver", "FILE|baseline|none")
    params: str = option("", "module parameters", "TEXT")
    no_load: bool = option(False, "the program loads the driver (load-gpu)")
    disk: str = option("", "a disk image for the guest, instead of that of tools/setup image", "FILE")
    systemd: bool = option(False, "run systemd, with its logind, and the program as its only service")
    root: str = option("", "a folder of the host as the guest's root, read only, instead of the image; it has its own modules", "DIR")
    line: str = option("", "a command line of QEMU to start with (its disk, display and accelerator become those of here)", "TEXT")
    host: str = option("own", "3d: QEMU 11 with Vulkan, from tools/setup host-3d; own: this machine's QEMU", "own|3d")
    machine: str = option("", "default: q35, or that of another kernel's processor; microvm: virtio devices on MMIO (give -device devices)", "TYPE")
    vga: str = option("none", "first graphics card: none, bochs, or a QEMU device such as virtio-vga", "DEVICE")
    gpu: list = option([], "such as virtio-gpu-pci,blob=true,max_outputs=2", "DEVICE")
    ports: bool = option(False, "each of them on a PCIe port of its own, where the guest can eject it")
    serial: bool = option(False, "talk to the guest over serial lines: Linux 7.3 loses virtio's ports when it sleeps")
    ivshmem: str = option("", "a PCI device with a memory BAR", "SIZE")
    udmabuf: str = option("host", "host: its device, or the fake one if the host has none; fake: always that; refuse: one that makes no buffer; ram: one that takes no memory of other devices", "host|fake|refuse|ram")
    preload: list = option([], "a library to preload into QEMU", "FILE")
    dbus: bool = option(False, "display over D-Bus: outputs can be plugged")
    gl: bool = option(False, "display with OpenGL, which virtio-gpu-gl-pci and virtio-vga-gl need; on an X server without a screen")
    vnc: bool = option(False, "display over VNC, with a viewer that takes notes of the cursor (host viewer), and a tablet")
    display: str = option("", "any other QEMU display", "TYPE")
    mem: str = option("2G", "the guest's memory", "SIZE")
    smp: int = option(2, "processors", "N")
    append: str = option("", "for the kernel's command line", "ARGS")
    qemu: list = option([], "for QEMU's (--qemu='-x y')", "ARGS")
    accel: str = option("", "default: kvm if it runs a guest here, else emulation", "NAME")
    trace: list = option([], "QEMU trace events; gpu: those that host counts needs", "EVENT")
    timeout: float = option(300, "seconds", "S")
    out: str = option("", "emptied first; default: build/vm/last", "DIR")
    share: str = option("", "a folder of the host for the guest, $VM_SHARE", "DIR")
    udev: bool = option(False, "run udev in the guest")
    interactive: bool = option(False, "a shell on the serial console (leave: exit)")
    verbose: bool = option(False, "show the program's output as it comes")
    accept: list = option([], "a kernel warning to accept", "REGEX")


@dataclass
class Result:
    status: int
    reason: str
    seconds: float
    kernel_warnings: list
    accel: str
    out: pathlib.Path
    fake_udmabuf: bool

    @property
    def output(self):
        log = self.out / "script.log"
        return log.read_text(errors="replace") if log.exists() else ""


def qemu_binary(machine="x86_64"):
    binary = (machine == "x86_64" and os.environ.get("QEMU")) or shutil.which(f"qemu-system-{machine}")
    if not binary:
        raise Problem(f"no qemu-system-{machine}: run tools/setup " + ("packages" if machine == "x86_64" else "foreign ARCHITECTURE"))
    return binary


def qemu_command(host, machine="x86_64"):
    """How QEMU is started: the host's own, or with the programs and libraries of another root folder."""
    if host == "own":
        return [qemu_binary(machine)]
    root = BUILD / f"host-{host}/root"
    if not root.exists():
        raise Problem(f"no {root.relative_to(TOP)}: run tools/setup host-{host}")
    mounts = 'for d in etc usr; do mount --bind "$0/$d" "/$d" || exit; done; exec qemu-system-x86_64 "$@"'
    return ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c", mounts, root]


def kvm_works(image):
    """Whether /dev/kvm really runs a guest; tried once for each QEMU and host kernel."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    binary = qemu_binary()
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "vgpu/kvm.json"
    key = f"{version}, boot {pathlib.Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"
    with contextlib.suppress(OSError, ValueError):
        if json.loads(cache.read_text()).get("key") == key:
            return json.loads(cache.read_text())["works"]
    command = [binary, "-accel", "kvm", "-cpu", "host", "-M", "q35", "-m", "256M", "-nodefaults", "-display", "none",
               "-serial", "stdio", "-no-reboot", "-kernel", image, "-append", "console=ttyS0 panic=-1 earlyprintk=ttyS0"]
    try:
        shown = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20).stdout
    except subprocess.TimeoutExpired as expired:
        shown = expired.stdout or b""
    works = b"Kernel panic" in shown
    temporary = cache.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps({"key": key, "works": works}))
    temporary.replace(cache)
    return works


def needs_udmabuf(text):
    """Devices that render have other ways to show blobs. Their renderers must not find the fake udmabuf:
    what it hands out another process cannot map."""
    return re.search(r"\bblob=(true|on)\b", text) and not re.search(r"\bvirtio-(gpu|vga)-gl\b", text)


def fake_udmabuf_library():
    folder = TOP / "tools/testing/fake-udmabuf"
    subprocess.run(["flock", BUILD, "make", "-s", "-C", folder, f"OUT={BUILD}"], check=True)
    return BUILD / "fake-udmabuf.so"


class Machine:
    def __init__(self, options):
        self.options = options
        self.kernel = kernel.find(options.kernel)
        self.out = pathlib.Path(options.out or BUILD / "vm/last").resolve()
        # The path of a socket may have about a hundred characters.
        self.sockets = pathlib.Path(os.path.relpath(self.out))
        self.with_us = () if options.keep else WITH_US
        self.gpus = []          # ids
        self.heads = []         # of each gpu
        self.fake_udmabuf = False
        self.status = None
        self.bus = self.connection = None
        self.screen = None
        self.tasks = set()
        self.rewinding = None
        if options.accel:
            self.accel = options.accel
        else:
            self.accel = "kvm" if self.kernel.machine == "x86_64" and kvm_works(self.kernel.image) else "tcg,thread=multi"

    def say(self, text):
        print(f"vm: {text}", file=sys.stderr, flush=True)

    def booted(self):
        """Whether the guest came as far as to load the driver."""
        return (self.out / ".vm/booted").exists()

    # ---- before -------------------------------------------------------------

    def prepare(self):
        """Everything that the guest finds in its shared folder."""
        options = self.options
        if self.out.exists():
            if any(self.out.iterdir()) and not (self.out / ".vm").exists():
                raise Problem(f"{self.out} is not a folder of an earlier run; will not empty it")
            shutil.rmtree(self.out)
        inside = self.out / ".vm"
        inside.mkdir(parents=True)
        for path in (*(path for path in GUEST.iterdir() if path.name != "initramfs"), *options.files):
            copy = shutil.copy(path, inside)
            os.chmod(copy, 0o755)
        if options.script:
            shutil.copyfile(options.script, inside / "script")
        elif not options.interactive:
            raise Problem("no script to run in the guest")
        if options.module not in ("none", "baseline"):
            if not os.path.isfile(options.module):
                raise Problem(f"no module {options.module}")
            shutil.copyfile(options.module, inside / "virtio_gpu.ko")
        environment = {
            "vm_args": shlex.join(options.args),
            "vm_modules": " ".join(options.modules),
            "vm_alone": "1" if options.alone else "",
            "vm_keep": "1" if options.keep else "",
            "vm_load": "1" if options.module != "none" and not options.no_load else "",
            "vm_params": options.params,
            "vm_share": "1" if options.share else "",
            "vm_systemd": "1" if options.systemd else "",
            "vm_udev": "1" if options.udev else "",
            "vm_bochs": "1" if options.vga == "bochs" or "-device VGA" in options.line else "",
            "vm_serial": "1" if options.serial else "",
            "vm_interactive": "1" if options.interactive else "",
        }
        lines = [f"{name}={shlex.quote(value)}\n" for name, value in environment.items()]
        lines += [f"export {name}={shlex.quote(str(value))}\n" for name, value in options.env.items()]
        (inside / "env").write_text("".join(lines))
        # The image is for x86_64, and so is its busybox.
        image = BUILD / "image/root" if self.kernel.machine == "x86_64" else pathlib.Path(options.root)
        kernel.make_initramfs(self.kernel, inside / "initramfs", image)

    def own_line(self):
        options = self.options
        return [*qemu_command(options.host, self.kernel.machine), "-name", "vgpu", "-nodefaults",
                "-accel", self.accel, "-cpu", "host" if self.accel.startswith("kvm") else "max",
                "-M", f"{options.machine or MACHINES[self.kernel.machine][0]},memory-backend=mem", "-smp", str(options.smp), "-m", options.mem,
                "-object", f"memory-backend-memfd,id=mem,size={options.mem},share=on"]

    def given_line(self):
        """A command line for QEMU as a user would type it; only its disk, display and accelerator are others here."""
        words = shlex.split(self.options.line)
        if os.path.basename(words[0]) != "qemu-system-x86_64":
            raise Problem(f"{words[0]} is not qemu-system-x86_64")
        line, words = qemu_command(self.options.host), words[1:]
        while words:
            name, value = words[0], words[1] if len(words) > 1 else ""
            if name in ("-drive", "-display"):
                words = words[2:]
            elif name in ("-accel", "-cpu") and not self.accel.startswith("kvm"):
                line += [name, self.accel if name == "-accel" else "max"]
                words = words[2:]
            else:
                line.append(words.pop(0))
        return line

    def command(self, fds):
        """QEMU's command line."""
        options = self.options
        append = f"console={MACHINES[self.kernel.machine][1]} panic={0 if options.keep else -1} sysrq_always_enabled random.trust_cpu=on {options.append}"
        virtio, extra = "pci", []
        if options.systemd:
            # What is to be done once after packages were installed takes a minute, and is not needed.
            append += " systemd.condition_needs_update=0"
        if options.machine.startswith("microvm"):
            virtio, extra = "device", ["-global", "virtio-mmio.force-legacy=false"]
            # It has no timer to measure the TSC with, and without KVM the guest's TSC is the host's.
            found = re.search(r"cpu MHz\s*: ([\d.]+)", pathlib.Path("/proc/cpuinfo").read_text())
            append += f" tsc_early_khz={float(found.group(1)) * 1000:.0f}" if found else ""
        command = [
            *(self.given_line() if options.line else self.own_line()), "-no-user-config", "-no-reboot", "-msg", "timestamp=on",
            "-kernel", str(self.kernel.image), "-initrd", str(self.out / ".vm/initramfs"), "-append", append,
            "-device", f"virtio-serial-{virtio}", *extra,
        ]
        # An interrupt of its own for each line: these kernels do not share them.
        for port, line in (("control", "iobase=0x2f8,irq=3"), ("log", "iobase=0x3e8,irq=5")):
            device = f"isa-serial,{line}" if options.serial else f"virtserialport,name={port}"
            command += ["-chardev", f"socket,id={port},fd={fds[port]}", "-device", f"{device},chardev={port}"]
        command += ["-chardev", f"socket,id=qmp,fd={fds['qmp']}", "-mon", "chardev=qmp,mode=control"]
        if options.interactive:
            command += ["-chardev", f"stdio,id=console,signal=off,mux=on,logfile={self.out / 'console.log'}",
                        "-mon", "chardev=console,mode=readline"]
        elif options.keep:
            command += ["-chardev", f"socket,id=console,path={self.sockets / 'shell'},server=on,wait=off,logfile={self.out / 'console.log'}",
                        "-gdb", f"unix:{self.sockets / 'gdb'},server=on,wait=off"]
        else:
            command += ["-chardev", f"file,id=console,path={self.out / 'console.log'}"]
        command += ["-serial", "chardev:console"]
        shares = [("out", self.out, "")]
        if options.root:
            shares.append(("root", pathlib.Path(options.root).resolve(), ",readonly=on"))
        else:
            shares.append(("modules", self.kernel.modules, ",readonly=on"))
            command += ["-drive", f"if=none,id=disk,file={options.disk or BUILD / 'image/disk.img'},format=raw,snapshot=on",
                        "-device", f"virtio-blk-{virtio},drive=disk"]
        if options.share:
            shares.append(("share", pathlib.Path(options.share).resolve(), ""))
        for tag, path, extra in shares:
            command += ["-fsdev", f"local,id={tag},path={path},security_model=none,multidevs=remap{extra}",
                        "-device", f"virtio-9p-{virtio},fsdev={tag},mount_tag={tag}"]
        command += self.graphics()
        if options.ivshmem:
            command += ["-object", f"memory-backend-memfd,id=vram,size={options.ivshmem},share=on",
                        "-device", "ivshmem-plain,memdev=vram,id=ivshmem"]
        command += ["-d", "guest_errors", "-D", str(self.out / "trace.log")]
        for event in (*self.traced(), *(TRACE_ALWAYS if options.trace else ())):
            command += ["-trace", f"enable={event}"]
        for extra in options.qemu:
            command += shlex.split(extra)
        return command

    def graphics(self):
        options = self.options
        command = ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"] if options.ports else []
        vga = {"none": None, "bochs": "VGA", "std": "VGA"}.get(options.vga, options.vga)
        if vga:
            command += ["-device", f"{vga},id=vga"]
        for number, gpu in enumerate(options.gpu):
            if gpu == "none":
                continue
            name = re.search(r"(?:^|,)id=([^,]+)", gpu)
            heads = re.search(r"(?:^|,)max_outputs=(\d+)", gpu)
            self.gpus.append(name.group(1) if name else f"gpu{number}")
            self.heads.append(int(heads.group(1)) if heads else 1)
            if options.ports:
                # QEMU does not unplug gpus, but a guest that drives its ports itself may eject them.
                command += ["-device", f"pcie-root-port,id=port{number},chassis={number + 1},slot={number + 1}"]
                gpu += f",bus=port{number}"
            command += ["-device", gpu if name else f"{gpu},id=gpu{number}"]
        if options.display:
            command += ["-display", options.display]
        elif options.dbus:
            command += ["-display", "dbus"]
        elif options.vnc:
            command += ["-display", f"vnc=unix:{self.sockets / 'vnc'}", "-device", "qemu-xhci", "-device", "usb-tablet"]
        elif options.gl:
            command += ["-display", "sdl,gl=on"]
        elif options.interactive and os.environ.get("DISPLAY"):
            command += ["-display", "gtk"]
        else:
            command += ["-display", "none"]
        return command

    def traced(self):
        names = []
        for name in self.options.trace:
            names += TRACE_GPU if name == "gpu" else (name,)
        return names

    def environment(self):
        environment = dict(os.environ)
        preload = list(self.options.preload)
        if any(needs_udmabuf(text) for text in (*self.options.gpu, self.options.vga, self.options.line)):
            if self.options.udmabuf != "host" or not os.access("/dev/udmabuf", os.R_OK | os.W_OK):
                preload.append(fake_udmabuf_library())
                self.fake_udmabuf = True
                if self.options.udmabuf == "host":
                    self.say("QEMU cannot use this host's /dev/udmabuf, and runs with a fake one")
                elif self.options.udmabuf == "refuse":
                    environment["VIRTGPU_UDMABUF_REFUSE"] = "1"
                elif self.options.udmabuf == "ram":
                    environment["VIRTGPU_UDMABUF_MEMFD_MIN_MB"] = "256"
        if preload:
            environment["LD_PRELOAD"] = ":".join(str(pathlib.Path(library).resolve()) for library in preload)
        return environment

    # ---- the guest's requests -------------------------------------------------

    async def execute(self, command, arguments=None):
        return await self.qmp.execute(command, arguments or {})

    async def request(self, verb, args):
        """Answer one request of the guest's "host" command."""
        handler = getattr(self, "host_" + verb.replace("-", "_"), None)
        if not handler:
            return 2, f"host: no request {verb!r}"
        try:
            return 0, await handler(*args) or ""
        except (QMPError, KeyError, TypeError, ValueError, OSError, subprocess.CalledProcessError, dbus.DBusException) as error:
            return 1, f"host {verb}: {error}"

    async def host_screenshot(self, name, device="", head="0"):
        if not re.fullmatch(r"[\w.-]+", name):
            raise ValueError("the name may have letters, digits and . _ -")
        device = device or (self.gpus[0] if self.gpus else "vga")
        path = self.out / (name.removesuffix(".png") + ".png")
        if self.screen:
            return self.screen.save(path)
        await self.execute("screendump", {"filename": str(path), "device": device, "head": int(head), "format": "png"})

    async def host_colour(self, device="", head="0"):
        await self.host_screenshot("colour", device, head)
        with Image.open(self.out / "colour.png") as image:
            pixels = image.convert("RGB")
        count, colour = max(pixels.getcolors(pixels.width * pixels.height))
        return "%02x%02x%02x %d %dx%d" % (*colour, 100 * count // (pixels.width * pixels.height), *pixels.size)

    async def host_qmp(self, text):
        message = json.loads(text)
        return json.dumps(await self.execute(message["execute"], message.get("arguments")))

    async def host_mark(self, text):
        # QEMU logs the command itself among its events, so that the order is right.
        with contextlib.suppress(ExecuteError):
            await self.execute("qom-get", {"path": "/machine", "property": logs.MARK + text})

    async def host_counts(self, start, end=None):
        found = logs.counts(self.out / "trace.log", start, end)
        return "\n".join(f"{number} {event}" for event, number in sorted(found.items()))

    async def host_trace(self, state, *names):
        for name in names or self.traced():
            await self.execute("trace-event-set-state", {"name": name, "enable": {"on": True, "off": False}[state],
                                                         "ignore-unavailable": True})

    async def host_ui(self, head, size):
        if not self.options.dbus:
            raise ValueError("only with --dbus")
        width, height = (0, 0) if size == "off" else map(int, size.split("x"))
        console = int(head) + (1 if self.options.vga != "none" else 0)
        await asyncio.to_thread(self.connection.call_blocking, "org.qemu", f"/org/qemu/Display1/Console_{console}",
                                "org.qemu.Display1.Console", "SetUIInfo", "qqiiuu", (300, 200, 0, 0, width, height))

    async def host_resizes(self, head, number, last):
        await self.drag([head], int(number) - 1, ODD_SIZES, last)
        await self.host_ui(head, last)

    async def host_toggles(self, number, *last):
        await self.drag(range(len(last)), int(number), ("off",), " ".join(last))
        for head, size in enumerate(last):
            await self.host_ui(head, size)

    async def drag(self, heads, number, sizes, seed):
        """So many changes of the heads, to these sizes and random ones, before the last; the same for a seed."""
        numbers = random.Random(seed)
        for _ in range(number):
            size = numbers.choice((*sizes, f"{numbers.randint(16, 2560)}x{numbers.randint(16, 1600)}"))
            await self.host_ui(numbers.choice(heads), size)
            await asyncio.sleep(numbers.uniform(0.005, 0.05))

    async def host_viewer(self):
        # The newest cursor comes with an update of the display, thirty times a second.
        await asyncio.sleep(1)
        return str(self.viewer)

    async def host_outputs(self, number, size="1024x768"):
        for head in range(self.heads[0]):
            await self.host_ui(head, size if head < int(number) else "off")

    async def host_wake(self, seconds):
        async def wake():
            with self.qmp.listener("SUSPEND") as events:
                await events.get()
            await asyncio.sleep(float(seconds))
            # It may have been woken by something else.
            with contextlib.suppress(ExecuteError):
                await self.execute("system_wakeup")
        self.background(wake())

    async def host_seconds(self):
        return str(int(time.monotonic()))

    async def host_pause(self, seconds):
        async def pause():
            # The guest has its answer by then.
            await asyncio.sleep(0.5)
            await self.execute("stop")
            await asyncio.sleep(float(seconds))
            await self.execute("cont")
        self.background(pause())

    async def snapshot(self, command):
        said = await self.execute("human-monitor-command", {"command-line": f"{command} vgpu"})
        if said.strip():
            raise ValueError(said.strip())

    async def host_rewind(self, seconds):
        async def rewind():
            await asyncio.sleep(0.5)
            await self.snapshot("savevm")
            await asyncio.sleep(float(seconds))
            await self.snapshot("loadvm")
        self.rewinding = self.background(rewind())

    async def host_rewound(self):
        if not self.rewinding.done():
            raise ValueError("not yet")
        self.rewinding.result()

    async def host_panic(self, name):
        async def last_screenshot():
            while b"end Kernel panic" not in (self.out / "console.log").read_bytes():
                await asyncio.sleep(0.2)
            await self.host_screenshot(name)
            self.status = 0
            await self.execute("quit")
        self.background(last_screenshot())

    async def host_exit(self, status):
        self.status = int(status)

    # ---- the run --------------------------------------------------------------

    def background(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def serve(self, sock):
        reader, writer = await asyncio.open_connection(sock=sock, limit=1 << 20)
        while line := await reader.readline():
            number, *words = line.decode(errors="replace").rstrip("\n").split("\037")
            if not words:
                continue
            status, text = await self.request(words[0], words[1:])
            text = text.replace("\\", "\\\\").replace("\n", "\\n")
            writer.write(f"{number} {status} {text}\n".encode())
            await writer.drain()

    async def follow(self, sock):
        """The script's output, as it comes."""
        reader, _ = await asyncio.open_connection(sock=sock)
        with open(self.out / "script.log", "wb") as log:
            while data := await reader.read(65536):
                log.write(data)
                log.flush()
                if self.options.verbose:
                    with contextlib.suppress(BrokenPipeError):
                        sys.stdout.buffer.write(data)
                        sys.stdout.buffer.flush()

    def start_bus(self):
        self.bus = subprocess.Popen(
            [*self.with_us, "dbus-daemon", "--session", "--nofork", "--print-address"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
        self.bus_address = self.bus.stdout.readline().strip()
        self.connection = dbus.bus.BusConnection(self.bus_address)

    async def last_words(self):
        """The guest hangs: have its kernel say where, and take a picture."""
        with contextlib.suppress(QMPError, asyncio.TimeoutError):
            for key in ("w", "l"):
                keys = [{"type": "qcode", "data": code} for code in ("alt", "sysrq", key)]
                await asyncio.wait_for(self.execute("send-key", {"keys": keys}), 5)
                await asyncio.sleep(2)
            if self.gpus:
                await asyncio.wait_for(self.host_screenshot("timeout"), 10)

    async def run(self):
        options, began = self.options, time.monotonic()
        environment = self.environment()
        self.prepare()
        pairs = {name: socket.socketpair() for name in ("control", "log", "qmp")}
        if options.dbus:
            self.start_bus()
            environment["DBUS_SESSION_BUS_ADDRESS"] = self.bus_address
        if options.gl:
            self.screen = xscreen.Screen(self.out / ".vm")
            await self.screen.start(*self.with_us)
            environment.update(DISPLAY=self.screen.name, SDL_VIDEODRIVER="x11")
        command = self.command({name: pair[1].fileno() for name, pair in pairs.items()})
        (self.out / "qemu.txt").write_text(shlex.join(map(str, command)) + "\n")
        process = None
        errors = open(self.out / "qemu.log", "wb")
        try:
            # Not of asyncio, which kills its processes in the end.
            process = subprocess.Popen(
                [*self.with_us, *map(str, command)], env=environment, stdin=None if options.interactive else subprocess.DEVNULL,
                stdout=None if options.interactive else errors, stderr=errors,
                pass_fds=[pair[1].fileno() for pair in pairs.values()], start_new_session=not options.interactive)
            for _, theirs in pairs.values():
                theirs.close()
            self.qmp = QMPClient("vm")
            listening = [self.background(self.serve(pairs["control"][0])),
                         self.background(self.follow(pairs["log"][0]))]
            try:
                await asyncio.wait_for(self.qmp.connect(pairs["qmp"][0]), 30)
            except (QMPError, asyncio.TimeoutError, EOFError, OSError):
                await asyncio.sleep(0.5)
                if process.poll() is None:
                    raise
            if options.vnc:
                self.viewer = viewer.Viewer(self.sockets / "vnc")
                listening.append(self.background(self.viewer.follow()))
            timeout = None if options.interactive else options.timeout
            try:
                await asyncio.wait_for(self.ended(process), timeout)
            except asyncio.TimeoutError:
                if self.status is None:
                    await self.last_words()
                    self.status = TIMEOUT
            if process.poll() is not None:
                await asyncio.wait(listening, timeout=2)
        finally:
            await self.stop(process)
            errors.close()
        return self.conclude(process, time.monotonic() - began)

    async def ended(self, process):
        while process.poll() is None and not (self.options.keep and self.status is not None):
            await asyncio.sleep(0.05)

    async def stop(self, process):
        for task in list(self.tasks):
            task.cancel()
        with contextlib.suppress(Exception):
            await self.qmp.disconnect()
        if self.options.keep:
            return
        if process and process.poll() is None:
            process.kill()
            process.wait()
        if self.connection:
            self.connection.close()
        for helper in (self.bus, self.screen and self.screen.process):
            if helper:
                helper.terminate()      # it removes its socket
                helper.wait()

    def conclude(self, process, seconds):
        console = self.out / "console.log"
        text = console.read_text(errors="replace") if console.exists() else ""
        found = logs.kernel_warnings(text, [*self.options.accept, *(() if self.accel.startswith("kvm") else logs.STARVED)])
        if not (self.out / "dmesg.log").exists():
            (self.out / "dmesg.log").write_text(text)
        status = self.status
        if process.returncode not in (0, None, -signal.SIGKILL) and (status is None or process.returncode < 0):
            said = (self.out / "qemu.log").read_text(errors="replace").strip().splitlines()
            status, reason = HOST, f"QEMU failed ({process.returncode}): {said[-1] if said else 'no message'}"
        elif status is None:
            status, reason = DIED, "the guest went away before its script ended"
        elif status == TIMEOUT and seconds >= self.options.timeout:
            reason = f"no end within {self.options.timeout:g} seconds"
        elif status:
            reason = f"the script ended with status {status}"
        elif found:
            status, reason = KERNEL_WARNED, f"the script passed, but the guest's kernel printed a warning: {found[0]}"
        else:
            reason = ""
        result = Result(status, reason, round(seconds, 1), found, self.accel, self.out, self.fake_udmabuf)
        (self.out / "result.json").write_text(json.dumps(asdict(result), indent=1, default=str) + "\n")
        return result


def run(**options):
    """Boot, run, collect. Options as in the class of that name."""
    machine = Machine(Options(**options))
    result = asyncio.run(machine.run())
    if result.status and not machine.booted() and not machine.accel.startswith("kvm"):
        # Emulated processors may run into each other while firmware and kernel find the devices.
        machine.say(f"{result.reason}, before there was a driver; once more")
        machine = Machine(Options(**options))
        result = asyncio.run(machine.run())
    return result
