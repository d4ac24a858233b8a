"""GPT: a model of sequences of symbols made of causal attention.

Lecture 6. By the product rule any distribution of a sequence is

    p(x) = prod_t p(x_t | x_1..x_{t-1}).

A GPT computes all these factors at once: row t of the last layer, which the causal mask lets depend
on x_1..x_t alone, gives the scores of x_{t+1}. The loss of pretraining is the *negative*
log-likelihood -sum_t ln p(x_t | x_1..x_{t-1}), here per symbol.

The scores are the scalar products of that row with the vectors that stand for the symbols at the
input: what predicts a symbol is close to it. One table for both learns from each symbol twice.

The model sees `context` symbols back, no more. The place in its window is told by the waves of
`positional_encoding`. A learned vector for each place would do too, but learns more slowly: with
the waves, "four places back" is the same rotation everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from latent import checks
from latent.attention import causal_mask
from latent.autodiff import Tensor, constants
from latent.fused import cross_entropy
from latent.shapes import Float, Int
from latent.transformer import (
    Arrays,
    Parameters,
    checked_parameters,
    embed,
    encoder_block,
    encoder_block_parameters,
    norm_parameters,
    normalise,
    table,
)

# Windows that `GPT.log_likelihood` takes at a time: many enough for long products, few enough for
# little memory.
WINDOWS = 32


@dataclass(frozen=True, eq=False)
class GPT:
    """A causal transformer over symbols 0..M-1; make one with `GPT.init`.

    Parameters
    ----------
    parameters : dict of arrays
        By name, as from `GPT.init`; all of one precision.
    vocabulary : int
        M, the number of symbols.
    width : int
        W, the length of a row; even.
    n_heads : int
        H, a divisor of `width`.
    n_layers : int
        Number of blocks.
    context : int
        C, the number of symbols that the model can look at.

    Raises
    ------
    ValueError
        If an integer is out of range, or `parameters` have other names or shapes, are not finite,
        or not of one precision.
    """

    parameters: Arrays
    vocabulary: int
    width: int
    n_heads: int
    n_layers: int
    context: int

    def __post_init__(self) -> None:
        sizes = (self.vocabulary, self.width, self.n_heads, self.n_layers, self.context)
        like = _parameters(*sizes, np.random.default_rng(0))
        object.__setattr__(self, "parameters", checked_parameters(self.parameters, like))

    @classmethod
    def init(
        cls,
        *,
        vocabulary: int,
        width: int,
        n_heads: int,
        n_layers: int,
        context: int,
        rng: np.random.Generator,
        dtype: type = np.float32,
    ) -> "GPT":
        """Draw a model to train.

        Parameters
        ----------
        vocabulary : int
            M, the number of symbols.
        width : int
            W, the length of a row; even.
        n_heads : int
            H, a divisor of `width`.
        n_layers : int
            Number of blocks.
        context : int
            C, the number of symbols that the model can look at.
        rng : numpy.random.Generator
            Source of randomness.
        dtype : type
            Precision of the parameters, and so of all that is computed with them.

        Returns
        -------
        GPT
            A model that knows nothing: its scores are small and random.

        Raises
        ------
        ValueError
            If an integer is out of range or `rng` is not a generator.

        Notes
        -----
        Lecture 6, GPT; Radford and others (2019).
        """
        sizes = (vocabulary, width, n_heads, n_layers, context)
        drawn = _parameters(*sizes, checks.generator(rng))
        return cls({name: value.astype(dtype) for name, value in drawn.items()}, *sizes)

    def scores(self, p: Parameters, x: Int[np.ndarray, "B T"]) -> Tensor:
        """Scores of the symbol after each position, on Tensors.

        Parameters
        ----------
        p : mapping of Tensors
            Parameters by name.
        x : array (B, T) of integers
            Sequences of symbols, T at most C.

        Returns
        -------
        Tensor (B, T, M)
            ln p(x_{t+1} = m | x_1..x_t) but for a constant in each row.

        Raises
        ------
        ValueError
            If `x` is not made of symbols or longer than the context.
        """
        rows, _ = self._blocks(p, self._symbols(x))
        return _readout(p, rows)

    def loss(
        self, p: Parameters, batch: Int[np.ndarray, "B T"], rng: np.random.Generator
    ) -> Tensor:
        """Negative log-likelihood of the symbols of windows, given those before them.

        Parameters
        ----------
        p : mapping of Tensors
            Parameters by name.
        batch : array (B, T + 1) of integers
            Windows of a text, T from 1 to C; the first symbol of each is not predicted.
        rng : numpy.random.Generator
            Not used: nothing here is random.

        Returns
        -------
        Tensor ()
            In nats a symbol.

        Raises
        ------
        ValueError
            If `batch` is not made of symbols or does not fit the context.
        """
        x = checks.integers("batch", batch, "B T", low=0, high=self.vocabulary)
        if x.shape[1] < 2:
            raise ValueError(f"batch must have windows of at least two symbols, got {x.shape}")
        return cross_entropy(self.scores(p, x[:, :-1]), x[:, 1:])

    def logits(self, x: Int[np.ndarray, "B T"]) -> Float[np.ndarray, "B T M"]:
        """Scores of the symbol after each position.

        Parameters
        ----------
        x : array (B, T) of integers
            Sequences of symbols, T at most C.

        Returns
        -------
        array (B, T, M)
            ln p(x_{t+1} = m | x_1..x_t) but for a constant in each row.

        Raises
        ------
        ValueError
            If `x` is not made of symbols or longer than the context.
        """
        return self.scores(constants(self.parameters), x).data

    def log_likelihood(self, x: Int[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
        """Log probability ln p(x_t | symbols before) of each symbol of a text of any length.

        Parameters
        ----------
        x : array (T,) of integers
            Symbols.

        Returns
        -------
        array (T,)
            In nats. The first symbol has nothing before it, and gets ln 1/M.

        Raises
        ------
        ValueError
            If `x` is not made of symbols.

        Notes
        -----
        Lecture 6, GPT. A long text is read in windows of C symbols, each of which begins C / 4
        after the one before. A window adds the symbols that the ones before it did not reach, so
        that beyond the first window each symbol is predicted from at least 3 C / 4 others.
        """
        x = checks.integers("x", x, "T", low=0, high=self.vocabulary)
        T, C = len(x), self.context
        step = max(1, C // 4)
        result = np.full(T, -np.log(self.vocabulary))
        # The first window predicts x_1..x_C, and each later one the `step` symbols behind that.
        result[1 : C + 1] = self._of_next(x[None, : C + 1], 0)[0]
        starts = np.arange(step, T - 1 - C + step, step)
        for some in np.split(starts, range(WINDOWS, len(starts), WINDOWS)):
            ends = np.minimum(some + C + 1, T)
            # The last window is moved to the left, so that it is as long as the others.
            windows = x[(ends - C - 1)[:, None] + np.arange(C + 1)]
            new = ends[:, None] - np.arange(step, 0, -1)
            if len(some):
                result[new] = self._of_next(windows, C - step)
        return result

    def bits_per_symbol(self, x: Int[np.ndarray, " T"]) -> float:
        """Mean code length of a text, -(1/T) sum_t log2 p(x_t | symbols before).

        Parameters
        ----------
        x : array (T,) of integers
            Symbols.

        Returns
        -------
        float
            Bits a symbol; log2 M for a model that knows nothing.

        Raises
        ------
        ValueError
            If `x` is not made of symbols.

        Notes
        -----
        Lecture 6, GPT.
        """
        return float(-self.log_likelihood(x).mean() / np.log(2))

    def sample(
        self,
        prompt: Int[np.ndarray, " T"],
        n_symbols: int,
        *,
        temperature: float = 1.0,
        rng: np.random.Generator,
    ) -> Int[np.ndarray, " N"]:
        """Go on with a text, one symbol at a time.

        Parameters
        ----------
        prompt : array (T,) of integers
            At least one symbol; the last C count.
        n_symbols : int
            N, how many to draw.
        temperature : float
            Above zero. The scores are divided by it: 1 draws from the model, less prefers what is
            likely, and towards 0 the likeliest symbol is always taken.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        array (N,) of integers
            The symbols after the prompt.

        Raises
        ------
        ValueError
            If `prompt` is not made of symbols, `n_symbols` is below one, `temperature` is not above
            zero, or `rng` is not a generator.

        Notes
        -----
        Lecture 6, GPT.
        """
        prompt = checks.integers("prompt", prompt, "T", low=0, high=self.vocabulary)
        N, rng = checks.whole("n_symbols", n_symbols), checks.generator(rng)
        temperature = checks.positive("temperature", temperature)
        p = constants(self.parameters)
        x = np.concatenate([prompt, np.zeros(N, int)])
        for t in range(len(prompt), len(x)):
            rows, _ = self._blocks(p, x[None, max(0, t - self.context) : t])
            x[t] = draw(_readout(p, rows[:, -1]).data, temperature, rng)[0]
        return x[len(prompt) :]

    def attention_weights(self, x: Int[np.ndarray, " T"]) -> Float[np.ndarray, "L H T T"]:
        """Weights alpha_ij of each head of each block.

        Parameters
        ----------
        x : array (T,) of integers
            Symbols, T at most C.

        Returns
        -------
        array (n_layers, H, T, T)
            Row i says where the head looks from position i; it sums to one and is zero behind i.

        Raises
        ------
        ValueError
            If `x` is not made of symbols or longer than the context.

        Notes
        -----
        Lecture 6, attention.
        """
        x = checks.integers("x", x, "T", low=0, high=self.vocabulary)
        _, weights = self._blocks(constants(self.parameters), self._symbols(x[None]))
        return np.stack([A.data[0] for A in weights])

    def _symbols(self, x: object) -> Int[np.ndarray, "B T"]:
        x = checks.integers("x", x, "B T", low=0, high=self.vocabulary)
        checks.whole("the length of x", x.shape[1], high=self.context, why=", the context")
        return x

    def _blocks(self, p: Parameters, x: Int[np.ndarray, "B T"]) -> tuple[Tensor, list[Tensor]]:
        """Return the rows that the readout takes (B, T, W), and the weights of each block."""
        rows, past, weights = embed(p, "symbols", x), causal_mask(x.shape[1]), []
        for i in range(self.n_layers):
            rows, A = encoder_block(p, f"block{i}", rows, self.n_heads, past)
            weights.append(A)
        return normalise(p, "norm", rows), weights

    def _of_next(self, windows: Int[np.ndarray, "B T"], skip: int) -> Float[np.ndarray, "B N"]:
        """Return ln p(x_t | window before t) for the symbols after the first `skip` + 1."""
        if windows.shape[1] < 2:
            return np.zeros((1, 0))
        p = constants(self.parameters)
        rows, _ = self._blocks(p, windows[:, :-1])
        log_p = log_softmax(_readout(p, rows[:, skip:]).data.astype(float), axis=-1)
        return np.take_along_axis(log_p, windows[:, skip + 1 :, None], axis=-1)[..., 0]


def windows(
    x: Int[np.ndarray, " T"], length: int, size: int, rng: np.random.Generator
) -> Callable[[int], Int[np.ndarray, "B L"]]:
    """Cut a text into windows for `GPT.loss`, and these into batches.

    Parameters
    ----------
    x : array (T,) of integers
        Symbols.
    length : int
        Symbols that a window predicts, at most the context of the model; one more is in it.
    size : int
        B, windows in a batch.
    rng : numpy.random.Generator
        One number is drawn from it, which decides on all batches.

    Returns
    -------
    callable
        batches(i) is the batch of step i, an array (B, length + 1). A pass through the text cuts it
        at new places and takes the windows in a new order.

    Raises
    ------
    ValueError
        If `x` is not a row of symbols or too short for a batch in each pass, an integer is below
        one, or `rng` is not a generator.

    Notes
    -----
    Lecture 6, training. See `latent.train`.
    """
    x = checks.integers("x", x, "T", low=0)
    length, size = checks.whole("length", length), checks.whole("size", size)
    # A pass begins up to `length` - 1 symbols later, which leaves at least this many windows.
    per_pass = (len(x) - length) // length // size
    if per_pass < 1:
        raise ValueError(
            f"x must have at least (size + 1) length = {(size + 1) * length} symbols, got {len(x)}"
        )
    seed = int(checks.generator(rng).integers(2**63))

    def batches(i: int) -> Int[np.ndarray, "B L"]:
        turn, place = divmod(i, per_pass)
        order = np.random.default_rng([seed, turn])
        first, n = order.integers(length), per_pass * size
        starts = first + length * order.permutation(n)[place * size : (place + 1) * size]
        return x[starts[:, None] + np.arange(length + 1)]

    return batches


def draw(
    scores: Float[np.ndarray, "B M"], temperature: float, rng: np.random.Generator
) -> Int[np.ndarray, " B"]:
    """Draw a symbol for each row of scores from softmax(scores / temperature).

    Parameters
    ----------
    scores : array (B, M)
        Log probabilities, but for a constant in each row.
    temperature : float
        Above zero.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    array (B,) of integers
        A symbol for each row.

    Raises
    ------
    ValueError
        If `temperature` is not above zero.

    Notes
    -----
    Lecture 6, GPT. The largest of the scores plus independent Gumbel noise is a draw from their
    softmax.
    """
    temperature = checks.positive("temperature", temperature)
    scores = scores.astype(float) - scores.max(axis=-1, keepdims=True)
    return (scores / temperature + rng.gumbel(size=scores.shape)).argmax(axis=-1)


def _readout(p: Parameters, rows: Tensor) -> Tensor:
    """Return the scores of all symbols: scalar products of rows with their vectors."""
    return rows @ p["symbols"].swapaxes(0, 1)


def _parameters(
    vocabulary: int,
    width: int,
    n_heads: int,
    n_layers: int,
    context: int,
    rng: np.random.Generator,
) -> Arrays:
    M, W = checks.whole("vocabulary", vocabulary), checks.whole("width", width)
    H, L = checks.whole("n_heads", n_heads), checks.whole("n_layers", n_layers)
    checks.whole("context", context)
    if W % H or W % 2:
        raise ValueError(f"width must be even and a multiple of n_heads, {H}, got {W}")
    p = table("symbols", M, W, rng)
    for i in range(L):
        p |= encoder_block_parameters(f"block{i}", W, rng, gain=(2 * L) ** -0.5)
    return p | norm_parameters("norm", W)
