"""The lecture's example of a constraint: the maximum of x^2 y on a circle.

Lecture 3. With f = x^2 y and g = x^2 + y^2 - r^2, grad f = nu grad g reads

    2 x y = 2 nu x,    x^2 = 2 nu y,    x^2 + y^2 = r^2.

If x = 0, nu = 0: the two poles. Otherwise nu = y and x^2 = 2 y^2, so y = +-r / sqrt(3): four more.
"""

from typing import NamedTuple

import numpy as np

from latent import checks
from latent.shapes import Float, Real


class CriticalPoints(NamedTuple):
    """The six critical points of x^2 y on a circle.

    Attributes
    ----------
    points : array (6, 2)
        (x, y).
    multipliers : array (6,)
        nu in grad f = nu grad g.
    values : array (6,)
        f there.
    curvatures : array (6,)
        h''(t) for h(t) = f(r cos t, r sin t): below zero at a maximum on the circle.
    kinds : tuple of 6 str
        "global maximum", "local maximum", "local minimum" or "global minimum", on the circle.
    """

    points: Float[np.ndarray, "6 2"]
    multipliers: Float[np.ndarray, " 6"]
    values: Float[np.ndarray, " 6"]
    curvatures: Float[np.ndarray, " 6"]
    kinds: tuple[str, ...]


class Curve(NamedTuple):
    """Points of a curve r(t) on the constraint, and f along it.

    Attributes
    ----------
    points : array (..., 2)
        r(t).
    tangents : array (..., 2)
        r'(t), at right angles to grad g.
    h : array (...)
        h(t) = f(r(t)).
    slope : array (...)
        h'(t) = <grad f, r'(t)>, zero where grad f is at right angles to the curve.
    """

    points: Float[np.ndarray, "*grid 2"]
    tangents: Float[np.ndarray, "*grid 2"]
    h: float | Float[np.ndarray, "*grid"]
    slope: float | Float[np.ndarray, "*grid"]


def objective(points: Real[np.ndarray, "*grid 2"]) -> float | Float[np.ndarray, "*grid"]:
    """f(x, y) = x^2 y, the lecture's example.

    Parameters
    ----------
    points : array (..., 2)
        (x, y).

    Returns
    -------
    array (...)
        f.

    Raises
    ------
    ValueError
        If `points` does not have two columns or is not finite.
    """
    x, y = _coordinates(points)
    return x**2 * y


def objective_gradient(points: Real[np.ndarray, "*grid 2"]) -> Float[np.ndarray, "*grid 2"]:
    """Gradient grad f = (2 x y, x^2) of the example.

    Parameters
    ----------
    points : array (..., 2)
        (x, y).

    Returns
    -------
    array (..., 2)
        grad f.

    Raises
    ------
    ValueError
        If `points` does not have two columns or is not finite.
    """
    x, y = _coordinates(points)
    return np.stack([2 * x * y, x**2], axis=-1)


def constraint(
    points: Real[np.ndarray, "*grid 2"], radius: float
) -> float | Float[np.ndarray, "*grid"]:
    """g(x, y) = x^2 + y^2 - r^2, zero on the circle.

    Parameters
    ----------
    points : array (..., 2)
        (x, y).
    radius : float
        r, above zero.

    Returns
    -------
    array (...)
        g.

    Raises
    ------
    ValueError
        If `points` does not have two columns or is not finite, or `radius` is not above zero.
    """
    x, y = _coordinates(points)
    return x**2 + y**2 - checks.positive("radius", radius) ** 2


def constraint_gradient(points: Real[np.ndarray, "*grid 2"]) -> Float[np.ndarray, "*grid 2"]:
    """Gradient grad g = (2 x, 2 y) of the example's constraint, whatever the radius.

    Parameters
    ----------
    points : array (..., 2)
        (x, y).

    Returns
    -------
    array (..., 2)
        grad g.

    Raises
    ------
    ValueError
        If `points` does not have two columns or is not finite.
    """
    return 2 * checks.array("points", points, "... D", D=2)


def along_circle(t: float | Real[np.ndarray, "*grid"], radius: float) -> Curve:
    """The circle as a curve, r(t) = (r cos t, r sin t), and the example's f along it.

    The proof of the theorem: at a local maximum of h(t) = f(r(t)) is h'(t) = <grad f, r'(t)> = 0.

    Parameters
    ----------
    t : float or array (...)
        Angles.
    radius : float
        r, above zero.

    Returns
    -------
    Curve
        `points`, `tangents`, `h`, `slope`.

    Raises
    ------
    ValueError
        If `t` is not finite or `radius` is not above zero.

    Notes
    -----
    Lecture 3, "Analytically".
    """
    t, radius = checks.array("t", t, "..."), checks.positive("radius", radius)
    points = radius * np.stack([np.cos(t), np.sin(t)], axis=-1)
    tangents = _quarter_turn(points)
    slope = (objective_gradient(points) * tangents).sum(axis=-1)
    return Curve(points, tangents, objective(points), slope)


def lagrangian_gradient(
    points: Real[np.ndarray, "*grid 2"],
    multipliers: float | Real[np.ndarray, "*grid"],
    radius: float,
) -> Float[np.ndarray, "*grid 3"]:
    """Gradient of l(x, y, nu) = f - nu g: (grad f - nu grad g, -g), zero at a critical point.

    Parameters
    ----------
    points : array (..., 2)
        (x, y).
    multipliers : float or array (...)
        nu.
    radius : float
        r, above zero.

    Returns
    -------
    array (..., 3)
        The derivatives by x, y and nu.

    Raises
    ------
    ValueError
        If the shapes do not fit, an entry is not finite or `radius` is not above zero.
    """
    nu = _multipliers(multipliers, points)
    by_point = objective_gradient(points) - nu[..., None] * constraint_gradient(points)
    by_multiplier = -np.asarray(constraint(points, radius))
    return np.concatenate([by_point, by_multiplier[..., None]], axis=-1)


def lagrangian_hessian(
    points: Real[np.ndarray, "*grid 2"], multipliers: float | Real[np.ndarray, "*grid"]
) -> Float[np.ndarray, "*grid 3 3"]:
    """Second derivatives of l(x, y, nu) = f - nu g, also called the bordered Hessian.

    Its last diagonal entry is zero, so wherever grad g is not zero it has eigenvalues of both
    signs: every stationary point of l is a saddle. On the circle, where f has a local maximum its
    determinant is above zero, and where f has a local minimum, below.

    Parameters
    ----------
    points : array (..., 2)
        (x, y).
    multipliers : float or array (...)
        nu.

    Returns
    -------
    array (..., 3, 3)
        The Hessian in the order x, y, nu; it is the same for every radius.

    Raises
    ------
    ValueError
        If the shapes do not fit or an entry is not finite.
    """
    nu = _multipliers(multipliers, points)
    x, y = _coordinates(points)
    zero = np.zeros_like(x)
    rows = [
        [2 * y - 2 * nu, 2 * x, -2 * x],
        [2 * x, -2 * nu, -2 * y],
        [-2 * x, -2 * y, zero],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def critical_points(radius: float) -> CriticalPoints:
    """The six critical points of f = x^2 y on the circle of radius r.

    grad f = nu grad g reads x (y - nu) = 0 and x^2 = 2 nu y. Either x = 0, so that y = +-r and
    nu = 0, or nu = y, so that x^2 = 2 y^2 and, on the circle, y = +-r / sqrt(3).

    What kind a point is, the second derivative along the circle says: at a critical point
    h'' = r'^T (Hess f - nu Hess g) r'.

    Parameters
    ----------
    radius : float
        r, from 1e-100 to 1e100, as r^3 must be a float.

    Returns
    -------
    CriticalPoints
        (0, r), (0, -r) and then (+-r sqrt(2/3), +-r / sqrt(3)), with multiplier, value and kind.

    Raises
    ------
    ValueError
        If `radius` is out of range.

    Notes
    -----
    Lecture 3, "An example in R^2".
    """
    radius = checks.positive("radius", radius)
    if not 1e-100 <= radius <= 1e100:
        raise ValueError(f"radius must be from 1e-100 to 1e100, got {radius}")
    x, y = radius * np.sqrt(2 / 3), radius / np.sqrt(3)
    points = np.array([[0, radius], [0, -radius], [x, y], [x, -y], [-x, y], [-x, -y]])
    multipliers = np.where(points[:, 0] == 0, 0.0, points[:, 1])
    values = np.asarray(objective(points))
    tangents = _quarter_turn(points)
    hessians = lagrangian_hessian(points, multipliers)[:, :2, :2]  # Hess f - nu Hess g
    curvatures = np.einsum("ni,nij,nj->n", tangents, hessians, tangents)
    return CriticalPoints(points, multipliers, values, curvatures, _kinds(values, curvatures))


def _coordinates(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points = checks.array("points", points, "... D", D=2)
    return points[..., 0], points[..., 1]


def _multipliers(multipliers: object, points: np.ndarray) -> np.ndarray:
    """One multiplier for each point, also where one number is given for all."""
    multipliers = checks.array("multipliers", multipliers, "...")
    grid = np.shape(points)[:-1]
    if multipliers.shape not in ((), grid):
        raise ValueError(
            f"multipliers must be one number or have shape {grid}, one for each of points, "
            f"got {multipliers.shape}"
        )
    return np.broadcast_to(multipliers, grid)


def _quarter_turn(points: np.ndarray) -> np.ndarray:
    """r'(t) = (-y, x) of the circle through (x, y)."""
    return np.stack([-points[..., 1], points[..., 0]], axis=-1)


def _kinds(values: np.ndarray, curvatures: np.ndarray) -> tuple[str, ...]:
    kinds = []
    for value, curvature in zip(values, curvatures, strict=True):
        name, best = ("maximum", values.max()) if curvature < 0 else ("minimum", values.min())
        reach = "global" if np.isclose(value, best, rtol=1e-12, atol=0) else "local"
        kinds.append(f"{reach} {name}")
    return tuple(kinds)
