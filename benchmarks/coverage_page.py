"""Writes docs/coverage.md from the numbers of `benchmarks/verification.py`; no number on the page is typed by hand."""

from collections.abc import Iterable, Sequence
from math import sqrt
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "coverage.md"
Row = dict[str, Any]
FAIR, LOW = 0.93, 0.90

TEXT = """# What the intervals cover

This page is written by a command; every number on it was counted in simulated studies whose truth is known, or timed:

```console
$ python benchmarks/verification.py
```

{machine}
The numbers lie in `benchmarks/results/verification.json`, each part with the machine and its load when it began.

All intervals are nominal 95 %, two-sided and, unless said otherwise, **pointwise**: each holds by itself. The cells
are shares of studies, in percent, in which the interval held the truth;
{noise}.
Studies without an interval (a score that is undefined without events) are not counted; where there were any, their
share stands in brackets. Below {low:.0f} is bold.

## Where it falls short

These settings cover less than {fair:.0f} % by more than chance; the last column is the share of their studies whose
output carried a caution:
{short}
The output says so: `Estimate.caution` is set, and printed, where there are fewer than {events} events or non-events,
fewer than {groups} groups or cases, or where so few cases carry the variance that Student's t has fewer than {freedom}
degrees of freedom. A Brier skill score of rare events needs more of them, up to {rare_events} (`docs/statistics.md`).
Losses with a long tail of rare, dear cases (the interval score, the log loss at a small base rate)
need more groups than other scores.

## Binary scores

Forecasts are overconfident by half on the log-odds scale. With groups, errors are shared within groups of ten cases,
and the intervals are taken over groups. Contingency scores are at the threshold of the base rate. *Difference of* is
`score_difference`, paired with a worse forecast of the same cases.
{binary}
*Groups ignored*: what an interval over cases covers when cases come in groups.

### With few events

The area under the ROC curve, whose interval is DeLong's with a variance moderated by Hanley and McNeil's model
(`gengap.verification.area_interval`). Of the studies with 50 cases and a base rate of .05 some have a single event:
also these have an interval.

## Real numbers and ordered labels

An ensemble of eight members whose errors, with groups, are shared within groups of ten.
{real}
## The percentile bootstrap

`bootstrap_scores` and its `interval`, 400 replicates. It is too narrow for few cases, few events and few groups:
prefer `score_interval`.
{bootstrap}
## Bands

Pointwise: the mean share of places at which the band holds what it should. Simultaneous: the share of studies in which
it does so everywhere. Consistency bands (reliability, bars, rank and PIT histograms) are made for independent cases;
with groups, outcomes of calibrated forecasts come true or fail together within groups of ten, and the band of the
ROC curve is taken over groups.
{bands}
## Exactness

Perfectly calibrated uniform forecasts have a Brier score of 1/6 and a skill score of 1/3. Computed:
{brier:.9f} and {skill:.9f}; with the forecasts rounded to .05 first, as binning does, {rounded:.6f}.

## Speed

{speed}

Growth:
{growth}
"""


def write_page(found: dict[str, Any]) -> str:
    """Write the page and return a sentence about it."""
    parts = {name: part["found"] for name, part in found.items()}
    binary, bands = (
        sorted(
            (row for name, rows in parts.items() if name.startswith(kind) for row in rows),
            key=lambda row: (-row["base_rate"], row["grouped"]),
        )
        for kind in ("intervals, base", "bands")
    )
    real, bootstrap = parts["intervals, real numbers and labels"], parts["bootstrap intervals"]
    first = found["speed"]["machine"]
    short = [row for row in [*binary, *real] if _falls_short(row)]
    studies = [row["studies"] for row in [*binary, *real]]
    text = TEXT.format(
        machine=f"Machine: {first['cores']} cores ({first['processor']}), "
        + ", ".join(f"{name} {version}" for name, version in first["versions"].items())
        + ".",
        noise=f"with {min(studies)} to {max(studies)} studies a cell chance alone moves them by "
        f"{_chance(max(studies)):.1f} to {_chance(min(studies)):.1f} points",
        fair=100 * FAIR,
        low=100 * LOW,
        short=_cautioned(short),
        events=_limit("FEW_EVENTS"),
        rare_events=_limit("FEW_RARE_EVENTS"),
        groups=_limit("FEW_GROUPS"),
        freedom=_limit("FEW_FREEDOM"),
        binary=_pages(binary, lambda row: f"base rate {row['base_rate']:g}, {_units(row)}"),
        real=_pages(real, _units),
        bootstrap=_pages(bootstrap, lambda row: f"base rate {row['base_rate']:g}, {_units(row)}"),
        bands=_pages(bands, lambda row: f"base rate {row['base_rate']:g}, {_units(row)}"),
        brier=parts["exactness"]["brier_score"],
        skill=parts["exactness"]["brier_skill_score"],
        rounded=parts["exactness"]["brier_score_of_forecasts_rounded_to_0.05"],
        speed=_speed(parts),
        growth=_growth(parts["growth"]),
    )
    PAGE.write_text(text, encoding="utf-8")
    return f"{PAGE}: {len(short)} settings fall short"


def _chance(studies: int) -> float:
    """Return how far 95 % of so many studies move by chance, in points."""
    return 100 * 1.96 * sqrt(0.95 * 0.05 / studies)


def _limit(name: str) -> int:
    from gengap.verification import estimates

    return int(getattr(estimates, name))


def _cautioned(rows: list[Row]) -> str:
    """Say how many studies of these settings carried a caution."""
    lines = []
    for row in rows:
        share = 1 - row["studies_without_caution"] / row["studies"]
        lines.append([_words(row["interval"]), _setting(row), _percent(row["coverage"]), f"{share:.0%}"])
    return _table(["interval", "setting", "coverage", "with a caution"], lines)


def _falls_short(row: Row) -> bool:
    share, studies = row["coverage"], row["studies"]
    if share is None or not studies or "ignored" in row["interval"]:
        return False
    return bool(share < FAIR - 1.96 * sqrt(FAIR * (1 - FAIR) / studies))


def _setting(row: Row) -> str:
    base = f"base rate {row['base_rate']:g}, " if "base_rate" in row else ""
    return f"{row['cases']:,} cases, {base}{_units(row)}"


def _units(row: Row) -> str:
    return "groups" if row["grouped"] else "cases"


def _words(name: str) -> str:
    return name.replace("_", " ").replace("roc auc", "ROC area")


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _cell(row: Row) -> str:
    if row["coverage"] is None:
        return "none"
    without = row.get("without_interval", 0)
    text = _percent(row["coverage"])
    if row["coverage"] < LOW:
        text = f"**{text}**"
    return text + (f" ({without / (without + row['studies']):.0%})" if without else "")


def _pages(rows: Iterable[Row], setting: Any) -> str:
    """One table for every setting, in order of appearance: intervals down, numbers of cases across."""
    settings: dict[str, dict[str, dict[int, str]]] = {}
    for row in rows:
        settings.setdefault(setting(row), {}).setdefault(row["interval"], {})[row["cases"]] = _cell(row)
    tables = []
    for name, lines in settings.items():
        sizes = sorted({n for cells in lines.values() for n in cells})
        body = [[_words(interval), *(cells.get(n, "") for n in sizes)] for interval, cells in lines.items()]
        tables.append(_table([name[0].upper() + name[1:], *(f"{n:,} cases" for n in sizes)], body))
    return "".join(tables)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n" + "\n".join(lines) + "\n"


def _speed(parts: dict[str, Any]) -> str:
    speed = parts["speed"]
    single = [
        [_words(name), f"{of['gengap_seconds']:.3f}", f"{of['scikit_learn_seconds']:.3f}"]
        for name, of in speed["single_scores"].items()
    ]
    boots = [
        [f"{row['base_rate']:g}", f"{row['bootstrap_scores_seconds']:.2f}", f"{row['scikit_learn_loop_seconds']:.1f}",
         f"{row['times_faster']:.1f} ({row['least']:.1f} to {row['most']:.1f})"]
        for row in parts["bootstrap"]
    ]  # fmt: skip
    return (
        f"All binary scores and curves of {speed['cases']:,} forecasts (`verify_binary`) take "
        f"{speed['verify_binary_per_roc_auc_score']:.2f} times as long as one\n"
        "`sklearn.metrics.roc_auc_score` (wanted: "
        "at most 2);\n"
        f"the four intervals of `scores_block` take {speed['scores_block_with_intervals_seconds']:.2f} s.\n"
        f"One score at a time, the best of five calls in turns, seconds:\n"
        + _table(["score", "gengap", "scikit-learn"], single)
        + "\n1,000 bootstrap replicates of the ROC area and the Brier skill score on 100,000 cases, beside a loop\n"
        "over scikit-learn (wanted: at least 50 times faster), seconds; the median of the rounds, and the range:\n"
        + _table(["base rate", "gengap", "loop", "times faster"], boots)
    )


def _growth(rows: list[Row]) -> str:
    body = [
        [f"{row['cases']:,}", f"{row['verify_binary_seconds']:.4f}", f"{row['roc_auc_score_seconds']:.4f}"]
        for row in rows
    ]
    return _table(["cases", "`verify_binary`, seconds", "`roc_auc_score`, seconds"], body)
