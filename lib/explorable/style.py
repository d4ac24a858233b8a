"""The look of every figure in the book.

There is no ink and no background here: matplotlib's black becomes the ink of the page that
the figure stands on and white its background, in light and in dark (see `explorable.svg`).
"""

from typing import Any

from cycler import cycler

# Okabe and Ito's blue, vermillion, green and purple, then a brown and a slate; each
# has a contrast of at least 3:1 with the white page and with the dark one.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#996b3d", "#3f7373")
MARKERS = ("o", "s", "^", "D", "v", "P")

STYLE: dict[Any, Any] = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "savefig.edgecolor": "none",
    "legend.facecolor": "none",
    "legend.edgecolor": "none",
    "legend.frameon": False,
    "grid.color": "0.5",
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
    "axes.prop_cycle": cycler(color=PALETTE),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.labelsize": 11.5,
    "font.size": 11,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "legend.fontsize": 10.5,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "mathtext.fontset": "cm",  # the letters of the formulas around the figure
    "figure.constrained_layout.use": True,
    "figure.figsize": (5.5, 3),
    "savefig.bbox": None,
    "svg.fonttype": "path",  # the same letters on every machine
    "svg.hashsalt": "explorable",  # the same ids in every run and in every frame
    "path.simplify_threshold": 0.1,
}


def colour(i: int) -> str:
    """Return the colour of state, cluster or component i, the same in the whole book."""
    return PALETTE[_checked("colour", i)]


def marker(i: int) -> str:
    """Return the marker of state, cluster or component i, the same in the whole book."""
    return MARKERS[_checked("marker", i)]


def _checked(name: str, i: int) -> int:
    if not 0 <= i < len(PALETTE):
        raise ValueError(f"{name}: i must be one of 0..{len(PALETTE) - 1}, got {i!r}")
    return int(i)
