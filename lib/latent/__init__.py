"""The mathematics of *Latent*: each function is a derivation of the lectures, in its letters.

Functions take and return arrays; models are frozen dataclasses; results are named tuples;
randomness comes in as a `numpy.random.Generator` called `rng`.
"""

from latent import chain, data, fisher, fused, lagrange, scan, schedules, sign_switching
from latent.adam import Adam
from latent.autodiff import Tensor, concatenate, record, stop_gradient
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
from latent.lagrange import simplex_mle
from latent.mean_field import MeanField, mean_field, variational_em
from latent.mixtures import GMM
from latent.monte_carlo import monte_carlo_em
from latent.ngram import NGram, kneser_ney, witten_bell
from latent.order_m import SuperChain, order_m
from latent.ppca import PPCA, Latent, LatentSample
from latent.scan import backward, forward, log_evidence, pairwise, sample_posterior, smooth, viterbi
from latent.score import Score, score
from latent.storage import load, save
from latent.text import Alphabet, hold_out, words
from latent.training import Optimiser, Trained, minibatches, train
from latent.variational_gmm import GMMPrior, VariationalGMM

__all__ = [
    "GMM",
    "HMM",
    "PPCA",
    "Adam",
    "Alphabet",
    "Backward",
    "Categorical",
    "Coin",
    "ElboForms",
    "Emission",
    "Fit",
    "Forward",
    "GMMPrior",
    "Gaussian",
    "GaussianMixture",
    "KMeans",
    "Latent",
    "LatentSample",
    "MeanField",
    "NGram",
    "NormalGamma",
    "NormalGammaSample",
    "NormalMeanField",
    "Optimiser",
    "Path",
    "Poisson",
    "Posterior",
    "Sample",
    "Score",
    "SuperChain",
    "Tensor",
    "Trained",
    "VariationalGMM",
    "assign",
    "backward",
    "baum_welch",
    "best_of",
    "beta_bernoulli",
    "beta_log_density",
    "cavi",
    "cavi_normal",
    "chain",
    "cluster_means",
    "concatenate",
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
    "jeffreys",
    "jeffreys_posterior",
    "kl",
    "kl_normal",
    "kl_uniform",
    "kmeans",
    "kmeans_from",
    "kmeans_plus_plus",
    "kneser_ney",
    "lagrange",
    "load",
    "log_evidence",
    "match_statistics",
    "mean_field",
    "minibatches",
    "monte_carlo_em",
    "order_m",
    "pairwise",
    "record",
    "sample_posterior",
    "save",
    "scan",
    "schedules",
    "score",
    "sign_switching",
    "simplex_mle",
    "smooth",
    "state_marginals",
    "stationary",
    "stop_gradient",
    "train",
    "variational_em",
    "viterbi",
    "witten_bell",
    "words",
]
