"""Grades a notebook: from its bytes, and those of the source notebook, to marks.

Every hand-in is run in two sessions. The *shown* session runs cells and visible tests: all that a
student gets to see comes from it, and it never meets a hidden test. The *judged* session runs cells
and whole test cells: marks come from it, and nothing that was printed, raised or returned in it is
shown. So a hidden test's inputs can go nowhere, whatever the student's code does with them.
"""

import atexit
import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

import nbformat
from nbformat import NotebookNode

from sealed import views
from sealed.limits import Limits
from sealed.outputs import writable
from sealed.plan import Plan, Test, is_test, needed_cells, plan_of, read
from sealed.sandbox import Nursery, SandboxError, start_alone
from sealed.session import Session

NO_FILES: Mapping[str, str] = {}


@dataclass
class Outcome:
    """What a session gave."""

    outputs: dict[int, list[dict]] = field(default_factory=dict)  # by index of the cell
    tests: dict[str, dict] = field(default_factory=dict)  # the examiner's answers, by grade id
    seconds: dict[str, float] = field(default_factory=dict)
    stopped: str = ""
    failed: str = ""


def job_of(
    source: NotebookNode,
    hand_in: NotebookNode,
    *,
    limits: Limits,
    sealed: bool,
    files: Mapping[str, str] = NO_FILES,
    source_files: Mapping[str, str] = NO_FILES,
    refused: str = "",
) -> bytes:
    """Write down all that marks depend on: what `mark` takes, the same bytes for the same.

    Parameters
    ----------
    source : NotebookNode
        The notebook with answers and hidden tests.
    hand_in : NotebookNode
        As nbgrader's sanitizing leaves it.
    limits : Limits
    sealed : bool
        Whether to seal.
    files, source_files : mapping from path to base64
        What lies beside the hand-in, and beside the source notebook.
    refused : str
        Why the hand-in is not to be run at all, if it is not.
    """
    order = {
        "source": source,
        "hand_in": hand_in,
        "files": files,
        "source_files": source_files,
        "limits": asdict(limits),
        "sealed": sealed,
        "refused": refused,
    }
    return json.dumps(order, sort_keys=True).encode()


def mark(job: bytes) -> bytes:
    """Grade one notebook.

    Parameters
    ----------
    job : bytes
        From `job_of`.

    Returns
    -------
    bytes
        JSON: "notebook" with the outputs that students may see; "tests", for each grade id
        "points", "max_points", "passed", "hidden" (whether a hidden test failed), "message" (for
        the student), "details" (for the instructor) and "seconds"; "problem", words or null;
        "seconds" and "cpu_seconds".

    Raises
    ------
    SandboxError
        If this machine cannot run it. A fault of the hand-in is never an exception.
    """
    started = time.monotonic()
    order = json.loads(job)
    plan = _plan(json.dumps(order["source"]))
    hand_in = read(order["hand_in"])
    limits = Limits(**order["limits"])
    start = _sealed if order["sealed"] else _unsealed
    files, source_files = order["files"], order["source_files"]
    problem, cpu = order["refused"] or None, 0.0
    shown = judged = Outcome()
    if not problem:
        cells = range(len(hand_in.cells))
        sources = [c.source if c.cell_type == "code" else "" for c in hand_in.cells]
        needed = needed_cells(plan, sources)
        with start(plan, limits, files, source_files, True) as session:
            shown = _run(session, hand_in, plan, lambda test: test.visible, cells)
        with start(plan, limits, files, source_files, False) as judging:
            judged = _run(judging, hand_in, plan, lambda test: test.whole, needed)
        cpu = session.cpu_seconds + judging.cpu_seconds
        problem = judged.failed or judged.stopped or shown.stopped or None
    tests = {}
    for i, cell in enumerate(hand_in.cells):
        if cell.cell_type != "code":
            continue
        if (test := _test_of(cell, plan)) is None:
            cell.outputs = nbformat.from_dict(shown.outputs.get(i, []))
        else:
            verdict = _verdict(test, shown, judged, problem)
            cell.outputs = nbformat.from_dict(_written(verdict, shown.outputs.get(i, []), i + 1))
            cell.source = _without_hidden(cell.source, test)
            tests[test.grade_id] = asdict(verdict)
        cell.execution_count = i + 1
    return json.dumps(
        {
            "notebook": hand_in,
            "tests": tests,
            "problem": problem,
            "seconds": time.monotonic() - started,
            "cpu_seconds": cpu,
        }
    ).encode()


@dataclass(frozen=True)
class Verdict:
    """The mark of a test cell, and why."""

    points: float
    max_points: float
    passed: bool
    hidden: bool
    message: str
    details: str
    seconds: float
    partial: float | None = None


def _run(
    session: Session,
    hand_in: NotebookNode,
    plan: Plan,
    part: Callable[[Test], str],
    cells: Collection[int],
) -> Outcome:
    """Run these cells of a hand-in from the top, and of all test cells the given part."""
    outcome, shared = Outcome(), set()
    for i, cell in enumerate(hand_in.cells):
        if cell.cell_type != "code":
            continue
        if (test := _test_of(cell, plan)) is None:
            if i in cells:
                outcome.outputs[i], _ = session.run(cell.source, i + 1)
            continue
        started = time.monotonic()
        for earlier in plan.tests.values():  # also those that the hand-in moved or left out
            if earlier.grade_id not in shared:
                shared.add(earlier.grade_id)
                for source in earlier.share:
                    session.share(earlier.names, source)
            if earlier.grade_id == test.grade_id:
                break
        answer = session.test(test.names, part(test), test.grade_id)
        outcome.tests[test.grade_id] = answer
        outcome.outputs[i] = answer["outputs"]
        outcome.seconds[test.grade_id] = time.monotonic() - started
    outcome.stopped, outcome.failed = session.stopped, session.failed
    return outcome


def _test_of(cell: NotebookNode, plan: Plan) -> Test | None:
    return plan.tests.get(cell.metadata.nbgrader.get("grade_id")) if is_test(cell) else None


def _verdict(test: Test, shown: Outcome, judged: Outcome, problem: str | None) -> Verdict:
    """Judge a test cell."""
    answer = judged.tests.get(test.grade_id)
    seconds = judged.seconds.get(test.grade_id, 0.0)
    if answer is None:
        words = f"not graded: {problem}"
        return Verdict(0.0, test.max_points, False, False, words, words, seconds)
    if answer["passed"]:
        points, wrong = _points(answer["value"], test.max_points)
        if not wrong:
            partial = points if answer["value"] is not None else None
            return Verdict(points, test.max_points, True, False, "", "", seconds, partial)
        return Verdict(0.0, test.max_points, False, True, wrong, wrong, seconds)
    seen = shown.tests.get(test.grade_id)
    hidden = seen is None or seen["passed"]
    message = _hidden_words(answer) if seen is None or hidden else _shown_words(seen)
    return Verdict(0.0, test.max_points, False, hidden, message, _shown_words(answer), seconds)


def _points(value: Any, max_points: float) -> tuple[float, str]:
    """Return the points for a test cell's last expression, or what is wrong with it."""
    if value is None:
        return max_points, ""
    if type(value) is float and 0 <= value <= max_points:
        return value, ""
    words = value if type(value) is float else "no number"
    return 0.0, f"the test gave {words} where points from 0 to {max_points:g} were expected"


def _hidden_words(answer: dict) -> str:
    """Say why a hidden test failed, in words that the student's code has no part in."""
    called = answer["called"] or "your code"
    match answer["from_student"]:
        case "":
            words = answer["words"] or "the result is not what the task asks for"
        case _ if answer["error"][0] == "OutOfTime":
            words = "the tests took too long with your code"
        case "ArgumentChanged":
            words = f"{called} changes what it is given"
        case "TimeoutError" | "OutOfTime":
            words = f"{called} takes too long"
        case _:
            words = f"{called} raises an error, or returns what is no plain data"
    return f"A hidden test failed: {words}"


def _shown_words(answer: dict) -> str:
    name, text = answer["error"]
    parts = [f"{name}: {text}"]
    if answer["traceback"]:
        parts.append(f"In the test:\n{answer['traceback'].rstrip()}")
    if answer["student_traceback"]:
        parts.append(f"In your code:\n{answer['student_traceback'].rstrip()}")
    return writable("\n\n".join(parts))


def _written(verdict: Verdict, outputs: list[dict], count: int) -> list[dict]:
    """Return the outputs of a test cell, from which nbgrader reads the mark."""
    kept = [o for o in outputs if o.get("output_type") in ("stream", "display_data")]
    if not verdict.passed:
        name = "HiddenTestFailed" if verdict.hidden else "TestFailed"
        error = {
            "output_type": "error",
            "ename": name,
            "evalue": verdict.message,
            "traceback": verdict.message.split("\n"),
        }
        return [*kept, error]
    kept = [o for o in kept if o.get("name") != "stderr"]
    if verdict.partial is not None:
        data = {"text/plain": repr(verdict.partial)}
        kept.append(
            {
                "output_type": "execute_result",
                "data": data,
                "metadata": {},
                "execution_count": count,
            }
        )
    return kept


def _without_hidden(source: str, test: Test) -> str:
    """Return a test cell's source as students may see it."""
    if test.whole == test.visible:
        return source
    before = source.removesuffix(test.whole)  # nbgrader's note, if the cell had been deleted
    return f"{before}{test.visible.rstrip()}\n\n# Hidden tests follow here.".lstrip()


@lru_cache(16)
def _plan(source: str) -> Plan:
    return plan_of(read(json.loads(source)))


def _sealed(plan: Plan, limits: Limits, files: dict, source_files: dict, figures: bool) -> Session:
    """Open a session in warm sandboxes, which stay for the next hand-in."""
    settings = _settings(plan, limits, figures)
    student, examiner = _nurseries(plan.modules, plan.preload, limits)
    first = student.fork(settings, {**files, **source_files})
    return Session(first, examiner.fork(settings, source_files), limits)


def _unsealed(
    plan: Plan, limits: Limits, files: dict, source_files: dict, figures: bool
) -> Session:
    """Open a session without a sandbox."""
    settings = _settings(plan, limits, figures)
    first = start_alone("student", settings, {**files, **source_files}, limits)
    return Session(first, start_alone("examiner", settings, source_files, limits), limits)


def _settings(plan: Plan, limits: Limits, figures: bool) -> dict:
    return {"output_kb": limits.output_kb, "figures": figures, "modules": plan.modules}


_warm: dict[tuple, tuple[Nursery, Nursery]] = {}


def _nurseries(
    modules: tuple[str, ...], preload: tuple[str, ...], limits: Limits
) -> tuple[Nursery, Nursery]:
    """Return the warm interpreters for an assignment; start them if there are none."""
    key = (modules, preload, limits)
    if key not in _warm:
        if len(_warm) > 3:  # each takes a hundred megabytes
            _close(next(iter(_warm)))
        wanted = [*modules, *(m for m in preload if _allowed(m, modules))]
        if "matplotlib" in modules:
            wanted.append("matplotlib.pyplot")
        _warm[key] = (
            Nursery("student", views.student(modules, tuple(wanted)), limits),
            Nursery("examiner", views.examiner(preload), limits),
        )
    for nursery in _warm[key]:
        nursery.wait()
    return _warm[key]


def _allowed(module: str, modules: tuple[str, ...]) -> bool:
    return any(module == m or module.startswith(f"{m}.") for m in modules)


def _close(key: tuple) -> None:
    for nursery in _warm.pop(key):
        nursery.close()


@atexit.register
def close() -> None:
    """End all warm interpreters of this process."""
    for key in list(_warm):
        _close(key)


__all__ = ["SandboxError", "close", "job_of", "mark"]
