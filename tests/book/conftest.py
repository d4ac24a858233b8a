"""Settings of the tests of the book."""

import pytest

from tests.browser import serve
from tests.unchecked import unchecked


@pytest.fixture(scope="module", autouse=True)
def as_readers_run():
    """The code of the chapters at a reader's pace, not slowed by shape checks."""
    with unchecked():
        yield


@pytest.fixture(scope="module")
def server(html):
    """The book on a server of this machine."""
    with serve(html) as url:
        yield url
