"""The maximum under an inequality: the conditions of Karush, Kuhn and Tucker on a half-plane.

Lecture 3, "Inequality constraints". At a maximum of f where g >= 0,

    grad f + nu grad g = 0,    g >= 0,    nu >= 0,    nu g = 0.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg

from latent import checks
from latent.shapes import Float, Real


class KKT(NamedTuple):
    """The maximum of f where g >= 0, and the conditions that tell it.

    Attributes
    ----------
    point : array (D,)
        The maximiser x*.
    multiplier : float
        nu >= 0 in grad f = -nu grad g.
    value : float
        f(x*).
    slack : float
        g(x*) >= 0.
    product : float
        nu g(x*) = 0, complementary slackness: one of the two is zero.
    residual : array (D,)
        grad f + nu grad g at x*, zero by stationarity.
    active : bool
        Whether x* is on the border g = 0.
    border_point : array (D,)
        The maximiser of f on the border, where g = 0.
    border_multiplier : float
        Its multiplier, of either sign: if it is below zero, f grows from the border inwards, and
        the constraint lets go.
    """

    point: Float[np.ndarray, " D"]
    multiplier: float
    value: float
    slack: float
    product: float
    residual: Float[np.ndarray, " D"]
    active: bool
    border_point: Float[np.ndarray, " D"]
    border_multiplier: float


def hill(
    points: Real[np.ndarray, "*grid D"],
    peak: Real[np.ndarray, " D"],
    precision: Real[np.ndarray, "D D"],
) -> float | Float[np.ndarray, "*grid"]:
    """f(x) = -(x - c)^T P (x - c) / 2, what `kkt` maximises.

    Parameters
    ----------
    points : array (..., D)
        x.
    peak : array (D,)
        c, where f = 0 is largest.
    precision : array (D, D)
        P, symmetric positive definite.

    Returns
    -------
    array (...)
        f.

    Raises
    ------
    ValueError
        If the shapes do not fit or `precision` is not symmetric positive definite.
    """
    points, peak, precision = _hill(points, peak, precision)
    return -((points - peak) @ precision * (points - peak)).sum(axis=-1) / 2


def hill_gradient(
    points: Real[np.ndarray, "*grid D"],
    peak: Real[np.ndarray, " D"],
    precision: Real[np.ndarray, "D D"],
) -> Float[np.ndarray, "*grid D"]:
    """Gradient grad f = -P (x - c) of the hill.

    Parameters
    ----------
    points : array (..., D)
        x.
    peak : array (D,)
        c.
    precision : array (D, D)
        P, symmetric positive definite.

    Returns
    -------
    array (..., D)
        grad f.

    Raises
    ------
    ValueError
        If the shapes do not fit or `precision` is not symmetric positive definite.
    """
    points, peak, precision = _hill(points, peak, precision)
    return -(points - peak) @ precision


def half_plane(
    points: Real[np.ndarray, "*grid D"], normal: Real[np.ndarray, " D"], offset: float
) -> float | Float[np.ndarray, "*grid"]:
    """g(x) = n^T x - b, not negative where `kkt` may go; its gradient is n, which points inwards.

    Parameters
    ----------
    points : array (..., D)
        x.
    normal : array (D,)
        n.
    offset : float
        b.

    Returns
    -------
    array (...)
        g.

    Raises
    ------
    ValueError
        If the shapes do not fit or an entry is not finite.
    """
    normal = checks.array("normal", normal, "D")
    points = checks.array("points", points, "... D", D=len(normal))
    return points @ normal - float(checks.array("offset", offset, ""))


def kkt(
    peak: Real[np.ndarray, " D"],
    precision: Real[np.ndarray, "D D"],
    normal: Real[np.ndarray, " D"],
    offset: float,
) -> KKT:
    """Maximise the hill f = -(x - c)^T P (x - c) / 2 where g = n^T x - b >= 0.

    With l = f + nu g and nu >= 0 the conditions are

        grad f + nu grad g = 0,    g >= 0,    nu >= 0,    nu g = 0.

    On the border, -P (x - c) = -nu n gives x = c + nu P^{-1} n, and g = 0 there gives
    nu = (b - n^T c) / (n^T P^{-1} n). If this nu is not negative, grad f points out of the region,
    and x is the maximum: the constraint is active. Otherwise the peak is inside, and nu = 0.

    The sign differs from the equality's, grad f = nu grad g, because for an inequality it carries
    meaning: grad g points inwards, so at a maximum on the border grad f must point the other way.

    Parameters
    ----------
    peak : array (D,)
        c.
    precision : array (D, D)
        P, symmetric positive definite.
    normal : array (D,)
        n, not zero.
    offset : float
        b: the border moves along n as it grows, and reaches the peak at b = n^T c.

    Returns
    -------
    KKT
        The maximum, its multiplier, and each condition's value.

    Raises
    ------
    ValueError
        If the shapes do not fit, `precision` is not symmetric positive definite or `normal` is
        zero.

    Notes
    -----
    Lecture 3, "Inequality constraints".
    """
    peak = checks.array("peak", peak, "D")
    precision = checks.covariance("precision", precision, "D D", D=len(peak))
    normal = checks.array("normal", normal, "D", D=len(peak))
    direction = scipy.linalg.solve(precision, normal, assume_a="pos")
    if not normal @ direction > 0:
        raise ValueError(f"normal must not be zero, got {normal}")
    border_nu = float(-half_plane(peak, normal, offset) / (normal @ direction))
    border = peak + border_nu * direction
    active = border_nu >= 0
    point, nu = (border, border_nu) if active else (peak, 0.0)
    slack = float(half_plane(point, normal, offset))
    residual = hill_gradient(point, peak, precision) + nu * normal
    value = float(hill(point, peak, precision))
    return KKT(point, nu, value, slack, nu * slack, residual, active, border, border_nu)


def _hill(points: object, peak: object, precision: object) -> tuple[np.ndarray, ...]:
    peak = checks.array("peak", peak, "D")
    points = checks.array("points", points, "... D", D=len(peak))
    return points, peak, checks.covariance("precision", precision, "D D", D=len(peak))
