"""The look of every figure in the book, from the style sheet `look.mplstyle`."""

from pathlib import Path

import matplotlib as mpl

STYLE = mpl.rc_params_from_file(
    Path(__file__).with_name("look.mplstyle"), use_default_template=False
)
PALETTE: tuple[str, ...] = tuple(STYLE["axes.prop_cycle"].by_key()["color"])
DARK = ("#56b4f0", "#ff8f4a", "#2cc795", "#e79ccb", "#cfa274", "#86bcbc")  # on a dark page
GREY, GREY_ON_WHITE, GREY_ON_DARK = "#808080", "#6b6b6b", "#9a9a9a"  # matplotlib's "0.5"
MARKERS = ("o", "s", "^", "D", "v", "P")


def themed(svg: str) -> str:
    """Return the SVG with each colour of the palette as the variable that the page's theme sets."""
    for i, value in enumerate(PALETTE):
        svg = svg.replace(value, f"var(--explore-{i},{value})")
    return svg.replace(GREY, f"var(--explore-grey,{GREY_ON_WHITE})")


def theme_css() -> str:
    """Return the rules that set these variables, for a light page and for a dark one."""
    day, night = (
        "".join(f"--explore-{i}:{value};" for i, value in enumerate(palette))
        + f"--explore-grey:{grey}"
        for palette, grey in ((PALETTE, GREY_ON_WHITE), (DARK, GREY_ON_DARK))
    )
    # the book's theme, JupyterLab's and Notebook's, and Voila's
    dark = ':is([data-theme="dark"], [data-jp-theme-light="false"], .theme-dark)'
    return f".explore{{{day}}}\n@media screen{{{dark} .explore{{{night}}}}}\n"  # paper is white


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
