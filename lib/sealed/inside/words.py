"""The instructor's own words for a failed test, taken from the text of the test.

From the text, never from the exception: a message that is built from values may hold a hidden input
or whatever a student's function returned.
"""

import ast
import linecache
import traceback

KEYWORDS = ("err_msg", "msg", "message")


def of(error: BaseException, name: str) -> str:
    """Return the words beside the check that failed, or "" where the test has none.

    Parameters
    ----------
    error : exception
        What the test cell raised.
    name : str
        The file name that the cell was compiled under.
    """
    source = "".join(linecache.getlines(name))
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == name]
    for frame in reversed(frames):  # a helper that takes the words gets them from its caller
        if text := _beside(tree, frame):
            return text
    return ""


def _beside(tree: ast.Module, frame: traceback.FrameSummary) -> str:
    """Return the words of the innermost assertion, raise or call at the frame's position."""
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert | ast.Raise | ast.Call) and _covers(node, frame)
    ]
    found.sort(key=lambda node: (_end(node) - node.lineno, node.end_col_offset))
    for node in found:
        if text := _words(node):
            return text
    return ""


def _covers(node: ast.Assert | ast.Raise | ast.Call, frame: traceback.FrameSummary) -> bool:
    first, last = frame.lineno or 0, frame.end_lineno or frame.lineno or 0
    if isinstance(node, ast.Call) and frame.colno is not None and frame.end_colno is not None:
        start, end = (first, frame.colno), (last, frame.end_colno)
        return (node.lineno, node.col_offset) <= start and end <= (_end(node), _end_column(node))
    return node.lineno <= first and last <= _end(node)


def _end_column(node: ast.expr) -> int:
    return node.end_col_offset or node.col_offset


def _end(node: ast.stmt | ast.expr) -> int:
    return node.end_lineno or node.lineno


def _words(node: ast.Assert | ast.Raise | ast.Call) -> str:
    if isinstance(node, ast.Assert):
        return _text(node.msg)
    call = node.exc if isinstance(node, ast.Raise) else node
    if not isinstance(call, ast.Call):
        return ""
    for keyword in call.keywords:
        if keyword.arg in KEYWORDS:
            return _text(keyword.value)
    # a message among the arguments is the last text with more than one word in it
    texts = [text for a in call.args if " " in (text := _text(a)).strip()]
    return texts[-1] if texts else ""


def _text(node: ast.expr | None) -> str:
    """Return a literal text; what an f-string would fill in stays a gap."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "…" for part in node.values)
    return ""
