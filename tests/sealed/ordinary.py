"""Runs a command as a user without rights, also where the tests run as root."""

import os
import stat
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UID = "1000"


def command(*arguments: str) -> list[str]:
    """The command that runs Python with these arguments as an ordinary user.

    Root's Python and this repository may lie where others cannot look: they are mounted so that
    they can.
    """
    python = [sys.executable, *arguments]
    if os.geteuid() != 0:
        return python
    options = ["--dev-bind", "/", "/"]
    covered: set[Path] = set()
    for path in (ROOT, Path(sys.prefix), Path(sys.base_prefix).resolve()):
        closed = [p for p in [*reversed(path.parents), path] if not _is_open(p)]
        if not closed:
            continue
        if closed[0] not in covered:
            options += ["--perms", "0755", "--tmpfs", str(closed[0])]
            covered.add(closed[0])
        for parent in reversed(path.parents):
            if parent.is_relative_to(closed[0]):
                options += ["--perms", "0755", "--dir", str(parent)]
        options += ["--ro-bind", str(path), str(path)]
    drop = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--bounding-set=-all"]
    environment = ["env", "HOME=/tmp", "MPLCONFIGDIR=/tmp/sealed-tests-matplotlib"]
    return ["bwrap", *options, "--", *drop, *environment, *python]


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IXOTH)
