"""Pages executed side by side, before Sphinx reads them one at a time.

myst-nb executes a page when Sphinx reads it, unless its cache has the page already. So the
cache is filled first, with one kernel at work on each core. Kernels are processes of their
own: a single event loop serves them all, and it alone writes the cache.
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn, JupyterCacheAbstract
from jupyter_cache.utils import Timer
from myst_nb.core.config import NbParserConfig
from myst_nb.core.read import create_nb_reader
from myst_nb.sphinx_ import SphinxEnvType
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.util import logging

_LOGGER = logging.getLogger(__name__)


def execute_pages(app: Sphinx, env: SphinxEnvType, docnames: list[str]) -> None:
    """Execute the pages that myst-nb would not find in its cache, and put them there.

    Pages with myst-nb settings of their own are left to myst-nb.

    Parameters
    ----------
    app, env, docnames
        What Sphinx passes on ``env-before-read-docs``: the names are of the pages to be read.

    Raises
    ------
    SphinxError
        If a page is malformed, or fails while ``nb_execution_raise_on_error`` is set. The
        message has its path and the traceback. Pages at work are given up at their next cell.
    """
    config = env.mystnb_config
    if config.execution_mode != "cache" or config.kernel_rgx_aliases:
        return
    cache = get_cache(config.execution_cache_path)
    cached = {record.hashkey for record in cache.list_cache_records()}
    missing = {}  # by key, since pages with the same code share a place in the cache
    for path in (Path(env.doc2path(name)) for name in docnames):
        notebook = _read(path, env)
        excluded = any(path.match(pattern) for pattern in config.execution_excludepatterns)
        if notebook is None or config.metadata_key in notebook.metadata or excluded:
            continue
        _, key = cache.create_hashed_notebook(notebook)
        if key not in cached:
            missing.setdefault(key, (path, notebook))
    failures = asyncio.run(_execute_all(missing.values(), config, cache))
    if failures:
        raise failures[0]


def _read(path: Path, env: SphinxEnvType) -> NotebookNode | None:
    """Return a page as myst-nb reads it, or None if it is no notebook."""
    text = path.read_text(env.config.source_encoding)
    reader = create_nb_reader(str(path), env.myst_config, env.mystnb_config, text)
    try:
        return reader and reader.read(text)
    except Exception as error:
        raise SphinxError(f"{path} cannot be read as a notebook: {error}") from error


async def _execute_all(
    pages: Iterable[tuple[Path, NotebookNode]], config: NbParserConfig, cache: JupyterCacheAbstract
) -> list[SphinxError]:
    """Execute and cache the pages, as many at a time as there are cores; return what failed."""
    cores = asyncio.Semaphore(os.cpu_count() or 1)
    failures: list[SphinxError] = []

    def check(**cell) -> None:
        if failures:  # to cancel the task instead could leave its kernel behind
            raise CellControlSignal("another page has failed")

    async def execute(path: Path, notebook: NotebookNode) -> None:
        async with cores:
            try:
                check()
                await _execute(path, notebook, config, cache, check)
            except Exception as error:
                failure = SphinxError(f"{path} failed with {type(error).__name__}:\n{error}")
                if not isinstance(error, CellControlSignal):
                    raise failure from error  # a kernel that is missing or dead, by Ctrl-C too
                if config.execution_raise_on_error:  # else myst-nb meets it again and reports it
                    failures.append(failure)

    await asyncio.gather(*(execute(*page) for page in pages))
    return failures


async def _execute(
    path: Path,
    notebook: NotebookNode,
    config: NbParserConfig,
    cache: JupyterCacheAbstract,
    check: Callable[..., None],
) -> None:
    """Execute a page as myst-nb does, with a check before each cell, and cache it."""
    own = notebook.metadata.get("execution", {})
    folder = TemporaryDirectory() if config.execution_in_temp else nullcontext(path.parent)
    with folder as cwd, Timer() as timer:
        await NotebookClient(
            notebook,
            resources={"metadata": {"path": str(cwd)}},
            timeout=own.get("timeout", config.execution_timeout),
            allow_errors=own.get("allow_errors", config.execution_allow_errors),
            record_timing=False,
            on_cell_start=check,
        ).async_execute()
    _LOGGER.info("Executed notebook in %.2f seconds: %s", timer.last_split, path)
    data = {"execution_seconds": timer.last_split}
    bundle = CacheBundleIn(notebook, str(path), data=data)
    cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
