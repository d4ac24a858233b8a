"""Chains with a longer memory: an m-order chain as a first-order one on N^m super-states.

Lecture 5, chains of order m. The next state depends on the last m,

    p(s_1..s_T) = p(s_1..s_m) prod_{t=m+1}^T p(s_t | s_{t-m}..s_{t-1}),

and each x_t on S_t only. The tuple U_t = (S_t, ..., S_{t+m-1}) is a first-order chain: from
u = (i_1..i_m) it can only go to v = (i_2..i_m, j), with p(S_{t+m} = j | S_t..S_{t+m-1} = u). Its
first step emits x_1..x_m and each later one a single x, so T observations are T - m + 1 steps:

    p(x_1..x_m | U_1 = u) = prod_{k=1}^m p(x_k | S_k = i_k),
    p(x_{t+m-1} | U_t = u) = p(x_{t+m-1} | S_{t+m-1} = i_m),    t > 1.

Then every function for first-order chains applies. A step of theirs costs N^(2m); only N of the N^m
moves out of a super-state are possible, so N^(m+1) would do: either way exponential in m.
Super-state (i_1..i_m) has the number i_1 N^(m-1) + ... + i_m, with states counted from 0.
"""

from typing import NamedTuple

import numpy as np

from latent import checks
from latent.shapes import Float, Int, Real


class SuperChain(NamedTuple):
    """An m-order chain as a first-order chain, and the ways to it and back.

    Attributes
    ----------
    initial : array (N^m,)
        p(U_1 = u) = p(S_1..S_m).
    transition : array (N^m, N^m)
        p(U_t = v | U_{t-1} = u); zero unless v continues u.
    n_states : int
        N.
    order : int
        m.
    """

    initial: Float[np.ndarray, " M"]
    transition: Float[np.ndarray, "M M"]
    n_states: int
    order: int

    def log_likelihood(self, log_likelihood: Float[np.ndarray, "T N"]) -> Float[np.ndarray, "U M"]:
        """Log likelihood of the observations that each super-step emits.

        Parameters
        ----------
        log_likelihood : array (T, N)
            ln p(x_t | S_t = i).

        Returns
        -------
        array (T - m + 1, N^m)
            Row 0 for x_1..x_m, each other row for one more observation.

        Raises
        ------
        ValueError
            If `log_likelihood` has another number of states, fewer than m steps, NaN or +inf.
        """
        N, m = self.n_states, self.order
        log_likelihood = checks.log_likelihoods("log_likelihood", log_likelihood, "T N", N=N)
        T = len(log_likelihood)
        if m > T:
            raise ValueError(f"log_likelihood must have at least m = {m} steps, got {T}")
        states = self._states_of_super_states()  # column k holds i_{k+1}
        first = sum(log_likelihood[k, states[:, k]] for k in range(m))
        return np.vstack([first, log_likelihood[m:, states[:, -1]]])

    def gamma(self, gamma: Real[np.ndarray, "U M"]) -> Float[np.ndarray, "T N"]:
        """Posterior p(S_t | x) of each state from the posterior p(U_t | x) of the super-states.

        Parameters
        ----------
        gamma : array (T - m + 1, N^m)
            p(U_t = u | x), as from `smooth`.

        Returns
        -------
        array (T, N)
            Row t is p(S_t | x): U_t summed over all but its first state. The last m - 1 rows are
            the other states of the last super-state.

        Raises
        ------
        ValueError
            If `gamma` has another number of super-states or a row is not a distribution.
        """
        gamma = checks.probabilities("gamma", gamma, "U M", M=len(self.initial))
        one_hot = np.eye(self.n_states)[self._states_of_super_states()]  # (N^m, m, N)
        later = [gamma[-1] @ one_hot[:, k] for k in range(1, self.order)]
        return np.vstack([gamma @ one_hot[:, 0], *later])

    def counts(self, transitions: Real[np.ndarray, "M M"]) -> Float[np.ndarray, "*states"]:
        """Expected counts of m + 1 states in a row, which an M-step of the m-order chain needs.

        Parameters
        ----------
        transitions : array (N^m, N^m)
            Expected counts of moves between super-states, as from `smooth`.

        Returns
        -------
        array (N,) * (m + 1)
            Entry [i_0, ..., i_m] is sum_{t=m+1}^T p(S_{t-m} = i_0, ..., S_t = i_m | x).

        Raises
        ------
        ValueError
            If `transitions` has another shape or a negative entry.
        """
        M, N = len(self.initial), self.n_states
        transitions = checks.nonnegative("transitions", transitions, "M M", M=M)
        counts = transitions[np.arange(M)[:, None], _successors(N, self.order)]
        return counts.reshape((N,) * (self.order + 1))

    def states(self, super_states: Int[np.ndarray, "*n U"]) -> Int[np.ndarray, "*n T"]:
        """Path of states from a path of super-states.

        Parameters
        ----------
        super_states : array (T - m + 1,) or (n_samples, T - m + 1) of integers
            Numbers u_t of super-states, as from `viterbi` or `sample_posterior`.

        Returns
        -------
        array (T,) or (n_samples, T) of integers
            The first state of each super-state and all of the last.

        Raises
        ------
        ValueError
            If `super_states` are not numbers from 0 to N^m - 1, or one does not continue the one
            before it.
        """
        N, M = self.n_states, len(self.initial)
        u = checks.integers("super_states", super_states, "... U", low=0, high=M)
        broken = u[..., 1:] // N != u[..., :-1] % (M // N)
        if broken.any():
            t = int(np.argwhere(broken)[0][-1]) + 1
            raise ValueError(
                f"super_states must each continue the one before, but at step {t} "
                f"the first {self.order - 1} states are not the last of step {t - 1}"
            )
        states = self._states_of_super_states()
        return np.concatenate([states[u, 0], states[u[..., -1], 1:]], axis=-1)

    def _states_of_super_states(self) -> np.ndarray:
        """Row u holds the m states of super-state u."""
        shape = (self.n_states,) * self.order
        return np.column_stack(np.unravel_index(np.arange(len(self.initial)), shape))


def order_m(
    initial: Real[np.ndarray, "*first"], transition: Real[np.ndarray, "*states"]
) -> SuperChain:
    """Write a chain of order m as a first-order chain on N^m super-states.

    Parameters
    ----------
    initial : array (N,) * m
        Entry [i_1, ..., i_m] is p(S_1 = i_1, ..., S_m = i_m); all entries together sum to one. Its
        number of axes is m.
    transition : array (N,) * (m + 1)
        Entry [i_1, ..., i_m, j] is p(S_t = j | S_{t-m} = i_1, ..., S_{t-1} = i_m).

    Returns
    -------
    SuperChain
        `initial` (N^m,) and `transition` (N^m, N^m), with methods that bring the log likelihood to
        the super-states and posteriors and paths back.

    Raises
    ------
    ValueError
        If `initial` has no axis or axes of different lengths, `transition` has not one axis more,
        or they are not distributions.

    Notes
    -----
    Lecture 5, chains of order m. With m = 1 both come back as they are.
    """
    initial = checks.nonnegative("initial", initial, "...")
    m = initial.ndim
    if m == 0:
        raise ValueError("initial must have shape (N,) * m with an order m of at least 1, got ()")
    N = len(initial)
    initial = checks.nonnegative("initial", initial, " ".join(m * ["N"])).ravel()
    checks.sums_to_one("initial", initial)
    transition = checks.probabilities("transition", transition, " ".join((m + 1) * ["N"]), N=N)
    M = len(initial)
    super_transition = np.zeros((M, M))
    super_transition[np.arange(M)[:, None], _successors(N, m)] = transition.reshape(M, N)
    return SuperChain(initial, super_transition, N, m)


def _successors(N: int, m: int) -> np.ndarray:
    """Row u holds the numbers of the N super-states (i_2..i_m, j) that continue u = (i_1..i_m)."""
    return (np.arange(N**m) % N ** (m - 1) * N)[:, None] + np.arange(N)
