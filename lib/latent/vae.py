"""Variational auto-encoder: a latent variable model whose decoder and encoder are networks.

Lecture 7. The model is s ~ N(0, I) in D dimensions and x from p(x | s), whose parameters are the
decoder's output h(s). The posterior p(s | x) is out of reach, so the encoder gives a normal density
in its place, q(s | x) = N(s; mu(x), diag(sigma_i^2(x))), and

    ln p(x) >= ELBO = E_q[ln p(x | s)] - KL(q(s | x) || p(s)),

with equality if q is the posterior. The first term is the negative reconstruction loss. It is
estimated with L samples s_l = mu + sigma eps_l, eps_l ~ N(0, I), through which gradients pass:

    E_q[ln p(x | s)] ~ 1/L sum_l ln p(x | s_l).

The second is known in closed form,

    KL(q(s | x) || p(s)) = -1/2 sum_i (1 + ln sigma_i^2 - mu_i^2 - sigma_i^2).

Training minimises the mean of -ELBO. How loose the bound is shows the estimate with L weighted
samples, which is a bound too and rises to ln p(x) as L grows (Burda et al. 2016):

    ln p(x) >= E[ln 1/L sum_l p(x | s_l) p(s_l) / q(s_l | x)].
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from latent import checks
from latent.autodiff import Tensor, constants, record
from latent.autoencoder import fit_points, latents, points
from latent.likelihoods import likelihood_named
from latent.perceptron import (
    Parameters,
    check_ends,
    init_perceptron,
    layer_sizes,
    perceptron,
)
from latent.shapes import Float, Real
from latent.training import Trained


class VAETerms(NamedTuple):
    """The two terms of the bound, summed over the points, in nats.

    Attributes
    ----------
    reconstruction : float
        sum_n E_q[ln p(x_n | s)], estimated.
    kl : float
        sum_n KL(q(s | x_n) || p(s)).
    """

    reconstruction: float
    kl: float

    @property
    def elbo(self) -> float:
        """The bound, `reconstruction` - `kl`."""
        return self.reconstruction - self.kl


class Encoded(NamedTuple):
    """The encoder's q(s | x_n) = N(s; mean_n, diag(sd_n^2)).

    Attributes
    ----------
    mean : array (T, D)
        mu(x_n).
    sd : array (T, D)
        sigma(x_n).
    """

    mean: Float[np.ndarray, "T D"]
    sd: Float[np.ndarray, "T D"]


class Generated(NamedTuple):
    """Hidden variables and points drawn with them.

    Attributes
    ----------
    s : array (T, D)
        s_n.
    x : array (T, d)
        x_n.
    """

    s: Float[np.ndarray, "T D"]
    x: Float[np.ndarray, "T d"]


@dataclass(frozen=True, eq=False)
class VAE:
    """p(s) = N(0, I), p(x | s) with a decoder, and q(s | x) with an encoder.

    Parameters
    ----------
    parameters : dict of arrays
        The networks "encoder", from x to (mu, ln sigma^2), and "decoder", from s to h(s), with
        names as in `latent.perceptron`; for the Gaussian likelihood also "log_variance" ().
    likelihood : str
        "gaussian" or "bernoulli"; see `latent.likelihoods`.
    n_samples : int
        L, samples of s for each point in the loss.

    Raises
    ------
    ValueError
        If a parameter is missing or its shape does not fit, or another argument is out of range.

    Notes
    -----
    Lecture 7; Kingma and Welling (2014).
    """

    parameters: dict[str, np.ndarray]
    likelihood: str = "bernoulli"
    n_samples: int = 1

    def __post_init__(self) -> None:
        likelihood_named(self.likelihood).check_parameters(self.parameters)
        n_latent, *_, n_features = layer_sizes(self.parameters, "decoder")
        check_ends(self.parameters, "encoder", n_features, 2 * n_latent)
        checks.whole("n_samples", self.n_samples)

    @classmethod
    def init(
        cls,
        n_features: int,
        n_latent: int,
        *,
        rng: np.random.Generator,
        likelihood: str = "bernoulli",
        hidden: Sequence[int] = (256,),
        n_samples: int = 1,
        dtype: type = np.float32,
    ) -> "VAE":
        """Draw a model to start from.

        Parameters
        ----------
        n_features : int
            d, entries of x.
        n_latent : int
            D, entries of s.
        rng : numpy.random.Generator
            Source of randomness.
        likelihood : str
            "gaussian" or "bernoulli".
        hidden : sequence of int
            Entries between the layers of the encoder, from x on; the decoder has them in reverse.
            Without any, both are linear.
        n_samples : int
            L.
        dtype : type
            Precision of the parameters.

        Returns
        -------
        VAE
            With random weights, and sigma^2 = 1 if the likelihood is Gaussian.

        Raises
        ------
        ValueError
            If an argument is out of range.
        """
        n_latent = checks.whole("n_latent", n_latent)
        sizes = [n_features, *hidden]
        own = likelihood_named(likelihood).parameters(1.0)
        parameters = {
            **init_perceptron("encoder", [*sizes, 2 * n_latent], rng, dtype),
            **init_perceptron("decoder", [n_latent, *reversed(sizes)], rng, dtype),
            **{name: value.astype(dtype) for name, value in own.items()},
        }
        return cls(parameters, likelihood, n_samples)

    @property
    def n_features(self) -> int:
        """d, entries of x."""
        return len(self.parameters["encoder.0.weight"])

    @property
    def n_latent(self) -> int:
        """D, entries of s."""
        return len(self.parameters["decoder.0.weight"])

    def loss(
        self,
        p: Parameters,
        batch: tuple[Float[np.ndarray, "n d"], ...],
        rng: np.random.Generator,
    ) -> Tensor:
        """Mean of -ELBO over a batch, estimated with L samples of s for each point.

        Parameters
        ----------
        p : mapping of Tensors
            The parameters, by their names.
        batch : tuple of one or two arrays (n, d)
            Points; if there are two, the first is encoded and the second explained.
        rng : numpy.random.Generator
            What the samples are drawn from.

        Returns
        -------
        Tensor ()
            In nats a point.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        read, x = batch[0], batch[-1]
        moments = perceptron(p, "encoder", read)
        eps = rng.standard_normal((self.n_samples, len(x), self.n_latent), moments.dtype.type)
        nll = self._negative_log_likelihood(p, sample_normal(moments, eps), x)
        return nll.mean() + kl_to_unit_normal(moments).mean()

    def encode(self, x: Real[np.ndarray, "T d"]) -> Encoded:
        """Return q(s | x) of each point.

        Parameters
        ----------
        x : array (T, d)
            Points.

        Returns
        -------
        Encoded
            `mean` and `sd` (T, D).

        Raises
        ------
        ValueError
            If `x` has another shape or an entry that is not finite.
        """
        p = constants(self.parameters)
        moments = perceptron(p, "encoder", points("x", x, self)).data
        mean, log_variance = moments[:, : self.n_latent], moments[:, self.n_latent :]
        return Encoded(mean, np.exp(0.5 * log_variance))

    def decode(self, s: Real[np.ndarray, "T D"]) -> Float[np.ndarray, "T d"]:
        """Return E[x | s]: h(s), or with the Bernoulli likelihood the probability of a one.

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

    def elbo(
        self, x: Real[np.ndarray, "T d"], rng: np.random.Generator, n_samples: int = 1
    ) -> VAETerms:
        """Estimate the bound and its two terms.

        Parameters
        ----------
        x : array (T, d)
            Points.
        rng : numpy.random.Generator
            Source of randomness.
        n_samples : int
            L, samples of s for each point.

        Returns
        -------
        VAETerms
            Sums over the points. `elbo` is at most ln p(x) on average over the samples.

        Raises
        ------
        ValueError
            If `x` does not fit, or `n_samples` is below one.
        """
        x = self._data(x)
        moments = perceptron(constants(self.parameters), "encoder", x)
        draws = [nll for _, nll in self._draws(moments, x, rng, n_samples)]
        kl = kl_to_unit_normal(moments).data.sum(dtype=float)
        return VAETerms(-float(np.mean(draws, axis=0).sum()), float(kl))

    def log_evidence(
        self, x: Real[np.ndarray, "T d"], rng: np.random.Generator, n_samples: int = 100
    ) -> float:
        """Estimate ln p(X) = sum_n ln p(x_n) from weighted samples of the encoder.

        Parameters
        ----------
        x : array (T, d)
            Points.
        rng : numpy.random.Generator
            Source of randomness.
        n_samples : int
            L, samples of s for each point.

        Returns
        -------
        float
            sum_n ln 1/L sum_l p(x_n | s_l) p(s_l) / q(s_l | x_n), in nats. On average over the
            samples it is a lower bound of ln p(X) that rises with L; for L = 1 it is the ELBO.

        Raises
        ------
        ValueError
            If `x` does not fit, or `n_samples` is below one.

        Notes
        -----
        Burda, Grosse and Salakhutdinov (2016). One sample of each point is in memory at a time.
        """
        x = self._data(x)
        moments = perceptron(constants(self.parameters), "encoder", x)
        mean, log_variance = np.split(moments.data.astype(float), 2, axis=1)
        total = np.full(len(x), -np.inf)
        for eps, nll in self._draws(moments, x, rng, n_samples):
            s = mean + np.exp(0.5 * log_variance) * eps
            # ln p(s) - ln q(s | x); 1/2 ln 2 pi is in both
            log_ratio = 0.5 * (eps**2 + log_variance - s**2).sum(axis=1)
            total = np.logaddexp(total, log_ratio - nll)
        return float((total - np.log(n_samples)).sum())

    def sample(self, n_points: int, rng: np.random.Generator) -> Generated:
        """Draw s_n ~ N(0, I) and x_n from p(x | s_n).

        Parameters
        ----------
        n_points : int
            T.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        Generated
            `s` (T, D) and `x` (T, d).

        Raises
        ------
        ValueError
            If `n_points` is below one or `rng` is not a generator.
        """
        shape = (checks.whole("n_points", n_points), self.n_latent)
        s = checks.generator(rng).standard_normal(shape)
        decoded = perceptron(constants(self.parameters), "decoder", latents("s", s, self)).data
        return Generated(s, likelihood_named(self.likelihood).sample(self.parameters, decoded, rng))

    @classmethod
    def fit(
        cls,
        x: Real[np.ndarray, "T d"],
        n_latent: int,
        *,
        rng: np.random.Generator,
        likelihood: str = "bernoulli",
        hidden: Sequence[int] = (256,),
        n_samples: int = 1,
        steps: int = 3000,
        size: int = 128,
        rate: float = 2e-3,
        **options: Any,
    ) -> Trained:
        """Train a model on points.

        Parameters
        ----------
        x : array (T, d)
            Points: from 0 to 1 for the Bernoulli likelihood, otherwise in units that give them a
            spread of about one.
        n_latent : int
            D.
        rng : numpy.random.Generator
            Source of randomness.
        likelihood : str
            "gaussian" or "bernoulli".
        hidden : sequence of int
            See `init`.
        n_samples : int
            L.
        steps : int
            Number of steps.
        size : int
            Points in a batch; all of them if there are fewer.
        rate : float
            Largest learning rate; it falls to zero along half a cosine.
        **options
            `noise`, see `latent.autoencoder.fit_points`, and arguments of `latent.train`.

        Returns
        -------
        Trained
            `model` and its `trace`, the loss of each step in nats a point.

        Raises
        ------
        ValueError
            If an argument is out of range.

        Notes
        -----
        Lecture 7, training. With the Gaussian likelihood sigma^2 starts at the variance of x.
        """
        x = checks.points("x", x, "T d")
        model = cls.init(
            x.shape[1],
            n_latent,
            rng=rng,
            likelihood=likelihood,
            hidden=hidden,
            n_samples=n_samples,
        )
        model = with_variance_of(model, model._data(x))
        return fit_points(model, x, rng=rng, steps=steps, size=size, rate=rate, **options)

    def _data(self, x: np.ndarray) -> np.ndarray:
        x = points("x", x, self)
        likelihood_named(self.likelihood).check("x", x)
        return x

    def _negative_log_likelihood(self, p: Parameters, s: Tensor, x: np.ndarray) -> Tensor:
        decoded = perceptron(p, "decoder", s)
        return likelihood_named(self.likelihood).negative_log_likelihood(p, decoded, x)

    def _draws(
        self, moments: Tensor, x: np.ndarray, rng: np.random.Generator, n_samples: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Draw eps for all points at once, L times, and -ln p(x | s) of the s that it makes."""
        p, shape = constants(self.parameters), (1, len(x), self.n_latent)
        checks.generator(rng)
        for _ in range(checks.whole("n_samples", n_samples)):
            eps = rng.standard_normal(shape, moments.dtype.type)
            nll = self._negative_log_likelihood(p, sample_normal(moments, eps), x).data
            yield eps[0].astype(float), nll[0].astype(float)


def sample_normal(moments: Tensor, eps: Float[np.ndarray, "L n D"]) -> Tensor:
    """Return s = mu + sigma eps, as one primitive: `reparameterise` for what an encoder puts out.

    With sigma = exp(1/2 ln sigma^2), and the sums over the samples,

        dl/dmu = sum_l g,    dl/d(ln sigma^2) = sum_l g eps sigma / 2.

    Parameters
    ----------
    moments : Tensor (n, 2 D)
        Rows (mu, ln sigma^2).
    eps : array (L, n, D)
        Standard normal numbers.

    Returns
    -------
    Tensor (L, n, D)
        s.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Notes
    -----
    Lecture 7, the reparameterisation trick.
    """
    D = eps.shape[-1]
    if eps.ndim != 3 or moments.shape != (eps.shape[1], 2 * D):
        raise ValueError(
            f"eps must have shape (L, n, D) for moments of shape (n, 2 D), got {eps.shape} and "
            f"{moments.shape}"
        )
    mean, log_variance = moments.data[:, :D], moments.data[:, D:]
    noise = np.exp(0.5 * log_variance) * eps

    return record(
        mean + noise,
        (
            moments,
            lambda g: np.concatenate([g.sum(axis=0), 0.5 * (g * noise).sum(axis=0)], axis=1),
        ),
    )


def kl_to_unit_normal(moments: Tensor) -> Tensor:
    """Return KL(N(mu, diag(sigma_i^2)) || N(0, I)) of each row, as one primitive.

    It is -1/2 sum_i (1 + ln sigma_i^2 - mu_i^2 - sigma_i^2), and so

        dl/dmu_i = g mu_i,    dl/d(ln sigma_i^2) = g (sigma_i^2 - 1) / 2.

    Parameters
    ----------
    moments : Tensor (n, 2 D)
        Rows (mu, ln sigma^2).

    Returns
    -------
    Tensor (n,)
        In nats.

    Raises
    ------
    ValueError
        If the rows have an odd number of entries.

    Notes
    -----
    Lecture 7; the slide prints the opposite sign. `latent.kl_normal` is the general formula.
    """
    if moments.ndim != 2 or moments.shape[1] % 2:
        raise ValueError(f"moments must have shape (n, 2 D), got {moments.shape}")
    mean, log_variance = np.split(moments.data, 2, axis=1)
    variance = np.exp(log_variance)
    kl = -0.5 * (1 + log_variance - mean**2 - variance).sum(axis=1)

    slope = np.concatenate([mean, 0.5 * (variance - 1)], axis=1)
    return record(kl, (moments, lambda g: g[:, None] * slope))


def with_variance_of(model: Any, x: Real[np.ndarray, "T d"]) -> Any:
    """Start a likelihood's own parameters from the data.

    Parameters
    ----------
    model
        A frozen dataclass with `likelihood` and `parameters`.
    x : array (T, d)
        Points.

    Returns
    -------
    model
        With sigma^2 at the mean over the entries of the variance of x, if it has a sigma^2.

    Raises
    ------
    ValueError
        If all points are equal.
    """
    variance = float(x.var(axis=0).mean())
    if not variance:
        raise ValueError("x must have points that differ")
    dtype = model.parameters["decoder.0.weight"].dtype
    own = likelihood_named(model.likelihood).parameters(variance)
    own = {name: value.astype(dtype) for name, value in own.items()}
    return replace(model, parameters=model.parameters | own)
