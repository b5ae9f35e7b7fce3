"""The rate of dropout at inference, chosen by a proper score on validation and judged on test."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gengap.analysis.findings.wording import score_word
from gengap.analysis.numbers import typewritten, write_estimate
from gengap.analysis.uncertainty.chosen_rate import RateChoice
from gengap.analysis.uncertainty.distribution import PredictiveDistribution
from gengap.analysis.uncertainty.quality import classifier_uncertainty, plain_answers, regression_uncertainty
from gengap.datasets.dependence import unit_codes
from gengap.datasets.divider import Divider
from gengap.datasets.folds import CrossValidation, Rows
from gengap.datasets.output_kind import OutputKind
from gengap.datasets.split import Split, Task
from gengap.deprecated import old_arguments
from gengap.engine.computation import Computation, check_computation
from gengap.engine.memory import keep_freed_memory
from gengap.errors import DataError
from gengap.keras_models.outputs import to_predictions
from gengap.sampling.cases import count_cases, flat_cases
from gengap.sampling.found_noise import ModelNoise
from gengap.sampling.members import draw_members, look_for_noise, say_what_is_off
from gengap.sampling.noise_layers import NoiseStrength, noise_layers
from gengap.sampling.predict import MEMORY_LIMIT, assemble, check_settings, output_kind
from gengap.sampling.progress import RowProgress
from gengap.verification import Estimate, score_difference, score_interval

RATES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""The grid of rates unless another is given."""


@old_arguments("gengap.choose_rate")
def choose_rate(  # noqa: PLR0913  two splits, a grid, and how the sampling is computed
    model: Any,
    validation_data: Split | tuple[Any, Any],
    *,
    test_data: Split | tuple[Any, Any] | None = None,
    cv: Any = None,
    rates: Sequence[float] = RATES,
    scales: Sequence[float] | None = None,
    per_layer: bool = False,
    num_members: int = 100,
    score: str | None = None,
    other_seeds: ArrayLike | None = None,
    level: float = 0.95,
    seed: int = 0,
    computation: Computation = Computation(),  # noqa: B008  a frozen value
    task: Task | None = None,
    output: str | None = None,
    progress: bool = True,
) -> RateChoice:
    """Choose the rate of dropout at inference, which need not be the one of training.

    All candidates are sampled in one pass over the cases, with the same random numbers. A classifier is chosen by a
    proper score of its mean forecast against the deterministic forecast; a regression by the CRPS of its members
    against the trained rates. Intervals group cases by the splits' `groups`.

    Args:
        model: A built, compiled model with noise layers.
        validation_data: Cases to choose on, with answers: a `Split`, or `(x, y)`.
        test_data: Cases to judge the choice on; None leaves it unjudged, and that is said.
        cv: In place of `test_data`: divides the validation cases into folds, as in `Study.run`. Each fold is forecast
            at the rate that all others choose, which judges the choosing on every case; the rate itself is that of all
            cases. The model stays the one that is given, which must have learned from none of these cases.
        rates: The grid: one rate for all dropout layers.
        scales: Another grid in its place: factors on every layer's trained strength.
        per_layer: Whether each layer in turn then tries the grid for itself, the others held, and keeps what is better.
        num_members: Members per case and candidate.
        score: `"brier_score"` or `"log_loss"` for classifiers (None takes the first); `"crps_ensemble"` for regression.
        other_seeds: Forecasts of other networks, as `classifier_uncertainty` takes them, for the cases that a
            classifier's choice is judged on: `quality` then says how many of them the members cover.
        level: Coverage of the intervals of the gains.
        seed: Fixes all masks.
        computation: As in `predict_distribution`.
        task: What the model predicts; None reads it.
        output: Name of the output of a model with several; None takes the first.
        progress: Whether to show a bar when the work takes longer than a moment.

    Raises:
        ModelError: No layer makes noise, or its strength cannot be set.
        DataError: The model predicts several targets, a split is none, or `cv` does not test every case once.
        ValueError: The grid is empty, `score` is not proper for the task, or `cv` comes with `test_data` or
            `per_layer`.

    Example:
        >>> import gengap as gg, keras, numpy as np
        >>> keras.utils.set_random_seed(0)
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(1, "sigmoid")])
        >>> model.compile(loss="binary_crossentropy")
        >>> x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
        >>> y = (x[:, 0] > 0).astype(int)
        >>> choice = gg.choose_rate(model, (x, y), rates=[0.1, 0.5], num_members=20)
        >>> len(choice.table), choice.findings[-1]
        (4, 'The choice was not judged: there is no test split.')
    """
    grid = tuple(rates if scales is None else scales)
    if not grid:
        raise ValueError("The grid of rates is empty: give at least one.")
    if cv is not None and (test_data is not None or per_layer):
        raise ValueError("`cv` judges a grid on the cases that choose, fold by fold: omit `test_data` and `per_layer`.")
    check_settings(num_members, task)
    check_computation(computation, "precision", "memory_limit", by="choose_rate")
    validation, test = _as_split(validation_data), None if test_data is None else _as_split(test_data)
    kind = output_kind(model, task, output)
    if kind.task == "regression" and kind.width > 1:
        raise DataError(f"A rate is chosen for one target; the model predicts {kind.width}: study them one at a time.")
    sweep = _Sweep(model, num_members, seed, computation, level, score, kind, progress=progress)
    swept = "rate" if scales is None else "scale"
    settings = [NoiseStrength(**{swept: value}) for value in grid]
    rows = [_QUIET, NoiseStrength(), *settings]
    distributions = sweep.draw(validation, rows)
    folds = () if cv is None else _folds(validation, kind, cv, seed)
    table = sweep.table(validation, distributions, ["deterministic", "trained", *(f"{swept} {v:g}" for v in grid)])
    best = int(np.argmin(table["score"].to_numpy()[2:]))
    chosen, chosen_forecast = settings[best], distributions[2 + best]
    findings = _edge(grid, best, swept)
    if per_layer:
        chosen, chosen_forecast, moved = sweep.per_layer(validation, chosen, chosen_forecast, grid, swept)
        findings += moved
    gain = {"validation": sweep.gain(validation, chosen_forecast, distributions[sweep.reference])}
    judged, shown = validation, [distributions[1], chosen_forecast]
    if folds:
        gain["folds"] = sweep.out_of_fold(validation, distributions[2:], distributions[sweep.reference], folds)
    if test is not None:
        judged = test
        reference, *shown = sweep.draw(test, [rows[sweep.reference], NoiseStrength(), chosen])
        gain["test"] = sweep.gain(test, shown[1], reference)
    summaries = [sweep.quality(judged, distribution, other_seeds).summary() for distribution in shown]
    quality = pd.concat(summaries, axis=1, keys=["trained", "chosen"])
    return RateChoice(
        task=sweep.kind.task,
        score=sweep.score,
        swept=swept,
        table=table,
        rates=sweep.strengths(chosen),
        trained=sweep.strengths(NoiseStrength()),
        gain=gain,
        quality=quality,
        findings=(*findings, *_verdict(gain, sweep.reference, sweep.score)),
    )


_QUIET = NoiseStrength(scale=0.0)
"""No noise at all: the deterministic forecast."""


class _Sweep:
    """One model sampled under many strengths, scored one way."""

    def __init__(  # noqa: PLR0917  carries the settings of `choose_rate`
        self,
        model: Any,
        num_members: int,
        seed: int,
        computation: Computation,
        level: float,
        score: str | None,
        kind: OutputKind,
        *,
        progress: bool,
    ) -> None:
        self.kind = kind
        self._regression = kind.task == "regression"
        proper = ("crps_ensemble",) if self._regression else ("brier_score", "log_loss")
        if score is not None and score not in proper:
            raise ValueError(f"`score` must be proper for {kind.task} forecasts, one of {proper}; received {score!r}.")
        self.score = score or proper[0]
        self.reference = 1 if self._regression else 0
        self._noise: ModelNoise | None = None
        self._model, self._num_members, self._seed = model, num_members, seed
        self._computation, self._level, self._progress = computation, level, progress

    def strengths(self, strength: NoiseStrength) -> dict[str, float]:
        return {noise.layer.name: strength.of(noise) for noise in noise_layers(self._model)}

    def draw(self, split: Split, strengths: Sequence[NoiseStrength]) -> list[PredictiveDistribution]:
        read = partial(to_predictions, kind=self.kind)
        if self._noise is None:
            self._noise = look_for_noise(self._model, split.x)
            say_what_is_off(self._noise)
        total = count_cases(flat_cases(self._model, split.x)) * self._num_members * len(strengths)
        with keep_freed_memory(), RowProgress(total, shown=self._progress) as bar:
            deterministic, drawn = draw_members(
                self._model,
                split.x,
                strengths,
                noise=self._noise,
                num_members=self._num_members,
                seed=self._seed,
                fixed_mask=False,
                precision=self._computation.precision,
                memory_limit=self._computation.memory_limit or MEMORY_LIMIT,
                read=read,
                advance=bar.advance,
            )
        return [
            assemble([members], [deterministic], [0], self.kind.task, {"rates": self.strengths(strength)})
            for members, strength in zip(drawn, strengths, strict=True)
        ]

    def forecast(self, distribution: PredictiveDistribution) -> NDArray[np.float64]:
        """Return what is scored: the members of a regression, the mean forecast of a classifier."""
        if self._regression:
            return distribution.members.values.T.astype(np.float64)
        return np.asarray(distribution.mean.values)

    def mean_score(self, split: Split, distribution: PredictiveDistribution) -> float:
        return score_interval(
            plain_answers(split.y), self.forecast(distribution), score=self.score, sample_weight=split.sample_weight
        ).value

    def gain(self, split: Split, better: PredictiveDistribution, reference: PredictiveDistribution) -> Estimate:
        """Return how much lower the score of `better` is than that of `reference`, paired, grouped."""
        return score_difference(
            plain_answers(split.y),
            self.forecast(reference),
            self.forecast(better),
            score=self.score,
            groups=split.groups,
            level=self._level,
            sample_weight=split.sample_weight,
        )

    def out_of_fold(
        self,
        split: Split,
        candidates: Sequence[PredictiveDistribution],
        reference: PredictiveDistribution,
        folds: Sequence[Rows],
    ) -> Estimate:
        """Return the gain where each fold is forecast by the candidate that is best on all others."""
        y, forecasts = plain_answers(split.y), [self.forecast(one) for one in candidates]
        weight = None if split.sample_weight is None else np.asarray(split.sample_weight)
        whole = forecasts[0].copy()
        for fold in folds:
            rest = np.setdiff1d(np.arange(len(y)), fold)
            own = None if weight is None else weight[rest]
            scores = [
                score_interval(y[rest], one[rest], score=self.score, sample_weight=own).value for one in forecasts
            ]
            whole[fold] = forecasts[int(np.argmin(scores))][fold]
        return score_difference(
            y,
            self.forecast(reference),
            whole,
            score=self.score,
            groups=split.groups,
            level=self._level,
            sample_weight=split.sample_weight,
        )

    def quality(self, split: Split, distribution: PredictiveDistribution, other_seeds: ArrayLike | None = None) -> Any:
        y = plain_answers(split.y)
        if self._regression:
            return regression_uncertainty(y, distribution, groups=split.groups)
        return classifier_uncertainty(y, distribution, groups=split.groups, other_seeds=other_seeds, score=self.score)

    def table(
        self, split: Split, distributions: Sequence[PredictiveDistribution], names: Sequence[str]
    ) -> pd.DataFrame:
        rows = []
        for distribution in distributions:
            gain = self.gain(split, distribution, distributions[self.reference])
            quality = self.quality(split, distribution)
            row = {
                "score": self.mean_score(split, distribution),
                "gain": gain.value,
                "low": gain.low,
                "high": gain.high,
                "spread": quality.spread,
                "discard_improvement": quality.discard.improvement,
                "monotonicity_fraction": quality.discard.monotonicity_fraction,
            }
            rows.append(row | ({"ssrat": quality.spread_skill.ratio} if self._regression else {}))
        return pd.DataFrame(rows, index=pd.Index(names, name="setting"))

    def per_layer(
        self, split: Split, chosen: NoiseStrength, forecast: PredictiveDistribution, grid: Sequence[float], swept: str
    ) -> tuple[NoiseStrength, PredictiveDistribution, tuple[str, ...]]:
        """Let every layer in turn try the grid, the others held."""
        layers = [noise.layer.name for noise in noise_layers(self._model)]
        given = chosen.rate if swept == "rate" else chosen.scale
        now: dict[str, float] = dict.fromkeys(layers, float(given))  # type: ignore[arg-type]  # the sweep set a number
        best, moved = self.mean_score(split, forecast), []
        for layer in layers:
            tried = [NoiseStrength(**{swept: now | {layer: value}}) for value in (0.0, *grid)]
            drawn = self.draw(split, tried)
            scores = [self.mean_score(split, distribution) for distribution in drawn]
            winner = int(np.argmin(scores))
            if scores[winner] < best:
                best, forecast, chosen = scores[winner], drawn[winner], tried[winner]
                now[layer] = (0.0, *grid)[winner]
                moved.append(f"Layer {layer!r} does better with a {swept} of its own: {now[layer]:g}.")
        return chosen, forecast, tuple(moved)


def _folds(split: Split, kind: OutputKind, cv: Any, seed: int) -> tuple[Rows, ...]:
    """Divide the cases that a rate is chosen on; whole groups, as studies do."""
    divider = Divider(
        cv if isinstance(cv, CrossValidation) else CrossValidation(cv),
        y=np.asarray(plain_answers(split.y)),
        task=kind.task,
        units=unit_codes(split.groups, split.times),
        times=split.times,
    )
    division = divider.division(seed)
    if len(division.tested) != len(np.asarray(split.y)):
        raise DataError("`cv` must test every case once: give a number of folds, or a splitter that divides them all.")
    return tuple(fold.test for fold in division.folds)


def _as_split(given: Split | tuple[Any, Any]) -> Split:
    if isinstance(given, Split):
        return given
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise DataError(f"A split must be a `gengap.Split` or `(x, y)`; received {type(given).__name__}.")
    return Split(*given)


def _edge(grid: Sequence[float], best: int, swept: str) -> tuple[str, ...]:
    value = grid[best]
    if len(grid) > 1 and value in {min(grid), max(grid)}:
        end = "lower" if value == min(grid) else "upper"
        return (f"The best {swept}, {value:g}, lies at the {end} end of the grid: the true best may lie beyond it.",)
    return ()


def _verdict(gain: Mapping[str, Estimate], reference: int, score: str) -> tuple[str, ...]:
    other = ("the deterministic forecast", "the trained rates")[reference]
    split = next(name for name in ("test", "folds", "validation") if name in gain)
    where = "cases of other folds than chose it" if split == "folds" else split
    found = gain[split]
    shown = typewritten(write_estimate(found.value, found.low, found.high, sign=True))
    span = f"its gain in {score_word(score)} over {other} is {shown} on {where} (above 0 is better)"
    if found.low > 0:
        said = f"The chosen rate helps: {span}."
    elif found.high < 0:
        said = f"No rate helps: the chosen one is worse; {span}."
    else:
        said = f"No rate is shown to help: of the chosen one, {span}."
    return (said,) if split != "validation" else (said, "The choice was not judged: there is no test split.")
