"""The palette can be told apart from both pages."""

import pytest

from explorable import colour, marker
from explorable.style import PALETTE

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


@pytest.mark.parametrize("background", [LIGHT, DARK])
@pytest.mark.parametrize("ink", [*PALETTE, "#808080"])
def test_each_colour_reads_on_both_pages(ink, background):
    assert contrast(ink, background) >= 3


def test_each_state_has_its_own_colour_and_marker():
    assert len({colour(i) for i in range(6)}) == 6
    assert len({marker(i) for i in range(6)}) == 6


@pytest.mark.parametrize("get", [colour, marker])
@pytest.mark.parametrize("i", [-1, 6])
def test_there_are_six(get, i):
    with pytest.raises(ValueError, match=r"i must be one of 0\.\.5"):
        get(i)
