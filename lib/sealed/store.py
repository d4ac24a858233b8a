"""What a run of `sealed grade` leaves on disk, so that the next one goes on where it ended.

    grading/sealed/ASSIGNMENT/.grading/results/DIGEST    the result of a job, by the job's SHA-256
    grading/sealed/ASSIGNMENT/.grading/hand-ins/STUDENT  a hand-in whose marks are in the gradebook
    grading/sealed/ASSIGNMENT/.grading/run/started       the marks before a run that has not ended

Every file is there whole or not at all. A file of `hand-ins` is written after the gradebook has the
marks: whatever ends a run, a hand-in without one is graded again, from its stored result if that is
there, and the gradebook has one row for each mark to write it to.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sealed.executors import Stop
from sealed.storage import write_atomically


@dataclass(frozen=True)
class Finished:
    """A hand-in whose marks are in the gradebook.

    Attributes
    ----------
    inputs : str
        Digest of everything that the marks came from.
    jobs : list of str
        Digests of its jobs.
    problem : str
        Why it could not be graded, or not to its end; empty if all is well.
    """

    inputs: str
    jobs: list[str]
    problem: str


class Store:
    """The files of one assignment."""

    def __init__(self, folder: Path):
        self._results = folder / ".grading" / "results"
        self._hand_ins = folder / ".grading" / "hand-ins"
        self._run = folder / ".grading" / "run"
        for made in (self._results, self._hand_ins, self._run):
            made.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs of the same assignment out.

        Raises
        ------
        Stop
            If there is one.
        """
        with (self._run / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                words = f"process {file.read().strip()} is grading this assignment"
                raise Stop(f"{words}: let it end, or interrupt it") from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def result(self, digest: str) -> bytes | None:
        """Return the stored result of a job."""
        try:
            return (self._results / digest).read_bytes()
        except FileNotFoundError:
            return None

    def keep(self, digest: str, result: bytes) -> None:
        """Store the result of a job."""
        write_atomically(self._results / digest, result)

    def finished(self) -> dict[str, Finished]:
        """Return the hand-ins whose marks are in the gradebook, by student."""
        return {
            path.name: Finished(**json.loads(path.read_bytes()))
            for path in self._hand_ins.iterdir()
            if not path.name.startswith(".")
        }

    def finish(self, student: str, finished: Finished) -> None:
        """Note that the marks of a hand-in are in the gradebook."""
        write_atomically(self._hand_ins / student, json.dumps(asdict(finished)).encode())

    def forget(self, students: list[str]) -> None:
        """Have hand-ins graded anew."""
        for student in students:
            (self._hand_ins / student).unlink(missing_ok=True)

    def begin(self, run: dict) -> dict:
        """Return the run that has not ended, or else begin this one.

        Parameters
        ----------
        run : dict
            Anything that JSON can hold; it is what the first call of a run gave until `end`.
        """
        path = self._run / "started"
        if not path.exists():
            write_atomically(path, json.dumps(run).encode())
        return json.loads(path.read_bytes())

    def end(self) -> None:
        """End the run; results that no hand-in was graded with any more are removed."""
        used = {job for finished in self.finished().values() for job in finished.jobs}
        for path in self._results.iterdir():
            if path.name not in used:
                path.unlink()
        (self._run / "started").unlink()
