"""What the statistics are meant to keep, and which simulated settings miss it by more than chance."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any

FEWEST_CALM = 50
"""Coverage of fewer studies than this is not worth a number."""
Row = dict[str, Any]


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


@dataclass(frozen=True)
class Check:
    """A share beside its target: whether it misses it by more than chance in so many studies."""

    what: str
    share: float
    target: float
    at_most: bool
    studies: int
    where: str

    @property
    def excess(self) -> float:
        """How far the share lies on the wrong side of its target."""
        return (self.share - self.target) * (1 if self.at_most else -1)

    @property
    def missed(self) -> bool:
        """Whether 1.96 standard errors do not explain the excess."""
        return self.excess > 1.96 * sqrt(self.target * (1 - self.target) / self.studies)


def missed_targets(found: dict[str, Any]) -> list[str]:
    """Say for every target which settings miss it, and by how much at worst."""
    checks = [*_family_checks(found["families"]), *_of_other_baselines(found["which_t"]), *_other_checks(found)]
    kinds: dict[str, list[Check]] = {}
    for check in checks:
        kinds.setdefault(check.what, []).append(check)
    said = []
    for what, ones in kinds.items():
        missed = [one for one in ones if one.missed]
        if missed:
            worst = max(missed, key=lambda one: one.excess)
            share = percent(worst.share)
            said.append(f"{what}: {len(missed)} of {len(ones)} settings, at worst {share} % ({worst.where}).")
    return said


def _family_checks(rows: list[Row]) -> Iterator[Check]:
    for row in rows:
        where = f"{row['seeds']} seeds, {row['cases']:,} cases, {row['noise']}"
        kind, studies = f"{row['law']}, baseline {row['baseline']}", row["studies"]
        yield Check(f"False verdicts in a family, {kind}", row["false_verdict"], 0.05, True, studies, where)
        yield Check(f"Coverage below 93 %, {kind}", row["coverage"], 0.93, False, studies, where)
        yield Check(f"Coverage above 97 %, {kind}", row["coverage"], 0.97, True, studies, where)


def _of_other_baselines(rows: list[Row]) -> Iterator[Check]:
    for row in rows:
        kind = f"False verdicts where the baseline's seeds vary otherwise, {row['law']}"
        yield Check(kind, row["tool"]["size"], 0.05, True, row["studies"], f"baseline's sd {row['ratio']:g}")


def _other_checks(found: dict[str, Any]) -> Iterator[Check]:
    for row in found["scarce_events"]:
        if row["events"] >= 5:
            kind, where = f"False verdicts on AUC, {row['law']}", f"{row['events']} events"
            yield Check(kind, row["false_verdict"], 0.05, True, row["studies"], where)
    for row in found["rare_skill"]:
        if row["calm_studies"] >= FEWEST_CALM:
            where = f"base rate {row['rate']}, {row['cases']:,} cases"
            kind = f"Coverage of the Brier skill score without a caution, {row['forecasts']} forecasts"
            yield Check(kind, row["calm_coverage"], 0.93, False, row["calm_studies"], where)
    for row in found["power"]:
        if row["seeds"] == 10:
            kind = f"Power with 10 seeds, {row['law']}, baseline {row['baseline']}"
            where = "one comparison" if row["comparisons"] == 1 else f"among {row['comparisons']}"
            yield Check(kind, min(row["up"], row["down"]), 0.8, False, row["studies"], where)
    for row in found["equivalence"]:
        where = f"{row['seeds']} seeds, margin {row['margin']:g}, baseline {row['baseline']}"
        share = max(row["at_margin"], row["at_minus_margin"])
        yield Check(f"Called equivalent at the margin, {row['law']}", share, 0.05, True, row["studies"], where)
    for row in found["fixed_looks"]:
        yield Check(f"Looks at 6, 10, 20 seeds, {row['law']}", row["paid"], 0.06, True, row["studies"], row["noise"])
    for row in found["follow_advice"]:
        kind = f"Following the advice, {row['law']}"
        yield Check(kind, row["false_verdict"], 0.06, True, row["studies"], row["noise"])
    for row in found["diagnosis"]:
        where, studies = f"{row['seeds']} seeds", row["studies"]
        yield Check(f"Coverage of diagnosed gaps, {row['law']}", row["alone"], 0.93, False, studies, where)
        yield Check(f"Equal curves told apart, {row['law']}", row["told_apart"], 0.05, True, studies, where)
    for row in found["onset"]:
        kind = f"Coverage of onset sets, {row['law']}, margin {row['margin']}"
        where = f"{row['shape']}, {row['seeds']} seeds"
        yield Check(kind, row["coverage"], 0.93, False, row["studies"], where)
