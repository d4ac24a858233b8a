"""What students get, and what is stored in the solutions."""

import ast
import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from notebooks import NAME, ROOT, answers, points, release, role, source

import latent

# the rows of the curriculum, lecture 1, for which an autograded task is promised
TICKED = {
    "hmm-marginal-state",
    "kmeans",
    "em-elbo-identity",
    "em-sign-switching",
    "gmm-em",
    "em-exponential-family",
}

MODULES = ["numpy", "scipy", "matplotlib", "latent.data"]  # what students may import


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def functions_asked_for():
    return {
        node.name
        for answer in answers(release()).values()
        for node in ast.walk(ast.parse(answer))
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.slow
def test_release_is_what_nbgrader_makes_of_the_solutions(tmp_path):
    shutil.copytree(ROOT / "solutions", tmp_path / "solutions")
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "exercises.py", tmp_path / "tools")
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    subprocess.run([sys.executable, "-m", "tools.exercises"], cwd=tmp_path, check=True)

    def files(folder):
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and ".ipynb_checkpoints" not in path.parts
        }

    made, committed = files(tmp_path / "exercises"), files(ROOT / "exercises")
    differ = sorted(
        name for name in made.keys() | committed.keys() if made.get(name) != committed.get(name)
    )
    assert not differ, f"exercises/ is not what solutions/ gives: run `make exercises` ({differ})"


@pytest.mark.slow
def test_stored_outputs_are_what_a_fresh_run_gives():
    """Strict nbval, in a process of its own because it is an option of the command line."""
    options = ["--nbval", "--override-ini=addopts=", "--override-ini=filterwarnings=default"]
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "--quiet",
            *options,
            "solutions",
        ],
        cwd=ROOT,
        env={**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    n_cells = sum(len(code_cells(nbformat.read(path, 4))) for path in solutions())
    assert re.search(rf"\b{n_cells} passed", run.stdout), run.stdout[-2000:]


def solutions():
    return sorted((ROOT / "solutions").glob("*/*.ipynb"))


@pytest.mark.parametrize("path", solutions(), ids=lambda path: path.stem)
def test_solutions_are_stored_executed(path):
    cells = code_cells(nbformat.read(path, as_version=4))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        calls = {
            ast.unparse(node.func)
            for statement in ast.parse(cell.source).body
            if not isinstance(statement, ast.FunctionDef)
            for node in ast.walk(statement)
            if isinstance(node, ast.Call)
        }
        kinds = {output.get("name", output.output_type) for output in cell.outputs}
        assert kinds == {
            *(["stdout"] if "print" in calls else []),
            *(["display_data"] if "plt.show" in calls else []),
        }, f"cell {cell.id}: outputs {kinds}"


@pytest.mark.parametrize("path", solutions(), ids=lambda path: path.stem)
def test_metadata_is_minimal_and_ids_speak(path):
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "sealed": {
            "modules": MODULES,
            "references": ["latent"],
            "chapters": [f"book/{path.stem}"],
        },
    }
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"nbgrader"}
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", cell.id)
        if "nbgrader" in cell.metadata:
            assert cell.metadata.nbgrader.grade_id == cell.id


def test_points_add_up_to_twenty():
    cells = [c for c in source().cells if role(c) in ("tests", "manual")]
    assert sum(points(source()).values()) == 15
    assert sum(c.metadata.nbgrader.points for c in cells if role(c) == "manual") == 5
    assert all(isinstance(c.metadata.nbgrader.points, int) for c in cells)


def test_the_points_in_the_titles_are_the_points_of_the_cells():
    titles = re.findall(r"^## Task \d\. .*\((\d) points\)$", text_of(release()), re.MULTILINE)
    cells = [c for c in source().cells if role(c) in ("tests", "manual")]
    assert [int(title) for title in titles] == [c.metadata.nbgrader.points for c in cells]


def text_of(notebook):
    return "\n".join(cell.source for cell in notebook.cells)


def test_every_promised_row_has_a_task():
    rows = re.findall(r"<!-- ([a-z-]+) -->\n## Task", text_of(release()))
    assert sorted(rows) == sorted(TICKED)
    assert len(rows) == len(points(release()))


def test_release_holds_no_answer_no_hidden_test_and_no_output():
    text = text_of(release())
    for forbidden in ("HIDDEN", "SOLUTION", "_hidden", "by_enumeration", "by_loops", "Marking"):
        assert forbidden not in text
    for cell in code_cells(release()):
        assert cell.outputs == []
        assert cell.execution_count is None
        if role(cell) == "answer":
            assert cell.source.endswith("# YOUR CODE HERE\n    raise NotImplementedError()")
    (manual,) = [cell for cell in release().cells if role(cell) == "manual"]
    assert manual.source == "YOUR ANSWER HERE"


@pytest.mark.parametrize("path", solutions(), ids=lambda path: path.stem)
def test_students_get_the_rules_and_not_what_the_check_looks_at(path):
    released = nbformat.read(ROOT / "exercises" / path.stem / path.name, as_version=4)
    assert released.metadata.sealed == {"modules": MODULES}


def test_students_can_edit_their_answers_and_not_the_tests():
    for cell in release().cells:
        editable = cell.metadata.get("editable", True)
        assert editable == (role(cell) not in ("tests", "locked")), cell.id


def test_every_test_cell_has_visible_and_hidden_tests():
    shown = {cell.id: cell.source for cell in release().cells}
    for cell in source().cells:
        if role(cell) == "tests":
            assert shown[cell.id].count("err_msg=") >= 4
            visible, hidden = cell.source.split("### BEGIN HIDDEN TESTS")
            assert visible.strip() == shown[cell.id].strip()
            assert hidden.strip().endswith("_hidden()\n### END HIDDEN TESTS")


def test_no_function_is_one_that_the_library_exports():
    modules = [latent] + [
        importlib.import_module(f"latent.{module.name}")
        for module in pkgutil.iter_modules(latent.__path__)
    ]
    exported = {name for module in modules for name in vars(module)}
    assert functions_asked_for().isdisjoint(exported)


def test_no_function_is_one_that_a_chapter_prints():
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "book").rglob("*.md"))
    printed = set(re.findall(r"\bdef (\w+)\(", pages))
    assert functions_asked_for().isdisjoint(printed)


def test_only_what_the_rules_allow_is_imported():
    """Neither the answers nor the cells around them use more than students may import."""
    standard = {"functools", "itertools", "warnings"}
    for cell in code_cells(source()):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Import):
                names = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {node.module}
            else:
                continue
            for name in names - standard - {"latent.data"}:
                assert name.split(".")[0] in {"numpy", "scipy", "matplotlib"}, name


def test_the_name_of_folder_and_notebook_agree():
    assert [path.parent.name for path in solutions()] == [path.stem for path in solutions()]
    assert NAME in {path.stem for path in solutions()}
