"""The live front end in Chromium, beside a kernel played by the test."""

import json

import matplotlib.pyplot as plt
import pytest

from explorable import choice, explore, linked, slider, stepper
from tests.browser import needs_chromium, open_page

pytestmark = [pytest.mark.browser, needs_chromium]

# the n-th model of the page as a kernel has it; `sent` is what the front end asked
MODEL = """
(state) => {
  const listeners = {};
  const fire = (name) => (listeners[`change:${name}`] || []).forEach((f) => f());
  const model = {
    sent: [],
    get: (name) => state[name],
    set: (name, value) => { state[name] = value; fire(name); },
    save_changes: () => model.sent.push([...state.at]),
    on: (event, f) => (listeners[event] ||= []).push(f),
    off: (event, f) => { listeners[event] = listeners[event].filter((g) => g !== f); },
    listening: () => Object.values(listeners).flat().length,
  };
  (window.models ||= []).push(model);
}
"""
RENDER = """
async (esm) => {
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  const el = document.createElement("div");
  document.body.append(el);
  window.clean = widget.render({ model: models.at(-1), el });
}
"""


def draw(k, kind):
    """Nothing of interest."""
    return plt.figure(figsize=(2, 1))


def render(page, widget):
    """Show a live widget on the page."""
    state = {name: getattr(widget, name) for name in ("spec", "at", "frame")}
    page.evaluate(MODEL, json.loads(json.dumps(state)))
    page.evaluate(RENDER, widget._esm)


@pytest.fixture
def page(browser):
    """A page with one live widget at k = 0 and kind = a."""
    with open_page(browser, "about:blank") as (page, record):
        render(page, explore(draw, k=slider(0, 9), kind=choice("a", "b"), alt="Nothing"))
        yield page
    assert record.complaints() == []


def reply(page, at, model=0, **frame):
    """Answer as the kernel does."""
    page.evaluate("([i, frame]) => models[i].set('frame', frame)", [model, {"at": at, **frame}])
    page.wait_for_timeout(50)


def press(page, key, times):
    """Press a key on the slider, one frame of the screen between."""
    page.locator("input[type=range]").first.focus()
    for _ in range(times):
        page.keyboard.press(key)
        page.wait_for_timeout(30)


def sent(page, model=0):
    """Return the positions that the kernel was sent."""
    return page.evaluate("(i) => models[i].sent", model)


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


def test_there_and_back_within_a_frame_leaves_nothing_to_wait_for(page):
    page.evaluate("""() => {
      const slider = document.querySelector("input[type=range]");
      for (const k of [1, 0]) {
        slider.value = k;
        slider.dispatchEvent(new Event("input"));
      }
    }""")
    page.wait_for_timeout(100)
    assert sent(page) == []
    assert "explore-waiting" not in page.locator(".explore").get_attribute("class")


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
    page.evaluate("models[0].set('at', [7, 1])")
    assert page.locator("output").text_content() == "7"
    assert page.locator("select").evaluate("(e) => e.selectedIndex") == 1
    assert sent(page) == []


def test_jupyterlab_leaves_the_keys_to_the_controls(page):
    controls = page.locator(".explore :is(input, select, button)")
    assert controls.count() == 4  # with the one that presents the figure
    for i in range(4):
        assert controls.nth(i).get_attribute("data-lm-suppress-shortcuts") == "true"


def test_a_removed_view_stops_listening(page):
    assert page.evaluate("models[0].listening()") == 2
    page.evaluate("window.clean()")
    assert page.evaluate("models[0].listening()") == 0


# ---- what the page of a book has as well ----


def draw_number(n):
    """Only a readout."""
    return plt.figure(figsize=(2, 1)), {r"$\ln n$": n / 2}


def draw_one(k):
    """Nothing of interest."""
    return plt.figure(figsize=(2, 1))


def test_a_readout_changes_with_the_picture_and_its_name_is_typeset(browser):
    with open_page(browser, "about:blank") as (page, record):
        render(page, explore(draw_number, n=stepper(3), alt="Nothing", title="A number"))
        assert page.locator("dt math").count() == 1
        assert page.locator("dd").text_content() == "0"
        assert page.get_by_role("group", name="A number").count() == 1
        page.get_by_role("button", name="Next n").click()
        page.wait_for_function("models[0].sent.length === 1")
        assert page.locator("dd").text_content() == "0"  # the old picture is still there
        reply(page, [1], svgs=["<svg></svg>"], readouts=["0.500"])
        assert page.locator("dd").text_content() == "0.500"
        assert record.complaints() == []


def test_only_the_panel_that_is_new_is_painted(page_of_two_panels):
    page = page_of_two_panels
    press(page, "ArrowRight", 1)
    reply(page, [1, 0], svgs=["<svg id='a'></svg>", "<svg id='b'></svg>"], readouts=[])
    page.evaluate("window.node = document.querySelectorAll('.explore-panel')[1].firstChild")
    press(page, "ArrowRight", 1)
    reply(page, [2, 0], svgs=["<svg id='c'></svg>", "<svg id='b'></svg>"], readouts=[])
    assert page.evaluate("node.isConnected")
    assert page.locator(".explore-panel").first.locator("svg[id$=c]").count() == 1


@pytest.fixture
def page_of_two_panels(browser):
    """A page with one live widget of two panels, at n = 0 and k = 0."""
    with open_page(browser, "about:blank") as (page, record):
        render(
            page,
            explore(lambda n: draw_one(n), draw_one, n=slider(0, 9), k=slider(0, 9), alt="Nothing"),
        )
        yield page
    assert record.complaints() == []


@pytest.mark.parametrize(("mover", "other"), [(0, 1), (1, 0)])
def test_linked_controls_of_two_widgets_move_each_other(browser, mover, other):
    with open_page(browser, "about:blank") as (page, record):
        for _ in range(2):
            render(page, explore(draw_one, k=linked(slider(0, 9)), alt="Nothing"))
        sliders = page.locator("input[type=range]")
        sliders.nth(mover).fill("4")
        page.wait_for_timeout(50)
        assert sliders.nth(other).input_value() == "4"
        assert [sent(page, model) for model in (0, 1)] == [[[4]], [[4]]]  # once, so no loop
        waiting = page.locator(".explore-waiting")
        assert waiting.count() == 2
        reply(page, [4], model=other, svgs=["<svg></svg>"], readouts=[])
        assert waiting.count() == 1
        reply(page, [4], model=mover, svgs=["<svg></svg>"], readouts=[])
        assert waiting.count() == 0
        assert [sent(page, model) for model in (0, 1)] == [[[4]], [[4]]]
        assert record.complaints() == []


def test_controls_of_other_names_or_values_or_without_link_do_not_move(browser):
    with open_page(browser, "about:blank") as (page, record):
        render(page, explore(draw_one, k=linked(slider(0, 9)), alt="Nothing"))
        render(page, explore(draw_one, k=linked(slider(0, 8)), alt="Nothing"))
        render(page, explore(draw_one, k=slider(0, 9), alt="Nothing"))
        render(page, explore(draw_number, n=linked(slider(0, 9)), alt="Nothing"))
        page.locator("input[type=range]").first.fill("4")
        page.wait_for_timeout(50)
        assert [sent(page, model) for model in range(4)] == [[[4]], [], [], []]
        assert record.complaints() == []


def test_a_play_waits_for_a_slow_kernel_and_ends_when_its_like_is_moved(browser):
    with open_page(browser, "about:blank") as (page, record):
        page.clock.install(time=0)
        page.clock.pause_at(1000)
        for _ in range(2):
            render(page, explore(draw_one, k=linked(stepper(9)), alt="Nothing"))
        page.get_by_role("button", name="Play k").first.click()
        page.clock.run_for(5000)
        assert sent(page) == [[1]]  # there was no answer
        for k in (1, 2):
            page.evaluate(
                "(k) => models[0].set('frame', { at: [k], svgs: ['<svg/>'], readouts: [] })", k
            )
            page.clock.run_for(1100)  # a step and the frame of the screen after it
        assert sent(page) == [[1], [2], [3]]
        page.get_by_role("button", name="Start over k").nth(1).click()
        page.clock.run_for(5000)
        assert page.locator("input[type=range]").first.input_value() == "0"
        assert page.get_by_role("button", name="Pause k").count() == 0
        assert record.complaints() == []
