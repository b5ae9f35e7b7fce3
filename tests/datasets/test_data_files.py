"""Splits from files: labels in words, columns in any order, a fifth held out, one sentence for what is wrong."""

import keras
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gengap.datasets import Split
from gengap.datasets.data_files import Inputs, read_files
from gengap.datasets.held_out import hold_out
from gengap.datasets.table_files import Wanted, read_split
from gengap.errors import DataError, ModelError, UnknownNameError
from gengap.experiments.launch import load_model, study_from_files

RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(RNG.standard_normal((40, 3)), columns=["a", "b", "c"]).assign(storm=RNG.integers(0, 2, 40))

PLAIN = Wanted()


@pytest.fixture
def read(tmp_path):
    def write_and_read(shape=(3,), positive=None, wanted=PLAIN, **tables):
        paths = {name: tmp_path / f"{name}.csv" for name in tables}
        for name, table in tables.items():
            table.to_csv(paths[name], index=False)
        return read_files(paths, Inputs(shape), wanted, positive=positive)

    return write_and_read


def test_labels_in_words_get_the_same_codes_in_every_file(read):
    words = TABLE.assign(storm=np.where(TABLE["storm"] == 1, "yes", "no"))
    found = read(train=words, test=words.iloc[::-1])
    assert found.label_names == ("no", "yes")
    np.testing.assert_array_equal(found.splits["test"].y, TABLE["storm"].to_numpy()[::-1])
    assert "answers in 'storm' (no = 0, yes = 1); the event is 'yes'" in found.notes[0]


def test_true_and_false_are_labels(read):
    found = read(train=TABLE.assign(storm=TABLE["storm"] == 1))
    assert found.splits["train"].y.dtype.kind == "i"


def test_columns_of_the_other_files_may_stand_in_any_order(read):
    other = TABLE.assign(number=range(40))[["storm", "c", "number", "a", "b"]]
    found = read(train=TABLE, test=other)
    np.testing.assert_allclose(found.splits["test"].x, TABLE[["a", "b", "c"]].to_numpy(), rtol=1e-6)
    np.testing.assert_array_equal(found.splits["test"].y, TABLE["storm"])


def test_a_fifth_is_held_out_at_random_and_always_the_same(read):
    found, again = read(train=TABLE), read(train=TABLE)
    assert [len(found.splits[name]) for name in ("train", "validation")] == [32, 8]
    np.testing.assert_array_equal(found.splits["validation"].x, again.splits["validation"].x)
    everything = np.concatenate([found.splits["train"].x, found.splits["validation"].x])
    assert {tuple(row) for row in everything} == {tuple(row) for row in TABLE[["a", "b", "c"]].to_numpy(np.float32)}
    assert not np.array_equal(found.splits["validation"].x, TABLE[["a", "b", "c"]].to_numpy(np.float32)[-8:])


def test_groups_are_held_out_whole():
    groups = np.repeat(np.arange(10), 4)
    kept, held, how = hold_out(Split(np.zeros((40, 1)), np.zeros(40), groups=groups))
    assert not set(kept.groups) & set(held.groups)
    assert len(set(held.groups)) == 2
    assert "groups" in how


def test_sparse_rows_are_held_out_as_sparse_rows():
    rows = sparse.csr_matrix(np.eye(40, 7))
    for part in hold_out(Split(rows, np.arange(40) % 2))[:2]:
        assert sparse.issparse(part.x)
        assert part.x.shape == (len(part), 7)


def test_the_latest_are_held_out_where_times_are_known():
    times = np.datetime64("2020-01-01") + RNG.permutation(40)
    kept, held, how = hold_out(Split(np.zeros((40, 1)), np.zeros(40), times=times, sample_weight=np.arange(40.0)))
    assert kept.times.max() < held.times.min()
    assert len(held) == len(held.sample_weight) == 8
    assert how == "the latest"


def test_rows_become_what_the_model_takes(read):
    assert read(shape=(3, 1), train=TABLE).splits["train"].x.shape == (32, 3, 1)


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        (
            {"train": TABLE.assign(d=TABLE["a"])[["a", "b", "c", "d", "storm"]]},
            DataError,
            "takes 3 features and .*train.csv has 4: leave",
        ),
        ({"train": TABLE[["a", "b", "c", "a", "storm"]]}, DataError, "train.csv has several columns named 'a'"),
        ({"train": TABLE[["a", "storm"]]}, DataError, "takes 3 features and .*train.csv has 1: check --target"),
        ({"train": TABLE, "test": TABLE.drop(columns="b")}, UnknownNameError, "test.csv has no column 'b'"),
        ({"train": TABLE, "test": TABLE.assign(storm="yes")}, DataError, "Answers are words in .*test.csv and numbers"),
        (
            {"train": TABLE.assign(storm="yes"), "test": TABLE.assign(storm="never")},
            DataError,
            "test.csv has the answer 'never' in row 1, which .*train.csv does not have",
        ),
        ({"train": TABLE.iloc[:1]}, DataError, "too little to hold a fifth out"),
    ],
)
def test_what_is_wrong_is_said_with_its_file(read, change, error, sentence):
    with pytest.raises(error, match=sentence):
        read(**change)


def test_rows_are_counted_as_in_the_file_and_not_among_what_is_left_for_training(read, tmp_path):
    for row in (3, 30):  # one of them is held out, and before the other one some are
        table = TABLE.copy()
        table.loc[row, "b"] = np.nan
        with pytest.raises(DataError, match=f"lacks 1 value in column 'b', first in row {row + 1}:"):
            read(train=table)
        np.savez(tmp_path / "a.npz", x=table[["a", "b", "c"]], y=table["storm"])
        with pytest.raises(DataError, match=f"a.npz holds NaN or infinite values, first in case {row}:"):
            read_files({"train": tmp_path / "a.npz"}, Inputs((3,)), PLAIN)


def test_arrays_alone_are_divided_and_get_the_shape_of_the_model(tmp_path):
    np.savez(tmp_path / "a.npz", x=TABLE[["a", "b", "c"]], y=TABLE["storm"])
    found = read_files({"train": tmp_path / "a.npz"}, Inputs((3, 1)), PLAIN)
    assert {name: split.x.shape for name, split in found.splits.items()} == {
        "train": (32, 3, 1),
        "validation": (8, 3, 1),
    }


@pytest.mark.parametrize("name", ["sample_weight", "groups", "times"])
@pytest.mark.parametrize("shape", [(3,), (4, 2), ()])
def test_an_array_beside_the_cases_has_an_entry_for_each(tmp_path, name, shape):
    values = np.zeros(shape, "datetime64[ns]" if name == "times" else "float64")
    np.savez(tmp_path / "data.npz", x=np.ones((4, 2)), y=np.arange(4), **{name: values})
    with pytest.raises(DataError, match=rf"holds 4 cases, but '{name}' of shape .*: give one entry for each case"):
        read_split(tmp_path / "data.npz")


def test_rows_without_a_group_do_not_become_one_group(tmp_path):
    (tmp_path / "data.csv").write_text("a,day,y\n1,1,0\n2,,1\n3,2,0\n4,,1\n")
    with pytest.raises(DataError, match="lacks the group 'day' in 2 of 4 rows, first in row 2: give every case"):
        read_split(tmp_path / "data.csv", groups="day")


@pytest.mark.parametrize("name", ["model.h5", "model.hdf5", "folder"])
def test_a_model_in_an_older_format_is_said(tmp_path, name):
    if name == "folder":
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(b"\x89HDF")
    with pytest.raises(ModelError, match=r"is in an older format of Keras.*: save it anew as `.keras`"):
        load_model(tmp_path / name)


def test_words_are_no_answers_of_a_regression(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.save(tmp_path / "model.keras")
    TABLE.assign(storm=np.where(TABLE["storm"] == 1, "yes", "no")).to_csv(tmp_path / "train.csv", index=False)
    given = {"wanted": Wanted(), "remedies": "", "suggest": False, "seeds": 1, "fit": {"epochs": 1}}
    with pytest.raises(DataError, match=r"predicts real numbers; the answers of train.csv.*words such as 'no'"):
        study_from_files(tmp_path / "model.keras", {"train": tmp_path / "train.csv"}, **given)
