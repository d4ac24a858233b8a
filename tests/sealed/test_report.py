"""The report of an assignment: what it says, that it is safe to open, and that all can read it."""

import json
import os
import random
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from sealed import cli, report_page
from sealed.likeness import Pair
from sealed.report import HandIn, Message, Report, Task, write
from tests.browser import needs_chromium, open_page, violations
from tests.sealed import courses, tiny

SCRIPT = "<script>document.title = 'owned'</script><img src=x onerror=alert(1)>"
CODE = """\
def f(x):
    # mine
    total = 0
    for i in x:
        total += i ** 2 - 3 * i
    return total
"""
NAMES = ["Ada Lovelace", "George Boole", "Zoë Müller-Lüdenscheidt", SCRIPT, "\u202eEve", "A" * 90]


def example(n: int = 40) -> Report:
    """A class of `n`, with names and messages that mean no good."""
    rng = random.Random(1)
    hand_ins = [
        HandIn(
            student=f"student{i:03}",
            name=NAMES[i % len(NAMES)],
            mark=None if i % 9 == 0 else rng.triangular(0, 20, 15),
            penalty=2.0 if i % 11 == 1 else 0.0,
            waits="a person" if i % 9 == 0 else "",
            problem=f"the session took longer than 180 s {SCRIPT}" if i % 13 == 2 else "",
            seconds=rng.expovariate(1) + 0.8,
        )
        for i in range(n)
    ]
    tasks = [
        Task("hmm", name, 3, 3 * full / n, full, part, n - full - part - waiting, waiting, messages)
        for name, full, part, waiting, messages in [
            ("still-running", 30, 4, 0, [Message("states: rows sum to one", 5, False, "")]),
            (
                "weighted-lloyd",
                21,
                0,
                0,
                [
                    Message(
                        "new_centres: a tie goes to the first centre",
                        14,
                        True,
                        "x = [0.5]\n" + SCRIPT,
                    ),
                    Message(SCRIPT, 3, False, ""),
                    Message("", 2, True, "ZeroDivisionError"),
                ],
            ),
            ("a-task-with-a-name-that-does-not-end-soon-$x^2$", 12, 9, 0, []),
            ("derivation", 10, 12, 9, []),
        ]
    ]
    alike = [
        Pair("student000", "student003", "", 0.93, 211.0),
        Pair("student000", "student003", "f", 1.0, 90.0),
        Pair("student001", "student002", "f", 0.81, 44.0),
    ]
    return Report(
        "hidden-markov-models", 20, hand_ins, tasks, alike, {"student004": f"no {SCRIPT}"}
    )


ANSWERS = {f"student{i:03}": {"f": CODE + f"# {SCRIPT}\n"} for i in range(4)}


class Structure(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports") / "hmm"
    write(example(), ANSWERS, folder)
    return folder


@pytest.fixture(scope="module")
def page(folder) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_strangers_text_is_text(page):
    tags = Structure(page).tags
    assert not {"script", "img", "iframe", "object", "link", "form"} & {tag for tag, _ in tags}
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    assert page.count("&lt;script&gt;") > 5


def test_the_page_needs_nothing_else(page):
    addresses = [
        value
        for tag, attributes in Structure(page).tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href") and not value.startswith("#")
    ]
    assert addresses == []
    assert "default-src 'none'" in page


def test_tables_have_headers_and_the_figure_has_words(page):
    tags = Structure(page).tags
    assert all("scope" in attributes for tag, attributes in tags if tag == "th")
    (figure,) = [attributes for tag, attributes in tags if tag == "figure"]
    assert "weighted-lloyd, all points for 21" in figure["aria-label"]
    assert [tag for tag, _ in tags].count("h1") == 1


def test_the_page_says_what_failed_most_often(page):
    assert page.index("derivation") < page.index("still-running", page.index('id="tasks"'))
    text = page[page.index('id="messages"') :]
    assert "new_centres: a tie goes to the first centre" in text
    assert "14 ×" in text
    assert "hidden test" in text


def test_numbers_for_programs_are_those_of_the_page(folder, page):
    data = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert data["summary"]["hand_ins"] == len(data["hand_ins"]) == 40
    assert data["summary"]["marked"] == sum(h["mark"] is not None for h in data["hand_ins"])
    assert f"<dd>{data['summary']['marked']}</dd>" in page
    assert data["alike"][0] == example().alike[0]._asdict()
    assert data["tasks"][1]["messages"][0]["count"] == 14


def test_lines_that_both_have_are_marked(page):
    assert "<mark>        total += i ** 2 - 3 * i</mark>" in page
    assert "<mark>    # mine" not in page


def test_the_figure_is_a_file_too_and_the_same_each_time(folder):
    svg = (folder / "figure.svg").read_text(encoding="utf-8")
    assert svg.startswith("<svg ")
    assert svg == report_page.figure(example())


def test_a_class_of_one_without_a_mark_has_a_report(tmp_path):
    report = example(1)
    empty = replace(report, tasks=[], alike=[], not_compared={}, max_score=0.0)
    write(empty, {}, tmp_path / "new" / "folder")
    page = (tmp_path / "new" / "folder" / "report.html").read_text(encoding="utf-8")
    for words in ("There are no marks yet.", "No test failed.", "<p>None.</p>"):
        assert words in page


@needs_chromium
@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_read_the_page(browser, folder, width, scheme):
    view = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    # the page forbids scripts, axe's among them
    with open_page(browser, f"file://{folder}/report.html", bypass_csp=True, **view) as (
        page,
        record,
    ):
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.title() == "hidden-markov-models: report"
        assert record.complaints() == []


@pytest.mark.slow
def test_a_graded_course_is_reported(tmp_path, monkeypatch, capsys):
    course = courses.make(tmp_path, {"tiny": tiny.source()})
    released = courses.released(course, "tiny")
    copied = {task: code.replace("steps", "moves") for task, code in tiny.ANSWERS.items()}
    for student, answers in (
        ("ada", tiny.ANSWERS),
        ("bob", copied),
        ("cyd", tiny.WRONG),
        ("dan", {}),
    ):
        courses.hand_in(course, student, tiny.answered(released, answers), assignment="tiny")
    courses.nbgrader(course, "autograde", "tiny")
    courses.hand_in(course, "eve", b"no notebook", assignment="tiny")

    monkeypatch.setenv("PATH", os.environ["PATH"])  # the course's settings change it
    monkeypatch.chdir(course.root)
    assert cli.main(["report", "tiny"]) == 0
    assert "tiny: 5 hand-ins, 4 marked, 1 pairs alike" in capsys.readouterr().out
    data = json.loads((course.root / "grading" / "reports" / "tiny" / "report.json").read_bytes())
    assert {h["student"]: h["mark"] for h in data["hand_ins"]} == {
        "ada": 10,
        "bob": 10,
        "cyd": 0,
        "dan": 0,
        "eve": None,
    }
    assert {(p["first"], p["second"]) for p in data["alike"]} == {("ada", "bob")}
    assert {task["task"]: (task["full"], task["none"]) for task in data["tasks"]}["walk-tests"] == (
        2,
        2,
    )
    assert "eve" in data["not_compared"]
    assert any(task["messages"] for task in data["tasks"])
    assert cli.main(["report", "tinny"]) == 2
    assert "no assignment 'tinny'" in (said := capsys.readouterr().err)
    assert "did you mean tiny?" in said
