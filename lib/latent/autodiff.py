"""Derivatives of a whole program by the chain rule: reverse-mode differentiation of NumPy arrays.

Lectures 6 and 7 need the gradient of a loss with respect to many parameters. Let the loss be
l = f(y) with y = h(x). The chain rule multiplies the gradient of l by the Jacobian of h,

    dl/dx = (dy/dx)^T dl/dy,

and never needs the Jacobian itself: each primitive operation h brings a function that turns dl/dy,
called g below, into dl/dx. A `Tensor` is an array y that keeps, for each x it was computed from,
that function. These links are the tape. `backward` follows them from the loss to the leaves, each
value after all values that were computed from it, and adds up what arrives: a value that is used
twice gets the sum of two gradients. The price of all derivatives is a small multiple of the price
of the loss.

The order of this file is the order of reading: the tape (`Tensor`, `record`, `backward`), then the
primitives, a line for each derivative. Speelpenning (1980); Griewank and Walther (2008), chapter 3.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

import numpy as np
from scipy.special import expit

Array = np.ndarray | np.floating  # a sum of all entries is a scalar of NumPy
Pull = Callable[[np.ndarray], Array]  # from dl/dy to dl/dx
Operand = Union["Tensor", np.ndarray, np.floating, float, int]
Axis = int | tuple[int, ...] | None


class Tensor:
    """An array of floats that remembers what it was computed from.

    ``Tensor(data)`` is a leaf: after ``loss.backward()`` its `grad` holds the gradient of the loss.
    What is computed from a Tensor is a Tensor. Numbers and arrays that meet one in an operation are
    constants and take its precision.

    Parameters
    ----------
    data : array of floats, or a float
        The values; an array is not copied.

    Attributes
    ----------
    data : array
        The values.
    grad : array of the same shape, or None
        For a leaf, the sum of the gradients of all losses whose `backward` was called.
    tracked : bool
        Whether gradients pass through it; not so for constants.

    Raises
    ------
    ValueError
        If `data` is not made of floats. Integers have no derivatives; symbols and indices are
        passed to functions as arrays.

    Notes
    -----
    Lecture 6.
    """

    __slots__ = ("_edges", "data", "grad", "tracked")
    __array_ufunc__ = None  # NumPy leaves `array * tensor` to `Tensor.__rmul__`

    def __init__(self, data: object) -> None:
        self.data = _floats("data", data)
        self.grad: np.ndarray | None = None
        self.tracked = True
        self._edges: tuple[tuple[Tensor, Pull], ...] = ()

    def backward(self) -> None:
        """Add the gradient of this value to the `grad` of every leaf that it was computed from.

        Returns
        -------
        None
            The gradients are in the leaves.

        Raises
        ------
        ValueError
            If this is not a single number, or was computed from constants alone.
        """
        if self.data.size != 1:
            raise ValueError(
                f"backward starts from a single number, the loss, got shape {self.shape}; "
                "take the sum or the mean first"
            )
        if not self.tracked:
            raise ValueError("the loss depends on no Tensor that could take a gradient")
        grads: dict[Tensor, np.ndarray] = {self: np.ones_like(self.data)}
        for y in reversed(_in_order_of_computation(self)):
            g = grads.pop(y)
            if not y._edges:
                y.grad = g if y.grad is None else y.grad + g
            for x, pull in y._edges:
                part = _sum_to(x.data, pull(g))
                grads[x] = grads[x] + part if x in grads else part

    # ---- elementwise primitives: dl/dx = g times the derivative of each entry

    def __add__(self, other: Operand) -> "Tensor":
        x, y = self.data, _constant(other, self)
        return record(_apply(np.add, x, y), (self, lambda g: g), (other, lambda g: g))

    def __mul__(self, other: Operand) -> "Tensor":
        x, y = self.data, _constant(other, self)
        value = _apply(np.multiply, x, y)
        return record(value, (self, lambda g: g * y), (other, lambda g: g * x))

    def __sub__(self, other: Operand) -> "Tensor":
        x, y = self.data, _constant(other, self)
        return record(_apply(np.subtract, x, y), (self, lambda g: g), (other, lambda g: -g))

    def __truediv__(self, other: Operand) -> "Tensor":
        x, y = self.data, _constant(other, self)
        ratio = _apply(np.divide, x, y)
        return record(ratio, (self, lambda g: g / y), (other, lambda g: -g * ratio / y))

    def __neg__(self) -> "Tensor":
        return record(-self.data, (self, lambda g: -g))

    def __pow__(self, p: int | float) -> "Tensor":
        if not isinstance(p, (int, float)):
            raise ValueError(f"the exponent must be a number, got {type(p).__name__}")
        x, p = self.data, float(p)
        return record(x**p, (self, lambda g: g * (p * x ** (p - 1))))

    def __radd__(self, other: Operand) -> "Tensor":
        return self + other

    def __rmul__(self, other: Operand) -> "Tensor":
        return self * other

    def __rsub__(self, other: Operand) -> "Tensor":
        return record(_constant(other, self)) - self

    def __rtruediv__(self, other: Operand) -> "Tensor":
        return record(_constant(other, self)) / self

    def exp(self) -> "Tensor":
        """Return exp x; its derivative is itself.

        Returns
        -------
        Tensor
            Of the same shape.
        """
        y = np.exp(self.data)
        return record(y, (self, lambda g: g * y))

    def log(self) -> "Tensor":
        """Return ln x; its derivative is 1 / x.

        Returns
        -------
        Tensor
            Of the same shape.
        """
        x = self.data
        return record(np.log(x), (self, lambda g: g / x))

    def tanh(self) -> "Tensor":
        """Return tanh x; its derivative is 1 - tanh^2 x.

        Returns
        -------
        Tensor
            Of the same shape.
        """
        y = np.tanh(self.data)
        return record(y, (self, lambda g: g * (1 - y * y)))

    def sigmoid(self) -> "Tensor":
        """Return s = 1 / (1 + exp(-x)); its derivative is s (1 - s).

        Returns
        -------
        Tensor
            Of the same shape.
        """
        s = expit(self.data)
        return record(s, (self, lambda g: g * (s * (1 - s))))

    def softplus(self) -> "Tensor":
        """Return ln(1 + exp x); its derivative is the sigmoid.

        Returns
        -------
        Tensor
            Of the same shape.
        """
        x = self.data
        y = np.log(1 + np.exp(-np.abs(x)))  # no overflow, and faster than logaddexp
        return record(y + np.maximum(x, 0), (self, lambda g: g * expit(x)))

    def relu(self) -> "Tensor":
        """Return max(x, 0); its derivative is 1 above zero, and taken as 0 at zero.

        Returns
        -------
        Tensor
            Of the same shape.
        """
        x = self.data
        return record(np.maximum(x, 0), (self, lambda g: g * (x > 0)))

    # ---- primitives that join or move entries

    def __matmul__(self, other: Operand) -> "Tensor":
        """Y = X W. From dl = sum_ij G_ij dY_ij follow dl/dX = G W^T and dl/dW = X^T G."""
        return _product(self, other, self.data, _constant(other, self))

    def __rmatmul__(self, other: Operand) -> "Tensor":
        return _product(other, self, _constant(other, self), self.data)

    def sum(self, axis: Axis = None, *, keepdims: bool = False) -> "Tensor":
        """Add up entries; each of them gets the gradient of its sum.

        Parameters
        ----------
        axis : int, tuple of int, or None
            The axes to sum over, all if None.
        keepdims : bool
            Whether these axes stay, with length one.

        Returns
        -------
        Tensor
            The sums.

        Raises
        ------
        ValueError
            If there is no such axis.
        """
        return self._average(1, axis, keepdims)

    def mean(self, axis: Axis = None, *, keepdims: bool = False) -> "Tensor":
        """Average entries: their sum, divided by how many there are.

        Parameters
        ----------
        axis : int, tuple of int, or None
            The axes to average over, all if None.
        keepdims : bool
            Whether these axes stay, with length one.

        Returns
        -------
        Tensor
            The means.

        Raises
        ------
        ValueError
            If there is no such axis, or nothing to average.
        """
        if not self.data.size:
            raise ValueError(f"the mean needs at least one entry, got shape {self.shape}")
        some = range(self.ndim) if axis is None else np.atleast_1d(axis)
        return self._average(math.prod(self.shape[i] for i in some), axis, keepdims)

    def _average(self, n: int, axis: Axis, keepdims: bool) -> "Tensor":
        x = self.data
        kept = x.sum(axis=axis, keepdims=True) * x.dtype.type(1 / n)
        value = kept if keepdims else kept.squeeze(axis)
        return record(
            value, (self, lambda g: np.broadcast_to(g.reshape(kept.shape) * (1 / n), x.shape))
        )

    def reshape(self, *shape: int) -> "Tensor":
        """Return the same entries, in the same order, in another shape.

        Parameters
        ----------
        *shape : int
            The new lengths; one of them may be -1, which stands for what is left.

        Returns
        -------
        Tensor
            Of that shape.

        Raises
        ------
        ValueError
            If the number of entries differs.
        """
        x = self.data
        return record(x.reshape(shape), (self, lambda g: g.reshape(x.shape)))

    def transpose(self, *axes: int) -> "Tensor":
        """Return the axes in another order; the gradient goes back through the inverse order.

        Parameters
        ----------
        *axes : int
            The old axes in their new order.

        Returns
        -------
        Tensor
            With `axes[i]` of the old axes as axis i.

        Raises
        ------
        ValueError
            If `axes` does not name each axis once.
        """
        back = tuple(np.argsort([axis % self.ndim for axis in axes]))
        return record(self.data.transpose(axes), (self, lambda g: g.transpose(back)))

    def swapaxes(self, first: int, second: int) -> "Tensor":
        """Exchange two axes.

        Parameters
        ----------
        first, second : int
            The axes.

        Returns
        -------
        Tensor
            With both exchanged.

        Raises
        ------
        ValueError
            If there is no such axis.
        """
        value = self.data.swapaxes(first, second)
        return record(value, (self, lambda g: g.swapaxes(first, second)))

    def __getitem__(self, index: Any) -> "Tensor":
        x = self.data
        return record(x[index], (self, lambda g: _put(g, x, index)))

    # ---- what an array can tell

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.data.ndim

    @property
    def dtype(self) -> np.dtype:
        """The precision of the entries."""
        return self.data.dtype

    def __len__(self) -> int:
        return len(self.data)

    def __float__(self) -> float:
        return float(self.data.item())

    def __repr__(self) -> str:
        return f"Tensor({np.array2string(self.data, threshold=20, separator=', ')})"


def record(value: Array, *edges: tuple[object, Pull]) -> Tensor:
    """Write the result of a primitive on the tape.

    Parameters
    ----------
    value : array
        y, the result.
    *edges : pairs (x, pull)
        For each operand x the function that turns g = dl/dy into dl/dx. It may return the shape of
        y where x was broadcast: it is summed to the shape of x. An x that is a constant is left
        out; without any, y is a constant.

    Returns
    -------
    Tensor
        y, linked with its operands.

    Raises
    ------
    ValueError, TypeError
        If an edge is no pair.

    Notes
    -----
    Lecture 6. With this function a user adds a primitive: value, and a line for each derivative.
    """
    y = object.__new__(Tensor)
    y.data, y.grad = np.asarray(value), None
    y._edges = tuple((x, pull) for x, pull in edges if isinstance(x, Tensor) and x.tracked)
    y.tracked = bool(y._edges)
    return y


def stop_gradient(x: Tensor) -> Tensor:
    """Return the same values as a constant, through which no gradient passes.

    Parameters
    ----------
    x : Tensor
        Values that depend on parameters.

    Returns
    -------
    Tensor
        sg[x]: equal to x, with derivative zero.

    Raises
    ------
    ValueError
        If `x` is no Tensor.

    Notes
    -----
    Lecture 7, VQ-VAE: x + sg[y - x] has the value of y and the gradient of x (straight-through).
    """
    if not isinstance(x, Tensor):
        raise ValueError(f"x must be a Tensor, got {type(x).__name__}")
    return record(x.data)


def constants(values: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Return parameters as constants: to evaluate a network without a tape.

    Parameters
    ----------
    values : mapping of arrays
        By name.

    Returns
    -------
    dict of Tensors
        By the same names.

    Raises
    ------
    ValueError
        If they are not floats.
    """
    return {name: stop_gradient(Tensor(value)) for name, value in values.items()}


def concatenate(parts: Sequence[Tensor], axis: int = -1) -> Tensor:
    """Put arrays one behind the other; each takes back its part of the gradient.

    Parameters
    ----------
    parts : sequence of Tensor
        At least one; their shapes agree but for `axis`.
    axis : int
        The axis along which they are joined.

    Returns
    -------
    Tensor
        The parts in their order.

    Raises
    ------
    ValueError
        If there are no parts or their shapes do not fit.
    """
    if not len(parts):
        raise ValueError("parts must have at least one Tensor")
    value = np.concatenate([part.data for part in parts], axis)
    ends = np.cumsum([part.shape[axis] for part in parts])[:-1]
    pulls = [lambda g, i=i: np.split(g, ends, axis)[i] for i in range(len(parts))]
    return record(value, *zip(parts, pulls, strict=True))


def _in_order_of_computation(y: Tensor) -> list[Tensor]:
    """List what y was computed from, each value after its operands; y is the last."""
    order, seen, stack = [], set(), [(y, False)]
    while stack:
        node, operands_done = stack.pop()
        if operands_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((x, False) for x, _ in node._edges)
    return order


def _product(left: object, right: object, x: np.ndarray, w: np.ndarray) -> Tensor:
    if x.ndim < 2 or w.ndim < 2 or x.shape[-1] != w.shape[-2]:
        raise ValueError(
            f"{x.shape} @ {w.shape} does not fit: both need at least two axes, and the last axis "
            "of the first must be as long as the last but one of the second"
        )
    if w.ndim == 2:  # one matrix for all rows: one large product is faster than many small ones
        rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
        flat = (len(rows), w.shape[1])
        return record(
            (rows @ w).reshape(*x.shape[:-1], w.shape[1]),
            (left, lambda g: (g.reshape(flat) @ w.T).reshape(x.shape)),
            (right, lambda g: rows.T @ g.reshape(flat)),
        )
    value = _apply(np.matmul, x, w)
    return record(
        value,
        (left, lambda g: g @ w.swapaxes(-1, -2)),
        (right, lambda g: x.swapaxes(-1, -2) @ g),
    )


def _put(g: np.ndarray, x: np.ndarray, index: Any) -> np.ndarray:
    """Give each entry the sum of the gradients of its copies, none if it was left out."""
    whole = np.zeros_like(x)
    if _takes_each_once(index):
        whole[index] = g
    else:
        np.add.at(whole, index, g)
    return whole


def _sum_to(x: np.ndarray, g: Array) -> np.ndarray:
    """Sum a gradient over the axes along which x was repeated, and give it the precision of x."""
    if g.shape != x.shape:
        rows = math.prod(g.shape[: g.ndim - x.ndim])
        kept = g.shape[g.ndim - x.ndim :]
        if g.ndim > x.ndim:  # a product is faster than a sum
            g = (np.ones(rows, g.dtype) @ g.reshape(rows, math.prod(kept))).reshape(kept)
        repeated = tuple(i for i, (n, m) in enumerate(zip(x.shape, g.shape, strict=True)) if n != m)
        g = g.sum(axis=repeated, keepdims=True)
    return np.asarray(g, x.dtype)


def _apply(operation: np.ufunc, x: np.ndarray, y: np.ndarray) -> Array:
    try:
        return operation(x, y)
    except ValueError:
        raise ValueError(
            f"{operation.__name__} of shapes {np.shape(x)} and {np.shape(y)} does not fit: from "
            "the last axis on, lengths must be equal or one of them 1"
        ) from None


def _floats(name: str, value: object) -> np.ndarray:
    value = np.asarray(value)
    if value.dtype.kind != "f":
        raise ValueError(
            f"{name} must be floats, got {value.dtype}: convert numbers with .astype(float), and "
            "pass symbols or indices as they are to the function that takes them"
        )
    return value


def _constant(other: object, like: Tensor) -> np.ndarray:
    """Return the values of an operand, in the precision of the Tensor that it meets."""
    if isinstance(other, Tensor):
        return other.data
    if isinstance(other, (bool, int, float)):
        return np.asarray(other, like.dtype)
    other = np.asarray(other)
    if other.dtype.kind != "b":
        other = _floats("an array that meets a Tensor", other)
    return other.astype(like.dtype, copy=False)


def _takes_each_once(index: object) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return all(p is None or p is Ellipsis or isinstance(p, (int, slice, np.integer)) for p in parts)
