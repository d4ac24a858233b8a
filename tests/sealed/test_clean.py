"""What students wrote is shown as they meant it, and nothing of it runs."""

import copy
import json
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from sealed.clean import TEMPLATES, CleanNotebook, clean_html, markdown2html
from tests.browser import needs_chromium, open_page, serve
from tests.sealed import courses, scripts

# of stock nbgrader: a page of feedback lets these through, or links to them
RUN_IN_STOCK = {
    *("script", "script-in-text", "script-from-elsewhere", "picture", "picture-in-heading"),
    *("picture-in-table", "picture-elsewhere", "video", "svg", "svg-use", "details", "focus"),
    *("animation", "frame-srcdoc", "frame-javascript", "frame-elsewhere", "object", "embed"),
    *("link", "link-html", "link-entity", "link-tab", "link-markdown-entity", "link-to-server"),
    *("link-relative", "link-to-loopback", "link-same-scheme", "style-import", "style-sheet"),
    *("style-background", "diagram", "output-html", "output-markdown", "png-width", "png-height"),
    *("png-name", "svg-name"),
}
# what nbconvert refuses to show at all
INVALID = {"count", "id", "kind"}
RESOURCES = {"nbgrader": {"notebook": "n", "score": 1, "max_score": 2, "late_penalty": 0}}


def shown(markdown: str, attachments: dict | None = None) -> str:
    """The HTML that a page shows for a Markdown cell."""
    return markdown2html({"cell": {"attachments": attachments or {}}}, markdown).strip()


def cleaned(*cells) -> nbformat.NotebookNode:
    notebook, _ = CleanNotebook()(copy.deepcopy(scripts.notebook(*cells)), {})
    return notebook


def output(data: dict, metadata: dict | None = None) -> nbformat.NotebookNode:
    """What is left of an output."""
    made = new_output("display_data", data, metadata=metadata or {})
    return cleaned(new_code_cell("x", outputs=[made])).cells[0].outputs[0]


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Config:
    """The course's nbgrader_config.py."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "nbgrader_config.py").write_text(courses.SEALED)
    return PyFileConfigLoader("nbgrader_config.py", str(folder)).load_config()


def feedback(settings: Config) -> HTMLExporter:
    """The exporter that `nbgrader generate_feedback` makes."""
    converter = GenerateFeedback(coursedir=CourseDirectory(), config=copy.deepcopy(settings))
    return HTMLExporter(config=converter.config)


def page(exporter: HTMLExporter, notebook: nbformat.NotebookNode, folder: Path) -> str:
    """Write the page of a notebook that may be invalid, as files may be; return its name."""
    (folder / "n.ipynb").write_text(json.dumps(notebook))
    html, _ = exporter.from_filename(str(folder / "n.ipynb"), copy.deepcopy(RESOURCES))
    (folder / "page.html").write_text(html)
    return "page.html"


def same(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    return notebook


def got_through(browser, exporter, cells: dict, folder: Path, clean=same) -> tuple[set, set]:
    """The names of the cells that ran, fetched or linked something, and of those that ran.

    All are on one page, but for those that break it.
    """
    groups = [[name for name in cells if name not in scripts.ALONE]]
    groups += [[name] for name in cells if name in scripts.ALONE]
    found, ran = set(), set()
    for names in groups:
        notebook = clean(scripts.notebook(*(cells[name] for name in names)))
        name = page(exporter, notebook, folder)
        with serve(folder) as address, open_page(browser, f"{address}/{name}") as (view, record):
            found |= scripts.ran(view, record)
            ran |= scripts.executed(view)
    return found, ran


# what is shown


def test_formulas_keep_their_signs():
    html = shown("$a<b$ and\n\n\\begin{align}x &= y < z\\\\ &\\le w\\end{align}")
    assert html.count("<math") == 2
    assert "<mi>a</mi><mo>&lt;</mo><mi>b</mi>" in html
    assert "≤" in html
    assert "amp;" not in html


@pytest.mark.parametrize("tex", [r"\frac{1}{", "x_{", r"\left(", r"\begin{align}", "{" * 5000])
def test_a_formula_that_is_no_tex_is_shown_as_it_was_written(tex):
    assert tex in shown(f"$${tex}$$")


def test_commands_about_layout_leave_no_trace():
    html = shown(r"$$\begin{align}x &= \arg\max_i y_i \label{best} \nonumber\end{align}$$")
    assert "\\" not in html
    assert ">arg</mo>" in html
    assert "best" not in html


def test_text_in_a_formula_stays_text():
    assert "a&nbsp;&lt;&nbsp;b" in shown(r"$\text{a < b}$")


def test_code_keeps_its_signs_and_its_colours():
    assert "<code>a&lt;b &amp;&amp; c</code>" in shown("`a<b && c`")
    html = shown('```python\nif a < b:\n    print("&lt;")\n```')
    assert '<span class="k">if</span>' in html
    assert "&quot;&amp;lt;&quot;" in html or '"&amp;lt;"' in html


def test_a_diagram_is_shown_as_its_text():
    assert shown("```mermaid\nA --> B<br>\n```") == "<pre>A --&gt; B&lt;br&gt;\n</pre>"


def test_tables_lists_and_small_tags_stay():
    html = shown("| a | b |\n|---|--:|\n| x<br>y | H<sub>2</sub>O |\n\n- [x] done\n\n> **q**")
    for part in (
        '<th style="text-align:right">b</th>',
        "x<br>y",
        "H<sub>2</sub>O",
        'type="checkbox"',
        "checked",
        "<strong>q</strong>",
    ):
        assert part in html


def test_links_lead_to_other_machines_alone():
    assert 'href="https://en.wikipedia.org/wiki/EM"' in shown(
        "[x](https://en.wikipedia.org/wiki/EM)"
    )
    assert 'href="mailto:a@b.org"' in shown("[x](mailto:a@b.org)")
    for address in (
        "javascript:x()",
        "http://localhost:8888/formgrader/",
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://[::1]/",
        "https://x.org@127.0.0.1/",
        "//x.org/",
        "/formgrader/?path=x",
        "notes.html",
        "http:notes.html",
        "data:text/html,x",
    ):
        assert "href" not in shown(f"[x]({address})"), address
        assert "href" not in clean_html(f'<a href="{address}">x</a>'), address


def test_pictures_are_in_the_cell_or_beside_the_notebook():
    html = shown("![dot](attachment:dot.png)", {"dot.png": {"image/png": scripts.PIXEL}})
    assert f'src="data:image/png;base64,{scripts.PIXEL}"' in html
    assert 'src="plots/my%20plot.png"' in shown("![](<plots/my plot.png>)")
    for address in ("../x.png", "/formgrader/x.png", "https://x.org/x.png", "x/%2e%2e/x.png", "x"):
        assert "src" not in shown(f"![]({address})"), address


def test_a_picture_that_is_missing_is_said_to_be():
    assert "no picture: gone.png" in shown("![x](attachment:gone.png)")


def test_markdown_that_breaks_the_parser_is_shown_as_text(monkeypatch):
    def fail(self, source):
        raise RecursionError

    monkeypatch.setattr("sealed.clean.MarkdownWithMath.render", fail)
    assert shown("a <b>") == "<pre>a &lt;b&gt;</pre>"


@pytest.mark.parametrize("source", ["\\begin{a} x " * 501, "word " * 40_001])
def test_what_would_take_the_parser_minutes_is_shown_as_text(source):
    assert shown(source) == f"<pre>{source}</pre>"


def test_a_large_picture_in_the_text_is_still_one():
    picture = f"data:image/png;base64,{'A' * 400_000}"
    assert shown(f"![plot]({picture})") == f'<p><img src="{picture}" alt="plot"></p>'


def test_a_data_frame_keeps_its_table_and_loses_its_style_sheet():
    html = (
        "<div>\n<style scoped>.dataframe tbody tr th { }</style>\n"
        '<table border="1" class="dataframe"><thead><tr style="text-align: right;"><th>a</th></tr>'
        "</thead><tbody><tr><td>1</td></tr></tbody></table>\n</div>"
    )
    table = clean_html(html)
    assert '<table border="1" class="dataframe">' in table
    assert '<tr style="text-align:right">' in table
    assert "tbody tr th" not in table


def test_nothing_leaves_its_place_or_takes_the_name_of_something_else():
    html = clean_html(
        '<b class="modal navbar-fixed-top score" id="caesar-tests" name="x"'
        ' style="position: fixed; top: 0; margin: -9em; z-index: 9; color: red">x</b>'
    )
    assert html == '<b style="color:red">x</b>'
    assert clean_html('<div class="modal k">x</div>') == '<div class="k">x</div>'
    assert "id=" not in shown("# caesar-tests")


# what is kept in the autograded notebook


def test_a_cell_without_html_stays_as_the_student_wrote_it():
    text = "# Why\n\n$a<b$, `<script>`, [x](https://x.org)\n\n```\n<b>\n```\n| a |\n|---|\n| 1 |"
    assert cleaned(new_markdown_cell(text)).cells[0].source == text


def test_a_cell_with_html_becomes_what_it_looks_like():
    source = "<b>so</b> $x$ costs \\$5<script>x()</script>\n\n```\na\n\nb\n```\n\n[x](evil.html)"
    kept = cleaned(new_markdown_cell(source)).cells[0].source
    assert "\n" not in kept
    assert "script" not in kept
    assert "evil" not in kept
    assert shown(kept) == f"<div>{shown(source)}</div>"


def test_cleaning_again_changes_nothing():
    cells = {n: c for n, c in scripts.cells().items() if n not in INVALID}
    once = cleaned(*cells.values())
    assert cleaned(*copy.deepcopy(once.cells)).cells == once.cells


@pytest.mark.filterwarnings("ignore::nbformat.warnings.MissingIDFieldWarning")
def test_a_cleaned_notebook_is_a_valid_one():
    nbformat.validate(cleaned(*scripts.cells().values()))


def test_metadata_is_nbgraders_alone():
    mark = {"grade_id": "x", "schema_version": 3}
    cell = new_code_cell("x", metadata={"nbgrader": mark, "tags": ["x"], "magics_language": "x"})
    notebook = cleaned(cell)
    assert notebook.cells[0].metadata == {"nbgrader": mark}
    assert notebook.metadata == {}


def test_a_raw_cell_is_shown_as_text():
    assert cleaned(new_raw_cell("a <b> & c")).cells[0].source == "<pre>a &lt;b&gt; &amp; c</pre>"


def test_of_an_output_only_what_a_page_may_show_stays():
    assert output({"application/javascript": "x", "text/plain": "y"}).data == {"text/plain": "y"}
    assert output({"image/png": "no base64!"}).data == {"text/plain": "(not shown: image/png)"}
    assert output({"image/png": scripts.PIXEL}).data == {"image/png": scripts.PIXEL}
    assert output({"text/html": "<b>x</b><script>y</script>"}).data == {"text/html": "<b>x</b>"}


def test_a_drawing_becomes_a_picture():
    data = output({"image/svg+xml": "<svg/>", "text/plain": "<Figure>"}).data
    assert data["text/html"] == '<img src="data:image/svg+xml;base64,PHN2Zy8+" alt="">'
    assert data["text/plain"] == "<Figure>"


def test_a_formula_that_code_displays_becomes_mathml():
    assert "<math" in output({"text/latex": r"$\displaystyle \frac{x}{y}$"}).data["text/html"]


def test_the_size_of_a_picture_is_a_number():
    data = {"image/png": scripts.PIXEL}
    sizes = {"width": 300, "height": "1 onload=x()", "alt": "x", "filenames": {}}
    assert output(data, {"image/png": sizes}).metadata == {"image/png": {"width": 300}}


def test_streams_and_tracebacks_stay():
    printed = new_output("stream", name="stderr", text="a <b>")
    failed = new_output("error", ename="E", evalue="v", traceback=["a <b>", "\x1b[31mred"])
    cell = new_code_cell("x", outputs=[printed, failed], execution_count=3)
    assert cleaned(cell).cells == [cell]


def test_names_of_students_are_shown_as_text():
    names = {"student": "<img src=x>", "first_name": "A&B", "last_name": None, "notebook_path": '"'}
    _, resources = CleanNotebook()(new_notebook(), dict(names))
    assert resources["student"] == "&lt;img src=x&gt;"
    assert resources["first_name"] == "A&amp;B"
    assert resources["notebook_path"] == "&quot;"


# in a browser


@pytest.mark.browser
@pytest.mark.slow
@needs_chromium
@pytest.mark.filterwarnings("ignore")  # nbconvert's, about what it cannot show
def test_in_stock_nbgrader_these_cells_do_run(browser, tmp_path):
    cells = {n: c for n, c in scripts.cells().items() if n not in {*INVALID, *scripts.ALONE}}
    found, _ = got_through(browser, feedback(Config()), cells, tmp_path)
    assert found >= RUN_IN_STOCK


@pytest.mark.browser
@pytest.mark.slow
@needs_chromium
@pytest.mark.filterwarnings("ignore:No lexer found")
def test_none_of_them_runs_in_feedback(browser, settings, tmp_path):
    found, _ = got_through(browser, feedback(settings), scripts.cells(), tmp_path)
    assert found == set()


@pytest.mark.browser
@pytest.mark.slow
@needs_chromium
@pytest.mark.filterwarnings("ignore")
def test_the_policy_alone_stops_every_script(browser, tmp_path):
    only_the_policy = Config()
    only_the_policy.HTMLExporter.extra_template_basedirs = TEMPLATES
    cells = {n: c for n, c in scripts.cells().items() if n not in {*INVALID, "refresh"}}
    _, ran = got_through(browser, feedback(only_the_policy), cells, tmp_path)
    assert ran == set()


@pytest.mark.browser
@pytest.mark.slow
@needs_chromium
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("template", ["lab", "classic", "feedback"])
def test_a_cleaned_notebook_is_harmless_with_any_template(browser, tmp_path, template):
    exporter = (
        feedback(Config()) if template == "feedback" else HTMLExporter(template_name=template)
    )

    def clean(notebook):
        return CleanNotebook()(copy.deepcopy(notebook), {})[0]

    found, _ = got_through(browser, exporter, scripts.cells(), tmp_path, clean)
    assert found == set()


@pytest.mark.browser
@needs_chromium
def test_feedback_is_one_quiet_file_that_fits_a_phone(browser, settings, tmp_path):
    sentence = "The mean of the last column is wrong: weigh each row by how often it was seen."
    error = new_output("error", ename="AssertionError", evalue=sentence, traceback=[sentence])
    printed = new_output("stream", text="x" * 300)
    notebook = new_notebook(
        cells=[
            new_markdown_cell(r"# Why" "\n\n" r"$$\begin{align}a &= b\\ c &= d\end{align}$$"),
            new_markdown_cell(" ".join(["word"] * 50) + r" $\sum_i x_i = 1$"),
            new_code_cell("f()", outputs=[printed, error]),
        ]
    )
    path = tmp_path / page(feedback(settings), notebook, tmp_path)
    with open_page(browser, path.as_uri(), viewport={"width": 390, "height": 800}) as (
        view,
        record,
    ):
        assert record.complaints() == []
        assert record.requests == [path.as_uri()]
        assert view.evaluate("document.documentElement.scrollWidth") <= 390
        assert view.locator("script").count() == 0
        message = view.get_by_text(sentence)
        assert message.evaluate("e => e.scrollWidth <= e.clientWidth")
