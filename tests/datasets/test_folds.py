"""Divisions of cases into folds: whole, stratified, redrawn, and refused where they would leak."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, ShuffleSplit, StratifiedKFold, TimeSeriesSplit

import gengap as gg
from gengap.datasets.divider import Divider
from gengap.errors import DataError


def divider(cv, *, n=60, task="binary", units=None, times=None):
    y = np.arange(n) % 3 == 0 if task == "binary" else np.linspace(0, 1, n)
    chosen = cv if isinstance(cv, gg.CrossValidation) else gg.CrossValidation(cv)
    return Divider(chosen, y=y.astype(int) if task == "binary" else y, task=task, units=units, times=times)


def disjoint(sets):
    return sum(map(len, sets)) == len(set.union(*sets))


@settings(max_examples=25, deadline=None)
@example(n=40, folds=6, groups=15, task="binary", seed=0)
@given(
    n=st.integers(40, 90),
    folds=st.integers(3, 6),
    groups=st.one_of(st.none(), st.integers(15, 30)),
    task=st.sampled_from(["binary", "regression"]),
    seed=st.integers(0, 5),
)
def test_every_case_is_tested_and_validated_once_and_never_by_a_run_that_learned_from_it(n, folds, groups, task, seed):
    units = None if groups is None else np.arange(n) % groups
    if task == "binary" and units is not None and (rarest := len({*units[np.arange(n) % 3 == 0]})) < folds:
        with pytest.raises(DataError, match=f"The rarer label is in {rarest} groups"):
            divider(folds, n=n, task=task, units=units)
        return
    division = divider(folds, n=n, task=task, units=units).division(seed)
    assert division.validates_all
    for part in ("test", "validation"):
        assert sorted(np.concatenate([fold.rows(part) for fold in division.folds])) == list(range(n))
    for fold in division.folds:
        parts = [set(fold.rows(name)) for name in ("train", "validation", "test")]
        assert disjoint(parts)
        if units is not None:
            held = [set(units[list(part)]) for part in parts]
            assert disjoint(held)
        else:
            assert len(parts[0]) == n - 2 * -(-n // folds)  # of equal size, so that folds train together


def test_each_seed_draws_its_own_division_and_always_the_same():
    one = divider(5)
    assert one.redrawn
    assert one.division(3).digest() == divider(5).division(3).digest() != one.division(4).digest()


def test_labels_are_stratified():
    for fold in divider(5).division(0).folds:
        assert 3 <= (fold.test % 3 == 0).sum() <= 5


@pytest.mark.parametrize(
    ("cv", "redrawn", "name"),
    [
        (5, True, "StratifiedKFold"),
        (StratifiedKFold(4, shuffle=True), True, "StratifiedKFold"),
        (KFold(4), False, "KFold"),
        (KFold(4, shuffle=True, random_state=1), False, "KFold"),
        (gg.CrossValidation(4, redraw=False), False, "StratifiedKFold"),
        (KFold(4).split(np.zeros(60)), False, "given folds"),
    ],
)
def test_what_can_be_redrawn_is_and_the_rest_is_crossed(cv, redrawn, name):
    made = divider(cv)
    assert (made.redrawn, made.splitter) == (redrawn, name)
    assert (made.division(0).digest() != made.division(1).digest()) == redrawn


def test_a_splitter_keeps_its_own_state():
    splitter = StratifiedKFold(4, shuffle=True)
    divider(splitter).division(0)
    assert splitter.random_state is None


def test_folds_that_are_no_partition_get_an_inner_validation_out_of_their_training_cases():
    units = np.repeat(np.arange(20), 3)
    for fold in divider(TimeSeriesSplit(3)).division(0).folds:
        assert fold.train.max() < fold.test.min()
        assert fold.validation.max() < fold.test.min()
    division = divider(gg.CrossValidation(2), units=units).division(0)
    assert not division.validates_all
    for fold in division.folds:
        assert not set(units[fold.train]) & set(units[fold.validation])
        assert abs(len(fold.validation) - 7.5) <= 4.5


def test_windows_forward_in_time_have_equal_numbers_of_cases_and_test_the_later_ones():
    times = np.datetime64("2001-01-01") + np.random.default_rng(0).permutation(90)
    made = divider(gg.CrossValidation(5, forward=True), n=90, times=times)
    division = made.division(0)
    assert not made.redrawn
    assert len({len(fold.train) for fold in division.folds}) == 1
    for fold in division.folds:
        assert times[fold.train].max() < times[fold.validation].min() <= times[fold.validation].max()
        assert times[fold.validation].max() < times[fold.test].min()


@pytest.mark.parametrize(
    ("cv", "match"),
    [
        ([([0, 1, 2], [2, 3]), ([3], [4])], "trains on 1 of its own test cases, the first of them case 2"),
        ([(range(30), range(30, 60)), (range(20), range(40, 60))], "tests case 40 in more than one fold"),
        (ShuffleSplit(3, random_state=0), "in more than one fold.*give `cv=5`"),
        ([([0, 1], [70]), ([3], [4])], "must name cases from 0 to 59"),
        ([([0, 1], [2])], "at least 2 folds"),
        ([5, 6], "must be pairs"),
        (25, "The rarer label is in 20 cases"),
        (gg.CrossValidation(5, forward=True), "need the `times`"),
        (gg.CrossValidation(KFold(4), redraw=True), "one division only"),
        (LeaveOneGroupOut(), "cannot divide these 60 cases"),
    ],
)
def test_what_would_leak_or_cannot_be_divided_is_refused(cv, match):
    with pytest.raises(DataError, match=match):
        divider(cv).division(0)


def test_a_splitter_that_breaks_groups_is_refused():
    units = np.repeat(np.arange(20), 3)
    with pytest.raises(DataError, match=r"KFold breaks .* groups in fold 0"):
        divider(KFold(4, shuffle=True), units=units).division(0)
    assert len(divider(GroupKFold(4), units=units).division(0).folds) == 4


def test_groups_that_reach_over_windows_of_time_are_refused():
    times = np.datetime64("2001-01-01") + np.arange(60)
    with pytest.raises(DataError, match="Groups reach over the boundaries"):
        divider(gg.CrossValidation(3, forward=True), units=np.arange(60) % 20, times=times).division(0)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"splitter": 1}, ValueError, "at least 2 folds"),
        ({"splitter": True}, TypeError, "`cv` must be"),
        ({"splitter": "5"}, TypeError, "`cv` must be"),
        ({"splitter": KFold(3), "forward": True}, ValueError, "number of windows"),
        ({"forward": True, "redraw": True}, ValueError, "cannot be drawn anew"),
        ({"validation": 1.0}, ValueError, "`validation` must lie"),
        ({"redraw": 1}, TypeError, "`redraw` must be"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        gg.CrossValidation(**arguments)


def test_pooled_cases_are_those_of_all_splits_and_say_where_they_are_from():
    data = gg.datasets.soundings()
    pooled = data.pooled()
    assert len(pooled) == len(pooled.groups) == len(pooled.times) == 866
    assert np.array_equal(pooled.x[-215:], data.test.x)
    assert pooled.source is data


def test_splits_of_different_form_are_not_pooled():
    data = gg.datasets.diabetes()
    narrow = replace(data, test=gg.Split(data.validation.x[:, :3], data.validation.y))
    with pytest.raises(DataError, match="differ in form"):
        narrow.pooled()
    with pytest.raises(DataError, match="`groups` and others have none"):
        replace(data, test=replace(data.validation, groups=np.arange(len(data.validation)))).pooled()
