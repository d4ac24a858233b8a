"""A failed test is explained in the instructor's words, and in no value."""

import linecache

import pytest

from sealed.inside import words

NAME = "<tests>"
SETUP = """\
import numpy as np
from functools import partial
secret, got = 8675309, [7]
same = partial(np.testing.assert_allclose, rtol=1e-6)
def check(a, b, why):
    assert a == b, why
def check_all(xs):
    for x in xs:
        check(x, 1, "every x is one")
"""


def words_of(source: str) -> str:
    """The words for what the cell raises."""
    text = SETUP + source
    linecache.cache[NAME] = (len(text), None, text.splitlines(True), NAME)
    with pytest.raises(Exception) as raised:  # noqa: PT011
        exec(compile(text, NAME, "exec"), {})
    return words.of(raised.value, NAME)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('assert secret == got, "they are equal"', "they are equal"),
        ('assert secret == got, f"at {secret}: {got!r} is wrong"', "at …: … is wrong"),
        ('same(1.0, 2.0, err_msg="the mean is off")', "the mean is off"),
        ('same(\n    1.0,\n    2.0,\n    err_msg=f"mean {secret}",\n)', "mean …"),
        ('check(1, 2, "one is two")', "one is two"),
        ("check_all([1, 2])", "every x is one"),
        ('raise ValueError("nothing to see")', "nothing to see"),
        ('if got:\n    raise AssertionError(f"{secret} is hidden")', "… is hidden"),
        ('with open("/dev/null") as f:\n    assert False, "inside a block"', "inside a block"),
        ("assert secret == got", ""),
        ("assert secret == got, str(secret)", ""),
        ("same(1.0, 2.0)", ""),
        ("1 / 0", ""),
        ('print("a text with words"); 1 / 0', ""),
        ("np.linalg.inv(np.zeros((2, 2)))", ""),
    ],
)
def test_words_come_from_the_text_of_the_test(source, expected):
    assert words_of(source) == expected
