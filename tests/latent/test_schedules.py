import numpy as np
import pytest
from numpy.testing import assert_allclose

from latent import schedules


@pytest.mark.parametrize("schedule", [schedules.cosine, schedules.linear])
def test_the_rate_rises_to_its_height_and_falls_to_the_floor(schedule):
    rate = schedule(0.1, 100, warmup=9, floor=0.02)
    rates = np.array([rate(i) for i in range(150)])
    assert_allclose(rates[:10], np.linspace(0.01, 0.1, 10))
    assert (np.diff(rates[9:101]) < 0).all()
    assert_allclose(rates[100:], 0.02)
    assert rates.max() == 0.1


def test_the_forms_of_the_fall():
    i = range(11)
    assert_allclose([schedules.linear(1.0, 10)(k) for k in i], 1 - np.arange(11) / 10)
    assert_allclose(
        [schedules.cosine(1.0, 10)(k) for k in i],
        np.cos(np.pi * np.arange(11) / 20) ** 2,
        atol=1e-12,
    )


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0.0, 10), {}, "rate must be above zero"),
        ((0.1, 0), {}, "steps must be at least 1"),
        ((0.1, 10), {"warmup": 10}, "warmup must be at most 9, below steps"),
        ((0.1, 10), {"warmup": -1}, "warmup must be at least 0"),
        ((0.1, 10), {"floor": 0.2}, "floor must be at most rate, 0.1, got 0.2"),
        ((0.1, 10), {"floor": -0.2}, "floor must not be negative"),
    ],
)
@pytest.mark.parametrize("schedule", [schedules.cosine, schedules.linear])
@pytest.mark.usefixtures("as_users_call")
def test_mistakes_are_named(schedule, arguments, options, message):
    with pytest.raises(ValueError, match=message):
        schedule(*arguments, **options)
