"""What the benchmarks train is trained here too, in small; no result of a long run is judged."""

import re

import numpy as np
import pytest

from benchmarks import adagram_senses, autoencoders, gpt_text, language, trained
from latent.data import austen

TEXT = austen()[:200_000]


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


def test_a_small_gpt_learns_something_of_the_novels():
    sizes = {"n_symbols": 128, "width": 16, "n_heads": 2, "n_layers": 1, "context": 16}
    gpt = language.train_gpt(TEXT, **sizes, size=8, steps=60, workers=1)
    assert len(gpt.trace) == 60
    assert gpt.trace[-10:].mean() < gpt.trace[0] - 0.3
    assert 1.5 < gpt.bits < 5  # of the log2(60) = 5.9 bits of a character
    assert gpt.cpu_seconds > 0


def test_ngrams_are_measured_at_each_order(monkeypatch):
    monkeypatch.setattr(gpt_text, "VOCABULARIES", (80, 160))
    orders = language.ngrams(TEXT)
    assert {n for _, n in orders} == set(language.ORDERS)
    assert min(orders.values()) < orders["Kneser-Ney", 1]
    names = [name for name, bits in gpt_text.ngrams(TEXT) if len(bits) == len(gpt_text.ORDERS)]
    assert len(names) == 2 + len(gpt_text.VOCABULARIES)


def test_days_of_the_test_are_not_learned_from():
    seen, unseen = language.days()
    assert not set(seen) & set(unseen)
    assert len(unseen) > 7000


def test_dates_are_written_in_each_way():
    rng, (day, *_) = np.random.default_rng(0), language.days()[0]
    ways = {language.written(day, rng)[0] for _ in range(100)}
    assert len(ways) == len(language.WAYS)
    assert language.written(day, rng)[1] == day.isoformat()


def test_a_small_seq2seq_learns_something_of_dates(monkeypatch):
    seen, unseen = language.days()
    monkeypatch.setattr(language, "days", lambda: (seen, unseen[:50]))
    dates = language.train_seq2seq(width=16, n_heads=2, n_layers=1, size=16, steps=40)
    assert dates.trace[-5:].mean() < dates.trace[0] - 0.3
    assert 0 <= dates.right <= 1


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
