import copy

import keras
import pytest

from gengap.errors import StoreError, StudyChangedError
from gengap.storage import Store, begin_or_continue, check_same_study, with_look
from gengap.storage.continuation import joined


def model_config(units=8, *, functional=False, name=None):
    if functional:
        x = keras.Input((4,))
        y = keras.layers.Dense(1)(keras.layers.Concatenate()([x, keras.layers.Dense(units, name=name)(x)]))
        model = keras.Model(x, y)
    else:
        model = keras.Sequential(
            [keras.Input((4, 1)), keras.layers.Conv1D(units, 2), keras.layers.Flatten(), keras.layers.Dense(1)]
        )
    model.compile(optimizer=keras.optimizers.RMSprop(1e-3), loss="binary_crossentropy", metrics=["accuracy"])
    return keras.saving.serialize_keras_object(model)


@pytest.fixture
def study(manifest):
    manifest["variants"] = {"baseline": {"share": 1.0, "stopping": None, "model": model_config()}}
    return manifest


@pytest.mark.parametrize("functional", [False, True])
def test_layer_names_that_keras_counted_do_not_matter(study, functional):
    study["variants"]["baseline"]["model"] = model_config(functional=functional)
    again = copy.deepcopy(study)
    again["variants"]["baseline"]["model"] = model_config(functional=functional)
    assert again["variants"] != study["variants"]
    check_same_study(study, again)


def test_a_setting_that_a_store_is_too_old_to_know_is_what_it_was_then(study):
    again = copy.deepcopy(study)
    again["settings"].update(training_score=True)
    check_same_study(study, again)
    again["settings"].update(training_score=False)
    with pytest.raises(StudyChangedError, match="training_score is absent there and false now"):
        check_same_study(study, again)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: m["settings"].update(epochs=4), r"settings\.epochs is 3 there and 4 now"),
        (lambda m: m["settings"].update(shuffle=False), r"settings\.shuffle is absent there and false now"),
        (lambda m: m["data"].update(fingerprint="abd"), r'the data\'s fingerprint is "abc" there and "abd" now'),
        (lambda m: m.update(score="brier_score"), r'score is "log_loss" there and "brier_score" now'),
        (lambda m: m["variants"]["baseline"].update(share=0.5), "share of variant 'baseline' is 1.0 there and 0.5 now"),
        (
            lambda m: m["variants"]["baseline"].update(stopping={"patience": 3}),
            "stopping of variant 'baseline' is null there and",
        ),
        (
            lambda m: m["variants"]["baseline"].update(model=model_config(16)),
            r"model of variant 'baseline'.*config\.filters is 8 there and 16 now; undo the change, or choose another",
        ),
    ],
)
def test_a_changed_study_is_refused_and_the_difference_named(study, change, sentence):
    new = copy.deepcopy(study)
    change(new)
    with pytest.raises(StudyChangedError, match=sentence):
        check_same_study(study, new)


def test_a_layer_more_is_a_difference(study):
    new = copy.deepcopy(study)
    new["variants"]["baseline"]["model"] = model_config(functional=True)
    with pytest.raises(StudyChangedError, match="model of variant 'baseline'"):
        check_same_study(study, new)


def test_more_seeds_and_variants_may_come_and_fewer_are_fine(study):
    new = copy.deepcopy(study) | {"seeds": [1, 2, 3], "plan": "another", "seconds": 5}
    new["variants"] = {"l2": {"share": 1.0}, **new["variants"]}
    check_same_study(study, new)
    check_same_study(new, study)
    both = joined(study | {"plan": "first"}, new)
    assert both["seeds"] == [0, 1, 2, 3]
    assert list(both["variants"]) == ["baseline", "l2"]
    assert both["plan"] == "first"


def test_tuples_and_integer_keys_are_what_json_makes_of_them(study):
    new = copy.deepcopy(study)
    study["settings"]["class_weight"] = {"0": 1.0, "1": 2.0}
    study["primary"] = [1, 2]
    new["settings"]["class_weight"] = {0: 1.0, 1: 2.0}
    new["primary"] = (1, 2)
    check_same_study(study, new)


def test_a_look_is_recorded_once_per_number_of_seeds(study):
    once = with_look(study, 2)
    assert [look["seeds"] for look in with_look(once, 2)["looks"]] == [2]
    assert [look["seeds"] for look in with_look(with_look(once, 6), 2)["looks"]] == [2, 6, 2]
    assert once["looks"][0]["time"].endswith("+00:00")
    assert study["looks"] == []


def test_a_study_begins_and_continues(tmp_path, study, make_record):
    with begin_or_continue(tmp_path / "x", study) as store:
        store.put(make_record())
    new = copy.deepcopy(study) | {"seeds": [5]}
    with begin_or_continue(tmp_path / "x", new) as store:
        assert store.done() == {("baseline", 0)}
        assert store.manifest["seeds"] == [0, 1, 5]


def test_a_refused_study_leaves_the_store_free_and_as_it_was(tmp_path, study):
    begin_or_continue(tmp_path / "x", study).close()
    with pytest.raises(StudyChangedError):
        begin_or_continue(tmp_path / "x", study | {"score": "squared_error"})
    with Store.open(tmp_path / "x", mode="w") as store:
        assert store.manifest["score"] == "log_loss"
    with pytest.raises(StoreError, match="being written"), Store.open(tmp_path / "x", mode="w"):
        begin_or_continue(tmp_path / "x", study)
