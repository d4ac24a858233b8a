import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import seeds
from scipy import stats
from sklearn.decomposition import PCA

import latent


def random_ppca(rng, D, K):
    return latent.PPCA(rng.normal(size=(D, K)), rng.normal(size=D), 0.1 + rng.random())


def expected_complete_log_likelihood(model, x, latent_):
    """Q, term by term as in the lecture, with all constants."""
    T, D = x.shape
    K = model.W.shape[1]
    W, v = model.W, model.variance
    total = -0.5 * T * (D + K) * np.log(2 * np.pi)
    for x_n, z in zip(x - model.mean, latent_.mean, strict=True):
        zz = latent_.covariance + np.outer(z, z)
        total -= 0.5 * D * np.log(v) + x_n @ x_n / (2 * v) - z @ W.T @ x_n / v
        total -= np.trace(zz @ W.T @ W) / (2 * v) + np.trace(zz) / 2
    return total


def dimensions():
    return st.integers(2, 5).flatmap(lambda D: st.tuples(st.just(D), st.integers(1, D - 1)))


@given(seeds, dimensions())
def test_the_evidence_is_scipys_normal(seed, DK):
    rng = np.random.default_rng(seed)
    model = random_ppca(rng, *DK)
    x = rng.normal(size=(10, DK[0]))
    C = model.W @ model.W.T + model.variance * np.eye(DK[0])
    expected = stats.multivariate_normal(model.mean, C).logpdf(x).sum()
    assert_allclose(model.log_evidence(x), expected)


@given(seeds, dimensions())
def test_the_posterior_is_the_conditional_of_the_joint_normal(seed, DK):
    rng = np.random.default_rng(seed)
    D, K = DK
    model = random_ppca(rng, D, K)
    x = rng.normal(size=(4, D))
    # (z, x) is normal with covariances I, W^T and W W^T + sigma^2 I.
    gain = model.W.T @ np.linalg.inv(model.W @ model.W.T + model.variance * np.eye(D))
    posterior = model.posterior(x)
    assert_allclose(posterior.mean, (x - model.mean) @ gain.T, atol=1e-10)
    assert_allclose(posterior.covariance, np.eye(K) - gain @ model.W, atol=1e-10)


@given(seeds, dimensions())
def test_the_evidence_is_the_bound_at_the_posterior(seed, DK):
    rng = np.random.default_rng(seed)
    model = random_ppca(rng, *DK)
    x = rng.normal(size=(6, DK[0]))
    posterior = model.posterior(x)
    entropy = 6 * stats.multivariate_normal(cov=posterior.covariance).entropy()
    bound = expected_complete_log_likelihood(model, x, posterior) + entropy
    assert_allclose(bound, model.log_evidence(x))


@given(seeds, dimensions())
def test_the_m_step_beats_every_model_nearby(seed, DK):
    rng = np.random.default_rng(seed)
    D, K = DK
    old = random_ppca(rng, D, K)
    x = rng.normal(size=(15, D))
    posterior = old.posterior(x)
    best = old.m_step(x, posterior)
    top = expected_complete_log_likelihood(best, x, posterior)
    for size in (1e-3, 1e-1):
        other = latent.PPCA(
            best.W + size * rng.normal(size=(D, K)),
            best.mean,
            best.variance * np.exp(size * rng.normal()),
        )
        assert expected_complete_log_likelihood(other, x, posterior) < top


def test_the_gradient_of_q_is_zero_at_the_m_step():
    rng = np.random.default_rng(0)
    old = random_ppca(rng, 3, 2)
    x = rng.normal(size=(20, 3))
    posterior = old.posterior(x)
    best = old.m_step(x, posterior)

    def q(v):
        moved = latent.PPCA(best.W + v[:6].reshape(3, 2), best.mean, best.variance + v[6])
        return expected_complete_log_likelihood(moved, x, posterior)

    h = 1e-5
    gradient = [(q(h * e) - q(-h * e)) / (2 * h) for e in np.eye(7)]
    assert_allclose(gradient, 0, atol=1e-5)


@settings(max_examples=8)
@given(seeds, dimensions())
def test_em_climbs_to_the_closed_form(seed, DK):
    rng = np.random.default_rng(seed)
    D, K = DK
    truth = random_ppca(rng, D, K)
    x = latent.PPCA(3 * truth.W, truth.mean, truth.variance).sample(100, rng).x
    fit = latent.PPCA.fit(x, K, rng=rng, max_iter=300, tol=1e-8)
    assert (np.diff(fit.trace) >= 0).all()
    assert_allclose(fit.trace[-1], fit.model.log_evidence(x))
    best = latent.PPCA.closed_form(x, K)
    top = best.log_evidence(x)
    assert fit.trace[-1] <= top + 1e-8 * abs(top)
    if fit.converged:
        assert_allclose(fit.trace[-1], top, atol=1e-3)


def test_em_finds_the_closed_forms_parameters_up_to_a_rotation():
    rng = np.random.default_rng(1)
    x = random_ppca(rng, 5, 2).sample(500, rng).x
    fit, best = latent.PPCA.fit(x, 2, rng=rng, tol=1e-10), latent.PPCA.closed_form(x, 2)
    assert fit.converged
    assert_allclose(fit.model.W @ fit.model.W.T, best.W @ best.W.T, atol=1e-3)
    assert_allclose(fit.model.variance, best.variance, rtol=1e-4)
    assert_array_equal(fit.model.mean, x.mean(axis=0))


@given(seeds, dimensions())
def test_the_closed_form_is_a_fixed_point_of_em(seed, DK):
    rng = np.random.default_rng(seed)
    x = random_ppca(rng, *DK).sample(30, rng).x
    best = latent.PPCA.closed_form(x, DK[1])
    again = best.m_step(x, best.posterior(x))
    assert_allclose(again.W, best.W, atol=1e-8)
    assert_allclose(again.variance, best.variance)


@given(seeds, dimensions())
def test_the_closed_form_scores_as_scikit_learns_pca(seed, DK):
    rng = np.random.default_rng(seed)
    D, K = DK
    x = random_ppca(rng, D, K).sample(40, rng).x
    best = latent.PPCA.closed_form(x, K)
    # It divides the covariance by T - 1 and not by T.
    factor = 40 / 39
    theirs = PCA(K, svd_solver="full").fit(x)
    scaled = latent.PPCA(best.W * np.sqrt(factor), best.mean, best.variance * factor)
    assert_allclose(scaled.log_evidence(x) / 40, theirs.score(x))
    assert best.log_evidence(x) >= scaled.log_evidence(x)


def test_samples_have_the_models_moments():
    rng = np.random.default_rng(2)
    model = latent.PPCA(rng.normal(size=(3, 2)), rng.normal(size=3), 0.25)
    z, x = model.sample(100_000, rng)
    noise = x - model.mean - z @ model.W.T
    assert_allclose(np.cov(noise.T), 0.25 * np.eye(3), atol=0.01)
    assert_allclose(noise.T @ z / 100_000, 0, atol=0.01)
    assert_allclose(np.cov(z.T), np.eye(2), atol=0.03)
    assert_allclose(x.mean(axis=0), model.mean, atol=0.04)
    C = model.W @ model.W.T + model.variance * np.eye(3)
    assert_allclose(np.cov(x.T, bias=True), C, atol=0.03 * np.abs(C).max())
    assert_allclose((x - model.mean).T @ z / 100_000, model.W, atol=0.05)


@given(seeds, dimensions())
def test_fit_takes_the_steps_of_the_posterior_and_the_m_step_on_all_points(seed, DK):
    rng = np.random.default_rng(seed)
    D, K = DK
    x = random_ppca(rng, D, K).sample(60, rng).x
    fit = latent.PPCA.fit(x, K, rng=np.random.default_rng(seed), max_iter=12, tol=0.0)
    scale = np.cov(x.T, bias=True).trace() / D
    W = np.sqrt(scale) * np.random.default_rng(seed).standard_normal((D, K))
    model = latent.PPCA(W, x.mean(axis=0), scale)
    trace = [model.log_evidence(x)]
    for _ in range(len(fit.trace) - 1):
        model = model.m_step(x, model.posterior(x))
        trace.append(model.log_evidence(x))
    assert_allclose(fit.trace, trace)
    assert_allclose(fit.model.W, model.W, atol=1e-9)
    assert_allclose(fit.model.variance, model.variance)
    assert_array_equal(fit.model.mean, model.mean)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_em_ends_at_the_score_of_scikit_learns_pca(scale):
    rng = np.random.default_rng(6)
    x = scale * (random_ppca(rng, 6, 2).sample(3000, rng).x + 50)
    fit = latent.PPCA.fit(x, 2, rng=rng, max_iter=2000, tol=1e-9)
    assert fit.converged
    # It divides the covariance by T - 1: its score is that of the maximum but for 1/T^2.
    theirs = PCA(2, svd_solver="full").fit(x).score(x)
    assert_allclose(fit.trace[-1] / 3000, theirs, rtol=1e-6)
    assert fit.trace[-1] / 3000 >= theirs


def test_noise_of_a_millionth_of_the_signal_is_found():
    rng = np.random.default_rng(7)
    x = latent.PPCA(rng.normal(size=(4, 2)), np.zeros(4), 1e-12).sample(200, rng).x
    fit, best = latent.PPCA.fit(x, 2, rng=rng), latent.PPCA.closed_form(x, 2)
    assert (np.diff(fit.trace) >= 0).all()
    assert_allclose(fit.model.variance, best.variance, rtol=1e-2)


def test_the_points_may_be_fewer_than_the_dimensions():
    rng = np.random.default_rng(8)
    x = rng.normal(size=(6, 10))
    fit = latent.PPCA.fit(x, 2, rng=rng, tol=1e-10, max_iter=5000)
    best = latent.PPCA.closed_form(x, 2)
    assert_allclose(fit.trace[-1], best.log_evidence(x), rtol=1e-6)


def test_moving_the_data_moves_the_mean_alone():
    x = np.random.default_rng(3).normal(size=(50, 3)) * np.array([3, 2, 1])
    here, there = (
        latent.PPCA.fit(x + by, 1, rng=np.random.default_rng(4), max_iter=20) for by in (0.0, 1e4)
    )
    assert_allclose(there.model.W, here.model.W, atol=1e-6)
    assert_allclose(there.model.mean, here.model.mean + 1e4)


def test_a_model_cannot_be_changed():
    model = random_ppca(np.random.default_rng(5), 3, 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.variance = 1.0
    with pytest.raises(ValueError, match="read-only"):
        model.W[0, 0] = 1


@pytest.mark.usefixtures("as_users_call")
def test_lists_and_integers_do():
    model = latent.PPCA([[1], [0]], [0, 0], 1)
    assert_allclose(model.posterior([[2, 5]]).mean, [[1]])
    best = latent.PPCA.closed_form([[0, 1], [0, -1], [2, 0], [-2, 0]], 1)
    assert_allclose(np.abs(best.W), [[np.sqrt(1.5)], [0]], atol=1e-12)
    assert best.variance == 0.5


RNG = np.random.default_rng(0)
X = np.random.default_rng(1).normal(size=(10, 3))
MODEL = latent.PPCA(np.ones((3, 1)), np.zeros(3), 1.0)
LINE = np.outer(np.arange(5.0), [1, 2, 3])


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: latent.PPCA([1, 2], [0, 0], 1), r"W must have shape \(D, K\), got \(2,\)"),
        (lambda: latent.PPCA(np.eye(2), [0, 0], 1), "W must have fewer columns than rows"),
        (lambda: latent.PPCA([[1], [np.nan]], [0, 0], 1), "W must be finite"),
        (lambda: latent.PPCA([[1], [0]], [0], 1), r"mean must have shape \(D\) with D = 2"),
        (lambda: latent.PPCA([[1], [0]], [0, 0], 0), "variance must be above zero, got 0"),
        (lambda: latent.PPCA([[1], [0]], [0, 0], np.inf), "variance must be finite"),
        (lambda: latent.PPCA([[1], [0]], [0, 0], [1, 2]), r"variance must have shape \(\)"),
        (lambda: MODEL.posterior([[0, 0]]), r"x must have shape \(T, D\) with D = 3, got \(1, 2\)"),
        (lambda: MODEL.log_evidence([[np.nan] * 3]), r"row 0 of x is missing \(NaN\); leave"),
        (lambda: MODEL.log_evidence([[0, 0, np.nan]]), "row 0 of x is partly NaN"),
        (lambda: MODEL.m_step(X, MODEL.posterior(X[:3])), r"latent.mean must have shape .* T = 10"),
        (
            lambda: MODEL.m_step(X, latent.Latent(np.zeros((10, 1)), np.eye(2))),
            r"latent.covariance must have shape \(K, K\) with K = 1",
        ),
        (lambda: MODEL.sample(0, RNG), "n_points must be at least 1"),
        (lambda: MODEL.sample(2, 7), r"rng must be a numpy\.random\.Generator"),
        (lambda: latent.PPCA.fit(X, 0, rng=RNG), "n_components must be at least 1, got 0"),
        (lambda: latent.PPCA.fit(X, 3, rng=RNG), "n_components must be at most 2, one less than"),
        (lambda: latent.PPCA.fit(X, 1.5, rng=RNG), "n_components must be an integer"),
        (lambda: latent.PPCA.fit(X, 1, rng=RNG, max_iter=0), "max_iter must be at least 1"),
        (lambda: latent.PPCA.fit(X, 1, rng=RNG, tol=-1), "tol must not be negative"),
        (lambda: latent.PPCA.fit(X, 1, rng=None), r"rng must be a numpy\.random\.Generator"),
        (lambda: latent.PPCA.fit(X[:, 0], 1, rng=RNG), "x must have shape"),
        (lambda: latent.PPCA.fit(LINE, 1, rng=RNG), "1 of them explain x entirely"),
        (lambda: latent.PPCA.closed_form(LINE, 2), "2 of them explain x entirely"),
        (lambda: latent.PPCA.closed_form(X[:2], 2), "2 of them explain x entirely"),
        (lambda: latent.PPCA.closed_form(X, 3), "n_components must be at most 2"),
        (lambda: latent.PPCA.closed_form([[0, np.inf]], 1), "x must not be infinite"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
