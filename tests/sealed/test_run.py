"""`sealed grade`: what comes into the gradebook, what is graded again, and what is reported."""

import argparse
import errno
import json
import os
import shutil
import subprocess
import sys
from datetime import datetime

import nbformat
import pytest
from nbgrader.api import Gradebook

from sealed import course as courses_of
from sealed import run, store
from sealed.executors import Stop
from sealed.sandbox import Probe
from tests.sealed import courses, stand_ins, tiny
from tests.sealed.stand_ins import FULL, report, scores


def grade(workers=None, **options) -> int:
    """Grade as `sealed grade tiny` would, but for what runs the hand-ins."""
    assignment = courses_of.find(courses_of.load(), "tiny")
    return run.grade(assignment, workers or stand_ins.here(), **options)


def comments(course, student) -> set[str]:
    with Gradebook(course.db_url) as book:
        (notebook,) = book.find_submission("tiny", student).notebooks
        return {comment.comment for comment in notebook.comments}


def by_hand(course, student, task, **marks):
    """Mark a task as formgrader does."""
    with Gradebook(course.db_url) as book:
        grade = book.find_grade(task, "tiny", "tiny", student)
        for name, value in marks.items():
            setattr(grade, name, value)
        grade.needs_manual_grade = False
        book.db.commit()


def test_every_hand_in_gets_its_marks(course, capsys):
    stand_ins.hand_in(course, "ada")
    stand_ins.hand_in(course, "bob", "# fails walk-tests", "# gets 0.5 of caesar-tests")
    assert grade() == run.DONE
    assert scores(course, "ada") == FULL
    assert scores(course, "bob") == FULL | {"walk-tests": 0, "caesar-tests": 0.5}
    said = capsys.readouterr()
    assert "2 hand-ins of tiny: 0 are graded, 2 are left" in said.out
    assert "2/2" in said.err
    assert "hand-ins/s" in said.err


def test_the_report_has_marks_by_hand_in_and_by_task(course, capsys):
    for student, says in {"ada": [], "bob": ["# fails walk-tests"], "cyd": []}.items():
        stand_ins.hand_in(course, student, *says)
    grade(report=course.root / "here.json")
    made = json.loads((course.root / "here.json").read_text())
    assert made["assignment"] == "tiny"
    assert made["graded_now"] == 3
    assert made["changed"] == []
    assert {s: h["score"] for s, h in made["hand_ins"].items()} == {"ada": 10, "bob": 7, "cyd": 10}
    assert {h["state"] for h in made["hand_ins"].values()} == {"graded"}
    assert [task["task"] for task in made["tasks"]] == [*tiny.POINTS, "explain"]
    (walk,) = (task for task in made["tasks"] if task["task"] == "walk-tests")
    assert (walk["min"], walk["median"], walk["max"], walk["failed"]) == (0, 3, 3, 1)
    (line,) = (x for x in capsys.readouterr().out.splitlines() if x.startswith("walk-tests"))
    assert line.split() == ["walk-tests", "3", "0", "3", "3", "1", "0"]


def test_what_is_graded_is_left_alone(course):
    stand_ins.hand_in(course, "ada")
    grade()
    stand_ins.hand_in(course, "bob")
    assert grade() == run.DONE
    assert stand_ins.runs(course) == ["ada", "bob"]
    assert report(course)["graded_now"] == 1
    assert set(report(course)["hand_ins"]) == {"ada", "bob"}


def test_force_grades_everything_again(course):
    stand_ins.hand_in(course, "ada")
    grade()
    assert grade(force=True) == run.DONE
    assert stand_ins.runs(course) == ["ada", "ada"]


def test_only_the_students_that_are_named_are_graded(course):
    for student in ("ada", "adam", "bob"):
        stand_ins.hand_in(course, student)
    grade(students="ada*")
    assert sorted(stand_ins.runs(course)) == ["ada", "adam"]
    assert set(courses.marks(course, "tiny")) == {"ada", "adam"}


def test_a_new_hand_in_of_one_student_is_graded(course):
    for student in ("ada", "bob"):
        stand_ins.hand_in(course, student, "# fails walk-tests")
    grade()
    stand_ins.forget_runs(course)
    stand_ins.hand_in(course, "bob")
    grade()
    assert stand_ins.runs(course) == ["bob"]
    assert scores(course, "bob") == FULL


def test_mended_tests_change_marks_and_each_change_is_listed(course, capsys):
    stand_ins.hand_in(course, "ada")
    stand_ins.hand_in(course, "bob", "# fails walk-tests")
    grade()
    source = tiny.source(tiny.OTHER_CANARIES)
    for cell in source.cells:
        if cell.id == "tally-tests":
            cell.metadata.nbgrader.points = 4
    nbformat.write(source, course.root / "solutions" / "tiny" / "tiny.ipynb")
    release = (course.root / "exercises" / "tiny" / "tiny.ipynb").read_bytes()
    assert grade() == run.DONE
    assert sorted(stand_ins.runs(course)) == ["ada", "ada", "bob", "bob"]
    assert scores(course, "bob") == FULL | {"walk-tests": 0, "tally-tests": 4}
    change = {"notebook": "tiny", "task": "tally-tests", "before": 2, "after": 4, "manual": None}
    assert report(course)["changed"] == [change | {"student": s} for s in ("ada", "bob")]
    assert "ada, tally-tests: 2 is now 4" in capsys.readouterr().out
    assert (course.root / "exercises" / "tiny" / "tiny.ipynb").read_bytes() == release


def test_a_regrade_keeps_manual_marks_comments_and_extra_credit(course):
    stand_ins.hand_in(course, "ada", "# fails walk-tests")
    grade()
    by_hand(course, "ada", "walk-tests", manual_score=2.5, extra_credit=0.5)
    with Gradebook(course.db_url) as book:
        book.find_comment("walk", "tiny", "tiny", "ada").manual_comment = "A good idea."
        book.db.commit()
    stand_ins.hand_in(course, "ada", "# fails tally-tests")
    grade()
    with Gradebook(course.db_url) as book:
        mark = book.find_grade("walk-tests", "tiny", "tiny", "ada")
        assert (mark.auto_score, mark.manual_score, mark.extra_credit) == (3, 2.5, 0.5)
        assert mark.score == 3
        assert mark.needs_manual_grade  # a person is to confirm it, by nbgrader's rule
        assert book.find_comment("walk", "tiny", "tiny", "ada").comment == "A good idea."
    changed = {c["task"]: (c["before"], c["after"], c["manual"]) for c in report(course)["changed"]}
    assert changed == {"walk-tests": (0, 3, 2.5), "tally-tests": (2, 0, None)}


def test_other_limits_grade_everything_again(course):
    stand_ins.hand_in(course, "ada")
    grade()
    with (course.root / "nbgrader_config.py").open("a") as config:
        config.write("c.SealedExecute.limits = {'cell_seconds': 5}\n")
    grade()
    assert stand_ins.runs(course) == ["ada", "ada"]


def test_a_setting_that_no_result_depends_on_runs_nothing_again(course):
    stand_ins.hand_in(course, "ada")
    grade()
    with (course.root / "nbgrader_config.py").open("a") as config:
        config.write("c.LimitOutput.max_lines = 7\n")
    grade()
    assert stand_ins.runs(course) == ["ada"]
    assert report(course)["graded_now"] == 1


def test_late_penalties_follow_the_deadline_and_its_extension(course):
    (course.root / "late.py").write_text(
        "from nbgrader.plugins import LateSubmissionPlugin\n\n\n"
        "class OnePointADay(LateSubmissionPlugin):\n"
        "    def late_submission_penalty(self, student_id, score, total_seconds_late):\n"
        "        return total_seconds_late / 86400\n"
    )
    with (course.root / "nbgrader_config.py").open("a") as config:
        config.write("c.AssignLatePenalties.plugin_class = 'late.OnePointADay'\n")
    with Gradebook(course.db_url, "latent") as book:
        book.update_or_create_assignment("tiny", duedate="2026-01-01 12:00:00 UTC")
    for student in ("ada", "bob"):
        stand_ins.hand_in(course, student, when=datetime(2026, 1, 3, 12))
    grade()
    penalties = {s: h["late_penalty"] for s, h in report(course)["hand_ins"].items()}
    assert penalties == {"ada": 2, "bob": 2}
    with Gradebook(course.db_url, "latent") as book:
        book.grant_extension("tiny", "bob", days=1)
    grade()
    penalties = {s: h["late_penalty"] for s, h in report(course)["hand_ins"].items()}
    assert penalties == {"ada": 2, "bob": 1}
    assert sorted(stand_ins.runs(course)) == ["ada", "bob"]  # nothing was run again


BROKEN = {
    "corrupt": (b'{"cells": [', "tiny.ipynb is not JSON: Expecting value in line 1, column 12"),
    "not UTF-8": ('{"cells": "é"}'.encode("latin-1"), "not UTF-8 text: byte 11 is 0xe9"),
    "empty": (b" \n", "tiny.ipynb is empty"),
    "a list": (b"[1, 2]", "JSON, but no notebook: it has no cells"),
    "deep": (b"[" * 100_000, "not JSON that can be read"),
    "a long number": (b'{"cells": ' + b"9" * 5000 + b"}", "not JSON that can be read"),
    "many cells": (b'{"cells": [' + b"1, " * 1000 + b"1]}", "has 1001 cells, more than 1000"),
    "gigantic": (b" " * (33 << 20), "larger than 32 MB"),
    "no cells of nbformat": (
        b'{"cells": [1], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
        "nbgrader could not grade it",
    ),
    "of the future": (
        b'{"cells": [], "metadata": {}, "nbformat": 9, "nbformat_minor": 0}',
        "nbgrader could not grade it",
    ),
}


def test_a_broken_hand_in_costs_only_itself_and_waits_for_a_person(course, capsys):
    stand_ins.hand_in(course, "ada")
    for name, (content, _) in BROKEN.items():
        courses.hand_in(course, name, content, assignment="tiny")
    assert grade() == run.PROBLEMS
    assert scores(course, "ada") == FULL
    hand_ins = report(course)["hand_ins"]
    assert hand_ins["ada"]["problem"] == ""
    said = capsys.readouterr().out
    for name, (_, words) in BROKEN.items():
        assert words in hand_ins[name]["problem"]
        assert hand_ins[name]["state"] == "problem"
        assert f"  {name}: {hand_ins[name]['problem']}" in said
        marks = courses.marks(course, "tiny")[name]
        assert set(marks) == set(FULL)
        assert all(mark.auto == 0 and mark.needs_manual_grade for mark in marks.values())
        (comment,) = comments(course, name)
        assert comment == f"This hand-in could not be graded: {hand_ins[name]['problem']}."
    assert stand_ins.runs(course) == ["ada"]


def test_feedback_says_what_was_wrong_with_a_broken_hand_in(course):
    courses.hand_in(course, "bob", b"", assignment="tiny")
    grade()
    courses.nbgrader(course, "generate_feedback", "tiny")
    assert "could not be graded: tiny.ipynb is empty." in courses.feedback(course, "bob", "tiny")


def test_a_broken_hand_in_has_a_record_like_any_other(course):
    courses.hand_in(course, "bob", b"", assignment="tiny")
    grade()
    path = course.root / "grading" / "sealed" / "tiny" / "bob" / "tiny.json"
    record = json.loads(path.read_text())
    assert record["problem"] == "tiny.ipynb is empty"
    assert {name: test["max_points"] for name, test in record["tests"].items()} == tiny.POINTS
    assert not any(test["passed"] or test["points"] for test in record["tests"].values())


def test_a_broken_hand_in_is_reported_by_every_run_until_it_is_mended(course):
    courses.hand_in(course, "bob", b"", assignment="tiny")
    assert grade() == run.PROBLEMS
    assert grade() == run.PROBLEMS
    assert report(course)["graded_now"] == 0
    stand_ins.hand_in(course, "bob")
    assert grade() == run.DONE
    assert scores(course, "bob") == FULL
    assert comments(course, "bob") == {"No response."}


def test_a_broken_hand_in_after_a_good_one_keeps_what_a_person_gave(course):
    stand_ins.hand_in(course, "ada")
    grade()
    by_hand(course, "ada", "explain", manual_score=2)
    courses.hand_in(course, "ada", b"", assignment="tiny")
    grade()
    assert courses.marks(course, "tiny")["ada"]["explain"].score == 2
    assert {c["task"] for c in report(course)["changed"]} == set(tiny.POINTS)


def test_links_and_pipes_are_never_followed(course):
    folder = stand_ins.hand_in(course, "ada")
    (folder / "passwd").symlink_to("/etc/passwd")
    (stand_ins.hand_in(course, "bob") / "etc").symlink_to("/etc")
    os.mkfifo(stand_ins.hand_in(course, "cyd") / "pipe")
    folder = stand_ins.hand_in(course, "dan")
    (folder / "tiny.ipynb").rename(course.root / "elsewhere.ipynb")
    (folder / "tiny.ipynb").symlink_to(course.root / "elsewhere.ipynb")
    assert grade() == run.PROBLEMS
    assert {s: h["problem"] for s, h in report(course)["hand_ins"].items()} == {
        "ada": "passwd is a link: the file itself is needed",
        "bob": "etc is a link: the file itself is needed",
        "cyd": "pipe is no regular file",
        "dan": "tiny.ipynb is a link: the file itself is needed",
    }
    autograded = course.root / "grading" / "autograded"
    assert {path.name for path in autograded.rglob("*") if path.is_file()} == {"tiny.ipynb"}


def test_a_renamed_notebook_is_told_from_a_missing_one(course):
    courses.hand_in(course, "ada", b"{}", assignment="tiny", name="Tiny (1).ipynb")
    courses.hand_in(course, "bob", b"hello", assignment="tiny", name="letter.txt")
    assert grade() == run.PROBLEMS
    assert {s: h["problem"] for s, h in report(course)["hand_ins"].items()} == {
        "ada": "there is no tiny.ipynb, but Tiny (1).ipynb: was it renamed?",
        "bob": "there is no tiny.ipynb",
    }


def test_a_date_that_is_none_is_reported(course):
    stand_ins.hand_in(course, "ada", files={"timestamp.txt": "yesterday"})
    assert grade() == run.PROBLEMS
    words = "timestamp.txt has no date such as 2026-01-31 23:59:00 UTC"
    assert report(course)["hand_ins"]["ada"]["problem"] == words


def test_a_hand_in_that_was_cut_short_has_its_marks_and_waits_for_a_person(course):
    stand_ins.hand_in(course, "ada", "# stops", "# fails walk-tests")
    assert grade() == run.PROBLEMS
    assert report(course)["hand_ins"]["ada"]["problem"] == "it was stopped"
    marks = courses.marks(course, "tiny")["ada"]
    assert {task for task, mark in marks.items() if mark.needs_manual_grade} == {
        "walk-tests",
        "explain",
    }
    assert marks["tally-tests"].auto == 2


def test_a_hand_in_that_the_grader_fails_at_is_tried_again_by_the_next_run(course):
    stand_ins.hand_in(course, "ada", "# breaks")
    stand_ins.hand_in(course, "bob")
    assert grade() == run.PROBLEMS
    assert report(course)["hand_ins"]["ada"]["problem"] == "ZeroDivisionError: as it says"
    assert scores(course, "bob") == FULL
    assert grade() == run.PROBLEMS
    assert sorted(stand_ins.runs(course)) == ["ada", "ada", "bob"]


def test_names_that_the_gradebook_cannot_hold_cost_only_themselves(course, capsys):
    folder = stand_ins.hand_in(course, "ada").parent
    folder.rename(folder.with_name(os.fsdecode(b"x\xff")))
    stand_ins.hand_in(course, "bob")
    assert grade() == run.PROBLEMS
    assert scores(course, "bob") == FULL
    assert r"x\udcff: nbgrader could not grade it" in capsys.readouterr().out


def test_a_lost_gradebook_is_filled_again_from_stored_results(course):
    stand_ins.hand_in(course, "ada", "# fails walk-tests")
    grade()
    (course.root / "grading" / "gradebook.db").unlink()
    assert grade() == run.DONE
    assert scores(course, "ada") == FULL | {"walk-tests": 0}
    assert stand_ins.runs(course) == ["ada"]


def test_results_that_nothing_needs_any_more_are_removed(course):
    stand_ins.hand_in(course, "ada")
    grade()
    stand_ins.hand_in(course, "ada", "# fails walk-tests")
    grade()
    results = course.root / "grading" / "sealed" / "tiny" / ".grading" / "results"
    assert len(list(results.iterdir())) == 1


def test_notebooks_of_one_assignment_are_graded_each(course):
    second = tiny.source(tiny.OTHER_CANARIES)
    nbformat.write(second, course.root / "solutions" / "tiny" / "second.ipynb")
    courses.nbgrader(course, "generate_assignment", "tiny", "--force")
    folder = stand_ins.hand_in(course, "ada")
    shutil.copy(course.root / "exercises" / "tiny" / "second.ipynb", folder)
    stand_ins.hand_in(course, "bob")  # leaves the second one out
    assert grade() == run.DONE
    hand_ins = report(course)["hand_ins"]
    assert (hand_ins["ada"]["score"], hand_ins["bob"]["score"]) == (20, 10)
    assert hand_ins["bob"]["max_score"] == 24


def test_a_full_disk_stops_the_run_and_the_next_goes_on(course, monkeypatch, capsys):
    for student in ("ada", "bob", "cyd"):
        stand_ins.hand_in(course, student)
    keep = store.Store.keep

    def full(self, digest, result):
        if "bob" in stand_ins.runs(course):
            raise OSError(errno.ENOSPC, "No space left on device")
        keep(self, digest, result)

    monkeypatch.setattr(store.Store, "keep", full)
    assert grade() == run.PROBLEMS
    assert "No space left on device" in capsys.readouterr().err
    assert "left" in {h["state"] for h in report(course)["hand_ins"].values()}
    monkeypatch.setattr(store.Store, "keep", keep)
    assert grade() == run.DONE
    assert all(scores(course, student) == FULL for student in ("ada", "bob", "cyd"))


def test_changes_of_a_run_that_was_stopped_are_listed_by_the_one_that_ends_it(course, monkeypatch):
    for student in ("ada", "bob"):
        stand_ins.hand_in(course, student)
    grade()
    for student in ("ada", "bob"):
        stand_ins.hand_in(course, student, "# fails walk-tests")
    finish = store.Store.finish

    def once(self, student, finished):
        finish(self, student, finished)
        raise Stop("pulled the plug")

    monkeypatch.setattr(store.Store, "finish", once)
    assert grade() == run.PROBLEMS
    monkeypatch.setattr(store.Store, "finish", finish)
    assert grade() == run.DONE
    assert {change["student"] for change in report(course)["changed"]} == {"ada", "bob"}


def test_cells_that_come_after_the_first_marks_are_refused_and_harm_nothing(course):
    stand_ins.hand_in(course, "ada")
    grade()
    source = tiny.source()
    source.cells = [cell for cell in source.cells if cell.id != "caesar-hidden"]
    nbformat.write(source, course.root / "solutions" / "tiny" / "tiny.ipynb")
    with pytest.raises(courses_of.CourseError, match="Cannot add or remove cells"):
        grade()
    assert scores(course, "ada") == FULL
    assert (course.root / "exercises" / "tiny" / "tiny.ipynb").exists()


def test_an_assignment_that_nobody_released_is_entered(course):
    shutil.rmtree(course.root / "grading")
    shutil.rmtree(course.root / "exercises" / "tiny")
    folder = course.root / "grading" / "submitted" / "ada" / "tiny"
    folder.mkdir(parents=True)
    notebook = tiny.source()
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("ada"))
    nbformat.write(notebook, folder / "tiny.ipynb")
    assert grade() == run.DONE
    assert {task: scores(course, "ada")[task] for task in tiny.POINTS} == tiny.POINTS


def test_two_runs_of_an_assignment_exclude_each_other(course):
    stand_ins.hand_in(course, "ada")
    folder = course.root / "grading" / "sealed" / "tiny"
    folder.mkdir(parents=True)
    with (
        store.Store(folder).locked(),
        pytest.raises(Stop, match=f"process {os.getpid()} is grading"),
    ):
        grade()
    assert grade() == run.DONE


def test_it_refuses_to_grade_unsealed(course, capsys):
    stand_ins.hand_in(course, "ada")
    (course.root / "nbgrader_config.py").write_text(courses.SEALED)
    open_door = Probe(False, "bubblewrap is not installed")
    with pytest.raises(Stop, match="--unsealed"):
        grade(stand_ins.here(Probe(True, "sealed"), open_door))
    assert "1: bubblewrap is not installed" in capsys.readouterr().out
    assert stand_ins.runs(course) == []
    assert not courses.marks(course, "tiny")


def test_settings_that_do_not_seal_are_refused(course):
    stand_ins.hand_in(course, "ada")
    (course.root / "nbgrader_config.py").write_text(courses.STOCK)
    with pytest.raises(courses_of.CourseError, match=r"must have sealed\.execute\.SealedExecute"):
        grade()


def command(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    run.add_arguments(parser)
    return run.run(parser.parse_args(arguments))


def test_what_cannot_begin_says_why(course, tmp_path, monkeypatch, capsys):
    assert command("tiny") == run.NOTHING
    assert "nothing is at" in capsys.readouterr().err
    assert command("tinny") == run.NOTHING
    assert "no assignment 'tinny'" in (said := capsys.readouterr().err)
    assert "did you mean tiny?" in said
    monkeypatch.chdir(tmp_path)
    assert command("tiny") == run.NOTHING
    assert "has no nbgrader_config.py" in capsys.readouterr().err


def test_a_number_of_workers_is_at_least_one(course, capsys):
    with pytest.raises(SystemExit):
        command("tiny", "--workers", "0")
    assert "at least 1" in capsys.readouterr().err


@pytest.mark.slow
def test_sealed_grade_gives_the_marks_that_nbgrader_autograde_gives(course, tmp_path):
    """The command itself, in the sandbox, beside nbgrader's own."""
    (course.root / "nbgrader_config.py").write_text(courses.SEALED)
    release = courses.released(course, "tiny")
    answers = {"solution": tiny.ANSWERS, "release": {}}
    answers |= {f"wrong-{task}": tiny.ANSWERS | {task: wrong} for task, wrong in tiny.WRONG.items()}
    for student, given in answers.items():
        notebook = tiny.answered(release, given, manual="In words.")
        courses.hand_in(course, student, notebook, assignment="tiny")
    courses.hand_in(course, "broken", b"", assignment="tiny")
    other = courses.Course(tmp_path / "other")
    shutil.copytree(course.root, other.root)
    shutil.rmtree(other.root / "grading" / "submitted" / "broken")
    courses.nbgrader(other, "autograde", "tiny")
    ran = subprocess.run(
        [sys.executable, "-m", "sealed.cli", "grade", "tiny", "--workers", "2"],
        cwd=course.root,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == run.PROBLEMS, ran.stdout + ran.stderr
    assert "7 hand-ins of tiny: 0 are graded, 7 are left" in ran.stdout
    assert "bubblewrap" in ran.stdout
    marks = courses.marks(course, "tiny")
    del marks["broken"]
    assert marks == courses.marks(other, "tiny")
    assert {task: marks["solution"][task].auto for task in tiny.POINTS} == tiny.POINTS
    for student in answers:
        assert courses.autograded(course, student, "tiny") == courses.autograded(
            other, student, "tiny"
        )
