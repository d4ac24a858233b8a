"""A gradebook in PostgreSQL, on a real server."""

import os
from datetime import datetime

import pytest
from nbgrader.api import Gradebook
from sqlalchemy import create_engine, text

from sealed import course as courses_of
from sealed import run
from tests.sealed import courses, postgres, stand_ins, tiny
from tests.sealed.stand_ins import FULL, report

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def db_url():
    with postgres.server() as url:
        yield url


@pytest.fixture
def database(course, db_url):
    """The course, with its gradebook in an empty database of the server."""
    name = f"gradebook_{os.getpid()}"
    engine = create_engine(db_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = db_url.removesuffix("postgres") + name
    with (course.root / "nbgrader_config.py").open("a") as config:
        config.write(f"c.CourseDirectory.db_url = {url!r}\n")
    yield url
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def grade() -> int:
    return run.grade(courses_of.find(courses_of.load(), "tiny"), stand_ins.here())


def marks(database, student):
    with Gradebook(database, "latent") as book:
        (notebook,) = book.find_submission("tiny", student).notebooks
        return {mark.name: (mark.auto_score, mark.score) for mark in notebook.grades}


def test_marks_are_kept_in_postgresql(course, database):
    stand_ins.hand_in(course, "ada", when=datetime(2026, 1, 3, 12))
    stand_ins.hand_in(course, "bob", "# fails walk-tests", "# gets 0.5 of caesar-tests")
    courses.hand_in(course, "cyd", b"", assignment="tiny")
    assert grade() == run.PROBLEMS
    assert marks(database, "ada") == {task: (mark, mark) for task, mark in FULL.items()}
    assert marks(database, "bob")["caesar-tests"] == (0.5, 0.5)
    assert marks(database, "cyd") == dict.fromkeys(FULL, (0, 0))
    sqlite = courses.marks(course, "tiny")  # the file that the course had before
    assert sqlite == {}


def test_a_regrade_in_postgresql_keeps_manual_marks(course, database):
    stand_ins.hand_in(course, "ada", "# fails walk-tests")
    grade()
    with Gradebook(database, "latent") as book:
        book.find_grade("walk-tests", "tiny", "tiny", "ada").manual_score = 2
        book.db.commit()
    stand_ins.hand_in(course, "ada")
    assert grade() == run.DONE
    assert marks(database, "ada")["walk-tests"] == (3, 2)
    assert [c["task"] for c in report(course)["changed"]] == ["walk-tests"]
    assert stand_ins.runs(course) == ["ada", "ada"]


def test_nbgraders_own_commands_work_on_it(course, database):
    stand_ins.hand_in(course, "ada")
    grade()
    courses.nbgrader(course, "db", "upgrade")
    courses.nbgrader(course, "generate_feedback", "tiny")
    courses.nbgrader(course, "export", "--to", "marks.csv")
    assert ",ada," in (course.root / "marks.csv").read_text()
    assert sum(tiny.POINTS.values()) == sum(mark for mark, _ in marks(database, "ada").values())
