"""Networks: gradients and training steps of `latent` against PyTorch in eager mode.

Both start from the same parameters and see the same batch and the same noise. PyTorch's networks
are written with its own functions, layer by layer as in `latent.transformer` and `latent.vae`, and
trained with its own Adam.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.harness import Answer, Case, Scale, Work
from latent.adam import Adam, gradient
from latent.gpt import GPT
from latent.positions import positional_encoding
from latent.vae import VAE

PEER = "PyTorch"
RATE = 1e-3
SIZES = {
    "vocabulary": 64,
    "width": 64,
    "n_heads": 4,
    "n_layers": 2,
    "context": 64,
}  # of the small GPT
BATCH_OF_TEXT = 16

Torch = dict[str, torch.Tensor]


def cases(scale: Scale) -> Iterator[Case]:
    """Yield the cases of this module.

    Parameters
    ----------
    scale : Scale
        How large they may be: `points` bounds the size of a batch.

    Yields
    ------
    Case
        For a small GPT and two VAEs: gradients in double precision, which must agree, and training
        steps in single precision.
    """
    windows = np.random.default_rng(1).integers(
        64, size=(min(scale.points, BATCH_OF_TEXT), SIZES["context"] + 1)
    )
    yield from _network("GPT", _gpt, torch_gpt, windows, target=1.0)
    for d, hidden, D, target in ((784, 256, 16, 1.0), (64, 64, 2, 0.6)):
        x = np.random.default_rng(1).random((min(scale.points, 128), d)) < 0.3
        make = partial(_vae, d, hidden, D)
        yield from _network(f"VAE {d}-{hidden}-{D}", make, torch_vae, (x,), target)


def _network(
    name: str,
    make: Callable[[type], Any],
    theirs: Callable[[Any, Torch, Any, np.random.Generator], torch.Tensor],
    batch: Any,
    target: float,
) -> Iterator[Case]:
    model, double = make(np.float64), _cast(batch, np.float64)
    yield Case(
        "Gradient, double precision",
        name,
        Work(lambda: _our_gradient(model, double)),
        {PEER: Work(lambda: _their_gradient(model, double, theirs))},
        tolerance=1e-10,
    )
    model, single = make(np.float32), _cast(batch, np.float32)
    yield Case(
        "Training step, single precision",
        name,
        Work(_our_steps(model, single)),
        {PEER: Work(_their_steps(model, single, theirs))},
        targets={PEER: target},
        tolerance=1e-5,
    )


def _gpt(dtype: type) -> GPT:
    return GPT.init(**SIZES, rng=np.random.default_rng(0), dtype=dtype)


def _vae(d: int, hidden: int, D: int, dtype: type) -> VAE:
    return VAE.init(d, D, rng=np.random.default_rng(0), hidden=(hidden,), dtype=dtype)


def _cast(batch: Any, dtype: type) -> Any:
    """Give points the precision of the parameters; symbols stay integers."""
    return tuple(x.astype(dtype) for x in batch) if isinstance(batch, tuple) else batch


def _our_gradient(model: Any, batch: Any) -> Answer:
    theta = np.concatenate([value.ravel() for value in model.parameters.values()])
    loss, g = gradient(model, theta, batch, np.random.default_rng(2))
    return {"loss": loss, "gradient": g}


def _our_steps(model: Any, batch: Any) -> Callable[[], Answer]:
    optimiser, rng = Adam(), np.random.default_rng(2)
    state = optimiser.start(model)
    return lambda: {"loss": optimiser.step(model, state, batch, RATE, rng)}


def _their_gradient(model: Any, batch: Any, loss_of: Callable) -> Answer:
    p = _leaves(model)
    loss = loss_of(model, p, _tensors(batch), np.random.default_rng(2))
    loss.backward()
    g = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in p.values()]
    return {"loss": loss.item(), "gradient": np.concatenate([x.numpy().ravel() for x in g])}


def _their_steps(model: Any, batch: Any, loss_of: Callable) -> Callable[[], Answer]:
    p, data, rng = _leaves(model), _tensors(batch), np.random.default_rng(2)
    optimiser = torch.optim.Adam(p.values(), lr=RATE)

    def step() -> Answer:
        optimiser.zero_grad()
        loss = loss_of(model, p, data, rng)
        loss.backward()
        optimiser.step()
        return {"loss": loss.item()}

    return step


def _leaves(model: Any) -> Torch:
    return {k: torch.from_numpy(v.copy()).requires_grad_() for k, v in model.parameters.items()}


def _tensors(batch: Any) -> Any:
    if isinstance(batch, tuple):
        return tuple(torch.from_numpy(x) for x in batch)
    return torch.from_numpy(batch)


def torch_gpt(model: GPT, p: Torch, batch: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Compute the loss of `latent.GPT` with PyTorch.

    Parameters
    ----------
    model : GPT
        For its sizes.
    p : dict of Tensors
        Parameters.
    batch : Tensor (B, T + 1)
        Windows of symbols.
    rng : numpy.random.Generator
        Not used.

    Returns
    -------
    Tensor ()
        Nats a symbol.
    """
    x, targets = batch[:, :-1], batch[:, 1:]
    (B, T), W, H = x.shape, model.width, model.n_heads
    waves = torch.from_numpy(positional_encoding(T, W)).to(p["symbols"].dtype)
    rows = F.embedding(x, p["symbols"]) * W**0.5 + 2**0.5 * waves
    for i in range(model.n_layers):
        name = f"block{i}"
        h = _normalise(p, f"{name}.attention_norm", rows)
        q, k, v = (
            (h @ p[f"{name}.attention.{part}.weight"]).view(B, T, H, W // H).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        heads = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        heads = heads.transpose(1, 2).reshape(B, T, W)
        rows = rows + heads @ p[f"{name}.attention.out.weight"]
        h = _normalise(p, f"{name}.feed_forward_norm", rows)
        h = F.gelu(h @ p[f"{name}.feed_forward.in.weight"], approximate="tanh")
        rows = rows + h @ p[f"{name}.feed_forward.out.weight"]
    scores = _normalise(p, "norm", rows) @ p["symbols"].T
    return F.cross_entropy(scores.reshape(B * T, -1), targets.reshape(-1))


def _normalise(p: Torch, name: str, x: torch.Tensor) -> torch.Tensor:
    return F.layer_norm(x, x.shape[-1:], p[f"{name}.scale"], p[f"{name}.shift"])


def torch_vae(
    model: VAE, p: Torch, batch: tuple[torch.Tensor], rng: np.random.Generator
) -> torch.Tensor:
    """Compute the loss of `latent.VAE` (Bernoulli, one sample) with PyTorch.

    Parameters
    ----------
    model : VAE
        For its sizes.
    p : dict of Tensors
        Parameters.
    batch : tuple of a Tensor (n, d)
        Points.
    rng : numpy.random.Generator
        What the noise is drawn from.

    Returns
    -------
    Tensor ()
        Nats a point.
    """
    (x,), D = batch, model.n_latent
    moments = _perceptron(p, "encoder", x)
    mean, log_variance = moments[:, :D], moments[:, D:]
    dtype = p["encoder.0.weight"].numpy(force=True).dtype.type
    eps = torch.from_numpy(rng.standard_normal((len(x), D), dtype))
    scores = _perceptron(p, "decoder", mean + (0.5 * log_variance).exp() * eps)
    nll = F.binary_cross_entropy_with_logits(scores, x, reduction="sum")
    kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
    return (nll + kl) / len(x)


def _perceptron(p: Torch, name: str, x: torch.Tensor) -> torch.Tensor:
    h = (x @ p[f"{name}.0.weight"] + p[f"{name}.0.bias"]).relu()
    return h @ p[f"{name}.1.weight"] + p[f"{name}.1.bias"]
