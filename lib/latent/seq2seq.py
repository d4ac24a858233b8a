"""From one sequence to another: an encoder, and a decoder that looks back at it.

Lecture 6. The encoder turns the source s_1..s_S into rows z_1..z_S, each with all of the source in
view. The decoder is a GPT whose blocks also attend to these rows. It models

    p(y | s) = prod_t p(y_t | y_1..y_{t-1}, s),

and the weights of its cross-attention, alpha_tj = p(z_j | row t), say which part of the source it
looks at while it writes y_t: an alignment that nobody taught it.

Sequences of a batch differ in length. Shorter ones are filled up with `PAD`: attention never sees
a filled place of the source, and the loss does not count one of the target. The target has one
symbol more than its M, number M: it stands in front of y_1, where there is nothing to read yet, and
behind the last y, where it says that the sequence ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from latent import checks
from latent.autodiff import Tensor, constants
from latent.fused import cross_entropy, embedding
from latent.gpt import draw
from latent.shapes import Bool, Float, Int
from latent.transformer import (
    Arrays,
    Parameters,
    checked_parameters,
    decoder_block,
    decoder_block_parameters,
    embed,
    encoder_block,
    encoder_block_parameters,
    linear,
    norm_parameters,
    normalise,
    table,
)

# Fills the places behind the end of a sequence.
PAD = -1


def pad(sequences: Sequence[Int[np.ndarray, "_"]]) -> Int[np.ndarray, "B T"]:
    """Put sequences of different lengths in the rows of one array.

    Parameters
    ----------
    sequences : sequence of arrays (T_b,) of integers
        B sequences of symbols, each with at least one.

    Returns
    -------
    array (B, T) of integers
        T is the largest length; the places behind the end of a sequence hold `PAD`, which is -1.

    Raises
    ------
    ValueError
        If there is no sequence, or one is not a row of symbols.
    """
    if not len(sequences):
        raise ValueError("sequences must have at least one sequence")
    rows = [checks.integers(f"sequences[{b}]", x, "T", low=0) for b, x in enumerate(sequences)]
    result = np.full((len(rows), max(map(len, rows))), PAD)
    for row, x in zip(result, rows, strict=True):
        row[: len(x)] = x
    return result


@dataclass(frozen=True, eq=False)
class Seq2Seq:
    """A transformer with an encoder and a decoder; make one with `Seq2Seq.init`.

    Parameters
    ----------
    parameters : dict of arrays
        By name, as from `Seq2Seq.init`; all of one precision.
    source_vocabulary, target_vocabulary : int
        Number of symbols of the source, and M, that of the target.
    width : int
        W, the length of a row; even.
    n_heads : int
        H, a divisor of `width`.
    n_layers : int
        Number of blocks of the encoder, and of the decoder.

    Raises
    ------
    ValueError
        If an integer is out of range, or `parameters` have other names or shapes, are not finite,
        or not of one precision.
    """

    parameters: Arrays
    source_vocabulary: int
    target_vocabulary: int
    width: int
    n_heads: int
    n_layers: int

    def __post_init__(self) -> None:
        sizes = (self.source_vocabulary, self.target_vocabulary, self.width, self.n_heads)
        like = _parameters(*sizes, self.n_layers, np.random.default_rng(0))
        object.__setattr__(self, "parameters", checked_parameters(self.parameters, like))

    @classmethod
    def init(
        cls,
        *,
        source_vocabulary: int,
        target_vocabulary: int,
        width: int,
        n_heads: int,
        n_layers: int,
        rng: np.random.Generator,
        dtype: type = np.float32,
    ) -> "Seq2Seq":
        """Draw a model to train.

        Parameters
        ----------
        source_vocabulary, target_vocabulary : int
            Number of symbols of the source, and M, that of the target.
        width : int
            W, the length of a row; even.
        n_heads : int
            H, a divisor of `width`.
        n_layers : int
            Number of blocks of the encoder, and of the decoder.
        rng : numpy.random.Generator
            Source of randomness.
        dtype : type
            Precision of the parameters, and so of all that is computed with them.

        Returns
        -------
        Seq2Seq
            A model that gives each symbol the probability 1 / (M + 1): its last matrix is zero.

        Raises
        ------
        ValueError
            If an integer is out of range or `rng` is not a generator.

        Notes
        -----
        Lecture 6, sequence to sequence; Vaswani and others (2017).
        """
        sizes = (source_vocabulary, target_vocabulary, width, n_heads, n_layers)
        drawn = _parameters(*sizes, checks.generator(rng))
        return cls({name: value.astype(dtype) for name, value in drawn.items()}, *sizes)

    def loss(
        self,
        p: Parameters,
        batch: tuple[Int[np.ndarray, "B S"], Int[np.ndarray, "B T"]],
        rng: np.random.Generator,
    ) -> Tensor:
        """Negative log-likelihood of targets given sources.

        Parameters
        ----------
        p : mapping of Tensors
            Parameters by name.
        batch : pair of arrays (B, S) and (B, T) of integers
            Sources and targets, as from `pad`.
        rng : numpy.random.Generator
            Not used: nothing here is random.

        Returns
        -------
        Tensor ()
            In nats a symbol of the targets, the end of each counted as one.

        Raises
        ------
        ValueError
            If sources or targets are not padded symbols, or not equally many.
        """
        source, target = self._pairs(*batch)
        z, seen = self._encode(p, source)
        before, after = self._shifted(target)
        rows, _ = self._decode(p, z, seen, before)
        counted = np.flatnonzero(after != PAD)
        rows = embedding(rows.reshape(-1, self.width), counted)  # looks up the rows that count
        return cross_entropy(linear(p, "readout", rows), after.ravel()[counted])

    def log_likelihood(
        self, source: Int[np.ndarray, "B S"], target: Int[np.ndarray, "B T"]
    ) -> Float[np.ndarray, " B"]:
        """Log probability ln p(y | s) of whole targets, their ends included.

        Parameters
        ----------
        source : array (B, S) of integers
            Sources, as from `pad`.
        target : array (B, T) of integers
            Targets, as from `pad`.

        Returns
        -------
        array (B,)
            In nats.

        Raises
        ------
        ValueError
            If sources or targets are not padded symbols, or not equally many.

        Notes
        -----
        Lecture 6, sequence to sequence.
        """
        source, target = self._pairs(source, target)
        p = constants(self.parameters)
        before, after = self._shifted(target)
        rows, _ = self._decode(p, *self._encode(p, source), before)
        log_p = log_softmax(linear(p, "readout", rows).data.astype(float), axis=-1)
        chosen = np.take_along_axis(log_p, np.maximum(after, 0)[..., None], axis=-1)[..., 0]
        return np.where(after == PAD, 0, chosen).sum(axis=1)

    def generate(
        self,
        source: Int[np.ndarray, "B S"],
        max_length: int,
        *,
        temperature: float | None = None,
        rng: np.random.Generator | None = None,
    ) -> list[Int[np.ndarray, " T"]]:
        """Write a target for each source, symbol by symbol.

        Parameters
        ----------
        source : array (B, S) of integers
            Sources, as from `pad`.
        max_length : int
            Largest length of a target.
        temperature : float or None
            None takes the likeliest symbol each time. A number above zero draws from the scores
            divided by it.
        rng : numpy.random.Generator or None
            Source of randomness; needed with a temperature.

        Returns
        -------
        list of arrays (T_b,) of integers
            The targets, without their ends.

        Raises
        ------
        ValueError
            If `source` is not padded symbols, `max_length` is below one, `temperature` is not
            above zero, or comes without `rng`.

        Notes
        -----
        Lecture 6, sequence to sequence.
        """
        source = self._padded("source", source, self.source_vocabulary)
        max_length, end = checks.whole("max_length", max_length), self.target_vocabulary
        if temperature is not None and rng is None:
            raise ValueError("rng must be given with a temperature")

        def choose(scores: np.ndarray) -> np.ndarray:
            if temperature is None or rng is None:
                return scores.argmax(axis=-1)
            return draw(scores, temperature, rng)

        p = constants(self.parameters)
        z, seen = self._encode(p, source)
        y = np.full((len(source), 1), end)
        done = np.zeros(len(source), bool)
        while not done.all() and y.shape[1] <= max_length:
            rows, _ = self._decode(p, z, seen, y)
            chosen = choose(linear(p, "readout", rows[:, -1]).data)
            done |= chosen == end
            y = np.column_stack([y, np.where(done, end, chosen)])
        return [row[: np.argmax(row == end) if end in row else len(row)] for row in y[:, 1:]]

    def alignment(
        self, source: Int[np.ndarray, " S"], target: Int[np.ndarray, " T"]
    ) -> Float[np.ndarray, "L H T1 S"]:
        """Weights of the cross-attention of each head of each block.

        Parameters
        ----------
        source : array (S,) of integers
            One source.
        target : array (T,) of integers
            Its target.

        Returns
        -------
        array (n_layers, H, T + 1, S)
            Row t says where in the source the head looks when y_t is to be written, the last row
            when the end is; each sums to one.

        Raises
        ------
        ValueError
            If `source` or `target` is not a row of symbols.

        Notes
        -----
        Lecture 6, sequence to sequence.
        """
        source = checks.integers("source", source, "S", low=0, high=self.source_vocabulary)
        target = checks.integers("target", target, "T", low=0, high=self.target_vocabulary)
        p = constants(self.parameters)
        before, _ = self._shifted(target[None])
        _, weights = self._decode(p, *self._encode(p, source[None]), before)
        return np.stack([A.data[0] for A in weights])

    def _encode(
        self, p: Parameters, source: Int[np.ndarray, "B S"]
    ) -> tuple[Tensor, Bool[np.ndarray, "B 1 1 S"]]:
        """Return the rows z of sources, and the mask of the places that are there."""
        seen = (source != PAD)[:, None, None, :]
        rows = embed(p, "source", np.maximum(source, 0))
        for i in range(self.n_layers):
            rows = encoder_block(p, f"encoder{i}", rows, self.n_heads, seen).output
        return normalise(p, "encoder_norm", rows), seen

    def _decode(
        self,
        p: Parameters,
        z: Tensor,
        seen: Bool[np.ndarray, "B 1 1 S"],
        before: Int[np.ndarray, "B T"],
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the rows that the readout takes, and the weights of the cross-attention."""
        # What fills a target needs no mask: it stands behind all that counts, in the future.
        rows, weights = embed(p, "target", np.maximum(before, 0)), []
        for i in range(self.n_layers):
            rows, A = decoder_block(p, f"decoder{i}", rows, z, self.n_heads, seen)
            weights.append(A)
        return normalise(p, "decoder_norm", rows), weights

    def _shifted(self, target: Int[np.ndarray, "B T"]) -> tuple[np.ndarray, np.ndarray]:
        """Return what the decoder reads and what it is to write: the target with its end marked."""
        B, end = len(target), self.target_vocabulary
        before = np.column_stack([np.full(B, end), target])
        after = np.column_stack([target, np.full(B, PAD)])
        after[np.arange(B), (target != PAD).sum(axis=1)] = end
        return before, after

    def _pairs(self, source: object, target: object) -> tuple[np.ndarray, np.ndarray]:
        source = self._padded("source", source, self.source_vocabulary)
        target = self._padded("target", target, self.target_vocabulary)
        if len(source) != len(target):
            raise ValueError(
                f"target must have as many rows as source, {len(source)}, got {len(target)}"
            )
        return source, target

    @staticmethod
    def _padded(name: str, x: object, n_symbols: int) -> Int[np.ndarray, "B T"]:
        x = checks.integers(name, x, "B T", low=PAD, high=n_symbols)
        there = x != PAD
        if not there[:, 0].all() or (there[:, 1:] > there[:, :-1]).any():
            raise ValueError(f"{name} must have symbols first and then -1 in each row, see `pad`")
        return x


def _parameters(
    source_vocabulary: int,
    target_vocabulary: int,
    width: int,
    n_heads: int,
    n_layers: int,
    rng: np.random.Generator,
) -> Arrays:
    N = checks.whole("source_vocabulary", source_vocabulary)
    M = checks.whole("target_vocabulary", target_vocabulary)
    W, H = checks.whole("width", width), checks.whole("n_heads", n_heads)
    L = checks.whole("n_layers", n_layers)
    if W % H or W % 2:
        raise ValueError(f"width must be even and a multiple of n_heads, {H}, got {W}")
    p = table("source", N, W, rng) | table("target", M + 1, W, rng)
    for i in range(L):
        p |= encoder_block_parameters(f"encoder{i}", W, rng, gain=(2 * L) ** -0.5)
        p |= decoder_block_parameters(f"decoder{i}", W, rng, gain=(3 * L) ** -0.5)
    p |= norm_parameters("encoder_norm", W) | norm_parameters("decoder_norm", W)
    return p | {"readout.weight": np.zeros((W, M + 1))}
