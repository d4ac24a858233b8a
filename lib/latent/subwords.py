"""Subwords: frequent words are one symbol, rare ones a few, and any text can be written.

Lecture 6. A model that reads characters spends most of its work on spelling; one that reads words
knows only those it has seen. Byte-pair encoding lies between them. It starts from characters and
repeats, until there are M symbols:

    count how often each two symbols a, b stand side by side within a word,
    make the most frequent pair a new symbol ab, and write it for a, b everywhere.

To encode another text, the same merges are done in the same order. A text of T characters becomes
N <= T symbols, and since decoding gives the text back, p(text) >= p(its symbols): with

    -log2 p(symbols) / T

bits per character, a model of subwords can be compared with one of characters.

A text is cut into words first, so that no symbol reaches from one word into the next. A space
belongs to the word behind it. Gage (1994), "A new algorithm for data compression"; Sennrich, Haddow
and Birch (2016), "Neural machine translation of rare words with subword units".
"""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import pairwise

import numpy as np

from latent import checks
from latent.shapes import Int
from latent.text import WORD, Alphabet

# A word (as in `latent.text`) or a run of other marks, with the space before it; or one space.
PIECE = re.compile(rf" ?{WORD.pattern}| ?(?:[^\w\s]|_)+|\s")

Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Subwords:
    """Symbols that stand for one or more characters; `Subwords.learn` makes them from a text.

    `len(subwords)` is M.

    Parameters
    ----------
    characters : str
        A distinct characters, which are the symbols 0..A-1.
    merges : array (J, 2) of integers
        Symbol A + j stands for the two symbols in row j, both below A + j. M = A + J.

    Attributes
    ----------
    pieces : tuple of str
        The characters that each symbol stands for.

    Raises
    ------
    ValueError
        If `characters` are not those of an `Alphabet`, or `merges` is not made of pairs of symbols
        that are there already, each pair once.

    Notes
    -----
    Lecture 6, GPT.
    """

    characters: str
    merges: Int[np.ndarray, "J 2"]
    pieces: tuple[str, ...] = field(init=False, repr=False)
    _alphabet: Alphabet = field(init=False, repr=False)
    _symbols: dict[Pair, int] = field(init=False, repr=False)  # of each pair

    def __post_init__(self) -> None:
        alphabet, merges = Alphabet(self.characters), np.zeros((0, 2), int)
        if len(self.merges):
            merges = checks.integers("merges", self.merges, "J pair", low=0, pair=2)
        pieces, symbols = list(self.characters), {}
        for j, (a, b) in enumerate(merges.tolist()):
            if max(a, b) >= len(pieces):
                raise ValueError(
                    f"merges must be of symbols that are there already, got ({a}, {b}) in row {j}, "
                    f"before which there are {len(pieces)}"
                )
            if symbols.setdefault((a, b), len(pieces)) < len(pieces):
                raise ValueError(f"merges must be distinct, got ({a}, {b}) again in row {j}")
            pieces.append(pieces[a] + pieces[b])
        object.__setattr__(self, "merges", checks.frozen(merges))
        object.__setattr__(self, "pieces", tuple(pieces))
        object.__setattr__(self, "_alphabet", alphabet)
        object.__setattr__(self, "_symbols", symbols)

    @classmethod
    def learn(cls, text: str, n_symbols: int) -> "Subwords":
        """Learn symbols from a text.

        Parameters
        ----------
        text : str
            At least one character.
        n_symbols : int
            M, at least the number of distinct characters of the text. There are fewer symbols if
            before that each word of the text is one.

        Returns
        -------
        Subwords
            They can encode any text of the same characters.

        Raises
        ------
        ValueError
            If `text` is not a string or is empty, or `n_symbols` is too small.

        Notes
        -----
        Lecture 6; Sennrich, Haddow and Birch (2016), algorithm 1. Of pairs that are equally
        frequent the one with the smallest first symbol is taken, and of these the one with the
        smallest second symbol. Each distinct word is counted once, and a merge visits only the
        words that have the pair.
        """
        alphabet = Alphabet.of(text)
        n_merges = checks.whole("n_symbols", n_symbols, low=len(alphabet)) - len(alphabet)
        counts = Counter(PIECE.findall(text))
        words = [alphabet.encode(word).tolist() for word in counts]
        merges = _merges(words, [*counts.values()], len(alphabet), n_merges)
        return cls(alphabet.characters, np.array(merges, dtype=int).reshape(-1, 2))

    def __len__(self) -> int:
        """M, the number of symbols."""
        return len(self.pieces)

    def encode(self, text: str) -> Int[np.ndarray, " N"]:
        """Turn characters into symbols.

        Parameters
        ----------
        text : str
            T characters of the alphabet.

        Returns
        -------
        array (N,) of integers
            0..M-1, N at most T.

        Raises
        ------
        ValueError
            If `text` is not a string, or has a character that the alphabet lacks: the message
            names the first one and its position.
        """
        self._alphabet.encode(text)  # which complains where `text` is not of the alphabet
        words = PIECE.findall(text)
        symbols = {word: self._merged(self._alphabet.encode(word).tolist()) for word in {*words}}
        return np.array([s for word in words for s in symbols[word]], dtype=int)

    def decode(self, symbols: Int[np.ndarray, " N"]) -> str:
        """Turn symbols into characters.

        Parameters
        ----------
        symbols : array (N,) of integers
            0..M-1.

        Returns
        -------
        str
            The characters that they stand for, one behind the other.

        Raises
        ------
        ValueError
            If `symbols` is not a row of integers from 0 to M-1.
        """
        symbols = np.asarray(symbols)
        if symbols.shape == (0,):
            return ""
        symbols = checks.integers("symbols", symbols, "N", low=0, high=len(self))
        return "".join(self.pieces[s] for s in symbols.tolist())

    def _merged(self, word: list[int]) -> list[int]:
        """Do the merges in a word, the earliest first.

        What a merge makes are pairs with the new symbol, and their merges are later ones. So of
        those that are left, the earliest is always the next.
        """
        while found := [pair for pair in pairwise(word) if pair in self._symbols]:
            pair = min(found, key=self._symbols.__getitem__)
            word = _replace(word, pair, self._symbols[pair])
        return word


def _merges(
    words: list[list[int]], counts: list[int], n_characters: int, n_merges: int
) -> list[Pair]:
    """Find the pairs to merge in distinct words with counts; changes `words`."""
    total: Counter[Pair] = Counter()  # how often each pair occurs
    places: defaultdict[Pair, set[int]] = defaultdict(set)  # the words that have, or had, the pair
    for i, (word, count) in enumerate(zip(words, counts, strict=True)):
        for pair in pairwise(word):
            total[pair] += count
            places[pair].add(i)
    # The most frequent pair is on top of a heap. An entry whose count no longer holds is skipped.
    heap = [(-count, pair) for pair, count in total.items()]
    heapify(heap)
    merges: list[Pair] = []
    while heap and len(merges) < n_merges:
        count, pair = heappop(heap)
        if -count != total[pair]:
            continue
        changed: set[Pair] = set()
        for i in places[pair]:
            old, new = words[i], _replace(words[i], pair, n_characters + len(merges))
            for before in pairwise(old):
                total[before] -= counts[i]
            for after in pairwise(new):
                total[after] += counts[i]
                places[after].add(i)
            changed.update(pairwise(old), pairwise(new))
            words[i] = new
        for other in changed:
            if total[other]:
                heappush(heap, (-total[other], other))
        merges.append(pair)
    return merges


def _replace(word: list[int], pair: Pair, symbol: int) -> list[int]:
    """Write a symbol for each occurrence of a pair, from the left."""
    new, i = [], 0
    while i < len(word):
        here = word[i : i + 2] == [*pair]
        new.append(symbol if here else word[i])
        i += 1 + here
    return new
