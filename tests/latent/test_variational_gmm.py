from dataclasses import FrozenInstanceError, replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import covariances, distributions, gmm, seeds
from scipy import integrate, stats
from scipy.special import gammaln, multigammaln
from sklearn.mixture import BayesianGaussianMixture

import latent
from latent.divergences import kl_normal
from latent.variational_gmm import GMMPrior, VariationalGMM


def random_prior(rng, D):
    return GMMPrior(
        alpha=0.2 + rng.random(),
        beta=0.2 + rng.random(),
        m=rng.normal(size=D),
        nu=D - 0.5 + 2 * rng.random(),
        W_inv=covariances(rng, 1, D)[0],
    )


def random_model(rng, K, D):
    """A posterior as an M-step from soft responsibilities leaves it, and its data."""
    x = gmm(rng, K, D).sample(30, rng).x
    model = VariationalGMM.from_responsibilities(x, distributions(rng, 30, K), random_prior(rng, D))
    return model, x


def log_normaliser(beta, nu, W_inv):
    """Integral over mu and Lambda of the Normal-Wisharts density without its constant."""
    D = len(W_inv)
    log_det_W = -np.linalg.slogdet(W_inv)[1]
    log_wishart = 0.5 * nu * (D * np.log(2) + log_det_W) + multigammaln(0.5 * nu, D)
    return 0.5 * D * np.log(2 * np.pi / beta) + log_wishart


def log_evidence_of_one_component(x, prior):
    """ln p(x) = ln p(x | mu, Lambda) + ln p(mu, Lambda) - ln p(mu, Lambda | x), by conjugacy."""
    T, D = x.shape
    if T == 0:
        return 0.0
    beta, nu = prior.beta + T, prior.nu + T
    shift, centred = x.mean(axis=0) - prior.m, x - x.mean(axis=0)
    W_inv = prior.W_inv + centred.T @ centred + prior.beta * T / beta * np.outer(shift, shift)
    ratio = log_normaliser(beta, nu, W_inv) - log_normaliser(prior.beta, prior.nu, prior.W_inv)
    return ratio - 0.5 * T * D * np.log(2 * np.pi)


def log_evidence_by_enumeration(x, K, prior):
    """ln sum over all K^T assignments of p(S) p(x | S), each with its parameters integrated out."""
    terms = []
    for s in product(range(K), repeat=len(x)):
        N = np.bincount(s, minlength=K)
        log_prior = (
            gammaln(K * prior.alpha)
            - gammaln(K * prior.alpha + len(x))
            + (gammaln(prior.alpha + N) - gammaln(prior.alpha)).sum()
        )
        parts = [log_evidence_of_one_component(x[np.array(s) == k], prior) for k in range(K)]
        terms.append(log_prior + sum(parts))
    return np.logaddexp.reduce(terms)


def scikit_learns(x, gamma, prior):
    """Scikit-learn's model with our prior, after its M-step from the given responsibilities."""
    peer = BayesianGaussianMixture(
        n_components=gamma.shape[1],
        weight_concentration_prior_type="dirichlet_distribution",
        weight_concentration_prior=prior.alpha,
        mean_precision_prior=prior.beta,
        mean_prior=prior.m,
        degrees_of_freedom_prior=prior.nu,
        covariance_prior=prior.W_inv,
        reg_covar=0.0,
    )
    peer._check_parameters(x)
    peer._initialize(x, gamma)
    return peer


def omitted_by_scikit_learn(T, K, D, prior):
    """Our bound minus scikit-learn's: the likelihood's 2 pi and the constants of the prior."""
    log_dirichlet = gammaln(K * prior.alpha) - K * gammaln(prior.alpha)
    log_det_W = -np.linalg.slogdet(prior.W_inv)[1]
    nu = prior.nu
    # Scikit-learn leaves out the power of pi in the gamma function of D dimensions; it cancels.
    log_gamma = multigammaln(nu / 2, D) - D * (D - 1) / 4 * np.log(np.pi)
    log_wishart = 0.5 * nu * (D * np.log(2) + log_det_W) + log_gamma
    components = K * (0.5 * D * np.log(prior.beta) - log_wishart)
    return -0.5 * T * D * np.log(2 * np.pi) + log_dirichlet + components


@settings(max_examples=8)
@given(seeds, st.integers(1, 4), st.integers(1, 3))
def test_every_iteration_is_scikit_learns_and_the_bounds_differ_by_a_constant(seed, K, D):
    rng = np.random.default_rng(seed)
    x = gmm(rng, K, D).sample(60, rng).x
    gamma, prior = distributions(rng, 60, K), random_prior(rng, D)
    ours = VariationalGMM.from_responsibilities(x, gamma, prior)
    theirs = scikit_learns(x, gamma, prior)
    for _ in range(15):
        assert_allclose(ours.alpha, theirs.weight_concentration_, rtol=1e-7)
        assert_allclose(ours.beta, theirs.mean_precision_, rtol=1e-7)
        assert_allclose(ours.nu, theirs.degrees_of_freedom_, rtol=1e-7)
        assert_allclose(ours.m, theirs.means_, rtol=1e-6, atol=1e-8)
        covariance = ours.W_inv / ours.nu[:, None, None]
        assert_allclose(covariance, theirs.covariances_, rtol=1e-6, atol=1e-8)
        log_evidence, log_gamma = theirs._e_step(x)
        gamma = ours.responsibilities(x)
        assert_allclose(gamma, np.exp(log_gamma), atol=1e-7)
        # Their bound is taken after the M-step, with the responsibilities from before it.
        ours, _ = ours.m_step(x, gamma), theirs._m_step(x, log_gamma)
        bound = latent.elbo(gamma, ours.expected_log_joint(x)) - ours.kl_prior()
        their_bound = theirs._compute_lower_bound(log_gamma, log_evidence)
        assert_allclose(bound - their_bound, omitted_by_scikit_learn(60, K, D, prior), atol=1e-7)


def test_the_fit_of_old_faithful_is_scikit_learns():
    x = latent.data.old_faithful()
    start = VariationalGMM.start(x, 3, np.random.default_rng(0))
    fit = start.cavi(x, tol=1e-10, max_iter=2000)
    peer = scikit_learns(x, start.responsibilities(x), start.prior)
    for _ in range(len(fit.trace) - 2):
        log_evidence, log_gamma = peer._e_step(x)
        peer._m_step(x, log_gamma)
    omitted = omitted_by_scikit_learn(len(x), 3, 2, start.prior)
    their_bound = peer._compute_lower_bound(log_gamma, log_evidence) + omitted
    assert fit.converged
    assert_allclose(fit.trace[-1], their_bound, atol=1e-8)
    assert_allclose(fit.model.alpha, peer.weight_concentration_, rtol=1e-6)
    assert_allclose(fit.model.m, peer.means_, rtol=1e-6)


def test_the_fit_is_the_best_run_from_its_starts():
    x = latent.data.old_faithful()
    rng = np.random.default_rng(1)
    runs = [VariationalGMM.start(x, 4, rng).cavi(x, max_iter=20) for _ in range(3)]
    fit = VariationalGMM.fit(x, 4, rng=np.random.default_rng(1), restarts=3, max_iter=20)
    ends = [run.trace[-1] for run in runs]
    assert fit.trace[-1] == max(ends) > min(ends)
    assert not fit.converged
    assert len(fit.trace) == 21


def test_the_prior_from_data_is_scikit_learns_default():
    x = latent.data.old_faithful()
    prior = GMMPrior.from_data(x, 4)
    peer = BayesianGaussianMixture(
        n_components=4, weight_concentration_prior_type="dirichlet_distribution"
    )
    peer._check_parameters(x)
    assert_allclose(prior.alpha, peer.weight_concentration_prior_)
    assert_allclose(prior.beta, peer.mean_precision_prior_)
    assert_allclose(prior.m, peer.mean_prior_)
    assert_allclose(prior.nu, peer.degrees_of_freedom_prior_)
    assert_allclose(prior.W_inv, peer.covariance_prior_)


@given(seeds, st.integers(1, 3))
def test_with_one_component_the_bound_is_the_exact_evidence(seed, D):
    rng = np.random.default_rng(seed)
    x, prior = 2 * rng.normal(size=(7, D)), random_prior(rng, D)
    model = VariationalGMM.from_responsibilities(x, np.ones((7, 1)), prior)
    assert_allclose(model.elbo(x), log_evidence_of_one_component(x, prior))
    assert_allclose(model.elbo(x), log_evidence_by_enumeration(x, 1, prior))


def test_the_evidence_on_a_line_is_scipys_integral_over_mean_and_precision():
    rng = np.random.default_rng(0)
    x = 1 + rng.normal(size=(4, 1))
    prior = GMMPrior(alpha=1.0, beta=0.7, m=np.array([0.5]), nu=3.0, W_inv=np.array([[2.0]]))

    # A Wishart on a line is a gamma distribution of shape nu/2 and scale 2 W.
    u, mu = np.linspace(-12, 4, 801)[:, None], np.linspace(-12, 14, 1301)
    precision = np.exp(u)
    log_joint = stats.gamma(prior.nu / 2, scale=2 / prior.W_inv[0, 0]).logpdf(precision)
    log_joint = log_joint + stats.norm(prior.m[0], (prior.beta * precision) ** -0.5).logpdf(mu)
    for value in x[:, 0]:
        log_joint += stats.norm(mu, precision**-0.5).logpdf(value)
    joint = np.exp(log_joint + u)  # d precision = precision du
    integral = integrate.simpson(integrate.simpson(joint, mu, axis=1), u[:, 0])
    model = VariationalGMM.from_responsibilities(x, np.ones((4, 1)), prior)
    assert_allclose(model.elbo(x), np.log(integral), rtol=1e-6)


@given(seeds, st.integers(1, 3))
def test_with_one_component_the_evidence_is_the_product_of_the_predictions(seed, D):
    rng = np.random.default_rng(seed)
    x, prior = rng.normal(size=(6, D)), random_prior(rng, D)
    everything = VariationalGMM.from_responsibilities(x, np.ones((6, 1)), prior)
    total = 0.0
    for n in range(6):
        # An empty past: the posterior is the prior, and zero responsibilities would not sum to one.
        past = (
            VariationalGMM.from_responsibilities(x[:n], np.ones((n, 1)), prior)
            if n
            else VariationalGMM(
                np.array([prior.alpha]),
                np.array([prior.beta]),
                prior.m[None],
                np.array([prior.nu]),
                prior.W_inv[None],
                prior,
            )
        )
        total += past.log_predictive(x[n : n + 1])[0]
    assert_allclose(everything.elbo(x), total)


@settings(max_examples=6)
@given(seeds, st.integers(2, 3), st.integers(1, 2))
def test_the_bound_stays_below_the_evidence_summed_over_all_assignments(seed, K, D):
    rng = np.random.default_rng(seed)
    x, prior = 2 * rng.normal(size=(5, D)), random_prior(rng, D)
    exact = log_evidence_by_enumeration(x, K, prior)
    fit = VariationalGMM.fit(x, K, rng=rng, prior=prior, restarts=2)
    assert fit.trace[-1] < exact
    # The best q is not far off: at worst it settles on one of the K! permutations of the labels.
    assert fit.trace[-1] > exact - np.log(np.prod(range(1, K + 1))) - 3
    assert VariationalGMM.from_responsibilities(x, distributions(rng, 5, K), prior).elbo(x) < exact


@given(seeds, st.integers(1, 4), st.integers(1, 3))
def test_after_an_m_step_the_bound_is_a_ratio_of_normalisers(seed, K, D):
    # q(pi, mu, Lambda) is prop. to exp(E[ln p]), so its normaliser is what the bound consists of.
    rng = np.random.default_rng(seed)
    x = 2 * rng.normal(size=(20, D))
    gamma, prior = distributions(rng, 20, K), random_prior(rng, D)
    model = VariationalGMM.from_responsibilities(x, gamma, prior)
    expected = -(gamma * np.log(gamma)).sum() - 10 * D * np.log(2 * np.pi)
    expected += gammaln(model.alpha).sum() - gammaln(model.alpha.sum())
    expected -= K * gammaln(prior.alpha) - gammaln(K * prior.alpha)
    for k in range(K):
        expected += log_normaliser(model.beta[k], model.nu[k], model.W_inv[k])
        expected -= log_normaliser(prior.beta, prior.nu, prior.W_inv)
    bound = latent.elbo(gamma, model.expected_log_joint(x)) - model.kl_prior()
    assert_allclose(bound, expected)
    assert model.elbo(x) >= bound


@settings(max_examples=8)
@given(seeds, st.integers(1, 4), st.integers(1, 3))
def test_the_bound_never_falls(seed, K, D):
    rng = np.random.default_rng(seed)
    x = gmm(rng, K, D).sample(40, rng).x
    fit = VariationalGMM.fit(x, K, rng=rng, restarts=1, max_iter=60)
    assert (np.diff(fit.trace) >= 0).all()
    assert_allclose(fit.trace[-1], fit.model.elbo(x))


@settings(max_examples=8)
@given(seeds, st.integers(2, 3))
def test_the_m_step_beats_every_posterior_nearby(seed, K):
    rng = np.random.default_rng(seed)
    x = gmm(rng, K, 2).sample(30, rng).x
    gamma, prior = distributions(rng, 30, K), random_prior(rng, 2)
    best = VariationalGMM.from_responsibilities(x, gamma, prior)

    def bound(model):
        return latent.elbo(gamma, model.expected_log_joint(x)) - model.kl_prior()

    top = bound(best)
    for size in (1e-3, 1e-1):
        stretch = np.eye(2) + size * rng.normal(size=(K, 2, 2))
        moved = [
            replace(best, alpha=best.alpha * np.exp(size * rng.normal(size=K))),
            replace(best, beta=best.beta * np.exp(size * rng.normal(size=K))),
            replace(best, m=best.m + size * rng.normal(size=(K, 2))),
            replace(best, nu=best.nu + size * rng.random(K)),
            replace(best, nu=best.nu - 0.3 * size * rng.random(K)),
            replace(best, W_inv=stretch @ best.W_inv @ stretch.transpose(0, 2, 1)),
        ]
        for model in moved:
            assert bound(model) < top


@given(seeds, st.integers(1, 3), st.integers(1, 3))
def test_the_m_step_is_bishops_formulas(seed, K, D):
    rng = np.random.default_rng(seed)
    model, x = random_model(rng, K, D)
    gamma, prior = model.responsibilities(x), model.prior
    new = model.m_step(x, gamma)
    assert new.prior is prior
    for k in range(K):
        N = gamma[:, k].sum()
        xbar = sum(gamma[n, k] * x[n] for n in range(30)) / N
        S = sum(gamma[n, k] * np.outer(x[n] - xbar, x[n] - xbar) for n in range(30)) / N
        shift = np.outer(xbar - prior.m, xbar - prior.m)
        assert_allclose(new.alpha[k], prior.alpha + N)
        assert_allclose(new.beta[k], prior.beta + N)
        assert_allclose(new.nu[k], prior.nu + N)
        assert_allclose(new.m[k], (prior.beta * prior.m + N * xbar) / (prior.beta + N))
        W_inv = prior.W_inv + N * S + prior.beta * N / (prior.beta + N) * shift
        assert_allclose(new.W_inv[k], W_inv)


def test_the_expected_log_joint_is_the_average_over_draws_from_scipy():
    rng = np.random.default_rng(1)
    model, x = random_model(rng, 2, 2)
    x, draws = x[:3], 20_000
    pi = stats.dirichlet(model.alpha).rvs(draws, random_state=rng)
    for k in range(2):
        W = np.linalg.inv(model.W_inv[k])
        Lambda = stats.wishart(model.nu[k], W).rvs(draws, random_state=rng)
        L = np.linalg.cholesky(np.linalg.inv(model.beta[k] * Lambda))
        mu = model.m[k] + np.einsum("sij,sj->si", L, rng.normal(size=(draws, 2)))
        z = x[None] - mu[:, None]
        squares = np.einsum("sni,sij,snj->sn", z, Lambda, z)
        log_n = 0.5 * (np.linalg.slogdet(Lambda)[1][:, None] - squares) - np.log(2 * np.pi)
        values = np.log(pi[:, [k]]) + log_n
        error = values.std(axis=0) / np.sqrt(draws)
        ours = model.expected_log_joint(x)[:, k]
        assert (np.abs(values.mean(axis=0) - ours) < 4.5 * error).all()
        assert (error < 0.05).all()


def test_the_divergence_from_the_prior_is_scipys_integral_on_a_line():
    prior = GMMPrior(alpha=0.8, beta=0.7, m=np.array([0.5]), nu=3.0, W_inv=np.array([[2.0]]))
    model = VariationalGMM(
        alpha=np.array([2.5, 4.0]),
        beta=np.array([3.0, 0.6]),
        m=np.array([[1.0], [-1.0]]),
        nu=np.array([6.0, 2.0]),
        W_inv=np.array([[[5.0]], [[1.0]]]),
        prior=prior,
    )
    q, p = stats.beta(*model.alpha), stats.beta(prior.alpha, prior.alpha)
    total = integrate.quad(lambda u: q.pdf(u) * (q.logpdf(u) - p.logpdf(u)), 0, 1)[0]
    p = stats.gamma(prior.nu / 2, scale=2 / prior.W_inv[0, 0])
    for k in range(2):
        q = stats.gamma(model.nu[k] / 2, scale=2 / model.W_inv[k, 0, 0])

        def divergence(t, q=q, k=k):
            # Of the precision t, and of the mean given t.
            means = kl_normal(
                model.m[k],
                np.array([[1 / (model.beta[k] * t)]]),
                prior.m,
                np.array([[1 / (prior.beta * t)]]),
            )
            return q.pdf(t) * (q.logpdf(t) - p.logpdf(t) + means)

        total += integrate.quad(divergence, 1e-12, 60, limit=200)[0]
    assert_allclose(model.kl_prior(), total, rtol=1e-6)


@given(seeds, st.integers(1, 3), st.integers(1, 3))
def test_the_divergence_from_the_prior_is_zero_only_at_the_prior(seed, K, D):
    rng = np.random.default_rng(seed)
    prior = random_prior(rng, D)
    same = VariationalGMM(
        np.full(K, prior.alpha),
        np.full(K, prior.beta),
        np.tile(prior.m, (K, 1)),
        np.full(K, prior.nu),
        np.tile(prior.W_inv, (K, 1, 1)),
        prior,
    )
    assert 0 <= same.kl_prior() < 1e-10
    for change in (
        {"beta": 1.1 * same.beta},
        {"m": same.m + 0.1},
        {"nu": same.nu + 0.1},
        {"W_inv": 1.1 * same.W_inv},
    ):
        assert replace(same, **change).kl_prior() > 1e-6


@given(seeds, st.integers(1, 3), st.integers(1, 3))
def test_the_predictive_density_is_a_mixture_of_scipys_student_t(seed, K, D):
    rng = np.random.default_rng(seed)
    model, x = random_model(rng, K, D)
    density = 0.0
    for k in range(K):
        freedom = model.nu[k] + 1 - D
        L = freedom * model.beta[k] / (1 + model.beta[k]) * np.linalg.inv(model.W_inv[k])
        t = stats.multivariate_t(model.m[k], np.linalg.inv(L), freedom)
        density = density + model.weights[k] * np.reshape(t.pdf(x), -1)
    assert_allclose(model.log_predictive(x), np.log(density))


def test_the_predictive_density_integrates_to_one():
    rng = np.random.default_rng(2)
    model, _ = random_model(rng, 2, 1)
    total = integrate.quad(
        lambda v: np.exp(model.log_predictive(np.array([[v]]))[0]), -np.inf, np.inf, limit=200
    )[0]
    assert_allclose(total, 1, rtol=1e-6)


def test_the_average_density_of_sampled_mixtures_is_the_predictive_one():
    rng = np.random.default_rng(3)
    model, x = random_model(rng, 2, 2)
    x = x[:4]
    densities = np.array(
        [np.exp(model.sample_mixture(rng).log_joint(x)).sum(axis=1) for _ in range(600)]
    )
    error = densities.std(axis=0) / np.sqrt(len(densities))
    gap = densities.mean(axis=0) - np.exp(model.log_predictive(x))
    assert (np.abs(gap) < 4.5 * error).all()
    assert (error < 0.15 * densities.mean(axis=0)).all()


def test_sampled_mixtures_have_the_moments_of_the_posterior():
    rng = np.random.default_rng(4)
    model, _ = random_model(rng, 2, 2)
    draws = [model.sample_mixture(rng) for _ in range(600)]
    expected = model.expected_mixture()
    precisions = np.mean([np.linalg.inv(draw.covariances) for draw in draws], axis=0)
    assert_allclose(np.mean([d.weights for d in draws], axis=0), model.weights, atol=0.02)
    assert_allclose(np.mean([d.means for d in draws], axis=0), model.m, atol=0.1)
    largest = np.abs(precisions).max()
    assert_allclose(precisions, np.linalg.inv(expected.covariances), atol=0.06 * largest)
    assert_array_equal(expected.means, model.m)
    assert_allclose(expected.weights, model.alpha / model.alpha.sum())


def test_much_data_overrules_the_prior():
    rng = np.random.default_rng(5)
    truth = latent.GMM(
        np.array([0.3, 0.7]), np.array([[0.0, 0.0], [8.0, 0.0]]), covariances(rng, 2, 2)
    )
    x = truth.sample(20_000, rng).x
    fit = VariationalGMM.fit(x, 2, rng=rng, restarts=1)
    maximum = latent.GMM.fit(x, 2, rng=rng, restarts=1)
    expected = fit.model.expected_mixture()
    a, b = np.argsort(expected.weights), np.argsort(maximum.model.weights)
    assert_allclose(expected.weights[a], maximum.model.weights[b], atol=1e-3)
    assert_allclose(expected.means[a], maximum.model.means[b], atol=5e-3)
    assert_allclose(expected.covariances[a], maximum.model.covariances[b], rtol=0.01, atol=0.01)
    # The bound pays for the parameters what the Laplace approximation does: ln T / 2 for each.
    price = maximum.trace[-1] - fit.trace[-1]
    assert 0.5 < price / (0.5 * 11 * np.log(20_000)) < 1.5


def test_components_that_the_data_do_not_need_stay_empty():
    x = latent.data.old_faithful()
    prior = replace(GMMPrior.from_data(x, 6), alpha=1e-3)
    fit = VariationalGMM.fit(x, 6, rng=np.random.default_rng(6), prior=prior, restarts=2)
    weights = np.sort(fit.model.weights)
    assert_allclose(weights[:4], prior.alpha / (len(x) + 6 * prior.alpha), rtol=1e-3)
    assert_allclose(weights[4:], [0.357, 0.643], atol=1e-3)
    empty = fit.model.weights < 0.01
    assert_allclose(fit.model.m[empty], np.tile(prior.m, (4, 1)), rtol=1e-3)
    assert_allclose(fit.model.nu[empty], prior.nu, rtol=1e-3)
    # A prior that expects points in every component keeps more of them.
    keen = VariationalGMM.fit(
        x, 6, rng=np.random.default_rng(6), prior=replace(prior, alpha=30.0), restarts=1
    )
    assert np.sort(keen.model.weights)[2] > 0.05


def test_the_bound_prefers_the_true_number_of_components():
    rng = np.random.default_rng(7)
    truth = latent.GMM(
        np.full(3, 1 / 3), np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]]), np.stack([np.eye(2)] * 3)
    )
    x = truth.sample(150, rng).x
    prior = replace(GMMPrior.from_data(x, 1), alpha=1.0)
    bounds = [VariationalGMM.fit(x, K, rng=rng, prior=prior).trace[-1] for K in range(1, 6)]
    assert np.argmax(bounds) == 2


@given(seeds)
def test_permuted_components_are_the_same_posterior(seed):
    rng = np.random.default_rng(seed)
    model, x = random_model(rng, 3, 2)
    p = np.array([2, 0, 1])
    permuted = VariationalGMM(
        model.alpha[p], model.beta[p], model.m[p], model.nu[p], model.W_inv[p], model.prior
    )
    assert_allclose(permuted.elbo(x), model.elbo(x))
    assert_allclose(permuted.log_predictive(x), model.log_predictive(x))
    assert_allclose(permuted.responsibilities(x), model.responsibilities(x)[:, p], atol=1e-12)


@settings(max_examples=5)
@given(seeds)
def test_new_coordinates_move_the_fit_and_shift_the_bound_by_the_jacobian(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 2))
    A = rng.normal(size=(2, 2)) + 3 * np.eye(2)
    gamma = distributions(rng, 40, 2)
    here = VariationalGMM.from_responsibilities(x, gamma, GMMPrior.from_data(x, 2))
    y = x @ A.T + 100
    there = VariationalGMM.from_responsibilities(y, gamma, GMMPrior.from_data(y, 2))
    assert_allclose(there.m, here.m @ A.T + 100)
    assert_allclose(there.responsibilities(y), here.responsibilities(x), atol=1e-8)
    assert_allclose(there.elbo(y), here.elbo(x) - 40 * np.linalg.slogdet(A)[1])


def test_a_component_without_responsibility_has_the_prior():
    rng = np.random.default_rng(8)
    x, prior = rng.normal(size=(9, 2)), random_prior(rng, 2)
    model = VariationalGMM.from_responsibilities(x, np.tile([1.0, 0.0], (9, 1)), prior)
    assert_array_equal(model.m[1], prior.m)
    assert_array_equal(model.W_inv[1], prior.W_inv)
    assert [model.alpha[1], model.beta[1], model.nu[1]] == [prior.alpha, prior.beta, prior.nu]
    assert np.isfinite(model.elbo(x))


def test_responsibilities_sum_to_one_even_far_away():
    rng = np.random.default_rng(9)
    model, _ = random_model(rng, 3, 2)
    gamma = model.responsibilities(1e6 * rng.normal(size=(20, 2)))
    assert_allclose(gamma.sum(axis=1), 1)


def test_repeated_points_do_not_stop_the_fit():
    x = np.repeat(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), 10, axis=0)
    fit = VariationalGMM.fit(x, 3, rng=np.random.default_rng(10))
    assert fit.converged
    assert_allclose(np.sort(fit.model.weights), np.full(3, 1 / 3), atol=0.01)


def test_models_and_priors_are_read_only():
    model, _ = random_model(np.random.default_rng(12), 2, 2)
    with pytest.raises(FrozenInstanceError):
        model.alpha = np.ones(2)
    for values in (model.alpha, model.beta, model.m, model.nu, model.W_inv, model.prior.m):
        with pytest.raises(ValueError, match="read-only"):
            values[0] = 1.0


@pytest.mark.usefixtures("as_users_call")
def test_lists_do():
    prior = GMMPrior(1, 1, [0], 2, [[1]])
    model = VariationalGMM([1], [1], [[0]], [2], [[[1]]], prior)
    assert_allclose(model.weights, [1])
    fit = VariationalGMM.fit([[0], [1], [10], [11]], 2, rng=np.random.default_rng(0), prior=prior)
    assert fit.converged


RNG = np.random.default_rng(0)
X = np.random.default_rng(1).normal(size=(6, 2))
PRIOR = GMMPrior.from_data(X, 2)
ROWS = np.full((6, 2), 0.5)
MODEL = VariationalGMM.from_responsibilities(X, ROWS, PRIOR)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: replace(PRIOR, alpha=0), r"alpha must be above zero, got 0\.0"),
        (lambda: replace(PRIOR, beta=-1), r"beta must be above zero, got -1\.0"),
        (lambda: replace(PRIOR, nu=1), r"nu must be above D - 1 = 1, got 1\.0"),
        (lambda: replace(PRIOR, alpha=[1, 2]), r"alpha must have shape \(\), got \(2,\)"),
        (lambda: replace(PRIOR, m=[0]), r"W_inv must have shape \(D, D\) with D = 1"),
        (lambda: replace(PRIOR, m=[0, np.nan]), "m must be finite"),
        (lambda: replace(PRIOR, W_inv=-np.eye(2)), "W_inv must be positive definite"),
        (lambda: GMMPrior.from_data(X, 0), "n_components must be at least 1"),
        (lambda: GMMPrior.from_data(X[:1], 1), "x must spread in all 2 dimensions"),
        (lambda: GMMPrior.from_data(X * [1, 0] + 0.1, 1), "x must spread in all 2 dimensions"),
        (lambda: GMMPrior.from_data(X[:, [0, 0]], 1), "x must spread in all 2 dimensions"),
        (
            lambda: replace(MODEL, alpha=[1, 0]),
            r"alpha must be above zero, got 0\.0 at index 1",
        ),
        (lambda: replace(MODEL, nu=[1, 5]), "nu must be above D - 1 = 1, got"),
        (lambda: replace(MODEL, beta=[1]), r"beta must have shape \(K\) with K = 2"),
        (lambda: replace(MODEL, m=np.zeros((2, 3))), r"m must have shape \(K, D\) with D = 2"),
        (
            lambda: replace(MODEL, W_inv=-MODEL.W_inv),
            r"W_inv\[0\] must be positive definite",
        ),
        (lambda: MODEL.responsibilities(X[:, :1]), r"x must have shape \(T, D\) with D = 2"),
        (lambda: MODEL.elbo([[np.nan, np.nan]]), "row 0 of x is missing"),
        (lambda: MODEL.log_predictive([[0, np.inf]]), "x must not be infinite"),
        (lambda: MODEL.expected_log_joint([[0, np.nan]]), "row 0 of x is partly NaN"),
        (lambda: MODEL.m_step(X, ROWS[:3]), r"gamma must have shape \(T, K\) with T = 6"),
        (lambda: MODEL.m_step(X, np.ones((6, 1))), r"gamma must have shape \(T, K\) with K = 2"),
        (lambda: MODEL.m_step(X, 2 * ROWS), "row 0 of gamma must sum to one"),
        (lambda: MODEL.sample_mixture(None), r"rng must be a numpy\.random\.Generator"),
        (
            lambda: VariationalGMM.from_responsibilities(X[:, :1], ROWS, PRIOR),
            r"x must have shape \(T, D\) with D = 2",
        ),
        (
            lambda: VariationalGMM.start(X, 7, RNG),
            "n_components must be at most 6, the number of distinct points",
        ),
        (lambda: VariationalGMM.fit(X * np.nan, 2, rng=RNG), "row 0 of x is missing"),
        (lambda: VariationalGMM.fit(X, 2, rng=RNG, restarts=0), "restarts must be at least 1"),
        (lambda: VariationalGMM.fit(X, 2, rng=RNG, max_iter=0), "max_iter must be at least 1"),
        (lambda: VariationalGMM.fit(X, 2, rng=RNG, tol=-1), "tol must not be negative"),
        (lambda: VariationalGMM.fit(X, 2, rng=7), r"rng must be a numpy\.random\.Generator"),
        (lambda: VariationalGMM.fit(X[:, 0], 2, rng=RNG), r"x must have shape \(T, D\)"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
