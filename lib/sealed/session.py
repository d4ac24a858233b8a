"""A session: a student's and an examiner's process, and what passes between them.

Calls go through here, from the examiner to the student and back, as bytes that are counted and not
read: each side decodes for itself.
"""

import time
from types import TracebackType

from sealed import outputs
from sealed.inside import wire
from sealed.limits import Limits
from sealed.sandbox import Process

ASK = b'{"ask":'


class Session:
    """Runs cells in the student's process and tests in the examiner's, in turn.

    Attributes
    ----------
    stopped : str
        Why the student's process is no longer there, in words; "" while it is.
    failed : str
        Why the examiner's is not: a fault of the tests, not of the student.
    """

    def __init__(self, student: Process, examiner: Process, limits: Limits):
        self.student, self.examiner, self.limits = student, examiner, limits
        self.stopped = self.failed = ""
        self._late = False
        self.cpu_seconds = 0.0
        self._end = time.monotonic() + limits.hand_in_seconds
        # a process that keeps to its limit has room to say that something is left out
        self._room = 2 * (limits.output_kb << 10)

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in (self.student, self.examiner):
            process.stop()
            self.cpu_seconds += process.cpu_seconds

    def run(self, source: str, count: int) -> tuple[list[dict], bool]:
        """Run a cell under a number; return its outputs and whether it went without an error."""
        answer = self._student(wire.dumps({"run": source, "count": count}), self._seconds())
        if answer is None:
            return [_error("NotRun", self.stopped)], False
        try:
            message = wire.loads(answer)
            made, self._room = outputs.kept(message["outputs"], self._room)
            return made, message["succeeded"] is True
        except (wire.WireError, TypeError, KeyError):
            self._stop("the student's process sent something that is no output")
            return [_error("NotRun", self.stopped)], False

    def share(self, names: tuple[str, ...], source: str) -> None:
        """Run a cell of the instructor's in the examiner's process, where it may use the names."""
        seconds = self._seconds()
        self._examiner({"names": names}, seconds)
        self._examiner({"share": source}, seconds)

    def test(self, names: tuple[str, ...], source: str, grade_id: str) -> dict:
        """Run a test cell; return the examiner's answer (`sealed.inside.examiner`)."""
        seconds = self._seconds()
        self._examiner({"names": names}, seconds)
        answer = self._examiner({"test": source, "id": grade_id}, seconds)
        answer["outputs"], self._room = outputs.kept(answer["outputs"], self._room)
        return answer

    def _seconds(self) -> float:
        return max(min(self.limits.cell_seconds, self._end - time.monotonic()), 0.0)

    def _examiner(self, message: dict, seconds: float) -> dict:
        if not self.failed:
            try:
                return self._converse(wire.dumps(message), time.monotonic() + seconds)
            except wire.Late:
                self.failed = "the tests did not end in time"
            except (wire.Closed, wire.WireError) as error:
                self.failed = f"the examiner's process ended: {error}"
        return {
            "passed": False,
            "outputs": [],
            "error": ["NotTested", self.failed],
            "traceback": "",
            "student_traceback": "",
            "from_student": "",
            "called": "",
            "words": self.failed,
        }

    def _converse(self, frame: bytes, end: float) -> dict:
        channel = self.examiner.channel
        channel.send(frame, max(end - time.monotonic(), 0.0) + self.limits.grace_seconds / 2)
        while True:
            # the student's last call may come late by the grace, and be stopped
            reply, _ = channel.receive(end + 2 * self.limits.grace_seconds - time.monotonic())
            if not reply.startswith(ASK):
                return wire.loads(reply)
            answer = self._student(reply[len(ASK) : -1], max(end - time.monotonic(), 0.0))
            channel.send(answer if answer is not None else self._no_answer())

    def _no_answer(self) -> bytes:
        if self._late:
            return wire.dumps({"late": True})
        return wire.dumps({"error": [[["", "ProcessEnded"]], {"list": [self.stopped]}]})

    def _student(self, frame: bytes, seconds: float) -> bytes | None:
        """Ask the student's process; None if it is gone."""
        if self.stopped:
            return None
        if time.monotonic() >= self._end:
            self._stop(f"the notebook took longer than {self.limits.hand_in_seconds:g} seconds")
            self._late = True
            return None
        try:
            return self.student.ask(frame, seconds)
        except wire.Late:
            self._stop("a cell or a function did not end in time, nor could it be interrupted")
            self._late = True
        except wire.Closed:
            self._stop("the Python process ended (a crash, too much CPU time, or an exit)")
        except wire.WireError as error:
            self._stop(f"a cell or a function gave too much: {error}")
        return None

    def _stop(self, why: str) -> None:
        self.stopped = why
        self.student.stop()


def _error(name: str, words: str) -> dict:
    return {"output_type": "error", "ename": name, "evalue": words, "traceback": [words]}
