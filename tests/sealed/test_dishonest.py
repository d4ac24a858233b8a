"""No hand-in of the corpus gains a point, learns a hidden test, or does harm.

All of them are graded in one run of `sealed grade`, between the hand-ins of honest neighbours, each
with surroundings of its own to aim at; then there is a test for each.
"""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tests.sealed import courses, tiny
from tests.sealed.dishonest import CATEGORIES, CORPUS, HandIn
from tests.sealed.dishonest.here import LIMITS, NEIGHBOURS, Graded, graded
from tests.sealed.dishonest.watch import confessions, texts

pytestmark = pytest.mark.slow

STOCK = Path(__file__).parent / "dishonest" / "stock.json"

# what may carry the inputs of hidden tests: their students must see the same whatever these are
CARRYING = {
    "arguments in exceptions",
    "arguments in output",
    "arguments in return values",
    "reading from disk",
    "reading from memory",
    "reading from frames",
    "ending the process",
}
# what these print of their process, and in which order, differs from run to run
NOISY = {"about-the-process", "memory", "thread-later", "what-others-left"}
COMPARED = [h for h in CORPUS if h.category in CARRYING and h.name not in NOISY]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """All of them."""
    with graded(tmp_path_factory.mktemp("run") / "course", CORPUS, tiny.CANARIES) as made:
        yield made


@pytest.fixture(scope="module")
def other_run(tmp_path_factory):
    """Those that may carry values out, with other values in the hidden tests."""
    root = tmp_path_factory.mktemp("other") / "course"
    with graded(root, COMPARED, tiny.OTHER_CANARIES) as made:
        yield made


def every(hand_ins: list[HandIn]):
    """A test for each of these."""
    return pytest.mark.parametrize("hand_in", hand_ins, ids=lambda hand_in: hand_in.name)


def test_every_category_is_there():
    assert {hand_in.category for hand_in in CORPUS} == set(CATEGORIES)


def test_names_are_unique_and_say_what_is_tried():
    assert len({hand_in.name for hand_in in CORPUS}) == len(CORPUS) >= 60
    assert all(hand_in.tries.endswith(".") for hand_in in CORPUS)
    assert not {hand_in.name for hand_in in CORPUS} & set(NEIGHBOURS)


def test_the_table_is_of_this_corpus():
    measured = json.loads(STOCK.read_text(encoding="utf-8"))
    assert [m["name"] for m in measured] == [hand_in.name for hand_in in CORPUS]
    assert all(m["here"] <= m["deserved"] for m in measured)


def test_neighbours_get_full_marks(run):
    for neighbour in NEIGHBOURS:
        marks = run.marks[neighbour]
        assert {test: marks[test].score for test in tiny.POINTS} == tiny.POINTS
        assert run.record(neighbour)["problem"] is None


@every(CORPUS)
def test_no_point_is_gained(run, hand_in):
    marks = run.marks[hand_in.name]
    gained = {
        name: mark.score
        for name, mark in marks.items()
        if mark.score > hand_in.deserves.get(name, 0.0)
    }
    assert not gained
    assert {name: mark.max_score for name, mark in marks.items()} == tiny.POINTS | {"explain": 2.0}


@every([hand_in for hand_in in CORPUS if hand_in.deserves])
def test_what_is_honest_is_lost_only_with_a_reason(run, hand_in):
    record, marks = run.record(hand_in.name), run.marks[hand_in.name]
    lost = {
        name: marks[name].score
        for name, points in hand_in.deserves.items()
        if marks[name].score < points
    }
    assert not lost or record["problem"]


@every(CORPUS)
def test_nothing_hidden_is_shown(run, hand_in):
    notebook, record = run.notebook(hand_in.name), run.record(hand_in.name)
    messages = [test["message"] for test in record["tests"].values()]
    shown = "\n".join([texts(notebook), *messages])
    secret = [*tiny.CANARIES.traces(), run.watches[hand_in.name].secret]
    assert [trace for trace in secret if trace in shown] == []


@every(COMPARED)
def test_what_is_shown_does_not_depend_on_hidden_values(run, other_run, hand_in):
    assert views(run, hand_in.name) == views(other_run, hand_in.name)


def test_words_about_hidden_tests_are_from_a_list(run):
    source = "\n".join(cell.source for cell in tiny.source().cells)
    words = [re.escape(own) for own in re.findall(r', "(.*?)"$', source, re.MULTILINE)]
    called = r"(`?(distortion|caesar|walk|Tally)(\(\)|\.add|\.favourite)*`?|your code)"
    words += [
        "the result is not what the task asks for",
        f"{called} changes what it is given",
        f"{called} takes too long",
        f"{called} raises an error, or returns what is no plain data",
    ]
    allowed = re.compile(f"A hidden test failed: ({'|'.join(words)})")
    said = {
        test["message"]
        for hand_in in CORPUS
        for test in run.record(hand_in.name)["tests"].values()
        if test["hidden"]
    }
    assert said
    assert [words for words in said if not allowed.fullmatch(words)] == []


@every(CORPUS)
def test_nothing_outside_is_touched(run, hand_in):
    assert run.watches[hand_in.name].harms() == []
    assert confessions(run.notebook(hand_in.name)) == []


def test_nothing_in_the_course_is_changed(run):
    assert run.changes == []


@every([hand_in for hand_in in CORPUS if hand_in.broken])
def test_a_broken_one_is_reported_and_left_to_a_person(run, hand_in):
    problem = run.record(hand_in.name)["problem"]
    assert problem
    assert hand_in.name in run.said
    assert run.code == 1
    for mark in run.marks[hand_in.name].values():
        assert mark.score == 0
        assert mark.needs_manual_grade


# threads that are busy behind the cells hold nothing up, and end with their process
IN_THE_WAY = [h for h in CORPUS if h.category == "exhausting time" and h.name != "busy-threads"]


@every(IN_THE_WAY)
def test_what_takes_too_long_is_cut_short(run, hand_in):
    words = (run.record(hand_in.name)["problem"] or "") + texts(run.notebook(hand_in.name))
    assert "ran longer than" in words or "in time" in words or "took longer" in words


@every([hand_in for hand_in in CORPUS if hand_in.category != "gigantic notebooks"])
def test_outputs_are_bounded(run, hand_in):
    notebook = run.notebook(hand_in.name)
    assert len(texts(notebook)) < 4 * LIMITS["output_kb"] * 1024
    assert sum(len(cell.get("outputs", [])) for cell in notebook.cells) < 10_000


@pytest.fixture(scope="module")
def pages(run):
    """Feedback, for some of them, by student."""
    for students in ("*-arguments", "script-*"):
        courses.nbgrader(run.course, "generate_feedback", tiny.NAME, "--student", students)
    folder = run.course.root / "grading" / "feedback"
    students = [path.name for path in folder.iterdir()]
    return {student: courses.feedback(run.course, student, tiny.NAME) for student in students}


def test_feedback_shows_nothing_hidden(pages):
    assert len(pages) >= 8
    for page in pages.values():
        assert [trace for trace in tiny.CANARIES.traces() if trace in page] == []


def test_feedback_runs_no_script_of_a_student(pages):
    for student, page in pages.items():
        assert list(scripts(page)) == [], student


def scripts(page: str) -> Iterator[str]:
    """Where a page holds as markup what `script.MARKUP` brings."""
    for element in BeautifulSoup(page, "html.parser").find_all(True):
        if any("evil" in str(value) for value in element.attrs.values()):
            yield str(element)[:200]
        if element.name in ("script", "style", "iframe", "svg") and "evil" in str(element):
            yield str(element)[:200]


def views(run: Graded, student: str) -> set[str]:
    """The lines that a student gets to see, but for the words why a hidden test failed.

    These come from a fixed list (`test_words_about_hidden_tests_are_from_a_list`).
    """
    notebook = copy.deepcopy(run.notebook(student))
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("ename") == "HiddenTestFailed":
                output.update(evalue="", traceback=[])
    about = run.watches[student].about
    shown = texts(notebook)
    for name in (about.token, str(about.course), str(about.outside)):
        shown = shown.replace(name, "")
    return {line.strip() for line in re.sub("0x[0-9a-fA-F]+", "", shown).splitlines()}
