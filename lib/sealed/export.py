"""Marks for Moodle's and Canvas' gradebooks: plugins for ``nbgrader export``.

    nbgrader export --exporter=sealed.export.MoodleExportPlugin --to=grading/moodle.csv
    nbgrader export --exporter=sealed.export.CanvasExportPlugin --to=grading/canvas.csv

Both write a row for each student and a column for each assignment. A mark is nbgrader's score less
the late penalty. It is left empty, and the log says so, while a person has still to read something
or a hand-in has not been graded; who has handed in nothing gets `missing`.

Moodle (*Grades, Import, CSV file*) finds a student by one of the columns: map *Email address* to
the email address, *ID number* to the ID number or *Username* to the username. Canvas (*Gradebook,
Import*) finds a student by ID, else by SIS Login ID, else by name, and an assignment by its title
and the ID in parentheses, which `columns` can give.
"""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import ExportPlugin
from traitlets import Dict, Unicode

from sealed.roster import Known, students_of
from sealed.storage import write_atomically

UNFINISHED, UNGRADED, MISSING = "unfinished", "ungraded", "missing"


class Row(NamedTuple):
    """A student and their marks."""

    student: Known
    marks: dict[str, float | str]  # by assignment: a mark, or one of the words above


class Table(NamedTuple):
    """What is exported."""

    max_scores: dict[str, float]  # by assignment
    rows: list[Row]


def table(
    gradebook: Gradebook,
    assignments: Sequence[str] = (),
    students: Sequence[str] = (),
    handed_in: Callable[[str, str], bool] = lambda assignment, student: False,
) -> Table:
    """Return the marks of students, late penalties taken off.

    Parameters
    ----------
    gradebook
        nbgrader's gradebook.
    assignments, students
        Which; all if there are none.
    handed_in
        Whether there are files for an assignment of a student: without marks in the gradebook
        they are ungraded, not missing.

    Raises
    ------
    ValueError
        If the gradebook has no such assignment or student.
    """
    max_scores = {str(a.name): float(a.max_score or 0) for a in gradebook.assignments}
    known = {student.id: student for student in students_of(gradebook)}
    _check("assignment", assignments, max_scores)
    _check("student", students, known)
    max_scores = {name: max_scores[name] for name in assignments or max_scores}
    rows = []
    by_name = sorted(known, key=lambda id_: (known[id_].last_name, known[id_].first_name, id_))
    for id_ in students or by_name:
        marks: dict[str, float | str] = {}
        for name in max_scores:
            try:
                submission: Any = gradebook.find_submission(name, id_)
            except MissingEntry:
                marks[name] = UNGRADED if handed_in(name, id_) else MISSING
                continue
            penalty = submission.late_submission_penalty or 0.0
            marks[name] = (
                UNFINISHED
                if submission.needs_manual_grade
                else max(0.0, submission.score - penalty)
            )
        rows.append(Row(known[id_], marks))
    return Table(max_scores, rows)


def names(given: Iterable[Any]) -> list[str]:
    """Return the names that nbgrader's command line gives, where 007 arrives as a number."""
    return [str(name) for name in given]


def _check(what: str, asked: Iterable[str], known: Iterable[str]) -> None:
    if unknown := sorted(set(asked) - set(known)):
        raise ValueError(
            f"no {what} {', '.join(unknown)} in the gradebook, which has: "
            f"{', '.join(sorted(known)) or 'none'}"
        )


def number(mark: float) -> str:
    """Return a mark as both systems read it: with a point, and no digits that mean nothing."""
    return f"{mark:.5f}".rstrip("0").rstrip(".")


def plain(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula.

    Students choose their names, and a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a
    line break is run by Excel and others when an instructor opens the file.
    """
    text = text.replace("\0", "")
    return "'" + text if text.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else text


def write_csv(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write a CSV file as a whole or not at all.

    Raises
    ------
    ValueError
        If the file cannot be written there.
    """
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    try:
        write_atomically(path, text.getvalue().encode())
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from error


class LmsExportPlugin(ExportPlugin):
    """What the exports to both systems have in common."""

    columns = Dict(
        help="The name of an assignment's column, where it is not the assignment's: for Canvas "
        "'Title (ID)' as in its own export, for Moodle the name of the grade item.",
    ).tag(config=True)
    missing = Unicode("0", help="The mark of a student who handed in nothing.").tag(config=True)

    default_to = "grades.csv"

    def lines(self, marks: Table) -> list[list[str]]:
        """Return the file's cells, headers first."""
        raise NotImplementedError

    def export(self, gradebook: Gradebook) -> None:
        """Write the marks of the gradebook.

        Parameters
        ----------
        gradebook
            nbgrader's gradebook.
        """
        app: Any = self.parent
        to = Path(self.to or self.default_to)
        course = app.coursedir

        def handed_in(assignment: str, student: str) -> bool:
            return Path(
                course.format_path(course.submitted_directory, student, assignment)
            ).is_dir()

        try:
            marks = table(gradebook, names(self.assignment), names(self.student), handed_in)
            for what, who in self.remarks(marks):
                self.log.warning("%s: %s", what, ", ".join(who))
            write_csv(to, self.lines(marks))
        except ValueError as error:
            app.fail(str(error))
        self.log.info("Wrote the marks of %d students to %s", len(marks.rows), to)

    def remarks(self, marks: Table) -> list[tuple[str, list[str]]]:
        """Return what an instructor should know before the file is imported, and of whom."""
        found = []
        for name in marks.max_scores:
            for state, words in (
                (UNFINISHED, "left empty, because a person has still to mark a part"),
                (UNGRADED, "left empty, because the hand-in has not been graded"),
                (MISSING, f"nothing was handed in, so the mark is {self.missing!r}"),
            ):
                who = [row.student.id for row in marks.rows if row.marks[name] == state]
                if who:
                    found.append((f"{name}: {words}", who))
        changed = [
            row.student.id for row in marks.rows if any(plain(text) != text for text in row.student)
        ]
        if changed:
            found.append(("an apostrophe keeps spreadsheets from running a name or ID", changed))
        return found

    def cells(self, row: Row) -> list[str]:
        """Return a student's marks as the file has them."""
        written = {UNFINISHED: "", UNGRADED: "", MISSING: self.missing}
        return [
            written[mark] if isinstance(mark, str) else number(mark) for mark in row.marks.values()
        ]


class MoodleExportPlugin(LmsExportPlugin):
    """Marks as a CSV file that Moodle's grade import reads."""

    default_to = "moodle.csv"

    def lines(self, marks: Table) -> list[list[str]]:
        """Return the file's cells: who a student is in the three ways that Moodle knows; marks."""
        who = ["First name", "Last name", "ID number", "Email address", "Username"]
        header = [*who, *(plain(self.columns.get(name, name)) for name in marks.max_scores)]
        rows = [
            [plain(text) for text in (s.first_name, s.last_name, s.lms_user_id, s.email, s.id)]
            + self.cells(row)
            for row in marks.rows
            for s in [row.student]
        ]
        return [header, *rows]

    def remarks(self, marks: Table) -> list[tuple[str, list[str]]]:
        """Return the common remarks, and whom Moodle would not find: it then imports nothing."""
        found = super().remarks(marks)
        for column, field in (("Email address", "email"), ("ID number", "lms_user_id")):
            who = [row.student.id for row in marks.rows if not getattr(row.student, field)]
            if who:
                found.append((f"do not map students by {column!r}, which is missing", who))
        if max(marks.max_scores.values(), default=0) > 100:
            found.append(("Moodle imports no mark above 100 unless set so", list(marks.max_scores)))
        return found


class CanvasExportPlugin(LmsExportPlugin):
    """Marks as a CSV file that Canvas' gradebook import reads."""

    default_to = "canvas.csv"

    def lines(self, marks: Table) -> list[list[str]]:
        """Return the file's cells: Canvas' five columns of who a student is, and marks."""
        who = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
        header = [*who, *(plain(self.columns.get(name, name)) for name in marks.max_scores)]
        possible = ["    Points Possible", "", "", "", "", *map(number, marks.max_scores.values())]
        rows = []
        for row in marks.rows:
            student = row.student
            name = ", ".join(filter(None, (student.last_name, student.first_name))) or student.id
            cells = [name, student.lms_user_id, "", student.id, ""]
            rows.append([*map(plain, cells), *self.cells(row)])
        return [header, possible, *rows]

    def remarks(self, marks: Table) -> list[tuple[str, list[str]]]:
        """Return the common remarks, and whom Canvas has to find without its ID."""
        found = super().remarks(marks)
        who = [row.student.id for row in marks.rows if not row.student.lms_user_id]
        if who:
            found.append(("no Canvas ID: found by login or name, so look at the preview", who))
        return found
