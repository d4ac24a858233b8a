"""`sealed try NOTEBOOK`: what a student runs before handing in.

The notebook is run as it will be when it is graded: under the same rules and limits, but with the
tests that are in it. Where the machine can seal a process it is sealed; elsewhere it is not, which
matters little: it is the student's own code.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from sealed import grading, in_process, rules, sandbox, views
from sealed.execute import TooMuch, files_of
from sealed.limits import Limits
from sealed.plan import is_test, modules_of

PASSED, FAILED, NOTHING = 0, 1, 2


class AttemptError(Exception):
    """The notebook cannot be tried; the message says why and what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `sealed try` takes."""
    parser.add_argument("notebook", type=Path, help="the notebook that you want to hand in")


def run(arguments: argparse.Namespace) -> int:
    """Try a notebook and print how each task went.

    Returns
    -------
    int
        0 if every test passes, 1 if not, 2 if the notebook cannot be tried.
    """
    probe = sandbox.probe()
    if not probe.sealed:
        print(f"Not sealed, your code runs as you: {probe.words}")
    try:
        notebook = read(arguments.notebook)
        result = attempt(notebook, arguments.notebook.resolve().parent, sealed=probe.sealed)
    except (AttemptError, sandbox.SandboxError, views.UnknownModule) as error:
        print(f"sealed try: {error}", file=sys.stderr)
        return NOTHING
    forbidden = list(_forbidden(notebook, arguments.notebook.resolve().parent))
    print("\n".join(lines_of(arguments.notebook.name, notebook, result, forbidden)))
    passed = all(test["passed"] for test in result["tests"].values())
    return PASSED if passed and not forbidden else FAILED


def read(path: Path) -> NotebookNode:
    """Read a notebook that has tests.

    Raises
    ------
    AttemptError
        If it is not there, is no notebook, or has no tests.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise AttemptError(f"there is no file {path}") from None
    except Exception as error:  # whatever a damaged file makes of its reader
        raise AttemptError(f"{path} is no notebook: {' '.join(str(error).split())[:200]}") from None
    if not any(is_test(cell) for cell in notebook.cells):
        raise AttemptError(f"{path} has no tests: is it the notebook of an assignment?")
    return notebook


def attempt(notebook: NotebookNode, folder: Path, *, sealed: bool) -> dict:
    """Run a notebook with its own tests; return the result of `sealed.grading.mark`.

    Parameters
    ----------
    notebook
        A student's notebook.
    folder
        Where it is: the files beside it belong to it.
    sealed
        Whether to seal it.

    Raises
    ------
    AttemptError
        If there are too many files beside it.
    """
    limits = Limits()
    try:
        files = files_of(folder, limits)
    except TooMuch as error:
        raise AttemptError(f"{error}. Put the notebook in a folder of its own") from None
    bare = in_process.answered(notebook, {})
    job = grading.job_of(bare, bare, limits=limits, sealed=sealed, files=files)
    return json.loads(grading.mark(job))


def lines_of(
    name: str, notebook: NotebookNode, result: dict, forbidden: list[tuple[str, int, str]]
) -> Iterator[str]:
    """Yield what a student reads.

    Parameters
    ----------
    name
        The notebook's file.
    notebook
        What was tried.
    result
        What came of it.
    forbidden
        Task, line and module of each import that is not allowed.
    """
    tests = result["tests"]
    n = sum(test["passed"] for test in tests.values())
    yield f"{name}: {n} of {len(tests)} tests pass"
    if result["problem"]:
        yield f"  It was cut short: {result['problem']}"
    heading, number = "", 0
    for cell, ran in zip(notebook.cells, result["notebook"]["cells"], strict=True):
        heading = _heading(cell) or heading
        if cell.cell_type != "code":
            continue
        number += 1
        if is_test(cell):
            grade_id = cell.metadata.nbgrader.grade_id
            test = tests[grade_id]
            yield f"  {'passed' if test['passed'] else 'FAILED'}  {heading or grade_id}"
            if not test["passed"]:
                yield from (f"          {line}".rstrip() for line in _words(test["message"]))
            elif test["points"] < test["max_points"]:
                yield f"          {test['points']:g} of {test['max_points']:g} points"
        else:
            for output in ran["outputs"]:
                if output["output_type"] == "error" and output["ename"] != "NotImplementedError":
                    words = " ".join(output["evalue"].split())[:200]
                    yield f"  error   code cell {number}: {output['ename']}: {words}"
    for task, line, module in forbidden:
        yield f"  FAILED  {task}, line {line}: {module} cannot be imported when this is graded"
    if n == len(tests) and not forbidden:
        yield "These are the tests that you can see. Others decide when it is graded."


def _words(message: str) -> list[str]:
    """Return the lines that say why a test failed."""
    if message.startswith("NotImplementedError: \n"):
        return ["nothing is written here yet"]
    return message.split("\n")


def _heading(cell: NotebookNode) -> str:
    """Return the last heading of a text cell."""
    if cell.cell_type != "markdown":
        return ""
    found = re.findall(r"^#+\s+(.+?)\s*$", cell.source, re.MULTILINE)
    return found[-1] if found else ""


def _forbidden(notebook: NotebookNode, folder: Path) -> Iterator[tuple[str, int, str]]:
    """Yield heading, line and module of each import of the student's that is not allowed."""
    modules = modules_of(notebook)
    beside = [path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()]
    heading = ""
    for cell in notebook.cells:
        heading = _heading(cell) or heading
        if cell.cell_type == "code" and not is_test(cell):
            for line, module in rules.forbidden_imports(cell.source, [*modules, *beside]):
                yield heading or "a cell", line, module
