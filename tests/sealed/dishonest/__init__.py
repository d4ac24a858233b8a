"""The corpus of dishonest and broken hand-ins: what students have tried, and what they might.

Each says what it tries (`HandIn.tries`) and what its honest part is worth. All are bounded (a few
hundred processes, two gigabytes, seconds), aim at nothing but what `Surroundings` names, and know
no address but loopback ones, so that one that succeeds costs nothing.

`stock.md` has what each gains under nbgrader as it comes, `python -m tests.sealed.dishonest.stock`
measures it; `test_dishonest.py` asserts that none gains anything here.
"""

from tests.sealed.dishonest import (
    copying,
    escaping,
    exhausting,
    leaking,
    metadata,
    rebinding,
    script,
    shell,
    unreadable,
    values,
    writing,
)
from tests.sealed.dishonest.kinds import CATEGORIES, HandIn, Made, Surroundings

CORPUS: list[HandIn] = [
    *copying.CORPUS,
    *leaking.CORPUS,
    *rebinding.CORPUS,
    *shell.CORPUS,
    *metadata.CORPUS,
    *writing.CORPUS,
    *exhausting.CORPUS,
    *escaping.CORPUS,
    *values.CORPUS,
    *script.CORPUS,
    *unreadable.CORPUS,
]

__all__ = ["CATEGORIES", "CORPUS", "HandIn", "Made", "Surroundings"]
