"""The student's process: runs the student's cells, and answers what the examiner asks.

Everything here is in the hands of a stranger's code. Nothing that this process says is believed:
the examiner decodes it strictly, and its outputs go to the student alone.
"""

import importlib
import itertools
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from sealed.inside import wire
from sealed.inside.cells import Cells, OutOfTime, alarm

CHANGES = (np.ndarray, list, dict, set, bytearray)


class Absent:
    """The last to be asked for a module: says which ones there are."""

    def __init__(self, modules: list[str]):
        self.modules = modules

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Refuse a module that no other finder has found."""
        if path is None:
            allowed = ", ".join(self.modules)
            raise ModuleNotFoundError(
                f"No module named {name!r}: this assignment may import {allowed} "
                "and the standard library",
                name=name,
            )


def serve(channel: wire.Channel, cells: Cells, settings: dict) -> None:
    """Answer until the other side goes."""
    sys.meta_path.append(Absent(settings["modules"]))
    cells.keep(settings["output_kb"] << 10)
    if settings["figures"]:
        cells.with_figures()
    else:  # nobody will read the errors
        cells.shell.InteractiveTB.set_mode(mode="Minimal")
    objects: list[Any] = []
    while True:
        frame, seconds = channel.receive()
        request = wire.loads(frame)
        if "run" in request:
            outputs, succeeded = cells.run(request["run"], request["count"], seconds)
            if not settings["figures"] and "matplotlib.pyplot" in sys.modules:
                sys.modules["matplotlib.pyplot"].close("all")
            answer = {"outputs": outputs, "succeeded": succeeded}
        else:
            answer = _answer(request, objects, cells, seconds)
        channel.send(answer if isinstance(answer, bytes) else wire.dumps(answer))


def _answer(request: dict, objects: list, cells: Cells, seconds: float) -> bytes:
    try:
        with alarm(seconds, "the call"):
            return wire.dumps(_done(request, objects, cells))
    except BaseException as error:
        return wire.dumps(_error(error))


def _error(error: BaseException) -> dict:
    """Describe an exception by its classes, what it was made with, and where it came from."""
    late = isinstance(error, OutOfTime)
    classes = [TimeoutError] if late else type(error).__mro__[:-1]
    arguments = wire.encode(list(error.args), lambda value: repr(value)[:200])
    if len(wire.dumps(arguments)) > 5000:
        arguments = {"list": [str(error)[:1000]]}
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_a_cell(f.filename)]
    return {
        "error": [[[c.__module__, c.__qualname__] for c in classes[:20]], arguments],
        "traceback": "".join(traceback.format_list(frames[-8:]))[:5000],
    }


def _done(request: dict, objects: list, cells: Cells) -> dict:
    """Do what the examiner asks for."""

    def refer(value):
        objects.append(value)
        return {"object": [len(objects) - 1, callable(value), type(value).__name__]}

    def resolve(reference):
        ((kind, x),) = reference.items()
        if kind == "object":
            return objects[x]
        if kind == "name":
            return cells.names[x]
        value = importlib.import_module(x[0])
        for part in x[1].split("."):
            value = getattr(value, part)
        return value

    if "get" in request:
        return {"value": wire.encode(cells.names[request["get"]], refer)}
    target = objects[request["object"]]
    match request:
        case {"attribute": name}:
            value = getattr(target, name)
        case {"items": most}:
            value = list(itertools.islice(target, most))
        case {"length": _}:
            value = len(target)
        case {"item": index}:
            value = target[wire.decode(index, resolve)]
        case {"contains": item}:
            value = wire.decode(item, resolve) in target
        case _:
            return _called(target, request, refer, resolve)
    return {"value": wire.encode(value, refer)}


def _called(target: Callable, request: dict, refer: Callable, resolve: Callable) -> dict:
    arguments = wire.decode(request["arguments"], resolve)
    keywords = wire.decode(request["keywords"], resolve)
    before = _content(arguments, keywords)
    value = target(*arguments, **keywords)
    if (after := _content(arguments, keywords)) != before:
        changed = [k for k in before if after.get(k) != before[k]]
        return {"changed": changed[0] if changed else ""}
    generators = _generators(arguments, keywords)
    return {
        "value": wire.encode(value, refer),
        "generators": [wire.encode(wire.state_of(g), refer) for g in generators],
    }


def _is_a_cell(filename: str) -> bool:
    return filename.startswith(("<cell ", os.getcwd()))


def _content(arguments: list, keywords: dict) -> dict:
    """Return what the arguments that can be changed hold, by position or name."""
    return {
        name: _bytes(value)
        for name, value in [*enumerate(arguments, 1), *keywords.items()]
        if isinstance(value, (*CHANGES, tuple))
    }


def _bytes(value: Any) -> bytes:
    return wire.dumps(wire.encode(value, lambda other: {"id": id(other)}))


def _generators(arguments: list, keywords: dict) -> list[np.random.Generator]:
    values = [*arguments, *keywords.values()]
    return [value for value in values if isinstance(value, np.random.Generator)]
