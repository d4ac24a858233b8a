"""Run one part of the benchmarks in this process and print a line of JSON for each result.

The number of threads is fixed when the linear algebra is loaded. So `python -m benchmarks` starts
`python -m benchmarks.worker PART SCALE THREADS` with the environment that asks for it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from importlib import import_module
from importlib.util import find_spec

from benchmarks.harness import BRIEF, FULL, QUICK, Result, Scale, Void, measure

SCALES = {"full": FULL, "brief": BRIEF, "quick": QUICK}
CASES = [
    "hmm",
    "mixtures",
    "networks",
]  # modules with cases, which are timed in the worker's process
RESULTS = ["memory", "startup", "attention"]  # modules with results, which measure by themselves
NEEDS = {"networks": "torch", "attention": "torch"}  # peers that not every machine has
PARTS = [*CASES, *RESULTS]
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def outcomes(part: str, scale: Scale, threads: int) -> Iterator[Result | Void]:
    """Run one part here.

    Parameters
    ----------
    part : str
        One of `PARTS`.
    scale : Scale
        How large the cases may be.
    threads : int
        Threads that this process was started with.

    Yields
    ------
    Result or Void
        `Void` for a case that cannot be compared; the others go on.
    """
    if part in NEEDS and find_spec(NEEDS[part]) is None:
        yield Void(f"{part}: {NEEDS[part]} is not installed; `make bench` installs it")
        return
    module = import_module(f"benchmarks.{part}")  # its peers only, and not those of other parts
    if part in RESULTS:
        runs = [partial(module.results, scale, threads)]
    else:
        runs = (partial(measure, case, scale.budget, threads) for case in module.cases(scale))
    for run in runs:
        try:
            yield from run()
        except Void as void:
            yield void


def environment(threads: int) -> dict[str, str]:
    """Return the environment of a process whose linear algebra may use some threads.

    Parameters
    ----------
    threads : int
        How many.

    Returns
    -------
    dict of str
        This process's, but for the number of threads.
    """
    return os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))


def start(part: str, scale: str, threads: int) -> Iterator[Result | str]:
    """Run one part in a fresh process.

    Parameters
    ----------
    part : str
        One of `PARTS`.
    scale : str
        One of `SCALES`.
    threads : int
        Threads that its linear algebra may use.

    Yields
    ------
    Result or str
        As they come; a string says why a case is void.

    Raises
    ------
    subprocess.CalledProcessError
        If the process fails.
    """
    command = [sys.executable, "-m", __spec__.name, part, scale, str(threads)]
    with subprocess.Popen(
        command, env=environment(threads), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None  # because of PIPE
        for line in process.stdout:
            outcome = json.loads(line)
            yield outcome["void"] if "void" in outcome else Result(**outcome)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def main(part: str, scale: str, threads: str) -> None:
    """Print the results."""
    for outcome in outcomes(part, SCALES[scale], int(threads)):
        void = isinstance(outcome, Void)
        print(json.dumps({"void": str(outcome)} if void else asdict(outcome)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
