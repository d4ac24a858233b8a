"""Hand-ins come in: by nbgrader's exchange, and in the archives of Moodle and Canvas."""

import contextlib
import io
import os
import stat
import sys
import tarfile
import warnings
import zipfile
from datetime import datetime

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import ZipCollectApp
from nbgrader.utils import unzip

from sealed.archives import Budget, objection, unpack, unpack_inside
from sealed.collect import NAMES, HandIn, identify, plan, read_names, released_as
from sealed.roster import Key, Known, enter, in_utc, read_list
from tests.sealed import courses, gradebooks, tiny

ADA = Known("ada", "Ada", "Lovelace", "ada@example.org", "12345")
GEORGE = Known("george", "George", "Boole", "george@example.org", "12346")
OTHER_ADA = Known("ada2", "Ada", "Lovelace", "lovelace@example.org", "99999")
ZOE = Known("zoë", "Zoë", "Müller-Lüdenscheidt", "", "")
RELEASED = ["hidden-markov-models.ipynb"]

WORKSHEET = """\
\ufeffIdentifier,"Full name","ID number","Email address",Status,Grade,"Maximum grade",\
"Last modified (submission)","Last modified (grade)","Online text"
"Participant 1234567","Ada Lovelace",m101,ada@example.org,"Submitted for grading",,10.00,\
"Saturday, 28 November 2026, 8:26 PM",-,"two
lines, of text"
"Participant 1234568","George Boole",m102,george@example.org,"No submission",,10.00,-,-,
"""
GRADEBOOK = """\
Student,ID,SIS User ID,SIS Login ID,Section,Tiny (77)
    Points Possible,,,,,10
"Lovelace, Ada",12345,s1,ada@example.org,A,
"Boole, George",12346,s2,gboole,A,
"Student, Test",,,,A,
"""


def hand_in(path: str) -> HandIn:
    (read,), others = read_names([path], NAMES, {"download"})
    assert others == []
    return read


def problems(planned):
    return "\n".join(planned.problems)


# --- what names say -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    "path",
    [
        "download/Ada Lovelace_1234567_assignsubmission_file_/hidden-markov-models.ipynb",
        "download/Ada Lovelace_1234567_assignsubmission_file_hidden-markov-models.ipynb",
        "Ada Lovelace_1234567_assignsubmission_file_/homework/hidden-markov-models.ipynb",
        "download/Ada Lovelace_1234567_assignsubmission_file_homework/hidden-markov-models.ipynb",
    ],
)
def test_moodle_names_a_student_and_a_number(path):
    read = hand_in(path)
    assert (read.name, read.key) == ("Ada Lovelace", Key("Moodle", "1234567"))
    assert read.file == "hidden-markov-models.ipynb"


@pytest.mark.parametrize(
    ("name", "file", "late"),
    [
        ("hidden-markov-models.ipynb", "hidden-markov-models.ipynb", False),
        ("LATE_12345_678901_hidden-markov-models-2.ipynb", "hidden-markov-models-2.ipynb", True),
        ("my homework (1).ipynb", "my homework (1).ipynb", False),
        ("homework/hidden-markov-models.ipynb", "hidden-markov-models.ipynb", False),
    ],
)
def test_canvas_names_a_student_an_id_and_an_upload(name, file, late):
    prefix = "lovelaceada_" + ("" if late else "12345_678901_")
    read = hand_in(f"download/{prefix}{name}")
    assert read == HandIn(
        f"download/{prefix}{name}", "lovelaceada", Key("Canvas", "12345"), 678901, late, file
    )


@pytest.mark.parametrize(
    "path",
    [
        "download/Eve_1_assignsubmission_file_/Ada Lovelace_7_assignsubmission_file_/a.ipynb",
        "download/Eve_1_assignsubmission_file_Ada Lovelace_7_assignsubmission_file_a.ipynb",
        "download/Eve_1_assignsubmission_file_/lovelaceada_12345_678901_a.ipynb",
    ],
)
def test_what_a_student_named_does_not_make_the_hand_in_another_students(path):
    assert hand_in(path).key == Key("Moodle", "1")


def test_a_canvas_upload_with_the_name_of_another_stays_its_own():
    assert hand_in("eve_1_2_lovelaceada_12345_678901_a.ipynb").key == Key("Canvas", "1")


def test_the_name_of_the_archive_says_nothing_of_students():
    path = "ml_2026_1_submissions/lovelaceada_12345_678901_hmm.ipynb"
    (read,), _ = read_names([path], NAMES, {"ml_2026_1_submissions"})
    assert read.key == Key("Canvas", "12345")


def test_copies_that_jupyter_and_macos_make_for_themselves_are_no_hand_ins():
    folder = "download/Ada Lovelace_1_assignsubmission_file_"
    paths = [
        f"{folder}/.ipynb_checkpoints/hmm-checkpoint.ipynb",
        f"{folder}/__MACOSX/._hmm.ipynb",
        f"{folder}/hmm.ipynb",
    ]
    hand_ins, others = read_names(paths, NAMES, {"download"})
    assert [read.path for read in hand_ins] == [f"{folder}/hmm.ipynb"]
    assert others == []


@pytest.mark.parametrize(
    "file",
    [
        "hidden-markov-models.ipynb",
        "hidden-markov-models-2.ipynb",
        "hidden-markov-models (1).ipynb",
        "hidden-markov-models-Copy1.ipynb",
        "hidden-markov-models (1)-2.ipynb",
        "Hidden Markov Models.ipynb",
        "hidden_markov_models.ipynb",
    ],
)
def test_a_copy_of_a_notebook_is_known_by_its_name(file):
    assert released_as(file, RELEASED) == RELEASED[0]


def test_the_number_of_a_notebook_is_no_mark_of_a_copy():
    released = ["part-1.ipynb", "part-2.ipynb"]
    assert released_as("part-2.ipynb", released) == "part-2.ipynb"
    assert released_as("part-2-1.ipynb", released) == "part-2.ipynb"
    assert released_as("part-3.ipynb", released) is None


# --- who is who ---------------------------------------------------------------------------------
def test_names_are_found_in_the_gradebook_in_either_systems_spelling():
    known = [ADA, GEORGE, ZOE]
    for path, student in [
        ("Ada Lovelace_7_assignsubmission_file_/a.ipynb", "ada"),
        ("boolegeorge_777_8_a.ipynb", "george"),
        ("müllerlüdenscheidtzoë_777_8_a.ipynb", "zoë"),
        # as macOS writes it: letters and dots apart
        ("Zoe\u0308 Mu\u0308ller-Lu\u0308denscheidt_7_assignsubmission_file_/a.ipynb", "zoë"),
    ]:
        assert identify(hand_in(path), {}, known) == student


def test_canvas_ids_are_found_in_the_gradebook():
    assert identify(hand_in("anything_12346_8_a.ipynb"), {}, [ADA, GEORGE]) == "george"


def test_the_list_decides_between_students_of_one_name():
    path = "Ada Lovelace_7_assignsubmission_file_/a.ipynb"
    with pytest.raises(ValueError, match=r"more than one student \(ada, ada2\).*worksheet"):
        identify(hand_in(path), {}, [ADA, OTHER_ADA])
    assert identify(hand_in(path), {Key("Moodle", "7"): "ada2"}, [ADA, OTHER_ADA]) == "ada2"


def test_a_number_of_moodle_is_no_id_of_canvas():
    with pytest.raises(ValueError, match="no student of the gradebook is called 'Eve'"):
        identify(
            hand_in("Eve_12345_assignsubmission_file_/a.ipynb"),
            {Key("Canvas", "12345"): "ada"},
            [ADA],
        )


def test_hand_ins_without_names_are_refused_in_words():
    for path in ("anon_x1Y2z_678901_12_a.ipynb", "LATE_anon_x1Y2z_678901_12_a.ipynb"):
        with pytest.raises(ValueError, match="without anonymous grading"):
            identify(hand_in(path), {}, [ADA])


def test_lists_of_both_systems_are_read(tmp_path):
    (tmp_path / "worksheet.csv").write_text(WORKSHEET, encoding="utf-8")
    (tmp_path / "gradebook.csv").write_text(GRADEBOOK.replace(",", ";").replace("e; ", "e, "))
    ada, george = read_list(tmp_path / "worksheet.csv")
    assert (ada.first_name, ada.last_name, ada.email) == ("Ada", "Lovelace", "ada@example.org")
    assert (ada.key, ada.lms_user_id) == (Key("Moodle", "1234567"), "m101")
    assert (ada.handed_in, george.handed_in) == ("Saturday, 28 November 2026, 8:26 PM", "")
    ada, george = read_list(tmp_path / "gradebook.csv")
    assert (ada.key, ada.ids[0], george.ids[0]) == (
        Key("Canvas", "12345"),
        "ada@example.org",
        "gboole",
    )
    assert (george.first_name, george.last_name) == ("George", "Boole")


@pytest.mark.parametrize(
    "content", [b"", b"name,mark\nAda,3\n", b"Identifier,Full name\n1,Zo\xeb\n"]
)
def test_another_csv_is_no_list(tmp_path, content):
    (tmp_path / "marks.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"marks\.csv is (no list of students|not UTF-8)"):
        read_list(tmp_path / "marks.csv")


@pytest.fixture
def gradebook(tmp_path):
    with gradebooks.gradebook(tmp_path) as book:
        yield book


def names_in(gradebook):
    return {s.id: (s.first_name, s.last_name, s.email, s.lms_user_id) for s in gradebook.students}


def test_students_of_a_list_are_entered_with_what_the_way_back_needs(tmp_path, gradebook):
    (tmp_path / "list.csv").write_text(WORKSHEET, encoding="utf-8")
    gradebook.add_student("gb", first_name="G.", email="George@Example.org")
    ids = enter(read_list(tmp_path / "list.csv"), gradebook)
    assert ids == {Key("Moodle", "1234567"): "m101", Key("Moodle", "1234568"): "gb"}
    assert names_in(gradebook) == {
        "m101": ("Ada", "Lovelace", "ada@example.org", "m101"),
        "gb": ("G.", "Boole", "George@Example.org", "m102"),  # what was known stays
    }


def test_nobody_becomes_somebody_else_by_an_email_address(tmp_path, gradebook):
    gradebook.add_student("ada")
    (tmp_path / "list.csv").write_text(
        "Identifier,Full name,Email address\n"
        "Participant 1,Ada Lovelace,ada@example.org\nParticipant 2,Eve,ada@elsewhere.org\n"
    )
    with pytest.raises(ValueError, match=r"Eve \(2\) and Ada Lovelace \(1\) would both be .*'ada'"):
        enter(read_list(tmp_path / "list.csv"), gradebook)
    assert list(names_in(gradebook)) == ["ada"]


def test_an_id_that_would_be_a_path_is_refused(tmp_path, gradebook):
    (tmp_path / "list.csv").write_text("Identifier,Full name,ID number\nParticipant 1,Eve,../ada\n")
    with pytest.raises(ValueError, match=r"Eve \(1\) has no login"):
        enter(read_list(tmp_path / "list.csv"), gradebook)
    assert names_in(gradebook) == {}


def test_dates_of_the_worksheet_become_utc():
    assert in_utc("Saturday, 28 November 2026, 8:26 PM", "UTC") == datetime(2026, 11, 28, 20, 26)
    assert in_utc("Saturday, 28 November 2026, 8:26 PM", "Europe/Berlin").hour == 19
    with pytest.raises(ValueError, match=r"'Samstag, 28\. Oktober' is no date: .* English"):
        in_utc("Samstag, 28. Oktober", "UTC")


# --- whose file is what -------------------------------------------------------------------------
def test_the_newest_upload_counts():
    paths = [
        f"lovelaceada_12345_{n}_hidden-markov-models{mark}.ipynb"
        for n, mark in [(99, ""), (101, "-2"), (100, "-1")]
    ]
    planned = plan(map(hand_in, paths), RELEASED, {}, [ADA], {})
    assert {path: who.student for path, who in planned.collected.items()} == {paths[1]: "ada"}
    assert len(planned.notes) == 2
    assert all("left out" in note for note in planned.notes)


def test_the_only_notebook_of_a_student_is_taken_whatever_its_name():
    folder = "Ada Lovelace_7_assignsubmission_file_"
    one = plan([hand_in(f"{folder}/my work.ipynb")], RELEASED, {}, [ADA], {})
    assert [who.notebook for who in one.collected.values()] == RELEASED
    assert "the student's only notebook" in one.notes[0]
    two = [f"{folder}/my work.ipynb", f"{folder}/scratch.ipynb"]
    both = plan(map(hand_in, two), RELEASED, {}, [ADA], {})
    assert both.collected == {}
    assert problems(both).count("the name of no released notebook") == 2


def test_one_unknown_student_costs_only_that_hand_in():
    paths = [
        f"{who}_7_assignsubmission_file_/hidden-markov-models.ipynb"
        for who in ("Ada Lovelace", "Eve")
    ]
    planned = plan(map(hand_in, paths), RELEASED, {}, [ADA], {})
    assert [who.student for who in planned.collected.values()] == ["ada"]
    assert "Eve_7" in problems(planned)


# --- hostile archives ---------------------------------------------------------------------------
def zipped(path, files):
    """Write a zip archive; names that are a ZipInfo are taken as they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def plenty():
    return Budget(files=100, octets=10**6)


def test_files_that_lead_out_of_an_archive_are_left_out_and_named(tmp_path):
    hostile = [
        "../out.txt",
        "/tmp/out-of-a-zip.txt",
        "a/../../out.txt",
        "..\\out.txt",
        "C:\\out.txt",
        "a\nb",
    ]
    archive = zipped(tmp_path / "eve.zip", {"good.txt": "good", **dict.fromkeys(hostile, "bad")})
    left_out = unpack(archive, tmp_path / "in" / "eve", plenty())
    assert len(left_out) == len(hostile)
    for name, line in zip(hostile, left_out, strict=True):
        assert line.startswith(f"eve.zip: left out {name!r}")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(files) == [archive, tmp_path / "in" / "eve" / "good.txt"]


def test_stock_nbgrader_leaves_them_out_or_stops_at_them(tmp_path, capsys, caplog):
    """Why there is an extractor of ours: a hand-in that disappears."""
    archive = zipped(tmp_path / "eve.zip", {"../hmm.ipynb": "{}"})
    with contextlib.suppress(Exception):  # newer setuptools refuse the whole archive
        unzip(str(archive), str(tmp_path), create_own_folder=True)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["eve", "eve.zip"]
    assert caplog.text == capsys.readouterr().out == capsys.readouterr().err == ""


def test_stock_nbgrader_gives_up_at_one_broken_archive(tmp_path):
    """And another reason: one student's file ends the collection for all."""
    zipped(tmp_path / "all.zip", {"eve/work.zip": "no archive"})
    with pytest.raises(Exception, match="Not a recognized archive"):
        unzip(str(tmp_path / "all.zip"), str(tmp_path), tree=True, create_own_folder=True)


def test_links_are_not_made(tmp_path):
    archive = zipped(tmp_path / "eve.zip", {link("passwords"): "/etc/passwd", "good.txt": "good"})
    with tarfile.open(tmp_path / "mallory.tar.gz", "w:gz") as tarred:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"member{kind.decode()}")
            info.type, info.linkname = kind, "/etc/passwd"
            tarred.addfile(info)
    (line,) = unpack(archive, tmp_path / "eve", plenty())
    assert "'passwords': a link or a device" in line
    assert os.listdir(tmp_path / "eve") == ["good.txt"]
    assert len(unpack(tmp_path / "mallory.tar.gz", tmp_path / "mallory", plenty())) == 3
    assert os.listdir(tmp_path / "mallory") == []


def test_a_bomb_costs_only_what_is_allowed(tmp_path):
    archive = zipped(tmp_path / "bomb.zip", {"small": b"1", "big": bytes(5 * 10**6), "tiny": b"2"})
    (line,) = unpack(archive, tmp_path / "bomb", plenty())
    assert "'big': more than may be unpacked" in line
    assert sum(path.stat().st_size for path in (tmp_path / "bomb").iterdir()) == 2


def test_a_crowd_of_files_costs_only_what_is_allowed(tmp_path):
    archive = zipped(tmp_path / "crowd.zip", {f"{i}": b"" for i in range(300)})
    (line,) = unpack(archive, tmp_path / "crowd", plenty())
    assert line == "crowd.zip: left out '100' and the rest: too many files"
    assert len(os.listdir(tmp_path / "crowd")) == 100


def test_archives_in_one_another_share_what_is_allowed(tmp_path):
    """Ten to the third bombs in four levels."""
    inner = bytes(400_000)
    for _ in range(4):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for i in range(10):
                archive.writestr(f"{i}.zip" if inner[:2] == b"PK" else f"{i}.bin", inner)
        inner = buffer.getvalue()
    (tmp_path / "eve").mkdir()
    (tmp_path / "eve" / "eve.zip").write_bytes(inner)
    left_out = unpack_inside(tmp_path / "eve", [".zip"], plenty(), depth=10)
    assert any("more than may be unpacked" in line for line in left_out)
    assert (
        sum(path.stat().st_size for path in (tmp_path / "eve").rglob("*") if path.is_file())
        < 2 * 10**6
    )


def test_an_archive_that_holds_archives_without_end_is_unpacked_three_deep(tmp_path):
    archive = b"end"
    for _ in range(6):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as outer:
            outer.writestr("again.zip", archive)
        archive = buffer.getvalue()
    (tmp_path / "again.zip").write_bytes(archive)
    (line,) = unpack_inside(tmp_path, [".zip"], plenty(), depth=3)
    assert line == "again.zip: not unpacked: too many archives in one another"


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 broken"])
def test_a_broken_archive_is_said_to_be_broken(tmp_path, content):
    (tmp_path / "eve.zip").write_bytes(content)
    (line,) = unpack_inside(tmp_path, [".zip"], plenty(), depth=3)
    assert line == "eve.zip: not unpacked: neither a zip nor a tar archive"


def test_a_member_with_damage_costs_only_itself(tmp_path):
    archive = tmp_path / "eve.zip"
    with zipfile.ZipFile(archive, "w") as stored:
        stored.writestr("damaged.txt", b"some content")
        stored.writestr("good.txt", b"good")
    archive.write_bytes(archive.read_bytes().replace(b"some content", b"other things"))
    (line,) = unpack(archive, tmp_path / "eve", plenty())
    assert "'damaged.txt': it cannot be read" in line
    assert os.listdir(tmp_path / "eve") == ["good.txt"]


def test_one_name_for_two_files_is_told(tmp_path):
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(tmp_path / "eve.zip", "w") as z:
        for name in ("a", "a", "a/b"):
            z.writestr(name, name)
    assert len(unpack(tmp_path / "eve.zip", tmp_path / "eve", plenty())) == 2
    assert (tmp_path / "eve" / "a").read_text() == "a"


def test_ordinary_names_are_not_objected_to():
    for name in ("a.ipynb", "my work/Übung (1).ipynb", "..a", "a..b/c", "数学.ipynb"):
        assert objection(name) is None


# --- through nbgrader ---------------------------------------------------------------------------
def notebook(mark: str) -> str:
    """A hand-in that says who wrote it."""
    answers = tiny.ANSWERS | {"walk": f"# {mark}\n{tiny.ANSWERS['walk']}"}
    return nbformat.writes(tiny.answered(tiny.source(), answers))


def collected(course) -> dict[str, str]:
    """Who wrote the notebook that lies in whose folder."""
    found = {}
    for path in (course.root / "grading" / "submitted").glob("*/tiny/tiny.ipynb"):
        walk = next(
            c for c in nbformat.read(path, as_version=4).cells if c.source.startswith("# by")
        )
        found[path.parts[-3]] = walk.source.splitlines()[0]
    return found


@pytest.fixture
def course(tmp_path):
    """A course with a released notebook; nobody has handed in."""
    course = courses.Course(tmp_path / "course")
    release = course.root / "exercises" / "tiny"
    release.mkdir(parents=True)
    (course.root / "nbgrader_config.py").write_text(courses.SEALED, encoding="utf-8")
    nbformat.write(tiny.answered(tiny.source(), tiny.WRONG), release / "tiny.ipynb")
    (course.root / "grading").mkdir()
    with gradebooks.gradebook(course.root / "grading"):
        return course


def zip_collect(course, *arguments) -> tuple[int, str]:
    """Run `nbgrader zip_collect tiny` in this process; return the exit code and what it said."""
    app, said = ZipCollectApp(), io.StringIO()
    path, variables = list(sys.path), dict(os.environ)
    try:
        with contextlib.chdir(course.root), contextlib.redirect_stderr(said):
            app.initialize(["tiny", *arguments])
            app.start()
        return 0, said.getvalue()
    except SystemExit as end:
        return int(end.code or 0), said.getvalue()
    finally:
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(variables)


def archive_folder(course):
    folder = course.root / "grading" / "downloaded" / "tiny" / "archive"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.slow
def test_archives_of_moodle_and_canvas_are_collected_at_once(course):
    folder = archive_folder(course)
    (folder / "Grades-ML-tiny.csv").write_text(WORKSHEET, encoding="utf-8")
    with Gradebook(course.db_url, "latent") as book:
        for student in (ADA, GEORGE, ZOE):
            fields = student._asdict()
            book.add_student(fields.pop("id"), **fields)
    forged = "1234570_assignsubmission_file_/George Boole_1234568_assignsubmission_file_"
    homework = io.BytesIO()
    zipped(homework, {"homework/tiny.ipynb": notebook("by Zoë"), "../../escaped.ipynb": "{}"})
    zipped(
        folder / "ML-tiny-4711.zip",
        {
            "Ada Lovelace_1234567_assignsubmission_file_/tiny.ipynb": notebook("by Ada"),
            "Ada Lovelace_1234567_assignsubmission_onlinetext_/onlinetext.html": "<p>Hello</p>",
            "Zoë Müller-Lüdenscheidt_1234569_assignsubmission_file_/work.zip": homework.getvalue(),
            f"Eve_{forged}/tiny.ipynb": notebook("by Eve"),
        },
    )
    zipped(
        folder / "submissions.zip",
        {
            "boolegeorge_LATE_12346_500_tiny.ipynb": notebook("by George, old"),
            "boolegeorge_LATE_12346_501_tiny-1.ipynb": notebook("by George"),
        },
    )
    run = courses.nbgrader(course, "zip_collect", "tiny")
    assert collected(course) == {"ada": "# by Ada", "zoë": "# by Zoë", "george": "# by George"}
    times = list((course.root / "grading" / "submitted").glob("*/tiny/timestamp.txt"))
    assert [path.parts[-3] for path in times] == ["ada"]
    assert times[0].read_text() == "2026-11-28 20:26:00"
    said = run.stderr
    assert "NOT COLLECTED: ML-tiny-4711/Eve_1234570" in said
    assert "no student of the gradebook is called 'Eve'" in said
    assert "left out '../../escaped.ipynb': a path that leads out of the archive" in said
    assert "late, says Canvas" in said
    assert not list(course.root.rglob("escaped.ipynb"))


def test_what_was_collected_is_not_overwritten_unless_told(course):
    folder = archive_folder(course)
    with Gradebook(course.db_url, "latent") as book:
        book.add_student("ada", lms_user_id="12345")
    for n in (1, 2):
        zipped(
            folder / "submissions.zip",
            {f"lovelaceada_12345_{n}_tiny.ipynb": notebook(f"by Ada {n}")},
        )
        code, said = zip_collect(course)
        assert code == n - 1
        assert collected(course) == {"ada": "# by Ada 1"}
    assert "use the --force option" in said
    assert zip_collect(course, "--force")[0] == 0
    assert collected(course) == {"ada": "# by Ada 2"}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "nothing to collect"),
        (
            {"broken.zip": b"no archive"},
            "broken.zip: neither a zip nor a tar archive: download it again",
        ),
        ({"marks.csv": b"a,b\n1,2\n", "x.ipynb": b"{}"}, "marks.csv is no list of students"),
    ],
)
def test_a_wrong_download_ends_with_words_and_collects_nothing(course, files, words):
    folder = archive_folder(course)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    code, said = zip_collect(course)
    assert code == 1
    assert words in said
    assert collected(course) == {}


@pytest.mark.slow
def test_hand_ins_of_the_exchange_are_collected(course, tmp_path):
    exchange, home = tmp_path / "exchange", tmp_path / "student"
    for folder in (exchange, home):
        folder.mkdir()
    exchange.chmod(0o777)
    with (course.root / "nbgrader_config.py").open("a") as config:
        config.write(f"\nc.Exchange.root = {str(exchange)!r}\n")
    courses.nbgrader(course, "release_assignment", "tiny")
    config = f"c.Exchange.root = {str(exchange)!r}\nc.CourseDirectory.course_id = 'latent'\n"
    (home / "nbgrader_config.py").write_text(f"c = get_config()\n{config}")
    student = courses.Course(home, environment={"JUPYTERHUB_USER": "ada", "USER": "ada"})
    courses.nbgrader(student, "fetch_assignment", "tiny")
    (home / "tiny" / "tiny.ipynb").write_text(notebook("by Ada"), encoding="utf-8")
    courses.nbgrader(student, "submit", "tiny")
    courses.nbgrader(course, "collect", "tiny")
    (who,) = collected(course)
    assert collected(course)[who] == "# by Ada"
    assert (course.root / "grading" / "submitted" / who / "tiny" / "timestamp.txt").exists()
