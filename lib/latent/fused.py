"""Functions of networks as one primitive each, with their gradients worked out by hand.

Lectures 6 and 7. Each of these could be written with the primitives of `latent.autodiff`. Fused,
they visit memory less often, and their gradients are short formulas instead of long tapes. In the
docstrings g = dl/dy is the gradient of the loss with respect to the result, and D the length of the
last axis.
"""

import numpy as np
from scipy.special import expit

from latent import checks
from latent.autodiff import Tensor, record
from latent.shapes import Bool, Int

# The coefficients of the approximation of Hendrycks and Gimpel.
GELU_SCALE = float(np.sqrt(2 / np.pi))
GELU_CUBE = 0.044715


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
    scores = x.data if mask is None else np.where(_allowed(mask, x.shape), x.data, -np.inf)
    y = scores - scores.max(axis=-1, keepdims=True)  # the largest exponent is 0: no overflow
    np.exp(y, out=y)
    y /= y.sum(axis=-1, keepdims=True)

    def pull(g: np.ndarray) -> np.ndarray:
        gy = g * y
        return gy - y * gy.sum(axis=-1, keepdims=True)

    return record(y, (x, pull))


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

    def pull(g: np.ndarray) -> np.ndarray:
        share = np.exp(x.data - np.where(np.isfinite(y), y, 0))
        return g[..., None] * share

    return record(y[..., 0], (x, pull))


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
    h = x.data - x.data.mean(axis=-1, keepdims=True)
    r = 1 / np.sqrt(np.square(h).mean(axis=-1, keepdims=True) + h.dtype.type(eps))
    h *= r

    def pull(g: np.ndarray) -> np.ndarray:
        d = g * scale.data
        slope = (d * h).mean(axis=-1, keepdims=True)
        d -= d.mean(axis=-1, keepdims=True)
        d -= h * slope
        d *= r
        return d

    y = h * scale.data
    y += shift.data
    return record(y, (x, pull), (scale, lambda g: g * h), (shift, lambda g: g))


def gelu(x: Tensor) -> Tensor:
    """Return y = x Phi(x) with Phi(x) = (1 + tanh u) / 2, u = c (x + a x^3), nearly the normal one.

    The derivative of each entry is

        dy/dx = (1 + tanh u) / 2 + x (1 - tanh^2 u) / 2 * c (1 + 3 a x^2).

    Parameters
    ----------
    x : Tensor
        Entries.

    Returns
    -------
    Tensor
        Of the same shape.

    Notes
    -----
    Lecture 6, the feed-forward layer. Hendrycks and Gimpel (2016): c = sqrt(2 / pi), a = 0.044715;
    x times the true distribution function differs by less than 5e-4.
    """
    square = np.square(x.data)
    t = square * GELU_CUBE
    t += 1
    t *= x.data
    t *= GELU_SCALE
    np.tanh(t, out=t)
    y = t + 1
    y *= x.data
    y *= 0.5

    def pull(g: np.ndarray) -> np.ndarray:
        slope = square * (3 * GELU_SCALE * GELU_CUBE)
        slope += GELU_SCALE
        slope *= x.data
        slope *= 1 - t * t
        slope += t
        slope += 1
        slope *= 0.5
        slope *= g
        return slope

    return record(y, (x, pull))


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

    def pull(g: np.ndarray) -> np.ndarray:
        rows = np.zeros_like(table.data)
        if symbols.size:
            order = symbols.argsort(axis=None, kind="stable")
            used, first = np.unique(symbols.ravel()[order], return_index=True)
            rows[used] = np.add.reduceat(g.reshape(-1, rows.shape[1])[order], first)
        return rows

    return record(table.data[symbols], (table, pull))


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

    def pull(g: np.ndarray) -> np.ndarray:
        d = p * (g / n)
        d[here] -= g / n
        return d.reshape(scores.shape)

    return record((np.log(total) - at_target).mean(), (scores, pull))


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
    value = np.log1p(small)
    value += np.maximum(s, 0)
    value -= x * s
    return record(value, (scores, lambda g: g * (expit(s) - x)))


def _some_entries(name: str, x: Tensor) -> None:
    if not x.ndim or not x.shape[-1]:
        raise ValueError(f"{name} must have a last axis with at least one entry, got {x.shape}")


def _allowed(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.dtype.kind != "b" or not _broadcasts(mask.shape, shape):
        raise ValueError(
            f"mask must be bools that broadcast to {shape}, got {mask.dtype} of shape {mask.shape}"
        )
    if not mask.any(axis=-1).all():
        raise ValueError("mask must leave at least one True in each row")
    return mask


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
