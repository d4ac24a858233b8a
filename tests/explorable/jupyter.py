"""Real front ends for the tests: JupyterLab, Notebook and Voilà, each in a home of its own."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import matplotlib
import nbformat
import pytest

from explorable.widget import FROZEN

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PACKAGES = ("jupyterlab", "notebook", "voila", "jupytext", "jupyterlab_myst")
MISSING = [name for name in PACKAGES if find_spec(name) is None]
needs_jupyter = pytest.mark.skipif(
    bool(MISSING), reason=f"needs Jupyter: pip install -e '.[lecture,book]' ({', '.join(MISSING)})"
)
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")

_RUNNING = re.compile(r"running at:.*?(http://127\.0\.0\.1:\d+)", re.DOTALL)
_QUIET = {
    "ServerApp": {"ip": "127.0.0.1", "port": 0, "open_browser": False, "allow_root": True},
    "IdentityProvider": {"token": ""},
}
_NO_NEWS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}
# a cell that is run before the kernel is there is not run at all
_READY = (
    '.jp-NotebookPanel-toolbar:not(:has-text("No Kernel"))'
    ' .jp-Notebook-ExecutionIndicator[data-status="idle"]'
)


def wait_for_kernel(page) -> None:
    """Wait until the notebook that is open has a kernel at rest."""
    page.wait_for_selector(_READY)


def run_all(page) -> None:
    """Run every cell of the notebook that is open."""
    wait_for_kernel(page)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def no_need_to_run(page) -> None:
    """Voilà runs a notebook when it is opened."""


@dataclass(frozen=True)
class FrontEnd:
    """A front end: how it is started, where it shows a notebook, how it runs one."""

    start: tuple[str, ...]
    address: str
    run: Callable
    # what its own code says and asks for, as regular expressions
    own: tuple[str, ...] = ()


_OWN_LAB = (r"^warning: Plugin @jupyterlab/\S+ .* took [\d.]+ms to activate\.$",)
# of menus and documents; the error is one of Notebook's settings registry that nobody handles,
# in a notebook without a widget as well
_OWN_NOTEBOOK = (
    *_OWN_LAB,
    r"^warning: Menu entry for command '[\w:-]+' is duplicated\.$",
    r"^warning: \[yjs#509\] Not same Y\.Doc$",
    r"^pageerror: Cannot read properties of undefined \(reading 'schema'\)$",
)
# its template names a font of icons on another host, which we use nowhere (the console does not
# name what it could not load, the record of failed requests does); it is built on an older
# JupyterLab than the manager of the widgets asks for
_OWN_VOILA = (
    r"^(failed|elsewhere): https://cdn\.jsdelivr\.net/npm/@fortawesome/fontawesome-free@",
    r"^error: Failed to load resource: net::ERR_FAILED$",
    r"^warning: Unsatisfied version .* of shared singleton module @jupyterlab/",
    r"^warning: No satisfying version .* of shared module @jupyterlab/",
)
# the extensions of JupyterLab that have no part in a page of Voilà, where they fail to start
_NOT_FOR_VOILA = (
    "jupyterlab-myst",
    "jupyterlab-jupytext",
    "@jupyter/nbgrader",
    "@jupyter-notebook/lab-extension",
)

LAB = FrontEnd(("jupyter", "lab"), "/lab/tree/{}", run_all, _OWN_LAB)
NOTEBOOK = FrontEnd(("jupyter", "notebook"), "/notebooks/{}", run_all, _OWN_NOTEBOOK)
VOILA = FrontEnd(
    (
        "voila",
        "--no-browser",
        "--Voila.ip=127.0.0.1",
        "--Voila.port={port}",
        *(f"--VoilaConfiguration.extension_denylist={name}" for name in _NOT_FOR_VOILA),
    ),
    "/voila/render/{}",
    no_need_to_run,
    _OWN_VOILA,
)


def environment(home: Path, settings: Mapping = _NO_NEWS) -> dict[str, str]:
    """Return variables that keep a server to `home`, and write its configuration there.

    `settings` are JupyterLab's, by plugin.
    """
    config = home / "config"
    (config / "labconfig").mkdir(parents=True)
    (config / "jupyter_server_config.json").write_text(json.dumps(_QUIET))
    (config / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(settings))
    outer = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER") and k != FROZEN}
    return outer | {
        "HOME": str(home),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "MPLCONFIGDIR": matplotlib.get_cachedir(),  # or each kernel would look at every font
        "PYTHONUNBUFFERED": "1",  # the address is read from the log
    }


@contextmanager
def server(command: list[str], env: dict[str, str], folder: Path) -> Iterator[str]:
    """Start a server in `folder`; yield its address."""
    log = Path(env["HOME"]) / "log.txt"
    with log.open("w") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdout=file, stderr=file, start_new_session=True
        )
    try:
        yield _address(process, log)
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # the group: `make` has a server of its own
        process.wait(timeout=30)


def command(front_end: FrontEnd) -> list[str]:
    """Return what starts the server."""
    name, *options = front_end.start
    return [str(BIN / name), *(option.format(port=_free_port()) for option in options)]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _address(process: subprocess.Popen, log: Path, seconds: float = 60) -> str:
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        if found := _RUNNING.search(log.read_text()):
            return found.group(1)
        time.sleep(0.05)
    raise RuntimeError(f"no server: {process.args}\n{log.read_text()[-4000:]}")


def write_notebook(path: Path, *cells: str) -> None:
    """Write a notebook of code cells."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
    )
    nbformat.write(notebook, path)


def problems(record, own: tuple[str, ...]) -> list[str]:
    """Return what the page complained of, except what the front end itself is known to say."""
    chatter = ("debug: ", "log: ", "info: ")  # reports of extensions, no complaints
    return [
        text
        for text in record.complaints()
        if not text.startswith(chatter) and not any(re.search(known, text) for known in own)
    ]
