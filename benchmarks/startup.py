"""How long `import latent` takes, against the libraries that it stands on."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial

from benchmarks.harness import Budget, Result, Scale, Work, compare, interleave

OURS = "import latent"
THEIRS = "import numpy, scipy.special, scipy.linalg"
TARGET = 1.3


def results(scale: Scale, threads: int) -> Iterator[Result]:
    """Import in fresh processes, by turns.

    Parameters
    ----------
    scale : Scale
        Its budget says how often.
    threads : int
        Threads of this process.

    Yields
    ------
    Result
        The time of a whole process less that of one that imports nothing.
    """
    budget = Budget(scale.budget.seconds, scale.budget.at_least, 21)
    times = interleave({"latent": _process(OURS), "numpy and scipy": _process(THEIRS)}, budget)
    yield compare(
        times["latent"],
        times["numpy and scipy"],
        section="Import",
        name=OURS,
        peer=THEIRS,
        threads=threads,
        target=TARGET,
    )


def _process(statement: str) -> Work:
    def run(statement: str) -> dict:
        subprocess.run([sys.executable, "-c", statement], check=True)
        return {}

    return Work(partial(run, statement), before=partial(run, "pass"))
