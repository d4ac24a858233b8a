from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from random_models import covariances, distributions, gmm, seeds
from scipy import integrate, stats

import latent
from latent.divergences import elbo_forms, kl_normal, kl_uniform

INF = np.inf


def two_normals(rng, D):
    means, sigmas = 2 * rng.normal(size=(2, D)), covariances(rng, 2, D)
    return means[0], sigmas[0], means[1], sigmas[1]


def expected_log_ratio(mean_p, cov_p, mean_q, cov_q):
    """E_p[ln p - ln q] by Gauss-Hermite quadrature, which is exact for a quadratic function."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    D = len(mean_p)
    z = np.array(list(product(nodes, repeat=D)))
    w = np.array([np.prod(c) for c in product(weights / weights.sum(), repeat=D)])
    x = mean_p + z @ np.linalg.cholesky(cov_p).T
    ln_p = np.reshape(stats.multivariate_normal(mean_p, cov_p).logpdf(x), -1)
    ln_q = np.reshape(stats.multivariate_normal(mean_q, cov_q).logpdf(x), -1)
    return w @ (ln_p - ln_q)


def printed_kl_normal(mean_p, cov_p, mean_q, cov_q):
    """The lecture's slide, which has the determinants the other way round."""
    z = mean_p - mean_q
    log_det_ratio = np.linalg.slogdet(cov_p)[1] - np.linalg.slogdet(cov_q)[1]
    inverse_q = np.linalg.inv(cov_q)
    return 0.5 * (log_det_ratio - len(z) + z @ inverse_q @ z + np.trace(inverse_q @ cov_p))


@given(seeds, st.integers(1, 4))
def test_kl_of_normals_is_the_expected_log_ratio(seed, D):
    normals = two_normals(np.random.default_rng(seed), D)
    assert_allclose(kl_normal(*normals), expected_log_ratio(*normals), rtol=1e-9)


@given(seeds)
def test_kl_of_normals_on_a_line_is_scipys_integral(seed):
    rng = np.random.default_rng(seed)
    m_p, m_q = rng.normal(size=2)
    s_p, s_q = 0.5 + rng.random(2)
    p, q = stats.norm(m_p, s_p), stats.norm(m_q, s_q)
    integral, _ = integrate.quad(
        lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), m_p - 12 * s_p, m_p + 12 * s_p
    )
    ours = kl_normal(np.array([m_p]), np.array([[s_p**2]]), np.array([m_q]), np.array([[s_q**2]]))
    assert_allclose(ours, integral, rtol=1e-7)


def test_kl_of_normals_in_the_plane_is_scipys_integral():
    normals = two_normals(np.random.default_rng(0), 2)
    p = stats.multivariate_normal(normals[0], normals[1])
    q = stats.multivariate_normal(normals[2], normals[3])
    steps = np.linspace(-9, 9, 601)
    grid = [p.mean[d] + np.sqrt(p.cov[d, d]) * steps for d in (0, 1)]
    x = np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1)
    values = p.pdf(x) * (p.logpdf(x) - q.logpdf(x))
    integral = integrate.simpson(integrate.simpson(values, grid[1], axis=1), grid[0])
    assert_allclose(kl_normal(*normals), integral, rtol=1e-7)


@given(seeds, st.integers(1, 5))
def test_kl_of_normals_is_zero_for_equal_ones_and_positive_for_others(seed, D):
    rng = np.random.default_rng(seed)
    mean, cov, _, _ = two_normals(rng, D)
    assert 0 <= kl_normal(mean, cov, mean, cov) <= 1e-12
    assert kl_normal(mean, cov, mean + 1e-4, cov) > 1e-10
    assert kl_normal(mean, cov, mean, cov + 1e-3 * np.eye(D)) > 1e-10
    assert kl_normal(mean, cov, mean, 0.999 * cov) > 1e-8


@given(seeds, st.integers(1, 4))
def test_kl_of_normals_does_not_change_with_the_coordinates(seed, D):
    rng = np.random.default_rng(seed)
    mean_p, cov_p, mean_q, cov_q = two_normals(rng, D)
    A = rng.normal(size=(D, D)) + 3 * np.eye(D)
    moved = kl_normal(A @ mean_p + 1, A @ cov_p @ A.T, A @ mean_q + 1, A @ cov_q @ A.T)
    assert_allclose(moved, kl_normal(mean_p, cov_p, mean_q, cov_q), rtol=1e-7)


def test_kl_of_normals_is_not_symmetric():
    narrow = (np.zeros(1), np.eye(1))
    wide = (np.zeros(1), 4 * np.eye(1))
    assert_allclose(kl_normal(*narrow, *wide), 0.5 * (np.log(4) - 1 + 1 / 4))
    assert_allclose(kl_normal(*wide, *narrow), 0.5 * (-np.log(4) - 1 + 4))


def test_the_determinants_printed_in_the_lecture_are_upside_down():
    normals = np.zeros(2), np.diag([0.25, 1.0]), np.zeros(2), np.eye(2)
    by_quadrature = expected_log_ratio(*normals)
    assert_allclose(kl_normal(*normals), by_quadrature)
    assert printed_kl_normal(*normals) < 0 < by_quadrature
    assert_allclose(printed_kl_normal(*normals) - by_quadrature, np.log(0.25))


def test_the_divergence_of_the_variational_auto_encoder_has_a_minus_in_front():
    mu, sigma = np.array([0.3, -1.2]), np.array([0.5, 1.5])
    normals = mu, np.diag(sigma**2), np.zeros(2), np.eye(2)
    printed = 0.5 * (1 + np.log(sigma**2) - mu**2 - sigma**2).sum()
    assert_allclose(kl_normal(*normals), -printed)
    assert_allclose(expected_log_ratio(*normals), -printed)
    assert printed < 0


@given(seeds)
def test_kl_of_uniforms_is_scipys_integral(seed):
    c, a, b, d = np.sort(np.random.default_rng(seed).normal(size=4))
    p, q = stats.uniform(a, b - a), stats.uniform(c, d - c)
    integral, _ = integrate.quad(lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), a, b)
    assert_allclose(kl_uniform(a, b, c, d), integral, rtol=1e-9)
    assert kl_uniform(a, b, c, d) > 0
    assert kl_uniform(a, b, a, b) == 0


@pytest.mark.usefixtures("as_users_call")
def test_kl_of_uniforms_needs_the_second_support_to_cover_the_first_and_no_more():
    # The lecture asks for the same support; its own example is finite with another.
    assert_allclose(kl_uniform(0, 1, -1, 2), np.log(3))
    assert kl_uniform(-1, 2, 0, 1) == INF
    assert kl_uniform(0, 1, 0.5, 2) == INF
    assert kl_uniform(0, 1, -1, 0.5) == INF
    assert kl_uniform(0, 1, 5, 6) == INF


def random_forms(rng, K, T, zeros):
    """Random q, prior and likelihood; with zeros, each row still has something possible."""
    prior = distributions(rng, T, K, zeros=zeros)
    likelihood = rng.random((T, K))
    if zeros:
        likelihood *= rng.random((T, K)) < 0.7
        row, k = np.arange(T), prior.argmax(axis=1)
        likelihood[row, k] = 0.1 + rng.random(T)
    return distributions(rng, T, K, zeros=zeros), prior, likelihood


def logs(*values):
    with np.errstate(divide="ignore"):
        return [np.log(value) for value in values]


@given(seeds, st.integers(1, 4), st.integers(1, 3), st.booleans())
def test_the_three_forms_of_the_bound_are_one_number(seed, K, T, zeros):
    q, prior, likelihood = random_forms(np.random.default_rng(seed), K, T, zeros)
    log_prior, log_likelihood = logs(prior, likelihood)
    forms = elbo_forms(q, log_prior, log_likelihood)
    bound = latent.elbo(q, log_prior + log_likelihood)
    assert_allclose([forms.from_joint, forms.from_posterior, forms.from_prior], bound, atol=1e-12)


@given(seeds, st.integers(1, 4), st.integers(1, 3))
def test_the_terms_of_the_bound_are_sums_over_all_values(seed, K, T):
    q, prior, likelihood = random_forms(np.random.default_rng(seed), K, T, zeros=False)
    forms = elbo_forms(q, *logs(prior, likelihood))
    joint = evidence = likelihoods = entropy = divergence = 0.0
    for k in product(range(K), repeat=T):  # all values of (S_1, ..., S_T) at once
        weight = np.prod([q[t, k[t]] for t in range(T)])
        p = np.prod([prior[t, k[t]] for t in range(T)])
        p_x = np.prod([likelihood[t, k[t]] for t in range(T)])
        evidence += p * p_x
        joint += weight * np.log(p * p_x)
        likelihoods += weight * np.log(p_x)
        entropy -= weight * np.log(weight)
        divergence += weight * np.log(weight / p)
    expected = joint, entropy, np.log(evidence), np.log(evidence) - joint - entropy
    assert_allclose(forms, (*expected, likelihoods, divergence), atol=1e-10)


@given(seeds, st.integers(2, 4))
def test_the_bound_touches_the_evidence_at_the_posterior_alone(seed, K):
    rng = np.random.default_rng(seed)
    q, prior, likelihood = random_forms(rng, K, 1, zeros=False)
    posterior = prior * likelihood / (prior * likelihood).sum()
    tight = elbo_forms(posterior, *logs(prior, likelihood))
    assert_allclose(tight.from_prior, tight.log_evidence)
    assert elbo_forms(q, *logs(prior, likelihood)).from_prior < tight.log_evidence


def test_the_terms_stay_finite_where_probabilities_underflow():
    half = np.array([0.5, 0.5])
    forms = elbo_forms(half, np.log(half), np.array([-2000.0, -3000.0]))
    assert_allclose(forms.log_evidence, -2000 - np.log(2))
    assert_allclose(forms.kl_posterior, 500 - np.log(2))
    assert_allclose([forms.from_joint, forms.from_posterior, forms.from_prior], -2500)


@pytest.mark.parametrize(
    ("q", "prior", "likelihood"),
    [([0.5, 0.5], [1, 0], [0.3, 0.4]), ([0.5, 0.5], [0.5, 0.5], [0, 1])],
)
def test_weight_on_the_impossible_makes_every_form_minus_infinity(q, prior, likelihood):
    forms = elbo_forms(np.array(q), *logs(np.array(prior), np.array(likelihood)))
    assert [forms.from_joint, forms.from_posterior, forms.from_prior] == [-INF] * 3


def test_the_bound_needs_the_expected_logarithm_of_q_and_not_the_expected_q():
    q, prior, likelihood = random_forms(np.random.default_rng(1), 3, 1, zeros=False)
    forms = elbo_forms(q, *logs(prior, likelihood))
    printed = forms.expected_log_joint - (q * q).sum()  # the slide's E_q[q]
    corrected = forms.expected_log_joint - (q * np.log(q)).sum()
    assert_allclose(corrected, forms.log_evidence - forms.kl_posterior)
    assert abs(printed - corrected) > 0.1
    # With all weight on one value, E_q[ln q] = 0 and the bound is ln p(x, S); E_q[q] = 1 is not.
    sure = elbo_forms(np.array([[1.0, 0.0, 0.0]]), *logs(prior, likelihood))
    assert_allclose(sure.from_prior, np.log(prior[0, 0] * likelihood[0, 0]))


def evidence(theta):
    """p(x | theta) = 1/2 theta + 1/2 (1 - theta)^2: two values of S, a priori equally likely."""
    return 0.5 * theta + 0.5 * (1 - theta) ** 2


def bound(q, theta):
    """L(q, theta) of that model, for q = (q(S = 0), q(S = 1))."""
    log_likelihood = np.array([np.log(theta), 2 * np.log(1 - theta)])
    return latent.elbo(q, np.log(0.5) + log_likelihood)


def best_theta(q):
    """argmax over theta of L(q, theta): q_0 / theta = 2 q_1 / (1 - theta)."""
    return q[0] / (q[0] + 2 * q[1])


def test_raising_the_bound_of_a_loose_q_can_lower_the_evidence():
    # The slides say that maximising L also improves ln p(x), and say so of any q.
    old, loose = 0.9, np.array([0.5, 0.5])
    new = best_theta(loose)
    assert all(bound(loose, theta) < bound(loose, new) for theta in np.linspace(0.01, 0.99, 99))
    assert bound(loose, new) > bound(loose, old) + 0.3
    assert evidence(new) < evidence(old) - 0.05


@given(st.floats(0.01, 0.99))
def test_raising_the_bound_of_a_tight_q_raises_the_evidence(old):
    tight = np.array([0.5 * old, 0.5 * (1 - old) ** 2]) / evidence(old)
    new = best_theta(tight)
    assert_allclose(bound(tight, old), np.log(evidence(old)), atol=1e-12)
    assert bound(tight, new) >= bound(tight, old) - 1e-12
    assert np.log(evidence(new)) >= np.log(evidence(old)) - 1e-12


def test_an_m_step_from_a_loose_q_can_spoil_a_gaussian_mixture():
    rng = np.random.default_rng(2)
    model = gmm(rng, 3, 2)
    x = model.sample(200, rng).x
    loose = np.full((200, 3), 1 / 3)
    for q, better in ((loose, False), (model.responsibilities(x), True)):
        new = model.m_step(x, q)
        assert latent.elbo(q, new.log_joint(x)) > latent.elbo(q, model.log_joint(x))
        assert (new.log_evidence(x) > model.log_evidence(x)) is better


@pytest.mark.usefixtures("as_users_call")
def test_lists_do():
    assert_allclose(kl_normal([1], [[1]], [0], [[1]]), 0.5)
    forms = elbo_forms([0.5, 0.5], [-np.log(2)] * 2, [0, 0])
    assert_allclose(forms.log_evidence, 0)


HALF = np.log([0.5, 0.5])


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kl_uniform(1, 1, 0, 2), r"b must be above a = 1\.0, got 1\.0"),
        (lambda: kl_uniform(0, 1, 3, 2), r"d must be above c = 3\.0, got 2\.0"),
        (lambda: kl_uniform(0, INF, 0, 1), "b must be finite"),
        (lambda: kl_uniform(0, 1, [0], 1), r"c must have shape \(\), got \(1,\)"),
        (lambda: kl_normal(0, 1, 0, 1), r"mean_p must have shape \(D\), got \(\)"),
        (
            lambda: kl_normal([0], [[1]], [0, 0], np.eye(2)),
            r"mean_q must have shape \(D\) with D = 1",
        ),
        (
            lambda: kl_normal([0], np.eye(2), [0], [[1]]),
            r"cov_p must have shape \(D, D\) with D = 1",
        ),
        (
            lambda: kl_normal([0], [[1]], [0], [[0]]),
            r"cov_q must be positive definite, but its smallest eigenvalue is 0\.0",
        ),
        (
            lambda: kl_normal([0, 0], [[2, 1], [0, 2]], [0, 0], np.eye(2)),
            "cov_p must be symmetric",
        ),
        (lambda: elbo_forms([0.5, 0.6], HALF, HALF), "q must sum to one"),
        (lambda: elbo_forms([0.5, 0.5], [0, 0], HALF), r"exp\(log_prior\) must sum to one"),
        (
            lambda: elbo_forms([0.5, 0.5], HALF[:1], HALF),
            r"log_prior must have the shape of q, \(2,\), got \(1,\)",
        ),
        (
            lambda: elbo_forms([0.5, 0.5], HALF, HALF[None]),
            r"log_likelihood must have the shape of q, \(2,\), got \(1, 2\)",
        ),
        (lambda: elbo_forms([0.5, 0.5], HALF, [np.nan, 0]), "log_likelihood must be finite or"),
        (
            lambda: elbo_forms([1, 0], [0, -INF], [-INF, 0]),
            "log_likelihood must be above -inf somewhere",
        ),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
