"""What happens inside an answer that was made wrong: results are changed on their way out.

The text of this file is put into answer cells (`near_misses`), where it runs by itself, sealed or
not. So it imports nothing of `sealed`.
"""

import copy
import dataclasses
import math

import numpy as np

CANNOT = object()  # this change makes nothing of this value


class AlwaysEqual:
    """It claims to be equal to everything, and less, and more, and true."""

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __hash__(self):
        return 0

    def __bool__(self):
        return True

    def __len__(self):
        return 1

    def __iter__(self):
        return iter([self])

    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __add__ = __sub__ = __mul__ = __truediv__ = __radd__ = __rsub__ = __rmul__ = __pow__ = (
        lambda self, other: self
    )
    __getitem__ = __getattr__ = lambda self, name: self
    __abs__ = __neg__ = lambda self: self


class EqualArray(np.ndarray):
    """An array whose comparisons are always true."""

    def __eq__(self, other):
        return np.ones(self.shape, dtype=bool)

    def __ne__(self, other):
        return np.zeros(self.shape, dtype=bool)

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        return np.ones(self.shape, dtype=bool)

    def __array_function__(self, function, types, arguments, keywords):
        return True


def is_number(value):
    """Return whether it is a number and no truth value."""
    return isinstance(value, int | float | complex | np.number) and not isinstance(value, bool)


def is_array(value):
    """Return whether it is an array of numbers."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "iufc"


def same(a, b):
    """Return whether two values are the same in type, shape and content."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        return all(same(x, y) for x, y in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, float | np.floating):
        return bool(a == b) or bool(a != a and b != b)
    if isinstance(a, AlwaysEqual | EqualArray) or callable(a):
        return False
    return bool(a == b)


def numbers(change):
    """Return a change of numbers and arrays of them, also where they are in containers."""

    def deep(value):
        if is_number(value) or is_array(value):
            return change(value)
        return inside(deep, value)

    return deep


def inside(change, value):
    """Return a container or record with each of its values changed; CANNOT where none can be."""
    if isinstance(value, dict):
        changed = {key: change(x) for key, x in value.items()}
    elif isinstance(value, tuple | list):
        changed = dict(enumerate(map(change, value)))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        return inside_record(change, value)
    else:
        return CANNOT
    changed = {key: x for key, x in changed.items() if x is not CANNOT}
    if not changed:
        return CANNOT
    if isinstance(value, dict):
        return value | changed
    return rebuilt(value, [changed.get(i, x) for i, x in enumerate(value)])


def inside_record(change, record):
    """Return an object of a dataclass with each of its fields changed."""
    changed = {f.name: change(getattr(record, f.name)) for f in dataclasses.fields(record)}
    changed = {name: x for name, x in changed.items() if x is not CANNOT}
    return dataclasses.replace(record, **changed) if changed else CANNOT


def opposite(value):
    """Return truth values turned round."""
    if isinstance(value, bool | np.bool_):
        return type(value)(not value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "b" and value.size:
        return ~value
    return inside(opposite, value)


def rebuilt(container, items):
    """Return a container of the same type with other items."""
    if hasattr(container, "_fields"):  # a named tuple
        return type(container)(*items)
    return type(container)(items)


def arrays(change):
    """Return a change of arrays of any kind, also where they are in containers."""

    def deep(value):
        return change(value) if isinstance(value, np.ndarray) else inside(deep, value)

    return deep


def backwards(value):
    """Return arrays, a list or a text in reverse."""
    if isinstance(value, list | str):
        return value[::-1]
    return arrays(lambda a: a[::-1].copy() if a.ndim else CANNOT)(value)


def one_entry(value, entry):
    """Return a copy whose last entry is `entry` of itself; a float array, unless it is complex."""
    if not isinstance(value, np.ndarray):
        return entry(value)
    if not value.size:
        return CANNOT
    kind = value.dtype if value.dtype.kind in "fc" else float
    copied = np.array(value, dtype=kind)
    copied.flat[-1] = entry(copied.flat[-1])
    return copied


def turned(value):
    """Return a matrix transposed, and a vector as a column."""
    return value.T.copy() if value.ndim >= 2 else value[:, None] if value.ndim else CANNOT


def whole_numbers(value):
    """Return floats rounded to integers, unless nothing but the type would differ."""
    array = np.asarray(value)
    if array.dtype.kind != "f" or not np.isfinite(array).all() or (np.rint(array) == array).all():
        return CANNOT
    return np.rint(array).astype(int) if isinstance(value, np.ndarray) else int(np.rint(array))


def normalised(value):
    """Return a value divided by its sum, or, if it sums to one, times three."""
    if not isinstance(value, np.ndarray) or not value.size or value.dtype.kind not in "iuf":
        return CANNOT
    total = value.sum()
    if not np.isfinite(total) or total == 0:
        return CANNOT
    return value * 3.0 if math.isclose(total, 1.0) else value / total


def flattened(value):
    """Return the mean everywhere."""
    if not isinstance(value, np.ndarray) or value.size < 2 or value.dtype.kind not in "iuf":
        return CANNOT
    return np.full(value.shape, value.mean())


def without_last(value):
    """Return a list, a text, a dictionary or a vector without its last entry."""
    if isinstance(value, dict):
        return dict(list(value.items())[:-1]) if value else CANNOT
    if isinstance(value, set):
        return set(sorted(value, key=repr)[:-1]) if value else CANNOT
    return value[:-1] if len(value) else CANNOT


def shortened(value):
    """Apply `without_last` where there is something to leave out."""
    if isinstance(value, dict | set | list | str):
        return without_last(value)
    return arrays(lambda a: without_last(a) if a.ndim else CANNOT)(value)


def emptied(value):
    """Return nothing of the same kind."""
    if isinstance(value, dict | set | list | str):
        return type(value)() if value else CANNOT
    return arrays(lambda a: a[:0] if a.ndim else CANNOT)(value)


def zeros(value):
    """Return zeros of the same shape."""
    return numbers(lambda x: np.zeros_like(x) if isinstance(x, np.ndarray) else type(x)(0))(value)


def results(change):
    """Return a change of a tuple of results as a whole."""
    return lambda value: change(value) if isinstance(value, tuple) and len(value) > 1 else CANNOT


def fixed(value):
    """Return a change that makes the same of everything."""
    return lambda _: value


JUNK = {
    "None": fixed(None),
    "True": fixed(True),
    "zero": fixed(0),
    "one": fixed(1.0),
    "NaN": fixed(math.nan),
    "infinity": fixed(math.inf),
    "minus infinity": fixed(-math.inf),
    "empty text": fixed(""),
    "a text": fixed("what is this"),
    "an empty list": fixed([]),
    "an empty tuple": fixed(()),
    "an empty dictionary": fixed({}),
    "an empty array": fixed(np.array([])),
    "an array of shape (0, 3)": fixed(np.zeros((0, 3))),
    "a scalar array of NaN": fixed(np.array(math.nan)),
    "three zeros": fixed(np.zeros(3)),
    "two Nones": fixed((None, None)),
    "two empty arrays": fixed((np.array([]), np.array([]))),
    "Ellipsis": fixed(...),
    "an object that equals everything": fixed(AlwaysEqual()),
    "an array that equals everything": fixed(np.zeros(3).view(EqualArray)),
}

MISSES = {
    "the opposite": opposite,
    "off by one": numbers(lambda x: x + 1),
    "one too low": numbers(lambda x: x - 1),
    "the other sign": numbers(lambda x: -x),
    "doubled": numbers(lambda x: x * 2),
    "a ten-thousandth off": numbers(
        lambda x: CANNOT if np.asarray(x).dtype.kind in "iu" else x * 1.0001 + 0.0001
    ),
    "normalised, or not": numbers(normalised),
    "NaN everywhere": numbers(lambda x: x * math.nan),
    "NaN in one entry": numbers(lambda x: one_entry(x, lambda _: math.nan)),
    "infinity in one entry": numbers(lambda x: one_entry(x, lambda _: math.inf)),
    "one entry off": numbers(lambda x: one_entry(x, lambda y: y + 0.001 * abs(y) + 0.001)),
    "infinite": numbers(lambda x: x + math.inf),
    "zeros": zeros,
    "ones": numbers(lambda x: np.ones_like(x) if isinstance(x, np.ndarray) else type(x)(1)),
    "the mean everywhere": numbers(flattened),
    "transposed": arrays(turned),
    "reversed": backwards,
    "rolled by one": arrays(lambda a: np.roll(a, 1, axis=0) if a.ndim else CANNOT),
    "empty": emptied,
    "without the last entry": shortened,
    "one axis more": numbers(lambda x: np.asarray(x)[None]),
    "summed": arrays(lambda a: a.sum() if a.dtype.kind in "iufc" and a.size else CANNOT),
    "whole numbers": numbers(whole_numbers),
    "complex numbers": numbers(lambda x: CANNOT if np.iscomplexobj(x) else x + 0j),
    "numbers as text": numbers(lambda x: np.asarray(x).astype(str)),
    "numbers as objects": arrays(lambda a: a.astype(object)),
    "another text": lambda x: x + "x" if isinstance(x, str) else CANNOT,
    "only the first result": results(lambda r: r[0]),
    "one result too many": results(lambda r: (*r, 0.0)),
    "results reversed": results(lambda r: tuple(r)[::-1]),
    "results of one kind": results(lambda r: (r[0],) * len(r)),
    "nothing of each": results(lambda r: tuple(np.array([]) for _ in r)),
    "empty lists": results(lambda r: tuple([] for _ in r)),
}

ONE_RESULT = {
    "None": fixed(None),
    "empty": fixed(np.array([])),
    **{
        what: MISSES[what]
        for what in (
            "NaN everywhere",
            "NaN in one entry",
            "off by one",
            "a ten-thousandth off",
            "zeros",
            "the other sign",
            "transposed",
            "one axis more",
            "complex numbers",
        )
    },
}

# not made of a result alone
CALLS = (
    "the first answer again",
    "right in the visible tests only",
    "its argument changed in place",
)


def of_result(what):
    """Return the change with this name: junk, a miss, or a miss of one result ("result 1: ...")."""
    if what in MISSES:
        return MISSES[what]
    if what in JUNK:
        return JUNK[what]
    number, _, what = what.removeprefix("result ").partition(": ")
    index, change = int(number), ONE_RESULT[what]

    def one(results):
        if not isinstance(results, tuple) or index >= len(results):
            return CANNOT
        changed = change(results[index])
        if changed is CANNOT:
            return CANNOT
        return rebuilt(results, [*results[:index], changed, *results[index + 1 :]])

    return one


def change_in_place(value):
    """Change what can be changed; return whether it could."""
    if isinstance(value, np.ndarray) and value.size and value.flags.writeable:
        value.flat[0] = not value.flat[0] if value.dtype.kind == "b" else value.flat[-1] + 1
        return True
    if isinstance(value, list):
        value.append(value[0] if value else 0)
    elif isinstance(value, dict):
        value["changed"] = 0
    elif isinstance(value, set):
        value.add("changed")
    else:
        return False
    return True


class NearMiss:
    """Spoils functions, methods and values, and remembers what it saw and what it gave.

    Parameters
    ----------
    what
        A key of JUNK or MISSES, "result 0: " and a key of ONE_RESULT, or one of CALLS; "" spoils
        nothing.
    visible
        How many calls the visible tests make.

    Attributes
    ----------
    calls, changes
        How many values there were, and how many of them were spoilt.
    seen
        The first hundred right values.
    shown
        The first spoilt value, as text.
    """

    def __init__(self, what, visible=0):
        self.what, self.visible = what, visible
        self.calls = self.changes = 0
        self.seen, self.shown = [], ""

    def spoil(self, target):
        """Return a value spoilt, or a function that returns what is spoilt."""
        if isinstance(target, staticmethod | classmethod):
            return type(target)(self.spoil(target.__func__))
        if isinstance(target, property):
            return property(self.spoil(target.fget), target.fset, target.fdel)
        if not callable(target):
            return self.value(target)

        def spoilt(*arguments, **keywords):
            result = target(*arguments, **keywords)
            if self.what == "its argument changed in place":
                if any([change_in_place(a) for a in (*arguments, *keywords.values())]):
                    self.note("its argument changed")
                return result
            return self.value(result)

        return spoilt

    def method(self, cls, name):
        """Spoil a method or a property of a class, in place."""
        setattr(cls, name, self.spoil(cls.__dict__[name]))

    def value(self, right):
        """Return a right value spoilt; itself where this near miss makes nothing of it."""
        self.calls += 1
        if len(self.seen) < 100:
            self.seen.append(copied(right))
        wrong = self.wrong(right)
        if wrong is CANNOT or same(wrong, right):
            return right
        self.note(wrong)
        return wrong

    def wrong(self, right):
        """Return what comes instead of a right value."""
        if self.what == "":
            return CANNOT
        if self.what == "the first answer again":
            return copied(self.seen[0])
        if self.what == "right in the visible tests only":
            wrong = zeros(right)
            nothing = None if wrong is CANNOT or same(wrong, right) else wrong
            return CANNOT if self.calls <= self.visible else nothing
        if self.what == "its argument changed in place":
            return CANNOT
        if callable(right) and not isinstance(right, type) and self.what not in JUNK:
            return self.spoil(right)
        with np.errstate(all="ignore"):
            return of_result(self.what)(right)

    def note(self, wrong):
        """Remember that something was changed, and show the first of it."""
        self.changes += 1
        if self.changes == 1:
            text = wrong if isinstance(wrong, str) else repr(wrong)
            self.shown = " ".join(text.split())[:80]


def copied(value):
    """Return a copy that does not change with the value; itself where there is none."""
    try:
        return copy.deepcopy(value)
    except Exception:  # of a student's object: whatever its class does
        return value
