"""Each page in Chromium: silent, from no other host, no wider than a phone, accessible."""

import pytest

from tests.book.chapters import PAGES, TEACHING
from tests.browser import needs_chromium, open_page, violations

pytestmark = [pytest.mark.book, pytest.mark.browser, needs_chromium]

PHONE = {"width": 390, "height": 844}
SCROLL = """async () => {
  for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight) {
    scrollTo(0, y);
    // a frame at each place, in which the widgets near it notice that they are
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  }
}"""
ARRIVED = """() => document.fonts.status === "loaded"
  && [...document.images].every((image) => image.complete || !image.checkVisibility())
  && [...document.querySelectorAll(".explore:has(> .explore-spec)")].every(
    (widget) => "ready" in widget.dataset)"""
TYPESET = "() => !window.MathJax?.startup || MathJax.startup.promise"


@pytest.fixture(scope="module", params=PAGES)
def visit(request, browser, server):
    """One page, read from top to bottom: typesetting takes seconds, so the tests share it."""
    with open_page(browser, f"{server}/{request.param}.html") as (page, record):
        read(page)
        yield request.param, page, record


def read(page):
    """Scroll from top to bottom, as a reader does, until all is loaded."""
    page.wait_for_load_state()
    page.evaluate(TYPESET)
    page.evaluate(SCROLL)
    page.wait_for_function(ARRIVED)


def test_a_page_is_silent_on_a_server(visit):
    _, _, record = visit
    assert record.complaints() == []


def test_formulas_are_typeset_without_an_error(visit):
    name, page, _ = visit
    if name in TEACHING:
        assert page.locator("mjx-container").count() > 10
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_accessible(visit, scheme):
    _, page, _ = visit
    page.emulate_media(color_scheme=scheme)
    page.wait_for_selector(f"html[data-theme={scheme}]")
    found = [v for v in violations(page) if "(serious)" in v or "(critical)" in v]
    assert found == []


def test_a_page_is_no_wider_than_a_phone(visit):
    _, page, _ = visit
    before = page.viewport_size
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.set_viewport_size(before)


@pytest.mark.parametrize("name", ["index", *PAGES])
def test_a_page_is_silent_from_the_disk_without_a_network(browser, html, name):
    with open_page(browser, (html / f"{name}.html").as_uri(), offline=True) as (page, record):
        page.locator("article h1").wait_for()  # the root page leads on to the first one
        read(page)
        assert record.complaints() == []


@pytest.mark.parametrize("place", ["server", "disk"])
def test_search_finds_the_page_that_explains(browser, server, html, place):
    start = server if place == "server" else html.as_uri()
    with open_page(browser, f"{start}/search.html?q=Jensen") as (page, record):
        page.locator("#search-results a", has_text="Jensen").or_(
            page.locator("#search-results a[href*='expectation-maximisation']")
        ).first.wait_for()
        assert record.complaints() == []


def test_an_answer_opens_its_feedback(browser, server):
    with open_page(browser, f"{server}/{TEACHING[0]}.html") as (page, _):
        answer = page.locator("details.check").first
        assert not answer.locator("p").last.is_visible()
        answer.locator("summary").press("Enter")
        assert answer.locator("p").last.is_visible()
