"""Plain data crosses unharmed; everything else is refused."""

import collections
import enum
import json
import socket

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sealed.inside import wire

FORGED = wire.encode(
    np.random.MT19937(1).state | {"state": np.random.MT19937(1).state["state"] | {"pos": 10**6}},
    lambda value: None,
)


def no_reference(value):
    raise AssertionError(f"{value!r} is no plain data")


def crossed(value):
    """The value on the other side."""
    return wire.decode(json.loads(wire.dumps(wire.encode(value, no_reference))), no_reference)


ARRAYS = hnp.arrays(
    st.one_of(
        hnp.boolean_dtypes(),
        hnp.integer_dtypes(),
        hnp.unsigned_integer_dtypes(),
        hnp.floating_dtypes(),
        hnp.complex_number_dtypes(),
        hnp.datetime64_dtypes(),
        hnp.unicode_string_dtypes(min_len=1),
        hnp.byte_string_dtypes(min_len=1),
    ),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
    st.complex_numbers(allow_nan=False),
)
KEYS = st.one_of(st.integers(), st.text(st.characters(exclude_categories=["Cs"])), st.booleans())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.dictionaries(KEYS, inner),
        st.sets(st.integers()),
        st.frozensets(st.text()),
    ),
    max_leaves=20,
)


@given(VALUES)
def test_plain_data_crosses(value):
    got = crossed(value)
    assert type(got) is type(value)
    assert got == value


@given(ARRAYS)
def test_arrays_cross_bit_by_bit(array):
    got = crossed(array)
    assert (got.dtype, got.shape) == (array.dtype, array.shape)
    assert got.tobytes() == array.tobytes()
    assert got.flags.writeable


@pytest.mark.parametrize(
    "value",
    [np.float32(0.1), np.int8(-3), np.bool_(True), np.str_("a"), np.datetime64("2020-01-01"),
     range(2, 20, 3), slice(1, None, 2), Ellipsis, 10**50, float("inf"), -0.0, np.array(5.0)],
    ids=repr,
)  # fmt: skip
def test_other_plain_values_cross(value):
    got = crossed(value)
    assert type(got) is type(value)
    assert repr(got) == repr(value)


def test_a_number_of_any_length_crosses():
    assert crossed(10**5000) == 10**5000
    assert crossed(-(10**5000)) == -(10**5000)


def test_subclasses_cross_as_what_they_are_made_of():
    class Colour(enum.IntEnum):
        RED = 3

    pair = collections.namedtuple("pair", "a b")
    assert crossed(pair(1, 2)) == (1, 2)
    assert (crossed(pair(1, 2)).a, type(crossed(pair(1, 2))).__name__) == (1, "pair")
    assert crossed(Colour.RED) == 3
    assert type(crossed(collections.OrderedDict(a=1))) is dict
    assert crossed({"a": 1}.keys()) == ["a"]
    assert type(crossed(np.ma.array([1.0, 2.0]))) is np.ndarray


def test_a_hostile_subclass_crosses_as_its_content():
    class Always(float):
        def __eq__(self, other):
            return True

        __hash__ = float.__hash__

    class List(list):
        def __iter__(self):
            return iter([1, 2, 3])

    assert (crossed(Always(2.0)) == 3.0) is False
    assert crossed(List([7])) == [7]


def test_a_generator_crosses_with_its_state():
    rng = np.random.default_rng(3)
    rng.random(5)
    assert crossed(rng).random() == rng.random()


@pytest.mark.parametrize(
    "data",
    [
        {"array": ["O", [1], ""]},
        {"array": ["<f8", [2], "AAAAAAAAAAA="]},
        {"array": ["<f8", [-1], ""]},
        {"array": ["<f8", [10**12], ""]},
        {"array": ["<U0", [10**9], ""]},
        {"array": ["i4,i4", [1], "AAAAAAAAAAA="]},
        {"array": ["<U1", [1], "/////w=="]},
        {"array": ["|V8", [1], "AAAAAAAAAAA="]},
        {"array": [["<f8"], [1], "AAAAAAAAAAA="]},
        {"array": ["<f8", [1], "not base64!"]},
        {"scalar": ["O", ""]},
        {"list": "abc"},
        {"dict": [[1]]},
        {"dict": [[{"list": []}, 1]]},
        {"set": [{"list": []}]},
        {"generator": {"dict": [["bit_generator", "os"]]}},
        {"generator": 3},
        {"int": "0x"},
        {"record": ["pair", ["a b"], [1]]},
        {"record": ["pair", ["__class__"], [1]]},
        {"record": ["pair", ["a"], [1, 2]]},
        {"generator": FORGED},
        {"complex": [1]},
        {"range": [1, 2, 0]},
        {"bytes": 3},
        {"list": [], "tuple": []},
        [1, 2],
        {},
    ],
    ids=repr,
)
def test_malformed_data_is_refused(data):
    with pytest.raises(wire.WireError):
        wire.decode(data, lambda reference: pytest.fail("taken for a reference"))


def test_what_is_no_plain_data_goes_through_the_reference():
    def refer(value):
        return {"object": id(value)}

    things = [
        object(),
        np.array([object()]),
        np.ma.array([1.0], mask=[True]),
        np.ones(1).view(np.recarray),
    ]
    assert wire.encode(things, refer) == {"list": [{"object": id(thing)} for thing in things]}
    assert wire.decode({"object": 7}, lambda reference: reference["object"]) == 7


def test_depth_is_limited_on_both_sides():
    deep = []
    for _ in range(wire.DEPTH + 2):
        deep = [deep]
    with pytest.raises(wire.WireError, match="nested deeper"):
        wire.encode(deep, no_reference)
    data = 1
    for _ in range(wire.DEPTH + 2):
        data = {"list": [data]}
    with pytest.raises(wire.WireError, match="nested deeper"):
        wire.decode(data, no_reference)


def test_forged_truth_values_are_made_true():
    (got,) = wire.decode({"array": ["|b1", [1], "Ag=="]}, no_reference).tolist()
    assert got is True


def test_no_json_is_refused():
    for frame in (b"", b"{", b"\xff", b"[" * 100_000, b"1" * 5000):
        with pytest.raises(wire.WireError, match="no JSON"):
            wire.loads(frame)


@pytest.fixture
def pair():
    """Two connected sockets."""
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def test_frames_arrive_whole_and_in_order(pair):
    here, there = (wire.Channel(s, 1 << 20) for s in pair)
    here.send(b"a" * 70_000, 5.0)
    here.send(b"b")
    assert there.receive() == (b"a" * 70_000, 5.0)
    assert there.receive(1.0)[0] == b"b"


def test_a_silent_a_slow_and_a_gone_sender_are_told_apart(pair):
    here, there = pair
    channel = wire.Channel(here, 100)
    with pytest.raises(wire.Late):
        channel.receive(0.01)
    there.sendall(b"\x05\x00")  # the start of a frame that never ends
    with pytest.raises(wire.Late):
        channel.receive(0.05)
    there.close()
    with pytest.raises(wire.Closed):
        channel.receive(1.0)


def test_a_frame_that_is_too_long_is_not_read(pair):
    here, there = pair
    wire.Channel(there, 100).send(bytes(200))
    with pytest.raises(wire.WireError, match="at most"):
        wire.Channel(here, 100).receive(1.0)
