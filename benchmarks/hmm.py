"""Hidden Markov models: `latent` against hmmlearn, and its own textbook.

hmmlearn runs its loops in C++, in logarithms by default (`log`) or with scaled probabilities
(`scaling`). It gets a diagonal covariance, with one dimension the same model as our full one.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from hmmlearn.base import BaseHMM
from hmmlearn.hmm import CategoricalHMM, GaussianHMM

from benchmarks.harness import Answer, Case, Scale, Work, per_iteration, up_to
from benchmarks.names import LOG, SCALING, TEXTBOOK
from latent import HMM, Categorical, Gaussian, chain, scan
from latent.baum_welch import baum_welch

VITERBI = "hmmlearn"  # both of its implementations have the same Viterbi
N_SYMBOLS = 16
OFTEN, STICKY = 0.7, 0.99  # probability of staying in a state


def cases(scale: Scale) -> Iterator[Case]:
    """Yield the cases of this module.

    Parameters
    ----------
    scale : Scale
        How large they may be.

    Yields
    ------
    Case
        Smoothing, Baum-Welch, Viterbi, and the textbook against the fast code.
    """
    for name, data, sizes in _data_sets(scale):
        yield _posterior(name, data, sizes)
        yield _learning(name, data, sizes)
        yield _best_path(name, data, sizes)
    for T in up_to(scale.steps, 100, 1000, 10_000, 100_000):
        yield _textbook(T)


class Data:
    """One or several sequences from a model, and another model to start learning from.

    Parameters
    ----------
    n_states : int
        N.
    lengths : list of int
        T of each sequence.
    stay : float
        a_ii.
    symbols : bool
        Whether x_t is one of `N_SYMBOLS` symbols; otherwise it is a normal number.

    Attributes
    ----------
    ours, theirs
        The observations as `latent` takes them, an array or a list of arrays, and as hmmlearn takes
        them, one array and the lengths.
    """

    def __init__(
        self, n_states: int, lengths: list[int], stay: float = OFTEN, symbols: bool = False
    ) -> None:
        rng = np.random.default_rng(0)
        self.lengths = lengths
        self.initial = rng.dirichlet(np.full(n_states, 5.0))
        move = rng.dirichlet(np.full(n_states, 5.0), size=n_states)
        np.fill_diagonal(move, 0.0)
        move *= (1 - stay) / move.sum(axis=1, keepdims=True)
        self.transition = move + stay * np.eye(n_states)
        self.emission = _symbols(n_states, rng) if symbols else _normals(n_states)
        truth = HMM(self.initial, self.transition, self.emission)
        sequences = [truth.sample(T, rng).x for T in lengths]
        self.ours = sequences if len(lengths) > 1 else sequences[0]
        x = np.concatenate(sequences)
        self.theirs = x.reshape(len(x), -1), lengths
        self.model = HMM(self.initial, self.transition, _displaced(self.emission))

    def peer(self, implementation: str, n_iter: int = 1) -> Any:
        """Return hmmlearn's model of the same parameters: maximum likelihood, no early end."""
        N, emission = self.model.n_states, self.model.emission
        peer: Any
        same = {"n_iter": n_iter, "tol": -np.inf, "init_params": ""}
        if isinstance(emission, Gaussian):
            peer = GaussianHMM(
                N, "diag", covars_prior=0, covars_weight=1, implementation=implementation, **same
            )
            peer.means_, peer.covars_ = emission.means, emission.covariances[:, 0]
        else:
            peer = CategoricalHMM(N, implementation=implementation, n_features=N_SYMBOLS, **same)
            peer.emissionprob_ = emission.probs
        peer.startprob_, peer.transmat_ = self.initial, self.transition
        return peer


class ReadyHMM(BaseHMM):
    """hmmlearn's chain on a ready log-likelihood, which comes in as the observations."""

    def _compute_log_likelihood(self, X: np.ndarray) -> np.ndarray:
        return X


def _normals(n_states: int) -> Gaussian:
    return Gaussian(1.5 * np.arange(n_states)[:, None], np.ones((n_states, 1, 1)))


def _symbols(n_states: int, rng: np.random.Generator) -> Categorical:
    return Categorical(rng.dirichlet(np.ones(N_SYMBOLS), size=n_states))


def _displaced(emission: Gaussian | Categorical) -> Gaussian | Categorical:
    """Move away from the truth, so that Baum-Welch has something to do."""
    if isinstance(emission, Gaussian):
        return Gaussian(0.9 * emission.means + 0.3, 1.3 * emission.covariances)
    return Categorical(0.7 * emission.probs + 0.3 / N_SYMBOLS)


def _data_sets(scale: Scale) -> Iterator[tuple[str, Data, dict]]:
    for T in up_to(scale.steps, 100, 1000, 10_000, 100_000, 1_000_000):
        for N in (2, 4) if T == 100 else (4,):
            yield f"N = {N}, T = {T:,}", Data(N, [T]), _normal(N, T)
    T = min(10_000, scale.steps)
    for N in up_to(scale.states, 2, 8, 16, 32, 64):
        yield f"N = {N}, T = {T:,}", Data(N, [T]), _normal(N, T)
    sizes = {"N": 4, "T": T}
    for N in up_to(scale.states, 4, 16):
        yield f"N = {N}, T = {T:,}, sticky", Data(N, [T], STICKY), {**sizes, "N": N, "stay": STICKY}
    symbols = Data(4, [T], symbols=True)
    yield f"N = 4, T = {T:,}, {N_SYMBOLS} symbols", symbols, {**sizes, "M": N_SYMBOLS}
    S, T = scale.sequences, min(100, scale.steps)
    yield f"N = 4, {S:,} sequences of {T}", Data(4, S * [T]), {**sizes, "T": T, "sequences": S}


def _posterior(name: str, data: Data, sizes: dict) -> Case:
    """Smoothing: gamma and the evidence from the observations; ours finds sum_t xi_t on the way."""
    model, x = data.model, data.ours

    def ours() -> Answer:
        posterior = model.posterior(x)
        return {"gamma": posterior.gamma, "log evidence": posterior.log_evidence}

    def theirs(peer: Any) -> Answer:
        log_evidence, gamma = peer.score_samples(*data.theirs)
        return {"gamma": gamma, "log evidence": log_evidence}

    peers = {
        LOG: Work(partial(theirs, data.peer("log"))),
        SCALING: Work(partial(theirs, data.peer("scaling"))),
    }
    long = sizes in [_normal(4, T) for T in (10_000, 100_000, 1_000_000)]
    return Case("Posterior", name, Work(ours), peers, {LOG: 0.35} if long else {}, sizes)


def _learning(name: str, data: Data, sizes: dict) -> Case:
    """One iteration of Baum-Welch: an E-step and an M-step."""
    model, x = data.model, data.ours
    gaussian = isinstance(model.emission, Gaussian)

    def ours(n_iter: int) -> Answer:
        fit = baum_welch(model, x, max_iter=n_iter, tol=0.0)
        emission = fit.model.emission
        return {
            "iterations": len(fit.trace) - 1,
            "log evidence": fit.trace[-2],  # before the last M-step, as hmmlearn has it
            "initial": fit.model.initial,
            "transition": fit.model.transition,
            "emission": emission.means if gaussian else emission.probs,
            "covariances": emission.covariances if gaussian else 0.0,
        }

    def theirs(implementation: str, n_iter: int) -> Answer:
        peer = data.peer(implementation, n_iter).fit(*data.theirs)
        return {
            "iterations": peer.monitor_.iter,
            "log evidence": peer.monitor_.history[-1],
            "initial": peer.startprob_,
            "transition": peer.transmat_,
            "emission": peer.means_ if gaussian else peer.emissionprob_,
            "covariances": peer.covars_ if gaussian else 0.0,
        }

    many = _iterations(sum(data.lengths), model.n_states)
    peers = {
        peer: per_iteration(partial(theirs, implementation), 1, many)
        for peer, implementation in ((LOG, "log"), (SCALING, "scaling"))
    }
    work = per_iteration(ours, 1, many)
    return Case("Baum-Welch", name, work, peers, _learning_targets(sizes), sizes, tolerance=1e-6)


def _iterations(steps: int, n_states: int) -> int:
    """Many iterations where they are short, so that they outweigh the rest of a call."""
    limits = {20_000: 21, 200_000: 11, 3_000_000: 6, 20_000_000: 3}
    return next((n for most, n in limits.items() if steps * n_states**2 <= most), 2)


def _learning_targets(sizes: dict) -> dict[str, float]:
    if sizes in [_normal(4, T) for T in (10_000, 100_000, 1_000_000)]:
        return {LOG: 0.35, SCALING: 0.95}
    if sizes in [_normal(N, 100) for N in (2, 4)]:
        return {LOG: 1.3}
    return {SCALING: 0.35} if sizes.get("sequences") == 1000 else {}


def _best_path(name: str, data: Data, sizes: dict) -> Case:
    """Viterbi, from the observations."""
    model, x = data.model, data.ours

    def ours() -> Answer:
        path = model.viterbi(x)
        return {"states": path.states, "log joint": path.log_joint}

    peer = data.peer("log")

    def theirs() -> Answer:
        log_joint, states = peer.decode(*data.theirs)
        return {"states": states, "log joint": log_joint}

    long = sizes == _normal(4, 1_000_000)
    target = 1.5 if long else 0.5 if sizes.get("sequences") == 1000 else None
    targets = {} if target is None else {VITERBI: target}
    return Case("Viterbi", name, Work(ours), {VITERBI: Work(theirs)}, targets, sizes)


def _textbook(T: int) -> Case:
    """Smoothing by `latent.scan` and by the loops of the lecture, from a ready log-likelihood."""
    data = Data(4, [T])
    log_likelihood = data.model.log_likelihood(data.ours)

    def smooth(module) -> Answer:
        posterior = module.smooth(data.initial, data.transition, log_likelihood)
        return {name: getattr(posterior, name) for name in posterior._fields}

    peers = {TEXTBOOK: Work(partial(smooth, chain))}
    work = Work(partial(smooth, scan))
    return Case("Textbook and fast code", f"N = 4, T = {T:,}", work, peers, sizes=_normal(4, T))


def _normal(N: int, T: int) -> dict:
    return {"N": N, "T": T, "emission": "normal"}
