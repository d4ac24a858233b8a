"""What can be learnt from the novels? `python -m benchmarks.gpt_text` prints two tables.

All is measured on the last tenth of the novels of Jane Austen, in bits per character, and learnt
from the rest. The first table has smoothed n-gram models of characters and of subwords. It tells
how many subwords are worth learning: with few a model has to spell, with many each is rare.

The second table has GPTs of subwords, as in `benchmarks.language`, each of which is trained for
another number of steps and lets the rate fall to zero within it. Its rows are a curve, which shows
what more time would bring. `--steps` names the rows; without any there is the first table alone.
"""

import argparse
from collections.abc import Iterator

import numpy as np

from benchmarks.language import train_gpt
from latent.data import austen
from latent.ngram import kneser_ney, witten_bell
from latent.subwords import Subwords
from latent.text import Alphabet, hold_out

ORDERS = (2, 3, 4, 5, 6)
VOCABULARIES = (256, 512, 1024, 2048, 4096, 8192)
TEMPERATURE = 0.8


def ngrams(text: str) -> Iterator[tuple[str, list[float]]]:
    """Measure n-gram models of characters and of subwords.

    Parameters
    ----------
    text : str
        The text; its last tenth is held out.

    Yields
    ------
    name : str
        Smoothing and symbols.
    bits : list of float
        Bits per character for each of `ORDERS`.
    """
    seen, held_out = hold_out(text)
    alphabet = Alphabet.of(seen)
    for name, fit in (("Witten-Bell", witten_bell), ("Kneser-Ney", kneser_ney)):
        x, y = alphabet.encode(seen), alphabet.encode(held_out)
        bits = [fit(x, len(alphabet), n).bits_per_symbol(y) for n in ORDERS]
        yield f"{name}, {len(alphabet)} characters", bits
    for M in VOCABULARIES:
        subwords = Subwords.learn(seen, M)
        x, y = subwords.encode(seen), subwords.encode(held_out)
        bits = [kneser_ney(x, M, n).bits_per_symbol(y) * len(y) / len(held_out) for n in ORDERS]
        yield f"Kneser-Ney, {M} subwords", bits


def main() -> None:
    """Print the tables, and what the last GPT writes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpt_text", description=__doc__)
    parser.add_argument("--steps", nargs="*", type=int, default=[350, 700, 1400])
    steps, text = parser.parse_args().steps, austen()
    print("| bits per character |", *(f" order {n} |" for n in ORDERS), sep="")
    print("|---|" + "---|" * len(ORDERS))
    for name, bits in ngrams(text):
        print(f"| {name} |", *(f" {b:.3f} |" for b in bits), sep="", flush=True)
    if not steps:
        return
    print("\n| steps of the GPT | bits per character | minutes | CPU minutes |")
    print("|---|---|---|---|")
    for n in steps:
        gpt = train_gpt(text, steps=n)
        times = f"{gpt.seconds / 60:.1f} | {gpt.cpu_seconds / 60:.1f}"
        print(f"| {n} | {gpt.bits:.3f} | {times} |", flush=True)
    prompt = gpt.subwords.encode("\n")
    rng = np.random.default_rng(0)
    written = gpt.model.sample(prompt, 200, temperature=TEMPERATURE, rng=rng)
    print(f"\nThe last one at temperature {TEMPERATURE}:\n\n{gpt.subwords.decode(written)}")


if __name__ == "__main__":
    main()
