"""`explore` and `show`: the same call is a live widget, or a frozen one in a built page."""

import hashlib
import html
import itertools
import json
import os
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import anywidget
import traitlets
from IPython import get_ipython

from explorable.controls import Control
from explorable.drawing import MAX_HEIGHT, Draw, Frame, Panel, draw_stills, panels_of
from explorable.frames import MAX_BYTES, check_size, grid, pack
from explorable.frontend import CSS, MODULE
from explorable.svg import prefix_ids
from explorable.text import plain, typeset

FROZEN = "EXPLORABLE_FROZEN"  # the Sphinx extension sets it for the kernels of a book build


def explore(*draws: Draw, alt: str, title: str | None = None, **controls: Control):
    """Show the figure that `draw(**values)` makes, with a control for each of its arguments.

    Parameters
    ----------
    *draws : callable
        Each makes a matplotlib figure from the controls that are its arguments, or the figure
        and a dict of readouts: names and the numbers (or texts) to show for them. Several
        figures stand one below the other. A page keeps the frames of each of them apart, so
        figures that share no control do not multiply each other's frames.
    alt : str
        What the picture shows, for a reader who does not see it.
    title : str, optional
        A sentence for the wall of a lecture hall and for the list of all demos.
    **controls : Control
        What the reader moves, by the names of the arguments.

    Returns
    -------
    Explore or Html
        A live widget; in the build of a book the frozen one.

    Raises
    ------
    ValueError
        If an argument is none of the above, if `draw` returns no figure or one that is too
        large, or if a page would have to hold more than 200 frames or 1 MB.
    """
    if not draws:
        raise ValueError("explore: needs a draw function, a function that returns a Figure")
    if not controls:
        raise ValueError("explore: needs at least one control; show() is for a still picture")
    panels = _checked("explore", draws, alt, controls)
    if title is not None and (not isinstance(title, str) or not title.strip()):
        raise ValueError(f"explore: title must be a sentence, got {title!r}")
    make = freeze if os.environ.get(FROZEN) else Explore
    return make(panels, controls, alt, title or "")


def show(draw: Draw, *, alt: str) -> "Html":
    """Show the figure that `draw()` makes, in the same look and with its text alternative.

    Parameters
    ----------
    draw : callable
        Makes a matplotlib figure.
    alt : str
        What the picture shows, for a reader who does not see it.

    Raises
    ------
    ValueError
        If `draw` needs an argument or returns no figure, or if there is no text in `alt`.
    """
    panels = _checked("show", [draw], alt, {})
    frames, png = draw_stills(panels, {})
    style = "" if os.environ.get(FROZEN) else f"<style>{CSS}</style>"
    text = f'{style}<div class="explore">{_readouts(frames)}{_still(frames, alt)}</div>'
    return Html(text, alt, png)


class Html:
    """Something that a notebook shows as HTML, and as a picture where it cannot."""

    def __init__(self, text: str, alt: str, png: str):
        self.html, self.alt, self.png = text, alt, png

    def _repr_mimebundle_(self, **_):
        return {"text/html": self.html, "image/png": self.png, "text/plain": self.alt}


class Explore(anywidget.AnyWidget):
    """The live widget: each change of `at` draws the figure anew, with the exact values."""

    _esm = MODULE
    _css = CSS

    spec = traitlets.Dict().tag(sync=True)  # what the front end knows from the start
    at = traitlets.List().tag(sync=True)  # the index of each control's value
    frame = traitlets.Dict().tag(sync=True)  # {"at", "svgs", "readouts"} or {"at", "error"}

    def __init__(
        self, panels: Sequence[Panel], controls: Mapping[str, Control], alt: str, title: str
    ):
        self._panels, self._controls = panels, dict(controls)
        start = [control.start for control in controls.values()]
        values = self._values(start)
        frames, self._png = draw_stills(panels, values)
        self._drawn = [(p.own(values), frame) for p, frame in zip(panels, frames, strict=True)]
        self._labels = _labels(frames)
        super().__init__(
            spec=_spec(panels, controls, frames, alt, title), at=start, frame=_sent(start, frames)
        )
        self.observe(lambda change: _on_main_thread(self._redraw, change), "at")

    def _values(self, at: list[int]) -> dict[str, Any]:
        pairs = zip(self._controls.items(), at, strict=True)
        return {name: control.values[i] for (name, control), i in pairs}

    def _draw(self, at: list[int]) -> list[Frame]:
        """Draw those panels whose controls have moved."""
        values = self._values(at)
        for i, panel in enumerate(self._panels):
            if panel.own(values) != self._drawn[i][0]:
                self._drawn[i] = panel.own(values), panel.frame(values)
        return [frame for _, frame in self._drawn]

    def _redraw(self, change) -> None:
        at = list(change["new"])
        try:
            frames = self._draw(at)
            _check_labels(_labels(frames), self._labels)
            self.frame = _sent(at, frames)
        except Exception as error:  # whatever the author's code does, the widget must survive
            self.frame = {"at": at, "error": f"{type(error).__name__}: {error}"}

    def _repr_mimebundle_(self, **options):
        """Add a picture, for viewers of notebooks that run no widget."""
        bundle = super()._repr_mimebundle_(**options)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:
            data["image/png"] = self._png
        return bundle


def freeze(panels: Sequence[Panel], controls: Mapping[str, Control], alt: str, title: str) -> Html:
    """Return a still, the controls and every frame, as HTML that explore.js brings to life.

    Raises
    ------
    ValueError
        If there are more frames, or more bytes, than a page can hold.
    """
    controls = {name: control.frozen() for name, control in controls.items()}
    check_size(panels, controls)
    frames = [[p.frame(values) for values in grid(p.own(controls))] for p in panels]
    for of_one in frames:
        for frame in of_one:
            _check_labels(_labels([frame]), _labels(of_one[:1]))
    packed = pack(frames)
    if len(packed) > MAX_BYTES:
        raise ValueError(
            f"explore: {sum(map(len, frames))} frames of {len(packed) / 1e6:.1f} MB in all are more"
            f" than a page can hold ({MAX_BYTES:,} bytes): draw fewer points or lines, or fewer"
            " frames"
        )
    start = {name: control.values[control.start] for name, control in controls.items()}
    first, png = draw_stills(panels, start)
    spec = _spec(panels, controls, first, alt, title)
    spec["at"] = [control.start for control in controls.values()]
    return Html(
        f'<div class="explore"{_group(title)} style="{_space(controls)}">'
        '<div class="explore-controls"></div>'
        f"{_readouts(first)}{_still(first, caption(alt, controls))}"
        f'<script type="application/json" class="explore-spec">{in_script(spec)}</script>'
        f'<script type="text/plain" class="explore-frames">{packed}</script>'
        "</div>",
        alt,
        png,
    )


def caption(alt: str, controls: Mapping[str, Control]) -> str:
    """Return the text alternative of the first frame: what it shows, where the controls stand."""
    state = ", ".join(f"{plain(_label(n, c))} {c.texts[c.start]}" for n, c in controls.items())
    return f"{alt}: {state}"


def _checked(
    who: str, draws: Sequence[Draw], alt: str, controls: Mapping[str, Control]
) -> tuple[Panel, ...]:
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"{who}: alt must be a text that says what the picture shows, got {alt!r}")
    for name, control in controls.items():
        if not isinstance(control, Control):
            raise ValueError(
                f"{who}: {name} must be a slider, stepper, choice or switch, got {control!r}"
            )
    return panels_of(who, draws, list(controls))


def _spec(
    panels: Sequence[Panel],
    controls: Mapping[str, Control],
    frames: Sequence[Frame],
    alt: str,
    title: str,
) -> dict[str, Any]:
    """Return what the front end needs to know from the start."""
    names = list(controls)
    width, height = _extent(frames)
    if height > 72 * MAX_HEIGHT + 0.5:
        raise ValueError(
            f"explore: the figures are {height / 72:g} inches high in all; make them at most"
            f" {MAX_HEIGHT:g}, or their text is too small in a hall"
        )
    return {
        "alt": alt,
        "title": plain(title),
        "aspect": round(width / height, 4),
        "controls": [
            {
                "kind": c.kind,
                "name": name,
                "label": typeset(_label(name, c)),
                "texts": list(c.texts),
                "linked": c.linked,
            }
            for name, c in controls.items()
        ],
        "panels": [[names.index(name) for name in panel.names] for panel in panels],
        "readouts": [typeset(label) for label in _labels(frames)],
    }


def _sent(at: list[int], frames: Sequence[Frame]) -> dict[str, Any]:
    """Return what the front end gets for a position."""
    values = itertools.chain.from_iterable(frame.readouts.values() for frame in frames)
    return {"at": at, "svgs": [frame.svg for frame in frames], "readouts": list(values)}


def _label(name: str, control: Control) -> str:
    return control.label or name.replace("_", " ")


def _labels(frames: Sequence[Frame]) -> list[str]:
    return [label for frame in frames for label in frame.readouts]


def _check_labels(labels: list[str], first: list[str]) -> None:
    if labels != first:
        raise ValueError(
            "explore: draw must return the same readouts for all values, got"
            f" {', '.join(labels) or 'none'} after {', '.join(first) or 'none'}"
        )


def _on_main_thread(function, *arguments) -> None:
    """Call the function now, or on the thread of the cells once that is free.

    JupyterLab has a widget's messages answered on a thread beside the cells' (a subshell), where
    pyplot, its style and mathtext are not safe.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None or threading.current_thread() is threading.main_thread():
        function(*arguments)
    else:
        kernel.io_loop.add_callback(function, *arguments)


def _extent(frames: Sequence[Frame]) -> tuple[float, float]:
    """Return width and height in points of the figures, one below the other."""
    boxes = [re.findall(r'viewBox="([^"]*)"', frame.svg)[0].split() for frame in frames]
    return max(float(box[2]) for box in boxes), sum(float(box[3]) for box in boxes)


def _group(title: str) -> str:
    return f' role="group" aria-label="{html.escape(plain(title), quote=True)}"' if title else ""


def _space(controls: Mapping[str, Control]) -> str:
    """Return the numbers of rows from which the style sheet keeps the controls' place."""
    kinds = [control.kind for control in controls.values()]
    steppers = kinds.count("stepper")
    sliders = kinds.count("slider") + steppers
    return f"--explore-rows:{len(kinds) + steppers};--explore-sliders:{sliders}"


def _readouts(frames: Sequence[Frame]) -> str:
    """Return the readouts as a list of names and values; nothing if there are none."""
    rows = [
        f"<div><dt>{typeset(label)}</dt><dd>{value}</dd></div>"
        for frame in frames
        for label, value in frame.readouts.items()
    ]
    return f'<dl class="explore-readouts">{"".join(rows)}</dl>' if rows else ""


def _still(frames: Sequence[Frame], label: str) -> str:
    panels = "".join(f'<div class="explore-panel">{_own_ids(frame.svg)}</div>' for frame in frames)
    text = html.escape(label, quote=True)
    return f'<div class="explore-figure" role="img" aria-label="{text}">{panels}</div>'


def _own_ids(svg: str) -> str:
    """Return the SVG with ids that no other picture of the page has."""
    return prefix_ids(svg, "x" + hashlib.sha256(svg.encode()).hexdigest()[:6] + "-")


def in_script(value: Any) -> str:
    """Return JSON that cannot end the <script> element around it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
