import dataclasses

import numpy as np
import pytest
from gradients import assert_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import seeds
from scipy import special

import latent
from latent import chain
from latent.adam import Adam
from latent.gpt import GPT, draw, windows
from latent.schedules import cosine
from latent.storage import load, save
from latent.training import train


def new(rng, M=5, W=8, H=2, L=2, C=6, dtype=np.float64):
    return GPT.init(vocabulary=M, width=W, n_heads=H, n_layers=L, context=C, rng=rng, dtype=dtype)


def model(rng, **sizes):
    """A model away from the start, where scales are one and shifts zero."""
    start = new(rng, **sizes)
    parameters = {
        name: v + 0.3 * rng.normal(size=v.shape).astype(v.dtype)
        for name, v in start.parameters.items()
    }
    return dataclasses.replace(start, parameters=parameters)


def probabilities(gpt, x):
    return special.softmax(gpt.logits(x), axis=-1)


@pytest.mark.usefixtures("as_users_call")
def test_gradients_are_those_of_differences_for_every_parameter():
    rng = np.random.default_rng(0)
    gpt = model(rng, M=4, W=4, H=2, L=2, C=3)
    batch = rng.integers(4, size=(2, 4))
    assert_gradients(lambda p: gpt.loss(p, batch, rng), dict(gpt.parameters))


def test_a_new_model_knows_next_to_nothing():
    rng = np.random.default_rng(1)
    bits = new(rng, M=64, W=32, C=32).bits_per_symbol(rng.integers(64, size=2000))
    assert 6 < bits < 7.5  # log2 M = 6


def test_scores_are_scalar_products_with_the_vectors_of_the_symbols():
    rng = np.random.default_rng(15)
    gpt, x = model(rng), rng.integers(5, size=(2, 4))
    p = {name: latent.autodiff.Tensor(v) for name, v in gpt.parameters.items()}
    rows, _ = gpt._blocks(p, x)
    assert_allclose(gpt.logits(x), rows.data @ gpt.parameters["symbols"].T)


@given(seeds, st.integers(2, 6))
def test_a_later_symbol_never_changes_an_earlier_row(seed, T):
    rng = np.random.default_rng(seed)
    gpt, x = model(rng), rng.integers(5, size=(1, T))
    t = int(rng.integers(1, T))
    changed = x.copy()
    changed[0, t:] = (x[0, t:] + 1) % 5
    before, after = gpt.logits(x), gpt.logits(changed)
    assert_allclose(after[:, :t], before[:, :t], atol=1e-12)
    assert np.abs(after[:, t] - before[:, t]).max() > 1e-6


@given(seeds, st.integers(2, 6))
def test_every_symbol_of_the_context_matters(seed, T):
    rng = np.random.default_rng(seed)
    gpt, x = model(rng), rng.integers(5, size=(1, T))
    for t in range(T):
        changed = x.copy()
        changed[0, t] = (x[0, t] + 1) % 5
        assert np.abs(gpt.logits(changed)[:, -1] - gpt.logits(x)[:, -1]).max() > 1e-9


def test_probabilities_of_all_texts_of_a_length_sum_to_one():
    gpt = model(np.random.default_rng(2), M=3, C=4)
    texts = np.array(np.meshgrid(*[range(3)] * 4)).reshape(4, -1).T
    assert_allclose(sum(np.exp(gpt.log_likelihood(x).sum()) for x in texts), 1)


def test_the_loss_is_the_mean_negative_log_likelihood_of_what_is_predicted():
    rng = np.random.default_rng(3)
    gpt, batch = model(rng), rng.integers(5, size=(3, 7))
    p = {name: latent.autodiff.Tensor(v) for name, v in gpt.parameters.items()}
    expected = -np.mean([gpt.log_likelihood(x)[1:] for x in batch])
    assert_allclose(float(gpt.loss(p, batch, rng)), expected)


@settings(max_examples=8)
@given(seeds, st.integers(1, 30), st.integers(1, 9))
def test_a_long_text_is_predicted_from_three_quarters_of_the_context_at_least(seed, T, C):
    rng = np.random.default_rng(seed)
    gpt, x = model(rng, L=1, C=C), rng.integers(5, size=T)
    found = gpt.log_likelihood(x)
    assert_allclose(found[0], -np.log(5))
    for t in range(1, T):
        # The number of symbols before t that the model was shown is one of these.
        candidates = range(min(t, C - max(1, C // 4) + 1), min(t, C) + 1)
        p = [probabilities(gpt, x[None, t - n : t])[0, -1, x[t]] for n in candidates]
        assert np.abs(found[t] - np.log(p)).min() < 1e-9


def test_windows_of_a_long_text_do_not_depend_on_how_many_are_taken_at_once(monkeypatch):
    rng = np.random.default_rng(4)
    gpt, x = model(rng), rng.integers(5, size=101)
    before = gpt.log_likelihood(x)
    monkeypatch.setattr("latent.gpt.WINDOWS", 3)
    assert_allclose(gpt.log_likelihood(x), before, atol=1e-12)


def test_bits_are_nats_divided_by_ln_2():
    rng = np.random.default_rng(5)
    gpt, x = model(rng), rng.integers(5, size=30)
    assert_allclose(gpt.bits_per_symbol(x), -gpt.log_likelihood(x).mean() / np.log(2))


def test_samples_have_the_probabilities_of_the_model():
    rng = np.random.default_rng(6)
    gpt, prompt = model(rng, M=3, L=1), np.array([0, 2, 1])
    n = 500
    draws = np.array([gpt.sample(prompt, 1, rng=rng)[0] for _ in range(n)])
    p = probabilities(gpt, prompt[None])[0, -1]
    assert_allclose(np.bincount(draws, minlength=3) / n, p, atol=4 * 0.5 / np.sqrt(n))


@given(seeds, st.integers(1, 9))
def test_at_a_low_temperature_each_symbol_is_the_likeliest(seed, T):
    rng = np.random.default_rng(seed)
    gpt, prompt = model(rng), rng.integers(5, size=T)
    x = np.concatenate([prompt, gpt.sample(prompt, 8, temperature=1e-9, rng=rng)])
    for t in range(T, len(x)):
        assert x[t] == gpt.logits(x[None, max(0, t - 6) : t])[0, -1].argmax()


@given(seeds)
def test_a_temperature_divides_the_scores(seed):
    rng = np.random.default_rng(seed)
    scores, n = 2 * rng.normal(size=4), 4000
    for temperature in (0.5, 2.0):
        draws = draw(np.tile(scores, (n, 1)), temperature, rng)
        expected = special.softmax(scores / temperature)
        assert_allclose(np.bincount(draws, minlength=4) / n, expected, atol=4 * 0.5 / np.sqrt(n))


def test_the_same_seed_samples_the_same_text():
    rng = np.random.default_rng(7)
    gpt, prompt = model(rng), np.array([1])
    one, two = (gpt.sample(prompt, 20, rng=np.random.default_rng(8)) for _ in range(2))
    assert_array_equal(one, two)


@given(seeds, st.integers(1, 6))
def test_attention_weights_are_causal_distributions(seed, T):
    rng = np.random.default_rng(seed)
    A = model(rng).attention_weights(rng.integers(5, size=T))
    assert A.shape == (2, 2, T, T)
    assert_allclose(A.sum(axis=-1), 1)
    assert not np.triu(A, 1).any()


@given(seeds, st.integers(2, 60), st.integers(1, 8), st.integers(1, 5))
def test_batches_are_windows_of_the_text_and_depend_on_the_step_alone(seed, T, length, size):
    rng = np.random.default_rng(seed)
    x = np.arange(max(T, (size + 1) * length))
    batches = windows(x, length, size, rng)
    order = rng.permutation(10)
    first = {i: batches(int(i)) for i in order}
    for i in range(10):
        batch = batches(i)
        assert_array_equal(batch, first[i])
        assert batch.shape == (size, length + 1)
        assert_array_equal(np.diff(batch, axis=1), 1)  # neighbours in the text, as x counts them


def test_a_pass_takes_each_symbol_at_most_once_and_nearly_all_of_them():
    x = np.arange(1000)
    batches = windows(x, 10, 7, np.random.default_rng(9))
    n = (1000 - 10) // 10 // 7
    starts = []
    for turn in range(3):
        seen = np.concatenate([batches(turn * n + i)[:, 1:].ravel() for i in range(n)])
        assert len(np.unique(seen)) == len(seen) > 900
        starts.append(seen.min())
    assert len(set(starts)) > 1


def test_it_learns_a_text_that_no_short_context_predicts():
    # Symbols 1 and 2 at random, each followed, after three zeros, by itself.
    rng = np.random.default_rng(10)
    x = np.zeros((2000, 5), int)
    x[:, 0] = x[:, 4] = rng.integers(1, 3, size=2000)
    x = x.ravel()
    start = new(rng, M=3, W=16, L=1, C=8, dtype=np.float32)
    batches = windows(x[:9000], 8, 32, rng)
    trained = train(
        start,
        batches,
        steps=300,
        rng=rng,
        rate=cosine(1e-2, 300, warmup=10),
        optimiser=Adam(clip=1.0),
    )
    # One bit in five symbols is left: the first of each pair.
    assert 0.19 < trained.model.bits_per_symbol(x[9000:]) < 0.25
    assert trained.model.parameters["symbols"].dtype == np.float32


def test_it_is_as_good_as_the_chain_that_made_the_text():
    rng = np.random.default_rng(11)
    A = rng.dirichlet(np.full(4, 0.3), 4)
    x = np.zeros(12_000, int)
    for t in range(1, len(x)):
        x[t] = rng.choice(4, p=A[x[t - 1]])
    start = new(rng, M=4, W=16, L=1, C=8, dtype=np.float32)
    batches = windows(x[:10_000], 8, 64, rng)
    gpt = train(start, batches, steps=200, rng=rng, rate=cosine(1e-2, 200, warmup=10)).model
    pi = chain.stationary(A)
    entropy_rate = -(pi[:, None] * special.xlogy(A, A)).sum() / np.log(2)
    held_out = x[10_000:]
    true = -np.log2(A[held_out[:-1], held_out[1:]]).mean()
    assert abs(true - entropy_rate) < 0.1
    assert abs(gpt.bits_per_symbol(held_out) - true) < 0.03


def test_it_is_saved_and_loaded(tmp_path):
    rng = np.random.default_rng(12)
    gpt, x = model(rng, dtype=np.float32), rng.integers(5, size=(2, 6))
    save(tmp_path / "gpt.npz", gpt)
    again = load(tmp_path / "gpt.npz", GPT)
    assert_array_equal(again.logits(x), gpt.logits(x))
    assert (again.context, again.n_heads) == (6, 2)


def test_parameters_are_read_only_copies():
    gpt = new(np.random.default_rng(13))
    with pytest.raises(ValueError, match="read-only"):
        gpt.parameters["symbols"][0] = 0
    values = {name: v.copy() for name, v in gpt.parameters.items()}
    other = dataclasses.replace(gpt, parameters=values)
    values["symbols"][:] = 0
    assert other.parameters["symbols"].any()


RNG = np.random.default_rng(14)
GOOD = new(RNG)
P = {name: latent.autodiff.Tensor(v) for name, v in GOOD.parameters.items()}
SIZES = {"vocabulary": 5, "width": 8, "n_heads": 2, "n_layers": 1, "context": 3, "rng": RNG}


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GPT.init(**{**SIZES, "vocabulary": 0}), "vocabulary must be at least 1"),
        (
            lambda: GPT.init(**{**SIZES, "width": 7}),
            "width must be even and a multiple of n_heads, 2, got 7",
        ),
        (lambda: GPT.init(**{**SIZES, "width": 3, "n_heads": 3}), "width must be even"),
        (lambda: GPT.init(**{**SIZES, "n_heads": 0}), "n_heads must be at least 1"),
        (lambda: GPT.init(**{**SIZES, "n_layers": 1.5}), "n_layers must be an integer"),
        (lambda: GPT.init(**{**SIZES, "context": 0}), "context must be at least 1"),
        (lambda: GPT.init(**{**SIZES, "rng": None}), "rng must be a numpy"),
        (lambda: dataclasses.replace(GOOD, width=4), r"parameters\['symbols'\] must be floats of"),
        (lambda: dataclasses.replace(GOOD, n_layers=1), r"unknown \['block1"),
        (lambda: GOOD.logits([[0] * 7]), "the length of x must be at most 6, the context, got 7"),
        (lambda: GOOD.logits([[5]]), "x must be from 0 to 4, got 5"),
        (lambda: GOOD.logits([0]), r"x must have shape \(B, T\)"),
        (lambda: GOOD.loss(P, [[0]], RNG), "batch must have windows of at least two symbols"),
        (lambda: GOOD.loss(P, [[0.5, 1]], RNG), "batch must be integers"),
        (lambda: GOOD.loss(P, [[0] * 8], RNG), "the length of x must be at most 6"),
        (lambda: GOOD.log_likelihood([-1]), "x must be from 0 to 4"),
        (lambda: GOOD.bits_per_symbol([]), r"x must have shape \(T\)"),
        (lambda: GOOD.sample([], 3, rng=RNG), r"prompt must have shape \(T\)"),
        (lambda: GOOD.sample([0], 0, rng=RNG), "n_symbols must be at least 1"),
        (lambda: GOOD.sample([0], 1, temperature=0.0, rng=RNG), "temperature must be above zero"),
        (lambda: GOOD.sample([0], 1, rng=7), "rng must be a numpy"),
        (lambda: GOOD.attention_weights([0] * 7), "the length of x must be at most 6"),
        (lambda: draw(np.zeros((1, 2)), -1.0, RNG), "temperature must be above zero"),
        (lambda: windows([0, 1, 2], 2, 1, RNG), "x must have at least .* = 4 symbols, got 3"),
        (lambda: windows(np.zeros(9, int), 0, 1, RNG), "length must be at least 1"),
        (lambda: windows(np.zeros(9, int), 1, 0, RNG), "size must be at least 1"),
        (lambda: windows(np.zeros(9), 1, 1, None), "rng must be a numpy"),
        (lambda: windows([0.5], 1, 1, RNG), "x must be integers"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
