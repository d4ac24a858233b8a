"""Peak memory of smoothing, measured in fresh processes.

`python -m benchmarks.memory WHAT MEASURE T N` prints the peak in bytes: of making a
log-likelihood of T x N numbers and smoothing it, everything included, above what the process
needed before. MEASURE is

- `resident`: growth of the peak resident size, VmHWM in /proc/self/status (Linux). Not ru_maxrss,
  which a new process inherits from the one that started it;
- `traced`: peak of tracemalloc, to which NumPy reports its arrays. It misses what C++ code asks
  for by itself, and works everywhere.
"""

import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.harness import Answer, Result, Scale
from benchmarks.names import LOG
from latent import scan

STATUS = Path("/proc/self/status")
TARGET = 6.0  # arrays of T x N numbers


def results(scale: Scale, threads: int) -> Iterator[Result]:
    """Measure in fresh processes.

    Parameters
    ----------
    scale : Scale
        How large the sequence may be.
    threads : int
        Threads of this process.

    Yields
    ------
    Result
        Megabytes against those of one array of T x N numbers. A target is on `latent` only.
    """
    # Shorter ones would hide below what the imports needed.
    T, N = max(100_000, scale.steps), 16
    array = 8 * T * N
    for what in WORK:
        for measure in MEASURES:
            if measure == "resident" and not STATUS.exists():
                continue
            command = [sys.executable, "-m", __spec__.name, what, measure, str(T), str(N)]
            peak = int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            yield Result(
                section="Peak memory of smoothing",
                name=f"{what}, N = {N}, T = {T:,}, {measure}",
                peer="one array T x N",
                threads=threads,
                unit="MB",
                ours=peak / 1e6,
                theirs=array / 1e6,
                ratio=peak / array,
                quartiles=(peak / array, peak / array),
                rounds=1,
                target=TARGET if what == "latent" and T == 1_000_000 else None,
                sizes={"N": N, "T": T, "measure": measure, "what": what},
            )


def smooth_something(smooth: Callable[..., Answer], T: int, N: int) -> Answer:
    """Make a chain and a log-likelihood, and smooth.

    Parameters
    ----------
    smooth : callable
        smooth(initial, transition, log_likelihood), an entry of `WORK`.
    T, N : int
        Steps and states.

    Returns
    -------
    dict
        The answer, and the log-likelihood, which counts too.
    """
    log_likelihood = np.empty((T, N))
    np.random.default_rng(0).standard_normal(out=log_likelihood)  # with no second array
    transition = np.full((N, N), 0.3 / N) + 0.7 * np.eye(N)
    answer = smooth(np.full(N, 1 / N), transition, log_likelihood)
    return {**answer, "log likelihood": log_likelihood}


def _latent(initial: np.ndarray, transition: np.ndarray, log_likelihood: np.ndarray) -> Answer:
    posterior = scan.smooth(initial, transition, log_likelihood)
    return {"gamma": posterior.gamma, "log evidence": posterior.log_evidence}


def _hmmlearn(initial: np.ndarray, transition: np.ndarray, log_likelihood: np.ndarray) -> Answer:
    from benchmarks.hmm import ReadyHMM  # the other measurements go without hmmlearn

    peer = ReadyHMM(len(initial))
    peer.startprob_, peer.transmat_ = initial, transition
    log_evidence, gamma = peer.score_samples(log_likelihood)
    return {"gamma": gamma, "log evidence": log_evidence}


WORK = {"latent": _latent, LOG: _hmmlearn}


def _resident(work: Callable[[], object]) -> int:
    before = _status("VmRSS")
    work()
    return _status("VmHWM") - before


def _traced(work: Callable[[], object]) -> int:
    tracemalloc.start()
    work()
    return tracemalloc.get_traced_memory()[1]


MEASURES = {"resident": _resident, "traced": _traced}


def _status(name: str) -> int:
    (line,) = [line for line in STATUS.read_text().splitlines() if line.startswith(name + ":")]
    return 1024 * int(line.split()[1])


def main(what: str, measure: str, T: str, N: str) -> None:
    """Measure in this process and print bytes."""
    smooth_something(WORK[what], 1000, int(N))  # libraries set up their buffers
    print(MEASURES[measure](partial(smooth_something, WORK[what], int(T), int(N))))


if __name__ == "__main__":
    main(*sys.argv[1:])
