"""No hand-in of the corpus gains a point, learns a hidden test, or does harm.

All of them are graded in one run of `sealed grade`, between the hand-ins of honest neighbours, each
with surroundings of its own to aim at; then there is a test for each.
"""

import contextlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from nbformat import NotebookNode

from tests.sealed import courses, tiny
from tests.sealed.dishonest import CATEGORIES, CORPUS, HandIn
from tests.sealed.dishonest.watch import (
    Watch,
    course_state,
    differences,
    hand_in_to,
    watched,
)

pytestmark = pytest.mark.slow

NEIGHBOURS = ("aaron", "mia", "zoe")
FULL = sum(tiny.POINTS.values())

# what an honest hand-in to this assignment needs many times over
LIMITS = {
    "cell_seconds": 2.0,
    "hand_in_seconds": 8.0,
    "cpu_seconds": 8,
    "memory_mb": 512,
    "disk_mb": 16,
    "files": 64,
    "threads": 32,
    "output_kb": 256,
    "message_mb": 8,
}
CONFIG = courses.SEALED + f"\nc.SealedExecute.limits = {LIMITS}\n"

# what may carry the inputs of hidden tests: their students must see the same whatever these are
CARRYING = {
    "arguments in exceptions",
    "arguments in output",
    "arguments in return values",
    "reading from disk",
    "reading from memory",
    "reading from frames",
    "ending the process",
}


@dataclass(frozen=True)
class Graded:
    """A course after `sealed grade`."""

    course: courses.Course
    watches: dict[str, Watch]
    marks: dict[str, dict[str, courses.Mark]]
    code: int
    said: str
    changes: list[str]

    def record(self, student: str) -> dict:
        """What is kept of a hand-in for the instructor."""
        folder = self.course.root / "grading" / "sealed" / tiny.NAME / student
        return json.loads((folder / f"{tiny.NAME}.json").read_text())

    def notebook(self, student: str) -> NotebookNode:
        return courses.autograded(self.course, student, tiny.NAME)


@contextlib.contextmanager
def graded(root: Path, hand_ins: list[HandIn], canaries: tiny.Canaries):
    """A course in which all of these and the neighbours have been graded."""
    course = courses.make(
        root,
        {tiny.NAME: tiny.source(canaries)},
        config=CONFIG,
        files={"book/caesar.md": tiny.CHAPTER},
    )
    honest = tiny.answered(courses.released(course, tiny.NAME), tiny.ANSWERS, "A distance.")
    for neighbour in (*NEIGHBOURS, "neighbour"):
        courses.hand_in(course, neighbour, honest, assignment=tiny.NAME)
    with contextlib.ExitStack() as stack:
        watches = {}
        for hand_in in hand_ins:
            watch = stack.enter_context(watched(course.root, hand_in.name))
            hand_in_to(course, hand_in, watch)
            watches[hand_in.name] = watch
        before = course_state(course)
        run = subprocess.run(
            [sys.executable, "-m", "sealed.cli", "grade", tiny.NAME],
            cwd=root,
            capture_output=True,
            text=True,
            errors="replace",
        )
        yield Graded(
            course,
            watches,
            courses.marks(course, tiny.NAME),
            run.returncode,
            run.stdout + run.stderr,
            list(differences(before, course_state(course))),
        )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """All of them."""
    with graded(tmp_path_factory.mktemp("run") / "course", CORPUS, tiny.CANARIES) as made:
        yield made


@pytest.fixture(scope="module")
def other_run(tmp_path_factory):
    """Those that may carry values out, with other values in the hidden tests."""
    chosen = [hand_in for hand_in in CORPUS if hand_in.category in CARRYING]
    root = tmp_path_factory.mktemp("other") / "course"
    with graded(root, chosen, tiny.OTHER_CANARIES) as made:
        yield made


def every(hand_ins: list[HandIn]):
    """A test for each of these."""
    return pytest.mark.parametrize("hand_in", hand_ins, ids=lambda hand_in: hand_in.name)


def test_every_category_is_there():
    assert {hand_in.category for hand_in in CORPUS} == set(CATEGORIES)


def test_names_are_unique_and_say_what_is_tried():
    assert len({hand_in.name for hand_in in CORPUS}) == len(CORPUS) >= 60
    assert all(hand_in.tries.endswith(".") for hand_in in CORPUS)
