"""Each widget of each page, moved in Chromium: it shows what its draw function gives."""

import itertools
import random

import pytest

from tests.book.chapters import PAGES, code, widgets
from tests.browser import needs_chromium, open_page
from tests.explorable.widgets import MOVED, WIDGET, load
from tests.explorable.widgets import at as where

pytestmark = [pytest.mark.book, pytest.mark.browser, needs_chromium]

WITH_WIDGETS = [p for p in PAGES if any("explore(" in c for c in code(p))]
POSITIONS = 5  # of each widget, the extremes among them

# innerHTML of the figure and the readouts, and what is expected as the browser itself writes it
PICTURES = """(box, [svg, readouts]) => {
  const box_of = (html) => Object.assign(document.createElement("div"), { innerHTML: html });
  const written = (html) => box_of(html).innerHTML;
  const shown = box.querySelector(".explore-figure").innerHTML;
  const values = [...box.querySelectorAll(".explore-readouts dd")].map((dd) => dd.innerHTML);
  // what keeps the ids of widgets apart
  const own = /( id="| href="#|url\\(#)(explore-[0-9a-z]+|x[0-9a-f]{6})-/g;
  return [[shown.replace(own, "$1"), values], [written(svg), readouts.map(written)]];
}"""


def positions(widget) -> list[tuple[int, ...]]:
    """Both ends of every control together, and some places between, the same in each run."""
    sizes = [range(len(c.values)) for c in widget.controls.values()]
    grid = list(itertools.product(*sizes))
    middle = random.Random(0).sample(grid[1:-1], min(POSITIONS - 2, max(len(grid) - 2, 0)))
    return [grid[-1], *middle, grid[0]]


def move(box, widget, at):
    """Set every control of the widget to these positions, as a reader would."""
    inputs = box.locator(MOVED)
    for i, (control, k) in enumerate(zip(widget.controls.values(), at, strict=True)):
        if control.kind == "choice":
            inputs.nth(i).select_option(index=k)
        elif control.kind == "switch":
            inputs.nth(i).set_checked(bool(k))
        else:
            inputs.nth(i).fill(str(k))


@pytest.fixture(scope="module", params=WITH_WIDGETS)
def name(request):
    """A page with widgets."""
    return request.param


@pytest.fixture(scope="module", params=["server", "disk"])
def visit(request, name, browser, server, html):
    """The page on a server or, without a network, on the disk; its widgets; and its record."""
    offline = request.param == "disk"
    start = html.as_uri() if offline else server
    with open_page(browser, f"{start}/{name}.html", offline=offline, has_touch=True) as (page, log):
        load(page)
        assert page.locator(WIDGET).count() == len(widgets(name))
        yield list(zip(page.locator(WIDGET).all(), widgets(name), strict=True)), log


def check(box, widget, at):
    """Compare what the page shows with what `draw` gives."""
    shown, expected = box.evaluate(PICTURES, list(widget.html(at)))
    assert shown == expected, f"{widget.name} at {at}"


def test_a_moved_widget_shows_what_draw_gives(visit):
    found, record = visit
    for box, widget in found:
        for at in positions(widget):
            move(box, widget, at)
            assert where(box) == list(at)
            check(box, widget, at)
    assert record.complaints() == []


def acts(control, handle):
    """What a reader does with a control: keys, mouse, touch."""
    if control.kind in ("slider", "stepper"):
        return [
            lambda: handle.press("End"),
            lambda: handle.press("ArrowLeft"),
            lambda: handle.click(position={"x": 20, "y": 16}),
            lambda: handle.tap(position={"x": 60, "y": 16}),
        ]
    if control.kind == "switch":
        return [lambda: handle.press("Space"), handle.click, handle.tap]
    return [lambda: handle.press("End"), lambda: handle.press("Home")]


def test_widgets_answer_to_keyboard_mouse_and_touch(visit):
    found, record = visit
    for box, widget in found:
        for i, control in enumerate(widget.controls.values()):
            handle = box.locator(MOVED).nth(i)
            seen = {where(box)[i]}
            for act in acts(control, handle):
                act()
                at = where(box)
                seen.add(at[i])
                check(box, widget, at)
            assert len(seen) > 1, f"{widget.name}: control {i} does not move"
    assert record.complaints() == []
