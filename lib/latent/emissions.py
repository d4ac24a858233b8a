"""Emissions: how a hidden state produces an observation, p(x_t | S_t = i).

Lecture 1, EM, and the notes on exponential families. `Categorical`, `Gaussian` and `Poisson` have
one interface, because each is an exponential family p(x | eta) = h(x) exp(eta^T t(x) - a(eta)).
Given weights w_ti = p(S_t = i | x, lambda'), the M-step maximises

    sum_t w_ti ln p(x_t | eta_i),    whose gradient is zero where
    E[t(x) | eta_i] = sum_t w_ti t(x_t) / sum_t w_ti:

the model's expected sufficient statistics match the weighted average of those of the data.

A missing observation says nothing: its likelihood is one in every state, and the M-step leaves it
out. It is a row of NaN for `Gaussian` and a masked entry (`numpy.ma`) for `Categorical` and
`Poisson`.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int, Real
from scipy.special import gammaln, xlogy

from latent import checks


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


@runtime_checkable
class Emission(Protocol):
    """What a model asks of its emissions; N states, S sufficient statistics."""

    @property
    def n_states(self) -> int:
        """N."""
        ...

    def log_likelihood(self, x: Real[np.ndarray, "T ..."]) -> Float[np.ndarray, "T N"]:
        """Log likelihood ln p(x_t | S_t = i)."""
        ...

    def sufficient_statistics(self, x: Real[np.ndarray, "T ..."]) -> Float[np.ndarray, "T S"]:
        """Sufficient statistics t(x_t)."""
        ...

    def m_step(self, x: Real[np.ndarray, "T ..."], weights: Real[np.ndarray, "T N"]) -> "Emission":
        """Maximise sum_ti w_ti ln p(x_t | S_t = i) over the parameters."""
        ...

    def sample(
        self, states: Int[np.ndarray, " T"], rng: np.random.Generator
    ) -> Real[np.ndarray, "T ..."]:
        """Draw x_t from p(x_t | S_t = s_t)."""
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

    probs: Float[np.ndarray, "N M"]

    def __post_init__(self) -> None:
        probs = checks.probabilities("probs", self.probs, "N M")
        object.__setattr__(self, "probs", checks.frozen(probs))

    @property
    def n_states(self) -> int:
        """Number of hidden states N."""
        return len(self.probs)

    def log_likelihood(self, x: Int[np.ndarray, " T"]) -> Float[np.ndarray, "T N"]:
        """Log likelihood ln p(x_t | S_t = i) = ln b_im for x_t = m.

        Parameters
        ----------
        x : array (T,) of integers from 0 to M - 1
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
        x, observed = self._symbols(x)
        return np.where(observed[:, None], checks.log(self.probs.T)[x], 0.0)

    def sufficient_statistics(self, x: Int[np.ndarray, " T"]) -> Float[np.ndarray, "T M"]:
        """Statistics t(x) = (1[x = 0], ..., 1[x = M - 1]), whose mean is b_i.

        Parameters
        ----------
        x : array (T,) of integers from 0 to M - 1
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
        x, observed = self._symbols(x)
        return np.where(observed[:, None], np.eye(self.probs.shape[1])[x], np.nan)

    def m_step(self, x: Int[np.ndarray, " T"], weights: Real[np.ndarray, "T N"]) -> "Categorical":
        """M-step: b_im = sum_t w_ti 1[x_t = m] / sum_t w_ti: the weighted share of each symbol.

        Parameters
        ----------
        x : array (T,) of integers from 0 to M - 1
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
        t = self.sufficient_statistics(x)
        weights = checks.nonnegative("weights", weights, "T N", T=len(t), N=self.n_states)
        probs = match_statistics(weights, t)
        return Categorical(np.where(np.isnan(probs), self.probs, probs))

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
        states, rng = _states(states, self.n_states), checks.generator(rng)
        # Inverse transform: the first symbol whose cumulative probability exceeds a uniform number.
        cumulative = np.cumsum(self.probs, axis=1)
        cumulative /= cumulative[:, -1:]
        return (rng.random((len(states), 1)) >= cumulative[states]).sum(axis=1)

    def _symbols(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return checks.integers_or_missing("x", x, "T", low=0, high=self.probs.shape[1])


@dataclass(frozen=True, eq=False)
class Gaussian:
    """A normal density for each state: p(x_t | S_t = i) = N(x_t; mu_i, Sigma_i).

    Parameters
    ----------
    means : array (N, D)
        mu_i.
    covariances : array (N, D, D)
        Sigma_i, symmetric positive definite.

    Raises
    ------
    ValueError
        If the shapes do not fit or a covariance is not symmetric positive definite.
    """

    means: Float[np.ndarray, "N D"]
    covariances: Float[np.ndarray, "N D D"]

    def __post_init__(self) -> None:
        means = checks.array("means", self.means, "N D")
        N, D = means.shape
        covariances = checks.covariances("covariances", self.covariances, "N D D", N=N, D=D)
        object.__setattr__(self, "means", checks.frozen(means))
        object.__setattr__(self, "covariances", checks.frozen(covariances))

    @property
    def n_states(self) -> int:
        """Number of hidden states N."""
        return len(self.means)

    def log_likelihood(self, x: Real[np.ndarray, "T D"]) -> Float[np.ndarray, "T N"]:
        """Log likelihood ln N(x_t; mu_i, Sigma_i).

        It is -1/2 (D ln 2 pi + ln det Sigma_i + |L_i^{-1} (x_t - mu_i)|^2) with Sigma_i = L_i L_i^T
        and L_i lower triangular (Cholesky). So no inverse of Sigma_i is formed, and ln det Sigma_i
        is twice the sum of the logarithms of the diagonal of L_i.

        Parameters
        ----------
        x : array (T, D)
            Observations; a row of NaN is missing.

        Returns
        -------
        array (T, N)
            Zero in the rows of missing observations.

        Raises
        ------
        ValueError
            If `x` has another dimension, an infinity, or a row that is partly NaN.
        """
        x, observed = self._points(x)
        D = x.shape[1]
        log_likelihood = np.zeros((len(x), self.n_states))
        for i, (mean, covariance) in enumerate(zip(self.means, self.covariances, strict=True)):
            L = scipy.linalg.cholesky(covariance, lower=True)
            # One product with the small L^{-1} takes less time than T triangular systems.
            z = (x[observed] - mean) @ scipy.linalg.solve_triangular(L, np.eye(D), lower=True).T
            log_det = 2 * np.log(np.diag(L)).sum()
            log_likelihood[observed, i] = -0.5 * (
                D * np.log(2 * np.pi) + log_det + (z**2).sum(axis=1)
            )
        return log_likelihood

    def sufficient_statistics(self, x: Real[np.ndarray, "T D"]) -> Float[np.ndarray, "T S"]:
        """Statistics t(x) = (x, x x^T), D + D^2 numbers; their means are mu and Sigma + mu mu^T.

        Parameters
        ----------
        x : array (T, D)
            Observations; a row of NaN is missing.

        Returns
        -------
        array (T, D + D^2)
            NaN in the rows of missing observations.

        Raises
        ------
        ValueError
            If `x` has another dimension, an infinity, or a row that is partly NaN.
        """
        x, _ = self._points(x)
        products = x[:, :, None] * x[:, None, :]
        return np.hstack([x, products.reshape(len(x), -1)])

    def m_step(
        self,
        x: Real[np.ndarray, "T D"],
        weights: Real[np.ndarray, "T N"],
        *,
        floor: float = 1e-6,
    ) -> "Gaussian":
        """M-step: mean mu_i and covariance Sigma_i of the data, weighted by w_ti.

        With N_i = sum_t w_ti,

            mu_i = sum_t w_ti x_t / N_i,
            Sigma_i = sum_t w_ti (x_t - mu_i)(x_t - mu_i)^T / N_i.

        That matches the statistics (x, x x^T), the second about mu_i, because to subtract
        mu_i mu_i^T afterwards loses digits.

        Without a bound the likelihood has no maximum: a state that holds one point only can shrink
        on it. So Sigma_i is kept at or above floor * I. With C for the sum above, the expected
        log-likelihood is -N_i/2 (ln det Sigma + tr(Sigma^{-1} C)) and a constant. For given
        eigenvalues of Sigma it is largest if Sigma has the eigenvectors of C (von Neumann's trace
        inequality). What is left is -N_i/2 (ln s + c/s) for each pair of eigenvalues, which rises
        in s until s = c and falls after it. So its maximum over s >= floor is at max(c, floor):
        to clip the eigenvalues of C is the exact M-step under the bound, and EM stays monotone.

        Parameters
        ----------
        x : array (T, D)
            Observations; a row of NaN is left out.
        weights : array (T, N)
            w_ti, not negative.
        floor : float
            Smallest eigenvalue of a covariance, in squared units of `x`.

        Returns
        -------
        Gaussian
            The maximiser of sum_ti w_ti ln p(x_t | S_t = i); a state of no weight keeps its
            parameters.

        Raises
        ------
        ValueError
            If `x` or the weights do not fit, or `floor` is negative.
        """
        x, observed = self._points(x)
        weights = checks.nonnegative("weights", weights, "T N", T=len(x), N=self.n_states)
        floor = checks.at_least_zero("floor", floor)
        means = match_statistics(weights, x)
        x, weights = x[observed], weights[observed]
        counts = weights.sum(axis=0)
        covariances = self.covariances.copy()
        for i in np.flatnonzero(counts > 0):
            centred = x - means[i]
            scatter = (weights[:, i] / counts[i] * centred.T) @ centred
            covariances[i] = clip_eigenvalues(scatter, floor)
        return Gaussian(np.where(np.isnan(means), self.means, means), covariances)

    def sample(
        self, states: Int[np.ndarray, " T"], rng: np.random.Generator
    ) -> Float[np.ndarray, "T D"]:
        """Draw x_t = mu_i + L_i z_t with i = s_t, Sigma_i = L_i L_i^T and z_t ~ N(0, I).

        Parameters
        ----------
        states : array (T,) of integers from 0 to N - 1
            s_t.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        array (T, D)
            x_t.

        Raises
        ------
        ValueError
            If a state is out of range.
        """
        states, rng = _states(states, self.n_states), checks.generator(rng)
        x = rng.standard_normal((len(states), self.means.shape[1]))
        for i, (mean, covariance) in enumerate(zip(self.means, self.covariances, strict=True)):
            L = scipy.linalg.cholesky(covariance, lower=True)
            x[states == i] = mean + x[states == i] @ L.T
        return x

    def _points(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return checks.points_or_missing("x", x, "T D", D=self.means.shape[1])


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

    rates: Float[np.ndarray, " N"]

    def __post_init__(self) -> None:
        rates = checks.nonnegative("rates", self.rates, "N")
        object.__setattr__(self, "rates", checks.frozen(rates))

    @property
    def n_states(self) -> int:
        """Number of hidden states N."""
        return len(self.rates)

    def log_likelihood(self, x: Int[np.ndarray, " T"]) -> Float[np.ndarray, "T N"]:
        """Log likelihood ln p(x_t | S_t = i) = x_t ln mu_i - mu_i - ln x_t!.

        Parameters
        ----------
        x : array (T,) of integers
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
        x, observed = checks.integers_or_missing("x", x, "T", low=0)
        x = x[:, None]
        log_likelihood = xlogy(x, self.rates) - self.rates - gammaln(x + 1)
        return np.where(observed[:, None], log_likelihood, 0.0)

    def sufficient_statistics(self, x: Int[np.ndarray, " T"]) -> Float[np.ndarray, "T 1"]:
        """Statistic t(x) = x, whose mean is mu_i; the natural parameter is ln mu_i.

        Parameters
        ----------
        x : array (T,) of integers
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
        x, observed = checks.integers_or_missing("x", x, "T", low=0)
        return np.where(observed, x, np.nan)[:, None]

    def m_step(self, x: Int[np.ndarray, " T"], weights: Real[np.ndarray, "T N"]) -> "Poisson":
        """M-step: mu_i = sum_t w_ti x_t / sum_t w_ti: the weighted mean count.

        Parameters
        ----------
        x : array (T,) of integers
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
        t = self.sufficient_statistics(x)
        weights = checks.nonnegative("weights", weights, "T N", T=len(t), N=self.n_states)
        rates = match_statistics(weights, t)[:, 0]
        return Poisson(np.where(np.isnan(rates), self.rates, rates))

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
        states, rng = _states(states, self.n_states), checks.generator(rng)
        return rng.poisson(self.rates[states])


def clip_eigenvalues(covariance: Float[np.ndarray, "D D"], floor: float) -> np.ndarray:
    """Raise the eigenvalues below `floor` to it; `Gaussian.m_step` says why."""
    symmetric = (covariance + covariance.T) / 2
    c, U = np.linalg.eigh(symmetric)
    if c[0] >= floor:
        return symmetric
    return (U * np.maximum(c, floor)) @ U.T


def _states(states: np.ndarray, n_states: int) -> np.ndarray:
    return checks.integers("states", states, "T", low=0, high=n_states)
