"""Runs of the same seeds by two programs are paired, and equivalence is claimed only where it is shown."""

import json

import numpy as np
import pytest

from gengap.results import Result
from gengap_examples.side_by_side import against_itself, best_losses, by_law, read_runs, side_by_side

EPOCHS = 4


def study(shift=0.0, noise=0.0, seeds=10, names=("original", "bigger"), sd=0.01):
    """Curves whose best loss is .28 plus what each seed brings, plus noise of their own."""
    random = np.random.default_rng(1)
    of_seed = random.normal(0, sd, seeds)
    own = np.random.default_rng(2).normal(0, noise, (len(names), seeds)) if noise else np.zeros((len(names), seeds))
    curve = np.array([0.4, 0.28, 0.3, 0.35])
    histories = {
        name: [
            {"loss": curve, "val_loss": curve + of_seed[seed] + shift + own[at, seed], "penalty": np.zeros(EPOCHS)}
            for seed in range(seeds)
        ]
        for at, name in enumerate(names)
    }
    return Result.from_histories(histories, task="binary")


def runs(result):
    return {
        name: {
            seed: result.history["val_loss"].sel(variant=name, seed=seed).to_numpy().tolist() for seed in result.seeds
        }
        for name in result.variants
    }


def cells(table):
    names = [column.name for column in table.columns]
    return {row[0]: dict(zip(names, row, strict=True)) for row in table.rows}


def test_equal_runs_are_shown_to_be_equal():
    result = study()
    row = cells(side_by_side(result, runs(result)))["original"]
    assert (row["seeds"], row["epochs"], row["verdict"]) == (10, EPOCHS, "shown")
    assert row["first"] == row["any"] == 0
    assert row["difference"].value == 0


def test_a_shift_of_one_seed_sd_is_no_equality():
    other = study()
    row = cells(side_by_side(study(shift=0.02), runs(other)))["bigger"]
    assert row["verdict"] == "no"
    assert row["difference"].value == pytest.approx(0.02)
    assert row["first"] == pytest.approx(0.02)
    assert row["in_sds"].value == pytest.approx(0.02 / row["sd"])


def test_a_small_difference_that_noise_hides_is_only_as_measured():
    row = cells(side_by_side(study(noise=0.02), runs(study())))["original"]
    assert abs(row["in_sds"].value) <= 0.5 < row["in_sds"].high
    assert row["verdict"] == "as measured"


def test_a_program_is_set_beside_itself():
    once, again = runs(study()), runs(study(shift=0.01))
    row = cells(against_itself(once, {"bigger": {seed: again["bigger"][seed] for seed in (3, 4, 5)}}))
    assert set(row) == {"bigger"}
    assert row["bigger"]["seeds"] == 3
    assert row["bigger"]["difference"].value == pytest.approx(0.01)
    assert row["bigger"]["any"] == pytest.approx(0.01)


def test_runs_are_read_by_kind(tmp_path):
    path = tmp_path / "runs.json"
    assert read_runs(path, "keras3") == {}
    curves = {"val_loss": [0.3, 0.2], "loss": [1.0, 0.5]}
    path.write_text(json.dumps({"keras3/original/4": curves, "keras3, nudged/original/4": {"val_loss": [0.1]}}))
    assert read_runs(path, "keras3") == {"original": {4: [0.3, 0.2]}}


def test_both_sides_are_read_over_the_epochs_that_both_trained():
    result = study()
    short = {"original": {seed: curve[:1] for seed, curve in runs(result)["original"].items()}}
    row = cells(side_by_side(result, short))["original"]
    assert row["epochs"] == 1
    assert row["study"].value == pytest.approx(row["other"].value)
    assert "bigger" not in cells(side_by_side(result, short))


def test_seeds_that_the_other_program_lacks_are_left_out():
    result = study()
    some = {"original": {seed: curve for seed, curve in runs(result)["original"].items() if seed in {2, 5, 7}}}
    row = cells(side_by_side(result, some))["original"]
    assert row["seeds"] == 3
    assert row["difference"].value == 0


def test_the_penalty_counts_as_keras_reports_it():
    result = study()
    result.history["penalty"][:] = 0.1
    np.testing.assert_allclose(best_losses(result, "original"), best_losses(study(), "original") + 0.1)


def test_the_book_is_near_or_far_by_each_law():
    now, then = study(shift=0.05), study(names=("original",))
    table = cells(by_law(now, then))
    assert (table["original"]["now_near"], table["original"]["then_near"]) == ("no", "yes")
    assert table["original"]["change"].value == pytest.approx(-0.05)
    assert table["bigger"]["then"] is None
    assert table["original"]["single"] == "no; yes"
