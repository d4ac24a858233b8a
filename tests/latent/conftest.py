"""Settings of the tests of `latent`."""

import pytest
from hypothesis import settings

from tests.unchecked import unchecked

# The same examples every time: a failure is a change in the code, not luck.
settings.register_profile("latent", derandomize=True, deadline=None, max_examples=15)
settings.load_profile("latent")


@pytest.fixture
def as_users_call():
    """Without the tests' shape checks, which would catch bad arguments before `latent` does."""
    with unchecked():
        yield
