"""Arrays and models in `.npz` files: numbers and names only, nothing that runs when it is read."""

import dataclasses
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

Model = TypeVar("Model")


def save(path: str | Path, model: object) -> None:
    """Write a model to an `.npz` file.

    Parameters
    ----------
    path : path
        Where to; a file that is there is replaced, at once and whole.
    model
        A dataclass whose fields are arrays, numbers, text, or dicts of arrays by name.

    Returns
    -------
    None
        The file is written.

    Raises
    ------
    ValueError
        If `model` is no dataclass, or a field is of another type.
    """
    if not dataclasses.is_dataclass(model) or isinstance(model, type):
        raise ValueError(f"model must be a dataclass, got {type(model).__name__}")
    arrays = {"kind": np.array(type(model).__name__)}
    for name in _fields(type(model)):
        value = getattr(model, name)
        if isinstance(value, Mapping):
            arrays |= {f"{name}/{key}": np.asarray(part) for key, part in value.items()}
        else:
            arrays[name] = np.asarray(value)
    for name, value in arrays.items():
        if value.dtype.hasobject:
            raise ValueError(f"field {name} must be an array, a number or text, or a dict of them")
    write_arrays(path, arrays)


def load(path: str | Path, kind: type[Model]) -> Model:
    """Read a model that `save` wrote.

    Parameters
    ----------
    path : path
        The file.
    kind : class
        The class of the model.

    Returns
    -------
    model
        Equal to the one that was saved; its class has checked it.

    Raises
    ------
    ValueError
        If the file is no `.npz` file, or holds a model of another class.
    FileNotFoundError
        If there is no such file.
    """
    arrays = read_arrays(path)
    found = str(arrays.get("kind", "no model"))
    fields = _fields(kind)
    groups = {key.partition("/")[0] for key in arrays}
    if found != kind.__name__ or groups - {"kind"} != set(fields):
        raise ValueError(f"{path} must hold a {kind.__name__}, found {found}, {sorted(groups)}")
    values: dict[str, object] = {}
    for key, value in arrays.items():
        name, slash, part = key.partition("/")
        if slash:
            values.setdefault(name, {})[part] = value  # type: ignore
        elif key != "kind":
            values[name] = value if value.ndim else value.item()
    return kind(**values)


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to an `.npz` file that appears under its name only when it is complete.

    Parameters
    ----------
    path : path
        Where to.
    arrays : mapping of arrays
        By name.

    Returns
    -------
    None
        The file is written.

    Raises
    ------
    OSError
        If it cannot be written; a file that was there is as before.
    """
    path = Path(path)
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)  # type: ignore[arg-type]
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays of an `.npz` file.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    dict of arrays
        By name.

    Raises
    ------
    ValueError
        If it is no `.npz` file, damaged, or holds anything but arrays of numbers and text.
    FileNotFoundError
        If there is no such file.
    """
    with Path(path).open("rb") as stream:
        try:
            file = np.load(stream, allow_pickle=False)
            return {name: file[name] for name in file.files}
        except (zipfile.BadZipFile, ValueError, EOFError, AttributeError) as error:
            raise ValueError(f"{path} must be an .npz file of numbers and text: {error}") from None


def _fields(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind) if field.init]
