import hashlib
import string

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from latent import data


def test_old_faithful_has_the_published_size_and_means():
    x = data.old_faithful()
    assert x.shape == (272, 2)
    assert_allclose(x.mean(axis=0), [3.487783, 70.897059], atol=1e-6)
    assert x[0].tolist() == [3.6, 79]


def test_earthquakes_have_the_published_mean_and_variance():
    x = data.earthquakes()
    assert x.shape == (107,)
    assert x.dtype.kind == "i"
    assert round(x.mean(), 2) == 19.36
    assert round(x.var(ddof=1), 2) == 51.57
    assert x[[0, 43, 106]].tolist() == [13, 41, 11]  # 1900, 1943 and 2006


@pytest.mark.parametrize("load", [data.old_faithful, data.earthquakes])
def test_changing_what_was_loaded_does_not_change_what_comes_next(load):
    first = load()
    kept = np.array(first)
    first[:] = 0
    assert_array_equal(load(), kept)


def test_the_digits_are_those_of_scikit_learn():
    images, labels = data.digits()
    reference = load_digits()
    assert images.shape == (1797, 64)
    assert images.dtype == float
    assert labels.dtype.kind == "i"
    assert_array_equal(images * 16, reference.data)
    assert_array_equal(labels, reference.target)


def test_changing_the_digits_does_not_change_what_comes_next():
    first = data.digits()
    kept = np.array(first.images)
    first.images[:] = 0
    first.labels[:] = 0
    assert_array_equal(data.digits().images, kept)
    assert data.digits().labels.any()


def test_austen_is_the_text_that_the_readme_describes():
    text = data.austen()
    assert len(text) == 4_005_108
    assert len(text.split()) == 717_278
    assert text.count("\n") == 10_312
    checksum = hashlib.sha256(text.encode("ascii")).hexdigest()
    assert checksum == "8cd92abaddb4303780cfcc5942f7f3f1fe7c838aa717427d4c60bd5f1301de26"


def test_austen_has_the_64_characters_of_the_readme():
    letters = string.ascii_letters.replace("X", "")
    assert set(data.austen()) == set(letters + " \n" + "!\"'(),-.:;?")
    assert len(set(data.austen())) == 64


def test_austen_is_six_novels_of_one_paragraph_a_line():
    novels = data.austen().split("\n\n")
    lines = [novel.split("\n") for novel in novels]
    assert [novel[0] for novel in lines] == [
        "Sense and Sensibility",
        "Pride and Prejudice",
        "Mansfield Park",
        "Emma",
        "Northanger Abbey",
        "Persuasion",
    ]
    assert [sum(line.startswith("Chapter ") for line in novel) for novel in lines] == [
        50,
        61,
        48,
        18 + 18 + 19,
        31,
        24,
    ]
    assert lines[1][2] == (
        "It is a truth universally acknowledged, that a single man in possession of a good "
        "fortune, must be in want of a wife."
    )
    assert novels[4].endswith("to recommend parental tyranny, or reward filial disobedience.")


@pytest.mark.parametrize("mark", ["  ", " \n", "\n ", "---", "_", "Gutenberg", "\n\n\n"])
def test_austen_has_no_remains_of_typesetting(mark):
    assert mark not in data.austen()
