"""Settings that every test shares."""

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.browser import chromium

ROOT = Path(__file__).parents[1]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With LATENT_NO_SKIP set, as in continuous integration, a skipped test is a failed one."""
    report = yield
    if report.skipped and os.environ.get("LATENT_NO_SKIP"):
        report.outcome = "failed"
        report.longrepr = f"skipped where no test may be: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter):
    """Say once why tests were skipped, which is what to install."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, n in reasons.items():
        terminalreporter.write_line(f"{n} tests skipped: {reason}", yellow=True)


@pytest.fixture(scope="session")
def html() -> Path:
    """The folder of the built book."""
    folder = ROOT / "_build" / "html"
    if not (folder / "book" / "index.html").exists():
        pytest.fail("the book is not built: run `make book` first")
    return folder


@pytest.fixture(scope="module")
def browser():
    """One Chromium for all tests of a file."""
    with chromium() as browser:
        yield browser
