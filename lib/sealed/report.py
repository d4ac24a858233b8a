"""How an assignment went, as a page, a figure and JSON: the command ``sealed report ASSIGNMENT``.

Marks come from nbgrader's gradebook, messages and times from the records that grading leaves beside
it, likeness from the notebooks as they were handed in. Everything goes to
``grading/reports/ASSIGNMENT/``: it is for instructors, since it names students and says what hidden
tests saw.
"""

import argparse
import json
import logging
import statistics
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook, MissingEntry

from sealed import course, marks, report_page
from sealed.course import Assignment, CourseError
from sealed.execute import SealedExecute
from sealed.likeness import Pair, Token, alike, code_tokens, prose_tokens
from sealed.roster import students_of
from sealed.storage import write_atomically

MAX_NOTEBOOK, MAX_CELL = 10_000_000, 100_000  # bytes and letters that are compared
OTHER = "other cells"  # what a student wrote outside the answers


@dataclass(frozen=True)
class HandIn:
    """A hand-in and its mark.

    Attributes
    ----------
    student, name : str
        The student's id, and their name if the gradebook knows it.
    mark : float or None
        Points less the late penalty; None while a person has still to mark a part, and before
        grading.
    penalty : float
        What was taken off because it was late.
    waits : str
        What the mark waits for: "a person", "grading", or nothing.
    problem : str
        Why the hand-in could not be run, or not to its end; empty if all is well.
    seconds : float or None
        How long it ran.
    """

    student: str
    name: str
    mark: float | None
    penalty: float
    waits: str
    problem: str
    seconds: float | None


@dataclass(frozen=True)
class Message:
    """What a failed test said, and to how many."""

    text: str
    count: int
    hidden: bool
    details: str  # of one of them; instructors only


@dataclass(frozen=True)
class Task:
    """How a task went; `full`, `part`, `none` and `waiting` add up to the hand-ins graded."""

    notebook: str
    task: str
    max_score: float
    mean: float | None
    full: int
    part: int
    none: int
    waiting: int
    messages: list[Message]

    @property
    def failed(self) -> int:
        """How many have not all of its points."""
        return self.part + self.none


@dataclass(frozen=True)
class Report:
    """How an assignment went."""

    assignment: str
    max_score: float
    hand_ins: list[HandIn]
    tasks: list[Task]
    alike: list[Pair]
    not_compared: dict[str, str]  # why, by student

    def marks(self) -> list[float]:
        """Return the marks that are final."""
        return [hand_in.mark for hand_in in self.hand_ins if hand_in.mark is not None]

    def seconds(self) -> list[float]:
        """Return how long the hand-ins ran, in order."""
        return sorted(h.seconds for h in self.hand_ins if h.seconds is not None)

    def to_json(self) -> dict:
        """Return all of it as plain data, with the numbers in short."""
        found, seconds = self.marks(), self.seconds()
        return asdict(self) | {
            "alike": [pair._asdict() for pair in self.alike],
            "summary": {
                "hand_ins": len(self.hand_ins),
                "marked": len(found),
                "mean": statistics.fmean(found) if found else None,
                "median": statistics.median(found) if found else None,
                "problems": sum(bool(hand_in.problem) for hand_in in self.hand_ins),
                "median_seconds": statistics.median(seconds) if seconds else None,
                "most_seconds": seconds[-1] if seconds else None,
            },
        }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("assignment", help="name of the assignment")
    parser.add_argument("--to", type=Path, help="folder (default: grading/reports/ASSIGNMENT)")


def run(arguments: argparse.Namespace) -> int:
    """Write the report; return 0, or 2 if there is nothing to report."""
    try:
        assignment = course.find(course.load(), arguments.assignment)
        report, answers = gather(assignment)
    except CourseError as error:
        print(f"sealed report: {error}", file=sys.stderr)
        return 2
    folder = arguments.to or (
        Path(assignment.course.root) / "grading" / "reports" / assignment.name
    )
    write(report, answers, folder)
    pairs = {(pair.first, pair.second) for pair in report.alike}
    print(
        f"{assignment.name}: {len(report.hand_ins)} hand-ins, {len(report.marks())} marked, "
        f"{len(pairs)} pairs alike: {folder / 'report.html'}"
    )
    return 0


def write(report: Report, answers: Mapping[str, Mapping[str, str]], folder: Path) -> None:
    """Write `report.html`, `report.json` and `figure.svg` into a folder.

    Parameters
    ----------
    report
        What happened.
    answers
        What students wrote, by student and cell, to set the answers that are alike side by side.
    folder
        Where to; made if it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figure = report_page.figure(report)
    page = report_page.page(report, answers, figure)
    data = json.dumps(report.to_json(), indent=1, ensure_ascii=False)
    for name, content in (("figure.svg", figure), ("report.json", data), ("report.html", page)):
        write_atomically(folder / name, content.encode("utf-8", "replace"))


def gather(assignment: Assignment) -> tuple[Report, dict[str, dict[str, str]]]:
    """Return the report of an assignment, and what students wrote by student and cell.

    Raises
    ------
    CourseError
        If nobody has handed in, or nothing has been graded.
    """
    students = course.students(assignment)
    try:
        entries = marks.read(assignment).entries
    except MissingEntry as error:
        raise CourseError(
            f"{assignment.name} is not in the gradebook: run `sealed grade {assignment.name}` first"
        ) from error
    with Gradebook(assignment.course.db_url, assignment.course.course_id) as book:
        names = {s.id: f"{s.first_name} {s.last_name}".strip() for s in students_of(book)}
    records = {student: read_records(assignment, student) for student in students}
    hand_ins = [
        _hand_in(student, names.get(student, ""), entries.get(student), records[student])
        for student in students
    ]
    graded = [entries[student] for student in students if student in entries]
    tasks = [_task(task, graded, records.values()) for task in assignment.tasks]
    answers, not_compared = read_answers(assignment, students)
    given, prose = _given(assignment)
    tokens = {
        student: {
            cell: prose_tokens(text) if cell in prose else code_tokens(text)
            for cell, text in written.items()
        }
        for student, written in answers.items()
    }
    report = Report(
        assignment.name,
        sum(task.max_score for task in tasks),
        hand_ins,
        tasks,
        alike(tokens, given),
        not_compared,
    )
    return report, answers


def read_records(assignment: Assignment, student: str) -> dict[str, dict]:
    """Return what grading noted of a student's hand-in, by notebook."""
    folder = (
        Path(assignment.course.root)
        / SealedExecute(parent=assignment.app).records
        / assignment.name
        / student
    )
    paths = {name: folder / f"{name}.json" for name in assignment.notebooks}
    return {name: json.loads(path.read_bytes()) for name, path in paths.items() if path.exists()}


def _hand_in(student: str, name: str, entry: marks.Entry | None, records: dict) -> HandIn:
    problem = "; ".join(filter(None, (record.get("problem") for record in records.values())))
    seconds = sum(record["seconds"] for record in records.values()) if records else None
    if entry is None or not entry.marks:
        return HandIn(student, name, None, 0.0, "grading", problem, seconds)
    if any(mark.needs_person for mark in entry.marks.values()):
        return HandIn(student, name, None, entry.penalty, "a person", problem, seconds)
    mark = max(0.0, sum(mark.score for mark in entry.marks.values()) - entry.penalty)
    return HandIn(student, name, mark, entry.penalty, "", problem, seconds)


def _task(
    task: marks.Task, graded: Iterable[marks.Entry], records: Iterable[Mapping[str, dict]]
) -> Task:
    found = [entry.marks[task] for entry in graded if task in entry.marks]
    done = [mark for mark in found if not mark.needs_person]
    notebook, name = task
    tests = [
        record[notebook]["tests"][name]
        for record in records
        if notebook in record and name in record[notebook]["tests"]
    ]
    worth = found[0].max_score if found else 0.0
    return Task(
        notebook,
        name,
        worth,
        statistics.fmean(mark.score for mark in done) if done else None,
        sum(mark.score >= worth for mark in done),
        sum(0 < mark.score < worth for mark in done),
        sum(mark.score <= 0 < worth for mark in done),
        len(found) - len(done),
        _messages(tests),
    )


def _messages(tests: Iterable[dict]) -> list[Message]:
    """Return what failed tests said, the most frequent first."""
    failed = [test for test in tests if not test["passed"]]
    counts = Counter((test["message"], test["hidden"]) for test in failed)
    details = {(test["message"], test["hidden"]): test["details"] for test in failed}
    return [
        Message(text, count, hidden, str(details[text, hidden])[:2000])
        for (text, hidden), count in counts.most_common()
    ]


# --- what students wrote ------------------------------------------------------------------------
def _cells(path: Path) -> Iterator[tuple[str, str, dict]]:
    """Yield kind, text and nbgrader's metadata of a notebook's cells, whatever they hold."""
    if path.stat().st_size > MAX_NOTEBOOK:
        raise ValueError(f"larger than {MAX_NOTEBOOK // 10**6} MB")
    content: Any = nbformat.reader.reads(path.read_text(encoding="utf-8"))
    for cell in nbformat.convert(content, to_version=4).cells:
        flags = cell.metadata.get("nbgrader") or {}
        yield str(cell.cell_type), str(cell.source)[:MAX_CELL], dict(flags)


def _name(assignment: Assignment, notebook: str, flags: Mapping[str, Any]) -> str:
    name = str(flags.get("grade_id", OTHER)) if flags.get("solution") else OTHER
    return name if len(assignment.notebooks) == 1 else f"{notebook}: {name}"


def _given(assignment: Assignment) -> tuple[list[list[Token]], set[str]]:
    """Return the tokens of what students were given, and the cells that are answered in prose."""
    given, prose = [], set()
    for notebook in assignment.notebooks:
        path = assignment.folder(assignment.course.release_directory, ".") / f"{notebook}.ipynb"
        if not path.exists():
            raise CourseError(f"{path} is missing: run `nbgrader generate_assignment` first")
        for kind, text, flags in _cells(path):
            given.append(code_tokens(text) if kind == "code" else prose_tokens(text))
            if kind == "markdown" and flags.get("solution"):
                prose.add(_name(assignment, notebook, flags))
    return given, prose


def read_answers(
    assignment: Assignment, students: Iterable[str]
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Return what students wrote, by student and cell, and whose notebooks could not be read."""
    answers: dict[str, dict[str, str]] = {}
    failed: dict[str, str] = {}
    log = logging.getLogger("nbformat")
    for student in students:
        written: dict[str, list[str]] = {}
        folder = assignment.folder(assignment.course.submitted_directory, student)
        for notebook in assignment.notebooks:
            path = folder / f"{notebook}.ipynb"
            if path.is_symlink() or not path.is_file():
                failed[student] = f"{notebook}.ipynb is missing"
                continue
            try:
                log.setLevel(logging.CRITICAL)  # it prints what is invalid, which may be long
                for kind, text, flags in _cells(path):
                    if kind == "code" or flags.get("solution"):
                        written.setdefault(_name(assignment, notebook, flags), []).append(text)
            except Exception as error:  # a stranger's file may be anything
                failed[student] = f"{notebook}.ipynb cannot be read: {str(error)[:200]}"
        answers[student] = {cell: "\n".join(texts) for cell, texts in written.items()}
    return answers, failed
