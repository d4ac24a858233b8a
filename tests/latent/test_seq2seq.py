import dataclasses
from itertools import product

import numpy as np
import pytest
from gradients import assert_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import seeds

from latent.adam import Adam
from latent.autodiff import Tensor
from latent.schedules import cosine
from latent.seq2seq import PAD, Seq2Seq, pad
from latent.storage import load, save
from latent.training import train


def new(rng, N=5, M=4, W=8, H=2, L=2, dtype=np.float64):
    return Seq2Seq.init(
        source_vocabulary=N,
        target_vocabulary=M,
        width=W,
        n_heads=H,
        n_layers=L,
        rng=rng,
        dtype=dtype,
    )


def model(rng, **sizes):
    """A model whose parameters all matter, unlike those of a new one, whose last matrix is 0."""
    start = new(rng, **sizes)
    parameters = {name: v + 0.3 * rng.normal(size=v.shape) for name, v in start.parameters.items()}
    return dataclasses.replace(start, parameters=parameters)


def on_tensors(seq2seq):
    return {name: Tensor(v) for name, v in seq2seq.parameters.items()}


def sequences(rng, n, n_symbols, longest=5):
    return [rng.integers(n_symbols, size=rng.integers(1, longest + 1)) for _ in range(n)]


@pytest.mark.usefixtures("as_users_call")
def test_gradients_are_those_of_differences_for_every_parameter():
    rng = np.random.default_rng(0)
    seq2seq = model(rng, N=3, M=2, W=4, H=2, L=1)
    batch = pad([np.array([0, 2, 1]), np.array([1])]), pad([np.array([1]), np.array([0, 1])])
    assert_gradients(lambda p: seq2seq.loss(p, batch, rng), dict(seq2seq.parameters))


def test_a_new_model_knows_nothing():
    rng = np.random.default_rng(1)
    found = new(rng, M=7).log_likelihood(np.array([[0, 1]]), np.array([[0, 1, 2]]))
    assert_allclose(found, -4 * np.log(8))  # three symbols and the end


def test_probabilities_of_all_targets_up_to_a_length_sum_to_less_than_one_and_grow():
    seq2seq, source = model(np.random.default_rng(2), M=2), np.array([[0, 3, 1]])
    total, before = 0.0, 0.0
    for T in range(1, 5):
        targets = np.array(list(product(range(2), repeat=T)))
        total += np.exp(seq2seq.log_likelihood(source.repeat(2**T, axis=0), targets)).sum()
        assert before < total < 1
        before = total


def test_what_follows_a_target_is_a_symbol_or_the_end():
    # One step: p(end | y) + sum_m p(m | y) = 1, from likelihoods of longer and longer targets.
    seq2seq, source = model(np.random.default_rng(3), M=3), np.array([[0, 1]])
    y = np.array([[2, 0]])
    ends = np.exp(seq2seq.log_likelihood(source, y))[0]
    n, rng = 1000, np.random.default_rng(4)
    draws = seq2seq.generate(source.repeat(n, axis=0), 3, temperature=1.0, rng=rng)
    frequency = np.mean([d.tolist() == [2, 0] for d in draws])
    assert_allclose(frequency, ends, atol=4 * 0.5 / np.sqrt(n))


@settings(max_examples=6)
@given(seeds)
def test_the_loss_is_the_negative_log_likelihood_per_symbol_with_the_ends(seed):
    rng = np.random.default_rng(seed)
    seq2seq = model(rng)
    source, target = pad(sequences(rng, 3, 5)), pad(sequences(rng, 3, 4))
    loss = float(seq2seq.loss(on_tensors(seq2seq), (source, target), rng))
    n = (target != PAD).sum() + 3
    assert_allclose(loss, -seq2seq.log_likelihood(source, target).sum() / n)


@settings(max_examples=6)
@given(seeds, st.integers(1, 4))
def test_filled_places_change_nothing(seed, n):
    rng = np.random.default_rng(seed)
    seq2seq = model(rng)
    sources, targets = sequences(rng, n, 5), sequences(rng, n, 4)
    together = seq2seq.log_likelihood(pad(sources), pad(targets))
    alone = [
        seq2seq.log_likelihood(x[None], y[None])[0] for x, y in zip(sources, targets, strict=True)
    ]
    assert_allclose(together, alone)
    wide = np.pad(pad(sources), [(0, 0), (0, 3)], constant_values=PAD)
    long = np.pad(pad(targets), [(0, 0), (0, 2)], constant_values=PAD)
    assert_allclose(seq2seq.log_likelihood(wide, long), alone)
    p = on_tensors(seq2seq)
    short = seq2seq.loss(p, (pad(sources), pad(targets)), rng)
    assert_allclose(float(seq2seq.loss(p, (wide, long), rng)), float(short))


@settings(max_examples=6)
@given(seeds, st.integers(1, 5), st.integers(1, 4))
def test_greedy_outputs_are_the_likeliest_symbols_step_by_step(seed, n, max_length):
    rng = np.random.default_rng(seed)
    seq2seq, sources = model(rng), sequences(rng, n, 5)
    outputs = seq2seq.generate(pad(sources), max_length)
    for x, y in zip(sources, outputs, strict=True):
        assert len(y) <= max_length
        for t in range(1, len(y) + 1):
            # No other symbol in place t makes what is written so far more likely.
            others = np.array([[*y[: t - 1], m] for m in range(4)])
            assert others[:, -1][prefix_probabilities(seq2seq, x, others).argmax()] == y[t - 1]


def prefix_probabilities(seq2seq, x, prefixes):
    """p(y_1..y_t | s) of prefixes: what is left of 1 when all shorter ends are taken off."""
    p = on_tensors(seq2seq)
    z, seen = seq2seq._encode(p, np.repeat(x[None], len(prefixes), axis=0))
    before, _ = seq2seq._shifted(prefixes)
    rows, _ = seq2seq._decode(p, z, seen, before[:, :-1])
    scores = rows.data @ seq2seq.parameters["readout.weight"]
    chosen = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    return np.take_along_axis(chosen, prefixes[..., None], axis=-1)[..., 0].prod(axis=1)


def test_a_low_temperature_is_greedy_and_a_seed_decides():
    rng = np.random.default_rng(5)
    seq2seq, source = model(rng), pad(sequences(rng, 6, 5))
    greedy = seq2seq.generate(source, 6)
    cold = seq2seq.generate(source, 6, temperature=1e-9, rng=rng)
    one, two = (
        seq2seq.generate(source, 6, temperature=1.0, rng=np.random.default_rng(6)) for _ in range(2)
    )
    assert [y.tolist() for y in cold] == [y.tolist() for y in greedy]
    assert [y.tolist() for y in one] == [y.tolist() for y in two]


@given(seeds, st.integers(1, 6), st.integers(1, 5))
def test_alignments_are_distributions_over_the_source(seed, S, T):
    rng = np.random.default_rng(seed)
    A = model(rng).alignment(rng.integers(5, size=S), rng.integers(4, size=T))
    assert A.shape == (2, 2, T + 1, S)
    assert_allclose(A.sum(axis=-1), 1)


@settings(max_examples=6)
@given(seeds, st.integers(2, 5))
def test_later_targets_never_change_earlier_alignments(seed, T):
    rng = np.random.default_rng(seed)
    seq2seq, source, target = model(rng), rng.integers(5, size=4), rng.integers(4, size=T)
    t = int(rng.integers(1, T))
    changed = target.copy()
    changed[t:] = (target[t:] + 1) % 4
    before, after = seq2seq.alignment(source, target), seq2seq.alignment(source, changed)
    assert_allclose(after[:, :, : t + 1], before[:, :, : t + 1], atol=1e-12)


def test_it_learns_to_write_words_backwards_and_looks_where_it_should():
    rng = np.random.default_rng(7)
    # All words of up to four letters but every fifth, which are kept for the test.
    words = [np.array(w) for T in range(1, 5) for w in product(range(4), repeat=T)]
    unseen, seen = words[::5], [w for i, w in enumerate(words) if i % 5]

    def batches(i):
        chosen = np.random.default_rng([8, i]).integers(len(seen), size=32)
        return pad([seen[c] for c in chosen]), pad([seen[c][::-1] for c in chosen])

    start = new(rng, N=4, M=4, W=32, H=2, L=1, dtype=np.float32)
    trained = train(
        start,
        batches,
        steps=200,
        rng=rng,
        rate=cosine(1e-2, 200, warmup=20),
        optimiser=Adam(clip=1.0),
    )
    outputs = trained.model.generate(pad(unseen), 6)
    right = [y.tolist() == w[::-1].tolist() for y, w in zip(outputs, unseen, strict=True)]
    assert np.mean(right) > 0.95
    # The letter that it writes is the one that one of its heads looks at.
    word = np.array([0, 1, 2, 3])
    A = trained.model.alignment(word, word[::-1])[0, :, :4]
    assert (A.argmax(axis=-1) == [3, 2, 1, 0]).all(axis=1).any()


def test_it_is_saved_and_loaded(tmp_path):
    rng = np.random.default_rng(9)
    seq2seq, pair = model(rng), (pad(sequences(rng, 3, 5)), pad(sequences(rng, 3, 4)))
    save(tmp_path / "seq2seq.npz", seq2seq)
    again = load(tmp_path / "seq2seq.npz", Seq2Seq)
    assert_array_equal(again.log_likelihood(*pair), seq2seq.log_likelihood(*pair))


def test_pad_fills_the_end_of_short_sequences():
    assert pad([np.array([3, 1]), np.array([2])]).tolist() == [[3, 1], [2, -1]]


RNG = np.random.default_rng(10)
GOOD = new(RNG)
P = on_tensors(GOOD)
ONE = np.array([[0]])
SIZES = {
    "source_vocabulary": 5,
    "target_vocabulary": 4,
    "width": 8,
    "n_heads": 2,
    "n_layers": 1,
    "rng": RNG,
}


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Seq2Seq.init(**{**SIZES, "source_vocabulary": 0}), "source_vocabulary must be"),
        (lambda: Seq2Seq.init(**{**SIZES, "target_vocabulary": 0}), "target_vocabulary must be"),
        (lambda: Seq2Seq.init(**{**SIZES, "width": 7}), "width must be even and a multiple of n_h"),
        (lambda: Seq2Seq.init(**{**SIZES, "width": 3, "n_heads": 3}), "width must be even"),
        (lambda: Seq2Seq.init(**{**SIZES, "n_layers": 0}), "n_layers must be at least 1"),
        (lambda: Seq2Seq.init(**{**SIZES, "rng": 3}), "rng must be a numpy"),
        (lambda: dataclasses.replace(GOOD, width=4), r"parameters\['source'\] must be floats"),
        (lambda: pad([]), "sequences must have at least one sequence"),
        (lambda: pad([[0], []]), r"sequences\[1\] must have shape \(T\)"),
        (lambda: pad([[0], [-1]]), r"sequences\[1\] must be at least 0"),
        (lambda: GOOD.loss(P, (ONE, [[0], [1]]), RNG), "target must have as many rows as source"),
        (lambda: GOOD.loss(P, ([[5]], ONE), RNG), "source must be from -1 to 4, got 5"),
        (lambda: GOOD.loss(P, (ONE, [[4]]), RNG), "target must be from -1 to 3, got 4"),
        (lambda: GOOD.log_likelihood([[-1, 0]], ONE), "source must have symbols first and then -1"),
        (lambda: GOOD.log_likelihood(ONE, [[0, -1, 0]]), "target must have symbols first"),
        (lambda: GOOD.log_likelihood([0], ONE), r"source must have shape \(B, T\)"),
        (lambda: GOOD.generate([[0.5]], 3), "source must be integers"),
        (lambda: GOOD.generate(ONE, 0), "max_length must be at least 1"),
        (lambda: GOOD.generate(ONE, 3, temperature=0.0, rng=RNG), "temperature must be above zero"),
        (lambda: GOOD.generate(ONE, 3, temperature=1.0), "rng must be given with a temperature"),
        (lambda: GOOD.alignment([5], [0]), "source must be from 0 to 4"),
        (lambda: GOOD.alignment([0], [[0]]), r"target must have shape \(T\)"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
