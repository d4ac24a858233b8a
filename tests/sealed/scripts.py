"""Cells that try to run a script in the page that shows them, or to make it fetch something.

Each names itself: a script adds the name to the page's `ran`, and whatever is fetched has it in its
address. `ran` opens a page, clicks what can be clicked, and returns the names that got through.
"""

import base64
import re

from nbformat import NotebookNode
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
    new_raw_cell,
)

HOST = "http://127.0.0.1:9"  # where nothing answers
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGD4DwABBAEAX+XDSwAAAABJRU5ErkJggg"
    "=="
)


def script(name: str) -> str:
    """JavaScript without a double quote, a space or an angle bracket, and without a value.

    A link whose script has a value would replace the page by it.
    """
    return f"{_note(name)};(new(Image)).src='{HOST}/ran-{name}';void(0)"


def _note(name: str) -> str:
    return f"top.ran=(top.ran||[]).concat('{name}')"


MARKDOWN = {
    "script": "<script>{js}</script>",
    "script-in-text": "text <b>bold <script>{note}</script></b> text",
    "script-from-elsewhere": '<script src="{url}"></script>',
    "picture": '<img src="x" onerror="{js}">',
    "picture-in-heading": '# Title <img src=x onerror="{js}">',
    "picture-in-table": '| a | b |\n|---|---|\n| <img src=x onerror="{js}"> | 2 |',
    "picture-elsewhere": "![]({url}.png)",
    "alternative-text": '![x" onerror="{js}](nothing.png)',
    "link-title": "[x](https://example.org \"x' onfocus='{js}\")",
    "video": '<video><source onerror="{js}"></video>',
    "svg": '<svg onload="{js}"></svg>',
    "svg-script": "<svg><script>{js}</script></svg>",
    "svg-use": '<svg><image href="x" onerror="{js}"/></svg>',
    "details": '<details open ontoggle="{js}">x</details>',
    "focus": '<input autofocus onfocus="{js}">',
    "animation": "<style>@keyframes x{{}}</style>"
    '<b style="animation-name:x" onanimationstart="{js}">x</b>',
    "frame-srcdoc": '<iframe srcdoc="<script>{js}</script>"></iframe>',
    "frame-javascript": '<iframe src="javascript:{js}"></iframe>',
    "frame-elsewhere": '<iframe src="{url}"></iframe>',
    "object": '<object data="{url}"></object>',
    "embed": '<embed src="{url}">',
    "form": '<form action="javascript:{js}"><button>x</button></form>',
    "link": "[x](javascript:{js})",
    "link-html": '<a href="javascript:{js}">x</a>',
    "link-entity": '<a href="java&#115;cript:{js}">x</a>',
    "link-tab": '<a href="java\tscript:{js}">x</a>',
    "link-markdown-entity": "[x](java&#115;cript:{js})",
    "link-to-server": "[x](/{path})",
    "link-relative": "[x]({path}.html)",
    "link-to-loopback": "[x]({url})",
    "link-same-scheme": "[x](http:{path})",
    "refresh": '<meta http-equiv="refresh" content="0;url={url}">',
    "base": '<base href="{url}/"><img src="x.png">',
    "style-import": "<style>@import url({url});</style>",
    "style-background": '<b style="background:url({url})">x</b>',
    "style-sheet": '<link rel="stylesheet" href="{url}">',
    "comment": "<!-- --!><img src=x onerror={js}> -->",
    "mutation": "<math><mtext><table><mglyph><style><!--</style>"
    '<img title="--&gt;&lt;img src=1 onerror={js}&gt;">',
    "noscript": '<noscript><p title="</noscript><img src=x onerror={js}>"></noscript>',
    "diagram": '```mermaid\n<img src=x onerror="{js}">\n```',
    "code": '```python\n"""<img src=x onerror="{js}">"""\n```',
    "formula-text": "$\\text{{<img src=x onerror={js}>}}$",
    "formula-link": "$\\href{{javascript:{js}}}{{x}}$",
    "formula-style": "$\\style{{background:url({url})}}{{x}}$",
}
OUTPUTS = {
    "output-html": {"text/html": "<script>{js}</script><img src=x onerror={js}>"},
    "output-javascript": {"application/javascript": "{js}"},
    "output-svg": {
        "image/svg+xml": '<svg xmlns="http://www.w3.org/2000/svg" onload="{js}">'
        "<script>{js}</script></svg>"
    },
    "output-latex": {"text/latex": "$x$ <script>{js}</script>"},
    "output-markdown": {"text/markdown": "<script>{js}</script>[x](javascript:{js})"},
    "output-plain": {"text/plain": "<script>{js}</script>\x1b[31m<script>{js}</script>\x1b[0m"},
    "output-diagram": {"text/vnd.mermaid": "<img src=x onerror={js}>"},
    "output-other": {"application/x-other": "<script>{js}</script>"},
    "output-png": {"image/png": 'x" onerror="{js}'},
}
METADATA = {
    "png-width": {"image/png": {"width": "1 onload={js}"}},
    "png-height": {"image/png": {"height": "1 onload={js}"}},
    "png-name": {"filenames": {"image/png": 'x" onerror="{js}'}},
    "png-text": {"image/png": {"alt": '" onload="{js}'}},
}


def _filled(value, name: str):
    if isinstance(value, dict):
        return {key: _filled(item, name) for key, item in value.items()}
    return value.format(
        js=script(name), note=_note(name), url=f"{HOST}/ran-{name}", path=f"ran-{name}"
    )


def _shown(data: dict, metadata: dict | None = None) -> NotebookNode:
    output = new_output("display_data", data, metadata=metadata or {})
    return new_code_cell("x", outputs=[output])


def cells() -> dict[str, NotebookNode]:
    """Return every cell by its name."""
    made = {name: new_markdown_cell(_filled(text, name)) for name, text in MARKDOWN.items()}
    made |= {name: _shown(_filled(data, name)) for name, data in OUTPUTS.items()}
    for name, metadata in METADATA.items():
        made[name] = _shown({"image/png": PIXEL}, _filled(metadata, name))

    def js(name):
        return f'"><img src=x onerror="{script(name)}">'

    html = base64.b64encode(f"<script>{script('attachment')}</script>".encode()).decode()
    made["attachment"] = new_markdown_cell(
        "![x](attachment:x) [y](attachment:x)", attachments={"x": {"text/html": html}}
    )
    made["raw"] = new_raw_cell(js("raw"))
    made["raw-html"] = new_raw_cell(js("raw-html"), metadata={"raw_mimetype": "text/html"})
    made["isolated"] = _shown(
        {"text/html": f"<script>{script('isolated')}</script>"}, {"text/html": {"isolated": True}}
    )
    made["stream"] = new_code_cell("x", outputs=[new_output("stream", text=js("stream"))])
    made["error"] = new_code_cell(
        "x", outputs=[new_output("error", ename="E", evalue="", traceback=[js("error")])]
    )
    made["svg-name"] = _shown({"image/svg+xml": "<svg/>"})
    made["svg-name"].outputs[0].svg_filename = 'x" onerror="' + script("svg-name")
    made["count"] = new_code_cell("x", execution_count=None)
    made["count"].execution_count = js("count")
    made["language"] = new_code_cell("x", metadata={"magics_language": js("language")})
    made["tags"] = new_code_cell("x", metadata={"tags": [js("tags")]})
    made["id"] = new_code_cell("x")
    made["id"].id = js("id")
    made["kind"] = new_raw_cell("x")
    made["kind"].cell_type, made["kind"].type = "other", js("kind")
    return made


def displaying() -> list[NotebookNode]:
    """Return cells of code that make the outputs when they are run."""
    shown = [(_filled(data, name), {}) for name, data in OUTPUTS.items()]
    shown += [({"image/png": PIXEL}, _filled(m, name)) for name, m in METADATA.items()]
    shown.append(({"text/html": f"<script>{script('isolated')}</script>"}, {"isolated": True}))
    return [new_code_cell(f"display({d!r}, raw=True, metadata={m!r})") for d, m in shown]


def notebook(*chosen: NotebookNode) -> NotebookNode:
    """Return a notebook of these cells, whose own metadata is no better."""
    title = f'"></title><img src=x onerror="{script("title")}">'
    lexer = f'"><img src=x onerror="{script("lexer")}">'
    made = new_notebook(
        metadata={"title": title, "language_info": {"name": lexer, "pygments_lexer": lexer}}
    )
    made.cells = list(chosen)  # not all of them are valid
    return made


# they take the page with them, so each has one of its own
ALONE = {"base", "refresh", "mutation", "comment", "noscript"}


def ran(page, record) -> set[str]:
    """Click what would run a script; return the names of all that ran, was asked for, or is linked.

    A link counts where it leads to this machine: there formgrader is.
    """
    links = page.evaluate(
        """async (selector) => {
             const links = []
             for (const a of document.querySelectorAll(selector)) {
               if (a.hostname === '127.0.0.1') links.push(a.href)
               else if (a.protocol === 'javascript:' || a.type === 'submit') {
                 a.click(); await new Promise((done) => setTimeout(done, 20)) }
             }
             return links }""",
        ":is(.rendered_html, .jp-RenderedHTMLCommon) :is(a[href], button)",
    )
    page.wait_for_timeout(100)
    asked = re.findall(r"/ran-([\w-]+)", " ".join([*record.requests, *links]))
    return executed(page) | set(asked)


def executed(page) -> set[str]:
    """Return the names of the scripts that ran."""
    return set(page.evaluate("window.ran") or [])
