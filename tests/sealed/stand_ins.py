"""A run of `sealed grade` whose hand-ins are not run but say what becomes of them.

A cell with one of these lines decides, so that tests of interruption need not wait for a sandbox:

    # fails caesar-tests       no points for that test; every other one has all of its points
    # gets 1.5 of walk-tests   partial credit
    # takes 0.5                seconds
    # kills                    the process that runs it
    # stops                    the result has a problem
    # breaks                   an exception

Each run of a hand-in adds a line to the file RUNS of the course: process and student's first cell.
`python -m tests.sealed.stand_ins COURSE` grades the assignment `tiny`.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nbformat.v4 import new_markdown_cell

from sealed import course, executors, run
from sealed.executors import Workers
from sealed.sandbox import Probe
from tests.sealed import courses, tiny

MARK = "tests.sealed.stand_ins:mark"
RUNS = "STAND_IN_RUNS"  # variable with the path of the file
CONFIG = courses.SEALED + "c.SealedExecute.unsealed = True  # nothing is run\n"
FULL = tiny.POINTS | {"explain": 0.0}  # nothing was written for a person to read


def mark(job: bytes) -> bytes:
    """What `sealed.grading.mark` would give for such a hand-in."""
    order = json.loads(job)
    notebook = order["hand_in"]
    says = "\n".join(cell["source"] for cell in notebook["cells"])
    with Path(os.environ[RUNS]).open("a") as file:
        file.write(f"{os.getpid()} {notebook['cells'][0]['source']}\n")
    time.sleep(sum(map(float, re.findall("^# takes (.*)$", says, re.M))))
    if re.search("^# kills$", says, re.M):
        os.kill(os.getpid(), signal.SIGKILL)
    if re.search("^# breaks$", says, re.M):
        raise ZeroDivisionError("as it says")
    tests = {}
    for cell in notebook["cells"]:
        flags = cell["metadata"].get("nbgrader", {})
        if flags.get("grade") and not flags.get("solution"):
            points = flags["points"]
            if part := re.search(f"^# gets (.*) of {flags['grade_id']}$", says, re.M):
                points = float(part[1])
                result = {"output_type": "execute_result", "metadata": {}, "execution_count": 1}
                cell["outputs"] = [result | {"data": {"text/plain": part[1]}}]
            if re.search(f"^# fails {flags['grade_id']}$", says, re.M):
                points = 0.0
                error = {"output_type": "error", "ename": "TestFailed", "evalue": ""}
                cell["outputs"] = [error | {"traceback": []}]
            tests[flags["grade_id"]] = {
                "points": points,
                "max_points": flags["points"],
                "passed": points > 0,
                "hidden": False,
                "message": "",
                "details": "",
                "seconds": 0.0,
            }
    stopped = re.search("^# stops$", says, re.M)
    problem = "it was stopped" if stopped else None
    result = {"notebook": notebook, "tests": tests, "problem": problem}
    return json.dumps(result | {"seconds": 0.0, "cpu_seconds": 0.0}).encode()


def hand_in(course: courses.Course, student: str, *says: str, **keywords) -> Path:
    """Hand in the release of `tiny` with these lines in its last cell; return the folder."""
    notebook = courses.released(course, tiny.NAME)
    notebook.cells.insert(0, new_markdown_cell(student))
    notebook.cells.append(new_markdown_cell("\n".join(says)))
    return courses.hand_in(course, student, notebook, assignment=tiny.NAME, **keywords)


def report(course: courses.Course) -> dict:
    """What the last run wrote for machines."""
    return json.loads((course.root / "grading" / "sealed" / "tiny" / "report.json").read_text())


def scores(course: courses.Course, student: str) -> dict[str, float | None]:
    """The marks by machine of a student, by grade id."""
    return {task: mark.auto for task, mark in courses.marks(course, "tiny")[student].items()}


def runs(course: courses.Course) -> list[str]:
    """Whose hand-in was run, in order."""
    return [student for _, student in _log(course)]


def processes(course: courses.Course) -> list[int]:
    """Which processes ran hand-ins, in order."""
    return [int(process) for process, _ in _log(course)]


@contextmanager
def started(course: courses.Course, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Start to grade, in a process group of its own, which ends with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.sealed.stand_ins", str(course.root), *options],
        cwd=courses.REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with process:  # closes the pipe, waits
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def until(condition: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait for a condition; fail if the process ends before, or after five minutes."""
    for _ in range(6000):
        if condition():
            return
        if process is not None and process.poll() is not None:
            raise AssertionError(f"it ended with {process.returncode}")
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


def forget_runs(course: courses.Course) -> None:
    """Empty the file RUNS."""
    runs_of(course).write_text("")


def runs_of(course: courses.Course) -> Path:
    """The file RUNS of a course."""
    return course.root / "runs"


@contextmanager
def here(*probes: Probe) -> Iterator[Workers]:
    """Run hand-ins in the threads of this process."""
    stopped = []

    def compute(job: bytes) -> bytes:
        try:
            return mark(job)
        except Exception as error:
            raise executors.Lost(f"{type(error).__name__}: {error}") from error

    seals = dict(enumerate(probes or [Probe(True, "a stand-in")]))
    yield Workers(compute, 3, {str(k): v for k, v in seals.items()}, lambda: stopped.append(True))


def _log(course: courses.Course) -> list[list[str]]:
    path = runs_of(course)
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def main() -> int:
    """Grade in processes of this machine or on a cluster, as `sealed grade` does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("course", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scheduler")
    arguments = parser.parse_args()
    os.environ[RUNS] = str(arguments.course / "runs")
    os.chdir(arguments.course)
    if arguments.scheduler:
        workers = executors.cluster(arguments.scheduler, MARK)
    else:
        workers = executors.local(arguments.workers, MARK)
    return run.grade(course.find(course.load(), tiny.NAME), workers)


if __name__ == "__main__":
    sys.exit(main())
