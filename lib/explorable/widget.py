"""`explore` and `show`: the same call is a live widget, or a frozen one in a built page."""

import hashlib
import html
import inspect
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import matplotlib as mpl
import matplotlib.pyplot as plt
import traitlets
from matplotlib.figure import Figure

from explorable.controls import Control
from explorable.frames import check_size, grid, pack
from explorable.style import STYLE
from explorable.svg import prefix_ids, to_svg

FROZEN = "EXPLORABLE_FROZEN"  # the Sphinx extension sets it for the kernels of a book build

_STATIC = Path(__file__).with_name("static")
_CSS = (_STATIC / "explore.css").read_text()


def explore(draw: Callable[..., Figure], *, alt: str, **controls: Control):
    """Show the figure that `draw(**values)` makes, with a control for each of its arguments.

    `alt` says what the picture shows to a reader who does not see it.
    """
    if not controls:
        raise ValueError("explore: needs at least one control; show() is for a still picture")
    _check(draw, alt, controls, "explore")
    return freeze(draw, alt, controls) if os.environ.get(FROZEN) else Explore(draw, alt, controls)


def show(draw: Callable[[], Figure], *, alt: str) -> "Html":
    """Show the figure that `draw()` makes, in the same look and with its text alternative."""
    _check(draw, alt, {}, "show")
    svg = draw_svg(draw, {})
    style = "" if os.environ.get(FROZEN) else f"<style>{_CSS}</style>"
    return Html(f'{style}<div class="explore">{_still(svg, alt)}</div>', alt)


class Html:
    """Something that a notebook shows as HTML."""

    def __init__(self, text: str, alt: str):
        self.html, self.alt = text, alt

    def _repr_mimebundle_(self, **_):
        return {"text/html": self.html, "text/plain": self.alt}


class Explore(anywidget.AnyWidget):
    """The live widget: each change of `at` draws the figure anew, with the exact values."""

    _esm = (_STATIC / "explore.js").read_text() + "\nexport default { render: explore.live };\n"
    _css = _CSS

    controls = traitlets.List().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    at = traitlets.List().tag(sync=True)  # the index of each control's value
    frame = traitlets.Dict().tag(sync=True)  # {"at", "svg"} or {"at", "error"}

    def __init__(self, draw: Callable[..., Figure], alt: str, controls: Mapping[str, Control]):
        self._draw, self._controls = draw, dict(controls)
        start = [control.start for control in controls.values()]
        first = {"at": start, "svg": draw_svg(draw, self._values(start))}
        super().__init__(controls=_described(controls), alt=alt, at=start, frame=first)
        self.observe(self._redraw, "at")

    def _values(self, at: list[int]) -> dict[str, Any]:
        pairs = zip(self._controls.items(), at, strict=True)
        return {name: control.values[i] for (name, control), i in pairs}

    def _redraw(self, change) -> None:
        at = list(change["new"])
        try:
            self.frame = {"at": at, "svg": draw_svg(self._draw, self._values(at))}
        except Exception as error:  # whatever the author's code does, the widget must survive
            self.frame = {"at": at, "error": f"{type(error).__name__}: {error}"}


def freeze(draw: Callable[..., Figure], alt: str, controls: Mapping[str, Control]) -> Html:
    """Return a still, the controls and every frame, as HTML that explore.js brings to life."""
    controls = {name: control.frozen() for name, control in controls.items()}
    check_size(controls)
    frames = [draw_svg(draw, values) for values in grid(controls)]
    first = 0
    for control in controls.values():
        first = first * len(control.values) + control.start
    described = _described(controls)
    start = [control.start for control in controls.values()]
    spec = {"controls": described, "at": start, "alt": alt}
    n_sliders = sum(control.kind == "slider" for control in controls.values())
    size = f"--explore-rows:{len(controls)};--explore-sliders:{n_sliders}"
    return Html(
        f'<div class="explore" style="{size}">'
        '<div class="explore-controls"></div>'
        f"{_still(frames[first], caption(alt, described, start))}"
        f'<script type="application/json" class="explore-spec">{_in_script(spec)}</script>'
        f'<script type="text/plain" class="explore-frames">{pack(frames)}</script>'
        "</div>",
        alt,
    )


def draw_svg(draw: Callable[..., Figure], values: Mapping[str, Any]) -> str:
    """Return the figure for these values as SVG, and leave no figure open."""
    before = set(plt.get_fignums())
    try:
        with mpl.rc_context(STYLE):
            figure = draw(**values)
            if not isinstance(figure, Figure):
                name = getattr(draw, "__name__", "draw")
                raise ValueError(f"{name}: must return a matplotlib Figure, got {figure!r}")
            return to_svg(figure)
    finally:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)


def caption(alt: str, controls: list[dict], at: list[int]) -> str:
    """Return the text alternative of a frame: what it shows and where the controls stand."""
    state = ", ".join(f"{c['label']} {c['texts'][i]}" for c, i in zip(controls, at, strict=True))
    return f"{alt}: {state}"


def _described(controls: Mapping[str, Control]) -> list[dict]:
    """Return what the front end needs to know of the controls."""
    return [
        {"kind": c.kind, "label": c.label or name.replace("_", " "), "texts": list(c.texts)}
        for name, c in controls.items()
    ]


def _still(svg: str, label: str) -> str:
    prefix = "x" + hashlib.sha256(svg.encode()).hexdigest()[:6] + "-"
    text = html.escape(label, quote=True)
    return (
        f'<div class="explore-figure" role="img" aria-label="{text}">'
        f"{prefix_ids(svg, prefix)}</div>"
    )


def _in_script(value: Any) -> str:
    """Return JSON that cannot end the <script> element around it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _check(draw, alt, controls: Mapping[str, Control], who: str) -> None:
    if not callable(draw):
        raise ValueError(f"{who}: draw must be a function that returns a Figure, got {draw!r}")
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"{who}: alt must be a text that says what the picture shows, got {alt!r}")
    for name, control in controls.items():
        if not isinstance(control, Control):
            raise ValueError(f"{who}: {name} must be a slider, choice or switch, got {control!r}")
    try:
        inspect.signature(draw).bind(**controls)
    except TypeError as error:
        raise ValueError(
            f"{who}: the controls must be the arguments of {draw.__name__}"
            f"{inspect.signature(draw)}, got {', '.join(controls) or 'none'}: {error}"
        ) from error
