"""The pages as they are built: weight, no other host, notebooks to download."""

import gzip
import re
from html.parser import HTMLParser

import nbformat
import pytest
from nbclient import NotebookClient

from tests.book.chapters import PAGES, TEACHING, code

pytestmark = pytest.mark.book

PAGE_BUDGET, WIDGET_BUDGET = 150_000, 1_000_000


class Loads(HTMLParser):
    """Collects the addresses that a browser loads by itself."""

    def __init__(self):
        super().__init__()
        self.urls = []

    def handle_starttag(self, tag, attrs):
        """Take the address of a script, style sheet, image or frame."""
        attrs = dict(attrs)
        if tag in ("script", "img", "iframe", "source"):
            self.urls.append(attrs.get("src"))
        if tag == "link" and attrs.get("rel") in ("stylesheet", "icon", "preload"):
            self.urls.append(attrs.get("href"))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_with_its_stills_is_light(html, page):
    weight = len(gzip.compress((html / f"{page}.html").read_bytes()))
    assert weight <= PAGE_BUDGET, f"{weight} bytes gzipped"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_only_files_of_the_book(html, page):
    parser = Loads()
    parser.feed((html / f"{page}.html").read_text())
    urls = [u for u in parser.urls if u]
    assert len(urls) > 5
    for url in urls:
        assert not re.match(r"(\w+:)?//", url), url
        if not url.startswith("data:"):
            file = (html / f"{page}.html").parent / re.sub(r"[?#].*", "", url)
            assert file.exists(), f"{url} is missing"


@pytest.mark.parametrize("page", TEACHING)
def test_each_widget_has_its_frames_in_one_light_file(html, page):
    text = (html / f"{page}.html").read_text()
    n_widgets = sum(len(re.findall(r"^explore\(", c, flags=re.M)) for c in code(page))
    files = re.findall(r'class="explore-frames"[^>]* data-src="([^"?]+)', text)
    assert len(set(files)) == n_widgets
    for name in files:
        weight = (html / f"{page}.html").parent.joinpath(name).stat().st_size
        assert weight <= WIDGET_BUDGET, f"{name}: {weight} bytes"


@pytest.mark.parametrize("page", [p for p in PAGES if code(p)])
def test_a_chapter_downloads_as_a_notebook_that_runs(html, page):
    assert f"_sources/{page}.ipynb" in (html / f"{page}.html").read_text()
    notebook = nbformat.read(html / "_sources" / f"{page}.ipynb", as_version=4)
    nbformat.validate(notebook)
    cells = [c for c in notebook.cells if c.cell_type == "code"]
    assert [c.source for c in cells] == list(code(page))
    assert all(not c.outputs for c in cells)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    assert all(c.execution_count for c in cells)
