"""AdaGram: word vectors that tell the senses of a word apart, without being told how many.

Lecture 4. A text is a row of words. Each word x_i is seen with its neighbours y_i1, y_i2, ..., at
most C to either side; together they are occurrence i. A word has up to K senses, and each sense k
of word w has a vector In(w, k). Each inner node c of the Huffman tree has a vector Out(c). Then,
with sigma(s) = 1 / (1 + exp(-s)),

    beta_wk ~ Beta(1, alpha),                                  k = 1..K-1, and beta_wK = 1,
    pi_wk = beta_wk prod_{r=1}^{k-1} (1 - beta_wr),
    p(z_i = k | x_i = w, beta) = pi_wk,
    p(y | x, z, theta) = prod_{c in Path(y)} sigma(d_cy In(x, z)^T Out(c)),
    p(y, z, beta | x, alpha, theta) = prod_w prod_k p(beta_wk | alpha)
                                      prod_i p(z_i | x_i, beta) prod_j p(y_ij | x_i, z_i, theta).

A stick of length one is broken: sense 1 takes the part beta_w1, sense 2 the part beta_w2 of what is
left, and so on. The smaller alpha is, the sooner the stick is used up, and the fewer senses a word
has that does not need more.

theta = {In, Out} is estimated by maximum likelihood; beta and z get the variational distribution
q(z) q(beta). Coordinate ascent on

    L = E_q[ln p(y, z, beta | x, alpha, theta) - ln q(z) - ln q(beta)]

has these updates. As ln p is linear in [z_i = k], each q(z_i) is a softmax:

    q(z_i = k) = exp(l_ik) / sum_r exp(l_ir),                                            (local)
    l_ik = E[ln pi_wk] + sum_j ln p(y_ij | x_i, k, theta),                  w = x_i.

The Beta density is conjugate, so with n_wk = sum_{i: x_i = w} q(z_i = k), the expected count,

    q(beta_wk) = Beta(a_wk, b_wk),   a_wk = 1 + n_wk,   b_wk = alpha + sum_{r>k} n_wr,   (sticks)
    E[ln pi_wk] = psi(a_wk) - psi(a_wk + b_wk) + sum_{r<k} [psi(b_wr) - psi(a_wr + b_wr)].

With the best q(z) the bound is

    L = sum_i ln sum_k exp(l_ik) - sum_w sum_{k<K} KL(q(beta_wk) || Beta(1, alpha)).     (bound)

For theta there is no closed form. With s_ikc = In(x_i, k)^T Out(c) and
d/ds ln sigma(d s) = d sigma(-d s),

    dL/dIn(w, k) = sum_{i: x_i = w} q(z_i = k) sum_j sum_{c in Path(y_ij)}
                   d sigma(-d s_ikc) Out(c),                                          (vectors)
    dL/dOut(c)   = sum_i sum_k q(z_i = k) sum_{j: c in Path(y_ij)} d sigma(-d s_ikc) In(x_i, k).

A sweep over all occurrences before each update would be slow. `StochasticEM` takes a batch of them:
it does (local) for the batch alone, moves n_wk by a natural gradient step, and the vectors by a
step along the batch's (vectors). Bartunov, Kondrashkin, Osokin and Vetrov (2016).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.special import betaln, digamma

from latent import checks
from latent.huffman import Huffman, huffman
from latent.memory import keep_freed_memory
from latent.schedules import linear
from latent.shapes import Float, Int
from latent.training import Trained, minibatches, train

# Occurrences at a time where there is no batch: their vectors fit into memory that is kept.
CHUNK = 1024

# Share of its occurrences above which a sense counts as in use.
IN_USE = 1e-2


class Occurrences(NamedTuple):
    """Words of a text with their neighbours, as places in the vocabulary.

    Attributes
    ----------
    words : array (n,)
        x_i, each in 0..V-1.
    contexts : array (n, J)
        y_ij, each in 0..V-1, or -1 where there is no neighbour or not one of the vocabulary.
    """

    words: Int[np.ndarray, " n"]
    contexts: Int[np.ndarray, "n J"]


class Senses(NamedTuple):
    """The senses of a word that are in use.

    Attributes
    ----------
    senses : array (n,)
        Their numbers, each in 0..K-1.
    probs : array (n,)
        E[pi_wk], the expected share of the word's occurrences.
    """

    senses: Int[np.ndarray, " n"]
    probs: Float[np.ndarray, " n"]


class Neighbour(NamedTuple):
    """A sense of a word that is close to another one.

    Attributes
    ----------
    word : str
        The word.
    sense : int
        Its sense, in 0..K-1.
    cosine : float
        Cosine of the angle between the two vectors.
    """

    word: str
    sense: int
    cosine: float


@dataclass(frozen=True, eq=False)
class AdaGram:
    """Word vectors with K senses a word.

    Parameters
    ----------
    vocabulary : array (V,) of text
        The words, at least two, all distinct.
    word_counts : array (V,)
        How often each word occurs in the text, at least once. They shape the Huffman tree.
    inputs : array (V, K, D)
        In(w, k).
    outputs : array (V-1, D)
        Out(c), of the precision of `inputs`.
    sense_counts : array (V, K)
        n_wk, the expected counts of the senses.
    alpha : float
        Of the prior Beta(1, alpha).
    window : int
        C, the most neighbours to either side.

    Attributes
    ----------
    tree : Huffman
        Path(v) and d_cv of each word.

    Raises
    ------
    ValueError
        If the shapes do not fit, words repeat, or a number is out of its range.
    """

    vocabulary: np.ndarray
    word_counts: Int[np.ndarray, " V"]
    inputs: Float[np.ndarray, "V K D"]
    outputs: Float[np.ndarray, "nodes D"]
    sense_counts: Float[np.ndarray, "V K"]
    alpha: float
    window: int
    tree: Huffman = field(init=False, repr=False)
    _places: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        vocabulary = np.array(_words("vocabulary", self.vocabulary))
        places = {word: v for v, word in enumerate(vocabulary.tolist())}
        V = len(vocabulary)
        if V < 2 or len(places) < V:
            raise ValueError(
                f"vocabulary must be two or more distinct words, got {len(places)} distinct of {V}"
            )
        word_counts = checks.integers("word_counts", self.word_counts, "V", low=1, V=V)
        dtype = np.asarray(self.inputs).dtype
        dtype = dtype if dtype.kind == "f" else np.dtype(float)
        inputs = checks.array("inputs", self.inputs, "V K D", V=V)
        _, K, D = inputs.shape
        outputs = checks.array("outputs", self.outputs, "nodes D", nodes=V - 1, D=D)
        sense_counts = checks.nonnegative("sense_counts", self.sense_counts, "V K", V=V, K=K)
        fields = {
            "vocabulary": checks.frozen(vocabulary),
            "word_counts": checks.frozen(word_counts),
            "inputs": checks.frozen(inputs.astype(dtype, copy=False)),
            "outputs": checks.frozen(outputs.astype(dtype, copy=False)),
            "sense_counts": checks.frozen(sense_counts),
            "alpha": checks.positive("alpha", self.alpha),
            "window": checks.whole("window", self.window),
            "tree": huffman(word_counts),
            "_places": places,
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @classmethod
    def init(
        cls,
        words: Sequence[str],
        *,
        rng: np.random.Generator,
        n_senses: int = 5,
        n_dims: int = 40,
        window: int = 2,
        alpha: float = 1.0,
        min_count: int = 10,
        dtype: type = np.float32,
    ) -> "AdaGram":
        """A model to start from: small random In, Out of zeros, counts n_wk = N_w E[pi_wk].

        N_w is the count of the word, and E[pi_wk] the share of sense k under the prior. So a sense
        begins smaller than the one before it, and grows only as far as it explains neighbours.

        Parameters
        ----------
        words : sequence of str
            The text, word for word.
        rng : numpy.random.Generator
            Source of randomness. It has to tell the senses apart: equal ones would stay equal.
        n_senses : int
            K, the most senses that a word can have.
        n_dims : int
            D, the length of a vector.
        window : int
            C, the most neighbours to either side.
        alpha : float
            Of the prior Beta(1, alpha); more senses are used with a larger one.
        min_count : int
            The vocabulary has the words that occur at least so often.
        dtype : type
            Precision of the vectors.

        Returns
        -------
        AdaGram
            The vocabulary begins with the most frequent word.

        Raises
        ------
        ValueError
            If a number is out of its range or fewer than two words are frequent enough.
        """
        n_senses, n_dims = checks.whole("n_senses", n_senses), checks.whole("n_dims", n_dims)
        min_count, rng = checks.whole("min_count", min_count), checks.generator(rng)
        if np.dtype(dtype).kind != "f":
            raise ValueError(f"dtype must be a type of floats, got {dtype}")
        counts = Counter(_words("words", words))
        kept = [(-count, word) for word, count in counts.items() if count >= min_count]
        if len(kept) < 2:
            raise ValueError(
                f"words must have two or more that occur {min_count} times (min_count), "
                f"got {len(kept)}"
            )
        kept.sort()
        V = len(kept)
        word_counts = np.array([-count for count, _ in kept])
        return cls(
            np.array([word for _, word in kept]),
            word_counts,
            (0.1 * rng.standard_normal((V, n_senses, n_dims))).astype(dtype),
            np.zeros((V - 1, n_dims), dtype),
            word_counts[:, None] * expected_weights(np.zeros((1, n_senses)), alpha),
            alpha,
            window,
        )

    @classmethod
    def fit(
        cls,
        words: Sequence[str],
        *,
        rng: np.random.Generator,
        n_senses: int = 5,
        n_dims: int = 40,
        window: int = 2,
        alpha: float = 1.0,
        min_count: int = 10,
        subsample: float = 1e-3,
        passes: int = 5,
        size: int = 1000,
        rate: float = 0.3,
        checkpoint: str | Path | None = None,
        progress: bool = False,
    ) -> Trained:
        """Learn the vectors and senses of a text by stochastic variational EM.

        Parameters
        ----------
        words : sequence of str
            The text, word for word (see `latent.text.words`).
        rng : numpy.random.Generator
            Source of randomness.
        n_senses, n_dims, window, alpha, min_count
            As for `init`.
        subsample : float
            t: of a word that makes up the share f of the text, a share sqrt(t / f) of the
            occurrences is used, or all if that is above one. It stays a neighbour of all others:
            small words beside a word tell much about its sense.
        passes : int
            Passes over the occurrences.
        size : int
            Occurrences in a batch.
        rate : float
            Learning rate of the first step; it falls linearly to zero.
        checkpoint, progress
            As for `latent.train`.

        Returns
        -------
        Trained
            `model` is the AdaGram; `trace` is the negative bound of each batch, in nats an
            occurrence, without the divergences of the sticks.

        Raises
        ------
        ValueError
            If an argument is out of its range, or the text is too short for a batch.

        Notes
        -----
        Lecture 4, AdaGram; Bartunov et al. (2016).
        """
        subsample = checks.positive("subsample", subsample)
        passes, size = checks.whole("passes", passes), checks.whole("size", size)
        model = cls.init(
            words,
            rng=rng,
            n_senses=n_senses,
            n_dims=n_dims,
            window=window,
            alpha=alpha,
            min_count=min_count,
        )
        occurrences = model.occurrences(words)
        share = model.word_counts / model.word_counts.sum()
        kept = rng.random(len(occurrences.words)) < np.sqrt(subsample / share)[occurrences.words]
        if not kept.any():
            raise ValueError(f"subsample must be larger: it leaves no occurrence, got {subsample}")
        occurrences = Occurrences(*(part[kept] for part in occurrences))
        batches = minibatches(*occurrences, size=min(size, len(occurrences.words)), rng=rng)
        steps = passes * max(1, len(occurrences.words) // size)
        return train(
            model,
            batches,
            steps=steps,
            rng=rng,
            optimiser=StochasticEM(),
            rate=linear(rate, steps),
            checkpoint=checkpoint,
            progress=progress,
        )

    def occurrences(self, words: Sequence[str]) -> Occurrences:
        """Find all words of the vocabulary in a text, with their neighbours.

        Parameters
        ----------
        words : sequence of str
            The text, word for word.

        Returns
        -------
        Occurrences
            In the order of the text. A word that is not in the vocabulary leaves a gap.

        Raises
        ------
        ValueError
            If `words` are not strings, or none is in the vocabulary.
        """
        places = self._in_vocabulary(_words("words", words))
        found = np.flatnonzero(places >= 0)
        if not len(found):
            raise ValueError("words must have at least one of the vocabulary")
        C = self.window
        edge = np.full(C, -1)
        padded = np.concatenate([edge, places, edge])
        offsets = np.concatenate([np.arange(C), np.arange(C + 1, 2 * C + 1)])
        return Occurrences(places[found], padded[found[:, None] + offsets])

    def log_joint(self, occurrences: Occurrences) -> Float[np.ndarray, "n K"]:
        """l_ik = E[ln pi_wk] + sum_j ln p(y_ij | x_i, k), see (local).

        Parameters
        ----------
        occurrences : Occurrences
            Of this model.

        Returns
        -------
        array (n, K)
            One row an occurrence, one column a sense, in nats.

        Raises
        ------
        ValueError
            If a place is not in the vocabulary.
        """
        words, contexts = self._checked(occurrences)
        paths = _paths(self.tree)
        log_weights = expected_log_weights(self.sense_counts, self.alpha)
        parts = []
        for first in range(0, len(words), CHUNK):
            w = words[first : first + CHUNK]
            nodes, d = _look_up(paths, contexts[first : first + CHUNK])
            log_sigma, _ = _log_sigmoid(_scores(self.inputs[w], self.outputs[nodes], d))
            parts.append(log_weights[w] + _sum_over_paths(log_sigma, d))
        return np.concatenate(parts)

    def responsibilities(self, occurrences: Occurrences) -> Float[np.ndarray, "n K"]:
        """q(z_i = k), see (local).

        Parameters
        ----------
        occurrences : Occurrences
            Of this model.

        Returns
        -------
        array (n, K)
            Each row sums to one.

        Raises
        ------
        ValueError
            As for `log_joint`.
        """
        return _softmax(self.log_joint(occurrences))[0]

    def elbo(self, occurrences: Occurrences) -> float:
        """L of these occurrences with the best q(z), see (bound).

        Parameters
        ----------
        occurrences : Occurrences
            Of this model.

        Returns
        -------
        float
            A lower bound of ln p(y | x, alpha, theta), in nats.

        Raises
        ------
        ValueError
            As for `log_joint`.
        """
        _, log_sums = _softmax(self.log_joint(occurrences))
        return float(log_sums.sum() - stick_divergences(self.sense_counts, self.alpha).sum())

    def context_probs(self, word: str, sense: int) -> Float[np.ndarray, " V"]:
        """p(y | x, z, theta) of all words y.

        Parameters
        ----------
        word : str
            x.
        sense : int
            z, in 0..K-1.

        Returns
        -------
        array (V,)
            They sum to one.

        Raises
        ------
        ValueError
            If the word is not in the vocabulary or has no such sense.
        """
        scores = self.outputs @ self.inputs[self._place(word), self._sense(sense)]
        d = self.tree.turns
        log_sigma, _ = _log_sigmoid(d * scores.astype(float)[self.tree.nodes])
        return np.exp((log_sigma * (d != 0)).sum(axis=1))

    def senses(self, word: str, least: float = IN_USE) -> Senses:
        """The senses of a word that are in use, and how probable they are.

        Parameters
        ----------
        word : str
            A word of the vocabulary.
        least : float
            Smallest probability of a sense in use.

        Returns
        -------
        Senses
            `senses` and `probs`, the most probable first.

        Raises
        ------
        ValueError
            If the word is not in the vocabulary or `least` is negative.
        """
        v, least = self._place(word), checks.at_least_zero("least", least)
        probs = expected_weights(self.sense_counts[[v]], self.alpha)[0]
        order = np.argsort(-probs, kind="stable")
        order = order[probs[order] >= least]
        return Senses(order, probs[order])

    def neighbours(
        self, word: str, sense: int, n: int = 10, least: float = IN_USE
    ) -> list[Neighbour]:
        """The senses closest to a sense, by the cosine of their vectors In.

        Parameters
        ----------
        word : str
            A word of the vocabulary.
        sense : int
            Its sense, in 0..K-1.
        n : int
            How many.
        least : float
            Smallest probability of a sense in use; others are left out.

        Returns
        -------
        list of Neighbour
            The closest first. Other senses of the word itself can be among them.

        Raises
        ------
        ValueError
            If the word is not in the vocabulary, has no such sense, or `n` is below one.
        """
        v, k = self._place(word), self._sense(sense)
        n, least = checks.whole("n", n), checks.at_least_zero("least", least)
        unit = self.inputs / np.maximum(np.linalg.norm(self.inputs, axis=2, keepdims=True), 1e-30)
        cosines = unit @ unit[v, k]
        cosines[expected_weights(self.sense_counts, self.alpha) < least] = -np.inf
        cosines[v, k] = -np.inf
        order = np.argsort(-cosines, axis=None, kind="stable")[:n]
        places = zip(*np.unravel_index(order, cosines.shape), strict=True)
        return [
            Neighbour(str(self.vocabulary[w]), int(r), float(cosines[w, r]))
            for w, r in places
            if cosines[w, r] > -np.inf
        ]

    def disambiguate(self, word: str, context: Sequence[str]) -> Float[np.ndarray, " K"]:
        """Probability of each sense of a word among its neighbours.

        Parameters
        ----------
        word : str
            A word of the vocabulary.
        context : sequence of str
            Its neighbours, any number. Those that are not in the vocabulary tell nothing.

        Returns
        -------
        array (K,)
            q(z = k). Without neighbours, that is softmax of E[ln pi_wk].

        Raises
        ------
        ValueError
            If the word is not in the vocabulary, or there are neighbours and none is.
        """
        context = _words("context", context)
        places = self._in_vocabulary(context)
        if len(places) and (places < 0).all():
            raise ValueError(f"context must have words of the vocabulary, got {context}")
        # A gap stands for the neighbours where there are none.
        contexts = np.append(places, -1)[None]
        return self.responsibilities(Occurrences(np.array([self._place(word)]), contexts))[0]

    def _in_vocabulary(self, words: list[str]) -> Int[np.ndarray, " T"]:
        return np.array([self._places.get(word, -1) for word in words], int)

    def _place(self, word: str) -> int:
        if word not in self._places:
            raise ValueError(f"word must be in the vocabulary, got {word!r}")
        return self._places[word]

    def _sense(self, sense: int) -> int:
        return checks.whole("sense", sense, low=0, high=self.inputs.shape[1] - 1)

    def _checked(self, occurrences: Occurrences) -> Occurrences:
        words, contexts = occurrences
        V = len(self.vocabulary)
        words = checks.integers("words", words, "n", low=0, high=V)
        return Occurrences(
            words, checks.integers("contexts", contexts, "n J", low=-1, high=V, n=len(words))
        )


@dataclass(frozen=True)
class StochasticEM:
    """The rule of a step of stochastic variational EM; an `Optimiser` of `latent.train`.

    A batch is a pair of arrays, `words` and `contexts` of `Occurrences`. From its q(z_i) come

    - the sticks. One occurrence of w estimates n_wk, a sum over all N_w of them, by N_w q(z_i = k).
      The natural gradient step of size rho is n_wk <- (1 - rho) n_wk + rho N_w q(z_i = k), and m of
      them in a row are one of size 1 - (1 - rho)^m with the mean of q, up to the order of the m;
    - the vectors. The gradient g of a batch is divided by the root of the sum of all its squares
      so far, element by element (Adagrad; Duchi et al. 2011), because the root of the tree is on
      every path and a rare word's node on few:

          G <- G + g^2,    theta <- theta + rate g / sqrt(G).

    Parameters
    ----------
    stick_rate : float
        rho as a share of the learning rate, above zero.

    Raises
    ------
    ValueError
        If `stick_rate` is not above zero.
    """

    stick_rate: float = 0.1

    def __post_init__(self) -> None:
        checks.positive("stick_rate", self.stick_rate)

    def start(self, model: AdaGram) -> dict[str, np.ndarray]:
        """Return the arrays of the model and the sums of squares.

        Parameters
        ----------
        model : AdaGram
            The start.

        Returns
        -------
        dict of arrays
            `inputs`, `outputs`, `sense_counts`; `input_squares` and `output_squares`, which are G.

        Raises
        ------
        AttributeError
            If `model` is not an AdaGram.
        """
        keep_freed_memory()  # each step makes and frees the same large arrays
        return {
            "inputs": model.inputs.copy(),
            "outputs": model.outputs.copy(),
            "sense_counts": model.sense_counts.copy(),
            # A little above zero, so that a gradient of zero is no step.
            "input_squares": np.full_like(model.inputs, 1e-6),
            "output_squares": np.full_like(model.outputs, 1e-6),
        }

    def step(
        self,
        model: AdaGram,
        state: dict[str, np.ndarray],
        batch: tuple[np.ndarray, ...],
        rate: float,
        rng: np.random.Generator,
    ) -> float:
        """Do (local) for a batch, then a step on the sticks and one on the vectors.

        Parameters
        ----------
        model : AdaGram
            For its tree, its word counts and alpha.
        state : dict of arrays
            As `start` returned them.
        batch : tuple of arrays
            `words` (n,) and `contexts` (n, J).
        rate : float
            Step size of the vectors; that of the sticks is `stick_rate` times it.
        rng : numpy.random.Generator
            Not used: nothing is drawn.

        Returns
        -------
        float
            -mean_i ln sum_k exp(l_ik), in nats an occurrence.

        Raises
        ------
        ValueError
            If the step size of the sticks is above one.
        """
        rho = self.stick_rate * rate
        if rho > 1:
            raise ValueError(f"rate times stick_rate must be at most 1, got {rho}")
        words, contexts = batch
        batch_words, of = np.unique(words, return_inverse=True)
        log_weights = expected_log_weights(state["sense_counts"][batch_words], model.alpha)
        found = batch_gradient(
            state["inputs"][words],
            state["outputs"],
            log_weights[of].astype(model.inputs.dtype),
            *_look_up(_paths(model.tree), contexts),
        )
        # Row i of the sum goes to the word of occurrence i.
        by_word = _selector(of, len(batch_words), found.q.dtype)

        m = np.bincount(of)
        mean_q = (by_word @ found.q) / m[:, None]
        N = model.word_counts[batch_words]
        keep = ((1 - rho) ** m)[:, None]
        n = state["sense_counts"]
        n[batch_words] = keep * n[batch_words] + (1 - keep) * N[:, None] * mean_q

        _, K, D = model.inputs.shape
        g = (by_word @ found.inputs.reshape(-1, K * D)).reshape(-1, K, D)
        G = state["input_squares"]
        G[batch_words] += g * g
        state["inputs"][batch_words] += rate * g / np.sqrt(G[batch_words])
        state["output_squares"] += found.outputs**2
        state["outputs"] += rate * found.outputs / np.sqrt(state["output_squares"])
        return -found.bound / len(words)

    def finish(self, model: AdaGram, state: dict[str, np.ndarray]) -> AdaGram:
        """Return the model with the arrays of the state.

        Parameters
        ----------
        model : AdaGram
            The start.
        state : dict of arrays
            The state.

        Returns
        -------
        AdaGram
            It does not share memory with the state.

        Raises
        ------
        ValueError
            If an array is not finite.
        """
        names = ("inputs", "outputs", "sense_counts")
        return replace(model, **{name: state[name] for name in names})


class BatchGradient(NamedTuple):
    """What a batch tells: q(z_i), and the bound's derivatives by the vectors.

    Attributes
    ----------
    bound : float
        sum_i ln sum_k exp(l_ik), in nats.
    q : array (n, K)
        q(z_i = k).
    inputs : array (n, K, D)
        Occurrence i's share of dL/dIn(x_i, k).
    outputs : array (nodes, D)
        dL/dOut(c).
    """

    bound: float
    q: Float[np.ndarray, "n K"]
    inputs: Float[np.ndarray, "n K D"]
    outputs: Float[np.ndarray, "nodes D"]


def batch_gradient(
    inputs: Float[np.ndarray, "n K D"],
    outputs: Float[np.ndarray, "nodes D"],
    log_weights: Float[np.ndarray, "n K"],
    nodes: Int[np.ndarray, "n M"],
    turns: Int[np.ndarray, "n M"],
) -> BatchGradient:
    """(local) and (vectors) for the occurrences of a batch.

    Parameters
    ----------
    inputs : array (n, K, D)
        In(x_i, k).
    outputs : array (nodes, D)
        Out(c).
    log_weights : array (n, K)
        E[ln pi_wk] of w = x_i.
    nodes : array (n, M)
        The nodes of all paths Path(y_ij), one path after the other.
    turns : array (n, M)
        d of these nodes; 0 where there is none.

    Returns
    -------
    BatchGradient
        `bound`, `q`, `inputs` and `outputs`. By the envelope theorem the derivatives of `bound` are
        those of L with q(z) held where it is.

    Raises
    ------
    IndexError
        If a node is not one of `outputs`.
    """
    on_paths = outputs[nodes]
    log_sigma, rest = _log_sigmoid(_scores(inputs, on_paths, turns))
    q, log_sums = _softmax(log_weights + _sum_over_paths(log_sigma, turns))
    rest *= turns[:, None]
    rest *= q[:, :, None]  # q(z_i = k) d sigma(-d s_ikc)
    by_visit = (rest.transpose(0, 2, 1) @ inputs).reshape(-1, outputs.shape[1])
    return BatchGradient(
        float(log_sums.sum()),
        q,
        rest @ on_paths,
        _selector(nodes.ravel(), len(outputs), outputs.dtype) @ by_visit,
    )


def expected_weights(
    sense_counts: Float[np.ndarray, "V K"], alpha: float
) -> Float[np.ndarray, "V K"]:
    """E[pi_wk] = E[beta_wk] prod_{r<k} E[1 - beta_wr], with E[beta] = a / (a + b).

    Parameters
    ----------
    sense_counts : array (V, K)
        n_wk.
    alpha : float
        Of the prior Beta(1, alpha).

    Returns
    -------
    array (V, K)
        They sum to one over k, because beta_wK is one.

    Raises
    ------
    ValueError
        If a count is negative or `alpha` is not above zero.

    Notes
    -----
    Lecture 4, (sticks) at the top of the module.
    """
    a, b = _sticks(sense_counts, alpha)
    one = np.ones((len(a), 1))
    taken, left = np.hstack([a / (a + b), one]), np.hstack([one, b / (a + b)])
    return taken * np.cumprod(left, axis=1)


def expected_log_weights(
    sense_counts: Float[np.ndarray, "V K"], alpha: float
) -> Float[np.ndarray, "V K"]:
    """E[ln pi_wk] = E[ln beta_wk] + sum_{r<k} E[ln(1 - beta_wr)].

    Parameters
    ----------
    sense_counts : array (V, K)
        n_wk.
    alpha : float
        Of the prior Beta(1, alpha).

    Returns
    -------
    array (V, K)
        In nats. Their exponentials sum to at most one over k, by Jensen's inequality.

    Raises
    ------
    ValueError
        If a count is negative or `alpha` is not above zero.

    Notes
    -----
    Lecture 4, (sticks) at the top of the module.
    """
    a, b = _sticks(sense_counts, alpha)
    whole, zero = digamma(a + b), np.zeros((len(a), 1))
    log_taken = np.hstack([digamma(a) - whole, zero])
    log_left = np.hstack([zero, digamma(b) - whole])
    return log_taken + np.cumsum(log_left, axis=1)


def stick_divergences(
    sense_counts: Float[np.ndarray, "V K"], alpha: float
) -> Float[np.ndarray, " V"]:
    """sum_{k<K} KL(q(beta_wk) || Beta(1, alpha)).

    Parameters
    ----------
    sense_counts : array (V, K)
        n_wk.
    alpha : float
        Of the prior Beta(1, alpha).

    Returns
    -------
    array (V,)
        In nats.

    Raises
    ------
    ValueError
        If a count is negative or `alpha` is not above zero.

    Notes
    -----
    With B the beta function, KL(Beta(a, b) || Beta(a', b')) = ln B(a', b') - ln B(a, b)
    + (a - a') psi(a) + (b - b') psi(b) + (a' - a + b' - b) psi(a + b), and B(1, alpha) = 1 / alpha.
    """
    a, b = _sticks(sense_counts, alpha)
    divergence = (
        -np.log(alpha)
        - betaln(a, b)
        + (a - 1) * digamma(a)
        + (b - alpha) * digamma(b)
        + (1 - a + alpha - b) * digamma(a + b)
    )
    return divergence.sum(axis=1)


def _sticks(sense_counts: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a and b of the K - 1 sticks that are broken."""
    n = checks.nonnegative("sense_counts", sense_counts, "V K")
    alpha = checks.positive("alpha", alpha)
    later = np.cumsum(n[:, :0:-1], axis=1)[:, ::-1]  # sum_{r>k} n_wr
    return 1 + n[:, :-1], alpha + later


def _paths(tree: Huffman) -> Huffman:
    """The paths with an empty one at the end, where the place -1 finds it."""
    return Huffman(*(np.pad(part, ((0, 1), (0, 0))) for part in tree))


def _look_up(
    paths: Huffman, contexts: Int[np.ndarray, "n J"]
) -> tuple[Int[np.ndarray, "n M"], Int[np.ndarray, "n M"]]:
    """Nodes and turns of the paths of all neighbours, in one row an occurrence."""
    n = len(contexts)
    return paths.nodes[contexts].reshape(n, -1), paths.turns[contexts].reshape(n, -1)


def _scores(
    inputs: Float[np.ndarray, "n K D"],
    on_paths: Float[np.ndarray, "n M D"],
    turns: Int[np.ndarray, "n M"],
) -> Float[np.ndarray, "n K M"]:
    """Return d In(x_i, k)^T Out(c)."""
    return (inputs @ on_paths.transpose(0, 2, 1)) * turns[:, None].astype(inputs.dtype)


def _log_sigmoid(
    scores: Float[np.ndarray, "*shape"],
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Return ln sigma(s) and its derivative, sigma(-s), without overflow."""
    tail = np.exp(-np.abs(scores))
    one_and_tail = 1 + tail
    log_sigma = np.minimum(scores, 0) - np.log(one_and_tail)
    return log_sigma, np.where(scores > 0, tail, 1) / one_and_tail


def _sum_over_paths(
    log_sigma: Float[np.ndarray, "n K M"], turns: Int[np.ndarray, "n M"]
) -> Float[np.ndarray, "n K"]:
    """Return sum_j ln p(y_ij | x_i, k); where a path has ended nothing counts."""
    return (log_sigma @ np.abs(turns)[:, :, None].astype(log_sigma.dtype))[:, :, 0]


def _softmax(
    log_joint: Float[np.ndarray, "n K"],
) -> tuple[Float[np.ndarray, "n K"], Float[np.ndarray, " n"]]:
    """Return q(z_i = k) and ln sum_k exp(l_ik)."""
    largest = log_joint.max(axis=1, keepdims=True)
    weights = np.exp(log_joint - largest)
    total = weights.sum(axis=1, keepdims=True)
    return weights / total, (largest + np.log(total))[:, 0]


def _selector(rows: Int[np.ndarray, " n"], n_rows: int, dtype: np.dtype) -> Any:
    """Return the sparse matrix whose product with another adds its row i to row rows[i]."""
    from scipy.sparse import csc_array  # slow to import, and needed here only

    n = len(rows)
    return csc_array((np.ones(n, dtype), rows, np.arange(n + 1)), shape=(n_rows, n))


def _words(name: str, value: object) -> list[str]:
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str):
        raise ValueError(f"{name} must be a sequence of words, got {type(value).__name__}")
    for place, word in enumerate(value):
        if not isinstance(word, str):
            raise ValueError(f"{name} must be strings, got {word!r} at {place}")
    return list(value)
