"""What the tests of the widgets share."""

from pathlib import Path

import pytest

from tests.browser import serve
from tests.explorable import tiny_book


@pytest.fixture(scope="package")
def book(tmp_path_factory) -> Path:
    """The HTML of a tiny book with every control."""
    folder = tmp_path_factory.mktemp("tiny-book")
    tiny_book.write(folder, every_control=True)
    tiny_book.build(folder)
    return folder / "_build" / "html"


@pytest.fixture(params=["http", "file"])
def address(request, book):
    """Where the book stands: on a server, and on the disk."""
    if request.param == "file":
        yield book.as_uri()
    else:
        with serve(book) as url:
            yield url
