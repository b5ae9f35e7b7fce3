"""The variants of a study: from one model and remedies, or from models written by hand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from gengap.analysis.tables import Column, Table
from gengap.datasets.output_kind import OutputKind
from gengap.engine.rates import RateRule, check_followed
from gengap.engine.runs import Run
from gengap.errors import DataError, ModelError
from gengap.keras_models.clone import compile_config
from gengap.keras_models.frozen import num_trained
from gengap.keras_models.heads import output_names
from gengap.keras_models.initial_weights import learned_layers
from gengap.keras_models.outputs import describe_output
from gengap.naming import check_names
from gengap.remedies.base import Remedy, Variant, check_remedy
from gengap.remedies.catalogue import remedy

BASELINE = "baseline"
_MOST_SEEDS = 1_000_000


def make_variants(models: Any, remedies: Sequence[Remedy | str], *, keep_trained: bool = False) -> tuple[Variant, ...]:
    """Return the variants of a study, the baseline first.

    Args:
        models: A compiled model, or a mapping from names to compiled models, whose first is the baseline.
        remedies: What to try on a single model, as remedies or in their written form.
        keep_trained: Whether layers that were trained before, beside others that were not, start from what they hold.

    Raises:
        ModelError: A model is not compiled or not a Keras model, or names are not text, or not told apart.
    """
    if isinstance(models, Mapping):
        if remedies:
            raise ModelError("Give one model and remedies, or a mapping of models; remedies act on one model.")
        if not models:
            raise ModelError("The mapping of models is empty: a study needs at least one.")
        given = zip(check_names(models, "models", error=ModelError), models.values(), strict=True)
        variants = tuple(Variant(name, _checked(model, f" {name!r}")) for name, model in given)
        return _keeping(variants) if keep_trained else variants
    (baseline,) = _keeping((Variant(BASELINE, _checked(models, "")),), wanted=keep_trained)
    written = [remedy(one) if isinstance(one, str) else check_remedy(one) for one in remedies]
    all_of_them = (baseline, *(one.treat(baseline) for one in written))
    names = [variant.name for variant in all_of_them]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ModelError(f"The remedies {', '.join(twice)} are given more than once.")
    check_names(names, "remedies", error=ModelError)
    return all_of_them


def run_of(variant: Variant, seed: int) -> Run:
    """Return the run of a variant with a seed, with all that a variant says beside its model."""
    return Run(variant.name, seed, variant.model, variant.share, variant.stopping, kept=variant.kept)


def _keeping(variants: Sequence[Variant], *, wanted: bool = True) -> tuple[Variant, ...]:
    """Return the variants, each with the layers that were trained before.

    A model all of whose layers have learned may be one that a user has just fitted. Beside it, what a remedy put into
    another would look like a new head: so where there is such a model nobody keeps anything.
    """
    learned = [learned_layers(one.model) if wanted and one.model.built else {} for one in variants]
    if any(found and all(found.values()) for found in learned):
        return tuple(variants)
    kept = [tuple(name for name, has in found.items() if has) for found in learned]
    return tuple(replace(one, kept=names) for one, names in zip(variants, kept, strict=True))


def common_output(
    variants: Sequence[Variant], output: str | None, task: Any, *, from_logits: bool | None = None
) -> OutputKind:
    """Return how the scored output of the baseline is read, after checking that all variants predict the same.

    Args:
        variants: The variants, the baseline first.
        output: Name of the scored output; None takes the baseline's first.
        task: What the models predict; None reads it.
        from_logits: Whether outputs under losses of the user's own are logits; None reads it.

    Raises:
        ModelError: Variants predict different things.
    """
    names = [output_names(variant.model) for variant in variants]
    for variant, own in zip(variants, names, strict=True):
        if max(len(own), len(names[0])) > 1 and set(own) != set(names[0]):
            raise ModelError(
                f"Variant {variant.name!r} has the outputs {', '.join(own)}, the baseline {', '.join(names[0])}: give "
                "their output layers the same names, by which answers are matched."
            )
    scored = names[0][0] if output is None and len(names[0]) > 1 else output
    kinds = [describe_output(variant.model, scored, task=task, from_logits=from_logits) for variant in variants]
    for variant, kind in zip(variants, kinds, strict=True):
        widths = {1 if one.task == "binary" else one.width for one in (kind, kinds[0])}
        if kind.task != kinds[0].task or len(widths) > 1:
            raise ModelError(
                f"Variant {variant.name!r} predicts {kind.width} numbers for a {kind.task} task, the baseline "
                f"{kinds[0].width} for a {kinds[0].task} task: they cannot be compared."
            )
    return kinds[0]


def declared(variants: Sequence[Variant], *, title: str) -> Table:
    """Return the table of what was declared: variants, their size, their share of the data, their stopping rule."""
    columns = (
        Column("variant", "variant"),
        Column("parameters", "parameters", ",d"),
        Column("share", "share of the data", ".0%"),
        Column("stopping", "stopping rule"),
    )
    rows = [
        (
            variant.name,
            num_trained(variant.model),
            variant.share,
            None if variant.stopping is None else f"patience {variant.stopping.patience}",
        )
        for variant in variants
    ]
    return Table(title, columns, tuple(rows))


def check_seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    """Return the seeds of a study: a count gives 0, 1, 2 ...

    Raises:
        ValueError: There is none, one is given twice, below 0 or beyond 63 bits, or there are more than a million.
        TypeError: One is not an integer.
    """
    seeds = int(seeds) if isinstance(seeds, np.integer) else seeds
    if isinstance(seeds, bool | str) or not isinstance(seeds, int | Iterable):
        raise TypeError(f"`seeds` must be a number of seeds or integers; received {seeds!r}.")
    chosen = range(min(seeds, _MOST_SEEDS + 1)) if isinstance(seeds, int) else list(seeds)
    if not all(hasattr(seed, "__index__") and not isinstance(seed, bool) for seed in chosen):
        raise TypeError(f"`seeds` must be a number of seeds or integers; received {seeds!r}.")
    if len(chosen) == 0 or len(set(chosen)) < len(chosen):
        raise ValueError(f"`seeds` must name at least one seed, and each once; received {seeds!r}.")
    if len(chosen) > _MOST_SEEDS or not all(0 <= seed < 2**63 for seed in chosen):
        raise ValueError(f"`seeds` must be at most a million, each from 0 to 2**63 - 1; received {str(seeds)[:80]}.")
    return tuple(int(seed) for seed in chosen)


def _checked(model: Any, name: str) -> keras.Model:
    if not isinstance(model, keras.Model):
        raise ModelError(f"The model{name} must be a keras.Model; received {type(model).__name__}.")
    if not model.compiled:
        raise ModelError(f"The model{name} is not compiled: call `model.compile(optimizer, loss)` first.")
    if type(model).compile is keras.Model.compile:
        compile_config(model)  # whole again, before anything reads it
    return model


def told_apart(places: Mapping[int, tuple[int, int]], run: Run) -> dict[str, str | int]:
    """Return what tells a run from the others, for callbacks: variant, seed and, with folds, fold.

    Args:
        places: Seed of the study and number of the fold, by the seed of a run; empty without folds.
        run: The run; the seed of a fold is a number that nobody has given.
    """
    return {"variant": run.variant, **dict(zip(("seed", "fold"), places.get(run.seed, (run.seed,)), strict=False))}


def check_watched(variants: Sequence[Variant], rates: Sequence[RateRule] = (), *, validates: bool) -> None:
    """Check that there is something for stopping rules and falling learning rates to look at.

    Args:
        variants: The variants.
        rates: What changes the learning rates between epochs.
        validates: Whether there is a validation split.

    Raises:
        DataError: A variant stops early, or its rate falls, by a held-out score, and nothing is held out.
    """
    stopped = [variant.name for variant in variants if variant.stopping is not None]
    check_followed(rates, held_out=validates)
    if stopped and not validates:
        raise DataError(
            f"{', '.join(map(repr, stopped))} would never stop: early stopping looks at the score on a validation "
            "split. Give `validation_data=` or `validation_split=`."
        )
