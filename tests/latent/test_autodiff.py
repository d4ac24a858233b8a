import gc
import weakref

import numpy as np
import pytest
from gradients import assert_gradients
from hypothesis import given
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from numpy.testing import assert_allclose, assert_array_equal
from random_models import seeds
from scipy.special import expit

from latent.autodiff import Tensor, concatenate, record, stop_gradient

SHAPES = [(), (1,), (3,), (2, 3), (1, 1), (0, 2), (2, 0), (2, 1, 3)]

UNARY = {
    "minus": (lambda x: -x, lambda x: -x),
    "exp": (Tensor.exp, np.exp),
    "log": (lambda x: (x * x + 0.5).log(), lambda x: np.log(x * x + 0.5)),
    "tanh": (Tensor.tanh, np.tanh),
    "sigmoid": (Tensor.sigmoid, expit),
    "softplus": (Tensor.softplus, lambda x: np.logaddexp(x, 0)),
    "relu": (Tensor.relu, lambda x: np.maximum(x, 0)),
    "square": (lambda x: x**2, np.square),
    "cube": (lambda x: x**3, lambda x: x**3),
    "root": (lambda x: (x * x + 0.5) ** 0.5, lambda x: np.sqrt(x * x + 0.5)),
    "one over": (lambda x: 1.0 / (x * x + 0.5), lambda x: 1 / (x * x + 0.5)),
    "one minus": (lambda x: 1 - x, lambda x: 1 - x),
    "plus a number": (lambda x: 2 + x, lambda x: 2 + x),
    "times a number": (lambda x: 2 * x, lambda x: 2 * x),
    "stop": (lambda x: x * stop_gradient(Tensor(np.full(x.shape, 3.0))), lambda x: 3 * x),
}

BINARY = {
    "plus": lambda x, y: x + y,
    "minus": lambda x, y: x - y,
    "times": lambda x, y: x * y,
    "over": lambda x, y: x / (y * y + 0.5),
}


def weighted(y, rng):
    """A number that depends on each entry in its own way."""
    return (y * rng.normal(size=y.shape)).sum()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", UNARY)
def test_elementwise_functions_have_the_value_and_the_gradient(name, shape):
    x = np.random.default_rng(0).normal(size=shape)
    function, numpys = UNARY[name]
    assert_allclose(function(Tensor(x)).data, numpys(x), rtol=1e-12, atol=1e-12)
    assert_gradients(lambda p: weighted(function(p["x"]), np.random.default_rng(1)), {"x": x})


@given(seeds, mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3, min_side=0))
@pytest.mark.parametrize("name", BINARY)
def test_binary_operations_sum_over_what_they_repeat(name, seed, shapes):
    rng = np.random.default_rng(seed)
    x, y = (rng.normal(size=shape) for shape in shapes.input_shapes)
    value = BINARY[name](Tensor(x), Tensor(y))
    assert_allclose(value.data, BINARY[name](x, y))
    assert value.shape == shapes.result_shape
    assert_gradients(
        lambda p: weighted(BINARY[name](p["x"], p["y"]), np.random.default_rng(1)),
        {"x": x, "y": y},
    )


@pytest.mark.parametrize("name", BINARY)
def test_arrays_on_either_side_are_constants(name):
    rng = np.random.default_rng(0)
    x, c = rng.normal(size=(2, 3)), rng.normal(size=(4, 1, 3))
    for f in (lambda t: BINARY[name](t, c), lambda t: BINARY[name](c, t)):
        assert_allclose(f(Tensor(x)).data, f(x))
        assert_gradients(lambda p, f=f: weighted(f(p["x"]), np.random.default_rng(1)), {"x": x})


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3, 4)),
        ((2, 2, 2, 3), (3, 1)),
        ((2, 3), (5, 3, 4)),
        ((5, 2, 3), (5, 3, 4)),
        ((5, 1, 2, 3), (4, 3, 2)),
        ((1, 1), (1, 1)),
        ((0, 3), (3, 2)),
        ((2, 0), (0, 3)),
        ((0, 2, 3), (3, 2)),
        ((2, 0, 3), (3, 2)),
        ((4, 0, 3), (4, 3, 2)),
    ],
    ids=str,
)
def test_products_of_matrices(left, right):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=left), rng.normal(size=right)
    assert_allclose((Tensor(x) @ Tensor(w)).data, x @ w)
    assert_gradients(
        lambda p: weighted(p["x"] @ p["w"], np.random.default_rng(1)), {"x": x, "w": w}
    )
    assert_gradients(lambda p: weighted(x @ p["w"], np.random.default_rng(1)), {"w": w})
    assert_gradients(lambda p: weighted(p["x"] @ w, np.random.default_rng(1)), {"x": x})


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 3, 1), (2, 0, 3)], ids=str)
def test_sums_and_means(shape, axis, keepdims):
    x = np.random.default_rng(0).normal(size=shape)

    def check(method, numpys):
        value = method(Tensor(x), axis, keepdims=keepdims)
        assert_allclose(value.data, numpys(x, axis=axis, keepdims=keepdims))
        assert_gradients(
            lambda p: weighted(
                method(p["x"], axis, keepdims=keepdims) ** 2, np.random.default_rng(1)
            ),
            {"x": x},
        )

    check(Tensor.sum, np.sum)
    if x.size:
        check(Tensor.mean, np.mean)


@pytest.mark.parametrize(
    "move",
    [
        lambda x: x.reshape(4, -1),
        lambda x: x.reshape(2, 2, 3, 2),
        lambda x: x.transpose(2, 0, 1),
        lambda x: x.transpose(-1, 1, 0),
        lambda x: x.swapaxes(0, -1),
        lambda x: x[1],
        lambda x: x[:, 1:, ::2],
        lambda x: x[..., None, 0],
        lambda x: x[np.array([0, 1, 1]), :, 2],
        lambda x: x[np.array([[0, 0], [1, 0]])],
        lambda x: x[[1, 1, 0]],
        lambda x: x[:, np.array([True, False, True])],
        lambda x: x[:0],
    ],
)
def test_entries_that_are_moved_take_their_gradient_along(move):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    assert_array_equal(move(Tensor(x)).data, move(x))
    assert_gradients(lambda p: weighted(move(p["x"]) ** 2, np.random.default_rng(1)), {"x": x})


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_parts_that_are_joined_take_their_gradient_back(axis):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    z = rng.normal(size=(0, 3) if axis == 0 else (2, 0))
    whole = concatenate([Tensor(x), Tensor(z), Tensor(y)], axis)
    assert_array_equal(whole.data, np.concatenate([x, z, y], axis))
    assert_gradients(
        lambda p: weighted(
            concatenate([p["x"], p["z"], p["y"]], axis) ** 2, np.random.default_rng(1)
        ),
        {"x": x, "y": y, "z": z},
    )


def test_a_value_that_is_used_several_times_gets_the_sum():
    x = np.random.default_rng(0).normal(size=(3, 3))

    def loss(p):
        y = p["x"].tanh()
        z = y @ y + y * p["x"] + y
        return (z * z + y + p["x"] @ z).sum()

    assert_gradients(loss, {"x": x})


@given(seeds)
def test_random_programs_have_the_gradient_of_differences(seed):
    def loss(p):
        rng = np.random.default_rng(seed)
        values = list(p.values())
        for _ in range(8):
            i, j = rng.integers(len(values), size=2)
            join = rng.integers(5)
            x, y = values[i], values[j]
            values.append(
                [
                    lambda x, y: x + y,
                    lambda x, y: (x * y).tanh(),
                    lambda x, y: (x @ y).sigmoid(),
                    lambda x, y: x - y.swapaxes(0, 1),
                    lambda x, y: x[:1] * y.mean(0),
                ][join](x, y)
            )
            if values[-1].shape != (2, 2):
                values[-1] = values[-1] + x
        return (values[-1] * values[-2]).sum()

    rng = np.random.default_rng(seed)
    assert_gradients(loss, {"x": rng.normal(size=(2, 2)), "y": rng.normal(size=(2, 2))})


def test_gradients_of_two_losses_add_up():
    x = Tensor(np.array([1.0, 2.0]))
    (x * x).sum().backward()
    (3 * x).sum().backward()
    assert_array_equal(x.grad, [5.0, 7.0])


def test_no_gradient_passes_a_stop():
    x = Tensor(np.array([1.0, 2.0]))
    y = stop_gradient(x * x)
    assert not y.tracked
    (x * y).sum().backward()
    assert_array_equal(x.grad, [1.0, 4.0])


def test_a_straight_through_value_has_the_gradient_of_its_argument():
    x = Tensor(np.array([0.2, 1.7]))
    y = x + stop_gradient(Tensor(np.round(x.data)) - x)
    (y * y).sum().backward()
    assert_array_equal(y.data, [0.0, 2.0])
    assert_array_equal(x.grad, [0.0, 4.0])


def test_a_chain_of_ten_thousand_links_needs_no_recursion():
    x = Tensor(np.array(1.0))
    y = x
    for _ in range(10_000):
        y = y + 1
    y.backward()
    assert x.grad == 1


def test_gradients_are_taken_back_to_the_precision_of_the_leaf():
    x = Tensor(np.ones((2, 3), np.float32))
    y = (2.0 * x * np.ones(3) / np.float64(3) + np.True_) @ np.ones((3, 1))
    assert y.dtype == np.float32
    y.sum().backward()
    assert x.grad.dtype == np.float32


def test_a_gradient_is_not_changed_by_a_later_one():
    x, y = Tensor(np.ones(2)), Tensor(np.ones(2))
    (x + y).sum().backward()
    kept = y.grad.copy()
    (5 * x).sum().backward()
    assert_array_equal(y.grad, kept)


def test_the_tape_goes_when_the_loss_goes():
    gc.disable()  # references alone must do
    try:
        x = Tensor(np.ones(3))
        middle = x * x
        gone = weakref.ref(middle.data)
        loss = middle.sum()
        loss.backward()
        del middle, loss
        assert gone() is None
    finally:
        gc.enable()


def test_users_can_add_a_primitive():
    def sine(x):
        return record(np.sin(x.data), (x, lambda g: g * np.cos(x.data)))

    assert_gradients(
        lambda p: weighted(sine(p["x"]), np.random.default_rng(1)),
        {"x": np.linspace(0, 1, 5)},
    )


def test_a_tensor_tells_what_an_array_tells():
    x = Tensor(np.ones((2, 3)))
    assert (x.shape, x.ndim, x.dtype, len(x)) == ((2, 3), 2, np.float64, 2)
    assert float(x.sum()) == 6
    assert repr(Tensor(np.array([1.5]))) == "Tensor([1.5])"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Tensor(np.arange(3)), r"data must be floats, got int64: convert numbers with"),
        (lambda: Tensor([1, 2]), "data must be floats, got int64"),
        (lambda: Tensor("text"), "data must be floats, got <U4"),
        (lambda: Tensor(np.ones(2)) * np.arange(2), "an array that meets a Tensor must be floats"),
        (lambda: Tensor(np.ones(2)) + Tensor(np.ones(3)), r"add of shapes \(2,\) and \(3,\)"),
        (lambda: Tensor(np.ones((2, 3))) - np.ones((3, 2)), "subtract of shapes"),
        (lambda: Tensor(np.ones((2, 3))) * np.ones((3, 2)), "multiply of shapes"),
        (lambda: Tensor(np.ones((2, 3))) / np.ones((3, 2)), "divide of shapes"),
        (lambda: Tensor(np.ones((2, 3))) @ np.ones((2, 3)), r"\(2, 3\) @ \(2, 3\) does not fit"),
        (lambda: Tensor(np.ones(3)) @ np.ones((3, 2)), "at least two axes"),
        (lambda: np.ones((2, 3)) @ Tensor(np.ones(3)), "at least two axes"),
        (lambda: Tensor(np.ones((2, 2, 3))) @ np.ones((4, 3, 2)), "matmul of shapes"),
        (lambda: Tensor(np.ones(3)) ** Tensor(np.ones(3)), "the exponent must be a number"),
        (lambda: Tensor(np.ones(3)).backward(), r"single number, the loss, got shape \(3,\)"),
        (lambda: stop_gradient(Tensor(np.ones(1))).backward(), "depends on no Tensor"),
        (lambda: Tensor(np.ones((0, 3))).mean(), "at least one entry"),
        (lambda: Tensor(np.ones(4)).reshape(3), "reshape"),
        (lambda: stop_gradient(np.ones(2)), "x must be a Tensor, got ndarray"),
        (lambda: Tensor(np.ones(2)).sum(1), "axis 1 is out of bounds"),
        (lambda: Tensor(np.ones(2)).swapaxes(0, 1), "out of bounds"),
        (lambda: concatenate([]), "parts must have at least one"),
    ],
)
@pytest.mark.usefixtures("as_users_call")
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
