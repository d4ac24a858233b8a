"""All the pictures of a widget in one small text.

Neighbouring frames share most of their elements (axes, ticks, letters). So each distinct
element is stored once, a picture is a list of runs through that table, equal pictures are
stored once, and gzip does the rest.
"""

import base64
import gzip
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from explorable.controls import Control
from explorable.drawing import Frame, Panel

MAX_FRAMES = 200
MAX_BYTES = 1_000_000


def grid(controls: Mapping[str, Control]) -> Iterator[dict[str, Any]]:
    """Yield the values of every frame; the last control moves fastest."""
    rows = [control.values for control in controls.values()]
    return (dict(zip(controls, values, strict=True)) for values in itertools.product(*rows))


def check_size(panels: Sequence[Panel], controls: Mapping[str, Control]) -> None:
    """Raise ValueError if a static page would need too many frames."""
    counts = {name: len(control.values) for name, control in controls.items()}
    products = [math.prod(counts[name] for name in panel.names) for panel in panels]
    total = sum(products)
    if total <= MAX_FRAMES:
        return
    largest = panels[products.index(max(products))]
    said = " + ".join(
        " x ".join(f"{counts[name]} ({name})" for name in panel.names) or "1" for panel in panels
    )
    raise ValueError(
        f"explore: {said} = {total} frames are more than a page can hold ({MAX_FRAMES}):"
        f" {_advice(largest.own(controls), MAX_FRAMES - total + max(products))}"
    )


def _advice(controls: Mapping[str, Control], room: int) -> str:
    """Say what makes the product of these controls fit into `room` frames."""
    sliders = {name: len(c.values) for name, c in controls.items() if c.kind == "slider"}
    if not sliders:
        return "offer fewer options or steps, or draw what depends on fewer controls apart"
    widest = max(sliders, key=lambda name: sliders[name])
    others = math.prod(len(c.values) for name, c in controls.items() if name != widest)
    if room // others >= 2:
        return f"thin {widest!r}, which has the most values, with frozen={room // others}"
    return f"thin {', '.join(map(repr, sliders))} with frozen=..."


def pack(panels: Sequence[Sequence[Frame]]) -> str:
    """Pack the frames of each panel, in the order of its grid.

    Returns
    -------
    str
        Base64 of gzip of JSON: ``table``, the distinct elements, one a line; and for each of
        ``panels`` its distinct pictures as ``runs`` [first, length, first, ...] through the
        table, which of them each frame shows (``pictures``), and the frames' ``readouts``.
    """
    table: dict[str, int] = {}
    packed = []
    for frames in panels:
        distinct: dict[str, int] = {}
        pictures = [distinct.setdefault(frame.svg, len(distinct)) for frame in frames]
        readouts = [list(frame.readouts.values()) for frame in frames]
        runs = [_runs(svg, table) for svg in distinct]
        packed.append({"runs": runs, "pictures": pictures, "readouts": readouts})
    text = json.dumps({"table": "\n".join(table), "panels": packed}, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _runs(svg: str, table: dict[str, int]) -> list[int]:
    """Return the SVG as runs through the table, which takes in what is new."""
    runs: list[int] = []
    for element in svg.replace("><", ">\n<").split("\n"):
        k = table.setdefault(element, len(table))
        if runs and runs[-2] + runs[-1] == k:
            runs[-1] += 1
        else:
            runs += [k, 1]
    return runs


def unpack(packed: str) -> list[list[tuple[str, list[str]]]]:
    """Return SVG and readouts of each frame of each panel; the page does it in JavaScript."""
    content = json.loads(gzip.decompress(base64.b64decode(packed)))
    table = content["table"].split("\n")
    panels = []
    for panel in content["panels"]:
        pictures = [
            "".join(
                element
                for first, length in zip(runs[::2], runs[1::2], strict=True)
                for element in table[first : first + length]
            )
            for runs in panel["runs"]
        ]
        shown = [pictures[i] for i in panel["pictures"]]
        panels.append(list(zip(shown, panel["readouts"], strict=True)))
    return panels
