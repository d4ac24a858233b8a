"""Random models and brute force for the tests."""

from itertools import product

import numpy as np
from hypothesis import strategies as st

import latent
from latent.emissions import GaussianMixture

seeds = st.integers(0, 2**32 - 1)
KINDS = ["categorical", "gaussian", "poisson", "gaussian_mixture"]


def distributions(rng, *shape, zeros=False):
    """Rows that sum to one; with `zeros`, some entries are exactly zero."""
    rows = rng.dirichlet(np.ones(shape[-1]), shape[:-1])
    if zeros:
        keep = rng.random(shape) < 0.6
        keep[..., rng.integers(shape[-1])] = True
        rows = rows * keep
    return rows / rows.sum(axis=-1, keepdims=True)


def covariances(rng, K, D):
    root = rng.normal(size=(K, D, D))
    return root @ root.transpose(0, 2, 1) + 0.3 * np.eye(D)


def emission(rng, kind, N, zeros=False):
    if kind == "categorical":
        return latent.Categorical(distributions(rng, N, 3, zeros=zeros))
    if kind == "gaussian":
        return latent.Gaussian(3 * rng.normal(size=(N, 2)), covariances(rng, N, 2))
    if kind == "gaussian_mixture":
        means, stack = 3 * rng.normal(size=(N, 2, 2)), covariances(rng, 2 * N, 2)
        return GaussianMixture(distributions(rng, N, 2), means, stack.reshape(N, 2, 2, 2))
    return latent.Poisson(10 * rng.random(N))


def hide(x, rows):
    """The same data with some rows missing."""
    if x.ndim == 2:
        x = x.copy()
        x[rows] = np.nan
        return x
    return np.ma.masked_array(x, mask=np.isin(np.arange(len(x)), rows))


def hmm(rng, kind, N, exit=False, zeros=False):
    rows = distributions(rng, N, N + exit, zeros=zeros)
    return latent.HMM(
        distributions(rng, N, zeros=zeros),
        rows[:, :N],
        emission(rng, kind, N, zeros=zeros),
        exit=rows[:, N] if exit else None,
    )


def gmm(rng, K, D):
    return latent.GMM(distributions(rng, K), 3 * rng.normal(size=(K, D)), covariances(rng, K, D))


def paths(N, T):
    """All N^T sequences of hidden states."""
    return np.array(list(product(range(N), repeat=T)))
