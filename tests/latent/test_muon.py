from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import seeds

from latent.adam import Adam
from latent.muon import Muon, orthogonal
from latent.training import train


@dataclass(frozen=True)
class Linear:
    """Y = X W_1 W_2 + b, with a hidden matrix, a readout and a vector."""

    parameters: dict

    def loss(self, p, batch, rng):
        x, y = batch
        return ((x @ p["hidden.weight"] @ p["readout.weight"] + p["b"] - y) ** 2).mean()


def model(rng, dtype=float):
    shapes = {"hidden.weight": (4, 6), "readout.weight": (6, 2), "b": (2,)}
    return Linear({k: rng.normal(size=shape).astype(dtype) for k, shape in shapes.items()})


def batch(rng, n=20):
    return rng.normal(size=(n, 4)), rng.normal(size=(n, 2))


@given(seeds, st.integers(1, 12), st.integers(1, 12))
def test_directions_stay_and_singular_values_come_near_one(seed, n, m):
    x = np.random.default_rng(seed).normal(size=(n, m))
    U, s, Vt = np.linalg.svd(x, full_matrices=False)
    # In the bases of x, what comes out is diagonal.
    y = U.T @ orthogonal(x) @ Vt.T
    kept = s / np.linalg.norm(s) > 0.01
    assert_allclose(y, np.diag(np.diagonal(y)), atol=1e-9)
    assert (np.diagonal(y)[kept] > 0.65).all()
    assert (np.diagonal(y) < 1.25).all()
    assert_allclose(orthogonal(x), U @ np.diag(np.diagonal(y)) @ Vt, atol=1e-9)


@given(seeds)
def test_the_size_of_a_gradient_does_not_matter(seed):
    x = np.random.default_rng(seed).normal(size=(5, 3))
    assert_allclose(orthogonal(1e-6 * x), orthogonal(x), atol=1e-9)
    assert_allclose(orthogonal(x.T), orthogonal(x).T, atol=1e-9)
    assert not orthogonal(np.zeros((5, 3))).any()


def test_float32_stays_float32():
    assert orthogonal(np.ones((3, 2), np.float32)).dtype == np.float32
    rng = np.random.default_rng(0)
    start = model(rng, np.float32)
    state = Muon().start(start)
    Muon().step(start, state, batch(rng), 0.1, rng)
    assert state["theta"].dtype == np.float32


def test_steps_are_the_formulas():
    rng = np.random.default_rng(1)
    start, rule = model(rng), Muon(momentum=0.9, size=0.5)
    state, M = rule.start(start), np.zeros((4, 6))
    W = start.parameters["hidden.weight"].copy()
    for _ in range(3):
        x, y = batch(rng)
        here = rule.finish(start, state).parameters
        residual = x @ here["hidden.weight"] @ here["readout.weight"] + here["b"] - y
        G = x.T @ (2 * residual / residual.size) @ here["readout.weight"].T
        M = 0.9 * M + G
        W = W - 0.1 * 0.5 * np.sqrt(6) * orthogonal(G + 0.9 * M)
        rule.step(start, state, (x, y), 0.1, rng)
        assert_allclose(rule.finish(start, state).parameters["hidden.weight"], W, rtol=1e-10)


def test_without_hidden_matrices_it_is_adam():
    rng = np.random.default_rng(2)
    start, data = model(rng), [batch(rng) for _ in range(4)]
    rules = Muon(others=("readout.weight", "hidden.weight"), adam=Adam(clip=0.5)), Adam(clip=0.5)
    ends = []
    for rule in rules:
        state = rule.start(start)
        losses = [rule.step(start, state, one, 0.05, rng) for one in data]
        ends.append((rule.finish(start, state).parameters, losses))
    assert_allclose(ends[0][1], ends[1][1])
    for name, value in ends[1][0].items():
        assert_allclose(ends[0][0][name], value)


def test_entries_of_a_step_are_of_the_size_of_the_rate():
    rng = np.random.default_rng(3)
    for shape in ((64, 64), (64, 256), (256, 64)):
        step = Muon(size=0.6)._of_matrix(np.zeros(shape), rng.normal(size=shape))
        assert_allclose(np.sqrt(np.square(step).mean()), 0.6, rtol=0.2)


def test_two_workers_give_the_numbers_of_one():
    rng = np.random.default_rng(4)
    start, data = model(rng), batch(rng)
    ends = []
    for workers in (1, 2):
        rule = Muon(adam=Adam(workers=workers))
        state = rule.start(start)
        for _ in range(3):
            rule.step(start, state, data, 0.05, np.random.default_rng(5))
        ends.append(state["theta"])
    assert_allclose(ends[1], ends[0], rtol=1e-10)


def test_it_fits_a_map_and_goes_on_from_a_checkpoint_with_the_same_result(tmp_path):
    rng = np.random.default_rng(6)
    x = rng.normal(size=(50, 4))
    y = x @ rng.normal(size=(4, 6)) @ rng.normal(size=(6, 2)) + 1

    def fit(steps, path=None):
        return train(
            model(np.random.default_rng(7)),
            lambda i: (x, y),
            steps=steps,
            rng=np.random.default_rng(8),
            optimiser=Muon(),
            rate=lambda i: 0.05 * (1 - i / 200),
            checkpoint=path,
        )

    whole = fit(200)
    assert whole.trace[-1] < 1e-3 * whole.trace[0]
    fit(80, tmp_path / "state.npz")
    resumed = fit(200, tmp_path / "state.npz")
    assert_array_equal(resumed.trace, whole.trace)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Muon(momentum=1.0), "momentum must be from 0 up to 1, got 1.0"),
        (lambda: Muon(momentum=-0.1), "momentum must not be negative"),
        (lambda: Muon(size=0.0), "size must be above zero"),
        (lambda: orthogonal(np.ones(3)), r"x must be a matrix, got shape \(3,\)"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@dataclass(frozen=True)
class Root:
    """A loss whose derivative at zero is infinite."""

    parameters: dict

    def loss(self, p, batch, rng):
        return (p["hidden.weight"] ** 0.5).sum()


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_a_gradient_that_is_not_finite_stops_it():
    start, rule = Root({"hidden.weight": np.zeros((2, 2))}), Muon()
    state = rule.start(start)
    with pytest.raises(FloatingPointError, match="the gradient is not finite in step 0"):
        rule.step(start, state, None, 0.1, np.random.default_rng(9))
    assert not state["theta"].any()
    assert state["t"] == 0
