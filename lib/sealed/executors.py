"""Where hand-ins are run: processes of this machine, or a Dask cluster.

Either gives a function from a job to its result that many threads may call at once. A process that
dies costs nothing but time: what it was running is run again, and a hand-in that ends its process
twice is given up.
"""

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future, ProcessPoolExecutor
from dataclasses import dataclass

from sealed import sandbox, worker

MARK = "sealed.grading:mark"

Compute = Callable[[bytes], bytes]


class Stop(Exception):
    """The run cannot go on; no hand-in is to blame."""


class Lost(Exception):
    """A hand-in that could not be run; the message says why."""


@dataclass(frozen=True)
class Workers:
    """What runs hand-ins.

    Attributes
    ----------
    compute : callable
        From a job to its result; raises `Lost` for a hand-in that cannot be run, `Stop` when
        nothing can be run any more.
    at_once : int
        How many hand-ins to have under way, so that no process waits for one.
    probes : dict of str to Probe
        What each machine or process of the cluster can do.
    stop : callable
        Gives up at once what is running: each `compute` raises `Stop`.
    """

    compute: Compute
    at_once: int
    probes: dict[str, sandbox.Probe]
    stop: Callable[[], None]


@contextlib.contextmanager
def local(n: int, mark: str = MARK) -> Iterator[Workers]:
    """Run hand-ins in `n` processes of this machine, started ahead."""
    pool = _Pool(n, mark)
    try:
        yield Workers(pool.compute, 2 * n + 1, {"this machine": sandbox.probe()}, pool.stop)
    finally:
        pool.close()


@contextlib.contextmanager
def cluster(scheduler: str, mark: str = MARK) -> Iterator[Workers]:
    """Run hand-ins on a Dask cluster, one at a time in each of its worker processes.

    Parameters
    ----------
    scheduler : str
        Its address, such as "tcp://192.0.2.1:8786".
    mark : str
        Module and name of what runs a job; the workers must be able to import it.

    Raises
    ------
    Stop
        If Dask is not installed, or nothing answers there, or the scheduler has no worker.
    """
    try:
        from dask import config
        from distributed import Client, KilledWorker
    except ImportError:
        raise Stop("a cluster needs Dask: pip install 'latent-course[cluster]'") from None
    with contextlib.ExitStack() as stack:
        # a job has all files of its hand-in: no reason to warn
        settings = {"distributed.admin.large-graph-warning-threshold": "1 GB"}
        stack.enter_context(config.set(settings))
        try:
            client = stack.enter_context(Client(scheduler, timeout=SECONDS_FOR_WORKERS))
            client.wait_for_workers(1, timeout=SECONDS_FOR_WORKERS)
        except (OSError, ValueError) as error:  # a timeout is an OSError
            raise Stop(f"no Dask scheduler with a worker at {scheduler}: {error}") from None
        executor = client.get_executor(pure=False)

        def compute(job: bytes) -> bytes:
            try:
                return executor.submit(worker.run, mark, job).result()
            except KilledWorker:
                raise Lost("it ended each worker process that ran it") from None
            except CancelledError:
                raise Stop(f"interrupted, or the scheduler at {scheduler} has gone") from None
            except Exception as error:
                raise _lost(error) from error

        # not client.run: the worker would answer nobody meanwhile
        probing = {
            address: client.submit(worker.probe, workers=[address], pure=False)
            for address in client.scheduler_info(n_workers=-1)["workers"]
        }
        probes = {address: future.result() for address, future in probing.items()}
        yield Workers(
            compute, max(2 * len(probes), 32), probes, lambda: executor.shutdown(wait=False)
        )


SECONDS_FOR_WORKERS = 60


class _Pool:
    """Processes that are started anew when one has died."""

    def __init__(self, n: int, mark: str):
        self._n, self._mark = n, mark
        self._lock, self._alone = threading.Lock(), threading.Lock()
        self._stopped = False
        self._executor = _start(n, mark)

    def compute(self, job: bytes) -> bytes:
        """Run a job; if its process dies, run it once more, with no other beside it."""
        try:
            return self._result(self._submit(job))
        except (BrokenExecutor, sandbox.SandboxError):
            pass  # perhaps another hand-in is to blame
        except Exception as error:
            raise _lost(error) from error
        with self._alone:
            with self._lock:
                self._check()
                executor = _start(1, self._mark)
            with executor:
                try:
                    return self._result(executor.submit(worker.run, self._mark, job))
                except BrokenExecutor:
                    raise Lost("it ended the process that ran it, twice") from None
                except Exception as error:
                    raise _lost(error) from error

    def _submit(self, job: bytes) -> Future[bytes]:
        with self._lock:
            self._check()
            try:
                return self._executor.submit(worker.run, self._mark, job)
            except BrokenExecutor:
                self._executor.shutdown(wait=False)
                self._executor = _start(self._n, self._mark)
                return self._executor.submit(worker.run, self._mark, job)

    def _result(self, future: Future[bytes]) -> bytes:
        try:
            return future.result()
        except (BrokenExecutor, CancelledError):
            self._check()
            raise

    def _check(self) -> None:
        if self._stopped:
            raise Stop("interrupted")

    def stop(self) -> None:
        """End all processes."""
        with self._lock:
            self._stopped = True
            for child in multiprocessing.active_children():
                child.kill()

    def close(self) -> None:
        """Let the processes end."""
        self._executor.shutdown()


def _lost(error: Exception) -> Exception:
    """Return what an error that was raised while a hand-in was run means for the run."""
    if isinstance(error, Stop | Lost):
        return error
    return Lost(f"it could not be run: {type(error).__name__}: {error}")


def _start(n: int, mark: str) -> ProcessPoolExecutor:
    # "spawn": a fork of a process with threads may wait for ever for a lock that one of them held
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(n, context, initializer=worker.begin, initargs=(mark,))
    for _ in range(n):
        executor.submit(os.getpid)  # starts the processes now
    return executor
