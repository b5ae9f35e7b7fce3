"""What to ship: the bottom line, what to do, how much could be lost by it, and what all of it claims."""

import math
from dataclasses import dataclass

from gengap.analysis.decision import saying
from gengap.reporting.material import Material
from gengap.reporting.section import Section
from gengap.reporting.sections.answer import Drawn, answer


@dataclass(frozen=True)
class Line:
    """One line of the first screen.

    Attributes:
        name: Which: part of the key of its label.
        text: What it says.
    """

    name: str
    text: str


def decision_section(material: Material) -> Section | None:
    """Say what to ship, where there is anything to choose."""
    found, text = material.recommendation, material.language
    if found is None or len(found.options) < 2:
        return None
    said = {
        "bottom": (saying.bottom_line(found),),
        "action": (saying.action(found), saying.why(found)),
        "risk": (saying.bound(found, alone=False), *saying.more(found)),
    }
    lines = [Line(name, text("list.sentence").join(map(text.write, parts))) for name, parts in said.items()]
    known = math.isfinite(found.regret)
    claim = text(
        "decision.says" if known else "decision.says_plain",
        claim=text(f"claim.{'these' if found.claim == 'this test set' else 'new'}"),
        confidence=f"{100 * found.confidence:.4g} %",
        score=text.name_of("score", found.score),
        better=text("larger" if found.larger_is_better else "smaller"),
        part=text(f"part.{found.part}"),
    )
    notes = tuple(text.write(note) for note in found.notes)
    figure = answer(material, found)
    drawn = figure if isinstance(figure, Drawn) else None
    content = {"lines": (*lines, Line("claim", claim)), "notes": notes, "figure": figure, "drawn": drawn}
    return Section("decision", content)
