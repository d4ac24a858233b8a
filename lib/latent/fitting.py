"""Expectation-maximisation as a loop, and the identity behind it.

Lecture 1, EM. For any distribution q over the hidden variables,

    ln p(x | lambda) = L(q, lambda) + KL(q || p(S | x, lambda)),
    L(q, lambda) = E_q[ln p(x, S | lambda) - ln q(S)].

The E-step takes q = p(S | x, lambda'), which makes the divergence zero; the M-step maximises L over
lambda, which for this q is Q(lambda, lambda') and a constant. Neither lowers ln p(x | lambda).
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from scipy.special import entr, rel_entr

from latent import checks
from latent.shapes import Float, Real

# The rounding of the evidence, a sum, grows with its size. A fall by this share of it is rounding.
ROUNDING = 1e-8


Model = TypeVar("Model")
Posterior = TypeVar("Posterior")


class Fit(NamedTuple):
    """A fitted model and how it got there.

    Attributes
    ----------
    model
        The parameters.
    trace : array (n_iter,)
        trace[i] is the log evidence (or bound) before M-step i; trace[-1] is that of `model`. It
        never decreases.
    converged : bool
        Whether the last gain was within the tolerance; if not, the iterations ran out.
    """

    model: Any
    trace: Float[np.ndarray, " n_iter"]
    converged: bool


def em(
    model: Model,
    e_step: Callable[[Model], tuple[Posterior, float]],
    m_step: Callable[[Posterior], Model],
    *,
    max_iter: int = 200,
    tol: float = 1e-6,
) -> Fit:
    """Alternate E-step and M-step until the log evidence gains no more than `tol`.

    Parameters
    ----------
    model
        lambda', the parameters to start from, of any type.
    e_step : callable
        e_step(model) returns (posterior, log evidence).
    m_step : callable
        m_step(posterior) returns the model that maximises Q. A generalised M-step, which only
        raises Q, does as well.
    max_iter : int
        Largest number of M-steps.
    tol : float
        Gain of an iteration, in nats, at or below which the loop ends.

    Returns
    -------
    Fit
        `model`, `trace` and `converged`.

    Raises
    ------
    ValueError
        If `max_iter` is below one or `tol` is negative.
    RuntimeError
        If the log evidence is not finite, or falls by more than rounding. A correct EM cannot do
        that: look for an M-step that does not raise Q, or an E-step that is not the posterior. A
        fall within rounding ends the loop at the better model.

    Notes
    -----
    Lecture 1, EM; Dempster, Laird and Rubin (1977). The limit is a stationary point, in general not
    the global maximum (Wu 1983): restart with `best_of`.
    """
    max_iter, tol = checks.whole("max_iter", max_iter), checks.at_least_zero("tol", tol)
    posterior, log_evidence = e_step(model)
    trace = [_finite(log_evidence, 0)]
    for iteration in range(1, max_iter + 1):
        new_model = m_step(posterior)
        posterior, log_evidence = e_step(new_model)
        gain = _finite(log_evidence, iteration) - trace[-1]
        if gain < -ROUNDING * (1 + abs(trace[-1])):
            raise RuntimeError(
                f"the log evidence fell from {trace[-1]} to {log_evidence} in iteration "
                f"{iteration}; the M-step must not lower Q, and the E-step must give the "
                "posterior of its model"
            )
        if gain < 0:
            return Fit(model, np.array(trace), True)
        model = new_model
        trace.append(float(log_evidence))
        if gain <= tol:
            return Fit(model, np.array(trace), True)
    return Fit(model, np.array(trace), False)


def hard_em(
    model: Model,
    log_joint: Callable[[Model], np.ndarray],
    m_step: Callable[[np.ndarray], Model],
    *,
    max_iter: int = 200,
    tol: float = 1e-6,
) -> Fit:
    """EM with the best assignment in place of the posterior (a MAP E-step).

    The E-step puts all weight of point n on k = argmax_k ln p(x_n, S_n = k | lambda'), and the
    objective that never decreases is sum_n max_k ln p(x_n, S_n = k | lambda): the joint at the best
    assignment, not the evidence.

    Parameters
    ----------
    model
        lambda', the parameters to start from.
    log_joint : callable
        log_joint(model) returns ln p(x_n, S_n = k), an array (T, K).
    m_step : callable
        m_step(r) returns the model for the one-hot assignments r (T, K).
    max_iter, tol
        As for `em`.

    Returns
    -------
    Fit
        `trace` is of the objective above.

    Raises
    ------
    ValueError, RuntimeError
        As for `em`.

    Notes
    -----
    Lecture 1, hard EM; with equal weights and covariances eps I it is K-means. Celeux and Govaert
    (1992).
    """

    def e_step(model: Model) -> tuple[np.ndarray, float]:
        scores = checks.log_likelihoods("log_joint(model)", log_joint(model), "T K")
        r = np.eye(scores.shape[1])[scores.argmax(axis=1)]
        return r, float(scores.max(axis=1).sum())

    return em(model, e_step, m_step, max_iter=max_iter, tol=tol)


def best_of(
    fit: Callable[[np.random.Generator], Fit], restarts: int, rng: np.random.Generator
) -> Fit:
    """Run a fit from several random starts and keep the one that ends highest.

    Parameters
    ----------
    fit : callable
        fit(rng) returns a Fit; it draws its start from `rng`.
    restarts : int
        Number of runs.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Fit
        The run with the largest trace[-1], the first of them if several tie.

    Raises
    ------
    ValueError
        If `restarts` is below one or `rng` is not a generator.

    Notes
    -----
    Lecture 1, local optima and restarts.
    """
    restarts, rng = checks.whole("restarts", restarts), checks.generator(rng)
    return max((fit(rng) for _ in range(restarts)), key=lambda run: run.trace[-1])


def elbo(q: Real[np.ndarray, "*rows K"], log_joint: Float[np.ndarray, "*rows K"]) -> float:
    """Lower bound L(q, lambda) = sum q (ln p(x, S | lambda) - ln q), in nats.

    Parameters
    ----------
    q : array (..., K)
        A distribution over the K values of the hidden variable for each row; rows are independent
        (points of a mixture). A distribution over paths is one row of N^T entries.
    log_joint : array (..., K)
        ln p(x, S | lambda) at the same values; -inf where it is impossible.

    Returns
    -------
    float
        The bound, with 0 ln 0 = 0; -inf if q puts weight on something impossible.

    Raises
    ------
    ValueError
        If `q` does not sum to one over its last axis, or the shapes differ.

    Notes
    -----
    Lecture 1, the evidence lower bound.
    """
    q = checks.probabilities("q", q, "... K")
    log_joint = checks.log_likelihoods("log_joint", log_joint, "... K")
    checks.same_shape("log_joint", log_joint, "q", q)
    return weighted_sum(q, log_joint) + float(entr(q).sum())


def weighted_sum(weights: Real[np.ndarray, "*shape"], values: Float[np.ndarray, "*shape"]) -> float:
    """Sum of weights times logarithms of probabilities, with 0 ln 0 = 0.

    Parameters
    ----------
    weights : array
        Probabilities or expected counts, not negative.
    values : array of the same shape
        The logarithms; what has no weight does not count, even if it is -inf.

    Returns
    -------
    float
        The sum.
    """
    some = weights > 0
    return float((weights[some] * values[some]).sum())


def kl(q: Real[np.ndarray, "*rows K"], p: Real[np.ndarray, "*rows K"]) -> float:
    """Kullback-Leibler divergence KL(q || p) = sum q ln(q / p), in nats.

    Parameters
    ----------
    q, p : array (..., K)
        Distributions over K values, one a row; the divergences of the rows are added up.

    Returns
    -------
    float
        Not negative, zero only if q = p; inf where q > 0 and p = 0.

    Raises
    ------
    ValueError
        If `q` or `p` does not sum to one over its last axis, or the shapes differ.

    Notes
    -----
    Lecture 1, ln p(x) = L(q, lambda) + KL(q || p(S | x)).
    """
    q = checks.probabilities("q", q, "... K")
    p = checks.probabilities("p", p, "... K")
    checks.same_shape("p", p, "q", q)
    # Rounding can carry the sum of a pair of equal distributions just below zero.
    return max(0.0, float(rel_entr(q, p).sum()))


def _finite(log_evidence: float, iteration: int) -> float:
    if not np.isfinite(log_evidence):
        raise RuntimeError(
            f"the log evidence must be finite, got {log_evidence} in iteration {iteration}; "
            "the model must give the data a probability above zero"
        )
    return float(log_evidence)
