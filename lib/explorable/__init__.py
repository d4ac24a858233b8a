r"""Pictures that move: live beside a kernel, frozen into a static page.

A picture is a function that draws a matplotlib figure from the values of its controls::

    import matplotlib.pyplot as plt
    import numpy as np
    from explorable import colour, explore, slider

    def draw_wave(k):
        x = np.linspace(0, 2 * np.pi, 120)
        fig, ax = plt.subplots(figsize=(5.5, 3))
        ax.plot(x, np.sin(k * x), color=colour(0))
        ax.set(xlabel="$x$", ylabel=r"$\sin\,kx$")
        return fig

    explore(draw_wave, k=slider(1, 9), alt="A sine wave with k periods")

``draw_wave`` must depend on its arguments alone: make a seeded random generator inside it.
In a notebook the widget calls it for every change. A page of the book has no kernel, so the
build draws every value beforehand (200 pictures a widget at most; ``frozen=`` thins a
slider) and the page swaps them. ``show`` is the same for a picture without controls.
"""

from explorable.controls import Control, choice, linked, log_slider, slider, stepper, switch
from explorable.plots import ellipse, graph
from explorable.style import colour, marker
from explorable.widget import explore, show

__all__ = [
    "Control",
    "choice",
    "colour",
    "ellipse",
    "explore",
    "graph",
    "linked",
    "log_slider",
    "marker",
    "show",
    "slider",
    "stepper",
    "switch",
]
