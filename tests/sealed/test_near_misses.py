"""Wrong answers made from right ones."""

from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest

from sealed import in_process, near_misses, spoiling
from tests.sealed import small

Pair = namedtuple("Pair", "mean variance")


@dataclass(frozen=True)
class Fit:
    mean: float
    name: str


def spoilt(what, value, visible=0):
    return spoiling.NearMiss(what, visible).value(value)


def outcome(answer, name, what, tests, visible=0):
    """Points of a spoilt answer, and the object that spoilt it."""
    notebook = small.notebook(near_misses.spoilt(answer, name, what, visible), tests)
    ran = in_process.run(notebook)
    return ran.tests["centred-tests"].points, ran.names[near_misses.NAME]


@pytest.mark.parametrize(
    ("what", "right", "wrong"),
    [
        ("off by one", 3, 4),
        ("off by one", [1, (2, 3.5)], [2, (3, 4.5)]),
        ("off by one", {"a": 1, "b": "text"}, {"a": 2, "b": "text"}),
        ("off by one", Pair(1.0, 2.0), Pair(2.0, 3.0)),
        ("off by one", Fit(1.0, "ada"), Fit(2.0, "ada")),
        ("the opposite", True, False),
        ("transposed", np.arange(6).reshape(2, 3), np.arange(6).reshape(2, 3).T),
        ("transposed", np.arange(2.0), np.array([[0.0], [1.0]])),
        ("reversed", "abc", "cba"),
        ("empty", {"a": 1}, {}),
        ("without the last entry", [1, 2], [1]),
        ("normalised, or not", np.array([0.5, 0.5]), np.array([1.5, 1.5])),
        ("normalised, or not", np.array([1.0, 3.0]), np.array([0.25, 0.75])),
        ("NaN in one entry", np.array([1, 2]), np.array([1.0, np.nan])),
        ("the mean everywhere", np.array([1.0, 3.0]), np.array([2.0, 2.0])),
        ("whole numbers", np.array([0.4, 1.6]), np.array([0, 2])),
        ("results reversed", (1, "a"), ("a", 1)),
        ("result 1: NaN everywhere", (1.0, 2.0), (1.0, np.nan)),
        ("result 0: None", Pair(1.0, 2.0), Pair(None, 2.0)),
        ("None", 5, None),
    ],
)
def test_a_result_is_spoilt_as_its_name_says(what, right, wrong):
    assert spoiling.same(spoilt(what, right), wrong)


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("transposed", 3.0),
        ("whole numbers", np.array([1.0, 2.0])),
        ("off by one", "text"),
        ("empty", []),
        ("result 5: None", (1, 2)),
        ("reversed", np.ones(3)),
        ("None", None),
    ],
)
def test_what_a_near_miss_makes_nothing_of_stays_as_it_is(what, value):
    watcher = spoiling.NearMiss(what)
    assert watcher.value(value) is value
    assert watcher.changes == 0


def test_all_that_is_named_changes_some_value():
    values = [
        (np.array([[0.3, 0.7], [1.5, 2.5]]), 2.5, np.arange(3)),
        *(3, 2.5, True, "text", [1, 2], {"a": 1}, (1.0, 2.0), np.array([0.2, 0.8])),
    ]
    named = [*spoiling.JUNK, *spoiling.MISSES, *(f"result 0: {w}" for w in spoiling.ONE_RESULT)]
    assert [w for w in near_misses.kinds(values) if w in named and "result 1" not in w] != []
    assert set(named) <= set(near_misses.kinds(values))


def test_the_first_answer_comes_again():
    watcher = spoiling.NearMiss("the first answer again")
    assert [watcher.value(x) for x in (1, 2, 3)] == [1, 1, 1]
    assert watcher.changes == 2


def test_it_is_right_for_the_visible_tests_only():
    points, watcher = outcome(
        small.CENTRED, "centred", "right in the visible tests only", small.STRICT, visible=1
    )
    assert (points, watcher.changes) == (0, 1)
    visible = small.STRICT.partition("### BEGIN")[0]
    points, watcher = outcome(
        small.CENTRED, "centred", "right in the visible tests only", visible, visible=1
    )
    assert (points, watcher.changes) == (2, 0)


def test_an_argument_is_changed_in_place():
    points, watcher = outcome(
        small.CENTRED, "centred", "its argument changed in place", small.STRICT
    )
    assert (points, watcher.shown) == (0, "its argument changed")


def test_a_spoilt_answer_shows_what_it_gave():
    points, watcher = outcome(small.CENTRED, "centred", "None", small.STRICT)
    assert (points, watcher.shown) == (0, "None")


def test_an_object_that_equals_everything_passes_a_test_that_compares():
    points, watcher = outcome(
        "def centred(x):\n    return 1",
        "centred",
        "an object that equals everything",
        "assert centred(0) == 1",
    )
    assert (points, watcher.changes) == (2, 1)


CLASS = """\
class Tally:
    unit = 1

    def __init__(self):
        self.n = 0

    def add(self):
        self.n += self.unit
        return self.n

    @property
    def total(self):
        return self.n

    @staticmethod
    def name():
        return "tally"

    def _private(self):
        return 0


limit = 10"""
USES = "t = Tally()\nassert (t.add(), t.total, t.name(), limit) == (1, 1, 'tally', 10), 'x'"


def test_targets_are_what_tests_use_of_an_answer():
    notebook = small.notebook(CLASS + "\n\n\ndef helper():\n    return 1\n\n\nimport math", USES)
    assert [target.name for target in near_misses.targets(notebook)] == [
        *("Tally", "Tally.add", "Tally.total", "Tally.name"),
        "limit",
    ]


@pytest.mark.parametrize("name", ["Tally.add", "Tally.total", "Tally.name", "limit"])
def test_methods_properties_and_variables_are_spoilt(name):
    assert outcome(CLASS, name, "", USES)[0] == 2
    points, watcher = outcome(CLASS, name, "None", USES)
    assert (points, watcher.changes) == (0, 1)


def test_a_function_that_is_returned_is_spoilt_in_turn():
    answer = "def power(n):\n    return lambda x: x**n"
    tests = "assert power(2)(3) == 9, 'a square'"
    assert outcome(answer, "power", "", tests)[0] == 2
    assert outcome(answer, "power", "off by one", tests)[0] == 0
