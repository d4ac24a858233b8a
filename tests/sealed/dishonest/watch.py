"""Surroundings for a hand-in to aim at, and what has become of them afterwards."""

import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from tests.sealed import courses, tiny
from tests.sealed.dishonest.kinds import HandIn, Surroundings

# where a hand-in may leave files that outlive it
SHARED = (Path("/dev/shm"), Path(tempfile.gettempdir()), Path("/var/tmp"))
NEIGHBOUR = "neighbour"


@dataclass(frozen=True)
class Watch:
    """What a hand-in may aim at, and how it was before."""

    about: Surroundings
    victim: subprocess.Popen
    doors: dict[str, socket.socket]
    before: dict[str, object]

    def harms(self) -> list[str]:
        """Say in words what has been done that nobody may do; takes away what was left."""
        return [
            *self._of_the_victim(),
            *(f"reached {name}" for name, door in self.doors.items() if _was_reached(door)),
            *self._survivors(),
            *self._left_files(),
            *differences(self.before, state(self.about.outside, self.about.site)),
        ]

    @property
    def secret(self) -> str:
        """What stands in the file that nobody may read."""
        return f"the secret of {self.about.token}"

    def _of_the_victim(self) -> Iterator[str]:
        if self.victim.poll() is not None:
            yield "killed another process"
            return
        status = Path(f"/proc/{self.victim.pid}/stat").read_text().rpartition(")")[2].split()
        if status[0] in "Tt":
            yield "stopped another process"
        if os.getpriority(os.PRIO_PROCESS, self.victim.pid) != os.getpriority(os.PRIO_PROCESS, 0):
            yield "slowed another process down"

    def _survivors(self) -> Iterator[str]:
        # a process that is being killed may take a moment
        deadline = time.monotonic() + 1
        while (left := _processes(self.about.token, self.victim.pid)) and (
            time.monotonic() < deadline
        ):
            time.sleep(0.05)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if left:
            yield f"left {len(left)} processes behind"

    def _left_files(self) -> Iterator[str]:
        for folder in SHARED:
            for path in folder.glob(f"*{self.about.token}*"):
                if path != self.about.outside.parent:
                    path.unlink()
                    yield f"left a file in {folder}"


@contextlib.contextmanager
def watched(course: Path, student: str, user: str | None = None) -> Iterator[Watch]:
    """Surroundings for one hand-in; `user` is whose process the victim is."""
    token = f"loot{secrets.token_hex(5)}"
    room = Path(tempfile.mkdtemp(prefix=f"{token}-"))
    outside, site = room / "outside", room / "site"
    try:
        for folder in (outside, site):
            folder.mkdir()
        (outside / "precious.txt").write_text("precious")
        (outside / "secret.txt").write_text(f"the secret of {token}")
        with contextlib.ExitStack() as stack:
            doors = {name: stack.enter_context(door) for name, door in _doors(outside, token)}
            for path in (room, outside, site, *outside.iterdir()):
                path.chmod(0o777 if path.is_dir() or path.is_socket() else 0o666)
            victim = subprocess.Popen(
                [f"sleep-{token}", "3600"],
                executable=shutil.which("sleep"),
                user=user,
                start_new_session=True,
            )
            stack.callback(victim.wait)
            stack.callback(victim.kill)
            port = doors["a TCP port"].getsockname()[1]
            about = Surroundings(
                course, student, outside, site, victim.pid, port, f"door-{token}", token
            )
            yield Watch(about, victim, doors, state(outside, site))
    finally:
        shutil.rmtree(room)


def hand_in_to(course: courses.Course, hand_in: HandIn, watch: Watch):
    """Make a hand-in, and hand it in."""
    about = watch.about
    made = hand_in.make(courses.released(course, tiny.NAME), about)
    folder = courses.hand_in(
        course, about.student, made.content, assignment=tiny.NAME, name=made.name, files=made.files
    )
    for name, target in made.links.items():
        (folder / name).symlink_to(target)


def confessions(notebook: NotebookNode) -> list[str]:
    """What the outputs say that was done."""
    lines = texts(notebook).replace("\\n", "\n").splitlines()
    return sorted({line.strip()[:100] for line in lines if line.strip().startswith("DONE:")})


def texts(notebook: NotebookNode, *, tracebacks: bool = True) -> str:
    """All outputs of a notebook."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return "\n".join(_output(output, tracebacks) for cell in cells for output in cell.outputs)


def _output(output: NotebookNode, tracebacks: bool) -> str:
    match output.output_type:
        case "stream":
            return output.text
        case "error":
            return "\n".join([output.ename, output.evalue, *(output.traceback * tracebacks)])
        case _:
            return "\n".join(str(value) for value in output.data.values())


def _doors(outside: Path, token: str) -> Iterator[tuple[str, socket.socket]]:
    tcp = socket.create_server(("127.0.0.1", 0))
    port = tcp.getsockname()[1]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", port))
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0door-{token}")
    named = socket.socket(socket.AF_UNIX)
    named.bind(str(outside / "door.sock"))
    for door in (abstract, named):
        door.listen()
    found = {
        "a TCP port": tcp,
        "a UDP port": udp,
        "an abstract socket": abstract,
        "a named socket": named,
    }
    for name, door in found.items():
        door.setblocking(False)
        yield name, door


def _was_reached(door: socket.socket) -> bool:
    try:
        if door.type == socket.SOCK_DGRAM:
            door.recv(1)
        else:
            door.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def _processes(token: str, victim: int) -> list[int]:
    """Processes that have the token in their name or command."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "comm").read_bytes() + (path / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        if token.encode() in words and int(path.name) != victim:
            found.append(int(path.name))
    return found


def state(*roots: Path) -> dict[str, object]:
    """What lies in folders, by path."""
    return {
        str(path.relative_to(root.parent)): _content(path)
        for root in roots
        for folder, _, names in os.walk(root)
        for path in (Path(folder) / name for name in names)
    }


def course_state(course: courses.Course) -> dict[str, object]:
    """What no hand-in may change in the course: files, and the gradebook's tests."""
    grading = course.root / "grading"
    roots = [path for path in course.root.iterdir() if path.is_dir() and path != grading]
    found = state(*roots, grading / "submitted")
    found["nbgrader_config.py"] = _content(course.root / "nbgrader_config.py")
    with contextlib.closing(sqlite3.connect(grading / "gradebook.db")) as connection:
        for table, columns in (("source_cell", "id, source"), ("grade_cells", "id, max_score")):
            rows = connection.execute(f"select {columns} from {table} order by id")
            found[f"the gradebook's {table}"] = rows.fetchall()
    return found


def _content(path: Path) -> object:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(path)
    if not stat.S_ISREG(status.st_mode):
        return stat.S_IFMT(status.st_mode)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def differences(before: dict[str, object], after: dict[str, object]) -> Iterator[str]:
    """Say in words what has changed between two states."""
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            yield f"deleted {path}"
        elif path not in before:
            yield f"wrote {path}"
        elif before[path] != after[path]:
            yield f"changed {path}"
