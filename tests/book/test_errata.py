"""The list of errata: complete for the lectures written, each with its check."""

import re

from tests.book.chapters import source


def entries() -> list[str]:
    """The entries of the list, each from its heading to the next."""
    return re.split(r"^### ", source("book/errata"), flags=re.M)[1:]


def test_each_entry_says_where_what_is_printed_and_what_is_right():
    assert len(entries()) >= 6
    for entry in entries():
        for part in ("**Where.**", "**Printed.**", "**Right.**"):
            assert part in entry, f"{part} is missing in: {entry[:60]}"


def test_each_entry_has_a_check_by_numbers_or_by_argument():
    for entry in entries():
        code = re.findall(r"^```\{code-cell\}.*?^```", entry, flags=re.M | re.S)
        assert "**Why.**" in entry or any("assert" in c for c in code), entry[:60]
