"""nbgrader's step that runs a hand-in, with the student's code and the tests kept apart.

In `nbgrader_config.py`, `SealedExecute` stands where `Execute` does by default:

    c.Autograde.autograde_preprocessors = ["sealed.execute.SealedExecute", ...]
"""

import base64
import json
import os
from dataclasses import asdict, fields
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, Dict, Unicode

from sealed import grading, sandbox
from sealed.limits import Limits
from sealed.plan import is_test
from sealed.storage import write_atomically


class SealedExecute(NbGraderPreprocessor):
    """Runs the notebook in sealed processes, and writes the outputs that decide the marks."""

    unsealed = Bool(
        False, help="Run hand-ins without a sandbox: only for code that you trust."
    ).tag(config=True)
    limits = Dict(
        {}, help=f"Bounds of a session that differ from the usual: {asdict(Limits())}"
    ).tag(config=True)
    records = Unicode(
        "grading/sealed",
        help="Folder in the course for what the instructor may know of each hand-in.",
    ).tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Run the notebook; keep the record of it.

        Raises
        ------
        SandboxError
            If this machine cannot seal, and `unsealed` is not set.
        ValueError
            If a test of the hand-in is not that of the source notebook.
        """
        result = json.loads(self.mark(self.job(nb, resources)))
        executed = NotebookNode(nbformat.from_dict(result.pop("notebook")))
        self.write_record(result, resources)
        if result["problem"]:
            self.log.warning(
                "%s, %s: %s",
                resources["nbgrader"]["student"],
                resources["nbgrader"]["notebook"],
                result["problem"],
            )
        return executed, resources

    def job(self, nb: NotebookNode, resources: dict) -> bytes:
        """Return the job for `sealed.grading.mark`: all that the result depends on."""
        names = resources["nbgrader"]
        course = self.course
        source_folder = Path(course.format_path(course.source_directory, ".", names["assignment"]))
        path = source_folder / f"{names['notebook']}.ipynb"
        source = nbformat.read(path, 4)
        _check_tests(nb, source, path)
        here = Path(
            course.format_path(course.autograded_directory, names["student"], names["assignment"])
        )
        handed_in = Path(
            course.format_path(course.submitted_directory, names["student"], names["assignment"])
        )
        limits = Limits(**self._checked_limits())
        source_files = files_of(source_folder, limits)
        _remove_links(handed_in, here)
        files, refused = {}, ""
        try:
            files = files_of(here, limits)
        except TooMuch as error:
            refused = str(error)
        return grading.job_of(
            source,
            nb,
            limits=limits,
            sealed=self._is_sealed(),
            files=files,
            source_files=source_files,
            refused=refused,
        )

    def mark(self, job: bytes) -> bytes:
        """Return the result of a job."""
        return grading.mark(job)

    @property
    def course(self) -> CourseDirectory:
        """The course that the hand-in belongs to."""
        converter = self.parent.parent  # type: ignore[union-attr]: nbgrader's, over the exporter
        return converter.coursedir

    def record_path(self, resources: dict) -> Path:
        """Return where the record of a hand-in is kept."""
        names = resources["nbgrader"]
        folder = Path(self.course.root) / self.records / names["assignment"] / names["student"]
        return folder / f"{names['notebook']}.json"

    def write_record(self, result: dict, resources: dict) -> None:
        """Keep what the instructor may know: marks, messages, details, times."""
        path = self.record_path(resources)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(result, indent=1).encode())

    def _is_sealed(self) -> bool:
        if self.unsealed:
            return False
        if not (probe := sandbox.probe()).sealed:
            raise sandbox.SandboxError(
                f"hand-ins cannot be sealed here: {probe.words}. "
                "SealedExecute.unsealed=True grades without a sandbox, as you"
            )
        return True

    def _checked_limits(self) -> dict:
        known = {f.name for f in fields(Limits)}
        if unknown := set(self.limits) - known:
            raise ValueError(
                f"SealedExecute.limits has {sorted(unknown)}; it may have {sorted(known)}"
            )
        return self.limits


class TooMuch(ValueError):
    """The files beside a notebook are more than a work folder may hold."""


def files_of(folder: Path, limits: Limits) -> dict[str, str]:
    """Return the files in a folder in base64 by relative path: no notebooks and no links.

    Raises
    ------
    TooMuch
        If they are larger than half of the work folder, or more than a thousand.
    """
    found, size = {}, 0
    for root, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if f != ".ipynb_checkpoints"]
        for name in names:
            path = Path(root) / name
            if path.suffix == ".ipynb" or path.is_symlink() or not path.is_file():
                continue
            size += path.stat().st_size
            if size > limits.disk_mb << 19 or len(found) >= 1000:
                raise TooMuch(
                    f"the files beside the notebook are too many or too large: at most 1000 and "
                    f"{limits.disk_mb / 2:g} MB are taken into the work folder"
                )
            relative = str(path.relative_to(folder))
            found[relative] = base64.b64encode(path.read_bytes()).decode()
    return found


def _remove_links(handed_in: Path, here: Path) -> None:
    """Remove from `here` what nbgrader copied from the targets of links in a hand-in."""
    for root, folders, names in os.walk(handed_in):
        for name in [*folders, *names]:
            path = Path(root) / name
            copied = here / path.relative_to(handed_in)
            if path.is_symlink() and copied.is_file():
                copied.unlink()


def _check_tests(nb: NotebookNode, source: NotebookNode, path: Path) -> None:
    """Check that nbgrader's gradebook and the source notebook have the same tests."""
    tests = {c.metadata.nbgrader.grade_id: c.source for c in source.cells if is_test(c)}
    for cell in nb.cells:
        if not is_test(cell) or "grade_id" not in cell.metadata.nbgrader:
            continue
        name = cell.metadata.nbgrader.grade_id
        if name not in tests or not cell.source.endswith(tests[name]):
            raise ValueError(
                f"the tests {name!r} in the gradebook are not those of {path}: "
                "run nbgrader generate_assignment, then grade again"
            )
