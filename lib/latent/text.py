"""Text as numbers: characters to symbols and back, words, and a part held out.

A model of text reads symbols 0..M-1, one a character. `Alphabet` is the list of the M characters;
symbol i is its i-th character.
"""

import re
from dataclasses import dataclass

import numpy as np

from latent import checks
from latent.shapes import Int

# Letters or digits, joined by single apostrophes or hyphens; `\w` without the underscore.
WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")


@dataclass(frozen=True)
class Alphabet:
    """The characters of a text, numbered from 0.

    `len(alphabet)` is M.

    Parameters
    ----------
    characters : str
        Distinct characters; symbol i is `characters[i]`.

    Raises
    ------
    ValueError
        If `characters` is not a string, is empty, or has a character twice.
    """

    characters: str

    def __post_init__(self) -> None:
        if not _string("characters", self.characters):
            raise ValueError("characters must have at least one character, got an empty string")
        seen: dict[str, int] = {}
        for i, character in enumerate(self.characters):
            first = seen.setdefault(character, i)
            if first < i:
                raise ValueError(
                    f"characters must be distinct, got {character!r} at {first} and at {i}"
                )

    @classmethod
    def of(cls, text: str) -> "Alphabet":
        """Return the alphabet of a text: its distinct characters, sorted.

        Parameters
        ----------
        text : str
            At least one character.

        Returns
        -------
        Alphabet
            It can encode every part of `text`.

        Raises
        ------
        ValueError
            If `text` is not a string or is empty.
        """
        if not _string("text", text):
            raise ValueError("text must have at least one character, got an empty string")
        return cls("".join(sorted(set(text))))

    def __len__(self) -> int:
        """M, the number of characters."""
        return len(self.characters)

    def encode(self, text: str) -> Int[np.ndarray, " T"]:
        """Turn characters into symbols.

        Parameters
        ----------
        text : str
            T characters of the alphabet.

        Returns
        -------
        array (T,) of integers
            0..M-1.

        Raises
        ------
        ValueError
            If `text` is not a string, or has a character that the alphabet lacks: the message
            names the first one and its position.
        """
        known, points = _code_points(self.characters), _code_points(_string("text", text))
        # A symbol for each code point up to the largest known one, and -1 for all others.
        symbol = np.full(known.max() + 2, -1)
        symbol[known] = np.arange(len(known))
        symbols = symbol[np.minimum(points, len(symbol) - 1)]
        if (symbols < 0).any():
            position = int(np.argmax(symbols < 0))
            raise ValueError(
                f"text must be of the {len(self)} characters of the alphabet, "
                f"got {text[position]!r} at position {position}"
            )
        return symbols

    def decode(self, symbols: Int[np.ndarray, " T"]) -> str:
        """Turn symbols into characters.

        Parameters
        ----------
        symbols : array (T,) of integers
            0..M-1.

        Returns
        -------
        str
            T characters.

        Raises
        ------
        ValueError
            If `symbols` is not a row of integers from 0 to M-1.
        """
        symbols = np.asarray(symbols)
        if symbols.shape == (0,):
            return ""
        symbols = checks.integers("symbols", symbols, "T", low=0, high=len(self))
        points = _code_points(self.characters)[symbols]
        return points.tobytes().decode("utf-32-le", "surrogatepass")


def words(text: str) -> list[str]:
    """Words of a text, in lower case.

    A word is letters or digits. A single apostrophe or hyphen between them belongs to it ("don't",
    "lady's", "o'clock", "drawing-room"). All else stands between words: other punctuation, so that
    "Mr." is "mr"; a dash, which is two hyphens; and an apostrophe at either end of a word, which is
    not to be told from a quotation mark, so that "'tis" is "tis" and "ladies'" is "ladies". A curly
    apostrophe counts as a straight one.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    list of str
        In the order of the text.

    Raises
    ------
    ValueError
        If `text` is not a string.
    """
    return WORD.findall(_string("text", text).lower().replace("\u2019", "'"))


def hold_out(text: str, share: float = 0.1) -> tuple[str, str]:
    """Hold out the end of a text, from the beginning of a line.

    Held out at the end, because parts of a text that lie side by side share names and subjects: a
    model that has read both neighbours of a passage has seen more than one that reads on.

    Parameters
    ----------
    text : str
        At least two lines.
    share : float
        Share of the characters to hold out, between 0 and 1. The line in which the cut would fall
        is held out with them.

    Returns
    -------
    tuple of str
        The part to learn from and the part held out; together they are `text`.

    Raises
    ------
    ValueError
        If `text` is not a string, `share` is not between 0 and 1, or nothing would be left to learn
        from.
    """
    share = checks.positive("share", share)
    if share >= 1:
        raise ValueError(f"share must be below one, got {share}")
    end = len(_string("text", text))
    cut = text.rfind("\n", 0, min(int((1 - share) * end), end - 1)) + 1
    if cut == 0:
        raise ValueError(
            f"text must have a line that ends in its first {1 - share:.1%}, or nothing is left to "
            "learn from"
        )
    return text[:cut], text[cut:]


def _string(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string, got {type(value).__name__}")
    return value


def _code_points(text: str) -> Int[np.ndarray, " T"]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<i4")
