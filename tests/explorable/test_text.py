"""Numbers and formulas as readers see and hear them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorable.text import number, plain, readout, typeset


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (-12, "−12"),
        (0.0, "0"),
        (-0.0, "0"),
        (0.25, "0.250"),
        (0.0123, "0.0123"),
        (12.5, "12.500"),
        (-1331.2749, "−1331.27"),
        (3.2e-7, "3.20 × 10⁻⁷"),
        (-2.5e9, "−2.50 × 10⁹"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "undefined"),
    ],
)
def test_a_number_is_written_with_three_decimals_or_a_power_of_ten(value, text):
    assert number(value) == text


@given(st.floats(-1e300, 1e300))
def test_the_text_of_a_number_is_close_to_it(value):
    mantissa, _, exponent = number(value).replace("−", "-").partition(" × 10")
    power = int(exponent.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) or 0)
    assert float(mantissa) * 10.0**power == pytest.approx(value, rel=0.06, abs=1e-300)


def test_formulas_become_mathml_and_the_rest_is_escaped():
    html = typeset(r"$x_1$ < 3 & more")
    assert html.startswith("<math")
    assert "<msub>" in html
    assert html.endswith("</math> &lt; 3 &amp; more")


def test_a_hyphen_before_a_number_is_a_minus_sign():
    assert typeset("-3.2 and (-1), e-mail, a-3, 2-1") == "−3.2 and (−1), e-mail, a-3, 2-1"
    assert "<mo>&#x02212;</mo>" in typeset("$-3$")


def test_a_function_has_the_space_that_tex_gives_it():
    assert "<mi>ln</mi><mtext>\N{THIN SPACE}</mtext><mi>p</mi>" in typeset(r"$\ln p$")


def test_a_prime_stands_beside_its_letter():
    html = typeset(r"old value $\lambda'$")
    assert '<mi>&#x003BB;</mi><mo lspace="0">&#x02032;</mo>' in html
    assert plain(r"$\lambda'$") == "λ′"


def test_where_nothing_is_typeset_formulas_are_letters():
    assert plain(r"KL of $\lambda$ and $q$") == "KL of λ and q"


@pytest.mark.parametrize("value", [True, None, [1.0], 1j])
def test_a_readout_is_a_number_or_a_text(value):
    with pytest.raises(ValueError, match="must be a number or a text, got"):
        readout(value)
