"""Runs of `sealed grade` that end before their time, and the runs after them."""

import os
import signal

import psutil
import pytest
from nbgrader.api import Gradebook

from sealed import run
from tests.sealed import courses, stand_ins
from tests.sealed.stand_ins import FULL, report, scores

pytestmark = pytest.mark.slow

STUDENTS = [f"student{i}" for i in range(6)]


@pytest.fixture
def handed_in(course):
    """A course in which six hand-ins take a while each."""
    for student in STUDENTS:
        stand_ins.hand_in(course, student, "# takes 0.5")
    return course


def stored(course, what: str) -> set[str]:
    folder = course.root / "grading" / "sealed" / "tiny" / ".grading" / what
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    return {name for name in names if not name.startswith(".")}  # those are half written


def ends_with(process, code: int) -> str:
    said, _ = process.communicate(timeout=600)
    assert process.returncode == code, said
    return said


def grade(course) -> None:
    with stand_ins.started(course) as process:
        ends_with(process, run.DONE)


def assert_every_mark_is_there_once(course, students=STUDENTS):
    with Gradebook(course.db_url) as book:
        for student in students:
            (notebook,) = book.find_submission("tiny", student).notebooks
            assert sorted(grade.name for grade in notebook.grades) == sorted(FULL)
    for student in students:
        assert scores(course, student) == FULL


def test_after_a_power_cut_exactly_what_is_left_is_run(handed_in):
    with stand_ins.started(handed_in) as process:
        stand_ins.until(lambda: len(stored(handed_in, "hand-ins")) >= 2, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    results, graded = len(stored(handed_in, "results")), stored(handed_in, "hand-ins")
    assert 2 <= len(graded) < len(STUDENTS)
    stand_ins.forget_runs(handed_in)
    grade(handed_in)
    ran = stand_ins.runs(handed_in)
    assert len(ran) == len(STUDENTS) - results
    assert not graded.intersection(ran)
    assert_every_mark_is_there_once(handed_in)


def test_ctrl_c_leaves_no_process_and_the_next_run_goes_on(handed_in):
    with stand_ins.started(handed_in) as process:
        stand_ins.until(lambda: len(stored(handed_in, "hand-ins")) >= 2, process)
        os.killpg(process.pid, signal.SIGINT)
        said = ends_with(process, run.INTERRUPTED)
        stand_ins.until(lambda: not _members(process.pid))
    graded = stored(handed_in, "hand-ins")
    left = len(STUDENTS) - len(graded)
    assert f"interrupted. {left} hand-ins are left; call it again" in said
    assert "Traceback" not in said
    stand_ins.forget_runs(handed_in)
    grade(handed_in)
    assert not graded.intersection(stand_ins.runs(handed_in))
    assert_every_mark_is_there_once(handed_in)


def test_workers_end_with_the_process_that_started_them(handed_in):
    with stand_ins.started(handed_in) as process:
        stand_ins.until(lambda: stand_ins.processes(handed_in), process)
        process.kill()
        stand_ins.until(lambda: not _members(process.pid) - {process.pid})


def test_a_killed_worker_costs_nothing(handed_in):
    with stand_ins.started(handed_in) as process:
        stand_ins.until(lambda: len(stand_ins.processes(handed_in)) >= 3, process)
        os.kill(stand_ins.processes(handed_in)[-1], signal.SIGKILL)
        ends_with(process, run.DONE)
    assert_every_mark_is_there_once(handed_in)


def test_a_hand_in_that_kills_its_worker_twice_costs_only_itself(handed_in):
    killer = STUDENTS[1]
    stand_ins.hand_in(handed_in, killer, "# kills")
    with stand_ins.started(handed_in) as process:
        said = ends_with(process, run.PROBLEMS)
    words = "it ended the process that ran it, twice"
    assert f"  {killer}: {words}" in said
    assert report(handed_in)["hand_ins"][killer]["problem"] == words
    assert stand_ins.runs(handed_in).count(killer) == 2
    marks = courses.marks(handed_in, "tiny")[killer]
    assert all(mark.auto == 0 and mark.needs_manual_grade for mark in marks.values())
    assert_every_mark_is_there_once(handed_in, [s for s in STUDENTS if s != killer])


def _members(group: int) -> set[int]:
    """The processes of a group."""
    return {process for process in psutil.pids() if _group(process) == group}


def _group(process: int) -> int | None:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return None
