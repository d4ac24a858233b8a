import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import seeds
from scipy import integrate, stats

from latent.autodiff import Tensor, record
from latent.gradient_estimators import (
    reparameterise,
    reparameterised_gradient,
    score_function_gradient,
)

ESTIMATORS = [score_function_gradient, reparameterised_gradient]


def quadratic(a, b):
    """f(s) = sum_i a_i s_i^2 + b_i s_i, with E[f] = sum_i a_i (mu_i^2 + sigma_i^2) + b_i mu_i."""
    return lambda s: (s * s * a + s * b).sum(axis=1)


def wave(frequency):
    """f(s) = sin(frequency s), from the primitives that there are."""

    def f(s):
        x = frequency * s.data
        return record(np.sin(x), (s, lambda g: g * frequency * np.cos(x))).sum(axis=1)

    return f


def standard_error(samples):
    return samples.std(axis=0) / np.sqrt(len(samples))


@pytest.mark.parametrize("estimator", ESTIMATORS)
@given(seeds, st.integers(1, 3))
def test_both_are_right_on_average_for_a_quadratic(estimator, seed, D):
    rng = np.random.default_rng(seed)
    a, b, mean, sd = rng.normal(size=D), rng.normal(size=D), rng.normal(size=D), rng.random(D) + 0.3
    found = estimator(quadratic(a, b), mean, sd, n_samples=20_000, rng=rng)
    assert found.mean.shape == found.sd.shape == (20_000, D)
    for samples, exact in ((found.mean, 2 * a * mean + b), (found.sd, 2 * a * sd)):
        assert (np.abs(samples.mean(axis=0) - exact) < 5 * standard_error(samples) + 1e-9).all()


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_both_agree_with_quadrature_for_a_function_without_a_closed_form(estimator):
    mean, sd, h = 0.4, 0.8, 1e-4

    def expectation(mean, sd):
        return integrate.quad(
            lambda s: np.log1p(np.exp(3 * s)) * stats.norm.pdf(s, mean, sd), -10, 10
        )[0]

    exact = [
        (expectation(mean + h, sd) - expectation(mean - h, sd)) / (2 * h),
        (expectation(mean, sd + h) - expectation(mean, sd - h)) / (2 * h),
    ]
    found = estimator(
        lambda s: (s * 3.0).softplus().sum(axis=1),
        np.array([mean]),
        np.array([sd]),
        n_samples=200_000,
        rng=np.random.default_rng(0),
    )
    for samples, value in zip(found, exact, strict=True):
        assert abs(samples.mean() - value) < 4 * standard_error(samples)
        assert standard_error(samples) < 0.02


@given(seeds, st.integers(1, 3))
def test_the_score_estimate_is_f_times_the_gradient_of_ln_q(seed, D):
    rng = np.random.default_rng(seed)
    mean, sd = rng.normal(size=D), rng.random(D) + 0.3
    f = quadratic(rng.normal(size=D), rng.normal(size=D))
    found = score_function_gradient(
        f, mean, sd, n_samples=5, rng=np.random.default_rng(1), baseline=0.7
    )
    s = mean + sd * np.random.default_rng(1).standard_normal((5, D))

    def log_q(mean, sd):
        return stats.norm(mean, sd).logpdf(s)

    h = 1e-5
    by_mean = (log_q(mean + h, sd) - log_q(mean - h, sd)) / (2 * h)
    by_sd = (log_q(mean, sd + h) - log_q(mean, sd - h)) / (2 * h)
    values = f(Tensor(s)).data[:, None] - 0.7
    assert_allclose(found.mean, values * by_mean, rtol=1e-5, atol=1e-5)
    assert_allclose(found.sd, values * by_sd, rtol=1e-5, atol=1e-5)


@given(seeds, st.integers(1, 3))
def test_the_reparameterised_estimate_is_the_derivative_of_f(seed, D):
    rng = np.random.default_rng(seed)
    a, b, mean, sd = rng.normal(size=D), rng.normal(size=D), rng.normal(size=D), rng.random(D) + 0.3
    found = reparameterised_gradient(
        quadratic(a, b), mean, sd, n_samples=5, rng=np.random.default_rng(1)
    )
    eps = np.random.default_rng(1).standard_normal((5, D))
    slope = 2 * a * (mean + sd * eps) + b
    assert_allclose(found.mean, slope)
    assert_allclose(found.sd, slope * eps)


@given(seeds, st.integers(1, 4))
def test_reparameterisation_has_the_smaller_variance_for_a_smooth_function(seed, D):
    rng = np.random.default_rng(seed)
    f = quadratic(np.ones(D), rng.normal(size=D))
    mean, sd = 1.0 + rng.random(D), 0.2 + 0.3 * rng.random(D)
    score, path = (e(f, mean, sd, n_samples=5000, rng=rng) for e in ESTIMATORS)
    assert (path.mean.var(axis=0) < score.mean.var(axis=0)).all()
    assert (path.sd.var(axis=0) < score.sd.var(axis=0)).all()


def test_a_small_fast_ripple_turns_the_order_round():
    # For sin(w s) the variances are about w^2 / 2 and 1 / (2 sigma^2).
    score, path = (
        e(wave(20.0), np.zeros(1), np.ones(1), n_samples=20_000, rng=np.random.default_rng(2))
        for e in ESTIMATORS
    )
    assert_allclose(path.mean.var(), 20**2 / 2, rtol=0.05)
    assert_allclose(score.mean.var(), 1 / 2, rtol=0.05)


def test_at_a_jump_reparameterisation_is_wrong_and_the_score_function_right():
    def step(s):
        return record((s.data > 0).astype(float), (s, lambda g: 0 * g)).sum(axis=1)

    mean, sd = np.array([0.3]), np.array([0.7])
    score, path = (
        e(step, mean, sd, n_samples=50_000, rng=np.random.default_rng(3)) for e in ESTIMATORS
    )
    assert_array_equal(path.mean, 0)
    exact = stats.norm.pdf(0.3, scale=0.7)  # of P(s > 0) = Phi(mu / sigma)
    assert abs(score.mean.mean() - exact) < 4 * standard_error(score.mean)[0]


def test_a_baseline_near_the_values_of_f_lowers_the_variance_alone():
    def f(s):
        return (s * s).sum(axis=1) + 50.0

    mean, sd = np.array([1.0, -1.0]), np.array([0.5, 0.5])
    plain, lowered = (
        score_function_gradient(
            f, mean, sd, n_samples=100_000, rng=np.random.default_rng(4), baseline=b
        )
        for b in (0.0, 52.5)
    )
    assert (lowered.mean.var(axis=0) < plain.mean.var(axis=0) / 100).all()
    assert_allclose(lowered.mean.mean(axis=0), 2 * mean, atol=0.05)
    assert_allclose(lowered.sd.mean(axis=0), 2 * sd, atol=0.05)


def test_a_constant_has_no_gradient():
    found = reparameterised_gradient(
        lambda s: record(np.ones(len(s))),
        np.zeros(2),
        np.ones(2),
        n_samples=3,
        rng=np.random.default_rng(0),
    )
    assert_array_equal(found.mean, np.zeros((3, 2)))


@given(seeds)
def test_reparameterised_draws_have_the_mean_and_the_spread(seed):
    rng = np.random.default_rng(seed)
    mean, sd = rng.normal(size=3), rng.random(3) + 0.1
    s = reparameterise(mean, sd, rng.standard_normal((20_000, 3)))
    assert_allclose(s.mean(axis=0), mean, atol=0.05)
    assert_allclose(s.std(axis=0), sd, rtol=0.05)
    tensors = reparameterise(Tensor(mean), Tensor(sd), np.ones((2, 3)))
    assert_allclose(tensors.data, np.tile(mean + sd, (2, 1)))


ZERO, ONE, RNG = np.zeros(2), np.ones(2), np.random.default_rng(0)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sd": np.array([1.0, 0.0])}, "sd must be above zero, got 0.0 at index 1"),
        ({"sd": np.ones(3)}, r"sd must have shape \(D\) with D = 2"),
        ({"mean": np.array([np.nan, 0.0])}, "mean must be finite"),
        ({"n_samples": 0}, "n_samples must be at least 1"),
        ({"rng": 7}, "rng must be a numpy.random.Generator"),
        ({"f": lambda s: s.sum()}, r"f must return a number for each row, shape \(4,\)"),
    ],
)
def test_bad_input_is_named(estimator, arguments, message):
    good = {"f": lambda s: s.sum(axis=1), "mean": ZERO, "sd": ONE, "n_samples": 4, "rng": RNG}
    with pytest.raises(ValueError, match=message):
        estimator(**(good | arguments))
