"""Vector-quantised variational auto-encoder: hidden variables from a list of K vectors.

Lecture 7, discrete prior. The codebook is e_1, ..., e_K in R^D. The encoder's output is cut into P
rows z_e(x) in R^D, one for each position, and each row is replaced by its nearest code:

    k* = argmin_k |z_e(x) - e_k|^2,    z_q(x) = e_{k*}.

So q(k | x) is one at k*, without entropy, and with the uniform prior p(k) = 1/K

    ELBO = ln p(x | z_q(x)) - P ln K,

whose second term is constant: nothing pulls the encoder to the prior. What is minimised is

    -ln p(x | z_q(x)) + |sg(z_e(x)) - e_{k*}|^2 + beta |z_e(x) - sg(e_{k*})|^2,

summed over the positions, where sg is the identity with derivative zero. The second term moves the
codes to the encoder's output, as the mean step of K-means does, and the third keeps the output near
its code. k* has no derivative. The decoder therefore reads z_e + sg(z_q - z_e), which equals z_q
and passes its gradient on to z_e: straight through.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.special import entr

from latent import checks
from latent.autodiff import Tensor, constants, stop_gradient
from latent.autoencoder import fit_points, points
from latent.clustering import kmeans_plus_plus
from latent.fused import embedding
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
from latent.vae import with_variance_of


class VQTerms(NamedTuple):
    """The terms of the loss and of the bound, summed over the points.

    Attributes
    ----------
    reconstruction : float
        sum_n ln p(x_n | z_q(x_n)), in nats.
    codebook : float
        sum_n |z_e(x_n) - e_{k*}|^2, over all positions. With sg on z_e it moves the codes, with sg
        on e_{k*} and times beta it is the commitment loss.
    kl : float
        n P ln K, in nats.
    """

    reconstruction: float
    codebook: float
    kl: float

    @property
    def elbo(self) -> float:
        """The bound, `reconstruction` - `kl`."""
        return self.reconstruction - self.kl


class CodeUsage(NamedTuple):
    """How often each code is the nearest.

    Attributes
    ----------
    counts : array (K,) of integers
        Over all points and positions.
    perplexity : float
        exp of the entropy of the shares of the codes: K if all are used alike, 1 if one alone is.
    """

    counts: Int[np.ndarray, " K"]
    perplexity: float


def nearest_codes(
    z: Float[np.ndarray, "*rows D"], codebook: Float[np.ndarray, "K D"]
) -> Int[np.ndarray, "*rows"]:
    """Return k* = argmin_k |z - e_k|^2 for each row.

    Parameters
    ----------
    z : array (..., D)
        z_e.
    codebook : array (K, D)
        e_k.

    Returns
    -------
    array (...) of integers
        From 0 to K - 1; the first of them if several tie.

    Raises
    ------
    ValueError
        If the rows do not have the length of a code.

    Notes
    -----
    Lecture 7, and the assignment step of K-means (`latent.assign`). |z|^2 is the same for all k,
    so that |e_k|^2 - 2 z . e_k is enough.
    """
    if codebook.ndim != 2 or z.ndim < 1 or z.shape[-1] != codebook.shape[1]:
        raise ValueError(
            f"z must have rows as long as those of codebook, got {z.shape} and {codebook.shape}"
        )
    return ((codebook**2).sum(axis=1) - 2 * z @ codebook.T).argmin(axis=-1)


def straight_through(x: Tensor, y: Tensor) -> Tensor:
    """Return x + sg(y - x): the values of y, and the gradient of x.

    Parameters
    ----------
    x : Tensor
        What takes the gradient.
    y : Tensor
        Of the same shape, the values.

    Returns
    -------
    Tensor
        Equal to y up to rounding.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    Lecture 7; Bengio, Leonard and Courville (2013).
    """
    checks.same_shape("y", y.data, "x", x.data)
    return x + stop_gradient(y - x)


@dataclass(frozen=True, eq=False)
class VQVAE:
    """An encoder, a codebook and a decoder.

    Parameters
    ----------
    parameters : dict of arrays
        "codebook" (K, D); the networks "encoder", from x to P D entries, and "decoder", back, with
        names as in `latent.perceptron`; for the Gaussian likelihood also "log_variance" ().
    likelihood : str
        "gaussian" or "bernoulli"; see `latent.likelihoods`.
    commitment : float
        beta, not negative.

    Raises
    ------
    ValueError
        If a parameter is missing or its shape does not fit, or another argument is out of range.

    Notes
    -----
    Lecture 7; van den Oord, Vinyals and Kavukcuoglu (2017). They take beta = 0.25 beside a squared
    error. Here the learned sigma^2 weighs the squared error by 1 / (2 sigma^2), which grows as
    training goes on, and beta = 1 keeps the encoder nearer to its codes.
    """

    parameters: dict[str, np.ndarray]
    likelihood: str = "gaussian"
    commitment: float = 1.0

    def __post_init__(self) -> None:
        likelihood_named(self.likelihood).check_parameters(self.parameters)
        checks.at_least_zero("commitment", self.commitment)
        codebook = self.parameters.get("codebook", np.empty(0))
        if codebook.ndim != 2 or not codebook.size:
            raise ValueError(f"parameters must have codebook of shape (K, D), got {codebook.shape}")
        n_latent, *_, n_features = layer_sizes(self.parameters, "decoder")
        check_ends(self.parameters, "encoder", n_features, n_latent)
        if n_latent % codebook.shape[1]:
            raise ValueError(
                f"decoder must take a number of codes of {codebook.shape[1]} entries, as codebook "
                f"has, got rows of {n_latent}"
            )

    @classmethod
    def init(
        cls,
        n_features: int,
        *,
        n_codes: int,
        code_size: int,
        n_positions: int = 1,
        rng: np.random.Generator,
        likelihood: str = "gaussian",
        commitment: float = 1.0,
        hidden: Sequence[int] = (128,),
        dtype: type = np.float32,
    ) -> "VQVAE":
        """Draw a model to start from.

        Parameters
        ----------
        n_features : int
            d, entries of x.
        n_codes : int
            K.
        code_size : int
            D, entries of a code.
        n_positions : int
            P, codes for one x.
        rng : numpy.random.Generator
            Source of randomness.
        likelihood : str
            "gaussian" or "bernoulli".
        commitment : float
            beta.
        hidden : sequence of int
            Entries between the layers of the encoder, from x on; the decoder has them in reverse.
        dtype : type
            Precision of the parameters.

        Returns
        -------
        VQVAE
            With random weights and codes.

        Raises
        ------
        ValueError
            If an argument is out of range.
        """
        K, D = checks.whole("n_codes", n_codes), checks.whole("code_size", code_size)
        P = checks.whole("n_positions", n_positions)
        sizes = [n_features, *hidden, P * D]
        own = likelihood_named(likelihood).parameters(1.0)
        parameters = {
            **init_perceptron("encoder", sizes, rng, dtype),
            **init_perceptron("decoder", sizes[::-1], rng, dtype),
            "codebook": rng.standard_normal((K, D)).astype(dtype),
            **{name: value.astype(dtype) for name, value in own.items()},
        }
        return cls(parameters, likelihood, commitment)

    @property
    def n_features(self) -> int:
        """d, entries of x."""
        return len(self.parameters["encoder.0.weight"])

    @property
    def n_positions(self) -> int:
        """P, codes for one x."""
        return len(self.parameters["decoder.0.weight"]) // self.parameters["codebook"].shape[1]

    def loss(
        self,
        p: Parameters,
        batch: tuple[Float[np.ndarray, "n d"], ...],
        rng: np.random.Generator,
    ) -> Tensor:
        """Mean over a batch of -ln p(x | z_q) + |sg(z_e) - e|^2 + beta |z_e - sg(e)|^2.

        Parameters
        ----------
        p : mapping of Tensors
            The parameters, by their names.
        batch : tuple of one or two arrays (n, d)
            Points; if there are two, the first is encoded and the second explained.
        rng : numpy.random.Generator
            Not used: this loss draws nothing.

        Returns
        -------
        Tensor ()
            The loss of a point.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        read, x = batch[0], batch[-1]
        z_e, e = self._encoded(p, read)
        nll = self._negative_log_likelihood(p, straight_through(z_e, e), x)
        codebook = ((stop_gradient(z_e) - e) ** 2).sum()
        commitment = ((z_e - stop_gradient(e)) ** 2).sum()
        return nll.mean() + (codebook + commitment * self.commitment) * (1 / len(x))

    def encode(self, x: Real[np.ndarray, "T d"]) -> Int[np.ndarray, "T P"]:
        """Return k* of each position.

        Parameters
        ----------
        x : array (T, d)
            Points.

        Returns
        -------
        array (T, P) of integers
            From 0 to K - 1.

        Raises
        ------
        ValueError
            If `x` has another shape or an entry that is not finite.
        """
        return nearest_codes(self._outputs(x), self.parameters["codebook"])

    def decode(self, codes: Int[np.ndarray, "T P"]) -> Float[np.ndarray, "T d"]:
        """Return E[x | z_q] for the codes of each position.

        Parameters
        ----------
        codes : array (T, P) of integers
            As from `encode`.

        Returns
        -------
        array (T, d)
            A point for each row.

        Raises
        ------
        ValueError
            If `codes` has another shape or one is not from 0 to K - 1.
        """
        return likelihood_named(self.likelihood).mean(self._decoded(codes))

    def elbo(self, x: Real[np.ndarray, "T d"]) -> VQTerms:
        """Return the bound and the terms of the loss. Nothing in them is random.

        Parameters
        ----------
        x : array (T, d)
            Points.

        Returns
        -------
        VQTerms
            Sums over the points.

        Raises
        ------
        ValueError
            If `x` does not fit.
        """
        x = points("x", x, self)
        likelihood_named(self.likelihood).check("x", x)
        p = constants(self.parameters)
        z_e, e = self._encoded(p, x)
        nll = self._negative_log_likelihood(p, e, x).data.sum(dtype=float)
        distance = np.square(z_e.data - e.data).sum(dtype=float)
        kl = len(x) * self.n_positions * np.log(len(self.parameters["codebook"]))
        return VQTerms(-float(nll), float(distance), float(kl))

    def usage(self, x: Real[np.ndarray, "T d"]) -> CodeUsage:
        """Count how often each code is used.

        Parameters
        ----------
        x : array (T, d)
            Points.

        Returns
        -------
        CodeUsage
            `counts` (K,), which sum to T P, and `perplexity`.

        Raises
        ------
        ValueError
            If `x` has another shape or an entry that is not finite.
        """
        counts = np.bincount(self.encode(x).ravel(), minlength=len(self.parameters["codebook"]))
        return CodeUsage(counts, float(np.exp(entr(counts / counts.sum()).sum())))

    def sample(self, n_points: int, rng: np.random.Generator) -> Float[np.ndarray, "T d"]:
        """Draw codes from the uniform prior, and x from p(x | z_q).

        Parameters
        ----------
        n_points : int
            T.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        array (T, d)
            Points.

        Raises
        ------
        ValueError
            If `n_points` is below one or `rng` is not a generator.

        Notes
        -----
        Training never compares codes with this prior, and most combinations of codes belong to no
        x: van den Oord et al. learn a prior afterwards, and draw from that.
        """
        shape = (checks.whole("n_points", n_points), self.n_positions)
        codes = checks.generator(rng).integers(len(self.parameters["codebook"]), size=shape)
        kind = likelihood_named(self.likelihood)
        return kind.sample(self.parameters, self._decoded(codes), rng)

    def with_codes_from(self, x: Real[np.ndarray, "T d"], rng: np.random.Generator) -> "VQVAE":
        """Put the codes where the encoder puts points.

        Parameters
        ----------
        x : array (T, d)
            Points.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        VQVAE
            With the codes at rows of z_e(x) chosen as K-means++ does: a row is likelier the farther
            it is from the codes chosen before.

        Raises
        ------
        ValueError
            If `x` does not fit, or there are fewer distinct rows than codes.
        """
        z = self._outputs(x)
        z = z.reshape(-1, z.shape[-1])
        K = checks.n_groups("n_codes", len(self.parameters["codebook"]), z)
        codes = kmeans_plus_plus(z, K, rng).astype(z.dtype)
        return replace(self, parameters=self.parameters | {"codebook": codes})

    @classmethod
    def fit(
        cls,
        x: Real[np.ndarray, "T d"],
        *,
        n_codes: int,
        code_size: int,
        n_positions: int = 1,
        rng: np.random.Generator,
        likelihood: str = "gaussian",
        commitment: float = 1.0,
        hidden: Sequence[int] = (128,),
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
        n_codes : int
            K.
        code_size : int
            D, entries of a code.
        n_positions : int
            P, codes for one x.
        rng : numpy.random.Generator
            Source of randomness.
        likelihood : str
            "gaussian" or "bernoulli".
        commitment : float
            beta.
        hidden : sequence of int
            See `init`.
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
            `model` and its `trace`, the loss of each step.

        Raises
        ------
        ValueError
            If an argument is out of range, or the encoder's outputs are fewer than the codes.

        Notes
        -----
        Lecture 7, training. The codes start at outputs of the encoder, so that each has some rows
        to be nearest to.
        """
        x = checks.points("x", x, "T d")
        model = cls.init(
            x.shape[1],
            n_codes=n_codes,
            code_size=code_size,
            n_positions=n_positions,
            rng=rng,
            likelihood=likelihood,
            commitment=commitment,
            hidden=hidden,
        )
        likelihood_named(likelihood).check("x", x)
        model = with_variance_of(model, x).with_codes_from(x, rng)
        return fit_points(model, x, rng=rng, steps=steps, size=size, rate=rate, **options)

    def _encoded(self, p: Parameters, x: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return z_e (n, P, D) and the codes that are nearest to its rows."""
        D = p["codebook"].shape[1]
        z_e = perceptron(p, "encoder", x).reshape(len(x), -1, D)
        return z_e, embedding(p["codebook"], nearest_codes(z_e.data, p["codebook"].data))

    def _negative_log_likelihood(self, p: Parameters, z_q: Tensor, x: np.ndarray) -> Tensor:
        decoded = perceptron(p, "decoder", z_q.reshape(len(x), -1))
        return likelihood_named(self.likelihood).negative_log_likelihood(p, decoded, x)

    def _outputs(self, x: np.ndarray) -> Float[np.ndarray, "T P D"]:
        p, x = constants(self.parameters), points("x", x, self)
        return self._encoded(p, x)[0].data

    def _decoded(self, codes: np.ndarray) -> Float[np.ndarray, "T d"]:
        codebook = self.parameters["codebook"]
        codes = checks.integers(
            "codes", codes, "T P", low=0, high=len(codebook), P=self.n_positions
        )
        z_q = codebook[codes].reshape(len(codes), -1)
        return perceptron(constants(self.parameters), "decoder", z_q).data
