"""What holds as root holds as an ordinary user."""

import subprocess

import pytest

from tests.sealed import ordinary

# what seals, and what is graded in it
FILES = ["test_sandbox.py", "test_grading.py"]


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_an_ordinary_user_grades_like_root(file):
    options = ["-q", "-p", "no:cacheprovider", "--color=no"]
    run = subprocess.run(
        ordinary.command("-m", "pytest", *options, f"tests/sealed/{file}"),
        cwd=ordinary.ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    assert " passed" in run.stdout


def test_the_user_is_ordinary_and_the_sandbox_is_of_that_kind():
    code = "import os; from sealed import sandbox; print(os.getuid(), sandbox.probe().words)"
    run = subprocess.run(
        ordinary.command("-c", code), stdout=subprocess.PIPE, text=True, check=True
    )
    uid, words = run.stdout.split(" ", 1)
    assert int(uid) != 0
    assert "user namespaces" in words
