"""A book of two pages for the tests of the widgets' pages."""

import os
import subprocess
import sys
from pathlib import Path

CONFIG = """
title: Tiny
author: nobody
only_build_toc_files: true
execute: {execute_notebooks: cache, raise_on_error: true}
html: {use_issues_button: false}
sphinx:
  extra_extensions: [explorable.sphinx, sphinx_design]
  recursive_update: true
  config:
    explorable_depends: [waves]
    html_context: {default_mode: auto}
"""

TOC = """
format: jb-book
root: index
chapters:
- file: deeper/second
"""

HEADER = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
"""

INDEX = (
    HEADER
    + r"""
# Waves

A wave $\boldsymbol{\mu}_k = \sin kx$ and another one.

```{code-cell} ipython3
:tags: [hide-input]
from waves import draw_wave
from explorable import choice, explore, show, slider, switch

explore(
    draw_wave, k=slider(1, 8, label="periods"), shape=choice("sine", "cosine"), up=switch(True),
    alt="A wave",
)
```

```{math}
:label: eq-long
a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p + q + r + s + t + u + v + w + x + y
```

"""
    + "The page goes on.\n\n" * 120
    + """
```{code-cell} ipython3
explore(draw_wave, k=slider(1, 3), alt="The same wave, far below")
```

```{code-cell} ipython3
show(lambda: draw_wave(2), alt="A wave that stands still")
```

:::{dropdown} An answer
:class-container: check right
Right.
:::
"""
)

SECOND = HEADER + "\n# Second\n\n```{code-cell} ipython3\nimport waves\nprint(waves.NAME)\n```\n"

WAVES = '''
"""What the chapters import."""

import matplotlib.pyplot as plt
import numpy as np

NAME = "first edition"


def draw_wave(k, shape="sine", up=True):
    """A wave."""
    x = np.linspace(0, 6, 60)
    fig, ax = plt.subplots(figsize=(5.5, 3))
    ax.plot(x, (1 if up else -1) * {"sine": np.sin, "cosine": np.cos}[shape](k * x))
    ax.set(xlabel="$x$", ylabel="height", ylim=(-1.1, 1.1))
    return fig
'''


def write(folder: Path) -> None:
    """Write the sources of the book."""
    files = {
        "_config.yml": CONFIG,
        "_toc.yml": TOC,
        "index.md": INDEX,
        "deeper/second.md": SECOND,
        "lib/waves/__init__.py": WAVES,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def build(folder: Path) -> str:
    """Build the book; return what the build said."""
    start = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", start, "build", str(folder), "-W"]
    paths = [str(folder / "lib"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout + done.stderr
