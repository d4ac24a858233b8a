import dataclasses

import numpy as np
import pytest
from hmmlearn import hmm as hmmlearn
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import emission, hmm, paths, seeds

import latent

KINDS = ["categorical", "gaussian", "poisson"]
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


def test_an_impossible_sequence_has_joint_and_evidence_zero():
    model = latent.HMM(Q, A, latent.Categorical(np.array([[1.0, 0.0], [1.0, 0.0]])))
    x = np.array([0, 1])
    assert model.log_evidence(x) == -np.inf
    assert model.log_joint(x, np.array([0, 0])) == -np.inf


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
    else:
        peer = hmmlearn.PoissonHMM(3)
        peer.lambdas_ = model.emission.rates[:, None]
    peer.startprob_, peer.transmat_ = model.initial, model.transition
    assert_allclose(model.log_evidence(x), peer.score(x.reshape(len(x), -1)))


@every_kind
def test_a_missing_observation_is_summed_out(kind):
    rng = np.random.default_rng(1)
    model = hmm(rng, kind, 2)
    x = model.sample(3, rng).x
    if kind == "gaussian":
        gap = x.copy()
        gap[1] = np.nan
    else:
        gap = np.ma.masked_array(x, mask=[False, True, False])
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
