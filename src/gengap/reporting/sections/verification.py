"""Verification diagrams of the baseline and the leader: discrimination, reliability, and what they are worth."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.reporting.figures import inline_svg
from gengap.reporting.material import Material
from gengap.reporting.section import Section
from gengap.reporting.sections.measures import measures_table
from gengap.verification import ReliabilityCurve, top_label
from gengap.verification.inputs import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GRID = 801
"""Values along an axis of a few hundred points that can still be told apart."""
_MOST_POINTS = 2000


@dataclass(frozen=True)
class Diagram:
    """A diagram and the text below it."""

    svg: Markup
    title: str
    caption: str


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Outcomes and the forecasts of the shown variants: of the run of median score."""

    y_true: Floats
    by_variant: Mapping[str, Floats]
    groups: Any


@dataclass(frozen=True, eq=False)
class Sketch:
    """A diagram to be drawn: its name in the catalogue, of which variants, and what draws it on given axes."""

    name: str
    variants: tuple[str, ...]
    draw: Callable[["Axes"], object]


def verification_section(material: Material) -> Section | None:
    """Draw the diagrams that suit the task; None where the result holds no predictions."""
    held, forecasts, text = material.held_out, shown_forecasts(material), material.language
    if held is None or forecasts is None:
        return None
    diagrams = [diagram for sketch in sketches_of(material) if (diagram := _drawn(material, sketch)) is not None]
    table = measures_table(material)
    if not diagrams and table is None:
        return None
    return Section(
        "verification",
        {
            "diagrams": diagrams,
            "table": table,
            "task": material.result.task,
            "part": text(f"part.{held.part}"),
            "rule": text(f"rule.{material.rule}"),
            "variants": list(forecasts.by_variant),
            "lead": _lead(material),
            "folds": material.resampled is not None,
        },
    )


def sketches_of(material: Material) -> list[Sketch]:
    """Return what draws the diagrams that suit the task; none where the result holds no predictions."""
    forecasts = shown_forecasts(material)
    if forecasts is None:
        return []
    every = _SKETCHES[material.result.task](forecasts)
    return [one for one in every if material.resampled is None or one.name not in _RANKING]


def _lead(material: Material) -> str:
    if material.resampled is not None:
        return "lead.verification_folds"
    return "lead.verification" if material.has_validation else "lead.verification_without"


def shown_forecasts(material: Material) -> Forecasts | None:
    """Return the median runs' forecasts of the baseline and of the leader, at the declared epoch rule."""
    held, result = material.held_out, material.result
    if held is None or held.y_true.ndim > 1:
        return None
    found = {}
    for variant in dict.fromkeys((result.baseline, material.leader)):
        seed = result.seeds.index(material.median_seed(variant))
        prediction = held.predictions(variant, material.rule)[seed].astype(np.float64)
        if np.isfinite(prediction).all():
            found[variant] = prediction
    return Forecasts(held.y_true.astype(np.float64), found, held.group) if found else None


def _binary(forecasts: Forecasts) -> Iterator[Sketch]:
    everyone = tuple(forecasts.by_variant)
    yield Sketch("roc", everyone, partial(_roc, forecasts))
    yield Sketch("performance", everyone, partial(_performance, forecasts))
    yield Sketch("attributes", everyone, partial(_attributes, forecasts))
    for variant, prediction in forecasts.by_variant.items():
        yield Sketch("reliability", (variant,), partial(_reliability, forecasts.y_true, prediction))


def _multiclass(forecasts: Forecasts) -> Iterator[Sketch]:
    for variant, prediction in forecasts.by_variant.items():
        top = top_label(forecasts.y_true, prediction)
        yield Sketch("top_label", (variant,), partial(_reliability, top.correct, top.confidence))


def _regression(forecasts: Forecasts) -> Iterator[Sketch]:
    for variant, prediction in forecasts.by_variant.items():
        yield Sketch("scatter", (variant,), partial(_scatter, forecasts.y_true, prediction))


_SKETCHES: Mapping[str, Callable[[Forecasts], Iterator[Sketch]]] = {
    "binary": _binary,
    "multiclass": _multiclass,
    "regression": _regression,
}
_OF_ONE = frozenset({"reliability", "top_label", "scatter"})
_RANKING = frozenset({"roc", "performance"})
"""Diagrams that sort cases by their forecasts, which those of different folds cannot be."""


def _roc(forecasts: Forecasts, ax: "Axes") -> None:
    from gengap.plots import RocDisplay

    RocDisplay.from_predictions(forecasts.y_true, forecasts.by_variant, groups=forecasts.groups).plot(ax)


def _performance(forecasts: Forecasts, ax: "Axes") -> None:
    from gengap.plots import PerformanceDisplay

    PerformanceDisplay.from_predictions(forecasts.y_true, forecasts.by_variant, groups=forecasts.groups).plot(ax)


def _attributes(forecasts: Forecasts, ax: "Axes") -> None:
    from gengap.plots import AttributesDisplay

    AttributesDisplay.from_predictions(forecasts.y_true, forecasts.by_variant).plot(ax)


def _reliability(y_true: Floats, y_prob: Floats, ax: "Axes") -> None:
    from gengap.plots import ReliabilityDisplay

    display = ReliabilityDisplay.from_predictions(y_true, y_prob)
    replace(display, data=thinned(display.data)).plot(ax)


def thinned(curve: ReliabilityCurve) -> ReliabilityCurve:
    """Keep the values that a screen can tell apart: a curve of many thousand cases would weigh megabytes."""
    kept = np.unique(np.searchsorted(curve.forecast, np.linspace(0, 1, _GRID)).clip(max=len(curve.forecast) - 1))
    parts = {name: getattr(curve, name)[kept] for name in ("forecast", "frequency", "low", "high")}
    return replace(curve, **parts)


def _scatter(y_true: Floats, y_pred: Floats, ax: "Axes") -> None:
    from gengap.plots.scatter import ScatterDisplay

    drawn = _drawn_cases(len(y_true))
    ScatterDisplay.from_predictions(y_true[drawn], y_pred[drawn]).plot(ax)


def _drawn_cases(number: int) -> NDArray[np.int64]:
    """Choose the points of a scatter: all of them or, of many, as many as still tell apart, evenly spread."""
    return np.linspace(0, number - 1, min(number, _MOST_POINTS)).round().astype(np.int64)


def _drawn(material: Material, sketch: Sketch) -> Diagram | None:
    """Draw one diagram; None where these cases do not allow it (a single class, no event)."""
    text, single = material.language, sketch.name in _OF_ONE
    places = [material.result.variants.index(variant) for variant in sketch.variants]
    title = text(f"diagram.{sketch.name}")
    try:
        svg = inline_svg(
            sketch.draw,
            name=f"{sketch.name}-{places[0]}" if single else sketch.name,
            label=f"{title}: {', '.join(sketch.variants)}",
            language=text,
            names=material.result.variants,
            # a figure of one variant draws it in the second colour, one of several in the order of the cycle
            variants={1: places[0]} if single else dict(enumerate(places)),
        )
    except GengapError:
        return None
    heading = f"{title}: {sketch.variants[0]}" if single else title
    caption = [text(f"caption.{sketch.name}")]
    number = len(material.held_out) if material.held_out else 0
    if sketch.name == "scatter" and number > _MOST_POINTS:
        caption.append(text("caption.some", drawn=f"{_MOST_POINTS:,}", number=f"{number:,}"))
    if material.held_out and material.held_out.weight is not None:
        caption.append(text("caption.unweighted"))
    return Diagram(svg, heading, text("list.sentence").join(caption))
