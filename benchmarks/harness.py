"""Time several ways to the same answer, in one run, after a check that the answers agree.

A busy or slow machine delays whoever runs at that moment. So all contenders of a case take turns,
the order changes from round to round, and what is reported is the median over the rounds of

    ratio = our time / the peer's time in the same round.
"""

import gc
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np


class Void(Exception):
    """A case whose times would mean nothing, because the answers disagree or the times jump."""


Answer = Mapping[str, Any]  # name -> number, array, or list of arrays (one a sequence)


@dataclass(frozen=True)
class Work:
    """What one contender does: the time of `run` less that of `before`, shared by `count`.

    Parameters
    ----------
    run : callable
        Returns the answer that is checked.
    before : callable, optional
        The same work with fewer iterations. To take its time away removes what comes before the
        iterations and after them, such as the checks of the arguments and a last E-step.
    count : int
        Iterations that `run` does and `before` does not.
    """

    run: Callable[[], Answer]
    before: Callable[[], Answer] | None = None
    count: int = 1

    def seconds(self) -> float:
        """Do the work and return the time of one iteration."""
        spent = _seconds(self.run)
        if self.before is not None:
            spent -= _seconds(self.before)
        return spent / self.count


def per_iteration(fit: Callable[[int], Answer], few: int, many: int) -> Work:
    """Iterations `few` + 1 to `many` of an algorithm.

    Parameters
    ----------
    fit : callable
        fit(n) does n iterations, each an E-step and an M-step, and whatever else a fit needs.
    few, many : int
        The two numbers of iterations to compare.

    Returns
    -------
    Work
        The difference of `fit(many)` and `fit(few)`, which is the same number of E-steps and of
        M-steps for every contender.
    """
    return Work(partial(fit, many), partial(fit, few), many - few)


@dataclass(frozen=True)
class Case:
    """One line of a table for each peer.

    Parameters
    ----------
    section : str
        The table.
    name : str
        The line.
    ours : Work
        What `latent` does.
    peers : dict of Work
        What the others do, by name.
    targets : dict of float
        The largest ratio that we want, for some of the peers.
    sizes : dict
        The numbers behind the name, for plots and other programs.
    tolerance : float
        Largest difference between our answer and a peer's, relative to the size of the answer or to
        one, whichever is larger.
    """

    section: str
    name: str
    ours: Work
    peers: dict[str, Work]
    targets: dict[str, float] = field(default_factory=dict)
    sizes: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-8


@dataclass(frozen=True)
class Budget:
    """How often a case is repeated: until `seconds` have gone by, within bounds.

    Parameters
    ----------
    seconds : float
        Time for the rounds of one case.
    at_least, at_most : int
        Bounds of the number of rounds.
    """

    seconds: float
    at_least: int
    at_most: int


@dataclass(frozen=True)
class Scale:
    """How large the cases may be. A larger one is cut down, and equal ones are run once.

    Parameters
    ----------
    steps, states, sequences : int
        Largest T, N and number of sequences.
    points : int
        Largest number of points of a mixture.
    budget : Budget
        How often each case is repeated.
    """

    steps: int
    states: int
    sequences: int
    points: int
    budget: Budget


FULL = Scale(1_000_000, 64, 1000, 100_000, Budget(2.0, 5, 201))
BRIEF = replace(FULL, budget=Budget(1.0, 3, 101))
QUICK = Scale(10_000, 16, 100, 1000, Budget(0.2, 3, 5))


def up_to(largest: int, *sizes: int) -> list[int]:
    """Cut `sizes` down to at most `largest`, each once, smallest first."""
    return sorted({min(size, largest) for size in sizes})


@dataclass(frozen=True)
class Result:
    """Our number and a peer's.

    Parameters
    ----------
    section, name, peer : str
        Which case and which peer.
    threads : int
        Threads that the linear algebra may use.
    unit : str
        Of `ours` and `theirs`: ms or MB.
    ours, theirs : float
        Medians over the rounds.
    ratio : float
        Median over the rounds of ours / theirs.
    quartiles : tuple of two floats
        Of the same ratios.
    rounds : int
        Number of rounds.
    target : float, optional
        Largest ratio that we want.
    difference : float, optional
        Largest difference between the answers, if they were compared; see `difference`.
    sizes : dict
        The numbers behind the name.
    """

    section: str
    name: str
    peer: str
    threads: int
    unit: str
    ours: float
    theirs: float
    ratio: float
    quartiles: tuple[float, float]
    rounds: int
    target: float | None = None
    difference: float | None = None
    sizes: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target."""
        return None if self.target is None else self.ratio <= self.target


def measure(case: Case, budget: Budget, threads: int) -> list[Result]:
    """Check that all contenders agree, then time them.

    Parameters
    ----------
    case : Case
        What to do.
    budget : Budget
        How often.
    threads : int
        Threads that this process was started with.

    Returns
    -------
    list of Result
        One for each peer.

    Raises
    ------
    Void
        If an answer differs from ours by more than the tolerance, a contender gives up, or the
        machine is too busy.
    """
    with quiet():
        differences = agreement(case)
        times = interleave({"latent": case.ours, **case.peers}, budget)
    return [
        compare(
            times["latent"],
            times[peer],
            section=case.section,
            name=case.name,
            peer=peer,
            threads=threads,
            target=case.targets.get(peer) if threads == 1 else None,
            difference=differences[peer],
            sizes=case.sizes,
        )
        for peer in case.peers
    ]


def agreement(case: Case) -> dict[str, float]:
    """Largest difference between our answer and that of each peer.

    Parameters
    ----------
    case : Case
        What to do.

    Returns
    -------
    dict of float
        By peer.

    Raises
    ------
    Void
        If one of them is above the tolerance, or a contender gives up.
    """
    where = f"{case.section}, {case.name}"
    ours, differences = _answer(where, "latent", case.ours), {}
    for peer, work in case.peers.items():
        by_field = difference(ours, _answer(where, peer, work))
        differences[peer] = max(by_field.values())
        if not differences[peer] <= case.tolerance:  # NaN is no agreement either
            raise Void(
                f"{where}: latent and {peer} differ by {by_field}, more than {case.tolerance}"
            )
    return differences


def _answer(where: str, who: str, work: Work) -> Answer:
    try:
        return work.run()
    except ValueError as error:
        raise Void(f"{where}: {who} gives up: {error}") from error


def difference(ours: Answer, theirs: Answer) -> dict[str, float]:
    """Compare two answers field by field.

    Parameters
    ----------
    ours, theirs : dict
        Answers with the same fields.

    Returns
    -------
    dict of float
        max |ours - theirs| / max(1, max |theirs|) for each field.

    Raises
    ------
    Void
        If the fields or the shapes differ.
    """
    if ours.keys() != theirs.keys():
        raise Void(f"the answers have the fields {list(ours)} and {list(theirs)}")
    differences = {}
    for name in ours:
        a, b = _as_one_array(ours[name]), _as_one_array(theirs[name])
        if a.shape != b.shape:
            raise Void(f"{name} has the shapes {a.shape} and {b.shape}")
        differences[name] = float(np.abs(a - b).max() / max(1.0, np.abs(b).max()))
    return differences


def interleave(works: Mapping[str, Work], budget: Budget) -> dict[str, np.ndarray]:
    """Let the contenders take turns.

    Parameters
    ----------
    works : dict of Work
        The contenders.
    budget : Budget
        How often.

    Returns
    -------
    dict of arrays (rounds,)
        The seconds of each contender; entry r is that of round r.
    """
    names = list(works)
    times: dict[str, list[float]] = {name: [] for name in names}
    start = time.perf_counter()
    with _no_garbage_collection():
        for r in range(budget.at_most):
            if r >= budget.at_least and time.perf_counter() - start > budget.seconds:
                break
            first = r % len(names)
            for name in names[first:] + names[:first]:
                times[name].append(works[name].seconds())
    return {name: np.array(spent) for name, spent in times.items()}


def compare(ours: np.ndarray, theirs: np.ndarray, **about: Any) -> Result:
    """Sum up the rounds.

    Parameters
    ----------
    ours, theirs : arrays (rounds,)
        Seconds.
    **about
        The other fields of `Result`.

    Returns
    -------
    Result
        In milliseconds.

    Raises
    ------
    Void
        If half of the rounds are of no use. A difference of two times can be negative if something
        else took the processor in between; such a round says nothing.
    """
    use = (ours > 0) & (theirs > 0)
    if 2 * use.sum() <= len(use):
        raise Void(
            f"{about['section']}, {about['name']}: only {use.sum()} of {len(use)} rounds are of "
            "use; run the benchmarks on an idle machine"
        )
    ours, theirs = ours[use], theirs[use]
    low, ratio, high = np.quantile(ours / theirs, [0.25, 0.5, 0.75])
    return Result(
        unit="ms",
        ours=1e3 * float(np.median(ours)),
        theirs=1e3 * float(np.median(theirs)),
        ratio=float(ratio),
        quartiles=(float(low), float(high)),
        rounds=int(use.sum()),
        **about,
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what the peers say about iterations that end before convergence: we want that."""
    logger = logging.getLogger("hmmlearn")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*did not converge")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    # A collection hits whoever runs at that moment, not who made the garbage.
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _seconds(run: Callable[[], Answer]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _as_one_array(value: Any) -> np.ndarray:
    return np.concatenate(value) if isinstance(value, list) else np.asarray(value)
