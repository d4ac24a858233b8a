"""Hand-ins a minute, sealed and by stock nbgrader: `python -m benchmarks.grading`.

A hundred hand-ins of lecture 1's assignment are graded on two cores by `nbgrader autograde` as it
comes, which takes them one after the other, and by `sealed grade`, each in a throwaway course. Half
of them are the solution, the others lack one to five answers, so that errors have their share.
The growth is that of `sealed grade` from 10 hand-ins to 1000, on a small assignment and on two
cores. What the sandbox costs is the CPU time of a hand-in without a cell, in all processes that
have a part in it: orders, forking, parting, renouncing, and the end of two students and examiners.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
from nbformat import NotebookNode
from nbformat.v4 import new_notebook

from benchmarks.report import about
from sealed import grading
from sealed.limits import Limits
from tests.assignments.notebooks import NAME, answers, hand_in, release, source
from tests.sealed import courses, tiny

RESULTS = Path(__file__).parent / "results"
HAND_INS = 100
GROWTH = (10, 100, 1000)
WORKERS = 2
EMPTY_RUNS = 50


def a_hundred() -> Mapping[str, NotebookNode]:
    """Return hand-ins by student: every other one lacks some answers."""
    solution, stubs = answers(source()), answers(release())
    *tasks, last = solution
    made = {}
    for i in range(HAND_INS):
        missing = tasks[: i % (len(tasks) + 1)] if i % 2 else []
        given = solution | {task: stubs[task] for task in missing}
        given[last] += f"\n# {i}"  # of equal hand-ins one is run
        made[f"student{i:03d}"] = hand_in(given)
    return made


def course_of(
    folder: Path, name: str, notebook: NotebookNode, config: str, hand_ins: Mapping
) -> courses.Course:
    """Make a course in which these have been handed in."""
    course = courses.make(folder, {name: notebook}, config=config)
    for student, handed_in in hand_ins.items():
        courses.hand_in(course, student, handed_in, assignment=name)
    return course


def stock(course: courses.Course, name: str) -> None:
    """Grade by `nbgrader autograde`, in one process."""
    courses.nbgrader(course, "autograde", name)


def sealed(course: courses.Course, name: str) -> None:
    """Grade by `sealed grade`."""
    command = [sys.executable, "-m", "sealed.cli", "grade", name, "--workers", str(WORKERS)]
    subprocess.run(command, cwd=course.root, check=True, stdout=subprocess.DEVNULL)


def seconds(
    grade: Callable[[courses.Course, str], None], course: courses.Course, name: str
) -> float:
    """Return how long it takes to grade the course's hand-ins."""
    started = time.perf_counter()
    grade(course, name)
    return time.perf_counter() - started


def compared() -> dict[str, float]:
    """Return the seconds of both for the same hand-ins; their marks must agree."""
    hand_ins = a_hundred()
    found, marks = {}, {}
    for who, config in ((stock, courses.STOCK), (sealed, courses.SEALED)):
        with tempfile.TemporaryDirectory() as folder:
            course = course_of(Path(folder), NAME, source(), config, hand_ins)
            found[who.__name__] = seconds(who, course, NAME)
            marks[who.__name__] = courses.marks(course, NAME)
    if marks["stock"] != marks["sealed"]:
        raise RuntimeError("stock and sealed marks differ: there is nothing to compare")
    return found


def growth() -> dict[int, float]:
    """Return the seconds of `sealed grade` by the number of hand-ins."""
    found = {}
    for n in GROWTH:
        with tempfile.TemporaryDirectory() as folder:
            students = {f"student{i:04d}": _tiny_hand_in(i) for i in range(n)}
            course = course_of(Path(folder), tiny.NAME, tiny.source(), courses.SEALED, students)
            found[n] = seconds(sealed, course, tiny.NAME)
    return found


def _tiny_hand_in(i: int) -> NotebookNode:
    walk = f"{tiny.ANSWERS['walk']}\n# {i}"
    return tiny.answered(tiny.source(), tiny.ANSWERS | {"walk": walk})


def cpu_of_an_empty_hand_in() -> float:
    """Return the CPU seconds that sealing takes, of all processes together, the mean of some."""
    notebook = new_notebook()
    notebook.metadata.sealed = {"modules": ["numpy", "scipy", "matplotlib"]}
    job = grading.job_of(notebook, notebook, limits=Limits(), sealed=True)
    grading.mark(job)  # starts the interpreters
    before = _cpu_seconds()
    for _ in range(EMPTY_RUNS):
        grading.mark(job)
    taken = _cpu_seconds() - before
    grading.close()
    return taken / EMPTY_RUNS


def _cpu_seconds() -> float:
    """Return the CPU seconds of this process, its children, theirs, and those that have ended."""
    me = psutil.Process()
    return sum(sum(process.cpu_times()[:4]) for process in [me, *me.children(recursive=True)])


def table(pair: Mapping[str, float], grown: Mapping[int, float], cpu: float) -> str:
    """Return the results in Markdown."""
    per_minute = {who: 60 * HAND_INS / s for who, s in pair.items()}
    ratio = pair["stock"] / pair["sealed"]
    lines = [
        f"## {HAND_INS} hand-ins of `{NAME}`, two cores",
        "",
        "| | seconds | hand-ins a minute | times stock |",
        "|---|---|---|---|",
        f"| `nbgrader autograde` | {pair['stock']:.0f} | {per_minute['stock']:.1f} | 1 |",
        f"| `sealed grade` | {pair['sealed']:.0f} | {per_minute['sealed']:.1f} | {ratio:.1f} |",
        "",
        "Target: at least 4 times stock.",
        "",
        "## Growth, a small assignment, two cores",
        "",
        "| hand-ins | seconds | seconds each |",
        "|---|---|---|",
        *(f"| {n} | {s:.1f} | {s / n:.3f} |" for n, s in grown.items()),
        "",
        f"The sandbox costs {1000 * cpu:.0f} ms of CPU time a hand-in. Target: less than 100.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, and write `results/grading.md`."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    text = table(compared(), growth(), cpu_of_an_empty_hand_in())
    page = f"# Grading\n\n{about()}\n\n{text}\n"
    (RESULTS / "grading.md").write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
