"""Marks go out: to Moodle's and Canvas' gradebooks, and as nbgrader's own CSV."""

import csv
import os
from datetime import UTC, datetime, timedelta

import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import NbGrader
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from sealed.export import CanvasExportPlugin, MoodleExportPlugin, number, plain, table, write_csv
from tests.sealed import courses, gradebooks, tiny

# nbgrader's own way of adding a submission
pytestmark = pytest.mark.filterwarnings("ignore:Object of type:sqlalchemy.exc.SAWarning")
DUE = datetime(2026, 11, 1, 12)


@pytest.fixture
def book(tmp_path):
    """Two assignments of 10 points: code by machine (8), words by a person (2)."""
    with gradebooks.gradebook(tmp_path) as book:
        for name in ("hmm", "viterbi"):
            book.add_assignment(name, duedate=DUE)
            book.add_notebook(name, name)
            book.add_grade_cell("code", name, name, max_score=8, cell_type="code")
            book.add_grade_cell("words", name, name, max_score=2, cell_type="markdown")
        yield book


def add_student(book, student, code=None, words=None, penalty=None, assignment="hmm", **fields):
    """A student and, with marks for code, a hand-in."""
    book.update_or_create_student(student, **fields)
    if code is None:
        return
    book.add_submission(assignment, student)
    notebook = book.find_submission_notebook(assignment, assignment, student)
    notebook.late_submission_penalty = penalty
    for cell, mark in (("code", code), ("words", words)):
        grade = book.find_grade(cell, assignment, assignment, student)
        grade.auto_score, grade.needs_manual_grade = mark, mark is None
    book.db.commit()


def export(plugin, book, folder, **settings):
    """What the exporter writes, as rows of cells."""
    app = NbGrader(coursedir=CourseDirectory(root=str(folder)))
    config = Config({plugin.__name__: settings, "ExportPlugin": {"to": str(folder / "out.csv")}})
    plugin(parent=app, config=config).export(book)
    with (folder / "out.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


WHO = ["First name", "Last name", "ID number", "Email address", "Username"]
ADA = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@x.org", "lms_user_id": "12345"}


def test_moodle_gets_three_ways_to_find_a_student(book, tmp_path):
    add_student(book, "ada", 7.5, 2, **ADA)
    assert export(
        MoodleExportPlugin, book, tmp_path, columns={"hmm": "Assignment: HMM (Real)"}
    ) == [
        [*WHO, "Assignment: HMM (Real)", "viterbi"],
        ["Ada", "Lovelace", "12345", "ada@x.org", "ada", "9.5", "0"],
    ]


def test_canvas_gets_its_columns_and_the_row_of_possible_points(book, tmp_path):
    add_student(book, "ada", 7.5, 2, **ADA)
    add_student(book, "georgeboole", 1, 1)
    assert export(CanvasExportPlugin, book, tmp_path, columns={"hmm": "HMMs (77)"}) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "HMMs (77)", "viterbi"],
        ["    Points Possible", "", "", "", "", "10", "10"],
        ["georgeboole", "", "", "georgeboole", "", "2", "0"],
        ["Lovelace, Ada", "12345", "", "ada", "", "9.5", "0"],
    ]


@pytest.mark.parametrize("plugin", [MoodleExportPlugin, CanvasExportPlugin])
def test_half_a_mark_is_not_exported(book, tmp_path, plugin, capsys):
    add_student(book, "ada", 8, None, **ADA)
    add_student(book, "george", 8, 2, **ADA)
    rows = export(plugin, book, tmp_path)
    assert [row[5] for row in rows[-2:]] == ["", "10"]
    assert (
        "hmm: left empty, because a person has still to mark a part: ada" in capsys.readouterr().err
    )


def test_a_late_penalty_is_taken_off_and_a_mark_is_never_below_zero(book):
    add_student(book, "ada", 8, 2, penalty=2.5)
    add_student(book, "george", 1, 0, penalty=5)
    assert [row.marks["hmm"] for row in table(book).rows] == [7.5, 0.0]


def test_who_handed_in_nothing_gets_what_the_course_says(book, tmp_path, capsys):
    add_student(book, "ada")
    assert export(MoodleExportPlugin, book, tmp_path)[1][5:] == ["0", "0"]
    assert "hmm: nothing was handed in, so the mark is '0': ada" in capsys.readouterr().err
    assert export(MoodleExportPlugin, book, tmp_path, missing="")[1][5:] == ["", ""]


def test_a_hand_in_that_was_never_graded_is_not_taken_for_none(book, tmp_path, capsys):
    add_student(book, "ada")
    (tmp_path / "submitted" / "ada" / "hmm").mkdir(parents=True)
    assert export(MoodleExportPlugin, book, tmp_path)[1][5:] == ["", "0"]
    assert (
        "hmm: left empty, because the hand-in has not been graded: ada" in capsys.readouterr().err
    )


def test_names_arrive_as_they_are(book, tmp_path):
    names = ['Ada "Countess", of\nLovelace', "Zoë 数学", "O'Neil", "a;b\tc"]
    for i, name in enumerate(names):
        add_student(book, f"s{i}", first_name=name, last_name=str(i))
    assert [row[0] for row in export(MoodleExportPlugin, book, tmp_path)[1:]] == names


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", " =1", "=\0"])
def test_a_name_is_no_formula(book, tmp_path, name, capsys):
    add_student(book, "eve", first_name=name, last_name=name)
    for plugin, column in ((MoodleExportPlugin, 0), (CanvasExportPlugin, 0)):
        assert export(plugin, book, tmp_path)[-1][column].startswith("'")
    assert (
        "an apostrophe keeps spreadsheets from running a name or ID: eve" in capsys.readouterr().err
    )
    assert plain("Ada - Lovelace = x") == "Ada - Lovelace = x"


def test_marks_have_no_digits_that_mean_nothing():
    marks = [0.1 + 0.2, 10.0, 0.0, 7.5, 1 / 3, 100.0]
    assert [number(mark) for mark in marks] == ["0.3", "10", "0", "7.5", "0.33333", "100"]


def test_only_what_was_asked_for_is_exported(book, tmp_path):
    for student in ("ada", "george", "7"):
        add_student(book, student, 8, 2)
    asked = table(book, ["hmm"], ["7", "ada"])
    assert [row.student.id for row in asked.rows] == ["7", "ada"]
    assert list(asked.max_scores) == ["hmm"]
    with pytest.raises(ValueError, match=r"no assignment hm, v in the gradebook.*: hmm, viterbi"):
        table(book, ["hm", "v", "hmm"])
    with pytest.raises(ValueError, match=r"no student eve in the gradebook, which has: 7, ada"):
        table(book, [], ["eve"])


def test_moodle_is_warned_of_students_it_would_not_find(book, tmp_path, capsys):
    add_student(book, "ada", **ADA)
    add_student(book, "eve")
    export(MoodleExportPlugin, book, tmp_path)
    assert (
        "do not map students by 'Email address', which is missing: eve" in capsys.readouterr().err
    )


def test_a_file_is_written_as_a_whole_or_not_at_all(tmp_path):
    path = tmp_path / "marks.csv"
    path.write_text("old")

    def rows():
        yield ["new"]
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        write_csv(path, rows())
    assert (os.listdir(tmp_path), path.read_text()) == (["marks.csv"], "old")
    with pytest.raises(ValueError, match=r"nowhere/marks\.csv cannot be written: No such file"):
        write_csv(tmp_path / "nowhere" / "marks.csv", [])


@pytest.mark.slow
def test_an_extension_takes_lateness_and_penalty_away_and_marks_are_exported(tmp_path):
    course = courses.make(
        tmp_path,
        {"tiny": tiny.source()},
        config=courses.SEALED + '\nc.LateSubmissionPlugin.penalty_method = "zero"\n',
    )
    with Gradebook(course.db_url, "latent") as book:
        book.update_or_create_assignment("tiny", duedate=DUE)
        book.add_student("ada", **ADA)
    solved = tiny.answered(courses.released(course, "tiny"), tiny.ANSWERS)
    late = (DUE + timedelta(hours=30)).replace(tzinfo=UTC)
    courses.hand_in(course, "ada", solved, assignment="tiny", when=late)
    courses.nbgrader(course, "autograde", "tiny")

    def lateness():
        with Gradebook(course.db_url, "latent") as book:
            submission = book.find_submission("tiny", "ada")
            return submission.total_seconds_late, submission.late_submission_penalty

    assert lateness() == (30 * 3600, 10)
    with Gradebook(course.db_url, "latent") as book:
        book.grant_extension("tiny", "ada", days=2)
        assert book.find_submission("tiny", "ada").duedate == DUE + timedelta(days=2)
    courses.nbgrader(course, "autograde", "tiny", "--force")
    assert lateness() == (0, 0)

    to = course.root / "grading" / "out.csv"
    exporter = "--exporter=sealed.export.CanvasExportPlugin"
    courses.nbgrader(course, "export", exporter, f"--to={to}")
    with to.open(newline="") as file:
        assert list(csv.reader(file))[2] == ["Lovelace, Ada", "12345", "", "ada", "", "10"]
    courses.nbgrader(course, "export", f"--to={to}")  # nbgrader's own
    with to.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["student_id"], row["score"], row["max_score"]) == ("ada", "10.0", "12.0")
    wrong = courses.nbgrader(course, "export", exporter, "--assignment=tinny", check=False)
    assert wrong.returncode == 1
    assert "no assignment tinny in the gradebook, which has: tiny" in wrong.stderr
    assert "Traceback" not in wrong.stderr
