import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import KINDS, covariances, distributions, emission, hide, seeds
from scipy import stats
from scipy.special import softmax
from sklearn import mixture

from latent.emissions import (
    Categorical,
    Emission,
    Gaussian,
    GaussianMixture,
    Observations,
    Poisson,
    Template,
    clip_eigenvalues,
    match_statistics,
)

FAMILIES = ["categorical", "gaussian", "poisson"]
every_kind = pytest.mark.parametrize("kind", KINDS)
every_family = pytest.mark.parametrize("kind", FAMILIES)


def draw(kind, rng, T=30, N=3):
    """An emission, data from it and weights that do not know it."""
    model = emission(rng, kind, N)
    x = model.sample(rng.integers(N, size=T), rng)
    return model, x, rng.random((T, N))


def parameters(model):
    return [getattr(model, name) for name in names(model)]


def names(model):
    fields = [field.name for field in dataclasses.fields(model) if field.init]
    return [name for name in fields if name != "floor"]


def assert_same(model, other, **tolerance):
    for ours, theirs in zip(parameters(model), parameters(other), strict=True):
        assert_allclose(ours, theirs, **tolerance)


def expected_statistics(model):
    """E[t(x)] under each state."""
    if isinstance(model, Categorical):
        return model.probs
    if isinstance(model, Poisson):
        return model.rates[:, None]
    outer = model.means[:, :, None] * model.means[:, None, :]
    return np.hstack([model.means, (model.covariances + outer).reshape(model.n_states, -1)])


def log_density(model, i, x):
    """SciPy's ln p(x_t | S_t = i)."""
    if isinstance(model, Categorical):
        M = model.probs.shape[1]
        return stats.rv_discrete(values=(range(M), model.probs[i])).logpmf(x)
    if isinstance(model, Poisson):
        return stats.poisson(model.rates[i]).logpmf(x)
    if isinstance(model, Gaussian):
        return stats.multivariate_normal(model.means[i], model.covariances[i]).logpdf(x)
    components = zip(model.weights[i], model.means[i], model.covariances[i], strict=True)
    return np.log(sum(w * stats.multivariate_normal(m, C).pdf(x) for w, m, C in components))


def objective(model, x, weights):
    """sum_ti w_ti ln p(x_t | S_t = i)."""
    with np.errstate(invalid="ignore"):
        terms = weights * model.log_likelihood(x)
    return np.where(weights > 0, terms, 0.0).sum()


def q_function(model, x, weights, current):
    """What the M-step maximises: for a mixture with gamma_imt of the current parameters."""
    if not isinstance(model, GaussianMixture):
        return objective(model, x, weights)
    gamma = weights[:, :, None] * softmax(current.log_joint(x), axis=2)
    return (gamma * model.log_joint(x)).sum()


def changes(model, rng):
    """A random direction in which each parameter can move within its constraints."""
    change = [rng.normal(size=p.shape) for p in parameters(model)]
    for k, name in enumerate(names(model)):
        if name in ("probs", "weights"):
            change[k] = parameters(model)[k] * change[k]
            change[k] -= parameters(model)[k] * change[k].sum(axis=-1, keepdims=True)
        if name == "rates":
            change[k] = parameters(model)[k] * change[k]
        if name == "covariances":
            change[k] = change[k] + np.swapaxes(change[k], -1, -2)
    return change


def moved(model, change, size):
    """The model after a step along the direction; a covariance stays positive definite."""
    new = []
    for name, p, c in zip(names(model), parameters(model), change, strict=True):
        if name == "covariances":
            step = np.eye(p.shape[-1]) + size * c
            new.append(np.swapaxes(step, -1, -2) @ p @ step)
        elif name == "means":
            new.append(p + size * c)
        else:
            p = p * np.exp(size * c / np.where(p > 0, p, 1))
            new.append(p if name == "rates" else p / p.sum(axis=-1, keepdims=True))
    return type(model)(*new)


@every_kind
def test_each_is_an_emission_and_finds_its_start_by_a_template(kind):
    model = emission(np.random.default_rng(0), kind, 3)
    assert isinstance(model, Emission)
    assert isinstance(template(kind), Template)
    assert model.n_states == 3
    assert model.ndim == template(kind).ndim == model.sample(np.zeros(2, int), RNG).ndim


def template(kind):
    return {
        "categorical": Categorical.template(3),
        "gaussian": Gaussian.template(),
        "poisson": Poisson.template(),
        "gaussian_mixture": GaussianMixture.template(2),
    }[kind]


@every_kind
def test_the_log_likelihood_is_scipys(kind):
    model, x, _ = draw(kind, np.random.default_rng(0))
    expected = np.column_stack([log_density(model, i, x) for i in range(3)])
    assert_allclose(model.log_likelihood(x), expected)


def test_a_symbol_of_probability_zero_and_a_count_at_rate_zero_are_impossible():
    model = Categorical(np.array([[1.0, 0.0]]))
    assert model.log_likelihood(np.array([0, 1])).tolist() == [[0], [-np.inf]]
    model = Poisson(np.array([0.0]))
    assert model.log_likelihood(np.array([0, 1])).tolist() == [[0], [-np.inf]]


@every_family
@given(seeds)
def test_the_m_step_matches_the_expected_sufficient_statistics(kind, seed):
    model, x, weights = draw(kind, np.random.default_rng(seed))
    t = model.sufficient_statistics(x)
    new = model.m_step(x, weights)
    assert_allclose(expected_statistics(new), match_statistics(weights, t), atol=1e-10)
    by_hand = [(weights[:, [i]] * t).sum(axis=0) / weights[:, i].sum() for i in range(3)]
    assert_allclose(match_statistics(weights, t), by_hand)


@every_kind
@given(seeds)
def test_the_m_step_beats_every_model_nearby(kind, seed):
    rng = np.random.default_rng(seed)
    model, x, weights = draw(kind, rng)
    best = model.m_step(x, weights)
    top = q_function(best, x, weights, model)
    assert top >= q_function(model, x, weights, model)
    assert objective(best, x, weights) >= objective(model, x, weights)
    for size in (1e-3, 1e-1, 1.0):
        assert top >= q_function(moved(best, changes(best, rng), size), x, weights, model)


@every_kind
@given(seeds)
def test_the_score_is_the_slope_of_the_objective_in_every_direction(kind, seed):
    rng = np.random.default_rng(seed)
    model, x, weights = draw(kind, rng)
    gradient = model.score(x, weights)
    assert list(gradient._fields) == names(model)
    for name in names(model):
        change, h = changes(model, rng), 1e-5
        change = [c if n == name else 0 * c for c, n in zip(change, names(model), strict=True)]
        high, low = moved(model, change, h), moved(model, change, -h)
        step = getattr(high, name) - getattr(low, name)
        slope = objective(high, x, weights) - objective(low, x, weights)
        assert_allclose((getattr(gradient, name) * step).sum(), slope, rtol=1e-6, atol=1e-8)


@every_family
@given(seeds)
def test_the_score_is_zero_where_the_m_step_ends(kind, seed):
    model, x, weights = draw(kind, np.random.default_rng(seed))
    best = model.m_step(x, weights)
    for slope in best.score(x, weights):
        if kind == "categorical":  # on the simplex only differences count
            slope = best.probs * (slope - (best.probs * slope).sum(axis=1, keepdims=True))
        assert np.abs(slope).max() < 1e-8


def test_the_score_where_the_likelihood_is_zero_is_that_of_the_likelihood():
    ones = np.ones((3, 1))
    slope = Categorical(np.array([[0.5, 0.5, 0.0]])).score(np.array([0, 2, 2]), ones).probs
    assert slope.tolist() == [[2, 0, 2]]
    # (mu e^{-mu})' is one at mu = 0, e^{-mu} has the slope -1, and mu^2 e^{-mu} / 2 the slope 0.
    for x, expected in (([0, 0, 0], -3), ([0, 1, 1], 1), ([2, 2, 3], 0)):
        assert Poisson(np.zeros(1)).score(np.array(x), ones).rates.tolist() == [expected]


@every_kind
def test_a_missing_observation_has_likelihood_one_and_is_left_out_of_the_m_step(kind):
    rng = np.random.default_rng(3)
    model, x, weights = draw(kind, rng)
    rows = [0, 7, 29]
    gaps, kept = hide(x, rows), np.delete(np.arange(30), rows)
    log_likelihood = model.log_likelihood(gaps)
    assert (log_likelihood[rows] == 0).all()
    assert_allclose(log_likelihood[kept], model.log_likelihood(x)[kept])
    if kind in FAMILIES:
        assert np.isnan(model.sufficient_statistics(gaps)[rows]).all()
    assert_same(model.m_step(gaps, weights), model.m_step(x[kept], weights[kept]))
    with_gaps, without = model.score(gaps, weights), model.score(x[kept], weights[kept])
    for ours, theirs in zip(with_gaps, without, strict=True):
        assert_allclose(ours, theirs)


@every_kind
@pytest.mark.parametrize("rows", [[], [2, 5]])
def test_checked_observations_do_what_the_data_do(kind, rows):
    model, x, weights = draw(kind, np.random.default_rng(4))
    x = hide(x, rows) if rows else x
    data = model.observations(x)
    assert model.observations(data) is data
    assert data.n_steps == 30
    assert data.observed.sum() == len(data.x) == 30 - len(rows)
    assert_array_equal(model.log_likelihood(data), model.log_likelihood(x))
    assert_same(model.m_step(data, weights), model.m_step(x, weights), rtol=0)
    parts = [model.observations(part) for part in (x[:3], x[3:4], x[4:])]
    joined = Observations.join(parts)
    assert_array_equal(joined.observed, data.observed)
    assert_array_equal(joined.x, data.x)
    assert_array_equal(model.log_likelihood(joined), model.log_likelihood(x))


@every_kind
def test_a_state_without_weight_keeps_its_parameters(kind):
    rng = np.random.default_rng(4)
    model, x, weights = draw(kind, rng)
    weights[:, 1] = 0
    after = model.m_step(x, weights)
    for old, new in zip(parameters(model), parameters(after), strict=True):
        assert_array_equal(new[1], old[1])
        assert not np.allclose(new[[0, 2]], old[[0, 2]])
    if kind in FAMILIES:
        assert np.isnan(match_statistics(weights, model.sufficient_statistics(x))[1]).all()


@every_kind
def test_data_that_are_all_missing_change_nothing(kind):
    model, x, weights = draw(kind, np.random.default_rng(5))
    gaps = hide(x, range(30))
    assert (model.log_likelihood(gaps) == 0).all()
    assert_same(model.m_step(gaps, weights), model, rtol=0)


@every_family
def test_samples_have_the_expected_statistics(kind):
    rng = np.random.default_rng(6)
    model = emission(rng, kind, 3)
    T = 20_000
    for i in range(3):
        t = model.sufficient_statistics(model.sample(np.full(T, i), rng))
        error = np.abs(t.mean(axis=0) - expected_statistics(model)[i])
        assert (error <= 4.5 * t.std(axis=0) / np.sqrt(T) + 1e-12).all()


def test_samples_of_a_mixture_have_its_mean_and_covariance():
    rng = np.random.default_rng(6)
    model, T = emission(rng, "gaussian_mixture", 3), 20_000
    for i in range(3):
        w, m, C = model.weights[i], model.means[i], model.covariances[i]
        x, mean = model.sample(np.full(T, i), rng), w @ m
        covariance = np.einsum("k,kde->de", w, C + m[:, :, None] * m[:, None]) - np.outer(
            mean, mean
        )
        assert_allclose(x.mean(axis=0), mean, atol=4.5 * np.sqrt(covariance.max() / T))
        assert_allclose(np.cov(x.T), covariance, rtol=0.1, atol=0.1 * covariance.max())


@every_kind
def test_each_sample_comes_from_its_own_state(kind):
    unit, apart = np.stack([np.eye(3)] * 6), np.arange(6) % 2 * 30.0
    far = {
        "categorical": Categorical(np.eye(3)),
        "gaussian": Gaussian(1e3 * np.eye(3), unit[:3]),
        "poisson": Poisson(np.array([0.0, 1e3, 1e6])),
        "gaussian_mixture": GaussianMixture(
            np.full((3, 2), 0.5),
            (1e3 * np.repeat(np.eye(3), 2, axis=0) + apart[:, None]).reshape(3, 2, 3),
            unit.reshape(3, 2, 3, 3),
        ),
    }[kind]
    states = np.array([2, 0, 1, 1, 0, 2])
    x = far.sample(states, np.random.default_rng(7))
    assert far.log_likelihood(x).argmax(axis=1).tolist() == states.tolist()


@every_kind
def test_the_parameters_of_a_model_cannot_be_changed(kind):
    model = emission(np.random.default_rng(8), kind, 2)
    for name in names(model):
        with pytest.raises(ValueError, match="read-only"):
            getattr(model, name)[0] = 0
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(model, name, 0)


def test_a_model_does_not_follow_changes_of_the_array_it_was_made_from():
    rates = np.array([1.0, 2.0])
    model = Poisson(rates)
    rates[0] = 9
    assert model.rates.tolist() == [1, 2]
    assert rates.flags.writeable


# ---- the mixture's own M-step ----


@given(seeds)
def test_the_m_step_of_a_mixture_is_the_lectures_sums(seed):
    rng = np.random.default_rng(seed)
    model, x, weights = draw("gaussian_mixture", rng, T=12)
    new = model.m_step(x, weights)
    gamma = np.zeros((12, 3, 2))
    for t, i in np.ndindex(12, 3):
        joint = [
            w * stats.multivariate_normal(m, C).pdf(x[t])
            for w, m, C in zip(model.weights[i], model.means[i], model.covariances[i], strict=True)
        ]
        gamma[t, i] = weights[t, i] * np.array(joint) / sum(joint)
    assert_allclose(gamma.sum(axis=2), weights)
    for i, m in np.ndindex(3, 2):
        g = gamma[:, i, m]
        mean = sum(g[t] * x[t] for t in range(12)) / g.sum()
        scatter = sum(g[t] * np.outer(x[t] - mean, x[t] - mean) for t in range(12)) / g.sum()
        assert_allclose(new.weights[i, m], g.sum() / gamma[:, i].sum())
        assert_allclose(new.means[i, m], mean)
        assert_allclose(new.covariances[i, m], clip_eigenvalues(scatter, 1e-6), atol=1e-12)


def test_the_denominator_of_the_weights_runs_over_the_components():
    # Printed: sum_k sum_t gamma_imt, in which nothing depends on k. It gives 1/K to each.
    model, x, weights = draw("gaussian_mixture", np.random.default_rng(1))
    gamma = weights[:, :, None] * softmax(model.log_joint(x), axis=2)
    printed = gamma.sum(axis=0) / (2 * gamma.sum(axis=0))
    corrected = gamma.sum(axis=0) / gamma.sum(axis=(0, 2))[:, None]
    assert_array_equal(printed, 0.5)
    best = model.m_step(x, weights)
    assert_allclose(best.weights, corrected)
    wrong = GaussianMixture(printed, best.means, best.covariances)
    assert q_function(wrong, x, weights, model) < q_function(best, x, weights, model) - 0.1


def test_the_logarithm_in_q3_is_of_the_observation_and_its_component():
    # Printed: ln p(S_t, U_t | S_t), which has no x_t in it, so no mean or covariance could be
    # learned from it. Corrected: ln p(x_t, U_t | S_t), whose sum over gamma is the objective and
    # the entropy of U_t, a constant of the M-step.
    model, x, weights = draw("gaussian_mixture", np.random.default_rng(2))
    given_state = softmax(model.log_joint(x), axis=2)
    entropy = -(weights[:, :, None] * given_state * np.log(given_state)).sum()
    assert_allclose(q_function(model, x, weights, model) + entropy, objective(model, x, weights))
    printed = (weights[:, :, None] * given_state * np.log(model.weights)).sum()
    assert abs(printed + entropy - objective(model, x, weights)) > 1
    assert_array_equal(model.log_joint(x + 1)[0] != model.log_joint(x)[0], True)


def test_one_state_with_a_mixture_is_scikit_learns_mixture():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 2)) + 3 * rng.integers(2, size=(60, 1))
    model = GaussianMixture.template(2, floor=0.0).init(x, 1, rng)
    peer = mixture.GaussianMixture(
        2,
        tol=0,
        reg_covar=0,
        max_iter=7,
        weights_init=model.weights[0],
        means_init=model.means[0],
        precisions_init=np.linalg.inv(model.covariances[0]),
    )
    with pytest.warns(Warning, match="converge"):
        peer.fit(x)
    for _ in range(7):
        model = model.m_step(x, np.ones((60, 1)))
    assert_allclose(model.weights[0], peer.weights_)
    assert_allclose(model.means[0], peer.means_)
    assert_allclose(model.covariances[0], peer.covariances_)
    assert_allclose(model.log_likelihood(x)[:, 0], peer.score_samples(x))


def test_a_mixture_of_one_component_is_a_gaussian():
    rng = np.random.default_rng(4)
    one, x, weights = draw("gaussian", rng)
    many = GaussianMixture(np.ones((3, 1)), one.means[:, None], one.covariances[:, None])
    assert_allclose(many.log_likelihood(x), one.log_likelihood(x))
    assert_allclose(many.m_step(x, weights).means[:, 0], one.m_step(x, weights).means)
    assert_allclose(many.m_step(x, weights).covariances[:, 0], one.m_step(x, weights).covariances)


# ---- the floor, and digits ----


@given(seeds, st.integers(1, 3))
def test_clipped_eigenvalues_maximise_under_the_floor(seed, D):
    rng = np.random.default_rng(seed)
    floor = 0.5
    x = rng.normal(size=(4, D)) * rng.random(D)
    weights = rng.random((4, 1))
    model = Gaussian(np.zeros((1, D)), np.eye(D)[None], floor)
    best = model.m_step(x, weights)
    assert best.floor == floor
    assert np.linalg.eigvalsh(best.covariances[0])[0] >= floor - 1e-12
    top = objective(best, x, weights)
    for size in (1e-3, 1e-2, 1e-1, 1.0):
        above = rng.normal(size=(D, D)) * size
        eigenvalues, U = np.linalg.eigh(best.covariances[0] + above + above.T)
        other = (U * np.maximum(eigenvalues, floor)) @ U.T
        assert objective(Gaussian(best.means, other[None]), x, weights) <= top + 1e-12


def test_one_point_gets_the_floor_as_its_covariance():
    model = Gaussian(np.zeros((1, 2)), np.eye(2)[None], floor=0.25)
    after = model.m_step(np.array([[3.0, 4.0]]), np.ones((1, 1)))
    assert_array_equal(after.means, [[3, 4]])
    assert_allclose(after.covariances, [0.25 * np.eye(2)])
    mixed = GaussianMixture(np.ones((1, 1)), np.zeros((1, 1, 2)), np.eye(2)[None, None], floor=0.25)
    assert_allclose(
        mixed.m_step(np.array([[3.0, 4.0]]), np.ones((1, 1))).covariances,
        0.25 * np.eye(2)[None, None],
    )


def test_a_covariance_that_rounding_makes_singular_keeps_a_cholesky_factor():
    # Points on a line, in units so large that the floor is below the rounding of the other
    # eigenvalue.
    x = 1e9 * np.arange(5.0)[:, None] * np.array([1.0, 2.0])
    model = Gaussian(np.zeros((1, 2)), np.eye(2)[None]).m_step(x, np.ones((5, 1)))
    assert np.isfinite(model.log_likelihood(x)).all()


def test_clipping_a_stack_is_clipping_each():
    stack = covariances(np.random.default_rng(0), 3, 2)
    assert_allclose(clip_eigenvalues(stack, 0.8), [clip_eigenvalues(C, 0.8) for C in stack])
    assert_array_equal(clip_eigenvalues(stack, 0.0), stack)


@pytest.mark.parametrize("kind", ["gaussian", "gaussian_mixture"])
def test_data_far_from_the_origin_keep_their_digits(kind):
    rng = np.random.default_rng(9)
    model, x, weights = draw(kind, rng, T=50)
    x, far = np.round(x * 2**20) / 2**20, 2.0**26  # so that the sum below is exact
    moved = type(model)(**{n: getattr(model, n) + far * (n == "means") for n in names(model)})
    # The means, too, have to be exact for the comparison.
    back = type(model)(**{n: getattr(moved, n) - far * (n == "means") for n in names(model)})
    assert_allclose(moved.log_likelihood(x + far), back.log_likelihood(x), rtol=1e-9)
    near, there = back.m_step(x, weights), moved.m_step(x + far, weights)
    assert_allclose(there.covariances, near.covariances, rtol=1e-9, atol=1e-12)
    assert_allclose(there.means - far, near.means, atol=1e-7)


def test_a_narrow_state_in_widespread_data_keeps_its_digits():
    rng = np.random.default_rng(10)
    narrow = 1e-3 * rng.normal(size=(40, 1)) + 1e3
    x = np.vstack([narrow, -1e3 * np.ones((40, 1))])
    weights = np.repeat(np.eye(2), 40, axis=0)
    model = Gaussian(np.zeros((2, 1)), np.ones((2, 1, 1)), floor=1e-12).m_step(x, weights)
    assert_allclose(model.covariances[0, 0, 0], np.var(narrow), rtol=1e-9)
    expected = stats.norm(narrow.mean(), narrow.std()).logpdf(narrow[:, 0])
    assert_allclose(model.log_likelihood(narrow)[:, 0], expected, rtol=1e-9, atol=1e-9)


# ---- starts ----


@every_kind
@given(seeds, st.integers(1, 4))
def test_a_template_starts_every_state_elsewhere_within_the_data(kind, seed, N):
    rng = np.random.default_rng(seed)
    _, x, _ = draw(kind, rng)
    start = template(kind).init(x, N, rng)
    assert start.n_states == N
    assert np.isfinite(start.log_likelihood(x)).all()
    for name in names(start):
        if name in ("probs", "means"):
            values = getattr(start, name).reshape(N, -1)
            assert len(np.unique(values, axis=0)) == N
    gaps = template(kind).init(hide(x, [1, 2]), N, rng)
    assert np.isfinite(gaps.log_likelihood(x[3:])).all()


@every_kind
def test_a_template_takes_its_randomness_from_the_generator(kind):
    _, x, _ = draw(kind, np.random.default_rng(0))
    one, two, other = (template(kind).init(x, 2, np.random.default_rng(s)) for s in (1, 1, 2))
    assert_same(one, two, rtol=0)
    assert any(
        not np.array_equal(p, q) for p, q in zip(parameters(one), parameters(other), strict=True)
    )


@every_kind
def test_a_template_starts_more_states_than_there_are_distinct_points(kind):
    x = np.zeros((5, 2)) if kind.startswith("gaussian") else np.zeros(5, int)
    start = template(kind).init(x, 3, RNG)
    assert start.n_states == 3
    assert np.isfinite(start.log_likelihood(x)).all()


def test_a_template_passes_its_floor_on():
    x = np.random.default_rng(0).normal(size=(10, 2))
    assert Gaussian.template(floor=0.1).init(x, 2, RNG).floor == 0.1
    assert GaussianMixture.template(2, floor=0.1).init(x, 2, RNG).floor == 0.1
    assert_allclose(
        Gaussian.template(floor=9.0).init(x, 1, RNG).covariances[0], 9 * np.eye(2), atol=1e-14
    )


# ---- lists, and bad arguments ----

RNG = np.random.default_rng(0)


@pytest.mark.usefixtures("as_users_call")
def test_lists_and_whole_floats_do():
    model = Categorical([[0.5, 0.5]])
    assert_allclose(model.log_likelihood([0, 1.0]), np.log([[0.5], [0.5]]))
    assert Poisson([1, 2]).m_step([3, 5], [[1, 0], [1, 1]]).rates.tolist() == [4, 5]
    normal = Gaussian([[0, 0]], [[[1, 0], [0, 1]]])
    assert_allclose(normal.log_likelihood([[0, 0]]), [[-np.log(2 * np.pi)]])
    assert model.sample([0, 0, 0], np.random.default_rng(0)).shape == (3,)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Categorical([0.5, 0.5]), r"probs must have shape \(N, M\), got \(2,\)"),
        (lambda: Categorical([[0.5, 0.6]]), "row 0 of probs must sum to one"),
        (lambda: Categorical([[1.5, -0.5]]), "probs must not be negative"),
        (lambda: Categorical(np.zeros((0, 2))), "probs must have shape"),
        (lambda: Poisson([-1]), "rates must not be negative, got -1.0 at index 0"),
        (lambda: Poisson([np.inf]), "rates must be finite"),
        (lambda: Poisson(3.0), r"rates must have shape \(N\), got \(\)"),
        (lambda: Gaussian([[0, np.nan]], [np.eye(2)]), "means must be finite"),
        (lambda: Gaussian([0, 0], [np.eye(2)]), r"means must have shape \(N, D\)"),
        (
            lambda: Gaussian([[0, 0]], [np.eye(3)]),
            r"covariances must have shape \(N, D, D\) with N = 1, D = 2, got \(1, 3, 3\)",
        ),
        (lambda: Gaussian([[0, 0]], [[[1, 0.5], [0, 1]]]), r"covariances\[0\] must be symm"),
        (
            lambda: Gaussian([[0, 0]] * 2, [np.eye(2), [[1, 2], [2, 1]]]),
            r"covariances\[1\] must be positive definite, but its smallest eigenvalue is -1",
        ),
        (lambda: Gaussian([[0, 0]], [np.zeros((2, 2))]), "must be positive definite"),
        (lambda: Gaussian([[0, 0]], [np.eye(2)], floor=-1), "floor must not be negative"),
        (lambda: Gaussian.template(-1), "floor must not be negative"),
        (lambda: GaussianMixture.template(2, floor=-1), "floor must not be negative"),
        (lambda: GaussianMixture.template(0), "n_components must be at least 1, got 0"),
        (lambda: Categorical.template(0), "n_symbols must be at least 1, got 0"),
        (
            lambda: GaussianMixture([[0.5, 0.6]], np.zeros((1, 2, 2)), np.zeros((1, 2, 2, 2))),
            "row 0 of weights must sum to one",
        ),
        (
            lambda: GaussianMixture([[0.5, 0.5]], np.zeros((1, 1, 2)), np.zeros((1, 2, 2, 2))),
            r"means must have shape \(N, K, D\) with N = 1, K = 2, got \(1, 1, 2\)",
        ),
        (
            lambda: GaussianMixture([[0.5, 0.5]], np.zeros((1, 2, 2)), np.zeros((1, 2, 2))),
            r"covariances must have shape \(N, K, D, D\)",
        ),
        (
            lambda: GaussianMixture([[1]], np.zeros((1, 1, 2)), np.zeros((1, 1, 2, 2))),
            r"covariances\[0\] must be positive definite",
        ),
    ],
)
def test_bad_parameters_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


CATEGORICAL = Categorical(np.array([[0.5, 0.5], [0.1, 0.9]]))
GAUSSIAN = Gaussian(np.zeros((2, 2)), np.stack([np.eye(2)] * 2))
POISSON = Poisson(np.array([1.0, 2.0]))
MIXTURE = GaussianMixture(
    np.full((2, 2), 0.5), np.zeros((2, 2, 2)), np.stack([np.eye(2)] * 4).reshape(2, 2, 2, 2)
)


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
        (MIXTURE, [[0, 0, 0]], r"x must have shape \(T, D\) with D = 2, got \(1, 3\)"),
        (MIXTURE, [[0, 0], [0, np.nan]], "row 1 of x is partly NaN"),
    ],
)
def test_bad_data_are_named(model, x, message):
    with pytest.raises(ValueError, match=message):
        model.log_likelihood(x)
    with pytest.raises(ValueError, match=message):
        model.observations(x)
    with pytest.raises(ValueError, match=message):
        model.m_step(x, np.ones((len(x), 2)))
    with pytest.raises(ValueError, match=message):
        model.score(x, np.ones((len(x), 2)))
    if not isinstance(model, GaussianMixture):
        with pytest.raises(ValueError, match=message):
            model.sufficient_statistics(x)
    with pytest.raises(ValueError, match=message.replace("x ", r"x\[3\] ", 1)):
        model.observations(x, "x[3]")


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("model", "x"),
    [
        (CATEGORICAL, [0, 1]),
        (GAUSSIAN, [[0, 0], [1, 1]]),
        (POISSON, [0, 1]),
        (MIXTURE, [[0, 0], [1, 1]]),
    ],
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
    with pytest.raises(ValueError, match=message):
        model.score(x, weights)


def test_without_a_floor_a_state_cannot_shrink_on_one_point():
    model = Gaussian(np.zeros((1, 2)), np.eye(2)[None], floor=0.0)
    with pytest.raises(ValueError, match="must be positive definite"):
        model.m_step(np.zeros((1, 2)), np.ones((1, 1)))


@pytest.mark.parametrize("kind", ["gaussian", "gaussian_mixture"])
def test_a_start_below_the_floor_is_named(kind):
    model = emission(np.random.default_rng(0), kind, 2)
    model.check_floor()
    high = dataclasses.replace(model, floor=1e3)
    with pytest.raises(ValueError, match=r"covariances must start .* floor = 1000\.0, got 0\."):
        high.check_floor()
    # What an M-step leaves at the floor is not below it.
    x = np.zeros((3, 2))
    high.m_step(x, np.ones((3, 2))).check_floor()


@pytest.mark.usefixtures("as_users_call")
@every_kind
def test_a_start_without_data_is_named(kind):
    x = np.zeros((3, 2)) if kind.startswith("gaussian") else np.zeros(3, int)
    with pytest.raises(ValueError, match="n_states must be at least 1"):
        template(kind).init(x, 0, RNG)
    with pytest.raises(ValueError, match=r"rng must be a numpy\.random\.Generator"):
        template(kind).init(x, 2, 0)
    if kind != "categorical":  # whose start needs no data
        with pytest.raises(ValueError, match="x must have at least one observation"):
            template(kind).init(hide(x, range(3)), 2, RNG)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize("model", [CATEGORICAL, GAUSSIAN, POISSON, MIXTURE])
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
        match_statistics(distributions(np.random.default_rng(0), 2, 2), np.zeros((3, 1)))
