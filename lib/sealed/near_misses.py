"""Wrong answers made from right ones, to see whether tests notice them.

A wrong answer is the text of an answer cell: the right answer, and then a few lines that wrap what
it defines. So it can be handed in like any other.
"""

import ast
import inspect
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from nbformat import NotebookNode

from sealed import in_process, spoiling
from sealed.plan import bound_names, free_names, is_test, parse

NAME = "_near_miss"  # of the object that spoils, in the notebook's namespace

# whether these are noticed does not depend on the tests alone: what is no plain data, or changes
# its arguments, fails wherever student and tests are kept apart
SEALED = (
    "an object that equals everything",
    "an array that equals everything",
    "numbers as objects",
    "Ellipsis",
    "its argument changed in place",
)

# what is the same wherever it runs
PLAIN = tuple(
    what for what in (*spoiling.JUNK, *spoiling.MISSES, *spoiling.CALLS[:1]) if what not in SEALED
)


class Target(NamedTuple):
    """Something that a student is to define and a test uses.

    Attributes
    ----------
    test, answer : str
        Grade ids of the test cell and of the answer cell that defines it.
    name : str
        "function", "variable", "Class" or "Class.method".
    """

    test: str
    answer: str
    name: str


def targets(notebook: NotebookNode) -> list[Target]:
    """Return what the answers of a notebook define for its test cells.

    A name counts if it is bound at the top level of an answer cell and a later test cell uses it.
    Of a class, each method that is defined in it counts, too, but for private ones and those that
    only Python calls to make or show an object.
    """
    found = []
    defined: dict[str, tuple[str, str]] = {}
    for cell in notebook.cells:
        if in_process.is_answer(cell):
            grade_id = cell.metadata.nbgrader.grade_id
            bound = bound_names(cell.source, imports=False)
            defined |= {name: (grade_id, cell.source) for name in bound}
        elif is_test(cell):
            for name in sorted(free_names(cell.source) & defined.keys()):
                grade_id, source = defined[name]
                for part in (name, *_methods(source, name)):
                    found.append(Target(cell.metadata.nbgrader.grade_id, grade_id, part))
    return found


def spoilt(answer: str, name: str, what: str, visible: int = 0) -> str:
    """Return an answer cell in which something is spoilt.

    Parameters
    ----------
    answer
        Source of an answer cell.
    name
        What to spoil: the name of a `Target`.
    what
        How: one of `kinds`, or "" for a cell that only watches.
    visible
        How many calls the visible tests make; "right in the visible tests only" needs it.
    """
    lines = [
        answer,
        "",
        "_spoiling = {'__name__': 'spoiling'}",
        f"exec({inspect.getsource(spoiling)!r}, _spoiling)",
        f"{NAME} = _spoiling['NearMiss']({what!r}, {visible})",
    ]
    owner, dot, method = name.partition(".")
    lines += [f"{NAME}.method({owner}, {method!r})" if dot else f"{name} = {NAME}.spoil({name})"]
    return "\n".join(lines)


def kinds(seen: Iterable[Any]) -> Iterator[str]:
    """Yield the names of the changes that make a difference to some of these right values.

    What depends on calls rather than values is always among them.
    """
    seen = list(seen)
    n_results = max((len(v) for v in seen if isinstance(v, tuple)), default=0)
    names = [*spoiling.JUNK, *spoiling.MISSES]
    if n_results > 1:
        names += [f"result {i}: {what}" for i in range(n_results) for what in spoiling.ONE_RESULT]
    for what in names:
        watcher = spoiling.NearMiss(what)
        for value in seen:
            if callable(value) or watcher.changes:
                break
            watcher.value(value)
        if watcher.changes or any(callable(value) for value in seen):
            yield what
    yield from spoiling.CALLS


def _methods(source: str, name: str) -> list[str]:
    quiet = {"__init__", "__new__", "__post_init__", "__repr__", "__str__", "__init_subclass__"}
    return [
        f"{name}.{method.name}"
        for node in ast.walk(parse(source))
        if isinstance(node, ast.ClassDef) and node.name == name
        for method in node.body
        if isinstance(method, ast.FunctionDef)
        and method.name not in quiet
        and (method.name.startswith("__") or not method.name.startswith("_"))
    ]
