"""Gaussian mixture: a hidden Markov model without memory, fitted by EM.

Lecture 1, probabilistic K-means. p(x_n) = sum_k pi_k N(x_n; mu_k, Sigma_k). The E-step gives the
responsibilities

    gamma_nk = pi_k N(x_n; mu_k, Sigma_k) / sum_j pi_j N(x_n; mu_j, Sigma_j),

and with N_k = sum_n gamma_nk the M-step

    mu_k = sum_n gamma_nk x_n / N_k,
    Sigma_k = sum_n gamma_nk (x_n - mu_k)(x_n - mu_k)^T / N_k,
    pi_k = N_k / T.

With Sigma_k = eps I and eps -> 0 the responsibilities become the assignments of K-means.

`responsibilities` and `m_step` are these formulas. `em`, which repeats them, goes through the
points once in an iteration and never stores all of gamma. The new mean mu_k' is not known yet on
the way, so the sums are taken about the old mean mu_k:

    d_k = mu_k' - mu_k = sum_n gamma_nk (x_n - mu_k) / N_k,
    Sigma_k' = sum_n gamma_nk (x_n - mu_k)(x_n - mu_k)^T / N_k - d_k d_k^T.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from latent import checks
from latent.clustering import kmeans_plus_plus
from latent.emissions import Gaussian, Sample, clip_eigenvalues
from latent.emissions.gaussian import data_covariance
from latent.fitting import Fit, best_of, em
from latent.shapes import Float, Real

# Numbers x_n - mu_k in a block of points: few blocks make few calls, small ones stay in the cache.
BLOCK = 2**19

# Share of a variance that d_k d_k^T may take with it in rounding, before `GMM.m_step` steps in.
ACCURATE = 1e-9


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
        emission = Gaussian(self.means, self.covariances, floor).m_step(x, gamma)
        counts = gamma.sum(axis=0)
        return GMM(counts / len(gamma), emission.means, emission.covariances)

    def em(
        self,
        x: Real[np.ndarray, "T D"],
        *,
        max_iter: int = 200,
        tol: float = 1e-6,
        floor: float = 1e-6,
    ) -> Fit:
        """Maximum likelihood by EM from this model.

        The same as `latent.em` with `responsibilities`, `log_evidence` and `m_step`, but faster.

        Parameters
        ----------
        x : array (T, D)
            Points.
        max_iter : int
            Largest number of M-steps.
        tol : float
            Gain of an iteration, in nats, at or below which the loop ends.
        floor : float
            Smallest eigenvalue of a covariance, in squared units of `x`.

        Returns
        -------
        Fit
            `model` is the mixture.

        Raises
        ------
        ValueError
            If `x` does not fit or all of it is missing, or another argument is out of range.
        RuntimeError
            As for `latent.em`.

        Notes
        -----
        To subtract d_k d_k^T loses digits if a mean moves by many widths of its new component: 1e-9
        of a variance if by two thousand times the narrowest. Beyond that the M-step is `m_step`
        itself.

        No form of EM can hold a variance of less than about 1e-10 of the largest one, because the
        rounding of a covariance matrix is 1e-16 of its largest entry. If points lie on a line or in
        a plane, a floor below that can end in the RuntimeError of `latent.em`.
        """
        x, observed = checks.points_or_missing("x", x, D=self.means.shape[1])
        floor = checks.at_least_zero("floor", floor)
        columns = np.ascontiguousarray(checks.some_observed("x", x[observed]).T)
        room = _room(columns, len(self.weights))

        def e_step(model: GMM) -> tuple[tuple[GMM, _Sums], float]:
            sums, log_evidence = _expected_sums(model, columns, room)
            return (model, sums), log_evidence

        def m_step(posterior: tuple[GMM, _Sums]) -> GMM:
            model, sums = posterior
            new = _match(model, sums, len(x) - columns.shape[1], floor)
            if _loses_digits(model, new):
                return model.m_step(x, model.responsibilities(x), floor=floor)
            return new

        return em(self, e_step, m_step, max_iter=max_iter, tol=tol)

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
        covariance = data_covariance(x, floor)
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

        def run(rng: np.random.Generator) -> Fit:
            start = cls.start(x, n_components, rng, floor=floor)
            return start.em(x, max_iter=max_iter, tol=tol, floor=floor)

        return best_of(run, restarts, rng)


class _Sums(NamedTuple):
    """N_k, and sums over the points of gamma_nk times x_n - mu_k and (x_n - mu_k)(x_n - mu_k)^T."""

    N: Float[np.ndarray, " K"]
    first: Float[np.ndarray, "K D"]
    second: Float[np.ndarray, "K D D"]


def _room(columns: Float[np.ndarray, "D T"], K: int) -> Float[np.ndarray, "2 K D B"]:
    """Two arrays for all blocks of points: to ask for new ones each time takes long."""
    D, T = columns.shape
    return np.empty((2, K, D, min(T, max(1, BLOCK // (K * D)))))


def _expected_sums(
    model: GMM, columns: Float[np.ndarray, "D T"], room: Float[np.ndarray, "2 K D B"]
) -> tuple[_Sums, float]:
    """E-step, B points at a time: the sums, and ln p(X)."""
    (K, D), (T, B) = model.means.shape, (columns.shape[1], room.shape[3])
    L = np.linalg.cholesky(model.covariances)
    whiten = np.linalg.inv(L)
    constant = checks.log(model.weights) - np.log(np.diagonal(L, axis1=1, axis2=2)).sum(axis=1)
    constant -= 0.5 * D * np.log(2 * np.pi)
    sums, log_evidence = _Sums(np.zeros(K), np.zeros((K, D)), np.zeros((K, D, D))), 0.0
    for start in range(0, T, B):
        x = columns[:, start : start + B]
        centred, z = room[..., : x.shape[1]]
        np.subtract(x, model.means[:, :, None], out=centred)
        np.matmul(whiten, centred, out=z)
        log_joint = np.einsum("kdt,kdt->kt", z, z)
        log_joint *= -0.5
        log_joint += constant[:, None]
        largest = log_joint.max(axis=0)
        log_joint -= largest
        gamma = np.exp(log_joint, out=log_joint)  # but for the denominator, `total`
        total = gamma.sum(axis=0)
        gamma /= total
        log_evidence += float((largest + np.log(total)).sum())
        sums.N[:] += gamma.sum(axis=1)
        sums.first[:] += (centred @ gamma[:, :, None])[:, :, 0]
        weighted = np.multiply(gamma[:, None], centred, out=z)
        sums.second[:] += weighted @ centred.transpose(0, 2, 1)
    return sums, log_evidence


def _match(old: GMM, sums: _Sums, n_missing: int, floor: float) -> GMM:
    """M-step from the sums; a component without points keeps its mean and covariance."""
    some = sums.N > 0
    N = sums.N[some, None]
    d = sums.first[some] / N
    means, covariances = old.means.copy(), old.covariances.copy()
    means[some] += d
    scatter = sums.second[some] / N[:, None] - d[:, :, None] * d[:, None, :]
    covariances[some] = _at_least(scatter, floor)
    # The responsibilities of a missing point are the old weights.
    weights = sums.N + n_missing * old.weights
    return GMM(weights / weights.sum(), means, covariances)


def _at_least(covariances: Float[np.ndarray, "K D D"], floor: float) -> Float[np.ndarray, "K D D"]:
    """Clip eigenvalues, if there is one to clip: a Cholesky factor tells that in less time."""
    covariances = (covariances + covariances.transpose(0, 2, 1)) / 2
    D = covariances.shape[1]
    rounding = 8 * D * np.finfo(float).eps * np.trace(covariances, axis1=1, axis2=2)
    low = np.maximum(floor, rounding)[:, None, None] * np.eye(D)
    try:
        np.linalg.cholesky(covariances - low)
    except np.linalg.LinAlgError:
        return clip_eigenvalues(covariances, floor)
    return covariances


def _loses_digits(old: GMM, new: GMM) -> bool:
    """Whether d_k d_k^T, subtracted in `_match`, has spoilt a small eigenvalue of Sigma_k'."""
    squared_move = ((new.means - old.means) ** 2).sum(axis=1)
    # Within its size, the sum of its variances, a component loses no more than the sums themselves.
    far = squared_move > np.trace(new.covariances, axis1=1, axis2=2)
    if not far.any():
        return False
    smallest = 1 / np.linalg.norm(np.linalg.inv(new.covariances[far]), axis=(1, 2))  # or more
    return bool((np.finfo(float).eps * squared_move[far] > ACCURATE * smallest).any())
