from collections import Counter, defaultdict
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import seeds

from latent import data
from latent.ngram import kneser_ney, witten_bell
from latent.text import Alphabet, hold_out

FITS = [witten_bell, kneser_ney]
both = pytest.mark.parametrize("fit", FITS)


def grams(x, k):
    return [tuple(x[i : i + k]) for i in range(len(x) - k + 1)]


def slow_witten_bell(x, M, order):
    """p(s | u) by dictionaries, straight from the formula."""
    count = {k: Counter(grams(x, k)) for k in range(1, order + 1)}

    def p(s, u):
        shorter = p(s, u[1:]) if u else 1 / M
        followers = [count[len(u) + 1][(*u, r)] for r in range(M)]
        c, d = sum(followers), sum(f > 0 for f in followers)
        return (followers[s] + d * shorter) / (c + d) if c else shorter

    return p


def distinct_before(x, order):
    """Kneser-Ney's counts: of n-grams, and below that how many symbols a k-gram comes after."""
    count = {order: Counter(grams(x, order))}
    for k in range(1, order):
        before = defaultdict(set)
        for gram in grams(x, k + 1):
            before[gram[1:]].add(gram[0])
        count[k] = {gram: len(symbols) for gram, symbols in before.items()}
    return count


def slow_discounts(count):
    n1, n2, n3, n4 = (sum(c == j for c in count.values()) for j in (1, 2, 3, 4))
    if min(n1, n2, n3, n4) > 0:
        Y = n1 / (n1 + 2 * n2)
        D = [0, 1 - 2 * Y * n2 / n1, 2 - 3 * Y * n3 / n2, 3 - 4 * Y * n4 / n3]
        if min(D[1:]) > 0:
            return D
    return [0, 0.5, 1, 1.5]


def slow_kneser_ney(x, M, order):
    """p(s | u) by dictionaries, straight from the formula."""
    count = distinct_before(x, order)
    discounts = {k: slow_discounts(count[k]) for k in count}

    def p(s, u):
        shorter = p(s, u[1:]) if u else 1 / M
        k = len(u) + 1
        followers = [count[k].get((*u, r), 0) for r in range(M)]
        off = [discounts[k][min(f, 3)] for f in followers]
        if not sum(followers):
            return shorter
        return (followers[s] - off[s] + sum(off) * shorter) / sum(followers)

    return p


def zipf(rng, M, T):
    """A text in which a few symbols are frequent and most are rare."""
    weights = 1 / np.arange(1, M + 1) ** 1.5
    return rng.choice(M, T, p=weights / weights.sum())


formula = pytest.mark.parametrize(
    ("fit", "slow"), [(witten_bell, slow_witten_bell), (kneser_ney, slow_kneser_ney)]
)
small = st.tuples(seeds, st.integers(1, 4), st.integers(1, 4), st.integers(4, 40))


@formula
@given(small)
def test_a_model_is_its_formula_in_every_context(fit, slow, case):
    seed, M, order, T = case
    x = np.random.default_rng(seed).integers(M, size=T)
    model, p = fit(x, M, order), slow(x.tolist(), M, order)
    for k in range(order):
        for u in product(range(M), repeat=k):
            expected = [p(s, u) for s in range(M)]
            assert_allclose(model.probabilities(np.array(u, dtype=int)), expected, rtol=1e-12)


def test_kneser_ney_estimates_the_discounts_of_each_order():
    x = zipf(np.random.default_rng(0), 12, 600)
    count = distinct_before(x.tolist(), 3)
    discounts = [tuple(slow_discounts(count[k])) for k in (1, 2, 3)]
    assert discounts[0] == (0, 0.5, 1, 1.5)  # single symbols: no estimate
    assert len(set(discounts)) == 3
    model, p = kneser_ney(x, 12, 3), slow_kneser_ney(x.tolist(), 12, 3)
    for u in product(range(12), repeat=2):
        expected = [p(s, u) for s in range(12)]
        assert_allclose(model.probabilities(np.array(u)), expected, rtol=1e-12)


@pytest.mark.parametrize("n", [(5, 1, 1, 5), (0, 3, 2, 1), (9, 4, 2, 1), (3, 2, 0, 1)])
def test_kneser_ney_falls_back_on_fixed_discounts_only_where_estimates_are_out_of_range(n):
    # n[j - 1] symbols that occur j times
    counts = np.repeat([1, 2, 3, 4], n)
    x = np.repeat(np.arange(len(counts)), counts)
    D = slow_discounts(Counter(x.tolist()))
    assert (D == [0, 0.5, 1, 1.5]) == (n != (9, 4, 2, 1))
    off = np.array(D)[np.minimum(counts, 3)]
    expected = (counts - off + off.sum() / len(counts)) / len(x)
    assert_allclose(kneser_ney(x, len(counts), 1).probabilities(x), expected)


def test_witten_bell_by_hand():
    # counts (2, 1): p(0) = (2 + 2/2) / 5; 0 is followed by 0 and by 1, and 1 by nothing
    model = witten_bell(np.array([0, 0, 1]), 2, 2)
    assert_allclose(model.probabilities(np.array([], dtype=int)), [0.6, 0.4])
    assert_allclose(model.probabilities(np.array([0])), [(1 + 2 * 0.6) / 4, (1 + 2 * 0.4) / 4])
    assert_allclose(model.probabilities(np.array([1])), [0.6, 0.4])
    log_likelihood = model.log_likelihood(np.array([1, 1, 0]))
    assert_allclose(log_likelihood, np.log([0.4, 0.4, 0.6]))


def test_kneser_ney_by_hand():
    # pairs 00 01 11 11, so symbol 1 comes after 0 and 1, and 0 after 0: counts (1, 2), discounts
    # (1/2, 1), p(0) = (1/2 + 3/2 * 1/2) / 3
    model = kneser_ney(np.array([0, 0, 1, 1, 1]), 2, 2)
    assert_allclose(model.probabilities(np.array([], dtype=int)), [1.25 / 3, 1.75 / 3])
    # after 0: one pair each, so 1/2 is taken from both; after 1: 1 is taken from two
    after_0 = [(0.5 + 1.25 / 3) / 2, (0.5 + 1.75 / 3) / 2]
    assert_allclose(model.probabilities(np.array([0])), after_0)
    after_1 = [1.25 / 3 / 2, (1 + 1.75 / 3) / 2]
    assert_allclose(model.probabilities(np.array([1])), after_1)


@given(seeds)
def test_order_one_of_witten_bell_is_smoothed_frequencies(seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(5, size=50)
    counts = np.bincount(x, minlength=7)
    d = (counts > 0).sum()
    model = witten_bell(x, 7, 1)
    expected = (counts + d / 7) / (50 + d)
    assert_allclose(np.exp(model.log_likelihood(np.arange(7))), expected)
    assert_allclose(model.probabilities(x), expected)


@both
@given(seeds)
def test_probabilities_sum_to_one_and_are_never_zero(fit, seed):
    # symbols 4 and 5 are in no training text
    rng = np.random.default_rng(seed)
    model = fit(rng.integers(4, size=rng.integers(3, 60)), 6, 3)
    for u in product(range(6), repeat=2):
        p = model.probabilities(np.array(u))
        assert p.shape == (6,)
        assert (p > 0).all()
        assert_allclose(p.sum(), 1, rtol=1e-12)


@both
@given(seeds, st.integers(1, 6))
def test_the_log_likelihood_is_the_probability_after_each_prefix(fit, seed, order):
    rng = np.random.default_rng(seed)
    model, x = fit(rng.integers(4, size=30), 5, order), rng.integers(5, size=20)
    expected = [np.log(model.probabilities(x[:t])[x[t]]) for t in range(20)]
    assert_allclose(model.log_likelihood(x), expected)
    assert_allclose(model.bits_per_symbol(x), -np.mean(expected) / np.log(2))


@both
def test_only_the_last_symbols_of_a_context_count(fit):
    rng = np.random.default_rng(1)
    model = fit(rng.integers(3, size=100), 3, 3)
    context = rng.integers(3, size=8)
    assert_array_equal(model.probabilities(context), model.probabilities(context[-2:]))


@both
def test_a_context_that_was_never_seen_is_as_the_shorter_one(fit):
    x = np.array([0, 1, 2, 0, 1, 2, 2, 1, 0, 1])
    model = fit(x, 4, 3)
    shorter = model.probabilities(np.array([1]))
    assert_array_equal(model.probabilities(np.array([3, 1])), shorter)
    assert not np.allclose(model.probabilities(np.array([0, 1])), shorter)


@formula
def test_long_contexts_of_many_symbols_fit_in_an_integer(fit, slow):
    # 256^12 is 2^96
    rng = np.random.default_rng(2)
    x = np.tile(rng.integers(256, size=20), 3)
    model, p = fit(x, 256, 12), slow(x.tolist(), 256, 12)
    for t in (11, 30, 59):
        u = tuple(x[t - 11 : t].tolist())
        assert_allclose(model.probabilities(x[:t])[x[t]], p(x[t], u), rtol=1e-12)


@both
def test_a_cycle_is_learnt(fit):
    model = fit(np.tile([0, 1, 2], 100), 3, 3)
    assert model.bits_per_symbol(np.tile([2, 0, 1], 50)) < 0.1
    draw = model.sample(200, np.random.default_rng(3))
    assert np.mean((draw[1:] - draw[:-1]) % 3 == 1) > 0.95


@both
def test_samples_have_the_probabilities_of_the_model(fit):
    x = np.array([0, 0, 1, 0, 1, 1, 1, 0, 2, 0])
    model, n = fit(x, 3, 2), 1000
    draw = model.sample(n, np.random.default_rng(4))
    assert_array_equal(draw, model.sample(n, np.random.default_rng(4)))
    pairs = np.zeros((3, 3))
    np.add.at(pairs, (draw[:-1], draw[1:]), 1)
    for s in range(3):
        p, total = model.probabilities(np.array([s])), pairs[s].sum()
        assert_allclose(pairs[s] / total, p, atol=4 * np.sqrt(0.25 / total))


def test_noise_costs_all_its_bits():
    rng = np.random.default_rng(5)
    x, y = rng.integers(8, size=(2, 20_000))
    for fit in FITS:
        assert 3 < fit(x, 8, 1).bits_per_symbol(y) < 3.001
        assert fit(x, 8, 4).bits_per_symbol(y) > 3
    assert witten_bell(np.zeros(5, dtype=int), 1, 2).bits_per_symbol(np.zeros(3, dtype=int)) == 0


def test_on_english_context_helps_and_kneser_ney_is_the_better_baseline():
    text = data.austen()[:300_000]
    alphabet = Alphabet.of(text)
    x, y = (alphabet.encode(part) for part in hold_out(text))
    bits = {
        (fit, order): fit(x, len(alphabet), order).bits_per_symbol(y)
        for fit in FITS
        for order in (1, 2, 3, 5)
    }
    for fit in FITS:
        assert 4 < bits[fit, 1] < 4.6
        assert bits[fit, 1] > bits[fit, 2] + 0.5 > bits[fit, 3] + 1
    assert bits[kneser_ney, 5] < bits[witten_bell, 5] < bits[witten_bell, 3]
    assert 1.7 < bits[kneser_ney, 5] < 1.9


@both
def test_a_model_cannot_be_changed(fit):
    model = fit(np.array([0, 1, 0]), 2, 2)
    for array in model.levels[1]:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


X = np.array([0, 1, 2, 1])
MODEL = witten_bell(X, 3, 2)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        *(
            (lambda fit=fit, case=case: fit(*case), message)
            for fit in FITS
            for case, message in [
                ((X, 2, 1), "x must be from 0 to 1, got 2 at index 2"),
                ((X - 1, 3, 1), "x must be from 0 to 2, got -1 at index 0"),
                ((X + 0.5, 3, 1), "x must be integers, got 0.5 at index 0"),
                (([[0]], 3, 1), r"x must have shape \(T\), got \(1, 1\)"),
                (([], 3, 1), "x must have shape"),
                ((X, 0, 1), "n_symbols must be at least 1, got 0"),
                ((X, 3.0, 1), "n_symbols must be an integer, got 3.0"),
                ((X, 3, 0), "order must be at least 1, got 0"),
                ((X, 3, 5), "order must be at most 4, the length of x, got 5"),
                ((X, 3, "2"), "order must be an integer, got '2'"),
            ]
        ),
        (lambda: MODEL.log_likelihood([3]), "x must be from 0 to 2, got 3 at index 0"),
        (lambda: MODEL.log_likelihood([]), "x must have shape"),
        (lambda: MODEL.bits_per_symbol(["a"]), "x must be an array of real numbers"),
        (lambda: MODEL.probabilities([0, 3]), "context must be from 0 to 2, got 3 at index 1"),
        (lambda: MODEL.probabilities(0), r"context must have shape \(T\), got \(\)"),
        (lambda: MODEL.sample(0, np.random.default_rng(0)), "n_steps must be at least 1, got 0"),
        (lambda: MODEL.sample(1, None), r"rng must be a numpy\.random\.Generator"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.usefixtures("as_users_call")
def test_lists_do():
    assert_allclose(witten_bell([0, 0, 1], 2, 2).probabilities([]), [0.6, 0.4])
    assert_allclose(MODEL.log_likelihood([0, 1]), MODEL.log_likelihood(np.array([0, 1])))
