"""Hidden Markov model: a chain of hidden states, each of which emits one observation.

Lecture 1, "What is a hidden Markov model?". Two assumptions, S_t depends on S_{t-1} only and x_t on
S_t only, give the joint

    p(x, s | lambda) = q_{s_1} p(x_1 | s_1) prod_{t=2}^T a_{s_{t-1} s_t} p(x_t | s_t),

and the evidence p(x | lambda) is its sum over all s. With exit probabilities e_i the chain ends
after step T with probability e_{s_T}, each row of [A, e] sums to one, and the model is one of
finite duration: a distribution over sequences of every length. States count from 0 here and from 1
in the lecture.
"""

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Real

from latent import chain, checks
from latent.emissions import Emission, Sample


@dataclass(frozen=True, eq=False)
class HMM:
    """A hidden Markov model lambda = {q, A, B}, with or without an exit.

    Parameters
    ----------
    initial : array (N,)
        q, the distribution of S_1.
    transition : array (N, N)
        A, row i holding p(S_t | S_{t-1} = i).
    emission : Emission
        B: `Categorical`, `Gaussian`, `Poisson` or anything with their methods.
    exit : array (N,), optional
        e_i, the probability that the sequence ends after a step in state i. Each row of [A, e] sums
        to one. Without it the duration is infinite, and each row of A sums to one.

    Raises
    ------
    ValueError
        If `initial` or a row of `transition` (with `exit`) is not a distribution, or the emission
        has another number of states.
    """

    initial: Float[np.ndarray, " N"]
    transition: Float[np.ndarray, "N N"]
    emission: Emission
    exit: Float[np.ndarray, " N"] | None = None

    def __post_init__(self) -> None:
        initial = checks.probabilities("initial", self.initial, "N")
        N = len(initial)
        if self.exit is None:
            transition = checks.probabilities("transition", self.transition, "N N", N=N)
        else:
            transition = checks.nonnegative("transition", self.transition, "N N", N=N)
            exit = checks.nonnegative("exit", self.exit, "N", N=N)
            checks.sums_to_one("[transition, exit]", np.column_stack([transition, exit]))
            object.__setattr__(self, "exit", checks.frozen(exit))
        if not isinstance(self.emission, Emission):
            raise ValueError(
                "emission must have the methods of latent.Categorical, latent.Gaussian or "
                f"latent.Poisson, got {self.emission!r}"
            )
        if self.emission.n_states != N:
            raise ValueError(
                f"emission must have as many states as initial, {N}, got {self.emission.n_states}"
            )
        object.__setattr__(self, "initial", checks.frozen(initial))
        object.__setattr__(self, "transition", checks.frozen(transition))

    @property
    def n_states(self) -> int:
        """Number of hidden states N."""
        return len(self.initial)

    def sample(self, n_steps: int, rng: np.random.Generator) -> Sample:
        """Draw s_1 from q, each s_t from row s_{t-1} of A, and each x_t from p(x_t | s_t).

        Parameters
        ----------
        n_steps : int
            T; with `exit` the largest T, the sequence ending as soon as the chain leaves.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        Sample
            `states` (T,) and `x` (T, ...).

        Raises
        ------
        ValueError
            If `n_steps` is below one or `rng` is not a generator.
        """
        n_steps, rng = checks.whole("n_steps", n_steps), checks.generator(rng)
        initial, transition = self._with_exit()
        leave = self.n_states
        row, rows, states = _cumulative(initial), [_cumulative(row) for row in transition], []
        for u in rng.random(n_steps).tolist():
            # Inverse transform: the first state whose cumulative probability exceeds u.
            state = bisect_right(row, u)
            if state == leave:
                break
            states.append(state)
            row = rows[state]
        states = np.array(states)
        return Sample(states, self.emission.sample(states, rng))

    def log_likelihood(self, x: Real[np.ndarray, "T ..."]) -> Float[np.ndarray, "T N"]:
        """Log likelihood ln p(x_t | S_t = i), the emission's.

        Parameters
        ----------
        x : array (T, ...)
            Observations.

        Returns
        -------
        array (T, N)
            One row a step, one column a state.

        Raises
        ------
        ValueError
            If `x` does not fit the emission.
        """
        return self.emission.log_likelihood(x)

    def log_joint(self, x: Real[np.ndarray, "T ..."], states: Int[np.ndarray, " T"]) -> float:
        """Log joint ln p(x, s), the formula at the top of the module.

        Parameters
        ----------
        x : array (T, ...)
            Observations.
        states : array (T,) of integers from 0 to N - 1
            Hidden states s.

        Returns
        -------
        float
            The log joint in nats, with ln e_{s_T} if the model has an exit; -inf if it is
            impossible.

        Raises
        ------
        ValueError
            If `x` does not fit the emission, or `states` does not fit `x`.
        """
        log_likelihood = self.log_likelihood(x)
        T, N = log_likelihood.shape
        s = checks.integers("states", states, "T", low=0, high=N, T=T)
        moves = [self.initial[s[:1]], self.transition[s[:-1], s[1:]]]
        if self.exit is not None:
            moves.append(self.exit[s[-1:]])
        log_prior = checks.log(np.concatenate(moves)).sum()
        return float(log_prior + log_likelihood[np.arange(T), s].sum())

    def log_evidence(self, x: Real[np.ndarray, "T ..."]) -> float:
        """Log evidence ln p(x) = ln sum_s p(x, s), over all N^T paths s, in O(N^2 T) steps.

        Parameters
        ----------
        x : array (T, ...)
            Observations.

        Returns
        -------
        float
            The log evidence in nats; with an exit, that of x_1..x_T and of ending there. -inf if it
            is impossible.

        Raises
        ------
        ValueError
            If `x` does not fit the emission.
        """
        log_likelihood = self.log_likelihood(x)
        if self.exit is not None:
            # To end after step T is to be outside at step T + 1, and at no step before.
            T, N = log_likelihood.shape
            log_likelihood = np.pad(log_likelihood, ((0, 1), (0, 1)), constant_values=-np.inf)
            log_likelihood[T, N] = 0.0
        initial, transition = self._with_exit()
        return chain.log_evidence(initial, transition, log_likelihood)

    def state_marginals(self, n_steps: int) -> Float[np.ndarray, "T N"]:
        """Distribution p(S_t) for t = 1..T: p_1 = q, p_t = A^T p_{t-1}.

        Parameters
        ----------
        n_steps : int
            T.

        Returns
        -------
        array (T, N)
            Row t is p(S_t = i). With an exit it is the probability that the chain is still inside
            and in state i, so row t sums to the probability of at least t steps.

        Raises
        ------
        ValueError
            If `n_steps` is below one.
        """
        initial, transition = self._with_exit()
        return chain.state_marginals(initial, transition, n_steps)[:, : self.n_states]

    def _with_exit(self) -> tuple[np.ndarray, np.ndarray]:
        """Add to q and A a last state "outside", which is never left, if there is an exit."""
        if self.exit is None:
            return self.initial, self.transition
        N = self.n_states
        rows = np.column_stack([self.transition, self.exit])
        return np.append(self.initial, 0.0), np.vstack([rows, np.eye(N + 1)[N]])


def _cumulative(probabilities: np.ndarray) -> list[float]:
    # Ends at one exactly, so that no uniform number from [0, 1) lies beyond; a list, because bisect
    # reads it faster than an array.
    cumulative = np.cumsum(probabilities)
    return (cumulative / cumulative[-1]).tolist()
