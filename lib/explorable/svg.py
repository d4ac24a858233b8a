"""A matplotlib figure as a small piece of SVG that can stand inside a page.

Paths become relative and are rounded to 0.1 pt. It is the absolute points that are rounded,
so errors do not add up along a path. What no reader sees goes: metadata, comments, unused
ids, invisible backgrounds. What would leak into the page goes too: matplotlib's style sheet.
Black is drawn in the page's ink and white in its background, in light and in dark, and the
colours of the palette have a shade for each.
"""

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from matplotlib.figure import Figure

from explorable.style import themed

_NUMBERS_OF = {"M": 2, "L": 2, "Q": 4, "C": 6, "Z": 0}
_TOKEN = re.compile(r"[A-Za-z]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_REFERENCE = re.compile(r"(?<=url\(#)[^)]+|(?<=^#).+")
_NO_METADATA = dict.fromkeys(["Creator", "Date", "Format", "Type"])


def to_svg(figure: Figure) -> str:
    """Return the figure as an <svg> element without a name space, for use inside HTML."""
    layout = figure.get_layout_engine()
    if layout is not None:
        # savefig would first draw everything once more, only to measure it; and it would warn
        # where there is nothing to lay out
        if any(ax.get_subplotspec() for ax in figure.axes):
            layout.execute(figure)
        figure.set_layout_engine("none")
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata=_NO_METADATA)
    root = ET.fromstring(file.getvalue())
    _tidy(root)
    used = set(_references(root))
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)
    view_box = root.attrib["viewBox"]
    root.attrib = {
        "viewBox": view_box,
        # the first two matplotlib says in a style sheet, which would apply to the whole page;
        # black fill it does not say at all
        "style": "stroke-linejoin:round;stroke-linecap:butt;fill:currentColor",
        "aria-hidden": "true",
    }
    text = ET.tostring(root, encoding="unicode")
    text = text.replace("#000000", "currentColor").replace("#ffffff", "var(--explore-paper,#fff)")
    return themed(text)


def prefix_ids(svg: str, prefix: str) -> str:
    """Return the SVG with every id renamed, so that two figures fit on one page."""
    return re.sub(r'( id="| href="#|url\(#)', rf"\1{prefix}", svg)


def _references(root: ET.Element) -> Iterator[str]:
    for element in root.iter():
        for value in element.attrib.values():
            yield from _REFERENCE.findall(value)


def _tidy(element: ET.Element, in_defs: bool = False) -> None:
    """Shorten an element and, in place, everything below it."""
    element.tag = element.tag.partition("}")[2]
    element.text = element.tail = None
    in_defs = in_defs or element.tag == "defs"
    for name, value in list(element.attrib.items()):
        del element.attrib[name]
        element.set(name.partition("}")[2] or name, _short(name, value, element, in_defs))
    for child in list(element):
        if child.tag.endswith(("}metadata", "}style")) or _is_invisible(child):
            element.remove(child)
        else:
            _tidy(child, in_defs)
            if child.tag in ("defs", "g") and len(child) == 0:
                element.remove(child)


def _is_invisible(element: ET.Element) -> bool:
    return element.tag.endswith("}path") and element.get("style") == "fill: none"


def _short(name: str, value: str, element: ET.Element, in_defs: bool) -> str:
    if name == "d":
        # a letter is drawn at 1/500 of its size, a marker's shape is used many times
        digits = 0 if in_defs and "transform" in element.attrib else 2 if in_defs else 1
        return relative_path(value, digits)
    if name in ("x", "y", "width", "height") and element.tag != "svg":
        return _number(float(value), 1)
    if name == "transform":  # scale(0.12) must stay as it is
        return re.sub(r"(?<=translate\()[^)]*", _short_numbers, value)
    if name == "style":
        return re.sub(r"\s*([:;])\s*", r"\1", value)
    return value


def _short_numbers(match: re.Match[str]) -> str:
    return " ".join(_number(float(number), 2) for number in _TOKEN.findall(match[0]))


def relative_path(path: str, digits: int) -> str:
    """Return a path of absolute M, L, Q, C and z commands as relative ones, rounded."""
    tokens = _TOKEN.findall(path)
    scale = 10**digits
    out: list[str] = []
    x = y = start_x = start_y = 0
    command, i = "", 0
    while i < len(tokens):
        if tokens[i].isalpha():
            command, i = tokens[i].upper(), i + 1
        if command not in _NUMBERS_OF:
            raise ValueError(f"relative_path: cannot shorten the command {command!r} in a path")
        if command == "Z":
            out.append("z")
            x, y = start_x, start_y
            continue
        n = _NUMBERS_OF[command]
        points = [round(float(token) * scale) for token in tokens[i : i + n]]
        i += n
        moves = [(p - (y if k % 2 else x)) / scale for k, p in enumerate(points)]
        x, y = points[-2:]
        if command == "M":
            start_x, start_y = x, y
        out.append(command.lower() + _joined(moves, digits))
    return "".join(out)


def _joined(numbers: list[float], digits: int) -> str:
    """Return the numbers side by side; a minus sign separates as well as a space."""
    return " ".join(_number(number, digits) for number in numbers).replace(" -", "-")


def _number(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
