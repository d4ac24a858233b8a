"""The names of `latent` for networks and text: lectures 6 and 7, and AdaGram of lecture 4.

`latent` imports this module when the first of them is asked for. Who needs none of them does not
wait for them.
"""

import latent.fused as fused
import latent.likelihoods as likelihoods
import latent.perceptron as perceptron
import latent.schedules as schedules
import latent.transformer as transformer
from latent.adagram import AdaGram, Neighbour, Occurrences, Senses, StochasticEM
from latent.adam import Adam
from latent.autodiff import Tensor, concatenate, constants, record, stop_gradient
from latent.autoencoder import Autoencoder
from latent.gmvae import GMVAE, GMVAESample, GMVAETerms
from latent.gpt import GPT, windows
from latent.gradient_estimators import (
    GaussianGradients,
    reparameterise,
    reparameterised_gradient,
    score_function_gradient,
)
from latent.muon import Muon
from latent.ngram import NGram, kneser_ney, witten_bell
from latent.seq2seq import Seq2Seq, pad
from latent.storage import load, save
from latent.subwords import Subwords
from latent.text import Alphabet, hold_out, words
from latent.training import Optimiser, Trained, minibatches, train
from latent.vae import VAE, Encoded, Generated, VAETerms, kl_to_unit_normal, sample_normal
from latent.vqvae import VQVAE, CodeUsage, VQTerms, nearest_codes, straight_through

__all__ = [
    "GMVAE",
    "GPT",
    "VAE",
    "VQVAE",
    "AdaGram",
    "Adam",
    "Alphabet",
    "Autoencoder",
    "CodeUsage",
    "Encoded",
    "GMVAESample",
    "GMVAETerms",
    "GaussianGradients",
    "Generated",
    "Muon",
    "NGram",
    "Neighbour",
    "Occurrences",
    "Optimiser",
    "Senses",
    "Seq2Seq",
    "StochasticEM",
    "Subwords",
    "Tensor",
    "Trained",
    "VAETerms",
    "VQTerms",
    "concatenate",
    "constants",
    "fused",
    "hold_out",
    "kl_to_unit_normal",
    "kneser_ney",
    "likelihoods",
    "load",
    "minibatches",
    "nearest_codes",
    "pad",
    "perceptron",
    "record",
    "reparameterise",
    "reparameterised_gradient",
    "sample_normal",
    "save",
    "schedules",
    "score_function_gradient",
    "stop_gradient",
    "straight_through",
    "train",
    "transformer",
    "windows",
    "witten_bell",
    "words",
]
