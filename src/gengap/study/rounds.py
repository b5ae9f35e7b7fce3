"""A study that does not know its variants beforehand: data are checked once, and round after round trains on them."""

import copy
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gengap.datasets.cases import few_cases
from gengap.datasets.folds import fold_seed
from gengap.datasets.training_data import TrainingData
from gengap.engine.measured_ways import remembered
from gengap.engine.runs import Array, Collector, Listener, Run, RunRecord, TrainingSettings
from gengap.engine.state import CheckpointListener, ChunkState
from gengap.remedies.base import Variant
from gengap.results import Result
from gengap.runners.base import Planner
from gengap.study.assembly import assemble
from gengap.study.blocks import SeedBlocks
from gengap.study.declaration import Study
from gengap.study.loading import stored_result
from gengap.study.manifest import describe_variant
from gengap.study.progress import Silence, shown
from gengap.study.storing import open_store, train_missing
from gengap.study.training import Training, runs_of_folds
from gengap.study.variants import run_of

if TYPE_CHECKING:
    from gengap.engine.planner import Plan

Halt = Callable[[int, Sequence[tuple[Run, Array]]], AbstractSet[int]]
"""Takes an epoch and the runs of a chunk with their validation scores so far, and returns the places that end."""


class Rounds:
    """Rounds of variants on the data of one study, for those who choose the next variants by what the last ones did.

    Runs of a round are read by their held-out scores and predictions alone: neither weights, nor training scores, nor
    the predictions of every epoch are kept.

    Args:
        study: The study: score, epoch rule, seeds; its variants say what the data must fit.
        fit: Arguments of `Study.run`, which are checked here once.
        storage: Folder that keeps the runs of all rounds; one that is stored is not trained again.
        halt: Ends runs that train together before their last epoch; None trains all to the end.
        compared: Whether `halt` holds variants against each other, which must then train together.

    Attributes:
        study: The study.
        manifest: Its account.
        ways: What was measured of how many runs train at once.
    """

    def __init__(
        self,
        study: Study,
        fit: Mapping[str, Any],
        *,
        storage: Path | None = None,
        halt: Halt | None = None,
        compared: bool = True,
    ) -> None:
        self.study, self._storage = study, storage
        given = {"class_weight": None, "shuffle": True, **fit}
        training, self.manifest = study._prepare(given.pop("x"), given.pop("y", None), **given)  # noqa: SLF001
        settings = replace(training.settings, training_score=False, keep_every_epoch=False)
        planner = training.planner
        if halt is not None and compared and planner is not None:
            planner = partial(_plan_whole_variants, planner)
        engine = partial(_light, training.engine, halt)
        self._training = replace(training, settings=settings, engine=engine, planner=planner)
        self._passes = training.passes(study.kind)
        self.ways: dict[Any, Any] = {}
        self.manifest["settings"] = {**self.manifest["settings"], "training_score": False, "keep_every_epoch": False}

    @property
    def num_folds(self) -> int:
        """Runs of a variant and seed: 1, or the number of folds."""
        folds = self._training.folds
        return 1 if folds is None else len(next(iter(folds.divisions.values())).folds)

    @property
    def resampled(self) -> bool:
        """Whether the cases are divided into folds."""
        return self._training.folds is not None

    @property
    def chooses(self) -> bool:
        """Whether there is a validation split, or folds whose inner ones hold every case once."""
        return self._training.held_out().validation is not None

    @property
    def epochs(self) -> int:
        """Epochs of every run, at most."""
        return self._training.settings.epochs

    def with_epochs(self, epochs: int, *, seeds: int | None = None) -> "Rounds":
        """Return the same rounds of another length, with the first so many seeds; the data are not checked again."""
        other = copy.copy(self)
        if seeds is not None:
            other.study = self.study.with_seeds(self.study.seeds[:seeds])
        other._training = replace(self._training, settings=replace(self._training.settings, epochs=epochs))  # noqa: SLF001
        other.manifest = {**self.manifest, "settings": {**self.manifest["settings"], "epochs": epochs}}
        return other

    def train(self, variants: Sequence[Variant], *, progress: bool = False) -> Result:
        """Train variants with every seed of the study.

        Args:
            variants: What is trained together; models other than the study's may change, as nobody else holds them.
            progress: Whether to show it.

        Returns:
            A result with their held-out scores and predictions, without weights.
        """
        held = {id(one.model) for one in self.study.variants}
        given = [
            replace(run_of(one, seed), own=id(one.model) not in held) for seed in self.study.seeds for one in variants
        ]
        folds = self._training.folds
        runs = given if folds is None else runs_of_folds(folds, given)
        work = replace(self._training, runs=runs)
        names = [one.name for one in variants]
        with remembered(self.ways):  # what was measured of a cohort serves the next round's
            return self._in_memory(work, names, progress) if self._storage is None else self._in_store(
                work, variants, progress)  # fmt: skip

    def _in_memory(self, work: Training, names: Sequence[str], progress: bool) -> Result:
        collector = Collector()
        with work.runner.session():
            plan = work.plan(work.runs)
            with self._shown(collector, work.runs, progress) as listener:
                work.execute(work.runs, listener, plan=plan)
        return assemble(
            collector.records,
            work.held_out(),
            self.study.kind,
            variants=names,
            seeds=self.study.seeds,
            manifest={**self.manifest, "variants": {name: {} for name in names}},
            passes=self._passes,
        )

    def _in_store(self, work: Training, variants: Sequence[Variant], progress: bool) -> Result:
        few = few_cases(work.data.train.x)
        described = {one.name: describe_variant(one, few) for one in variants}
        manifest = {**self.manifest, "variants": described}
        with open_store(self._storage or "", manifest, self.study.kind, work) as store:
            stored = set(store.keys())
            missing = [run for run in work.runs if (run.variant, run.seed) not in stored]
            with self._shown(Silence(), missing, progress and bool(missing)) as listener:
                train_missing(work, store, listener)
            return stored_result(store, variants=[one.name for one in variants], seeds=self.study.seeds)

    def _shown(self, inner: Listener, runs: Sequence[Run], show: bool) -> Any:
        epochs = self._training.settings.epochs
        return shown(inner, runs=runs, num_epochs=epochs, score=self.study.score, show=show)


Own = Callable[[Run, int], Run]
"""Takes a run and the number of its fold, and returns what is trained in its place."""
Judging = Callable[[Study, Mapping[str, Any], Own | None], Result]
"""Trains a study with arguments of `Study.run`; with folds, each of its runs may be made anew for its fold."""


def run_each(study: Study, fit: Mapping[str, Any], own: Own | None = None) -> Result:
    """Run a study, of whose runs each may be made anew for its fold; see `Judging`."""
    training, manifest, progress = _prepared(study, fit, own)
    train = study._train_in_memory if study.storage is None else study._train_in_store  # noqa: SLF001
    return train(training, manifest, progress=progress)


def blocks_of(study: Study, fit: Mapping[str, Any], own: Own | None = None) -> SeedBlocks:
    """Return such a study for those who train its seeds block after block."""
    training, manifest, progress = _prepared(study, fit, own)
    return SeedBlocks(study, training, manifest, show=progress)


def _prepared(study: Study, fit: Mapping[str, Any], own: Own | None) -> tuple[Training, dict[str, Any], bool]:
    """Check the cases of such a study, and return what it trains, its account, and whether to show progress."""
    given = {"class_weight": None, "shuffle": True, **fit}
    progress = bool(given.pop("progress", True))
    training, manifest = study._prepare(given.pop("x"), given.pop("y", None), **given)  # noqa: SLF001
    folds = training.folds
    if own is None or folds is None:
        return training, manifest, progress
    places = {fold_seed(seed, n): n for seed, one in folds.divisions.items() for n in range(len(one.folds))}
    runs = [own(run, places[run.seed]) for run in training.runs]
    return replace(training, runs=runs), manifest, progress


FEWEST_TOGETHER = 9
"""Variants that train together at least, where some of them are to be halted: two of three go, and again."""


def whole_variants(plan: "Plan", runs: Sequence[Run]) -> "Plan":
    """Return a plan whose chunks hold all runs of a variant, and several variants that can be held against each other.

    Args:
        plan: A plan of these runs.
        runs: The runs.
    """
    from gengap.engine.cohorts import cohorts  # torch is imported only where it is used

    chunks = []
    for group in cohorts(runs):
        keys = [(runs[place].variant, runs[place].seed) for place in group]
        old = [one for one in plan.chunks if set(one.runs) <= set(keys)]
        if not old or old[0].engine != "fused":
            chunks += old
            continue
        names = list(dict.fromkeys(variant for variant, _ in keys))
        each = max(1, len(keys) // len(names))
        size = max(FEWEST_TOGETHER, max(len(one.runs) for one in old) // each)
        # As equal as can be: a variant that was left over would train alone, with none to be halted for.
        parts = max(1, min(-(-len(names) // size), len(names) // FEWEST_TOGETHER))
        for part in range(parts):
            own = set(names[part::parts])
            chunks.append(replace(old[0], runs=tuple(key for key in keys if key[0] in own)))
    return replace(plan, chunks=tuple(replace(one, id=f"chunk-{n:03d}") for n, one in enumerate(chunks)))


def _plan_whole_variants(
    planner: Planner, runs: Sequence[Run], data: TrainingData, settings: TrainingSettings
) -> "Plan":
    return whole_variants(planner(runs, data, settings), runs)


def _light(  # noqa: PLR0917  the form that runners call, after what is bound
    engine: Any, halt: Halt | None, runs: Any, data: Any, settings: Any, listener: Listener, **how: Any
) -> Any:
    """Train with a listener that hands on what a round keeps, and that may halt runs."""
    light = _Light(listener) if halt is None else _Halting(listener, halt)
    return engine(runs, data, settings, light, **how)


class _Light:
    """Hands everything on, records without their weights."""

    def __init__(self, inner: Listener) -> None:
        self._inner = inner

    def on_epoch(self, run: Run, epoch: int, logs: Mapping[str, float]) -> None:
        self._inner.on_epoch(run, epoch, logs)

    def on_record(self, record: RunRecord) -> None:
        self._inner.on_record(replace(record, weights_last=(), weights_best=(), frozen=()))

    def on_checkpoint(self, chunk_id: str, state: ChunkState) -> None:
        if isinstance(self._inner, CheckpointListener):
            self._inner.on_checkpoint(chunk_id, state)


class _Halting(_Light):
    """The same, and asks which runs end."""

    def __init__(self, inner: Listener, halt: Halt) -> None:
        super().__init__(inner)
        self._halt = halt

    def on_halt(self, epoch: int, running: Sequence[tuple[Run, Array]]) -> AbstractSet[int]:
        return self._halt(epoch, running)
