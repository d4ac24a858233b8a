import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import seeds
from scipy import special

from latent.attention import (
    attention,
    causal_linear_attention,
    causal_mask,
    features,
    linear_attention,
)

sizes = st.integers(1, 12)


def problem(rng, T, S, D, E, *batch, dtype=float):
    shapes = ((T, D), (S, D), (S, E))
    return tuple(2 * rng.normal(size=(*batch, *shape)).astype(dtype) for shape in shapes)


def expectation(f, q, k, v, seen):
    """The definition, one query and one key at a time: y_i = sum_j p(k_j | q_i) v_j."""
    weights = np.zeros((len(q), len(k)))
    for i in range(len(q)):
        for j in range(len(k)):
            if seen(i, j):
                weights[i, j] = f(q[i], k[j])
        weights[i] /= weights[i].sum()
    return np.array([sum(a * v[j] for j, a in enumerate(row)) for row in weights]), weights


def everything(i, j):
    return True


def the_past(i, j):
    return j <= i


def softmax_kernel(q, k):
    return np.exp(q @ k / np.sqrt(len(q)))


def elu_kernel(q, k):
    def phi(x):
        return np.array([a + 1 if a > 0 else np.exp(a) for a in x])

    return phi(q) @ phi(k)


@given(seeds, sizes, sizes, sizes, sizes)
def test_attention_is_the_expectation_of_the_values(seed, T, S, D, E):
    q, k, v = problem(np.random.default_rng(seed), T, S, D, E)
    output, weights = attention(q, k, v)
    y, alpha = expectation(softmax_kernel, q, k, v, everything)
    assert_allclose(output, y, atol=1e-12)
    assert_allclose(weights, alpha, atol=1e-12)


@given(seeds, sizes, sizes, sizes)
def test_attention_is_scipys_softmax_times_the_values(seed, T, S, D):
    q, k, v = problem(np.random.default_rng(seed), T, S, D, 3)
    weights = special.softmax(q @ k.T / np.sqrt(D), axis=-1)
    assert_allclose(attention(q, k, v).output, weights @ v, atol=1e-12)


@given(seeds, sizes, sizes)
def test_weights_are_distributions_and_outputs_lie_between_the_values(seed, T, S):
    q, k, v = problem(np.random.default_rng(seed), T, S, 4, 2)
    output, weights = attention(100 * q, k, v)
    assert (weights >= 0).all()
    assert_allclose(weights.sum(axis=-1), 1)
    assert (output <= v.max(axis=0) + 1e-9).all()
    assert (output >= v.min(axis=0) - 1e-9).all()


def test_huge_scores_do_not_overflow():
    q, k = np.array([[1e200]]), np.array([[1e100], [2e100]])
    output, weights = attention(q, k, np.array([[1.0], [2.0]]))
    assert output.tolist() == [[2.0]]
    assert weights.tolist() == [[0.0, 1.0]]


@given(seeds, sizes, sizes)
def test_without_scaling_wide_queries_would_put_all_weight_on_few_keys(seed, T, S):
    # The scores of independent standard normal entries have variance one, whatever D.
    rng = np.random.default_rng(seed)
    q, k = rng.normal(size=(2, 400, 256))
    scores = np.log(attention(q, k, k).weights)
    scores -= scores.mean(axis=1, keepdims=True)
    assert_allclose(scores.var(), 1, atol=0.05)


@pytest.mark.parametrize("function", [attention, linear_attention])
@given(seed=seeds, T=sizes, S=sizes)
def test_joint_row_swaps_of_keys_and_values_change_nothing(function, seed, T, S):
    rng = np.random.default_rng(seed)
    q, k, v = problem(rng, T, S, 3, 2)
    order = rng.permutation(S)
    before, after = function(q, k, v), function(q, k[order], v[order])
    if function is attention:
        assert_allclose(after.weights, before.weights[:, order], atol=1e-12)
        before, after = before.output, after.output
    assert_allclose(after, before, atol=1e-12)


@pytest.mark.parametrize("function", [lambda *x: attention(*x).output, linear_attention])
@given(seed=seeds, T=sizes, S=sizes)
def test_swapped_queries_swap_the_outputs(function, seed, T, S):
    rng = np.random.default_rng(seed)
    q, k, v = problem(rng, T, S, 3, 2)
    order = rng.permutation(T)
    assert_allclose(function(q[order], k, v), function(q, k, v)[order], atol=1e-12)


def test_swapping_the_values_alone_changes_the_output():
    q, k, v = problem(np.random.default_rng(0), 4, 5, 3, 2)
    assert np.abs(attention(q, k, v[::-1]).output - attention(q, k, v).output).max() > 0.1


@given(seeds, sizes, sizes)
def test_causal_attention_is_full_attention_to_the_past_step_by_step(seed, T, D):
    q, k, v = problem(np.random.default_rng(seed), T, T, D, 2)
    output, weights = attention(q, k, v, causal_mask(T))
    for t in range(T):
        past = slice(0, t + 1)
        here = attention(q[t : t + 1], k[past], v[past])
        assert_allclose(output[t], here.output[0], atol=1e-12)
        assert_allclose(weights[t, past], here.weights[0], atol=1e-12)
        assert not weights[t, t + 1 :].any()
    assert_allclose(output, expectation(softmax_kernel, q, k, v, the_past)[0], atol=1e-12)


@given(seeds, sizes, sizes)
def test_a_mask_is_the_same_as_leaving_keys_out(seed, T, S):
    rng = np.random.default_rng(seed)
    q, k, v = problem(rng, T, S, 3, 2)
    mask = rng.random(S) < 0.5
    mask[rng.integers(S)] = True
    assert_allclose(
        attention(q, k, v, mask).output, attention(q, k[mask], v[mask]).output, atol=1e-12
    )


def test_the_causal_mask_is_true_on_and_below_the_diagonal():
    assert causal_mask(3).tolist() == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


@given(seeds, sizes, sizes, sizes, sizes)
def test_linear_attention_is_the_expectation_with_the_kernel_of_elu_plus_1(seed, T, S, D, E):
    q, k, v = problem(np.random.default_rng(seed), T, S, D, E)
    assert_allclose(
        linear_attention(q, k, v), expectation(elu_kernel, q, k, v, everything)[0], atol=1e-11
    )


@given(seeds, st.integers(1, 40), sizes, st.integers(1, 50))
def test_causal_linear_attention_is_the_definition_for_every_chunk(seed, T, D, chunk):
    q, k, v = problem(np.random.default_rng(seed), T, T, D, 3)
    assert_allclose(
        causal_linear_attention(q, k, v, chunk),
        expectation(elu_kernel, q, k, v, the_past)[0],
        atol=1e-11,
    )


@given(seeds, st.integers(1, 40))
def test_the_last_row_of_causal_linear_attention_sees_everything(seed, T):
    q, k, v = problem(np.random.default_rng(seed), T, T, 4, 3)
    assert_allclose(
        causal_linear_attention(q, k, v, 7)[-1], linear_attention(q, k, v)[-1], atol=1e-12
    )


@given(seeds, st.integers(2, 30))
def test_later_keys_and_values_never_change_earlier_outputs(seed, T):
    rng = np.random.default_rng(seed)
    q, k, v = problem(rng, T, T, 3, 2)
    t = int(rng.integers(1, T))
    k_new, v_new = k.copy(), v.copy()
    k_new[t:] += 1
    v_new[t:] -= 1
    mask = causal_mask(T)
    before, after = attention(q, k, v, mask).output, attention(q, k_new, v_new, mask).output
    assert_allclose(after[:t], before[:t], atol=1e-13)
    before, after = causal_linear_attention(q, k, v, 8), causal_linear_attention(q, k_new, v_new, 8)
    assert_allclose(after[:t], before[:t], atol=1e-13)
    assert np.abs(after[t] - before[t]).max() > 1e-3


def test_linear_attention_is_no_approximation_of_softmax_attention():
    q, k, v = problem(np.random.default_rng(1), 50, 50, 8, 4)
    softmax, linear = attention(q, k, v).output, linear_attention(q, k, v)
    # The difference is as large as the outputs themselves, and no average over keys mends it.
    assert np.abs(linear - softmax).mean() > 0.5 * np.abs(softmax).mean()
    phi_q, phi_k = features(q), features(k)
    kernel = phi_q @ phi_k.T
    assert_allclose(linear, kernel / kernel.sum(axis=1, keepdims=True) @ v)
    # Its kernel has rank D, the other one has not.
    assert np.linalg.matrix_rank(kernel) == 8
    assert np.linalg.matrix_rank(np.exp(q @ k.T / np.sqrt(8))) > 40


@given(seeds)
def test_features_are_elu_plus_one(seed):
    x = 5 * np.random.default_rng(seed).normal(size=20)
    assert_allclose(features(x), np.where(x > 0, x, np.expm1(np.minimum(x, 0))) + 1, atol=1e-14)
    assert (features(x) > 0).all()
    assert features(np.zeros(1)) == 1


def all_of_them(q, k, v):
    return (
        attention(q, k, v).output,
        attention(q, k, v, causal_mask(q.shape[-2])).weights,
        linear_attention(q, k, v),
        causal_linear_attention(q, k, v, 5),
    )


@given(seeds, sizes)
def test_axes_in_front_are_independent_problems(seed, T):
    q, k, v = problem(np.random.default_rng(seed), T, T, 3, 2, 2, 3)
    together = all_of_them(q, k, v)
    for index in np.ndindex(2, 3):
        for whole, alone in zip(together, all_of_them(q[index], k[index], v[index]), strict=True):
            assert_allclose(whole[index], alone, atol=1e-12)


@given(seeds, sizes)
def test_keys_and_values_can_be_shared_by_a_batch_of_queries(seed, T):
    q, k, v = problem(np.random.default_rng(seed), T, T, 3, 2)
    batch = np.stack([q, q + 1])
    for whole, alone in zip(all_of_them(batch, k, v), all_of_them(q, k, v), strict=True):
        assert_allclose(whole[0], alone, atol=1e-12)


@given(seeds, st.integers(1, 60))
def test_float32_stays_float32_and_is_float64_up_to_its_rounding(seed, T):
    q, k, v = problem(np.random.default_rng(seed), T, T, 8, 4)
    exact = all_of_them(q, k, v)
    for rough, value in zip(
        all_of_them(*(x.astype(np.float32) for x in (q, k, v))), exact, strict=True
    ):
        assert rough.dtype == np.float32
        assert value.dtype == np.float64
        assert_allclose(rough, value, atol=3e-5)


def test_mixed_precision_takes_the_higher_one():
    q, k, v = problem(np.random.default_rng(2), 3, 3, 2, 2)
    assert attention(q.astype(np.float32), k, v).output.dtype == np.float64


def test_inputs_are_not_changed():
    q, k, v = problem(np.random.default_rng(3), 6, 6, 3, 2)
    copies = [x.copy() for x in (q, k, v)]
    all_of_them(q, k, v)
    for x, copy in zip((q, k, v), copies, strict=True):
        assert_array_equal(x, copy)


def peak(function, *args):
    tracemalloc.start()
    try:
        function(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_softmax_attention_needs_one_square_matrix():
    T = 1000
    q, k, v = problem(np.random.default_rng(4), T, T, 8, 8, dtype=np.float32)
    assert peak(attention, q, k, v) < 1.3 * (4 * T * T)


@pytest.mark.parametrize("function", [linear_attention, causal_linear_attention])
def test_memory_of_linear_attention_grows_linearly(function):
    rng = np.random.default_rng(5)
    short, long = (
        peak(function, *problem(rng, T, T, 16, 16, dtype=np.float32)) for T in (4096, 32768)
    )
    assert long < 10 * short
    assert long < 8 * (4 * 32768 * 16)  # a few arrays of the size of q


def test_sums_over_65536_steps_keep_the_digits_of_float32():
    q, k, v = problem(np.random.default_rng(6), 65536, 65536, 4, 2, dtype=np.float32)
    exact = causal_linear_attention(*(x.astype(float) for x in (q, k, v)))
    assert_allclose(causal_linear_attention(q, k, v), exact, atol=1e-4)


@pytest.mark.usefixtures("as_users_call")
def test_lists_do():
    output, weights = attention([[1]], [[1], [1]], [[0], [4]])
    assert output.tolist() == [[2]]
    assert weights.tolist() == [[0.5, 0.5]]
    assert linear_attention([[1]], [[1], [1]], [[0], [4]]).tolist() == [[2]]
    assert causal_linear_attention([[1], [1]], [[1], [1]], [[0], [4]]).tolist() == [[0], [2]]


X = np.ones((3, 2))
functions = pytest.mark.parametrize(
    "function", [attention, linear_attention, causal_linear_attention]
)


@functions
@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("q", "k", "v", "message"),
    [
        (X[0], X, X, r"q must have shape \(\.\.\., rows, columns\), got \(2,\)"),
        (X, X[:0], X, r"k must have shape \(\.\.\., rows, columns\), got \(0, 2\)"),
        (X, X, X[:, :0], r"v must have shape"),
        (X, np.ones((3, 4)), X, r"k must have rows as long as those of q, 2, got \(3, 4\)"),
        (X, X, X[:2], r"v must have a row for each of 3 keys, got shape \(2, 2\)"),
        (np.ones((2, 3, 2)), np.ones((3, 3, 2)), X, "q, k and v must have axes in front"),
        (X * np.nan, X, X, r"q must be finite, got nan at index \(0, 0\)"),
        (X, X * np.inf, X, "k must be finite, got inf"),
        (X, X, [["a", "b"]] * 3, "v must be an array of real numbers"),
        (X, X, X * 1j, "v must be an array of real numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_named(function, q, k, v, message):
    with pytest.raises(ValueError, match=message):
        function(q, k, v)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: attention(X, X, X, np.ones((3, 3))),
            r"mask must be bools .* \(3, 3\), got float64",
        ),
        (lambda: attention(X, X, X, np.ones(4, bool)), r"mask must be bools .* got bool of shape"),
        (lambda: attention(X, X, X, np.ones((2, 3, 3), bool)), "mask must be bools that broadcast"),
        (lambda: attention(X, X, X, np.zeros(3, bool)), "mask must leave each query at least one"),
        (lambda: causal_mask(0), "n_positions must be at least 1"),
        (lambda: causal_linear_attention(X, X[:2], X[:2]), "k must have as many rows as q, 3"),
        (lambda: causal_linear_attention(X, X, X, 0), "chunk must be at least 1"),
        (lambda: causal_linear_attention(X, X, X, 1.5), "chunk must be an integer"),
        (lambda: linear_attention(-1e4 * X, X, X), "features above zero"),
        (lambda: causal_linear_attention(X, -1e4 * X, X), "features above zero"),
        (lambda: features([np.nan]), "x must be finite"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
