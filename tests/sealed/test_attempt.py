"""`sealed try`: what a student learns before handing in."""

import nbformat
import pytest

from sealed import cli, sandbox
from tests.sealed import small

pytestmark = pytest.mark.slow

VISIBLE = small.STRICT.partition("\n### BEGIN")[0]
STUB = "def centred(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
WRONG = "def centred(x):\n    return x"


def tried(tmp_path, capsys, answer, *, files=None, setup=small.SETUP):
    """The exit code, and what was printed."""
    path = tmp_path / "small.ipynb"
    nbformat.write(small.notebook(answer, VISIBLE, setup=setup), path)
    for name, text in (files or {}).items():
        (tmp_path / name).write_text(text)
    code = cli.main(["try", str(path)])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


@pytest.fixture(params=[True, False], ids=["as here", "without a sandbox"])
def machine(request, monkeypatch):
    """This machine as it is, and as one that cannot seal."""
    if not request.param:
        words = "bubblewrap is not installed"
        monkeypatch.setattr(sandbox, "probe", lambda: sandbox.Probe(False, words))
    return request.param


def test_a_right_answer_passes(machine, tmp_path, capsys):
    code, printed = tried(tmp_path, capsys, small.CENTRED)
    assert code == 0
    assert "small.ipynb: 1 of 1 tests pass\n  passed  Task 1. Centre the columns" in printed
    assert "Others decide when it is graded" in printed
    if not machine:
        first = printed.splitlines()[0]
        assert first == "Not sealed, your code runs as you: bubblewrap is not installed"


def test_a_wrong_answer_fails_with_the_words_of_the_test(machine, tmp_path, capsys):
    code, printed = tried(tmp_path, capsys, WRONG)
    assert code == 1
    assert "small.ipynb: 0 of 1 tests pass\n  FAILED  Task 1. Centre the columns" in printed
    assert "the columns of [[1, 2], [3, 7]]" in printed


def test_what_is_not_written_yet_is_said_in_one_line(tmp_path, capsys):
    code, printed = tried(tmp_path, capsys, STUB)
    assert code == 1
    assert "FAILED  Task 1. Centre the columns\n          nothing is written here yet" in printed


def test_an_argument_that_is_changed_is_an_error(tmp_path, capsys):
    code, printed = tried(
        tmp_path, capsys, "def centred(x):\n    x -= x.mean(axis=0)\n    return x"
    )
    assert code == 1
    assert "changed its argument" in printed


def test_an_import_that_is_not_allowed_fails_wherever_it_runs(machine, tmp_path, capsys):
    answer = "import nbformat\n\n\n" + small.CENTRED
    code, printed = tried(tmp_path, capsys, answer)
    assert code == 1
    assert "Task 1. Centre the columns, line 1: nbformat cannot be imported" in printed


def test_a_module_beside_the_notebook_may_be_imported(machine, tmp_path, capsys):
    answer = "import mine\n\n\ndef centred(x):\n    return x - mine.means(x)"
    files = {"mine.py": "def means(x):\n    return x.mean(axis=0)\n"}
    assert tried(tmp_path, capsys, answer, files=files)[0] == 0


def test_an_error_in_another_cell_is_shown(tmp_path, capsys):
    code, printed = tried(tmp_path, capsys, small.CENTRED, setup=small.SETUP + "\n1 / 0")
    assert code == 0
    assert "error   code cell 1: ZeroDivisionError: division by zero" in printed


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no file"),
        ("not JSON", "is no notebook"),
        (nbformat.writes(nbformat.v4.new_notebook()), "has no tests"),
    ],
)
def test_what_is_no_assignment_is_an_error_in_words(content, words, tmp_path, capsys):
    path = tmp_path / "some.ipynb"
    if content is not None:
        path.write_text(content)
    assert cli.main(["try", str(path)]) == 2
    assert words in capsys.readouterr().err
