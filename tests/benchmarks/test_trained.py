"""What the benchmarks train is trained here too, in small; no result of a long run is judged."""

import re

import numpy as np
import pytest

from benchmarks import adagram_senses, autoencoders, gpt_text, trained
from latent.data import austen


@pytest.fixture(scope="module")
def tables():
    return list(autoencoders.tables(autoencoders.QUICK))


def test_tables_of_auto_encoders_are_complete_and_finite(tables):
    assert len(tables) == len(autoencoders.TABLES)
    for table in tables:
        assert table.rows
        for row in table.rows:
            assert len(row) == len(table.columns)
            assert all(np.isfinite(cell) for cell in row if not isinstance(cell, str))


def test_a_table_is_written_in_markdown(tables):
    lines = autoencoders.markdown(tables[0]).strip().splitlines()
    assert lines[0] == f"**{tables[0].title}**"
    assert len(lines) == 4 + len(tables[0].rows)
    assert {line.count(" | ") for line in lines[2:]} == {len(tables[0].columns) - 1}


def test_senses_of_an_artificial_text_are_told_apart():
    words, pairs = adagram_senses.topics(40_000, 4, np.random.default_rng(0))
    study = adagram_senses.study(words, pairs, passes=3, n_senses=4)
    assert len(study.told) == len(pairs) == 2
    assert max(study.majority) < 0.6
    assert min(told.accuracy for told in study.told) > 0.75
    table = adagram_senses.table({"topics": study})
    assert "topics" in table


def test_pairs_are_frequent_words_of_the_novels_each_once():
    words = adagram_senses.split(austen())
    pairs = adagram_senses.noun_pairs(words)
    chosen = [word for pair in pairs for word in pair]
    assert len(pairs) == 10
    assert len(set(chosen)) == 20
    counts = adagram_senses.Counter(words)
    low, high = adagram_senses.RARE, adagram_senses.FREQUENT
    assert all(low <= counts[word] <= high for word in chosen)


def test_ngrams_are_measured_at_each_order(monkeypatch):
    monkeypatch.setattr(gpt_text, "VOCABULARIES", (80, 160))
    bits = dict(gpt_text.ngrams(austen()[:200_000]))
    assert list(bits) == [
        *(f"{smoothing}, 63 characters" for smoothing in ("Witten-Bell", "Kneser-Ney")),
        *(f"Kneser-Ney, {M} subwords" for M in (80, 160)),
    ]
    assert all(len(row) == len(gpt_text.ORDERS) for row in bits.values())
    assert bits["Kneser-Ney, 160 subwords"][0] < bits["Kneser-Ney, 63 characters"][0]


def test_the_document_has_a_section_for_each_part():
    text = trained.document(dict.fromkeys(trained.PARTS, "| a |\n|---|\n| 1 |"))
    assert re.findall("^## (.*)$", text, flags=re.M) == list(trained.PARTS.values())
    assert "numpy" in text


def test_unknown_parts_are_named(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["trained", "langauge"])
    with pytest.raises(SystemExit):
        trained.main()
    assert "parts must be some of language, gpt_text" in capsys.readouterr().err


def test_a_part_runs_in_a_process_of_its_own(monkeypatch):
    monkeypatch.setitem(trained.PARTS, "startup", "Nothing that prints")
    assert trained.run("startup") == ""
