"""The stage: a widget that fills the screen of a lecture hall, and what keys do there."""

from contextlib import contextmanager

import pytest

from tests.browser import needs_chromium, open_page
from tests.explorable.widgets import PHONE, at, load, text_sizes

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium]

HALL = {"width": 1920, "height": 1080}
LAPTOP = {"width": 1366, "height": 768}
SIDEWAYS, SMALL = {"width": 844, "height": 390}, {"width": 390, "height": 600}
ON_STAGE = "dialog.explore-stage[open] > .explore[data-ready]"
WIDE, PANELS, TALL = 1, 2, 3  # widgets of the page

# what must neither overlap nor leave the screen
PARTS = """(box) => {
  const stage = box.closest(".explore-stage"), top = stage.scrollTop;
  const leaves = ".explore-title, .explore-row > *, .explore-steps > *, dt, dd, .explore-panel, "
    + ".explore-help, .explore-leave";
  const parts = [...stage.querySelectorAll(leaves)].map((e) => {
    const { left, right, top, bottom, width } = e.getBoundingClientRect();
    const cut = e.matches("label, output, dt, dd, button, h2, p") && e.scrollWidth > width + 1;
    const shown = width && getComputedStyle(e).visibility === "visible";
    return { name: e.className.baseVal ?? (e.className || e.textContent), shown, cut,
      left, right, top: top + stage.scrollTop, bottom: bottom + stage.scrollTop };
  });
  return { parts: parts.filter((part) => part.shown), height: stage.scrollHeight,
    scrolls: stage.scrollHeight > stage.clientHeight,
    wide: stage.scrollWidth > document.documentElement.clientWidth };
}"""

# elements that hold text themselves, and how large it is
TEXTS = """(box) => [...box.closest(".explore-stage").querySelectorAll("*")]
  .filter((e) => e.getClientRects().length && !e.closest("svg, script, .explore-spoken")
    && [...e.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
  .map((e) => [e.textContent, parseFloat(getComputedStyle(e).fontSize)])"""


@contextmanager
def stage(browser, address, n, **context):
    """Open the n-th widget by its address; yield the page and the widget on the stage."""
    url = f"{address}/moving.html#present-widget-{n}"
    with open_page(browser, url, **{"viewport": HALL, **context}) as (page, record):
        page.wait_for_selector(ON_STAGE)
        yield page, page.locator(ON_STAGE)
        assert record.complaints() == []


def focused(page) -> str:
    """Return the label of the control that has the focus."""
    return page.evaluate("document.activeElement.labels?.[0]?.textContent ?? ''")


# ---- how to get there and away ----


def test_the_button_opens_the_stage_on_the_full_screen(browser, address):
    with open_page(browser, f"{address}/moving.html") as (page, record):
        load(page)
        page.get_by_role("button", name="Present: Two bars").click()
        page.wait_for_selector(ON_STAGE)
        assert page.evaluate("document.fullscreenElement === document.documentElement")
        assert page.get_by_role("dialog", name="Two bars").locator("#widget-2").count() == 1
        page.keyboard.press("Escape")
        page.wait_for_function("!document.fullscreenElement")
        assert page.locator(".explore-stage").count() == 0
        assert record.complaints() == []


def test_the_address_opens_the_stage_and_leaving_cleans_it(browser, address):
    with stage(browser, address, PANELS) as (page, box):
        assert box.get_attribute("id") == "widget-2"
        page.keyboard.press("Escape")
        assert page.locator(".explore-stage").count() == 0
        assert page.url == f"{address}/moving.html"
        page.evaluate("location.hash = '#present-widget-3'")  # a link on the page itself
        page.wait_for_selector(f"{ON_STAGE}#widget-3")


@pytest.mark.parametrize("leave", ["Escape", "button", "browser"])
def test_who_leaves_is_back_where_the_widget_was(browser, book, leave):
    with open_page(browser, f"{book.as_uri()}/moving.html") as (page, record):
        load(page)
        page.evaluate(
            """() => {
              const box = document.querySelector("#widget-2");
              window.before = [box.parentNode, box.previousSibling, box.nextSibling];
            }"""
        )
        page.get_by_role("button", name="Present: Two bars").click()
        page.wait_for_selector(ON_STAGE)
        page.keyboard.press("ArrowRight")
        if leave == "button":
            page.get_by_role("button", name="Leave").click()
        elif leave == "browser":  # with a key or a gesture of its own
            page.evaluate("document.exitFullscreen()")
        else:
            page.keyboard.press("Escape")
        page.wait_for_function("!document.querySelector('.explore-stage')")
        box = page.locator("#widget-2")
        assert box.evaluate(
            "e => [e.parentNode, e.previousSibling, e.nextSibling].every((x, i) => x === before[i])"
        )
        assert at(box) == [1, 0]
        assert page.evaluate("document.activeElement.ariaLabel") == "Present: Two bars"
        assert record.complaints() == []


def test_it_works_twice_in_a_row_and_a_double_click_opens_it_once(browser, book):
    with open_page(browser, f"{book.as_uri()}/moving.html") as (page, record):
        load(page)
        for k, name in (
            (1, "A curve that comes closer, step by step"),
            (1, "Two bars"),
            (2, "Two bars"),
        ):
            button = page.get_by_role("button", name=f"Present: {name}")
            button.evaluate("e => { e.click(); e.click(); }")
            page.wait_for_selector(ON_STAGE)
            page.keyboard.press("ArrowRight")
            assert page.locator(".explore-stage").count() == 1
            assert at(page.locator(ON_STAGE))[0] == k
            page.keyboard.press("Escape")
            page.wait_for_function("!document.querySelector('.explore-stage')")
        assert page.locator(".explore").count() == 5
        assert record.complaints() == []


# ---- keys ----


@pytest.fixture(scope="module")
def hall(browser, book):
    """The widget with a stepper and a choice on the stage, its clock in the test's hands."""
    with open_page(browser, "about:blank", viewport=HALL) as (page, record):
        page.clock.install(time=0)
        page.goto(f"{book.as_uri()}/moving.html#present-widget-{WIDE}")
        page.wait_for_selector(ON_STAGE)
        page.clock.pause_at(1e6)
        yield page
    assert record.complaints() == []


def test_the_keys_of_presenters_move_the_chosen_control(hall):
    box = hall.locator(ON_STAGE)
    hall.keyboard.press("1")
    hall.keyboard.press("Home")
    moves = {"ArrowRight": 1, "PageDown": 2, "ArrowLeft": 1, "PageUp": 0, "ArrowUp": 1, "Home": 0}
    for key, k in [*moves.items(), ("ArrowLeft", 0)]:
        hall.keyboard.press(key)
        assert at(box)[0] == k, key


def test_digits_choose_a_control(hall):
    box = hall.locator(ON_STAGE)
    hall.keyboard.press("1")
    hall.keyboard.press("Home")
    hall.keyboard.press("2")
    assert focused(hall) == "data"
    hall.keyboard.press("ArrowRight")
    assert at(box) == [0, 1]
    hall.keyboard.press("PageUp")
    assert at(box) == [0, 0]
    hall.keyboard.press("3")  # there is none
    assert focused(hall) == "data"
    hall.keyboard.press("1")
    assert focused(hall) == "iteration"
    hall.keyboard.press("ArrowRight")
    assert at(box) == [1, 0]


def test_space_plays_and_pauses(hall):
    box = hall.locator(ON_STAGE)
    hall.keyboard.press("1")
    hall.keyboard.press("Home")
    hall.keyboard.press("Space")
    hall.clock.run_for(2050)
    assert at(box) == [2, 0]
    hall.keyboard.press("Space")
    hall.clock.run_for(3000)
    assert at(box) == [2, 0]
    hall.keyboard.press("Space")
    hall.keyboard.press("ArrowRight")  # a move by hand ends the play
    hall.clock.run_for(3000)
    assert at(box) == [3, 0]


def test_space_on_a_button_presses_it(hall):
    box = hall.locator(ON_STAGE)
    hall.keyboard.press("1")
    hall.keyboard.press("Home")
    box.get_by_role("button", name="Next iteration").focus()
    hall.keyboard.press("Space")
    hall.clock.run_for(3000)
    assert at(box) == [1, 0]


@pytest.mark.parametrize("key", ["Tab", "Shift+Tab"])
def test_the_focus_stays_on_the_stage(hall, key):
    hall.keyboard.press("1")
    focus = "document.activeElement"
    reached = set()
    for _ in range(20):  # it has 8 places to stop at, and the browser's own between two rounds
        hall.keyboard.press(key)
        assert hall.evaluate(f"{focus} === document.body || {focus}.matches('.explore-stage *')")
        reached.add(hall.evaluate(f"{focus}.ariaLabel || {focus}.id"))
    assert len(reached) >= 7


def test_leaving_stops_the_play(browser, book):
    with open_page(browser, "about:blank", viewport=HALL) as (page, _):
        page.clock.install(time=0)
        page.goto(f"{book.as_uri()}/moving.html#present-widget-{WIDE}")
        page.wait_for_selector(ON_STAGE)
        page.clock.pause_at(1e6)
        page.keyboard.press("Space")
        page.clock.run_for(1050)
        page.keyboard.press("Escape")
        page.clock.run_for(3000)
        assert at(page.locator("#widget-1")) == [1, 0]


# ---- what can be read from the last row ----


@pytest.mark.parametrize("n", [WIDE, TALL])
def test_every_text_is_at_least_24_pixels_high_in_a_hall(browser, book, n):
    with stage(browser, book.as_uri(), n) as (_, box):
        in_picture = text_sizes(box)
        assert len(in_picture) >= 10
        assert min(in_picture) >= 24
        around = box.evaluate(TEXTS)
        assert len(around) >= 6
        assert [text for text in around if text[1] < 24] == []
        badge = "e => parseFloat(getComputedStyle(e, '::before').fontSize)"
        assert box.locator("label").first.evaluate(badge) >= 24


@pytest.mark.parametrize("n", [WIDE, PANELS, TALL, 5])
@pytest.mark.parametrize("viewport", [HALL, LAPTOP, PHONE, SIDEWAYS, SMALL])
def test_nothing_overlaps_or_is_cut_off(browser, book, n, viewport):
    with stage(browser, book.as_uri(), n, viewport=viewport) as (_, box):
        found = box.evaluate(PARTS)
        parts = found["parts"]
        assert len(parts) >= 10
        assert not found["wide"]
        assert viewport in (SIDEWAYS, SMALL) or not found["scrolls"]
        for i, a in enumerate(parts):
            assert not a["cut"], a
            assert a["left"] >= 0
            assert a["right"] <= viewport["width"]
            assert a["top"] >= 0
            assert a["bottom"] <= found["height"]
            for b in parts[:i]:
                apart = (
                    a["left"] >= b["right"] - 0.5
                    or b["left"] >= a["right"] - 0.5
                    or a["top"] >= b["bottom"] - 0.5
                    or b["top"] >= a["bottom"] - 0.5
                )
                assert apart, (a, b)


@pytest.mark.parametrize("n", [WIDE, TALL])
def test_the_picture_fills_what_the_controls_leave(browser, book, n):
    with stage(browser, book.as_uri(), n) as (_, box):
        size = box.locator(".explore-figure").bounding_box()
        picture = box.locator(".explore-panel").bounding_box()
        filled = max(picture["width"] / size["width"], picture["height"] / size["height"])
        assert filled == pytest.approx(1, abs=0.01)
        assert size["width"] * size["height"] > 0.6 * HALL["width"] * HALL["height"]


def test_the_picture_stays_in_sight_on_a_phone_held_sideways(browser, book):
    with stage(browser, book.as_uri(), TALL, viewport=SIDEWAYS) as (page, box):
        page.locator(".explore-leave").scroll_into_view_if_needed()
        picture = box.locator(".explore-panel").bounding_box()
        assert picture["y"] >= 0
        assert picture["y"] + picture["height"] <= SIDEWAYS["height"]
