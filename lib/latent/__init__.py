"""The mathematics of *Latent*: each function is a derivation of the lectures, in its letters.

Functions take and return arrays; models are frozen dataclasses; results are named tuples;
randomness comes in as a `numpy.random.Generator` called `rng`.
"""

import typing

from latent import (
    chain,
    data,
    fisher,
    lagrange,
    scan,
    sign_switching,
)
from latent.attention import (
    Attention,
    attention,
    causal_linear_attention,
    causal_mask,
    linear_attention,
)
from latent.baum_welch import baum_welch
from latent.bayes import (
    Coin,
    NormalGamma,
    NormalGammaSample,
    beta_bernoulli,
    beta_log_density,
    jeffreys_posterior,
)
from latent.cavi import NormalMeanField, cavi, cavi_normal
from latent.chain import Backward, Forward, Path, Posterior, state_marginals, stationary
from latent.clustering import (
    KMeans,
    assign,
    cluster_means,
    distortion,
    kmeans,
    kmeans_from,
    kmeans_plus_plus,
)
from latent.divergences import ElboForms, elbo_forms, kl_normal, kl_uniform
from latent.emissions import (
    Categorical,
    Emission,
    Gaussian,
    GaussianMixture,
    Poisson,
    Sample,
    match_statistics,
)
from latent.fisher import fisher_information, jeffreys
from latent.fitting import Fit, best_of, elbo, em, hard_em, kl
from latent.hmm import HMM
from latent.huffman import Huffman, huffman
from latent.lagrange import simplex_mle
from latent.mean_field import MeanField, mean_field, variational_em
from latent.mixtures import GMM
from latent.monte_carlo import monte_carlo_em
from latent.order_m import SuperChain, order_m
from latent.positions import positional_encoding
from latent.ppca import PPCA, Latent, LatentSample
from latent.scan import backward, forward, log_evidence, pairwise, sample_posterior, smooth, viterbi
from latent.score import Score, score
from latent.variational_gmm import GMMPrior, VariationalGMM

if typing.TYPE_CHECKING:
    from .networks import *

__all__ = [
    "GMM",
    "GMVAE",
    "GPT",
    "HMM",
    "PPCA",
    "VAE",
    "VQVAE",
    "AdaGram",
    "Adam",
    "Alphabet",
    "Attention",
    "Autoencoder",
    "Backward",
    "Categorical",
    "CodeUsage",
    "Coin",
    "ElboForms",
    "Emission",
    "Encoded",
    "Fit",
    "Forward",
    "GMMPrior",
    "GMVAESample",
    "GMVAETerms",
    "Gaussian",
    "GaussianGradients",
    "GaussianMixture",
    "Generated",
    "Huffman",
    "KMeans",
    "Latent",
    "LatentSample",
    "MeanField",
    "Muon",
    "NGram",
    "Neighbour",
    "NormalGamma",
    "NormalGammaSample",
    "NormalMeanField",
    "Occurrences",
    "Optimiser",
    "Path",
    "Poisson",
    "Posterior",
    "Sample",
    "Score",
    "Senses",
    "Seq2Seq",
    "StochasticEM",
    "Subwords",
    "SuperChain",
    "Tensor",
    "Trained",
    "VAETerms",
    "VQTerms",
    "VariationalGMM",
    "assign",
    "attention",
    "backward",
    "baum_welch",
    "best_of",
    "beta_bernoulli",
    "beta_log_density",
    "causal_linear_attention",
    "causal_mask",
    "cavi",
    "cavi_normal",
    "chain",
    "cluster_means",
    "concatenate",
    "constants",
    "data",
    "distortion",
    "elbo",
    "elbo_forms",
    "em",
    "fisher",
    "fisher_information",
    "forward",
    "fused",
    "hard_em",
    "hold_out",
    "huffman",
    "jeffreys",
    "jeffreys_posterior",
    "kl",
    "kl_normal",
    "kl_to_unit_normal",
    "kl_uniform",
    "kmeans",
    "kmeans_from",
    "kmeans_plus_plus",
    "kneser_ney",
    "lagrange",
    "likelihoods",
    "linear_attention",
    "load",
    "log_evidence",
    "match_statistics",
    "mean_field",
    "minibatches",
    "monte_carlo_em",
    "nearest_codes",
    "order_m",
    "pad",
    "pairwise",
    "perceptron",
    "positional_encoding",
    "record",
    "reparameterise",
    "reparameterised_gradient",
    "sample_normal",
    "sample_posterior",
    "save",
    "scan",
    "schedules",
    "score",
    "score_function_gradient",
    "sign_switching",
    "simplex_mle",
    "smooth",
    "state_marginals",
    "stationary",
    "stop_gradient",
    "straight_through",
    "train",
    "transformer",
    "variational_em",
    "viterbi",
    "windows",
    "witten_bell",
    "words",
]


def __getattr__(name: str) -> object:
    """Import the networks when the first of their names is asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'latent' has no attribute {name!r}")
    from latent import networks

    globals().update((name, getattr(networks, name)) for name in networks.__all__)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
