"""A study in a folder: what is left to train, under which plan, and what came of it."""

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gengap.datasets.output_kind import OutputKind
from gengap.engine.runs import Listener, Run
from gengap.errors import GengapWarning, ModelError, StoreError
from gengap.keras_models.frozen import frozen_places
from gengap.runners.base import States
from gengap.storage import Store, StoreListener, begin_or_continue, interruptible, with_look
from gengap.storage.files import require_space, saying_unwritable
from gengap.study.loading import ANSWERS, pack_answers, put_passes
from gengap.study.training import Training

if TYPE_CHECKING:
    from gengap.engine.planner import Plan

Key = tuple[str, int]


def train_missing(training: Training, store: Store, then: Listener) -> None:
    """Train what a store lacks.

    A run counts as stored when its files are whole. The stored plan is followed where there is one, and a chunk of
    which anything is missing is trained with all its runs, from its checkpoint if it has one, because the sums of
    floating-point numbers depend on which runs train together.

    Args:
        training: The study.
        store: The study's folder, open for writing.
        then: Is told what the store has been told.

    Raises:
        KeyboardInterrupt: Somebody asked for an end; the sentence says what is stored and how to go on.
    """
    _forget_damaged(store)
    done = set(store.keys())
    missing = {_key(run) for run in training.runs} - done
    if not missing:
        return
    with training.runner.session():
        _train(training, store, then, missing)


def _train(training: Training, store: Store, then: Listener, missing: AbstractSet[Key]) -> None:
    """Plan what the stored plan lacks, and train the chunks of which runs are missing."""
    plan = _plan(training, store, missing)
    chunks = {} if plan is None else {chunk.id: set(chunk.runs) for chunk in plan.chunks}
    listener = StoreListener(store, then, chunks=chunks)
    states = _states(store, chunks, missing)
    todo = _whole_chunks(plan, missing)
    try:
        with interruptible():
            training.execute([r for r in training.runs if _key(r) in todo], listener, plan=plan, states=states)
    except KeyboardInterrupt:
        stored = len({_key(run) for run in training.runs} & set(store.keys()))
        raise KeyboardInterrupt(
            f"{stored} of {len(training.runs)} runs are stored in {store.folder}; run the same study again to continue"
        ) from None
    finally:
        listener.flush()


def open_store(folder: str | Path, manifest: Mapping[str, Any], kind: OutputKind, training: Training) -> Store:
    """Open or make the folder of a study, with the answers that a result needs.

    Args:
        folder: The folder.
        manifest: What the study is.
        kind: How its scored output is read.
        training: The study; the space that it will take is checked before a folder is made.

    Raises:
        ModelError: A model has no configuration that can be read back without trusting it.
        StoreError: The folder cannot be used; see `gengap.storage.begin_or_continue`.
    """
    for name, described in manifest["variants"].items():
        if described["model"] is None or "__lambda__" in json.dumps(described["model"]):
            raise ModelError(
                f"The model of variant {name!r} cannot be stored, because it cannot be rebuilt from its configuration: "
                "give its classes get_config(), and write lambdas as functions with a name."
            )
    with saying_unwritable(Path(folder), new=True):
        known = Store.exists(folder)
    if not known:
        require_space(_existing(Path(folder)), _expected_size(training, kind))
    store = begin_or_continue(folder, {**manifest, "output": asdict(kind), "plan": None})
    try:
        if not _has_answers(store):
            store.put_study(ANSWERS, *pack_answers(training.held_out(), kind))
        put_passes(store, training.passes(kind))
    except BaseException:
        store.close()
        raise
    return store


def _has_answers(store: Store) -> bool:
    """Tell whether the answers are kept; damaged ones are not, and are said to be written again."""
    try:
        return store.study(ANSWERS) is not None
    except StoreError as error:
        message = f"the held-out answers of {store.folder} are damaged, so they are written again: {error}"
        warnings.warn(message, GengapWarning, stacklevel=4)
        return False


def record_look(store: Store, seeds: Sequence[int]) -> None:
    """Note in the store that somebody now sees results of so many seeds."""
    store.update_manifest(with_look(store.manifest, len(seeds)))


def _key(run: Run) -> Key:
    return run.variant, run.seed


def _expected_size(training: Training, kind: OutputKind) -> int:
    """Estimate the bytes of all runs: weights twice, predictions at two epochs and, where they are kept, at each.

    Frozen weights count once for each variant.
    """
    settings = training.settings
    everything = sum(map(len, training.data.held_out().values()))
    per_answer = kind.width * (8 + (4 * settings.epochs if settings.keep_every_epoch else 0))

    def size(run: Run) -> int:
        answers = everything if run.fold is None else len(run.fold.validation) + len(run.fold.test)
        return 8 * (int(run.model.count_params()) - frozen[id(run.model)]) + per_answer * answers

    models = {id(run.model): run.model for run in training.runs}
    places = {key: frozen_places(model) for key, model in models.items()}
    frozen = {key: int(sum(math.prod(models[key].weights[p].shape) for p in own)) for key, own in places.items()}
    return sum(map(size, training.runs)) + 4 * sum(frozen.values())


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())


def _forget_damaged(store: Store) -> None:
    damaged = store.damaged()
    for sentence in damaged.values():
        warnings.warn(sentence, GengapWarning, stacklevel=4)
    store.discard(damaged)


def _plan(training: Training, store: Store, missing: AbstractSet[Key]) -> "Plan | None":
    """Return the stored plan, extended by chunks for runs that it does not know; it is stored before training."""
    if training.planner is None:
        return None
    from gengap.engine.planner import Plan  # torch is imported only where it is used

    manifest = store.manifest
    stored = Plan.from_json(manifest["plan"]) if manifest.get("plan") else None
    old = () if stored is None else stored.chunks
    known = {key for chunk in old for key in chunk.runs}
    unknown = [run for run in training.runs if _key(run) in missing - known]
    if stored is not None and not unknown:
        return _for_this_place(stored)
    new = training.runner.plan(training.planner, unknown, training.data, training.settings)
    chunks = tuple(replace(chunk, id=f"chunk-{len(old) + n:03d}") for n, chunk in enumerate(new.chunks))
    told = tuple(dict.fromkeys((*(() if stored is None else stored.notes), *new.notes)))
    plan = replace(new if stored is None else stored, chunks=old + chunks, notes=told)
    store.update_manifest({**manifest, "plan": plan.to_json()})
    return _for_this_place(plan)


def _for_this_place(plan: "Plan") -> "Plan":
    from gengap.engine.planner import choose_device

    if plan.device == choose_device("auto") or plan.device == "cpu":
        return plan
    warnings.warn(
        f"The study was planned for {plan.device}, which is not here: it goes on on the CPU, and its numbers agree "
        "with those of another place to rounding only.",
        GengapWarning,
        stacklevel=5,
    )
    return replace(plan, device="cpu")


def _whole_chunks(plan: "Plan | None", missing: AbstractSet[Key]) -> set[Key]:
    """Return the runs of all chunks of which a run is missing; in Keras' own loop every run is alone."""
    together = [set(c.runs) for c in plan.chunks if c.engine == "fused" and missing & set(c.runs)] if plan else []
    return set(missing).union(*together)


def _states(store: Store, chunks: Mapping[str, AbstractSet[Key]], missing: AbstractSet[Key]) -> States:
    """Return the checkpoints to go on from; one that lacks a missing run (damaged after it finished) is dropped."""
    states = {}
    for chunk in store.checkpoints():
        state = store.checkpoint(chunk)
        wanted = chunks.get(chunk, set()) & missing
        if state is not None and wanted and wanted <= {(v, s) for v, s in state.scalars["runs"]}:
            states[chunk] = state
        else:
            store.drop_checkpoint(chunk)
    return states
