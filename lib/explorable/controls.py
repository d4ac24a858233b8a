"""What the reader can move: a slider, a choice among options, a switch.

A control is a finite row of values. The picture is drawn for a value, the front end only
ever speaks of its index, so that the kernel and the page see exactly the same numbers.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, Literal


@dataclass(frozen=True)
class Control:
    """A row of values, the text shown for each, and the index of the first one shown.

    ``kept`` are the indices that a static page keeps; the start is always among them.
    """

    kind: Literal["slider", "choice", "switch"]
    values: tuple[Any, ...]
    texts: tuple[str, ...]
    start: int
    kept: tuple[int, ...]
    label: str | None = None

    def frozen(self) -> "Control":
        """Return the control with only the values that a static page keeps."""
        return Control(
            self.kind,
            tuple(self.values[i] for i in self.kept),
            tuple(self.texts[i] for i in self.kept),
            self.kept.index(self.start),
            tuple(range(len(self.kept))),
            self.label,
        )


def slider(
    lo: float,
    hi: float,
    step: float = 1,
    *,
    value: float | None = None,
    frozen: int | None = None,
    label: str | None = None,
) -> Control:
    """Make a slider over lo, lo + step, ..., hi; its values are ints if all three are.

    It starts at `value` (default `lo`). A static page keeps `frozen` evenly spaced values
    (default all); where the start is not one of them, it takes its nearest neighbour's place.
    """
    for name, number in {"lo": lo, "hi": hi, "step": step}.items():
        if isinstance(number, bool) or not isinstance(number, Real) or not abs(number) < 1e15:
            raise ValueError(f"slider: {name} must be a finite number, got {number!r}")
    if lo >= hi:
        raise ValueError(f"slider: lo must be less than hi, got lo={lo}, hi={hi}")
    if step <= 0:
        raise ValueError(f"slider: step must be positive, got {step}")
    n_steps = round((hi - lo) / step)
    if n_steps < 1 or abs((hi - lo) / step - n_steps) > 1e-6:
        raise ValueError(f"slider: hi={hi} is not a whole number of steps of {step} above lo={lo}")

    values = _grid(lo, step, n_steps + 1)
    decimals = max(_decimals(v) for v in values)
    start = 0 if value is None else min(range(len(values)), key=lambda i: abs(values[i] - value))
    if value is not None and abs(values[start] - value) > 1e-6 * step:
        raise ValueError(
            f"slider: value={value} is none of {lo}, {lo + step}, ..., {hi};"
            f" the nearest one is {values[start]}"
        )
    if frozen is not None and (not isinstance(frozen, Integral) or frozen < 2):
        raise ValueError(f"slider: frozen must be a whole number from 2 up, got {frozen!r}")
    return Control(
        "slider",
        values,
        tuple(f"{v:.{decimals}f}".replace("-", "\N{MINUS SIGN}") for v in values),
        start,
        _thin(len(values), len(values) if frozen is None else int(frozen), start),
        _checked_label("slider", label),
    )


def choice(*options: Hashable, value: Hashable | None = None, label: str | None = None) -> Control:
    """Make a menu of the options, each shown as its text, starting at `value` (the first)."""
    texts = tuple(str(option) for option in options)
    if not options:
        raise ValueError("choice: needs at least one option")
    if len(set(texts)) < len(texts):
        repeated = next(t for t in texts if texts.count(t) > 1)
        raise ValueError(f"choice: the options must read differently, {repeated!r} occurs twice")
    if value is not None and value not in options:
        raise ValueError(f"choice: value={value!r} is none of {', '.join(map(repr, options))}")
    start = 0 if value is None else options.index(value)
    every = tuple(range(len(options)))
    return Control("choice", options, texts, start, every, _checked_label("choice", label))


def switch(value: bool = False, label: str | None = None) -> Control:
    """Make a box to tick: the picture gets True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"switch: value must be True or False, got {value!r}")
    label = _checked_label("switch", label)
    return Control("switch", (False, True), ("off", "on"), int(value), (0, 1), label)


def _grid(lo: float, step: float, n: int) -> tuple[float, ...]:
    """Return lo, lo + step, ... as the floats nearest to the decimals that a reader expects."""
    whole = isinstance(lo, Integral) and isinstance(step, Integral)
    if whole:
        return tuple(int(lo) + i * int(step) for i in range(n))
    first, width = Decimal(str(float(lo))), Decimal(str(float(step)))
    return tuple(round(float(first + i * width), 12) for i in range(n))


def _decimals(value: float) -> int:
    """Return how many digits the number has after the point."""
    exponent = Decimal(str(value)).normalize().as_tuple().exponent
    return max(0, -int(exponent))


def _thin(n: int, n_kept: int, start: int) -> tuple[int, ...]:
    """Return `n_kept` of the indices 0..n-1, evenly spaced, both ends and the start included."""
    n_kept = min(n, n_kept)
    kept = [round(i * (n - 1) / (n_kept - 1)) for i in range(n_kept)]
    if start not in kept:
        inner = range(1, n_kept - 1) if n_kept > 2 else range(n_kept)
        kept[min(inner, key=lambda i: abs(kept[i] - start))] = start
    return tuple(sorted(kept))


def _checked_label(maker: str, label: str | None) -> str | None:
    if label is not None and (not isinstance(label, str) or not label.strip()):
        raise ValueError(f"{maker}: label must be a text that says what moves, got {label!r}")
    return label
