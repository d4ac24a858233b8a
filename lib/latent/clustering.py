"""K-means: T points, K means, each point assigned to its nearest mean.

Lecture 1, K-means. With r_nk = 1 if point n is assigned to cluster k and 0 otherwise, minimise

    J = sum_n sum_k r_nk |x_n - mu_k|^2

by turns: over r, which assigns each point to its nearest mean, and over mu, which gives
mu_k = sum_n r_nk x_n / sum_n r_nk. Neither step raises J. Here `assignments[n]` is the k with
r_nk = 1.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Real
from scipy.spatial.distance import cdist

from latent import checks


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
    return cdist(x, means, "sqeuclidean").argmin(axis=1)


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
    counts = r.sum(axis=0)
    some = counts > 0
    new_means = means.copy()
    new_means[some] = (r.T @ x)[some] / counts[some, None]
    return new_means


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
    and there are at most K^T of them; where it stops need not be the best of them.
    """
    x, means = _points_and_means(x, means)
    max_iter = checks.whole("max_iter", max_iter)
    assignments = assign(x, means)
    trace = [distortion(x, means, assignments)]
    converged = False
    while not converged and len(trace) <= max_iter:
        means = cluster_means(x, assignments, means)
        previous, assignments = assignments, assign(x, means)
        trace.append(distortion(x, means, assignments))
        converged = bool((assignments == previous).all())
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
