"""A book for the tests of the widgets' pages: two pages, and a third one with every control."""

import os
import subprocess
import sys
from pathlib import Path

CONFIG = """
title: Tiny
author: nobody
only_build_toc_files: true
execute: {execute_notebooks: cache, raise_on_error: true, timeout: 120}
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

# for each control and for all that a widget can hold; small pictures are drawn quickly
MOVING = (
    HEADER
    + r"""
# Moving

```{code-cell} ipython3
from moving import draw_fit, draw_left, draw_right, draw_smooth, draw_tall, draw_turn
from explorable import choice, explore, linked, log_slider, slider, stepper, switch

explore(
    draw_fit, iteration=stepper(12), data=choice("two groups", "one group"),
    alt="Points and a curve", title="A curve that comes closer, step by step",
)
```

```{code-cell} ipython3
explore(
    draw_left, draw_right, left=slider(1, 40), right=slider(1, 40), alt="Two bars", title="Two bars"
)
```

```{code-cell} ipython3
explore(
    draw_tall,
    width=linked(log_slider(1, 16, label=r"width $\sigma$")),
    phase=stepper(["start", "E-step", "M-step"]),
    alt="Three curves",
    title="A title so long that it does not fit in one line beside the picture, nor in two of them",
)
```

```{code-cell} ipython3
explore(
    draw_smooth, width=linked(log_slider(1, 16)), k=linked(slider(0, 4)), fill=switch(),
    alt="A bump",
)
```

```{code-cell} ipython3
explore(
    draw_turn, width=log_slider(1, 16), breadth=linked(log_slider(1, 16)), k=linked(slider(0, 5)),
    alt="A needle",
)
```
"""
)

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

PICTURES = r'''
"""What the third page imports."""

import matplotlib.pyplot as plt
import numpy as np

from explorable import colour

X = np.linspace(-3, 3, 30)


def draw_fit(iteration, data):
    """A wide figure with readouts."""
    fig, ax = plt.subplots(figsize=(5.5, 2.6))
    bump = np.exp(-(X**2)) + (data == "two groups") * np.exp(-((X - 2) ** 2))
    rate = 1 - 0.7**iteration
    ax.plot(X, bump, "o", color=colour(0))
    ax.plot(X, rate * bump, color=colour(1))
    ax.set(xlabel="$x_n$", ylabel="density", ylim=(0, 1.3), title="Points and a curve")
    error = float(np.sum((1 - rate) ** 2 * bump**2))
    return fig, {r"$\ln p(\mathbf{X} \mid \lambda)$": -error, "rate": rf"$\alpha = {rate:.2f}$"}


def bar(length, ink):
    """A figure without axes."""
    fig = plt.figure(figsize=(5.5, 0.8))
    fig.add_artist(plt.Line2D([0.05, 0.05 + 0.02 * length], [0.5, 0.5], color=ink, linewidth=9))
    return fig


def draw_left(left):
    """One bar and its length."""
    return bar(left, colour(0)), {"left length": left}


def draw_right(right):
    """Another bar, of only two lengths."""
    return bar(10 + right // 20, colour(1))


def draw_tall(width, phase):
    """As high and as wide as a figure may be."""
    fig, axes = plt.subplots(3, figsize=(5.5, 6), sharex=True)
    for i, ax in enumerate(axes):
        ax.plot(X, np.exp(-(X**2) / width) * (1 + (i == phase)), color=colour(i))
        ax.set(ylabel=f"$f_{i}$", ylim=(0, 2.2), title=f"Panel {i}")
    axes[2].set(xlabel="$x$")
    return fig


def draw_smooth(width, k, fill):
    """A bump without axes."""
    fig = plt.figure(figsize=(5.5, 1))
    inside = [0.5 + X / 8, 0.1 + 0.2 * k * np.exp(-(X**2) / width)]
    fig.add_artist(plt.Line2D(*inside, color=colour(2), linestyle="-" if fill else ":"))
    return fig


def draw_turn(width, breadth, k):
    """A needle."""
    fig = plt.figure(figsize=(5.5, 1))
    ends = [0.5, 0.5 + 0.01 * k], [0.1, 0.2 + 0.02 * width + 0.01 * breadth]
    fig.add_artist(plt.Line2D(*ends, color=colour(3)))
    return fig
'''


def write(folder: Path, every_control: bool = False) -> None:
    """Write the sources of the book, with or without the page that has every control."""
    files = {
        "_config.yml": CONFIG,
        "_toc.yml": TOC,
        "index.md": INDEX,
        "deeper/second.md": SECOND,
        "lib/waves/__init__.py": WAVES,
    }
    if every_control:
        more = {"moving.md": MOVING, "lib/moving/__init__.py": PICTURES}
        files |= {"_toc.yml": f"{TOC}- file: moving\n", **more}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def build(folder: Path, *options: str) -> str:
    """Build the book; return what the build said."""
    start = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", start, "build", str(folder), "-W", *options]
    paths = [str(folder / "lib"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout + done.stderr
