"""K-means: T points, K means, each point assigned to its nearest mean.

Lecture 1, K-means. With r_nk = 1 if point n is assigned to cluster k and 0 otherwise, minimise

    J = sum_n sum_k r_nk |x_n - mu_k|^2

by turns: over r, which assigns each point to its nearest mean, and over mu, which gives
mu_k = sum_n r_nk x_n / sum_n r_nk. Neither step raises J. Here `assignments[n]` is the k with
r_nk = 1.
"""

from typing import NamedTuple

import numpy as np

from latent import checks
from latent.shapes import Float, Int, Real

# Numbers r_nk in a block of points: few blocks make few calls, small ones stay in the cache.
BLOCK = 2**16


class KMeans(NamedTuple):
    """Result of K-means.

    Attributes
    ----------
    means : array (K, D)
        mu_k.
    assignments : array (T,)
        The k with r_nk = 1, from 0 to K - 1.
    trace : array (n_iter,)
        J of the means before each mean step; trace[-1] is J of `means` and `assignments`. It never
        increases.
    converged : bool
        Whether the assignments stopped changing; if not, the iterations ran out.
    """

    means: Float[np.ndarray, "K D"]
    assignments: Int[np.ndarray, " T"]
    trace: Float[np.ndarray, " n_iter"]
    converged: bool


def distortion(
    x: Real[np.ndarray, "T D"], means: Real[np.ndarray, "K D"], assignments: Int[np.ndarray, " T"]
) -> float:
    """Objective J = sum_n |x_n - mu_k(n)|^2, where k(n) is the cluster of point n.

    Parameters
    ----------
    x : array (T, D)
        Points.
    means : array (K, D)
        mu_k.
    assignments : array (T,)
        k(n), from 0 to K - 1.

    Returns
    -------
    float
        J.

    Raises
    ------
    ValueError
        If the shapes do not fit, a point is missing or an assignment is out of range.

    Notes
    -----
    Lecture 1, K-means, equation (7).
    """
    x, means = _points_and_means(x, means)
    k = checks.integers("assignments", assignments, "T", low=0, high=len(means), T=len(x))
    return float(((x - means[k]) ** 2).sum())


def assign(x: Real[np.ndarray, "T D"], means: Real[np.ndarray, "K D"]) -> Int[np.ndarray, " T"]:
    """Assignment step: the nearest mean of each point, the first of them if several tie.

    Parameters
    ----------
    x : array (T, D)
        Points.
    means : array (K, D)
        mu_k.

    Returns
    -------
    array (T,)
        argmin_k |x_n - mu_k|^2, from 0 to K - 1.

    Raises
    ------
    ValueError
        If the shapes do not fit or a point is missing.

    Notes
    -----
    Lecture 1, K-means, equation (8).
    """
    x, means = _points_and_means(x, means)
    return _assignments(_lifted(x), means)


def cluster_means(
    x: Real[np.ndarray, "T D"], assignments: Int[np.ndarray, " T"], means: Real[np.ndarray, "K D"]
) -> Float[np.ndarray, "K D"]:
    """Mean step: mu_k = sum_n r_nk x_n / sum_n r_nk.

    Parameters
    ----------
    x : array (T, D)
        Points.
    assignments : array (T,)
        The k with r_nk = 1, from 0 to K - 1.
    means : array (K, D)
        The means so far; a cluster without points, whose mean J does not depend on, keeps its own.

    Returns
    -------
    array (K, D)
        The minimiser of J for these assignments.

    Raises
    ------
    ValueError
        If the shapes do not fit, a point is missing or an assignment is out of range.

    Notes
    -----
    Lecture 1, K-means, equation (9).
    """
    x, means = _points_and_means(x, means)
    K = len(means)
    assignments = checks.integers("assignments", assignments, "T", low=0, high=K, T=len(x))
    r = np.eye(K)[assignments]
    S = np.column_stack([r.T @ x, r.sum(axis=0)])
    return _means(S, np.zeros(x.shape[1]), means)


def kmeans_from(
    x: Real[np.ndarray, "T D"], means: Real[np.ndarray, "K D"], *, max_iter: int = 300
) -> KMeans:
    """K-means from given means, until the assignments stay the same.

    Parameters
    ----------
    x : array (T, D)
        Points.
    means : array (K, D)
        Where to start.
    max_iter : int
        Largest number of mean steps.

    Returns
    -------
    KMeans
        trace[0] is J of the given means.

    Raises
    ------
    ValueError
        If the shapes do not fit, a point is missing or `max_iter` is below one.

    Notes
    -----
    Lecture 1, K-means; Lloyd (1982). It stops, because J falls until the assignments stay the same
    and there are at most K^T of them; where it stops need not be the best of them. `assign`,
    `cluster_means` and `distortion` are its steps; here the sums over n change only by the points
    that move to another cluster.
    """
    x, means = _points_and_means(x, means)
    max_iter = checks.whole("max_iter", max_iter)
    points = _lifted(x)
    assignments = _assignments(points, means)
    S = _sums(points.phi, assignments, len(means))
    trace = [_distortion(points, means, assignments, S)]
    converged = False
    while not converged and len(trace) <= max_iter:
        means = _means(S, points.origin, means)
        previous, assignments = assignments, _assignments(points, means)
        moved = np.flatnonzero(assignments != previous)
        converged = len(moved) == 0
        if not converged:
            phi, K = points.phi[:, moved], len(means)
            S += _sums(phi, assignments[moved], K) - _sums(phi, previous[moved], K)
        trace.append(_distortion(points, means, assignments, S))
    return KMeans(means, assignments, np.array(trace), converged)


def kmeans_plus_plus(
    x: Real[np.ndarray, "T D"], n_clusters: int, rng: np.random.Generator
) -> Float[np.ndarray, "K D"]:
    """Starting means that lie apart: points drawn by their squared distance to those drawn before.

    Parameters
    ----------
    x : array (T, D)
        Points.
    n_clusters : int
        K, at most the number of distinct points.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    array (K, D)
        K distinct points of `x`.

    Raises
    ------
    ValueError
        If a point is missing, or `n_clusters` is below one or above the number of distinct points.

    Notes
    -----
    Arthur and Vassilvitskii (2007): p(x_n) is proportional to min_k |x_n - mu_k|^2.
    """
    x = checks.points("x", x)
    K, rng = checks.n_groups("n_clusters", n_clusters, x), checks.generator(rng)
    chosen = [int(rng.integers(len(x)))]
    squared_distance = np.full(len(x), np.inf)
    while len(chosen) < K:
        squared_distance = np.minimum(squared_distance, ((x - x[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(rng.choice(len(x), p=squared_distance / squared_distance.sum())))
    return x[chosen]


def kmeans(
    x: Real[np.ndarray, "T D"],
    n_clusters: int,
    *,
    rng: np.random.Generator,
    restarts: int = 10,
    max_iter: int = 300,
) -> KMeans:
    """K-means from several K-means++ starts: the run with the smallest J.

    Parameters
    ----------
    x : array (T, D)
        Points.
    n_clusters : int
        K, at most the number of distinct points.
    rng : numpy.random.Generator
        Source of randomness.
    restarts : int
        Number of runs.
    max_iter : int
        Largest number of mean steps of a run.

    Returns
    -------
    KMeans
        The best run.

    Raises
    ------
    ValueError
        If a point is missing, or `n_clusters`, `restarts` or `max_iter` is out of range.

    Notes
    -----
    Lecture 1, K-means.
    """
    x = checks.points("x", x)
    restarts = checks.whole("restarts", restarts)
    runs = (
        kmeans_from(x, kmeans_plus_plus(x, n_clusters, rng), max_iter=max_iter)
        for _ in range(restarts)
    )
    return min(runs, key=lambda run: run.trace[-1])


def _points_and_means(x: np.ndarray, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x = checks.points("x", x)
    return x, checks.array("means", means, "K D", D=x.shape[1])


class _Points(NamedTuple):
    """Points x (T, D), their mean, and in columns phi (D + 1, T) = (x_n - origin, 1).

    Products lose no digits to a far origin if the mean is taken away first. `largest` is
    max_n |phi_n| (D + 1,) and `total` is sum_n |x_n - origin|^2.
    """

    x: Float[np.ndarray, "T D"]
    origin: Float[np.ndarray, " D"]
    phi: Float[np.ndarray, "F T"]
    largest: Float[np.ndarray, " F"]
    total: float


def _lifted(x: Float[np.ndarray, "T D"]) -> _Points:
    origin = x.mean(axis=0)
    phi = np.empty((len(origin) + 1, len(x)))
    np.subtract(x.T, origin[:, None], out=phi[:-1])
    phi[-1] = 1.0
    largest = np.maximum(phi.max(axis=1), -phi.min(axis=1))
    return _Points(x, origin, phi, largest, float(np.einsum("dt,dt->", phi[:-1], phi[:-1])))


def _assignments(points: _Points, means: Float[np.ndarray, "K D"]) -> Int[np.ndarray, " T"]:
    """Assignment step, some points at a time.

    |x_n - mu_k|^2 = |x_n|^2 - 2 (mu_k^T x_n - |mu_k|^2 / 2), so the nearest mean is the one with
    the largest mu_k^T x_n - |mu_k|^2 / 2 = (mu_k, -|mu_k|^2 / 2)^T phi(x_n), a product of matrices.
    Where two are as large but for rounding, the distances themselves decide.
    """
    (K, D), T = means.shape, len(points.x)
    mu = means - points.origin
    theta = np.column_stack([mu, -0.5 * (mu**2).sum(axis=1)])
    rounding = 2 * (D + 2) * np.finfo(float).eps * (np.abs(theta) @ points.largest).max()
    assignments, k = np.empty(T, int), np.arange(float(K))
    B = min(T, max(1, BLOCK // K))
    scores, largest = np.empty((K, B)), np.empty((K, B), bool)  # the same for all blocks
    for start in range(0, T, B):
        block = slice(start, min(start + B, T))
        r, nearest = scores[:, : block.stop - start], largest[:, : block.stop - start]
        np.matmul(theta, points.phi[:, block], out=r)
        np.greater_equal(r, r.max(axis=0) - rounding, out=nearest)
        np.copyto(r, nearest)
        assignments[block] = k @ r
        if np.count_nonzero(nearest) > r.shape[1]:
            tied = start + np.flatnonzero(nearest.sum(axis=0) > 1)
            squares = ((points.x[tied, None, :] - means) ** 2).sum(axis=2)
            assignments[tied] = squares.argmin(axis=1)
    return assignments


def _sums(
    phi: Float[np.ndarray, "F T"], assignments: Int[np.ndarray, " T"], K: int
) -> Float[np.ndarray, "K F"]:
    """S_k = sum_n r_nk (x_n - origin, 1): what the mean step and J need."""
    return np.column_stack([np.bincount(assignments, row, K) for row in phi])


def _distortion(
    points: _Points,
    means: Float[np.ndarray, "K D"],
    assignments: Int[np.ndarray, " T"],
    S: Float[np.ndarray, "K F"],
) -> float:
    """J = sum_n |x_n|^2 + sum_k (N_k |mu_k|^2 - 2 mu_k^T sum_n r_nk x_n), where that is accurate.

    Otherwise the difference of large numbers loses too many digits.
    """
    mu = means - points.origin
    J = points.total + float((S[:, -1:] * mu**2 - 2 * mu * S[:, :-1]).sum())
    lossy = points.total > 1e3 * J
    return distortion(points.x, means, assignments) if lossy else J


def _means(
    S: Float[np.ndarray, "K F"], origin: Float[np.ndarray, " D"], means: Float[np.ndarray, "K D"]
) -> Float[np.ndarray, "K D"]:
    """Mean step from the sums; a cluster without points keeps its mean."""
    some = S[:, -1] > 0
    new_means = means.copy()
    new_means[some] = origin + S[some, :-1] / S[some, -1:]
    return new_means
