import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from random_models import seeds
from scipy import stats

from latent import sign_switching

lams = st.floats(-2, 2)
sigmas = st.floats(0.3, 3)


def series(seed, T=6):
    return 2 * np.random.default_rng(seed).normal(size=T)


def all_signs(T):
    return 2 * np.array(list(np.ndindex(*[2] * T))) - 1


@given(seeds, lams, sigmas)
def test_the_joint_is_the_product_of_the_lecture(seed, lam, sigma):
    x = series(seed)
    s = np.random.default_rng(seed).choice([-1, 1], 6)
    previous = [0, *x[:-1]]
    expected = sum(
        np.log(0.5) + stats.norm.logpdf(x[t], s[t] * lam * previous[t], sigma) for t in range(6)
    )
    assert_allclose(sign_switching.log_joint(s, lam, x, sigma), expected)


@given(seeds, lams, sigmas)
def test_evidence_posterior_and_q_are_sums_over_all_signs(seed, lam, sigma):
    x, lam_old = series(seed), 0.7
    signs = all_signs(6)
    joint = np.array([sign_switching.log_joint(s, lam, x, sigma) for s in signs])
    evidence = sign_switching.log_evidence(lam, x, sigma)
    assert_allclose(evidence, np.logaddexp.reduce(joint))
    gamma = np.exp(joint - evidence) @ (signs == 1)
    assert_allclose(sign_switching.posterior(lam, x, sigma), gamma, atol=1e-12)
    old = np.array([sign_switching.log_joint(s, lam_old, x, sigma) for s in signs])
    weights = np.exp(old - np.logaddexp.reduce(old))
    assert_allclose(sign_switching.q_function(lam, lam_old, x, sigma), weights @ joint)


@given(seeds, lams, sigmas)
def test_the_update_maximises_q_and_has_the_tanh_of_the_lecture(seed, lam_old, sigma):
    x = series(seed)
    best = sign_switching.update(lam_old, x, sigma)
    tanh = np.tanh(lam_old * x[1:] * x[:-1] / sigma**2)
    assert_allclose(best, (tanh * x[1:] * x[:-1]).sum() / (x[:-1] ** 2).sum(), atol=1e-14)
    top = sign_switching.q_function(best, lam_old, x, sigma)
    for step in (-1.0, -0.01, 0.01, 1.0):
        assert sign_switching.q_function(best + step, lam_old, x, sigma) < top


@given(seeds, lams, sigmas)
def test_q_and_the_evidence_have_the_same_slope_at_the_old_parameter(seed, lam, sigma):
    x, h = series(seed), 1e-5
    evidence = [sign_switching.log_evidence(lam + d, x, sigma) for d in (h, -h)]
    q = [sign_switching.q_function(lam + d, lam, x, sigma) for d in (h, -h)]
    scale = 1 + (x**2).sum() / sigma**2
    assert_allclose(
        (q[0] - q[1]) / (2 * h), (evidence[0] - evidence[1]) / (2 * h), atol=1e-6 * scale
    )


@given(seeds, lams, lams, sigmas)
def test_the_evidence_gains_at_least_what_q_gains(seed, lam, lam_old, sigma):
    x = series(seed)
    gain = sign_switching.log_evidence(lam, x, sigma) - sign_switching.log_evidence(
        lam_old, x, sigma
    )
    q = [sign_switching.q_function(value, lam_old, x, sigma) for value in (lam, lam_old)]
    assert gain >= q[0] - q[1] - 1e-9 * (1 + abs(q[0]) + abs(q[1]))


@given(seeds, lams, sigmas)
def test_em_never_lowers_the_evidence_and_ends_at_a_fixed_point(seed, lam, sigma):
    x = series(seed, 50)
    fit = sign_switching.fit(x, sigma, lam=lam, max_iter=300, tol=1e-12)
    assert (np.diff(fit.trace) >= 0).all()
    assert_allclose(fit.trace[-1], sign_switching.log_evidence(fit.model, x, sigma))
    assert_allclose(sign_switching.update(fit.model, x, sigma), fit.model, atol=1e-3)
    assert fit.model * lam >= 0


@given(seeds, lams, sigmas)
def test_the_sign_of_lambda_cannot_be_told(seed, lam, sigma):
    x = series(seed)
    plus, minus = (sign_switching.log_evidence(value, x, sigma) for value in (lam, -lam))
    assert plus == pytest.approx(minus)
    plus, minus = (sign_switching.update(value, x, sigma) for value in (lam, -lam))
    assert plus == pytest.approx(-minus)


def test_zero_is_a_fixed_point_that_em_leaves_from_anywhere_else():
    x = sign_switching.sample(0.9, 1.0, 500, np.random.default_rng(0)).x
    assert sign_switching.update(0.0, x, 1.0) == 0
    assert sign_switching.fit(x, 1.0, lam=0.0).model == 0
    fit = sign_switching.fit(x, 1.0, lam=1e-3)
    assert fit.converged
    assert fit.model == pytest.approx(0.9, abs=0.08)


def test_samples_follow_the_recursion():
    s, x = sign_switching.sample(0.8, 0.5, 20_000, np.random.default_rng(1))
    noise = x - s * 0.8 * np.append(0, x[:-1])
    assert set(s) == {-1, 1}
    assert s.mean() == pytest.approx(0, abs=0.03)
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert noise.std() == pytest.approx(0.5, abs=0.01)
    assert np.corrcoef(noise[1:], x[:-1])[0, 1] == pytest.approx(0, abs=0.03)
    assert x.var() == pytest.approx(0.25 / (1 - 0.64), rel=0.05)


@pytest.mark.usefixtures("as_users_call")
def test_lists_and_integers_do():
    assert sign_switching.update(1, [1, 1], 1) == pytest.approx(np.tanh(1))
    assert sign_switching.posterior(0, [1, 2], 1).tolist() == [0.5, 0.5]


RNG = np.random.default_rng(0)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sign_switching.sample(1, 0, 5, RNG), "sigma must be above zero, got 0"),
        (lambda: sign_switching.sample(np.nan, 1, 5, RNG), "lam must be finite, got nan"),
        (lambda: sign_switching.sample(1, 1, 0, RNG), "n_steps must be at least 1"),
        (lambda: sign_switching.sample(1, 1, 5, 0), r"rng must be a numpy\.random\.Generator"),
        (
            lambda: sign_switching.log_joint([1, 0], 1, [1, 2], 1),
            "states must be -1 or \\+1, got 0",
        ),
        (
            lambda: sign_switching.log_joint([1, 2], 1, [1, 2], 1),
            "states must be from -1 to 1, got 2",
        ),
        (
            lambda: sign_switching.log_joint([1], 1, [1, 2], 1),
            r"states must have shape \(T\) with T",
        ),
        (
            lambda: sign_switching.posterior(1, [[1, 2]], 1),
            r"x must have shape \(T\), got \(1, 2\)",
        ),
        (lambda: sign_switching.posterior(1, [1, np.nan], 1), "x must be finite"),
        (lambda: sign_switching.q_function(1, np.inf, [1, 2], 1), "lam must be finite"),
        (lambda: sign_switching.log_evidence(1, [1, 2], -1), "sigma must be above zero, got -1"),
        (lambda: sign_switching.update([1, 2], [1, 2], 1), r"lam must have shape \(\), got \(2,\)"),
        (lambda: sign_switching.update(1, [5], 1), "x must have an entry other than zero before"),
        (lambda: sign_switching.fit([0, 0, 1], 1, lam=1), "x must have an entry other than zero"),
        (lambda: sign_switching.fit([1, 2], 1, lam=1, max_iter=0), "max_iter must be at least 1"),
        (lambda: sign_switching.fit([1, 2], 1, lam=1, tol=-1), "tol must not be negative"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
