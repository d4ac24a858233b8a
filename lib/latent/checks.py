"""Checks of arguments, shared by every module: what is wrong, where, and what would be right.

A public function turns what it is given (arrays of floats or integers, lists) into arrays with one
of these before it computes. A shape is written as in the signatures: ``"T N"`` is a matrix with T
rows and N columns, and a keyword such as ``N=3`` fixes the length of that axis.
"""

import operator
from typing import TypeVar

import numpy as np
import scipy.linalg

# How far a sum of probabilities may be from one: far above rounding, far below a mistake.
SUM_TOLERANCE = 1e-8

Model = TypeVar("Model")


def array(name: str, value: object, shape: str, **sizes: int) -> np.ndarray:
    """Return `value` as an array of finite floats with the given shape."""
    value = _floats(name, value, shape, sizes)
    if not np.isfinite(value).all():
        index = _where(~np.isfinite(value))
        raise ValueError(f"{name} must be finite, got {value[index]} at index {_show(index)}")
    return value


def nonnegative(name: str, value: object, shape: str, **sizes: int) -> np.ndarray:
    """Return `value` as an array of finite floats, none below zero."""
    value = array(name, value, shape, **sizes)
    if (value < 0).any():
        index = _where(value < 0)
        raise ValueError(f"{name} must not be negative, got {value[index]} at index {_show(index)}")
    return value


def probabilities(name: str, value: object, shape: str, **sizes: int) -> np.ndarray:
    """Return `value` as an array of probabilities that sum to one over the last axis."""
    value = nonnegative(name, value, shape, **sizes)
    sums_to_one(name, value)
    return value


def sums_to_one(name: str, value: np.ndarray) -> None:
    """Check that `value` sums to one over its last axis."""
    total = value.sum(axis=-1)
    wrong = np.abs(total - 1) > SUM_TOLERANCE
    if wrong.any():
        index = _where(wrong)
        what = f"row {_show(index)} of {name}" if value.ndim > 1 else name
        raise ValueError(f"{what} must sum to one, got the sum {total[index]}")


def log_likelihoods(name: str, value: object, shape: str, **sizes: int) -> np.ndarray:
    """Return `value` as logarithms of likelihoods: -inf is allowed, NaN and +inf are not.

    An array of floats is not copied.
    """
    value = _floats(name, value, shape, sizes, copy=False)
    if not value.max() < np.inf:  # the largest of numbers with a NaN is NaN
        index = _where(~(value < np.inf))
        raise ValueError(
            f"{name} must be finite or -inf, got {value[index]} at index {_show(index)}"
        )
    return value


def points(name: str, value: object, shape: str = "T D", **sizes: int) -> np.ndarray:
    """Return `value` as points in rows, none of them missing."""
    value = _points_or_missing(name, value, shape, sizes)
    missing = np.isnan(value[:, 0])
    if missing.any():
        raise ValueError(
            f"row {_show(_where(missing))} of {name} is missing (NaN); "
            "leave missing rows out, this model does not take them"
        )
    return value


def points_or_missing(
    name: str, value: object, shape: str = "T D", **sizes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return points in rows and which rows were observed: a row of NaN was not."""
    value = _points_or_missing(name, value, shape, sizes)
    return value, ~np.isnan(value[:, 0])


def integers(
    name: str, value: object, shape: str, *, low: int, high: int | None = None, **sizes: int
) -> np.ndarray:
    """Return `value` as an array of integers from `low` up to, but not including, `high`."""
    data, observed = integers_or_missing(name, value, shape, low=low, high=high, **sizes)
    if not observed.all():
        raise ValueError(f"{name} must not have masked entries")
    return data


def integers_or_missing(
    name: str, value: object, shape: str, *, low: int, high: int | None = None, **sizes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return integers and which of them were observed: a masked entry was not, and reads `low`."""
    masked = False
    if isinstance(value, np.ma.MaskedArray):
        masked, value = np.ma.getmaskarray(value), value.filled(low)
    floats = _floats(name, value, shape, sizes)
    observed = np.broadcast_to(~np.asarray(masked), floats.shape)
    wrong = ~np.isfinite(floats) | (floats != np.rint(floats))
    if wrong.any():
        index = _where(wrong)
        hint = "; a missing one is a masked entry (numpy.ma)" if np.isnan(floats).any() else ""
        raise ValueError(
            f"{name} must be integers, got {floats[index]} at index {_show(index)}{hint}"
        )
    wrong = (floats < low) | (floats >= (np.inf if high is None else high))
    if wrong.any():
        index = _where(wrong)
        allowed = f"at least {low}" if high is None else f"from {low} to {high - 1}"
        raise ValueError(
            f"{name} must be {allowed}, got {floats[index]:.0f} at index {_show(index)}"
        )
    return floats.astype(int), observed


def covariances(name: str, value: object, shape: str = "K D D", **sizes: int) -> np.ndarray:
    """Return `value` as a stack of symmetric positive definite matrices."""
    value = array(name, value, shape, **sizes)
    if not _all_positive_definite(value):  # find out which, and what is wrong with it
        for k, matrix in enumerate(value):
            _positive_definite(f"{name}[{k}]", matrix)
    return value


def covariance(name: str, value: object, shape: str = "D D", **sizes: int) -> np.ndarray:
    """Return `value` as a symmetric positive definite matrix."""
    value = array(name, value, shape, **sizes)
    _positive_definite(name, value)
    return value


def positive(name: str, value: object) -> float:
    """Return `value` as a finite number above zero."""
    return float(above_zero(name, value, ""))


def at_least_zero(name: str, value: object) -> float:
    """Return `value` as a finite number that is not negative."""
    return float(nonnegative(name, value, ""))


def whole(name: str, value: int, *, low: int = 1, high: int | None = None, why: str = "") -> int:
    """Return `value` as an integer from `low` to `high`, both included."""
    try:
        value = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be an integer, got {value!r}") from None
    if value < low:
        raise ValueError(f"{name} must be at least {low}, got {value}")
    if high is not None and value > high:
        raise ValueError(f"{name} must be at most {high}{why}, got {value}")
    return value


def n_groups(name: str, value: int, x: np.ndarray) -> int:
    """Return `value` as a number of groups that the rows of `x` can start from, one row each."""
    value = whole(name, value)
    # To sort all rows takes long. The first of them are enough if enough of them are distinct.
    if len(np.unique(x[: 4 * value], axis=0)) >= value:
        return value
    distinct = len(np.unique(x, axis=0))
    return whole(name, value, high=distinct, why=", the number of distinct points")


def generator(rng: np.random.Generator) -> np.random.Generator:
    """Check that `rng` is a NumPy random generator."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng must be a numpy.random.Generator (default_rng(seed)), got {rng!r}")
    return rng


def frozen(value: np.ndarray) -> np.ndarray:
    """Make an array from the checks above, which is a fresh one, read-only for a model to keep."""
    value.setflags(write=False)
    return value


def log(probability: np.ndarray) -> np.ndarray:
    """Return ln p with ln 0 = -inf, and without NumPy's warning about it."""
    with np.errstate(divide="ignore"):
        return np.log(probability)


def possible(name: str, log_evidence: np.ndarray) -> None:
    """Check that no step has ln p(x_1..x_t), or ln p(x_t | x_1..x_{t-1}), of minus infinity."""
    wrong = log_evidence == -np.inf
    if wrong.any():
        raise ValueError(
            f"{name} must be possible under the chain: at step {_where(wrong)[0]} (counted from 0) "
            "no state that can be reached has a likelihood above zero"
        )


def above_zero(name: str, value: object, shape: str, **sizes: int) -> np.ndarray:
    """Return `value` as an array of finite floats, all above zero."""
    value = array(name, value, shape, **sizes)
    if (value <= 0).any():
        index = _where(value <= 0)
        at = f" at index {_show(index)}" if index else ""
        raise ValueError(f"{name} must be above zero, got {value[index]}{at}")
    return value


def some_observed(name: str, x: np.ndarray) -> np.ndarray:
    """Return `x`, the observations that are not missing, if there are any."""
    if not len(x):
        raise ValueError(f"{name} must have at least one observation that is not missing")
    return x


def weights(name: str, value: object, shape: str, **sizes: int) -> np.ndarray:
    """Return `value` as `nonnegative` does, but without a copy: for large arrays, only read."""
    value = _floats(name, value, shape, sizes, copy=False)
    if not (value.min() >= 0 and value.max() < np.inf):  # nor NaN
        nonnegative(name, value, shape, **sizes)  # which says where
    return value


def trusted(model: type[Model], **fields: object) -> Model:
    """Make a frozen dataclass of fields that are right already, without its checks."""
    made = object.__new__(model)
    for value in fields.values():
        if isinstance(value, np.ndarray):
            frozen(value)
    made.__dict__.update(fields)
    return made


def lengths(value: object, T: int) -> np.ndarray:
    """Return the lengths of sequences that make up T rows of log likelihoods; None is one."""
    value = integers("lengths", [T] if value is None else value, "n_sequences", low=1)
    if value.sum() != T:
        raise ValueError(
            f"lengths must sum to the number of rows of log_likelihood, {T}, got {value.sum()}"
        )
    return value


def same_shape(name: str, value: np.ndarray, other_name: str, other: np.ndarray) -> None:
    """Check that an array has the shape of another one."""
    if value.shape != other.shape:
        raise ValueError(
            f"{name} must have the shape of {other_name}, {other.shape}, got {value.shape}"
        )


def _floats(
    name: str, value: object, shape: str, sizes: dict[str, int], *, copy: bool = True
) -> np.ndarray:
    try:
        if isinstance(value, np.ma.MaskedArray):
            value = np.ma.filled(value.astype(float), np.nan)
        value = np.asarray(value)
        if value.dtype.kind not in "biufO":  # not complex numbers, text or dates
            raise TypeError
        value = value.astype(float, copy=copy)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be an array of real numbers") from None
    axes = shape.split()
    if axes[:1] == ["..."]:  # any number of axes in front of the others
        axes[:1] = ["..."] * max(0, value.ndim - len(axes) + 1)
    lengths = dict(sizes)
    fits = value.ndim == len(axes)
    # An axis named twice must be as long both times, and no axis may be empty.
    fits = fits and all(
        length > 0 and (axis == "..." or lengths.setdefault(axis, length) == length)
        for axis, length in zip(axes, value.shape, strict=False)
    )
    if not fits:
        known = [f"{axis} = {length}" for axis, length in sizes.items()]
        wanted = f"({', '.join(shape.split())})" + (f" with {', '.join(known)}" if known else "")
        raise ValueError(f"{name} must have shape {wanted}, got {value.shape}")
    return value


def _points_or_missing(name: str, value: object, shape: str, sizes: dict[str, int]) -> np.ndarray:
    value = _floats(name, value, shape, sizes)
    if np.isfinite(value).all():
        return value
    if np.isinf(value).any():
        raise ValueError(
            f"{name} must not be infinite, see row {_show(_where(np.isinf(value))[:1])}"
        )
    missing = np.isnan(value)
    partly = missing != missing[:, :1]
    if partly.any():
        raise ValueError(
            f"row {_show(_where(partly)[:1])} of {name} is partly NaN; "
            "a missing observation is a row of NaN only"
        )
    return value


def _all_positive_definite(stack: np.ndarray) -> bool:
    skew = np.abs(stack - stack.transpose(0, 2, 1)).max(axis=(1, 2))
    if (skew > 1e-8 * np.abs(stack).max(axis=(1, 2))).any():
        return False
    try:
        np.linalg.cholesky(stack)
    except np.linalg.LinAlgError:
        return False
    return True


def _positive_definite(name: str, matrix: np.ndarray) -> None:
    if np.abs(matrix - matrix.T).max() > 1e-8 * np.abs(matrix).max():
        raise ValueError(f"{name} must be symmetric, got\n{matrix}")
    try:
        scipy.linalg.cholesky(matrix, lower=True)
    except scipy.linalg.LinAlgError:
        smallest = np.linalg.eigvalsh(matrix)[0]
        raise ValueError(
            f"{name} must be positive definite, but its smallest eigenvalue is {smallest}"
        ) from None


def _where(wrong: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(wrong)[0])


def _show(index: tuple[int, ...]) -> str:
    return str(index[0]) if len(index) == 1 else str(index)
