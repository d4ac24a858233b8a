"""Sliders, choices and switches are rows of values, checked when they are made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorable import choice, linked, log_slider, slider, stepper, switch


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
    assert choice(-2.5, "a-b").texts == ("\N{MINUS SIGN}2.5", "a-b")


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


def test_a_log_slider_multiplies():
    assert log_slider(1, 64).values == (1, 2, 4, 8, 16, 32, 64)
    assert all(type(v) is int for v in log_slider(1, 64).values)
    control = log_slider(0.01, 100, 10**0.5, value=1)
    assert control.values == (0.01, 0.0316228, 0.1, 0.316228, 1.0, 3.16228, 10.0, 31.6228, 100.0)
    assert control.start == 4
    assert control.texts[:3] == ("0.0100", "0.0316", "0.100")
    assert log_slider(1, 1024, frozen=3).frozen().values == (1, 32, 1024)


def test_a_stepper_counts_from_zero_or_names_its_steps():
    assert stepper(3).values == (0, 1, 2, 3)
    assert stepper(3).texts == ("0", "1", "2", "3")
    named = stepper(["start", "E-step", "M-step"], value=1)
    assert named.values == (0, 1, 2)
    assert named.texts == ("start", "E-step", "M-step")
    assert named.start == 1
    assert named.frozen() == named


def test_a_linked_control_is_the_same_in_all_else():
    control = slider(1, 9, frozen=3, label="k")
    assert linked(control) != control
    assert linked(control).frozen().linked
    assert linked(control).frozen().values == control.frozen().values


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
        (lambda: log_slider(0, 8), "lo must be positive, got 0"),
        (lambda: log_slider(1, 8, 1), "factor must be more than 1, got 1"),
        (lambda: log_slider(1, 9), "hi=9 is not lo=1 times a whole power of factor=2"),
        (lambda: log_slider(8, 1), "log_slider: lo must be less than hi"),
        (lambda: log_slider(1, 8, value=3), "log_slider: value=3 is none of 1, 2, ..., 8"),
        (lambda: log_slider(1, 1.01, 1.01**0.01), "too close to 1"),
        (lambda: stepper(0), "at least the steps 0 and 1, got last=0"),
        (lambda: stepper("abc"), "whole number or a list of texts, got 'abc'"),
        (lambda: stepper([1, 2]), r"whole number or a list of texts, got \[1, 2\]"),
        (lambda: stepper(2.5), "whole number or a list of texts, got 2.5"),
        (lambda: stepper(4, value=5), r"stepper: value must be one of 0\.\.4, got 5"),
        (lambda: linked(3), "control must be a slider, stepper, ..., got 3"),
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
