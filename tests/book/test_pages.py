"""Each page in Chromium: silent, from no other host, no wider than a phone, accessible."""

import pytest

from tests.book.chapters import PAGES, TEACHING
from tests.browser import chromium, needs_chromium, open_page, serve, violations

pytestmark = [pytest.mark.book, pytest.mark.browser, needs_chromium]

PHONE = {"width": 390, "height": 844}
SCROLL = """async () => {
  for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight) {
    scrollTo(0, y);
    await new Promise((done) => setTimeout(done, 40));
  }
}"""
TYPESET = "() => !window.MathJax?.startup || MathJax.startup.promise"


@pytest.fixture(scope="module")
def browser():
    """One Chromium for all pages."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def server(html):
    """The book on a server of this machine."""
    with serve(html) as url:
        yield url


def read(page):
    """Scroll from top to bottom, as a reader does, until all is loaded."""
    page.evaluate(TYPESET)
    page.evaluate(SCROLL)
    page.wait_for_load_state("networkidle")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_silent_on_a_server(browser, server, name):
    with open_page(browser, f"{server}/{name}.html") as (page, record):
        read(page)
        assert record.complaints() == []


@pytest.mark.parametrize("name", ["index", *PAGES])
def test_a_page_is_silent_from_the_disk_without_a_network(browser, html, name):
    with open_page(browser, (html / f"{name}.html").as_uri(), offline=True) as (page, record):
        read(page)
        assert record.complaints() == []
        assert page.locator("article h1").count() == 1


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_no_wider_than_a_phone(browser, server, name):
    with open_page(browser, f"{server}/{name}.html", viewport=PHONE) as (page, _):
        read(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible(browser, server, name, scheme):
    with open_page(browser, f"{server}/{name}.html", color_scheme=scheme) as (page, _):
        read(page)
        found = [v for v in violations(page) if "(serious)" in v or "(critical)" in v]
        assert found == []


@pytest.mark.parametrize("name", TEACHING)
def test_formulas_are_typeset_without_an_error(browser, server, name):
    with open_page(browser, f"{server}/{name}.html") as (page, _):
        page.evaluate(TYPESET)
        assert page.locator("mjx-container").count() > 10
        assert page.locator("mjx-merror, [data-mjx-error]").count() == 0


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
