"""What a source notebook says about grading."""

import pytest

from sealed import plan
from tests.sealed.jobs import answer, graded, hidden, locked, notebook, plain

SOURCE = notebook(
    locked("import numpy as np\nfrom scipy import stats"),
    plain("import math\ndata = [1, 2]"),
    answer("def f(x):\n    helper = 1\n    return x\n\nlimit = 3"),
    plain("figure = f(data)\nprint(figure)"),
    graded("assert f(1) == 1\n" + hidden("assert f(2) == 2") + "\nx = math.pi", "one", 2),
    answer("class G:\n    pass", "second"),
    graded(hidden("assert G()"), "two"),
)


def test_tests_have_a_visible_part_and_the_names_defined_above():
    one, two = plan.plan_of(SOURCE).tests.values()
    assert one.visible.split("\n") == ["assert f(1) == 1", "x = math.pi"]
    assert "f(2)" in one.whole
    assert (one.max_points, one.names) == (2, ("f", "limit"))
    assert two.names == ("f", "limit", "G")
    assert two.visible.strip() == ""


def test_the_examiner_runs_locked_cells_and_those_that_tests_need():
    made = plan.plan_of(SOURCE)
    assert made.tests["one"].share == (SOURCE.cells[0].source, SOURCE.cells[1].source)
    assert made.tests["two"].share == ()
    assert made.idle == {"figure = f(data)\nprint(figure)"}


def test_what_a_needed_cell_needs_is_needed():
    made = plan.plan_of(
        notebook(plain("a = 1"), plain("b = a + 1"), plain("c = 3"), graded("assert b == 2"))
    )
    assert made.tests["tests"].share == ("a = 1", "b = a + 1")
    assert made.idle == {"c = 3"}


def test_modules_come_from_the_metadata():
    assert plan.plan_of(SOURCE).modules == ("matplotlib", "numpy", "scipy")
    assert plan.plan_of(notebook(sealed={"modules": ["numpy"]})).modules == ("numpy",)
    assert {"numpy", "scipy.stats", "math"} <= set(plan.plan_of(SOURCE).preload)


@pytest.mark.parametrize("modules", ["numpy", [1]])
def test_modules_in_another_form_are_refused(modules):
    with pytest.raises(ValueError, match="must be a list of names"):
        plan.plan_of(notebook(sealed={"modules": modules}))


@pytest.mark.parametrize(
    ("source", "free"),
    [
        ("x = 1\nprint(x)", {"print"}),
        ("print(x)\nx = 1", {"print", "x"}),
        ("x += 1", {"x"}),
        ("def f(a, b=c):\n    d = a\n    return d + e + f", {"c", "e"}),
        ("f = lambda a: a + b", {"b"}),
        ("xs = [i + j for i in range(n)]", {"j", "range", "n"}),
        ("for i in xs:\n    y = i\nprint(y, z)", {"xs", "print", "z"}),
        ("with open(p) as f:\n    f.read(n)", {"open", "p", "n"}),
        ("import a.b as c, d\nc + d + e", {"e"}),
        ("class C(Base):\n    x = y", {"Base", "y"}),
        ("@decorated\ndef f(): pass", {"decorated"}),
        ("try:\n    x = 1\nexcept E as e:\n    print(e)", {"E", "print"}),
        ("if (n := len(a)) > 3:\n    n", {"len", "a"}),
        ("a[i] = b", {"a", "i", "b"}),
        ("%matplotlib inline\nx", {"get_ipython", "x"}),
        ("no python here", set()),
        ("x = " + "(" * 5000, set()),
        ("x = " + "+".join(["a"] * 2000), {"x", "a"}),
    ],
    # a set's own order differs from worker to worker
    ids=lambda x: x[:30] if isinstance(x, str) else " ".join(sorted(x)),
)
def test_free_names(source, free):
    assert plan.free_names(source) == free


@pytest.mark.parametrize(
    ("source", "bound"),
    [
        ("def f():\n    x = 1", {"f"}),
        ("a, (b, *c) = 1, (2, 3)\nd: int = 4\ne += 1", {"a", "b", "c", "d", "e"}),
        ("import numpy as np\nfrom os import path", {"np", "path"}),
        ("for i in range(3):\n    j = i", {"i", "j"}),
        ("with open(p) as f:\n    pass", {"f"}),
        ("[k for k in range(3)]\nlambda m: m", set()),
        ("class C:\n    x = 1", {"C"}),
    ],
)
def test_bound_names(source, bound):
    assert plan.bound_names(source) - {"k"} == bound
