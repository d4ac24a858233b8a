from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from random_models import distributions, paths, seeds

from latent import chain
from latent.order_m import order_m

NAN, INF = np.nan, np.inf


def random_model(seed, N, m, T, zeros):
    """p(S_1..S_m), p(S_t | S_{t-m}..S_{t-1}) and ln p(x_t | S_t)."""
    rng = np.random.default_rng(seed)
    initial = distributions(rng, N**m, zeros=zeros).reshape((N,) * m)
    transition = distributions(rng, *(N,) * (m + 1), zeros=zeros)
    likelihood = rng.random((T, N)) * (rng.random((T, N)) < (0.8 if zeros else 1))
    with np.errstate(divide="ignore"):
        return initial, transition, np.log(likelihood)


def brute_force(initial, transition, log_likelihood):
    """Every path of the m-order chain and its probability with the observations."""
    (T, N), m = log_likelihood.shape, initial.ndim
    s = paths(N, T)
    joint = np.exp(log_likelihood)[np.arange(T), s].prod(axis=1)
    for n, path in enumerate(s):
        joint[n] *= initial[tuple(path[:m])]
        for t in range(m, T):
            joint[n] *= transition[tuple(path[t - m : t + 1])]
    return s, joint


models = given(seeds, st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.booleans())


@models
def test_evidence_posterior_and_best_path_are_those_of_all_paths(seed, N, m, longer, zeros):
    initial, transition, log_likelihood = random_model(seed, N, m, m + longer, zeros)
    s, joint = brute_force(initial, transition, log_likelihood)
    super_chain = order_m(initial, transition)
    model = (*super_chain[:2], super_chain.log_likelihood(log_likelihood))
    assert_allclose(np.exp(chain.log_evidence(*model)), joint.sum(), atol=1e-15)
    assume(joint.sum() > 0)
    posterior = chain.smooth(*model)
    gamma = [joint[s[:, t] == i].sum() for t, i in product(range(m + longer), range(N))]
    gamma = np.reshape(gamma, (m + longer, N)) / joint.sum()
    assert_allclose(super_chain.gamma(posterior.gamma), gamma, atol=1e-12)
    path, log_joint = chain.viterbi(*model)
    assert_allclose(np.exp(log_joint), joint.max())
    assert_allclose(joint[(s == super_chain.states(path)).all(axis=1)], joint.max())


@models
def test_counts_are_expected_numbers_of_runs_of_m_plus_one_states(seed, N, m, longer, zeros):
    initial, transition, log_likelihood = random_model(seed, N, m, m + longer, zeros)
    s, joint = brute_force(initial, transition, log_likelihood)
    assume(joint.sum() > 0)
    super_chain = order_m(initial, transition)
    posterior = chain.smooth(*super_chain[:2], super_chain.log_likelihood(log_likelihood))
    counts = np.zeros((N,) * (m + 1))
    for path, weight in zip(s, joint / joint.sum(), strict=True):
        for t in range(m, m + longer):
            counts[tuple(path[t - m : t + 1])] += weight
    assert_allclose(super_chain.counts(posterior.transitions), counts, atol=1e-12)


def test_an_order_of_one_changes_nothing():
    initial, transition, log_likelihood = random_model(0, 3, 1, 5, zeros=False)
    super_chain = order_m(initial, transition)
    assert (super_chain.n_states, super_chain.order) == (3, 1)
    assert (super_chain.initial == initial).all()
    assert (super_chain.transition == transition).all()
    assert (super_chain.log_likelihood(log_likelihood) == log_likelihood).all()
    posterior = chain.smooth(initial, transition, log_likelihood)
    assert_allclose(super_chain.gamma(posterior.gamma), posterior.gamma)
    assert (super_chain.counts(posterior.transitions) == posterior.transitions).all()
    assert super_chain.states(np.array([2, 0, 1])).tolist() == [2, 0, 1]


def test_super_states_go_only_to_those_that_continue_them():
    initial, transition, _ = random_model(0, 2, 2, 2, zeros=False)
    super_chain = order_m(initial, transition)
    # From (0, 1), number 1, to (1, 0) and (1, 1), numbers 2 and 3.
    assert_allclose(super_chain.transition[1], [0, 0, *transition[0, 1]])
    assert_allclose(super_chain.transition.sum(axis=1), 1)


def test_a_first_order_chain_has_the_same_posterior_as_a_second_order_one():
    first, A, log_likelihood = random_model(1, 3, 1, 60, zeros=False)
    # p(S_1, S_2) = q_i a_ij, and S_{t-2} does not matter.
    super_chain = order_m(first[:, None] * A, np.tile(A, (3, 1, 1)))
    posterior = chain.smooth(*super_chain[:2], super_chain.log_likelihood(log_likelihood))
    expected = chain.smooth(first, A, log_likelihood)
    assert_allclose(posterior.log_evidence, expected.log_evidence)
    assert_allclose(super_chain.gamma(posterior.gamma), expected.gamma, atol=1e-12)


def test_a_memory_of_two_steps_sees_a_period_of_two_that_one_step_cannot():
    # S_t repeats S_{t-2} nine times in ten, whatever S_{t-1} was.
    repeat = np.array([[0.9, 0.1], [0.1, 0.9]])
    super_chain = order_m(np.full((2, 2), 0.25), np.repeat(repeat[:, None], 2, axis=1))
    log_likelihood = np.log([[0.9, 0.1], [0.1, 0.9], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
    model = (*super_chain[:2], super_chain.log_likelihood(log_likelihood))
    assert super_chain.states(chain.viterbi(*model).states).tolist() == [0, 1, 0, 1, 0]


def test_sampled_paths_come_back_as_states():
    initial, transition, log_likelihood = random_model(2, 2, 2, 4, zeros=False)
    super_chain = order_m(initial, transition)
    model = (*super_chain[:2], super_chain.log_likelihood(log_likelihood))
    drawn = super_chain.states(chain.sample_posterior(*model, 20_000, np.random.default_rng(0)))
    assert drawn.shape == (20_000, 4)
    s, joint = brute_force(initial, transition, log_likelihood)
    p = joint / joint.sum()
    frequency = np.array([(drawn == path).all(axis=1).mean() for path in s])
    assert (np.abs(frequency - p) <= 4 * np.sqrt(p * (1 - p) / 20_000)).all()


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("initial", "transition", "message"),
    [
        (1.0, [1.0], r"initial must have shape \(N,\) \* m with an order m of at least 1, got"),
        ([[0.5, 0.5]], [[1.0]], r"initial must have shape \(N, N\), got \(1, 2\)"),
        ([0.5, 0.6], np.eye(2), "initial must sum to one, got the sum 1.1"),
        ([1.5, -0.5], np.eye(2), "initial must not be negative, got -0.5 at index 1"),
        (["a"], np.eye(1), "initial must be an array of real numbers"),
        ([NAN, 1], np.eye(2), "initial must be finite, got nan"),
        (
            np.full((2, 2), 0.25),
            np.eye(2),
            r"transition must have shape \(N, N, N\) with N = 2, got \(2, 2\)",
        ),
        ([0.5, 0.5], np.ones((2, 2)), "row 0 of transition must sum to one, got the sum 2.0"),
    ],
)
def test_bad_chains_are_named(initial, transition, message):
    with pytest.raises(ValueError, match=message):
        order_m(initial, transition)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("method", "argument", "message"),
    [
        ("log_likelihood", [[0.0, 0.0]], "log_likelihood must have at least m = 2 steps, got 1"),
        ("log_likelihood", np.zeros((3, 4)), r"shape \(T, N\) with N = 2, got \(3, 4\)"),
        ("log_likelihood", [[0, NAN], [0, 0]], "log_likelihood must be finite or -inf, got nan"),
        ("gamma", np.full((3, 2), 0.5), r"gamma must have shape \(U, M\) with M = 4"),
        ("gamma", np.full((3, 4), 0.5), "row 0 of gamma must sum to one"),
        ("counts", np.ones((2, 2)), r"transitions must have shape \(M, M\) with M = 4"),
        ("counts", -np.ones((4, 4)), "transitions must not be negative"),
        ("states", [0, 4], "super_states must be from 0 to 3, got 4 at index 1"),
        ("states", [0, 0.5], "super_states must be integers, got 0.5"),
        ("states", [0, 1, 0], "must each continue the one before, but at step 2 the first 1"),
    ],
)
def test_bad_arguments_of_the_way_there_and_back_are_named(method, argument, message):
    super_chain = order_m(np.full((2, 2), 0.25), np.full((2, 2, 2), 0.5))
    with pytest.raises(ValueError, match=message):
        getattr(super_chain, method)(argument)
