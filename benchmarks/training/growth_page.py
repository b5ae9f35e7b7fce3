"""The page `docs/performance_growth.md` and its figure, made from `benchmarks/results/growth.json` alone."""

import re
from collections.abc import Mapping, Sequence
from math import log2
from pathlib import Path
from typing import Any

import numpy as np

DOCS = Path(__file__).parents[2] / "docs"
PAGE, FIGURE = DOCS / "performance_growth.md", DOCS / "images" / "growth.png"
STRAIGHT = 16
"""Up to how many runs the line is drawn whose continuation is judged."""
BENT = 1.15
"""Times the line: what repeated measurements of one point do not tell from it."""

Family = Mapping[str, Any]

TEXT = """# How training grows

Made by `make bench-growth` (`python -m benchmarks.training.growth`, some minutes in one thread); every number on this
page comes from `benchmarks/results/growth.json`. How long whole trainings take beside Keras is on
[another page](performance_training.md).

Machine: {machine}; caches {caches}.

Small nets of eight families, each with one probability as its output, on synthetic data, {batch} cases a step,
Adam. Where an axis is not varied, nets have {length} steps (codes, levels, cells of a row) of 8 numbers and
{width} units, and {together} train together. A point is a process of its own. Seconds are the processor's, of a
step without validation: medians of {steps} steps or more, of the fastest of {rounds} round(s). MiB are what
training takes beyond the imported libraries.{quiet}

## With the number of runs

![Milliseconds of a step, and MiB, against the number of runs that train together](images/growth.png)

Milliseconds a run and step:

{runs}

A step costs what it costs whatever the number of runs (Python, starting torch's operations, the walk through the
graph), and so much more for each run: `a + b K`, fitted up to {straight} runs. What the line says of more runs, and
what they take:

{laws}

{breaks}

## Where the time of a step goes

Microseconds a run: forward, backward, the optimizer's update, and the rest (batches, losses, noise that is counted
ahead, Python; below zero by the noise of clocks).

{parts}

{causes}

## Memory

MiB by the number of runs:

{memory}

Memory has no bend: what a run has for itself (weights, gradients, two moments, activations kept for the way back) is
stacked, and nothing of it is shared; what is shared (the net, the data) is there once.

## With width

Milliseconds a step of {together} runs. *Counted* is the exponent of the multiplications in the last doubling,
*found* that of the seconds.

{widths}

## With length

{lengths}

{bends}
"""

CAUSES = """That is where lines bend. Products, convolutions, compiled recurrences and compiled attention work through a
run, or some cases of it, in pieces that stay in a core's own cache, whatever the number of runs. What passes
over the activations of all runs, one operation after the other (normalizations of small batches, residuals,
scores and masks of attention with dropout), finds them in the last cache as long as a step's MiB
([Memory](#memory)) fit into it, and in memory beyond. Where nothing bends, the line's fixed part has become
small, and more runs save nothing more; where a family stays below its line, operations on small tensors had not
yet been long enough at 16 runs.

The planner tries 1, 4, 16 and all runs on the data themselves and takes the largest that is as good as the best
to 15 hundredths (the smallest, where they are heavy), so that a family that bends beyond 64 runs may train
somewhat beyond its best number."""


def page(results: Mapping[str, Any]) -> str:
    """Return the page as Markdown."""
    families, machine = results["families"], results["machine"]
    cores = f"one of {machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB"
    last_cache = float(list(results["caches"].values())[-1].removesuffix("K")) / 1024
    return TEXT.format(
        machine=cores,
        caches=", ".join(f"{name} {size}" for name, size in results["caches"].items()),
        **results["settings"],
        rounds=min(one["rounds"] for one in families.values()),
        quiet=_quiet(families),
        straight=STRAIGHT,
        runs=_table("family", _costs(families)),
        laws=_laws(families),
        breaks="\n\n".join(filter(None, (_break(name, one) for name, one in families.items()))),
        parts=_parts(families),
        causes=_traffic(results["addition"], last_cache) + CAUSES,
        memory=_table("family", {name: _memory(one) for name, one in families.items()}),
        widths=_axis(families, "widths"),
        lengths=_axis(families, "lengths"),
        bends=BENDS,
    )


BENDS = """Small nets grow more slowly than their multiplications, as what a step costs whatever its size is most of it:
few units or steps more are nearly free. Attention of several heads makes its scores in the cache and never
writes them, so that it grows more slowly with length than counted, up to sequences of 256 steps (beyond,
torch's own attention takes over); with dropout on `Attention`'s weights, scores and masks are written and read
again, and from 64 steps on their square is all that counts."""


def line(one: Family) -> tuple[float, float]:
    """Return seconds of a step whatever the number of runs, and seconds of each run, up to `STRAIGHT` runs.

    Least squares of what the line is off by in shares of each point, neither below zero.
    """
    few = {int(k): point["step"] for k, point in one["runs"].items() if int(k) <= STRAIGHT}
    shares = np.array([[1 / seconds, k / seconds] for k, seconds in few.items()])
    (fixed, each), *_ = np.linalg.lstsq(shares, np.ones(len(few)))
    if fixed < 0:
        fixed, each = 0.0, float(np.mean([seconds / k for k, seconds in few.items()]))
    return float(fixed), float(each)


def _costs(families: Mapping[str, Family]) -> dict[str, dict[str, str]]:
    return {
        name: {k: f"{1e3 * point['step'] / int(k):.3g}" for k, point in one["runs"].items()}
        for name, one in families.items()
    }


def _laws(families: Mapping[str, Family]) -> str:
    rows = {}
    for name, one in families.items():
        fixed, each = line(one)
        sizes = [int(k) for k in one["runs"]]
        least = min(sizes, key=lambda k: one["runs"][str(k)]["step"] / k)
        beyond = {f"{k} runs, times the line": f"{_off(one, k):.2f}" for k in sizes if k > STRAIGHT}
        few, most = sizes[-2:]
        steep = log2(one["runs"][str(most)]["step"] / one["runs"][str(few)]["step"]) / log2(most / few)
        planned = one["planned"]
        rows[name] = {"a, ms": f"{1e3 * fixed:.2f}", "b, ms": f"{1e3 * each:.3f}", **beyond,
                      f"exponent {few} to {most}": f"{steep:.2f}", "least a run at": str(least),
                      "the planner trains": f"{len(planned)} x {max(planned)}"}  # fmt: skip
    return _table("family", rows)


def _off(one: Family, k: int) -> float:
    """Return how many times the line a step of so many runs takes."""
    fixed, each = line(one)
    return float(one["runs"][str(k)]["step"] / (fixed + each * k))


def _break(name: str, one: Family) -> str:
    """Say where a family leaves its line, and which part of a step does."""
    off = {int(k): _off(one, int(k)) for k in one["runs"] if int(k) > STRAIGHT}
    title, most = f"**{name[0].upper()}{name[1:]}**", max(off, default=0)
    if not off or 1 / BENT <= off[most] <= BENT:
        return f"{title} keeps to its line up to {most} runs."
    if off[most] < 1:
        return f"{title} stays below its line: more runs still make a run cheaper ({off[most]:.2f} times)."
    first = next(k for k in off if all(times > BENT for size, times in off.items() if size >= k))
    start = max(int(k) for k in one["runs"] if int(k) <= STRAIGHT)
    few, many = one["runs"][str(start)], one["runs"][str(most)]
    grown = {part: 1e6 * (many[part] / most - few[part] / start) for part in ("forward", "backward", "update")}
    said = ", ".join(f"{part} {change:+.0f}" for part, change in grown.items())
    size = one["runs"][str(first)]["mib"]
    return (
        f"{title} leaves its line at {first} runs, which take {size:,.0f} MiB "
        f"({off[first]:.2f} times; {off[most]:.2f} at {most}). From {start} to {most} runs a run's microseconds "
        f"change by: {said}."
    )


def _parts(families: Mapping[str, Family]) -> str:
    rows = {}
    for name, one in families.items():
        rows[name] = {f"{k} runs": _shares(one["runs"][k], int(k)) for k in ("1", "16", "256") if k in one["runs"]}
    return _table("family", rows)


def _shares(point: Mapping[str, float], runs: int) -> str:
    named = [point[part] for part in ("forward", "backward", "update")]
    return " / ".join(f"{1e6 * seconds / runs:,.0f}" for seconds in (*named, point["step"] - sum(named)))


def _traffic(addition: Mapping[str, float], last_cache: float) -> str:
    """Say what a number costs where it lies: an addition of two arrays."""
    inside, beyond = ([ns for mib, ns in addition.items() if (float(mib) > last_cache) is far] for far in (False, True))
    sizes = _table("MiB of the three arrays", {"ns a number": {k: f"{ns:.2f}" for k, ns in addition.items()}})
    return (
        f"What a number costs depends on where it lies. An addition of two arrays takes {min(inside):.2f} ns a number "
        f"where all three lie in the last cache of {last_cache:.0f} MiB, and {min(beyond):.2f} beyond, "
        f"{min(beyond) / min(inside):.1f} times as much:\n\n{sizes}\n\n"
    )


def _quiet(families: Mapping[str, Family]) -> str:
    """Say in a sentence what disturbed the measurement."""
    said = " ".join(word for one in families.values() for word in one["disturbed"])
    ratios = [float(number) for number in re.findall(r"took ([\d.]+) times", said)]
    shares = [int(number) for number in re.findall(r"used (\d+)% of a core", said)]
    found = [f"other processes used up to {max(shares)}% of a core"] if shares else []
    if ratios:
        found.append(f"the same arithmetic took {min(ratios):.2f} to {max(ratios):.2f} times as long minutes later")
    return f" The machine was not quiet: {'; '.join(found)}." if found else ""


def _memory(one: Family) -> dict[str, str]:
    sizes = [int(k) for k in one["runs"]]
    mib = [one["runs"][str(k)]["mib"] for k in sizes]
    each = (mib[-1] - mib[-2]) / (sizes[-1] - sizes[-2])
    return {str(k): f"{size:,.1f}" for k, size in zip(sizes, mib, strict=True)} | {"each more": f"{each:.2f}"}


def _axis(families: Mapping[str, Family], axis: str) -> str:
    rows = {}
    for name, one in families.items():
        sizes = list(one[axis])
        few, most = (one[axis][size] for size in sizes[-2:])
        seconds = {size: f"{1e3 * one[axis][size]['step']:.3g}" for size in sizes}
        doubled = log2(int(sizes[-1]) / int(sizes[-2]))
        exponents = {word: f"{log2(most[key] / few[key]) / doubled:.2f}"
                     for word, key in (("counted", "products"), ("found", "step"))}  # fmt: skip
        rows[name] = seconds | exponents
    return _table("family", rows)


def _table(corner: str, rows: Mapping[str, Mapping[str, str]]) -> str:
    heads = list(next(iter(rows.values())))
    lines = [f"| {corner} | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(row.values())} |" for name, row in rows.items())])


def figure(results: Mapping[str, Any]) -> Any:
    """Return the figure: a step's time with its line, and memory, against the number of runs."""
    import matplotlib.pyplot as plt

    families = results["families"]
    ticks = sorted({int(k) for one in families.values() for k in one["runs"]})
    drawn, axes = plt.subplots(1, 2, figsize=(9.5, 4.2), layout="constrained")
    for color, (name, one) in zip(_colors(len(families)), families.items(), strict=True):
        sizes = np.array([int(k) for k in one["runs"]])
        points = [one["runs"][str(k)] for k in sizes]
        fixed, each = line(one)
        axes[0].plot(sizes, [1e3 * point["step"] for point in points], "o-", color=color, ms=4, label=name)
        axes[0].plot(sizes, 1e3 * (fixed + each * sizes), ":", color=color)
        axes[1].plot(sizes, [point["mib"] for point in points], "o-", color=color, ms=4)
    for axis, title in zip(axes, ("Milliseconds of a step", "MiB that training takes"), strict=True):
        axis.set(xscale="log", yscale="log", xlabel="runs that train together", title=title)
        axis.set_xticks(ticks, list(map(str, ticks)))
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8, title=f"dotted: a + b K up to {STRAIGHT} runs", title_fontsize=8)
    return drawn


def _colors(number: int) -> Sequence[Any]:
    import matplotlib as mpl

    return [mpl.colormaps["tab10"](place) for place in range(number)]
