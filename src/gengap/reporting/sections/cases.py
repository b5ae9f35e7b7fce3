"""How sure the leader is of single cases: what its seeds forecast for the surest and the least sure of them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from gengap.reporting.figures import inline_svg
from gengap.reporting.material import Material
from gengap.reporting.numbers import write_number, write_spread
from gengap.reporting.section import Section
from gengap.verification.inputs import Floats

if TYPE_CHECKING:
    from gengap.analysis.uncertainty import PredictiveDistribution

Kind = Literal["sure_right", "sure_wrong", "unsure", "disagree"]

KINDS: tuple[Kind, ...] = ("sure_right", "sure_wrong", "unsure", "disagree")
_EACH = 2
_MOST_FIGURES = 6


@dataclass(frozen=True, eq=False)
class CaseForecasts:
    """What every seed forecast for every case, as one number each.

    Attributes:
        forecast: Probability of label 1, probability of the label that the seeds' mean finds most probable, or the
            regression's forecast, shape `(seeds, n)`.
        outcome: What happened, on the same scale: 0/1, whether that label was right, or the target, shape `(n,)`.
        doubt: How unsure the mean forecast is, larger is less sure, shape `(n,)`.
        error: Size of the mean forecast's error, shape `(n,)`.
        right: Whether the mean forecast is on the right side, shape `(n,)`.
        top: The most probable class of every case where there are several; else empty.
    """

    forecast: Floats
    outcome: Floats
    doubt: Floats
    error: Floats
    right: NDArray[np.bool_]
    top: NDArray[np.int64]

    @property
    def spread(self) -> Floats:
        """Standard deviation between seeds, shape `(n,)`."""
        spread: Floats = self.forecast.std(axis=0, ddof=1)
        return spread


@dataclass(frozen=True)
class Case:
    """One line of the section.

    Attributes:
        sample: Position of the case in its split.
        name: What the case is called: its number, time or group, and the most probable of several classes.
        forecast: Mean ± standard deviation over seeds, as text.
        outcome: What happened, as text.
        dots: Where the seeds' forecasts lie on the picture's axis, from 0 to 1.
        mark: Where the outcome lies.
    """

    sample: int
    name: str
    forecast: str
    outcome: str
    dots: tuple[float, ...]
    mark: float


def cases_section(material: Material) -> Section | None:
    """Show some cases of each kind; None with fewer than two seeds or without predictions."""
    forecasts = forecasts_of_leader(material)
    figures = _figures(material)
    if forecasts is None and not figures:
        return None
    text = material.language
    groups = []
    if forecasts is not None:
        chosen = choose(forecasts, regression=material.result.task == "regression")
        groups = [
            {"kind": kind, "cases": [_case(material, forecasts, at) for at in found]}
            for kind, found in chosen.items()
            if found
        ]
    held = material.held_out
    return Section(
        "cases",
        {
            "variant": material.leader,
            "seeds": 0 if forecasts is None else len(forecasts.forecast),
            "part": text(f"part.{held.part}") if held else "",
            "task": material.result.task,
            "groups": groups,
            "folds": material.resampled is not None,
            "figures": figures,
            "of": str(material.distribution.settings.get("variant") or "") if material.distribution else "",
        },
    )


def forecasts_of_leader(material: Material) -> CaseForecasts | None:
    """Read the leader's forecasts at the declared epoch rule; runs that diverged are left out."""
    held, task = material.held_out, material.result.task
    if held is None or held.y_true.ndim > 1:
        return None
    prediction = held.predictions(material.leader, material.rule).astype(np.float64)
    prediction = prediction[np.isfinite(prediction).reshape(len(prediction), -1).all(axis=1)]
    if len(prediction) < 2:
        return None
    none = np.empty(0, dtype=np.int64)
    if task == "multiclass":
        top = prediction.mean(axis=0).argmax(axis=-1)
        forecast = np.take_along_axis(prediction, top[None, :, None], axis=-1)[..., 0]
        right = top == held.y_true
        confidence = forecast.mean(axis=0)
        return CaseForecasts(forecast, right.astype(np.float64), 1 - confidence, np.abs(right - confidence), right, top)
    outcome = held.y_true.astype(np.float64)
    error = np.abs(prediction.mean(axis=0) - outcome)
    if task == "binary":
        doubt = 0.5 - np.abs(prediction.mean(axis=0) - 0.5)
        return CaseForecasts(prediction, outcome, doubt, error, error < 0.5, none)
    return CaseForecasts(prediction, outcome, prediction.std(axis=0, ddof=1), error, error < np.median(error), none)


def choose(forecasts: CaseForecasts, *, regression: bool) -> dict[Kind, list[int]]:
    """Choose cases of each kind, none twice.

    Sure and right: smallest error of all. Sure and wrong: among the wrong ones, the least doubt. Unsure: the most
    doubt. Disagreement: the widest spread between seeds; for a regression that is what doubt means already.
    """
    largest = float(forecasts.doubt.max()) + 1.0
    keys: dict[Kind, Floats] = {
        "sure_right": np.where(forecasts.right, forecasts.doubt, largest),
        "sure_wrong": np.where(forecasts.right, largest, forecasts.doubt - 1e-9 * forecasts.error),
        "unsure": -forecasts.doubt,
        "disagree": -forecasts.spread,
    }
    fits: dict[Kind, NDArray[np.bool_]] = {"sure_right": forecasts.right, "sure_wrong": ~forecasts.right}
    taken: set[int] = set()
    chosen: dict[Kind, list[int]] = {}
    for kind in KINDS[: 3 if regression else 4]:
        order = np.argsort(keys[kind], kind="stable")
        allowed = fits.get(kind, np.ones(len(order), dtype=np.bool_))
        found = [
            int(at)
            for at in order[: len(taken) + _EACH + int((~allowed).sum())]
            if allowed[at] and int(at) not in taken
        ]
        chosen[kind] = found[:_EACH]
        taken.update(chosen[kind])
    return chosen


def _case(material: Material, forecasts: CaseForecasts, at: int) -> Case:
    values, outcome = forecasts.forecast[:, at], float(forecasts.outcome[at])
    ends = (0.0, 1.0)
    if material.result.task == "regression":
        ends = (
            min(forecasts.forecast.min(), forecasts.outcome.min()),
            max(forecasts.forecast.max(), forecasts.outcome.max()),
        )
    width = (ends[1] - ends[0]) or 1.0
    return Case(
        sample=at,
        name=_claim(material, forecasts, at),
        forecast=write_spread(float(values.mean()), float(values.std(ddof=1))),
        outcome=_outcome(material, at),
        dots=tuple((values - ends[0]) / width),
        mark=(outcome - ends[0]) / width,
    )


def _claim(material: Material, forecasts: CaseForecasts, at: int) -> str:
    """Name a case and, of several labels, the most probable class."""
    name = _name(material, at)
    if not len(forecasts.top):
        return name
    return f"{name} · {material.language('cases.claims', label=_label(material, int(forecasts.top[at])))}"


def _name(material: Material, at: int) -> str:
    """Call a case by its number and, where it has one, its time or group."""
    text, held = material.language, material.held_out
    assert held is not None  # noqa: S101  there are forecasts
    coords = held.data.coords
    said = [text("cases.number", number=int(coords["case"].values[at]) if "case" in coords else at)]
    if "time" in held.data.coords:
        said.append(str(held.data["time"].values[at].astype("datetime64[m]")).replace("T", " "))
    elif "group" in held.data.coords:
        said.append(str(held.data["group"].values[at]))
    return " · ".join(said)


def _outcome(material: Material, at: int) -> str:
    held = material.held_out
    assert held is not None  # noqa: S101  there are forecasts
    if material.result.task == "regression":
        return write_number(float(held.y_true[at]), 2)
    return _label(material, int(held.y_true[at]))


def _label(material: Material, code: int) -> str:
    names = (material.result.manifest.get("data") or {}).get("label_names") or ()
    return str(names[code]) if code < len(names) else str(code)


def _figures(material: Material) -> list[dict[str, Any]]:
    """Draw the predictive distribution of the cases that were handed in, each on its own axes."""
    distribution = material.distribution
    if distribution is None:
        return []
    from gengap.plots.predictive_distribution import PredictiveDistributionDisplay

    text, figures = material.language, []
    known = _known_cases(material, distribution)
    kinds = distribution.settings.get("kinds") or ()
    for at, sample in enumerate(distribution.members["sample"].values[:_MOST_FIGURES]):
        display = PredictiveDistributionDisplay.from_distribution(distribution, sample=at)
        title = _name(material, int(sample)) if known else text("cases.number", number=sample)
        if at < len(kinds) and kinds[at] in KINDS:
            title = f"{text(f'cases.{kinds[at]}')}: {title}"
        svg: Markup = inline_svg(display.plot, name=f"case-{at}", label=title, language=text, figsize=(4.4, 3.2))
        caption = [text("cases.distribution", members=f"{distribution.num_members:,}")]
        if known:
            caption.append(text("cases.happened", outcome=_outcome(material, int(sample))))
        figures.append({"title": title, "svg": svg, "caption": text("list.sentence").join(caption)})
    return figures


def _known_cases(material: Material, distribution: "PredictiveDistribution") -> bool:
    """Whether the distribution says that its cases are those of the split that the page reads, by position."""
    held = material.held_out
    if held is None or distribution.settings.get("part") != held.part:
        return False
    return bool((distribution.members["sample"].values < len(held)).all())
