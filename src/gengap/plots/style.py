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
- `shortened(names)`: long names, cut so that they still differ.
- `key(ax, inside=)`, `room_for_key(labels)`: a legend inside the axes while it is small, else below them.

```python
with style():
    ax = axes_for(ax)
    (line,) = ax.plot(epoch, mean, **appearance(0), label="baseline")
    band(ax, epoch, low, high, color=line.get_color())
    epoch_axis(ax)
```
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from gengap.plots.fonts import check_letters, fonts_for_all_letters

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#222222"
"""Colour of text and axes."""
REFERENCE = "#767676"
"""Colour of reference lines: climatology, no skill, perfect; readable on white (contrast 4.5)."""
GRID = "#C4C4C4"
"""Colour of contours that only guide the eye; dark enough for print."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours in the order of use; yellow is left out because it vanishes on white."""
LINE_STYLES = ("-", "--", "-.", (0, (7, 2, 1, 2, 1, 2)), (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (10, 4)))
"""Line styles in the order of use; dotted is left to training curves and reference lines."""
MARKERS = ("o", "X", "s", "^", "D", "v", "P")
"""Markers in the order of use."""

_MOST_EPOCHS_NAMED = 7
"""Steps between the named epochs of an axis, at most."""
_LONGEST_NAME = 34
"""Letters that a name may have in a legend."""

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

    families = [*mpl.rcParams["font.family"], *fonts_for_all_letters()]
    settings: Any = _SETTINGS | {"axes.prop_cycle": cycler(color=COLOURS), "font.family": families}
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
        index: Position of the variant, from 0. After seven the colours come again, with other lines and markers; no
            two of 49 look alike.
        marker: Whether points are marked too.
    """
    again, at = divmod(index, len(COLOURS))
    look: dict[str, Any] = {"color": COLOURS[at], "linestyle": LINE_STYLES[(at + again) % len(LINE_STYLES)]}
    return look | {"marker": MARKERS[(at + 3 * again) % len(MARKERS)]} if marker else look


def shortened(names: Iterable[str]) -> dict[str, str]:
    """Cut long names in their middle, or, where that would make two alike, by the remedies that all have in common.

    Args:
        names: Names of variants; each short one stays as it is.

    Returns:
        Short names by name, to be drawn as they are (see `literal`); the full ones where nothing shorter tells them
        apart.

    Example:
        >>> shortened(["baseline", "spatial_dropout(0.3)+dropout(0.5)+l2(0.01)"])
        {'baseline': 'baseline', 'spatial_dropout(0.3)+dropout(0.5)+l2(0.01)': 'spatial_dropout(0.3)+d…5)+l2(0.01)'}
        >>> list(shortened(f"spatial_dropout(0.3)+dropout(0.{k})+gaussian_noise(0.1)" for k in range(2)).values())
        ['…+dropout(0.0)+…', '…+dropout(0.1)+…']
    """
    every = list(dict.fromkeys(names))
    long = [name for name in every if len(name) > _LONGEST_NAME]
    for cut in (_without_middle, _without_what_is_common(long)):
        short = {name: cut(name) if name in long else name for name in every}
        if len(set(short.values())) == len(every):
            return {name: literal(text) for name, text in short.items()}
    return {name: literal(name) for name in every}


def literal(name: str) -> str:
    r"""Return a name so that Matplotlib draws it as it is: a dollar begins no formula, and legends hide nothing.

    Example:
        >>> print(literal("$x^{$"), literal("_mine"))
        \$x^{\$  _mine
    """
    check_letters(name)
    drawn = name.replace("$", r"\$")
    return f" {drawn}" if drawn.startswith("_") else drawn  # Matplotlib leaves labels that begin so out of legends


def _without_middle(name: str) -> str:
    return f"{name[: _LONGEST_NAME - 12]}…{name[-11:]}"


def _without_what_is_common(names: Sequence[str]) -> Callable[[str], str]:
    shared = set.intersection(*(set(name.split("+")) for name in names)) if names else set()

    def cut(name: str) -> str:
        parts = ["…" if part in shared else part for part in name.split("+")]
        return "+".join(part for part, before in zip(parts, ["", *parts], strict=False) if part != "…" or before != "…")

    return cut


def key(
    ax: "Axes", *, inside: Literal["upper left", "lower left", "lower right"] | None = None, below: float = -0.14
) -> None:
    """Draw the legend: inside the axes where it is small, else below them.

    Args:
        ax: The axes.
        inside: Place inside, as `ax.legend(loc=)` has it; None for always below.
        below: Where "below" begins, in heights of the axes.
    """
    labels = ax.get_legend_handles_labels()[1]
    if not labels:
        return
    if inside is not None and _is_small(labels):
        ax.legend(loc=inside)
    else:
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, below), fontsize=9 if _is_small(labels) else 8)


def room_for_key(labels: Iterable[str], *, inside: bool = False) -> float:
    """Return by how many inches new axes must be higher for a legend below them.

    Args:
        labels: The legend's entries.
        inside: Whether the legend lies inside the axes while it is small.
    """
    listed = [label for label in labels if label]
    return 0.0 if inside and _is_small(listed) else sum(0.23 + 0.16 * label.count("\n") for label in listed)


def _is_small(labels: Sequence[str]) -> bool:
    lines = [line for label in labels for line in label.split("\n")]
    return len(lines) <= 6 and all(len(line) <= _LONGEST_NAME for line in lines)


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
    chosen = ax.xaxis if axis == "x" else ax.yaxis
    low, high = ax.dataLim.intervalx if axis == "x" else ax.dataLim.intervaly
    if np.isfinite([low, high]).all() and 0.5 <= low <= high:
        first, last = round(float(low)), round(float(high))
        margin = 0.5 if first == last else 0.03 * (high - low)
        chosen.set_ticks(epoch_ticks(first, last))
        (ax.set_xlim if axis == "x" else ax.set_ylim)(low - margin, high + margin)
    chosen.set_label_text("Epoch")


def epoch_ticks(first: int, last: int) -> list[int]:
    """Return the epochs that an axis names: the first, round ones, and no epoch 0.

    Example:
        >>> epoch_ticks(1, 30), epoch_ticks(1, 1), epoch_ticks(1, 4)
        ([1, 5, 10, 15, 20, 25, 30], [1], [1, 2, 3, 4])
    """
    steps = (factor * 10**power for power in range(9) for factor in (1, 2, 5))
    step = next(step for step in steps if (last - first) / step <= _MOST_EPOCHS_NAMED)
    return [first, *range(first - first % step + step, last + 1, step)]


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
