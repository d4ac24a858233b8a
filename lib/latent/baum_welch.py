"""Baum-Welch: EM for hidden Markov models.

Lecture 2. The hidden variables are the path s, and Q falls into three terms that can be maximised
one by one,

    Q(lambda, lambda') = E[ln p(x, S | lambda) | x, lambda'] = Q_1 + Q_2 + Q_3,
    Q_1 = sum_i gamma_{i,1} ln q_i,
    Q_2 = sum_{t=2}^T sum_ij xi_{i,j,t} ln a_ij,
    Q_3 = sum_{t=1}^T sum_i gamma_{i,t} ln p(x_t | S_t = i),

because the sum over all paths leaves of p(s | x, lambda') only the marginals

    gamma_{i,t} = p(S_t = i | x, lambda'),    xi_{i,j,t} = p(S_{t-1} = i, S_t = j | x, lambda').

The E-step is `HMM.posterior` (forward-backward), the M-step `HMM.m_step`.
"""

from latent.chain import Posterior
from latent.emissions import Gaussian, GaussianMixture
from latent.fitting import Fit, em
from latent.hmm import HMM
from latent.sequences import Data, Sequences


def baum_welch(model: HMM, x: Data | Sequences, *, max_iter: int = 200, tol: float = 1e-6) -> Fit:
    """Raise ln p(x | lambda) by EM from a given start, to a stationary point.

    Parameters
    ----------
    model : HMM
        lambda', the parameters to start from. A probability that is zero stays zero, so that a
        left-right chain stays one. With an exit the exit is learned too.
    x : array (T, ...), or list of sequences
        Observations; each sequence of a list starts from q anew.
    max_iter : int
        Largest number of M-steps.
    tol : float
        Gain of an iteration, in nats, at or below which the loop ends.

    Returns
    -------
    Fit
        `model`, the trace of ln p(x | lambda), which never decreases, and `converged`.

    Raises
    ------
    ValueError
        If `x` does not fit the emission, the start makes it impossible, a covariance of the start
        is below the floor of its emission, `max_iter` is below one or `tol` is negative.

    Notes
    -----
    Lecture 2; Baum, Petrie, Soules and Weiss (1970); Rabiner (1989).
    """
    if isinstance(model.emission, Gaussian | GaussianMixture):
        model.emission.check_floor()
    data = model.sequences(x)._replace(listed=False)

    def e_step(model: HMM) -> tuple[tuple[HMM, Posterior], float]:
        posterior = model.posterior(data)
        return (model, posterior), posterior.log_evidence

    def m_step(step: tuple[HMM, Posterior]) -> HMM:
        # The old model comes along for what no observation tells anything about, and for the
        # components of a mixture.
        model, posterior = step
        return model.m_step(data, posterior)

    return em(model, e_step, m_step, max_iter=max_iter, tol=tol)
