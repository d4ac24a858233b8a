"""An assignment that is graded in a moment: five test cells, 10 points, and 2 points for words.

It needs NumPy alone. Its hidden tests hold *canaries*: words and numbers that occur nowhere else,
so a search of whatever a student may see finds what has leaked. `source` makes it with other
canaries too: what a student sees must not depend on them.

`distortion` has the very contract of `latent.distortion`, and `caesar` is printed by the page
CHAPTER: what a real assignment avoids, so that copying shows.
"""

import copy
import pprint
from collections.abc import Mapping
from dataclasses import dataclass

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

NAME = "tiny"
MODULES = ["numpy", "latent.data"]


@dataclass(frozen=True)
class Canaries:
    """What the hidden tests feed to the student's functions."""

    word: str = "Jabberwock58210Xylograph"
    number: float = 918273.640625  # exact in binary, so sums are too
    seed: int = 770_031_415

    def traces(self) -> list[str]:
        """Texts that must not reach a student: inputs, and values that are expected."""
        numbers = [self.number, _distortion_of(self.number)]
        return [
            self.word,
            _caesar(self.word, 7),
            _caesar(self.word, 3),
            str(self.seed),
            f"{self.seed:_}",
            *(str(number) for number in numbers),
            *(str(int(number)) for number in numbers),
        ]


CANARIES = Canaries()
OTHER_CANARIES = Canaries("Brillig90317Quincunx", 564738.203125, 330_271_828)

# what a right hand-in says, by the grade id of the cell
ANSWERS = {
    "distortion": """\
def distortion(x, means, assignments):
    return float(((x - means[assignments]) ** 2).sum())""",
    "caesar": """\
def caesar(text, shift):
    def moved(letter):
        if not (letter.isascii() and letter.isalpha()):
            return letter
        first = ord("a") if letter.islower() else ord("A")
        return chr(first + (ord(letter) - first + shift) % 26)

    return "".join(map(moved, text))""",
    "walk": """\
def walk(n_steps, rng):
    steps = rng.choice([-1, 1], size=n_steps)
    return np.concatenate([[0], np.cumsum(steps)])""",
    "tally": """\
class Tally:
    def __init__(self):
        self.counts = {}

    def add(self, word):
        self.counts[word] = self.counts.get(word, 0) + 1

    def favourite(self):
        return max(self.counts, key=self.counts.get)""",
}

# honest, and worth nothing
WRONG = {
    "distortion": "def distortion(x, means, assignments):\n    return 0.0",
    "caesar": "def caesar(text, shift):\n    return text",
    "walk": "def walk(n_steps, rng):\n    return [0] * n_steps",
    "tally": """\
class Tally:
    def add(self, word):
        self.word = word

    def favourite(self):
        return self.word""",
}

POINTS = {
    "distortion-tests": 2.0,
    "caesar-tests": 2.0,
    "caesar-hidden": 1.0,
    "walk-tests": 3.0,
    "tally-tests": 2.0,
}
TASKS = {test: test.partition("-")[0] for test in POINTS}  # the answer that each test cell marks

# a page of the course that prints an answer
CHAPTER = "# Caesar's cipher\n\n```{code-cell}\n" + ANSWERS["caesar"] + "\n```\n"

_TEXTS = {
    "introduction": """\
# A tiny assignment

Return results; do not print. Your functions are called with other values than you see here.""",
    "distortion-task": """\
## The distortion (2 points)

`distortion(x, means, assignments)`: the sum over the points `x[n]` (T, D) of the squared distance
to `means[assignments[n]]`, a float.""",
    "caesar-task": """\
## Caesar's cipher (3 points)

`caesar(text, shift)`: the text with each of the letters A to Z and a to z moved on by `shift` in
the alphabet, Z to A again. Everything else stays.""",
    "walk-task": """\
## A walk (3 points)

`walk(n_steps, rng)`: positions of a walk, an array (n_steps + 1,) that begins with 0. Its steps are
`rng.choice([-1, 1], size=n_steps)`.""",
    "tally-task": """\
## A tally (2 points)

`Tally()` counts words: `add(word)` counts one, `favourite()` returns the word counted most often,
the earlier one of equals.""",
}
_MANUAL = "## In your own words (2 points)\n\nWhat does the distortion measure?"
_SETUP = "import numpy as np"
_LOOK = """\
# a cell to play with
print(caesar("Veni, vidi, vici", 3))
print(walk(5, np.random.default_rng(1)))"""


def source(canaries: Canaries = CANARIES) -> NotebookNode:
    """The instructor's notebook: answers, tests, hidden tests."""
    cells = [_locked_text("introduction"), _cell("setup", _SETUP, locked=True)]
    for task, tests in _tests(canaries).items():
        cells += [_locked_text(f"{task}-task"), _answer(task), *tests]
        if task == "caesar":
            cells.append(new_code_cell(_LOOK.splitlines()[0] + "\n" + _LOOK.splitlines()[1]))
    cells.append(_manual())
    notebook = new_notebook(cells=cells)
    for cell in notebook.cells:
        cell.id = cell.metadata.get("nbgrader", {}).get("grade_id", "look")
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
        sealed={"modules": list(MODULES)},
    )
    return notebook


def answered(
    release: NotebookNode, answers: Mapping[str, str], manual: str | None = None
) -> NotebookNode:
    """The released notebook with these answers written into it; without one, it stays as it is."""
    notebook = copy.deepcopy(release)
    for cell in notebook.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if grade_id == "explain" and manual is not None:
            cell.source = manual
        cell.source = answers.get(grade_id, cell.source)
    return notebook


def _tests(canaries: Canaries) -> dict[str, list[NotebookNode]]:
    return {
        "distortion": [_test("distortion-tests", _DISTORTION, _hidden_distortion(canaries))],
        "caesar": [
            _test("caesar-tests", _CAESAR, _hidden_caesar(canaries, 7)),
            _test("caesar-hidden", "", _hidden_caesar(canaries, 3)),
        ],
        "walk": [_test("walk-tests", _WALK, _hidden_walk(canaries), last="reached")],
        "tally": [_test("tally-tests", _TALLY, _hidden_tally(canaries))],
    }


_DISTORTION = """\
value = distortion(np.array([[0.0], [1.0], [10.0]]), np.array([[0.5], [9.0]]), np.array([0, 0, 1]))
assert isinstance(value, float), "distortion: the result is a float"
assert value == 1.5, "distortion: three points, two means: 0.25 + 0.25 + 1"
"""
_CAESAR = """\
assert caesar("abc", 1) == "bcd", "caesar: each letter moves on by the shift"
assert caesar("XYZ!", 3) == "ABC!", "caesar: after Z comes A, and signs stay"
"""
_WALK = """\
reached = 0
path = walk(10, np.random.default_rng(0))
assert isinstance(path, np.ndarray) and path.shape == (11,), "walk: n_steps + 1 positions"
if path[0] == 0 and (np.abs(np.diff(path)) == 1).all():
    reached += 1
"""
_TALLY = """\
tally = Tally()
for word in ["one", "two", "three", "two"]:
    tally.add(word)
assert tally.favourite() == "two", "Tally: two was added twice"
"""


def _hidden_distortion(canaries: Canaries) -> str:
    return f"""\
x = np.array([[0.0, {canaries.number}], [1.0, 2.0], [3.0, 4.0]])
means = np.array([[1.0, 1.0], [0.0, {canaries.number}]])
value = distortion(x, means, np.array([0, 1, 0]))
assert isinstance(value, float), "distortion: the result is a float"
assert abs(value / {_distortion_of(canaries.number)} - 1) < 1e-9, "distortion: far away points"
assert distortion(x, means, np.array([1, 0, 0])) == 14.0, "distortion: every point has its own mean"
"""


def _hidden_caesar(canaries: Canaries, shift: int) -> str:
    given, expected = canaries.word, _caesar(canaries.word, shift)
    return f"""\
assert caesar({given!r}, {shift}) == {expected!r}, "caesar: small and capital letters, and digits"
assert caesar({expected!r}, -{shift}) == {given!r}, "caesar: a negative shift goes back"
"""


def _hidden_walk(canaries: Canaries) -> str:
    import numpy as np

    rng = np.random.default_rng(canaries.seed)
    first, second = [0, *rng.choice([-1, 1], size=40).cumsum()], rng.choice([-1, 1], size=3)
    expected = pprint.pformat([int(position) for position in first], width=90, compact=True)
    again = [0, *(int(position) for position in second.cumsum())]
    return f"""\
rng = np.random.default_rng({canaries.seed})
expected = np.array(
    {expected}
)
path = walk(40, rng)
if isinstance(path, np.ndarray) and np.array_equal(path, expected):
    reached += 1
    if np.array_equal(walk(3, rng), np.array({again})):
        reached += 1
"""


def _hidden_tally(canaries: Canaries) -> str:
    return f"""\
tally = Tally()
for word in ["other", {canaries.word!r}, {canaries.word!r}, "other", "third"]:
    tally.add(word)
assert tally.favourite() == "other", "Tally: of equals, the one that came first"
tally.add({canaries.word!r})
assert tally.favourite() == {canaries.word!r}, "Tally: it goes on counting"
"""


def _distortion_of(number: float) -> float:
    """What the first hidden test expects: points 0 and 2 at mean 0, point 1 at mean 1."""
    return 1.0 + (number - 1.0) ** 2 + 1.0 + (2.0 - number) ** 2 + 4.0 + 9.0


def _caesar(text: str, shift: int) -> str:
    lower, upper = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    moved = lower[shift:] + lower[:shift] + upper[shift:] + upper[:shift]
    return text.translate(str.maketrans(lower + upper, moved))


def _locked_text(grade_id: str) -> NotebookNode:
    return _cell(grade_id, _TEXTS[grade_id], kind="markdown", locked=True)


def _answer(task: str) -> NotebookNode:
    first, _, body = ANSWERS[task].partition("\n")
    text = f"{first}\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"
    return _cell(task, text, solution=True)


def _test(grade_id: str, visible: str, hidden: str, *, last: str = "") -> NotebookNode:
    text = f"{visible}### BEGIN HIDDEN TESTS\n{hidden}### END HIDDEN TESTS\n{last}".rstrip()
    return _cell(grade_id, text, grade=True, locked=True, points=POINTS[grade_id])


def _manual() -> NotebookNode:
    return _cell("explain", _MANUAL, kind="markdown", grade=True, solution=True, points=2.0)


def _cell(
    grade_id: str,
    text: str,
    *,
    kind: str = "code",
    grade: bool = False,
    locked: bool = False,
    solution: bool = False,
    points: float | None = None,
) -> NotebookNode:
    cell = new_code_cell(text) if kind == "code" else new_markdown_cell(text)
    flags = {"grade": grade, "grade_id": grade_id, "locked": locked, "solution": solution}
    cell.metadata.nbgrader = NotebookNode(flags | {"schema_version": 3, "task": False})
    if points is not None:
        cell.metadata.nbgrader.points = points
    return cell
