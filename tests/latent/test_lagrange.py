import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from random_models import covariances, distributions, seeds
from scipy import optimize

import latent
from latent import lagrange

radii = st.floats(1e-2, 1e2)
grid_points = np.stack(np.meshgrid([-1.3, 0.2, 2.0], [-0.7, 0.0, 1.1]), axis=-1)


def differences(function, points, h=1e-5):
    """Gradient of a scalar function at each point, by central differences."""
    D = points.shape[-1]
    slopes = [(function(points + h * e) - function(points - h * e)) / (2 * h) for e in np.eye(D)]
    return np.stack(slopes, axis=-1)


# The theorem, on f = x^2 y and a circle


def test_gradients_are_the_slopes():
    assert_allclose(
        lagrange.objective_gradient(grid_points),
        differences(lagrange.objective, grid_points),
        atol=1e-8,
    )
    assert_allclose(
        lagrange.constraint_gradient(grid_points),
        differences(lambda p: lagrange.constraint(p, 1.5), grid_points),
        atol=1e-8,
    )


def test_the_lagrangians_derivatives_are_its_slopes():
    def lagrangian(v):
        return lagrange.objective(v[..., :2]) - v[..., 2] * lagrange.constraint(v[..., :2], 1.5)

    def gradient(v):
        return lagrange.lagrangian_gradient(v[..., :2], v[..., 2], 1.5)

    v = np.concatenate([grid_points, np.full((3, 3, 1), 0.4)], axis=-1)
    assert_allclose(gradient(v), differences(lagrangian, v), atol=1e-8)
    hessian = np.stack(
        [(gradient(v + 1e-5 * e) - gradient(v - 1e-5 * e)) / 2e-5 for e in np.eye(3)], axis=-1
    )
    assert_allclose(lagrange.lagrangian_hessian(v[..., :2], v[..., 2]), hessian, atol=1e-8)
    assert_allclose(
        lagrange.lagrangian_hessian(grid_points, 0.4), hessian, atol=1e-8
    )  # one for all


@given(radii)
def test_critical_points_solve_the_lecture_s_equations_at_any_radius(radius):
    points, nu, values, _, _ = lagrange.critical_points(radius)
    x, y = points.T / radius
    assert_allclose(x**2 + y**2, 1)
    assert_allclose(2 * x * y, nu / radius * 2 * x, atol=1e-14)
    assert_allclose(x**2, nu / radius * 2 * y, atol=1e-14)
    assert_allclose(values / radius**3, x**2 * y)
    assert_allclose(
        lagrange.lagrangian_gradient(points, nu, radius) / radius**2, np.zeros((6, 3)), atol=1e-14
    )
    assert len(np.unique(points, axis=0)) == 6


@given(radii)
def test_no_critical_point_is_missing(radius):
    t = np.linspace(-1e-3, 2 * np.pi - 1e-3, 3001)
    curve = lagrange.along_circle(t, radius)
    turns = np.flatnonzero(np.diff(np.sign(curve.slope)))
    found = curve.points[turns]
    nearest = np.abs(found[:, None] - lagrange.critical_points(radius).points).sum(axis=2)
    assert sorted(nearest.argmin(axis=1)) == [0, 1, 2, 3, 4, 5]
    assert (nearest.min(axis=1) < 0.01 * radius).all()


@given(radii)
def test_kinds_are_what_a_fine_scan_of_the_circle_sees(radius):
    scan = lagrange.along_circle(np.linspace(0, 2 * np.pi, 10_000), radius).h
    found = lagrange.critical_points(radius)
    seen = []
    for (x, y), value in zip(found.points, found.values, strict=True):
        beside = lagrange.along_circle(np.arctan2(y, x) + np.array([-0.01, 0.01]), radius).h
        kind = "maximum" if (beside < value).all() else "minimum"
        assert kind == "maximum" or (beside > value).all()
        best = scan.max() if kind == "maximum" else scan.min()
        reach = "global" if abs(value - best) < 1e-6 * radius**3 else "local"
        seen.append(f"{reach} {kind}")
    assert seen == list(found.kinds)
    assert sorted(seen) == ["global maximum"] * 2 + ["global minimum"] * 2 + [
        "local maximum",
        "local minimum",
    ]


@given(radii)
def test_curvatures_are_second_derivatives_along_the_circle(radius):
    found = lagrange.critical_points(radius)
    t = np.arctan2(found.points[:, 1], found.points[:, 0])
    ahead, behind = (lagrange.along_circle(t + by, radius).slope for by in (1e-5, -1e-5))
    assert_allclose(found.curvatures, (ahead - behind) / 2e-5, rtol=1e-6)


def test_the_bordered_hessian_tells_maxima_from_minima():
    found = lagrange.critical_points(2.0)
    determinants = np.linalg.det(lagrange.lagrangian_hessian(found.points, found.multipliers))
    assert [kind.endswith("maximum") for kind in found.kinds] == (determinants > 0).tolist()
    assert (np.abs(determinants) > 1).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_slsqp_ends_at_the_extrema_that_we_list_and_at_no_others(sign):
    radius = 1.7
    found = lagrange.critical_points(radius)
    wanted = {1: "minimum", -1: "maximum"}[sign]
    listed = found.points[[kind.endswith(wanted) for kind in found.kinds]]
    reached = set()
    for t in np.linspace(0.05, 2 * np.pi, 24):
        run = optimize.minimize(
            lambda p: sign * lagrange.objective(p),
            lagrange.along_circle(t, radius).points,
            jac=lambda p: sign * lagrange.objective_gradient(p),
            constraints={
                "type": "eq",
                "fun": lambda p: lagrange.constraint(p, radius),
                "jac": lagrange.constraint_gradient,
            },
            options={"ftol": 1e-14, "maxiter": 500},
        )
        distances = np.abs(listed - run.x).sum(axis=1)
        assert distances.min() < 1e-4
        reached.add(int(distances.argmin()))
    assert reached == {0, 1, 2}


# The proof: a point that moves on the constraint


@given(radii, seeds)
def test_the_curve_stays_on_the_constraint_and_its_tangent_is_at_right_angles(radius, seed):
    t = 10 * np.random.default_rng(seed).normal(size=7)
    points, tangents, h, slope = lagrange.along_circle(t, radius)
    assert_allclose(lagrange.constraint(points, radius) / radius**2, 0, atol=1e-14)
    across = (lagrange.constraint_gradient(points) * tangents).sum(axis=1)
    assert_allclose(across / radius**2, 0, atol=1e-14)
    ahead, behind = (lagrange.along_circle(t + by, radius) for by in (1e-5, -1e-5))
    assert_allclose(tangents, (ahead.points - behind.points) / 2e-5, atol=1e-7 * radius)
    assert_allclose(slope, (ahead.h - behind.h) / 2e-5, atol=1e-7 * radius**3)
    assert_allclose(h, lagrange.objective(points))


def test_the_slope_is_zero_exactly_where_the_gradients_are_parallel():
    curve = lagrange.along_circle(np.linspace(0, 2 * np.pi, 50), 1.3)
    f, g = lagrange.objective_gradient(curve.points), lagrange.constraint_gradient(curve.points)
    # g is 2 r'(t) turned back by a quarter, so the cross product of the gradients is 2 h'.
    assert_allclose(g[:, 0] * f[:, 1] - g[:, 1] * f[:, 0], 2 * curve.slope, atol=1e-12)
    found = lagrange.critical_points(1.3).points
    at = lagrange.along_circle(np.arctan2(found[:, 1], found[:, 0]), 1.3)
    assert_allclose(at.slope, 0, atol=1e-14)


# What the lecture prints, and what holds


def test_the_theorem_and_the_example_use_opposite_signs():
    radius = 3.0
    ours = lagrange.critical_points(radius)
    x, y = radius * np.sqrt(2 / 3), radius / np.sqrt(3)
    printed_point, printed_lambda = np.array([x, y]), -y
    f, g = (
        lagrange.objective_gradient(printed_point),
        lagrange.constraint_gradient(printed_point),
    )
    assert_allclose(f + printed_lambda * g, 0, atol=1e-12)  # the example's l = f + lambda g
    assert np.abs(f - printed_lambda * g).max() > 1  # the theorem's l = f - lambda g
    (n,) = np.flatnonzero(np.isclose(ours.points, printed_point).all(axis=1))
    assert_allclose(ours.multipliers[n], -printed_lambda)


def test_the_least_value_is_at_negative_y_and_not_at_both_signs_of_y():
    radius = 3.0
    x, y = radius * np.sqrt(2 / 3), radius / np.sqrt(3)
    least = -2 * radius**3 / (3 * np.sqrt(3))
    printed = lagrange.objective(np.array([[x, y], [x, -y]]))
    assert_allclose(printed, [-least, least])
    corrected = lagrange.objective(np.array([[x, -y], [-x, -y]]))
    assert_allclose(corrected, least)
    assert_allclose(lagrange.along_circle(np.linspace(0, 7, 100_000), radius).h.min(), least)


def test_the_poles_have_value_zero_and_are_a_local_minimum_and_a_local_maximum():
    found = lagrange.critical_points(3.0)
    assert found.points[:2].tolist() == [[0, 3], [0, -3]]
    assert found.values[:2].tolist() == [0, 0]
    assert found.kinds[:2] == ("local minimum", "local maximum")


def test_critical_points_are_saddles_of_the_lagrangian_which_has_no_maximum():
    radius = 3.0
    found = lagrange.critical_points(radius)
    eigenvalues = np.linalg.eigvalsh(lagrange.lagrangian_hessian(found.points, found.multipliers))
    assert (eigenvalues[:, 0] < -1).all()
    assert (eigenvalues[:, -1] > 1).all()
    inside, nu = np.array([1.0, 1.0]), np.array([1e1, 1e3, 1e5])
    values = lagrange.objective(inside) - nu * lagrange.constraint(inside, radius)
    assert (np.diff(values) > 1e3).all()
    # Even at the right multiplier the global maximum on the circle does not maximise l over (x, y).
    best = found.kinds.index("global maximum")

    def penalised(p):
        return lagrange.objective(p) - found.multipliers[best] * lagrange.constraint(p, radius)

    assert penalised(np.array([10.0, 10.0])) > penalised(found.points[best]) + 100


def test_without_a_gradient_of_g_the_theorem_fails():
    # f = -x on the cusp y^2 = x^3: the maximum is at the origin, where grad g = 0.
    t = np.linspace(-1, 1, 2001)
    x, y = t**2, t**3
    assert_allclose(y**2 - x**3, 0, atol=1e-15)
    assert (-x).argmax() == 1000
    assert x[1000] == y[1000] == 0
    gradient_f, gradient_g = np.array([-1.0, 0.0]), np.array([-3 * x[1000] ** 2, 2 * y[1000]])
    nearest = min(np.abs(gradient_f - nu * gradient_g).max() for nu in np.linspace(-1e3, 1e3, 99))
    assert nearest == 1


def test_the_same_circle_written_as_g_squared_has_no_multiplier():
    radius = 2.0
    found = lagrange.critical_points(radius)
    best = found.points[found.kinds.index("global maximum")]
    slope = differences(lambda p: lagrange.constraint(p, radius) ** 2, best)
    assert_allclose(slope, 0, atol=1e-8)
    assert np.abs(lagrange.objective_gradient(best)).max() > 1


# The simplex


@given(seeds, st.integers(1, 6))
def test_no_other_distribution_has_a_higher_likelihood(seed, K):
    rng = np.random.default_rng(seed)
    counts = rng.gamma(1.0, size=(4, K)) * (rng.random((4, K)) < 0.7)
    counts[:, rng.integers(K)] += 0.5
    best = lagrange.simplex_mle(counts)
    assert_allclose(best.probabilities.sum(axis=1), 1)
    assert_allclose(lagrange.simplex_objective(best.probabilities, counts), best.value)
    for size in (1e-3, 1e-1, 1.0):
        other = (1 - size) * best.probabilities + size * distributions(rng, 4, K)
        assert (lagrange.simplex_objective(other, counts) <= best.value + 1e-12).all()


@given(seeds)
def test_slsqp_finds_the_same_distribution_and_the_same_multiplier(seed):
    rng = np.random.default_rng(seed)
    counts = 1 + 9 * rng.random(4)
    best = lagrange.simplex_mle(counts)
    for _ in range(3):
        run = optimize.minimize(
            lambda pi: -counts @ np.log(pi),
            distributions(rng, 4) * 0.9 + 0.025,
            jac=lambda pi: -counts / pi,
            bounds=[(1e-6, 1)] * 4,
            constraints={"type": "eq", "fun": lambda pi: pi.sum() - 1},
            options={"ftol": 1e-13},
        )
        assert_allclose(best.probabilities, run.x, atol=1e-4)
        assert_allclose(best.value, -run.fun, rtol=1e-7)
    assert_allclose(counts / best.probabilities, best.multiplier)  # grad f = nu grad g


def test_what_was_never_counted_gets_nothing_and_its_bound_holds():
    counts = np.array([3.0, 0.0, 1.0])
    best = lagrange.simplex_mle(counts)
    assert_allclose(best.probabilities, [0.75, 0, 0.25])
    assert_allclose(best.value, 3 * np.log(0.75) + np.log(0.25))
    # Moving weight onto k = 1 costs nu for each unit, the multiplier of pi_1 >= 0.
    moved = lagrange.simplex_objective(
        np.array([0.75, 0, 0.25]) * (1 - 1e-6) + [0, 1e-6, 0], counts
    )
    assert_allclose((best.value - moved) / 1e-6, best.multiplier, rtol=1e-5)
    assert lagrange.simplex_objective(np.array([1.0, 0, 0]), counts) == -np.inf


def test_one_derivation_serves_the_weights_of_a_mixture_and_the_rows_of_a_chain():
    rng = np.random.default_rng(0)
    x = np.array([0, 2, 1, 1, 0, 2, 2])
    gamma = distributions(rng, 7, 2)
    letters = latent.Categorical(distributions(rng, 2, 3))
    expected_counts = gamma.T @ np.eye(3)[x]
    assert_allclose(
        lagrange.simplex_mle(expected_counts).probabilities, letters.m_step(x, gamma).probs
    )
    points = rng.normal(size=(7, 2))
    mixture = latent.GMM(np.array([0.5, 0.5]), points[:2], covariances(rng, 2, 2))
    weights = lagrange.simplex_mle(gamma.sum(axis=0))
    assert_allclose(weights.probabilities, mixture.m_step(points, gamma).weights)
    assert_allclose(weights.multiplier, 7)  # nu = T
    xi = distributions(rng, 5, 9).reshape(5, 3, 3)
    a = lagrange.simplex_mle(xi.sum(axis=0))
    assert_allclose(a.probabilities, xi.sum(axis=0) / xi.sum(axis=(0, 2))[:, None])
    assert a.multiplier.shape == a.value.shape == (3,)


# Inequalities


def random_problem(rng, D):
    return 2 * rng.normal(size=D), covariances(rng, 1, D)[0], rng.normal(size=D), rng.normal()


@given(seeds, st.integers(1, 3))
def test_the_conditions_of_kkt_hold(seed, D):
    problem = random_problem(np.random.default_rng(seed), D)
    peak, precision, normal, offset = problem
    best = lagrange.kkt(*problem)
    scale = 1 + np.abs(precision).max() * 10
    slope = differences(lambda p: lagrange.hill(p, peak, precision), best.point, h=1e-4)
    assert_allclose(slope + best.multiplier * normal, 0, atol=1e-7 * scale)
    assert_allclose(best.residual, 0, atol=1e-12 * scale)
    assert best.multiplier >= 0
    assert best.slack >= -1e-12
    assert_allclose(best.product, 0, atol=1e-12 * scale)
    assert_allclose(best.slack, lagrange.half_plane(best.point, normal, offset))
    assert_allclose(best.value, lagrange.hill(best.point, peak, precision))
    assert best.active == (lagrange.half_plane(peak, normal, offset) <= 0)


@given(seeds)
def test_slsqp_climbs_to_the_same_point(seed):
    rng = np.random.default_rng(seed)
    peak, precision, normal, offset = random_problem(rng, 2)
    best = lagrange.kkt(peak, precision, normal, offset)
    for _ in range(3):
        run = optimize.minimize(
            lambda p: -lagrange.hill(p, peak, precision),
            3 * rng.normal(size=2),
            jac=lambda p: -lagrange.hill_gradient(p, peak, precision),
            constraints={
                "type": "ineq",
                "fun": lambda p: lagrange.half_plane(p, normal, offset),
                "jac": lambda p: normal,
            },
            options={"ftol": 1e-14},
        )
        assert_allclose(run.x, best.point, atol=1e-5)
        assert_allclose(-run.fun, best.value, atol=1e-8)


def test_trust_constr_reports_the_same_multiplier():
    peak, precision = np.array([1.0, 0.5]), np.array([[2.0, 0.6], [0.6, 1.0]])
    normal, offset = np.array([1.0, 2.0]), 4.0
    best = lagrange.kkt(peak, precision, normal, offset)
    run = optimize.minimize(
        lambda p: -lagrange.hill(p, peak, precision),
        np.array([5.0, 5.0]),
        jac=lambda p: -lagrange.hill_gradient(p, peak, precision),
        hess=lambda p: precision,
        method="trust-constr",
        constraints=optimize.LinearConstraint(normal[None], offset, np.inf),
        options={"gtol": 1e-12, "xtol": 1e-14, "barrier_tol": 1e-12},
    )
    # It stays a little inside of the border, behind its barrier.
    assert_allclose(run.x, best.point, atol=1e-4)
    assert_allclose(abs(run.v[0][0]), best.multiplier, rtol=1e-3)


@given(seeds)
def test_the_multiplier_is_the_price_of_moving_the_border(seed):
    peak, precision, normal, _ = random_problem(np.random.default_rng(seed), 2)
    offset = normal @ peak + 0.5
    best, above, below = (
        lagrange.kkt(peak, precision, normal, float(offset + by)) for by in (0.0, 1e-4, -1e-4)
    )
    assert_allclose((below.value - above.value) / 2e-4, best.multiplier, rtol=1e-6)


def test_the_constraint_bites_once_it_has_moved_through_the_peak():
    peak, precision, normal = np.array([1.0, 2.0]), np.eye(2), np.array([0.0, 2.0])
    offsets = np.array([0.0, 3.0, 4.0, 5.0, 8.0])
    found = [lagrange.kkt(peak, precision, normal, float(offset)) for offset in offsets]
    assert [best.active for best in found] == [False, False, True, True, True]
    assert [best.multiplier for best in found] == [0, 0, 0, 0.25, 1]
    assert [best.slack for best in found] == [4, 1, 0, 0, 0]
    assert [best.point.tolist() for best in found] == [[1, 2], [1, 2], [1, 2], [1, 2.5], [1, 4]]
    # On the border the multiplier changes its sign there, and a negative one is refused.
    assert [best.border_multiplier for best in found] == [-1, -0.25, 0, 0.25, 1]
    assert [best.border_point.tolist() for best in found[:2]] == [[1, 0], [1, 1.5]]
    for best in found[:2]:
        assert best.value > lagrange.hill(best.border_point, peak, precision)


@given(seeds)
def test_at_an_active_constraint_the_gradients_point_in_opposite_directions(seed):
    peak, precision, normal, _ = random_problem(np.random.default_rng(seed), 2)
    best = lagrange.kkt(peak, precision, normal, float(normal @ peak + 1))
    f = lagrange.hill_gradient(best.point, peak, precision)
    assert_allclose(f @ normal / np.linalg.norm(f) / np.linalg.norm(normal), -1)


# Arguments


@pytest.mark.usefixtures("as_users_call")
def test_lists_and_integers_do():
    assert lagrange.objective([2, 3]) == 12
    assert lagrange.constraint([[0, 1]], 1).tolist() == [0]
    assert_allclose(lagrange.simplex_mle([1, 3]).probabilities, [0.25, 0.75])
    assert lagrange.kkt([0, 0], [[1, 0], [0, 1]], [1, 0], 2).point.tolist() == [2, 0]


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lagrange.critical_points(0), "radius must be above zero"),
        (lambda: lagrange.critical_points(1e-120), "radius must be from 1e-100 to 1e100"),
        (lambda: lagrange.objective([1, 2, 3]), r"points must have shape \(\.\.\., D\) with D = 2"),
        (lambda: lagrange.constraint([1, np.nan], 1), "points must be finite"),
        (lambda: lagrange.constraint([1, 1], -1), "radius must be above zero"),
        (lambda: lagrange.along_circle(np.inf, 1), "t must be finite"),
        (lambda: lagrange.lagrangian_hessian([[1, 1]], [1, 2]), "multipliers must be one number"),
        (lambda: lagrange.simplex_mle([1, -1]), "counts must not be negative"),
        (lambda: lagrange.simplex_mle([0, 0]), "counts must not all be zero, got zeros only$"),
        (lambda: lagrange.simplex_mle([[1, 0], [0, 0]]), r"got zeros only in row \[1\]"),
        (lambda: lagrange.simplex_objective([0.5, 0.6], [1, 1]), "probabilities must sum to one"),
        (lambda: lagrange.simplex_objective([0.5, 0.5], [1, 1, 1]), "counts must have shape"),
        (lambda: lagrange.kkt([0, 0], np.eye(2), [0, 0], 1), "normal must not be zero"),
        (lambda: lagrange.kkt([0, 0], -np.eye(2), [1, 0], 1), "precision must be positive def"),
        (lambda: lagrange.kkt([0, 0], np.eye(3), [1, 0], 1), "precision must have shape"),
        (lambda: lagrange.kkt([0, 0], np.eye(2), [1], 1), "normal must have shape"),
        (lambda: lagrange.half_plane([0, 0], [1, 0], np.nan), "offset must be finite"),
        (lambda: lagrange.hill([0], [0, 0], np.eye(2)), "points must have shape"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
