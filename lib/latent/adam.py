"""Adam: steps whose size adapts to each parameter.

Lecture 6. The gradient g_t of a batch is a noisy estimate. Adam keeps running means of it and of
its square,

    m_t = b1 m_{t-1} + (1 - b1) g_t,
    v_t = b2 v_{t-1} + (1 - b2) g_t^2,

which start at zero and are therefore too small by the factors 1 - b1^t and 1 - b2^t. The step is

    theta_t = theta_{t-1} - rate  m_t / (1 - b1^t) / (sqrt(v_t / (1 - b2^t)) + eps).

All parameters lie in one vector theta, so that a step is a few operations on long vectors.
Kingma and Ba (2015).
"""

import dataclasses
import itertools
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from latent import checks
from latent.autodiff import Tensor
from latent.memory import keep_freed_memory


@dataclass(frozen=True)
class Adam:
    """The rule of a step for models with `parameters` and `loss(p, batch, rng)`.

    Parameters
    ----------
    b1, b2 : float
        How much of the running means of the gradient and of its square is kept, from 0 up to 1.
    eps : float
        Added to the root, above zero.
    clip : float or None
        Largest norm of the gradient; a longer one is shortened to it.
    workers : int
        Number of threads. Each takes its part of the rows of the batch, which is then an array or a
        tuple of arrays, and the loss must be a mean over rows. BLAS should use one thread then.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    clip: float | None = None
    workers: int = 1

    def __post_init__(self) -> None:
        for name in ("b1", "b2"):
            if not 0 <= checks.at_least_zero(name, getattr(self, name)) < 1:
                raise ValueError(f"{name} must be from 0 up to 1, got {getattr(self, name)}")
        checks.positive("eps", self.eps)
        if self.clip is not None:
            checks.positive("clip", self.clip)
        checks.whole("workers", self.workers)

    def start(self, model: Any) -> dict[str, np.ndarray]:
        """Return the parameters as one vector, and the running means at zero.

        Parameters
        ----------
        model
            With `parameters`, a dict of arrays of floats by name.

        Returns
        -------
        dict of arrays
            `theta`, `m` and `v` (n,), and `t`, the number of steps so far.

        Raises
        ------
        ValueError
            If the model has no parameters, or they are not floats of one precision.
        """
        dtypes = {value.dtype for value in model.parameters.values()}
        if len(dtypes) != 1 or dtypes.pop().kind != "f":
            raise ValueError("parameters must be arrays of floats, all of one precision")
        theta = np.concatenate([value.ravel() for value in model.parameters.values()])
        zeros = np.zeros_like(theta)
        return {"theta": theta, "m": zeros, "v": zeros.copy(), "t": np.zeros((), int)}

    def step(
        self,
        model: Any,
        state: dict[str, np.ndarray],
        batch: Any,
        rate: float,
        rng: np.random.Generator,
    ) -> float:
        """Compute the gradient of the loss and move the parameters.

        Parameters
        ----------
        model
            With `loss(p, batch, rng)`, a Tensor.
        state : dict of arrays
            As from `start`; changed in place.
        batch
            The data.
        rate : float
            Learning rate.
        rng : numpy.random.Generator
            Passed on to `loss`.

        Returns
        -------
        float
            The loss before the step.

        Raises
        ------
        ValueError
            If there are several workers and the batch has no rows for each of them.
        FloatingPointError
            If the gradient is not finite; the state is as before.
        """
        loss, g = self.gradient(model, state, batch, rng)
        if np.isfinite(loss):  # otherwise `train` says what to do
            state["t"] += 1
            self.move(state["theta"], state["m"], state["v"], g, rate, int(state["t"]))
        return loss

    def gradient(
        self, model: Any, state: dict[str, np.ndarray], batch: Any, rng: np.random.Generator
    ) -> tuple[float, np.ndarray]:
        """Return the loss of a batch and its gradient, shortened to `clip`.

        Parameters
        ----------
        model
            With `loss(p, batch, rng)`, a Tensor.
        state : dict of arrays
            As from `start`.
        batch
            The data.
        rng : numpy.random.Generator
            Passed on to `loss`.

        Returns
        -------
        loss : float
            At the parameters of the state.
        g : array (n,)
            Its gradient; NaN if the loss is not finite.

        Raises
        ------
        ValueError
            If there are several workers and the batch has no rows for each of them.
        FloatingPointError
            If the loss is finite and the gradient is not.
        """
        loss, g = gradient(model, state["theta"], batch, rng, workers=self.workers)
        norm = float(np.sqrt(g @ g))
        if np.isfinite(loss) and not np.isfinite(norm):
            raise FloatingPointError(
                f"the gradient is not finite in step {int(state['t'])}: lower the rate, clip the "
                "gradient, or look for a logarithm or a root of zero"
            )
        if self.clip is not None and norm > self.clip:
            g *= self.clip / norm
        return loss, g

    def move(
        self, theta: np.ndarray, m: np.ndarray, v: np.ndarray, g: np.ndarray, rate: float, t: int
    ) -> None:
        """Update the running means and the parameters in place.

        Parameters
        ----------
        theta, m, v : arrays of one shape
            Parameters and running means.
        g : array of that shape
            The gradient; its memory is used for something else.
        rate : float
            Learning rate.
        t : int
            Number of this step, from 1.

        Returns
        -------
        None
            The arrays have changed.

        Raises
        ------
        ValueError
            If the shapes differ.
        """
        m *= self.b1
        m += (1 - self.b1) * g
        v *= self.b2
        g *= g
        g *= 1 - self.b2
        v += g
        small = math.sqrt(1 - self.b2**t)  # numerator and denominator are multiplied by it
        root = np.sqrt(v, out=g)
        root += self.eps * small
        step = np.divide(m, root, out=root)
        step *= rate * small / (1 - self.b1**t)
        theta -= step

    def finish(self, model: Any, state: dict[str, np.ndarray]) -> Any:
        """Return the model with the parameters of the state.

        Parameters
        ----------
        model
            A frozen dataclass with a field `parameters`.
        state : dict of arrays
            As from `start`.

        Returns
        -------
        model
            A copy with new parameters.

        Raises
        ------
        KeyError
            If the state is not Adam's.
        """
        parameters = views(state["theta"].copy(), model.parameters)
        return dataclasses.replace(model, parameters=parameters)


def gradient(
    model: Any, theta: np.ndarray, batch: Any, rng: np.random.Generator, *, workers: int = 1
) -> tuple[float, np.ndarray]:
    """Return the loss of a batch and its gradient.

    The loss is a mean over the rows of the batch. So it is also the mean, weighted by the number of
    rows, of the losses of the parts of the batch, which several threads compute at the same time:
    NumPy and BLAS leave Python's lock to the others while they work.

    Parameters
    ----------
    model
        With `parameters`, and `loss(p, batch, rng)`, a Tensor.
    theta : array (n,)
        The parameters, one behind the other.
    batch
        The data; for several workers an array, or a tuple of arrays with equally many rows.
    rng : numpy.random.Generator
        What `loss` draws from; for several workers, where their seeds come from.
    workers : int
        Number of threads.

    Returns
    -------
    loss : float
        At `theta`.
    g : array (n,)
        Its gradient, zero for parameters that the loss does not depend on. If the loss is not
        finite, the gradient is not computed, and is NaN.

    Raises
    ------
    ValueError
        If there are several workers and the batch has no rows for each of them.

    Notes
    -----
    Lecture 6, training.
    """
    keep_freed_memory()  # a step makes and frees the same large arrays as the one before
    if workers == 1:
        return _gradient(model, theta, batch, rng)
    parts, share = _parts(batch, workers)
    rngs = [np.random.default_rng(seed) for seed in rng.integers(2**63, size=workers)]
    with ThreadPoolExecutor(workers) as pool:
        done = list(pool.map(lambda part, rng: _gradient(model, theta, part, rng), parts, rngs))
    g = done[0][1] * theta.dtype.type(share[0])
    for weight, (_, one) in zip(share[1:], done[1:], strict=True):
        g += theta.dtype.type(weight) * one
    return float(share @ [loss for loss, _ in done]), g


def views(theta: np.ndarray, like: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the parts of a vector under the names and with the shapes of the parameters.

    Parameters
    ----------
    theta : array (n,)
        All parameters, one behind the other.
    like : mapping of arrays
        Names and shapes; their sizes add up to n.

    Returns
    -------
    dict of arrays
        Views: what is changed in them changes in `theta`.

    Raises
    ------
    ValueError
        If the sizes do not add up to n.
    """
    sizes = [value.size for value in like.values()]
    if sum(sizes) != theta.size:
        raise ValueError(
            f"theta must have {sum(sizes)} entries, as the parameters, got {theta.size}"
        )
    ends = itertools.accumulate(sizes)
    return {
        name: theta[end - value.size : end].reshape(value.shape)
        for (name, value), end in zip(like.items(), ends, strict=True)
    }


def _gradient(
    model: Any, theta: np.ndarray, batch: Any, rng: np.random.Generator
) -> tuple[float, np.ndarray]:
    p = {name: Tensor(value) for name, value in views(theta, model.parameters).items()}
    loss = model.loss(p, batch, rng)
    if not np.isfinite(loss.data):
        return float(loss), np.full_like(theta, np.nan)
    loss.backward()
    grads = (np.zeros_like(leaf.data) if leaf.grad is None else leaf.grad for leaf in p.values())
    return float(loss), np.concatenate([g.ravel() for g in grads])


def _parts(batch: Any, workers: int) -> tuple[list[Any], np.ndarray]:
    """Cut a batch into parts of its rows, and tell the share of the rows that each has."""
    arrays = (batch,) if isinstance(batch, np.ndarray) else batch
    lengths = {len(rows) for rows in arrays} if isinstance(arrays, tuple) else set()
    if len(lengths) != 1 or min(lengths) < workers:
        raise ValueError(
            f"for {workers} workers a batch must be an array, or a tuple of arrays with equally "
            f"many rows, at least one for each, got {type(batch).__name__} with lengths "
            f"{sorted(lengths)}"
        )
    parts = list(zip(*(np.array_split(rows, workers) for rows in arrays), strict=True))
    share = np.array([len(part[0]) for part in parts]) / len(arrays[0])
    return (parts if arrays is batch else [part[0] for part in parts]), share
