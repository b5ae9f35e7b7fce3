"""`gengap run --cv` on a table of words, numbers and blanks: each fold learns its own encoding."""

import keras
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gengap.cli import app
from gengap.datasets.table_files import Wanted
from gengap.experiments.launch import study_from_files
from gengap.results import Result


@pytest.fixture
def table(tmp_path, rng):
    """Made-up rows: a region, an energy, a wind with blanks, and a region that one case alone has."""
    region = rng.choice(["coast", "hills"], 90)
    region[7] = "island"
    wind = rng.normal(10, 3, 90)
    frame = pd.DataFrame({"day": np.arange(90) // 3, "region": region, "energy": rng.gamma(2, 600, 90), "wind": wind})
    frame.loc[::11, "wind"] = np.nan
    frame["outcome"] = np.where(rng.uniform(size=90) < 0.3 + 0.3 * (region == "hills"), "hail", "none")
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return path


def declared(path, **more):
    wanted = Wanted("outcome", "day")
    return study_from_files(
        None, {"train": path}, wanted=wanted, remedies="", suggest=False, seeds=3, fit={"epochs": 1}, cv=3, **more
    )


def test_each_fold_learns_its_own_encoding(table):
    launch = declared(table)
    pool, encoder, study = launch.fit["x"], launch.fit["preprocess"], launch.study
    assert list(pool.x.columns) == ["region", "energy", "wind"]
    training, _ = study._prepare(pool, None, epochs=1, batch_size=32, class_weight=None, shuffle=True, cv=3,
                                 preprocess=encoder)  # fmt: skip
    inputs, runs = np.asarray(training.data.train.x), training.runs
    energy = encoder.feature_names.index("energy")
    regions = [place for place, name in enumerate(encoder.feature_names) if name.startswith("region")]
    for run in runs:
        own = inputs[np.asarray(run.fold.train)]
        assert abs(own[:, energy].mean()) < 1e-5, "standardized by the fold's own training cases"
    means = {inputs[start : start + 90, energy].mean().round(6) for start in range(0, len(inputs), 90)}
    assert len(means) > 3, "folds differ"
    for run in runs:
        start = int(np.min(run.fold.train)) // 90 * 90
        island = inputs[start + 7, regions]
        assert island.any() == (start + 7 in np.asarray(run.fold.train)), "a word of held-out cases alone is unknown"


@pytest.mark.usefixtures("undrawn")
def test_the_command_ends_in_a_report(table, tmp_path):
    folder = tmp_path / "out"
    options = ["--target", "outcome", "--groups", "day", "--cv", "3", "--seeds", "3", "--epochs", "1"]
    told = CliRunner().invoke(
        app, ["run", "--data", str(table), *options, "--remedies", "l2(0.01)", "--output", str(folder)]
    )
    assert told.exit_code == 0, told.output
    assert "90 cases in 3 folds" in told.output
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "for new training sets" in page
    result = Result.load(folder)
    assert isinstance(result.model("l2(0.01)", seed=0, fold=1), keras.Model)
