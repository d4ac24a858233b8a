"""Frames travel packed, and never too many of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorable import choice, slider, switch
from explorable.frames import MAX_FRAMES, check_size, grid, pack, unpack

element = st.sampled_from(["<a/>", "<b>", "</b>", '<c d="m1 2"/>', '<use href="#x"/>'])
frame = st.lists(element, min_size=1, max_size=30).map("".join)


@given(st.lists(frame, max_size=8))
def test_unpacking_gives_the_frames_back(frames):
    assert unpack(pack(frames)) == frames


def test_packing_is_the_same_in_every_run():
    assert pack(["<a/><b>", "<b><a/>"]) == pack(["<a/><b>", "<b><a/>"])


def test_shared_elements_are_stored_once():
    shared = "".join(f'<path d="m{i} {i * i}"/>' for i in range(500))
    many = pack([f'{shared}<use x="{i}"/>' for i in range(60)])
    assert len(many) < 1.3 * len(pack([shared]))


def test_the_last_control_moves_fastest():
    values = list(grid({"k": slider(1, 2), "on": switch()}))
    assert values == [
        {"k": 1, "on": False},
        {"k": 1, "on": True},
        {"k": 2, "on": False},
        {"k": 2, "on": True},
    ]


def test_two_hundred_frames_fit():
    check_size({"k": slider(1, 100), "on": switch()})


def test_too_many_frames_name_the_controls_and_the_one_to_thin():
    controls = {"k": slider(1, 60), "rate": slider(1, 10), "on": switch()}
    with pytest.raises(ValueError, match="thin 'k'") as error:
        check_size(controls)
    message = str(error.value)
    assert "60 (k) x 10 (rate) x 2 (on) = 1200 frames" in message
    assert str(MAX_FRAMES) in message
    controls["k"] = slider(1, 60, frozen=int(message.partition("frozen=")[2].rstrip(")")))
    check_size({name: control.frozen() for name, control in controls.items()})


def test_where_one_slider_is_not_enough_all_are_named():
    controls = {f"k{i}": slider(1, 60) for i in range(3)}
    with pytest.raises(ValueError, match="thin 'k0', 'k1', 'k2'"):
        check_size(controls)


def test_without_a_slider_the_advice_is_fewer_options():
    controls = {"a": choice(*range(20)), "b": choice(*range(20))}
    with pytest.raises(ValueError, match="offer fewer options"):
        check_size(controls)
