"""Sphinx extension: the reference of a package, written from its docstrings.

    .. api:: latent.chain latent.scan

documents what the package exports from these modules: the docstring of each module, then its
functions and classes in the order of the file, under the names that users type (`latent.kmeans`,
not `latent.clustering.kmeans`). A module that the package exports as such, like `latent.data`,
keeps its name in front.

Docstrings are plain text with formulas in ASCII. `as_rst` turns them into reStructuredText:
indented formulas become literal blocks, and `|x|`, `a*b` and `x_` stay what they are.
"""

import inspect
import itertools
import pkgutil
import re
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from types import ModuleType
from typing import ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config, NumpyDocstring
from sphinx.util.docutils import SphinxDirective

# Parameters and results as plain lists: Sphinx's own fields would look up every word of a type.
PLAIN = Config(
    napoleon_use_param=False,
    napoleon_use_rtype=False,
    napoleon_attr_annotations=False,
    napoleon_custom_sections=[("Attributes", "params_style")],
)
METHOD = (property, classmethod, staticmethod)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-signature", _signature)
    app.connect("missing-reference", show_as_code)
    app.add_directive("api", Api)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Api(SphinxDirective):
    """`.. api:: module ...` documents what the package exports from the modules."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        """Write the directives of autodoc and let it do the rest."""
        lines = [line for name in self.arguments[0].split() for line in directives(name)]
        source, _ = self.get_source_info()
        container = nodes.Element()
        self.state.nested_parse(StringList(lines, source), self.content_offset, container)
        return container.children


def directives(module_name: str) -> Iterable[str]:
    """Yield autodoc's directives for a module."""
    package = import_module(module_name.split(".")[0])
    yield from ("", f".. automodule:: {module_name}")
    if inspect.isfunction(getattr(package, module_name.rpartition(".")[2], None)):
        yield "   :no-index:"  # `latent.baum_welch`, say, is the function and not its module
    yield from ("", f".. py:currentmodule:: {package.__name__}")
    for name, value in exported(module_name).items():
        if not inspect.isclass(value):
            yield from ("", f".. autofunction:: {name}")
            continue
        yield from ("", f".. autoclass:: {name}")
        if methods := [n for n, v in vars(value).items() if _is_method(n, v)]:
            yield f"   :members: {', '.join(methods)}"
    yield ""


def exported(module_name: str) -> Mapping[str, object]:
    """Return what a package exports from one of its modules, by the names that users type."""
    module, package = import_module(module_name), import_module(module_name.split(".")[0])
    names = {n: v for n, v in vars(module).items() if _is_from(module_name, v)}
    direct = {
        f"{package.__name__}.{n}": v
        for n, v in names.items()
        if n in package.__all__ and getattr(package, n) is v
    }
    if not _is_exported(package, module_name):
        return direct
    rest = {
        f"{module_name}.{n}": v
        for n, v in names.items()
        if n[0] != "_"
        and (inspect.isfunction(v) or inspect.isclass(v))
        and v not in direct.values()
    }
    return direct | rest


def _is_exported(package: ModuleType, module_name: str) -> bool:
    name = module_name.rpartition(".")[2]
    return name in package.__all__ and isinstance(getattr(package, name), ModuleType)


def _is_from(module_name: str, value: object) -> bool:
    return f"{getattr(value, '__module__', '')}.".startswith(f"{module_name}.")


def _is_method(name: str, value: object) -> bool:
    return name[0] != "_" and (inspect.isfunction(value) or isinstance(value, METHOD))


def _process(app: Sphinx, what: str, name: str, obj, options, lines: list[str]) -> None:
    package = sys.modules[name.split(".")[0]]
    lines[:] = as_rst(lines, package.__name__, getattr(package, "__all__", ()))
    if what == "module" and not _is_exported(package, name):
        lines[:0] = [f".. py:currentmodule:: {package.__name__}", ""]  # so that `kmeans` is found


def _signature(app: Sphinx, what: str, name: str, obj, options, arguments, returns):
    """Leave out a protocol's `(*args, **kwargs)`: nobody calls it."""
    return (None, None) if getattr(obj, "_is_protocol", False) else (arguments, returns)


def show_as_code(app: Sphinx, env, node, contnode) -> nodes.Node | None:
    """Let `initial`, `numpy.ma` or an internal `latent.blocks` be code; a wrong name is missing."""
    if node["reftype"] != "obj":
        return None
    target, packages = node["reftarget"], {m.split(".")[0] for m in env.domains["py"].modules}
    if re.fullmatch(r"\w+(\.\w+)+", target) and target.split(".")[0] in packages:
        try:
            pkgutil.resolve_name(target)
        except (ImportError, AttributeError):
            return None
    return contnode


_SECTION = re.compile(r"-{3,}\s*")
_QUOTED = re.compile(r"(``.+?``|`[^`]+`)")
_MARKUP = re.compile(r"[\\*|]|_(?!\w)")
_LETTER = re.compile(r"\s*\(?[A-Za-z][.)](\s|$)")  # "T." would begin a list
_ITEM = re.compile(r"\s*(- |\d+\. )?")  # this does begin one


def as_rst(lines: list[str], package: str = "", public: Iterable[str] = ()) -> list[str]:
    """Turn a docstring in numpydoc's form into reStructuredText.

    A type that is a public name of the package becomes a link.
    """
    linked = [_link_type(line, package, public) for line in _literal(lines)]
    return str(NumpyDocstring(linked, PLAIN)).split("\n")


def _literal(lines: list[str]) -> Iterable[str]:
    """Yield the lines with formulas as literal blocks, and no markup but back ticks and lists.

    A formula is a block that is indented deeper than the line before the blank above it.
    """
    indent, formula = 0, None  # of the last line of text, and of the formula that we are in
    for above, line in itertools.pairwise(["text", *lines]):
        here = len(line) - len(line.lstrip())
        if not line.strip():
            yield line
            continue
        if formula is not None and here < formula:
            formula = None
        if formula is None and not above.strip() and here > indent:
            formula = here
            yield from (" " * indent + ".. code-block:: text", "")
        if formula is None:
            indent = len(line) - len(_ITEM.sub("", line, count=1))
        plain = formula is not None or _SECTION.fullmatch(line)
        yield line if plain else _escape(line)


def _escape(line: str) -> str:
    parts = _QUOTED.split(line)
    parts[::2] = [_MARKUP.sub(r"\\\g<0>", part) for part in parts[::2]]
    escaped = "".join(parts)
    if _LETTER.match(line):
        return re.sub(r"[.)]", r"\\\g<0>", escaped, count=1)
    return escaped


def _link_type(line: str, package: str, public: Iterable[str]) -> str:
    """Make a link of a line `Fit` or `emission : Emission`, if the type is a public name."""
    name = line.rpartition(" : ")[2]
    if name and name[0].isupper() and name in public:
        return f"{line.removesuffix(name)}`~{package}.{name}`"
    return line
