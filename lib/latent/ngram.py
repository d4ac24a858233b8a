"""Smoothed n-gram models of a sequence of symbols: what a better model has to beat.

Of all symbols before x_t, an n-gram model looks at the last n - 1 only. Call them the context u,
and u' the context without its oldest symbol. Most long contexts are rare, so the model of order n
is mixed with the one of order n - 1, that with n - 2, and so on down to the uniform distribution:

    p_k(s | u) = a_k(u s) + b_k(u) p_{k-1}(s | u'),      p_0(s) = 1 / M.

With c(u s) how often s follows u, c(u) = sum_s c(u s), and d(u) the number of distinct symbols that
follow u, `witten_bell` takes

    a(u s) = c(u s) / (c(u) + d(u)),      b(u) = d(u) / (c(u) + d(u)):

the more different symbols a context was followed by, the more likely a new one. `kneser_ney` takes

    a(u s) = (c(u s) - D(c(u s))) / c(u),      b(u) = sum_s D(c(u s)) / c(u),

where below order n the count of a k-gram is not how often it occurs but how many distinct symbols
it comes after, since the lower order is asked only where the higher one knows nothing. A context
that was never followed by anything has a = 0, b = 1.

A k-gram is known by its number: its place in the sorted list of the pairs (number of the context u,
symbol s). So each order takes one sort, and numbers stay below T M, whatever the order.

I. H. Witten and T. C. Bell (1991), "The zero-frequency problem", IEEE Transactions on Information
Theory 37, method C; T. C. Bell, J. G. Cleary and I. H. Witten (1990), *Text Compression*; R. Kneser
and H. Ney (1995), "Improved backing-off for m-gram language modeling"; S. F. Chen and J. Goodman
(1999), "An empirical study of smoothing techniques for language modeling", Computer Speech and
Language 13.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from latent import checks
from latent.shapes import Float, Int


class Level(NamedTuple):
    """One order k of a model.

    Attributes
    ----------
    codes : array (E,) of integers
        Number of u times M, plus s, of each k-gram u s that was seen, in increasing order. Its
        place in this list is the number of u s.
    a : array (E + 1,)
        a_k(u s) by the number of u s; the last entry is 0, for those never seen (number -1).
    b : array (C + 1,)
        b_k(u) by the number of u; the last entry is 1, for those never seen (number -1).
    """

    codes: Int[np.ndarray, " E"]
    a: Float[np.ndarray, " E1"]
    b: Float[np.ndarray, " C1"]


@dataclass(frozen=True, eq=False)
class NGram:
    """A smoothed n-gram model, made by `witten_bell` or `kneser_ney`.

    Parameters
    ----------
    n_symbols : int
        M; the symbols are 0..M-1.
    levels : tuple of Level
        Orders 1 to n.
    """

    n_symbols: int
    levels: tuple[Level, ...]

    def log_likelihood(self, x: Int[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
        """Log probability ln p(x_t | x_{t-n+1}..x_{t-1}) of each symbol given those before it.

        Parameters
        ----------
        x : array (T,) of integers
            Symbols 0..M-1. The first n - 1 have shorter contexts.

        Returns
        -------
        array (T,)
            In nats. It is never -inf.

        Raises
        ------
        ValueError
            If `x` is not a row of symbols.
        """
        x = checks.integers("x", x, "T", low=0, high=self.n_symbols)
        p = np.full(len(x), 1 / self.n_symbols)
        context = np.zeros(len(x), dtype=int)  # the empty one has the number 0
        for level in self.levels:
            gram = self._number(level, context, x)
            p = level.a[gram] + level.b[context] * p
            context = np.concatenate([[-1], gram[:-1]])  # the k-gram that ends before t
        return np.log(p)

    def bits_per_symbol(self, x: Int[np.ndarray, " T"]) -> float:
        """Mean code length of a sequence, -(1/T) sum_t log2 p(x_t | x_{t-n+1}..x_{t-1}).

        Parameters
        ----------
        x : array (T,) of integers
            Symbols 0..M-1.

        Returns
        -------
        float
            Bits a symbol; log2 M for a model that knows nothing.

        Raises
        ------
        ValueError
            As for `log_likelihood`.
        """
        return float(-self.log_likelihood(x).mean() / np.log(2))

    def probabilities(self, context: Int[np.ndarray, " T"]) -> Float[np.ndarray, " M"]:
        """Distribution of the next symbol, p(s | context).

        Parameters
        ----------
        context : array (T,) of integers
            Symbols 0..M-1, of which the last n - 1 count; it may be empty.

        Returns
        -------
        array (M,)
            It sums to one and has no zero.

        Raises
        ------
        ValueError
            If `context` is not a row of symbols.
        """
        x = np.asarray(context)
        if x.shape != (0,):
            x = checks.integers("context", x, "T", low=0, high=self.n_symbols)
        x = x[max(0, len(x) - len(self.levels) + 1) :].astype(int)
        p = np.full(self.n_symbols, 1 / self.n_symbols)
        before = np.zeros(len(x) + 1, dtype=int)  # as in `log_likelihood`; the last one is u
        for level in self.levels:
            gram = self._number(level, before[-1:], np.arange(self.n_symbols))
            p = level.a[gram] + level.b[before[-1:]] * p
            before = np.concatenate([[-1], self._number(level, before[:-1], x)])
        return p

    def sample(self, n_steps: int, rng: np.random.Generator) -> Int[np.ndarray, " T"]:
        """Draw a sequence, each symbol given those before it.

        Parameters
        ----------
        n_steps : int
            T.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        array (T,) of integers
            0..M-1.

        Raises
        ------
        ValueError
            If `n_steps` is below one or `rng` is not a generator.
        """
        n_steps, rng = checks.whole("n_steps", n_steps), checks.generator(rng)
        x = np.zeros(n_steps, dtype=int)
        for t in range(n_steps):
            context = x[max(0, t - len(self.levels) + 1) : t]
            x[t] = rng.choice(self.n_symbols, p=self.probabilities(context))
        return x

    def _number(
        self, level: Level, context: Int[np.ndarray, " #T"], s: Int[np.ndarray, " T"]
    ) -> Int[np.ndarray, " T"]:
        """Number of the k-gram u s, or -1 if it was never seen."""
        code = context * self.n_symbols + s  # below 0, and so in no list, if u was never seen
        place = np.minimum(np.searchsorted(level.codes, code), len(level.codes) - 1)
        return np.where(level.codes[place] == code, place, -1)


def witten_bell(x: Int[np.ndarray, " T"], n_symbols: int, order: int) -> NGram:
    """Fit an n-gram model with interpolated Witten-Bell smoothing.

    Parameters
    ----------
    x : array (T,) of integers
        Symbols 0..M-1 to learn from.
    n_symbols : int
        M.
    order : int
        n, from 1 (no context) to T.

    Returns
    -------
    NGram
        The model.

    Raises
    ------
    ValueError
        If `x` is not a row of symbols, or an integer is out of range.

    Notes
    -----
    Method C of Bell, Cleary and Witten (1990); interpolated as in Chen and Goodman (1999), section
    2.5.
    """
    x, n_symbols, order = _checked(x, n_symbols, order)
    levels = []
    for grams in _count(x, n_symbols, order):
        c, d = grams.sum_by_context(grams.counts), grams.sum_by_context(np.ones(len(grams.counts)))
        a = grams.counts / (c + d)[grams.contexts]
        levels.append(grams.level(a, d, c + d))
    return NGram(n_symbols, tuple(levels))


def kneser_ney(x: Int[np.ndarray, " T"], n_symbols: int, order: int) -> NGram:
    """Fit an n-gram model with interpolated modified Kneser-Ney smoothing.

    Parameters
    ----------
    x : array (T,) of integers
        Symbols 0..M-1 to learn from.
    n_symbols : int
        M.
    order : int
        n, from 1 (no context) to T.

    Returns
    -------
    NGram
        The model.

    Raises
    ------
    ValueError
        If `x` is not a row of symbols, or an integer is out of range.

    Notes
    -----
    Chen and Goodman (1999), section 3. Each order has its own discounts. With n_j k-grams of count
    j, and Y = n_1 / (n_1 + 2 n_2),

        D(0) = 0, D(1) = 1 - 2 Y n_2 / n_1, D(2) = 2 - 3 Y n_3 / n_2, D(3+) = 3 - 4 Y n_4 / n_3.

    If one of the last three is not above zero, or an n_j is zero, they are 1/2, 1 and 3/2 at this
    order: so it is for single characters, few of which are rare.
    """
    x, n_symbols, order = _checked(x, n_symbols, order)
    grams = list(_count(x, n_symbols, order))
    for lower, higher in pairwise(grams):
        # each k-gram counts once for each (k+1)-gram that ends in it
        lower.counts[:] = np.bincount(higher.suffixes, minlength=len(lower.counts))
    levels = []
    for g in grams:
        discounts = _discounts(g.counts)[np.minimum(g.counts, 3)]
        c = g.sum_by_context(g.counts)
        a = (g.counts - discounts) / np.maximum(c, 1)[g.contexts]
        levels.append(g.level(a, g.sum_by_context(discounts), c))
    return NGram(n_symbols, tuple(levels))


class _Grams(NamedTuple):
    """The distinct k-grams u s of a sequence, by number."""

    codes: Int[np.ndarray, " E"]
    counts: Int[np.ndarray, " E"]
    contexts: Int[np.ndarray, " E"]  # number of u
    suffixes: Int[np.ndarray, " E"]  # number of u s without its oldest symbol
    n_contexts: int

    def sum_by_context(self, value: np.ndarray) -> Float[np.ndarray, " C"]:
        """Sum over s of what belongs to u s."""
        return np.bincount(self.contexts, value, minlength=self.n_contexts)

    def level(self, a: np.ndarray, numerator: np.ndarray, denominator: np.ndarray) -> Level:
        """Return a and b = numerator / denominator, with the entries for what was never seen."""
        b = np.ones(self.n_contexts + 1)
        np.divide(numerator, denominator, out=b[:-1], where=denominator > 0)
        return Level(checks.frozen(self.codes), checks.frozen(np.append(a, 0)), checks.frozen(b))


def _checked(x: object, n_symbols: int, order: int) -> tuple[np.ndarray, int, int]:
    n_symbols = checks.whole("n_symbols", n_symbols)
    x = checks.integers("x", x, "T", low=0, high=n_symbols)
    return x, n_symbols, checks.whole("order", order, high=len(x), why=", the length of x")


def _count(x: Int[np.ndarray, " T"], M: int, order: int) -> list[_Grams]:
    """Count the k-grams of x for k = 1..order."""
    context, suffix, n_contexts = np.zeros(len(x), dtype=int), np.zeros(len(x), dtype=int), 1
    grams = []
    for k in range(order):
        # number of the k-gram that ends at t = k, k + 1, ..., by those of its parts
        codes, first, number, counts = np.unique(
            context * M + x[k:], return_index=True, return_inverse=True, return_counts=True
        )
        grams.append(_Grams(codes, counts, codes // M, suffix[first], n_contexts))
        context, suffix, n_contexts = number[:-1], number[1:], len(codes)
    return grams


def _discounts(counts: Int[np.ndarray, " E"]) -> Float[np.ndarray, "4"]:
    """D(0), D(1), D(2), D(3+)."""
    n = np.bincount(counts, minlength=5)[1:5]
    if (n > 0).all():
        j, Y = np.arange(1, 4), n[0] / (n[0] + 2 * n[1])
        D = j - (j + 1) * Y * n[1:] / n[:-1]
        if (D > 0).all():
            return np.append(0, D)
    return np.array([0, 0.5, 1, 1.5])
