"""A search from end to end: trials, the chosen one judged anew, resumed, halted, diverged, nested."""

import json
import random
import shutil

import keras
import numpy as np
import optuna
import pytest
from scipy import stats

import gengap as gg
from gengap.errors import DataError, ModelError, StoreError, StudyChangedError

QUICK = {"epochs": 3, "seeds": 2, "judge_seeds": 2, "progress": False}


def space():
    return {gg.Dropout: [None, (0.1, 0.6)], gg.L2: stats.loguniform(1e-4, 1e-1)}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return tmp_path_factory.mktemp("search") / "kept"


@pytest.fixture(scope="module")
def found(make_net, parts, stored):
    train, validation, test = parts
    net = make_net()
    return gg.search(
        net, space(), train, validation_data=validation, test_data=test, n_trials=18, storage=stored, **QUICK
    )


def test_every_trial_is_what_a_study_of_its_remedy_gives(found, net, parts):
    train, validation, _ = parts
    one = found[17]
    assert one.epochs == 3
    alone = gg.Study(net, remedies=[one.remedy], seeds=2).run(
        train, validation_data=validation, epochs=3, progress=False
    )
    curves = alone.history["val_score"].sel(variant=one.remedy)
    np.testing.assert_allclose(one.scores, curves.min("epoch"), rtol=1e-5)
    np.testing.assert_allclose(found.baseline.curve, alone.history["val_score"][0].mean("seed"), rtol=1e-5)


def test_the_chosen_is_judged_with_seeds_and_cases_that_chose_nothing(found):
    assert found.best.score == min(one.score for one in found.trials)
    assert found.result.variants[:2] == ("baseline", found.best.remedy)
    assert found.result.seeds == (2, 3), "no seed of the trials"
    assert found.result.test.sizes["sample"] == 80
    told = found.result.manifest["search"]
    assert told["trials"][found.best.number]["remedy"] == found.remedy
    assert "nothing was chosen by" in found.sentence
    assert str(gg.compare(found.result)[found.remedy].verdict.short) in found.sentence
    assert gg.recommend(found.result).choice.variant in found.result.variants
    assert "best" in str(found)


def test_optuna_holds_the_trials_and_its_dashboard_a_file(found, stored):
    journal = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(stored / "optuna.journal")))
    kept = optuna.load_study(storage=journal, study_name="gengap")
    assert [one.value for one in kept.trials] == [one.score for one in found.trials]
    assert kept.best_trial.number == found.best.number
    assert sum(found.importances.values()) == pytest.approx(1)


def test_models_made_in_between_move_nobody_elses_random_numbers(net, parts):
    """Keras draws a seed from Python's `random` for each initializer without one, those of clones included."""
    train, validation, _ = parts
    random.seed(5)
    state = random.getstate()
    kept = [one.copy() for one in net.get_weights()]
    gg.search(net, {**space(), "learning_rate": (0.5, 2)}, train, validation_data=validation, n_trials=2, **QUICK)
    gg.suggest(net, train)
    gg.Study(net, remedies=["l2(0.1)"], seeds=1).run(train, validation_data=validation, epochs=1, progress=False)
    assert random.getstate() == state
    assert all(np.array_equal(a, b) for a, b in zip(kept, net.get_weights(), strict=True)), "trained in place"


def test_searching_again_trains_nothing_and_says_the_same(found, net, parts, stored, monkeypatch):
    train, validation, test = parts
    monkeypatch.setattr("gengap.engine.trainer.Trainer.advance", lambda _: pytest.fail("something was trained"))
    again = gg.search(
        net, space(), train, validation_data=validation, test_data=test, n_trials=18, storage=stored, **QUICK
    )
    assert [one.to_dict() for one in again.trials] == [one.to_dict() for one in found.trials]
    assert again.sentence == found.sentence
    assert json.dumps(gg.load(stored / "judged").manifest["search"]) == json.dumps(again.result.manifest["search"])


@pytest.mark.parametrize("content", ["", '{"space": {', "[]", "\x00"])
def test_a_damaged_word_of_what_the_search_is_is_said_and_trials_are_kept(found, stored, net, parts, tmp_path, content):
    train, validation, test = parts
    kept = shutil.copytree(stored, tmp_path / "kept")
    (kept / "search.json").write_text(content)
    given = {"validation_data": validation, "test_data": test, "n_trials": 18, "storage": kept, **QUICK}
    with pytest.raises(StoreError, match=r"search.json is damaged.*delete it"):
        gg.search(net, space(), train, **given)
    assert (kept / "search.json").read_text() == content


def test_a_journal_of_somebody_else_is_not_written_over(net, parts, tmp_path):
    (tmp_path / "optuna.journal").write_text("mine")
    train, validation, _ = parts
    with pytest.raises(StoreError, match=r"optuna.journal was not written by a search of gengap"):
        gg.search(net, space(), train, validation_data=validation, storage=tmp_path, n_trials=1, **QUICK)
    assert (tmp_path / "optuna.journal").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_another_search_is_not_continued(found, net, parts, stored):
    train, validation, test = parts
    with pytest.raises(StudyChangedError, match="holds another search: space is"):
        gg.search(net, {gg.L2: (0.1, 1)}, train, validation_data=validation, test_data=test, storage=stored, **QUICK)


def test_halted_trials_leave_and_the_others_train_as_if_alone(net, parts):
    train, validation, test = parts
    given = {"validation_data": validation, "test_data": test, "n_trials": 9, **QUICK, "epochs": 6}
    pruned = gg.search(net, {gg.L2: stats.loguniform(1e-4, 1e-1)}, train, pruning=3, **given)
    whole = gg.search(net, {gg.L2: stats.loguniform(1e-4, 1e-1)}, train, **given)
    assert sorted(one.epochs for one in pruned.trials) == [1] * 6 + [2] * 2 + [6]
    assert pruned.best.state == "complete"
    assert pruned.best.score == pytest.approx(whole[pruned.best.number].score, rel=1e-5)
    first = pruned.baseline.curve
    np.testing.assert_allclose(first, whole.baseline.curve, rtol=1e-5)


def test_a_pruner_of_optuna_halts_trials_inside_the_stack(net, parts):
    """It is told what each trial scores after every epoch, and what it lets go on trains as if alone."""
    train, validation, _ = parts

    class Hopeless(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            told = trial.intermediate_values
            return trial.number % 2 == 1 and max(told) == 2

    fit = {"validation_data": validation, "n_trials": 6, **QUICK}
    found = gg.search(net, space(), train, pruning=Hopeless(), **fit)
    whole = gg.search(net, space(), train, **fit)
    assert [one.state for one in found.trials] == ["complete", "halted"] * 3
    assert [one.epochs for one in found.trials] == [3, 2] * 3
    states = [one.state.name for one in found.study.trials]
    assert states == ["COMPLETE", "PRUNED"] * 3
    for number in (0, 2, 4):
        np.testing.assert_allclose(found[number].scores, whole[number].scores, atol=1e-5)
        told = list(found.study.trials[number].intermediate_values.values())
        np.testing.assert_allclose(told, found[number].curve, rtol=1e-6)
    with pytest.raises(DataError, match="Hopeless keeps no account"):
        gg.search(net, space(), train, pruning=Hopeless(), storage="nowhere", **fit)


def test_a_trial_that_diverges_is_said_and_never_chosen(net, parts):
    train, validation, _ = parts
    net.compile(keras.optimizers.SGD(0.1), "mse")
    values = {"learning_rate": [0.1, 1e30]}
    found = gg.search(net, values, train, validation_data=validation, n_trials=4, task="regression", **QUICK)
    assert {one.state for one in found.trials} == {"complete", "diverged"}
    assert found.remedy == "learning_rate(0.1)"
    assert any("diverged" in note for note in found.notes)
    assert "flatters" in found.sentence


def test_folds_choose_for_themselves_and_are_judged_on_their_own_test_cases(net, parts):
    pool = gg.Split(np.concatenate([one.x for one in parts]), np.concatenate([one.y for one in parts]))
    found = gg.search(net, space(), pool, cv=3, n_trials=4, **QUICK)
    folds = found.result.manifest["search"]["folds"]
    for fold in range(3):
        best = min(found.trials, key=lambda one: one.of_folds[fold])
        assert folds[fold] == best.remedy
    assert found.result.variants == ("baseline", "searched")
    assert found.result.test.sizes["sample"] == 240
    assert "judged" in found.sentence
    one = found.trials[0]
    assert one.of_folds.mean() == pytest.approx(one.score, rel=1e-6), "folds of 80 cases each"


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"validation_data": None}, DataError, "chooses strengths by a validation split"),
        ({"n_trials": 0}, ValueError, "`n_trials` must be a whole number of at least 1"),
        ({"pruning": 1}, ValueError, "`pruning` must be a whole number of at least 2"),
        ({"cv": 3, "pruning": 3, "validation_data": None}, DataError, "leave it out"),
        ({"cv": gg.CrossValidation(3, redraw=True), "validation_data": None}, DataError, "leave out `redraw`"),
        ({"cv": 3, "validation_data": None, "sampler": optuna.samplers.TPESampler()}, DataError, "without looking"),
        ({"x": None, "space": None}, DataError, "`y` is missing"),
        ({"sampler": "tpe"}, TypeError, "must be a sampler of Optuna"),
        ({"callbacks": []}, TypeError, "callbacks"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_trains(net, parts, changes, error, sentence, monkeypatch):
    train, validation, _ = parts
    monkeypatch.setattr("gengap.engine.trainer.Trainer.advance", lambda _: pytest.fail("something was trained"))
    given = {"x": train, "space": space(), "validation_data": validation, "n_trials": 2, **QUICK, **changes}
    with pytest.raises(error, match=sentence):
        gg.search(net, **given)


def test_several_models_are_not_searched(net, parts):
    with pytest.raises(ModelError, match="treats one model"):
        gg.search({"a": net}, space(), parts[0], validation_data=parts[1], **QUICK)


def test_layers_that_are_kept_or_thawed_start_from_what_they_hold_in_trials_and_in_folds_too(make_net, parts):
    train, validation, test = parts
    base = make_net().layers[0]
    base.trainable = False
    net = keras.Sequential([keras.Input((6,)), base, keras.layers.Dense(1, "sigmoid")])
    net.compile(keras.optimizers.SGD(0.0), "binary_crossentropy")
    base.set_weights([50 * base.get_weights()[0], base.get_weights()[1]])  # drawn anew, it would score otherwise
    space = {"body": [gg.Thaw()]}
    found = gg.search(net, space, train, validation_data=validation, test_data=test, n_trials=1, **QUICK)
    np.testing.assert_allclose(found[0].scores, found.baseline.scores, rtol=1e-5)
    cases = gg.Split(np.concatenate([train.x, validation.x]), np.concatenate([train.y, validation.y]))
    nested = gg.search(net, space, cases, cv=3, n_trials=1, **QUICK)
    scores = nested.result.history["val_score"]
    np.testing.assert_allclose(scores[1], scores[0], rtol=1e-5)


def test_what_a_search_cannot_do_is_said_before_anything_is_trained(net, parts, tmp_path):
    train, validation, _ = parts
    given = {"n_trials": 1, **QUICK}
    for cv in (2, gg.CrossValidation(3, forward=True)):
        cases = gg.Split(train.x, train.y, times=np.datetime64("2020-01-01") + np.arange(80) if cv != 2 else None)
        with pytest.raises(DataError, match="a partition of the cases into three folds or more"):
            gg.search(net, space(), cases, cv=cv, **given)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match="choose another folder"):
        gg.search(net, space(), train, validation_data=validation, storage=tmp_path / "file", **given)
    with pytest.raises(TypeError, match=r"`gg.search` has no argument `epochz` \(did you mean .epoch.\?\)"):
        gg.search(net, space(), train, validation_data=validation, epochz=3, **given)
