"""What a hand-in of the corpus is, and the few ways in which most of them are made.

Code of a hand-in may name what stands about it, its *surroundings*, as `$victim` or `$outside`;
`Surroundings` has the words. Such code says `print("DONE: ...")` where it succeeds at what
nobody should succeed at, so that a success is seen even where nothing else shows.
"""

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from textwrap import indent

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from tests.sealed import tiny

# what the corpus has to cover
CATEGORIES = (
    "importing the reference library",
    "copying the chapter's code",
    "arguments in exceptions",
    "arguments in output",
    "arguments in return values",
    "rebinding names and builtins",
    "always-equal objects",
    "metaclasses and operator overloading",
    "patching the interactive shell",
    "forging outputs and messages",
    "editing notebook and cell metadata",
    "deleting or duplicating test cells",
    "reading from disk",
    "reading from memory",
    "reading from frames",
    "writing to the gradebook",
    "writing to the environment",
    "writing to site-packages",
    "shadowing modules by submitted files",
    "exhausting time",
    "exhausting memory",
    "exhausting processes",
    "exhausting disk",
    "exhausting output",
    "exhausting file handles",
    "surviving the run",
    "killing or signalling other processes",
    "the network",
    "escaping through symlinks",
    "escaping through sockets",
    "escaping through /proc",
    "ending the process",
    "hostile values",
    "script in feedback",
    "corrupt JSON",
    "gigantic notebooks",
    "empty files",
    "wrong kernels",
    "non-UTF-8",
    "other broken notebooks",
)


@dataclass(frozen=True)
class Surroundings:
    """What a hand-in may aim at; all of it is there for the purpose.

    Attributes
    ----------
    course : Path
        The course's folder: solutions/, grading/gradebook.db, another student's hand-in.
    student : str
        Who hands in.
    outside : Path
        A folder with a file `precious.txt` that nobody may change, `secret.txt` that nobody may
        read, a socket `door.sock`, and room for what is written outside the work folder.
    site : Path
        A folder of packages (PYTHONPATH names it where nothing is sealed).
    victim : int
        Process id of a process that sleeps.
    port : int
        A port of the loopback address that is listened to.
    socket : str
        Name of an abstract Unix socket that is listened to.
    token : str
        A word to name files and processes by, so that what is left over is found.
    """

    course: Path
    student: str
    outside: Path
    site: Path
    victim: int
    port: int
    socket: str
    token: str

    def names(self) -> dict[str, str]:
        """The words of templates."""
        return {name: str(value) for name, value in vars(self).items()}


@dataclass(frozen=True)
class Made:
    """The files of a hand-in; `links` are symbolic links by their path beside the notebook."""

    content: bytes
    name: str = f"{tiny.NAME}.ipynb"
    files: Mapping[str, bytes] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HandIn:
    """A dishonest or broken hand-in.

    Attributes
    ----------
    name, category
        Its name, and one of CATEGORIES.
    tries : str
        What it tries, in a sentence.
    make : function of the released notebook and the surroundings
        Makes its files.
    deserves : points by grade id
        What the honest part of it is worth, at most; everything beyond is gained.
    broken : bool
        Whether nobody could grade it, so that it has to be reported.
    """

    name: str
    category: str
    tries: str
    make: Callable[[NotebookNode, Surroundings], Made]
    deserves: Mapping[str, float] = field(default_factory=dict)
    broken: bool = False


def deserved(honest: Iterable[str]) -> dict[str, float]:
    """Points of the tasks that are answered honestly."""
    return {test: tiny.POINTS[test] for test, task in tiny.TASKS.items() if task in set(honest)}


def everywhere(body: str) -> dict[str, str]:
    """Answers of which each function and method does the same; its arguments are in `given`."""
    body = indent(body.strip(), "    ")
    functions = {
        name: f"def {name}(*given, **named):\n{body}" for name in ("distortion", "caesar", "walk")
    }
    method = indent(body, "    ")
    tally = "\n".join(
        f"    def {name}(*given, **named):\n{method}" for name in ("add", "favourite")
    )
    return functions | {"tally": f"class Tally:\n{tally}"}


def cheat(
    name: str,
    category: str,
    tries: str,
    *,
    first: str = "",
    answers: Mapping[str, str] | None = None,
    last: str = "",
    honest: Iterable[str] = (),
    files: Mapping[str, str] | None = None,
    links: Mapping[str, str] | None = None,
    edit: Callable[[NotebookNode], None] | None = None,
) -> HandIn:
    """A hand-in that is the released notebook with code in it.

    Parameters
    ----------
    first, last
        Code of a cell before the first task, and of one behind the last.
    answers
        Code of the answers; the others are wrong, or right where `honest` names them.
    files, links
        What lies beside the notebook.
    edit
        Changes the notebook, last of all.
    """
    honest = tuple(honest)
    given = tiny.WRONG | {task: tiny.ANSWERS[task] for task in honest} | dict(answers or {})

    def make(release: NotebookNode, about: Surroundings) -> Made:
        def fill(text: str) -> str:
            return Template(text).substitute(about.names())

        notebook = tiny.answered(release, {task: fill(code) for task, code in given.items()})
        notebook = copy.deepcopy(notebook)
        if first:
            notebook.cells.insert(position(notebook, "distortion-task"), new_code_cell(fill(first)))
        if last:
            notebook.cells.append(new_code_cell(fill(last)))
        if edit is not None:
            edit(notebook)
        return Made(
            json.dumps(notebook, indent=1).encode(),  # as it is: nbformat would mend it
            files={path: fill(text).encode() for path, text in (files or {}).items()},
            links={path: fill(target) for path, target in (links or {}).items()},
        )

    return HandIn(name, category, tries, make, deserved(honest))


def broken(
    name: str,
    category: str,
    tries: str,
    content: Callable[[NotebookNode], bytes],
    *,
    called: str = f"{tiny.NAME}.ipynb",
    files: Mapping[str, bytes] | None = None,
) -> HandIn:
    """A hand-in with right answers that nobody can read; its file may be `called` otherwise."""

    def make(release: NotebookNode, about: Surroundings) -> Made:
        return Made(content(tiny.answered(release, tiny.ANSWERS)), called, files or {})

    return HandIn(name, category, tries, make, broken=True)


def position(notebook: NotebookNode, grade_id: str) -> int:
    """Index of the cell with this grade id."""
    ids = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells]
    return ids.index(grade_id)


def test_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells with tests."""
    ids = set(tiny.POINTS)
    return [
        cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") in ids
    ]
