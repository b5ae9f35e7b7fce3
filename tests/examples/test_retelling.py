"""What the tutorials said is confirmed, contradicted or left open as the curves demand, and no more."""

import dataclasses

import numpy as np
import pytest

from gengap.errors import DataError
from gengap.results import Result
from gengap_examples import synthetic_storms
from gengap_examples.demos import DEMOS, get_demo
from gengap_examples.reviews_retold import mean_interval, retell_reviews, to_markdown
from gengap_examples.storms_retold import STORED, retell_storms

EPOCH = np.arange(1, 21)
NETS_OF_STORMS = ("plain", "l2", "spatial dropout", STORED)
# best epoch, its validation loss, rise an epoch after it, last training loss, penalty
NETS = {
    "original": (4, 0.2827, 0.04, 0.0151, 0.0),
    "smaller": (6, 0.2772, 0.02, 0.19, 0.0),
    "bigger": (1, 0.2742, 0.05, 0.0005, 0.0),
    "l2": (4, 0.28, 0.005, 0.12, 0.05),
    "dropout": (5, 0.2772, 0.01, 0.10, 0.0),
}


def told(nets=NETS, seeds=10, noise=0.002, roughness=None):
    """A result whose curves do exactly what the tutorials say."""
    random = np.random.default_rng(0)
    histories = {}
    for name, (best, least, rise, training, penalty) in nets.items():
        runs = []
        for _ in range(seeds):
            curve = least + np.where(best >= EPOCH, 0.05 * (best - EPOCH), rise * (EPOCH - best))
            own = noise * (roughness or {}).get(name, 5 if name == "bigger" else 1)
            validation = curve + random.normal(0, noise) + random.normal(0, own / 3, 20)
            loss = np.linspace(0.5, training, 20) + random.normal(0, training / 20)
            runs.append({"loss": loss, "val_loss": validation, "val_accuracy": 0.88 - 0.002 * EPOCH,
                         "penalty": np.full(20, penalty)})  # fmt: skip
        histories[name] = runs
    result = Result.from_histories(histories, task="binary")
    result.runs["parameters"] = ("variant", [513_025 if name == "bigger" else 160_305 for name in nets])
    return result


def verdicts(table):
    return {row[1]: row[3] for row in table.rows}


def test_curves_that_do_as_told_are_confirmed():
    found = verdicts(retell_reviews(told()))
    for said in ("original overfits after epoch 4", "smaller overfits after epoch 6", "bigger overfits after epoch 1",
                 "smaller then degrades more slowly", "bigger overfits more severely", "bigger ends worse",
                 "bigger's validation loss fluctuates more", "bigger's training loss nears zero",
                 "l2 resists better, at an equal number of parameters"):  # fmt: skip
        assert found[said] == "confirmed", said
    assert found["original, book: best val_loss 0.2827 at epoch 3"] == "within 0.005"


def test_curves_that_do_the_contrary_are_contradicted():
    other = NETS | {"bigger": (9, 0.27, 0.001, 0.3, 0.0), "l2": (4, 0.28, 0.09, 0.1, 0.05)}
    found = verdicts(retell_reviews(told(other, roughness={"bigger": 0.2, "original": 3})))
    for said in ("bigger overfits after epoch 1", "bigger overfits more severely", "bigger ends worse",
                 "bigger's validation loss fluctuates more", "bigger's training loss nears zero",
                 "l2 resists better, at an equal number of parameters"):  # fmt: skip
        assert found[said] == "contradicted", said


def test_equal_nets_are_left_open():
    same = dict.fromkeys(NETS, NETS["original"])
    found = verdicts(retell_reviews(told(same, seeds=3, noise=0.05)))
    assert found["smaller then degrades more slowly"] == "cannot say"
    assert found["bigger ends worse"] == "cannot say"


def test_the_penalty_is_added_where_the_tutorial_printed_it_and_nowhere_else():
    table = retell_reviews(told())
    measured = {row[1]: row[2] for row in table.rows}
    result = told()
    plain = float(result.history["val_loss"].sel(variant="l2", epoch=20).mean())
    assert measured["l2, last epoch: val_loss 0.4292"].startswith(f"{plain + 0.05:.4f} [")
    plain = float(result.history["val_loss"].sel(variant="original", epoch=20).mean())
    assert measured["original, last epoch: val_loss 0.9725"].startswith(f"{plain:.4f} [")


def test_a_net_with_fewer_seeds_counts_with_those_it_has():
    result = told()
    for name in result.history.data_vars:
        result.history[name].loc[{"variant": "bigger", "seed": list(range(4, 10))}] = np.nan
    table = retell_reviews(result)
    assert "bigger 4" in table.notes[0]
    assert verdicts(table)["bigger ends worse"] == "confirmed"


def test_mean_interval_by_hand():
    found = mean_interval([1.0, 2.0, 3.0, np.nan])
    assert (found.value, found.high) == (2.0, pytest.approx(2 + 4.302653 / np.sqrt(3)))
    assert np.isnan(mean_interval([1.0]).low)


@pytest.fixture(scope="module")
def storms():
    data = synthetic_storms(n_train=200, n_validation=100, n_test=100)
    demo = dataclasses.replace(get_demo("storms"), epochs=2, batch_size=100, shorter={STORED: 1})
    return demo.run(data, seeds=2, only=NETS_OF_STORMS, progress=False)


def test_synthetic_storms_are_never_held_against_the_courses_scores(storms):
    table = retell_storms(storms)
    found = verdicts(table)
    assert found["l2: 17,169 parameters"] == found["spatial dropout: 66,337 parameters"] == "the same"
    scores = [row for row in table.rows if any(f": {score} 0." in row[1] for score in ("AUC", "BS", "BSS"))]
    assert len(scores) == 6
    assert {row[2] for row in scores} == {"–"}
    assert {row[3] for row in scores} == {"cannot be checked without the course's archive"}
    assert "none about real ones" in table.notes[-1]


def test_both_confounds_of_the_course_are_found_by_the_audit_itself(storms):
    told = [row for row in retell_storms(storms).rows if row[3] == "confounded"]
    assert [row[2].split()[0] for row in told] == ["GG301", "GG302"]
    assert "width: 8/16/32/1 versus 16/32/64/1" in told[0][2]
    assert f"{STORED} 1 epochs" in told[1][2]


def test_the_stored_net_is_the_same_net_trained_for_fewer_epochs(storms):
    curves = storms.history["val_score"]
    assert np.isnan(curves.sel(variant=STORED, epoch=2)).all()
    np.testing.assert_allclose(curves.sel(variant=STORED, epoch=1), curves.sel(variant="l2", epoch=1), rtol=1e-5)


def test_a_step_of_the_course_is_the_difference_of_brier_scores_over_seeds(storms):
    row = next(row for row in retell_storms(storms).rows if row[1].startswith("L2 on every kernel"))
    error = (storms.test["prediction_best"] - storms.test["y_true"]) ** 2
    brier = error.transpose("variant", "seed", "sample").mean("sample")
    expected = float((brier.sel(variant="l2") - brier.sel(variant="plain")).mean())
    assert row[2].startswith(f"{expected:+.4f} [")
    assert "narrow" not in "".join(row[1] for row in retell_storms(storms).rows)


def test_with_the_archive_the_scores_are_read_with_the_courses_climatology(storms):
    observed = dataclasses.replace(
        storms, manifest={**storms.manifest, "data": {**storms.manifest["data"], "synthetic": False}}
    )
    row = next(row for row in retell_storms(observed).rows if row[1] == "l2: BS 0.031")
    test = storms.test
    error = (test["prediction_last"].sel(variant="l2") - test["y_true"]) ** 2
    assert row[2].startswith(f"{float(error.mean()):.4f} [")


def test_markdown_keeps_every_cell_on_its_line():
    table = retell_reviews(told(seeds=2))
    lines = to_markdown(table).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == len(table.rows) + 2
    assert {line.count(" | ") for line in rows[2:]} == {3}


def test_a_demo_is_resampled_on_all_its_cases():
    demo = dataclasses.replace(get_demo("soundings"), epochs=1, remedies=())
    result = demo.run_resampled(cv=3, passes=1, progress=False)
    assert result.test.sizes["sample"] == 866
    assert result.manifest["preprocess"].startswith("Normalization")
    with pytest.raises(DataError, match="different numbers of epochs"):
        get_demo("storms").run_resampled(cv=3, passes=1)


def test_demos_by_name_and_by_path(monkeypatch, tmp_path):
    assert get_demo("imdb") is get_demo("reviews") is DEMOS["reviews"]
    assert get_demo("storms").load().synthetic
    monkeypatch.setenv("GENGAP_STORMS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="NCARSTORM"):
        get_demo("storms").load()
