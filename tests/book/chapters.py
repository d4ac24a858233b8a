"""What the tests of the book need to know about its pages."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import jupytext
import matplotlib.pyplot as plt
import pytest
import yaml

from explorable import Control
from explorable.drawing import Panel, panels_of
from explorable.frames import check_size

ROOT = Path(__file__).parents[2]
BOOK = ROOT / "book"
LECTURE_1 = BOOK / "hidden-markov-models"


def toc_pages() -> list[str]:
    """Every page in the table of contents, as a path without suffix: `book/notation`."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [toc["root"]] + [c["file"] for part in toc["parts"] for c in part["chapters"]]


PAGES = toc_pages()
TEACHING = [p for p in PAGES if "hidden-markov-models/" in p and not p.endswith("/index")]


def source(page: str) -> str:
    """The Markdown of a page."""
    return (ROOT / f"{page}.md").read_text()


@cache
def code(page: str, *, hidden: bool = True) -> tuple[str, ...]:
    """The code cells of a page, in order; without `hidden`, only those that a reader sees open."""
    cells = jupytext.read(ROOT / f"{page}.md").cells
    return tuple(
        c.source
        for c in cells
        if c.cell_type == "code" and (hidden or "hide-input" not in c.metadata.get("tags", []))
    )


def fences(text: str, name: str) -> list[str]:
    """The bodies of all `:::{name} …` blocks, with their title line."""
    return re.findall(rf"^:::\{{{name}\}}(.*?)^:::\s*$", text, flags=re.M | re.S)


class Widget(NamedTuple):
    """What a page gave to `explore`, with the values that the page keeps."""

    panels: tuple[Panel, ...]
    controls: dict[str, Control]
    title: str | None

    @property
    def name(self) -> str:
        """The name of what draws it."""
        return self.panels[0].draw.__name__

    def html(self, at: Sequence[int]) -> tuple[str, list[str]]:
        """The figure for these positions of the controls, drawn here and now, and readouts."""
        values = {n: c.values[i] for (n, c), i in zip(self.controls.items(), at, strict=True)}
        frames = [panel.frame(values) for panel in self.panels]
        figure = "".join(f'<div class="explore-panel">{frame.svg}</div>' for frame in frames)
        return figure, [value for frame in frames for value in frame.readouts.values()]


@cache
def widgets(page: str) -> tuple[Widget, ...]:
    """Run the code of a page in this process and return its widgets, in order."""
    found = []

    def explore(*draws, alt, title=None, **controls):
        kept = {name: c.frozen() for name, c in controls.items()}
        widget = Widget(panels_of("explore", draws, list(kept)), kept, title)
        check_size(widget.panels, kept)
        widget.html([control.start for control in kept.values()])  # what fails is no widget
        found.append(widget)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("explorable.explore", explore)
        patch.setattr("explorable.show", lambda draw, *, alt: None)
        patch.chdir((ROOT / page).parent)
        names = {"__name__": "__main__"}
        for number, cell in enumerate(code(page)):
            exec(compile(cell, f"{page}.md, cell {number}", "exec"), names)
        plt.close("all")
    return tuple(found)
