"""A warm interpreter in the sandbox: each process that it forks has everything imported already.

It takes orders on a socket, one JSON object a datagram: {"fork": n, "settings": {...}} with a
socket beside it for the new process; {"kill": n}. It reports {"ready": ...} once, and
{"ended": n, ...} when a process has. It never sees a hand-in or a test: these go to the forked
processes directly.

    python nursery.py '{"role": "student", "socket": 3, "path": [...], "modules": [...], ...}'
"""

import gc
import importlib
import json
import os
import random
import select
import signal
import socket
import sys
import time

sys.path[:0] = json.loads(sys.argv[1])["path"]  # where `sealed` lies in the sandbox

from sealed.inside import isolation, process  # noqa: E402
from sealed.inside.cells import Cells  # noqa: E402


def main() -> None:
    """Warm up, then fork as told until the socket closes."""
    started = time.monotonic()
    orders = json.loads(sys.argv[1])
    control = socket.socket(fileno=orders["socket"])
    missing = _warm([f"sealed.inside.{orders['role']}", *orders["modules"]])
    cells = Cells()
    _draw_once()
    gc.collect()
    gc.freeze()
    control.send(json.dumps({"ready": time.monotonic() - started, "missing": missing}).encode())
    _Nursery(control, cells, orders).run()


def _warm(modules: list[str]) -> list[str]:
    missing = []
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError as error:
            missing.append(f"{name}: {error}")
    return missing


def _draw_once() -> None:
    """Load fonts and the parser of formulas, if there are figures at all."""
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        figure, ax = pyplot.subplots()
        ax.set_title("$a^2$ b")
        figure.canvas.draw()
        pyplot.close(figure)


class _Nursery:
    def __init__(self, control: socket.socket, cells, orders: dict):
        self.control, self.cells, self.orders = control, cells, orders
        self.children: dict[int, tuple[int, int]] = {}  # number: (process, its descriptor)

    def run(self) -> None:
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        while True:
            for _, descriptor in self.children.values():
                poll.register(descriptor, select.POLLIN)
            ready = {descriptor for descriptor, _ in poll.poll()}
            for n, (child, descriptor) in list(self.children.items()):
                if descriptor in ready:
                    poll.unregister(descriptor)
                    self._bury(n, child, descriptor)
            if self.control.fileno() in ready and not self._obey():
                return

    def _obey(self) -> bool:
        message, sockets, _, _ = socket.recv_fds(self.control, 1 << 16, 1)
        if not message:
            return False
        order = json.loads(message)
        if "kill" in order:
            if order["kill"] in self.children:
                os.kill(self.children[order["kill"]][0], signal.SIGKILL)
            return True
        child = isolation.fork_alone()
        if child == 0:
            _child(sockets[0], self.cells, self.orders, order["settings"])
        os.close(sockets[0])
        self.children[order["fork"]] = child, os.pidfd_open(child)
        return True

    def _bury(self, n: int, child: int, descriptor: int) -> None:
        _, status, usage = os.wait4(child, 0)
        os.close(descriptor)
        del self.children[n]
        cpu = usage.ru_utime + usage.ru_stime
        self._tell({"ended": n, "status": os.waitstatus_to_exitcode(status), "cpu": cpu})

    def _tell(self, message: dict) -> None:
        try:
            self.control.send(json.dumps(message).encode())
        except OSError:
            os._exit(0)  # nobody listens any more


def _child(descriptor: int, cells, orders: dict, settings: dict) -> None:
    """Become a student or an examiner; never returns."""
    status = 1
    try:
        os.dup2(descriptor, 0)  # the place of the standard input, which is empty
        os.closerange(3, 1 << 16)
        os.setsid()
        limits = orders["limits"]
        isolation.part(limits["disk_mb"])
        isolation.renounce(orders["uid"])
        isolation.limit(**{k: limits[k] for k in LIMITED})
        isolation.filter_calls()
        _reseed()
        nowhere = os.open("/dev/null", os.O_RDWR)
        channel_socket = socket.socket(fileno=os.dup(0))
        # nothing is left that another process has or will have: what is written there stays
        for standard in (0, 1, 2):
            os.dup2(nowhere, standard)
        process.serve(orders["role"], channel_socket, cells, settings, limits)
        status = 0
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode()[:2000])
    finally:
        os._exit(status)


LIMITED = ("memory_mb", "cpu_seconds", "disk_mb", "files", "threads")


def _reseed() -> None:
    random.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()


if __name__ == "__main__":
    main()
