"""Data sets of the book, each with a loader. Nothing is downloaded.

Where they come from stands in README.md beside the files.
"""

import gzip
import lzma
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from latent.shapes import Float, Int


def old_faithful() -> Float[np.ndarray, "272 2"]:
    """Eruptions of the Old Faithful geyser in Yellowstone National Park.

    Returns
    -------
    array (272, 2)
        Minutes that an eruption lasted, and minutes from then until the next.

    Notes
    -----
    R's data set `faithful`, from Härdle (1991); Azzalini and Bowman (1990) study the geyser. It is
    lecture 1's example for K-means.
    """
    return _read("old_faithful.csv")


def earthquakes() -> Int[np.ndarray, " 107"]:
    """Earthquakes of magnitude 7 or greater in the world, a count for each year from 1900 to 2006.

    Returns
    -------
    array (107,) of integers
        Entry i belongs to the year 1900 + i.

    Notes
    -----
    Zucchini and MacDonald (2009), table 1.1.
    """
    return _read("earthquakes.csv")[:, 1].astype(int)


class Digits(NamedTuple):
    """Small pictures of handwritten digits.

    Attributes
    ----------
    images : array (1797, 64)
        Ink of each pixel from 0 (none) to 1, in steps of 1/16; `images[n].reshape(8, 8)` has the
        rows of the picture from the top.
    labels : array (1797,) of integers
        The digit that was written, 0 to 9.
    """

    images: Float[np.ndarray, "1797 64"]
    labels: Int[np.ndarray, " 1797"]


def digits() -> Digits:
    """Handwritten digits, 8 by 8 pixels.

    Returns
    -------
    Digits
        `images` (1797, 64) and `labels` (1797,).

    Notes
    -----
    Alpaydin and Kaynak (1998); the 13 people who wrote these are not among the 30 who wrote the
    rest of their data.
    """
    table = _read("digits.csv.gz")
    return Digits(table[:, :-1] / 16, table[:, -1].astype(int))


def austen() -> str:
    """The six novels of Jane Austen, in order of publication (1811 to 1817).

    Returns
    -------
    str
        4 005 108 characters of 64 kinds, in about 717 000 words. A paragraph, a heading and a verse
        are a line each. Each novel begins with its title, and an empty line stands between two.

    Notes
    -----
    The text of Project Gutenberg, from Silge's package janeaustenr (2022). README.md beside the
    file lists what was changed.
    """
    return lzma.decompress(files(__name__).joinpath("austen.txt.xz").read_bytes()).decode("ascii")


def _read(name: str) -> np.ndarray:
    data = files(__name__).joinpath(name).read_bytes()
    text = (gzip.decompress(data) if name.endswith(".gz") else data).decode("utf-8")
    return np.loadtxt(text.splitlines(), delimiter=",", skiprows=1)
