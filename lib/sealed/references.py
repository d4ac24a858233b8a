"""Answers that a student could find: the functions of a course's packages, and its chapters' code.

Each becomes the text of an answer cell, under the name that the task asks for.
"""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import jupytext

from sealed.plan import parse


class Candidate(NamedTuple):
    """A function or class that may answer a task.

    Attributes
    ----------
    origin : str
        Where it is, in words.
    code : str
        What defines it.
    name : str
        Its name after that.
    takes : callable
        Whether it can be called with so many arguments.
    methods : frozenset of str
        Of a class, what its objects can do; of a function, nothing.
    """

    origin: str
    code: str
    name: str
    takes: Callable[[int], bool]
    methods: frozenset[str]

    def answer(self, name: str) -> str:
        """Return an answer cell that hands it in under a name."""
        return f"{self.code}\n{name} = {self.name}\n"


def of_packages(packages: Iterable[str]) -> Iterator[Candidate]:
    """Yield each public function and class that packages define.

    Raises
    ------
    ImportError
        If a package, or a module in it, cannot be imported.
    """
    for package in packages:
        for module in _modules(importlib.import_module(package)):
            for name, value in vars(module).items():
                if name.startswith("_") or getattr(value, "__module__", "") != module.__name__:
                    continue
                if callable(value):
                    methods = {m for m in dir(value) if not m.startswith("_")}
                    yield Candidate(
                        f"{module.__name__}.{name}",
                        f"from {module.__name__} import {name} as _reference",
                        "_reference",
                        _takes(value),
                        frozenset(methods if isinstance(value, type) else ()),
                    )


def of_chapters(root: Path, chapters: Iterable[str]) -> Iterator[Candidate]:
    """Yield each function and class that the code cells of chapters define.

    Parameters
    ----------
    root
        The course's folder.
    chapters
        Files or folders in it; of a folder, all notebooks and Markdown files with code cells.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    """
    for chapter in chapters:
        for page in _pages(root / chapter):
            yield from _of_page(page, str(page.relative_to(root)))


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    yield package
    for found in pkgutil.walk_packages(getattr(package, "__path__", []), f"{package.__name__}."):
        if not found.name.endswith(".__main__"):
            yield importlib.import_module(found.name)


def _takes(value: Callable) -> Callable[[int], bool]:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):  # of some that are written in C
        return lambda n: True

    def takes(n: int) -> bool:
        try:
            signature.bind(*range(n))
        except TypeError:
            return False
        return True

    return takes


def _pages(chapter: Path) -> list[Path]:
    if chapter.is_dir():
        return sorted(p for p in chapter.rglob("*") if p.suffix in (".md", ".ipynb"))
    for path in (chapter, chapter.with_name(f"{chapter.name}.md")):
        if path.is_file():
            return [path]
    raise FileNotFoundError(f"the chapter {chapter} is neither a file nor a folder")


def _of_page(page: Path, origin: str) -> Iterator[Candidate]:
    """Yield what a page defines, each with all of the page's imports and definitions before it."""
    notebook = jupytext.read(page)
    statements: list[ast.stmt] = [
        node
        for cell in notebook.cells
        if cell.cell_type == "code"
        for node in parse(cell.source).body
        if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)
        or (isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda))
    ]
    code = ast.unparse(ast.Module(statements, []))
    for node in statements:
        if isinstance(node, ast.FunctionDef):
            yield Candidate(f"{origin}: {node.name}", code, node.name, _accepts(node.args), _NONE)
        elif isinstance(node, ast.ClassDef):
            methods = frozenset(n.name for n in node.body if isinstance(n, ast.FunctionDef))
            yield Candidate(f"{origin}: {node.name}", code, node.name, lambda n: True, methods)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            name = ast.unparse(node.targets[0])
            yield Candidate(f"{origin}: {name}", code, name, _accepts(node.value.args), _NONE)


_NONE: frozenset[str] = frozenset()


def _accepts(arguments: ast.arguments) -> Callable[[int], bool]:
    most = len(arguments.posonlyargs) + len(arguments.args)
    least = most - len(arguments.defaults)
    wanted = any(default is None for default in arguments.kw_defaults)
    return lambda n: not wanted and least <= n and (n <= most or arguments.vararg is not None)
