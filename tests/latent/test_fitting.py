import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import distributions, gmm, hmm, paths, seeds
from scipy import stats

import latent

INF = np.inf


def averaging(evidence):
    """A model that is a step number, with the given evidence for each."""
    return 0, lambda i: (i, evidence[i]), lambda i: i + 1


def test_the_trace_ends_with_the_evidence_of_the_model():
    model, e_step, m_step = averaging([-9.0, -5.0, -4.0, -3.9999999, 0.0])
    fit = latent.em(model, e_step, m_step)
    assert fit.model == 3
    assert fit.trace.tolist() == [-9, -5, -4, -3.9999999]
    assert fit.converged


def test_running_out_of_iterations_is_not_convergence():
    model, e_step, m_step = averaging([-9.0, -5.0, -4.0, -3.0])
    fit = latent.em(model, e_step, m_step, max_iter=2)
    assert fit.model == 2
    assert fit.trace.tolist() == [-9, -5, -4]
    assert fit.converged is False


def test_the_tolerance_is_a_gain_in_nats():
    model, e_step, m_step = averaging([-9.0, -5.0, -4.0, -3.0])
    assert latent.em(model, e_step, m_step, tol=2.0).trace.tolist() == [-9, -5, -4]


def test_a_fall_of_the_evidence_is_an_error():
    model, e_step, m_step = averaging([-9.0, -5.0, -5.001])
    with pytest.raises(RuntimeError, match=r"fell from -5\.0 to -5\.001 in iteration 2"):
        latent.em(model, e_step, m_step)


def test_a_fall_within_rounding_ends_at_the_better_model():
    model, e_step, m_step = averaging([-9.0, -5.0, -5.0 - 1e-12])
    fit = latent.em(model, e_step, m_step, tol=0.0)
    assert fit.model == 1
    assert fit.trace.tolist() == [-9, -5]
    assert fit.converged


@pytest.mark.parametrize("evidence", [-INF, INF, np.nan])
def test_an_evidence_that_is_not_finite_is_an_error(evidence):
    model, e_step, m_step = averaging([-9.0, evidence])
    with pytest.raises(RuntimeError, match=r"must be finite, got .* in iteration 1"):
        latent.em(model, e_step, m_step)


def test_a_generalised_m_step_that_only_raises_q_climbs_as_well():
    x = latent.sign_switching.sample(0.9, 1.0, 200, np.random.default_rng(0)).x
    fit = latent.em(
        0.1,
        lambda lam: (lam, latent.sign_switching.log_evidence(lam, x, 1.0)),
        lambda lam: 0.5 * lam + 0.5 * latent.sign_switching.update(lam, x, 1.0),
        tol=1e-10,
    )
    assert (np.diff(fit.trace) >= 0).all()
    full = latent.sign_switching.fit(x, 1.0, lam=0.1, tol=1e-10)
    assert_allclose(fit.model, full.model, atol=1e-4)
    assert len(fit.trace) > len(full.trace)


@given(seeds, st.integers(1, 4))
def test_em_of_a_poisson_mixture_never_lowers_the_evidence(seed, K):
    rng = np.random.default_rng(seed)
    x = rng.poisson(20 * rng.random(40))
    start = (distributions(rng, K), latent.Poisson(20 * rng.random(K) + 0.1))

    def e_step(model):
        weights, emission = model
        log_joint = np.log(weights) + emission.log_likelihood(x)
        evidence = np.logaddexp.reduce(log_joint, axis=1)
        gamma = np.exp(log_joint - evidence[:, None])
        return (emission, gamma), evidence.sum()

    def m_step(posterior):
        emission, gamma = posterior
        return gamma.mean(axis=0), emission.m_step(x, gamma)

    fit = latent.em(start, e_step, m_step, max_iter=30)
    assert (np.diff(fit.trace) >= 0).all()
    weights, emission = fit.model
    by_scipy = np.log(stats.poisson(emission.rates).pmf(x[:, None]) @ weights).sum()
    assert_allclose(fit.trace[-1], by_scipy)


def sphere_mixture(means, eps):
    K, D = means.shape
    return latent.GMM(np.full(K, 1 / K), means, np.stack([eps * np.eye(D)] * K))


@given(seeds)
def test_hard_em_with_equal_spheres_is_k_means(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 2))
    means = x[:3]  # points, so that no cluster starts empty

    def m_step(r):
        return sphere_mixture(latent.cluster_means(x, r.argmax(axis=1), means), 0.1)

    fit = latent.hard_em(
        sphere_mixture(means, 0.1), lambda model: model.log_joint(x), m_step, tol=0.0
    )
    expected = latent.kmeans_from(x, means)
    assert_allclose(fit.model.means, expected.means)
    assert_array_equal(fit.model.log_joint(x).argmax(axis=1), expected.assignments)
    assert fit.converged
    assert (np.diff(fit.trace) >= 0).all()
    assert_allclose(fit.trace[-1], fit.model.log_joint(x).max(axis=1).sum())


@given(seeds)
def test_hard_em_never_lowers_the_best_joint_and_stays_below_the_evidence(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 2))
    start = latent.GMM.start(x, 3, rng)
    fit = latent.hard_em(
        start, lambda model: model.log_joint(x), lambda r: start.m_step(x, r, floor=1e-2)
    )
    assert (np.diff(fit.trace) >= 0).all()
    assert fit.trace[-1] <= fit.model.log_evidence(x)


@given(seeds)
def test_hard_em_of_a_mixture_ends_where_each_component_has_the_moments_of_its_points(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, 2)) + 6 * rng.integers(2, size=(60, 1))
    start = latent.GMM.start(x, 2, rng)
    fit = latent.hard_em(
        start, lambda model: model.log_joint(x), lambda r: start.m_step(x, r, floor=1e-2), tol=0.0
    )
    assert fit.converged
    k = fit.model.log_joint(x).argmax(axis=1)
    assert_allclose(fit.model.weights, np.bincount(k, minlength=2) / 60)
    for component in np.unique(k):
        own = x[k == component]
        assert_allclose(fit.model.means[component], own.mean(axis=0))
        c = np.cov(own.T, bias=True)
        if np.linalg.eigvalsh(c)[0] > 1e-2:
            assert_allclose(fit.model.covariances[component], c)


def test_best_of_keeps_the_run_that_ends_highest():
    ends = iter([-3.0, -1.0, -2.0])
    runs = []

    def fit(rng):
        runs.append(rng.random())
        end = next(ends)
        return latent.Fit(end, np.array([-9.0, end]), True)

    assert latent.best_of(fit, 3, np.random.default_rng(0)).model == -1
    assert len(set(runs)) == 3


@given(seeds, st.integers(1, 4), st.integers(1, 6))
def test_log_evidence_is_bound_plus_divergence_for_any_q(seed, K, T):
    rng = np.random.default_rng(seed)
    model = gmm(rng, K, 2)
    x = 3 * rng.normal(size=(T, 2))
    q = distributions(rng, T, K, zeros=True)
    bound = latent.elbo(q, model.log_joint(x))
    divergence = latent.kl(q, model.responsibilities(x))
    assert_allclose(bound + divergence, model.log_evidence(x))
    assert divergence >= 0
    assert bound <= model.log_evidence(x) + 1e-9
    tight = latent.elbo(model.responsibilities(x), model.log_joint(x))
    assert_allclose(tight, model.log_evidence(x))


@given(seeds)
def test_log_evidence_is_bound_plus_divergence_over_paths(seed):
    rng = np.random.default_rng(seed)
    model = hmm(rng, "categorical", 2)
    x = model.sample(4, rng).x
    log_joint = np.array([model.log_joint(x, s) for s in paths(2, 4)])
    posterior = np.exp(log_joint - model.log_evidence(x))
    q = distributions(rng, 16)
    assert_allclose(latent.elbo(q, log_joint) + latent.kl(q, posterior), model.log_evidence(x))


@given(seeds, st.integers(1, 6), st.booleans())
def test_kl_is_scipys_and_zero_only_for_equal_distributions(seed, K, zeros):
    rng = np.random.default_rng(seed)
    q, p = distributions(rng, 3, K, zeros=zeros), distributions(rng, 3, K)
    assert_allclose(latent.kl(q, p), stats.entropy(q, p, axis=1).sum(), atol=1e-12)
    assert latent.kl(q, q) == 0
    assert K == 1 or latent.kl(q, p) > 0


def test_zero_times_log_zero_is_zero_and_weight_on_the_impossible_is_infinite():
    q = np.array([0.5, 0.5, 0.0])
    assert latent.elbo(q, np.array([-1.0, -2.0, -INF])) == -1.5 + np.log(2)
    assert latent.elbo(q, np.array([-1.0, -INF, -2.0])) == -INF
    assert_allclose(latent.kl(q, np.array([0.25, 0.25, 0.5])), np.log(2))
    assert latent.kl(q, np.array([0.5, 0.0, 0.5])) == INF


@pytest.mark.usefixtures("as_users_call")
def test_lists_do():
    assert latent.kl([1, 0], [1, 0]) == 0
    assert latent.elbo([[1, 0]], [[-3, 0]]) == -3


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: latent.elbo([0.5, 0.4], [0, 0]), "q must sum to one"),
        (lambda: latent.elbo([[1, 0], [0.5, 0.4]], np.zeros((2, 2))), "row 1 of q must sum to one"),
        (lambda: latent.elbo([1.5, -0.5], [0, 0]), "q must not be negative"),
        (lambda: latent.elbo([0.5, 0.5], [0, 0, 0]), r"log_joint must have the shape of q, \(2,\)"),
        (lambda: latent.elbo([0.5, 0.5], [0, np.nan]), "log_joint must be finite or -inf"),
        (lambda: latent.elbo([0.5, 0.5], [0, INF]), "log_joint must be finite or -inf"),
        (lambda: latent.elbo(1.0, 0.0), r"q must have shape \(\.\.\., K\), got \(\)"),
        (lambda: latent.kl([0.5, 0.5], [0.5, 0.6]), "p must sum to one"),
        (lambda: latent.kl([0.5, 0.6], [0.5, 0.5]), "q must sum to one"),
        (lambda: latent.kl([0.5, 0.5], [[0.5, 0.5]]), r"p must have the shape of q, \(2,\)"),
        (lambda: latent.em(0, None, None, max_iter=0), "max_iter must be at least 1, got 0"),
        (lambda: latent.em(0, None, None, max_iter=2.0), "max_iter must be an integer, got 2.0"),
        (lambda: latent.em(0, None, None, tol=-1), "tol must not be negative, got -1"),
        (lambda: latent.em(0, None, None, tol=np.nan), "tol must be finite, got nan"),
        (lambda: latent.hard_em(0, None, None, max_iter=0), "max_iter must be at least 1"),
        (lambda: latent.hard_em(0, lambda m: [0, 0], None), r"log_joint\(model\) must have shape"),
        (lambda: latent.best_of(None, 0, np.random.default_rng(0)), "restarts must be at least 1"),
        (lambda: latent.best_of(None, 3, 0), r"rng must be a numpy\.random\.Generator"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_one_hot_assignments_reach_the_m_step_of_hard_em():
    seen = []
    log_joint = np.array([[0.0, -1.0], [-2.0, -1.0], [-3.0, -3.0]])
    latent.hard_em(0, lambda model: log_joint, lambda r: seen.append(r) or 0)
    assert_array_equal(seen[0], [[1, 0], [0, 1], [1, 0]])
