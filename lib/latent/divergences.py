"""Kullback-Leibler divergences in closed form, and the three forms of the evidence lower bound.

Lecture 4, variational inference. How far a distribution p is from another, q:

    KL(p || q) = E_p[ln p - ln q] >= 0, and zero only if p = q.

It is finite only if q > 0 wherever p > 0; p may be zero where q is not. It is no distance, because
KL(p || q) and KL(q || p) differ. For any q(S) over the hidden variables

    L(q) = E_q[ln p(x, S)] + H(q)                  with the entropy H(q) = -E_q[ln q]
         = ln p(x) - KL(q || p(S | x))             so that L(q) <= ln p(x)
         = E_q[ln p(x | S)] - KL(q || p(S)).

`latent.kl` and `latent.elbo` are the divergence and the bound of discrete distributions.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
from scipy.special import entr

from latent import checks
from latent.fitting import elbo, weighted_sum
from latent.shapes import Float, Real


def kl_uniform(a: float, b: float, c: float, d: float) -> float:
    """Divergence of uniform distributions, KL(U(a, b) || U(c, d)) = ln (d - c) / (b - a).

    Parameters
    ----------
    a, b : float
        Ends of the interval of the first distribution, a < b.
    c, d : float
        Ends of the interval of the second one, c < d.

    Returns
    -------
    float
        In nats; inf if [a, b] is not within [c, d].

    Raises
    ------
    ValueError
        If an interval is empty or an end is not finite.

    Notes
    -----
    Lecture 4, divergence of uniform distributions.
    """
    a, b = _interval("a", a, "b", b)
    c, d = _interval("c", c, "d", d)
    if a < c or b > d:
        return np.inf
    return float(np.log((d - c) / (b - a)))


def kl_normal(
    mean_p: Real[np.ndarray, " D"],
    cov_p: Real[np.ndarray, "D D"],
    mean_q: Real[np.ndarray, " D"],
    cov_q: Real[np.ndarray, "D D"],
) -> float:
    """Divergence of normal distributions, KL(p || q).

    For p = N(mu_p, Sigma_p) and q = N(mu_q, Sigma_q) in D dimensions it is

        1/2 [ln(det Sigma_q / det Sigma_p) - D + (mu_p - mu_q)^T Sigma_q^{-1} (mu_p - mu_q)
             + tr(Sigma_q^{-1} Sigma_p)].

    Parameters
    ----------
    mean_p : array (D,)
        mu_p.
    cov_p : array (D, D)
        Sigma_p, symmetric positive definite.
    mean_q : array (D,)
        mu_q.
    cov_q : array (D, D)
        Sigma_q, symmetric positive definite.

    Returns
    -------
    float
        In nats; not negative, zero only if p = q.

    Raises
    ------
    ValueError
        If the shapes do not fit or a covariance is not symmetric positive definite.

    Notes
    -----
    Lecture 4, divergence of normal distributions. Against the unit normal it is the divergence of a
    variational auto-encoder (lecture 7): for Sigma_p = diag(sigma_i^2),
    KL(p || N(0, I)) = -1/2 sum_i (1 + ln sigma_i^2 - mu_i^2 - sigma_i^2).
    """
    mean_p = checks.array("mean_p", mean_p, "D")
    D = len(mean_p)
    mean_q = checks.array("mean_q", mean_q, "D", D=D)
    L_p = scipy.linalg.cholesky(checks.covariance("cov_p", cov_p, D=D), lower=True)
    L_q = scipy.linalg.cholesky(checks.covariance("cov_q", cov_q, D=D), lower=True)
    # With Sigma = L L^T: tr(Sigma_q^{-1} Sigma_p) is the sum of squares of L_q^{-1} L_p.
    ratio = scipy.linalg.solve_triangular(L_q, L_p, lower=True)
    z = scipy.linalg.solve_triangular(L_q, mean_p - mean_q, lower=True)
    log_det_ratio = 2 * (np.log(np.diag(L_q)) - np.log(np.diag(L_p))).sum()
    divergence = 0.5 * (log_det_ratio - D + (z**2).sum() + (ratio**2).sum())
    # Rounding can carry the sum for a pair of equal distributions just below zero.
    return max(0.0, float(divergence))


class ElboForms(NamedTuple):
    """The terms of the evidence lower bound in its three forms, in nats.

    Attributes
    ----------
    expected_log_joint : float
        E_q[ln p(x, S)].
    entropy : float
        H(q) = -E_q[ln q].
    log_evidence : float
        ln p(x).
    kl_posterior : float
        KL(q || p(S | x)).
    expected_log_likelihood : float
        E_q[ln p(x | S)].
    kl_prior : float
        KL(q || p(S)).
    """

    expected_log_joint: float
    entropy: float
    log_evidence: float
    kl_posterior: float
    expected_log_likelihood: float
    kl_prior: float

    @property
    def from_joint(self) -> float:
        """L(q) = E_q[ln p(x, S)] + H(q)."""
        return self.expected_log_joint + self.entropy

    @property
    def from_posterior(self) -> float:
        """L(q) = ln p(x) - KL(q || p(S | x))."""
        return self.log_evidence - self.kl_posterior

    @property
    def from_prior(self) -> float:
        """L(q) = E_q[ln p(x | S)] - KL(q || p(S))."""
        return self.expected_log_likelihood - self.kl_prior


def elbo_forms(
    q: Real[np.ndarray, "*rows K"],
    log_prior: Float[np.ndarray, "*rows K"],
    log_likelihood: Float[np.ndarray, "*rows K"],
) -> ElboForms:
    """Every term of the three forms of the bound, for a discrete hidden variable.

    Parameters
    ----------
    q : array (..., K)
        A distribution over the K values of the hidden variable for each row; rows are independent,
        and their bounds are added up.
    log_prior : array (..., K)
        ln p(S) at the same values; -inf where it is impossible.
    log_likelihood : array (..., K)
        ln p(x | S) at the same values; -inf where it is impossible.

    Returns
    -------
    ElboForms
        The six terms; `from_joint`, `from_posterior` and `from_prior` are the bound, which is the
        same number computed in three ways. It is -inf if q puts weight on something impossible.

    Raises
    ------
    ValueError
        If `q` or the prior does not sum to one over its last axis, the shapes differ, or the
        evidence of a row is zero, so that it has no posterior.

    Notes
    -----
    Lecture 4, the evidence lower bound.
    """
    q = checks.probabilities("q", q, "... K")
    log_prior = checks.log_likelihoods("log_prior", log_prior, "... K")
    log_likelihood = checks.log_likelihoods("log_likelihood", log_likelihood, "... K")
    for name, value in (("log_prior", log_prior), ("log_likelihood", log_likelihood)):
        checks.same_shape(name, value, "q", q)
    checks.sums_to_one("exp(log_prior)", np.exp(log_prior))
    log_joint = log_prior + log_likelihood
    log_evidence = np.logaddexp.reduce(log_joint, axis=-1, keepdims=True)
    if np.isneginf(log_evidence).any():
        raise ValueError(
            "log_likelihood must be above -inf somewhere in each row where log_prior is, "
            "or the evidence is zero and there is no posterior"
        )
    return ElboForms(
        expected_log_joint=weighted_sum(q, log_joint),
        entropy=float(entr(q).sum()),
        log_evidence=float(log_evidence.sum()),
        kl_posterior=_kl(q, log_joint - log_evidence),
        expected_log_likelihood=weighted_sum(q, log_likelihood),
        kl_prior=_kl(q, log_prior),
    )


def _kl(q: np.ndarray, log_p: np.ndarray) -> float:
    # E_q[ln q - ln p] from logarithms: a p that underflows to zero would make it infinite.
    return max(0.0, -elbo(q, log_p))


def _interval(low_name: str, low: float, high_name: str, high: float) -> tuple[float, float]:
    low, high = float(checks.array(low_name, low, "")), float(checks.array(high_name, high, ""))
    if low >= high:
        raise ValueError(f"{high_name} must be above {low_name} = {low}, got {high}")
    return low, high
