"""Bayesian learning: a coin, and a normal density of unknown mean and precision.

Lecture 4, "Choosing priors". Maximum likelihood asks for the w at which p(x | w) is largest, MAP
for the w at which p(w | x) ~ p(x | w) p(w) is, and the posterior keeps them all.

- Bernoulli with a Beta prior: w ~ Beta(a, b), and after h heads in T tosses
  w | x ~ Beta(a + h, b + T - h).
- Normal with a Normal-Gamma prior: with the precision tau = 1 / sigma^2,

      p(mu, tau) = N(mu; m, 1 / (beta tau)) Gamma(tau; a, b),

  in which beta counts observations that the prior is worth for the mean, and 2 a for the precision.
  It is the precision that has a Gamma density, and m must be free: only then is the posterior in
  the family of the prior.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import betaln, gammaln, xlog1py, xlogy

from latent import checks
from latent.shapes import Float, Real

LOG_2PI = np.log(2 * np.pi)


class Coin(NamedTuple):
    """What the tosses of a coin say about w, the probability of heads.

    Attributes
    ----------
    a, b : float
        The posterior is Beta(a, b).
    ml : float
        w_ML = h / T; NaN without a toss.
    map : float
        w_MAP, where the posterior density is largest; NaN where no single w is (a = b = 1: it is
        flat; a and b below one: it is unbounded at both ends).
    mean : float
        E[w | x] = a / (a + b).
    predictive : float
        p(x_{T+1} = 1 | x), the integral of w p(w | x): the mean.
    log_evidence : float
        ln p(x) of the tosses in the order in which they fell.
    """

    a: float
    b: float
    ml: float
    map: float
    mean: float
    predictive: float
    log_evidence: float


class NormalGammaSample(NamedTuple):
    """Draws of the mean and the precision.

    Attributes
    ----------
    mu : array (n,)
        Means.
    tau : array (n,)
        Precisions 1 / sigma^2.
    """

    mu: Float[np.ndarray, " n"]
    tau: Float[np.ndarray, " n"]


def beta_log_density(
    w: float | Real[np.ndarray, "*grid"], a: float, b: float
) -> float | Float[np.ndarray, "*grid"]:
    """Log density ln Beta(w; a, b) = (a - 1) ln w + (b - 1) ln(1 - w) - ln B(a, b).

    Parameters
    ----------
    w : float or array (...)
        Probabilities of heads, from 0 to 1.
    a, b : float
        Parameters, above zero.

    Returns
    -------
    array (...)
        The log density; infinite, of either sign, at an end where the density is zero or unbounded.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    w = checks.nonnegative("w", w, "...")
    if (w > 1).any():
        raise ValueError(f"w must be from 0 to 1, got {w.max()}")
    a, b = checks.positive("a", a), checks.positive("b", b)
    return xlogy(a - 1, w) + xlog1py(b - 1, -w) - betaln(a, b)


def beta_bernoulli(heads: int, tosses: int, a: float, b: float) -> Coin:
    """Learn the probability w of heads from h heads in T tosses and the prior Beta(a, b).

    p(w | x) ~ w^h (1 - w)^(T - h) w^(a - 1) (1 - w)^(b - 1), which is Beta(a + h, b + T - h), and
    p(x) = B(a + h, b + T - h) / B(a, b). Beta(1, 1) is uniform, and its MAP is the ML estimate;
    Beta(1/2, 1/2) is Jeffreys' prior.

    Parameters
    ----------
    heads : int
        h, how many of the tosses were 1.
    tosses : int
        T, from zero.
    a, b : float
        The prior, above zero: a - 1 heads and b - 1 tails seen beforehand, as far as the MAP can
        tell, and a and b as far as the mean can.

    Returns
    -------
    Coin
        Posterior, estimates, prediction and evidence.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    Lecture 4, "Frequentist vs Bayesian". Each toss is Bernoulli(w); the number of heads is
    binomial, and its probability is larger by a factor T! / (h! (T - h)!) that no estimate sees.
    """
    tosses = checks.whole("tosses", tosses, low=0)
    heads = checks.whole("heads", heads, low=0, high=tosses, why=", the number of tosses")
    a, b = checks.positive("a", a), checks.positive("b", b)
    new_a, new_b = a + heads, b + tosses - heads
    mean = new_a / (new_a + new_b)
    return Coin(
        a=new_a,
        b=new_b,
        ml=heads / tosses if tosses else np.nan,
        map=_beta_mode(new_a, new_b),
        mean=mean,
        predictive=mean,
        log_evidence=float(betaln(new_a, new_b) - betaln(a, b)),
    )


@dataclass(frozen=True, eq=False)
class NormalGamma:
    """p(mu, tau) = N(mu; m, 1 / (beta tau)) Gamma(tau; a, b), the conjugate prior of a normal.

    Parameters
    ----------
    mean : float
        m, the expected mu. The lecture writes the prior with m = 0; the posterior has another.
    beta : float
        Strength of the prior for mu, in observations; above zero.
    a : float
        Shape of the Gamma density of tau, above zero.
    b : float
        Rate of the Gamma density of tau, above zero; E[tau] = a / b.

    Raises
    ------
    ValueError
        If an argument is not finite, or `beta`, `a` or `b` is not above zero.

    Notes
    -----
    Lecture 4, "Applications" of Jeffreys' prior. With beta, a, b -> 0 it is, up to a constant,
    tau^(-1/2) in (mu, tau), which is 1 / sigma^2 in (mu, sigma): Jeffreys' prior for a normal
    density of which both are unknown. Its posterior is `jeffreys_posterior`.
    """

    mean: float
    beta: float
    a: float
    b: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", float(checks.array("mean", self.mean, "")))
        for name in ("beta", "a", "b"):
            object.__setattr__(self, name, checks.positive(name, getattr(self, name)))

    def log_density(
        self, mu: float | Real[np.ndarray, "..."], tau: float | Real[np.ndarray, "..."]
    ) -> float | Float[np.ndarray, "..."]:
        """Log density ln p(mu, tau), a density over (mu, tau).

        Parameters
        ----------
        mu : float or array
            Means.
        tau : float or array
            Precisions, above zero; `mu` and `tau` broadcast.

        Returns
        -------
        float or array
            ln N(mu; m, 1 / (beta tau)) + ln Gamma(tau; a, b).

        Raises
        ------
        ValueError
            If `mu` is not finite or `tau` not above zero.
        """
        mu, tau = checks.array("mu", mu, "..."), checks.above_zero("tau", tau, "...")
        a, b = self.a, self.b
        normal = (np.log(self.beta * tau) - LOG_2PI - self.beta * tau * (mu - self.mean) ** 2) / 2
        return normal + a * np.log(b) - gammaln(a) + (a - 1) * np.log(tau) - b * tau

    def log_density_sigma(
        self, mu: float | Real[np.ndarray, "..."], sigma: float | Real[np.ndarray, "..."]
    ) -> float | Float[np.ndarray, "..."]:
        """Log density ln p(mu, sigma), the same distribution as a density over (mu, sigma).

        With tau = sigma^(-2), p(mu, sigma) = p(mu, tau) |d tau / d sigma| = p(mu, tau) 2 sigma^-3.

        Parameters
        ----------
        mu : float or array
            Means.
        sigma : float or array
            Standard deviations, above zero; `mu` and `sigma` broadcast.

        Returns
        -------
        float or array
            The log density.

        Raises
        ------
        ValueError
            If `mu` is not finite or `sigma` not above zero.
        """
        sigma = checks.above_zero("sigma", sigma, "...")
        return self.log_density(mu, sigma**-2) + np.log(2) - 3 * np.log(sigma)

    def log_marginal_mu(
        self, mu: float | Real[np.ndarray, "*grid"]
    ) -> float | Float[np.ndarray, "*grid"]:
        """Log density ln p(mu), with tau integrated out: Student's t.

        Its 2 a degrees of freedom are centred at m with scale^2 = b / (a beta).

        Parameters
        ----------
        mu : float or array (...)
            Means.

        Returns
        -------
        array (...)
            The log density.

        Raises
        ------
        ValueError
            If `mu` is not finite.
        """
        mu = checks.array("mu", mu, "...")
        return _log_student(mu, 2 * self.a, self.mean, self.b / (self.a * self.beta))

    def log_predictive(
        self, x: float | Real[np.ndarray, "*grid"]
    ) -> float | Float[np.ndarray, "*grid"]:
        """Log density ln p(x) of one new observation, mu and tau integrated out: Student's t.

        Its 2 a degrees of freedom are centred at m with scale^2 = b (beta + 1) / (a beta). Several
        x are each taken alone; for their joint density see `log_evidence`.

        Parameters
        ----------
        x : float or array (...)
            Observations.

        Returns
        -------
        array (...)
            The log density at each of them.

        Raises
        ------
        ValueError
            If `x` is not finite.
        """
        x = checks.array("x", x, "...")
        scale2 = self.b * (self.beta + 1) / (self.a * self.beta)
        return _log_student(x, 2 * self.a, self.mean, scale2)

    def update(self, x: Real[np.ndarray, " T"]) -> "NormalGamma":
        """Posterior of (mu, tau) after x_1..x_T ~ N(mu, 1 / tau).

        With xbar the mean of the data and S = sum_t (x_t - xbar)^2:

            m'    = (beta m + T xbar) / (beta + T),    beta' = beta + T,
            a'    = a + T / 2,
            b'    = b + S / 2 + beta T (xbar - m)^2 / (2 (beta + T)).

        Parameters
        ----------
        x : array (T,)
            Observations.

        Returns
        -------
        NormalGamma
            The posterior; updating it by more data is updating by all of them at once.

        Raises
        ------
        ValueError
            If `x` is empty or not finite.

        Notes
        -----
        Lecture 4, conjugate priors; Bishop (2006), section 2.3.6.
        """
        x = checks.array("x", x, "T")
        T, xbar = len(x), x.mean()
        beta = self.beta + T
        shift = xbar - self.mean
        S = ((x - xbar) ** 2).sum()
        return NormalGamma(
            mean=float(self.mean + T / beta * shift),
            beta=beta,
            a=self.a + T / 2,
            b=float(self.b + S / 2 + self.beta * T / beta * shift**2 / 2),
        )

    def log_evidence(self, x: Real[np.ndarray, " T"]) -> float:
        """Log evidence ln p(x_1..x_T), mu and tau integrated out.

        It is the ratio of the normalising constants of posterior and prior:
        ln Gamma(a') - ln Gamma(a) + a ln b - a' ln b' + ln(beta / beta') / 2 - T / 2 ln 2 pi.

        Parameters
        ----------
        x : array (T,)
            Observations.

        Returns
        -------
        float
            The log evidence in nats.

        Raises
        ------
        ValueError
            If `x` is empty or not finite.
        """
        new = self.update(x)
        gammas = gammaln(new.a) - gammaln(self.a)
        rates = self.a * np.log(self.b) - new.a * np.log(new.b)
        strengths = np.log(self.beta / new.beta) / 2
        return float(gammas + rates + strengths - len(x) / 2 * LOG_2PI)

    def sample(self, n: int, rng: np.random.Generator) -> NormalGammaSample:
        """Draw tau ~ Gamma(a, b) and then mu ~ N(m, 1 / (beta tau)).

        Parameters
        ----------
        n : int
            Number of draws.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        NormalGammaSample
            `mu` (n,) and `tau` (n,).

        Raises
        ------
        ValueError
            If `n` is below one or `rng` is not a generator.
        """
        n, rng = checks.whole("n", n), checks.generator(rng)
        tau = rng.gamma(self.a, 1 / self.b, size=n)
        mu = self.mean + rng.standard_normal(n) / np.sqrt(self.beta * tau)
        return NormalGammaSample(mu, tau)


def jeffreys_posterior(x: Real[np.ndarray, " T"]) -> NormalGamma:
    """Posterior of (mu, tau) under Jeffreys' prior, 1 / sigma^2 in (mu, sigma).

    The prior is improper, the posterior is not: it is the limit of `NormalGamma.update` as the
    prior's beta, a and b go to zero, whatever its m: m' = xbar, beta' = T, a' = T / 2 and
    b' = sum_t (x_t - xbar)^2 / 2.

    Parameters
    ----------
    x : array (T,)
        Observations, at least two of them different.

    Returns
    -------
    NormalGamma
        The posterior.

    Raises
    ------
    ValueError
        If `x` is not finite, or all its entries are equal: then the posterior is improper too.

    Notes
    -----
    Lecture 4, "Applications" of Jeffreys' prior. With 1 / sigma as the prior instead, which is
    Jeffreys' only where mu is known, a' would be (T - 1) / 2.
    """
    x = checks.array("x", x, "T")
    if np.ptp(x) == 0:
        raise ValueError(f"x must have two entries that differ, got only {x[0]}")
    xbar = x.mean()
    return NormalGamma(float(xbar), float(len(x)), len(x) / 2, float(((x - xbar) ** 2).sum() / 2))


def _beta_mode(a: float, b: float) -> float:
    if (a < 1 and b < 1) or a == b == 1:
        return np.nan
    if a <= 1 or b <= 1:  # the density only falls, or only rises
        return float(a > b)
    return (a - 1) / (a + b - 2)


def _log_student(
    x: Float[np.ndarray, "*grid"], dof: float, centre: float, scale2: float
) -> float | Float[np.ndarray, "*grid"]:
    """Log density of Student's t with `dof` degrees of freedom."""
    # 1 / B(1/2, dof/2) is the ratio of two Gamma functions, exact for many degrees of freedom too.
    constant = -betaln(0.5, dof / 2) - np.log(dof * scale2) / 2
    return constant - (dof + 1) / 2 * np.log1p((x - centre) ** 2 / (dof * scale2))
