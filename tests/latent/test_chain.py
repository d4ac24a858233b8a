import numpy as np
import pytest
from hmmlearn.hmm import GaussianHMM
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from random_models import distributions, paths, seeds
from scipy.stats import norm

from latent import chain

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


def random_chain(seed, N, T, zeros):
    """q, A and ln p(x_t | S_t = i); with `zeros`, probabilities of zero in all three."""
    rng = np.random.default_rng(seed)
    likelihood = rng.random((T, N)) * (rng.random((T, N)) < (0.7 if zeros else 1))
    with np.errstate(divide="ignore"):
        log_likelihood = np.log(likelihood)
    initial, transition = distributions(rng, N, zeros=zeros), distributions(rng, N, N, zeros=zeros)
    return initial, transition, log_likelihood


@given(seeds, st.integers(1, 4), st.integers(1, 5), st.booleans())
def test_state_marginals_are_sums_over_all_paths(seed, N, T, zeros):
    rng = np.random.default_rng(seed)
    initial, transition = distributions(rng, N, zeros=zeros), distributions(rng, N, N, zeros=zeros)
    s, joint = brute_force(initial, transition, np.zeros((T, N)))
    expected = [[joint[s[:, t] == i].sum() for i in range(N)] for t in range(T)]
    p = chain.state_marginals(initial, transition, T)
    assert_allclose(p, expected, atol=1e-12)
    assert_allclose(p.sum(axis=1), 1)


def test_state_marginals_of_the_lecture_start_with_q_and_then_a_transposed_q():
    q, A = np.array([0.3, 0.7]), np.array([[0.9, 0.1], [0.4, 0.6]])
    p = chain.state_marginals(q, A, 2)
    assert_allclose(p, [[0.3, 0.7], [0.3 * 0.9 + 0.7 * 0.4, 0.3 * 0.1 + 0.7 * 0.6]])


@given(seeds, st.integers(1, 6))
def test_the_stationary_distribution_stays_and_every_start_comes_to_it(seed, N):
    rng = np.random.default_rng(seed)
    transition = 0.5 * distributions(rng, N, N) + 0.5 / N
    p = chain.stationary(transition)
    assert_allclose(transition.T @ p, p, atol=1e-14)
    assert_allclose(p.sum(), 1)
    assert_allclose(chain.state_marginals(np.eye(N)[0], transition, 200)[-1], p, atol=1e-12)


def test_two_states_stay_in_the_ratio_of_the_ways_back():
    assert_allclose(chain.stationary(np.array([[0.9, 0.1], [0.3, 0.7]])), [0.75, 0.25])


def test_a_periodic_chain_has_a_stationary_distribution_too():
    cycle = np.roll(np.eye(3), 1, axis=1)
    assert_allclose(chain.stationary(cycle), [1 / 3, 1 / 3, 1 / 3])


def test_states_that_are_left_for_good_have_no_stationary_probability():
    left_right = np.array([[0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 1]])
    assert chain.stationary(left_right).tolist() == [0, 0, 1]


def test_a_nearly_disconnected_chain_keeps_its_digits():
    e = 1e-10
    p = chain.stationary(np.array([[1 - e, e], [3 * e, 1 - 3 * e]]))
    assert_allclose(p, [0.75, 0.25], rtol=1e-5)


def test_two_recurrent_classes_are_named():
    transition = np.array([[1, 0, 0], [0.1, 0.4, 0.5], [0, 0, 1]])
    with pytest.raises(ValueError, match=r"one recurrent class.* \[0\] and \[2\]"):
        chain.stationary(transition)


@given(seeds, st.integers(1, 3), st.integers(1, 5), st.booleans())
def test_forward_agrees_with_the_sum_over_all_paths(seed, N, T, zeros):
    initial, transition, log_likelihood = random_chain(seed, N, T, zeros)
    alpha, log_scale = chain.forward(initial, transition, log_likelihood)
    evidence = [
        brute_force(initial, transition, log_likelihood[:t])[1].sum() for t in range(1, T + 1)
    ]
    assert_allclose(np.exp(np.cumsum(log_scale)), evidence, atol=1e-14)
    total = chain.log_evidence(initial, transition, log_likelihood)
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
    assert chain.log_evidence(np.array([0.5, 0.5]), transition, log_likelihood) == -INF


def test_a_state_that_was_very_unlikely_can_come_back():
    # State 1 is 2000 nats behind after the first step and the only one possible at the second.
    log_likelihood = np.array([[0.0, -2000.0], [-INF, 0.0]])
    total = chain.log_evidence(np.array([0.5, 0.5]), np.eye(2), log_likelihood)
    assert_allclose(total, np.log(0.5) - 2000)


def test_ten_thousand_steps_do_not_underflow():
    T = 10_000
    log_likelihood = np.full((T, 2), -50.0)
    total = chain.log_evidence(np.array(Q), np.array(A), log_likelihood)
    assert_allclose(total, -50.0 * T)


chains = given(seeds, st.integers(1, 3), st.integers(1, 5), st.booleans())


@chains
def test_backward_agrees_with_the_sum_over_all_paths_that_can_follow(seed, N, T, zeros):
    _, transition, log_likelihood = random_chain(seed, N, T, zeros)
    beta, log_scale = chain.backward(transition, log_likelihood)
    for t in range(T - 1):
        # The first of the steps that follow is reached from state i by row i of A.
        ahead = [
            brute_force(row, transition, log_likelihood[t + 1 :])[1].sum() for row in transition
        ]
        if any(ahead):
            assert_allclose(beta[t] * np.exp(log_scale[t]), ahead, atol=1e-14)
            assert_allclose(beta[t].sum(), 1)
        else:
            assert np.isnan(beta[t]).all()
            assert log_scale[t] == -INF
    assert_allclose(beta[-1], 1 / N)
    assert_allclose(log_scale[-1], np.log(N))


@chains
def test_the_posterior_agrees_with_the_sum_over_all_paths(seed, N, T, zeros):
    model = random_chain(seed, N, T, zeros)
    s, joint = brute_force(*model)
    assume(joint.sum() > 0)
    posterior = joint / joint.sum()
    gamma, transitions, log_evidence = chain.smooth(*model)
    xi = chain.pairwise(*model)
    assert_allclose(np.exp(log_evidence), joint.sum())
    assert_allclose(gamma, np.tensordot(posterior, np.eye(N)[s], 1), atol=1e-12)
    pairs = np.eye(N)[s[:, :-1]][..., :, None] * np.eye(N)[s[:, 1:]][..., None, :]
    assert xi.shape == (T - 1, N, N)
    assert_allclose(xi, np.tensordot(posterior, pairs, 1), atol=1e-12)
    assert_allclose(transitions, np.tensordot(posterior, pairs, 1).sum(axis=0), atol=1e-12)


@chains
def test_gamma_and_xi_fit_together(seed, N, T, zeros):
    model = random_chain(seed, N, 30 * T, zeros=False)
    alpha, beta = chain.forward(*model).alpha, chain.backward(*model[1:]).beta
    gamma, transitions, _ = chain.smooth(*model)
    xi = chain.pairwise(*model)
    assert_allclose(gamma.sum(axis=1), 1)
    assert_allclose(xi.sum(axis=2), gamma[:-1], atol=1e-12)
    assert_allclose(xi.sum(axis=1), gamma[1:], atol=1e-12)
    assert_allclose(xi.sum(axis=0), transitions, atol=1e-12)
    assert_allclose(gamma, alpha * beta / (alpha * beta).sum(axis=1, keepdims=True), atol=1e-12)
    assert_allclose(gamma[-1], alpha[-1])


@chains
def test_the_evidence_can_be_read_off_at_every_step(seed, N, T, zeros):
    initial, transition, log_likelihood = random_chain(seed, N, T, zeros)
    alpha, log_alpha_scale = chain.forward(initial, transition, log_likelihood)
    beta, log_beta_scale = chain.backward(transition, log_likelihood)
    total = chain.log_evidence(initial, transition, log_likelihood)
    assume(total > -INF)
    # p(x_1..x_T) = sum_i p(S_t = i, x_1..x_t) p(x_{t+1}..x_T | S_t = i)
    for t in range(T):
        log_scale = log_alpha_scale[: t + 1].sum() + log_beta_scale[t]
        assert_allclose(np.log(alpha[t] @ beta[t]) + log_scale, total)


@chains
def test_viterbi_beats_every_path(seed, N, T, zeros):
    model = random_chain(seed, N, T, zeros)
    s, joint = brute_force(*model)
    assume(joint.sum() > 0)
    states, log_joint = chain.viterbi(*model)
    assert_allclose(np.exp(log_joint), joint.max())
    assert_allclose(joint[(s == states).all(axis=1)], joint.max())


def test_of_equally_good_states_the_lowest_is_taken_at_the_end_and_on_the_way_back():
    uniform = np.full(3, 1 / 3), np.full((3, 3), 1 / 3)
    log_likelihood = np.array([[-1.0, 0, 0], [0, -1, 0], [-1, -1, 0], [-2, -2, -2]])
    assert chain.viterbi(*uniform, log_likelihood).states.tolist() == [1, 0, 2, 0]
    # From both 0 and 1 the chain goes to 2, which alone is never left.
    merge = np.array([[0, 0, 1.0], [0, 0, 1], [0, 0, 1]])
    states, log_joint = chain.viterbi(np.array([0.25, 0.5, 0.25]), merge, np.zeros((3, 3)))
    assert states.tolist() == [1, 2, 2]
    assert_allclose(log_joint, np.log(0.5))
    states, _ = chain.viterbi(np.full(3, 1 / 3), merge, np.zeros((3, 3)))
    assert states.tolist() == [0, 2, 2]


def test_the_states_that_are_best_one_by_one_can_make_a_path_that_is_impossible():
    initial = np.array([0.4, 0.35, 0.25])
    transition = np.array([[0.5, 0, 0.5], [0, 1, 0], [0, 1, 0]])
    model = initial, transition, np.zeros((2, 3))
    assert chain.smooth(*model).gamma.argmax(axis=1).tolist() == [0, 1]
    assert transition[0, 1] == 0
    states, log_joint = chain.viterbi(*model)
    assert states.tolist() == [1, 1]
    assert_allclose(log_joint, np.log(0.35))


@chains
def test_sampled_paths_are_read_backwards_off_the_conditionals_of_all_paths(seed, N, T, zeros):
    model = random_chain(seed, N, T, zeros)
    s, joint = brute_force(*model)
    assume(joint.sum() > 0)
    drawn = chain.sample_posterior(*model, 20, np.random.default_rng(seed))
    for path, u in zip(drawn, np.random.default_rng(seed).random((20, T)), strict=True):
        for t in reversed(range(T)):
            # p(S_t | S_{t+1}..S_T, x) from the paths that end like this one
            ends = (s[:, t + 1 :] == path[t + 1 :]).all(axis=1)
            cumulative = np.cumsum([joint[ends & (s[:, t] == i)].sum() for i in range(N)])
            assert path[t] == np.searchsorted(cumulative / cumulative[-1], u[t], side="right")


def test_sampled_paths_are_as_frequent_as_they_are_probable():
    model = random_chain(7, 3, 4, zeros=True)
    s, joint = brute_force(*model)
    posterior = joint / joint.sum()
    assert (posterior == 0).any()
    assert (posterior > 0).sum() > 3
    n = 40_000
    drawn = chain.sample_posterior(*model, n, np.random.default_rng(0))
    frequency = np.array([(drawn == path).all(axis=1).mean() for path in s])
    error = np.sqrt(posterior * (1 - posterior) / n)
    assert (np.abs(frequency - posterior) <= 4 * error).all()  # no path that is impossible
    gamma = chain.smooth(*model).gamma
    frequencies = np.eye(3)[drawn].mean(axis=0)
    assert (np.abs(frequencies - gamma) <= 4 * np.sqrt(gamma * (1 - gamma) / n) + 1e-12).all()
    xi = chain.pairwise(*model)
    pairs = np.einsum("sti,stj->tij", np.eye(3)[drawn[:, :-1]], np.eye(3)[drawn[:, 1:]]) / n
    assert (np.abs(pairs - xi) <= 4 * np.sqrt(xi * (1 - xi) / n) + 1e-12).all()


@pytest.mark.parametrize("N", [2, 7])
def test_long_sequences_agree_with_hmmlearn(N):
    rng = np.random.default_rng(N)
    peer = GaussianHMM(N)
    peer.startprob_, peer.transmat_ = distributions(rng, N), distributions(rng, N, N)
    peer.means_, peer.covars_ = rng.normal(size=(N, 1)), 0.5 + rng.random((N, 1))
    x, _ = peer.sample(500, random_state=1)
    log_likelihood = norm.logpdf(x, peer.means_[:, 0], np.sqrt(peer.covars_[:, 0, 0]))
    model = peer.startprob_, peer.transmat_, log_likelihood
    gamma, _, log_evidence = chain.smooth(*model)
    assert_allclose(log_evidence, peer.score(x))
    assert_allclose(gamma, peer.predict_proba(x), atol=1e-10)
    states, log_joint = chain.viterbi(*model)
    peer_log_joint, peer_states = peer.decode(x)
    assert_allclose(log_joint, peer_log_joint)
    assert states.tolist() == peer_states.tolist()


@pytest.mark.parametrize("step", [0, 1, 3])
@pytest.mark.parametrize(
    "function",
    [
        chain.smooth,
        chain.pairwise,
        chain.viterbi,
        lambda *model: chain.sample_posterior(*model, 3, np.random.default_rng()),
    ],
)
def test_nothing_is_conditioned_on_an_impossible_sequence(function, step):
    # The chain starts in 0 and stays there; step `step` needs state 1.
    log_likelihood = np.zeros((4, 2))
    log_likelihood[step, 0] = -INF
    message = f"log_likelihood must be possible under the chain: at step {step} "
    with pytest.raises(ValueError, match=message):
        function(np.array([1.0, 0.0]), np.eye(2), log_likelihood)
    assert chain.log_evidence(np.array([1.0, 0.0]), np.eye(2), log_likelihood) == -INF


def test_chains_that_do_not_meet_keep_their_odds_however_long_they_last():
    # State 0 is 25 000 nats behind in the middle, when the messages from both ends hold it for
    # impossible in linear space; state 1 wins by two nats at the very end.
    T = 1000
    log_likelihood = np.zeros((T, 2))
    log_likelihood[: T // 2, 0], log_likelihood[T // 2 :, 1] = -50, -50
    log_likelihood[-1, 0] = -2
    model = np.array(Q), np.eye(2), log_likelihood
    log_odds = -25_000 + np.array([-2, 0])
    expected = np.exp(log_odds - np.logaddexp(*log_odds))
    gamma, transitions, log_evidence = chain.smooth(*model)
    assert_allclose(gamma, np.tile(expected, (T, 1)), rtol=1e-8)
    assert_allclose(transitions, (T - 1) * np.diag(expected), rtol=1e-8)
    assert_allclose(log_evidence, np.log(0.5) + np.logaddexp(*log_odds))
    assert chain.viterbi(*model).states.tolist() == [1] * T
    drawn = chain.sample_posterior(*model, 4000, np.random.default_rng(0))
    assert (drawn == drawn[:, :1]).all()
    assert abs(drawn[:, 0].mean() - expected[1]) < 4 * np.sqrt(expected.prod() / 4000)


def test_a_left_right_chain_only_goes_right():
    transition = np.array([[0.9, 0.1, 0], [0, 0.9, 0.1], [0, 0, 1]])
    log_likelihood = np.log(np.random.default_rng(0).random((40, 3)))
    model = np.array([1.0, 0, 0]), transition, log_likelihood
    gamma, transitions, _ = chain.smooth(*model)
    assert np.tril(transitions, -1).sum() == transitions[0, 2] == 0
    assert gamma[0].tolist() == [1, 0, 0]
    assert (np.diff(gamma[:, 2]) >= -1e-12).all()  # the last state is never left
    assert (np.diff(chain.viterbi(*model).states) >= 0).all()
    steps = np.diff(chain.sample_posterior(*model, 50, np.random.default_rng(0)))
    assert set(np.unique(steps)) <= {0, 1}


def test_a_single_state_is_certain():
    model = np.ones(1), np.ones((1, 1)), np.array([[-1.0], [-2.0], [-3.0]])
    gamma, transitions, log_evidence = chain.smooth(*model)
    assert gamma.tolist() == [[1]] * 3
    assert transitions.tolist() == [[2]]
    assert log_evidence == chain.viterbi(*model).log_joint == -6
    assert_allclose(chain.backward(*model[1:]).log_scale, [-5, -3, 0])
    assert chain.sample_posterior(*model, 2, np.random.default_rng(0)).tolist() == [[0] * 3] * 2


def test_a_single_step_is_bayes_rule():
    model = np.array([0.75, 0.25]), np.array(A), np.log([[0.2, 0.4]])
    gamma, transitions, log_evidence = chain.smooth(*model)
    assert_allclose(gamma, [[0.6, 0.4]])
    assert transitions.tolist() == [[0, 0], [0, 0]]
    assert_allclose(log_evidence, np.log(0.25))
    assert chain.pairwise(*model).shape == (0, 2, 2)
    states, log_joint = chain.viterbi(*model)
    assert states.tolist() == [0]
    assert_allclose(log_joint, np.log(0.15))
    drawn = chain.sample_posterior(*model, 4000, np.random.default_rng(0))
    assert drawn.shape == (4000, 1)
    assert abs(drawn.mean() - 0.4) < 4 * np.sqrt(0.24 / 4000)


def q2(model, new_transition):
    """E[sum_{t=2}^T ln a_{S_{t-1} S_t}] over all paths, under p(s | x) at the old parameters."""
    s, joint = brute_force(*model)
    return joint / joint.sum() @ np.log(new_transition)[s[:, :-1], s[:, 1:]].sum(axis=1)


def test_transitions_are_expected_given_the_observations_or_nothing_is_learnt():
    # One slide prints p(S_{t-1} = i, S_t = j | lambda'), without x: its update returns the old A.
    model = random_chain(0, 3, 6, zeros=False)
    _, transition, _ = model
    p = chain.state_marginals(*model[:2], 6)
    printed = (p[:-1, :, None] * transition).sum(axis=0)
    assert_allclose(printed / printed.sum(axis=1, keepdims=True), transition)
    counts = chain.smooth(*model).transitions
    updated = counts / counts.sum(axis=1, keepdims=True)
    assert q2(model, updated) > q2(model, transition) + 0.01


def test_transitions_are_counted_up_to_step_t_and_not_to_the_number_of_states():
    # The slide that solves for a_ij prints sum_{t=2}^N.
    model = random_chain(1, 3, 7, zeros=False)
    xi = chain.pairwise(*model)
    printed, corrected = xi[: 3 - 1].sum(axis=0), xi.sum(axis=0)
    printed /= printed.sum(axis=1, keepdims=True)
    corrected /= corrected.sum(axis=1, keepdims=True)
    best = q2(model, corrected)
    assert q2(model, printed) < best - 0.01
    for other in distributions(np.random.default_rng(0), 50, 3, 3):
        assert q2(model, other) < best


def test_q2_is_a_sum_of_logarithms_over_pairs():
    # Its first line prints the sum of p(S_t | S_{t-1}) instead of the sum of their logarithms.
    model = random_chain(2, 3, 6, zeros=False)
    new = distributions(np.random.default_rng(0), 3, 3)
    transitions = chain.smooth(*model).transitions
    assert_allclose(q2(model, new), (transitions * np.log(new)).sum())
    assert not np.isclose(q2(model, new), (transitions * new).sum(), atol=0.1)


def test_the_other_states_are_summed_out_given_the_pair_and_the_observations():
    # Q2 is printed with p(the other states) beside xi: that product is not p(s | x).
    model = random_chain(4, 2, 3, zeros=False)
    s, joint = brute_force(*model)
    xi = chain.pairwise(*model)[0]  # keeps S_1 and S_2; S_3 is the other
    kept = xi[s[:, 0], s[:, 1]]
    pair = [joint[(s[:, :2] == path[:2]).all(axis=1)].sum() for path in s]
    assert_allclose(kept * (joint / pair), joint / joint.sum())
    prior = chain.state_marginals(*model[:2], 3)[2, s[:, 2]]
    assert np.abs(kept * prior - joint / joint.sum()).max() > 0.01


@pytest.mark.usefixtures("as_users_call")
def test_lists_and_integers_do():
    assert chain.state_marginals([1, 0], [[0, 1], [1, 0]], 3).tolist() == [[1, 0], [0, 1], [1, 0]]
    assert chain.stationary([[0, 1], [1, 0]]).tolist() == [0.5, 0.5]
    lists = [1, 0], [[0, 1], [1, 0]], [[0, 0], [0, -1]]
    assert chain.log_evidence(*lists) == -1
    assert chain.backward(*lists[1:]).beta[1].tolist() == [0.5, 0.5]
    assert chain.smooth(*lists).gamma.tolist() == [[1, 0], [0, 1]]
    assert chain.pairwise(*lists).tolist() == [[[0, 1], [0, 0]]]
    assert chain.viterbi(*lists).states.tolist() == [0, 1]
    assert chain.sample_posterior(*lists, 2, np.random.default_rng()).tolist() == [[0, 1]] * 2


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
@pytest.mark.parametrize(
    "function",
    [
        chain.forward,
        chain.log_evidence,
        chain.smooth,
        chain.pairwise,
        chain.viterbi,
        lambda *arguments: chain.sample_posterior(*arguments, 3, np.random.default_rng()),
    ],
)
def test_bad_arguments_are_named(function, initial, transition, log_likelihood, message):
    with pytest.raises(ValueError, match=message):
        function(initial, transition, log_likelihood)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("transition", "log_likelihood", "message"),
    [
        ([[0.9, 0.1]], [[0, 0]], r"transition must have shape \(N, N\), got \(1, 2\)"),
        ([[0.9, 0.2], [0, 1]], [[0, 0]], "row 0 of transition must sum to one"),
        (A, [[0, 0, 0]], r"log_likelihood must have shape \(T, N\) with N = 2, got \(1, 3\)"),
        (A, [[0, NAN]], "log_likelihood must be finite or -inf, got nan"),
    ],
)
def test_bad_arguments_of_backward_are_named(transition, log_likelihood, message):
    with pytest.raises(ValueError, match=message):
        chain.backward(transition, log_likelihood)


@pytest.mark.usefixtures("as_users_call")
def test_bad_arguments_of_sampling_are_named():
    with pytest.raises(ValueError, match="n_samples must be at least 1, got 0"):
        chain.sample_posterior(Q, A, [[0, 0]], 0, np.random.default_rng())
    with pytest.raises(ValueError, match=r"rng must be a numpy\.random\.Generator"):
        chain.sample_posterior(Q, A, [[0, 0]], 1, 7)


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
        chain.state_marginals(Q, A, n_steps)


@pytest.mark.usefixtures("as_users_call")
def test_bad_chains_are_named():
    with pytest.raises(ValueError, match="row 0 of transition must sum to one"):
        chain.stationary([[0.9, 0.2], [0.2, 0.8]])
    with pytest.raises(ValueError, match="initial must sum to one"):
        chain.state_marginals([0.9, 0.2], A, 3)
