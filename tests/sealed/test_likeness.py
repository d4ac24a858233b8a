"""Copies are found, however they were dressed up, and honest answers are left alone."""

import ast
import random
import re

import nbformat
import pytest

from sealed.likeness import EVIDENCE, LIKE, alike, code_tokens, prose_tokens, shared_lines
from tests.assignments import wrong_answers
from tests.sealed.courses import REPOSITORY

NAME = "hidden-markov-models"
TASKS = list(wrong_answers.WRONG)


def cells(folder: str) -> list[nbformat.NotebookNode]:
    notebook = nbformat.read(REPOSITORY / folder / NAME / f"{NAME}.ipynb", as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


GIVEN = [code_tokens(cell.source) for cell in cells("exercises")]
SOLUTION = {
    cell.id.removesuffix("-solution"): cell.source
    for cell in cells("solutions")
    if cell.id.endswith("-solution")
}
# of each task, answers that were written apart from one another
APART = {
    task: [
        code
        for what, code in wrong_answers.WRONG[task].items()
        if "library" in what or what in ("states from normalised rows", "a coarse grid")
    ]
    for task in TASKS
}
# each task in other words; of two tasks these are the solution's own words, changed a little
CLOSE = ("weighted-lloyd", "bound-and-gap")
OTHER = {task: getattr(wrong_answers, "_" + task.replace("-", "_"))() for task in TASKS}


def students(**answers: dict[str, str]):
    return {
        who: {task: code_tokens(code) for task, code in written.items()}
        for who, written in answers.items()
    }


def disguised(code: str) -> str:
    """The same program in other names, layout and quotes, with comments and a docstring."""
    tree = ast.parse(code)
    chosen = {
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    chosen |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    for name in chosen:
        code = re.sub(rf"(?<![.\w]){name}\b(?!=)", f"my_{name}_2", code)
    code = re.sub(r"#.*", "# my own idea", code)
    return (
        code.replace(", ", ",")
        .replace("    ", "  ")
        .replace('"', "'")
        .replace("):\n", "):\n  # mine\n")
    )


def found(pairs):
    return {(pair.first, pair.second, pair.cell) for pair in pairs}


@pytest.mark.parametrize("task", TASKS)
def test_a_disguised_copy_is_as_alike_as_can_be(task):
    copy = disguised(SOLUTION[task])
    assert copy != SOLUTION[task]
    assert [t for t, _ in code_tokens(copy)] == [t for t, _ in code_tokens(SOLUTION[task])]


def test_one_copy_in_a_class_is_found_and_nobody_else():
    """Ada, her copy, and others who wrote every answer apart."""
    bob = {task: code for task, code in OTHER.items() if task not in CLOSE}
    cyd = {task: APART[task][0] for task in TASKS}
    copy = {task: disguised(code) for task, code in SOLUTION.items()}
    pairs = alike(students(ada=SOLUTION, bob=bob, cyd=cyd, eve=copy), GIVEN)
    assert found(pairs) == {("ada", "eve", cell) for cell in ["", *TASKS]}
    assert {round(pair.likeness, 9) for pair in pairs} == {1.0}


def test_a_likeness_overall_comes_first_and_the_strongest_on_top():
    class_ = students(ada=SOLUTION, bob=OTHER, eve=SOLUTION | {"tied-step": OTHER["tied-step"]})
    pairs = alike(class_, GIVEN)
    assert (pairs[0].first, pairs[0].second, pairs[0].cell) == ("ada", "eve", "")
    assert ("bob", "eve", "tied-step") in found(pairs)
    assert all(pair.likeness >= LIKE and pair.evidence >= EVIDENCE for pair in pairs)


def test_order_of_functions_does_not_matter():
    helpers = [f"def helper_{task}(x):\n    return 1\n\n" + SOLUTION[task] for task in TASKS[:3]]
    class_ = students(ada={"a": "\n\n".join(helpers)}, eve={"a": "\n\n".join(reversed(helpers))})
    (overall, cell) = alike(class_, GIVEN)
    assert (overall.cell, cell.cell) == ("", "a")
    assert cell.likeness > 0.95


def test_a_copy_with_additions_of_its_own_is_found():
    copy = {task: f"{disguised(code)}\n{OTHER[task]}" for task, code in SOLUTION.items()}
    assert ("ada", "eve", "") in found(alike(students(ada=SOLUTION, eve=copy), GIVEN))


def test_answers_that_moved_to_another_cell_are_found_overall():
    copy = {"scratch": "\n\n".join(map(disguised, SOLUTION.values()))}
    assert found(alike(students(ada=SOLUTION, eve=copy), GIVEN)) == {("ada", "eve", "")}


def test_honest_answers_to_one_task_are_not_alike():
    for task in set(TASKS).difference(CLOSE):
        class_ = students(ada={task: SOLUTION[task]}, bob={task: OTHER[task]})
        assert alike(class_, GIVEN) == [], task


def test_what_everybody_was_given_is_no_likeness():
    stubs = {
        cell.id: cell.source
        for cell in cells("exercises")
        if "raise NotImplementedError" in cell.source
    }
    assert len(stubs) == len(TASKS)
    assert alike(students(ada=stubs, bob=stubs, cyd=stubs), GIVEN) == []


def test_short_answers_are_not_suspicious():
    short = {f"q{i}": f"def f{i}(x):\n    return sorted(x, key=len)[-{i}:]" for i in range(4)}
    assert alike(students(ada=short, bob=short), []) == []


def test_what_half_of_the_class_writes_is_not_suspicious():
    """An answer that can hardly be written otherwise, by most of the class."""
    rng = random.Random(5)
    others = [ast.unparse(ast.parse(code)) for codes in APART.values() for code in codes]
    class_ = {f"s{i}": {"a": OTHER["tied-step"]} for i in range(20)}
    class_ |= {f"t{i}": {"a": rng.choice(others) + f"\nx.y{i} = {i}"} for i in range(12)}
    flagged = found(alike(students(**class_), GIVEN))
    assert not any(first.startswith("s") and second.startswith("s") for first, second, _ in flagged)


def test_a_ring_of_copies_is_found():
    class_ = students(
        **{f"ring{i}": {t: disguised(c) for t, c in SOLUTION.items()} for i in range(4)},
        **{
            f"other{i}": {"x": "\n".join(f"y.z{j}({i}, '{i}')" for j in range(i))} for i in range(9)
        },
    )
    ring = [f"ring{i}" for i in range(4)]
    overall = {pair[:2] for pair in alike(class_, GIVEN) if pair.cell == ""}
    assert overall == {(a, b) for a in ring for b in ring if a < b}


def test_broken_code_is_compared_too():
    broken = "def f(:\n" + SOLUTION["tied-step"] + "\n  ' unclosed\n\x00 ´ ??"
    pairs = alike(students(ada={"a": broken}, eve={"a": disguised(SOLUTION["tied-step"])}), [])
    assert found(pairs) == {("ada", "eve", ""), ("ada", "eve", "a")}


def test_derivations_in_words_are_compared_by_their_words():
    text = "The joint density factorises, because given $x_{t-1}$ the *noise* alone is random. "
    text += " ".join(f"Then term number {i} is $\\frac{{{i}}}{{2}}$." for i in range(9))
    shouted = text.upper().replace(". ", ".\n\n")
    other = " ".join(f"Because {i} of $a_{i}$ hold, we see {i}." for i in range(20))
    written = {
        who: {"d": prose_tokens(t)} for who, t in [("a", text), ("b", other), ("e", shouted)]
    }
    assert found(alike(written, [])) == {("a", "e", ""), ("a", "e", "d")}


def test_nobody_and_nothing_are_alike_to_nobody():
    assert alike({}, []) == []
    assert alike(students(ada={}), []) == []
    assert alike(students(ada={"a": ""}, bob={"a": "x"}, cyd={}), []) == []


def test_the_lines_that_two_answers_share_are_told():
    mine = "a = 1\n" + SOLUTION["still-running"] + "\nb = [2]"
    shared = shared_lines(
        mine, code_tokens(mine), code_tokens(disguised(SOLUTION["still-running"])), GIVEN
    )
    lines = mine.splitlines()
    assert 0 not in shared
    assert len(lines) - 1 not in shared
    assert {lines.index(line) for line in lines if "joint" in line} <= shared
    assert not any(lines[i].lstrip().startswith("#") for i in shared)
