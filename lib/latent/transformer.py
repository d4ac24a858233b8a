"""The blocks of transformers, on Tensors.

Lecture 6. A batch of sequences is a Tensor X (B, T, W): B sequences, T positions, a row of W
numbers (the width) at each. The parameters of a network are a dict of Tensors p with names such as
"block0.attention.query.weight"; each function takes the part of the names in front of its own. With
matrices W without a bias,

    linear:         X' = X W,
    attention:      X' = [A_1 V_1, ..., A_H V_H] W_out,   A_h = softmax(Q_h K_h^T / sqrt(D)),
                    Q = X W_query, K = Z W_key, V = Z W_value, each cut into H heads of D = W / H
                    columns; Z = X in self-attention, the encoder's output in cross-attention,
    feed-forward:   X' = gelu(X W_in) W_out, row by row,
    block:          X <- X + attention(normalise(X)), X <- X + feed_forward(normalise(X)).

Residual sums let the gradient of the loss reach every layer. Each row is normalised before it goes
into a layer (Xiong and others, 2020), and not after the sum as in Vaswani and others (2017): so
deep stacks train without care.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from latent import checks
from latent.attention import causal_mask
from latent.autodiff import Tensor
from latent.fused import embedding, gelu, layer_norm, softmax
from latent.positions import positional_encoding
from latent.shapes import Bool, Int

Parameters = Mapping[str, Tensor]
Arrays = dict[str, np.ndarray]

# Columns of the hidden layer of a feed-forward network, in widths.
EXPANSION = 4


class Attended(NamedTuple):
    """What a layer with attention gives.

    Attributes
    ----------
    output : Tensor (B, T, W)
        Rows for the next layer.
    weights : Tensor (B, H, T, S)
        alpha_ij of each head.
    """

    output: Tensor
    weights: Tensor


def embed(p: Parameters, name: str, symbols: Int[np.ndarray, "B T"]) -> Tensor:
    """Turn symbols into rows: a learned vector for each symbol, plus one for its position.

    Parameters
    ----------
    p : mapping of Tensors
        Parameters; row m of ``p[name]`` (M, W), times sqrt(W), is the vector of symbol m.
    name : str
        The table.
    symbols : array (B, T) of integers
        From 0 to M - 1.

    Returns
    -------
    Tensor (B, T, W)
        Rows.

    Raises
    ------
    ValueError
        If a symbol is not an integer from 0 to M - 1.

    Notes
    -----
    Lecture 6, positional encoding; Vaswani and others (2017), section 3.4. The entries of a table
    from `table` have variance 1 / W, and sines and cosines the mean square 1/2. With their factors
    both count alike, and as much as what the blocks add.
    """
    rows = embedding(p[name], symbols)
    T, W = rows.shape[1:]
    return rows * np.sqrt(W) + np.sqrt(2) * positional_encoding(T, W)


def linear(p: Parameters, name: str, x: Tensor) -> Tensor:
    """Return X' = X W.

    Parameters
    ----------
    p : mapping of Tensors
        Parameters; ``p[name + ".weight"]`` (N, N') is W.
    name : str
        The layer.
    x : Tensor (..., N)
        X.

    Returns
    -------
    Tensor (..., N')
        X'.

    Raises
    ------
    ValueError
        If the rows of `x` have another length.

    Notes
    -----
    Lecture 6, general architecture. There is no bias: the rows come out of `normalise`, which has a
    shift of its own.
    """
    return x @ p[f"{name}.weight"]


def normalise(p: Parameters, name: str, x: Tensor) -> Tensor:
    """Give each row mean zero and variance one, then a learned scale and shift.

    Parameters
    ----------
    p : mapping of Tensors
        Parameters: `scale` and `shift` (W,).
    name : str
        The layer.
    x : Tensor (..., W)
        Rows.

    Returns
    -------
    Tensor (..., W)
        Rows.

    Raises
    ------
    ValueError
        If the rows of `x` have another length.

    Notes
    -----
    Lecture 6, general architecture; see `latent.fused.layer_norm`.
    """
    return layer_norm(x, p[f"{name}.scale"], p[f"{name}.shift"])


def multi_head_attention(
    p: Parameters,
    name: str,
    x: Tensor,
    source: Tensor,
    n_heads: int,
    mask: Bool[np.ndarray, "..."] | None = None,
) -> Attended:
    """Let each row of x take what it needs from the rows of a source, in H ways at once.

    Parameters
    ----------
    p : mapping of Tensors
        Parameters: `query.weight`, `key.weight`, `value.weight` and `out.weight`, each (W, W).
    name : str
        The layer.
    x : Tensor (B, T, W)
        Rows that ask.
    source : Tensor (B, S, W)
        Rows that are asked: `x` itself in self-attention.
    n_heads : int
        H, a divisor of W.
    mask : array of bool that broadcasts to (B, H, T, S), or None
        Where it is False, row i does not see row j.

    Returns
    -------
    Attended
        `output` (B, T, W) and `weights` (B, H, T, S).

    Raises
    ------
    ValueError
        If shapes do not fit or the mask leaves a row nothing to see.

    Notes
    -----
    Lecture 6, attention; Vaswani and others (2017), section 3.2.2.
    """
    B, T, W = x.shape
    D = W // n_heads
    q, k, v = (
        linear(p, f"{name}.{part}", rows).reshape(B, -1, n_heads, D).transpose(0, 2, 1, 3)
        for part, rows in (("query", x), ("key", source), ("value", source))
    )
    A = softmax((q * D**-0.5) @ k.swapaxes(-1, -2), mask)
    heads = (A @ v).transpose(0, 2, 1, 3).reshape(B, T, W)
    return Attended(linear(p, f"{name}.out", heads), A)


def feed_forward(p: Parameters, name: str, x: Tensor) -> Tensor:
    """Transform each row by itself: X' = gelu(X W_in) W_out.

    Parameters
    ----------
    p : mapping of Tensors
        Parameters: `in.weight` (W, 4 W) and `out.weight` (4 W, W).
    name : str
        The layer.
    x : Tensor (..., W)
        X.

    Returns
    -------
    Tensor (..., W)
        X'.

    Raises
    ------
    ValueError
        If the rows of `x` have another length.

    Notes
    -----
    Lecture 6, general architecture.
    """
    return linear(p, f"{name}.out", gelu(linear(p, f"{name}.in", x)))


def encoder_block(
    p: Parameters,
    name: str,
    x: Tensor,
    n_heads: int,
    mask: Bool[np.ndarray, "..."] | None = None,
) -> Attended:
    """Self-attention and a feed-forward network, each added to the rows it started from.

    With the causal mask this is the block of a GPT.

    Parameters
    ----------
    p : mapping of Tensors
        Parameters, as from `encoder_block_parameters`.
    name : str
        The block.
    x : Tensor (B, T, W)
        Rows.
    n_heads : int
        H, a divisor of W.
    mask : array of bool that broadcasts to (B, H, T, T), or None
        Where it is False, row i does not see row j.

    Returns
    -------
    Attended
        `output` (B, T, W), and the `weights` (B, H, T, T) of the self-attention.

    Raises
    ------
    ValueError
        If shapes do not fit or the mask leaves a row nothing to see.

    Notes
    -----
    Lecture 6, general architecture.
    """
    h = normalise(p, f"{name}.attention_norm", x)
    attended = multi_head_attention(p, f"{name}.attention", h, h, n_heads, mask)
    x = x + attended.output
    x = x + feed_forward(p, f"{name}.feed_forward", normalise(p, f"{name}.feed_forward_norm", x))
    return Attended(x, attended.weights)


def decoder_block(
    p: Parameters,
    name: str,
    x: Tensor,
    source: Tensor,
    n_heads: int,
    source_mask: Bool[np.ndarray, "..."] | None = None,
) -> Attended:
    """Causal self-attention, cross-attention to a source, and a feed-forward network.

    Parameters
    ----------
    p : mapping of Tensors
        Parameters, as from `decoder_block_parameters`.
    name : str
        The block.
    x : Tensor (B, T, W)
        Rows of the output sequence so far.
    source : Tensor (B, S, W)
        Rows of the encoded input sequence.
    n_heads : int
        H, a divisor of W.
    source_mask : array of bool that broadcasts to (B, H, T, S), or None
        Where it is False, row i does not see row j of the source.

    Returns
    -------
    Attended
        `output` (B, T, W), and the `weights` (B, H, T, S) of the cross-attention.

    Raises
    ------
    ValueError
        If shapes do not fit or the mask leaves a row nothing to see.

    Notes
    -----
    Lecture 6, general architecture.
    """
    h = normalise(p, f"{name}.attention_norm", x)
    past = causal_mask(x.shape[1])
    x = x + multi_head_attention(p, f"{name}.attention", h, h, n_heads, past).output
    h = normalise(p, f"{name}.cross_norm", x)
    attended = multi_head_attention(p, f"{name}.cross", h, source, n_heads, source_mask)
    x = x + attended.output
    x = x + feed_forward(p, f"{name}.feed_forward", normalise(p, f"{name}.feed_forward_norm", x))
    return Attended(x, attended.weights)


def encoder_block_parameters(
    name: str, width: int, rng: np.random.Generator, *, gain: float = 1.0
) -> Arrays:
    """Draw parameters for `encoder_block`.

    Parameters
    ----------
    name : str
        The block.
    width : int
        W.
    rng : numpy.random.Generator
        Source of randomness.
    gain : float
        Scale of the matrices whose results are added to the rows. With n of them in a stack,
        n^(-1/2) keeps the variance of the rows from growing with its depth.

    Returns
    -------
    dict of arrays
        By name. Matrices (N, N') are normal with variance 1 / N, so that rows of variance one stay
        so; scales are one, shifts zero.

    Raises
    ------
    ValueError
        If `width` is below one, `rng` is not a generator, or `gain` is not above zero.

    Notes
    -----
    Lecture 6, training; Radford and others (2019), section 2.3.
    """
    return {
        **norm_parameters(f"{name}.attention_norm", width),
        **_attention(f"{name}.attention", width, rng, gain),
        **norm_parameters(f"{name}.feed_forward_norm", width),
        **matrix(f"{name}.feed_forward.in", width, EXPANSION * width, rng),
        **matrix(f"{name}.feed_forward.out", EXPANSION * width, width, rng, gain=gain),
    }


def decoder_block_parameters(
    name: str, width: int, rng: np.random.Generator, *, gain: float = 1.0
) -> Arrays:
    """Draw parameters for `decoder_block`.

    Parameters
    ----------
    name : str
        The block.
    width : int
        W.
    rng : numpy.random.Generator
        Source of randomness.
    gain : float
        As for `encoder_block_parameters`.

    Returns
    -------
    dict of arrays
        By name: those of an encoder block, and those of the cross-attention.

    Raises
    ------
    ValueError
        As for `encoder_block_parameters`.

    Notes
    -----
    Lecture 6, training.
    """
    return {
        **encoder_block_parameters(name, width, rng, gain=gain),
        **norm_parameters(f"{name}.cross_norm", width),
        **_attention(f"{name}.cross", width, rng, gain),
    }


def norm_parameters(name: str, width: int) -> Arrays:
    """Return parameters for `normalise`: scales one, shifts zero.

    Parameters
    ----------
    name : str
        The layer.
    width : int
        W.

    Returns
    -------
    dict of arrays
        `scale` and `shift` (W,).

    Raises
    ------
    ValueError
        If `width` is below one.
    """
    width = checks.whole("width", width)
    return {f"{name}.scale": np.ones(width), f"{name}.shift": np.zeros(width)}


def table(name: str, n_symbols: int, width: int, rng: np.random.Generator) -> Arrays:
    """Draw a vector for each symbol: entries are normal with variance 1 / W.

    Parameters
    ----------
    name : str
        The table.
    n_symbols : int
        M.
    width : int
        W.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    dict of arrays
        The table (M, W).

    Raises
    ------
    ValueError
        If a length is below one or `rng` is not a generator.
    """
    M, W = checks.whole("n_symbols", n_symbols), checks.whole("width", width)
    return {name: checks.generator(rng).standard_normal((M, W)) / np.sqrt(W)}


def matrix(
    name: str, n_in: int, n_out: int, rng: np.random.Generator, *, gain: float = 1.0
) -> Arrays:
    """Draw parameters for `linear`: entries are normal with variance gain^2 / N.

    Parameters
    ----------
    name : str
        The layer.
    n_in, n_out : int
        N and N'.
    rng : numpy.random.Generator
        Source of randomness.
    gain : float
        Above zero.

    Returns
    -------
    dict of arrays
        `weight` (N, N').

    Raises
    ------
    ValueError
        If a length is below one, `rng` is not a generator, or `gain` is not above zero.
    """
    n_in, n_out = checks.whole("n_in", n_in), checks.whole("n_out", n_out)
    scale = checks.positive("gain", gain) / np.sqrt(n_in)
    return {f"{name}.weight": scale * checks.generator(rng).standard_normal((n_in, n_out))}


def checked_parameters(parameters: object, like: Arrays) -> Arrays:
    """Check the parameters of a model against what they should look like.

    Parameters
    ----------
    parameters : dict of arrays
        By name.
    like : dict of arrays
        Names and shapes that they must have.

    Returns
    -------
    dict of arrays
        Read-only copies, in the order of `like`.

    Raises
    ------
    ValueError
        If a name is missing or unknown, a shape differs, a number is not finite, or they are not
        floats of one precision.
    """
    if not isinstance(parameters, dict) or parameters.keys() != like.keys():
        given = parameters if isinstance(parameters, dict) else {}
        raise ValueError(
            "parameters must be a dict with the names that init gives: missing are "
            f"{sorted(like.keys() - given.keys())}, unknown {sorted(given.keys() - like.keys())}"
        )
    arrays = {name: np.array(parameters[name]) for name in like}
    for name, value in arrays.items():
        if value.shape != like[name].shape or value.dtype.kind != "f":
            raise ValueError(
                f"parameters[{name!r}] must be floats of shape {like[name].shape}, got "
                f"{value.dtype} of shape {value.shape}"
            )
        if not np.isfinite(value).all():
            raise ValueError(f"parameters[{name!r}] must be finite")
    if len({value.dtype for value in arrays.values()}) > 1:
        raise ValueError("parameters must all have the same precision")
    return {name: checks.frozen(value) for name, value in arrays.items()}


def _attention(name: str, width: int, rng: np.random.Generator, gain: float) -> Arrays:
    return {
        **matrix(f"{name}.query", width, width, rng),
        **matrix(f"{name}.key", width, width, rng),
        **matrix(f"{name}.value", width, width, rng),
        **matrix(f"{name}.out", width, width, rng, gain=gain),
    }
