"""The curves of a study under way as one piece of HTML that suits a notebook, light or dark."""

import html
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SPLITS = {"val_score": "held-out", "train_score": "training"}
COLOURS = ("#3489c8", "#e0712a", "#17a57c", "#c774a4", "#c48a14", "#6cb8e6", "currentColor")
"""Okabe and Ito's hues in a lightness that can be told from a white and from a dark page."""
DASHES = ("", "6 3", "7 2 2 2", "2 2", "9 2", "4 2 1 2 1 2", "1 2")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 300, 58, 12, 12, 34


@dataclass
class RunCurves:
    """Scores of every run under way, by variant, seed and score.

    Attributes:
        variants: Names of the variants, the baseline first.
        num_runs: Number of runs of each variant.
        num_epochs: Epochs of a run, at most.
        score: Name of the common score.
    """

    variants: Sequence[str]
    num_runs: Mapping[str, int]
    num_epochs: int
    score: str
    values: dict[tuple[str, int], dict[str, dict[int, float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(dict))
    )
    finished: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, variant: str, seed: int, epoch: int, logs: Mapping[str, float]) -> None:
        """Take note of a finished epoch."""
        for name in SPLITS:
            if name in logs:
                self.values[variant, seed][name][epoch] = float(logs[name])

    def of(self, variant: str, name: str) -> list[list[tuple[int, float]]]:
        """Return the curves of a variant's runs as points (epoch, score), a run each."""
        runs = [scores[name] for (own, _), scores in self.values.items() if own == variant and scores.get(name)]
        return [[(epoch, run[epoch]) for epoch in sorted(run) if math.isfinite(run[epoch])] for run in runs]

    def mean(self, variant: str, name: str) -> list[tuple[int, float]]:
        """Return at every epoch the mean over the runs that have come so far."""
        at: dict[int, list[float]] = defaultdict(list)
        for points in self.of(variant, name):
            for epoch, value in points:
                at[epoch].append(value)
        return [(epoch, float(np.mean(at[epoch]))) for epoch in sorted(at)]


@dataclass(frozen=True, eq=False)
class LiveCurvesDisplay:
    """Learning curves of a study under way, as HTML, since a notebook draws them again twice a second.

    Attributes:
        data: The curves so far.
    """

    data: RunCurves

    def to_html(self, status: str) -> str:
        """Return the figure with its legend; colours follow the notebook's text colour, so that it suits a dark one.

        Args:
            status: A line above the figure.
        """
        score = html.escape(_label(self.data.score))
        return (
            f'<div style="max-width:{_WIDTH}px"><div>{html.escape(status)}</div>{self.to_svg()}'
            f"{_legend(self.data)}<div style='opacity:.75'>{score}; thick: mean over seeds on held-out cases, dotted: "
            "on training cases, thin: single runs.</div></div>"
        )

    def to_svg(self) -> str:
        """Return the curves: held-out runs thin, their mean thick, the mean on training cases dotted."""
        return _svg(self.data)


def _svg(curves: RunCurves) -> str:
    scale = _Scale.of(curves)
    parts = [_axes(scale, curves.num_epochs)]
    for index, variant in enumerate(curves.variants):
        colour, dash = COLOURS[index % len(COLOURS)], DASHES[(index + index // len(COLOURS)) % len(DASHES)]
        lines = [(points, 0.7, "", 0.35) for points in curves.of(variant, "val_score")]
        lines += [(curves.mean(variant, "train_score"), 1.6, "1.5 3", 1.0)]
        lines += [(curves.mean(variant, "val_score"), 2.2, dash, 1.0)]
        parts += [scale.line(points, colour, *look) for points, *look in lines]
    label = html.escape(f"Learning curves so far: {_label(curves.score)} over epochs", quote=True)
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%" '
        f'style="display:block" font-size="12" fill="currentColor">{"".join(parts)}</svg>'
    )


@dataclass(frozen=True)
class _Scale:
    """Where epochs and scores lie in the figure."""

    low: float
    high: float
    epochs: int

    @classmethod
    def of(cls, curves: RunCurves) -> "_Scale":
        every = [
            value
            for variant in curves.variants
            for name in SPLITS
            for points in (curves.of(variant, name) if name == "val_score" else [curves.mean(variant, name)])
            for _, value in points
        ]
        low, high = (min(every), max(every)) if every else (0.0, 1.0)
        room = 0.04 * (high - low) or 0.5 * abs(high) or 0.5
        return cls(low - room, high + room, max(curves.num_epochs, 2))

    def x(self, epoch: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (epoch - 1) / (self.epochs - 1)

    def y(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - self.low) / (self.high - self.low)

    def line(self, points: Sequence[tuple[int, float]], colour: str, width: Any, dash: Any, opacity: Any) -> str:
        if not points:
            return ""
        if len(points) == 1:
            (epoch, value), *_ = points
            return f'<circle cx="{self.x(epoch):.1f}" cy="{self.y(value):.1f}" r="{width}" fill="{colour}"/>'
        path = "L".join(f"{self.x(epoch):.1f},{self.y(value):.1f}" for epoch, value in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        return f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="{width}" opacity="{opacity}"{dashed}/>'


def _axes(scale: _Scale, num_epochs: int) -> str:
    parts = []
    for value in round_values(scale.low, scale.high, 5):
        y = f"{scale.y(value):.1f}"
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="currentColor" opacity=".18"/>'
            f'<text x="{_LEFT - 8}" y="{float(y) + 4:.1f}" text-anchor="end" opacity=".75">{value:g}</text>'
        )
    stride = max(1, math.ceil(num_epochs / 12))
    for epoch in [1, *(epoch for epoch in range(2, num_epochs + 1) if epoch % stride == 0)]:
        if epoch == 1 or epoch >= stride or stride == 1:
            below = _HEIGHT - _BOTTOM + 18
            parts.append(
                f'<text x="{scale.x(epoch):.1f}" y="{below}" text-anchor="middle" opacity=".75">{epoch}</text>'
            )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    return "".join(parts) + f'<text x="{middle}" y="{_HEIGHT - 2}" text-anchor="middle" opacity=".75">epoch</text>'


def round_values(low: float, high: float, count: int) -> list[float]:
    """Return about `count` round numbers between two values.

    Example:
        >>> round_values(0.27, 0.74, 5)
        [0.3, 0.4, 0.5, 0.6, 0.7]
    """
    power = 10.0 ** math.floor(math.log10((high - low) / count))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power * count >= high - low)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{k * step:.12g}") for k in range(first, last + 1)]


def _legend(curves: RunCurves) -> str:
    """Return a table with one line for each variant: its look, how far it is, its mean scores at present."""
    rows = []
    for index, variant in enumerate(curves.variants):
        colour, dash = COLOURS[index % len(COLOURS)], DASHES[(index + index // len(COLOURS)) % len(DASHES)]
        swatch = (
            f'<svg width="30" height="10" aria-hidden="true"><line x1="1" x2="29" y1="5" y2="5" stroke="{colour}" '
            f'stroke-width="2.5" stroke-dasharray="{dash or "none"}"/></svg>'
        )
        means = [curves.mean(variant, name)[-1:] for name in SPLITS]
        epoch = next((str(points[0][0]) for points in means if points), "")
        values = [f"{points[0][1]:.4f}" if points else "" for points in means]
        done = f"{curves.finished[variant]} of {curves.num_runs[variant]}"
        cells = "".join(_cell(value) for value in (done, epoch, *values))
        rows.append(f"<tr>{_cell(swatch + ' ' + html.escape(variant), align='left')}{cells}</tr>")
    head = "".join(_cell(name, tag="th") for name in ("runs finished", "epoch", *SPLITS.values()))
    first = _cell("variant", tag="th", align="left")
    return f"<table><thead><tr>{first}{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _cell(content: str, *, tag: str = "td", align: str = "right") -> str:
    return f'<{tag} style="text-align:{align}">{content}</{tag}>'


def _label(score: str) -> str:
    return score.replace("_", " ")
