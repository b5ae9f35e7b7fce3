"""Whether the advice of resampled studies holds: how often a study has a verdict after what it was told to add."""

from dataclasses import replace
from typing import Any

import numpy as np

from gengap.analysis.comparison.contrasts import estimates_with_skewness, pair
from gengap.analysis.comparison.pass_advice import PassAdvice
from gengap.analysis.comparison.verdicts import Verdict, judge
from gengap.analysis.inference.resampled import RHO
from resampling_learners import Data, Setting, bent, divided, linear, neighbours, one_pass, ridge, tree
from simulated_results import Floats

Row = dict[str, Any]
FIRST, MOST_PASSES, MOST_CASES = 5, 40, 1_600
LEVEL = 0.05
ASKED = (
    Setting("ridge, linear teacher", 200, linear, ridge, 1.0, (1.5, 1.5)),
    Setting("neighbours, bent teacher", 200, bent, neighbours, 10, (4, 4)),
    Setting("tree, bent teacher", 200, bent, tree, 5, (8, 8)),
)
"""Two variants with a true difference that a first study of five passes often cannot show."""


def follow_advice(place: int, studies: int) -> Row:
    """Of studies that could not say at first: what they were told, and how many have a verdict once they did it.

    `passes` are those told to add passes (up to 40), `cases` those told that only more cases would do (up to 1,600 in
    all, drawn anew), `stubborn` the latter when they add passes all the same, up to 40.
    """
    setting, rng = ASKED[place], np.random.default_rng([41, place])
    told: dict[str, list[bool]] = {"passes": [], "cases": [], "stubborn": []}
    said = beyond = 0
    advised: dict[str, list[int]] = {"passes": [], "cases": []}
    for _ in range(studies):
        data = setting.draw(rng, setting.n)
        rows = _passes(setting, data, rng, FIRST)
        verdict = _verdict(rows)
        said += verdict.kind != "cannot say"
        advice = verdict.advice
        if not isinstance(advice, PassAdvice):
            continue
        if advice.on_these_cases and advice.passes is not None and advice.passes <= MOST_PASSES:
            more = _passes(setting, data, rng, advice.passes - FIRST)
            told["passes"].append(_has(np.concatenate([rows, more], axis=1)))
            advised["passes"].append(advice.passes)
        elif advice.passes is None and advice.cases is not None and advice.cases <= MOST_CASES:
            told["cases"].append(_has(_anew(setting, rng, advice.cases)))
            advised["cases"].append(advice.cases)
            more = _passes(setting, data, rng, MOST_PASSES - FIRST)
            told["stubborn"].append(_has(np.concatenate([rows, more], axis=1)))
        else:
            beyond += 1
    return {
        "setting": setting.name, "n": setting.n, "studies": studies, "at_first": said / studies, "beyond": beyond,
        "told": {name: len(found) for name, found in told.items()},
        "verdicts": {name: float(np.mean(found)) if found else None for name, found in told.items()},
        "median": {name: float(np.median(found)) if found else None for name, found in advised.items()},
    }  # fmt: skip


def _passes(setting: Setting, data: Data, rng: np.random.Generator, count: int) -> Floats:
    """Losses of the baseline and of the treatment, shape `(2, passes, n)`."""
    few = replace(setting, only=(0, 3))
    return np.stack([one_pass(few, data, divided(rng, data), int(rng.integers(2**30))) for _ in range(count)], axis=1)


def _anew(setting: Setting, rng: np.random.Generator, cases: int) -> Floats:
    return _passes(setting, setting.draw(rng, cases), rng, FIRST)


def _verdict(rows: Floats) -> Verdict:
    (found,) = estimates_with_skewness([pair("treatment", "best", rows[1], rows[0], new_cases=True, rho=RHO)])
    assert found is not None
    rules = {"level": LEVEL, "next_level": LEVEL, "larger_is_better": False, "margin": None}
    return judge(found, cases=rows.shape[-1], **rules)  # type: ignore[arg-type]


def _has(rows: Floats) -> bool:
    return _verdict(rows).kind != "cannot say"
