"""Data sets of the book, each with a loader. Nothing is downloaded.

Where they come from stands in README.md beside the files.
"""

from importlib.resources import files

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


def _read(name: str) -> np.ndarray:
    with files(__name__).joinpath(name).open(encoding="utf-8") as file:
        return np.loadtxt(file, delimiter=",", skiprows=1)
