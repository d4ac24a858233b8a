"""explore and show: live beside a kernel, frozen in a build."""

import base64
import html
import io
import json
import re
import threading
from functools import partial
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from explorable import choice, colour, explore, linked, show, slider, switch
from explorable.drawing import draw_frame
from explorable.frames import unpack
from explorable.widget import Explore

ALT = "A line through the origin"


def draw_line(k, up=True, kind="solid"):
    """A line whose slope tells the values apart."""
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.plot([0, 1], [0, k if up else -k], linestyle=kind)
    ax.set(ylim=(-9, 9))
    return fig


def draw_svg(draw, values):
    """Return the picture alone."""
    return draw_frame(draw, values).svg


@pytest.fixture
def frozen(monkeypatch):
    """The kernel of a book build."""
    monkeypatch.setenv("EXPLORABLE_FROZEN", "1")


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    """Fail a test that leaks a figure."""
    yield
    assert plt.get_fignums() == []


# ---- live ----


def test_the_live_widget_draws_the_exact_values():
    seen = []

    def draw(x, kind, on):
        seen.append((x, kind, on))
        return draw_line(1)

    widget = explore(
        draw, x=slider(0, 1, 0.1, value=0.3, frozen=3), kind=choice("a", "b"), on=switch(), alt=ALT
    )
    assert isinstance(widget, Explore)
    widget.at = [7, 1, 1]
    assert seen == [(0.3, "a", False), (0.7, "b", True)]
    assert widget.frame["at"] == [7, 1, 1]
    assert widget.spec["controls"][0]["texts"][7] == "0.7"


def test_the_live_widget_shows_the_picture_of_its_position():
    widget = explore(draw_line, k=slider(1, 5), alt=ALT)
    assert widget.frame == {"at": [0], "svgs": [draw_svg(draw_line, {"k": 1})], "readouts": []}
    widget.at = [4]
    assert widget.frame == {"at": [4], "svgs": [draw_svg(draw_line, {"k": 5})], "readouts": []}


def test_a_failing_draw_shows_its_error_and_the_widget_survives():
    def draw(k):
        fig = draw_line(k)
        if k == 2:
            raise ZeroDivisionError("no slope 2")
        return fig

    widget = explore(draw, k=slider(1, 3), alt=ALT)
    widget.at = [1]
    assert widget.frame == {"at": [1], "error": "ZeroDivisionError: no slope 2"}
    widget.at = [2]
    assert widget.frame["svgs"] == [draw_svg(draw_line, {"k": 3})]


def test_the_live_front_end_is_a_module_with_a_render_function():
    widget = explore(draw_line, k=slider(1, 5), alt=ALT)
    assert widget._esm.rstrip().endswith("export default { render: explore.live };")


def test_a_message_on_another_thread_waits_for_the_one_of_the_cells(monkeypatch):
    drawn_by, waiting = [], []

    def draw(k):
        drawn_by.append(threading.current_thread())
        return draw_line(k)

    widget = explore(draw, k=slider(1, 5), alt=ALT)
    loop = SimpleNamespace(
        add_callback=lambda f, *arguments: waiting.append(partial(f, *arguments))
    )
    shell = SimpleNamespace(kernel=SimpleNamespace(io_loop=loop))
    monkeypatch.setattr("explorable.widget.get_ipython", lambda: shell)
    subshell = threading.Thread(target=widget.set_trait, args=("at", [3]))
    subshell.start()
    subshell.join()
    assert len(drawn_by) == 1
    for call in waiting:
        call()
    assert drawn_by == [threading.main_thread()] * 2
    assert widget.frame["at"] == [3]


def test_the_current_figure_of_the_reader_stays_open():
    mine = plt.figure()
    explore(draw_line, k=slider(1, 3), alt=ALT).at = [1]
    assert plt.get_fignums() == [mine.number]
    plt.close(mine)


def test_a_first_draw_that_fails_fails_in_the_cell():
    def draw(k):
        raise ZeroDivisionError("always")

    with pytest.raises(ZeroDivisionError):
        explore(draw, k=slider(1, 3), alt=ALT)


def test_only_the_panel_whose_control_has_moved_is_drawn_anew():
    drawn = []

    def draw_top(k):
        drawn.append(("top", k))
        return draw_line(k)

    def draw_bottom(m):
        drawn.append(("bottom", m))
        return draw_line(-m)

    widget = explore(draw_top, draw_bottom, k=slider(1, 5), m=slider(1, 5), alt=ALT)
    assert widget.spec["panels"] == [[0], [1]]
    widget.at = [0, 3]
    assert drawn == [("top", 1), ("bottom", 1), ("bottom", 4)]
    assert widget.frame["svgs"] == [draw_svg(draw_line, {"k": 1}), draw_svg(draw_line, {"k": -4})]


def draw_slope(k):
    """A line with its slope as a number, an angle as a formula."""
    return draw_line(k), {r"slope $\lambda$": k / 8, "angle": rf"$\alpha$ < {k}"}


def test_readouts_are_typeset_and_follow_the_values():
    widget = explore(draw_slope, k=slider(1, 5), alt=ALT)
    label, other = widget.spec["readouts"]
    assert label.startswith("slope <math")
    assert "&#x003BB;" in label
    assert other == "angle"
    assert widget.frame["readouts"][0] == "0.125"
    widget.at = [4]
    assert widget.frame["readouts"][0] == "0.625"
    assert widget.frame["readouts"][1].endswith("</math> &lt; 5")


def test_readouts_that_come_and_go_are_an_error_that_the_widget_survives():
    def draw(k):
        return (draw_line(k), {"k": k}) if k != 2 else draw_line(k)

    widget = explore(draw, k=slider(1, 3), alt=ALT)
    widget.at = [1]
    assert "the same readouts for all values, got none after k" in widget.frame["error"]
    widget.at = [2]
    assert widget.frame["readouts"] == ["3"]


def test_a_viewer_that_runs_no_widget_has_a_picture_of_it():
    bundle = explore(draw_line, k=slider(1, 5), alt=ALT)._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert picture.size == (330, 220)
    assert len(picture.convert("RGB").getcolors(10_000)) > 2


def test_a_control_tells_the_front_end_whether_it_is_linked():
    widget = explore(draw_line, k=linked(slider(1, 5)), up=switch(), alt=ALT)
    assert [c["linked"] for c in widget.spec["controls"]] == [True, False]


# ---- frozen ----


def parts(text):
    """Return the still, the controls' description and the frames of a frozen widget."""
    still = re.search(r'<div class="explore-panel">.*?</div>', text, re.DOTALL)[0]
    spec = re.search(r'class="explore-spec">(.*?)</script>', text, re.DOTALL)[1]
    frames = re.search(r'class="explore-frames">(.*?)</script>', text, re.DOTALL)[1]
    return still, json.loads(spec), unpack(frames)


@pytest.mark.usefixtures("frozen")
def test_the_frozen_widget_has_the_picture_of_every_position():
    result = explore(
        draw_line,
        k=slider(1, 9, value=3, frozen=4),
        up=switch(True),
        kind=choice("solid", "dashed"),
        alt=ALT,
    )
    still, spec, frames = parts(result._repr_mimebundle_()["text/html"])
    assert [c["label"] for c in spec["controls"]] == ["k", "up", "kind"]
    slopes = [int(text) for text in spec["controls"][0]["texts"]]
    assert slopes == [1, 3, 6, 9]
    assert spec["at"] == [1, 1, 0]
    expected = [
        draw_svg(draw_line, {"k": k, "up": up, "kind": kind})
        for k in slopes
        for up in (False, True)
        for kind in ("solid", "dashed")
    ]
    assert frames == [[(svg, []) for svg in expected]]
    shown = re.sub(r"x[0-9a-f]{6}-", "", still[still.index("<svg") : -len("</div>")])
    assert shown == draw_svg(draw_line, {"k": 3, "up": True, "kind": "solid"})


@pytest.mark.usefixtures("frozen")
def test_the_still_says_what_it_shows_and_where_the_controls_stand():
    result = explore(draw_line, k=slider(1, 3, value=2, label="slope"), up=switch(), alt=ALT)
    assert f'aria-label="{ALT}: slope 2, up off"' in result.html


@pytest.mark.usefixtures("frozen")
def test_each_panel_keeps_the_frames_of_its_own_controls():
    def draw_both(m, kind):
        return draw_line(m, kind=kind), {"m": m}

    result = explore(
        draw_line,
        draw_both,
        k=slider(1, 40),
        m=slider(1, 40, value=2),
        kind=choice("solid", "dashed", value="dashed"),
        alt=ALT,
    )
    _, spec, panels = parts(result.html)
    assert spec["panels"] == [[0, 2], [1, 2]]
    assert [len(panel) for panel in panels] == [80, 80]
    assert [readouts for _, readouts in panels[1][:3]] == [["1"], ["1"], ["2"]]
    assert panels[1][3][0] == draw_svg(draw_line, {"k": 2, "kind": "dashed"})
    assert "<dt>m</dt><dd>2</dd>" in result.html
    assert spec["aspect"] == pytest.approx(3 / 4)


@pytest.mark.usefixtures("frozen")
def test_the_frames_of_a_two_panel_figure_weigh_at_most_nine_kilobytes_each():
    rng = np.random.default_rng(0)
    series = rng.normal(size=(60, 200)).cumsum(axis=1)

    def draw(k):
        fig, (above, below) = plt.subplots(2, figsize=(5.5, 5))
        above.plot(series[k], color=colour(0))
        above.set(xlabel="time $t$", ylabel="$x_t$")
        below.bar(range(8), np.histogram(series[k], 8)[0], color=colour(1))
        below.set(xlabel="bin", ylabel="count", title=f"{k} of 60")
        return fig

    result = explore(draw, k=slider(0, 59), alt=ALT)
    packed = re.search(r'class="explore-frames">(.*?)</script>', result.html, re.DOTALL)[1]
    assert len(packed) <= 60 * 9000


@pytest.mark.usefixtures("frozen")
def test_frames_too_heavy_for_a_page_are_refused_with_advice(monkeypatch):
    monkeypatch.setattr("explorable.widget.MAX_BYTES", 1000)
    with pytest.raises(ValueError, match=r"3 frames of \d\.\d MB in all .* draw fewer points"):
        explore(draw_line, k=slider(1, 3), alt=ALT)


@pytest.mark.usefixtures("frozen")
def test_a_title_names_the_group():
    result = explore(draw_line, k=slider(1, 3), alt=ALT, title=r"The slope $\lambda$ & more")
    assert 'role="group" aria-label="The slope λ &amp; more"' in result.html
    assert parts(result.html)[1]["title"] == "The slope λ & more"


@pytest.mark.usefixtures("frozen")
def test_text_cannot_break_out_of_the_page():
    nasty = '</script><b>"&'
    result = explore(draw_line, k=slider(1, 2, label=nasty), alt=nasty)
    assert result.html.count("</script>") == 2
    assert "<b>" not in result.html
    assert html.escape(nasty, quote=True) in result.html
    _, spec, _ = parts(result.html)
    assert spec["alt"] == nasty


@pytest.mark.usefixtures("frozen")
def test_too_large_a_grid_is_refused_before_anything_is_drawn():
    def draw(k, up):
        raise AssertionError("drawn")

    with pytest.raises(ValueError, match=r"300 \(k\) x 2 \(up\) = 600 frames"):
        explore(draw, k=slider(1, 300), up=switch(), alt=ALT)


@pytest.mark.usefixtures("frozen")
def test_a_frozen_widget_has_no_widget_state():
    assert set(explore(draw_line, k=slider(1, 3), alt=ALT)._repr_mimebundle_()) == {
        "text/html",
        "image/png",
        "text/plain",
    }


def test_show_gives_the_picture_and_its_text_alternative():
    result = show(lambda: draw_line(2), alt=ALT)
    bundle = result._repr_mimebundle_()
    assert f'role="img" aria-label="{ALT}"' in bundle["text/html"]
    assert bundle["text/plain"] == ALT
    assert "<script" not in bundle["text/html"]


def test_a_picture_may_place_its_own_axes():
    def draw():
        fig = plt.figure(figsize=(3, 2))
        fig.add_axes([0.1, 0.1, 0.8, 0.8]).plot([0, 1])
        return fig

    assert "<path" in show(draw, alt=ALT).html


def test_two_pictures_on_a_page_share_no_id():
    first = show(lambda: draw_line(1), alt=ALT).html
    second = show(lambda: draw_line(2), alt=ALT).html
    ids = [re.findall(r' id="([^"]+)"', text) for text in (first, second)]
    assert all(ids)
    assert not set(ids[0]) & set(ids[1])


# ---- both ----


def wide(k):
    """Draw what no phone has room for."""
    return plt.figure(figsize=(7, 2))


def tall(k):
    """Draw half of what a screen has room for, and a bit more."""
    return plt.figure(figsize=(5, 4))


def no_figure():
    """Draw nothing."""
    return np.zeros(3)


@pytest.mark.parametrize("mode", ["live", "frozen"])
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: explore(draw_line, alt=ALT), "at least one control"),
        (
            lambda: explore(draw_line, k=3, alt=ALT),
            "k must be a slider, stepper, choice or switch, got 3",
        ),
        (
            lambda: explore(draw_line, j=slider(1, 3), alt=ALT),
            r"draw_line\(k, .*\) needs a control, got j: missing",
        ),
        (lambda: explore(draw_line, k=slider(1, 3), alt=""), "alt must be a text"),
        (lambda: explore(draw_line, k=slider(1, 3), alt=None), "alt must be a text"),
        (lambda: explore("draw", k=slider(1, 3), alt=ALT), "draw must be a function"),
        (
            lambda: explore(lambda k: None, k=slider(1, 3), alt=ALT),
            "returned nothing; end it with `return fig`",
        ),
        (
            lambda: show(no_figure, alt=ALT),
            r"no_figure: must return a matplotlib Figure, or .* readouts, got array",
        ),
        (lambda: show(draw_line, alt=ALT), r"got none: missing a required argument: 'k'"),
        (lambda: show(lambda: draw_line(1), alt=" "), "alt must be a text"),
    ],
)
def test_a_bad_argument_is_named(call, message, mode, monkeypatch):
    if mode == "frozen":
        monkeypatch.setenv("EXPLORABLE_FROZEN", "1")
    with pytest.raises(ValueError, match=message):
        call()


def test_alt_cannot_be_forgotten():
    with pytest.raises(TypeError, match="alt"):
        explore(draw_line, k=slider(1, 3))
