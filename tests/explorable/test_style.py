"""The palette can be told apart from both pages."""

import re

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import rgb_to_hsv, to_rgb

from explorable import colour, marker
from explorable.style import DARK as DARK_PALETTE
from explorable.style import GREY_ON_DARK, GREY_ON_WHITE, PALETTE, STYLE, theme_css
from explorable.svg import to_svg

LIGHT, DARK = "#ffffff", "#14181e"


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    """Return the contrast ratio of WCAG 2, from 1 to 21."""
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_of_black_on_white_is_21():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("ink", [*PALETTE, GREY_ON_WHITE])
def test_each_colour_is_readable_as_text_on_a_white_page(ink):
    assert contrast(ink, LIGHT) >= 4.5


@pytest.mark.parametrize("ink", [*DARK_PALETTE, GREY_ON_DARK])
@pytest.mark.parametrize("page", [DARK, "#111111", "#222832"])
def test_its_twin_is_readable_as_text_on_a_dark_page(ink, page):
    assert contrast(ink, page) >= 4.5


@pytest.mark.parametrize("ink", PALETTE)
def test_a_colour_without_its_twin_is_still_seen_on_a_dark_page(ink):
    assert contrast(ink, DARK) >= 3


def test_the_twins_keep_the_hue():
    for day, night in zip(PALETTE, DARK_PALETTE, strict=True):
        hues = [rgb_to_hsv(to_rgb(c))[0] for c in (day, night)]
        assert abs((hues[0] - hues[1] + 0.5) % 1 - 0.5) < 0.05


def test_a_page_sets_every_colour_that_a_figure_uses_in_both_themes():
    fig, ax = plt.subplots()
    for i in range(6):
        ax.plot([0, 1], [i, i], marker=marker(i), color=colour(i))
    ax.axvline(0.5, color="0.5")
    svg = to_svg(fig)
    plt.close(fig)
    used = set(re.findall(r"var\((--explore-(?:\d|grey)),#", svg))
    assert len(used) == 7
    assert not re.search(r"[:\"](?:#808080|" + "|".join(PALETTE) + ")", svg)
    day, night = theme_css().splitlines()
    assert used == set(re.findall(r"--explore-\w+(?=:)", day))
    assert used == set(re.findall(r"--explore-\w+(?=:)", night))


def test_the_style_sheet_is_one_that_matplotlib_finds():
    with plt.style.context("explorable.look"):
        assert plt.rcParams["font.size"] == STYLE["font.size"] == 11
        assert plt.rcParams["figure.figsize"][0] <= 5.5
        sizes = [plt.rcParams[f"{of}.labelsize"] for of in ("axes", "xtick", "ytick")]
        assert min(sizes) >= 10.5


def test_each_state_has_its_own_colour_and_marker():
    assert len({colour(i) for i in range(6)}) == 6
    assert len({marker(i) for i in range(6)}) == 6


@pytest.mark.parametrize("get", [colour, marker])
@pytest.mark.parametrize("i", [-1, 6])
def test_there_are_six(get, i):
    with pytest.raises(ValueError, match=r"i must be one of 0\.\.5"):
        get(i)
