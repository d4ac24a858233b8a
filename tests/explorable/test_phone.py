"""A widget on a phone: read at arm's length, moved with a thumb."""

import pytest

from tests.browser import needs_chromium, open_page
from tests.explorable.widgets import MOVED, PHONE, WIDGET, at, load, text_sizes

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium]

# the parts of each widget that must lie apart, and inside of it
PARTS = """(box) => {
  const leaves = ".explore-row > *, .explore-steps > *, dt, dd, .explore-panel, .explore-present";
  const outer = box.getBoundingClientRect();
  const parts = [...box.querySelectorAll(leaves)].map((e) => {
    const { left, right, top, bottom, width } = e.getBoundingClientRect();
    const cut = e.matches("label, output, dt, dd, button") && e.scrollWidth > width + 1;
    return { name: e.outerHTML.slice(0, 60), left, right, top, bottom, cut };
  });
  const overlap = (a, b) => a.left < b.right - 0.5 && b.left < a.right - 0.5
    && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5;
  const faults = parts.filter((a) => a.cut || a.left < outer.left - 0.5
    || a.right > outer.right + 0.5 || a.bottom > outer.bottom + 0.5
    || parts.some((b) => a !== b && overlap(a, b)));
  return [parts.length, faults];
}"""


@pytest.fixture(scope="module")
def page(browser, book):
    """The page with every control on a phone."""
    url = f"{book.as_uri()}/moving.html"
    with open_page(browser, url, viewport=PHONE, has_touch=True, is_mobile=True) as (page, record):
        load(page)
        yield page
    assert record.complaints() == []


@pytest.mark.parametrize("n", [1, 3])
def test_text_in_figures_is_at_least_9_pixels_high(page, n):
    sizes = text_sizes(page.locator(f"#widget-{n}"))
    assert len(sizes) >= 10
    assert min(sizes) >= 9


def test_nothing_is_cut_off_or_overlaps(page):
    for box in page.locator(WIDGET).all():
        count, faults = box.evaluate(PARTS)
        assert count >= 6
        assert faults == []


def test_a_slider_has_a_line_of_its_own(page):
    for slider in page.locator(f"{WIDGET} input[type=range]").all():
        assert slider.bounding_box()["width"] >= 340


def test_the_page_is_no_wider_than_the_screen(page):
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def swipe(page, start, end, steps=12):
    """Move a finger over the screen."""
    session = page.context.new_cdp_session(page)

    def touch(kind, *points):
        session.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]},
        )
        page.evaluate("new Promise(requestAnimationFrame)")

    touch("touchStart", start)
    for i in range(1, steps + 1):
        touch(
            "touchMove", *[tuple(a + (b - a) * i / steps for a, b in zip(start, end, strict=True))]
        )
    touch("touchEnd")


@pytest.fixture
def thumb(page):
    """The second widget's first slider in the middle of the screen, and where its thumb is."""
    slider = page.locator(f"#widget-2 {MOVED}").first
    slider.fill("0")
    slider.evaluate("e => e.scrollIntoView({ block: 'center', behavior: 'instant' })")
    box = slider.bounding_box()
    return box["x"] + 12, box["y"] + box["height"] / 2


def test_a_thumb_drags_a_slider_and_the_picture_follows(page, thumb):
    x, y = thumb
    box = page.locator("#widget-2")
    before = box.locator(".explore-panel").first.inner_html()
    swipe(page, (x, y), (x + 170, y + 6))
    assert 12 <= at(box)[0] <= 28  # about the middle of forty
    assert box.locator(".explore-panel").first.inner_html() != before
    assert box.locator("output").first.text_content() == str(at(box)[0] + 1)


def test_a_swipe_upwards_that_begins_on_a_slider_scrolls_the_page(page, thumb):
    x, y = thumb
    top = page.evaluate("scrollY")
    swipe(page, (x + 150, y), (x + 153, y - 250))
    assert page.evaluate("scrollY") > top + 100
    assert at(page.locator("#widget-2")) == [0, 0]
