from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from random_models import distributions, hmm, paths, seeds
from scipy.optimize import minimize
from scipy.special import expit

from latent import chain, data
from latent.emissions import Categorical, Gaussian, Poisson
from latent.fitting import elbo, em, kl
from latent.hmm import HMM
from latent.mean_field import mean_field, variational_em

NAN, INF = np.nan, np.inf


def random_chain(seed, N, T, zeros):
    """q, A and ln p(x_t | S_t = i); with `zeros`, probabilities of zero in all three."""
    rng = np.random.default_rng(seed)
    likelihood = rng.random((T, N)) * (rng.random((T, N)) < (0.8 if zeros else 1))
    with np.errstate(divide="ignore"):
        log_likelihood = np.log(likelihood)
    initial, transition = distributions(rng, N, zeros=zeros), distributions(rng, N, N, zeros=zeros)
    return initial, transition, log_likelihood


def all_paths(model, q):
    """Every path, ln p(x, s) and prod_t q_t(s_t)."""
    initial, transition, log_likelihood = model
    T, N = log_likelihood.shape
    s = paths(N, T)
    with np.errstate(divide="ignore"):
        moves = np.log(np.column_stack([initial[s[:, 0]], transition[s[:, :-1], s[:, 1:]]]))
    log_joint = moves.sum(axis=1) + log_likelihood[np.arange(T), s].sum(axis=1)
    return s, log_joint, q[np.arange(T), s].prod(axis=1)


chains = given(seeds, st.integers(1, 3), st.integers(1, 5), st.booleans())


@chains
def test_the_bound_is_that_of_the_product_over_all_paths(seed, N, T, zeros):
    model = random_chain(seed, N, T, zeros)
    log_evidence = chain.log_evidence(*model)
    assume(log_evidence > -INF)
    q, trace, _ = mean_field(*model)
    _, log_joint, product = all_paths(model, q)
    assert_allclose(trace[-1], elbo(product, log_joint), atol=1e-12)
    gap = kl(product, np.exp(log_joint - log_evidence))
    assert_allclose(trace[-1], log_evidence - gap, atol=1e-12)
    assert trace[-1] <= log_evidence + 1e-12


@chains
def test_the_bound_never_falls_and_ends_above_the_best_path(seed, N, T, zeros):
    model = random_chain(seed, N, 10 * T, zeros)
    assume(chain.log_evidence(*model) > -INF)
    q, trace, converged = mean_field(*model, tol=1e-12)
    assert converged
    assert_allclose(q.sum(axis=1), 1)
    assert (np.diff(trace) >= 0).all()
    assert chain.viterbi(*model).log_joint - 1e-9 <= trace[0]
    assert trace[-1] <= chain.log_evidence(*model) + 1e-9


@chains
def test_no_single_step_can_be_improved_at_the_end(seed, N, T, zeros):
    model = random_chain(seed, N, T, zeros)
    assume(chain.log_evidence(*model) > -INF)
    q, _, _ = mean_field(*model, tol=0.0, max_iter=1000)
    s, log_joint, _ = all_paths(model, q)
    for t in range(T):
        # ln q_t(j) = E[ln p(x, S) | S_t = j] under the other factors, and a constant
        log_q = np.full(N, -INF)
        others = np.delete(q, t, axis=0)[np.arange(T - 1), np.delete(s, t, axis=1)].prod(axis=1)
        for j in range(N):
            some = (s[:, t] == j) & (others > 0)
            log_q[j] = others[some] @ log_joint[some]
        best = np.exp(log_q - log_q.max())
        assert_allclose(q[t], best / best.sum(), atol=1e-5)


def test_it_is_exact_where_the_states_are_independent():
    rng = np.random.default_rng(0)
    row = distributions(rng, 3)
    model = row, np.tile(row, (3, 1)), np.log(rng.random((20, 3)))
    q, trace, converged = mean_field(*model)
    posterior = chain.smooth(*model)
    assert_allclose(q, posterior.gamma)
    assert_allclose(trace[-1], posterior.log_evidence)
    assert converged


def test_a_single_step_is_bayes_rule():
    model = np.array([0.75, 0.25]), np.eye(2), np.log([[0.2, 0.4]])
    q, trace, _ = mean_field(*model)
    assert_allclose(q, [[0.6, 0.4]])
    assert_allclose(trace[-1], np.log(0.25))


def test_what_it_is_given_stays_as_it_is():
    model = random_chain(0, 3, 5, zeros=False)
    start = np.full((5, 3), 1 / 3)
    before = [a.copy() for a in (*model, start)]
    mean_field(*model, start=start)
    for a, b in zip((*model, start), before, strict=True):
        assert (a == b).all()


def test_sequences_one_after_the_other_are_independent():
    initial, transition, log_likelihood = random_chain(0, 3, 12, zeros=False)
    lengths = np.array([5, 1, 6])
    q, trace, _ = mean_field(initial, transition, log_likelihood, lengths, tol=1e-12)
    each = [
        mean_field(initial, transition, part, tol=1e-12)
        for part in np.split(log_likelihood, [5, 6])
    ]
    assert_allclose(q, np.concatenate([field.q for field in each]), atol=1e-4)
    assert_allclose(trace[-1], sum(field.trace[-1] for field in each))


def test_it_is_surer_of_itself_than_the_posterior():
    # Sticky states: the posterior knows that all are one or all are the other, not which.
    sticky = np.array([[0.99, 0.01], [0.01, 0.99]])
    model = np.array([0.5, 0.5]), sticky, np.zeros((10, 2))
    assert_allclose(chain.smooth(*model).gamma, 0.5)
    q, trace, _ = mean_field(*model)
    assert (q[:, 0] > 0.95).all()
    assert trace[-1] < -0.5  # of an evidence of zero


def test_other_starts_can_end_at_other_optima():
    sticky = np.array([[0.99, 0.01], [0.01, 0.99]])
    model = np.array([0.5, 0.5]), sticky, np.zeros((10, 2))
    ones = mean_field(*model, start=np.tile([0.1, 0.9], (10, 1)))
    assert (ones.q[:, 1] > 0.95).all()
    assert_allclose(ones.trace[-1], mean_field(*model).trace[-1], atol=1e-5)


def test_a_start_is_improved_upon():
    model = random_chain(1, 3, 30, zeros=False)
    start = chain.smooth(*model).gamma
    q, trace, _ = mean_field(*model, start=start)
    again = mean_field(*model, start=q)
    s = np.random.default_rng(0)
    assert elbo_of(model, start) < trace[0] <= trace[-1]
    assert_allclose(again.trace[-1], trace[-1], atol=1e-5)
    assert elbo_of(model, distributions(s, 30, 3)) < trace[-1]


def elbo_of(model, q):
    """The bound, written out."""
    initial, transition, log_likelihood = model
    return (
        q[0] @ np.log(initial)
        + (q * log_likelihood).sum()
        + sum(a @ np.log(transition) @ b for a, b in pairwise(q))
        - (q * np.log(q)).sum()
    )


def test_a_step_between_two_others_keeps_to_what_both_allow():
    # 0 -> 0 or 1, 1 -> 1: the time of the one move from 0 to 1 cannot be spread over many steps.
    left_right = np.array([[0.5, 0.5], [0, 1]])
    log_likelihood = np.zeros((6, 2))
    log_likelihood[-1, 0] = -INF
    model = np.array([1.0, 0.0]), left_right, log_likelihood
    q, trace, converged = mean_field(*model)
    assert converged
    assert np.isfinite(trace).all()
    assert (((q > 0) & (q < 1)).any(axis=1)).sum() == 1
    assert trace[-1] < chain.log_evidence(*model)


def test_a_start_from_which_no_finite_bound_is_found_is_refused():
    left_right = np.array([[0.5, 0.5], [0, 1]])
    log_likelihood = np.zeros((6, 2))
    log_likelihood[-1, 0] = -INF
    with pytest.raises(ValueError, match="start must leave a state for step 2 "):
        mean_field(np.array([1.0, 0]), left_right, log_likelihood, start=np.full((6, 2), 0.5))


def test_an_impossible_sequence_is_refused_whatever_the_start():
    model = np.array([1.0, 0]), np.eye(2), np.array([[0, 0], [0, 0], [-INF, 0.0]])
    with pytest.raises(ValueError, match="must be possible under the chain: at step 2"):
        mean_field(*model)
    with pytest.raises(ValueError, match="start must leave a state for step 2 "):
        mean_field(*model, start=np.tile([1.0, 0], (3, 1)))


def test_probabilities_that_all_but_vanish_do_no_harm():
    transition = np.array([[1.0, 1e-300], [1e-300, 1.0]])
    log_likelihood = np.array([[0.0, -800], [-800, 0], [0, -800]] * 4)
    model = np.array([0.5, 0.5]), transition, log_likelihood
    q, trace, _ = mean_field(*model)
    assert np.isfinite(q).all()
    assert np.isfinite(trace).all()
    assert (np.diff(trace) >= 0).all()


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"initial": [0.5, 0.6]}, "initial must sum to one"),
        ({"transition": [[1.0]]}, r"transition must have shape \(N, N\) with N = 2"),
        ({"log_likelihood": [[0, NAN]]}, "log_likelihood must be finite or -inf"),
        ({"lengths": [1, 2]}, "lengths must sum to the number of rows of log_likelihood, 2, got 3"),
        ({"lengths": [0, 2]}, "lengths must be at least 1, got 0"),
        (
            {"lengths": [3], "start": [[0.5, 0.5]] * 2},
            "lengths must sum to the number of rows of log_likelihood, 2, got 3",
        ),
        ({"start": [[0.5, 0.5]]}, r"start must have shape \(T, N\) with T = 2, N = 2"),
        ({"start": [[0.5, 0.5], [0.5, 0.6]]}, "row 1 of start must sum to one"),
        ({"max_iter": 0}, "max_iter must be at least 1"),
        ({"tol": -1}, "tol must not be negative"),
    ],
)
def test_bad_arguments_are_named(change, message):
    good = {
        "initial": [0.5, 0.5],
        "transition": [[0.9, 0.1], [0.2, 0.8]],
        "log_likelihood": [[0, 0], [0, 0]],
    }
    with pytest.raises(ValueError, match=message):
        mean_field(**(good | change))


def exact_em(model, x, **options):
    def e_step(model):
        posterior = model.posterior(x)
        return (model, posterior), posterior.log_evidence

    return em(model, e_step, lambda pair: pair[0].m_step(x, pair[1]), **options)


def earthquake_model():
    sticky = np.array([[0.9, 0.1], [0.1, 0.9]])
    return HMM(np.full(2, 0.5), sticky, Poisson(np.array([15.0, 26.0])))


@pytest.mark.parametrize("exit", [False, True])
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("kind", ["categorical", "gaussian", "poisson"])
def test_variational_em_raises_a_lower_bound_on_the_evidence(kind, zeros, exit):
    for seed in range(2):
        rng = np.random.default_rng(seed)
        model = hmm(rng, kind, 3, exit=exit, zeros=zeros)
        x = [model.sample(30, rng).x for _ in range(4)]
        fit = variational_em(model, x, max_iter=15)
        assert (np.diff(fit.trace) >= 0).all()
        assert fit.trace[0] <= model.log_evidence(x) + 1e-9
        assert fit.trace[-1] <= fit.model.log_evidence(x) + 1e-9


@pytest.mark.parametrize("exit", [False, True])
def test_variational_em_starts_from_the_bound_over_all_paths(exit):
    rng = np.random.default_rng(1)
    model = hmm(rng, "poisson", 2, exit=exit)
    x = np.array([3, 8, 0, 4])
    fit = variational_em(model, x, max_iter=1000, tol=1e-12)
    s = paths(2, 4)
    log_joint = np.array([model.log_joint(x, path) for path in s])
    # Among all q that are products, by a search over the four probabilities of state 0.
    best = minimize(
        lambda a: (
            -elbo(np.column_stack([expit(a), expit(-a)])[np.arange(4), s].prod(axis=1), log_joint)
        ),
        np.zeros(4),
    )
    assert_allclose(fit.trace[0], -best.fun, atol=1e-6)


def test_variational_em_is_em_where_there_are_no_neighbours():
    rng = np.random.default_rng(2)
    model = hmm(rng, "poisson", 3)
    x = [model.sample(1, rng).x for _ in range(40)]
    fit = variational_em(model, x, max_iter=10, tol=0.0)
    assert len(fit.trace) == 11
    assert_allclose(fit.trace, exact_em(model, x, max_iter=10, tol=0.0).trace)


def test_variational_em_begins_like_em_where_the_states_are_independent():
    rng = np.random.default_rng(3)
    row = distributions(rng, 3)
    model = HMM(row, np.tile(row, (3, 1)), Poisson(np.array([2.0, 5.0, 9.0])))
    x = rng.poisson(5, size=50)
    first = variational_em(model, x, max_iter=1).model
    exact = model.m_step(x, model.posterior(x))
    assert_allclose(first.initial, exact.initial)
    assert_allclose(first.transition, exact.transition)
    assert_allclose(first.emission.rates, exact.emission.rates)


def test_earthquakes_are_fitted_nearly_as_well_and_the_bound_is_two_nats_below():
    x = data.earthquakes()
    model, trace, _ = exact_em(earthquake_model(), x)
    fit = variational_em(earthquake_model(), x)
    log_evidence = fit.model.log_evidence(x)
    assert fit.converged
    assert fit.trace[-1] < log_evidence < trace[-1]
    assert_allclose(trace[-1], -341.879, atol=1e-3)  # as in Zucchini and MacDonald (2009)
    assert trace[-1] - log_evidence < 0.05
    assert 1.5 < log_evidence - fit.trace[-1] < 2.5
    assert_allclose(fit.model.emission.rates, model.emission.rates, atol=0.3)


def test_the_evidence_can_fall_while_the_bound_rises():
    # One source says that raising the bound raises ln p(x) for any q: it needs the posterior.
    x = data.earthquakes()
    best = exact_em(earthquake_model(), x).model
    fit = variational_em(best, x, max_iter=1)
    assert fit.trace[1] > fit.trace[0] + 0.01
    assert fit.model.log_evidence(x) < best.log_evidence(x) - 0.005
    exact = best.m_step(x, best.posterior(x))
    assert exact.log_evidence(x) >= best.log_evidence(x)


def test_a_list_of_one_sequence_is_that_sequence():
    x = data.earthquakes()
    one, listed = variational_em(earthquake_model(), x), variational_em(earthquake_model(), [x])
    assert one.trace.tolist() == listed.trace.tolist()


def test_missing_observations_are_left_out():
    x = np.ma.masked_array(data.earthquakes(), mask=False)
    x[10:20] = np.ma.masked
    fit = variational_em(earthquake_model(), x)
    assert np.isfinite(fit.trace).all()
    assert fit.trace[-1] < fit.model.log_evidence(x)


def test_counts_below_the_digits_of_a_number_are_no_counts():
    # q_1(1) would be 5e-324, the smallest number there is: its share of q_2 cannot be written.
    emission = Gaussian(np.array([[0.0], [38.59]]), np.ones((2, 1, 1)))
    model = HMM(np.full(2, 0.5), np.full((2, 2), 0.5), emission)
    x = np.array([[0.0], [19.28]])
    fit = variational_em(model, x, max_iter=1)
    assert fit.model.transition[1].tolist() == [0.5, 0.5]


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        ([1, -1], {}, "x must be at least 0, got -1"),
        ([1, 2], {"max_iter": 0}, "max_iter must be at least 1"),
        ([1, 2], {"tol": -1.0}, "tol must not be negative"),
    ],
)
def test_bad_arguments_of_variational_em_are_named(x, options, message):
    with pytest.raises(ValueError, match=message):
        variational_em(earthquake_model(), x, **options)


def test_variational_em_refuses_an_impossible_sequence():
    model = HMM(np.array([1.0, 0]), np.eye(2), Categorical(np.eye(2)))
    with pytest.raises(ValueError, match="must be possible under the chain: at step 1 "):
        variational_em(model, np.array([0, 1]))
