"""The figure of the first screen: how every variant differs from the baseline, or, of one variant, how it learned."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from gengap.analysis.comparison.comparison import Comparison
from gengap.analysis.comparison.contrasts import Contrast
from gengap.analysis.decision.recommendation import Recommendation
from gengap.reporting.figures import inline_svg
from gengap.reporting.material import Material
from gengap.reporting.numbers import write_tick

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ROWS = 7
"""Variants that fit on the first screen beside its words."""
_LONGEST = 3.0
"""Intervals longer than so many times the usual one are cut, or nothing else could be seen."""
_SIDE = 0.45
"""Share of the picture that either side of 0 takes at least: its direction is written there."""
_ORDER = ("better", "worse", "equivalent", "cannot say")


@dataclass(frozen=True)
class Bar:
    """An interval as drawn; places are shares of the width, in %.

    Attributes:
        at: Place of the difference; None beyond the picture.
        low: Place of the interval's lower end; of the difference where there is no interval.
        high: Place of its upper end.
        cut_low: Whether the interval goes on beyond the picture.
        cut_high: Likewise.
    """

    at: float | None
    low: float
    high: float
    cut_low: bool
    cut_high: bool


@dataclass(frozen=True)
class Line:
    """One variant of the figure.

    Attributes:
        variant: Its name.
        kind: Its verdict.
        recommended: Whether it is what is to be shipped.
        bar: Its difference at the declared epoch; None where no pair of runs was completed.
        aside: That at the other epoch, drawn thin; None where it is not read, or the same.
    """

    variant: str
    kind: str
    recommended: bool
    bar: Bar | None
    aside: Bar | None


@dataclass(frozen=True)
class Differences:
    """The figure of several variants.

    Attributes:
        lines: The variants that are drawn, in the order of the study.
        zero: Place of no difference, in %.
        ticks: Places of round values besides, in %, and how they are written.
        low: What lies to the left: the key of a verdict.
        high: What lies to the right.
        label: All of it in words.
        caption: What is drawn.
    """

    lines: tuple[Line, ...]
    zero: float
    ticks: tuple[tuple[float, str], ...]
    low: str
    high: str
    label: str
    caption: str


@dataclass(frozen=True)
class Drawn:
    """The figure of one variant: its learning curves.

    Attributes:
        svg: The figure.
        caption: What is drawn.
    """

    svg: Markup
    caption: str


def answer(material: Material, found: Recommendation) -> Differences | Drawn | None:
    """Return the figure of the first screen; None where there is nothing to draw."""
    comparison = material.comparison
    if comparison is not None and any(math.isfinite(one.difference) for one in comparison.contrasts):
        return _differences(material, comparison, found)
    return _curves(material, found) if len(material.result.variants) == 1 else None


def chosen_rows(contrasts: Sequence[Contrast], recommended: str) -> tuple[Contrast, ...]:
    """The variants that are drawn: what is recommended, what is decided, the largest differences; in their order."""

    def worth(one: Contrast) -> tuple[bool, int, float]:
        size = abs(one.difference) if math.isfinite(one.difference) else -1.0
        return one.variant != recommended, _ORDER.index(one.verdict.kind), -size

    kept = {one.variant for one in sorted(contrasts, key=worth)[:MOST_ROWS]}
    return tuple(one for one in contrasts if one.variant in kept)


@dataclass(frozen=True)
class Reach:
    """The values that a picture shows, 0 well inside."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Return where a value lies, in % of the width; a margin is left on either side."""
        return round(4 + 92 * (value - self.low) / (self.high - self.low), 2)

    def bar(self, one: Contrast) -> Bar | None:
        """Return a difference as drawn."""
        if not math.isfinite(one.difference):
            return None
        at = self.place(one.difference) if self.low <= one.difference <= self.high else None
        low, high = (one.difference, one.difference) if math.isnan(one.low + one.high) else (one.low, one.high)
        left, right = (self.place(min(max(end, self.low), self.high)) for end in (low, high))
        return Bar(at, left, right, cut_low=low < self.low, cut_high=high > self.high)


def reach_of(contrasts: Sequence[Contrast]) -> Reach:
    """Return what shows every interval whole that is not far longer than the others."""
    known = [one for one in contrasts if math.isfinite(one.difference)]
    ends = [end for one in known for end in (one.difference, one.low, one.high) if not math.isnan(end)]
    longest = [max(abs(one.low), abs(one.high)) for one in known if math.isfinite(one.low + one.high)]
    most = _LONGEST * float(np.median(longest)) if longest else max(map(abs, ends))
    low, high = max(min(0.0, *ends), -most), min(max(0.0, *ends), most)
    width = (high - low) or 1.0
    return Reach(min(low, -_SIDE * width), max(high, _SIDE * width))


def _differences(material: Material, comparison: Comparison, found: Recommendation) -> Differences:
    rows = chosen_rows(comparison.contrasts, found.choice.variant)
    others = _at_the_other_epoch(material, comparison)
    reach = reach_of([*rows, *(others[one.variant] for one in rows if one.variant in others)])
    lines = tuple(
        Line(
            one.variant,
            one.verdict.kind,
            one.variant == found.choice.variant,
            reach.bar(one),
            reach.bar(others[one.variant]) if one.variant in others else None,
        )
        for one in rows
    )
    sides = ("worse", "better") if comparison.larger_is_better else ("better", "worse")
    return Differences(
        lines, reach.place(0.0), _ticks(reach), *sides, _label(material, comparison, rows),
        _caption(material, comparison, found, both=bool(others), left=len(comparison.contrasts) - len(rows)),
    )  # fmt: skip


def _at_the_other_epoch(material: Material, comparison: Comparison) -> dict[str, Contrast]:
    """Differences at the other epoch rule, where any variant has another one there."""
    if not material.has_curves:
        return {}
    declared = {one.variant: one.difference for one in comparison.contrasts}
    others = {one.variant: one for one in comparison.descriptive if one.difference != declared[one.variant]}
    return {name: one for name, one in others.items() if math.isfinite(one.difference)}


def _ticks(reach: Reach) -> tuple[tuple[float, str], ...]:
    """A round value on either side of 0, the largest that is shown."""
    step = min(-reach.low, reach.high)
    power = 10.0 ** math.floor(math.log10(step))
    size = max(factor * power for factor in (1, 2, 5) if factor * power <= step * (1 + 1e-9))
    decimals = max(0, -math.floor(math.log10(size) + 1e-9))
    return tuple((reach.place(at), write_tick(at, decimals)) for at in (-size, size))


def _label(material: Material, comparison: Comparison, rows: Sequence[Contrast]) -> str:
    text = material.language
    said = [f"{one.variant}{text('list.colon')}{text(f'kind.{one.verdict.kind}')}, {one.shown:+}" for one in rows]
    return text("answer.label", **_blanks(material, comparison), rows=text("list.clause").join(said))


def _blanks(material: Material, comparison: Comparison) -> dict[str, str]:
    text = material.language
    ours = comparison.baseline == "baseline"
    return {
        "baseline": text("the.baseline") if ours else comparison.baseline,
        "score": text.name_of("score", comparison.score),
        "better": text("larger" if comparison.larger_is_better else "smaller"),
    }


def _caption(material: Material, comparison: Comparison, found: Recommendation, *, both: bool, left: int) -> str:
    text, known = material.language, any(math.isfinite(one.low) for one in comparison.contrasts)
    said = [text("answer.what", **_blanks(material, comparison))]
    said.append(
        text("answer.together", confidence=f"{100 * comparison.confidence:.4g} %")
        if known
        else text("answer.no_intervals")
    )
    if both:
        other = "last" if comparison.rule == "best" else "best"
        said.append(text("answer.thin", rule=text(f"rule.{comparison.rule}"), other=text(f"rule.{other}")))
    if found.choice.variant == comparison.baseline:
        said.append(text("answer.baseline", **_blanks(material, comparison)))
    if left:
        said.append(text("answer.left", count=left))
    return text("list.sentence").join(said)


def _curves(material: Material, found: Recommendation) -> Drawn | None:
    """The learning curves of a study of one variant, and the epoch at which its training should end."""
    from gengap.plots.learning_curves import LearningCurvesDisplay

    if material.result.history.sizes.get("epoch", 0) < 2:
        return None
    display = LearningCurvesDisplay.from_result(material.result)
    epoch, text = found.choice.epoch, material.language

    def draw(ax: "Axes") -> None:
        from gengap.plots.style import REFERENCE

        display.plot(ax)
        legend = ax.get_legend()
        if legend is not None:
            legend.remove()
        if epoch is not None:
            ax.axvline(epoch, color=REFERENCE, linewidth=1.0, linestyle="--")

    blanks = {"score": text.name_of("score", material.result.score), "epoch": f"{round(epoch or 0)}"}
    svg = inline_svg(draw, name="answer", label=text("answer.curves", **blanks), language=text, figsize=(4.6, 3.2))
    return Drawn(svg, text("answer.curves", **blanks))
