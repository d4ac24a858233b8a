"""All the pictures of a widget in one small text.

Neighbouring frames share most of their elements (axes, ticks, letters). So each distinct
element is stored once, a frame is a list of runs through that table, and gzip does the rest.
"""

import base64
import gzip
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from explorable.controls import Control

MAX_FRAMES = 200


def grid(controls: Mapping[str, Control]) -> Iterator[dict[str, Any]]:
    """Yield the values of every frame; the last control moves fastest."""
    rows = [control.values for control in controls.values()]
    return (dict(zip(controls, values, strict=True)) for values in itertools.product(*rows))


def check_size(controls: Mapping[str, Control]) -> None:
    """Raise ValueError if a static page would need too many frames."""
    counts = {name: len(control.values) for name, control in controls.items()}
    total = 1
    for count in counts.values():
        total *= count
    if total <= MAX_FRAMES:
        return
    product = " x ".join(f"{count} ({name})" for name, count in counts.items())
    sliders = {name: n for name, n in counts.items() if controls[name].kind == "slider"}
    advice = "offer fewer options"
    if sliders:
        widest = max(sliders, key=lambda name: sliders[name])
        room = MAX_FRAMES * counts[widest] // total
        advice = f"thin {widest!r}, which has the most values, with slider(..., frozen={room})"
        if room < 2:
            advice = f"thin {', '.join(map(repr, sliders))} with slider(..., frozen=...)"
    raise ValueError(
        f"explore: {product} = {total} frames are more than a page can hold"
        f" ({MAX_FRAMES}): {advice}"
    )


def pack(frames: Sequence[str]) -> str:
    """Return base64 of gzip of {"table": elements, "runs": [[first, length, first, ...]]}."""
    index: dict[str, int] = {}
    runs = []
    for frame in frames:
        run: list[int] = []
        for element in frame.replace("><", ">\n<").split("\n"):
            k = index.setdefault(element, len(index))
            if run and run[-2] + run[-1] == k:
                run[-1] += 1
            else:
                run += [k, 1]
        runs.append(run)
    text = json.dumps({"table": "\n".join(index), "runs": runs}, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def unpack(packed: str) -> list[str]:
    """Return the frames that `pack` packed; the page does the same in JavaScript."""
    content = json.loads(gzip.decompress(base64.b64decode(packed)))
    table = content["table"].split("\n")
    return [
        "".join(
            element
            for first, length in zip(run[::2], run[1::2], strict=True)
            for element in table[first : first + length]
        )
        for run in content["runs"]
    ]
