"""Strengths drawn by Optuna, which is told what became of them, and kept where its dashboard finds them."""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gengap.errors import DataError
from gengap.searching.ranges import need_optuna
from gengap.searching.space import Space
from gengap.searching.trials import Trial

STUDY = "gengap"
"""Name of the study in Optuna's storage."""
JOURNAL = "optuna.journal"
"""Name of the file, in the folder of a search, that Optuna's dashboard opens."""
_FEWEST = 4
"""Trials below which nobody can say what matters."""


class Drawing:
    """The side of a search that chooses what is tried next.

    The same space, seed and scores draw the same strengths, trial by trial; so a search that is run again over stored
    trials asks for them in the same order.

    Args:
        space: Where strengths are sought.
        seed: Fixes the draws.
        sampler: A sampler of Optuna; None takes its default, or a blind one.
        blind: Whether trials must be drawn without looking at scores.
        pruner: A pruner of Optuna, which is asked while trials train; None for none.

    Raises:
        MissingExtraError: Optuna is not installed.
        TypeError: `sampler` is none of Optuna's.
    """

    def __init__(
        self, space: Space, *, seed: int, sampler: Any = None, blind: bool = False, pruner: Any = None
    ) -> None:
        optuna = need_optuna()
        if sampler is not None and not isinstance(sampler, optuna.samplers.BaseSampler):
            raise TypeError(f"`sampler` must be a sampler of Optuna; received {type(sampler).__name__}.")
        samplers = optuna.samplers
        if blind and sampler is not None and not isinstance(sampler, samplers.RandomSampler):
            raise DataError(
                f"With `cv`, each fold chooses among trials that were drawn without looking at other folds: leave out "
                f"`sampler={type(sampler).__name__}()`, or give optuna.samplers.RandomSampler(seed)."
            )
        chosen = sampler or (samplers.RandomSampler(seed=seed) if blind else samplers.TPESampler(seed=seed))
        self._optuna, self._space = optuna, space
        with _quiet(optuna):
            self.study = optuna.create_study(
                sampler=chosen, pruner=pruner or optuna.pruners.NopPruner(), study_name=STUDY
            )

    def ask(self, number: int) -> list[tuple[Any, dict[str, Any]]]:
        """Return so many Optuna trials, each with a value of every dimension."""
        with _quiet(self._optuna):
            asked = [self.study.ask() for _ in range(number)]
            return [(one, self._space.suggest(one)) for one in asked]

    def tell(self, asked: Any, trial: Trial) -> None:
        """Tell Optuna what became of a trial."""
        states = self._optuna.trial.TrialState
        with _quiet(self._optuna):
            known = self.study.trials[asked.number].intermediate_values  # what a pruner was told already
            for epoch, score in enumerate(trial.curve, start=1):
                if epoch not in known:
                    asked.report(float(score), epoch)
            for name, value in (("remedy", trial.remedy), ("scores", trial.to_dict()["scores"])):
                asked.set_user_attr(name, value)
            if trial.state == "halted":
                self.study.tell(asked, state=states.PRUNED)
            else:
                self.study.tell(asked, trial.score)

    def kept_in(self, folder: Path) -> Any:
        """Write the study into a folder as Optuna's journal, whole or not at all, and return it as it is there."""
        optuna, path = self._optuna, folder / JOURNAL
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        with _quiet(optuna):
            copy = optuna.create_study(storage=_journal(optuna, part), study_name=STUDY)
            copy.add_trials(self.study.get_trials(deepcopy=False))
            part.replace(path)
            return optuna.load_study(storage=_journal(optuna, path), study_name=STUDY)


def _journal(optuna: Any, path: Path) -> Any:
    return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))


def importances(space: Space, trials: Sequence[Trial], *, seed: int) -> dict[str, float]:
    """Return which share of the variance of scores each dimension explains, by Optuna's fANOVA; they add up to 1.

    Off counts as the end of a dimension's range, so that remedies which are off in some trials count as well.

    Args:
        space: The space.
        trials: The trials; halted and diverged ones say nothing here.
        seed: Fixes the forest.

    Returns:
        Shares by dimension, the largest first; empty for fewer than 4 trials, or where all scores are equal.
    """
    whole = [one for one in trials if one.state == "complete" and math.isfinite(one.score)]
    moving = [one for one in space.dimensions if len({_place(one, trial) for trial in whole}) > 1]
    if len(whole) < _FEWEST or not moving or len({one.score for one in whole}) == 1:
        return {}
    optuna = need_optuna()
    ranges = {one.name: optuna.distributions.FloatDistribution(-1.0, 1.0) for one in moving}
    with _quiet(optuna):
        shadow = optuna.create_study()
        for trial in whole:
            params = {one.name: _place(one, trial) for one in moving}
            shadow.add_trial(optuna.trial.create_trial(params=params, distributions=ranges, value=trial.score))
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=seed)
        found = optuna.importance.get_param_importances(shadow, evaluator=evaluator)
    return {**{name: float(share) for name, share in found.items()},
            **{one.name: 0.0 for one in space.dimensions if one not in moving}}  # fmt: skip


def _place(dimension: Any, trial: Trial) -> float:
    value = trial.strengths[dimension.name]
    return -0.5 if value is None else float(dimension.values.place(value))


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Silence Optuna for a moment: it logs every trial, and warns of what is new in it."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)
