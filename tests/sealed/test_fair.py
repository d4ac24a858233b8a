"""Honest hand-ins get the marks that nbgrader gives them, where everything runs in one kernel."""

import base64
import copy
import json

import pytest
from nbgrader.preprocessors import Execute
from nbgrader.utils import determine_grade

from sealed import grading, in_process
from sealed.limits import Limits
from sealed.plan import is_test
from tests.sealed.variants import APART, FILES, NOISY, VARIANTS, hand_in, source

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    """A hand-in's folder."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def by_name(variants, marks):
    return {name: marks[f"tests-{i}"] for i, name in enumerate(variants)}


def stock(variants, folder):
    """Marks of nbgrader's own step that runs a notebook."""
    notebook, _ = Execute().preprocess(
        copy.deepcopy(hand_in(variants)), {"metadata": {"path": str(folder)}}
    )
    return by_name(
        variants,
        {c.metadata.nbgrader.grade_id: determine_grade(c)[0] for c in notebook.cells if is_test(c)},
    )


def sealed(variants):
    files = {k: base64.b64encode(text.encode()).decode() for k, text in FILES.items()}
    job = grading.job_of(
        source(variants), hand_in(variants), limits=Limits(), sealed=True, files=files
    )
    result = json.loads(grading.mark(job))
    assert result["problem"] is None
    return by_name(variants, {k: test["points"] for k, test in result["tests"].items()})


@pytest.mark.parametrize(("variants", "score"), [(VARIANTS, 2), (APART, 2), (NOISY, 0)])
def test_marks_in_this_process_are_those_of_a_kernel(variants, score, folder):
    expected = dict.fromkeys(variants, score)
    if variants is VARIANTS:
        expected["partial credit"] = 0.5
    assert stock(variants, folder) == expected
    assert by_name(variants, in_process.mark(hand_in(variants), folder=folder)) == expected


def test_right_answers_get_the_marks_that_nbgrader_gives():
    assert sealed(VARIANTS) == dict.fromkeys(VARIANTS, 2) | {"partial credit": 0.5}


def test_what_needs_one_kernel_is_nothing_that_an_assignment_may_rely_on():
    assert sealed(APART) == dict.fromkeys(APART, 0)


def test_a_warning_or_a_word_on_stderr_costs_an_honest_answer_nothing():
    assert sealed(NOISY) == dict.fromkeys(NOISY, 2)
