"""A PostgreSQL server for a test: on loopback, on a free port, with its data in a temporary folder.

The server refuses to run as root, so root runs it as the user `postgres` that Debian's package
makes. It listens on no socket file, and takes connections with a password of its own only.
"""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

LOOPBACK = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]


@contextmanager
def server() -> Iterator[str]:
    """Start a server; yields the URL of an empty database, as nbgrader's `db_url` takes it."""
    programs = _programs()
    user = (
        {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    )
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        password = Path(folder) / "password"
        password.write_text(secrets.token_hex(16))
        data, log = Path(folder) / "data", Path(folder) / "log"
        if user:
            owner = pwd.getpwnam("postgres")
            for path in (folder, password):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        options = ["--pgdata", data, "--username", "latent", "--pwfile", password, "--no-sync"]
        made = subprocess.run(
            [programs / "initdb", *options, "--auth", "scram-sha-256", "--encoding", "UTF8"],
            cwd="/",
            capture_output=True,
            text=True,
            **user,
        )
        assert made.returncode == 0, made.stderr
        port = _free_port()
        with log.open("w") as output:
            process = subprocess.Popen(
                [programs / "postgres", "-D", data, "-p", str(port), "-F", *LOOPBACK],
                cwd="/",
                stdout=output,
                stderr=output,
                **user,
            )
        try:
            url = f"postgresql+psycopg://latent:{password.read_text()}@127.0.0.1:{port}/postgres"
            _wait(url, process, log)
            yield url
        finally:
            process.send_signal(signal.SIGINT)  # ends connections, then itself
            process.wait(60)


def _programs() -> Path:
    """The folder with the server's programs: Debian has them outside of the PATH."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not folders:
        pytest.skip("PostgreSQL is not installed: apt install postgresql")
    return folders[-1].parent


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def _wait(url: str, process: subprocess.Popen, log: Path) -> None:
    engine = create_engine(url)
    try:
        for _ in range(600):
            assert process.poll() is None, log.read_text()
            try:
                with engine.connect() as connection:
                    connection.execute(text("SELECT 1"))
                return
            except OperationalError:
                time.sleep(0.1)
        raise AssertionError(f"PostgreSQL did not start: {log.read_text()}")
    finally:
        engine.dispose()
