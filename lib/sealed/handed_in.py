"""What a student handed in, looked at before any code of nbgrader's or of the student's touches it.

A hand-in that cannot be graded is found here and described in words, so that it costs only itself:
nbgrader copies the targets of links, waits for ever at a pipe, and needs minutes for a notebook of
a hundred thousand cells.
"""

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from nbgrader.utils import parse_utc

from sealed.course import Assignment

MAX_NOTEBOOK_MB = 32
MAX_CELLS = 1000
MAX_FILES = 1000


def digest(assignment: Assignment, student: str) -> str:
    """Return what changes whenever a student's files do; links are not followed."""
    folder = assignment.folder(assignment.course.submitted_directory, student)
    found = hashlib.sha256()
    for path in _walk(folder):
        status = path.lstat()
        found.update(f"{path.relative_to(folder)!r} {status.st_mode} {status.st_size} ".encode())
        if stat.S_ISREG(status.st_mode):
            with contextlib.suppress(PermissionError), path.open("rb") as file:
                found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


def problem(assignment: Assignment, student: str) -> str:
    """Say why a student's files cannot be graded; empty if they can."""
    folder = assignment.folder(assignment.course.submitted_directory, student)
    return (
        _unsafe(folder, assignment.course.max_dir_size * 1000)
        or _missing(assignment, folder)
        or _timestamp(folder / "timestamp.txt")
        or next(
            filter(None, (_unreadable(folder / f"{n}.ipynb") for n in assignment.notebooks)), ""
        )
    )


def _unsafe(folder: Path, max_bytes: int) -> str:
    """Say which file is none that nbgrader should copy."""
    size = n_files = 0
    for path in _walk(folder):
        name, status = path.relative_to(folder), path.lstat()
        n_files, size = n_files + 1, size + status.st_size
        if stat.S_ISLNK(status.st_mode):
            return f"{name} is a link: the file itself is needed"
        if not stat.S_ISREG(status.st_mode):
            return f"{name} is no regular file"
        if not os.access(path, os.R_OK):
            return f"{name} may not be read"
        if n_files > MAX_FILES:
            return f"there are more than {MAX_FILES} files"
        if size > max_bytes:
            return f"the files are larger than {max_bytes / 1e6:g} MB together"
    return ""


def _walk(folder: Path) -> Iterator[Path]:
    """Yield all that is in a folder, but no plain folders, in an order that stays."""
    for root, folders, files in os.walk(folder):
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(root, name))]
        yield from (Path(root) / name for name in sorted(files + links))


def _missing(assignment: Assignment, folder: Path) -> str:
    """Say which notebook is missing, unless the student left out one of several."""
    wanted = {f"{name}.ipynb" for name in assignment.notebooks}
    there = {path.name for path in folder.iterdir() if path.is_file()}
    others = sorted(name for name in there - wanted if name.endswith(".ipynb"))
    if missing := sorted(wanted - there):
        if others:
            return f"there is no {missing[0]}, but {', '.join(others)}: was it renamed?"
        if len(missing) == len(wanted):
            return f"there is no {missing[0]}"
    return ""


def _timestamp(path: Path) -> str:
    try:
        if path.exists() and (text := path.read_text().strip()):
            parse_utc(text)
    except (ValueError, OverflowError):
        return "timestamp.txt has no date such as 2026-01-31 23:59:00 UTC"
    return ""


def _unreadable(path: Path) -> str:
    """Say why a file is no notebook; empty if it is one, or is not there."""
    if not path.exists():
        return ""
    if path.stat().st_size > MAX_NOTEBOOK_MB << 20:
        return f"{path.name} is larger than {MAX_NOTEBOOK_MB} MB"
    content = path.read_bytes()
    if not content.strip():
        return f"{path.name} is empty"
    try:
        notebook = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        return f"{path.name} is not UTF-8 text: byte {error.start} is {content[error.start]:#x}"
    except json.JSONDecodeError as error:
        return f"{path.name} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError) as error:
        return f"{path.name} is not JSON that can be read: {error}"
    if not isinstance(notebook, dict) or not {"cells", "worksheets"} & notebook.keys():
        return f"{path.name} is JSON, but no notebook: it has no cells"
    if isinstance(cells := notebook.get("cells"), list) and len(cells) > MAX_CELLS:
        return f"{path.name} has {len(cells)} cells, more than {MAX_CELLS}"
    return ""
