"""The two tutorials retold: what they said, what was measured over seeds, and whether it holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gengap.analysis.diagnosis.onset import onset
from gengap.analysis.tables import Column, IntervalEstimate, Table
from gengap.results import Result

Floats = NDArray[np.float64]

BOOK_TOLERANCE = 0.005
NEAR_ZERO = 0.01
LATE_EPOCHS = 10

COLUMNS = (
    Column("row", "row"),
    Column("said", "the tutorial said"),
    Column("measured", "measured, mean [95 %]"),
    Column("verdict", "verdict"),
)

_PRINTED = {  # the tutorial's last line of each net: validation loss, validation accuracy, training loss
    "original": (0.9725, 0.8298, 0.0151),
    "smaller": (0.7008, 0.8476, 0.1887),
    "bigger": (0.9431, 0.8794, 0.00065),
    "l2": (0.4292, 0.8688, 0.1612),
    "dropout": (0.5901, 0.8720, 0.1015),
}
BOOK = {
    "original": (0.2827, 3),
    "smaller": (0.2772, 6),
    "bigger": (0.2742, 2),
    "l2": (0.3306, 3),
    "dropout": (0.2772, 4),
}
_ONSETS = {"original": 4, "smaller": 6, "bigger": 1}


@dataclass(frozen=True)
class Retold:
    """One row.

    Attributes:
        row: Row of the mission that it answers.
        said: What the tutorial says or prints.
        measured: What was measured, with its 95 % interval over seeds.
        verdict: Whether it holds.
    """

    row: str
    said: str
    measured: str
    verdict: str


def retell_reviews(result: Result) -> Table:
    """Hold every number and statement of the review tutorial against a study of its nets.

    Intervals of means are Student's t over seeds, on these reviews. A number that the tutorial printed comes from one
    run without a seed; it agrees where it lies in the interval that one further run would fall into.

    Args:
        result: Result of the nets of `review_models`, trained with the test half as validation data, as the tutorial
            did. Nets that are missing leave their rows out; a seed that a net was not trained with counts in none of
            its rows.

    Returns:
        A table with the columns `row`, `said`, `measured` and `verdict`.
    """
    curves = _Curves(result)
    rows = [*_statements(curves), *_last_epoch(curves), *_best_epoch(curves), *_named_only(curves)]
    counts = {name: int(curves.trained(name).sum()) for name in result.variants}
    seeds = ", ".join(f"{name} {count}" for name, count in counts.items())
    epochs = int(result.history.sizes["epoch"])
    notes = (
        f"Seeds: {seeds}. {epochs} epochs. Intervals are for new seeds, on this test half.",
        "A printed number agrees if it lies within the 95 % interval of one further run: it was one run itself.",
        "Overfits: the mean validation log loss stays above its minimum by more than the original's seed noise.",
        "The tutorial's loss of a net with L2 contains the penalty; so does ours beside a printed number.",
        _SPLIT_IN_THREE if "test" in result.splits else _TEST_HALF,
    )
    return Table("Movie reviews, as told and as measured", COLUMNS, tuple(map(cells, rows)), notes)


def to_markdown(table: Table) -> str:
    """Write a table for the documentation: a pipe table, its notes as a list."""
    head = [column.label for column in table.columns]
    shown = [[column.show(cell) for column, cell in zip(table.columns, row, strict=True)] for row in table.rows]
    lines = [head, ["---"] * len(head), *shown]
    body = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return body + "\n\n" + "\n".join(f"- {note}" for note in table.notes) + "\n"


_TEST_HALF = "The test half served as validation data, as in the tutorial; nothing here is a score on untouched cases."
_SPLIT_IN_THREE = "Trained on fewer reviews than the tutorial, since validation data were taken from them."


def cells(row: Retold) -> tuple[str, str, str, str]:
    """Return the cells of one row."""
    return (row.row, row.said, row.measured, row.verdict)


@dataclass(frozen=True, eq=False)
class _Curves:
    """Curves of nets by name, shape `(seeds, epochs)`; rows of NaN where a seed was not trained to the end."""

    result: Result

    def __contains__(self, name: str) -> bool:
        return name in self.result.variants

    def of(self, curve: str, name: str) -> Floats:
        values = self.result.history[curve].sel(variant=name).transpose("seed", "epoch").to_numpy()
        return np.asarray(values, dtype=np.float64)

    def as_printed(self, curve: str, name: str) -> Floats:
        """A loss as Keras prints it: with the penalty."""
        return np.asarray(self.of(curve, name) + self.of("penalty", name))

    def trained(self, name: str) -> NDArray[np.bool_]:
        return np.asarray(np.isfinite(self.of("val_score", name)).all(axis=-1))

    def parameters(self, name: str) -> int:
        return int(self.result.runs["parameters"].sel(variant=name).max())


def _statements(curves: _Curves) -> list[Retold]:
    """T1.5: what the tutorial reads off its figures by eye."""
    if "original" not in curves:
        return []
    best = curves.of("val_score", "original")
    noise = float(np.nanstd(best[:, np.nanmean(best, axis=0).argmin()], ddof=1)) if len(best) > 1 else 0.0
    # one margin for all nets: a run that got stuck would widen its own net's until nothing counts as a rise
    rows = [_onset(curves, name, last, margin=noise) for name, last in _ONSETS.items() if name in curves]

    def compare(name: str, said: str, statistic: Callable[[str], Floats], what: str, *, positive: bool) -> None:
        if name in curves:
            rows.append(paired_row("T1.5", said, statistic(name) - statistic("original"), what, positive=positive))

    def score(name: str) -> Floats:
        return curves.of("val_score", name)

    def gap(name: str) -> Floats:
        return (score(name) - curves.of("train_score", name))[:, -1]

    def rise(name: str) -> Floats:
        return np.asarray(score(name)[:, -1] - score(name).min(axis=-1))

    def minus(what: str) -> str:
        return f"{what}, minus original's"

    slope, rough = (
        minus(f"rise per epoch over the last {LATE_EPOCHS}"),
        minus(f"sd of second differences over the last {LATE_EPOCHS}"),
    )
    compare("smaller", "smaller then degrades more slowly", lambda n: _late_slope(score(n)), slope, positive=False)
    compare("bigger", "bigger overfits more severely", gap, minus("gap at the last epoch"), positive=True)
    last = minus("validation log loss at the last epoch")
    compare("bigger", "bigger ends worse", lambda n: score(n)[:, -1], last, positive=True)
    compare("bigger", "bigger's validation loss fluctuates more", lambda n: _roughness(score(n)), rough, positive=True)
    if "bigger" in curves:
        end = curves.of("train_score", "bigger")[:, -1]
        rows.append(_below("T1.5", "bigger's training loss nears zero", end, NEAR_ZERO))
    rose = minus("rise from the best to the last epoch")
    for name in ("l2", "dropout"):
        if name in curves:
            equal = curves.parameters(name) == curves.parameters("original")
            said = f"{name} resists better, at an equal number of parameters{'' if equal else ' (not so here)'}"
            compare(name, said, rise, rose, positive=False)
    if "l2" in curves:
        difference = curves.as_printed("loss", "l2")[:, -1] - curves.as_printed("val_loss", "l2")[:, -1]
        said = "with L2 the training loss is higher than the test loss (its own print: .1612 < .4292)"
        rows.append(paired_row("T1.6", said, difference, "training minus validation loss, last epoch", positive=True))
    return rows


def _onset(curves: _Curves, name: str, last_good: int, *, margin: float) -> Retold:
    found = onset(curves.of("val_score", name)[curves.trained(name)], margin=margin)
    said = f"{name} overfits after epoch {last_good}"
    first = last_good + 1
    if found.low is None:
        return Retold("T1.5", said, f"overfits from {found}", "contradicted")
    inside = found.low <= first and (found.high is None or first <= found.high)
    return Retold("T1.5", said, f"overfits from {found}", "confirmed" if inside else "contradicted")


def _last_epoch(curves: _Curves) -> list[Retold]:
    rows = []
    for name, (loss, accuracy, training) in _PRINTED.items():
        if name in curves:
            said = f"{name}, last epoch: "
            rows += [
                printed_row("T1.3", f"{said}val_loss {loss:.4f}", curves.as_printed("val_loss", name)[:, -1], loss),
                printed_row("T1.3", f"{said}val_acc {accuracy:.4f}", curves.of("val_accuracy", name)[:, -1], accuracy),
                printed_row(
                    "T1.3", f"{said}loss {training:.5g}", curves.as_printed("loss", name)[:, -1], training, spec=".5f"
                ),
            ]
    return rows


def _best_epoch(curves: _Curves) -> list[Retold]:
    """The book's own notebook: smallest validation loss, penalty included, and its epoch."""
    rows = []
    for name, (loss, epoch) in BOOK.items():
        if name not in curves:
            continue
        printed = curves.as_printed("val_loss", name)[curves.trained(name)]
        best, found = mean_interval(printed.min(axis=-1)), mean_interval(printed.argmin(axis=-1) + 1.0)
        median = float(np.median(printed.min(axis=-1)))
        verdict = _near(best.value, median, loss)
        said = f"{name}, book: best val_loss {loss:.4f} at epoch {epoch}"
        rows.append(
            Retold("T1.3", said, f"{best.show('.4f')}, median {median:.4f}, at epoch {found.show('.1f')}", verdict)
        )
    return rows


def _near(mean: float, median: float, printed: float) -> str:
    if abs(mean - printed) <= BOOK_TOLERANCE:
        return f"within {BOOK_TOLERANCE:g}"
    near = abs(median - printed) <= BOOK_TOLERANCE
    return f"mean not within {BOOK_TOLERANCE:g}{', median is: a few runs lie far off' if near else ', nor the median'}"


def _named_only(curves: _Curves) -> list[Retold]:
    rows = []
    for name in ("l1", "l1l2"):
        if name in curves:
            values = curves.of("val_score", name)[:, -1]
            rows.append(Retold("T1.6", f"{name}: named, not run", _shown(values), "no number to hold it against"))
    return rows


def mean_interval(values: Sequence[float] | Floats) -> IntervalEstimate:
    """Mean over seeds with Student's 95 % interval; NaN are left out, one value has no interval."""
    kept = np.asarray(values, dtype=np.float64)
    kept = kept[np.isfinite(kept)]
    n = len(kept)
    mean = float(kept.mean()) if n else float("nan")
    if n < 2:
        return IntervalEstimate(mean, float("nan"), float("nan"))
    half = float(stats.t.ppf(0.975, n - 1) * kept.std(ddof=1) / np.sqrt(n))
    return IntervalEstimate(mean, mean - half, mean + half)


def printed_row(row: str, said: str, values: Floats, printed: float, *, spec: str = ".4f") -> Retold:
    """Hold a printed number, one run's, against what one further run would give."""
    kept = values[np.isfinite(values)]
    n = len(kept)
    if n < 2:
        return Retold(row, said, _shown(values, spec), "cannot say from one seed")
    half = float(stats.t.ppf(0.975, n - 1) * kept.std(ddof=1) * np.sqrt(1 + 1 / n))
    low, high = float(kept.mean()) - half, float(kept.mean()) + half
    agrees = low <= printed <= high
    verdict = f"{'agrees with' if agrees else 'outside of'} a single run's range {low:{spec}} to {high:{spec}}"
    return Retold(row, said, _shown(values, spec), verdict)


def paired_row(row: str, said: str, difference: Floats, what: str, *, positive: bool) -> Retold:
    """Hold a statement against the mean of paired differences over seeds."""
    found = mean_interval(difference)
    low, high = (found.low, found.high) if positive else (-found.high, -found.low)
    verdict = "confirmed" if low > 0 else "contradicted" if high < 0 else "cannot say"
    return Retold(row, said, f"{found.show('+.4f')} ({what})", verdict)


def _below(row: str, said: str, values: Floats, limit: float) -> Retold:
    found = mean_interval(values)
    verdict = "confirmed" if found.high < limit else "contradicted" if found.low > limit else "cannot say"
    return Retold(row, said, f"{found.show('.5f')} (below {limit:g}?)", verdict)


def _shown(values: Floats, spec: str = ".4f") -> str:
    return mean_interval(values).show(spec)


def _late_slope(curves: Floats) -> Floats:
    """Slope of each seed's last epochs by least squares, per epoch."""
    late = curves[:, -LATE_EPOCHS:]
    epoch = np.arange(late.shape[1]) - (late.shape[1] - 1) / 2
    return np.asarray((late @ epoch) / float(np.square(epoch).sum()))


def _roughness(curves: Floats) -> Floats:
    """How much each seed's curve jumps about its own trend late: standard deviation of its second differences."""
    return np.asarray(np.diff(curves[:, -LATE_EPOCHS:], n=2, axis=-1).std(axis=-1))
