"""What the uncertainty of dropout is worth: its quality before and after the choice of the rate at inference."""

from typing import TYPE_CHECKING, Any

from gengap.reporting.figures import inline_svg
from gengap.reporting.material import Material
from gengap.reporting.numbers import write_estimate, write_number
from gengap.reporting.section import Section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gengap.analysis.uncertainty import RateChoice

_ROWS = {
    "brier_score": "score",
    "log_loss": "score",
    "crps": "score",
    "mean spread": "spread",
    "monotonicity fraction": "monotonicity",
    "discard improvement": "discard",
    "error detection (AUC of entropy)": "detection",
    "coverage of other seeds at 90%": "seeds",
    "SSRAT": "ratio",
    "PITD": "pit",
    "coverage at 90%": "coverage",
    "width at 90%": "width",
}
"""Rows of `RateChoice.quality` that the page shows, and the keys of their texts."""


def noise_section(material: Material) -> Section | None:
    """Show a choice of the rate; None where none was handed in."""
    choice = material.rate_choice
    if choice is None:
        return None
    from gengap.plots.uncertainty_quality import RateChoiceDisplay

    text = material.language
    part = next(name for name in ("test", "folds", "validation") if name in choice.gain)
    score = text.name_of("score", choice.score)
    display = RateChoiceDisplay.from_choice(choice)
    shown = {name: key for name, key in _ROWS.items() if name in choice.quality.index}
    return Section(
        "noise",
        {
            "part": text(f"part.{part}"),
            "trained": _strengths(choice.trained),
            "chosen": _strengths(choice.rates),
            "said": [_verdict(material, choice, part), *_edge(material, choice)],
            "rows": [_row(material, choice, name, key) for name, key in shown.items()],
            "figure": inline_svg(
                display.plot, name="noise", label=text("diagram.noise"), language=text, figsize=(5.2, 3.4)
            ),
            "caption": text("caption.noise", score=score, reference=_reference(material, choice)),
        },
    )


def _row(material: Material, choice: "RateChoice", name: str, key: str) -> dict[str, str]:
    text, decimals = material.language, 4 if key == "score" else 3
    before, after = (float(choice.quality[column].to_dict()[name]) for column in ("trained", "chosen"))
    return {
        "name": text(f"noise.{key}", score=text.name_of("score", choice.score)),
        "before": write_number(before, decimals),
        "after": write_number(after, decimals),
    }


def _verdict(material: Material, choice: "RateChoice", part: str) -> str:
    gain, text = choice.gain[part], material.language
    key = "helps" if gain.low > 0 else "harms" if gain.high < 0 else "open"
    return text(
        f"noise.{key}",
        gain=write_estimate(gain.value, gain.low, gain.high, sign=True),
        score=text.name_of("score", choice.score),
        reference=_reference(material, choice),
        part=text(f"part.{part}"),
    )


def _edge(material: Material, choice: "RateChoice") -> list[str]:
    """Say when the best of the grid is its first or last value."""
    grid = choice.table["score"].iloc[2:]
    values = [float(str(name).rpartition(" ")[2]) for name in grid.index]
    best = values[int(grid.to_numpy().argmin())]
    if len(values) < 2 or best not in {min(values), max(values)}:
        return []
    return [material.language("noise.lowest" if best == min(values) else "noise.highest", value=f"{best:g}")]


def _reference(material: Material, choice: "RateChoice") -> str:
    return material.language("noise.trained_rates" if choice.task == "regression" else "noise.deterministic")


def _strengths(strengths: "Mapping[str, Any]") -> str:
    """Write one number where all layers agree, else each by its layer."""
    if len({*strengths.values()}) == 1:
        return f"{next(iter(strengths.values())):g}"
    return ", ".join(f"{layer} {value:g}" for layer, value in strengths.items())
