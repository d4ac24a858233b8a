import dataclasses

import numpy as np
import pytest
from hmmlearn import hmm as hmmlearn
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import KINDS, emission, hide, hmm, paths, seeds
from scipy import optimize
from scipy.special import softmax

from latent import chain, checks, data
from latent.baum_welch import baum_welch
from latent.chain import Posterior
from latent.emissions import Categorical, Gaussian, GaussianMixture, Poisson
from latent.fitting import ROUNDING
from latent.hmm import HMM

every_kind = pytest.mark.parametrize("kind", KINDS)


def sequences(model, rng, lengths=(12, 1, 7)):
    return [model.emission.sample(rng.integers(model.n_states, size=T), rng) for T in lengths]


def log_joints(model, x):
    """ln p(x, s) for every path s."""
    s, rows = paths(model.n_states, len(x)), model.log_likelihood(x)
    moves = checks.log(model.transition)[s[:, :-1], s[:, 1:]].sum(axis=1)
    ends = 0.0 if model.exit is None else checks.log(model.exit)[s[:, -1]]
    emitted = rows[np.arange(len(x)), s].sum(axis=1)
    return checks.log(model.initial)[s[:, 0]] + moves + emitted + ends


def expected_log_joint(model, x, posterior_paths):
    """Q(lambda, lambda') as the sum over all N^T paths."""
    some = posterior_paths > 0
    return posterior_paths[some] @ log_joints(model, x)[some]


def path_posterior(model, x):
    return softmax(log_joints(model, x))


def rising(trace):
    return (np.diff(trace) >= -ROUNDING * (1 + np.abs(trace[:-1]))).all()


# ---- the M-step maximises Q ----


@every_kind
@given(seeds, st.booleans())
def test_q_falls_into_three_terms_of_marginals(kind, seed, exit):
    rng = np.random.default_rng(seed)
    old, new = hmm(rng, kind, 2, exit=exit), hmm(rng, kind, 2, exit=exit)
    x = old.emission.sample(rng.integers(2, size=4), rng)
    gamma, transitions, _ = old.posterior(x)
    q1 = gamma[0] @ checks.log(new.initial)
    q2 = (transitions * checks.log(new.transition)).sum()
    q3 = (gamma * new.log_likelihood(x)).sum()
    q_exit = gamma[-1] @ checks.log(new.exit) if exit else 0.0
    expected = expected_log_joint(new, x, path_posterior(old, x))
    assert_allclose(q1 + q2 + q3 + q_exit, expected)


def test_q2_is_the_sum_of_the_logarithms_of_the_transition_probabilities():
    # Printed: sum over t of p(s_t | s_{t-1}), without the logarithm.
    rng = np.random.default_rng(0)
    old, new = hmm(rng, "poisson", 2), hmm(rng, "poisson", 2)
    x = old.sample(4, rng).x
    gamma, transitions, _ = old.posterior(x)
    rest = gamma[0] @ np.log(new.initial) + (gamma * new.log_likelihood(x)).sum()
    q = expected_log_joint(new, x, path_posterior(old, x))
    assert_allclose(rest + (transitions * np.log(new.transition)).sum(), q)
    assert abs(rest + (transitions * new.transition).sum() - q) > 1


def test_the_sum_in_the_transition_update_runs_to_the_last_step():
    # Printed: sum_{t=2}^N. With N = 2 states and T = 6 steps that is one step out of five.
    rng = np.random.default_rng(1)
    model = hmm(rng, "categorical", 2)
    x = model.sample(6, rng).x
    xi = chain.pairwise(model.initial, model.transition, model.log_likelihood(x))
    assert len(xi) == 5
    printed, corrected = (
        sums / sums.sum(axis=1, keepdims=True) for sums in (xi[0], xi.sum(axis=0))
    )
    new = model.m_step(x, model.posterior(x))
    assert_allclose(new.transition, corrected)
    p = path_posterior(model, x)
    worse = dataclasses.replace(new, transition=printed)
    assert expected_log_joint(worse, x, p) < expected_log_joint(new, x, p) - 1e-3


def test_the_transitions_from_a_state_are_divided_by_its_visits_before_the_last_step():
    # The handwritten notes read sum_t Q(z_t = k, z_{t-1} = j) / sum_t Q(z_t = j): z_{t-1} is meant.
    rng = np.random.default_rng(12)
    model = hmm(rng, "gaussian", 2)
    x = model.sample(6, rng).x
    gamma, transitions, _ = model.posterior(x)
    corrected = transitions / gamma[:-1].sum(axis=0)[:, None]
    assert_allclose(model.m_step(x, model.posterior(x)).transition, corrected)
    for visits in (gamma[1:], gamma):  # sums from t = 2, and from t = 1
        read = transitions / visits.sum(axis=0)[:, None]
        assert np.abs(read.sum(axis=1) - 1).max() > 0.01


def test_xi_is_conditional_on_the_observations():
    # Printed: p(s_{t-1} = i, s_t = j | lambda'), which is the prior and learns nothing.
    rng = np.random.default_rng(2)
    model = hmm(rng, "gaussian", 2)
    x = model.sample(5, rng).x
    p = path_posterior(model, x)
    new = model.m_step(x, model.posterior(x))
    marginals = model.state_marginals(5)
    prior = sum(m[:, None] * model.transition for m in marginals[:-1])
    printed = dataclasses.replace(new, transition=prior / prior.sum(axis=1, keepdims=True))
    assert_allclose(printed.transition, model.transition)
    assert expected_log_joint(printed, x, p) < expected_log_joint(new, x, p) - 1e-3


def test_the_update_of_the_symbols_is_for_every_state_and_every_symbol():
    # Printed: for all i, m in [N] x [T]. With T = 4 steps and M = 3 symbols b_i would have an entry
    # too many, and with T = 2 one too few.
    rng = np.random.default_rng(3)
    model = hmm(rng, "categorical", 2)
    for T in (2, 4):
        x = model.sample(T, rng).x
        gamma = model.posterior(x).gamma
        new = model.m_step(x, model.posterior(x)).emission.probs
        assert new.shape == (2, 3)
        shares = [gamma[x == m].sum(axis=0) / gamma.sum(axis=0) for m in range(3)]
        assert_allclose(new, np.transpose(shares))


@pytest.mark.parametrize("exit", [False, True])
@settings(max_examples=2)
@given(seeds)
def test_no_optimiser_finds_a_higher_q_than_the_m_step(exit, seed):
    rng = np.random.default_rng(seed)
    old = hmm(rng, "categorical", 2, exit=exit)
    x = old.emission.sample(rng.integers(2, size=4), rng)
    p = path_posterior(old, x)
    moves = 2 + exit

    def unpack(theta):
        q, rows, b = np.split(theta, [2, 2 + 2 * moves])
        rows, b = softmax(rows.reshape(2, moves), axis=1), softmax(b.reshape(2, 3), axis=1)
        return HMM(softmax(q), rows[:, :2], Categorical(b), rows[:, 2] if exit else None)

    def minus_q(theta):
        return -expected_log_joint(unpack(theta), x, p)

    best = optimize.minimize(minus_q, np.zeros(2 + 2 * moves + 6), options={"maxiter": 40})
    top = expected_log_joint(old.m_step(x, old.posterior(x)), x, p)
    # Where a share is zero the optimiser only comes close.
    assert -0.05 < -best.fun - top <= 1e-9


# ---- the loop ----


@every_kind
@given(seeds, st.booleans(), st.booleans(), st.integers(1, 3))
def test_the_trace_never_falls(kind, seed, exit, zeros, N):
    rng = np.random.default_rng(seed)
    x = sequences(hmm(rng, kind, N), rng)
    x[0] = hide(x[0], [0, 3])
    start = hmm(rng, kind, N, exit=exit, zeros=zeros)
    assume(start.log_evidence(x) > -np.inf)
    fit = baum_welch(start, x, max_iter=25, tol=0.0)
    assert rising(fit.trace)
    assert_allclose(fit.trace[0], start.log_evidence(x))
    assert_allclose(fit.trace[-1], fit.model.log_evidence(x))
    assert (fit.model.transition[start.transition == 0] == 0).all()
    assert (fit.model.initial[start.initial == 0] == 0).all()
    if exit:
        assert (fit.model.exit[start.exit == 0] == 0).all()


@pytest.mark.parametrize("kind", ["gaussian", "gaussian_mixture"])
@pytest.mark.parametrize("floor", [1e-6, 1e-2])
@pytest.mark.parametrize(
    "x",
    [
        np.zeros((6, 2)),
        np.repeat(np.eye(2), 5, axis=0),
        np.outer(np.arange(8.0), [1, 2]),
        np.vstack([np.zeros((9, 2)), [[1e3, 1e3]]]),
        1e5 + np.outer(np.arange(8.0) ** 2, [1, 0]),
    ],
    ids=["constant", "two points", "on a line", "an outlier", "far on a line"],
)
def test_the_trace_never_falls_on_degenerate_data(kind, floor, x):
    template = {"gaussian": Gaussian.template(floor), "gaussian_mixture": None}[kind]
    template = template or GaussianMixture.template(2, floor)
    for seed in range(3):
        start = HMM.start(x, 3, template, np.random.default_rng(seed))
        fit = baum_welch(start, x, max_iter=30, tol=0.0)
        assert rising(fit.trace)
        eigenvalues = np.linalg.eigvalsh(fit.model.emission.covariances)
        assert eigenvalues.min() >= floor * (1 - 1e-6)


@pytest.mark.parametrize("x", [np.zeros(6, int), np.array([0, 0, 9]), np.array([5])])
@pytest.mark.parametrize("template", [Poisson.template(), Categorical.template(10)])
def test_the_trace_never_falls_on_degenerate_counts(x, template):
    for seed in range(3):
        start = HMM.start(x, 3, template, np.random.default_rng(seed))
        assert rising(baum_welch(start, x, max_iter=30, tol=0.0).trace)


def test_a_left_right_chain_stays_one():
    rng = np.random.default_rng(4)
    A = np.array([[0.8, 0.2, 0.0], [0.0, 0.8, 0.2], [0.0, 0.0, 1.0]])
    start = HMM(np.eye(3)[0], A, Poisson(np.array([3.0, 8.0, 5.0])))
    true = dataclasses.replace(start, emission=Poisson(np.array([1.0, 20.0, 6.0])))
    x = [true.sample(30, rng).x for _ in range(20)]
    model = baum_welch(start, x).model
    assert_array_equal(model.initial, [1, 0, 0])
    assert (model.transition[A == 0] == 0).all()
    assert_allclose(model.emission.rates, [1, 20, 6], rtol=0.15)


def test_a_state_that_is_never_visited_keeps_its_parameters():
    start = HMM(
        np.array([0.5, 0.5, 0.0]),
        np.array([[0.7, 0.3, 0.0], [0.3, 0.7, 0.0], [0.2, 0.3, 0.5]]),
        Poisson(np.array([1.0, 6.0, 50.0])),
    )
    model = baum_welch(start, data.earthquakes()).model
    assert model.emission.rates[2] == 50
    assert_array_equal(model.transition[2], [0.2, 0.3, 0.5])


@every_kind
def test_permuted_states_take_the_same_way(kind):
    rng = np.random.default_rng(5)
    start, order = hmm(rng, kind, 3), [2, 0, 1]
    x = sequences(start, rng)
    fields = [f.name for f in dataclasses.fields(start.emission) if f.init and f.name != "floor"]
    permuted = HMM(
        start.initial[order],
        start.transition[np.ix_(order, order)],
        type(start.emission)(*(getattr(start.emission, name)[order] for name in fields)),
    )
    traces = [baum_welch(m, x, max_iter=10, tol=0.0).trace for m in (start, permuted)]
    assert_allclose(*traces)


@every_kind
def test_the_order_of_the_sequences_does_not_matter(kind):
    rng = np.random.default_rng(6)
    start = hmm(rng, kind, 2)
    x = sequences(start, rng)
    traces = [baum_welch(start, y, max_iter=10, tol=0.0).trace for y in (x, x[::-1])]
    assert_allclose(*traces)


@every_kind
def test_a_list_and_its_checked_sequences_take_the_same_way(kind):
    rng = np.random.default_rng(6)
    start = hmm(rng, kind, 2)
    x = sequences(start, rng)
    traces = [baum_welch(start, y, max_iter=5, tol=0.0).trace for y in (x, start.sequences(x))]
    assert_array_equal(*traces)


@every_kind
def test_missing_steps_at_the_end_say_nothing(kind):
    rng = np.random.default_rng(7)
    start = hmm(rng, kind, 2)
    x = sequences(start, rng, (15,))[0]
    longer = hide(np.concatenate([x, x[:3]]), [15, 16, 17])
    assert_allclose(start.log_evidence(longer), start.log_evidence(x))
    ours, theirs = (start.m_step(y, start.posterior(y)) for y in (longer, x))
    assert_allclose(ours.log_likelihood(x), theirs.log_likelihood(x))
    assert rising(baum_welch(start, longer, max_iter=10).trace)


# ---- known results ----


# -ln p(x) of Zucchini and MacDonald (2009): where q is the stationary distribution (chapter 3), and
# where it is free (chapter 4).
STATIONARY = {1: 391.9189, 2: 342.3183, 3: 329.4603, 4: 327.8316}
FREE = {1: 391.9189, 2: 341.8787, 3: 328.5275}


@pytest.mark.parametrize("N", [1, 2, 3, 4])
def test_earthquakes_have_the_log_evidences_of_the_literature(N):
    x, rng = data.earthquakes(), np.random.default_rng(0)
    restarts = {1: 1, 2: 2, 3: 4, 4: 2}[N]
    fit = HMM.fit(x, N, Poisson.template(), rng=rng, restarts=restarts, max_iter=1000)
    assert -fit.trace[-1] <= STATIONARY[N] + 1e-4
    if N in FREE:
        assert_allclose(-fit.trace[-1], FREE[N], atol=1e-3)
    if N == 2:
        order = np.argsort(fit.model.emission.rates)
        assert_allclose(fit.model.emission.rates[order], [15.42, 26.02], atol=0.01)
        rows = fit.model.transition[np.ix_(order, order)]
        assert_allclose(rows, [[0.9284, 0.0716], [0.1190, 0.8810]], atol=1e-3)


def peer_of(model, n_iter, **settings):
    """hmmlearn's model with the same parameters, no priors and `n_iter` iterations."""
    kind, N = type(model.emission), model.n_states
    common = {"n_iter": n_iter, "tol": -np.inf, "init_params": ""} | settings
    if kind is Categorical:
        peer = hmmlearn.CategoricalHMM(N, **common)
        peer.emissionprob_ = model.emission.probs
    elif kind is Poisson:
        peer = hmmlearn.PoissonHMM(N, lambdas_prior=0.0, lambdas_weight=0.0, **common)
        peer.lambdas_ = model.emission.rates[:, None]
    elif kind is Gaussian:
        priors = {"means_weight": 0.0, "covars_prior": 0.0, "covars_weight": N_FREE}
        peer = hmmlearn.GaussianHMM(N, "full", min_covar=0.0, **priors, **common)
        peer.means_, peer.covars_ = model.emission.means, model.emission.covariances
    else:
        K, D = model.emission.means.shape[1:]
        peer = hmmlearn.GMMHMM(
            N,
            K,
            covariance_type="full",
            min_covar=0.0,
            covars_prior=np.zeros((N, K, D, D)),
            covars_weight=np.full((N, K), -(1.0 + D + 1.0)),
            **common,
        )
        peer.weights_ = model.emission.weights
        peer.means_, peer.covars_ = model.emission.means, model.emission.covariances
    peer.startprob_, peer.transmat_ = model.initial, model.transition
    return peer


N_FREE = 2.0  # hmmlearn divides by the count and covars_weight - D, which this makes zero for D = 2


@every_kind
@pytest.mark.parametrize("implementation", ["log", "scaling"])
def test_iterations_are_hmmlearns(kind, implementation):
    rng = np.random.default_rng(8)
    start = hmm(rng, kind, 3)
    true = dataclasses.replace(start, emission=emission(rng, kind, 3))
    x = [true.sample(T, rng).x for T in (80, 50, 3)]
    n_iter = 1 if kind == "gaussian_mixture" else 5
    peer = peer_of(start, n_iter, implementation=implementation)
    stacked = np.concatenate(x).reshape(133, -1)
    peer.fit(stacked, [80, 50, 3])
    fit = baum_welch(start, x, max_iter=n_iter, tol=0.0)
    new = fit.model.emission
    assert_allclose(fit.trace[:-1], peer.monitor_.history, rtol=1e-9)
    assert_allclose(fit.model.initial, peer.startprob_, atol=1e-7)
    assert_allclose(fit.model.transition, peer.transmat_, atol=1e-7)
    if kind == "categorical":
        assert_allclose(new.probs, peer.emissionprob_, atol=1e-8)
    elif kind == "poisson":
        assert_allclose(new.rates, peer.lambdas_[:, 0])
    else:
        assert_allclose(new.means, peer.means_, rtol=1e-6)
        covariances = new.covariances
        if kind == "gaussian_mixture":
            assert_allclose(new.weights, peer.weights_, atol=1e-8)
            # hmmlearn's are about the old means, which is no maximum.
            step = new.means - start.emission.means
            covariances = covariances + step[..., :, None] * step[..., None, :]
            assert fit.trace[-1] > peer.score(stacked, [80, 50, 3]) + 1
        assert_allclose(covariances, peer.covars_, rtol=1e-5, atol=1e-6)


# ---- an exit ----


def test_the_fit_of_an_exit_is_the_mean_duration():
    # One state: lengths are geometric, and the maximum of e (1 - e)^(T - 1) is at 1 / mean(T).
    lengths = [3, 1, 7, 2]
    x = [np.zeros(T, int) for T in lengths]
    start = HMM(np.ones(1), np.array([[0.5]]), Categorical(np.ones((1, 1))), np.array([0.5]))
    fit = baum_welch(start, x)
    assert_allclose(fit.model.exit, [4 / 13])
    assert_allclose(fit.model.transition, [[9 / 13]])
    assert_allclose(fit.trace[-1], 4 * np.log(4 / 13) + 9 * np.log(9 / 13))


@given(seeds)
def test_a_fit_with_an_exit_climbs_the_sum_over_paths_of_every_duration(seed):
    rng = np.random.default_rng(seed)
    start = hmm(rng, "categorical", 2, exit=True)
    x = sequences(start, rng, (1, 3, 2, 5))

    def brute_force(model):
        return sum(np.logaddexp.reduce(log_joints(model, part)) for part in x)

    fit = baum_welch(start, x, max_iter=5, tol=0.0)
    assert_allclose(fit.trace[[0, -1]], [brute_force(start), brute_force(fit.model)])
    rows = np.column_stack([fit.model.transition, fit.model.exit])
    assert_allclose(rows.sum(axis=1), 1)


def test_the_exits_of_a_fit_are_where_sequences_end():
    rng = np.random.default_rng(9)
    # The first state makes zeros and never ends; the second makes ones, and ends half of the time.
    true = HMM(
        np.array([1.0, 0.0]),
        np.array([[0.8, 0.2], [0.0, 0.5]]),
        Categorical(np.array([[0.9, 0.1], [0.1, 0.9]])),
        np.array([0.0, 0.5]),
    )
    x = [true.sample(1000, rng).x for _ in range(400)]
    start = HMM(
        np.array([0.6, 0.4]),
        np.array([[0.6, 0.2], [0.2, 0.6]]),
        Categorical(np.array([[0.7, 0.3], [0.3, 0.7]])),
        np.array([0.2, 0.2]),
    )
    model = baum_welch(start, x, max_iter=500).model
    assert_allclose(model.exit, true.exit, atol=0.1)
    assert_allclose(model.transition, true.transition, atol=0.1)
    assert_allclose(model.emission.probs, true.emission.probs, atol=0.1)


# ---- bad arguments ----


@pytest.mark.usefixtures("as_users_call")
def test_bad_arguments_are_named():
    x = np.array([0, 1, 1])
    model = HMM(np.ones(1), np.ones((1, 1)), Categorical(np.array([[0.5, 0.5]])))
    with pytest.raises(ValueError, match="max_iter must be at least 1"):
        baum_welch(model, x, max_iter=0)
    with pytest.raises(ValueError, match="tol must not be negative"):
        baum_welch(model, x, tol=-1)
    with pytest.raises(ValueError, match=r"x\[1\] must be from 0 to 1, got 2 at index 0"):
        baum_welch(model, [x, [2]])
    never = dataclasses.replace(model, emission=Categorical(np.array([[1.0, 0.0]])))
    with pytest.raises(ValueError, match="must be possible under the chain: at step 1"):
        baum_welch(never, x)


@pytest.mark.parametrize("kind", ["gaussian", "gaussian_mixture"])
def test_a_start_below_the_floor_is_named(kind):
    rng = np.random.default_rng(10)
    model = hmm(rng, kind, 2)
    x = model.sample(20, rng).x
    low = dataclasses.replace(model, emission=dataclasses.replace(model.emission, floor=50.0))
    with pytest.raises(ValueError, match=r"covariances must start with .* floor = 50\.0"):
        baum_welch(low, x)


def test_a_posterior_of_paths_gives_the_same_m_step_as_marginals():
    # The marginalisation trick: of p(s | x, lambda') only gamma and the sums of xi are left.
    rng = np.random.default_rng(11)
    model = hmm(rng, "gaussian", 2)
    x = model.sample(5, rng).x
    gamma, moves = np.zeros((5, 2)), np.zeros((2, 2))
    for weight, s in zip(path_posterior(model, x), paths(2, 5), strict=True):
        gamma[np.arange(5), s] += weight
        np.add.at(moves, (s[:-1], s[1:]), weight)
    ours = model.m_step(x, model.posterior(x))
    theirs = model.m_step(x, Posterior(gamma, moves, 0.0))
    assert_allclose(ours.transition, theirs.transition)
    assert_allclose(ours.log_likelihood(x), theirs.log_likelihood(x))
