"""Auto-encoder with a Gaussian-mixture prior: clusters of what the encoder makes of x.

Lecture 7, more priors. The hidden variables are a cluster z, a style w and s, from which x is
decoded:

    p(x, s, w, z) = p(w) p(z) p(s | w, z) p(x | s),
    p(w) = N(0, I),    p(z = k) = pi_k,    p(s | w, z = k) = N(s; mu_k(w), diag(sigma_k^2(w))),

where a network beta gives all mu_k(w) and sigma_k(w). Without w the prior of s would be a mixture
of K normal densities; with it a cluster is a whole family of them. The posterior is approximated by

    q(s, w, z | x) = q(s | x) q(w | x) p(z | s, w),

two normal densities from encoders, and for z the posterior that the model itself has once s and w
are known,

    p(z = k | s, w) = pi_k p(s | w, z = k) / sum_j pi_j p(s | w, z = j).

The bound E_q[ln p(x, s, w, z) - ln q(s, w, z | x)] has four terms:

    E_q(s)[ln p(x | s)]                                                       reconstruction
    - E_q(s)q(w)[sum_z p(z | s, w) ln q(s | x) / p(s | w, z)]                 conditional
    - KL(q(w | x) || p(w))                                                    kl_w
    - E_q(s)q(w)[KL(p(z | s, w) || p(z))]                                     kl_z

The slide prints the second as E over q(w) and p(z | s, w) of KL(q(s | x) || p(s | w, z)). But
p(z | s, w) depends on the s that this divergence integrates out. Read with an independent s' for
it, the printed form is a bound too, and a looser one: with r_k(s) = p(z = k | s, w) and
l_k(s) = ln p(s | w, z = k) it lacks

    1/2 E[sum_k (r_k(s) - r_k(s')) (l_k(s) - l_k(s'))] >= 0,

which is not negative because r is the gradient of the convex function ln sum_k pi_k exp l_k.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.special import softmax

from latent import checks
from latent.autodiff import Tensor, constants, record
from latent.autoencoder import fit_points, latents, points
from latent.clustering import kmeans
from latent.fused import logsumexp
from latent.likelihoods import likelihood_named
from latent.perceptron import (
    Parameters,
    check_ends,
    init_perceptron,
    layer_sizes,
    perceptron,
)
from latent.shapes import Float, Int, Real
from latent.training import Trained
from latent.vae import VAE, kl_to_unit_normal, sample_normal


class GMVAETerms(NamedTuple):
    """The four terms of the bound, summed over the points, in nats.

    Attributes
    ----------
    reconstruction : float
        E_q(s)[ln p(x | s)].
    conditional : float
        E_q(s)q(w)[sum_z p(z | s, w) ln q(s | x) / p(s | w, z)].
    kl_w : float
        KL(q(w | x) || p(w)).
    kl_z : float
        E_q(s)q(w)[KL(p(z | s, w) || p(z))].
    """

    reconstruction: float
    conditional: float
    kl_w: float
    kl_z: float

    @property
    def elbo(self) -> float:
        """The bound: the first term less the other three."""
        return self.reconstruction - self.conditional - self.kl_w - self.kl_z


class GMVAESample(NamedTuple):
    """Hidden variables and points drawn with them.

    Attributes
    ----------
    z : array (T,) of integers
        Clusters, from 0 to K - 1.
    w : array (T, W)
        Styles.
    s : array (T, D)
        s_n.
    x : array (T, d)
        x_n.
    """

    z: Int[np.ndarray, " T"]
    w: Float[np.ndarray, "T W"]
    s: Float[np.ndarray, "T D"]
    x: Float[np.ndarray, "T d"]


# Samples for each point when runs are compared.
CHECK_SAMPLES = 10


@dataclass(frozen=True, eq=False)
class GMVAE:
    """z ~ pi, w ~ N(0, I), s from component z of a mixture that depends on w, and x from s.

    Parameters
    ----------
    parameters : dict of arrays
        The networks "encoder_s", from x to (mu, ln sigma^2) of q(s | x), "encoder_w", the same for
        w, "prior", from w to the K rows (mu_k, ln sigma_k^2), one after the other, and "decoder",
        from s to h(s), with names as in `latent.perceptron`; for the Gaussian likelihood also
        "log_variance" ().
    weights : array (K,)
        pi_k, above zero; they sum to one. They are given and not learned: a pi that follows the
        data rewards one large cluster in the place of two.
    likelihood : str
        "gaussian" or "bernoulli"; see `latent.likelihoods`.

    Raises
    ------
    ValueError
        If a parameter is missing or its shape does not fit, or another argument is out of range.

    Notes
    -----
    Lecture 7; Dilokthanakul et al. (2016). Their name of s is x, that of x is y.
    """

    parameters: dict[str, np.ndarray]
    weights: Float[np.ndarray, " K"]
    likelihood: str = "gaussian"

    def __post_init__(self) -> None:
        likelihood_named(self.likelihood).check_parameters(self.parameters)
        weights = checks.probabilities("weights", self.weights, "K")
        checks.above_zero("weights", weights, "K")
        object.__setattr__(self, "weights", checks.frozen(weights))
        n_latent, *_, n_features = layer_sizes(self.parameters, "decoder")
        n_style = layer_sizes(self.parameters, "prior")[0]
        check_ends(self.parameters, "encoder_s", n_features, 2 * n_latent)
        check_ends(self.parameters, "encoder_w", n_features, 2 * n_style)
        check_ends(self.parameters, "prior", n_style, 2 * n_latent * len(weights))

    @classmethod
    def init(
        cls,
        n_features: int,
        n_latent: int,
        *,
        n_components: int,
        n_style: int = 2,
        rng: np.random.Generator,
        likelihood: str = "gaussian",
        hidden: Sequence[int] = (256,),
        prior_hidden: Sequence[int] = (32,),
        dtype: type = np.float32,
    ) -> "GMVAE":
        """Draw a model to start from.

        Parameters
        ----------
        n_features : int
            d, entries of x.
        n_latent : int
            D, entries of s.
        n_components : int
            K.
        n_style : int
            W, entries of w.
        rng : numpy.random.Generator
            Source of randomness.
        likelihood : str
            "gaussian" or "bernoulli".
        hidden : sequence of int
            Entries between the layers of both encoders, from x on; the decoder has them in reverse.
        prior_hidden : sequence of int
            Entries between the layers of the prior, from w on.
        dtype : type
            Precision of the parameters.

        Returns
        -------
        GMVAE
            With random weights; all pi_k are equal.

        Raises
        ------
        ValueError
            If an argument is out of range.
        """
        D, W = checks.whole("n_latent", n_latent), checks.whole("n_style", n_style)
        K = checks.whole("n_components", n_components)
        sizes = [n_features, *hidden]
        own = likelihood_named(likelihood).parameters(1.0)
        parameters = {
            **init_perceptron("encoder_s", [*sizes, 2 * D], rng, dtype),
            **init_perceptron("encoder_w", [*sizes, 2 * W], rng, dtype),
            **init_perceptron("prior", [W, *prior_hidden, 2 * D * K], rng, dtype),
            **init_perceptron("decoder", [D, *reversed(sizes)], rng, dtype),
            **{name: value.astype(dtype) for name, value in own.items()},
        }
        return cls(parameters, np.full(K, 1 / K), likelihood)

    @classmethod
    def from_vae(
        cls,
        vae: VAE,
        x: Real[np.ndarray, "T d"],
        *,
        n_components: int,
        n_style: int = 2,
        rng: np.random.Generator,
        prior_hidden: Sequence[int] = (32,),
        restarts: int = 20,
    ) -> "GMVAE":
        """Start from an auto-encoder with the prior N(0, I), and clusters of its means mu(x).

        Parameters
        ----------
        vae : VAE
            Its encoder becomes that of s, its decoder and likelihood stay.
        x : array (T, d)
            Points.
        n_components : int
            K.
        n_style : int
            W, entries of w.
        rng : numpy.random.Generator
            Source of randomness.
        prior_hidden : sequence of int
            Entries between the layers of the prior, from w on.
        restarts : int
            Starts of K-means.

        Returns
        -------
        GMVAE
            mu_k(0) is the mean of the encoder's mu(x) in cluster k of K-means, sigma_k^2(0) the
            mean of (mu(x) - mu_k)^2 + sigma^2(x) in it. With w they change a little. All pi_k are
            equal.

        Raises
        ------
        ValueError
            If an argument is out of range.
        """
        hidden = layer_sizes(vae.parameters, "encoder")[1:-1]
        dtype = vae.parameters["decoder.0.weight"].dtype
        fresh = cls.init(
            vae.n_features,
            vae.n_latent,
            n_components=n_components,
            n_style=n_style,
            rng=rng,
            likelihood=vae.likelihood,
            hidden=hidden,
            prior_hidden=prior_hidden,
            dtype=dtype.type,
        )
        mean, sd = vae.encode(x)
        clusters = kmeans(mean, n_components, rng=rng, restarts=restarts)
        r = np.eye(n_components)[clusters.assignments]
        counts = r.sum(axis=0)[:, None]
        mu = r.T @ mean / counts
        variance = r.T @ ((mean - mu[clusters.assignments]) ** 2 + sd**2) / counts
        last = f"prior.{len(prior_hidden)}"
        taken = {name.replace("encoder", "encoder_s"): v for name, v in vae.parameters.items()}
        start = {
            f"{last}.weight": 0.1 * fresh.parameters[f"{last}.weight"],
            f"{last}.bias": np.hstack([mu, np.log(variance)]).ravel().astype(dtype),
        }
        return replace(fresh, parameters=fresh.parameters | taken | start)

    @property
    def n_features(self) -> int:
        """d, entries of x."""
        return len(self.parameters["encoder_s.0.weight"])

    @property
    def n_latent(self) -> int:
        """D, entries of s."""
        return len(self.parameters["decoder.0.weight"])

    @property
    def n_style(self) -> int:
        """W, entries of w."""
        return len(self.parameters["prior.0.weight"])

    def loss(
        self,
        p: Parameters,
        batch: tuple[Float[np.ndarray, "n d"], ...],
        rng: np.random.Generator,
    ) -> Tensor:
        """Mean of -ELBO over a batch, estimated with one sample of s and w for each point.

        Parameters
        ----------
        p : mapping of Tensors
            The parameters, by their names.
        batch : tuple of one or two arrays (n, d)
            Points; if there are two, the first is encoded and the second explained.
        rng : numpy.random.Generator
            What the samples and the noise are drawn from.

        Returns
        -------
        Tensor ()
            In nats a point.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        nll, conditional, kl_w, kl_z = self._terms(p, batch[0], batch[-1], rng)
        return (nll + conditional + kl_z).mean() + kl_w.mean()

    def responsibilities(self, x: Real[np.ndarray, "T d"]) -> Float[np.ndarray, "T K"]:
        """Return p(z = k | s, w) at the means of q(s | x) and q(w | x).

        Parameters
        ----------
        x : array (T, d)
            Points.

        Returns
        -------
        array (T, K)
            Each row sums to one; its largest entry is the cluster of the point.

        Raises
        ------
        ValueError
            If `x` has another shape or an entry that is not finite.
        """
        p, x = constants(self.parameters), points("x", x, self)
        mu_s = perceptron(p, "encoder_s", x).data[None, :, : self.n_latent]
        mu_w = perceptron(p, "encoder_w", x).data[None, :, : self.n_style]
        log_p = log_components(record(mu_s), perceptron(p, "prior", mu_w)).data[0]
        return softmax(log_p.astype(float) + np.log(self.weights), axis=1)

    def elbo(
        self, x: Real[np.ndarray, "T d"], rng: np.random.Generator, n_samples: int = 1
    ) -> GMVAETerms:
        """Estimate the bound and its four terms.

        Parameters
        ----------
        x : array (T, d)
            Points.
        rng : numpy.random.Generator
            Source of randomness.
        n_samples : int
            L, samples of s and w for each point.

        Returns
        -------
        GMVAETerms
            Sums over the points. `elbo` is at most ln p(x) on average over the samples.

        Raises
        ------
        ValueError
            If `x` does not fit, or `n_samples` is below one.
        """
        x = self._data(x)
        p, total = constants(self.parameters), np.zeros(4)
        for _ in range(checks.whole("n_samples", n_samples)):
            total += [term.data.sum(dtype=float) for term in self._terms(p, x, x, rng)]
        nll, conditional, kl_w, kl_z = (float(term) for term in total / n_samples)
        return GMVAETerms(-nll, conditional, kl_w, kl_z)

    def decode(self, s: Real[np.ndarray, "T D"]) -> Float[np.ndarray, "T d"]:
        """Return E[x | s].

        Parameters
        ----------
        s : array (T, D)
            Hidden variables.

        Returns
        -------
        array (T, d)
            A point for each row.

        Raises
        ------
        ValueError
            If `s` has another shape or an entry that is not finite.
        """
        p = constants(self.parameters)
        decoded = perceptron(p, "decoder", latents("s", s, self)).data
        return likelihood_named(self.likelihood).mean(decoded)

    def sample(self, n_points: int, rng: np.random.Generator) -> GMVAESample:
        """Draw z_n, w_n, s_n and x_n in this order.

        Parameters
        ----------
        n_points : int
            T.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        GMVAESample
            `z` (T,), `w` (T, W), `s` (T, D) and `x` (T, d).

        Raises
        ------
        ValueError
            If `n_points` is below one or `rng` is not a generator.
        """
        T, rng = checks.whole("n_points", n_points), checks.generator(rng)
        p, dtype = constants(self.parameters), self.parameters["decoder.0.weight"].dtype.type
        z = rng.choice(len(self.weights), T, p=self.weights)
        w = rng.standard_normal((T, self.n_style), dtype)
        rows = perceptron(p, "prior", w).data.reshape(T, len(self.weights), -1)[np.arange(T), z]
        mu, log_variance = np.split(rows, 2, axis=1)
        s = mu + np.exp(0.5 * log_variance) * rng.standard_normal(mu.shape, dtype)
        decoded = perceptron(p, "decoder", s).data
        x = likelihood_named(self.likelihood).sample(self.parameters, decoded, rng)
        return GMVAESample(z, w, s, x)

    @classmethod
    def fit(
        cls,
        x: Real[np.ndarray, "T d"],
        n_latent: int,
        *,
        n_components: int,
        n_style: int = 2,
        rng: np.random.Generator,
        likelihood: str = "gaussian",
        hidden: Sequence[int] = (256,),
        prior_hidden: Sequence[int] = (32,),
        noise: float = 0.0,
        restarts: int = 1,
        steps: int = 3000,
        size: int = 128,
        rate: float = 2e-3,
        **options: Any,
    ) -> Trained:
        """Train a `VAE`, cluster its means, and train all parts together from there.

        Parameters
        ----------
        x : array (T, d)
            Points: from 0 to 1 for the Bernoulli likelihood, otherwise in units that give them a
            spread of about one.
        n_latent : int
            D.
        n_components : int
            K.
        n_style : int
            W.
        rng : numpy.random.Generator
            Source of randomness.
        likelihood : str
            "gaussian" or "bernoulli".
        hidden : sequence of int
            See `init`.
        prior_hidden : sequence of int
            See `init`.
        noise : float
            Standard deviation of fresh normal noise on the points that the decoder explains; for
            the Gaussian likelihood.
        restarts : int
            Number of starts; the result is the run that ends with the largest bound of x.
        steps : int
            Number of steps, of each of the two trainings.
        size : int
            Points in a batch; all of them if there are fewer.
        rate : float
            Largest learning rate; it falls to zero along half a cosine, twice.
        **options
            Arguments of `latent.train` for the second training.

        Returns
        -------
        Trained
            `model` and the `trace` of the second training.

        Raises
        ------
        ValueError
            If an argument is out of range.

        Notes
        -----
        As for any mixture, the start decides which clusters are found (lecture 1). The noise keeps
        sigma^2 of the likelihood above its variance. Without it sigma^2 becomes small, the decoder
        explains every stroke, s carries many nats, and the cluster is a small part of them.
        """
        x = checks.points("x", x, "T d")
        if checks.whole("restarts", restarts) > 1 and "checkpoint" in options:
            raise ValueError(f"checkpoint holds one training: restarts must be 1, got {restarts}")
        settings: dict[str, Any] = {"steps": steps, "size": size, "rate": rate, "noise": noise}

        def run() -> tuple[float, Trained]:
            vae = VAE.fit(x, n_latent, rng=rng, likelihood=likelihood, hidden=hidden, **settings)
            start = cls.from_vae(
                vae.model,
                x,
                n_components=n_components,
                n_style=n_style,
                rng=rng,
                prior_hidden=prior_hidden,
            )
            trained = fit_points(start, x, rng=rng, **settings, **options)
            return trained.model.elbo(x, rng, CHECK_SAMPLES).elbo, trained

        return max((run() for _ in range(restarts)), key=lambda scored: scored[0])[1]

    def _data(self, x: np.ndarray) -> np.ndarray:
        x = points("x", x, self)
        likelihood_named(self.likelihood).check("x", x)
        return x

    def _draw(self, moments: Tensor, n: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Draw one row for each row of moments; and ln q of what was drawn."""
        eps = rng.standard_normal((1, len(moments), n), moments.dtype.type)
        constant = -0.5 * ((eps**2).sum(axis=-1) + n * np.log(2 * np.pi))
        return sample_normal(moments, eps), moments[:, n:].sum(axis=-1) * -0.5 + constant

    def _terms(
        self, p: Parameters, read: np.ndarray, x: np.ndarray, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw s and w once for each point; -ln p(x | s) and what is taken from ln p(x | s)."""
        moments_s = perceptron(p, "encoder_s", read)
        moments_w = perceptron(p, "encoder_w", read)
        s, log_q = self._draw(moments_s, self.n_latent, rng)
        w, _ = self._draw(moments_w, self.n_style, rng)
        log_p = log_components(s, perceptron(p, "prior", w))
        log_pi = np.log(self.weights)
        log_joint = log_p + log_pi
        log_posterior = log_joint - logsumexp(log_joint).reshape(1, len(x), 1)
        posterior = log_posterior.exp()
        decoded = perceptron(p, "decoder", s)
        return (
            likelihood_named(self.likelihood).negative_log_likelihood(p, decoded, x),
            log_q - (posterior * log_p).sum(axis=-1),
            kl_to_unit_normal(moments_w),
            (posterior * (log_posterior - log_pi)).sum(axis=-1),
        )


def log_components(s: Tensor, components: Tensor) -> Tensor:
    """Return ln N(s; mu_k, diag(sigma_k^2)) for K components, as one primitive.

    With t = (s - mu_k) / sigma_k it is -1/2 sum_i (ln 2 pi + ln sigma_ki^2 + t_ki^2), and so

        dl/dmu_k = g_k t_k / sigma_k,
        dl/d(ln sigma_k^2) = g_k (t_k^2 - 1) / 2,
        dl/ds = -sum_k g_k t_k / sigma_k.

    Parameters
    ----------
    s : Tensor (L, n, D)
        Samples.
    components : Tensor (L, n, 2 D K)
        The K rows (mu_k, ln sigma_k^2), one after the other, for each of them.

    Returns
    -------
    Tensor (L, n, K)
        Log densities.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Notes
    -----
    Lecture 7, the Gaussian-mixture prior.
    """
    D = s.shape[-1]
    if s.shape[:-1] != components.shape[:-1] or components.shape[-1] % (2 * D):
        raise ValueError(
            f"components must have shape (L, n, 2 D K) for s of shape (L, n, D), got "
            f"{components.shape} and {s.shape}"
        )
    rows = components.data.reshape(*s.shape[:-1], -1, 2 * D)
    mu, log_variance = rows[..., :D], rows[..., D:]
    precision = np.exp(-log_variance)
    slope = (s.data[..., None, :] - mu) * precision  # t / sigma
    squares = slope * slope / precision
    value = -0.5 * (log_variance + squares + np.log(2 * np.pi)).sum(axis=-1)
    derivative = np.concatenate([slope, 0.5 * (squares - 1)], axis=-1)
    return record(
        value.astype(s.dtype, copy=False),
        (s, lambda g: -(g[..., None] * slope).sum(axis=-2)),
        (components, lambda g: (g[..., None] * derivative).reshape(components.shape)),
    )
