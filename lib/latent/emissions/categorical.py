"""Emission of one of M symbols.

Lecture 2, "Optimizing Q_3", the discrete case: with z_t the symbol at step t and a Lagrange
multiplier nu_i for each row,

    b_im = sum_t gamma_i,t 1[z_t = m] / nu_i,    nu_i = sum_t gamma_i,t,

for every state i = 1..N and every symbol m = 1..M. Symbols count from 0 here.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from latent import checks
from latent.emissions.interface import Observations, hidden_states, observed_weights
from latent.shapes import Float, Int, Real


class CategoricalScore(NamedTuple):
    """Gradient with respect to the parameters of `Categorical`.

    Attributes
    ----------
    probs : array (N, M)
        Derivative with respect to b_im, each taken as free of the others.
    """

    probs: Float[np.ndarray, "N M"]


@dataclass(frozen=True, eq=False)
class Categorical:
    """One of M symbols: p(x_t = m | S_t = i) = b_im.

    Parameters
    ----------
    probs : array (N, M)
        b_im; each row sums to one.

    Raises
    ------
    ValueError
        If a row of `probs` is not a distribution.
    """

    ndim: ClassVar[int] = 1

    probs: Float[np.ndarray, "N M"]

    def __post_init__(self) -> None:
        probs = checks.probabilities("probs", self.probs, "N M")
        object.__setattr__(self, "probs", checks.frozen(probs))

    @staticmethod
    def template(n_symbols: int) -> "CategoricalTemplate":
        """Return an emission of M symbols whose probabilities are still to be found.

        Parameters
        ----------
        n_symbols : int
            M.

        Returns
        -------
        CategoricalTemplate
            What `HMM.fit` takes.

        Raises
        ------
        ValueError
            If `n_symbols` is below one.
        """
        return CategoricalTemplate(n_symbols)

    @property
    def n_states(self) -> int:
        """Number of hidden states N."""
        return len(self.probs)

    def observations(self, x: object, name: str = "x") -> Observations:
        """Check symbols once, for use in many iterations.

        Parameters
        ----------
        x : array (T,) of integers from 0 to M - 1
            Symbols; a masked entry is missing.
        name : str
            What an error calls them.

        Returns
        -------
        Observations
            What the other methods take in place of `x`.

        Raises
        ------
        ValueError
            If an entry of `x` is not one of the M symbols.
        """
        return _symbols(x, self.probs.shape[1], name)

    def log_likelihood(self, x: Int[np.ndarray, " T"] | Observations) -> Float[np.ndarray, "T N"]:
        """Log likelihood ln p(x_t | S_t = i) = ln b_im for x_t = m.

        Parameters
        ----------
        x : array (T,) of integers from 0 to M - 1, or Observations
            Symbols; a masked entry is missing.

        Returns
        -------
        array (T, N)
            Zero in the rows of missing symbols.

        Raises
        ------
        ValueError
            If an entry of `x` is not one of the M symbols.
        """
        data = self.observations(x)
        return data.spread(np.take(checks.log(self.probs.T), data.x, axis=0))

    def sufficient_statistics(
        self, x: Int[np.ndarray, " T"] | Observations
    ) -> Float[np.ndarray, "T M"]:
        """Statistics t(x) = (1[x = 0], ..., 1[x = M - 1]), whose mean is b_i.

        Parameters
        ----------
        x : array (T,) of integers from 0 to M - 1, or Observations
            Symbols; a masked entry is missing.

        Returns
        -------
        array (T, M)
            NaN in the rows of missing symbols.

        Raises
        ------
        ValueError
            If an entry of `x` is not one of the M symbols.
        """
        data = self.observations(x)
        t = np.full((data.n_steps, self.probs.shape[1]), np.nan)
        t[data.rows] = np.eye(self.probs.shape[1])[data.x]
        return t

    def m_step(
        self, x: Int[np.ndarray, " T"] | Observations, weights: Real[np.ndarray, "T N"]
    ) -> "Categorical":
        """M-step: b_im = sum_t w_ti 1[x_t = m] / sum_t w_ti: the weighted share of each symbol.

        Parameters
        ----------
        x : array (T,) of integers from 0 to M - 1, or Observations
            Symbols; a masked entry is left out.
        weights : array (T, N)
            w_ti, not negative.

        Returns
        -------
        Categorical
            The maximiser of sum_ti w_ti ln p(x_t | S_t = i); a state of no weight keeps its row.

        Raises
        ------
        ValueError
            If an entry of `x` is not one of the M symbols, or the weights do not fit.
        """
        counts = self._counts(x, weights)
        nu = counts.sum(axis=1, keepdims=True)
        some = nu > 0
        probs = np.where(some, counts / np.where(some, nu, 1.0), self.probs)
        return checks.trusted(Categorical, probs=probs)

    def score(
        self, x: Int[np.ndarray, " T"] | Observations, weights: Real[np.ndarray, "T N"]
    ) -> CategoricalScore:
        """Gradient of sum_ti w_ti ln p(x_t | S_t = i): sum_t w_ti 1[x_t = m] / b_im.

        Parameters
        ----------
        x : array (T,) of integers from 0 to M - 1, or Observations
            Symbols; a masked entry is left out.
        weights : array (T, N)
            w_ti, not negative. Where p(x_t | S_t = i) = 0, so that the logarithm has no slope, it
            is the weight of the likelihood's own derivative in place of the logarithm's: what
            w_ti / p(x_t | S_t = i) tends to.

        Returns
        -------
        CategoricalScore
            Its derivatives; the constraint that the rows sum to one is left to the caller.

        Raises
        ------
        ValueError
            If an entry of `x` is not one of the M symbols, or the weights do not fit.
        """
        return CategoricalScore(
            self._counts(x, weights) / np.where(self.probs > 0, self.probs, 1.0)
        )

    def sample(
        self, states: Int[np.ndarray, " T"], rng: np.random.Generator
    ) -> Int[np.ndarray, " T"]:
        """Draw a symbol for each state.

        Parameters
        ----------
        states : array (T,) of integers from 0 to N - 1
            s_t.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        array (T,) of integers
            x_t.

        Raises
        ------
        ValueError
            If a state is out of range.
        """
        states, rng = hidden_states(states, self.n_states), checks.generator(rng)
        return choose(self.probs, states, rng)

    def _counts(self, x: np.ndarray | Observations, weights: np.ndarray) -> np.ndarray:
        """sum_t w_ti 1[x_t = m], an array (N, M)."""
        data = self.observations(x)
        weights, M = observed_weights(data, weights, self.n_states), self.probs.shape[1]
        weights = np.ascontiguousarray(weights.T)
        return np.stack([np.bincount(data.x, w, M) for w in weights])


@dataclass(frozen=True)
class CategoricalTemplate:
    """An emission of M symbols without probabilities: see `Categorical.template`.

    Parameters
    ----------
    n_symbols : int
        M.

    Raises
    ------
    ValueError
        If `n_symbols` is below one.
    """

    ndim: ClassVar[int] = 1

    n_symbols: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_symbols", checks.whole("n_symbols", self.n_symbols))

    def observations(self, x: object, name: str = "x") -> Observations:
        """Check symbols once, as the emission will.

        Parameters
        ----------
        x : array (T,) of integers from 0 to M - 1
            Symbols; a masked entry is missing.
        name : str
            What an error calls them.

        Returns
        -------
        Observations
            What `init` takes in place of `x`.

        Raises
        ------
        ValueError
            If an entry of `x` is not one of the M symbols.
        """
        return _symbols(x, self.n_symbols, name)

    def init(
        self, x: Int[np.ndarray, " T"] | Observations, n_states: int, rng: np.random.Generator
    ) -> Categorical:
        """Random probabilities to start EM from.

        Parameters
        ----------
        x : array (T,) of integers from 0 to M - 1
            Symbols.
        n_states : int
            N.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        Categorical
            Rows half the share of each symbol in the data and half random: each state differs from
            the others, and none makes a symbol of the data impossible.

        Raises
        ------
        ValueError
            If an entry of `x` is not one of the M symbols, or `n_states` is below one.
        """
        M, N = self.n_symbols, checks.whole("n_states", n_states)
        data, rng = self.observations(x), checks.generator(rng)
        shares = (np.bincount(data.x, minlength=M) + 1) / (len(data.x) + M)
        return Categorical((shares + rng.dirichlet(np.ones(M), N)) / 2)


def choose(
    probs: Float[np.ndarray, "N M"], rows: Int[np.ndarray, " T"], rng: np.random.Generator
) -> Int[np.ndarray, " T"]:
    """Draw from row rows[t] of `probs` for every t, by inverse transform.

    Parameters
    ----------
    probs : array (N, M)
        Distributions in rows.
    rows : array (T,) of integers from 0 to N - 1
        Which of them to draw from.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    array (T,) of integers
        The first m whose cumulative probability exceeds a uniform number.
    """
    cumulative = np.cumsum(probs, axis=1)
    cumulative /= cumulative[:, -1:]
    return (rng.random((len(rows), 1)) >= cumulative[rows]).sum(axis=1)


def _symbols(x: object, n_symbols: int, name: str) -> Observations:
    if isinstance(x, Observations):
        return x
    return Observations.of(*checks.integers_or_missing(name, x, "T", low=0, high=n_symbols))
