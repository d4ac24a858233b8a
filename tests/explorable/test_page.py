"""Frozen widgets in Chromium, from a server and from the disk."""

import pytest

from tests.browser import needs_chromium, open_page, violations
from tests.explorable.widgets import DESK, PHONE, WIDGET, as_written, frames_of, picture

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium]

READY = f"document.querySelector('{WIDGET}').dataset.ready !== undefined"


@pytest.fixture(scope="module")
def frames(book):
    """The pictures of the first widget, by position."""
    return [f'<div class="explore-panel">{svg}</div>' for svg, _ in frames_of(book, "index", 1)[0]]


def shown(page) -> str:
    """Return the picture of the first widget."""
    return picture(page.locator(WIDGET).first)


def slider(page):
    """Return the first widget's slider."""
    return page.locator(WIDGET).first.locator("input[type=range]")


def label(page) -> str:
    """Return the text alternative of the first widget."""
    return page.locator(".explore-figure").first.get_attribute("aria-label")


def test_keys_move_the_picture(browser, address, frames):
    with open_page(browser, f"{address}/index.html") as (page, record):
        page.wait_for_function(READY)
        assert shown(page) == as_written(page, frames[1])  # one period, sine, up
        slider(page).focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        assert shown(page) == as_written(page, frames[2 * 4 + 1])
        assert label(page) == "A wave: periods 3, shape sine, up on"
        assert slider(page).get_attribute("aria-valuetext") == "3"
        page.keyboard.press("End")
        assert shown(page) == as_written(page, frames[7 * 4 + 1])
        page.get_by_role("combobox", name="shape").select_option("cosine")
        page.get_by_role("checkbox", name="up").uncheck()
        assert shown(page) == as_written(page, frames[7 * 4 + 2])
        spoken = page.locator(".explore-spoken").first
        page.wait_for_function("document.querySelector('.explore-spoken').textContent !== ''")
        assert spoken.text_content() == "periods 8, shape cosine, up off"
        assert spoken.get_attribute("aria-live") == "polite"
        assert record.complaints() == []


def test_a_mouse_drags_the_picture(browser, address, frames):
    with open_page(browser, f"{address}/index.html") as (page, record):
        page.wait_for_function(READY)
        box = slider(page).bounding_box()
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + 12, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2, middle, steps=5)
        page.mouse.move(box["x"] + box["width"] - 2, middle, steps=5)
        page.mouse.up()
        assert shown(page) == as_written(page, frames[7 * 4 + 1])
        assert record.complaints() == []


def test_a_finger_moves_the_picture(browser, address, frames):
    with open_page(browser, f"{address}/index.html", has_touch=True, viewport=PHONE) as (
        page,
        record,
    ):
        page.wait_for_function(READY)
        box = slider(page).bounding_box()
        assert box["height"] >= 24
        page.touchscreen.tap(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
        page.wait_for_function("document.querySelector('.explore input').value === '7'")
        assert shown(page) == as_written(page, frames[7 * 4 + 1])
        assert record.complaints() == []


def test_frames_are_loaded_only_when_a_widget_is_near(browser, address):
    with open_page(browser, f"{address}/index.html") as (page, record):
        page.wait_for_function(READY)
        loaded = [url for url in record.requests if "_frames" in url]
        assert len(loaded) == 1
        assert "_frames/index/1.js?v=" in loaded[0]
        page.locator(WIDGET).nth(1).scroll_into_view_if_needed()
        page.wait_for_function(f"document.querySelectorAll('{WIDGET}[data-ready]').length === 2")
        assert sum("_frames" in url for url in record.requests) == 2
        assert record.complaints() == []


def test_moved_before_its_frames_have_come_it_waits_for_the_right_one(browser, address, frames):
    with open_page(browser, "about:blank") as (page, _):
        held = []
        page.route("**/_frames/**", lambda route: held.append(route))
        page.goto(f"{address}/index.html", wait_until="domcontentloaded")
        slider(page).focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(100)
        assert "explore-waiting" in page.locator(WIDGET).first.get_attribute("class")
        held[0].continue_()
        page.wait_for_function(READY)
        assert shown(page) == as_written(page, frames[1 * 4 + 1])
        assert "explore-waiting" not in page.locator(WIDGET).first.get_attribute("class")


def test_frames_that_do_not_come_are_told_of(browser, address, frames):
    with open_page(browser, "about:blank") as (page, _):
        page.route("**/_frames/**", lambda route: route.abort())
        page.goto(f"{address}/index.html")
        alert = page.locator(WIDGET).first.get_by_role("alert")
        alert.wait_for()
        assert "could not be loaded" in alert.text_content()
        assert slider(page).is_disabled()
        assert slider(page).input_value() == "0"
        assert shown(page) == as_written(page, frames[1])


def test_without_javascript_the_first_frame_shows_and_no_dead_control(browser, book):
    url = f"{book.as_uri()}/moving.html"
    with open_page(browser, url, java_script_enabled=False) as (page, _):
        assert page.locator(".explore :is(input, select, button)").count() == 0
        first = page.locator(WIDGET).first
        assert first.locator(".explore-controls").bounding_box() is None
        assert first.locator("svg").bounding_box()["height"] > 150
        label = first.locator(".explore-figure").get_attribute("aria-label")
        assert label == "Points and a curve: iteration 0, data two groups"
        readouts = first.locator(".explore-readouts dd")
        _, (error, rate) = frames_of(book, "moving", 1)[0][0]
        assert readouts.nth(0).inner_text() == error
        assert readouts.nth(1).text_content() == "α=0.00"
        assert "0.00" in rate
        # the padding that the button for the stage would need is not there
        assert first.evaluate("e => getComputedStyle(e).paddingBottom") == "0px"


def test_on_paper_there_is_the_picture_with_its_readouts_and_no_control(browser, book):
    with open_page(browser, f"{book.as_uri()}/moving.html") as (page, _):
        page.wait_for_function(READY)
        page.emulate_media(media="print")
        first = page.locator(WIDGET).first
        assert first.locator("svg").first.bounding_box()["height"] > 150
        assert first.locator(".explore-readouts").is_visible()
        assert first.locator("input, select, button").count() > 0
        for part in page.locator(".explore :is(input, select, button, label, output)").all():
            assert not part.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESK, PHONE])
def test_the_page_is_accessible_and_fits(browser, book, scheme, viewport):
    url = f"{book.as_uri()}/index.html"
    with open_page(browser, url, color_scheme=scheme, viewport=viewport) as (page, record):
        page.wait_for_function(READY)
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        page.locator("mjx-container").first.wait_for()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        assert record.complaints() == []


def test_the_picture_takes_the_ink_of_the_theme(browser, book):
    inks = {}
    for scheme in ("light", "dark"):
        with open_page(browser, f"{book.as_uri()}/index.html", color_scheme=scheme) as (page, _):
            page.wait_for_function(READY)
            inks[scheme] = page.evaluate(
                "getComputedStyle(document.querySelector('.explore-figure svg')).fill"
            )
    assert inks["light"] != inks["dark"]


@pytest.mark.parametrize("name", ["deeper/second.html", "genindex.html", "search.html?q=wave"])
def test_every_page_is_silent(browser, address, name):
    with open_page(browser, f"{address}/{name}") as (page, record):
        page.wait_for_timeout(500)
        assert record.complaints() == []


@pytest.mark.parametrize("viewport", [DESK, PHONE])
def test_nothing_moves_when_the_script_comes(browser, book, viewport):
    heights = []
    for blocked in ("**/explore.js*", "**/no-such-file"):
        with open_page(browser, "about:blank", viewport=viewport) as (page, _):
            page.route(blocked, lambda route: route.abort())
            page.goto(f"{book.as_uri()}/moving.html")
            boxes = page.locator(f".explore, {WIDGET} > :is(.explore-controls, .explore-figure)")
            heights += [boxes.evaluate_all("es => es.map(e => e.getBoundingClientRect().height)")]
    assert len(heights[0]) == 3 * 5
    assert heights[0] == pytest.approx(heights[1], abs=1)
