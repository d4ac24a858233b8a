"""What crosses between processes: frames on a socket, and in them plain data as JSON.

Never pickle: to unpickle is to run what the sender wants. A value is a number, a text, a container
of values, a NumPy array or scalar of numbers or text, a Generator, or something that the caller
gives a reference for. Whatever arrives is checked for its form, its depth and its size, because a
stranger may have written it.
"""

import base64
import binascii
import collections
import json
import math
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

DEPTH = 50
LARGE = 1 << 1000
KINDS = "biufcUSmM"  # of arrays: numbers, text, times; neither objects nor records
CONTAINERS = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
BIT_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


class WireError(ValueError):
    """What arrived is not plain data, or is too much of it."""


class Closed(ConnectionError):
    """The other side has gone."""


class Late(TimeoutError):
    """The other side did not answer in time."""


class Channel:
    """Frames on a socket: four bytes of length, eight of the seconds that the answer may take."""

    def __init__(self, sock: socket.socket, limit: int):
        self.sock, self.limit = sock, limit

    def send(self, frame: bytes, seconds: float = math.inf) -> None:
        """Send a frame; a receiver that does not read it is late."""
        try:
            self.sock.settimeout(None if math.isinf(seconds) else max(seconds, 0.001))
            self.sock.sendall(struct.pack("<Id", len(frame), seconds) + frame)
        except TimeoutError:
            raise Late("nobody reads") from None
        except OSError as error:
            raise Closed(str(error)) from None

    def receive(self, seconds: float = math.inf) -> tuple[bytes, float]:
        """Wait for a frame; return it with the seconds that its answer may take."""
        end = time.monotonic() + seconds
        length, allowed = struct.unpack("<Id", self._read(12, end))
        if length > self.limit:
            raise WireError(f"a message of {length >> 20} MB; at most {self.limit >> 20} may cross")
        return self._read(length, end), allowed

    def _read(self, n: int, end: float) -> bytes:
        chunks = bytearray()
        while len(chunks) < n:
            left = end - time.monotonic()
            if left <= 0:
                raise Late("no answer")
            try:
                self.sock.settimeout(None if math.isinf(left) else left)
                chunk = self.sock.recv(min(n - len(chunks), 1 << 20))
            except TimeoutError:
                raise Late("no answer") from None
            except OSError as error:
                raise Closed(str(error)) from None
            if not chunk:
                raise Closed("the other side has gone")
            chunks += chunk
        return bytes(chunks)

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


def dumps(message: Any) -> bytes:
    """Write JSON."""
    return json.dumps(message, separators=(",", ":")).encode()


def loads(frame: bytes) -> Any:
    """Read JSON; raise WireError where it is none."""
    try:
        return json.loads(frame)
    except (ValueError, RecursionError) as error:
        raise WireError(f"no JSON: {str(error)[:200]}") from None


def encode(value: Any, refer: Callable[[Any], Any], depth: int = 0) -> Any:
    """Turn a value into JSON.

    A subclass of a plain type goes as that type, an enumeration's number as a number; a named tuple
    stays one. `refer` gives the JSON object for everything else.
    """
    if depth > DEPTH:
        raise WireError(f"nested deeper than {DEPTH}")

    def inner(x):
        return encode(x, refer, depth + 1)

    kind = type(value)
    if value is None or kind in (bool, float, str):
        return value
    if isinstance(value, np.ma.MaskedArray) and not np.ma.getmaskarray(value).any():
        value = np.asarray(value)  # nothing is masked: its numbers are all there is
    if isinstance(value, np.ndarray):
        # another kind of array, such as a masked one, is more than its numbers
        if (
            type(value) is not np.ndarray
            or value.dtype.kind not in KINDS
            or value.dtype.itemsize == 0
        ):
            return refer(value)
        data = np.ascontiguousarray(value).tobytes()
        return {"array": [value.dtype.str, list(value.shape), _text(data)]}
    if isinstance(value, np.generic):
        if value.dtype.kind not in KINDS or value.dtype.itemsize == 0:
            return refer(value)
        return {"scalar": [value.dtype.str, _text(value.tobytes())]}
    if isinstance(value, bool | int | float | str):  # a subclass; bool cannot have one
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, float):
            return float(value)
        whole = int(value)  # JSON's numbers may not have more than a few thousand digits
        return whole if -LARGE < whole < LARGE else {"int": hex(whole)}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, bytes | bytearray):
        return {"bytes": _text(bytes(value))}
    if isinstance(value, range):
        return {"range": [value.start, value.stop, value.step]}
    if kind is slice:
        return {"slice": [inner(value.start), inner(value.stop), inner(value.step)]}
    if value is Ellipsis:
        return {"ellipsis": None}
    if isinstance(value, np.random.Generator):
        return {"generator": inner(state_of(value))}
    if isinstance(value, dict):
        return {"dict": [[inner(k), inner(v)] for k, v in dict.items(value)]}
    if isinstance(value, tuple) and (fields := getattr(value, "_fields", None)) is not None:
        return {"record": [kind.__name__, list(fields), [inner(x) for x in tuple(value)]]}
    for name, base in CONTAINERS.items():
        if isinstance(value, base):
            return {name: [inner(x) for x in base.__iter__(value)]}
    if isinstance(value, _VIEWS):
        return {"list": [inner(x) for x in value]}
    return refer(value)


_VIEWS = (type({}.keys()), type({}.values()), type({}.items()))


def decode(data: Any, resolve: Callable[[dict], Any], depth: int = 0) -> Any:
    """Turn JSON into the value; `resolve` gets what is a reference.

    Raises
    ------
    WireError
        If it is not what `encode` writes.
    """
    if depth > DEPTH:
        raise WireError(f"nested deeper than {DEPTH}")
    if data is None or type(data) in (bool, int, float, str):
        return data
    if type(data) is not dict or len(data) != 1:
        raise WireError("malformed data")
    ((tag, x),) = data.items()

    def inner(y):
        return decode(y, resolve, depth + 1)

    try:
        if tag == "array":
            dtype, shape, text = x
            return _array(dtype, [_whole(n) for n in shape], text)
        if tag == "scalar":
            dtype, text = x
            return _array(dtype, [1], text)[0]
        if tag in CONTAINERS:
            return CONTAINERS[tag](inner(y) for y in _list(x))
        if tag == "record":
            name, fields, values = x
            return _record(str(name), tuple(map(str, _list(fields))))(*map(inner, _list(values)))
        if tag == "int":
            return int(x, 16)
        if tag == "dict":
            return {inner(k): inner(v) for k, v in _list(x)}
        if tag == "complex":
            re, im = x
            return complex(float(re), float(im))
        if tag == "bytes":
            return _bytes(x)
        if tag == "range":
            return range(*(_whole(n, least=None) for n in x))
        if tag == "slice":
            return slice(*(inner(y) for y in _list(x)))
        if tag == "ellipsis":
            return Ellipsis
        if tag == "generator":
            return generator(inner(x))
    except WireError:
        raise
    except (TypeError, ValueError, KeyError, OverflowError, AttributeError) as error:
        raise WireError(f"malformed {tag}: {str(error)[:200]}") from None
    return resolve(data)


def state_of(rng: np.random.Generator) -> Mapping[str, Any]:
    """Return the state of a Generator."""
    return rng.bit_generator.state


def generator(state: Any) -> np.random.Generator:
    """Make a Generator with this state."""
    return np.random.Generator(bit_generator(state))


def bit_generator(state: Any) -> np.random.BitGenerator:
    """Make the bit generator that a state is of."""
    name = state["bit_generator"]
    if name not in BIT_GENERATORS:
        raise WireError(f"an unknown generator {str(name)[:40]!r}")
    bits = getattr(np.random, name)()
    bits.state = state
    # NumPy believes these, and would read past the end of its buffer
    position, most = {
        "MT19937": (bits.state["state"].get("pos", 0), 624),
        "Philox": (bits.state.get("buffer_pos", 0), 4),
    }.get(name, (0, 0))
    if not 0 <= position <= most:
        raise WireError(f"a generator at position {position}")
    return bits


def _array(dtype: Any, shape: Sequence[int], text: Any) -> np.ndarray:
    dtype = np.dtype(dtype if type(dtype) is str else "")
    if dtype.kind not in KINDS or dtype.itemsize == 0 or dtype.fields or dtype.subdtype:
        raise WireError(f"an array of {str(dtype)[:40]}")
    data = _bytes(text)
    if math.prod(shape) * dtype.itemsize != len(data):
        raise WireError("an array whose size is not that of its shape")
    a = np.frombuffer(data, dtype).reshape(shape).copy()
    if dtype.kind == "b":  # a byte that is neither 0 nor 1 would be a truth value of its own kind
        return np.array(np.frombuffer(data, np.uint8).reshape(shape) != 0)
    if dtype.kind == "U" and np.frombuffer(data, dtype.byteorder + "u4").max(initial=0) > 0x10FFFF:
        raise WireError("text that is no Unicode")
    return a


@lru_cache(256)
def _record(name: str, fields: tuple[str, ...]) -> type:
    return collections.namedtuple(name, fields)


def _list(x: Any) -> list:
    if type(x) is not list:
        raise WireError("malformed data")
    return x


def _whole(n: Any, least: int | None = 0) -> int:
    if type(n) is not int or (least is not None and n < least):
        raise WireError("malformed number")
    return n


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise WireError(str(error)) from None
