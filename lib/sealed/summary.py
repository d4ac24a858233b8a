"""What `sealed grade` says at its end: a table for people, a report for machines."""

import statistics
from dataclasses import asdict

from sealed.course import Assignment
from sealed.marks import Entry, Marks
from sealed.store import Finished


def beginning(before: Marks) -> dict:
    """Return what is kept of the gradebook when a run begins: its marks, for a comparison."""
    marks = {
        student: [[*task, mark.auto] for task, mark in entry.marks.items()]
        for student, entry in before.entries.items()
    }
    return {"marks": marks}


def report(
    assignment: Assignment,
    students: list[str],
    done: set[str],
    now: Marks,
    finished: dict[str, Finished],
    run: dict,
) -> dict:
    """Return what is known of these hand-ins.

    Parameters
    ----------
    assignment : Assignment
        What was handed in.
    students : list of str
        Whose hand-ins.
    done : set of str
        Those of them that need nothing more; the others are left.
    now : Marks
        The gradebook.
    finished : dict of str to Finished
        What was graded, now or before.
    run : dict
        What `beginning` gave when the run began.

    Returns
    -------
    dict
        For JSON: "assignment"; "hand_ins" by student with "state" ("graded", "problem", "left"),
        "problem" (words), "score", "max_score", "late_penalty", "needs_person" and "marks";
        "tasks" with "notebook", "task", "max_score", "min", "median", "max", "failed" (how many
        have less than all points) and "needs_person" (how many); "changed", the marks that are
        not what they were when the run began: "student", "notebook", "task", "before", "after",
        and "manual", the mark of a person, which stands.
    """
    hand_ins = {
        student: _hand_in(
            now.entries.get(student), finished[student].problem if student in done else None
        )
        for student in students
    }
    graded = [now.entries[s] for s in students if s in done and s in now.entries]
    return {
        "assignment": assignment.name,
        "hand_ins": hand_ins,
        "tasks": [_task(task, graded) for task in assignment.tasks],
        "changed": [
            change
            for student in students
            if student in now.entries
            for change in _changed(student, now.entries[student], run["marks"].get(student, []))
        ],
    }


def text(report: dict) -> str:
    """Return a report for people."""
    lines = [_line("", "points", "min", "median", "max", "failed", "to read")]
    for task in report["tasks"]:
        numbers = [task[key] for key in ("max_score", "min", "median", "max")]
        counts = [str(task["failed"]), str(task["needs_person"])]
        lines.append(_line(task["task"], *map(_number, numbers), *counts))
    if changed := report["changed"]:
        lines += ["", f"{len(changed)} marks are not what they were:"]
    for change in changed:
        kept = change["manual"]
        lines.append(
            f"  {_name(change['student'])}, {change['task']}: {_number(change['before'])} is now "
            f"{_number(change['after'])}"
            + ("" if kept is None else f"; the mark by hand, {_number(kept)}, stands")
        )
    problems = {s: h["problem"] for s, h in report["hand_ins"].items() if h["problem"]}
    if problems:
        lines += ["", f"{len(problems)} hand-ins have problems; a person is to look at them:"]
    lines += [f"  {_name(student)}: {words}" for student, words in problems.items()]
    return "\n".join(lines)


def _hand_in(entry: Entry | None, problem: str | None) -> dict:
    """Return what is known of a hand-in; its problem is None as long as it is left."""
    marks = entry.marks if entry else {}
    return {
        "state": "left" if problem is None else "problem" if problem else "graded",
        "problem": problem or "",
        "score": sum(mark.score for mark in marks.values()),
        "max_score": sum(mark.max_score for mark in marks.values()),
        "late_penalty": entry.penalty if entry else 0.0,
        "needs_person": any(mark.needs_person for mark in marks.values()),
        "marks": [
            {"notebook": notebook, "task": task} | asdict(mark)
            for (notebook, task), mark in marks.items()
        ],
    }


def _task(task: tuple[str, str], graded: list[Entry]) -> dict:
    """Return how hand-ins did at a task."""
    marks = [entry.marks[task] for entry in graded if task in entry.marks]
    scores = [mark.score for mark in marks]
    return {
        "notebook": task[0],
        "task": task[1],
        "max_score": marks[0].max_score if marks else None,
        "min": min(scores, default=None),
        "median": statistics.median(scores) if scores else None,
        "max": max(scores, default=None),
        "failed": sum(mark.auto is not None and mark.auto < mark.max_score for mark in marks),
        "needs_person": sum(mark.needs_person for mark in marks),
    }


def _changed(student: str, now: Entry, before: list) -> list[dict]:
    """Return the marks of a hand-in that are not what they were; none if it had none."""
    if all(auto is None for _, _, auto in before):
        return []
    return [
        {
            "student": student,
            "notebook": notebook,
            "task": task,
            "before": auto,
            "after": mark.auto,
            "manual": mark.manual,
        }
        for notebook, task, auto in before
        if (mark := now.marks.get((notebook, task))) and mark.auto != auto
    ]


def _line(task: str, *columns: str) -> str:
    return f"{task:<32}" + "".join(f"{column:>9}" for column in columns)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _name(student: str) -> str:
    """Return a name that can be printed: names of folders may be bytes in no known encoding."""
    return student.encode(errors="backslashreplace").decode()
