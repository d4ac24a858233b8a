"""Attention: each query takes the mean of the values, weighted by how well their keys match it.

Lecture 6. With a query q_i, keys k_j and values v_j in rows, and D the length of a query,

    Y = A V,    A = softmax(Q K^T / sqrt(D)).

The entries of a row of A are positive and sum to one, so they are a distribution over the keys,
and y_i is an expectation:

    alpha_ij = p(k_j | q_i) = f(q_i, k_j) / sum_j' f(q_i, k_j'),    f(q, k) = exp(q k^T / sqrt(D)),
    y_i = sum_j alpha_ij v_j = E[v_j] under p(k_j | q_i).

A has T^2 entries. Another kernel, f(q, k) = phi(q) phi(k)^T, lets the sums over j be taken once
for all queries,

    y_i = phi(q_i) S / phi(q_i) z,    S = sum_j phi(k_j)^T v_j,    z = sum_j phi(k_j)^T,

in time and memory linear in T (Katharopoulos and others, 2020). This is no approximation of the
softmax: with phi = elu + 1 it is a different kernel, and it gives different weights.
"""

from typing import NamedTuple

import numpy as np

from latent import checks
from latent.memory import keep_freed_memory
from latent.shapes import Bool, Float, Real


class Attention(NamedTuple):
    """What attention gives, and why.

    Attributes
    ----------
    output : array (..., T, E)
        Y; y_i is the expectation of the values for query i.
    weights : array (..., T, S)
        A; alpha_ij = p(k_j | q_i). Each row sums to one.
    """

    output: Float[np.ndarray, "... T E"]
    weights: Float[np.ndarray, "... T S"]


def attention(
    q: Real[np.ndarray, "... T D"],
    k: Real[np.ndarray, "... S D"],
    v: Real[np.ndarray, "... S E"],
    mask: Bool[np.ndarray, "..."] | None = None,
) -> Attention:
    """Scaled dot-product attention, Y = softmax(Q K^T / sqrt(D)) V.

    Parameters
    ----------
    q : array (..., T, D)
        A query in each of T rows. Axes in front of the last two are independent problems.
    k : array (..., S, D)
        A key in each of S rows.
    v : array (..., S, E)
        A value for each key.
    mask : array of bool that broadcasts to (..., T, S), or None
        Where it is False, query i does not see key j: alpha_ij = 0.

    Returns
    -------
    Attention
        `output` (..., T, E) and `weights` (..., T, S), in the precision of the input.

    Raises
    ------
    ValueError
        If shapes do not fit, an entry is not a finite number, or the mask leaves a query no key.

    Notes
    -----
    Lecture 6, scaled dot-product attention; Vaswani and others (2017). If the entries of q and k
    are independent with mean 0 and variance 1, their scalar product has variance D. The root of D
    brings it back to 1, and keeps the softmax from putting all weight on one key.
    """
    q, k, v = _queries_keys_values(q, k, v)
    # D^(-1/2) goes to the queries, which are fewer numbers than the scores.
    A = (q * q.dtype.type(q.shape[-1] ** -0.5)) @ k.swapaxes(-1, -2)
    if mask is not None:
        np.copyto(A, -np.inf, where=~_mask(mask, A.shape))
    A -= A.max(axis=-1, keepdims=True)
    np.exp(A, out=A)
    A /= A.sum(axis=-1, keepdims=True)
    return Attention(A @ v, A)


def causal_mask(n_positions: int) -> Bool[np.ndarray, "T T"]:
    """Return the mask that hides the future: query i sees the keys j <= i.

    Parameters
    ----------
    n_positions : int
        T.

    Returns
    -------
    array (T, T) of bool
        True on the diagonal and below it.

    Raises
    ------
    ValueError
        If `n_positions` is below one.

    Notes
    -----
    Lecture 6, GPT: p(x) = prod_t p(x_t | x_1..x_{t-1}) asks for it.
    """
    return np.tri(checks.whole("n_positions", n_positions), dtype=bool)


def features(x: Float[np.ndarray, "... D"]) -> Float[np.ndarray, "... D"]:
    """Return phi(x) = elu(x) + 1, that is x + 1 above zero and exp(x) below it.

    Parameters
    ----------
    x : array (..., D)
        Queries or keys.

    Returns
    -------
    array (..., D)
        Positive numbers, so that the kernel phi(q) phi(k)^T is positive.

    Raises
    ------
    ValueError
        If an entry is not a finite number.

    Notes
    -----
    Lecture 6, linear attention.
    """
    return _phi(_floats("x", x))


def linear_attention(
    q: Real[np.ndarray, "... T D"],
    k: Real[np.ndarray, "... S D"],
    v: Real[np.ndarray, "... S E"],
) -> Float[np.ndarray, "... T E"]:
    """Attention with the kernel f(q, k) = phi(q) phi(k)^T, in O(T + S) time and memory.

    Parameters
    ----------
    q : array (..., T, D)
        Queries.
    k : array (..., S, D)
        Keys.
    v : array (..., S, E)
        Values.

    Returns
    -------
    array (..., T, E)
        y_i = phi(q_i) S / phi(q_i) z. There are no weights to return: not to compute them is the
        point.

    Raises
    ------
    ValueError
        If shapes do not fit, an entry is not a finite number, or all features of a query or of the
        keys are too small for a float.

    Notes
    -----
    Lecture 6, linear attention; Katharopoulos and others (2020).
    """
    q, k, v = _queries_keys_values(q, k, v)
    q, k = _phi(q), _phi(k)
    S = k.swapaxes(-1, -2) @ v
    z = k.sum(axis=-2)[..., None]
    return _divide(q @ S, q @ z)


def causal_linear_attention(
    q: Real[np.ndarray, "... T D"],
    k: Real[np.ndarray, "... T D"],
    v: Real[np.ndarray, "... T E"],
    chunk: int = 128,
) -> Float[np.ndarray, "... T E"]:
    """Linear attention where query i sees the keys j <= i, in O(T) time and memory.

    The sums S and z now grow with i. Row by row that is T small steps. In chunks, all keys before
    the chunk are in the sums already, and those within it are compared with its queries directly:

        y_i = (phi(q_i) S + sum_{j in chunk, j <= i} f(q_i, k_j) v_j) / (the same with v_j = 1).

    Parameters
    ----------
    q : array (..., T, D)
        Queries.
    k : array (..., T, D)
        Keys.
    v : array (..., T, E)
        Values.
    chunk : int
        Rows at a time; it changes the speed alone.

    Returns
    -------
    array (..., T, E)
        The rows y_i.

    Raises
    ------
    ValueError
        As for `linear_attention`, if there are not as many queries as keys, or `chunk` is below
        one.

    Notes
    -----
    Lecture 6, linear attention; Katharopoulos and others (2020), section 3.3.
    """
    q, k, v = _queries_keys_values(q, k, v)
    chunk, T = checks.whole("chunk", chunk), q.shape[-2]
    if k.shape[-2] != T:
        raise ValueError(f"k must have as many rows as q, {T}, got shape {k.shape}")
    batch = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    y = np.empty((*batch, *q.shape[-2:-1], v.shape[-1]), q.dtype)
    S, z = (np.zeros((*batch, q.shape[-1], n), q.dtype) for n in (v.shape[-1], 1))
    for start in range(0, T, chunk):
        rows = slice(start, start + chunk)
        q_here, k_here, v_here = _phi(q[..., rows, :]), _phi(k[..., rows, :]), v[..., rows, :]
        f = np.tril(q_here @ k_here.swapaxes(-1, -2))
        total = q_here @ z + f.sum(axis=-1, keepdims=True)
        y[..., rows, :] = _divide(q_here @ S + f @ v_here, total)
        S += k_here.swapaxes(-1, -2) @ v_here
        z += k_here.sum(axis=-2)[..., None]
    return y


def _phi(x: np.ndarray) -> np.ndarray:
    y = np.minimum(x, 0)
    np.exp(y, out=y)
    y += np.maximum(x, 0)
    return y


def _divide(numerator: np.ndarray, total: np.ndarray) -> np.ndarray:
    if not total.min() > 0:
        raise ValueError(
            "q and k must have features above zero, but exp(x) of their most negative entries is "
            "too small for a float"
        )
    numerator /= total
    return numerator


def _queries_keys_values(q: object, k: object, v: object) -> tuple[np.ndarray, ...]:
    """Check shapes and numbers, and give all three one precision; floats are not copied."""
    keep_freed_memory()  # attention makes and frees large arrays
    q, k, v = _floats("q", q), _floats("k", k), _floats("v", v)
    for name, value in (("q", q), ("k", k), ("v", v)):
        if value.ndim < 2 or not value.size:
            raise ValueError(f"{name} must have shape (..., rows, columns), got {value.shape}")
    if k.shape[-1] != q.shape[-1]:
        raise ValueError(f"k must have rows as long as those of q, {q.shape[-1]}, got {k.shape}")
    if v.shape[-2] != k.shape[-2]:
        raise ValueError(f"v must have a row for each of {k.shape[-2]} keys, got shape {v.shape}")
    try:
        np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    except ValueError:
        raise ValueError(
            "q, k and v must have axes in front of the last two that fit, got shapes "
            f"{q.shape}, {k.shape} and {v.shape}"
        ) from None
    dtype = np.result_type(q, k, v)
    return q.astype(dtype, copy=False), k.astype(dtype, copy=False), v.astype(dtype, copy=False)


def _floats(name: str, value: object) -> np.ndarray:
    """Return finite floats; unlike `checks.array` it keeps the precision and copies no floats."""
    value = np.asarray(value)
    if value.dtype.kind != "f":
        return checks.array(name, value, "...")
    if not np.isfinite(value).all():
        checks.array(name, value, "...")  # which says where
    return value


def _mask(mask: object, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.asarray(mask)
    try:
        fits = np.broadcast_shapes(mask.shape, shape) == shape
    except ValueError:
        fits = False
    if mask.dtype.kind != "b" or not fits:
        raise ValueError(
            f"mask must be bools that broadcast to {shape}, got {mask.dtype} of shape {mask.shape}"
        )
    if not mask.any(axis=-1).all():
        raise ValueError("mask must leave each query at least one key")
    return mask
