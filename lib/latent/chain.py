"""Markov chains as the lecture writes them: plain loops in the order of the derivation.

Lecture 1, "What is a hidden Markov model?". The chain starts from p(S_1 = i) = q_i and moves by
a_ij = p(S_t = j | S_{t-1} = i), so that with p_t = p(S_t)

    p_1 = q,    p_t = A^T p_{t-1}.

Lecture 2, Baum-Welch. With observations the same step is followed by Bayes' rule; going back, what
is still to come is summed over the next state:

    forward     p(S_t = j, x_t | x_1..x_{t-1}) = p(x_t | S_t = j) sum_i a_ij alpha_{i,t-1},
                alpha_{i,t} = p(S_t = i | x_1..x_t),
    backward    beta_{i,t} ~ sum_j a_ij p(x_{t+1} | S_{t+1} = j) beta_{j,t+1},
                beta_{i,t} ~ p(x_{t+1}..x_T | S_t = i).

As ln p(x_1..x_T) = sum_t ln p(x_t | x_1..x_{t-1}), this gives the evidence in O(N^2 T) steps
instead of the N^T terms of the sum over paths, and with it what the E-step needs:

    gamma_{i,t} = p(S_t = i | x)                   ~ alpha_{i,t} beta_{i,t},
    xi_{i,j,t}  = p(S_{t-1} = i, S_t = j | x)      ~ alpha_{i,t-1} a_ij p(x_t | S_t = j) beta_{j,t}.

Lecture 5, Viterbi. The best path replaces the sum by a maximum, and a sampled one draws backwards
where the best one is read backwards:

    chi_{j,t} = p(x_t | S_t = j) max_i a_ij chi_{i,t-1}.

(~ is "proportional to".) All of it is computed in logarithms: a product of many probabilities
underflows to zero, and a state that has done so could never come back. States and steps count from
0 here and from 1 in the lecture.
"""

from typing import NamedTuple

import numpy as np

from latent import checks
from latent.shapes import Float, Int, Real


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


class Backward(NamedTuple):
    """What the backward recursion finds.

    Attributes
    ----------
    beta : array (T, N)
        p(x_{t+1}..x_T | S_t = i) = beta[t, i] exp(log_scale[t]); each row sums to one.
    log_scale : array (T,)
        ln sum_i p(x_{t+1}..x_T | S_t = i); the last is ln N, as nothing is to come after x_T.
    """

    beta: Float[np.ndarray, "T N"]
    log_scale: Float[np.ndarray, " T"]


class Posterior(NamedTuple):
    """What the E-step needs of p(S | x).

    Attributes
    ----------
    gamma : array (T, N), or a list of them
        gamma[t, i] = p(S_t = i | x_1..x_T); a list if a model was given several sequences, of which
        the other two are totals.
    transitions : array (N, N)
        transitions[i, j] = sum_{t=2}^T p(S_{t-1} = i, S_t = j | x_1..x_T), how often the chain is
        expected to have gone from i to j.
    log_evidence : float
        ln p(x_1..x_T).
    """

    gamma: Float[np.ndarray, "T N"] | list[np.ndarray]
    transitions: Float[np.ndarray, "N N"]
    log_evidence: float


class Path(NamedTuple):
    """The most probable path.

    Attributes
    ----------
    states : array (T,) of integers, or a list of them
        argmax_s p(s | x), which is argmax_s p(s, x); a list if a model was given several sequences.
    log_joint : float
        ln p(s, x) of this path, or the total of these paths.
    """

    states: Int[np.ndarray, " T"] | list[np.ndarray]
    log_joint: float


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
    Lecture 1, learning latent variable models; lecture 2, forward recursion.
    """
    log_alpha, log_scale = _log_forward(*_chain_and_data(initial, transition, log_likelihood))
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


def backward(
    transition: Real[np.ndarray, "N N"], log_likelihood: Float[np.ndarray, "T N"]
) -> Backward:
    """Look ahead from each state: p(x_{t+1}..x_T | S_t = i) for every t.

    Parameters
    ----------
    transition : array (N, N)
        A, row i holding p(S_t | S_{t-1} = i).
    log_likelihood : array (T, N)
        ln p(x_t | S_t = i); -inf where state i cannot have emitted x_t.

    Returns
    -------
    Backward
        `beta` (T, N) and `log_scale` (T,). If no state at t can be followed by x_{t+1}..x_T,
        `log_scale` is -inf up to t and `beta` is NaN.

    Raises
    ------
    ValueError
        If a row of `transition` is not a distribution, or `log_likelihood` has another number of
        states, NaN or +inf.

    Notes
    -----
    Lecture 2, backward recursion; sum-product messages from the other end of the chain.
    """
    transition = checks.probabilities("transition", transition, "N N")
    N = len(transition)
    log_likelihood = checks.log_likelihoods("log_likelihood", log_likelihood, "T N", N=N)
    log_beta, log_scale = _log_backward(checks.log(transition), log_likelihood)
    return Backward(np.exp(log_beta), log_scale)


def smooth(
    initial: Real[np.ndarray, " N"],
    transition: Real[np.ndarray, "N N"],
    log_likelihood: Float[np.ndarray, "T N"],
) -> Posterior:
    """Posterior of the hidden states given all observations: gamma, the sum of xi, ln p(x).

    Parameters
    ----------
    initial, transition, log_likelihood
        As for `forward`.

    Returns
    -------
    Posterior
        `gamma` (T, N), `transitions` (N, N) and `log_evidence`.

    Raises
    ------
    ValueError
        As for `forward`, and if x_1..x_T is impossible, as nothing can be conditioned on it.

    Notes
    -----
    Lecture 2, the E-step: forward, backward, and their product at every node of the chain.
    """
    model = _chain_and_data(initial, transition, log_likelihood)
    log_alpha, log_scale, log_beta = _messages(*model)
    gamma = _normalise(log_alpha + log_beta, axis=1)
    transitions = _xi(*model, log_alpha, log_beta).sum(axis=0)
    return Posterior(gamma, transitions, float(log_scale.sum()))


def pairwise(
    initial: Real[np.ndarray, " N"],
    transition: Real[np.ndarray, "N N"],
    log_likelihood: Float[np.ndarray, "T N"],
) -> Float[np.ndarray, "T-1 N N"]:
    """Posterior of each two neighbours, xi: p(S_{t-1} = i, S_t = j | x_1..x_T).

    Parameters
    ----------
    initial, transition, log_likelihood
        As for `forward`.

    Returns
    -------
    array (T - 1, N, N)
        Entry [t, i, j] is p(S_t = i, S_{t+1} = j | x) with t counted from 0: the lecture's
        xi_{i,j,t} for t = 2..T in order.

    Raises
    ------
    ValueError
        As for `smooth`.

    Notes
    -----
    Lecture 2, xi: the marginal of the super-node (S_{t-1}, S_t).
    """
    model = _chain_and_data(initial, transition, log_likelihood)
    log_alpha, _, log_beta = _messages(*model)
    return _xi(*model, log_alpha, log_beta)


def viterbi(
    initial: Real[np.ndarray, " N"],
    transition: Real[np.ndarray, "N N"],
    log_likelihood: Float[np.ndarray, "T N"],
) -> Path:
    """Most probable path, argmax_s p(s | x) = argmax_s ln p(s, x).

    Parameters
    ----------
    initial, transition, log_likelihood
        As for `forward`.

    Returns
    -------
    Path
        `states` (T,) and `log_joint`. Where several states are equally good, at the last step or on
        the way back, the one with the lowest index is taken.

    Raises
    ------
    ValueError
        As for `forward`, and if x_1..x_T is impossible, when no path is better than another.

    Notes
    -----
    Lecture 5: chi forwards, then the states backwards, i_T = argmax_j chi_{j,T} and
    i_t = argmax_i chi_{i,t} a_{i, i_{t+1}}.
    """
    log_initial, log_transition, log_likelihood = _chain_and_data(
        initial, transition, log_likelihood
    )
    T = len(log_likelihood)
    log_chi = np.empty(log_likelihood.shape)
    log_chi[0] = log_initial + log_likelihood[0]
    for t in range(1, T):
        best = (log_chi[t - 1][:, None] + log_transition).max(axis=0)
        log_chi[t] = best + log_likelihood[t]
    checks.possible("log_likelihood", log_chi.max(axis=1))
    states = np.empty(T, dtype=int)
    states[-1] = log_chi[-1].argmax()
    for t in reversed(range(T - 1)):
        states[t] = (log_chi[t] + log_transition[:, states[t + 1]]).argmax()
    return Path(states, float(log_chi[-1].max()))


def sample_posterior(
    initial: Real[np.ndarray, " N"],
    transition: Real[np.ndarray, "N N"],
    log_likelihood: Float[np.ndarray, "T N"],
    n_samples: int,
    rng: np.random.Generator,
) -> Int[np.ndarray, "n_samples T"]:
    """Draw whole paths from p(s | x): forward filtering, backward sampling.

    Parameters
    ----------
    initial, transition, log_likelihood
        As for `forward`.
    n_samples : int
        Number of paths.
    rng : numpy.random.Generator
        Source of randomness: one uniform number for each step of each path.

    Returns
    -------
    array (n_samples, T) of integers
        One path a row, independent of each other.

    Raises
    ------
    ValueError
        As for `smooth`, and if `n_samples` is below one or `rng` is not a generator.

    Notes
    -----
    Lecture 5, FFBS: S_T from alpha_T, then S_t from p(S_t = i | S_{t+1} = j, x), which needs
    x_1..x_t only and is proportional to alpha_{i,t} a_ij. Each by inverse transform: the first
    state whose cumulative probability exceeds the uniform number.
    """
    n_samples, rng = checks.whole("n_samples", n_samples), checks.generator(rng)
    model = _chain_and_data(initial, transition, log_likelihood)
    log_alpha, log_scale = _log_forward(*model)
    checks.possible("log_likelihood", log_scale)
    _, log_transition, log_likelihood = model
    T = len(log_likelihood)
    u = rng.random((n_samples, T))
    states = np.empty((n_samples, T), dtype=int)
    states[:, -1] = _inverse_transform(np.tile(log_alpha[-1], (n_samples, 1)), u[:, -1])
    for t in reversed(range(T - 1)):
        log_p = log_alpha[t] + log_transition.T[states[:, t + 1]]
        states[:, t] = _inverse_transform(log_p, u[:, t])
    return states


def _chain(initial: np.ndarray, transition: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    initial = checks.probabilities("initial", initial, "N")
    return initial, checks.probabilities("transition", transition, "N N", N=len(initial))


def _chain_and_data(
    initial: np.ndarray, transition: np.ndarray, log_likelihood: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check the arguments; ln q, ln A and ln p(x_t | S_t)."""
    initial, transition = _chain(initial, transition)
    log_likelihood = checks.log_likelihoods("log_likelihood", log_likelihood, "T N", N=len(initial))
    return checks.log(initial), checks.log(transition), log_likelihood


def _log_forward(
    log_initial: np.ndarray, log_transition: np.ndarray, log_likelihood: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of alpha (T, N), and its scale (T,)."""
    log_alpha = np.full(log_likelihood.shape, np.nan)
    log_scale = np.full(len(log_likelihood), -np.inf)
    log_predicted = log_initial
    for t in range(len(log_likelihood)):
        # p(S_t, x_t | x_1..x_{t-1}), and its sum over S_t
        log_joint = log_predicted + log_likelihood[t]
        log_scale[t] = np.logaddexp.reduce(log_joint)
        if log_scale[t] == -np.inf:
            break
        # p(S_t | x_1..x_t), and p(S_{t+1} | x_1..x_t) = A^T p(S_t | x_1..x_t)
        log_alpha[t] = log_joint - log_scale[t]
        log_predicted = np.logaddexp.reduce(log_alpha[t][:, None] + log_transition, axis=0)
    return log_alpha, log_scale


def _log_backward(
    log_transition: np.ndarray, log_likelihood: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of beta (T, N), and its scale (T,)."""
    T, N = log_likelihood.shape
    log_beta = np.full((T, N), np.nan)
    log_scale = np.full(T, -np.inf)
    log_beta[-1], log_scale[-1] = -np.log(N), np.log(N)
    for t in reversed(range(T - 1)):
        # p(x_{t+1}..x_T | S_t = i), and its sum over i
        log_ahead = log_likelihood[t + 1] + log_beta[t + 1]
        log_message = np.logaddexp.reduce(log_transition + log_ahead, axis=1)
        log_total = np.logaddexp.reduce(log_message)
        if log_total == -np.inf:
            break
        log_beta[t] = log_message - log_total
        log_scale[t] = log_scale[t + 1] + log_total
    return log_beta, log_scale


def _messages(
    log_initial: np.ndarray, log_transition: np.ndarray, log_likelihood: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logarithms of alpha, its scale and beta, for a sequence that is possible."""
    log_alpha, log_scale = _log_forward(log_initial, log_transition, log_likelihood)
    checks.possible("log_likelihood", log_scale)
    log_beta, _ = _log_backward(log_transition, log_likelihood)
    return log_alpha, log_scale, log_beta


def _xi(
    log_initial: np.ndarray,
    log_transition: np.ndarray,
    log_likelihood: np.ndarray,
    log_alpha: np.ndarray,
    log_beta: np.ndarray,
) -> np.ndarray:
    """p(S_{t-1} = i, S_t = j | x) ~ alpha_{i,t-1} a_ij p(x_t | S_t = j) beta_{j,t}."""
    log_ahead = log_likelihood + log_beta
    log_xi = log_alpha[:-1, :, None] + log_transition + log_ahead[1:, None, :]
    return _normalise(log_xi, axis=(1, 2))


def _normalise(log_weight: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """Probabilities in proportion to exp(log_weight)."""
    weight = np.exp(log_weight - log_weight.max(axis=axis, keepdims=True))
    return weight / weight.sum(axis=axis, keepdims=True)


def _inverse_transform(log_weight: np.ndarray, u: np.ndarray) -> np.ndarray:
    """For each row the first state whose cumulative probability exceeds u."""
    cumulative = np.cumsum(np.exp(log_weight - log_weight.max(axis=1, keepdims=True)), axis=1)
    # Ends at one exactly, so that no uniform number from [0, 1) lies beyond.
    cumulative /= cumulative[:, -1:]
    return (cumulative <= u[:, None]).sum(axis=1)


def _recurrent_classes(transition: np.ndarray) -> list[np.ndarray]:
    """Sets of states that reach each other and nothing else."""
    from scipy.sparse.csgraph import connected_components  # slow to import, and needed here only

    n_classes, label = connected_components(transition > 0, connection="strong")
    classes = [np.flatnonzero(label == c) for c in range(n_classes)]
    return [c for c in classes if not np.delete(transition[c], c, axis=1).any()]
