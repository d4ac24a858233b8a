"""Sliders, choices and switches are rows of values, checked when they are made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorable import choice, slider, switch


def test_a_slider_of_whole_numbers_gives_ints():
    control = slider(1, 9, 2, value=5)
    assert control.values == (1, 3, 5, 7, 9)
    assert all(type(v) is int for v in control.values)
    assert control.start == 2
    assert control.texts == ("1", "3", "5", "7", "9")


def test_a_slider_of_fractions_gives_the_floats_that_a_reader_would_type():
    control = slider(0, 1, 0.1, value=0.3)
    assert control.values == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    assert control.start == 3
    assert control.texts[0] == "0.0"
    assert control.texts[10] == "1.0"


def test_negative_values_are_shown_with_a_minus_sign():
    assert slider(-1, 1).texts == ("\N{MINUS SIGN}1", "0", "1")


@given(st.integers(2, 60), st.data())
def test_a_thinned_slider_keeps_both_ends_the_start_and_the_number_asked_for(n, data):
    frozen = data.draw(st.integers(3, 70))
    control = slider(1, n + 1, value=data.draw(st.integers(1, n + 1)), frozen=frozen)
    kept = control.frozen()
    assert len(kept.values) == min(frozen, n + 1)
    assert kept.values[0] == 1
    assert kept.values[-1] == n + 1
    assert sorted(set(kept.values)) == list(kept.values)
    assert kept.values[kept.start] == control.values[control.start]


def test_choices_keep_their_objects_and_show_their_text():
    control = choice("a", 2, None, value=2)
    assert control.values == ("a", 2, None)
    assert control.texts == ("a", "2", "None")
    assert control.start == 1
    assert control.frozen() == control


def test_a_switch_is_false_then_true():
    assert switch().values == (False, True)
    assert switch(True).start == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: slider(3, 3), "lo must be less than hi, got lo=3, hi=3"),
        (lambda: slider(4, 1), "lo must be less than hi"),
        (lambda: slider(0, 1, 0), "step must be positive, got 0"),
        (lambda: slider(0, 1, -0.1), "step must be positive"),
        (lambda: slider(0, 1, 2), "not a whole number of steps of 2 above lo=0"),
        (lambda: slider(0, 1, 0.3), "not a whole number of steps"),
        (lambda: slider(0, float("nan")), "hi must be a finite number"),
        (lambda: slider("0", 1), "lo must be a finite number, got '0'"),
        (lambda: slider(0, 1, 0.1, value=0.25), "value=0.25 is none of"),
        (lambda: slider(0, 9, value=12), "the nearest one is 9"),
        (lambda: slider(0, 9, frozen=1), "frozen must be a whole number from 2 up"),
        (lambda: slider(0, 9, frozen=2.5), "frozen must be a whole number"),
        (lambda: slider(0, 9, label=" "), "label must be a text"),
        (lambda: choice(), "at least one option"),
        (lambda: choice("a", "b", "a"), "'a' occurs twice"),
        (lambda: choice(1, "1"), "'1' occurs twice"),
        (lambda: choice("a", value="b"), "value='b' is none of 'a'"),
        (lambda: switch(1), "value must be True or False, got 1"),
    ],
)
def test_a_bad_argument_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
