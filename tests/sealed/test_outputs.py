"""Of what a stranger's process calls outputs, outputs are kept, and no more than fit."""

import nbformat
import pytest

from sealed.outputs import CUT, MOST, kept

STREAM = {"output_type": "stream", "name": "stdout", "text": "hello"}
ERROR = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["a", "b"]}
PICTURE = {
    "output_type": "display_data",
    "data": {"image/png": "AAAA", "text/plain": "<Figure>"},
    "metadata": {"image/png": {"width": 300}},
}
RESULT = {
    "output_type": "execute_result",
    "execution_count": 3,
    "data": {"text/plain": "2"},
    "metadata": {},
}


@pytest.mark.parametrize("output", [STREAM, ERROR, PICTURE, RESULT], ids=lambda o: o["output_type"])
def test_an_output_is_kept_as_it_is(output):
    made, room = kept([output], 10_000)
    assert made == [output]
    assert 9_000 < room < 10_000
    nbformat.validate(nbformat.from_dict(made[0]), ref=output["output_type"], version=4)


@pytest.mark.parametrize(
    "outputs",
    [
        None,
        "text",
        {"output_type": "stream"},
        [None, 3, [], {}],
        [{"output_type": "../cell"}],
        [STREAM | {"name": "stdin"}],
        [STREAM | {"text": ["a", "b"]}],
        [ERROR | {"ename": None}],
        [PICTURE | {"data": []}],
        [RESULT | {"execution_count": "1"}],
    ],
)
def test_what_is_no_output_is_left_out(outputs):
    assert kept(outputs, 10_000)[0] == []


def test_only_text_and_sizes_are_kept_of_a_display():
    data = {"text/plain": "x", "application/json": {"a": [1]}, "text/html": None}
    metadata = {"text/plain": {"width": 'x" onload="', "height": 2.5, "class": "y"}, "other": {}}
    (made,), _ = kept([{"output_type": "display_data", "data": data, "metadata": metadata}], 999)
    assert made["data"] == {"text/plain": "x"}
    assert made["metadata"] == {"text/plain": {"height": 2.5}}


def test_halves_of_characters_are_replaced():
    (made,), _ = kept([STREAM | {"text": "a\ud800b"}], 999)
    assert made["text"] == "a?b"
    (made,), _ = kept([ERROR | {"traceback": ["\udfff"]}], 999)
    assert made["traceback"] == ["?"]


def test_size_and_number_are_limited():
    made, room = kept([STREAM | {"text": "x" * 600}] * 10, 1500)
    assert len(made) == 3
    assert (made[-1]["text"], room) == (CUT, 0)
    made, _ = kept([STREAM] * (2 * MOST), 10**9)
    assert len(made) == MOST + 1
