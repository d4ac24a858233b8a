import dataclasses

import numpy as np
import pytest
from hmmlearn import hmm as hmmlearn
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import KINDS, emission, hide, hmm, paths, seeds

import latent
from latent.chain import Posterior
from latent.emissions import Categorical, Gaussian, GaussianMixture, Poisson
from latent.sequences import Sequences

every_kind = pytest.mark.parametrize("kind", KINDS)

Q, A = np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.2, 0.8]])
COIN = latent.Categorical(np.array([[0.5, 0.5], [0.1, 0.9]]))


def log_joints(model, x):
    """ln p(x, s) for every path s."""
    return np.array([model.log_joint(x, s) for s in paths(model.n_states, len(x))])


@every_kind
@given(seeds, st.integers(1, 3), st.integers(1, 4), st.booleans())
def test_the_log_joint_is_the_product_of_the_lecture(kind, seed, N, T, exit):
    rng = np.random.default_rng(seed)
    model = hmm(rng, kind, N, exit=exit)
    s = rng.integers(N, size=T)
    x = model.emission.sample(s, rng)
    b = np.exp(model.log_likelihood(x))
    joint = model.initial[s[0]] * b[0, s[0]]
    for t in range(1, T):
        joint *= model.transition[s[t - 1], s[t]] * b[t, s[t]]
    if exit:
        joint *= model.exit[s[-1]]
    assert_allclose(model.log_joint(x, s), np.log(joint))


@every_kind
@given(seeds, st.integers(1, 3), st.integers(1, 4), st.booleans(), st.booleans())
def test_the_evidence_is_the_sum_of_the_joint_over_all_paths(kind, seed, N, T, exit, zeros):
    rng = np.random.default_rng(seed)
    model = hmm(rng, kind, N, exit=exit, zeros=zeros)
    x = model.emission.sample(rng.integers(N, size=T), rng)
    expected = np.logaddexp.reduce(log_joints(model, x))
    assert_allclose(model.log_evidence(x), expected, rtol=1e-12, atol=1e-12)


@every_kind
@given(seeds, st.integers(1, 3), st.integers(1, 4), st.booleans(), st.booleans())
def test_the_posterior_sums_over_all_paths(kind, seed, N, T, exit, zeros):
    rng = np.random.default_rng(seed)
    model = hmm(rng, kind, N, exit=exit, zeros=zeros)
    x = model.emission.sample(rng.integers(N, size=T), rng)
    joints = log_joints(model, x)
    assume(joints.max() > -np.inf)
    p = np.exp(joints - np.logaddexp.reduce(joints))
    gamma, moves = np.zeros((T, N)), np.zeros((N, N))
    for weight, s in zip(p, paths(N, T), strict=True):
        gamma[np.arange(T), s] += weight
        np.add.at(moves, (s[:-1], s[1:]), weight)
    posterior = model.posterior(x)
    assert_allclose(posterior.gamma, gamma, atol=1e-10)
    assert_allclose(posterior.transitions, moves, atol=1e-10)
    assert_allclose(posterior.log_evidence, model.log_evidence(x), rtol=1e-12, atol=1e-12)


@every_kind
@given(seeds, st.integers(1, 3), st.integers(1, 4), st.booleans(), st.booleans())
def test_no_path_is_better_than_viterbis(kind, seed, N, T, exit, zeros):
    rng = np.random.default_rng(seed)
    model = hmm(rng, kind, N, exit=exit, zeros=zeros)
    x = model.emission.sample(rng.integers(N, size=T), rng)
    joints = log_joints(model, x)
    assume(joints.max() > -np.inf)
    best = model.viterbi(x)
    assert_allclose(best.log_joint, joints.max(), rtol=1e-12, atol=1e-12)
    assert_allclose(best.log_joint, model.log_joint(x, best.states), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("exit", [False, True])
def test_sampled_paths_have_the_posterior(exit):
    rng = np.random.default_rng(3)
    model = hmm(rng, "categorical", 2, exit=exit)
    x, n = np.array([0, 2, 1]), 20_000
    samples = model.sample_posterior(x, n, rng)
    shares = np.bincount(samples @ [4, 2, 1], minlength=8) / n
    joints = log_joints(model, x)
    assert_allclose(shares, np.exp(joints - np.logaddexp.reduce(joints)), atol=0.015)


@every_kind
@pytest.mark.parametrize("exit", [False, True])
def test_without_observations_the_posterior_is_the_prior(kind, exit):
    model = hmm(np.random.default_rng(4), kind, 3, exit=exit)
    x = model.emission.sample(np.zeros(4, int), np.random.default_rng(0))
    gamma = model.posterior(hide(x, range(4))).gamma
    if not exit:
        assert_allclose(gamma, model.state_marginals(4))
    else:  # the prior, given that the chain leaves after step 4
        ahead = [np.linalg.matrix_power(model.transition, 3 - t) @ model.exit for t in range(4)]
        expected = model.state_marginals(4) * ahead
        assert_allclose(gamma, expected / expected.sum(axis=1, keepdims=True))


def test_an_impossible_sequence_has_joint_and_evidence_zero():
    model = latent.HMM(Q, A, latent.Categorical(np.array([[1.0, 0.0], [1.0, 0.0]])))
    x = np.array([0, 1])
    assert model.log_evidence(x) == -np.inf
    assert model.log_joint(x, np.array([0, 0])) == -np.inf
    for impossible in (model.posterior, model.viterbi):
        with pytest.raises(ValueError, match="must be possible under the chain: at step 1"):
            impossible(x)
    with pytest.raises(ValueError, match="must be possible under the chain: at step 1"):
        model.sample_posterior(x, 2, np.random.default_rng(0))


def test_a_state_that_is_always_left_at_once_only_ends_sequences():
    exit = np.array([0.0, 1.0])
    model = latent.HMM(Q, np.array([[0.5, 0.5], [0.0, 0.0]]), COIN, exit)
    x = np.array([0, 1, 1])
    posterior = model.posterior(x)
    assert_allclose(posterior.gamma, [[1, 0], [1, 0], [0, 1]])
    assert_allclose(posterior.log_evidence, np.log(0.5 * 0.5 * 0.5 * 0.5 * 0.5 * 0.9))
    new = model.m_step(x, posterior)
    assert_allclose(new.transition, [[0.5, 0.5], [0, 0]])
    assert_allclose(new.exit, exit)


# ---- several sequences ----


def pieces(model, rng, lengths=(3, 1, 5)):
    return [model.emission.sample(rng.integers(model.n_states, size=T), rng) for T in lengths]


@every_kind
@given(seeds, st.booleans())
def test_a_list_is_its_sequences_one_by_one(kind, seed, exit):
    rng = np.random.default_rng(seed)
    model = hmm(rng, kind, 3, exit=exit)
    x = pieces(model, rng)
    x[2] = hide(x[2], [1])
    one_by_one = [model.posterior(part) for part in x]
    posterior = model.posterior(x)
    assert isinstance(posterior.gamma, list)
    for gamma, one in zip(posterior.gamma, one_by_one, strict=True):
        assert_allclose(gamma, one.gamma, atol=1e-12)
    expected = sum(one.transitions for one in one_by_one)
    assert_allclose(posterior.transitions, expected, atol=1e-12)
    total = sum(model.log_evidence(part) for part in x)
    assert_allclose([posterior.log_evidence, model.log_evidence(x)], total)
    best = model.viterbi(tuple(x))
    for states, part in zip(best.states, x, strict=True):
        assert_array_equal(states, model.viterbi(part).states)
    assert_allclose(best.log_joint, sum(model.viterbi(part).log_joint for part in x))
    assert_allclose(model.log_joint(x, best.states), best.log_joint)
    for rows, part in zip(model.log_likelihood(x), x, strict=True):
        assert_allclose(rows, model.log_likelihood(part))
    samples = model.sample_posterior(x, 4, rng)
    assert [s.shape for s in samples] == [(4, 3), (4, 1), (4, 5)]


def test_each_sequence_of_a_list_is_sampled_from_its_own_posterior():
    rng = np.random.default_rng(5)
    model = hmm(rng, "poisson", 2)
    x = pieces(model, rng)
    samples = model.sample_posterior(x, 20_000, rng)
    for drawn, gamma in zip(samples, model.posterior(x).gamma, strict=True):
        assert_allclose(drawn.mean(axis=0), gamma[:, 1], atol=0.02)


@every_kind
@pytest.mark.parametrize("exit", [False, True])
def test_the_m_step_of_a_list_adds_up_its_counts(kind, exit):
    rng = np.random.default_rng(6)
    model = hmm(rng, kind, 3, exit=exit)
    x = pieces(model, rng, (4, 2, 6))
    one_by_one = [model.posterior(part) for part in x]
    new = model.m_step(x, model.posterior(x))
    moves = sum(one.transitions for one in one_by_one)
    leaves = sum(one.gamma[-1] for one in one_by_one) if exit else 0.0
    nu = moves.sum(axis=1) + leaves
    assert_allclose(new.initial, sum(one.gamma[0] for one in one_by_one) / 3)
    assert_allclose(new.transition, moves / nu[:, None])
    if exit:
        assert_allclose(new.exit, leaves / nu)
    gamma = np.concatenate([one.gamma for one in one_by_one])
    expected = model.emission.m_step(np.concatenate(x), gamma)
    assert_allclose(new.log_likelihood(x[0]), expected.log_likelihood(x[0]))


def test_a_state_that_is_never_visited_keeps_its_row():
    emission = latent.Categorical(np.array([[0.5, 0.5, 0.0], [0.2, 0.8, 0.0], [0.0, 0.0, 1.0]]))
    model = latent.HMM(np.array([0.5, 0.3, 0.2]), np.full((3, 3), 1 / 3), emission)
    x = np.array([0, 1, 1, 0])
    new = model.m_step(x, model.posterior(x))
    assert_array_equal(new.transition[2], model.transition[2])
    assert_array_equal(new.emission.probs[2], [0, 0, 1])
    assert new.initial[2] == 0
    assert (new.transition[:2, 2] == 0).all()


@pytest.mark.usefixtures("as_users_call")
def test_a_list_is_one_sequence_or_several_by_what_its_items_are():
    counts = latent.HMM(Q, A, Poisson([1.0, 2.0]))
    one = counts.posterior([1, 2, 3])
    assert one.gamma.shape == (3, 2)
    assert [g.shape for g in counts.posterior([[1, 2, 3]]).gamma] == [(3, 2)]
    assert [g.shape for g in counts.posterior([[1, 2], np.array([3])]).gamma] == [(2, 2), (1, 2)]
    masked = np.ma.masked_array([1, 2], mask=[True, False])
    assert [g.shape for g in counts.posterior((masked, [3])).gamma] == [(2, 2), (1, 2)]
    vectors = latent.HMM(Q, A, Gaussian([[0.0], [1.0]], [[[1.0]], [[1.0]]]))
    assert vectors.posterior([[1.0], [2.0]]).gamma.shape == (2, 2)
    assert vectors.posterior([np.ones(1), np.ones(1)]).gamma.shape == (2, 2)
    assert [g.shape for g in vectors.posterior([[[1.0], [2.0]]]).gamma] == [(2, 2)]
    assert [g.shape for g in vectors.posterior([np.ones((2, 1))]).gamma] == [(2, 2)]
    assert_allclose(
        counts.log_evidence([[1, 2, 3], [4]]),
        counts.log_evidence([1, 2, 3]) + counts.log_evidence([4]),
    )


def test_checked_sequences_serve_in_place_of_the_data():
    rng = np.random.default_rng(7)
    model = hmm(rng, "gaussian", 2)
    x = pieces(model, rng)
    data = model.sequences(x)
    assert isinstance(data, Sequences)
    assert data.lengths.tolist() == [3, 1, 5]
    assert data.starts.tolist() == [0, 3, 4]
    assert data.ends.tolist() == [2, 3, 8]
    assert model.log_evidence(data) == model.log_evidence(x)
    for ours, theirs in zip(model.posterior(data).gamma, model.posterior(x).gamma, strict=True):
        assert_array_equal(ours, theirs)
    together = model.posterior(data._replace(listed=False)).gamma
    assert_array_equal(together, np.concatenate(model.posterior(x).gamma))


@pytest.mark.usefixtures("as_users_call")
def test_a_bad_sequence_of_a_list_is_named_by_its_number():
    model, rng = latent.HMM(Q, A, COIN), np.random.default_rng(0)
    normal = latent.HMM(Q, A, Gaussian(np.zeros((2, 1)), np.ones((2, 1, 1))))
    for x, message in (
        ([[0, 1], [1, 2]], r"x\[1\] must be from 0 to 1, got 2 at index 1"),
        ([[0, 1], []], r"x\[1\] must have shape \(T\), got \(0,\)"),
        ([[0, 1], 1], r"x\[1\] must have shape \(T\), got \(\)"),
        ([[0, 1], [0.5]], r"x\[1\] must be integers"),
        ([0, [1, 0]], "x must be an array of real numbers"),
        ([], "x must have at least one sequence"),
    ):
        for method in (model.posterior, model.viterbi, model.log_evidence, model.log_likelihood):
            with pytest.raises(ValueError, match=message):
                method(x)
        with pytest.raises(ValueError, match=message):
            model.sample_posterior(x, 2, rng)
    for x, message in (
        ([np.ones((2, 1)), np.ones((2, 2))], r"x\[1\] must have shape \(T, D\) with D = 1"),
        ([np.ones((2, 1)), np.ones(2)], r"x\[1\] must have shape"),
        ([np.ones((2, 1)), [[np.inf]]], r"x\[1\] must not be infinite, see row 0"),
        (np.ones((2, 2, 1)), r"x must have shape \(T, D\) with D = 1, got \(2, 2, 1\)"),
        ([1.0, 2.0], "x must have shape"),
    ):
        with pytest.raises(ValueError, match=message):
            normal.posterior(x)
    with pytest.raises(ValueError, match=r"states\[1\] must have shape \(T\) with T = 1"):
        model.log_joint([[0, 1], [1]], [[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="states must have one array for each of the 2 sequences"):
        model.log_joint([[0, 1], [1]], [[0, 1]])


@pytest.mark.usefixtures("as_users_call")
def test_a_posterior_of_other_data_is_named():
    model = latent.HMM(Q, A, COIN)
    posterior = model.posterior([0, 1, 1])
    with pytest.raises(ValueError, match=r"weights must have shape \(T, N\) with T = 2"):
        model.m_step([0, 1], posterior)
    wrong = Posterior(posterior.gamma, posterior.transitions[:1], 0.0)
    with pytest.raises(ValueError, match=r"posterior\.transitions must have shape \(N, N\)"):
        model.m_step([0, 1, 1], wrong)


# ---- starts and fits ----

TEMPLATES = {
    "categorical": Categorical.template(3),
    "gaussian": Gaussian.template(),
    "poisson": Poisson.template(),
    "gaussian_mixture": GaussianMixture.template(2),
}


@every_kind
@given(seeds, st.integers(1, 4))
def test_a_start_makes_nothing_impossible(kind, seed, N):
    rng = np.random.default_rng(seed)
    x = pieces(hmm(rng, kind, 3), rng, (6, 4))
    start = latent.HMM.start(x, N, TEMPLATES[kind], rng)
    assert start.n_states == N
    assert start.exit is None
    assert (start.initial > 0).all()
    assert (start.transition > 0).all()
    assert np.isfinite(start.log_evidence(x))


@every_kind
def test_a_fit_is_the_best_of_its_restarts(kind):
    rng = np.random.default_rng(8)
    x = pieces(hmm(rng, kind, 3), rng, (40, 30))

    def fit(restarts):
        rng = np.random.default_rng(0)
        template = TEMPLATES[kind]
        return latent.HMM.fit(x, 2, template, rng=rng, restarts=restarts, max_iter=8)

    one, many = fit(1), fit(4)
    assert many.trace[-1] >= one.trace[-1]
    assert_allclose(many.model.log_evidence(x), many.trace[-1])
    assert_array_equal(fit(4).trace, many.trace)
    assert len(one.trace) <= 9


def test_a_fit_finds_the_states_that_made_the_data():
    rng = np.random.default_rng(9)
    true = latent.HMM(Q, A, Poisson(np.array([2.0, 15.0])))
    x = [true.sample(300, rng).x for _ in range(3)]
    fit = latent.HMM.fit(x, 2, Poisson.template(), rng=rng)
    assert fit.converged
    order = np.argsort(fit.model.emission.rates)
    assert_allclose(fit.model.emission.rates[order], [2, 15], rtol=0.05)
    assert_allclose(fit.model.transition[np.ix_(order, order)], A, atol=0.1)


@pytest.mark.usefixtures("as_users_call")
def test_bad_arguments_of_a_fit_are_named():
    rng = np.random.default_rng(0)
    for change, message in (
        ({"x": [0, 3]}, "x must be from 0 to 2, got 3"),
        ({"x": [[0, 1], [3]]}, r"x\[1\] must be from 0 to 2, got 3 at index 0"),
        ({"x": [[0, 1], []]}, r"x\[1\] must have shape \(T\), got \(0,\)"),
        (
            {"x": [np.ones((2, 1)), np.ones((3, 2))], "emission": Gaussian.template()},
            r"x\[1\] must have as many columns as x\[0\], 1, got 2",
        ),
        ({"n_states": 0}, "n_states must be at least 1"),
        ({"emission": COIN}, r"emission must be a template such as latent\.Gaussian\.template"),
        ({"rng": 0}, r"rng must be a numpy\.random\.Generator"),
        ({"restarts": 0}, "restarts must be at least 1"),
        ({"max_iter": 0}, "max_iter must be at least 1"),
        ({"tol": -1}, "tol must not be negative"),
    ):
        arguments = {"x": [0, 1], "n_states": 2, "emission": Categorical.template(3), "rng": rng}
        with pytest.raises(ValueError, match=message):
            latent.HMM.fit(**(arguments | change))


@every_kind
def test_the_log_evidence_is_hmmlearns(kind):
    rng = np.random.default_rng(0)
    model = hmm(rng, kind, 3)
    x = model.sample(200, rng).x
    if kind == "categorical":
        peer = hmmlearn.CategoricalHMM(3)
        peer.emissionprob_ = model.emission.probs
    elif kind == "gaussian":
        peer = hmmlearn.GaussianHMM(3, "full")
        peer.means_, peer.covars_ = model.emission.means, model.emission.covariances
    elif kind == "poisson":
        peer = hmmlearn.PoissonHMM(3)
        peer.lambdas_ = model.emission.rates[:, None]
    else:
        peer = hmmlearn.GMMHMM(3, 2, covariance_type="full")
        peer.weights_ = model.emission.weights
        peer.means_, peer.covars_ = model.emission.means, model.emission.covariances
    peer.startprob_, peer.transmat_ = model.initial, model.transition
    assert_allclose(model.log_evidence(x), peer.score(x.reshape(len(x), -1)))


@every_kind
def test_a_missing_observation_is_summed_out(kind):
    rng = np.random.default_rng(1)
    model = hmm(rng, kind, 2)
    x = model.sample(3, rng).x
    gap = hide(x, [1])
    two_steps = latent.HMM(model.initial, model.transition @ model.transition, model.emission)
    assert_allclose(model.log_evidence(gap), two_steps.log_evidence(x[[0, 2]]))


@settings(max_examples=8)
@given(seeds, st.integers(1, 3))
def test_with_an_exit_all_sequences_together_have_probability_one(seed, N):
    rng = np.random.default_rng(seed)
    exit = 0.6 + 0.4 * rng.random(N)
    transition = rng.dirichlet(np.ones(N), N) * (1 - exit)[:, None]
    model = latent.HMM(rng.dirichlet(np.ones(N)), transition, emission(rng, "categorical", N), exit)
    total = 0.0
    for T in range(1, 5):
        total += sum(np.exp(model.log_evidence(x)) for x in paths(3, T))
        # What is missing is the probability of more than T steps.
        assert_allclose(1 - total, model.state_marginals(T + 1)[T].sum(), atol=1e-12)
    assert total > 0.97


@given(seeds, st.integers(1, 4), st.integers(1, 5))
def test_state_marginals_follow_the_chain(seed, N, T):
    rng = np.random.default_rng(seed)
    model = hmm(rng, "poisson", N)
    expected = latent.state_marginals(model.initial, model.transition, T)
    assert_array_equal(model.state_marginals(T), expected)
    leaving = hmm(rng, "poisson", N, exit=True)
    powers = [leaving.initial @ np.linalg.matrix_power(leaving.transition, t) for t in range(T)]
    assert_allclose(leaving.state_marginals(T), powers, atol=1e-14)


def test_samples_start_move_and_emit_as_the_parameters_say():
    rng = np.random.default_rng(2)
    model = hmm(rng, "categorical", 3)
    starts = np.array([model.sample(1, rng).states[0] for _ in range(4000)])
    assert_allclose(np.bincount(starts, minlength=3) / 4000, model.initial, atol=0.04)
    states, x = model.sample(50_000, rng)
    moves = np.zeros((3, 3))
    np.add.at(moves, (states[:-1], states[1:]), 1)
    frequencies = moves / moves.sum(axis=1, keepdims=True)
    assert_allclose(frequencies, model.transition, atol=0.03)
    for i in range(3):
        shares = np.bincount(x[states == i], minlength=3) / (states == i).sum()
        assert_allclose(shares, model.emission.probs[i], atol=0.03)


def test_a_sample_with_an_exit_has_a_geometric_length():
    model = latent.HMM(Q, 0.75 * A, COIN, exit=np.array([0.25, 0.25]))
    rng = np.random.default_rng(3)
    samples = [model.sample(10_000, rng) for _ in range(2000)]
    lengths = np.array([len(sample.x) for sample in samples])
    assert all(len(sample.states) == len(sample.x) for sample in samples)
    assert_allclose(lengths.mean(), 4, atol=0.3)
    assert_allclose([(lengths == T).mean() for T in (1, 2)], [0.25, 0.1875], atol=0.04)
    assert max(len(model.sample(3, rng).x) for _ in range(50)) == 3


def test_an_exit_is_a_move_to_a_state_outside():
    plain, leaving = (hmm(np.random.default_rng(4), "poisson", 2, exit=exit) for exit in (0, 1))
    assert_array_equal(plain.as_chain()[1], plain.transition)
    initial, transition = leaving.as_chain()
    assert_array_equal(initial, [*leaving.initial, 0])
    assert_array_equal(transition[:2, 2], leaving.exit)
    assert_array_equal(transition[2], [0, 0, 1])


def test_a_left_right_chain_never_goes_back():
    A = np.array([[0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 1]])
    model = latent.HMM(np.eye(3)[0], A, latent.Poisson(np.ones(3)))
    states = model.sample(30, np.random.default_rng(4)).states
    assert (np.diff(states) >= 0).all()
    assert states[-1] == 2


def test_a_uniform_number_of_zero_does_not_lead_to_an_impossible_state():
    class Zeros(np.random.Generator):
        def random(self, size):
            return np.zeros(size)

    A = np.array([[0.0, 1.0], [0.0, 1.0]])
    emission = latent.Categorical(np.array([[0.0, 1.0], [0.0, 1.0]]))
    states, x = latent.HMM(A[0], A, emission).sample(3, Zeros(np.random.PCG64(0)))
    assert states.tolist() == [1, 1, 1]
    assert x.tolist() == [1, 1, 1]


def test_the_same_generator_gives_the_same_sample():
    model = latent.HMM(Q, A, COIN)
    one, two = (model.sample(50, np.random.default_rng(5)) for _ in range(2))
    assert_array_equal(one.states, two.states)
    assert_array_equal(one.x, two.x)


def test_permuted_states_are_the_same_model():
    rng = np.random.default_rng(6)
    model = hmm(rng, "gaussian", 3)
    x = model.sample(20, rng).x
    p = np.array([2, 0, 1])
    emission = latent.Gaussian(model.emission.means[p], model.emission.covariances[p])
    permuted = latent.HMM(model.initial[p], model.transition[np.ix_(p, p)], emission)
    assert_allclose(permuted.log_evidence(x), model.log_evidence(x))


def test_a_model_cannot_be_changed():
    model = latent.HMM(Q, A, COIN)
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.initial = Q
    with pytest.raises(ValueError, match="read-only"):
        model.transition[0, 0] = 1


@pytest.mark.usefixtures("as_users_call")
def test_lists_do():
    model = latent.HMM([1, 0], [[0, 1], [1, 0]], latent.Categorical([[1, 0], [0, 1]]))
    assert model.n_states == 2
    assert model.log_evidence([0, 1, 0]) == 0
    assert model.log_joint([0, 1], [0, 1]) == 0
    assert model.sample(4, np.random.default_rng(0)).x.tolist() == [0, 1, 0, 1]


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: latent.HMM([0.5, 0.6], A, COIN), "initial must sum to one"),
        (lambda: latent.HMM(Q, A[:1], COIN), r"transition must have shape \(N, N\) with N = 2"),
        (lambda: latent.HMM(Q, A.T, COIN), "row 0 of transition must sum to one"),
        (lambda: latent.HMM(Q, A, COIN, [0.1, 0.1]), r"row 0 of \[transition, exit\] must sum to"),
        (lambda: latent.HMM(Q, A, COIN, [0.1]), r"exit must have shape \(N\) with N = 2"),
        (lambda: latent.HMM(Q, A, COIN, [0.1, -0.1]), "exit must not be negative"),
        (
            lambda: latent.HMM(Q, A, latent.Poisson([1, 2, 3])),
            "emission must have as many states as initial, 2, got 3",
        ),
        (lambda: latent.HMM(Q, A, [[0.5, 0.5]]), "emission must have the methods of"),
    ],
)
def test_bad_parameters_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.usefixtures("as_users_call")
def test_bad_arguments_are_named():
    model, rng = latent.HMM(Q, A, COIN), np.random.default_rng(0)
    with pytest.raises(ValueError, match="n_steps must be at least 1, got 0"):
        model.sample(0, rng)
    with pytest.raises(ValueError, match="n_steps must be an integer"):
        model.state_marginals(1.5)
    with pytest.raises(ValueError, match=r"rng must be a numpy\.random\.Generator"):
        model.sample(3, np.random.RandomState(0))
    with pytest.raises(ValueError, match=r"states must have shape \(T\) with T = 2, got \(3,\)"):
        model.log_joint([0, 1], [0, 1, 1])
    with pytest.raises(ValueError, match="states must be from 0 to 1, got 2"):
        model.log_joint([0, 1], [0, 2])
    with pytest.raises(ValueError, match="x must be from 0 to 1, got 5"):
        model.log_evidence([0, 5])


@pytest.mark.slow
def test_an_exit_after_a_million_steps_is_a_wait_and_a_leave():
    # the chance to leave is the same in every state, so that when it does says nothing else
    T, e = 10**6, 1e-6
    endless = latent.HMM(Q, A, COIN)
    model = latent.HMM(Q, (1 - e) * A, COIN, exit=np.full(2, e))
    x = np.random.default_rng(0).integers(2, size=T)
    waiting = (T - 1) * np.log1p(-e) + np.log(e)
    assert_allclose(model.log_evidence(x), endless.log_evidence(x) + waiting, rtol=1e-12)
    posterior, expected = model.posterior(x), endless.posterior(x)
    assert_allclose(posterior.gamma, expected.gamma, atol=1e-9)
    assert_allclose(posterior.transitions, expected.transitions, rtol=1e-9)
    assert_array_equal(model.viterbi(x).states, endless.viterbi(x).states)
