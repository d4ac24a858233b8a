"""The page that lists every widget of the book, against the code of the pages."""

import html as markup
import re

import pytest

from explorable.text import plain
from tests.book.chapters import PAGES, code, widgets
from tests.browser import needs_chromium, open_page

pytestmark = pytest.mark.book

DEMOS = "book/demos"


@pytest.fixture(scope="module")
def expected():
    """Page, number and title of every widget, in the order of the table of contents."""
    return [
        (page, number, widget.title)
        for page in PAGES
        if any("explore(" in cell for cell in code(page))
        for number, widget in enumerate(widgets(page), 1)
    ]


@pytest.fixture(scope="module")
def listed(html):
    """Page, number and title of every widget on the list."""
    found = re.findall(
        r'<a href="([^"]*)\.html#present-widget-(\d+)">(.*?)</a>',
        (html / f"{DEMOS}.html").read_text(),
    )
    return [(f"book/{page}", int(number), markup.unescape(title)) for page, number, title in found]


def test_every_widget_is_listed_once_and_in_order(listed, expected):
    assert len(expected) >= 20
    assert [entry[:2] for entry in listed] == [entry[:2] for entry in expected]


def test_every_widget_is_listed_with_its_title(listed, expected):
    for (page, number, shown), (_, _, title) in zip(listed, expected, strict=True):
        assert shown, f"{page}, widget {number}"
        if title:
            assert shown == plain(title), f"{page}, widget {number}"


def test_every_widget_has_an_address_to_be_opened_at(html, listed):
    for page, number, _ in listed:
        assert f'id="widget-{number}"' in (html / f"{page}.html").read_text()


@pytest.mark.browser
@needs_chromium
@pytest.mark.parametrize("scripts", [True, False])
def test_one_still_of_each_widget_is_shown(browser, html, listed, scripts):
    address = (html / f"{DEMOS}.html").as_uri()
    with open_page(browser, address, java_script_enabled=scripts, offline=True) as (page, _):
        assert page.locator(".demos img:visible").count() == len(listed)


@pytest.mark.browser
@needs_chromium
def test_a_still_opens_its_widget_on_the_stage(browser, html, listed):
    with open_page(browser, (html / f"{DEMOS}.html").as_uri(), offline=True) as (page, record):
        card = page.locator(".demos li").nth(1)
        still = card.locator("img:visible").bounding_box()
        card.click(position={"x": still["width"] / 2, "y": still["height"] / 2})
        page.locator(f"dialog[open] #widget-{listed[1][1]}").wait_for()
        assert page.url.startswith((html / f"{listed[1][0]}.html").as_uri())
        assert record.console == []  # stills that were still on their way have been given up
