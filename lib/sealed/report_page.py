"""The page and the figure of a report. Names and messages are strangers' text: all is escaped."""

import io
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from sealed.likeness import code_tokens, shared_lines

if TYPE_CHECKING:
    from sealed.report import Report

# Okabe and Ito's, each told apart by its hatching too
LOOKS = {
    "full": ("all points", "#0072b2", None),
    "part": ("some points", "#56b4e9", "//"),
    "none": ("no points", "#d55e00", "xx"),
    "waiting": ("waits for a person", "#999999", ".."),
}
STYLE: Any = {
    "svg.fonttype": "path",
    "svg.hashsalt": "sealed",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 11,
    "hatch.linewidth": 0.6,
    "hatch.color": "white",
}
SIDE_BY_SIDE, ROWS = 20, 200  # pairs whose answers are shown; pairs in the table


class Answer(NamedTuple):
    """Two answers that are alike, line by line, each line with whether the other has it too."""

    cell: str
    first: list[tuple[str, bool]]
    second: list[tuple[str, bool]]


class Alike(NamedTuple):
    """Two students whose hand-ins are alike."""

    first: str
    second: str
    overall: float | None
    cells: dict[str, float]
    evidence: float
    answers: list[Answer]


def figure(report: "Report") -> str:
    """Return the distribution of marks and how each task went, as SVG in the page's colours."""
    height = 0.42 * len(report.tasks) + 1.0
    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(5.5, 3.0 + height), layout="constrained")
        upper, lower = drawn.subplots(2, 1, height_ratios=[2.4, height])
        _distribution(upper, report)
        _tasks(lower, report)
        if lower.patches:
            drawn.legend(loc="outside lower left", ncols=2, frameon=False)
        buffer = io.StringIO()
        drawn.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    # matplotlib's black is the ink of the page, in light and dark
    svg = re.sub(r"#000000|(?<=: )black", "currentColor", svg)
    return svg.replace("<svg ", '<svg fill="currentColor" aria-hidden="true" ', 1)


def _distribution(axes: Any, report: "Report") -> None:
    found = report.marks()
    step = max(1, math.ceil(report.max_score / 25))
    edges = np.arange(-0.5, report.max_score + step + 0.5, step)
    counts, _ = np.histogram(found, edges)
    axes.bar(edges[:-1] + step / 2, counts, width=0.9 * step, color=LOOKS["full"][1])
    axes.set(xlabel="mark", ylabel="hand-ins", xlim=(-0.5 - step / 2, edges[-1]))
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_title(f"{len(found)} of {len(report.hand_ins)} hand-ins have a mark", loc="left")


def _tasks(axes: Any, report: "Report") -> None:
    left = np.zeros(len(report.tasks))
    places = np.arange(len(report.tasks))[::-1]
    for kind, (label, colour, hatch) in LOOKS.items():
        width = np.array([getattr(task, kind) for task in report.tasks])
        if width.any():
            axes.barh(places, width, left=left, color=colour, hatch=hatch, label=label, height=0.7)
        left = left + width
    axes.set_yticks(places, [_short(task.task) for task in report.tasks])
    axes.set(xlabel="hand-ins")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_title("points by task", loc="left")


def _short(name: str) -> str:
    name = "".join(c if c.isprintable() and c != "$" else "?" for c in name)  # "$" would be TeX
    return name if len(name) <= 24 else name[:23] + "…"


def page(report: "Report", answers: Mapping[str, Mapping[str, str]], svg: str) -> str:
    """Return the report as one HTML page that needs nothing else."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates" / "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    pairs = together(report, answers)
    return environment.get_template("report.html.j2").render(
        report=report,
        summary=report.to_json()["summary"],
        names={hand_in.student: hand_in.name for hand_in in report.hand_ins},
        problems=[hand_in for hand_in in report.hand_ins if hand_in.problem],
        slowest=sorted(
            (h for h in report.hand_ins if h.seconds is not None),
            key=lambda hand_in: -(hand_in.seconds or 0),
        )[:5],
        pairs=pairs[:ROWS],
        n_pairs=len(pairs),
        description=describe(report),
        figure=Markup(svg),  # ours: every text in it is drawn
    )


def describe(report: "Report") -> str:
    """Return what the figure shows, for who cannot see it."""
    found = report.marks()
    marks = (
        f"Marks lie between {number(min(found))} and {number(max(found))}, half of them at "
        f"{number(float(np.median(found)))} or below."
        if found
        else "There are no marks yet."
    )
    tasks = [f"{task.task}, all points for {task.full}" for task in report.tasks]
    return (
        f"Two bar charts. {marks} By task: {'; '.join(tasks)}. The table of tasks has all numbers."
    )


def number(value: float | None) -> str:
    """Return a number with the digits that say something; a dash for none."""
    return "–" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def together(report: "Report", answers: Mapping[str, Mapping[str, str]]) -> list[Alike]:
    """Return the pairs that are alike, the most alike first, with the answers of the first few."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for pair in report.alike:
        found.setdefault((pair.first, pair.second), {})[pair.cell] = pair
    rows = []
    for (first, second), by_cell in found.items():
        overall = by_cell.pop("", None)
        cells = {cell: pair.likeness for cell, pair in by_cell.items()}
        evidence = max(p.evidence for p in [*by_cell.values(), *filter(None, [overall])])
        rows.append(Alike(first, second, overall and overall.likeness, cells, evidence, []))
    rows.sort(key=lambda row: (-(row.overall or 0), -len(row.cells), -row.evidence))
    return [
        row._replace(answers=_side_by_side(row, answers)) if i < SIDE_BY_SIDE else row
        for i, row in enumerate(rows)
    ]


def _side_by_side(row: Alike, answers: Mapping[str, Mapping[str, str]]) -> list[Answer]:
    first, second = answers.get(row.first, {}), answers.get(row.second, {})
    cells = row.cells or first
    return [
        Answer(
            cell,
            _marked(first.get(cell, ""), second.values()),
            _marked(second.get(cell, ""), first.values()),
        )
        for cell in cells
    ]


def _marked(source: str, others: Any) -> list[tuple[str, bool]]:
    shared = shared_lines(source, code_tokens(source), code_tokens("\n".join(others)), [])
    return [(line, i in shared) for i, line in enumerate(source.split("\n"))][:400]
