"""Mixtures, K-means and factor models: `latent` against scikit-learn.

Both start from the same parameters or the same responsibilities and do the same number of
iterations; scikit-learn regularises nothing (`reg_covar=0`), as we do not either while every
covariance stays away from our floor.
"""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

from benchmarks.harness import Answer, Case, Scale, Work, per_iteration, up_to
from latent import GMM, PPCA, kmeans_from, kmeans_plus_plus
from latent.variational_gmm import VariationalGMM

PEER = "scikit-learn"
ITERATIONS = (1, 6)


def cases(scale: Scale) -> Iterator[Case]:
    """Yield the cases of this module.

    Parameters
    ----------
    scale : Scale
        How large they may be.

    Yields
    ------
    Case
        Gaussian mixtures by EM and by variational inference, K-means and PPCA.
    """
    for n, K, D in product(up_to(scale.points, 1000, 10_000, 100_000), (3, 20), (2, 16)):
        x = points(n, K, D)
        # Between the two ends one line is enough to see how time grows.
        if n != 10_000 or (K, D) == (20, 16):
            yield _mixture(x, K)
            yield _kmeans(x, K)
    for n, K in product(up_to(scale.points, 1000, 100_000), (3, 20)):
        yield _variational_mixture(points(n, K, 2), K)
    for n, D in product(up_to(scale.points, 1000, 100_000), (16, 64)):
        yield _ppca(points(n, 3, D), D // 4)


def points(n: int, K: int, D: int) -> np.ndarray:
    """Draw n points from K normal densities in D dimensions.

    They lie apart, but not so far that EM is done before the iterations end.
    """
    rng = np.random.default_rng(0)
    means = rng.normal(scale=4.0, size=(K, D))
    L = np.eye(D) + 0.4 * rng.normal(size=(K, D, D)) / np.sqrt(D)
    states = rng.integers(K, size=n)
    x = rng.normal(size=(n, D))
    for k in range(K):
        x[states == k] = means[k] + x[states == k] @ L[k].T
    return x


def _generator() -> np.random.Generator:
    """Return the same random numbers at each call, for starts that lead away from singularities."""
    return np.random.default_rng(3)


def _name(x: np.ndarray, K: int) -> str:
    return f"K = {K}, D = {x.shape[1]}, n = {len(x):,}"


def _sizes(x: np.ndarray, K: int) -> dict:
    return {"n": len(x), "K": K, "D": x.shape[1]}


def _mixture(x: np.ndarray, K: int) -> Case:
    """One iteration of EM, from the start that `GMM.fit` draws with the same seed."""
    start = GMM.start(x, K, _generator())
    given = {
        "weights_init": start.weights,
        "means_init": start.means,
        "precisions_init": np.linalg.inv(start.covariances),
    }

    def ours(n_iter: int) -> Answer:
        fit = GMM.fit(x, K, rng=_generator(), restarts=1, max_iter=n_iter, tol=0.0)
        return {
            "iterations": len(fit.trace) - 1,
            "log evidence": fit.trace[-2],  # before the last M-step, as scikit-learn has it
            "weights": fit.model.weights,
            "means": fit.model.means,
            "covariances": fit.model.covariances,
        }

    def theirs(n_iter: int) -> Answer:
        fit = GaussianMixture(K, tol=0, reg_covar=0, max_iter=n_iter, **given).fit(x)
        return {
            "iterations": fit.n_iter_,
            "log evidence": fit.lower_bound_ * len(x),
            "weights": fit.weights_,
            "means": fit.means_,
            "covariances": fit.covariances_,
        }

    targets = {PEER: 0.6} if len(x) in (1000, 100_000) else {}
    return _iterated("Gaussian mixture, EM", x, K, ours, theirs, targets)


def _variational_mixture(x: np.ndarray, K: int) -> Case:
    """One iteration of coordinate ascent, from the start that `fit` draws with the same seed."""
    start = VariationalGMM.start(x, K, _generator())

    def ours(n_iter: int) -> Answer:
        rng = _generator()
        fit = VariationalGMM.fit(x, K, rng=rng, restarts=1, max_iter=n_iter, tol=0.0)
        model = fit.model
        return {
            "iterations": len(fit.trace) - 1,
            "alpha": model.alpha,
            "means": model.m,
            "covariances": model.W_inv / model.nu[:, None, None],
        }

    def theirs(n_iter: int) -> Answer:
        fit = _bayesian_mixture(start, n_iter).fit(x)
        return {
            "iterations": fit.n_iter_,
            "alpha": fit.weight_concentration_,
            "means": fit.means_,
            "covariances": fit.covariances_,
        }

    return _iterated("Gaussian mixture, variational", x, K, ours, theirs, {})


def _bayesian_mixture(start: VariationalGMM, n_iter: int) -> BayesianGaussianMixture:
    """Return scikit-learn's mixture with our prior, about to go on from `start`."""
    prior = start.prior
    peer = BayesianGaussianMixture(
        n_components=len(start.alpha),
        tol=0,
        reg_covar=0,
        max_iter=n_iter,
        warm_start=True,  # there is no argument for a start: go on as if after an earlier fit
        weight_concentration_prior_type="dirichlet_distribution",
        weight_concentration_prior=prior.alpha,
        mean_precision_prior=prior.beta,
        mean_prior=prior.m,
        degrees_of_freedom_prior=prior.nu,
        covariance_prior=prior.W_inv,
    )
    covariances = start.W_inv / start.nu[:, None, None]
    peer.converged_, peer.lower_bound_ = False, -np.inf
    peer.weight_concentration_, peer.mean_precision_ = start.alpha, start.beta
    peer.means_, peer.degrees_of_freedom_ = start.m, start.nu
    peer.covariances_ = covariances
    peer.precisions_cholesky_ = np.linalg.inv(np.linalg.cholesky(covariances)).swapaxes(1, 2)
    return peer


def _iterated(
    section: str,
    x: np.ndarray,
    K: int,
    ours: Callable[[int], Answer],
    theirs: Callable[[int], Answer],
    targets: dict[str, float],
) -> Case:
    return Case(
        section,
        _name(x, K),
        per_iteration(ours, *ITERATIONS),
        {PEER: per_iteration(theirs, *ITERATIONS)},
        targets,
        _sizes(x, K),
        tolerance=1e-6,
    )


def _kmeans(x: np.ndarray, K: int) -> Case:
    """A whole run of at most 20 iterations; it may converge before."""
    means = kmeans_plus_plus(x, K, _generator())

    def ours() -> Answer:
        fit = kmeans_from(x, means, max_iter=20)
        # The last assignment is an iteration to scikit-learn if it finds convergence.
        n_iter = len(fit.trace) - (not fit.converged)
        return {"iterations": n_iter, "inertia": fit.trace[-1], "means": fit.means}

    def theirs() -> Answer:
        fit = KMeans(K, init=means, n_init=1, max_iter=20, tol=0, algorithm="lloyd").fit(x)
        return {
            "iterations": fit.n_iter_,
            "inertia": fit.inertia_,
            "means": fit.cluster_centers_,
        }

    return Case("K-means", _name(x, K), Work(ours), {PEER: Work(theirs)}, {PEER: 1.3}, _sizes(x, K))


def _ppca(x: np.ndarray, K: int) -> Case:
    """The closed form; scikit-learn divides by n - 1 where maximum likelihood divides by n."""

    def ours() -> Answer:
        model = PPCA.closed_form(x, K)
        return {"covariance": model.W @ model.W.T + model.variance * np.eye(x.shape[1])}

    def theirs() -> Answer:
        return {"covariance": PCA(K).fit(x).get_covariance() * (1 - 1 / len(x))}

    return Case(
        "PPCA, closed form", _name(x, K), Work(ours), {PEER: Work(theirs)}, {}, _sizes(x, K)
    )
