"""Probabilistic principal component analysis: EM with a continuous hidden variable.

Lecture 1 (slides on latent factor models). z_n ~ N(0, I) in K dimensions and x_n = mu + W z_n +
noise of variance sigma^2 in D > K. With M = W^T W + sigma^2 I the E-step is

    E[z_n] = M^{-1} W^T (x_n - mu),    E[z_n z_n^T] = sigma^2 M^{-1} + E[z_n] E[z_n]^T,

and the M-step, which maximises the expectation of the complete log-likelihood

    -sum_n { D/2 ln sigma^2 + |x_n - mu|^2 / (2 sigma^2) - z_n^T W^T (x_n - mu) / sigma^2
             + tr(z_n z_n^T W^T W) / (2 sigma^2) + tr(z_n z_n^T) / 2 } + constant,

replaces z_n and z_n z_n^T in it by these. The maximum is known in closed form too (Tipping and
Bishop 1999).

The points enter only through their covariance S, because mu at their mean is the best and the rest
are sums over n of (x_n - mu)(x_n - mu)^T. So `fit` takes the steps on D points instead of T, which
have the same covariance: with the eigenvalues l_j and eigenvectors u_j of S they are
y_j = sqrt(D l_j) u_j, since sum_j y_j y_j^T / D = S.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import scipy.linalg

from latent import checks
from latent.fitting import Fit, em
from latent.shapes import Float, Real


class Latent(NamedTuple):
    """Posterior of the hidden variables, p(z_n | x_n) = N(z_n; mean_n, covariance).

    Attributes
    ----------
    mean : array (T, K)
        E[z_n].
    covariance : array (K, K)
        Cov[z_n], the same for every n.
    """

    mean: Float[np.ndarray, "T K"]
    covariance: Float[np.ndarray, "K K"]


class LatentSample(NamedTuple):
    """Hidden variables and the data they explain.

    Attributes
    ----------
    z : array (T, K)
        z_n.
    x : array (T, D)
        x_n.
    """

    z: Float[np.ndarray, "T K"]
    x: Float[np.ndarray, "T D"]


@dataclass(frozen=True, eq=False)
class PPCA:
    """p(x | z) = N(x; mu + W z, sigma^2 I) with z ~ N(0, I).

    Parameters
    ----------
    W : array (D, K)
        Loadings, K < D.
    mean : array (D,)
        mu.
    variance : float
        sigma^2, above zero.

    Raises
    ------
    ValueError
        If the shapes do not fit or `variance` is not above zero.
    """

    W: Float[np.ndarray, "D K"]
    mean: Float[np.ndarray, " D"]
    variance: float

    def __post_init__(self) -> None:
        W = checks.array("W", self.W, "D K")
        D, K = W.shape
        if K >= D:
            raise ValueError(f"W must have fewer columns than rows, got shape {W.shape}")
        object.__setattr__(self, "W", checks.frozen(W))
        object.__setattr__(self, "mean", checks.frozen(checks.array("mean", self.mean, "D", D=D)))
        object.__setattr__(self, "variance", checks.positive("variance", self.variance))

    def posterior(self, x: Real[np.ndarray, "T D"]) -> Latent:
        """E-step: E[z_n] = M^{-1} W^T (x_n - mu) and Cov[z_n] = sigma^2 M^{-1}.

        Parameters
        ----------
        x : array (T, D)
            Points.

        Returns
        -------
        Latent
            `mean` (T, K) and `covariance` (K, K).

        Raises
        ------
        ValueError
            If `x` has another dimension or a missing row.
        """
        x = self._points(x)
        M = self.W.T @ self.W + self.variance * np.eye(self.W.shape[1])
        factor = scipy.linalg.cho_factor(M)
        mean = scipy.linalg.cho_solve(factor, self.W.T @ (x - self.mean).T).T
        return Latent(mean, self.variance * scipy.linalg.cho_solve(factor, np.eye(len(M))))

    def log_evidence(self, x: Real[np.ndarray, "T D"]) -> float:
        """Log evidence ln p(X) = sum_n ln N(x_n; mu, C) with C = W W^T + sigma^2 I.

        To invert C would lose digits if sigma^2 is small. With M and m_n = E[z_n] as in the E-step

            ln det C = (D - K) ln sigma^2 + ln det M,
            (x_n - mu)^T C^{-1} (x_n - mu) = |x_n - mu - W m_n|^2 / sigma^2 + |m_n|^2.

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
            If `x` has another dimension or a missing row.
        """
        x = self._points(x)
        D, K = self.W.shape
        m = self.posterior(x).mean
        squares = ((x - self.mean - m @ self.W.T) ** 2).sum() / self.variance + (m**2).sum()
        M = self.W.T @ self.W + self.variance * np.eye(K)
        log_det = (D - K) * np.log(self.variance) + np.linalg.slogdet(M).logabsdet
        return float(-0.5 * (len(x) * (D * np.log(2 * np.pi) + log_det) + squares))

    def m_step(self, x: Real[np.ndarray, "T D"], latent: Latent) -> "PPCA":
        """M-step for W and sigma^2.

        It leaves mu alone, which maximises the evidence at the mean of the data, whatever W and
        sigma^2 are.

        W = [sum_n (x_n - mu) E[z_n]^T] [sum_n E[z_n z_n^T]]^{-1} and then, with this W,
        sigma^2 = sum_n E|x_n - mu - W z_n|^2 / (T D)
        = sum_n { |x_n - mu - W E[z_n]|^2 + tr(Cov[z_n] W^T W) } / (T D).

        Parameters
        ----------
        x : array (T, D)
            Points.
        latent : Latent
            Posterior of the hidden variables, `posterior(x)` of the old model.

        Returns
        -------
        PPCA
            The maximiser of Q.

        Raises
        ------
        ValueError
            If `x` or `latent` does not fit.
        """
        x = self._points(x)
        T, (D, K) = len(x), self.W.shape
        mean = checks.array("latent.mean", latent.mean, "T K", T=T, K=K)
        covariance = checks.array("latent.covariance", latent.covariance, "K K", K=K)
        centred = x - self.mean
        sum_zz = T * covariance + mean.T @ mean
        W = scipy.linalg.solve(sum_zz, mean.T @ centred, assume_a="pos").T
        residual = ((centred - mean @ W.T) ** 2).sum()
        spread = T * np.trace(covariance @ W.T @ W)
        return PPCA(W, self.mean, float(residual + spread) / (T * D))

    def sample(self, n_points: int, rng: np.random.Generator) -> LatentSample:
        """Draw z_n ~ N(0, I) and x_n ~ N(mu + W z_n, sigma^2 I).

        Parameters
        ----------
        n_points : int
            T.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        LatentSample
            `z` (T, K) and `x` (T, D).

        Raises
        ------
        ValueError
            If `n_points` is below one or `rng` is not a generator.
        """
        n_points, rng = checks.whole("n_points", n_points), checks.generator(rng)
        D, K = self.W.shape
        z = rng.standard_normal((n_points, K))
        noise = np.sqrt(self.variance) * rng.standard_normal((n_points, D))
        return LatentSample(z, self.mean + z @ self.W.T + noise)

    @classmethod
    def fit(
        cls,
        x: Real[np.ndarray, "T D"],
        n_components: int,
        *,
        rng: np.random.Generator,
        max_iter: int = 500,
        tol: float = 1e-6,
    ) -> Fit:
        """Maximum likelihood by EM from a random W.

        One start is enough: every maximum is global (Tipping and Bishop 1999, appendix A).

        Parameters
        ----------
        x : array (T, D)
            Points.
        n_components : int
            K, from 1 to D - 1.
        rng : numpy.random.Generator
            Source of randomness.
        max_iter : int
            Largest number of M-steps.
        tol : float
            Gain of an iteration, in nats, at or below which the loop ends.

        Returns
        -------
        Fit
            `model` has the mean of the data, and a W whose columns span the principal subspace.

        Raises
        ------
        ValueError
            If an argument is out of range, a row is missing, or K components explain the data
            entirely.

        Notes
        -----
        Lecture 1, EM for a latent factor model; Tipping and Bishop (1999), appendix B.
        """
        x = checks.points("x", x)
        K, rng = _n_components(n_components, x), checks.generator(rng)
        mean, eigenvalues, U = _spectrum(x, K)
        D = len(mean)
        y = np.sqrt(D * np.maximum(eigenvalues, 0.0))[:, None] * U.T  # rounding may go below 0
        scale = float(eigenvalues.mean())
        start = PPCA(np.sqrt(scale) * rng.standard_normal((D, K)), np.zeros(D), scale)
        fit = em(
            start,
            lambda model: (model.posterior(y), len(x) / D * model.log_evidence(y)),
            lambda latent: start.m_step(y, latent),
            max_iter=max_iter,
            tol=tol,
        )
        return fit._replace(model=replace(fit.model, mean=mean))

    @classmethod
    def closed_form(cls, x: Real[np.ndarray, "T D"], n_components: int) -> "PPCA":
        """Maximum likelihood from the eigenvalues l_1 >= ... >= l_D of the data's covariance.

        sigma^2 = (l_{K+1} + ... + l_D) / (D - K) and W = U_K (L_K - sigma^2 I)^{1/2}, with the K
        leading eigenvectors in U_K; W R is as good for any rotation R.

        Parameters
        ----------
        x : array (T, D)
            Points.
        n_components : int
            K, from 1 to D - 1.

        Returns
        -------
        PPCA
            The maximiser of the evidence with R = I.

        Raises
        ------
        ValueError
            If `n_components` is out of range, a row is missing, or K components explain the data
            entirely.

        Notes
        -----
        Tipping and Bishop (1999), equations (7) and (8).
        """
        x = checks.points("x", x)
        K = _n_components(n_components, x)
        mean, eigenvalues, U = _spectrum(x, K)
        variance = float(eigenvalues[K:].mean())
        stretch = np.sqrt(np.maximum(eigenvalues[:K] - variance, 0.0))  # rounding may go below 0
        return PPCA(U[:, :K] * stretch, mean, variance)

    def _points(self, x: np.ndarray) -> np.ndarray:
        return checks.points("x", x, D=len(self.mean))


def _n_components(n_components: int, x: np.ndarray) -> int:
    why = ", one less than the dimensions of x"
    return checks.whole("n_components", n_components, high=x.shape[1] - 1, why=why)


def _spectrum(x: np.ndarray, K: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of the data, and eigenvalues (falling) and eigenvectors of its covariance."""
    mean = x.mean(axis=0)
    centred = x - mean
    eigenvalues, U = np.linalg.eigh(centred.T @ centred / len(x))
    eigenvalues, U = eigenvalues[::-1], U[:, ::-1]
    if eigenvalues[K:].mean() <= len(mean) * np.finfo(float).eps * eigenvalues[0]:
        raise ValueError(
            f"n_components must be smaller: {K} of them explain x entirely, and the evidence grows "
            "without bound as the noise variance goes to zero"
        )
    return mean, eigenvalues, U
