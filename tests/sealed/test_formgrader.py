"""nbgrader's own commands and formgrader, as their manual says, with hand-ins that are sealed.

`nbgrader autograde` grades a course; in formgrader, in Chromium, a person grades the rest and
presses the button that grades one more; `nbgrader generate_feedback` makes the pages.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from tests.browser import needs_chromium, open_page
from tests.explorable import jupyter
from tests.sealed import courses, scripts, tiny

pytestmark = [pytest.mark.slow, pytest.mark.browser, needs_chromium]

NAME = tiny.NAME
DUE = datetime(2026, 3, 1, 12, tzinfo=UTC)
SETTINGS = courses.SEALED + '\nc.LateSubmissionPlugin.penalty_method = "zero"\n'
# what nbgrader itself refuses; outputs are made by running a cell
NOT_HANDED_IN = {"count", "id", "kind", "svg-name", *scripts.OUTPUTS, *scripts.METADATA}
LAST_STEP_WRONG = tiny.ANSWERS["walk"].replace(
    "\n", "\n    if n_steps == 3:\n        return np.zeros(4)\n", 1
)
COMMENT = "Nearly: $a<b$ **twice**. <script>top.ran=['comment']</script>"


@dataclass(frozen=True)
class Graded:
    """A course after the commands and the clicks."""

    course: courses.Course
    address: str
    after_autograde: dict
    after_the_person: dict
    after_regrading: dict


def hand_ins(release) -> dict:
    """A notebook for each student."""
    mischief = tiny.answered(release, tiny.ANSWERS, manual="<b>Because</b> I say so.")
    mischief.cells += [c for n, c in scripts.cells().items() if n not in NOT_HANDED_IN]
    mischief.cells += scripts.displaying()
    mischief.metadata.update(scripts.notebook().metadata)
    return {
        "ada": tiny.answered(release, tiny.ANSWERS, manual="How far the points are: $d < 3$."),
        "bob": tiny.answered(release, tiny.ANSWERS | {"walk": LAST_STEP_WRONG}),
        "cleo": tiny.answered(release, tiny.WRONG),
        "eve": mischief,
        "late": tiny.answered(release, tiny.ANSWERS),
    }


@contextmanager
def formgrader(course: courses.Course, home) -> Iterator[str]:
    """Jupyter's server in the course's folder, as nbgrader's manual starts it."""
    command = [str(jupyter.BIN / "jupyter"), "server"]
    with jupyter.server(command, jupyter.environment(home), course.root) as address:
        yield f"{address}/formgrader"


def submission(course: courses.Course, student: str) -> str:
    """The id under which formgrader shows a hand-in."""
    with Gradebook(course.db_url) as book:
        return book.find_submission_notebook(NAME, NAME, student).id


def record(course: courses.Course, student: str) -> Path:
    """What the instructor may know of a hand-in."""
    return course.root / "grading" / "sealed" / NAME / student / f"{NAME}.json"


def press_autograde(browser, address: str, student: str):
    """Press the button that grades a hand-in; wait until formgrader says how it went."""
    with open_page(browser, f"{address}/manage_submissions/{NAME}") as (page, said):
        page.locator(f"tr:has(td.student-id:text-is('{student}')) td.autograde a").click()
        page.wait_for_selector(".modal-body", timeout=120_000)
        assert "success" in page.locator(".modal-body").inner_text().lower()
        assert said.complaints() == []


def grade_by_hand(browser, address: str, course: courses.Course, student: str):
    """Give the written answer 1.5 points and a comment, as a person does in formgrader."""
    url = f"{address}/submissions/{submission(course, student)}/"
    with open_page(browser, url, viewport={"width": 1200, "height": 900}) as (page, said):
        page.wait_for_function("formgrader.loaded && formgrader.grade_uis.length === 6")
        with page.expect_response(lambda r: r.request.method == "PUT"):
            page.locator("#explain").fill("1.5")
            page.locator("#explain").press("Tab")
        with page.expect_response(lambda r: r.request.method == "PUT"):
            page.locator("#explain-comment").fill(COMMENT)
            page.locator("#explain-comment").press("Tab")
        assert said.complaints() == []


@pytest.fixture(scope="module")
def graded(browser, tmp_path_factory) -> Iterator[Graded]:
    """Everybody's hand-in graded: by the command, then one by the button, one by a person."""
    root = tmp_path_factory.mktemp("course")
    course = courses.make(root, {NAME: tiny.source()}, config=SETTINGS)
    courses.nbgrader(course, "db", "assignment", "add", NAME, f"--duedate={DUE:%Y-%m-%d %H:%M} UTC")
    for student, notebook in hand_ins(courses.released(course, NAME)).items():
        when = DUE.replace(day=2 if student == "late" else 1, hour=10)
        files = {"nbgrader_config.py": "raise SystemExit", "more/nbgrader_config.json": "{}"}
        courses.hand_in(course, student, notebook, assignment=NAME, when=when, files=files)
    courses.nbgrader(course, "autograde", NAME)
    first = courses.marks(course, NAME)
    home = tmp_path_factory.mktemp("home")
    with formgrader(course, home) as address:
        grade_by_hand(browser, address, course, "ada")
        second = courses.marks(course, NAME)
        record(course, "ada").unlink()  # it is written anew if the button seals
        press_autograde(browser, address, "ada")
        third = courses.marks(course, NAME)
        courses.nbgrader(course, "generate_feedback", NAME)
        yield Graded(course, address, first, second, third)


def scores(marks: dict, student: str) -> dict[str, float]:
    return {test: mark.score for test, mark in marks[student].items()}


def test_autograde_gives_right_answers_everything(graded):
    marks = scores(graded.after_autograde, "ada")
    assert marks == {**tiny.POINTS, "explain": 0}


def test_autograde_gives_wrong_answers_nothing(graded):
    assert set(scores(graded.after_autograde, "cleo").values()) == {0}


def test_autograde_gives_partial_credit(graded):
    marks = scores(graded.after_autograde, "bob")
    assert marks == {**tiny.POINTS, "walk-tests": 2, "explain": 0}


def test_an_answer_in_words_waits_for_a_person_and_an_untouched_one_does_not(graded):
    assert graded.after_autograde["ada"]["explain"].needs_manual_grade
    assert graded.after_autograde["eve"]["explain"].needs_manual_grade
    assert not graded.after_autograde["bob"]["explain"].needs_manual_grade


def test_a_late_hand_in_is_penalised(graded):
    with Gradebook(graded.course.db_url) as book:
        late = book.find_submission(NAME, "late")
        assert late.total_seconds_late == 22 * 3600
        assert [notebook.late_submission_penalty for notebook in late.notebooks] == [10]
        on_time = book.find_submission(NAME, "bob")
        assert [notebook.late_submission_penalty for notebook in on_time.notebooks] == [None]


def test_a_person_sets_marks_in_formgrader(graded):
    assert graded.after_the_person["ada"]["explain"].score == 1.5
    assert not graded.after_the_person["ada"]["explain"].needs_manual_grade


def test_the_button_regrades_and_keeps_what_the_person_gave(graded):
    assert graded.after_regrading["ada"] == {
        **graded.after_the_person["ada"],
        # nbgrader asks the person to look again
        "explain": graded.after_regrading["ada"]["explain"],
    }
    assert graded.after_regrading["ada"]["explain"].score == 1.5
    with Gradebook(graded.course.db_url) as book:
        assert book.find_comment("explain", NAME, NAME, "ada").comment == COMMENT


def test_the_button_runs_the_hand_in_sealed(graded):
    tests = json.loads(record(graded.course, "ada").read_text())["tests"]
    assert tests["caesar-tests"]["passed"]


def test_feedback_tells_marks_comment_and_penalty(graded):
    page = courses.feedback(graded.course, "ada", NAME)
    assert "(Score: 11.5 / 12.0)" in page
    assert "<b>Comments:</b>" in page
    assert "Nearly: <math" in page
    assert "Late submission penalty" not in page
    assert "Late submission penalty (Score: -10.0)" in courses.feedback(graded.course, "late", NAME)


def test_feedback_says_in_words_what_failed(graded):
    page = courses.feedback(graded.course, "cleo", NAME)
    assert "output_error" in page
    assert not any(trace in page for trace in tiny.CANARIES.traces())


def test_mischief_runs_neither_in_formgrader_nor_in_feedback(graded, browser):
    for student in ("eve", "ada"):
        path = graded.course.root / "grading" / "feedback" / student / NAME / f"{NAME}.html"
        formgraders = f"{graded.address}/submissions/{submission(graded.course, student)}/"
        for url in (path.as_uri(), formgraders):
            with open_page(browser, url) as (page, said):
                page.wait_for_load_state("networkidle")
                assert scripts.ran(page, said) == set()
                assert [text for text in said.console if "pageerror" in text] == []


def test_formgrader_stops_scripts_by_its_policy_too(graded, browser):
    url = f"{graded.address}/submissions/{submission(graded.course, 'eve')}/"
    with open_page(browser, url) as (page, _):
        page.evaluate(
            """(js) => {
                 document.querySelector('.rendered_html').innerHTML = `<img src=x onerror="${js}">`;
                 const script = document.createElement('script');
                 script.textContent = js;
                 document.body.append(script) }""",
            scripts.script("injected"),
        )
        page.wait_for_timeout(300)
        assert scripts.executed(page) == set()


def test_formgraders_own_buttons_work_under_the_policy(graded, browser):
    url = f"{graded.address}/submissions/{submission(graded.course, 'bob')}/"
    with open_page(browser, url) as (page, said):
        page.wait_for_function("formgrader.loaded && MathJax.loaded")
        page.locator("span.glyphicon.name-hidden").click()
        assert page.locator("a.name-shown").inner_text().strip() == "bob"
        page.locator("span.glyphicon.name-shown").click()
        assert page.locator("a.name-hidden").is_visible()
        assert said.complaints() == []


def test_settings_for_nbgrader_do_not_come_with_a_hand_in(graded):
    for folder in ("autograded", "feedback"):
        assert list((graded.course.root / "grading" / folder / "eve").rglob("*config*")) == []


def test_the_hand_in_itself_is_not_touched(graded):
    path = graded.course.root / "grading" / "submitted" / "eve" / NAME / f"{NAME}.ipynb"
    assert scripts.MARKDOWN["script"].format(js=scripts.script("script")) in path.read_text()
    autograded = courses.autograded(graded.course, "eve", NAME)
    texts = [cell.source for cell in autograded.cells if cell.cell_type == "markdown"]
    assert "<script>" not in "".join(texts)
