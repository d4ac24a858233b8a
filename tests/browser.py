"""Chromium for the tests: serve a folder, open a page, record what it says and asks for.

``needs_chromium`` skips a test, with a line that says what to install, where there is none.
"""

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
ARGUMENTS = [
    "--no-sandbox",  # root in a container has no user namespace to build one from
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WHAT_IS_MISSING = (
    "needs Chromium: apt-get install chromium (or put one on the PATH)"
    if CHROMIUM is None
    else "needs playwright and axe: pip install playwright axe-playwright-python"
    if not (find_spec("playwright") and find_spec("axe_playwright_python"))
    else ""
)
needs_chromium = pytest.mark.skipif(bool(WHAT_IS_MISSING), reason=WHAT_IS_MISSING)


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; yield the address."""
    handler = functools.partial(_Silent, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def chromium() -> Iterator:
    """Yield a headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Record:
    """What a page said on the console and asked of the network."""

    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def elsewhere(self) -> list[str]:
        """Return the requests that left this machine."""
        hosts = [(url, urlsplit(url)) for url in self.requests]
        return [
            url
            for url, parts in hosts
            if parts.scheme not in ("file", "data", "blob") and parts.hostname != "127.0.0.1"
        ]

    def complaints(self) -> list[str]:
        """Return everything that a quiet page would not do."""
        return [*self.console, *self.failures, *(f"elsewhere: {u}" for u in self.elsewhere())]


@contextmanager
def open_page(browser, url: str, **context) -> Iterator[tuple]:
    """Open a page in a context of its own; yield it with its record.

    Requests to other hosts are recorded and refused.
    """
    window = browser.new_context(**context)
    record = Record()
    page = window.new_page()
    page.on("console", lambda message: record.console.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: record.console.append(f"pageerror: {error}"))
    page.on("request", lambda request: record.requests.append(request.url))
    page.on("requestfailed", lambda request: record.failures.append(f"failed: {request.url}"))
    page.on(
        "response", lambda r: r.status >= 400 and record.failures.append(f"{r.status}: {r.url}")
    )
    page.route(
        lambda address: Record(requests=[address]).elsewhere() != [], lambda route: route.abort()
    )
    try:
        page.goto(url)
        yield page, record
    finally:
        window.close()


def violations(page) -> list[str]:
    """Run axe-core on the page; return what breaks its rules, one line each."""
    from axe_playwright_python.sync_playwright import Axe

    # colours are judged as they are when nothing fades any more
    page.evaluate("Promise.all(document.getAnimations().map((a) => a.finished))")
    # a preload would fetch the style sheets anew, which no browser allows on file:
    response = Axe().run(page, options={"preload": False}).response
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:160]} | {node['failureSummary'][:300]}"
        for rule in response["violations"]
        for node in rule["nodes"]
        # axe finds no text in MathML, which screen readers read
        if not ("does not have text" in node["failureSummary"] and has_formula(page, node))
    ]


def has_formula(page, node: dict) -> bool:
    """Tell whether the element that axe complains of contains MathML."""
    return page.locator(node["target"][0]).locator("math").count() > 0
