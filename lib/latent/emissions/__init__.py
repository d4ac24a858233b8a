"""Emissions: how a hidden state produces an observation, p(x_t | S_t = i).

Lecture 1, EM, Lecture 2, "Optimizing Q_3", and the notes on exponential families. Given weights
w_ti = gamma_i,t = p(S_t = i | x, lambda'), the M-step maximises

    Q_3 = sum_t sum_i w_ti ln p(x_t | S_t = i, lambda).

`Categorical`, `Gaussian` and `Poisson` are exponential families p(x | eta) = h(x) exp(eta^T t(x) -
a(eta)), so that the gradient of Q_3 is zero where

    E[t(x) | eta_i] = sum_t w_ti t(x_t) / sum_t w_ti:

the model's expected sufficient statistics match the weighted average of those of the data.
`GaussianMixture` is none, and becomes one when the component U_t joins the hidden variables.

A missing observation says nothing: its likelihood is one in every state, and the M-step leaves it
out. It is a row of NaN for the emissions of vectors and a masked entry (`numpy.ma`) for those of
symbols and counts. A state that no observation belongs to keeps its parameters.
"""

from latent.emissions.categorical import Categorical, CategoricalScore, CategoricalTemplate
from latent.emissions.gaussian import Gaussian, GaussianScore, GaussianTemplate, clip_eigenvalues
from latent.emissions.gaussian_mixture import (
    GaussianMixture,
    GaussianMixtureScore,
    GaussianMixtureTemplate,
)
from latent.emissions.interface import Emission, Observations, Sample, Template, match_statistics
from latent.emissions.poisson import Poisson, PoissonScore, PoissonTemplate

__all__ = [
    "Categorical",
    "CategoricalScore",
    "CategoricalTemplate",
    "Emission",
    "Gaussian",
    "GaussianMixture",
    "GaussianMixtureScore",
    "GaussianMixtureTemplate",
    "GaussianScore",
    "GaussianTemplate",
    "Observations",
    "Poisson",
    "PoissonScore",
    "PoissonTemplate",
    "Sample",
    "Template",
    "clip_eigenvalues",
    "match_statistics",
]
