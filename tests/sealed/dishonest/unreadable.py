"""Hand-ins that are no notebook, or not one that can be run."""

import json

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from tests.sealed.dishonest.kinds import HandIn, broken, cheat

JSON, GIGANTIC, EMPTY = "corrupt JSON", "gigantic notebooks", "empty files"
KERNEL, BYTES, OTHER = "wrong kernels", "non-UTF-8", "other broken notebooks"
HONEST = ("distortion", "caesar", "walk", "tally")


def _text(notebook: NotebookNode) -> bytes:
    return nbformat.writes(notebook).encode()


def _as(notebook: NotebookNode, **changes) -> bytes:
    return json.dumps(json.loads(nbformat.writes(notebook)) | changes).encode()


def _without_source(notebook: NotebookNode) -> bytes:
    content = json.loads(nbformat.writes(notebook))
    for cell in content["cells"]:
        del cell["source"]
    return json.dumps(content).encode()


def _first_cells(notebook: NotebookNode, value: object) -> bytes:
    content = json.loads(nbformat.writes(notebook))
    content["cells"][:2] = [value, value]
    return json.dumps(content).encode()


def _kernel(name: str, language: str):
    def edit(notebook: NotebookNode):
        notebook.metadata.kernelspec = {
            "name": name,
            "display_name": name,
            "language": language,
            "argv": ["/bin/sh", "-c", "touch ran"],
        }
        notebook.metadata.language_info = {"name": language}

    return edit


def _no_kernel(notebook: NotebookNode):
    notebook.metadata.clear()


def _long(notebook: NotebookNode):
    notebook.cells.append(new_markdown_cell("long " * 4_000_000))
    notebook.cells.append(new_code_cell("# " + "long " * 2_000_000))


def _many(notebook: NotebookNode):
    for n in range(5_000):
        notebook.cells.append(new_code_cell(f"n = {n}", id=f"many-{n}"))


def _attached(notebook: NotebookNode):
    cell = new_markdown_cell("![a](attachment:a.png)")
    cell.attachments = {f"{n}.png": {"image/png": "A" * 4_000_000} for n in range(5)}
    notebook.cells.append(cell)


def _no_python(notebook: NotebookNode):
    for text in ("this is no Python", "x = (", "\tif:\n  1\n\t 2", "x = '\0'", "(" * 5_000, "# \\"):
        notebook.cells.append(new_code_cell(text))


def _deep(notebook: NotebookNode):
    notebook.cells.append(new_code_cell("-" * 100_000 + "1"))
    notebook.cells.append(new_code_cell("x = " + "[" * 90 + "]" * 90 + " + 1" * 20_000))


CORPUS: list[HandIn] = [
    broken("cut-off", JSON, "A notebook whose second half is missing.", lambda n: _text(n)[:2_500]),
    broken(
        "no-json",
        JSON,
        "A notebook with an editor's conflict in it.",
        lambda n: _text(n).replace(b'"cells"', b"<<<<<<< HEAD\n"),
    ),
    broken(
        "nested-json",
        JSON,
        "A hundred thousand brackets.",
        lambda n: b"[" * 100_000 + b"]" * 100_000,
    ),
    broken("list", JSON, "JSON, but a list.", lambda n: b"[1, 2, 3]"),
    broken("null", JSON, "JSON, but nothing.", lambda n: b"null"),
    broken("no-cells", JSON, "A notebook whose cells are a number.", lambda n: _as(n, cells=3)),
    broken(
        "cells-of-text", JSON, "A notebook with texts for cells.", lambda n: _first_cells(n, "text")
    ),
    broken(
        "cells-of-null", JSON, "A notebook with nothing for cells.", lambda n: _first_cells(n, None)
    ),
    broken(
        "metadata-of-text",
        JSON,
        "A notebook whose metadata are a text.",
        lambda n: _as(n, metadata="none"),
    ),
    cheat("long", GIGANTIC, "A notebook of thirty megabytes.", honest=HONEST, edit=_long),
    cheat("many-cells", GIGANTIC, "A notebook of five thousand cells.", honest=HONEST, edit=_many),
    cheat("attached", GIGANTIC, "A notebook with 20 MB attached.", honest=HONEST, edit=_attached),
    broken(
        "long-number",
        GIGANTIC,
        "A number of ten million digits among the metadata.",
        lambda n: _text(n).replace(
            b'"metadata": {', b'"metadata": {"n": ' + b"9" * 10**7 + b",", 1
        ),
    ),
    broken("empty", EMPTY, "A file without a byte.", lambda n: b""),
    broken("blank", EMPTY, "A file of blanks.", lambda n: b" \n" * 100),
    broken("empty-object", EMPTY, "An empty object.", lambda n: b"{}"),
    cheat(
        "kernel-of-another-language",
        KERNEL,
        "A notebook that says it is R.",
        honest=HONEST,
        edit=_kernel("ir", "R"),
    ),
    cheat(
        "kernel-of-its-own",
        KERNEL,
        "A notebook that brings the command of its kernel.",
        honest=HONEST,
        edit=_kernel("../../evil", "bash"),
    ),
    cheat("no-kernel", KERNEL, "A notebook without any metadata.", honest=HONEST, edit=_no_kernel),
    broken(
        "latin-1",
        BYTES,
        "A notebook in Latin-1.",
        lambda n: _text(n).replace(b"# A tiny", "# \u00e4 tiny".encode("latin-1")),
    ),
    broken("utf-16", BYTES, "A notebook in UTF-16.", lambda n: _text(n).decode().encode("utf-16")),
    broken("random-bytes", BYTES, "Bytes without meaning.", lambda n: bytes(range(256)) * 40),
    broken(
        "bom",
        BYTES,
        "A notebook that begins with a byte order mark.",
        lambda n: b"\xef\xbb\xbf" + _text(n),
    ),
    broken(
        "surrogate-source",
        BYTES,
        "A notebook with half a character in a cell.",
        lambda n: _text(n).replace(b"# A tiny", b"# \\ud800 tiny"),
    ),
    broken(
        "nul-bytes", OTHER, "A notebook with NUL bytes.", lambda n: _text(n).replace(b"\n", b"\0")
    ),
    broken("nbformat-99", OTHER, "A notebook of a version to come.", lambda n: _as(n, nbformat=99)),
    broken("nbformat-0", OTHER, "A notebook of version 0.", lambda n: _as(n, nbformat=0)),
    broken(
        "nbformat-text", OTHER, 'A notebook of version "four".', lambda n: _as(n, nbformat="four")
    ),
    broken("without-source", OTHER, "A notebook whose cells have no text.", _without_source),
    broken(
        "picture",
        OTHER,
        "A picture with a notebook's name.",
        lambda n: b"\x89PNG\r\n\x1a\n" + bytes(1000),
    ),
    broken(
        "archive", OTHER, "An archive with a notebook's name.", lambda n: b"PK\x03\x04" + bytes(500)
    ),
    broken(
        "page",
        OTHER,
        "A web page with a notebook's name.",
        lambda n: b"<!DOCTYPE html><html><script>alert(1)</script></html>",
    ),
    broken("another-name", OTHER, "A notebook of another name.", _text, called="Tiny (1).ipynb"),
    broken(
        "bad-time",
        OTHER,
        "A notebook whose time of handing in is no time.",
        _text,
        files={"timestamp.txt": b"yesterday, about noon"},
    ),
    cheat("no-python", OTHER, "Cells that are no Python.", honest=HONEST, edit=_no_python),
    cheat(
        "deep-source", OTHER, "Cells that are too deep to be compiled.", honest=HONEST, edit=_deep
    ),
]
