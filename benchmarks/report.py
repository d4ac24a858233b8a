"""Results as Markdown tables, as JSON and as a plot."""

import json
import math
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

from threadpoolctl import threadpool_info

from benchmarks import plot
from benchmarks.harness import Result
from benchmarks.names import SOFTMAX, TORCH_SOFTMAX

LIBRARIES = ("numpy", "scipy", "hmmlearn", "scikit-learn", "torch")
MODULES = {library: library for library in LIBRARIES} | {"scikit-learn": "sklearn"}
VERDICT = {True: "yes", False: "**no**", None: ""}
CPU_INFO = Path("/proc/cpuinfo")
GROWTH = (
    "With one thread. From each size to the next one measured, time grows as size ** exponent; "
    "1 is linear, 2 quadratic, and below 1 the overhead of a call still counts."
)

CROSSING = (
    "With one thread; the length at which a straight line between the two measured around it, in "
    "logarithms, crosses a ratio of one."
)


def write(results: list[Result], void: list[str], folder: Path) -> None:
    """Write results.md, results.json and, as far as there is something to draw, growth.svg.

    Parameters
    ----------
    results : list of Result
        All results.
    void : list of str
        Why some cases have none.
    folder : Path
        Where to; made if it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.md").write_text(markdown(results, void) + "\n", encoding="utf-8")
    record = {"machine": machine(), "void": void, "results": [_record(r) for r in results]}
    text = json.dumps(record, indent=1) + "\n"
    (folder / "results.json").write_text(text, encoding="utf-8")
    if any(plot.drawn(result) for result in results):
        plot.growth(results, folder / "growth.svg")


def machine() -> dict[str, str]:
    """Describe the machine in general terms."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores, {platform.machine()}",
        "system": platform.system(),
        "Python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES if find_spec(MODULES[library])},
        "linear algebra": ", ".join(sorted({_blas(lib) for lib in threadpool_info()} - {""})),
    }


def about() -> str:
    """Describe the machine as a Markdown list."""
    return "\n".join(f"- {name}: {value}" for name, value in machine().items())


def markdown(results: list[Result], void: list[str]) -> str:
    """Set the results in tables, one for each number of threads and section.

    Parameters
    ----------
    results : list of Result
        All results.
    void : list of str
        Why some cases have none.

    Returns
    -------
    str
        A Markdown document.
    """
    parts = ["# Benchmarks", _introduction(results)]
    if void:
        parts += ["## Void", "\n".join(f"- {reason}" for reason in void)]
    for threads in sorted({result.threads for result in results}):
        some = [result for result in results if result.threads == threads]
        parts.append(f"## {'One thread' if threads == 1 else f'{threads} threads'}")
        for section in dict.fromkeys(result.section for result in some):
            rows = [result for result in some if result.section == section]
            parts += [f"### {section}", _table(rows)]
    crossings = list(_crossings([r for r in results if r.threads == 1]))
    if crossings:
        parts += ["## Where linear attention becomes faster", CROSSING, "\n".join(crossings)]
    rows = _exponents([r for r in results if r.threads == 1 and r.unit == "ms"])
    if rows:
        header = ["case", "peer", "sizes", "our exponents", "the peer's exponents"]
        parts += ["## Growth", GROWTH, _grid(header, rows, n_text=3)]
    return "\n\n".join(parts)


def line(result: Result) -> str:
    """One result in one line of text, to follow a run."""
    verdict = "" if result.met is None else f"  target {result.target:g}: {VERDICT[result.met]}"
    return (
        f"{result.section}: {result.name}: {_number(result.ours)} {result.unit}, {result.peer} "
        f"{_number(result.theirs)} {result.unit}, ratio {_number(result.ratio)}{verdict}"
    )


def _introduction(results: list[Result]) -> str:
    judged = [result.met for result in results if result.met is not None]
    return (
        f"{sum(judged)} of {len(judged)} targets met. `latent` against its peers; a ratio below 1 "
        "says that `latent` is faster (or smaller). The ratio is the median over rounds in which "
        "the contenders take turns, with its quartiles in brackets; it need not be the quotient "
        "of the two medians beside it. All answers were compared before they were timed; "
        "*differ by* is the largest difference. Targets are for one thread. "
        f"[README.md](../README.md) says more.\n\n{about()}"
    )


def _table(rows: list[Result]) -> str:
    unit = rows[0].unit
    header = ["case", "peer", f"ours, {unit}", f"peer, {unit}", "ratio", "target", "met?"]
    cells = [
        [
            result.name,
            result.peer,
            _number(result.ours),
            _number(result.theirs),
            _ratio(result),
            "" if result.target is None else f"{result.target:g}",
            VERDICT[result.met],
            "" if result.difference is None else f"{result.difference:.0e}",
        ]
        for result in rows
    ]
    return _grid([*header, "differ by"], cells)


def _ratio(result: Result) -> str:
    if result.rounds == 1:
        return _number(result.ratio)
    low, high = result.quartiles
    return f"{_number(result.ratio)} ({_number(low)} to {_number(high)})"


def _grid(header: list[str], rows: list[list[str]], n_text: int = 2) -> str:
    lines = [header, ["---"] * n_text + ["---:"] * (len(header) - n_text), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _exponents(results: list[Result]) -> list[list[str]]:
    """One row for each case and peer in which one size takes three values or more."""
    rows = []
    for size in ("T", "N", "n"):
        for group in _series([r for r in results if size in r.sizes], size):
            if len(group) > 2:
                first, last = group[0], group[-1]
                fixed = [f"{k} = {v:,}" for k, v in first.sizes.items() if _is_number(k, v, size)]
                rows.append(
                    [
                        ", ".join([first.section, *fixed]),
                        first.peer,
                        f"{size} = {first.sizes[size]:,} to {last.sizes[size]:,}",
                        _slopes([r.sizes[size] for r in group], [r.ours for r in group]),
                        _slopes([r.sizes[size] for r in group], [r.theirs for r in group]),
                    ]
                )
    return rows


def _series(results: list[Result], size: str) -> list[list[Result]]:
    """Results that differ in one size only, smallest first."""
    series: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda r: r.sizes[size]):
        rest = {k: v for k, v in result.sizes.items() if k != size}
        series.setdefault(f"{result.section} {result.peer} {sorted(rest.items())}", []).append(
            result
        )
    return list(series.values())


def _crossings(results: list[Result]) -> Iterator[str]:
    """Say for each kind of attention and each softmax where the ratio falls to one."""
    for kind in ("full", "causal"):
        for peer in (SOFTMAX, TORCH_SOFTMAX):
            some = [r for r in results if (r.section, r.peer) == (f"Attention, {kind}", peer)]
            if T := crossing(some):
                yield f"- {kind}, {peer}: T = {T:.0f}"


def crossing(results: list[Result]) -> float | None:
    """Length from which the ratio is below one.

    Parameters
    ----------
    results : list of Result
        With T in their sizes.

    Returns
    -------
    float or None
        T where ln ratio is zero on a straight line against ln T; None if the ratios do not fall
        through one.
    """
    some = sorted(results, key=lambda r: r.sizes["T"])
    for before, after in pairwise(some):
        if before.ratio > 1 >= after.ratio:
            low, high = math.log(before.ratio), math.log(after.ratio)
            start, end = (math.log(r.sizes["T"]) for r in (before, after))
            return math.exp(start + (end - start) * low / (low - high))
    return None


def _slopes(sizes: list[float], times: list[float]) -> str:
    points = pairwise(zip(sizes, times, strict=True))
    return ", ".join(
        f"{math.log(t2 / t1) / math.log(s2 / s1):.2f}" for (s1, t1), (s2, t2) in points
    )


def _is_number(name: str, value: object, varied: str) -> bool:
    return name != varied and not isinstance(value, str)


def _record(result: Result) -> dict:
    return {**asdict(result), "met": result.met}


def _number(value: float) -> str:
    """Three digits, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}" if value > 0 else f"{value:.0f}"


def _processor() -> str:
    if not CPU_INFO.exists():
        return platform.processor() or "unknown processor"
    for row in CPU_INFO.read_text().splitlines():
        name, _, value = row.partition(":")
        if name.strip() == "model name":
            return value.split("@")[0].strip()
    return "unknown processor"


def _blas(library: dict) -> str:
    if library["user_api"] != "blas":
        return ""
    return f"{library['internal_api']} {library['version']} ({library.get('architecture', '')})"
