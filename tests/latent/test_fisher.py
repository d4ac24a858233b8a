import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from random_models import covariances, distributions, seeds
from scipy import integrate, special, stats

from latent.fisher import (
    expected_curvature,
    fisher_information,
    jeffreys,
    quadrature,
    reparameterise,
    score,
    transform_density,
)

COIN = np.array([0.0, 1.0])
COUNTS = np.arange(150.0)


def bernoulli(x, w):
    return special.xlogy(x, w) + special.xlog1py(1 - x, -w)


def poisson(x, rate):
    return x * np.log(rate) - rate - special.gammaln(x + 1)


def normal(x, w):
    """Both unknown: w = (mu, sigma)."""
    mu, sigma = w
    return -np.log(sigma) - (x - mu) ** 2 / (2 * sigma**2) - np.log(2 * np.pi) / 2


def softmax_model(x, w):
    """A categorical distribution in K free parameters, the last letter's being zero."""
    return special.log_softmax(np.append(w, 0.0))[x.astype(int)]


def around(mu, sigma):
    return quadrature(mu - 12 * sigma, mu + 12 * sigma)


means, sigmas = st.floats(-3, 3), st.floats(0.3, 3)
chances = st.floats(0.05, 0.95)


# The information, in both forms


@given(chances)
def test_the_information_of_a_coin(w):
    expected = [[1 / (w * (1 - w))]]
    assert_allclose(fisher_information(bernoulli, w, COIN), expected, rtol=1e-6)
    assert_allclose(expected_curvature(bernoulli, w, COIN), expected, rtol=1e-5)


@given(st.floats(0.2, 40))
def test_the_information_of_a_poisson_rate(rate):
    assert_allclose(fisher_information(poisson, rate, COUNTS), [[1 / rate]], rtol=1e-6)
    assert_allclose(expected_curvature(poisson, rate, COUNTS), [[1 / rate]], rtol=1e-4)


@given(means, sigmas)
def test_the_information_of_mean_and_standard_deviation(mu, sigma):
    w, nodes = np.array([mu, sigma]), around(mu, sigma)
    expected = np.diag([1, 2]) / sigma**2
    assert_allclose(fisher_information(normal, w, *nodes), expected, atol=1e-6)
    assert_allclose(expected_curvature(normal, w, *nodes), expected, atol=1e-5)


@given(seeds, st.integers(1, 4))
def test_both_forms_agree_where_parameters_are_entangled(seed, K):
    w = np.random.default_rng(seed).normal(size=K)
    letters = np.arange(K + 1)
    p = special.softmax(np.append(w, 0.0))[:K]
    expected = np.diag(p) - np.outer(p, p)
    assert_allclose(fisher_information(softmax_model, w, letters), expected, atol=1e-9)
    assert_allclose(expected_curvature(softmax_model, w, letters), expected, atol=1e-6)


@given(seeds)
def test_the_score_is_the_gradient_and_its_mean_is_zero(seed):
    rng = np.random.default_rng(seed)
    mu, sigma = rng.normal(), 0.5 + rng.random()
    w, (x, weights) = np.array([mu, sigma]), around(mu, sigma)
    s = score(normal, w, x)
    by_hand = np.column_stack([(x - mu) / sigma**2, (x - mu) ** 2 / sigma**3 - 1 / sigma])
    assert_allclose(s, by_hand, rtol=1e-6, atol=1e-8)
    assert_allclose((weights * np.exp(normal(x, w))) @ s, 0, atol=1e-8)


def test_observations_may_be_vectors():
    covariance = covariances(np.random.default_rng(0), 1, 2)[0]
    one = quadrature(-25.0, 25.0, 150)
    x = np.stack(np.meshgrid(one.x, one.x), axis=-1).reshape(-1, 2)
    weights = np.outer(one.weights, one.weights).ravel()

    def log_p(x, mean):
        return stats.multivariate_normal(mean, covariance).logpdf(x)

    information = fisher_information(log_p, np.array([0.3, -0.2]), x, weights)
    assert_allclose(information, np.linalg.inv(covariance), rtol=1e-6)


@given(seeds)
def test_the_information_of_a_mixture_is_scipys_integral(seed):
    # No closed form: the weight of one of two overlapping components.
    rng = np.random.default_rng(seed)
    w, gap = float(0.2 + 0.6 * rng.random()), 1 + rng.random()
    first, second = stats.norm(0, 1).pdf, stats.norm(gap, 1).pdf

    def log_p(x, w):
        return np.log(w * first(x) + (1 - w) * second(x))

    def integrand(x):
        return (first(x) - second(x)) ** 2 / (w * first(x) + (1 - w) * second(x))

    exact = integrate.quad(integrand, -12, 12)[0]
    nodes = quadrature(-12.0, 12.0)
    assert_allclose(fisher_information(log_p, w, *nodes), [[exact]], rtol=1e-6)
    assert_allclose(expected_curvature(log_p, w, *nodes), [[exact]], rtol=1e-5)


def test_the_variance_of_the_score_of_draws_is_the_information():
    rng = np.random.default_rng(1)
    s = score(poisson, 3.0, rng.poisson(3.0, 100_000).astype(float))
    assert_allclose(s.var(), fisher_information(poisson, 3.0, COUNTS)[0, 0], rtol=0.02)


def test_quadrature_integrates_polynomials_exactly():
    x, weights = quadrature(-1.0, 3.0, 4)
    for degree in range(8):
        exact = (3.0 ** (degree + 1) - (-1.0) ** (degree + 1)) / (degree + 1)
        assert_allclose(weights @ x**degree, exact)
    assert abs(weights @ x**8 - (3.0**9 + 1) / 9) > 1


# Jeffreys' prior


def test_jeffreys_prior_of_a_coin_is_beta_one_half_one_half():
    w = np.linspace(0.02, 0.98, 25)
    prior = np.array([jeffreys(bernoulli, float(v), COIN) for v in w])
    assert_allclose(prior / np.pi, stats.beta(0.5, 0.5).pdf(w), rtol=1e-6)


def test_jeffreys_prior_of_a_poisson_rate_is_one_over_its_root():
    rates = np.linspace(0.5, 30, 15)
    prior = np.array([jeffreys(poisson, float(rate), COUNTS) for rate in rates])
    assert_allclose(prior, rates**-0.5, rtol=1e-6)


@given(means, sigmas)
def test_jeffreys_priors_of_a_normal_density(mu, sigma):
    nodes = around(mu, sigma)
    both = jeffreys(normal, np.array([mu, sigma]), *nodes)
    assert_allclose(both, np.sqrt(2) / sigma**2, rtol=1e-5)
    sigma_alone = jeffreys(lambda x, s: normal(x, (mu, s)), sigma, *nodes)
    assert_allclose(sigma_alone, np.sqrt(2) / sigma, rtol=1e-5)
    mean_alone = jeffreys(lambda x, m: normal(x, (m, sigma)), mu, *nodes)
    assert_allclose(mean_alone, 1 / sigma, rtol=1e-5)  # it does not depend on mu


def test_a_parameter_that_does_nothing_has_no_information():
    def log_p(x, w):
        return bernoulli(x, w[0])

    information = fisher_information(log_p, np.array([0.3, 2.0]), COIN)
    assert_allclose(information, [[1 / 0.21, 0], [0, 0]], atol=1e-8)
    assert jeffreys(log_p, np.array([0.3, 2.0]), COIN) == 0


# Invariance: in another parameter u = g(w)

COIN_MAPS = {
    "log odds": (special.logit, special.expit),
    "angle": (lambda w: np.arcsin(np.sqrt(w)), lambda u: np.sin(u) ** 2),
    "power": (lambda w: w**3, np.cbrt),
}


@pytest.mark.parametrize("name", COIN_MAPS)
def test_jeffreys_prior_of_a_coin_is_invariant_and_the_uniform_prior_is_not(name):
    g, inverse = COIN_MAPS[name]
    in_u = reparameterise(bernoulli, inverse)
    transformed_uniform = []
    for w in (0.2, 0.5, 0.7):
        u = float(g(w))
        direct = jeffreys(in_u, u, COIN)
        transformed = transform_density(lambda w: jeffreys(bernoulli, w, COIN), inverse, u)
        assert_allclose(direct, transformed, rtol=1e-6)
        h = 1e-6  # the lecture's form: p(w) |g'(w)|^{-1}
        slope = (g(w + h) - g(w - h)) / (2 * h)
        assert_allclose(direct, jeffreys(bernoulli, w, COIN) / slope, rtol=1e-6)
        transformed_uniform.append(transform_density(lambda w: 1.0, inverse, u))
        assert_allclose(transformed_uniform[-1], 1 / slope, rtol=1e-6)
    # The principle "uniform" would give the same number at each u.
    assert max(transformed_uniform) > 1.2 * min(transformed_uniform)


def test_in_the_angle_of_a_coin_jeffreys_prior_is_flat():
    in_u = reparameterise(bernoulli, COIN_MAPS["angle"][1])
    assert_allclose([jeffreys(in_u, u, COIN) for u in (0.3, 0.7, 1.2)], 2, rtol=1e-6)


@given(means, sigmas)
def test_jeffreys_prior_of_a_normal_density_is_invariant_in_mean_and_precision(mu, sigma):
    def inverse(u):
        return np.array([u[0], u[1] ** -0.5])

    u, nodes = np.array([mu, sigma**-2]), around(mu, sigma)
    step = 1e-4 * min(1.0, float(u[1]))
    direct = jeffreys(reparameterise(normal, inverse), u, *nodes, step=step)
    transformed = transform_density(lambda w: jeffreys(normal, w, *nodes), inverse, u, step)
    assert_allclose(direct, transformed, rtol=1e-5)
    assert_allclose(direct, (2 * u[1]) ** -0.5, rtol=1e-5)  # tau^(-1/2): the Normal-Gamma's limit
    assert_allclose(transform_density(lambda w: 1.0, inverse, u, step), sigma**3 / 2, rtol=1e-6)


@given(seeds)
def test_jeffreys_prior_is_invariant_under_entangling_maps(seed):
    rng = np.random.default_rng(seed)
    matrix = np.eye(2) + 0.3 * rng.normal(size=(2, 2))

    def inverse(u):
        return matrix @ np.sinh(u)

    u, letters = rng.normal(size=2), np.arange(3)
    direct = jeffreys(reparameterise(softmax_model, inverse), u, letters)
    transformed = transform_density(lambda w: jeffreys(softmax_model, w, letters), inverse, u)
    assert_allclose(direct, transformed, rtol=1e-5)


# What the lecture prints, and what holds


def test_the_information_of_sigma_needs_the_distance_from_the_mean():
    mu, sigma = 1.0, 0.8
    x, weights = around(mu, sigma)
    probability = weights * np.exp(normal(x, (mu, sigma)))
    printed = probability @ (-1 / sigma**2 + 3 * x**2 / sigma**4)
    corrected = probability @ (-1 / sigma**2 + 3 * (x - mu) ** 2 / sigma**4)
    information = expected_curvature(normal, np.array([mu, sigma]), x, weights)[1, 1]
    assert_allclose(corrected, information, rtol=1e-5)
    assert_allclose(corrected, 2 / sigma**2)
    assert printed > corrected + 5


def test_with_a_mean_of_zero_jeffreys_prior_is_one_over_sigma_and_not_its_square():
    def zero_mean(x, sigma):
        return normal(x, (0.0, sigma))

    sigmas = np.array([0.5, 1.0, 2.0, 4.0])
    known = np.array([jeffreys(zero_mean, s, *around(0.0, s)) for s in sigmas.tolist()])
    unknown = np.array([jeffreys(normal, np.array([0.0, s]), *around(0.0, s)) for s in sigmas])
    assert_allclose(known * sigmas, known[0] * 0.5, rtol=1e-5)
    assert np.ptp(known * sigmas**2) > 1
    assert_allclose(unknown * sigmas**2, unknown[0] * 0.25, rtol=1e-5)
    assert np.ptp(unknown * sigmas) > 1


def test_one_over_sigma_squared_cannot_be_normalised():
    shares = [integrate.quad(lambda s: s**-2.0, low, 1)[0] for low in (1e-2, 1e-4, 1e-6)]
    assert_allclose(np.array(shares[1:]) / shares[:-1], 100, rtol=0.02)


def test_jeffreys_prior_is_the_same_for_a_toss_and_for_the_number_of_heads():
    # Binomial or Bernoulli: the information of T tosses is T times that of one, the prior's form
    # the same. What differs is what X may be: for p(X = 1) = w and X in {0, 1}, T = 1.
    T, w = 7, 0.3

    def binomial(x, w):
        return np.log(special.binom(T, x)) + special.xlogy(x, w) + special.xlog1py(T - x, -w)

    one = fisher_information(bernoulli, w, COIN)
    assert_allclose(fisher_information(binomial, w, np.arange(T + 1.0)), T * one, rtol=1e-6)
    assert np.exp(binomial(np.array([1.0]), w))[0] != pytest.approx(w, rel=0.1)


# Arguments


@pytest.mark.usefixtures("as_users_call")
def test_lists_and_integers_do():
    assert_allclose(fisher_information(bernoulli, 0.5, [0, 1]), 4)
    information = fisher_information(normal, [0, 1], *quadrature(-9, 9))
    assert_allclose(information, np.diag([1, 2]), atol=1e-9)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: fisher_information(bernoulli, 0.5, [0]),
            r"probabilities of x must sum to one, got 0\.5",
        ),
        (
            lambda: jeffreys(normal, [0, 1], *quadrature(0, 9)),
            "probabilities of x must sum to one",
        ),
        (
            lambda: expected_curvature(lambda x, w: 1 + bernoulli(x, w), 0.5, COIN),
            "log_p must be normalised",
        ),
        (
            lambda: fisher_information(bernoulli, 0.5, COIN, [1]),
            r"weights must have shape \(n\) with n = 2",
        ),
        (
            lambda: fisher_information(bernoulli, 0.5, COIN, [1, -1]),
            "weights must not be negative",
        ),
        (lambda: fisher_information(bernoulli, [[0.5]], COIN), r"w must have shape \(K\)"),
        (lambda: fisher_information(bernoulli, np.nan, COIN), "w must be finite"),
        (
            lambda: score(bernoulli, 0.5, 1.0),
            r"x must have shape \(n,\) or \(n, D\), got the number",
        ),
        (lambda: score(bernoulli, 0.5, COIN, step=0), "step must be above zero"),
        (
            lambda: score(lambda x, w: w, 0.5, COIN),
            r"log_p\(x, w\) must have shape \(2,\), got \(\)",
        ),
        (
            lambda: score(lambda x, w: np.where(x == 1, -np.inf, w), 0.5, COIN),
            r"log_p\(x, w\) must be finite, got -inf at x = 1\.0 and w = ",
        ),
        (lambda: quadrature(1, 1), r"low must be below high, got 1\.0 and 1\.0"),
        (lambda: quadrature(0, np.inf), "high must be finite"),
        (lambda: quadrature(0, 1, 0), "n must be at least 1"),
        (
            lambda: transform_density(lambda w: 1.0, lambda u: [u, u], 0.5),
            r"inverse\(u\) must have shape \(K\) with K = 1",
        ),
        (
            lambda: transform_density(lambda w: 1.0, lambda u: np.nan, 0.5),
            r"inverse\(u\) must be finite",
        ),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_rule_that_is_too_coarse_is_refused():
    narrow = np.array([0.0, 1e-3])
    with pytest.raises(ValueError, match="finely enough"):
        fisher_information(normal, narrow, *quadrature(-1.0, 1.0), step=1e-6)
    nodes = quadrature(-0.01, 0.01)
    assert_allclose(
        fisher_information(normal, narrow, *nodes, step=1e-6),
        np.diag([1e6, 2e6]),
        rtol=1e-5,
        atol=1,
    )


def test_distributions_of_letters_have_the_information_of_their_simplex():
    p = distributions(np.random.default_rng(3), 4)

    def log_p(x, w):
        return np.log(np.append(w, 1 - w.sum()))[x.astype(int)]

    expected = np.diag(1 / p[:3]) + 1 / p[3]
    step = 1e-3 * float(p.min())
    assert_allclose(fisher_information(log_p, p[:3], np.arange(4), step=step), expected, rtol=1e-6)
