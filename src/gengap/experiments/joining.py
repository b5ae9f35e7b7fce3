"""Results of studies with the same seeds and held-out cases, side by side as one result."""

from collections.abc import Sequence
from typing import Any

import xarray as xr

from gengap.results import Result
from gengap.results.files import PARTS
from gengap.results.remembered import Remembered

_ACROSS = ("prediction_epochs",)
"""Left out: studies of different lengths would pad it, and it is the largest thing that a result holds."""


def joined(results: Sequence[Result]) -> Result:
    """Put the variants of several results into one; runs stay paired by seed and by held-out case.

    Args:
        results: Results of studies that differ in their variants (and perhaps epochs) only, one or more.

    Returns:
        A result with all variants, in order; the manifest is the first one's, with the variants and seconds of all.
    """
    first = results[0]
    if len(results) == 1:
        return first
    parts = {name: _side_by_side([getattr(one, name) for one in results]) for name in PARTS}
    manifest = dict(first.manifest) | {
        "variants": {name: facts for one in results for name, facts in one.manifest["variants"].items()},
        "plan": None,
        "settings": first.manifest["settings"] | {"epochs": int(parts["history"].sizes["epoch"])},
    }
    weights = {key: value for one in results for key, value in one.weights.items()}
    objects = Remembered((name, known) for one in results for name, known in one.objects.items())
    return Result(**parts, manifest=manifest, weights=weights, cases=first.cases, objects=objects)


def _side_by_side(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    if not parts[0].sizes:
        return parts[0]
    bare = [part.drop_vars(_ACROSS, errors="ignore") for part in parts]
    arguments: dict[str, Any] = {"coords": "minimal", "compat": "override", "join": "outer"}
    return xr.concat(bare, dim="variant", data_vars="minimal", **arguments)
