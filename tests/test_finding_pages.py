"""Every code has its page, and the page says what the registry says."""

import importlib.util
from pathlib import Path

import pytest

from gengap.analysis.findings.codes import CODES

ROOT = Path(__file__).parents[1]
_SPEC = importlib.util.spec_from_file_location("finding_pages", ROOT / "scripts" / "finding_pages.py")
finding_pages = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(finding_pages)


@pytest.mark.parametrize("code", CODES)
def test_the_page_of_a_code_is_up_to_date(code):
    written = (ROOT / "docs" / "findings" / f"{code}.md").read_text(encoding="utf-8")
    assert written == finding_pages.page(CODES[code])


def test_there_is_no_page_without_a_code():
    pages = {path.stem for path in (ROOT / "docs" / "findings").glob("GG*.md")}
    assert pages == set(CODES)


def test_the_index_is_up_to_date():
    assert (ROOT / "docs" / "findings" / "index.md").read_text(encoding="utf-8") == finding_pages.index()
