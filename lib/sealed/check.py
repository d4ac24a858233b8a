"""`sealed check ASSIGNMENT`: whether an assignment proves what it is to prove.

Hands in, for every notebook of the assignment: the solution, the release as it is, wrong answers
made from the right ones, the functions of the course's packages and its chapters' code. Most of it
runs in this machine's processes side by side (`in_process`); a sample runs sealed, as hand-ins do.

The source notebook's metadata says what to look at:

    "sealed": {
        "modules": ["numpy", "latent.data"],     what students may import
        "references": ["latent"],                packages whose functions must score nothing
        "chapters": ["book/hidden-markov-models"],    files or folders whose code must not, either
        "tolerates": {"grade-id": ["a ten-thousandth off"]}    near misses that are right enough
    }
"""

import argparse
import copy
import inspect
import json
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.apps import AutogradeApp
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, ClearSolutions

from sealed import course, grading, in_process, near_misses, references, rules, sandbox
from sealed.course import CourseError
from sealed.execute import SealedExecute, files_of
from sealed.limits import Limits
from sealed.near_misses import Target
from sealed.plan import is_test

PASSED, FAILED, NOTHING = 0, 1, 2
SAMPLE = 4  # hand-ins full of near misses that are marked in both ways
SECONDS = 10.0  # for a cell of a wrong answer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `sealed check` takes."""
    parser.add_argument("assignment", help="the name of the assignment")
    parser.add_argument("--json", action="store_true", help="print a JSON object, for programs")


def run(arguments: argparse.Namespace) -> int:
    """Check an assignment of the course in the current folder.

    Returns
    -------
    int
        0 if it keeps every promise, 1 if not, 2 if there is no such assignment.
    """
    try:
        found = check(course.load(), arguments.assignment)
    except (CourseError, sandbox.SandboxError) as error:
        print(f"sealed check: {error}", file=sys.stderr)
        return NOTHING
    if arguments.json:
        print(json.dumps([asdict(report) for report in found], indent=1))
    else:
        print("\n".join(line for report in found for line in lines_of(report)))
    return PASSED if all(report.passed for report in found) else FAILED


@dataclass(frozen=True)
class Promise:
    """Something that was looked at.

    Attributes
    ----------
    what : str
        What should hold.
    kept : bool
    tried : str
        How much was looked at.
    against : tuple of tuples of str
        What speaks against it, a row each.
    columns : tuple of str
        The columns of these rows.
    """

    what: str
    kept: bool
    tried: str
    against: tuple[tuple[str, ...], ...] = ()
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """What the check of a notebook found."""

    notebook: str
    sealed: str  # how the sample ran
    promises: tuple[Promise, ...]
    passed: bool


def check(app: AutogradeApp, name: str) -> list[Report]:
    """Check every notebook of an assignment.

    Parameters
    ----------
    app
        The course's settings, from `sealed.course.load`.
    name
        The assignment's name.

    Raises
    ------
    CourseError
        If there is none of this name, or it cannot be looked at: what is wrong is in the message.
    """
    assignment = course.find(app, name)
    folder = assignment.folder(assignment.course.source_directory, ".")
    probe = sandbox.probe()
    workers = ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn"))
    with workers as pool:
        return [
            _Check(app, folder / f"{notebook}.ipynb", probe, pool).report()
            for notebook in assignment.notebooks
        ]


class Trial(NamedTuple):
    """An answer cell, and the test cell that it is tried on."""

    test: str
    answer: str
    code: str


class Tried(NamedTuple):
    """What a trial gave: the points, how many results were spoilt, and the first of these."""

    points: float
    changes: int
    shown: str


class _Check:
    """The check of one notebook."""

    def __init__(
        self, app: AutogradeApp, path: Path, probe: sandbox.Probe, pool: ProcessPoolExecutor
    ):
        self.path, self.probe, self.pool = path, probe, pool
        self.root = Path(course.course_of(app).root)
        self.source = nbformat.read(path, as_version=4)
        self.release = released(self.source, app)
        self.settings = self.source.metadata.get("sealed", {})
        self.limits = Limits(**SealedExecute(parent=app).limits)
        self.answers = in_process.answers(self.source)
        self.points = {
            c.metadata.nbgrader.grade_id: float(c.metadata.nbgrader.get("points", 0))
            for c in self.source.cells
            if is_test(c)
        }
        self.targets = near_misses.targets(self.source)

    def report(self) -> Report:
        """Look at everything."""
        right = in_process.run(self._essential, folder=self.path.parent)
        solved = {test for test, o in right.tests.items() if o.points == o.max_points}
        broken = rules.breaches(self.source, self.release)
        promises = [self._solution(right), self._release()]
        seen = {t: self._watched(t) for t in self.targets if t.test in solved}
        if solved == self.points.keys():
            promises.append(self._agreement(seen))
        promises += [
            self._near_misses(seen),
            self._references(right.names, solved),
            Promise(
                "the rules for assignments are kept",
                not broken,
                f"{len(self.source.cells)} cells",
                tuple((b.cell, str(b.line or ""), b.what) for b in broken),
                ("cell", "line", "what"),
            ),
        ]
        how = self.probe.words if self.probe.sealed else f"NOT SEALED: {self.probe.words}"
        kept = all(promise.kept for promise in promises)
        return Report(self.path.stem, how, tuple(promises), kept)

    @property
    def _essential(self) -> NotebookNode:
        return in_process.essential(self.source)

    def _solution(self, right: in_process.Run) -> Promise:
        """Hand in the solution, in one process and sealed."""
        sealed = self._sealed(self.answers)
        against = []
        for test, points in self.points.items():
            outcome = right.tests[test]
            if outcome.points != points:
                against.append((test, "one process", f"{outcome.points:g}", outcome.problem))
            if sealed[test]["points"] != points:
                words = " ".join(sealed[test]["details"].split())[:200]
                against.append((test, "sealed", f"{sealed[test]['points']:g}", words))
        total = sum(self.points.values())
        return Promise(
            "the solution gets everything",
            not against,
            f"{len(self.points)} test cells, {total:g} points",
            tuple(against),
            ("test cell", "how", "points", "why"),
        )

    def _release(self) -> Promise:
        """Hand in what students get, as it is."""
        stubs = in_process.answers(self.release)
        marks = in_process.mark(
            in_process.answered(self._essential, stubs), folder=self.path.parent
        )
        sealed = self._sealed(stubs)
        against = [
            (test, how, f"{points:g}")
            for how, got in (
                ("one process", marks),
                ("sealed", {test: outcome["points"] for test, outcome in sealed.items()}),
            )
            for test, points in got.items()
            if points
        ]
        return Promise(
            "the release gets nothing",
            not against,
            f"{len(self.points)} test cells",
            tuple(against),
            ("test cell", "how", "points"),
        )

    def _watched(self, target: Target) -> tuple[list[Any], int]:
        """Return the right values of a target in its test, and how many the visible tests see."""
        code = near_misses.spoilt(self.answers[target.answer], target.name, "")

        def watch(notebook: NotebookNode) -> Any:
            part = in_process.essential(notebook, [target.test])
            if target.answer not in in_process.answers(part):  # all of its tests are hidden
                return None
            part = in_process.answered(part, {target.answer: code})
            return in_process.run(part, folder=self.path.parent).names[near_misses.NAME]

        visible = watch(self._visible)
        return watch(self.source).seen, visible.calls if visible else 0

    @property
    def _visible(self) -> NotebookNode:
        """The source with the visible tests alone."""
        shown = {c.metadata.nbgrader.grade_id: c.source for c in self.release.cells if is_test(c)}
        notebook = copy.copy(self.source)
        notebook.cells = [
            NotebookNode({**c, "source": shown[c.metadata.nbgrader.grade_id]}) if is_test(c) else c
            for c in self.source.cells
        ]
        return notebook

    def _agreement(self, seen: dict[Target, tuple[list[Any], int]]) -> Promise:
        """Mark hand-ins full of near misses in one process, and sealed."""
        per_answer = {target.answer: target for target in seen}
        against, n = [], 0
        for number in range(SAMPLE):
            given = {}
            for shift, (answer, target) in enumerate(per_answer.items()):
                values, _ = seen[target]
                kinds = [k for k in near_misses.kinds(values) if k in near_misses.PLAIN]
                if kinds:
                    what = kinds[(7 * number + 3 * shift) % len(kinds)]
                    given[answer] = near_misses.spoilt(self.answers[answer], target.name, what)
            if not given:
                break
            n += 1
            marks = in_process.mark(
                in_process.answered(self._essential, given), folder=self.path.parent
            )
            for test, outcome in self._sealed(self.answers | given).items():
                if outcome["points"] != marks[test]:
                    words = " ".join(outcome["details"].split())[:200]
                    points = (f"{marks[test]:g}", f"{outcome['points']:g}")
                    against.append((test, *points, words))
        return Promise(
            "marks agree in one process and sealed",
            not against,
            f"{n} hand-ins with a near miss in each answer",
            tuple(against),
            ("test cell", "one process", "sealed", "why"),
        )

    def _near_misses(self, seen: dict[Target, tuple[list[Any], int]]) -> Promise:
        """Replace each answer by junk and near misses; find the tests that pass all the same."""
        trials, labels = [], []
        for target, (values, visible) in seen.items():
            tolerated = self.settings.get("tolerates", {}).get(target.test, ())
            for what in near_misses.kinds(values):
                if what not in tolerated:
                    code = near_misses.spoilt(
                        self.answers[target.answer], target.name, what, visible
                    )
                    trials.append(Trial(target.test, target.answer, code))
                    labels.append((target, what))
        weak = []
        for (target, what), trial, tried in zip(labels, trials, self._tried(trials), strict=True):
            if not (tried.points and tried.changes):
                continue
            if what in near_misses.SEALED:  # that student and tests are apart may stop it
                given = self.answers | {target.answer: trial.code}
                if not self._sealed(given)[target.test]["points"]:
                    continue
            weak.append((target.test, target.name, what, tried.shown))
        return Promise(
            "every test cell notices junk and near misses",
            not weak,
            f"{len(trials)} wrong answers",
            tuple(weak),
            ("test cell", "what was wrong", "how", "for example"),
        )

    def _references(self, names: dict[str, Any], solved: set[str]) -> Promise:
        """Hand in the course's own functions for every task."""
        packages = self.settings.get("references", [])
        chapters = self.settings.get("chapters", [])
        try:
            candidates = [
                *references.of_packages(packages),
                *references.of_chapters(self.root, chapters),
            ]
        except (ImportError, FileNotFoundError) as error:
            raise CourseError(f"{self.path.name}, metadata sealed: {error}") from error
        trials, origins = [], []
        for target in self.targets:
            if target.test not in solved or "." in target.name:
                continue
            for candidate in _compatible(candidates, names[target.name]):
                trials.append(Trial(target.test, target.answer, candidate.answer(target.name)))
                origins.append((target, candidate.origin))
        scored = tuple(
            (target.test, target.name, origin, f"{tried.points:g}")
            for (target, origin), tried in zip(origins, self._tried(trials), strict=True)
            if tried.points
        )
        where = ", ".join([*packages, *chapters]) or "none are named in the metadata"
        return Promise(
            "the course's own functions score nothing",
            not scored,
            f"{len(trials)} hand-ins from {len(candidates)} functions and classes ({where})",
            scored,
            ("test cell", "task", "answered by", "points"),
        )

    def _tried(self, trials: list[Trial]) -> Iterator[Tried]:
        n = len(trials)
        yield from self.pool.map(_try, [str(self.path)] * n, trials, chunksize=4)

    def _sealed(self, given: dict[str, str]) -> dict[str, dict]:
        """Return the tests of a hand-in with these answers, run as hand-ins are."""
        files = files_of(self.path.parent, self.limits)
        job = grading.job_of(
            self.source,
            in_process.answered(self.source, given),
            limits=self.limits,
            sealed=self.probe.sealed,
            files=files,
            source_files=files,
        )
        return json.loads(grading.mark(job))["tests"]


def released(source: NotebookNode, app: AutogradeApp) -> NotebookNode:
    """Return what students get of a source notebook, by the course's settings for that."""
    notebook, resources = copy.deepcopy(source), ResourcesDict()
    for step in (ClearSolutions, ClearHiddenTests, ClearMarkScheme):
        try:
            notebook, resources = step(parent=app).preprocess(notebook, resources)
        except (RuntimeError, ValueError) as error:
            raise CourseError(f"nbgrader cannot make the release: {error}") from error
    return notebook


def _compatible(
    candidates: Iterable[references.Candidate], asked: Any
) -> Iterator[references.Candidate]:
    """Yield the candidates that can be called as what is asked for is."""
    if isinstance(asked, type):
        methods = {name for name in vars(asked) if not name.startswith("_")}
        yield from (c for c in candidates if c.methods and methods <= c.methods)
    elif callable(asked):
        parameters = inspect.signature(asked).parameters.values()
        needed = sum(
            p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
            for p in parameters
        )
        yield from (c for c in candidates if c.takes(needed))


@cache
def _part(path: str, test: str) -> NotebookNode:
    return in_process.essential(nbformat.read(path, as_version=4), [test])


def _try(path: str, trial: Trial) -> Tried:
    """Run a trial, in a process of its own pool."""
    notebook = in_process.answered(_part(path, trial.test), {trial.answer: trial.code})
    ran = in_process.run(notebook, folder=Path(path).parent, cell_seconds=SECONDS)
    watcher = ran.names.get(near_misses.NAME)
    changes, shown = (watcher.changes, watcher.shown) if watcher else (0, "")
    return Tried(ran.tests[trial.test].points, changes, shown)


def lines_of(report: Report) -> Iterator[str]:
    """Yield a report as lines of text."""
    yield f"{report.notebook}"
    yield f"  a sample ran here: {report.sealed}"
    for promise in report.promises:
        yield f"  {'ok    ' if promise.kept else 'FAILED'}  {promise.what} ({promise.tried})"
        if promise.against:
            yield from (f"          {line}" for line in _table(promise.columns, promise.against))
    yield f"  {'ready to be released' if report.passed else 'not ready: see FAILED above'}"


def _table(columns: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> list[str]:
    every = [columns, *rows]
    widths = [max(len(row[i]) for row in every) for i in range(len(columns))]
    return [
        "  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip() for row in every
    ]
