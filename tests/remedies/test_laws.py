"""Every law for every remedy on every model of the zoo; small models always, keras.applications when there is time."""

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


@pytest.mark.parametrize("treatment", laws.TREATMENTS)
@pytest.mark.parametrize("name", [name for name in laws.ZOO if name not in laws.LARGE])
def test_laws_on_small_models(name, treatment):
    found = laws.verdicts(name, treatment)
    assert set(found) == {law.__name__ for law in laws.LAWS}


@pytest.mark.slow
@pytest.mark.parametrize("treatment", laws.TREATMENTS)
@pytest.mark.parametrize("name", sorted(laws.LARGE))
def test_laws_on_applications(name, treatment):
    assert laws.verdicts(name, treatment)


def test_every_remedy_obeys_the_laws_somewhere():
    covered = {type(part).__name__ for remedy, _ in laws.TREATMENTS.values() for part in remedy.parts()}
    assert covered == {cls.__name__ for cls in laws.gr.REMEDIES.values()} - {"Subsample", "EarlyStopping"}
