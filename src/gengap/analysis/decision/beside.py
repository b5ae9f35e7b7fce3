"""Do simple references do as well as the networks? Read off the bounds of a recommendation."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gengap.analysis.cases import is_reference
from gengap.analysis.claims import given_message
from gengap.analysis.decision.options import Option, Reading
from gengap.analysis.decision.saying import amount
from gengap.analysis.findings.codes import Finding, found
from gengap.analysis.findings.wording import Message

Floats = NDArray[np.float64]


def reference_findings(
    reading: Reading,
    options: Sequence[Option],
    high: Floats,
    inside: NDArray[np.bool_],
    *,
    tolerance: float,
    confidence: float,
) -> tuple[Finding, ...]:
    """Say of every reference that is as good as the best network, or better, that it is.

    Args:
        reading: Where options were read.
        options: All options.
        high: Upper bounds of the loss of each option minus that of each other, all from one error.
        inside: Which options may be the best.
        tolerance: What does not matter, in the score's units.
        confidence: With which probability all bounds hold, together.
    """
    references = [is_reference(reading.result, one.variant) for one in options]
    sign = -1.0 if reading.larger_is_better else 1.0
    nets = [at for at, simple in enumerate(references) if not simple]
    if not nets:
        return ()
    best = min(nets, key=lambda at: sign * options[at].score)
    seen, name, given = [], str(options[best]), given_message(reading.result)
    for at, one in enumerate(options):
        if not references[at]:
            continue
        behind, least = sign * (one.score - options[best].score), float(-high[at, nets].max())
        if least > 0:
            sure = {"by": -behind, "least": least, "confidence": 100 * confidence}
            seen.append(found("GG201.better", one.variant, "serious", network=name, given=given, **sure))
        elif inside[at] and behind <= tolerance:
            lead = Message("reference.behind" if behind > 0 else "reference.ahead", {"tolerance": amount(tolerance)})
            scores = {"own": one.score, "other": options[best].score}
            seen.append(found("GG201", one.variant, "serious", network=name, lead=lead, given=given, **scores))
    return tuple(seen)
