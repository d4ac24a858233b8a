"""What a decoder says about x: the likelihoods p(x | s) of the auto-encoders.

Lecture 7, the reconstruction term. The decoder's output h(s) is a row of D numbers. With the
Gaussian likelihood it is the mean of x,

    p(x | s) = N(x; h(s), sigma^2 I),
    -ln p(x | s) = D/2 ln(2 pi sigma^2) + |x - h(s)|^2 / (2 sigma^2),

so that at a fixed sigma^2 the squared error decides; ln sigma^2 is a parameter and learned with the
others. With the Bernoulli likelihood it is the log odds of ones,

    p(x_d = 1 | s) = 1 / (1 + exp(-h_d(s))),
    -ln p(x | s) = sum_d ln(1 + exp h_d(s)) - x_d h_d(s).
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import expit

from latent.autodiff import Tensor
from latent.fused import binary_cross_entropy
from latent.perceptron import Parameters
from latent.shapes import Float, Real


class Likelihood(NamedTuple):
    """The functions that belong to a likelihood.

    Attributes
    ----------
    parameters : callable
        parameters(variance) returns its own parameters, by name, to start from; `variance` is that
        of an entry of x.
    check : callable
        check(name, x) raises a ValueError that begins with `name` if x cannot be observed.
    negative_log_likelihood : callable
        negative_log_likelihood(p, decoded, x) is -ln p(x | s) of each row, a Tensor (..., n), for
        decoded (..., n, D) and x (n, D).
    mean : callable
        mean(decoded) is E[x | s], of the same shape.
    sample : callable
        sample(parameters, decoded, rng) draws x from p(x | s), of the same shape.
    """

    parameters: Callable[[float], dict[str, np.ndarray]]
    check: Callable[[str, np.ndarray], None]
    negative_log_likelihood: Callable[[Parameters, Tensor, np.ndarray], Tensor]
    mean: Callable[[np.ndarray], np.ndarray]
    sample: Callable[[Mapping[str, np.ndarray], np.ndarray, np.random.Generator], np.ndarray]

    def check_parameters(self, parameters: Mapping[str, np.ndarray]) -> None:
        """Check that a model has the parameters of its likelihood.

        Parameters
        ----------
        parameters : mapping of arrays
            By name.

        Raises
        ------
        ValueError
            If one is missing or has another shape.
        """
        for name, value in self.parameters(1.0).items():
            if name not in parameters or parameters[name].shape != value.shape:
                raise ValueError(f"parameters must have {name} of shape {value.shape}")


def gaussian_negative_log_likelihood(
    p: Parameters, decoded: Tensor, x: Real[np.ndarray, "n D"]
) -> Tensor:
    """Return -ln N(x; h(s), sigma^2 I) = D/2 ln(2 pi sigma^2) + |x - h(s)|^2 / (2 sigma^2).

    Parameters
    ----------
    p : mapping of Tensors
        "log_variance" () is ln sigma^2.
    decoded : Tensor (..., n, D)
        h(s).
    x : array (n, D)
        Points.

    Returns
    -------
    Tensor (..., n)
        In nats, one number for each row of `decoded`.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Notes
    -----
    Lecture 7, how the reconstruction term relates to the squared error. The slide prints the mean
    and the argument of the density in each other's place, which changes nothing but the meaning.
    """
    log_variance = p["log_variance"]
    squares = ((decoded - x) ** 2).sum(axis=-1)
    constant = (log_variance + float(np.log(2 * np.pi))) * (decoded.shape[-1] / 2)
    return squares * (-log_variance).exp() * 0.5 + constant


def bernoulli_negative_log_likelihood(
    p: Parameters, decoded: Tensor, x: Real[np.ndarray, "n D"]
) -> Tensor:
    """Return -ln p(x | s) = sum_d ln(1 + exp h_d(s)) - x_d h_d(s).

    Parameters
    ----------
    p : mapping of Tensors
        Not used: this likelihood has no parameters of its own.
    decoded : Tensor (..., n, D)
        h(s), the log odds.
    x : array (n, D)
        From 0 to 1. A grey value x_d counts as a share x_d of ones among many draws: exp of the
        result is no probability then, and to compare it with another likelihood means nothing.

    Returns
    -------
    Tensor (..., n)
        In nats, one number for each row of `decoded`.

    Raises
    ------
    ValueError
        If the shapes do not fit or x is not between 0 and 1.

    Notes
    -----
    Lecture 7; see `latent.fused.binary_cross_entropy`.
    """
    return binary_cross_entropy(decoded, x).sum(axis=-1)


def _gaussian_sample(
    parameters: Mapping[str, np.ndarray], decoded: np.ndarray, rng: np.random.Generator
) -> Float[np.ndarray, "..."]:
    sigma = np.exp(0.5 * parameters["log_variance"])
    return decoded + sigma * rng.standard_normal(decoded.shape)


def _bernoulli_sample(
    parameters: Mapping[str, np.ndarray], decoded: np.ndarray, rng: np.random.Generator
) -> Float[np.ndarray, "..."]:
    return (rng.random(decoded.shape) < expit(decoded)).astype(float)


def _between_0_and_1(name: str, x: np.ndarray) -> None:
    if x.min() < 0 or x.max() > 1:
        raise ValueError(
            f"{name} must be from 0 to 1 for the Bernoulli likelihood, got values from {x.min()} "
            f"to {x.max()}"
        )


LIKELIHOODS = {
    "gaussian": Likelihood(
        lambda variance: {"log_variance": np.array(np.log(variance))},
        lambda name, x: None,
        gaussian_negative_log_likelihood,
        lambda decoded: decoded,
        _gaussian_sample,
    ),
    "bernoulli": Likelihood(
        lambda variance: {},
        _between_0_and_1,
        bernoulli_negative_log_likelihood,
        expit,
        _bernoulli_sample,
    ),
}


def likelihood_named(name: str) -> Likelihood:
    """Look up a likelihood.

    Parameters
    ----------
    name : str
        "gaussian" or "bernoulli".

    Returns
    -------
    Likelihood
        Its functions.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in LIKELIHOODS:
        raise ValueError(f"likelihood must be one of {sorted(LIKELIHOODS)}, got {name!r}")
    return LIKELIHOODS[name]
