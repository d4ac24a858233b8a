"""Coordinate ascent variational inference: a posterior approximated by independent factors.

Lecture 4, mean field. With q(S) = q_1(S_1) ... q_n(S_n) the bound, as a function of one factor, is

    L(q) = E_{q_i}[ln p~(S_i)] - E_{q_i}[ln q_i] + constant = -KL(q_i || p~) + constant,
    ln p~(S_i) = E_{q_j, j != i}[ln p(x, S_1, ..., S_n)] + constant,

which is largest at q_i = p~. So the factors are replaced in turn, each by

    q_i*(S_i) proportional to exp(E_{q_j, j != i}[ln p(x, S_1, ..., S_n)]),

and no step lowers the bound. `cavi` does this for discrete variables, from a table of ln p(x, S).
`cavi_normal` does it for a normal target N(mu, Lambda^{-1}): there the factors are normal without
being assumed to be, and completing the square in S_i gives

    q_i* = N(m_i, Lambda_ii^{-1}),
    m_i = mu_i - Lambda_ii^{-1} sum_{j != i} Lambda_ij (m_j - mu_j).

The means become exact and the variances too small: Lambda_ii^{-1} is the variance of S_i given all
others. In two dimensions of correlation rho a sweep shrinks the error of the mean by rho^2.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg
from scipy.special import entr, softmax

from latent import checks
from latent.divergences import kl_normal
from latent.fitting import Fit, em
from latent.shapes import Float, Int, Real


def cavi(
    log_joint: Float[np.ndarray, "..."],
    start: Sequence[Real[np.ndarray, " _"]],
    *,
    max_iter: int = 200,
    tol: float = 1e-9,
) -> Fit:
    """Mean field for discrete variables S_1, ..., S_n, whose joint is given as a table.

    Parameters
    ----------
    log_joint : array (K_1, ..., K_n)
        ln p(x, S_1, ..., S_n), with S_i along axis i; -inf where it is impossible.
    start : sequence of n arrays (K_i,)
        q_1, ..., q_n to start from; each sums to one. Together they may not put weight on something
        impossible, where the bound would be -inf.
    max_iter : int
        Largest number of sweeps, in each of which every factor is replaced once.
    tol : float
        Gain of a sweep, in nats, at or below which the loop ends.

    Returns
    -------
    Fit
        `model` is the tuple of the factors (q_1, ..., q_n), `trace` the bound L(q), from that of
        the start to that of the factors.

    Raises
    ------
    ValueError
        If the factors do not fit the table, do not sum to one, or put weight on something
        impossible; if `max_iter` or `tol` is out of range.

    Notes
    -----
    Lecture 4, coordinate ascent variational inference. The table has K_1 ... K_n entries, so this
    is for pictures and for tests: `latent.variational_gmm` and the mean field of a hidden Markov
    model take the same expectations without it. The limit depends on the start.
    """
    log_joint, factors = _table_and_factors(log_joint, start)

    def e_step(q: tuple[np.ndarray, ...]) -> tuple[tuple[np.ndarray, ...], float]:
        return q, _bound(log_joint, q)

    def sweep(q: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        factors = list(q)
        for i in range(len(factors)):
            factors[i] = softmax(_expected_log_joint(log_joint, factors, i))
        return tuple(factors)

    return em(factors, e_step, sweep, max_iter=max_iter, tol=tol)


class NormalMeanField(NamedTuple):
    """Result of `cavi_normal`.

    Attributes
    ----------
    means : array (n_sweeps + 1, D)
        m after each sweep; means[0] is the start. Within sweep s, after block i has been replaced,
        the mean is that of means[s + 1] in the blocks up to i and of means[s] in those after it.
    covariance : array (D, D)
        Covariance of q: the inverse of the block of Lambda for each block, and zero elsewhere. It
        does not depend on the means, so all sweeps have it.
    trace : array (n_sweeps + 1,)
        -KL(q || p), which is L(q) - ln p(x), after each sweep. It never decreases.
    converged : bool
        Whether the last gain was within the tolerance; if not, the sweeps ran out.
    """

    means: Float[np.ndarray, "n D"]
    covariance: Float[np.ndarray, "D D"]
    trace: Float[np.ndarray, " n"]
    converged: bool


def cavi_normal(
    mean: Real[np.ndarray, " D"],
    covariance: Real[np.ndarray, "D D"],
    *,
    start: Real[np.ndarray, " D"],
    blocks: Int[np.ndarray, " D"] | None = None,
    max_iter: int = 200,
    tol: float = 1e-9,
) -> NormalMeanField:
    """Mean field for a normal distribution p = N(mu, Sigma) of correlated coordinates.

    Parameters
    ----------
    mean : array (D,)
        mu.
    covariance : array (D, D)
        Sigma, symmetric positive definite; Lambda is its inverse.
    start : array (D,)
        m before the first sweep.
    blocks : array (D,) of integers, optional
        Coordinates with the same number share a factor, and the blocks are replaced in the order of
        their numbers. Without it each coordinate has its own factor.
    max_iter : int
        Largest number of sweeps.
    tol : float
        Gain of a sweep, in nats, at or below which the loop ends.

    Returns
    -------
    NormalMeanField
        The means of every sweep, the covariance of q, the trace of the bound.

    Raises
    ------
    ValueError
        If the shapes do not fit, `covariance` is not symmetric positive definite, or `max_iter` or
        `tol` is out of range.

    Notes
    -----
    Lecture 4, coordinate ascent variational inference; Bishop (2006), section 10.1.2. The sweeps of
    the means are those of Gauss and Seidel for Lambda (m - mu) = 0.
    """
    mu = checks.array("mean", mean, "D")
    D = len(mu)
    Sigma = checks.covariance("covariance", covariance, D=D)
    m = checks.array("start", start, "D", D=D)
    labels = checks.integers("blocks", np.arange(D) if blocks is None else blocks, "D", low=0, D=D)
    max_iter, tol = checks.whole("max_iter", max_iter), checks.at_least_zero("tol", tol)
    Lambda = scipy.linalg.cho_solve(scipy.linalg.cho_factor(Sigma), np.eye(D))
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    q_covariance = np.zeros((D, D))
    for block in members:
        q_covariance[np.ix_(block, block)] = np.linalg.inv(Lambda[np.ix_(block, block)])
    q_covariance = (q_covariance + q_covariance.T) / 2
    smallest_kl = kl_normal(mu, q_covariance, mu, Sigma)

    def bound(m: np.ndarray) -> float:
        return float(-smallest_kl - 0.5 * (m - mu) @ Lambda @ (m - mu))

    means, trace = [m], [bound(m)]
    converged = False
    while not converged and len(trace) <= max_iter:
        m = m.copy()
        for i in members:
            pull = Lambda[i] @ (m - mu) - Lambda[np.ix_(i, i)] @ (m - mu)[i]
            m[i] = mu[i] - q_covariance[np.ix_(i, i)] @ pull
        gain = bound(m) - trace[-1]
        converged = gain <= tol
        if gain >= 0:  # if not, it is rounding at the limit
            means.append(m)
            trace.append(bound(m))
    return NormalMeanField(np.array(means), q_covariance, np.array(trace), converged)


def _expected_log_joint(
    log_joint: np.ndarray, factors: Sequence[np.ndarray], i: int
) -> Float[np.ndarray, " K"]:
    """E[ln p(x, S)] under the factors of all variables but S_i, for each value of S_i."""
    others = [np.ones(len(q)) if j == i else q for j, q in enumerate(factors)]
    return _weigh(_product(others), log_joint).sum(
        axis=tuple(j for j in range(len(factors)) if j != i)
    )


def _bound(log_joint: np.ndarray, factors: Sequence[np.ndarray]) -> float:
    entropy = sum(float(entr(q).sum()) for q in factors)
    return float(_weigh(_product(factors), log_joint).sum()) + entropy


def _product(factors: Sequence[np.ndarray]) -> np.ndarray:
    table = np.ones(())
    for q in factors:
        table = table[..., None] * q
    return table


def _weigh(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    weighted = np.zeros(values.shape)  # what has no weight does not count, even if it is -inf
    np.multiply(weights, values, out=weighted, where=weights > 0)
    return weighted


def _table_and_factors(
    log_joint: np.ndarray, start: Sequence[np.ndarray]
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    if len(start) == 0:
        raise ValueError("start must have one distribution for each axis of log_joint, got none")
    axes = " ".join(f"K_{i + 1}" for i in range(len(start)))
    log_joint = checks.log_likelihoods("log_joint", log_joint, axes)
    factors = tuple(
        checks.probabilities(f"start[{i}]", q, "K", K=log_joint.shape[i])
        for i, q in enumerate(start)
    )
    if _bound(log_joint, factors) == -np.inf:
        raise ValueError(
            "start must put no weight where log_joint is -inf; "
            "set a factor to zero there, and it stays zero"
        )
    return log_joint, factors
