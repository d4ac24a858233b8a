import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import covariances, distributions, emission, seeds
from scipy import stats

import latent

KINDS = ["categorical", "gaussian", "poisson"]
every_kind = pytest.mark.parametrize("kind", KINDS)


def draw(kind, rng, T=30, N=3):
    """An emission, data from it and weights that do not know it."""
    model = emission(rng, kind, N)
    x = model.sample(rng.integers(N, size=T), rng)
    return model, x, rng.random((T, N))


def hide(x, rows):
    """The same data with some rows missing."""
    if x.ndim == 2:
        x = x.copy()
        x[rows] = np.nan
        return x
    return np.ma.masked_array(x, mask=np.isin(np.arange(len(x)), rows))


def expected_statistics(model):
    """E[t(x)] under each state."""
    if isinstance(model, latent.Categorical):
        return model.probs
    if isinstance(model, latent.Poisson):
        return model.rates[:, None]
    outer = model.means[:, :, None] * model.means[:, None, :]
    return np.hstack([model.means, (model.covariances + outer).reshape(model.n_states, -1)])


def objective(model, x, weights):
    with np.errstate(invalid="ignore"):
        terms = weights * model.log_likelihood(x)
    return np.where(weights > 0, terms, 0.0).sum()


def nearby(model, rng, size):
    """The same kind of model with parameters a little away."""
    if isinstance(model, latent.Categorical):
        noisy = model.probs * np.exp(size * rng.normal(size=model.probs.shape))
        return latent.Categorical(noisy / noisy.sum(axis=1, keepdims=True))
    if isinstance(model, latent.Poisson):
        return latent.Poisson(model.rates * np.exp(size * rng.normal(size=model.rates.shape)))
    N, D = model.means.shape
    stretch = np.eye(D) + size * rng.normal(size=(N, D, D))
    return latent.Gaussian(
        model.means + size * rng.normal(size=(N, D)),
        stretch @ model.covariances @ stretch.transpose(0, 2, 1),
    )


def test_categorical_log_likelihood_is_scipys():
    rng = np.random.default_rng(0)
    model, x, _ = draw("categorical", rng)
    for i in range(3):
        expected = stats.rv_discrete(values=(range(3), model.probs[i])).logpmf(x)
        assert_allclose(model.log_likelihood(x)[:, i], expected)


def test_gaussian_log_likelihood_is_scipys():
    rng = np.random.default_rng(1)
    model, x, _ = draw("gaussian", rng)
    for i in range(3):
        normal = stats.multivariate_normal(model.means[i], model.covariances[i])
        assert_allclose(model.log_likelihood(x)[:, i], normal.logpdf(x))


def test_poisson_log_likelihood_is_scipys():
    rng = np.random.default_rng(2)
    model, x, _ = draw("poisson", rng)
    for i in range(3):
        assert_allclose(model.log_likelihood(x)[:, i], stats.poisson(model.rates[i]).logpmf(x))


def test_a_symbol_of_probability_zero_and_a_count_at_rate_zero_are_impossible():
    model = latent.Categorical(np.array([[1.0, 0.0]]))
    assert model.log_likelihood(np.array([0, 1])).tolist() == [[0], [-np.inf]]
    model = latent.Poisson(np.array([0.0]))
    assert model.log_likelihood(np.array([0, 1])).tolist() == [[0], [-np.inf]]


@every_kind
@given(seeds)
def test_the_m_step_matches_the_expected_sufficient_statistics(kind, seed):
    model, x, weights = draw(kind, np.random.default_rng(seed))
    t = model.sufficient_statistics(x)
    new = model.m_step(x, weights)
    assert_allclose(expected_statistics(new), latent.match_statistics(weights, t), atol=1e-10)
    by_hand = [(weights[:, [i]] * t).sum(axis=0) / weights[:, i].sum() for i in range(3)]
    assert_allclose(latent.match_statistics(weights, t), by_hand)


@every_kind
@given(seeds)
def test_the_m_step_beats_every_model_nearby(kind, seed):
    rng = np.random.default_rng(seed)
    model, x, weights = draw(kind, rng)
    best = model.m_step(x, weights)
    top = objective(best, x, weights)
    assert top >= objective(model, x, weights)
    for size in (1e-3, 1e-1, 1.0):
        assert top >= objective(nearby(best, rng, size), x, weights)


@every_kind
def test_a_missing_observation_has_likelihood_one_and_is_left_out_of_the_m_step(kind):
    rng = np.random.default_rng(3)
    model, x, weights = draw(kind, rng)
    rows = [0, 7, 29]
    gaps, kept = hide(x, rows), np.delete(np.arange(30), rows)
    log_likelihood = model.log_likelihood(gaps)
    assert (log_likelihood[rows] == 0).all()
    assert_allclose(log_likelihood[kept], model.log_likelihood(x)[kept])
    assert np.isnan(model.sufficient_statistics(gaps)[rows]).all()
    with_gaps, without = model.m_step(gaps, weights), model.m_step(x[kept], weights[kept])
    assert_allclose(expected_statistics(with_gaps), expected_statistics(without))


@every_kind
def test_a_state_without_weight_keeps_its_parameters(kind):
    rng = np.random.default_rng(4)
    model, x, weights = draw(kind, rng)
    weights[:, 1] = 0
    before, after = expected_statistics(model), expected_statistics(model.m_step(x, weights))
    assert_array_equal(after[1], before[1])
    assert not np.allclose(after[[0, 2]], before[[0, 2]])
    assert np.isnan(latent.match_statistics(weights, model.sufficient_statistics(x))[1]).all()


@every_kind
def test_data_that_are_all_missing_change_nothing(kind):
    model, x, weights = draw(kind, np.random.default_rng(5))
    gaps = hide(x, range(30))
    assert (model.log_likelihood(gaps) == 0).all()
    after = model.m_step(gaps, weights)
    assert_array_equal(expected_statistics(after), expected_statistics(model))


@every_kind
def test_samples_have_the_expected_statistics(kind):
    rng = np.random.default_rng(6)
    model = emission(rng, kind, 3)
    T = 20_000
    for i in range(3):
        t = model.sufficient_statistics(model.sample(np.full(T, i), rng))
        error = np.abs(t.mean(axis=0) - expected_statistics(model)[i])
        assert (error <= 4.5 * t.std(axis=0) / np.sqrt(T) + 1e-12).all()


@every_kind
def test_each_sample_comes_from_its_own_state(kind):
    far = {
        "categorical": latent.Categorical(np.eye(3)),
        "gaussian": latent.Gaussian(1e3 * np.eye(3), np.stack([np.eye(3)] * 3)),
        "poisson": latent.Poisson(np.array([0.0, 1e3, 1e6])),
    }[kind]
    states = np.array([2, 0, 1, 1, 0, 2])
    x = far.sample(states, np.random.default_rng(7))
    assert far.log_likelihood(x).argmax(axis=1).tolist() == states.tolist()


@every_kind
def test_the_parameters_of_a_model_cannot_be_changed(kind):
    model = emission(np.random.default_rng(8), kind, 2)
    for field in dataclasses.fields(model):
        with pytest.raises(ValueError, match="read-only"):
            getattr(model, field.name)[0] = 0
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(model, field.name, 0)


def test_a_model_does_not_follow_changes_of_the_array_it_was_made_from():
    rates = np.array([1.0, 2.0])
    model = latent.Poisson(rates)
    rates[0] = 9
    assert model.rates.tolist() == [1, 2]
    assert rates.flags.writeable


@given(seeds, st.integers(1, 3))
def test_clipped_eigenvalues_maximise_under_the_floor(seed, D):
    rng = np.random.default_rng(seed)
    floor = 0.5
    x = rng.normal(size=(4, D)) * rng.random(D)
    weights = rng.random((4, 1))
    model = latent.Gaussian(np.zeros((1, D)), np.eye(D)[None])
    best = model.m_step(x, weights, floor=floor)
    assert np.linalg.eigvalsh(best.covariances[0])[0] >= floor - 1e-12
    top = objective(best, x, weights)
    for size in (1e-3, 1e-2, 1e-1, 1.0):
        above = rng.normal(size=(D, D)) * size
        eigenvalues, U = np.linalg.eigh(best.covariances[0] + above + above.T)
        other = (U * np.maximum(eigenvalues, floor)) @ U.T
        assert objective(latent.Gaussian(best.means, other[None]), x, weights) <= top + 1e-12


def test_one_point_gets_the_floor_as_its_covariance():
    model = latent.Gaussian(np.zeros((1, 2)), np.eye(2)[None])
    after = model.m_step(np.array([[3.0, 4.0]]), np.ones((1, 1)), floor=0.25)
    assert_array_equal(after.means, [[3, 4]])
    assert_allclose(after.covariances, [0.25 * np.eye(2)])


def test_covariances_far_from_the_origin_keep_their_digits():
    rng = np.random.default_rng(9)
    x, weights = rng.normal(size=(50, 2)), rng.random((50, 2))
    model = latent.Gaussian(np.zeros((2, 2)), covariances(rng, 2, 2))
    near, far = model.m_step(x, weights), model.m_step(x + 1e8, weights)
    assert_allclose(far.covariances, near.covariances, rtol=1e-6)


@pytest.mark.usefixtures("as_users_call")
def test_lists_and_whole_floats_do():
    model = latent.Categorical([[0.5, 0.5]])
    assert_allclose(model.log_likelihood([0, 1.0]), np.log([[0.5], [0.5]]))
    assert latent.Poisson([1, 2]).m_step([3, 5], [[1, 0], [1, 1]]).rates.tolist() == [4, 5]
    normal = latent.Gaussian([[0, 0]], [[[1, 0], [0, 1]]])
    assert_allclose(normal.log_likelihood([[0, 0]]), [[-np.log(2 * np.pi)]])
    assert model.sample([0, 0, 0], np.random.default_rng(0)).shape == (3,)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: latent.Categorical([0.5, 0.5]), r"probs must have shape \(N, M\), got \(2,\)"),
        (lambda: latent.Categorical([[0.5, 0.6]]), "row 0 of probs must sum to one"),
        (lambda: latent.Categorical([[1.5, -0.5]]), "probs must not be negative"),
        (lambda: latent.Categorical(np.zeros((0, 2))), "probs must have shape"),
        (lambda: latent.Poisson([-1]), "rates must not be negative, got -1.0 at index 0"),
        (lambda: latent.Poisson([np.inf]), "rates must be finite"),
        (lambda: latent.Poisson(3.0), r"rates must have shape \(N\), got \(\)"),
        (lambda: latent.Gaussian([[0, np.nan]], [np.eye(2)]), "means must be finite"),
        (lambda: latent.Gaussian([0, 0], [np.eye(2)]), r"means must have shape \(N, D\)"),
        (
            lambda: latent.Gaussian([[0, 0]], [np.eye(3)]),
            r"covariances must have shape \(N, D, D\) with N = 1, D = 2, got \(1, 3, 3\)",
        ),
        (lambda: latent.Gaussian([[0, 0]], [[[1, 0.5], [0, 1]]]), r"covariances\[0\] must be symm"),
        (
            lambda: latent.Gaussian([[0, 0]] * 2, [np.eye(2), [[1, 2], [2, 1]]]),
            r"covariances\[1\] must be positive definite, but its smallest eigenvalue is -1",
        ),
        (lambda: latent.Gaussian([[0, 0]], [np.zeros((2, 2))]), "must be positive definite"),
    ],
)
def test_bad_parameters_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


CATEGORICAL = latent.Categorical(np.array([[0.5, 0.5], [0.1, 0.9]]))
GAUSSIAN = latent.Gaussian(np.zeros((2, 2)), np.stack([np.eye(2)] * 2))
POISSON = latent.Poisson(np.array([1.0, 2.0]))


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("model", "x", "message"),
    [
        (CATEGORICAL, [0, 2], "x must be from 0 to 1, got 2 at index 1"),
        (CATEGORICAL, [0, -1], "x must be from 0 to 1, got -1 at index 1"),
        (CATEGORICAL, [0.5], "x must be integers, got 0.5 at index 0"),
        (
            CATEGORICAL,
            [0, np.nan],
            "x must be integers, got nan at index 1; a missing one is a mask",
        ),
        (CATEGORICAL, [[0, 1]], r"x must have shape \(T\), got \(1, 2\)"),
        (CATEGORICAL, [], "x must have shape"),
        (CATEGORICAL, ["0"], "x must be an array of real numbers"),
        (POISSON, [-1], "x must be at least 0, got -1 at index 0"),
        (POISSON, [1.5], "x must be integers"),
        (POISSON, [np.inf], "x must be integers"),
        (GAUSSIAN, [[0, 0, 0]], r"x must have shape \(T, D\) with D = 2, got \(1, 3\)"),
        (GAUSSIAN, [0, 0], "x must have shape"),
        (GAUSSIAN, [[0, 0], [0, np.nan]], "row 1 of x is partly NaN"),
        (GAUSSIAN, [[0, 0], [0, np.inf]], "x must not be infinite, see row 1"),
    ],
)
def test_bad_data_are_named(model, x, message):
    with pytest.raises(ValueError, match=message):
        model.log_likelihood(x)
    with pytest.raises(ValueError, match=message):
        model.sufficient_statistics(x)
    with pytest.raises(ValueError, match=message):
        model.m_step(x, np.ones((len(x), 2)))


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("model", "x"), [(CATEGORICAL, [0, 1]), (GAUSSIAN, [[0, 0], [1, 1]]), (POISSON, [0, 1])]
)
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([[1, 1]], r"weights must have shape"),
        ([[1], [1]], r"weights must have shape"),
        ([[1, 1], [1, -1]], "weights must not be negative"),
        ([[1, 1], [1, np.nan]], "weights must be finite"),
    ],
)
def test_bad_weights_are_named(model, x, weights, message):
    with pytest.raises(ValueError, match=message):
        model.m_step(x, weights)


@pytest.mark.usefixtures("as_users_call")
def test_a_bad_floor_is_named():
    with pytest.raises(ValueError, match="floor must not be negative"):
        GAUSSIAN.m_step([[0, 0]], [[1, 1]], floor=-1)
    with pytest.raises(ValueError, match="must be positive definite"):
        GAUSSIAN.m_step([[0, 0]], [[1, 1]], floor=0)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("model", [CATEGORICAL, GAUSSIAN, POISSON])
def test_bad_states_and_generators_are_named(model):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="states must be from 0 to 1, got 2 at index 1"):
        model.sample([0, 2], rng)
    with pytest.raises(ValueError, match="states must be integers"):
        model.sample([0.5], rng)
    with pytest.raises(ValueError, match="states must not have masked entries"):
        model.sample(np.ma.masked_array([0, 1], mask=[True, False]), rng)
    with pytest.raises(ValueError, match=r"rng must be a numpy\.random\.Generator .* got 0"):
        model.sample([0, 1], 0)


@pytest.mark.usefixtures("as_users_call")
def test_statistics_and_weights_of_different_lengths_are_named():
    with pytest.raises(ValueError, match=r"weights must have shape \(T, N\) with T = 3"):
        latent.match_statistics(distributions(np.random.default_rng(0), 2, 2), np.zeros((3, 1)))
