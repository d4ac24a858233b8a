"""Bayesian Gaussian mixture by coordinate ascent: weights, means and precisions are random too.

Lecture 4, coordinate ascent variational inference; Bishop (2006), section 10.2. In place of one
value, each parameter of the mixture has a conjugate prior:

    pi ~ Dirichlet(alpha_0, ..., alpha_0),
    Lambda_k ~ Wishart(W_0, nu_0),    mu_k | Lambda_k ~ N(m_0, (beta_0 Lambda_k)^{-1}).

The posterior is approximated by q(S) q(pi, mu, Lambda), and q_i* prop. to exp(E[ln p]) gives

    q(S_n = k) = gamma_nk = rho_nk / sum_j rho_nj,
    ln rho_nk = E[ln pi_k] + E[ln N(x_n; mu_k, Lambda_k^{-1})],

and a Dirichlet and Normal-Wisharts again. With N_k = sum_n gamma_nk and the mean xbar_k and
covariance S_k of the data weighted by gamma_nk, their parameters are

    alpha_k = alpha_0 + N_k,    beta_k = beta_0 + N_k,    nu_k = nu_0 + N_k,
    m_k = (beta_0 m_0 + N_k xbar_k) / beta_k,
    W_k^{-1} = W_0^{-1} + N_k S_k + beta_0 N_k / beta_k (xbar_k - m_0)(xbar_k - m_0)^T.

They alternate like the E-step and the M-step of EM, and raise the bound

    L(q) = E_q[ln p(x | S, mu, Lambda)] - KL(q || p(S, pi, mu, Lambda)) <= ln p(x).

The divergence charges for every component that leaves its prior, so components that the data do not
need are left empty.
"""

from dataclasses import dataclass, field

import numpy as np
import scipy.linalg
from scipy.special import digamma, gammaln, logsumexp, softmax

from latent import checks
from latent.clustering import assign, kmeans_plus_plus
from latent.fitting import Fit, best_of, em
from latent.mixtures import GMM
from latent.shapes import Float, Real


@dataclass(frozen=True, eq=False)
class GMMPrior:
    """Prior of a Bayesian Gaussian mixture, the same for every component.

    Parameters
    ----------
    alpha : float
        alpha_0, above zero: like as many points in each component, seen before the data. Far below
        one, the prior prefers few components.
    beta : float
        beta_0, above zero: the prior mean counts as much as so many points.
    m : array (D,)
        m_0, where the means are expected.
    nu : float
        nu_0, degrees of freedom, above D - 1: the prior covariance counts as much as so many
        points.
    W_inv : array (D, D)
        W_0^{-1}, symmetric positive definite: a sum of squares, nu_0 times the covariance
        E[Lambda_k]^{-1} that is expected.

    Raises
    ------
    ValueError
        If the shapes do not fit or a number is out of range.
    """

    alpha: float
    beta: float
    m: Float[np.ndarray, " D"]
    nu: float
    W_inv: Float[np.ndarray, "D D"]

    def __post_init__(self) -> None:
        m = checks.array("m", self.m, "D")
        W_inv = checks.covariance("W_inv", self.W_inv, D=len(m))
        nu = checks.array("nu", self.nu, "")
        _enough_freedom(nu, len(m))
        object.__setattr__(self, "alpha", checks.positive("alpha", self.alpha))
        object.__setattr__(self, "beta", checks.positive("beta", self.beta))
        object.__setattr__(self, "nu", float(nu))
        object.__setattr__(self, "m", checks.frozen(m))
        object.__setattr__(self, "W_inv", checks.frozen(W_inv))

    @classmethod
    def from_data(cls, x: Real[np.ndarray, "T D"], n_components: int) -> "GMMPrior":
        """A weak prior on the scale of the data.

        Parameters
        ----------
        x : array (T, D)
            Points.
        n_components : int
            K.

        Returns
        -------
        GMMPrior
            alpha_0 = 1/K, beta_0 = 1, m_0 the mean of the data, nu_0 = D and W_0^{-1} the
            covariance of the data (with 1/(T - 1)).

        Raises
        ------
        ValueError
            If a point is missing, `n_components` is below one, or the points lie in a hyperplane.

        Notes
        -----
        The defaults of scikit-learn's BayesianGaussianMixture with a Dirichlet distribution.
        `dataclasses.replace(prior, alpha=0.001)` changes one of them.
        """
        x = checks.points("x", x)
        K = checks.whole("n_components", n_components)
        D = x.shape[1]
        if np.linalg.matrix_rank(x - x[0]) < D:
            raise ValueError(
                f"x must spread in all {D} dimensions for a prior on its scale; "
                "drop constant or dependent columns, or give a prior"
            )
        return cls(1 / K, 1.0, x.mean(axis=0), float(D), np.atleast_2d(np.cov(x.T)))


@dataclass(frozen=True, eq=False)
class VariationalGMM:
    """Approximate posterior q(pi, mu, Lambda) of a Gaussian mixture.

    It is Dirichlet(pi; alpha) times N(mu_k; m_k, (beta_k Lambda_k)^{-1}) Wishart(Lambda_k; W_k,
    nu_k) for every component k.

    Parameters
    ----------
    alpha : array (K,)
        alpha_k, above zero.
    beta : array (K,)
        beta_k, above zero.
    m : array (K, D)
        m_k.
    nu : array (K,)
        nu_k, above D - 1.
    W_inv : array (K, D, D)
        W_k^{-1}, symmetric positive definite.
    prior : GMMPrior
        The prior.

    Attributes
    ----------
    W_root : array (K, D, D)
        R_k, lower triangular, with W_k = R_k^T R_k.

    Raises
    ------
    ValueError
        If the shapes do not fit or a number is out of range.
    """

    alpha: Float[np.ndarray, " K"]
    beta: Float[np.ndarray, " K"]
    m: Float[np.ndarray, "K D"]
    nu: Float[np.ndarray, " K"]
    W_inv: Float[np.ndarray, "K D D"]
    prior: GMMPrior
    W_root: Float[np.ndarray, "K D D"] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        D = len(self.prior.m)
        m = checks.array("m", self.m, "K D", D=D)
        K = len(m)
        W_inv = checks.covariances("W_inv", self.W_inv, K=K, D=D)
        alpha = checks.above_zero("alpha", self.alpha, "K", K=K)
        beta = checks.above_zero("beta", self.beta, "K", K=K)
        nu = checks.array("nu", self.nu, "K", K=K)
        _enough_freedom(nu, D)
        object.__setattr__(self, "alpha", checks.frozen(alpha))
        object.__setattr__(self, "beta", checks.frozen(beta))
        object.__setattr__(self, "nu", checks.frozen(nu))
        object.__setattr__(self, "m", checks.frozen(m))
        object.__setattr__(self, "W_inv", checks.frozen(W_inv))
        object.__setattr__(self, "W_root", checks.frozen(_inverse_cholesky(W_inv)))

    @property
    def weights(self) -> Float[np.ndarray, " K"]:
        """Expected weights E[pi_k] = alpha_k / sum_j alpha_j."""
        return self.alpha / self.alpha.sum()

    def expected_log_joint(self, x: Real[np.ndarray, "T D"]) -> Float[np.ndarray, "T K"]:
        """Expected log joint ln rho_nk = E_q[ln pi_k + ln N(x_n; mu_k, Lambda_k^{-1})].

        With psi the digamma function, the expectations are

            E[ln pi_k] = psi(alpha_k) - psi(sum_j alpha_j),
            E[ln det Lambda_k] = sum_{i=1}^D psi((nu_k + 1 - i) / 2) + D ln 2 + ln det W_k,
            E[(x_n - mu_k)^T Lambda_k (x_n - mu_k)] = D / beta_k
                                                      + nu_k (x_n - m_k)^T W_k (x_n - m_k).

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
            If `x` has another dimension, a missing row or an infinity.

        Notes
        -----
        Bishop (2006), equations 10.46 and 10.64 to 10.66.
        """
        x = self._points(x)
        D = x.shape[1]
        log_weights = digamma(self.alpha) - digamma(self.alpha.sum())
        squares = D / self.beta + self.nu * self._squared_distances(x)
        return log_weights + 0.5 * (self._expected_log_det() - D * np.log(2 * np.pi) - squares)

    def responsibilities(self, x: Real[np.ndarray, "T D"]) -> Float[np.ndarray, "T K"]:
        """E-step: q(S_n = k) = gamma_nk = rho_nk / sum_j rho_nj.

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
            As for `expected_log_joint`.

        Notes
        -----
        Bishop (2006), equation 10.49.
        """
        return softmax(self.expected_log_joint(x), axis=1)

    def kl_prior(self) -> float:
        """Divergence of the parameters, KL(q(pi, mu, Lambda) || p(pi, mu, Lambda)).

        Returns
        -------
        float
            In nats: the price of what has been learnt about the parameters. Not negative.

        Notes
        -----
        The sum of KL(Dirichlet(alpha) || Dirichlet(alpha_0)), of E[KL(N(m_k, (beta_k Lambda)^{-1})
        || N(m_0, (beta_0 Lambda)^{-1}))] under q(Lambda_k), and of KL(Wishart(W_k, nu_k) ||
        Wishart(W_0, nu_0)).
        """
        alpha_0 = np.full(len(self.alpha), self.prior.alpha)
        divergence = self._kl_normal_means() + self._kl_wishart()
        return max(0.0, _kl_dirichlet(self.alpha, alpha_0) + float(divergence.sum()))

    def elbo(self, x: Real[np.ndarray, "T D"]) -> float:
        """Lower bound L(q) of ln p(x), with q(S) at its best, the responsibilities.

        With these E_q[ln p(x, S | pi, mu, Lambda)] + H(q(S)) is sum_n ln sum_k rho_nk, so

            L(q) = sum_n ln sum_k rho_nk - KL(q(pi, mu, Lambda) || p(pi, mu, Lambda)).

        For another q(S) it is `latent.elbo(q, model.expected_log_joint(x)) - model.kl_prior()`.

        Parameters
        ----------
        x : array (T, D)
            Points.

        Returns
        -------
        float
            The bound in nats, with all constants: it can be compared between numbers of components.

        Raises
        ------
        ValueError
            As for `expected_log_joint`.
        """
        return float(_log_sum(self.expected_log_joint(x)).sum()) - self.kl_prior()

    def m_step(
        self, x: Real[np.ndarray, "T D"], gamma: Real[np.ndarray, "T K"]
    ) -> "VariationalGMM":
        """M-step: the best q(pi, mu, Lambda) for given responsibilities.

        Parameters
        ----------
        x : array (T, D)
            Points.
        gamma : array (T, K)
            Responsibilities (or one-hot assignments); each row sums to one.

        Returns
        -------
        VariationalGMM
            The formulas at the top of the module, with the prior of this model.

        Raises
        ------
        ValueError
            If `x` or `gamma` does not fit.
        """
        gamma = checks.probabilities("gamma", gamma, "T K", K=len(self.alpha))
        return VariationalGMM.from_responsibilities(x, gamma, self.prior)

    def cavi(self, x: Real[np.ndarray, "T D"], *, max_iter: int = 500, tol: float = 1e-6) -> Fit:
        """Coordinate ascent from this model.

        Parameters
        ----------
        x : array (T, D)
            Points.
        max_iter : int
            Largest number of M-steps.
        tol : float
            Gain of an iteration, in nats, at or below which the loop ends.

        Returns
        -------
        Fit
            `model` is a VariationalGMM, `trace` is of the bound and never decreases.

        Raises
        ------
        ValueError
            If `x` does not fit, or `max_iter` or `tol` is out of range.

        Notes
        -----
        Lecture 4, coordinate ascent; Bishop (2006), section 10.2.1.
        """

        def e_step(model: VariationalGMM) -> tuple[np.ndarray, float]:
            log_rho = model.expected_log_joint(x)
            bound = float(_log_sum(log_rho).sum()) - model.kl_prior()
            return softmax(log_rho, axis=1), bound

        def m_step(gamma: np.ndarray) -> VariationalGMM:
            return self.m_step(x, gamma)  # of this model it takes the prior alone

        return em(self, e_step, m_step, max_iter=max_iter, tol=tol)

    def log_predictive(self, x: Real[np.ndarray, "T D"]) -> Float[np.ndarray, " T"]:
        """Log density of new points, ln p(x* | X), with the parameters integrated out under q.

        It is a mixture of Student t densities with nu_k + 1 - D degrees of freedom,

            p(x* | X) = sum_k E[pi_k] St(x*; m_k, L_k, nu_k + 1 - D),
            L_k = (nu_k + 1 - D) beta_k / (1 + beta_k) W_k.

        Parameters
        ----------
        x : array (T, D)
            New points.

        Returns
        -------
        array (T,)
            ln p(x*) of each point on its own.

        Raises
        ------
        ValueError
            As for `expected_log_joint`.

        Notes
        -----
        Bishop (2006), equations 10.81 and 10.82.
        """
        x = self._points(x)
        D = x.shape[1]
        freedom = self.nu + 1 - D
        shrink = freedom * self.beta / (1 + self.beta)  # L_k = shrink_k W_k
        log_t = (
            gammaln((freedom + D) / 2)
            - gammaln(freedom / 2)
            + 0.5 * (D * np.log(shrink) + _log_det(self.W_root))
            - 0.5 * D * np.log(np.pi * freedom)
            - 0.5 * (freedom + D) * np.log1p(shrink * self._squared_distances(x) / freedom)
        )
        return _log_sum(np.log(self.weights) + log_t)

    def expected_mixture(self) -> GMM:
        """The mixture at the expected parameters: weights E[pi_k], means m_k, precisions nu_k W_k.

        Returns
        -------
        GMM
            With covariances E[Lambda_k]^{-1} = W_k^{-1} / nu_k.
        """
        return GMM(self.weights, self.m, self.W_inv / self.nu[:, None, None])

    def sample_mixture(self, rng: np.random.Generator) -> GMM:
        """Draw the parameters of a mixture from q(pi, mu, Lambda).

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        GMM
            One mixture that the data leave possible.

        Raises
        ------
        ValueError
            If `rng` is not a generator.

        Notes
        -----
        Bartlett's decomposition: with W^{-1} = L L^T and A lower triangular with A_ii^2 chi-squared
        of nu + 1 - i degrees of freedom and standard normal entries below the diagonal,
        Lambda = L^{-T} A A^T L^{-1} is Wishart(W, nu).
        """
        rng = checks.generator(rng)
        D = self.m.shape[1]
        means, covariances = np.empty(self.m.shape), np.empty(self.W_inv.shape)
        for k, L in enumerate(np.linalg.cholesky(self.W_inv)):
            A = np.tril(rng.standard_normal((D, D)), -1)
            A += np.diag(np.sqrt(rng.chisquare(self.nu[k] - np.arange(D))))
            root = scipy.linalg.solve_triangular(A, L.T, lower=True).T  # Lambda^{-1} = root root^T
            covariances[k] = root @ root.T
            means[k] = self.m[k] + root @ rng.standard_normal(D) / np.sqrt(self.beta[k])
        return GMM(rng.dirichlet(self.alpha), means, covariances)

    @classmethod
    def from_responsibilities(
        cls, x: Real[np.ndarray, "T D"], gamma: Real[np.ndarray, "T K"], prior: GMMPrior
    ) -> "VariationalGMM":
        """The best q(pi, mu, Lambda) for given responsibilities and a prior.

        Parameters
        ----------
        x : array (T, D)
            Points.
        gamma : array (T, K)
            Responsibilities (or one-hot assignments); each row sums to one.
        prior : GMMPrior
            The prior.

        Returns
        -------
        VariationalGMM
            A component without responsibility has the parameters of the prior.

        Raises
        ------
        ValueError
            If the shapes do not fit, a point is missing or a row of `gamma` is not a distribution.

        Notes
        -----
        Bishop (2006), equations 10.51 to 10.53 and 10.58 to 10.63.
        """
        x = checks.points("x", x, D=len(prior.m))
        gamma = checks.probabilities("gamma", gamma, "T K", T=len(x))
        N = gamma.sum(axis=0)
        some = N > 0
        xbar = np.tile(prior.m, (len(N), 1))
        xbar[some] = (gamma[:, some] / N[some]).T @ x
        beta = prior.beta + N
        W_inv = np.tile(prior.W_inv, (len(N), 1, 1))
        for k in np.flatnonzero(some):
            centred, shift = x - xbar[k], xbar[k] - prior.m
            NS = (gamma[:, k] * centred.T) @ centred
            W_inv[k] += (NS + NS.T) / 2 + prior.beta * N[k] / beta[k] * np.outer(shift, shift)
        m = (prior.beta * prior.m + N[:, None] * xbar) / beta[:, None]
        return cls(prior.alpha + N, beta, m, prior.nu + N, W_inv, prior)

    @classmethod
    def start(
        cls,
        x: Real[np.ndarray, "T D"],
        n_components: int,
        rng: np.random.Generator,
        *,
        prior: GMMPrior | None = None,
    ) -> "VariationalGMM":
        """A model to start from: each point belongs to the nearest of K means from K-means++.

        Parameters
        ----------
        x : array (T, D)
            Points.
        n_components : int
            K, at most the number of distinct points.
        rng : numpy.random.Generator
            Source of randomness.
        prior : GMMPrior, optional
            The prior; without it `GMMPrior.from_data(x, n_components)`.

        Returns
        -------
        VariationalGMM
            The M-step from these assignments.

        Raises
        ------
        ValueError
            If a point is missing, or `n_components` is below one or above the number of distinct
            points.
        """
        x = checks.points("x", x)
        K = checks.n_groups("n_components", n_components, x)
        if prior is None:
            prior = GMMPrior.from_data(x, K)
        gamma = np.eye(K)[assign(x, kmeans_plus_plus(x, K, rng))]
        return cls.from_responsibilities(x, gamma, prior)

    @classmethod
    def fit(
        cls,
        x: Real[np.ndarray, "T D"],
        n_components: int,
        *,
        rng: np.random.Generator,
        prior: GMMPrior | None = None,
        restarts: int = 5,
        max_iter: int = 500,
        tol: float = 1e-6,
    ) -> Fit:
        """Coordinate ascent from several starts.

        Parameters
        ----------
        x : array (T, D)
            Points.
        n_components : int
            K, the largest number of components, at most the number of distinct points. Those that
            the data do not need end with an expected weight near alpha_0 / (T + K alpha_0).
        rng : numpy.random.Generator
            Source of randomness.
        prior : GMMPrior, optional
            The prior; without it `GMMPrior.from_data(x, n_components)`.
        restarts : int
            Number of starts.
        max_iter : int
            Largest number of M-steps of a run.
        tol : float
            Gain of an iteration, in nats, at or below which a run ends.

        Returns
        -------
        Fit
            The run that ends with the largest bound; `trace` is of the bound and never decreases.

        Raises
        ------
        ValueError
            If an argument is out of range.

        Notes
        -----
        Lecture 4, coordinate ascent; Bishop (2006), section 10.2.1. The permuted components of a
        solution are solutions too, and q settles on one of them.
        """

        def run(rng: np.random.Generator) -> Fit:
            start = cls.start(x, n_components, rng, prior=prior)
            return start.cavi(x, max_iter=max_iter, tol=tol)

        return best_of(run, restarts, rng)

    def _points(self, x: np.ndarray) -> np.ndarray:
        return checks.points("x", x, D=self.m.shape[1])

    def _expected_log_det(self) -> Float[np.ndarray, " K"]:
        """E[ln det Lambda_k], Bishop's ln Lambda~_k."""
        D = self.m.shape[1]
        return _multidigamma(self.nu / 2, D) + D * np.log(2) + _log_det(self.W_root)

    def _squared_distances(self, x: np.ndarray) -> Float[np.ndarray, "T K"]:
        """(x_n - m_k)^T W_k (x_n - m_k) = |R_k (x_n - m_k)|^2."""
        # Column by column in memory: sums over the few components then run along the many points.
        squares = np.empty((len(x), len(self.m)), order="F")
        for k, R in enumerate(self.W_root):
            z = (x - self.m[k]) @ R.T
            squares[:, k] = np.einsum("nd,nd->n", z, z)
        return squares

    def _kl_normal_means(self) -> Float[np.ndarray, " K"]:
        """E[KL(N(m_k, (beta_k Lambda)^{-1}) || N(m_0, (beta_0 Lambda)^{-1}))], for every k."""
        D, ratio = self.m.shape[1], self.prior.beta / self.beta
        # (m_0 - m_k)^T W_k (m_0 - m_k)
        shift = self._squared_distances(self.prior.m[None])[0]
        return 0.5 * (D * (ratio - 1 - np.log(ratio)) + self.prior.beta * self.nu * shift)

    def _kl_wishart(self) -> Float[np.ndarray, " K"]:
        """KL(Wishart(W_k, nu_k) || Wishart(W_0, nu_0)), for every k."""
        D, nu, nu_0 = self.m.shape[1], self.nu, self.prior.nu
        # tr(W_k W_0^{-1}) = |R_k L_0|^2 with W_0^{-1} = L_0 L_0^T.
        trace = np.square(self.W_root @ np.linalg.cholesky(self.prior.W_inv)).sum(axis=(1, 2))
        log_det_W_0 = _log_det(_inverse_cholesky(self.prior.W_inv[None]))
        return (
            _log_multigamma(np.array([nu_0 / 2]), D)
            - _log_multigamma(nu / 2, D)
            + 0.5 * (nu - nu_0) * _multidigamma(nu / 2, D)
            + 0.5 * nu_0 * (log_det_W_0 - _log_det(self.W_root))
            + 0.5 * nu * (trace - D)
        )


def _log_sum(log_rho: Float[np.ndarray, "T K"]) -> Float[np.ndarray, " T"]:
    """Logarithm of sum_k rho_nk."""
    return np.asarray(logsumexp(log_rho, axis=1))


def _kl_dirichlet(alpha: Float[np.ndarray, " K"], alpha_0: Float[np.ndarray, " K"]) -> float:
    total, total_0 = alpha.sum(), alpha_0.sum()
    return float(
        gammaln(total)
        - gammaln(total_0)
        + (gammaln(alpha_0) - gammaln(alpha)).sum()
        + ((alpha - alpha_0) * (digamma(alpha) - digamma(total))).sum()
    )


def _log_multigamma(a: Float[np.ndarray, " K"], D: int) -> Float[np.ndarray, " K"]:
    """Logarithm of the gamma function in D dimensions, but for a constant, which cancels here."""
    return gammaln(a[:, None] - np.arange(D) / 2).sum(axis=1)


def _multidigamma(a: Float[np.ndarray, " K"], D: int) -> Float[np.ndarray, " K"]:
    """Derivative of `_log_multigamma`."""
    return digamma(a[:, None] - np.arange(D) / 2).sum(axis=1)


def _inverse_cholesky(W_inv: Float[np.ndarray, "K D D"]) -> Float[np.ndarray, "K D D"]:
    """R = L^{-1} for W^{-1} = L L^T, so that W = R^T R."""
    return np.tril(np.linalg.inv(np.linalg.cholesky(W_inv)))


def _log_det(R: Float[np.ndarray, "K D D"]) -> Float[np.ndarray, " K"]:
    """Logarithm of det W, 2 sum_i ln R_ii."""
    return 2 * np.log(np.diagonal(R, axis1=1, axis2=2)).sum(axis=1)


def _enough_freedom(nu: np.ndarray, D: int) -> None:
    if (nu <= D - 1).any():
        raise ValueError(f"nu must be above D - 1 = {D - 1}, got {nu}")
