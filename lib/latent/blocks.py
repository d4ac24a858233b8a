"""A long chain cut into blocks that advance side by side: the engine of `latent.scan`.

Lecture 2, the forward recursion as a scan. A message moves along the chain by

    P_{t+1} = M (b_t * P_t),

a product that is associative in the matrices M diag(b_t). So a sequence of T steps is cut into K
blocks of L steps, and one step in Python moves the messages of all K blocks at once. The message
that enters a block is not known at first: it starts as a guess and is replaced by what leaves the
block before. A chain that forgets its past gives the same messages from then on, and the work ends
where they meet. For a chain that remembers, each block is reduced to the product of its matrices,
from which the entering messages follow exactly.

The same steps serve three algebras: sums of probabilities (`LINEAR`), the same in logarithms
(`LOG`) and the best path (`MAX`). Nothing here checks its arguments; `latent.scan` does.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import get_blas_funcs

from latent.shapes import Bool, Float, Int

RESCALE = 16  # steps between two rescalings
FORGETTING = 32  # steps in which a chain may forget how it entered a block
TERMS = 2**20  # numbers in the largest temporary array
ROUNDS = 8  # of guesses, before each block is reduced to the product of its matrices
LOWEST = 1e-200  # of messages that were never rescaled
MEETING = 1e-11  # relative difference of messages that are the same up to rounding
FITTING = 1e-10  # and of messages that were computed in two ways

(_substitute,) = get_blas_funcs(("tbsv",), dtype=np.float64)


class Blocks(NamedTuple):
    """How T steps of one or several sequences lie in K blocks of L steps; the rest is padding.

    Attributes
    ----------
    shape : tuple (K, L)
        Number of blocks and steps in each.
    rows : slice or array (K L,) of bool
        Which cells of the blocks, one block after the other, are steps.
    starts, ends : array (K,) of bool
        Whether a sequence starts, or ends, in a block.
    fresh, fresh_backward : dict
        The blocks in which a sequence starts, by its step there; the second for blocks that are
        read from their end.
    last : array (K,) of int
        Last step of each block that is not padding.
    first : array (n_sequences,) of int
        Row at which each sequence starts.
    """

    shape: tuple[int, int]
    rows: slice | Bool[np.ndarray, " cells"]
    starts: Bool[np.ndarray, " K"]
    ends: Bool[np.ndarray, " K"]
    fresh: dict[int, Int[np.ndarray, " C"]]
    fresh_backward: dict[int, Int[np.ndarray, " C"]]
    last: Int[np.ndarray, " K"]
    first: Int[np.ndarray, " n_sequences"]


def cut(lengths: Int[np.ndarray, " n_sequences"], short: int) -> Blocks:
    """Cut sequences of the given lengths, which lie one after the other, into blocks.

    A single sequence of at most `short` steps is one block.
    """
    L = _block_length(lengths, short)
    n_blocks = -(-lengths // L)
    after = np.cumsum(n_blocks)
    K = int(after[-1])
    starts, ends = np.zeros(K, bool), np.zeros(K, bool)
    starts[after - n_blocks] = ends[after - 1] = True
    last = np.full(K, L - 1)
    last[after - 1] = lengths - (n_blocks - 1) * L - 1
    T = int(lengths.sum())
    all_but_the_end = len(lengths) == 1 or K * L == T
    rows = slice(T) if all_but_the_end else (np.arange(L) <= last[:, None]).ravel()
    fresh, fresh_backward = {0: np.flatnonzero(starts)}, grouped(L - 1 - last, ends)
    first = np.cumsum(lengths) - lengths
    return Blocks((K, L), rows, starts, ends, fresh, fresh_backward, last, first)


def _block_length(lengths: np.ndarray, short: int) -> int:
    """L with the least work: steps in Python, cells with padding, and links between blocks."""
    if len(lengths) == 1:
        T = int(lengths[0])
        return T if short >= T else max(8, round((T / 4) ** 0.5))
    candidates = np.minimum((8 * 2 ** np.arange(0, 20, 0.5)).astype(int), lengths.max())
    lengths, counts = np.unique(lengths, return_counts=True)
    n_blocks = counts @ -(-lengths[:, None] // candidates)
    work = 300 * candidates + n_blocks * candidates + 100 * (n_blocks - counts.sum())
    return int(candidates[work.argmin()])


def fold(x: Float[np.ndarray, "T N"], blocks: Blocks) -> Float[np.ndarray, "L N K"]:
    """Lay the steps out so that step l of block k is [l, :, k]; padding is zero."""
    K, L = blocks.shape
    T, N = x.shape
    if isinstance(blocks.rows, slice):
        folded, whole = np.empty((L, N, K)), T // L
        steps = x.T[:, : whole * L].reshape(N, whole, L).transpose(2, 0, 1)  # a view of x
        for k in range(0, whole, 64):  # few enough to stay in the processor's cache
            folded[:, :, k : min(whole, k + 64)] = steps[:, :, k : k + 64]
        if whole < K:
            rest = T - whole * L
            folded[:rest, :, whole], folded[rest:, :, whole] = x[whole * L :], 0.0
        return folded
    padded = np.zeros((K * L, N))
    padded[blocks.rows] = x
    return np.ascontiguousarray(padded.reshape(K, L, N).transpose(1, 2, 0))


def unfold(x: np.ndarray, blocks: Blocks) -> np.ndarray:
    """Bring [l, ..., k] back to one row a step."""
    K, L = blocks.shape
    rows = np.ascontiguousarray(np.moveaxis(x, -1, 0)).reshape(K * L, *x.shape[1:-1])
    return rows[blocks.rows]


class Algebra(NamedTuple):
    """What a sum and a product are, for messages (N, C), one a column.

    Attributes
    ----------
    one, zero : float
        The neutral elements of the product and of the sum.
    weigh : ufunc
        The product of a likelihood and a message.
    move : callable
        move(M, w, out=None): the product of a matrix (N, N) and messages (N, C).
    compose : callable
        The product of matrices (N, N, K) with as many others.
    rescale : callable
        rescale(p) returns messages with a total of one, and their totals.
    log, unlog : callable
        The logarithm of an element, and back.
    met : callable
        met(p, q, tolerance): whether two sets of rescaled messages agree in every entry.
    """

    one: float
    zero: float
    weigh: np.ufunc
    move: Callable
    compose: Callable
    rescale: Callable
    log: Callable
    unlog: Callable
    met: Callable


def _rescale_linear(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    total = p.sum(axis=0)
    total[total == 0] = 1.0  # an impossible message stays zero
    return p / total, total


def _move_log(M: np.ndarray, w: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    return _log_sum(M[:, :, None] + w, out)


def _log_sum(terms: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    largest = terms.max(axis=1)
    largest[largest == -np.inf] = 0.0
    terms -= largest[:, None]
    return np.add(np.log(np.exp(terms, out=terms).sum(axis=1)), largest, out=out)


def _compose_log(V: np.ndarray, W: np.ndarray) -> np.ndarray:
    return _log_sum(V[:, :, None] + W)


def _move_max(M: np.ndarray, w: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    return (M[:, :, None] + w).max(axis=1, out=out)


def _compose_max(V: np.ndarray, W: np.ndarray) -> np.ndarray:
    return (V[:, :, None] + W).max(axis=1)


def _rescale_max(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    total = p.max(axis=0)
    total[total == -np.inf] = 0.0
    return p - total, total


def _compose_linear(V: np.ndarray, W: np.ndarray) -> np.ndarray:
    product = np.einsum("jmk,mik->jik", V, W)
    product[product < 1e-250] = 0.0  # next to a total of one; arithmetic below 1e-308 is slow
    return product


def _met_linear(p: np.ndarray, q: np.ndarray, tolerance: float) -> bool:
    # relative: what is small here may be all that later observations leave
    return bool((np.abs(p - q) <= tolerance * q).all())


def _met_log(p: np.ndarray, q: np.ndarray, tolerance: float) -> bool:
    return bool(((p == q) | (np.abs(p - q) <= tolerance * (1 + np.abs(q)))).all())


LINEAR = Algebra(
    1.0, 0.0, np.multiply, np.dot, _compose_linear, _rescale_linear, np.log, np.exp, _met_linear
)
LOG = Algebra(
    0.0, -np.inf, np.add, _move_log, _compose_log, _rescale_max, np.positive, np.positive, _met_log
)
MAX = Algebra(
    0.0, -np.inf, np.add, _move_max, _compose_max, _rescale_max, np.positive, np.positive, _met_log
)


def messages(
    algebra: Algebra,
    M: Float[np.ndarray, "N N"],
    b: Float[np.ndarray, "L N K"],
    start: Float[np.ndarray, " N"],
    fresh: dict[int, Int[np.ndarray, " C"]],
    order: slice = slice(None),
) -> tuple[Float[np.ndarray, "L N K"], bool]:
    """Message that enters each step, up to a factor, and whether all blocks fit together.

    The message is `start` in the blocks fresh[l] at step l, and M (b_l * P_l) at step l + 1. Blocks
    follow each other in the given order.
    """
    L, N, K = b.shape
    if algebra is LINEAR and K == 1 and N <= 16:
        P = _solve(M, b, start)
        if P.sum(axis=1).min() > LOWEST:
            return P, True
    P = np.empty_like(b)
    linked = np.ones(K, bool)
    linked[np.concatenate([*fresh.values()])] = False
    entering = np.repeat(start[:, None], K, axis=1)
    if L >= FORGETTING or N**3 * K > TERMS or not linked.any():
        leaving = _sweep(algebra, M, b, entering, P, start, fresh)
        for _ in range(ROUNDS):
            if leaving is None or not linked.any():
                return P, True
            entering[:, order][:, 1:] = leaving[:, order][:, :-1]
            leaving = _sweep(algebra, M, b, entering, P, start, fresh, earlier=P)
        if leaving is None:
            return P, True
    entering = _entering(algebra, M, b, start, fresh, order)
    leaving = _sweep(algebra, M, b, entering, P, start, fresh)
    left, right = algebra.rescale(leaving)[0][:, order][:, :-1], P[0][:, order][:, 1:]
    link = linked[order][1:]
    return P, algebra.met(left[:, link], right[:, link], FITTING)


def _solve(M: np.ndarray, b: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Messages along a single block, never rescaled, from one call of BLAS.

    P_1 = start and P_{t+1} - M (b_t * P_t) = 0 are a linear system whose matrix has ones on the
    diagonal and a band below it. To solve it by substitution is the recursion itself.
    """
    L, N, _ = b.shape
    band = np.zeros((L, N, 2 * N))  # [t, j] holds a column of the matrix, from the diagonal down
    band[:, :, 0] = 1.0
    below = -M.T * b[:-1]
    for j in range(N):
        band[:-1, j, N - j : 2 * N - j] = below[:, j]
    P = np.zeros(L * N)
    P[:N] = start
    columns = band.reshape(L * N, 2 * N).T
    return _substitute(2 * N - 1, columns, P, lower=1, overwrite_x=1).reshape(L, N, 1)


def _sweep(
    algebra: Algebra,
    M: np.ndarray,
    b: np.ndarray,
    p: np.ndarray,
    P: np.ndarray,
    start: np.ndarray,
    fresh: dict[int, np.ndarray],
    earlier: np.ndarray | None = None,
) -> np.ndarray | None:
    """Fill P from the entering messages p and return the leaving ones.

    Where the messages meet those of an earlier sweep, which P holds from there on, nothing would
    change any more, and the sweep ends with None.
    """
    L = len(b)
    w, scratch = np.empty_like(p), np.empty_like(p)
    for step in range(L):
        if step in fresh:
            p[:, fresh[step]] = start[:, None]
        if step % RESCALE == 0:
            p, _ = algebra.rescale(p)
            if earlier is not None and algebra.met(earlier[step], p, MEETING):
                return None
            P[step] = p
        algebra.weigh(b[step], p, out=w)
        stays = (step + 1) % RESCALE and step + 1 < L
        p = algebra.move(M, w, P[step + 1] if stays else scratch)
    return p


def _entering(
    algebra: Algebra,
    M: np.ndarray,
    b: np.ndarray,
    start: np.ndarray,
    fresh: dict[int, np.ndarray],
    order: slice,
) -> np.ndarray:
    """Message that enters each block, from the products of the blocks' matrices."""
    L, N, K = b.shape
    one = np.where(np.eye(N, dtype=bool), algebra.one, algebra.zero)[:, :, None]
    # V[:, i, k] is what a message that is all in state i becomes on its way through block k
    V = np.repeat(one, K, axis=2)
    log_scale = np.zeros((N, K))
    for step in range(L):
        if step in fresh:
            V[:, :, fresh[step]], log_scale[:, fresh[step]] = start[:, None, None], 0.0
        w = algebra.weigh(b[step][:, None], V).reshape(N, -1)
        V = _in_pieces(lambda w: algebra.move(M, w), N * N, w).reshape(N, N, K)
        if step % RESCALE == RESCALE - 1:
            V, total = algebra.rescale(V)
            log_scale += algebra.log(total)
    V = algebra.weigh(V, algebra.unlog(log_scale - log_scale.max(axis=0)))
    V = _products(algebra, V[..., order])
    # the first block starts a sequence, so that no product depends on what enters it
    entering = np.repeat(start[:, None], K, axis=1)
    entering[:, order][:, 1:] = V[:, 0, :-1]
    return entering


def _products(algebra: Algebra, V: np.ndarray) -> np.ndarray:
    """V_1, V_2 V_1, V_3 V_2 V_1, ...: each round multiplies products that are twice as long."""
    N, _, K = V.shape
    reach = 1
    while reach < K:
        longer = _in_pieces(algebra.compose, N**3, V[..., reach:], V[..., :-reach])
        V = np.concatenate([V[..., :reach], longer], axis=2)
        V = algebra.rescale(V.reshape(-1, K))[0].reshape(N, N, K)
        reach *= 2
    return V


def _in_pieces(f: Callable, terms: int, *arrays: np.ndarray) -> np.ndarray:
    """Apply f to so many columns at a time, of as many terms each, as stay within memory."""
    n, size = arrays[0].shape[-1], max(1, TERMS // terms)
    if n <= size:
        return f(*arrays)
    pieces = [f(*(a[..., i : i + size] for a in arrays)) for i in range(0, n, size)]
    return np.concatenate(pieces, axis=-1)


def backtrack(
    choose: Callable[[int, np.ndarray | None, np.ndarray | slice], np.ndarray],
    blocks: Blocks,
    n_states: int,
    n_paths: int = 1,
) -> Int[np.ndarray, "L C"]:
    """Paths walked backwards through all blocks at once, C = n_paths K columns.

    choose(l, after, columns) gives the states at step l of the columns, the states `after` it
    being known (None where the sequence ends). As with the messages, the state after a block is
    guessed, then taken from the block that follows until the paths meet. If that takes too many
    rounds, each block is walked back from every state that may follow it.
    """
    K, L = blocks.shape
    ends = np.tile(blocks.ends, n_paths)
    fresh = grouped(np.tile(blocks.last, n_paths), ends)
    linked = np.flatnonzero(~ends)
    states = np.empty((L, len(ends)), np.min_scalar_type(-n_states))
    guess = choose(L - 1, None, slice(None))
    _walk(choose, states, guess, fresh)
    if not len(linked):
        return states
    after = guess.copy()
    for _ in range(ROUNDS):
        after[linked] = choose(L - 1, states[0, linked + 1], linked)
        if _walk(choose, states, after.copy(), fresh, earlier=states):
            return states
    first = states[0].copy()
    table = np.zeros((n_states, len(ends)), int)
    table[:, linked] = _walk_from_all(choose, L, n_states, linked)
    for k in range(K - 2, -1, -1):
        columns = np.arange(k, len(ends), K)[: n_paths * ~blocks.ends[k]]
        first[columns] = table[first[columns + 1], columns]
    after[linked] = choose(L - 1, first[linked + 1], linked)
    _walk(choose, states, after, fresh)
    return states


def grouped(steps: np.ndarray, chosen: np.ndarray) -> dict[int, np.ndarray]:
    """Columns that are `chosen`, by their step."""
    return {
        int(step): np.flatnonzero(chosen & (steps == step)) for step in np.unique(steps[chosen])
    }


def _walk_from_all(choose: Callable, L: int, n_states: int, linked: np.ndarray) -> np.ndarray:
    """First state of each linked block, for every state that may follow the block."""
    columns = np.tile(linked, n_states)
    s = choose(L - 1, np.repeat(np.arange(n_states), len(linked)), columns)
    for step in range(L - 2, -1, -1):
        s = choose(step, s, columns)
    return s.reshape(n_states, -1)


def _walk(
    choose: Callable,
    states: np.ndarray,
    s: np.ndarray,
    fresh: dict[int, np.ndarray],
    earlier: np.ndarray | None = None,
) -> bool:
    """Fill `states` from the last step to the first; True where they meet those of an earlier walk.

    That is as in `_sweep`: nothing would change any more.
    """
    for step in range(len(states) - 1, -1, -1):
        if step in fresh:
            s[fresh[step]] = choose(step, None, fresh[step])
        if earlier is not None and step % RESCALE == 0 and np.array_equal(earlier[step], s):
            return True
        states[step] = s
        if step:
            s = choose(step - 1, s, slice(None))
    return False
