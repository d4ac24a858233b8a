"""The gradient of ln p(x | lambda), by Fisher's identity.

The notes on EM for hidden Markov models, evaluating a gradient. The derivative of the evidence is
the expected derivative of the joint,

    d/d lambda ln p(x | lambda) = E[d/d lambda ln p(x, S | lambda) | x, lambda],

so one forward-backward pass gives all derivatives in O(N^2 T) steps, as backpropagation through the
forward recursion does. Taken term by term it reads

    d/d q_i = gamma_{i,1} / q_i,    d/d a_ij = sum_{t=2}^T xi_{i,j,t} / a_ij,

and the emission's score with the weights gamma. Where q_i or a_ij is zero this is 0 / 0. But the
evidence is a sum of products, whose derivative is the product of the other factors. So with

    h_t(j) = p(x_t..x_T | S_t = j) / p(x_t..x_T | x_1..x_{t-1}),

    d/d q_i = h_1(i),    d/d a_ij = sum_{t=2}^T p(S_{t-1} = i | x_1..x_{t-1}) h_t(j),

which divides by no parameter.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp

from latent import checks, scan
from latent.hmm import HMM
from latent.sequences import Data, Sequences
from latent.shapes import Float


class Score(NamedTuple):
    """Gradient of ln p(x | lambda), every parameter taken as free of the others.

    On the simplex only differences count: to move probability from a_ij to a_ik changes ln p(x) at
    the rate transition[i, k] - transition[i, j].

    Attributes
    ----------
    initial : array (N,)
        Derivative with respect to q_i.
    transition : array (N, N)
        Derivative with respect to a_ij.
    emission
        What the emission's own `score` gives, such as `GaussianScore`.
    exit : array (N,), optional
        Derivative with respect to e_i, if the model has an exit.
    """

    initial: Float[np.ndarray, " N"]
    transition: Float[np.ndarray, "N N"]
    emission: Any
    exit: Float[np.ndarray, " N"] | None = None


def score(model: HMM, x: Data | Sequences) -> Score:
    """Gradient of ln p(x | lambda) with respect to q, A, the emission's parameters and e.

    Parameters
    ----------
    model : HMM
        lambda.
    x : array (T, ...), or list of sequences
        Observations; for a list the gradients of its sequences are added up.

    Returns
    -------
    Score
        The derivatives, also where a parameter is zero.

    Raises
    ------
    ValueError
        If `x` does not fit the emission or is impossible.

    Notes
    -----
    Fisher's identity: Dempster, Laird and Rubin (1977), section 3. Where a state is all but
    impossible and what follows needs it, a derivative can exceed the largest number: it is inf.
    """
    data, N = model.sequences(x), model.n_states
    q, A = model.as_chain()
    log_likelihood = model.emission.log_likelihood(data.observations)
    initial, transition = np.zeros(len(q)), np.zeros(A.shape)
    weights = np.empty(log_likelihood.shape)
    for start, end in zip(data.starts, data.ends + 1, strict=True):
        rows = log_likelihood[start:end]
        by_initial, by_transition, by_likelihood = _scores(q, A, _with_outside(rows, len(q)))
        initial += by_initial
        transition += by_transition
        # In units of ln b where it has a slope: gamma. Otherwise in units of b.
        units = np.where(rows > -np.inf, rows, 0.0)
        weights[start:end] = _exp(by_likelihood[: len(rows), :N] + units)
    emission = model.emission.score(data.observations, weights)
    by_exit = None if model.exit is None else transition[:N, N]
    return Score(initial[:N], transition[:N, :N], emission, by_exit)


def _scores(
    q: np.ndarray, A: np.ndarray, log_likelihood: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Derivatives by q and A, and the logarithms of those by b_t(i) = p(x_t | S_t = i)."""
    alpha, log_scale = scan.forward(q, A, log_likelihood)
    checks.possible("x", log_scale)
    beta, log_future_scale = scan.backward(A, log_likelihood)
    log_past = np.cumsum(log_scale) - log_scale
    # ln of p(x_{t+1}..x_T | S_t = i) / p(x_t..x_T | x_1..x_{t-1})
    log_future = checks.log(beta) + (log_future_scale + log_past - log_scale.sum())[:, None]
    log_h = log_likelihood + log_future
    log_alpha = checks.log(alpha[:-1])
    by_transition = np.zeros(A.shape)
    if len(log_alpha):
        for i in range(len(q)):
            by_transition[i] = _exp(logsumexp(log_alpha[:, [i]] + log_h[1:], axis=0))
    predicted = np.vstack([q, alpha[:-1] @ A])
    return _exp(log_h[0]), by_transition, checks.log(predicted) + log_future


def _with_outside(log_likelihood: np.ndarray, n_states: int) -> np.ndarray:
    """Observe a chain with the state "outside" to be there after step T, and not before."""
    T, N = log_likelihood.shape
    if n_states == N:
        return log_likelihood
    padded = np.pad(log_likelihood, ((0, 1), (0, 1)), constant_values=-np.inf)
    padded[T, N] = 0.0
    return padded


def _exp(log_value: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.exp(log_value)
