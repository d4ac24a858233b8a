"""Pieces of words as symbols: byte-pair encoding.

Lecture 6. A GPT takes a step for each symbol. With a symbol a character, most steps are spent on
what anyone can guess, the rest of a word that has begun. With a symbol a word, rare words are
unknown. Pieces lie between: begin with the characters, find the pair of neighbours that is most
frequent, make it a new symbol, and repeat. Frequent words become one symbol, rare ones a few, and
nothing is unknown. Pairs do not reach beyond words; a space belongs to the word behind it.

A model of pieces is a model of characters: -log2 p of all pieces of a text, divided by its number
of characters, is the length of a code for the text, and compares with that of a model that reads
characters. (The probability of the text itself is larger: it can be cut in other ways too.)

R. Sennrich, B. Haddow and A. Birch (2016), "Neural machine translation of rare words with subword
units"; P. Gage (1994), "A new algorithm for data compression".
"""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import pairwise

import numpy as np

from latent import checks
from latent.shapes import Int
from latent.text import Alphabet

# A word with the space in front of it, other signs with the space in front of them, other spaces.
CHUNK = re.compile(r" ?\w+| ?[^\w\s]+|\s+")

Pair = tuple[int, int]


@dataclass(frozen=True)
class Pieces:
    """Characters and joined characters, numbered from 0; make them with `Pieces.of`.

    `len(pieces)` is M. It has the methods of `latent.text.Alphabet`.

    Parameters
    ----------
    alphabet : Alphabet
        The characters, symbols 0..N-1.
    merges : tuple of pairs of int
        Symbol N + i stands for the symbols of pair i, one behind the other.

    Attributes
    ----------
    texts : tuple of str
        What each symbol stands for.

    Raises
    ------
    ValueError
        If a pair names a symbol that comes after it, or occurs twice.
    """

    alphabet: Alphabet
    merges: tuple[Pair, ...]
    texts: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(set(self.merges)) < len(self.merges):
            raise ValueError("merges must be distinct pairs")
        texts = list(self.alphabet.characters)
        for i, (left, right) in enumerate(self.merges):
            if not (0 <= left < len(texts) and 0 <= right < len(texts)):
                raise ValueError(
                    f"merges must join symbols from 0 to {len(texts) - 1} at {i}, got "
                    f"{(left, right)}"
                )
            texts.append(texts[left] + texts[right])
        object.__setattr__(self, "texts", tuple(texts))

    @classmethod
    def of(cls, text: str, n_pieces: int) -> "Pieces":
        """Learn pieces from a text.

        Parameters
        ----------
        text : str
            At least one character.
        n_pieces : int
            M, at least the number of distinct characters. There are fewer if no pair is left.

        Returns
        -------
        Pieces
            Of pairs that are equally frequent, the one with the lower numbers is joined first.

        Raises
        ------
        ValueError
            If `text` is not a string or empty, or `n_pieces` is below the number of characters.

        Notes
        -----
        Sennrich, Haddow and Birch (2016). Words count by how often they occur; how often a pair
        does is kept up to date, and a heap gives the most frequent one, where an entry whose number
        is no longer true is passed over.
        """
        alphabet = Alphabet.of(text)
        checks.whole("n_pieces", n_pieces)
        if n_pieces < len(alphabet):
            raise ValueError(
                f"n_pieces must be at least {len(alphabet)}, the number of characters, "
                f"got {n_pieces}"
            )
        counted = Counter(CHUNK.findall(text))
        words = [alphabet.encode(word).tolist() for word in counted]
        times = list(counted.values())
        often, where = Counter(), defaultdict(set)
        for w, word in enumerate(words):
            for pair in pairwise(word):
                often[pair] += times[w]
                where[pair].add(w)
        heap = [(-n, pair) for pair, n in often.items()]
        heapify(heap)
        merges: list[Pair] = []
        while heap and len(alphabet) + len(merges) < n_pieces:
            n, best = heappop(heap)
            if often[best] != -n:
                continue
            new, changed = len(alphabet) + len(merges), set()
            merges.append(best)
            for w in where.pop(best):
                joined = _join(words[w], best, new)
                for pairs, sign in ((pairwise(words[w]), -1), (pairwise(joined), 1)):
                    for pair in pairs:
                        often[pair] += sign * times[w]
                        where[pair].add(w)
                        changed.add(pair)
                words[w] = joined
            for pair in changed:
                if often[pair] > 0:
                    heappush(heap, (-often[pair], pair))
        return cls(alphabet, tuple(merges))

    def __len__(self) -> int:
        """M, the number of pieces."""
        return len(self.texts)

    def encode(self, text: str) -> Int[np.ndarray, " T"]:
        """Cut a text into pieces: in each word, pairs are joined in the order of `merges`.

        Parameters
        ----------
        text : str
            Characters of the alphabet.

        Returns
        -------
        array (T,) of integers
            0..M-1.

        Raises
        ------
        ValueError
            If `text` is not a string, or has a character that the alphabet lacks.
        """
        characters = self.alphabet.encode(text).tolist()  # complains of unknown ones
        rank = {pair: i for i, pair in enumerate(self.merges)}
        cut: dict[str, list[int]] = {}
        symbols: list[int] = []
        for chunk in CHUNK.finditer(text):
            word = chunk.group()
            if word not in cut:
                cut[word] = self._cut(characters[chunk.start() : chunk.end()], rank)
            symbols += cut[word]
        return np.array(symbols, dtype=int)

    def decode(self, symbols: Int[np.ndarray, " T"]) -> str:
        """Turn pieces into text.

        Parameters
        ----------
        symbols : array (T,) of integers
            0..M-1.

        Returns
        -------
        str
            The text.

        Raises
        ------
        ValueError
            If `symbols` is not a row of integers from 0 to M-1.
        """
        symbols = np.asarray(symbols)
        if symbols.shape == (0,):
            return ""
        symbols = checks.integers("symbols", symbols, "T", low=0, high=len(self))
        return "".join(self.texts[s] for s in symbols)

    def _cut(self, word: list[int], rank: dict[Pair, int]) -> list[int]:
        while pairs := [pair for pair in pairwise(word) if pair in rank]:
            first = min(pairs, key=rank.__getitem__)
            word = _join(word, first, len(self.alphabet) + rank[first])
        return word


def _join(word: list[int], pair: Pair, new: int) -> list[int]:
    """Put a new symbol in place of a pair, from the left."""
    result: list[int] = []
    i = 0
    while i < len(word):
        if tuple(word[i : i + 2]) == pair:
            result.append(new)
            i += 2
        else:
            result.append(word[i])
            i += 1
    return result
