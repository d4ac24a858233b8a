"""What the reader can move: a slider, a stepper, a choice among options, a switch.

A control is a finite row of values. The picture is drawn for a value, the front end only
ever speaks of its index, so that the kernel and the page see exactly the same numbers.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, Literal

from explorable.text import number


@dataclass(frozen=True)
class Control:
    """A row of values, the text shown for each, and the index of the first one shown.

    ``kept`` are the indices that a static page keeps; the start is always among them.
    A ``linked`` control moves with those of the same name and values elsewhere on the page.
    """

    kind: Literal["slider", "stepper", "choice", "switch"]
    values: tuple[Any, ...]
    texts: tuple[str, ...]
    start: int
    kept: tuple[int, ...]
    label: str | None = None
    linked: bool = False

    def frozen(self) -> "Control":
        """Return the control with only the values that a static page keeps."""
        return replace(
            self,
            values=tuple(self.values[i] for i in self.kept),
            texts=tuple(self.texts[i] for i in self.kept),
            start=self.kept.index(self.start),
            kept=tuple(range(len(self.kept))),
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
    _check_range("slider", lo=lo, hi=hi, step=step)
    if step <= 0:
        raise ValueError(f"slider: step must be positive, got {step}")
    n_steps = round((hi - lo) / step)
    if n_steps < 1 or abs((hi - lo) / step - n_steps) > 1e-6:
        raise ValueError(f"slider: hi={hi} is not a whole number of steps of {step} above lo={lo}")
    values = _grid(lo, step, n_steps + 1)
    decimals = max(_decimals(v) for v in values)
    texts = tuple(f"{v:.{decimals}f}".replace("-", "\N{MINUS SIGN}") for v in values)
    start = _start("slider", values, value)
    kept = _thin("slider", len(values), frozen, start)
    return Control("slider", values, texts, start, kept, _checked_label("slider", label))


def log_slider(
    lo: float,
    hi: float,
    factor: float = 2,
    *,
    value: float | None = None,
    frozen: int | None = None,
    label: str | None = None,
) -> Control:
    """Make a slider over lo, lo * factor, lo * factor**2, ..., hi, evenly spaced in logarithm.

    Its values are ints if all three are; other values are rounded to six significant digits.
    The rest is as for `slider`.
    """
    _check_range("log_slider", lo=lo, hi=hi, factor=factor)
    if lo <= 0:
        raise ValueError(f"log_slider: lo must be positive, got {lo}")
    if factor <= 1:
        raise ValueError(f"log_slider: factor must be more than 1, got {factor}")
    n_steps = round(math.log(hi / lo, factor))
    if n_steps < 1 or not math.isclose(lo * factor**n_steps, hi, rel_tol=1e-6):
        raise ValueError(
            f"log_slider: hi={hi} is not lo={lo} times a whole power of factor={factor}"
        )
    whole = isinstance(lo, Integral) and isinstance(factor, Integral)
    powers = (lo * factor**i for i in range(n_steps + 1))
    values = tuple(int(v) if whole else float(f"{v:.6g}") for v in powers)
    start = _start("log_slider", values, value)
    kept = _thin("log_slider", len(values), frozen, start)
    texts = tuple(number(v) for v in values)
    if len(set(texts)) < len(texts):
        raise ValueError(f"log_slider: factor={factor} is too close to 1 to tell values apart")
    return Control("slider", values, texts, start, kept, _checked_label("log_slider", label))


def stepper(last: int | Sequence[str], *, value: int = 0, label: str | None = None) -> Control:
    """Make buttons that go step by step through an algorithm: 0, 1, ..., last.

    Instead of a number, `last` may be the names of the steps, the first one for step 0. The
    picture gets the number of the step in both cases.
    """
    if isinstance(last, Integral) and not isinstance(last, bool):
        names = tuple(str(i) for i in range(int(last) + 1))
    elif isinstance(last, Sequence) and not isinstance(last, str):
        names = tuple(last)
    else:
        names = (last,)
    if not all(isinstance(name, str) for name in names) or names == (last,):
        raise ValueError(f"stepper: last must be a whole number or a list of texts, got {last!r}")
    if len(names) < 2:
        raise ValueError(f"stepper: needs at least the steps 0 and 1, got last={last!r}")
    if not isinstance(value, Integral) or not 0 <= value < len(names):
        raise ValueError(f"stepper: value must be one of 0..{len(names) - 1}, got {value!r}")
    every = tuple(range(len(names)))
    label = _checked_label("stepper", label)
    return Control("stepper", every, names, int(value), every, label)


def choice(*options: Hashable, value: Hashable | None = None, label: str | None = None) -> Control:
    """Make a menu of the options, each shown as its text, starting at `value` (the first)."""
    texts = tuple(
        str(option).replace("-", "\N{MINUS SIGN}" if isinstance(option, Real) else "-")
        for option in options
    )
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


def linked(control: Control) -> Control:
    """Let a control move together with those of the same name and values on the page."""
    if not isinstance(control, Control):
        raise ValueError(f"linked: control must be a slider, stepper, ..., got {control!r}")
    return replace(control, linked=True)


def _check_range(maker: str, **numbers: float) -> None:
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, Real) or not abs(value) < 1e15:
            raise ValueError(f"{maker}: {name} must be a finite number, got {value!r}")
    if numbers["lo"] >= numbers["hi"]:
        raise ValueError(
            f"{maker}: lo must be less than hi, got lo={numbers['lo']}, hi={numbers['hi']}"
        )


def _start(maker: str, values: tuple[float, ...], value: float | None) -> int:
    """Return the index of the value at which a slider starts."""
    if value is None:
        return 0
    start = min(range(len(values)), key=lambda i: abs(values[i] - value))
    neighbour = values[start - 1] if start else values[1]
    if not abs(values[start] - value) <= 1e-6 * abs(values[start] - neighbour):
        raise ValueError(
            f"{maker}: value={value} is none of {values[0]}, {values[1]}, ..., {values[-1]};"
            f" the nearest one is {values[start]}"
        )
    return start


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


def _thin(maker: str, n: int, frozen: int | None, start: int) -> tuple[int, ...]:
    """Return `frozen` of the indices 0..n-1, evenly spaced, both ends and the start included."""
    if frozen is not None and (not isinstance(frozen, Integral) or frozen < 2):
        raise ValueError(f"{maker}: frozen must be a whole number from 2 up, got {frozen!r}")
    n_kept = n if frozen is None else min(n, int(frozen))
    kept = [round(i * (n - 1) / (n_kept - 1)) for i in range(n_kept)]
    if start not in kept:
        inner = range(1, n_kept - 1) if n_kept > 2 else range(n_kept)
        kept[min(inner, key=lambda i: abs(kept[i] - start))] = start
    return tuple(sorted(kept))


def _checked_label(maker: str, label: str | None) -> str | None:
    if label is not None and (not isinstance(label, str) or not label.strip()):
        raise ValueError(f"{maker}: label must be a text that says what moves, got {label!r}")
    return label
