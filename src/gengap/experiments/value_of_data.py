"""Would more data help? The same model on growing shares of the data, and what they predict."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gengap.analysis.cases import Floats, primary_score, reading_part
from gengap.analysis.comparison.estimators import case_values
from gengap.analysis.diagnosis.data_value import DataValue, judge_data
from gengap.analysis.tables import Cell, Column, ShownAsTable, Spread, Table
from gengap.datasets.split import Dataset, Split
from gengap.errors import DataError
from gengap.experiments.joining import joined
from gengap.remedies import Subsample
from gengap.remedies.base import Variant
from gengap.results import Result
from gengap.results.resampled import Resampled, resampling_of
from gengap.study import Study

if TYPE_CHECKING:
    import keras

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
_TOO_EARLY = " But on all of the data most runs were still getting better when they ended: train longer before asking."


@dataclass(frozen=True, eq=False, repr=False)
class ValueOfData(ShownAsTable):
    """What the model learns from shares of the data, and what twice the data would be worth.

    Attributes:
        verdict: The answer with law, gain, interval and backtest.
        shares: Shares of the training cases, ascending.
        epochs: Epochs that each share was trained for.
        score: The score; smaller is better.
        part: Split that the scores are read on.
        result: All shares as one result.
        dropped: Seeds left out because a run diverged.
    """

    verdict: DataValue
    shares: tuple[float, ...]
    epochs: tuple[int, ...]
    score: str
    part: str
    result: Result
    dropped: tuple[int, ...]

    @property
    def sentence(self) -> str:
        """Would more data help? The answer in a sentence, and another where training ended too early to tell."""
        runs = self.result.runs.isel(variant=-1)
        early = float((runs["best_epoch"] >= runs["epochs"]).mean()) > 0.5
        return self.verdict.sentence + (_TOO_EARLY if early else "")

    @property
    def table(self) -> Table:
        """Score and epochs of every share, and what is predicted for twice the data."""
        rows: list[tuple[Cell, ...]] = []
        for at, share in enumerate(self.shares):
            scores, cases = self.verdict.scores[at], int(self.verdict.cases[at])
            spread = Spread(float(scores.mean()), float(scores.std(ddof=1)) if len(scores) > 1 else float("nan"))
            best = float(self.result.runs["best_epoch"].isel(variant=at).mean())
            rows.append((cases, share, spread, self.verdict.law(share), best, self.epochs[at]))
        now = float(self.verdict.scores[-1].mean())
        last = 2 * int(self.verdict.cases[-1])
        rows.append((last, 2.0, None, now - self.verdict.gain.value, None, None))
        law = self.verdict.law
        resampled = resampling_of(self.result)
        drawn = "its own cases" if resampled is None else f"{resampled.folds} folds anew, and in each its own cases"
        how = f"Read on {self.part}, at the best epoch; each seed draws {drawn}. The last row is predicted."
        notes = [self.sentence, f"Law: {law.a:.4f} + {law.b:.4f} / share^{law.c:.2f}. {how}"]
        if self.dropped:
            notes.append(f"Left out: seeds {', '.join(map(str, self.dropped))}, of which a run diverged.")
        title = f"Value of data: {self.score.replace('_', ' ')}, smaller is better (mean ± sd of seeds)"
        return Table(title, _COLUMNS, tuple(rows), tuple(notes))


_COLUMNS = (
    Column("cases", "training cases", ",d"),
    Column("share", "share", ".4g"),
    Column("score", "score", ".4f"),
    Column("law", "power law", ".4f"),
    Column("best_epoch", "best epoch", ".1f"),
    Column("epochs", "epochs", "d"),
)


def value_of_data(  # noqa: PLR0913  all but the first two are keywords with defaults
    model: "keras.Model",
    data: Dataset | Split,
    *,
    epochs: int,
    batch_size: int = 32,
    seeds: int | Sequence[int] = 10,
    shares: Sequence[float] = SHARES,
    steps: Literal["matched", "same epochs"] = "matched",
    margin: float | None = None,
    validation_data: Any = None,
    test_data: Any = None,
    cv: Any = None,
    storage: str | Path | None = None,
    progress: bool = True,
) -> ValueOfData:
    """Train a model on growing shares of the data and say what twice the data would be worth.

    Each seed draws its own cases (nested: a smaller share lies in every larger one). A sixteenth of the data gets as
    many steps as all of them, so that fewer cases are not mistaken for less training, and every run is read at its
    best epoch. With `cv` shares are of what a fold learns from, and every case is a test case once a seed: more cases
    to read on, and training sets drawn anew.

    Args:
        model: A compiled model.
        data: A `Dataset` with a validation split, or a training `Split` with `validation_data`; with `cv` the `Split`
            of all cases, `data.pooled()`.
        epochs: Epochs on all of the data, with `cv` on all that a fold learns from.
        batch_size: Cases a step.
        seeds: Number of seeds, or the seeds; at least 5 for an answer.
        shares: Shares of the training cases, ascending, the last 1; at least 4 up to one half for a backtest.
        steps: `"matched"` gives smaller shares more epochs, up to as many steps; `"same epochs"` is cheaper and right
            where the best epoch comes early anyway.
        margin: Gain that would be worth having, in the score's units; None answers no "hardly".
        validation_data: `Split` or tuple, where `data` is a `Split`; epochs are chosen on it.
        test_data: Likewise; scores are read on it where there is one, else on validation.
        cv: Number of folds, as in `Study.run`, drawn anew for every seed.
        storage: Folder that keeps the shares, one study each; running again continues.
        progress: Whether to show runs, epochs and time left.

    Returns:
        The value of data; printing it shows the table, `sentence` answers the question.

    Raises:
        DataError: There is no validation split, the shares are not ascending to 1, or all seeds would learn from one
            division of the cases.

    Example:
        >>> import gengap as gg, keras
        >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> data = gg.datasets.diabetes()
        >>> found = gg.value_of_data(model, data, epochs=1, seeds=2, shares=(0.5, 1.0), progress=False)
        >>> print(found.sentence)
        Cannot know: a power law needs 4 shares and 5 seeds, there are 2 and 2. But on all of the data most runs ...
    """
    shares = _checked(shares)
    fit = _fit(data, validation_data, test_data, cv) | {"batch_size": batch_size, "progress": progress}

    def run(share: float, length: int) -> Result:
        folder = None if storage is None else Path(storage) / f"share-{share:.6g}"
        return _study(model, share, seeds, folder).run(**fit, epochs=length)

    last = run(1.0, epochs)  # first, since it alone knows what a fold learns from
    resampled = _redrawn(last)
    num_cases = len(fit["x"]) if resampled is None else resampled.fewest
    cases = [max(1, round(share * num_cases)) for share in shares]
    per_epoch = [-(-count // batch_size) for count in cases]
    lengths = [epochs * (round(per_epoch[-1] / one) if steps == "matched" else 1) for one in per_epoch]
    whole = joined([*(run(*one) for one in zip(shares[:-1], lengths[:-1], strict=True)), last])
    held = reading_part(whole)
    score: Any = primary_score(whole)
    values = np.stack([case_values(whole, held, name, rule="best", score=score) for name in whole.variants])
    kept = np.asarray(np.isfinite(values).all(axis=(0, 2)))
    verdict = judge_data(
        np.asarray(cases),
        _at_least_one(values[:, kept]),
        margin=margin,
        folds=None if resampled is None else (resampled.folds, resampled.cases),
    )
    dropped = tuple(seed for seed, ok in zip(whole.seeds, kept, strict=True) if not ok)
    return ValueOfData(verdict, shares, tuple(lengths), score, held.part, whole, dropped)


def _study(model: "keras.Model", share: float, seeds: int | Sequence[int], folder: Path | None) -> Study:
    """Return the study of one share alone: studies of different lengths cannot be one."""
    study = Study(model, seeds=seeds, storage=folder)
    whole = study.variants[0]
    study.variants = (whole if share == 1 else Subsample(share).treat(Variant("", model)),)
    return study


def _redrawn(result: Result) -> Resampled | None:
    """How a result was resampled; None for single splits."""
    resampled = resampling_of(result)
    if resampled is not None and resampled.kind != "passes":
        raise DataError(
            "All seeds learned from one division of the cases, which hides what another training set is worth: give "
            "`cv` as a number of folds, which every seed draws anew."
        )
    return resampled


def _fit(data: Dataset | Split, validation_data: Any, test_data: Any, cv: Any) -> dict[str, Any]:
    if cv is not None:
        if isinstance(data, Dataset) or validation_data is not None or test_data is not None:
            raise DataError(
                "With `cv` every case is held out by one of the folds: pass all of them as one `Split` "
                "(`data.pooled()`), without `validation_data` and `test_data`."
            )
        return {"x": data, "cv": cv}
    if isinstance(data, Dataset):
        if validation_data is not None or test_data is not None:
            raise DataError("A `Dataset` brings its own splits: leave out `validation_data` and `test_data`.")
        fit = {"x": data.train, "validation_data": data.validation, "test_data": data.test}
    else:
        fit = {"x": data, "validation_data": validation_data, "test_data": test_data}
    if fit["validation_data"] is None:
        raise DataError("The best epoch is chosen on validation data: give a `Dataset` that has them, or pass them.")
    return fit


def _checked(shares: Sequence[float]) -> tuple[float, ...]:
    chosen = tuple(float(share) for share in shares)
    if len(chosen) < 2 or chosen[-1] != 1 or chosen[0] <= 0 or any(a >= b for a, b in pairwise(chosen)):
        raise DataError(f"`shares` must ascend from above 0 to 1, received {list(shares)}.")
    return chosen


def _at_least_one(values: Floats) -> Floats:
    if values.shape[1] == 0:
        raise DataError("With every seed a run diverged: nothing can be said about the value of data.")
    return values
