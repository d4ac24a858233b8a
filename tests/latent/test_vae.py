import re
from dataclasses import replace

import numpy as np
import pytest
from gradients import assert_gradients
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import seeds
from scipy import stats
from scipy.special import expit

import latent
from latent.autodiff import Tensor, constants
from latent.data import digits
from latent.likelihoods import likelihood_named
from latent.perceptron import init_perceptron, layer_sizes, perceptron
from latent.storage import load, save
from latent.vae import VAE, kl_to_unit_normal, sample_normal

LIKELIHOODS = ["gaussian", "bernoulli"]


def small(rng, likelihood, n_latent=2, hidden=(5,), n_samples=1, n_features=4):
    """A model whose every parameter, biases and variances too, is some random number."""
    model = VAE.init(
        n_features,
        n_latent,
        rng=rng,
        likelihood=likelihood,
        hidden=hidden,
        n_samples=n_samples,
        dtype=np.float64,
    )
    shift = {k: np.asarray(v + 0.3 * rng.normal(size=v.shape)) for k, v in model.parameters.items()}
    return replace(model, parameters=shift)


def some_data(rng, likelihood, n, n_features=4):
    x = rng.normal(size=(n, n_features))
    return (x > 0).astype(float) if likelihood == "bernoulli" else x


def log_density(model, decoded, x):
    """ln p(x | s) for each row, by SciPy."""
    if model.likelihood == "bernoulli":
        return stats.bernoulli(expit(decoded)).logpmf(x).sum(axis=-1)
    sigma = np.exp(0.5 * model.parameters["log_variance"])
    return stats.norm(decoded, sigma).logpdf(x).sum(axis=-1)


def decoded(model, s):
    return perceptron(constants(model.parameters), "decoder", s).data


def integrate(model, x, n_nodes=4001):
    """ln p(x) for each point of a model with one hidden variable, by the trapezoidal rule."""
    s = np.linspace(-9, 9, n_nodes)
    h = decoded(model, s[:, None])
    log_joint = stats.norm.logpdf(s) + np.array([log_density(model, h, row) for row in x])
    return np.logaddexp.reduce(log_joint, axis=1) + np.log(s[1] - s[0])


def random_linear_gaussian(rng, n=200):
    truth = latent.PPCA(rng.normal(size=(5, 2)), rng.normal(size=5), 0.3)
    return truth.sample(n, rng).x


def as_linear_vae(ppca):
    """PPCA as an auto-encoder whose encoder is its posterior N(s; M^-1 W^T (x - mu), sigma^2 M^-1).

    W is turned so that the covariance of the posterior is diagonal.
    """
    M = ppca.W.T @ ppca.W + ppca.variance * np.eye(ppca.W.shape[1])
    eigenvalues, turn = np.linalg.eigh(M)
    W = ppca.W @ turn
    to_mean = W / eigenvalues
    parameters = {
        "encoder.0.weight": np.hstack([to_mean, np.zeros_like(W)]),
        "encoder.0.bias": np.append(-ppca.mean @ to_mean, np.log(ppca.variance / eigenvalues)),
        "decoder.0.weight": W.T,
        "decoder.0.bias": ppca.mean,
        "log_variance": np.array(np.log(ppca.variance)),
    }
    return VAE(parameters, "gaussian")


# ---- the networks


def test_a_perceptron_is_its_layers_in_turn():
    rng = np.random.default_rng(1)
    p = init_perceptron("net", [3, 5, 4, 2], rng, np.float64)
    x = rng.normal(size=(6, 3))
    y = x
    for i in range(3):
        y = y @ p[f"net.{i}.weight"] + p[f"net.{i}.bias"]
        y = np.maximum(y, 0) if i < 2 else y
    assert_allclose(perceptron(constants(p), "net", x).data, y)
    assert layer_sizes(p, "net") == [3, 5, 4, 2]


def test_a_fresh_perceptron_keeps_the_length_of_rows():
    rng = np.random.default_rng(2)
    p = init_perceptron("net", [100, 400, 400, 100], rng, np.float64)
    y = perceptron(constants(p), "net", rng.normal(size=(500, 100))).data
    assert_allclose(y.var(), 1.0, rtol=0.3)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("sizes", [[], [3], [3, 0], [3, 2.5]])
def test_a_perceptron_needs_two_sizes(sizes):
    with pytest.raises(ValueError, match="sizes"):
        init_perceptron("net", sizes, np.random.default_rng(0))


def test_rows_of_another_length_are_refused():
    p = constants(init_perceptron("net", [3, 2], np.random.default_rng(0), np.float64))
    with pytest.raises(ValueError, match=r"x has shape \(5, 4\), weight \(3, "):
        perceptron(p, "net", np.zeros((5, 4)))


# ---- the pieces of the bound


@given(seeds, st.integers(1, 4))
def test_the_kl_is_that_of_two_normal_densities(seed, D):
    rng = np.random.default_rng(seed)
    mean, log_variance = 2 * rng.normal(size=(2, 3, D))
    found = kl_to_unit_normal(Tensor(np.hstack([mean, log_variance]))).data
    expected = [
        latent.kl_normal(m, np.diag(np.exp(v)), np.zeros(D), np.eye(D))
        for m, v in zip(mean, log_variance, strict=True)
    ]
    assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    assert (found >= 0).all()


def test_the_kl_and_the_samples_have_the_gradients_of_differences():
    rng = np.random.default_rng(3)
    moments, eps = rng.normal(size=(3, 4)), rng.normal(size=(5, 3, 2))
    weight, cube = rng.normal(size=3), rng.normal(size=(5, 3, 2))
    assert_gradients(lambda p: (kl_to_unit_normal(p["m"]) * weight).sum(), {"m": moments})
    assert_gradients(lambda p: (sample_normal(p["m"], eps) ** 3 * cube).sum(), {"m": moments})


def test_samples_of_the_encoder_are_the_reparameterised_ones():
    rng = np.random.default_rng(4)
    mean, log_variance = rng.normal(size=(2, 3, 2))
    eps = rng.normal(size=(4, 3, 2))
    s = sample_normal(Tensor(np.hstack([mean, log_variance])), eps).data
    assert_allclose(s, mean + np.exp(log_variance / 2) * eps)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_likelihood_is_scipys(likelihood):
    rng = np.random.default_rng(5)
    model = small(rng, likelihood)
    h, x = 3 * rng.normal(size=(2, 6, 4)), some_data(rng, likelihood, 6)
    p = constants(model.parameters)
    found = likelihood_named(likelihood).negative_log_likelihood(p, Tensor(h), x).data
    assert found.shape == (2, 6)
    assert_allclose(found, -log_density(model, h, x))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_draws_have_the_mean_that_the_likelihood_says(likelihood):
    rng = np.random.default_rng(6)
    parameters = {"log_variance": np.array(-1.0)}
    h = np.broadcast_to(rng.normal(size=4), (40_000, 4))
    kind = likelihood_named(likelihood)
    x = kind.sample(parameters, h, rng)
    assert_allclose(x.mean(axis=0), kind.mean(h)[0], atol=0.02)
    p = expit(h[0])
    variance = p * (1 - p) if likelihood == "bernoulli" else np.full(4, np.exp(-1.0))
    assert_allclose(x.var(axis=0), variance, atol=0.02)


# ---- the model


@pytest.mark.parametrize("n_samples", [1, 3])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_loss_is_the_formula_of_the_lecture(likelihood, n_samples):
    rng = np.random.default_rng(7)
    model, x = small(rng, likelihood, n_samples=n_samples), some_data(rng, likelihood, 6)
    eps = np.random.default_rng(8).normal(size=(n_samples, 6, 2))
    mean, sd = model.encode(x)
    expected = 0.0
    for n in range(6):
        for draw in eps[:, n]:
            s = mean[n] + sd[n] * draw
            expected -= log_density(model, decoded(model, s[None]), x[n]).item() / n_samples
        expected += latent.kl_normal(mean[n], np.diag(sd[n] ** 2), np.zeros(2), np.eye(2))
    loss = model.loss(constants(model.parameters), (x,), np.random.default_rng(8))
    assert_allclose(float(loss), expected / 6)
    terms = model.elbo(x, np.random.default_rng(8), n_samples)
    assert_allclose(terms.elbo, -expected)


@pytest.mark.parametrize("hidden", [(), (5,), (5, 3)])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_every_parameter_has_the_gradient_of_differences(likelihood, hidden):
    rng = np.random.default_rng(9)
    model = small(rng, likelihood, hidden=hidden, n_samples=2)
    x = some_data(rng, likelihood, 5)
    assert_gradients(
        lambda p: model.loss(p, (x,), np.random.default_rng(10)), dict(model.parameters)
    )


@given(seeds)
def test_the_exact_posterior_as_encoder_makes_the_bound_tight(seed):
    rng = np.random.default_rng(seed)
    x = random_linear_gaussian(rng)
    ppca = latent.PPCA.closed_form(x, 2)
    exact, model = ppca.log_evidence(x), as_linear_vae(ppca)
    # Every weighted sample is p(x) itself, and the bound is exact on average.
    assert_allclose(model.log_evidence(x, rng, 1), exact, rtol=1e-10)
    assert_allclose(model.log_evidence(x, rng, 7), exact, rtol=1e-10)
    sides = np.tile([[[1.0]], [[-1.0]]], (1, len(x), 1)) * np.ones(2)  # moments of N(0, 1)
    moments = perceptron(constants(model.parameters), "encoder", x)
    nll = [
        model._negative_log_likelihood(
            constants(model.parameters), sample_normal(moments, sides * [1, turn]), x
        ).data.mean(axis=0)
        for turn in (1, -1)
    ]
    elbo = -np.mean(nll, axis=0) - kl_to_unit_normal(moments).data
    assert_allclose(elbo.sum(), exact, rtol=1e-10)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.usefixtures("as_users_call")
def test_quadrature_bounds_the_elbo_and_is_the_limit_of_weighted_samples(likelihood):
    rng = np.random.default_rng(11)
    model, x = small(rng, likelihood, n_latent=1), some_data(rng, likelihood, 8)
    # An encoder that is wider than the prior: the weights p(s) / q(s | x) have a bound.
    model.parameters["encoder.1.weight"] *= 0.1
    model.parameters["encoder.1.bias"][:] = 0.0, 0.5
    exact = integrate(model, x).sum()
    assert_allclose(exact, integrate(model, x, 8001).sum(), rtol=1e-6)
    many = np.repeat(x, 1000, axis=0)
    elbo = model.elbo(many, rng, 4).elbo / 1000
    bounds = [model.log_evidence(many, rng, n) / 1000 for n in (1, 5, 50)]
    assert_allclose(bounds[0], elbo, atol=0.15)
    assert elbo + 0.1 < bounds[1] < bounds[2] < exact + 0.02
    assert_allclose(model.log_evidence(x, rng, 5000), exact, atol=0.05)


@pytest.mark.usefixtures("as_users_call")
def test_a_trained_linear_model_reaches_the_maximum_likelihood_of_ppca():
    x = random_linear_gaussian(np.random.default_rng(12))
    best = latent.PPCA.closed_form(x, 2).log_evidence(x) / len(x)
    fit = VAE.fit(
        x,
        2,
        rng=np.random.default_rng(13),
        likelihood="gaussian",
        hidden=(),
        n_samples=4,
        steps=3000,
        size=200,
        rate=1e-2,
    )
    evidence = fit.model.log_evidence(x, np.random.default_rng(14), 100) / len(x)
    elbo = fit.model.elbo(x, np.random.default_rng(15), 100).elbo / len(x)
    assert best - 0.002 < evidence < best + 0.002
    assert best - 0.02 < elbo < best + 0.002


@pytest.mark.usefixtures("as_users_call")
def test_training_on_digits_raises_the_bound_of_digits_that_it_never_saw():
    x = digits().images
    train, held_out = x[:500], x[500:600]
    settings = {"likelihood": "gaussian", "hidden": (32,)}
    untrained = VAE.init(64, 4, rng=np.random.default_rng(16), **settings)
    fit = VAE.fit(train, 4, rng=np.random.default_rng(16), steps=600, rate=1e-2, **settings)
    assert fit.trace.shape == (600,)
    before, after = (
        model.elbo(held_out, np.random.default_rng(17), 10).elbo for model in (untrained, fit.model)
    )
    assert after > before + 4000
    assert after > latent.GMM(
        np.ones(1), train.mean(axis=0)[None], np.eye(64)[None] * train.var(axis=0).mean()
    ).log_evidence(held_out)
    mean = fit.model.decode(fit.model.encode(held_out).mean)
    assert ((mean - held_out) ** 2).mean() < 0.85 * held_out.var(axis=0).mean()


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_same_seed_trains_the_same_model(likelihood):
    x = some_data(np.random.default_rng(18), likelihood, 40)
    fits = [
        VAE.fit(x, 2, rng=np.random.default_rng(19), likelihood=likelihood, steps=20, hidden=(6,))
        for _ in range(2)
    ]
    assert_array_equal(fits[0].trace, fits[1].trace)
    for name, value in fits[0].model.parameters.items():
        assert_array_equal(value, fits[1].model.parameters[name])


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_a_saved_model_comes_back(tmp_path, likelihood):
    rng = np.random.default_rng(20)
    model = small(rng, likelihood, n_samples=3)
    save(tmp_path / "vae.npz", model)
    back = load(tmp_path / "vae.npz", VAE)
    assert (back.likelihood, back.n_samples) == (likelihood, 3)
    x = some_data(rng, likelihood, 5)
    seed = np.random.default_rng
    assert back.elbo(x, seed(0)) == model.elbo(x, seed(0))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_samples_come_from_the_prior_and_the_decoder(likelihood):
    rng = np.random.default_rng(21)
    model = small(rng, likelihood)
    s, x = model.sample(20_000, rng)
    assert s.shape == (20_000, 2)
    assert_allclose(s.mean(axis=0), 0, atol=0.03)
    assert_allclose(np.cov(s.T), np.eye(2), atol=0.05)
    assert_allclose(x.mean(axis=0), model.decode(s).mean(axis=0), atol=0.03)
    if likelihood == "bernoulli":
        assert set(np.unique(x)) == {0.0, 1.0}


def test_single_precision_stays_and_agrees():
    rng = np.random.default_rng(22)
    model = small(rng, "gaussian")
    single = VAE({k: v.astype(np.float32) for k, v in model.parameters.items()}, "gaussian")
    x = some_data(rng, "gaussian", 5)
    loss = single.loss(
        constants(single.parameters), (x.astype(np.float32),), np.random.default_rng(0)
    )
    assert loss.dtype == np.float32
    assert single.encode(x).mean.dtype == np.float32
    assert_allclose(single.encode(x).mean, model.encode(x).mean, rtol=1e-5, atol=1e-5)
    assert_allclose(single.encode(x).sd, model.encode(x).sd, rtol=1e-5)


# ---- what is refused

RNG = np.random.default_rng(0)
GOOD = VAE.init(4, 2, rng=RNG, hidden=(3,))
GAUSS = VAE.init(4, 2, rng=RNG, hidden=(3,), likelihood="gaussian")
X = np.full((5, 4), 0.5)
NAN = np.where(np.arange(20).reshape(5, 4) == 7, np.nan, X)
ROW = np.where(np.arange(5)[:, None] == 2, np.nan, X)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GOOD.elbo(X[:, :3], RNG), r"x must have shape \(T, d\) with d = 4"),
        (lambda: GOOD.elbo(X, RNG, 0), "n_samples must be at least 1"),
        (lambda: GOOD.elbo(X, 3), "rng must be a numpy.random.Generator"),
        (lambda: GOOD.elbo(2 * X + 1, RNG), "x must be from 0 to 1 for the Bernoulli"),
        (lambda: GOOD.log_evidence(-X, RNG), "x must be from 0 to 1 for the Bernoulli"),
        (lambda: GOOD.log_evidence(X, RNG, 0), "n_samples must be at least 1"),
        (lambda: GOOD.encode(NAN), "row 1 of x is partly NaN"),
        (lambda: GAUSS.elbo(ROW, RNG), "row 2 of x is missing"),
        (lambda: GOOD.decode(np.zeros((5, 3))), r"s must have shape \(T, D\) with D = 2"),
        (lambda: GOOD.decode(np.full((1, 2), np.nan)), "s must be finite"),
        (lambda: GOOD.sample(0, RNG), "n_points must be at least 1"),
        (lambda: VAE.fit(NAN, 2, rng=RNG), "row 1 of x is partly NaN"),
        (lambda: VAE.fit(X + np.inf, 2, rng=RNG), "x must not be infinite"),
        (lambda: VAE.fit(X, 2, rng=RNG), "x must have points that differ"),
        (lambda: VAE.fit(X, 0, rng=RNG), "n_latent must be at least 1"),
        (lambda: VAE.fit(2 * X + 1, 2, rng=RNG), "x must be from 0 to 1"),
        (lambda: VAE.init(4, 2, rng=RNG, likelihood="laplace"), "likelihood must be one of"),
        (lambda: VAE.init(4, 2, rng=RNG, hidden=(0,)), r"sizes\[1\] must be at least 1"),
        (lambda: VAE.init(4, 2, rng=RNG, n_samples=0), "n_samples must be at least 1"),
        (lambda: VAE(GOOD.parameters, "gaussian"), "parameters must have log_variance"),
        (
            lambda: VAE({"decoder.0.weight": np.eye(2), "decoder.0.bias": np.zeros(2)}),
            "parameters must have encoder.0.weight",
        ),
        (
            lambda: VAE(GOOD.parameters | {"encoder.1.bias": np.zeros(3)}),
            re.escape("encoder.1.weight must have shape (3, n_out)"),
        ),
        (
            lambda: VAE(
                GOOD.parameters
                | {"encoder.1.weight": np.zeros((3, 5)), "encoder.1.bias": np.zeros(5)}
            ),
            "encoder must turn rows of 4 entries into rows of 4, got 4 and 5",
        ),
        (lambda: sample_normal(Tensor(np.zeros((3, 4))), np.zeros((3, 2))), "eps must have shape"),
        (lambda: kl_to_unit_normal(Tensor(np.zeros((3, 5)))), "moments must have shape"),
    ],
)
@pytest.mark.usefixtures("as_users_call")
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_rate_far_too_high_stops_with_a_message():
    x = 100 * np.random.default_rng(23).normal(size=(20, 4))
    with pytest.raises(FloatingPointError, match="lower the rate"), np.errstate(all="ignore"):
        VAE.fit(x, 2, rng=np.random.default_rng(24), likelihood="gaussian", rate=1e4, steps=200)
