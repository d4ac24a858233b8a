from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from gradients import assert_gradients
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import seeds
from scipy.spatial.distance import cdist
from scipy.special import expit, logsumexp
from scipy.stats import bernoulli, norm

from latent.autodiff import Tensor, constants, stop_gradient
from latent.data import digits
from latent.perceptron import perceptron
from latent.storage import load, save
from latent.vqvae import VQVAE, nearest_codes, straight_through

LIKELIHOODS = ["gaussian", "bernoulli"]


def small(rng, likelihood="gaussian", commitment=0.25, hidden=(5,)):
    """K = 3 codes of D = 2 entries at P = 2 positions."""
    model = VQVAE.init(
        4,
        n_codes=3,
        code_size=2,
        n_positions=2,
        rng=rng,
        likelihood=likelihood,
        commitment=commitment,
        hidden=hidden,
        dtype=np.float64,
    )
    shift = {k: np.asarray(v + 0.3 * rng.normal(size=v.shape)) for k, v in model.parameters.items()}
    return replace(model, parameters=shift)


def some_data(rng, likelihood, n):
    x = rng.normal(size=(n, 4))
    return (x > 0).astype(float) if likelihood == "bernoulli" else x


def log_density(model, z_q, x):
    """ln p(x | z_q) of each row, by SciPy."""
    h = perceptron(constants(model.parameters), "decoder", z_q).data
    if model.likelihood == "bernoulli":
        return bernoulli(expit(h)).logpmf(x).sum(axis=-1)
    return norm(h, np.exp(0.5 * model.parameters["log_variance"])).logpdf(x).sum(axis=-1)


def encoder_output(model, x):
    return perceptron(constants(model.parameters), "encoder", x).data.reshape(len(x), 2, 2)


def gradients(model, loss):
    p = {name: Tensor(value) for name, value in model.parameters.items()}
    loss(p).backward()
    return {name: tensor.grad for name, tensor in p.items()}


@given(seeds, st.integers(1, 6), st.integers(1, 3))
def test_the_nearest_code_is_the_nearest_of_all(seed, K, D):
    rng = np.random.default_rng(seed)
    z, codebook = 3 * rng.normal(size=(5, 2, D)), 3 * rng.normal(size=(K, D))
    found = nearest_codes(z, codebook)
    expected = cdist(z.reshape(-1, D), codebook).argmin(axis=1)
    assert_array_equal(found, expected.reshape(5, 2))


def test_of_equally_near_codes_the_first_is_taken():
    codebook = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert_array_equal(nearest_codes(np.array([[0.5, 0.5], [2.0, 0.0]]), codebook), [0, 0])


def test_straight_through_has_the_values_of_one_and_the_gradient_of_the_other():
    rng = np.random.default_rng(0)
    x, y = Tensor(rng.normal(size=3)), Tensor(rng.normal(size=3))
    out = straight_through(x, y)
    assert_allclose(out.data, y.data)
    (out**2).sum().backward()
    assert_allclose(x.grad, 2 * y.data)  # the slope where y is, handed to x
    assert y.grad is None


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_loss_and_the_bound_are_the_formulas_of_the_lecture(likelihood):
    rng = np.random.default_rng(1)
    model, x = small(rng, likelihood, commitment=0.4), some_data(rng, likelihood, 7)
    z_e = encoder_output(model, x)
    codebook = model.parameters["codebook"]
    loss, distance, log_likelihood = 0.0, 0.0, 0.0
    for n in range(7):
        z_q = np.array([codebook[((row - codebook) ** 2).sum(axis=1).argmin()] for row in z_e[n]])
        distance += ((z_e[n] - z_q) ** 2).sum()
        log_likelihood += log_density(model, z_q.reshape(1, -1), x[n]).item()
    loss = -log_likelihood + 1.4 * distance
    assert_allclose(float(model.loss(constants(model.parameters), (x,), rng)), loss / 7)
    other = some_data(rng, likelihood, 7)
    z_q = codebook[model.encode(x)].reshape(7, -1)
    pair = float(model.loss(constants(model.parameters), (x, other), rng))
    assert_allclose(pair, (1.4 * distance - log_density(model, z_q, other).sum()) / 7)
    terms = model.elbo(x)
    assert_allclose(terms, (log_likelihood, distance, 7 * 2 * np.log(3)))
    assert_allclose(terms.elbo, log_likelihood - 14 * np.log(3))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_bound_is_below_the_evidence_summed_over_all_codes(likelihood):
    rng = np.random.default_rng(2)
    model, x = small(rng, likelihood), some_data(rng, likelihood, 6)
    z_q = np.array(
        [np.concatenate(codes) for codes in product(model.parameters["codebook"], repeat=2)]
    )
    log_joint = np.array([log_density(model, z_q, row) for row in x]) - 2 * np.log(3)
    evidence = logsumexp(log_joint, axis=1)
    for n in range(6):
        assert model.elbo(x[n : n + 1]).elbo < evidence[n]
    # The encoder's codes are one term of that sum.
    codes = model.encode(x)
    chosen = log_joint[np.arange(6), 3 * codes[:, 0] + codes[:, 1]]
    assert_allclose(model.elbo(x).elbo, chosen.sum())


def test_every_term_has_its_gradient_where_it_should_and_nowhere_else():
    rng = np.random.default_rng(3)
    model, x = small(rng), rng.normal(size=(6, 4))
    encoder = {name for name in model.parameters if name.startswith("encoder")}
    decoder = {name for name in model.parameters if name.startswith("decoder")}

    def touched(loss):
        return {
            name
            for name, g in gradients(model, loss).items()
            if g is not None and np.abs(g).max() > 0
        }

    def reconstruction(p):
        z_e, e = model._encoded(p, x)
        return model._negative_log_likelihood(p, straight_through(z_e, e), x).sum()

    def codebook(p):
        z_e, e = model._encoded(p, x)
        return ((stop_gradient(z_e) - e) ** 2).sum()

    def commitment(p):
        z_e, e = model._encoded(p, x)
        return ((z_e - stop_gradient(e)) ** 2).sum()

    assert touched(reconstruction) == encoder | decoder | {"log_variance"}
    assert touched(codebook) == {"codebook"}
    assert touched(commitment) == encoder
    parts = [gradients(model, term) for term in (reconstruction, codebook, commitment)]
    whole = gradients(model, lambda p: model.loss(p, (x,), rng))
    for name, g in whole.items():
        expected = sum(
            weight * part[name]
            for weight, part in zip((1, 1, 0.25), parts, strict=True)
            if part[name] is not None
        )
        assert_allclose(g, expected / 6, atol=1e-12)


def test_the_codebook_term_moves_codes_as_the_mean_step_of_k_means():
    rng = np.random.default_rng(4)
    model, x = small(rng), rng.normal(size=(40, 4))
    z, k = encoder_output(model, x).reshape(-1, 2), model.encode(x).ravel()
    g = gradients(model, lambda p: model.loss(p, (x,), rng))["codebook"]
    for code in range(3):
        members = z[k == code]
        expected = 2 * len(members) * (model.parameters["codebook"][code] - members.mean(axis=0))
        assert_allclose(g[code], expected / 40)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("hidden", [(), (5,)])
def test_where_the_loss_is_smooth_the_gradients_are_those_of_differences(likelihood, hidden):
    rng = np.random.default_rng(5)
    model, x = small(rng, likelihood, hidden=hidden), some_data(rng, likelihood, 5)
    rest = {k: v for k, v in model.parameters.items() if not k.startswith("encoder")}
    encoder = {k: v for k, v in model.parameters.items() if k.startswith("encoder")}
    codes = rest.pop("codebook")
    # With fixed codes the decoder's part is smooth,
    assert_gradients(
        lambda p: model.loss(p | constants(encoder | {"codebook": codes}), (x,), rng), rest
    )
    # so are both distances as long as no row changes its code,
    assert_gradients(
        lambda p: ((stop_gradient(model._encoded(p | constants(encoder), x)[0]) -
                    model._encoded(p | constants(encoder), x)[1]) ** 2).sum(),
        {"codebook": codes},
    )  # fmt: skip
    assert_gradients(
        lambda p: ((model._encoded(p | constants({"codebook": codes}), x)[0] -
                    codes[model.encode(x)]) ** 2).sum(),
        encoder,
    )  # fmt: skip
    # and the encoder's share of the rest is the slope at z_q, that is, of moving z_q with z_e.
    z_e, e = encoder_output(model, x), codes[model.encode(x)]

    def moved(p):
        z_q = perceptron(p, "encoder", x).reshape(5, 2, 2) + (e - z_e)
        return (
            model._negative_log_likelihood(p | constants(rest), z_q, x).mean()
            + model.commitment / 5 * ((perceptron(p, "encoder", x).reshape(5, 2, 2) - e) ** 2).sum()
        )

    assert_gradients(moved, encoder)
    ours = gradients(model, lambda p: model.loss(p, (x,), rng))
    theirs = gradients(model, moved)
    for name in encoder:
        assert_allclose(ours[name], theirs[name], atol=1e-12)


def test_usage_counts_every_position_and_perplexity_tells_how_even_it_is():
    rng = np.random.default_rng(6)
    model, x = small(rng), rng.normal(size=(50, 4))
    counts, perplexity = model.usage(x)
    codes = model.encode(x)
    assert_array_equal(counts, [(codes == k).sum() for k in range(3)])
    assert counts.sum() == 100
    share = counts[counts > 0] / 100
    assert_allclose(perplexity, np.prod(share**-share))
    assert_allclose(model.usage(x[:1].repeat(3, axis=0)[:, :]).counts.sum(), 6)
    far = {**model.parameters, "codebook": np.array([[0.0, 0.0], [1e3, 1e3], [-1e3, 1e3]])}
    assert_allclose(replace(model, parameters=far).usage(x).perplexity, 1.0)


def test_codes_start_at_outputs_of_the_encoder_and_each_is_used():
    rng = np.random.default_rng(7)
    model = VQVAE.init(4, n_codes=12, code_size=2, n_positions=3, rng=rng, dtype=np.float64)
    x = rng.normal(size=(60, 4))
    started = model.with_codes_from(x, rng)
    z = perceptron(constants(model.parameters), "encoder", x).data.reshape(-1, 2)
    assert cdist(started.parameters["codebook"], z).min(axis=1).max() < 1e-6
    assert (started.usage(x).counts > 0).all()


@pytest.mark.usefixtures("as_users_call")
def test_training_rebuilds_digits_from_a_few_codes():
    x = digits().images
    fit = VQVAE.fit(
        x[:1000],
        n_codes=16,
        code_size=3,
        n_positions=4,
        rng=np.random.default_rng(8),
        hidden=(48,),
        steps=500,
        rate=5e-3,
    )
    assert fit.trace[-20:].mean() < fit.trace[:20].mean() - 40
    model, held_out = fit.model, x[1000:1300]
    codes = model.encode(held_out)
    assert codes.shape == (300, 4)
    error = ((model.decode(codes) - held_out) ** 2).sum(axis=1).mean()
    assert error < 0.6 * held_out.var(axis=0).sum()
    usage = model.usage(held_out)
    assert (usage.counts > 0).sum() >= 12
    assert usage.perplexity > 8


def test_samples_are_decoded_codes_with_the_noise_of_the_likelihood():
    rng = np.random.default_rng(9)
    model = small(rng)
    x = model.sample(50_000, rng)
    every = np.array(list(product(range(3), repeat=2)))
    assert_allclose(x.mean(axis=0), model.decode(every).mean(axis=0), atol=0.05)
    assert set(np.unique(small(rng, "bernoulli").sample(50, rng))) == {0.0, 1.0}


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_same_seed_trains_the_same_model_and_a_saved_one_comes_back(tmp_path, likelihood):
    x = some_data(np.random.default_rng(10), likelihood, 40)
    one, two = (
        VQVAE.fit(
            x + 0.0,
            n_codes=4,
            code_size=2,
            n_positions=2,
            rng=np.random.default_rng(11),
            likelihood=likelihood,
            commitment=0.5,
            steps=15,
        ).model
        for _ in range(2)
    )
    save(tmp_path / "model.npz", one)
    back = load(tmp_path / "model.npz", VQVAE)
    assert (back.likelihood, back.commitment) == (likelihood, 0.5)
    for name, value in one.parameters.items():
        assert value.dtype == np.float32
        assert_array_equal(value, two.parameters[name])
        assert_array_equal(value, back.parameters[name])


RNG = np.random.default_rng(0)
GOOD = small(RNG)
ONES = small(RNG, "bernoulli")
X = np.random.default_rng(1).normal(size=(5, 4))
NAN = np.where(np.arange(20).reshape(5, 4) == 7, np.nan, X)
SIZES = {"n_codes": 3, "code_size": 2, "n_positions": 2, "rng": RNG}


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GOOD.encode(X[:, :3]), r"x must have shape \(T, d\) with d = 4"),
        (lambda: GOOD.encode(NAN), "row 1 of x is partly NaN"),
        (lambda: GOOD.elbo(NAN), "row 1 of x is partly NaN"),
        (lambda: ONES.elbo(X), "x must be from 0 to 1"),
        (lambda: GOOD.decode(np.zeros((5, 3), int)), r"codes must have shape \(T, P\) with P = 2"),
        (lambda: GOOD.decode(np.full((1, 2), 3)), "codes must be from 0 to 2, got 3"),
        (lambda: GOOD.decode(np.full((1, 2), 0.5)), "codes must be integers"),
        (lambda: GOOD.sample(0, RNG), "n_points must be at least 1"),
        (lambda: VQVAE.fit(NAN, **SIZES), "row 1 of x is partly NaN"),
        (lambda: VQVAE.fit(X, **SIZES, likelihood="bernoulli"), "x must be from 0 to 1"),
        (lambda: VQVAE.fit(X, **(SIZES | {"n_codes": 11})), "n_codes must be at most 10"),
        (lambda: VQVAE.init(4, **(SIZES | {"n_codes": 0})), "n_codes must be at least 1"),
        (lambda: VQVAE.init(4, **(SIZES | {"code_size": 0})), "code_size must be at least 1"),
        (lambda: VQVAE.init(4, **(SIZES | {"n_positions": 0})), "n_positions must be at least 1"),
        (lambda: VQVAE.init(4, **SIZES, commitment=-1.0), "commitment must not be negative"),
        (lambda: VQVAE.init(4, **SIZES, likelihood="laplace"), "likelihood must be one of"),
        (lambda: VQVAE(ONES.parameters), "parameters must have log_variance"),
        (
            lambda: VQVAE(GOOD.parameters | {"codebook": np.zeros(3)}),
            r"parameters must have codebook of shape \(K, D\)",
        ),
        (
            lambda: VQVAE(GOOD.parameters | {"codebook": np.zeros((3, 3))}),
            "decoder must take a number of codes of 3 entries",
        ),
        (lambda: nearest_codes(X, np.zeros((3, 2))), "z must have rows as long as"),
        (
            lambda: straight_through(Tensor(np.zeros(2)), Tensor(np.zeros(3))),
            r"y must have the shape of x, \(2,\), got \(3,\)",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
