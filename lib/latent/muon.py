"""Muon: steps for matrices that change all directions alike.

Lecture 6, training. Adam adapts the step of each entry by itself, as if a matrix W were a list of
numbers. But W maps rows to rows, and its gradient is mostly a few directions, U S V^T with few
large singular values, in which Adam walks on while the others hardly move. Muon keeps a running sum
of gradients and takes their directions without their sizes,

    M_t = mu M_{t-1} + G_t,    N_t = G_t + mu M_t = U S V^T,
    W_t = W_{t-1} - rate c sqrt(max(n, n')) U V^T.

Of all matrices whose largest singular value is one, U V^T is the one that lowers the loss most, to
first order. The root makes the mean square of the entries of a step (rate c)^2 for each shape n x
n', about as Adam's are, so that one rate serves both: vectors, tables of symbols and the readout
are left to Adam.

U V^T comes without a singular value decomposition: the odd polynomial

    X <- a X + b (X X^T) X + c (X X^T)^2 X

changes the singular values of X alone, each s to a s + b s^3 + c s^5, and five rounds of it bring
all that are not tiny near one. Jordan and others (2024), "Muon: an optimizer for hidden layers in
neural networks"; Liu and others (2025) for the size of the step.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from latent import checks
from latent.adam import Adam, views
from latent.shapes import Float

# Large at zero, so that small singular values grow fast; near one they stay in 0.7..1.2.
POLYNOMIAL = (3.4445, -4.7750, 2.0315)
ROUNDS = 5


@dataclass(frozen=True)
class Muon:
    """The rule of a step for transformers: Muon for the matrices within blocks, Adam for the rest.

    A matrix within a block is a parameter with two axes whose name ends in ".weight", but for those
    in `others`.

    Parameters
    ----------
    momentum : float
        mu, from 0 up to 1.
    size : float
        c, above zero: the root mean square of a step's entries, in rates.
    others : tuple of str
        Names of matrices that are left to Adam.
    adam : Adam
        The rule for the rest; its `clip` and `workers` count for all.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    momentum: float = 0.95
    size: float = 0.6
    others: tuple[str, ...] = ("readout.weight",)
    adam: Adam = field(default_factory=Adam)

    def __post_init__(self) -> None:
        if not 0 <= checks.at_least_zero("momentum", self.momentum) < 1:
            raise ValueError(f"momentum must be from 0 up to 1, got {self.momentum}")
        checks.positive("size", self.size)

    def start(self, model: Any) -> dict[str, np.ndarray]:
        """Return the parameters as one vector, and the running sums at zero.

        Parameters
        ----------
        model
            With `parameters`, a dict of arrays of floats by name.

        Returns
        -------
        dict of arrays
            As from `Adam.start`; for a matrix, `m` holds M and `v` is not used.

        Raises
        ------
        ValueError
            As for `Adam.start`.
        """
        return self.adam.start(model)

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
        loss, g = self.adam.gradient(model, state, batch, rng)
        if not np.isfinite(loss):
            return loss  # `train` says what to do
        state["t"] += 1
        t = int(state["t"])
        like = model.parameters
        parts = [views(x, like) for x in (state["theta"], state["m"], state["v"], g)]

        def update(name: str) -> None:
            w, m, v, g = (part[name] for part in parts)
            if self._is_hidden(name, w):
                w -= rate * self._of_matrix(m, g)
            else:
                self.adam.move(w, m, v, g, rate, t)

        _for_each(update, list(like), self.adam.workers)
        return loss

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
            If the state is not one of this rule.
        """
        return self.adam.finish(model, state)

    def _is_hidden(self, name: str, w: np.ndarray) -> bool:
        return w.ndim == 2 and name.endswith(".weight") and name not in self.others

    def _of_matrix(self, m: np.ndarray, g: np.ndarray) -> np.ndarray:
        """Return the step of a matrix for a rate of one, and change its running sum."""
        m *= self.momentum
        m += g
        return self.size * max(m.shape) ** 0.5 * orthogonal(g + self.momentum * m)


def orthogonal(x: Float[np.ndarray, "N M"]) -> Float[np.ndarray, "N M"]:
    """Return nearly U V^T for x = U S V^T: the same directions, all singular values near one.

    Parameters
    ----------
    x : array (N, M)
        A matrix of floats.

    Returns
    -------
    array (N, M)
        Singular values that were above a hundredth of the Frobenius norm are within 0.65..1.25,
        smaller ones below that.

    Raises
    ------
    ValueError
        If `x` is not a matrix.

    Notes
    -----
    Jordan and others (2024).
    """
    if x.ndim != 2:
        raise ValueError(f"x must be a matrix, got shape {x.shape}")
    a, b, c = POLYNOMIAL
    wide = x if x.shape[0] <= x.shape[1] else x.T  # then X X^T is the smaller product
    X = wide / (np.linalg.norm(wide) + np.finfo(x.dtype).tiny)
    for _ in range(ROUNDS):
        A = X @ X.T
        X = a * X + (b * A + c * (A @ A)) @ X
    return X if x.shape[0] <= x.shape[1] else X.T


def _for_each(work: Callable[[str], None], names: list[str], workers: int) -> None:
    if workers == 1:
        for name in names:
            work(name)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, names))
