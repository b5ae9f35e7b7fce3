"""What a forecast without any skill would score: always the training split's base rate, shares or mean."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gengap.analysis.cases import CaseScore, Floats, HeldOut
from gengap.verification.losses import epsilon_of

if TYPE_CHECKING:
    from gengap.results import Result

SKILL_OF: dict[str, CaseScore] = {"binary": "brier_score", "multiclass": "brier_score", "regression": "squared_error"}
"""Which score the skill score of a task is about."""


def training_climatology(result: "Result", held: HeldOut | None = None) -> NDArray[np.float64]:
    """Return the climatology of the training split: base rate (scalar), label shares, or mean of the targets.

    A result from elsewhere may not know it; then the held-out split's own takes its place.

    Returns:
        Shape `()` or `(labels,)`; NaN where neither is known.
    """
    known = (result.manifest.get("data") or {}).get("training_climatology")
    if known is not None:
        return np.asarray(known, dtype=np.float64).squeeze()
    if held is None:
        return np.asarray(np.nan)
    if held.task != "multiclass":
        return np.asarray(np.average(held.y_true, axis=0, weights=held.weight))
    labels = held.data.sizes["label"]
    return np.bincount(held.y_true.astype(np.int64), weights=held.weight, minlength=labels) / len(held)


def climatology_scores(result: "Result", held: HeldOut, *, score: CaseScore) -> Floats:
    """Score of every case under the forecast that always says the training climatology.

    Returns:
        Shape `(n,)`; for a resampled result `(seeds, n)`: a case's climatology is that of the training cases of the
        fold that predicted it.
    """
    if "climatology" in held.data:
        prediction: NDArray[Any] = held.data["climatology"].transpose("seed", "sample", ...).to_numpy()
    else:
        constant: NDArray[Any] = training_climatology(result, held)
        prediction = np.broadcast_to(constant, (len(held), *np.shape(constant)))
    # an event that training never saw must cost climatology no more than it costs a forecast that rules it out
    return held.scores(prediction, score=score, epsilon=epsilon_of(held.data["prediction_last"].values))


def training_majority(result: "Result", held: HeldOut) -> int | None:
    """Return the most frequent class of the training split, else of the held-out one; None without labels."""
    if held.task == "regression":
        return None
    shares = training_climatology(result, held)
    if not np.isfinite(shares).all():
        return None
    return int(shares.argmax()) if held.task == "multiclass" else int(shares > 0.5)
