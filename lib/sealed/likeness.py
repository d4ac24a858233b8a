"""Hand-ins that are more alike than chance: pairs to look at, not verdicts.

Each answer becomes a set of *phrases*: runs of `LENGTH` tokens, without comments, layout and the
names that the student chose. What students were given does not count. A phrase that few share
weighs 1, one that half of them wrote weighs nothing, so an answer that could hardly be written
otherwise makes nobody suspicious, and short ones do not either. Two hand-ins are alike by the
weight of the phrases in both, as a share of the smaller one's:

    likeness(i, j) = sum of w over P_i and P_j / min(sum of w over P_i, sum of w over P_j)

Phrases are sets, so the order of functions and of most statements does not matter. All pairs of all
hand-ins are one product of a sparse matrix, in SciPy: an edit distance (RapidFuzz) would compare
each pair anew, depend on order, and know nothing of what is rare. (copydetect, which compares
phrases too, rates neither, and takes minutes for a thousand.)
"""

import builtins
import keyword
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from scipy import sparse

LENGTH = 7  # tokens in a phrase
_POWERS = np.array([pow(6364136223846793005, i, 2**64) for i in range(LENGTH)], dtype=np.uint64)
LIKE, EVIDENCE = 0.7, 30.0  # a pair is reported from here on

_CODE = re.compile(
    r"""
    (?P<layout> \s+ | \#[^\n]* | \\\n )
  | (?P<text> (?i:[rbfut]{0,2}) (?: \"{3}(?s:.*?)\"{3} | '{3}(?s:.*?)'{3}
                                  | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' ) )
  | (?P<number> \.?\d (?: [eE][+-]?\d | [\w.] )* )
  | (?P<name> [^\W\d]\w* )
  | (?P<operator> [-+*/%@&|^~<>=!:]= | \*\* | // | -> | . )
    """,
    re.VERBOSE,
)
_KEPT = frozenset(keyword.kwlist) | frozenset(dir(builtins))  # names that nobody chooses


Token = tuple[str, int]  # a token, and where it begins


class Pair(NamedTuple):
    """Two hand-ins that are alike.

    Attributes
    ----------
    first, second : str
        The students, in order.
    cell : str
        Which answer; empty for all of a hand-in together.
    likeness : float
        From `LIKE` to 1: the share of the smaller one that both have, by weight.
    evidence : float
        The weight itself: how many phrases they share that nobody else has, as it were.
    """

    first: str
    second: str
    cell: str
    likeness: float
    evidence: float


def code_tokens(source: str) -> list[Token]:
    """Return the tokens of Python code, right or wrong, with the chosen names made equal."""
    tokens, before = [], ""
    for match in _CODE.finditer(source):
        kind = match.lastgroup
        if kind == "layout":
            continue
        text = match[0]
        if kind == "name" and text not in _KEPT and before != ".":
            text = "name"
        elif kind == "text":
            text = "text"
        tokens.append((text, match.start()))
        before = text
    return tokens


def prose_tokens(source: str) -> list[Token]:
    """Return the words and signs of Markdown, in small letters."""
    return [(match[0].casefold(), match.start()) for match in re.finditer(r"\w+|[^\w\s]", source)]


def phrases(tokens: Sequence[Token]) -> np.ndarray:
    """Return a number for each run of `LENGTH` tokens, equal for equal runs in this process."""
    if len(tokens) < LENGTH:
        return np.zeros(0, dtype=np.uint64)
    words = np.array([hash(text) for text, _ in tokens]).astype(np.uint64)
    # a polynomial modulo 2^64: two different runs meet once in 10^19
    return np.lib.stride_tricks.sliding_window_view(words, LENGTH) @ _POWERS


def shared_lines(
    source: str, tokens: Sequence[Token], other: Sequence[Token], given: Iterable[Sequence[Token]]
) -> set[int]:
    """Return the lines (from 0) of an answer with phrases that another has and nobody was given."""
    mine = phrases(tokens)
    common = np.isin(mine, phrases(other)) & ~np.isin(mine, _union(map(phrases, given)))
    return {
        source.count("\n", 0, start)
        for i in np.flatnonzero(common).tolist()
        for _, start in tokens[i : i + LENGTH]
    }


def _union(arrays: Iterable[np.ndarray]) -> np.ndarray:
    return np.unique(np.concatenate([np.zeros(0, dtype=np.uint64), *arrays]))


def alike(
    hand_ins: Mapping[str, Mapping[str, Sequence[Token]]], given: Iterable[Sequence[Token]] = ()
) -> list[Pair]:
    """Return the pairs of hand-ins that are suspiciously alike, the most alike first.

    Parameters
    ----------
    hand_ins
        The tokens of each student's answers, by student and by the name of the cell.
    given
        Tokens of what students were given, cell by cell.

    Returns
    -------
    list of Pair
        For all of a hand-in (its `cell` is empty), then for single answers.
    """
    students = sorted(hand_ins)
    known = _union(map(phrases, given))
    cells = list(dict.fromkeys(chain.from_iterable(hand_ins.values())))
    by_cell = {
        cell: [_union([phrases(hand_ins[student].get(cell, ()))]) for student in students]
        for cell in cells
    }
    together = [_union(sets) for sets in zip(*by_cell.values(), strict=True)]
    found = []
    for cell, sets in [("", together), *by_cell.items()]:
        pairs = [
            Pair(students[i], students[j], cell, likeness, evidence)
            for i, j, likeness, evidence in _pairs(sets, known)
        ]
        found += sorted(pairs, key=lambda pair: (-pair.likeness, -pair.evidence, pair[:2]))
    return found


def _pairs(sets: list[np.ndarray], known: np.ndarray) -> list[tuple[int, int, float, float]]:
    """Return the pairs (i < j) of sets that are alike, with likeness and evidence."""
    if not any(map(len, sets)):
        return []
    vocabulary, columns = np.unique(np.concatenate(sets), return_inverse=True)
    starts = np.cumsum([0, *map(len, sets)])
    has = sparse.csr_array(
        (np.ones(len(columns)), columns, starts), shape=(len(sets), len(vocabulary))
    )
    counts = np.bincount(columns, minlength=len(vocabulary))
    weight = np.where(np.isin(vocabulary, known), 0.0, _weights(counts, len(sets)))
    total = has @ weight
    telling = (counts > 1) & (weight > 0)
    rare = has[:, telling] * np.sqrt(weight[telling])
    shared = sparse.triu(rare @ rare.T, k=1).tocoo()
    likeness = shared.data / np.maximum(np.minimum(total[shared.row], total[shared.col]), 1e-9)
    keep = (likeness >= LIKE) & (shared.data >= EVIDENCE)
    return [
        (int(i), int(j), float(min(1.0, like)), float(evidence))
        for i, j, like, evidence in zip(
            shared.row[keep], shared.col[keep], likeness[keep], shared.data[keep], strict=True
        )
    ]


def _weights(counts: np.ndarray, n_hand_ins: int) -> np.ndarray:
    """Return the weight of phrases that so many hand-ins have: 1 for two, 0 for half of them."""
    half = max(n_hand_ins / 2, 4.0)
    return np.clip(np.log(half / counts) / math.log(half / 2), 0.0, 1.0)
