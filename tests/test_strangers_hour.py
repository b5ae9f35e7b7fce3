"""What somebody who has not read the code tries in a first hour: each outcome is right, or one true sentence.

Each entry is what is tried and what the sentence must say; `test_bad_input.py` holds what is wrong on purpose.
"""

import sys
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers

import gengap as gg
from gengap.cli import main
from gengap.storage import Store

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


def net(*, compiled=True, units=1):
    made = keras.Sequential([keras.Input((3,)), layers.Dense(4, "relu"), layers.Dense(units, "sigmoid")])
    if compiled:
        made.compile("sgd", "binary_crossentropy")
    return made


def run(**given):
    study = gg.Study(net(), seeds=1, **given.pop("study", {}))
    return study.run(**{"x": X[:30], "y": Y[:30], "validation_data": (X[30:], Y[30:]), "epochs": 1, **given})


def results(**given):
    two = {"a": RNG.uniform(0.1, 0.9, (2, 40)), "b": RNG.uniform(0.1, 0.9, (2, 40))}
    return gg.Result.from_predictions(
        **{"y_true": Y, "predictions": two, "task": "binary", "score": "log_loss", **given}
    )


CALLS = {
    "a class for a model": (lambda _: gg.Study(keras.Sequential), "must be a keras.Model"),
    "a function that builds": (lambda _: gg.Study(net), "must be a keras.Model"),
    "a list of models": (lambda _: gg.Study([net(), net()]), "must be a keras.Model; received list"),
    "a tuple of names": (lambda _: gg.Study({("a", "b"): net()}), "must be text"),
    "a number and its digits": (lambda _: gg.Study({1: net(), "1": net()}), "would both be shown as '1'"),
    "an empty name": (lambda _: gg.Study({"": net()}), "must not be empty"),
    "a name of two lines": (lambda _: gg.Study({"my\nnet": net()}), r"U\+000A"),
    "remedies to models by name": (lambda _: gg.Study({"a": net()}, remedies=["l2(0.1)"]), "one model and remedies"),
    "a remedy's class": (lambda _: gg.Study(net(), remedies=[gg.L2]), "L2"),
    "Keras' own layer": (lambda _: gg.Study(net(), remedies=[layers.Dropout(0.5)]), r"gg.Dropout\(0.5\)"),
    "Keras' own regularizer": (lambda _: gg.Study(net(), remedies=[keras.regularizers.L2(0.1)]), "not a remedy"),
    "a percentage": (lambda _: gg.Study(net(), remedies=[gg.Dropout(50)]), "50"),
    "a remedy misspelt": (lambda _: gg.Study(net(), remedies=["drpout(0.5)"]), "dropout"),
    "no model compiled": (lambda _: gg.Study(net(compiled=False)), "not compiled"),
    "seeds as text": (lambda _: gg.Study(net(), seeds="10"), "`seeds` must be"),
    "compile as text": (
        lambda _: gg.Computation(compile="yes"),
        "`compile` must be True or False",
    ),
    "a memory limit for a study": (
        lambda _: gg.Study(net(), computation=gg.Computation(memory_limit=9)),
        "has no use for",
    ),
    "no epochs": (lambda _: gg.Study(net()).run(X, Y), "epochs"),
    "epochs as a float": (lambda _: run(epochs=2.5), "`epochs` must be a positive integer"),
    "callbacks": (lambda _: run(callbacks=[keras.callbacks.EarlyStopping()]), r"gg.Study\(\.\.\., callbacks="),
    "verbose": (lambda _: run(verbose=0), "progress=False"),
    "learning rate": (lambda _: run(learning_rate=0.1), "no argument `learning_rate`"),
    "answers forgotten": (lambda _: run(y=None), "`y` is missing"),
    "answers one too few": (lambda _: run(y=Y[:29]), "30 cases"),
    "numbers as objects": (lambda _: run(x=X[:30].astype(object)), "make it numbers, with `.astype"),
    "answers as objects": (lambda _: run(y=Y[:30].astype(object)), "make them numbers, with `.astype"),
    "answers as words": (lambda _: run(y=np.where(Y[:30], "yes", "no")), "encode labels as integers"),
    "labels from one": (lambda _: run(y=Y[:30] + 1), "must be the integers 0 to 1"),
    "a transposed table": (lambda _: run(x=X[:30].T), "30|different|shape"),
    "inputs as words": (lambda _: run(x=np.array([["a", "b", "c"]] * 30)), "must hold real numbers"),
    "a frame with a column of words": (
        lambda _: run(x=pd.DataFrame(X[:30]).assign(**{"2": "a"})),
        "must hold real numbers",
    ),
    "a frame with dates": (
        lambda _: run(x=pd.DataFrame(X[:30]).assign(day=pd.Timestamp("2024-01-01"))),
        "must hold real numbers",
    ),
    "holes in the inputs": (lambda _: run(x=np.where(X[:30] > 2, np.nan, X[:30] * np.nan)), "NaN or infinite"),
    "an endless generator of nothing": (lambda _: run(x=iter(()), y=None), "yields no batch"),
    "a path for data": (lambda f: run(x=str(f / "good.csv")), "must be an array"),
    "training data for validation": (lambda _: run(validation_data=(X[:30], Y[:30])), "is the training split itself"),
    "validation as a number": (lambda _: run(validation_data=0.2), "must be a `Split`, or a tuple"),
    "all held out": (lambda _: run(validation_data=None, validation_split=1.0), "between 0 and 1"),
    "class weights as a list": (lambda _: run(class_weight=[1, 2]), "must be a mapping from labels to weights"),
    "weights of another length": (lambda _: run(sample_weight=np.ones(3)), r"must have shape \(30,\)"),
    "a folder with a thesis for storage": (lambda f: run(study={"storage": f / "home"}), "holds other files"),
    "a file for storage": (lambda f: run(study={"storage": f / "good.csv"}), "is a file"),
    "a result of nothing": (lambda f: gg.load(f / "home"), "contains no stored study"),
    "a folder that is not there": (lambda f: gg.load(f / "nowhere"), "there is no folder"),
    "predictions of another length": (lambda _: results(y_true=Y[:9]), "must hold arrays of shape"),
    "predictions under two alike names": (
        lambda _: results(predictions={"a": np.full((2, 40), 0.5), "a ": np.full((2, 40), 0.4)}),
        "must differ",
    ),
    "a report in French": (lambda f: gg.report(results(), f / "r.html", lang="fr"), "Report languages are en, zh"),
    "a variant that is none": (lambda _: results().model("c"), "There is no variant 'c'|cannot be rebuilt|no model"),
    "a result saved over a climate": (lambda f: results().save(f / "climate"), "was not written by gengap"),
    "a store read while it is none": (lambda f: Store.open(f / "good.csv"), "there is no folder|no study"),
}

HISTORY = {"loss": [0.7, 0.6], "val_loss": [0.7, 0.65]}


def curves(histories, **given):
    return gg.Result.from_histories(histories, **{"task": "binary", **given})


CALLS |= {
    "a page compared": (lambda _: gg.compare("report.html"), "`compare` acts on a Result.*received str"),
    "a list of results": (lambda _: gg.summarize([results()]), "`summarize` acts on a Result.*received list"),
    "nothing recommended": (lambda _: gg.recommend(None), "`recommend` acts on a Result"),
    "a report of nothing": (lambda f: gg.report(None, f / "r.html"), "`report` acts on a Result"),
    "a report over a folder": (lambda f: gg.report(results(), f / "home"), "is a folder; give the report a name"),
    "a result saved over a file": (
        lambda f: results().save(f / "good.csv"),
        "is a file; a result is saved in a folder",
    ),
    "several patiences": (lambda _: gg.early_stopping(results(), patience=range(1, 3)), "whole number of epochs"),
    "half an epoch of patience": (lambda _: gg.early_stopping(results(), patience=1.5), "whole number of epochs"),
    "a score by another name": (lambda _: results(score="brier"), "called 'brier_score' here"),
    "a score of no case": (lambda _: results(score="accuracy"), "must be one of log_loss, brier_score"),
    "training forecasts": (lambda _: results(split="train"), "`split` must be one of validation, test"),
    "percentages": (lambda _: results(predictions={"a": np.full((2, 40), 55.0)}), "divide percentages by 100"),
    "the networks of forecasts": (lambda _: results().model("a"), "has no networks"),
    "the model of an epoch": (lambda _: results().model("a", seed=0, epoch=7), "`epoch` must be one of best, last"),
    "one history, no list": (lambda _: curves({"a": HISTORY}), "must be a list with one history for each seed"),
    "names of files for histories": (lambda _: curves({"a": ["log.csv"]}), "must be mappings from names to values"),
    "histories in words": (lambda _: curves({"a": [{"loss": ["low", "high"]}]}), "must hold real numbers"),
    "a curve for each label": (
        lambda _: curves({"a": [HISTORY | {"f1": np.ones((2, 3))}]}),
        "one value for each epoch",
    ),
    "validation every other epoch": (
        lambda _: curves({"a": [HISTORY | {"val_loss": [0.7]}]}),
        "one value for each epoch",
    ),
}

RUN = ("run", "--model", "model.keras", "--data", "good.csv", "--epochs", "1", "--seeds", "1")
COMMANDS = {
    "an existing file for output": ((*RUN, "--output", "good.csv"), "good.csv is a file; `--output` needs a folder"),
    "a folder with a climate for output": ((*RUN, "--output", "climate"), "which would be written over"),
    "a language that is none": ((*RUN, "--lang", "xx"), "Report languages are en, zh"),
    "a language for a demo": (("demo", "diabetes", "--lang", "xx"), "Report languages are en, zh"),
    "a model of before": (("run", "--model", "old.h5", "--data", "good.csv"), "older format of Keras"),
    "a folder for a model": (("run", "--model", "home", "--data", "good.csv"), "older format of Keras"),
    "weights that are too few": (
        ("run", "--model", "model.keras", "--data", "weights.npz"),
        "'sample_weight' of shape",
    ),
    "storage in a home": ((*RUN, "--storage", "home"), "holds other files (thesis.part)"),
    "a report over a table": (("report", "saved", "--output", "good.csv"), "is not a report of gengap"),
    "a report of a home": (("report", "home"), "contains no stored study"),
}


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    folder = tmp_path_factory.mktemp("things")
    pd.DataFrame(X, columns=list("abc")).assign(y=Y).to_csv(folder / "good.csv", index=False)
    np.savez(folder / "weights.npz", x=X, y=Y, sample_weight=np.ones(3))
    net().save(folder / "model.keras")
    (folder / "old.h5").write_bytes(b"\x89HDF\r\n")
    (folder / "home").mkdir()
    (folder / "home" / "thesis.part").write_text("chapter 1")
    (folder / "climate").mkdir()
    (folder / "climate" / "result.nc").write_text("a climate")
    results().save(folder / "saved")
    return folder


def listing(folder):
    return {path: path.is_dir() or path.read_bytes() for path in folder.rglob("*")}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_gets_one_true_sentence(name, things):
    call, said = CALLS[name]
    before = listing(things)
    with pytest.raises((ValueError, TypeError, LookupError, OSError), match=said) as caught:
        call(things)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 500
    assert listing(things) == before


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_gets_one_true_sentence(name, things, monkeypatch, capsys):
    arguments, said = COMMANDS[name]
    monkeypatch.chdir(things)
    monkeypatch.setattr(sys, "argv", ["gengap", *arguments])
    before = listing(things)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(SystemExit) as ended:
            main()
    told = capsys.readouterr()
    assert ended.value.code == 2
    assert said in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert listing(things) == before


def test_there_are_fifty():
    assert len(CALLS) + len(COMMANDS) >= 50
