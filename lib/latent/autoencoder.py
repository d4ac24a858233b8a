"""Auto-encoder: two networks that put x through a narrow place and back.

Lecture 7, motivation. The encoder turns x in R^d into a short row s, the decoder turns s into
h(s) in R^d, and both are chosen to make the squared error

    1/n sum_n |x_n - h(s_n)|^2

small, so that s keeps what is needed to rebuild x. If both are linear, the best they can do is what
principal component analysis does: h(s) lies in the plane through the mean of x along the D
directions of largest variance, and the error is the sum of the other eigenvalues of the covariance
(Baldi and Hornik 1989). Nothing says how s is spread, so there is no way to draw new points.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from latent import checks
from latent.autodiff import Tensor, constants
from latent.perceptron import check_ends, init_perceptron, layer_sizes, perceptron
from latent.schedules import cosine
from latent.shapes import Float, Real
from latent.training import Trained, minibatches, train


@dataclass(frozen=True, eq=False)
class Autoencoder:
    """An encoder s = f(x) and a decoder h(s).

    Parameters
    ----------
    parameters : dict of arrays
        The networks "encoder" and "decoder", with names as in `latent.perceptron`.

    Raises
    ------
    ValueError
        If a parameter is missing or its shape does not fit.

    Notes
    -----
    Lecture 7, auto-encoders.
    """

    parameters: dict[str, np.ndarray]

    def __post_init__(self) -> None:
        n_latent, *_, n_features = layer_sizes(self.parameters, "decoder")
        check_ends(self.parameters, "encoder", n_features, n_latent)

    @classmethod
    def init(
        cls,
        n_features: int,
        n_latent: int,
        *,
        rng: np.random.Generator,
        hidden: Sequence[int] = (128,),
        dtype: type = np.float32,
    ) -> "Autoencoder":
        """Draw a model to start from.

        Parameters
        ----------
        n_features : int
            d, entries of x.
        n_latent : int
            D, entries of s.
        rng : numpy.random.Generator
            Source of randomness.
        hidden : sequence of int
            Entries between the layers of the encoder, from x on; the decoder has them in reverse.
            Without any, both are linear.
        dtype : type
            Precision of the parameters.

        Returns
        -------
        Autoencoder
            With random weights.

        Raises
        ------
        ValueError
            If an argument is out of range.
        """
        sizes = [n_features, *hidden, n_latent]
        encoder = init_perceptron("encoder", sizes, rng, dtype)
        return cls(encoder | init_perceptron("decoder", sizes[::-1], rng, dtype))

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
        p: Mapping[str, Tensor],
        batch: tuple[Float[np.ndarray, "n d"], ...],
        rng: np.random.Generator,
    ) -> Tensor:
        """Mean of |x - h(s)|^2 over a batch.

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
            In squared units of x.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        read, x = batch[0], batch[-1]
        decoded = perceptron(p, "decoder", perceptron(p, "encoder", read))
        return ((decoded - x) ** 2).sum(axis=1).mean()

    def encode(self, x: Real[np.ndarray, "T d"]) -> Float[np.ndarray, "T D"]:
        """Return s = f(x).

        Parameters
        ----------
        x : array (T, d)
            Points.

        Returns
        -------
        array (T, D)
            A row for each point.

        Raises
        ------
        ValueError
            If `x` has another shape or an entry that is not finite.
        """
        return perceptron(constants(self.parameters), "encoder", points("x", x, self)).data

    def decode(self, s: Real[np.ndarray, "T D"]) -> Float[np.ndarray, "T d"]:
        """Return h(s).

        Parameters
        ----------
        s : array (T, D)
            Rows as `encode` returns them.

        Returns
        -------
        array (T, d)
            A point for each row.

        Raises
        ------
        ValueError
            If `s` has another shape or an entry that is not finite.
        """
        return perceptron(constants(self.parameters), "decoder", latents("s", s, self)).data

    def squared_error(self, x: Real[np.ndarray, "T d"]) -> float:
        """Return the mean of |x - h(s)|^2.

        Parameters
        ----------
        x : array (T, d)
            Points.

        Returns
        -------
        float
            In squared units of x.

        Raises
        ------
        ValueError
            If `x` has another shape or an entry that is not finite.
        """
        x = points("x", x, self)
        return float(np.square(self.decode(self.encode(x)) - x).sum(axis=1).mean())

    @classmethod
    def fit(
        cls,
        x: Real[np.ndarray, "T d"],
        n_latent: int,
        *,
        rng: np.random.Generator,
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
            Points, in units that give them a spread of about one.
        n_latent : int
            D.
        rng : numpy.random.Generator
            Source of randomness.
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
            `model` and its `trace`.

        Raises
        ------
        ValueError
            If an argument is out of range.
        """
        x = checks.points("x", x, "T d")
        model = cls.init(x.shape[1], n_latent, rng=rng, hidden=hidden)
        return fit_points(model, x, rng=rng, steps=steps, size=size, rate=rate, **options)


def fit_points(
    model: Any,
    x: Real[np.ndarray, "T d"],
    *,
    rng: np.random.Generator,
    steps: int,
    size: int,
    rate: float,
    noise: float = 0.0,
    **options: Any,
) -> Trained:
    """Train a model on batches of points, with a rate that falls along half a cosine.

    Parameters
    ----------
    model
        With `parameters` and `loss(p, batch, rng)`; a batch is (x,), or with noise (x, x + noise),
        what is encoded and what is to be explained.
    x : array (T, d)
        Points.
    rng : numpy.random.Generator
        Source of randomness.
    steps : int
        Number of steps.
    size : int
        Points in a batch; all of them if there are fewer.
    rate : float
        Largest learning rate.
    noise : float
        Standard deviation of fresh normal noise on what is to be explained.
    **options
        Passed on to `latent.train`.

    Returns
    -------
    Trained
        `model` and its `trace`.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    x = points("x", x, model)
    batches = minibatches(x, size=min(checks.whole("size", size), len(x)), rng=rng)
    if checks.at_least_zero("noise", noise):
        batches = _noisy(batches, noise, rng)
    schedule = cosine(rate, steps)
    return train(model, batches, steps=steps, rng=rng, rate=schedule, **options)


def points(name: str, x: object, model: Any) -> Float[np.ndarray, "T d"]:
    """Check points for a model, and give them the precision of its parameters.

    Parameters
    ----------
    name : str
        What the caller calls them.
    x : array (T, d)
        Points, none of them missing.
    model
        With `n_features` and `parameters`.

    Returns
    -------
    array (T, d)
        The points.

    Raises
    ------
    ValueError
        If the shape does not fit, or an entry is NaN or infinite.
    """
    return checks.points(name, x, "T d", d=model.n_features).astype(_precision(model), copy=False)


def latents(name: str, s: object, model: Any) -> Float[np.ndarray, "T D"]:
    """Check rows of hidden variables as `points` does points.

    Parameters
    ----------
    name : str
        What the caller calls them.
    s : array (T, D)
        Hidden variables.
    model
        With `n_latent` and `parameters`.

    Returns
    -------
    array (T, D)
        The same in the precision of the parameters.

    Raises
    ------
    ValueError
        If the shape does not fit, or an entry is NaN or infinite.
    """
    return checks.array(name, s, "T D", D=model.n_latent).astype(_precision(model), copy=False)


def _noisy(
    batches: Callable[[int], tuple[np.ndarray, ...]], noise: float, rng: np.random.Generator
) -> Callable[[int], tuple[np.ndarray, ...]]:
    """Add the noisy points, which depend on the number of the step alone as batches have to."""
    seed = int(rng.integers(2**63))

    def noisy(i: int) -> tuple[np.ndarray, ...]:
        (x,) = batches(i)
        eps = np.random.default_rng([seed, i]).standard_normal(x.shape, x.dtype.type)
        return x, x + x.dtype.type(noise) * eps

    return noisy


def _precision(model: Any) -> np.dtype:
    return model.parameters["decoder.0.weight"].dtype
