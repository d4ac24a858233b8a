"""What the source notebook says about grading: its tests, and what these need."""

import ast
import copy
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import ClearHiddenTests

from sealed import views


@dataclass(frozen=True)
class Test:
    """A test cell.

    Attributes
    ----------
    grade_id : str
    max_points : float
    whole, visible : str
        The cell's source, and the part of it that students get.
    names : tuple of str
        What the student was to define in cells above.
    share : tuple of str
        The instructor's cells since the test before, that tests need.
    """

    grade_id: str
    max_points: float
    whole: str
    visible: str
    names: tuple[str, ...]
    share: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """How hand-ins of a notebook are graded.

    Attributes
    ----------
    tests : dict of Test by grade id
        In the order of the notebook.
    idle : frozenset of str
        Sources of the instructor's plain cells that no test needs.
    modules : tuple of str
        What the student may import, beside the standard library.
    preload : tuple of str
        What the instructor's cells import.
    """

    tests: dict[str, Test]
    idle: frozenset[str]
    modules: tuple[str, ...]
    preload: tuple[str, ...]


def plan_of(source: NotebookNode) -> Plan:
    """Read a source notebook.

    Raises
    ------
    ValueError
        If its metadata "sealed" does not have the form {"modules": [names]}.
    """
    cells = [cell for cell in source.cells if cell.cell_type == "code"]
    wanted = set().union(*(free_names(c.source) for c in cells if _is_locked(c) or is_test(c)))
    needed = set()
    for i in reversed(range(len(cells))):  # what a needed cell needs is needed
        if _is_plain(cells[i]) and bound_names(cells[i].source) & wanted:
            needed.add(i)
            wanted |= free_names(cells[i].source)
    tests, names, share, idle = {}, [], [], set()
    for i, cell in enumerate(cells):
        if is_test(cell):
            test = _test(cell, names, share)
            tests[test.grade_id] = test
            share = []
        elif utils.is_solution(cell):
            names += sorted(bound_names(cell.source, imports=False) - {*names})
            share += import_lines(cell.source)
        elif _is_locked(cell) or i in needed:
            share.append(cell.source)
        else:
            idle.add(cell.source.strip())
    imported = {m for c in cells if not utils.is_solution(c) for m in _imports(c.source)}
    return Plan(tests, frozenset(idle), modules_of(source), tuple(sorted(imported)))


def is_test(cell: NotebookNode) -> bool:
    """Return whether a cell is marked by machine."""
    return cell.cell_type == "code" and utils.is_grade(cell) and not utils.is_solution(cell)


def _is_plain(cell: NotebookNode) -> bool:
    return not (utils.is_grade(cell) or utils.is_solution(cell) or utils.is_locked(cell))


def _is_locked(cell: NotebookNode) -> bool:
    return utils.is_locked(cell) and not utils.is_grade(cell)


def import_lines(source: str) -> list[str]:
    """Return the import statements at the top level of a cell: tests may use what they bind."""
    imports = [n for n in parse(source).body if isinstance(n, ast.Import | ast.ImportFrom)]
    return ["\n".join(map(ast.unparse, imports))] if imports else []


def needed_cells(plan: Plan, sources: list[str]) -> set[int]:
    """Return which cells of a hand-in marks may depend on.

    All but those of the instructor's, unchanged, that no test and no other such cell needs.
    """
    needed = {i for i, source in enumerate(sources) if source.strip() not in plan.idle}
    wanted = {name for i in needed for name in free_names(sources[i])}
    for i in reversed(range(len(sources))):
        if i not in needed and bound_names(sources[i]) & wanted:
            needed.add(i)
            wanted |= free_names(sources[i])
    return needed


def _test(cell: NotebookNode, names: list[str], share: list[str]) -> Test:
    visible, _ = ClearHiddenTests().preprocess_cell(copy.deepcopy(cell), ResourcesDict(), 0)
    return Test(
        cell.metadata.nbgrader.grade_id,
        float(cell.metadata.nbgrader.points),
        cell.source,
        visible.source,
        tuple(names),
        tuple(share),
    )


def modules_of(source: NotebookNode) -> tuple[str, ...]:
    """Return what a student may import, beside the standard library, by the notebook's metadata.

    Raises
    ------
    ValueError
        If its metadata "sealed" does not have the form {"modules": [names]}.
    """
    settings = source.metadata.get("sealed", {})
    modules = settings.get("modules", views.DEFAULT_MODULES)
    if isinstance(modules, str) or not all(isinstance(m, str) for m in modules):
        raise ValueError(
            f'the metadata "sealed" of the source notebook has modules {modules!r}; '
            'it must be a list of names, as in {"modules": ["numpy", "scipy"]}'
        )
    return tuple(sorted(modules))


def parse(source: str) -> ast.Module:
    """Parse a cell as IPython would; a cell that is no Python has no names."""
    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except (SyntaxError, ValueError, MemoryError, RecursionError):  # the last: nested too deep
        return ast.Module([], [])


@lru_cache(1024)  # most cells are the instructor's, and the same in every hand-in
def bound_names(source: str, *, imports: bool = True) -> frozenset[str]:
    """Return the names that a cell binds at its top level."""
    return frozenset(name for node in parse(source).body for name in _bound_by(node, imports))


def _bound_by(node: ast.AST, imports: bool = True) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        if imports:
            yield from ((a.asname or a.name).split(".")[0] for a in node.names)
    elif isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Store):
            yield node.id
    elif not isinstance(node, ast.Lambda | ast.comprehension):
        for child in ast.iter_child_nodes(node):
            yield from _bound_by(child, imports)


@lru_cache(1024)
def free_names(source: str) -> frozenset[str]:
    """Return the names that a cell reads before it has bound them itself."""
    try:
        return frozenset(_free(parse(source).body, set()))
    except RecursionError:  # it may run all the same: then it may read whatever it names
        return frozenset(re.findall(r"[^\W\d]\w*", source))


def _free(statements: Iterable[ast.AST], bound: set[str]) -> set[str]:
    """Go through statements in order; `bound` grows."""
    free: set[str] = set()
    for node in statements:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            arguments = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
            body = node.body if isinstance(node.body, list) else [node.body]
            local = arguments | {n for b in body for n in _bound_by(b)}
            own = {node.name} if not isinstance(node, ast.Lambda) else set()
            free |= _free(body, bound | local | own)
            bound |= own
            free |= _free([*node.args.defaults, *filter(None, node.args.kw_defaults)], bound)
            free |= _free(getattr(node, "decorator_list", []), bound)
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            names = (n for n in ast.walk(node) if isinstance(n, ast.Name))
            inside = bound | {n.id for n in names if isinstance(n.ctx, ast.Store)}
            free |= _free(ast.iter_child_nodes(node), inside)
        elif isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                bound.add(node.id)
            elif node.id not in bound:
                free.add(node.id)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            free |= _free([node.value] if node.value else [], bound) | _free(targets, bound)
        elif isinstance(node, ast.AugAssign):  # reads what it binds
            names = {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
            free |= (names - bound) | _free([node.value], bound)
        elif isinstance(node, ast.For | ast.AsyncFor):
            free |= _free([node.iter, node.target, *node.body, *node.orelse], bound)
        else:
            if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
                bound.add(node.name)
            free |= _free(ast.iter_child_nodes(node), bound)
            bound.update(_bound_by(node))
    return free


def _imports(source: str) -> Iterator[str]:
    for node in ast.walk(parse(source)):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{a.name}" for a in node.names if node.module in PARENTS)


PARENTS = ("scipy", "matplotlib")  # `from scipy import stats` imports a module


def read(notebook: dict) -> NotebookNode:
    """Make a notebook of JSON that nbformat may have to convert to version 4."""
    return nbformat.convert(nbformat.from_dict(notebook), 4)
