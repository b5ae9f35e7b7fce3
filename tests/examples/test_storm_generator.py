"""Synthetic storms: the course's moments and base rate, and a truth that labels and fields agree with."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from gengap.datasets.storm_patches import COURSE_DEVIATION, COURSE_MEAN
from gengap_examples.storm_generator import rotation_probability, synthetic_storms


@pytest.fixture(scope="module")
def raw():
    return synthetic_storms(n_train=12_000, n_validation=1_500, n_test=1_500, standardize=False)


def test_channel_moments_and_base_rate_are_the_courses(raw):
    x = raw.train.x
    # 188 days share their winds: the standard error of a mean wind is about .2 m/s
    np.testing.assert_allclose(x.mean((0, 1, 2), dtype=float), COURSE_MEAN, atol=0.6)
    np.testing.assert_allclose(x.std((0, 1, 2), dtype=float), COURSE_DEVIATION, rtol=0.06)
    assert 0.038 < raw.truth["train"].mean() < 0.053


def test_labels_agree_with_their_true_probabilities(raw):
    y, p = raw.train.y, raw.truth["train"]
    edges = np.searchsorted(np.sort(p), [0, 0.001, 0.01, 0.1, 0.3, 0.6, 1.01])
    order = np.argsort(p)
    for low, high in pairwise(edges):
        cases = order[low:high]
        error = np.sqrt((p[cases] * (1 - p[cases])).sum())
        assert abs(y[cases].sum() - p[cases].sum()) < 4 * error + 1e-9


def test_a_perfect_forecast_is_realistic_and_the_task_is_not_trivial(raw):
    y, p = raw.train.y, raw.truth["train"]
    assert 0.93 < roc_auc_score(y, p) < 0.97
    rate = y.mean()
    assert 0.3 < 1 - brier_score_loss(y, p) / (rate * (1 - rate)) < 0.46
    strongest = raw.train.x[..., 0].max((1, 2))
    assert roc_auc_score(y, strongest) < 0.8  # reflectivity alone tells little


def test_truth_is_the_stated_function_of_the_fields(raw):
    z, u, v = np.moveaxis(raw.test.x[:40].astype(float), -1, 0)
    vorticity = (np.gradient(v, 3.0, axis=2) - np.gradient(u, 3.0, axis=1))[:, 1:-1, 1:-1]
    echo = np.clip((z[:, 1:-1, 1:-1] - 10) / 10, 0, None)
    logit = -17.84 + 3.0 * np.log(1 + (np.clip(vorticity - 0.5, 0, None) * echo).sum((1, 2)))
    np.testing.assert_allclose(raw.truth["test"][:40], 1 / (1 + np.exp(-logit)), rtol=1e-3)


def test_probability_follows_rotation_to_the_left():
    north, east = np.mgrid[-15.5:16.5, -15.5:16.5]
    storm = np.stack([np.full((32, 32), 45.0), -2 * north, 2 * east], axis=-1)  # turns like a solid disc
    other_way = storm * [1, -1, -1]
    left, right = rotation_probability(np.stack([storm, other_way]))
    assert left > 0.9
    assert right < 0.01


def test_noise_is_correlated_in_space(raw):
    u = raw.train.x[:1000, ..., 1]
    u = u - u.mean((1, 2), keepdims=True)
    neighbours, distant = (u[:, :, :-lag] * u[:, :, lag:] for lag in (1, 16))
    variance = (u**2).mean()
    assert neighbours.mean() / variance > 0.85
    assert abs(distant.mean()) / variance < 0.25


def test_standardization_rests_on_training_cases_only():
    data = synthetic_storms(n_train=64, n_validation=64, n_test=64)
    np.testing.assert_allclose(data.train.x.mean((0, 1, 2), dtype=float), 0, atol=1e-4)
    np.testing.assert_allclose(data.train.x.std((0, 1, 2), dtype=float), 1, atol=1e-4)
    assert np.abs(data.test.x.mean((0, 1, 2))).max() > 0.01


def test_days_are_divided_between_splits_in_time(raw):
    train, validation, test = (s.times for s in (raw.train, raw.validation, raw.test))
    assert train.max() < validation.min()
    assert validation.max() < test.min()
    groups = [set(s.groups) for s in (raw.train, raw.validation, raw.test)]
    assert not (groups[0] & groups[1]) | (groups[1] & groups[2]) | (groups[0] & groups[2])
    np.testing.assert_array_equal(
        raw.test.groups, np.char.replace(np.datetime_as_string(test, "D"), "-", "").astype(int)
    )


def test_storms_of_a_day_share_their_wind(raw):
    wind = raw.train.x[: 180 * 64, ..., 1].mean((1, 2)).reshape(180, 64)
    within, between = wind.var(axis=1).mean(), wind.mean(axis=1).var()
    assert between > 0.5 * within


def test_the_first_cases_do_not_depend_on_how_many_follow(raw):
    small = synthetic_storms(n_train=70, n_validation=5, n_test=5, standardize=False)
    np.testing.assert_array_equal(small.train.x, raw.train.x[:70])
    np.testing.assert_array_equal(small.test.y, raw.test.y[:5])
    np.testing.assert_array_equal(small.truth["validation"], raw.truth["validation"][:5])


def test_another_seed_is_another_data_set():
    one, other = (synthetic_storms(n_train=4, n_validation=1, n_test=1, seed=seed) for seed in (0, 1))
    assert not np.array_equal(one.train.x, other.train.x)
    splits = (one.train.x[0], one.validation.x[0], one.test.x[0])
    assert not np.array_equal(splits[0], splits[1])
    assert not np.array_equal(splits[1], splits[2])
