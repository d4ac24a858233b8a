"""What a worker process does for `sealed grade`, of this machine or of a cluster.

This module imports next to nothing: a Dask scheduler imports it too, and answers nobody meanwhile.
What runs a job is given by its name, and imported where and when it is needed.
"""

import multiprocessing
import os
import pkgutil
import signal
import sys
import threading
from multiprocessing.connection import wait
from types import ModuleType
from typing import Any, cast

_running = threading.Lock()


def run(mark: str, job: bytes) -> bytes:
    """Run a job, one at a time in each process: a Dask worker may have several threads."""
    with _running:
        return pkgutil.resolve_name(mark)(job)


def probe() -> Any:
    """Find out what this machine can seal; returns a `sealed.sandbox.Probe`."""
    return pkgutil.resolve_name("sealed.sandbox:probe")()


def begin(mark: str) -> None:
    """Prepare a process: it leaves interruption to the main process, and ends with it."""
    start_quickly()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pkgutil.resolve_name(mark)  # imports it now, before there are jobs


def start_quickly() -> None:
    """Spare this process two seconds in which jsonschema would read a grammar of web addresses.

    It is needed for addresses in other alphabets, of which a notebook's schema has none.
    """
    sys.modules.setdefault("rfc3987_syntax", cast(ModuleType, None))  # cannot be imported


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
