"""Fisher information and Jeffreys' prior, computed from nothing but ln p(x | w).

Lecture 4, "Jeffreys prior". With the score s_i(x) = d ln p(x | w) / d w_i, the information is

    I_ij(w) = E[s_i s_j] = -E[d^2 ln p(x | w) / (d w_i d w_j)],    the mean over x ~ p(x | w),

and Jeffreys' prior p(w) ~ sqrt(det I(w)) is invariant: with u = g(w) it is the same whether it is
derived from the model in u, or derived in w and then transformed to
p(u) = p(g^{-1}(u)) |g'(g^{-1}(u))|^{-1}.

A mean over x is a sum over nodes, E[f] = sum_n weight_n p(x_n | w) f(x_n). For discrete x the nodes
are its values, with weights of one; for continuous x, nodes and weights are a quadrature rule
(`quadrature`). Either must cover all of the probability. Derivatives are central differences.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import roots_legendre

from latent import checks
from latent.shapes import Float, Real

Parameter = float | Real[np.ndarray, " K"]
LogDensity = Callable[[Real[np.ndarray, "n ..."], Parameter], Float[np.ndarray, " n"]]

# How far the probability of the nodes may be from one.
MISSING_PROBABILITY = 1e-6


class Nodes(NamedTuple):
    """A rule for an integral over an interval: sum_n weight_n f(x_n).

    Attributes
    ----------
    x : array (n,)
        Nodes x_n.
    weights : array (n,)
        Their weights.
    """

    x: Float[np.ndarray, " n"]
    weights: Float[np.ndarray, " n"]


def quadrature(low: float, high: float, n: int = 200) -> Nodes:
    """Gauss-Legendre nodes and weights for an integral from `low` to `high`.

    Parameters
    ----------
    low, high : float
        Ends of the interval, which should hold all of the probability.
    n : int
        Number of nodes. The rule is exact for polynomials of degree 2 n - 1.

    Returns
    -------
    Nodes
        `x` and `weights`.

    Raises
    ------
    ValueError
        If an end is not finite, `low` is not below `high`, or `n` is below one.
    """
    low, high = float(checks.array("low", low, "")), float(checks.array("high", high, ""))
    if not low < high:
        raise ValueError(f"low must be below high, got {low} and {high}")
    x, weights = roots_legendre(checks.whole("n", n))
    return Nodes(low + (high - low) * (x + 1) / 2, (high - low) * weights / 2)


def score(
    log_p: LogDensity, w: Parameter, x: Real[np.ndarray, "n ..."], step: float = 1e-4
) -> Float[np.ndarray, "n K"]:
    """Score s_i(x) = d ln p(x | w) / d w_i, by central differences.

    Parameters
    ----------
    log_p : callable
        log_p(x, w) returns ln p(x_n | w) for every row of `x`, an array (n,).
    w : float or array (K,)
        The parameters at which to differentiate; `log_p` is given them in this form.
    x : array (n, ...)
        Values of the observation.
    step : float
        Distance of the differences. It must be small against the scale on which ln p changes with w
        (sigma, for a mean) and against the distance of w from the border of its range; the error is
        of order step^4.

    Returns
    -------
    array (n, K)
        The score, K = 1 for a number w; its mean over p(x | w) is zero.

    Raises
    ------
    ValueError
        If `w` or `step` is out of range, or `log_p` does not return finite numbers (n,) within
        2 steps of w.
    """
    x, w, step = _arguments(x, w, step)
    return _derivative(lambda v: _evaluate(log_p, x, v), w, step)


def fisher_information(
    log_p: LogDensity,
    w: Parameter,
    x: Real[np.ndarray, "n ..."],
    weights: Real[np.ndarray, " n"] | None = None,
    step: float = 1e-4,
) -> Float[np.ndarray, "K K"]:
    """Fisher information as the covariance of the score, I_ij = E[s_i s_j].

    Parameters
    ----------
    log_p : callable
        log_p(x, w) returns ln p(x_n | w), normalised, for every row of `x`.
    w : float or array (K,)
        The parameters.
    x : array (n, ...)
        All values of a discrete observation, or the nodes of a quadrature.
    weights : array (n,), optional
        Weights of the quadrature; ones if left out, for a discrete observation.
    step : float
        Distance of the differences, see `score`.

    Returns
    -------
    array (K, K)
        I(w); (1, 1) for a number w.

    Raises
    ------
    ValueError
        As for `score`, or if the probabilities of the nodes do not sum to one.

    Notes
    -----
    Lecture 4, "Fisher information".
    """
    probability = _probability(log_p, w, x, weights)
    s = score(log_p, w, x, step)
    return (probability[:, None] * s).T @ s


def expected_curvature(
    log_p: LogDensity,
    w: Parameter,
    x: Real[np.ndarray, "n ..."],
    weights: Real[np.ndarray, " n"] | None = None,
    step: float = 1e-4,
) -> Float[np.ndarray, "K K"]:
    """Fisher information as the expected curvature, I_ij = -E[d^2 ln p(x | w) / (d w_i d w_j)].

    It equals `fisher_information` because d^2 ln p = d^2 p / p - (d ln p)^2, and the integral of
    d^2 p is the second derivative of one. As a difference of differences it is less precise.

    Parameters
    ----------
    log_p : callable
        log_p(x, w) returns ln p(x_n | w), normalised, for every row of `x`.
    w : float or array (K,)
        The parameters.
    x : array (n, ...)
        All values of a discrete observation, or the nodes of a quadrature.
    weights : array (n,), optional
        Weights of the quadrature; ones if left out, for a discrete observation.
    step : float
        Distance of the differences, see `score`; `log_p` is called within 4 steps of w.

    Returns
    -------
    array (K, K)
        I(w); (1, 1) for a number w.

    Raises
    ------
    ValueError
        As for `fisher_information`.

    Notes
    -----
    Lecture 4, the proof that the two forms are equal.
    """
    probability = _probability(log_p, w, x, weights)
    x, w, step = _arguments(x, w, step)
    hessian = _derivative(lambda v: score(log_p, v, x, step), w, step)  # (n, K, K)
    curvature = -np.einsum("n,nij->ij", probability, hessian)
    return (curvature + curvature.T) / 2  # symmetric but for rounding


def jeffreys(
    log_p: LogDensity,
    w: Parameter,
    x: Real[np.ndarray, "n ..."],
    weights: Real[np.ndarray, " n"] | None = None,
    step: float = 1e-4,
) -> float:
    """Jeffreys' prior sqrt(det I(w)) at one w, not normalised: often it cannot be.

    Parameters
    ----------
    log_p : callable
        log_p(x, w) returns ln p(x_n | w), normalised, for every row of `x`.
    w : float or array (K,)
        The parameters.
    x : array (n, ...)
        All values of a discrete observation, or the nodes of a quadrature.
    weights : array (n,), optional
        Weights of the quadrature; ones if left out, for a discrete observation.
    step : float
        Distance of the differences, see `score`.

    Returns
    -------
    float
        The prior's density up to a constant.

    Raises
    ------
    ValueError
        As for `fisher_information`.

    Notes
    -----
    Lecture 4, "Jeffreys prior".
    """
    determinant = np.linalg.det(fisher_information(log_p, w, x, weights, step))
    return float(np.sqrt(max(determinant, 0.0)))  # rounding can carry a singular one below zero


def reparameterise(log_p: LogDensity, inverse: Callable[[Parameter], Parameter]) -> LogDensity:
    """The model p(x | u) in another parameter u = g(w).

    Parameters
    ----------
    log_p : callable
        log_p(x, w) returns ln p(x_n | w).
    inverse : callable
        g^{-1}: inverse(u) returns w.

    Returns
    -------
    callable
        (x, u) -> ln p(x | w = g^{-1}(u)).
    """
    return lambda x, u: log_p(x, inverse(u))


def transform_density(
    density: Callable[[Parameter], float],
    inverse: Callable[[Parameter], Parameter],
    u: Parameter,
    step: float = 1e-4,
) -> float:
    """The density of u = g(W) where W has a given density: p(w) |g'(w)|^{-1} at w = g^{-1}(u).

    A principle that chooses priors is invariant if applying it to the model in u gives this. That
    of Jeffreys is; that of a uniform prior is not.

    Parameters
    ----------
    density : callable
        density(w) returns p(w), perhaps up to a constant.
    inverse : callable
        g^{-1}: inverse(u) returns w, a number or (K,) as u is.
    u : float or array (K,)
        Where to evaluate.
    step : float
        Distance of the differences that give |det d w / d u| = |g'(w)|^{-1}.

    Returns
    -------
    float
        The transformed density.

    Raises
    ------
    ValueError
        If `u` or `step` is out of range, or `inverse` does not return finite numbers like u.

    Notes
    -----
    Lecture 4, "Prior invariance".
    """
    u, step = _parameter("u", u), checks.positive("step", step)
    K = np.size(u)

    def w_of(v: Parameter) -> np.ndarray:
        return checks.array("inverse(u)", np.atleast_1d(inverse(v)), "K", K=K)

    jacobian = _derivative(w_of, u, step)  # d w_i / d u_j
    return float(density(inverse(u)) * abs(np.linalg.det(jacobian)))


def _parameter(name: str, value: object) -> Parameter:
    """A number as a float, several as an array (K,)."""
    value = checks.array(name, value, "K" if np.ndim(np.asarray(value)) else "")
    return value if value.ndim else float(value)


def _arguments(x: object, w: object, step: float) -> tuple[np.ndarray, Parameter, float]:
    x = checks.array("x", x, "...")
    if x.ndim == 0:
        raise ValueError(f"x must have shape (n,) or (n, D), got the number {x}")
    return x, _parameter("w", w), checks.positive("step", step)


def _evaluate(log_p: LogDensity, x: np.ndarray, w: Parameter) -> np.ndarray:
    value = np.asarray(log_p(x, w))
    if value.shape != x.shape[:1]:
        raise ValueError(f"log_p(x, w) must have shape {x.shape[:1]}, got {value.shape}")
    if not np.isfinite(value).all():
        where = x[np.argmin(np.isfinite(value))]
        raise ValueError(
            f"log_p(x, w) must be finite, got {value[~np.isfinite(value)][0]} at x = {where} and "
            f"w = {w}; leave impossible x out, and keep w some steps away from the border"
        )
    return value


def _probability(log_p: LogDensity, w: object, x: object, weights: object) -> np.ndarray:
    """Probability of each node, weight_n p(x_n | w)."""
    x, w, _ = _arguments(x, w, 1.0)
    if weights is None:
        weights = np.ones(len(x))
    weights = checks.nonnegative("weights", weights, "n", n=len(x))
    probability = weights * np.exp(_evaluate(log_p, x, w))
    if abs(probability.sum() - 1) > MISSING_PROBABILITY:
        raise ValueError(
            f"the probabilities of x must sum to one, got {probability.sum()} at w = {w}; "
            "log_p must be normalised, and x and weights must cover every likely x finely enough"
        )
    return probability


def _derivative(
    function: Callable[[Parameter], np.ndarray], w: Parameter, step: float
) -> np.ndarray:
    """Derivatives by each w_i on a new last axis; five points, so that the error is O(step^4)."""
    columns = []
    for e in np.eye(np.size(w)):
        h = step * (e if np.ndim(w) else 1.0)
        outer, inner = function(w + 2 * h) - function(w - 2 * h), function(w + h) - function(w - h)
        columns.append((8 * inner - outer) / (12 * step))
    return np.stack(columns, axis=-1)
