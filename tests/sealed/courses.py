"""Courses in temporary folders: make one, hand in, run nbgrader, read what came of it.

    course = courses.make(tmp_path, {"tiny": tiny.source()})
    courses.hand_in(course, "ada", tiny.answered(tiny.ANSWERS), assignment="tiny")
    courses.nbgrader(course, "autograde", "tiny")
    assert courses.marks(course, "tiny")["ada"]["caesar-tests"].score == 2

A course has the folders of the real one (solutions/, exercises/, grading/) and its settings,
or, with `config=STOCK`, the same folders with everything else as nbgrader has it by itself.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import nbformat
from nbformat import NotebookNode

REPOSITORY = Path(__file__).resolve().parents[2]
SEALED = (REPOSITORY / "nbgrader_config.py").read_text(encoding="utf-8")
STOCK = '''\
"""nbgrader as it comes, but for the names of the folders and tests that students deleted."""

import os
import sys
from pathlib import Path

root = Path(__file__).resolve().parent
(root / "grading").mkdir(exist_ok=True)
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

c = get_config()
c.CourseDirectory.course_id = "stock"
c.CourseDirectory.root = str(root)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.submitted_directory = "grading/submitted"
c.CourseDirectory.autograded_directory = "grading/autograded"
c.CourseDirectory.feedback_directory = "grading/feedback"
c.CourseDirectory.db_url = f"sqlite:///{(root / 'grading' / 'gradebook.db').as_posix()}"
c.OverwriteCells.add_missing_cells = True
'''


@dataclass(frozen=True)
class Course:
    """A course's folder, and the command that runs Python with nbgrader in it."""

    root: Path
    python: tuple[str, ...] = (sys.executable,)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def db_url(self) -> str:
        """The gradebook."""
        return f"sqlite:///{(self.root / 'grading' / 'gradebook.db').as_posix()}"


@dataclass(frozen=True)
class Mark:
    """What the gradebook says of one graded cell; `score` joins the machine's and the person's."""

    score: float
    max_score: float
    auto: float | None
    manual: float | None
    needs_manual_grade: bool


def make(
    root: Path,
    sources: Mapping[str, NotebookNode],
    *,
    config: str = SEALED,
    files: Mapping[str, str | bytes] | None = None,
    python: tuple[str, ...] = (sys.executable,),
    environment: Mapping[str, str] | None = None,
) -> Course:
    """A course with these assignments, released.

    Parameters
    ----------
    root
        An empty folder.
    sources
        The notebook with answers and hidden tests of each assignment, by name. The notebook has
        the name of its assignment.
    config
        Text of nbgrader_config.py: SEALED or STOCK, perhaps with lines appended.
    files
        Further files of the course by their path in it, such as "solutions/tiny/data.csv".
    python
        The command that starts Python, as in `nbgrader` below.
    environment
        Variables that nbgrader gets beside those of this process.
    """
    course = Course(root, python, environment or {})
    (root / "grading").mkdir(parents=True, exist_ok=True)
    (root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    for name, content in (files or {}).items():
        _write(root / name, content)
    for name, notebook in sources.items():
        _write(root / "solutions" / name / f"{name}.ipynb", nbformat.writes(notebook))
        nbgrader(course, "generate_assignment", name)
    return course


def released(course: Course, assignment: str) -> NotebookNode:
    """The notebook that students get."""
    path = course.root / "exercises" / assignment / f"{assignment}.ipynb"
    return nbformat.read(path, as_version=4)


def hand_in(
    course: Course,
    student: str,
    notebook: NotebookNode | bytes,
    *,
    assignment: str,
    name: str | None = None,
    files: Mapping[str, str | bytes] | None = None,
    when: datetime | None = None,
) -> Path:
    """Put a student's files where nbgrader collects them; returns their folder.

    A notebook given as bytes is written as it is, valid or not. `name` is its file name where that
    is not the assignment's; `files` are further files by their path beside it.
    """
    folder = course.root / "grading" / "submitted" / student / assignment
    content = notebook if isinstance(notebook, bytes) else nbformat.writes(notebook)
    _write(folder / (name or f"{assignment}.ipynb"), content)
    for path, text in (files or {}).items():
        _write(folder / path, text)
    if when is not None:
        _write(folder / "timestamp.txt", when.strftime("%Y-%m-%d %H:%M:%S.%f UTC"))
    return folder


def nbgrader(
    course: Course, *command: str, check: bool = True, timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run an nbgrader command in the course's folder, in a process of its own.

    Raises
    ------
    AssertionError
        If the command fails, unless `check` is false; its words are in the message.
    subprocess.TimeoutExpired
        If it takes longer than `timeout` seconds.
    """
    run = subprocess.run(
        [*course.python, "-m", "nbgrader", *command],
        cwd=course.root,
        env=os.environ | course.environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
    )
    if check:
        assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-5000:]
    return run


def marks(course: Course, assignment: str) -> dict[str, dict[str, Mark]]:
    """What the gradebook says: by student, by grade id."""
    from nbgrader.api import Gradebook

    with Gradebook(course.db_url) as book:
        return {
            submission.student.id: {
                grade.name: Mark(
                    grade.score,
                    grade.max_score,
                    grade.auto_score,
                    grade.manual_score,
                    grade.needs_manual_grade,
                )
                for notebook in submission.notebooks
                for grade in notebook.grades
            }
            for submission in book.assignment_submissions(assignment)
        }


def autograded(course: Course, student: str, assignment: str) -> NotebookNode:
    """The executed notebook that nbgrader keeps for the instructor."""
    folder = course.root / "grading" / "autograded" / student / assignment
    return nbformat.read(folder / f"{assignment}.ipynb", as_version=4)


def feedback(course: Course, student: str, assignment: str) -> str:
    """The page that the student gets; `nbgrader generate_feedback` makes it."""
    folder = course.root / "grading" / "feedback" / student / assignment
    return (folder / f"{assignment}.html").read_text(encoding="utf-8")


def _write(path: Path, content: str | bytes):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
