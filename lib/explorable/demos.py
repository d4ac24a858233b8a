"""The directive `demos`: every widget of the book, with a still and a way to the stage.

Sphinx reads the pages one by one, so the directive only marks a place, and the page is read
again with any other. It is filled when it is written: then all widgets are in the documents
that Sphinx keeps, and a widget's number is the one that it has on its page.
"""

import hashlib
import html
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors.toctree import TocTreeCollector
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import relative_uri

from explorable.style import DARK, GREY_ON_DARK
from explorable.text import plain, typeset

_PLACE = "explore-demos"
_WIDGET = re.compile(
    r'(?P<figure><div class="explore-figure"(?:(?!<script).)*)'
    r'<script type="application/json" class="explore-spec">(?P<spec>[^<]*)</script>',
    re.DOTALL,
)
# an <img> inherits nothing from its page: ink and paper of the book's theme, light and for #dark
_SHADES = "".join(f"--explore-{i}:{shade};" for i, shade in enumerate(DARK))
_COLOURS = (
    ":root{color:#222832}"
    f":root:target{{color:#ced6dd;--explore-paper:#121212;{_SHADES}--explore-grey:{GREY_ON_DARK}}}"
)
_CARD = """<li>
<img class="only-light" loading="lazy" src="{still}"
 width="{width}" height="{height}" alt="{alt}">
<img class="only-dark" loading="lazy" src="{still}#dark"
 width="{width}" height="{height}" alt="{alt}">
<p><a href="{page}#present-widget-{number}">{title}</a></p>
<p><a href="{page}#{anchor}">in its section: {heading}</a></p>
</li>
"""


class Demo(NamedTuple):
    """A widget of a page.

    Attributes
    ----------
    number : int
        Its place among the widgets of the page, from 1.
    title : str
        Its title; without one, the first sentence of its text alternative.
    alt : str
        Its text alternative.
    figure : str
        The still, as HTML: an <svg> for each panel.
    section : docutils.nodes.section
        Where it stands.
    """

    number: int
    title: str
    alt: str
    figure: str
    section: nodes.section


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("demos", Demos)
    app.add_post_transform(FillPlace)
    app.connect("env-before-read-docs", _read_with_any_other)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Demos(SphinxDirective):
    """`.. demos::` lists every widget of the book, in sections by part and page."""

    def run(self) -> list[nodes.Node]:
        """Mark the place."""
        self.env.metadata[self.env.docname][_PLACE] = "here"
        return [nodes.container(classes=[_PLACE])]


def _read_with_any_other(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Have the page read again, and so written, when another page is."""
    if docnames:
        pages = [name for name, data in env.metadata.items() if _PLACE in data]
        docnames += [name for name in pages if name in env.found_docs and name not in docnames]


class FillPlace(SphinxPostTransform):
    """Put the sections where the directive stands, in web pages only."""

    formats = ("html",)
    default_priority = 900  # nothing in them waits for another transform

    def run(self, **_) -> None:
        """Write the stills, the cards and the page's contents on the right."""
        places = [c for c in self.document.findall(nodes.container) if _PLACE in c["classes"]]
        for place in places:
            text = "No page of this book has a widget."
            sections = self._parts() or [nodes.paragraph("", text)]
            place.parent.replace(place, sections)
        if places:
            TocTreeCollector().process_doc(self.app, self.document)

    def _parts(self) -> list[nodes.section]:
        """Return a section for each part of the book, and for each page that is in none."""
        sections = []
        for caption, pages in itertools.groupby(pages_by_part(self.env), key=lambda pair: pair[0]):
            below = [section for _, page in pages for section in self._page(page)]
            if caption and below:
                below = [self._section(caption, *below)]
            sections += below
        return sections

    def _page(self, page: str) -> list[nodes.section]:
        """Return the section of a page, if it has a widget, and write the stills."""
        folder = Path(self.app.outdir, "_frames", page)
        for old in folder.glob("[0-9]*.svg"):
            old.unlink()
        demos = list(demos_of(self.env.get_doctree(page)))
        if not demos:
            return []
        folder.mkdir(parents=True, exist_ok=True)
        cards = "".join(self._card(page, folder, demo) for demo in demos)
        grid = nodes.raw("", f'<ul class="demos">\n{cards}</ul>', format="html")
        return [self._section(plain(_text(self.env.titles[page])), grid)]

    def _section(self, title: str, *content: nodes.Node) -> nodes.section:
        name = nodes.fully_normalize_name(title)
        section = nodes.section("", nodes.title("", title), *content, names=[name])
        self.document.set_id(section)
        return section

    def _card(self, page: str, folder: Path, demo: Demo) -> str:
        svg, width, height = still(demo.figure)
        Path(folder, f"{demo.number}.svg").write_text(svg, "utf-8")
        here = self.app.builder.get_target_uri(self.env.docname)
        address = relative_uri(here, f"_frames/{page}/{demo.number}.svg")
        return _CARD.format(
            still=f"{address}?v={hashlib.sha256(svg.encode()).hexdigest()[:12]}",
            width=round(width),
            height=round(height),
            alt=html.escape(demo.alt),
            page=self.app.builder.get_relative_uri(self.env.docname, page),
            number=demo.number,
            title=html.escape(demo.title, quote=False),
            anchor=demo.section["ids"][0],
            heading=typeset(_text(demo.section[0])),
        )


def pages_by_part(env: BuildEnvironment) -> Iterator[tuple[str, str]]:
    """Yield each page in the order of the table of contents, after the caption of its part."""
    root = env.config.root_doc
    captions = {
        page: toctree["caption"] or ""
        for toctree in env.get_doctree(root).findall(addnodes.toctree)
        for page in toctree["includefiles"]
    }
    caption = ""
    page, relations = root, env.collect_relations()
    while page is not None:
        caption = captions.get(page, caption)
        yield caption, page
        page = relations[page][2]  # of parent, previous and next


def demos_of(doctree: nodes.document) -> Iterator[Demo]:
    """Yield the widgets of a page, in order."""
    found = (
        (node, match)
        for node in doctree.findall(nodes.raw)
        if node["format"] == "html"
        for match in _WIDGET.finditer(node.astext())
    )
    for number, (node, match) in enumerate(found, 1):
        spec = json.loads(match["spec"])
        title = spec["title"] or re.split(r"(?<=[.!?])\s", spec["alt"])[0].rstrip(".")
        section = node.parent
        while not isinstance(section, nodes.section):
            section = section.parent
        yield Demo(number, title, spec["alt"], match["figure"], section)


def still(figure: str) -> tuple[str, float, float]:
    """Return the panels of a figure below each other, as an SVG file that follows the theme.

    Parameters
    ----------
    figure : str
        The <div> of a frozen widget that holds an <svg> for each panel.

    Returns
    -------
    svg : str
        The file. Its ink is dark, and light for the fragment ``#dark``.
    width, height : float
        Its size in points.
    """
    panels = [panel[0] for panel in ElementTree.fromstring(figure)]
    sizes = [tuple(map(float, panel.attrib["viewBox"].split()[2:])) for panel in panels]
    width = max(w for w, _ in sizes)
    top = 0.0
    for panel, (w, h) in zip(panels, sizes, strict=True):
        height = h * width / w  # as on the page, all are equally wide
        panel.attrib |= {"y": f"{top:g}", "width": f"{width:g}", "height": f"{height:g}"}
        top += height
    inside = "".join(ElementTree.tostring(panel, encoding="unicode") for panel in panels)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" id="dark" viewBox="0 0 {width:g} {top:g}">'
        f"<style>{_COLOURS}</style>{inside}</svg>\n"
    )
    return svg, width, top


def _text(title: nodes.Node) -> str:
    """Return a heading as text with $formulas$."""
    texts = (
        f"${node.astext()}$" if isinstance(node.parent, nodes.math) else node.astext()
        for node in title.findall(nodes.Text)
    )
    return "".join(texts)
