"""The benchmark of the widgets works in small; no time is judged."""

import json
import re

import pytest

from benchmarks import widgets
from tests.browser import needs_chromium, open_page


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Few frames, few keys."""
    monkeypatch.setattr(widgets, "FRAMES", 6)
    monkeypatch.setattr(widgets, "ROUNDS", 2)
    monkeypatch.setattr(widgets, "PRESSES", 2)


@pytest.mark.browser
@needs_chromium
def test_every_key_gives_a_time_and_every_round_a_median(browser, tmp_path):
    ours = widgets.explore_page(tmp_path)
    pages = {"a": ours, "b": ours}
    with widgets.static_pages(browser, tmp_path, pages) as opened:
        times = widgets.take_turns(opened)
    assert all(len(mine) == 2 and min(mine) > 0 for mine in times.values())
    table = list(widgets.rows(times, "a"))
    assert len(table) == 2
    assert float(table[1].split("|")[3]) > 0


@pytest.mark.browser
@needs_chromium
def test_our_page_is_the_widget_with_its_frames_in_a_file(browser, tmp_path):
    ours = widgets.explore_page(tmp_path)
    with open_page(browser, ours.page.as_uri()) as (page, record):
        page.wait_for_selector(".explore[data-ready]")
        page.locator(ours.control).press("End")
        assert page.locator(".explore output").text_content() == "5"
        assert record.complaints() == []


@pytest.mark.parametrize(("kind", "model"), [("svg", "HTMLModel"), ("png", "ImageModel")])
def test_the_peer_has_a_picture_for_each_value(kind, model, tmp_path, monkeypatch):
    monkeypatch.setattr(widgets, "_manager_script", lambda folder: b"")
    peer = widgets.stack_page(tmp_path, kind)
    found = re.search(r'widget-state\+json">(.*?)</script>', peer.page.read_text(), re.DOTALL)
    models = [m["model_name"] for m in json.loads(found[1])["state"].values()]
    assert models.count(model) == 6
    assert models.count("LinkModel") == 1
    assert f"| {kind} |" in next(widgets.sizes({kind: peer}))
