"""What a release states in two places agrees, and the matrix's page is what was recorded."""

import json
import re
import sys
from pathlib import Path

import gengap as gg

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import matrix  # noqa: E402  a script, beside the package


def test_the_citation_has_the_version_and_licence_of_the_package():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (\S+)$", text, re.MULTILINE)[1] == gg.__version__
    assert "license: Apache-2.0" in text
    assert text.startswith("cff-version: 1.2.0")


def test_the_matrix_is_what_was_recorded():
    rows = json.loads(matrix.RECORD.read_text())
    assert matrix.PAGE.read_text() == matrix.page(rows)
    assert {one["outcome"] for one in rows} == {"ran"}
    assert all(set(matrix.COLUMNS) <= set(one) for one in rows)


def test_the_checklist_names_commands_that_exist():
    text = (ROOT / "docs" / "releasing.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {one for line in re.findall(r"^([a-z][\w -]*):", makefile, re.MULTILINE) for one in line.split()}
    assert set(re.findall(r"`make ([\w-]+)`", text)) <= targets
    assert all((ROOT / one).exists() for one in re.findall(r"`?python (scripts/\w+\.py)", text))
