import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import covariances, distributions, gmm, seeds
from scipy import stats
from sklearn.mixture import GaussianMixture

import latent
from latent import mixtures


def scikit_learns(model):
    peer = GaussianMixture(len(model.weights))
    peer.weights_, peer.means_, peer.covariances_ = model.weights, model.means, model.covariances
    precisions = np.linalg.inv(model.covariances)
    peer.precisions_cholesky_ = np.linalg.cholesky(precisions)
    return peer


def q_function(model, x, gamma):
    return (gamma * model.log_joint(x)).sum()


@given(seeds, st.integers(1, 4), st.integers(1, 3))
def test_the_joint_and_the_evidence_are_scipys(seed, K, D):
    rng = np.random.default_rng(seed)
    model = gmm(rng, K, D)
    x = 3 * rng.normal(size=(20, D))
    joint = np.column_stack(
        [
            weight * stats.multivariate_normal(mean, covariance).pdf(x)
            for weight, mean, covariance in zip(
                model.weights, model.means, model.covariances, strict=True
            )
        ]
    )
    assert_allclose(model.log_joint(x), np.log(joint))
    assert_allclose(model.log_evidence(x), np.log(joint.sum(axis=1)).sum())
    assert_allclose(model.responsibilities(x), joint / joint.sum(axis=1, keepdims=True))


@given(seeds, st.integers(1, 5))
def test_responsibilities_sum_to_one_even_far_away(seed, K):
    rng = np.random.default_rng(seed)
    gamma = gmm(rng, K, 2).responsibilities(1e4 * rng.normal(size=(20, 2)))
    assert_allclose(gamma.sum(axis=1), 1)
    assert (gamma >= 0).all()


@given(seeds, st.integers(1, 4))
def test_one_iteration_is_scikit_learns(seed, K):
    rng = np.random.default_rng(seed)
    model = gmm(rng, K, 2)
    x = model.sample(100, rng).x
    ours = model.m_step(x, model.responsibilities(x), floor=0.0)
    theirs = scikit_learns(model)
    theirs._m_step(x, theirs._e_step(x)[1], None)
    assert_allclose(ours.weights, theirs.weights_, atol=1e-12)
    assert_allclose(ours.means, theirs.means_, atol=1e-10)
    assert_allclose(
        ours.covariances, theirs.covariances_, atol=2e-6
    )  # it adds 1e-6 to the diagonal


def textbook(start, x, n_iter, floor=1e-6):
    """EM with all of gamma, as in the lecture."""
    model, trace = start, [start.log_evidence(x)]
    for _ in range(n_iter):
        model = model.m_step(x, model.responsibilities(x), floor=floor)
        trace.append(model.log_evidence(x))
    return model, trace


def assert_same_model(model, other, rtol=1e-9):
    """Equal weights, and equal means and covariances in units of the covariances."""
    assert_allclose(model.weights, other.weights, rtol=rtol, atol=1e-12)
    L = np.linalg.cholesky(other.covariances)
    whiten = np.linalg.inv(L)
    shift = whiten @ (model.means - other.means)[:, :, None]
    # A mean far from the origin has the digits of the distance to it, not of the width.
    scale = np.abs(whiten @ other.means[:, :, None])
    assert (np.abs(shift) <= rtol + 1e-14 * scale).all()
    one = whiten @ model.covariances @ whiten.transpose(0, 2, 1)
    assert_allclose(one, np.broadcast_to(np.eye(one.shape[1]), one.shape), atol=rtol)


@pytest.mark.parametrize(("K", "D", "n"), [(1, 1, 50), (3, 2, 400), (2, 6, 500), (5, 3, 3000)])
def test_equal_iterations_give_scikit_learns_model(K, D, n):
    rng = np.random.default_rng(K)
    x = gmm(rng, K, D).sample(n, rng).x
    start = latent.GMM.start(x, K, rng)
    fit = start.em(x, max_iter=25, tol=0.0)
    peer = GaussianMixture(
        K,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=np.linalg.inv(start.covariances),
        tol=0.0,
        max_iter=max(1, len(fit.trace) - 1),
        reg_covar=0.0,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*did not converge")
        peer.fit(x)
    assert_allclose(fit.model.weights, peer.weights_, rtol=1e-8)
    assert_allclose(fit.model.means, peer.means_, rtol=1e-8)
    assert_allclose(fit.model.covariances, peer.covariances_, rtol=1e-8, atol=1e-8)
    assert_allclose(fit.trace[-1], peer.score(x) * n)


@given(seeds, st.integers(1, 4), st.integers(1, 3), st.integers(0, 5))
def test_em_is_the_e_step_and_the_m_step_in_turn(seed, K, D, n_missing):
    rng = np.random.default_rng(seed)
    x = 3 * rng.normal(size=(60, D))
    x[rng.choice(60, n_missing, replace=False)] = np.nan
    start = latent.GMM.start(x, K, rng)
    fit = start.em(x, max_iter=8, tol=0.0)
    model, trace = textbook(start, x, len(fit.trace) - 1)
    assert_allclose(fit.trace, trace, rtol=1e-11)
    assert_same_model(fit.model, model)


@pytest.mark.parametrize("offset", [0.0, 1e4, -1e7])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_em_is_as_accurate_far_from_the_origin_and_in_any_unit(scale, offset):
    rng = np.random.default_rng(20)
    x = scale * (gmm(rng, 3, 2).sample(200, rng).x + offset)
    start = latent.GMM.start(x, 3, rng, floor=1e-6 * scale**2)
    fit = start.em(x, max_iter=10, tol=0.0, floor=1e-6 * scale**2)
    model, trace = textbook(start, x, 10, floor=1e-6 * scale**2)
    assert len(fit.trace) == 11
    # One rounding of a mean is 1e-16 of the offset, and the later iterations begin with it.
    assert_allclose(fit.trace, trace, rtol=1e-9)
    assert_same_model(fit.model, model, rtol=1e-9 * max(1, abs(offset) / 1e4))


def needles():
    """Three clusters that are 1e-4 wide and 1e3 apart."""
    rng = np.random.default_rng(21)
    centres = 1e3 * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    return np.repeat(centres, 50, axis=0) + 1e-4 * rng.normal(size=(150, 2)), centres


def test_clusters_much_narrower_than_their_distances_are_as_accurate():
    x, centres = needles()
    start = latent.GMM(np.full(3, 1 / 3), centres + 5.0, np.stack([1e5 * np.eye(2)] * 3))
    fit = start.em(x, floor=1e-12)
    assert fit.converged
    assert (np.diff(fit.trace) >= 0).all()
    expected = [np.cov(x[50 * k : 50 * k + 50].T, bias=True) for k in range(3)]
    assert_allclose(fit.model.covariances, expected, rtol=1e-8, atol=1e-16)
    assert_allclose(fit.trace[-1], fit.model.log_evidence(x), rtol=1e-12)


def test_sums_about_an_old_mean_far_away_alone_would_lose_a_narrow_component():
    x, centres = needles()
    start = latent.GMM(np.full(3, 1 / 3), centres + 100.0, np.stack([1e3 * np.eye(2)] * 3))
    columns = np.ascontiguousarray(x.T)
    sums, _ = mixtures._expected_sums(start, columns, mixtures._room(columns, 3))
    lost = mixtures._match(start, sums, 0, 1e-12).covariances
    kept = start.m_step(x, start.responsibilities(x), floor=1e-12).covariances
    assert np.abs(lost / kept - 1).max() > 1e-4
    assert_allclose(start.em(x, max_iter=1, floor=1e-12).model.covariances, kept)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 15, 16, 17])
def test_blocks_of_points_give_what_all_points_at_once_give(n, monkeypatch):
    rng = np.random.default_rng(22)
    start = gmm(rng, 2, 3)
    x = start.sample(n, rng).x
    whole = start.em(x, max_iter=3, floor=0.1)
    monkeypatch.setattr(mixtures, "BLOCK", 8 * 2 * 3)
    parts = start.em(x, max_iter=3, floor=0.1)
    assert_allclose(parts.trace, whole.trace, rtol=1e-12)
    assert_same_model(parts.model, whole.model, rtol=1e-10)


def test_a_component_of_no_weight_keeps_its_parameters_in_em():
    rng = np.random.default_rng(23)
    two = gmm(rng, 2, 2)
    x = two.sample(100, rng).x
    three = latent.GMM(
        np.append(two.weights, 0.0),
        np.vstack([two.means, [[1.0, 2.0]]]),
        np.concatenate([two.covariances, [np.eye(2)]]),
    )
    fit, expected = three.em(x, max_iter=10), two.em(x, max_iter=10)
    assert_allclose(fit.trace, expected.trace)
    assert fit.model.weights[2] == 0
    assert_array_equal(fit.model.means[2], [1, 2])
    assert_array_equal(fit.model.covariances[2], np.eye(2))


def awkward(rng, kind):
    x = rng.normal(size=(40, 3)) + 5 * rng.integers(2, size=(40, 1))
    if kind == "duplicates":
        return np.repeat(x[:8], 5, axis=0)
    if kind == "collinear":
        return np.outer(x[:, 0], [1.0, -2.0, 3.0])
    if kind == "nearly collinear":
        return np.outer(x[:, 0], [1.0, -2.0, 3.0]) + 1e-5 * x
    if kind == "heavy tails":
        return rng.standard_cauchy((40, 3)) ** 3
    return np.rint(x)


@pytest.mark.parametrize(
    "kind", ["duplicates", "collinear", "nearly collinear", "heavy tails", "integers"]
)
@settings(max_examples=8)
@given(seed=seeds, K=st.integers(1, 5), share=st.sampled_from([1e-2, 1e-6, 1e-9]))
def test_em_never_lowers_the_evidence_of_awkward_data(kind, seed, K, share):
    rng = np.random.default_rng(seed)
    x = awkward(rng, kind)
    floor = share * x.var(axis=0).sum()
    K = min(K, len(np.unique(x, axis=0)))
    fit = latent.GMM.start(x, K, rng, floor=floor).em(x, max_iter=30, floor=floor)
    assert (np.diff(fit.trace) >= 0).all()
    assert_allclose(fit.trace[-1], fit.model.log_evidence(x), rtol=1e-8, atol=1e-8)
    assert_allclose(fit.model.responsibilities(x).sum(axis=1), 1)
    assert_allclose(fit.model.weights.sum(), 1)


@settings(max_examples=10)
@given(seeds, st.integers(1, 4))
def test_em_never_lowers_the_evidence_even_where_covariances_are_clipped(seed, K):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(12, 2)) * np.array([1.0, 1e-3])
    fit = latent.GMM.fit(x, K, rng=rng, restarts=1, floor=1e-3, max_iter=25)
    assert (np.diff(fit.trace) >= 0).all()
    assert_allclose(fit.trace[-1], fit.model.log_evidence(x))
    assert np.linalg.eigvalsh(fit.model.covariances).min() >= 1e-3 * (1 - 1e-9)


@given(seeds, st.integers(1, 3))
def test_the_m_step_beats_every_model_nearby(seed, K):
    rng = np.random.default_rng(seed)
    old = gmm(rng, K, 2)
    x = old.sample(30, rng).x
    gamma = distributions(rng, 30, K)
    best = old.m_step(x, gamma)
    top = q_function(best, x, gamma)
    for size in (1e-3, 1e-1):
        weights = best.weights * np.exp(size * rng.normal(size=K))
        stretch = np.eye(2) + size * rng.normal(size=(K, 2, 2))
        other = latent.GMM(
            weights / weights.sum(),
            best.means + size * rng.normal(size=(K, 2)),
            stretch @ best.covariances @ stretch.transpose(0, 2, 1),
        )
        assert q_function(other, x, gamma) <= top


def test_the_gradient_of_q_is_zero_at_the_m_step():
    rng = np.random.default_rng(1)
    old = gmm(rng, 2, 2)
    x = old.sample(50, rng).x
    gamma = old.responsibilities(x)
    best = old.m_step(x, gamma)

    def q(v):
        # Twelve free numbers: weights through a softmax, covariances through symmetric steps.
        weights = best.weights * np.exp(v[:2])
        step = np.array([[[v[6], v[7]], [v[7], v[8]]], [[v[9], v[10]], [v[10], v[11]]]])
        means = best.means + v[2:6].reshape(2, 2)
        moved = latent.GMM(weights / weights.sum(), means, best.covariances + step)
        return q_function(moved, x, gamma)

    h = 1e-5
    gradient = [(q(h * e) - q(-h * e)) / (2 * h) for e in np.eye(12)]
    assert_allclose(gradient, 0, atol=1e-5)
    slope_elsewhere = (q(h * np.eye(12)[2] + 0.1) - q(-h * np.eye(12)[2] + 0.1)) / (2 * h)
    assert abs(slope_elsewhere) > 0.1


def test_the_m_step_is_the_formulas_of_the_lecture():
    rng = np.random.default_rng(2)
    model = gmm(rng, 3, 2)
    x = model.sample(40, rng).x
    gamma = model.responsibilities(x)
    new = model.m_step(x, gamma)
    for k in range(3):
        N_k = gamma[:, k].sum()
        mu = sum(gamma[n, k] * x[n] for n in range(40)) / N_k
        Sigma = sum(gamma[n, k] * np.outer(x[n] - mu, x[n] - mu) for n in range(40)) / N_k
        assert_allclose(new.weights[k], N_k / 40)
        assert_allclose(new.means[k], mu)
        assert_allclose(new.covariances[k], Sigma)


@given(seeds)
def test_small_spheres_assign_as_k_means_does(seed):
    rng = np.random.default_rng(seed)
    x, means = rng.normal(size=(30, 2)), rng.normal(size=(3, 2))
    spheres = np.stack([1e-7 * np.eye(2)] * 3)
    gamma = latent.GMM(distributions(rng, 3), means, spheres).responsibilities(x)
    assert_allclose(gamma, np.eye(3)[latent.assign(x, means)], atol=1e-6)


@given(seeds)
def test_permuted_components_are_the_same_mixture(seed):
    rng = np.random.default_rng(seed)
    model = gmm(rng, 3, 2)
    x = model.sample(20, rng).x
    p = np.array([2, 0, 1])
    permuted = latent.GMM(model.weights[p], model.means[p], model.covariances[p])
    assert_allclose(permuted.log_evidence(x), model.log_evidence(x))
    assert_allclose(permuted.responsibilities(x), model.responsibilities(x)[:, p], atol=1e-12)


@settings(max_examples=5)
@given(seeds)
def test_moving_the_data_moves_the_fit(seed):
    x = np.random.default_rng(seed).normal(size=(30, 2))
    here, there = (
        latent.GMM.fit(x + by, 2, rng=np.random.default_rng(seed), restarts=1, max_iter=10)
        for by in (0.0, 1000.0)
    )
    assert_allclose(there.model.means, here.model.means + 1000, rtol=1e-6)
    assert_allclose(there.model.covariances, here.model.covariances, atol=1e-6)
    assert_allclose(there.trace, here.trace, rtol=1e-6)


def test_samples_have_the_mixtures_moments():
    rng = np.random.default_rng(3)
    model = gmm(rng, 3, 2)
    states, x = model.sample(50_000, rng)
    assert_allclose(np.bincount(states) / 50_000, model.weights, atol=0.01)
    mean = model.weights @ model.means
    assert_allclose(x.mean(axis=0), mean, atol=0.08)
    for k in range(3):
        assert_allclose(x[states == k].mean(axis=0), model.means[k], atol=0.15)
        assert_allclose(np.cov(x[states == k].T), model.covariances[k], atol=0.4)


def test_the_fit_of_old_faithful_is_the_known_one():
    fit = latent.GMM.fit(latent.data.old_faithful(), 2, rng=np.random.default_rng(4))
    order = np.argsort(fit.model.means[:, 0])
    assert fit.converged
    assert_allclose(fit.trace[-1], -1130.264, atol=1e-3)
    assert_allclose(fit.model.means[order], [[2.0364, 54.4785], [4.2897, 79.9681]], atol=2e-3)
    assert_allclose(fit.model.weights[order], [0.3559, 0.6441], atol=1e-3)


def test_more_restarts_are_never_worse():
    x = np.random.default_rng(5).normal(size=(40, 2))
    ends = [
        latent.GMM.fit(x, 3, rng=np.random.default_rng(6), restarts=restarts, max_iter=30).trace[-1]
        for restarts in (1, 6)
    ]
    assert ends[1] > ends[0]


def test_a_missing_point_counts_for_the_weights_alone():
    rng = np.random.default_rng(7)
    model = gmm(rng, 2, 2)
    x = model.sample(20, rng).x
    gaps = np.vstack([x, np.full((1, 2), np.nan)])
    gamma = model.responsibilities(gaps)
    assert_allclose(gamma[-1], model.weights)
    assert_allclose(model.log_evidence(gaps), model.log_evidence(x))
    new, without = model.m_step(gaps, gamma), model.m_step(x, gamma[:-1])
    assert_allclose(new.means, without.means)
    assert_allclose(new.weights, gamma.mean(axis=0))
    fit = latent.GMM.fit(gaps, 2, rng=rng, restarts=1, max_iter=20)
    assert (np.diff(fit.trace) >= 0).all()


def test_a_component_that_lost_its_points_keeps_its_mean():
    rng = np.random.default_rng(8)
    model = gmm(rng, 2, 2)
    x = model.sample(20, rng).x
    new = model.m_step(x, np.tile([1.0, 0.0], (20, 1)))
    assert new.weights.tolist() == [1, 0]
    assert_array_equal(new.means[1], model.means[1])
    assert_allclose(new.responsibilities(x)[:, 1], 0)


def test_the_start_has_equal_weights_points_as_means_and_the_data_covariance():
    x = latent.data.old_faithful()
    start = latent.GMM.start(x, 4, np.random.default_rng(9))
    assert_allclose(start.weights, 0.25)
    assert all(mean in x.tolist() for mean in start.means.tolist())
    assert_allclose(start.covariances, [np.cov(x.T, bias=True)] * 4)


def test_a_constant_column_does_not_stop_the_fit():
    x = np.column_stack([np.random.default_rng(10).normal(size=30), np.ones(30)])
    fit = latent.GMM.fit(x, 2, rng=np.random.default_rng(11), restarts=1, max_iter=10)
    assert_allclose(fit.model.covariances[:, 1, 1], 1e-6)


@pytest.mark.usefixtures("as_users_call")
def test_lists_do():
    model = latent.GMM([1], [[0]], [[[1]]])
    assert_allclose(model.log_evidence([[0], [0]]), -np.log(2 * np.pi))
    fit = latent.GMM.fit([[0], [1], [10], [11]], 2, rng=np.random.default_rng(0))
    assert_allclose(sorted(fit.model.means[:, 0]), [0.5, 10.5])


RNG = np.random.default_rng(0)
X = np.random.default_rng(1).normal(size=(5, 2))
MODEL = latent.GMM(np.array([0.5, 0.5]), X[:2], covariances(np.random.default_rng(2), 2, 2))
ROWS = np.full((5, 2), 0.5)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: latent.GMM([0.5, 0.6], X[:2], [np.eye(2)] * 2), "weights must sum to one"),
        (
            lambda: latent.GMM([1], X[:2], [np.eye(2)] * 2),
            r"means must have shape \(K, D\) with K = 1",
        ),
        (
            lambda: latent.GMM([1], X[:1], [np.eye(3)]),
            "covariances must have shape .* with N = 1, D = 2",
        ),
        (
            lambda: latent.GMM([1], X[:1], [-np.eye(2)]),
            r"covariances\[0\] must be positive definite",
        ),
        (lambda: latent.GMM([], X[:0], []), "weights must have shape"),
        (lambda: MODEL.log_joint([[0, 0, 0]]), r"x must have shape \(T, D\) with D = 2"),
        (lambda: MODEL.log_evidence([[0, np.nan]]), "row 0 of x is partly NaN"),
        (lambda: MODEL.responsibilities([[0, np.inf]]), "x must not be infinite"),
        (lambda: MODEL.m_step(X, ROWS[:3]), r"weights must have shape \(T, N\) with T = 5"),
        (lambda: MODEL.m_step(X, ROWS[:, :1]), r"gamma must have shape \(T, K\) with K = 2"),
        (lambda: MODEL.m_step(X, ROWS * 2), "row 0 of gamma must sum to one"),
        (lambda: MODEL.m_step(X, ROWS, floor=-1), "floor must not be negative"),
        (lambda: MODEL.em(X[:, :1]), r"x must have shape \(T, D\) with D = 2"),
        (lambda: MODEL.em([[np.nan, np.nan]]), "x must have at least one observation that is not"),
        (lambda: MODEL.em(X, max_iter=0), "max_iter must be at least 1"),
        (lambda: MODEL.em(X, tol=-1), "tol must not be negative"),
        (lambda: MODEL.em(X, floor=-1), "floor must not be negative"),
        (lambda: MODEL.sample(0, RNG), "n_points must be at least 1"),
        (lambda: MODEL.sample(3, None), r"rng must be a numpy\.random\.Generator"),
        (lambda: latent.GMM.start(X, 0, RNG), "n_components must be at least 1, got 0"),
        (
            lambda: latent.GMM.start(X, 6, RNG),
            "n_components must be at most 5, the number of .*points",
        ),
        (
            lambda: latent.GMM.start([[0], [0]], 2, RNG),
            "n_components must be at most 1, the number of",
        ),
        (
            lambda: latent.GMM.start([[np.nan]], 1, RNG),
            "x must have at least one row that is not miss",
        ),
        (lambda: latent.GMM.fit(X, 2.5, rng=RNG), "n_components must be an integer"),
        (lambda: latent.GMM.fit(X, 2, rng=RNG, restarts=0), "restarts must be at least 1"),
        (lambda: latent.GMM.fit(X, 2, rng=RNG, max_iter=0), "max_iter must be at least 1"),
        (lambda: latent.GMM.fit(X, 2, rng=RNG, tol=-1), "tol must not be negative"),
        (lambda: latent.GMM.fit(X, 2, rng=RNG, floor=-1), "floor must not be negative"),
        (lambda: latent.GMM.fit(X, 2, rng=1), r"rng must be a numpy\.random\.Generator"),
        (lambda: latent.GMM.fit(X[:, 0], 2, rng=RNG), r"x must have shape \(T, D\), got \(5,\)"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
