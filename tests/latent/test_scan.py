import numpy as np
import pytest
from hmmlearn.hmm import GaussianHMM
from hypothesis import given
from hypothesis import strategies as st
from random_models import distributions, seeds

from latent import blocks, chain, scan

KINDS = ("plain", "zeros", "left-right", "far", "apart", "sticky", "ring", "never")


def problem(rng, kind, N, T):
    """A chain and likelihoods of a kind that is hard in its own way."""
    initial, transition = distributions(rng, N), distributions(rng, N, N)
    log_likelihood = 3 * rng.normal(size=(T, N))
    if kind == "zeros":
        initial, transition = (distributions(rng, *s, zeros=True) for s in ((N,), (N, N)))
        log_likelihood[rng.random((T, N)) < 0.2] = -np.inf
    elif kind == "left-right":  # the first states die out, and may be needed later
        transition = np.triu(0.1 * transition) + 0.9 * np.eye(N)
        transition, initial = transition / transition.sum(axis=1, keepdims=True), np.eye(N)[0]
    elif kind == "far":  # likelihoods of one step further apart than floats can hold
        log_likelihood *= 500
    elif kind == "apart":  # states in sets that never meet: what is lost is never found again
        transition = transition * (np.arange(N) % 2 == np.arange(N)[:, None] % 2)
        transition, log_likelihood = transition / transition.sum(1)[:, None], log_likelihood * 200
    elif kind == "sticky":  # a chain that hardly forgets
        transition, log_likelihood = 0.999 * np.eye(N) + 0.001 * transition, 0.01 * log_likelihood
    elif kind == "ring":
        transition = 0.999 * np.eye(N) + 0.001 * np.roll(np.eye(N), 1, axis=1)
        log_likelihood *= 0.01
    elif kind == "never":  # a state that nothing leads to
        transition[:, -1] = 0.0 if N > 1 else 1.0
        transition /= transition.sum(axis=1, keepdims=True)
        initial = distributions(rng, N) * (np.arange(N) < max(1, N - 1))
        initial /= initial.sum()
    return initial, transition, log_likelihood


def agree(fast, textbook):
    for mine, theirs in zip(fast, textbook, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-8)


class Uniforms(np.random.Generator):
    """A generator that gives the uniform numbers it is told."""

    def __init__(self, u):
        super().__init__(np.random.PCG64(0))
        self.u = u

    def random(self, size):
        assert size == self.u.shape
        return self.u


sizes = st.sampled_from([(1, 1), (1, 40), (2, 1), (2, 2), (3, 7), (4, 100), (4, 900), (6, 2000)])


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds, size=sizes)
def test_every_recursion_agrees_with_the_textbook(kind, seed, size):
    initial, transition, log_likelihood = problem(np.random.default_rng(seed), kind, *size)
    model = initial, transition, log_likelihood
    agree(scan.forward(*model), chain.forward(*model))
    agree(scan.backward(*model[1:]), chain.backward(*model[1:]))
    log_evidence = chain.log_evidence(*model)
    np.testing.assert_allclose(scan.log_evidence(*model), log_evidence, rtol=1e-10)
    if log_evidence == -np.inf:
        return
    agree(scan.smooth(*model), chain.smooth(*model))
    np.testing.assert_allclose(scan.pairwise(*model), chain.pairwise(*model), atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seeds, size=sizes)
def test_paths_are_those_of_the_textbook(kind, seed, size):
    model = problem(np.random.default_rng(seed), kind, *size)
    if chain.log_evidence(*model) == -np.inf:
        return
    fast, textbook = scan.viterbi(*model), chain.viterbi(*model)
    np.testing.assert_array_equal(fast.states, textbook.states)
    np.testing.assert_allclose(fast.log_joint, textbook.log_joint, rtol=1e-10)
    drawn, expected = (
        layer.sample_posterior(*model, 3, np.random.default_rng(seed)) for layer in (scan, chain)
    )
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "lengths",
    [[3, 1, 5], [60] * 20, [1000, 1, 1, 7, 300], [1] * 50],
    ids=["few", "many", "mixed", "one"],
)
def test_several_sequences_are_several_single_ones(kind, lengths):
    rng = np.random.default_rng(len(lengths))
    initial, transition, log_likelihood = problem(rng, kind, 4, sum(lengths))
    if kind == "zeros":
        log_likelihood = np.maximum(log_likelihood, -40 + rng.normal(size=log_likelihood.shape))
    parts = np.split(log_likelihood, np.cumsum(lengths)[:-1])
    totals = [chain.log_evidence(initial, transition, part) for part in parts]
    model = initial, transition, log_likelihood
    np.testing.assert_allclose(scan.log_evidence(*model, lengths), sum(totals), rtol=1e-10)
    if sum(totals) == -np.inf:
        with pytest.raises(ValueError, match="log_likelihood must be possible"):
            scan.smooth(*model, lengths)
        return
    runs = [chain.smooth(initial, transition, part) for part in parts]
    gamma, transitions, log_evidence = scan.smooth(*model, lengths)
    np.testing.assert_allclose(gamma, np.concatenate([run.gamma for run in runs]), atol=1e-8)
    np.testing.assert_allclose(transitions, sum(run.transitions for run in runs), atol=1e-8)
    np.testing.assert_allclose(log_evidence, sum(totals), rtol=1e-10)
    paths = [chain.viterbi(initial, transition, part) for part in parts]
    best = scan.viterbi(*model, lengths)
    np.testing.assert_array_equal(best.states, np.concatenate([path.states for path in paths]))
    np.testing.assert_allclose(best.log_joint, sum(path.log_joint for path in paths), rtol=1e-10)
    u = rng.random((2, len(log_likelihood)))
    expected = [
        chain.sample_posterior(initial, transition, part, 2, Uniforms(v))
        for part, v in zip(parts, np.split(u, np.cumsum(lengths)[:-1], axis=1), strict=True)
    ]
    drawn = scan.sample_posterior(*model, 2, Uniforms(u), lengths)
    np.testing.assert_array_equal(drawn, np.concatenate(expected, axis=1))


def test_a_state_lost_by_products_of_probabilities_is_found_again():
    # the two chains never meet: at both ends the data are for the second by more than a float can
    # hold, in the middle for the first by more than both together
    transition, initial = np.eye(2), np.full(2, 0.5)
    log_likelihood = np.zeros((90, 2))
    log_likelihood[:30, 1] = log_likelihood[60:, 1] = 30.0
    log_likelihood[30:60, 0] = 70.0
    gamma = scan.smooth(initial, transition, log_likelihood).gamma
    np.testing.assert_allclose(gamma, np.tile([1.0, 0.0], (90, 1)), atol=1e-12)


def test_products_are_given_up_only_where_they_lose_a_state(monkeypatch):
    used = []
    logarithms = scan._smooth_logarithms
    monkeypatch.setattr(scan, "_smooth_logarithms", lambda *a: used.append(True) or logarithms(*a))
    rng = np.random.default_rng(0)
    for kind, expected in [("plain", []), ("sticky", []), ("far", []), ("apart", [True])]:
        scan.smooth(*problem(rng, kind, 4, 3000))
        assert used == expected, kind


def test_a_short_sequence_of_unlikely_steps_does_not_underflow():
    # each step has a probability of 1e-4, and 120 of them one of 1e-480
    transition = np.full((3, 3), 1e-4) + (1 - 3e-4) * np.eye(3)
    log_likelihood = np.where(np.arange(120)[:, None] % 3 == np.arange(3), 0.0, -60.0)
    model = np.full(3, 1 / 3), transition, log_likelihood
    assert scan.log_evidence(*model) < -700
    agree(scan.smooth(*model), chain.smooth(*model))


def hmmlearn_model(initial, transition, means):
    N = len(initial)
    peer = GaussianHMM(N, "diag", implementation="log")
    peer.startprob_, peer.transmat_ = initial, transition
    peer.means_, peer.covars_ = means[:, None], np.ones((N, 1))
    return peer


LONG = {
    "forgetting": np.full((4, 4), 0.1) + 0.6 * np.eye(4),
    "left-right": np.triu(np.full((4, 4), 1e-5), 1) + np.diag(1 - 1e-5 * np.arange(3, -1, -1)),
    "absorbing": np.array([[0.9, 0.05, 0.05, 0], [0, 0.9, 0.1, 0], [0.1, 0, 0.9, 0], [0, 0, 0, 1]]),
    "apart": np.kron(np.eye(2), [[0.9, 0.1], [0.2, 0.8]]),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LONG)
def test_a_million_steps_agree_with_hmmlearn(kind):
    rng, T, means, transition = np.random.default_rng(1), 10**6, np.arange(4.0), LONG[kind]
    initial = np.eye(4)[0] if kind == "left-right" else np.full(4, 0.25)
    x = rng.normal(means[np.minimum(4 * np.arange(T) // T, 3)])
    log_likelihood = -0.5 * (np.subtract.outer(x, means) ** 2 + np.log(2 * np.pi))
    peer = hmmlearn_model(initial, transition, means)
    log_evidence, gamma = peer.score_samples(x[:, None])
    found = scan.smooth(initial, transition, log_likelihood)
    np.testing.assert_allclose(found.gamma, gamma, atol=1e-7)  # its own rounding, in logarithms
    np.testing.assert_allclose(found.log_evidence, log_evidence, rtol=1e-10)
    np.testing.assert_allclose(found.transitions.sum(), T - 1)
    log_joint, states = peer.decode(x[:, None])
    best = scan.viterbi(initial, transition, log_likelihood)
    np.testing.assert_allclose(best.log_joint, log_joint, rtol=1e-10)
    assert (best.states != states).mean() < 1e-5


def test_the_lowest_of_equally_good_states_wins():
    uniform = np.full((3, 3), 1 / 3)
    assert not scan.viterbi(uniform[0], uniform, np.zeros((200, 3))).states.any()


@pytest.mark.parametrize("name", ["smooth", "viterbi", "pairwise"])
def test_an_impossible_sequence_has_no_posterior(name):
    log_likelihood = np.zeros((50, 2))
    log_likelihood[20] = -np.inf
    arguments = np.full(2, 0.5), np.full((2, 2), 0.5), log_likelihood
    assert scan.log_evidence(*arguments) == -np.inf
    for layer in (chain, scan):
        with pytest.raises(ValueError, match=r"log_likelihood must be possible .* step 20 "):
            getattr(layer, name)(*arguments)


@pytest.mark.parametrize("name", ["smooth", "viterbi", "log_evidence"])
@pytest.mark.usefixtures("as_users_call")
def test_bad_arguments_are_named(name):
    function = getattr(scan, name)
    half, log_likelihood = np.full(2, 0.5), np.zeros((5, 2))
    A = np.full((2, 2), 0.5)
    with pytest.raises(ValueError, match="initial must sum to one"):
        function(np.ones(2), A, log_likelihood)
    with pytest.raises(ValueError, match="row 1 of transition must sum to one"):
        function(half, np.array([[0.5, 0.5], [1, 1]]), log_likelihood)
    with pytest.raises(ValueError, match=r"log_likelihood must have shape \(T, N\) with N = 2"):
        function(half, A, np.zeros((5, 3)))
    with pytest.raises(ValueError, match="log_likelihood must be finite or -inf, got nan"):
        function(half, A, np.full((5, 2), np.nan))
    with pytest.raises(ValueError, match=r"lengths must sum to the number of rows .* 5, got 4"):
        function(half, A, log_likelihood, [2, 2])
    with pytest.raises(ValueError, match="lengths must be at least 1, got 0"):
        function(half, A, log_likelihood, [5, 0])


def test_samples_need_a_number_and_a_generator(as_users_call):
    arguments = np.full(2, 0.5), np.full((2, 2), 0.5), np.zeros((5, 2))
    with pytest.raises(ValueError, match="n_samples must be at least 1"):
        scan.sample_posterior(*arguments, 0, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"rng must be a numpy\.random\.Generator"):
        scan.sample_posterior(*arguments, 1, 0)


def test_the_arguments_are_left_as_they_are():
    initial, transition, log_likelihood = problem(np.random.default_rng(0), "plain", 3, 500)
    before = log_likelihood.copy()
    for name in ("forward", "smooth", "viterbi", "log_evidence", "pairwise"):
        getattr(scan, name)(initial, transition, log_likelihood)
    np.testing.assert_array_equal(log_likelihood, before)


@given(
    lengths=st.lists(st.integers(1, 500), min_size=1, max_size=30),
    short=st.sampled_from([8, 128]),
    seed=seeds,
)
def test_blocks_give_back_what_was_folded(lengths, short, seed):
    x = np.random.default_rng(seed).normal(size=(sum(lengths), 3))
    layout = blocks.cut(np.array(lengths), short)
    folded = blocks.fold(x, layout)
    np.testing.assert_array_equal(blocks.unfold(folded, layout), x)
    assert layout.starts.sum() == layout.ends.sum() == len(lengths)


def test_padding_is_bounded_for_lengths_of_all_kinds():
    for lengths in ([10**5] + [1] * 10**4, [7] * 1000, [10**6], [100] * 1000, [1]):
        cells = np.prod(blocks.cut(np.array(lengths), 8).shape)
        assert cells <= 12 * sum(lengths) + 8
