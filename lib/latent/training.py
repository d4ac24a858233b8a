"""One loop that trains every network of the book.

Lectures 4, 6 and 7. A step takes a batch and moves the parameters against an estimate of the
gradient of the loss. The loop knows neither the model nor the rule of the step: it counts, takes
batches and rates, keeps the losses, checks on held-out data, saves, and stops.

What a step draws comes from `rng`, and a batch depends on the number of the step alone. So the
whole state of a training is a few arrays: it gives the same numbers twice, and goes on after an
interruption as if there had been none.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np

from latent import checks
from latent.adam import Adam
from latent.storage import read_arrays, write_arrays

Batch = Any
Model = TypeVar("Model")


@runtime_checkable
class Optimiser(Protocol):
    """A rule for a step: how a batch changes the arrays of a training."""

    def start(self, model: Any) -> dict[str, np.ndarray]:
        """Return the arrays to start from: copies of the parameters, and whatever else it keeps.

        Parameters
        ----------
        model
            The model to train.

        Returns
        -------
        dict of arrays
            The state, which `step` changes.
        """
        ...

    def step(
        self,
        model: Any,
        state: dict[str, np.ndarray],
        batch: Batch,
        rate: float,
        rng: np.random.Generator,
    ) -> float:
        """Change the arrays of the state in place.

        Parameters
        ----------
        model
            The model, for what does not change.
        state : dict of arrays
            As `start` returned them and earlier steps left them.
        batch
            Data of this step.
        rate : float
            Learning rate of this step.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        float
            The loss of the batch before the step. If it is not finite, the loop stops.
        """
        ...

    def finish(self, model: Any, state: dict[str, np.ndarray]) -> Any:
        """Return the model with the parameters of the state.

        Parameters
        ----------
        model
            The model that the training started from.
        state : dict of arrays
            The state.

        Returns
        -------
        model
            A model that does not share memory with the state.
        """
        ...


class Trained(NamedTuple):
    """A trained model and how it got there.

    Attributes
    ----------
    model
        With validation the best of the models that were checked, otherwise the last one.
    trace : array (n_steps,)
        trace[i] is the loss of the batch of step i, before the parameters moved.
    validation : array (n_checks,)
        validation[j] is the held-out loss after (j + 1) `every` steps, and after the last step.
    early : bool
        Whether training stopped before its last step because the held-out loss no longer fell.
    """

    model: Any
    trace: np.ndarray
    validation: np.ndarray
    early: bool


def train(
    model: Model,
    batches: Callable[[int], Batch],
    *,
    steps: int,
    rng: np.random.Generator,
    optimiser: Optimiser | None = None,
    rate: float | Callable[[int], float] = 1e-3,
    validate: Callable[[Model], float] | None = None,
    every: int = 100,
    patience: int | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = False,
) -> Trained:
    """Train a model by steps on batches.

    Parameters
    ----------
    model
        The model to start from. For the default optimiser it has `parameters`, arrays by name, and
        `loss(p, batch, rng)`, a Tensor computed from Tensors by the same names.
    batches : callable
        batches(i) returns the data of step i (from 0), and the same data whenever it is asked. See
        `minibatches`.
    steps : int
        Number of steps in all, those before an interruption included.
    rng : numpy.random.Generator
        What the steps draw from. A training that goes on takes its state from the checkpoint.
    optimiser : Optimiser or None
        The rule of a step; None is `Adam()`.
    rate : float or callable
        Learning rate, or rate(i), that of step i. See `latent.schedules`.
    validate : callable or None
        validate(model) returns the loss on held-out data.
    every : int
        Number of steps between two checks on held-out data, and between two checkpoints.
    patience : int or None
        Stop after so many checks in a row without a new best; None never stops early.
    checkpoint : path or None
        An `.npz` file that is written every `every` steps and at the end, the old one being
        replaced at once. If it is there already, training goes on from it, and ends as it would
        have ended without the interruption. Remove it to begin anew.
    progress : bool
        Whether to show a bar with the loss and the speed.

    Returns
    -------
    Trained
        `model`, `trace`, `validation` and `early`.

    Raises
    ------
    ValueError
        If a number is out of range, `patience` is given without `validate`, or the checkpoint is
        not one, or belongs to a model with other parameters or to a longer training.
    FloatingPointError
        If a loss or a gradient is not finite. The checkpoint stays as it was before.

    Notes
    -----
    Lectures 4, 6 and 7; Robbins and Monro (1951). Early stopping: Prechelt (1998).
    """
    steps, every = checks.whole("steps", steps), checks.whole("every", every)
    rate_of = rate if callable(rate) else _constant(checks.positive("rate", rate))
    checks.generator(rng)
    if patience is not None:
        checks.whole("patience", patience)
        if validate is None:
            raise ValueError("patience needs validate, the loss on held-out data")
    optimiser = Adam() if optimiser is None else optimiser
    run = _Run(optimiser.start(model), rng)
    path = None if checkpoint is None else Path(checkpoint)
    if path is not None and path.exists():
        run = _resumed(path, run, steps)
    for i in _counted(run, steps, progress):
        if _out_of_patience(run, patience):
            break
        loss = _finite(optimiser.step(model, run.state, batches(i), rate_of(i), run.rng), i)
        run.trace.append(loss)
        if (i + 1) % every == 0 or i + 1 == steps:
            if validate is not None:
                _check(run, _finite(validate(optimiser.finish(model, run.state)), i))
            if path is not None:
                write_arrays(path, _packed(run))
    final = optimiser.finish(model, run.best or run.state)
    early = len(run.trace) < steps
    return Trained(final, np.array(run.trace), np.array(run.validation), early)


def minibatches(
    *data: np.ndarray, size: int, rng: np.random.Generator
) -> Callable[[int], tuple[np.ndarray, ...]]:
    """Cut data into batches, in a new random order in each pass.

    Parameters
    ----------
    *data : arrays (n, ...)
        Rows that belong together.
    size : int
        Rows in a batch, at most n. Rows that do not fill a batch wait for another pass.
    rng : numpy.random.Generator
        One number is drawn from it, which decides on all orders.

    Returns
    -------
    callable
        batches(i) is the batch of step i, a tuple with `size` rows of each array.

    Raises
    ------
    ValueError
        If there are no arrays, they differ in length, or `size` is not from 1 to n.

    Notes
    -----
    Lecture 4, stochastic optimisation: the mean over a batch estimates the mean over all rows.
    """
    if not data:
        raise ValueError("data must be at least one array")
    n = len(data[0])
    if any(len(rows) != n for rows in data):
        raise ValueError(f"data must have equal lengths, got {[len(rows) for rows in data]}")
    size = checks.whole("size", size, high=n, why=", the number of rows")
    seed, per_pass = int(checks.generator(rng).integers(2**63)), n // size

    def batches(i: int) -> tuple[np.ndarray, ...]:
        turn, place = divmod(i, per_pass)
        if turn not in order:  # the order of a pass depends on its number alone
            order.clear()
            order[turn] = np.random.default_rng([seed, turn]).permutation(n)
        rows = order[turn][place * size : (place + 1) * size]
        return tuple(values[rows] for values in data)

    order: dict[int, np.ndarray] = {}
    return batches


@dataclass
class _Run:
    """The state of a training between two steps."""

    state: dict[str, np.ndarray]
    rng: np.random.Generator
    trace: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    best: dict[str, np.ndarray] = field(default_factory=dict)


def _counted(run: _Run, steps: int, progress: bool) -> Iterator[int]:
    """Yield the numbers of the steps to come, with a bar that tells the last loss."""
    from tqdm.auto import tqdm  # takes longer to import than the rest of this module

    done = len(run.trace)
    with tqdm(total=steps, initial=done, disable=not progress, unit="step") as bar:
        for i in range(done, steps):
            yield i
            bar.update()
            bar.set_postfix(loss=f"{run.trace[-1]:.4g}", refresh=False)


def _check(run: _Run, held_out: float) -> None:
    if held_out < min(run.validation, default=np.inf):
        run.best = {name: value.copy() for name, value in run.state.items()}
    run.validation.append(held_out)


def _out_of_patience(run: _Run, patience: int | None) -> bool:
    if patience is None or not run.validation:
        return False
    return len(run.validation) - 1 - int(np.argmin(run.validation)) >= patience


def _finite(loss: float, i: int) -> float:
    if not np.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} in step {i}: lower the rate, clip the gradient, or look for data "
            "that the model gives probability zero"
        )
    return float(loss)


def _constant(rate: float) -> Callable[[int], float]:
    return lambda i: rate


def _packed(run: _Run) -> dict[str, np.ndarray]:
    """Gather a run in arrays; what the generator is made of are integers of 128 bits, so text."""
    return {
        **{f"state/{name}": value for name, value in run.state.items()},
        **{f"best/{name}": value for name, value in run.best.items()},
        "trace": np.array(run.trace),
        "validation": np.array(run.validation),
        "rng": np.array(json.dumps(run.rng.bit_generator.state)),
    }


def _resumed(path: Path, fresh: _Run, steps: int) -> _Run:
    arrays = read_arrays(path)
    groups: dict[str, dict[str, np.ndarray]] = {"state": {}, "best": {}}
    for key, value in arrays.items():
        group, slash, name = key.partition("/")
        if slash:
            groups.setdefault(group, {})[name] = value
    if not {"trace", "validation", "rng"} <= arrays.keys():
        raise ValueError(f"checkpoint {path} is not the state of a training")
    shapes = [{name: v.shape for name, v in s.items()} for s in (groups["state"], fresh.state)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"checkpoint {path} belongs to another model: it has arrays {shapes[0]}, this model "
            f"{shapes[1]}; remove it to begin anew"
        )
    if len(arrays["trace"]) > steps:
        raise ValueError(
            f"checkpoint {path} is {len(arrays['trace'])} steps on; steps must be at least that, "
            f"got {steps}"
        )
    state = json.loads(str(arrays["rng"]))
    fresh.rng.bit_generator.state = state
    return _Run(
        groups["state"],
        fresh.rng,
        arrays["trace"].tolist(),
        arrays["validation"].tolist(),
        groups["best"],
    )
