"""What an assignment must not do is found, with its cell and line."""

import pytest

from sealed import rules
from tests.sealed import small


def breaches(answer="def f(x):\n    raise ValueError", tests="assert f(1) == 1", **keywords):
    notebook = small.notebook(answer, tests, **keywords)
    return [(b.cell, b.line, b.what) for b in rules.breaches(notebook, notebook)]


def hidden(code):
    return f"### BEGIN HIDDEN TESTS\n{code}\n### END HIDDEN TESTS"


RAISES = "def f(x):\n    raise ValueError\n\n\ndef g(x):\n    return x\n\n\nclass C:\n    pass"


def test_an_assignment_that_keeps_them_has_none():
    assert rules.breaches(small.notebook(), small.notebook(RAISES)) == []


@pytest.mark.parametrize(
    ("answer", "line", "words"),
    [
        ("def f(x):\n    yield x\n    raise ValueError", 2, "`f` is a generator"),
        (
            "def f(x):\n    if x:\n        raise ValueError\n    return map(abs, x)",
            4,
            "an iterator",
        ),
        ("def f(x):\n    raise ValueError\n    return (i for i in x)", 3, "an iterator"),
        ("def f(x):\n    return x", 0, "raises no error"),
        ("def f(x):\n    import pandas\n    raise ValueError", 2, "imports pandas"),
        (
            "def f(x):\n    raise ValueError\n    return np.random.rand(x)",
            3,
            "np.random.rand draws",
        ),
        ("import random\n\n\ndef f(x):\n    raise ValueError(random.random())", 5, "random.random"),
        ("def f(x):\n    raise ValueError(stats.norm.rvs(size=x))", 2, "without random_state"),
        (
            "def f(x):\n    raise ValueError(rng.random())",
            2,
            "`rng` is a Generator of another cell",
        ),
    ],
)
def test_of_an_answer(answer, line, words):
    setup = small.SETUP + "\nrng = np.random.default_rng(1)"
    ((cell, at, what),) = breaches(answer, "assert f(1) == 1", setup=setup)
    assert (cell, at) == ("centred", line)
    assert words in what


def test_what_is_lazy_inside_an_answer_is_its_own_affair():
    inside = (
        "def f(x):\n    def numbers():\n        yield 1\n\n    raise ValueError(list(numbers()))"
    )
    assert breaches(inside) == []
    assert breaches("def helper():\n    yield 1\n\n\n" + RAISES) == []


@pytest.mark.parametrize(
    ("tests", "line", "words"),
    [
        ("x = 1\nassert f(lambda x: x) == x", 2, "is given a function of the test"),
        ("def h(x):\n    return x\nassert f(h) == 1", 3, "is given a function of the test"),
        ("h = lambda x: x\nassert f(g=h) == 1", 2, "is given a function of the test"),
        ("assert f(map(abs, [1])) == 1", 1, "is given an iterator"),
        ("assert f(i for i in [1]) == 1", 1, "is given an iterator"),
        ("a = [2, 1]\nf(a)\nassert a == [1, 2]", 2, "the result of `f` is not used"),
        ("for a in [[2]]:\n    f(a)\nassert a", 2, "the result of `f` is not used"),
        ("assert isinstance(f(1), C)", 1, "isinstance with the student's class `C`"),
        ("assert f(1)\nnp.random.seed(0)", 2, "np.random.seed draws from a state that all share"),
        ("assert f(np.random.RandomState(0))", 1, "np.random.RandomState draws"),
        (hidden("assert f(1) == 1"), 2, "without words for the student: assert"),
        (hidden("same(f(1), 1)"), 2, "without words for the student: same"),
        (hidden("np.testing.assert_allclose(f(1), 1)"), 2, "np.testing.assert_allclose"),
        (hidden("x = 1\nassert f(x) == x, str(x)"), 3, "without words"),
    ],
)
def test_of_a_test(tests, line, words):
    ((cell, at, what),) = breaches(RAISES, tests)
    assert (cell, at) == ("centred-tests", line)
    assert words in what


@pytest.mark.parametrize(
    "tests",
    [
        "assert f(np.sin) == 1",
        "assert f(np.random.default_rng(1)) == 1",
        "try:\n    f(-1)\nexcept ValueError:\n    pass",
        "f(1)",
        hidden("same(f(1), 1, err_msg='one')"),
        hidden("assert f(1) == 1, f'one of {1}'"),
        hidden("def check(ok, message):\n    assert ok, message\ncheck(f(1), 'one')"),
        hidden("np.testing.assert_raises(ValueError, f, 1)"),
    ],
)
def test_what_a_test_may_do(tests):
    assert breaches(RAISES, tests) == []


def test_points_ids_and_tags_are_looked_at():
    notebook = small.notebook(RAISES, "assert f(1)", points=0)
    notebook.cells[-1].metadata.tags = ["skip-execution"]
    notebook.cells[0].metadata.nbgrader.grade_id = "centred"
    found = {b.cell: [] for b in rules.breaches(notebook, notebook)}
    for breach in rules.breaches(notebook, notebook):
        found[breach.cell].append(breach.what)
    assert found == {
        "centred": ["2 cells have this id; each needs its own"],
        "centred-tests": [
            "a test cell without points",
            "the tag skip-execution gives every point for nothing",
        ],
    }


def test_the_metadata_names_what_there_is():
    found = breaches(RAISES, references=["no_such_package"], moduls=["numpy"])
    assert [what for cell, _, what in found if cell == "metadata"] == [
        "\"sealed\" has 'moduls'; it may have chapters, modules, references, tolerates",
        "references: there is no module 'no_such_package' here",
    ]


def test_what_a_student_may_import_is_a_module_or_a_part_of_it():
    code = "import numpy.linalg\nfrom latent import data, hmm\nimport math, pandas as pd"
    assert list(rules.forbidden_imports(code, ["numpy", "latent.data"])) == [
        (2, "latent.hmm"),
        (3, "pandas"),
    ]
