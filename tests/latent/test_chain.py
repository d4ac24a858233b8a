import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from random_models import distributions, paths, seeds

import latent

Q = [0.5, 0.5]
A = [[0.9, 0.1], [0.2, 0.8]]
NAN, INF = np.nan, np.inf


def brute_force(initial, transition, log_likelihood):
    """Every path and its probability with the observations."""
    T, N = log_likelihood.shape
    s = paths(N, T)
    joint = initial[s[:, 0]] * np.exp(log_likelihood)[np.arange(T), s].prod(axis=1)
    joint *= transition[s[:, :-1], s[:, 1:]].prod(axis=1)
    return s, joint


@given(seeds, st.integers(1, 4), st.integers(1, 5), st.booleans())
def test_state_marginals_are_sums_over_all_paths(seed, N, T, zeros):
    rng = np.random.default_rng(seed)
    initial, transition = distributions(rng, N, zeros=zeros), distributions(rng, N, N, zeros=zeros)
    s, joint = brute_force(initial, transition, np.zeros((T, N)))
    expected = [[joint[s[:, t] == i].sum() for i in range(N)] for t in range(T)]
    p = latent.state_marginals(initial, transition, T)
    assert_allclose(p, expected, atol=1e-12)
    assert_allclose(p.sum(axis=1), 1)


def test_state_marginals_of_the_lecture_start_with_q_and_then_a_transposed_q():
    q, A = np.array([0.3, 0.7]), np.array([[0.9, 0.1], [0.4, 0.6]])
    p = latent.state_marginals(q, A, 2)
    assert_allclose(p, [[0.3, 0.7], [0.3 * 0.9 + 0.7 * 0.4, 0.3 * 0.1 + 0.7 * 0.6]])


@given(seeds, st.integers(1, 6))
def test_the_stationary_distribution_stays_and_every_start_comes_to_it(seed, N):
    rng = np.random.default_rng(seed)
    transition = 0.5 * distributions(rng, N, N) + 0.5 / N
    p = latent.stationary(transition)
    assert_allclose(transition.T @ p, p, atol=1e-14)
    assert_allclose(p.sum(), 1)
    assert_allclose(latent.state_marginals(np.eye(N)[0], transition, 200)[-1], p, atol=1e-12)


def test_two_states_stay_in_the_ratio_of_the_ways_back():
    assert_allclose(latent.stationary(np.array([[0.9, 0.1], [0.3, 0.7]])), [0.75, 0.25])


def test_a_periodic_chain_has_a_stationary_distribution_too():
    cycle = np.roll(np.eye(3), 1, axis=1)
    assert_allclose(latent.stationary(cycle), [1 / 3, 1 / 3, 1 / 3])


def test_states_that_are_left_for_good_have_no_stationary_probability():
    left_right = np.array([[0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 1]])
    assert latent.stationary(left_right).tolist() == [0, 0, 1]


def test_a_nearly_disconnected_chain_keeps_its_digits():
    e = 1e-10
    p = latent.stationary(np.array([[1 - e, e], [3 * e, 1 - 3 * e]]))
    assert_allclose(p, [0.75, 0.25], rtol=1e-5)


def test_two_recurrent_classes_are_named():
    transition = np.array([[1, 0, 0], [0.1, 0.4, 0.5], [0, 0, 1]])
    with pytest.raises(ValueError, match=r"one recurrent class.* \[0\] and \[2\]"):
        latent.stationary(transition)


@given(seeds, st.integers(1, 3), st.integers(1, 5), st.booleans())
def test_forward_agrees_with_the_sum_over_all_paths(seed, N, T, zeros):
    rng = np.random.default_rng(seed)
    initial, transition = distributions(rng, N, zeros=zeros), distributions(rng, N, N, zeros=zeros)
    likelihood = rng.random((T, N)) * (rng.random((T, N)) < (0.7 if zeros else 1))
    with np.errstate(divide="ignore"):
        log_likelihood = np.log(likelihood)
    alpha, log_scale = latent.forward(initial, transition, log_likelihood)
    evidence = [
        brute_force(initial, transition, log_likelihood[:t])[1].sum() for t in range(1, T + 1)
    ]
    assert_allclose(np.exp(np.cumsum(log_scale)), evidence, atol=1e-14)
    total = latent.log_evidence(initial, transition, log_likelihood)
    assert_allclose(np.exp(total), evidence[-1], atol=1e-14)
    for t in range(T):
        if evidence[t] > 0:
            s, joint = brute_force(initial, transition, log_likelihood[: t + 1])
            expected = [joint[s[:, t] == i].sum() / evidence[t] for i in range(N)]
            assert_allclose(alpha[t], expected, atol=1e-12)
        else:
            assert np.isnan(alpha[t]).all()
            assert log_scale[t] == -INF


def test_an_impossible_sequence_has_log_evidence_minus_infinity():
    transition = np.array([[1.0, 0.0], [0.0, 1.0]])
    log_likelihood = np.array([[0.0, -INF], [-INF, 0.0], [0.0, 0.0]])
    assert latent.log_evidence(np.array([0.5, 0.5]), transition, log_likelihood) == -INF


def test_a_state_that_was_very_unlikely_can_come_back():
    # State 1 is 2000 nats behind after the first step and the only one possible at the second.
    log_likelihood = np.array([[0.0, -2000.0], [-INF, 0.0]])
    total = latent.log_evidence(np.array([0.5, 0.5]), np.eye(2), log_likelihood)
    assert_allclose(total, np.log(0.5) - 2000)


def test_ten_thousand_steps_do_not_underflow():
    T = 10_000
    log_likelihood = np.full((T, 2), -50.0)
    total = latent.log_evidence(np.array(Q), np.array(A), log_likelihood)
    assert_allclose(total, -50.0 * T)


@pytest.mark.usefixtures("as_users_call")
def test_lists_and_integers_do():
    assert latent.state_marginals([1, 0], [[0, 1], [1, 0]], 3).tolist() == [[1, 0], [0, 1], [1, 0]]
    assert latent.stationary([[0, 1], [1, 0]]).tolist() == [0.5, 0.5]
    assert latent.log_evidence([1, 0], [[0, 1], [1, 0]], [[0, 0], [0, -1]]) == -1


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("initial", "transition", "log_likelihood", "message"),
    [
        ([0.5, 0.6], A, [[0, 0]], "initial must sum to one, got the sum 1.1"),
        ([1.5, -0.5], A, [[0, 0]], "initial must not be negative, got -0.5 at index 1"),
        ([NAN, 1], A, [[0, 0]], "initial must be finite, got nan at index 0"),
        ([[0.5, 0.5]], A, [[0, 0]], r"initial must have shape \(N\), got \(1, 2\)"),
        ([], A, [[0, 0]], "initial must have shape"),
        (["a", "b"], A, [[0, 0]], "initial must be an array of real numbers"),
        ([1j, 1], A, [[0, 0]], "initial must be an array of real numbers"),
        ([[1], [1, 2]], A, [[0, 0]], "initial must be an array of real numbers"),
        ([1.0], A, [[0, 0]], r"transition must have shape \(N, N\) with N = 1, got \(2, 2\)"),
        (Q, [[0.9, 0.1]], [[0, 0]], "transition must have shape"),
        (Q, [[0.9, 0.1], [0.3, 0.8]], [[0, 0]], "row 1 of transition must sum to one, got the sum"),
        (
            Q,
            [[0.9, 0.1], [INF, 0]],
            [[0, 0]],
            r"transition must be finite, got inf at index \(1, 0\)",
        ),
        (Q, A, [0, 0], r"log_likelihood must have shape \(T, N\) with N = 2, got \(2,\)"),
        (Q, A, [[0, 0, 0]], "log_likelihood must have shape"),
        (Q, A, np.zeros((0, 2)), "log_likelihood must have shape"),
        (Q, A, [[0, NAN]], "log_likelihood must be finite or -inf, got nan"),
        (Q, A, [[0, INF]], "log_likelihood must be finite or -inf, got inf"),
    ],
)
def test_bad_arguments_of_forward_are_named(initial, transition, log_likelihood, message):
    with pytest.raises(ValueError, match=message):
        latent.forward(initial, transition, log_likelihood)
    with pytest.raises(ValueError, match=message):
        latent.log_evidence(initial, transition, log_likelihood)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("n_steps", "message"),
    [
        (0, "n_steps must be at least 1, got 0"),
        (2.5, "n_steps must be an integer, got 2.5"),
        (None, "n_steps must be an integer, got None"),
    ],
)
def test_bad_numbers_of_steps_are_named(n_steps, message):
    with pytest.raises(ValueError, match=message):
        latent.state_marginals(Q, A, n_steps)


@pytest.mark.usefixtures("as_users_call")
def test_bad_chains_are_named():
    with pytest.raises(ValueError, match="row 0 of transition must sum to one"):
        latent.stationary([[0.9, 0.2], [0.2, 0.8]])
    with pytest.raises(ValueError, match="initial must sum to one"):
        latent.state_marginals([0.9, 0.2], A, 3)
