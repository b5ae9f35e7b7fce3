"""Diagnoses against curves and predictions whose truth is known."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from gengap.analysis import diagnose
from gengap.analysis.diagnosis.onset import onset, onset_of
from gengap.analysis.findings.codes import CODES, describe
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
            {"GG110", "GG114"},
        ),  # unrelated to y, by construction
        (lambda y: 0.3 + 0.4 * y, set()),
        (lambda y: 0.7 - 0.4 * y, {"GG111", "GG114"}),
    ],
    ids=["knows nothing", "skill", "worse"],
)
def test_skill_over_climatology_is_claimed_only_where_it_is(probability, expected):
    codes = {finding.code for finding in diagnose(with_predictions(probability)).findings}
    assert codes == expected


def nets(simulate, *, seeds=10, **shapes):
    """Original, and nets of other shapes: what the review tutorial reads off its figures, drawn with known truth."""
    rng = np.random.default_rng(5)
    drawn = {}
    for name, (best, slope, sd, parameters) in shapes.items():
        mean = 0.28 + 0.05 * np.maximum(best - EPOCHS, 0) + slope * np.maximum(EPOCHS - best, 0)
        noise = 0.004 * rng.standard_normal((seeds, 1)) + sd * rng.standard_normal((seeds, 20))
        drawn[name] = (mean + noise, parameters)
    training = {name: np.tile(0.6 * np.exp(-EPOCHS / 3), (seeds, 1)) for name in drawn}
    result = simulate.result_from_curves(
        {name: curve for name, (curve, _) in drawn.items()},
        train_score=training,
        parameters={name: count for name, (_, count) in drawn.items()},
    )
    return diagnose(result)


def test_what_the_review_tutorial_says_is_stated_beside_the_original(simulate):
    found = nets(
        simulate,
        original=(4, 0.03, 0.004, 160_305),
        smaller=(6, 0.015, 0.004, 40_029),
        bigger=(2, 0.03, 0.03, 5_383_681),
        l2=(4, 0.01, 0.004, 160_305),
    )
    assert found["original"].against is None
    said = {one.subject: one.sentence for one in found.findings if one.code == "GG106"}
    assert "with fewer parameters" in said["smaller"]
    assert "the late rise per epoch is smaller by 0.01" in said["smaller"]
    assert "with more parameters, in log loss: the gap at the last epoch is larger by 0.0" in said["bigger"]
    assert "with as many parameters" in said["l2"]
    assert "the rise from the best to the last epoch is smaller by 0.3" in said["l2"]
    assert [one.subject for one in found.findings if one.code == "GG105"] == ["bigger"]


def test_equal_nets_are_rarely_told_apart(simulate):
    rng, wrong = np.random.default_rng(6), 0
    for _ in range(60):
        level, steps = 0.01 * rng.standard_normal((4, 8, 1)), 0.01 * rng.standard_normal((4, 8, 20))
        drawn = dict(zip("abcd", RISING + level + steps, strict=True))
        found = diagnose(simulate.result_from_curves(drawn, parameters=dict(zip("abcd", (1, 2, 3, 4), strict=True))))
        wrong += bool({"GG105", "GG106", "GG113"} & {one.code for one in found.findings})
    assert wrong <= stats.binom.isf(0.005, 60, 0.15)  # four families of three, 5 % each, and what overlaps


def test_a_run_that_got_stuck_does_not_hide_the_onset_of_its_net(simulate):
    rng = np.random.default_rng(7)
    drawn = {name: RISING + 0.004 * rng.standard_normal((10, 20)) for name in ("baseline", "l2", "smaller")}
    drawn["smaller"][0] = 0.69
    alone = onset(drawn["smaller"])
    found = diagnose(simulate.result_from_curves(drawn))["smaller"].onset
    assert found.high is not None
    assert found.high - found.low < 6
    assert alone.margin > 3 * found.margin


def test_a_net_that_is_too_small_underfits(simulate):
    rng = np.random.default_rng(8)

    def drawn(best):
        return best + 0.2 * np.exp(-EPOCHS / 3) + 0.004 * rng.standard_normal((8, 20))

    levels, sizes = {"tiny": 0.5, "small": 0.4, "large": 0.3}, {"tiny": 10, "small": 100, "large": 1000}
    result = simulate.result_from_curves(
        {name: drawn(level) for name, level in levels.items()},
        train_score={name: drawn(level - 0.05) for name, level in levels.items()},
        parameters=sizes,
    )
    said = {one.subject: one.values["bigger"] for one in diagnose(result).findings if one.code == "GG113"}
    assert said == {"tiny": "large", "small": "large"}


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
