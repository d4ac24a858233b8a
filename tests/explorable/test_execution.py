"""Pages of the book executed side by side into myst-nb's cache."""

import os
import re
from types import SimpleNamespace

import pytest
from jupyter_cache import get_cache
from myst_nb.core.config import NbParserConfig
from myst_parser.config.main import MdParserConfig
from sphinx.errors import SphinxError

from explorable.execution import execute_pages
from tests.explorable import tiny_book

pytestmark = pytest.mark.slow

MEET = """
import pathlib, time
pathlib.Path("{mine}").touch()
while not pathlib.Path("{other}").exists():
    time.sleep(0.05)
"""
PID = 'import os, pathlib\npathlib.Path("pid").write_text(str(os.getpid()))'
OUTLIVE = """
import contextlib, os
with contextlib.suppress(ProcessLookupError):
    while os.kill(int(pathlib.Path("pid").read_text()), 0) is None:
        time.sleep(0.05)
time.sleep(1)
"""
LOG = 'with open("log", "a") as log:\n    log.write("{name}\\n")'


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def write(folder, name, *cells, header=tiny_book.HEADER):
    """Write a page of code cells."""
    text = "".join(f"```{{code-cell}} ipython3\n{cell}\n```\n\n" for cell in cells)
    (folder / f"{name}.md").write_text(f"{header}\n# A page\n\n{text}")


def execute(folder, *names, **settings):
    """Execute the pages, with the settings that myst-nb calls execution_…"""
    defaults = {"mode": "cache", "cache_path": str(folder / "cache"), "raise_on_error": True}
    settings = {f"execution_{key}": value for key, value in {**defaults, **settings}.items()}
    environment = SimpleNamespace(
        doc2path=lambda name: str(folder / f"{name}.md"),
        config=SimpleNamespace(source_encoding="utf-8-sig"),
        myst_config=MdParserConfig(),
        mystnb_config=NbParserConfig(**settings),
    )
    execute_pages(SimpleNamespace(), environment, list(names))


def cached(folder):
    """Return the paths of the pages in the cache."""
    return sorted(record.uri for record in get_cache(folder / "cache").list_cache_records())


def log(folder):
    """Return the names of the pages that ran, in the order in which they did."""
    return (folder / "log").read_text().split() if (folder / "log").exists() else []


def test_pages_run_side_by_side(tmp_path):
    # each waits for the other: one after the other they would end in a timeout
    write(tmp_path, "one", MEET.format(mine="one", other="two"))
    write(tmp_path, "two", MEET.format(mine="two", other="one"))
    execute(tmp_path, "one", "two", timeout=60)
    assert cached(tmp_path) == [str(tmp_path / "one.md"), str(tmp_path / "two.md")]


def test_no_more_pages_run_at_a_time_than_there_are_cores(tmp_path):
    # neither of the first two ends before both have given the third a second to start in
    look = 'time.sleep(1)\nassert not pathlib.Path("third").exists()'
    for mine, other in (("one", "two"), ("two", "one")):
        meet_again = MEET.format(mine=f"{mine} looked", other=f"{other} looked")
        write(tmp_path, mine, MEET.format(mine=mine, other=other), look, meet_again)
    write(tmp_path, "three", 'import pathlib\npathlib.Path("third").touch()')
    execute(tmp_path, "one", "two", "three", timeout=60)
    assert len(cached(tmp_path)) == 3


def test_only_what_changed_is_executed_again(tmp_path):
    for name in ("one", "two"):
        write(tmp_path, name, LOG.format(name=name))
    execute(tmp_path, "one", "two")
    assert sorted(log(tmp_path)) == ["one", "two"]
    execute(tmp_path, "one", "two")
    assert len(log(tmp_path)) == 2

    page = tmp_path / "two.md"
    page.write_text(page.read_text().replace("# A page", "# Other words"))
    execute(tmp_path, "one", "two")
    assert len(log(tmp_path)) == 2

    write(tmp_path, "two", LOG.format(name="changed"))
    execute(tmp_path, "one", "two")
    assert log(tmp_path)[2:] == ["changed"]


def test_the_same_code_on_two_pages_is_executed_once(tmp_path):
    write(tmp_path, "one", LOG.format(name="both"))
    write(tmp_path, "two", LOG.format(name="both"))
    execute(tmp_path, "one", "two")
    assert log(tmp_path) == ["both"]


def test_a_failure_names_its_page_and_ends_the_other_pages(tmp_path):
    write(tmp_path, "good", LOG.format(name="good"))
    execute(tmp_path, "good")
    write(tmp_path, "long", MEET.format(mine="long", other="bad"), OUTLIVE, LOG.format(name="long"))
    write(tmp_path, "bad", PID, MEET.format(mine="bad", other="long"), "1 / 0")
    write(tmp_path, "later", LOG.format(name="later"))
    with pytest.raises(SphinxError, match=r"(?s)bad\.md failed with .*1 / 0.*ZeroDivisionError"):
        execute(tmp_path, "good", "long", "bad", "later", timeout=60)
    assert cached(tmp_path) == [str(tmp_path / "good.md")]
    assert log(tmp_path) == ["good"]


def test_pages_that_fail_together_leave_no_kernel(tmp_path):
    for mine, other in (("one", "two"), ("two", "one")):
        pid = PID.replace('"pid"', f'"{mine}.pid"')
        write(tmp_path, mine, pid, MEET.format(mine=mine, other=other) + "1 / 0")
    with pytest.raises(SphinxError, match="ZeroDivisionError"):
        execute(tmp_path, "one", "two", timeout=60)
    for name in ("one", "two"):
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / f"{name}.pid").read_text()), 0)


def test_a_kernel_that_dies_names_its_page(tmp_path):
    write(tmp_path, "deadly", "import os\nos._exit(1)")
    with pytest.raises(SphinxError, match=r"deadly\.md failed with DeadKernelError"):
        execute(tmp_path, "deadly", raise_on_error=False)


def test_a_page_that_cannot_be_read_is_named(tmp_path):
    write(tmp_path, "odd", ":tags: [never closed\n1 + 1")
    with pytest.raises(SphinxError, match=r"odd\.md cannot be read .* cell 1 at line 9"):
        execute(tmp_path, "odd")


def test_a_failure_is_left_to_myst_nb_where_errors_do_not_stop_the_build(tmp_path):
    write(tmp_path, "bad", "1 / 0")
    write(tmp_path, "good", "print(1)")
    execute(tmp_path, "bad", "good", raise_on_error=False)
    assert cached(tmp_path) == [str(tmp_path / "good.md")]


def test_errors_can_be_allowed_for_all_pages_and_for_one(tmp_path):
    write(tmp_path, "bad", "1 / 0")
    execute(tmp_path, "bad", allow_errors=True)
    own = tiny_book.HEADER.replace("kernelspec", "execution: {allow_errors: true}\nkernelspec")
    write(tmp_path, "other", "2 / 0", header=own)
    execute(tmp_path, "other")
    assert cached(tmp_path) == [str(tmp_path / "bad.md"), str(tmp_path / "other.md")]


def test_the_timeout_holds_for_all_pages_and_a_page_can_have_its_own(tmp_path):
    slow = "import time\ntime.sleep(3)"
    write(tmp_path, "slow", slow)
    with pytest.raises(SphinxError, match=r"slow\.md failed with .*\nA cell .* after 1 seconds"):
        execute(tmp_path, "slow", timeout=1)
    own = tiny_book.HEADER.replace("kernelspec", "execution: {timeout: 60}\nkernelspec")
    write(tmp_path, "slow", slow, header=own)
    execute(tmp_path, "slow", timeout=1)
    assert cached(tmp_path) == [str(tmp_path / "slow.md")]


def test_a_page_runs_in_its_own_folder_or_in_a_temporary_one(tmp_path):
    where = LOG.format(name='" + __import__("os").getcwd() + "')
    write(tmp_path, "here", where.replace('"log"', f'"{tmp_path}/log"'))
    execute(tmp_path, "here")
    write(tmp_path, "there", "# elsewhere\n" + where.replace('"log"', f'"{tmp_path}/log"'))
    execute(tmp_path, "there", in_temp=True)
    here, there = log(tmp_path)
    assert here == str(tmp_path)
    assert not os.path.exists(there)


@pytest.mark.parametrize("settings", [{"mode": "off"}, {"excludepatterns": ["p*.md"]}])
def test_a_page_that_is_not_to_be_cached_is_not_executed(tmp_path, settings):
    write(tmp_path, "page", LOG.format(name="page"))
    execute(tmp_path, "page", **settings)
    assert log(tmp_path) == []


def test_a_page_without_code_or_with_settings_of_its_own_is_left_to_myst_nb(tmp_path):
    (tmp_path / "plain.md").write_text("# Plain\n")
    own = tiny_book.HEADER.replace("kernelspec", "mystnb: {execution_mode: 'off'}\nkernelspec")
    write(tmp_path, "own", LOG.format(name="own"), header=own)
    execute(tmp_path, "plain", "own")
    assert log(tmp_path) == []


def test_myst_nb_finds_every_page_of_a_book_in_the_cache(tmp_path):
    tiny_book.write(tmp_path)
    ours = re.compile(r"Executed notebook in [\d.]+ seconds: \S+/(\w+\.md)")
    said = tiny_book.build(tmp_path)
    assert sorted(ours.findall(said)) == ["index.md", "second.md"]
    assert said.count("Executed notebook") == 2
    assert said.count("Using cached notebook") == 2


def test_a_page_that_fails_stops_the_build(tmp_path):
    tiny_book.write(tmp_path)
    page = tmp_path / "deeper" / "second.md"
    page.write_text(page.read_text().replace("waves.NAME", "1 / 0"))
    with pytest.raises(
        AssertionError, match=r"(?s)deeper/second\.md failed with .*ZeroDivisionError"
    ):
        tiny_book.build(tmp_path)
