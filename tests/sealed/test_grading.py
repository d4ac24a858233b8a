"""A hand-in is marked by what its code returns, and by nothing else."""

from dataclasses import replace

import pytest

from tests.sealed import jobs
from tests.sealed.jobs import answer, graded, hidden, locked, mark, notebook, plain

SQUARE = notebook(
    locked("import numpy as np"),
    answer("def square(x):\n    return x**2"),
    graded(
        "assert square(3) == 9, 'the square of 3 is 9'\n"
        + hidden("for x in (8675309, -1.5):\n    assert square(x) == x * x, f'not at {x}'"),
        points=2,
    ),
)


def test_a_right_answer_gets_the_points():
    result = mark(SQUARE, "def square(y):\n    return y * y")
    assert result.points() == {"tests": 2}
    assert result.problem is None


def test_a_visible_failure_says_where_and_why():
    result = mark(SQUARE, "def square(x):\n    return 3 * x + 1")
    verdict = result.tests["tests"]
    assert (verdict["points"], verdict["hidden"]) == (0, False)
    assert "the square of 3 is 9" in verdict["message"]
    assert "assert square(3) == 9" in verdict["message"]


def test_an_error_in_the_answer_shows_its_line():
    result = mark(SQUARE, "def square(x):\n    y = x\n    return y / 0")
    assert "ZeroDivisionError" in result.tests["tests"]["message"]
    assert "return y / 0" in result.tests["tests"]["message"]


def test_a_hidden_failure_shows_the_words_and_no_value():
    result = mark(SQUARE, "def square(x):\n    return 9")
    verdict = result.tests["tests"]
    assert verdict["hidden"]
    assert verdict["message"] == "A hidden test failed: not at …"
    assert "not at 8675309" in verdict["details"]
    assert "8675309" not in result.seen()
    assert "HIDDEN" not in str(result.notebook["cells"][2]["outputs"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError(x)", "`square` raises an error, or returns what is no plain data"),
        ("raise AssertionError(f'{x}')", "`square` raises an error"),
        ("raise StopIteration", "`square` raises an error"),
        ("return object()", "the result is not what the task asks for"),
        ("while True: pass", "`square` takes too long"),
        ("raise TimeoutError(x)", "`square` takes too long"),
        ("raise SystemExit(x)", "`square` raises an error"),
        ("raise KeyboardInterrupt(x)", "`square` raises an error"),
    ],
)
def test_what_a_hidden_test_met_is_said_in_words_of_ours(body, message):
    limits = replace(jobs.LIMITS, cell_seconds=1.5)
    result = mark(SQUARE, f"def square(x):\n    if x == 3: return 9\n    {body}", limits=limits)
    assert result.points() == {"tests": 0}
    assert message in result.tests["tests"]["message"] or "not at …" in str(result.tests)
    assert "8675309" not in result.seen()


def test_a_changed_argument_is_an_error():
    source = notebook(
        locked("import numpy as np"),
        answer("def double(x):\n    return 2 * x"),
        graded("x = np.ones(3)\nassert (double(x) == 2).all()"),
    )
    result = mark(source, "def double(x):\n    x *= 2\n    return x")
    assert result.points() == {"tests": 0}
    assert "`double` changed its argument 1" in result.tests["tests"]["message"]


def test_a_generator_goes_on_after_a_call():
    source = notebook(
        locked("import numpy as np"),
        answer("def draw(rng):\n    return rng.random()"),
        graded(
            "ours, theirs = np.random.default_rng(1), np.random.default_rng(1)\n"
            "assert [draw(theirs) for _ in range(3)] == list(ours.random(3))\n"
            "assert theirs.random() == ours.random()"
        ),
    )
    assert mark(source, {}).points() == {"tests": 1}


def test_objects_are_called_and_asked_but_never_compared():
    source = notebook(
        answer(
            "class Box:\n    size = 3\n    def __init__(self, x): self.x = x\n"
            "    def get(self): return self.x"
        ),
        graded("assert Box(4).get() == 4\nassert Box(4).size == 3", "a"),
        graded("assert Box(1) == Box(1)", "b"),
        graded("assert not hasattr(Box(1), 'y')", "c"),
    )
    result = mark(source, {})
    assert result.points() == {"a": 1, "b": 0, "c": 1}
    assert "is not plain data" in result.tests["b"]["message"]


def test_functions_of_the_instructor_can_be_given_to_the_student():
    source = notebook(
        locked("import numpy as np\ndef cube(x):\n    return x**3"),
        answer("def at_two(f):\n    return f(2)"),
        graded("assert at_two(cube) == 8\nassert at_two(np.exp) > 7\nassert at_two(float) == 2.0"),
        graded("at_two(lambda x: x)", "with-lambda"),
    )
    result = mark(source, {})
    assert result.points() == {"tests": 1, "with-lambda": 0}
    assert "cannot be sent" in result.tests["with-lambda"]["message"]


def test_plain_cells_that_tests_need_run_on_both_sides():
    source = notebook(
        plain("import math\ndata = [1, 2, 3]"),
        answer("def total(x):\n    return sum(x)"),
        plain("result = total(data)"),
        graded("assert result == 6 and math.isclose(total(data), 6)"),
    )
    assert mark(source, {}).points() == {"tests": 1}
    assert mark(source, "def total(x):\n    return 0").points() == {"tests": 0}


def test_variables_are_values():
    source = notebook(answer("n = 5\nxs = [1.0, 2.0]"), graded("assert n == 5 and xs[1] == 2.0"))
    assert mark(source, {}).points() == {"tests": 1}
    assert mark(source, "n = 4\nxs = []").points() == {"tests": 0}
    assert "NameError" in mark(source, "pass").tests["tests"]["message"]


def test_partial_credit_is_the_last_expression():
    source = notebook(
        answer("def f(x):\n    return x"),
        graded("n = 0\n" + hidden("n += f(1) == 1\nn += f(2) == 2") + "\nn", points=4),
    )
    assert mark(source, {}).points() == {"tests": 2}
    assert mark(source, "def f(x):\n    return 1").points() == {"tests": 1}


@pytest.mark.parametrize("value", ["float('nan')", "-1", "5", "f(0)"])
def test_partial_credit_out_of_range_is_none(value):
    source = notebook(answer("def f(x):\n    return x"), graded(value, points=4))
    result = mark(source, "def f(x):\n    return 100")
    assert result.points() == {"tests": 0}
    assert "points from 0 to 4" in result.tests["tests"]["message"]


def test_output_and_figures_are_shown():
    source = notebook(
        answer("import matplotlib.pyplot as plt\nprint('drawn')\nplt.plot([1, 2])\nplt.show()"),
        plain("1 + 1"),
        graded("print('seen by all')"),
    )
    result = mark(source, {})
    kinds = [o["output_type"] for o in result.notebook["cells"][0]["outputs"]]
    assert kinds == ["stream", "display_data"]
    assert "image/png" in result.notebook["cells"][0]["outputs"][1]["data"]
    assert result.notebook["cells"][1]["outputs"][0]["data"] == {"text/plain": "2"}
    assert result.text(2) == "seen by all\n"


def test_too_much_output_is_cut():
    result = mark(notebook(plain("for i in range(200): print('x' * 1000)")), {})
    text = result.text(0)
    assert 60_000 < len(text) < 70_000
    assert text.endswith("(more output is not kept)\n")


def test_a_crash_costs_what_comes_after_and_is_said():
    source = notebook(
        answer("def a():\n    return 1", "first"),
        graded("assert a() == 1", "first-tests"),
        answer("import os\nos._exit(0)", "second"),
        graded("assert a() == 1", "second-tests"),
    )
    result = mark(source, {})
    assert result.points() == {"first-tests": 1, "second-tests": 0}
    assert "ended" in result.problem


def test_a_cell_out_of_time_is_interrupted_and_the_rest_goes_on():
    source = notebook(plain("while True:\n    pass"), plain("print('on')"))
    result = mark(source, {}, limits=replace(jobs.LIMITS, cell_seconds=1))
    assert result.notebook["cells"][0]["outputs"][0]["ename"] == "OutOfTime"
    assert result.text(1) == "on\n"


def test_what_cannot_be_interrupted_is_stopped():
    stubborn = "import signal, time\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\n"
    stubborn += "signal.setitimer(signal.ITIMER_REAL, 0)\nwhile True:\n    time.sleep(1)"
    result = mark(
        notebook(plain(stubborn), plain("print('on')")),
        {},
        limits=replace(jobs.LIMITS, cell_seconds=1),
    )
    assert "did not end in time" in result.problem
    assert result.text(1) == ""


def test_nothing_that_met_a_hidden_test_is_shown():
    spy = (
        "met = []\ndef square(x):\n    met.append(x)\n    open('met', 'w').write(repr(met))\n"
        "    return x**2"
    )
    source = notebook(*SQUARE.cells, plain("print(met)"), plain("print(open('met').read())"))
    result = mark(source, spy)
    assert result.points() == {"tests": 2}
    assert result.text(3) == "[3]\n"
    assert result.text(4) == "[3]\n"


def test_a_file_beside_the_notebook_is_there_and_hides_no_module():
    files = {"helper.py": "eCA9IDcK", "numpy.py": "cmFpc2UgU3lzdGVtRXhpdAo=", "data.txt": "aGk="}
    source = notebook(
        answer(
            "import helper, numpy\ndef f():\n    return helper.x, open('data.txt').read(), "
            "numpy.ones(1)"
        ),
        graded("a, b, c = f()\nassert a == 7 and b == 'hi' and c == 1"),
    )
    assert mark(source, {}, files=files).points() == {"tests": 1}


def test_a_refused_hand_in_is_not_run():
    result = mark(SQUARE, {}, refused="too large")
    assert result.points() == {"tests": 0}
    assert result.problem == "too large"
    assert "too large" in result.seen()


@pytest.mark.parametrize("sealed", [True, False])
def test_marks_are_the_same_without_a_sandbox(sealed):
    assert mark(SQUARE, {}, sealed=sealed).points() == {"tests": 2}
    assert mark(SQUARE, "def square(x):\n    return 9", sealed=sealed).points() == {"tests": 0}


def test_a_module_that_is_not_allowed_is_not_there():
    source = notebook(
        answer("def f():\n    import sklearn\n    return 1"),
        graded("assert f() == 1"),
        sealed={"modules": ["numpy"]},
    )
    result = mark(source, {})
    assert result.points() == {"tests": 0}
    assert "may import" in result.tests["tests"]["message"]


def test_of_a_package_a_module_alone_can_be_allowed():
    source = notebook(
        answer("from latent.data import earthquakes\nn = len(earthquakes())"),
        answer("kmeans = None", "cheat"),
        graded("assert n == 107"),
        graded("kmeans", "cheated"),
        sealed={"modules": ["numpy", "latent.data"]},
    )
    result = mark(source, {"cheat": "from latent import kmeans"})
    assert result.points() == {"tests": 1, "cheated": 0}


def test_the_examiner_may_import_what_the_student_may_not():
    source = notebook(
        answer("def f(x):\n    return x"),
        graded("import latent\nassert f(3) == 3 and latent.kmeans"),
        sealed={"modules": ["numpy"]},
    )
    assert mark(source, {}).points() == {"tests": 1}
