"""The assignments' notebooks as the tests see them: reading, answering, and marking in process."""

import functools
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from sealed import in_process

ROOT = Path(__file__).resolve().parents[2]
NAME = "hidden-markov-models"


def source(name: str = NAME) -> NotebookNode:
    """The notebook with answers and hidden tests."""
    return nbformat.read(ROOT / "solutions" / name / f"{name}.ipynb", as_version=4)


def release(name: str = NAME) -> NotebookNode:
    """The notebook that students get."""
    return nbformat.read(ROOT / "exercises" / name / f"{name}.ipynb", as_version=4)


def role(cell: NotebookNode) -> str:
    """What nbgrader does with the cell: "tests", "answer", "manual", "locked" or "" (nothing)."""
    flags = cell.metadata.get("nbgrader", {})
    if flags.get("grade"):
        return "manual" if flags["solution"] else "tests"
    return "answer" if flags.get("solution") else "locked" if flags.get("locked") else ""


def points(notebook: NotebookNode) -> dict[str, float]:
    """Points of each task that is marked by machine, by the task's name."""
    return {
        cell.id.removesuffix("-tests"): cell.metadata.nbgrader.points
        for cell in notebook.cells
        if role(cell) == "tests"
    }


def answers(notebook: NotebookNode) -> dict[str, str]:
    """Source of each task's answer cell, by the task's name."""
    return {
        cell.id.removesuffix("-solution"): cell.source
        for cell in notebook.cells
        if role(cell) == "answer"
    }


def hand_in(given: dict[str, str], manual: str | None = None) -> NotebookNode:
    """The released notebook with these answers written into it, and perhaps a derivation."""
    notebook = release()
    for cell in notebook.cells:
        if role(cell) == "answer":
            cell.source = given.get(cell.id.removesuffix("-solution"), cell.source)
        elif role(cell) == "manual" and manual is not None:
            cell.source = manual
    return notebook


def mark(given: dict[str, str]) -> dict[str, float]:
    """Points for these answers, by nbgrader's rules and in this process, without the figures."""
    cells = in_process.answered(_essential(), {f"{task}-solution": given[task] for task in given})
    return {
        grade_id.removesuffix("-tests"): points
        for grade_id, points in in_process.mark(cells).items()
    }


@functools.cache
def _essential() -> NotebookNode:
    return in_process.essential(source())
