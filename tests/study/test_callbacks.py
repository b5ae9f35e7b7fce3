"""Callbacks of Keras in a study: each does per run what it does in `fit`, or is refused with what to do instead."""

import csv

import keras
import numpy as np
import pytest
from keras import callbacks, layers

import gengap as gg
from gengap.errors import DataError, GengapError, GengapWarning, ModelError, StudyChangedError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype("float32")
Y = (X[:, 0] + 0.5 * RNG.normal(size=60) > 0).astype(int)


def model(rate=0.05):
    made = keras.Sequential([keras.Input((3,)), layers.Dense(8, "relu"), layers.Dense(1, "sigmoid")])
    made.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return made


def run(given, *, epochs=2, remedies=("l2(0.01)",), **options):
    study = gg.Study(model(), remedies=remedies, seeds=2, callbacks=given, **options)
    return study.run(X[:40], Y[:40], validation_data=(X[40:], Y[40:]), epochs=epochs, progress=False)


def test_a_lambda_hears_every_epoch_of_every_run():
    heard = []
    result = run([callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: heard.append((epoch, dict(logs))))])
    assert {(logs["variant"], logs["seed"], epoch) for epoch, logs in heard} == {
        (variant, seed, epoch) for variant in result.variants for seed in (0, 1) for epoch in (0, 1)
    }
    for epoch, logs in heard:
        own = result.history.sel(variant=logs["variant"], seed=logs["seed"], epoch=epoch + 1)
        assert logs["val_score"] == float(own["val_score"])


def test_a_csv_logger_writes_one_table_of_all_runs(tmp_path):
    result = run([callbacks.CSVLogger(tmp_path / "log.csv", separator=";")])
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert len(rows) == 8
    row = next(one for one in rows if (one["variant"], one["seed"], one["epoch"]) == ("l2(0.01)", "1", "1"))
    stored = result.history["loss"].sel(variant="l2(0.01)", seed=1, epoch=2)
    assert float(row["loss"]) == pytest.approx(float(stored))


def test_early_stopping_is_the_rule_of_every_variant():
    given = [callbacks.EarlyStopping(patience=2, min_delta=0.001), callbacks.TerminateOnNaN()]
    result = run(given, epochs=40, remedies=("early_stopping(3)",))
    by_hand = gg.Study(model(), remedies=[gg.EarlyStopping(2, min_delta=0.001), gg.EarlyStopping(3)], seeds=2).run(
        X[:40], Y[:40], validation_data=(X[40:], Y[40:]), epochs=40, progress=False
    )
    stopped = by_hand.runs["epochs"].sel(variant="early_stopping(2, min_delta=0.001)")
    assert result.runs["epochs"].sel(variant="baseline").values.tolist() == stopped.values.tolist()
    own = by_hand.runs["epochs"].sel(variant="early_stopping(3)")
    assert result.runs["epochs"].sel(variant="early_stopping(3)").values.tolist() == own.values.tolist()


def test_a_callback_that_fails_takes_no_training_with_it():
    def fail(epoch, logs):
        raise RuntimeError("no network")

    with pytest.warns(GengapWarning, match=r"RuntimeError: no network\); the training goes on without it"):
        result = run([callbacks.LambdaCallback(on_epoch_end=fail)])
    assert (result.runs["status"] == "completed").all()


def test_checkpoints_are_the_stores_where_there_is_one(tmp_path):
    given = [callbacks.ModelCheckpoint(tmp_path / "best.keras", save_best_only=True)]
    with pytest.raises(TypeError, match="give `storage=`"):
        run(given)
    assert run(given, storage=tmp_path / "store").model("baseline", seed=1).built


def halved(epoch, rate):
    return 0.5 * rate if epoch else rate


def test_rates_fall_run_by_run_as_in_keras_and_go_on_where_a_store_ended(tmp_path):
    given = [callbacks.ReduceLROnPlateau(patience=1, min_delta=0.02), callbacks.LearningRateScheduler(halved)]
    result = run(given, epochs=5)
    rates = result.history["learning_rate"]
    assert len({tuple(rates.sel(variant=name, seed=seed).values) for name in result.variants for seed in (0, 1)}) > 1
    for name in result.variants:
        oracle, keras_own = model(), [callbacks.ReduceLROnPlateau(patience=1, min_delta=0.02), given[1]]
        for one in keras_own:
            one.set_model(oracle)
            one.on_train_begin()
        for epoch, loss in enumerate(result.history["val_loss"].sel(variant=name, seed=1).values):
            keras_own[1].on_epoch_begin(epoch)
            keras_own[0].on_epoch_end(epoch, logs := {"val_loss": float(loss)})
            assert float(rates.sel(variant=name, seed=1)[epoch]) == logs["learning_rate"]
    run(given, epochs=5, storage=tmp_path, remedies=())
    again = run(given, epochs=5, storage=tmp_path)
    np.testing.assert_allclose(again.manifest["settings"]["rates"][1]["schedule"], 0.05 * 0.5 ** np.arange(5))
    with pytest.raises(StudyChangedError, match=r"settings\.rates"):
        run([given[0]], epochs=5, storage=tmp_path)
    with pytest.raises(ModelError, match="changed the learning rate"):
        gg.ship(result, "baseline", retrain_on=gg.Split(X, Y))


def test_what_a_rate_follows_must_be_there():
    with pytest.raises(DataError, match="monitor='loss'"):
        gg.Study(model(), seeds=1, callbacks=[callbacks.ReduceLROnPlateau()]).run(X, Y, epochs=1)
    scheduled = model(keras.optimizers.schedules.CosineDecay(0.1, 10))
    with pytest.raises(ModelError, match="schedule of its own"):
        gg.Study(scheduled, seeds=1, callbacks=[callbacks.LearningRateScheduler(halved)])


class Own(callbacks.Callback):
    pass


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        (lambda: callbacks.ReduceLROnPlateau("val_accuracy"), ValueError, "'val_loss', 'loss' or 'val_score'"),
        (lambda: callbacks.ReduceLROnPlateau(mode="max"), ValueError, "the smaller they are"),
        (lambda: callbacks.BackupAndRestore("folder"), TypeError, "goes on after a crash"),
        (callbacks.SwapEMAWeights, TypeError, r"gg\.EMA"),
        (lambda: callbacks.LambdaCallback(on_batch_end=print), TypeError, "`on_epoch_end`"),
        (callbacks.LambdaCallback, TypeError, "does nothing"),
        (lambda: callbacks.LearningRateScheduler(0.1), TypeError, "a function of the epoch; received 0.1"),
        (lambda: callbacks.EarlyStopping(monitor="val_accuracy", patience=3), ValueError, r"gg\.EarlyStopping"),
        (lambda: callbacks.EarlyStopping(patience=3, start_from_epoch=4), ValueError, r"gg\.EarlyStopping"),
        (Own, TypeError, "a callback of your own"),
        (lambda: print, TypeError, "takes callbacks of Keras"),
    ],
)
def test_others_name_the_way_to_do_it_here(given, error, said):
    with pytest.raises(error, match=said):
        gg.Study(model(), callbacks=[given()])


@pytest.mark.parametrize("cv", [3, gg.CrossValidation(2, redraw=False)])
def test_a_run_of_a_fold_is_named_by_the_seed_that_was_given_and_its_fold(tmp_path, cv):
    heard = set()
    each = callbacks.LambdaCallback(
        on_epoch_end=lambda _, logs: heard.add((logs["variant"], logs["seed"], logs["fold"]))
    )
    study = gg.Study(
        model(), remedies=["l2(0.01)"], seeds=[4, 7], callbacks=[each, callbacks.CSVLogger(tmp_path / "a")]
    )
    result = study.run(X, Y, cv=cv, epochs=1, progress=False)
    folds = result.manifest["resampling"]["folds"]
    assert heard == {(name, seed, fold) for name in result.variants for seed in (4, 7) for fold in range(folds)}
    with (tmp_path / "a").open(newline="") as file:
        assert {(row["variant"], int(row["seed"]), int(row["fold"])) for row in csv.DictReader(file)} == heard


def test_a_file_that_cannot_be_written_is_said_before_anything_trains(tmp_path):
    for path in (tmp_path, tmp_path / "none" / "log.csv"):
        with pytest.raises(GengapError, match="CSVLogger cannot write to"):
            run([callbacks.CSVLogger(path)])
    with pytest.raises(ValueError, match="one character"):
        run([callbacks.CSVLogger(tmp_path / "log.csv", separator=";;")])
