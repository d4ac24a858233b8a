"""Two estimates of the gradient of an expectation E_q[f(s)] with respect to the parameters of q.

Lecture 7, why the reconstruction term is sampled with the reparameterisation trick. Let q be
N(s; mu, diag(sigma_i^2)). To draw s ~ q and differentiate f(s) is no use: mu and sigma stand in the
density and not in f. There are two ways out.

The score function. Because dq = q d(ln q),

    d/dmu E_q[f(s)] = int f(s) dq(s)/dmu ds = E_q[f(s) d ln q(s)/dmu],
    d ln q / dmu_i = (s_i - mu_i) / sigma_i^2,
    d ln q / dsigma_i = ((s_i - mu_i)^2 / sigma_i^2 - 1) / sigma_i.

E_q[d ln q] = 0, so a constant b may be taken from f(s), the baseline; it changes the variance only.

Reparameterisation. s = mu + sigma eps with eps ~ N(0, I) has the density q, and now the parameters
stand in f:

    d/dmu_i E[f(mu + sigma eps)] = E[df/ds_i],
    d/dsigma_i E[f(mu + sigma eps)] = E[df/ds_i eps_i].

It needs the derivative of f, and f continuous; the score function asks for values of f alone.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np

from latent import checks
from latent.autodiff import Tensor, record
from latent.shapes import Float, Real

Values = TypeVar("Values", Tensor, np.ndarray)


class GaussianGradients(NamedTuple):
    """Estimates of the gradient of E_q[f(s)], one for each sample; their mean is the estimate.

    Attributes
    ----------
    mean : array (L, D)
        Of the derivatives with respect to mu_1, ..., mu_D.
    sd : array (L, D)
        Of the derivatives with respect to sigma_1, ..., sigma_D.
    """

    mean: Float[np.ndarray, "L D"]
    sd: Float[np.ndarray, "L D"]


def reparameterise(mean: Values, sd: Values, eps: Real[np.ndarray, "..."]) -> Values:
    """Return s = mu + sigma eps, which has the density N(s; mu, diag(sigma_i^2)).

    Parameters
    ----------
    mean : Tensor or array
        mu.
    sd : Tensor or array
        sigma.
    eps : array
        Standard normal numbers; the three shapes broadcast.

    Returns
    -------
    Tensor or array
        s: a Tensor if `mean` and `sd` are, so that gradients pass through it.

    Raises
    ------
    ValueError
        If the shapes do not broadcast.

    Notes
    -----
    Lecture 7, s = mu + A eps with A A^T = Sigma; here A = diag(sigma_i).
    """
    return mean + sd * eps


def score_function_gradient(
    f: Callable[[Tensor], Tensor],
    mean: Real[np.ndarray, " D"],
    sd: Real[np.ndarray, " D"],
    *,
    n_samples: int,
    rng: np.random.Generator,
    baseline: float = 0.0,
) -> GaussianGradients:
    """Estimate the gradient of E_q[f(s)] by (f(s) - b) d ln q(s).

    Parameters
    ----------
    f : callable
        f(s) takes a Tensor (L, D), a row a sample, and returns a Tensor (L,). Only its values are
        used.
    mean : array (D,)
        mu.
    sd : array (D,)
        sigma, above zero.
    n_samples : int
        L.
    rng : numpy.random.Generator
        Source of randomness.
    baseline : float
        b. The nearer it is to typical values of f, the smaller the variance; it may not depend on
        these samples.

    Returns
    -------
    GaussianGradients
        `mean` and `sd` (L, D).

    Raises
    ------
    ValueError
        If an argument is out of range or f returns another shape.

    Notes
    -----
    Lecture 7; Williams (1992), where it is called REINFORCE.
    """
    mean, sd, eps = _draw(mean, sd, n_samples, rng)
    baseline = float(checks.array("baseline", baseline, ""))
    values = _values(f, record(reparameterise(mean, sd, eps))).data[:, None] - baseline
    # (s - mu) / sigma is eps
    return GaussianGradients(values * eps / sd, values * (eps**2 - 1) / sd)


def reparameterised_gradient(
    f: Callable[[Tensor], Tensor],
    mean: Real[np.ndarray, " D"],
    sd: Real[np.ndarray, " D"],
    *,
    n_samples: int,
    rng: np.random.Generator,
) -> GaussianGradients:
    """Estimate the gradient of E_q[f(s)] by the derivative of f(mu + sigma eps).

    Parameters
    ----------
    f : callable
        f(s) takes a Tensor (L, D), a row a sample, and returns a Tensor (L,). A value may depend on
        its own row alone. It must be continuous; where it jumps, the estimate is wrong.
    mean : array (D,)
        mu.
    sd : array (D,)
        sigma, above zero.
    n_samples : int
        L.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    GaussianGradients
        `mean` and `sd` (L, D).

    Raises
    ------
    ValueError
        If an argument is out of range or f returns another shape.

    Notes
    -----
    Lecture 7; Kingma and Welling (2014). Its variance depends on the slope of f, and that of the
    score function on the size of f. For most losses the first is much smaller. For a small ripple
    such as f(s) = sin(20 s) it is larger.
    """
    mean, sd, eps = _draw(mean, sd, n_samples, rng)
    # A copy of mu and sigma for each sample: then the gradient of the sum has a row a sample.
    means, sds = Tensor(np.tile(mean, (len(eps), 1))), Tensor(np.tile(sd, (len(eps), 1)))
    values = _values(f, reparameterise(means, sds, eps))
    if values.tracked:  # a constant f has the gradient zero
        values.sum().backward()
    zero = np.zeros_like(eps)
    return GaussianGradients(
        zero if means.grad is None else means.grad, zero if sds.grad is None else sds.grad
    )


def _draw(
    mean: np.ndarray, sd: np.ndarray, n_samples: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean = checks.array("mean", mean, "D")
    sd = checks.above_zero("sd", sd, "D", D=len(mean))
    shape = (checks.whole("n_samples", n_samples), len(mean))
    return mean, sd, checks.generator(rng).standard_normal(shape)


def _values(f: Callable[[Tensor], Tensor], s: Tensor) -> Tensor:
    values = f(s)
    if values.shape != (len(s),):
        raise ValueError(
            f"f must return a number for each row, shape ({len(s)},), got {values.shape}"
        )
    return values
