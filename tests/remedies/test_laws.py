"""Every law for every remedy on every model: a third of the pairs always, the others when there is time.

Each remedy meets every third model and each model every third remedy; what repeats a sibling, and
keras.applications, waits too.
"""

import importlib.util
import sys
from pathlib import Path

import pytest


def _load():
    spec = importlib.util.spec_from_file_location("remedy_laws", Path(__file__).with_name("laws.py"))
    module = sys.modules.setdefault(spec.name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


laws = _load()

SIBLINGS = frozenset({"l1", "l1l2", "gaussian_dropout", "gaussian_noise", "learning_rate", "dropout+l2"})
"""Remedies whose code is that of another: on two models always, on the others when there is time."""
TWO = frozenset({"review_net", "two_in_two_out"})
ALWAYS = {
    **dict.fromkeys(SIBLINGS, TWO),
    "freeze": TWO | {"nested", "pretrained_and_frozen"},
    "thaw": {"review_net", "pretrained_and_frozen"},
    "learning_rate": {"review_net"},
    "layer_rate": {"nested", "pretrained_and_frozen"},
}
"""Models on which such remedies, and those of fine-tuning, are always tried."""


def pairs():
    for row, name in enumerate(laws.ZOO):
        for column, treatment in enumerate(laws.TREATMENTS):
            repeats = treatment in ALWAYS and name not in ALWAYS[treatment]
            waits = treatment not in ALWAYS and (row + column) % 3 > 0
            slow = name in laws.LARGE or repeats or waits
            yield pytest.param(name, treatment, marks=pytest.mark.slow if slow else ())


@pytest.mark.parametrize(("name", "treatment"), list(pairs()))
def test_laws(name, treatment):
    found = laws.verdicts(name, treatment)
    assert set(found) == {law.__name__ for law in laws.LAWS}


def test_every_remedy_obeys_the_laws_somewhere():
    covered = {type(part).__name__ for remedy, _ in laws.TREATMENTS.values() for part in remedy.parts()}
    assert covered == {cls.__name__ for cls in laws.gr.REMEDIES.values()} - {"Subsample", "EarlyStopping"}
