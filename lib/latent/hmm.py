"""Hidden Markov model: a chain of hidden states, each of which emits one observation.

Lecture 1, "What is a hidden Markov model?". Two assumptions, S_t depends on S_{t-1} only and x_t on
S_t only, give the joint

    p(x, s | lambda) = q_{s_1} p(x_1 | s_1) prod_{t=2}^T a_{s_{t-1} s_t} p(x_t | s_t),

and the evidence p(x | lambda) is its sum over all s. With exit probabilities e_i the chain ends
after step T with probability e_{s_T}, each row of [A, e] sums to one, and the model is one of
finite duration: a distribution over sequences of every length. States count from 0 here and from 1
in the lecture.

Wherever a model takes observations `x`, it takes one sequence or a list of them
(`latent.sequences`), which are independent given lambda: what is said of each step becomes a list
with an item for each sequence, and numbers become sums.
"""

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from latent import chain, checks, scan
from latent.chain import Path, Posterior
from latent.emissions import Emission, Sample, Template
from latent.fitting import Fit, best_of
from latent.sequences import Data, Sequences, check_sequences
from latent.shapes import Float, Int


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
        B: `Categorical`, `Gaussian`, `Poisson`, `GaussianMixture` or anything with their methods.
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
                "emission must have the methods of latent.Categorical, latent.Gaussian, "
                f"latent.Poisson or latent.GaussianMixture, got {self.emission!r}"
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
        initial, transition = self.as_chain()
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

    def sequences(self, x: Data | Sequences) -> Sequences:
        """Check observations once; the result serves the other methods in place of `x`.

        Parameters
        ----------
        x : array (T, ...), or list or tuple of sequences
            Observations, as in `latent.sequences`.

        Returns
        -------
        Sequences
            All steps, one sequence after the other.

        Raises
        ------
        ValueError
            If a sequence does not fit the emission, with its number.
        """
        return check_sequences(x, self.emission)

    def log_likelihood(
        self, x: Data | Sequences
    ) -> Float[np.ndarray, "T N"] | list[Float[np.ndarray, "_ N"]]:
        """Log likelihood ln p(x_t | S_t = i), the emission's.

        Parameters
        ----------
        x : array (T, ...), or list of sequences
            Observations.

        Returns
        -------
        array (T, N), or list of them
            One row a step, one column a state.

        Raises
        ------
        ValueError
            If `x` does not fit the emission.
        """
        data = self.sequences(x)
        return data.divide(self.emission.log_likelihood(data.observations))

    def log_joint(self, x: Data | Sequences, states: Int[np.ndarray, " T"] | list | tuple) -> float:
        """Log joint ln p(x, s), the formula at the top of the module.

        Parameters
        ----------
        x : array (T, ...), or list of sequences
            Observations.
        states : array (T,) of integers from 0 to N - 1, or list of them
            Hidden states s.

        Returns
        -------
        float
            The log joint in nats, with ln e_{s_T} if the model has an exit; -inf if it is
            impossible. For a list the sum over its sequences.

        Raises
        ------
        ValueError
            If `x` does not fit the emission, or `states` does not fit `x`.
        """
        data = self.sequences(x)
        s = self._states(data, states)
        log_likelihood = self.emission.log_likelihood(data.observations)
        first = np.zeros(len(s), bool)
        first[data.starts] = True
        later = np.flatnonzero(~first)
        moves = [self.initial[s[first]], self.transition[s[later - 1], s[later]]]
        if self.exit is not None:
            moves.append(self.exit[s[data.ends]])
        log_prior = checks.log(np.concatenate(moves)).sum()
        return float(log_prior + log_likelihood[np.arange(len(s)), s].sum())

    def log_evidence(self, x: Data | Sequences) -> float:
        """Log evidence ln p(x) = ln sum_s p(x, s), over all N^T paths s, in O(N^2 T) steps.

        Parameters
        ----------
        x : array (T, ...), or list of sequences
            Observations.

        Returns
        -------
        float
            The log evidence in nats; with an exit, that of x_1..x_T and of ending there. -inf if it
            is impossible. For a list the sum over its sequences.

        Raises
        ------
        ValueError
            If `x` does not fit the emission.
        """
        data = self.sequences(x)
        return scan.log_evidence(*self._chain(data), data.lengths)

    def posterior(self, x: Data | Sequences) -> Posterior:
        """E-step: gamma_{i,t} = p(S_t = i | x) and the sums over t of xi_{i,j,t}.

        Parameters
        ----------
        x : array (T, ...), or list of sequences
            Observations.

        Returns
        -------
        Posterior
            `gamma` (T, N), `transitions` (N, N) = sum_t p(S_{t-1} = i, S_t = j | x) and
            `log_evidence`. For a list `gamma` is a list of arrays, and the others are sums over its
            sequences.

        Raises
        ------
        ValueError
            If `x` does not fit the emission or is impossible.

        Notes
        -----
        Lecture 2, the expectation step.
        """
        data = self.sequences(x)
        posterior = scan.smooth_blocks(*self._chain(data), data.blocks)
        return posterior._replace(gamma=data.divide(np.asarray(posterior.gamma)))

    def viterbi(self, x: Data | Sequences) -> Path:
        """Most probable path argmax_s p(s | x), which is argmax_s p(x, s).

        Parameters
        ----------
        x : array (T, ...), or list of sequences
            Observations.

        Returns
        -------
        Path
            `states` (T,) and `log_joint`. For a list `states` is a list of arrays, and `log_joint`
            the sum over its sequences.

        Raises
        ------
        ValueError
            If `x` does not fit the emission or is impossible.

        Notes
        -----
        Lecture 5.
        """
        data = self.sequences(x)
        path = scan.viterbi(*self._chain(data), data.lengths)
        return path._replace(states=data.divide(np.asarray(path.states)))

    def sample_posterior(
        self, x: Data | Sequences, n_samples: int, rng: np.random.Generator
    ) -> Int[np.ndarray, "n_samples T"] | list[Int[np.ndarray, "n_samples _"]]:
        """Draw paths from p(s | x): forward filtering, backward sampling.

        Parameters
        ----------
        x : array (T, ...), or list of sequences
            Observations.
        n_samples : int
            Number of paths.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        array (n_samples, T) of integers, or list of them
            A path in each row.

        Raises
        ------
        ValueError
            If `x` does not fit the emission or is impossible, `n_samples` is below one, or `rng` is
            not a generator.
        """
        data = self.sequences(x)
        paths = scan.sample_posterior(*self._chain(data), n_samples, rng, data.lengths)
        return data.divide(paths, axis=1)

    def m_step(self, x: Data | Sequences, posterior: Posterior) -> "HMM":
        """M-step: the parameters that maximise Q for a given posterior of the states.

        With sums over the R sequences as well as over their steps,

            q_i = sum gamma_{i,1} / R,
            a_ij = sum_{t=2}^T xi_{i,j,t} / nu_i,    nu_i = sum_k sum_{t=2}^T xi_{i,k,t},

        and the emission's own M-step with the weights gamma. With an exit the sum of the row [A, e]
        is one, so that nu_i has the expected number of exits in it, sum gamma_{i,T}, and

            e_i = sum gamma_{i,T} / nu_i.

        Parameters
        ----------
        x : array (T, ...), or list of sequences
            Observations.
        posterior : Posterior
            What `posterior(x)` gives, under any parameters.

        Returns
        -------
        HMM
            The new parameters. A state that is never left, because it is never visited, keeps its
            row, and so does its emission.

        Raises
        ------
        ValueError
            If `x` does not fit the emission, or `posterior` does not fit `x`.

        Notes
        -----
        Lecture 2, the maximization step.
        """
        data, N = self.sequences(x), self.n_states
        gamma = posterior.gamma
        if isinstance(gamma, list):
            gamma = np.concatenate(gamma)
        emission = self.emission.m_step(data.observations, gamma)
        moves = checks.nonnegative("posterior.transitions", posterior.transitions, "N N", N=N)
        rows, otherwise = moves, self.transition
        if self.exit is not None:
            rows = np.column_stack([moves, gamma[data.ends].sum(axis=0)])
            otherwise = np.column_stack([self.transition, self.exit])
        rows = _shares(rows, otherwise)
        return checks.trusted(
            HMM,
            initial=_shares(gamma[data.starts].sum(axis=0), self.initial),
            transition=rows[:, :N],
            emission=emission,
            exit=None if self.exit is None else rows[:, N],
        )

    @classmethod
    def start(
        cls, x: Data | Sequences, n_states: int, emission: Template, rng: np.random.Generator
    ) -> "HMM":
        """Random parameters to start Baum-Welch from.

        Parameters
        ----------
        x : array (T, ...), or list of sequences
            Observations.
        n_states : int
            N.
        emission : Template
            `Gaussian.template()` or that of another emission.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        HMM
            Equal q_i; random rows of A that stay in each state half of the time on average or
            more; the template's start of the emission. No probability is zero, because Baum-Welch
            leaves a zero where it is.

        Raises
        ------
        ValueError
            If `x` does not fit the template, `n_states` is below one, or `rng` is not a generator.
        """
        N, rng = checks.whole("n_states", n_states), checks.generator(rng)
        if not isinstance(emission, Template):
            raise ValueError(
                f"emission must be a template such as latent.Gaussian.template(), got {emission!r}"
            )
        rows = np.stack([rng.dirichlet(row) for row in 1.0 + N * np.eye(N)])
        observations = check_sequences(x, emission).observations
        return cls(np.full(N, 1 / N), rows, emission.init(observations, N, rng))

    @classmethod
    def fit(
        cls,
        x: Data,
        n_states: int,
        emission: Template,
        *,
        rng: np.random.Generator,
        restarts: int = 5,
        max_iter: int = 200,
        tol: float = 1e-6,
    ) -> Fit:
        """Maximum likelihood by Baum-Welch from several starts.

        Parameters
        ----------
        x : array (T, ...), or list of sequences
            Observations.
        n_states : int
            N.
        emission : Template
            `Categorical.template(n_symbols)`, `Gaussian.template()`, `Poisson.template()` or
            `GaussianMixture.template(n_components)`.
        rng : numpy.random.Generator
            Source of randomness.
        restarts : int
            Number of starts.
        max_iter : int
            Largest number of M-steps of a run.
        tol : float
            Gain of an iteration, in nats, at or below which a run ends.

        Returns
        -------
        Fit
            The run that ends with the largest log evidence.

        Raises
        ------
        ValueError
            If an argument is out of range.

        Notes
        -----
        Lecture 2, Baum-Welch. EM finds a stationary point that depends on the start.
        """
        from latent.baum_welch import baum_welch  # which is about this class and imports it

        def run(rng: np.random.Generator) -> Fit:
            start = cls.start(x, n_states, emission, rng)
            return baum_welch(start, x, max_iter=max_iter, tol=tol)

        return best_of(run, restarts, rng)

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
        initial, transition = self.as_chain()
        return chain.state_marginals(initial, transition, n_steps)[:, : self.n_states]

    def as_chain(self) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n n"]]:
        """Return q and A, with a last state "outside", which is never left, if there is an exit.

        Returns
        -------
        tuple of array (n,) and array (n, n)
            n is N, or N + 1 with an exit: the rows of A are then those of [A, e].
        """
        if self.exit is None:
            return self.initial, self.transition
        N = self.n_states
        rows = np.column_stack([self.transition, self.exit])
        return np.append(self.initial, 0.0), np.vstack([rows, np.eye(N + 1)[N]])

    def _chain(self, data: Sequences) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """q, a transition matrix with rows that sum to one, and log likelihoods that go with it.

        With an exit, a_ij = r_i (a_ij / r_i) with r_i = 1 - e_i: the chain goes on with probability
        r_i, and then moves by the rows a_ij / r_i. So each step but the last carries a factor r_i,
        and the last one e_i.
        """
        log_likelihood = self.emission.log_likelihood(data.observations)
        if self.exit is None:
            return self.initial, self.transition, log_likelihood
        N, going_on = self.n_states, self.transition.sum(axis=1, keepdims=True)
        some = going_on > 0
        # A state that is always left at once can have any row, as no path uses it.
        rows = np.where(some, self.transition / np.where(some, going_on, 1.0), 1 / N)
        factors = np.repeat(going_on.T, len(log_likelihood), axis=0)
        factors[data.ends] = self.exit
        return self.initial, rows, log_likelihood + checks.log(factors)

    def _states(self, data: Sequences, states: np.ndarray | list | tuple) -> np.ndarray:
        """Checked states of all steps."""
        N = self.n_states
        if not data.listed:
            T = data.observations.n_steps
            return checks.integers("states", states, "T", low=0, high=N, T=T)
        if len(states) != len(data.lengths):
            raise ValueError(
                f"states must have one array for each of the {len(data.lengths)} sequences, "
                f"got {len(states)}"
            )
        return np.concatenate(
            [
                checks.integers(f"states[{n}]", s, "T", low=0, high=N, T=int(T))
                for n, (s, T) in enumerate(zip(states, data.lengths, strict=True))
            ]
        )


def _cumulative(probabilities: np.ndarray) -> list[float]:
    # Ends at one exactly, so that no uniform number from [0, 1) lies beyond; a list, because bisect
    # reads it faster than an array.
    cumulative = np.cumsum(probabilities)
    return (cumulative / cumulative[-1]).tolist()


def _shares(counts: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Expected counts as shares of their sum over the last axis; `otherwise` where it is zero."""
    nu = counts.sum(axis=-1, keepdims=True)
    some = nu > 0
    if some.all():
        return counts / nu
    return np.where(some, counts / np.where(some, nu, 1.0), otherwise)
