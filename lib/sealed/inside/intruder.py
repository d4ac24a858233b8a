"""A process that tries to get out of its sandbox; it says which of its attempts succeeded."""

import ctypes
import os
import pathlib
import resource
import socket
import threading

from sealed.inside import wire
from sealed.inside.cells import Cells


def serve(channel: wire.Channel, cells: Cells, settings: dict) -> None:
    """Try everything once, and say what worked that should not, or failed that should."""
    channel.receive()
    broken = [name for name, attempt in ATTEMPTS.items() if attempt()]
    channel.send(wire.dumps(broken))


def _possible(attempt, *arguments) -> bool:
    try:
        attempt(*arguments)
    except (OSError, MemoryError):
        return False
    return True


def _connect() -> None:
    for family, address in (
        (socket.AF_INET, ("127.0.0.1", 22)),
        (socket.AF_INET, ("10.0.0.1", 53)),
    ):
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.connect(address)


def _thread_fails() -> bool:
    try:
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
    except RuntimeError:
        return True
    return False


def _unshare() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000):
        raise OSError(ctypes.get_errno(), "unshare")


ATTEMPTS = {
    "a new process": lambda: _possible(os.fork),
    "another program": lambda: _possible(os.execv, "/usr/bin/true", ["true"]),
    "the network": lambda: _possible(_connect),
    "a new namespace": lambda: _possible(_unshare),
    "writing to the root folder": lambda: _possible(pathlib.Path("/x").write_text, "x"),
    "writing to the packages": lambda: _possible(pathlib.Path("/packages/x").write_text, "x"),
    "the machine below": lambda: _possible(socket.socket, socket.AF_VSOCK),
    "writing to the devices": lambda: _possible(pathlib.Path("/dev/x").write_text, "x"),
    "the nursery's output": lambda: os.path.realpath("/proc/self/fd/2") != "/dev/null",
    "the users of this machine": lambda: os.path.exists("/etc/passwd"),
    "other processes": lambda: sum(name.isdigit() for name in os.listdir("/proc")) > 1,
    "being root": lambda: os.getuid() == 0 or os.geteuid() == 0,
    "rights": lambda: _capabilities() != 0,
    "memory without a limit": lambda: _possible(bytearray, 1 << 30),
    "files without a limit": lambda: resource.getrlimit(resource.RLIMIT_FSIZE)[1] < 0,
    "no thread": _thread_fails,
}


def _capabilities() -> int:
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("CapEff:")[1].split()[0], 16)
