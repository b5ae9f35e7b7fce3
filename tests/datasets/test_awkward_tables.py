"""Small awkward files: read rightly, or refused with a sentence whose advice is obeyed here, and works."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from gengap.datasets import TableEncoder, read_split
from gengap.datasets.table_files import Wanted, read_named
from gengap.errors import DataError

FOLDER = Path(__file__).parent / "awkward_tables"
CASES = tomllib.loads((FOLDER / "cases.toml").read_text(encoding="utf-8"))["case"]
REFUSED = [case for case in CASES if "sentence" in case]
by_file = pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])


def read(path, options, *, encode=False):
    if not encode:
        return read_split(path, **options)
    split = read_named(path, Wanted(encode=True, **options)).split
    TableEncoder.declare(split.x, missing=options.get("missing"), name=str(path))  # refuses names of rows
    return split


def cured(case, folder):
    """The file as the advice wants it, or the file itself where the advice is an option."""
    if "content" not in case and "replace" not in case:
        return FOLDER / case["file"]
    text = case.get("content") or (FOLDER / case["file"]).read_text(encoding="utf-8")
    for old, new in case.get("replace", []):
        assert old in text
        text = text.replace(old, new)
    path = folder / case["file"]
    path.write_text(text, encoding="utf-8")
    return path


@by_file
def test_it_is_read_rightly_or_after_its_advice_is_obeyed(case, tmp_path):
    options, encode = case.get("options", {}), case.get("encode", False)
    path = FOLDER / case["file"]
    if "sentence" in case:
        with pytest.raises(DataError, match=case["sentence"]) as refused:
            read(path, options, encode=encode)
        said = str(refused.value)
        assert str(path) in said
        assert "\n" not in said
        assert len(said) < 420
        path = cured(case, tmp_path)
        options = {**options, **case.get("cure", {})}
    split = read(path, options, encode=encode or case.get("cure_encode", False))
    if "width" in case:
        assert TableEncoder(missing=options.get("missing")).fit(split.x).width == case["width"]
    if "x" in case:
        np.testing.assert_array_equal(split.x, np.array(case["x"], np.float32))
    for name in ("y", "groups"):
        if name in case:
            assert getattr(split, name).tolist() == case[name]
    if "times" in case:
        np.testing.assert_array_equal(split.times, np.array(case["times"], "datetime64[ns]"))


def test_every_file_is_a_case():
    assert {case["file"] for case in CASES} == {path.name for path in FOLDER.iterdir()} - {"cases.toml"}


def test_more_is_said_than_is_guessed():
    assert len(REFUSED) > len(CASES) / 3
