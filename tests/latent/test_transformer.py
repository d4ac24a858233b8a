import numpy as np
import pytest
from gradients import assert_gradients
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from random_models import seeds

from latent import transformer
from latent.attention import attention, causal_mask
from latent.autodiff import Tensor, constants
from latent.positions import positional_encoding


def on_tensors(parameters):
    return {name: Tensor(value) for name, value in parameters.items()}


def moved(rng, parameters):
    """Parameters away from the start, where scales are one and shifts zero."""
    return {name: v + 0.3 * rng.normal(size=v.shape) for name, v in parameters.items()}


def encoder(rng, W):
    return moved(rng, transformer.encoder_block_parameters("b", W, rng))


def decoder(rng, W):
    return moved(rng, transformer.decoder_block_parameters("b", W, rng))


def by_hand_norm(p, name, x):
    m, v = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return (x - m) / np.sqrt(v + 1e-5) * p[f"{name}.scale"] + p[f"{name}.shift"]


def by_hand_attention(p, name, x, source, H, mask):
    """One sequence and one head at a time, with the library's attention of the lecture."""
    D = x.shape[-1] // H
    y = np.empty_like(x)
    for b in range(len(x)):
        heads = []
        for h in range(H):
            columns = slice(h * D, (h + 1) * D)
            q, k, v = (
                rows[b] @ p[f"{name}.{part}.weight"][:, columns]
                for part, rows in (("query", x), ("key", source), ("value", source))
            )
            heads.append(attention(q, k, v, None if mask is None else mask[b]).output)
        y[b] = np.concatenate(heads, axis=1) @ p[f"{name}.out.weight"]
    return y


def by_hand_feed_forward(p, name, x):
    h = x @ p[f"{name}.in.weight"]
    h = h * 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3)))
    return h @ p[f"{name}.out.weight"]


def by_hand_encoder(p, x, H, mask):
    h = by_hand_norm(p, "b.attention_norm", x)
    x = x + by_hand_attention(p, "b.attention", h, h, H, mask)
    h = by_hand_norm(p, "b.feed_forward_norm", x)
    return x + by_hand_feed_forward(p, "b.feed_forward", h)


def by_hand_decoder(p, x, source, H, mask):
    h = by_hand_norm(p, "b.attention_norm", x)
    past = np.broadcast_to(np.tri(x.shape[1], dtype=bool), (len(x), x.shape[1], x.shape[1]))
    x = x + by_hand_attention(p, "b.attention", h, h, H, past)
    h = by_hand_norm(p, "b.cross_norm", x)
    x = x + by_hand_attention(p, "b.cross", h, source, H, mask)
    h = by_hand_norm(p, "b.feed_forward_norm", x)
    return x + by_hand_feed_forward(p, "b.feed_forward", h)


heads_and_columns = st.tuples(st.integers(1, 3), st.integers(1, 4))


@given(seeds, heads_and_columns, st.integers(1, 6))
def test_an_encoder_block_is_the_formulas_head_by_head(seed, shape, T):
    rng, (H, D) = np.random.default_rng(seed), shape
    p, x = encoder(rng, H * D), rng.normal(size=(2, T, H * D))
    full = transformer.encoder_block(on_tensors(p), "b", Tensor(x), H)
    assert_allclose(full.output.data, by_hand_encoder(p, x, H, None), atol=1e-12)
    mask = rng.random((2, T, T)) < 0.5
    mask[..., 0] = True
    masked = transformer.encoder_block(on_tensors(p), "b", Tensor(x), H, mask[:, None])
    assert_allclose(masked.output.data, by_hand_encoder(p, x, H, mask), atol=1e-12)
    assert masked.weights.shape == (2, H, T, T)
    assert_allclose(masked.weights.data.sum(axis=-1), 1)
    assert not masked.weights.data[~np.broadcast_to(mask[:, None], (2, H, T, T))].any()


@given(seeds, heads_and_columns, st.integers(1, 5), st.integers(1, 5))
def test_a_decoder_block_is_the_formulas_head_by_head(seed, shape, T, S):
    rng, (H, D) = np.random.default_rng(seed), shape
    p, x, z = decoder(rng, H * D), rng.normal(size=(2, T, H * D)), rng.normal(size=(2, S, H * D))
    mask = rng.random((2, T, S)) < 0.5
    mask[..., 0] = True
    found = transformer.decoder_block(on_tensors(p), "b", Tensor(x), Tensor(z), H, mask[:, None])
    assert_allclose(found.output.data, by_hand_decoder(p, x, z, H, mask), atol=1e-12)
    assert found.weights.shape == (2, H, T, S)
    assert_allclose(found.weights.data.sum(axis=-1), 1)


def test_rows_are_vectors_of_symbols_plus_waves_of_their_size():
    rng = np.random.default_rng(6)
    table, x = transformer.table("t", 500, 8, rng)["t"], rng.integers(500, size=(2, 5))
    rows = transformer.embed({"t": Tensor(table)}, "t", x).data
    vectors = np.sqrt(8) * table[x]
    waves = rows - vectors
    assert_allclose(waves[0], waves[1], atol=1e-12)
    assert_allclose(waves[0], np.sqrt(2) * positional_encoding(5, 8), atol=1e-12)
    assert_allclose((waves**2).mean(axis=-1), 1)
    assert_allclose((8 * table**2).mean(), 1, rtol=0.1)


@pytest.mark.usefixtures("as_users_call")
def test_gradients_of_an_encoder_block_are_those_of_differences():
    rng = np.random.default_rng(0)
    p = encoder(rng, 4)
    x, g = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))
    mask = causal_mask(3)

    def loss(p):
        return (transformer.encoder_block(p, "b", p["x"], 2, mask).output * g).sum()

    assert_gradients(loss, {**p, "x": x})


@pytest.mark.usefixtures("as_users_call")
def test_gradients_of_a_decoder_block_are_those_of_differences():
    rng = np.random.default_rng(1)
    p = decoder(rng, 4)
    x, z, g = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 2, 4)), rng.normal(size=(2, 3, 4))
    mask = np.array([[[[True, True]]], [[[True, False]]]])

    def loss(p):
        return (transformer.decoder_block(p, "b", p["x"], p["z"], 2, mask).output * g).sum()

    assert_gradients(loss, {**p, "x": x, "z": z})


@given(seeds, st.integers(2, 6))
def test_without_positions_an_encoder_block_commutes_with_permutations(seed, T):
    rng = np.random.default_rng(seed)
    p, x, order = on_tensors(encoder(rng, 4)), rng.normal(size=(1, T, 4)), rng.permutation(T)
    before = transformer.encoder_block(p, "b", Tensor(x), 2).output.data
    after = transformer.encoder_block(p, "b", Tensor(x[:, order]), 2).output.data
    assert_allclose(after, before[:, order], atol=1e-12)


@given(seeds, st.integers(1, 6))
def test_cross_attention_does_not_see_the_order_of_the_source(seed, S):
    rng = np.random.default_rng(seed)
    p, x = on_tensors(decoder(rng, 4)), Tensor(rng.normal(size=(1, 3, 4)))
    z, order = rng.normal(size=(1, S, 4)), rng.permutation(S)
    before = transformer.decoder_block(p, "b", x, Tensor(z), 2)
    after = transformer.decoder_block(p, "b", x, Tensor(z[:, order]), 2)
    assert_allclose(after.output.data, before.output.data, atol=1e-12)
    assert_allclose(after.weights.data, before.weights.data[..., order], atol=1e-12)


@given(seeds, st.integers(2, 6))
def test_masked_rows_of_the_source_change_nothing(seed, S):
    rng = np.random.default_rng(seed)
    p, x = on_tensors(decoder(rng, 4)), Tensor(rng.normal(size=(1, 3, 4)))
    z, mask = rng.normal(size=(1, S, 4)), np.arange(S) < S - 1
    changed = z.copy()
    changed[:, -1] += 5
    before, after = (
        transformer.decoder_block(p, "b", x, Tensor(rows), 2, mask).output.data
        for rows in (z, changed)
    )
    assert_allclose(after, before, atol=1e-12)


def test_new_blocks_keep_the_variance_of_rows_near_one():
    rng = np.random.default_rng(2)
    x, n = Tensor(rng.normal(size=(4, 30, 64))), 6
    for i in range(n):
        p = transformer.encoder_block_parameters(f"b{i}", 64, rng, gain=(2 * n) ** -0.5)
        x = transformer.encoder_block(on_tensors(p), f"b{i}", x, 4).output
    assert 1 < x.data.var() < 2


def test_new_matrices_keep_the_variance_of_their_rows():
    rng = np.random.default_rng(3)
    p = on_tensors(transformer.matrix("m", 400, 300, rng, gain=0.5))
    y = transformer.linear(p, "m", Tensor(rng.normal(size=(100, 400)))).data
    assert_allclose(y.var(), 0.25, rtol=0.05)


def test_float32_stays_float32():
    rng = np.random.default_rng(4)
    p = on_tensors({name: v.astype(np.float32) for name, v in decoder(rng, 8).items()})
    x = Tensor(rng.normal(size=(2, 3, 8)).astype(np.float32))
    found = transformer.decoder_block(p, "b", x, x, 2, np.ones(3, bool))
    assert found.output.dtype == found.weights.dtype == np.float32


RNG = np.random.default_rng(5)
X = Tensor(RNG.normal(size=(2, 3, 4)))
P = on_tensors(decoder(RNG, 4))
LIKE = {"a": np.zeros((2, 3)), "b": np.zeros(2)}


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: transformer.linear(P, "b.attention.key", Tensor(np.ones((2, 3)))), "does not fit"),
        (lambda: transformer.normalise(P, "b.cross_norm", Tensor(np.ones((2, 3)))), "scale must"),
        (
            lambda: transformer.encoder_block(P, "b", X, 2, np.zeros(3, bool)),
            "mask must leave at least one",
        ),
        (lambda: transformer.encoder_block(P, "b", X, 2, np.ones(3)), "mask must be bools"),
        (lambda: transformer.encoder_block_parameters("b", 0, RNG), "width must be at least 1"),
        (lambda: transformer.decoder_block_parameters("b", 4, None), "rng must be a numpy"),
        (
            lambda: transformer.encoder_block_parameters("b", 4, RNG, gain=0.0),
            "gain must be above zero",
        ),
        (lambda: transformer.table("t", 0, 4, RNG), "n_symbols must be at least 1"),
        (lambda: transformer.table("t", 3, 4, None), "rng must be a numpy"),
        (lambda: transformer.matrix("m", 0, 4, RNG), "n_in must be at least 1"),
        (lambda: transformer.matrix("m", 4, 1.5, RNG), "n_out must be an integer"),
        (lambda: transformer.norm_parameters("n", -1), "width must be at least 1"),
        (lambda: constants({"a": np.arange(3)}), "data must be floats"),
        (lambda: transformer.checked_parameters([1], LIKE), r"missing are \['a', 'b'\]"),
        (
            lambda: transformer.checked_parameters({"a": np.zeros((2, 3)), "c": 1}, LIKE),
            r"missing are \['b'\], unknown \['c'\]",
        ),
        (
            lambda: transformer.checked_parameters({**LIKE, "a": np.zeros((3, 2))}, LIKE),
            r"parameters\['a'\] must be floats of shape \(2, 3\), got float64 of shape \(3, 2\)",
        ),
        (
            lambda: transformer.checked_parameters({**LIKE, "b": np.zeros(2, int)}, LIKE),
            r"parameters\['b'\] must be floats of shape \(2,\), got int64",
        ),
        (
            lambda: transformer.checked_parameters({**LIKE, "b": np.full(2, np.nan)}, LIKE),
            r"parameters\['b'\] must be finite",
        ),
        (
            lambda: transformer.checked_parameters({**LIKE, "b": np.zeros(2, "f")}, LIKE),
            "parameters must all have the same precision",
        ),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
