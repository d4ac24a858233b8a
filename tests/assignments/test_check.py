"""Each assignment keeps its promises: `sealed check`, for every one that there is."""

import pytest
from notebooks import ROOT

from sealed import check, course


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "solutions").iterdir()))
def test_the_assignment_passes_its_check(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    (report,) = check.check(course.load(), name)
    assert report.passed, "\n".join(check.lines_of(report))
