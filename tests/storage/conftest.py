"""Records and manifests small enough to be made by the hundred; and no database that a test leaves open."""

import sqlite3

import numpy as np
import pytest

from gengap.engine.runs import Predictions, RunRecord


@pytest.fixture(autouse=True)
def _no_database_stays_open():
    """Ask what Python 3.13 warns of, of every Python: that each connection was closed, also where something failed."""
    opened, connect = [], sqlite3.connect

    def noted(*arguments, **more):
        opened.append(connect(*arguments, **more))
        return opened[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", noted)
        yield
    for one in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            _ = one.total_changes


def _record(variant="baseline", seed=0, *, scale=1.0, n=7, epochs=3):
    rng = np.random.default_rng([seed, sum(map(ord, variant))])
    predictions = Predictions(
        last=rng.random(n, dtype=np.float32),
        best=rng.random(n, dtype=np.float32),
        epochs=rng.random((epochs, n)).astype(np.float16),
    )
    weights = [rng.normal(size=(4, 3)).astype(np.float32) * scale, np.zeros(3, np.float32)]
    return RunRecord(
        variant=variant,
        seed=seed,
        history={"loss": rng.random(epochs), "val_score": rng.random(epochs)},
        predictions={"validation": predictions, "test": Predictions(last=predictions.best, best=predictions.last)},
        weights_last=weights,
        weights_best=[weights[0] + 1, weights[1]],
        best_epoch=2,
        parameters=15,
        seconds=0.25,
        status="completed",
    )


@pytest.fixture
def make_record():
    return _record


@pytest.fixture
def manifest():
    return {
        "task": "binary",
        "score": "log_loss",
        "seeds": [0, 1],
        "settings": {"epochs": 3, "batch_size": 8},
        "data": {"fingerprint": "abc"},
        "variants": {"baseline": {"share": 1.0, "stopping": None, "model": {"class_name": "Sequential"}}},
        "looks": [],
    }


@pytest.fixture
def assert_same():
    def check(a, b):
        assert (a.variant, a.seed, a.best_epoch, a.parameters, a.seconds, a.status) == (
            b.variant, b.seed, b.best_epoch, b.parameters, b.seconds, b.status
        )  # fmt: skip
        assert a.history.keys() == b.history.keys()
        for name in a.history:
            np.testing.assert_array_equal(a.history[name], b.history[name])
        assert a.predictions.keys() == b.predictions.keys()
        for split in a.predictions:
            for kind in ("last", "best", "epochs"):
                one, other = getattr(a.predictions[split], kind), getattr(b.predictions[split], kind)
                assert (one is None) == (other is None)
                if one is not None:
                    assert one.dtype == other.dtype
                    np.testing.assert_array_equal(one, other)
        for kind in ("weights_last", "weights_best"):
            assert len(getattr(a, kind)) == len(getattr(b, kind))
            for one, other in zip(getattr(a, kind), getattr(b, kind), strict=True):
                assert one.dtype == other.dtype
                np.testing.assert_array_equal(one, other)

    return check
