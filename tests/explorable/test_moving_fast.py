"""Whoever moves fast never sees a picture of other values than the controls show."""

import pytest

from tests.browser import needs_chromium, open_page
from tests.explorable.widgets import MOVED, OWN_IDS, frames_of, load

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium]

# In each animation frame, compares what a widget shows with what its controls stand for.
# Reports "picture", "readouts", "label": what is of other values though nothing says so.
WATCH = """([n, panels, ownIds]) => {
  const box = document.querySelector(`#widget-${n}`);
  const spec = JSON.parse(box.querySelector(".explore-spec").textContent);
  const written = (html) => Object.assign(document.createElement("div"), { innerHTML: html })
    .innerHTML;
  const truth = panels.map((frames) => frames.map(
    ([svg, readouts]) => ({ svg: written(svg), readouts: readouts.map(written) })));
  const inputs = [...box.querySelectorAll(".explore-row > :is(input, select)")];
  const own = new RegExp(ownIds, "g");
  const watch = window.watch = { looks: 0, waits: 0, places: new Set(), faults: [] };

  function look() {
    const at = inputs.map((e) => e.type === "checkbox" ? +e.checked : e.selectedIndex ?? +e.value);
    const now = truth.map((frames, p) => frames[
      spec.panels[p].reduce((k, i) => k * spec.controls[i].texts.length + at[i], 0)]);
    const readouts = [...box.querySelectorAll("dd")].map((dd) => dd.innerHTML);
    const label = box.querySelector(".explore-figure").getAttribute("aria-label");
    const right = {
      picture: [...box.querySelectorAll(".explore-panel")].every(
        (panel, p) => panel.innerHTML.replace(own, "$1") === now[p].svg),
      readouts: readouts.join("|") === now.flatMap((frame) => frame.readouts).join("|"),
      label: spec.controls.every((c, i) => label.includes(c.texts[at[i]])),
    };
    watch.looks += 1;
    watch.places.add(at.join());
    if (box.classList.contains("explore-waiting")) watch.waits += 1;
    else watch.faults.push(...Object.keys(right).filter((part) => !right[part]));
    requestAnimationFrame(look);
  }
  requestAnimationFrame(look);
}"""

# many values in one task, as a script or a tool of the reader's may set them; the same in each run
ALL_AT_ONCE = """([n, count]) => {
  const random = () => (window.seed = ((window.seed ?? 1) * 16807) % 2147483647) / 2147483647;
  for (let i = 0; i < count; i++)
    for (const e of document.querySelectorAll(`#widget-${n} input[type=range]`)) {
      e.value = Math.floor(random() * (Number(e.max) + 1));
      e.dispatchEvent(new Event("input", { bubbles: true }));
    }
}"""
ONE_A_FRAME = f"""async ([n, count]) => {{
  for (let i = 0; i < count; i++) {{
    await new Promise(requestAnimationFrame);
    ({ALL_AT_ONCE})([n, 1 + i % 3]);
  }}
}}"""


def watch(page, book, n):
    """Begin to watch the n-th widget."""
    page.evaluate(WATCH, [n, frames_of(book, "moving", n), OWN_IDS])


def seen(page) -> dict:
    """Return what was seen up to the next animation frame."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.evaluate("({ ...watch, places: watch.places.size })")


@pytest.fixture(params=[1, 2], ids=["readouts and a stepper", "two panels"])
def n(request):
    """Which widget is moved."""
    return request.param


@pytest.fixture
def page(browser, book, n):
    """The page, watched."""
    with open_page(browser, f"{book.as_uri()}/moving.html") as (page, record):
        load(page)
        watch(page, book, n)
        yield page
    assert record.complaints() == []


def test_the_watch_sees_a_picture_of_other_values(page, n):
    page.evaluate(f"document.querySelector('#widget-{n} input').value = 5")
    assert set(seen(page)["faults"]) >= {"picture", "label"}


def test_a_key_held_down(page, n):
    slider = page.locator(f"#widget-{n}").locator(MOVED).first
    slider.focus()
    for key in ("ArrowRight", "ArrowLeft"):
        for _ in range(30):
            page.keyboard.down(key)  # without up, each is a repetition of the same key
        page.keyboard.up(key)
    found = seen(page)
    assert found["faults"] == []
    assert found["places"] >= 5


def test_a_drag_to_and_fro(page, n):
    slider = page.locator(f"#widget-{n}").locator(MOVED).first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 12, y)
    page.mouse.down()
    for x in (box["width"] - 3, 5, box["width"] / 2):
        page.mouse.move(box["x"] + x, y, steps=25)
    page.mouse.up()
    found = seen(page)
    assert found["faults"] == []
    assert found["places"] >= 5


def test_a_hundred_values_at_once_and_in_as_many_frames(page, n):
    page.evaluate(ALL_AT_ONCE, [n, 100])
    page.evaluate(ONE_A_FRAME, [n, 100])
    found = seen(page)
    assert found["faults"] == []
    assert found["looks"] >= 100
    assert found["places"] >= 10


def test_before_the_frames_have_come_it_waits_and_then_shows_the_right_one(browser, book, n):
    with open_page(browser, "about:blank") as (page, _):
        held = []
        page.route("**/_frames/**", lambda route: held.append(route))
        page.goto(f"{book.as_uri()}/moving.html", wait_until="domcontentloaded")
        watch(page, book, n)
        page.evaluate(ONE_A_FRAME, [n, 10])
        waited = seen(page)
        assert waited["waits"] > 0
        assert waited["faults"] == []
        while held:
            held.pop().continue_()
        page.wait_for_selector(f"#widget-{n}[data-ready]:not(.explore-waiting)")
        page.evaluate(ONE_A_FRAME, [n, 10])
        found = seen(page)
        assert found["faults"] == []
        assert found["places"] >= 5
