"""Near duplicates are found, and none is invented: neither on narrow tables nor on those of few values."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from gengap.analysis.diagnosis.auditing import audit
from gengap.datasets import data_audit
from gengap.datasets.data_audit import audit_data
from gengap.datasets.near_duplicates import Projections, near_duplicates
from gengap.datasets.split import Split
from gengap.results import Result

LAWS = {
    "normal": lambda rng, n, d: rng.normal(size=(n, d)),
    "uniform": lambda rng, n, d: rng.uniform(size=(n, d)),
    "lognormal": lambda rng, n, d: np.exp(rng.normal(size=(n, d))),
    "cauchy": lambda rng, n, d: rng.standard_cauchy(size=(n, d)),
    "correlated": lambda rng, n, d: rng.normal(size=(n, 1)) + 0.1 * rng.normal(size=(n, d)),
    "clusters": lambda rng, n, d: 5 * rng.integers(0, 4, (n, 1)) + rng.normal(size=(n, d)),
    "rounded": lambda rng, n, d: np.round(rng.normal(size=(n, d)), 1),
    "many zeros": lambda rng, n, d: rng.gamma(0.5, size=(n, d)) * (rng.random((n, d)) < 0.5),
    "yes and no": lambda rng, n, d: np.column_stack([rng.normal(size=n), rng.integers(0, 2, (n, d - 1))]),
    "patients": lambda rng, n, d: np.repeat(rng.normal(size=(n // 4, d)), 4, axis=0) + 0.02 * rng.normal(size=(n, d)),
}


def splits(law, columns, *, train=1000, held_out=300, seed=0):
    """Independent cases: nothing of the held-out ones is in the training ones."""
    return tuple(
        LAWS[law](np.random.default_rng(1000 * seed + at), n, columns) for at, n in enumerate((train, held_out))
    )


@pytest.mark.parametrize("columns", [1, 2, 3, 5, 8, 20])
@pytest.mark.parametrize("law", list(LAWS))
def test_independent_cases_have_no_duplicates(law, columns):
    found = [int(near_duplicates(*splits(law, columns, seed=seed)).sum()) for seed in range(3)]
    assert sum(found) <= 1, found


def test_the_tables_of_the_issue_have_none():
    """Two, three and five normal columns had 292, 216 and 20 "near duplicates" among 300."""
    for columns in (2, 3, 5):
        a, b = splits("normal", columns, seed=7)
        assert audit_data(Split(a, a[:, 0]), Split(b, b[:, 0]))["near_duplicates"] == {"validation": 0}


@pytest.mark.parametrize("law", ["normal", "lognormal", "clusters", "correlated"])
@pytest.mark.parametrize("columns", [3, 6, 20, 100])
@pytest.mark.parametrize("planted", [1, 40])
def test_planted_duplicates_are_found(law, columns, planted):
    a, b = splits(law, columns)
    b[:planted] = a[:planted] * (1 + 1e-5) + 1e-5 * np.random.default_rng(5).normal(size=(planted, columns))
    duplicates = near_duplicates(a, b)
    assert duplicates[:planted].mean() > 0.8
    assert duplicates[planted:].sum() <= 1 + planted // 20


def test_copies_are_counted_as_such_and_not_as_near():
    a, b = splits("normal", 4)
    b[:30] = a[:30]
    found = audit_data(Split(a, a[:, 0]), Split(b, b[:, 0]))
    assert found["duplicates"] == {"validation": 30}
    assert found["near_duplicates"] == {"validation": 0}


def test_what_is_measured_far_from_zero_is_told_apart():
    """Pressures in Pa and seconds since 1970 have no room in single precision."""
    rng = np.random.default_rng(0)
    a, b = (np.column_stack([1.7e9 + rng.uniform(0, 3000, n), 101_325 + 80 * rng.normal(size=n), rng.normal(size=n)])
            for n in (1000, 300))  # fmt: skip
    assert not near_duplicates(a, b).any()
    b[:5] = a[:5] + np.array([1e-3, 1e-3, 1e-5])
    assert near_duplicates(a, b)[:5].all()
    as_integers = near_duplicates(np.round(a).astype(np.int64), np.round(b).astype(np.int64))
    assert not as_integers[5:].any()


FORMS = {
    "frame": pd.DataFrame,
    "mapping": lambda x: {"left": x[:, :2], "right": x[:, 2:]},
    "list": lambda x: [x[:, :5], x[:, 5]],
    "sparse": sparse.csr_matrix,
    "sparse beside dense": lambda x: {"left": sparse.csr_matrix(x[:, :3]), "right": x[:, 3:]},
    "planes": lambda x: x.reshape(len(x), 3, 2),
    "yes and no": lambda x: {"numbers": x[:, :5], "flag": x[:, 5] > 0},
}


@pytest.mark.parametrize("form", list(FORMS))
def test_every_form_of_inputs_is_looked_at(form):
    a, b = splits("normal", 6)
    b[:20] = a[:20] + 1e-6
    found = audit_data(Split(FORMS[form](a), a[:, 0]), Split(FORMS[form](b), b[:, 0]))["near_duplicates"]["validation"]
    assert 12 <= found <= 20  # by hashing: some are missed


def test_what_is_not_looked_at_is_said():
    text = Split(np.array([["a"], ["b"]] * 30), np.arange(60) % 2)
    found = audit_data(text, text)
    assert found["near_duplicates"] == {"validation": None}
    made = Result.from_histories({"a": [{"loss": [1.0]}]}, task="binary")
    result = Result(made.history, made.runs, made.validation, made.test, {**made.manifest, "data": {"audit": found}})
    said = {str(one.subject): one.sentence for one in audit(result).findings if one.code == "GG321"}
    sentence = (
        "near duplicates in the training split were not searched for: inputs are not numeric, or there are too "
        "few cases"
    )
    assert said == {"validation": sentence}


@pytest.mark.parametrize("form", ["frame", "sparse"])
def test_three_splits_that_share_what_was_computed_of_them_are_told_the_same(form):
    a, b = splits("normal", 20)
    c = b[::-1].copy()
    b[:20], c[:9] = a[:20] + 1e-6, b[-9:] + 1e-6
    parts = [FORMS[form](one) for one in (a, b, c)]
    shared, found = Projections(), []
    for one, other in ((0, 1), (0, 2), (1, 2)):
        told = near_duplicates(parts[one], parts[other], projections=shared)
        np.testing.assert_array_equal(told, near_duplicates(parts[one], parts[other]))
        found.append(told.sum())
    assert found[0] >= 15
    assert found[2] > 0


@pytest.mark.parametrize("form", ["frame", "mapping", "sparse", "planes"])
def test_the_same_cases_are_searched_once_and_others_anew(form, monkeypatch):
    searched = []
    found = data_audit.near_duplicates
    monkeypatch.setattr(data_audit, "near_duplicates", lambda *given, **how: searched.append(0) or found(*given, **how))
    monkeypatch.setattr(data_audit, "_counted", {})
    a, b = splits("normal", 6)
    b[:20] = a[:20] + 1e-6

    def count(a, b):
        made = [Split(FORMS[form](one.copy()), one[:, 0]) for one in (a, b)]
        return audit_data(*made)["near_duplicates"]["validation"]

    first = count(a, b)
    assert (count(a, b), len(searched)) == (first, 1)
    b[:10] += 3.0
    assert count(a, b) < first
    assert len(searched) == 2
    count(a, b[::-1].copy())
    assert len(searched) == 3
