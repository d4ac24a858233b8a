"""The Sphinx extension of the book: frozen widgets, and pages that ask no other host.

- Kernels of the build freeze their widgets; each page's frames become files of their own.
- MathJax comes out of a Python package.
- Chapters are executed again when the code that they import has changed, and only then.
- Those that must run do so side by side, one on each core, before Sphinx reads any of them.
- Each chapter can be downloaded as a notebook without outputs.
- One page can list the widgets of all (`explorable.demos`).
"""

import hashlib
import importlib.metadata
import importlib.util
import itertools
import os
import re
import shutil
from pathlib import Path

import jupytext
import nbformat
import pydata_sphinx_theme
from sphinx.application import Sphinx
from sphinx.config import Config

from explorable.execution import execute_pages
from explorable.frontend import CSS, SCRIPT
from explorable.widget import FROZEN

_HERE = Path(__file__).parent
# these work on finished chapters
_AFTER = tuple(
    _HERE / name for name in ("sphinx.py", "demos.py", "frontend.py", "static", "templates")
)
_MATHJAX = "sphinx-mathjax-offline"
_MATHJAX_PARTS = ("tex-chtml.js", "input/tex/extensions", "output/chtml/fonts/woff-v2")
_ICON = re.compile(
    r'"?(?P<name>[a-z0-9-]+)"?:\[\d+,\d+,\[(?P<aliases>[^\]]*)\],"[0-9a-f]+",'
    r'(?:"[^"]*"|\[[^\]]*\])\],?'
)
_CHATTER = re.compile(r'console\.log\((`\[PST\][^`]*`|"\[PST\][^"]*")\)')
_WIDGET = re.compile(
    r'<div class="explore"(?P<widget>(?:(?!<div class="explore").)*?'
    r'<script type="text/plain" class="explore-frames")>(?P<frames>[^<]+)</script>',
    re.DOTALL,
)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    os.environ[FROZEN] = "1"  # the kernels that the build starts inherit it
    app.add_config_value("explorable_depends", [], "env", list)
    app.setup_extension("explorable.demos")
    app.connect("config-inited", _configure)
    app.connect("builder-inited", _add_files)
    app.connect("env-before-read-docs", execute_pages)
    app.connect("html-page-context", _offer_notebook)  # before the theme makes its buttons (501)
    app.connect("html-page-context", _drop_toggles, priority=900)
    app.connect("html-page-context", _move_frames)
    app.connect("build-finished", _lighten_theme)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _configure(app: Sphinx, config: Config) -> None:
    """Point Sphinx to the local MathJax and to the cache of this version of the code."""
    for listeners in app.events.listeners.values():  # the book runs no code on a remote machine
        listeners[:] = [x for x in listeners if not x.handler.__module__.startswith("sphinx_thebe")]
    config.templates_path.insert(0, str(_HERE / "templates"))
    config.mathjax_path = "mathjax/tex-chtml.js"
    caches = Path(config.nb_execution_cache_path or Path(app.outdir).parent / ".jupyter_cache")
    digest = code_digest(["explorable", *config.explorable_depends])
    # a configuration value that changes makes Sphinx read every page again
    config.nb_execution_cache_path = str(caches / digest)
    for old in caches.glob("[0-9a-f]" * len(digest)):
        if old.name != digest:
            shutil.rmtree(old)


def code_digest(packages: list[str]) -> str:
    """Return a digest of what a chapter's results depend on besides its own text.

    These are the files of the packages (data too) and the libraries below them. The front
    end and this extension work after a chapter has run, so they do not count.
    """
    digest = hashlib.sha256()
    for library in ("numpy", "scipy", "matplotlib"):
        digest.update(f"{library} {importlib.metadata.version(library)}\n".encode())
    for package in packages:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise ValueError(f"explorable_depends: there is no package {package!r} to import")
        root = Path(spec.origin).parent
        for file in sorted(root.rglob("*")):
            ignored = any(after in (file, *file.parents) for after in _AFTER)
            if file.is_file() and "__pycache__" not in file.parts and not ignored:
                digest.update(f"{package}/{file.relative_to(root)}\n".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _add_files(app: Sphinx) -> None:
    """Copy the front end and MathJax to the output and link the front end on each page."""
    if app.builder.format != "html":
        return
    static = Path(app.outdir, "_static")
    static.mkdir(parents=True, exist_ok=True)
    Path(static, "explore.js").write_text(SCRIPT, "utf-8")
    Path(static, "explore.css").write_text(CSS, "utf-8")
    app.add_js_file("explore.js", loading_method="defer")
    app.add_css_file("explore.css")
    # Sphinx's search fetches the pages that it found, which no browser allows on file:
    app.add_js_file(
        None,
        body="if (location.protocol === 'file:') DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false",
    )
    # the package's import name has a hyphen, so it is found through its list of files
    files = importlib.metadata.files(_MATHJAX) or []
    source = next(Path(f.locate()).parent for f in files if f.match("mathjax/tex-chtml.js"))
    for part in _MATHJAX_PARTS:
        target = static / "mathjax" / part
        if (source / part).is_dir():
            shutil.copytree(source / part, target, dirs_exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / part, target)


def _offer_notebook(app: Sphinx, pagename: str, templatename: str, context, doctree) -> None:
    """Write the chapter as a notebook without outputs, for the theme's download button."""
    if doctree is None or "kernelspec" not in app.env.metadata[pagename]:
        return
    notebook = jupytext.read(app.env.doc2path(pagename))
    for i, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{i}"  # jupytext's are random, and a build should be reproducible
    target = Path(app.outdir, "_sources", f"{pagename}.ipynb")
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    context["ipynb_source"] = f"{pagename}.ipynb"


def _drop_toggles(app: Sphinx, pagename: str, templatename: str, context, doctree) -> None:
    """Drop sphinx-togglebutton's and sphinx-thebe's files from pages that have no use for them."""
    unused = ["sphinx-thebe"]
    if not re.search(r'class="[^"]*\b(toggle|admonition dropdown)\b', context.get("body", "")):
        unused.append("toggle")
    for kind in ("script_files", "css_files"):
        context[kind] = [
            file for file in context.get(kind, []) if not any(u in _text(file) for u in unused)
        ]


def _text(asset) -> str:
    """Return a linked file's name or an inline script's text."""
    attributes = getattr(asset, "attributes", {})
    return f"{getattr(asset, 'filename', asset)} {attributes.get('body', '')}"


def _move_frames(app: Sphinx, pagename: str, templatename: str, context, doctree) -> None:
    """Move the frames out of the page into script files, which a page can load from file: too."""
    if "body" not in context or app.builder.format != "html":
        return
    folder = Path(app.outdir, "_frames", pagename)
    for old in folder.glob("[0-9]*.js"):
        old.unlink()
    numbers = itertools.count(1)

    def move(match: re.Match[str]) -> str:
        number, packed = next(numbers), match["frames"]
        key = f"{pagename}/{number}"
        file = Path(app.outdir, "_frames", f"{key}.js")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'explore.receive("{key}","{packed}");\n')
        version = hashlib.sha256(packed.encode()).hexdigest()[:12]
        url = context["pathto"](f"_frames/{key}.js", 1)
        return (
            f'<div class="explore" id="widget-{number}"{match["widget"]}'
            f' data-key="{key}" data-src="{url}?v={version}"></script>'
        )

    body = _WIDGET.sub(move, context["body"])
    # a list of items is what the bibliography is; its own role is deprecated in WAI-ARIA
    context["body"] = body.replace(' role="doc-biblioentry"', ' role="listitem"')


def _lighten_theme(app: Sphinx, exception: Exception | None) -> None:
    """Keep only the icons that some page uses (1.5 MB become 80 kB), and the console quiet."""
    if exception or app.builder.format != "html":
        return
    source = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static/scripts"
    target = Path(app.outdir, "_static", "scripts")
    users = [*Path(app.outdir).rglob("*.html"), source / "pydata-sphinx-theme.js"]
    used = {name for f in users for name in re.findall(r"\bfa-([a-z0-9-]+)", f.read_text("utf-8"))}

    def keep(icon: re.Match[str]) -> str:
        names = {icon["name"], *re.findall(r'"([^"]+)"', icon["aliases"])}
        return icon[0] if names & used else ""

    icons = _ICON.sub(keep, (source / "fontawesome.js").read_text("utf-8"))
    (target / "fontawesome.js").write_text(icons, "utf-8")
    for talker, place in (
        (source / "pydata-sphinx-theme.js", target / "pydata-sphinx-theme.js"),
        (Path(app.outdir, "search.html"), Path(app.outdir, "search.html")),
    ):
        place.write_text(_CHATTER.sub("void 0", talker.read_text("utf-8")), "utf-8")
