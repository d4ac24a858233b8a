"""What a student's and an examiner's process have in common once they are alone."""

import base64
import importlib
import os
import pathlib
import socket
import sys

from sealed.inside import wire
from sealed.inside.cells import Cells


def serve(role: str, sock: socket.socket, cells: Cells, settings: dict, limits: dict) -> None:
    """Serve as "student" or "examiner" until the other side goes."""
    sys.path.append(os.getcwd())  # last: a file that was handed in hides no module
    channel = wire.Channel(sock, limits["message_mb"] << 20)
    try:
        write_files(wire.loads(channel.receive()[0])["files"])
        channel.send(wire.dumps({}))
        importlib.import_module(f"sealed.inside.{role}").serve(channel, cells, settings)
    except wire.Closed:
        return


def write_files(files: dict[str, str]) -> None:
    """Write files, given in base64 by relative path, into the current folder."""
    folder = pathlib.Path.cwd()
    for name, content in files.items():
        path = (folder / name).resolve()
        if folder not in path.parents:
            raise ValueError(f"{name!r} would lie outside the work folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(content))
