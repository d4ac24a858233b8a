"""Learning rates that change with the step.

Lecture 6. Noise in the gradient keeps a constant rate from settling: the rate has to fall. Early
steps of Adam rest on few gradients, so the rate also has to begin low.
"""

import math
from collections.abc import Callable

from latent import checks


def cosine(
    rate: float, steps: int, *, warmup: int = 0, floor: float = 0.0
) -> Callable[[int], float]:
    """Rise linearly to `rate`, then fall along half a cosine to `floor`.

    Parameters
    ----------
    rate : float
        The largest rate, above zero.
    steps : int
        Number of steps until the floor.
    warmup : int
        Number of steps of the rise, below `steps`.
    floor : float
        The rate at the end and after it, from 0 to `rate`.

    Returns
    -------
    callable
        rate(i) for step i from 0.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Notes
    -----
    Lecture 6, training; Loshchilov and Hutter (2017).
    """
    return _falling(lambda done: (1 + math.cos(math.pi * done)) / 2, rate, steps, warmup, floor)


def linear(
    rate: float, steps: int, *, warmup: int = 0, floor: float = 0.0
) -> Callable[[int], float]:
    """Rise linearly to `rate`, then fall linearly to `floor`.

    Parameters
    ----------
    rate : float
        The largest rate, above zero.
    steps : int
        Number of steps until the floor.
    warmup : int
        Number of steps of the rise, below `steps`.
    floor : float
        The rate at the end and after it, from 0 to `rate`.

    Returns
    -------
    callable
        rate(i) for step i from 0.

    Raises
    ------
    ValueError
        If a number is out of its range.

    Notes
    -----
    Lecture 4, AdaGram; lecture 6, training.
    """
    return _falling(lambda done: 1 - done, rate, steps, warmup, floor)


def _falling(
    level: Callable[[float], float], rate: float, steps: int, warmup: int, floor: float
) -> Callable[[int], float]:
    rate, steps = checks.positive("rate", rate), checks.whole("steps", steps)
    warmup = checks.whole("warmup", warmup, low=0, high=steps - 1, why=", below steps")
    floor = checks.at_least_zero("floor", floor)
    if floor > rate:
        raise ValueError(f"floor must be at most rate, {rate}, got {floor}")

    def rate_of(i: int) -> float:
        done = min(1.0, max(0, i - warmup) / (steps - warmup))
        risen = min(1.0, (i + 1) / (warmup + 1))
        return risen * (floor + (rate - floor) * level(done))

    return rate_of
