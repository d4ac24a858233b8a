"""Hand-ins that put script into the pages that instructors and students open."""

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from tests.sealed.dishonest.exhausting import in_walk
from tests.sealed.dishonest.kinds import HandIn, cheat

SCRIPT = "script in feedback"
HONEST = ("distortion", "caesar")

# what no page may hold as markup; the word is there to be searched for
MARKUP = """\
<script>fetch('http://127.0.0.1/evil-58210')</script>
<img src=x onerror="evil_58210()"> <a href="javascript:evil_58210()">marks</a>
<svg onload="evil_58210()"><animate onbegin="evil_58210()"/></svg>
<iframe srcdoc="<script>evil_58210()</script>"></iframe><style>* {display: none}</style>
<form action="http://127.0.0.1/evil-58210"><input name="mark"></form><base href="//127.0.0.1/">
<meta http-equiv="refresh" content="0; url=http://127.0.0.1/evil-58210">
"""


def _texts(notebook: NotebookNode):
    notebook.cells.append(new_markdown_cell(MARKUP + "\n\n[click](javascript:evil_58210())"))
    cell = new_markdown_cell("![picture](attachment:a.svg)")
    cell.attachments = {"a.svg": {"image/svg+xml": "<svg onload='evil_58210()'></svg>"}}
    notebook.cells.append(cell)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "explain":
            cell.source = "My answer.\n\n" + MARKUP


def _names(notebook: NotebookNode):
    notebook.metadata.title = notebook.metadata.language_info.name = MARKUP
    notebook.metadata.kernelspec = {"name": "python3", "display_name": MARKUP, "language": MARKUP}
    notebook.metadata.widgets = {
        "application/vnd.jupyter.widget-state+json": {"state": {"</script>" + MARKUP: {}}}
    }
    for cell in notebook.cells[:5]:
        cell.metadata.tags = [MARKUP]
        cell.metadata.collapsed = MARKUP
    notebook.cells.append(new_code_cell("# </pre></div>" + MARKUP.replace("\n", "\n# ")))


def _ids(notebook: NotebookNode):
    for cell in notebook.cells:
        if "grade_id" not in cell.metadata.get("nbgrader", {}):
            cell.metadata.nbgrader = {
                "grade": True,
                "solution": False,
                "locked": False,
                "grade_id": '"><script>evil_58210()</script>',
                "points": 1,
                "schema_version": 3,
                "task": False,
            }


CORPUS: list[HandIn] = [
    cheat("script-in-text", SCRIPT, "Writes script into text cells.", honest=HONEST, edit=_texts),
    cheat("script-in-names", SCRIPT, "Writes script into metadata.", honest=HONEST, edit=_names),
    cheat("script-in-ids", SCRIPT, "Names a graded cell in script.", honest=HONEST, edit=_ids),
    cheat(
        "script-in-output",
        SCRIPT,
        "Displays HTML, SVG, JavaScript and LaTeX with script in it.",
        honest=HONEST,
        last=f"""\
markup = '''{MARKUP}'''
print(markup)
class Rich:
    def _repr_mimebundle_(self, **given):
        kinds = ("text/html", "image/svg+xml", "application/javascript", "text/latex",
                 "text/markdown", "text/plain", "application/vnd.jupyter.widget-view+json")
        return dict.fromkeys(kinds, markup)
    _repr_html_ = _repr_svg_ = _repr_javascript_ = _repr_latex_ = lambda self: markup
    __repr__ = lambda self: markup
try:
    from IPython.display import HTML, Javascript, SVG, display
    display(HTML(markup), Javascript("evil_58210()"), Rich())
    display({{"text/html": markup, "image/png": "\\"><script>evil_58210()</script>"}}, raw=True)
except ImportError as error:
    print(error)
Rich()""",
    ),
    cheat(
        "script-in-errors",
        SCRIPT,
        "Raises errors with script in their names, texts and tracebacks, in colours.",
        honest=HONEST,
        answers=in_walk(
            f"markup = '''{MARKUP}'''.replace(chr(10), ' ')\n"
            "raise type(markup, (Exception,), {})('\\x1b[31m' + markup + '</pre>')"
        ),
        last=f"raise ValueError('''{MARKUP}''')",
    ),
]
