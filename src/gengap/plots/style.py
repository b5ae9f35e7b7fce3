"""The one restrained look of all figures: quiet axes, Okabe-Ito colours, and marks that survive a grey print.

Every Display draws inside `with style():` and leaves Matplotlib's settings as it found them. The pieces:

- `style()`: the context that a figure is drawn in; nothing outside it changes.
- `COLOURS`, `LINE_STYLES`, `MARKERS`: cycles of equal meaning, so that colour is never the only difference.
- `REFERENCE`, `GRID`, `INK`: greys for no-skill lines, contours and text.
- `axes_for(ax)`: the axes given, or new ones.
- `square_probability_axes(ax)`: both axes 0 to 1, equal, with the same ticks.
- `epoch_axis(ax)`: whole epochs from 1.
- `band(ax, x, low, high)`: an interval around a line, in the line's colour.
- `appearance(index)`: colour, line style and marker of the index-th variant, as keyword arguments of `ax.plot`.

```python
with style():
    ax = axes_for(ax)
    (line,) = ax.plot(epoch, mean, **appearance(0), label="baseline")
    band(ax, epoch, low, high, color=line.get_color())
    epoch_axis(ax)
```
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#222222"
"""Colour of text and axes."""
REFERENCE = "#767676"
"""Colour of reference lines: climatology, no skill, perfect; readable on white (contrast 4.5)."""
GRID = "#D9D9D9"
"""Colour of contours that only guide the eye."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours in the order of use; yellow is left out because it vanishes on white."""
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
"""Line styles in the order of use."""
MARKERS = ("o", "X", "s", "^", "D", "v", "P")
"""Markers in the order of use."""

_SETTINGS: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "figure.constrained_layout.use": True,
    "figure.dpi": 110,
    "font.size": 10,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "savefig.dpi": 200,
    "text.color": INK,
    "xtick.color": INK,
    "xtick.labelsize": 9,
    "ytick.color": INK,
    "ytick.labelsize": 9,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in gengap's look; Matplotlib's settings are restored on leaving.

    Example:
        >>> import matplotlib
        >>> before = matplotlib.rcParams["axes.spines.top"]
        >>> with style():
        ...     matplotlib.rcParams["axes.spines.top"]
        False
        >>> matplotlib.rcParams["axes.spines.top"] == before
        True
    """
    import matplotlib as mpl
    from cycler import cycler

    settings: Any = _SETTINGS | {"axes.prop_cycle": cycler(color=COLOURS)}
    with mpl.rc_context(settings):
        yield


def axes_for(ax: "Axes | None", *, figsize: tuple[float, float] = (4.8, 4.2)) -> "Axes":
    """Return `ax`, or the axes of a new figure.

    Args:
        ax: Axes to draw on, or None.
        figsize: Width and height of a new figure, in inches.
    """
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=figsize)[1]


def appearance(index: int, *, marker: bool = False) -> dict[str, Any]:
    """Return colour and line style (and marker) of the `index`-th variant, for `ax.plot(x, y, **appearance(0))`.

    Args:
        index: Position of the variant, from 0; the cycle starts again after seven.
        marker: Whether points are marked too.
    """
    look: dict[str, Any] = {
        "color": COLOURS[index % len(COLOURS)],
        "linestyle": LINE_STYLES[index % len(LINE_STYLES)],
    }
    return look | {"marker": MARKERS[index % len(MARKERS)]} if marker else look


def square_probability_axes(ax: "Axes", *, xlabel: str = "", ylabel: str = "") -> None:
    """Make both axes run from 0 to 1 at the same length, with the same ticks.

    Args:
        ax: The axes.
        xlabel: Label of the horizontal axis.
        ylabel: Label of the vertical axis.
    """
    ticks = np.linspace(0.0, 1.0, 6)
    ax.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0), xticks=ticks, yticks=ticks, xlabel=xlabel, ylabel=ylabel)
    ax.set_aspect("equal", adjustable="box")


def epoch_axis(ax: "Axes", *, axis: Literal["x", "y"] = "x") -> None:
    """Label an axis with whole epochs; they count from 1.

    Args:
        ax: The axes.
        axis: Which of its two axes counts epochs.
    """
    from matplotlib.ticker import MaxNLocator

    chosen = ax.xaxis if axis == "x" else ax.yaxis
    chosen.set_major_locator(MaxNLocator(integer=True))
    chosen.set_label_text("Epoch")


def band(ax: "Axes", x: ArrayLike, low: ArrayLike, high: ArrayLike, *, color: str, label: str | None = None) -> None:
    """Shade an interval around a line.

    Args:
        ax: The axes.
        x: Positions, shape `(n,)`.
        low: Lower ends, shape `(n,)`; NaN leaves a gap.
        high: Upper ends, shape `(n,)`.
        color: The line's colour.
        label: Entry of the legend, or None for none.
    """
    # transparent enough that two overlapping bands stay readable, without edges that look like lines of data
    ax.fill_between(np.asarray(x), np.asarray(low), np.asarray(high), color=color, alpha=0.18, linewidth=0, label=label)
