"""The recursions of `latent.chain`, with the same names and results, fast for any length.

Lectures 2 and 5. `latent.blocks` moves the messages of many blocks of a sequence, or of many
sequences, side by side. Here they become posteriors:

    f_t(i) = P_t(i) b_t(i) / sum_k P_t(k) b_t(k),
    gamma_t(i) = P_t(i) b_t(i) R_t(i) / c_t,
    xi_t(i, j) = f_{t-1}(i) a_ij b_t(j) R_t(j) / c_t,

where P_t is the message that enters step t from the left, p(S_t | x_1..x_{t-1}), b_t the
likelihoods, R_t the message that enters from the right, p(x_{t+1}..x_T | S_t) up to a factor, f_t
the filter p(S_t | x_1..x_t), and c_t makes gamma_t sum to one.

Products of probabilities are fast, but a state whose probability falls below 1e-290 is lost in
them. A positive transition matrix gives every state its share again in the next step, so that
nothing is lost that matters. With zeros in it, the lost state may be the one that the rest of the
sequence needs: so the messages are checked, and where a state was lost the logarithms of
`latent.blocks.LOG` take over, slower and as exact as the textbook.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp, softmax

from latent import checks
from latent.blocks import LINEAR, LOG, MAX, Blocks, backtrack, cut, fold, messages, unfold
from latent.chain import Backward, Forward, Path, Posterior
from latent.memory import keep_freed_memory
from latent.shapes import Float, Int, Real

SMALLEST = 1e-290  # below it, products of probabilities lose digits
LOG_SMALLEST = np.log(SMALLEST)
POSITIVE = 1e-15  # sixteen products of transition probabilities above it stay above SMALLEST
SHORT = 128  # steps of a sequence that products of probabilities need not cut
BACKWARD = slice(None, None, -1)
CELLS = 65536  # numbers in a slice that stays in the processor's cache

_quiet = np.errstate(divide="ignore", invalid="ignore")  # ln 0 = -inf, and 0 / 0 is looked for


@_quiet
def forward(
    initial: Real[np.ndarray, " N"],
    transition: Real[np.ndarray, "N N"],
    log_likelihood: Float[np.ndarray, "T N"],
) -> Forward:
    """Filter the hidden state: p(S_t | x_1..x_t) and ln p(x_t | x_1..x_{t-1}) for every t.

    Parameters
    ----------
    initial : array (N,)
        q, the distribution of S_1.
    transition : array (N, N)
        A, row i holding p(S_t | S_{t-1} = i).
    log_likelihood : array (T, N)
        ln p(x_t | S_t = i); -inf where state i cannot have emitted x_t.

    Returns
    -------
    Forward
        As `latent.chain.forward`.

    Raises
    ------
    ValueError
        If `initial` or a row of `transition` is not a distribution, or `log_likelihood` has another
        number of states, NaN or +inf.

    Notes
    -----
    Lecture 2, the forward recursion as a scan.
    """
    q, A, ll, blocks = _arguments(initial, transition, log_likelihood, None)
    log_f, log_scale = _filter(q, A, ll, blocks)
    impossible = np.maximum.accumulate(log_scale == -np.inf)
    alpha = np.where(impossible[:, None], np.nan, np.exp(log_f))
    return Forward(alpha, np.where(impossible, -np.inf, log_scale))


@_quiet
def backward(
    transition: Real[np.ndarray, "N N"], log_likelihood: Float[np.ndarray, "T N"]
) -> Backward:
    """Look ahead from each state: p(x_{t+1}..x_T | S_t = i) for every t.

    Parameters
    ----------
    transition : array (N, N)
        A, row i holding p(S_t | S_{t-1} = i).
    log_likelihood : array (T, N)
        ln p(x_t | S_t = i); -inf where state i cannot have emitted x_t.

    Returns
    -------
    Backward
        As `latent.chain.backward`.

    Raises
    ------
    ValueError
        If a row of `transition` is not a distribution, or `log_likelihood` has another number of
        states, NaN or +inf.

    Notes
    -----
    Lecture 2, the backward recursion as a scan.
    """
    N = len(transition)
    _, A, ll, blocks = _arguments(np.full(N, 1 / N), transition, log_likelihood, None)
    log_beta = _log_right(A, ll, blocks)
    # sum_i p(x_{t+1}..x_T | S_t = i) = sum_j (sum_i a_ij) b_{t+1}(j) p(x_{t+2}..x_T | S_{t+1} = j)
    totals = logsumexp(np.log(A.sum(axis=0)) + ll[1:] + log_beta[1:], axis=1)
    log_scale = np.cumsum(np.append(np.log(N), totals[::-1]))[::-1]
    impossible = log_scale == -np.inf
    return Backward(np.where(impossible[:, None], np.nan, np.exp(log_beta)), log_scale)


def smooth(
    initial: Real[np.ndarray, " N"],
    transition: Real[np.ndarray, "N N"],
    log_likelihood: Float[np.ndarray, "T N"],
    lengths: Int[np.ndarray, " n_sequences"] | Sequence[int] | None = None,
) -> Posterior:
    """Posterior of the hidden states given all observations: gamma, the sum of xi, ln p(x).

    Parameters
    ----------
    initial : array (N,)
        q, the distribution of S_1.
    transition : array (N, N)
        A, row i holding p(S_t | S_{t-1} = i).
    log_likelihood : array (T, N)
        ln p(x_t | S_t = i); -inf where state i cannot have emitted x_t.
    lengths : array (n_sequences,) of int, optional
        Lengths of independent sequences that lie one after the other in `log_likelihood`; they sum
        to T. Without it there is one sequence.

    Returns
    -------
    Posterior
        As `latent.chain.smooth`: `gamma` of all rows; `transitions` and `log_evidence` summed over
        the sequences.

    Raises
    ------
    ValueError
        If `initial` or a row of `transition` is not a distribution, `log_likelihood` has another
        number of states, NaN or +inf, `lengths` do not fit it, or a sequence
        is impossible.

    Notes
    -----
    Lecture 2, gamma and xi.
    """
    return smooth_blocks(*_arguments(initial, transition, log_likelihood, lengths))


@_quiet
def smooth_blocks(
    initial: Float[np.ndarray, " N"],
    transition: Float[np.ndarray, "N N"],
    log_likelihood: Float[np.ndarray, "T N"],
    blocks: Blocks,
) -> Posterior:
    """`smooth`, for arguments that were checked and cut into blocks before: a step of Baum-Welch.

    Parameters
    ----------
    initial, transition, log_likelihood : array
        As for `smooth`.
    blocks : Blocks
        Where the sequences lie, from `latent.blocks.cut`.

    Returns
    -------
    Posterior
        As for `smooth`.

    Raises
    ------
    ValueError
        If a sequence is impossible.
    """
    keep_freed_memory()
    arguments = initial, transition, log_likelihood, blocks
    return _smooth_products(*arguments) or _smooth_logarithms(*arguments)


@_quiet
def pairwise(
    initial: Real[np.ndarray, " N"],
    transition: Real[np.ndarray, "N N"],
    log_likelihood: Float[np.ndarray, "T N"],
) -> Float[np.ndarray, "T-1 N N"]:
    """Posterior of each two neighbours, xi: p(S_{t-1} = i, S_t = j | x_1..x_T).

    Parameters
    ----------
    initial : array (N,)
        q, the distribution of S_1.
    transition : array (N, N)
        A, row i holding p(S_t | S_{t-1} = i).
    log_likelihood : array (T, N)
        ln p(x_t | S_t = i); -inf where state i cannot have emitted x_t.

    Returns
    -------
    array (T-1, N, N)
        xi, as `latent.chain.pairwise`.

    Raises
    ------
    ValueError
        If `initial` or a row of `transition` is not a distribution, `log_likelihood` has another
        number of states, NaN or +inf, or a sequence is impossible.

    Notes
    -----
    Lecture 2, gamma and xi.
    """
    q, A, ll, blocks = _arguments(initial, transition, log_likelihood, None)
    log_f, log_scale = _filter(q, A, ll, blocks)
    checks.possible("log_likelihood", log_scale)
    gamma = softmax(log_f + _log_right(A, ll, blocks), axis=1)
    return _pairs(log_f[:-1], np.log(A), gamma[1:])


@_quiet
def viterbi(
    initial: Real[np.ndarray, " N"],
    transition: Real[np.ndarray, "N N"],
    log_likelihood: Float[np.ndarray, "T N"],
    lengths: Int[np.ndarray, " n_sequences"] | Sequence[int] | None = None,
) -> Path:
    """Most probable path: argmax_s p(s | x) = argmax_s p(x, s).

    Parameters
    ----------
    initial : array (N,)
        q, the distribution of S_1.
    transition : array (N, N)
        A, row i holding p(S_t | S_{t-1} = i).
    log_likelihood : array (T, N)
        ln p(x_t | S_t = i); -inf where state i cannot have emitted x_t.
    lengths : array (n_sequences,) of int, optional
        Lengths of independent sequences that lie one after the other in `log_likelihood`; they sum
        to T. Without it there is one sequence.

    Returns
    -------
    Path
        As `latent.chain.viterbi`: `states` of all rows, `log_joint` summed over the sequences.
        Where two paths are equally good up to rounding, it may be the other one.

    Raises
    ------
    ValueError
        If `initial` or a row of `transition` is not a distribution, `log_likelihood` has another
        number of states, NaN or +inf, `lengths` do not fit it, or a sequence
        is impossible.

    Notes
    -----
    Lecture 5, Viterbi; chi_t(j) = b_t(j) max_i a_ij chi_{t-1}(i).
    """
    q, A, ll, blocks = _arguments(initial, transition, log_likelihood, lengths, 8)
    log_q, log_A = np.log(q), np.log(A)
    b = fold(ll, blocks)
    best, _ = messages(MAX, np.ascontiguousarray(log_A.T), b, log_q, blocks.fresh)

    def choose(step: int, after: np.ndarray | None, columns: np.ndarray | slice) -> np.ndarray:
        chi = b[step][:, columns] + best[step][:, columns]
        if after is not None:
            chi += log_A.take(after, axis=1)
        return chi.argmax(axis=0)

    states = unfold(backtrack(choose, blocks, len(q)), blocks).astype(int)
    log_joint = _log_joint(log_q, log_A, ll, states, blocks)
    if log_joint == -np.inf:
        checks.possible("log_likelihood", _filter(q, A, ll, blocks)[1])
    return Path(states, log_joint)


@_quiet
def sample_posterior(
    initial: Real[np.ndarray, " N"],
    transition: Real[np.ndarray, "N N"],
    log_likelihood: Float[np.ndarray, "T N"],
    n_samples: int,
    rng: np.random.Generator,
    lengths: Int[np.ndarray, " n_sequences"] | Sequence[int] | None = None,
) -> Int[np.ndarray, "n_samples T"]:
    """Draw paths from p(s | x): filter forwards, sample backwards.

    Parameters
    ----------
    initial : array (N,)
        q, the distribution of S_1.
    transition : array (N, N)
        A, row i holding p(S_t | S_{t-1} = i).
    log_likelihood : array (T, N)
        ln p(x_t | S_t = i); -inf where state i cannot have emitted x_t.
    n_samples : int
        Number of paths.
    rng : numpy.random.Generator
        Source of randomness.
    lengths : array (n_sequences,) of int, optional
        Lengths of independent sequences that lie one after the other in `log_likelihood`; they sum
        to T. Without it there is one sequence.

    Returns
    -------
    array (n_samples, T) of int
        As `latent.chain.sample_posterior`, and the same paths from the same `rng`.

    Raises
    ------
    ValueError
        If `n_samples` is below one, `rng` is not a generator, `initial` or a row of `transition` is
        not a distribution, `log_likelihood` has another number of states, NaN or +inf, `lengths` do
        not fit it, or a sequence is impossible.

    Notes
    -----
    Lecture 5, forward filtering, backward sampling.
    """
    q, A, ll, blocks = _arguments(initial, transition, log_likelihood, lengths)
    n_samples, rng = checks.whole("n_samples", n_samples), checks.generator(rng)
    log_f, log_scale = _filter(q, A, ll, blocks)
    checks.possible("log_likelihood", log_scale)
    log_A, log_f = np.log(A), fold(log_f, blocks)
    u = fold(rng.random((n_samples, len(ll))).T, blocks).reshape(len(log_f), -1)
    block = np.tile(np.arange(blocks.shape[0]), n_samples)

    def choose(step: int, after: np.ndarray | None, columns: np.ndarray | slice) -> np.ndarray:
        weights = log_f[step].take(block[columns], axis=1)
        if after is not None:
            weights = weights + log_A.take(after, axis=1)
        cumulative = np.exp(weights - weights.max(axis=0)).cumsum(axis=0)
        return (cumulative / cumulative[-1] <= u[step][columns]).sum(axis=0)

    states = backtrack(choose, blocks, len(q), n_samples)
    states = states.reshape(len(states), n_samples, -1)
    return np.ascontiguousarray(unfold(states, blocks).T, dtype=int)


@_quiet
def log_evidence(
    initial: Real[np.ndarray, " N"],
    transition: Real[np.ndarray, "N N"],
    log_likelihood: Float[np.ndarray, "T N"],
    lengths: Int[np.ndarray, " n_sequences"] | Sequence[int] | None = None,
) -> float:
    """Log evidence ln p(x_1..x_T) = sum_t ln p(x_t | x_1..x_{t-1}), in O(N^2 T) steps.

    Parameters
    ----------
    initial : array (N,)
        q, the distribution of S_1.
    transition : array (N, N)
        A, row i holding p(S_t | S_{t-1} = i).
    log_likelihood : array (T, N)
        ln p(x_t | S_t = i); -inf where state i cannot have emitted x_t.
    lengths : array (n_sequences,) of int, optional
        Lengths of independent sequences that lie one after the other in `log_likelihood`; they sum
        to T. Without it there is one sequence.

    Returns
    -------
    float
        The log evidence in nats, summed over the sequences; -inf for an impossible one.

    Raises
    ------
    ValueError
        If `initial` or a row of `transition` is not a distribution, `log_likelihood` has another
        number of states, NaN or +inf, or `lengths` do not fit it.

    Notes
    -----
    Lecture 1, "Solving directly is intractable"; lecture 2.
    """
    q, A, ll, blocks = _arguments(initial, transition, log_likelihood, lengths)
    b, log_scale, exact = _likelihoods(ll, blocks)
    P = _left(q, A, b, exact, blocks)
    if P is not None:
        totals = np.concatenate([_totals(P[i], b[i]) for i in _slices(b)])
        if totals.min() > SMALLEST:
            return float(np.log(totals).sum() + log_scale.sum())
    return float(_filter(q, A, ll, blocks)[1].sum())


# ---- products of probabilities ----


def _smooth_products(
    q: np.ndarray, A: np.ndarray, ll: np.ndarray, blocks: Blocks
) -> Posterior | None:
    """Posterior from products of probabilities; None where they lose a state that may matter."""
    b, log_scale, exact = _likelihoods(ll, blocks)
    P = _left(q, A, b, exact, blocks)
    R = None if P is None else _right(A, b, exact, blocks)
    if P is None or R is None:
        return None
    log_evidence, transitions = log_scale.sum(), np.zeros_like(A)
    smallest = smallest_total = 1.0
    last = ahead = np.zeros_like(P[0])  # the filter at the last step; b R / c at the step ahead
    for i in reversed(_slices(b)):
        p, f, h = P[i], P[i] * b[i], b[i] * R[i]
        scale, totals = p.sum(axis=1), f.sum(axis=1)
        gamma = np.multiply(p, h, out=p)  # takes the place of P
        c = gamma.sum(axis=1)
        smallest = np.minimum(smallest, (c / scale).min())  # NaN stays NaN
        total = totals / scale
        smallest_total = np.minimum(smallest_total, total.min())
        by_four = np.arange(0, len(total), 4)  # a logarithm takes longer than a product
        log_evidence += np.log(np.multiply.reduceat(total, by_four)).sum()
        weight = np.where(_padding(i, blocks), 0.0, 1 / c)
        gamma *= weight[:, None]
        # xi_t is f_{t-1} / totals_{t-1} times b_t R_t / c_t: all but one factor on the right
        weight *= scale
        weight[1:] /= totals[:-1]
        h *= weight[:, None]
        transitions += np.matmul(f[:-1], h[1:].transpose(0, 2, 1)).sum(axis=0)
        f_end = f[-1] / totals[-1]
        transitions += f_end @ ahead.T
        ahead = h[0]
        if i.stop == len(b):
            last = f_end
    if not (smallest > SMALLEST and smallest_total > SMALLEST**0.25):
        return None
    links = np.flatnonzero(~blocks.ends)
    transitions += last[:, links] @ ahead[:, links + 1].T
    del b, R, f, h
    return Posterior(unfold(P, blocks), A * transitions, float(log_evidence))


def _likelihoods(ll: np.ndarray, blocks: Blocks) -> tuple[np.ndarray, np.ndarray, bool]:
    """Likelihoods b in blocks, the largest of each step scaled to one.

    With the logarithms of the scales, and whether each likelihood above zero is still one.
    """
    b, exact = fold(ll, blocks), True
    log_scale = np.empty((b.shape[0], b.shape[2]))
    for i in _slices(b):
        largest = b[i].max(axis=1)
        largest[largest == -np.inf] = 0.0
        b[i] -= largest[:, None]
        if exact and b[i].min() < LOG_SMALLEST:
            exact = bool((b[i][b[i] < LOG_SMALLEST] == -np.inf).all())
        np.exp(b[i], out=b[i])
        log_scale[i] = largest
    return b, log_scale, exact


def _left(
    q: np.ndarray, A: np.ndarray, b: np.ndarray, exact: bool, blocks: Blocks
) -> np.ndarray | None:
    """Messages from the left; None where they lost a state that may matter."""
    M = np.ascontiguousarray(A.T)
    P, fits = messages(LINEAR, M, b, q, blocks.fresh)
    if A.min() > POSITIVE:
        # only where a sequence starts can the possible states be the ones without likelihood
        kept = _totals(P[:1], b[:1]).min() > SMALLEST**0.5
    else:
        links = np.flatnonzero(~blocks.ends)
        kept = exact and fits and _kept(M, b, P, links, links + 1)
    return P if kept else None


def _right(A: np.ndarray, b: np.ndarray, exact: bool, blocks: Blocks) -> np.ndarray | None:
    """Messages from the right; None where they lost a state that may matter."""
    start = np.full(len(A), 1 / len(A))
    R, fits = messages(LINEAR, A, b[::-1], start, blocks.fresh_backward, BACKWARD)
    if A.min() > POSITIVE:
        return R[::-1]
    links = np.flatnonzero(~blocks.starts)
    kept = exact and fits and _kept(A, b[::-1], R, links, links - 1)
    return R[::-1] if kept else None


def _kept(
    M: np.ndarray, b: np.ndarray, P: np.ndarray, before: np.ndarray, after: np.ndarray
) -> bool:
    """Whether each message that is zero has to be, and no other one is too small to be exact.

    An entry of M (b_t * P_t) is zero for a reason if no state that leads to it has a likelihood and
    a message above zero. Where that holds at every step, the zeros are those of the model.
    """
    if P.min() >= SMALLEST:
        return True
    if P[P > 0].min() < SMALLEST:
        return False
    leads = (M > 0).astype(float)
    for i in _slices(b, overlap=1):
        reached = np.matmul(leads, (b[i][:-1] > 0) & (P[i][:-1] > 0)) > 0
        if (reached & (P[i][1:] == 0)).any():
            return False
    reached = leads @ ((b[-1] > 0) & (P[-1] > 0))[:, before] > 0
    return not (reached & (P[0][:, after] == 0)).any()


def _totals(P: np.ndarray, b: np.ndarray) -> np.ndarray:
    """p(x_t | x_1..x_{t-1}), up to the scale of the likelihoods."""
    return (P * b).sum(axis=1) / P.sum(axis=1)


def _padding(i: slice, blocks: Blocks) -> np.ndarray | bool:
    if blocks.last.min() >= i.stop - 1:
        return False
    return np.arange(i.start, i.stop)[:, None] > blocks.last


def _slices(b: np.ndarray, overlap: int = 0) -> list[slice]:
    L, N, K = b.shape
    n = max(1, CELLS // (N * K))
    return [slice(i, min(L, i + n + overlap)) for i in range(0, L, n)]


# ---- logarithms ----


def _filter(
    q: np.ndarray, A: np.ndarray, ll: np.ndarray, blocks: Blocks
) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of p(S_t | x_1..x_t), (T, N), and of p(x_t | x_1..x_{t-1}), (T,)."""
    b, _, exact = _likelihoods(ll, blocks)
    P = _left(q, A, b, exact, blocks)
    if P is None:
        log_M = np.ascontiguousarray(np.log(A).T)
        log_P, _ = messages(LOG, log_M, fold(ll, blocks), np.log(q), blocks.fresh)
        log_P = unfold(log_P, blocks)
    else:
        log_P = np.log(unfold(P, blocks))
    log_P, _ = _log_normalise(log_P)
    return _log_normalise(log_P + ll)


def _log_right(A: np.ndarray, ll: np.ndarray, blocks: Blocks) -> np.ndarray:
    """Logarithms of p(x_{t+1}..x_T | S_t), (T, N), scaled to a total of one."""
    b, _, exact = _likelihoods(ll, blocks)
    R = _right(A, b, exact, blocks)
    if R is None:
        start = np.full(len(A), -np.log(len(A)))
        b = fold(ll, blocks)[::-1]
        R, _ = messages(LOG, np.log(A), b, start, blocks.fresh_backward, BACKWARD)
        log_R = unfold(R[::-1], blocks)
    else:
        log_R = np.log(unfold(R, blocks))
    return _log_normalise(log_R)[0]


def _smooth_logarithms(q: np.ndarray, A: np.ndarray, ll: np.ndarray, blocks: Blocks) -> Posterior:
    log_f, log_scale = _filter(q, A, ll, blocks)
    checks.possible("log_likelihood", log_scale)
    gamma = softmax(log_f + _log_right(A, ll, blocks), axis=1)
    log_A, transitions = np.log(A), np.zeros_like(A)
    inside = np.ones(len(ll), bool)
    inside[blocks.first] = False
    n = max(1, CELLS // len(A) ** 2)
    for t in np.array_split(np.flatnonzero(inside), -(-len(ll) // n)):
        transitions += _pairs(log_f[t - 1], log_A, gamma[t]).sum(axis=0)
    return Posterior(gamma, transitions, float(log_scale.sum()))


def _pairs(log_f: np.ndarray, log_A: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """xi_t(i, j) = p(S_{t-1} = i | S_t = j, x_1..x_{t-1}) gamma_t(j)."""
    back = softmax(log_f[:, :, None] + log_A, axis=1)
    return np.where(gamma[:, None] > 0, back * gamma[:, None], 0.0)


def _log_normalise(log_p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows with a total of one, and the logarithms of the totals; a row of -inf stays so."""
    total = np.logaddexp.reduce(log_p, axis=1)
    return log_p - np.where(total > -np.inf, total, 0.0)[:, None], total


def _log_joint(
    log_q: np.ndarray, log_A: np.ndarray, ll: np.ndarray, states: np.ndarray, blocks: Blocks
) -> float:
    """Log joint ln p(x, s), summed over the sequences."""
    T, N = ll.shape
    moves = states[:-1] * N + states[1:]
    counts = np.bincount(moves, minlength=N * N)
    counts -= np.bincount(moves[blocks.first[1:] - 1], minlength=N * N)  # to another sequence
    log_prior = log_q[states[blocks.first]].sum() + counts[counts > 0] @ log_A.ravel()[counts > 0]
    order = "F" if ll.flags.f_contiguous else "C"  # as it lies in memory, or ravel copies
    down, across = (1, T) if order == "F" else (N, 1)
    cells = across * states
    cells += np.arange(0, down * T, down)
    return float(log_prior + ll.ravel(order)[cells].sum())


def _arguments(
    initial: np.ndarray,
    transition: np.ndarray,
    log_likelihood: np.ndarray,
    lengths: np.ndarray | Sequence[int] | None,
    short: int = SHORT,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Blocks]:
    initial = checks.probabilities("initial", initial, "N")
    N = len(initial)
    transition = checks.probabilities("transition", transition, "N N", N=N)
    log_likelihood = checks.log_likelihoods("log_likelihood", log_likelihood, "T N", N=N)
    keep_freed_memory()
    lengths = checks.lengths(lengths, len(log_likelihood))
    return initial, transition, log_likelihood, cut(lengths, short)
