"""Gaussian mixture: a hidden Markov model without memory, fitted by EM.

Lecture 1, probabilistic K-means. p(x_n) = sum_k pi_k N(x_n; mu_k, Sigma_k). The E-step gives the
responsibilities

    gamma_nk = pi_k N(x_n; mu_k, Sigma_k) / sum_j pi_j N(x_n; mu_j, Sigma_j),

and with N_k = sum_n gamma_nk the M-step

    mu_k = sum_n gamma_nk x_n / N_k,
    Sigma_k = sum_n gamma_nk (x_n - mu_k)(x_n - mu_k)^T / N_k,
    pi_k = N_k / T.

With Sigma_k = eps I and eps -> 0 the responsibilities become the assignments of K-means.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Real
from scipy.special import softmax

from latent import checks
from latent.clustering import kmeans_plus_plus
from latent.emissions import Gaussian, Sample, clip_eigenvalues
from latent.fitting import Fit, best_of, em


@dataclass(frozen=True, eq=False)
class GMM:
    """A mixture of K normal densities.

    A row of `x` that is all NaN is a missing point: its likelihood is one, its responsibilities are
    the weights.

    Parameters
    ----------
    weights : array (K,)
        pi_k; they sum to one.
    means : array (K, D)
        mu_k.
    covariances : array (K, D, D)
        Sigma_k, symmetric positive definite.

    Attributes
    ----------
    emission : Gaussian
        The components as emissions, N(x; mu_k, Sigma_k).

    Raises
    ------
    ValueError
        If `weights` is not a distribution, the shapes do not fit, or a covariance is not symmetric
        positive definite.
    """

    weights: Float[np.ndarray, " K"]
    means: Float[np.ndarray, "K D"]
    covariances: Float[np.ndarray, "K D D"]
    emission: Gaussian = field(init=False, repr=False)

    def __post_init__(self) -> None:
        weights = checks.probabilities("weights", self.weights, "K")
        means = checks.array("means", self.means, "K D", K=len(weights))
        emission = Gaussian(means, self.covariances)
        object.__setattr__(self, "weights", checks.frozen(weights))
        object.__setattr__(self, "means", emission.means)
        object.__setattr__(self, "covariances", emission.covariances)
        object.__setattr__(self, "emission", emission)

    def log_joint(self, x: Real[np.ndarray, "T D"]) -> Float[np.ndarray, "T K"]:
        """Log joint ln p(x_n, S_n = k) = ln pi_k + ln N(x_n; mu_k, Sigma_k).

        Parameters
        ----------
        x : array (T, D)
            Points.

        Returns
        -------
        array (T, K)
            One row a point, one column a component.

        Raises
        ------
        ValueError
            If `x` has another dimension, an infinity, or a row that is partly NaN.
        """
        return checks.log(self.weights) + self.emission.log_likelihood(x)

    def responsibilities(self, x: Real[np.ndarray, "T D"]) -> Float[np.ndarray, "T K"]:
        """E-step: gamma_nk = p(S_n = k | x_n).

        Parameters
        ----------
        x : array (T, D)
            Points.

        Returns
        -------
        array (T, K)
            gamma_nk; each row sums to one.

        Raises
        ------
        ValueError
            As for `log_joint`.
        """
        return softmax(self.log_joint(x), axis=1)

    def log_evidence(self, x: Real[np.ndarray, "T D"]) -> float:
        """Log evidence ln p(X) = sum_n ln sum_k pi_k N(x_n; mu_k, Sigma_k).

        Parameters
        ----------
        x : array (T, D)
            Points.

        Returns
        -------
        float
            The log evidence in nats.

        Raises
        ------
        ValueError
            As for `log_joint`.
        """
        return float(np.logaddexp.reduce(self.log_joint(x), axis=1).sum())

    def m_step(
        self, x: Real[np.ndarray, "T D"], gamma: Real[np.ndarray, "T K"], *, floor: float = 1e-6
    ) -> "GMM":
        """M-step: the formulas at the top of the module.

        Parameters
        ----------
        x : array (T, D)
            Points.
        gamma : array (T, K)
            Responsibilities (or one-hot assignments); each row sums to one.
        floor : float
            Smallest eigenvalue of a covariance, in squared units of `x`; see `Gaussian.m_step`.

        Returns
        -------
        GMM
            The maximiser of Q. A component without responsibility keeps its mean and covariance.

        Raises
        ------
        ValueError
            If `x` or `gamma` does not fit, or `floor` is negative.
        """
        gamma = checks.probabilities("gamma", gamma, "T K", K=len(self.weights))
        emission = self.emission.m_step(x, gamma, floor=floor)
        counts = gamma.sum(axis=0)
        return GMM(counts / len(gamma), emission.means, emission.covariances)

    def sample(self, n_points: int, rng: np.random.Generator) -> Sample:
        """Draw s_n from the weights and x_n from N(mu_k, Sigma_k) with k = s_n.

        Parameters
        ----------
        n_points : int
            T.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        Sample
            `states` (T,) and `x` (T, D).

        Raises
        ------
        ValueError
            If `n_points` is below one or `rng` is not a generator.
        """
        n_points, rng = checks.whole("n_points", n_points), checks.generator(rng)
        states = rng.choice(len(self.weights), n_points, p=self.weights)
        return Sample(states, self.emission.sample(states, rng))

    @classmethod
    def start(
        cls,
        x: Real[np.ndarray, "T D"],
        n_components: int,
        rng: np.random.Generator,
        *,
        floor: float = 1e-6,
    ) -> "GMM":
        """A model to start EM from: K-means++ means, the covariance of the data, equal weights.

        Parameters
        ----------
        x : array (T, D)
            Points.
        n_components : int
            K, at most the number of distinct points.
        rng : numpy.random.Generator
            Source of randomness.
        floor : float
            Smallest eigenvalue of a covariance, in squared units of `x`.

        Returns
        -------
        GMM
            The start.

        Raises
        ------
        ValueError
            If `x` does not fit, or `n_components` is below one or above the number of distinct
            points.
        """
        x, observed = checks.points_or_missing("x", x)
        floor = checks.at_least_zero("floor", floor)
        if not observed.any():
            raise ValueError("x must have at least one row that is not missing")
        x = x[observed]
        K = checks.n_groups("n_components", n_components, x)
        covariance = clip_eigenvalues(np.atleast_2d(np.cov(x.T, bias=True)), floor)
        return cls(np.full(K, 1 / K), kmeans_plus_plus(x, K, rng), np.stack([covariance] * K))

    @classmethod
    def fit(
        cls,
        x: Real[np.ndarray, "T D"],
        n_components: int,
        *,
        rng: np.random.Generator,
        restarts: int = 5,
        max_iter: int = 200,
        tol: float = 1e-6,
        floor: float = 1e-6,
    ) -> Fit:
        """Maximum likelihood by EM from several starts.

        Parameters
        ----------
        x : array (T, D)
            Points.
        n_components : int
            K, at most the number of distinct points.
        rng : numpy.random.Generator
            Source of randomness.
        restarts : int
            Number of starts.
        max_iter : int
            Largest number of M-steps of a run.
        tol : float
            Gain of an iteration, in nats, at or below which a run ends.
        floor : float
            Smallest eigenvalue of a covariance, in squared units of `x`: without it the evidence
            has no maximum, because a component can shrink on a single point.

        Returns
        -------
        Fit
            The run that ends with the largest log evidence.

        Raises
        ------
        ValueError
            If an argument is out of range.

        Notes
        -----
        Lecture 1, EM for Gaussian mixtures; Bishop (2006), section 9.2.
        """

        def e_step(model: GMM) -> tuple[tuple[GMM, np.ndarray], float]:
            log_joint = model.log_joint(x)
            gamma = softmax(log_joint, axis=1)
            return (model, gamma), float(np.logaddexp.reduce(log_joint, axis=1).sum())

        def m_step(posterior: tuple[GMM, np.ndarray]) -> GMM:
            # The old model comes along for a component that has lost all its points.
            model, gamma = posterior
            return model.m_step(x, gamma, floor=floor)

        def run(rng: np.random.Generator) -> Fit:
            start = cls.start(x, n_components, rng, floor=floor)
            return em(start, e_step, m_step, max_iter=max_iter, tol=tol)

        return best_of(run, restarts, rng)
