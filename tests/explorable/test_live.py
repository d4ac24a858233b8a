"""The live front end in Chromium, beside a kernel played by the test."""

import json

import matplotlib.pyplot as plt
import pytest

from explorable import choice, explore, slider
from tests.browser import needs_chromium, open_page

pytestmark = [pytest.mark.browser, needs_chromium]

MODEL = """
(state) => {
  const listeners = {};
  window.sent = [];
  window.model = {
    get: (name) => state[name],
    set: (name, value) => { state[name] = value; model.fire(name); },
    save_changes: () => window.sent.push([...state.at]),
    on: (event, f) => (listeners[event] ||= []).push(f),
    off: (event, f) => { listeners[event] = listeners[event].filter((g) => g !== f); },
    fire: (name) => (listeners[`change:${name}`] || []).forEach((f) => f()),
    listening: () => Object.values(listeners).flat().length,
  };
}
"""
RENDER = """
async (esm) => {
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  const el = document.createElement("div");
  document.body.append(el);
  window.clean = widget.render({ model: window.model, el });
}
"""


def draw(k, kind):
    """Nothing of interest."""
    return plt.figure(figsize=(2, 1))


@pytest.fixture
def page(browser):
    """A page with one live widget at k = 0 and kind = a."""
    widget = explore(draw, k=slider(0, 9), kind=choice("a", "b"), alt="Nothing")
    state = {name: getattr(widget, name) for name in ("spec", "at", "frame")}
    with open_page(browser, "about:blank") as (page, record):
        page.evaluate(MODEL, json.loads(json.dumps(state)))
        page.evaluate(RENDER, widget._esm)
        yield page
    assert record.complaints() == []


def reply(page, at, **frame):
    """Answer as the kernel does."""
    page.evaluate("(frame) => model.set('frame', frame)", {"at": at, **frame})
    page.wait_for_timeout(50)


def press(page, key, times):
    """Press a key on the slider, one frame of the screen between."""
    page.locator("input[type=range]").first.focus()
    for _ in range(times):
        page.keyboard.press(key)
        page.wait_for_timeout(30)


def sent(page):
    """Return the positions that the kernel was sent."""
    return page.evaluate("window.sent")


def test_a_slow_kernel_is_asked_one_question_at_a_time_and_then_the_newest(page):
    press(page, "ArrowRight", 4)
    assert sent(page) == [[1, 0]]
    assert "explore-waiting" in page.locator(".explore").get_attribute("class")
    reply(page, [1, 0], svgs=["<svg id='one'></svg>"], readouts=[])
    assert sent(page) == [[1, 0], [4, 0]]
    assert "explore-waiting" in page.locator(".explore").get_attribute("class")
    reply(page, [4, 0], svgs=["<svg></svg>"], readouts=[])
    assert sent(page) == [[1, 0], [4, 0]]
    assert "explore-waiting" not in page.locator(".explore").get_attribute("class")
    assert page.locator(".explore-figure").get_attribute("aria-label") == "Nothing: k 4, kind a"


def test_an_error_stands_in_place_of_the_figure_until_the_next_good_one(page):
    press(page, "ArrowRight", 1)
    reply(page, [1, 0], error="ZeroDivisionError: <b>")
    assert page.locator(".explore-error").text_content() == "ZeroDivisionError: <b>"
    assert page.locator(".explore-figure svg").count() == 0
    press(page, "ArrowRight", 1)
    reply(page, [2, 0], svgs=["<svg></svg>"], readouts=[])
    assert page.locator(".explore-error").count() == 0
    assert page.locator(".explore-figure svg").count() == 1


def test_controls_follow_values_set_in_python(page):
    page.evaluate("model.set('at', [7, 1])")
    assert page.locator("output").text_content() == "7"
    assert page.locator("select").evaluate("(e) => e.selectedIndex") == 1
    assert sent(page) == []


def test_jupyterlab_leaves_the_keys_to_the_controls(page):
    controls = page.locator(".explore :is(input, select, button)")
    assert controls.count() == 4  # with the one that presents the figure
    for i in range(4):
        assert controls.nth(i).get_attribute("data-lm-suppress-shortcuts") == "true"


def test_a_removed_view_stops_listening(page):
    assert page.evaluate("model.listening()") == 2
    page.evaluate("window.clean()")
    assert page.evaluate("model.listening()") == 0
