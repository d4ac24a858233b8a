"""The corpus under `sealed grade`, between the hand-ins of honest neighbours."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from tests.sealed import courses, tiny
from tests.sealed.dishonest.kinds import HandIn
from tests.sealed.dishonest.watch import (
    NEIGHBOUR,
    Watch,
    course_state,
    differences,
    hand_in_to,
    watched,
)

NEIGHBOURS = ("aaron", "mia", NEIGHBOUR, "zoe")

# what an honest hand-in to this assignment needs many times over
LIMITS = {
    "cell_seconds": 2.0,
    "grace_seconds": 1.0,
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
def graded(root: Path, hand_ins: Sequence[HandIn], canaries: tiny.Canaries) -> Iterator[Graded]:
    """A course in which all of these and the neighbours have been graded."""
    course = courses.make(
        root,
        {tiny.NAME: tiny.source(canaries)},
        config=CONFIG,
        files={"book/caesar.md": tiny.CHAPTER},
    )
    honest = tiny.answered(courses.released(course, tiny.NAME), tiny.ANSWERS, "A distance.")
    for neighbour in NEIGHBOURS:
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
