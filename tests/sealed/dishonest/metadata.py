"""Hand-ins that change the notebook itself: cells, their order, what is written about them."""

import copy

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output

from tests.sealed import tiny
from tests.sealed.dishonest.kinds import HandIn, cheat, position, test_cells

METADATA = "editing notebook and cell metadata"
CELLS = "deleting or duplicating test cells"


def _skipped(notebook: NotebookNode):
    for cell in test_cells(notebook):
        cell.metadata.tags = ["skip-execution", "raises-exception"]
        points = str(cell.metadata.nbgrader.points)
        cell.outputs = [new_output("execute_result", {"text/plain": points}, execution_count=1)]


def _worth_more(notebook: NotebookNode):
    for cell in test_cells(notebook):
        cell.metadata.nbgrader.points = 100


def _unlocked(notebook: NotebookNode):
    for cell in test_cells(notebook):
        cell.metadata.nbgrader.update(locked=False, checksum="0" * 32)
        cell.source = "3"


def _swapped(notebook: NotebookNode):
    cells = test_cells(notebook)
    ids = [cell.metadata.nbgrader.grade_id for cell in cells]
    for cell, grade_id in zip(cells, ids[1:] + ids[:1], strict=True):
        cell.metadata.nbgrader.grade_id = cell.id = grade_id


def _by_hand(notebook: NotebookNode):
    for cell in test_cells(notebook):
        cell.metadata.nbgrader.update(solution=True, locked=False)
        cell.source = "3"


def _ungraded(notebook: NotebookNode):
    for cell in test_cells(notebook):
        cell.metadata.nbgrader.update(grade=False, locked=False, solution=False)
        del cell.metadata.nbgrader["points"]
        cell.source = "True"


def _texts(notebook: NotebookNode):
    for cell in test_cells(notebook):
        cell.cell_type = "markdown"
        del cell["outputs"], cell["execution_count"]
        cell.source = "I passed."


def _answers_as_tests(notebook: NotebookNode):
    for cell, test in zip(
        (c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("solution")),
        test_cells(notebook),
        strict=False,
    ):
        cell.metadata.nbgrader = copy.deepcopy(test.metadata.nbgrader)


def _allows_all(notebook: NotebookNode):
    notebook.metadata.sealed = {
        "modules": ["latent", "nbgrader", "sealed", "os"],
        "unsealed": True,
        "limits": {"cell_seconds": 1e9},
        "tests": dict.fromkeys(tiny.POINTS, 100),
    }
    notebook.metadata.nbgrader = {"grade": True, "points": 100}


def _old_schema(notebook: NotebookNode):
    for cell in test_cells(notebook):
        cell.metadata.nbgrader.schema_version = 0


def _new_schema(notebook: NotebookNode):
    for cell in test_cells(notebook):
        cell.metadata.nbgrader.schema_version = 99


def _nonsense(notebook: NotebookNode):
    for cell in test_cells(notebook):
        cell.metadata.nbgrader.update(points="many", grade="yes", locked=None)
    notebook.metadata.title = {"authors": [None] * 10}


def _tasks(notebook: NotebookNode):
    for cell in test_cells(notebook):
        cell.metadata.nbgrader.task = True


def _nested(notebook: NotebookNode):
    deep: list = []
    for _ in range(400):
        deep = [deep]
    notebook.metadata.deep = deep
    notebook.cells[0].metadata.deep = deep


def _same_ids(notebook: NotebookNode):
    for cell in notebook.cells:
        cell.id = "same"


def _deleted(notebook: NotebookNode):
    notebook.cells = [cell for cell in notebook.cells if cell not in test_cells(notebook)]


def _all_deleted(notebook: NotebookNode):
    notebook.cells = []


def _duplicated(notebook: NotebookNode):
    for cell in test_cells(notebook):
        harmless = copy.deepcopy(cell)
        harmless.source, harmless.id = "3", cell.id + "-too"
        harmless.metadata.nbgrader.locked = False
        notebook.cells.insert(position(notebook, cell.metadata.nbgrader.grade_id), harmless)


def _duplicated_below(notebook: NotebookNode):
    for cell in test_cells(notebook):
        more = copy.deepcopy(cell)
        more.source, more.id = "3", cell.id + "-too"
        notebook.cells.append(more)


def _new_tests(notebook: NotebookNode):
    for n in range(5):
        cell = copy.deepcopy(test_cells(notebook)[0])
        cell.metadata.nbgrader.update(grade_id=f"bonus-{n}", points=20)
        cell.source, cell.id = "20", f"bonus-{n}"
        notebook.cells.append(cell)


def _tests_first(notebook: NotebookNode):
    tests = test_cells(notebook)
    notebook.cells = tests + [cell for cell in notebook.cells if cell not in tests]


def _answers_twice(notebook: NotebookNode):
    """Each answer has another one behind its tests, and a cell that looks like a test."""
    for cell in test_cells(notebook):
        at = position(notebook, cell.metadata.nbgrader.grade_id)
        notebook.cells.insert(at + 1, new_code_cell(cell.source))
    answers = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("solution")]
    for cell in answers[:4]:
        notebook.cells.append(copy.deepcopy(cell))
        notebook.cells[-1].id = cell.id + "-too"


def _setup_changed(notebook: NotebookNode):
    setup = notebook.cells[position(notebook, "setup")]
    setup.metadata.nbgrader.update(locked=False, solution=True)
    setup.source = "class np:\n    array_equal = staticmethod(lambda *given: True)"


CORPUS: list[HandIn] = [
    cheat(name, METADATA, tries, edit=edit)
    for name, tries, edit in [
        (
            "skip-execution",
            "Tags the test cells, with outputs ready, so that none is run.",
            _skipped,
        ),
        ("points", "Makes every test worth a hundred points.", _worth_more),
        ("unlocked", "Unlocks the test cells and replaces their text.", _unlocked),
        ("grade-ids", "Exchanges the names of the test cells, easy ones for hard ones.", _swapped),
        ("by-hand", "Marks the test cells as answers that a person reads.", _by_hand),
        ("ungraded", "Says of the test cells that they are not graded.", _ungraded),
        ("tests-as-text", "Turns the test cells into text.", _texts),
        ("answers-as-tests", "Gives its answers the metadata of the tests.", _answers_as_tests),
        ("old-schema", "Says that its metadata are older than nbgrader reads.", _old_schema),
        ("new-schema", "Says that its metadata are newer than nbgrader reads.", _new_schema),
        ("nonsense", "Has points that are no number, and flags that are none.", _nonsense),
        ("tasks", "Says of the test cells that they are tasks for a person.", _tasks),
        ("nested-metadata", "Nests its metadata hundreds deep.", _nested),
        ("same-ids", "Gives every cell the same id.", _same_ids),
        ("setup", "Unlocks the cell that imports, and imports something else.", _setup_changed),
    ]
]
CORPUS += [
    cheat(
        "allowed-modules",
        METADATA,
        "Allows itself every module in the notebook's metadata, and longer times.",
        answers={"distortion": "from latent import distortion"},
        edit=_allows_all,
    )
]
CORPUS += [
    cheat(name, CELLS, tries, edit=edit)
    for name, tries, edit in [
        ("deleted", "Deletes the test cells.", _deleted),
        ("all-deleted", "Deletes every cell.", _all_deleted),
        ("duplicated", "Puts a cell of the same name before each test.", _duplicated),
        ("duplicated-below", "Puts a cell of the same name at the end.", _duplicated_below),
        ("bonus", "Adds graded cells of its own.", _new_tests),
        ("tests-first", "Moves the tests in front of the answers.", _tests_first),
        ("answers-twice", "Repeats answers and tests in other places.", _answers_twice),
    ]
]
