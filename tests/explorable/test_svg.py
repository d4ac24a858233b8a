"""The compact SVG shows what matplotlib's own SVG shows."""

import io
import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorable import colour, ellipse, graph, marker
from explorable.style import STYLE
from explorable.svg import prefix_ids, relative_path, to_svg

TOKEN = re.compile(r"[A-Za-z]|[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?")
LENGTH = {"m": 2, "l": 2, "q": 4, "c": 6}


def busy_figure():
    """A figure with curves, markers, text, formulas, an image, hatches and clipping."""
    rng = np.random.default_rng(0)
    x = np.linspace(0, 6, 100)
    fig, axes = plt.subplots(3, 1, figsize=(5.5, 6))
    axes[0].plot(x, np.sin(x), color=colour(0))
    axes[0].scatter(*rng.normal(3, 1, (2, 30)), marker=marker(3), color=colour(1), s=20)
    axes[0].fill_between(x, np.sin(x), alpha=0.3)
    axes[0].set(xlabel=r"$\mathbf{x}_t$", title="Minus −1, and % & <", xlim=(1, 5))
    axes[1].bar([1, 2], [3, 4], hatch="//", color=colour(2), edgecolor="black")
    axes[1].imshow(rng.random((4, 4)), extent=(3, 4, 0, 1), cmap="cividis")
    ellipse(axes[1], (2, 2), [[1, 0.5], [0.5, 0.4]], colour=colour(4), label="two")
    graph(axes[2], {"q": (0, 1), "S_1": (1, 1), "x": (1, 0)}, [("q", "S_1"), ("S_1", "x")],
          observed=["x"], fixed=["q"])  # fmt: skip
    return fig


def absolute_points(path: str) -> list[tuple[float, float]]:
    """Return the points of a path with absolute or relative M, L, Q, C, z commands."""
    tokens = TOKEN.findall(path)
    points, command, here, start, i = [], "", (0.0, 0.0), (0.0, 0.0), 0
    while i < len(tokens):
        if tokens[i].isalpha():
            command, i = tokens[i], i + 1
        if command in "zZ":
            here = start
            continue
        n = LENGTH[command.lower()]
        numbers = [float(t) for t in tokens[i : i + n]]
        i += n
        origin = here if command.islower() else (0.0, 0.0)
        new = [
            (origin[0] + a, origin[1] + b) for a, b in zip(numbers[::2], numbers[1::2], strict=True)
        ]
        here = new[-1]
        start = here if command in "mM" else start
        points += new
    return points


def parts(svg: str):
    """Yield the visible paths, places of use and transforms of an SVG in document order."""
    for element in ET.fromstring(svg).iter():
        tag = element.tag.partition("}")[2] or element.tag
        style = element.get("style", "").replace(" ", "")
        if tag == "path" and style != "fill:none" and element.get("d"):
            unit = 64 if element.get("transform") else 1  # letters are drawn 64 times too large
            yield "path", [c / unit for point in absolute_points(element.get("d")) for c in point]
        if tag == "use":
            yield "use", [float(element.get(k, 0)) for k in ("x", "y")]
        if element.get("transform"):
            yield (
                "transform",
                [float(n) for n in TOKEN.findall(element.get("transform")) if n[-1].isdigit()],
            )


def originals(fig) -> str:
    """Return matplotlib's own SVG of a figure whose layout stands."""
    file = io.StringIO()
    fig.savefig(file, format="svg")
    return file.getvalue()


@pytest.fixture(scope="module")
def pair():
    """matplotlib's SVG and ours of the same figure."""
    with mpl.rc_context(STYLE):
        fig = busy_figure()
        ours = to_svg(fig)
        theirs = originals(fig)
        plt.close(fig)
    return theirs, ours


def test_geometry_is_kept_within_a_twentieth_of_a_point(pair):
    theirs, ours = (list(parts(svg)) for svg in pair)
    assert [kind for kind, _ in theirs] == [kind for kind, _ in ours]
    assert len(ours) > 100
    for (kind, a), (_, b) in zip(theirs, ours, strict=True):
        tolerance = 0.005 if kind == "transform" else 0.05
        np.testing.assert_allclose(b, a, atol=tolerance + 1e-9, rtol=0)


def test_scales_are_not_rounded(pair):
    theirs, ours = ((sorted(re.findall(r"scale\([^)]*\)", svg))) for svg in pair)
    assert theirs == ours
    assert "scale(0.015625)" in ours


def test_it_is_much_smaller(pair):
    theirs, ours = pair
    assert len(ours) < 0.65 * len(theirs)


def test_ink_and_paper_follow_the_page(pair):
    _, ours = pair
    assert "#000000" not in ours
    assert "#ffffff" not in ours
    assert "stroke:currentColor" in ours
    assert "fill:currentColor" in ET.fromstring(ours).get("style")


def test_nothing_leaks_into_the_page(pair):
    _, ours = pair
    tags = {element.tag for element in ET.fromstring(ours).iter()}
    assert not tags & {"style", "metadata", "title"}
    assert "20" not in re.findall(r"<dc:date>(..)", ours)
    assert "matplotlib" not in ours.lower()


def test_ids_stay_only_where_something_refers_to_them(pair):
    _, ours = pair
    defined = set(re.findall(r' id="([^"]+)"', ours))
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', ours))
    assert defined == used
    renamed = prefix_ids(ours, "one-")
    assert set(re.findall(r' id="([^"]+)"', renamed)) == {f"one-{name}" for name in defined}
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', renamed)) == {f"one-{n}" for n in used}


def test_it_is_the_same_in_every_run():
    drawings = []
    for _ in range(2):
        with mpl.rc_context(STYLE):
            fig = busy_figure()
            drawings.append(to_svg(fig))
            plt.close(fig)
    assert drawings[0] == drawings[1]


coordinates = st.floats(-1000, 1000)


@given(st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=200))
def test_rounding_does_not_add_up_along_a_path(points):
    path = "M " + " L ".join(f"{x:.6f} {y:.6f}" for x, y in points) + " z"
    short = relative_path(path, 1)
    np.testing.assert_allclose(absolute_points(short), points, atol=0.0501)


def test_a_closed_part_begins_the_next_one_at_its_start():
    path = "M 1 1 L 5 1 L 5 5 z M 2 2 Q 3 3 4 2 C 5 5 6 6 7 7 z"
    assert absolute_points(relative_path(path, 1)) == absolute_points(path)


def test_an_unknown_command_is_refused():
    with pytest.raises(ValueError, match="command 'A'"):
        relative_path("M 0 0 A 1 1 0 0 0 2 2", 1)
