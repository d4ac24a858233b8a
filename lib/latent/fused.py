"""Functions of networks as one primitive each, with their gradients worked out by hand.

Lectures 6 and 7. Each of these could be written with the primitives of `latent.autodiff`. Fused,
they visit memory less often, and their gradients are short formulas instead of long tapes. In the
docstrings g = dl/dy is the gradient of the loss with respect to the result, and D the length of the
last axis.
"""

import math

import numpy as np

from latent import checks
from latent.autodiff import Array, Tensor, record
from latent.shapes import Bool, Int

# The coefficients of the approximation of Hendrycks and Gimpel.
GELU_SCALE = float(np.sqrt(2 / np.pi))
GELU_CUBE = 0.044715

# A sum of exponentials that has all its digits left in single precision, where 1e-38 is the limit.
LOST = 1e-20


def linear(x: Tensor | np.ndarray, weight: Tensor, bias: Tensor) -> Tensor:
    """Multiply each row by a matrix and add a vector: y = x W + b.

    With G = dl/dy, one row for each row of x,

        dl/dx = G W^T,    dl/dW = X^T G,    dl/db = sum over rows of G.

    Parameters
    ----------
    x : Tensor or array (..., D)
        Rows; an array is a constant.
    weight : Tensor (D, E)
        W.
    bias : Tensor (E,)
        b.

    Returns
    -------
    Tensor (..., E)
        y.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Notes
    -----
    Lecture 6, the linear layer.
    """
    if weight.ndim != 2 or x.ndim < 1 or x.shape[-1] != weight.shape[0]:
        raise ValueError(f"x @ weight does not fit: x has shape {x.shape}, weight {weight.shape}")
    if bias.shape != weight.shape[1:]:
        raise ValueError(f"bias must have shape {weight.shape[1:]}, got {bias.shape}")
    (D, E), n = weight.shape, math.prod(x.shape[:-1])
    values = x.data if isinstance(x, Tensor) else np.asarray(x, weight.dtype)
    rows = values.reshape(n, D)
    y = rows @ weight.data
    y += bias.data
    return record(
        y.reshape(*x.shape[:-1], E),
        (x, lambda g: (g.reshape(n, E) @ weight.data.T).reshape(x.shape)),
        (weight, lambda g: rows.T @ g.reshape(n, E)),
        (bias, lambda g: g),
    )


def softmax(x: Tensor, mask: Bool[np.ndarray, "..."] | None = None) -> Tensor:
    """Turn scores into probabilities over the last axis: y_i = exp x_i / sum_j exp x_j.

    From dy_i/dx_j = y_i (1[i = j] - y_j) follows

        dl/dx_j = sum_i g_i dy_i/dx_j = y_j (g_j - sum_i g_i y_i).

    Parameters
    ----------
    x : Tensor (..., D)
        Scores.
    mask : array of bool that broadcasts to x, or None
        Where it is False the probability is zero.

    Returns
    -------
    Tensor (..., D)
        Probabilities; each row sums to one.

    Raises
    ------
    ValueError
        If the last axis is empty, or the mask is no array of bools, does not broadcast or leaves a
        row without a choice.

    Notes
    -----
    Lecture 6, attention.
    """
    _some_entries("x", x)
    scores, penalty = x.data, x.dtype.type(0) if mask is None else _penalty(mask, x)
    # With the largest score taken off, no exponent is above 0 and nothing overflows. One number for
    # all rows is faster, and does unless a row lies so far below it that its sum is lost.
    y = np.exp(scores + (penalty - scores.max(initial=-np.inf)))
    total = _row_sum(y)
    if not total.min(initial=1.0) > LOST:
        scores = scores + penalty
        y = np.exp(scores - scores.max(axis=-1, keepdims=True))
        total = _row_sum(y)
    y *= 1 / total
    return record(y, (x, lambda g: _through_softmax(g, y)))


def logsumexp(x: Tensor) -> Tensor:
    """Return y = ln sum_i exp x_i over the last axis; dl/dx_i = g exp(x_i - y).

    Parameters
    ----------
    x : Tensor (..., D)
        Logarithms; -inf stands for zero.

    Returns
    -------
    Tensor (...)
        The logarithm of the sum of what they are logarithms of.

    Raises
    ------
    ValueError
        If the last axis is empty.

    Notes
    -----
    Lecture 1, mixtures; lecture 7, the evidence from importance samples.
    """
    _some_entries("x", x)
    top = x.data.max(axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)  # all -inf: the sum is 0
    with np.errstate(divide="ignore"):
        y = np.log(np.exp(x.data - top).sum(axis=-1, keepdims=True)) + top
    return record(y[..., 0], (x, lambda g: g[..., None] * _shares(x.data, y)))


def layer_norm(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    """Standardise each row, then scale and shift it: y = scale h + shift.

    With m the mean and v the variance of a row, h = (x - m) r and r = 1 / sqrt(v + eps). Write
    d = g scale for dl/dh. The derivatives of m and r with respect to x give

        dl/dx = r (d - mean(d) - h mean(d h)),
        dl/dscale = sum over rows of g h,    dl/dshift = sum over rows of g.

    Parameters
    ----------
    x : Tensor (..., D)
        Rows.
    scale, shift : Tensor (D,)
        One number for each column.
    eps : float
        Added to the variance, so that a constant row divides by more than zero.

    Returns
    -------
    Tensor (..., D)
        Rows with mean zero and variance one, scaled and shifted.

    Raises
    ------
    ValueError
        If the last axis is empty, `scale` or `shift` does not have its length, or `eps` is not
        above zero.

    Notes
    -----
    Lecture 6, the blocks of a transformer. Ba, Kiros and Hinton (2016).
    """
    _some_entries("x", x)
    eps = checks.positive("eps", eps)
    D = x.shape[-1]
    for name, value in (("scale", scale), ("shift", shift)):
        if value.shape != (D,):
            raise ValueError(f"{name} must have shape ({D},) as the rows of x, got {value.shape}")
    h = x.data - _row_sum(x.data) / D
    r = 1 / np.sqrt(np.vecdot(h, h) / D + h.dtype.type(eps))[..., None]
    h *= r
    y = h * scale.data
    y += shift.data
    return record(
        y,
        (x, lambda g: _through_standardising(g * scale.data, h, r)),
        (scale, lambda g: g * h),
        (shift, lambda g: g),
    )


def gelu(x: Tensor) -> Tensor:
    """Return y = x s with s = sigmoid(2 u), u = c (x + a x^3), which is nearly x Phi(x).

    With du/dx = c (1 + 3 a x^2) the derivative of each entry is

        dy/dx = s + 2 x s (1 - s) du/dx.

    Parameters
    ----------
    x : Tensor
        Entries.

    Returns
    -------
    Tensor
        Of the same shape.

    Raises
    ------
    AttributeError
        If `x` is no Tensor.

    Notes
    -----
    Lecture 6, the feed-forward layer. Hendrycks and Gimpel (2016): c = sqrt(2 / pi), a = 0.044715.
    Phi is the normal distribution function; x Phi(x) itself differs by less than 5e-4. They write
    (1 + tanh u) / 2, which is sigmoid(2 u).
    """
    square = np.square(x.data)
    s = np.asarray(square * (-2 * GELU_SCALE * GELU_CUBE))
    s -= 2 * GELU_SCALE
    s *= x.data
    with np.errstate(over="ignore"):  # exp(-2 u) = inf gives the right s = 0
        np.exp(s, out=s)
    s += 1
    np.divide(1, s, out=s)
    y = x.data * s
    return record(y, (x, lambda g: _through_gelu(g, square, s, y)))


def embedding(table: Tensor, symbols: Int[np.ndarray, "..."]) -> Tensor:
    """Look up a row for each symbol; a row gets the sum of the gradients of its copies.

    Parameters
    ----------
    table : Tensor (M, D)
        A vector for each of M symbols.
    symbols : array of integers
        From 0 to M - 1.

    Returns
    -------
    Tensor (..., D)
        The shape of `symbols` with one more axis.

    Raises
    ------
    ValueError
        If `table` is not a matrix or a symbol is not an integer from 0 to M - 1.

    Notes
    -----
    Lecture 6, the input of a transformer.
    """
    if table.ndim != 2:
        raise ValueError(f"table must have shape (M, D), got {table.shape}")
    symbols = _indices("symbols", symbols, len(table))
    return record(table.data[symbols], (table, lambda g: _by_symbol(g, table.data, symbols)))


def cross_entropy(scores: Tensor, targets: Int[np.ndarray, "..."]) -> Tensor:
    """Return the mean of -ln p(target), where p is the softmax of the scores.

    With n targets, -ln p_t = ln sum_i exp x_i - x_t for each, and so

        dl/dx_i = g (p_i - 1[i = t]) / n.

    Parameters
    ----------
    scores : Tensor (..., M)
        x, a row of scores over M symbols for each target.
    targets : array of integers (...)
        t, from 0 to M - 1.

    Returns
    -------
    Tensor ()
        The mean, in nats a target.

    Raises
    ------
    ValueError
        If the shapes do not fit, there are no targets, or one is not an integer from 0 to M - 1.

    Notes
    -----
    Lecture 6: the loss of a language model is the negative log-likelihood.
    """
    _some_entries("scores", scores)
    targets = _indices("targets", targets, scores.shape[-1])
    if targets.shape != scores.shape[:-1] or not targets.size:
        raise ValueError(
            f"targets must have shape {scores.shape[:-1]} and at least one entry, as scores have "
            f"shape {scores.shape}, got {targets.shape}"
        )
    n = targets.size
    x, here = scores.data.reshape(n, -1), (np.arange(n), targets.ravel())
    p = x - x.max(axis=1, keepdims=True)
    at_target = p[here]
    np.exp(p, out=p)
    total = p.sum(axis=1)
    p /= total[:, None]
    return record(
        (np.log(total) - at_target).mean(),
        (scores, lambda g: _less_one(p, here, g / n).reshape(scores.shape)),
    )


def binary_cross_entropy(scores: Tensor, x: np.ndarray) -> Tensor:
    """Return -ln p(x) for each entry, where x is Bernoulli with p(1) = sigmoid(score).

    With a score s it is ln(1 + exp s) - x s, and its derivative is sigmoid(s) - x.

    Parameters
    ----------
    scores : Tensor
        s, the log odds.
    x : array that broadcasts to scores
        From 0 to 1; a grey value between them counts as so many ones in a row of draws.

    Returns
    -------
    Tensor
        In nats, of the shape of scores.

    Raises
    ------
    ValueError
        If `x` is not between 0 and 1 or does not broadcast.

    Notes
    -----
    Lecture 7, the reconstruction term with a Bernoulli decoder.
    """
    x = np.asarray(x)
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(f"x must be between 0 and 1, got values from {x.min()} to {x.max()}")
    if not _broadcasts(x.shape, scores.shape):
        raise ValueError(f"x must broadcast to scores, {scores.shape}, got {x.shape}")
    s, x = scores.data, x.astype(scores.dtype, copy=False)
    small = np.exp(-np.abs(s))  # ln(1 + exp s) = max(s, 0) + ln(1 + exp -|s|): no overflow
    total = 1 + small
    value = np.log(total)
    value += np.maximum(s, 0)
    value -= x * s
    # sigmoid(s) is 1 / total, or small / total where s < 0
    return record(value, (scores, lambda g: g * (np.maximum(small, s >= 0) / total - x)))


def _through_softmax(g: np.ndarray, y: np.ndarray) -> np.ndarray:
    d = g - np.vecdot(g, y)[..., None]
    d *= y
    return d


def _shares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return exp(x - y), zero where the sum exp(y) is."""
    return np.exp(x - np.where(np.isfinite(y), y, 0))


def _through_standardising(d: np.ndarray, h: np.ndarray, r: np.ndarray) -> np.ndarray:
    D = h.shape[-1]
    slope = np.vecdot(d, h)[..., None] / D
    d -= _row_sum(d) / D
    d -= h * slope
    d *= r
    return d


def _through_gelu(g: np.ndarray, square: Array, s: Array, y: Array) -> Array:
    slope = square * (6 * GELU_SCALE * GELU_CUBE)
    slope += 2 * GELU_SCALE
    slope *= 1 - s
    slope *= y
    slope += s
    slope *= g
    return slope


def _by_symbol(g: np.ndarray, table: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Sum the rows of the gradient for each symbol."""
    rows = np.zeros_like(table)
    if symbols.size:
        order = symbols.argsort(axis=None, kind="stable")
        used, first = np.unique(symbols.ravel()[order], return_index=True)
        rows[used] = np.add.reduceat(g.reshape(-1, rows.shape[1])[order], first)
    return rows


def _less_one(p: np.ndarray, here: tuple[np.ndarray, ...], g: Array) -> np.ndarray:
    """Return g (p_i - 1[i = t])."""
    d = p * g
    d[here] -= g
    return d


def _some_entries(name: str, x: Tensor) -> None:
    if not x.ndim or not x.shape[-1]:
        raise ValueError(f"{name} must have a last axis with at least one entry, got {x.shape}")


def _row_sum(x: np.ndarray) -> np.ndarray:
    """Sum over the last axis, which stays; for short rows a product is faster than a sum."""
    return x @ np.ones((x.shape[-1], 1), x.dtype)


def _penalty(mask: np.ndarray, x: Tensor) -> np.ndarray:
    """Return what a mask adds to scores: nothing where it is True, minus infinity elsewhere."""
    mask = np.asarray(mask)
    if mask.dtype.kind != "b" or not _broadcasts(mask.shape, x.shape):
        raise ValueError(
            f"mask must be bools that broadcast to {x.shape}, got {mask.dtype} of shape "
            f"{mask.shape}"
        )
    if not mask.any(axis=-1).all():
        raise ValueError("mask must leave at least one True in each row")
    return np.where(mask, x.dtype.type(0), x.dtype.type(-np.inf))


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False


def _indices(name: str, value: np.ndarray, n: int) -> np.ndarray:
    value = np.asarray(value)
    if value.dtype.kind not in "iu":
        raise ValueError(f"{name} must be integers from 0 to {n - 1}, got {value.dtype}")
    if value.size and not (value.min() >= 0 and value.max() < n):
        raise ValueError(
            f"{name} must be integers from 0 to {n - 1}, got values from {value.min()} "
            f"to {value.max()}"
        )
    return value
