"""Diagnoses against curves and predictions whose truth is known."""

import numpy as np
import pytest
import xarray as xr

from gengap.analysis import diagnose
from gengap.analysis.codes import CODES, describe
from gengap.analysis.onset import onset, onset_of
from gengap.errors import UnknownNameError
from gengap.results import Result

EPOCHS = np.arange(1, 21)


def curves(mean, *, sd=0.01, seeds=8, seed=0):
    rng = np.random.default_rng(seed)
    level, steps = rng.normal(0, sd, (seeds, 1)), rng.normal(0, sd / 3, (seeds, len(mean)))
    return mean + level + steps


def result_of(held_out, training, **manifest):
    histories = {
        name: [{"loss": t, "val_loss": v} for t, v in zip(training[name], held_out[name], strict=True)]
        for name in held_out
    }
    made = Result.from_histories(histories, task="binary", score="loss")
    return Result(
        made.history, made.runs, made.validation, made.test, {**made.manifest, "score": "log_loss", **manifest}, {}
    )


FALLING = 0.7 * np.exp(-EPOCHS / 3)
RISING = 0.3 + 0.03 * np.maximum(EPOCHS - 5, 0)


def test_what_is_drawn_into_the_curves_is_found():
    result = result_of(
        {
            "baseline": curves(RISING),
            "flat": curves(np.full(20, 0.3), seed=1),
            "slow": curves(0.6 - 0.01 * EPOCHS, seed=2),
        },
        {
            "baseline": curves(FALLING * 0.01, sd=1e-4),
            "flat": curves(np.full(20, 0.3)),
            "slow": curves(0.6 - 0.01 * EPOCHS),
        },
        data={"training_climatology": 0.5},
    )
    found = diagnose(result)
    codes = {name: {finding.code for finding in found.findings if finding.subject == name} for name in result.variants}
    assert {"GG101", "GG102", "GG103", "GG104"} <= codes["baseline"]
    assert found["baseline"].onset.low <= 6 <= found["baseline"].onset.high
    assert found["baseline"].late_slope.value == pytest.approx(0.03, rel=0.1)
    assert not {"GG103", "GG104", "GG112"} & codes["flat"]
    assert codes["slow"] >= {"GG112"}
    assert "GG101" not in codes["slow"]


def test_codes_can_be_ignored_and_explained():
    result = result_of({"baseline": curves(RISING)}, {"baseline": curves(FALLING)})
    assert "GG101" in {finding.code for finding in diagnose(result).findings}
    assert "GG101" not in {finding.code for finding in diagnose(result, ignore=["GG101"]).findings}
    assert describe("GG101").title == "Overfits"
    with pytest.raises(UnknownNameError, match="no finding 'GG999'"):
        describe("GG999")
    assert all(code.meaning and code.remedy for code in CODES.values())


def test_one_seed_gets_values_and_no_verdicts():
    found = diagnose(result_of({"baseline": curves(RISING, seeds=1)}, {"baseline": curves(FALLING, seeds=1)}))
    assert np.isnan(found["baseline"].gap_last.low)
    assert found.findings == ()


def with_predictions(probability, *, seeds=6, cases=40):
    rng = np.random.default_rng(3)
    y_true = rng.integers(0, 2, cases)
    predictions = np.stack(
        [np.clip(probability(y_true) + rng.normal(0, 0.02, cases), 0.01, 0.99) for _ in range(seeds)]
    )
    made = Result.from_predictions(y_true, {"baseline": predictions}, task="binary", score="log_loss")
    return Result(
        made.history, made.runs, xr.Dataset(), made.test, {**made.manifest, "data": {"training_climatology": 0.5}}
    )


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        (
            lambda y: 0.5 + 0.1 * (-1.0) ** y.argsort(kind="stable").argsort(),
            {"GG110"},
        ),  # unrelated to y, by construction
        (lambda y: 0.3 + 0.4 * y, set()),
        (lambda y: 0.7 - 0.4 * y, {"GG111"}),
    ],
    ids=["knows nothing", "skill", "worse"],
)
def test_skill_over_climatology_is_claimed_only_where_it_is(probability, expected):
    codes = {finding.code for finding in diagnose(with_predictions(probability)).findings}
    assert codes == expected


SHAPES = {
    "plateau then rise": np.where(
        EPOCHS < 6, 0.5 - 0.04 * EPOCHS, np.where(EPOCHS < 13, 0.3, 0.3 + 0.02 * (EPOCHS - 12))
    ),
    "sharp minimum": 0.3 + 0.04 * np.abs(EPOCHS - 6),
    "gentle rise": 0.3 + 0.006 * np.maximum(EPOCHS - 5, 0) + 0.1 * np.exp(-EPOCHS / 1.5),
    "never": 0.3 + 0.4 * np.exp(-EPOCHS / 4),
    "at once": 0.3 + 0.03 * EPOCHS,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_confidence_set_of_the_onset_holds_the_truth(shape):
    margin, studies = 0.02, 150
    truth = onset_of(SHAPES[shape], margin)
    held = 0
    for study in range(studies):
        found = onset(curves(SHAPES[shape], sd=0.015, seeds=10, seed=study), margin=margin)
        never = found.high is None
        held += never if truth is None else (found.low or 99) <= truth and (never or truth <= found.high)
    assert held / studies >= 0.93 - 2 * np.sqrt(0.93 * 0.07 / studies)
