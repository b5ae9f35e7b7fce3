"""A study trained block after block of its seeds, for those who judge as long as there is time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from gengap.engine.measured_ways import remembered
from gengap.engine.runs import Collector, Listener, Run, RunRecord
from gengap.results import Result
from gengap.results.remembered import first_cases
from gengap.storage import with_look
from gengap.study.assembly import assemble
from gengap.study.beside import with_references
from gengap.study.references import FittedReference
from gengap.study.training import Training

if TYPE_CHECKING:
    from gengap.engine.planner import Plan
    from gengap.study.declaration import Study


class SeedBlocks:
    """Trains the seeds of a study, some at a time, and assembles what has been trained.

    Which seeds a result holds must not depend on their scores. So a block that was ended before its end leaves nothing:
    of its runs those that diverge or stop early would be done first.

    Args:
        study: The study, without storage; its seeds are the most that are trained. References are fitted at once.
        training: What it trains.
        manifest: Its account.
        show: Whether to show progress.
    """

    def __init__(self, study: "Study", training: Training, manifest: Mapping[str, Any], *, show: bool = False) -> None:
        self._study, self._training, self._manifest, self._show = study, training, manifest, show
        self._references = study._references(training, study.seeds)  # noqa: SLF001  before anything could be lost
        self._records: list[RunRecord] = []
        self._plans: list[Plan | None] = []
        self._ways: dict[Any, Any] = {}
        self._done = 0

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds that have been trained."""
        return self._study.seeds[: self._done]

    @property
    def left(self) -> int:
        """How many seeds have not."""
        return len(self._study.seeds) - self._done

    @property
    def runs_of_seed(self) -> int:
        """Runs of every seed."""
        return len(self._training.runs) // len(self._study.seeds)

    def train(self, number: int, *, over: Callable[[], bool] | None = None) -> bool:
        """Train so many seeds more.

        Args:
            number: How many; all that are left at most.
            over: Asked at the end of every epoch; when it says yes the block ends.

        Returns:
            Whether the block was trained to its end; of one that was not nothing is kept.
        """
        each = self.runs_of_seed
        runs = self._training.runs[self._done * each : (self._done + number) * each]
        work = replace(self._training, runs=runs)
        if over is not None:
            work = replace(work, engine=partial(_ending, work.engine, over))
        collector = Collector()
        shown = self._study._shown(collector, runs, work, show=self._show)  # noqa: SLF001
        try:
            with remembered(self._ways), work.runner.session():
                plan = work.plan(runs)
                with shown as listener:
                    work.execute(runs, listener, plan=plan)
        except _Over:
            return False
        self._records += collector.records
        self._plans.append(plan)
        self._done += len(runs) // each
        return True

    def result(self) -> Result:
        """Return the result of all blocks that were trained."""
        study, seeds, folds = self._study, self.seeds, self._training.folds
        own = None if folds is None else replace(folds, divisions={seed: folds.divisions[seed] for seed in seeds})
        training = replace(self._training, folds=own)
        held_out, plan = training.held_out(), _joined(self._plans)
        manifest = self._manifest
        if len(seeds) < len(study.seeds):
            manifest = with_look({**manifest, "seeds": list(seeds), "looks": []}, len(seeds))
        networks = assemble(
            self._records,
            held_out,
            study.kind,
            variants=[variant.name for variant in study.variants],
            seeds=seeds,
            manifest={**manifest, "plan": None if plan is None else plan.to_json()},
            cases={name: first_cases(split.x) for name, split in held_out.held_out().items()},
            objects=study._objects(),  # noqa: SLF001
            passes=training.passes(study.kind),
        )
        return with_references(networks, [_of_seeds(one, len(seeds)) for one in self._references])


def _joined(plans: Sequence["Plan | None"]) -> "Plan | None":
    """Return the plans of all blocks as one, whose chunks are numbered through."""
    known = [plan for plan in plans if plan is not None]
    if len(known) < 2:
        return known[0] if known else None
    chunks = [chunk for plan in known for chunk in plan.chunks]
    return replace(known[0], chunks=tuple(replace(one, id=f"chunk-{n:03d}") for n, one in enumerate(chunks)))


def _of_seeds(one: FittedReference, number: int) -> FittedReference:
    return replace(one, forecasts={part: rows[:number] for part, rows in one.forecasts.items()})


class _Over(Exception):  # noqa: N818  no error: the time of a block is over
    """Ends the training of a block."""


def _ending(  # noqa: PLR0917  the form that runners call, after what is bound
    engine: Any, over: Callable[[], bool], runs: Any, data: Any, settings: Any, listener: Listener, **how: Any
) -> Any:
    """Train with a listener that ends the training when it is over."""
    return engine(runs, data, settings, _Ending(listener, over), **how)


class _Ending:
    """Hands everything on, and asks at every epoch of a run whether it is over."""

    def __init__(self, inner: Listener, over: Callable[[], bool]) -> None:
        self._inner, self._over = inner, over

    def on_epoch(self, run: Run, epoch: int, logs: Mapping[str, float]) -> None:
        self._inner.on_epoch(run, epoch, logs)
        if self._over():
            raise _Over

    def on_record(self, record: RunRecord) -> None:
        self._inner.on_record(record)
