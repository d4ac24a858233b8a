"""nbgrader's own pass over one hand-in, with results that are computed elsewhere.

Everything that the gradebook gets, it gets here: from nbgrader's `Autograde`, which saves marks,
partial credit, comments and late penalties by its own rules; or, for a hand-in that cannot be
graded, as an entry that waits for a person.
"""

import contextlib
import errno
import functools
import glob
import json
import os
from collections.abc import Iterator

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook
from nbgrader import api
from nbgrader.api import Gradebook, SubmittedNotebook
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import rmtree
from sqlalchemy.exc import InterfaceError, OperationalError
from traitlets.utils.importstring import import_item

from sealed.course import Assignment, CourseError, quiet_log
from sealed.execute import SealedExecute
from sealed.executors import Compute, Lost, Stop
from sealed.sandbox import SandboxError
from sealed.storage import write_atomically


@contextlib.contextmanager
def one_engine() -> Iterator[None]:
    """Let nbgrader have one database engine an address, and not nine for each hand-in.

    Each would compile every statement anew: an eighth of its pass over a small hand-in.
    """
    make = api.create_engine
    api.create_engine = functools.cache(make)
    try:
        yield
    finally:
        api.create_engine = make


def autograde(assignment: Assignment, student: str, compute: Compute) -> str:
    """Let nbgrader grade a hand-in.

    Parameters
    ----------
    assignment : Assignment
        What was handed in.
    student : str
        Who handed it in.
    compute : callable
        From a job to its result, as `sealed.grading.mark`.

    Returns
    -------
    str
        Why the hand-in could not be run, or not to its end; empty if all is well.

    Raises
    ------
    Lost
        If nbgrader cannot grade it; its marks may be half written.
    Stop
        If no other hand-in could be graded either: no database, a full disk.
    """
    problems = []

    class Delivering(SealedExecute):
        """Has its results computed elsewhere."""

        def mark(self, job: bytes) -> bytes:
            result = compute(job)
            # nbgrader sets this for a pass and deletes it after: another's pass may have ended
            os.environ["NBGRADER_EXECUTION"] = "autograde"
            problems.append(json.loads(result)["problem"])
            return result

    log, errors = quiet_log()
    app = assignment.app
    course = CourseDirectory(parent=app, log=log, assignment_id=assignment.name)
    course.student_id = glob.escape(student)
    converter = Autograde(coursedir=course, parent=app, log=log, force=True)
    steps = [Delivering if step is SealedExecute else step for step in _steps(converter)]
    converter.set_trait("autograde_preprocessors", steps)
    try:
        converter.start()
    except NbGraderException as error:
        cause = errors.last or error
        if isinstance(cause, Stop | Lost):
            raise cause from None
        if _stops(cause):
            raise Stop(_words(cause)) from cause
        raise Lost(f"nbgrader could not grade it: {_words(cause)}") from cause
    found = "; ".join(filter(None, problems))
    if found:
        with _gradebook(assignment) as book:
            for notebook in book.find_submission(assignment.name, student).notebooks:
                for grade in notebook.grades:
                    grade.needs_manual_grade |= not grade.auto_score
            book.db.commit()
    return found


def check(assignment: Assignment) -> SealedExecute:
    """Return the step that runs hand-ins, with its settings.

    Raises
    ------
    CourseError
        If `nbgrader_config.py` does not name it.
    """
    converter = Autograde(coursedir=assignment.course, parent=assignment.app)
    if SealedExecute in _steps(converter):
        return SealedExecute(parent=converter)
    raise CourseError(
        "nbgrader_config.py does not seal: c.Autograde.autograde_preprocessors must have "
        "sealed.execute.SealedExecute in the place of nbgrader's Execute"
    )


def set_aside(assignment: Assignment, student: str, problem: str) -> None:
    """Enter a hand-in that cannot be graded: no points, a comment, and a person is to look at it.

    Marks that a person has given stay. In the place of the graded notebook stands the release
    under a notice, so that nbgrader's formgrader and its feedback have something to show.

    Raises
    ------
    Lost
        If the gradebook does not take it, as for a name that is too long.
    Stop
        If it would not take any other either.
    """
    try:
        _set_aside(assignment, student, problem)
    except Exception as error:
        if _stops(error):
            raise Stop(_words(error)) from error
        raise Lost(f"it could not be entered in the gradebook: {_words(error)}") from error


def _set_aside(assignment: Assignment, student: str, problem: str) -> None:
    course, text = assignment.course, f"This hand-in could not be graded: {problem}."
    execute = check(assignment)
    folder = assignment.folder(course.autograded_directory, student)
    if folder.exists():
        rmtree(str(folder))
    folder.mkdir(parents=True)
    with _gradebook(assignment) as book:
        book.update_or_create_student(student)
        submission = book.update_or_create_submission(assignment.name, student)
        for notebook in submission.notebooks:
            notebook.late_submission_penalty = None
            for grade in notebook.grades:
                grade.auto_score, grade.needs_manual_grade = 0, True
            for comment in notebook.comments:
                comment.auto_comment = text
            page = folder / f"{notebook.name}.ipynb"
            write_atomically(page, nbformat.writes(_notice(assignment, notebook, text)).encode())
            names = {"student": student, "assignment": assignment.name, "notebook": notebook.name}
            execute.write_record(_record(notebook, problem), {"nbgrader": names})
        book.db.commit()


def _steps(converter: Autograde) -> list:
    """Return the classes of what nbgrader does after sanitizing."""
    return [import_item(s) if isinstance(s, str) else s for s in converter.autograde_preprocessors]


def _gradebook(assignment: Assignment) -> Gradebook:
    return Gradebook(assignment.course.db_url, assignment.course.course_id)


def _notice(assignment: Assignment, notebook: SubmittedNotebook, text: str) -> NotebookNode:
    path = assignment.folder(assignment.course.release_directory, ".") / f"{notebook.name}.ipynb"
    page = nbformat.read(path, as_version=4) if path.exists() else new_notebook()
    page.cells.insert(0, new_markdown_cell(f"**{text}** What follows is the assignment."))
    return page


def _record(notebook: SubmittedNotebook, problem: str) -> dict:
    """Return what `SealedExecute` would keep of a hand-in that gets nothing."""
    written = {cell.name for cell in notebook.notebook.solution_cells}
    test = {"points": 0.0, "passed": False, "hidden": False, "seconds": 0.0}
    test |= {"message": problem, "details": problem}
    tests = {
        cell.name: test | {"max_points": cell.max_score}
        for cell in notebook.notebook.grade_cells
        if cell.name not in written
    }
    return {"tests": tests, "problem": problem, "seconds": 0.0, "cpu_seconds": 0.0}


def _stops(error: BaseException) -> bool:
    """Whether an error would come with any other hand-in too."""
    full = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE}
    if isinstance(error, OSError):
        return error.errno in full
    return isinstance(error, OperationalError | InterfaceError | SandboxError | CourseError)


def _words(error: BaseException) -> str:
    """Return the first line of an error, which may hold anything that the student wrote."""
    text = str(error).strip().replace("\0", "") or type(error).__name__
    return text.splitlines()[0][:300]
