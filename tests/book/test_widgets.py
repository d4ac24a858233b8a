"""Each widget of each page, moved in Chromium: it shows what its draw function gives."""

import itertools
import random

import pytest

from tests.book.chapters import PAGES, code, widgets
from tests.browser import chromium, needs_chromium, open_page, serve

pytestmark = [pytest.mark.book, pytest.mark.browser, needs_chromium]

WITH_WIDGETS = [p for p in PAGES if any("explore(" in c for c in code(p))]
POSITIONS = 5  # of each widget, the extremes among them

# innerHTML of the figure, and of the expected picture as the browser itself writes it
PICTURES = """(box, svg) => {
  const expected = document.createElement("div");
  expected.innerHTML = svg;
  const shown = box.querySelector(".explore-figure").innerHTML;
  // what keeps the ids of widgets apart
  const own = /( id="| href="#|url\\(#)(explore-[0-9a-z]+|x[0-9a-f]{6})-/g;
  return [shown.replace(own, "$1"), expected.innerHTML];
}"""


def positions(widget) -> list[tuple[int, ...]]:
    """Both ends of every control together, and some places between, the same in each run."""
    sizes = [range(len(c.values)) for c in widget.controls.values()]
    grid = list(itertools.product(*sizes))
    middle = random.Random(0).sample(grid[1:-1], min(POSITIONS - 2, max(len(grid) - 2, 0)))
    return [grid[-1], *middle, grid[0]]


def move(box, widget, at):
    """Set every control of the widget to these positions, as a reader would."""
    inputs = box.locator(".explore-controls :is(input, select)")
    for i, (control, k) in enumerate(zip(widget.controls.values(), at, strict=True)):
        if control.kind == "choice":
            inputs.nth(i).select_option(index=k)
        elif control.kind == "switch":
            inputs.nth(i).set_checked(bool(k))
        else:
            inputs.nth(i).fill(str(k))


def shown_at(box, widget) -> list[int]:
    """Where the controls stand."""
    inputs = box.locator(".explore-controls :is(input, select)")
    read = "e => e.type === 'checkbox' ? +e.checked : e.selectedIndex ?? +e.value"
    return [inputs.nth(i).evaluate(read) for i in range(len(widget.controls))]


@pytest.fixture(scope="module", params=["http", "file"])
def address(request, html):
    """Where the book stands: on a server, and on the disk."""
    if request.param == "file":
        yield html.as_uri()
    else:
        with serve(html) as url:
            yield url


@pytest.fixture(scope="module")
def browser():
    """One Chromium for all pages."""
    with chromium() as browser:
        yield browser


def ready(page, n_widgets):
    """Return the widgets of a page, each brought into view and loaded."""
    boxes = page.locator(".explore:has(.explore-spec)")
    assert boxes.count() == n_widgets
    for i in range(n_widgets):
        boxes.nth(i).scroll_into_view_if_needed()
        page.wait_for_selector(
            f".explore:has(.explore-spec)[data-ready] >> nth={i}", state="attached"
        )
    return [boxes.nth(i) for i in range(n_widgets)]


@pytest.mark.parametrize("name", WITH_WIDGETS)
def test_a_moved_widget_shows_what_draw_gives(browser, address, name):
    offline = address.startswith("file")
    with open_page(browser, f"{address}/{name}.html", offline=offline) as (page, record):
        for box, widget in zip(ready(page, len(widgets(name))), widgets(name), strict=True):
            for at in positions(widget):
                move(box, widget, at)
                assert shown_at(box, widget) == list(at)
                shown, expected = box.evaluate(PICTURES, widget.svg(at))
                assert shown == expected, f"{widget.draw.__name__} at {at}"
        assert record.complaints() == []


@pytest.mark.parametrize("name", WITH_WIDGETS)
def test_widgets_answer_to_keyboard_mouse_and_touch(browser, address, name):
    url = f"{address}/{name}.html"
    with open_page(browser, url, has_touch=True, viewport={"width": 390, "height": 844}) as (
        page,
        _,
    ):
        for box, widget in zip(ready(page, len(widgets(name))), widgets(name), strict=True):
            for i, control in enumerate(widget.controls.values()):
                handle = box.locator(".explore-controls :is(input, select)").nth(i)
                if control.kind == "slider":
                    acts = [
                        lambda h=handle: h.press("End"),
                        lambda h=handle: h.press("ArrowLeft"),
                        lambda h=handle: h.click(position={"x": 20, "y": 16}),
                        lambda h=handle: h.tap(position={"x": 120, "y": 16}),
                    ]
                elif control.kind == "switch":
                    acts = [lambda h=handle: h.press("Space"), handle.click, handle.tap]
                else:
                    acts = [lambda h=handle: h.press("End"), lambda h=handle: h.press("Home")]
                before = shown_at(box, widget)
                seen = {tuple(before)}
                for act in acts:
                    act()
                    at = shown_at(box, widget)
                    seen.add(tuple(at))
                    shown, expected = box.evaluate(PICTURES, widget.svg(at))
                    assert shown == expected, f"{widget.draw.__name__} at {at}"
                assert len(seen) > 1, f"{widget.draw.__name__}: control {i} does not move"
