"""Run `python -m benchmarks` from the root of the repository; README.md says how to read it."""

import argparse
import sys
from pathlib import Path

from benchmarks import report
from benchmarks.harness import Result
from benchmarks.worker import CASES, PARTS, start

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run what the command line asks for.

    Returns
    -------
    int
        Exit status: 1 if a case is void.
    """
    arguments = _arguments()
    results, void = [], []
    for part, scale, threads in _runs(arguments.only, arguments.quick):
        print(f"{part}, threads: {threads}", file=sys.stderr)
        for outcome in start(part, scale, threads):
            if isinstance(outcome, Result):
                results.append(outcome)
                print(f"  {report.line(outcome)}", file=sys.stderr)
            else:
                void.append(outcome)
                print(f"  VOID {outcome}", file=sys.stderr)
    print(report.markdown(results, void))
    if arguments.output:
        report.write(results, void, arguments.output)
    return 1 if void else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small cases, one thread, few rounds")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="some parts only")
    parser.add_argument(
        "--output", type=Path, help="folder to write to; a full run writes to benchmarks/results"
    )
    arguments = parser.parse_args()
    if arguments.output is None and not arguments.quick and arguments.only == PARTS:
        arguments.output = RESULTS
    return arguments


def _runs(parts: list[str], quick: bool) -> list[tuple[str, str, int]]:
    """Which parts to run, at which scale and with how many threads."""
    if quick:
        return [(part, "quick", 1) for part in parts]
    # What is measured from outside, in processes of its own, needs no second thread.
    again = [(part, "brief", 2) for part in parts if part in CASES]
    return [(part, "full", 1) for part in parts] + again


if __name__ == "__main__":
    sys.exit(main())
