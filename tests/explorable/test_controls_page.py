"""Steppers, readouts, panels of their own and linked controls, in a page."""

import base64
import gzip
import json

import pytest

from tests.browser import needs_chromium, open_page
from tests.explorable.widgets import MOVED, as_written, at, frames_of, load, move, picture

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium]


@pytest.fixture(scope="module")
def page(browser, book):
    """The page with every control, its widgets loaded, its clock in the hands of the tests."""
    with open_page(browser, "about:blank") as (page, record):
        page.clock.install(time=0)
        page.goto(f"{book.as_uri()}/moving.html")
        load(page)
        page.clock.pause_at(1e6)  # milliseconds, later than it is now
        page.evaluate("window.sent = 0; window.count = () => { sent += 1; }; 0")
        yield page
    assert record.complaints() == []


@pytest.fixture
def fit(page):
    """The widget with a stepper of 12 steps, a choice and readouts, at its start."""
    box = page.locator("#widget-1")
    move(box, 0, 0)
    box.get_by_label("Speed of iteration").select_option("1×")
    box.get_by_role("combobox", name="data").select_option("two groups")
    page.clock.run_for(1000)  # until what was moved has been spoken
    return box


def button(box, name):
    """Return the button of the stepper."""
    return box.get_by_role("button", name=name)


def step(box) -> int:
    """Return the number of the step that a stepper shows."""
    return at(box)[0]


def text(box) -> str | None:
    """Return the text that a screen reader says for the first control."""
    return box.locator(MOVED).first.get_attribute("aria-valuetext")


# ---- the stepper ----


def test_a_stepper_goes_on_and_back_and_starts_over(fit):
    for _ in range(3):
        button(fit, "Next iteration").click()
    assert step(fit) == 3
    assert text(fit) == fit.locator("output").text_content() == "3 of 12"
    button(fit, "Previous iteration").click()
    assert step(fit) == 2
    button(fit, "Start over iteration").click()
    assert step(fit) == 0


def test_a_stepper_shows_the_picture_of_its_step(page, fit, book):
    frames = frames_of(book, "moving", 1)[0]
    for k in (1, 2):
        button(fit, "Next iteration").click()
        svg, _ = frames[2 * k]  # two groups come first
        assert picture(fit) == as_written(page, f'<div class="explore-panel">{svg}</div>')


def test_the_keys_of_a_slider_move_a_stepper(page, fit):
    fit.locator(MOVED).first.focus()
    for key, k in [("ArrowRight", 1), ("ArrowUp", 2), ("ArrowLeft", 1), ("End", 12), ("Home", 0)]:
        page.keyboard.press(key)
        assert step(fit) == k


def test_a_stepper_with_names_says_them(page):
    box = page.locator("#widget-3")
    move(box, 1, 1)
    slider = box.get_by_role("slider", name="phase")
    assert slider.get_attribute("aria-valuetext") == "E-step"
    assert box.locator("output").nth(1).text_content() == "E-step"
    label = box.locator(".explore-figure").get_attribute("aria-label")
    assert label.endswith("phase E-step")
    move(box, 1, 0)


@pytest.mark.parametrize(
    ("end", "stuck", "free"),
    [(0, ["Start over", "Previous"], ["Next"]), (12, ["Next"], ["Start over", "Previous"])],
)
def test_at_an_end_the_buttons_that_lead_nowhere_say_so_and_do_nothing(fit, end, stuck, free):
    move(fit, 0, end)
    for name in free:
        assert button(fit, f"{name} iteration").get_attribute("aria-disabled") == "false"
    for name in stuck:
        dead = button(fit, f"{name} iteration")
        assert dead.get_attribute("aria-disabled") == "true"
        dead.press("Enter")  # it keeps the focus, so that a reader can go on from there
        assert dead.evaluate("e => e === document.activeElement")
        assert step(fit) == end


def test_play_goes_on_until_it_is_paused(page, fit):
    button(fit, "Play iteration").click()
    page.clock.run_for(3100)
    assert step(fit) == 3
    button(fit, "Pause iteration").click()
    page.clock.run_for(5000)
    assert step(fit) == 3
    button(fit, "Play iteration").click()
    page.clock.run_for(1100)
    assert step(fit) == 4
    button(fit, "Pause iteration").click()


def test_twice_the_speed_is_twice_the_steps(page, fit):
    counts = {}
    for speed in ("0.5×", "1×", "2×", "4×"):
        fit.get_by_label("Speed of iteration").select_option(speed)
        button(fit, "Start over iteration").press("Enter")
        button(fit, "Play iteration").click()
        page.clock.run_for(2050)
        counts[speed] = step(fit)
        button(fit, "Pause iteration").click()
    assert counts == {"0.5×": 1, "1×": 2, "2×": 4, "4×": 8}


def test_the_speed_can_be_changed_while_it_plays(page, fit):
    button(fit, "Play iteration").click()
    page.clock.run_for(1050)
    assert step(fit) == 1
    fit.get_by_label("Speed of iteration").select_option("4×")
    page.clock.run_for(2000)  # the step under way is as slow as it began
    assert step(fit) == 1 + 1 + 4
    button(fit, "Pause iteration").click()


def test_play_stops_at_the_last_step_and_then_begins_anew(page, fit):
    move(fit, 0, 11)
    button(fit, "Play iteration").click()
    page.clock.run_for(5000)
    assert step(fit) == 12
    button(fit, "Play iteration").click()  # it is "Play" again, not "Pause"
    assert step(fit) == 0
    page.clock.run_for(2100)
    assert step(fit) == 2
    button(fit, "Pause iteration").click()


@pytest.mark.parametrize("name", ["Next iteration", "Previous iteration", "Start over iteration"])
def test_a_step_by_hand_ends_the_play(page, fit, name):
    move(fit, 0, 5)
    button(fit, "Play iteration").click()
    button(fit, name).click()
    by_hand = step(fit)
    page.clock.run_for(3000)
    assert step(fit) == by_hand != 5


def test_a_slider_plays_too_in_six_seconds_at_most(page):
    box = page.locator("#widget-2")
    move(box, 0, 0)
    button(box, "Play left").click()
    page.clock.run_for(3000)
    button(box, "Pause left").click()
    half = step(box)
    assert 0 < half < 39
    page.clock.run_for(3000)
    assert step(box) == half
    button(box, "Play left").click()
    page.clock.run_for(3200)
    assert step(box) == 39
    assert button(box, "Play left").count() == 1


# ---- readouts ----


def readouts(box) -> list[str]:
    """Return the HTML of the values."""
    return box.locator(".explore-readouts dd").evaluate_all("es => es.map((e) => e.innerHTML)")


def test_readouts_change_with_the_frame(page, fit, book):
    frames = frames_of(book, "moving", 1)[0]
    seen = set()
    for k in (0, 1, 7, 12):
        move(fit, 0, k)
        _, values = frames[2 * k]
        assert readouts(fit) == [as_written(page, value) for value in values]
        seen.add(tuple(values))
    assert len(seen) == 4


def test_formulas_in_labels_and_readouts_are_typeset(page, fit):
    names = fit.locator(".explore-readouts dt")
    assert names.nth(0).locator("math").text_content().replace("\u2009", " ") == "ln p(𝐗∣λ)"
    assert names.nth(1).inner_html() == "rate"
    move(fit, 0, 1)
    assert fit.locator("dd").nth(1).locator("math").text_content() == "α=0.30"
    label = page.locator("#widget-3 label").first
    assert label.locator("math").text_content() == "σ"
    assert "$" not in page.locator(".explore").all_text_contents()[0]
    # with a letter where typesetting does not reach
    assert "width σ 1" in page.locator("#widget-3 .explore-figure").get_attribute("aria-label")


def test_who_pauses_hears_the_state_once(page, fit):
    """There is one live region, and it changes once for a row of moves."""
    page.evaluate(
        """() => {
          window.said = [];
          const region = document.querySelector("#widget-1 [aria-live=polite]");
          window.ears = new MutationObserver(() => said.push(region.textContent));
          ears.observe(region, { childList: true, characterData: true, subtree: true });
        }"""
    )
    for k in (1, 2, 3):
        move(fit, 0, k)
        page.clock.run_for(600)
    assert page.evaluate("said") == []
    page.clock.run_for(200)
    page.clock.run_for(5000)
    error, rate = fit.locator("dd").all_text_contents()
    name = fit.locator("dt").first.text_content()
    assert page.evaluate("said") == [
        f"iteration 3, data two groups, {name} {error}, rate {rate}",
    ]
    page.evaluate("ears.disconnect()")
    assert fit.locator("[aria-live]:not([aria-live=off]), [role=status], [role=alert]").count() == 1
    # an <output> is a live region by itself
    outputs = page.locator(".explore output")
    assert outputs.evaluate_all("es => es.every((e) => e.ariaLive === 'off')")


# ---- panels of their own ----


def test_a_panel_stays_as_it_is_when_the_control_of_another_one_moves(page):
    box = page.locator("#widget-2")
    panels = box.locator(".explore-panel")
    page.evaluate("window.node = document.querySelectorAll('#widget-2 .explore-panel > svg')[1]")
    left, right = panels.nth(0).inner_html(), panels.nth(1).inner_html()
    move(box, 0, 17)
    assert panels.nth(0).inner_html() != left
    assert panels.nth(1).inner_html() == right
    # the right panel was the still; from its first picture on it is the same node
    page.evaluate("window.node = document.querySelectorAll('#widget-2 .explore-panel > svg')[1]")
    move(box, 0, 18)
    assert page.evaluate("node.isConnected && node.closest('#widget-2') !== null")
    move(box, 1, 39)
    assert panels.nth(1).inner_html() != right
    assert not page.evaluate("node.isConnected")


def test_panels_that_share_no_control_cost_the_sum_of_their_frames(book):
    assert [len(frames) for frames in frames_of(book, "moving", 2)] == [40, 40]


def test_equal_pictures_and_equal_elements_are_stored_once(book):
    packed = (book / "_frames/moving/2.js").read_text().split('"')[3]
    content = json.loads(gzip.decompress(base64.b64decode(packed)))
    table = content["table"].split("\n")
    assert len(set(table)) == len(table)
    left, right = content["panels"]
    assert (len(left["runs"]), len(right["runs"])) == (40, 3)  # the right bar has three lengths
    assert right["pictures"] == [0] * 19 + [1] * 20 + [2]


# ---- linked controls ----


def places(page) -> list[list[int]]:
    """Return where the controls of the three widgets with a width stand."""
    return [at(page.locator(f"#widget-{n}")) for n in (3, 4, 5)]


@pytest.fixture
def apart(page):
    """All controls of these widgets at their start."""
    for n in (3, 4, 5):
        box = page.locator(f"#widget-{n}")
        for i, k in enumerate(at(box)):
            if k and box.locator(MOVED).nth(i).get_attribute("type") == "range":
                move(box, i, 0)
    return page


@pytest.mark.parametrize(("mover", "other"), [(3, 4), (4, 3)])
def test_a_linked_control_moves_its_like_in_both_directions(apart, book, mover, other):
    apart.evaluate("window.sent = 0; document.addEventListener('explore-link', count)")
    move(apart.locator(f"#widget-{mover}"), 0, 3)
    assert places(apart) == [[3, 0], [3, 0, 0], [0, 0, 0]]
    assert apart.evaluate("sent") == 1  # who follows sends nothing on
    apart.evaluate("document.removeEventListener('explore-link', count)")
    follower = apart.locator(f"#widget-{other}")
    assert text(follower) == "8"
    frames = frames_of(book, "moving", other)[0]
    svg, _ = frames[3 * len(frames) // 5]  # the width is the first control, of five values
    assert picture(follower) == as_written(apart, f'<div class="explore-panel">{svg}</div>')


def test_controls_that_are_not_linked_or_differ_in_name_or_values_stay(apart):
    move(apart.locator("#widget-5"), 0, 2)  # a width that is not linked
    move(apart.locator("#widget-5"), 1, 3)  # the same values under another name
    assert places(apart) == [[0, 0], [0, 0, 0], [2, 3, 0]]
    move(apart.locator("#widget-5"), 2, 4)  # the same name, one more value
    assert places(apart) == [[0, 0], [0, 0, 0], [2, 3, 4]]
    move(apart.locator("#widget-4"), 1, 1)
    assert places(apart) == [[0, 0], [0, 1, 0], [2, 3, 4]]


def test_only_the_widget_that_the_reader_moved_speaks(apart):
    apart.clock.run_for(1000)
    before = apart.locator("#widget-4 .explore-spoken").text_content()
    move(apart.locator("#widget-3"), 0, 2)
    apart.clock.run_for(1000)
    assert apart.locator("#widget-3 .explore-spoken").text_content() == "width σ 4, phase start"
    assert apart.locator("#widget-4 .explore-spoken").text_content() == before
