"""The tutorials' notebooks are executed, in both languages, from the sources that stand beside them."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "notebooks").glob("*.py"))
WRITTEN = [(source, suffix) for source in SOURCES for suffix in ("", ".zh")]
MOST_BYTES = 1_500_000


def cells(source):
    """Heads and bodies of the cells of a source in percent format."""
    parts = re.split(r"^# %%(.*)\n", source.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], (body.strip() for body in parts[1::2]), strict=True))


def notebook(source, suffix):
    path = ROOT / "docs" / "notebooks" / f"{source.stem}{suffix}.ipynb"
    assert path.stat().st_size <= MOST_BYTES
    return json.loads(path.read_text(encoding="utf-8"))


def text(cell):
    return "".join(cell["source"]).strip()


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_every_text_stands_in_both_languages(source):
    languages = [head.rpartition("lang=")[2].strip('" ') for head, _ in cells(source) if "markdown" in head]
    assert languages == ["en", "zh"] * (len(languages) // 2)
    assert len(languages) > 20


@pytest.mark.parametrize(("source", "suffix"), WRITTEN, ids=lambda value: getattr(value, "stem", value or "en"))
def test_a_notebook_holds_the_code_of_its_source_and_what_it_gave(source, suffix):
    code = [cell for cell in notebook(source, suffix)["cells"] if cell["cell_type"] == "code"]
    assert [text(cell) for cell in code] == [body for head, body in cells(source) if "markdown" not in head]
    assert all(cell["execution_count"] for cell in code)
    outputs = [output for cell in code for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"stream", "display_data", "execute_result"}
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 5


@pytest.mark.parametrize(("source", "suffix"), WRITTEN, ids=lambda value: getattr(value, "stem", value or "en"))
def test_a_notebook_speaks_one_language(source, suffix):
    prose = [text(cell) for cell in notebook(source, suffix)["cells"] if cell["cell_type"] == "markdown"]
    chinese = [bool(re.search(r"[\u4e00-\u9fff]", one)) for one in prose]
    assert all(chinese) if suffix else not any(chinese)
