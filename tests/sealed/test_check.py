"""`sealed check`: an assignment that proves nothing is found out."""

import json
import re

import pytest

from sealed import check, cli
from sealed import course as courses
from tests.sealed import small

pytestmark = pytest.mark.slow


def checked(tmp_path, monkeypatch, notebook, files=None):
    """What the check of a course with this assignment says, by promise."""
    small.course(tmp_path, notebook)
    for name, text in (files or {}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    (report,) = check.check(courses.load(), "small")
    assert report.passed == all(promise.kept for promise in report.promises)
    return {promise.what: promise for promise in report.promises}


def broken(promises):
    return [what for what, promise in promises.items() if not promise.kept]


def test_an_assignment_that_is_as_it_should_be_passes(tmp_path, monkeypatch):
    promises = checked(tmp_path, monkeypatch, small.notebook())
    assert broken(promises) == []
    misses = promises["every test cell notices junk and near misses"]
    assert int(re.match(r"(\d+) wrong answers", misses.tried)[1]) > 40


def test_a_weak_test_is_reported_with_what_passed(tmp_path, monkeypatch):
    promises = checked(tmp_path, monkeypatch, small.notebook(tests=small.WEAK))
    assert broken(promises) == ["every test cell notices junk and near misses"]
    rows = promises["every test cell notices junk and near misses"].against
    assert {row[:2] for row in rows} == {("centred-tests", "centred")}
    by_kind = {row[2]: row[3] for row in rows}
    assert by_kind["NaN everywhere"].startswith("array([[nan, nan]")
    assert {"the other sign", "doubled", "zeros"} <= by_kind.keys()
    assert "off by one" not in by_kind


def test_what_a_task_tolerates_is_not_reported(tmp_path, monkeypatch):
    loose = small.STRICT.replace("strict=True,", "strict=True, rtol=1e-2, atol=1e-2,")
    slightly = ["a ten-thousandth off", "one entry off", "result 0: a ten-thousandth off"]
    notebook = small.notebook(tests=loose, tolerates={"centred-tests": slightly})
    assert broken(checked(tmp_path, monkeypatch, notebook)) == []


def test_always_equal_objects_are_stopped_by_the_seal_and_are_no_weakness(tmp_path, monkeypatch):
    answer = (
        "def shout(text):\n    ### BEGIN SOLUTION\n    return text.upper()\n    ### END SOLUTION"
    )
    tests = (
        "assert shout('ada') == 'ADA', 'capitals'\n### BEGIN HIDDEN TESTS\n"
        "assert shout('Bob') == 'BOB', 'a name'\n### END HIDDEN TESTS"
    )
    assert broken(checked(tmp_path, monkeypatch, small.notebook(answer, tests))) == []


def test_a_function_of_the_course_that_answers_a_task_is_reported(tmp_path, monkeypatch):
    chapter = (
        "---\nkernelspec: {name: python3, display_name: Python 3}\n---\n# Page\n\n"
        "```{code-cell} ipython3\nimport numpy as np\n\n\ndef without_means(x):\n"
        "    return x - np.mean(x, axis=0)\n\n\ndef other(x):\n    return x\n```\n"
    )
    package = "def shifted(x):\n    return x - x.mean(axis=0)\n\n\ndef two(x, y):\n    return x\n"
    monkeypatch.syspath_prepend(tmp_path)
    promises = checked(
        tmp_path,
        monkeypatch,
        small.notebook(references=["package_of_ours"], chapters=["book"]),
        {"book/page.md": chapter, "package_of_ours/__init__.py": package},
    )
    assert broken(promises) == ["the course's own functions score nothing"]
    scored = promises["the course's own functions score nothing"]
    assert scored.against == (
        ("centred-tests", "centred", "package_of_ours.shifted", "2"),
        ("centred-tests", "centred", "book/page.md: without_means", "2"),
    )
    assert scored.tried.startswith("3 hand-ins from 4 functions")


def test_a_solution_that_is_wrong_is_reported_with_the_reason(tmp_path, monkeypatch):
    wrong = small.CENTRED.replace("x.mean(axis=0)", "x.mean()")
    promises = checked(tmp_path, monkeypatch, small.notebook(wrong))
    rows = promises["the solution gets everything"].against
    assert [row[:3] for row in rows] == [
        ("centred-tests", "one process", "0"),
        ("centred-tests", "sealed", "0"),
    ]
    assert all("the columns of [[1, 2], [3, 7]]" in row[3] for row in rows)


def test_a_task_that_needs_one_kernel_is_reported(tmp_path, monkeypatch):
    answer = "def f(g):\n    ### BEGIN SOLUTION\n    return g(3)\n    ### END SOLUTION"
    promises = checked(
        tmp_path, monkeypatch, small.notebook(answer, "assert f(lambda x: x + 1) == 4, 'called'")
    )
    ((test, how, points, why),) = promises["the solution gets everything"].against
    assert (test, how, points) == ("centred-tests", "sealed", "0")
    assert "define it by name in a cell that students get" in why
    assert promises["the rules for assignments are kept"].against == (
        (
            "centred-tests",
            "1",
            "`f` is given a function of the test: define it in a cell that students get",
        ),
    )


def test_a_release_that_has_points_is_reported(tmp_path, monkeypatch):
    given_away = (
        "def centred(x):\n    return x - x.mean(axis=0)\n### BEGIN SOLUTION\n### END SOLUTION"
    )
    promises = checked(tmp_path, monkeypatch, small.notebook(given_away))
    assert promises["the release gets nothing"].against == (
        ("centred-tests", "one process", "2"),
        ("centred-tests", "sealed", "2"),
    )


def test_the_command_prints_and_its_exit_code_tells(tmp_path, monkeypatch, capsys):
    small.course(tmp_path, small.notebook(tests=small.WEAK))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check", "small"]) == 1
    printed = capsys.readouterr().out
    assert "  FAILED  every test cell notices junk and near misses" in printed
    assert "not ready: see FAILED above" in printed
    assert cli.main(["check", "small", "--json"]) == 1
    (report,) = json.loads(capsys.readouterr().out)
    assert (report["notebook"], report["passed"]) == ("small", False)
    assert cli.main(["check", "smal"]) == 2
    assert "did you mean small?" in capsys.readouterr().err


def test_a_chapter_that_is_not_there_is_an_error_in_words(tmp_path, monkeypatch, capsys):
    small.course(tmp_path, small.notebook(chapters=["book/nowhere"]))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check", "small"]) == 2
    assert "nowhere is neither a file nor a folder" in capsys.readouterr().err
