"""Marks in one process. That they are a kernel's is what `test_fair` shows, for each variant."""

import sys
import warnings

import pytest
from nbformat.v4 import new_code_cell

from sealed import in_process
from tests.sealed import small


def mark(answer, tests, **keywords):
    notebook = small.notebook(answer, tests)
    return in_process.run(notebook, **keywords).tests["centred-tests"]


def test_the_right_answer_has_every_point():
    assert in_process.mark(small.notebook()) == {"centred-tests": 2.0}


def test_a_wrong_answer_has_none_and_the_error_says_why():
    outcome = mark("def centred(x):\n    return x", small.STRICT)
    assert outcome.points == 0
    assert "the columns of [[1, 2], [3, 7]]" in outcome.problem


@pytest.mark.parametrize("answer", ["this is no Python", "pass", "raise SystemExit", "1 / 0"])
def test_a_broken_answer_costs_its_points_and_nothing_else(answer):
    assert mark(answer, small.STRICT).points == 0


def test_a_word_on_stderr_costs_the_points():
    assert mark("pass", "import sys\nprint('here', file=sys.stderr)").points == 0
    assert mark("import warnings", "warnings.warn('careful')").problem == "UserWarning: careful"


def test_a_warning_that_python_does_not_show_costs_nothing():
    assert mark("import warnings", "warnings.warn('soon', PendingDeprecationWarning)").points == 2


@pytest.mark.parametrize(
    ("last", "points"),
    [("0.5", 0.5), ("0", 0), ("2", 2), ("'fine'", 2), ("1.5;", 2), ("None", 2), ("-1", 2)],
)
def test_the_last_expression_is_partial_credit(last, points):
    assert mark("pass", last).points == points


def test_more_points_than_there_are_is_none():
    outcome = mark("pass", "3")
    assert outcome.points == 0
    assert "greater than maximum points" in outcome.problem


def test_a_cell_that_does_not_end_is_stopped_and_the_next_one_runs():
    outcome = mark("while True:\n    pass", "assert True", cell_seconds=0.2)
    assert outcome.points == 2


def test_a_hand_in_uses_the_files_beside_it_and_leaves_nothing_behind(tmp_path):
    (tmp_path / "helper_of_ada.py").write_text("value = 7\n")
    (tmp_path / "data.txt").write_text("3")
    before = dict(sys.modules), list(sys.path), warnings.filters[:]
    code = "import helper_of_ada\n\nn = int(open('data.txt').read())"
    assert mark(code, "assert (helper_of_ada.value, n) == (7, 3)", folder=tmp_path).points == 2
    assert "helper_of_ada" not in sys.modules
    assert (sys.modules["__main__"], sys.path, warnings.filters) == (
        before[0]["__main__"],
        *before[1:],
    )


def test_answers_are_replaced_by_their_grade_id():
    notebook = small.notebook()
    given = in_process.answered(notebook, {"centred": "pass"})
    assert in_process.answers(given) == {"centred": "pass"}
    assert in_process.answers(notebook) == {"centred": small.CENTRED}
    with pytest.raises(KeyError, match="no answer cell nothing"):
        in_process.answered(notebook, {"nothing": "pass"})


def test_cells_that_no_test_needs_drop_out():
    notebook = small.notebook(setup="import numpy as np")
    figure = new_code_cell("x = 1\nprint(centred(np.eye(2)))", id="figure")
    helper = new_code_cell("same = np.testing.assert_allclose", id="helper")
    notebook.cells[1:1] = [figure, helper]
    kept = in_process.essential(notebook)
    assert [cell.id for cell in kept.cells] == ["setup", "helper", "centred", "centred-tests"]
    assert in_process.mark(kept) == {"centred-tests": 2.0}


def test_of_several_tests_only_those_that_are_wanted_stay_with_what_they_need():
    notebook = small.notebook()
    notebook.cells += [
        small.cell("other", "def other():\n    return 1", solution=True),
        small.cell("other-tests", "assert other() == 1", grade=True, locked=True, points=1),
    ]
    kept = in_process.essential(notebook, ["other-tests"])
    assert [cell.id for cell in kept.cells] == ["other", "other-tests"]
