"""What the models of `latent` learn from real data: `python -m benchmarks.trained`.

Trains AdaGram, the auto-encoders, a GPT and a Seq2Seq, each in a fresh process, and writes their
tables to results/trained.md. It takes about half an hour on two cores. Name some parts to run and
print these alone.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.report import about
from benchmarks.worker import environment

RESULTS = Path(__file__).parent / "results"
PARTS = {
    "language": "Transformers",
    "gpt_text": "The GPT against its time, and n-gram models",
    "autoencoders": "Auto-encoders on handwritten digits",
    "adagram_senses": "Senses of merged words, told apart by AdaGram",
}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trained", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"some of: {', '.join(PARTS)}")
    parts = parser.parse_args().parts
    if unknown := sorted(set(parts) - set(PARTS)):
        parser.error(f"parts must be some of {', '.join(PARTS)}, got {', '.join(unknown)}")
    text = document({part: run(part) for part in parts or PARTS})
    print(text)
    if not parts:
        (RESULTS / "trained.md").write_text(text + "\n", encoding="utf-8")


def run(part: str) -> str:
    """Run one part in a fresh process.

    Parameters
    ----------
    part : str
        One of `PARTS`.

    Returns
    -------
    str
        The tables that it prints.

    Raises
    ------
    subprocess.CalledProcessError
        If the process fails.
    """
    print(part, file=sys.stderr)
    command = [sys.executable, "-m", f"benchmarks.{part}"]
    done = subprocess.run(
        command, env=environment(1), stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()


def document(tables: dict[str, str]) -> str:
    """Put the tables of the parts into one document.

    Parameters
    ----------
    tables : dict of str
        By part.

    Returns
    -------
    str
        Markdown.
    """
    introduction = (
        "What the models learn, on data that they have not seen, with the time that it takes. "
        "Linear algebra uses one thread; the GPT and the Seq2Seq share each batch between two. "
        f"[README.md](../README.md) says more.\n\n{about()}"
    )
    sections = [f"## {PARTS[part]}\n\n{table}" for part, table in tables.items()]
    return "\n\n".join(["# Trained models", introduction, *sections])


if __name__ == "__main__":
    main()
