"""Numbers and labels as a reader sees them, and as a screen reader says them."""

import html
import math
import re
from numbers import Integral, Real
from xml.etree import ElementTree

from latex2mathml.converter import convert

_FORMULA = re.compile(r"\$([^$]+)\$")
_NEGATIVE = re.compile(r"(?<![\w)])-(?=[\d.])")
_FUNCTION = re.compile(r"<mi>(ln|log|exp|sin|cos|tanh|max|min|arg)</mi>(?=<m[in]|<mrow>)")
# the letter is raised itself, and only a font of formulas has one to be raised
_PRIME = re.compile(r"<msup>(<mi>[^<]*</mi>)<mi>(&#x0203[2-4];)</mi></msup>")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float) -> str:
    """Return a number as text: 3 decimals (2 from 100 up), powers of ten outside 0.001 to 10⁶."""
    if isinstance(value, Integral):
        return str(int(value)).replace("-", "\N{MINUS SIGN}")
    if math.isnan(value):
        return "undefined"
    size = abs(value)
    if math.isinf(value):
        text = "-∞" if value < 0 else "∞"
    elif size == 0:
        text = "0"
    elif 1e-3 <= size < 1e6:
        text = f"{value:.{2 if size >= 100 else 3 if size >= 0.1 else 4}f}"
    else:
        mantissa, exponent = f"{value:.2e}".split("e")
        text = f"{mantissa} × 10{str(int(exponent)).translate(_RAISED)}"
    return text.replace("-", "\N{MINUS SIGN}")


def readout(value: float | str) -> str:
    """Return the HTML of a readout: a number, or a text that may hold $formulas$."""
    if isinstance(value, str):
        return typeset(value)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"must be a number or a text, got {value!r}")
    return number(float(value) if not isinstance(value, Integral) else value)


def typeset(text: str) -> str:
    """Return the text as HTML, its $formulas$ as MathML, which browsers show without a script."""
    parts = _FORMULA.split(text)  # text, formula, text, formula, ..., text
    return "".join(_mathml(part) if i % 2 else _words(part) for i, part in enumerate(parts))


def plain(text: str) -> str:
    """Return the text with its $formulas$ as letters, for where there is no typesetting."""
    return _FORMULA.sub(lambda m: "".join(ElementTree.fromstring(_mathml(m[1])).itertext()), text)


def _words(text: str) -> str:
    """Return the text as HTML, a hyphen before a number as a minus sign."""
    return html.escape(_NEGATIVE.sub("\N{MINUS SIGN}", text), quote=False)


def _mathml(formula: str) -> str:
    """Return MathML, with TeX's space after a function's name, and primes where they belong."""
    spaced = _FUNCTION.sub("<mi>\\1</mi><mtext>\N{THIN SPACE}</mtext>", convert(formula))
    return _PRIME.sub('\\1<mo lspace="0">\\2</mo>', spaced)
