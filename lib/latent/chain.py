"""Markov chains as the lecture writes them: plain loops in the order of the derivation.

Lecture 1, "What is a hidden Markov model?". The chain starts from p(S_1 = i) = q_i and moves by
a_ij = p(S_t = j | S_{t-1} = i), so that with p_t = p(S_t)

    p_1 = q,    p_t = A^T p_{t-1}.

With observations the same step is followed by Bayes' rule, which gives the forward recursion

    p(S_t = j, x_t | x_1..x_{t-1}) = p(x_t | S_t = j) sum_i a_ij p(S_{t-1} = i | x_1..x_{t-1})

and, as ln p(x_1..x_T) = sum_t ln p(x_t | x_1..x_{t-1}), the evidence in O(N^2 T) steps instead of
the N^T terms of the sum over paths. States count from 0 here and from 1 in the lecture.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Real
from scipy.sparse.csgraph import connected_components

from latent import checks


class Forward(NamedTuple):
    """What the forward recursion finds.

    Attributes
    ----------
    alpha : array (T, N)
        alpha[t, i] = p(S_t = i | x_1..x_t).
    log_scale : array (T,)
        log_scale[t] = ln p(x_t | x_1..x_{t-1}); their sum is ln p(x_1..x_T).
    """

    alpha: Float[np.ndarray, "T N"]
    log_scale: Float[np.ndarray, " T"]


def state_marginals(
    initial: Real[np.ndarray, " N"], transition: Real[np.ndarray, "N N"], n_steps: int
) -> Float[np.ndarray, "T N"]:
    """Distribution of the hidden state at each step: p_1 = q, p_t = A^T p_{t-1}.

    Parameters
    ----------
    initial : array (N,)
        q, the distribution of S_1.
    transition : array (N, N)
        A, row i holding p(S_t | S_{t-1} = i).
    n_steps : int
        T.

    Returns
    -------
    array (T, N)
        Row t is p(S_t).

    Raises
    ------
    ValueError
        If `initial` or a row of `transition` is not a distribution, or `n_steps` is below one.

    Notes
    -----
    Lecture 1, "How do you write p(S_2)?".
    """
    initial, transition = _chain(initial, transition)
    n_steps = checks.whole("n_steps", n_steps)
    p = np.empty((n_steps, len(initial)))
    p[0] = initial
    for t in range(1, n_steps):
        p[t] = transition.T @ p[t - 1]
    return p


def stationary(transition: Real[np.ndarray, "N N"]) -> Float[np.ndarray, " N"]:
    """Stationary distribution of a chain: the p with A^T p = p and sum_i p_i = 1.

    It exists for every finite chain, and it is unique exactly if one set of states, once entered,
    is never left and has no smaller such set within it (one recurrent class). A periodic chain has
    one too, although its p_t need not tend to it.

    Parameters
    ----------
    transition : array (N, N)
        A, row i holding p(S_t | S_{t-1} = i).

    Returns
    -------
    array (N,)
        The stationary distribution; states outside the recurrent class have probability zero.

    Raises
    ------
    ValueError
        If a row of `transition` is not a distribution, or the chain has more than one recurrent
        class.

    Notes
    -----
    Lecture 1, distribution of S_t.
    """
    transition = checks.probabilities("transition", transition, "N N")
    classes = _recurrent_classes(transition)
    if len(classes) > 1:
        listed = " and ".join(str(c.tolist()) for c in classes)
        raise ValueError(
            "transition must have one recurrent class for its stationary distribution to be "
            f"unique, but each of the sets of states {listed} is never left"
        )
    (states,) = classes
    A = transition[np.ix_(states, states)]
    # (I - A^T) p = 0 has a line of solutions. Adding 1 1^T p = 1, which says that p sums to one,
    # leaves a system with a single solution.
    p = np.zeros(len(transition))
    p[states] = np.linalg.solve(np.eye(len(A)) - A.T + 1.0, np.ones(len(A)))
    return p


def forward(
    initial: Real[np.ndarray, " N"],
    transition: Real[np.ndarray, "N N"],
    log_likelihood: Float[np.ndarray, "T N"],
) -> Forward:
    """Filter the hidden state: p(S_t | x_1..x_t) and ln p(x_t | x_1..x_{t-1}) for every t.

    Parameters
    ----------
    initial : array (N,)
        q, the distribution of S_1.
    transition : array (N, N)
        A, row i holding p(S_t | S_{t-1} = i).
    log_likelihood : array (T, N)
        ln p(x_t | S_t = i); -inf where state i cannot have emitted x_t.

    Returns
    -------
    Forward
        `alpha` (T, N) and `log_scale` (T,). If x_1..x_t is impossible, `log_scale` is -inf from t
        on, and `alpha`, which would be conditional on an event of probability zero, is NaN.

    Raises
    ------
    ValueError
        If `initial` or a row of `transition` is not a distribution, or `log_likelihood` has another
        number of states, NaN or +inf.

    Notes
    -----
    Lecture 1, learning latent variable models. In logarithms, because a state whose probability
    underflows to zero could never come back.
    """
    initial, transition = _chain(initial, transition)
    log_likelihood = checks.log_likelihoods("log_likelihood", log_likelihood, "T N", N=len(initial))
    log_transition = checks.log(transition)
    log_alpha = np.full(log_likelihood.shape, np.nan)
    log_scale = np.full(len(log_likelihood), -np.inf)
    log_predicted = checks.log(initial)
    for t in range(len(log_likelihood)):
        # p(S_t, x_t | x_1..x_{t-1}), and its sum over S_t
        log_joint = log_predicted + log_likelihood[t]
        log_scale[t] = np.logaddexp.reduce(log_joint)
        if log_scale[t] == -np.inf:
            break
        # p(S_t | x_1..x_t), and p(S_{t+1} | x_1..x_t) = A^T p(S_t | x_1..x_t)
        log_alpha[t] = log_joint - log_scale[t]
        log_predicted = np.logaddexp.reduce(log_alpha[t][:, None] + log_transition, axis=0)
    return Forward(np.exp(log_alpha), log_scale)


def log_evidence(
    initial: Real[np.ndarray, " N"],
    transition: Real[np.ndarray, "N N"],
    log_likelihood: Float[np.ndarray, "T N"],
) -> float:
    """Log evidence ln p(x_1..x_T) = sum_t ln p(x_t | x_1..x_{t-1}), in O(N^2 T) steps.

    Parameters
    ----------
    initial, transition, log_likelihood
        As for `forward`.

    Returns
    -------
    float
        The log evidence in nats; -inf for an impossible sequence.

    Raises
    ------
    ValueError
        As for `forward`.

    Notes
    -----
    Lecture 1, "Solving directly is intractable".
    """
    return float(forward(initial, transition, log_likelihood).log_scale.sum())


def _chain(initial: np.ndarray, transition: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    initial = checks.probabilities("initial", initial, "N")
    return initial, checks.probabilities("transition", transition, "N N", N=len(initial))


def _recurrent_classes(transition: np.ndarray) -> list[np.ndarray]:
    """Sets of states that reach each other and nothing else."""
    n_classes, label = connected_components(transition > 0, connection="strong")
    classes = [np.flatnonzero(label == c) for c in range(n_classes)]
    return [c for c in classes if not np.delete(transition[c], c, axis=1).any()]
