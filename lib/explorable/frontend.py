"""The front end as one script, from the files under `static/` in the order of their use."""

from pathlib import Path

from explorable.style import theme_css

STATIC = Path(__file__).with_name("static")
_PARTS = ("controls", "present", "widget", "frozen", "live")

CSS = theme_css() + (STATIC / "explore.css").read_text("utf-8")

# a classic script in a page, where it wakes the widgets that are there; a module in a notebook
SCRIPT = "\n".join(
    [
        'const explore = (() => {\n"use strict";',
        *((STATIC / f"{part}.js").read_text("utf-8") for part in _PARTS),
        "if (document.currentScript) wake();",
        "return { live, receive };\n})();\n",
    ]
)
MODULE = f"{SCRIPT}export default {{ render: explore.live }};\n"
