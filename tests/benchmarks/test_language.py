import datetime

import numpy as np
import pytest

from benchmarks import language
from latent.text import hold_out

TEXT = (
    "it is a truth universally acknowledged,\nthat a single man must be in want of a wife.\n" * 12
)


def test_a_tiny_gpt_is_trained_and_measured():
    result = language.train_gpt(
        TEXT, n_symbols=40, width=8, n_heads=2, n_layers=1, context=8, size=4, steps=5, workers=1
    )
    _, held_out = hold_out(TEXT)
    nats = -result.model.log_likelihood(result.subwords.encode(held_out)).sum()
    assert result.bits == pytest.approx(nats / np.log(2) / len(held_out))
    assert 0 < result.bits < 6
    assert len(result.trace) == 5


def test_n_gram_models_of_all_orders_are_measured():
    bits = language.ngrams(TEXT)
    assert len(bits) == 12
    # A text that repeats itself is the better known the more of it is seen.
    assert bits["Kneser-Ney", 6] < bits["Kneser-Ney", 2] < bits["Kneser-Ney", 1]


def test_no_day_of_the_test_is_learned_from_and_none_is_left_out():
    seen, unseen = language.days()
    assert not set(seen) & set(unseen)
    assert len(seen) + len(unseen) == (language.LAST - language.FIRST).days + 1 == 73_049
    assert len(unseen) > 7000


def test_dates_are_written_in_five_ways():
    day = datetime.date(1987, 3, 3)
    assert [way(day) for way in language.WAYS] == [
        "tuesday, march 3 1987",
        "march 3, 1987",
        "3 mar 1987",
        "the 3rd of march 1987",
        "1987, march 3",
    ]
    rng = np.random.default_rng(0)
    pairs = {language.written(day, rng) for _ in range(200)}
    assert pairs == {(way(day), "1987-03-03") for way in language.WAYS}


def test_every_day_is_written_in_characters_of_the_alphabet_and_told_apart():
    seen, unseen = language.days()
    known = {c for day in seen[:400] for way in language.WAYS for c in way(day)}
    for way in language.WAYS:
        texts = [way(day) for day in seen[::7] + unseen]
        assert set("".join(texts)) <= known
        assert len(set(texts)) == len(texts)


def test_a_tiny_seq2seq_is_trained_and_measured(monkeypatch):
    seen, unseen = language.days()
    monkeypatch.setattr(language, "days", lambda: (seen, unseen[:20]))
    result = language.train_seq2seq(width=8, n_heads=2, n_layers=1, size=4, steps=3)
    assert 0 <= result.right <= 1
    assert np.isfinite(result.trace).all()
