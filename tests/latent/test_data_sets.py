import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

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
