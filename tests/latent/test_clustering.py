import warnings
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_models import seeds
from sklearn.cluster import KMeans

import latent
from latent import clustering

X = np.array([[0.0, 0], [0, 1], [5, 5], [5, 6], [9, 0]])


@given(seeds, st.integers(1, 5), st.integers(1, 3))
def test_the_same_start_gives_scikit_learns_result(seed, K, D):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, D)) + 4 * rng.integers(3, size=(60, 1))
    means = latent.kmeans_plus_plus(x, K, rng)
    ours = latent.kmeans_from(x, means)
    theirs = KMeans(K, init=means, n_init=1, tol=0, algorithm="lloyd").fit(x)
    assert_allclose(ours.means, theirs.cluster_centers_)
    assert_array_equal(ours.assignments, theirs.labels_)
    assert_allclose(ours.trace[-1], theirs.inertia_, atol=1e-9)
    assert ours.converged


@given(seeds, st.integers(1, 6))
def test_j_never_increases_and_the_trace_starts_at_the_given_means(seed, K):
    rng = np.random.default_rng(seed)
    x, means = rng.normal(size=(50, 2)), 2 * rng.normal(size=(K, 2))
    fit = latent.kmeans_from(x, means)
    assert (np.diff(fit.trace) <= 1e-12 * fit.trace[0]).all()
    assert_allclose(fit.trace[0], latent.distortion(x, means, latent.assign(x, means)))
    assert_allclose(fit.trace[-1], latent.distortion(x, fit.means, fit.assignments))


@given(seeds)
def test_each_step_is_the_best_of_its_kind(seed):
    rng = np.random.default_rng(seed)
    x, means = rng.normal(size=(6, 2)), rng.normal(size=(2, 2))
    r = latent.assign(x, means)
    best = latent.distortion(x, means, r)
    others = [latent.distortion(x, means, np.array(o)) for o in product(range(2), repeat=6)]
    assert_allclose(best, min(others))
    new = latent.cluster_means(x, r, means)
    best = latent.distortion(x, new, r)
    for size in (1e-3, 1e-1, 1.0):
        assert best <= latent.distortion(x, new + size * rng.normal(size=(2, 2)), r)


def test_the_objective_is_the_double_sum_of_the_lecture():
    means = np.array([[0.0, 0], [5, 5]])
    assignments = np.array([0, 0, 1, 1, 1])
    r = np.eye(2)[assignments]
    J = sum(r[n, k] * ((X[n] - means[k]) ** 2).sum() for n in range(5) for k in range(2))
    assert latent.distortion(X, means, assignments) == J


def test_the_global_minimum_of_a_small_problem_is_found():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 2))
    starts = np.zeros((2, 2))
    best = min(
        latent.distortion(x, latent.cluster_means(x, r, starts), r)
        for r in (np.array(o) for o in product(range(2), repeat=8))
    )
    fit = latent.kmeans(x, 2, rng=rng, restarts=20)
    assert_allclose(fit.trace[-1], best)


def test_more_restarts_are_never_worse():
    x = np.random.default_rng(1).normal(size=(80, 2))
    ends = [
        latent.kmeans(x, 7, rng=np.random.default_rng(2), restarts=restarts).trace[-1]
        for restarts in (1, 5, 20)
    ]
    assert ends[0] >= ends[1] >= ends[2]
    assert ends[0] > ends[2]


def test_an_empty_cluster_keeps_its_mean():
    means = np.array([[0.0, 0], [5, 5], [100, 100]])
    fit = latent.kmeans_from(X, means)
    assert_array_equal(fit.means[2], [100, 100])
    assert set(fit.assignments) == {0, 1}


def test_a_tie_goes_to_the_first_mean():
    assert latent.assign(np.array([[1.0]]), np.array([[0.0], [2.0]])).tolist() == [0]


def nearest(x, means):
    """Brute force: the first of the nearest means, by the distances themselves."""
    return ((x[:, None, :] - means) ** 2).sum(axis=2).argmin(axis=1)


@given(seeds, st.integers(1, 6), st.integers(1, 3))
def test_ties_on_a_grid_go_to_the_first_mean(seed, K, D):
    rng = np.random.default_rng(seed)
    # Halves and thousands: every distance is exact, and the mean of the points is not.
    x = 1000.0 + rng.integers(-3, 4, size=(100, D))
    means = 1000.0 + rng.integers(-6, 7, size=(K, D)) / 2
    means[-1] = means[0]
    assert_array_equal(latent.assign(x, means), nearest(x, means))


@pytest.mark.parametrize("width", [1.0, 1e-4, 1e-9])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_assignments_are_by_distance_even_in_narrow_clusters_far_apart(width, offset):
    rng = np.random.default_rng(6)
    centres = offset + 1e3 * rng.normal(size=(4, 2))
    x = np.repeat(centres, 50, axis=0) + width * rng.normal(size=(200, 2))
    means = x[[0, 1, 50, 51, 100, 150]]  # two of them in the same narrow cluster, twice
    assert_array_equal(latent.assign(x, means), nearest(x, means))
    fit = latent.kmeans_from(x, means)
    assert_array_equal(fit.assignments, nearest(x, fit.means))
    assert_allclose(fit.trace[-1], ((x - fit.means[fit.assignments]) ** 2).sum(), rtol=1e-10)
    assert (np.diff(fit.trace) <= 1e-10 * fit.trace[:-1]).all()


def test_j_is_zero_if_every_point_has_its_own_mean():
    x = 1e3 + np.random.default_rng(7).normal(size=(20, 3))
    fit = latent.kmeans_from(x, x)
    assert fit.trace.max() < 1e-22
    assert_array_equal(fit.assignments, np.arange(20))


@given(seeds, st.integers(1, 6))
def test_the_run_is_the_steps_of_the_lecture_in_turn(seed, K):
    rng = np.random.default_rng(seed)
    x, means = rng.normal(size=(60, 3)), rng.normal(size=(K, 3))
    fit = latent.kmeans_from(x, means, max_iter=5)
    for i, J in enumerate(fit.trace):
        r = latent.assign(x, means)
        assert_allclose(latent.distortion(x, means, r), J)
        if i < len(fit.trace) - 1:
            means = latent.cluster_means(x, r, means)
    assert_allclose(fit.means, means, atol=1e-12)
    assert_array_equal(fit.assignments, r)


@pytest.mark.parametrize("n", [1, 9, 10, 11, 19, 20, 21])
def test_blocks_of_points_give_what_all_points_at_once_give(n, monkeypatch):
    rng = np.random.default_rng(8)
    x, means = rng.normal(size=(n, 2)), rng.normal(size=(3, 2))
    whole = latent.kmeans_from(x, means)
    monkeypatch.setattr(clustering, "BLOCK", 30)
    parts = latent.kmeans_from(x, means)
    assert_array_equal(parts.assignments, whole.assignments)
    assert_allclose(parts.means, whole.means, rtol=1e-13)
    assert_allclose(parts.trace, whole.trace, rtol=1e-12)


@pytest.mark.parametrize(("K", "D"), [(3, 2), (20, 2), (20, 16)])
def test_equal_iterations_give_scikit_learns_result(K, D):
    rng = np.random.default_rng(9)
    x = (
        100
        + rng.normal(size=(5000, D))
        + 2 * rng.normal(size=(1, D)) * rng.integers(5, size=(5000, 1))
    )
    means = x[rng.choice(5000, K, replace=False)]
    ours = latent.kmeans_from(x, means, max_iter=8)
    theirs = KMeans(K, init=means, n_init=1, max_iter=8, tol=0, algorithm="lloyd")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*did not converge")
        theirs.fit(x)
    assert len(ours.trace) - 1 == theirs.n_iter_ == 8
    assert_allclose(ours.means, theirs.cluster_centers_, rtol=1e-12)
    assert_array_equal(ours.assignments, theirs.labels_)
    assert_allclose(ours.trace[-1], theirs.inertia_, rtol=1e-11)


def test_the_number_of_distinct_points_counts_even_if_the_first_are_equal():
    x = np.concatenate([np.zeros(1000), np.arange(1.0, 5.0)])[:, None]
    means = latent.kmeans_plus_plus(x, 5, np.random.default_rng(10))
    assert sorted(means[:, 0]) == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="n_clusters must be at most 5, the number of distinct"):
        latent.kmeans_plus_plus(x, 6, np.random.default_rng(10))


def test_running_out_of_iterations_is_not_convergence():
    x = np.random.default_rng(3).normal(size=(200, 2))
    fit = latent.kmeans_from(x, x[:5], max_iter=1)
    assert not fit.converged
    assert len(fit.trace) == 2
    assert_array_equal(fit.assignments, latent.assign(x, fit.means))


@given(seeds)
def test_moving_the_data_moves_the_means(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 2))
    here, there = latent.kmeans_from(x, x[:3]), latent.kmeans_from(x + 100, x[:3] + 100)
    assert_array_equal(here.assignments, there.assignments)
    assert_allclose(here.means + 100, there.means)


@given(seeds)
def test_permuted_means_give_permuted_clusters(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, 2))
    p = np.array([2, 0, 1])
    one, two = latent.kmeans_from(x, x[:3]), latent.kmeans_from(x, x[:3][p])
    assert_allclose(one.means[p], two.means)
    assert_array_equal(one.assignments, p[two.assignments])


@given(seeds, st.integers(1, 5))
def test_kmeans_plus_plus_starts_at_distinct_points(seed, K):
    rng = np.random.default_rng(seed)
    x = np.repeat(X, 3, axis=0)
    means = latent.kmeans_plus_plus(x, K, rng)
    assert len(np.unique(means, axis=0)) == K
    assert all(mean in X.tolist() for mean in means.tolist())


def test_kmeans_plus_plus_draws_by_squared_distance():
    x, rng = np.array([[0.0], [1.0], [3.0]]), np.random.default_rng(4)
    pairs = [latent.kmeans_plus_plus(x, 2, rng)[:, 0] for _ in range(6000)]
    second = np.array([b for a, b in pairs if a == 0])
    assert len(second) == pytest.approx(2000, abs=150)
    assert (second == 3).mean() == pytest.approx(0.9, abs=0.03)


def test_old_faithful_has_short_and_long_eruptions():
    x = latent.data.old_faithful()
    fit = latent.kmeans((x - x.mean(axis=0)) / x.std(axis=0), 2, rng=np.random.default_rng(5))
    assert sorted(np.bincount(fit.assignments)) == [98, 174]


@pytest.mark.usefixtures("as_users_call")
def test_lists_and_integers_do():
    fit = latent.kmeans_from([[0], [1], [9]], [[0], [9]])
    assert fit.means.tolist() == [[0.5], [9]]
    assert latent.distortion([[0], [1]], [[0]], [0, 0]) == 1


RNG = np.random.default_rng(0)


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: latent.kmeans(X, 0, rng=RNG), "n_clusters must be at least 1, got 0"),
        (
            lambda: latent.kmeans(X, 6, rng=RNG),
            "n_clusters must be at most 5, the number of distinct points, got 6",
        ),
        (lambda: latent.kmeans_plus_plus([[0], [0], [1]], 3, RNG), "n_clusters must be at most 2"),
        (lambda: latent.kmeans(X, 2.0, rng=RNG), "n_clusters must be an integer, got 2.0"),
        (lambda: latent.kmeans(X, 2, rng=RNG, restarts=0), "restarts must be at least 1, got 0"),
        (lambda: latent.kmeans(X, 2, rng=RNG, max_iter=0), "max_iter must be at least 1, got 0"),
        (lambda: latent.kmeans(X, 2, rng=0), r"rng must be a numpy\.random\.Generator"),
        (lambda: latent.kmeans([1, 2, 3], 2, rng=RNG), r"x must have shape \(T, D\), got \(3,\)"),
        (lambda: latent.kmeans([[1, np.inf]], 1, rng=RNG), "x must not be infinite, see row 0"),
        (lambda: latent.kmeans([[1, np.nan]], 1, rng=RNG), "row 0 of x is partly NaN"),
        (
            lambda: latent.kmeans([[0], [np.nan]], 1, rng=RNG),
            r"row 1 of x is missing \(NaN\); leave",
        ),
        (lambda: latent.kmeans_from(X, [[0, 0, 0]]), r"means must have shape \(K, D\) with D = 2"),
        (lambda: latent.kmeans_from(X, [[0, np.nan]]), "means must be finite"),
        (lambda: latent.kmeans_from(X, np.zeros((0, 2))), "means must have shape"),
        (lambda: latent.kmeans_from(X, X[:2], max_iter=0), "max_iter must be at least 1"),
        (lambda: latent.assign(X, [[0]]), "means must have shape"),
        (lambda: latent.distortion(X, X[:2], [0, 1, 2, 0, 0]), "assignments must be from 0 to 1"),
        (
            lambda: latent.distortion(X, X[:2], [0, 1]),
            r"assignments must have shape \(T\) with T = 5",
        ),
        (lambda: latent.cluster_means(X, [0.5] * 5, X[:2]), "assignments must be integers"),
        (
            lambda: latent.cluster_means(X, [-1] * 5, X[:2]),
            "assignments must be from 0 to 1, got -1",
        ),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
