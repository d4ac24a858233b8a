"""The assignments' notebooks as the tests see them: reading, answering, and marking in process."""

import contextlib
import functools
import io
import warnings
from pathlib import Path
from types import CodeType

import nbformat
from nbformat import NotebookNode

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
    """Points for these answers, by nbgrader's rules: an error or a word on stderr is worth nothing.

    Runs the graded cells of the source notebook in one namespace, as a kernel would, but in this
    process and without the figures: a hundred times faster.
    """
    namespace: dict = {"__name__": "__main__"}
    marks = {}
    for cell_role, cell_id, code, worth in _graded_cells():
        if cell_role == "answer":
            code = given[cell_id.removesuffix("-solution")]
        passed = _runs(code, namespace)
        if cell_role == "tests":
            marks[cell_id.removesuffix("-tests")] = worth if passed else 0
    return marks


@functools.cache
def _graded_cells() -> list[tuple[str, str, str, float]]:
    return [
        (role(cell), cell.id, cell.source, cell.metadata.nbgrader.get("points", 0))
        for cell in source().cells
        if cell.cell_type == "code" and role(cell)
    ]


@functools.cache
def _compiled(code: str) -> CodeType:
    return compile(code, "<cell>", "exec")


def _runs(code: str, namespace: dict) -> bool:
    stderr = io.StringIO()
    with (
        warnings.catch_warnings(record=True, action="always") as shown,  # to stderr, in a kernel
        contextlib.redirect_stderr(stderr),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        try:
            exec(_compiled(code), namespace)
        except Exception:
            return False
    return not shown and not stderr.getvalue()
