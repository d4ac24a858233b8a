"""Emission of vectors with a normal density.

Lecture 2, "Optimizing Q_3", with one component: p(x_t | S_t = i) = N(x_t; mu_i, Sigma_i) and

    mu_i = sum_t gamma_i,t x_t / sum_t gamma_i,t,
    Sigma_i = sum_t gamma_i,t (x_t - mu_i)(x_t - mu_i)^T / sum_t gamma_i,t.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from latent import checks
from latent.clustering import kmeans_plus_plus
from latent.emissions.interface import Observations, hidden_states, observed_weights
from latent.shapes import Float, Int, Real


class GaussianScore(NamedTuple):
    """Gradient with respect to the parameters of `Gaussian`.

    Attributes
    ----------
    means : array (N, D)
        Derivative with respect to mu_i.
    covariances : array (N, D, D)
        The symmetric G_i with df = sum_ab G_iab dSigma_iab for every symmetric change dSigma_i. So
        G_iab is the derivative with respect to entry (a, b) alone, and to move (a, b) and (b, a)
        together, as symmetry demands, changes f by 2 G_iab.
    """

    means: Float[np.ndarray, "N D"]
    covariances: Float[np.ndarray, "N D D"]


@dataclass(frozen=True, eq=False)
class Gaussian:
    """A normal density for each state: p(x_t | S_t = i) = N(x_t; mu_i, Sigma_i).

    Parameters
    ----------
    means : array (N, D)
        mu_i.
    covariances : array (N, D, D)
        Sigma_i, symmetric positive definite.
    floor : float
        Smallest eigenvalue of a covariance that the M-step may give, in squared units of `x`.

    Raises
    ------
    ValueError
        If the shapes do not fit, a covariance is not symmetric positive definite, or `floor` is
        negative.
    """

    ndim: ClassVar[int] = 2

    means: Float[np.ndarray, "N D"]
    covariances: Float[np.ndarray, "N D D"]
    floor: float = 1e-6

    def __post_init__(self) -> None:
        means = checks.array("means", self.means, "N D")
        N, D = means.shape
        covariances = checks.covariances("covariances", self.covariances, "N D D", N=N, D=D)
        object.__setattr__(self, "means", checks.frozen(means))
        object.__setattr__(self, "covariances", checks.frozen(covariances))
        object.__setattr__(self, "floor", checks.at_least_zero("floor", self.floor))

    @staticmethod
    def template(floor: float = 1e-6) -> "GaussianTemplate":
        """Return a normal emission whose parameters are still to be found.

        Parameters
        ----------
        floor : float
            As for `Gaussian`.

        Returns
        -------
        GaussianTemplate
            What `HMM.fit` takes.

        Raises
        ------
        ValueError
            If `floor` is negative.
        """
        return GaussianTemplate(floor)

    @property
    def n_states(self) -> int:
        """Number of hidden states N."""
        return len(self.means)

    def observations(self, x: object, name: str = "x") -> Observations:
        """Check points once, for use in many iterations.

        Parameters
        ----------
        x : array (T, D)
            Points; a row of NaN is missing.
        name : str
            What an error calls them.

        Returns
        -------
        Observations
            What the other methods take in place of `x`.

        Raises
        ------
        ValueError
            If `x` has another dimension, an infinity, or a row that is partly NaN.
        """
        return checked_points(x, name, D=self.means.shape[1])

    def log_likelihood(self, x: Real[np.ndarray, "T D"] | Observations) -> Float[np.ndarray, "T N"]:
        """Log likelihood ln N(x_t; mu_i, Sigma_i).

        It is -1/2 (D ln 2 pi + ln det Sigma_i + |L_i^{-1} (x_t - mu_i)|^2) with Sigma_i = L_i L_i^T
        and L_i lower triangular (Cholesky). So no inverse of Sigma_i is formed, and ln det Sigma_i
        is twice the sum of the logarithms of the diagonal of L_i.

        Parameters
        ----------
        x : array (T, D) or Observations
            Points; a row of NaN is missing.

        Returns
        -------
        array (T, N)
            Zero in the rows of missing points.

        Raises
        ------
        ValueError
            If `x` has another dimension, an infinity, or a row that is partly NaN.
        """
        data = self.observations(x)
        N, D = self.means.shape
        L = np.linalg.cholesky(self.covariances)
        half_log_det = np.log(np.diagonal(L, axis1=1, axis2=2)).sum(axis=1)
        # One product with the small L^{-1} takes less time than T triangular systems.
        whiten = np.linalg.inv(L)
        # Long rows: one for each dimension and one for each state.
        x, squares = np.ascontiguousarray(data.x.T), np.empty((N, len(data.x)))
        for i in range(N):
            z = whiten[i] @ (x - self.means[i][:, None])
            np.einsum("dt,dt->t", z, z, out=squares[i])
        squares *= -0.5
        squares -= (half_log_det + 0.5 * D * np.log(2 * np.pi))[:, None]
        return data.spread(squares.T)

    def sufficient_statistics(
        self, x: Real[np.ndarray, "T D"] | Observations
    ) -> Float[np.ndarray, "T S"]:
        """Statistics t(x) = (x, x x^T), D + D^2 numbers; their means are mu and Sigma + mu mu^T.

        Parameters
        ----------
        x : array (T, D) or Observations
            Points; a row of NaN is missing.

        Returns
        -------
        array (T, D + D^2)
            NaN in the rows of missing points.

        Raises
        ------
        ValueError
            If `x` has another dimension, an infinity, or a row that is partly NaN.
        """
        data = self.observations(x)
        n, D = data.x.shape
        products = (data.x[:, :, None] * data.x[:, None, :]).reshape(n, -1)
        t = np.full((data.n_steps, D + D * D), np.nan)
        t[data.rows] = np.hstack([data.x, products])
        return t

    def m_step(
        self, x: Real[np.ndarray, "T D"] | Observations, weights: Real[np.ndarray, "T N"]
    ) -> "Gaussian":
        """M-step: mean mu_i and covariance Sigma_i of the data, weighted by w_ti.

        With N_i = sum_t w_ti,

            mu_i = sum_t w_ti x_t / N_i,
            Sigma_i = sum_t w_ti (x_t - mu_i)(x_t - mu_i)^T / N_i.

        That matches the statistics (x, x x^T), the second about mu_i, because to subtract
        mu_i mu_i^T afterwards loses digits.

        Without a bound the likelihood has no maximum: a state that holds one point only can shrink
        on it. So Sigma_i is kept at or above floor * I. With C for the sum above, the expected
        log-likelihood is -N_i/2 (ln det Sigma + tr(Sigma^{-1} C)) and a constant. For given
        eigenvalues of Sigma it is largest if Sigma has the eigenvectors of C (von Neumann's trace
        inequality). What is left is -N_i/2 (ln s + c/s) for each pair of eigenvalues, which rises
        in s until s = c and falls after it. So its maximum over s >= floor is at max(c, floor):
        to clip the eigenvalues of C is the exact M-step under the bound, and EM stays monotone.

        Parameters
        ----------
        x : array (T, D) or Observations
            Points; a row of NaN is left out.
        weights : array (T, N)
            w_ti, not negative.

        Returns
        -------
        Gaussian
            The maximiser of sum_ti w_ti ln p(x_t | S_t = i); a state of no weight keeps its
            parameters.

        Raises
        ------
        ValueError
            If `x` or the weights do not fit, or the floor is zero and a covariance is singular.
        """
        data = self.observations(x)
        weights = observed_weights(data, weights, self.n_states)
        x, weights = np.ascontiguousarray(data.x.T), np.ascontiguousarray(weights.T)
        counts = weights.sum(axis=1)
        means, covariances = self.means.copy(), self.covariances.copy()
        some = np.flatnonzero(counts > 0)
        for i in some:
            means[i] = x @ weights[i] / counts[i]
            centred = x - means[i][:, None]
            covariances[i] = (weights[i] * centred) @ centred.T / counts[i]
        covariances[some] = clip_eigenvalues(covariances[some], self.floor)
        if not (np.diagonal(covariances, axis1=1, axis2=2) > 0).all():
            raise ValueError(
                "the covariances of an M-step must be positive definite, but the points of a state "
                "are all the same; a floor above zero prevents that"
            )
        return checks.trusted(Gaussian, means=means, covariances=covariances, floor=self.floor)

    def score(
        self, x: Real[np.ndarray, "T D"] | Observations, weights: Real[np.ndarray, "T N"]
    ) -> GaussianScore:
        """Gradient of sum_ti w_ti ln p(x_t | S_t = i).

        With d_ti = Sigma_i^{-1} (x_t - mu_i) it is

            sum_t w_ti d_ti                                   with respect to mu_i,
            1/2 sum_t w_ti (d_ti d_ti^T - Sigma_i^{-1})       with respect to Sigma_i,

        the second in the sense of `GaussianScore`.

        Parameters
        ----------
        x : array (T, D) or Observations
            Points; a row of NaN is left out.
        weights : array (T, N)
            w_ti, not negative.

        Returns
        -------
        GaussianScore
            Its derivatives.

        Raises
        ------
        ValueError
            If `x` or the weights do not fit.
        """
        data = self.observations(x)
        weights = observed_weights(data, weights, self.n_states)
        means, covariances = np.empty_like(self.means), np.empty_like(self.covariances)
        for i, precision in enumerate(np.linalg.inv(self.covariances)):
            d = (data.x - self.means[i]) @ precision
            means[i] = weights[:, i] @ d
            scatter = (weights[:, i] * d.T) @ d
            covariances[i] = (scatter - weights[:, i].sum() * precision) / 2
        return GaussianScore(means, (covariances + covariances.transpose(0, 2, 1)) / 2)

    def sample(
        self, states: Int[np.ndarray, " T"], rng: np.random.Generator
    ) -> Float[np.ndarray, "T D"]:
        """Draw x_t = mu_i + L_i z_t with i = s_t, Sigma_i = L_i L_i^T and z_t ~ N(0, I).

        Parameters
        ----------
        states : array (T,) of integers from 0 to N - 1
            s_t.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        array (T, D)
            x_t.

        Raises
        ------
        ValueError
            If a state is out of range.
        """
        states, rng = hidden_states(states, self.n_states), checks.generator(rng)
        x = rng.standard_normal((len(states), self.means.shape[1]))
        for i, L in enumerate(np.linalg.cholesky(self.covariances)):
            x[states == i] = self.means[i] + x[states == i] @ L.T
        return x

    def check_floor(self) -> None:
        """Check that EM can start here: no covariance is below the floor.

        Raises
        ------
        ValueError
            If an eigenvalue is below `floor`. The first M-step would raise it, and could lower the
            evidence.
        """
        eigenvalues = np.linalg.eigvalsh(self.covariances)
        smallest = eigenvalues[:, 0]
        low = smallest < self.floor * (1 - 1e-8) - 1e-12 * eigenvalues[:, -1]
        if low.any():
            i = int(low.argmax())
            raise ValueError(
                f"covariances must start with eigenvalues of at least floor = {self.floor}, got "
                f"{smallest[i]} in covariance {i}; choose a smaller floor, or larger units of x"
            )


@dataclass(frozen=True)
class GaussianTemplate:
    """A normal emission without parameters: see `Gaussian.template`.

    Parameters
    ----------
    floor : float
        As for `Gaussian`.

    Raises
    ------
    ValueError
        If `floor` is negative.
    """

    ndim: ClassVar[int] = 2

    floor: float = 1e-6

    def __post_init__(self) -> None:
        object.__setattr__(self, "floor", checks.at_least_zero("floor", self.floor))

    def observations(self, x: object, name: str = "x") -> Observations:
        """Check points once, as the emission will.

        Parameters
        ----------
        x : array (T, D)
            Points; a row of NaN is missing.
        name : str
            What an error calls them.

        Returns
        -------
        Observations
            What `init` takes in place of `x`.

        Raises
        ------
        ValueError
            If `x` has an infinity, or a row that is partly NaN.
        """
        return checked_points(x, name)

    def init(
        self, x: Real[np.ndarray, "T D"] | Observations, n_states: int, rng: np.random.Generator
    ) -> Gaussian:
        """Means and covariances to start EM from.

        Parameters
        ----------
        x : array (T, D)
            Points.
        n_states : int
            N.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        Gaussian
            Means at points that lie apart (K-means++), each with the covariance of the data.

        Raises
        ------
        ValueError
            If `x` does not fit, no point was observed, or `n_states` is below one.
        """
        points = checks.some_observed("x", self.observations(x).x)
        N = checks.whole("n_states", n_states)
        means = spread_means(points, N, checks.generator(rng))
        return Gaussian(means, np.stack([data_covariance(points, self.floor)] * N), self.floor)


def checked_points(x: object, name: str, **sizes: int) -> Observations:
    """Check points, and lay them out for long rows, one for each dimension.

    Parameters
    ----------
    x : array (T, D) or Observations
        Points; a row of NaN is missing.
    name : str
        What an error calls them.
    **sizes : int
        D, if it is known.

    Returns
    -------
    Observations
        The points that are not missing.

    Raises
    ------
    ValueError
        If `x` has another dimension, an infinity, or a row that is partly NaN.
    """
    if isinstance(x, Observations):
        return x
    points, observed = checks.points_or_missing(name, x, "T D", **sizes)
    return Observations.of(np.asfortranarray(points), observed)


def clip_eigenvalues(
    covariance: Float[np.ndarray, "*stack D D"], floor: float
) -> Float[np.ndarray, "*stack D D"]:
    """Raise the eigenvalues below `floor` to it; `Gaussian.m_step` says why.

    Parameters
    ----------
    covariance : array (..., D, D)
        Symmetric matrices, up to rounding.
    floor : float
        The smallest eigenvalue that is left.

    Returns
    -------
    array (..., D, D)
        The same matrices where nothing was to be raised.

    Notes
    -----
    An eigenvalue below the rounding of the largest one has no digit that is right, and its matrix
    has no Cholesky factor: it counts as that rounding, if `floor` is not above it.
    """
    symmetric = (covariance + np.swapaxes(covariance, -1, -2)) / 2
    c, U = np.linalg.eigh(symmetric)
    rounding = 4 * c.shape[-1] * np.finfo(float).eps * c[..., -1:]
    s = np.maximum(c, np.maximum(floor, rounding))
    kept = (s == c).all(axis=-1)
    if kept.all():
        return symmetric
    clipped = (U * s[..., None, :]) @ np.swapaxes(U, -1, -2)
    return np.where(kept[..., None, None], symmetric, clipped)


def spread_means(
    x: Float[np.ndarray, "T D"], n_means: int, rng: np.random.Generator
) -> Float[np.ndarray, "K D"]:
    """Points of `x` that lie apart (K-means++), some of them twice if too few are distinct.

    Parameters
    ----------
    x : array (T, D)
        Points, none missing.
    n_means : int
        K.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    array (K, D)
        Where to start K means.
    """
    distinct = min(n_means, len(np.unique(x, axis=0)))
    return np.resize(kmeans_plus_plus(x, distinct, rng), (n_means, x.shape[1]))


def data_covariance(x: Float[np.ndarray, "T D"], floor: float) -> Float[np.ndarray, "D D"]:
    """Covariance of all points, with eigenvalues of at least `floor`.

    Parameters
    ----------
    x : array (T, D)
        Points, none missing.
    floor : float
        Smallest eigenvalue.

    Returns
    -------
    array (D, D)
        The covariance to start from.
    """
    return clip_eigenvalues(np.atleast_2d(np.cov(x.T, bias=True)), floor)
