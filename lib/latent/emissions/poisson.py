"""Emission of counts.

The notes on EM for hidden Markov models: p(x_t = m | S_t = i) = mu_i^m e^{-mu_i} / m! has the
sufficient statistic t(x) = x and the natural parameter ln mu_i, and the M-step is the weighted mean

    mu_i = sum_t gamma_i,t x_t / sum_t gamma_i,t.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from scipy.special import gammaln, xlogy

from latent import checks
from latent.emissions.interface import Observations, hidden_states, observed_weights
from latent.shapes import Float, Int, Real


class PoissonScore(NamedTuple):
    """Gradient with respect to the parameters of `Poisson`.

    Attributes
    ----------
    rates : array (N,)
        Derivative with respect to mu_i.
    """

    rates: Float[np.ndarray, " N"]


@dataclass(frozen=True, eq=False)
class Poisson:
    """A count: p(x_t = m | S_t = i) = mu_i^m e^{-mu_i} / m!.

    Parameters
    ----------
    rates : array (N,)
        mu_i, not negative.

    Raises
    ------
    ValueError
        If a rate is negative or not finite.
    """

    ndim: ClassVar[int] = 1

    rates: Float[np.ndarray, " N"]

    def __post_init__(self) -> None:
        rates = checks.nonnegative("rates", self.rates, "N")
        object.__setattr__(self, "rates", checks.frozen(rates))

    @staticmethod
    def template() -> "PoissonTemplate":
        """Return an emission of counts whose rates are still to be found.

        Returns
        -------
        PoissonTemplate
            What `HMM.fit` takes.
        """
        return PoissonTemplate()

    @property
    def n_states(self) -> int:
        """Number of hidden states N."""
        return len(self.rates)

    def observations(self, x: object, name: str = "x") -> Observations:
        """Check counts once, for use in many iterations.

        Parameters
        ----------
        x : array (T,) of integers
            Counts; a masked entry is missing.
        name : str
            What an error calls them.

        Returns
        -------
        Observations
            What the other methods take in place of `x`.

        Raises
        ------
        ValueError
            If an entry of `x` is not a count.
        """
        return _counts(x, name)

    def log_likelihood(self, x: Int[np.ndarray, " T"] | Observations) -> Float[np.ndarray, "T N"]:
        """Log likelihood ln p(x_t | S_t = i) = x_t ln mu_i - mu_i - ln x_t!.

        Parameters
        ----------
        x : array (T,) of integers, or Observations
            Counts; a masked entry is missing.

        Returns
        -------
        array (T, N)
            Zero in the rows of missing counts.

        Raises
        ------
        ValueError
            If an entry of `x` is not a count.
        """
        data = self.observations(x)
        # Few counts differ, and looking them up takes less time than their logarithms.
        values, which = np.unique(data.x, return_inverse=True)
        m = values[:, None]
        return data.spread((xlogy(m, self.rates) - self.rates - gammaln(m + 1.0))[which])

    def sufficient_statistics(
        self, x: Int[np.ndarray, " T"] | Observations
    ) -> Float[np.ndarray, "T 1"]:
        """Statistic t(x) = x, whose mean is mu_i; the natural parameter is ln mu_i.

        Parameters
        ----------
        x : array (T,) of integers, or Observations
            Counts; a masked entry is missing.

        Returns
        -------
        array (T, 1)
            NaN in the rows of missing counts.

        Raises
        ------
        ValueError
            If an entry of `x` is not a count.
        """
        data = self.observations(x)
        t = np.full((data.n_steps, 1), np.nan)
        t[data.rows, 0] = data.x
        return t

    def m_step(
        self, x: Int[np.ndarray, " T"] | Observations, weights: Real[np.ndarray, "T N"]
    ) -> "Poisson":
        """M-step: mu_i = sum_t w_ti x_t / sum_t w_ti: the weighted mean count.

        Parameters
        ----------
        x : array (T,) of integers, or Observations
            Counts; a masked entry is left out.
        weights : array (T, N)
            w_ti, not negative.

        Returns
        -------
        Poisson
            The maximiser of sum_ti w_ti ln p(x_t | S_t = i); a state of no weight keeps its rate.

        Raises
        ------
        ValueError
            If an entry of `x` is not a count, or the weights do not fit.
        """
        data = self.observations(x)
        weights = observed_weights(data, weights, self.n_states)
        total = weights.sum(axis=0)
        some = total > 0
        means = data.x @ weights / np.where(some, total, 1.0)
        return checks.trusted(Poisson, rates=np.where(some, means, self.rates))

    def score(
        self, x: Int[np.ndarray, " T"] | Observations, weights: Real[np.ndarray, "T N"]
    ) -> PoissonScore:
        """Gradient of sum_ti w_ti ln p(x_t | S_t = i): sum_t w_ti (x_t / mu_i - 1).

        Parameters
        ----------
        x : array (T,) of integers, or Observations
            Counts; a masked entry is left out.
        weights : array (T, N)
            w_ti, not negative. Where p(x_t | S_t = i) = 0, so that the logarithm has no slope, it
            is the weight of the likelihood's own derivative in place of the logarithm's: what
            w_ti / p(x_t | S_t = i) tends to.

        Returns
        -------
        PoissonScore
            Its derivatives; at a rate of zero the one from the right.

        Raises
        ------
        ValueError
            If an entry of `x` is not a count, or the weights do not fit.
        """
        data = self.observations(x)
        weights = observed_weights(data, weights, self.n_states)
        x, some = data.x, self.rates > 0
        slope = (x @ weights) / np.where(some, self.rates, 1.0) - weights.sum(axis=0)
        # At mu_i = 0 the derivatives of mu^m e^{-mu} / m! are -1 for m = 0, 1 for m = 1, then 0.
        return PoissonScore(np.where(some, slope, (1.0 * (x == 1) - (x == 0)) @ weights))

    def sample(
        self, states: Int[np.ndarray, " T"], rng: np.random.Generator
    ) -> Int[np.ndarray, " T"]:
        """Draw a count for each state.

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
        return rng.poisson(self.rates[states])


@dataclass(frozen=True)
class PoissonTemplate:
    """An emission of counts without rates: see `Poisson.template`."""

    ndim: ClassVar[int] = 1

    def observations(self, x: object, name: str = "x") -> Observations:
        """Check counts once, as the emission will.

        Parameters
        ----------
        x : array (T,) of integers
            Counts; a masked entry is missing.
        name : str
            What an error calls them.

        Returns
        -------
        Observations
            What `init` takes in place of `x`.

        Raises
        ------
        ValueError
            If an entry of `x` is not a count.
        """
        return _counts(x, name)

    def init(
        self, x: Int[np.ndarray, " T"] | Observations, n_states: int, rng: np.random.Generator
    ) -> Poisson:
        """Random rates to start EM from.

        Parameters
        ----------
        x : array (T,) of integers
            Counts.
        n_states : int
            N.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        Poisson
            Each rate lies between the mean count and a count drawn from the data.

        Raises
        ------
        ValueError
            If an entry of `x` is not a count, no count was observed, or `n_states` is below one.
        """
        N, rng = checks.whole("n_states", n_states), checks.generator(rng)
        counts = checks.some_observed("x", self.observations(x).x)
        # A part of the mean keeps every rate above zero: at zero only the count zero is possible.
        return Poisson(0.8 * rng.choice(counts, N) + 0.2 * counts.mean())


def _counts(x: object, name: str) -> Observations:
    if isinstance(x, Observations):
        return x
    return Observations.of(*checks.integers_or_missing(name, x, "T", low=0))
