"""The marks of an assignment in the gradebook, read at once."""

from dataclasses import dataclass, replace

from nbgrader.api import (
    BaseCell,
    Grade,
    Gradebook,
    Notebook,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import select

from sealed.course import Assignment

Task = tuple[str, str]  # notebook and grade id


@dataclass(frozen=True)
class Mark:
    """What the gradebook says of a task of a hand-in."""

    auto: float | None
    manual: float | None
    score: float
    max_score: float
    needs_person: bool


@dataclass(frozen=True)
class Entry:
    """What the gradebook says of a hand-in.

    Attributes
    ----------
    extension : str
        How much later than others the student may hand in.
    marks : dict
        Its marks by notebook and grade id.
    penalty : float
        Points that are taken off because it was late.
    """

    extension: str
    marks: dict[Task, Mark]
    penalty: float


@dataclass(frozen=True)
class Marks:
    """What the gradebook says of an assignment.

    Attributes
    ----------
    id : str
        Its id there; another one is another gradebook.
    due : str
        When hand-ins were due.
    entries : dict
        What was handed in, by student.
    """

    id: str
    due: str
    entries: dict[str, Entry]


def read(assignment: Assignment) -> Marks:
    """Return what the gradebook says of an assignment that is entered there."""
    with Gradebook(assignment.course.db_url, assignment.course.course_id) as book:
        entered = book.find_assignment(assignment.name)
        worth = {
            cell.id: cell.max_score
            for notebook in entered.notebooks
            for cell in [*notebook.grade_cells, *notebook.task_cells]
        }
        entries, of_notebook = {}, {}
        for row in book.db.execute(
            select(
                SubmittedAssignment.student_id.label("student"),
                SubmittedAssignment.extension,
                SubmittedNotebook.id.label("notebook"),
                SubmittedNotebook.late_submission_penalty.label("penalty"),
            )
            .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .where(SubmittedAssignment.assignment_id == entered.id)
        ):
            entry = entries.setdefault(row.student, Entry(str(row.extension), {}, 0.0))
            entries[row.student] = replace(entry, penalty=entry.penalty + (row.penalty or 0.0))
            of_notebook[row.notebook] = entry.marks
        for row in book.db.execute(
            select(
                SubmittedNotebook.id.label("submitted"),
                Notebook.name.label("notebook"),
                BaseCell.id.label("cell"),
                BaseCell.name.label("task"),
                Grade.auto_score,
                Grade.manual_score,
                Grade.score,
                Grade.needs_manual_grade,
            )
            .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
            .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
            .join(BaseCell, BaseCell.id == Grade.cell_id)
            .where(Notebook.assignment_id == entered.id)
        ):
            of_notebook[row.submitted][row.notebook, row.task] = Mark(
                row.auto_score,
                row.manual_score,
                row.score,
                worth[row.cell],
                row.needs_manual_grade,
            )
        return Marks(str(entered.id), str(entered.duedate), entries)
