"""Emission of vectors with a mixture density for each state.

Lecture 2, "Optimizing Q_3", the GMM case (the lecture's M components are K here):

    p(x_t | S_t = i) = sum_m w_im N(x_t; mu_im, C_im),    sum_m w_im = 1.

The logarithm of the sum has no closed-form maximum. So the hidden variables are augmented with
U_t, the component that emitted x_t, and their posterior under the current parameters is

    gamma_imt = p(S_t = i, U_t = m | x, lambda')
              = gamma_it w_im N(x_t; mu_im, C_im) / sum_k w_ik N(x_t; mu_ik, C_ik),

which sums to gamma_it over m. With it

    w_im = sum_t gamma_imt / sum_k sum_t gamma_ikt,
    mu_im = sum_t gamma_imt x_t / sum_t gamma_imt,
    C_im = sum_t gamma_imt (x_t - mu_im)(x_t - mu_im)^T / sum_t gamma_imt.
"""

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np

from latent import checks
from latent.clustering import assign
from latent.emissions.categorical import choose
from latent.emissions.gaussian import Gaussian, checked_points, data_covariance, spread_means
from latent.emissions.interface import Observations, hidden_states
from latent.shapes import Float, Int, Real


class GaussianMixtureScore(NamedTuple):
    """Gradient with respect to the parameters of `GaussianMixture`.

    Attributes
    ----------
    weights : array (N, K)
        Derivative with respect to w_im, each taken as free of the others.
    means : array (N, K, D)
        Derivative with respect to mu_im.
    covariances : array (N, K, D, D)
        Derivative with respect to C_im, in the sense of `GaussianScore`.
    """

    weights: Float[np.ndarray, "N K"]
    means: Float[np.ndarray, "N K D"]
    covariances: Float[np.ndarray, "N K D D"]


@dataclass(frozen=True, eq=False)
class GaussianMixture:
    """A mixture of K normal densities for each state: sum_m w_im N(x_t; mu_im, C_im).

    Parameters
    ----------
    weights : array (N, K)
        w_im; each row sums to one.
    means : array (N, K, D)
        mu_im.
    covariances : array (N, K, D, D)
        C_im, symmetric positive definite.
    floor : float
        Smallest eigenvalue of a covariance that the M-step may give, in squared units of `x`.

    Attributes
    ----------
    components : Gaussian
        The N K normal densities, component m of state i at i K + m.

    Raises
    ------
    ValueError
        If a row of `weights` is not a distribution, the shapes do not fit, a covariance is not
        symmetric positive definite, or `floor` is negative.
    """

    ndim: ClassVar[int] = 2

    weights: Float[np.ndarray, "N K"]
    means: Float[np.ndarray, "N K D"]
    covariances: Float[np.ndarray, "N K D D"]
    floor: float = 1e-6
    components: Gaussian = field(init=False, repr=False)

    def __post_init__(self) -> None:
        weights = checks.probabilities("weights", self.weights, "N K")
        N, K = weights.shape
        means = checks.array("means", self.means, "N K D", N=N, K=K)
        D = means.shape[2]
        covariances = checks.array("covariances", self.covariances, "N K D D", N=N, K=K, D=D)
        components = Gaussian(means.reshape(N * K, D), covariances.reshape(N * K, D, D), self.floor)
        object.__setattr__(self, "weights", checks.frozen(weights))
        object.__setattr__(self, "means", components.means.reshape(N, K, D))
        object.__setattr__(self, "covariances", components.covariances.reshape(N, K, D, D))
        object.__setattr__(self, "floor", components.floor)
        object.__setattr__(self, "components", components)

    @staticmethod
    def template(n_components: int, floor: float = 1e-6) -> "GaussianMixtureTemplate":
        """Return a mixture emission whose parameters are still to be found.

        Parameters
        ----------
        n_components : int
            K.
        floor : float
            As for `GaussianMixture`.

        Returns
        -------
        GaussianMixtureTemplate
            What `HMM.fit` takes.

        Raises
        ------
        ValueError
            If `n_components` is below one or `floor` is negative.
        """
        return GaussianMixtureTemplate(n_components, floor)

    @property
    def n_states(self) -> int:
        """Number of hidden states N."""
        return len(self.weights)

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
        return self.components.observations(x, name)

    def log_joint(self, x: Real[np.ndarray, "T D"] | Observations) -> Float[np.ndarray, "T N K"]:
        """Log joint ln p(x_t, U_t = m | S_t = i) = ln w_im + ln N(x_t; mu_im, C_im).

        Parameters
        ----------
        x : array (T, D) or Observations
            Points; a row of NaN is missing.

        Returns
        -------
        array (T, N, K)
            ln w_im in the rows of missing points.

        Raises
        ------
        ValueError
            If `x` has another dimension, an infinity, or a row that is partly NaN.
        """
        log_densities = self._log_densities(self.observations(x))
        return np.moveaxis(checks.log(self.weights)[:, :, None] + log_densities, 2, 0)

    def log_likelihood(self, x: Real[np.ndarray, "T D"] | Observations) -> Float[np.ndarray, "T N"]:
        """Log likelihood ln p(x_t | S_t = i), the logarithm of a sum over the components.

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
        log_joint = checks.log(self.weights)[:, :, None] + self._log_densities(data)
        return data.spread(_log_sum(log_joint)[:, 0].T[data.rows])

    def m_step(
        self, x: Real[np.ndarray, "T D"] | Observations, weights: Real[np.ndarray, "T N"]
    ) -> "GaussianMixture":
        """M-step: the formulas at the top of the module, gamma_imt from the current parameters.

        Parameters
        ----------
        x : array (T, D) or Observations
            Points; a row of NaN is left out.
        weights : array (T, N)
            w_ti = gamma_it, not negative.

        Returns
        -------
        GaussianMixture
            The maximiser of sum_tim gamma_imt ln p(x_t, U_t = m | S_t = i), which raises
            sum_ti w_ti ln p(x_t | S_t = i): a step of EM within the step. A state or component of
            no weight keeps its parameters, and the covariances keep to the floor as in
            `Gaussian.m_step`.

        Raises
        ------
        ValueError
            If `x` or the weights do not fit, or the floor is zero and a covariance is singular.
        """
        data = self.observations(x)
        weights = self._weights(data, weights)
        log_joint = checks.log(self.weights)[:, :, None] + self._log_densities(data)
        gamma = weights * np.exp(log_joint - _log_sum(log_joint))
        components = self.components.m_step(data, gamma.reshape(-1, data.n_steps).T)
        counts = gamma[:, :, data.rows].sum(axis=2)
        total = counts.sum(axis=1, keepdims=True)
        some = total > 0
        return checks.trusted(
            GaussianMixture,
            weights=np.where(some, counts / np.where(some, total, 1.0), self.weights),
            means=components.means.reshape(self.means.shape),
            covariances=components.covariances.reshape(self.covariances.shape),
            floor=self.floor,
            components=components,
        )

    def score(
        self, x: Real[np.ndarray, "T D"] | Observations, weights: Real[np.ndarray, "T N"]
    ) -> GaussianMixtureScore:
        """Gradient of sum_ti w_ti ln p(x_t | S_t = i), by Fisher's identity within the state.

        With respect to w_im it is sum_t w_ti N(x_t; mu_im, C_im) / p(x_t | S_t = i), and with
        respect to mu_im and C_im that of sum_t gamma_imt ln N(x_t; mu_im, C_im).

        Parameters
        ----------
        x : array (T, D) or Observations
            Points; a row of NaN is left out.
        weights : array (T, N)
            w_ti, not negative.

        Returns
        -------
        GaussianMixtureScore
            Its derivatives.

        Raises
        ------
        ValueError
            If `x` or the weights do not fit.
        """
        data = self.observations(x)
        weights, log_densities = self._weights(data, weights), self._log_densities(data)
        log_joint = checks.log(self.weights)[:, :, None] + log_densities
        log_sum = _log_sum(log_joint)
        gamma = weights * np.exp(log_joint - log_sum)
        by_weight = (weights * np.exp(log_densities - log_sum))[:, :, data.rows].sum(axis=2)
        means, covariances = self.components.score(data, gamma.reshape(-1, data.n_steps).T)
        return GaussianMixtureScore(
            by_weight, means.reshape(self.means.shape), covariances.reshape(self.covariances.shape)
        )

    def sample(
        self, states: Int[np.ndarray, " T"], rng: np.random.Generator
    ) -> Float[np.ndarray, "T D"]:
        """Draw a component U_t = m from w_im with i = s_t, then x_t from N(mu_im, C_im).

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
        m = choose(self.weights, states, rng)
        return self.components.sample(states * self.weights.shape[1] + m, rng)

    def check_floor(self) -> None:
        """Check that EM can start here: no covariance is below the floor.

        Raises
        ------
        ValueError
            As for `Gaussian.check_floor`.
        """
        self.components.check_floor()

    def _log_densities(self, data: Observations) -> np.ndarray:
        """Log densities ln N(x_t; mu_im, C_im), an array (N, K, T): long rows are quick."""
        return self.components.log_likelihood(data).T.reshape(*self.weights.shape, -1)

    def _weights(self, data: Observations, weights: np.ndarray) -> np.ndarray:
        """Checked weights, an array (N, 1, T)."""
        T, N = data.n_steps, self.n_states
        return checks.weights("weights", weights, "T N", T=T, N=N).T[:, None]


@dataclass(frozen=True)
class GaussianMixtureTemplate:
    """A mixture emission without parameters: see `GaussianMixture.template`.

    Parameters
    ----------
    n_components : int
        K.
    floor : float
        As for `GaussianMixture`.

    Raises
    ------
    ValueError
        If `n_components` is below one or `floor` is negative.
    """

    ndim: ClassVar[int] = 2

    n_components: int
    floor: float = 1e-6

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_components", checks.whole("n_components", self.n_components))
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
    ) -> GaussianMixture:
        """Weights, means and covariances to start EM from.

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
        GaussianMixture
            Equal weights. Each state gets a point far from those of the others (K-means++), and
            the means of its components lie apart among the points nearest to that one. Each
            component has the covariance of the data.

        Raises
        ------
        ValueError
            If `x` does not fit, no point was observed, or `n_states` is below one.
        """
        points = checks.some_observed("x", self.observations(x).x)
        N = checks.whole("n_states", n_states)
        K, rng = self.n_components, checks.generator(rng)
        centres = spread_means(points, N, rng)
        nearest = assign(points, centres)
        means = [
            spread_means(points[nearest == i] if (nearest == i).any() else centres[[i]], K, rng)
            for i in range(N)
        ]
        covariance = data_covariance(points, self.floor)
        return GaussianMixture(
            np.full((N, K), 1 / K),
            np.stack(means),
            np.broadcast_to(covariance, (N, K, *covariance.shape)),
            self.floor,
        )


def _log_sum(log_joint: np.ndarray) -> np.ndarray:
    """Logarithm of the sum over the components, an array (N, 1, T)."""
    largest = log_joint.max(axis=1, keepdims=True)
    return largest + np.log(np.exp(log_joint - largest).sum(axis=1, keepdims=True))
