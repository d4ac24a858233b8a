from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latent.pieces import CHUNK, Pieces
from latent.text import Alphabet

texts = st.text(st.sampled_from("ab c\n.'"), min_size=1, max_size=60)


def plain_merges(text, n_pieces):
    """The definition: count all pairs of neighbours anew for every merge."""
    alphabet = Alphabet.of(text)
    words, merges = [[*alphabet.encode(w)] for w in CHUNK.findall(text)], []
    while len(alphabet) + len(merges) < n_pieces:
        often = Counter(pair for word in words for pair in pairwise(map(int, word)))
        if not often:
            break
        best = min(often, key=lambda pair: (-often[pair], pair))
        new = len(alphabet) + len(merges)
        merges.append(best)
        for w, word in enumerate(words):
            i, joined = 0, []
            while i < len(word):
                joined.append(new if (*word[i : i + 2],) == best else word[i])
                i += 2 if joined[-1] == new else 1
            words[w] = joined
    return merges, [int(s) for word in words for s in word]


@given(texts, st.integers(0, 15))
def test_merges_and_cuts_are_those_of_the_definition(text, more):
    n = len(set(text)) + more
    pieces = Pieces.of(text, n)
    merges, symbols = plain_merges(text, n)
    # A word in which a pair overlaps itself counts it as often as `pairwise` finds it.
    assert list(pieces.merges) == merges
    assert pieces.encode(text).tolist() == symbols


@given(texts, st.integers(0, 15))
def test_decoding_undoes_encoding(text, more):
    pieces = Pieces.of(text, len(set(text)) + more)
    assert pieces.decode(pieces.encode(text)) == text
    assert pieces.decode(pieces.encode(text[::-1])) == text[::-1]


@given(texts)
def test_without_merges_pieces_are_characters(text):
    pieces = Pieces.of(text, len(set(text)))
    assert pieces.merges == ()
    assert pieces.encode(text).tolist() == Alphabet.of(text).encode(text).tolist()


@given(texts, st.integers(1, 15))
def test_more_pieces_never_make_the_text_longer(text, more):
    few, many = (Pieces.of(text, len(set(text)) + n) for n in (more - 1, more))
    assert many.merges[: len(few.merges)] == few.merges
    assert len(many.encode(text)) <= len(few.encode(text))


def test_frequent_words_become_one_symbol_with_their_space():
    pieces = Pieces.of("the cat and the dog and the end of the cat", 30)
    assert pieces.texts[pieces.encode("end the")[-1]] == " the"
    assert all(" " not in text[1:] for text in pieces.texts)


def test_a_word_that_was_never_seen_is_made_of_pieces():
    pieces = Pieces.of("low lower lowest new newer", 20)
    assert pieces.decode(pieces.encode("newest")) == "newest"


def test_pieces_stop_when_no_pair_is_left():
    assert len(Pieces.of("ab", 100)) == 3


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Pieces.of("", 3), "text must have at least one character"),
        (lambda: Pieces.of(5, 3), "text must be a string"),
        (lambda: Pieces.of("abc", 2), "n_pieces must be at least 3, the number of characters"),
        (lambda: Pieces.of("abc", 3.5), "n_pieces must be an integer"),
        (lambda: Pieces.of("abc", 3).encode("abd"), "got 'd' at position 2"),
        (lambda: Pieces.of("abc", 3).decode([3]), "symbols must be from 0 to 2"),
        (lambda: Pieces(Alphabet("ab"), ((0, 2),)), r"merges must join symbols from 0 to 1 at 0"),
        (lambda: Pieces(Alphabet("ab"), ((0, 1), (0, 1))), "merges must be distinct"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
