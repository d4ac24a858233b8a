"""Through nbgrader itself: hand-ins are autograded, and the gradebook says what they got."""

import copy
import shutil
import subprocess
import sys
from dataclasses import dataclass

import nbformat
import pytest
from notebooks import NAME, ROOT, answers, hand_in, points, release, role, source
from wrong_answers import WRONG

pytestmark = pytest.mark.slow

ANSWERS, STUBS, POINTS = answers(source()), answers(release()), points(source())

# of each task, what a student would find in the library
FROM_THE_LIBRARY = {
    "still-running": "the library's marginals with an absorbing exit",
    "weighted-lloyd": "the library's K-means",
    "bound-and-gap": "the library's sums on a grid",
    "switching-step": "the library's update",
    "tied-step": "the library's M-step, averaged",
    "censored-step": "the library's normal M-step",
}


@dataclass(frozen=True)
class Mark:
    score: float | None
    needs_manual_grade: bool


def graded_part(notebook: nbformat.NotebookNode, *, without: str = "") -> nbformat.NotebookNode:
    """The hand-in of a student who deleted the figures, and perhaps another cell."""
    notebook = copy.deepcopy(notebook)
    notebook.cells = [cell for cell in notebook.cells if role(cell) and cell.id != without]
    return notebook


def hand_ins() -> dict[str, nbformat.NotebookNode]:
    """A notebook for each student."""
    no_python = ANSWERS | {"bound-and-gap": "this is not Python"}
    no_clusters = ANSWERS | {"weighted-lloyd": STUBS["weighted-lloyd"]}
    made = {
        "as-released": release(),
        "solution": source(),
        "no-python": graded_part(hand_in(no_python, manual="Because of Bayes' rule.")),
        "deleted-tests": graded_part(hand_in(no_clusters), without="weighted-lloyd-tests"),
    }
    for task, what in FROM_THE_LIBRARY.items():
        made[task] = graded_part(hand_in(ANSWERS | {task: WRONG[task][what]}))
    return made


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course in which everybody's notebook has been handed in and autograded."""
    root = tmp_path_factory.mktemp("course")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    shutil.copytree(ROOT / "solutions", root / "solutions")
    for student, notebook in hand_ins().items():
        folder = root / "grading" / "submitted" / student / NAME
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / f"{NAME}.ipynb")
    for command in (["generate_assignment", NAME], ["autograde", NAME]):
        run_nbgrader(root, *command)
    return root


def run_nbgrader(root, *command):
    run = subprocess.run(
        [sys.executable, "-m", "nbgrader", *command], cwd=root, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-5000:]


@pytest.fixture(scope="module")
def gradebook(course) -> dict[str, dict[str, Mark]]:
    """Marks by student and by task; the derivation is the task "derivation-answer"."""
    from nbgrader.api import Gradebook

    marks = {}
    with Gradebook(f"sqlite:///{course / 'grading' / 'gradebook.db'}") as book:
        for submission in book.assignment_submissions(NAME):
            (notebook,) = submission.notebooks
            marks[submission.student.id] = {
                grade.name.removesuffix("-tests"): Mark(grade.auto_score, grade.needs_manual_grade)
                for grade in notebook.grades
            }
    return marks


def autograded(marks: dict[str, Mark]) -> dict[str, float]:
    assert not any(marks[task].needs_manual_grade for task in POINTS)
    return {task: marks[task].score for task in POINTS}


def test_every_hand_in_is_marked(gradebook):
    assert set(gradebook) == set(hand_ins())


def test_the_release_handed_in_as_it_is_gets_nothing(gradebook):
    marks = gradebook["as-released"]
    assert autograded(marks) == dict.fromkeys(POINTS, 0)
    assert marks["derivation-answer"] == Mark(0, False)  # nothing written, nothing to read


def test_the_solution_gets_every_machine_marked_point(gradebook):
    marks = gradebook["solution"]
    assert autograded(marks) == POINTS
    assert sum(POINTS.values()) == 15
    assert marks["derivation-answer"] == Mark(None, True)


def test_a_derivation_waits_for_a_person(gradebook):
    assert gradebook["no-python"]["derivation-answer"] == Mark(None, True)


def test_an_answer_that_is_no_python_loses_exactly_its_task(gradebook):
    assert autograded(gradebook["no-python"]) == POINTS | {"bound-and-gap": 0}


def test_the_library_does_not_answer_a_task(gradebook):
    got = {task: autograded(gradebook[task]) for task in POINTS}
    assert got == {task: POINTS | {task: 0} for task in POINTS}


def test_deleting_a_test_cell_gains_nothing(gradebook):
    assert autograded(gradebook["deleted-tests"]) == POINTS | {"weighted-lloyd": 0}


def test_feedback_and_marks_are_written(course):
    student = "weighted-lloyd"
    run_nbgrader(course, "generate_feedback", NAME, f"--student={student}")
    page = course / "grading" / "feedback" / student / NAME / f"{NAME}.html"
    assert "the weighted means of {0, 1} and {10, 14}" in page.read_text(encoding="utf-8")
    run_nbgrader(course, "export", "--to=grading/marks.csv")
    assert f",{student}," in (course / "grading" / "marks.csv").read_text()


def test_the_gradebook_lies_in_the_folder_that_git_ignores(course):
    made = {path.name for path in course.iterdir()} - {"nbgrader_config.py", "__pycache__"}
    assert made == {"solutions", "exercises", "grading"}
    assert "grading/" in (ROOT / ".gitignore").read_text().split()
