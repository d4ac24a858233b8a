"""What the corpus gains under nbgrader as it comes: `python -m tests.sealed.dishonest.stock`.

Each hand-in is graded in a throwaway copy of the course by `nbgrader autograde`, where it may do
harm together with a neighbour whose hand-in is right, and then everything that it started is
killed. Then all are graded by `sealed grade`. It writes `stock.json` and `stock.md` beside this
file; with `--here`, it renews only what `sealed grade` gives.

This runs strangers' code without a sandbox. It refuses to do so as root: as root, name an ordinary
user (`--user`) and a Python with nbgrader, NumPy and this course's library that this user may run
(`--python`).
"""

import argparse
import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from tqdm import tqdm

from tests.sealed import courses, tiny
from tests.sealed.dishonest import CORPUS, HandIn
from tests.sealed.dishonest.here import graded
from tests.sealed.dishonest.watch import (
    NEIGHBOUR,
    Watch,
    confessions,
    course_state,
    differences,
    hand_in_to,
    texts,
    watched,
)

FIGURES = Path(__file__).with_name("stock.json")
STUDENT = "mallory"  # graded before the neighbour
TIMEOUT = 120.0  # seconds for one run of nbgrader
MISSING = "no graded notebook"
ENOUGH = 3  # as many files and confessions are named

# where the neighbour's hand-in lies there too, and is graded after it
HARMS_OTHERS = {
    "editing notebook and cell metadata",
    "reading from disk",
    "writing to the gradebook",
    "writing to the environment",
    "writing to site-packages",
    "surviving the run",
    "killing or signalling other processes",
    "escaping through symlinks",
    "corrupt JSON",
    "empty files",
    "non-UTF-8",
    "other broken notebooks",
}


@dataclass(frozen=True)
class Measured:
    """What one hand-in got under stock nbgrader, and `here`; None if it was not graded."""

    name: str
    category: str
    tries: str
    points: float | None
    deserved: float
    seconds: float
    seen: list[str]
    here: float | None = None
    problem: str = ""


# Runs nbgrader in forks of a process that has imported it, which is most of its work.
# In: lines of JSON (folder, home, variables, command). Out: a fork's number, then its exit code.
SERVER = """
import json, os, resource, sys
import IPython, nbconvert.exporters, nbgrader.server_extensions.formgrader, sqlalchemy
from nbgrader.apps import AutogradeApp, NbGraderApp
print("ready", flush=True)
for line in sys.stdin:
    order = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.chdir(order["root"])
        os.environ.update(order["environment"])
        log = os.open(order["home"] + "/nbgrader.log", os.O_WRONLY | os.O_CREAT)
        for fd, target in ((os.open(os.devnull, os.O_RDWR), 0), (log, 1), (log, 2)):
            os.dup2(fd, target)
        for limit, most in (("AS", 6 << 30), ("NPROC", 1500), ("CPU", 300), ("CORE", 0)):
            resource.setrlimit(getattr(resource, "RLIMIT_" + limit), (most, most))
        sys.argv = ["nbgrader", *order["command"]]
        NbGraderApp.launch_instance(order["command"])
        sys.exit(0)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Runner:
    """nbgrader, kept ready, as a user."""

    def __init__(self, python: str, user: str | None):
        self.user = user
        self.python = python
        self.server: subprocess.Popen | None = None

    def ready(self):
        """Start the process to fork from, and wait until it is there."""
        if self.server is not None and self.server.poll() is None:
            return
        self.server = subprocess.Popen(
            [self.python, "-c", SERVER],
            cwd="/",
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            user=self.user,
            group=self.user and pwd.getpwnam(self.user).pw_gid,
            extra_groups=self.user and [],
            start_new_session=True,
        )
        self.server.stdout.readline()

    def run(self, root: Path, site: Path, *command: str) -> int | None:
        """Run nbgrader in a folder, and kill what is left of it; the exit code, None if killed."""
        home = root.parent / "home"
        mark = {"LATENT_THROWAWAY": str(root), "HOME": str(home), "PYTHONPATH": str(site)}
        order = {"root": str(root), "home": str(home), "environment": mark, "command": command}
        self.server.stdin.write(json.dumps(order) + "\n")
        self.server.stdin.flush()
        pid = int(self.server.stdout.readline())
        killed = threading.Event()

        def kill():
            killed.set()
            os.kill(pid, signal.SIGKILL)

        timer = threading.Timer(TIMEOUT, kill)
        timer.start()
        code = self.server.stdout.readline()
        timer.cancel()
        _kill_all_of(root)
        return None if killed.is_set() or not code else int(code)


def _kill_all_of(root: Path):
    """Kill the processes that were started for this copy of the course, wherever they are now."""
    mark = f"LATENT_THROWAWAY={root}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes().split(b"\0"):
                os.kill(int(path.parent.name), signal.SIGKILL)


def measure(hand_in: HandIn, template: Path, runner: Runner) -> Measured:
    """Grade one hand-in in a copy of the course."""
    with tempfile.TemporaryDirectory(prefix="stock-", ignore_cleanup_errors=True) as folder:
        root = Path(folder) / "course"
        shutil.copytree(template, root)
        (root.parent / "home").mkdir()
        if hand_in.category not in HARMS_OTHERS:
            shutil.rmtree(root / "grading" / "submitted" / NEIGHBOUR)
        course = courses.Course(root)
        with watched(root, STUDENT, runner.user) as watch:
            runner.ready()
            hand_in_to(course, hand_in, watch)
            before = course_state(course)
            give_to(folder, runner.user)
            started = time.monotonic()
            code = runner.run(root, watch.about.site, "autograde", tiny.NAME)
            seconds = time.monotonic() - started
            seen = [*_words(code), *harms_of(course, watch, before)]
        marks = courses.marks(course, tiny.NAME)
    mine = marks.get(STUDENT)
    graded = mine is not None and any(mark.auto is not None for mark in mine.values())
    points = sum(mark.score for mark in mine.values()) if mine and graded else None
    theirs = sum(mark.score for mark in marks.get(NEIGHBOUR, {}).values())
    if hand_in.category in HARMS_OTHERS and theirs < sum(tiny.POINTS.values()):
        seen.append(f"the neighbour got {theirs:g} points")
    return Measured(
        hand_in.name,
        hand_in.category,
        hand_in.tries,
        points,
        sum(hand_in.deserves.values()),
        round(seconds, 1),
        seen,
    )


def harms_of(course: courses.Course, watch: Watch, before: dict[str, object]) -> list[str]:
    """What a hand-in did, and what its outputs show."""
    harms = [*watch.harms(), *differences(before, course_state(course))]
    seen = harms[:ENOUGH] + ([f"{len(harms) - ENOUGH} more"] if len(harms) > ENOUGH else [])
    path = course.root / "grading" / "autograded" / STUDENT / tiny.NAME / f"{tiny.NAME}.ipynb"
    if not path.is_file():
        return [*seen, MISSING]
    notebook = nbformat.read(path, as_version=4)
    said = [without_places(line, watch) for line in confessions(notebook)]
    return [*seen, *leaks(notebook, watch), *sorted(set(said))[:ENOUGH]]


def without_places(line: str, watch: Watch) -> str:
    """Take out of a line what differs from run to run and from machine to machine."""
    line = line.replace(watch.about.token, "TOKEN")
    return re.sub(r"(/[^/\s]+)*/([^/\s]+)", r".../\2", line)


def leaks(notebook: NotebookNode, watch: Watch) -> list[str]:
    """What stands in outputs that students may not know; texts of failed tests apart."""
    shown = texts(notebook, tracebacks=False)
    found = []
    if any(trace in shown for trace in tiny.CANARIES.traces()):
        found.append("hidden values in the outputs")
    if watch.secret in shown:
        found.append("a secret file in the outputs")
    return found


def _words(code: int | None) -> list[str]:
    if code is None:
        return [f"the grader did not end within {TIMEOUT:g} s"]
    if code < 0:
        return [f"the grader was killed by {signal.Signals(-code).name}"]
    return ["the grader ended with an error"] if code else []


def give_to(folder: str | Path, user: str | None):
    """Make a user the owner of a folder."""
    if user is not None:
        subprocess.run(["chown", "-hR", f"{user}:", folder], check=True)
        Path(folder).chmod(0o755)


def template_course(root: Path) -> Path:
    """A course that is released, with a neighbour's hand-in in it."""
    course = courses.make(
        root,
        {tiny.NAME: tiny.source()},
        config=courses.STOCK,
        files={"book/caesar.md": tiny.CHAPTER},
    )
    release = courses.released(course, tiny.NAME)
    courses.hand_in(course, NEIGHBOUR, tiny.answered(release, tiny.ANSWERS), assignment=tiny.NAME)
    return root


def table(measured: list[Measured]) -> str:
    """The figures in Markdown."""
    total = sum(tiny.POINTS.values())
    gaining = [m for m in measured if m.points is not None and m.points > m.deserved]
    leaking = [m for m in measured if "hidden values in the outputs" in m.seen]
    harming = [m for m in measured if set(m.seen) - {"hidden values in the outputs", MISSING}]
    rows = [
        (
            m.name,
            _cell(m.tries),
            _points(m.deserved),
            _points(m.points),
            f"{m.seconds:.0f}",
            _cell("; ".join(m.seen)),
            _points(m.here),
            _cell(m.problem),
        )
        for m in measured
    ]
    head = ("hand-in", "what it tries", "deserves", "stock", "seconds", "what was seen", "here")
    lines = [(*head, "reported here"), ("---",) * (len(head) + 1), *rows]
    return f"""\
# What dishonest and broken hand-ins get under nbgrader as it comes, and here

{len(measured)} hand-ins to an assignment of {total:g} points that a machine marks, measured by
`python -m tests.sealed.dishonest.stock`. Under stock nbgrader {len(gaining)} gain points,
{len(leaking)} bring hidden values into their outputs, and {len(harming)} do other harm or end
nbgrader's run with an error. An empty field of points: the hand-in was not graded. The texts of
the tests themselves, which stock feedback and tracebacks show anyway, are not counted as leaks.
Seconds are of a run of nbgrader on a busy machine, where one without mischief takes 10 to 30.

""" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _points(points: float | None) -> str:
    return "" if points is None else f"{points:g}"


def _cell(text: str) -> str:
    return text.replace("|", " ").replace("<", "&lt;")


def with_here(measured: list[Measured]) -> list[Measured]:
    """Add what `sealed grade` gives."""
    with (
        tempfile.TemporaryDirectory() as folder,
        graded(Path(folder) / "course", CORPUS, tiny.CANARIES) as run,
    ):
        return [
            replace(
                m,
                here=sum(mark.score for mark in run.marks[m.name].values()),
                problem=(run.record(m.name)["problem"] or "").replace(folder, ""),
            )
            for m in measured
        ]


def under_stock(chosen: list[HandIn], arguments: argparse.Namespace) -> list[Measured]:
    """Grade these as nbgrader does by itself."""
    mine = threading.local()

    def one(hand_in: HandIn) -> Measured:
        if not hasattr(mine, "runner"):
            mine.runner = Runner(arguments.python, arguments.user)
        return measure(hand_in, template, mine.runner)

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(arguments.workers) as pool:
        template = template_course(Path(folder) / "course")
        return list(tqdm(pool.map(one, chosen), total=len(chosen), unit="hand-ins"))


def main():
    """Measure, and write the figures and the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="Python that has nbgrader")
    parser.add_argument("--user", help="run as this user")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="measure these, keep the others")
    parser.add_argument("--here", action="store_true", help="measure `sealed grade` alone")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    if os.getuid() == 0 and arguments.user in (None, "root") and not arguments.here:
        parser.error("hand-ins run without a sandbox here: not as root; name a user with --user")
    if arguments.here or arguments.only:
        known = [Measured(**m) for m in json.loads(FIGURES.read_text(encoding="utf-8"))]
    else:
        known = []
    if not arguments.here:
        chosen = [h for h in CORPUS if not arguments.only or h.name in arguments.only]
        known += under_stock(chosen, arguments)
    by_name = {m.name: m for m in known}
    measured = with_here([by_name[hand_in.name] for hand_in in CORPUS if hand_in.name in by_name])
    content = json.dumps([asdict(m) for m in measured], indent=1, ensure_ascii=False)
    FIGURES.write_text(content + "\n", encoding="utf-8")
    FIGURES.with_suffix(".md").write_text(table(measured), encoding="utf-8")


if __name__ == "__main__":
    main()
