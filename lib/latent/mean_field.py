"""Variational EM for hidden Markov models: a posterior whose states are independent.

Lecture 4, variational EM. Within the family q(s) = prod_t q_t(s_t) the bound

    L(q, lambda) = E_q[ln p(x, S | lambda)] + sum_t H(q_t)
                 = ln p(x | lambda) - KL(q || p(S | x, lambda))

has a sum over pairs of neighbours, E_q[ln a_{S_{t-1} S_t}] = sum_ij q_{t-1}(i) q_t(j) ln a_ij, and
is highest in q_t, all others fixed, at

    ln q_t(j) = ln p(x_t | S_t = j) + sum_i q_{t-1}(i) ln a_ij + sum_k q_{t+1}(k) ln a_jk + const.

Given the states at odd steps those at even steps do not depend on each other, so that a sweep is
two such updates, each of every second step. The M-step is that of Baum-Welch with q in the place of
the posterior: q_t(i) for gamma_{i,t}, q_{t-1}(i) q_t(j) for xi_{i,j,t}.

Where a_ij = 0, the bound is -inf as soon as q_{t-1}(i) and q_t(j) are both above zero: a state can
enter q_t only if every state in q_{t-1} can move to it and it can move to every state in q_{t+1}.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import entr, softmax

from latent import checks, scan
from latent.chain import Posterior
from latent.fitting import Fit, em, weighted_sum
from latent.hmm import HMM
from latent.sequences import Data
from latent.shapes import Float, Int, Real

# Smaller probabilities count as zero: the product of two larger ones does not underflow, and a row
# of A is never made of counts that have lost their digits.
TINY = 1e-150


class MeanField(NamedTuple):
    """A factorised approximation of the posterior.

    Attributes
    ----------
    q : array (T, N)
        q[t, i] = q_t(S_t = i).
    trace : array (n_sweeps,)
        The bound L(q, lambda) after each sweep; it never decreases.
    converged : bool
        Whether the last gain was within the tolerance; if not, the sweeps ran out.
    """

    q: Float[np.ndarray, "T N"]
    trace: Float[np.ndarray, " n_sweeps"]
    converged: bool


def mean_field(
    initial: Real[np.ndarray, " N"],
    transition: Real[np.ndarray, "N N"],
    log_likelihood: Float[np.ndarray, "T N"],
    lengths: Int[np.ndarray, " n_sequences"] | None = None,
    *,
    max_iter: int = 200,
    tol: float = 1e-6,
    start: Real[np.ndarray, "T N"] | None = None,
) -> MeanField:
    """Find a factorised q(s) = prod_t q_t(s_t) close to p(s | x), by coordinate ascent.

    Parameters
    ----------
    initial : array (N,)
        q, the distribution of S_1.
    transition : array (N, N)
        A, row i holding p(S_t | S_{t-1} = i).
    log_likelihood : array (T, N)
        ln p(x_t | S_t = i); -inf where state i cannot have emitted x_t.
    lengths : array (n_sequences,) of integers, optional
        Numbers of steps of independent sequences, which lie one after the other in
        `log_likelihood`; their sum is T. Default: one sequence.
    max_iter : int
        Largest number of sweeps after the first.
    tol : float
        Gain of a sweep, in nats, at or below which the ascent ends.
    start : array (T, N), optional
        q to start from; each row sums to one. Default: all weight on the best path, whose bound is
        ln p(s, x), so that the result is never below that.

    Returns
    -------
    MeanField
        `q` (T, N), `trace` and `converged`.

    Raises
    ------
    ValueError
        If `initial` or a row of `transition` is not a distribution; `log_likelihood` has another
        number of states, NaN or +inf, or is impossible under the chain; `lengths` do not fit it;
        `start` has another shape or is no distribution, or with zeros in A leaves no state for some
        step; `max_iter` is below one or `tol` negative.

    Notes
    -----
    Lecture 4, mean field and variational EM. The limit is a local optimum: with other starts it can
    be another.
    """
    initial = checks.probabilities("initial", initial, "N")
    N = len(initial)
    transition = checks.probabilities("transition", transition, "N N", N=N)
    log_likelihood = checks.log_likelihoods("log_likelihood", log_likelihood, "T N", N=N)
    if start is None:
        start = np.eye(N)[scan.viterbi(initial, transition, log_likelihood, lengths).states]
    start = checks.probabilities("start", start, "T N", T=len(log_likelihood), N=N)
    begins = _begins(lengths, len(log_likelihood))
    # The first state of a sequence has ln q_i where the others have the state before.
    single = log_likelihood + np.where(begins[:, None], checks.log(initial), 0.0)
    pairs = checks.log(transition), ~begins[1:, None]

    def sweep(q: np.ndarray) -> np.ndarray:
        return _sweep(single, *pairs, q)

    def bound(q: np.ndarray) -> tuple[np.ndarray, float]:
        return q, _bound(single, *pairs, q)

    return MeanField(*em(sweep(start), bound, sweep, max_iter=max_iter, tol=tol))


def variational_em(model: HMM, x: Data, *, max_iter: int = 200, tol: float = 1e-6) -> Fit:
    """Fit an HMM by EM with a factorised posterior: raise L(q, lambda) in q, then in lambda.

    Parameters
    ----------
    model : HMM
        lambda', the parameters to start from.
    x : array (T, ...), or list of sequences
        Observations.
    max_iter : int
        Largest number of M-steps, and of sweeps in each E-step after its first.
    tol : float
        Gain in nats, at or below which the loop ends; also that of the sweeps of an E-step.

    Returns
    -------
    Fit
        `model`, `trace` of the bound L(q, lambda), and `converged`. The bound never decreases, as
        each E-step starts from the last q; ln p(x | lambda), which lies above it, can fall.

    Raises
    ------
    ValueError
        If `x` does not fit the model or is impossible under it, `max_iter` is below one or `tol`
        negative.

    Notes
    -----
    Lecture 4, variational EM. q starts on the best path of the first model.
    """
    data = model.sequences(x)
    joined = ~_begins(data.lengths, data.observations.n_steps)[1:, None]

    def e_step(current: tuple[HMM, np.ndarray | None]) -> tuple[tuple[HMM, MeanField], float]:
        model, start = current
        chain = model._chain(data)
        field = mean_field(*chain, data.lengths, max_iter=max_iter, tol=tol, start=start)
        return (model, field), float(field.trace[-1])

    def m_step(posterior: tuple[HMM, MeanField]) -> tuple[HMM, np.ndarray]:
        model, (q, trace, _) = posterior
        return model.m_step(data, Posterior(q, _moves(q, joined), float(trace[-1]))), q

    (model, _), trace, converged = em((model, None), e_step, m_step, max_iter=max_iter, tol=tol)
    return Fit(model, trace, converged)


def _begins(lengths: np.ndarray | None, T: int) -> np.ndarray:
    """Whether each step is the first of its sequence."""
    lengths = checks.lengths(lengths, T)
    begins = np.zeros(T, dtype=bool)
    begins[np.cumsum(lengths) - lengths] = True
    return begins


def _sweep(
    single: np.ndarray, log_transition: np.ndarray, joined: np.ndarray, q: np.ndarray
) -> np.ndarray:
    """Update every second step given those between, then those between."""
    q = q.copy()
    for first in (0, 1):
        log_q = single.copy()
        log_q[1:] += np.where(joined, _expected(q[:-1], log_transition), 0.0)
        log_q[:-1] += np.where(joined, _expected(q[1:], log_transition.T), 0.0)
        _some_state_left(log_q[first::2], first)
        q[first::2] = softmax(log_q[first::2], axis=1)
        q[q < TINY] = 0.0
    return q


def _bound(
    single: np.ndarray, log_transition: np.ndarray, joined: np.ndarray, q: np.ndarray
) -> float:
    """L(q, lambda), with 0 ln 0 = 0."""
    moves = weighted_sum(_moves(q, joined), log_transition)
    return weighted_sum(q, single) + moves + float(entr(q).sum())


def _moves(q: np.ndarray, joined: np.ndarray) -> np.ndarray:
    """Expected counts of moves, sum_t q_{t-1}(i) q_t(j) over steps of one sequence."""
    return (q[:-1] * joined).T @ q[1:]


def _expected(q: np.ndarray, log_p: np.ndarray) -> np.ndarray:
    """Row by row sum_i q_i ln p_ij, with 0 ln 0 = 0."""
    impossible = np.isneginf(log_p)
    expected = q @ np.where(impossible, 0.0, log_p)
    return np.where((q > 0) @ impossible, -np.inf, expected)


def _some_state_left(log_q: np.ndarray, first: int) -> None:
    none = (log_q == -np.inf).all(axis=1)
    if none.any():
        raise ValueError(
            f"start must leave a state for step {first + 2 * int(none.argmax())} (counted from 0), "
            "but each has no likelihood there, or cannot follow or precede a state that start "
            "allows next to it; the bound is -inf. Allow fewer states, or leave start out: the "
            "default, the best path, is always possible"
        )
