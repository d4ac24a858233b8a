"""Auto-encoders on handwritten digits: what they learn, beside classical methods.

Run `python -m benchmarks.autoencoders` from the root of the repository; it prints tables in
Markdown. Nothing here is compared in time. A sixth of the digits is held out, except for clusters,
where no method sees a label and all digits are used.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from latent import GMM, PPCA, kmeans
from latent.autodiff import Tensor, record
from latent.autoencoder import Autoencoder
from latent.data import digits
from latent.gmvae import GMVAE
from latent.gradient_estimators import reparameterised_gradient, score_function_gradient
from latent.vae import VAE
from latent.vqvae import VQVAE

SEEDS = (0, 1, 2)
N_HELD_OUT = 297
# Noise on the pixels that the decoder explains, and the rate: for VAE and GMVAE in `clusters`.
CLUSTERING: dict[str, Any] = {"noise": 0.2, "rate": 3e-3}


class Table(NamedTuple):
    """A table of results.

    Attributes
    ----------
    title : str
        What is measured, and in which unit.
    columns : tuple of str
        Heads of the columns.
    rows : list of tuples
        Text and numbers.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple]


class Effort(NamedTuple):
    """How much work goes into a table.

    Attributes
    ----------
    steps : int
        Steps of each training.
    n_samples : int
        Samples for each point where something is estimated.
    n_points : int
        Digits that are used.
    seeds : tuple of int
        Seeds of the clusterings.
    restarts : int
        Starts of a GMVAE.
    """

    steps: int = 3000
    n_samples: int = 500
    n_points: int = 1797
    seeds: tuple[int, ...] = SEEDS
    restarts: int = 4


QUICK = Effort(steps=20, n_samples=5, n_points=120, seeds=(0,), restarts=1)


def split(effort: Effort) -> tuple[np.ndarray, np.ndarray]:
    """Return digits to train on and digits held out, in random order.

    Parameters
    ----------
    effort : Effort
        How many there are.

    Returns
    -------
    train, held_out : arrays (n, 64)
        Pixels from 0 to 1.
    """
    x = digits().images
    x = x[np.random.default_rng(0).permutation(len(x))[: effort.n_points]]
    n_held_out = N_HELD_OUT * effort.n_points // len(digits().images)
    return x[n_held_out:], x[:n_held_out]


def bounds(effort: Effort) -> Table:
    """Compare bounds of the log evidence of held-out digits with PPCA's log evidence.

    Parameters
    ----------
    effort : Effort
        How much work.

    Returns
    -------
    Table
        Nats a digit.
    """
    train, held_out = split(effort)
    rows = []
    for D in (2, 8, 16):
        vae = VAE.fit(
            train,
            D,
            rng=np.random.default_rng(D),
            likelihood="gaussian",
            steps=effort.steps,
        ).model
        rng = np.random.default_rng(0)
        elbo = vae.elbo(held_out, rng, max(1, effort.n_samples // 10))
        weighted = vae.log_evidence(held_out, rng, effort.n_samples)
        ppca = PPCA.closed_form(train, D).log_evidence(held_out)
        n = len(held_out)
        rows.append((D, ppca / n, elbo.elbo / n, weighted / n, elbo.kl / n))
    columns = ("D", "PPCA, exact", "VAE, ELBO", f"VAE, {effort.n_samples} weighted samples", "KL")
    return Table("ln p(x) of held-out digits, Gaussian likelihood, nats a digit", columns, rows)


def reconstruction(effort: Effort) -> Table:
    """Compare the squared error of auto-encoders with principal components.

    Parameters
    ----------
    effort : Effort
        How much work.

    Returns
    -------
    Table
        |x - h(s)|^2 of a held-out digit, and with the mean of the digits in the place of h(s).
    """
    train, held_out = split(effort)
    rows = []
    mean = float(((held_out - train.mean(axis=0)) ** 2).sum(axis=1).mean())
    for D in (2, 8, 16):
        pca = PCA(D).fit(train)
        back = pca.inverse_transform(pca.transform(held_out))
        linear, deep = (
            Autoencoder.fit(
                train, D, rng=np.random.default_rng(D), hidden=hidden, rate=rate, steps=effort.steps
            ).model
            for hidden, rate in (((), 1e-2), ((128,), 2e-3))
        )
        error = float(((held_out - back) ** 2).sum(axis=1).mean())
        rows.append((D, mean, error, linear.squared_error(held_out), deep.squared_error(held_out)))
    columns = ("D", "mean of x", "PCA", "Autoencoder, linear", "Autoencoder, 64-128-D")
    return Table("|x - h(s)|^2 of held-out digits, pixels from 0 to 1", columns, rows)


def codebooks(effort: Effort) -> Table:
    """Rebuild held-out digits from a few codes.

    Parameters
    ----------
    effort : Effort
        How much work.

    Returns
    -------
    Table
        For each size of the codebook the squared error, the bound and how many codes are used.
    """
    train, held_out = split(effort)
    rows = []
    for K, P, D in ((16, 4, 3), (16, 8, 2), (64, 4, 4), (32, 8, 4)):
        model = VQVAE.fit(
            train,
            n_codes=K,
            n_positions=P,
            code_size=D,
            rng=np.random.default_rng(0),
            steps=effort.steps,
        ).model
        error = ((model.decode(model.encode(held_out)) - held_out) ** 2).sum(axis=1).mean()
        usage, terms = model.usage(held_out), model.elbo(held_out)
        used = int((usage.counts > 0).sum())
        elbo, bits = terms.elbo / len(held_out), P * np.log2(K)
        rows.append((K, P, D, bits, float(error), elbo, used, usage.perplexity))
    columns = ("K", "P", "D", "bits", "|x - h|^2", "ELBO, nats", "codes used", "perplexity")
    return Table("VQ-VAE on held-out digits", columns, rows)


def clusters(effort: Effort) -> Table:
    """Compare unsupervised clusters with the digits that were written.

    Parameters
    ----------
    effort : Effort
        How much work.

    Returns
    -------
    Table
        The adjusted Rand index of each method for each seed, and their mean.
    """
    x, labels = digits()
    x, labels = x[: effort.n_points], labels[: effort.n_points]
    methods = {
        "K-means, best of 20": kmeans_clusters,
        "GMM on 16 principal components, best of 5": gmm_clusters,
        "VAE, then K-means on its means": vae_clusters,
        "GMVAE, best bound of 4": gmvae_clusters,
    }
    rows = []
    for name, method in methods.items():
        scores = [
            float(adjusted_rand_score(labels, method(x, effort, np.random.default_rng(seed))))
            for seed in effort.seeds
        ]
        rows.append((name, *scores, float(np.mean(scores))))
    columns = ("", *(f"seed {seed}" for seed in effort.seeds), "mean")
    return Table("Adjusted Rand index of ten clusters with the ten digits", columns, rows)


def kmeans_clusters(x: np.ndarray, effort: Effort, rng: np.random.Generator) -> np.ndarray:
    """Return the assignments of K-means on the pixels.

    Parameters
    ----------
    x : array (n, 64)
        Digits.
    effort : Effort
        How much work.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    array (n,) of integers
        Clusters.
    """
    return kmeans(x, 10, rng=rng, restarts=20).assignments


def gmm_clusters(x: np.ndarray, effort: Effort, rng: np.random.Generator) -> np.ndarray:
    """Return the likeliest component of a Gaussian mixture on principal components.

    Parameters
    ----------
    x : array (n, 64)
        Digits.
    effort : Effort
        How much work.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    array (n,) of integers
        Clusters.
    """
    z = PCA(16).fit_transform(x)
    fit = GMM.fit(z, 10, rng=rng, restarts=5, floor=1e-3)
    return fit.model.responsibilities(z).argmax(axis=1)


def vae_clusters(x: np.ndarray, effort: Effort, rng: np.random.Generator) -> np.ndarray:
    """Return the assignments of K-means on the means of a VAE's encoder.

    Parameters
    ----------
    x : array (n, 64)
        Digits.
    effort : Effort
        How much work.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    array (n,) of integers
        Clusters.
    """
    vae = VAE.fit(x, 10, rng=rng, likelihood="gaussian", **CLUSTERING, steps=effort.steps).model
    return kmeans(vae.encode(x).mean, 10, rng=rng, restarts=20).assignments


def gmvae_clusters(x: np.ndarray, effort: Effort, rng: np.random.Generator) -> np.ndarray:
    """Return the likeliest cluster of each digit under a GMVAE, the best of some starts.

    Which start is best is decided by the bound; no label is seen.

    Parameters
    ----------
    x : array (n, 64)
        Digits.
    effort : Effort
        How much work.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    array (n,) of integers
        Clusters.
    """
    fit = GMVAE.fit(
        x,
        10,
        n_components=10,
        rng=rng,
        restarts=effort.restarts,
        steps=effort.steps,
        **CLUSTERING,
    )
    return fit.model.responsibilities(x).argmax(axis=1)


def gradient_variances(effort: Effort) -> Table:
    """Compare the variances of two estimates of the gradient with respect to mu.

    Parameters
    ----------
    effort : Effort
        How much work.

    Returns
    -------
    Table
        The mean over the D entries of mu, at mu = 0 and sigma = 1, from samples of one each.
    """
    n = 40 * effort.n_samples
    cases: list[tuple[str, Callable[[Tensor], Tensor], int, float]] = [
        (f"|s - 1|^2, D = {D}", _distance, D, 2.0 * D) for D in (1, 10, 100)
    ]
    cases += [(f"sin {w} s, D = 1", _ripple(w), 1, 0.0) for w in (1, 20)]
    rows = []
    for name, f, D, mean_of_f in cases:
        at = {"mean": np.zeros(D), "sd": np.ones(D), "n_samples": n}
        rng = np.random.default_rng(0)
        score = score_function_gradient(f, **at, rng=rng)
        lowered = score_function_gradient(f, **at, rng=rng, baseline=mean_of_f)
        path = reparameterised_gradient(f, **at, rng=rng)
        rows.append((name, *(float(g.mean.var(axis=0).mean()) for g in (score, lowered, path))))
    columns = ("f", "score function", "with the baseline E[f]", "reparameterised")
    return Table("Variance of an estimate of dE[f]/dmu from one sample", columns, rows)


def _distance(s: Tensor) -> Tensor:
    return ((s - 1.0) ** 2).sum(axis=1)


def _ripple(w: float) -> Callable[[Tensor], Tensor]:
    return lambda s: record(np.sin(w * s.data), (s, lambda g: g * w * np.cos(w * s.data))).sum(
        axis=1
    )


TABLES = (bounds, reconstruction, codebooks, gradient_variances, clusters)


def tables(effort: Effort) -> Iterator[Table]:
    """Make all tables.

    Parameters
    ----------
    effort : Effort
        How much work.

    Yields
    ------
    Table
        One after the other.
    """
    for make in TABLES:
        yield make(effort)


def markdown(table: Table) -> str:
    """Return a table in Markdown.

    Parameters
    ----------
    table : Table
        The table.

    Returns
    -------
    str
        With its title above.
    """
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    body = "\n".join(f"| {' | '.join(_cell(value) for value in line)} |" for line in lines)
    return f"**{table.title}**\n\n{body}\n"


def _cell(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", r"\|")


def main() -> None:
    """Print all tables, and how long each took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.autoencoders")
    parser.add_argument("--quick", action="store_true", help="tiny trainings, to see that it works")
    effort = QUICK if parser.parse_args().quick else Effort()
    start = time.process_time()
    for table in tables(effort):
        print(markdown(table))
        print(f"{time.process_time() - start:.0f} s of one core\n", flush=True)
        start = time.process_time()


if __name__ == "__main__":
    main()
