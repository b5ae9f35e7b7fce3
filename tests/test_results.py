from itertools import product

import numpy as np
import pytest
import xarray as xr

from gengap.errors import DataError, StoreError, UnknownNameError
from gengap.results import Result

RNG = np.random.default_rng(0)


def make(**manifest):
    variants, seeds, epochs, cases = ["baseline", "l2(0.01)"], [0, 1, 2], 4, 5
    coords = {"variant": variants, "seed": seeds}
    curve = (("variant", "seed", "epoch"), RNG.uniform(size=(2, 3, 4)))
    every = RNG.uniform(size=(2, 3, 4, 5)).astype(np.float16)
    facts = ("variant", "seed")
    held_out = xr.Dataset(
        {
            "y_true": ("sample", RNG.integers(0, 2, cases)),
            "prediction_last": (("variant", "seed", "sample"), every[:, :, -1].astype(np.float32)),
            "prediction_best": (("variant", "seed", "sample"), every[:, :, 0].astype(np.float32)),
            "prediction_epochs": (("variant", "seed", "epoch", "sample"), every),
        },
        coords=coords | {"epoch": np.arange(1, 5), "group": ("sample", np.array(list("aabbc")))},
    )
    return Result(
        history=xr.Dataset({"train_score": curve, "val_score": curve}, coords=coords | {"epoch": np.arange(1, 5)}),
        runs=xr.Dataset(
            {
                "best_epoch": (facts, np.full((2, 3), 1)),
                "epochs": (facts, np.full((2, 3), epochs)),
                "status": (facts, np.full((2, 3), "completed")),
            },
            coords=coords,
        ),
        validation=held_out,
        test=xr.Dataset(),
        manifest={"task": "binary", "score": "log_loss", "variants": {name: {} for name in variants}} | manifest,
        weights={key: [RNG.normal(size=(2, 3)), np.zeros(3)] for key in product(variants, seeds, ("best", "last"))},
    )


def assert_same(a, b):
    for part in ("history", "runs", "validation", "test"):
        xr.testing.assert_identical(getattr(a, part).drop_attrs(), getattr(b, part).drop_attrs())
    assert a.manifest == b.manifest


def test_netcdf_out_and_in_is_the_same_result(tmp_path):
    result = make(note="größer als <b>alles</b>")
    result.to_netcdf(tmp_path / "r.nc")
    again = Result.from_netcdf(tmp_path / "r.nc")
    assert_same(result, again)
    assert again.validation["prediction_epochs"].dtype == np.float16


def test_a_folder_keeps_weights_beside(tmp_path):
    result = make()
    result.save(tmp_path / "study")
    again = Result.load(tmp_path / "study")
    assert set(again.weights) == set(result.weights)
    for key, weights in result.weights.items():
        for one, other in zip(weights, again.weights[key], strict=True):
            np.testing.assert_array_equal(one, other)


def test_weights_are_found_from_another_folder_than_the_result_was_read_from(tmp_path, monkeypatch):
    result = make()
    result.save(tmp_path / "study")
    monkeypatch.chdir(tmp_path)
    again = Result.load("study")
    monkeypatch.chdir("/")
    for key, weights in result.weights.items():
        np.testing.assert_array_equal(again.weights[key][0], weights[0])


def test_names_never_become_paths(tmp_path):
    result = make()
    hostile = "../../etc/passwd"
    renamed = Result(
        *(part.assign_coords(variant=["baseline", hostile]) if part.sizes else part for part in
          (result.history, result.runs, result.validation, result.test)),
        manifest=result.manifest,
        weights={(hostile, 0, "best"): [np.zeros(2)]},
    )  # fmt: skip
    renamed.save(tmp_path / "deep" / "study")
    assert {path.parent.name for path in tmp_path.rglob("*.safetensors")} == {"weights"}
    assert Result.load(tmp_path / "deep" / "study").weights[hostile, 0, "best"][0].shape == (2,)


@pytest.mark.parametrize("damage", ["missing", "text", "truncated"])
def test_a_damaged_file_is_said(tmp_path, damage):
    path = tmp_path / "r.nc"
    if damage == "text":
        path.write_text("no result")
    if damage == "truncated":
        make().to_netcdf(path)
        path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(StoreError, match="is not a result of gengap, or it is damaged"):
        Result.from_netcdf(path)


def test_selected_variants_are_saved_with_their_weights_alone(tmp_path):
    result = make()
    result.select(["l2(0.01)"]).save(tmp_path)
    again = Result.load(tmp_path)
    assert {variant for variant, _, _ in again.weights} == {"l2(0.01)"}
    np.testing.assert_array_equal(again.weights["l2(0.01)", 0, "best"][0], result.weights["l2(0.01)", 0, "best"][0])


def test_variants_can_be_selected():
    chosen = make().select(["l2(0.01)"])
    assert chosen.variants == ("l2(0.01)",)
    assert chosen.baseline == "l2(0.01)"
    with pytest.raises(UnknownNameError, match="no variant 'dropout'; variants are baseline, "):
        make().select(["dropout"])


def test_the_median_run_is_a_run_of_median_score():
    result = make()
    result.history["val_score"].values[0, :, 0] = [0.3, 0.1, 0.2]
    assert result.median_seed("baseline") == 2
    result.history["val_score"].values[0, :, 0] = [np.nan, 0.1, 0.2]
    assert result.median_seed("baseline") == 1


def test_frames_have_a_row_for_each_coordinate():
    result = make()
    assert len(result.to_dataframe()) == 2 * 3 * 4
    assert len(result.to_dataframe("runs")) == 2 * 3


def test_histories_of_other_tools_become_a_result():
    histories = {
        "a": [{"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.5, 2.7]}, {"loss": [3.0, 2.0], "val_loss": [3.0, 2.4]}],
        "b": [{"loss": [1.0], "val_loss": [1.5]}, {"loss": [1.0], "val_loss": [1.4]}],
    }
    result = Result.from_histories(histories, task="regression")
    assert result.runs["epochs"].values.tolist() == [[3, 2], [1, 1]]
    assert result.runs["best_epoch"].values.tolist() == [[2, 2], [1, 1]]
    assert np.isnan(result.history["val_score"].sel(variant="a", seed=1, epoch=3))
    assert result.history["val_score"].sel(variant="a", seed=0, epoch=3) == 2.7


def test_a_curve_to_maximize_is_negated():
    result = Result.from_histories(
        {"a": [{"accuracy": [0.5, 0.9], "val_accuracy": [0.7, 0.6]}]},
        task="binary",
        score="accuracy",
        larger_is_better=True,
    )
    assert result.runs["best_epoch"].item() == 1


@pytest.mark.parametrize(
    ("histories", "sentence"),
    [({}, "at least one variant"), ({"a": []}, "one history for each"), ({"a": [{"mae": [1.0]}]}, "no curve 'loss'")],
)
def test_histories_that_hold_too_little_are_refused(histories, sentence):
    with pytest.raises(DataError, match=sentence):
        Result.from_histories(histories, task="binary")


def test_predictions_of_other_tools_become_a_result():
    result = Result.from_predictions(
        [0, 1, 1], {"a": [0.1, 0.8, 0.7], "b": [[0.2, 0.3, 0.9]]}, task="binary", score="log_loss"
    )
    assert result.test["prediction_best"].dims == ("variant", "seed", "sample")
    assert result.splits.keys() == {"test"}
    with pytest.raises(DataError, match=r"shape \(seeds, 3"):
        Result.from_predictions([0, 1, 1], {"a": [0.1, 0.8]}, task="binary", score="log_loss")
