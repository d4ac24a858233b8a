"""Widgets against ipywidgets, in bytes and milliseconds: `python -m benchmarks.widgets`.

The figure has two panels: a sequence of 200 points in the colours of two states, and the posterior
of one of them, for 60 values of the noise. Static pages are compared with ipywidgets' `Stack` of
60 pictures that a slider moves by `jslink`, live widgets with `interact` in JupyterLab.

A time is that from a key on the slider to the frame of the screen in which the new figure is
painted, in Chromium. The contenders take turns, and a round gives the ratio of the medians.

The static peer needs ipywidgets' own page script, which npm has (`@jupyter-widgets/html-manager`).
"""

import io
import os
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from gzip import compress
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import ipywidgets
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from ipywidgets.embed import dependency_state

from benchmarks.report import about
from explorable import colour, explore, marker, slider
from explorable.frontend import CSS, SCRIPT
from explorable.style import STYLE
from explorable.widget import FROZEN, in_script
from latent import HMM, Gaussian
from tests.browser import chromium, open_page, serve
from tests.explorable.jupyter import LAB, command, environment, run_all, server, write_notebook

RESULTS = Path(__file__).parent / "results"
MANAGER = "@jupyter-widgets/html-manager@1.0.15"
FRAMES, ROUNDS, PRESSES = 60, 5, 10
NOISES = np.linspace(0.2, 2.56, FRAMES)

_states = HMM(
    np.array([0.5, 0.5]),
    np.array([[0.95, 0.05], [0.05, 0.95]]),
    Gaussian(np.array([[-1.0], [1.0]]), np.full((2, 1, 1), 1.0)),
).sample(200, np.random.default_rng(0))[0]
_shocks = np.random.default_rng(1).normal(size=200)


class Static(NamedTuple):
    """A static page and what it weighs.

    Attributes
    ----------
    page : Path
        The page.
    files : list of Path
        The page and all that it loads before and while it is moved, shared scripts excepted.
    script : Path
        The script that all such pages share.
    control, picture : str
        Selectors of the slider and of what changes.
    """

    page: Path
    files: list[Path]
    script: Path
    control: str
    picture: str


def draw_posterior(k: int):
    """Draw the sequence and the posterior of its second state at noise number k."""
    noise = NOISES[k]
    means, variances = np.array([[-1.0], [1.0]]), np.full((2, 1, 1), noise**2)
    model = HMM(
        np.array([0.5, 0.5]), np.array([[0.95, 0.05], [0.05, 0.95]]), Gaussian(means, variances)
    )
    x = means[_states] + noise * _shocks[:, None]
    gamma = model.posterior(x).gamma
    fig, (above, below) = plt.subplots(2, figsize=(5.5, 5))
    for i in range(2):
        mine = np.flatnonzero(_states == i)
        above.plot(mine, x[mine, 0], marker(i), color=colour(i), ms=3)
    above.set(xlabel="time $t$", ylabel="$x_t$", ylim=(-8, 8))
    below.plot(gamma[:, 1], color=colour(1))
    below.set(xlabel="time $t$", ylabel=r"$\gamma_t(2)$", ylim=(-0.05, 1.05))
    return fig


def explore_page(folder: Path) -> Static:
    """Write a page with `explore`, its frames in a file of their own as in the book."""
    with patch.dict(os.environ, {FROZEN: "1"}):
        widget = explore(draw_posterior, k=slider(0, FRAMES - 1), alt="Sequence and posterior").html
    found = re.search(r'class="explore-frames">([^<]*)', widget)
    frames, script, page = (folder / name for name in ("1.js", "explore.js", "explore.html"))
    frames.write_text(f'explore.receive("1","{found[1]}");')
    script.write_text(SCRIPT)
    holder = 'class="explore-frames" data-key="1" data-src="1.js">'
    body = widget.replace(found[0], holder)
    page.write_text(_page(f"<style>{CSS}</style>", body + '<script src="explore.js"></script>'))
    return Static(page, [page, frames], script, ".explore input", ".explore-figure")


def stack_page(folder: Path, kind: str) -> Static:
    """Write a page with a `Stack` of pictures of a kind, "svg" or "png", moved by `jslink`."""
    number = ipywidgets.IntSlider(max=FRAMES - 1, description="k")
    stack = ipywidgets.Stack([_picture(k, kind) for k in range(FRAMES)], selected_index=0)
    ipywidgets.jslink((number, "value"), (stack, "selected_index"))
    box = ipywidgets.VBox([number, stack])
    state = {"version_major": 2, "version_minor": 0, "state": dependency_state(box)}
    view = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
    page, script = folder / f"stack-{kind}.html", folder / "embed.js"
    if not script.exists():
        script.write_bytes(_manager_script(folder))
    scripts = "".join(
        f'<script type="application/vnd.jupyter.widget-{part}+json">{in_script(value)}</script>'
        for part, value in (("state", state), ("view", view))
    )
    page.write_text(_page("", scripts + '<script src="embed.js"></script>'))
    control = ".widget-slider [role=slider]"
    return Static(page, [page], script, control, ".widget-vbox > .widget-box")


def _picture(k: int, kind: str):
    file = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure = draw_posterior(k)
        figure.savefig(file, format=kind, dpi=144)
    plt.close(figure)
    if kind == "png":
        return ipywidgets.Image(value=file.getvalue(), format="png", width=550)
    return ipywidgets.HTML(file.getvalue().decode().partition("?>")[2])


def _manager_script(folder: Path) -> bytes:
    """Return ipywidgets' script for pages without a kernel, from npm."""
    packed = subprocess.run(
        ["npm", "pack", "--silent", MANAGER], cwd=folder, stdout=subprocess.PIPE, check=True, text=1
    )
    with tarfile.open(folder / packed.stdout.split()[-1]) as archive:
        return archive.extractfile("package/dist/embed.js").read()


def _page(head: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>k</title>{head}'
        f"</head><body>{body}</body></html>"
    )


# the time from a key to the first frame after which `picture` has changed and stands still
WATCH = """(picture) => {
  const box = document.querySelector(picture);
  window.times = [];
  let pressed = 0;
  document.body.addEventListener("keydown", (event) => {
    pressed = event.timeStamp;
  }, true);
  const channel = new MessageChannel();
  channel.port1.onmessage = () => {
    if (!pressed || box.closest(".explore-waiting")) return;
    window.times.push(performance.now() - pressed);
    pressed = 0;
  };
  const painted = () => requestAnimationFrame(() => channel.port2.postMessage(0));
  new MutationObserver(() => {
    const pictures = [...box.querySelectorAll("img")];
    Promise.all(pictures.map((image) => image.decode().catch(() => 0))).then(painted);
  }).observe(box, { subtree: true, childList: true, attributes: true });
}"""


def press(page, control: str, direction: str) -> float:
    """Press a key ten times and return the median of the times to the painted frame."""
    page.bring_to_front()
    page.locator(control).first.focus()
    page.evaluate("window.times = []")
    for i in range(PRESSES):
        page.keyboard.press(direction)
        page.wait_for_function(f"window.times.length > {i}")
    return statistics.median(page.evaluate("window.times"))


def take_turns(pages: Mapping[str, tuple]) -> dict[str, list[float]]:
    """Return the median milliseconds of each round for each of the open pages."""
    for page, control, picture in pages.values():
        page.evaluate(WATCH, picture)
        press(page, control, "ArrowRight")  # the first ones load and compile
    times = {name: [] for name in pages}
    for r in range(ROUNDS):
        names = list(pages)
        for name in names[r % len(names) :] + names[: r % len(names)]:
            page, control, _ = pages[name]
            times[name].append(press(page, control, ("ArrowRight", "ArrowLeft")[r % 2]))
    return times


@contextmanager
def static_pages(browser, folder: Path, statics: Mapping[str, Static]) -> Iterator[dict]:
    """Open the static pages, each in a window of its own."""
    with serve(folder) as url, ExitStack() as windows:
        opened = {}
        for name, static in statics.items():
            window = open_page(browser, f"{url}/{static.page.name}")
            page, _ = windows.enter_context(window)
            page.locator(static.control).first.wait_for()
            opened[name] = page, static.control, static.picture
        yield opened


LIVE = """
from benchmarks.widgets import FRAMES, draw_posterior
from explorable import explore, slider
explore(draw_posterior, k=slider(0, FRAMES - 1), alt="Sequence and posterior")
"""
INTERACT = """
import matplotlib as mpl, matplotlib.pyplot as plt
from ipywidgets import IntSlider, interact
from benchmarks.widgets import FRAMES, draw_posterior
from explorable.style import STYLE
mpl.rcParams.update(STYLE)
def draw(k):
    draw_posterior(k)
    plt.show()
interact(draw, k=IntSlider(0, 0, FRAMES - 1));
"""


def live_times(browser, folder: Path) -> dict[str, list[float]]:
    """Return the times of `explore` and `interact` in JupyterLab."""
    env = environment(folder / "home")
    env["PYTHONPATH"] = str(Path(__file__).parents[1])
    write_notebook(folder / "explore.ipynb", LIVE)
    write_notebook(folder / "interact.ipynb", INTERACT)
    with (
        server(command(LAB), env, folder) as url,
        open_page(browser, f"{url}/lab/tree/explore.ipynb") as (ours, _),
        open_page(browser, f"{url}/lab/workspaces/two/tree/interact.ipynb") as (theirs, _),
    ):
        run_all(ours)
        ours.wait_for_selector(".explore[data-ready]")
        run_all(theirs)
        theirs.wait_for_selector(".widget-output img")
        slider, output = ".widget-slider [role=slider]", ".widget-output"
        return take_turns(
            {
                "explore": (ours, ".explore input", ".explore-figure"),
                "interact": (theirs, slider, output),
            }
        )


def rows(times: Mapping[str, list[float]], ours: str) -> Iterator[str]:
    """Yield a line of a table for each contender: milliseconds, and the ratio to ours."""
    for name, mine in times.items():
        low, middle, high = statistics.quantiles(mine, n=4)
        ratio = statistics.median(a / b for a, b in zip(times[ours], mine, strict=True))
        shown = "" if name == ours else f"{ratio:.2f}"
        yield f"| {name} | {middle:.0f} ({low:.0f} to {high:.0f}) | {shown} |"


def sizes(statics: Mapping[str, Static]) -> Iterator[str]:
    """Yield a line of a table for each static page: bytes, gzipped, a frame, and the script."""
    for name, static in statics.items():
        plain = [file.read_bytes() for file in static.files]
        whole, zipped = sum(map(len, plain)), sum(len(compress(text)) for text in plain)
        script = len(compress(static.script.read_bytes()))
        yield (
            f"| {name} | {whole / 1e3:,.0f} | {zipped / 1e3:,.0f} | {whole / FRAMES / 1e3:.1f} |"
            f" {script / 1e3:,.0f} |"
        )


def document() -> str:
    """Measure all and return the tables."""
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        statics = {
            "explore": explore_page(folder),
            "Stack, SVG": stack_page(folder, "svg"),
            "Stack, PNG": stack_page(folder, "png"),
        }
        with static_pages(browser, folder, statics) as pages:
            still = take_turns(pages)
        (folder / "live").mkdir()
        live = live_times(browser, folder / "live")
        size_rows = list(sizes(statics))
    heads = "|---|---|---|"
    return "\n".join(
        [
            "# Widgets against ipywidgets",
            "",
            *__doc__.splitlines()[2:-2],
            "",
            about(),
            "",
            "## Size of a static page with one widget of 60 frames",
            "",
            "| page | kB | kB gzipped | kB a frame | shared script, kB gzipped |",
            "|---|---|---|---|---|",
            *size_rows,
            "",
            "## Key to painted frame in a static page",
            "",
            "| page | milliseconds, median (quartiles of the rounds) | ours / theirs |",
            heads,
            *rows(still, "explore"),
            "",
            "## Key to painted frame in JupyterLab, drawing included",
            "",
            "| widget | milliseconds, median (quartiles of the rounds) | ours / theirs |",
            heads,
            *rows(live, "explore"),
        ]
    )


def main() -> None:
    """Measure, print the tables and write them to results/widgets.md."""
    text = document()
    print(text)
    (RESULTS / "widgets.md").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
