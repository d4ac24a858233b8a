"""The examiner's process: runs the test cells; what the student was to define stands in for itself.

A name of the student's is a plain value, or an object that stays in the student's process and can
be called, indexed and asked for attributes. What it holds comes over as plain data. It is never
compared: a stranger's `__eq__` may say anything.
"""

import builtins
import importlib
import numbers
import sys
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from sealed.inside import wire, words
from sealed.inside.cells import Cells, alarm, patience

MANY = 1_000_000  # items that are taken of a student's iterator


class StudentError(RuntimeError):
    """Something that the student's code did; its class there is unknown here."""


class ArgumentChanged(StudentError):
    """The student's function changed what it was given."""


class NotPlainData(TypeError):
    """A test uses a student's object where plain data is needed."""


class Link:
    """Calls to the student's process."""

    def __init__(self, channel: wire.Channel, shared: Callable[[], dict]):
        self.channel, self.shared = channel, shared
        self.failure: BaseException | None = None  # the last error that a call brought
        self.traceback, self.called = "", ""

    def get(self, name: str) -> Any:
        """Return what the student's process has under a name; NameError if nothing."""
        return self.ask({"get": name}, name)

    def call(self, number: int, called: str, arguments: tuple, keywords: dict) -> Any:
        """Call an object of the student's."""
        request = {
            "object": number,
            "arguments": wire.encode(list(arguments), self.send),
            "keywords": wire.encode(keywords, self.send),
        }
        generators = [
            a for a in (*arguments, *keywords.values()) if isinstance(a, np.random.Generator)
        ]
        return self.ask(request, called, generators)

    def ask(self, request: dict, called: str, generators: list | tuple = ()) -> Any:
        """Send a request; return the value or raise what it raised."""
        self.called = called
        with patience():
            self.channel.send(wire.dumps({"ask": request}))
            frame, _ = self.channel.receive()
        try:
            return self._read(wire.loads(frame), called, generators)
        except wire.WireError as error:
            raise self._failed(StudentError(f"{called}: {error}")) from None

    def _read(self, answer: Any, called: str, generators: list | tuple) -> Any:
        if type(answer) is not dict:
            raise wire.WireError("malformed answer")
        if "value" in answer:
            value = wire.decode(answer["value"], self._object(called))
            if generators:
                states = answer.get("generators")
                if type(states) is not list or len(states) != len(generators):
                    raise wire.WireError("malformed answer")
                for rng, state in zip(generators, states, strict=True):
                    now = wire.bit_generator(wire.decode(state, _no_reference))
                    if type(now) is not type(rng.bit_generator):
                        raise wire.WireError("a Generator of another kind")
                    rng.bit_generator.state = now.state
            return value
        if "changed" in answer:
            raise self._failed(
                ArgumentChanged(
                    f"{called} changed its argument {str(answer['changed'])[:40]}: "
                    "it must return its result and leave what it was given as it was"
                )
            )
        if "late" in answer:
            raise self._failed(TimeoutError(f"{called} did not answer in time"))
        raise self._failed(_exception(answer.get("error")), str(answer.get("traceback"))[:5000])

    def _failed(self, error: BaseException, text: str = "") -> BaseException:
        self.failure, self.traceback = error, text
        return error

    def _object(self, called: str) -> Callable[[dict], "StudentObject"]:
        def resolve(reference: dict) -> StudentObject:
            if list(reference) != ["object"]:
                raise wire.WireError("malformed data")
            number, is_callable, kind = reference["object"]
            if type(number) is not int:
                raise wire.WireError("malformed data")
            made = StudentFunction if is_callable is True else StudentObject
            return made(self, number, str(kind)[:40], called)

        return resolve

    def send(self, value: Any) -> dict:
        """Return the reference for something that is no plain data."""
        if isinstance(value, StudentObject):
            return {"object": value._number}
        for name, shared in self.shared().items():
            if shared is value:
                return {"name": name}
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if isinstance(value, np.ufunc):
            module, name = "numpy", value.__name__
        if module and name and module != "__main__" and _imported(module, name) is value:
            return {"import": [module, name]}
        raise NotPlainData(
            f"a {type(value).__name__} cannot be sent to the student's code: "
            "define it by name in a cell that students get, before the test"
        )


class StudentObject:
    """Something in the student's process that is no plain data."""

    __slots__ = ("_called", "_kind", "_link", "_number")
    __array_ufunc__ = None

    def __init__(self, link: Link, number: int, kind: str, called: str):
        for name, value in zip(StudentObject.__slots__, (called, kind, link, number), strict=True):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__name__", "__doc__", "__qualname__"):
            raise AttributeError(name)
        called = f"{self._called}.{name}"
        return self._link.ask({"object": self._number, "attribute": name}, called)

    def __setattr__(self, name: str, value: Any) -> None:
        raise NotPlainData(f"tests cannot set {name!r} of {self!r}")

    def _asked(self, **request: Any) -> Any:
        return self._link.ask({"object": self._number} | request, self._called)

    def __len__(self) -> int:
        return self._asked(length=None)

    def __iter__(self) -> Any:
        return iter(self._asked(items=MANY))

    def __getitem__(self, index: Any) -> Any:
        return self._asked(item=wire.encode(index, self._link.send))

    def __contains__(self, item: Any) -> bool:
        return self._asked(contains=wire.encode(item, self._link.send)) is True

    def __repr__(self) -> str:
        return f"<{self._called}: an object of type {self._kind}>"

    def _refuse(self, *_: Any) -> Any:
        raise NotPlainData(f"{self!r} is not plain data: a number, a text, an array, a list ...")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __bool__ = __float__ = __int__ = __index__ = __complex__ = __array__ = __hash__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __matmul__ = _refuse
    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __neg__ = __abs__ = _refuse


class StudentFunction(StudentObject):
    """An object of the student's that can be called."""

    __slots__ = ()

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Call it in the student's process."""
        return self._link.call(self._number, f"`{self._called.strip('`')}`", arguments, keywords)


def serve(channel: wire.Channel, cells: Cells, settings: dict) -> None:
    """Run what is asked for until the other side goes."""
    cells.keep(settings["output_kb"] << 10)
    shared: dict[str, Any] = {}
    link = Link(channel, lambda: shared)
    while True:
        frame, seconds = channel.receive()
        request = wire.loads(frame)
        if "share" in request:
            before = dict(cells.names)
            outputs, succeeded = cells.run(request["share"], 1, seconds)
            shared |= {
                name: value
                for name, value in cells.names.items()
                if before.get(name) is not value and callable(value) and name[0] != "_"
            }
            answer = {"outputs": outputs, "succeeded": succeeded}
        elif "names" in request:
            _fetch(request["names"], link, cells)
            answer = {}
        else:
            answer = _test(request["test"], request["id"], link, cells, seconds)
        channel.send(wire.dumps(answer))


def _fetch(names: list[str], link: Link, cells: Cells) -> None:
    """Bring the student's names up to date."""
    for name in names:
        try:
            cells.names[name] = link.get(name)
        except Exception:  # a name that is not there is a NameError in the test that needs it
            cells.names.pop(name, None)


def _test(source: str, grade_id: str, link: Link, cells: Cells, seconds: float) -> dict:
    """Run a test cell."""
    link.failure, link.traceback = None, ""
    name = f"<{grade_id}>"
    try:
        with alarm(seconds, "the test"):
            outputs, value = cells.run_plain(source, name)
    except BaseException as error:
        by_student = _is_from(error, link.failure)
        return {
            "passed": False,
            "outputs": cells.recorder.outputs,
            "error": [type(error).__name__, str(error)[:5000]],
            "traceback": _lines_of(error, name),
            "student_traceback": link.traceback if by_student else "",
            "from_student": type(link.failure).__name__ if by_student else "",
            "called": link.called if by_student else "",
            "words": words.of(error, name),
        }
    return {"passed": True, "outputs": outputs, "value": _number(value)}


def _number(value: Any) -> Any:
    """Return the last expression if nbgrader would read it as partial credit."""
    if isinstance(value, StudentObject):
        return {"object": repr(value)}
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_):
        return float(value)
    return None


def _is_from(error: BaseException, failure: BaseException | None) -> bool:
    return failure is not None and failure in (error, error.__cause__)


def _lines_of(error: BaseException, name: str) -> str:
    """Return the lines of the test cell on the way to the error."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == name]
    return "".join(traceback.format_list(frames))[:5000]


def _exception(described: Any) -> BaseException:
    """Return an exception like the student's: of the first of its classes that tests may expect.

    Never one that ends a loop or a program quietly: a StopIteration out of the student's code
    would end a `map` or an `all` of the tests as if everything had been looked at.
    """
    try:
        classes, arguments = described
        names = [(str(module), str(name)[:200]) for module, name in classes[:20]]
        arguments = wire.decode(arguments, _no_reference)
    except (TypeError, ValueError):
        return StudentError("no answer")
    for module, name in names:
        if (kind := _expected(module, name)) is not None:
            try:
                return kind(*arguments)
            except Exception:  # a class that wants other arguments
                break
    text = ", ".join(map(str, arguments))
    return StudentError(f"{names[0][1] if names else 'an error'}: {text}")


def _expected(module: str, name: str) -> type[Exception] | None:
    if module == "builtins":
        kind = getattr(builtins, name, None)
    elif module.split(".")[0] in ("numpy", "scipy") and module in sys.modules:
        kind = getattr(sys.modules[module], name, None)
    else:
        return None
    quiet = (StopIteration, StopAsyncIteration, Warning)
    plain = isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, quiet)
    return kind if plain and kind is not Exception else None


def _no_reference(reference: dict) -> Any:
    raise wire.WireError("malformed data")


def _imported(module: str, name: str) -> Any:
    value = importlib.import_module(module)
    for part in name.split("."):
        value = getattr(value, part, None)
    return value
