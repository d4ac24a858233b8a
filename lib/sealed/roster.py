"""Who is who: students on the lists of Moodle and Canvas, and in nbgrader's gradebook.

Moodle's list is an assignment's grading worksheet; its numbers ("Participant 1234567") are those
of the file names and mean nothing outside the assignment. Canvas' is the exported gradebook, whose
ID is the student's own. Either is entered into nbgrader's gradebook, so that marks find their way
back.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from dateutil import parser as dates
from nbgrader.api import Gradebook
from nbgrader.utils import parse_utc

SAFE_ID = re.compile(r"[\w@+][\w@+.\-]*")  # becomes the name of a folder


class Key(NamedTuple):
    """What the name of a file says of its student."""

    system: str  # "Moodle" or "Canvas"
    number: str


class Listed(NamedTuple):
    """A student as a list of the LMS has them."""

    key: Key
    ids: tuple[str, ...]  # names for the student that are unique in the course, the best one first
    first_name: str
    last_name: str
    email: str
    lms_user_id: str  # what the way back needs: Canvas' ID, Moodle's ID number
    handed_in: str  # as written, or empty


class Known(NamedTuple):
    """A student of nbgrader's gradebook."""

    id: str
    first_name: str
    last_name: str
    email: str
    lms_user_id: str


def read_list(path: Path) -> list[Listed]:
    """Return the students of Moodle's grading worksheet or of Canvas' exported gradebook.

    Raises
    ------
    ValueError
        If the file is neither.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not UTF-8: take it as it was downloaded") from error
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval=""))
    columns = {str(key).strip() for key in rows[0]} if rows else set()
    if {"Identifier", "Full name"} <= columns:
        return [_of_moodle(row) for row in rows]
    if {"Student", "ID"} <= columns or {"LastName", "FirstName", "ID"} <= columns:
        return [_of_canvas(row) for row in rows if re.fullmatch(r"\d+", row["ID"] or "")]
    raise ValueError(
        f"{path.name} is no list of students: expected the columns Identifier and Full name "
        f"(Moodle's grading worksheet, downloaded in English) or Student and ID (Canvas' gradebook)"
    )


def _of_moodle(row: Mapping[str, str]) -> Listed:
    number = re.sub(r"\D", "", row["Identifier"])  # "Participant 1234567", in any language
    email, id_number = row.get("Email address", "").strip(), row.get("ID number", "").strip()
    first, _, last = row["Full name"].strip().rpartition(" ")
    ids = tuple(filter(None, (id_number, email, email.partition("@")[0])))
    when = row.get("Last modified (submission)", "").strip()
    return Listed(
        Key("Moodle", number), ids, first, last, email, id_number, "" if when == "-" else when
    )


def _of_canvas(row: Mapping[str, str]) -> Listed:
    if "Student" in row:
        last, _, first = row["Student"].partition(",")
    else:
        last, first = row["LastName"], row["FirstName"]
    login, sis = (row.get("SIS Login ID") or "").strip(), (row.get("SIS User ID") or "").strip()
    ids = tuple(filter(None, (login, sis, login.partition("@")[0], row["ID"])))
    email = login if "@" in login else ""
    return Listed(Key("Canvas", row["ID"]), ids, first.strip(), last.strip(), email, row["ID"], "")


def enrolled(listed: Listed, known: Iterable[Known]) -> str:
    """Return the id in the gradebook of a student on a list: an old one if there is one.

    Raises
    ------
    ValueError
        If the list gives the student no id that could be the name of a folder.
    """
    for student in known:
        if listed.lms_user_id and student.lms_user_id == listed.lms_user_id:
            return student.id
        if listed.email and student.email.casefold() == listed.email.casefold():
            return student.id
    ids = {student.id for student in known}
    for candidate in listed.ids:
        if candidate in ids:
            return candidate
    for candidate in listed.ids:
        if SAFE_ID.fullmatch(candidate):
            return candidate
    raise ValueError(
        f"{listed.first_name} {listed.last_name} ({listed.key.number}) has no login, email address "
        f"or ID number of letters, digits and @ + . _ - on the list, which could be a student's id"
    )


def spoken(name: str) -> str:
    """Return a name as file names of either system spell it: letters and digits, small."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFC", name).casefold())


def in_utc(written: str, timezone: str) -> datetime:
    """Return a date of the LMS as nbgrader keeps dates: in UTC, without saying so.

    Raises
    ------
    ValueError
        If it is no date in English or in digits.
    """
    try:
        return parse_utc(dates.parse(written).replace(tzinfo=ZoneInfo(timezone)))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{written!r} is no date: download the list in English") from error


def students_of(gradebook: Gradebook) -> list[Known]:
    """Return the students of the gradebook."""
    return [
        Known(
            str(student.id),
            str(student.first_name or ""),
            str(student.last_name or ""),
            str(student.email or ""),
            str(student.lms_user_id or ""),
        )
        for student in gradebook.students
    ]


def enter(students: Iterable[Listed], gradebook: Gradebook) -> dict[Key, str]:
    """Enter the students of a list into the gradebook; return the id of each.

    What the gradebook already says of a student stays, and gaps are filled.

    Raises
    ------
    ValueError
        If one of them has no usable id, or two of them the same; nothing is entered then.
    """
    students = list(students)
    known = {student.id: student for student in students_of(gradebook)}
    ids = {student.key: enrolled(student, known.values()) for student in students}
    owners: dict[tuple[str, str], Listed] = {}
    for student in students:
        other = owners.setdefault((student.key.system, ids[student.key]), student)
        if other.key != student.key:
            raise ValueError(
                f"{student.first_name} {student.last_name} ({student.key.number}) and "
                f"{other.first_name} {other.last_name} ({other.key.number}) would both be the "
                f"student {ids[student.key]!r}: give one of them an LMS ID in the gradebook, "
                f"`nbgrader db student add ID --lms-user-id=...`"
            )
    for student in students:
        id_ = ids[student.key]
        old = known.get(id_, Known(id_, "", "", "", ""))
        fields: dict[str, Any] = {
            "first_name": old.first_name or student.first_name,
            "last_name": old.last_name or student.last_name,
            "email": old.email or student.email,
            "lms_user_id": old.lms_user_id or student.lms_user_id,
        }
        gradebook.update_or_create_student(id_, **fields)
    return ids
