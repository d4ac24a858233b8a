"""Hand-ins from Moodle and Canvas: plugins for ``nbgrader zip_collect``.

Download all hand-ins of an assignment from the learning management system (LMS), put the archive
into ``grading/downloaded/ASSIGNMENT/archive/`` and run ``nbgrader zip_collect ASSIGNMENT``. Beside
it put the system's own list of students, and everybody is known by name and gets marks back:

- Moodle: the grading worksheet (*Download grading worksheet*), because the number in a Moodle file
  name means nothing outside its assignment;
- Canvas: the gradebook (*Export entire gradebook*), which has the ID of each student.

Without a list, students are found by their LMS ID (``lms_user_id``) or by their name in nbgrader's
gradebook. Names of files are those of Moodle's ``mod/assign`` and of Canvas' ``ContentZipper``.
"""

import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from nbgrader.api import Gradebook
from nbgrader.plugins import ExtractorPlugin, FileNameCollectorPlugin
from nbgrader.utils import find_all_notebooks
from traitlets import Int, Unicode

from sealed.archives import Budget, stem, unpack, unpack_beside, unpack_inside
from sealed.roster import Key, Known, enter, in_utc, read_list, spoken, students_of

# Moodle:  Ada Lovelace_1234567_assignsubmission_file_/notebook.ipynb, a folder each, and the older
#          Ada Lovelace_1234567_assignsubmission_file_notebook.ipynb
# Canvas:  lovelaceada_LATE_12345_678901_notebook-1.ipynb: ID of the student, number of the upload
# The first folder or file that fits counts: what lies below it was named by the student.
NAMES = (
    r"(?:[^/]*/)*?"
    r"(?P<name>[^/]+?)(?P<late>_LATE)?_(?P<student_id>\d+)_"
    r"(?:assignsubmission_file_|(?P<upload>\d+)_)(?:.*/)?(?P<file_id>[^/]+)$"
)
# what Canvas ("-1"), browsers (" (1)") and Jupyter ("-Copy1") append to the name of a copy
COPY_MARK = re.compile(r"(-\d+|[ _-]?\(\d+\)|-Copy\d*| - Copy)$")


class HandIn(NamedTuple):
    """What the name of a file says."""

    path: str  # below the folder of extracted files
    name: str
    key: Key
    upload: int  # later uploads have greater numbers; 0 at Moodle, which tells none
    late: bool
    file: str


class Collected(NamedTuple):
    """Whose notebook a file is."""

    student: str
    notebook: str  # as released, with its ending
    handed_in: str


class Plan(NamedTuple):
    """What becomes of each file."""

    collected: dict[str, Collected]  # by path
    problems: list[str]  # hand-ins that nobody gets
    notes: list[str]  # what was decided


def identify(hand_in: HandIn, listed: Mapping[Key, str], known: Iterable[Known]) -> str:
    """Return the id of the student whose hand-in this is.

    Parameters
    ----------
    hand_in
        What the file name says.
    listed
        Ids of the students on the LMS's lists.
    known
        The students of the gradebook.

    Raises
    ------
    ValueError
        If no student or more than one fits, in words.
    """
    if re.match(r"(LATE_)?anon_", hand_in.path.rsplit("/", 1)[-1]):
        raise ValueError("Canvas left out the names: download again without anonymous grading")
    if hand_in.key in listed:
        return listed[hand_in.key]
    if hand_in.key.system == "Canvas":  # the number is the student's own
        ids = {student.id for student in known if student.lms_user_id == hand_in.key.number}
        if len(ids) == 1:
            return ids.pop()
    name = spoken(hand_in.name)
    ids = {
        student.id
        for student in known
        if name
        and name
        in (
            spoken(student.first_name + student.last_name),
            spoken(student.last_name + student.first_name),
        )
    }
    if len(ids) == 1:
        return ids.pop()
    who = "no student" if not ids else f"more than one student ({', '.join(sorted(ids))})"
    raise ValueError(
        f"{who} of the gradebook is called {hand_in.name!r}: put the list of students "
        f"(Moodle's grading worksheet, Canvas' gradebook) beside the archive, "
        f"or enter them yourself: nbgrader db student add"
    )


def read_names(
    paths: Iterable[str], pattern: str, archives: Iterable[str]
) -> tuple[list[HandIn], list[str]]:
    """Return what the names of files say, and the files whose names say nothing.

    Parameters
    ----------
    paths
        Paths below the folder of extracted files.
    pattern
        What names say, as `NAMES`.
    archives
        Names of folders that were archives of the LMS: they say nothing of students.
    """
    hand_ins, others, archives = [], [], set(archives)
    for path in paths:
        top, _, below = path.partition("/")
        name = below if top in archives and below else path
        if any(part.startswith(".") or part == "__MACOSX" for part in name.split("/")):
            continue  # copies that Jupyter and macOS make for themselves
        match = re.match(pattern, name)
        if match is None:
            others.append(path)
            continue
        said = {"name": "", "late": None, "upload": None} | match.groupdict()
        hand_ins.append(
            HandIn(
                path=path,
                name=said["name"] or "",
                key=Key("Canvas" if said["upload"] else "Moodle", said["student_id"]),
                upload=int(said["upload"] or 0),
                late=bool(said["late"]),
                file=said["file_id"],
            )
        )
    return hand_ins, others


def released_as(file: str, released: Iterable[str]) -> str | None:
    """Return the released notebook that a file is a copy of, by its name, or None."""

    def plain(stem: str) -> str:
        return re.sub(r"[\W_]+", "-", stem.casefold())

    stem = PurePosixPath(file).stem
    for candidate in (stem, COPY_MARK.sub("", stem), COPY_MARK.sub("", COPY_MARK.sub("", stem))):
        for notebook in released:
            if plain(candidate) == plain(PurePosixPath(notebook).stem):
                return notebook
    return None


def plan(
    hand_ins: Iterable[HandIn],
    released: list[str],
    listed: Mapping[Key, str],
    known: list[Known],
    handed_in: Mapping[Key, str],
) -> Plan:
    """Decide whose each file is, and which of several uploads counts.

    Parameters
    ----------
    hand_ins
        The notebooks found.
    released
        Notebooks of the assignment, as `find_all_notebooks` names them.
    listed
        Ids of the students on the LMS's lists.
    known
        The students of the gradebook.
    handed_in
        When a student handed in, as the LMS writes it.
    """
    found: dict[str, list[HandIn]] = defaultdict(list)
    collected, problems, notes = {}, [], []
    for hand_in in hand_ins:
        try:
            found[identify(hand_in, listed, known)].append(hand_in)
        except ValueError as error:
            problems.append(f"{hand_in.path}: {error}")
    for student, files in found.items():
        candidates: dict[str, list[HandIn]] = defaultdict(list)
        for file in files:
            notebook = released_as(file.file, released)
            if notebook is None and len(files) == len(released) == 1:
                notebook = released[0]
                notes.append(f"{file.path}: taken for {notebook}, the student's only notebook")
            if notebook is None:
                problems.append(
                    f"{file.path}: {student}'s file has the name of no released notebook "
                    f"({', '.join(released) or 'none was released'})"
                )
                continue
            candidates[notebook].append(file)
        for notebook, copies in candidates.items():
            exact = PurePosixPath(notebook).name
            copies.sort(key=lambda copy: (copy.upload, copy.file == exact, copy.path))
            *older, newest = copies
            collected[newest.path] = Collected(student, notebook, handed_in.get(newest.key, ""))
            for copy in older:
                notes.append(f"{copy.path}: left out, because {newest.path} counts for {student}")
            if newest.late:
                notes.append(f"{newest.path}: late, says Canvas, which does not say how late")
    return Plan(collected, problems, notes)


class LmsCollector(FileNameCollectorPlugin):
    """Tells whose hand-in each file of an archive is, for Moodle and Canvas at once.

    Students on a list of the LMS are entered into the gradebook, with names, email addresses and
    LMS IDs, so that marks find their way back.
    """

    named_regexp = Unicode(
        NAMES,
        help="What names of files say: the groups student_id (the LMS's number) and file_id, and "
        "perhaps name, upload (the greatest counts) and late.",
    ).tag(config=True)
    timezone = Unicode(
        "UTC", help="The time zone of the dates in Moodle's grading worksheet, as Europe/Berlin."
    ).tag(config=True)

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self._collected: dict[str, Collected] = {}  # by path
        self._decided = False

    def collect(self, submitted_file: str) -> dict | None:
        """Return whose file this is and which notebook, or None if it is not collected.

        Parameters
        ----------
        submitted_file
            Absolute path of a file in the folder of extracted files.
        """
        app: Any = self.parent
        root = Path(app._format_collect_path(app.extracted_directory))
        if not self._decided:
            try:
                self._collected = self._decide(root)
            except ValueError as error:  # a wrong list would lose everybody on it
                app.fail(str(error))
            self._decided = True
        whose = self._collected.get(Path(submitted_file).relative_to(root).as_posix())
        if whose is None:
            return None
        timestamp = in_utc(whose.handed_in, self.timezone) if whose.handed_in else None
        return {"student_id": whose.student, "file_id": whose.notebook, "timestamp": timestamp}

    def _decide(self, root: Path) -> dict[str, Collected]:
        app: Any = self.parent
        course = app.coursedir
        files = sorted(path for path in root.rglob("*") if path.is_file())
        lists = [path for path in files if path.parent == root and path.suffix.lower() == ".csv"]
        students = [student for path in lists for student in read_list(path)]
        for student in students:
            if student.handed_in:
                in_utc(student.handed_in, self.timezone)  # complain now, not half-way
        with Gradebook(course.db_url, course.course_id) as gradebook:
            listed = enter(students, gradebook)
            known = students_of(gradebook)
        names = [path.relative_to(root).as_posix() for path in files]
        archives = Path(app._format_collect_path(app.archive_directory)).iterdir()
        hand_ins, others = read_names(
            [name for name in names if PurePosixPath(name).suffix in self.valid_ext],
            self.named_regexp,
            {stem(archive.name) for archive in archives if archive.is_file()},
        )
        released = find_all_notebooks(
            course.format_path(course.release_directory, ".", course.assignment_id)
        )
        if not released:
            raise ValueError(
                f"{course.assignment_id!r} has no released notebook: "
                f"run `nbgrader generate_assignment` first"
            )
        times = {student.key: student.handed_in for student in students}
        decided = plan(hand_ins, released, listed, known, times)
        for note in decided.notes:
            self.log.warning(note)
        for other in others:
            self.log.error("NOT COLLECTED: %s: no name that Moodle or Canvas would give", other)
        for problem in decided.problems:
            self.log.error("NOT COLLECTED: %s", problem)
        return decided.collected


class LmsExtractor(ExtractorPlugin):
    """Unpacks the archive of an LMS and the archives that students handed in.

    Whatever a student's archive holds, nothing outside its folder is written, links are not made,
    and a bomb, a broken archive or one that holds itself costs only that hand-in.
    """

    archive_megabytes = Int(20_000, help="What the LMS's archive may unpack to.").tag(config=True)
    hand_in_megabytes = Int(100, help="What one student's archive may unpack to.").tag(config=True)
    hand_in_files = Int(1000, help="How many files one student's archive may hold.").tag(
        config=True
    )

    def extract(self, archive_path: str, extracted_path: str) -> None:
        """Unpack what lies in the folder of archives, and copy what is no archive.

        Parameters
        ----------
        archive_path
            Folder with what was downloaded.
        extracted_path
            Folder to unpack to.
        """
        app: Any = self.parent
        source, target = Path(archive_path), Path(extracted_path)
        files = sorted(path for path in source.rglob("*") if path.is_file())
        if not files:
            app.fail(f"nothing to collect: put the LMS's archive into {source}")
        for file in files:
            beside = target / file.relative_to(source).parent
            beside.mkdir(parents=True, exist_ok=True)
            if file.suffix not in self.zip_ext:
                shutil.copy(file, beside)
                continue
            budget = Budget(files=1_000_000, octets=self.archive_megabytes * 10**6)
            try:
                left_out = unpack(file, beside / stem(file.name), budget)
            except ValueError as error:  # the download itself: nothing of it can be relied on
                app.fail(f"{file}: {error}: download it again")
            for line in left_out:
                self.log.error(line)
        for hand_in in hand_ins_below(target):
            budget = Budget(files=self.hand_in_files, octets=self.hand_in_megabytes * 10**6)
            if hand_in.is_dir():
                left_out = unpack_inside(hand_in, self.zip_ext, budget, depth=3)
            elif hand_in.suffix in self.zip_ext:
                left_out = unpack_beside(hand_in, self.zip_ext, budget, depth=3)
            else:
                left_out = []
            for line in left_out:
                self.log.error("%s: %s", hand_in.relative_to(target), line)


def hand_ins_below(target: Path) -> list[Path]:
    """Return what lies in the unpacked archives: a folder or a file for each hand-in."""
    return sorted(
        path for archive in target.iterdir() if archive.is_dir() for path in archive.iterdir()
    )
