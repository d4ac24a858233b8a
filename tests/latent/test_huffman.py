from functools import cache
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from latent.huffman import huffman

many_counts = st.lists(st.integers(1, 50), min_size=2, max_size=40)


def lengths(tree):
    return np.abs(tree.turns).sum(axis=1)


def codes(tree):
    return [tuple(turns[turns != 0]) for turns in tree.turns]


def least_cost(counts):
    """Sum of count times depth of the best binary tree, from all ways to split a set in two."""

    @cache
    def best(words):
        if len(words) == 1:
            return 0
        first, rest = words[0], words[1:]
        below = min(
            best((first, *left)) + best(tuple(v for v in rest if v not in left))
            for size in range(len(rest))
            for left in combinations(rest, size)
        )
        return below + sum(counts[v] for v in words)

    return best(tuple(range(len(counts))))


@given(st.lists(st.integers(1, 30), min_size=2, max_size=7))
def test_no_tree_has_a_shorter_mean_path(counts):
    assert counts @ lengths(huffman(np.array(counts))) == least_cost(counts)


@given(many_counts)
def test_no_code_begins_with_another(counts):
    of = codes(huffman(np.array(counts)))
    for one in of:
        for other in of:
            assert one is other or one != other[: len(one)]


@given(many_counts)
def test_krafts_sum_is_one(counts):
    assert (2.0 ** -lengths(huffman(np.array(counts)))).sum() == 1


@given(many_counts)
def test_the_mean_path_is_within_a_bit_of_the_entropy(counts):
    p = np.array(counts) / sum(counts)
    entropy, mean = -(p * np.log2(p)).sum(), p @ lengths(huffman(np.array(counts)))
    assert entropy - 1e-12 <= mean < entropy + 1


@given(many_counts)
def test_more_frequent_words_have_no_longer_paths(counts):
    counts = np.array(counts)
    length = lengths(huffman(counts))
    longer = length[:, None] > length
    assert (counts[:, None] <= counts)[longer].all()


@given(many_counts)
def test_paths_begin_at_the_root_and_one_path_leads_to_a_node(counts):
    tree = huffman(np.array(counts))
    way_to = {}
    for nodes, turns, length in zip(tree.nodes, tree.turns, lengths(tree), strict=True):
        assert nodes[0] == 0
        assert (turns[:length] != 0).all()
        assert_array_equal(turns[length:], 0)
        assert_array_equal(nodes[length:], 0)
        for place in range(length):
            way = tuple(turns[:place])
            assert way_to.setdefault(nodes[place], way) == way
    assert sorted(way_to) == list(range(len(counts) - 1))


@given(many_counts)
def test_decisions_make_a_distribution_over_words(counts):
    tree = huffman(np.array(counts))
    scores = np.random.default_rng(0).normal(size=len(counts))
    factors = 1 / (1 + np.exp(-tree.turns * scores[tree.nodes]))
    assert_allclose(np.where(tree.turns == 0, 1, factors).prod(axis=1).sum(), 1)


def test_two_words_are_one_decision():
    tree = huffman(np.array([5, 2]))
    assert_array_equal(tree.nodes, [[0], [0]])
    assert_array_equal(tree.turns, [[-1], [1]])


def test_one_word_needs_no_decision():
    tree = huffman(np.array([3]))
    assert tree.nodes.shape == tree.turns.shape == (1, 0)


def test_counts_that_double_give_a_comb():
    assert_array_equal(lengths(huffman(np.array([16, 8, 4, 2, 1]))), [1, 2, 3, 4, 4])


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([], r"counts must have shape \(V\)"),
        ([3, 0], "counts must be at least 1, got 0 at index 1"),
        ([1.5, 2], "counts must be integers"),
        ([[1, 2]], r"counts must have shape \(V\)"),
    ],
)
def test_bad_counts_are_named(counts, message):
    with pytest.raises(ValueError, match=message):
        huffman(counts)
