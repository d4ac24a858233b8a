"""Monte-Carlo EM: an E-step that draws paths instead of summing over them.

Lecture 5, sampling. Where the marginals that the M-step needs cost too much (a chain of order m
needs those of m + 1 neighbours), the posterior is replaced by S paths s^1..s^S drawn from it:

    q(s) = 1/S sum_r 1(s = s^r),
    lambda = argmax_lambda sum_r ln p(x, s^r | lambda).

Only q(s) changes, so the M-step is that of Baum-Welch with relative frequencies for gamma and xi:

    gamma_{i,t} = 1/S sum_r 1(s_t^r = i),    xi_{i,j,t} = 1/S sum_r 1(s_{t-1}^r = i, s_t^r = j).

S = 1 is stochastic EM; with S to infinity an iteration becomes one of EM.
"""

import numpy as np

from latent import checks
from latent.chain import Posterior
from latent.fitting import Fit
from latent.hmm import HMM
from latent.sequences import Data
from latent.shapes import Int


def monte_carlo_em(
    model: HMM,
    x: Data,
    *,
    n_samples: int,
    n_iter: int,
    rng: np.random.Generator,
) -> Fit:
    """Fit an HMM by EM with paths drawn from the posterior.

    Parameters
    ----------
    model : HMM
        lambda', the parameters to start from.
    x : array (T, ...), or list of sequences
        Observations.
    n_samples : int
        S, the number of paths that each E-step draws (of each sequence).
    n_iter : int
        Number of iterations; there is no other stop, as the parameters never come to rest.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Fit
        `model` is the last one. `trace` (n_iter + 1,) is the exact log evidence of each, that of
        the start first. Unlike EM's it may fall: an M-step on a sample can lower ln p(x | lambda).
        `converged` is False.

    Raises
    ------
    ValueError
        If `n_samples` or `n_iter` is below one, `rng` is not a generator, or `x` does not fit the
        model or is impossible under it.

    Notes
    -----
    Lecture 5, Monte-Carlo EM and stochastic EM; Wei and Tanner (1990), Celeux and Diebolt (1985). A
    state that no path visits keeps its parameters.
    """
    n_samples, n_iter = checks.whole("n_samples", n_samples), checks.whole("n_iter", n_iter)
    rng = checks.generator(rng)
    data = model.sequences(x)
    trace = [model.log_evidence(data)]
    for _ in range(n_iter):
        paths = model.sample_posterior(data, n_samples, rng)
        model = model.m_step(data, _frequencies(paths, model.n_states, trace[-1]))
        trace.append(model.log_evidence(data))
    return Fit(model, np.array(trace), False)


def _frequencies(
    paths: Int[np.ndarray, "n_samples T"] | list[np.ndarray], N: int, log_evidence: float
) -> Posterior:
    """Relative frequencies of states and moves in sampled paths, in place of the posterior."""
    each = paths if isinstance(paths, list) else [paths]
    gamma = [np.stack([(s == i).mean(axis=0) for i in range(N)], axis=1) for s in each]
    moves = sum(
        np.bincount((N * s[:, :-1] + s[:, 1:]).ravel(), minlength=N * N) / len(s) for s in each
    )
    return Posterior(
        gamma if isinstance(paths, list) else gamma[0], np.reshape(moves, (N, N)), log_evidence
    )
