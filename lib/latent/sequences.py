"""One sequence of observations, or several: how they lie in one array.

Lecture 2, several training sequences. They are independent given lambda, so ln p(x | lambda) is the
sum of their log evidences, and every sum over t in an M-step runs over the steps of all of them.
Emissions therefore see all steps at once, one sequence after the other, and only the chain has to
know where each of them ends.

An array is one sequence. A list or tuple is one sequence if its items are observations (numbers for
symbols and counts, as in ``[1, 2, 3]``; rows of numbers for vectors), and several if its items are
sequences themselves.
"""

from typing import NamedTuple

import numpy as np

from latent.blocks import Blocks, cut
from latent.emissions.interface import Emission, Observations, Template
from latent.scan import SHORT
from latent.shapes import Int, Real

# What `x` may be in the methods of a model.
Data = Real[np.ndarray, "T ..."] | list | tuple


class Sequences(NamedTuple):
    """Checked sequences, one after the other.

    Attributes
    ----------
    observations : Observations
        x of all steps.
    lengths : array (n_sequences,)
        T of each sequence.
    listed : bool
        Whether results are lists with an item for each sequence, in place of one array.
    blocks : Blocks
        How `latent.scan` lays them out.
    """

    observations: Observations
    lengths: Int[np.ndarray, " n_sequences"]
    listed: bool
    blocks: Blocks

    @property
    def starts(self) -> Int[np.ndarray, " n_sequences"]:
        """Row of the first step of each sequence."""
        return self.blocks.first

    @property
    def ends(self) -> Int[np.ndarray, " n_sequences"]:
        """Row of the last step of each sequence."""
        return np.cumsum(self.lengths) - 1

    def divide(self, rows: np.ndarray, axis: int = 0) -> np.ndarray | list[np.ndarray]:
        """Give each sequence its steps, if results are lists.

        Parameters
        ----------
        rows : array with T entries along `axis`
            One for each step of all sequences.
        axis : int
            The axis of the steps.

        Returns
        -------
        array or list of arrays
            `rows`, or the part of each sequence.
        """
        return np.split(rows, self.ends[:-1] + 1, axis=axis) if self.listed else rows


def is_list(x: object, ndim: int) -> bool:
    """Tell several sequences from one.

    Parameters
    ----------
    x : array, list or tuple
        What the user gave.
    ndim : int
        Number of axes of one sequence, 1 for numbers and 2 for vectors.

    Returns
    -------
    bool
        Whether it is a list or tuple whose first item has as many axes as a sequence has.

    Raises
    ------
    ValueError
        If it is a list without items.
    """
    if not isinstance(x, list | tuple):
        return False
    if not x:
        raise ValueError("x must have at least one sequence, got an empty list")
    first = x[0]
    return ndim == (first.ndim if isinstance(first, np.ndarray) else _depth(first))


def check_sequences(x: Data | Sequences, emission: Emission | Template) -> Sequences:
    """Check one sequence or a list of them.

    Parameters
    ----------
    x : array, list or tuple
        As at the top of the module.
    emission : Emission or Template
        Knows what an observation is.

    Returns
    -------
    Sequences
        All steps in one array.

    Raises
    ------
    ValueError
        If a sequence does not fit the emission; with its number, counted from 0, if it is in a
        list.
    """
    if isinstance(x, Sequences):
        return x
    if not is_list(x, emission.ndim):
        data = emission.observations(x)
        lengths = np.array([data.n_steps])
        return Sequences(data, lengths, False, cut(lengths, SHORT))
    try:
        # All at once, as a thousand small checks take longer than an iteration of Baum-Welch.
        data = emission.observations(_concatenate(list(x)))
        lengths = np.array([len(part) for part in x])
    except (ValueError, TypeError):
        lengths = np.zeros(1, int)
    if not lengths.all():  # one of them is empty or wrong: the first such part names itself
        parts = [emission.observations(part, f"x[{n}]") for n, part in enumerate(x)]
        data, lengths = Observations.join(parts), np.array([part.n_steps for part in parts])
    return Sequences(data, lengths, True, cut(lengths, SHORT))


def _concatenate(x: list) -> np.ndarray:
    """All steps in one array, masked if one of the sequences is."""
    masked = any(isinstance(part, np.ma.MaskedArray) for part in x)
    return (np.ma if masked else np).concatenate(x)


def _depth(item: object) -> int:
    """Number of axes of a number or of nested lists, whose items need not be of equal length."""
    depth = 0
    while isinstance(item, list | tuple | np.ndarray) and len(item):
        item, depth = item[0], depth + 1
    return depth
