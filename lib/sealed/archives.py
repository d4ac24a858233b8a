"""Archives of files that strangers made: unpacked into a folder and nowhere else."""

import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple


@dataclass
class Budget:
    """What one hand-in may still unpack."""

    files: int
    octets: int


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    octets: int
    kind: str  # "file", or what else it is
    open: Callable[[], Any]  # a file of bytes


def members(archive: Path) -> Iterator[Member]:
    """Yield what a zip or tar archive holds, folders left out.

    Raises
    ------
    ValueError
        If the file is no such archive, or a broken one.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                for info in zipped.infolist():
                    if not info.is_dir():
                        yield Member(
                            info.filename,
                            info.file_size,
                            _kind(info),
                            partial(zipped.open, info),
                        )
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tarred:
                for info in tarred:
                    if not info.isdir():
                        kind = "file" if info.isreg() else "a link or a device"
                        yield Member(info.name, info.size, kind, partial(tarred.extractfile, info))
        else:
            raise ValueError("neither a zip nor a tar archive")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError, OSError) as error:
        raise ValueError(f"a broken archive ({error})") from error


def _kind(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 0x1:
        return "encrypted"
    mode = info.external_attr >> 16
    return "file" if stat.S_IFMT(mode) in (0, stat.S_IFREG) else "a link or a device"


def objection(name: str) -> str | None:
    """Return why a file of this name is not unpacked, or None if it is."""
    path = PurePosixPath(name)
    if path.is_absolute() or re.match(r"[A-Za-z]:", name):
        return "an absolute path"
    if ".." in path.parts or "\\" in name:
        return "a path that leads out of the archive"
    if not path.parts or any(not part.isprintable() for part in path.parts):
        return "a name that cannot be printed"
    if any(len(os.fsencode(part)) > 200 for part in path.parts) or len(name) > 1000:
        return "too long a name"
    return None


def unpack(archive: Path, folder: Path, budget: Budget) -> list[str]:
    """Unpack an archive into a folder; archives in it stay as they are.

    Parameters
    ----------
    archive
        A zip or tar archive.
    folder
        Where to; made if it is missing.
    budget
        How much it may unpack; what it does is taken off.

    Returns
    -------
    list of str
        What was left out and why. Nothing outside the folder is written; links are not made.

    Raises
    ------
    ValueError
        If it is no archive, or a broken one.
    """
    left_out = []
    folder.mkdir(parents=True, exist_ok=True)
    for member in members(archive):
        inside = folder / member.name
        reason = objection(member.name)
        if reason is None and member.kind != "file":
            reason = member.kind
        if budget.files < 1:
            left_out.append(
                f"{archive.name}: left out {member.name!r} and the rest: too many files"
            )
            break
        if reason is None and budget.octets < member.octets:
            reason = "more than may be unpacked"
        if reason is None:
            reason = _write(member, inside)
        if reason is None:
            budget.files -= 1
            budget.octets -= member.octets
        else:
            left_out.append(f"{archive.name}: left out {member.name!r}: {reason}")
    return left_out


def _write(member: Member, path: Path) -> str | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sink = path.open("xb")
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        return "its name is there twice"
    with sink:
        try:
            with member.open() as source:
                shutil.copyfileobj(source, sink)
            return None
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            reason = f"it cannot be read ({error})"
    path.unlink()
    return reason


def unpack_inside(folder: Path, extensions: Iterable[str], budget: Budget, depth: int) -> list[str]:
    """Unpack the archives in a folder beside themselves, and those in them.

    Parameters
    ----------
    folder
        Where a student's files are.
    extensions
        Endings of names of archives.
    budget
        How much may be unpacked in all; what is, is taken off.
    depth
        How many archives may lie in one another.

    Returns
    -------
    list of str
        What was left out or not unpacked, and why. Bad archives stay as they are.
    """
    left_out = []
    for archive in sorted(path for path in folder.rglob("*") if path.suffix in extensions):
        left_out += unpack_beside(archive, extensions, budget, depth)
    return left_out


def unpack_beside(
    archive: Path, extensions: Iterable[str], budget: Budget, depth: int
) -> list[str]:
    """Unpack a student's archive, and those in it, into a folder beside it.

    Parameters and what is returned are those of `unpack_inside`.
    """
    beside = archive.parent / stem(archive.name)
    if depth < 1:
        return [f"{archive.name}: not unpacked: too many archives in one another"]
    if beside.exists() or not archive.is_file():
        return [f"{archive.name}: not unpacked: {beside.name} is there already"]
    try:
        left_out = unpack(archive, beside, budget)
    except ValueError as error:
        return [f"{archive.name}: not unpacked: {error}"]
    return left_out + unpack_inside(beside, extensions, budget, depth - 1)


def stem(name: str) -> str:
    """Return the name of an archive without its ending (or `.tar.gz`)."""
    path = PurePosixPath(name)
    return path.stem.removesuffix(".tar") or "archive"
