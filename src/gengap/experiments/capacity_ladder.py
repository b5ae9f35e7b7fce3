"""How large must the model be? Start small, add units or layers until the held-out score stops improving."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gengap.analysis.cases import HeldOut, held_out, primary_score
from gengap.analysis.comparison.estimators import case_values, convention_of
from gengap.analysis.decision.capacity import CapacityLadder
from gengap.analysis.decision.ladder import Gain, Rung, gain, smallest_sufficient
from gengap.analysis.inference.resampled import FEWEST_PASSES
from gengap.datasets.split import Dataset, Split
from gengap.errors import DataError, RemedyError
from gengap.experiments.joining import joined
from gengap.keras_models.anatomy import Anatomy
from gengap.remedies import Depth, Remedy, Width
from gengap.remedies.base import trainable_parameters
from gengap.remedies.channels import width_of
from gengap.results import Result
from gengap.results.resampled import resampling_of
from gengap.study import Study

if TYPE_CHECKING:
    import keras

_TWICE = 2.0


def capacity_ladder(  # noqa: PLR0913  all but the first two are keywords with defaults
    model: "keras.Model",
    data: Dataset | Split,
    *,
    epochs: int,
    batch_size: int = 32,
    seeds: int | Sequence[int] = 10,
    smallest_width: float = 0.25,
    fewest_layers: int = 1,
    most_rungs: int = 12,
    margin: float | None = None,
    validation_data: Any = None,
    cv: Any = None,
    storage: str | Path | None = None,
    progress: bool = True,
) -> CapacityLadder:
    """Climb from a small model to one of the right size, by doubling units or adding a layer.

    From each rung two larger ones are trained with the same seeds, batches and cases: twice the units, and one hidden
    layer more. The better one that improves becomes the next rung; where neither does, the climb ends. A step
    improves by the one-standard-error rule, or unless its gain is shown to be below `margin`; see
    `gengap.analysis.decision.ladder.gain`. Scores are read on validation, at each run's best epoch, since sizes are
    chosen: the chosen model's own score is to be read on test data, which the climb never looks at. With `cv` they are
    read on the inner validations of the folds, which together are all cases: gains then speak for new training sets
    too, and no case is left that the choice has not seen.

    Args:
        model: A compiled model; its width and depth are what rungs are measured in. It may be any rung itself.
        data: A `Dataset` with a validation split, or a training `Split` with `validation_data`; with `cv` the `Split`
            of all cases, `data.pooled()`.
        epochs: Epochs of every run, enough that the best one lies within.
        batch_size: Cases a step.
        seeds: Number of seeds, or the seeds.
        smallest_width: Width of the lowest rung, as a factor of the model's.
        fewest_layers: Hidden layers of the lowest rung.
        most_rungs: When to give up climbing; rungs are trained one step, that is up to two, at a time.
        margin: Gain that is worth a step, in the score's units; None takes one standard error.
        validation_data: `Split` or tuple, where `data` is a `Split`.
        cv: Number of folds from 3 on, as in `Study.run`; it takes 3 seeds or more.
        storage: Folder that keeps the rungs, one study each step; climbing again continues.
        progress: Whether to show runs, epochs and time left.

    Returns:
        The ladder; printing it shows the table, `sentence` says where it stopped and why.

    Raises:
        DataError: There is no validation split, or fewer than two seeds (with `cv` three), or folds whose inner
            validations do not hold every case.
        RemedyError: The lowest rung cannot be made from this model.

    References:
        Chollet, F. (2017). Deep Learning with Python, section 4.4. Manning.

        Breiman, L., Friedman, J., Olshen, R. and Stone, C. (1984). Classification and Regression Trees, section 3.4.3.

    Example:
        >>> import gengap as gg, keras
        >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> found = capacity_ladder(model, gg.datasets.diabetes(), epochs=2, seeds=2, most_rungs=3, progress=False)
        >>> [rung.shape for rung in found.rungs]
        ['2', '4', '2-2']
    """
    cases = _cases(data, validation_data, cv)
    hidden = _hidden(model)
    if not hidden:
        raise RemedyError(f"Model {model.name!r} has no hidden layer with units: there is no ladder to climb.")
    start = (smallest_width, min(fewest_layers, len(hidden)) - len(hidden))
    climb = _Climb(
        model,
        Study(model, seeds=seeds).seeds,
        {**cases, "epochs": epochs, "batch_size": batch_size, "progress": progress},
        None if storage is None else Path(storage),
    )
    if len(climb.seeds) < 2:
        raise DataError("A ladder compares sizes over seeds: give at least two.")
    if cv is not None and len(climb.seeds) < FEWEST_PASSES:
        raise DataError(f"With `cv` a ladder compares sizes over passes: give at least {FEWEST_PASSES} seeds.")
    return climb.run(start, most_rungs=most_rungs, margin=margin)


Place = tuple[float, int]
"""Factor of the model's width, and layers more or fewer than it has."""


class _Climb:
    """One climb: trains rungs when they are asked for, and remembers them."""

    def __init__(self, model: "keras.Model", seeds: Sequence[int], fit: dict[str, Any], storage: Path | None) -> None:
        self.model, self.seeds, self.fit, self.storage = model, seeds, fit, storage
        self.results: list[Result] = []
        self.rungs: dict[str, Rung] = {}

    def run(self, place: Place, *, most_rungs: int, margin: float | None) -> CapacityLadder:
        (current,) = self._train([place])
        path, steps, ended = [current.name], [], f"{most_rungs} sizes were trained, as many as allowed"
        while len(self.rungs) < most_rungs:
            places = [(place[0] * _TWICE, place[1]), (place[0], place[1] + 1)][: most_rungs - len(self.rungs)]
            found = self._train(places)
            tried = [(gain(current, rung, margin=margin), rung, at) for rung, at in zip(found, places, strict=True)]
            steps += [step for step, _, _ in tried]
            better = [one for one in tried if one[0].improves]
            if not better:
                ended = _why([(step, rung) for step, rung, _ in tried], margin)
                break
            _, current, place = max(better, key=lambda one: one[0].gain.value)
            path.append(current.name)
        whole, rungs = joined(self.results), tuple(self.rungs.values())
        choice = smallest_sufficient(rungs, margin=margin)
        return CapacityLadder(rungs, tuple(path), tuple(steps), choice, margin, primary_score(whole), ended, whole)

    def _train(self, places: Sequence[Place]) -> list[Rung]:
        models = {_name(place): _sized(self.model, place) for place in places}
        missing = {name: model for name, model in models.items() if name not in self.rungs}
        if missing:
            folder = None if self.storage is None else self.storage / f"step-{len(self.results) + 1}"
            result = Study(missing, seeds=self.seeds, storage=folder).run(**self.fit)
            self.results.append(result)
            self.rungs |= {rung.name: rung for rung in _read(result, missing)}
        return [self.rungs[name] for name in models]


def _read(result: Result, models: dict[str, "keras.Model"]) -> Iterator[Rung]:
    held = held_out(result, "validation")
    if held is None:  # single splits have one, see `_cases`
        raise DataError(
            "Sizes are chosen on the inner validations of the folds, which hold every case where `cv` is a number of "
            "folds from 3 on: give one."
        )
    score: Any = primary_score(result)
    for name, model in models.items():
        shape = "-".join(str(units) for units in _hidden(model))
        values = case_values(result, held, name, rule="best", score=score)
        yield Rung(name, shape, trainable_parameters(model), values, _rho(result, held, name, score))


def _rho(result: Result, held: HeldOut, name: str, score: str) -> float | None:
    """What new training sets add to the variance between cases, by convention; None for one training set."""
    resampled = resampling_of(result)
    if resampled is None or resampled.kind != "passes":
        return None
    return convention_of(result, held, ((name, "best"), (name, "best")), score=score)


def _sized(model: "keras.Model", place: Place) -> "keras.Model":
    remedy = _remedy(place)
    return model if remedy is None else remedy(model)


def _name(place: Place) -> str:
    return str(_remedy(place) or "baseline")


def _remedy(place: Place) -> Remedy | None:
    factor, blocks = place
    parts: list[Remedy] = [Depth(blocks)] if blocks else []
    parts += [Width(factor)] if factor != 1 else []
    return None if not parts else parts[0] if len(parts) == 1 else parts[0] + parts[1]


def _hidden(model: "keras.Model") -> list[int]:
    anatomy = Anatomy.of(model)
    widths = (width_of(call.operation) for call in anatomy.select("hidden") if anatomy.is_hidden(call))
    return [width for width in widths if width is not None]


def _cases(data: Dataset | Split, validation_data: Any, cv: Any) -> dict[str, Any]:
    """What is trained on and what sizes are chosen on, as arguments of `Study.run`."""
    if cv is not None:
        if isinstance(data, Dataset) or validation_data is not None:
            raise DataError(
                "With `cv` sizes are chosen on the inner validations of the folds: pass all cases as one `Split` "
                "(`data.pooled()`, or `data.train` to leave test data alone), without `validation_data`."
            )
        return {"x": data, "cv": cv}
    train = data.train if isinstance(data, Dataset) else data
    validation = data.validation if isinstance(data, Dataset) else validation_data
    if isinstance(data, Dataset) and validation_data is not None:
        raise DataError("A `Dataset` brings its own validation split: leave out `validation_data`.")
    if validation is None:
        raise DataError("Sizes are chosen on validation data: give a `Dataset` that has them, or `validation_data`.")
    return {"x": train, "validation_data": validation}


def _why(tried: Sequence[tuple[Gain, Rung]], margin: float | None) -> str:
    gains = " and ".join(f"{rung.size} would gain {step.gain.show('+.4f')}" for step, rung in tried)
    if margin is not None:
        return f"{gains}, shown to be less than the {margin:g} that is worth a step"
    errors = " and ".join(f"{step.se:.4f}" for step, _ in tried)
    return f"{gains}, not more than one standard error ({errors})"
