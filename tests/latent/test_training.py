"""The loop, with a model small enough to know the answer: linear regression."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from latent import Adam, Trained, minibatches, train
from latent.adam import gradient
from latent.storage import read_arrays, write_arrays


@dataclass(frozen=True)
class Line:
    """y = x w + b + noise; the noise in the loss makes it depend on the generator."""

    parameters: dict
    noise: float = 0.1

    def loss(self, p, batch, rng):
        x, y = batch
        jitter = self.noise * rng.normal(size=y.shape)
        return ((x @ p["w"] + p["b"] - y + jitter) ** 2).mean()


X = np.random.default_rng(0).normal(size=(200, 2))
Y = X @ np.array([[2.0], [-1.0]]) + 0.5
START = Line({"w": np.zeros((2, 1)), "b": np.zeros(1)})


def held_out(model):
    return float(np.square(X @ model.parameters["w"] + model.parameters["b"] - Y).mean())


def fit(steps=120, seed=1, model=START, **options):
    rng = np.random.default_rng(seed)
    batches = minibatches(X, Y, size=32, rng=rng)
    return train(model, batches, steps=steps, rng=rng, **{"rate": 0.05, **options})


def assert_same(one, other):
    for name in one.model.parameters:
        assert_array_equal(one.model.parameters[name], other.model.parameters[name])
    assert_array_equal(one.trace, other.trace)
    assert_array_equal(one.validation, other.validation)
    assert one.early == other.early


class Interrupted(Exception):
    """Somebody pulls the plug."""


def interrupt_at(step):
    """Batches that fail in the given step, and not when they are asked again."""
    rng = np.random.default_rng(1)
    batches, armed = minibatches(X, Y, size=32, rng=rng), [True]

    def failing(i):
        if i == step and armed:
            armed.clear()
            raise Interrupted
        return batches(i)

    return failing, rng


def test_it_finds_the_line():
    run = fit(steps=1000, model=Line(START.parameters, noise=0.0))
    assert_allclose(run.model.parameters["w"], [[2], [-1]], atol=1e-6)
    assert_allclose(run.model.parameters["b"], [0.5], atol=1e-6)
    assert isinstance(run, Trained)
    assert run.trace.shape == (1000,)
    assert run.validation.shape == (0,)
    assert run.trace[0] > 1 > 1e-10 > run.trace[-1]


def test_the_same_seed_gives_the_same_numbers_twice():
    assert_same(fit(validate=held_out), fit(validate=held_out))
    assert (fit().trace != fit(seed=2).trace).any()


def test_the_model_that_one_starts_from_is_not_changed():
    fit()
    assert_array_equal(START.parameters["w"], np.zeros((2, 1)))


@pytest.mark.parametrize("step", [0, 7, 40, 41, 119])
def test_an_interrupted_run_goes_on_as_if_nothing_had_been(tmp_path, step):
    path = tmp_path / "run.npz"
    whole = fit(validate=held_out, every=20)
    batches, rng = interrupt_at(step)
    options = {"steps": 120, "rate": 0.05, "validate": held_out, "every": 20, "checkpoint": path}
    with pytest.raises(Interrupted):
        train(START, batches, rng=rng, **options)
    assert path.exists() == (step >= 20)
    del options["steps"], options["rate"]
    assert_same(whole, fit(**options))
    assert_same(whole, fit(**options))  # it is done, and nothing is added


def test_more_steps_go_on_from_the_end_of_a_shorter_run(tmp_path):
    path = tmp_path / "run.npz"
    fit(steps=50, checkpoint=path)
    assert_same(fit(steps=120), fit(steps=120, checkpoint=path))


def test_a_checkpoint_is_replaced_whole(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    fit(steps=20, every=20, checkpoint=path)
    before = path.read_bytes()

    def breaks(file, **arrays):
        file.write(b"half a file")
        raise OSError("no space left on device")

    monkeypatch.setattr("latent.storage.np.savez", breaks)
    with pytest.raises(OSError, match="no space"):
        fit(steps=40, every=20, checkpoint=path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_best_model_on_held_out_data_is_kept():
    seen = []

    def validate(model):
        seen.append(model)
        return [3.0, 1.0, 2.0, 1.5][len(seen) - 1]

    run = fit(steps=80, every=20, validate=validate)
    assert_array_equal(run.validation, [3, 1, 2, 1.5])
    assert run.model.parameters["w"].tolist() == seen[1].parameters["w"].tolist()
    assert not run.early


def test_it_stops_early_after_as_many_checks_without_a_gain():
    losses = iter([3.0, 1.0, 2.0, 1.5, 0.0])
    run = fit(steps=200, every=20, validate=lambda model: next(losses), patience=2)
    assert_array_equal(run.validation, [3, 1, 2, 1.5])
    assert len(run.trace) == 80
    assert run.early


def test_the_last_step_is_checked_and_saved_too(tmp_path):
    path = tmp_path / "run.npz"
    run = fit(steps=50, every=20, validate=held_out, checkpoint=path)
    assert len(run.validation) == 3
    assert len(read_arrays(path)["trace"]) == 50


def test_the_rate_may_depend_on_the_step():
    run = fit(steps=40, rate=lambda i: 0.05 if i < 20 else 0.0)
    assert_array_equal(run.model.parameters["w"], fit(steps=20).model.parameters["w"])


def test_a_loss_that_is_no_number_stops_it_and_leaves_the_checkpoint(tmp_path):
    path = tmp_path / "run.npz"
    rng = np.random.default_rng(1)
    batches = minibatches(X, Y, size=32, rng=rng)

    def broken(i):
        return batches(i) if i < 30 else (X[:32], np.full((32, 1), np.nan))

    with pytest.raises(FloatingPointError, match="the loss is nan in step 30: lower the rate"):
        train(START, broken, steps=50, rng=rng, every=10, checkpoint=path)
    arrays = read_arrays(path)
    assert len(arrays["trace"]) == 30
    assert np.isfinite(arrays["state/theta"]).all()


def test_a_gradient_that_is_no_number_stops_it():
    @dataclass(frozen=True)
    class Root:
        parameters: dict

        def loss(self, p, batch, rng):
            return (p["w"] ** 0.5).sum()

    with (
        np.errstate(divide="ignore"),
        pytest.raises(FloatingPointError, match="the gradient is not finite in step 0"),
    ):
        train(Root({"w": np.zeros(1)}), lambda i: None, steps=1, rng=np.random.default_rng(0))


def test_progress_is_shown_only_on_demand(capsys):
    fit(steps=5)
    assert capsys.readouterr().err == ""
    fit(steps=5, progress=True)
    assert "5/5" in capsys.readouterr().err


def test_batches_hold_each_row_once_in_a_pass_and_depend_on_the_step_alone():
    rows = np.arange(10)
    batches = minibatches(rows, rows * 10, size=5, rng=np.random.default_rng(0))
    first = [batches(i)[0] for i in range(4)]
    for turn in (first[:2], first[2:]):
        assert_array_equal(np.sort(np.concatenate(turn)), rows)
    assert (np.concatenate(first[:2]) != np.concatenate(first[2:])).any()
    for i in (3, 0, 2, 1):
        x, y = batches(i)
        assert_array_equal(x, first[i])
        assert_array_equal(y, 10 * x)


def test_rows_that_fill_no_batch_wait():
    batches = minibatches(np.arange(7), size=3, rng=np.random.default_rng(0))
    assert [len(batches(i)[0]) for i in range(4)] == [3] * 4
    assert len(np.unique(np.concatenate([batches(0)[0], batches(1)[0]]))) == 6


@dataclass(frozen=True)
class Bowl:
    """The loss sum(curvature w^2) / 2, with a known gradient."""

    parameters: dict

    def loss(self, p, batch, rng):
        return (p["w"] * p["w"] * batch).sum() * 0.5


def steps_of_adam(gradient, theta, rate, n, b1=0.9, b2=0.999, eps=1e-8):
    """Adam as Kingma and Ba print it."""
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t in range(1, n + 1):
        g = gradient(theta)
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        theta = theta - rate * m / (1 - b1**t) / (np.sqrt(v / (1 - b2**t)) + eps)
    return theta


@pytest.mark.parametrize("eps", [1e-8, 0.1])
def test_adam_is_the_published_rule(eps):
    curvature, w = np.array([1.0, 10.0, 0.0]), np.array([1.0, -2.0, 3.0])
    run = train(
        Bowl({"w": w}),
        lambda i: curvature,
        steps=25,
        rng=np.random.default_rng(0),
        optimiser=Adam(eps=eps),
        rate=0.1,
    )
    expected = steps_of_adam(lambda theta: curvature * theta, w, 0.1, 25, eps=eps)
    assert_allclose(run.model.parameters["w"], expected, rtol=1e-12)
    assert run.model.parameters["w"][2] == 3


def test_a_long_gradient_is_shortened():
    def moments(clip):
        optimiser = Adam(clip=clip)
        model = Bowl({"w": np.array([3.0, 4.0])})
        state = optimiser.start(model)
        optimiser.step(model, state, np.ones(2), 0.1, np.random.default_rng(0))
        return state["m"] / 0.1

    assert_allclose(moments(None), [3, 4])
    assert_allclose(moments(10.0), [3, 4])
    assert_allclose(moments(1.0), [0.6, 0.8])


@pytest.mark.parametrize("workers", [2, 3])
def test_threads_share_a_batch(workers):
    rng = np.random.default_rng(0)
    model = Line({"w": rng.normal(size=(2, 1)), "b": np.ones(1)}, noise=0.0)
    theta = np.array([1.0, 2.0, 3.0])
    loss, g = gradient(model, theta, (X, Y), rng)
    found_loss, found = gradient(model, theta, (X, Y), rng, workers=workers)
    assert_allclose(found_loss, loss)
    assert_allclose(found, g)
    numeric = [
        (gradient(model, theta + d, (X, Y), rng)[0] - gradient(model, theta - d, (X, Y), rng)[0])
        / 2e-6
        for d in 1e-6 * np.eye(3)
    ]
    assert_allclose(g, numeric, rtol=1e-6)


def test_threads_give_the_same_numbers_twice():
    assert_same(fit(optimiser=Adam(workers=2)), fit(optimiser=Adam(workers=2)))


def test_threads_share_a_batch_that_is_one_array():
    class Mean(Bowl):
        def loss(self, p, batch, rng):
            return ((p["w"] - batch) ** 2).mean(0).sum()

    theta, rng = np.ones(2), np.random.default_rng(0)
    loss, g = gradient(Mean({"w": theta}), theta, X, rng)
    found_loss, found = gradient(Mean({"w": theta}), theta, X, rng, workers=3)
    assert_allclose(found_loss, loss)
    assert_allclose(found, g)


def test_threads_need_a_row_each():
    with pytest.raises(ValueError, match=r"for 2 workers a batch must be .* lengths \[1\]"):
        train(START, lambda i: (X[:1], Y[:1]), steps=1, rng=RNG, optimiser=Adam(workers=2))
    with pytest.raises(ValueError, match=r"got float with lengths \[\]"):
        train(START, lambda i: 3.0, steps=1, rng=RNG, optimiser=Adam(workers=2))


def test_a_parameter_that_the_loss_ignores_stays():
    model = Bowl({"w": np.ones(2), "unused": np.full(3, 7.0)})
    run = train(model, lambda i: np.ones(2), steps=3, rng=np.random.default_rng(0))
    assert_array_equal(run.model.parameters["unused"], np.full(3, 7.0))


def test_single_precision_stays_single():
    model = Bowl({"w": np.ones((2, 3), np.float32)})
    run = train(model, lambda i: np.float32(2), steps=3, rng=np.random.default_rng(0))
    assert run.model.parameters["w"].dtype == np.float32
    assert run.model.parameters["w"].shape == (2, 3)


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"every": 0}, "every must be at least 1"),
        ({"rate": -1.0}, "rate must be above zero"),
        ({"rng": 3}, "rng must be a numpy.random.Generator"),
        ({"patience": 3}, "patience needs validate"),
        ({"patience": 0, "validate": held_out}, "patience must be at least 1"),
        ({"model": Line({})}, "parameters must be arrays of floats"),
        ({"model": Line({"w": np.ones(2, int)})}, "parameters must be arrays of floats"),
        ({"model": Line({"w": np.ones(2), "b": np.ones(1, "f")})}, "all of one precision"),
    ],
)
@pytest.mark.usefixtures("as_users_call")
def test_mistakes_are_named(options, message):
    options = {"model": START, "steps": 5, "rng": RNG, **options}
    with pytest.raises(ValueError, match=message):
        train(batches=lambda i: (X, Y), **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: minibatches(size=2, rng=RNG), "data must be at least one array"),
        (lambda: minibatches(X, Y[:5], size=2, rng=RNG), r"equal lengths, got \[200, 5\]"),
        (lambda: minibatches(X, size=201, rng=RNG), "size must be at most 200"),
        (lambda: minibatches(X, size=0, rng=RNG), "size must be at least 1"),
        (lambda: minibatches(X, size=2, rng=None), "rng must be a numpy.random.Generator"),
        (lambda: Adam(b1=1.0), "b1 must be from 0 up to 1"),
        (lambda: Adam(b2=-0.5), "b2 must not be negative"),
        (lambda: Adam(eps=0.0), "eps must be above zero"),
        (lambda: Adam(clip=0.0), "clip must be above zero"),
        (lambda: Adam(workers=0), "workers must be at least 1"),
    ],
)
@pytest.mark.usefixtures("as_users_call")
def test_mistakes_in_what_it_is_given_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"trace": np.zeros(3)}, "is not the state of a training"),
        ({"state/theta": np.zeros(9)}, "is not the state of a training"),
        (None, "must be an .npz file"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused_and_kept(tmp_path, content, message):
    path = tmp_path / "run.npz"
    if content is None:
        path.write_bytes(b"something else")
    else:
        write_arrays(path, content)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=message):
        fit(checkpoint=path)
    assert path.read_bytes() == before


def test_a_checkpoint_of_another_model_or_a_longer_run_is_refused(tmp_path):
    path = tmp_path / "run.npz"
    fit(steps=30, checkpoint=path)
    with pytest.raises(ValueError, match="belongs to another model"):
        fit(checkpoint=path, model=Line({"w": np.zeros((2, 1))}))
    with pytest.raises(ValueError, match="is 30 steps on; steps must be at least that, got 20"):
        fit(steps=20, checkpoint=path)
