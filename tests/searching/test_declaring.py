"""A search in a folder goes on as it began."""

import json

import pytest

from gengap.errors import StoreError, StudyChangedError
from gengap.searching.declaring import declare
from gengap.searching.space import read_space

SPACE = read_space({"dropout": (0.1, 0.5)})
TOLD = {"seed": 0, "pruning": 3, "epoch": "best", "seeds": [0, 1]}


def test_rounds_stay_as_large_as_they_began(tmp_path):
    folder = tmp_path / "search"
    assert declare(folder, SPACE, **TOLD, together=27) == 27
    assert declare(folder, SPACE, **TOLD, together=40) == 27


def test_versions_that_wrote_no_size_had_rounds_of_16(tmp_path):
    folder = tmp_path / "search"
    declare(folder, SPACE, **TOLD, together=27)
    path = folder / "search.json"
    known = json.loads(path.read_text())
    del known["together"]
    path.write_text(json.dumps(known))
    assert declare(folder, SPACE, **TOLD, together=27) == 16


@pytest.mark.parametrize("size", ['"many"', "null", "0", "-3", "2.5"])
def test_a_size_that_is_none_is_damage(tmp_path, size):
    folder = tmp_path / "search"
    declare(folder, SPACE, **TOLD, together=27)
    path = folder / "search.json"
    content = path.read_text().replace('"together": 27', f'"together": {size}')
    path.write_text(content)
    with pytest.raises(StoreError, match=r"search.json is damaged.*delete it"):
        declare(folder, SPACE, **TOLD, together=27)
    assert path.read_text() == content


def test_another_search_is_refused(tmp_path):
    declare(tmp_path / "search", SPACE, **TOLD, together=27)
    with pytest.raises(StudyChangedError, match="pruning is 3 there and 2 now"):
        declare(tmp_path / "search", SPACE, **{**TOLD, "pruning": 2}, together=16)
