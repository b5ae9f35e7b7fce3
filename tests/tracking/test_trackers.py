"""What trackers were told, read back by their own clients; `make test-trackers` has all of them."""

import json
import struct

import keras
import numpy as np
import pytest

import gengap as gg
from gengap.errors import DataError
from gengap.tracking.records import study_metrics, tracked_runs

TREATED = "dropout(0.5)+l2(0.01)"


def test_final_numbers_are_those_of_the_result(trained):
    result, _ = trained
    run = next(one for one in tracked_runs(result) if (one.variant, one.seed) == (TREATED, 1))
    forecasts = result.test["prediction_last"].sel(variant=TREATED, seed=1).to_numpy().astype(float)
    of_truth = forecasts[np.arange(30), result.test["y_true"].to_numpy()]
    assert run.metrics["test_log_loss_at_last"] == pytest.approx(-np.log(of_truth).mean(), rel=1e-6)
    assert run.curves["val_score"] == {
        epoch: pytest.approx(float(result.history["val_score"].sel(variant=TREATED, seed=1, epoch=epoch)))
        for epoch in (1, 2, 3)
    }
    both = [one.metrics["test_log_loss_at_last"] for one in tracked_runs(result) if one.variant == TREATED]
    assert study_metrics(result)[f"{TREATED}/test_log_loss_at_last/sd"] == pytest.approx(np.std(both, ddof=1))


@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_mlflow_holds_a_parent_and_its_runs(trained, tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="make test-trackers has MLflow")
    result, _ = trained
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    before, active = mlflow.get_tracking_uri(), mlflow.active_run()
    client = mlflow.MlflowClient(uri)
    client.create_experiment("storms", artifact_location=(tmp_path / "artifacts").as_uri())
    shipped = gg.ship(result, "baseline")
    parent = gg.tracking.to_mlflow(result, experiment="storms", tracking_uri=uri, shipped=shipped)
    assert (mlflow.get_tracking_uri(), mlflow.active_run()) == (before, active)
    where = client.get_experiment_by_name("storms").experiment_id
    children = client.search_runs([where], f"tags.`mlflow.parentRunId` = '{parent}'")
    assert {(one.data.tags["variant"], one.data.params["seed"]) for one in children} == {
        (variant, str(seed)) for variant in result.variants for seed in result.seeds
    }
    one = next(one for one in children if one.data.tags["variant"] == TREATED and one.data.params["seed"] == "0")
    curve = client.get_metric_history(one.info.run_id, "val_score")
    assert [entry.step for entry in sorted(curve, key=lambda entry: entry.step)] == [1, 2, 3]
    stored = result.history["val_score"].sel(variant=TREATED, seed=0).to_numpy()
    assert [entry.value for entry in sorted(curve, key=lambda entry: entry.step)] == pytest.approx(stored)
    held = client.get_run(parent)
    assert held.info.status == "FINISHED"
    assert held.data.params["settings.epochs"] == "3"
    assert held.data.metrics["dropout_0.5__l2_0.01_/test_log_loss_at_best/mean"] > 0
    folder = mlflow.artifacts.download_artifacts(run_id=parent, tracking_uri=uri, dst_path=str(tmp_path / "back"))
    model = keras.saving.load_model(f"{folder}/model/model.keras")
    x = np.ones((2, 4), "float32")
    assert model.predict(x, verbose=0) == pytest.approx(shipped.model.predict(x, verbose=0), abs=1e-6)
    manifest = json.loads((tmp_path / "back" / "manifest.json").read_text())
    assert manifest["data"]["fingerprint"] == result.manifest["data"]["fingerprint"]


def small_study(callbacks, names=("wide (a)", "wide [a]")):
    models = {}
    for name in names:
        models[name] = keras.Sequential([keras.Input((10,)), keras.layers.Dense(2), keras.layers.Dense(1)])
        models[name].compile("adam", "mse", metrics=["mae"])
    study = gg.Study(models, seeds=2, callbacks=callbacks)
    return study.run(gg.datasets.diabetes(), epochs=2, progress=False)


@pytest.mark.filterwarnings("ignore")
def test_mlflow_is_told_while_a_study_trains_and_keeps_names_apart(tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="make test-trackers has MLflow")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = mlflow.MlflowClient(uri)
    where = client.create_experiment("live", artifact_location=(tmp_path / "artifacts").as_uri())
    result = small_study([gg.tracking.LiveMLflow(experiment="live", tracking_uri=uri)])
    runs = client.search_runs([where])
    children = {
        (one.data.tags["variant"], int(one.data.tags["seed"])): one for one in runs if "variant" in one.data.tags
    }
    assert set(children) == {(name, seed) for name in result.variants for seed in (0, 1)}
    assert {one.info.status for one in runs} == {"FINISHED"}
    for (name, seed), child in children.items():
        entries = client.get_metric_history(child.info.run_id, "val_score")
        curve = [entry.value for entry in sorted(entries, key=lambda entry: entry.step)]
        assert curve == pytest.approx(result.history["val_score"].sel(variant=name, seed=seed).values)
    parent = gg.tracking.to_mlflow(result, experiment="live", tracking_uri=uri)
    held = client.get_run(parent).data.metrics
    means = study_metrics(result)
    for name, shown in (("wide (a)", "wide _a_"), ("wide [a]", "wide _a_-2")):
        number = "validation_squared_error_at_best/mean"
        assert held[f"{shown}/{number}"] == pytest.approx(means[f"{name}/{number}"])


@pytest.mark.filterwarnings("ignore")
def test_tensorboard_shows_runs_and_their_band(trained, tmp_path):
    pytest.importorskip("tensorboard", reason="make test-trackers has TensorBoard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result, _ = trained
    folder = gg.tracking.to_tensorboard(result, tmp_path / "events")

    def read(part, name="val_score"):
        events = EventAccumulator(str(folder / "dropout_0.5_+l2_0.01_" / part)).Reload()
        return {one.step: one.value for one in events.Scalars(name)}

    curves = result.history["val_score"].sel(variant=TREATED)
    assert read("seed-1") == pytest.approx({e: float(curves.sel(seed=1, epoch=e)) for e in (1, 2, 3)}, rel=1e-6)
    assert read("mean") == pytest.approx({e: float(curves.sel(epoch=e).mean()) for e in (1, 2, 3)}, rel=1e-6)
    assert read("low")[3] < read("mean")[3] < read("high")[3]
    with pytest.raises(DataError, match="not an empty folder"):
        gg.tracking.to_tensorboard(result, folder)


def offline_records(content, block=32768):
    """The records of an offline file, which `wandb sync` reads: LevelDB's log, behind seven bytes of W&B's own."""
    assert content[:4] == b":W&B"
    at, parts = 7, []
    while at + 7 <= len(content):
        if block - at % block < 7:  # too little of the block is left for a header
            at += block - at % block
            continue
        _, length, kind = struct.unpack("<IHB", content[at : at + 7])
        parts.append(content[at + 7 : at + 7 + length])
        at += 7 + length
        if kind in {1, 4}:  # whole, or the last part
            yield b"".join(parts)
            parts = []


def read_offline(folder):
    """Each run's curve of `val_score`, by job type and group."""
    from wandb.proto.wandb_internal_pb2 import Record

    found = {}
    for file in folder.rglob("*.wandb"):
        records = [Record.FromString(content) for content in offline_records(file.read_bytes())]
        (run,) = {(one.run.job_type, one.run.run_group) for one in records if one.WhichOneof("record_type") == "run"}
        rows = [one.history.item for one in records if one.WhichOneof("record_type") == "history"]
        values = [{item.key or item.nested_key[0]: json.loads(item.value_json) for item in row} for row in rows]
        found[run] = [row["val_score"] for row in values]
    return found


@pytest.mark.filterwarnings("ignore")
def test_weights_and_biases_keeps_runs_by_seed(trained, tmp_path):
    pytest.importorskip("wandb", reason="make test-trackers has Weights & Biases")
    result, _ = trained
    assert len(gg.tracking.to_wandb(result, folder=tmp_path)) == 4
    found = read_offline(tmp_path)
    assert set(found) == {(variant, f"seed {seed}") for variant in result.variants for seed in (0, 1)}
    stored = result.history["val_score"].sel(variant=TREATED, seed=1).to_numpy()
    assert found[TREATED, "seed 1"] == pytest.approx(stored)


@pytest.mark.filterwarnings("ignore")
def test_weights_and_biases_is_told_while_a_study_trains(tmp_path):
    pytest.importorskip("wandb", reason="make test-trackers has Weights & Biases")
    result = small_study([gg.tracking.LiveWandb(folder=tmp_path, group_by="variant")])
    found = read_offline(tmp_path)
    assert set(found) == {(f"seed {seed}", name) for name in result.variants for seed in (0, 1)}
    for (seed, name), curve in found.items():
        own = result.history["val_score"].sel(variant=name, seed=int(seed.split()[1]))
        assert curve == pytest.approx(own.values)


@pytest.mark.filterwarnings("ignore")
def test_a_study_writes_tensorboard_as_it_runs(tmp_path):
    pytest.importorskip("tensorboard", reason="make test-trackers has TensorBoard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    study = gg.Study(model, seeds=2, callbacks=[keras.callbacks.TensorBoard(tmp_path)])
    result = study.run(gg.datasets.diabetes(), epochs=2, progress=False)
    events = EventAccumulator(str(tmp_path / "baseline" / "seed-1")).Reload()
    stored = result.history["val_score"].sel(variant="baseline", seed=1).to_numpy()
    assert [one.value for one in events.Scalars("val_score")] == pytest.approx(stored, rel=1e-6)
    assert [one.step for one in events.Scalars("val_score")] == [0, 1]  # as Keras counts them
