"""Does AdaGram tell senses apart? `python -m benchmarks.adagram_senses` prints a table.

Two words are merged into one: each time that either stands in the text, "man+day" is put in its
place. The model learns from that text alone, without the words that stood there. Then each sense
goes to one of the two words, the one whose occurrences have more of it in one half of the
occurrences, and in the other half an occurrence is told to be the word whose senses are more
probable. Both halves take both parts. The figures are the share that is told rightly, and the mean
of this share over the two words (balanced); the majority is the share of the more frequent word.
All ten pairs are merged at once; "alone" is the first pair merged alone.

Three ceilings stand beside it, all of which are told which word it was, in one half of the
occurrences, and are measured in the other:

- logistic regression and naive Bayes on the same neighbours, in any order, as AdaGram sees them;
- logistic regression on neighbours with their positions, which AdaGram does not see;

and AdaGram trained on the text before the merging, so told the words everywhere: an occurrence goes
to the word that gives its neighbours more probability. It has seen what it is measured on.

The pairs are chosen by rule. *Nouns*: ten fields of meaning, in each the two most frequent nouns
that occur from 200 to 1000 times, that are seldom verbs or adjectives, and that are no names or
titles; listed by frequency, each is paired with the next one of another field. *Words*: all
words of three or more letters that occur from 200 to 1000 times, are seldom written with a capital
letter and are not in scikit-learn's list of stop words; listed by frequency and taken in twos, of
which ten are drawn. The *topics* are an artificial text of known senses: see `topics`.
"""

import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB

from latent.adagram import AdaGram, Occurrences
from latent.data import austen
from latent.text import words as split

Pair = tuple[str, str]

FIELDS = {
    "family": ("sister", "father"),
    "people": ("man", "friend"),
    "time": ("day", "moment"),
    "buildings": ("room", "house"),
    "feelings": ("feelings", "heart"),
    "body": ("eyes", "hand"),
    "writing": ("letter", "word"),
    "society": ("party", "acquaintance"),
    "places": ("world", "town"),
    "mind": ("mind", "opinion"),
}
RARE, FREQUENT = 200, 1000
SETTINGS = {"n_senses": 10, "n_dims": 40, "window": 2, "alpha": 5.0, "min_count": 10, "passes": 4}


class Told(NamedTuple):
    """How often the occurrences of a pair are told rightly, from 0 to 1.

    Attributes
    ----------
    accuracy : float
        Share of the occurrences.
    balanced : float
        Mean of the shares of the two words.
    """

    accuracy: float
    balanced: float


class Study(NamedTuple):
    """Figures of a text with merged pairs.

    Attributes
    ----------
    pairs : list of pairs
        The merged words.
    told : list of Told
        AdaGram, a pair.
    majority, naive_bayes, logistic, positions, labelled : list of float
        Accuracy of the baseline and of the ceilings, a pair.
    in_use : list of int
        Number of senses in use of each merged word.
    n_words : int
        Length of the text.
    seconds, cpu_seconds : float
        Of AdaGram's training, by the clock and of the processor.
    """

    pairs: list[Pair]
    told: list[Told]
    majority: list[float]
    naive_bayes: list[float]
    logistic: list[float]
    positions: list[float]
    labelled: list[float]
    in_use: list[int]
    n_words: int
    seconds: float
    cpu_seconds: float


def noun_pairs(words: Sequence[str]) -> list[Pair]:
    """Pair the nouns of `FIELDS`, neighbours in frequency and of different fields.

    Parameters
    ----------
    words : sequence of str
        The text.

    Returns
    -------
    list of pairs
        Ten, the most frequent first.
    """
    counts = Counter(words)
    field = {noun: name for name, nouns in FIELDS.items() for noun in nouns}
    left = sorted(field, key=lambda noun: (-counts[noun], noun))
    pairs = []
    while left:
        one = left.pop(0)
        other = next(noun for noun in left if field[noun] != field[one])
        left.remove(other)
        pairs.append((one, other))
    return pairs


def word_pairs(text: str, n_pairs: int, rng: np.random.Generator) -> list[Pair]:
    """Draw pairs of content words of any kind and of similar frequency.

    Parameters
    ----------
    text : str
        With its capital letters.
    n_pairs : int
        How many.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    list of pairs
        The most frequent first.
    """
    capitals = Counter(re.findall(r"\b[A-Z][a-z]+", text))
    content = [
        word
        for word, count in Counter(split(text)).most_common()
        if RARE <= count <= FREQUENT
        and len(word) > 2
        and word not in ENGLISH_STOP_WORDS
        and capitals[word.capitalize()] < count / 2
    ]
    drawn = np.sort(rng.choice(len(content) // 2, n_pairs, replace=False))
    return [(content[2 * i], content[2 * i + 1]) for i in drawn]


def topics(n_words: int, n_topics: int, rng: np.random.Generator) -> tuple[list[str], list[Pair]]:
    """Make a text of passages on topics, and pairs of words of different topics.

    A passage is 20 words on one topic. A word of it is one of the topic's own 100 words with
    probability one half, and otherwise one of 300 that all topics share; the word of rank r has a
    probability proportional to 1 / (r + 2).

    Parameters
    ----------
    n_words : int
        Length of the text, a multiple of 20.
    n_topics : int
        Number of topics, even.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    words : list of str
        The text.
    pairs : list of pairs
        The most frequent words of topics 0 and 1, of 2 and 3, and so on.
    """
    topic = np.repeat(rng.integers(n_topics, size=n_words // 20), 20)
    own = rng.random(len(topic)) < 0.5
    ranks = [
        rng.choice(size, len(topic), p=weights / weights.sum())
        for size, weights in ((n, 1 / (np.arange(n) + 2)) for n in (100, 300))
    ]
    own_names = np.array([[f"topic{t}word{r}" for r in range(100)] for t in range(n_topics)])
    common_names = np.array([f"common{r}" for r in range(300)])
    words = np.where(own, own_names[topic, ranks[0]], common_names[ranks[1]])
    pairs = [(f"topic{t}word0", f"topic{t + 1}word0") for t in range(0, n_topics, 2)]
    return words.tolist(), pairs


def merge(words: Sequence[str], pairs: Sequence[Pair]) -> list[str]:
    """Put "a+b" in the place of each a and b.

    Parameters
    ----------
    words : sequence of str
        The text.
    pairs : sequence of pairs
        a and b; no word is in two pairs.

    Returns
    -------
    list of str
        As long as `words`.
    """
    merged = {word: "+".join(pair) for pair in pairs for word in pair}
    return [merged.get(word, word) for word in words]


def study(words: Sequence[str], pairs: Sequence[Pair], *, seed: int = 0, **settings: Any) -> Study:
    """Merge pairs, train, tell the occurrences apart, and measure the ceilings.

    Parameters
    ----------
    words : sequence of str
        The text before the merging.
    pairs : sequence of pairs
        Words to merge.
    seed : int
        Of the training and of the halves.
    **settings
        Of `AdaGram.fit`, instead of `SETTINGS`.

    Returns
    -------
    Study
        All figures.
    """
    settings = {**SETTINGS, **settings}
    merged = merge(words, pairs)
    clock, cpu = time.perf_counter(), time.process_time()
    model = AdaGram.fit(merged, rng=np.random.default_rng(seed), **settings).model
    seconds, cpu_seconds = time.perf_counter() - clock, time.process_time() - cpu
    labelled = AdaGram.fit(words, rng=np.random.default_rng(seed), **settings).model

    rows = []
    for a, b in pairs:
        occurrences, is_b = _occurrences(model, merged, words, (a, b))
        halves = _halves(len(is_b), seed)
        q = model.responsibilities(occurrences)
        bag, placed = _features(occurrences, len(model.vocabulary))
        logistic = LogisticRegression(C=0.5, max_iter=1000)
        rows.append(
            (
                told_apart(q, is_b, halves),
                max(is_b.mean(), 1 - is_b.mean()),
                _supervised(BernoulliNB(alpha=0.3), bag, is_b, halves),
                _supervised(logistic, bag, is_b, halves),
                _supervised(logistic, placed, is_b, halves),
                _told_by_labelled(labelled, words, (a, b)),
                len(model.senses(f"{a}+{b}").senses),
            )
        )
    return Study(list(pairs), *map(list, zip(*rows, strict=True)), len(words), seconds, cpu_seconds)


def told_apart(
    q: np.ndarray, is_b: np.ndarray, halves: Sequence[tuple[np.ndarray, np.ndarray]]
) -> Told:
    """Give each sense to a word in one half of the occurrences, and measure in the other.

    Parameters
    ----------
    q : array (n, K)
        Probabilities of the senses of each occurrence.
    is_b : array (n,) of bool
        Whether the second word of the pair stood there.
    halves : sequence of pairs of arrays
        Occurrences to learn the mapping from, and to measure with.

    Returns
    -------
    Told
        Means over the halves.
    """
    figures = []
    for learn, test in halves:
        of_b = q[learn][is_b[learn]].sum(axis=0) > q[learn][~is_b[learn]].sum(axis=0)
        right = (q[test] @ of_b > 0.5) == is_b[test]
        figures.append((right.mean(), (right[is_b[test]].mean() + right[~is_b[test]].mean()) / 2))
    return Told(*np.mean(figures, axis=0).tolist())


def table(studies: dict[str, Study]) -> str:
    """Write the means of some studies, and each pair of them, as Markdown.

    Parameters
    ----------
    studies : dict of Study
        By name.

    Returns
    -------
    str
        Shares in per cent.
    """
    columns = (
        "AdaGram | balanced | majority | naive Bayes | logistic | with positions | told the words"
    )
    lines = [
        f"| text | words | {columns} | senses | training, s | CPU, s |",
        "|---|" + "---:|" * 11,
    ]
    for name, of in studies.items():
        means = np.mean(_columns(of), axis=0)
        lines.append(
            f"| {name} | {of.n_words} | {_percents(means)} | {np.mean(of.in_use):.1f} "
            f"| {of.seconds:.0f} | {of.cpu_seconds:.0f} |"
        )
    for name, of in studies.items():
        lines += ["", f"| {name}: pair | {columns} | senses |", "|---|" + "---:|" * 8]
        for pair, row, in_use in zip(of.pairs, _columns(of), of.in_use, strict=True):
            lines.append(f"| {', '.join(pair)} | {_percents(row)} | {in_use} |")
    return "\n".join(lines)


def main() -> int:
    """Run the studies and print the table.

    Returns
    -------
    int
        Exit status.
    """
    text = austen()
    words = split(text)
    nouns = noun_pairs(words)
    artificial, artificial_pairs = topics(1_500_000, 20, np.random.default_rng(0))
    cases = {
        "nouns": (words, nouns, {}),
        "alone": (words, nouns[:1], {}),
        "words": (words, word_pairs(text, 10, np.random.default_rng(0)), {}),
        "topics": (artificial, artificial_pairs, {"passes": 3}),
    }
    studies = {}
    for name, (of, pairs, settings) in cases.items():
        print(f"{name}: {', '.join('+'.join(pair) for pair in pairs)}", file=sys.stderr)
        studies[name] = study(of, pairs, **settings)
        print(f"  {np.mean([told.accuracy for told in studies[name].told]):.3f}", file=sys.stderr)
    print(table(studies))
    return 0


def _occurrences(
    model: AdaGram, merged: Sequence[str], words: Sequence[str], pair: Pair
) -> tuple[Occurrences, np.ndarray]:
    """Occurrences of a merged pair, and whether the second word stood there."""
    known = set(model.vocabulary.tolist())
    found = model.occurrences(merged)
    originals = np.array([word for word, new in zip(words, merged, strict=True) if new in known])
    rows = np.isin(originals, pair)
    return Occurrences(*(part[rows] for part in found)), originals[rows] == pair[1]


def _halves(n: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    order = np.random.default_rng(seed).permutation(n)
    return [(order[::2], order[1::2]), (order[1::2], order[::2])]


def _features(occurrences: Occurrences, V: int) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Counts of the neighbours, without and with their positions."""
    n, J = occurrences.contexts.shape
    row, place = np.nonzero(occurrences.contexts >= 0)
    word, one = occurrences.contexts[row, place], np.ones(len(row))
    bag = sparse.csr_array((one, (row, word)), shape=(n, V))
    placed = sparse.csr_array((one, (row, word + V * place)), shape=(n, V * J))
    return bag, placed


def _supervised(
    classifier: Any,
    x: sparse.csr_array,
    is_b: np.ndarray,
    halves: Sequence[tuple[np.ndarray, np.ndarray]],
) -> float:
    scores = [classifier.fit(x[a], is_b[a]).score(x[b], is_b[b]) for a, b in halves]
    return float(np.mean(scores))


def _told_by_labelled(model: AdaGram, words: Sequence[str], pair: Pair) -> float:
    """Accuracy of the word that gives an occurrence more probability, its frequency included."""
    places = [model.vocabulary.tolist().index(word) for word in pair]
    found = model.occurrences(words)
    rows = np.isin(found.words, places)
    contexts, is_b = found.contexts[rows], found.words[rows] == places[1]
    evidence = [
        np.logaddexp.reduce(
            model.log_joint(Occurrences(np.full(len(contexts), v), contexts)), axis=1
        )
        + np.log(model.word_counts[v])
        for v in places
    ]
    return float(((evidence[1] > evidence[0]) == is_b).mean())


def _columns(of: Study) -> list[tuple[float, ...]]:
    return [
        (*told, *others)
        for told, *others in zip(
            of.told,
            of.majority,
            of.naive_bayes,
            of.logistic,
            of.positions,
            of.labelled,
            strict=True,
        )
    ]


def _percents(row: Sequence[float]) -> str:
    return " | ".join(f"{100 * value:.1f}" for value in row)


if __name__ == "__main__":
    sys.exit(main())
