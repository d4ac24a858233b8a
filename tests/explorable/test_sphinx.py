"""What the Sphinx extension leaves in the output."""

import re
from pathlib import Path

import jupytext
import nbformat
import pytest
from PIL import Image

from explorable.frames import unpack
from explorable.sphinx import code_digest
from tests.explorable import tiny_book

pytestmark = pytest.mark.slow


def test_frames_leave_the_page_and_keep_a_versioned_address(book):
    page = (book / "index.html").read_text()
    holders = re.findall(r'class="explore-frames"([^>]*)>([^<]*)</script>', page)
    assert [text for _, text in holders] == ["", ""]
    sources = [re.search(r'data-src="([^"?]+)\?v=[0-9a-f]+"', tag)[1] for tag, _ in holders]
    assert sources == ["_frames/index/1.js", "_frames/index/2.js"]
    packed = (book / sources[0]).read_text().split('"')[3]
    assert [len(frames) for frames in unpack(packed)] == [8 * 2 * 2]


def test_on_paper_each_widget_is_the_picture_of_its_first_frame(book):
    folder = book.parents[1]
    tiny_book.build(folder, "--builder", "latex")
    text = next(Path(folder, "_build", "latex").glob("*.tex")).read_text()
    names = re.findall(r"\\sphinxincludegraphics\{\{(\w+)\}\.png\}", text)
    cells = [c for page in ("index", "moving") for c in _figures(folder / f"{page}.md")]
    assert len(names) == len(cells)
    with Image.open(Path(folder, "_build", "latex", f"{names[0]}.png")) as picture:
        assert picture.size == (605, 330)  # 5.5 by 3 inches
    assert "explore" not in re.sub(
        r"(?s)\\begin\{sphinxVerbatim\}.*?\\end\{sphinxVerbatim\}", "", text
    )


def _figures(page):
    """Return the cells of a page that end in a figure."""
    cells = [c.source for c in jupytext.read(page).cells if c.cell_type == "code"]
    return [c for c in cells if re.search(r"^(explore|show)\(", c, re.MULTILINE)]


def test_a_page_without_a_widget_has_no_frames(book):
    assert not (book / "_frames" / "deeper").exists()


def test_pages_mention_no_other_host_in_what_they_load(book):
    for page in book.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|link|img|iframe)[^>]*(?:src|href)="([^"]*)"', page.read_text()
        )
        assert not [address for address in loaded if "//" in address]


def test_there_is_no_widget_state_and_no_remote_kernel(book):
    page = (book / "index.html").read_text()
    assert "application/vnd.jupyter" not in page
    assert "thebe" not in page.lower()
    assert "require" not in page


def test_a_chapter_can_be_had_as_a_notebook_without_outputs(book):
    page = (book / "deeper" / "second.html").read_text()
    assert 'href="../_sources/deeper/second.ipynb"' in page
    notebook = nbformat.read(book / "_sources" / "index.ipynb", as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(cells) == 3
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)
    again = jupytext.writes(notebook, fmt="md:myst")
    assert "explore(" in again


def test_only_used_icons_are_kept(book):
    icons = (book / "_static" / "scripts" / "fontawesome.js").read_text()
    assert len(icons) < 120_000
    names = {
        name
        for page in book.rglob("*.html")
        for name in re.findall(
            r'class="[^"]*\bfa[srb]? ?fa-(?!solid|lg|brands|regular)([a-z-]+)', page.read_text()
        )
    }
    assert {"download", "expand"} <= names
    for name in names:
        assert re.search(rf'"?{name}"?:\[\d+,\d+,|"{name}"', icons), name


def test_chapters_are_executed_again_when_the_code_changes_and_only_then(tmp_path):
    tiny_book.write(tmp_path)
    executed = re.compile(r"Executed notebook")
    assert len(executed.findall(tiny_book.build(tmp_path))) == 2
    caches = tmp_path / "_build" / ".jupyter_cache"
    (first,) = caches.iterdir()

    again = tiny_book.build(tmp_path)
    assert not executed.findall(again)
    assert "0 added, 0 changed, 0 removed" in again

    # a page that changes by itself is executed alone
    page = tmp_path / "deeper" / "second.md"
    page.write_text(page.read_text().replace("print(", "print('x', "))
    assert len(executed.findall(tiny_book.build(tmp_path))) == 1

    module = tmp_path / "lib" / "waves" / "__init__.py"
    module.write_text(module.read_text().replace("first edition", "second edition"))
    assert len(executed.findall(tiny_book.build(tmp_path))) == 2
    assert "second edition" in (tmp_path / "_build/html/deeper/second.html").read_text()
    (second,) = caches.iterdir()
    assert second != first


def test_the_digest_counts_data_but_no_byte_code(tmp_path, monkeypatch):
    package = tmp_path / "tides"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "data" / "heights.csv").write_text("1,2")
    monkeypatch.syspath_prepend(tmp_path)
    before = code_digest(["tides"])
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "x.pyc").write_text("x")
    assert code_digest(["tides"]) == before
    (package / "data" / "heights.csv").write_text("1,3")
    assert code_digest(["tides"]) != before


def test_a_package_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match="no package 'nowhere_at_all'"):
        code_digest(["nowhere_at_all"])
