"""Nothing that a student wrote runs in a page that shows it: feedback and formgrader.

Both pages are made by nbconvert's `HTMLExporter`, which trusts a notebook: it copies the HTML of
Markdown cells, of raw cells and of outputs, JavaScript and widgets into the page, and sizes of
pictures into attributes without quotes. In formgrader that page may set marks. Three walls:

- **The notebook is cleaned when it is graded.** `CleanNotebook`, the last of the
  `autograde_preprocessors`, leaves in the autograded notebook only what no program can run: an
  output's text, formulas, pictures and clean HTML, no metadata but nbgrader's. A Markdown cell with
  HTML of its own, or a dangerous link, is stored as the clean HTML that it looks like; every other
  cell stays as the student wrote it. So a page is harmless with any template, and in a server that
  never saw these settings. It comes after the marks: nbgrader tells by the text of an answer
  whether it was changed. The hand-in itself is not touched.
- **The exporter cleans again**, for notebooks that were graded before, for comments and for names:
  `CleanNotebook` as its preprocessor, `markdown2html` and `clean_html` in place of nbconvert's
  filters of these names.
- **The page forbids scripts.** The templates in `templates/` add a Content-Security-Policy: none at
  all in feedback, none of those behind its own in formgrader. So formulas are MathML, made here by
  latex2mathml: no MathJax, and a feedback page is one file that needs no network.

nbconvert's own `SanitizeHTML` and `sanitize_html` do not serve: they clean the *source* of a
Markdown cell, where `<` and `&` belong to code and formulas (`$a<b$` reads `a&lt;b`), and they show
headings, paragraphs and pictures as tags. We clean what Markdown became, with nh3.

What stays: a link to another machine may lead to a server of Jupyter that has a name, where
formgrader does what an address says (`formgrader/?path=...` loads the settings of any folder).
Whoever grades opens no link of a hand-in. Files beside a notebook are as the student made them.

In `nbgrader_config.py`:

    c.Autograde.autograde_preprocessors.append(sealed.clean.CleanNotebook)
    c.HTMLExporter.preprocessors = ["sealed.clean.CleanNotebook"]
    c.HTMLExporter.filters = sealed.clean.FILTERS
    c.HTMLExporter.extra_template_basedirs = sealed.clean.TEMPLATES
    c.HTMLExporter.sanitize_html = True
"""

import base64
import html
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nbgrader
import nh3
from jinja2 import pass_context
from latex2mathml.converter import convert_to_element
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_output
from pygments.token import STANDARD_TYPES
from traitlets import Bool

FILTERS = {
    "markdown2html": "sealed.clean.markdown2html",
    "clean_html": "sealed.clean.clean_html",
}
# ours name the policy; the pages themselves are nbgrader's
TEMPLATES = [
    str(Path(__file__).parent / "templates"),
    str(Path(nbgrader.__file__).parent / "server_extensions" / "formgrader" / "templates"),
]


def _names(text: str) -> set[str]:
    return set(text.split())


_FORMULA = _names(
    "math merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms"
    " mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover"
)
_TAGS = _FORMULA | _names(
    "a abbr b big blockquote br caption center cite code col colgroup dd del details dfn div dl dt"
    " em figcaption figure font h1 h2 h3 h4 h5 h6 hr i img input ins kbd li mark ol p pre q s samp"
    " small span strike strong sub summary sup table tbody td tfoot th thead tr tt u ul var wbr"
)
# what a program reads, or a reader never sees: the text goes with the tag
_UNSEEN = _names("iframe noembed noscript object script select style svg template title")
_OF_FORMULAS = _names(
    "accent accentunder columnalign columnspacing columnspan depth display displaystyle fence form"
    " height largeop linethickness lspace mathcolor mathvariant maxsize minsize movablelimits"
    " rowspacing rowspan rspace scriptlevel separator stretchy symmetric width"
)
_ATTRIBUTES = {
    "*": {"style"},
    "a": {"href", "title"},
    "abbr": {"title"},
    "col": {"align", "span"},
    "details": {"open"},
    "font": {"color"},
    "img": {"alt", "height", "src", "title", "width"},
    "input": {"checked"},
    "ol": {"start"},
    "table": {"align", "border"},
    "td": {"align", "colspan", "rowspan", "valign"},
    "th": {"align", "colspan", "rowspan", "scope", "valign"},
    **{tag: _OF_FORMULAS for tag in _FORMULA},
}
# none that lifts a box out of its place or over another
_STYLES = _names(
    "background-color border color font-style font-weight max-width text-align text-decoration"
    " vertical-align width"
)
# the colours of code and the look of data frames; bootstrap's classes could cover the page
_CODE = {"highlight", *filter(None, STANDARD_TYPES.values())}
_CLASSES = {"div": _CODE, "span": _CODE, "pre": _CODE, "table": {"dataframe"}}
# to another machine by its name: a path, or this machine, is the server that sets marks
_LINK = re.compile(r"mailto:|https?://([\w-]+\.)+[a-z]{2,}(:\d+)?([/?#]|$)", re.IGNORECASE)
# in the page itself, or a file beside the notebook
_PICTURE = re.compile(
    r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,[\w+/=\s]*$"
    r"|(?!.*\.\.)[\w-]([\w ./-]|%20)*\.(png|jpe?g|gif|webp|svg)$",
    re.IGNORECASE | re.ASCII,
)

# beyond these, nbconvert's parser takes minutes, and it is no answer: pictures do not count
_LONGEST, _MOST_ENVIRONMENTS = 200_000, 500
_DATA = re.compile(r"data:image/[\w+.-]+;base64,[\w+/=]*")
# what latex2mathml does not know
_LAYOUT = re.compile(r"\\(?:label\{[^}]*\}|(?:nonumber|notag|nolimits)(?![a-zA-Z]))")
_ARG = re.compile(r"\\arg(?![a-zA-Z])")


def _attribute(tag: str, name: str, value: str) -> str | None:
    allowed = {("a", "href"): _LINK, ("img", "src"): _PICTURE}.get((tag, name))
    return value if allowed is None or allowed.match(value) else None


_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=_UNSEEN,
    attributes=_ATTRIBUTES,
    attribute_filter=_attribute,
    allowed_classes=_CLASSES,
    filter_style_properties=_STYLES,
    url_schemes={"http", "https", "mailto", "data"},
    # a task list's box, which nobody can tick or send
    set_tag_attribute_values={"input": {"type": "checkbox", "disabled": ""}},
)


def clean_html(text: str) -> str:
    """Return the HTML without anything that runs, leaves its place or asks another machine.

    Tables, lists, emphasis, code, pictures, formulas and links to other machines stay.

    Parameters
    ----------
    text
        Any HTML, however broken.
    """
    return _CLEANER.clean(str(text))


@pass_context
def markdown2html(context: Mapping[str, Any], source: str) -> str:
    """Return Markdown as clean HTML: the filter that templates use, with the cell's pictures."""
    return _markdown(source, context.get("cell", {}).get("attachments"))[0]


class CleanNotebook(Preprocessor):
    """Leave in a notebook, and in the names that a page shows, nothing that a browser would run."""

    enabled = Bool(True, help="Whether to clean.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Clean the notebook in place, and formgrader's names of the student.

        Parameters
        ----------
        nb
            A notebook that was graded.
        resources
            nbconvert's; formgrader's hold the student's names, which its template shows as HTML.
        """
        nb.metadata = _kept(nb.metadata, ["kernelspec"])
        for cell in nb.cells:
            _clean_cell(cell)
        for name in ("student", "first_name", "last_name", "notebook_path"):
            if isinstance(resources.get(name), str):
                resources[name] = html.escape(html.unescape(resources[name]))
        return nb, resources


def _clean_cell(cell: NotebookNode) -> None:
    """Clean a cell in place."""
    html_already = cell.metadata.get("raw_mimetype") == "text/html"
    attachments = _pictures(cell.get("attachments"))
    cell.metadata = _kept(cell.metadata, ["nbgrader", "deletable", "editable"])
    if "id" in cell:
        cell.id = re.sub(r"[^a-zA-Z0-9_-]+", "-", str(cell.id))[:64] or "cell"
    if cell.cell_type == "code":
        count = cell.get("execution_count")
        cell.execution_count = count if isinstance(count, int) else None
        cell.outputs = [_clean_output(output) for output in cell.get("outputs", [])]
    elif cell.cell_type == "markdown":
        cell.source = _harmless(cell.source, attachments)
    else:
        text = cell.source if html_already else f"<pre>{html.escape(cell.source)}</pre>"
        cell.cell_type, cell.source = "raw", clean_html(text)
        cell.metadata["raw_mimetype"] = "text/html"
    known = {"id", "cell_type", "metadata", "source"}
    known |= {"outputs", "execution_count"} if cell.cell_type == "code" else set()
    for name in set(cell) - known:
        del cell[name]
    if attachments and cell.cell_type == "markdown":
        cell.attachments = attachments


def _clean_output(output: NotebookNode) -> NotebookNode:
    """Return the output with the data that a page may show; any other kind is an empty stream."""
    kind = output.get("output_type")
    if kind == "error":
        lines = [str(line) for line in output.get("traceback", [])]
        return new_output(
            "error", ename=str(output.ename), evalue=str(output.evalue), traceback=lines
        )
    if kind not in ("display_data", "execute_result"):
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return new_output("stream", name=name, text=str(output.get("text", "")))
    shown = new_output(kind, _clean_data(output.data), metadata=_sizes(output.get("metadata", {})))
    if kind == "execute_result":
        count = output.get("execution_count")
        shown.execution_count = count if isinstance(count, int) else None
    return shown


def _clean_data(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the forms of an output that are clean, each in its own kind of data."""
    texts = {kind: text for kind, text in data.items() if isinstance(text, str)}
    clean = {kind: texts[kind] for kind in ("text/plain", "text/latex") if kind in texts}
    for kind in ("image/png", "image/jpeg"):
        if _PICTURE.match(f"data:{kind};base64,{texts.get(kind, '!')}"):
            clean[kind] = texts[kind]
    if "text/html" in texts:
        clean["text/html"] = clean_html(texts["text/html"])
    elif "text/markdown" in texts:
        clean["text/markdown"] = _harmless(texts["text/markdown"])
    elif "image/svg+xml" in texts:  # as a picture it may not run its scripts
        svg = base64.b64encode(texts["image/svg+xml"].encode()).decode()
        clean["text/html"] = f'<img src="data:image/svg+xml;base64,{svg}" alt="">'
    elif "text/latex" in texts:
        clean["text/html"] = _markdown(texts["text/latex"])[0]
    return clean or {"text/plain": f"(not shown: {', '.join(sorted(data))})"}


def _sizes(metadata: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return an output's metadata: nothing but the sizes of pictures."""
    named = {kind: metadata.get(kind) for kind in ("image/png", "image/jpeg")}
    return {
        kind: {
            k: v for k, v in sizes.items() if k in ("width", "height") and type(v) in (int, float)
        }
        for kind, sizes in named.items()
        if isinstance(sizes, Mapping)
    }


def _kept(metadata: Mapping[str, Any], names: Iterable[str]) -> NotebookNode:
    return NotebookNode({name: metadata[name] for name in names if name in metadata})


def _pictures(attachments: Any) -> NotebookNode:
    """Return a cell's attachments: nothing but the pictures."""
    return NotebookNode(
        {
            name: {kind: data}
            for name, bundle in (attachments if isinstance(attachments, Mapping) else {}).items()
            for kind, data in (bundle if isinstance(bundle, Mapping) else {}).items()
            if _PICTURE.match(f"data:{kind};base64,{data}")
        }
    )


def _harmless(source: str, attachments: Mapping[str, Any] | None = None) -> str:
    """Return Markdown that is harmless wherever it is shown: as it is, or as HTML on one line."""
    if source.startswith("<div>") and _one_line(clean_html(source)) == source:
        return source  # it was cleaned before
    text, careless = _markdown(source, attachments)
    return f"<div>{_one_line(text)}</div>" if careless else source


def _one_line(text: str) -> str:
    """Return HTML that no Markdown reads as Markdown: no line ends it, nothing looks like TeX."""
    return text.strip().translate({ord(c): f"&#{ord(c)};" for c in "\n\r$\\"})


def _markdown(source: str, attachments: Mapping[str, Any] | None = None) -> tuple[str, bool]:
    """Return Markdown as clean HTML, and whether without cleaning it could do harm."""
    if pictures := _pictures(attachments):
        return _rendered(source, pictures)
    return _rendered_alone(source)


@lru_cache(256)  # most texts are the instructor's, and the same in every hand-in
def _rendered_alone(source: str) -> tuple[str, bool]:
    return _rendered(source, NotebookNode())


def _rendered(source: str, pictures: NotebookNode) -> tuple[str, bool]:
    if len(_DATA.sub("", source)) > _LONGEST or source.count(r"\begin") > _MOST_ENVIRONMENTS:
        return f"<pre>{html.escape(source)}</pre>", True
    renderer = _Renderer(escape=False, exclude_anchor_links=True, attachments=pictures)
    try:
        text = MarkdownWithMath(renderer=renderer).render(source)
    except Exception:  # whatever breaks the parser is still an answer to be read
        return f"<pre>{html.escape(source)}</pre>", True
    return clean_html(text), renderer.careless


class _Renderer(IPythonRenderer):
    """nbconvert's renderer, with formulas in MathML; it notes what needs to be cleaned."""

    careless = False

    def inline_html(self, html: str) -> str:
        self.careless = True
        return super().inline_html(html)

    def block_html(self, html: str) -> str:
        self.careless = True
        return super().block_html(html)

    def block_mermaidjs(self, code: str) -> str:
        self.careless = True  # nbconvert takes the diagram's text for HTML
        return f"<pre>{html.escape(code)}</pre>"

    def link(self, text: str, url: str, title: str | None = None) -> str:
        self.careless |= not _LINK.match(url)
        return super().link(text, url, title)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        name = url.removeprefix("attachment:")
        if url.startswith("attachment:") and name not in self.attachments:
            self.careless = True  # nbconvert would give up on the page
            return f"<em>(no picture: {html.escape(name)})</em>"
        self.careless |= not (name in self.attachments or _PICTURE.match(url))
        return super().image(text, url, title)

    def inline_math(self, body: str) -> str:
        return _formula(body, display="inline")

    def block_math(self, body: str) -> str:
        return _formula(body, display="block")

    def latex_environment(self, name: str, body: str) -> str:
        return _formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", display="block")


def _formula(tex: str, display: str) -> str:
    """Return a formula as MathML or, where that cannot be made of it, as it was written."""
    known = _ARG.sub(r"\\operatorname{arg}", _LAYOUT.sub("", tex))
    try:
        root = convert_to_element(known, display=display)
    except Exception:  # it is made for correct TeX, and says nothing of what else it raises
        return f"<code>{html.escape(tex)}</code>"
    for element in root.iter():
        element.text = html.unescape(element.text or "")  # it writes characters as references
        if element.tag in ("mi", "mo") and len(element.text) > 1 and element.text.isalpha():
            element.tag = "mo"  # a name such as ln or max: browsers set an <mi> without a space
            element.attrib |= {"form": "prefix", "lspace": "0.1em", "rspace": "0.1em"}
    return ElementTree.tostring(root, encoding="unicode")
