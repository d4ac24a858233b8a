"""Time and ratio against the length of the sequence."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.harness import Result
from benchmarks.names import LOG, SCALING, TEXTBOOK
from explorable.style import PALETTE, STYLE

N = 4
GAP = 0.09  # between two labels, as a share of the height of the axes


def drawn(result: Result) -> bool:
    """Whether a result is part of the plot: one thread, N = 4 and one long sequence."""
    sizes = {key: value for key, value in result.sizes.items() if key != "T"}
    return result.threads == 1 and sizes == {"N": N, "emission": "normal"}


def growth(results: list[Result], file: Path) -> None:
    """Draw time against T, and below it the ratio.

    Parameters
    ----------
    results : list of Result
        All results.
    file : Path
        The SVG to write.
    """
    some = sorted((r for r in results if drawn(r)), key=lambda r: r.sizes["T"])
    with mpl.rc_context({**STYLE, "figure.facecolor": "white", "savefig.facecolor": "white"}):
        figure = Figure(figsize=(5.5, 6))
        time, ratio = figure.subplots(2, sharex=True)
        _times(time, some)
        _ratios(ratio, some)
        figure.savefig(file, metadata={"Date": None, "Creator": None})


def _times(axes: Axes, results: list[Result]) -> None:
    """Milliseconds of smoothing, by all contenders."""
    posterior = [r for r in results if r.section == "Posterior"]
    contenders = {
        "latent": [(r.sizes["T"], r.ours) for r in posterior if r.peer == LOG],
        LOG: [(r.sizes["T"], r.theirs) for r in posterior if r.peer == LOG],
        SCALING: [(r.sizes["T"], r.theirs) for r in posterior if r.peer == SCALING],
        f"{TEXTBOOK}, textbook": [(r.sizes["T"], r.theirs) for r in results if r.peer == TEXTBOOK],
    }
    axes.set_title(f"Smoothing a sequence, N = {N}")
    axes.set_ylabel("time in ms")
    _lines(axes, [(name, points, "o-", i) for i, (name, points) in enumerate(contenders.items())])


def _ratios(axes: Axes, results: list[Result]) -> None:
    """Our time over that of hmmlearn."""
    lines = [
        (
            f"{section} / {peer.removeprefix('hmmlearn ')}",
            [(r.sizes["T"], r.ratio) for r in results if (r.section, r.peer) == (section, peer)],
            style,
            colour,
        )
        for section, style in (("Posterior", "o-"), ("Baum-Welch", "s--"))
        for peer, colour in ((LOG, 1), (SCALING, 2))
    ]
    axes.axhline(1, color="0.5", linewidth=0.8)
    axes.set_title("Time of latent / time of hmmlearn")
    axes.set_ylabel("ratio (below 1: latent is faster)")
    axes.set_xlabel("length T of the sequence")
    _lines(axes, lines)


def _lines(axes: Axes, lines: list[tuple[str, list[tuple[int, float]], str, int]]) -> None:
    """Draw (label, points, style, colour) and set each label beside the end of its line."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    lines = [line for line in lines if line[1]]
    for _, points, style, colour in lines:
        axes.plot(*zip(*points, strict=True), style, color=PALETTE[colour])
    longest = max((line[1][-1][0] for line in lines), default=0)
    # The heights as fractions of the axes, lowest first, pushed up where two labels would overlap.
    low, high = np.log(axes.get_ylim())
    free = -1.0
    for end, line in sorted((np.log(line[1][-1][1]), line) for line in lines):
        label, points, _, colour = line
        if points[-1][0] < longest:  # it ends inside: nothing lies to the left of a steeper line
            place, coordinates, align = (-8.0, 0.0), "offset points", "right"
        else:
            height = max(free, (end - low) / (high - low))
            place, coordinates, align = (1.02, height), "axes fraction", "left"
            free = height + GAP
        axes.annotate(
            label,
            points[-1],
            place,
            textcoords=coordinates,
            color=PALETTE[colour],
            ha=align,
            va="center",
        )
