"""What scores are called here, and what else people call them: a wrong name is answered with the right one."""

import re
from collections.abc import Iterable, Mapping

from gengap.errors import DataError, UnknownNameError

_ALSO_CALLED: Mapping[str, tuple[str, ...]] = {
    "log_loss": ("neg_log_loss", "cross_entropy", "crossentropy", "binary_crossentropy", "categorical_crossentropy",
                 "sparse_categorical_crossentropy", "nll", "ignorance"),
    "brier_score": ("brier", "bs", "brier_score_loss", "neg_brier_score"),
    "brier_skill_score": ("bss", "brier_skill"),
    "roc_auc": ("auc", "auroc", "roc_auc_score", "auc_roc"),
    "squared_error": ("mse", "mean_squared_error", "neg_mean_squared_error"),
    "absolute_error": ("mae", "mean_absolute_error", "neg_mean_absolute_error"),
    "squared_error_skill_score": ("r2", "r2_score", "mse_skill", "msess"),
    "crps_ensemble": ("crps",),
    "ranked_probability_score": ("rps",),
    "quantile_score": ("pinball", "pinball_loss", "mean_pinball_loss"),
    "probability_of_detection": ("pod", "recall", "hit_rate"),
    "probability_of_false_detection": ("pofd",),
    "false_alarm_ratio": ("far",),
    "success_ratio": ("precision",),
    "critical_success_index": ("csi", "threat_score"),
    "frequency_bias": ("bias",),
    "peirce_skill_score": ("pss", "tss", "peirce"),
    "heidke_skill_score": ("hss", "heidke"),
    "gilbert_skill_score": ("gss", "ets", "gilbert"),
}  # fmt: skip
"""Scores by their name here, which is scikit-learn's where it has one; and their other names, `auc` and `bss` among
them, which this package used itself."""
COMMON_SCORES: Mapping[str, tuple[str, ...]] = {
    "binary": ("log_loss", "brier_score"),
    "multiclass": ("log_loss", "brier_score"),
    "regression": ("squared_error",),
}
"""Scores that a study can be of, by task, its own first; smaller is better."""
_NAME_HERE = {other: name for name, others in _ALSO_CALLED.items() for other in others}


def no_such_score(name: object, known: Iterable[str], *, of: str = "") -> UnknownNameError:
    """Return the error about an unknown name of a score, which tells the name here where it is known by another.

    Args:
        name: What was asked for.
        known: Names that can be had.
        of: What the scores are of, such as `"a binary task"`; empty where that is plain.

    Example:
        >>> print(no_such_score("auc", ["log_loss", "roc_auc"]))
        `score` must be one of log_loss, roc_auc, got 'auc'; it is called 'roc_auc' here
    """
    names = tuple(known)
    here = _NAME_HERE.get(str(name).lower())
    hint = f"; it is called {here!r} here" if here in names else ""
    return UnknownNameError(f"`score` {f'of {of} ' if of else ''}must be one of {', '.join(names)}, got {name!r}{hint}")


_LARGER = {"acc", "accuracy", "auc", "auroc", "recall", "precision", "f1", "fbeta", "r2", "skill", "iou", "kappa"}
_SMALLER = {"loss", "error", "crossentropy", "mse", "mae", "rmse", "brier", "deviance", "divergence"}
_NEITHER = {"neg", "negative", "minus", "inverse"}  # what turns a name round


def check_orientation(curve: str, *, larger_is_better: bool) -> None:
    """Check that a curve whose name says which values are better is not read the wrong way round.

    Raises:
        DataError: The name says the other thing; names that say neither, or both, are taken as the user says.

    Example:
        >>> check_orientation("sparse_categorical_accuracy", larger_is_better=True)
    """
    said = set(re.split(r"[^a-z0-9]+", curve.lower()))
    larger, smaller = bool(_LARGER & said), bool(_SMALLER & said)
    if said & _NEITHER:
        return
    if larger is not smaller and larger is not larger_is_better:
        better = "Larger" if larger else "Smaller"
        raise DataError(f"{better} values of {curve!r} are better: pass `larger_is_better={larger}`.")
