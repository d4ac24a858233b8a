"""What an assignment must not do, seen from its text: each breach with its cell and line.

Student and tests run apart, and only plain data crosses. A test that relies on more would fail a
right answer; and a hidden test without words leaves a student without any.
"""

import ast
import importlib.util
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from typing import NamedTuple

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import ClearHiddenTests

from sealed import in_process
from sealed.plan import bound_names, free_names, is_test, modules_of, parse

# of numpy.random, what has no state that all share
GENERATORS = {"default_rng", "Generator", "SeedSequence", "BitGenerator"}
GENERATORS |= {"PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"}
LAZY = {"map", "filter", "zip", "iter", "reversed", "enumerate"}
SETTINGS = {"modules", "references", "chapters", "tolerates"}


class Breach(NamedTuple):
    """A rule that is broken: the cell (its id), the line in it (0: the whole cell), and what."""

    cell: str
    line: int
    what: str


class Cell(NamedTuple):
    """A code cell: its id, its role and its syntax tree."""

    id: str
    is_test: bool
    is_answer: bool
    source: str
    tree: ast.Module


def breaches(source: NotebookNode, release: NotebookNode) -> list[Breach]:
    """Return what a source notebook does against the rules.

    Parameters
    ----------
    source
        The notebook with answers and hidden tests.
    release
        What students get of it.
    """
    cells = [
        Cell(_name(c), is_test(c), in_process.is_answer(c), c.source, parse(c.source))
        for c in source.cells
        if c.cell_type == "code"
    ]
    asked = _asked_for(cells)
    found = [*_settings(source), *_ids_and_points(source), *_stubs(release)]
    for cell in cells:
        found += _random_state(cell)
        if cell.is_answer:
            found += _lazy_results(cell, asked)
        if cell.is_test:
            found += _calls(cell, asked)
            found += _classes(cell, asked)
            found += _words(cell, cells)
    found += _shared_generators(cells)
    found += _imports(cells, source)
    return found


def _name(cell: NotebookNode) -> str:
    return cell.metadata.get("nbgrader", {}).get("grade_id") or cell.get("id", "?")


def _asked_for(cells: list[Cell]) -> dict[str, str]:
    """Return the functions ("function") and classes ("class") of answers that tests use."""
    used = set().union(*(free_names(c.source) for c in cells if c.is_test))
    asked = {}
    for cell in cells:
        for node in cell.tree.body if cell.is_answer else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in used:
                asked[node.name] = "function"
            elif isinstance(node, ast.ClassDef) and node.name in used:
                asked[node.name] = "class"
    return asked


def _settings(source: NotebookNode) -> Iterator[Breach]:
    """Check the notebook's metadata "sealed"."""
    settings = source.metadata.get("sealed", {})
    for key in settings.keys() - SETTINGS:
        known = ", ".join(sorted(SETTINGS))
        yield Breach("metadata", 0, f'"sealed" has {key!r}; it may have {known}')
    for key in ("modules", "references"):
        for module in settings.get(key, ()):
            if not _exists(module):
                yield Breach("metadata", 0, f"{key}: there is no module {module!r} here")


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of a package that there is not
        return False


def _ids_and_points(source: NotebookNode) -> Iterator[Breach]:
    flagged = [c for c in source.cells if c.metadata.get("nbgrader")]
    ids = Counter(_name(cell) for cell in flagged)
    for name, n in ids.items():
        if n > 1:
            yield Breach(name, 0, f"{n} cells have this id; each needs its own")
    for cell in source.cells:
        if is_test(cell) and not cell.metadata.nbgrader.get("points"):
            yield Breach(_name(cell), 0, "a test cell without points")
        if utils.is_grade(cell) and "skip-execution" in cell.metadata.get("tags", ()):
            yield Breach(_name(cell), 0, "the tag skip-execution gives every point for nothing")


def _stubs(release: NotebookNode) -> Iterator[Breach]:
    for cell in release.cells:
        if in_process.is_answer(cell):
            tree = parse(cell.source)
            if not any(isinstance(node, ast.Raise) for node in ast.walk(tree)):
                yield Breach(_name(cell), 0, "what students get of this answer raises no error")


def _lazy_results(cell: Cell, asked: dict[str, str]) -> Iterator[Breach]:
    """Find functions that give iterators: a test can go through one only once."""
    for top in cell.tree.body:
        functions = top.body if isinstance(top, ast.ClassDef) else [top]
        for function in functions:
            if not isinstance(function, ast.FunctionDef) or getattr(top, "name", "") not in asked:
                continue
            for node in _own_nodes(function):
                if isinstance(node, ast.Yield | ast.YieldFrom):
                    what = f"`{function.name}` is a generator: let it return a list"
                    yield Breach(cell.id, node.lineno, what)
                    break
                if isinstance(node, ast.Return) and _is_lazy(node.value):
                    what = f"`{function.name}` returns an iterator: let it return a list"
                    yield Breach(cell.id, node.lineno, what)


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function that are in no function inside it."""
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop(0)
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            todo += ast.iter_child_nodes(node)


def _is_lazy(node: ast.AST | None) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in LAZY
    return isinstance(node, ast.GeneratorExp)


def _calls(cell: Cell, asked: dict[str, str]) -> Iterator[Breach]:
    """Find calls of the student's functions that give or expect more than data."""
    functions = {n.name for n in ast.walk(cell.tree) if isinstance(n, ast.FunctionDef)}
    functions |= {
        target.id
        for node in ast.walk(cell.tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(cell.tree):
        if not isinstance(node, ast.Call) or _called(node) not in asked:
            continue
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            if isinstance(argument, ast.Lambda) or (
                isinstance(argument, ast.Name) and argument.id in functions
            ):
                what = "is given a function of the test: define it in a cell that students get"
                yield Breach(cell.id, node.lineno, f"`{_called(node)}` {what}")
            elif _is_lazy(argument):
                what = "is given an iterator, which does not cross: give it a list"
                yield Breach(cell.id, node.lineno, f"`{_called(node)}` {what}")
    for node in _statements(cell.tree.body, last=True):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            name = _called(node.value)
            if asked.get(name) == "function":
                what = f"the result of `{name}` is not used: what it changes does not come back"
                yield Breach(cell.id, node.lineno, what)


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _statements(body: list[ast.stmt], *, last: bool) -> Iterator[ast.stmt]:
    """Yield statements, but for a last expression, and those that may be there for their error."""
    for i, node in enumerate(body):
        if isinstance(node, ast.Try) or (
            last and i == len(body) - 1 and isinstance(node, ast.Expr)
        ):
            continue
        if isinstance(node, ast.With) and any("raises" in ast.dump(x) for x in node.items):
            continue
        yield node
        for name in ("body", "orelse"):
            inner = getattr(node, name, None)
            if isinstance(inner, list):
                yield from _statements(inner, last=False)


def _classes(cell: Cell, asked: dict[str, str]) -> Iterator[Breach]:
    for node in ast.walk(cell.tree):
        if not isinstance(node, ast.Call) or _called(node) not in ("isinstance", "issubclass"):
            continue
        named = {n.id for a in node.args[1:] for n in ast.walk(a) if isinstance(n, ast.Name)}
        for name in sorted(named & {n for n, kind in asked.items() if kind == "class"}):
            what = f"{_called(node)} with the student's class `{name}`: test what it does"
            yield Breach(cell.id, node.lineno, what)


def _random_state(cell: Cell) -> Iterator[Breach]:
    """Find random numbers from a state that is nobody's argument."""
    tree, lines = cell.tree, {}
    modules = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            text = ast.unparse(node)
            if match := re.fullmatch(r"(?:np|numpy)\.random\.(\w+)", text):
                if match[1] not in GENERATORS:
                    lines.setdefault(node.lineno, text)
            elif (
                isinstance(node.value, ast.Name)
                and modules.get(node.value.id) == "random"
                and node.attr != "Random"
            ):
                lines.setdefault(node.lineno, text)
        elif isinstance(node, ast.ImportFrom) and node.module in ("random", "numpy.random"):
            for alias in node.names:
                if alias.name not in GENERATORS | {"Random"}:
                    lines.setdefault(node.lineno, f"{node.module}.{alias.name}")
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "rvs"
            and "random_state" not in {keyword.arg for keyword in node.keywords}
        ):
            lines.setdefault(node.lineno, f"{ast.unparse(node.func)} without random_state")
    for line, text in sorted(lines.items()):
        what = f"{text} draws from a state that all share: pass a Generator, `rng`"
        yield Breach(cell.id, line, what)


def _shared_generators(cells: list[Cell]) -> Iterator[Breach]:
    """Find Generators of one cell that an answer or a test in another draws from."""
    made: set[str] = set()
    for cell in cells:
        if cell.is_answer or cell.is_test:
            for name in sorted(free_names(cell.source) & made):
                what = f"`{name}` is a Generator of another cell: pass one, or make one here"
                yield Breach(cell.id, _line_of(cell.tree, name), what)
        made -= bound_names(cell.source)
        for node in cell.tree.body:
            if isinstance(node, ast.Assign) and "default_rng(" in ast.unparse(node.value):
                made |= {target.id for target in node.targets if isinstance(target, ast.Name)}


def _line_of(tree: ast.Module, name: str) -> int:
    lines = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == name]
    return min(lines, default=0)


def _imports(cells: list[Cell], source: NotebookNode) -> Iterator[Breach]:
    """Find imports that a student could not write, in what the student's process runs."""
    modules = modules_of(source)
    for cell in cells:
        if not cell.is_test:
            for line, name in forbidden_imports(cell.source, modules):
                what = f"imports {name}, which the notebook's metadata does not allow"
                yield Breach(cell.id, line, what)


def forbidden_imports(source: str, modules: Collection[str]) -> Iterator[tuple[int, str]]:
    """Yield line and name of each import in a cell that a student may not write.

    Parameters
    ----------
    source
        A cell.
    modules
        What may be imported, beside the standard library.
    """
    for node in ast.walk(parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
            if any(m.startswith(f"{node.module}.") for m in modules):  # `from latent import data`
                names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            top = name.split(".")[0]
            allowed = any(name == m or name.startswith(f"{m}.") for m in modules)
            if not (allowed or top in sys.stdlib_module_names or top == "IPython"):
                yield node.lineno, name


def _words(cell: Cell, cells: list[Cell]) -> Iterator[Breach]:
    """Find checks in hidden tests that say nothing in words when they fail."""
    hidden = _hidden_lines(cell.source)
    asserts = _assert_functions([*(c for c in cells if not c.is_answer and not c.is_test), cell])
    parameters = _parameters_by_line(cell.tree)
    for node in ast.walk(cell.tree):
        if getattr(node, "lineno", 0) not in hidden:
            continue
        if isinstance(node, ast.Assert):
            words, text = node.msg, "assert"
        elif isinstance(node, ast.Call) and _compares(text := ast.unparse(node.func), asserts):
            words = next((k.value for k in node.keywords if k.arg == "err_msg"), None)
        else:
            continue
        if isinstance(words, ast.Name) and words.id in parameters.get(node.lineno, ()):
            continue  # a helper's: its callers say it
        if not _has_text(words):
            what = f"hidden, and without words for the student: {text}"
            yield Breach(cell.id, node.lineno, what)


def _compares(function: str, names: set[str]) -> bool:
    if function in names:
        return True
    return bool(re.search(r"\btesting\.assert_(?!raises|warns|no_)\w+$", function))


def _has_text(words: ast.AST | None) -> bool:
    return words is not None and any(
        isinstance(n, ast.Constant) and isinstance(n.value, str) and n.value.strip()
        for n in ast.walk(words)
    )


def _hidden_lines(source: str) -> set[int]:
    settings = ClearHiddenTests()
    lines, inside = set(), False
    for number, line in enumerate(source.split("\n"), 1):
        if settings.begin_test_delimeter in line:
            inside = True
        elif settings.end_test_delimeter in line:
            inside = False
        elif inside:
            lines.add(number)
    return lines


def _assert_functions(cells: list[Cell]) -> set[str]:
    """Return the names under which these cells have NumPy's functions that compare."""
    names = set()
    for cell in cells:
        for node in ast.walk(cell.tree):
            if isinstance(node, ast.ImportFrom) and node.module == "numpy.testing":
                names |= {a.asname or a.name for a in node.names if a.name.startswith("assert_")}
            elif isinstance(node, ast.Assign):
                text = ast.unparse(node.value)
                if "testing.assert_" in text and "err_msg" not in text:
                    names |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    return {name for name in names if not re.search("raises|warns|no_", name)}


def _parameters_by_line(tree: ast.Module) -> dict[int, set[str]]:
    """Return, for each line in a function, the names of its parameters."""
    found: dict[int, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                found.setdefault(line, set()).update(names)
    return found
