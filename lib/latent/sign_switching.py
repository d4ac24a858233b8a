"""A time series whose coefficient switches sign: EM with one parameter.

Lecture 1, "Example with timeseries". x_0 = 0 and x_t = S_t lambda x_{t-1} + W_t, with S_t = -1 or
+1 equally likely and independent, and W_t ~ N(0, sigma^2). With gamma_{+,t} = p(S_t = +1 | x,
lambda'),

    gamma_{+,t} - gamma_{-,t} = tanh(lambda' x_t x_{t-1} / sigma^2),
    lambda* = sum_t tanh(lambda' x_t x_{t-1} / sigma^2) x_t x_{t-1} / sum_t x_{t-1}^2.

`lam` is lambda, which Python keeps for itself. As the sign of lambda cannot be told from the data,
lambda and -lambda have the same evidence, and lambda = 0 is a fixed point between them.
"""

import numpy as np
from scipy.special import expit

from latent import checks
from latent.emissions import Sample
from latent.fitting import Fit, em
from latent.shapes import Float, Int, Real


def sample(lam: float, sigma: float, n_steps: int, rng: np.random.Generator) -> Sample:
    """Draw the signs and the series.

    Parameters
    ----------
    lam : float
        lambda.
    sigma : float
        Standard deviation of the noise, above zero.
    n_steps : int
        T.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Sample
        `states` (T,) of -1 and +1, and `x` (T,).

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    lam, sigma = _parameters(lam, sigma)
    n_steps, rng = checks.whole("n_steps", n_steps), checks.generator(rng)
    states = rng.choice([-1, 1], n_steps)
    noise = sigma * rng.standard_normal(n_steps)
    x = np.empty(n_steps)
    previous = 0.0
    for t in range(n_steps):
        x[t] = previous = states[t] * lam * previous + noise[t]
    return Sample(states, x)


def log_joint(
    states: Int[np.ndarray, " T"], lam: float, x: Real[np.ndarray, " T"], sigma: float
) -> float:
    """Log joint ln p(x, s | lambda) = sum_t [ln 1/2 + ln N(x_t; s_t lambda x_{t-1}, sigma^2)].

    Parameters
    ----------
    states : array (T,) of -1 and +1
        s_t.
    lam : float
        lambda.
    x : array (T,)
        x_1..x_T.
    sigma : float
        Standard deviation of the noise, above zero.

    Returns
    -------
    float
        The log joint in nats.

    Raises
    ------
    ValueError
        If an argument is out of range or the shapes do not fit.
    """
    x, previous = _series(x)
    states = checks.integers("states", states, "T", low=-1, high=2, T=len(x))
    if not states.all():
        raise ValueError("states must be -1 or +1, got 0")
    log_plus, log_minus = _log_joints(lam, x, previous, sigma)
    return float(np.where(states == 1, log_plus, log_minus).sum())


def posterior(lam: float, x: Real[np.ndarray, " T"], sigma: float) -> Float[np.ndarray, " T"]:
    """E-step: gamma_{+,t} = p(S_t = +1 | x) = 1 / (1 + exp(-2 lambda x_t x_{t-1} / sigma^2)).

    Parameters
    ----------
    lam : float
        lambda.
    x : array (T,)
        x_1..x_T.
    sigma : float
        Standard deviation of the noise, above zero.

    Returns
    -------
    array (T,)
        gamma_{+,t}; gamma_{-,t} is what is missing to one.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    lam, sigma = _parameters(lam, sigma)
    x, previous = _series(x)
    return expit(2 * lam * x * previous / sigma**2)


def q_function(lam: float, lam_old: float, x: Real[np.ndarray, " T"], sigma: float) -> float:
    """Q(lambda, lambda') = sum_t sum_i gamma_{i,t} ln p(S_t = i, x_t | x_{t-1}, lambda).

    The sum over i is over -1 and +1, and gamma_{i,t} = p(S_t = i | x, lambda').

    Parameters
    ----------
    lam : float
        lambda.
    lam_old : float
        lambda', at which the posterior is taken.
    x : array (T,)
        x_1..x_T.
    sigma : float
        Standard deviation of the noise, above zero.

    Returns
    -------
    float
        Q in nats, constants included.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    gamma = posterior(lam_old, x, sigma)
    x, previous = _series(x)
    log_plus, log_minus = _log_joints(lam, x, previous, sigma)
    return float((gamma * log_plus + (1 - gamma) * log_minus).sum())


def update(lam_old: float, x: Real[np.ndarray, " T"], sigma: float) -> float:
    """E-step and M-step in one: the lambda* at the top of the module.

    Parameters
    ----------
    lam_old : float
        lambda'.
    x : array (T,)
        x_1..x_T.
    sigma : float
        Standard deviation of the noise, above zero.

    Returns
    -------
    float
        The maximiser of Q(., lambda').

    Raises
    ------
    ValueError
        If an argument is out of range, or x_1..x_{T-1} are all zero, when x does not depend on
        lambda.
    """
    lam_old, sigma = _parameters(lam_old, sigma)
    x, previous = _series(x)
    return _m_step(np.tanh(lam_old * x * previous / sigma**2), x, previous)


def log_evidence(lam: float, x: Real[np.ndarray, " T"], sigma: float) -> float:
    """Log evidence ln p(x | lambda) = sum_t ln sum_i p(S_t = i, x_t | x_{t-1}, lambda).

    The sum over i is over -1 and +1.

    Parameters
    ----------
    lam : float
        lambda.
    x : array (T,)
        x_1..x_T.
    sigma : float
        Standard deviation of the noise, above zero.

    Returns
    -------
    float
        The log evidence in nats.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    x, previous = _series(x)
    return float(np.logaddexp(*_log_joints(lam, x, previous, sigma)).sum())


def fit(
    x: Real[np.ndarray, " T"],
    sigma: float,
    *,
    lam: float,
    max_iter: int = 200,
    tol: float = 1e-6,
) -> Fit:
    """EM from a given lambda.

    Parameters
    ----------
    x : array (T,)
        x_1..x_T.
    sigma : float
        Standard deviation of the noise, above zero.
    lam : float
        Where to start. EM keeps its sign, and stays at zero from zero.
    max_iter : int
        Largest number of M-steps.
    tol : float
        Gain of an iteration, in nats, at or below which the loop ends.

    Returns
    -------
    Fit
        `model` is lambda, a float.

    Raises
    ------
    ValueError
        If an argument is out of range, or x_1..x_{T-1} are all zero.
    """
    lam, sigma = _parameters(lam, sigma)
    x, previous = _series(x)
    return em(
        lam,
        lambda lam: (posterior(lam, x, sigma), log_evidence(lam, x, sigma)),
        lambda gamma: _m_step(2 * gamma - 1, x, previous),
        max_iter=max_iter,
        tol=tol,
    )


def _m_step(difference: np.ndarray, x: np.ndarray, previous: np.ndarray) -> float:
    """Maximise Q for given gamma_{+,t} - gamma_{-,t}."""
    if not previous.any():
        raise ValueError("x must have an entry other than zero before its last, or lambda is free")
    return float((difference * x * previous).sum() / (previous**2).sum())


def _log_joints(
    lam: float, x: np.ndarray, previous: np.ndarray, sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Both signs: ln p(S_t = +1, x_t | x_{t-1}) and ln p(S_t = -1, x_t | x_{t-1})."""
    lam, sigma = _parameters(lam, sigma)
    constant = -np.log(2) - np.log(sigma) - 0.5 * np.log(2 * np.pi)
    log_plus = constant - (x - lam * previous) ** 2 / (2 * sigma**2)
    log_minus = constant - (x + lam * previous) ** 2 / (2 * sigma**2)
    return log_plus, log_minus


def _parameters(lam: float, sigma: float) -> tuple[float, float]:
    return float(checks.array("lam", lam, "")), checks.positive("sigma", sigma)


def _series(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x_t and x_{t-1} for t = 1..T, where x_0 = 0."""
    x = checks.array("x", x, "T")
    return x, np.append(0.0, x[:-1])
