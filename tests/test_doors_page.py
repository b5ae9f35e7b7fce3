"""The table of layers and doors is what the engine chooses."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_page_is_what_the_engine_chooses():
    script = runpy.run_path(str(ROOT / "scripts" / "doors.py"))
    assert script["page"]() == (ROOT / "docs" / "doors.md").read_text(encoding="utf-8")
