"""Live widgets in a real JupyterLab, Notebook and Voilà."""

import shutil

import jupytext
import pytest

from tests.browser import needs_chromium, open_page
from tests.explorable.jupyter import (
    BIN,
    LAB,
    NOTEBOOK,
    ROOT,
    VOILA,
    command,
    environment,
    needs_jupyter,
    needs_make,
    problems,
    run_all,
    server,
    wait_for_kernel,
    write_notebook,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium, needs_jupyter]

PATIENCE = 60_000  # milliseconds: an application and a kernel start, on two cores that others use
# a page of the book points to pages and entries of the reference that a notebook does not see
UNKNOWN_OUTSIDE_THE_BOOK = (
    r"^error: (No target for internal reference|Cross reference target was not found)",
    # JupyterLab's toolbar of a cell, when the last cell becomes the active one
    r"^pageerror: Cannot read properties of undefined \(reading 'node'\)$",
)

# the log tells values, types, and the figures that the draws before have left open
CELL = """
import threading, time
import matplotlib.pyplot as plt
from explorable import choice, explore, slider, switch

def draw(n, x, kind, up):
    assert threading.current_thread() is threading.main_thread()
    with open("calls.txt", "a") as file:
        print(repr((n, x, kind, up)), plt.get_fignums(), file=file)
    fig, ax = plt.subplots(figsize=(5.5, 2.5))
    if kind == "slow":
        time.sleep(0.3)
    if kind is None:
        raise ArithmeticError("nothing to <draw>")
    ax.plot([0, n], [0, x if up else -x])
    ax.set(xlabel="time", ylabel="height")
    return fig

explore(
    draw, n=slider(1, 12), x=slider(0, 1, 0.1, label="scale"), kind=choice(2.0, "slow", None),
    up=switch(), alt="A line",
)
"""


@pytest.fixture(scope="module", params=[LAB, NOTEBOOK, VOILA], ids=["lab", "notebook", "voila"])
def front_end(request):
    """One of the three front ends."""
    return request.param


@pytest.fixture(scope="module")
def folder(front_end, tmp_path_factory):
    """Where the front end finds the notebook and the kernel works."""
    folder = tmp_path_factory.mktemp("notebooks")
    write_notebook(folder / "line.ipynb", CELL, "'the cell below'")
    return folder


@pytest.fixture(scope="module")
def opened(browser, front_end, folder, tmp_path_factory):
    """The notebook after all its cells were run, and what the page said and asked for."""
    env = environment(tmp_path_factory.mktemp("home"))
    with server(command(front_end), env, folder) as url:
        address = url + front_end.address.format("line.ipynb")
        with open_page(browser, address, viewport={"width": 1200, "height": 900}) as opened:
            page, _ = opened
            page.set_default_timeout(PATIENCE)
            front_end.run(page)
            page.wait_for_selector(".explore[data-ready] svg")
            yield opened


@pytest.fixture
def page(opened, front_end, folder):
    """The page with the widget at its start and nothing in the log."""
    page, record = opened
    kind(page, "2.0")
    page.get_by_role("checkbox", name="up").uncheck()
    for name in ("n", "scale"):
        press(page, name, "Home")
    wait_for(page, "n 1, scale 0.0, kind 2.0, up off")
    (folder / "calls.txt").write_text("")
    yield page
    assert problems(record, front_end.own) == []


def press(page, name, key, times=1):
    """Press a key on a slider."""
    slider = page.get_by_role("slider", name=name, exact=True)
    slider.focus()
    for _ in range(times):
        page.keyboard.press(key)


def kind(page, text):
    """Choose how to draw."""
    menu = page.get_by_role("combobox", name="kind", exact=True)
    if menu.evaluate("(menu) => menu.selectedOptions[0].text") != text:
        menu.select_option(text)


def wait_for(page, state):
    """Wait for the picture of this state."""
    page.wait_for_selector(
        f'.explore:not(.explore-waiting) .explore-figure[aria-label$="{state}"] svg'
    )


def calls(folder):
    """Return the arguments of each draw, as they are written in Python."""
    lines = (folder / "calls.txt").read_text().splitlines()
    assert all(line.endswith(" []") for line in lines), "a draw has left its figure open"
    return [line.removesuffix(" []") for line in lines]


def active_cells(page):
    """Return for each cell whether it is the active one."""
    return page.locator(".jp-Notebook-cell").evaluate_all(
        "cells => cells.map((cell) => cell.classList.contains('jp-mod-active'))"
    )


def test_each_change_calls_draw_with_exactly_the_values_of_the_controls(page, folder):
    for n in (2, 3):
        press(page, "n", "ArrowRight")
        wait_for(page, f"n {n}, scale 0.0, kind 2.0, up off")
    for x in (0.1, 0.2, 0.3):
        press(page, "scale", "ArrowRight")
        wait_for(page, f"n 3, scale {x}, kind 2.0, up off")
    page.get_by_role("checkbox", name="up").check()
    wait_for(page, "n 3, scale 0.3, kind 2.0, up on")
    kind(page, "slow")
    wait_for(page, "n 3, scale 0.3, kind slow, up on")
    press(page, "n", "End")
    wait_for(page, "n 12, scale 0.3, kind slow, up on")
    assert calls(folder) == [
        "(2, 0.0, 2.0, False)",
        "(3, 0.0, 2.0, False)",
        "(3, 0.1, 2.0, False)",
        "(3, 0.2, 2.0, False)",
        "(3, 0.3, 2.0, False)",
        "(3, 0.3, 2.0, True)",
        "(3, 0.3, 'slow', True)",
        "(12, 0.3, 'slow', True)",
    ]


def test_the_living_widget_is_shown_and_not_the_picture_for_viewers(page):
    assert page.locator(".explore").count() == 1
    assert page.locator("img[src^='data:image/png']").count() == 0


def test_a_slow_draw_is_called_for_fewer_positions_and_for_the_last(page, folder):
    kind(page, "slow")
    press(page, "n", "ArrowRight", times=11)
    wait_for(page, "n 12, scale 0.0, kind slow, up off")
    asked = [eval(values)[0] for values in calls(folder)]
    assert asked == sorted(set(asked))
    assert asked[-1] == 12
    assert len(asked) < 8


def test_an_error_stands_in_place_of_the_figure_until_the_next_good_value(page, folder):
    kind(page, "None")
    error = page.wait_for_selector(".explore-error")
    assert "ArithmeticError: nothing to <draw>" in error.text_content()
    assert page.locator(".explore-figure svg:visible").count() == 0
    press(page, "n", "ArrowRight")
    kind(page, "2.0")
    wait_for(page, "n 2, scale 0.0, kind 2.0, up off")
    assert page.locator(".explore-error:visible").count() == 0
    assert calls(folder)[-1] == "(2, 0.0, 2.0, False)"


def test_the_keys_belong_to_the_control_that_has_the_focus(page):
    before = active_cells(page)
    page.get_by_role("slider", name="n", exact=True).focus()
    for key in ("ArrowRight", "ArrowUp", "ArrowRight", "ArrowDown", "ArrowUp", "b"):
        page.keyboard.press(key)
    wait_for(page, "n 4, scale 0.0, kind 2.0, up off")
    assert active_cells(page) == before


@pytest.fixture
def course(tmp_path):
    """A copy of what `make lecture` needs: the chapters and how they are opened."""
    folder = tmp_path / "course"
    for name in ("book", "jupyter"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "Makefile", folder)
    return folder


@needs_make
def test_make_lecture_opens_a_chapter_as_a_notebook_that_runs_and_saves(browser, course, tmp_path):
    chapter = "hidden-markov-models/expectation-maximisation.md"
    file = course / "book" / chapter
    before = file.read_text()
    env = environment(tmp_path / "home", settings={})
    make = ["make", "--old-file=.venv/.ready", f"BIN={BIN}", "lecture"]
    with server(make, env, course) as url:
        with open_page(browser, f"{url}/lab/tree/{chapter}") as (page, record):
            page.set_default_timeout(PATIENCE)
            page.wait_for_selector("aside.predict .katex")  # an admonition with a formula
            wait_for_kernel(page)
            prompts = page.locator(".jp-CodeCell .jp-InputPrompt").all_text_contents()
            assert set(prompts) == {"[ ]:"}  # no cell runs by itself
            run_all(page)
            widget = page.locator(".explore[data-ready]").first
            widget.scroll_into_view_if_needed()
            slider = widget.get_by_role("slider")
            slider.press("End")
            state = slider.get_attribute("aria-valuetext")
            widget.locator(f'.explore-figure[aria-label$=" {state}"] svg').wait_for()
            slider.blur()  # the keys belong to the control
            with page.expect_response(is_saving):
                page.keyboard.press("Control+s")
            assert problems(record, LAB.own + UNKNOWN_OUTSIDE_THE_BOOK) == []
        (first,) = (tmp_path / "home" / "runtime").glob("jpserver-file-to-run-*.html")
        assert f"{url}/lab/tree/hidden-markov-models/index.md" in first.read_text()
    after = file.read_text()
    assert cells(after) == cells(before)
    header = jupytext.reads(after, fmt="md:myst").metadata
    assert header["kernelspec"]["name"] == "python3"
    assert header["jupytext"]["text_representation"] == {"extension": ".md", "format_name": "myst"}


def is_saving(response):
    """Tell whether the server has answered that it saved a file."""
    return response.request.method == "PUT" and "/api/contents/" in response.url and response.ok


def cells(text):
    """Return what a chapter consists of, whatever the line breaks of its settings."""
    notebook = jupytext.reads(text, fmt="md:myst")
    return [(cell.cell_type, cell.source, cell.metadata) for cell in notebook.cells]
