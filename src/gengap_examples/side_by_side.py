"""A study beside runs of the same seeds by another program: do the best epochs agree, pair by pair?"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gengap.analysis.tables import Cell, Column, IntervalEstimate, Table
from gengap.results import Result
from gengap_examples.reviews_retold import BOOK, BOOK_TOLERANCE, mean_interval

Floats = NDArray[np.float64]
Runs = Mapping[str, Mapping[int, Sequence[float]]]
"""Validation loss of every epoch, by net and seed."""

MARGIN = 0.5
"""In standard deviations between the other program's seeds: differences of this size or less do not matter."""
_SAME = (
    "Same initial weights, batch orders and dropped units on both sides; where runs drift apart, rounding has grown."
)
_SHOWN = (
    "Shown: the whole 90 % interval of the mean difference lies within half a standard deviation (two one-sided tests "
    "at 5 %). As measured: the mean difference does, its interval does not."
)
_ROUNDING = (
    "The same program, batches and masks on the same machine: only the last bit of the initial weights differs. No "
    "other program can be expected to be nearer to these runs than they are to themselves."
)
_BEST = (
    "Best validation loss of each run, mean over seeds [95 %], penalty included; where Keras 2's rule was run for "
    "fewer epochs, both columns are read over those."
)
_DRAW = (
    "The book ran each net once, so its number is one draw: the last column asks whether it lies in the 95 % interval "
    "of one further run, by Keras 3's and by Keras 2's rule."
)
BOTH_SIDES = 0.90  # an interval of 90 % inside the margin is two one-sided tests at 5 % (Schuirmann 1987)


def read_runs(path: Path, kind: str) -> Runs:
    """Return one kind of the runs that `benchmarks/reproduction.py` keeps; none where there is no file.

    Args:
        path: Its results: curves by `"kind/net/seed"`.
        kind: `"keras3"`, `"keras2"`, or one of them with what else was changed.
    """
    found: dict[str, dict[int, list[float]]] = {}
    for key, curves in (json.loads(path.read_text()) if path.exists() else {}).items():
        own, net, seed = key.split("/")
        if own == kind:
            found.setdefault(net, {})[int(seed)] = curves["val_loss"]
    return found


def side_by_side(result: Result, runs: Runs) -> Table:
    """Pair the best validation losses of a study with those of another program's runs of the same seeds.

    Both sides are read over the epochs that both have trained, penalties included as Keras reports them.

    Args:
        result: The study.
        runs: Validation losses of the other program.

    Returns:
        A table with a row for each net that both have, and whether it is shown, by two one-sided tests, that the mean
        difference is within half a standard deviation of seeds.
    """
    columns = _columns("gengap, best loss", "plain Keras")
    rows = []
    for name in (one for one in result.variants if len(runs.get(one, ())) > 1):
        own = losses(result, name)
        rows.append(_row(name, {seed: own[place] for place, seed in enumerate(result.seeds)}, runs[name]))
    return Table("Best validation loss, gengap minus plain Keras", columns, tuple(rows), (_SAME, _SHOWN))


def against_itself(runs: Runs, again: Runs) -> Table:
    """Pair a program's runs with runs of its own that differ as rounding does, so that one sees how far that goes.

    Args:
        runs: Validation losses.
        again: Those of the same nets and seeds, their initial weights moved by a unit in the last place.

    Returns:
        A table with a row for each net that both have.
    """
    columns = _columns("nudged, best loss", "as they are")
    rows = tuple(_row(name, again[name], runs[name]) for name in again if name in runs)
    return Table(
        "Plain Keras against itself: initial weights moved by a unit in the last place, minus as they are",
        columns,
        rows,
        (_ROUNDING,),
    )


def by_law(result: Result, earlier: Result) -> Table:
    """Set the book's best validation losses beside a study's, and beside one with Keras 2's RMSprop.

    Args:
        result: The study, trained by Keras 3's rules.
        earlier: The same nets and seeds by Keras 2's RMSprop; nets that it lacks have an empty column.
    """
    columns = (
        Column("net", "net"),
        Column("book", "the book", ".4f"),
        Column("now", "Keras 3's RMSprop", ".4f"),
        Column("now_near", "within .005?"),
        Column("then", "Keras 2's RMSprop", ".4f"),
        Column("then_near", "within .005?"),
        Column("change", "Keras 2 minus Keras 3, paired", "+.4f"),
        Column("single", "the book's number in the range of one more run?"),
    )
    rows = tuple(_law_row(name, result, earlier) for name in BOOK if name in result.variants)
    return Table("The book's best losses, by the rule of the optimizer", columns, rows, (_BEST, _DRAW))


def _columns(here: str, there: str) -> tuple[Column, ...]:
    """Return the columns of what `_row` returns, for two sides of these titles."""
    return (
        Column("net", "net"),
        Column("seeds", "seeds"),
        Column("epochs", "epochs"),
        Column("study", here, ".4f"),
        Column("other", there, ".4f"),
        Column("sd", "sd of its seeds", ".4f"),
        Column("difference", "difference, paired [90 %]", "+.4f"),
        Column("in_sds", "in sds [90 %]", "+.2f"),
        Column("verdict", "within half a sd?"),
        Column("first", "largest difference of a run after epoch 1", ".1e"),
        Column("any", "after any epoch", ".1e"),
    )


def _row(
    name: str, here: Mapping[int, Sequence[float] | Floats], there: Mapping[int, Sequence[float]]
) -> tuple[Cell, ...]:
    seeds = [seed for seed in here if seed in there]
    epochs = min(len(curves[seed]) for curves in (here, there) for seed in seeds)
    mine, theirs = (np.array([curves[seed][:epochs] for seed in seeds]) for curves in (here, there))
    own, other, apart = mine.min(axis=1), theirs.min(axis=1), np.abs(mine - theirs)
    sd, n = float(other.std(ddof=1)), len(seeds)
    difference = own - other
    mean = float(difference.mean())
    half = float(stats.t.ppf((1 + BOTH_SIDES) / 2, n - 1) * difference.std(ddof=1) / np.sqrt(n))
    found = IntervalEstimate(mean, mean - half, mean + half)
    in_sds = IntervalEstimate(*(value / sd for value in (found.value, found.low, found.high)))
    inside = max(-in_sds.low, in_sds.high) <= MARGIN
    verdict = "shown" if inside else "as measured" if abs(in_sds.value) <= MARGIN else "no"
    drift = (float(apart[:, 0].max()), float(apart.max()))
    return (name, n, epochs, mean_interval(own), mean_interval(other), sd, found, in_sds, verdict, *drift)


def _law_row(name: str, result: Result, earlier: Result) -> tuple[Cell, ...]:
    printed = BOOK[name][0]
    if name not in earlier.variants:
        now = best_losses(result, name)
        return (name, printed, mean_interval(now), _near(now, printed), None, None, None, _in_range(now, printed))
    trained = int(earlier.history["val_loss"].sel(variant=name).notnull().all("seed").sum())
    epochs = min(trained, int(result.history.sizes["epoch"]))
    now, then = best_losses(result, name, epochs=epochs), best_losses(earlier, name, epochs=epochs)
    single = f"{_in_range(now, printed)}; {_in_range(then, printed)}"
    change = mean_interval(then - now)
    near = (_near(now, printed), _near(then, printed))
    return (name, printed, mean_interval(now), near[0], mean_interval(then), near[1], change, single)


def best_losses(result: Result, name: str, *, epochs: int | None = None) -> Floats:
    """Return each seed's smallest validation loss, penalty included, shape `(seeds,)`; NaN where it was not trained."""
    return np.asarray(np.nanmin(losses(result, name, epochs=epochs), axis=1))


def losses(result: Result, name: str, *, epochs: int | None = None) -> Floats:
    """Return validation losses, penalty included as Keras reports them, shape `(seeds, epochs)`."""
    history = result.history.sel(variant=name).isel(epoch=slice(epochs)).transpose("seed", "epoch")
    return np.asarray((history["val_loss"] + history["penalty"]).to_numpy(), dtype=np.float64)


def _near(best: Floats, printed: float) -> str:
    if abs(best.mean() - printed) <= BOOK_TOLERANCE:
        return "yes"
    return "its median" if abs(float(np.median(best)) - printed) <= BOOK_TOLERANCE else "no"


def _in_range(best: Floats, printed: float) -> str:
    n = len(best)
    half = float(stats.t.ppf(0.975, n - 1) * best.std(ddof=1) * np.sqrt(1 + 1 / n))
    return "yes" if abs(best.mean() - printed) <= half else "no"
