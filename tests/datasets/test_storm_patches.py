"""The reader of the course's netCDF patches, on small files of the same form."""

import numpy as np
import pytest
import xarray as xr

from gengap.datasets.storm_patches import storms
from gengap.errors import DataError

RUNS = ("20101024", "20130601", "20140101", "20141231", "20150101", "20160519")
PATCHES = 3


def patches(run, seed, *, rotation=(0.004, 0.006, 0.0051)):
    """One file's worth: dims and names as in the course's archive."""
    random = np.random.default_rng(seed)
    dims, shape = ("p", "row", "col"), (PATCHES, 6, 6)
    vorticity = np.full(shape, 0.001)
    vorticity[:, 0, 1] = rotation
    masks = np.zeros(shape, dtype="i4")
    masks[:, 2:4, 2:4] = 1
    masks[1, 0, 1] = 1
    hours = np.arange(18, 18 + PATCHES).astype("timedelta64[h]")
    fields = {
        "REFL_COM_curr": random.normal(20, 15, shape),
        "U10_curr": random.normal(-1, 4, shape),
        "V10_curr": random.normal(1, 5, shape),
        "RVORT1_MAX_future": vorticity,
        "T2_curr": random.normal(290, 5, shape),
        "masks": masks,
    }
    day = np.datetime64(f"{run[:4]}-{run[4:6]}-{run[6:]}", "ns")
    return xr.Dataset({name: (dims, values) for name, values in fields.items()}, coords={"time": ("p", day + hours)})


def write(folder, run, dataset):
    dataset.to_netcdf(folder / f"NCARSTORM_{run}-0000_d01_model_patches.nc", engine="h5netcdf")


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    for seed, run in enumerate(RUNS):
        write(folder, run, patches(run, seed))
    (folder / "notes.txt").write_text("not a patch file")
    return folder


def runs(split):
    return sorted({str(run) for run in split.groups})


def test_runs_are_divided_by_date_and_never_split(archive):
    data = storms(archive)
    assert [runs(s) for s in (data.train, data.validation, data.test)] == [
        ["20101024", "20130601"],
        ["20140101", "20141231"],  # its last patches are valid on the day after, too
        ["20150101", "20160519"],
    ]
    assert [len(s) for s in (data.train, data.validation, data.test)] == [6, 6, 6]
    assert data.train.x.shape == (6, 6, 6, 3)
    assert data.train.x.dtype == np.float32


def test_the_courses_own_split_has_no_validation_slice(archive):
    data = storms(archive, validation_start="2015-01-01")
    assert runs(data.train) == ["20101024", "20130601", "20140101", "20141231"]
    assert runs(data.validation) == ["20150101", "20160519"]
    assert data.test is None


def test_fields_and_times_are_those_of_the_files(archive):
    data = storms(archive, standardize=False)
    source = patches("20101024", 0)
    expected = np.stack([source[name] for name in ("REFL_COM_curr", "U10_curr", "V10_curr")], axis=-1)
    np.testing.assert_array_equal(data.train.x[:3], expected.astype("f4"))
    np.testing.assert_array_equal(data.train.times[:3], source["time"])
    assert data.feature_names[0] == "composite reflectivity (dBZ)"


def test_labels_are_strong_rotation_anywhere_in_the_patch_or_in_the_storm(archive):
    assert storms(archive).train.y.tolist() == [0, 1, 1, 0, 1, 1]
    assert storms(archive, area="storm").train.y.tolist() == [0, 1, 0, 0, 1, 0]


def test_the_threshold_itself_is_not_exceeded(tmp_path):
    for seed, run in enumerate(RUNS):
        write(tmp_path, run, patches(run, seed, rotation=(0.005, 0.0050001, 0.0)))
    assert storms(tmp_path).train.y[:3].tolist() == [0, 1, 0]


def test_standardization_rests_on_training_pixels_only(archive):
    data, raw = storms(archive), storms(archive, standardize=False)
    mean, deviation = (getattr(raw.train.x, moment)((0, 1, 2), dtype=float) for moment in ("mean", "std"))
    for name in ("train", "validation", "test"):
        expected = (getattr(raw, name).x - mean) / deviation
        np.testing.assert_allclose(getattr(data, name).x, expected, atol=1e-5)


def test_a_wrong_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be a folder with files NCARSTORM_"):
        storms(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        storms(tmp_path / "nowhere")


def test_dates_must_be_in_order_and_fill_every_split(archive):
    with pytest.raises(ValueError, match="`validation_start` must not be after `test_start`"):
        storms(archive, validation_start="2016-01-01")
    with pytest.raises(DataError, match="falls into train: choose other dates"):
        storms(archive, validation_start="2000-01-01")
    with pytest.raises(ValueError, match="`area` must be"):
        storms(archive, area="column")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: d.drop_vars("V10_curr"), "lacks V10_curr; it holds REFL_COM_curr"),
        (lambda d: d.drop_vars("time"), "lacks time"),
        (lambda d: d.assign(U10_curr=d.U10_curr.where(d.U10_curr > 0)), "holds missing values"),
        (lambda d: d.drop_vars("time").assign_coords(time=("other", [1, 2])), "one time for each of its 3 patches"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path, damage, message):
    for seed, run in enumerate(RUNS):
        write(tmp_path, run, patches(run, seed))
    write(tmp_path, RUNS[0], damage(patches(RUNS[0], 0)))
    with pytest.raises(DataError, match=f"20101024.*{message}"):
        storms(tmp_path)


def test_a_damaged_file_is_named(archive, tmp_path):
    for file in archive.glob("*.nc"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / f"NCARSTORM_{RUNS[2]}-0000_d01_model_patches.nc").write_bytes(b"not netCDF")
    with pytest.raises(DataError, match=r"20140101.* is not a netCDF file that can be read"):
        storms(tmp_path)


def test_a_file_without_a_date_is_named(archive, tmp_path):
    for file in archive.glob("*.nc"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "NCARSTORM_x_d01_model_patches.nc").write_bytes(b"")
    with pytest.raises(DataError, match="must hold its run as yyyymmdd-hhmm"):
        storms(tmp_path)
