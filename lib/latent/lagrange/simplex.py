"""The maximum of a log likelihood on the simplex, which is the M-step of every distribution here.

Lecture 3, and the M-steps of lectures 1 and 2. With g = sum_k pi_k - 1, grad f = nu grad g gives

    f = sum_k c_k ln pi_k,    c_k / pi_k = nu,    pi_k = c_k / sum_j c_j.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import xlogy

from latent import checks
from latent.shapes import Float, Real


class SimplexMaximum(NamedTuple):
    """The maximum of sum_k c_k ln pi_k on the simplex.

    Attributes
    ----------
    probabilities : array (..., K)
        pi_k.
    multiplier : array (...)
        nu = sum_k c_k.
    value : array (...)
        The maximum.
    """

    probabilities: Float[np.ndarray, "*rows K"]
    multiplier: float | Float[np.ndarray, "*rows"]
    value: float | Float[np.ndarray, "*rows"]


def simplex_objective(
    probabilities: Real[np.ndarray, "*rows K"], counts: Real[np.ndarray, "*rows K"]
) -> float | Float[np.ndarray, "*rows"]:
    """f(pi) = sum_k c_k ln pi_k, what `simplex_mle` maximises.

    Parameters
    ----------
    probabilities : array (..., K)
        pi_k; they sum to one over the last axis.
    counts : array (..., K)
        c_k, not negative; counted or expected.

    Returns
    -------
    array (...)
        f, with 0 ln 0 = 0; -inf where something that was counted has no probability.

    Raises
    ------
    ValueError
        If `probabilities` does not sum to one, a count is negative, or the shapes do not fit.
    """
    probabilities = checks.probabilities("probabilities", probabilities, "... K")
    K = probabilities.shape[-1]
    counts = checks.nonnegative("counts", counts, "... K", K=K)
    return xlogy(counts, probabilities).sum(axis=-1)


def simplex_mle(counts: Real[np.ndarray, "*rows K"]) -> SimplexMaximum:
    """Maximise sum_k c_k ln pi_k over the pi_k that sum to one, in each row.

    The derivative of f - nu (sum_k pi_k - 1) by pi_k is c_k / pi_k - nu = 0, so pi_k = c_k / nu,
    and summed over k, nu = sum_k c_k. Where c_k = 0 the maximum is on the border, pi_k = 0: there
    c_k / pi_k is to be read as 0, and it is pi_k >= 0 that holds against -nu, with multiplier nu.

    Parameters
    ----------
    counts : array (..., K)
        c_k, not negative: sum_n gamma_nk for the weights of a mixture, gamma_{i,1} for q,
        sum_t xi_{i,j,t} for the rows of A, sum_t gamma_{i,t} 1(x_t = m) for those of B.

    Returns
    -------
    SimplexMaximum
        `probabilities` (..., K), and `multiplier` and `value` for each row.

    Raises
    ------
    ValueError
        If a count is negative or not finite, or a row has zeros only: then f is constant and
        every pi is a maximum.

    Notes
    -----
    Lectures 1 and 2, the M-steps of pi, q, A and B; lecture 3, the multiplier.
    """
    counts = checks.nonnegative("counts", counts, "... K")
    nu = counts.sum(axis=-1)
    if not np.all(nu > 0):
        where = f" in row {np.argwhere(nu == 0)[0].tolist()}" if nu.ndim else ""
        raise ValueError(f"counts must not all be zero, got zeros only{where}")
    probabilities = counts / nu[..., None]
    return SimplexMaximum(probabilities, nu, xlogy(counts, probabilities).sum(axis=-1))
