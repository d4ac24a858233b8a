import numpy as np
import pytest
from gradients import assert_gradients
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import seeds
from scipy import special, stats

from latent import fused
from latent.autodiff import Tensor

ROWS = [(5,), (1,), (2, 5), (3, 1), (0, 4), (2, 3, 4)]
MASK = np.array([[True, True, False, True], [False, False, True, False], [True] * 4])


def weighted(y):
    """A number that depends on each entry in its own way."""
    return (y * np.random.default_rng(1).normal(size=y.shape)).sum()


def normal(*shape, scale=2.0):
    return np.asarray(scale * np.random.default_rng(0).normal(size=shape))


@pytest.mark.parametrize(
    ("rows", "D", "E"), [((3,), 4, 2), ((), 4, 2), ((2, 3), 1, 1), ((0,), 2, 3)]
)
def test_a_linear_layer_is_a_product_and_a_sum(rows, D, E):
    x, weight, bias = normal(*rows, D), normal(D, E), normal(E)
    y = fused.linear(Tensor(x), Tensor(weight), Tensor(bias))
    assert_allclose(y.data, x @ weight + bias)
    values = {"x": x, "weight": weight, "bias": bias}
    assert_gradients(lambda p: weighted(fused.linear(p["x"], p["weight"], p["bias"])), values)
    del values["x"]  # an array is a constant
    assert_gradients(lambda p: weighted(fused.linear(x, p["weight"], p["bias"])), values)


@pytest.mark.parametrize("shape", ROWS, ids=str)
def test_softmax_is_scipys(shape):
    x = normal(*shape)
    assert_allclose(fused.softmax(Tensor(x)).data, special.softmax(x, axis=-1))
    assert_gradients(lambda p: weighted(fused.softmax(p["x"])), {"x": x})


def test_softmax_gives_nothing_to_what_is_masked():
    x = normal(2, 3, 4)
    y = fused.softmax(Tensor(x), MASK).data
    assert_array_equal(y > 0, np.broadcast_to(MASK, x.shape))
    assert_allclose(y, special.softmax(np.where(MASK, x, -np.inf), axis=-1))
    assert_gradients(lambda p: weighted(fused.softmax(p["x"], MASK)), {"x": x})


@given(seeds, st.floats(1, 1e4))
def test_softmax_sums_to_one_whatever_the_scores(seed, scale):
    x = scale * np.random.default_rng(seed).normal(size=(3, 4))
    assert_allclose(fused.softmax(Tensor(x)).data.sum(-1), 1)
    assert_allclose(fused.softmax(Tensor(x + 1e3)).data, fused.softmax(Tensor(x)).data, rtol=1e-9)


def test_softmax_of_rows_that_lie_far_apart():
    x = np.array([[0, 1, 2], [-1000, -1001, -999], [800, 2000, 0], [-200, -200, -200]], "f")
    assert_allclose(fused.softmax(Tensor(x)).data, special.softmax(x, axis=-1), rtol=1e-6)
    mask = np.array([True, False, True])  # the largest score is masked
    expected = special.softmax(np.where(mask, x, -np.inf), axis=-1)
    assert_allclose(fused.softmax(Tensor(x), mask).data, expected, rtol=1e-6)


@pytest.mark.parametrize("shape", ROWS, ids=str)
def test_logsumexp_is_scipys(shape):
    x = normal(*shape)
    assert_allclose(fused.logsumexp(Tensor(x)).data, special.logsumexp(x, axis=-1))
    assert_gradients(lambda p: weighted(fused.logsumexp(p["x"])), {"x": x})


def test_logsumexp_takes_zeros_and_large_numbers():
    x = np.array([[-np.inf, -np.inf], [-np.inf, 3.0], [1e4, 1e4]])
    tensor = Tensor(x)
    y = fused.logsumexp(tensor)
    assert_allclose(y.data, special.logsumexp(x, axis=-1))
    y.sum().backward()
    assert_allclose(tensor.grad, [[0, 0], [0, 1], [0.5, 0.5]])


@pytest.mark.parametrize("shape", ROWS, ids=str)
def test_layer_norm_standardises_rows(shape):
    x, scale, shift = normal(*shape), normal(shape[-1]), normal(shape[-1])
    y = fused.layer_norm(Tensor(x), Tensor(scale), Tensor(shift), eps=1e-3).data
    variance = x.var(axis=-1, keepdims=True)
    expected = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(variance + 1e-3)
    assert_allclose(y, expected * scale + shift, atol=1e-12)
    assert_gradients(
        lambda p: weighted(fused.layer_norm(p["x"], p["scale"], p["shift"], eps=1e-3)),
        {"x": x, "scale": scale, "shift": shift},
    )


@pytest.mark.parametrize("shape", [(), (1,), (0, 2), (7,)], ids=str)
def test_gelu_is_its_formula(shape):
    x = normal(*shape)
    u = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    assert_allclose(fused.gelu(Tensor(x)).data, x * (1 + np.tanh(u)) / 2, rtol=1e-12)
    assert_gradients(lambda p: weighted(fused.gelu(p["x"])), {"x": x})


def test_gelu_is_nearly_the_normal_one_and_does_not_overflow():
    x = np.linspace(-50, 50, 2001)
    y = fused.gelu(Tensor(x)).data
    assert np.abs(y - x * stats.norm.cdf(x)).max() < 5e-4
    tensor = Tensor(np.array([-1e4, 1e4], np.float32))
    fused.gelu(tensor).sum().backward()
    assert_array_equal(tensor.grad, [0, 1])


@pytest.mark.parametrize(
    "symbols", [[0, 2, 2, 1], [[3, 3], [3, 0]], [2], np.zeros((0,), int), 1], ids=str
)
def test_embedding_looks_up_rows(symbols):
    table, symbols = normal(4, 3), np.asarray(symbols)
    assert_array_equal(fused.embedding(Tensor(table), symbols).data, table[symbols])
    assert_gradients(lambda p: weighted(fused.embedding(p["t"], symbols)), {"t": table})


@pytest.mark.parametrize(("shape", "M"), [((), 3), ((4,), 3), ((2, 3), 5), ((2,), 1)], ids=str)
def test_cross_entropy_is_the_mean_of_minus_the_log_probability(shape, M):
    scores = normal(*shape, M)
    targets = np.random.default_rng(2).integers(M, size=shape)
    log_p = special.log_softmax(scores, axis=-1)
    expected = -np.take_along_axis(log_p, targets[..., None], -1).mean()
    assert_allclose(float(fused.cross_entropy(Tensor(scores), targets)), expected, atol=1e-12)
    assert_gradients(lambda p: fused.cross_entropy(p["s"], targets), {"s": scores})


def test_cross_entropy_of_sure_scores_is_finite():
    scores = Tensor(np.array([[1e4, 0.0], [1e4, 0.0]]))
    assert float(fused.cross_entropy(scores, np.array([0, 1]))) == 5e3


@pytest.mark.parametrize("shape", [(), (1,), (0, 2), (3, 4)], ids=str)
def test_binary_cross_entropy_is_bernoullis(shape):
    scores, x = normal(*shape), np.random.default_rng(2).integers(2, size=shape)
    value = fused.binary_cross_entropy(Tensor(scores), x).data
    assert_allclose(value, -stats.bernoulli(special.expit(scores)).logpmf(x), rtol=1e-9)
    grey = np.random.default_rng(3).random(size=shape)
    assert_gradients(lambda p: weighted(fused.binary_cross_entropy(p["s"], grey)), {"s": scores})


def test_binary_cross_entropy_of_sure_scores_is_finite():
    scores = Tensor(np.array([-1e4, 1e4, -1e4]))
    value = fused.binary_cross_entropy(scores, np.array([0, 1, 1]))
    assert_array_equal(value.data, [0, 0, 1e4])
    value.sum().backward()
    assert_array_equal(scores.grad, [0, 0, -1])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: fused.softmax(x, np.tri(4, dtype=bool)),
        fused.gelu,
        fused.logsumexp,
        lambda x: fused.layer_norm(x, Tensor(np.ones(4, "f")), Tensor(np.ones(4, "f"))),
        lambda x: fused.linear(x, Tensor(np.ones((4, 2), "f")), Tensor(np.ones(2, "f"))),
        lambda x: fused.binary_cross_entropy(x, np.ones(4)),
        lambda x: fused.cross_entropy(x, np.ones(4, int)),
    ],
)
def test_single_precision_stays_single_and_close(function):
    single, double = Tensor(normal(4, 4).astype("f")), Tensor(normal(4, 4))
    values = []
    for x in (single, double):
        y = function(x)
        assert y.dtype == (np.float32 if x is single else y.dtype)
        y.sum().backward()
        values.append((y.data, x.grad))
    assert single.grad.dtype == np.float32
    assert_allclose(values[0][0], values[1][0], rtol=1e-5, atol=1e-5)
    assert_allclose(values[0][1], values[1][1], rtol=1e-4, atol=1e-5)


X = Tensor(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fused.linear(X, Tensor(np.ones((2, 3))), X), "x @ weight does not fit"),
        (lambda: fused.linear(X, Tensor(np.ones((3, 2))), X), r"bias must have shape \(2,\)"),
        (lambda: fused.softmax(Tensor(np.ones((2, 0)))), "x must have a last axis"),
        (lambda: fused.softmax(Tensor(np.float64(1.0))), "x must have a last axis"),
        (lambda: fused.softmax(X, np.ones((2, 3))), "mask must be bools"),
        (lambda: fused.softmax(X, np.ones((3, 2), bool)), r"mask must be bools .* \(2, 3\)"),
        (lambda: fused.softmax(X, np.array([True, False])[:, None]), "at least one True in each"),
        (lambda: fused.logsumexp(Tensor(np.ones((2, 0)))), "x must have a last axis"),
        (
            lambda: fused.layer_norm(X, Tensor(np.ones(2)), Tensor(np.ones(3))),
            r"scale must have shape \(3,\)",
        ),
        (
            lambda: fused.layer_norm(X, Tensor(np.ones(3)), Tensor(np.ones(2))),
            r"shift must have shape \(3,\)",
        ),
        (lambda: fused.layer_norm(X, X[0], X[0], eps=0.0), "eps must be above zero"),
        (lambda: fused.embedding(X[0], np.array([1])), "table must have shape"),
        (lambda: fused.embedding(X, np.array([2])), "symbols must be integers from 0 to 1, got"),
        (lambda: fused.embedding(X, np.array([-1])), "values from -1 to -1"),
        (lambda: fused.embedding(X, np.array([0.5])), "symbols must be integers"),
        (lambda: fused.cross_entropy(X, np.array([0])), r"targets must have shape \(2,\)"),
        (lambda: fused.cross_entropy(X, np.array([0, 3])), "targets must be integers from 0 to 2"),
        (
            lambda: fused.cross_entropy(Tensor(np.ones((0, 3))), np.zeros(0, int)),
            "at least one entry",
        ),
        (lambda: fused.binary_cross_entropy(X, np.array([2.0])), "x must be between 0 and 1"),
        (lambda: fused.binary_cross_entropy(X, np.array([np.nan])), "x must be between 0 and 1"),
        (lambda: fused.binary_cross_entropy(X, np.ones(2)), "x must broadcast"),
    ],
)
@pytest.mark.usefixtures("as_users_call")
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
