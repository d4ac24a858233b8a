import dataclasses
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from random_models import seeds
from scipy import integrate, optimize, special, stats

from latent.bayes import NormalGamma, beta_bernoulli, beta_log_density, jeffreys_posterior

shapes = st.floats(0.3, 8.0)


@st.composite
def tosses_and_heads(draw):
    tosses = draw(st.integers(0, 12))
    return draw(st.integers(0, tosses)), tosses


def random_prior(rng):
    beta, a, b = 0.3 + 3 * rng.random(3)
    return NormalGamma(float(rng.normal()), float(beta), float(a) + 0.5, float(b))


def log_likelihood(x, mu, tau):
    """sum_t ln N(x_t; mu, 1 / tau) on a grid of mu and tau."""
    mu, tau = np.broadcast_arrays(mu, tau)
    return stats.norm(mu[..., None], tau[..., None] ** -0.5).logpdf(x).sum(axis=-1)


def over_mu_and_tau(function, model):
    """Integral over the half-plane, mu in units of its spread at each tau, by fixed quadrature."""
    z, z_weights = np.polynomial.legendre.leggauss(80)
    z, z_weights = 12 * z, 12 * z_weights
    v, v_weights = np.polynomial.legendre.leggauss(150)  # v = ln tau
    low, high = np.log(stats.gamma(model.a, scale=1 / model.b).ppf([1e-14, 1 - 1e-14]))
    tau = np.exp(low + (high - low) * (v + 1) / 2)[:, None]
    spread = (model.beta * tau) ** -0.5
    values = function(model.mean + spread * z, tau) * spread * tau
    return (high - low) / 2 * v_weights @ values @ z_weights


# The coin


@given(tosses_and_heads(), shapes, shapes)
def test_the_posterior_of_the_coin_is_prior_times_likelihood(data, a, b):
    heads, tosses = data
    coin = beta_bernoulli(heads, tosses, a, b)

    def joint(w):
        return stats.beta(a, b).pdf(w) * w**heads * (1 - w) ** (tosses - heads)

    w = np.array([0.05, 0.3, 0.5, 0.9])
    evidence = integrate.quad(joint, 0, 0.5)[0] + integrate.quad(joint, 0.5, 1)[0]
    assert_allclose(np.exp(coin.log_evidence), evidence, rtol=1e-6)
    assert_allclose(np.exp(beta_log_density(w, coin.a, coin.b)), joint(w) / evidence, rtol=1e-6)
    halves = [integrate.quad(lambda w: w * joint(w), *ends)[0] for ends in ((0, 0.5), (0.5, 1))]
    assert_allclose([coin.mean, coin.predictive], sum(halves) / evidence, rtol=1e-6)


@given(tosses_and_heads(), shapes, shapes)
def test_the_prediction_is_a_ratio_of_evidences(data, a, b):
    heads, tosses = data
    coin, one_more = (
        beta_bernoulli(heads, tosses, a, b),
        beta_bernoulli(heads + 1, tosses + 1, a, b),
    )
    assert_allclose(coin.predictive, np.exp(one_more.log_evidence - coin.log_evidence))


@given(tosses_and_heads(), st.floats(1.1, 8.0), st.floats(1.1, 8.0))
def test_the_map_is_where_the_posterior_is_largest(data, a, b):
    coin = beta_bernoulli(*data, a, b)
    best = optimize.minimize_scalar(
        lambda w: -beta_log_density(float(w), coin.a, coin.b),
        bounds=(0, 1),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert_allclose(coin.map, best.x, atol=1e-6)


@given(tosses_and_heads())
def test_a_uniform_prior_makes_the_map_the_ml_estimate(data):
    coin = beta_bernoulli(*data, 1.0, 1.0)
    assert_allclose(coin.map, coin.ml)  # both NaN without a toss
    assert np.isnan(coin.ml) == (data[1] == 0)


@pytest.mark.parametrize(
    ("a", "b", "mode"),
    [
        (0.5, 2.0, 0.0),
        (1.0, 2.0, 0.0),
        (0.5, 1.0, 0.0),
        (2.0, 0.5, 1.0),
        (2.0, 1.0, 1.0),
        (1.0, 0.5, 1.0),
        (0.5, 0.5, np.nan),
        (1.0, 1.0, np.nan),
        (3.0, 2.0, 2 / 3),
    ],
)
def test_the_mode_is_at_an_end_where_the_density_has_no_top_inside(a, b, mode):
    assert_allclose(beta_bernoulli(0, 0, a, b).map, mode)
    density = beta_log_density(np.linspace(1e-6, 1 - 1e-6, 1001), a, b)
    if mode in (0.0, 1.0):
        assert density.argmax() == 1000 * mode
    elif np.isnan(mode):
        assert density[0] == pytest.approx(density[-1])
        assert density[0] == pytest.approx(density.max())


def test_three_heads_in_three_tosses_convince_maximum_likelihood_alone():
    coin = beta_bernoulli(3, 3, 2.0, 2.0)
    assert coin.ml == 1
    assert_allclose([coin.map, coin.mean], [4 / 5, 5 / 7])
    assert_allclose(beta_bernoulli(3000, 3000, 2.0, 2.0).mean, 1, atol=1e-3)


def test_tosses_are_bernoulli_and_only_their_number_of_heads_is_binomial():
    T, a, b = 5, 1.5, 0.7
    heads = [sum(x) for x in product((0, 1), repeat=T)]
    evidence = np.exp([beta_bernoulli(h, T, a, b).log_evidence for h in heads])
    assert_allclose(evidence.sum(), 1)
    # With the binomial coefficient it is a distribution over 0..T, and not over sequences.
    assert special.comb(T, heads) @ evidence > 2
    by_heads = [
        special.comb(T, h) * np.exp(beta_bernoulli(h, T, a, b).log_evidence) for h in range(T + 1)
    ]
    assert_allclose(by_heads, stats.betabinom(T, a, b).pmf(range(T + 1)))


@given(shapes, shapes)
def test_the_beta_density_is_scipys_at_the_ends_too(a, b):
    w = np.array([0.0, 0.2, 1.0])
    assert_allclose(beta_log_density(w, a, b), stats.beta(a, b).logpdf(w))


# Normal-Gamma


@given(seeds)
def test_the_normal_gamma_density_is_scipys_normal_times_gamma(seed):
    rng = np.random.default_rng(seed)
    prior = random_prior(rng)
    mu, tau = rng.normal(size=(5, 1)), 0.1 + rng.random(4)
    normal = stats.norm(prior.mean, (prior.beta * tau) ** -0.5).logpdf(mu)
    gamma = stats.gamma(prior.a, scale=1 / prior.b).logpdf(tau)
    assert_allclose(prior.log_density(mu, tau), normal + gamma)
    # In sigma the precision is an inverse square, so it has a generalised Gamma density.
    sigma = tau**-0.5
    in_sigma = stats.gengamma(prior.a, -2, scale=prior.b**0.5).logpdf(sigma)
    assert_allclose(prior.log_density_sigma(mu, sigma), normal + in_sigma)


@given(seeds)
def test_the_posterior_is_prior_times_likelihood_over_evidence(seed):
    rng = np.random.default_rng(seed)
    prior, x = random_prior(rng), 2 * rng.normal(size=4)
    mu, tau = np.linspace(-2, 2, 9)[:, None], np.linspace(0.1, 3, 8)
    difference = (
        prior.log_density(mu, tau)
        + log_likelihood(x, mu, tau)
        - prior.update(x).log_density(mu, tau)
    )
    assert_allclose(difference, prior.log_evidence(x))


@given(seeds)
def test_the_evidence_is_the_integral_of_the_joint(seed):
    rng = np.random.default_rng(seed)
    prior, x = random_prior(rng), rng.normal(size=3)

    def joint(mu, tau):
        return np.exp(prior.log_density(mu, tau) + log_likelihood(x, mu, tau))

    evidence = over_mu_and_tau(joint, prior.update(x))
    assert_allclose(np.log(evidence), prior.log_evidence(x), atol=1e-8)


@given(seeds)
def test_the_evidence_is_a_product_of_predictions(seed):
    rng = np.random.default_rng(seed)
    prior, x = random_prior(rng), rng.normal(size=4)
    model, total = prior, 0.0
    for n in range(4):
        total += model.log_predictive(float(x[n]))
        model = model.update(x[n : n + 1])
    assert_allclose(total, prior.log_evidence(x))
    at_once = prior.update(x)
    assert_allclose(dataclasses.astuple(model), dataclasses.astuple(at_once))


@given(seeds)
def test_marginal_and_prediction_are_students_t_and_integrals(seed):
    rng = np.random.default_rng(seed)
    model = random_prior(rng)
    at = 2 * rng.normal(size=3)
    scale = (model.b / (model.a * model.beta)) ** 0.5
    t = stats.t(2 * model.a, model.mean, scale)
    assert_allclose(model.log_marginal_mu(at), t.logpdf(at))
    wide = stats.t(2 * model.a, model.mean, scale * (1 + model.beta) ** 0.5)
    assert_allclose(model.log_predictive(at), wide.logpdf(at))
    for y in at.tolist():
        marginal = integrate.quad(lambda tau, y=y: np.exp(model.log_density(y, tau)), 0, np.inf)[0]
        assert_allclose(model.log_marginal_mu(y), np.log(marginal), atol=1e-6)

        def joint(mu, tau, y=y):
            return np.exp(model.log_density(mu, tau) + log_likelihood(np.array([y]), mu, tau))

        after = model.update(np.array([y]))
        assert_allclose(model.log_predictive(y), np.log(over_mu_and_tau(joint, after)), atol=1e-8)


def test_a_strong_prior_predicts_as_a_normal_density_does():
    model = NormalGamma(1.0, 1e9, 1e9, 4e9)  # mu = 1 and tau = 1/4, nearly for sure
    x = np.array([-3.0, 0.0, 2.0])
    assert_allclose(model.log_predictive(x), stats.norm(1, 2).logpdf(x), atol=1e-7)


def test_samples_have_the_moments_and_the_marginals():
    model = NormalGamma(1.0, 2.0, 4.0, 3.0)
    mu, tau = model.sample(100_000, np.random.default_rng(0))
    assert_allclose(tau.mean(), 4 / 3, rtol=0.01)
    assert_allclose(tau.var(), 4 / 9, rtol=0.03)
    assert_allclose(mu.mean(), 1, atol=0.01)
    assert stats.kstest(mu, stats.t(8, 1.0, (3 / 8) ** 0.5).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(np.abs(mu - 1), tau)[0, 1]) > 0.2  # not independent


# Jeffreys' prior as a limit


def test_small_beta_a_and_b_give_one_over_sigma_squared():
    mu, sigma = np.linspace(-3, 3, 7)[:, None], np.linspace(0.3, 4, 9)
    spreads = []
    for small in (1e-2, 1e-4, 1e-6):
        prior = NormalGamma(0.5, small, small, small)
        constant = prior.log_density_sigma(mu, sigma) + 2 * np.log(sigma)
        spreads.append(np.ptp(constant))
        in_tau = prior.log_density(mu, sigma**-2) + 0.5 * np.log(sigma**-2)
        assert_allclose(np.ptp(in_tau), np.ptp(constant))
    assert spreads[0] < 1
    assert_allclose(np.array(spreads[1:]) / spreads[:-1], 1e-2, rtol=0.01)
    off = NormalGamma(0.5, 1e-6, 1e-6, 1e-6).log_density_sigma(mu, sigma) + np.log(sigma)
    assert np.ptp(off) > 1  # 1 / sigma is another prior


@given(seeds)
def test_posteriors_converge_to_that_of_jeffreys(seed):
    rng = np.random.default_rng(seed)
    x = 3 + 2 * rng.normal(size=6)
    limit = dataclasses.astuple(jeffreys_posterior(x))
    distances = [
        np.abs(np.subtract(dataclasses.astuple(NormalGamma(0.0, *[small] * 3).update(x)), limit))
        for small in (1e-3, 1e-5, 1e-7)
    ]
    for before, after in pairwise(distances):
        assert_allclose(after / before, 1e-2, rtol=0.05)


@given(seeds)
def test_the_jeffreys_posterior_is_one_over_sigma_squared_times_the_likelihood(seed):
    x = np.random.default_rng(seed).normal(size=5)
    posterior = jeffreys_posterior(x)
    mu, sigma = np.linspace(-2, 2, 9)[:, None], np.linspace(0.3, 3, 8)
    unnormalised = -2 * np.log(sigma) + log_likelihood(x, mu, sigma**-2.0)
    constant = unnormalised - posterior.log_density_sigma(mu, sigma)
    assert_allclose(constant, constant[0, 0])

    def in_tau(mu, tau):  # 1 / sigma^2 in (mu, sigma) is tau^(-1/2) / 2 in (mu, tau)
        return np.exp(-0.5 * np.log(tau) - np.log(2) + log_likelihood(x, mu, tau))

    assert_allclose(np.log(over_mu_and_tau(in_tau, posterior)), constant[0, 0], atol=1e-6)
    other = -np.log(sigma) + log_likelihood(x, mu, sigma**-2.0)
    assert np.ptp(other - posterior.log_density_sigma(mu, sigma)) > 1
    reference = NormalGamma(posterior.mean, 5.0, 2.0, posterior.b)  # a' = (T - 1) / 2
    assert_allclose(np.ptp(other - reference.log_density_sigma(mu, sigma)), 0, atol=1e-9)


# What the lecture prints, and what holds


def test_a_plus_in_the_exponent_cannot_be_normalised():
    beta, a, b, tau = 0.5, 2.0, 1.0, 0.8
    prior = NormalGamma(0.0, beta, a, b)

    def masses(sign):
        return [
            integrate.quad(
                lambda mu: np.exp(prior.log_density(0.0, tau) + sign * beta * tau * mu**2 / 2),
                -half,
                half,
            )[0]
            for half in (10.0, 15.0, 20.0)
        ]

    corrected = masses(-1)
    assert_allclose(corrected, stats.gamma(a, scale=1 / b).pdf(tau), rtol=1e-6)
    printed = np.array(masses(1))
    assert (printed[1:] > 1e6 * printed[:-1]).all()


def left_over(log_density, columns):
    """What a least-squares fit of the columns cannot explain, the largest of it."""
    design = np.column_stack(columns)
    coefficients = np.linalg.lstsq(design, log_density)[0]
    return np.abs(log_density - design @ coefficients).max()


def test_a_gamma_density_is_conjugate_for_the_precision_and_not_for_sigma():
    x, beta, a, b = np.array([0.3, 2.0, 1.1, 3.2]), 0.5, 2.0, 1.0
    mu = x.sum() / (beta + 4)  # where the posterior of mu is centred, for any sigma
    sigma = np.linspace(0.3, 3, 200)
    tau = sigma**-2
    likelihood = log_likelihood(x, mu, tau)
    ones = np.ones_like(sigma)
    # Corrected: along tau at that mu a Normal-Gamma is tau^(a - 1/2) e^(-b tau), and so is this.
    corrected = NormalGamma(0.0, beta, a, b).log_density(mu, tau) + likelihood
    assert left_over(corrected, [ones, np.log(tau), tau]) < 1e-10
    # Printed, with its exponent mended: along sigma it is sigma^(a - 2) e^(-b sigma), this is not.
    normal = stats.norm(0, sigma / beta**0.5).logpdf(mu)
    prior = normal + stats.gamma(a, scale=1 / b).logpdf(sigma)
    assert left_over(prior - normal, [ones, np.log(sigma), sigma]) < 1e-10
    assert left_over(prior + likelihood, [ones, np.log(sigma), sigma]) > 1


def test_a_prior_centred_at_zero_has_a_posterior_that_is_not():
    x = np.array([0.3, 2.0, 1.1, 3.2])
    posterior = NormalGamma(0.0, 0.5, 2.0, 1.0).update(x)
    assert_allclose(posterior.mean, x.sum() / 4.5)
    # A density of the printed family is even in mu; prior times likelihood is not.
    prior = NormalGamma(0.0, 0.5, 2.0, 1.0)
    mu, tau = np.array([-1.0, 1.0]), 1.0
    assert np.ptp(prior.log_density(mu, tau)) == 0
    assert np.ptp(prior.log_density(mu, tau) + log_likelihood(x, mu, tau)) > 1


# Arguments


@pytest.mark.usefixtures("as_users_call")
def test_lists_and_integers_do():
    assert beta_bernoulli(1, 2, 1, 1).mean == 0.5
    posterior = NormalGamma(0, 1, 1, 1).update([1, 3])
    assert dataclasses.astuple(posterior) == pytest.approx((4 / 3, 3, 2, 1 + 1 + 4 / 3))
    assert dataclasses.astuple(jeffreys_posterior([1, 3])) == (2, 2, 1, 1)


PRIOR = NormalGamma(0.0, 1.0, 1.0, 1.0)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: beta_bernoulli(4, 3, 1, 1), "heads must be at most 3, the number of tosses"),
        (lambda: beta_bernoulli(-1, 3, 1, 1), "heads must be at least 0"),
        (lambda: beta_bernoulli(1.5, 3, 1, 1), "heads must be an integer"),
        (lambda: beta_bernoulli(0, -1, 1, 1), "tosses must be at least 0"),
        (lambda: beta_bernoulli(1, 3, 0, 1), "a must be above zero"),
        (lambda: beta_bernoulli(1, 3, 1, np.inf), "b must be finite"),
        (lambda: beta_log_density(1.5, 1, 1), r"w must be from 0 to 1, got 1\.5"),
        (lambda: beta_log_density(-0.5, 1, 1), "w must not be negative"),
        (lambda: NormalGamma(np.nan, 1, 1, 1), "mean must be finite"),
        (lambda: NormalGamma(0, 0, 1, 1), "beta must be above zero"),
        (lambda: NormalGamma(0, 1, -1, 1), "a must be above zero"),
        (lambda: NormalGamma(0, 1, 1, 0), "b must be above zero"),
        (lambda: PRIOR.log_density(0, 0), r"tau must be above zero, got 0\.0$"),
        (lambda: PRIOR.log_density(0, [1, -2]), r"tau must be above zero, got -2\.0 at index 1"),
        (lambda: PRIOR.log_density_sigma(0, 0), "sigma must be above zero"),
        (lambda: PRIOR.log_marginal_mu(np.nan), "mu must be finite"),
        (lambda: PRIOR.log_predictive(np.inf), "x must be finite"),
        (lambda: PRIOR.update([]), r"x must have shape \(T\)"),
        (lambda: PRIOR.log_evidence([[1, 2]]), r"x must have shape \(T\)"),
        (lambda: PRIOR.sample(0, np.random.default_rng(0)), "n must be at least 1"),
        (lambda: PRIOR.sample(1, 0), r"rng must be a numpy\.random\.Generator"),
        (lambda: jeffreys_posterior([2, 2]), r"x must have two entries that differ, got only 2\.0"),
        (lambda: jeffreys_posterior([2]), "x must have two entries that differ"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
