"""The embedded soundings: counts, base rates, days, units, normalisation, and the script that rebuilds them."""

import importlib.util
import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from gengap.datasets.sars import heights, soundings

SCRIPT = Path(__file__).parents[2] / "scripts" / "build_soundings.py"

PROFILE = """%RAW%
 1000.00,     20.00,  -9999.00,  -9999.00,  -9999.00,  -9999.00
  950.00,    500.00,   -999.00,   -999.00,   -999.00,   -999.00
  900.00,    900.00,     20.00,     10.00,    270.00,     10.00
  700.00,   2900.00,      0.00,  -9999.00,    180.00,     20.00
%END%
"""


@pytest.fixture(scope="module")
def data():
    return soundings()


@pytest.fixture(scope="module")
def raw():
    return soundings(standardize=False)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("build_soundings", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_counts_and_base_rates(data):
    assert [len(s) for s in (data.train, data.validation, data.test)] == [419, 232, 215]
    rates = [float(s.y.mean()) for s in (data.train, data.validation, data.test)]
    np.testing.assert_allclose(rates, [0.49, 0.47, 0.53], atol=0.005)


def test_splits_follow_the_years(data):
    years = [set(s.times.astype("datetime64[Y]").astype(int) + 1970) for s in (data.train, data.validation, data.test)]
    assert years == [{1999, 2000, 2001}, {2002, 2003}, {2004}]


def test_no_day_lies_in_two_splits(data):
    train, validation, test = (set(s.groups) for s in (data.train, data.validation, data.test))
    assert not train & validation
    assert not validation & test
    assert not train & test


def test_a_group_is_a_convective_day(data):
    for split in (data.train, data.validation, data.test):
        begin = np.array([f"{g // 10000}-{g // 100 % 100:02}-{g % 100:02}T12" for g in split.groups], "datetime64[h]")
        hours = (split.times - begin).astype("timedelta64[h]").astype(int)
        assert ((hours >= 0) & (hours < 24)).all()


def test_standardization_rests_on_training_cases_only(data, raw):
    mean, deviation = raw.train.x.mean((0, 1), dtype=float), raw.train.x.std((0, 1), dtype=float)
    for name in ("train", "validation", "test"):
        expected = (getattr(raw, name).x - mean) / deviation
        np.testing.assert_allclose(getattr(data, name).x, expected, atol=2e-5)
    np.testing.assert_allclose(data.train.x.mean((0, 1), dtype=float), 0, atol=1e-5)
    assert np.abs(data.test.x.mean((0, 1))).max() > 0.05


def test_raw_profiles_are_weather(raw):
    x = np.concatenate([raw.train.x, raw.validation.x, raw.test.x])
    temperature, dew_point, u, v, log_pressure = np.moveaxis(x, -1, 0)
    assert -90 < temperature.min() < -60
    assert 30 < temperature.max() < 45
    assert (dew_point <= temperature + 0.02).mean() > 0.999
    assert np.hypot(u, v).max() < 120
    assert (np.diff(log_pressure, axis=1) < 0).all()
    assert 750 < np.exp(log_pressure[:, 0]).min() < np.exp(log_pressure[:, 0]).max() < 1040


def test_provenance_is_stated(data):
    assert not data.synthetic
    assert "public domain" in data.licence
    assert "Jewell" in data.citation
    assert len(data.feature_names) == data.train.x.shape[-1] == 5
    assert heights().tolist()[::31] == [0, 15000]
    assert data.train.x.shape[1] == len(heights()) == 32


def test_the_file_is_small():
    assert len((files("gengap.datasets") / "data" / "soundings.npz").read_bytes()) < 700_000


def test_script_reads_missing_surface_and_underground_levels(script):
    profile = script.profile(PROFILE)
    ground, middle, top = profile[0], profile[list(script.HEIGHTS).index(1400)], profile[-1]
    np.testing.assert_allclose(ground, [20, 10, 5.14444, 0, np.log(950)], atol=1e-6)  # held from the first level
    np.testing.assert_allclose(middle[:2], [10, 10])
    np.testing.assert_allclose(top[:4], [0, 10, 0, 10.28888], atol=1e-6)


def test_script_tells_two_storms_of_one_sounding_apart(script):
    found = script.labels("NAME CAT\n\n03031722.SPS\t1\t9\n\n03031722.SPS\t0\t9\n04042320.TXK 2 9\n")
    assert [script.category(n, found) for n in ("03031722i_t.sps", "03031722m_n.sps")] == [1, 0]
    assert [script.category(n, found) for n in ("04042320m_n.txk", "04042320.oun")] == [2, None]


@pytest.mark.slow
def test_the_script_rebuilds_the_embedded_file(script):
    wheel = os.environ.get("GENGAP_SHARPPY_WHEEL")
    if not wheel:
        pytest.skip("needs GENGAP_SHARPPY_WHEEL, the path of SHARPpy-1.4.0a5-py2.py3-none-any.whl")
    with np.load(script.TARGET, allow_pickle=False) as embedded:
        for name, values in script.build(Path(wheel)).items():
            np.testing.assert_array_equal(values, embedded[name], err_msg=name)
