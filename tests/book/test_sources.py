"""The pages as they are written: labels, sections, self-checks, widgets with their questions."""

import ast
import re
from collections import Counter

import pytest
from matplotlib.text import Text

from explorable import drawing
from tests.book.chapters import BOOK, LECTURE_1, PAGES, TEACHING, code, fences, source, widgets

CURRICULUM = [  # the rows of lecture 1, and whether they promise a widget
    ("hmm-joint", True),
    ("hmm-parameters", False),
    ("hmm-marginal-state", True),
    ("lvm-local-global", False),
    ("lvm-intractable", False),
    ("kmeans", True),
    ("em-q-function", False),
    ("em-jensen", True),
    ("em-elbo-identity", True),
    ("em-monotone", False),
    ("em-hard", False),
    ("em-sign-switching", True),
    ("gmm-em", True),
    ("gmm-to-kmeans", True),
    ("em-exponential-family", False),
    ("em-log-sum-motif", False),
    ("ppca-em", True),
    ("em-variants", False),
]


def sections(page: str) -> dict[str, str]:
    """Each labelled section of a page: its label, and its text up to the next labelled heading."""
    parts = re.split(r"^\(([\w-]+)\)=\n(?=#)", source(page), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize(("label", "has_widget"), CURRICULUM)
def test_each_row_of_the_curriculum_has_one_section_with_what_it_promises(label, has_widget):
    places = [p for p in PAGES if label in sections(p)]
    assert len(places) == 1, f"({label})= stands above a heading on {places}"
    if has_widget:
        text = sections(places[0])[label]
        assert re.search(r"^explore\(", text, flags=re.M), "no widget in its section"


@pytest.mark.parametrize("page", TEACHING)
def test_a_page_closes_with_a_summary_and_questions(page):
    text = source(page)
    summary, questions = text.index("\n## In short\n"), text.index("\n## Check yourself\n")
    assert summary < questions
    assert len(re.findall(r"^- ", text[summary:questions], flags=re.M)) >= 3


def questions(page: str) -> list[str]:
    """The questions of a page's self-check: a bold paragraph and the options below it."""
    checks = source(page).split("\n## Check yourself\n")[1]
    parts = re.split(r"^(?=\*\*)", checks, flags=re.M)[1:]
    return [p for p in parts if ":::{dropdown}" in p]


@pytest.mark.parametrize("page", TEACHING)
def test_each_question_has_one_right_answer_and_feedback_on_all(page):
    assert len(questions(page)) >= 2
    for question in questions(page):
        options = fences(question, "dropdown")
        assert len(options) >= 2, question
        kinds = [
            re.search(r"^:class-container: check (right|wrong)$", o, flags=re.M) for o in options
        ]
        assert all(kinds), question
        assert [k[1] for k in kinds].count("right") == 1, question
        for option in options:
            feedback = option.split("\n", 2)[2].strip()
            assert len(feedback.split()) >= 5, f"feedback too thin: {option}"


@pytest.mark.parametrize("page", TEACHING)
def test_a_widget_stands_between_a_question_and_what_to_notice(page):
    blocks = re.findall(
        r":class: (predict)|^(explore)\(|:class: (notice)", source(page), flags=re.M
    )
    order = ["".join(b) for b in blocks]
    assert order == ["predict", "explore", "notice"] * (len(order) // 3)
    assert order, "a page without a widget"


def titles(page: str) -> list[str | None]:
    """The titles of a page's widgets, None for one without."""
    lines = [line for cell in code(page) for line in ast.parse(cell).body]
    calls = [x.value for x in lines if isinstance(x, ast.Expr) and isinstance(x.value, ast.Call)]
    given = [
        {k.arg: k.value for k in call.keywords}
        for call in calls
        if ast.unparse(call.func) == "explore"
    ]
    return [ast.literal_eval(g["title"]) if "title" in g else None for g in given]


WITH_WIDGETS = [p for p in PAGES if titles(p)]


@pytest.mark.parametrize("page", WITH_WIDGETS)
def test_the_title_of_each_widget_is_a_sentence(page):
    for title in titles(page):
        assert title, "a widget without a title"
        assert len(title.split()) >= 5, f"{title!r} is a label"
        assert title[0].isupper(), title
        assert title[-1].isalnum(), f"{title!r} ends as no title does"


def test_no_two_widgets_share_a_title():
    every = Counter(title for page in WITH_WIDGETS for title in titles(page))
    assert [title for title, n in every.items() if n > 1] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_WIDGETS)
def test_text_in_the_figures_is_large_enough_for_a_phone(page, monkeypatch):
    sizes = {}

    def measure(figure):
        figure.draw_without_rendering()  # which makes the labels of the ticks
        texts = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
        sizes.update({t.get_text(): t.get_fontsize() for t in texts})
        return ""

    monkeypatch.setattr(drawing, "to_svg", measure)
    for widget in widgets(page):
        controls = widget.controls.values()
        widget.html([c.start for c in controls])
        widget.html([len(c.values) - 1 for c in controls])
    assert sizes, "no text at all"
    assert {text: size for text, size in sizes.items() if size < 10.5} == {}


def test_the_lecture_has_at_least_eight_widgets():
    cells = [c for p in TEACHING for c in code(p)]
    assert sum(len(re.findall(r"^explore\(", c, flags=re.M)) for c in cells) >= 8


@pytest.mark.parametrize("page", PAGES)
def test_the_prose_keeps_to_the_house_style(page):
    prose = re.sub(r"```.*?```|\$\$.*?\$\$|`[^`]*`", "", source(page), flags=re.S)
    for word in ("simply", "clearly", "obviously", "trivially"):
        assert not re.search(rf"\b{word}\b", prose, flags=re.I), f"{page}: {word!r}"


@pytest.mark.parametrize("page", PAGES)
def test_code_that_a_reader_sees_fits_its_column(page):
    lines = "\n".join(code(page, hidden=False)).split("\n")
    assert [line for line in lines if len(line) > 82] == []


def test_no_page_is_left_out_of_the_table_of_contents():
    written = {str(p.relative_to(BOOK.parent).with_suffix("")) for p in BOOK.rglob("*.md")}
    assert written == set(PAGES)
    assert {p.stem for p in LECTURE_1.glob("*.md")} >= {"index", "model", "k-means"}
