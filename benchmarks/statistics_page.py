"""The page `docs/statistics.md`, written from measured numbers alone: tables, and where a target was missed."""

from collections.abc import Callable, Iterable, Sequence
from math import sqrt
from pathlib import Path
from typing import Any

from statistics_targets import FEWEST_CALM, Row, missed_targets, percent

PAGE = Path(__file__).parents[1] / "docs" / "statistics.md"
SEEDS = (6, 8, 10, 20)
_BAR = 0.05
_WAYS = {"tool": "this package", "tool, own pair": "own pair", "Cochran": "Cochran", "Johnson": "Johnson",
         "Hall": "Hall", "sign flips": "sign flips"}  # fmt: skip

TEXT = """# How far the verdicts hold

This page is written by a command; every number on it was counted in simulated studies whose truth is known:

```console
$ make bench-statistics
```

or part by part (`--only`), which is how these numbers came about, on a machine shared with other work ({processor},
{cores} cores, NumPy {numpy}, SciPy {scipy}). They lie in `benchmarks/results/statistics.json`. Every part was asked for
the studies that its line names, and takes fewer where they are slow: how many, each section says.
{parts}
A study draws its seeds, its cases and their interaction anew from one law: normal, gamma with shape 2, or lognormal,
each shifted and scaled to mean 0 and variance 1. *Alike* means that the baseline is drawn like the remedies, which
makes paired differences symmetric; *steady* means that the baseline does not vary, so that differences are as skewed
as the law itself: the harder case. With 215 cases, cases come in 43 groups of five that share their noise; 25,000 are
independent.

## Where it falls short

Targets: at most 5 % of families with any false verdict; 95 % intervals that cover 93 to 97 %; power of 80 % at 1.5
paired standard deviations with 10 seeds; at most 5 % "equivalent" at the margin; at most 6 % errors over several looks;
onset sets that cover 93 %; at most 5 % false verdicts on the AUC of few events; Brier skill scores that cover 93 % or
carry a caution. These settings miss theirs by more than chance:

{misses}

Every interval is longer on the side on which possible skewness may make it fall short. How skewed the noise of seeds
may be is read off all variants together, since a handful of seeds cannot show their own skewness: ten draws of the
lognormal law all lie below its mean in one study of forty, and then look like a small, certain difference. Where the
baseline varies as the remedies do, differences are symmetric; but how much it varies is not known either, only seen in
the same few seeds, so that something is added there too. In the families of eight under *Power* intervals become
{lengths}.
The price is power, most of it where the baseline stands still and the noise is as skewed as a lognormal law;
[Which t](#which-t) sets it beside what other ways cost. Everything but the next section is for one training set: what
another would bring is in none of these numbers, and
[How far verdicts on new training sets hold](resampling_statistics.md) is about those that claim more.

## Given this training set

A study has one training set, and every verdict, finding and table of it says so: *given this training set* one variant
is better than the other, for new cases and new seeds. That another training set would say the same is more than it
claims. Where two treatments are equal on average over training sets, each of these sets still suits one of them a
little better, and enough seeds and cases show it: the more cases, the more often. Small networks with ten seeds and 200
training cases, and two L2 penalties that are one in law:
{more_cases}
{more_studies:,} studies. With networks trained by this package itself it was 21, 32 and 42 % when this was first seen.
Here is how often two kinds of ridge regression do that are one in law (ten seeds, 1,000 held-out cases; the first
penalizes ten of twenty features, the second the ten others, whose true coefficients are the same), and what is left of
it where every run has a training set of its own, as a claim about the treatments themselves would need:
{training_sets}
{training_studies:,} studies a line. Such a verdict is no error: with *this* training set the variant is better, which
is what someone wants to know who has no other. Who compares methods rather than models needs several training sets: a
[resampled study](resampling.md) (`study.run(..., cv=5)`), or one result in which every run was trained on a set of its
own (`Result.from_predictions`).

## Eight remedies that do nothing

Share of families with any false verdict, in percent, and behind the stroke the coverage of the plain 95 % interval of a
single difference. A first look may spend 4.5 % on all eight verdicts.
{families}
`gg.compare` itself, from results to verdicts: {end_to_end} % of
{end_to_end_studies:,} families of three (10 seeds, 215 cases, normal, baseline alike).

## Power

Share of studies, in percent, that find a difference of 1.5 standard deviations of the paired differences, upwards /
downwards, on 25,000 cases; {power_studies:,} studies a cell, here and under equivalence.
{power}
## Which t

Eight remedies, ten seeds, 25,000 cases, seeds dominating; the seeds' standard deviation of the baseline is a quarter to
four times that of the remedies. Share of families, in percent, with any false verdict where no remedy does anything
(a first look may spend 4.5 %), and behind the stroke the share that finds a difference of 1.5 paired standard
deviations upwards / downwards. *This package*: simultaneous intervals as `gg.compare` states them; *own pair*: the
same, were the skewness read off a variant and the baseline alone; the others with Holm's procedure: Cochran's t (here
Student's, as seeds dominate), Johnson's (1978) and Hall's (1992) corrections by the sample's own third moment, and all
flips of signs (Pitman 1937).
{which}
{which_studies:,} studies a line. What was looked for is a way that errs in at most 5 % of families on every line, with
a power of 80 % under the normal law, whose p of a contrast does not depend on the other contrasts. None does all of it.
Cochran's t has the power and errs in up to {cochran} % where the noise is skewed and the baseline steadier than the
remedies; corrections by what ten differences show of their own skewness err nearly as often and have less power under
the normal law than the package. The package errs in {tool} % at most, {tool_bar}, with a power of {tool_normal} % or
more under the normal law; to that end a contrast's interval depends on what the other variants show of the noise.

## Few events

AUC of two exchangeable forecasters, ten seeds, 1,000 cases of which few are events: false verdicts in percent (a first
look may spend 4.5 %), with the degrees of freedom of the scarcer label, as `gg.compare` has them; in brackets with
those of all cases; and behind the stroke the median length of the interval, where 2 is the whole scale, from -1 to 1.
With fewer than five events (or non-events, or groups that hold any) an interval can be longer than the scale, so
`gg.compare` refuses.
{scarce}
{scarce_studies:,} studies a cell.

Brier skill score: coverage of the 95 % interval, in percent; in brackets what influences alone would cover; and behind
the stroke, where at least 50 studies carry no caution, coverage in these and their share. Rare events are seldom
forecast with confidence, and a sample without such an event shows little skill and little spread: the variance that
the forecasts themselves lead one to expect makes up for that (`gengap.verification.skill_interval`). Where an event is
rarer than one in fifty, the caution comes below 40 events.
{rare}
{rare_studies:,} studies a cell, less those without an event.

## Equivalence

Share, in percent, called equivalent where the difference is as large as the margin (upwards / downwards; should be at
most 5) and, in brackets, where it is 0. The margin is in paired standard deviations.
{equivalence}
## Looking again

False verdicts, in percent, where there is no difference and the baseline is steady: looks at 6, 10 and 20 seeds as the
tool pays for them; the same looks at 5 % each, unpaid; and following the tool's advice from 6 seeds to 10, 20 or 40.
{looks}
{look_studies:,} studies for fixed looks, {advice_studies:,} for the advice.

## Onset of overfitting

Coverage of the 95 % set, in percent, with the margin declared / estimated from the seeds, and in brackets the set's
mean size in epochs, of 20. The margin is the noise between seeds (`gengap.analysis.diagnosis.onset.seed_noise`). These
sets
speak for the cases at hand: noise of the cases is not drawn.
{onset}
{onset_studies:,} studies a cell.

## Diagnosis and audit

Coverage, in percent, of the 95 % intervals of single gaps as `gg.diagnose` states them for six variants (the mean of a
skewed law must lie in them), and behind the stroke the share of studies in which any of five variants equal to the
baseline is said to differ from it (should be at most 5).
{diagnosis}
{diagnosis_studies:,} studies a cell. The audit reported a shift of classes in {alarms:.2f} % of {alarm_studies:,}
studies without one (three labels, 400 and 200 cases; meant: 0.1 %).

## Speed

`gg.compare` on six variants x ten seeds with 1,000,000 held-out cases each, on one thread, measured once, before
intervals looked into skewness, which adds a sort of the cases' means to every contrast:
{speed}
Peak memory {memory:.1f} GiB, the result itself included.
"""


def write_page(found: dict[str, Any]) -> str:
    """Write the page and return a sentence about it."""
    misses = missed_targets(found)
    machine, which = found["machine"], found["which_t"]
    sizes = [row["tool"]["size"] for row in which]
    seeds = [f"{n} seeds" for n in SEEDS]
    looks = zip(found["fixed_looks"], found["follow_advice"], strict=True)
    text = TEXT.format(
        parts=_parts(found["measured"]),
        lengths=_lengths(found["power"]),
        which=_which_table(which),
        which_studies=which[0]["studies"],
        cochran=percent(max(row["Cochran"]["size"] for row in which)),
        tool=percent(max(sizes)),
        tool_bar=_within_chance(max(sizes), which[0]["studies"]),
        tool_normal=percent(
            min(row["tool"][side] for row in which for side in ("up", "down") if row["law"] == "normal")
        ),
        cores=machine["cores"],
        processor=machine["processor"],
        numpy=machine["versions"]["numpy"],
        scipy=machine["versions"]["scipy"],
        misses="\n".join(f"- {miss}" for miss in misses) or "- None.",
        families=table(
            ["law", "cases", "noise", "baseline", "studies", *seeds],
            by_seeds(found["families"], ("law", "cases", "noise", "baseline", "studies"), _family_cell),
        ),
        end_to_end=percent(found["end_to_end"]["false_verdict"]),
        end_to_end_studies=found["end_to_end"]["studies"],
        power_studies=found["power"][0]["studies"],
        power=table(
            ["law", "baseline", "comparisons", *seeds],
            by_seeds(
                found["power"],
                ("law", "baseline", "comparisons"),
                lambda row: f"{percent(row['up'])} / {percent(row['down'])}",
            ),
        ),
        training_sets=table(
            ["training cases", "verdicts, one training set", "verdicts, a training set for every run"],
            [
                [str(row["training_cases"]), f"{percent(row['verdict'])} %", f"{percent(row['new_training_sets'])} %"]
                for row in found["one_training_set"]
            ],
        ),
        more_cases=_more_cases(found["more_cases"]),
        more_studies=sum(row["studies"] for row in found["more_cases"]),
        training_studies=found["one_training_set"][0]["studies"],
        scarce=_across(found["scarce_events"], ("law",), ("events",), _scarce_cell, "{} events"),
        scarce_studies=found["scarce_events"][0]["studies"],
        rare=_across(found["rare_skill"], ("rate", "cases"), ("forecasts",), _rare_cell, "{}"),
        rare_studies=max(row["studies"] for row in found["rare_skill"]),
        equivalence=table(
            ["law", "baseline", "margin", *seeds],
            by_seeds(found["equivalence"], ("law", "baseline", "margin"), _equivalence_cell),
        ),
        looks=table(
            ["law", "noise", "6, 10, 20", "unpaid", "following the advice", "seeds at the end"],
            [
                [
                    a["law"],
                    a["noise"],
                    *map(percent, (a["paid"], a["unpaid"], b["false_verdict"])),
                    f"{b['mean_seeds']:.1f}",
                ]
                for a, b in looks
            ],
        ),
        look_studies=found["fixed_looks"][0]["studies"],
        advice_studies=found["follow_advice"][0]["studies"],
        onset=_onset_table(found["onset"]),
        onset_studies=found["onset"][0]["studies"],
        diagnosis=table(
            ["law", *seeds],
            by_seeds(
                found["diagnosis"],
                ("law",),
                lambda row: f"{percent(row['alone'])} / {percent(row['told_apart'])}",
            ),
        ),
        diagnosis_studies=found["diagnosis"][0]["studies"],
        alarms=100 * found["audit"]["alarms"],
        alarm_studies=found["audit"]["studies"],
        speed=table(["score", "seconds"], [(row["score"], f"{row['seconds']:.1f}") for row in found["speed"]]),
        memory=max(row["peak_memory_gib_so_far"] for row in found["speed"]),
    )
    # what another script has written behind its mark stays
    _, mark, others = PAGE.read_text(encoding="utf-8").partition("<!-- from benchmarks/")
    PAGE.write_text(text.rstrip("\n") + "\n" + ("\n" + mark + others if mark else ""), encoding="utf-8")
    return f"{PAGE}: {len(misses)} groups of settings miss their target"


def _parts(measured: dict[str, Row]) -> str:
    command = "python benchmarks/statistics.py --studies {studies} --cores {cores} --only {part}"
    rows = [
        [f"`{command.format(part=part, **one)}`", f"{one['seconds']:.0f}"]
        for part, one in sorted(measured.items(), key=lambda item: item[0])
    ]
    notes = [f"`{part}`: {one['note']}" for part, one in sorted(measured.items()) if "note" in one]
    return table(["command", "seconds, under load"], rows) + "".join(f"\n{note}\n" for note in notes)


def _within_chance(share: float, studies: int) -> str:
    if share <= _BAR:
        return "within the 5 %"
    chance = 1.96 * sqrt(_BAR * (1 - _BAR) / studies)
    return "5 % within chance" if share - _BAR <= chance else "more than the 5 %"


def _lengths(rows: list[Row]) -> str:
    """Say how much longer possible skewness makes intervals among eight, by law and seeds."""
    said = []
    for law in dict.fromkeys(row["law"] for row in rows):
        of = {
            (row["baseline"], row["seeds"]): f"{row['length']:.2f}"
            for row in rows
            if row["law"] == law and row["comparisons"] > 1
        }
        alike, steady = ([of[baseline, n] for n in (SEEDS[0], SEEDS[-1])] for baseline in ("alike", "steady"))
        said.append(f"{alike[0]} / {alike[1]} times as long ({law}; steady baseline {steady[0]} / {steady[1]})")
    return f"on average, with {SEEDS[0]} / {SEEDS[-1]} seeds,\n" + ",\n".join(said)


def _more_cases(rows: list[Row]) -> str:
    studies = sum(row["studies"] for row in rows)
    shares = {int(cases): sum(row["said"][cases] for row in rows) / studies for cases in rows[0]["said"]}
    return table(
        ["held-out cases", *(f"{cases:,}" for cases in shares)],
        [["studies with a verdict", *(f"{100 * share:.0f} %" for share in shares.values())]],
    )


def _which_table(rows: list[Row]) -> str:
    def cell(one: Row) -> str:
        return f"{percent(one['size'])} / {100 * one['up']:.0f} / {100 * one['down']:.0f}"

    return table(
        ["law", "baseline's sd", *_WAYS.values()],
        [[row["law"], f"{row['ratio']:g}", *(cell(row[way]) for way in _WAYS)] for row in rows],
    )


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n" + "\n".join(lines) + "\n"


def by_seeds(rows: list[Row], keys: Sequence[str], cell: Callable[[Row], str]) -> list[list[str]]:
    """One line for every setting, one column for every number of seeds, in order of appearance."""
    lines: dict[tuple[Any, ...], dict[int, str]] = {}
    for row in rows:
        lines.setdefault(tuple(row[key] for key in keys), {})[row["seeds"]] = cell(row)
    return [[*(str(k) for k in key), *(cells[n] for n in sorted(cells))] for key, cells in lines.items()]


def _across(rows: list[Row], down: Sequence[str], across: Sequence[str], cell: Callable[[Row], str], head: str) -> str:
    """A table with a line for every value of some keys and a column for every value of others."""
    columns = list(dict.fromkeys(tuple(row[key] for key in across) for row in rows))
    lines: dict[tuple[Any, ...], list[str]] = {}
    for row in rows:
        lines.setdefault(tuple(row[key] for key in down), []).append(cell(row))
    names = ["base rate" if key == "rate" else key for key in down]
    return table(
        [*names, *(head.format(*column) for column in columns)],
        [[*(f"{one:,}" if isinstance(one, int) else str(one) for one in key), *cells] for key, cells in lines.items()],
    )


def _scarce_cell(row: Row) -> str:
    return f"{percent(row['false_verdict'])} ({percent(row['as_all_cases'])}) / {row['length']:.2f}"


def _rare_cell(row: Row) -> str:
    said = f"{percent(row['coverage'])} ({percent(row['from_influences'])})"
    if row["calm_studies"] < FEWEST_CALM:
        return said
    return f"{said} / {percent(row['calm_coverage'])} in {100 * row['calm']:.0f} %"


def _family_cell(row: Row) -> str:
    return f"{percent(row['false_verdict'])} / {percent(row['coverage'])}"


def _equivalence_cell(row: Row) -> str:
    return f"{percent(row['at_margin'])} / {percent(row['at_minus_margin'])} ({percent(row['at_zero'])})"


def _onset_table(rows: list[Row]) -> str:
    settings: dict[tuple[Any, ...], dict[tuple[int, str], Row]] = {}
    for row in rows:
        settings.setdefault((row["shape"], row["onset"] or "none", row["law"]), {})[row["seeds"], row["margin"]] = row
    counts = sorted({row["seeds"] for row in rows})

    def cell(of: dict[tuple[int, str], Row], n: int) -> str:
        known, guessed = of[n, "declared"], of[n, "estimated"]
        sizes = f"{known['mean_size']:.1f} / {guessed['mean_size']:.1f}"
        return f"{percent(known['coverage'])} / {percent(guessed['coverage'])} ({sizes})"

    lines = [[*key, *(cell(of, n) for n in counts)] for key, of in settings.items()]
    return table(["curve", "onset", "law", *(f"{n} seeds" for n in counts)], lines)
