"""Outputs of a stranger's cells, as far as they are what nbformat calls outputs, and not too many.

The student's process keeps its output small by itself; that is a courtesy, and nothing to rely on.
"""

from typing import Any

MOST = 500  # outputs of a cell
CUT = "\n... (more output is not kept)\n"


def kept(outputs: Any, room: int) -> tuple[list[dict], int]:
    """Return the outputs that are kept, and the room that is left.

    Parameters
    ----------
    outputs : anything
        What a student's process calls the outputs of a cell.
    room : int
        How many characters may be kept.
    """
    made: list[dict] = []
    for output in outputs if isinstance(outputs, list) else []:
        if (clean := _clean(output)) is None:
            continue
        clean = _writable(clean)
        size = _size(clean)
        if size > room or len(made) >= MOST:
            made.append({"output_type": "stream", "name": "stdout", "text": CUT})
            return made, 0
        room -= size
        made.append(clean)
    return made, room


def writable(text: str) -> str:
    """Return a text that can be written to a file: without halves of characters."""
    return text.encode("utf-8", "replace").decode()


def _writable(output: Any) -> Any:
    if isinstance(output, str):
        return writable(output)
    if isinstance(output, dict):
        return {writable(key): _writable(value) for key, value in output.items()}
    return [_writable(x) for x in output] if isinstance(output, list) else output


def _clean(output: Any) -> dict | None:
    """Return an output with the fields that its kind has, all of them text; None if it is none."""
    match output:
        case {"output_type": "stream", "name": "stdout" | "stderr" as name, "text": str(text)}:
            return {"output_type": "stream", "name": name, "text": text}
        case {"output_type": "error", "ename": str(name), "evalue": str(value), "traceback": lines}:
            lines = [x for x in lines if isinstance(x, str)] if isinstance(lines, list) else []
            kind = {"output_type": "error", "ename": name, "evalue": value}
            return kind | {"traceback": lines[:MOST]}
        case {"output_type": "display_data", "data": dict(data)}:
            return {"output_type": "display_data"} | _content(data, output.get("metadata"))
        case {"output_type": "execute_result", "data": dict(data), "execution_count": int(n)}:
            kind = {"output_type": "execute_result", "execution_count": n}
            return kind | _content(data, output.get("metadata"))
    return None


def _content(data: dict, metadata: Any) -> dict:
    """Return what is text, and of the metadata the sizes of pictures."""
    texts = {kind: value for kind, value in data.items() if isinstance(value, str)}
    sizes = {}
    for kind in texts:
        given = metadata.get(kind) if isinstance(metadata, dict) else None
        if isinstance(given, dict):
            known = {k: v for k, v in given.items() if k in ("width", "height")}
            sizes[kind] = {k: v for k, v in known.items() if type(v) in (int, float)}
    return {"data": texts, "metadata": {kind: size for kind, size in sizes.items() if size}}


def _size(output: dict) -> int:
    texts = [output.get(k, "") for k in ("text", "ename", "evalue")]
    texts += output.get("traceback", []) + list(output.get("data", {}).values())
    return 100 + sum(map(len, texts)) + sum(map(len, output.get("data", {})))
