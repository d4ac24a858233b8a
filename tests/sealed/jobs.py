"""Jobs for `sealed.grading.mark`, made of lines of code instead of notebook files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from sealed import grading
from sealed.limits import Limits

# short, so that a test of what goes wrong is over soon
LIMITS = Limits(
    cell_seconds=5, grace_seconds=3, hand_in_seconds=30, memory_mb=512, output_kb=64, message_mb=4
)


@dataclass(frozen=True)
class Result:
    """What `mark` returns, for tests."""

    notebook: NotebookNode
    tests: dict
    problem: str | None

    def points(self) -> dict[str, float]:
        """Points by grade id."""
        return {name: test["points"] for name, test in self.tests.items()}

    def seen(self) -> str:
        """All that the student gets to see."""
        return json.dumps(self.notebook)

    def text(self, i: int) -> str:
        """What cell i printed."""
        outputs = self.notebook["cells"][i]["outputs"]
        return "".join(o["text"] for o in outputs if o["output_type"] == "stream")


def plain(source: str) -> NotebookNode:
    """An unlabelled cell."""
    return new_code_cell(source)


def locked(source: str, name: str = "setup") -> NotebookNode:
    """A cell of the instructor's that students cannot edit."""
    return _cell(source, name, locked=True)


def answer(source: str, name: str = "answer") -> NotebookNode:
    """A cell for the student's answer."""
    return _cell(source, name, solution=True)


def graded(source: str, name: str = "tests", points: float = 1) -> NotebookNode:
    """A test cell."""
    return _cell(source, name, grade=True, locked=True, points=points)


def hidden(source: str) -> str:
    """A hidden part of a test cell."""
    return f"### BEGIN HIDDEN TESTS\n{source}\n### END HIDDEN TESTS"


def notebook(*cells: NotebookNode, **metadata: object) -> NotebookNode:
    """A notebook of these cells; `sealed` is its metadata of that name."""
    return new_notebook(cells=list(cells), metadata=metadata)


def mark(
    source: NotebookNode,
    hand_in: NotebookNode | Mapping[str, str] | str,
    *,
    files: Mapping[str, str] | None = None,
    limits: Limits = LIMITS,
    sealed: bool = True,
    refused: str = "",
) -> Result:
    """Grade a hand-in: a notebook, the answers by grade id, or the only answer."""
    if isinstance(hand_in, str):
        hand_in = {"answer": hand_in}
    if not isinstance(hand_in, NotebookNode):
        hand_in = with_answers(source, hand_in)
    job = grading.job_of(
        source, hand_in, limits=limits, sealed=sealed, files=files or {}, refused=refused
    )
    result = json.loads(grading.mark(job))
    return Result(result["notebook"], result["tests"], result["problem"])


def with_answers(source: NotebookNode, answers: Mapping[str, str]) -> NotebookNode:
    """The source notebook with these answers instead of its own."""
    cells = []
    for cell in source.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cells.append(NotebookNode(cell, source=answers.get(name, cell.source)))
    return NotebookNode(source, cells=cells)


def _cell(source: str, name: str, points: float | None = None, **flags: bool) -> NotebookNode:
    nbgrader = {"grade": False, "solution": False, "locked": False, "task": False} | flags
    nbgrader |= {"grade_id": name, "schema_version": 3}
    if points is not None:
        nbgrader["points"] = points
    return new_code_cell(source, metadata={"nbgrader": nbgrader})
