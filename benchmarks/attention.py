"""Attention against its length: softmax, linear, and PyTorch's softmax, in time and in memory.

The two kernels give different answers, as `latent.attention` explains, so what is compared is the
cost of a row. `tests/latent/test_attention.py` compares the answers with their definitions.
"""

import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.harness import Budget, Result, Scale, Work, compare, interleave, up_to
from benchmarks.names import HALF, SOFTMAX, TORCH_SOFTMAX
from latent.attention import attention, causal_linear_attention, causal_mask, linear_attention

D = 64  # length of a query, a key and a value
LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536)
LONGEST_SOFTMAX = 8192  # 0.3 GB of weights; PyTorch's keeps none and goes on to the end
LONGEST = LENGTHS[-1]
LINEAR = 2.3  # twice the length may cost so many times as much: twice, and what the cache is worth

Arrays = tuple[np.ndarray, ...]


def results(scale: Scale, threads: int) -> Iterator[Result]:
    """Measure linear attention against softmax attention, and against itself at half the length.

    Parameters
    ----------
    scale : Scale
        Largest T, and how often.
    threads : int
        Threads of this process.

    Yields
    ------
    Result
        Time and memory for each length, full and causal.
    """
    lengths = up_to(scale.steps, *LENGTHS)
    for name, ours, theirs in (
        ("full", linear_attention, attention),
        ("causal", causal_linear_attention, _causal_softmax),
    ):
        for T in lengths:
            yield from _times(name, T, ours, theirs, scale.budget, threads)
        for T in lengths[1:]:
            yield _memory(name, T, ours, threads)


def _times(
    name: str, T: int, ours: Callable, theirs: Callable, budget: Budget, threads: int
) -> Iterator[Result]:
    q, k, v = _rows(T)
    works = {"latent": _work(ours, (q, k, v)), HALF: _work(ours, _rows(max(1, T // 2)))}
    if T <= LONGEST_SOFTMAX:
        works[SOFTMAX] = _work(theirs, (q, k, v))
    works[TORCH_SOFTMAX] = Work(
        partial(_torch, [torch.from_numpy(x[None, None]) for x in (q, k, v)], name)
    )
    for work in works.values():
        work.run()  # what happens only once is not measured
    times = interleave(works, budget)
    for peer in [peer for peer in works if peer != "latent"]:
        yield compare(
            times["latent"],
            times[peer],
            section=f"Attention, {name}",
            name=f"T = {T:,}",
            peer=peer,
            threads=threads,
            target=LINEAR if peer == HALF and T == LONGEST and threads == 1 else None,
            sizes={"T": T, "kind": name},
        )


def _memory(name: str, T: int, ours: Callable, threads: int) -> Result:
    here, half = (_peak(ours, _rows(n)) for n in (T, T // 2))
    return Result(
        section=f"Attention, {name}: memory",
        name=f"T = {T:,}",
        peer=HALF,
        threads=threads,
        unit="MB",
        ours=here,
        theirs=half,
        ratio=here / half,
        quartiles=(here / half, here / half),
        rounds=1,
        target=LINEAR if T == LONGEST else None,
        sizes={"T": T, "kind": name},
    )


def _rows(T: int) -> Arrays:
    rng = np.random.default_rng(0)
    return tuple(rng.standard_normal((T, D), np.float32) for _ in range(3))


def _work(function: Callable, arrays: Arrays) -> Work:
    return Work(lambda: {"y": function(*arrays)})


def _causal_softmax(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    return attention(q, k, v, causal_mask(len(q))).output


def _torch(rows: list[torch.Tensor], name: str) -> dict:
    return {"y": F.scaled_dot_product_attention(*rows, is_causal=name == "causal")}


def _peak(function: Callable, arrays: Arrays) -> float:
    """Megabytes of the result and of all that is made on the way."""
    tracemalloc.start()
    try:
        function(*arrays)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
