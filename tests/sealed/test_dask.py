"""`sealed grade --scheduler`: a Dask scheduler and its workers, as processes on loopback."""

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import pytest

from sealed import executors, run
from tests.sealed import courses, stand_ins
from tests.sealed.stand_ins import FULL, report, scores

pytestmark = pytest.mark.slow

STUDENTS = [f"student{i}" for i in range(8)]


@contextmanager
def dask(course, *command):
    """Run a command of Dask's while a test lasts."""
    environment = {"PYTHONPATH": str(courses.REPOSITORY), stand_ins.RUNS: str(course.root / "runs")}
    with (course.root / "dask.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *command],
            env=os.environ | environment,
            cwd=course.root,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def cluster(course):
    """The address of a scheduler, and the processes of its two workers."""
    file = course.root / "scheduler.json"
    quiet = ["--dashboard-address", "127.0.0.1:0"]
    with ExitStack() as stack:
        start = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)]
        scheduler = stack.enter_context(dask(course, *start, *quiet))
        stand_ins.until(file.exists, scheduler)
        address = json.loads(file.read_text())["address"]
        worker = ["worker", address, "--nthreads", "2", "--no-nanny", "--host", "127.0.0.1"]
        yield address, [stack.enter_context(dask(course, *worker, *quiet)) for _ in range(2)]


def test_of_two_workers_one_is_killed_and_nothing_is_lost(course, cluster):
    address, workers = cluster
    for student in STUDENTS:
        stand_ins.hand_in(course, student, "# takes 1")
    pids = {worker.pid for worker in workers}
    with stand_ins.started(course, "--scheduler", address) as process:
        stand_ins.until(
            lambda: len(ran := stand_ins.processes(course)) >= 3 and pids == set(ran), process
        )
        workers[0].send_signal(signal.SIGKILL)
        said, _ = process.communicate(timeout=600)
    assert process.returncode == run.DONE, said
    assert set(stand_ins.runs(course)) == set(STUDENTS)
    last = stand_ins.processes(course)[-1]
    assert last == workers[1].pid
    marks = courses.marks(course, "tiny")
    assert set(marks) == set(STUDENTS)
    assert all(len(marks[student]) == len(FULL) for student in STUDENTS)
    assert all(scores(course, student) == FULL for student in STUDENTS)
    assert report(course)["graded_now"] == len(STUDENTS)


def test_a_scheduler_that_is_not_there_is_reported(monkeypatch):
    monkeypatch.setattr(executors, "SECONDS_FOR_WORKERS", 1)
    with (
        pytest.raises(executors.Stop, match=r"no Dask scheduler with a worker at tcp://127\.0"),
        executors.cluster("tcp://127.0.0.1:9"),
    ):
        pass
