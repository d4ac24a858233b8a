from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import seeds
from scipy import stats
from scipy.special import betaln

from latent import minibatches, train
from latent.adagram import (
    AdaGram,
    Occurrences,
    StochasticEM,
    _look_up,
    _paths,
    batch_gradient,
    expected_log_weights,
    expected_weights,
    stick_divergences,
)
from latent.storage import load, save

alphas = st.floats(0.05, 5.0)


def random_model(rng, V=5, K=3, D=2, alpha=0.7, window=1):
    return AdaGram(
        np.array([f"word{v}" for v in range(V)]),
        rng.integers(1, 20, V),
        rng.normal(size=(V, K, D)),
        rng.normal(size=(V - 1, D)),
        5 * rng.random((V, K)),
        alpha,
        window,
    )


def random_occurrences(rng, model, n=6, J=3):
    V = len(model.vocabulary)
    return Occurrences(rng.integers(0, V, n), rng.integers(-1, V, (n, J)))


def log_likelihood(model, occurrences):
    """sum_j ln p(y_ij | x_i, k), word by word."""
    rows = []
    for w, context in zip(*occurrences, strict=True):
        word = str(model.vocabulary[w])
        log_probs = [np.log(model.context_probs(word, k)) for k in range(model.inputs.shape[1])]
        rows.append([sum(of[y] for y in context if y >= 0) for of in log_probs])
    return np.array(rows, float)


def sticks(model, w):
    """The distributions q(beta_wk), k < K, as SciPy's."""
    n = model.sense_counts[w]
    return [stats.beta(1 + n[k], model.alpha + n[k + 1 :].sum()) for k in range(len(n) - 1)]


def expected_logs(q):
    """E[ln beta] and E[ln(1 - beta)]: the derivatives of ln B(a, b)."""
    a, b = q.args
    h = 1e-5
    return (
        (betaln(a + h, b) - betaln(a - h, b)) / (2 * h),
        (betaln(a, b + h) - betaln(a, b - h)) / (2 * h),
    )


def expected_log_prior(q, alpha):
    """E[ln Beta(beta; 1, alpha)]."""
    return (alpha - 1) * expected_logs(q)[1] - betaln(1, alpha)


def exact_log_evidence(model, occurrences):
    """ln p(y | x): the sum over all z, with beta integrated out."""
    K, evidence = model.inputs.shape[1], -np.inf
    likelihood = log_likelihood(model, occurrences)
    for z in product(range(K), repeat=len(likelihood)):
        log_prob = sum(row[k] for row, k in zip(likelihood, z, strict=True))
        for w in set(occurrences.words):
            n = np.bincount(np.array(z)[occurrences.words == w], minlength=K)
            for k in range(K - 1):
                log_prob += betaln(1 + n[k], model.alpha + n[k + 1 :].sum())
                log_prob -= betaln(1, model.alpha)
        evidence = np.logaddexp(evidence, log_prob)
    return evidence


def two_topics(rng, n_sentences=800):
    """Sentences on one of two topics; "bank" is a word of both. Returns the words and topics."""
    river = ["river", "water", "boat", "fish", "shore", "tide"]
    money = ["money", "loan", "coin", "debt", "clerk", "gold"]
    words, topics = [], []
    for _ in range(n_sentences):
        topic = int(rng.integers(2))
        sentence = [str(word) for word in rng.choice(money if topic else river, 5)]
        sentence[2] = "bank"
        words += [*sentence, ".", "."]
        topics += [topic]
    return words, np.array(topics)


@given(seeds, st.integers(2, 9))
def test_the_probabilities_of_a_neighbour_sum_to_one(seed, V):
    model = random_model(np.random.default_rng(seed), V=V)
    for word, k in product(model.vocabulary.tolist(), range(3)):
        assert_allclose(model.context_probs(word, k).sum(), 1)


def test_the_probability_of_a_neighbour_is_the_product_over_its_path():
    rng = np.random.default_rng(0)
    model = random_model(rng)
    for v, k, y in product(range(5), range(3), range(5)):
        p = 1.0
        for c, d in zip(model.tree.nodes[y], model.tree.turns[y], strict=True):
            if d:
                p *= 1 / (1 + np.exp(-d * model.inputs[v, k] @ model.outputs[c]))
        assert_allclose(model.context_probs(f"word{v}", k)[y], p)


@given(seeds, st.integers(1, 4))
def test_the_local_step_is_bayes_rule_sense_by_sense(seed, K):
    rng = np.random.default_rng(seed)
    model = random_model(rng, K=K)
    occurrences = random_occurrences(rng, model)
    likelihood = log_likelihood(model, occurrences)
    joint = likelihood + expected_log_weights(model.sense_counts, model.alpha)[occurrences.words]
    assert_allclose(model.log_joint(occurrences), joint)
    p = np.exp(joint)
    assert_allclose(model.responsibilities(occurrences), p / p.sum(axis=1, keepdims=True))


def test_far_scores_do_not_overflow():
    model = random_model(np.random.default_rng(1))
    model = replace(model, inputs=1e4 * model.inputs)
    occurrences = random_occurrences(np.random.default_rng(2), model)
    assert np.isfinite(model.log_joint(occurrences)).all()
    assert_allclose(model.responsibilities(occurrences).sum(axis=1), 1)


def test_chunks_of_occurrences_give_what_all_at_once_give(monkeypatch):
    rng = np.random.default_rng(3)
    model = random_model(rng)
    occurrences = random_occurrences(rng, model, n=11)
    whole = model.log_joint(occurrences)
    monkeypatch.setattr("latent.adagram.CHUNK", 4)
    assert_allclose(model.log_joint(occurrences), whole)


@given(seeds, alphas)
def test_expected_log_weights_are_the_derivatives_of_scipys_beta_function(seed, alpha):
    model = random_model(np.random.default_rng(seed), alpha=alpha)
    log_weights = expected_log_weights(model.sense_counts, alpha)
    for w in range(5):
        (taken_1, left_1), (taken_2, left_2) = map(expected_logs, sticks(model, w))
        expected = [taken_1, left_1 + taken_2, left_1 + left_2]
        assert_allclose(log_weights[w], expected, atol=1e-6)


def test_expected_weights_are_those_of_samples():
    rng = np.random.default_rng(4)
    n, alpha = np.array([[3.0, 0.5, 2.0, 1.0]]), 0.8
    a, b = 1 + n[0, :3], alpha + np.array([3.5, 3.0, 1.0])
    beta = np.column_stack([rng.beta(a, b, (200_000, 3)), np.ones(200_000)])
    left = np.cumprod(np.column_stack([np.ones(200_000), 1 - beta[:, :3]]), axis=1)
    pi = beta * left
    assert_allclose(expected_weights(n, alpha)[0], pi.mean(axis=0), atol=2e-3)
    assert_allclose(expected_log_weights(n, alpha)[0], np.log(pi).mean(axis=0), atol=0.02)


@given(seeds, alphas, st.integers(1, 6))
def test_expected_weights_sum_to_one_and_their_geometric_means_to_less(seed, alpha, K):
    n = 100 * np.random.default_rng(seed).random((4, K)) ** 5
    weights, log_weights = expected_weights(n, alpha), expected_log_weights(n, alpha)
    assert_allclose(weights.sum(axis=1), 1)
    assert (log_weights <= np.log(weights) + 1e-12).all()
    assert (np.exp(log_weights).sum(axis=1) <= 1 + 1e-12).all()


def test_one_sense_takes_the_whole_stick():
    n = np.array([[7.0], [0.0]])
    assert_array_equal(expected_weights(n, 0.5), [[1], [1]])
    assert_array_equal(expected_log_weights(n, 0.5), [[0], [0]])
    assert_array_equal(stick_divergences(n, 0.5), [0, 0])


@given(seeds, alphas)
def test_the_divergence_of_the_sticks_is_cross_entropy_less_scipys_entropy(seed, alpha):
    model = random_model(np.random.default_rng(seed), alpha=alpha)
    divergences = stick_divergences(model.sense_counts, alpha)
    for w in range(5):
        kl = sum(-expected_log_prior(q, alpha) - q.entropy() for q in sticks(model, w))
        assert_allclose(divergences[w], kl, atol=1e-6)


@given(seeds, alphas)
def test_without_occurrences_the_sticks_are_the_prior(seed, alpha):
    assert_allclose(stick_divergences(np.zeros((2, 4)), alpha), 0, atol=1e-12)
    beta = np.random.default_rng(seed).beta(1, alpha, (40_000, 2))
    pi = np.column_stack([beta[:, 0], (1 - beta[:, 0]) * beta[:, 1]])
    assert_allclose(expected_weights(np.zeros((1, 3)), alpha)[0, :2], pi.mean(axis=0), atol=0.01)


@given(seeds)
def test_the_bound_is_that_of_its_definition(seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng, V=3, K=2)
    occurrences = random_occurrences(rng, model, n=4, J=2)
    q, likelihood = model.responsibilities(occurrences), log_likelihood(model, occurrences)
    log_pi = expected_log_weights(model.sense_counts, model.alpha)
    bound = 0.0
    for z in product(range(2), repeat=4):  # E_q[ln p(y, z | beta) - ln q(z)]
        q_z = np.prod([q[i, k] for i, k in enumerate(z)])
        log_p = sum(likelihood[i, k] + log_pi[occurrences.words[i], k] for i, k in enumerate(z))
        bound += q_z * (log_p - np.log(q_z))
    for w in range(3):  # E_q[ln p(beta) - ln q(beta)]
        for of in sticks(model, w):
            bound += expected_log_prior(of, model.alpha) + of.entropy()
    assert_allclose(model.elbo(occurrences), bound, atol=1e-6)


@given(seeds, st.integers(1, 3), alphas)
def test_the_bound_is_below_the_evidence_and_coordinate_ascent_raises_it(seed, K, alpha):
    rng = np.random.default_rng(seed)
    model = random_model(rng, V=3, K=K, alpha=alpha)
    occurrences = random_occurrences(rng, model, n=6, J=2)
    evidence = exact_log_evidence(model, occurrences)
    bounds = [model.elbo(occurrences)]
    for _ in range(6):
        n = np.zeros_like(model.sense_counts)
        np.add.at(n, occurrences.words, model.responsibilities(occurrences))
        model = replace(model, sense_counts=n)
        bounds.append(model.elbo(occurrences))
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(bounds))
    assert bounds[-1] <= evidence + 1e-9
    if K == 1:
        assert_allclose(bounds[-1], evidence)


def full_batch(rng, model, n=30):
    """Occurrences of each word, and the model of a text with just these."""
    words = np.append(np.arange(len(model.vocabulary)), rng.integers(0, len(model.vocabulary), n))
    contexts = rng.integers(-1, len(model.vocabulary), (len(words), 3))
    return replace(model, word_counts=np.bincount(words)), Occurrences(words, contexts)


def test_a_full_batch_and_a_unit_step_are_the_exact_update_of_the_sticks():
    rng = np.random.default_rng(5)
    model, occurrences = full_batch(rng, random_model(rng))
    rule = StochasticEM(stick_rate=1.0)
    state = rule.start(model)
    rule.step(model, state, occurrences, 1.0, rng)
    exact = np.zeros((5, 3))
    np.add.at(exact, occurrences.words, model.responsibilities(occurrences))
    assert_allclose(state["sense_counts"], exact)


def test_occurrences_in_one_batch_are_as_many_natural_gradient_steps():
    rng = np.random.default_rng(6)
    model = random_model(rng)
    batch = Occurrences(np.full(4, 2), np.tile([0, 3], (4, 1)))
    rule = StochasticEM(stick_rate=0.5)
    state = rule.start(model)
    rule.step(model, state, batch, 0.4, rng)
    n, target = model.sense_counts[2], model.word_counts[2] * model.responsibilities(batch)[0]
    for _ in range(4):
        n = n + 0.2 * (target - n)
    assert_allclose(state["sense_counts"][2], n)
    others = [0, 1, 3, 4]
    assert_array_equal(state["sense_counts"][others], model.sense_counts[others])


def gradient_at(model, occurrences):
    nodes, turns = _look_up(_paths(model.tree), occurrences.contexts)
    log_weights = expected_log_weights(model.sense_counts, model.alpha)[occurrences.words]
    return batch_gradient(model.inputs[occurrences.words], model.outputs, log_weights, nodes, turns)


@settings(max_examples=5)
@given(seeds)
def test_gradients_are_finite_differences_of_the_bound(seed):
    rng = np.random.default_rng(seed)
    model = random_model(rng, V=4, K=2)
    occurrences = random_occurrences(rng, model, n=8)
    found = gradient_at(model, occurrences)
    by_word = np.zeros_like(model.inputs)
    np.add.at(by_word, occurrences.words, found.inputs)
    assert_allclose(found.q, model.responsibilities(occurrences))
    for name, gradient in (("inputs", by_word), ("outputs", found.outputs)):
        value = getattr(model, name)
        for index in np.ndindex(value.shape):
            step = np.zeros_like(value)
            step[index] = 1e-5
            up, down = (
                replace(model, **{name: value + s * step}).elbo(occurrences) for s in (1, -1)
            )
            assert_allclose(gradient[index], (up - down) / 2e-5, atol=1e-6)


def test_with_q_held_the_gradient_is_that_of_the_expected_log_likelihood():
    rng = np.random.default_rng(7)
    model = random_model(rng)
    occurrences = random_occurrences(rng, model)
    q, gradient = model.responsibilities(occurrences), gradient_at(model, occurrences).outputs

    def m_step_objective(outputs):
        return (q * log_likelihood(replace(model, outputs=outputs), occurrences)).sum()

    for index in np.ndindex(gradient.shape):
        step = np.zeros_like(gradient)
        step[index] = 1e-5
        slope = m_step_objective(model.outputs + step) - m_step_objective(model.outputs - step)
        assert_allclose(gradient[index], slope / 2e-5, atol=1e-6)


def test_a_step_moves_the_vectors_along_the_gradient_over_the_root_of_its_squares():
    rng = np.random.default_rng(8)
    model, rule = random_model(rng), StochasticEM()
    state = rule.start(model)
    inputs, outputs = model.inputs.copy(), model.outputs.copy()
    G_in, G_out = np.full_like(inputs, 1e-6), np.full_like(outputs, 1e-6)
    current = model
    for _ in range(3):
        batch = random_occurrences(rng, model)
        found = gradient_at(current, batch)
        by_word = np.zeros_like(inputs)
        np.add.at(by_word, batch.words, found.inputs)
        G_in, G_out = G_in + by_word**2, G_out + found.outputs**2
        inputs = inputs + 0.1 * by_word / np.sqrt(G_in)
        outputs = outputs + 0.1 * found.outputs / np.sqrt(G_out)
        loss = rule.step(model, state, batch, 0.1, rng)
        divergences = stick_divergences(current.sense_counts, current.alpha).sum()
        assert_allclose(loss, -(current.elbo(batch) + divergences) / len(batch.words))
        current = rule.finish(model, state)
        assert_allclose(current.inputs, inputs)
        assert_allclose(current.outputs, outputs)


def test_the_start_shares_no_memory_with_the_model_nor_the_end_with_the_state():
    rng = np.random.default_rng(9)
    model, rule = random_model(rng), StochasticEM()
    before = model.inputs.copy()
    state = rule.start(model)
    rule.step(model, state, random_occurrences(rng, model), 0.1, rng)
    assert_array_equal(model.inputs, before)
    end = rule.finish(model, state)
    kept = end.inputs.copy()
    rule.step(model, state, random_occurrences(rng, model), 0.1, rng)
    assert_array_equal(end.inputs, kept)


def test_occurrences_are_words_with_their_neighbours_and_gaps():
    model = replace(random_model(np.random.default_rng(10), V=3), window=2)
    found = model.occurrences(["word0", "strange", "word1", "word2", "word2"])
    assert_array_equal(found.words, [0, 1, 2, 2])
    assert_array_equal(
        found.contexts, [[-1, -1, -1, 1], [0, -1, 2, 2], [-1, 1, 2, -1], [1, 2, -1, -1]]
    )


def test_the_start_counts_words_and_shares_them_as_the_prior_does():
    text = ["b"] * 3 + ["a"] * 3 + ["c"] * 5 + ["rare"]
    model = AdaGram.init(text, rng=np.random.default_rng(0), n_senses=3, alpha=1.0, min_count=3)
    assert model.vocabulary.tolist() == ["c", "a", "b"]
    assert_array_equal(model.word_counts, [5, 3, 3])
    assert_allclose(model.sense_counts, np.outer([5, 3, 3], [0.5, 0.25, 0.25]))
    assert model.inputs.dtype == model.outputs.dtype == np.float32
    assert_array_equal(model.outputs, 0)


def test_single_and_double_precision_agree():
    words, _ = two_topics(np.random.default_rng(11), 50)
    ends = []
    for dtype in (np.float32, np.float64):
        rng = np.random.default_rng(12)
        model = AdaGram.init(words, rng=rng, n_senses=2, n_dims=4, min_count=2, dtype=dtype)
        batches = minibatches(*model.occurrences(words), size=50, rng=rng)
        fit = train(model, batches, steps=5, rng=rng, optimiser=StochasticEM(), rate=0.1)
        ends.append(fit)
        assert fit.model.inputs.dtype == dtype
    assert_allclose(ends[0].trace, ends[1].trace, rtol=1e-4)


SETTINGS = {
    "n_senses": 4,
    "n_dims": 8,
    "min_count": 2,
    "alpha": 0.5,
    "subsample": 1.0,
    "passes": 15,
    "size": 200,
}


def fit_topics(seed=0, **settings):
    words, topics = two_topics(np.random.default_rng(13))
    settings = {**SETTINGS, **settings}
    return AdaGram.fit(words, rng=np.random.default_rng(seed), **settings), words, topics


@pytest.fixture(scope="module")
def banks():
    return fit_topics()


def test_two_senses_of_a_word_are_told_apart(banks):
    fit, words, topics = banks
    model = fit.model
    found = model.occurrences(words)
    bank = found.words == model.vocabulary.tolist().index("bank")
    sense = model.responsibilities(Occurrences(*(part[bank] for part in found))).argmax(axis=1)
    # Each sense stands for the topic that it has in the first half.
    table = np.zeros((4, 2))
    np.add.at(table, (sense[:400], topics[:400]), 1)
    assert (table.argmax(axis=1)[sense[400:]] == topics[400:]).mean() > 0.98
    main = model.senses("bank")
    assert {table.argmax(axis=1)[k] for k in main.senses[:2]} == {0, 1}


def test_training_raises_the_bound(banks):
    fit, words, _ = banks
    rng = np.random.default_rng(0)
    start = AdaGram.init(words, rng=rng, n_senses=4, n_dims=8, min_count=2, alpha=0.5)
    found = start.occurrences(words)
    assert fit.model.elbo(found) > start.elbo(found) + 0.1 * len(found.words)
    assert fit.trace[-10:].mean() < fit.trace[:10].mean() - 0.1


def test_one_seed_gives_the_same_numbers_twice_and_another_one_others():
    again, other = fit_topics(passes=2)[0], fit_topics(passes=2, seed=1)[0]
    twice = fit_topics(passes=2)[0]
    assert_array_equal(again.trace, twice.trace)
    for name in ("inputs", "outputs", "sense_counts"):
        assert_array_equal(getattr(again.model, name), getattr(twice.model, name))
        assert (getattr(again.model, name) != getattr(other.model, name)).any()


def test_an_interrupted_training_ends_as_if_it_had_not_been(tmp_path):
    words, _ = two_topics(np.random.default_rng(14), 60)

    def run(steps, checkpoint=None):
        rng = np.random.default_rng(15)
        model = AdaGram.init(words, rng=rng, n_senses=2, n_dims=4, min_count=2)
        batches = minibatches(*model.occurrences(words), size=50, rng=rng)
        return train(
            model,
            batches,
            steps=steps,
            rng=rng,
            optimiser=StochasticEM(),
            rate=0.1,
            checkpoint=checkpoint,
        )

    run(7, tmp_path / "half.npz")
    resumed, whole = run(20, tmp_path / "half.npz"), run(20)
    assert_array_equal(resumed.trace, whole.trace)
    assert_array_equal(resumed.model.inputs, whole.model.inputs)
    assert_array_equal(resumed.model.sense_counts, whole.model.sense_counts)


def test_a_smaller_alpha_uses_fewer_senses():
    used = []
    for alpha in (0.05, 3.0):
        model = fit_topics(alpha=alpha, passes=4)[0].model
        used.append(np.mean([len(model.senses(word).senses) for word in model.vocabulary.tolist()]))
    assert used[0] < used[1]


def test_frequent_words_are_sampled_less_often():
    words, _ = two_topics(np.random.default_rng(16), 100)
    n_kept = [
        len(
            AdaGram.fit(
                words,
                rng=np.random.default_rng(0),
                min_count=2,
                n_senses=1,
                n_dims=2,
                passes=1,
                size=5,
                subsample=subsample,
            ).trace
        )
        for subsample in (1.0, 0.05)
    ]
    share = np.unique(words, return_counts=True)[1] / len(words)
    assert n_kept[0] == len(words) // 5
    expected = len(words) / 5 * (share * np.minimum(1, np.sqrt(0.05 / share))).sum()
    assert_allclose(n_kept[1], expected, rtol=0.1)


def test_neighbours_of_a_sense_are_the_words_of_its_topic(banks):
    model, river = banks[0].model, {"river", "water", "boat", "fish", "shore", "tide"}
    of_water = model.neighbours("water", int(model.senses("water").senses[0]), 4)
    assert sum(found.word in river | {"bank"} for found in of_water) >= 3


def test_neighbours_are_the_largest_cosines():
    model = random_model(np.random.default_rng(17))
    found = model.neighbours("word1", 2, n=3, least=0.0)
    u = model.inputs[1, 2]
    cosines = {
        (f"word{w}", k): float(v @ u / np.linalg.norm(v) / np.linalg.norm(u))
        for w, senses in enumerate(model.inputs)
        for k, v in enumerate(senses)
        if (w, k) != (1, 2)
    }
    best = sorted(cosines, key=cosines.__getitem__)[::-1][:3]
    assert [(of.word, of.sense) for of in found] == best
    assert_allclose([of.cosine for of in found], [cosines[key] for key in best])


def test_senses_out_of_use_are_no_neighbours():
    model = random_model(np.random.default_rng(18))
    model = replace(model, sense_counts=1e4 * np.tile([1.0, 0.0, 0.0], (5, 1)))
    found = model.neighbours("word0", 0, n=50)
    assert sorted((of.word, of.sense) for of in found) == [(f"word{v}", 0) for v in range(1, 5)]
    assert_array_equal(model.senses("word3").senses, [0])
    assert len(model.senses("word3", least=0.0).senses) == 3


def test_senses_come_with_the_most_probable_first():
    model = random_model(np.random.default_rng(19))
    for word in model.vocabulary.tolist():
        found = model.senses(word, least=0.0)
        assert (np.diff(found.probs) <= 0).all()
        assert_allclose(found.probs.sum(), 1)
        weights = expected_weights(model.sense_counts[model.vocabulary == word], model.alpha)[0]
        assert_allclose(found.probs, weights[found.senses])


def test_disambiguation_is_the_local_step_and_strange_neighbours_tell_nothing():
    model = random_model(np.random.default_rng(20))
    q = model.responsibilities(Occurrences(np.array([1]), np.array([[0, 3]])))[0]
    assert_allclose(model.disambiguate("word1", ["word0", "word3"]), q)
    assert_allclose(model.disambiguate("word1", ["word0", "strange", "word3"]), q)
    prior = np.exp(expected_log_weights(model.sense_counts, model.alpha)[1])
    assert_allclose(model.disambiguate("word1", []), prior / prior.sum())


def test_a_model_is_the_same_after_a_file(tmp_path):
    model = random_model(np.random.default_rng(21))
    save(tmp_path / "model.npz", model)
    again = load(tmp_path / "model.npz", AdaGram)
    occurrences = random_occurrences(np.random.default_rng(22), model)
    assert again.vocabulary.tolist() == model.vocabulary.tolist()
    assert_array_equal(again.log_joint(occurrences), model.log_joint(occurrences))
    assert_array_equal(again.context_probs("word1", 0), model.context_probs("word1", 0))


def test_arrays_of_a_model_are_read_only():
    model = random_model(np.random.default_rng(23))
    for name in ("vocabulary", "word_counts", "inputs", "outputs", "sense_counts"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(model, name)[0] = getattr(model, name)[1]


@pytest.mark.usefixtures("as_users_call")
def test_lists_do():
    model = AdaGram(["a", "b"], [2, 1], [[[1]], [[0]]], [[1]], [[2], [1]], 1, 1)
    assert_allclose(model.context_probs("b", 0), [0.5, 0.5])
    assert_allclose(model.elbo(([1], [[0]])), np.log(0.5))


RNG = np.random.default_rng(0)
MODEL = random_model(np.random.default_rng(24))
TEXT = ["a", "b"] * 20


def changed(**fields):
    return lambda: replace(MODEL, **fields)


def fitted(words=TEXT, rng=RNG, **settings):
    return lambda: AdaGram.fit(words, rng=rng, **settings)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (changed(vocabulary=["a"] * 5), "vocabulary must be two or more distinct words, got 1"),
        (changed(vocabulary=[1, 2]), "vocabulary must be strings, got 1 at 0"),
        (changed(vocabulary="abcde"), "vocabulary must be a sequence of words, got str"),
        (changed(word_counts=[1, 2]), r"word_counts must have shape \(V\) with V = 5"),
        (changed(word_counts=[1, 2, 3, 4, 0]), "word_counts must be at least 1"),
        (changed(inputs=np.ones((5, 3))), r"inputs must have shape \(V, K, D\)"),
        (changed(inputs=np.full((5, 3, 2), np.nan)), "inputs must be finite"),
        (changed(outputs=np.ones((5, 2))), r"outputs must have shape \(nodes, D\) with nodes = 4"),
        (changed(sense_counts=np.ones((5, 2))), r"sense_counts must have shape \(V, K\)"),
        (changed(sense_counts=-np.ones((5, 3))), "sense_counts must not be negative"),
        (changed(alpha=0), "alpha must be above zero"),
        (changed(window=0), "window must be at least 1"),
        (fitted("a text"), "words must be a sequence of words, got str"),
        (fitted([1, 2]), "words must be strings"),
        (fitted(["a"] * 20), r"words must have two or more that occur 10 times \(min_count\)"),
        (fitted(min_count=21), "words must have two or more that occur 21 times"),
        (fitted(rng=1), r"rng must be a numpy\.random\.Generator"),
        (fitted(n_senses=0), "n_senses must be at least 1"),
        (fitted(n_dims=0), "n_dims must be at least 1"),
        (fitted(window=0), "window must be at least 1"),
        (fitted(alpha=-1), "alpha must be above zero"),
        (fitted(min_count=0), "min_count must be at least 1"),
        (fitted(subsample=0), "subsample must be above zero"),
        (fitted(subsample=1e-9), "subsample must be larger: it leaves no occurrence"),
        (fitted(passes=0), "passes must be at least 1"),
        (fitted(size=0), "size must be at least 1"),
        (fitted(rate=0), "rate must be above zero"),
        (lambda: AdaGram.init(TEXT, rng=RNG, dtype=int), "dtype must be a type of floats"),
        (lambda: StochasticEM(stick_rate=0), "stick_rate must be above zero"),
        (
            lambda: StochasticEM(2.0).step(MODEL, {}, ([0], [[1]]), 1.0, RNG),
            r"rate times stick_rate must be at most 1, got 2\.0",
        ),
        (lambda: MODEL.occurrences(["strange"]), "words must have at least one of the vocabulary"),
        (lambda: MODEL.log_joint(([5], [[0]])), "words must be from 0 to 4"),
        (lambda: MODEL.elbo(([0], [[5]])), "contexts must be from -1 to 4"),
        (lambda: MODEL.responsibilities(([0, 1], [[0]])), r"contexts must have shape \(n, J\)"),
        (lambda: MODEL.senses("strange"), "word must be in the vocabulary, got 'strange'"),
        (lambda: MODEL.senses("word0", -1), "least must not be negative"),
        (lambda: MODEL.neighbours("strange", 0), "word must be in the vocabulary, got 'strange'"),
        (lambda: MODEL.neighbours("word0", 3), "sense must be at most 2"),
        (lambda: MODEL.neighbours("word0", 0, 0), "n must be at least 1"),
        (lambda: MODEL.context_probs("word0", -1), "sense must be at least 0"),
        (lambda: MODEL.context_probs(3, 0), "word must be in the vocabulary, got 3"),
        (lambda: MODEL.disambiguate("strange", []), "word must be in the vocabulary"),
        (lambda: MODEL.disambiguate("word0", ["strange"]), "context must have words of the vocab"),
        (lambda: MODEL.disambiguate("word0", "word1"), "context must be a sequence of words"),
        (lambda: expected_weights([[-1]], 1), "sense_counts must not be negative"),
        (lambda: expected_log_weights([[1]], 0), "alpha must be above zero"),
        (lambda: stick_divergences([1], 1), "sense_counts must have shape"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
