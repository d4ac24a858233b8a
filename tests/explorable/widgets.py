"""What the tests of widgets in a page share: find one, read what it shows, and the truth."""

import re
from pathlib import Path

from explorable.frames import unpack

WIDGET = ".explore:has(> .explore-spec)"
MOVED = ".explore-row > :is(input, select)"  # what holds the position of each control
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}

# ids have a prefix that keeps those of widgets apart
OWN_IDS = r'( id="| href="#|url\((?:&quot;)?#)(explore-\w+-|x[0-9a-f]{6}-)'


def load(page) -> None:
    """Bring each widget into view, as a reader does who scrolls, until all have their frames."""
    boxes = page.locator(WIDGET)
    for i in range(boxes.count()):
        boxes.nth(i).scroll_into_view_if_needed()
        page.wait_for_selector(f"{WIDGET}[data-ready] >> nth={i}", state="attached")
    page.evaluate("scrollTo(0, 0)")


def picture(box) -> str:
    """Return the HTML of the picture without the prefix of its ids."""
    return re.sub(OWN_IDS, r"\1", box.locator(".explore-figure").inner_html())


def as_written(page, html: str) -> str:
    """Return the HTML as the browser itself writes it."""
    return page.evaluate(
        "html => Object.assign(document.createElement('div'), { innerHTML: html }).innerHTML", html
    )


def frames_of(book: Path, page: str, n: int) -> list[list[tuple[str, list[str]]]]:
    """Return SVG and readouts of each frame of each panel of the n-th widget of a page."""
    return unpack((book / f"_frames/{page}/{n}.js").read_text().split('"')[3])


def at(box) -> list[int]:
    """Return where the controls stand."""
    read = "es => es.map(e => e.type === 'checkbox' ? +e.checked : e.selectedIndex ?? +e.value)"
    return box.locator(MOVED).evaluate_all(read)


def move(box, i: int, k: int) -> None:
    """Move the i-th control, a slider or a stepper, to its k-th value."""
    box.locator(MOVED).nth(i).fill(str(k))


def text_sizes(box) -> list[float]:
    """Return the size in CSS pixels of each text in the picture; the figure drew it as paths.

    A text is a group that is scaled by a hundredth of its size in points. What is scaled once
    more within, a subscript, does not count.
    """
    return box.locator(".explore-panel > svg").evaluate_all(
        """svgs => svgs.flatMap(svg => {
          const pixels = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
          return [...svg.querySelectorAll("g[transform*=scale]")].map(
            (g) => 100 * pixels * Number(/scale\\(([\\d.]+)/.exec(g.getAttribute("transform"))[1]));
        })"""
    )
