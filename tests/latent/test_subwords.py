from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from latent import data
from latent.storage import load, save
from latent.subwords import PIECE, Subwords
from latent.text import Alphabet, hold_out, words

# Few letters, so that pairs repeat.
SMALL = st.text(alphabet="abA .-'\n", min_size=1, max_size=60)


def published(text, n_symbols):
    """Byte-pair encoding as it is published: count all pairs anew for each merge."""
    alphabet = Alphabet.of(text)
    sequences = [alphabet.encode(word).tolist() for word in PIECE.findall(text)]
    merges = []
    while len(alphabet) + len(merges) < n_symbols:
        counts = Counter(pair for word in sequences for pair in pairwise(word))
        if not counts:
            break
        most = max(counts.values())
        pair = min(pair for pair, count in counts.items() if count == most)
        sequences = [merged(word, pair, len(alphabet) + len(merges)) for word in sequences]
        merges.append(pair)
    return merges, [s for word in sequences for s in word]


def merged(word, pair, symbol):
    """Write `symbol` for `pair`, by way of text: a symbol is a code point."""
    a, b, new = map(chr, (*pair, symbol))
    return [ord(c) for c in "".join(map(chr, word)).replace(a + b, new)]


@given(st.text(min_size=1), st.integers(0, 30))
def test_decoding_undoes_encoding(text, more):
    subwords = Subwords.learn(text, len(set(text)) + more)
    symbols = subwords.encode(text)
    assert symbols.dtype == int
    assert len(symbols) <= len(text)
    assert subwords.decode(symbols) == text


@given(SMALL, SMALL)
def test_another_text_of_the_same_characters_comes_back_too(text, other):
    subwords = Subwords.learn(text + other, 20)
    reversed_text = other[::-1]
    assert subwords.decode(subwords.encode(reversed_text)) == reversed_text


@given(SMALL, st.integers(0, 20))
def test_merges_and_symbols_are_those_of_the_published_algorithm(text, more):
    n_symbols = len(set(text)) + more
    subwords = Subwords.learn(text, n_symbols)
    merges, symbols = published(text, n_symbols)
    assert subwords.merges.tolist() == [list(pair) for pair in merges]
    assert subwords.encode(text).tolist() == symbols


def test_the_merges_on_a_page_of_the_novels_are_those_of_the_published_algorithm():
    text = data.austen()[:5000]
    subwords = Subwords.learn(text, 150)
    merges, symbols = published(text, 150)
    assert_array_equal(subwords.merges, merges)
    assert_array_equal(subwords.encode(text), symbols)


def test_an_example_by_hand():
    # low 5 times, lower 2, newest 6, widest 3 (Sennrich, Haddow and Birch 2016), a line for each
    text = "low\n" * 5 + "lower\n" * 2 + "newest\n" * 6 + "widest\n" * 3
    subwords = Subwords.learn(text, 11 + 6)
    assert subwords.characters == "\ndeilnorstw"[:11]
    # es occurs 9 times, then est 9, lo and low 7, ew and new 6: the smaller symbol wins a tie
    assert subwords.pieces[11:] == ("es", "est", "lo", "low", "ew", "new")
    pieces = [subwords.pieces[s] for s in subwords.encode("lowest\nslow\nnews")]
    assert pieces == ["low", "est", "\n", "s", "low", "\n", "new", "s"]


def test_a_run_of_one_character_is_merged_from_the_left():
    subwords = Subwords.learn("aaaaaaaa", 3)
    assert subwords.pieces == ("a", "aa", "aaaa")
    assert subwords.encode("aaaaaaa").tolist() == [2, 1, 0]


def test_of_equally_frequent_pairs_the_one_with_the_smallest_symbols_is_merged():
    assert Subwords.learn("cd ab", 6).pieces[5:] == (" a",)
    assert Subwords.learn("ab\ncd", 6).pieces[5:] == ("ab",)


@given(SMALL)
def test_more_symbols_never_give_a_longer_encoding(text):
    most = Subwords.learn(text, 100)
    lengths = []
    for n_symbols in range(len(set(text)), len(most) + 1):
        fewer = Subwords.learn(text, n_symbols)
        assert len(fewer) == n_symbols
        assert_array_equal(fewer.merges, most.merges[: len(fewer.merges)])
        lengths.append(len(fewer.encode(text)))
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] == len(text)
    assert lengths[-1] == len(PIECE.findall(text))  # in the end each word is a symbol


@given(st.text())
def test_the_words_of_a_text_are_all_of_it(text):
    assert "".join(PIECE.findall(text)) == text


def test_a_space_belongs_to_the_word_behind_it_and_marks_to_none():
    text = 'Mr. Knightley\'s, "oh!"--the drawing-room  \n(a_b)'
    assert PIECE.findall(text) == [
        "Mr", ".", " Knightley's", ",", ' "', "oh", '!"--', "the", " drawing-room", " ", " ", "\n",
        "(", "a", "_", "b", ")",
    ]  # fmt: skip


def test_symbols_stay_within_words():
    text = data.austen()[:100_000]
    subwords = Subwords.learn(text, 1000)
    for piece in subwords.pieces:
        assert len(words(piece)) <= 1
        assert " " not in piece[1:]


def test_the_novels_in_a_thousand_symbols_have_three_characters_in_each():
    text = data.austen()
    kept, held = hold_out(text[: len(text) // 10])
    subwords = Subwords.learn(kept, 1024)
    assert len(subwords) == 1024
    assert [subwords.pieces[s] for s in subwords.encode(" my dear Elinor")] == [
        " my", " dear", " Elinor",
    ]  # fmt: skip
    symbols = subwords.encode(held)
    assert 2.9 < len(held) / len(symbols) < 3.3
    assert subwords.decode(symbols) == held


def test_a_text_without_pairs_has_its_characters_alone():
    subwords = Subwords.learn("a", 10)
    assert len(subwords) == 1
    assert subwords.merges.shape == (0, 2)
    assert subwords.encode("aaa").tolist() == [0, 0, 0]


def test_nothing_encodes_to_nothing():
    subwords = Subwords.learn("abab", 3)
    assert subwords.encode("").shape == (0,)
    assert subwords.decode(np.array([], dtype=int)) == ""


@pytest.mark.parametrize("text", ["to be or not to be", "a"])
def test_subwords_are_saved_and_read_again(tmp_path, text):
    subwords = Subwords.learn(text, 12)
    save(tmp_path / "subwords.npz", subwords)
    again = load(tmp_path / "subwords.npz", Subwords)
    assert again.pieces == subwords.pieces
    assert_array_equal(again.merges, subwords.merges)


SUBWORDS = Subwords.learn("abcabc", 4)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Subwords.learn("", 3), "text must have at least one character"),
        (lambda: Subwords.learn(b"ab", 3), "text must be a string, got bytes"),
        (lambda: Subwords.learn("abc", 2), "n_symbols must be at least 3, got 2"),
        (lambda: Subwords.learn("abc", 3.5), "n_symbols must be an integer, got 3.5"),
        (lambda: Subwords("aba", np.zeros((0, 2), int)), "characters must be distinct"),
        (lambda: Subwords("ab", np.array([[0, 2]])), r"got \(0, 2\) in row 0, before which .* 2"),
        (lambda: Subwords("ab", np.array([[-1, 0]])), "merges must be at least 0, got -1"),
        (lambda: Subwords("ab", np.array([[0, 1], [0, 1]])), r"got \(0, 1\) again in row 1"),
        (lambda: Subwords("ab", np.array([0, 1])), r"merges must have shape \(J, pair\)"),
        (lambda: Subwords("ab", np.array([[0.5, 1]])), "merges must be integers, got 0.5"),
        (lambda: SUBWORDS.encode("abxa"), "of the 3 characters .* got 'x' at position 2"),
        (lambda: SUBWORDS.encode("ab a"), "got ' ' at position 2"),
        (lambda: SUBWORDS.encode(None), "text must be a string, got NoneType"),
        (lambda: SUBWORDS.decode([0, 4]), "symbols must be from 0 to 3, got 4 at index 1"),
        (lambda: SUBWORDS.decode([-1]), "symbols must be from 0 to 3, got -1 at index 0"),
        (lambda: SUBWORDS.decode([[0]]), r"symbols must have shape \(N\), got \(1, 1\)"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
