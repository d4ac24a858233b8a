"""Marks of a notebook in this process and one namespace: what nbgrader gives it, but fast.

Nothing is kept apart here: it is for notebooks that one trusts, such as the instructor's own.
The cells run in IPython, as in a kernel; the marks are nbgrader's own reading of their outputs.
"""

import atexit
import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat.v4
from nbformat import NotebookNode
from nbgrader import utils

from sealed import sandbox
from sealed.inside.cells import Cells, Shell
from sealed.plan import bound_names, free_names, is_test


@dataclass(frozen=True)
class Outcome:
    """What a test cell gave.

    Attributes
    ----------
    points, max_points : float
        The mark, and the best one.
    problem : str
        The error, or what was written to stderr, in one line; "" if there is none.
    """

    points: float
    max_points: float
    problem: str


@dataclass(frozen=True)
class Run:
    """What running a notebook gave: each test cell's outcome by its grade id, and the names."""

    tests: dict[str, Outcome]
    names: dict[str, Any]


def mark(
    notebook: NotebookNode, *, folder: Path | None = None, cell_seconds: float = 30.0
) -> dict[str, float]:
    """Return the points of each test cell, by its grade id. The parameters are those of `run`."""
    outcomes = run(notebook, folder=folder, cell_seconds=cell_seconds).tests
    return {grade_id: outcome.points for grade_id, outcome in outcomes.items()}


def run(notebook: NotebookNode, *, folder: Path | None = None, cell_seconds: float = 30.0) -> Run:
    """Run a notebook's code cells in turn, and mark its test cells by nbgrader's rules.

    An error or a word on stderr is worth nothing; a last expression that is a number is the mark;
    anything else has every point.

    Parameters
    ----------
    notebook
        A notebook whose test cells are whole, such as the source, or one that `answered` made.
    folder
        Where it runs: its files can be opened, and its modules imported. Default: where we are.
    cell_seconds
        How long a cell may run. One that runs longer has an error, and the next one begins.

    Returns
    -------
    Run
        The outcomes and the names that were bound in the end.
    """
    tests = {}
    with _kernel(folder) as (cells, shown):
        for cell in notebook.cells:
            if cell.cell_type != "code":
                continue
            shown.clear()
            cells.keep(1 << 20)
            outputs, _ = cells.run(cell.source, cells.shell.execution_count, cell_seconds)
            if "matplotlib.pyplot" in sys.modules:  # a kernel shows figures at the end of a cell
                sys.modules["matplotlib.pyplot"].close("all")
            if is_test(cell):
                tests[cell.metadata.nbgrader.grade_id] = _outcome(cell, outputs, shown)
        names = dict(cells.names)
    return Run(tests, names)


def is_answer(cell: NotebookNode) -> bool:
    """Return whether a student writes code in the cell that tests then use."""
    return cell.cell_type == "code" and utils.is_solution(cell) and not utils.is_grade(cell)


def answers(notebook: NotebookNode) -> dict[str, str]:
    """Return the source of each answer cell, by its grade id."""
    return {c.metadata.nbgrader.grade_id: c.source for c in notebook.cells if is_answer(c)}


def answered(notebook: NotebookNode, given: Mapping[str, str]) -> NotebookNode:
    """Return a copy, without outputs, in which answer cells hold what is given by grade id.

    Raises
    ------
    KeyError
        If there is no such answer cell.
    """
    if unknown := given.keys() - answers(notebook).keys():
        raise KeyError(f"no answer cell {', '.join(sorted(unknown))}")
    cells = []
    for cell in notebook.cells:
        new = NotebookNode({key: value for key, value in cell.items() if key != "outputs"})
        if cell.cell_type == "code":
            new.outputs, new.execution_count = [], None
        if is_answer(cell):
            new.source = given.get(cell.metadata.nbgrader.grade_id, cell.source)
        cells.append(new)
    return NotebookNode({**notebook, "cells": cells})


def essential(notebook: NotebookNode, tests: Collection[str] | None = None) -> NotebookNode:
    """Return the notebook with only those code cells that marks depend on.

    A cell matters if it binds a name that a later one needs, down to the test cells. Figures, for
    example, drop out, unless a test uses a name that their cells bind.

    Parameters
    ----------
    notebook
        A notebook whose answers are there: a name that they use is a name that is needed.
    tests
        Grade ids of the test cells that matter. Default: all of them, and then every answer and
        every locked cell is kept, too.
    """
    kept = []
    wanted: set[str] = set()
    for cell in reversed(notebook.cells):
        if cell.cell_type != "code":
            continue
        if tests is None:
            always = is_test(cell) or is_answer(cell) or utils.is_locked(cell)
        else:
            always = is_test(cell) and cell.metadata.nbgrader.grade_id in tests
        bound = bound_names(cell.source)
        if always or wanted & bound or "*" in bound:
            kept.append(cell)
            wanted |= free_names(cell.source)
    return NotebookNode({**notebook, "cells": kept[::-1]})


def _outcome(cell: NotebookNode, outputs: list[dict], shown: list) -> Outcome:
    if shown:  # a kernel prints warnings, to stderr
        text = "".join(f"{w.category.__name__}: {w.message}\n" for w in shown)
        outputs = [{"output_type": "stream", "name": "stderr", "text": text}, *outputs]
    ran = nbformat.v4.new_code_cell(
        cell.source,
        metadata=cell.metadata,
        outputs=[nbformat.v4.new_output(**output) for output in outputs],
    )
    try:
        points, max_points = utils.determine_grade(ran)
    except ValueError as error:  # more points than there are
        return Outcome(0.0, float(cell.metadata.nbgrader.points), str(error))
    problems = [
        f"{output['ename']}: {output['evalue']}"
        if output["output_type"] == "error"
        else output["text"]
        for output in outputs
        if output["output_type"] == "error" or output.get("name") == "stderr"
    ]
    problem = " ".join(problems[0].split())[:500] if problems else ""
    return Outcome(float(points or 0), max_points, problem)


@contextlib.contextmanager
def _kernel(folder: Path | None) -> Iterator[tuple[Cells, list]]:
    """Yield cells in a fresh namespace and the list of warnings; put everything back at the end.

    What a kernel has and this process perhaps has not: itself as `__main__`, the notebook's folder
    as working directory and first on the path, Python's own filters of warnings, figures inline.
    """
    modules, path, handlers = dict(sys.modules), list(sys.path), logging.root.handlers
    with contextlib.ExitStack() as stack:
        stack.callback(setattr, logging.root, "handlers", handlers)
        logging.root.handlers = []  # so that a log goes to stderr, as in a kernel
        if folder is not None:
            folder = folder.resolve()
            stack.enter_context(contextlib.chdir(folder))
            sys.path.insert(0, str(folder))
        stack.enter_context(_inline_figures())
        shown = stack.enter_context(warnings.catch_warnings(record=True))
        _default_filters()
        cells = Cells()
        cells.shell.InteractiveTB.set_mode("Minimal")  # tracebacks would take most of the time
        try:
            yield cells, shown
        finally:
            Shell.clear_instance()
            atexit.unregister(cells.shell.atexit_operations)  # it would keep the namespace, too
            sys.path[:] = path
            sys.modules["__main__"] = modules["__main__"]
            if folder is not None:
                for name, module in list(sys.modules.items()):
                    file = getattr(module, "__file__", None)
                    if name not in modules and file and Path(file).is_relative_to(folder):
                        del sys.modules[name]


def _default_filters() -> None:
    """Show the warnings that Python shows when nothing else is said, each place once."""
    warnings.resetwarnings()
    for kind in (ResourceWarning, ImportWarning, PendingDeprecationWarning, DeprecationWarning):
        warnings.simplefilter("ignore", kind)
    warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")


@contextlib.contextmanager
def _inline_figures() -> Iterator[None]:
    before = os.environ.get("MPLBACKEND")
    pyplot = sys.modules.get("matplotlib.pyplot")
    backend = pyplot.get_backend() if pyplot else None
    os.environ["MPLBACKEND"] = sandbox.INLINE
    if pyplot:
        pyplot.switch_backend(sandbox.INLINE)
    try:
        yield
    finally:
        if before is None:
            del os.environ["MPLBACKEND"]
        else:
            os.environ["MPLBACKEND"] = before
        if pyplot:
            pyplot.switch_backend(backend)
