from dataclasses import replace

import numpy as np
import pytest
from gradients import assert_gradients
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA

from latent.autodiff import constants
from latent.autoencoder import Autoencoder
from latent.data import digits
from latent.storage import load, save


def small(rng, hidden=(5,)):
    model = Autoencoder.init(4, 2, rng=rng, hidden=hidden, dtype=np.float64)
    shift = {k: v + 0.3 * rng.normal(size=v.shape) for k, v in model.parameters.items()}
    return replace(model, parameters=shift)


def by_hand(parameters, name, x, n_layers):
    for i in range(n_layers):
        x = x @ parameters[f"{name}.{i}.weight"] + parameters[f"{name}.{i}.bias"]
        x = np.maximum(x, 0) if i < n_layers - 1 else x
    return x


@pytest.mark.parametrize("hidden", [(), (5,), (5, 3)])
def test_the_loss_is_the_squared_error_of_what_comes_back(hidden):
    rng = np.random.default_rng(0)
    model, x = small(rng, hidden), rng.normal(size=(6, 4))
    s = by_hand(model.parameters, "encoder", x, len(hidden) + 1)
    h = by_hand(model.parameters, "decoder", s, len(hidden) + 1)
    assert_allclose(model.encode(x), s)
    assert_allclose(model.decode(s), h)
    expected = ((x - h) ** 2).sum() / 6
    assert_allclose(float(model.loss(constants(model.parameters), (x,), rng)), expected)
    assert_allclose(model.squared_error(x), expected)
    other = rng.normal(size=(6, 4))
    pair = float(model.loss(constants(model.parameters), (x, other), rng))
    assert_allclose(pair, ((other - h) ** 2).sum() / 6)


@pytest.mark.parametrize("hidden", [(), (5,), (5, 3)])
def test_every_parameter_has_the_gradient_of_differences(hidden):
    rng = np.random.default_rng(1)
    model, x = small(rng, hidden), rng.normal(size=(5, 4))
    assert_gradients(lambda p: model.loss(p, (x,), rng), dict(model.parameters))


@pytest.mark.usefixtures("as_users_call")
def test_a_linear_one_finds_the_plane_and_the_error_of_principal_components():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(200, 6)) * [2.0, 1.5, 0.8, 0.5, 0.4, 0.3] @ np.linalg.qr(
        rng.normal(size=(6, 6))
    )[0] + rng.normal(size=6)
    pca = PCA(2).fit(x)
    best = ((x - pca.inverse_transform(pca.transform(x))) ** 2).sum(axis=1).mean()
    fit = Autoencoder.fit(x, 2, rng=rng, hidden=(), steps=3000, size=200, rate=1e-2)
    assert best <= fit.model.squared_error(x) < best * (1 + 1e-4)
    ours = np.linalg.qr(fit.model.parameters["decoder.0.weight"].T)[0]
    # The cosines of the angles between the two planes are the singular values of this product.
    assert_allclose(np.linalg.svd(pca.components_ @ ours)[1], 1, atol=1e-4)


@pytest.mark.usefixtures("as_users_call")
def test_hidden_layers_rebuild_digits_better_than_as_many_principal_components():
    x = digits().images
    fit = Autoencoder.fit(
        x[:1500], 2, rng=np.random.default_rng(3), hidden=(64,), steps=1500, rate=5e-3
    )
    pca = PCA(2).fit(x[:1500])
    back = pca.inverse_transform(pca.transform(x[1500:]))
    assert fit.model.squared_error(x[1500:]) < 0.95 * ((x[1500:] - back) ** 2).sum(axis=1).mean()


@pytest.mark.usefixtures("as_users_call")
def test_the_same_seed_trains_the_same_model_and_a_saved_one_comes_back(tmp_path):
    x = np.random.default_rng(4).normal(size=(30, 4))
    one, two = (
        Autoencoder.fit(x, 2, rng=np.random.default_rng(5), steps=20).model for _ in range(2)
    )
    save(tmp_path / "model.npz", one)
    back = load(tmp_path / "model.npz", Autoencoder)
    for name, value in one.parameters.items():
        assert_array_equal(value, two.parameters[name])
        assert_array_equal(value, back.parameters[name])
    assert one.encode(x).dtype == np.float32


RNG = np.random.default_rng(0)
GOOD = Autoencoder.init(4, 2, rng=RNG, hidden=(3,))
NAN = np.where(np.arange(20).reshape(5, 4) == 7, np.nan, 0.5)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: GOOD.encode(np.zeros((5, 3))), r"x must have shape \(T, d\) with d = 4"),
        (lambda: GOOD.encode(NAN), "row 1 of x is partly NaN"),
        (lambda: GOOD.squared_error(NAN), "row 1 of x is partly NaN"),
        (lambda: GOOD.decode(np.zeros((5, 4))), r"s must have shape \(T, D\) with D = 2"),
        (lambda: Autoencoder.init(4, 0, rng=RNG), r"sizes\[2\] must be at least 1"),
        (lambda: Autoencoder.init(4, 2, rng=5), "rng must be a numpy.random.Generator"),
        (lambda: Autoencoder.fit(NAN, 2, rng=RNG), "row 1 of x is partly NaN"),
        (lambda: Autoencoder.fit(np.zeros((3, 4)), 2, rng=RNG, size=0), "size must be at least 1"),
        (lambda: Autoencoder.fit(np.zeros((3, 4)), 2, rng=RNG, rate=0), "rate must be above zero"),
        (lambda: Autoencoder({}), "parameters must have decoder.0.weight"),
        (
            lambda: Autoencoder(GOOD.parameters | {"decoder.1.weight": np.zeros((3, 5))}),
            r"decoder.1.weight must have shape \(3, n_out\)",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
