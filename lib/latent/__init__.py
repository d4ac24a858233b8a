"""The mathematics of *Latent*: each function is a derivation of the lectures, in its letters.

Functions take and return arrays; models are frozen dataclasses; results are named tuples;
randomness comes in as a `numpy.random.Generator` called `rng`.
"""

from latent import data, sign_switching
from latent.chain import Forward, forward, log_evidence, state_marginals, stationary
from latent.clustering import (
    KMeans,
    assign,
    cluster_means,
    distortion,
    kmeans,
    kmeans_from,
    kmeans_plus_plus,
)
from latent.emissions import Categorical, Emission, Gaussian, Poisson, Sample, match_statistics
from latent.fitting import Fit, best_of, elbo, em, hard_em, kl
from latent.hmm import HMM
from latent.mixtures import GMM
from latent.ppca import PPCA, Latent, LatentSample

__all__ = [
    "GMM",
    "HMM",
    "PPCA",
    "Categorical",
    "Emission",
    "Fit",
    "Forward",
    "Gaussian",
    "KMeans",
    "Latent",
    "LatentSample",
    "Poisson",
    "Sample",
    "assign",
    "best_of",
    "cluster_means",
    "data",
    "distortion",
    "elbo",
    "em",
    "forward",
    "hard_em",
    "kl",
    "kmeans",
    "kmeans_from",
    "kmeans_plus_plus",
    "log_evidence",
    "match_statistics",
    "sign_switching",
    "state_marginals",
    "stationary",
]
