"""Transformers on real tasks: `python -m benchmarks.language` trains a GPT and a Seq2Seq.

The GPT reads the novels of Jane Austen but for the last tenth, and is measured on that tenth, in
bits per character, beside smoothed n-gram models of characters. Its symbols are subwords, learned
from the same nine tenths; the code length of all symbols of the held-out text is divided by its
number of characters.

The Seq2Seq turns dates in words into dates in numbers. Every tenth day of two centuries is kept for
the test, in all ways of writing it, so that no day of the test was seen in training.

Times are of the whole training, with the learning of the subwords.
"""

import datetime
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from latent.adam import Adam
from latent.data import austen
from latent.gpt import GPT, windows
from latent.muon import Muon
from latent.ngram import kneser_ney, witten_bell
from latent.schedules import cosine, linear
from latent.seq2seq import Seq2Seq, pad
from latent.subwords import Subwords
from latent.text import Alphabet, hold_out
from latent.training import train

ORDERS = range(1, 7)


class Language(NamedTuple):
    """A GPT trained on a text, and what it is worth.

    Attributes
    ----------
    model : GPT
        The model.
    subwords : Subwords
        Its symbols.
    bits : float
        Bits per character on the held-out text.
    seconds, cpu_seconds : float
        Time of the training, on the wall and of all threads.
    trace : array (n_steps,)
        Loss of each step, in nats a symbol.
    """

    model: GPT
    subwords: Subwords
    bits: float
    seconds: float
    cpu_seconds: float
    trace: np.ndarray


class Translation(NamedTuple):
    """A Seq2Seq trained on dates, and what it is worth.

    Attributes
    ----------
    model : Seq2Seq
        The model.
    source, target : Alphabet
        Its symbols.
    right : float
        Share of unseen dates that it writes without a mistake.
    seconds, cpu_seconds : float
        Time of the training, on the wall and of all threads.
    trace : array (n_steps,)
        Loss of each step, in nats a symbol.
    """

    model: Seq2Seq
    source: Alphabet
    target: Alphabet
    right: float
    seconds: float
    cpu_seconds: float
    trace: np.ndarray


def ngrams(text: str) -> dict[tuple[str, int], float]:
    """Measure smoothed n-gram models of characters.

    Parameters
    ----------
    text : str
        The text; its last tenth is held out.

    Returns
    -------
    dict
        Bits per character on the held-out part, by kind and order.
    """
    alphabet = Alphabet.of(text)
    seen, held_out = (alphabet.encode(part) for part in hold_out(text))
    return {
        (name, n): fit(seen, len(alphabet), n).bits_per_symbol(held_out)
        for name, fit in (("Witten-Bell", witten_bell), ("Kneser-Ney", kneser_ney))
        for n in ORDERS
    }


def bits_per_character(model: GPT, subwords: Subwords, text: str) -> float:
    """Return the code length of a text, cut into subwords, per character.

    Parameters
    ----------
    model : GPT
        A model of the subwords.
    subwords : Subwords
        Its symbols.
    text : str
        The text.

    Returns
    -------
    float
        Bits.
    """
    nats = -model.log_likelihood(subwords.encode(text)).sum()
    return float(nats / np.log(2) / len(text))


def train_gpt(
    text: str,
    *,
    n_symbols: int = 2048,
    width: int = 128,
    n_heads: int = 4,
    n_layers: int = 3,
    context: int = 64,
    size: int = 16,
    steps: int = 2500,
    rate: float = 5e-3,
    workers: int = 2,
    seed: int = 0,
    checkpoint: Path | None = None,
    progress: bool = False,
) -> Language:
    """Train a GPT on all but the last tenth of a text.

    Parameters
    ----------
    text : str
        The text.
    n_symbols, width, n_heads, n_layers, context : int
        Sizes of the model.
    size, steps : int
        Windows in a batch, and number of batches.
    rate : float
        Largest learning rate.
    workers : int
        Threads.
    seed : int
        Seed of all that is random.
    checkpoint : path or None
        As for `latent.train`; the times are then those of the last part.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    Language
        The model and its bits per character.
    """
    start = time.perf_counter(), time.process_time()
    seen, held_out = hold_out(text)
    subwords = Subwords.learn(seen, n_symbols)
    rng = np.random.default_rng(seed)
    model = GPT.init(
        vocabulary=len(subwords),
        width=width,
        n_heads=n_heads,
        n_layers=n_layers,
        context=context,
        rng=rng,
    )
    trained = train(
        model,
        windows(subwords.encode(seen), context, size, rng),
        steps=steps,
        rng=rng,
        optimiser=Muon(size=0.4, adam=Adam(b2=0.99, clip=1.0, workers=workers)),
        rate=linear(rate, steps, warmup=steps // 20),
        checkpoint=checkpoint,
        progress=progress,
    )
    seconds, cpu_seconds = time.perf_counter() - start[0], time.process_time() - start[1]
    bits = bits_per_character(trained.model, subwords, held_out)
    return Language(trained.model, subwords, bits, seconds, cpu_seconds, trained.trace)


# ---- dates in words and in numbers

FIRST, LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WAYS: tuple[Callable[[datetime.date], str], ...] = (
    lambda d: f"{WEEKDAYS[d.weekday()]}, {MONTHS[d.month - 1]} {d.day} {d.year}",
    lambda d: f"{MONTHS[d.month - 1]} {d.day}, {d.year}",
    lambda d: f"{d.day} {MONTHS[d.month - 1][:3]} {d.year}",
    lambda d: f"the {d.day}{_ending(d.day)} of {MONTHS[d.month - 1]} {d.year}",
    lambda d: f"{d.year}, {MONTHS[d.month - 1]} {d.day}",
)


def days() -> tuple[list[datetime.date], list[datetime.date]]:
    """Return the days to learn from and those to measure on, which are every tenth.

    Returns
    -------
    tuple of lists of dates
        Together the days of two centuries, none in both.
    """
    all_days = [FIRST + datetime.timedelta(n) for n in range((LAST - FIRST).days + 1)]
    unseen = set(all_days[::10])
    return [d for d in all_days if d not in unseen], all_days[::10]


def written(day: datetime.date, rng: np.random.Generator) -> tuple[str, str]:
    """Write a day in one of five ways, and in numbers.

    Parameters
    ----------
    day : date
        The day.
    rng : numpy.random.Generator
        Chooses the way.

    Returns
    -------
    tuple of str
        Such as ("tuesday, march 3 1987", "1987-03-03").
    """
    return WAYS[rng.integers(len(WAYS))](day), day.isoformat()


def train_seq2seq(
    *,
    width: int = 64,
    n_heads: int = 4,
    n_layers: int = 2,
    size: int = 64,
    steps: int = 800,
    rate: float = 3e-3,
    workers: int = 1,
    seed: int = 0,
    progress: bool = False,
) -> Translation:
    """Train a Seq2Seq to write dates in numbers, and measure it on days that it never saw.

    Parameters
    ----------
    width, n_heads, n_layers : int
        Sizes of the model.
    size, steps : int
        Dates in a batch, and number of batches.
    rate : float
        Largest learning rate.
    workers : int
        Threads.
    seed : int
        Seed of all that is random.
    progress : bool
        Whether to show a bar.

    Returns
    -------
    Translation
        The model and the share of unseen dates that it gets right, in one way of writing each.
    """
    start = time.perf_counter(), time.process_time()
    seen, unseen = days()
    source = Alphabet.of("".join(way(day) for day in seen[:400] for way in WAYS))
    target = Alphabet("-0123456789")
    rng = np.random.default_rng(seed)

    def batches(i: int) -> tuple[np.ndarray, np.ndarray]:
        draw = np.random.default_rng([seed, i])
        pairs = [written(seen[n], draw) for n in draw.integers(len(seen), size=size)]
        return pad([source.encode(s) for s, _ in pairs]), pad([target.encode(t) for _, t in pairs])

    trained = train(
        Seq2Seq.init(
            source_vocabulary=len(source),
            target_vocabulary=len(target),
            width=width,
            n_heads=n_heads,
            n_layers=n_layers,
            rng=rng,
        ),
        batches,
        steps=steps,
        rng=rng,
        optimiser=Adam(clip=1.0, workers=workers),
        rate=cosine(rate, steps, warmup=steps // 20),
        progress=progress,
    )
    seconds, cpu_seconds = time.perf_counter() - start[0], time.process_time() - start[1]
    pairs = [written(day, rng) for day in unseen]
    outputs = trained.model.generate(pad([source.encode(s) for s, _ in pairs]), 12)
    right = np.mean([target.decode(y) == t for y, (_, t) in zip(outputs, pairs, strict=True)])
    return Translation(
        trained.model, source, target, float(right), seconds, cpu_seconds, trained.trace
    )


def _ending(n: int) -> str:
    return "th" if 10 < n < 14 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")


def main() -> None:
    """Train both and print a table."""
    text = austen()
    orders = ngrams(text)
    best = min(orders, key=orders.__getitem__)
    gpt = train_gpt(text, progress=sys.stderr.isatty())
    dates = train_seq2seq(progress=sys.stderr.isatty())
    print(f"Threads of BLAS: {os.environ.get('OPENBLAS_NUM_THREADS', 'default')}.\n")
    print("| what | result | target | minutes | CPU minutes |")
    print("|---|---|---|---|---|")
    name, order = best
    print(f"| characters, {name}, order {order} | {orders[best]:.3f} bits | | | |")
    print(
        f"| GPT, {len(gpt.subwords)} subwords | {gpt.bits:.3f} bits per character | "
        f"{orders[best] - 0.3:.3f} | {gpt.seconds / 60:.1f} | {gpt.cpu_seconds / 60:.1f} |"
    )
    print(
        f"| Seq2Seq, unseen dates right | {100 * dates.right:.2f} % | 99 % | "
        f"{dates.seconds / 60:.1f} | {dates.cpu_seconds / 60:.1f} |"
    )


if __name__ == "__main__":
    main()
