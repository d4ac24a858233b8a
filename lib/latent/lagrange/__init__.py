"""Lagrange multipliers: where a maximum under a constraint can be, in three closed forms.

Lecture 3. At a local maximum of f on the surface g = 0, and where grad g is not zero, the level
curve of f is tangent to the surface:

    grad f = nu grad g,    g = 0:    the stationary points of l = f - nu g.

There is one sign for all equalities here, this one (with l = f + nu g every multiplier changes its
sign and no point moves). The multiplier is `nu`, as lambda is taken by the parameters of models. A
stationary point of l is a saddle of l, not a maximum: l is linear in nu.

1. The lecture's example: f = x^2 y on the circle g = x^2 + y^2 - r^2 = 0 (`critical_points`).
2. The simplex: f = sum_k c_k ln pi_k and g = sum_k pi_k - 1, which gives the weights of a mixture
   and q, A and B of a hidden Markov model alike (`simplex_mle`).
3. An inequality g >= 0: the conditions of Karush, Kuhn and Tucker, on a half-plane (`kkt`).
"""

from latent.lagrange.circle import (
    CriticalPoints,
    Curve,
    along_circle,
    constraint,
    constraint_gradient,
    critical_points,
    lagrangian_gradient,
    lagrangian_hessian,
    objective,
    objective_gradient,
)
from latent.lagrange.inequality import KKT, half_plane, hill, hill_gradient, kkt
from latent.lagrange.simplex import SimplexMaximum, simplex_mle, simplex_objective

__all__ = [
    "KKT",
    "CriticalPoints",
    "Curve",
    "SimplexMaximum",
    "along_circle",
    "constraint",
    "constraint_gradient",
    "critical_points",
    "half_plane",
    "hill",
    "hill_gradient",
    "kkt",
    "lagrangian_gradient",
    "lagrangian_hessian",
    "objective",
    "objective_gradient",
    "simplex_mle",
    "simplex_objective",
]
