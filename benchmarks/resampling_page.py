"""The page `docs/resampling_statistics.md`, written from measured numbers alone."""

from collections.abc import Iterable, Sequence
from math import sqrt
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "resampling_statistics.md"
NULLS = 2
TOOL = "passes, as the tool does"
SHOWN = (TOOL, "passes, rho = 0", "crossed, as the tool would", "corrected t", "naive t")
Row = dict[str, Any]

TEXT = """# How far verdicts on new training sets hold

This page is written by a command, from simulated studies whose truth is known:

```console
$ make bench-resampling
```

It was run in parts on a machine shared with other work ({processor}, {machine_cores} cores, NumPy {numpy}), in
{seconds:,.0f} s in all: `python benchmarks/resampling.py --only ...` with `--studies {asked}`, the last section with
`--advice --studies {advice_asked}`. Slow settings get fewer studies than asked for; every line says how many. The
numbers lie in `benchmarks/results/resampling.json`.

## What is simulated

A study draws a data set of n cases and asks which of four treatments are better or worse than the baseline *on average
over training sets* of the size that a fold leaves, here 4/5 of n. It divides the cases into five folds, trains every
variant on every fold's rest with a seed of its own, predicts the cases left out, and does so five times with new
divisions and new seeds: five *passes*, 25 runs a variant. Every teacher has four blocks of features that mean the same.
The baseline holds back two of them; two treatments hold back two others, so that they are exactly equal to the baseline
on average over training sets and hardly ever on one; and two have a true effect, a small and a large one.

The standard error counts passes and cases as random and lets the variance between cases count 1 + rho times
(`gengap.analysis.inference.resampled`). No estimate of the variance of cross-validation is unbiased (Bengio and
Grandvalet 2004), and a study cannot see its own rho: what a case does as a training case hardly shows in the spread of
passes. So rho is a convention: 1/4, and 1 where a variant does worse than the constant forecast.

## Targets

At most 5 % of studies with any false verdict, whatever the number of cases; 95 % intervals of single differences that
cover the mean over training sets in 93 % or more in nine settings of ten, and in 91 % or more in all; power not below
that of Nadeau and Bengio's corrected t wherever that keeps 5 %.

{verdict}

## False verdicts

Share of studies, in percent, in which any of the four simultaneous intervals leads to a false verdict, and behind the
stroke the share of plain 95 % intervals of the two equal treatments that leave out 0.
{errors}
{ways}

## Coverage

Of plain 95 % intervals, in percent: of the two equal treatments / of the small effect / of the large one.
{coverage}
## Power and length

Share of studies, in percent, that find the small / the large effect, and in brackets the mean length of intervals as a
part of the corrected t's.
{power}
## What comes of the advice

Studies that end with "cannot say" are told what to add: *passes*, or, where the interval would include 0 however many
there were, *cases*. How many had a verdict once they had done as they were told (up to 40 passes, or 1,600 cases drawn
anew), and how many of those told that no number of passes would do got one from 40 passes all the same. With more cases
to train on, differences may shrink.
{advice}
## What it does not show

Seeds of learners without randomness change nothing, so that their passes differ by the division alone. Strengths,
numbers of neighbours and epochs are fixed: choices inside the fold are not simulated here. Nothing is said about
training sets of n cases: what was trained on 4/5 of them is what is claimed.
"""


def write_page(found: dict[str, Any]) -> str:
    """Write the page and return a sentence about it."""
    rows = [found["rows"][key] for key in sorted(found["rows"], key=int)]
    machine = found["machine"]
    PAGE.write_text(
        TEXT.format(
            asked=" / ".join(f"{asked}" for asked in sorted({row["asked"] for row in rows})),
            processor=machine["processor"],
            machine_cores=machine["cores"],
            numpy=machine["versions"]["numpy"],
            seconds=sum(row["seconds"] for row in rows),
            verdict=_verdict(rows),
            errors=_table(rows, lambda one: f"{percent(one['false_verdict'])} / {percent(one['one_null'])}"),
            ways=_ways(),
            coverage=_table(rows, _coverage),
            power=_power(rows),
            advice=_advice(found["advice"]),
            advice_asked=2 * found["advice"][0]["studies"],
        ),
        encoding="utf-8",
    )
    return f"{PAGE}: {len(rows)} settings"


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _ways() -> str:
    return (
        "*As the tool does*: rho by the convention. *Crossed*: one division, five seeds on it, the same formula (the\n"
        "tool itself makes no claim about new training sets from one division). "
        "*Corrected t*: Student's t over the 25\nmeans of folds with the variance of Nadeau and Bengio (2003), as "
        "Bouckaert and Frank (2004) have it for repeated\ncross-validation. *Naive t*: the same without a correction."
    )


def _table(rows: list[Row], cell: Any) -> str:
    head = ["setting", "n", "studies", *SHOWN]
    return _lines(
        head,
        [
            [row["setting"], f"{row['n']:,}", f"{row['studies']:,}", *(cell(row["ways"][way]) for way in SHOWN)]
            for row in rows
        ],
    )


def _coverage(one: Row) -> str:
    cover = one["coverage"]
    equal = sum(cover[:NULLS]) / NULLS
    return " / ".join(percent(share) for share in (equal, *cover[NULLS:]))


def _power(rows: list[Row]) -> str:
    def cells(row: Row) -> list[str]:
        unit = row["ways"]["corrected t"]["length"]
        return [
            f"{' / '.join(f'{100 * share:.0f}' for share in row['ways'][way]['power'])}"
            f" ({row['ways'][way]['length'] / unit:.2f})"
            for way in SHOWN
        ]

    return _lines(["setting", "n", *SHOWN], [[row["setting"], f"{row['n']:,}", *cells(row)] for row in rows])


def _advice(rows: list[Row]) -> str:
    def cell(row: Row, way: str) -> str:
        share, told = row["verdicts"][way], row["told"][way]
        median = row["median"].get(way)
        asked = "" if median is None else f", median {median:,.0f}"
        return "none" if share is None else f"{100 * share:.0f} % of {told}{asked}"

    head = [
        "setting",
        "studies",
        "verdict at first",
        "told passes",
        "told cases",
        "these with 40 passes",
        "out of reach",
    ]
    return _lines(
        head,
        [
            [
                row["setting"],
                str(row["studies"]),
                f"{100 * row['at_first']:.0f} %",
                *(cell(row, way) for way in ("passes", "cases", "stubborn")),
                str(row["beyond"]),
            ]
            for row in rows
        ],
    )


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n" + "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


# --- what is kept ---------------------------------------------------------------------------------------------------


def _verdict(rows: list[Row]) -> str:
    said = [_errors(rows, TOOL, "The tool"), _errors(rows, "naive t", "The naive t"), _covers(rows), _beats(rows)]
    return "\n".join(f"- {one}" for one in said)


def _errors(rows: list[Row], way: str, name: str) -> str:
    worst = max(rows, key=lambda row: row["ways"][way]["false_verdict"])
    missed = [
        row for row in rows if row["ways"][way]["false_verdict"] - 0.05 > 1.96 * sqrt(0.05 * 0.95 / row["studies"])
    ]
    share = percent(worst["ways"][way]["false_verdict"])
    where = f"{worst['setting']}, n = {worst['n']:,}"
    above = f"above 5 % by more than chance in {len(missed)} of {len(rows)} settings"
    return f"{name} gives false verdicts in {share} % of studies at most ({where}); {above}."


def _covers(rows: list[Row]) -> str:
    """Count settings by their worst contrast, and those that miss by more than chance."""
    worst = [(min(row["ways"][TOOL]["coverage"]), row) for row in rows]
    good = sum(share >= 0.93 for share, _ in worst)
    low, where = min(worst, key=lambda one: one[0])
    below = [row for share, row in worst if 0.91 - share > 1.96 * sqrt(0.91 * 0.09 / row["studies"])]
    short = [f"{row['setting']}, n = {row['n']:,} ({percent(share)} %)" for share, row in worst if share < 0.93]
    kept = "as meant" if good >= 0.9 * len(rows) else "fewer than meant"
    return (
        f"The tool's intervals cover at least 93 % for every treatment in {good} of {len(rows)} settings, {kept}; not "
        f"in {'; '.join(short)}. The lowest is {percent(low)} % of {where['studies']} studies; below 91 % by more than "
        f"chance in {len(below)} settings. Variants that do worse than a constant forecast carry a caution."
    )


def _beats(rows: list[Row]) -> str:
    fair = [row for row in rows if row["ways"]["corrected t"]["false_verdict"] <= 0.05]
    behind, pairs = [], 0
    for row in fair:
        for mine, theirs in zip(row["ways"][TOOL]["power"], row["ways"]["corrected t"]["power"], strict=True):
            pairs += 1
            if theirs - mine > 1.96 * sqrt(2 * max(theirs * (1 - theirs), 0.01) / row["studies"]):
                behind.append(f"{row['setting']}, n = {row['n']:,} ({100 * mine:.0f} against {100 * theirs:.0f} %)")
    mean = [sum(sum(row["ways"][way]["power"]) for row in fair) / (2 * len(fair)) for way in (TOOL, "corrected t")]
    lag = f"below it by more than chance: {'; '.join(behind)}" if behind else "nowhere below it by more than chance"
    return (
        f"Where the corrected t keeps 5 % ({len(fair)} settings, {pairs} effects), the tool's mean power is "
        f"{percent(mean[0])} %, the corrected t's {percent(mean[1])} %; {lag}."
    )
