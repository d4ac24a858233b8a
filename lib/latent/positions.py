"""Positions as vectors, for an attention that does not see them by itself.

Lecture 6. Attention does not change if the rows of K and V are swapped together: it sees a set of
keys, not a sequence. A position t = 0, 1, ... becomes a vector of D numbers, D even, that is added
to what is at that position: D / 2 waves of increasing wavelength,

    PE_2k(t) = sin(w_k t),    PE_2k+1(t) = cos(w_k t),    w_k = L^(-2k/D),    k = 0..D/2 - 1.

w_k is an angular frequency. The wavelengths 2 pi / w_k run from 2 pi to 2 pi L^(1 - 2/D). By the
cosine of a difference,

    PE(t) PE(t')^T = sum_k cos(w_k (t - t')),

which depends on how far apart two positions are, and not on where they are.
"""

import functools

import numpy as np

from latent import checks
from latent.shapes import Float


def positional_encoding(
    n_positions: int, dim: int, base: float = 10000.0
) -> Float[np.ndarray, "T D"]:
    """Encode positions by sines and cosines.

    Parameters
    ----------
    n_positions : int
        T; the positions are 0..T-1.
    dim : int
        D, an even number.
    base : float
        L, above zero; it sets the longest wavelength.

    Returns
    -------
    array (T, D)
        Row t is PE(t); column 2k is sin(w_k t), column 2k + 1 is cos(w_k t).

    Raises
    ------
    ValueError
        If `n_positions` or `dim` is below one, `dim` is odd, or `base` is not above zero.

    Notes
    -----
    Lecture 6, positional encoding; Vaswani and others (2017), section 3.5.
    """
    T, D = checks.whole("n_positions", n_positions), checks.whole("dim", dim)
    L = checks.positive("base", base)
    if D % 2:
        raise ValueError(f"dim must be even, a sine and a cosine for each frequency, got {D}")
    return _waves(T, D, L).copy()


@functools.lru_cache(maxsize=8)  # a network asks for the same ones at each step
def _waves(T: int, D: int, L: float) -> np.ndarray:
    w = L ** (-np.arange(0, D, 2) / D)
    angles = np.arange(T)[:, None] * w
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(T, D)
