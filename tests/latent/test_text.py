import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from latent import data
from latent.text import Alphabet, hold_out, words


@given(st.text(min_size=1))
def test_decoding_undoes_encoding(text):
    alphabet = Alphabet.of(text)
    symbols = alphabet.encode(text)
    assert symbols.shape == (len(text),)
    assert symbols.dtype == int
    assert alphabet.decode(symbols) == text


@given(st.text(min_size=1))
def test_the_symbol_of_a_character_is_its_place_among_the_sorted_ones(text):
    alphabet = Alphabet.of(text)
    order = sorted(set(text))
    assert list(alphabet.characters) == order
    assert len(alphabet) == len(order)
    assert alphabet.encode(text).tolist() == [order.index(character) for character in text]


def test_an_alphabet_keeps_the_order_it_is_given():
    alphabet = Alphabet("ba ")
    assert alphabet.encode("ab ba").tolist() == [1, 0, 2, 0, 1]
    assert alphabet.decode(np.array([2, 0])) == " b"


def test_alphabets_of_the_same_characters_are_equal():
    assert Alphabet.of("hello") == Alphabet.of("hole")
    assert Alphabet.of("hello") != Alphabet.of("hell")


def test_half_of_a_surrogate_pair_is_a_character_as_any_other():
    assert Alphabet("a\ud800").decode(Alphabet("a\ud800").encode("\ud800a")) == "\ud800a"


def test_nothing_encodes_to_nothing():
    assert Alphabet("ab").encode("").shape == (0,)
    assert Alphabet("ab").decode(np.array([], dtype=int)) == ""


def test_the_novels_have_64_symbols_and_come_back_whole():
    text = data.austen()
    alphabet = Alphabet.of(text)
    symbols = alphabet.encode(text)
    assert len(alphabet) == 64
    assert_array_equal(np.unique(symbols), np.arange(64))
    assert alphabet.decode(symbols) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mr. Darcy, of course.", ["mr", "darcy", "of", "course"]),
        ("I don't know it's o'clock", ["i", "don't", "know", "it's", "o'clock"]),
        ("the drawing-room--to-morrow", ["the", "drawing-room", "to-morrow"]),
        ("'Tis the ladies' \"own\" choice", ["tis", "the", "ladies", "own", "choice"]),
        ("she said,--'My dear'", ["she", "said", "my", "dear"]),
        ("don\u2019t -- the ----shire 'a-'b", ["don't", "the", "shire", "a", "b"]),
        ("snake_case 23rd \u00c9t\u00e9", ["snake", "case", "23rd", "\u00e9t\u00e9"]),
        ("...  \n--", []),
    ],
)
def test_words_are_what_the_docstring_says(text, expected):
    assert words(text) == expected


@given(st.text())
def test_words_of_words_are_the_same_words(text):
    found = words(text)
    assert words(" ".join(found)) == found


def test_the_words_of_the_novels_are_those_between_all_other_marks():
    text = data.austen()
    for mark in ["--", "\n", *'!"(),.:;?']:
        text = text.replace(mark, " ")
    between = [piece.strip("'-") for piece in text.lower().split(" ")]
    found = words(data.austen())
    assert len(found) > 700_000
    assert found == [piece for piece in between if piece]


@given(st.text(alphabet="ab\n"), st.floats(0.01, 0.99))
def test_a_held_out_end_starts_a_line_and_is_no_longer_than_it_must(text, share):
    try:
        kept, held = hold_out(text, share)
    except ValueError:
        assert "\n" not in text[: max(0, min(int((1 - share) * len(text)), len(text) - 1))]
        return
    assert kept + held == text
    assert kept.endswith("\n")
    assert len(held) >= share * len(text) > 0
    # one more line kept would hold out too little, or nothing
    longer = held[: held.find("\n") + 1] or held
    assert len(held) - len(longer) < max(1, share * len(text) + 1)


def test_the_held_out_tenth_of_the_novels_is_a_tenth():
    text = data.austen()
    kept, held = hold_out(text)
    assert kept + held == text
    assert abs(len(held) / len(text) - 0.1) < 1e-3
    assert data.austen().split("\n\n")[-1].endswith(held)


ALPHABET = Alphabet("abc")


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Alphabet(""), "characters must have at least one character"),
        (lambda: Alphabet("abca"), "characters must be distinct, got 'a' at 0 and at 3"),
        (lambda: Alphabet(["a"]), "characters must be a string, got list"),
        (lambda: Alphabet.of(""), "text must have at least one character"),
        (lambda: Alphabet.of(b"ab"), "text must be a string, got bytes"),
        (lambda: ALPHABET.encode("abxa"), "of the 3 characters of .* got 'x' at position 2"),
        (lambda: ALPHABET.encode("a\nb"), r"got '\\n' at position 1"),
        (lambda: ALPHABET.encode("abc\U0010ffff"), "at position 3"),
        (lambda: ALPHABET.encode(None), "text must be a string, got NoneType"),
        (lambda: ALPHABET.decode([0, 3]), "symbols must be from 0 to 2, got 3 at index 1"),
        (lambda: ALPHABET.decode([-1]), "symbols must be from 0 to 2, got -1 at index 0"),
        (lambda: ALPHABET.decode([0.5]), "symbols must be integers, got 0.5 at index 0"),
        (lambda: ALPHABET.decode([[0]]), r"symbols must have shape \(T\), got \(1, 1\)"),
        (lambda: words(["a"]), "text must be a string, got list"),
        (lambda: hold_out(3), "text must be a string, got int"),
        (lambda: hold_out("a\nb", 1.0), "share must be below one, got 1.0"),
        (lambda: hold_out("a\nb", 0), "share must be above zero, got 0.0"),
        (lambda: hold_out("one line"), "text must have a line that ends in its first 90.0%"),
        (lambda: hold_out(""), "text must have a line that ends"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
