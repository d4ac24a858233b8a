"""From a draw function and values to a frame: the picture as SVG and its readouts."""

import base64
import inspect
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from explorable.style import STYLE
from explorable.svg import to_svg
from explorable.text import readout

Draw = Callable[..., Figure | tuple[Figure, Mapping[str, float | str]]]

MAX_WIDTH, MAX_HEIGHT = 5.5, 6.0  # inches: 9 px text on a phone, 24 px text in a hall


class Frame(NamedTuple):
    """One picture of a panel.

    Attributes
    ----------
    svg : str
        The figure.
    readouts : dict
        The value of each readout as HTML, by its label.
    """

    svg: str
    readouts: dict[str, str]


class Panel(NamedTuple):
    """A picture that depends on some of the controls.

    Attributes
    ----------
    draw : callable
        Makes the figure.
    names : tuple of str
        The controls that are its arguments.
    """

    draw: Draw
    names: tuple[str, ...]

    def own(self, of_all: Mapping[str, Any]) -> dict[str, Any]:
        """Return what belongs to the controls of this panel."""
        return {name: of_all[name] for name in self.names}

    def frame(self, values: Mapping[str, Any]) -> Frame:
        """Draw the frame for these values of all controls."""
        return draw_frame(self.draw, self.own(values))


def panels_of(who: str, draws: Sequence[Draw], names: Sequence[str]) -> tuple[Panel, ...]:
    """Return a panel for each draw function, which gets those controls that it has arguments for.

    Raises
    ------
    ValueError
        If a function lacks an argument, or no function has one for a control.
    """
    panels = []
    for draw in draws:
        if not callable(draw):
            raise ValueError(f"{who}: draw must be a function that returns a Figure, got {draw!r}")
        signature = inspect.signature(draw)
        arguments = signature.parameters.values()
        takes_all = any(a.kind is a.VAR_KEYWORD for a in arguments)
        named = {a.name for a in arguments if a.kind in (a.POSITIONAL_OR_KEYWORD, a.KEYWORD_ONLY)}
        mine = tuple(name for name in names if takes_all or name in named)
        try:
            signature.bind(**dict.fromkeys(mine))
        except TypeError as error:
            raise ValueError(
                f"{who}: each argument of {_name(draw)}{signature} needs a control,"
                f" got {', '.join(names) or 'none'}: {error}"
            ) from error
        panels.append(Panel(draw, mine))
    if unused := [name for name in names if not any(name in panel.names for panel in panels)]:
        drawers = ", ".join(f"{_name(draw)}{inspect.signature(draw)}" for draw in draws)
        raise ValueError(f"{who}: no argument for the control {unused[0]!r} in {drawers}")
    return tuple(panels)


def draw_frame(draw: Draw, values: Mapping[str, Any]) -> Frame:
    """Return the frame for these values, and leave no figure open.

    Raises
    ------
    ValueError
        If `draw` returns something else than a figure, or a figure and readouts, or if the
        figure is too large for a phone or a lecture hall.
    """
    with _drawn(draw, values) as (figure, readouts):
        return Frame(to_svg(figure), readouts)


def draw_stills(panels: Sequence[Panel], values: Mapping[str, Any]) -> tuple[list[Frame], str]:
    """Return the frame of each panel, and all of them below each other as a PNG.

    Returns
    -------
    frames : list of Frame
        One for each panel.
    png : str
        Black on white, 110 dpi, in base64.
    """
    frames, images = [], []
    for panel in panels:
        with _drawn(panel.draw, panel.own(values)) as (figure, readouts):
            frames.append(Frame(to_svg(figure), readouts))
            file = io.BytesIO()
            figure.savefig(file, format="png", dpi=110, facecolor="white")
            images.append(Image.open(file).convert("RGB"))
    whole = Image.new("RGB", (max(i.width for i in images), sum(i.height for i in images)), "white")
    top = 0
    for image in images:
        whole.paste(image, (0, top))
        top += image.height
    file = io.BytesIO()
    whole.quantize(64).save(file, "png", optimize=True, dpi=(110, 110))
    return frames, base64.b64encode(file.getvalue()).decode()


@contextmanager
def _drawn(draw: Draw, values: Mapping[str, Any]) -> Iterator[tuple[Figure, dict[str, str]]]:
    """Yield the checked figure and readouts of `draw(**values)`, in our style."""
    before = set(plt.get_fignums())
    try:
        with mpl.rc_context(STYLE):
            result = draw(**values)
            if isinstance(result, tuple) and len(result) == 2:
                figure, readouts = result
            else:
                figure, readouts = result, {}
            _check_figure(_name(draw), figure)
            yield figure, _checked_readouts(_name(draw), readouts)
    finally:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)


def _check_figure(name: str, figure: Any) -> None:
    if figure is None:
        raise ValueError(f"{name}: returned nothing; end it with `return fig`")
    if not isinstance(figure, Figure):
        raise ValueError(
            f"{name}: must return a matplotlib Figure, or a Figure and a dict of readouts,"
            f" got {figure!r}"
        )
    width, height = figure.get_size_inches()
    if width > MAX_WIDTH + 1e-9 or height > MAX_HEIGHT + 1e-9:
        raise ValueError(
            f"{name}: the figure is {width:g} x {height:g} inches; make it at most {MAX_WIDTH:g} x"
            f" {MAX_HEIGHT:g} (stack the panels), or its text is too small on a phone or in a hall"
        )


def _checked_readouts(name: str, readouts: Any) -> dict[str, str]:
    if not isinstance(readouts, Mapping):
        raise ValueError(
            f"{name}: the readouts must be a dict of names and numbers, got {readouts!r}"
        )
    texts = {}
    for label, value in readouts.items():
        try:
            texts[str(label)] = readout(value)
        except ValueError as error:
            raise ValueError(f"{name}: the readout {label!r} {error}") from error
    return texts


def _name(draw: Draw) -> str:
    return getattr(draw, "__name__", "draw")
