"""Frames travel packed, and never too many of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorable import choice, slider, switch
from explorable.drawing import Frame, Panel
from explorable.frames import MAX_FRAMES, check_size, grid, pack, unpack

element = st.sampled_from(["<a/>", "<b>", "</b>", '<c d="m1 2"/>', '<use href="#x"/>'])
picture = st.lists(element, min_size=1, max_size=30).map("".join)
readouts = st.fixed_dictionaries({"n": st.text(max_size=3), "ln p": st.text(max_size=3)})
frame = st.builds(Frame, picture, readouts)


def frames(*svgs):
    """Return frames without readouts."""
    return [Frame(svg, {}) for svg in svgs]


@given(st.lists(st.lists(frame, max_size=8), max_size=3))
def test_unpacking_gives_the_frames_back(panels):
    expected = [[(f.svg, list(f.readouts.values())) for f in panel] for panel in panels]
    assert unpack(pack(panels)) == expected


def test_packing_is_the_same_in_every_run():
    two = frames("<a/><b>", "<b><a/>")
    assert pack([two]) == pack([list(two)])


def test_shared_elements_are_stored_once_for_all_panels():
    shared = "".join(f'<path d="m{i} {i * i}"/>' for i in range(500))
    many = frames(*(f'{shared}<use x="{i}"/>' for i in range(60)))
    one = pack([frames(shared)])
    assert len(pack([many])) < 1.3 * len(one)
    assert len(pack([many[:30], many[30:]])) < 1.3 * len(one)


def test_equal_pictures_are_stored_once():
    rng = np.random.default_rng(0)
    different = frames(*(f'<use x="{x}"/><use y="{x}"/>' for x in rng.random(40)))
    assert len(pack([[different[0]] * 40])) < len(pack([different[:2]])) + 40


def panel(*names):
    """A panel that depends on these controls."""
    return Panel(lambda **_: None, names)


def test_the_last_control_moves_fastest():
    values = list(grid({"k": slider(1, 2), "on": switch()}))
    assert values == [
        {"k": 1, "on": False},
        {"k": 1, "on": True},
        {"k": 2, "on": False},
        {"k": 2, "on": True},
    ]


def test_two_hundred_frames_fit():
    check_size([panel("k", "on")], {"k": slider(1, 100), "on": switch()})


def test_panels_that_share_no_control_add_their_frames():
    controls = {"a": slider(1, 40), "b": slider(1, 40)}
    check_size([panel("a"), panel("b")], controls)
    with pytest.raises(ValueError, match=r"40 \(a\) x 40 \(b\) = 1600 frames"):
        check_size([panel("a", "b")], controls)


def test_where_panels_are_too_many_the_largest_one_is_thinned():
    controls = {"a": slider(1, 50), "b": slider(1, 190)}
    with pytest.raises(ValueError, match=r"50 \(a\) \+ 190 \(b\) = 240 .* thin 'b'.*frozen=150"):
        check_size([panel("a"), panel("b")], controls)


def test_too_many_frames_name_the_controls_and_the_one_to_thin():
    controls = {"k": slider(1, 60), "rate": slider(1, 10), "on": switch()}
    with pytest.raises(ValueError, match="thin 'k'") as error:
        check_size([panel(*controls)], controls)
    message = str(error.value)
    assert "60 (k) x 10 (rate) x 2 (on) = 1200 frames" in message
    assert str(MAX_FRAMES) in message
    controls["k"] = slider(1, 60, frozen=int(message.partition("frozen=")[2].rstrip(")")))
    check_size([panel(*controls)], {name: control.frozen() for name, control in controls.items()})


def test_where_one_slider_is_not_enough_all_are_named():
    controls = {f"k{i}": slider(1, 60) for i in range(3)}
    with pytest.raises(ValueError, match="thin 'k0', 'k1', 'k2'"):
        check_size([panel(*controls)], controls)


def test_without_a_slider_the_advice_is_fewer_options():
    controls = {"a": choice(*range(20)), "b": choice(*range(20))}
    with pytest.raises(ValueError, match="offer fewer options"):
        check_size([panel(*controls)], controls)
