"""Two drawings that matplotlib does not have: a Gaussian's ellipse, a probabilistic graph."""

from collections.abc import Iterable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse

_NODE, _DOT = 34.0, 7.0  # diameters in points


def ellipse(ax: Axes, mean, covariance, *, colour, n_sd: float = 2, label: str | None = None):
    """Draw the points of a 2-D Gaussian that lie `n_sd` standard deviations from its mean.

    The axes of the ellipse are the eigenvectors of the covariance, half as long as `n_sd`
    times the root of their eigenvalues. `label` is written above it.
    """
    mean, covariance = np.asarray(mean, float), np.asarray(covariance, float)
    if mean.shape != (2,):
        raise ValueError(f"ellipse: mean must have shape (2,), got {mean.shape}")
    if covariance.shape != (2, 2) or not np.allclose(covariance, covariance.T):
        raise ValueError(f"ellipse: covariance must be a symmetric (2, 2), got {covariance!r}")
    variances, axes = np.linalg.eigh(covariance)
    if not np.all(variances >= -1e-12 * abs(variances[-1])):
        raise ValueError(f"ellipse: covariance must have no negative eigenvalue, got {variances}")
    width, height = 2 * n_sd * np.sqrt(np.maximum(variances, 0))
    angle = np.degrees(np.arctan2(axes[1, 0], axes[0, 0]))
    patch = Ellipse(tuple(mean), width, height, angle=angle, fill=False, edgecolor=colour, lw=1.8)
    ax.add_patch(patch)
    ax.autoscale_view()
    if label is not None:
        top = mean + n_sd * covariance[:, 1] / np.sqrt(max(covariance[1, 1], 1e-300))
        offset = {"xytext": (0, 3), "textcoords": "offset points", "ha": "center", "va": "bottom"}
        ax.annotate(label, top, color=colour, **offset)
    return patch


def graph(
    ax: Axes,
    nodes: Mapping[str, tuple[float, float]],
    edges: Iterable[tuple[str, str]],
    *,
    observed: Iterable[str] = (),
    fixed: Iterable[str] = (),
) -> None:
    """Draw a directed probabilistic graph.

    `nodes` maps a name, drawn as math text, to its place. Random variables are circles, the
    `observed` ones shaded; `fixed` ones (parameters) are dots. An edge (a, b) is an arrow.
    """
    edges, observed, fixed = list(edges), set(observed), set(fixed)
    mentioned = {"edges": {n for e in edges for n in e}, "observed": observed, "fixed": fixed}
    for argument, names in mentioned.items():
        if not names <= set(nodes):
            raise ValueError(f"graph: {argument} names {sorted(names - set(nodes))}, not in nodes")
    for a, b in edges:
        shrink = [(_DOT if name in fixed else _NODE) / 2 for name in (a, b)]
        arrow = {"arrowstyle": "-|>,head_width=0.25,head_length=0.5", "color": "black", "lw": 1.2}
        arrow |= {"shrinkA": shrink[0], "shrinkB": shrink[1] + 1, "patchA": None, "patchB": None}
        ax.annotate("", nodes[b], nodes[a], arrowprops=arrow)
    for name, place in nodes.items():
        text = name if "$" in name else f"${name}$"
        if name in fixed:
            ax.plot(*place, "o", ms=_DOT, color="black")
            ax.annotate(text, place, (0, 7), textcoords="offset points", ha="center", va="bottom")
            continue
        if name in observed:
            ax.plot(*place, "o", ms=_NODE, color="black", alpha=0.18, mew=0)
        ax.plot(*place, "o", ms=_NODE, mfc="none", mec="black", mew=1.2)
        ax.annotate(text, place, fontsize=13, ha="center", va="center")
    ax.set_axis_off()
    ax.margins(0.12)
    ax.set_aspect("equal", adjustable="datalim")
