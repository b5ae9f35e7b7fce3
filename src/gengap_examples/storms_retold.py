"""The storm course retold: its printed numbers, its confounds, and its claims taken apart one thing at a time."""

from collections.abc import Iterator

import numpy as np

from gengap.analysis.diagnosis.auditing import audit
from gengap.analysis.diagnosis.verify import verify
from gengap.analysis.tables import Table
from gengap.results import Result
from gengap_examples.reviews_retold import COLUMNS, Floats, Retold, cells, mean_interval, printed_row

STORED = "l2 as stored"
"""The course's stored output of the net with L2 ends after 5 of 10 epochs."""

_COURSE = {  # AUC, Brier score, Brier skill score, as the course prints them
    "l2": (0.945, 0.031, 0.384),
    "spatial dropout": (0.959, 0.029, 0.410),
}
_PARAMETERS = {"l2": 17_169, "spatial dropout": 66_337}
_SCORES = {"roc_auc": "AUC", "brier_score": "BS", "brier_skill_score": "BSS"}
_STEPS = (  # what is asked, row, variant, its reference
    ("T2.3", "L2 on every kernel improves the plain net", "l2", "plain"),
    ("T2.4", "spatial dropout improves a net of equal width (8/16/32)", "narrow spatial dropout", "plain"),
    ("T2.4", "spatial dropout improves a net of equal width (16/32/64)", "spatial dropout", "wide"),
    ("T2.4", "twice the width improves the plain net", "wide", "plain"),
    ("T2.4", "spatial dropout beats L2, as the course compares them (twice as wide, 10 epochs against 5)",
     "spatial dropout", STORED),
    ("T2.4", "spatial dropout beats L2 at equal width and epochs", "narrow spatial dropout", "l2"),
    ("T2.5", "plain dropout does little on correlated fields: spatial dropout beats it at equal width",
     "narrow spatial dropout", "narrow dropout"),
)  # fmt: skip
_DIFFERENCES = (
    "Differences: Brier score on test at the best epoch, mean over seeds [95 %]; they are for new seeds on these "
    "test cases. Negative is better."
)
_NO_ARCHIVE = "cannot be checked without the course's archive"


def retell_storms(result: Result) -> Table:
    """Hold the numbers and comparisons of the storm course against a study of its nets.

    Args:
        result: Result of the nets of `storm_models`; nets that are missing leave their rows out. Where it comes from
            the generator of synthetic storms, no score is set beside the course's: they are about other storms.

    Returns:
        A table with the columns `row`, `said`, `measured` and `verdict`.
    """
    synthetic = bool((result.manifest.get("data") or {}).get("synthetic"))
    rows = [*_sizes(result), *_printed(result, synthetic=synthetic), *_confounds(result), *_steps(result)]
    notes = [
        "Its own two runs of the same net scored a BSS of .410 and .439.",
        _DIFFERENCES,
    ]
    if synthetic:
        notes.append("Trained on synthetic storms: verdicts are about the generator's storms, none about real ones.")
    rows.sort(key=lambda row: row.row)
    return Table("Thunderstorm rotation, as told and as measured", COLUMNS, tuple(map(cells, rows)), tuple(notes))


def _sizes(result: Result) -> Iterator[Retold]:
    for at, (name, said) in enumerate(_PARAMETERS.items(), start=1):
        if name in result.variants:
            counted = int(result.runs["parameters"].sel(variant=name).max())
            verdict = "the same" if counted == said else "differs"
            yield Retold(f"T2.{at}", f"{name}: {said:,d} parameters", f"{counted:,d}", verdict)


def _printed(result: Result, *, synthetic: bool) -> Iterator[Retold]:
    scores = None if synthetic else verify(result, climatology="evaluation", epoch="last")
    for name, values in _COURSE.items():
        if name not in result.variants:
            continue
        for (score, label), said in zip(_SCORES.items(), values, strict=True):
            text = f"{name}: {label} {said:.3f}"
            if scores is None:
                yield Retold("T2.4", text, "–", _NO_ARCHIVE)
            else:
                yield printed_row("T2.4", text, scores[score].sel(variant=name).to_numpy(), said)


def _confounds(result: Result) -> Iterator[Retold]:
    """What the audit says by itself of "dropout against L2"."""
    for finding in audit(result).findings:
        if finding.code in {"GG301", "GG302"}:
            yield Retold("T2.4", "dropout is compared with L2", f"{finding}", "confounded")


def _steps(result: Result) -> Iterator[Retold]:
    if not result.test.sizes:
        return
    for row, said, name, reference in _STEPS:
        if name in result.variants and reference in result.variants:
            difference = _brier(result, name) - _brier(result, reference)
            found = mean_interval(difference)
            verdict = "confirmed" if found.high < 0 else "contradicted" if found.low > 0 else "cannot say"
            yield Retold(row, said, f"{found.show('+.4f')} ({name} minus {reference})", verdict)


def _brier(result: Result, name: str) -> Floats:
    """Brier score of every seed on the test split, shape `(seeds,)`."""
    forecast = result.test["prediction_best"].sel(variant=name).transpose("seed", "sample").to_numpy()
    error = forecast.astype(np.float64) - result.test["y_true"].to_numpy()
    return np.asarray(np.square(error).mean(axis=1))
