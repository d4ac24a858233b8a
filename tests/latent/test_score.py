import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from random_models import KINDS, hide, hmm, paths, seeds

from latent.emissions import Categorical, Gaussian, Poisson
from latent.hmm import HMM
from latent.score import score

every_kind = pytest.mark.parametrize("kind", KINDS)


def sequences(model, rng, lengths=(4, 1, 3)):
    return [model.emission.sample(rng.integers(model.n_states, size=T), rng) for T in lengths]


def evidence(q, A, b, e=None):
    """p(x) as a polynomial in q, A, the likelihoods b and e, none of which need sum to one."""
    T, N = b.shape
    s = paths(N, T)
    p = q[s[:, 0]] * b[np.arange(T), s].prod(axis=1) * A[s[:, :-1], s[:, 1:]].prod(axis=1)
    return (p if e is None else p * e[s[:, -1]]).sum()


def slopes(f, value, h=1e-6):
    """Derivatives of f by the entries of an array, from central differences."""
    result = np.zeros(value.shape)
    for index in np.ndindex(value.shape):
        step = np.zeros(value.shape)
        step[index] = h
        result[index] = (f(value + step) - f(value - step)) / (2 * h)
    return result


@every_kind
@given(seeds, st.booleans(), st.booleans())
def test_derivatives_by_the_chain_are_those_of_the_polynomial(kind, seed, exit, zeros):
    rng = np.random.default_rng(seed)
    model = hmm(rng, kind, 3, exit=exit, zeros=zeros)
    x = model.emission.sample(rng.integers(3, size=4), rng)
    b = np.exp(model.log_likelihood(x))
    q, A, e = model.initial, model.transition, model.exit
    p = evidence(q, A, b, e)
    assume(p > 0)
    gradient = score(model, x)
    by_q = slopes(lambda q: evidence(q, A, b, e), q) / p
    assert_allclose(gradient.initial, by_q, rtol=1e-5, atol=1e-6 * by_q.max())
    by_a = slopes(lambda A: evidence(q, A, b, e), A) / p
    assert_allclose(gradient.transition, by_a, rtol=1e-5, atol=1e-6 * by_a.max())
    if exit:
        by_e = slopes(lambda e: evidence(q, A, b, e), e) / p
        assert_allclose(gradient.exit, by_e, rtol=1e-5, atol=1e-6 * by_e.max())
    else:
        assert gradient.exit is None


@given(seeds, st.booleans(), st.booleans())
def test_derivatives_by_the_symbols_are_those_of_the_polynomial(seed, exit, zeros):
    rng = np.random.default_rng(seed)
    model = hmm(rng, "categorical", 3, exit=exit, zeros=zeros)
    x = model.emission.sample(rng.integers(3, size=4), rng)
    q, A, e = model.initial, model.transition, model.exit

    def of_probs(probs):
        return evidence(q, A, probs.T[x], e)

    p = of_probs(model.emission.probs)
    assume(p > 0)
    expected = slopes(of_probs, model.emission.probs) / p
    ours = score(model, x).emission.probs
    assert_allclose(ours, expected, rtol=1e-5, atol=1e-6 * expected.max())


def test_the_derivative_by_a_rate_of_zero_is_that_from_the_right():
    model = HMM(np.array([0.5, 0.5]), np.full((2, 2), 0.5), Poisson(np.array([0.0, 3.0])))
    for x in ([0, 0, 2], [1, 0, 1], [2, 3, 2]):
        x, h = np.array(x), 1e-6

        def log_evidence(rate, x=x):
            emission = Poisson(np.array([rate, 3.0]))
            return dataclasses.replace(model, emission=emission).log_evidence(x)

        # a second-order difference to the right
        ahead = (4 * log_evidence(h) - 3 * log_evidence(0.0) - log_evidence(2 * h)) / (2 * h)
        assert_allclose(score(model, x).emission.rates[0], ahead, atol=1e-7)


def parameters(model):
    """Every parameter with the direction in which a free parameter moves it."""
    emission = model.emission
    names = [f.name for f in dataclasses.fields(emission) if f.init and f.name != "floor"]
    return {"initial": model.initial} | {name: getattr(emission, name) for name in names}


def shifted(model, rng, size):
    """Move all unconstrained parameters: logarithms of shares and rates, means, roots."""

    def shares(p):
        p = p * np.exp(size * rng.normal(size=p.shape))
        return p / p.sum(axis=-1, keepdims=True)

    rows = model.transition
    rows = shares(rows if model.exit is None else np.column_stack([rows, model.exit]))
    initial, new = shares(model.initial), {}
    for name, value in parameters(model).items():
        if name == "initial":
            continue
        if name in ("probs", "weights"):
            new[name] = shares(value)
        elif name == "rates":
            new[name] = value * np.exp(size * rng.normal(size=value.shape))
        elif name == "means":
            new[name] = value + size * rng.normal(size=value.shape)
        else:
            root = np.eye(value.shape[-1]) + size * rng.normal(size=value.shape)
            new[name] = root @ value @ np.swapaxes(root, -1, -2)
    N = model.n_states
    exit = None if model.exit is None else rows[:, N]
    return HMM(initial, rows[:, :N], dataclasses.replace(model.emission, **new), exit)


@every_kind
@given(seeds, st.booleans())
def test_the_score_is_the_slope_in_the_unconstrained_parameters(kind, seed, exit):
    rng = np.random.default_rng(seed)
    model = hmm(rng, kind, 3, exit=exit)
    x = sequences(model, rng)
    x[0] = hide(x[0], [1])
    gradient, h = score(model, x), 1e-5
    direction = int(rng.integers(2**32))
    high, low = (shifted(model, np.random.default_rng(direction), s) for s in (h, -h))
    pairs = [
        (gradient.initial, high.initial - low.initial),
        (gradient.transition, high.transition - low.transition),
    ]
    if exit:
        pairs.append((gradient.exit, high.exit - low.exit))
    for name in gradient.emission._fields:
        step = getattr(high.emission, name) - getattr(low.emission, name)
        pairs.append((getattr(gradient.emission, name), step))
    expected = high.log_evidence(x) - low.log_evidence(x)
    assert_allclose(sum((g * step).sum() for g, step in pairs), expected, rtol=1e-5, atol=1e-8)


@every_kind
@given(seeds)
def test_fishers_identity_holds_term_by_term(kind, seed):
    rng = np.random.default_rng(seed)
    model = hmm(rng, kind, 3)
    x = sequences(model, rng)
    gradient, posterior = score(model, x), model.posterior(x)
    starts = sum(gamma[0] for gamma in posterior.gamma)
    assert_allclose(gradient.initial * model.initial, starts, atol=1e-10)
    assert_allclose(gradient.transition * model.transition, posterior.transitions, atol=1e-10)
    data, gamma = model.sequences(x), np.concatenate(posterior.gamma)
    expected = model.emission.score(data.observations, gamma)
    for ours, theirs in zip(gradient.emission, expected, strict=True):
        assert_allclose(ours, theirs, atol=1e-8 * (1 + np.abs(theirs).max()))


def test_the_score_of_a_list_is_the_sum_of_the_scores():
    rng = np.random.default_rng(0)
    model = hmm(rng, "gaussian", 2, exit=True)
    x = sequences(model, rng)
    together, one_by_one = score(model, x), [score(model, part) for part in x]
    assert_allclose(together.transition, sum(s.transition for s in one_by_one))
    assert_allclose(together.exit, sum(s.exit for s in one_by_one))
    covariances = sum(s.emission.covariances for s in one_by_one)
    assert_allclose(together.emission.covariances, covariances)


def test_the_score_is_zero_on_the_simplex_where_baum_welch_ends():
    rng = np.random.default_rng(1)
    model = hmm(rng, "poisson", 2)
    x = model.sample(60, rng).x
    for _ in range(800):
        model = model.m_step(x, model.posterior(x))
    gradient = score(model, x)
    assert np.abs(gradient.emission.rates).max() < 1e-4
    # A share above zero has the derivative nu_i, the Lagrange multiplier; at zero it is less.
    nu = (gradient.transition * model.transition).sum(axis=1, keepdims=True)
    assert np.abs(model.transition * (gradient.transition - nu)).max() < 1e-4
    assert (gradient.transition <= nu + 1e-4).all()


def test_the_score_of_a_long_sequence_keeps_its_digits():
    rng = np.random.default_rng(2)
    model = hmm(rng, "gaussian", 3)
    x = model.sample(20_000, rng).x
    gradient, posterior = score(model, x), model.posterior(x)
    assert_allclose(gradient.transition * model.transition, posterior.transitions, rtol=1e-7)


def test_what_cannot_be_has_no_score():
    emission = Categorical(np.array([[1.0, 0.0]]))
    model = HMM(np.ones(1), np.ones((1, 1)), emission)
    with pytest.raises(ValueError, match="x must be possible under the chain: at step 1"):
        score(model, np.array([0, 1]))
    normal = HMM(np.ones(1), np.ones((1, 1)), Gaussian(np.zeros((1, 1)), np.ones((1, 1, 1))))
    with pytest.raises(ValueError, match=r"x\[0\] must not be infinite"):
        score(normal, [np.array([[np.inf]])])
