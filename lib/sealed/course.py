"""A course as nbgrader knows it: its settings, its assignments, and what was handed in."""

import glob
import hashlib
import json
import logging
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbgrader.apps import AutogradeApp
from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import is_grade, is_task
from rapidfuzz import process


class CourseError(Exception):
    """Nothing can be done before somebody mends the course; the message says what is wrong."""


@dataclass(frozen=True)
class Assignment:
    """An assignment of a course.

    Attributes
    ----------
    app : AutogradeApp
        nbgrader's application, which holds the settings.
    name : str
        The name of the assignment.
    notebooks : tuple of str
        Names of its notebooks, in order.
    tasks : tuple of (str, str)
        Notebook and grade id of each cell that has points, in the order of the source.
    digest : str
        Changes whenever a file of the source does.
    """

    app: AutogradeApp
    name: str
    notebooks: tuple[str, ...]
    tasks: tuple[tuple[str, str], ...]
    digest: str

    @property
    def course(self) -> CourseDirectory:
        """Where the course's folders and its gradebook are."""
        return course_of(self.app)

    def folder(self, step: str, student: str) -> Path:
        """Return the folder of a student's files in one of nbgrader's steps."""
        return Path(self.course.format_path(step, student, self.name))


def load() -> AutogradeApp:
    """Read the settings of the course in the current folder, as `nbgrader` does.

    Raises
    ------
    CourseError
        If there are no settings here.
    """
    if not Path("nbgrader_config.py").exists():
        raise CourseError(
            f"{Path.cwd()} has no nbgrader_config.py: run this in the course's folder"
        )
    app = AutogradeApp()
    app.initialize([])
    return app


def course_of(app: AutogradeApp) -> CourseDirectory:
    """Return the course that an application was started for."""
    course = app.coursedir
    assert isinstance(course, CourseDirectory)  # from `initialize` on
    return course


def find(app: AutogradeApp, name: str) -> Assignment:
    """Return an assignment by its name.

    Raises
    ------
    CourseError
        If the course has no source of that name.
    """
    course = course_of(app)
    folder = Path(course.format_path(course.source_directory, ".", name))
    notebooks = sorted(path for path in folder.glob("*.ipynb") if path.is_file())
    if not notebooks:
        others = [p.parent.name for p in folder.parent.glob("*/*.ipynb")]
        close = process.extractOne(name, others, score_cutoff=50)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise CourseError(f"no assignment {name!r}: {folder} has no notebook{hint}")
    tasks = []
    for path in notebooks:
        try:
            cells = nbformat.read(path, as_version=4).cells
        except Exception as error:
            raise CourseError(f"{path} is no notebook: {error}") from error
        tasks += [
            (path.stem, cell.metadata.nbgrader.grade_id)
            for cell in cells
            if is_grade(cell) or is_task(cell)
        ]
    files = sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(folder)}\0{_file_digest(path)}\0".encode())
    names = tuple(path.stem for path in notebooks)
    return Assignment(app, name, names, tuple(tasks), digest.hexdigest())


def students(assignment: Assignment, wanted: str = "*") -> list[str]:
    """Return who handed in, in order; `wanted` is a pattern such as `--student` of nbgrader.

    Raises
    ------
    CourseError
        If nobody did.
    """
    course = assignment.course
    pattern = course.format_path(course.submitted_directory, wanted, glob.escape(assignment.name))
    named = course.format_path(
        course.submitted_directory, "(?P<student>.*)", re.escape(assignment.name), escape=True
    )
    excluded = course.student_id_exclude.split(",")
    found = {
        match["student"] for path in glob.glob(pattern) if (match := re.fullmatch(named, path))
    }
    if not found.difference(excluded):
        raise CourseError(
            f"no hand-ins of {assignment.name}: nothing is at {pattern}. "
            "Collect them first: nbgrader collect, or nbgrader zip_collect"
        )
    return sorted(found.difference(excluded))


def enter(assignment: Assignment) -> None:
    """Enter the tests of the source into the gradebook, as `nbgrader generate_assignment` does.

    The release that students have stays as it is.

    Raises
    ------
    CourseError
        If nbgrader refuses, as for cells that came or went after marks were given.
    """
    log, errors = quiet_log()
    with tempfile.TemporaryDirectory() as release:
        course = CourseDirectory(parent=assignment.app, log=log, assignment_id=assignment.name)
        course.release_directory = release
        course.notebook_id = "*"
        converter = GenerateAssignment(
            coursedir=course, parent=assignment.app, log=log, force=True, permissions=644
        )
        try:
            converter.start()
        except NbGraderException as error:
            raise CourseError(
                f"{assignment.name} cannot be entered in the gradebook: {errors.last or error}"
            ) from error


def settings_digest(app: AutogradeApp) -> str:
    """Return what changes whenever a setting does that marks may depend on."""
    elsewhere = {"CourseDirectory", "NbGrader", "Application", "Exchange", AutogradeApp.__name__}
    settings = {name: value for name, value in app.config.items() if name not in elsewhere}
    text = json.dumps(settings, sort_keys=True, default=_described)
    return hashlib.sha256(text.encode()).hexdigest()


def _described(value: object) -> str:
    """Name a setting that is no plain data: a class or a function by its name, not its address."""
    return getattr(value, "__qualname__", None) or type(value).__qualname__


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Errors(logging.Handler):
    """Keeps the last exception that nbgrader caught, reported to its log, and went on from."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.last: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Look at the exception that is being handled while nbgrader writes to its log."""
        self.last = sys.exc_info()[1] or self.last


def quiet_log() -> tuple[logging.Logger, Errors]:
    """Return a log for nbgrader's converters that prints nothing, and what it keeps."""
    log, errors = logging.Logger("nbgrader", logging.ERROR), Errors()
    log.addHandler(errors)
    return log, errors
