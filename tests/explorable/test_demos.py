"""The page that lists every widget of a book."""

import gzip
import io
import re
from collections import Counter
from xml.etree import ElementTree

import pytest
from PIL import Image

from explorable.demos import still
from explorable.style import DARK, PALETTE
from tests.browser import needs_chromium, open_page, serve, violations
from tests.explorable import tiny_book

TOC = """
format: jb-book
root: index
parts:
- caption: Tides & waves
  chapters:
  - file: waves
  - file: quiet
- caption: Winds
  chapters:
  - file: deeper/winds
- caption: Round about
  chapters:
  - file: deeper/demos
"""

CELL = """
```{{code-cell}} ipython3
from explorable import explore, show, slider
from waves import draw_wave
{code}
```
"""

INDEX = """
# A book

## A wave $\\sin x$ to begin with
"""
WAVES = """
# Waves, \\< 3 m

One.

(label)=
## Small ones

### Very *small* ones
"""


def cell(code: str) -> str:
    """Return a code cell that makes a widget or a picture."""
    return CELL.format(code=code)


FILES = {
    "_config.yml": tiny_book.CONFIG,
    "_toc.yml": TOC,
    "lib/waves/__init__.py": tiny_book.WAVES,
    "index.md": tiny_book.HEADER
    + INDEX
    + cell('explore(draw_wave, k=slider(1, 2), alt="One wave. Up and down")'),
    "waves.md": tiny_book.HEADER
    + WAVES
    + cell('show(lambda: draw_wave(2), alt="A wave that stands still")')
    + cell(
        "explore(draw_wave, lambda h: draw_wave(2 * h), k=slider(1, 2), h=slider(2, 3),\n"
        'title="Is \\"a < b\\" & <b>b</b> > a?", alt="Two <i>waves</i> & \\"more\\"")'
    )
    + "\n## Large ones\n"
    + cell('explore(draw_wave, k=slider(1, 2), title="A large wave", alt="Waves")'),
    "quiet.md": "# No picture\n\nNothing moves.\n",
    "deeper/winds.md": tiny_book.HEADER
    + "\n# Winds\n"
    + cell('explore(draw_wave, k=slider(3, 4), title="A wind", alt="A wind")'),
    "deeper/demos.md": "# Demos\n\nAll of them.\n\n```{demos}\n```\n",
}


def write(folder, files):
    """Write the sources of a book."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A book with four widgets on three pages, and one that lists them."""
    folder = tmp_path_factory.mktemp("demos")
    write(folder, FILES)
    tiny_book.build(folder)
    return folder


@pytest.fixture(scope="module")
def html(folder):
    """The built book."""
    return folder / "_build" / "html"


def page(html) -> str:
    """Return the article of the page that lists the widgets."""
    return re.search(
        r"<article.*?</article>", (html / "deeper/demos.html").read_text(), flags=re.DOTALL
    )[0]


def links(html, word: str) -> list[tuple[str, str]]:
    """Return address and text of the links whose address has this word."""
    return re.findall(rf'<a href="([^"]*{word}[^"]*)">(.*?)</a>', page(html))


@pytest.mark.slow
def test_every_widget_is_listed_in_the_order_of_the_contents(html):
    assert links(html, "#present-") == [
        ("../index.html#present-widget-1", "One wave"),
        ("../waves.html#present-widget-1", 'Is "a &lt; b" &amp; &lt;b&gt;b&lt;/b&gt; &gt; a?'),
        ("../waves.html#present-widget-2", "A large wave"),
        ("winds.html#present-widget-1", "A wind"),
    ]


@pytest.mark.slow
def test_a_number_is_the_one_that_the_widget_has_on_its_page(html):
    waves = (html / "waves.html").read_text()
    titles = re.findall(r'id="widget-(\d)" role="group" aria-label="([^"]*)"', waves)
    listed = [(a[-1], text) for a, text in links(html, "#present-") if "waves" in a]
    assert titles == [
        ("1", "Is &quot;a &lt; b&quot; &amp; &lt;b&gt;b&lt;/b&gt; &gt; a?"),
        listed[1],
    ]
    assert [n for n, _ in listed] == ["1", "2"]


@pytest.mark.slow
def test_each_widget_leads_to_the_heading_above_it(html):
    found = [link for link in links(html, "#") if "in its section: " in link[1]]
    assert [re.sub("<math.*</math>", "…", text) for _, text in found] == [
        "in its section: A wave … to begin with",
        "in its section: Very small ones",
        "in its section: Large ones",
        "in its section: Winds",
    ]
    for address, _ in found:
        name, _, anchor = address.partition("#")
        target = (html / "deeper" / name).read_text()
        assert len(re.findall(rf'<section[^>]* id="{anchor}"', target)) == 1


@pytest.mark.slow
def test_parts_and_pages_with_widgets_are_sections_that_the_contents_show(html):
    headings = re.findall(r"<(h\d)>(.*?)<a", page(html))
    assert headings == [
        ("h1", "Demos"),
        ("h2", "A book"),
        ("h2", "Tides &amp; waves"),
        ("h3", "Waves, &lt; 3 m"),
        ("h2", "Winds"),
        ("h3", "Winds"),
    ]
    ids = re.findall(r'<section[^>]* id="([^"]*)"', page(html))
    assert len(set(ids)) == len(headings)
    whole = (html / "deeper/demos.html").read_text()
    contents = re.search(r'<nav id="pst-page-toc-nav".*?</nav>', whole, flags=re.DOTALL)[0]
    assert re.findall(r'href="#([^"]*)"', contents) == ids[1:]


@pytest.mark.slow
def test_a_still_is_a_file_of_its_own_with_the_text_alternative(html):
    images = re.findall(r"<img [^>]*>", page(html))
    assert len(images) == 2 * 4
    assert all('loading="lazy"' in image for image in images)
    assert 'alt="Two &lt;i&gt;waves&lt;/i&gt; &amp; &quot;more&quot;"' in images[2]
    assert 'width="396" height="432"' in images[2]
    for image in images:
        file = html / "deeper" / re.search(r'src="([^?"]*)\?v=\w{12}(#dark)?"', image)[1]
        assert ElementTree.parse(file).getroot().attrib["id"] == "dark"
    assert len(gzip.compress((html / "deeper/demos.html").read_bytes())) < 20_000


def test_panels_stand_below_each_other_equally_wide():
    svg = '<div class="explore-panel"><svg viewBox="0 0 {} {}"><g id="{}" /></svg></div>'
    figure = f'<div class="explore-figure">{svg.format(400, 100, "a")}{svg.format(200, 80, "b")}'
    text, width, height = still(f"{figure}</div>")
    root = ElementTree.fromstring(text)
    assert (width, height) == (400, 260)
    assert root.attrib["viewBox"] == "0 0 400 260"
    panels = root.findall("{*}svg")
    places = [[p.attrib[name] for name in ("y", "width", "height", "viewBox")] for p in panels]
    assert places == [["0", "400", "100", "0 0 400 100"], ["100", "400", "160", "0 0 200 80"]]
    assert [panel[0].attrib["id"] for panel in panels] == ["a", "b"]


@pytest.mark.slow
def test_the_page_follows_when_another_page_changes_and_only_then(tmp_path):
    few = {"_toc.yml": TOC.split("- caption: Winds")[0] + TOC[TOC.index("- caption: Round") :]}
    write(tmp_path, {k: v for k, v in FILES.items() if "winds" not in k} | few)
    tiny_book.build(tmp_path)
    html = tmp_path / "_build" / "html"
    before = (html / "deeper/demos.html").stat().st_mtime_ns
    assert [text for _, text in links(html, "#present-")][2:] == ["A large wave"]

    assert "no targets are out of date" in tiny_book.build(tmp_path)
    assert (html / "deeper/demos.html").stat().st_mtime_ns == before

    source = tmp_path / "waves.md"
    source.write_text(source.read_text().replace("A large wave", "A huge wave"))
    tiny_book.build(tmp_path)
    assert [text for _, text in links(html, "#present-")][2:] == ["A huge wave"]

    source.write_text(source.read_text().split("## Large ones")[0])
    write(tmp_path, {"_toc.yml": TOC, "deeper/winds.md": FILES["deeper/winds.md"]})
    tiny_book.build(tmp_path)
    assert [text for _, text in links(html, "#present-")][2:] == ["A wind"]
    assert sorted(file.name for file in (html / "_frames/waves").iterdir()) == ["1.js", "1.svg"]


@pytest.mark.slow
def test_a_book_without_widgets_says_so(tmp_path):
    toc = "format: jb-book\nroot: index\nchapters:\n- file: demos\n"
    demos = FILES["deeper/demos.md"] + "\n## More\n"
    files = {"_toc.yml": toc, "demos.md": demos, "index.md": FILES["quiet.md"]}
    write(
        tmp_path, {name: FILES[name] for name in ("_config.yml", "lib/waves/__init__.py")} | files
    )
    tiny_book.build(tmp_path)
    text = (tmp_path / "_build/html/demos.html").read_text()
    assert "<p>No page of this book has a widget.</p>" in text
    assert "<img" not in text.split("<article")[1].split("</article")[0]


@pytest.fixture(params=["light", "dark"])
def visit(request, browser, html):
    """The page from the disk, without a network; its record; and the theme, both in turn."""
    address = (html / "deeper/demos.html").as_uri()
    looks = {"color_scheme": request.param, "device_scale_factor": 4}
    with open_page(browser, address, offline=True, **looks) as (page, record):
        page.wait_for_selector(f"html[data-theme={request.param}]")
        for image in page.locator(".demos img:visible").all():
            image.scroll_into_view_if_needed()
            assert image.evaluate("async (image) => { await image.decode(); return image.width; }")
        yield page, record, request.param


def pixels(png: bytes) -> Counter:
    """Count the colours of a picture, as CSS writes them."""
    colours = Image.open(io.BytesIO(png)).convert("RGB").getcolors(2**24)
    return Counter({f"rgb({r}, {g}, {b})": n for n, (r, g, b) in colours})


def rgb(hexadecimal: str) -> str:
    """Return #rrggbb as CSS computes it."""
    return f"rgb{tuple(bytes.fromhex(hexadecimal[1:]))}"


@needs_chromium
@pytest.mark.browser
@pytest.mark.slow
def test_stills_are_drawn_in_the_colours_of_the_theme(visit):
    page, record, scheme = visit
    shown = page.locator(".demos img:visible")
    assert [image.get_attribute("class") for image in shown.all()] == [f"only-{scheme}"] * 4
    style = page.locator("article").evaluate("(article) => getComputedStyle(article).color")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    found = pixels(shown.first.screenshot())
    assert found.most_common(1)[0][0] == paper
    light, dark = rgb(PALETTE[0]), rgb(DARK[0])
    curve, other = (light, dark) if scheme == "light" else (dark, light)
    assert found[style] > 1000
    assert found[curve] > 1000
    assert found[other] == 0
    assert record.complaints() == []


@needs_chromium
@pytest.mark.browser
@pytest.mark.slow
def test_the_list_is_accessible(visit):
    page, _, _ = visit
    assert violations(page) == []


@needs_chromium
@pytest.mark.browser
@pytest.mark.slow
def test_the_list_is_no_wider_than_a_phone(visit):
    page, _, _ = visit
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@needs_chromium
@pytest.mark.browser
@pytest.mark.slow
def test_stills_wait_until_they_are_near(browser, html):
    with serve(html) as url, open_page(browser, f"{url}/deeper/demos.html") as (page, record):
        page.locator(".demos img:visible").first.evaluate("(image) => image.decode()")
        asked = [address for address in record.requests if "_frames" in address]
        assert len(asked) == len(set(asked))  # one file, not one for each theme
        assert not [address for address in asked if address.endswith(".js")]
        assert record.complaints() == []


@needs_chromium
@pytest.mark.browser
@pytest.mark.slow
def test_a_title_opens_its_widget_on_the_stage_and_escape_leads_to_its_place(visit):
    page, record, _ = visit
    page.get_by_role("link", name="A large wave").click()
    stage = page.get_by_role("dialog", name="A large wave")
    stage.wait_for()
    assert stage.locator("#widget-2").count() == 1
    page.keyboard.press("Escape")
    stage.wait_for(state="detached")
    assert page.locator("#widget-2").evaluate("(box) => box.closest('section').id") == "large-ones"
    page.go_back()
    page.get_by_role("link", name="in its section: Large ones").click()
    page.wait_for_url("**/waves.html#large-ones")
    assert record.complaints() == []


@needs_chromium
@pytest.mark.browser
@pytest.mark.slow
def test_without_a_script_the_links_lead_to_the_pages(browser, html):
    address = (html / "deeper/demos.html").as_uri()
    with open_page(browser, address, java_script_enabled=False) as (page, _):
        page.get_by_role("link", name="A large wave").click()
        page.wait_for_url("**/waves.html#present-widget-2")
        assert page.get_by_role("heading", name="Large ones").is_visible()
