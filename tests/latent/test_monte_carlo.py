import numpy as np
import pytest
from numpy.testing import assert_allclose
from random_models import hmm

from latent import data
from latent.emissions import Categorical, Poisson
from latent.hmm import HMM
from latent.monte_carlo import monte_carlo_em

INF = np.inf


def earthquake_model():
    sticky = np.array([[0.9, 0.1], [0.1, 0.9]])
    return HMM(np.full(2, 0.5), sticky, Poisson(np.array([15.0, 26.0])))


def em_step(model, x):
    return model.m_step(x, model.posterior(x))


def parameters(model):
    """All numbers of a model, one after the other."""
    emission = [value for value in vars(model.emission).values() if isinstance(value, np.ndarray)]
    arrays = [model.initial, model.transition, *emission]
    return np.concatenate([np.ravel(a) for a in arrays + [model.exit] * (model.exit is not None)])


@pytest.mark.parametrize("exit", [False, True])
@pytest.mark.parametrize("kind", ["categorical", "gaussian", "poisson"])
def test_with_many_paths_an_iteration_is_one_of_em(kind, exit):
    rng = np.random.default_rng(5)
    truth, model = hmm(rng, kind, 3, exit=exit), hmm(rng, kind, 3, exit=exit)
    x = [truth.sample(20, rng).x for _ in range(6)]
    fit = monte_carlo_em(model, x, n_samples=10_000, n_iter=1, rng=rng)
    exact = em_step(model, x)
    moved = np.abs(parameters(exact) - parameters(model)).max()
    assert np.abs(parameters(fit.model) - parameters(exact)).max() < 0.05 * moved
    gained = exact.log_evidence(x) - model.log_evidence(x)
    assert abs(fit.trace[1] - exact.log_evidence(x)) < 0.02 * gained


def test_the_error_of_an_iteration_falls_with_the_square_root_of_the_number_of_paths():
    model, x = earthquake_model(), data.earthquakes()
    exact = parameters(em_step(model, x))
    error = []
    for n_samples in (10, 1000):
        runs = [
            monte_carlo_em(model, x, n_samples=n_samples, n_iter=1, rng=np.random.default_rng(seed))
            for seed in range(20)
        ]
        off = np.array([parameters(run.model) for run in runs]) - exact
        error.append(np.sqrt((off**2).mean()))
    assert 7 < error[0] / error[1] < 14


def test_one_path_is_taken_for_the_truth():
    model, x = earthquake_model(), data.earthquakes()
    fit = monte_carlo_em(model, x, n_samples=1, n_iter=1, rng=np.random.default_rng(0))
    (s,) = model.sample_posterior(x, 1, np.random.default_rng(0))
    assert_allclose(fit.model.emission.rates, [x[s == i].mean() for i in range(2)])
    assert_allclose(fit.model.initial, np.eye(2)[s[0]])
    for i in range(2):
        following = s[1:][s[:-1] == i]
        assert_allclose(fit.model.transition[i], [np.mean(following == j) for j in range(2)])


def test_the_trace_is_the_exact_evidence_of_each_model_and_can_fall():
    model, x = earthquake_model(), data.earthquakes()
    fits = [
        monte_carlo_em(model, x, n_samples=1, n_iter=n, rng=np.random.default_rng(0))
        for n in (1, 2, 30)
    ]
    assert fits[-1].trace.shape == (31,)
    assert not fits[-1].converged
    assert_allclose(fits[-1].trace[0], model.log_evidence(x))
    assert_allclose(fits[-1].trace[1], fits[0].model.log_evidence(x))
    assert_allclose(fits[-1].trace[2], fits[1].model.log_evidence(x))
    assert_allclose(fits[-1].trace[-1], fits[-1].model.log_evidence(x))
    assert (np.diff(fits[-1].trace) < 0).any()


def test_more_paths_end_nearer_to_the_maximum():
    model, x = earthquake_model(), data.earthquakes()
    best = model
    for _ in range(60):
        best = em_step(best, x)
    below = []
    for n_samples in (1, 10, 100):
        rng = np.random.default_rng(1)
        fit = monte_carlo_em(model, x, n_samples=n_samples, n_iter=40, rng=rng)
        below.append(best.log_evidence(x) - fit.trace[10:].mean())
    assert below[0] > 3 * below[1] > 9 * below[2] > 0


def test_a_list_of_one_sequence_is_that_sequence():
    model, x = earthquake_model(), data.earthquakes()
    one = monte_carlo_em(model, x, n_samples=3, n_iter=4, rng=np.random.default_rng(0))
    listed = monte_carlo_em(model, [x], n_samples=3, n_iter=4, rng=np.random.default_rng(0))
    assert_allclose(one.trace, listed.trace)


def test_no_move_is_counted_from_one_sequence_to_the_next():
    # In either sequence the state never changes; only their order changes it.
    model = HMM(np.full(2, 0.5), np.full((2, 2), 0.5), Categorical(np.eye(2)))
    x = [np.zeros(5, int), np.ones(3, int)]
    fit = monte_carlo_em(model, x, n_samples=2, n_iter=1, rng=np.random.default_rng(0))
    assert fit.model.transition.tolist() == [[1, 0], [0, 1]]
    assert fit.model.initial.tolist() == [0.5, 0.5]


def test_a_state_that_no_path_visits_keeps_its_parameters():
    transition = np.array([[1.0, 0.0, 0.0], [0.5, 0.3, 0.2], [0.0, 0.0, 1.0]])
    model = HMM(np.array([1.0, 0, 0]), transition, Poisson(np.array([3.0, 4.0, 5.0])))
    x = np.array([2, 4, 1, 0])
    fit = monte_carlo_em(model, x, n_samples=2, n_iter=3, rng=np.random.default_rng(0))
    assert fit.model.transition.tolist() == transition.tolist()
    assert fit.model.emission.rates.tolist() == [x.mean(), 4, 5]
    assert np.isfinite(fit.trace).all()


def test_one_path_of_few_steps_does_no_harm():
    # With so few points in two dimensions some covariance is that of one or two points.
    for seed in range(5):
        rng = np.random.default_rng(seed)
        model = hmm(rng, "gaussian", 3)
        x = model.sample(8, rng).x
        fit = monte_carlo_em(model, x, n_samples=1, n_iter=20, rng=rng)
        assert np.isfinite(fit.trace).all()
        assert np.isfinite(parameters(fit.model)).all()
        smallest = np.linalg.eigvalsh(fit.model.emission.covariances).min()
        assert 0 < smallest < 0.01


def test_what_is_impossible_stays_impossible():
    left_right = np.array([[0.8, 0.2, 0], [0, 0.8, 0.2], [0, 0, 1]])
    model = HMM(np.array([1.0, 0, 0]), left_right, Poisson(np.array([2.0, 6.0, 10.0])))
    x = model.sample(50, np.random.default_rng(0)).x
    fit = monte_carlo_em(model, x, n_samples=5, n_iter=20, rng=np.random.default_rng(0))
    assert ((fit.model.transition > 0) <= (left_right > 0)).all()
    assert fit.model.initial.tolist() == [1, 0, 0]
    assert np.isfinite(fit.trace).all()


@pytest.mark.parametrize(
    ("n_samples", "n_iter", "message"),
    [
        (0, 1, "n_samples must be at least 1, got 0"),
        (1, 0, "n_iter must be at least 1, got 0"),
    ],
)
def test_bad_numbers_are_named(n_samples, n_iter, message):
    with pytest.raises(ValueError, match=message):
        monte_carlo_em(
            earthquake_model(),
            data.earthquakes(),
            n_samples=n_samples,
            n_iter=n_iter,
            rng=np.random.default_rng(),
        )


@pytest.mark.usefixtures("as_users_call")
def test_other_bad_arguments_are_named():
    model, x = earthquake_model(), data.earthquakes()
    with pytest.raises(ValueError, match=r"rng must be a numpy\.random\.Generator"):
        monte_carlo_em(model, x, n_samples=1, n_iter=1, rng=0)
    with pytest.raises(ValueError, match="x must be at least 0, got -1"):
        monte_carlo_em(model, [1, -1], n_samples=1, n_iter=1, rng=np.random.default_rng())


def test_an_impossible_sequence_is_refused():
    model = HMM(np.array([1.0, 0]), np.eye(2), Categorical(np.eye(2)))
    with pytest.raises(ValueError, match="must be possible under the chain: at step 1 "):
        monte_carlo_em(model, np.array([0, 1]), n_samples=1, n_iter=1, rng=np.random.default_rng())
