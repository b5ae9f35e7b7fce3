"""What a command writes stands beside what others wrote, never over it; and one output never mixes with another."""

import os
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import pyplot as plt

from gengap.errors import GengapError, StoreError, UnknownNameError
from gengap.reporting.output import check_output, check_report, report_of_folder, write_output
from gengap.results import Result

WRITTEN = ["result.nc", "table.csv", "learning_curves.png", "report.html", "distribution.nc", "retold.md", "weights"]


def with_weights(result, scale=1.0):
    keys = [(v, s, e) for v in result.variants for s in result.seeds for e in ("best", "last")]
    return replace(result, weights={key: [np.full((2, 2), scale)] for key in keys})


@pytest.fixture
def result(make):
    return make(seeds=2, epochs=2, cases=20)


@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_of_somebody_else_is_not_written_over(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(StoreError, match=rf"holds {name}, which would be written over.* choose another folder"):
        check_output(tmp_path, lang="en")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


@pytest.mark.parametrize("name", WRITTEN)
def test_nothing_is_written_through_a_link(tmp_path, result, name):
    folder = tmp_path / "study"
    result.save(folder)
    if (folder / name).exists():
        (folder / name).rename(tmp_path / "moved")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="is a link, through which nothing is written"):
        check_output(folder, lang="en")
    assert not list(tmp_path.glob("elsewhere*"))


@pytest.mark.usefixtures("undrawn")
def test_an_output_may_be_written_again_and_leaves_notes_alone(tmp_path, result):
    (tmp_path / "notes.md").write_text("mine")
    before = plt.get_fignums()
    for _ in range(2):
        check_output(tmp_path, lang="en")
        write_output(with_weights(result), tmp_path)
    assert plt.get_fignums() == before, "a notebook would show what was drawn for files"
    assert (tmp_path / "notes.md").read_text() == "mine"
    assert Result.load(tmp_path).variants == result.variants
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("lang", ["xx", "", "EN"])
def test_a_language_is_checked_before_there_is_a_result(tmp_path, lang):
    for check in (check_output, check_report):
        with pytest.raises(UnknownNameError, match="Report languages are en, zh"):
            check(tmp_path / "new", lang=lang)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_a_folder_is_said_before_there_is_a_result(tmp_path):
    (tmp_path / "data.csv").write_text("a,b")
    with pytest.raises(StoreError, match=r"data.csv is a file; `--output` needs a folder, such as .*data-study"):
        check_output(tmp_path / "data.csv", lang="en")
    for folder in (tmp_path / "data.csv" / "below", tmp_path / ("n" * 300), tmp_path / "dangling"):
        (tmp_path / "dangling").unlink(missing_ok=True)
        (tmp_path / "dangling").symlink_to("/nowhere/at/all")
        with pytest.raises(StoreError, match="cannot be written to"):
            check_output(folder, lang="en")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "data.csv"]


def test_trying_to_write_leaves_nothing_behind(tmp_path):
    check_output(tmp_path / "a" / "b", lang="zh")
    check_report(tmp_path / "c" / "report.html", lang="zh")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_a_folder_without_the_right_to_write_is_said(tmp_path, monkeypatch):
    def refused(*_, **__):  # root may write everywhere, so the answer is set
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    with pytest.raises(StoreError, match=r"cannot be written to \(Permission denied\)"):
        check_output(tmp_path, lang="en")


@pytest.mark.usefixtures("undrawn")
def test_a_report_replaces_a_report_only(tmp_path, result):
    (tmp_path / "thesis.html").write_text("<!doctype html><p>about gengap</p>")
    (tmp_path / "data.csv").write_text("a,b")
    for name in ("thesis.html", "data.csv"):
        with pytest.raises(StoreError, match="is not a report of gengap, and would be written over"):
            check_report(tmp_path / name, lang="en")
    with pytest.raises(StoreError, match="is a folder; give the report a name"):
        check_report(tmp_path, lang="en")
    for _ in range(2):
        check_report(tmp_path / "report.html", lang="en")
        report_of_folder(result, tmp_path, tmp_path / "report.html", lang="en")


def test_save_writes_over_a_result_only(tmp_path, result):
    (tmp_path / "result.nc").write_text("a climate")
    with pytest.raises(StoreError, match=r"result.nc was not written by gengap"):
        result.save(tmp_path)
    assert (tmp_path / "result.nc").read_text() == "a climate"
    (tmp_path / "result.nc").unlink()
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "000-0-best.safetensors").write_text("mine")
    with pytest.raises(StoreError, match=r"000-0-best.safetensors was not written by gengap"):
        with_weights(result).save(tmp_path)
    assert not (tmp_path / "result.nc").exists()


def test_a_result_saved_over_another_does_not_take_its_weights(tmp_path, result):
    with_weights(result, 1.0).save(tmp_path)
    kept = [key for key in with_weights(result).weights if key[1] == result.seeds[0]]
    replace(result, weights={key: [np.full((2, 2), 2.0)] for key in kept}).save(tmp_path)
    back = Result.load(tmp_path)
    assert set(back.weights) == set(kept)
    assert all(float(back.weights[key][0][0, 0]) == 2.0 for key in kept)
    replace(result, weights={}).save(tmp_path)
    assert not Result.load(tmp_path).weights


def test_a_folder_saved_before_weights_were_named_still_has_them(tmp_path, result, monkeypatch):
    with_weights(result).save(tmp_path)
    result.to_netcdf(tmp_path / "result.nc")  # this file of before names no weights: those that lie there are taken
    monkeypatch.setattr("gengap.results.files._attribute", lambda *_: None)
    assert len(Result.load(tmp_path).weights) == 2 * len(result.variants) * len(result.seeds)


def test_a_save_cut_short_leaves_the_result_of_before(tmp_path, result, monkeypatch):
    result.save(tmp_path)
    before = (tmp_path / "result.nc").read_bytes()

    def cut(path, *_, **__):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("gengap.results.files.write_netcdf", cut)
    with pytest.raises(KeyboardInterrupt):
        result.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["result.nc"]
    assert (tmp_path / "result.nc").read_bytes() == before


def test_the_distribution_of_an_earlier_output_is_not_reported_of_a_later_one(tmp_path, result, monkeypatch):
    told = []
    monkeypatch.setattr("gengap.reporting.output.report", lambda *_, **given: told.append(given["distribution"]))
    monkeypatch.setattr(
        "gengap.reporting.output.render_report", lambda *_, **given: told.append(given["distribution"]) or ""
    )
    monkeypatch.setattr("gengap.analysis.uncertainty.PredictiveDistribution.from_netcdf", lambda _: "an earlier one")
    write_output(result, tmp_path)
    (tmp_path / "distribution.nc").write_text("left by a demo that was written here before")
    report_of_folder(Result.load(tmp_path), tmp_path, tmp_path / "report.html", lang="en")
    assert told == [None, None]
    result.save(tmp_path)  # a folder of before does not say
    report_of_folder(Result.load(tmp_path), tmp_path, tmp_path / "report.html", lang="en")
    assert told[-1] == "an earlier one"


def test_errors_are_those_of_the_package(tmp_path):
    with pytest.raises(GengapError):
        check_output(tmp_path, lang="xx")
