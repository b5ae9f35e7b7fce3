"""The measured tables of `docs/uncertainty.md`, written between its two marks from stored numbers alone."""

from pathlib import Path
from textwrap import fill
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "uncertainty.md"
BEGIN, END = "<!-- measured: python benchmarks/uncertainty.py -->\n", "<!-- end of what was measured -->\n"

TRUTH = """
### Against a known truth

{n_train:,} synthetic storms (a generator's, not observed), {seeds} seeds of the net of T2.2 at half its width, {epochs}
epochs; judged on {n_test:,} new ones, each of which has a true probability. The truth itself has a Brier score of
{floor:.4f}: no forecast can be better.

{table}

{read}
"""

SPEED = """
### What it costs

The net of T2.2 (66,337 parameters) on {cores} cores ({cpu}), torch with {threads} threads; medians of rounds in which
all ways took turns. Disturbed rounds (others used the processor): {disturbed}; with 2,000 cases: {disturbed_many}.

{table}

Memory for 2,000 cases x 100 samples rises by {memory:.0f} MiB, members included. {half}
"""

_ROWS = {
    "brier_score": "Brier score of the mean forecast",
    "root-mean-square error of the mean forecast against the truth": "its error against the truth (RMS)",
    "root-mean-square spread": "spread (RMS)",
    "share of the variance between networks": "variance between networks, share",
    "coverage of the truth at 50%": "truth inside the central 50 %",
    "coverage of the truth at 90%": "truth inside the central 90 %",
    "width at 90%": "width of the central 90 %",
    "coverage of other seeds at 90%": "other seeds inside the central 90 %",
    "error detection (AUC of entropy)": "entropy finds wrong decisions (AUC)",
    "monotonicity fraction": "monotonicity of the discard test",
}


def write_page(results: dict[str, Any]) -> Path:
    """Replace what stands between the marks of the page, and return its path."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    parts = [write(results[name]) for name, write in (("truth", _truth), ("speed", _speed)) if name in results]
    PAGE.write_text(before + BEGIN + "".join(parts) + END + after, encoding="utf-8")
    return PAGE


def _truth(found: dict[str, Any]) -> str:
    columns = found["distributions"]
    rows = [
        [words, *(_number(column.get(name)) for column in columns.values())]
        for name, words in _ROWS.items()
        if any(name in column for column in columns.values())
    ]
    rates = {f"{rate:g}" for rate in found["chosen rates"].values()}
    read = (
        "Every interval is one of *members*; that of a deep ensemble is read off as many as there are seeds. Where one "
        "holds the truth less often than its level says, its spread is too narrow for what the network does not know. "
        f"The rate chosen on validation was {' and '.join(sorted(rates))}. {' '.join(found['findings'])}"
    )
    return TRUTH.format(
        **found["sizes"],
        **found["settings"],
        floor=found["brier score of the truth"],
        table=_table(["", *columns], rows),
        read=fill(read, 118),
    )


def _speed(found: dict[str, Any]) -> str:
    rows = []
    for title in ("one case, 1,000 samples, seconds", "2,000 cases, 100 samples, seconds"):
        times = found[title]
        reference = next(iter(times))
        rows += [
            [title.removesuffix(", seconds"), way, _seconds(taken), f"{times[reference] / taken:.1f}"]
            for way, taken in times.items()
        ]
    return SPEED.format(
        cores=found["machine"]["cores"],
        cpu=found["machine"]["cpu"],
        threads=found["threads"],
        disturbed=found["disturbed rounds, one case"],
        disturbed_many=found["disturbed rounds, 2,000 cases"],
        table=_table(["what", "way", "seconds", "times as fast as the first"], rows),
        memory=found["memory above what was there, MiB"],
        half=_half(found["largest bfloat16 error"], found["spread"]),
    )


def _half(error: float, spread: float) -> str:
    if error == 0:
        reason = "which half precision would not make faster: it is not used."
        return f"Every convolution of\nthis net is computed by compiled code, {reason}"
    return f"Half precision is off by at most\n{error:.5f}, against a spread of {spread:.4f}."


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _seconds(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.1f}"
