"""Courses that several files of tests use."""

import os
import shutil
import sys

import pytest

from tests.sealed import courses, stand_ins, tiny


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """A course with the assignment `tiny`, for stand-ins, with nothing handed in."""
    root = tmp_path_factory.mktemp("template") / "course"
    return courses.make(root, {"tiny": tiny.source()}, config=stand_ins.CONFIG)


@pytest.fixture
def course(template, tmp_path, monkeypatch):
    """A copy of `template` for one test, which runs in its folder."""
    shutil.copytree(template.root, tmp_path / "course")
    monkeypatch.chdir(tmp_path / "course")
    monkeypatch.setenv(stand_ins.RUNS, str(tmp_path / "course" / "runs"))
    monkeypatch.setenv("PATH", os.environ["PATH"])  # the settings of a course add to it
    monkeypatch.setattr(sys, "path", list(sys.path))  # so does nbgrader
    return courses.Course(tmp_path / "course")
