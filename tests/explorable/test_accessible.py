"""Whoever uses a keyboard, a screen reader, large targets, strong contrast or no motion."""

import io

import pytest
from PIL import Image

from tests.browser import needs_chromium, open_page, violations
from tests.explorable.test_style import contrast
from tests.explorable.widgets import DESK, MOVED, PHONE, at, load, move

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium]

CONTROLS = ".explore :is(input, select, button)"
ON_STAGE = "dialog.explore-stage[open] > .explore[data-ready]"
HAND = {"viewport": PHONE, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def page(browser, book):
    """The page with every control."""
    with open_page(browser, f"{book.as_uri()}/moving.html", viewport=DESK) as (page, record):
        load(page)
        yield page
    assert record.complaints() == []


@pytest.fixture(params=["light", "dark"])
def themed(page, request):
    """The page in each theme of the book."""
    page.emulate_media(color_scheme=request.param)
    page.wait_for_selector(f"html[data-theme={request.param}]")
    return page


# ---- rules, names, values ----


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("context", [{"viewport": DESK}, HAND], ids=["desk", "phone"])
def test_axe_finds_nothing_on_the_page_and_on_the_stage(browser, book, scheme, context):
    url = f"{book.as_uri()}/moving.html"
    with open_page(browser, url, color_scheme=scheme, **context) as (page, _):
        load(page)
        page.locator(f"#widget-1 {MOVED}").first.focus()
        assert violations(page) == []
        page.get_by_role("button", name="Present: A curve that comes").click()
        page.wait_for_selector(ON_STAGE)
        assert violations(page) == []


def test_every_control_has_a_name_and_a_value_that_can_be_said(page):
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    ours = set(page.locator(CONTROLS).evaluate_all("es => es.map((e) => e.id).filter(Boolean)"))
    roles = {"slider": 10, "combobox": 3, "checkbox": 1}  # two of the menus are of speeds
    for role, count in roles.items():
        found = [node for node in nodes if node.get("role", {}).get("value") == role]
        assert len(found) == count, role
        for node in found:
            assert node["name"]["value"].strip()
            properties = {p["name"]: p["value"].get("value") for p in node["properties"]}
            said = properties.get("valuetext") if role == "slider" else properties.get("checked")
            assert said or node["value"]["value"], node["name"]
    assert len(ours) == 12  # ten sliders and steppers, a menu, a tick
    for button in page.locator(".explore button").all():
        assert button.get_attribute("aria-label").split()[0] in (
            *("Play", "Present", "Present:", "Next", "Previous", "Start"),
        )


def test_the_value_that_is_said_is_the_one_that_is_shown(page):
    for row in page.locator(".explore-row:has(output)").all():
        shown = row.locator("output").text_content()
        assert row.locator("input").get_attribute("aria-valuetext") == shown != ""


def test_a_widget_is_a_group_with_its_sentence_for_a_name(page):
    assert page.get_by_role("group", name="Two bars").get_attribute("id") == "widget-2"


def test_the_text_alternative_tells_where_the_controls_stand(page):
    box = page.locator("#widget-4")
    move(box, 0, 2)
    box.get_by_role("checkbox", name="fill").check()
    image = box.get_by_role("img")
    assert image.get_attribute("aria-label") == "A bump: width 4, k 0, fill on"
    assert box.locator("svg[aria-hidden=true]").count() >= 1
    move(box, 0, 0)
    box.get_by_role("checkbox", name="fill").uncheck()
    assert image.get_attribute("aria-label") == "A bump: width 1, k 0, fill off"


# ---- a walk by keyboard alone ----

FOCUS = "document.activeElement"
OUTLINE = f"""() => {{
  const style = getComputedStyle({FOCUS});
  return style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth);
}}"""
# what a key changes on each kind of control
KEYS = {"range": "ArrowRight", "checkbox": "Space", "select-one": "ArrowDown"}


def test_a_walk_by_keyboard_reaches_and_moves_everything(browser, book):
    with open_page(browser, f"{book.as_uri()}/moving.html") as (page, record):
        load(page)
        controls = page.locator(CONTROLS)
        controls.evaluate_all("es => es.forEach((e, i) => { e.dataset.nth = i; })")
        n = controls.count()
        met = []
        for _ in range(n + 40):  # the theme has links and buttons of its own before ours
            page.keyboard.press("Tab")
            nth = page.evaluate(f"{FOCUS}.dataset.nth")
            if nth is None:
                continue
            met.append(int(nth))
            assert page.evaluate(OUTLINE) >= 2, nth
            key = KEYS.get(page.evaluate(f"{FOCUS}.type"))
            if key:
                box = page.locator(f".explore:has([data-nth='{nth}'])")
                value = f"{FOCUS}.checked + ' ' + {FOCUS}.value"
                before, stood = page.evaluate(value), at(box)
                page.keyboard.press(key)
                assert page.evaluate(value) != before, nth
                # all but the speed stand for a picture
                assert page.evaluate(f"{FOCUS}.className === 'explore-speed'") == (at(box) == stood)
            if len(met) == n:
                break
        assert met == list(range(n))
        assert record.complaints() == []


def test_the_stage_is_opened_used_and_left_by_keyboard(browser, book):
    with open_page(browser, f"{book.as_uri()}/moving.html") as (page, record):
        load(page)
        page.locator(f"#widget-1 {MOVED}").last.focus()
        page.keyboard.press("Tab")
        assert page.evaluate(f"{FOCUS}.className") == "explore-present"
        page.keyboard.press("Enter")
        page.wait_for_selector(ON_STAGE)
        box = page.locator("#widget-1")
        assert page.evaluate(OUTLINE) >= 2
        page.keyboard.press("ArrowRight")
        assert at(box) == [1, 0]
        page.keyboard.press("2")
        page.keyboard.press("ArrowDown")
        assert at(box) == [1, 1]
        page.keyboard.press("Escape")
        page.wait_for_function("!document.querySelector('.explore-stage')")
        assert page.evaluate(f"{FOCUS} === document.querySelector('#widget-1 .explore-present')")
        assert page.evaluate(OUTLINE) >= 2
        page.keyboard.press("Shift+Tab")
        assert page.evaluate(f"{FOCUS}.type") == "select-one"
        assert record.complaints() == []


# ---- sizes and colours ----


@pytest.mark.parametrize("context", [{"viewport": DESK}, HAND], ids=["desk", "phone"])
def test_targets_are_at_least_24_pixels_wide_and_high(browser, book, context):
    with open_page(browser, f"{book.as_uri()}/moving.html", **context) as (page, _):
        load(page)
        for control in page.locator(CONTROLS).all():
            box = control.bounding_box()
            assert min(box["width"], box["height"]) >= 24, control
        page.get_by_role("button", name="Present: A curve that comes").click()
        page.wait_for_selector(ON_STAGE)
        for control in page.locator(".explore-stage :is(input, select, button)").all():
            box = control.bounding_box()
            assert box is None or min(box["width"], box["height"]) >= 24, control


# text colour and border colour of each element, and the colour below it, as #rrggbb
COLOURS = """(elements) => {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  function hex(...layers) {
    for (const colour of layers) {
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
    }
    const bytes = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
    return "#" + bytes.map((x) => x.toString(16).padStart(2, "0")).join("");
  }
  return elements.filter((e) => e.getClientRects().length && e.ariaDisabled !== "true").map((e) => {
    const layers = [];
    for (let parent = e; parent; parent = parent.parentElement)
      layers.unshift(getComputedStyle(parent).backgroundColor);
    const { color, borderTopColor } = getComputedStyle(e);
    return [e.outerHTML.slice(0, 80), hex(...layers), hex(...layers, color),
      hex(...layers, borderTopColor)];
  });
}"""


def colours(page, selector):
    """Return (element, background, text, border) of each element that shows."""
    found = page.locator(selector).evaluate_all(COLOURS)
    assert found
    return found


def test_text_has_a_contrast_of_4_5(themed):
    for name, below, text, _ in colours(
        themed, ".explore :is(label, output, dt, dd, dd math, select, button)"
    ):
        assert contrast(text, below) >= 4.5, name


def test_borders_and_the_icon_have_a_contrast_of_3(themed):
    for name, below, _, border in colours(themed, ".explore-controls :is(select, button)"):
        assert contrast(border, below) >= 3, name
    for name, below, icon, _ in colours(themed, ".explore-present"):
        assert contrast(icon, below) >= 3, name


def pixels(locator) -> Image.Image:
    """Return what is painted, a pixel for each CSS pixel."""
    return Image.open(io.BytesIO(locator.screenshot())).convert("RGB")


def ink(image, x: float, y: float) -> str:
    """Return the colour of a pixel; the place is given in parts of width and height."""
    colour = image.getpixel((int(x * (image.width - 1)), int(y * (image.height - 1))))
    return "#" + "".join(f"{c:02x}" for c in colour)


def test_a_slider_has_a_contrast_of_3_as_it_is_painted(themed):
    move(themed.locator("#widget-1"), 0, 6)
    image = pixels(themed.locator(f"#widget-1 {MOVED}").first)
    paper = ink(image, 0, 0)
    for place in (0.2, 0.5, 0.8):  # what is filled, the thumb, what is not
        assert contrast(ink(image, place, 0.5), paper) >= 3
    # the thumb stands apart from the track by a gap in the page's colour
    row = [ink(image, i / image.width, 0.5) for i in range(image.width)]
    assert row.count(paper) >= 4
    move(themed.locator("#widget-1"), 0, 0)


def test_a_box_to_tick_has_a_contrast_of_3_as_it_is_painted(themed):
    tick = themed.get_by_role("checkbox", name="fill")
    image = pixels(tick)
    paper = themed.evaluate("getComputedStyle(document.body).backgroundColor")
    paper = "#" + "".join(f"{int(c):02x}" for c in paper[4:-1].split(","))
    middle = [ink(image, i / image.width, 0.5) for i in range(image.width // 4)]
    assert max(contrast(colour, paper) for colour in middle) >= 3
    before = image.tobytes()
    tick.check()
    assert pixels(tick).tobytes() != before
    tick.uncheck()


def test_a_control_in_focus_has_an_outline_with_a_contrast_of_3(themed):
    themed.locator(f"#widget-1 {MOVED}").first.focus()
    themed.keyboard.press("Tab")
    outline = f"""() => [getComputedStyle({FOCUS}).outlineColor,
      getComputedStyle(document.body).backgroundColor].map((c) => "#" + c.match(/\\d+/g)
        .slice(0, 3).map((x) => Number(x).toString(16).padStart(2, "0")).join(""))"""
    ring, paper = themed.evaluate(outline)
    assert contrast(ring, paper) >= 3


# ---- no motion ----


@pytest.fixture
def calm(browser, book):
    """The page for a reader who asked for no motion, the clock in the test's hands."""
    with open_page(browser, "about:blank", reduced_motion="reduce") as (page, record):
        page.clock.install(time=0)
        page.goto(f"{book.as_uri()}/moving.html")
        load(page)
        page.clock.pause_at(1e6)
        yield page
    assert record.complaints() == []


def test_without_motion_nothing_plays_or_fades(calm):
    assert calm.locator(".explore-play").count() > 0
    assert not any(
        part.is_visible() for part in calm.locator(":is(.explore-play, .explore-speed)").all()
    )
    assert calm.locator(".explore, .explore *").evaluate_all(
        """es => es.every((e) => [getComputedStyle(e), getComputedStyle(e, "::before")].every(
          (s) => s.transitionDuration === "0s" && s.animationName === "none"))"""
    )


def test_without_motion_space_makes_one_step(calm):
    calm.get_by_role("button", name="Present: A curve that comes").click()
    calm.wait_for_selector(ON_STAGE)
    box = calm.locator("#widget-1")
    assert "space" not in calm.locator(".explore-help").text_content()
    calm.keyboard.press("Space")
    assert at(box) == [1, 0]
    calm.clock.run_for(5000)
    assert at(box) == [1, 0]
    move(box, 0, 12)
    calm.keyboard.press("Space")
    assert at(box) == [12, 0]
