"""What a process in the sandbox sees of the disk, and which modules it can import.

The examiner has the packages of this Python. The student has the modules that the assignment allows
and what these need, and no others: they are not hidden but absent.
"""

import ast
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement

HERE = Path(__file__).resolve().parent
PROGRAM, PACKAGES = "/program", "/packages"  # in the sandbox
RUNNER = ("ipython", "matplotlib-inline", "numpy")  # what runs cells needs itself
PRELOADED = ("numpy", "IPython")
DEFAULT_MODULES = ("numpy", "scipy", "matplotlib")


OWN = (
    (str(HERE / "__init__.py"), f"{PROGRAM}/sealed/__init__.py"),
    (str(HERE / "inside"), f"{PROGRAM}/sealed/inside"),
)


@dataclass(frozen=True)
class View:
    """What bubblewrap mounts.

    Attributes
    ----------
    binds : tuple of (path outside, path inside)
        Mounted read-only.
    hidden : tuple of paths
        Folders that are inside one of these, and empty in the sandbox.
    path : tuple of paths
        Where Python looks for modules, in the sandbox.
    preload : tuple of names
        Modules to import before any hand-in.
    """

    binds: tuple[tuple[str, str], ...]
    hidden: tuple[str, ...]
    path: tuple[str, ...]
    preload: tuple[str, ...]

    @property
    def program(self) -> str:
        """The nursery's program, in the sandbox."""
        return f"{PROGRAM}/sealed/inside/nursery.py"


class UnknownModule(ValueError):
    """An assignment allows a module that this Python does not have."""


@cache
def student(modules: tuple[str, ...], preload: tuple[str, ...]) -> View:
    """Return the view of a student who may import these modules.

    A package such as "scipy" comes whole, with what it requires; of "latent.data" only that module
    and what it imports of `latent`.

    Raises
    ------
    UnknownModule
        If a module is not installed.
    """
    binds: dict[str, Path] = {}
    whole = [name for name in modules if "." not in name and name not in sys.stdlib_module_names]
    for name, path in _distributions([*RUNNER, *map(_distribution_of, whole)]).items():
        binds[f"{PACKAGES}/{name}"] = path
    for name in modules:
        if "." in name:
            for inside, path in _part_of_package(name).items():
                binds[f"{PACKAGES}/{inside}"] = path
    python, hidden = _python()
    return View(
        (*python, *OWN, *((str(path), inside) for inside, path in sorted(binds.items()))),
        hidden,
        (PROGRAM, PACKAGES),
        (*PRELOADED, *preload),
    )


@cache
def examiner(preload: tuple[str, ...]) -> View:
    """Return the view of an examiner: all packages of this Python, and nothing else."""
    command = [sys.executable, "-I", "-c", "import json, sys; print(json.dumps(sys.path))"]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    python, hidden = _python()
    own = [sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    folders = [p for p in found if os.path.isdir(p) and not _is_standard(p, own)]
    inside = {p: f"{PACKAGES}/{i}" for i, p in enumerate(folders)}
    binds = (*python, *OWN, *inside.items())
    return View(binds, hidden, (PROGRAM, *inside.values()), (*PRELOADED, *preload))


def _is_standard(path: str, standard: list[str]) -> bool:
    """Return whether a folder belongs to the standard library, and not to packages in it."""
    return "-packages" not in path and any(Path(path).is_relative_to(s) for s in standard)


def _python() -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Return the binds of the interpreter, and the folders of further packages in them."""
    executable = os.path.realpath(sys.executable)
    folders = [f for f in _libraries() if os.path.isdir(f)]
    if sys.base_prefix == "/usr":
        folders += [executable, sysconfig.get_path("stdlib")]
    else:
        folders.append(os.path.realpath(sys.base_prefix))
        if not Path(executable).is_relative_to(folders[-1]):
            folders.append(executable)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = [
        f"{sys.base_prefix}/{lib}/{version}/{name}"
        for lib in ("lib", "lib64")
        for name in ("site-packages", "dist-packages")
    ]
    inside = [Path(f) for f in folders]
    hidden = [
        c for c in candidates if os.path.isdir(c) and any(Path(c).is_relative_to(f) for f in inside)
    ]
    return tuple((f, f) for f in folders), tuple(hidden)


def _libraries() -> list[str]:
    """Return the folders of the system's shared libraries."""
    multiarch = sysconfig.get_config_var("MULTIARCH")
    own = [f"/usr/lib/{multiarch}"] if multiarch and os.path.isdir(f"/usr/lib/{multiarch}") else []
    return [*(own or ["/usr/lib"]), "/usr/lib64"]


def executable() -> str:
    """Return the interpreter without its virtual environment."""
    return os.path.realpath(sys.executable)


@cache
def _by_module() -> dict[str, list[str]]:
    return {k: list(v) for k, v in importlib.metadata.packages_distributions().items()}


def _distribution_of(module: str) -> str:
    if _is_named_like(module):  # as most are; the list of all modules takes seconds to make
        return module
    if module not in _by_module():
        raise UnknownModule(
            f"the assignment allows {module!r}, which this Python does not have: "
            "install it, or take it out of the notebook's metadata (sealed, modules)"
        )
    return _by_module()[module][0]


def _is_named_like(module: str) -> bool:
    found = importlib.metadata.distributions(name=module)
    return any(f"{module}/__init__.py" in map(str, d.files or ()) for d in found)


def _distributions(names: Iterable[str]) -> dict[str, Path]:
    """Return the files and folders at the top of these distributions and all that they need."""
    entries: dict[str, Path] = {}
    seen: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if (key := name.lower().replace("_", "-")) in seen:
            continue
        seen.add(key)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # required on other systems, or optional
        for file in distribution.files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not top.endswith(".pth"):
                entries[top] = Path(str(distribution.locate_file(top)))
        for line in distribution.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo.append(requirement.name)
    return {top: path.resolve() for top, path in entries.items() if path.exists()}


def _part_of_package(name: str) -> dict[str, Path]:
    """Return the files of a module inside a package, and of the modules that it names there."""
    package = name.split(".")[0]
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UnknownModule(f"the assignment allows {name!r}, but there is no package {package!r}")
    root = Path(next(iter(spec.submodule_search_locations)))
    binds: dict[str, Path] = {}
    todo = [name]
    while todo:
        module = todo.pop()
        folder = root.joinpath(*module.split(".")[1:])
        path = folder if (folder / "__init__.py").exists() else folder.with_suffix(".py")
        inside = str(path.relative_to(root.parent))
        if not path.exists():
            raise UnknownModule(f"the assignment allows {module!r}, which does not exist")
        if inside in binds:
            continue
        binds[inside] = path
        sources = path.rglob("*.py") if path.is_dir() else [path]
        todo += {m for source in sources for m in _imports(source, package)}
    return binds


def _imports(source: Path, package: str) -> set[str]:
    """Return the modules of a package that a file names in its import statements."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        names: Sequence[str] = ()
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        found |= {n for n in names if n.startswith(f"{package}.")}
    return found
