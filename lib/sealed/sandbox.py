"""Starts warm interpreters in bubblewrap, and processes from them.

As root bubblewrap makes no user namespace, and each process becomes a user of its own without
rights; as an ordinary user it makes one. Both need `bwrap` 0.8 or newer.
"""

import itertools
import json
import os
import platform
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import matplotlib

from sealed import views
from sealed.inside import isolation, wire
from sealed.limits import Limits

NOBODY = 65534
FIRST_UID, N_UIDS = 61184, 4000  # systemd's range for users that exist while a service runs
DEVICES = ("null", "zero", "full", "random", "urandom")
START_SECONDS = 120.0
HELP = "book page *Teach with this book* says what to do"


class SandboxError(RuntimeError):
    """The machine cannot seal a process, or a sandbox did not start."""


class Process:
    """A student's or an examiner's process."""

    def __init__(self, channel: wire.Channel, grace: float, stop: Callable[[], tuple[int, float]]):
        self.channel, self.grace, self._stop = channel, grace, stop
        self.status, self.cpu_seconds = 0, 0.0

    def ask(self, message: dict | bytes, seconds: float) -> bytes:
        """Send a message and wait for the answer; seconds are the process's own, and some more."""
        frame = message if isinstance(message, bytes) else wire.dumps(message)
        self.channel.send(frame, seconds)
        return self.channel.receive(seconds + self.grace)[0]

    def stop(self) -> None:
        """End the process and wait until it has ended; again: nothing."""
        if self._stop is not None:
            self.channel.close()
            (self.status, self.cpu_seconds), self._stop = self._stop(), None


class Nursery:
    """A warm interpreter that forks processes of one role."""

    def __init__(self, role: str, view: views.View, limits: Limits):
        self.role, self.limits = role, limits
        self._count = itertools.count(1)
        self._lock = threading.Lock()
        self._ended: dict[int, dict] = {}
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        orders = {
            "role": role,
            "socket": theirs.fileno(),
            "path": list(view.path),
            "modules": list(view.preload),
            "limits": asdict(limits),
            "uid": _uid() if os.geteuid() == 0 else None,
        }
        self._bwrap = subprocess.Popen(
            [*command(view), json.dumps(orders)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=[theirs.fileno()],
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
        )
        theirs.close()
        self.ready: dict = {}

    def wait(self) -> None:
        """Wait until the interpreter is warm.

        Raises
        ------
        SandboxError
            If it does not start, with what it said.
        """
        if self.ready:
            return
        self._control.settimeout(START_SECONDS)
        try:
            message = self._control.recv(1 << 16)
        except TimeoutError:
            message = b""
        if not message:
            said = self._said()
            self.close()
            raise SandboxError(f"the sandbox did not start: {said}")
        self.ready = json.loads(message)

    def fork(self, settings: dict, files: dict[str, str]) -> Process:
        """Return a new process, with these files in its work folder."""
        self.wait()
        ours, theirs = socket.socketpair()
        n = next(self._count)
        order = json.dumps({"fork": n, "settings": settings}).encode()
        socket.send_fds(self._control, [order], [theirs.fileno()])
        theirs.close()
        channel = wire.Channel(ours, self.limits.message_mb << 20)
        process = Process(channel, self.limits.grace_seconds, lambda: self._stop(n))
        try:
            process.ask({"files": files}, 30.0)
        except (wire.Closed, wire.Late, wire.WireError) as error:
            process.stop()
            how = f"it ended with {process.status}" if process.status else str(error)
            raise SandboxError(f"a process did not start: {how} {self._said()}") from None
        return process

    def _stop(self, n: int) -> tuple[int, float]:
        self._control.send(json.dumps({"kill": n}).encode())
        self._control.settimeout(30)
        while n not in self._ended:
            message = self._control.recv(1 << 16)
            if not message:
                raise SandboxError("the sandbox has gone")
            ended = json.loads(message)
            self._ended[ended["ended"]] = ended
        ended = self._ended.pop(n)
        return ended["status"], ended["cpu"]

    def close(self) -> None:
        """End the interpreter and all of its processes."""
        self._control.close()
        self._bwrap.kill()
        self._bwrap.wait()
        self._log.close()

    def _said(self) -> str:
        self._log.seek(0)
        return self._log.read().decode(errors="replace").strip()[-2000:]


def command(view: views.View) -> list[str]:
    """Return the bubblewrap command that starts a nursery with this view."""
    root = os.geteuid() == 0
    options = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    options += ["--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SETPCAP"]
    if root:
        options += [x for c in ("SETUID", "SETGID", "KILL") for x in ("--cap-add", f"CAP_{c}")]
    else:
        options += ["--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)]
    options += ["--die-with-parent", "--new-session", "--clearenv"]
    made: set[str] = set()

    def folder(path: str) -> None:
        """Make a folder and those above it; bubblewrap's own would be closed to others."""
        for parent in [*reversed(Path(path).parents), Path(path)]:
            if str(parent) != "/" and str(parent) not in made:
                made.add(str(parent))
                options.extend(["--perms", "0755", "--dir", str(parent)])

    for name in ("/lib", "/lib64", "/bin"):
        if os.path.islink(name):
            options += ["--symlink", os.readlink(name), name]
        elif os.path.isdir(name) and name != "/bin":
            options += ["--ro-bind", name, name]
    for outside, inside in view.binds:
        if os.path.isdir(outside):
            folder(inside)
        else:
            folder(os.path.dirname(inside))
        options += ["--ro-bind", outside, inside]
    for path in view.hidden:
        options += ["--perms", "0555", "--tmpfs", path, "--remount-ro", path]
    folder("/etc")
    options += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    options += ["--proc", "/proc"]
    folder("/dev/shm")
    for name in DEVICES:  # bubblewrap's own /dev would cost a second user namespace
        options += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    options += ["--symlink", "/proc/self/fd", "/dev/fd"]
    scratch = isolation.SCRATCH
    options += ["--perms", "1777", "--size", str(64 << 20), "--tmpfs", scratch]
    options += ["--perms", "0755", "--dir", f"{scratch}/matplotlib"]
    for fonts in Path(matplotlib.get_cachedir()).glob("fontlist-*.json"):
        options += ["--ro-bind", str(fonts), f"{scratch}/matplotlib/{fonts.name}"]
    if not any(inside.startswith("/tmp/") for _, inside in view.binds):
        options += ["--symlink", scratch, "/tmp"]
    folder(isolation.WORK)
    options += ["--remount-ro", "/"]
    for name, value in ENVIRONMENT.items():
        options += ["--setenv", name, value]
    python = [views.executable(), "-I", "-S", "-u", "-X", "faulthandler"]
    return ["bwrap", *options, "--", *python, view.program]


INLINE = "module://matplotlib_inline.backend_inline"  # where a kernel draws
COMMON = {
    "MPLBACKEND": INLINE,
    "OPENBLAS_NUM_THREADS": "1",  # many small matrices: a second thread only waits
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",  # each further thread would reserve 64 MB of what is allowed
    "NBGRADER_EXECUTION": "autograde",
}
ENVIRONMENT = COMMON | {
    "HOME": isolation.SCRATCH,
    "TMPDIR": isolation.SCRATCH,
    "PATH": "/usr/bin",
    "LANG": "C.UTF-8",
    "MPLCONFIGDIR": f"{isolation.SCRATCH}/matplotlib",
    "IPYTHONDIR": f"{isolation.SCRATCH}/ipython",
}


def _uid() -> int:
    """Return a user for the processes of one nursery: the limit on threads counts per user."""
    return FIRST_UID + secrets.randbelow(N_UIDS)


def start_alone(role: str, settings: dict, files: dict[str, str], limits: Limits) -> Process:
    """Start a process without a sandbox: for one's own code, or where there is no other way."""
    folder = tempfile.mkdtemp(prefix="sealed-")
    token = secrets.token_hex(16)
    with socket.create_server(("127.0.0.1", 0)) as server:
        orders = {
            "role": role,
            "port": server.getsockname()[1],
            "token": token,
            "folder": folder,
            "path": [str(Path(__file__).resolve().parents[1])],
            "settings": settings,
            "limits": asdict(limits),
        }
        environment = {**os.environ, **COMMON, "IPYTHONDIR": folder}
        program = Path(__file__).parent / "inside" / "alone.py"
        process = subprocess.Popen(
            [sys.executable, "-P", str(program), json.dumps(orders)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
        server.settimeout(START_SECONDS)
        sock, _ = server.accept()
    sock.settimeout(START_SECONDS)
    if not secrets.compare_digest(sock.recv(len(token)), token.encode()):
        raise SandboxError("another process answered")

    def stop() -> tuple[int, float]:
        process.kill()
        status = process.wait()
        shutil.rmtree(folder, ignore_errors=True)
        return status, 0.0

    channel = wire.Channel(sock, limits.message_mb << 20)
    made = Process(channel, limits.grace_seconds, stop)
    made.ask({"files": files}, 60.0)
    return made


@dataclass(frozen=True)
class Probe:
    """What this machine can do.

    Attributes
    ----------
    sealed : bool
        Whether hand-ins can be sealed here.
    words : str
        How, or why not and what to do.
    """

    sealed: bool
    words: str


@cache
def probe() -> Probe:
    """Find out whether this machine can seal a process, by sealing one that tries to get out."""
    if sys.platform != "linux":
        return Probe(False, f"no sandbox on {platform.system()}: bubblewrap needs Linux")
    if platform.machine() not in isolation.AUDIT:
        return Probe(False, f"no filter of system calls for {platform.machine()}; {HELP}")
    if shutil.which("bwrap", path="/usr/bin:/bin") is None:
        return Probe(False, f"bubblewrap is not installed (apt install bubblewrap); {HELP}")
    nursery = Nursery("intruder", views.student(("numpy",), ()), Limits(memory_mb=256, threads=8))
    try:
        nursery.wait()
        process = nursery.fork({}, {})
        broken = json.loads(process.ask({}, 20.0))
        process.stop()
    except (SandboxError, wire.Closed, wire.Late) as error:
        return Probe(False, f"{error}; {HELP}")
    finally:
        nursery.close()
    if broken:
        return Probe(False, f"the sandbox leaks: {', '.join(broken)}; {HELP}")
    how = "as root, each process as a user of its own" if os.geteuid() == 0 else "user namespaces"
    return Probe(True, f"bubblewrap ({how}), seccomp, no network, no further processes")
