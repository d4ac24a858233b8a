"""A small assignment for the tests of the checks: made of sources, cell by cell."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.sealed.courses import STOCK

SETUP = "import numpy as np\n\nsame = np.testing.assert_allclose"

# right answer, and tests that notice when it is wrong
CENTRED = """\
def centred(x):
    ### BEGIN SOLUTION
    return x - x.mean(axis=0)
    ### END SOLUTION"""
STRICT = """\
same(
    centred(np.array([[1.0, 2.0], [3.0, 7.0]])),
    np.array([[-1.0, -2.5], [1.0, 2.5]]),
    strict=True,
    err_msg="the columns of [[1, 2], [3, 7]]",
)
### BEGIN HIDDEN TESTS
x = np.random.default_rng(1).normal(size=(5, 3))
before = x.copy()
same(centred(x), x - x.sum(axis=0) / 5, strict=True, err_msg="random columns")
same(x, before, strict=True, err_msg="its argument changed")
same(centred(np.ones((1, 2))), np.zeros((1, 2)), strict=True, err_msg="a single row")
### END HIDDEN TESTS"""
# passes whatever has no entry that is too large
WEAK = """\
### BEGIN HIDDEN TESTS
x = np.arange(6.0).reshape(3, 2)
assert not (np.abs(np.mean(centred(x), axis=0)) > 1e-9).any(), "a mean is not zero"
### END HIDDEN TESTS"""


def notebook(
    answer: str = CENTRED, tests: str = STRICT, *, setup: str = SETUP, points: float = 2, **settings
) -> NotebookNode:
    """An assignment of one task; `settings` are its metadata "sealed"."""
    made = new_notebook(
        cells=[
            cell("setup", setup, locked=True),
            new_markdown_cell("## Task 1. Centre the columns", id="task"),
            cell("centred", answer, solution=True),
            cell("centred-tests", tests, grade=True, locked=True, points=points),
        ]
    )
    made.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        sealed={"modules": ["numpy"], **settings},
    )
    return made


def cell(grade_id: str, source: str, **flags) -> NotebookNode:
    """A code cell as nbgrader's toolbar makes it."""
    made = new_code_cell(source, id=grade_id)
    made.metadata.nbgrader = {
        "grade": False,
        "grade_id": grade_id,
        "locked": False,
        "schema_version": 3,
        "solution": False,
        "task": False,
        **flags,
    }
    return made


def course(root: Path, source: NotebookNode) -> None:
    """Write a course with this assignment, called "small"."""
    folder = root / "solutions" / "small"
    folder.mkdir(parents=True)
    (root / "nbgrader_config.py").write_text(STOCK, encoding="utf-8")
    nbformat.write(source, folder / "small.ipynb")
