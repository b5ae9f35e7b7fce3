"""How the strength was found: what was searched, which trial was chosen, and strength against held-out score."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from gengap.reporting.figures import inline_svg
from gengap.reporting.material import Material
from gengap.reporting.numbers import write_number
from gengap.reporting.section import Section

_DECIMALS = 4


def strengths_section(material: Material) -> Section | None:
    """Tell of the search that a result comes from, where it comes from one."""
    told = material.result.manifest.get("search")
    if not told:
        return None
    text = material.language
    lead = text(
        "lead.strengths",
        trials=text.count("trials", len(told["trials"])),
        seeds=text.count("seeds", told["seeds"]),
        rule=text(f"rule.{told['epoch']}"),
        score=text.name_of("score", material.score),
    )
    space = [(name, values) for name, values in told["space"].items()]
    content = {"lead": lead, "space": space, "said": tuple(_said(material, told)), "figure": _figure(material)}
    return Section("strengths", content)


def _said(material: Material, told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was chosen, at which edges it lies, and what each fold chose."""
    text, trials = material.language, {one["number"]: one for one in told["trials"]}
    best, strongest = trials[told["best"]], trials[told["strongest"]]
    as_it_is = text("strengths.as_it_is")
    for key, one in (("best", best), ("strongest", strongest)):
        score = write_number(_mean(one["scores"]), _DECIMALS)
        yield text(f"strengths.{key}", remedy=one["remedy"] or as_it_is, score=score)
    for name, side in told["edges"].items():
        yield text("strengths.edge", name=name, side=text(f"side.{side}"), values=told["space"][name])
    if "folds" in told:
        chosen = text("list.comma").join(one or as_it_is for one in told["folds"])
        yield text("strengths.folds", chosen=chosen)


def _mean(scores: list[float | None]) -> float:
    known = [one for one in scores if one is not None]
    return sum(known) / len(known) if known else math.nan


def _figure(material: Material) -> Markup | None:
    from gengap.errors import DataError
    from gengap.plots.strengths import StrengthsDisplay

    try:
        display = StrengthsDisplay.from_result(material.result)
    except DataError:  # a choice among remedies has no axis
        return None
    label = material.language("diagram.strengths")
    return inline_svg(display.plot, name="strengths", label=label, language=material.language, figsize=(6.4, 4.6))
