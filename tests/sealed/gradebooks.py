"""Gradebooks for the tests, without the two seconds that nbgrader takes to make each."""

import functools
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbgrader.api import Gradebook


@functools.cache
def _empty() -> bytes:
    """What an empty gradebook's file holds."""
    path = os.environ["PATH"]
    # nbgrader runs `alembic` by name: it is beside this Python
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), path])
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "gradebook.db"
            Gradebook(f"sqlite:///{file}", "latent").close()
            return file.read_bytes()
    finally:
        os.environ["PATH"] = path


@contextmanager
def gradebook(folder: Path) -> Iterator[Gradebook]:
    """The gradebook of a folder, made if it is missing."""
    file = folder / "gradebook.db"
    if not file.exists():
        file.write_bytes(_empty())
    with Gradebook(f"sqlite:///{file}", "latent") as book:
        yield book
