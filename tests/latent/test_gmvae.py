from dataclasses import replace

import numpy as np
import pytest
from gradients import assert_gradients
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.special import expit, logsumexp, softmax

import latent
from latent.autodiff import Tensor, constants
from latent.data import digits
from latent.gmvae import GMVAE, log_components
from latent.perceptron import perceptron
from latent.storage import load, save
from latent.vae import VAE, sample_normal

LIKELIHOODS = ["gaussian", "bernoulli"]


def small(rng, likelihood="gaussian", D=2, W=2, K=3, d=4):
    """A model whose every parameter, biases and variances too, is some random number."""
    model = GMVAE.init(
        d,
        D,
        n_components=K,
        n_style=W,
        rng=rng,
        likelihood=likelihood,
        hidden=(5,),
        prior_hidden=(4,),
        dtype=np.float64,
    )
    shift = {k: np.asarray(v + 0.3 * rng.normal(size=v.shape)) for k, v in model.parameters.items()}
    return replace(model, parameters=shift, weights=rng.dirichlet(np.full(K, 3.0)))


def some_data(rng, likelihood, n, d=4):
    x = rng.normal(size=(n, d))
    return (x > 0).astype(float) if likelihood == "bernoulli" else x


def network(model, name, x):
    return perceptron(constants(model.parameters), name, x).data


def log_density(model, s, x):
    """ln p(x | s) of each row of s, by SciPy."""
    h = network(model, "decoder", s)
    if model.likelihood == "bernoulli":
        return stats.bernoulli(expit(h)).logpmf(x).sum(axis=-1)
    return stats.norm(h, np.exp(0.5 * model.parameters["log_variance"])).logpdf(x).sum(axis=-1)


class Quadrature:
    """Everything about one x under a model with D = W = 1, on a grid of s and w."""

    def __init__(self, model, x, n=250):
        self.s = np.linspace(-12, 12, 2 * n)
        self.w = np.linspace(-8, 8, n)
        self.cell = (self.s[1] - self.s[0]) * (self.w[1] - self.w[0])
        K = len(model.weights)
        rows = network(model, "prior", self.w[:, None]).reshape(n, K, 2)
        mu, sigma = rows[..., 0], np.exp(0.5 * rows[..., 1])
        self.log_pi = np.log(model.weights)
        # axes: w, s, k
        self.log_s = stats.norm(mu[:, None], sigma[:, None]).logpdf(self.s[None, :, None])
        self.log_x = log_density(model, self.s[:, None], x)
        self.prior_w = stats.norm.logpdf(self.w)
        (mean, half), (style, half_style) = (
            network(model, name, x[None])[0] for name in ("encoder_s", "encoder_w")
        )
        self.q_s = stats.norm(mean, np.exp(half / 2)).logpdf(self.s)
        self.q_w = stats.norm(style, np.exp(half_style / 2)).logpdf(self.w)
        self.weight = np.exp(self.q_w[:, None] + self.q_s) * self.cell
        joint = self.log_s + self.log_pi
        self.log_z = joint - logsumexp(joint, axis=2, keepdims=True)  # ln p(z | s, w)

    def log_evidence(self):
        log_joint = (self.log_s + self.log_pi) + (self.prior_w[:, None] + self.log_x)[..., None]
        return logsumexp(log_joint) + np.log(self.cell)

    def terms(self):
        z = np.exp(self.log_z)
        conditional = (z * (self.q_s[None, :, None] - self.log_s)).sum(axis=2)
        kl_z = (z * (self.log_z - self.log_pi)).sum(axis=2)
        kl_w = (np.exp(self.q_w) * (self.q_w - self.prior_w)).sum() * (self.w[1] - self.w[0])
        return np.array(
            [
                (self.weight * self.log_x).sum(),
                (self.weight * conditional).sum(),
                kl_w,
                (self.weight * kl_z).sum(),
            ]
        )

    def printed_conditional(self):
        """E over q(w) and p(z | s', w) of KL(q(s | x) || p(s | w, z)), s' drawn on its own."""
        q_s = np.exp(self.q_s) * (self.s[1] - self.s[0])
        q_w = np.exp(self.q_w) * (self.w[1] - self.w[0])
        z = np.einsum("s,wsk->wk", q_s, np.exp(self.log_z))
        divergence = np.einsum("s,wsk->wk", q_s, self.q_s[None, :, None] - self.log_s)
        return (q_w[:, None] * z * divergence).sum()


def test_log_components_are_scipys_with_the_gradients_of_differences():
    rng = np.random.default_rng(0)
    s, rows = rng.normal(size=(2, 3, 2)), rng.normal(size=(2, 3, 4, 4))
    mu, sigma = rows[..., :2], np.exp(rows[..., 2:] / 2)
    flat, weight = rows.reshape(2, 3, 16), rng.normal(size=(2, 3, 4))
    found = log_components(Tensor(s), Tensor(flat)).data
    assert_allclose(found, stats.norm(mu, sigma).logpdf(s[:, :, None]).sum(axis=-1))
    assert_gradients(
        lambda p: (log_components(p["s"], p["rows"]) * weight).sum(), {"s": s, "rows": flat}
    )


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_every_parameter_has_the_gradient_of_differences(likelihood):
    rng = np.random.default_rng(1)
    model, x = small(rng, likelihood), some_data(rng, likelihood, 5)
    assert_gradients(
        lambda p: model.loss(p, (x,), np.random.default_rng(2)), dict(model.parameters)
    )


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_terms_are_the_formulas_for_one_draw_and_add_up_to_the_bound(likelihood):
    rng = np.random.default_rng(3)
    model, x = small(rng, likelihood), some_data(rng, likelihood, 6)
    draws = np.random.default_rng(4)
    eps_s, eps_w = draws.standard_normal((6, 2)), draws.standard_normal((6, 2))
    m_s, m_w = network(model, "encoder_s", x), network(model, "encoder_w", x)
    mu, sd = m_s[:, :2], np.exp(m_s[:, 2:] / 2)
    s, w = mu + sd * eps_s, m_w[:, :2] + np.exp(m_w[:, 2:] / 2) * eps_w
    rows, pi = network(model, "prior", w).reshape(6, 3, 4), model.weights
    expected, whole = np.zeros(4), 0.0
    for n in range(6):
        log_q = stats.norm(mu[n], sd[n]).logpdf(s[n]).sum()
        log_p = stats.norm(rows[n, :, :2], np.exp(rows[n, :, 2:] / 2)).logpdf(s[n]).sum(axis=1)
        z = softmax(log_p + np.log(pi))
        log_x = log_density(model, s[n : n + 1], x[n]).item()
        kl_w = latent.kl_normal(m_w[n, :2], np.diag(np.exp(m_w[n, 2:])), np.zeros(2), np.eye(2))
        expected += log_x, z @ (log_q - log_p), kl_w, z @ np.log(z / pi)
        # z summed out: ln p(s | w) takes the place of two terms.
        whole += log_x - (log_q - logsumexp(log_p + np.log(pi))) - kl_w
    terms = model.elbo(x, np.random.default_rng(4))
    assert_allclose(terms, expected)
    assert_allclose(terms.elbo, whole)
    loss = model.loss(constants(model.parameters), (x,), np.random.default_rng(4))
    assert_allclose(float(loss), -whole / 6)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_quadrature_gives_the_same_terms_and_a_larger_evidence(likelihood):
    rng = np.random.default_rng(5)
    model = small(rng, likelihood, D=1, W=1, d=3)
    for x in some_data(rng, likelihood, 3, d=3):
        exact = Quadrature(model, x)
        assert_allclose(exact.weight.sum(), 1, rtol=1e-6)
        many = np.repeat(x[None], 20_000, axis=0)
        found = np.array(model.elbo(many, rng)) / len(many)
        assert_allclose(found, exact.terms(), rtol=0.02, atol=0.02)
        elbo = exact.terms() @ [1, -1, -1, -1]
        assert elbo < exact.log_evidence()
        finer = Quadrature(model, x, n=375)
        assert_allclose(finer.log_evidence(), exact.log_evidence(), rtol=1e-4)


@pytest.mark.usefixtures("as_users_call")
def test_the_printed_form_of_the_bound_is_looser():
    rng = np.random.default_rng(6)
    for _ in range(4):
        model = small(rng, D=1, W=1, d=3)
        exact = Quadrature(model, rng.normal(size=3))
        terms = exact.terms()
        correct = terms @ [1, -1, -1, -1]
        printed = correct + terms[1] - exact.printed_conditional()
        assert printed < correct - 1e-3
        assert correct < exact.log_evidence()


@pytest.mark.usefixtures("as_users_call")
def test_responsibilities_are_bayes_rule_at_the_means():
    rng = np.random.default_rng(7)
    model, x = small(rng), rng.normal(size=(5, 4))
    s, w = network(model, "encoder_s", x)[:, :2], network(model, "encoder_w", x)[:, :2]
    rows = network(model, "prior", w).reshape(5, 3, 4)
    pi = model.weights
    found = model.responsibilities(x)
    for n in range(5):
        joint = pi * [
            stats.multivariate_normal(row[:2], np.diag(np.exp(row[2:]))).pdf(s[n])
            for row in rows[n]
        ]
        assert_allclose(found[n], joint / joint.sum())


def test_samples_have_the_clusters_shares_and_means():
    rng = np.random.default_rng(8)
    model = small(rng)
    z, w, s, x = model.sample(40_000, rng)
    assert_allclose(np.bincount(z, minlength=3) / 40_000, model.weights, atol=0.01)
    assert_allclose(np.cov(w.T), np.eye(2), atol=0.05)
    assert_allclose(x.mean(axis=0), model.decode(s).mean(axis=0), atol=0.05)
    rows = network(model, "prior", w).reshape(40_000, 3, 4)
    t = (s - rows[np.arange(40_000), z, :2]) / np.exp(rows[np.arange(40_000), z, 2:] / 2)
    assert_allclose(t.mean(axis=0), 0, atol=0.02)
    assert_allclose(np.cov(t.T), np.eye(2), atol=0.03)


@pytest.mark.usefixtures("as_users_call")
def test_the_start_takes_the_networks_of_an_auto_encoder_and_the_clusters_of_its_means():
    rng = np.random.default_rng(9)
    x = np.concatenate([rng.normal(size=(40, 4)) + 6 * e for e in np.eye(4)[:3]])
    vae = VAE.fit(x, 2, rng=rng, likelihood="gaussian", hidden=(8,), steps=300, rate=1e-2).model
    model = GMVAE.from_vae(vae, x, n_components=3, n_style=1, rng=rng)
    for name, value in vae.parameters.items():
        assert_array_equal(model.parameters[name.replace("encoder", "encoder_s")], value)
    mean, sd = vae.encode(x)
    rows = network(model, "prior", np.zeros((1, 1), np.float32)).reshape(3, 4)
    k = latent.assign(mean, rows[:, :2])
    for cluster in range(3):
        members = mean[k == cluster]
        assert_allclose(rows[cluster, :2], members.mean(axis=0), atol=1e-4)
        spread = members.var(axis=0) + (sd[k == cluster] ** 2).mean(axis=0)
        assert_allclose(np.exp(rows[cluster, 2:]), spread, rtol=1e-3)
    assert_allclose(model.weights, 1 / 3)


@pytest.mark.usefixtures("as_users_call")
def test_training_finds_clusters_that_were_there():
    rng = np.random.default_rng(10)
    centres = 3 * rng.normal(size=(3, 8))
    truth = rng.integers(3, size=400)
    x = centres[truth] + 0.5 * rng.normal(size=(400, 8))
    fit = GMVAE.fit(
        x, 2, n_components=3, n_style=1, rng=rng, hidden=(16,), prior_hidden=(8,), steps=300
    )
    found = fit.model.responsibilities(x).argmax(axis=1)
    table = np.array([np.bincount(truth[found == k], minlength=3) for k in range(3)])
    assert table.max(axis=1).sum() >= 0.98 * 400
    assert fit.trace[-30:].mean() < fit.trace[:30].mean()


@pytest.mark.usefixtures("as_users_call")
def test_the_same_seed_trains_the_same_model_and_a_saved_one_comes_back(tmp_path):
    x = digits().images[:60]
    one, two = (
        GMVAE.fit(
            x, 3, n_components=4, rng=np.random.default_rng(11), hidden=(8,), steps=10, noise=0.2
        )
        for _ in range(2)
    )
    assert_array_equal(one.trace, two.trace)
    save(tmp_path / "model.npz", one.model)
    back = load(tmp_path / "model.npz", GMVAE)
    assert back.likelihood == "gaussian"
    for name, value in one.model.parameters.items():
        assert value.dtype == np.float32
        assert_array_equal(value, two.model.parameters[name])
        assert_array_equal(value, back.parameters[name])


def test_a_batch_of_two_is_read_from_the_first_and_explained_in_the_second():
    rng = np.random.default_rng(13)
    for model in (small(rng), VAE.init(4, 2, rng=rng, likelihood="gaussian", dtype=np.float64)):
        p, (read, x) = constants(model.parameters), rng.normal(size=(2, 5, 4))
        seed = np.random.default_rng
        both = float(model.loss(p, (read, x), seed(0)))
        assert_allclose(float(model.loss(p, (x, x), seed(0))), float(model.loss(p, (x,), seed(0))))
        # Only |x - h(s)|^2 / (2 sigma^2) knows the second.
        moved = float(model.loss(p, (read, x + 1.0), seed(0)))
        assert both != float(model.loss(p, (x, x), seed(0)))
        assert_allclose(moved - both, _change(model, p, read, x, seed(0)))


def _change(model, p, read, x, rng):
    """Growth of the loss if every entry of what is explained grows by one."""
    if isinstance(model, GMVAE):
        s, _ = model._draw(perceptron(p, "encoder_s", read), 2, rng)
    else:
        s = sample_normal(perceptron(p, "encoder", read), rng.standard_normal((1, 5, 2)))
    h, variance = perceptron(p, "decoder", s).data, np.exp(model.parameters["log_variance"])
    return (((x + 1 - h) ** 2 - (x - h) ** 2).sum(axis=-1) / (2 * variance)).mean()


@pytest.mark.usefixtures("as_users_call")
def test_of_several_starts_the_one_with_the_largest_bound_is_kept():
    x = digits().images[:100]
    settings = {"n_components": 3, "hidden": (8,), "steps": 40, "rate": 1e-2}
    ends = [
        GMVAE.fit(x, 2, rng=np.random.default_rng(14), restarts=restarts, **settings)
        .model.elbo(x, np.random.default_rng(0), 50)
        .elbo
        for restarts in (1, 4)
    ]
    assert ends[1] > ends[0] + 10


@pytest.mark.usefixtures("as_users_call")
def test_noise_bounds_the_variance_of_the_likelihood_from_below():
    x = np.repeat(digits().images[:4], 10, axis=0)
    settings = {"n_components": 2, "hidden": (16,), "steps": 400, "rate": 1e-2}
    plain, noisy = (
        GMVAE.fit(x, 2, rng=np.random.default_rng(12), noise=noise, **settings).model
        for noise in (0.0, 0.5)
    )
    assert np.exp(plain.parameters["log_variance"]) < 0.05
    assert np.exp(noisy.parameters["log_variance"]) > 0.2


RNG = np.random.default_rng(0)
GOOD = small(RNG)
ONES = small(RNG, "bernoulli")
X = np.random.default_rng(1).normal(size=(5, 4))
NAN = np.where(np.arange(20).reshape(5, 4) == 7, np.nan, X)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GOOD.elbo(NAN, RNG), "row 1 of x is partly NaN"),
        (lambda: GOOD.elbo(X, RNG, 0), "n_samples must be at least 1"),
        (lambda: ONES.elbo(X, RNG), "x must be from 0 to 1"),
        (lambda: GOOD.responsibilities(X[:, :3]), r"x must have shape \(T, d\) with d = 4"),
        (lambda: GOOD.decode(X), r"s must have shape \(T, D\) with D = 2"),
        (lambda: GOOD.sample(0, RNG), "n_points must be at least 1"),
        (lambda: GMVAE.fit(NAN, 2, n_components=2, rng=RNG), "row 1 of x is partly NaN"),
        (lambda: GMVAE.fit(X, 2, n_components=2, rng=RNG, noise=-1.0), "noise must not be neg"),
        (lambda: GMVAE.fit(X, 2, n_components=2, rng=RNG, restarts=0), "restarts must be at least"),
        (
            lambda: GMVAE.fit(X, 2, n_components=2, rng=RNG, restarts=2, checkpoint="run.npz"),
            "checkpoint holds one training",
        ),
        (lambda: GMVAE.init(4, 2, n_components=0, rng=RNG), "n_components must be at least 1"),
        (lambda: GMVAE.init(4, 0, n_components=2, rng=RNG), "n_latent must be at least 1"),
        (
            lambda: GMVAE.init(4, 2, n_components=2, n_style=0, rng=RNG),
            "n_style must be at least 1",
        ),
        (
            lambda: GMVAE.init(4, 2, n_components=2, rng=RNG, likelihood="laplace"),
            "likelihood must be one of",
        ),
        (lambda: GMVAE(ONES.parameters, ONES.weights), "parameters must have log_variance"),
        (lambda: replace(GOOD, weights=np.full(3, 0.5)), "weights must sum to one"),
        (lambda: replace(GOOD, weights=np.array([0.5, 0.5, 0.0])), "weights must be above zero"),
        (
            lambda: replace(GOOD, weights=np.full(4, 0.25)),
            "prior must turn rows of 2 entries into rows of 16, got 2 and 12",
        ),
        (
            lambda: log_components(Tensor(np.zeros((1, 3, 2))), Tensor(np.zeros((1, 3, 6)))),
            "components must have shape",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
