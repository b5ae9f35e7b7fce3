import numpy as np
import pandas as pd
import pytest
import xarray as xr

from gengap.datasets import read_split
from gengap.datasets.written_dates import as_dates
from gengap.errors import DataError, UnknownNameError

X = np.arange(12.0).reshape(4, 3)
Y = np.array([0, 1, 1, 0])
TABLE = pd.DataFrame(X, columns=["a", "b", "c"]).assign(storm=Y, day=list("ppqq"))


def test_a_table_gives_its_columns(tmp_path):
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    split = read_split(tmp_path / "t.csv", target="storm", groups="day")
    np.testing.assert_array_equal(split.x, X.astype(np.float32))
    np.testing.assert_array_equal(split.y, Y)
    assert split.groups.tolist() == list("ppqq")


def test_the_last_column_is_the_answer_by_default(tmp_path):
    TABLE.drop(columns="day").to_csv(tmp_path / "t.csv", index=False)
    np.testing.assert_array_equal(read_split(tmp_path / "t.csv").y, Y)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_are_seen(tmp_path, separator):
    TABLE.drop(columns="day").to_csv(tmp_path / "t.csv", index=False, sep=separator)
    np.testing.assert_array_equal(read_split(tmp_path / "t.csv").x, X.astype(np.float32))


def test_row_numbers_are_no_feature(tmp_path):
    TABLE.drop(columns="day").to_csv(tmp_path / "t.csv")
    np.testing.assert_array_equal(read_split(tmp_path / "t.csv").x, X.astype(np.float32))


def test_columns_are_ignored_by_name(tmp_path):
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    split = read_split(tmp_path / "t.csv", target="storm", ignore=["day", "b"])
    np.testing.assert_array_equal(split.x, X[:, [0, 2]].astype(np.float32))


def test_answers_in_words_stay_words(tmp_path):
    TABLE.to_csv(tmp_path / "t.csv", index=False)
    assert read_split(tmp_path / "t.csv", ignore=["storm"]).y.tolist() == list("ppqq")


def test_archives_and_netcdf_hold_arrays_by_name(tmp_path):
    image = X.reshape(4, 3, 1)
    np.savez(tmp_path / "t.npz", x=image, y=Y, groups=Y)
    xr.Dataset({"x": (("sample", "i", "j"), image), "y": ("sample", Y)}).to_netcdf(tmp_path / "t.nc", engine="h5netcdf")
    for name in ("t.npz", "t.nc"):
        split = read_split(tmp_path / name)
        np.testing.assert_array_equal(split.x, image)
        np.testing.assert_array_equal(split.y, Y)
    np.testing.assert_array_equal(read_split(tmp_path / "t.npz").groups, Y)


def test_parquet_is_a_table(tmp_path):
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    TABLE.to_parquet(tmp_path / "t.parquet")
    np.testing.assert_array_equal(read_split(tmp_path / "t.parquet", target="storm", groups="day").x, X)


@pytest.mark.parametrize(
    ("name", "content", "options", "error", "sentence"),
    [
        ("t.xlsx", "", {}, DataError, "unknown ending; files may be .csv"),
        ("gone.csv", None, {}, DataError, "There is no file"),
        ("t.csv", "", {}, DataError, "cannot be read as CSV"),
        ("t.csv", "a\n1\n", {}, DataError, "a column of answers and one of features"),
        ("t.csv", "a,y\n1,0\n", {"target": "z"}, UnknownNameError, "no column 'z'; its columns are a, y"),
        (
            "t.csv",
            "a,y\nx,0\n",
            {},
            DataError,
            "Features must be numbers.* column 'a', such as 'x' in row 1: .*--ignore",
        ),
        ("t.csv", "a,y\n1,0\n,1\n", {}, DataError, "lacks 1 value in column 'a', first in row 2: remove"),
        ("t.csv", "a,y\n1,\n2,1\n", {}, DataError, "lacks the answer 'y' in 1 of 2 rows, first in row 1"),
        ("t.npz", "no archive", {}, DataError, "cannot be read as a NumPy archive"),
        ("t.nc", "no netcdf", {}, DataError, "cannot be read as netCDF"),
    ],
)
def test_bad_files_get_one_sentence(tmp_path, name, content, options, error, sentence):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(error, match=sentence):
        read_split(tmp_path / name, **options)


def test_nothing_is_unpickled(tmp_path):
    np.savez(tmp_path / "t.npz", x=np.array([{}], dtype=object), y=Y)
    with pytest.raises(DataError, match="plain arrays"):
        read_split(tmp_path / "t.npz")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["2020-01-31", "9999-12-31"], "'9999-12-31' is beyond the years 1678 to 2261"),
        (["31.12.9999 23:59"], "beyond the years"),
        (["1600-02-29"], "beyond the years"),
        (["1600-02-30"], "is no date"),
        (["9999-12-31", "2021-02-29"], "'2021-02-29' is no date"),
        (["1678-01-01T01:00+05:00"], "beyond the years"),  # in 1677, as it is kept
        (["0000-01-01"], "beyond the years"),
    ],
)
def test_what_nanoseconds_do_not_reach_is_said_by_every_pandas(cells, said):
    with pytest.raises(ValueError, match=said):
        as_dates(cells)
