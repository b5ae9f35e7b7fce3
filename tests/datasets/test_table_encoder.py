"""The table encoder: what it learns, what is unknown, the same widths in every fold, and itself again from JSON."""

import json
import sys
import types

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from gengap.datasets import TableEncoder, from_table
from gengap.errors import DataError

TRAIN = pd.DataFrame(
    {
        "cape": [0.0, 100.0, None, 200.0],
        "region": ["coast", "hills", "coast", None],
        "sunny": [True, False, True, True],
        "when": pd.to_datetime(["2020-01-01", "2020-07-01 12:00", "2020-01-01", "2020-01-01"], format="ISO8601"),
    }
)


def test_every_kind_of_column_by_hand():
    encoder = TableEncoder().fit(TRAIN)
    assert encoder.feature_names == (
        *("cape", "cape missing", "region=coast", "region=hills", "region missing", "sunny"),
        *("when year sin", "when year cos", "when day sin", "when day cos"),
    )
    x = encoder.transform(TRAIN)
    assert x.dtype == np.float32
    deviation = np.std([0, 100, 200])
    np.testing.assert_allclose(x[:, 0], [-100 / deviation, 0, 0, 100 / deviation], rtol=1e-6)
    np.testing.assert_array_equal(x[:, 1:5], [[0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]])
    np.testing.assert_allclose(x[:, 5], (np.array([1, 0, 1, 1]) - 0.75) / np.sqrt(3 / 16), rtol=1e-6)
    turn = 2 * np.pi * (182 + 0.5) / 365.2425  # noon of the 183rd day of a leap year
    np.testing.assert_allclose(x[1, 6:], [np.sin(turn), np.cos(turn), 0, -1], atol=1e-6)


def test_it_learns_in_the_fold_alone_and_keeps_its_width():
    declared = TableEncoder.declare(TRAIN)
    first, second = clone(declared).fit(TRAIN.iloc[[0, 2, 3]]), clone(declared).fit(TRAIN.iloc[[1, 3]])
    assert first.width == second.width == TableEncoder().fit(TRAIN).width
    assert first.learned_["cape"].mean == 100
    assert second.learned_["cape"].mean == 150
    assert first.learned_["region"].words == ("coast",)
    held_out = first.transform(TRAIN.iloc[[1]])
    names = first.feature_names
    assert not held_out[0, [names.index(name) for name in names if name.startswith("region")]].any()  # unknown there


def test_codes_have_a_place_for_the_unknown_and_for_blanks():
    encoder = TableEncoder(layout="columns").fit(TRAIN)
    found = encoder.transform(TRAIN.assign(region=["desert", "hills", "coast", None]))
    np.testing.assert_array_equal(found["region"], [0, 2, 1, 3])
    assert found["cape"].shape == (4, 2)


def test_only_the_most_frequent_words_are_known():
    words = [f"w{n:02d}" for n in range(60) for _ in range(3 if n < 50 else 1)]
    encoder = TableEncoder().fit(pd.DataFrame({"word": words, "x": range(len(words))}))
    assert encoder.learned_["word"].words == tuple(f"w{n:02d}" for n in range(50))


def test_it_comes_back_from_json_to_the_bit():
    encoder = TableEncoder(missing=["-999"]).fit(TRAIN)
    again = TableEncoder.from_json(encoder.to_json())
    np.testing.assert_array_equal(again.transform(TRAIN), encoder.transform(TRAIN))
    assert json.loads(again.to_json()) == json.loads(encoder.to_json())


def test_large_numbers_that_hardly_differ_stay_apart():
    seconds = pd.DataFrame({"t": [1_700_000_000, 1_700_000_001, 1_700_000_002]})
    np.testing.assert_allclose(
        TableEncoder().fit(seconds).transform(seconds)[:, 0], [-1.224745, 0, 1.224745], rtol=1e-5
    )


def test_the_users_frame_stays_as_it_was():
    before = TRAIN.copy(deep=True)
    TableEncoder().fit(TRAIN).transform(TRAIN)
    pd.testing.assert_frame_equal(TRAIN, before)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (TRAIN.drop(columns="cape"), "has no column 'cape', which the encoder needs"),
        (
            TRAIN.assign(sunny=[None, True, True, True]),
            "'sunny' .* lacks 1 values, first in row 1, and lacked none",
        ),
        (TRAIN.assign(cape=["low", "high", "low", "low"]), "column 'cape' .* holds words .row 1: 'low'., and held num"),
        (TRAIN.assign(region=[1, "a", 2, 3], cape=[1, "a", 2, 3]), "column 'cape' .* mixes text and other things"),
    ],
)
def test_rows_of_another_kind_are_refused(rows, sentence):
    with pytest.raises(DataError, match=sentence):
        TableEncoder().fit(TRAIN).transform(rows)


def test_an_encoder_that_learned_nothing_says_so():
    with pytest.raises(DataError, match="learned nothing yet: call `fit`"):
        TableEncoder.declare(TRAIN).transform(TRAIN)


def test_it_is_a_step_of_a_pipeline():
    model = make_pipeline(TableEncoder(), LogisticRegression()).fit(TRAIN, [0, 1, 0, 1])
    assert model.predict(TRAIN).shape == (4,)


class Column:
    """A column as polars has it: a stand-in, so that the tests need no polars."""

    def __init__(self, values, dtype):
        self.values, self.dtype = values, dtype

    def null_count(self):
        return sum(value is None for value in self.values)

    def to_numpy(self):
        return np.array(self.values)

    def to_list(self):
        return list(self.values)


def test_a_frame_of_polars_is_one_of_pandas():
    columns = {
        "cape": Column(TRAIN["cape"].where(TRAIN["cape"].notna(), None).tolist(), "Float64"),
        "region": Column(["coast", "hills", "coast", None], "Categorical"),
        "sunny": Column([True, False, True, True], "Boolean"),
        "when": Column(TRAIN["when"].to_list(), "Datetime(time_unit='us')"),
    }
    columns["cape"].values[2] = None
    frame = types.SimpleNamespace(columns=list(columns), to_dict=columns.copy)
    frame_type = type("DataFrame", (types.SimpleNamespace,), {"__getitem__": lambda self, name: columns[name]})
    frame = frame_type(**vars(frame))
    encoder = TableEncoder().fit(TRAIN)
    np.testing.assert_array_equal(encoder.transform(frame), encoder.transform(TRAIN))
    assert "polars" not in sys.modules


def test_a_single_raw_row_is_read_as_its_training_table_was(rng):
    """One row does not show what its columns are: a blank, a mark, a word that is a number or looks like one."""
    frame = pd.DataFrame({"cape": rng.normal(900, 90, 40).round(1), "region": rng.choice(["coast", "hills", ""], 40)})
    frame.loc[::7, "cape"] = np.nan
    frame["storm"] = rng.choice(["yes", "no"], 40)
    reading = from_table(frame, target="storm").table
    for cape in ("", "-", "null", None):
        found = reading.read_numbers(pd.DataFrame({"cape": [cape], "region": ["coast"]}))
        assert np.isnan(found[0, 0])
        assert found[0, 1] == 1
    for region in ("12", "71 %", "01067", "2020-01-01", "1 200", "18:30"):
        found = reading.read_numbers(pd.DataFrame({"cape": [900.0], "region": [region]}))
        assert found.tolist() == [[900.0, 0.0]], "unknown, as any other word"
    assert np.isnan(reading.read_numbers(pd.DataFrame({"cape": [900.0], "region": [""]}))[0, 1])


CODES = ["007", "12E3", "TRUE", "1.10", "A1", "B7", "C1", "v2"]


@pytest.mark.parametrize("code", CODES)
def test_words_that_look_like_numbers_are_themselves_in_any_file(rng, tmp_path, code):
    """What a file holds of a column must not decide what its cells are: alone, each of these is a number or a truth."""
    frame = pd.DataFrame({"code": rng.permutation(CODES * 5), "cape": rng.normal(900, 90, 40).round(1)})
    frame["storm"] = rng.choice(["yes", "no"], 40)
    path = tmp_path / "train.csv"
    frame.to_csv(path, index=False)
    part = tmp_path / "part.csv"
    frame[frame["code"] == code].to_csv(part, index=False)
    data = from_table(str(path), validation=str(part), target="storm")
    column = data.feature_names.index(f"code={code}")
    assert (data.validation.x[:, column] == 1).all()
    whole = data.table.read_numbers(path)
    np.testing.assert_array_equal(data.table.read_numbers(part), whole[(frame["code"] == code).to_numpy()])


def test_a_point_that_was_of_thousands_in_training_is_not_read_otherwise_later(tmp_path):
    rows = "\n".join(f"1.{n}00,5;{n};{n % 2}" for n in range(1, 10))
    (tmp_path / "train.csv").write_text(f"people;shear;hail\n{rows}\n")
    (tmp_path / "rows.csv").write_text("people;shear\n1.200;3\n")
    data = from_table(str(tmp_path / "train.csv"), target="hail")
    reading = type(data.table).from_dict(json.loads(json.dumps(data.table.to_dict())))
    with pytest.raises(DataError, match=r"'people' .* holds '1.200' in row 1, .* may be one of thousands"):
        reading.read_numbers(tmp_path / "rows.csv")
    with pytest.raises(DataError, match=r"'people' of the table holds '1.200' in row 1"):
        reading.read_numbers(pd.DataFrame({"people": ["1.200"], "shear": [3]}))
    (tmp_path / "answers.csv").write_text("shear;hail\n1,5 ;1.200\n3,5;2.100\n")
    with pytest.raises(DataError, match=r"'hail' of .* holds '1.200' in row 1, and other columns have decimal commas"):
        from_table(str(tmp_path / "answers.csv"))
    (tmp_path / "rows.csv").write_text("people;shear\n1200;3\n0.25;1\n")
    assert reading.read_numbers(tmp_path / "rows.csv").tolist() == [[1200, 3], [0.25, 1]]


def test_a_category_of_numbers_is_known_as_whole_and_with_a_point():
    frame = pd.DataFrame({"grade": pd.Categorical([1.0, 2.0, 2.0, None]), "x": [1.0, 2.0, 3.0, 4.0]})
    encoder = TableEncoder().fit(frame)
    for grades in ([1.0, 2.0], [1, 2], ["1", "2"], ["1.0", "2.0"], pd.Categorical([1, 2])):
        found = encoder.transform(pd.DataFrame({"grade": grades, "x": [1.0, 2.0]}))
        assert found[:, :2].tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("unit", [1e-300, 1e-15, 1.0, 1e200])
def test_numbers_of_any_unit_are_standardized_alike(unit):
    numbers = np.array([2.0, 3.0, 5.0, 10.0])
    found = TableEncoder().fit_transform(pd.DataFrame({"x": numbers * unit}))
    np.testing.assert_allclose(found[:, 0], (numbers - numbers.mean()) / numbers.std(), rtol=1e-6, atol=1e-12)


def test_words_without_a_code_are_named():
    encoder = TableEncoder().fit(TRAIN)
    assert encoder.unknown_words(TRAIN) == {}
    assert encoder.unknown_words(TRAIN.assign(region=["", "Coast", "hills", "Coast"])) == {"region": (1, 3)}
