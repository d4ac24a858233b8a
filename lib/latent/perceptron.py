"""Small fully connected networks: the encoders and decoders of the auto-encoders.

Lecture 7. A layer turns rows x into x W + b, and between two layers every entry y becomes
max(y, 0). A network called "encoder" is the parameters "encoder.0.weight" (n_in, n_out),
"encoder.0.bias" (n_out,), "encoder.1.weight" and so on; with one layer it is a linear map.
"""

from collections.abc import Mapping, Sequence
from itertools import count, pairwise

import numpy as np

from latent import checks
from latent.autodiff import Tensor
from latent.fused import linear

Parameters = Mapping[str, Tensor]


def init_perceptron(
    name: str, sizes: Sequence[int], rng: np.random.Generator, dtype: type = np.float32
) -> dict[str, np.ndarray]:
    """Draw the parameters of a network.

    Weights are normal with variance 2 / n_in, biases zero: then a row of n_in entries has about the
    same length after a layer as before it, though max(y, 0) sets half of the entries to zero. In
    the last layer, which has none after it, the variance is 1 / n_in.

    Parameters
    ----------
    name : str
        What the names of the parameters begin with.
    sizes : sequence of int
        Number of entries of a row before the first layer, after it, after the second, ...
    rng : numpy.random.Generator
        Source of randomness.
    dtype : type
        Precision of the parameters.

    Returns
    -------
    dict of arrays
        "name.i.weight" (sizes[i], sizes[i + 1]) and "name.i.bias" (sizes[i + 1],).

    Raises
    ------
    ValueError
        If there are fewer than two sizes or one of them is below one.

    Notes
    -----
    He, Zhang, Ren and Sun (2015) for the variance.
    """
    sizes = [checks.whole(f"sizes[{i}]", size) for i, size in enumerate(sizes)]
    if len(sizes) < 2:
        raise ValueError(f"sizes must be at least two, those of input and output, got {sizes}")
    parameters = {}
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        variance = (1 if i == len(sizes) - 2 else 2) / n_in
        weight = np.sqrt(variance) * checks.generator(rng).standard_normal((n_in, n_out))
        parameters[f"{name}.{i}.weight"] = weight.astype(dtype)
        parameters[f"{name}.{i}.bias"] = np.zeros(n_out, dtype)
    return parameters


def perceptron(p: Parameters, name: str, x: Tensor | np.ndarray) -> Tensor:
    """Apply a network to rows.

    Parameters
    ----------
    p : mapping of Tensors
        Parameters by name; see `init_perceptron`.
    name : str
        What the names of this network begin with.
    x : Tensor or array (..., n_in)
        Rows. An array is a constant.

    Returns
    -------
    Tensor (..., n_out)
        The last layer's x W + b.

    Raises
    ------
    ValueError
        If the rows have another length than the network takes.

    Notes
    -----
    Lecture 7.
    """
    y = linear(x, p[f"{name}.0.weight"], p[f"{name}.0.bias"])
    i = 1
    while f"{name}.{i}.weight" in p:
        y = linear(y.relu(), p[f"{name}.{i}.weight"], p[f"{name}.{i}.bias"])
        i += 1
    return y


def layer_sizes(parameters: Mapping[str, np.ndarray], name: str) -> list[int]:
    """Return the sizes that `init_perceptron` was given, if the layers fit together.

    Parameters
    ----------
    parameters : mapping of arrays
        By name.
    name : str
        What the names of this network begin with.

    Returns
    -------
    list of int
        Number of entries of a row before the first layer, after it, after the second, ...

    Raises
    ------
    ValueError
        If there is no such network or the shape of a parameter does not fit.
    """
    sizes: list[int] = []
    for i in count():
        weight, bias = (parameters.get(f"{name}.{i}.{part}") for part in ("weight", "bias"))
        if weight is None or bias is None:
            break
        sizes = sizes or [len(weight)]
        if weight.ndim != 2 or len(weight) != sizes[-1] or bias.shape != weight.shape[1:]:
            raise ValueError(
                f"{name}.{i}.weight must have shape ({sizes[-1]}, n_out) and {name}.{i}.bias shape "
                f"(n_out,), got {weight.shape} and {bias.shape}"
            )
        sizes.append(weight.shape[1])
    if not sizes:
        raise ValueError(f"parameters must have {name}.0.weight and {name}.0.bias")
    return sizes


def check_ends(
    parameters: Mapping[str, np.ndarray], name: str, n_in: int | None, n_out: int | None
) -> None:
    """Check that a network takes and gives rows of the right length.

    Parameters
    ----------
    parameters : mapping of arrays
        By name.
    name : str
        What the names of this network begin with.
    n_in, n_out : int or None
        Entries of a row before and after it; None is any number.

    Raises
    ------
    ValueError
        If it does not, or is no network.
    """
    first, *_, last = layer_sizes(parameters, name)
    if n_in not in (None, first) or n_out not in (None, last):
        raise ValueError(
            f"{name} must turn rows of {n_in or 'any number of'} entries into rows of "
            f"{n_out or 'any number of'}, got {first} and {last}"
        )
