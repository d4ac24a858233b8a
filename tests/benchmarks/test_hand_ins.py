"""The benchmark of grading works in small; no time is judged."""

import pytest

from benchmarks import grading


@pytest.mark.slow
def test_marks_agree_and_the_table_has_every_figure(monkeypatch):
    monkeypatch.setattr(grading, "HAND_INS", 2)
    monkeypatch.setattr(grading, "GROWTH", (1, 2))
    monkeypatch.setattr(grading, "EMPTY_RUNS", 5)
    pair, cpu = grading.compared(), grading.cpu_of_an_empty_hand_in()
    assert min(*pair.values(), cpu) > 0
    text = grading.table(pair, grading.growth(), cpu)
    assert f"{60 * 2 / pair['sealed']:.1f} | {pair['stock'] / pair['sealed']:.1f} |" in text
    assert "| 2 |" in text


def test_hand_ins_differ_from_one_another():
    notebooks = [str(notebook) for notebook in grading.a_hundred().values()]
    assert len(set(notebooks)) == grading.HAND_INS
