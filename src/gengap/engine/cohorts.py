"""Which runs may train as one program: those whose models are equal but for their strengths."""

from collections.abc import Sequence
from typing import Any

from gengap.engine.runs import Run
from gengap.engine.signatures import metric_names, signature, signature_beside_graph
from gengap.engine.silent_noise import places_in
from gengap.keras_models.graph import read_graph

_Key = tuple[str, float, int, str]


def cohorts(runs: Sequence[Run], frozen: Sequence[str] | None = None) -> list[list[int]]:
    """Group runs that may train together: of equal models, or of models that differ in noise layers alone.

    Args:
        runs: Runs with compiled models.
        frozen: For each run the digest of what is computed once for it, which those of a cohort have in common.

    Returns:
        Positions of the runs of each cohort. Runs of one seed stand side by side, since they share batches.
    """
    signatures: dict[int, str] = {}
    groups: dict[_Key, list[int]] = {}
    apart = [""] * len(runs) if frozen is None else frozen
    for position, run in enumerate(runs):
        if id(run.model) not in signatures:
            signatures[id(run.model)] = signature(run.model)
        cases = 0 if run.fold is None else len(run.fold.train)  # as many, that is: steps are taken together
        key = signatures[id(run.model)], run.share, cases, apart[position]
        groups.setdefault(key, []).append(position)
    groups = _joined(groups, {key: runs[places[0]].model for key, places in groups.items()})
    seeds = {seed: rank for rank, seed in enumerate(dict.fromkeys(run.seed for run in runs))}
    return [sorted(group, key=lambda position: (seeds[runs[position].seed], position)) for group in groups.values()]


def noisiest(models: Sequence[Any]) -> Any:
    """Return the model of a cohort that has all steps which any of them has."""
    return max({id(model): model for model in models}.values(), key=lambda model: len(read_graph(model).steps))


def _joined(groups: dict[_Key, list[int]], models: dict[_Key, Any]) -> dict[_Key, list[int]]:
    """Put groups whose models have less noise than others into the groups of these.

    Of the models of a cohort each has all noise that the next has, so that this is true of any part of it: of a chunk,
    and of the runs that are left of one.
    """
    if len(groups) == 1:
        return groups
    beside = {key: (signature_beside_graph(model), metric_names(model), *key[1:]) for key, model in models.items()}
    length = {key: len(read_graph(model).steps) for key, model in models.items()}
    chains: list[list[_Key]] = []
    for key in sorted(groups, key=lambda one: -length[one]):
        # where a part is computed once (the key ends by its digest), its cut counts the steps of the model as it is
        known = [] if key[-1] else [one for one in chains if beside[one[-1]] == beside[key]]
        chain = next((one for one in known if places_in(models[key], models[one[-1]]) is not None), None)
        if chain is None:
            chains.append([key])
        else:
            chain.append(key)
    joined = {chain[0]: [place for key in chain for place in groups[key]] for chain in chains}
    return {key: joined[key] for key in groups if key in joined}
