"""A wrong answer costs its own task, all of it, and nothing else."""

import ast

import pytest
from notebooks import answers, mark, points, release, role, source
from wrong_answers import WRONG

ANSWERS, STUBS, POINTS = answers(source()), answers(release()), points(source())


def function_of(task: str) -> str:
    """The name of the function that the task asks for: the one that the stub defines."""
    (definition,) = [
        node for node in ast.parse(STUBS[task]).body if isinstance(node, ast.FunctionDef)
    ]
    return definition.name


def test_right_answers_get_every_point():
    assert mark(ANSWERS) == POINTS


def test_stubs_get_no_point():
    assert mark(STUBS) == dict.fromkeys(POINTS, 0)


def test_every_task_has_wrong_answers():
    assert {task for task, wrong in WRONG.items() if len(wrong) >= 10} == set(POINTS)


@pytest.mark.slow
@pytest.mark.parametrize("task", POINTS)
def test_wrong_answers_lose_exactly_their_task(task):
    wrong = {
        "stub": STUBS[task],
        "no Python": "what is this",
        "nothing defined": "pass",
        **WRONG[task],
    }
    expected = POINTS | {task: 0}
    unexpected = {}
    for what, code in wrong.items():
        marks = mark(ANSWERS | {task: code})
        if marks != expected:
            unexpected[what] = marks
    assert unexpected == {}


@pytest.mark.parametrize("task", POINTS)
def test_an_answer_stands_on_its_own(task):
    """With stubs in place of all other answers it still gets its points."""
    assert mark(STUBS | {task: ANSWERS[task]}) == dict.fromkeys(POINTS, 0) | {task: POINTS[task]}


@pytest.mark.parametrize("task", POINTS)
def test_a_warning_on_the_way_costs_nothing(task):
    noisy = f"{ANSWERS[task]}\n\nright_{task.replace('-', '_')} = {function_of(task)}\n\n\n" + (
        f"def {function_of(task)}(*arguments):\n"
        f"    warnings.warn('only a warning')\n"
        f"    np.log(np.zeros(1))\n"
        f"    return right_{task.replace('-', '_')}(*arguments)\n"
    )
    assert mark(ANSWERS | {task: noisy}) == POINTS


def test_answers_and_tests_alternate():
    """A task is an answer cell and the test cell that follows it."""
    roles = [(cell.id, role(cell)) for cell in source().cells if role(cell) in ("answer", "tests")]
    assert [r for _, r in roles] == ["answer", "tests"] * len(POINTS)
    for (answer, _), (tests, _) in zip(roles[::2], roles[1::2], strict=True):
        assert answer.removesuffix("-solution") == tests.removesuffix("-tests")
