"""`sealed grade ASSIGNMENT`: grade what was handed in, many at a time.

Hand-ins are run by processes or by a cluster (`sealed.executors`); everything that touches the
gradebook happens in this process, one hand-in at a time, by nbgrader's own pass
(`sealed.autograding`). A thread for each hand-in under way takes its turn there, and lets the
others pass while its notebook is being run. What a run has done is on disk (`sealed.store`), so
that the next one grades exactly what is left.
"""

import argparse
import contextlib
import hashlib
import json
import os
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from sqlalchemy.exc import SAWarning
from tqdm import tqdm

from sealed import autograding, course, executors, handed_in, marks, store, summary
from sealed.course import Assignment, CourseError
from sealed.executors import Compute, Lost, Stop, Workers
from sealed.sandbox import Probe
from sealed.storage import write_atomically

DONE, PROBLEMS, NOTHING, INTERRUPTED = 0, 1, 2, 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `sealed grade` takes."""
    parser.add_argument("assignment", help="the name of the assignment")
    parser.add_argument(
        "--student", default="*", help="grade the hand-ins of these students only (a pattern)"
    )
    parser.add_argument(
        "--workers",
        type=_positive,
        default=_cores(),
        help="processes (default: the cores, %(default)s)",
    )
    parser.add_argument("--scheduler", help="run on the Dask cluster at this address, tcp://...")
    parser.add_argument("--force", action="store_true", help="grade again what is graded")
    parser.add_argument(
        "--unsealed", action="store_true", help="without a sandbox: only for code that you trust"
    )
    parser.add_argument(
        "--report", type=Path, help="where to write the report (default: beside the records)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Grade an assignment of the course in the current folder.

    Returns
    -------
    int
        0 if every hand-in is graded, 1 if some have problems or are left, 2 if nothing could be
        done, 130 if interrupted.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    try:
        app = course.load()
        if arguments.unsealed:
            app.config.SealedExecute.unsealed = True
        assignment = course.find(app, arguments.assignment)
        if arguments.scheduler:
            workers = executors.cluster(arguments.scheduler)
        else:
            workers = executors.local(arguments.workers)
        return grade(
            assignment,
            workers,
            students=arguments.student,
            force=arguments.force,
            report=arguments.report,
        )
    except (CourseError, Stop) as error:
        print(f"sealed grade: {error}", file=sys.stderr)
        return NOTHING
    except KeyboardInterrupt:
        return INTERRUPTED


def grade(
    assignment: Assignment,
    executor: contextlib.AbstractContextManager[Workers],
    *,
    students: str = "*",
    force: bool = False,
    report: Path | None = None,
) -> int:
    """Grade the hand-ins of an assignment that are not graded yet.

    Parameters
    ----------
    assignment : Assignment
        Its tests are entered in the gradebook first.
    executor : context manager of Workers
        What runs the hand-ins.
    students : str
        Pattern of whose hand-ins to grade.
    force : bool
        Whether to grade again what is graded.
    report : Path or None
        Where to write the report; None is `report.json` beside the records.

    Returns
    -------
    int
        The exit code, as of `run`.

    Raises
    ------
    CourseError, Stop
        If nothing could be done, and why.
    """
    execute = autograding.check(assignment)
    names = course.students(assignment, students)
    folder = Path(assignment.course.root) / execute.records / assignment.name
    kept = store.Store(folder)
    here = contextlib.chdir(assignment.course.root)
    with kept.locked(), here, autograding.one_engine(), warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # about the order in which nbgrader makes rows
        course.enter(assignment)
        run = kept.begin(summary.beginning(marks.read(assignment)))
        if force:
            kept.forget(names)
        grading = _Grading(assignment, kept, names, force, execute.unsealed)
        print(
            f"{len(names)} hand-ins of {assignment.name}: {len(grading.done)} are graded, "
            f"{len(grading.left)} are left"
        )
        stopped = None
        if grading.left:
            with executor as workers:
                _require_sealed(workers.probes, execute.unsealed)
                stopped = grading.grade(workers)
        made = summary.report(
            assignment, names, grading.done, marks.read(assignment), kept.finished(), run
        )
        made |= {"graded_now": grading.n_graded, "seconds": grading.seconds}
        path = report or folder / "report.json"
        write_atomically(path, json.dumps(made, indent=1).encode())
        left = len(names) - len(grading.done)
        if not left:
            kept.end()
    print(f"\n{summary.text(made)}\n\nThe report is {path}")
    if stopped is None:
        return PROBLEMS if any(h["problem"] for h in made["hand_ins"].values()) else DONE
    words = str(stopped) or "interrupted"
    print(f"sealed grade: {words}. {left} hand-ins are left; call it again", file=sys.stderr)
    return INTERRUPTED if isinstance(stopped, KeyboardInterrupt) else PROBLEMS


class _Grading:
    """Hand-ins on their way through nbgrader, one of them at a time, and through the workers."""

    def __init__(
        self,
        assignment: Assignment,
        kept: store.Store,
        names: list[str],
        force: bool,
        unsealed: bool,
    ):
        self.assignment, self.kept, self.force = assignment, kept, force
        self.book = marks.read(assignment)
        self.settings = (assignment.digest, course.settings_digest(assignment.app), str(unsealed))
        self.turn = threading.Lock()
        self.computed: set[str] = set()
        self.n_graded, self.seconds = 0, 0.0
        finished = kept.finished()
        self.inputs = {student: self._inputs(student) for student in names}
        self.left = [s for s in names if not self._is_finished(s, finished.get(s))]
        self.done = set(names).difference(self.left)

    def grade(self, workers: Workers) -> BaseException | None:
        """Grade what is left; return what stopped it, if anything did."""
        began = time.monotonic()
        threads = ThreadPoolExecutor(workers.at_once)
        futures = [threads.submit(self._grade, student, workers.compute) for student in self.left]
        try:
            with tqdm(total=len(self.left), unit=" hand-ins") as bar:
                for future in as_completed(futures):
                    future.result()
                    bar.update()
            return None
        except (KeyboardInterrupt, Stop) as error:
            return error
        finally:
            if not self.done.issuperset(self.left):
                workers.stop()
            threads.shutdown(cancel_futures=True)
            self.n_graded = len(self.done.intersection(self.left))
            self.seconds = time.monotonic() - began

    def _inputs(self, student: str) -> str:
        """Return a digest of all that the marks of a hand-in come from."""
        entry = self.book.entries.get(student)
        extension = entry.extension if entry else "None"
        files = handed_in.digest(self.assignment, student)
        parts = (*self.settings, self.book.id, self.book.due, extension, files)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _is_finished(self, student: str, finished: store.Finished | None) -> bool:
        graded = self.assignment.folder(self.assignment.course.autograded_directory, student)
        return (
            finished is not None
            and finished.inputs == self.inputs[student]
            and student in self.book.entries
            and graded.exists()
        )

    def _grade(self, student: str, compute: Compute) -> None:
        """Grade a hand-in, or set it aside for a person."""
        jobs = []

        def result(job: bytes) -> bytes:
            jobs.append(hashlib.sha256(job).hexdigest())
            self.turn.release()  # others go through nbgrader while this notebook is run
            try:
                return self._result(jobs[-1], job, compute)
            finally:
                self.turn.acquire()

        with self.turn:
            problem, may_pass = self._enter(student, result)
            inputs = "" if may_pass else self.inputs[student]  # the next run tries again
            self.kept.finish(student, store.Finished(inputs, jobs, problem))
            self.done.add(student)

    def _enter(self, student: str, result: Compute) -> tuple[str, bool]:
        """Bring a hand-in into the gradebook.

        Returns its problem, if it has one, and whether that may be none of the hand-in's making.
        """
        problem, may_pass = handed_in.problem(self.assignment, student), False
        if not problem:
            try:
                return autograding.autograde(self.assignment, student, result), False
            except Lost as error:
                problem, may_pass = str(error), True
        try:
            autograding.set_aside(self.assignment, student, problem)
        except Lost as error:
            return f"{problem}; {error}", True
        return problem, may_pass

    def _result(self, digest: str, job: bytes, compute: Compute) -> bytes:
        """Return the result of a job, which is stored or computed now."""
        stored = self.kept.result(digest)
        if stored is None or (self.force and digest not in self.computed):
            stored = compute(job)
            self.kept.keep(digest, stored)
            self.computed.add(digest)
        return stored


def _require_sealed(probes: dict[str, Probe], unsealed: bool) -> None:
    """Say what the machines can do; stop if that is not enough."""
    for name, probe in probes.items():
        print(f"{name}: {probe.words}")
    if unsealed:
        print("UNSEALED: hand-ins run as you, and may do whatever you may do")
    elif not all(probe.sealed for probe in probes.values()):
        raise Stop(
            "hand-ins cannot be sealed here. "
            "--unsealed grades without a sandbox: only for code that you trust"
        )


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of processes: it is at least 1")
    return number
