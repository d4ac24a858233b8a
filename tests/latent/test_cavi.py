from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import covariances, distributions, hmm, seeds
from scipy import optimize
from scipy.special import logsumexp, softmax

import latent
from latent.cavi import cavi, cavi_normal
from latent.divergences import kl_normal

INF = np.inf


def random_target(rng, D):
    return 2 * rng.normal(size=D), covariances(rng, 1, D)[0]


def correlated(rho, s_1=1.0, s_2=2.0):
    return np.array([[s_1**2, rho * s_1 * s_2], [rho * s_1 * s_2, s_2**2]])


@given(seeds, st.integers(1, 5))
def test_the_means_become_exact_and_the_variances_are_those_given_all_others(seed, D):
    rng = np.random.default_rng(seed)
    mu, Sigma = random_target(rng, D)
    fit = cavi_normal(mu, Sigma, start=mu + 3 * rng.normal(size=D), max_iter=10_000, tol=1e-14)
    assert fit.converged
    assert_allclose(fit.means[-1], mu, atol=1e-5)
    assert_allclose(fit.covariance, np.diag(1 / np.diag(np.linalg.inv(Sigma))))
    assert (np.diag(fit.covariance) <= np.diag(Sigma) * (1 + 1e-12)).all()


@given(st.floats(-0.95, 0.95))
def test_a_sweep_shrinks_the_error_by_the_squared_correlation(rho):
    mu = np.array([1.0, -2.0])
    fit = cavi_normal(mu, correlated(rho), start=np.array([4.0, 3.0]), max_iter=4, tol=0.0)
    errors = fit.means - mu
    assert_allclose(errors[1:, 1], rho**2 * errors[:-1, 1], atol=1e-12)
    # The first update of a sweep follows the second coordinate along the regression of S_1 on S_2.
    assert_allclose(errors[1:, 0], rho * 0.5 * errors[:-1, 1], atol=1e-12)


@given(seeds, st.integers(1, 4))
def test_the_trace_is_minus_the_divergence_of_every_sweep_and_never_falls(seed, D):
    rng = np.random.default_rng(seed)
    mu, Sigma = random_target(rng, D)
    fit = cavi_normal(mu, Sigma, start=rng.normal(size=D), max_iter=20)
    assert len(fit.trace) == len(fit.means)
    assert (np.diff(fit.trace) >= 0).all()
    divergences = [kl_normal(m, fit.covariance, mu, Sigma) for m in fit.means]
    assert_allclose(fit.trace, [-kl for kl in divergences], atol=1e-10)


@given(seeds)
def test_every_update_is_the_expectation_of_the_log_density(seed):
    # ln q_i*(s) = E[ln p(s, S_others)] + constant, by quadrature over the other coordinate.
    rng = np.random.default_rng(seed)
    mu, Sigma = random_target(rng, 2)
    start = rng.normal(size=2)
    fit = cavi_normal(mu, Sigma, start=start, max_iter=1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(3)
    variance = np.diag(fit.covariance)
    other = start[1] + np.sqrt(variance[1]) * nodes
    s = np.linspace(-3, 3, 7)
    z = np.stack(np.meshgrid(s, other, indexing="ij"), axis=-1) - mu
    log_p = -0.5 * np.einsum("abi,ij,abj->ab", z, np.linalg.inv(Sigma), z)
    expected = log_p @ weights / weights.sum()
    log_q = -0.5 * (s - fit.means[1, 0]) ** 2 / variance[0]
    assert_allclose(np.ptp(expected - log_q), 0, atol=1e-9)


@given(seeds, st.integers(2, 3))
def test_a_numerical_optimiser_over_factorised_normals_finds_the_same(seed, D):
    rng = np.random.default_rng(seed)
    mu, Sigma = random_target(rng, D)
    fit = cavi_normal(mu, Sigma, start=np.zeros(D), max_iter=10_000, tol=1e-14)
    found = optimize.minimize(
        lambda v: kl_normal(v[:D], np.diag(np.exp(v[D:])), mu, Sigma), np.zeros(2 * D), tol=1e-10
    )
    assert_allclose(found.x[:D], fit.means[-1], atol=1e-3)
    assert_allclose(np.exp(found.x[D:]), np.diag(fit.covariance), rtol=1e-3)
    assert_allclose(found.fun, -fit.trace[-1], atol=1e-6)
    assert found.fun >= -fit.trace[-1] - 1e-9


def test_without_correlation_one_sweep_is_exact():
    fit = cavi_normal(np.array([1.0, 2.0]), np.diag([1.0, 4.0]), start=np.zeros(2))
    assert_allclose(fit.means[1], [1, 2])
    assert_allclose(fit.covariance, np.diag([1, 4]))
    assert_allclose(fit.trace[-1], 0, atol=1e-12)


@given(seeds)
def test_larger_blocks_are_never_worse_and_one_block_is_exact(seed):
    rng = np.random.default_rng(seed)
    mu, Sigma = random_target(rng, 4)
    Lambda = np.linalg.inv(Sigma)
    ends = []
    for blocks in ([0, 1, 2, 3], [0, 1, 0, 1], [0, 0, 0, 0]):
        fit = cavi_normal(
            mu, Sigma, start=np.zeros(4), blocks=np.array(blocks), max_iter=10_000, tol=1e-14
        )
        assert_allclose(fit.means[-1], mu, atol=1e-5)
        ends.append(fit.trace[-1])
        for label in set(blocks):
            block = np.flatnonzero(np.array(blocks) == label)
            here = np.ix_(block, block)
            assert_allclose(fit.covariance[here], np.linalg.inv(Lambda[here]), atol=1e-10)
    assert ends[0] <= ends[1] + 1e-9
    assert ends[1] <= ends[2] + 1e-9
    assert_allclose(ends[2], 0, atol=1e-9)
    assert_allclose(fit.covariance, Sigma, atol=1e-9)


def test_blocks_are_replaced_in_the_order_of_their_numbers():
    mu, Sigma = np.zeros(2), correlated(0.8)
    start = np.array([3.0, 1.0])
    second_first = cavi_normal(mu, Sigma, start=start, blocks=np.array([7, 2]), max_iter=1)
    # S_2 moves to its regression on S_1, 0.8 * 2 * 3, and then S_1 to that on S_2.
    assert_allclose(second_first.means[1], [0.8 * 0.5 * 4.8, 4.8])


def test_running_out_of_sweeps_is_not_convergence():
    mu, Sigma = np.zeros(2), correlated(0.9)
    fit = cavi_normal(mu, Sigma, start=np.array([1.0, 1.0]), max_iter=2)
    assert fit.converged is False
    assert fit.means.shape == (3, 2)
    assert cavi_normal(mu, Sigma, start=np.array([1.0, 1.0]), max_iter=500).converged is True


def test_starting_at_the_mean_stays_there():
    mu = np.array([1.0, -1.0])
    fit = cavi_normal(mu, correlated(0.5), start=mu)
    assert fit.converged
    assert_allclose(fit.means, np.tile(mu, (len(fit.means), 1)))


def random_table(rng, shape):
    return 2 * rng.normal(size=shape)


def random_factors(rng, shape):
    return [distributions(rng, K) for K in shape]


SHAPES = st.sampled_from([(3,), (2, 2), (2, 3), (3, 2, 2), (2, 2, 2, 2)])


@given(seeds, SHAPES)
def test_every_factor_ends_as_the_exponential_of_the_expected_log_joint(seed, shape):
    rng = np.random.default_rng(seed)
    table = random_table(rng, shape)
    fit = cavi(table, random_factors(rng, shape), max_iter=2000, tol=1e-13)
    assert fit.converged
    for i, q_i in enumerate(fit.model):
        expected = np.zeros(shape[i])
        for s in product(*map(range, shape)):
            weight = np.prod(
                [q[k] for j, (q, k) in enumerate(zip(fit.model, s, strict=True)) if j != i]
            )
            expected[s[i]] += weight * table[s]
        assert_allclose(q_i, softmax(expected), atol=1e-5)


@given(seeds, SHAPES)
def test_the_bound_never_falls_and_stays_below_the_evidence(seed, shape):
    rng = np.random.default_rng(seed)
    table = random_table(rng, shape)
    start = random_factors(rng, shape)
    fit = cavi(table, start, max_iter=50)
    assert (np.diff(fit.trace) >= 0).all()
    assert fit.trace[-1] <= logsumexp(table) + 1e-12
    for factors, bound in ((start, fit.trace[0]), (fit.model, fit.trace[-1])):
        q = np.array([np.prod(c) for c in product(*factors)])
        assert_allclose(latent.elbo(q, table.reshape(-1)), bound, atol=1e-10)


@given(seeds, st.sampled_from([(2, 3), (3, 2, 2)]))
def test_a_numerical_optimiser_over_factors_finds_nothing_better_nearby(seed, shape):
    rng = np.random.default_rng(seed)
    table = random_table(rng, shape)
    fit = cavi(table, random_factors(rng, shape), max_iter=5000, tol=1e-14)
    ends = np.cumsum(shape)[:-1]

    def minus_bound(v):
        q = np.array([np.prod(c) for c in product(*map(softmax, np.split(v, ends)))])
        return -latent.elbo(q, table.reshape(-1))

    found = optimize.minimize(minus_bound, np.log(np.concatenate(fit.model) + 1e-12))
    assert_allclose(-found.fun, fit.trace[-1], atol=1e-6)


@given(seeds)
def test_independent_variables_are_exact_after_one_sweep(seed):
    rng = np.random.default_rng(seed)
    p = random_factors(rng, (2, 3))
    fit = cavi(np.log(0.3 * np.outer(*p)), random_factors(rng, (2, 3)))
    assert_allclose(fit.trace[1], np.log(0.3))
    for q_i, p_i in zip(fit.model, p, strict=True):
        assert_allclose(q_i, p_i)


def test_the_limit_depends_on_the_start():
    # Two variables that agree, one way or the other.
    table = np.log(np.array([[0.48, 0.02], [0.02, 0.48]]))
    for side in (0, 1):
        start = np.full(2, 0.4)
        start[side] = 0.6
        fit = cavi(table, [start, start])
        assert [q.argmax() for q in fit.model] == [side, side]
        assert fit.trace[-1] < -0.5  # ln p(x) = 0, and half of it lies on the other side


def test_the_path_of_a_hidden_markov_model_is_a_table_too():
    rng = np.random.default_rng(3)
    model = hmm(rng, "categorical", 2)
    x = model.sample(4, rng).x
    table = np.array([model.log_joint(x, np.array(s)) for s in product(range(2), repeat=4)])
    fit = cavi(table.reshape(2, 2, 2, 2), random_factors(rng, (2, 2, 2, 2)))
    assert fit.trace[0] < fit.trace[-1] < model.log_evidence(x)


def test_zeros_of_the_start_stay_and_hold_the_impossible():
    table = np.array([[-1.0, -2.0], [-3.0, -INF]])
    fit = cavi(table, [np.array([1.0, 0.0]), np.array([0.5, 0.5])])
    assert_array_equal(fit.model[0], [1, 0])
    assert_allclose(fit.model[1], softmax([-1, -2]))
    assert_allclose(fit.trace[-1], logsumexp([-1, -2]))


HALF = np.array([0.5, 0.5])
TABLE = np.zeros((2, 2))


@pytest.mark.usefixtures("as_users_call")
def test_lists_do():
    assert_allclose(cavi_normal([1], [[2]], start=[0]).means[-1], [1])
    assert_allclose(cavi([[0, 0], [0, 0]], [[0.5, 0.5], [1, 0]]).trace[-1], np.log(4))


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: cavi(TABLE, [HALF]),
            r"log_joint must have shape \(K_1\), got \(2, 2\)",
        ),
        (
            lambda: cavi(TABLE, [HALF, np.ones(3) / 3]),
            r"start\[1\] must have shape \(K\) with K = 2, got \(3,\)",
        ),
        (lambda: cavi(TABLE, [HALF, 2 * HALF]), r"start\[1\] must sum to one"),
        (lambda: cavi(TABLE, []), "start must have one distribution for each axis"),
        (lambda: cavi(TABLE * np.nan, [HALF, HALF]), "log_joint must be finite or -inf"),
        (
            lambda: cavi([[0, 0], [0, -INF]], [HALF, HALF]),
            "start must put no weight where log_joint is -inf",
        ),
        (lambda: cavi(TABLE, [HALF, HALF], max_iter=0), "max_iter must be at least 1"),
        (lambda: cavi(TABLE, [HALF, HALF], tol=-1), "tol must not be negative"),
        (
            lambda: cavi_normal([0, 0], np.eye(3), start=[0, 0]),
            r"covariance must have shape \(D, D\) with D = 2",
        ),
        (
            lambda: cavi_normal([0, 0], np.ones((2, 2)), start=[0, 0]),
            "covariance must be positive definite",
        ),
        (lambda: cavi_normal([0], [[1]], start=[0, 0]), r"start must have shape \(D\) with D = 1"),
        (lambda: cavi_normal([0], [[1]], start=[np.nan]), "start must be finite"),
        (
            lambda: cavi_normal([0], [[1]], start=[0], blocks=[0, 1]),
            r"blocks must have shape \(D\) with D = 1",
        ),
        (
            lambda: cavi_normal([0], [[1]], start=[0], blocks=[0.5]),
            "blocks must be integers",
        ),
        (
            lambda: cavi_normal([0], [[1]], start=[0], max_iter=0),
            "max_iter must be at least 1",
        ),
        (lambda: cavi_normal([0], [[1]], start=[0], tol=-1), "tol must not be negative"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
