"""Exported tables hold the result's own numbers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gengap as gg
from gengap.engine.events import folder_of
from gengap.errors import DataError, UnknownNameError


@pytest.mark.parametrize(("form", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_tables_read_back_as_the_result(trained, tmp_path, form, read):
    result, _ = trained
    files = {file.stem: read(file) for file in gg.tracking.write_tables(result, tmp_path, form=form)}
    assert set(files) == {"history", "runs", "validation", "test"}
    at = files["history"].query("variant == 'baseline' and seed == 1 and epoch == 2")
    assert at["val_score"].item() == pytest.approx(
        float(result.history["val_score"].sel(variant="baseline", seed=1, epoch=2))
    )
    cases = files["test"].query("variant == 'dropout(0.5)+l2(0.01)' and seed == 0").sort_values("sample")
    stored = result.test["prediction_best"].sel(variant="dropout(0.5)+l2(0.01)", seed=0)
    assert cases[[f"prediction_best_{label}" for label in range(3)]].to_numpy() == pytest.approx(stored.to_numpy())
    assert np.array_equal(cases["y_true"], result.test["y_true"])
    assert len(files["test"]) == 2 * 2 * 30


def test_nothing_is_written_over(trained, tmp_path):
    (tmp_path / "runs.csv").write_text("mine")
    with pytest.raises(DataError, match=r"runs\.csv is there already"):
        gg.tracking.write_tables(trained[0], tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["runs.csv"]


def test_an_unknown_form_is_said(trained, tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'parquet'"):
        gg.tracking.write_tables(trained[0], tmp_path, form="parkett")


def test_a_file_in_place_of_the_folder_is_said(trained, tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(DataError, match="is a file"):
        gg.tracking.write_tables(trained[0], tmp_path / "taken")


@given(st.lists(st.text(alphabet="aA ._(/", min_size=1, max_size=4), unique=True, max_size=8))
def test_every_variant_has_a_folder_of_its_own(names):
    known = {}
    folders = [folder_of(name, known) for name in names]
    assert len({one.casefold() for one in folders}) == len(names)
    assert not set(folders) & {".", ".."}
    assert not any("/" in one for one in folders)
    assert [folder_of(name, known) for name in names] == folders
