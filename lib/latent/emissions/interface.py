"""What the emissions have in common: their interface, checked observations, matched statistics."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from latent import checks
from latent.shapes import Bool, Float, Int, Real


class Sample(NamedTuple):
    """Hidden states and what they emitted.

    Attributes
    ----------
    states : array (T,)
        s_t, counted from 0 (-1 and +1 in `latent.sign_switching`).
    x : array (T, ...)
        x_t.
    """

    states: Int[np.ndarray, " T"]
    x: Real[np.ndarray, "T ..."]


@dataclass(frozen=True, eq=False)
class Observations:
    """Observations that an emission has checked, to be used again in every iteration.

    Attributes
    ----------
    x : array (n_observed, ...)
        Those that are not missing.
    rows : slice or array (T,) of bool
        Which of the T steps they belong to.
    n_steps : int
        T.
    """

    x: Real[np.ndarray, "n_observed ..."]
    rows: slice | Bool[np.ndarray, " T"]
    n_steps: int

    @classmethod
    def of(cls, x: Real[np.ndarray, "T ..."], observed: Bool[np.ndarray, " T"]) -> "Observations":
        """Leave out the rows of `x` that were not observed.

        Parameters
        ----------
        x : array (T, ...)
            Checked observations, with anything in the rows that are missing.
        observed : array (T,) of bool
            Which rows are not.

        Returns
        -------
        Observations
            The others.
        """
        if observed.all():
            return cls(x, slice(None), len(x))
        return cls(x[observed], observed, len(x))

    @classmethod
    def join(cls, parts: "list[Observations]") -> "Observations":
        """Put the observations of several sequences one after the other.

        Parameters
        ----------
        parts : list of Observations
            One a sequence.

        Returns
        -------
        Observations
            T is the sum of the lengths.

        Raises
        ------
        ValueError
            If the vectors of one sequence are longer than those of another.
        """
        for n, part in enumerate(parts):
            if part.x.shape[1:] != parts[0].x.shape[1:]:
                raise ValueError(
                    f"x[{n}] must have as many columns as x[0], {parts[0].x.shape[1]}, "
                    f"got {part.x.shape[1]}"
                )
        x = np.concatenate([part.x for part in parts])
        T = sum(part.n_steps for part in parts)
        if len(x) == T:
            return cls(x, slice(None), T)
        return cls(x, np.concatenate([part.observed for part in parts]), T)

    @property
    def observed(self) -> Bool[np.ndarray, " T"]:
        """Which of the T steps are not missing."""
        return np.ones(self.n_steps, bool) if isinstance(self.rows, slice) else self.rows

    def spread(self, values: Float[np.ndarray, "n_observed N"]) -> Float[np.ndarray, "T N"]:
        """Give each step its row, with zeros for the missing ones.

        Parameters
        ----------
        values : array (n_observed, N)
            One row an observation.

        Returns
        -------
        array (T, N)
            One row a step.
        """
        if isinstance(self.rows, slice):
            return values
        spread = np.zeros((self.n_steps, values.shape[1]))
        spread[self.rows] = values
        return spread


@runtime_checkable
class Emission(Protocol):
    """What a model asks of its emissions; N states.

    `x` is an array (T, ...) or what `observations` made of it.
    """

    @property
    def n_states(self) -> int:
        """N."""
        ...

    @property
    def ndim(self) -> int:
        """Number of axes of a sequence: 1 if an observation is a number, 2 if it is a vector."""
        ...

    def observations(self, x: object, name: str = "x") -> Observations:
        """Check `x`, and say in an error that it is called `name`."""
        ...

    def log_likelihood(
        self, x: Real[np.ndarray, "T ..."] | Observations
    ) -> Float[np.ndarray, "T N"]:
        """Log likelihood ln p(x_t | S_t = i)."""
        ...

    def m_step(
        self, x: Real[np.ndarray, "T ..."] | Observations, weights: Real[np.ndarray, "T N"]
    ) -> "Emission":
        """Maximise sum_ti w_ti ln p(x_t | S_t = i) over the parameters, or at least raise it."""
        ...

    def score(
        self, x: Real[np.ndarray, "T ..."] | Observations, weights: Real[np.ndarray, "T N"]
    ) -> Any:
        """Gradient of sum_ti w_ti ln p(x_t | S_t = i): a derivative for every parameter."""
        ...

    def sample(
        self, states: Int[np.ndarray, " T"], rng: np.random.Generator
    ) -> Real[np.ndarray, "T ..."]:
        """Draw x_t from p(x_t | S_t = s_t)."""
        ...


@runtime_checkable
class Template(Protocol):
    """An emission without parameters, which finds a start for them."""

    @property
    def ndim(self) -> int:
        """As for `Emission`."""
        ...

    def observations(self, x: object, name: str = "x") -> Observations:
        """As for `Emission`, as far as it can be known."""
        ...

    def init(
        self, x: Real[np.ndarray, "T ..."] | Observations, n_states: int, rng: np.random.Generator
    ) -> Emission:
        """Random parameters to start EM from, in the range of the data."""
        ...


def match_statistics(
    weights: Real[np.ndarray, "T N"], t: Real[np.ndarray, "T S"]
) -> Float[np.ndarray, "N S"]:
    """Weighted average of sufficient statistics, sum_t w_ti t(x_t) / sum_t w_ti, for every state i.

    Parameters
    ----------
    weights : array (T, N)
        w_ti, not negative.
    t : array (T, S)
        t(x_t); a row with NaN belongs to a missing observation and is left out.

    Returns
    -------
    array (N, S)
        The expected statistics that the M-step gives to state i; NaN for a state of no weight,
        which has no average.

    Raises
    ------
    ValueError
        If the shapes do not fit or a weight is negative or not finite.

    Notes
    -----
    Lecture 1, the M-step in natural parameters.
    """
    t, observed = checks.points_or_missing("t", t, "T S")
    weights = checks.nonnegative("weights", weights, "T N", T=len(t))
    weights, t = weights[observed], t[observed]
    counts = weights.sum(axis=0)
    average = np.full((weights.shape[1], t.shape[1]), np.nan)
    some = counts > 0
    average[some] = (weights[:, some] / counts[some]).T @ t
    return average


def observed_weights(
    data: Observations, weights: Real[np.ndarray, "T N"], n_states: int
) -> Float[np.ndarray, "n_observed N"]:
    """Check the weights of all steps, and keep those of the observations.

    Parameters
    ----------
    data : Observations
        x.
    weights : array (T, N)
        w_ti.
    n_states : int
        N.

    Returns
    -------
    array (n_observed, N)
        The rows of `weights` that are not missing in `data`.

    Raises
    ------
    ValueError
        If the shape does not fit or a weight is negative or not finite.
    """
    return checks.weights("weights", weights, "T N", T=data.n_steps, N=n_states)[data.rows]


def hidden_states(states: Int[np.ndarray, " T"], n_states: int) -> Int[np.ndarray, " T"]:
    """Check hidden states.

    Parameters
    ----------
    states : array (T,) of integers from 0 to N - 1
        s_t.
    n_states : int
        N.

    Returns
    -------
    array (T,) of integers
        s_t.

    Raises
    ------
    ValueError
        If a state is out of range.
    """
    return checks.integers("states", states, "T", low=0, high=n_states)
