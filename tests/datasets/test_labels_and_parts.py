"""Which label is the event, and what is held out of a table with a rare one."""

import numpy as np
import pandas as pd
import pytest

from gengap.datasets import Split, from_table
from gengap.datasets.held_out import hold_out
from gengap.datasets.labels import encode_labels
from gengap.errors import DataError, UnknownNameError

NAMES = {"train": "train.csv", "test": "test.csv"}
RNG = np.random.default_rng(0)


def split(words):
    return Split(np.zeros((len(words), 1)), np.array(words))


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        (["hail", "none", "hail"], ("none", "hail")),
        (["no", "yes", "yes"], ("no", "yes")),
        (["storm", "no storm"], ("no storm", "storm")),
        (["cat", "dog", "dog"], ("dog", "cat")),  # neither says absence: the rarer one
        (["cat", "dog"], ("cat", "dog")),
        (["10", "2", "1"], ("1", "2", "10")),
        (["red", "blue", "green"], ("blue", "green", "red")),
    ],
)
def test_the_event_of_two_labels_is_one(words, labels):
    assert encode_labels({"train": split(words)}, NAMES)[1] == labels


def test_the_user_says_which_label_is_the_event():
    words = {"train": split(["hail", "none", "hail"]), "test": split(["none", "hail"])}
    found, labels = encode_labels(words, NAMES, positive="None")
    assert labels == ("hail", "none")
    assert found["test"].y.tolist() == [1, 0]
    numbers, labels = encode_labels({"train": split([1, 2, 2])}, NAMES, positive="1")
    assert (numbers["train"].y.tolist(), labels) == ([1, 0, 0], ("2", "1"))


@pytest.mark.parametrize(
    ("words", "positive", "error", "sentence"),
    [
        (["a", "b"], "c", UnknownNameError, "There is no label 'c' in the answers of train.csv; its labels are a, b"),
        (["a", "b", "c"], "c", DataError, r"says which of two labels .* train.csv have 3 \(a, b, c\): leave it out"),
    ],
)
def test_an_event_that_is_none_is_said(words, positive, error, sentence):
    with pytest.raises(error, match=sentence):
        encode_labels({"train": split(words)}, NAMES, positive=positive)


@pytest.mark.parametrize("events", [2, 3, 10])
def test_a_rare_event_is_on_both_sides(events):
    y = (RNG.permutation(200) < events).astype(int)
    kept, held, how = hold_out(Split(np.arange(200)[:, None], y))
    assert held.y.sum() == max(1, round(0.2 * events))
    assert kept.y.sum() + held.y.sum() == events
    assert sorted([*kept.x[:, 0], *held.x[:, 0]]) == list(range(200))
    assert "each label by its share" in how


def test_whole_groups_are_held_out_with_events_on_both_sides():
    groups = np.repeat(np.arange(50), 4)
    y = np.isin(groups, [3, 17]).astype(int)  # two days of hail
    kept, held, _ = hold_out(Split(np.zeros((200, 1)), y, groups=groups))
    assert not set(kept.groups) & set(held.groups)
    assert kept.y.sum() == held.y.sum() == 4
    assert 20 <= len(held) <= 60


def test_days_are_not_cut_through():
    times = np.datetime64("2020-01-01") + np.sort(RNG.integers(0, 20, 100))
    days = times.astype(str)
    kept, held, _ = hold_out(Split(np.zeros((100, 1)), np.arange(100) % 2, groups=days, times=times))
    assert kept.times.max() < held.times.min()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"y": [1, *[0] * 39]}, "hold 1 case of the label 'hail', which cannot be in both"),
        (
            {"y": [1, 1, *[0] * 38], "groups": np.repeat(np.arange(10), 4)},
            "2 cases in a single group of the label",
        ),
        (
            {"y": [1, 1, *[0] * 38], "times": np.datetime64("2020-01-01") + np.arange(40)},
            r"held out, the latest, and what is held out has no case of the label 'hail' \(2 of 40\): give",
        ),
    ],
)
def test_an_event_that_cannot_be_on_both_sides_is_said_with_its_count(given, sentence):
    with pytest.raises(DataError, match=sentence):
        hold_out(Split(np.zeros((40, 1)), **{**given, "y": np.array(given["y"])}), ("none", "hail"))


def test_a_table_with_times_is_cut_by_them_and_a_day_is_a_group():
    table = pd.DataFrame({"cape": RNG.normal(size=60), "storm": np.tile([0, 1, 1], 20)})
    table["time"] = np.datetime64("2020-05-01T00") + 6 * np.arange(60).astype("timedelta64[h]")
    data = from_table(table.sample(frac=1, random_state=0), target="storm", times="time")
    assert data.train.times.max() < data.validation.times.min()
    assert not set(data.train.groups) & set(data.validation.groups)
    assert data.train.groups[0].startswith("2020-05-")
    assert data.feature_names == ("cape",)


def test_what_the_encoder_learned_is_of_the_training_part_alone():
    table = pd.DataFrame({"cape": [*np.zeros(40), *np.full(10, 100.0)], "storm": np.arange(50) % 2})
    table["time"] = np.datetime64("2020-05-01") + np.arange(50)
    data = from_table(table, target="storm", times="time")
    assert data.table.encoder.learned_["cape"].mean == 0
    assert (data.validation.x == 100).all()
    np.testing.assert_array_equal(data.table.read_inputs(table.drop(columns="storm"))[40:], data.validation.x)


def test_whole_numbers_that_are_called_labels_are_these_labels_and_no_others():
    """Of 1, 2, 3 there are three labels: no fourth one, 0, that no case has."""
    frame = pd.DataFrame({"cape": np.arange(30) * 7.5, "kind": [1, 2, 3] * 10})
    data = from_table(frame, target="kind", task="multiclass")
    assert data.label_names == ("1", "2", "3")
    assert set(data.train.y.tolist()) == {0, 1, 2}
    again = from_table(frame.assign(kind=[0, 1, 2] * 10), target="kind", task="multiclass")
    assert (again.label_names, set(again.train.y.tolist())) == ((), {0, 1, 2})
    assert set(from_table(frame, target="kind").train.y.tolist()) == {1, 2, 3}
