import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from latent.attention import attention
from latent.positions import positional_encoding

dims = st.integers(1, 20).map(lambda half: 2 * half)


@given(st.integers(1, 50), dims, st.floats(2, 1e5))
def test_each_entry_is_the_sine_or_cosine_of_the_lecture(T, D, L):
    PE = positional_encoding(T, D, L)
    assert PE.shape == (T, D)
    for t in range(T):
        for k in range(D // 2):
            assert_allclose(PE[t, 2 * k], np.sin(t / L ** (2 * k / D)), atol=1e-12)
            assert_allclose(PE[t, 2 * k + 1], np.cos(t / L ** (2 * k / D)), atol=1e-12)


def test_position_0_is_sines_of_zero_and_cosines_of_zero():
    assert positional_encoding(3, 6)[0].tolist() == [0, 1, 0, 1, 0, 1]


@given(st.integers(2, 40), dims, st.floats(2, 1e5))
def test_the_scalar_product_depends_on_the_difference_of_positions_alone(T, D, L):
    PE = positional_encoding(T, D, L)
    products = PE @ PE.T
    for lag in range(T):
        assert_allclose(np.diagonal(products, lag), products[0, lag], atol=1e-9)
    w = L ** (-2 * np.arange(D // 2) / D)
    assert_allclose(products[0], np.cos(np.arange(T)[:, None] * w).sum(axis=1), atol=1e-9)


@given(st.integers(1, 40), dims)
def test_all_encodings_have_the_same_length_and_none_is_closer_to_another_than_to_itself(T, D):
    products = positional_encoding(T, D) @ positional_encoding(T, D).T
    assert_allclose(np.diagonal(products), D / 2)
    assert (products <= D / 2 + 1e-9).all()


@pytest.mark.parametrize(("D", "L"), [(8, 100.0), (16, 10_000.0), (2, 50.0)])
def test_wavelengths_run_from_2_pi_to_2_pi_times_l_to_the_1_minus_2_over_d(D, L):
    # The angle between the sine and the cosine of a wave tells its frequency.
    PE = positional_encoding(2, D, L)
    frequencies = np.arctan2(PE[1, ::2], PE[1, 1::2])
    wavelengths = 2 * np.pi / frequencies
    assert_allclose(wavelengths[0], 2 * np.pi)
    assert_allclose(wavelengths[-1], 2 * np.pi * L ** (1 - 2 / D))
    assert (np.diff(wavelengths) > 0).all()


def test_the_printed_frequency_would_give_decreasing_wavelengths():
    D, L = 8, 100.0
    printed = L ** (2 * np.arange(D // 2) / D)
    assert (np.diff(2 * np.pi / printed) < 0).all()
    PE = positional_encoding(2, D, L)
    assert not np.allclose(PE[1, ::2], np.sin(printed))


def test_a_shift_is_a_rotation_of_each_pair_whatever_the_position():
    D, lag = 6, 5
    PE = positional_encoding(30, D)
    angle = lag * 10000.0 ** (-np.arange(0, D, 2) / D)
    for k in range(D // 2):
        c, s = np.cos(angle[k]), np.sin(angle[k])
        pair = PE[:, 2 * k : 2 * k + 2]
        assert_allclose(pair[lag:], pair[:-lag] @ np.array([[c, -s], [s, c]]), atol=1e-12)


def test_positions_added_to_the_rows_break_the_permutation_equivariance():
    rng = np.random.default_rng(0)
    x, order = rng.normal(size=(6, 4)), np.array([3, 0, 5, 1, 2, 4])
    PE = positional_encoding(6, 4)
    assert_allclose(
        attention(x[order], x[order], x[order]).output, attention(x, x, x).output[order]
    )
    here = attention(x + PE, x + PE, x).output[order]
    there = attention(x[order] + PE, x[order] + PE, x[order]).output
    assert np.abs(there - here).max() > 0.01


@pytest.mark.usefixtures("as_users_call")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: positional_encoding(0, 4), "n_positions must be at least 1, got 0"),
        (lambda: positional_encoding(2.5, 4), "n_positions must be an integer"),
        (lambda: positional_encoding(3, 0), "dim must be at least 1"),
        (lambda: positional_encoding(3, 5), "dim must be even, .* got 5"),
        (lambda: positional_encoding(3, 4, 0.0), "base must be above zero"),
        (lambda: positional_encoding(3, 4, np.nan), "base must be finite"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
